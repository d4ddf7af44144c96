/*
 * The brain and facts that are odd: too long, from nobody, about nobody, of a group that the cloud
 * has forgotten, or of two objects that one hash stands for. And what it makes of facts that come
 * in an unusual order.
 */
#include "core_scene.h"

static struct effect made(struct scene *scene, const char *uid)
{
    give(scene, uid, POD_PHASE_PENDING, false);
    return expect(scene, EFFECT_CREATE);
}

static void read_as(struct scene *scene, const struct effect *effect, bool was_found)
{
    bool found[READ_BATCH_MAX];
    for (size_t i = 0; i < READ_BATCH_MAX; i++) {
        found[i] = was_found;
    }
    brain_read_done(&scene->brain, effect, ERR_OK, found, scene->now_ms);
}

static struct group *row(struct scene *scene, const char *id, enum eci_status status, uint64_t hash)
{
    return brain_row_seen(&scene->brain, str_of(id), status, hash, scene->now_ms, scene->now_ms);
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void test_facts_news_have_limits(void **state)
{
    static const struct {
        size_t uid, name_space, name;
        enum err err;
    } cases[] = {
        {1, 1, 1, ERR_OK},
        {POD_UID_BYTES - 1, POD_NAMESPACE_BYTES - 1, POD_NAME_BYTES - 1, ERR_OK},
        {0, 1, 1, ERR_TOO_BIG},
        {1, 0, 1, ERR_TOO_BIG},
        {1, 1, 0, ERR_TOO_BIG},
        {POD_UID_BYTES, 1, 1, ERR_TOO_BIG},
        {1, POD_NAMESPACE_BYTES, 1, ERR_TOO_BIG},
        {1, 1, POD_NAME_BYTES, ERR_TOO_BIG},
    };
    char text[POD_NAME_BYTES];
    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        const struct pod_news news = {.uid = str_make(text, cases[i].uid),
                                      .name_space = str_make(text, cases[i].name_space),
                                      .name = str_make(text, cases[i].name)};
        scene_open(&scene);
        assert_int_equal(brain_pod_seen(&scene.brain, &news, 1000, NULL), cases[i].err);
        assert_int_equal(scene.brain.pods.count, cases[i].err == ERR_OK ? 1 : 0);
        assert_int_equal(brain_pod_aside(&scene.brain, &news, "x", 1000), cases[i].err);
        scene_close(&scene);
    }
}

/* A NUL would end the text that is kept, which then is not the one that came; other controls take
 * six times their room in a request. */
static void test_facts_news_with_controls_are_not_taken(void **state)
{
    static const str odd[] = {S("a\0b"), S("\0"), S("a\0"), S("a\x01"), S("a b"), S("\x7f")};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        const struct pod_news cases[] = {
            {.uid = odd[i], .name_space = S("web"), .name = S("a")},
            {.uid = S("a"), .name_space = odd[i], .name = S("a")},
            {.uid = S("a"), .name_space = S("web"), .name = odd[i]},
        };
        for (size_t k = 0; k < COUNT_OF(cases); k++) {
            struct scene scene;
            scene_open(&scene);
            assert_int_equal(brain_pod_seen(&scene.brain, &cases[k], 1000, NULL), ERR_TOO_BIG);
            assert_int_equal(brain_pod_aside(&scene.brain, &cases[k], "x", 1000), ERR_TOO_BIG);
            scene_close(&scene);
        }
    }
}

static void test_facts_group_ids_have_limits(void **state)
{
    char text[GROUP_ID_BYTES];
    struct scene scene;
    (void)state;
    memset(text, 'x', sizeof text);
    open_running(&scene);
    assert_null(
        brain_row_seen(&scene.brain, STR_NONE, ECI_STATUS_RUNNING, 1, scene.now_ms, scene.now_ms));
    assert_null(brain_row_seen(&scene.brain, str_make(text, sizeof text), ECI_STATUS_RUNNING, 1,
                               scene.now_ms, scene.now_ms));
    assert_int_equal(scene.brain.counters.refused_groups, 2);
    const struct pod_news noted = {.uid = S("a"),
                                   .name_space = S("web"),
                                   .name = S("a"),
                                   .instance_id = str_make(text, sizeof text),
                                   .instance_attempt = 1};
    assert_int_equal(brain_pod_seen(&scene.brain, &noted, scene.now_ms, NULL), ERR_OK);
    struct effect effect = expect(&scene, EFFECT_CREATE);
    brain_create_done(&scene.brain, effect.pod, CREATE_ACCEPTED, ERR_OK,
                      str_make(text, sizeof text), STR_NONE, scene.now_ms);
    assert_true(brain_pod(&scene.brain, effect.pod)->doubt_ms > 0); /* tags will tell */
    assert_int_equal(scene.brain.groups.count, 0);
    scene_close(&scene);
}

