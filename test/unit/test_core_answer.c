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

/* Two notes name one group; its own pod comes second and leaves. No sweep says that it has none,
 * and nothing is deleted by its id alone. */
static void test_a_group_that_two_notes_name_is_nobodys_till_it_is_read(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_note(&scene, "thief", POD_PHASE_PENDING, true, "eci-1");
    give_note(&scene, "a", POD_PHASE_PENDING, true, "eci-1");
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
    effect = expect(&scene, EFFECT_DELETE);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    scene_close(&scene);
}

/* ... and when other groups are listed but never that one, it is gone, and both may go. */
static void test_a_group_that_two_notes_name_is_gone_when_listings_say_so(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    give_note(&scene, "thief", POD_PHASE_PENDING, true, "eci-1");
    give_note(&scene, "a", POD_PHASE_PENDING, true, "eci-1");
    answer_not_found(&scene, 1);
    const char *const other[] = {"eci-7", NULL};
    sweep(&scene, other);
    answer_tags(&scene, "eci-7", "b");
    struct effect effect = expect(&scene, EFFECT_PROVE);
    brain_prove_done(&scene.brain, effect.pod, ERR_TIMEOUT, scene.now_ms);
    bool was_read = false;
    uint32_t finished = 0;
    for (int i = 0; i < 12 && finished < 2; i++) {
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
                finished++;
                brain_finish_done(&scene.brain, effect.pod, ERR_OK, scene.now_ms);
            } else if (effect.kind == EFFECT_DELTA) {
                brain_delta_done(&scene.brain, ERR_OK, effect.started_ms, scene.now_ms);
            }
        }
    }
    assert_true(was_read);
    assert_int_equal(finished, 2);
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
    cmocka_unit_test(test_a_pod_with_a_group_of_its_own_keeps_it),
    cmocka_unit_test(test_a_group_that_two_notes_name_may_be_too_large_to_be_read),
    cmocka_unit_test(test_of_two_pods_of_one_name_the_newest_answers),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
