/*
 * Whose instance answers for a pod: of the pods of one name the newest is meant.
 */
#include "core_scene.h"

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
    cmocka_unit_test(test_of_two_pods_of_one_name_the_newest_answers),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