static const struct tag_facts good_tags = {
    .uid = S("a"), .name_space = S("web"), .name = S("a"), .attempt = 1, .is_ours = true};

static void test_facts_tags_that_name_no_pod_are_not_ours(void **state)
{
    static char text[POD_NAME_BYTES];
    (void)state;
    memset(text, 'x', sizeof text);
    struct tag_facts cases[] = {good_tags, good_tags, good_tags, good_tags, good_tags, good_tags,
                                good_tags, good_tags, good_tags, good_tags, good_tags, good_tags};
    cases[1].is_ours = false;
    cases[2].uid = STR_NONE;
    cases[3].name_space = STR_NONE;
    cases[4].name = STR_NONE;
    cases[5].uid = str_make(text, POD_UID_BYTES);
    cases[6].name_space = str_make(text, POD_NAMESPACE_BYTES);
    cases[7].name = str_make(text, POD_NAME_BYTES);
    cases[8].uid = S("a\0"); /* what is kept of it would be the pod's */
    cases[9].uid = S("\0a");
    cases[10].name_space = S("web\0");
    cases[11].name = S("\0");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        open_running(&scene);
        give(&scene, "a", POD_PHASE_RUNNING, false);
        struct group *group = row(&scene, "eci-1", ECI_STATUS_RUNNING, 5);
        brain_tags_seen(&scene.brain, group, &cases[i], scene.now_ms);
        assert_int_equal(group->is_foreign, i > 0);
        assert_int_equal(brain_find_pod(&scene.brain, S("a"))->group.slot != 0, i == 0);
        assert_int_equal(scene.brain.untagged, 0);
        sweep(&scene, nothing); /* gone: forgotten, too, by whatever it is known */
        sweep(&scene, nothing);
        scene_close(&scene);
    }
}

/* ---- slots ----------------------------------------------------------------------------------- */

/* Without a slot for every group no listing is complete; people are told once. */
static void test_facts_more_groups_than_slots(void **state)
{
    struct scene scene;
    (void)state;
    open_running(&scene);
    uint32_t count = 0;
    char id[32];
    do {
        (void)snprintf(id, sizeof id, "eci-%u", count++);
    } while (row(&scene, id, ECI_STATUS_RUNNING, 1) != NULL);
    assert_int_equal(count - 1, scene.brain.groups.count_max);
    assert_int_equal(scene.brain.counters.refused_groups, 1);
    uint32_t digested = scene.brain.sweeps_digested, told = 0;
    for (int i = 0; i < 3; i++) {
        struct effect effect = {0};
        scene.now_ms =
            scene.brain.sweep_at_ms > scene.now_ms ? scene.brain.sweep_at_ms : scene.now_ms;
        while (brain_next(&scene.brain, scene.now_ms, &effect) && effect.kind != EFFECT_SWEEP) {
        }
        assert_int_equal(effect.kind, EFFECT_SWEEP);
        brain_sweep_done(&scene.brain, ERR_OK, false, count, effect.started_ms, scene.now_ms);
        told += count_events(&scene, "TooManyContainerGroups");
    }
    assert_int_equal(told, 1);
    assert_int_equal(scene.brain.sweeps_digested, digested);
    const struct pod_news noted = {.uid = S("a"),
                                   .name_space = S("web"),
                                   .name = S("a"),
                                   .instance_id = S("eci-noted"),
                                   .instance_attempt = 1};
    assert_int_equal(brain_pod_seen(&scene.brain, &noted, scene.now_ms, NULL), ERR_OK);
    assert_null(brain_find_group(&scene.brain, S("eci-noted"))); /* a listing may bring it */
    scene_close(&scene);
}

/* ---- hashes ---------------------------------------------------------------------------------- */

#define NAMES 300000

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void name_of(uint64_t number, char out[static 24])
{
    (void)snprintf(out, 24, "u-%llu", (unsigned long long)number);
}

