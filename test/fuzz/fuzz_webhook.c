/* Any bytes as an AdmissionReview, and what is read is answered: the patch and the answer must be
 * JSON again, whatever the pod says. The profile is one with everything in it. */
#include <stdlib.h>

#include "admit/webhook.h"
#include "spec/mutate.h"

static _Alignas(16) char memory[8 << 20], again_memory[8 << 20];
static char patch_memory[MUTATE_PATCH_BYTES], out_memory[1 << 20];
static struct profile profile;

static const struct mutate_node node = {
    {"vk", 2}, {"virtual-kubelet.io/provider", 27}, {"alibabacloud", 12}, {"NoSchedule", 10}};

static void must_be_json(str text)
{
    struct arena arena;
    json root;
    arena_init(&arena, again_memory, sizeof again_memory);
    if (json_parse(text, &arena, &root, NULL) != ERR_OK) {
        abort();
    }
}

static void use_profile(void)
{
    static const char data[] =
        "{\"selectors\":\"[{\\\"name\\\":\\\"a\\\",\\\"objectSelector\\\":{\\\"matchLabels\\\":"
        "{\\\"eci\\\":\\\"true\\\"}},\\\"effect\\\":{\\\"annotations\\\":{\\\"x.y/z\\\":\\\"1\\\"},"
        "\\\"labels\\\":{\\\"l\\\":\\\"2\\\"}}},{\\\"name\\\":\\\"b\\\",\\\"objectSelector\\\":"
        "{\\\"matchExpressions\\\":[{\\\"key\\\":\\\"l\\\",\\\"operator\\\":\\\"In\\\","
        "\\\"values\\\":"
        "[\\\"2\\\",\\\"3\\\"]},{\\\"key\\\":\\\"m\\\",\\\"operator\\\":\\\"DoesNotExist\\\"}]},"
        "\\\"effect\\\":{\\\"labels\\\":{\\\"m\\\":\\\"4\\\"}}},{\\\"name\\\":\\\"c\\\","
        "\\\"effect\\\":{\\\"annotations\\\":{\\\"n\\\":\\\"5\\\"}}}]\"}";
    struct arena arena;
    struct profile_fault fault;
    json root;
    arena_init(&arena, memory, sizeof memory);
    if (json_parse(str_of(data), &arena, &root, NULL) != ERR_OK ||
        profile_read(root, &arena, &profile, &fault, NULL) != ERR_OK) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct webhook_review review;
    struct mutate_outcome outcome = {.ops = 0};
    struct buf patch, out;
    if (profile.selectors_count == 0) {
        use_profile();
    }
    arena_init(&arena, memory, sizeof memory);
    if (webhook_read(str_make((const char *)data, size), &arena, &review) != ERR_OK) {
        return 0;
    }
    const struct mutate_input in = {.pod = review.pod, .profile = &profile, .node = &node};
    buf_init(&patch, patch_memory, sizeof patch_memory);
    enum err err = mutate_pod(&in, &arena, &patch, &outcome);
    if (err == ERR_OK && outcome.ops > 0) {
        must_be_json(buf_str(&patch));
    }
    buf_init(&out, out_memory, sizeof out_memory);
    webhook_put_answer(&review, err == ERR_OK ? buf_str(&patch) : STR_NONE, outcome.warnings,
                       outcome.warnings_count, &out);
    if (buf_ok(&out)) {
        must_be_json(buf_str(&out));
    }
    return 0;
}
