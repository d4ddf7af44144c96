/*
 * wire_node.c - our Node object and its lease.
 *
 * The node is watched by name: it is made when it is not there (first start, or somebody deleted
 * it), its labels and taint are completed once after each start (others' are kept), and its status
 * is written when a condition changes, else every five minutes. The lease renews itself
 * (kube/lease).
 */
#include "app/wire.h"

#include <stdio.h>

#include "base/backoff.h"
#include "base/check.h"
#include "os/os.h"

#define NODE_BODY_BYTES \
    (64 * 1024) /* our labels take 5 KB; the taints of others are in it as well */
#define NODE_OBJECT_BYTES (256 * 1024) /* ours has 4 KB; others may hang much on it */
#define NODE_RETRY_MS 1000
#define NODE_RETRY_CAP_MS 20000

#if defined(__x86_64__)
#define NODE_ARCH "amd64"
#elif defined(__aarch64__)
#define NODE_ARCH "arm64"
#else
#define NODE_ARCH "arm"
#endif

static struct wire_node *node_of(struct wire *wire)
{
    return &wire->node;
}

/* ---- facts ----------------------------------------------------------------------------------- */

/* Conditions follow the brain. True when one changed. */
static bool refresh_conditions(struct wire *wire)
{
    struct node_facts *facts = &wire->node.facts;
    const struct brain *brain = &wire->brain;
    const struct cloud_state *cloud = &brain->cloud;
    bool is_changed = false;
    if (facts->is_reachable != cloud->is_reachable || facts->reach_reason[0] == '\0') {
        is_changed = facts->is_reachable != cloud->is_reachable;
        facts->is_reachable = cloud->is_reachable;
        str reason = cloud->is_reachable      ? S("ECIAnswers")
                     : cloud->err == ERR_AUTH ? S("ECIRefusesCredentials")
                                              : S("ECIUnreachable");
        (void)str_copy(facts->reach_reason, sizeof facts->reach_reason, reason);
        (void)str_copy(facts->reach_message, sizeof facts->reach_message,
                       cloud->is_reachable ? S("the ECI API answers") : str_of(cloud->message));
        if (is_changed) {
            facts->changed_unix_s[NODE_ECI_REACHABLE] = wire_now_s(wire);
        }
    }
    if (facts->is_braked != brain->brake_is_on || facts->brake_message[0] == '\0') {
        is_changed = is_changed || facts->is_braked != brain->brake_is_on;
        facts->is_braked = brain->brake_is_on;
        (void)snprintf(facts->brake_message, sizeof facts->brake_message,
                       brain->brake_is_on ? "%u of %u container groups have no pod; not deleted"
                                          : "container groups and pods match",
                       brain->orphan_suspects, brain->groups_ours_live);
        facts->changed_unix_s[NODE_ORPHAN_BRAKE] = wire_now_s(wire);
    }
    return is_changed;
}

static void facts_init(struct wire *wire)
{
    const struct config *config = wire->config;
    wire->node.facts = (struct node_facts){
        .name = config->node_name,
        .address = config->vkubelet_pod_ip,
        .cpu = config->eci_quota_cpu,
        .memory = config->eci_quota_memory,
        .pods = config->eci_quota_pod,
        .gpus = config->eci_quota_gpu,
        .cpu_free = config->eci_quota_cpu,
        .pods_free = config->eci_quota_pod,
        .kubelet_port = config->kubelet_port,
        .kubelet_version = S("v1.20.2-ecilet-" ECILET_VERSION),
        .architecture = S(NODE_ARCH),
        .taint_key = config->vkubelet_taint_key,
        .taint_value = config->vkubelet_taint_value,
        .taint_effect = str_of(config_taint_text(config->vkubelet_taint_effect)),
        /* Nobody but the webhook makes pods that make a difference between the two. */
        .is_last_choice =
            config->webhook && config->vkubelet_taint_effect == CONFIG_TAINT_NO_SCHEDULE,
        .labels = config->node_labels.items,
        .labels_count = config->node_labels.count,
        .region = config->eci_region,
    };
}

/* ---- writes ---------------------------------------------------------------------------------- */

/* Which of our writes a reply is about. */
enum node_write { NODE_WRITE_OBJECT, NODE_WRITE_STATUS, NODE_WRITE_SPEC };

static void write_again(struct wire *wire, msec at_ms)
{
    loop_timer_set(wire->loop, &wire->node.timer, at_ms);
}

static void on_written(void *owner, const struct kube_reply *reply)
{
    struct wire *wire = owner;
    struct wire_node *node = node_of(wire);
    node->is_busy = false;
    bool is_taken = reply->op == NODE_WRITE_OBJECT && reply->err == ERR_CONFLICT;
    if (reply->err == ERR_OK || is_taken) {
        if (!node->is_registered) {
            log_line(LOG_INFO, "node", "node %s is registered", wire->config->node_name.ptr);
        }
        node->is_registered = true;
        node->is_there = true; /* the watch brings its UID */
        node->failures = 0;
        write_again(wire, wire_now_ms(wire) + NODE_STATUS_MS);
        return;
    }
    log_line(LOG_WARN, "node", "node could not be written: %.*s", STR_ARG(reply->why));
    if (reply->err == ERR_NOT_FOUND) {
        node->is_there = false;
        node->uid[0] = '\0';
    }
    node->needs_spec = node->needs_spec || reply->op == NODE_WRITE_SPEC;
    node->failures++;
    write_again(wire, wire_now_ms(wire) + backoff_ms(node->failures, NODE_RETRY_MS,
                                                     NODE_RETRY_CAP_MS, &wire->prng));
}