/* Two names that are one to the indexes, which keep 32 bits of a hash (index.c folds it). */
static void alike(char one[static 24], char other[static 24])
{
    static uint64_t found[NAMES];
    for (uint64_t i = 0; i < NAMES; i++) {
        name_of(i, one);
        uint64_t hash = str_hash(str_of(one));
        found[i] = (uint64_t)(uint32_t)(hash ^ hash >> 32) << 32 | i;
    }
    qsort(found, NAMES, sizeof found[0], by_number);
    size_t i = 1;
    while (i < NAMES && found[i] >> 32 != found[i - 1] >> 32) {
        i++;
    }
    assert_true(i < NAMES);
    name_of(found[i - 1] & UINT32_MAX, one);
    name_of(found[i] & UINT32_MAX, other);
}

static void test_facts_names_of_one_hash_are_kept_apart(void **state)
{
    char a[24], b[24];
    struct scene scene;
    (void)state;
    alike(a, b);
    open_running(&scene);
    const char *const uids[] = {a, b};
    for (size_t i = 0; i < 2; i++) { /* the groups are called as their pods are */
        struct effect effect = made(&scene, uids[i]);
        brain_create_done(&scene.brain, effect.pod, CREATE_ACCEPTED, ERR_OK, str_of(uids[i]),
                          STR_NONE, scene.now_ms);
        (void)row(&scene, uids[i], ECI_STATUS_RUNNING, 7);
        brain_find_pod(&scene.brain, str_of(uids[i]))->reported_row = 7;
        brain_find_pod(&scene.brain, str_of(uids[i]))->phase = POD_PHASE_RUNNING;
    }
    for (size_t i = 0; i < 2; i++) {
        struct pod *pod = brain_find_pod(&scene.brain, str_of(uids[i]));
        assert_string_equal(pod->uid, uids[i]);
        assert_string_equal(brain_group(&scene.brain, pod->group)->id, uids[i]);
    }
    give(&scene, b, POD_PHASE_RUNNING, true); /* one goes, and the other one's group does not */
    struct effect effect = expect(&scene, EFFECT_DELETE);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, b);
    brain_delete_done(&scene.brain, effect.groups[0], ERR_OK, scene.now_ms);
    pass(&scene, 1000);
    effect = expect(&scene, EFFECT_READ);
    read_as(&scene, &effect, false);
    effect = expect(&scene, EFFECT_FINISH);
    assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, b);
    assert_non_null(brain_find_group(&scene.brain, str_of(a)));
    scene_close(&scene);
}

/* ---- notes ----------------------------------------------------------------------------------- */

static void give_noted_running(struct scene *scene)
{
    const struct pod_news noted = {.uid = S("a"),
                                   .name_space = S("web"),
                                   .name = S("a"),
                                   .phase = POD_PHASE_RUNNING,
                                   .instance_id = S("eci-1"),
                                   .instance_attempt = 1,
                                   .is_described = true};
    assert_int_equal(brain_pod_seen(&scene->brain, &noted, scene->now_ms, NULL), ERR_OK);
}

/* A pod that runs is told of a group by its note alone; the tags say otherwise, so its own group is
 * somewhere else and must be looked for. */
static void test_facts_a_refuted_note_leaves_a_running_pod_in_doubt(void **state)
{
    struct tag_facts others = good_tags;
    (void)state;
    others.uid = S("b");
    const struct tag_facts nobodys = {.is_ours = false};
    const struct tag_facts *const cases[] = {&others, &nobodys};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        open_running(&scene);
        give_noted_running(&scene);
        const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
        assert_int_equal(pod->doubt_ms, 0);
        struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
        struct group *group = brain_find_group(&scene.brain, S("eci-1"));
        brain_tags_seen(&scene.brain, group, cases[i], scene.now_ms);
        read_as(&scene, &effect, true);
        assert_true(handle_is_none(pod->group));
        assert_true(pod->doubt_ms == scene.now_ms);
        assert_int_equal(group->is_foreign, cases[i] == &nobodys);
        scene_close(&scene);
    }
}

/* ... but not when another group counts for it. */
static void test_facts_a_refuted_note_beside_the_group_that_counts_is_no_doubt(void **state)
{
    const struct tag_facts nobodys = {.is_ours = false};
    struct scene scene;
    (void)state;
    open_running(&scene);
    give_noted_running(&scene);
    (void)row(&scene, "eci-2", ECI_STATUS_RUNNING, 7);
    tag_made(&scene, "eci-2", "a", 2, 500);
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-2");
    struct group *noted = brain_find_group(&scene.brain, S("eci-1"));
    brain_tags_seen(&scene.brain, noted, &nobodys, scene.now_ms);
    assert_true(noted->is_foreign && !noted->is_extra);
    assert_int_equal(pod->doubt_ms, 0);
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-2");
    scene_close(&scene);
}

