/*
 * The brain and outcomes that are rare: refusals for good, replies that nobody waits for, calls
 * that found no room, errors that say how the way to the cloud is. One small scene each.
 */
#include "core_scene.h"

static struct effect made(struct scene *scene, const char *uid)
{
    give(scene, uid, POD_PHASE_PENDING, false);
    return expect(scene, EFFECT_CREATE);
}

static void accept(struct scene *scene, struct effect effect, const char *id)
{
    brain_create_done(&scene->brain, effect.pod, CREATE_ACCEPTED, ERR_OK, str_of(id), STR_NONE,
                      scene->now_ms);
}

static uint32_t calls_in_flight(const struct scene *scene)
{
    uint32_t count = 0;
    for (int kind = 0; kind < EFFECT_KIND_COUNT; kind++) {
        count += scene->brain.in_flight[kind];
    }
    return count;
}

/* ---- create ---------------------------------------------------------------------------------- */

/* Who would only be replaced at once and for ever waits, visibly; others fail. */
static void test_outcomes_a_refused_pod_fails_unless_it_would_be_replaced(void **state)
{
    static const struct {
        bool is_controlled, is_never_restarted, fails_fast;
        enum say_kind say;
    } cases[] = {
        {false, false, false, SAY_FAILED}, {true, false, false, SAY_PENDING},
        {true, true, false, SAY_FAILED},   {true, false, true, SAY_FAILED},
        {false, false, true, SAY_FAILED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        struct pod_news news = {.uid = S("a"),
                                .name_space = S("web"),
                                .name = S("a"),
                                .is_controlled = cases[i].is_controlled,
                                .is_never_restarted = cases[i].is_never_restarted};
        open_running(&scene);
        assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
        struct effect effect = expect(&scene, EFFECT_CREATE);
        brain_pod_policy(&scene.brain, effect.pod, cases[i].fails_fast, false);
        brain_create_done(&scene.brain, effect.pod, CREATE_REFUSED, ERR_INVALID, STR_NONE,
                          S("no such zone"), scene.now_ms);
        effect = expect(&scene, EFFECT_SAY);
        const struct pod *pod = brain_pod(&scene.brain, effect.pod);
        assert_int_equal(pod->say, cases[i].say);
        assert_string_equal(pod->message, "no such zone");
        const struct pod_status_past said = {
            .phase = cases[i].say == SAY_FAILED ? POD_PHASE_FAILED : POD_PHASE_PENDING};
        brain_say_done(&scene.brain, effect.pod, ERR_OK, &said, scene.now_ms);
        pass(&scene, 600000);
        expect_silence(&scene); /* it is not tried again */
        scene_close(&scene);
    }
}

/* Soon after the start, too: nothing was ever created for it. */
static void test_outcomes_a_refused_pod_leaves_at_once(void **state)
{
    struct scene scene;
    struct pod_news news = {
        .uid = S("a"), .name_space = S("web"), .name = S("a"), .is_controlled = true};
    const struct pod_status_past said = {.phase = POD_PHASE_PENDING};
    (void)state;
    open_running(&scene);
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    struct effect effect = expect(&scene, EFFECT_CREATE);
    brain_create_done(&scene.brain, effect.pod, CREATE_REFUSED, ERR_INVALID, STR_NONE, S("no"),
                      scene.now_ms);
    effect = expect(&scene, EFFECT_SAY);
    brain_say_done(&scene.brain, effect.pod, ERR_OK, &said, scene.now_ms);
    assert_true(brain_pod(&scene.brain, effect.pod)->is_older);
    news.is_leaving = true;
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    (void)expect(&scene, EFFECT_FINISH);
    scene_close(&scene);
}

static void test_outcomes_a_create_reply_with_nobodys_group_is_a_doubt(void **state)
{
    const struct tag_facts nobodys = {.is_ours = false};
    struct scene scene;
    (void)state;
    open_running(&scene);
    struct group *group =
        brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, 5, scene.now_ms, scene.now_ms);
    brain_tags_seen(&scene.brain, group, &nobodys, scene.now_ms);
    accept(&scene, made(&scene, "a"), "eci-1");
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_true(pod->doubt_ms > 0);
    assert_true(handle_is_none(pod->group));
    assert_true(group->is_foreign);
    expect_silence(&scene);
    scene_close(&scene);
}

