/*
 * app/wire_profile and wire_create: what becomes of pods when effects of the eci-profile depend on
 * the labels of their namespace, and a scripted API server does not list namespaces.
 */
#include "fake_api_world.h"

#include "app/wire_refs.h"
#include "brain_open.h"

static struct wire wire;
static struct config config;
static void *brain_memory;
static bool is_ill; /* namespaces cannot be listed */

/* What a list of ConfigMaps holds. */
static enum { PROFILE_GOOD, PROFILE_TORN, PROFILE_GONE } profile_now;
#define LIST(items) "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[" items "]}"

static const char *const profile_lists[] = {
    [PROFILE_GOOD] = LIST("{\"metadata\":{\"name\":\"eci-profile\",\"resourceVersion\":\"5\"},"
                          "\"data\":{\"selectors\":\"[{\\\"name\\\":\\\"x\\\","
                          "\\\"namespaceSelector\\\":{\\\"matchLabels\\\":{"
                          "\\\"team\\\":\\\"blue\\\"}},\\\"effect\\\":{"
                          "\\\"labels\\\":{\\\"a\\\":\\\"b\\\"}}}]\"}}"),
    [PROFILE_TORN] = LIST("{\"data\":{\"selectors\":tru}}"),
    [PROFILE_GONE] = LIST(""),
};

/* ---- the server's side ----------------------------------------------------------------------- */

