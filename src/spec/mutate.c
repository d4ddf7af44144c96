/* see mutate.h */
#include "spec/mutate.h"

#include <stdio.h>

#include "base/check.h"
#include "data/json_write.h"
#include "spec/pod_facts.h"

/* Labels or annotations of the pod, with room behind for what effects add. */
struct marks {
    struct spec_pair *items;
    uint32_t own;   /* the pod's */
    uint32_t count; /* with those that were added */
};

struct change {
    const struct mutate_input *in;
    struct arena *arena;
    struct mutate_outcome *out;
    json metadata, spec;
    struct marks labels, annotations;
    uint64_t effects; /* bit per selector */
    struct json_write w;
};
static_assert(PROFILE_SELECTORS_MAX <= 64, "a bit for each");

/* How a pod is sent on its way. */
enum way {
    WAY_OWN,  /* as it is */
    WAY_ECI,  /* only to ECI */
    WAY_BURST /* ordinary nodes first */
};

static struct label_set set_of(const struct marks *marks)
{
    return (struct label_set){marks->items, marks->count};
}

static enum err read_marks(struct change *change, const char *name, struct marks *out)
{
    uint32_t spare = change->in->profile->pairs_count;
    enum err err = label_set_read(json_get(change->metadata, name), spare, change->arena,
                                  &out->items, &out->own);
    out->count = out->own;
    return err;
}

static enum err begin(struct change *change)
{
    change->metadata = json_get(change->in->pod, "metadata");
    change->spec = json_get(change->in->pod, "spec");
    enum err err = read_marks(change, "labels", &change->labels);
    return err == ERR_OK ? read_marks(change, "annotations", &change->annotations) : err;
}

static void warn(struct change *change, str text)
{
    CHECK(change->out->warnings_count < MUTATE_WARNINGS_MAX); /* burst_way(), way_of() */
    change->out->warnings[change->out->warnings_count++] = text;
}

/* ---- selectors and effects ------------------------------------------------------------------- */

/* The pod as it came, or as effects have made it: what has matched once stays so. */
static bool matches(const struct change *change, const struct profile_selector *selector)
{
    if (str_eq(selector->name, change->in->selector)) {
        return true;
    }
    if (change->in->is_namespace_unknown && selector->namespaces.terms_count > 0) {
        return false;
    }
    const struct label_set came = {change->labels.items, change->labels.own};
    return label_select_matches(&selector->namespaces, change->in->namespace_labels) &&
           (label_select_matches(&selector->objects, came) ||
            label_select_matches(&selector->objects, set_of(&change->labels)));
}

static bool is_selected(struct change *change)
{
    const struct profile *profile = change->in->profile;
    for (uint32_t i = 0; i < profile->selectors_count; i++) {
        if (profile->selectors[i].is_scheduling && matches(change, &profile->selectors[i])) {
            change->out->selector = profile->selectors[i].name;
            return true;
        }
    }
    return false;
}

static void add_pairs(struct marks *to, const struct profile_pairs *pairs)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        if (label_set_find(set_of(to), pairs->items[i].key) == NULL) {
            to->items[to->count++] = pairs->items[i]; /* there is room: read_marks() */
        }
    }
}

/* For a pod that goes to ECI. Labels that are added may make selectors match that did not: until
 * none does any more, so that asking once and asking again say the same. */
static void add_effects(struct change *change)
{
    const struct profile *profile = change->in->profile;
    bool has_more = true;
    while (has_more) { /* once for each selector at most */
        has_more = false;
        for (uint32_t i = 0; i < profile->selectors_count; i++) {
            const struct profile_selector *one = &profile->selectors[i];
            bool is_added = change->effects >> i & 1;
            if (!is_added && (!one->is_scheduling || matches(change, one))) {
                add_pairs(&change->annotations, &one->annotations);
                add_pairs(&change->labels, &one->labels);
                change->effects |= (uint64_t)1 << i;
                has_more = true;
            }
        }
    }
}

enum err mutate_effects(const struct mutate_input *in, struct arena *arena,
                        struct mutate_effects *out)
{
    struct change change = {.in = in, .arena = arena};
    enum err err = begin(&change);
    if (err != ERR_OK) {
        return err;
    }
    add_effects(&change);
    out->annotations = change.annotations.items + change.annotations.own;
    out->annotations_count = change.annotations.count - change.annotations.own;
    out->labels = change.labels.items + change.labels.own;
    out->labels_count = change.labels.count - change.labels.own;
    return ERR_OK;
}

