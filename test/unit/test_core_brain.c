/*
 * The brain, one fact at a time: what it believes, what it does not, and what it wants next. The
 * simulator (test/sim) plays whole stories; here each rule of caution has its own small scene.
 */
#include "core_scene.h"

static void accept(struct scene *scene, struct effect effect, const char *id)
{
    brain_create_done(&scene->brain, effect.pod, CREATE_ACCEPTED, ERR_OK, str_of(id), STR_NONE,
                      scene->now_ms);
}

/* The details of this group are read, and show it. */
static void read_is_shown(struct scene *scene, const char *id)
{
    struct effect effect = expect(scene, EFFECT_READ_DETAIL);
    assert_int_equal(effect.groups_count, 1);
    assert_string_equal(brain_group(&scene->brain, effect.groups[0])->id, id);
    brain_read_done(&scene->brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene->now_ms);
}

static void read_is_too_big(struct scene *scene)
{
    scene->brain.detail_batch = 1;
    struct effect effect = expect(scene, EFFECT_READ_DETAIL);
    brain_read_done(&scene->brain, &effect, ERR_TOO_BIG, (bool[READ_BATCH_MAX]){false},
                    scene->now_ms);
    pass(scene, 30000);
}

/* ---- creating -------------------------------------------------------------------------------- */

static void test_brain_creates_only_after_both_readings(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    expect_silence(&scene);
    list_nothing(&scene); /* a list that does not show it: it is missing, not creatable */
    pass(&scene, 2000);
    give(&scene, "a", POD_PHASE_PENDING, false);
    expect_silence(&scene);
    pass(&scene, 5000);
    sweep(&scene, nothing);
    struct effect effect = expect(&scene, EFFECT_CREATE);
    accept(&scene, effect, "eci-1");
    expect_silence(&scene);
    scene_close(&scene);
}

static void test_brain_looks_before_it_creates_again(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    struct effect effect = expect(&scene, EFFECT_CREATE);
    brain_create_done(&scene.brain, effect.pod, CREATE_UNKNOWN, ERR_LOST_WRITE, STR_NONE,
                      S("time-out"), scene.now_ms);
    expect_silence(&scene);
    sweep(&scene, nothing); /* one sweep is not enough */
    expect_silence(&scene);
    pass(&scene, 20000);
    sweep(&scene, nothing);
    effect = expect(&scene, EFFECT_CREATE);
    assert_int_equal(brain_pod(&scene.brain, effect.pod)->attempt, 1); /* the same token */
    scene_close(&scene);
}

static void test_brain_adopts_the_group_of_a_lost_reply(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    struct effect effect = expect(&scene, EFFECT_CREATE);
    brain_create_done(&scene.brain, effect.pod, CREATE_UNKNOWN, ERR_LOST_WRITE, STR_NONE,
                      S("time-out"), scene.now_ms);
    const char *const ids[] = {"eci-1", NULL};
    sweep(&scene, ids);
    (void)expect(&scene, EFFECT_READ_DETAIL);
    tag(&scene, "eci-1", "a", 1);
    pass(&scene, 60000);
    assert_false(handle_is_none(brain_find_pod(&scene.brain, S("a"))->group));
    scene_close(&scene);
}

static void test_brain_late_timeout_after_adoption_raises_no_doubt(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    struct effect effect = expect(&scene, EFFECT_CREATE);
    (void)brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, 5, scene.now_ms,
                         scene.now_ms);
    tag(&scene, "eci-1", "a", 1);
    brain_create_done(&scene.brain, effect.pod, CREATE_UNKNOWN, ERR_LOST_WRITE, STR_NONE,
                      S("time-out"), scene.now_ms);
    assert_int_equal(brain_pod(&scene.brain, effect.pod)->doubt_ms, 0);
    scene_close(&scene);
}

static void test_brain_used_token_means_another_attempt(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    struct effect effect = expect(&scene, EFFECT_CREATE);
    brain_create_done(&scene.brain, effect.pod, CREATE_REFUSED, ERR_TOKEN_CLASH, STR_NONE,
                      S("token"), scene.now_ms);
    const struct pod *pod = brain_pod(&scene.brain, effect.pod);
    assert_false(pod->is_refused);
    assert_true(pod->doubt_ms > 0);
    for (int i = 0; i < 4; i++) { /* what is empty may only lack permission: the same token again */
        pass(&scene, 60000);
        sweep(&scene, nothing);
    }
    assert_int_equal(pod->attempt, 1);
    effect = expect(&scene, EFFECT_CREATE);
    brain_create_done(&scene.brain, effect.pod, CREATE_REFUSED, ERR_TOKEN_CLASH, STR_NONE,
                      S("token"), scene.now_ms);
    const char *const others[] = {"eci-other", NULL};
    sweep(&scene, others);
    effect = expect(&scene, EFFECT_READ_DETAIL);
    tag(&scene, "eci-other", "b", 1);
    give(&scene, "b", POD_PHASE_RUNNING, false);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    for (int i = 0; i < 4; i++) { /* a listing that shows others shows all */
        pass(&scene, 60000);
        sweep(&scene, others);
    }
    assert_int_equal(pod->attempt, 2);
    scene_close(&scene);
}

static void test_brain_waiting_for_an_object_is_told_once_and_looked_at_soon(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    struct effect effect = expect(&scene, EFFECT_CREATE);
    uint32_t told = 0;
    (void)count_events(&scene, "");
    for (int look = 0; look < 10; look++) {
        brain_create_waits(&scene.brain, effect.pod, "MandatorySecretNotFound", S("no Secret x"),
                           scene.now_ms);
        told += count_events(&scene, "MandatorySecretNotFound");
        struct pod *pod = brain_pod(&scene.brain, effect.pod);
        assert_int_equal(pod->say, SAY_PENDING);
        assert_string_equal(pod->say_reason, "MandatorySecretNotFound");
        assert_false(pod->is_refused);
        assert_in_range(pod->retry_at_ms, scene.now_ms + 1, scene.now_ms + 10000);
        pod->was_said = true;
        scene.now_ms = pod->retry_at_ms;
        effect = (struct effect){0};
        while (effect.kind != EFFECT_CREATE) { /* polls are due, too */
            assert_true(brain_next(&scene.brain, scene.now_ms, &effect));
        }
    }
    assert_int_equal(told, 1);
    scene_close(&scene);
}

/* A Deployment without its Secret: its pods neither storm the API server nor use up what pods that
 * lack nothing need, and each still looks every two minutes. */
static void test_brain_many_that_wait_look_less_often(void **state)
{
    enum { WAITERS = 1000, MINUTES = 10 };
    (void)state;
    struct scene scene;
    struct effect effect;
    uint32_t looks = 0, looks_of_first = 0;
    scene_open_with(&scene, WAITERS + 8);
    list_nothing(&scene);
    sweep(&scene, nothing);
    for (uint32_t i = 0; i < WAITERS; i++) {
        char uid[16];
        snprintf(uid, sizeof uid, "w%u", i);
        give(&scene, uid, POD_PHASE_PENDING, false);
    }
    handle first = HANDLE_NONE;
    for (msec end_ms = scene.now_ms + MINUTES * 60000; scene.now_ms < end_ms; pass(&scene, 20)) {
        if (end_ms - scene.now_ms == 5 * 60000) {
            looks = looks_of_first = 0; /* the back-off has grown by now */
        }
        while (brain_next(&scene.brain, scene.now_ms, &effect)) {
            if (effect.kind == EFFECT_DELTA) {
                brain_delta_done(&scene.brain, ERR_OK, effect.started_ms, scene.now_ms);
            } else if (effect.kind == EFFECT_SWEEP) {
                brain_sweep_done(&scene.brain, ERR_OK, true, 0, effect.started_ms, scene.now_ms);
            } else if (effect.kind == EFFECT_CREATE) {
                looks++;
                first = first.slot == 0 ? effect.pod : first;
                looks_of_first += handle_eq(first, effect.pod);
                brain_create_waits(&scene.brain, effect.pod, "MandatorySecretNotFound", S("no x"),
                                   scene.now_ms);
            } else if (effect.kind == EFFECT_SAY) {
                struct pod_status_past past = {.phase = POD_PHASE_PENDING};
                brain_say_done(&scene.brain, effect.pod, ERR_OK, &past, scene.now_ms);
            }
        }
    }
    assert_int_equal(scene.brain.waiters, WAITERS);
    assert_in_range(looks / (5 * 60), 10, 30); /* a second, of all together */
    assert_in_range(looks_of_first, 2, 20);
    /* What they all did cost nothing of the budget. */
    give(&scene, "wants-nothing", POD_PHASE_PENDING, false);
    do {
        assert_true(brain_next(&scene.brain, scene.now_ms, &effect));
    } while (effect.kind != EFFECT_CREATE);
    assert_int_equal(bucket_wait_ms(&scene.brain.create_bucket, scene.now_ms, 200), 0);
    /* One that lacks nothing any more is none of them. */
    handle last = first;
    brain_create_waits(&scene.brain, effect.pod, "MandatorySecretNotFound", S("no x"),
                       scene.now_ms);
    assert_int_equal(scene.brain.waiters, WAITERS + 1);
    while (!handle_eq(last, effect.pod)) {
        pass(&scene, 20);
        if (brain_next(&scene.brain, scene.now_ms, &effect) && effect.kind == EFFECT_CREATE &&
            !handle_eq(last, effect.pod)) {
            brain_create_waits(&scene.brain, effect.pod, "MandatorySecretNotFound", S("no x"),
                               scene.now_ms);
        }
    }
    brain_create_done(&scene.brain, last, CREATE_ACCEPTED, ERR_OK, S("eci-1"), STR_NONE,
                      scene.now_ms);
    assert_int_equal(scene.brain.waiters, WAITERS);
    scene_close(&scene);
}

static void test_brain_fail_fast_ends_a_pod_that_cannot_be_created_now(void **state)
{
    static const struct {
        bool fails_fast;
        enum err err;
        enum say_kind say;
    } rows[] = {
        {false, ERR_STOCK, SAY_PENDING},    {true, ERR_STOCK, SAY_FAILED},
        {false, ERR_QUOTA, SAY_PENDING},    {true, ERR_QUOTA, SAY_FAILED},
        {true, ERR_THROTTLED, SAY_PENDING}, {true, ERR_TIMEOUT, SAY_PENDING},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene scene;
        open_running(&scene);
        give(&scene, "a", POD_PHASE_PENDING, false);
        struct effect effect = expect(&scene, EFFECT_CREATE);
        struct pod *pod = brain_pod(&scene.brain, effect.pod);
        pod->is_controlled =
            true; /* its controller makes another one: that is what was asked for */
        brain_pod_policy(&scene.brain, effect.pod, rows[i].fails_fast, rows[i].fails_fast);
        brain_create_done(&scene.brain, effect.pod, CREATE_LATER, rows[i].err, STR_NONE,
                          S("not now"), scene.now_ms);
        assert_int_equal(pod->say, rows[i].say);
        assert_string_equal(pod->say_reason, "ProviderFailed");
        scene_close(&scene);
    }
}

/* ---- how much the node shows ----------------------------------------------------------------- */

static void refuse_create(struct scene *scene, enum err err)
{
    struct effect effect = expect(scene, EFFECT_CREATE);
    brain_create_done(&scene->brain, effect.pod, CREATE_LATER, err, STR_NONE, S("not now"),
                      scene->now_ms);
    brain_pod(&scene->brain, effect.pod)->was_said = true;
}

static void refuse_for_quota(struct scene *scene, const char *uid)
{
    give(scene, uid, POD_PHASE_PENDING, false);
    refuse_create(scene, ERR_QUOTA);
}

static void test_brain_three_pods_refused_for_quota_close_the_node(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    refuse_for_quota(&scene, "a");
    for (int again = 0; again < 5; again++) { /* one pod alone never does */
        pass(&scene, 120000);
        refuse_create(&scene, ERR_QUOTA);
    }
    refuse_for_quota(&scene, "b");
    assert_false(scene.brain.capacity.is_closed);
    refuse_for_quota(&scene, "c");
    assert_true(scene.brain.capacity.is_closed);
    assert_true(brain_wake_ms(&scene.brain, scene.now_ms) <= scene.now_ms + CAPACITY_CLOSED_MS);
    /* Who waits here goes on trying, and its success opens the node. */
    pass(&scene, 60000);
    accept(&scene, expect(&scene, EFFECT_CREATE), "eci-1");
    struct effect effect;
    (void)brain_next(&scene.brain, scene.now_ms, &effect);
    assert_false(scene.brain.capacity.is_closed);
    scene_close(&scene);
}

