/*
 * app/wire_events: events of the cloud become events of pods, in rounds, each once, also over a
 * restart. The module is compiled in here with its neighbours replaced: the cloud's client and the
 * API server's events only write down what they are asked for.
 */
#include "unit.h"

#define eci_call_start stub_call_start
#define kube_event_post stub_event_post
#define kube_events_has_room stub_has_room
#define loop_timer_set stub_timer_set
#define wire_now_ms stub_now_ms
#define wire_now_s stub_now_s
#define events_init tested_init
#define events_turn tested_turn
#include "app/wire_events.c"

#define START_MS 1000
#define CALLS_MAX 8
#define POSTS_MAX 8

static struct wire wire;
static struct arena arena;
static msec now_ms;
static msec wake_ms; /* what the timer was set to */
static enum err start_err;
static uint32_t room; /* events that the API server's side takes */

static struct {
    char ids[1024];
    char since[16];
    eci_call_done *on_done;
} calls[CALLS_MAX];
static uint32_t calls_count;

static struct {
    char own_name[300], pod[300], reason[64], message[64], component[64];
    uint32_t count;
    int64_t first_s, last_s;
    bool is_warning;
} posts[POSTS_MAX];
static uint32_t posts_count;

enum err stub_call_start(struct eci_client *client, const struct eci_want *want, handle *out)
{
    (void)client;
    (void)out;
    assert_int_equal(want->action, ECI_DESCRIBE_EVENTS);
    if (start_err != ERR_OK) {
        return start_err;
    }
    assert_true(calls_count < CALLS_MAX);
    assert_true(str_copy(calls[calls_count].ids, sizeof calls[0].ids,
                         params_find(want->params, S("ContainerGroupIds"))));
    assert_true(str_copy(calls[calls_count].since, sizeof calls[0].since,
                         params_find(want->params, S("SinceSecond"))));
    calls[calls_count++].on_done = want->on_done;
    return ERR_OK;
}

#define KEEP(field, text) assert_true(str_copy(post->field, sizeof post->field, (text)))

void stub_event_post(struct kube_events *events, const struct kube_event *event)
{
    (void)events;
    assert_true(posts_count < POSTS_MAX && room > 0);
    __typeof__(&posts[0]) post = &posts[posts_count++];
    room--;
    assert_int_equal(event->kind, KUBE_POD);
    KEEP(own_name, event->own_name);
    KEEP(pod, event->name);
    KEEP(reason, event->reason);
    KEEP(message, event->message);
    KEEP(component, event->component);
    post->count = event->count;
    post->first_s = event->first_unix_s;
    post->last_s = event->last_unix_s;
    post->is_warning = event->is_warning;
}

bool stub_has_room(const struct kube_events *events)
{
    (void)events;
    return room > 0;
}

void stub_timer_set(struct loop *loop, struct loop_timer *timer, msec at_ms)
{
    (void)loop;
    (void)timer;
    wake_ms = at_ms;
}

msec stub_now_ms(const struct wire *of)
{
    (void)of;
    return now_ms;
}

int64_t stub_now_s(const struct wire *of)
{
    (void)of;
    return 1700000000 + now_ms / 1000;
}

/* ---- the world ------------------------------------------------------------------------------- */

/* A process that has just started and seen one complete, empty listing. */
static void begin(void)
{
    static char memory[512 * 1024];
    struct region region = unit_region();
    const struct brain_config config = {
        .pods_max = 40, .groups_max = 50, .poll_fast_ms = 2000, .poll_slow_ms = 5000,
        .sweep_ms = 600000, .absence_ms = 20000, .absence_sweeps = 2, .young_ms = 60000,
        .brake_percent = 20, .brake_min = 2, .create_per_minute = 6000, .delete_per_minute = 6000,
        .describe_per_minute = 6000, .status_per_minute = 6000, .cloud_calls_max = 64,
        .kube_calls_max = 64, .seed = 7};
    struct effect effect;
    now_ms = START_MS;
    calls_count = posts_count = 0;
    room = POSTS_MAX;
    start_err = ERR_OK;
    wake_ms = 0;
    wire = (struct wire){.is_stopping = false};
    arena_init(&arena, memory, sizeof memory);
    wire.arena = &arena;
    prng_seed(&wire.prng, 7);
    brain_init(&wire.brain, &config, &region, now_ms);
    brain_start(&wire.brain, now_ms);
    tested_init(&wire);
    brain_list_begin(&wire.brain, now_ms);
    brain_list_end(&wire.brain, true, now_ms);
    while (brain_next(&wire.brain, now_ms, &effect)) {
        if (effect.kind == EFFECT_SWEEP) {
            brain_sweep_done(&wire.brain, ERR_OK, true, 0, now_ms, now_ms);
        }
    }
}

