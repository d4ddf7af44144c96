/*
 * Order and pace (plan.c): a storm of 2,000 pods while others leave, throttling, and the return of
 * the line. Each effect is answered 200 ms later, as a busy cloud would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "brain_open.h"
#include "core/brain.h"

#define PODS 2000
#define OLD 100 /* of them, with groups that will be deleted */
#define CALL_MS 200
#define FLIGHT_MAX 256
#define PER_MINUTE 1000

struct flight {
    struct effect effect;
    msec until_ms;
};

struct storm {
    struct brain brain;
    void *memory;
    msec now_ms;
    struct flight flights[FLIGHT_MAX];
    uint32_t flights_count;
    uint32_t ids_made;
    bool line_is_down;
    bool throttles_creates;
    uint32_t sent[EFFECT_KIND_COUNT];
    uint32_t in_flight_peak;
    msec first_call_ms; /* since the caller zeroed it */
    uint32_t order_kept, order_broken, newest_created;
};

static void storm_open(struct storm *storm)
{
    struct brain_config config = brain_usual(PODS, 256);
    config.brake_min = 5;
    config.create_per_minute = config.delete_per_minute = PER_MINUTE;
    config.cloud_calls_max = config.kube_calls_max = 32;
    memset(storm, 0, sizeof *storm);
    storm->now_ms = 1000;
    storm->memory = brain_open(&storm->brain, &config, storm->now_ms);
    brain_list_begin(&storm->brain, storm->now_ms);
    brain_list_end(&storm->brain, true, storm->now_ms);
}

static void give(struct storm *storm, uint32_t number, bool is_leaving)
{
    char uid[16];
    (void)snprintf(uid, sizeof uid, "%u", number);
    const struct pod_news news = {.uid = str_of(uid),
                                  .name_space = S("web"),
                                  .name = str_of(uid),
                                  .phase = POD_PHASE_PENDING,
                                  .is_leaving = is_leaving};
    assert_int_equal(brain_pod_seen(&storm->brain, &news, storm->now_ms, NULL), ERR_OK);
}

static bool is_cloud(enum effect_kind kind)
{
    return kind != EFFECT_FINISH && kind != EFFECT_PROVE && kind != EFFECT_SAY &&
           kind != EFFECT_PATCH;
}

static void created(struct storm *storm, const struct effect *effect, enum err err)
{
    char id[16] = "";
    enum create_outcome outcome = err == ERR_OK          ? CREATE_ACCEPTED
                                  : err == ERR_THROTTLED ? CREATE_LATER
                                                         : CREATE_UNKNOWN;
    if (outcome == CREATE_ACCEPTED) {
        (void)snprintf(id, sizeof id, "eci-%u", storm->ids_made++);
    }
    brain_create_done(&storm->brain, effect->pod, outcome, err, str_of(id), S("busy"),
                      storm->now_ms);
}

static void land(struct storm *storm, const struct effect *effect)
{
    struct brain *brain = &storm->brain;
    struct pod_status_past past = {.phase = POD_PHASE_PENDING, .hash = 1};
    enum err err = is_cloud(effect->kind) && storm->line_is_down ? ERR_TIMEOUT : ERR_OK;
    if (effect->kind == EFFECT_CREATE && storm->throttles_creates) {
        err = ERR_THROTTLED;
    }
    if (is_cloud(effect->kind)) {
        brain_cloud_answered(brain, err, STR_NONE, storm->now_ms);
    }
    switch (effect->kind) {
    case EFFECT_CREATE:
        created(storm, effect, err);
        break;
    case EFFECT_DELETE:
        brain_delete_done(brain, effect->groups[0], err, storm->now_ms);
        break;
    case EFFECT_SWEEP: /* an empty cloud, as far as it says */
        brain_sweep_done(brain, err, err == ERR_OK, 0, effect->started_ms, storm->now_ms);
        break;
    case EFFECT_DELTA:
        brain_delta_done(brain, err, effect->started_ms, storm->now_ms);
        break;
    case EFFECT_SAY:
        brain_say_done(brain, effect->pod, ERR_OK, &past, storm->now_ms);
        break;
    case EFFECT_FINISH:
        brain_finish_done(brain, effect->pod, ERR_OK, storm->now_ms);
        break;
    default:
        assert_true(effect->kind == EFFECT_READ || effect->kind == EFFECT_READ_DETAIL);
        brain_read_done(brain, effect, err, (bool[READ_BATCH_MAX]){false}, storm->now_ms);
        break;
    }
}

static void watch_order(struct storm *storm, const struct effect *effect)
{
    const struct pod *pod = brain_pod(&storm->brain, effect->pod);
    uint32_t number = (uint32_t)strtoul(pod->uid, NULL, 10);
    if (pod->failures == 0) {
        storm->order_kept += number >= storm->newest_created ? 1 : 0;
        storm->order_broken += number < storm->newest_created ? 1 : 0;
        storm->newest_created = number;
    }
}

