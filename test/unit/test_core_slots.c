/*
 * The brain when slots are not to be had: a small cluster and a small cloud live through a story,
 * told again and again with the 1st, 2nd, 3rd ... take of a slot failing. Whatever could not be
 * taken comes again with the next list or listing; in the end each pod has one group, and those
 * that left are gone. And: replies that come when nobody waits for them any more, and ends that the
 * cloud has forgotten.
 */
#include "unit.h"

#include <stdlib.h>

#include "brain_open.h"
#include "core/brain.h"

#define PODS 4
#define LEAVES 1 /* this pod is deleted in the middle of the story */
#define GROUPS_MAX 16
#define STEP_MS 5000
#define STEPS 60

struct town {
    struct brain brain;
    void *memory;
    msec now_ms;
    bool has_pod[PODS], is_leaving[PODS];
    struct {
        uint32_t pod;
        enum eci_status status; /* 0: Running */
        bool exists;
    } groups[GROUPS_MAX];
    uint32_t groups_count;
    enum say_kind said[PODS]; /* the newest status of our own */
    bool ends_are_lost;       /* no report of an end gets through */
};

/* Swept often, and with the brake off: what is looked at is room. */
static struct brain_config town_config(void)
{
    struct brain_config config = brain_usual(PODS, 8);
    config.pods_max = PODS + 2;
    config.sweep_ms = 10000;
    config.brake_percent = config.brake_min = 100;
    return config;
}

static void town_open(struct town *town)
{
    memset(town, 0, sizeof *town);
    town->now_ms = 1000;
    const struct brain_config config = town_config();
    town->memory = brain_open(&town->brain, &config, town->now_ms);
    memset(town->has_pod, true, sizeof town->has_pod);
}

/* ---- the cluster ----------------------------------------------------------------------------- */

static const char *const uids[PODS] = {"u-0", "u-1", "u-2", "u-3"};

static enum err show_pod(struct town *town, uint32_t pod)
{
    const struct pod_news news = {.uid = str_of(uids[pod]),
                                  .name_space = S("web"),
                                  .name = str_of(uids[pod]),
                                  .phase = POD_PHASE_PENDING,
                                  .is_leaving = town->is_leaving[pod]};
    return brain_pod_seen(&town->brain, &news, town->now_ms, NULL);
}

static void list_pods(struct town *town)
{
    bool is_whole = true;
    brain_list_begin(&town->brain, town->now_ms);
    for (uint32_t i = 0; i < PODS; i++) {
        is_whole = is_whole && (!town->has_pod[i] || show_pod(town, i) == ERR_OK);
    }
    brain_list_end(&town->brain, true, town->now_ms);
}

static uint32_t pod_of(const struct town *town, const struct effect *effect)
{
    const struct pod *pod = brain_pod(&town->brain, effect->pod);
    assert_non_null(pod);
    return (uint32_t)(pod->uid[2] - '0');
}

/* ---- the cloud ------------------------------------------------------------------------------- */

static str id_of(uint32_t group, char out[static 16])
{
    (void)snprintf(out, 16, "eci-%u", group);
    return str_of(out);
}

static uint32_t number_of(const struct town *town, handle h)
{
    const struct group *group = brain_group(&town->brain, h);
    assert_non_null(group);
    return (uint32_t)strtoul(group->id + strlen("eci-"), NULL, 10);
}

static enum eci_status status_of(const struct town *town, uint32_t group)
{
    return town->groups[group].status != 0 ? town->groups[group].status : ECI_STATUS_RUNNING;
}

/* A row of a listing or of a read by id; what it says is written to the pod. */
static struct group *show_group(struct town *town, uint32_t number, msec started_ms)
{
    char id[16];
    struct brain *brain = &town->brain;
    enum eci_status status = status_of(town, number);
    uint64_t hash = 7 + (uint64_t)status;
    struct group *group =
        brain_row_seen(brain, id_of(number, id), status, hash, started_ms, town->now_ms);
    if (group != NULL && brain_wants_report(brain, group, hash, false)) {
        bool is_end = eci_status_is_terminal(status);
        const struct pod_status_past past = {
            .phase = is_end ? POD_PHASE_SUCCEEDED : POD_PHASE_RUNNING, .hash = hash};
        handle pod = group->pod;
        if (brain_report(brain, group, hash, false, false, town->now_ms)) {
            enum err err = is_end && town->ends_are_lost ? ERR_REFUSED_CONN : ERR_OK;
            brain_patch_done(brain, pod, err, &past, hash, false, town->now_ms);
        }
    }
    return group;
}

/* With the same token the same group. */
static void create(struct town *town, const struct effect *effect)
{
    char id[16];
    uint32_t pod = pod_of(town, effect), at = 0;
    while (at < town->groups_count && (town->groups[at].pod != pod || !town->groups[at].exists)) {
        at++;
    }
    if (at == town->groups_count) {
        assert_in_range(at, 0, GROUPS_MAX - 1);
        town->groups[town->groups_count++].pod = pod;
        town->groups[at].exists = true;
    }
    brain_create_done(&town->brain, effect->pod, CREATE_ACCEPTED, ERR_OK, id_of(at, id), STR_NONE,
                      town->now_ms);
}