/* The tags of a group come when its pod is long forgotten: what they say is known all the same. */
static void test_facts_tags_after_the_pod_was_forgotten(void **state)
{
    const struct tag_facts nobodys = {.is_ours = false};
    const struct tag_facts *const cases[] = {&good_tags, &nobodys};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        open_running(&scene);
        give_noted_running(&scene);
        struct effect details = expect(&scene, EFFECT_READ_DETAIL), effect; /* takes its time */
        assert_string_equal(brain_group(&scene.brain, details.groups[0])->id, "eci-1");
        (void)row(&scene, "eci-1", ECI_STATUS_TERMINATING, 6);
        (void)row(&scene, "eci-2", ECI_STATUS_RUNNING, 7);
        tag_made(&scene, "eci-2", "a", 1, 500); /* so this one counts */
        struct group *noted = brain_find_group(&scene.brain, S("eci-1"));
        struct pod *pod = brain_find_pod(&scene.brain, S("a"));
        assert_true(noted->must_date);
        pod->object = OBJECT_GONE; /* proven, after a deletion that was seen */
        pod->saw_deletion = true;
        for (int step = 0; step < 60 && brain_find_pod(&scene.brain, S("a")) != NULL; step++) {
            pass(&scene, 1000);
            while (brain_next(&scene.brain, scene.now_ms, &effect)) {
                if (effect.kind == EFFECT_DELETE) {
                    brain_delete_done(&scene.brain, effect.groups[0], ERR_OK, scene.now_ms);
                } else if (effect.kind == EFFECT_READ || effect.kind == EFFECT_READ_DETAIL) {
                    read_as(&scene, &effect, false);
                }
            }
        }
        assert_null(brain_find_pod(&scene.brain, S("a")));
        brain_tags_seen(&scene.brain, noted, cases[i], scene.now_ms);
        read_as(&scene, &details, true);
        assert_int_equal(noted->is_foreign, cases[i] == &nobodys);
        assert_false(noted->must_date || noted->is_noted);
        scene_close(&scene);
    }
}

