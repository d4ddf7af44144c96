/*
 * wire_leader.c - of several gateways with one node name, one acts. LEADER_ELECT=true.
 *
 * Who holds the Lease LEADER_NAMESPACE/ecilet-<node> leads: only it creates and deletes, writes
 * statuses and renews the node's heartbeat. Who waits only looks (core/standby.c): it watches the
 * pods, and serves the webhook and the kubelet port. The numbers are those of client-go's
 * leader election: the lease runs out 15 s after its last renewal (measured by the waiting one's
 * own monotonic clock), the leader stops acting 10 s after its last renewal, and renews every 2 s.
 *
 * Taking over is a start: pods are listed, instances swept, and only then anything is created. What
 * was known while waiting is not acted upon.
 * Losing the lease ends all work at once; the process then starts itself anew (run.c) and waits
 * like any other, so that nothing believed before can be acted upon later. A gateway that slept
 * through its own deposition looks at the clock before it does anything else (leader_may_act). What
 * it had on the wire may still land: client tokens, tags and UID preconditions make that harmless.
 */
#include "app/wire.h"

#include <stdio.h>

#include "os/os.h"

#define LEADER_DURATION_S 15
#define LEADER_VALID_MS 10000 /* after the last renewal: later nothing is done any more */
#define LEADER_PERIOD_MS 2000
#define LEADER_DEADLINE_MS 5000 /* of one try, so that two fit into LEADER_VALID_MS */

/* By the clock of this very moment, not of the turn: the process may have been stopped in between.
 * renewed_at_ms is when the renewal was sent, so the one that waits counts from later. */
bool leader_may_act(const struct wire *wire)
{
    const struct wire_leader *leader = &wire->leader;
    return !leader->is_wanted ||
           (leader->is_leader && os_now_ms() - leader->lease.renewed_at_ms < LEADER_VALID_MS);
}

static void on_result(struct kube_lease *lease, enum err err, const char *why)
{
    struct wire *wire = lease->owner;
    struct wire_leader *leader = &wire->leader;
    if (err != ERR_OK && err != leader->err) { /* one line per trouble, not per try */
        log_line(LOG_WARN, "leader", "%s: %s", leader->is_leader ? "not renewed" : "not asked",
                 why);
    }
    leader->err = err;
    if (err == ERR_OK && !leader->is_leader && !wire->is_stopping) {
        leader->is_leader = true;
        leader->is_new = true;
        leader->waits = false;
        log_line(LOG_INFO, "leader", "this gateway leads now (%s)", leader->identity);
    }
}

static void on_foreign(struct kube_lease *lease, str holder)
{
    struct wire *wire = lease->owner;
    struct wire_leader *leader = &wire->leader;
    leader->waits = !leader->is_leader;
    if (leader->is_leader) {
        leader->is_deposed = true;
    } else if (!str_eq(holder, str_of(leader->holder))) {
        log_line(LOG_INFO, "leader", "%.*s leads; waiting", STR_ARG(holder));
        (void)str_copy(leader->holder, sizeof leader->holder, holder);
    }
}

static const struct kube_lease_handlers handlers = {.on_result = on_result,
                                                    .on_foreign = on_foreign};

bool leader_turn(struct wire *wire)
{
    struct wire_leader *leader = &wire->leader;
    if (leader->is_leader && !leader_may_act(wire)) {
        leader->is_deposed = true;
    }
    if (leader->is_deposed && !wire->is_stopping && !leader->was_told) {
        leader->was_told = true;
        log_line(LOG_WARN, "leader", "the lease is lost; starting anew, to wait for it");
    }
    bool begins = leader->is_new;
    leader->is_new = false;
    return begins && leader_may_act(wire);
}

void leader_init(struct wire *wire, struct region *region)
{
    struct wire_leader *leader = &wire->leader;
    const struct config *config = wire->config;
    leader->is_wanted = config->leader_elect;
    if (!leader->is_wanted) {
        return;
    }
    (void)snprintf(leader->name, sizeof leader->name, "ecilet-%s", config->node_name.ptr);
    if (!str_copy(leader->identity, sizeof leader->identity, config->leader_identity) ||
        str_is_empty(config->leader_identity)) {
        os_host_name(leader->identity, sizeof leader->identity);
    }
    const struct kube_lease_config lease = {.name = str_of(leader->name),
                                            .name_space = config->leader_namespace,
                                            .holder = str_of(leader->identity),
                                            .duration_s = LEADER_DURATION_S,
                                            .period_ms = LEADER_PERIOD_MS,
                                            .deadline_ms = LEADER_DEADLINE_MS,
                                            .handlers = &handlers,
                                            .owner = wire};
    kube_lease_init(&leader->lease, wire->loop, region, &wire->auth, wire->arena,
                    prng_u64(&wire->prng), &lease);
}

void leader_start(struct wire *wire)
{
    if (wire->leader.is_wanted) {
        kube_lease_start(&wire->leader.lease);
    }
}

void leader_stop(struct wire *wire)
{
    struct wire_leader *leader = &wire->leader;
    if (!leader->is_wanted) {
        return;
    }
    if (leader_may_act(wire)) {
        kube_lease_release(&leader->lease); /* the other one need not wait until it runs out */
    } else {
        kube_lease_stop(&leader->lease);
    }
}