static void tick(struct storm *storm)
{
    storm->now_ms += 10;
    for (uint32_t i = 0; i < storm->flights_count;) {
        if (storm->flights[i].until_ms <= storm->now_ms) {
            struct effect effect = storm->flights[i].effect;
            storm->flights[i] = storm->flights[--storm->flights_count];
            land(storm, &effect);
        } else {
            i++;
        }
    }
    struct effect effect;
    while (brain_next(&storm->brain, storm->now_ms, &effect)) {
        assert_true(storm->flights_count < FLIGHT_MAX);
        storm->flights[storm->flights_count++] =
            (struct flight){.effect = effect, .until_ms = storm->now_ms + CALL_MS};
        storm->sent[effect.kind]++;
        if (effect.kind == EFFECT_CREATE) {
            watch_order(storm, &effect);
        }
        if (is_cloud(effect.kind) && storm->first_call_ms == 0) {
            storm->first_call_ms = storm->now_ms;
        }
    }
    storm->in_flight_peak =
        storm->flights_count > storm->in_flight_peak ? storm->flights_count : storm->in_flight_peak;
}

static void run(struct storm *storm, msec ms)
{
    for (msec until_ms = storm->now_ms + ms; storm->now_ms < until_ms;) {
        tick(storm);
    }
}

/* A hundred pods that have groups, and no longer young. */
static void open_with_old(struct storm *storm)
{
    storm_open(storm);
    run(storm, 61000);
    for (uint32_t i = 0; i < OLD; i++) {
        give(storm, i, false);
    }
    run(storm, 30000);
    assert_int_equal(storm->sent[EFFECT_CREATE], OLD);
    memset(storm->sent, 0, sizeof storm->sent);
}

static void storm_breaks(struct storm *storm)
{
    for (uint32_t i = OLD; i < PODS; i++) {
        give(storm, i, false);
    }
}

static void test_plan_storm_does_not_starve_deletes(void **state)
{
    (void)state;
    static struct storm storm;
    open_with_old(&storm);
    storm_breaks(&storm);
    run(&storm, 20000); /* the saved-up tokens are spent, and all slots for creates are taken */
    uint32_t creates = storm.sent[EFFECT_CREATE];
    assert_true(creates > 250 && creates < 251 + PER_MINUTE / 3 + 10);
    for (uint32_t i = 0; i < OLD; i++) {
        give(&storm, i, true);
    }
    run(&storm, 3000);
    assert_int_equal(storm.sent[EFFECT_DELETE], OLD); /* all of them, in three seconds */
    assert_true(storm.sent[EFFECT_CREATE] > creates); /* and the storm goes on */
    assert_true(storm.in_flight_peak <= 64);
    free(storm.memory);
}

static void test_plan_first_come_first_served(void **state)
{
    (void)state;
    static struct storm storm;
    open_with_old(&storm);
    storm_breaks(&storm);
    run(&storm, 130000);
    assert_int_equal(storm.sent[EFFECT_CREATE], PODS - OLD);
    assert_int_equal(storm.order_broken, 0);
    free(storm.memory);
}

/* Only the kind of call that was throttled slows down; and it goes on, slower. */
static void test_plan_throttled_creates_slow_nothing_else(void **state)
{
    (void)state;
    static struct storm storm;
    open_with_old(&storm);
    storm.throttles_creates = true;
    storm_breaks(&storm);
    run(&storm, 60000);
    uint32_t creates = storm.sent[EFFECT_CREATE], deltas = storm.sent[EFFECT_DELTA];
    assert_true(creates > 30 && creates < 600);
    assert_true(deltas >= 20);
    for (uint32_t i = 0; i < OLD; i++) {
        give(&storm, i, true);
    }
    run(&storm, 3000);
    assert_int_equal(storm.sent[EFFECT_DELETE], OLD);
    free(storm.memory);
}

/* The line was away for an hour while pods came: soon a first call, reads before creates, then
 * paced. */
static void test_plan_line_returns_to_a_storm(void **state)
{
    (void)state;
    static struct storm storm;
    open_with_old(&storm);
    storm.line_is_down = true;
    run(&storm, 60000);
    assert_false(storm.brain.cloud.is_reachable);
    storm_breaks(&storm);
    run(&storm, 3600000);
    memset(storm.sent, 0, sizeof storm.sent);
    storm.line_is_down = false;
    storm.first_call_ms = 0;
    msec back_ms = storm.now_ms;
    run(&storm, 6000);
    assert_true(storm.first_call_ms > 0 && storm.first_call_ms - back_ms <= 5000);
    assert_true(storm.sent[EFFECT_SWEEP] >= 1);
    run(&storm, 54000);
    assert_true(storm.sent[EFFECT_CREATE] > 900);
    assert_true(storm.sent[EFFECT_CREATE] <= 251 + PER_MINUTE);
    free(storm.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_storm_does_not_starve_deletes),
        cmocka_unit_test(test_plan_first_come_first_served),
        cmocka_unit_test(test_plan_throttled_creates_slow_nothing_else),
        cmocka_unit_test(test_plan_line_returns_to_a_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
