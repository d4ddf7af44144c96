/*
 * Whose instance answers for a pod. The notes on pods, which whoever may write annotations may have
 * written: what they name is nobody's before its tags were read, however long the cloud does not
 * show it. And the pods of one name, of which the newest is meant.
 */
#include "core_scene.h"

static void give_note(struct scene *scene, const char *uid, enum pod_phase phase, bool is_leaving,
                      const char *id)
{
    const struct pod_news news = {.uid = str_of(uid),
                                  .name_space = S("web"),
                                  .name = str_of(uid),
                                  .phase = phase,
                                  .is_leaving = is_leaving,
                                  .is_described = true,
                                  .instance_id = str_of(id),
                                  .instance_attempt = 1};
    assert_int_equal(brain_pod_seen(&scene->brain, &news, scene->now_ms, NULL), ERR_OK);
}

/* Details of so many groups are asked for; the cloud shows none of them. */
static void answer_not_found(struct scene *scene, uint32_t count)
{
    const struct effect effect = expect(scene, EFFECT_READ_DETAIL);
    assert_int_equal(effect.groups_count, count);
    brain_read_done(&scene->brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene->now_ms);
    pass(scene, 2000);
}

static void answer_tags(struct scene *scene, const char *id, const char *uid)
{
    const struct effect effect = expect(scene, EFFECT_READ_DETAIL);
    assert_int_equal(effect.groups_count, 1);
    assert_string_equal(brain_group(&scene->brain, effect.groups[0])->id, id);
    tag(scene, id, uid, 1);
    brain_read_done(&scene->brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene->now_ms);
}

static const char *instance_of(const struct scene *scene, const char *uid)
{
    const struct pod *pod = brain_find_pod(&scene->brain, str_of(uid));
    assert_non_null(pod);
    const struct group *group = brain_instance(&scene->brain, pod);
    return group != NULL ? group->id : "";
}

/* ---- notes ----------------------------------------------------------------------------------- */

static void test_a_note_that_was_not_found_is_asked_about_when_it_shows(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_note(&scene, "a", POD_PHASE_RUNNING, false, "eci-1");
    answer_not_found(&scene, 1);
    assert_true(brain_find_group(&scene.brain, S("eci-1"))->is_noted);
    assert_string_equal(instance_of(&scene, "a"), "");
    for (int i = 0; i < 5;
         i++) { /* listings tell when it is there: it is not asked for till then */
        pass(&scene, 60000);
        expect_silence(&scene);
    }
    const char *const shown[] = {"eci-1", NULL};
    sweep(&scene, shown);
    assert_string_equal(instance_of(&scene, "a"), "");
    const struct group *group = brain_find_group(&scene.brain, S("eci-1"));
    assert_false(brain_wants_report(&scene.brain, group, 77, false));
    answer_tags(&scene, "eci-1", "a");
    assert_string_equal(instance_of(&scene, "a"), "eci-1");
    assert_true(brain_wants_report(&scene.brain, group, 77, false));
    scene_close(&scene);
}

/* Somebody wrote another pod's instance into the note on his, at a time when nothing was shown. */
static void test_a_note_that_was_not_found_gives_nobody_elses_instance(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_note(&scene, "a", POD_PHASE_RUNNING, false, "eci-9");
    answer_not_found(&scene, 1);
    give_note(&scene, "a", POD_PHASE_RUNNING, true, "eci-9");
    expect_silence(&scene);
    const char *const shown[] = {"eci-9", NULL};
    sweep(&scene, shown);
    answer_tags(&scene, "eci-9", "b");
    assert_string_equal(instance_of(&scene, "a"), "");
    struct effect effect = expect(&scene, EFFECT_PROVE); /* of b, which no list has shown */
    assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, "b");
    scene_close(&scene);
}

