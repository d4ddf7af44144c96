/*
 * wire_events.c - what the cloud tells about our groups becomes events of their pods: lack of
 * stock, reclaimed spot instances, image caches, and what the agent in the instance says of its
 * containers (eci-api 2.11 and 7). Reasons are passed on as they are, known or not.
 *
 * Groups are asked about in rounds, READ_BATCH_MAX ids per call: the reply has no token for a next
 * page, so asking by tags would lose what is on it. Each round asks for what is newer than
 * the start of the round before. An event's name is made from the group and the event, so seeing it
 * twice, or once more after a restart, adds nothing; that is why the rounds may overlap.
 *
 * It never holds up anything else: one call at a time, a rate of its own, no call while the cloud
 * is away, and the last places for events are not for these.
 */
#include "app/wire.h"

#include <stdio.h>

#include "base/backoff.h"
#include "base/check.h"
#include "base/hash.h"
#include "data/group_read.h"

#define OVERLAP_S 10     /* clocks and lags differ */
#define SINCE_MAX_S 3600 /* events live for an hour */
#define RETRY_MS 2000    /* after a failure, or when there was no room */
#define RETRY_CAP_MS 60000
#define REFUSED_CAP_MS 600000 /* the account may not ask: look again now and then */
#define NAME_HEX_BYTES 16

static void on_due(struct loop_timer *timer)
{
    (void)timer; /* the turn that follows does the work */
}

void events_init(struct wire *wire)
{
    struct wire_events *events = &wire->cloud_events;
    loop_timer_init(&events->timer, on_due, wire);
    bucket_init(&events->bucket, WIRE_EVENTS_PER_MINUTE, READ_BATCH_MAX, wire_now_ms(wire));
}

static void look_again_in(struct wire *wire, msec wait_ms)
{
    loop_timer_set(wire->loop, &wire->cloud_events.timer, wire_now_ms(wire) + wait_ms);
}

/* ---- one event ------------------------------------------------------------------------------- */

/* "<pod>.<hex>", the same for the same event whoever sees it. Empty: the arena is full. */
static str make_name(struct arena *arena, const struct group *group, const struct pod *pod,
                     const struct eci_event *event)
{
    char hex[2 * HASH_SHA256_BYTES + 1];
    bool has_name = !str_is_empty(event->name);
    str what = arena_fmt(arena, "%s/%.*s/%.*s/%.*s/%lld", group->id, STR_ARG(event->name),
                         STR_ARG(event->reason), STR_ARG(event->message),
                         has_name ? 0LL : (long long)event->first_at_s);
    if (str_is_empty(what)) {
        return STR_NONE;
    }
    hash_sha256_hex(hex, what);
    str object = str_sub(str_of(pod->name), 0, KUBE_NAME_BYTES_MAX - 1 - NAME_HEX_BYTES);
    while (str_ends(object, S(".")) || str_ends(object, S("-"))) {
        object = str_sub(object, 0, object.bytes - 1);
    }
    return arena_fmt(arena, "%.*s.%.*s", STR_ARG(object), NAME_HEX_BYTES, hex);
}

/* False when there was no memory for its name. */
static bool pass_on(struct wire *wire, const struct group *group, const struct pod *pod,
                    const struct eci_event *event)
{
    int64_t last_s = event->last_at_s != 0 ? event->last_at_s : wire_now_s(wire);
    const struct kube_event out = {
        .kind = KUBE_POD,
        .name_space = str_of(pod->name_space),
        .name = str_of(pod->name),
        .uid = str_of(pod->uid),
        .is_warning = str_eq_nocase(event->type, S("Warning")),
        .reason = str_sub(event->reason, 0, KUBE_EVENT_REASON_BYTES_MAX),
        .message = event->message,
        .own_name = make_name(wire->arena, group, pod, event),
        .component = str_sub(event->component, 0, KUBE_EVENT_REASON_BYTES_MAX),
        .count = (uint32_t)event->count,
        .first_unix_s = event->first_at_s != 0 ? event->first_at_s : last_s,
        .last_unix_s = last_s,
    };
    if (str_is_empty(out.own_name)) {
        return false;
    }
    kube_event_post(&wire->events, &out);
    return true;
}

/* False when there was no room for all of them: they are read again. */
static bool take_row(struct wire *wire, const struct eci_events_row *row)
{
    const struct group *group = brain_find_group(&wire->brain, row->id);
    const struct pod *pod = group != NULL ? brain_pod(&wire->brain, group->pod) : NULL;
    if (pod == NULL || group->is_foreign || group->is_noted || pod->object != OBJECT_SEEN) {
        return true; /* nobody to tell */
    }
    for (uint32_t i = 0; i < row->events_count; i++) {
        if (!kube_events_has_room(&wire->events) || !pass_on(wire, group, pod, &row->events[i])) {
            return false;
        }
    }
    return true;
}

/* ---- one call -------------------------------------------------------------------------------- */

static void has_failed(struct wire *wire, enum err err, str why)
{
    struct wire_events *events = &wire->cloud_events;
    bool is_refused = err == ERR_FORBIDDEN || err_fate(err) == FATE_NEVER;
    if (events->failures == 0) {
        log_line(LOG_WARN, "cloud", "DescribeContainerGroupEvents: %.*s", STR_ARG(why));
    }
    events->failures++;
    events->is_partial = true;
    if (err_fate(err) == FATE_SLOW) {
        bucket_slow(&events->bucket, wire_now_ms(wire));
    }
    look_again_in(wire, backoff_ms(events->failures, is_refused ? RETRY_CAP_MS : RETRY_MS,
                                   is_refused ? REFUSED_CAP_MS : RETRY_CAP_MS, &wire->prng));
}