static void test_outcomes_a_wait_has_the_usual_reason_unless_it_has_its_own(void **state)
{
    static const struct {
        const char *given, *status, *event;
    } cases[] = {{NULL, "ProviderFailed", "ProviderCreateFailed"},
                 {"MandatorySecretNotFound", "MandatorySecretNotFound", "MandatorySecretNotFound"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        open_running(&scene);
        struct effect effect = made(&scene, "a");
        brain_create_waits(&scene.brain, effect.pod, cases[i].given, S("later"), scene.now_ms);
        assert_string_equal(brain_pod(&scene.brain, effect.pod)->say_reason, cases[i].status);
        assert_int_equal(count_events(&scene, cases[i].event), 1);
        scene_close(&scene);
    }
}

/* ---- delete ---------------------------------------------------------------------------------- */

static void test_outcomes_a_delete_of_what_is_gone_is_as_good(void **state)
{
    struct scene scene;
    (void)state;
    open_with_group(&scene);
    give(&scene, "a", POD_PHASE_RUNNING, true);
    struct effect effect = expect(&scene, EFFECT_DELETE);
    brain_delete_done(&scene.brain, effect.groups[0], ERR_NOT_FOUND, scene.now_ms);
    assert_int_equal(count_events(&scene, "ProviderDeleteFailed"), 0);
    pass(&scene, 1000);
    effect = expect(&scene, EFFECT_READ); /* the read decides */
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    (void)expect(&scene, EFFECT_FINISH);
    scene_close(&scene);
}

/* The cloud took the delete and forgot about it: it is asked again, not before two minutes. */
static void test_outcomes_a_delete_without_effect_is_asked_again(void **state)
{
    struct scene scene;
    struct effect effect;
    (void)state;
    open_with_group(&scene);
    give(&scene, "a", POD_PHASE_RUNNING, true);
    effect = expect(&scene, EFFECT_DELETE);
    brain_delete_done(&scene.brain, effect.groups[0], ERR_OK, scene.now_ms);
    msec asked_ms = scene.now_ms;
    do { /* each look finds it still there */
        pass(&scene, 1000);
        while (brain_next(&scene.brain, scene.now_ms, &effect) && effect.kind != EFFECT_DELETE) {
            if (effect.kind == EFFECT_READ) {
                brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true},
                                scene.now_ms);
            }
        }
    } while (effect.kind != EFFECT_DELETE && scene.now_ms < asked_ms + 600000);
    assert_int_equal(effect.kind, EFFECT_DELETE);
    assert_in_range(scene.now_ms - asked_ms, 120000, 140000);
    scene_close(&scene);
}

static void test_outcomes_a_forced_delete_is_forced_in_the_cloud(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct scene scene;
        open_with_group(&scene);
        const struct pod_news news = {.uid = S("a"),
                                      .name_space = S("web"),
                                      .name = S("a"),
                                      .phase = POD_PHASE_RUNNING,
                                      .is_leaving = true,
                                      .is_forced = i == 1};
        assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
        give(&scene, "a", POD_PHASE_RUNNING, true); /* which an event without it does not undo */
        struct effect effect = expect(&scene, EFFECT_DELETE);
        assert_int_equal(effect.is_forced, i == 1);
        scene_close(&scene);
    }
}

/* The group of an earlier attempt is gone while a later one is in doubt: the doubt is as old as it
 * was, and the pod waits for it. */