/* A pod whose group was just made. */
static void pod_with_group(const char *name, const char *id)
{
    const struct pod_news news = {.uid = str_of(id), /* as unique as the group */
                                  .name_space = S("web"),
                                  .name = str_of(name)};
    struct effect effect;
    assert_int_equal(brain_pod_seen(&wire.brain, &news, now_ms, NULL), ERR_OK);
    while (brain_next(&wire.brain, now_ms, &effect)) {
        if (effect.kind == EFFECT_CREATE) {
            brain_create_done(&wire.brain, effect.pod, CREATE_ACCEPTED, ERR_OK, str_of(id),
                              STR_NONE, now_ms);
        }
    }
    assert_non_null(brain_find_group(&wire.brain, str_of(id)));
}

static uint64_t failing_take; /* of the arenas, while a reply is read; 0: none */

static void reply(uint32_t call, enum err err, const char *text)
{
    static char memory[256 * 1024];
    struct arena own;
    struct eci_reply what = {.why = S("403 Forbidden.RAM"), .arena = &own};
    arena_init(&own, memory, sizeof memory);
    if (err == ERR_OK) {
        assert_int_equal(json_parse(str_of(text), &own, &what.root, NULL), ERR_OK);
    }
    assert_true(call < calls_count);
    arena_fail_at(failing_take);
    calls[call].on_done(&wire, err, &what);
    arena_fail_at(0);
}

/* The cloud is asked once more, with one reply; until the round has ended. */
static void round_with(const char *text)
{
    uint32_t before = calls_count;
    tested_turn(&wire);
    assert_int_equal(calls_count, before + 1);
    reply(before, ERR_OK, text);
    tested_turn(&wire);
    assert_int_equal(calls_count, before + 1);
    assert_int_equal(wire.cloud_events.round_ms, 0);
}

#define ROW(id, events) \
    "{\"TotalCount\":1,\"Data\":[{\"ContainerGroupId\":\"" id "\",\"Events\":[" events "]}]}"
#define EVENT(name, reason, count, first, last) \
    "{\"Type\":\"Warning\",\"Reason\":\"" reason "\",\"Message\":\"why\",\"Name\":\"" name \
    "\",\"Count\":" count ",\"FirstTimestamp\":\"2024-01-02T03:04:" first \
    "Z\",\"LastTimestamp\":\"2024-01-02T03:04:" last "Z\"}"
#define NO_EVENTS "{\"TotalCount\":0,\"Data\":[]}"

/* ---- what is passed on ----------------------------------------------------------------------- */

static void test_events_of_groups_become_events_of_pods(void **state)
{
    (void)state;
    begin();
    pod_with_group("web-1", "eci-1");
    pod_with_group("web-2", "eci-2");
    tested_turn(&wire);
    assert_int_equal(calls_count, 1);
    assert_string_equal(calls[0].ids, "[\"eci-1\",\"eci-2\"]");
    assert_string_equal(calls[0].since, "300"); /* what was told just before our start */
    reply(0, ERR_OK,
          ROW("eci-2",
              EVENT("n.1", "NoStock", "3", "01",
                    "09") ","
                          "{\"Type\":\"Normal\",\"Reason\":\"FromTheFuture\",\"Message\":\"m\"}"));
    assert_int_equal(posts_count, 2);
    assert_string_equal(posts[0].pod, "web-2");
    assert_string_equal(posts[0].reason, "NoStock");
    assert_string_equal(posts[0].message, "why");
    assert_true(posts[0].is_warning);
    assert_int_equal(posts[0].count, 3);
    assert_int_equal(posts[0].last_s - posts[0].first_s, 8);
    assert_int_equal(posts[0].first_s, 1704164641);
    assert_string_equal(posts[1].reason, "FromTheFuture"); /* unknown ones pass through */
    assert_false(posts[1].is_warning);
    assert_int_equal(posts[1].last_s, 1700000001); /* no time: now */
    assert_int_equal(posts[1].first_s, posts[1].last_s);
}

static void test_events_of_others_are_not_passed_on(void **state)
{
    (void)state;
    begin();
    pod_with_group("web-1", "eci-1");
    pod_with_group("web-2", "eci-2");
    pod_with_group("web-3", "eci-3");
    brain_find_group(&wire.brain, S("eci-2"))->is_foreign = true;
    brain_find_group(&wire.brain, S("eci-3"))->is_noted = true; /* its tags were not read yet */
    tested_turn(&wire);
    assert_string_equal(calls[0].ids, "[\"eci-1\"]");
    reply(0, ERR_OK, ROW("eci-2", EVENT("n.1", "NoStock", "1", "01", "01")));
    assert_int_equal(posts_count, 0);
    tested_turn(&wire); /* the round ends */
    now_ms = wake_ms;
    tested_turn(&wire);
    reply(1, ERR_OK, ROW("eci-unknown", EVENT("n.1", "NoStock", "1", "01", "01")));
    assert_int_equal(posts_count, 0);
    tested_turn(&wire);
    now_ms = wake_ms;
    tested_turn(&wire);
    reply(2, ERR_OK, ROW("eci-3", EVENT("n.1", "NoStock", "1", "01", "01")));
    assert_int_equal(posts_count, 0);
}

