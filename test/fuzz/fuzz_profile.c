/*
 * fuzz_profile.c - any bytes as an eci-profile: as the ConfigMap's data, and as the text of
 * `selectors` in it. What is taken is printed, made a MutatingWebhookConfiguration (JSON again, or
 * full) and tried on a pod with a label of its own; what is not taken has a message and a place
 * that lies inside the text. The first byte chooses which of the two, and the memory.
 */
#include <stdlib.h>

#include "admit/webhook_config.h"
#include "spec/mutate.h"

static _Alignas(16) char memory[4 << 20], again_memory[8 << 20];
static char out_memory[1 << 20], patch_memory[MUTATE_PATCH_BYTES], warnings_memory[4096];
static struct profile profile;

static const struct mutate_node node = {
    {"vk", 2}, {"virtual-kubelet.io/provider", 27}, {"alibabacloud", 12}, {"NoSchedule", 10}};

static json must_be_json(str text, struct arena *arena)
{
    json root;
    if (json_parse(text, arena, &root, NULL) != ERR_OK) {
        abort();
    }
    return root;
}

static json data_of(bool is_selectors, str text, struct arena *arena)
{
    json root = JSON_NONE;
    if (!is_selectors) {
        return json_parse(text, arena, &root, NULL) == ERR_OK ? root : JSON_NONE;
    }
    struct buf out;
    struct json_write w;
    buf_init(&out, out_memory, sizeof out_memory);
    json_write_init(&w, &out);
    json_object(&w);
    json_member_text(&w, "selectors", text);
    json_end(&w);
    if (!json_write_ok(&w)) {
        return JSON_NONE;
    }
    return json_parse(arena_copy(arena, buf_str(&out)), arena, &root, NULL) == ERR_OK ? root
                                                                                      : JSON_NONE;
}

static void check_fault(const struct profile_fault *fault, enum err err, size_t bytes)
{
    if (err == ERR_INVALID && fault->what[0] == '\0') {
        abort();
    }
    /* A byte that is no UTF-8 has become three. */
    if (fault->line > bytes + 1 || fault->column > 3 * bytes + 1) {
        abort();
    }
}

static void use(const struct webhook_place *place)
{
    static const char text[] =
        "{\"metadata\":{\"labels\":{\"eci\":\"true\",\"a\":\"b\"}},\"spec\":{\"containers\":[]}}";
    struct arena arena;
    struct buf out;
    uint32_t left_out;
    buf_init(&out, out_memory, sizeof out_memory);
    profile_print(&profile, &out);
    buf_init(&out, out_memory, WEBHOOK_CONFIG_BYTES);
    webhook_config_put(&profile, place, &out, &left_out);
    arena_init(&arena, again_memory, sizeof again_memory);
    if (buf_ok(&out)) {
        (void)must_be_json(buf_str(&out), &arena);
    }
    arena_clear(&arena);
    struct mutate_outcome outcome;
    const struct mutate_input in = {
        .pod = must_be_json(str_of(text), &arena), .profile = &profile, .node = &node};
    struct buf patch;
    buf_init(&patch, patch_memory, sizeof patch_memory);
    if (mutate_pod(&in, &arena, &patch, &outcome) == ERR_OK && outcome.ops > 0) {
        (void)must_be_json(buf_str(&patch), &arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct profile_fault fault;
    struct buf warnings;
    struct arena arena;
    if (size < 1) {
        return 0;
    }
    arena_init(&arena, memory, sizeof memory >> (data[0] >> 5));
    json root = data_of(data[0] & 1, str_make((const char *)data + 1, size - 1), &arena);
    if (!json_is_there(root)) {
        return 0;
    }
    buf_init(&warnings, warnings_memory, sizeof warnings_memory);
    enum err err = profile_read(root, &arena, &profile, &fault, &warnings);
    if (err == ERR_OK) {
        const struct webhook_place place = {
            .url = S("https://gw:8443"), .ca_pem = S("x"), .is_v1 = data[0] & 2};
        use(&place);
    } else if (err != ERR_INVALID && err != ERR_FULL) {
        abort();
    } else {
        check_fault(&fault, err, size);
    }
    return 0;
}