static void put_pairs(struct json_write *w, const char *name, const struct spec_pair *pairs,
                      uint32_t count)
{
    if (count == 0) {
        return;
    }
    json_member_object(w, name);
    for (uint32_t i = 0; i < count; i++) {
        json_key_put(w, pairs[i].key);
        json_put_text(w, pairs[i].value);
    }
    json_end(w);
}

bool mutate_put_effects(const struct mutate_effects *effects, str uid, struct json_write *w)
{
    if (effects->annotations_count + effects->labels_count == 0) {
        return false;
    }
    json_object(w);
    json_member_object(w, "metadata");
    json_member_text(w, "uid", uid);
    put_pairs(w, "annotations", effects->annotations, effects->annotations_count);
    put_pairs(w, "labels", effects->labels, effects->labels_count);
    json_end(w);
    json_end(w);
    return true;
}

/* ---- who is touched at all ------------------------------------------------------------------- */

static bool is_object_or_none(json value)
{
    return !json_is_there(value) || json_type(value) == JSON_TYPE_OBJECT;
}

static bool is_well_formed(const struct change *change)
{
    json affinity = json_get(change->spec, "affinity");
    json node = json_get(affinity, "nodeAffinity");
    json preferred = json_get(node, "preferredDuringSchedulingIgnoredDuringExecution");
    json tolerations = json_get(change->spec, "tolerations");
    return json_type(change->metadata) == JSON_TYPE_OBJECT &&
           json_type(change->spec) == JSON_TYPE_OBJECT &&
           is_object_or_none(json_get(change->metadata, "labels")) &&
           is_object_or_none(json_get(change->metadata, "annotations")) &&
           is_object_or_none(json_get(change->spec, "nodeSelector")) &&
           is_object_or_none(affinity) && is_object_or_none(node) &&
           (!json_is_there(tolerations) || json_type(tolerations) == JSON_TYPE_ARRAY) &&
           (!json_is_there(preferred) || json_type(preferred) == JSON_TYPE_ARRAY);
}

static bool is_of_daemon_set(const struct change *change)
{
    json owners = json_get(change->metadata, "ownerReferences");
    for (json x = json_first(owners); json_is_there(x); x = json_next(x)) {
        if (json_text_is(json_get(x, "kind"), "DaemonSet") &&
            json_bool_or(json_get(x, "controller"), false)) {
            return true;
        }
    }
    return false;
}

static bool is_untouchable(const struct change *change)
{
    str class = json_text(json_get(change->spec, "priorityClassName"), change->arena);
    str node = json_text(json_get(change->spec, "nodeName"), change->arena);
    return is_of_daemon_set(change) ||
           (!str_is_empty(node) && !str_eq(node, change->in->node->name)) ||
           str_eq(class, S("system-node-critical")) ||
           str_eq(class, S("system-cluster-critical")) ||
           label_set_find(set_of(&change->annotations), S("kubernetes.io/config.mirror")) != NULL;
}

/* ---- which way ------------------------------------------------------------------------------- */

static enum way burst_way(struct change *change)
{
    const str *value = label_set_find(set_of(&change->annotations), S(MUTATE_BURST));
    if (value == NULL) {
        value = label_set_find(set_of(&change->labels), S(MUTATE_BURST));
    }
    if (value == NULL) {
        return WAY_OWN;
    }
    if (str_eq(*value, S("eci"))) {
        return WAY_BURST;
    }
    if (str_eq(*value, S("eci_only"))) {
        return WAY_ECI;
    }
    warn(change, arena_fmt(change->arena,
                           MUTATE_BURST ": \"%.*s\" is neither eci nor eci_only; it counts for "
                                        "nothing",
                           STR_ARG(str_sub(*value, 0, 40))));
    return WAY_OWN;
}

/* To any node; an empty name is none. */
static bool is_bound(const struct change *change)
{
    json node = json_get(change->spec, "nodeName");
    return json_is_there(node) && !json_text_is(node, "");
}

static bool is_ours_already(const struct change *change)
{
    json type = json_get(json_get(change->spec, "nodeSelector"), MUTATE_NODE_LABEL);
    return is_bound(change) || /* to ours: is_untouchable() */
           json_text_is(type, MUTATE_NODE_VALUE);
}