/* ---- once ------------------------------------------------------------------------------------ */

/* The name under which an event of this text is posted by a fresh process. */
static const char *name_of(const char *pod, const char *id, const char *text)
{
    static char names[16][300]; /* of one test */
    static uint32_t at;
    char *name = names[at++ % 16];
    begin();
    pod_with_group(pod, id);
    round_with(text);
    assert_int_equal(posts_count, 1);
    memcpy(name, posts[0].own_name, sizeof names[0]);
    return name;
}

static void test_events_have_the_same_name_after_a_restart(void **state)
{
    (void)state;
    const char *first =
        name_of("web-1", "eci-1", ROW("eci-1", EVENT("n.1", "NoStock", "1", "01", "01")));
    assert_int_equal(strncmp(first, "web-1.", 6), 0);
    assert_int_equal(strlen(first), 6 + 16);
    /* It goes on being counted: still the same. */
    assert_string_equal(
        first, name_of("web-1", "eci-1", ROW("eci-1", EVENT("n.1", "NoStock", "9", "01", "59"))));
    /* Another event, or another instance: another name. */
    assert_string_not_equal(
        first, name_of("web-1", "eci-1", ROW("eci-1", EVENT("n.2", "NoStock", "1", "01", "01"))));
    assert_string_not_equal(
        first, name_of("web-1", "eci-2", ROW("eci-2", EVENT("n.1", "NoStock", "1", "01", "01"))));
    assert_string_not_equal(
        first, name_of("web-1", "eci-1", ROW("eci-1", EVENT("n.1", "Pulling", "1", "01", "01"))));
    /* Without a name its first time tells. */
    const char *nameless =
        name_of("web-1", "eci-1", ROW("eci-1", EVENT("", "NoStock", "1", "01", "01")));
    assert_string_equal(
        nameless, name_of("web-1", "eci-1", ROW("eci-1", EVENT("", "NoStock", "2", "01", "05"))));
    assert_string_not_equal(
        nameless, name_of("web-1", "eci-1", ROW("eci-1", EVENT("", "NoStock", "1", "02", "02"))));
}

static void test_events_names_fit(void **state)
{
    (void)state;
    char pod[KUBE_NAME_BYTES_MAX + 1];
    memset(pod, 'a', sizeof pod);
    pod[sizeof pod - 1] = '\0';
    memset(pod + KUBE_NAME_BYTES_MAX - 20, '-', 10); /* the cut falls among these */
    const char *name = name_of(pod, "eci-1", ROW("eci-1", EVENT("n", "NoStock", "1", "01", "01")));
    assert_true(strlen(name) <= KUBE_NAME_BYTES_MAX);
    assert_null(strstr(name, "-."));
}

/* ---- rounds ---------------------------------------------------------------------------------- */

/* Each round asks for what is newer than the start of the last whole one, with some overlap. */
static void test_events_rounds_go_on_where_the_last_ended(void **state)
{
    (void)state;
    begin();
    pod_with_group("web-1", "eci-1");
    round_with(NO_EVENTS);
    assert_true(wake_ms > now_ms);
    now_ms += 40000;
    round_with(NO_EVENTS);
    assert_string_equal(calls[1].since, "50");
    now_ms += 7200000;
    round_with(NO_EVENTS);
    assert_string_equal(calls[2].since, "3600"); /* they live no longer */
}

static void test_events_rounds_take_twenty_at_a_time(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < READ_BATCH_MAX + 1; i++) {
        char name[16], id[16];
        (void)snprintf(name, sizeof name, "web-%d", i);
        (void)snprintf(id, sizeof id, "eci-%02d", i);
        pod_with_group(name, id);
    }
    tested_turn(&wire);
    reply(0, ERR_OK, NO_EVENTS);
    tested_turn(&wire);
    assert_int_equal(calls_count, 2);
    assert_non_null(strstr(calls[0].ids, "eci-19"));
    assert_string_equal(calls[1].ids, "[\"eci-20\"]");
    assert_int_equal(wire.cloud_events.since_ms, 0); /* not before all were asked about */
    reply(1, ERR_OK, NO_EVENTS);
    tested_turn(&wire);
    assert_int_equal(calls_count, 2);
    assert_int_equal(wire.cloud_events.since_ms, START_MS);
}