static void test_brain_other_refusals_close_nothing(void **state)
{
    static const enum err errs[] = {ERR_STOCK, ERR_THROTTLED, ERR_TIMEOUT, ERR_FORBIDDEN};
    (void)state;
    for (size_t i = 0; i < sizeof errs / sizeof errs[0]; i++) {
        struct scene scene;
        open_running(&scene);
        for (int at = 0; at < 4; at++) {
            char uid[2] = {(char)('a' + at), '\0'};
            pass(&scene, 1000);
            give(&scene, uid, POD_PHASE_PENDING, false);
            refuse_create(&scene, errs[i]);
            brain_find_pod(&scene.brain, str_of(uid))->retry_at_ms = INT64_MAX; /* each once */
        }
        assert_int_equal(scene.brain.capacity.changes, 0);
        scene_close(&scene);
    }
}

/* ---- absence --------------------------------------------------------------------------------- */

static void test_brain_empty_sweeps_prove_nothing(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    for (int i = 0; i < 20; i++) {
        pass(&scene, 60000);
        sweep(&scene, nothing);
        expect_silence(&scene);
    }
    assert_non_null(brain_find_group(&scene.brain, S("eci-1")));
    assert_int_equal(brain_find_pod(&scene.brain, S("a"))->say, SAY_NOTHING);
    scene_close(&scene);
}

static void test_brain_missing_group_is_read_by_id_before_the_pod_fails(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    const char *const others[] = {"eci-other", NULL};
    pass(&scene, 60000);
    sweep(&scene, others);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    tag(&scene, "eci-other", "b", 1);
    give(&scene, "b", POD_PHASE_RUNNING, false);
    brain_find_pod(&scene.brain, S("b"))->reported_row = 77;
    pass(&scene, 30000);
    sweep(&scene, others);
    pass(&scene, 30000);
    sweep(&scene, others);
    effect = expect(&scene, EFFECT_READ);
    assert_int_equal(effect.groups_count, 1);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    assert_int_equal(brain_find_pod(&scene.brain, S("a"))->say, SAY_NOTHING);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    assert_null(brain_find_group(&scene.brain, S("eci-1")));
    assert_int_equal(brain_find_pod(&scene.brain, S("a"))->say, SAY_LOST);
    scene_close(&scene);
}

static void test_brain_neither_fails_nor_doubles_a_strangers_pod(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    give(&scene, "old", POD_PHASE_RUNNING, false); /* no note: another virtual kubelet's */
    const char *const ids[] = {"eci-1", NULL};
    for (int i = 0; i < 5; i++) {
        pass(&scene, 60000);
        sweep(&scene, ids);
        expect_silence(&scene);
    }
    const struct pod *pod = brain_find_pod(&scene.brain, S("old"));
    assert_int_equal(pod->say, SAY_NOTHING);
    assert_int_equal(pod->doubt_ms, 0);
    scene_close(&scene);
}

static bool was_told_of(struct scene *scene, const char *reason)
{
    struct brain_event event;
    bool was_told = false;
    while (brain_take_event(&scene->brain, &event)) {
        was_told = was_told || strcmp(event.reason, reason) == 0;
    }
    return was_told;
}

static void test_brain_tells_of_listings_that_stay_empty(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    sweep(&scene, nothing);
    sweep(&scene, nothing);
    assert_false(was_told_of(&scene, "EmptyListing"));
    sweep(&scene, nothing);
    assert_true(was_told_of(&scene, "EmptyListing"));
    scene_close(&scene);
}

/* ---- leaving --------------------------------------------------------------------------------- */

static void test_brain_removes_the_group_before_the_object(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    give(&scene, "a", POD_PHASE_RUNNING, true);
    struct effect effect = expect(&scene, EFFECT_DELETE);
    assert_false(effect.is_forced);
    brain_delete_done(&scene.brain, effect.groups[0], ERR_OK, scene.now_ms);
    pass(&scene, 1000);
    effect = expect(&scene, EFFECT_READ);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    expect_silence(&scene); /* still there */
    pass(&scene, 10000);
    effect = expect(&scene, EFFECT_READ);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    effect = expect(&scene, EFFECT_FINISH);
    brain_finish_done(&scene.brain, effect.pod, ERR_OK, scene.now_ms);
    expect_silence(&scene);
    const struct pod_news late = {.uid = S("a"), /* an event from before, with the note on it */
                                  .name_space = S("web"),
                                  .name = S("a"),
                                  .phase = POD_PHASE_RUNNING,
                                  .is_leaving = true,
                                  .instance_id = S("eci-1"),
                                  .instance_attempt = 1};
    assert_int_equal(brain_pod_seen(&scene.brain, &late, scene.now_ms, NULL), ERR_OK);
    expect_silence(&scene);
    brain_pod_deleted(&scene.brain, S("a"), scene.now_ms);
    expect_silence(&scene);
    assert_int_equal(scene.brain.pods.count, 0);
    assert_int_equal(scene.brain.groups.count, 0);
    scene_close(&scene);
}

/* However long it would have waited before the next try to create: it may go now. */
static void test_brain_leaving_pod_does_not_wait_for_the_next_try(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    pass(&scene, 60000);
    sweep(&scene, nothing); /* nobody before us left anything */
    give(&scene, "a", POD_PHASE_PENDING, false);
    for (int i = 0; i < 6; i++) {
        struct effect effect = expect(&scene, EFFECT_CREATE);
        struct pod *pod = brain_pod(&scene.brain, effect.pod);
        brain_create_done(&scene.brain, effect.pod, CREATE_LATER, ERR_STOCK, STR_NONE, S("no"),
                          scene.now_ms);
        pod->was_said = true;
        scene.now_ms = pod->retry_at_ms;
    }
    struct effect effect = expect(&scene, EFFECT_CREATE);
    brain_create_done(&scene.brain, effect.pod, CREATE_LATER, ERR_STOCK, STR_NONE, S("no"),
                      scene.now_ms);
    assert_true(brain_pod(&scene.brain, effect.pod)->retry_at_ms > scene.now_ms + 10000);
    give(&scene, "a", POD_PHASE_PENDING, true);
    effect = expect(&scene, EFFECT_FINISH);
    brain_finish_done(&scene.brain, effect.pod, ERR_TIMEOUT, scene.now_ms);
    give(&scene, "a", POD_PHASE_PENDING, true); /* no news: it backs off from a write that fails */
    expect_silence(&scene);
    scene_close(&scene);
}

static void test_brain_failed_delete_comes_again(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    give(&scene, "a", POD_PHASE_RUNNING, true);
    struct effect effect = expect(&scene, EFFECT_DELETE);
    brain_delete_done(&scene.brain, effect.groups[0], ERR_LOST_WRITE, scene.now_ms);
    expect_silence(&scene);
    pass(&scene, 5000);
    (void)expect(&scene, EFFECT_DELETE);
    scene_close(&scene);
}

static void test_brain_believes_only_proof_that_an_object_is_gone(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    brain_pod_deleted(&scene.brain, S("a"), scene.now_ms);
    struct effect effect = expect(&scene, EFFECT_PROVE);
    give(&scene, "a", POD_PHASE_RUNNING, false); /* the fresh read shows it */
    brain_prove_done(&scene.brain, effect.pod, ERR_OK, scene.now_ms);
    expect_silence(&scene);
    brain_pod_deleted(&scene.brain, S("a"), scene.now_ms);
    effect = expect(&scene, EFFECT_PROVE);
    brain_prove_done(&scene.brain, effect.pod, ERR_NOT_FOUND, scene.now_ms);
    effect = expect(&scene, EFFECT_DELETE);
    assert_true(effect.is_forced);
    scene_close(&scene);
}

/* 409 on the final delete: perhaps another UID, perhaps only a busy server. A read decides. */
static void test_brain_conflict_on_finish_is_no_proof(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    pass(&scene, 61000); /* before, it might have a group of an earlier process */
    give(&scene, "a", POD_PHASE_PENDING, true);
    struct effect effect = expect(&scene, EFFECT_FINISH);
    brain_finish_done(&scene.brain, effect.pod, ERR_CONFLICT, scene.now_ms);
    pass(&scene, 5000);
    effect = expect(&scene, EFFECT_PROVE);
    give(&scene, "a", POD_PHASE_PENDING, true); /* the fresh read shows it */
    brain_prove_done(&scene.brain, effect.pod, ERR_OK, scene.now_ms);
    pass(&scene, 5000);
    effect = expect(&scene, EFFECT_FINISH);
    brain_finish_done(&scene.brain, effect.pod, ERR_CONFLICT, scene.now_ms);
    pass(&scene, 10000);
    effect = expect(&scene, EFFECT_PROVE);
    brain_prove_done(&scene.brain, effect.pod, ERR_NOT_FOUND, scene.now_ms);
    expect_silence(&scene);
    assert_int_equal(brain_pod(&scene.brain, effect.pod)->object, OBJECT_GONE);
    scene_close(&scene);
}

/* ---- orphans --------------------------------------------------------------------------------- */

static void prove_all_gone(struct scene *scene, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct effect effect = expect(scene, EFFECT_PROVE);
        brain_prove_done(&scene->brain, effect.pod, ERR_NOT_FOUND, scene->now_ms);
    }
}

static void open_with_orphans(struct scene *scene, const char *const *ids, uint32_t count)
{
    scene_open(scene);
    list_nothing(scene);
    sweep(scene, ids);
    struct effect effect = expect(scene, EFFECT_READ_DETAIL);
    assert_int_equal(effect.groups_count, count);
    for (uint32_t i = 0; i < count; i++) {
        tag(scene, ids[i], ids[i], 1);
    }
    bool found[READ_BATCH_MAX];
    memset(found, true, sizeof found);
    brain_read_done(&scene->brain, &effect, ERR_OK, found, scene->now_ms);
}

static void test_brain_removes_orphans_that_are_proven(void **state)
{
    (void)state;
    struct scene scene;
    const char *const ids[] = {"eci-1", "eci-2", NULL};
    open_with_orphans(&scene, ids, 2);
    for (int i = 0; i < 2; i++) { /* a proof, its delete; then the next */
        prove_all_gone(&scene, 1);
        (void)expect(&scene, EFFECT_DELETE);
    }
    scene_close(&scene);
}

static void test_brain_look_counts_what_the_scheduler_does_not_see(void **state)
{
    static const char *const ids[] = {"eci-1", "eci-2", NULL};
    (void)state;
    struct scene scene;
    struct capacity_look look;
    scene_open(&scene);
    assert_false(brain_look(&scene.brain, &look)); /* nothing was read yet */
    scene_close(&scene);
    open_with_orphans(&scene, ids, 2);
    assert_true(brain_look(&scene.brain, &look));
    assert_int_equal(look.strays, 2);
    assert_int_equal(look.requests_milli, 0);
    const struct pod_news news = {.uid = S("u"),
                                  .name_space = S("web"),
                                  .name = S("u"),
                                  .phase = POD_PHASE_PENDING,
                                  .request_milli = 1500};
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    (void)brain_look(&scene.brain, &look);
    assert_int_equal(look.requests_milli, 0); /* it has no instance yet */
    (void)brain_row_seen(&scene.brain, S("eci-9"), ECI_STATUS_RUNNING, 1, scene.now_ms,
                         scene.now_ms);
    tag(&scene, "eci-9", "u", 1);
    (void)brain_look(&scene.brain, &look);
    assert_int_equal(look.requests_milli, 1500);
    assert_int_equal(look.strays, 2);
    brain_find_pod(&scene.brain, S("u"))->phase = POD_PHASE_SUCCEEDED;
    (void)brain_look(&scene.brain, &look);
    assert_int_equal(look.requests_milli, 0); /* the scheduler has let it go */
    scene_close(&scene);
}

static void test_brain_brake_holds_when_too_many_are_orphans(void **state)
{
    (void)state;
    struct scene scene;
    const char *const ids[] = {"eci-1", "eci-2", "eci-3", "eci-4", NULL};
    open_with_orphans(&scene, ids, 4); /* more than max(2, 20 % of 4) */
    prove_all_gone(&scene, 4);
    expect_silence(&scene);
    assert_true(scene.brain.brake_is_on);
    struct brain_event event;
    bool was_told = false;
    while (brain_take_event(&scene.brain, &event)) {
        was_told = was_told || strcmp(event.reason, "OrphanBrake") == 0;
    }
    assert_true(was_told);
    scene_close(&scene);
}

