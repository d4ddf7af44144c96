/* see wire_profile.h */
#include "app/wire.h"

#include <stdio.h>

#include "base/check.h"

#define TROUBLE_TEXT                                                                   \
    "effects of the eci-profile depend on the labels of the namespace, and namespaces " \
    "cannot be listed: "
_Static_assert(sizeof TROUBLE_TEXT + sizeof((struct wire_profile *)0)->namespaces_why <=
                   POD_MESSAGE_BYTES,
               "a pod's message is not cut");

static void tell(struct wire *wire, bool is_warning, const char *reason, str message)
{
    const struct kube_event event = {.kind = KUBE_CONFIG_MAP,
                                     .name_space = S(PROFILE_NAMESPACE),
                                     .name = S(PROFILE_NAME),
                                     .uid = str_of(wire->profile.uid),
                                     .is_warning = is_warning,
                                     .reason = str_of(reason),
                                     .message = message};
    log_line(is_warning ? LOG_WARN : LOG_INFO, "profile", "%.*s", STR_ARG(message));
    if (leader_may_act(wire)) { /* who waits follows it too, but says nothing to the cluster */
        kube_event_post(&wire->events, &event);
    }
}

/* ---- taking over ----------------------------------------------------------------------------- */

/* Effects that depend on the labels of the pod's namespace. */
static bool effects_need_namespaces(const struct profile *profile)
{
    bool is_needed = false;
    for (uint32_t i = 0; i < profile->selectors_count; i++) {
        const struct profile_selector *one = &profile->selectors[i];
        is_needed = is_needed || (one->namespaces.terms_count > 0 &&
                                  one->annotations.count + one->labels.count > 0);
    }
    return is_needed;
}

/* Selectors that look at namespaces and add something, or the webhook, need the namespaces. Labels
 * that were left out may be those that the new profile asks for. */
static void follow_namespaces(struct wire *wire)
{
    struct wire_profile *own = &wire->profile;
    if (own->namespaces_are_asked && own->namespaces.is_cut) {
        own->namespaces_are_known = false;
        kube_watch_relist(&own->namespace_watch);
    } else if (!own->namespaces_are_asked &&
               (wire->config->webhook || effects_need_namespaces(own->current))) {
        own->namespaces_are_asked = true;
        kube_watch_start(&own->namespace_watch);
    }
}

static str either(str first, str second)
{
    return str_is_empty(first) ? second : first;
}

static void apply(struct wire *wire)
{
    struct wire_profile *own = &wire->profile;
    const struct config *config = wire->config;
    own->changes++;
    own->is_known = true;
    wire->spec.vswitch_ids = either(own->current->vswitch_ids, config->eci_vswitch_ids);
    wire->spec.security_group_id =
        either(own->current->security_group_id, config->eci_security_group);
    wire->spec.resource_group_id =
        either(own->current->resource_group_id, config->eci_resource_group);
    follow_namespaces(wire);
}

static void use_defaults(struct wire *wire)
{
    profile_init(wire->profile.current);
    wire->profile.version[0] = '\0';
    wire->profile.is_there = false;
    apply(wire);
}

/* Remarks come one to a line; an event has one line. */
static void tell_remarks(struct wire *wire, struct buf *remarks)
{
    if (remarks->bytes == 0) {
        return;
    }
    remarks->bytes--; /* the last \n */
    for (size_t i = 0; i < remarks->bytes; i++) {
        if (remarks->ptr[i] == '\n') {
            remarks->ptr[i] = ';';
        }
    }
    tell(wire, true, "ProfileRemarks", buf_str(remarks));
}

static void refuse(struct wire *wire, const char *why)
{
    struct wire_profile *own = &wire->profile;
    char said[PROFILE_WHAT_BYTES + 80];
    (void)snprintf(said, sizeof said, "%s; the %s stays in use", why,
                   own->is_known ? "last good profile" : "configuration");
    if (!own->is_known) {
        apply(wire);
    }
    tell(wire, true, "ProfileInvalid", str_of(said));
}

static void take(struct wire *wire, json object, struct arena *arena)
{
    struct wire_profile *own = &wire->profile;
    struct profile_fault fault;
    struct buf remarks;
    char memory[PROFILE_WARNINGS_BYTES];
    buf_init(&remarks, memory, sizeof memory);
    size_t mark = arena_mark(arena);
    enum err err = profile_read(json_get(object, "data"), arena, own->spare, &fault, &remarks);
    arena_rewind(arena, mark);
    if (err == ERR_OK) {
        struct profile *old = own->current;
        own->current = own->spare;
        own->spare = old;
        apply(wire);
        tell_remarks(wire, &remarks);
        char said[128];
        (void)snprintf(said, sizeof said, "taken over: %u selectors%s; it counts for new pods",
                       own->current->selectors_count,
                       own->current->has_default_selectors ? " (the defaults)" : "");
        tell(wire, false, "ProfileApplied", str_of(said));
        return;
    }
    refuse(wire, err == ERR_INVALID ? fault.what : err_text(err));
}