/* Its loss was told; a group that appears later does not unsay that. */
static void test_facts_a_loss_that_was_told_stays_told(void **state)
{
    struct scene scene;
    (void)state;
    open_with_group(&scene);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    pod->say = SAY_LOST;
    pod->say_reason = "NotFound";
    pod->was_said = true;
    const struct pod_news noted = {.uid = S("a"),
                                   .name_space = S("web"),
                                   .name = S("a"),
                                   .phase = POD_PHASE_FAILED,
                                   .instance_id = S("eci-7"),
                                   .instance_attempt = 2};
    assert_int_equal(brain_pod_seen(&scene.brain, &noted, scene.now_ms, NULL), ERR_OK);
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-7");
    assert_int_equal(pod->say, SAY_LOST);
    scene_close(&scene);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void test_facts_a_foreign_group_that_is_gone_is_forgotten(void **state)
{
    static const char *const both[] = {"eci-1", "eci-2", NULL}, *const ours[] = {"eci-1", NULL};
    const struct tag_facts nobodys = {.is_ours = false};
    struct scene scene;
    (void)state;
    open_with_group(&scene);
    sweep(&scene, both);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    brain_tags_seen(&scene.brain, brain_find_group(&scene.brain, S("eci-2")), &nobodys,
                    scene.now_ms);
    read_as(&scene, &effect, true);
    pass(&scene, 1000);
    sweep(&scene, both);
    assert_non_null(brain_find_group(&scene.brain, S("eci-2")));
    pass(&scene, 1000);
    sweep(&scene, ours); /* whose it is was never ours to know: nothing more to prove */
    assert_null(brain_find_group(&scene.brain, S("eci-2")));
    assert_non_null(brain_find_group(&scene.brain, S("eci-1")));
    scene_close(&scene);
}

/* A date that the cloud does not give is asked for once; whoever has one is the older. */
static void test_facts_a_twin_without_a_date_counts_less(void **state)
{
    struct scene scene;
    (void)state;
    open_with_group(&scene);
    (void)row(&scene, "eci-2", ECI_STATUS_RUNNING, 9);
    struct effect effect = expect(&scene, EFFECT_READ_DETAIL);
    tag_made(&scene, "eci-2", "a", 1, 500);
    read_as(&scene, &effect, true);
    effect = expect(&scene, EFFECT_READ_DETAIL);
    assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-1");
    tag(&scene, "eci-1", "a", 1);
    read_as(&scene, &effect, true);
    assert_false(brain_find_group(&scene.brain, S("eci-1"))->must_date);
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-2");
    scene_close(&scene);
}

/* The one that counted is gone, and two are left: the older of them counts, whatever their order.
 */
static void test_facts_the_older_of_the_twins_left_counts(void **state)
{
    static const int64_t dates[][2] = {{500, 400}, {400, 500}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(dates); i++) {
        struct scene scene;
        struct effect effect;
        open_running(&scene);
        give(&scene, "a", POD_PHASE_RUNNING, false);
        (void)row(&scene, "eci-1", ECI_STATUS_RUNNING, 7);
        pass(&scene, 1000); /* what is known of it is too old for the others to go */
        (void)row(&scene, "eci-2", ECI_STATUS_RUNNING, 7);
        (void)row(&scene, "eci-3", ECI_STATUS_RUNNING, 7);
        tag_made(&scene, "eci-1", "a", 1, 300);
        tag_made(&scene, "eci-2", "a", 1, dates[i][0]);
        tag_made(&scene, "eci-3", "a", 1, dates[i][1]);
        struct pod *pod = brain_find_pod(&scene.brain, S("a"));
        handle first = pod->group;
        assert_string_equal(brain_group(&scene.brain, first)->id, "eci-1");
        brain_delete_done(&scene.brain, first, ERR_OK, scene.now_ms); /* by an earlier life */
        pass(&scene, 30000);
        do {
            assert_true(brain_next(&scene.brain, scene.now_ms, &effect));
        } while (effect.kind != EFFECT_READ || !handle_eq(effect.groups[0], first));
        read_as(&scene, &effect, false);
        assert_null(brain_find_group(&scene.brain, S("eci-1")));
        assert_string_equal(brain_group(&scene.brain, pod->group)->id,
                            dates[i][0] < dates[i][1] ? "eci-2" : "eci-3");
        scene_close(&scene);
    }
}

/* What the scheduler does not see: groups of ours without a pod; not those of others, the ended,
 * the ones too many. And it is known only when everything was read and can be read. */
static void test_facts_a_look_counts_what_is_ours_and_lives(void **state)
{
    const struct tag_facts nobodys = {.is_ours = false};
    struct scene scene;
    struct capacity_look look;
    (void)state;
    scene_open(&scene);
    tag_made(&scene, row(&scene, "eci-0", ECI_STATUS_RUNNING, 1)->id, "z", 1, 5);
    assert_false(brain_look(&scene.brain, &look)); /* the cluster was not read */
    assert_int_equal(look.strays, 1);
    list_nothing(&scene);
    assert_false(brain_look(&scene.brain, &look)); /* ... the cloud was not */
    scene_close(&scene);
    open_running(&scene);
    const struct pod_news news = {.uid = S("a"),
                                  .name_space = S("web"),
                                  .name = S("a"),
                                  .phase = POD_PHASE_RUNNING,
                                  .request_milli = 1500};
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    (void)row(&scene, "eci-1", ECI_STATUS_RUNNING, 1);
    tag_made(&scene, "eci-1", "a", 1, 5);
    (void)row(&scene, "eci-2", ECI_STATUS_RUNNING, 1);
    tag_made(&scene, "eci-2", "a", 1, 6);              /* one too many */
    (void)row(&scene, "eci-3", ECI_STATUS_RUNNING, 1); /* nobody knows yet */
    brain_tags_seen(&scene.brain, row(&scene, "eci-4", ECI_STATUS_RUNNING, 1), &nobodys,
                    scene.now_ms);
    (void)row(&scene, "eci-5", ECI_STATUS_FAILED, 1);
    tag_made(&scene, "eci-5", "b", 1, 5);
    assert_true(brain_look(&scene.brain, &look));
    assert_int_equal(look.requests_milli, 1500);
    assert_int_equal(look.strays, 0);
    brain_cloud_answered(&scene.brain, ERR_AUTH, STR_NONE, scene.now_ms);
    assert_false(brain_look(&scene.brain, &look));
    scene_close(&scene);
}

/* ---- pods ------------------------------------------------------------------------------------ */

static void test_facts_daemonset_pods_are_told_once(void **state)
{
    const struct pod_news news = {
        .uid = S("d"), .name_space = S("web"), .name = S("d"), .is_daemon = true};
    struct scene scene;
    (void)state;
    open_running(&scene);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    }
    assert_int_equal(count_events(&scene, "DaemonSetNotSupported"), 1);
    scene_close(&scene);
}

