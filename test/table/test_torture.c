/*
 * Whole ways through the pure modules, walked again and again with the 1st, 2nd, 3rd ... take of an
 * arena failing, until none does: in each case the answer is right or an error, never a part of the
 * answer. (The ways of one module are tortured in its own tests; here it is their joints.)
 *
 * Under the sanitizers; the text that a way leaves behind when nothing fails is the measure.
 */
#include "table/spec_case.h"

#include "admit/webhook.h"
#include "data/group_read.h"
#include "spec/mutate.h"
#include "spec/pod_facts.h"
#include "spec/pod_status.h"
#include "spec/profile.h"

#define TAKES_MAX 5000
#define NOW 1704171600 /* 2024-01-02T05:00:00Z */

static struct buf said; /* what a way says: compared with what it said when nothing failed */
static char said_memory[CASE_TEXT_BYTES_MAX];

/* Texts with ' for ", outside of the arena: reading it is what is tortured. */
static str text_of(const char *text)
{
    static char copy[CASE_TEXT_BYTES_MAX];
    str whole = case_json("%s", text);
    memcpy(copy, whole.ptr, whole.bytes);
    return str_make(copy, whole.bytes);
}

/* ---- the ways -------------------------------------------------------------------------------- */

static const char pod_text[] =
    "{'metadata':{'uid':'6c1f9a52-5b0e-4f0e-9d39-0d0f6a2f1c11','name':'web-0','namespace':'web',"
    "'labels':{'app':'w\\u0065b','tier':'x'},'annotations':{"
    "'k8s.aliyun.com/eci-with-eip':'true','k8s.aliyun.com/eci-fail-strategy':'fail-fast'}},"
    "'spec':{'nodeName':'virtual-kubelet','hostname':'h\\u0061','volumes':["
    "{'name':'a','emptyDir':{'medium':'Memory','sizeLimit':'1Gi'}}],'initContainers':["
    "{'name':'i','image':'busybox','command':['true']}],'containers':[{'name':'c','image':'nginx',"
    "'env':[{'name':'A','value':'1'},{'name':'B','value':'$(A)$(A)'},{'name':'IP','valueFrom':"
    "{'fieldRef':{'fieldPath':'status.podIP'}}}],'resources':{'requests':{'cpu':'300m','memory':"
    "'100Mi'}},'volumeMounts':[{'name':'a','mountPath':'/a'}],'livenessProbe':{'httpGet':{'port':"
    "80,'path':'/'},'periodSeconds':3}}]},'status':{'phase':'Pending'}}";

static enum err read_pod(struct arena *arena, json *out)
{
    return json_parse(text_of(pod_text), arena, out, NULL);
}

/* The object of a list becomes facts, and the body of a CreateContainerGroup. */
static enum err create(struct arena *arena)
{
    struct spec_verdict verdict;
    struct pod_facts facts;
    struct params params;
    json pod = JSON_NONE;
    enum err err = read_pod(arena, &pod);
    err = err == ERR_OK ? pod_facts_read(pod, arena, &facts) : err;
    err = err == ERR_OK ? params_init(&params, arena) : err;
    if (err != ERR_OK) {
        return err;
    }
    verdict_init(&verdict, arena);
    err = pod_json_to_eci(pod, NULL, &case_config, 1, &params, NULL, &verdict);
    for (uint32_t i = 0; err == ERR_OK && i < params.count; i++) {
        buf_put_fmt(&said, "%.*s=%.*s\n", STR_ARG(params.items[i].name),
                    STR_ARG(params.items[i].value));
    }
    return err;
}

static const char row_text[] =
    "{'Data':[{'ContainerGroupId':'eci-1','Status':'Running','PodStatus':{'PodIp':'10.0.0.5',"
    "'ContainerStatuses':[{'Name':'c','Image':'n\\u0067inx','Ready':true,'State':{'Running':"
    "{'StartedAt':'2024-01-02T03:05:00Z'}}},{'Name':'d','Ready':false,'State':{'Terminated':"
    "{'ExitCode':1,'Reason':'Err\\u006fr','FinishedAt':'2024-01-02T03:06:00Z'}}}],'Conditions':["
    "{'type':'Ready','status':'True','lastTransitionTime':'2024-01-02T04:00:00Z'}]}}]}";

/* The reply of a listing becomes the status of a pod, and a patch. */
static enum err report(struct arena *arena)
{
    struct group_read read;
    struct eci_status_row row;
    struct pod_status status;
    struct pod_status_past past = {0};
    const struct pod_status_input input = {.past = &past, .now_s = NOW};
    json root = JSON_NONE;
    uint64_t hash = 0;
    enum err err = json_parse(text_of(row_text), arena, &root, NULL);
    if (err != ERR_OK) {
        return err;
    }
    group_read_init(&read, root, arena);
    if (!group_read_status(&read, &row)) {
        return group_read_is_whole(&read) ? ERR_BAD_INPUT : ERR_FULL;
    }
    err = pod_status_of_row(&row, &input, arena, &status);
    err = err == ERR_OK ? pod_status_hash(&status, arena, &hash) : err;
    err = err == ERR_OK ? pod_status_write(&status, &past, S("u-1"), NULL, &said) : err;
    buf_put_fmt(&said, "%llx", (unsigned long long)hash);
    return err;
}

