/*
 * see explain.h: which pods are in a manifest, and where.
 *
 * Of a workload's template a pod is made as its controller and the API server would: with a name, a
 * namespace, the owner that decides about a DaemonSet, and a stand-in for the UID.
 */
#include "app/explain.h"

#include "base/check.h"

#define DEPTH_MAX 4 /* lists in lists */

/* Where the pod is in an object of each kind, and who will own the pod. */
static const struct workload {
    const char *kind;
    const char *path[4];
    const char *owner; /* NULL: the pod has no owner but its own */
} workloads[] = {
    {"Pod", {NULL}, NULL},
    {"PodTemplate", {"template"}, NULL},
    {"Deployment", {"spec", "template"}, "ReplicaSet"},
    {"ReplicaSet", {"spec", "template"}, "ReplicaSet"},
    {"ReplicationController", {"spec", "template"}, "ReplicationController"},
    {"StatefulSet", {"spec", "template"}, "StatefulSet"},
    {"DaemonSet", {"spec", "template"}, "DaemonSet"},
    {"Job", {"spec", "template"}, "Job"},
    {"CronJob", {"spec", "jobTemplate", "spec", "template"}, "Job"},
};

static void find_in(struct explain *explain, json object, uint32_t depth);
static void found(struct explain *explain, const struct workload *workload, json object);
static str whole_pod(struct explain *explain, const struct workload *workload,
                     const struct explain_pod *pod);

void explain_find_pods(struct explain *explain, json object)
{
    find_in(explain, object, 0);
}

static bool is_list(json object, str kind)
{
    return str_ends(kind, S("List")) && json_type(json_get(object, "items")) == JSON_TYPE_ARRAY;
}

static void find_in(struct explain *explain, json object, uint32_t depth)
{
    str kind = json_text(json_get(object, "kind"), &explain->arena);

    if (is_list(object, kind) && depth < DEPTH_MAX) {
        json one = json_first(json_get(object, "items"));
        for (; json_is_there(one); one = json_next(one)) {
            find_in(explain, one, depth + 1);
        }
        return;
    }
    for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
        if (str_eq(kind, str_of(workloads[i].kind))) {
            found(explain, &workloads[i], object);
            return;
        }
    }
    explain->on_other(explain, kind,
                      json_text(json_get(json_get(object, "metadata"), "name"), &explain->arena),
                      explain_line_of(explain, object));
}

static void found(struct explain *explain, const struct workload *workload, json object)
{
    size_t mark = arena_mark(&explain->arena);
    json metadata = json_get(object, "metadata");
    struct explain_pod pod = {
        .object = object,
        .kind = str_of(workload->kind),
        .name_space = json_text(json_get(metadata, "namespace"), &explain->arena),
        .name = json_text(json_get(metadata, "name"), &explain->arena),
        .line = explain_line_of(explain, object),
    };

    for (uint32_t i = 0; i < 4 && workload->path[i] != NULL; i++) {
        pod.object = json_get(pod.object, workload->path[i]);
    }
    if (str_is_empty(pod.name)) {
        str prefix = json_text(json_get(metadata, "generateName"), &explain->arena);
        pod.name = arena_fmt(&explain->arena, "%.*s%s", STR_ARG(prefix),
                             str_is_empty(prefix) ? "noname" : "xxxxx");
    }
    if (str_is_empty(pod.name_space)) {
        pod.name_space = S("default");
    }
    pod.json_text = whole_pod(explain, workload, &pod);
    explain->on_pod(explain, &pod);
    arena_rewind(&explain->arena, mark);
}

static void put_owner(struct json_write *w, const struct workload *workload,
                      const struct explain_pod *pod)
{
    json_member_array(w, "ownerReferences");
    json_object(w);
    json_member_text(w, "kind", str_of(workload->owner));
    json_member_text(w, "name", pod->name);
    json_member_bool(w, "controller", true);
    json_end(w);
    json_end(w);
}