static void test_brain_leaves_foreign_groups_alone(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    list_nothing(&scene);
    const char *const ids[] = {"eci-1", NULL};
    sweep(&scene, ids);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    const struct tag_facts tags = {.uid = S("x"), .name_space = S("y"), .name = S("z")};
    brain_tags_seen(&scene.brain, brain_find_group(&scene.brain, S("eci-1")), &tags, scene.now_ms);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    expect_silence(&scene);
    assert_int_equal(scene.brain.pods.count, 0);
    scene_close(&scene);
}

static void test_brain_removes_the_twin_not_the_first(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    (void)brain_row_seen(&scene.brain, S("eci-2"), ECI_STATUS_RUNNING, 9, scene.now_ms,
                         scene.now_ms);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    tag_made(&scene, "eci-2", "a", 1, 500);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    effect = expect(&scene, EFFECT_READ_DETAIL); /* ours: only the cloud knows when it was made */
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    tag_made(&scene, "eci-1", "a", 1, 400);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    effect = expect(&scene, EFFECT_DELETE);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-2");
    assert_int_equal(scene.brain.counters.twins, 1);
    scene_close(&scene);
}

/* The simulator found it with two gateways: each took its own for the first, and both were removed.
 */
static void open_with_twin(struct scene *scene)
{
    open_with_group(scene);
    (void)brain_row_seen(&scene->brain, S("eci-2"), ECI_STATUS_RUNNING, 9, scene->now_ms,
                         scene->now_ms);
    struct effect effect = expect(scene, EFFECT_READ_DETAIL);
    tag_made(scene, "eci-2", "a", 1, 300);
    brain_read_done(&scene->brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene->now_ms);
    effect = expect(scene, EFFECT_READ_DETAIL);
    tag_made(scene, "eci-1", "a", 1, 400);
    brain_read_done(&scene->brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene->now_ms);
}

static void test_brain_gives_way_to_an_older_twin(void **state)
{
    (void)state;
    struct scene scene;
    open_with_twin(&scene);
    struct effect effect = expect(&scene, EFFECT_DELETE);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    scene_close(&scene);
}

/* eci-1 and its date are known; later eci-2 is found, as it runs. */
static void open_with_later_twin(struct scene *scene)
{
    open_with_group(scene);
    brain_find_pod(&scene->brain, S("a"))->reported_row = 77;
    brain_find_group(&scene->brain, S("eci-1"))->created_unix_s = 400;
    pass(scene, 1000);
    (void)brain_row_seen(&scene->brain, S("eci-2"), ECI_STATUS_RUNNING, 77, scene->now_ms,
                         scene->now_ms);
    struct effect effect = expect(scene, EFFECT_READ_DETAIL);
    tag_made(scene, "eci-2", "a", 1, 500);
    brain_read_done(&scene->brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene->now_ms);
    expect_silence(scene); /* what is known of eci-1 is older than eci-2 */
}

/* Nothing of either changes any more: the extra one is removed all the same. */
static void test_brain_removes_a_twin_of_which_there_is_no_more_news(void **state)
{
    (void)state;
    struct scene scene;
    open_with_later_twin(&scene);
    const char *const ids[] = {"eci-1", "eci-2", NULL};
    pass(&scene, 1000);
    sweep(&scene, ids);
    read_is_shown(&scene, "eci-1");
    struct effect effect = expect(&scene, EFFECT_DELETE);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-2");
    scene_close(&scene);
}

/* The first is deleted by hand, but listed for some seconds more: the second is what the pod has.
 */
static void test_brain_removes_a_twin_only_beside_one_that_is_there(void **state)
{
    (void)state;
    struct scene scene;
    open_with_later_twin(&scene);
    const char *const both[] = {"eci-1", "eci-2", NULL};
    pass(&scene, 5000);
    sweep(&scene, both);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    assert_int_equal(effect.groups_count, 1);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    brain_read_done(&scene.brain, &effect, ERR_TIMEOUT, (bool[READ_BATCH_MAX]){false},
                    scene.now_ms);
    expect_silence(&scene); /* nobody knows */
    pass(&scene, 10000);
    effect = expect(&scene, EFFECT_READ_DETAIL);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    expect_silence(&scene); /* it is not there: eci-2 stays */
    const char *const second[] = {"eci-2", NULL};
    for (int i = 0; i < 3; i++) {
        pass(&scene, 30000);
        sweep(&scene, second);
    }
    effect = expect(&scene, EFFECT_READ);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-2");
    scene_close(&scene);
}

/* Its details may say that it goes before listings do: then it is no twin to rely on. */
static void test_brain_keeps_the_twin_of_one_whose_details_say_that_it_goes(void **state)
{
    (void)state;
    struct scene scene;
    open_with_later_twin(&scene);
    const char *const both[] = {"eci-1", "eci-2", NULL};
    pass(&scene, 5000);
    sweep(&scene, both);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    struct group *first = brain_group(&scene.brain, effect.groups[0]);
    brain_detail_seen(&scene.brain, first, ECI_STATUS_TERMINATING, scene.now_ms);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-2");
    for (int i = 0; i < 3; i++) {
        pass(&scene, 30000);
        sweep(&scene, both); /* a listing that is behind changes nothing */
    }
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-2");
    effect = expect(&scene, EFFECT_DELETE); /* of what goes anyway */
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    scene_close(&scene);
}

/* One proof for one delete: a delete that failed comes again after another look. */
static void test_brain_looks_at_the_first_before_each_delete_of_the_twin(void **state)
{
    (void)state;
    struct scene scene;
    open_with_later_twin(&scene);
    const char *const both[] = {"eci-1", "eci-2", NULL};
    pass(&scene, 5000);
    sweep(&scene, both);
    for (int i = 0; i < 3; i++) {
        read_is_shown(&scene, "eci-1");
        struct effect effect = expect(&scene, EFFECT_DELETE);
        assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-2");
        brain_delete_done(&scene.brain, effect.groups[0], ERR_BUSY, scene.now_ms);
        pass(&scene, 60000);
    }
    give(&scene, "a", POD_PHASE_RUNNING, true); /* when it leaves, both go */
    (void)expect(&scene, EFFECT_DELETE);
    (void)expect(&scene, EFFECT_DELETE);
    scene_close(&scene);
}

/* Whoever saw the first go made the second: the newest of both decides who counts. */
static void test_brain_keeps_the_twin_of_one_that_goes(void **state)
{
    (void)state;
    struct scene scene;
    open_with_later_twin(&scene);
    pass(&scene, 1000);
    (void)brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_TERMINATING, 78, scene.now_ms,
                         scene.now_ms);
    (void)brain_row_seen(&scene.brain, S("eci-2"), ECI_STATUS_RUNNING, 79, scene.now_ms,
                         scene.now_ms);
    struct effect effect = expect(&scene, EFFECT_DELETE);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-2");
    scene_close(&scene);
}

static void test_brain_leaving_pod_waits_for_its_twin_too(void **state)
{
    (void)state;
    struct scene scene;
    open_with_twin(&scene); /* eci-2 counts, eci-1 is the extra one */
    give(&scene, "a", POD_PHASE_RUNNING, true);
    for (int i = 0; i < 2; i++) {
        struct effect effect = expect(&scene, EFFECT_DELETE);
        brain_delete_done(&scene.brain, effect.groups[0], ERR_OK, scene.now_ms);
    }
    pass(&scene, 1000);
    struct effect effect = expect(&scene, EFFECT_READ);
    assert_int_equal(effect.groups_count, 2);
    bool found[READ_BATCH_MAX] = {true, true};
    handle counts = brain_find_pod(&scene.brain, S("a"))->group;
    found[handle_eq(effect.groups[0], counts) ? 0 : 1] = false;
    brain_read_done(&scene.brain, &effect, ERR_OK, found, scene.now_ms);
    assert_null(brain_find_group(&scene.brain, S("eci-2")));
    expect_silence(&scene); /* eci-1 is still there */
    pass(&scene, 10000);
    effect = expect(&scene, EFFECT_READ);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    (void)expect(&scene, EFFECT_FINISH);
    scene_close(&scene);
}

/* The one that counted is gone, but a twin that somebody made lives: the pod is not lost. */
static void test_brain_goes_on_with_the_twin_that_is_left(void **state)
{
    (void)state;
    struct scene scene;
    open_with_twin(&scene);
    brain_find_pod(&scene.brain, S("a"))->reported_row = 9;
    struct effect effect = expect(&scene, EFFECT_DELETE);
    brain_delete_done(&scene.brain, effect.groups[0], ERR_BUSY, scene.now_ms);
    pass(&scene, 5000);
    effect = expect(&scene, EFFECT_READ_DETAIL); /* before the next try; it was deleted by hand */
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-2");
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    const char *const ids[] = {"eci-1", NULL};
    for (int i = 0; i < 3; i++) {
        pass(&scene, 30000);
        sweep(&scene, ids);
    }
    effect = expect(&scene, EFFECT_READ);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-2");
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-1");
    assert_int_equal(pod->say, SAY_NOTHING);
    scene_close(&scene);
}

/* A gateway that was behind made one of an earlier attempt, and showed it as running; the one of
 * the later attempt has gone. */
static void test_brain_goes_on_with_an_earlier_attempt_that_lives(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    const struct pod_news news = {.uid = S("a"),
                                  .name_space = S("web"),
                                  .name = S("a"),
                                  .phase = POD_PHASE_RUNNING,
                                  .is_described = true,
                                  .instance_id = S("eci-4"),
                                  .instance_attempt = 4};
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    (void)brain_row_seen(&scene.brain, S("eci-3"), ECI_STATUS_RUNNING, 77, scene.now_ms,
                         scene.now_ms);
    effect = expect(&scene, EFFECT_READ_DETAIL);
    tag(&scene, "eci-3", "a", 3);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    const char *const ids[] = {"eci-3", NULL};
    for (int i = 0; i < 3; i++) {
        pass(&scene, 30000);
        sweep(&scene, ids);
    }
    effect = expect(&scene, EFFECT_READ);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-4");
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-3");
    assert_int_equal(pod->say, SAY_NOTHING);
    scene_close(&scene);
}

static void test_brain_asks_for_fewer_details_when_a_reply_is_too_big(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    list_nothing(&scene);
    const char *const ids[] = {"eci-1", "eci-2", "eci-3", "eci-4", NULL};
    sweep(&scene, ids);
    for (int tries = 0; tries < 4; tries++) { /* 20, 10, 5, 2; then 1 */
        struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
        brain_read_done(&scene.brain, &effect, ERR_TOO_BIG, (bool[READ_BATCH_MAX]){false},
                        scene.now_ms);
        assert_non_null(brain_find_group(&scene.brain, S("eci-1"))); /* nothing was proven */
        pass(&scene, 10000);
    }
    assert_int_equal(scene.brain.detail_batch, 1);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    assert_int_equal(effect.groups_count, 1);
    assert_int_equal(scene.brain.sweeps_digested, 0);
    for (int i = 0; i < 4; i++) { /* even alone: given up, so that the rest goes on */
        brain_read_done(&scene.brain, &effect, ERR_TOO_BIG, (bool[READ_BATCH_MAX]){false},
                        scene.now_ms);
        pass(&scene, 10000);
        if (i < 3) {
            effect = expect(&scene, EFFECT_READ_DETAIL);
        }
    }
    assert_int_equal(scene.brain.sweeps_digested, 1);
    scene_close(&scene);
}

/* ---- the cloud away, the pool full ----------------------------------------------------------- */

static void test_brain_waits_while_the_cloud_is_away(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    for (int i = 0; i < 3; i++) {
        brain_cloud_answered(&scene.brain, ERR_TIMEOUT, S("no route"), scene.now_ms);
    }
    assert_false(scene.brain.cloud.is_reachable);
    give(&scene, "b", POD_PHASE_PENDING, false);
    struct effect effect = expect(&scene, EFFECT_SAY); /* Pending, with the reason */
    assert_int_equal(brain_pod(&scene.brain, effect.pod)->say, SAY_PENDING);
    struct pod_status_past past = {.phase = POD_PHASE_PENDING, .hash = 3};
    brain_say_done(&scene.brain, effect.pod, ERR_OK, &past, scene.now_ms);
    pass(&scene, 3000);
    expect_silence(&scene);
    assert_int_equal(brain_find_pod(&scene.brain, S("a"))->phase, POD_PHASE_RUNNING);
    brain_cloud_answered(&scene.brain, ERR_OK, STR_NONE, scene.now_ms);
    assert_true(scene.brain.sweep_at_ms <= scene.now_ms); /* read first, then create */
    const char *const ids[] = {"eci-1", NULL};
    sweep(&scene, ids);
    (void)expect(&scene, EFFECT_CREATE);
    scene_close(&scene);
}