static enum way way_of(struct change *change)
{
    enum way burst = burst_way(change);
    enum way way = is_selected(change) ? WAY_ECI : burst;
    if (way == WAY_BURST && is_ours_already(change)) {
        way = WAY_ECI; /* it names the virtual node itself: there is nothing to prefer */
    }
    json type = json_get(json_get(change->spec, "nodeSelector"), MUTATE_NODE_LABEL);
    if (way == WAY_ECI && json_is_there(type) && !json_text_is(type, MUTATE_NODE_VALUE)) {
        str value = json_text(type, change->arena);
        warn(change, arena_fmt(change->arena,
                               "nodeSelector type: %.*s is kept, so this pod cannot go to ECI",
                               STR_ARG(str_sub(value, 0, 63))));
        return WAY_OWN;
    }
    return way;
}

/* ---- the patch ------------------------------------------------------------------------------- */

/* {"op":"add","path":...,"value": - the caller writes the value and ends the object. */
static void open_op(struct change *change, const char *path, str key)
{
    char memory[128 + 2 * (LABEL_PREFIX_BYTES_MAX + 1 + LABEL_NAME_BYTES_MAX)];
    struct buf pointer;
    buf_init(&pointer, memory, sizeof memory);
    buf_put_text(&pointer, path);
    /* RFC 6901 section 3; "~" is in no key of a label or an annotation. */
    for (size_t i = 0; i < key.bytes; i++) {
        char c = key.ptr[i];
        buf_put(&pointer, c == '/' ? S("~1") : str_make(&c, 1));
    }
    CHECK(buf_ok(&pointer)); /* keys come from a profile, which has bounded them */
    if (change->out->ops == 0) {
        json_array(&change->w);
    }
    change->out->ops++;
    json_object(&change->w);
    json_member_text(&change->w, "op", S("add"));
    json_member_text(&change->w, "path", buf_str(&pointer));
    json_key_put(&change->w, S("value"));
}

static void put_marks(struct change *change, const char *name, const struct marks *marks)
{
    char path[64];
    bool is_there = json_is_there(json_get(change->metadata, name));
    if (marks->count == marks->own) {
        return;
    }
    (void)snprintf(path, sizeof path, "/metadata/%s%s", name, is_there ? "/" : "");
    if (!is_there) {
        open_op(change, path, STR_NONE);
        json_object(&change->w);
    }
    for (uint32_t i = marks->own; i < marks->count; i++) {
        if (is_there) {
            open_op(change, path, marks->items[i].key);
        } else {
            json_key_put(&change->w, marks->items[i].key);
        }
        json_put_text(&change->w, marks->items[i].value);
        if (is_there) {
            json_end(&change->w);
        }
    }
    if (!is_there) {
        json_end(&change->w);
        json_end(&change->w);
    }
}

/* core/v1 Toleration.ToleratesTaint */
static bool tolerates(json toleration, const struct mutate_node *node, struct arena *arena)
{
    str key = json_text(json_get(toleration, "key"), arena);
    str op = json_text(json_get(toleration, "operator"), arena);
    str effect = json_text(json_get(toleration, "effect"), arena);
    str value = json_text(json_get(toleration, "value"), arena);
    bool is_exists = str_eq(op, S("Exists"));
    if (!str_is_empty(effect) && !str_eq(effect, node->taint_effect)) {
        return false;
    }
    if (str_is_empty(key)) {
        return is_exists;
    }
    return str_eq(key, node->taint_key) && (is_exists || str_eq(value, node->taint_value));
}

/* Who may overflow tolerates only what would keep it away for good, not the node's second taint
 * (core/node.h). */
static void put_toleration(struct change *change, bool is_for_all)
{
    const struct mutate_node *node = change->in->node;
    json list = json_get(change->spec, "tolerations");
    if (!is_for_all && str_eq(node->taint_effect, S("PreferNoSchedule"))) {
        return;
    }
    for (json x = json_first(list); json_is_there(x); x = json_next(x)) {
        if (tolerates(x, node, change->arena)) {
            return;
        }
    }
    open_op(change, json_is_there(list) ? "/spec/tolerations/-" : "/spec/tolerations", STR_NONE);
    if (!json_is_there(list)) {
        json_array(&change->w);
    }
    json_object(&change->w);
    json_member_text(&change->w, "key", node->taint_key);
    json_member_text(&change->w, "operator", S("Exists"));
    if (!is_for_all) {
        json_member_text(&change->w, "effect", node->taint_effect);
    }
    json_end(&change->w);
    if (!json_is_there(list)) {
        json_end(&change->w);
    }
    json_end(&change->w);
}