/* A pod that is deleted before anything was read is asked for when a list can be trusted. */
static void test_facts_a_deletion_before_the_first_list_waits(void **state)
{
    struct scene scene;
    (void)state;
    scene_open(&scene);
    sweep(&scene, nothing);
    give(&scene, "a", POD_PHASE_PENDING, false);
    brain_pod_deleted(&scene.brain, S("a"), scene.now_ms);
    expect_silence(&scene);
    assert_non_null(strstr(brain_pod_why(brain_find_pod(&scene.brain, S("a"))), "not seen"));
    list_nothing(&scene);
    (void)expect(&scene, EFFECT_PROVE);
    scene_close(&scene);
}

/* It ran once, as others say, but has no group by all that was read, soon after the start: when it
 * leaves there is nothing more to wait for. */
static void test_facts_a_pod_left_as_it_is_may_leave_at_once(void **state)
{
    static const char *const others[] = {"eci-b", NULL};
    struct scene scene;
    (void)state;
    open_running(&scene);
    give(&scene, "b", POD_PHASE_RUNNING, false);
    (void)row(&scene, "eci-b", ECI_STATUS_RUNNING, 77);
    tag_made(&scene, "eci-b", "b", 1, 5);
    brain_find_pod(&scene.brain, S("b"))->reported_row = 77;
    give(&scene, "a", POD_PHASE_RUNNING, false);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    for (int i = 0; i < 4 && pod->doubt_ms != 0; i++) {
        pass(&scene, 10000);
        scene.brain.sweep_at_ms = scene.now_ms;
        sweep(&scene, others);
    }
    assert_int_equal(pod->doubt_ms, 0);
    assert_int_equal(count_events(&scene, "InstanceUnknown"), 1);
    assert_true(scene.now_ms < scene.brain.started_ms + scene.brain.config.young_ms);
    give(&scene, "a", POD_PHASE_RUNNING, true);
    struct effect effect = expect(&scene, EFFECT_FINISH);
    assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, "a");
    scene_close(&scene);
}

/* It waited, as its status says; others ended it; an older status comes last. The end stands. */
static void test_facts_an_end_is_written_over_a_wait(void **state)
{
    struct scene scene;
    (void)state;
    open_running(&scene);
    struct effect effect = made(&scene, "a");
    brain_create_waits(&scene.brain, effect.pod, "MandatorySecretNotFound", S("no Secret x"),
                       scene.now_ms);
    struct pod *pod = brain_pod(&scene.brain, effect.pod);
    assert_int_equal(pod->say, SAY_PENDING);
    give(&scene, "a", POD_PHASE_SUCCEEDED, false);
    give(&scene, "a", POD_PHASE_PENDING, false);
    assert_int_equal(pod->say, SAY_SUCCEEDED);
    assert_string_equal(pod->say_reason, "Completed");
    pass(&scene, 60000);
    effect = expect(&scene, EFFECT_SAY);
    assert_string_equal(brain_pod(&scene.brain, effect.pod)->uid, "a");
    scene_close(&scene);
}

/* JSON can say NUL, our texts end with it: such a UID is nobody's. */
static void test_facts_a_uid_with_a_nul_is_nobodys(void **state)
{
    (void)state;
    struct scene scene;
    open_running(&scene);
    const str uid = str_make("a\0b", 3);
    const struct pod_news news = {.uid = uid, .name_space = S("web"), .name = S("a")};
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_TOO_BIG);
    struct group *group = brain_row_seen(&scene.brain, S("eci-1"), ECI_STATUS_RUNNING, 77,
                                         scene.now_ms, scene.now_ms);
    const struct tag_facts tags = {
        .uid = uid, .name_space = S("web"), .name = S("a"), .attempt = 1, .is_ours = true};
    brain_tags_seen(&scene.brain, group, &tags, scene.now_ms);
    assert_true(group->is_foreign);
    pass(&scene, 60000);
    const char *const ids[] = {"eci-2", NULL};
    sweep(&scene, ids);
    tag(&scene, "eci-2", "elsewhere", 1); /* with that the sweep counts */
    assert_null(brain_find_group(&scene.brain, S("eci-1")));
    scene_close(&scene);
}

/* eci-1 counts, and later eci-2 is found beside it; both are known to be ours, and their dates. */
static void open_with_extra(struct scene *scene)
{
    open_with_group(scene);
    brain_find_group(&scene->brain, S("eci-1"))->created_unix_s = 400;
    pass(scene, 1000);
    (void)row(scene, "eci-2", ECI_STATUS_RUNNING, 77);
    tag_made(scene, "eci-2", "a", 1, 500);
    assert_true(brain_find_group(&scene->brain, S("eci-2"))->is_extra);
}