/* Its own group was one too many beside the one that the note named. */
static void test_a_refuted_note_gives_the_pod_its_own_group_back(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_note(&scene, "a", POD_PHASE_RUNNING, false, "eci-9");
    struct effect late = expect(&scene, EFFECT_READ_DETAIL);
    const char *const shown[] = {"eci-1", "eci-9", NULL};
    sweep(&scene, shown);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    tag_made(&scene, "eci-1", "a", 1, 1700000000);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    assert_true(brain_find_group(&scene.brain, S("eci-1"))->is_extra);
    tag_made(&scene, "eci-9", "b", 1, 1700000000);
    brain_read_done(&scene.brain, &late, ERR_OK, (bool[READ_BATCH_MAX]){true}, scene.now_ms);
    assert_false(brain_find_group(&scene.brain, S("eci-1"))->is_extra);
    assert_string_equal(instance_of(&scene, "a"), "eci-1");
    for (int i = 0; i < 4; i++) { /* and it is not removed */
        struct effect any;
        pass(&scene, 3000);
        while (brain_next(&scene.brain, scene.now_ms, &any)) {
            assert_true(any.kind != EFFECT_DELETE);
        }
    }
    scene_close(&scene);
}

/* Two notes name one group; its own pod comes second and stays. No sweep says that it has none,
 * and nothing is deleted by its id alone. */
static void test_a_group_that_two_notes_name_is_nobodys_till_it_is_read(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_note(&scene, "thief", POD_PHASE_PENDING, true, "eci-1");
    give_note(&scene, "a", POD_PHASE_RUNNING, false, "eci-1");
    answer_not_found(&scene, 1);
    for (int i = 0; i < 8; i++) { /* nothing is listed: so it is without the permission, too */
        pass(&scene, 30000);
        sweep(&scene, nothing);
        expect_silence(&scene);
    }
    const char *const shown[] = {"eci-1", NULL};
    sweep(&scene, shown);
    answer_tags(&scene, "eci-1", "a");
    assert_string_equal(instance_of(&scene, "a"), "eci-1");
    assert_string_equal(instance_of(&scene, "thief"), "");
    struct effect effect = expect(&scene, EFFECT_FINISH);
    assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, "thief");
    give_note(&scene, "a", POD_PHASE_RUNNING, true, "eci-1");
    effect = expect(&scene, EFFECT_DELETE);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    scene_close(&scene);
}

/* ... and when other groups are listed but never that one, it is gone: the one may go, and the
 * other gets a new one. */
static void test_a_group_that_two_notes_name_is_gone_when_listings_say_so(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_note(&scene, "thief", POD_PHASE_PENDING, true, "eci-1");
    give_note(&scene, "a", POD_PHASE_PENDING, false, "eci-1");
    answer_not_found(&scene, 1);
    const char *const other[] = {"eci-7", NULL};
    sweep(&scene, other);
    answer_tags(&scene, "eci-7", "b");
    struct effect effect = expect(&scene, EFFECT_PROVE);
    brain_prove_done(&scene.brain, effect.pod, ERR_TIMEOUT, scene.now_ms);
    bool was_read = false;
    uint32_t finished = 0, created = 0;
    for (int i = 0; i < 12 && created == 0; i++) {
        pass(&scene, 30000);
        sweep(&scene, other);
        while (brain_next(&scene.brain, scene.now_ms, &effect)) {
            assert_true(effect.kind != EFFECT_DELETE);
            if (effect.kind == EFFECT_PROVE) {
                brain_prove_done(&scene.brain, effect.pod, ERR_TIMEOUT, scene.now_ms);
            } else if (effect.kind == EFFECT_READ) {
                assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
                was_read = true;
                brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false},
                                scene.now_ms);
            } else if (effect.kind == EFFECT_FINISH) {
                assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, "thief");
                finished++;
                brain_finish_done(&scene.brain, effect.pod, ERR_OK, scene.now_ms);
            } else if (effect.kind == EFFECT_CREATE) {
                assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, "a");
                created++;
            } else if (effect.kind == EFFECT_SAY) {
                assert_true(is_wait_told(&scene, &effect));
            } else if (effect.kind == EFFECT_DELTA) {
                brain_delta_done(&scene.brain, ERR_OK, effect.started_ms, scene.now_ms);
            }
        }
    }
    assert_true(was_read);
    assert_int_equal(finished, 1);
    scene_close(&scene);
}