static void test_outcomes_the_end_of_an_earlier_group_settles_no_doubt(void **state)
{
    struct scene scene;
    (void)state;
    open_running(&scene);
    give(&scene, "a", POD_PHASE_PENDING, false);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    pod->attempt = 3;
    struct effect effect = expect(&scene, EFFECT_CREATE);
    (void)brain_row_seen(&scene.brain, S("eci-2"), ECI_STATUS_PENDING, 5, scene.now_ms,
                         scene.now_ms);
    tag(&scene, "eci-2", "a", 2);
    brain_create_done(&scene.brain, effect.pod, CREATE_UNKNOWN, ERR_LOST_WRITE, STR_NONE,
                      S("time-out"), scene.now_ms);
    msec doubt_ms = pod->doubt_ms;
    assert_true(doubt_ms != 0);
    pass(&scene, 1000);
    give(&scene, "a", POD_PHASE_PENDING, true);
    effect = expect(&scene, EFFECT_DELETE);
    brain_delete_done(&scene.brain, effect.groups[0], ERR_OK, scene.now_ms);
    pass(&scene, 1000);
    effect = expect(&scene, EFFECT_READ);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    assert_null(brain_find_group(&scene.brain, S("eci-2")));
    assert_true(pod->doubt_ms == doubt_ms);
    expect_silence(&scene);
    scene_close(&scene);
}

/* A create in doubt, and others say that the pod runs: the doubt is as old as it was, and neither
 * an empty listing, which is what a missing permission looks like, nor silence settles it. */
static void test_outcomes_a_running_pod_is_looked_for_until_it_shows(void **state)
{
    struct scene scene;
    (void)state;
    open_running(&scene);
    struct effect effect = made(&scene, "a");
    brain_create_done(&scene.brain, effect.pod, CREATE_UNKNOWN, ERR_LOST_WRITE, STR_NONE,
                      S("time-out"), scene.now_ms);
    const struct pod *pod = brain_pod(&scene.brain, effect.pod);
    msec doubt_ms = pod->doubt_ms;
    pass(&scene, 1000);
    give(&scene, "a", POD_PHASE_RUNNING, false);
    for (int i = 0; i < 5; i++) {
        pass(&scene, 30000);
        sweep(&scene, nothing);
        expect_silence(&scene);
    }
    assert_true(pod->doubt_ms == doubt_ms);
    brain_cloud_answered(&scene.brain, ERR_AUTH, STR_NONE, scene.now_ms);
    expect_silence(&scene);
    assert_non_null(strstr(brain_pod_why(pod), "not visible yet")); /* not: the cloud is away */
    assert_int_equal(pod->say, SAY_NOTHING);
    scene_close(&scene);
}

/* Its end was told, its init containers were not, and the cloud shows it no more: no use asking,
 * until a listing shows it again. */
static void test_outcomes_an_ended_group_that_is_hidden_is_left_alone(void **state)
{
    struct scene scene;
    (void)state;
    open_with_group(&scene);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    pod->has_init = true;
    (void)brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_FAILED, 99, scene.now_ms,
                         scene.now_ms);
    pod->past.phase = pod->phase = POD_PHASE_FAILED; /* was written */
    pod->reported_row = 99;
    pass(&scene, 2000);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    for (int i = 0; i < 10; i++) {
        pass(&scene, 60000);
        expect_silence(&scene);
    }
    (void)brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_FAILED, 99, scene.now_ms,
                         scene.now_ms);
    (void)expect(&scene, EFFECT_READ_DETAIL);
    scene_close(&scene);
}

/* ---- statuses -------------------------------------------------------------------------------- */

/* A status that only says why a pod waits is not worth more tries than one, when it is refused. */
static void test_outcomes_a_refused_status_of_a_wait_is_let_go(void **state)
{
    static const struct {
        enum err err;
        bool comes_again;
    } cases[] = {{ERR_INVALID, false}, {ERR_SERVER, true}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        struct effect effect;
        open_running(&scene);
        effect = made(&scene, "a");
        brain_create_done(&scene.brain, effect.pod, CREATE_LATER, ERR_STOCK, STR_NONE,
                          S("no stock"), scene.now_ms);
        pass(&scene, 120000);
        effect = expect(&scene, EFFECT_SAY);
        brain_say_done(&scene.brain, effect.pod, cases[i].err, NULL, scene.now_ms);
        pass(&scene, 120000);
        effect = expect(&scene, cases[i].comes_again ? EFFECT_SAY : EFFECT_CREATE);
        assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, "a");
        scene_close(&scene);
    }
}