/* ---- the ConfigMap --------------------------------------------------------------------------- */

static void on_list_begin(struct kube_watch *watch)
{
    struct wire *wire = watch->owner;
    wire->profile.was_listed = false;
}

static void on_gone(struct wire *wire)
{
    if (wire->profile.is_there || !wire->profile.is_known) {
        log_line(LOG_INFO, "profile",
                 "there is no ConfigMap " PROFILE_NAMESPACE "/" PROFILE_NAME
                 ": the configuration counts alone");
        use_defaults(wire);
    }
}

static void on_object(struct kube_watch *watch, enum kube_change change, json object,
                      struct arena *arena)
{
    struct wire *wire = watch->owner;
    struct wire_profile *own = &wire->profile;
    struct kube_meta meta;
    kube_meta_read(object, arena, &meta);
    if (!str_eq(meta.name, S(PROFILE_NAME))) {
        return;
    }
    if (change == KUBE_DELETED) {
        on_gone(wire);
        return;
    }
    own->was_listed = own->is_there = true;
    if (str_eq(str_of(own->version), meta.resource_version)) {
        return; /* listed again, unchanged */
    }
    (void)str_copy(own->version, sizeof own->version, meta.resource_version);
    (void)str_copy(own->uid, sizeof own->uid, meta.uid);
    take(wire, object, arena);
}

static void on_list_end(struct kube_watch *watch, const struct kube_list_end *end)
{
    struct wire *wire = watch->owner;
    if (!wire->profile.was_listed && end->unreadable == 0) {
        on_gone(wire);
    }
}

static void on_unreadable(struct kube_watch *watch, const struct kube_unreadable *what)
{
    struct wire *wire = watch->owner;
    struct wire_profile *own = &wire->profile;
    char why[120];
    if (what->change == KUBE_DELETED) {
        on_gone(wire);
        return;
    }
    own->is_there = true;
    if (!str_is_empty(what->meta.resource_version) &&
        str_eq(str_of(own->version), what->meta.resource_version)) {
        return; /* listed again, unchanged */
    }
    (void)str_copy(own->version, sizeof own->version, what->meta.resource_version);
    (void)str_copy(own->uid, sizeof own->uid, what->meta.uid);
    (void)snprintf(why, sizeof why, "the ConfigMap cannot be read: %s", err_text(what->err));
    refuse(wire, why);
}

/* The pods' watch tells about the connection; only what concerns this object is told here. Without
 * the permission the node works as it would without a profile. */
static void on_state(struct kube_watch *watch, bool is_connected, enum err err, const char *why)
{
    struct wire *wire = watch->owner;
    if (is_connected || err != ERR_FORBIDDEN) {
        return;
    }
    log_line(LOG_WARN, "profile", "the eci-profile may not be read: %s", why);
    brain_warn(&wire->brain, "ProfileForbidden",
               "ConfigMap kube-system/eci-profile may not be read, so the configuration counts "
               "alone; apply the permissions that `ecilet manifests` prints");
    if (!wire->profile.is_known) {
        use_defaults(wire);
    }
}

static const struct kube_watch_handlers profile_handlers = {
    .on_list_begin = on_list_begin,
    .on_object = on_object,
    .on_list_end = on_list_end,
    .on_unreadable = on_unreadable,
    .on_state = on_state,
};

/* ---- namespaces ------------------------------------------------------------------------------ */

static void on_namespaces_begin(struct kube_watch *watch)
{
    struct wire *wire = watch->owner;
    namespaces_list_begin(&wire->profile.namespaces);
}

static void on_namespace(struct kube_watch *watch, enum kube_change change, json object,
                         struct arena *arena)
{
    struct wire *wire = watch->owner;
    struct kube_meta meta;
    kube_meta_read(object, arena, &meta);
    if (change == KUBE_DELETED) {
        namespaces_remove(&wire->profile.namespaces, meta.name);
        return;
    }
    enum err err = namespaces_set(&wire->profile.namespaces, wire->profile.current, meta.name,
                                  json_get(json_get(object, "metadata"), "labels"), arena);
    if (err != ERR_OK) {
        char message[300];
        (void)snprintf(message, sizeof message,
                       "namespace %.*s: %s. Selectors of the eci-profile do not see %s labels",
                       STR_ARG(str_sub(meta.name, 0, KUBE_NAMESPACE_BYTES_MAX)),
                       err == ERR_TOO_BIG ? "its labels that selectors ask for have no room"
                                          : err_text(err),
                       err == ERR_TOO_BIG ? "all of its" : "its");
        log_line(LOG_WARN, "profile", "%s", message);
        brain_warn(&wire->brain, "NamespaceLabels", message);
    }
}