static void answer(struct fake_api *api, struct fake_conn *conn, const struct fake_request *request)
{
    (void)api;
    if (fake_has(request, "watch=")) {
        fake_hang(conn);
    } else if (fake_has(request, "/configmaps?")) {
        fake_reply_text(conn, 200, "%s", profile_lists[profile_now]);
    } else if (fake_has(request, "/namespaces?") && is_ill) {
        fake_reply_status(conn, 500, "InternalError", "");
    } else if (fake_has(request, "/namespaces?")) {
        fake_reply_text(conn, 200,
                        "{\"metadata\":{\"resourceVersion\":\"8\"},\"items\":[{\"metadata\":{"
                        "\"name\":\"web\",\"labels\":{\"team\":\"blue\"}}}]}");
    } else {
        fake_reply_text(conn, 201, "{}"); /* events */
    }
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static int start(void **state)
{
    const struct brain_config brain = brain_usual(16, 8);
    struct kube_auth_config auth = {.agent = S("test/1")};
    (void)state;
    memset(&wire, 0, sizeof wire);
    world_start(answer);
    config = (struct config){
        .node_name = S("vk"), .api_connections = 2, .object_bytes_max = 1 << 20, .pods_max = 16};
    wire.config = &config;
    wire.loop = &world.loop;
    wire.arena = &world.arena;
    wire.limits.kube_calls_max = 8;
    wire.limits.event_writes_max = 8;
    brain_memory = brain_open(&wire.brain, &brain, fake_now_ms);
    pool_init(&wire.jobs, &world.region, "jobs", 4, sizeof(struct wire_job));
    cluster_init(&wire, &world.region);
    profile_wire_init(&wire, &world.region);
    auth.kubeconfig = str_of(world.kubeconfig);
    assert_int_equal(kube_auth_load(&wire.auth, &auth), ERR_OK);
    is_ill = false;
    profile_now = PROFILE_GOOD;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    assert_int_equal(wire.jobs.count, 0);
    profile_wire_stop(&wire);
    kube_calls_stop(&wire.calls);
    for (uint32_t i = 0; i < wire.auth.clients_count; i++) {
        http_client_stop(wire.auth.clients[i]);
    }
    world_stop();
    free(brain_memory);
    return 0;
}

/* ---- a pod ----------------------------------------------------------------------------------- */

static json the_pod(void)
{
    json object = JSON_NONE;
    assert_int_equal(json_parse(S("{\"metadata\":{\"name\":\"web-0\",\"namespace\":\"web\","
                                  "\"uid\":\"uid-1\"},\"spec\":{}}"),
                                &world.arena, &object, NULL),
                     ERR_OK);
    return object;
}

/* The brain wants an instance for it, now or later. */
static struct effect wants_create(void)
{
    struct effect effect;
    for (int i = 0; i < 2000; i++) {
        while (brain_next(&wire.brain, wire_now_ms(&wire), &effect)) {
            if (effect.kind == EFFECT_CREATE) {
                return effect;
            }
            if (effect.kind == EFFECT_SWEEP) {
                brain_sweep_done(&wire.brain, ERR_OK, true, 0, effect.started_ms,
                                 wire_now_ms(&wire));
            } else if (effect.kind == EFFECT_DELTA) {
                brain_delta_done(&wire.brain, ERR_OK, effect.started_ms, wire_now_ms(&wire));
            } else if (effect.kind == EFFECT_SAY) {
                brain_say_done(&wire.brain, effect.pod, ERR_OK,
                               &brain_pod(&wire.brain, effect.pod)->past, wire_now_ms(&wire));
            }
        }
        fake_pass(&world.loop, 10);
    }
    fail_msg("no create came");
    return effect;
}

static void bring_pod(void)
{
    const struct pod_news news = {.uid = S("uid-1"),
                                  .name_space = S("web"),
                                  .name = S("web-0"),
                                  .phase = POD_PHASE_PENDING,
                                  .is_described = true};
    brain_list_begin(&wire.brain, fake_now_ms);
    assert_int_equal(brain_pod_seen(&wire.brain, &news, fake_now_ms, NULL), ERR_OK);
    brain_list_end(&wire.brain, true, fake_now_ms);
}

/* It was read, and refers to nothing: it is translated. */
static handle look(void)
{
    struct spec_refs refs = {.count = 0};
    struct effect effect = wants_create();
    struct wire_job *job = wire_job_take(&wire, &effect);
    assert_non_null(job);
    size_t mark = arena_mark(&world.arena);
    refs_done(&wire, job, ERR_OK, the_pod(), &refs);
    arena_rewind(&world.arena, mark);
    return effect.pod;
}

/* What the pod would be translated with; how many labels effects add, when that is known. */
static enum err spec_of_pod(uint32_t *labels)
{
    struct spec_config spec;
    size_t mark = arena_mark(&world.arena);
    enum err err = profile_wire_spec(&wire, the_pod(), &spec);
    *labels = err == ERR_OK ? spec.effect_labels_count : 0;
    arena_rewind(&world.arena, mark);
    return err;
}

static uint32_t count_events(const char *reason, const char *words)
{
    struct brain_event event;
    uint32_t count = 0;
    while (brain_take_event(&wire.brain, &event)) {
        bool is_it = strcmp(event.reason, reason) == 0;
        assert_true(!is_it || strstr(event.message, words) != NULL);
        count += is_it ? 1 : 0;
    }
    return count;
}

/* ---- tests ----------------------------------------------------------------------------------- */

#define REASON "NamespacesUnreadable"
#define WORDS "namespaces cannot be listed: "

static void test_profile_namespaces_that_cannot_be_listed_are_told_to_the_pod(void **state)
{
    uint32_t labels;
    handle pod;
    (void)state;
    is_ill = true;
    profile_wire_start(&wire);
    assert_true(FAKE_UNTIL(&world.loop, 1000, fake_seen(&world.api, "/namespaces?") > 0));
    bring_pod();
    pod = look();
    assert_int_equal(count_events(REASON, ""), 0); /* it may pass by itself */
    assert_int_equal(brain_pod(&wire.brain, pod)->say, SAY_NOTHING);
    fake_pass(&world.loop, PROFILE_PATIENCE_MS + 100);
    for (uint32_t i = 0; i < 4; i++) {
        pod = look();
        const struct pod *it = brain_pod(&wire.brain, pod);
        assert_int_equal(count_events(REASON, WORDS), i == 0 ? 1 : 0); /* once */
        assert_int_equal(it->say, SAY_PENDING);
        assert_string_equal(it->say_reason, REASON);
        assert_non_null(strstr(it->message, WORDS));
        assert_true(it->retry_at_ms > wire_now_ms(&wire) + 250); /* does not spin */
    }
    /* Listed in the end: the pod gets the effects. */
    is_ill = false;
    assert_true(FAKE_UNTIL(&world.loop, 60000, spec_of_pod(&labels) == ERR_OK));
    assert_int_equal(labels, 1);
}

/* Once listed they are known; a watch that breaks later holds nobody up. */
static void test_profile_namespaces_once_listed_are_known(void **state)
{
    uint32_t labels;
    char memory[POD_MESSAGE_BYTES];
    struct buf text;
    (void)state;
    buf_init(&text, memory, sizeof memory);
    profile_wire_start(&wire);
    assert_true(FAKE_UNTIL(&world.loop, 1000, spec_of_pod(&labels) == ERR_OK && labels == 1));
    is_ill = true;
    fake_api_cut_all(&world.api);
    kube_watch_relist(&wire.profile.namespace_watch);
    fake_pass(&world.loop, 3 * PROFILE_PATIENCE_MS);
    assert_true(wire.profile.namespaces_fail_ms != 0);
    assert_int_equal(spec_of_pod(&labels), ERR_OK);
    assert_int_equal(labels, 1);
    assert_false(profile_wire_put_trouble(&wire, &text));
    /* A new list is needed, and has been failing for long: told at once. */
    wire.profile.namespaces_are_known = false;
    assert_int_equal(spec_of_pod(&labels), ERR_BUSY);
    assert_true(profile_wire_put_trouble(&wire, &text));
    is_ill = false;
    assert_true(FAKE_UNTIL(&world.loop, 60000, spec_of_pod(&labels) == ERR_OK));
    assert_int_equal(wire.profile.namespaces_fail_ms, 0);
}

static bool list_again(void)
{
    fake_api_cut_all(&world.api);
    kube_watch_relist(&wire.profile.watch);
    uint64_t lists = wire.profile.watch.lists;
    return FAKE_UNTIL(&world.loop, 60000, wire.profile.watch.lists > lists);
}

/* A profile that cannot even be named keeps the last good one; taken away, it is gone all the same.
 */
static void test_profile_unreadable_and_taken_away(void **state)
{
    (void)state;
    profile_wire_start(&wire);
    assert_true(FAKE_UNTIL(&world.loop, 1000, wire.profile.current->selectors_count == 1));
    profile_now = PROFILE_TORN;
    assert_true(list_again());
    assert_int_equal(wire.profile.watch.unreadable, 1);
    assert_int_equal(wire.profile.current->selectors_count, 1);
    assert_false(wire.profile.current->has_default_selectors);
    profile_now = PROFILE_GONE;
    assert_true(list_again());
    assert_true(wire.profile.current->has_default_selectors ||
                wire.profile.current->selectors_count == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_profile_namespaces_that_cannot_be_listed_are_told_to_the_pod, start, stop),
        cmocka_unit_test_setup_teardown(test_profile_namespaces_once_listed_are_known, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_profile_unreadable_and_taken_away, start, stop),
    };
    return cmocka_run_group_tests_name("wire_profile", tests, NULL, NULL);
}
