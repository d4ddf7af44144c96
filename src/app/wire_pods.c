/*
 * wire_pods.c - the pods of this node as facts: the watch that shows them, and what the brain is
 * told of each.
 */
#include "app/wire.h"

#include <stdio.h>

#include "os/crash.h"
#include "spec/pod_policy.h"

/* We wrote Ready=True, the object says False: after our lease was late the node controller does
 * that. An event older than our write looks the same; then the status is written once more,
 * unchanged. */
static bool is_overwritten(const struct pod *pod, json object)
{
    json conditions = json_get(json_get(object, "status"), "conditions");
    if (pod->past.condition[POD_CONDITION_READY] != 'T') {
        return false;
    }
    for (json c = json_first(conditions); json_is_there(c); c = json_next(c)) {
        if (json_text_is(json_get(c, "type"), "Ready")) {
            return json_text_is(json_get(c, "status"), "False");
        }
    }
    return false;
}

void pods_policy(struct wire *wire, handle pod, json object, const struct spec_config *spec)
{
    struct pod_policy policy =
        pod_policy_read(object, spec->effects, spec->effects_count, wire->arena);
    brain_pod_policy(&wire->brain, pod, policy.on_refusal == FAIL_FAST,
                     policy.on_no_stock == FAIL_FAST);
}

static enum err take_pod(struct wire *wire, json object, struct arena *arena)
{
    struct pod_facts facts;
    enum err err = pod_facts_read(object, arena, &facts);
    if (err != ERR_OK) {
        return err;
    }
    struct pod_status_past past;
    const struct pod *pod = brain_find_pod(&wire->brain, facts.uid);
    bool is_known = pod != NULL && pod->was_seen; /* not merely claimed by a group */
    /* Its status as it is: what an earlier process wrote is not written again. */
    bool needs_past = !is_known || wire->brain.only_looks;
    if (needs_past) {
        err = pod_status_past_read(object, arena, &past);
        if (err != ERR_OK) {
            return err;
        }
    }
    struct pod_note note = {.instance_id = STR_NONE};
    pod_note_read(object, arena, &note);
    const struct pod_news news = {
        .uid = facts.uid,
        .name_space = facts.name_space,
        .name = facts.name,
        .phase = facts.phase,
        .is_leaving = facts.is_leaving,
        .is_forced = facts.is_leaving && facts.deletion_grace_s == 0,
        .is_daemon = str_eq(facts.owner_kind, S("DaemonSet")),
        .is_controlled = !str_is_empty(facts.owner_kind),
        .is_never_restarted = facts.restart_policy == RESTART_POLICY_NEVER,
        .has_init = facts.has_init_containers,
        .request_milli = is_known ? 0 : pod_request_milli(object, arena),
        .past = needs_past ? &past : NULL,
        .instance_id = note.instance_id,
        .instance_attempt = note.attempt,
        .is_described = !str_is_empty(note.spec),
    };
    handle seen = HANDLE_NONE;
    err = brain_pod_seen(&wire->brain, &news, wire_now_ms(wire), &seen);
    if (err == ERR_OK && !is_known) { /* read afresh, with the profile, before each create */
        pods_policy(wire, seen, object, &wire->spec);
    }
    if (err == ERR_OK && is_known && is_overwritten(pod, object)) {
        brain_status_overwritten(&wire->brain, facts.uid);
    }
    return err;
}

enum err pods_seen(struct wire *wire, json object, struct arena *arena)
{
    struct kube_meta meta;
    kube_meta_read(object, arena, &meta);
    if (aside_is_wanted(object, meta.uid)) {
        return aside_pod_seen(wire, object, &meta, arena);
    }
    crash_enter("reading the object", meta.uid, meta.name_space, meta.name);
    enum err err = take_pod(wire, object, arena);
    crash_leave();
    return err;
}