static const struct mutate_node node = {.name = S("virtual-kubelet"),
                                        .taint_key = S("virtual-kubelet.io/provider"),
                                        .taint_value = S("alibabacloud"),
                                        .taint_effect = S("NoSchedule")};
static const char profile_text[] =
    "{'vSwitchIds':'vsw-1,vsw-2','selectors':'[{\\\"name\\\":\\\"a\\\",\\\"objectSelector\\\":"
    "{\\\"matchLabels\\\":{\\\"app\\\":\\\"web\\\"}},\\\"effect\\\":{\\\"annotations\\\":{"
    "\\\"x/y\\\":\\\"z\\\"},\\\"labels\\\":{\\\"l\\\":\\\"1\\\"}}}]'}";

static enum err read_profile(struct arena *arena, struct profile *out)
{
    struct profile_fault fault;
    json root = JSON_NONE;
    enum err err = json_parse(text_of(profile_text), arena, &root, NULL);
    return err == ERR_OK ? profile_read(root, arena, out, &fault, NULL) : err;
}

static enum err profile(struct arena *arena)
{
    static struct profile read;
    enum err err = read_profile(arena, &read);
    if (err == ERR_OK) {
        profile_print(&read, &said);
    }
    return err;
}

/* A review becomes an answer with a patch. */
static enum err admit(struct arena *arena)
{
    static struct profile read;
    static char review_text[CASE_TEXT_BYTES_MAX], patch_memory[MUTATE_PATCH_BYTES];
    struct webhook_review review;
    struct mutate_outcome outcome;
    struct buf patch;
    enum err err = read_profile(arena, &read);
    if (err != ERR_OK) {
        return err;
    }
    str pod = text_of(pod_text);
    int bytes = snprintf(review_text, sizeof review_text,
                         "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
                         "\"request\":{\"uid\":\"u\",\"kind\":{\"group\":\"\",\"version\":\"v1\","
                         "\"kind\":\"Pod\"},\"namespace\":\"web\",\"operation\":\"CREATE\","
                         "\"object\":%.*s}}",
                         STR_ARG(pod));
    err = webhook_read(str_make(review_text, (size_t)bytes), arena, &review);
    if (err != ERR_OK) {
        return err;
    }
    const struct mutate_input input = {.pod = review.pod, .profile = &read, .node = &node};
    buf_init(&patch, patch_memory, sizeof patch_memory);
    err = mutate_pod(&input, arena, &patch, &outcome);
    if (err == ERR_OK) {
        webhook_put_answer(&review, buf_str(&patch), outcome.warnings, outcome.warnings_count,
                           &said);
    }
    return err;
}

static const struct way {
    const char *name;
    enum err (*walk)(struct arena *arena);
    uint64_t takes_min; /* fewer would mean that it ends early */
} ways[] = {
    {"a pod becomes a request", create, 60},
    {"a listing becomes a status", report, 10},
    {"a profile is read", profile, 4},
    {"a review is answered", admit, 10},
};

/* ---- the torture ----------------------------------------------------------------------------- */

/* Whether the take that was to fail has failed: if not, one of these does. */
static bool has_failed(uint64_t countdown)
{
    char memory[64];
    struct arena probe;
    for (uint64_t i = 0; i < countdown; i++) {
        arena_init(&probe, memory, sizeof memory);
        if (arena_take(&probe, 1) == NULL) {
            return false;
        }
    }
    return true;
}

static enum err walk(const struct way *way, uint64_t nth)
{
    struct arena arena;
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    buf_init(&said, said_memory, sizeof said_memory);
    arena_fail_at(nth);
    return way->walk(&arena);
}

static void torture(const struct way *way)
{
    static char right[CASE_TEXT_BYTES_MAX];
    if (walk(way, 0) != ERR_OK || said.bytes == 0) {
        fail_msg("%s: not even when nothing fails", way->name);
    }
    size_t bytes = said.bytes;
    memcpy(right, said.ptr, bytes);
    uint64_t nth = 1;
    for (; nth < TAKES_MAX; nth++) {
        enum err err = walk(way, nth);
        if (!has_failed(nth)) {
            break;
        }
        bool is_right = said.bytes == bytes && memcmp(said.ptr, right, bytes) == 0;
        if (err == ERR_OK ? !is_right : err != ERR_FULL) {
            fail_msg("%s: take %llu fails: %s, and half an answer", way->name,
                     (unsigned long long)nth, err_name(err));
        }
    }
    arena_fail_at(0);
    print_message("%s: %llu takes\n", way->name, (unsigned long long)nth - 1);
    assert_in_range(nth, way->takes_min + 1, TAKES_MAX - 1);
}

static void test_torture_of_every_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        torture(&ways[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_torture_of_every_way)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