static void sweep(struct town *town, const struct effect *effect)
{
    bool is_whole = true;
    uint32_t rows = 0;
    for (uint32_t i = 0; i < town->groups_count; i++) {
        if (town->groups[i].exists) {
            rows++;
            is_whole = show_group(town, i, effect->started_ms) != NULL && is_whole;
        }
    }
    brain_sweep_done(&town->brain, ERR_OK, is_whole, rows, effect->started_ms, town->now_ms);
}

static void read_groups(struct town *town, const struct effect *effect)
{
    bool found[READ_BATCH_MAX] = {false};
    for (uint32_t i = 0; i < effect->groups_count; i++) {
        uint32_t number = number_of(town, effect->groups[i]);
        found[i] = town->groups[number].exists;
        if (!found[i]) {
            continue;
        }
        struct group *group = show_group(town, number, effect->started_ms);
        if (group != NULL && effect->kind == EFFECT_READ_DETAIL) {
            str uid = str_of(uids[town->groups[number].pod]);
            const struct tag_facts tags = {.uid = uid,
                                           .name_space = S("web"),
                                           .name = uid,
                                           .attempt = 1,
                                           .created_unix_s = 1 + number,
                                           .is_ours = true};
            brain_tags_seen(&town->brain, group, &tags, town->now_ms);
        }
    }
    brain_read_done(&town->brain, effect, ERR_OK, found, town->now_ms);
}

/* ---- the story ------------------------------------------------------------------------------- */

static void perform(struct town *town, const struct effect *effect)
{
    struct brain *brain = &town->brain;
    const struct pod_status_past said = {.phase = POD_PHASE_PENDING, .hash = 1};
    switch (effect->kind) {
    case EFFECT_DELETE:
        town->groups[number_of(town, effect->groups[0])].exists = false;
        brain_delete_done(brain, effect->groups[0], ERR_OK, town->now_ms);
        break;
    case EFFECT_FINISH:
        town->has_pod[pod_of(town, effect)] = false;
        brain_finish_done(brain, effect->pod, ERR_OK, town->now_ms);
        break;
    case EFFECT_PROVE:
        brain_prove_done(brain, effect->pod,
                         town->has_pod[pod_of(town, effect)] ? ERR_OK : ERR_NOT_FOUND,
                         town->now_ms);
        break;
    case EFFECT_READ:
    case EFFECT_READ_DETAIL:
        read_groups(town, effect);
        break;
    case EFFECT_SAY:
        town->said[pod_of(town, effect)] = brain_pod(brain, effect->pod)->say;
        brain_say_done(brain, effect->pod, ERR_OK, &said, town->now_ms);
        break;
    case EFFECT_CREATE:
        create(town, effect);
        break;
    case EFFECT_DELTA:
        brain_delta_done(brain, ERR_OK, effect->started_ms, town->now_ms);
        break;
    case EFFECT_SWEEP:
        sweep(town, effect);
        break;
    default:
        list_pods(town);
        break;
    }
}

static void live(struct town *town, uint32_t steps)
{
    struct effect effect;
    for (uint32_t i = 0; i < steps; i++) {
        while (brain_next(&town->brain, town->now_ms, &effect)) {
            perform(town, &effect);
        }
        town->now_ms += STEP_MS;
    }
}