static void tell_unreadable(struct wire *wire, str name_space, str name, str uid, enum err err)
{
    wire->pods_unreadable++;
    log_line(LOG_WARN, "pods", "%.*s/%.*s cannot be taken: %s", STR_ARG(name_space), STR_ARG(name),
             err_text(err));
    if (str_is_empty(name) || str_is_empty(name_space) || !leader_may_act(wire)) {
        return;
    }
    const struct kube_event event = {
        .kind = KUBE_POD,
        .name_space = name_space,
        .name = name,
        .uid = uid,
        .is_warning = true,
        .reason = err == ERR_FULL ? S("NodeFull") : S("PodUnreadable"),
        .message = err == ERR_FULL
                       ? S("this virtual node tracks as many pods as PODS_MAX allows; the pod is "
                           "taken when a slot is free")
                       : S("the pod object cannot be read by this virtual node (too large or "
                           "malformed)")};
    kube_event_post(&wire->events, &event);
}

static void on_list_begin(struct kube_watch *watch)
{
    struct wire *wire = watch->owner;
    brain_list_begin(&wire->brain, wire_now_ms(wire));
}

bool pods_is_ours(const struct wire *wire, json object, struct arena *arena)
{
    return str_eq(json_text(json_get(json_get(object, "spec"), "nodeName"), arena),
                  wire->config->node_name);
}

static void on_object(struct kube_watch *watch, enum kube_change change, json object,
                      struct arena *arena)
{
    struct wire *wire = watch->owner;
    struct kube_meta meta;
    kube_meta_read(object, arena, &meta);
    if (change == KUBE_DELETED) {
        brain_pod_deleted(&wire->brain, meta.uid, wire_now_ms(wire));
        return;
    }
    if (!pods_is_ours(wire, object, arena)) {
        return;
    }
    enum err err = pods_seen(wire, object, arena);
    if (err != ERR_OK) {
        tell_unreadable(wire, meta.name_space, meta.name, meta.uid, err);
    }
}

static void on_list_end(struct kube_watch *watch, const struct kube_list_end *end)
{
    struct wire *wire = watch->owner;
    log_line(LOG_INFO, "pods", "listed %u pods at version %.*s", end->objects,
             STR_ARG(end->resource_version));
    brain_list_end(&wire->brain, end->nameless == 0, wire_now_ms(wire));
}

static void on_unreadable(struct kube_watch *watch, const struct kube_unreadable *what)
{
    struct wire *wire = watch->owner;
    if (what->change == KUBE_DELETED) { /* who was deleted is all that matters; a read proves it */
        brain_pod_deleted(&wire->brain, what->meta.uid, wire_now_ms(wire));
        return;
    }
    brain_pod_unreadable(&wire->brain, what->meta.uid);
    tell_unreadable(wire, what->meta.name_space, what->meta.name, what->meta.uid, what->err);
}

static void on_state(struct kube_watch *watch, bool is_connected, enum err err, const char *why)
{
    struct wire *wire = watch->owner;
    if (is_connected) {
        log_line(LOG_INFO, "kube", "connected to %s", wire->auth.url);
    } else if (err != ERR_OK) {
        log_line(LOG_WARN, "kube", "no connection to the API server: %s", why);
    }
}

static const struct kube_watch_handlers pod_handlers = {
    .on_list_begin = on_list_begin,
    .on_object = on_object,
    .on_list_end = on_list_end,
    .on_unreadable = on_unreadable,
    .on_state = on_state,
};

void pods_init(struct wire *wire, struct region *region)
{
    const struct config *config = wire->config;
    char selector[320];
    (void)snprintf(selector, sizeof selector, "spec.nodeName=%s", config->node_name.ptr);
    const struct kube_watch_config pods = {
        .name = "pods",
        .kind = KUBE_POD,
        .field_selector = str_of(selector),
        .object_bytes_max = config->object_bytes_max,
        .handlers = &pod_handlers,
        .owner = wire,
    };
    kube_watch_init(&wire->pods, wire->loop, region, &wire->auth, wire->arena,
                    prng_u64(&wire->prng), &pods);
}
