/*
 * The brain of a gateway that waits, under whatever may come in any order: pods with notes that are
 * right, wrong, of another pod or change; lists that leave out pods; replies that come late, show
 * something else or are errors. It asks for nothing but details, forgets what is not needed, and
 * when it begins to act nothing is left, whatever is still under way.
 */
#include "core_scene.h"

#include "base/prng.h"

#define STORIES 200
#define TURNS 400
#define IDS 12 /* of pods and of groups */
#define CALLS_MAX 8

struct story {
    struct scene scene;
    struct prng prng;
    struct effect calls[CALLS_MAX]; /* under way */
    uint32_t calls_count;
};

static uint32_t up_to(struct story *story, uint32_t bound)
{
    return (uint32_t)prng_below(&story->prng, bound);
}

static void see_pod(struct story *story)
{
    char uid[16], id[16];
    const struct pod_status_past past = {.phase = POD_PHASE_RUNNING};
    const struct pod_news news = {
        .uid = str_of(numbered(uid, "u", up_to(story, IDS))),
        .name_space = S("web"),
        .name = str_of(uid),
        .phase = (enum pod_phase)(POD_PHASE_PENDING + up_to(story, 4)),
        .is_leaving = up_to(story, 8) == 0,
        .is_daemon = up_to(story, 8) == 0,
        .has_init = up_to(story, 2) == 0,
        .past = up_to(story, 2) == 0 ? &past : NULL,
        .instance_id = up_to(story, 4) == 0 ? STR_NONE
                                            : str_of(numbered(id, "eci-", up_to(story, IDS))),
        .instance_attempt = 1 + up_to(story, 3)};
    enum err err = brain_pod_seen(&story->scene.brain, &news, story->scene.now_ms, NULL);
    assert_true(err == ERR_OK || err == ERR_FULL);
}

/* Some pods, and then an end: who was not among them is gone. */
static void list(struct story *story)
{
    brain_list_begin(&story->scene.brain, story->scene.now_ms);
    for (uint32_t i = up_to(story, IDS); i > 0; i--) {
        see_pod(story);
    }
    if (up_to(story, 4) != 0) {
        brain_list_end(&story->scene.brain, up_to(story, 4) != 0, story->scene.now_ms);
    }
}

static void answer(struct story *story)
{
    if (story->calls_count == 0) {
        return;
    }
    static const enum err errs[] = {ERR_OK,      ERR_OK,        ERR_OK,      ERR_OK,
                                    ERR_TIMEOUT, ERR_THROTTLED, ERR_TOO_BIG, ERR_AUTH};
    uint32_t at = up_to(story, story->calls_count);
    const struct effect effect = story->calls[at];
    story->calls[at] = story->calls[--story->calls_count];
    struct brain *brain = &story->scene.brain;
    msec now_ms = story->scene.now_ms;
    enum err err = errs[up_to(story, sizeof errs / sizeof errs[0])];
    if (err == ERR_AUTH && up_to(story, 2) == 0) {
        brain_undo(brain, &effect, now_ms);
        return;
    }
    brain_cloud_answered(brain, err, STR_NONE, now_ms);
    bool found[READ_BATCH_MAX] = {false};
    for (uint32_t i = 0; i < effect.groups_count && err == ERR_OK; i++) {
        struct group *group = brain_group(brain, effect.groups[i]);
        char uid[16];
        const struct tag_facts tags = {.uid = str_of(numbered(uid, "u", up_to(story, IDS + 2))),
                                       .name_space = S("web"),
                                       .name = str_of(uid),
                                       .attempt = 1 + up_to(story, 3),
                                       .is_ours = up_to(story, 4) != 0};
        found[i] = up_to(story, 4) != 0;
        if (found[i] && group != NULL) {
            brain_tags_seen(brain, group, &tags, now_ms);
        }
    }
    brain_read_done(brain, &effect, err, found, now_ms);
}

static void next_effects(struct story *story)
{
    struct brain *brain = &story->scene.brain;
    struct effect effect;
    for (int i = 0; story->calls_count < CALLS_MAX; i++) {
        assert_in_range(i, 0, 100); /* it comes to rest */
        if (!brain_next(brain, story->scene.now_ms, &effect)) {
            break;
        }
        assert_true(effect.kind == EFFECT_READ_DETAIL || effect.kind == EFFECT_RELIST);
        if (effect.kind == EFFECT_READ_DETAIL) {
            story->calls[story->calls_count++] = effect;
        }
    }
}

/* Nothing is kept that no pod's note stands for. */
static void check_kept(const struct brain *brain)
{
    for (handle h = pool_first(&brain->groups); !handle_is_none(h);
         h = pool_after(&brain->groups, h)) {
        const struct pod *pod = brain_pod(brain, brain_group(brain, h)->pod);
        assert_true(pod != NULL && handle_eq(pod->group, h));
    }
    assert_true(brain->groups.count <= brain->pods.count);
}

static void play(struct story *story)
{
    struct scene *scene = &story->scene;
    char uid[16];
    brain_only_look(&scene->brain);
    list(story);
    for (int turn = 0; turn < TURNS; turn++) {
        switch (up_to(story, 8)) {
        case 0:
            list(story);
            break;
        case 1:
            brain_pod_deleted(&scene->brain, str_of(numbered(uid, "u", up_to(story, IDS))),
                              scene->now_ms);
            break;
        case 2:
        case 3:
            answer(story);
            break;
        case 4:
            pass(scene, up_to(story, 70000));
            break;
        default:
            see_pod(story);
        }
        next_effects(story);
    }
    pass(scene, 120000);
    for (int i = 0; i < 3; i++) { /* what was forgotten may have touched others */
        next_effects(story);
    }
    check_kept(&scene->brain);
}

static void test_standby_comes_to_rest_and_leaves_nothing(void **state)
{
    (void)state;
    static struct story story;
    for (uint64_t seed = 1; seed <= STORIES; seed++) {
        story.calls_count = 0;
        scene_open_with(&story.scene, 8);
        story.scene.brain.polls_are_on = false; /* the scene had begun to act */
        prng_seed(&story.prng, seed);
        play(&story);
        struct brain *brain = &story.scene.brain;
        brain_begin_anew(brain);
        assert_int_equal(brain->pods.count + brain->groups.count + brain->untagged, 0);
        assert_int_equal(brain->waiters, 0);
        assert_int_equal(brain->dirty_pods.count + brain->dirty_groups.count, 0);
        brain_start(brain, story.scene.now_ms);
        list_nothing(&story.scene);
        while (story.calls_count > 0) { /* replies of before come when it acts */
            answer(&story);
        }
        assert_int_equal(brain->in_flight[EFFECT_READ_DETAIL], 0);
        expect_silence(&story.scene);
        scene_close(&story.scene);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_standby_comes_to_rest_and_leaves_nothing),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