/* What found no room is read again; nothing is asked while there is none. */
static void test_events_without_room_are_read_again(void **state)
{
    (void)state;
    begin();
    pod_with_group("web-1", "eci-1");
    room = 1;
    tested_turn(&wire);
    reply(0, ERR_OK,
          ROW("eci-1", EVENT("n.1", "NoStock", "1", "01", "01") "," EVENT("n.2", "Pulling", "1",
                                                                          "01", "01")));
    assert_int_equal(posts_count, 1);
    tested_turn(&wire);
    assert_int_equal(calls_count, 1);
    assert_true(wake_ms > now_ms);
    room = 3;
    now_ms = wake_ms;
    tested_turn(&wire); /* the round ends, and counts for nothing */
    assert_int_equal(wire.cloud_events.since_ms, 0);
    now_ms = wake_ms;
    round_with(ROW("eci-1", EVENT("n.1", "NoStock", "1", "01", "01") "," EVENT("n.2", "Pulling",
                                                                               "1", "01", "01")));
    assert_string_equal(calls[1].since, "300");
    assert_int_equal(posts_count, 3);
    assert_string_equal(posts[0].own_name, posts[1].own_name);
}

/* With each take of an arena failing: what was not told is read again. */
static void test_events_without_memory_are_read_again(void **state)
{
    char name[sizeof posts[0].own_name] = "";
    uint32_t lost = 0;
    (void)state;
    for (failing_take = 0; failing_take < 20; failing_take++) {
        begin();
        pod_with_group("web-1", "eci-1");
        round_with(ROW("eci-1", EVENT("n.1", "NoStock", "1", "01", "01")));
        assert_true(posts_count == 1 || wire.cloud_events.since_ms == 0);
        lost += posts_count == 0;
        if (failing_take == 0) {
            memcpy(name, posts[0].own_name, sizeof name);
        }
        assert_true(posts_count == 0 || strcmp(posts[0].own_name, name) == 0);
    }
    failing_take = 0;
    assert_in_range(lost, 3, 18);
}

/* After a failure: later and later, much later when the account may not ask; the failed round
 * counts for nothing. */
static void test_events_failures(void **state)
{
    (void)state;
    msec waits[2];
    const enum err errors[] = {ERR_TIMEOUT, ERR_FORBIDDEN};
    for (int i = 0; i < 2; i++) {
        begin();
        pod_with_group("web-1", "eci-1");
        tested_turn(&wire);
        reply(0, errors[i], NULL);
        waits[i] = wake_ms - now_ms;
        assert_true(waits[i] > 0);
        tested_turn(&wire); /* the timer is not set here, so this is the next try: the round ends */
        assert_int_equal(wire.cloud_events.since_ms, 0);
        assert_int_equal(wire.cloud_events.failures, 1);
        now_ms += 60000;
        round_with(NO_EVENTS);
        assert_string_equal(calls[1].since, "300");
        assert_int_equal(wire.cloud_events.failures, 0);
        assert_int_not_equal(wire.cloud_events.since_ms, 0);
    }
    assert_true(waits[1] > 2 * waits[0]);
}

static void test_events_wait_for_the_cloud_and_end_with_the_process(void **state)
{
    (void)state;
    begin();
    pod_with_group("web-1", "eci-1");
    wire.brain.cloud.is_reachable = false;
    tested_turn(&wire);
    assert_int_equal(calls_count, 0);
    assert_true(wake_ms > now_ms);
    wire.brain.cloud.is_reachable = true;
    wire.is_stopping = true;
    tested_turn(&wire);
    assert_int_equal(calls_count, 0);
    wire.is_stopping = false;
    start_err = ERR_FULL; /* no slot for the call: the same groups again */
    tested_turn(&wire);
    assert_int_equal(calls_count, 0);
    assert_true(wake_ms > now_ms);
    start_err = ERR_OK;
    tested_turn(&wire);
    assert_string_equal(calls[0].ids, "[\"eci-1\"]");
    tested_turn(&wire); /* one at a time */
    assert_int_equal(calls_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_of_groups_become_events_of_pods),
        cmocka_unit_test(test_events_of_others_are_not_passed_on),
        cmocka_unit_test(test_events_have_the_same_name_after_a_restart),
        cmocka_unit_test(test_events_names_fit),
        cmocka_unit_test(test_events_rounds_go_on_where_the_last_ended),
        cmocka_unit_test(test_events_rounds_take_twenty_at_a_time),
        cmocka_unit_test(test_events_without_room_are_read_again),
        cmocka_unit_test(test_events_without_memory_are_read_again),
        cmocka_unit_test(test_events_failures),
        cmocka_unit_test(test_events_wait_for_the_cloud_and_end_with_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