static void both_are_listed(struct scene *scene)
{
    pass(scene, 100);
    (void)row(scene, "eci-1", ECI_STATUS_RUNNING, 77);
    (void)row(scene, "eci-2", ECI_STATUS_RUNNING, 77);
}

/* That the one that counts was there before the other one was known proves nothing, however short
 * that was ago: it is read again. */
static void test_facts_a_proof_older_than_the_twin_is_none(void **state)
{
    static const msec proof_ms[] = {-500, 500};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(proof_ms); i++) {
        struct scene scene;
        open_with_extra(&scene);
        struct group *first = brain_find_group(&scene.brain, S("eci-1"));
        const struct group *extra = brain_find_group(&scene.brain, S("eci-2"));
        first->proof_began_ms = extra->known_since_ms + proof_ms[i];
        pass(&scene, 500);
        first->proof_came_ms = scene.now_ms;
        both_are_listed(&scene);
        struct effect effect = expect(&scene, proof_ms[i] < 0 ? EFFECT_READ_DETAIL : EFFECT_DELETE);
        assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id,
                            proof_ms[i] < 0 ? "eci-1" : "eci-2");
        scene_close(&scene);
    }
}

/* Nothing needs the one that counts when the pod has ended, or the other one goes already. */
static void test_facts_an_extra_group_that_nothing_needs_goes_unproven(void **state)
{
    static const struct {
        enum pod_phase phase;
        enum eci_status extra_status;
        bool is_unproven;
    } cases[] = {
        {POD_PHASE_RUNNING, ECI_STATUS_RUNNING, false},
        {POD_PHASE_FAILED, ECI_STATUS_RUNNING, true},
        {POD_PHASE_RUNNING, ECI_STATUS_FAILED, true},
        {POD_PHASE_RUNNING, ECI_STATUS_TERMINATING, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scene scene;
        open_with_extra(&scene);
        brain_find_pod(&scene.brain, S("a"))->phase = cases[i].phase;
        both_are_listed(&scene);
        (void)row(&scene, "eci-2", cases[i].extra_status, 78);
        struct effect effect;
        do {
            assert_true(brain_next(&scene.brain, scene.now_ms, &effect));
        } while (effect.groups_count == 0 ||
                 (effect.kind == EFFECT_DELETE &&
                  strcmp(brain_group(&scene.brain, effect.groups[0])->id, "eci-2") != 0));
        assert_int_equal(effect.kind, cases[i].is_unproven ? EFFECT_DELETE : EFFECT_READ_DETAIL);
        scene_close(&scene);
    }
}

/* Both groups of a pod that nobody knows are read before the first listing counts: one pod is
 * claimed for them, and proven gone once. */
static void test_facts_two_orphans_of_one_pod_claim_it_once(void **state)
{
    struct scene scene;
    (void)state;
    scene_open(&scene);
    list_nothing(&scene);
    struct effect effect = expect(&scene, EFFECT_SWEEP);
    pass(&scene, 10);
    (void)row(&scene, "eci-1", ECI_STATUS_RUNNING, 7);
    (void)row(&scene, "eci-2", ECI_STATUS_RUNNING, 7);
    tag_made(&scene, "eci-1", "a", 1, 400);
    tag_made(&scene, "eci-2", "a", 1, 500);
    assert_int_equal(scene.brain.pods.count, 0);
    brain_sweep_done(&scene.brain, ERR_OK, true, 2, effect.started_ms, scene.now_ms);
    assert_int_equal(scene.brain.pods.count, 1);
    const struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    assert_int_equal(pod->object, OBJECT_CLAIMED);
    assert_string_equal(brain_group(&scene.brain, pod->group)->id, "eci-1");
    assert_true(brain_find_group(&scene.brain, S("eci-2"))->is_extra);
    scene_close(&scene);
}

static void is_too_big(struct scene *scene)
{
    scene->brain.detail_batch = 1;
    struct effect effect = expect(scene, EFFECT_READ_DETAIL);
    assert_string_equal(brain_group(&scene->brain, effect.groups[0])->id, "eci-1");
    brain_read_done(&scene->brain, &effect, ERR_TOO_BIG, (bool[READ_BATCH_MAX]){false},
                    scene->now_ms);
}

/* Details too large prove that it is there, each time that is asked; people are told once. */
static void test_facts_details_too_large_are_a_proof_and_told_once(void **state)
{
    struct scene scene;
    (void)state;
    open_with_extra(&scene);
    both_are_listed(&scene);
    for (int i = 0; i < 2; i++) {
        is_too_big(&scene);
        struct effect effect = expect(&scene, EFFECT_DELETE);
        assert_string_equal(brain_group(&scene.brain, effect.groups[0])->id, "eci-2");
        brain_delete_done(&scene.brain, effect.groups[0], ERR_BUSY, scene.now_ms);
        pass(&scene, 60000);
    }
    assert_true(brain_find_group(&scene.brain, S("eci-1"))->is_unreadable);
    assert_int_equal(count_events(&scene, "GroupUnreadable"), 1);
    scene_close(&scene);
}

/* Its init containers stay unknown, and nobody asks for them again. */
static void test_facts_init_containers_too_large_are_asked_for_once(void **state)
{
    struct scene scene;
    (void)state;
    open_with_group(&scene);
    struct pod *pod = brain_find_pod(&scene.brain, S("a"));
    pod->has_init = true;
    pod->reported_row = 78;
    pass(&scene, 10000);
    (void)row(&scene, "eci-1", ECI_STATUS_RUNNING, 78);
    is_too_big(&scene);
    pass(&scene, 60000);
    expect_silence(&scene); /* but for a sweep */
    expect_silence(&scene);
    scene_close(&scene);
}

/* Who acts tells of pods; one that waits tells only of itself. */
static void test_facts_who_only_looks_tells_of_no_pod(void **state)
{
    const struct pod_news news = {
        .uid = S("d"), .name_space = S("web"), .name = S("d"), .is_daemon = true};
    struct scene scene;
    (void)state;
    scene_open(&scene);
    scene.brain.polls_are_on = false; /* the scene had begun to act */
    brain_only_look(&scene.brain);
    list_nothing(&scene);
    assert_int_equal(brain_pod_seen(&scene.brain, &news, scene.now_ms, NULL), ERR_OK);
    brain_warn(&scene.brain, "ForeignLease", "another one holds it");
    struct brain_event event;
    assert_true(brain_take_event(&scene.brain, &event));
    assert_string_equal(event.reason, "ForeignLease");
    assert_false(brain_take_event(&scene.brain, &event));
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_news_have_limits),
        cmocka_unit_test(test_facts_news_with_controls_are_not_taken),
        cmocka_unit_test(test_facts_group_ids_have_limits),
        cmocka_unit_test(test_facts_a_uid_with_a_nul_is_nobodys),
        cmocka_unit_test(test_facts_tags_that_name_no_pod_are_not_ours),
        cmocka_unit_test(test_facts_more_groups_than_slots),
        cmocka_unit_test(test_facts_names_of_one_hash_are_kept_apart),
        cmocka_unit_test(test_facts_a_refuted_note_leaves_a_running_pod_in_doubt),
        cmocka_unit_test(test_facts_a_refuted_note_beside_the_group_that_counts_is_no_doubt),
        cmocka_unit_test(test_facts_tags_after_the_pod_was_forgotten),
        cmocka_unit_test(test_facts_a_loss_that_was_told_stays_told),
        cmocka_unit_test(test_facts_a_foreign_group_that_is_gone_is_forgotten),
        cmocka_unit_test(test_facts_a_twin_without_a_date_counts_less),
        cmocka_unit_test(test_facts_the_older_of_the_twins_left_counts),
        cmocka_unit_test(test_facts_a_proof_older_than_the_twin_is_none),
        cmocka_unit_test(test_facts_an_extra_group_that_nothing_needs_goes_unproven),
        cmocka_unit_test(test_facts_two_orphans_of_one_pod_claim_it_once),
        cmocka_unit_test(test_facts_details_too_large_are_a_proof_and_told_once),
        cmocka_unit_test(test_facts_init_containers_too_large_are_asked_for_once),
        cmocka_unit_test(test_facts_who_only_looks_tells_of_no_pod),
        cmocka_unit_test(test_facts_a_look_counts_what_is_ours_and_lives),
        cmocka_unit_test(test_facts_daemonset_pods_are_told_once),
        cmocka_unit_test(test_facts_a_deletion_before_the_first_list_waits),
        cmocka_unit_test(test_facts_a_pod_left_as_it_is_may_leave_at_once),
        cmocka_unit_test(test_facts_an_end_is_written_over_a_wait),
    };
    return cmocka_run_group_tests_name("core_facts", tests, NULL, NULL);
}