static void on_namespaces_end(struct kube_watch *watch, const struct kube_list_end *end)
{
    struct wire *wire = watch->owner;
    (void)end;
    namespaces_list_end(&wire->profile.namespaces);
    wire->profile.namespaces_are_known = true;
    wire->profile.namespaces_are_forbidden = false;
    wire->profile.namespaces_fail_ms = 0;
}

static void on_namespace_unreadable(struct kube_watch *watch, const struct kube_unreadable *what)
{
    (void)watch;
    log_line(LOG_WARN, "profile", "namespace %.*s cannot be read: %s", STR_ARG(what->meta.name),
             err_text(what->err));
}

static void on_namespaces_state(struct kube_watch *watch, bool is_connected, enum err err,
                                const char *why)
{
    struct wire *wire = watch->owner;
    struct wire_profile *own = &wire->profile;
    if (!is_connected && err == ERR_FORBIDDEN) {
        log_line(LOG_WARN, "profile",
                 "namespaces may not be read, so selectors see no labels of "
                 "theirs: %s",
                 why);
        own->namespaces_are_known = true;
        own->namespaces_are_forbidden = true;
    } else if (!is_connected && !own->namespaces_are_known) {
        log_line(LOG_WARN, "profile",
                 "namespaces cannot be listed; pods wait when effects depend on their labels: %s",
                 why);
    }
    if (!is_connected) {
        (void)str_copy(own->namespaces_why, sizeof own->namespaces_why, str_of(why));
        own->namespaces_fail_ms =
            own->namespaces_fail_ms != 0 ? own->namespaces_fail_ms : wire_now_ms(wire);
    } else if (own->namespaces_are_known) { /* else a list has only begun */
        own->namespaces_fail_ms = 0;
    }
}

static const struct kube_watch_handlers namespace_handlers = {
    .on_list_begin = on_namespaces_begin,
    .on_object = on_namespace,
    .on_list_end = on_namespaces_end,
    .on_unreadable = on_namespace_unreadable,
    .on_state = on_namespaces_state,
};

/* ---- for pods -------------------------------------------------------------------------------- */

bool profile_wire_is_known(const struct wire *wire)
{
    return wire->profile.is_known;
}

enum err profile_wire_labels(struct wire *wire, str name_space, struct label_set *out)
{
    *out = (struct label_set){.count = 0};
    if (!wire->profile.namespaces_are_asked) {
        return ERR_OK; /* nobody looks at them */
    }
    if (!wire->profile.namespaces_are_known) {
        return ERR_BUSY;
    }
    return namespaces_labels(&wire->profile.namespaces, name_space, wire->arena, out);
}

bool profile_wire_put_trouble(const struct wire *wire, struct buf *out)
{
    const struct wire_profile *own = &wire->profile;
    if (own->namespaces_are_known || own->namespaces_fail_ms == 0 ||
        wire_now_ms(wire) - own->namespaces_fail_ms < PROFILE_PATIENCE_MS) {
        return false;
    }
    buf_put_fmt(out, TROUBLE_TEXT "%s", own->namespaces_why);
    return true;
}

/* A pod lies in a namespace, so the namespace is there and the watch will show it. */
static bool may_come(struct wire *wire, str name_space)
{
    struct wire_profile *own = &wire->profile;
    return !own->namespaces_are_forbidden &&
           namespaces_may_come(&own->namespaces, name_space, wire_now_ms(wire));
}

enum err profile_wire_spec(struct wire *wire, json pod, struct spec_config *out)
{
    struct mutate_input in = {
        .pod = pod, .profile = wire->profile.current, .node = &wire->profile.node};
    str name_space = json_text(json_get(json_get(pod, "metadata"), "namespace"), wire->arena);
    *out = wire->spec;
    bool needs_labels = effects_need_namespaces(wire->profile.current);
    enum err err = profile_wire_labels(wire, name_space, &in.namespace_labels);
    if (err == ERR_BUSY && !needs_labels) {
        err = ERR_NOT_FOUND; /* the webhook asks for them, effects do not */
    }
    in.is_namespace_unknown = err == ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND && needs_labels && may_come(wire, name_space)) {
        return ERR_BUSY;
    }
    if (err == ERR_OK || err == ERR_NOT_FOUND) {
        struct mutate_effects effects;
        err = mutate_effects(&in, wire->arena, &effects);
        out->effects = effects.annotations;
        out->effects_count = effects.annotations_count;
        out->effect_labels = effects.labels;
        out->effect_labels_count = effects.labels_count;
    }
    return err;
}