static void put_node_selector(struct change *change)
{
    json map = json_get(change->spec, "nodeSelector");
    if (json_is_there(json_get(map, MUTATE_NODE_LABEL))) {
        return;
    }
    if (json_is_there(map)) {
        open_op(change, "/spec/nodeSelector/" MUTATE_NODE_LABEL, STR_NONE);
        json_put_text(&change->w, S(MUTATE_NODE_VALUE));
    } else {
        open_op(change, "/spec/nodeSelector", STR_NONE);
        json_object(&change->w);
        json_member_text(&change->w, MUTATE_NODE_LABEL, S(MUTATE_NODE_VALUE));
        json_end(&change->w);
    }
    json_end(&change->w);
}

#define PREFERENCE \
    "{\"weight\":100,\"preference\":{\"matchExpressions\":[{\"key\":\"" MUTATE_NODE_LABEL \
    "\",\"operator\":\"NotIn\",\"values\":[\"" MUTATE_NODE_VALUE "\"]}]}}"
#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"
#define AFFINITY_PATH "/spec/affinity"

static bool prefers_others(json preferred)
{
    for (json x = json_first(preferred); json_is_there(x); x = json_next(x)) {
        json terms = json_get(json_get(x, "preference"), "matchExpressions");
        json term = json_first(terms);
        if (json_count(terms) == 1 && json_text_is(json_get(term, "key"), MUTATE_NODE_LABEL) &&
            json_text_is(json_get(term, "operator"), "NotIn") &&
            json_text_is(json_first(json_get(term, "values")), MUTATE_NODE_VALUE)) {
            return true;
        }
    }
    return false;
}

/* Only the parents that are not there are made. */
static void put_preference(struct change *change)
{
    json affinity = json_get(change->spec, "affinity");
    json node = json_get(affinity, "nodeAffinity");
    json preferred = json_get(node, PREFERRED);
    if (prefers_others(preferred)) {
        return;
    }
    if (json_is_there(preferred)) {
        open_op(change, AFFINITY_PATH "/nodeAffinity/" PREFERRED "/-", STR_NONE);
        json_put_raw(&change->w, S(PREFERENCE));
    } else if (json_is_there(node)) {
        open_op(change, AFFINITY_PATH "/nodeAffinity/" PREFERRED, STR_NONE);
        json_put_raw(&change->w, S("[" PREFERENCE "]"));
    } else if (json_is_there(affinity)) {
        open_op(change, AFFINITY_PATH "/nodeAffinity", STR_NONE);
        json_put_raw(&change->w, S("{\"" PREFERRED "\":[" PREFERENCE "]}"));
    } else {
        open_op(change, AFFINITY_PATH, STR_NONE);
        json_put_raw(&change->w, S("{\"nodeAffinity\":{\"" PREFERRED "\":[" PREFERENCE "]}}"));
    }
    json_end(&change->w);
}

enum err mutate_pod(const struct mutate_input *in, struct arena *arena, struct buf *patch,
                    struct mutate_outcome *out)
{
    struct change change = {.in = in, .arena = arena, .out = out};
    *out = (struct mutate_outcome){.ops = 0};
    enum err err = begin(&change);
    if (err != ERR_OK || !is_well_formed(&change)) {
        return err != ERR_OK ? err : ERR_BAD_INPUT;
    }
    if (is_untouchable(&change)) {
        return ERR_OK;
    }
    out->is_ours = is_ours_already(&change);
    if (out->is_ours) {
        add_effects(&change);
    }
    enum way way = is_bound(&change) ? WAY_OWN : way_of(&change);
    json_write_init(&change.w, patch);
    out->wants_burst = way != WAY_OWN && str_is_empty(out->selector);
    if (way == WAY_ECI && !out->is_ours) {
        add_effects(&change);
    }
    out->effects = change.effects;
    put_marks(&change, "annotations", &change.annotations);
    put_marks(&change, "labels", &change.labels);
    if (way != WAY_OWN) {
        put_toleration(&change, way == WAY_ECI);
    }
    if (way == WAY_ECI) {
        put_node_selector(&change);
    } else if (way == WAY_BURST) {
        put_preference(&change);
    }
    if (out->ops > 0) {
        json_end(&change.w);
    }
    bool is_whole = out->ops == 0 || json_write_ok(&change.w);
    return is_whole && !arena->has_failed ? ERR_OK : ERR_FULL;
}