/* A pod that ran is failed then, as if its note were the only one: its controller makes another. */
static void test_a_group_that_two_notes_name_is_lost_to_both(void **state)
{
    (void)state;
    struct scene scene;
    struct effect effect;
    open_running(&scene);
    give_note(&scene, "thief", POD_PHASE_PENDING, true, "eci-1");
    give_note(&scene, "a", POD_PHASE_RUNNING, false, "eci-1");
    give_note(&scene, "b", POD_PHASE_RUNNING, true, "eci-1");
    answer_not_found(&scene, 1);
    const char *const other[] = {"eci-7", NULL};
    sweep(&scene, other);
    answer_tags(&scene, "eci-7", "c");
    give(&scene, "c", POD_PHASE_RUNNING, false);
    brain_find_pod(&scene.brain, S("c"))->reported_row = 77;
    for (int i = 0; i < 3; i++) {
        pass(&scene, 30000);
        sweep(&scene, other);
    }
    effect = expect(&scene, EFFECT_READ);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    for (int i = 0; i < 2; i++) {
        effect = expect(&scene, EFFECT_FINISH);
        brain_finish_done(&scene.brain, effect.pod, ERR_OK, scene.now_ms);
    }
    effect = expect(&scene, EFFECT_PROVE);
    assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, "a");
    give_note(&scene, "a", POD_PHASE_RUNNING, false, "eci-1");
    brain_prove_done(&scene.brain, effect.pod, ERR_OK, scene.now_ms);
    effect = expect(&scene, EFFECT_SAY);
    assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, "a");
    assert_int_equal(brain_pod(&scene.brain, effect.pod)->say, SAY_LOST);
    scene_close(&scene);
}

/* Whoever's it is, its pod goes: it is deleted by its id, and all pods may go, though nothing is
 * ever listed. */
static void test_a_group_that_two_notes_name_goes_when_all_pods_go(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_note(&scene, "thief", POD_PHASE_PENDING, true, "eci-1");
    give_note(&scene, "a", POD_PHASE_PENDING, true, "eci-1");
    give_note(&scene, "b", POD_PHASE_RUNNING, true, "eci-1");
    answer_not_found(&scene, 1);
    pass(&scene, 30000);
    sweep(&scene, nothing);
    struct effect effect = expect(&scene, EFFECT_DELETE);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    brain_delete_done(&scene.brain, effect.groups[0], ERR_OK, scene.now_ms);
    pass(&scene, 2000);
    effect = expect(&scene, EFFECT_READ);
    brain_read_done(&scene.brain, &effect, ERR_OK, (bool[READ_BATCH_MAX]){false}, scene.now_ms);
    uint32_t finished = 0;
    for (int i = 0; i < 12 && finished < 3; i++) {
        while (brain_next(&scene.brain, scene.now_ms, &effect)) {
            if (effect.kind == EFFECT_FINISH) {
                finished++;
                brain_finish_done(&scene.brain, effect.pod, ERR_OK, scene.now_ms);
            } else {
                assert_int_equal(effect.kind, EFFECT_DELTA);
                brain_delta_done(&scene.brain, ERR_OK, effect.started_ms, scene.now_ms);
            }
        }
        pass(&scene, 30000);
        sweep(&scene, nothing);
    }
    assert_int_equal(finished, 3);
    scene_close(&scene);
}

/* A pod that has its own group is in no doubt, whatever the notes say. */
static void test_a_pod_with_a_group_of_its_own_keeps_it(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene); /* a has eci-1 */
    give_note(&scene, "thief", POD_PHASE_PENDING, false, "eci-9");
    const struct pod_news forged = {.uid = S("a"),
                                    .name_space = S("web"),
                                    .name = S("a"),
                                    .phase = POD_PHASE_RUNNING,
                                    .instance_id = S("eci-9"),
                                    .instance_attempt = 2};
    assert_int_equal(brain_pod_seen(&scene.brain, &forged, scene.now_ms, NULL), ERR_OK);
    assert_int_equal(brain_find_pod(&scene.brain, S("a"))->doubt_ms, 0);
    answer_tags(&scene, "eci-9", "b");
    assert_string_equal(instance_of(&scene, "a"), "eci-1");
    assert_string_equal(instance_of(&scene, "thief"), "");
    scene_close(&scene);
}