/* Wrong keys, say: the cloud was never read, and still the pod says why it waits. */
static void test_brain_explains_waiting_for_a_cloud_that_never_answered(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    list_nothing(&scene);
    brain_cloud_answered(&scene.brain, ERR_AUTH, S("403 InvalidAccessKeyId"), scene.now_ms);
    give(&scene, "a", POD_PHASE_PENDING, false);
    struct effect effect = expect(&scene, EFFECT_SAY);
    assert_non_null(strstr(brain_pod(&scene.brain, effect.pod)->message, "InvalidAccessKeyId"));
    assert_true(was_told_of(&scene, "ECIUnreachable"));
    scene_close(&scene);
}

static void test_brain_probes_within_five_seconds(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    for (int i = 0; i < 30; i++) {
        brain_cloud_answered(&scene.brain, ERR_REFUSED_CONN, STR_NONE, scene.now_ms);
        assert_true(scene.brain.cloud.retry_at_ms - scene.now_ms <= 5000);
        pass(&scene, 5000);
    }
    scene_close(&scene);
}

static void test_brain_full_pool_refuses_and_asks_again(void **state)
{
    (void)state;
    struct scene scene;
    scene_open_with(&scene, 2);
    list_nothing(&scene);
    sweep(&scene, nothing);
    give(&scene, "a", POD_PHASE_SUCCEEDED, false);
    give(&scene, "b", POD_PHASE_SUCCEEDED, false);
    const struct pod_news news = {.uid = S("c"), .name_space = S("web"), .name = S("c")};
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_FULL);
    brain_pod_deleted(&scene.brain, S("a"), scene.now_ms);
    struct effect effect = expect(&scene, EFFECT_PROVE);
    brain_prove_done(&scene.brain, effect.pod, ERR_NOT_FOUND, scene.now_ms);
    expect_silence(&scene);
    pass(&scene, 31000);
    (void)expect(&scene, EFFECT_RELIST);
    scene_close(&scene);
}

static void test_brain_refuses_texts_that_do_not_fit(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    char name[400];
    memset(name, 'x', sizeof name);
    const struct pod_news news = {
        .uid = S("a"), .name_space = S("web"), .name = str_make(name, sizeof name)};
    assert_int_equal(brain_pod_seen(&scene.brain, &news, 1000, NULL), ERR_TOO_BIG);
    assert_int_equal(scene.brain.pods.count, 0);
    scene_close(&scene);
}

static void test_brain_unreadable_objects_are_not_missing(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    brain_list_begin(&scene.brain, scene.now_ms);
    brain_pod_unreadable(&scene.brain, S("a"));
    brain_list_end(&scene.brain, true, scene.now_ms);
    expect_silence(&scene);
    brain_list_begin(&scene.brain, scene.now_ms); /* something nameless was in it: it may be a */
    brain_list_end(&scene.brain, false, scene.now_ms);
    expect_silence(&scene);
    brain_list_begin(&scene.brain, scene.now_ms);
    brain_list_end(&scene.brain, true, scene.now_ms);
    pass(&scene, 2000);
    (void)expect(&scene, EFFECT_PROVE);
    scene_close(&scene);
}

/* A pod without init containers that now runs: one look at the details, together with others, and
 * one note. */
static handle undescribed(struct scene *scene, const char *uid, const char *id)
{
    const struct pod_news news = {.uid = str_of(uid), .name_space = S("web"), .name = str_of(uid)};
    handle pod = HANDLE_NONE;
    assert_int_equal(brain_pod_seen(&scene->brain, &news, scene->now_ms, &pod), ERR_OK);
    accept(scene, expect(scene, EFFECT_CREATE), id);
    return pod;
}

static void runs(struct scene *scene, const char *id)
{
    const struct pod_status_past past = {.phase = POD_PHASE_RUNNING, .hash = 4711};
    struct group *group = brain_row_seen(&scene->brain, str_of(id), ECI_STATUS_RUNNING, 78,
                                         scene->now_ms, scene->now_ms);
    assert_false(brain_wants_report(&scene->brain, group, 0, true)); /* its phase comes first */
    assert_true(brain_wants_report(&scene->brain, group, 78, false));
    assert_true(brain_report(&scene->brain, group, 4711, false, false, scene->now_ms));
    brain_patch_done(&scene->brain, group->pod, ERR_OK, &past, 78, false, scene->now_ms);
}

static void test_brain_describes_instances_once_and_together(void **state)
{
    (void)state;
    struct scene scene;
    const bool found[] = {true, true};
    open_running(&scene);
    handle pods[] = {undescribed(&scene, "a", "eci-1"), undescribed(&scene, "b", "eci-2")};
    runs(&scene, "eci-1");
    pass(&scene, 100);
    runs(&scene, "eci-2");
    expect_silence(&scene);
    pass(&scene, 5000);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    assert_int_equal(effect.groups_count, 2);
    for (int i = 0; i < 2; i++) {
        struct group *group = brain_group(&scene.brain, effect.groups[i]);
        const struct pod_status_past past = {.phase = POD_PHASE_RUNNING, .hash = 4711};
        assert_true(brain_wants_report(&scene.brain, group, 0, true));
        assert_true(brain_report(&scene.brain, group, 0, true, true, scene.now_ms));
        /* The first try of the first is lost. */
        brain_patch_done(&scene.brain, group->pod, i == 0 ? ERR_SERVER : ERR_OK, &past, 78, true,
                         scene.now_ms);
    }
    brain_read_done(&scene.brain, &effect, ERR_OK, found, scene.now_ms);
    pass(&scene, 20000);
    struct effect again = expect(&scene, EFFECT_READ_DETAIL);
    assert_int_equal(again.groups_count, 1);
    struct group *group = brain_group(&scene.brain, again.groups[0]);
    const struct pod_status_past past = {.phase = POD_PHASE_RUNNING, .hash = 4711};
    assert_true(brain_report(&scene.brain, group, 0, true, true, scene.now_ms));
    brain_patch_done(&scene.brain, group->pod, ERR_OK, &past, 78, true, scene.now_ms);
    brain_read_done(&scene.brain, &again, ERR_OK, found, scene.now_ms);
    pass(&scene, 3600000);
    expect_silence(&scene);
    for (int i = 0; i < 2; i++) {
        assert_true(brain_pod(&scene.brain, pods[i])->is_described);
        assert_int_equal(brain_pod(&scene.brain, pods[i])->phase, POD_PHASE_RUNNING);
    }
    scene_close(&scene);
}

/* Nothing is looked up for a pod that was described before a restart, or that ends at once. */
static void test_brain_describes_only_what_runs_undescribed(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    handle pod = undescribed(&scene, "a", "eci-1");
    runs(&scene, "eci-1");
    struct group *group = brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_SUCCEEDED, 79,
                                         scene.now_ms, scene.now_ms);
    const struct pod_status_past past = {.phase = POD_PHASE_SUCCEEDED, .hash = 4712};
    assert_true(brain_report(&scene.brain, group, 4712, false, false, scene.now_ms));
    brain_patch_done(&scene.brain, pod, ERR_OK, &past, 79, false, scene.now_ms);
    pass(&scene, 60000);
    expect_silence(&scene);
    scene_close(&scene);
}

static void test_brain_describes_no_instance_whose_details_are_too_big(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    (void)undescribed(&scene, "a", "eci-1");
    runs(&scene, "eci-1");
    pass(&scene, 10000);
    read_is_too_big(&scene);
    assert_int_equal(count_events(&scene, "GroupUnreadable"), 1);
    expect_silence(&scene);
    scene_close(&scene);
}

static void test_brain_tells_warnings_once(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    handle pod = brain_find_group(&scene.brain, S("eci-1"))->pod;
    assert_true(brain_warnings_are_new(&scene.brain, pod, 5));
    assert_false(brain_warnings_are_new(&scene.brain, pod, 5));
    assert_true(brain_warnings_are_new(&scene.brain, pod, 7)); /* others */
    assert_false(brain_warnings_are_new(&scene.brain, pod, 7));
    assert_false(brain_warnings_are_new(&scene.brain, HANDLE_NONE, 9));
    scene_close(&scene);
}

/* ---- reporting ------------------------------------------------------------------------------- */

static void test_brain_reports_a_change_once(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    struct group *group = brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, 78,
                                         scene.now_ms, scene.now_ms);
    assert_true(brain_wants_report(&scene.brain, group, 78, false));
    assert_true(brain_report(&scene.brain, group, 4711, false, false, scene.now_ms));
    assert_false(brain_wants_report(&scene.brain, group, 78, false)); /* under way */
    handle pod = group->pod;
    struct pod_status_past past = {.phase = POD_PHASE_RUNNING, .hash = 4711};
    brain_patch_done(&scene.brain, pod, ERR_OK, &past, 78, false, scene.now_ms);
    assert_false(brain_wants_report(&scene.brain, group, 78, false));
    expect_silence(&scene);
    scene_close(&scene);
}

static void test_brain_writes_again_what_others_overwrote(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    brain_status_overwritten(&scene.brain, S("a"));
    (void)expect(&scene, EFFECT_READ);
    brain_status_overwritten(&scene.brain, S("nobody"));
    scene_close(&scene);
}

static void test_brain_failed_report_is_read_again(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    struct group *group = brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, 78,
                                         scene.now_ms, scene.now_ms);
    assert_true(brain_report(&scene.brain, group, 4711, false, false, scene.now_ms));
    brain_patch_done(&scene.brain, group->pod, ERR_SERVER, NULL, 78, false, scene.now_ms);
    expect_silence(&scene);
    pass(&scene, 3000);
    (void)expect(&scene, EFFECT_READ);
    scene_close(&scene);
}

/* Writes conflict, and the reads after them fail: no rule holds for long, and yet nothing comes of
 * it. */
static void test_brain_tells_of_a_status_that_is_refused_again_and_again(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    uint64_t row = 100;
    const struct pod_status_past past = {.phase = POD_PHASE_RUNNING, .hash = 4711};
    for (int i = 0; i < 2; i++) { /* a conflict and a failed read, twice */
        assert_int_equal(count_events(&scene, "StatusNotWritten"), 0);
        struct group *group = brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, ++row,
                                             scene.now_ms, scene.now_ms);
        assert_true(brain_report(&scene.brain, group, 4711, false, false, scene.now_ms));
        brain_patch_done(&scene.brain, group->pod, ERR_CONFLICT, &past, row, false, scene.now_ms);
        pass(&scene, 61000);
        struct effect effect = expect(&scene, EFFECT_PROVE);
        brain_prove_done(&scene.brain, effect.pod, ERR_SERVER, scene.now_ms);
        pass(&scene, 31000);
        effect = expect(&scene, EFFECT_PROVE);
        give(&scene, "a", POD_PHASE_RUNNING, false);
        brain_prove_done(&scene.brain, effect.pod, ERR_OK, scene.now_ms);
    }
    assert_int_equal(count_events(&scene, "StatusNotWritten"), 1);
    scene_close(&scene);
}

static void test_brain_daemonset_pods_wait_with_advice(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    const struct pod_news news = {.uid = S("d"),
                                  .name_space = S("web"),
                                  .name = S("d"),
                                  .phase = POD_PHASE_PENDING,
                                  .is_daemon = true};
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    struct effect effect = expect(&scene, EFFECT_SAY);
    const struct pod *pod = brain_pod(&scene.brain, effect.pod);
    assert_int_equal(pod->say, SAY_PENDING);
    assert_non_null(strstr(pod->message, "nodeAffinity"));
    struct pod_status_past past = {.phase = POD_PHASE_PENDING, .hash = 3};
    brain_say_done(&scene.brain, effect.pod, ERR_OK, &past, scene.now_ms);
    pass(&scene, 3600000);
    expect_silence(&scene);
    scene_close(&scene);
}

/* ---- what a reviewer's simulator found ------------------------------------------------------- */

static void test_brain_reports_no_row_of_an_older_reading(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    pass(&scene, 1000);
    (void)brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, 79, scene.now_ms,
                         scene.now_ms);
    struct group *group = brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_PENDING, 78,
                                         scene.now_ms - 500, scene.now_ms);
    assert_false(brain_wants_report(&scene.brain, group, 78, false));
    assert_true(brain_wants_report(&scene.brain, group, 79, false));
    scene_close(&scene);
}

