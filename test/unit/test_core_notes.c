/*
 * The brain that leads, where the users of every second pod write other pods' instances into the
 * notes, also such as never were, one after the other, and the cloud shows what there is late or
 * not at all. No pod ever gets another one's instance, or loses its own to it; there is room for
 * all; and when the cloud is itself again everybody who leaves goes.
 */
#include "core_scene.h"

#include "base/prng.h"

#define STORIES 1000
#define TURNS 300
#define PODS 6    /* u0 and so on: eci-0 and so on are theirs; ids from there on never were */
#define OTHER "o" /* of a pod that nobody touches, with eci-o: listings need not be empty */

struct story {
    struct scene scene;
    struct prng prng;
    bool exists[PODS];  /* the group */
    bool is_gone[PODS]; /* the pod */
    bool is_leaving[PODS];
    bool is_blind; /* nothing is ever listed or found */
    bool is_healed;
};

static uint32_t up_to(struct story *story, uint32_t bound)
{
    return (uint32_t)prng_below(&story->prng, bound);
}

static uint32_t number_of(const char *name)
{
    return (uint32_t)strtoul(name + strcspn(name, "0123456789"), NULL, 10);
}

static bool is_other(const char *id)
{
    return strcmp(id, "eci-" OTHER) == 0;
}

static bool is_victim(uint32_t number)
{
    return number % 2 == 0;
}

static void see_pod(struct story *story, uint32_t number, bool is_honest)
{
    char uid[16], id[16];
    if (story->is_gone[number]) {
        return;
    }
    is_honest = is_honest || is_victim(number);
    uint32_t noted = is_honest ? number : up_to(story, 3 * PODS);
    const struct pod_news news = {.uid = str_of(numbered(uid, "u", number)),
                                  .name_space = S("web"),
                                  .name = str_of(uid),
                                  .phase =
                                      is_victim(number) ? POD_PHASE_RUNNING : POD_PHASE_PENDING,
                                  .is_leaving = story->is_leaving[number],
                                  .is_described = true,
                                  .instance_id = str_of(numbered(id, "eci-", noted)),
                                  .instance_attempt = is_honest ? 1 : 1 + up_to(story, 40)};
    assert_int_equal(brain_pod_seen(&story->scene.brain, &news, story->scene.now_ms, NULL), ERR_OK);
}

static bool is_shown(struct story *story, const char *id)
{
    if (is_other(id)) {
        return !story->is_blind;
    }
    uint32_t number = number_of(id);
    bool is_late = !story->is_healed && up_to(story, 20) == 0;
    return number < PODS && story->exists[number] && !story->is_blind && !is_late;
}

static void show(struct story *story, const struct effect *effect, const char *id)
{
    struct brain *brain = &story->scene.brain;
    msec now_ms = story->scene.now_ms;
    struct group *group =
        brain_row_seen(brain, str_of(id), ECI_STATUS_RUNNING, 77, effect->started_ms, now_ms);
    assert_non_null(group);
    const struct pod_status_past past = {.phase = POD_PHASE_RUNNING, .hash = 5};
    if (brain_wants_report(brain, group, 77, false) &&
        brain_report(brain, group, past.hash, false, false, now_ms)) {
        brain_patch_done(brain, group->pod, ERR_OK, &past, 77, false, now_ms);
    }
}

static void answer_listing(struct story *story, const struct effect *effect)
{
    struct brain *brain = &story->scene.brain;
    char id[16];
    uint32_t rows = 0;
    if (is_shown(story, "eci-" OTHER)) {
        show(story, effect, "eci-" OTHER);
        rows++;
    }
    for (uint32_t i = 0; i < PODS; i++) {
        if (is_shown(story, numbered(id, "eci-", i))) {
            show(story, effect, id);
            rows++;
        }
    }
    if (effect->kind == EFFECT_SWEEP) {
        brain_sweep_done(brain, ERR_OK, true, rows, effect->started_ms, story->scene.now_ms);
    } else {
        brain_delta_done(brain, ERR_OK, effect->started_ms, story->scene.now_ms);
    }
}

static void answer_read(struct story *story, const struct effect *effect)
{
    struct brain *brain = &story->scene.brain;
    bool found[READ_BATCH_MAX] = {false};
    for (uint32_t i = 0; i < effect->groups_count; i++) {
        struct group *group = brain_group(brain, effect->groups[i]);
        found[i] = group != NULL && is_shown(story, group->id);
        if (!found[i]) {
            continue;
        }
        if (effect->kind == EFFECT_READ) {
            show(story, effect, group->id);
            continue;
        }
        char uid[16];
        const char *owner = is_other(group->id) ? OTHER : numbered(uid, "u", number_of(group->id));
        const struct tag_facts tags = {.uid = str_of(owner),
                                       .name_space = S("web"),
                                       .name = str_of(owner),
                                       .attempt = 1,
                                       .created_unix_s = 1700000000,
                                       .is_ours = true};
        if (!group->has_tags || group->is_noted || group->must_date) {
            brain_tags_seen(brain, group, &tags, story->scene.now_ms);
        }
    }
    brain_read_done(brain, effect, ERR_OK, found, story->scene.now_ms);
}