/* What is too large to be read holds up only the pod that it was noted for first. */
static void test_a_group_that_two_notes_name_may_be_too_large_to_be_read(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_note(&scene, "thief", POD_PHASE_PENDING, false, "eci-1");
    give(&scene, "a", POD_PHASE_RUNNING, false); /* in doubt: its note is not seen yet */
    msec doubt_ms = brain_find_pod(&scene.brain, S("a"))->doubt_ms;
    pass(&scene, 1000);
    const struct pod_news late = {.uid = S("a"),
                                  .name_space = S("web"),
                                  .name = S("a"),
                                  .phase = POD_PHASE_RUNNING,
                                  .instance_id = S("eci-1"),
                                  .instance_attempt = 2};
    assert_int_equal(brain_pod_seen(&scene.brain, &late, scene.now_ms, NULL), ERR_OK);
    assert_int_equal(brain_find_pod(&scene.brain, S("a"))->doubt_ms, doubt_ms);
    scene.brain.detail_batch = 1;
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    brain_read_done(&scene.brain, &effect, ERR_TOO_BIG, (bool[READ_BATCH_MAX]){false},
                    scene.now_ms);
    const char *const shown[] = {"eci-1", NULL};
    for (int i = 0; i < 4; i++) {
        pass(&scene, 30000);
        sweep(&scene, shown);
    }
    assert_int_equal(brain_find_pod(&scene.brain, S("a"))->doubt_ms, 0);
    assert_string_equal(instance_of(&scene, "thief"), "");
    scene_close(&scene);
}

/* Whoever may write annotations writes one after the other: only the newest note of a pod has a
 * slot, else there would soon be none for the groups of others, and no sweep complete. */
static void test_a_pod_has_one_note_at_a_time(void **state)
{
    (void)state;
    struct scene scene;
    open_with_group(&scene); /* a has eci-1 */
    for (uint32_t i = 1; i <= 100; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "eci-x%u", i);
        const struct pod_news forged = {.uid = S("thief"),
                                        .name_space = S("web"),
                                        .name = S("thief"),
                                        .phase = POD_PHASE_PENDING,
                                        .instance_id = str_of(id),
                                        .instance_attempt = i};
        assert_int_equal(brain_pod_seen(&scene.brain, &forged, scene.now_ms, NULL), ERR_OK);
    }
    assert_true(scene.brain.groups.count <= 3);
    scene_close(&scene);
}

/* When there is no room for what listings show, notes that tell of nothing make room: else no sweep
 * would be complete, and nothing ever be created or removed. Their pods wait for sweeps, or have
 * their own. */