static void town_tell(struct town *town)
{
    list_pods(town);
    live(town, 4);
    town->is_leaving[LEAVES] = true;
    if (show_pod(town, LEAVES) == ERR_FULL) {
        list_pods(town);
    }
    live(town, STEPS);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void assert_ended_well(const struct town *town, uint64_t nth)
{
    for (uint32_t pod = 0; pod < PODS; pod++) {
        uint32_t live_groups = 0;
        for (uint32_t i = 0; i < town->groups_count; i++) {
            live_groups += town->groups[i].pod == pod && town->groups[i].exists ? 1u : 0u;
        }
        if (town->has_pod[pod] == (pod == LEAVES) || live_groups != (pod == LEAVES ? 0u : 1u)) {
            fail_msg("take %llu failed: pod %u %s and has %u groups", (unsigned long long)nth, pod,
                     town->has_pod[pod] ? "is there" : "is gone", live_groups);
        }
    }
    assert_int_equal(town->brain.pods.count, PODS - 1);
    assert_int_equal(town->brain.groups.count, PODS - 1);
    assert_in_range(town->groups_count, PODS - 1, PODS); /* nobody ever had two */
}

static void test_slots_every_take_may_fail(void **state)
{
    (void)state;
    uint64_t nth = 1;
    for (bool has_failed = true; has_failed; nth++) {
        struct town town;
        town_open(&town);
        pool_fail_at(nth);
        town_tell(&town);
        has_failed = town.brain.pods.refused + town.brain.groups.refused > 0;
        pool_fail_at(0);
        assert_ended_well(&town, nth);
        free(town.memory);
    }
    assert_in_range(nth, 2 * PODS, 1000);
}

/* Requests that found no room in the process are undone, each kind of them once. */
static void test_slots_undone_effects_come_again(void **state)
{
    (void)state;
    for (enum effect_kind kind = EFFECT_DELETE; kind < EFFECT_RELIST; kind++) {
        struct town town;
        struct effect effect;
        uint32_t undone = 0;
        town_open(&town);
        town.groups[town.groups_count++].exists = true; /* of the first pod, by a former process */
        list_pods(&town);
        for (uint32_t step = 0; step < STEPS; step++) {
            if (step == 4) {
                town.is_leaving[LEAVES] = true;
                assert_int_equal(show_pod(&town, LEAVES), ERR_OK);
            }
            while (brain_next(&town.brain, town.now_ms, &effect)) {
                if (effect.kind == kind && undone++ == 0) {
                    brain_undo(&town.brain, &effect, town.now_ms);
                } else {
                    perform(&town, &effect);
                }
            }
            town.now_ms += STEP_MS;
        }
        assert_ended_well(&town, 0);
        for (int k = 0; k < EFFECT_KIND_COUNT; k++) {
            assert_int_equal(town.brain.in_flight[k], 0);
        }
        bool comes = kind != EFFECT_PROVE && kind != EFFECT_PATCH && kind != EFFECT_SAY;
        if (comes != (undone > 0)) {
            fail_msg("\"%s\" came %u times", effect_name(kind), undone);
        }
        free(town.memory);
    }
}

/* Pods and groups that were forgotten: nobody is there to be told. */
static void test_slots_late_replies_change_nothing(void **state)
{
    (void)state;
    struct town town;
    town_open(&town);
    town_tell(&town);
    struct brain *brain = &town.brain;
    const handle none = HANDLE_NONE, stale = {1, 99};
    const struct pod_status_past past = {.phase = POD_PHASE_FAILED, .hash = 5};
    msec now_ms = town.now_ms;
    for (int i = 0; i < 2; i++) {
        handle h = i == 0 ? none : stale;
        brain_create_done(brain, h, CREATE_ACCEPTED, ERR_OK, S("eci-99"), STR_NONE, now_ms);
        brain_create_waits(brain, h, NULL, S("x"), now_ms);
        brain_delete_done(brain, h, ERR_OK, now_ms);
        brain_finish_done(brain, h, ERR_OK, now_ms);
        brain_prove_done(brain, h, ERR_NOT_FOUND, now_ms);
        brain_say_done(brain, h, ERR_OK, &past, now_ms);
        brain_patch_done(brain, h, ERR_OK, &past, 1, false, now_ms);
        brain_pod_policy(brain, h, true, true);
        const struct effect undone = {.kind = EFFECT_CREATE, .pod = h};
        brain_undo(brain, &undone, now_ms);
    }
    brain_pod_deleted(brain, S("nobody"), now_ms);
    brain_pod_unreadable(brain, S("nobody"));
    brain_status_overwritten(brain, S("nobody"));
    assert_null(brain_find_pod(brain, S("nobody")));
    assert_null(brain_find_group(brain, S("eci-99")));
    assert_string_equal(effect_name(EFFECT_KIND_COUNT), "?");
    live(&town, 4);
    assert_ended_well(&town, 0);
    free(town.memory);
}

/* The cloud forgets groups that have ended, sometimes before their end was reported. What it showed
 * last decides, and only one that ran when it was last seen is lost. */
static void test_slots_ends_that_the_cloud_forgot(void **state)
{
    (void)state;
    static const struct {
        enum eci_status last;
        enum say_kind say;
    } rows[] = {{ECI_STATUS_SUCCEEDED, SAY_SUCCEEDED},
                {ECI_STATUS_FAILED, SAY_FAILED},
                {ECI_STATUS_EXPIRED, SAY_FAILED}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct town town;
        town_open(&town);
        list_pods(&town);
        live(&town, 4);
        uint32_t pod = town.groups[0].pod;
        town.ends_are_lost = true;
        town.groups[0].status = rows[i].last;
        live(&town, 4);
        assert_int_equal(town.said[pod], SAY_NOTHING);
        town.groups[0].exists = false;
        live(&town, STEPS);
        assert_int_equal(town.said[pod], rows[i].say);
        assert_int_equal(town.groups_count, PODS); /* an end is no reason for another group */
        free(town.memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_every_take_may_fail),
        cmocka_unit_test(test_slots_undone_effects_come_again),
        cmocka_unit_test(test_slots_late_replies_change_nothing),
        cmocka_unit_test(test_slots_ends_that_the_cloud_forgot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