static void test_brain_conflict_makes_no_ended_pod_run_again(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    const char *const others[] = {"eci-other", NULL};
    pass(&scene, 60000);
    sweep(&scene, others);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    tag(&scene, "eci-other", "b", 1);
    give(&scene, "b", POD_PHASE_RUNNING, false);
    brain_find_pod(&scene.brain, S("b"))->reported_row = 77;
    for (int i = 0; i < 2; i++) {
        pass(&scene, 30000);
        sweep(&scene, others);
    }
    effect = expect(&scene, EFFECT_READ);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    effect = expect(&scene, EFFECT_PROVE); /* or is it leaving, and we have not heard of it? */
    give(&scene, "a", POD_PHASE_RUNNING, false);
    brain_prove_done(&scene.brain, effect.pod, ERR_OK, scene.now_ms);
    effect = expect(&scene, EFFECT_SAY); /* lost */
    brain_say_done(&scene.brain, effect.pod, ERR_CONFLICT, NULL, scene.now_ms);
    pass(&scene, 2000);
    effect = expect(&scene, EFFECT_PROVE);
    give(&scene, "a", POD_PHASE_RUNNING, false);
    brain_prove_done(&scene.brain, effect.pod, ERR_OK, scene.now_ms);
    effect = expect(&scene, EFFECT_SAY); /* again, and nothing is created */
    brain_say_done(&scene.brain, effect.pod, ERR_INVALID, NULL, scene.now_ms);
    pass(&scene, 120000);
    (void)expect(&scene, EFFECT_SAY);
    scene_close(&scene);
}

static void test_brain_leaving_pod_waits_until_its_group_would_show(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    struct effect effect = expect(&scene, EFFECT_CREATE);
    brain_create_done(&scene.brain, effect.pod, CREATE_UNKNOWN, ERR_LOST_WRITE, STR_NONE,
                      S("time-out"), scene.now_ms);
    give(&scene, "a", POD_PHASE_PENDING, true);
    msec until_ms = scene.now_ms + 60000;
    for (int i = 0; i < 4; i++) {
        sweep(&scene, nothing);
        if (scene.now_ms < until_ms) {
            expect_silence(&scene);
        }
        pass(&scene, 15000);
    }
    pass(&scene, 60000);
    sweep(&scene, nothing);
    sweep(&scene, nothing);
    (void)expect(&scene, EFFECT_FINISH);
    scene_close(&scene);
}

static void test_brain_leaving_pod_of_an_earlier_life_waits_too(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    brain_list_begin(&scene.brain, scene.now_ms);
    give(&scene, "a", POD_PHASE_PENDING, true);
    brain_list_end(&scene.brain, true, scene.now_ms);
    sweep(&scene, nothing); /* a group of the process before us may not be listed yet */
    expect_silence(&scene);
    pass(&scene, 60000);
    for (int i = 0; i < 3; i++) {
        sweep(&scene, nothing);
        expect_silence(&scene); /* so few sweeps may have left out the same row */
    }
    sweep(&scene, nothing);
    (void)expect(&scene, EFFECT_FINISH);
    scene_close(&scene);
}

static void test_brain_full_pool_still_removes_orphans(void **state)
{
    (void)state;
    struct scene scene;
    scene_open_with(&scene, 1);
    give(&scene, "a", POD_PHASE_SUCCEEDED, false);
    brain_list_begin(&scene.brain, scene.now_ms);
    give(&scene, "a", POD_PHASE_SUCCEEDED, false);
    brain_list_end(&scene.brain, true, scene.now_ms);
    const char *const ids[] = {"eci-1", NULL};
    sweep(&scene, ids);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    tag(&scene, "eci-1", "orphan", 1);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    prove_all_gone(&scene, 1);
    (void)expect(&scene, EFFECT_DELETE);
    scene_close(&scene);
}

static void give_noted(struct scene *scene, const char *uid, const char *id, bool is_leaving)
{
    const struct pod_news news = {.uid = str_of(uid),
                                  .name_space = S("web"),
                                  .name = str_of(uid),
                                  .phase = POD_PHASE_PENDING,
                                  .is_leaving = is_leaving,
                                  .instance_id = str_of(id),
                                  .instance_attempt = 1};
    assert_int_equal(brain_pod_seen(&scene->brain, &news, scene->now_ms, NULL), ERR_OK);
}

static void test_brain_deletes_no_group_on_the_word_of_a_note(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_noted(&scene, "a", "eci-victim", true);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    tag(&scene, "eci-victim", "victim", 1); /* the tags know better */
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    effect = expect(&scene, EFFECT_FINISH);
    assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, "a");
    effect = expect(&scene, EFFECT_PROVE);
    assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, "victim");
    scene_close(&scene);
}

static void test_brain_deletes_by_a_note_that_is_confirmed_or_about_nothing(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_noted(&scene, "a", "eci-1", true);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    tag(&scene, "eci-1", "a", 1);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    (void)expect(&scene, EFFECT_DELETE);
    give_noted(&scene, "b", "eci-2", true);
    effect = expect(&scene, EFFECT_READ_DETAIL);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    pass(&scene, 2000);
    expect_silence(&scene); /* that read may have been behind */
    sweep(&scene, nothing);
    (void)expect(&scene, EFFECT_DELETE);
    scene_close(&scene);
}

/* The process before wrote its last status; a list that is behind does not show it yet. */
static void test_brain_believes_a_note_that_comes_with_the_news_that_it_runs(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    scene.brain.polls_are_on = false;
    give(&scene, "a", POD_PHASE_PENDING, false);
    struct pod_news news = {.uid = S("a"),
                            .name_space = S("web"),
                            .name = S("a"),
                            .phase = POD_PHASE_RUNNING,
                            .instance_id = S("eci-1"),
                            .instance_attempt = 1};
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    scene.brain.polls_are_on = true;
    const char *const other[] = {"eci-9", NULL}; /* eci-1 was deleted by hand */
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    for (int i = 0; i < 3; i++) {
        pass(&scene, 30000);
        sweep(&scene, other);
        if (i == 0) {
            effect = expect(&scene, EFFECT_READ_DETAIL);
            tag(&scene, "eci-9", "b", 1);
            brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true},
                            scene.now_ms);
        }
    }
    effect = expect(&scene, EFFECT_PROVE); /* of b, whose group was found */
    brain_prove_done(&scene.brain, effect.pod, ERR_TIMEOUT, scene.now_ms);
    effect = expect(&scene, EFFECT_READ);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_int_equal(pod->say, SAY_LOST);
    /* The note still stands on the object; it was looked into. */
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    assert_null(brain_find_group(&scene.brain, S("eci-1")));
    scene_close(&scene);
}

/* Details that are too big are too big for ever: they are not asked for again and again. */
static void test_brain_gives_up_on_details_of_a_noted_group_that_are_too_big(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_noted(&scene, "a", "eci-1", true);
    read_is_too_big(&scene);
    assert_int_equal(count_events(&scene, "GroupUnreadable"), 1);
    expect_silence(&scene); /* a note alone deletes nothing */
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_string_equal(brain_pod_why(pod), "leaving; its container group is removed first");
    const char *const other[] = {"eci-9", NULL}; /* somebody removed it by hand, as was told */
    for (int i = 0; i < 3; i++) {
        pass(&scene, 30000);
        sweep(&scene, other);
        if (i == 0) {
            read_is_too_big(&scene);
        }
    }
    struct effect effect = expect(&scene, EFFECT_READ);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    (void)expect(&scene, EFFECT_FINISH);
    scene_close(&scene);
}

static void test_brain_dates_no_twin_whose_details_are_too_big(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    (void)brain_row_seen(&scene.brain, S("eci-2"), ECI_STATUS_RUNNING, 9, scene.now_ms,
                         scene.now_ms);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    tag_made(&scene, "eci-2", "a", 1, 300);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    read_is_too_big(&scene); /* eci-1 */
    assert_int_equal(count_events(&scene, "GroupUnreadable"), 1);
    read_is_shown(&scene, "eci-2");
    effect = expect(&scene, EFFECT_DELETE);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    scene_close(&scene);
}

static void test_brain_backs_off_from_a_status_that_cannot_be_written(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    struct group *group = brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, 78,
                                         scene.now_ms, scene.now_ms);
    uint32_t reads = 0;
    for (msec until_ms = scene.now_ms + 600000; scene.now_ms < until_ms; pass(&scene, 500)) {
        struct effect effect;
        if (brain_wants_report(&scene.brain, group, 78, false)) {
            brain_report_failed(&scene.brain, group, ERR_FULL, scene.now_ms);
        }
        while (brain_next(&scene.brain, scene.now_ms, &effect)) {
            if (effect.kind == EFFECT_READ) {
                reads++;
                brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true},
                                scene.now_ms);
                brain_report_failed(&scene.brain, group, ERR_FULL, scene.now_ms);
            } else if (effect.kind == EFFECT_DELTA) {
                brain_delta_done(&scene.brain, ERR_OK, effect.started_ms, scene.now_ms);
            } else {
                assert_int_equal(effect.kind, EFFECT_SWEEP);
                brain_sweep_done(&scene.brain, ERR_TIMEOUT, false, 0, effect.started_ms,
                                 scene.now_ms);
            }
        }
    }
    assert_true(reads < 60);
    scene_close(&scene);
}

static void test_brain_create_reply_with_another_pods_group_is_a_doubt(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    give(&scene, "b", POD_PHASE_PENDING, false);
    accept(&scene, expect(&scene, EFFECT_CREATE), "eci-1");
    assert_true(brain_find_pod(&scene.brain, S("b"))->doubt_ms > 0);
    expect_silence(&scene);
    scene_close(&scene);
}

static void test_brain_brake_does_not_count_pods_seen_leaving(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    char ids[6][GROUP_ID_BYTES];
    for (int i = 0; i < 6; i++) {
        const char uid[2] = {(char)('a' + i), '\0'};
        (void)snprintf(ids[i], sizeof ids[i], "eci-%d", i);
        give(&scene, uid, POD_PHASE_PENDING, false);
        accept(&scene, expect(&scene, EFFECT_CREATE), ids[i]);
    }
    for (int i = 0; i < 6; i++) {
        const char uid[2] = {(char)('a' + i), '\0'};
        give(&scene, uid, POD_PHASE_PENDING, true);
    }
    list_nothing(&scene); /* the watch was cut, and meanwhile they were deleted by force */
    struct effect effect;
    uint32_t proofs = 0, deletes = 0;
    while (brain_next(&scene.brain, scene.now_ms, &effect)) {
        deletes += effect.kind == EFFECT_DELETE ? 1 : 0;
        if (effect.kind == EFFECT_PROVE) {
            proofs++;
            brain_prove_done(&scene.brain, effect.pod, ERR_NOT_FOUND, scene.now_ms);
        }
    }
    assert_false(scene.brain.brake_is_on);
    assert_int_equal(proofs, 6);
    assert_int_equal(deletes, 6);
    scene_close(&scene);
}

/* Something about it is still to be told, but the cloud does not show it any more: that is not
 * asked every few seconds for ever (the simulator found it with init containers, seed 253). */
static void test_brain_looks_no_further_at_what_the_cloud_does_not_show(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    pass(&scene, 2000);
    pod->reported_row = 0;
    give(&scene, "a", POD_PHASE_RUNNING, false);
    struct effect effect = expect(&scene, EFFECT_READ);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    for (int i = 0; i < 10; i++) {
        pass(&scene, 60000);
        expect_silence(&scene);
    }
    (void)brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, 77, scene.now_ms,
                         scene.now_ms);
    (void)expect(&scene, EFFECT_READ); /* it is back, so is the interest in it */
    scene_close(&scene);
}

/* An init container that fails ends the pod, often between two looks at the init containers: they
 * are shown all the same, and then the pod is left alone. */
static void test_brain_shows_init_containers_of_a_pod_that_has_ended(void **state)
{
    (void)state;
    struct scene scene;
    bool found[READ_BATCH_MAX] = {true};
    struct pod_status_past past = {.phase = POD_PHASE_FAILED};
    open_with_group(&scene);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    struct group *group = brain_find_group(&scene.brain, S("eci-1"));
    handle h = group->pod;
    pod->has_init = true;
    (void)brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_FAILED, 99, scene.now_ms,
                         scene.now_ms);
    past.phase = pod->phase = POD_PHASE_FAILED; /* was written */
    pod->past = past;
    pod->reported_row = 99;
    pass(&scene, 2000);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    assert_true(brain_wants_report(&scene.brain, group, 0, true));
    assert_true(brain_report(&scene.brain, group, 5, true, true, scene.now_ms));
    brain_read_done(&scene.brain, &effect, ERR_OK, found, scene.now_ms);
    expect_silence(&scene); /* the status is being written */
    past.init_hash = 5;
    brain_patch_done(&scene.brain, h, ERR_OK, &past, 0, true, scene.now_ms);
    pass(&scene, 5000);
    effect = expect(&scene, EFFECT_READ_DETAIL); /* as for pods that run: it has stayed so */
    assert_false(brain_report(&scene.brain, group, 5, true, true, scene.now_ms));
    brain_read_done(&scene.brain, &effect, ERR_OK, found, scene.now_ms);
    pass(&scene, 600000);
    expect_silence(&scene);
    assert_int_equal(pod->phase, POD_PHASE_FAILED);
    scene_close(&scene);
}