static void test_notes_make_room_for_what_is_there(void **state)
{
    (void)state;
    struct scene scene;
    scene_open_with(&scene, 4); /* 12 groups */
    list_nothing(&scene);
    sweep(&scene, nothing);
    give_note(&scene, "a", POD_PHASE_RUNNING, false, "eci-a");
    answer_tags(&scene, "eci-a", "a");
    give_note(&scene, "b", POD_PHASE_PENDING, false, "eci-b");
    give_note(&scene, "c", POD_PHASE_RUNNING, false, "eci-c");
    give_note(&scene, "d", POD_PHASE_RUNNING, false, "eci-d");
    const struct pod_news other = {.uid = S("a"),
                                   .name_space = S("web"),
                                   .name = S("a"),
                                   .phase = POD_PHASE_RUNNING,
                                   .instance_id = S("eci-e"),
                                   .instance_attempt = 2};
    assert_int_equal(brain_pod_seen(&scene.brain, &other, scene.now_ms, NULL), ERR_OK);
    answer_not_found(&scene, 4);
    const char *const shown[] = {"eci-1", "eci-2", "eci-3", "eci-4", "eci-5", "eci-6",
                                 "eci-7", "eci-8", "eci-9", "eci-a", "eci-d", NULL};
    sweep(&scene, shown);
    assert_int_equal(scene.brain.groups.count, 12);
    assert_null(brain_find_group(&scene.brain, S("eci-b")));
    assert_non_null(brain_find_group(&scene.brain, S("eci-d"))); /* which is there */
    assert_int_not_equal(brain_find_pod(&scene.brain, S("b"))->doubt_ms, 0);
    (void)brain_row_seen(&scene.brain, S("eci-10"), ECI_STATUS_RUNNING, 77, scene.now_ms,
                         scene.now_ms);
    (void)brain_row_seen(&scene.brain, S("eci-11"), ECI_STATUS_RUNNING, 77, scene.now_ms,
                         scene.now_ms);
    assert_null(brain_find_group(&scene.brain, S("eci-e")));
    assert_string_equal(instance_of(&scene, "a"), "eci-a"); /* has its own */
    assert_null(brain_row_seen(&scene.brain, S("eci-12"), ECI_STATUS_RUNNING, 77, scene.now_ms,
                               scene.now_ms));
    scene_close(&scene);
}

/* A listing shows it, its details do not: who knows whose it is. */
static void test_what_a_note_names_is_not_deleted_while_listings_show_it(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_note(&scene, "thief", POD_PHASE_RUNNING, false, "eci-9");
    answer_not_found(&scene, 1);
    const char *const shown[] = {"eci-9", NULL};
    sweep(&scene, shown);
    answer_not_found(&scene, 1);
    give_note(&scene, "thief", POD_PHASE_RUNNING, true, "eci-9");
    for (int i = 0; i < 3; i++) { /* a sweep begins before all else */
        pass(&scene, 4000);
        expect_silence(&scene);
    }
    scene_close(&scene);
}

/* The pod whose note names it too may be on the next page of the list. */
static void test_what_a_note_names_is_not_deleted_before_all_pods_are_listed(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    brain_list_begin(&scene.brain, scene.now_ms);
    give_note(&scene, "thief", POD_PHASE_RUNNING, true, "eci-9");
    struct effect effect = expect(&scene, EFFECT_SWEEP);
    brain_sweep_done(&scene.brain, ERR_OK, true, 0, effect.started_ms, scene.now_ms);
    answer_not_found(&scene, 1);
    pass(&scene, 30000);
    sweep(&scene, nothing);
    expect_silence(&scene);
    give_note(&scene, "a", POD_PHASE_RUNNING, false, "eci-9");
    brain_list_end(&scene.brain, true, scene.now_ms);
    pass(&scene, 30000);
    sweep(&scene, nothing);
    expect_silence(&scene);
    scene_close(&scene);
}

/* The thief is gone: the note on the other pod is as good as if it were the only one ever. */
static void test_a_note_counts_when_the_pod_of_another_one_is_gone(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_note(&scene, "thief", POD_PHASE_PENDING, false, "eci-1");
    give_note(&scene, "a", POD_PHASE_PENDING, true, "eci-1");
    answer_not_found(&scene, 1);
    brain_pod_deleted(&scene.brain, S("thief"), scene.now_ms);
    struct effect effect = expect(&scene, EFFECT_PROVE);
    brain_prove_done(&scene.brain, effect.pod, ERR_NOT_FOUND, scene.now_ms);
    pass(&scene, 30000);
    sweep(&scene, nothing);
    effect = expect(&scene, EFFECT_DELETE);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    scene_close(&scene);
}

/* The gateway that waits learns of instances by notes only: what another pod's note claimed first
 * is not lost with that pod, or that note. */