/* Its author wants it to fail when there is no instance to be had: then no other is tried. */
static void test_outcomes_a_pod_that_fails_unplaced_is_not_tried_elsewhere(void **state)
{
    static const struct {
        enum pod_phase phase;
        uint32_t attempt;
    } cases[] = {{POD_PHASE_PENDING, 2}, {POD_PHASE_FAILED, 1}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        open_running(&scene);
        accept(&scene, made(&scene, "a"), "eci-1");
        struct group *group = brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_SCHEDULE_FAILED,
                                             5, scene.now_ms, scene.now_ms);
        const struct pod_status_past past = {.phase = cases[i].phase, .hash = 6};
        const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
        assert_true(brain_report(&scene.brain, group, 6, false, false, scene.now_ms));
        brain_patch_done(&scene.brain, group->pod, ERR_OK, &past, 5, false, scene.now_ms);
        assert_int_equal(pod->attempt, cases[i].attempt);
        assert_int_equal(pod->phase, cases[i].phase);
        assert_int_equal(group->is_extra, cases[i].attempt == 2);
        scene_close(&scene);
    }
}

/* A write that may have landed counts when it is known what it was: never below it again. */
static void test_outcomes_a_lost_status_may_stand_there(void **state)
{
    static const struct pod_status_past runs = {.phase = POD_PHASE_RUNNING, .hash = 6};
    static const struct {
        const struct pod_status_past *past;
        enum pod_phase phase;
    } cases[] = {{&runs, POD_PHASE_RUNNING}, {NULL, POD_PHASE_PENDING}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        open_running(&scene);
        accept(&scene, made(&scene, "a"), "eci-1");
        struct group *group = brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, 5,
                                             scene.now_ms, scene.now_ms);
        assert_true(brain_report(&scene.brain, group, 6, false, false, scene.now_ms));
        brain_patch_done(&scene.brain, group->pod, ERR_LOST_WRITE, cases[i].past, 5, false,
                         scene.now_ms);
        assert_int_equal(brain_find_pod(&scene.brain, S("a"))->phase, cases[i].phase);
        scene_close(&scene);
    }
}

/* ---- replies that nobody waits for ----------------------------------------------------------- */

static void test_outcomes_of_nothing_change_nothing(void **state)
{
    struct scene scene;
    const handle stale = {1, 99};
    (void)state;
    open_with_group(&scene);
    handle pod = brain_find_group(&scene.brain, S("eci-1"))->pod;
    handle group = brain_pod(&scene.brain, pod)->group;
    uint32_t before = calls_in_flight(&scene);
    brain_prove_done(&scene.brain, pod, ERR_OK, scene.now_ms);
    const handle groups[] = {group, stale};
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        const struct effect undone = {
            .kind = EFFECT_DELETE, .groups = {groups[i]}, .groups_count = 1};
        brain_undo(&scene.brain, &undone, scene.now_ms);
    }
    const struct effect undone = {.kind = EFFECT_CREATE, .pod = pod};
    brain_undo(&scene.brain, &undone, scene.now_ms);
    assert_int_equal(calls_in_flight(&scene), before);
    assert_int_equal(brain_pod(&scene.brain, pod)->busy, EFFECT_NONE);
    expect_silence(&scene);
    (void)brain_row_seen(&scene.brain, S("eci-9"), ECI_STATUS_RUNNING, 5, scene.now_ms,
                         scene.now_ms);
    (void)count_events(&scene, "");
    brain_report_failed(&scene.brain, brain_find_group(&scene.brain, S("eci-9")), ERR_TOO_BIG,
                        scene.now_ms); /* whose it is, nobody knows */
    assert_int_equal(count_events(&scene, "StatusNotWritten"), 0);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    struct effect of_nobody = effect;
    of_nobody.groups[0] = stale; /* forgotten while it was read */
    brain_read_done(&scene.brain, &of_nobody, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    assert_int_equal(scene.brain.in_flight[EFFECT_READ_DETAIL], 0);
    scene_close(&scene);
}

/* ---- reads and polls ------------------------------------------------------------------------- */