static void send(struct wire *wire, enum node_write what, const struct json_write *w,
                 const struct buf *body)
{
    struct wire_node *node = node_of(wire);
    char memory[400];
    struct buf path;
    buf_init(&path, memory, sizeof memory);
    kube_put_path(&path, KUBE_NODE, STR_NONE,
                  what == NODE_WRITE_OBJECT ? STR_NONE : wire->config->node_name,
                  what == NODE_WRITE_STATUS ? S("status") : STR_NONE);
    CHECK(json_write_ok(w) && buf_ok(&path));
    const struct kube_request request = {
        .verb = what == NODE_WRITE_OBJECT ? KUBE_CREATE : KUBE_STRATEGIC_PATCH,
        .rank = KUBE_RANK_HIGH,
        .path = buf_str(&path),
        .body = buf_str(body),
        .on_done = on_written,
        .owner = wire,
        .op = what,
    };
    node->is_busy = kube_call_send(&wire->calls, &request, NULL) == ERR_OK;
    node->is_stale = node->is_stale && what == NODE_WRITE_SPEC; /* the others carry the status */
    if (!node->is_busy) {
        write_again(wire, wire_now_ms(wire) + NODE_RETRY_MS);
    }
}

static void write_node(struct wire *wire)
{
    struct wire_node *node = node_of(wire);
    char *memory = arena_take(wire->arena, NODE_BODY_BYTES);
    CHECK(memory != NULL);
    struct buf body;
    struct json_write w;
    buf_init(&body, memory, NODE_BODY_BYTES);
    json_write_init(&w, &body);
    if (node->is_there) {
        node_put_status_patch(&w, &node->facts, str_of(node->uid), wire_now_s(wire));
        send(wire, NODE_WRITE_STATUS, &w, &body);
    } else {
        node_put_object(&w, &node->facts, wire_now_s(wire));
        send(wire, NODE_WRITE_OBJECT, &w, &body);
    }
}

void node_turn(struct wire *wire)
{
    struct wire_node *node = node_of(wire);
    /* A change while a write is under way must not be forgotten: that write does not have it. */
    node->is_stale |= refresh_conditions(wire);
    node->is_stale |= capacity_wire_refresh(wire);
    bool is_due = !due_is_set(&node->timer.due) || node->is_stale;
    bool may_write = node_is_ours(wire) && !wire->is_stopping && leader_may_act(wire);
    if (!may_write || node->is_busy || !is_due) {
        return;
    }
    size_t mark = arena_mark(wire->arena);
    write_node(wire);
    arena_rewind(wire->arena, mark);
}

bool node_is_ours(const struct wire *wire)
{
    return wire->node.is_checked && !wire->is_refused;
}

static void refuse_node(struct wire *wire)
{
    log_line(
        LOG_ERROR, "node",
        "node %s exists and is no virtual node (it has no label type=virtual-kubelet): its pods "
        "would be started twice. Choose another NODE_NAME, or delete that node first",
        wire->config->node_name.ptr);
    wire->is_refused = true;
}

/* ---- the node as others see it --------------------------------------------------------------- */

static void on_node(struct kube_watch *watch, enum kube_change change, json object,
                    struct arena *arena)
{
    struct wire *wire = watch->owner;
    struct wire_node *node = node_of(wire);
    struct kube_meta meta;
    kube_meta_read(object, arena, &meta);
    if (!str_eq(meta.name, wire->config->node_name)) {
        return;
    }
    if (change == KUBE_DELETED) {
        log_line(LOG_WARN, "node", "somebody deleted the node; registering it again");
        node->is_there = false;
        node->uid[0] = '\0';
        loop_timer_clear(wire->loop, &node->timer); /* due now */
        return;
    }
    if (!node->is_checked && !node_is_virtual(object, arena)) {
        refuse_node(wire);
    }
    if (wire->is_refused) {
        return;
    }
    node->was_listed = true;
    node->is_there = true;
    if (!str_eq(str_of(node->uid), meta.uid) && str_copy(node->uid, sizeof node->uid, meta.uid)) {
        kube_lease_set_node(&node->lease, meta.uid);
        node_keep_times(&node->facts, object, arena, wire_now_s(wire));
    }
    if (!node->is_busy && node_conditions_differ(&node->facts, object)) {
        node->is_stale = true; /* the node controller said otherwise while we were away */
    }
    if (!node->needs_spec || node->is_busy) {
        return;
    }
    char *memory = arena_take(arena, NODE_BODY_BYTES);
    if (memory == NULL) {
        return; /* comes again with the next event */
    }
    struct buf body;
    struct json_write w;
    buf_init(&body, memory, NODE_BODY_BYTES);
    json_write_init(&w, &body);
    node->needs_spec = node_put_spec_patch(&w, &node->facts, object, arena);
    if (node->needs_spec && !json_write_ok(&w)) {
        log_line(LOG_WARN, "node", "others' taints leave no room for ours; not written");
    } else if (node->needs_spec) {
        send(wire, NODE_WRITE_SPEC, &w, &body);
        node->needs_spec = !node->is_busy; /* no slot: comes again with the next event */
    }
}