static void answer_pod(struct story *story, const struct effect *effect)
{
    struct brain *brain = &story->scene.brain;
    const struct pod *pod = brain_pod(brain, effect->pod);
    assert_non_null(pod);
    uint32_t number = number_of(pod->uid);
    bool is_there = strcmp(pod->uid, OTHER) == 0 || !story->is_gone[number];
    msec now_ms = story->scene.now_ms;
    switch (effect->kind) {
    case EFFECT_PROVE:
        if (is_there && strcmp(pod->uid, OTHER) != 0) {
            see_pod(story, number, true);
        }
        brain_prove_done(brain, effect->pod,
                         !is_there                      ? ERR_NOT_FOUND
                         : strcmp(pod->uid, OTHER) == 0 ? ERR_TIMEOUT
                                                        : ERR_OK,
                         now_ms);
        break;
    case EFFECT_SAY:
        brain_say_done(brain, effect->pod, ERR_OK, &pod->past, now_ms);
        break;
    case EFFECT_FINISH:
        assert_true(story->is_leaving[number]);
        story->is_gone[number] = true;
        brain_finish_done(brain, effect->pod, ERR_OK, now_ms);
        break;
    default:
        assert_int_equal(effect->kind, EFFECT_CREATE);
        brain_create_waits(brain, effect->pod, NULL, S("not now"), now_ms);
    }
}

static void check_answers(const struct story *story)
{
    const struct brain *brain = &story->scene.brain;
    for (handle h = pool_first(&brain->pods); !handle_is_none(h); h = pool_after(&brain->pods, h)) {
        const struct pod *pod = brain_pod(brain, h);
        const struct group *group = brain_instance(brain, pod);
        assert_true(group == NULL || strcmp(group->id + strlen("eci-"), pod->uid) == 0 ||
                    strcmp(group->id + strlen("eci-"), pod->uid + 1) == 0);
    }
    assert_true(brain->groups.count <= 2 * PODS + 1);
}

static void check_deletion(const struct story *story, uint32_t number)
{
    assert_true(!is_victim(number) || !story->exists[number] || story->is_leaving[number] ||
                story->is_gone[number]);
}

static void run(struct story *story)
{
    struct brain *brain = &story->scene.brain;
    struct effect effect;
    for (int i = 0; brain_next(brain, story->scene.now_ms, &effect); i++) {
        assert_in_range(i, 0, 200); /* it comes to rest */
        switch (effect.kind) {
        case EFFECT_SWEEP:
        case EFFECT_DELTA:
            answer_listing(story, &effect);
            break;
        case EFFECT_READ:
        case EFFECT_READ_DETAIL:
            answer_read(story, &effect);
            break;
        case EFFECT_DELETE: {
            const struct group *group = brain_group(brain, effect.groups[0]);
            uint32_t number = number_of(group->id);
            if (!is_other(group->id) && number < PODS) {
                check_deletion(story, number);
                story->exists[number] = false;
            }
            brain_delete_done(brain, effect.groups[0], ERR_OK, story->scene.now_ms);
            break;
        }
        default:
            answer_pod(story, &effect);
        }
        check_answers(story);
    }
}

static void play(struct story *story)
{
    struct brain *brain = &story->scene.brain;
    char uid[16];
    brain_list_begin(brain, story->scene.now_ms);
    for (uint32_t i = 0; i < PODS; i++) {
        see_pod(story, PODS - 1 - i, false);
        run(story);
    }
    brain_list_end(brain, true, story->scene.now_ms);
    for (int turn = 0; turn < TURNS; turn++) {
        uint32_t number = up_to(story, PODS);
        switch (up_to(story, 16)) {
        case 0:
            story->is_leaving[number] = true;
            see_pod(story, number, true);
            break;
        case 1:
            if (up_to(story, 4) == 0) {
                story->is_gone[number] = true;
                brain_pod_deleted(brain, str_of(numbered(uid, "u", number)), story->scene.now_ms);
            }
            break;
        case 2:
            story->is_blind = up_to(story, 2) == 0;
            break;
        case 3:
        case 4:
        case 5:
            pass(&story->scene, up_to(story, 30000));
            break;
        default:
            see_pod(story, number, up_to(story, 3) == 0);
        }
        run(story);
    }
}

/* All go, and nobody writes notes any more. */
static void heal(struct story *story)
{
    story->is_blind = false;
    story->is_healed = true;
    for (uint32_t i = 0; i < PODS; i++) {
        story->is_leaving[i] = true;
        see_pod(story, i, true);
    }
    for (int i = 0; i < 100; i++) {
        pass(&story->scene, 10000);
        run(story);
    }
    for (uint32_t i = 0; i < PODS; i++) {
        assert_true(story->is_gone[i]);
        assert_false(story->exists[i]);
    }
    assert_int_equal(story->scene.brain.pods.count, 1);
    assert_int_equal(story->scene.brain.groups.count, 1);
}

static void test_notes_of_all_kinds_hold_up_nobody(void **state)
{
    (void)state;
    static struct story story;
    for (uint64_t seed = 1; seed <= STORIES; seed++) {
        memset(&story, 0, sizeof story);
        scene_open(&story.scene);
        story.scene.brain.config.brake_min = 100; /* it looks at how many go, which is not meant */
        prng_seed(&story.prng, seed);
        for (uint32_t i = 0; i < PODS; i++) {
            story.exists[i] = up_to(&story, 2) == 0;
        }
        play(&story);
        heal(&story);
        scene_close(&story.scene);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_notes_of_all_kinds_hold_up_nobody),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