/* Fewer details at a time only when they did not fit, or one of the ids (which may come from a
 * note) makes the cloud refuse them all, and one more after each success. */
static void test_outcomes_the_batch_of_details_shrinks_when_it_does_not_fit(void **state)
{
    static const struct {
        uint32_t before;
        enum err err;
        uint32_t after;
    } cases[] = {{20, ERR_OK, 20},      {20, ERR_TOO_BIG, 10}, {20, ERR_FULL, 10},
                 {20, ERR_SERVER, 20},  {20, ERR_TIMEOUT, 20}, {20, ERR_THROTTLED, 20},
                 {10, ERR_OK, 11},      {1, ERR_OK, 2},        {1, ERR_SERVER, 1},
                 {1, ERR_THROTTLED, 1}, {4, ERR_TOO_BIG, 2},   {20, ERR_INVALID, 10},
                 {1, ERR_INVALID, 1}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        open_running(&scene);
        (void)brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, 5, scene.now_ms,
                             scene.now_ms);
        scene.brain.detail_batch = cases[i].before;
        struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
        if (cases[i].err == ERR_OK) {
            tag(&scene, "eci-1", "a", 1);
        }
        brain_read_done(&scene.brain, &effect, cases[i].err, (bool[READ_BATCH_MAX]){true},
                        scene.now_ms);
        assert_int_equal(scene.brain.detail_batch, cases[i].after);
        const struct group *group = brain_find_group(&scene.brain, S("eci-1"));
        assert_int_equal(group->has_tags, cases[i].err == ERR_OK); /* not given up */
        scene_close(&scene);
    }
}

/* One alone that does not fit the buffer is nobody's, as one that is larger than any reply. */
static void test_outcomes_details_that_fit_nowhere_are_given_up(void **state)
{
    static const enum err errors[] = {ERR_TOO_BIG, ERR_FULL};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        struct scene scene;
        open_running(&scene);
        (void)brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, 5, scene.now_ms,
                             scene.now_ms);
        scene.brain.detail_batch = 1;
        struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
        brain_read_done(&scene.brain, &effect, errors[i], (bool[READ_BATCH_MAX]){false},
                        scene.now_ms);
        assert_true(brain_find_group(&scene.brain, S("eci-1"))->is_foreign);
        assert_int_equal(count_events(&scene, "GroupUnreadable"), 1);
        scene_close(&scene);
    }
}

/* What goes for good waits young_ms, and absence_ms when that is the longer one. */
static void test_outcomes_leaving_in_doubt_waits_for_the_longer_of_two(void **state)
{
    static const struct {
        msec young_ms, waits_ms;
    } cases[] = {{60000, 60000}, {5000, 20000}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        open_running(&scene);
        scene.brain.config.young_ms = cases[i].young_ms;
        struct effect effect = made(&scene, "a");
        brain_create_done(&scene.brain, effect.pod, CREATE_UNKNOWN, ERR_LOST_WRITE, STR_NONE,
                          S("time-out"), scene.now_ms);
        give(&scene, "a", POD_PHASE_PENDING, true);
        struct pod *pod = brain_find_pod(&scene.brain, S("a"));
        msec since_ms = pod->doubt_ms;
        while (pod->doubt_ms != 0 && scene.now_ms < since_ms + 200000) {
            expect_silence(&scene);
            pass(&scene, 1000);
            scene.brain.sweep_at_ms = scene.now_ms;
            sweep(&scene, nothing);
        }
        assert_in_range(scene.now_ms - since_ms, cases[i].waits_ms, cases[i].waits_ms + 2000);
        (void)expect(&scene, EFFECT_FINISH);
        scene_close(&scene);
    }
}