static void test_who_waits_passes_a_note_on(void **state)
{
    (void)state;
    for (int is_gone = 0; is_gone < 2; is_gone++) {
        struct scene scene;
        scene_open(&scene);
        scene.brain.polls_are_on = false;
        brain_only_look(&scene.brain);
        give_note(&scene, "thief", POD_PHASE_RUNNING, false, "eci-1");
        give_note(&scene, "a", POD_PHASE_RUNNING, false, "eci-1");
        give_note(&scene, "b", POD_PHASE_RUNNING, false, "eci-1");
        if (is_gone != 0) {
            brain_pod_deleted(&scene.brain, S("thief"), scene.now_ms);
            brain_pod_deleted(&scene.brain, S("b"), scene.now_ms);
        } else {
            give_note(&scene, "thief", POD_PHASE_RUNNING, false, "");
            give_note(&scene, "thief", POD_PHASE_RUNNING, false, "eci-7");
        }
        struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
        assert_int_equal(effect.groups_count, 2 - is_gone);
        tag(&scene, "eci-1", "a", 1);
        assert_string_equal(instance_of(&scene, "a"), "eci-1");
        scene_close(&scene);
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

static void give_named(struct scene *scene, const char *uid, const char *name)
{
    const struct pod_news news = {.uid = str_of(uid),
                                  .name_space = S("web"),
                                  .name = str_of(name),
                                  .phase = POD_PHASE_RUNNING};
    assert_int_equal(brain_pod_seen(&scene->brain, &news, scene->now_ms, NULL), ERR_OK);
}

static const char *named(const struct scene *scene, const char *name_space, const char *uid)
{
    const struct pod *pod =
        brain_find_named(&scene->brain, str_of(name_space), S("db-0"), str_of(uid));
    return pod != NULL ? pod->uid : "";
}

/* A StatefulSet's pod comes again under its name while the end of the former one is not proven, or
 * was not seen at all. */
static void test_of_two_pods_of_one_name_the_newest_answers(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    assert_string_equal(named(&scene, "web", ""), "");
    give_named(&scene, "first", "db-0");
    give_named(&scene, "other", "db-1");
    assert_string_equal(named(&scene, "web", ""), "first");
    assert_string_equal(named(&scene, "elsewhere", ""), "");
    pass(&scene, 1000);
    give_named(&scene, "second", "db-0"); /* the event that told of the end is lost */
    assert_string_equal(named(&scene, "web", ""), "second");
    assert_string_equal(named(&scene, "web", "first"), "first");
    brain_pod_deleted(&scene.brain, S("second"), scene.now_ms);
    assert_string_equal(named(&scene, "web", ""), "first");
    brain_pod_deleted(&scene.brain, S("first"), scene.now_ms);
    pass(&scene, 1000);
    give_named(&scene, "third", "db-0");
    assert_string_equal(named(&scene, "web", ""), "third");
    assert_string_equal(named(&scene, "web", "nobody"), "");
    scene_close(&scene);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_note_that_was_not_found_is_asked_about_when_it_shows),
    cmocka_unit_test(test_a_note_that_was_not_found_gives_nobody_elses_instance),
    cmocka_unit_test(test_a_refuted_note_gives_the_pod_its_own_group_back),
    cmocka_unit_test(test_a_group_that_two_notes_name_is_nobodys_till_it_is_read),
    cmocka_unit_test(test_a_group_that_two_notes_name_is_gone_when_listings_say_so),
    cmocka_unit_test(test_a_group_that_two_notes_name_is_lost_to_both),
    cmocka_unit_test(test_a_group_that_two_notes_name_goes_when_all_pods_go),
    cmocka_unit_test(test_a_pod_with_a_group_of_its_own_keeps_it),
    cmocka_unit_test(test_a_group_that_two_notes_name_may_be_too_large_to_be_read),
    cmocka_unit_test(test_a_pod_has_one_note_at_a_time),
    cmocka_unit_test(test_notes_make_room_for_what_is_there),
    cmocka_unit_test(test_what_a_note_names_is_not_deleted_while_listings_show_it),
    cmocka_unit_test(test_what_a_note_names_is_not_deleted_before_all_pods_are_listed),
    cmocka_unit_test(test_a_note_counts_when_the_pod_of_another_one_is_gone),
    cmocka_unit_test(test_who_waits_passes_a_note_on),
    cmocka_unit_test(test_of_two_pods_of_one_name_the_newest_answers),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