/* Of a process that runs for long: pod a was to be created, no reply came, and a sweep shows
 * nothing. */
static void open_in_doubt(struct scene *scene)
{
    open_running(scene);
    pass(scene, 61000);
    sweep(scene, nothing);
    give(scene, "a", POD_PHASE_PENDING, false);
    struct effect effect = expect(scene, EFFECT_CREATE);
    brain_create_done(&scene->brain, effect.pod, CREATE_UNKNOWN, ERR_LOST_WRITE, STR_NONE,
                      S("time-out"), scene->now_ms);
    sweep(scene, nothing);
}

/* Settled after absence_ms for creating again, which has its token; going for good waits longer. */
static void test_brain_leaving_soon_after_a_settled_doubt_waits(void **state)
{
    (void)state;
    struct scene scene;
    open_in_doubt(&scene);
    pass(&scene, 20000);
    sweep(&scene, nothing);
    assert_int_equal(brain_find_pod(&scene.brain, S("a"))->doubt_ms, 0);
    give(&scene, "a", POD_PHASE_PENDING, true);
    expect_silence(&scene);
    pass(&scene, 60000);
    for (int i = 0; i < 4; i++) {
        sweep(&scene, nothing);
    }
    (void)expect(&scene, EFFECT_FINISH);
    scene_close(&scene);
}

/* Sweeps from before a late create could land settled the doubt for creating again; the only one
 * since has left out the row of what it made. When the pod leaves, that one is not enough. */
static void test_brain_leaving_after_a_doubt_counts_only_late_sweeps(void **state)
{
    (void)state;
    struct scene scene;
    open_in_doubt(&scene);
    pass(&scene, 10000);
    sweep(&scene, nothing);
    pass(&scene, 60000);
    sweep(&scene, nothing);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_int_equal(pod->doubt_ms, 0);
    struct effect effect = expect(&scene, EFFECT_CREATE);
    brain_create_done(&scene.brain, effect.pod, CREATE_LATER, ERR_THROTTLED, STR_NONE,
                      S("throttled"), scene.now_ms);
    give(&scene, "a", POD_PHASE_PENDING, true);
    assert_true(pod->doubt_ms != 0);
    for (int i = 0; i < 3; i++) {
        expect_silence(&scene);
        sweep(&scene, nothing);
    }
    (void)expect(&scene, EFFECT_FINISH);
    scene_close(&scene);
}

/* A pod that leaves while in doubt: what did not show a group so early will not be counted. */
static void test_brain_early_sweeps_do_not_finish_a_leaving_pod(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    pass(&scene, 61000);
    sweep(&scene, nothing);
    give(&scene, "a", POD_PHASE_PENDING, false);
    struct effect effect = expect(&scene, EFFECT_CREATE);
    brain_create_done(&scene.brain, effect.pod, CREATE_UNKNOWN, ERR_LOST_WRITE, STR_NONE,
                      S("time-out"), scene.now_ms);
    give(&scene, "a", POD_PHASE_PENDING, true);
    for (int i = 0; i < 3; i++) {
        sweep(&scene, nothing);
    }
    pass(&scene, 60000);
    for (int i = 0; i < 4; i++) {
        expect_silence(&scene);
        sweep(&scene, nothing);
    }
    (void)expect(&scene, EFFECT_FINISH);
    scene_close(&scene);
}

/* A list from a server that is behind: what is seen soon after it may be older than we are. */
static void test_brain_first_minute_pods_may_have_groups_of_an_earlier_process(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    pass(&scene, 3000);
    give(&scene, "a", POD_PHASE_PENDING, true);
    expect_silence(&scene);
    scene_close(&scene);
}

/* What counts is when the listing was asked for, not when we came to read it: a process that slept
 * in between has learnt nothing. */
static void test_brain_first_minute_is_of_readings_not_of_sleep(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    brain_list_begin(&scene.brain, scene.now_ms);
    give(&scene, "a", POD_PHASE_PENDING, false);
    brain_list_end(&scene.brain, true, scene.now_ms);
    struct effect effect = expect(&scene, EFFECT_SWEEP);
    pass(&scene, 460000);
    brain_sweep_done(&scene.brain, ERR_OK, true, 0, effect.started_ms, scene.now_ms);
    give(&scene, "a", POD_PHASE_PENDING, true);
    expect_silence(&scene);
    for (int i = 0; i < 4; i++) {
        pass(&scene, 60000);
        sweep(&scene, nothing);
    }
    (void)expect(&scene, EFFECT_FINISH);
    scene_close(&scene);
}

static void test_brain_pod_that_others_call_running_has_a_group_somewhere(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    pass(&scene, 61000);
    sweep(&scene, nothing);
    give(&scene, "a", POD_PHASE_PENDING, false);
    (void)expect(&scene, EFFECT_CREATE); /* no reply yet */
    give(&scene, "a", POD_PHASE_RUNNING, false);
    assert_true(brain_find_pod(&scene.brain, S("a"))->doubt_ms > 0);
    scene_close(&scene);
}

static void test_brain_follows_the_note_of_a_later_attempt(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    const struct pod_news news = {.uid = S("a"),
                                  .name_space = S("web"),
                                  .name = S("a"),
                                  .phase = POD_PHASE_RUNNING,
                                  .instance_id = S("eci-7"),
                                  .instance_attempt = 2};
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL); /* its tags must confirm it */
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-7");
    tag(&scene, "eci-7", "a", 2);
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-7");
    scene_close(&scene);
}

/* The note on the pod is of an attempt that came to nothing here: it settles no doubt about the one
 * after it. (The simulator found it: the pod was finished, and then its instance appeared.) */
static void test_brain_keeps_its_doubt_over_the_note_of_an_earlier_attempt(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    pod->attempt = 2;
    pod->lost_attempt = 1;
    accept(&scene, expect(&scene, EFFECT_CREATE), "eci-2");
    struct group *group = brain_row_seen(&scene.brain, S("eci-2"), ECI_STATUS_SCHEDULE_FAILED, 5,
                                         scene.now_ms, scene.now_ms);
    assert_true(brain_report(&scene.brain, group, 4711, false, false, scene.now_ms));
    struct pod_status_past past = {.phase = POD_PHASE_PENDING, .hash = 4711};
    brain_patch_done(&scene.brain, group->pod, ERR_OK, &past, 5, false, scene.now_ms);
    struct effect effect = expect(&scene, EFFECT_DELETE);
    brain_delete_done(&scene.brain, effect.groups[0], ERR_OK, scene.now_ms);
    scene.now_ms = group->retry_at_ms;
    effect = expect(&scene, EFFECT_READ);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    pass(&scene, 5000);
    effect = expect(&scene, EFFECT_CREATE);
    assert_int_equal(pod->attempt, 3);
    brain_create_done(&scene.brain, effect.pod, CREATE_UNKNOWN, ERR_LOST_WRITE, STR_NONE,
                      S("time-out"), scene.now_ms);
    const struct pod_news news = {.uid = S("a"),
                                  .name_space = S("web"),
                                  .name = S("a"),
                                  .phase = POD_PHASE_PENDING,
                                  .is_leaving = true,
                                  .instance_id = S("eci-2"),
                                  .instance_attempt = 2};
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    assert_true(pod->doubt_ms != 0);
    assert_null(brain_find_group(&scene.brain, S("eci-2")));
    pass(&scene, 1000);
    expect_silence(&scene);
    scene_close(&scene);
}

static void test_brain_group_of_an_earlier_attempt_leaves_the_doubt(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    pod->attempt = 3;
    struct effect effect = expect(&scene, EFFECT_CREATE);
    (void)brain_row_seen(&scene.brain, S("eci-2"), ECI_STATUS_RUNNING, 5, scene.now_ms,
                         scene.now_ms);
    tag(&scene, "eci-2", "a", 2);
    brain_create_done(&scene.brain, effect.pod, CREATE_UNKNOWN, ERR_LOST_WRITE, STR_NONE,
                      S("time-out"), scene.now_ms);
    assert_true(pod->doubt_ms != 0);
    give(&scene, "a", POD_PHASE_RUNNING, false);
    const char *const ids[] = {"eci-2", NULL};
    brain_find_pod(&scene.brain, S("a"))->reported_row = 77;
    for (int i = 0; i < 4; i++) {
        pass(&scene, 30000);
        sweep(&scene, ids);
    }
    assert_int_equal(pod->doubt_ms, 0);
    assert_int_equal(count_events(&scene, "InstanceUnknown"), 0); /* it has one */
    scene_close(&scene);
}

/* The fresh read before "lost" is said shows that another gateway went on. */
static void test_brain_does_not_call_lost_what_has_a_later_group(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    pod->say = SAY_LOST; /* as when its group was found gone */
    pod->say_reason = "NotFound";
    const struct pod_news news = {.uid = S("a"),
                                  .name_space = S("web"),
                                  .name = S("a"),
                                  .phase = POD_PHASE_RUNNING,
                                  .instance_id = S("eci-7"),
                                  .instance_attempt = 2};
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    assert_int_equal(pod->say, SAY_NOTHING);
    (void)expect(&scene, EFFECT_READ_DETAIL);
    scene_close(&scene);
}

/* Whoever saw the same group end goes on to the same attempt, and so to the same token. */
static void test_brain_counts_attempts_from_the_group(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    accept(&scene, expect(&scene, EFFECT_CREATE), "eci-1");
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    pod->attempt = 3; /* meanwhile another one failed */
    struct group *group = brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_SCHEDULE_FAILED, 5,
                                         scene.now_ms, scene.now_ms);
    assert_true(brain_report(&scene.brain, group, 4711, false, false, scene.now_ms));
    struct pod_status_past past = {.phase = POD_PHASE_PENDING, .hash = 4711};
    brain_patch_done(&scene.brain, group->pod, ERR_OK, &past, 5, false, scene.now_ms);
    assert_int_equal(pod->attempt, 3);
    assert_true(group->is_extra);
    scene_close(&scene);
}

static void test_brain_says_no_pending_over_a_status_that_may_have_landed(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    pod->phase = POD_PHASE_PENDING;
    struct group *group = brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, 78,
                                         scene.now_ms, scene.now_ms);
    assert_true(brain_report(&scene.brain, group, 4711, false, false, scene.now_ms));
    struct pod_status_past past = {.phase = POD_PHASE_RUNNING, .hash = 4711};
    brain_patch_done(&scene.brain, group->pod, ERR_LOST_WRITE, &past, 78, false, scene.now_ms);
    assert_int_equal(pod->phase, POD_PHASE_RUNNING);
    pod->say = SAY_PENDING; /* from before it had a group */
    pod->was_said = false;
    pass(&scene, 20000);
    struct effect effect =
        expect(&scene, EFFECT_READ); /* the status again, and no word of waiting */
    assert_int_equal(effect.groups_count, 1);
    scene_close(&scene);
}

static void test_brain_believes_the_newer_of_two_readings(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene);
    give(&scene, "a", POD_PHASE_RUNNING, true);
    struct effect effect = expect(&scene, EFFECT_DELETE);
    brain_delete_done(&scene.brain, effect.groups[0], ERR_OK, scene.now_ms);
    pass(&scene, 1000);
    effect = expect(&scene, EFFECT_READ);
    pass(&scene, 500); /* a listing that began later shows it; then the reply of the read comes */
    (void)brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_TERMINATING, 79, scene.now_ms,
                         scene.now_ms);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    assert_non_null(brain_find_group(&scene.brain, S("eci-1")));
    scene_close(&scene);
}

/* ---- explained ------------------------------------------------------------------------------- */