/* Which errors make the cloud unreachable at once, and which only when they last. */
static void test_outcomes_the_cloud_is_away(void **state)
{
    static const struct {
        enum err err;
        uint32_t calls; /* 0: never */
    } cases[] = {{ERR_AUTH, 1}, {ERR_TLS_TRUST, 1}, {ERR_TIMEOUT, 3}, {ERR_SERVER, 3},
                 {ERR_OK, 0},   {ERR_THROTTLED, 0}, {ERR_INVALID, 0}, {ERR_NOT_FOUND, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        uint32_t calls = 0;
        open_running(&scene);
        while (calls < 10 && scene.brain.cloud.is_reachable) {
            brain_cloud_answered(&scene.brain, cases[i].err, STR_NONE, scene.now_ms);
            calls++;
        }
        assert_int_equal(scene.brain.cloud.is_reachable, cases[i].calls == 0);
        if (cases[i].calls != 0) {
            assert_int_equal(calls, cases[i].calls);
            expect_silence(&scene);
            scene.now_ms = scene.brain.cloud.retry_at_ms;
            scene.brain.sweep_at_ms = scene.now_ms;
            assert_true(brain_wake_ms(&scene.brain, scene.now_ms) == scene.now_ms);
            assert_int_equal(expect(&scene, EFFECT_SWEEP).kind, EFFECT_SWEEP); /* a probe */
        }
        scene_close(&scene);
    }
}

/* Who does not lead knows all and wants nothing of the cloud. */
static void test_outcomes_no_polls_before_the_start(void **state)
{
    struct scene scene;
    struct effect effect;
    (void)state;
    scene_open(&scene);
    scene.brain.polls_are_on = false; /* as after brain_init */
    give(&scene, "a", POD_PHASE_PENDING, false);
    list_nothing(&scene);
    pass(&scene, 3600000);
    while (brain_next(&scene.brain, scene.now_ms, &effect)) {
        assert_int_equal(effect.kind, EFFECT_PROVE); /* of the cluster; it was not in the list */
        brain_prove_done(&scene.brain, effect.pod, ERR_NOT_FOUND, scene.now_ms);
    }
    pass(&scene, 60000); /* the finished pod is forgotten */
    assert_false(brain_next(&scene.brain, scene.now_ms, &effect));
    assert_true(brain_wake_ms(&scene.brain, scene.now_ms) == INT64_MAX);
    brain_start(&scene.brain, scene.now_ms);
    assert_true(brain_wake_ms(&scene.brain, scene.now_ms) <= scene.now_ms);
    (void)expect(&scene, EFFECT_SWEEP);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes_a_refused_pod_fails_unless_it_would_be_replaced),
        cmocka_unit_test(test_outcomes_a_refused_pod_leaves_at_once),
        cmocka_unit_test(test_outcomes_a_create_reply_with_nobodys_group_is_a_doubt),
        cmocka_unit_test(test_outcomes_a_wait_has_the_usual_reason_unless_it_has_its_own),
        cmocka_unit_test(test_outcomes_a_delete_of_what_is_gone_is_as_good),
        cmocka_unit_test(test_outcomes_a_delete_without_effect_is_asked_again),
        cmocka_unit_test(test_outcomes_a_forced_delete_is_forced_in_the_cloud),
        cmocka_unit_test(test_outcomes_the_end_of_an_earlier_group_settles_no_doubt),
        cmocka_unit_test(test_outcomes_a_running_pod_is_looked_for_until_it_shows),
        cmocka_unit_test(test_outcomes_an_ended_group_that_is_hidden_is_left_alone),
        cmocka_unit_test(test_outcomes_a_refused_status_of_a_wait_is_let_go),
        cmocka_unit_test(test_outcomes_a_pod_that_fails_unplaced_is_not_tried_elsewhere),
        cmocka_unit_test(test_outcomes_a_lost_status_may_stand_there),
        cmocka_unit_test(test_outcomes_of_nothing_change_nothing),
        cmocka_unit_test(test_outcomes_the_batch_of_details_shrinks_when_it_does_not_fit),
        cmocka_unit_test(test_outcomes_details_that_fit_nowhere_are_given_up),
        cmocka_unit_test(test_outcomes_leaving_in_doubt_waits_for_the_longer_of_two),
        cmocka_unit_test(test_outcomes_the_cloud_is_away),
        cmocka_unit_test(test_outcomes_no_polls_before_the_start),
    };
    return cmocka_run_group_tests_name("core_outcomes", tests, NULL, NULL);
}
