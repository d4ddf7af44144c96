/*
 * wire_capacity.c - what the node shows follows the account's quota and what is in use; the rule is
 * core/capacity.h. Once in CAPACITY_LOOK_MS the cloud is asked (ListUsage); the answer and what the
 * brain knows become one look.
 *
 * Nothing else depends on it. A call that fails changes nothing; only when the account may not ask
 * is what was known forgotten, and the configuration counts alone.
 */
#include "app/wire.h"

#include <stdio.h>

#include "base/backoff.h"
#include "base/check.h"
#include "spec/quantity.h"

#define SOON_MS 1000 /* something has to be known first */
#define RETRY_CAP_MS 600000

static void on_due(struct loop_timer *timer)
{
    (void)timer; /* the turn that follows does the work */
}

void capacity_wire_init(struct wire *wire)
{
    loop_timer_init(&wire->capacity.timer, on_due, wire);
    enum err err = quantity_parse_milli(wire->config->eci_quota_cpu, &wire->capacity.cpu_milli);
    if (err != ERR_OK) { /* the configuration was checked: it is only too large to count */
        wire->capacity.cpu_milli = INT64_MAX;
    }
}

static void look_again_in(struct wire *wire, msec wait_ms)
{
    loop_timer_set(wire->loop, &wire->capacity.timer, wire_now_ms(wire) + wait_ms);
}

static void has_failed(struct wire *wire, enum err err, str why)
{
    struct wire_capacity *own = &wire->capacity;
    if (own->failures == 0) {
        log_line(LOG_WARN, "cloud", "ListUsage: %.*s", STR_ARG(why));
    }
    own->failures++;
    if (err == ERR_FORBIDDEN) {
        capacity_forget_usage(&wire->brain.capacity);
    }
    look_again_in(wire, backoff_ms(own->failures, CAPACITY_LOOK_MS, RETRY_CAP_MS, &wire->prng));
}

static void on_usage(void *owner, enum err err, const struct eci_reply *reply)
{
    struct wire *wire = owner;
    struct capacity_look look = {.has_usage = false};
    wire->capacity.is_busy = false;
    bool is_known = brain_look(&wire->brain, &look);
    if (err == ERR_OK) {
        capacity_read_usage(reply->root, reply->arena, &look);
    }
    if (is_known) {
        capacity_look_taken(&wire->brain.capacity, &look);
    }
    if (err == ERR_OK && look.has_usage) {
        wire->capacity.failures = 0;
        look_again_in(wire, CAPACITY_LOOK_MS);
        return;
    }
    has_failed(wire, err, err != ERR_OK ? reply->why : S("the reply has no MaxCpu and UsedCpu"));
}

void capacity_wire_turn(struct wire *wire)
{
    struct wire_capacity *own = &wire->capacity;
    struct capacity_look look;
    struct params params;
    if (own->is_busy || due_is_set(&own->timer.due) || !wire->config->quota_follow ||
        wire->is_stopping || !wire->brain.polls_are_on) {
        return;
    }
    if (!brain_look(&wire->brain, &look)) {
        look_again_in(wire, SOON_MS);
        return;
    }
    size_t mark = arena_mark(wire->arena);
    enum err err = params_init(&params, wire->arena);
    if (err == ERR_OK) {
        const struct eci_want want = {
            .action = ECI_LIST_USAGE, .params = &params, .on_done = on_usage, .owner = wire};
        err = eci_call_start(&wire->cloud, &want, NULL);
    }
    arena_rewind(wire->arena, mark);
    own->is_busy = err == ERR_OK;
    if (err != ERR_OK) {
        look_again_in(wire, SOON_MS);
    }
}

/* As it was written when it is that, else as a quantity of ours. */
static str put_cpu(const struct wire *wire, int64_t milli, char *out, size_t bytes)
{
    if (milli == wire->capacity.cpu_milli) {
        return wire->config->eci_quota_cpu;
    }
    int wanted = snprintf(out, bytes, "%lldm", (long long)milli);
    CHECK(wanted > 0 && (size_t)wanted < bytes);
    return str_of(out);
}

bool capacity_wire_refresh(struct wire *wire)
{
    struct wire_capacity *own = &wire->capacity;
    struct node_facts *facts = &wire->node.facts;
    const struct capacity *capacity = &wire->brain.capacity;
    if (own->changes == capacity->changes || !wire->config->quota_follow) {
        return false;
    }
    own->changes = capacity->changes;
    struct capacity_figures figures =
        capacity_figures(capacity, own->cpu_milli, wire->config->eci_quota_pod);
    facts->cpu = put_cpu(wire, figures.cpu_milli, own->cpu, sizeof own->cpu);
    facts->cpu_free = put_cpu(wire, figures.cpu_free_milli, own->cpu_free, sizeof own->cpu_free);
    facts->pods_free = figures.pods_free;
    if (facts->is_over_quota != capacity->is_closed) {
        facts->is_over_quota = capacity->is_closed;
        facts->changed_unix_s[NODE_ECI_QUOTA] = wire_now_s(wire);
    }
    log_line(LOG_INFO, "node", "shows cpu %.*s of %.*s, pods %u of %u%s", STR_ARG(facts->cpu_free),
             STR_ARG(facts->cpu), facts->pods_free, facts->pods,
             capacity->is_closed ? ": creates were refused, a quota is used up" : "");
    return true;
}