static void on_node_list_begin(struct kube_watch *watch)
{
    struct wire *wire = watch->owner;
    wire->node.was_listed = false;
    wire->node.is_unreadable = false;
}

static void on_node_list_end(struct kube_watch *watch, const struct kube_list_end *end)
{
    (void)end;
    struct wire *wire = watch->owner;
    struct wire_node *node = node_of(wire);
    if (wire->is_refused || node->is_unreadable) {
        return;
    }
    if (!node->is_checked) {
        kube_lease_start(&node->lease); /* not before: a real node's lease is not ours to touch */
    }
    node->is_checked = true;
    if (!node->was_listed) {
        node->is_there = false;
        node->uid[0] = '\0';
    }
    if (!node->is_registered || !node->was_listed) {
        loop_timer_clear(wire->loop, &node->timer); /* due now */
    }
}

static void on_node_unreadable(struct kube_watch *watch, const struct kube_unreadable *what)
{
    struct wire *wire = watch->owner;
    wire->node.is_unreadable = true;
    log_line(LOG_WARN, "node", "the node object cannot be read: %s", err_text(what->err));
}

static void on_node_state(struct kube_watch *watch, bool is_connected, enum err err,
                          const char *why)
{
    (void)watch;
    (void)is_connected;
    (void)err;
    (void)why; /* the pods' watch says the same for people */
}

static const struct kube_watch_handlers node_handlers = {
    .on_list_begin = on_node_list_begin,
    .on_object = on_node,
    .on_list_end = on_node_list_end,
    .on_unreadable = on_node_unreadable,
    .on_state = on_node_state,
};

/* ---- the lease ------------------------------------------------------------------------------- */

static void on_lease(struct kube_lease *lease, enum err err, const char *why)
{
    struct wire *wire = lease->owner;
    if (err != ERR_OK && err != wire->node.lease_err) { /* one line per trouble, not per try */
        log_line(LOG_WARN, "lease", "not renewed: %s", why);
    } else if (err == ERR_OK && (lease->renewals == 1 || wire->node.lease_err != ERR_OK)) {
        log_line(LOG_INFO, "lease", "renewed");
    }
    if (err == ERR_OK && wire->node.lease_err != ERR_OK) {
        wire->node.is_stale = true; /* the API server is back: say Ready before the watch is */
    }
    wire->node.lease_err = err;
}

static void on_foreign(struct kube_lease *lease, str holder)
{
    struct wire *wire = lease->owner;
    brain_warn(&wire->brain, "ForeignLease",
               "the lease of this node is renewed by another agent; is a second ecilet running "
               "with this node name?");
    log_line(LOG_WARN, "lease", "held by %.*s", STR_ARG(holder));
}

static const struct kube_lease_handlers lease_handlers = {.on_result = on_lease,
                                                          .on_foreign = on_foreign};

/* ---- start and stop -------------------------------------------------------------------------- */

static void on_status_due(struct loop_timer *timer)
{
    (void)timer; /* not set any more: node_turn() writes */
}

void node_init(struct wire *wire, struct region *region)
{
    struct wire_node *node = node_of(wire);
    char selector[320];
    (void)snprintf(selector, sizeof selector, "metadata.name=%s", wire->config->node_name.ptr);
    const struct kube_watch_config watch = {
        .name = "node",
        .kind = KUBE_NODE,
        .field_selector = str_of(selector),
        .object_bytes_max = NODE_OBJECT_BYTES,
        .handlers = &node_handlers,
        .owner = wire,
    };
    kube_watch_init(&node->watch, wire->loop, region, &wire->auth, wire->arena,
                    prng_u64(&wire->prng), &watch);
    const struct kube_lease_config lease = {.name = wire->config->node_name,
                                            .holder = wire->config->node_name,
                                            .handlers = &lease_handlers,
                                            .owner = wire};
    kube_lease_init(&node->lease, wire->loop, region, &wire->auth, wire->arena,
                    prng_u64(&wire->prng), &lease);
    loop_timer_init(&node->timer, on_status_due, wire);
    node->needs_spec = true;
    facts_init(wire);
}

void node_start(struct wire *wire)
{
    kube_watch_start(&wire->node.watch);
}

void node_stop(struct wire *wire)
{
    kube_watch_stop(&wire->node.watch);
    kube_lease_stop(&wire->node.lease);
}