static void test_brain_tells_of_a_wait_that_lasts(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    list_nothing(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    give(&scene, "r", POD_PHASE_RUNNING, false);
    give(&scene, "l", POD_PHASE_PENDING, true);
    expect_silence(&scene); /* its sweep fails: nothing is known of the cloud */
    pass(&scene, 59000);
    expect_silence(&scene);
    assert_int_equal(count_events(&scene, "Waiting"), 0);
    pass(&scene, 1000);
    (void)expect(&scene, EFFECT_SAY);
    assert_int_equal(count_events(&scene, "Waiting"), 3);
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_string_equal(pod->say_reason, "Waiting");
    assert_non_null(strstr(pod->message, "waiting for the first complete readings"));
    assert_int_equal(brain_find_pod(&scene.brain, S("r"))->say, SAY_NOTHING); /* it runs */
    assert_int_equal(brain_find_pod(&scene.brain, S("l"))->say, SAY_NOTHING);
    brain_say_done(&scene.brain, pool_handle_of(&scene.brain.pods, pod), ERR_OK, &pod->past,
                   scene.now_ms);
    for (int i = 0; i < 5; i++) {
        pass(&scene, 100000);
        expect_silence(&scene);
    }
    assert_int_equal(count_events(&scene, "Waiting"), 0); /* once */
    scene_close(&scene);
}

static void test_brain_tells_of_a_group_that_the_cloud_says_nothing_of(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    accept(&scene, expect(&scene, EFFECT_CREATE), "eci-1");
    expect_silence(&scene);
    (void)count_events(&scene, "Waiting");
    pass(&scene, 60000);
    expect_silence(&scene);
    assert_int_equal(count_events(&scene, "Waiting"), 1);
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_non_null(strstr(brain_pod_why(pod), "has not told its state"));
    assert_int_equal(pod->say, SAY_NOTHING); /* the status is the cloud's to tell */
    scene_close(&scene);
}

static void test_brain_writes_an_end_again_that_an_older_status_hides(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_FAILED, false);
    expect_silence(&scene);
    give(&scene, "a", POD_PHASE_RUNNING, false); /* of a gateway that slept */
    struct effect effect = expect(&scene, EFFECT_SAY);
    struct pod *pod = brain_pod(&scene.brain, effect.pod);
    assert_int_equal(pod->phase, POD_PHASE_FAILED);
    assert_int_equal(pod->say, SAY_FAILED);
    struct pod_status_past past = {.phase = POD_PHASE_FAILED};
    brain_say_done(&scene.brain, effect.pod, ERR_TIMEOUT, &past, scene.now_ms);
    pass(&scene, 60000);
    effect = expect(&scene, EFFECT_SAY); /* not written: again */
    brain_say_done(&scene.brain, effect.pod, ERR_OK, &past, scene.now_ms);
    expect_silence(&scene);
    give(&scene, "a", POD_PHASE_FAILED, false);
    expect_silence(&scene);
    scene_close(&scene);
}

/* The older status may come while the end is being written again. */
static void test_brain_repeats_an_end_that_was_hidden_meanwhile(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_FAILED, false);
    expect_silence(&scene);
    give(&scene, "a", POD_PHASE_RUNNING, false);
    struct effect effect = expect(&scene, EFFECT_SAY);
    struct pod_status_past past = {.phase = POD_PHASE_FAILED};
    give(&scene, "a", POD_PHASE_FAILED, false);  /* it landed ... */
    give(&scene, "a", POD_PHASE_RUNNING, false); /* ... and was written over, before its reply */
    brain_say_done(&scene.brain, effect.pod, ERR_OK, &past, scene.now_ms);
    effect = expect(&scene, EFFECT_SAY);
    brain_say_done(&scene.brain, effect.pod, ERR_OK, &past, scene.now_ms);
    expect_silence(&scene);
    scene_close(&scene);
}

/* ---- while another gateway acts -------------------------------------------------------------- */

static void note_is_seen(struct scene *scene, const char *uid, enum pod_phase phase, const char *id,
                         uint32_t attempt)
{
    const struct pod_status_past past = {.phase = phase, .pod_ips = {"10.0.0.7"}};
    const struct pod_news news = {.uid = str_of(uid),
                                  .name_space = S("web"),
                                  .name = str_of(uid),
                                  .phase = phase,
                                  .has_init = true,
                                  .past = &past,
                                  .instance_id = str_of(id),
                                  .instance_attempt = attempt};
    assert_int_equal(brain_pod_seen(&scene->brain, &news, scene->now_ms, NULL), ERR_OK);
}

static void give_running_noted(struct scene *scene, const char *uid, const char *id)
{
    note_is_seen(scene, uid, POD_PHASE_RUNNING, id, 1);
}

/* Details were asked for; the tags of this group say that it is that pod's. */
static void answer_tags(struct scene *scene, const char *id, const char *uid, uint32_t attempt)
{
    const struct effect effect = expect(scene, EFFECT_READ_DETAIL);
    tag(scene, id, uid, attempt);
    brain_read_done(&scene->brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene->now_ms);
}

/* ... or the cloud does not know it. */
static void answer_not_found(struct scene *scene)
{
    const struct effect effect = expect(scene, EFFECT_READ_DETAIL);
    brain_read_done(&scene->brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene->now_ms);
}

static void expect_rest(struct scene *scene)
{
    struct effect none;
    for (int i = 0; i < 10; i++) {
        pass(scene, 60000);
        assert_false(brain_next(&scene->brain, scene->now_ms, &none));
    }
    assert_int_equal(brain_wake_ms(&scene->brain, scene->now_ms), INT64_MAX);
}

static void open_only_looking(struct scene *scene)
{
    scene_open(scene);
    scene->brain.polls_are_on = false; /* the scene had begun to act */
    brain_only_look(&scene->brain);
    list_nothing(scene);
    give(scene, "a", POD_PHASE_PENDING, false);
    give_running_noted(scene, "a", "eci-1");
}

static void test_brain_that_only_looks_reads_tags_and_nothing_else(void **state)
{
    (void)state;
    struct scene scene;
    open_only_looking(&scene);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    assert_true(brain_group(&scene.brain, effect.groups[0])->is_noted);
    brain_read_done(&scene.brain, &effect, ERR_TIMEOUT, (bool[READ_BATCH_MAX]){false},
                    scene.now_ms);
    brain_cloud_answered(&scene.brain, ERR_AUTH, STR_NONE, scene.now_ms);
    pass(&scene, 61000);
    effect = expect(&scene, EFFECT_READ_DETAIL); /* also of a cloud that did not answer */
    tag(&scene, "eci-1", "a", 1);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    struct group *group = brain_find_group(&scene.brain, S("eci-1"));
    assert_false(group->is_noted);
    assert_false(brain_wants_report(&scene.brain, group, 0, true));
    assert_string_equal(brain_find_pod(&scene.brain, S("a"))->past.pod_ips[0], "10.0.0.7");
    give(&scene, "b", POD_PHASE_PENDING, false); /* wants a group */
    give(&scene, "c", POD_PHASE_RUNNING, true);  /* wants to be finished */
    expect_rest(&scene);                         /* its init containers are not looked at */
    struct brain_event event;
    assert_false(brain_take_event(&scene.brain, &event));
    brain_pod_deleted(&scene.brain, S("a"), scene.now_ms);
    struct effect none;
    assert_false(brain_next(&scene.brain, scene.now_ms, &none));
    assert_null(brain_find_pod(&scene.brain, S("a")));
    assert_null(brain_find_group(&scene.brain, S("eci-1")));
    scene_close(&scene);
}

/* Who acts may go on to another group, or another one may count: what the note says now is known,
 * and nothing else is kept. */
static void test_brain_that_only_looks_follows_the_note(void **state)
{
    (void)state;
    struct scene scene;
    open_only_looking(&scene);
    answer_tags(&scene, "eci-1", "a", 1);
    note_is_seen(&scene, "a", POD_PHASE_RUNNING, "eci-2", 2);
    answer_tags(&scene, "eci-2", "a", 2);
    note_is_seen(&scene, "a", POD_PHASE_RUNNING, "eci-3", 2); /* the twin of that one */
    answer_tags(&scene, "eci-3", "a", 2);
    expect_rest(&scene);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-3");
    assert_int_equal(scene.brain.groups.count, 1);
    scene_close(&scene);
}

/* Whoever may write annotations may name what he likes: that is not kept either. */
static void test_brain_that_only_looks_keeps_no_refuted_note(void **state)
{
    (void)state;
    struct scene scene;
    open_only_looking(&scene);
    answer_tags(&scene, "eci-1", "elsewhere", 1);
    expect_rest(&scene);
    assert_true(handle_is_none(brain_find_pod(&scene.brain, S("a"))->group));
    assert_int_equal(scene.brain.groups.count, 0);
    note_is_seen(&scene, "b", POD_PHASE_RUNNING, "eci-7", 2);
    answer_tags(&scene, "eci-7", "b", 2);
    give_running_noted(&scene, "a", "eci-8"); /* a former one of the other pod */
    answer_tags(&scene, "eci-8", "b", 1);
    expect_rest(&scene);
    assert_int_equal(scene.brain.groups.count, 1);
    assert_non_null(brain_find_group(&scene.brain, S("eci-7")));
    scene_close(&scene);
}

/* The cloud may be behind: a note is asked about again, but not for ever, and stays a note. */
static void test_brain_that_only_looks_asks_again_for_what_is_not_found(void **state)
{
    (void)state;
    struct scene scene;
    open_only_looking(&scene);
    answer_not_found(&scene);
    assert_true(brain_find_group(&scene.brain, S("eci-1"))->is_noted);
    pass(&scene, 61000);
    answer_not_found(&scene);
    pass(&scene, 61000);
    answer_tags(&scene, "eci-1", "a", 1);
    const struct group *group = brain_find_group(&scene.brain, S("eci-1"));
    assert_false(group->is_noted || group->is_hidden);
    note_is_seen(&scene, "b", POD_PHASE_SUCCEEDED, "eci-9", 1); /* kept for an hour or so there */
    answer_not_found(&scene);
    expect_rest(&scene);
    assert_true(brain_find_group(&scene.brain, S("eci-9"))->is_noted);
    scene_close(&scene);
}

/* Who acts tells of what cannot be read. */
static void test_brain_that_only_looks_tells_of_nothing_unreadable(void **state)
{
    (void)state;
    struct scene scene;
    open_only_looking(&scene);
    scene.brain.detail_batch = 1;
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    brain_read_done(&scene.brain, &effect, ERR_TOO_BIG, (bool[READ_BATCH_MAX]){false},
                    scene.now_ms);
    expect_rest(&scene);
    struct brain_event event;
    assert_false(brain_take_event(&scene.brain, &event));
    assert_true(brain_find_group(&scene.brain, S("eci-1"))->is_noted);
    scene_close(&scene);
}

/* The list may come from a server that is behind, and to act may begin long after it: a pod that is
 * seen in between may have a group of the process before. */