static void on_events(void *owner, enum err err, const struct eci_reply *reply)
{
    struct wire *wire = owner;
    struct wire_events *events = &wire->cloud_events;
    struct eci_events_row row;
    struct group_read read;
    events->is_busy = false;
    if (err != ERR_OK) {
        has_failed(wire, err, reply->why);
        return;
    }
    events->failures = 0;
    group_read_init(&read, reply->root, reply->arena);
    size_t mark = arena_mark(reply->arena);
    while (group_read_events(&read, &row)) {
        events->is_partial |= !take_row(wire, &row);
        arena_rewind(reply->arena, mark);
    }
    events->is_partial |= read.rows_lost > 0;
    look_again_in(wire, 0);
}

static uint32_t since_s(const struct wire_events *events, msec now_ms)
{
    if (events->since_ms == 0) {
        return WIRE_EVENTS_FIRST_S;
    }
    msec passed_s = (now_ms - events->since_ms) / 1000 + OVERLAP_S;
    return passed_s < SINCE_MAX_S ? (uint32_t)passed_s : SINCE_MAX_S;
}

/* The ids of the next groups of this round; how many. */
static uint32_t put_batch(struct wire *wire, struct buf *out)
{
    const struct pool *groups = &wire->brain.groups;
    handle *next = &wire->cloud_events.next;
    uint32_t count = 0;
    buf_put_char(out, '[');
    while (count < READ_BATCH_MAX) {
        handle h = handle_is_none(*next) ? pool_first(groups) : pool_after(groups, *next);
        if (handle_is_none(h)) {
            break;
        }
        *next = h;
        const struct group *group = brain_group(&wire->brain, h);
        if (!handle_is_none(group->pod) && !group->is_foreign && !group->is_noted) {
            buf_put_fmt(out, "%s\"%s\"", count > 0 ? "," : "", group->id);
            count++;
        }
    }
    buf_put_char(out, ']');
    return count;
}

static enum err ask(struct wire *wire, str ids)
{
    struct params params;
    size_t mark = arena_mark(wire->arena);
    enum err err = params_init(&params, wire->arena);
    if (err == ERR_OK) {
        params_add(&params, S("ContainerGroupIds"), ids);
        params_add_i64(&params, S("SinceSecond"),
                       since_s(&wire->cloud_events, wire->cloud_events.round_ms));
        const struct eci_want want = {
            .action = ECI_DESCRIBE_EVENTS, .params = &params, .on_done = on_events, .owner = wire};
        err = eci_call_start(&wire->cloud, &want, NULL);
    }
    arena_rewind(wire->arena, mark);
    return err;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void end_round(struct wire *wire)
{
    struct wire_events *events = &wire->cloud_events;
    msec now_ms = wire_now_ms(wire);
    if (!events->is_partial) {
        events->since_ms = events->round_ms;
    }
    if (wire->brain.in_transition > 0) {
        events->moves_until_ms = now_ms + 2 * WIRE_EVENTS_FAST_MS;
    }
    bool is_fast = events->is_partial || events->moves_until_ms > now_ms;
    msec next_ms = events->round_ms + (is_fast ? WIRE_EVENTS_FAST_MS : WIRE_EVENTS_SLOW_MS);
    events->round_ms = 0;
    look_again_in(wire, next_ms > now_ms ? next_ms - now_ms : 0);
}

/* A pod began to move: the long pause ends early. */
static void hurry(struct wire *wire)
{
    struct wire_events *events = &wire->cloud_events;
    msec now_ms = wire_now_ms(wire);
    bool is_paused = events->round_ms == 0 && events->failures == 0 && !events->is_busy;
    if (is_paused && wire->brain.in_transition > 0 && events->moves_until_ms <= now_ms) {
        events->moves_until_ms = now_ms + 2 * WIRE_EVENTS_FAST_MS;
        look_again_in(wire, WIRE_EVENTS_FAST_MS);
    }
}

static void next_call(struct wire *wire)
{
    struct wire_events *events = &wire->cloud_events;
    char memory[READ_BATCH_MAX * (GROUP_ID_BYTES + 4)];
    struct buf ids;
    msec now_ms = wire_now_ms(wire);
    if (events->round_ms == 0) {
        events->round_ms = now_ms;
        events->next = HANDLE_NONE;
        events->is_partial = false;
    }
    handle before = events->next;
    buf_init(&ids, memory, sizeof memory);
    if (put_batch(wire, &ids) == 0) {
        end_round(wire);
        return;
    }
    CHECK(buf_ok(&ids) && bucket_take(&events->bucket, now_ms, 0));
    if (ask(wire, buf_str(&ids)) == ERR_OK) {
        events->is_busy = true;
    } else {
        events->next = before;
        look_again_in(wire, RETRY_MS);
    }
}

void events_turn(struct wire *wire)
{
    struct wire_events *events = &wire->cloud_events;
    msec now_ms = wire_now_ms(wire);
    hurry(wire);
    if (events->is_busy || due_is_set(&events->timer.due)) {
        return;
    }
    if (wire->is_stopping || !wire->brain.polls_are_on) {
        return;
    }
    msec rate_ms = bucket_wait_ms(&events->bucket, now_ms, 0);
    bool is_away = !wire->brain.cloud.is_reachable || wire->brain.sweeps_digested == 0;
    if (is_away || !kube_events_has_room(&wire->events)) {
        look_again_in(wire, RETRY_MS);
    } else if (rate_ms > 0) {
        look_again_in(wire, rate_ms);
    } else {
        next_call(wire);
    }
}