static void on_effects_written(void *owner, const struct kube_reply *reply)
{
    (void)owner;
    if (reply->err != ERR_OK && reply->err != ERR_NOT_FOUND) {
        log_line(LOG_WARN, "profile", "the effects of the eci-profile do not show on a pod: %.*s",
                 STR_ARG(reply->why));
    }
}

static void send_effects(struct wire *wire, const struct pod *pod, str body)
{
    char path[CLUSTER_PATH_BYTES];
    const struct kube_request request = {
        .verb = KUBE_MERGE_PATCH, /* of /status: labels may come with it, by the same permission */
        .path = cluster_pod_path(path, str_of(pod->name_space), str_of(pod->name), S("status")),
        .body = body,
        .on_done = on_effects_written,
        .owner = wire,
    };
    if (kube_call_send(&wire->calls, &request, NULL) != ERR_OK) {
        log_line(LOG_WARN, "profile", "no room to show the effects on %s/%s", pod->name_space,
                 pod->name);
    }
}

void profile_wire_show(struct wire *wire, const struct pod *pod, const struct spec_config *spec)
{
    const struct mutate_effects effects = {.annotations = spec->effects,
                                           .annotations_count = spec->effects_count,
                                           .labels = spec->effect_labels,
                                           .labels_count = spec->effect_labels_count};
    struct buf body;
    struct json_write w;
    size_t mark = arena_mark(wire->arena);
    char *memory = arena_take(wire->arena, MUTATE_PATCH_BYTES);
    if (memory == NULL) {
        return; /* the instance has them */
    }
    buf_init(&body, memory, MUTATE_PATCH_BYTES);
    json_write_init(&w, &body);
    if (mutate_put_effects(&effects, str_of(pod->uid), &w) && json_write_ok(&w)) {
        send_effects(wire, pod, buf_str(&body));
    }
    arena_rewind(wire->arena, mark);
}

/* ---- start and stop -------------------------------------------------------------------------- */

void profile_wire_init(struct wire *wire, struct region *region)
{
    struct wire_profile *own = &wire->profile;
    const struct config *config = wire->config;
    struct profile *rooms = region_carve(region, "eci-profile, old and new", 2, sizeof *rooms);
    own->current = rooms;
    own->spare = rooms != NULL ? rooms + 1 : NULL;
    own->node = (struct mutate_node){.name = config->node_name,
                                     .taint_key = config->vkubelet_taint_key,
                                     .taint_value = config->vkubelet_taint_value,
                                     .taint_effect =
                                         str_of(config_taint_text(config->vkubelet_taint_effect))};
    namespaces_init(&own->namespaces, region);
    const struct kube_watch_config profile = {
        .name = "eci-profile",
        .kind = KUBE_CONFIG_MAP,
        .name_space = S(PROFILE_NAMESPACE),
        .field_selector = S("metadata.name=" PROFILE_NAME),
        .object_bytes_max = PROFILE_OBJECT_BYTES,
        .handlers = &profile_handlers,
        .owner = wire,
    };
    kube_watch_init(&own->watch, wire->loop, region, &wire->auth, wire->arena,
                    prng_u64(&wire->prng), &profile);
    const struct kube_watch_config namespaces = {
        .name = "namespaces",
        .kind = KUBE_NAMESPACE,
        .metadata_only = true,
        .object_bytes_max = config->object_bytes_max,
        .handlers = &namespace_handlers,
        .owner = wire,
    };
    kube_watch_init(&own->namespace_watch, wire->loop, region, &wire->auth, wire->arena,
                    prng_u64(&wire->prng), &namespaces);
}

void profile_wire_start(struct wire *wire)
{
    profile_init(wire->profile.current);
    kube_watch_start(&wire->profile.watch);
    if (wire->config->webhook) {
        wire->profile.namespaces_are_asked = true;
        kube_watch_start(&wire->profile.namespace_watch);
    }
}

void profile_wire_stop(struct wire *wire)
{
    kube_watch_stop(&wire->profile.watch);
    if (wire->profile.namespaces_are_asked) {
        kube_watch_stop(&wire->profile.namespace_watch);
    }
}