static void test_brain_doubts_what_comes_before_it_may_act(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    scene.brain.polls_are_on = false; /* the scene had begun to act */
    pass(&scene, 600000);             /* it waits for its turn */
    list_nothing(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    brain_start(&scene.brain, scene.now_ms);
    sweep(&scene, nothing);
    assert_true(brain_find_pod(&scene.brain, S("a"))->is_older);
    scene_close(&scene);
}

/* What was seen while another one acted is not acted upon: all is read first, like after a start.
 */
static void test_brain_begins_to_act_like_one_that_starts(void **state)
{
    (void)state;
    struct scene scene;
    open_only_looking(&scene);
    give(&scene, "b", POD_PHASE_PENDING, false);
    struct effect late = expect(&scene, EFFECT_READ_DETAIL);
    brain_begin_anew(&scene.brain);
    brain_start(&scene.brain, scene.now_ms);
    assert_int_equal(scene.brain.pods.count + scene.brain.groups.count, 0);
    brain_read_done(&scene.brain, &late, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    const char *const ids[] = {"eci-1", NULL};
    sweep(&scene, ids);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    tag(&scene, "eci-1", "a", 1);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    give(&scene, "b", POD_PHASE_PENDING, false);
    expect_silence(&scene); /* the pods are not listed yet */
    brain_list_begin(&scene.brain, scene.now_ms);
    give(&scene, "b", POD_PHASE_PENDING, false);
    give_running_noted(&scene, "a", "eci-1");
    brain_list_end(&scene.brain, true, scene.now_ms);
    effect = expect(&scene, EFFECT_READ); /* the status of a, which may have changed */
    brain_read_done(&scene.brain, &effect, ERR_TIMEOUT, (bool[READ_BATCH_MAX]){false},
                    scene.now_ms);
    effect = expect(&scene, EFFECT_CREATE);
    assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, "b");
    scene_close(&scene);
}

static void test_brain_has_a_sentence_for_each_rule(void **state)
{
    (void)state;
    assert_true(brain_pod_rules_count() > 20 && brain_group_rules_count() > 20);
    for (uint8_t i = 0; i < brain_pod_rules_count(); i++) {
        const struct pod pod = {.rule = i};
        assert_true(strlen(brain_pod_why(&pod)) > 10);
        assert_true(strlen(brain_pod_why(&pod)) < POD_MESSAGE_BYTES);
        for (uint8_t other = 0; other < i; other++) {
            const struct pod before = {.rule = other};
            assert_string_not_equal(brain_pod_why(&pod), brain_pod_why(&before));
        }
    }
    for (uint8_t i = 0; i < brain_group_rules_count(); i++) {
        const struct group group = {.rule = i};
        assert_true(strlen(brain_group_why(&group)) > 10 || i + 1 == brain_group_rules_count());
        for (uint8_t other = 0; other < i; other++) {
            const struct group before = {.rule = other};
            assert_string_not_equal(brain_group_why(&group), brain_group_why(&before));
        }
    }
}

/* ---- set aside ------------------------------------------------------------------------------- */

static enum err give_aside(struct scene *scene, const char *uid, enum pod_phase phase,
                           bool is_leaving)
{
    const struct pod_news news = {.uid = str_of(uid),
                                  .name_space = S("web"),
                                  .name = str_of(uid),
                                  .phase = phase,
                                  .is_leaving = is_leaving};
    return brain_pod_aside(&scene->brain, &news, "it died", scene->now_ms);
}

static void test_brain_does_nothing_for_a_pod_that_is_set_aside(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    assert_int_equal(give_aside(&scene, "a", POD_PHASE_PENDING, false), ERR_OK);
    assert_int_equal(count_events(&scene, "PodQuarantined"), 1);
    expect_silence(&scene);
    assert_int_equal(give_aside(&scene, "a", POD_PHASE_PENDING, false), ERR_OK); /* told once */
    assert_int_equal(count_events(&scene, "PodQuarantined"), 0);
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_non_null(strstr(brain_pod_why(pod), "set aside"));
    pass(&scene, 3600000);
    sweep(&scene, nothing);
    expect_silence(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false); /* it changed: another chance */
    (void)expect(&scene, EFFECT_CREATE);
    scene_close(&scene);
}

/* "a" runs in "eci-1". */
static void open_with_one_aside(struct scene *scene)
{
    const char *const ids[] = {"eci-1", NULL};
    const bool found[READ_BATCH_MAX] = {true};
    scene_open(scene);
    brain_list_begin(&scene->brain, scene->now_ms);
    assert_int_equal(give_aside(scene, "a", POD_PHASE_RUNNING, false), ERR_OK);
    brain_list_end(&scene->brain, true, scene->now_ms);
    sweep(scene, ids);
    struct effect effect = expect(scene, EFFECT_READ_DETAIL);
    tag(scene, "eci-1", "a", 1);
    brain_read_done(&scene->brain, &effect, ERR_OK, found, scene->now_ms);
}

static void test_brain_leaves_the_group_of_a_pod_set_aside_alone(void **state)
{
    (void)state;
    struct scene scene;
    open_with_one_aside(&scene);
    expect_silence(&scene);
    const struct group *group = brain_find_group(&scene.brain, S("eci-1"));
    assert_false(brain_wants_report(&scene.brain, group, 77, false));
    assert_non_null(strstr(brain_group_why(group), "set aside"));
    brain_list_begin(&scene.brain, scene.now_ms); /* and it is not missing either */
    assert_int_equal(give_aside(&scene, "a", POD_PHASE_RUNNING, false), ERR_OK);
    brain_list_end(&scene.brain, true, scene.now_ms);
    expect_silence(&scene);
    assert_int_equal(give_aside(&scene, "a", POD_PHASE_RUNNING, true), ERR_OK); /* deleted */
    (void)expect(&scene, EFFECT_DELETE);
    scene_close(&scene);
}

static void test_brain_removes_what_a_pod_set_aside_leaves_behind(void **state)
{
    (void)state;
    struct scene scene;
    open_with_one_aside(&scene);
    brain_pod_deleted(&scene.brain, S("a"), scene.now_ms); /* by force */
    struct effect effect = expect(&scene, EFFECT_PROVE);
    brain_prove_done(&scene.brain, effect.pod, ERR_NOT_FOUND, scene.now_ms);
    (void)expect(&scene, EFFECT_DELETE);
    assert_int_equal(give_aside(&scene, "a", POD_PHASE_RUNNING, false), ERR_OK); /* a late event */
    assert_int_equal(brain_find_pod(&scene.brain, S("a"))->object, OBJECT_GONE);
    scene_close(&scene);
}

static void test_brain_sets_aside_within_its_limits(void **state)
{
    (void)state;
    struct scene scene;
    char long_name[POD_NAME_BYTES + 1];
    scene_open_with(&scene, 1);
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(give_aside(&scene, long_name, POD_PHASE_PENDING, false), ERR_TOO_BIG);
    assert_int_equal(give_aside(&scene, "a", POD_PHASE_PENDING, false), ERR_OK);
    assert_int_equal(give_aside(&scene, "b", POD_PHASE_PENDING, false), ERR_FULL);
    scene_close(&scene);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_brain_creates_only_after_both_readings),
    cmocka_unit_test(test_brain_looks_before_it_creates_again),
    cmocka_unit_test(test_brain_adopts_the_group_of_a_lost_reply),
    cmocka_unit_test(test_brain_late_timeout_after_adoption_raises_no_doubt),
    cmocka_unit_test(test_brain_used_token_means_another_attempt),
    cmocka_unit_test(test_brain_many_that_wait_look_less_often),
    cmocka_unit_test(test_brain_fail_fast_ends_a_pod_that_cannot_be_created_now),
    cmocka_unit_test(test_brain_three_pods_refused_for_quota_close_the_node),
    cmocka_unit_test(test_brain_other_refusals_close_nothing),
    cmocka_unit_test(test_brain_look_counts_what_the_scheduler_does_not_see),
    cmocka_unit_test(test_brain_waiting_for_an_object_is_told_once_and_looked_at_soon),
    cmocka_unit_test(test_brain_empty_sweeps_prove_nothing),
    cmocka_unit_test(test_brain_missing_group_is_read_by_id_before_the_pod_fails),
    cmocka_unit_test(test_brain_neither_fails_nor_doubles_a_strangers_pod),
    cmocka_unit_test(test_brain_tells_of_listings_that_stay_empty),
    cmocka_unit_test(test_brain_removes_the_group_before_the_object),
    cmocka_unit_test(test_brain_failed_delete_comes_again),
    cmocka_unit_test(test_brain_leaving_pod_does_not_wait_for_the_next_try),
    cmocka_unit_test(test_brain_believes_only_proof_that_an_object_is_gone),
    cmocka_unit_test(test_brain_conflict_on_finish_is_no_proof),
    cmocka_unit_test(test_brain_removes_orphans_that_are_proven),
    cmocka_unit_test(test_brain_brake_holds_when_too_many_are_orphans),
    cmocka_unit_test(test_brain_leaves_foreign_groups_alone),
    cmocka_unit_test(test_brain_removes_the_twin_not_the_first),
    cmocka_unit_test(test_brain_gives_way_to_an_older_twin),
    cmocka_unit_test(test_brain_removes_a_twin_of_which_there_is_no_more_news),
    cmocka_unit_test(test_brain_removes_a_twin_only_beside_one_that_is_there),
    cmocka_unit_test(test_brain_keeps_the_twin_of_one_whose_details_say_that_it_goes),
    cmocka_unit_test(test_brain_looks_at_the_first_before_each_delete_of_the_twin),
    cmocka_unit_test(test_brain_keeps_the_twin_of_one_that_goes),
    cmocka_unit_test(test_brain_leaving_pod_waits_for_its_twin_too),
    cmocka_unit_test(test_brain_goes_on_with_the_twin_that_is_left),
    cmocka_unit_test(test_brain_goes_on_with_an_earlier_attempt_that_lives),
    cmocka_unit_test(test_brain_shows_init_containers_of_a_pod_that_has_ended),
    cmocka_unit_test(test_brain_leaving_soon_after_a_settled_doubt_waits),
    cmocka_unit_test(test_brain_leaving_after_a_doubt_counts_only_late_sweeps),
    cmocka_unit_test(test_brain_early_sweeps_do_not_finish_a_leaving_pod),
    cmocka_unit_test(test_brain_first_minute_pods_may_have_groups_of_an_earlier_process),
    cmocka_unit_test(test_brain_first_minute_is_of_readings_not_of_sleep),
    cmocka_unit_test(test_brain_pod_that_others_call_running_has_a_group_somewhere),
    cmocka_unit_test(test_brain_follows_the_note_of_a_later_attempt),
    cmocka_unit_test(test_brain_keeps_its_doubt_over_the_note_of_an_earlier_attempt),
    cmocka_unit_test(test_brain_group_of_an_earlier_attempt_leaves_the_doubt),
    cmocka_unit_test(test_brain_does_not_call_lost_what_has_a_later_group),
    cmocka_unit_test(test_brain_counts_attempts_from_the_group),
    cmocka_unit_test(test_brain_says_no_pending_over_a_status_that_may_have_landed),
    cmocka_unit_test(test_brain_believes_the_newer_of_two_readings),
    cmocka_unit_test(test_brain_asks_for_fewer_details_when_a_reply_is_too_big),
    cmocka_unit_test(test_brain_waits_while_the_cloud_is_away),
    cmocka_unit_test(test_brain_explains_waiting_for_a_cloud_that_never_answered),
    cmocka_unit_test(test_brain_probes_within_five_seconds),
    cmocka_unit_test(test_brain_full_pool_refuses_and_asks_again),
    cmocka_unit_test(test_brain_refuses_texts_that_do_not_fit),
    cmocka_unit_test(test_brain_unreadable_objects_are_not_missing),
    cmocka_unit_test(test_brain_describes_instances_once_and_together),
    cmocka_unit_test(test_brain_describes_only_what_runs_undescribed),
    cmocka_unit_test(test_brain_tells_warnings_once),
    cmocka_unit_test(test_brain_reports_a_change_once),
    cmocka_unit_test(test_brain_writes_again_what_others_overwrote),
    cmocka_unit_test(test_brain_failed_report_is_read_again),
    cmocka_unit_test(test_brain_tells_of_a_status_that_is_refused_again_and_again),
    cmocka_unit_test(test_brain_daemonset_pods_wait_with_advice),
    cmocka_unit_test(test_brain_reports_no_row_of_an_older_reading),
    cmocka_unit_test(test_brain_conflict_makes_no_ended_pod_run_again),
    cmocka_unit_test(test_brain_leaving_pod_waits_until_its_group_would_show),
    cmocka_unit_test(test_brain_leaving_pod_of_an_earlier_life_waits_too),
    cmocka_unit_test(test_brain_full_pool_still_removes_orphans),
    cmocka_unit_test(test_brain_deletes_no_group_on_the_word_of_a_note),
    cmocka_unit_test(test_brain_deletes_by_a_note_that_is_confirmed_or_about_nothing),
    cmocka_unit_test(test_brain_believes_a_note_that_comes_with_the_news_that_it_runs),
    cmocka_unit_test(test_brain_gives_up_on_details_of_a_noted_group_that_are_too_big),
    cmocka_unit_test(test_brain_dates_no_twin_whose_details_are_too_big),
    cmocka_unit_test(test_brain_describes_no_instance_whose_details_are_too_big),
    cmocka_unit_test(test_brain_backs_off_from_a_status_that_cannot_be_written),
    cmocka_unit_test(test_brain_create_reply_with_another_pods_group_is_a_doubt),
    cmocka_unit_test(test_brain_brake_does_not_count_pods_seen_leaving),
    cmocka_unit_test(test_brain_looks_no_further_at_what_the_cloud_does_not_show),
    cmocka_unit_test(test_brain_tells_of_a_wait_that_lasts),
    cmocka_unit_test(test_brain_tells_of_a_group_that_the_cloud_says_nothing_of),
    cmocka_unit_test(test_brain_writes_an_end_again_that_an_older_status_hides),
    cmocka_unit_test(test_brain_repeats_an_end_that_was_hidden_meanwhile),
    cmocka_unit_test(test_brain_that_only_looks_reads_tags_and_nothing_else),
    cmocka_unit_test(test_brain_that_only_looks_follows_the_note),
    cmocka_unit_test(test_brain_that_only_looks_keeps_no_refuted_note),
    cmocka_unit_test(test_brain_that_only_looks_asks_again_for_what_is_not_found),
    cmocka_unit_test(test_brain_that_only_looks_tells_of_nothing_unreadable),
    cmocka_unit_test(test_brain_doubts_what_comes_before_it_may_act),
    cmocka_unit_test(test_brain_begins_to_act_like_one_that_starts),
    cmocka_unit_test(test_brain_has_a_sentence_for_each_rule),
    cmocka_unit_test(test_brain_does_nothing_for_a_pod_that_is_set_aside),
    cmocka_unit_test(test_brain_leaves_the_group_of_a_pod_set_aside_alone),
    cmocka_unit_test(test_brain_removes_what_a_pod_set_aside_leaves_behind),
    cmocka_unit_test(test_brain_sets_aside_within_its_limits),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