/* The pod as written, its metadata completed. */
static str whole_pod(struct explain *explain, const struct workload *workload,
                     const struct explain_pod *pod)
{
    static const char *const set_here[] = {"name", "namespace", "uid", "ownerReferences"};
    json metadata = json_get(pod->object, "metadata");
    bool is_template = workload->path[0] != NULL;
    size_t room = 0;
    char *memory = arena_rest(&explain->arena, &room);
    struct json_write w;
    struct buf out;

    buf_init(&out, memory, room / 2);
    json_write_init(&w, &out);
    json_object(&w);
    json_member_object(&w, "metadata");
    for (json one = json_first(metadata); json_is_there(one); one = json_next(one)) {
        bool is_ours = false;
        for (size_t i = 0; i < sizeof(set_here) / sizeof(set_here[0]); i++) {
            is_ours = is_ours || json_key_is(one, set_here[i]);
        }
        if (!is_ours || (!is_template && json_key_is(one, "ownerReferences"))) {
            char name[512];
            (void)str_copy(name, sizeof(name), json_key(one, &explain->arena));
            json_member_raw(&w, name, json_raw(one));
        }
    }
    json_key_put(&w, S("name"));
    char name[512];
    struct buf text;
    buf_init(&text, name, sizeof(name));
    buf_put_fmt(&text, "%.*s%s", STR_ARG(pod->name), is_template ? "-xxxxx" : "");
    json_put_text(&w, buf_str(&text));
    json_member_text(&w, "namespace", pod->name_space);
    str uid = json_text(json_get(metadata, "uid"), &explain->arena);
    json_member_text(&w, "uid", str_is_empty(uid) || is_template ? S(EXPLAIN_UID) : uid);
    if (workload->owner != NULL) {
        put_owner(&w, workload, pod);
    }
    json_end(&w);
    json_member_raw(&w, "spec", json_raw(json_get(pod->object, "spec")));
    json_end(&w);
    if (!json_write_ok(&w)) {
        explain->arena.has_failed = true;
        return STR_NONE;
    }
    arena_keep(&explain->arena, out.bytes);
    return buf_str(&out);
}

/* ---- lines ----------------------------------------------------------------------------------- */

uint32_t explain_line_of(const struct explain *explain, json value)
{
    str raw = json_raw(value);
    return raw.ptr == NULL
               ? 1
               : yaml_line_at(&explain->lines, (size_t)(raw.ptr - explain->document.ptr));
}

/* "name", "[3]" or "[k8s.aliyun.com/x]" from the front of a path; is_bracketed tells which. */
static bool next_step(str *path, str *step, bool *is_bracketed)
{
    if (str_starts(*path, S("."))) {
        *path = str_sub(*path, 1, path->bytes);
    }
    *is_bracketed = str_starts(*path, S("["));
    size_t from = *is_bracketed ? 1 : 0, to = from;
    while (to < path->bytes &&
           (*is_bracketed ? path->ptr[to] != ']' : strchr(".[: ", path->ptr[to]) == NULL)) {
        to++;
    }
    *step = str_sub(*path, from, to - from);
    *path = str_sub(*path, to + (*is_bracketed ? 1 : 0), path->bytes);
    return step->bytes > 0;
}

static json child(struct explain *explain, json parent, str step, bool is_bracketed)
{
    uint64_t index = 0;
    bool is_item = is_bracketed && str_to_u64(step, &index);
    json one = json_first(parent);

    for (uint64_t at = 0; json_is_there(one); one = json_next(one), at++) {
        if (is_item ? at == index : str_eq(json_key(one, &explain->arena), step)) {
            return one;
        }
    }
    return JSON_NONE;
}

uint32_t explain_line_of_path(struct explain *explain, const struct explain_pod *pod, str path)
{
    json deepest = pod->object;
    str step;
    bool is_bracketed;

    if (str_starts(path, S("eci-profile["))) {
        return pod->line;
    }
    while (next_step(&path, &step, &is_bracketed)) {
        json next = child(explain, deepest, step, is_bracketed);
        if (!json_is_there(next)) {
            break;
        }
        deepest = next;
    }
    return json_is_there(deepest) ? explain_line_of(explain, deepest) : pod->line;
}
