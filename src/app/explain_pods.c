/*
 * see explain.h: which pods are in a manifest, and where.
 *
 * Of a workload's template a pod is made as its controller and the API server would: with a name, a
 * namespace, the owner that decides about a DaemonSet, and a stand-in for the UID; of a StatefulSet
 * the first pod, with its claims.
 */
#include "app/explain.h"

#include "base/check.h"
#include "spec/annotation.h"
#include "spec/token_volume.h"

#define DEPTH_MAX 4 /* lists in lists */
#define KEY_BYTES_SHOWN 100
#define TOKEN_VOLUME "kube-api-access-xxxxx"
/* plugin/pkg/admission/serviceaccount/admission.go */
#define TOKEN_PROJECTED \
    "{\"name\":\"" TOKEN_VOLUME "\",\"projected\":{\"defaultMode\":420,\"sources\":[" \
    "{\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":\"token\"}}," \
    "{\"configMap\":{\"name\":\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\"," \
    "\"path\":\"ca.crt\"}]}},{\"downwardAPI\":{\"items\":[{\"path\":\"namespace\"," \
    "\"fieldRef\":{\"apiVersion\":\"v1\",\"fieldPath\":\"metadata.namespace\"}}]}}]}}"
#define LABEL_POD_NAME "statefulset.kubernetes.io/pod-name"
#define LABEL_POD_INDEX "apps.kubernetes.io/pod-index"
/* A document, and what is added to it: names, pull secrets of the account, defaults. More: told. */
#define POD_BYTES_MAX (2 * EXPLAIN_JSON_BYTES)

#define CORE ""
#define APPS "apps|extensions" /* the second until Kubernetes 1.16 */

/* Where the pod is in an object of each kind, and who will own the pod. */
static const struct workload {
    const char *groups; /* separated by '|': others have kinds of the same names */
    const char *kind;
    const char *path[4];
    const char *owner;  /* NULL: the pod has no owner but its own */
    const char *ending; /* of the pod's name */
} workloads[] = {
    {CORE, "Pod", {NULL}, NULL, ""},
    {CORE, "PodTemplate", {"template"}, NULL, "-xxxxx"},
    {APPS, "Deployment", {"spec", "template"}, "ReplicaSet", "-xxxxx"},
    {APPS, "ReplicaSet", {"spec", "template"}, "ReplicaSet", "-xxxxx"},
    {CORE, "ReplicationController", {"spec", "template"}, "ReplicationController", "-xxxxx"},
    {APPS, "StatefulSet", {"spec", "template"}, "StatefulSet", "-0"},
    {APPS, "DaemonSet", {"spec", "template"}, "DaemonSet", "-xxxxx"},
    {"batch", "Job", {"spec", "template"}, "Job", "-xxxxx"},
    {"batch", "CronJob", {"spec", "jobTemplate", "spec", "template"}, "Job", "-xxxxx"},
};

static void find_in(struct explain *explain, json object, uint32_t depth);
static void found(struct explain *explain, const struct workload *workload, json object);
static bool is_of_group(json object, const struct workload *workload, struct arena *arena);
static str whole_pod(struct explain *explain, const struct workload *workload,
                     const struct explain_pod *pod);

void explain_find_pods(struct explain *explain, json object)
{
    find_in(explain, object, 0);
}

bool explain_is_list(json object, str kind)
{
    return str_ends(kind, S("List")) && json_type(json_get(object, "items")) == JSON_TYPE_ARRAY;
}

static void find_in(struct explain *explain, json object, uint32_t depth)
{
    str kind = json_text(json_get(object, "kind"), &explain->arena);

    if (explain_is_list(object, kind) && depth < DEPTH_MAX) {
        json one = json_first(json_get(object, "items"));
        for (; json_is_there(one); one = json_next(one)) {
            find_in(explain, one, depth + 1);
        }
        return;
    }
    for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++) {
        if (str_eq(kind, str_of(workloads[i].kind)) &&
            is_of_group(object, &workloads[i], &explain->arena)) {
            found(explain, &workloads[i], object);
            return;
        }
    }
    if (explain_kind_of(object, kind) != EXPLAIN_KIND_COUNT) {
        return; /* it was collected */
    }
    explain->on_other(explain, kind,
                      json_text(json_get(json_get(object, "metadata"), "name"), &explain->arena),
                      explain_line_of(explain, object));
}

/* An object that does not say its version is taken as it looks. */
static bool is_of_group(json object, const struct workload *workload, struct arena *arena)
{
    str version = json_text(json_get(object, "apiVersion"), arena), group = STR_NONE;
    str rest = str_of(workload->groups), one;

    if (str_is_empty(version)) {
        return true;
    }
    if (str_find_char(version, '/') < 0) {
        return str_is_empty(rest);
    }
    (void)str_cut(&version, '/', &group);
    while (str_cut(&rest, '|', &one)) {
        if (str_eq(group, one)) {
            return true;
        }
    }
    return false;
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
        pod.name_space = explain->name_space;
    }
    if (strcmp(workload->kind, "StatefulSet") == 0) {
        pod.claims = json_get(json_get(object, "spec"), "volumeClaimTemplates");
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

/* The pod's ServiceAccount, if it was given. */
static json account_of(struct explain *explain, const struct explain_pod *pod)
{
    json account = JSON_NONE;
    str name =
        json_text(json_get(json_get(pod->object, "spec"), "serviceAccountName"), &explain->arena);
    const struct explain_object *found =
        explain_find(&explain->objects, EXPLAIN_ACCOUNT, pod->name_space,
                     str_is_empty(name) ? S("default") : name);
    bool is_read =
        found != NULL && json_parse(found->json_text, &explain->arena, &account, NULL) == ERR_OK;
    return is_read ? account : JSON_NONE; /* not read: the arena is full, and says so */
}

/* What the admission plugin ServiceAccount does about the pod's token (spec/token_volume.h). */
enum token {
    TOKEN_NONE,     /* it is there, or not wanted */
    TOKEN_LEFT_OUT, /* a volume that the node will leave out */
    TOKEN_GIVEN     /* a volume, and a mount in each container that has none at its path */
};

static bool has_token_mount(json container)
{
    json one = json_first(json_get(container, "volumeMounts"));
    while (json_is_there(one) && !json_text_is(json_get(one, "mountPath"), TOKEN_MOUNT_PATH)) {
        one = json_next(one);
    }
    return json_is_there(one);
}

static bool all_have_mounts(json containers)
{
    json one = json_first(containers);
    while (json_is_there(one) && has_token_mount(one)) {
        one = json_next(one);
    }
    return !json_is_there(one);
}

static enum token token_of(json spec, json account, struct arena *arena)
{
    json own = json_get(spec, "automountServiceAccountToken");
    json from = json_is_there(own) ? own : json_get(account, "automountServiceAccountToken");
    json one = json_first(json_get(spec, "volumes"));

    if (json_bool_or(own, false)) {
        bool is_mounted = all_have_mounts(json_get(spec, "containers")) &&
                          all_have_mounts(json_get(spec, "initContainers"));
        return is_mounted ? TOKEN_NONE : TOKEN_GIVEN;
    }
    while (json_is_there(one) && !token_volume_is(one, spec, arena)) {
        one = json_next(one);
    }
    return json_is_there(one) || !json_bool_or(from, true) ? TOKEN_NONE : TOKEN_LEFT_OUT;
}

/* ---- defaults -------------------------------------------------------------------------------- */

/* Objects in which the API server fills in what makes a difference to the request. */
enum place {
    PLACE_SPEC,
    PLACE_CONTAINER,
    PLACE_PROBE,
    PLACE_HOOKS,
    PLACE_HOOK,
    PLACE_HTTP,
    PLACE_VOLUME,
    PLACE_FILES,
    PLACE_NONE
};

/* What is under which member of an object; of a list each item. */
static const struct inner {
    enum place place;
    const char *key;
    enum place inner;
} inners[] = {
    {PLACE_SPEC, "containers", PLACE_CONTAINER},
    {PLACE_SPEC, "initContainers", PLACE_CONTAINER},
    {PLACE_SPEC, "volumes", PLACE_VOLUME},
    {PLACE_CONTAINER, "livenessProbe", PLACE_PROBE},
    {PLACE_CONTAINER, "readinessProbe", PLACE_PROBE},
    {PLACE_CONTAINER, "lifecycle", PLACE_HOOKS},
    {PLACE_HOOKS, "postStart", PLACE_HOOK},
    {PLACE_HOOKS, "preStop", PLACE_HOOK},
    {PLACE_PROBE, "httpGet", PLACE_HTTP},
    {PLACE_HOOK, "httpGet", PLACE_HTTP},
    {PLACE_VOLUME, "configMap", PLACE_FILES},
    {PLACE_VOLUME, "secret", PLACE_FILES},
    {PLACE_VOLUME, "downwardAPI", PLACE_FILES},
    {PLACE_VOLUME, "projected", PLACE_FILES},
};

/* k8s.io/kubernetes pkg/apis/core/v1/defaults.go */
static const struct filled {
    enum place place;
    const char *key;
    const char *value; /* JSON */
} fills[] = {
    {PLACE_SPEC, "restartPolicy", "\"Always\""},
    {PLACE_SPEC, "terminationGracePeriodSeconds", "30"},
    {PLACE_SPEC, "dnsPolicy", "\"ClusterFirst\""},
    {PLACE_CONTAINER, "terminationMessagePath", "\"/dev/termination-log\""},
    {PLACE_CONTAINER, "terminationMessagePolicy", "\"File\""},
    {PLACE_PROBE, "timeoutSeconds", "1"},
    {PLACE_PROBE, "periodSeconds", "10"},
    {PLACE_PROBE, "successThreshold", "1"},
    {PLACE_PROBE, "failureThreshold", "3"},
    {PLACE_HTTP, "path", "\"/\""},
    {PLACE_HTTP, "scheme", "\"HTTP\""},
    {PLACE_FILES, "defaultMode", "420"}, /* 0644 */
};

static enum place place_of(enum place place, json member)
{
    for (size_t i = 0; i < sizeof(inners) / sizeof(inners[0]); i++) {
        if (inners[i].place == place && json_key_is(member, inners[i].key)) {
            return inners[i].inner;
        }
    }
    return PLACE_NONE;
}

static void put_fills(struct json_write *w, json object, enum place place)
{
    for (size_t i = 0; i < sizeof(fills) / sizeof(fills[0]); i++) {
        if (fills[i].place == place && !json_is_there(json_get(object, fills[i].key))) {
            json_member_raw(w, fills[i].key, str_of(fills[i].value));
        }
    }
}

/* The mounts of a container as written, and that of the token. */
static void put_mounts(struct json_write *w, json container)
{
    json one = json_first(json_get(container, "volumeMounts"));
    json_member_array(w, "volumeMounts");
    for (; json_is_there(one); one = json_next(one)) {
        json_put_raw(w, json_raw(one));
    }
    json_object(w);
    json_member_text(w, "name", S(TOKEN_VOLUME));
    json_member_bool(w, "readOnly", true);
    json_member_text(w, "mountPath", S(TOKEN_MOUNT_PATH));
    json_end(w);
    json_end(w);
}

/* A value as written, with what the API server fills in. As deep as the table above is. */
static void put_filled(struct explain *explain, struct json_write *w, json value, enum place place)
{
    enum json_type type = json_type(value);
    if (place == PLACE_NONE || (type != JSON_TYPE_OBJECT && type != JSON_TYPE_ARRAY)) {
        json_put_raw(w, json_raw(value));
        return;
    }
    if (type == JSON_TYPE_ARRAY) {
        json_array(w);
        for (json one = json_first(value); json_is_there(one); one = json_next(one)) {
            bool is_object = json_type(one) == JSON_TYPE_OBJECT;
            put_filled(explain, w, one, is_object ? place : PLACE_NONE);
        }
        json_end(w);
        return;
    }
    bool adds_mount = place == PLACE_CONTAINER && explain->gives_token && !has_token_mount(value);
    json_object(w);
    for (json one = json_first(value); json_is_there(one); one = json_next(one)) {
        bool is_null = json_is_null(one); /* as not given: filled below */
        if (!is_null && !(adds_mount && json_key_is(one, "volumeMounts"))) {
            json_key_put(w, json_key(one, &explain->arena));
            put_filled(explain, w, one, place_of(place, one));
        }
    }
    put_fills(w, value, place);
    if (adds_mount) {
        put_mounts(w, value);
    }
    json_end(w);
}

/* ---- one pod --------------------------------------------------------------------------------- */

str explain_claim_name(struct explain *explain, const struct explain_pod *pod, json claim)
{
    str name = json_text(json_get(json_get(claim, "metadata"), "name"), &explain->arena);
    return arena_fmt(&explain->arena, "%.*s-%.*s-0", STR_ARG(name), STR_ARG(pod->name));
}

static json claim_of(json claims, str name, struct arena *arena)
{
    json one = json_first(claims);
    while (json_is_there(one) &&
           !str_eq(json_text(json_get(json_get(one, "metadata"), "name"), arena), name)) {
        one = json_next(one);
    }
    return one;
}

/* The volumes, but those for which the StatefulSet has a claim; then its claims; then the token. */
static void put_volumes(struct explain *explain, struct json_write *w,
                        const struct explain_pod *pod, enum token token)
{
    json one = json_first(json_get(json_get(pod->object, "spec"), "volumes"));
    struct arena *arena = &explain->arena;

    json_member_array(w, "volumes");
    for (; json_is_there(one); one = json_next(one)) {
        bool is_object = json_type(one) == JSON_TYPE_OBJECT;
        if (!json_is_there(claim_of(pod->claims, json_text(json_get(one, "name"), arena), arena))) {
            put_filled(explain, w, one, is_object ? PLACE_VOLUME : PLACE_NONE);
        }
    }
    for (one = json_first(pod->claims); json_is_there(one); one = json_next(one)) {
        json_object(w);
        json_member_text(w, "name", json_text(json_get(json_get(one, "metadata"), "name"), arena));
        json_member_object(w, "persistentVolumeClaim");
        json_member_text(w, "claimName", explain_claim_name(explain, pod, one));
        json_end(w);
        json_end(w);
    }
    if (token == TOKEN_LEFT_OUT) {
        json_put_raw(w, S("{\"name\":\"" TOKEN_VOLUME "\",\"projected\":{}}"));
    } else if (token == TOKEN_GIVEN) {
        json_put_raw(w, S(TOKEN_PROJECTED));
    }
    json_end(w);
}

/* The spec with what the admission plugin ServiceAccount adds: the account's pull secrets when the
 * pod has none, the volume of its token; and with volumes for the claims of a StatefulSet. */
static void put_spec(struct explain *explain, struct json_write *w, const struct explain_pod *pod)
{
    json spec = json_get(pod->object, "spec"), volumes = json_get(spec, "volumes");
    json account = account_of(explain, pod), pulls = json_get(account, "imagePullSecrets");
    bool is_list = !json_is_there(volumes) || json_type(volumes) == JSON_TYPE_ARRAY;
    enum token token = is_list ? token_of(spec, account, &explain->arena) : TOKEN_NONE;
    bool needs_volumes = token != TOKEN_NONE || (is_list && json_count(pod->claims) > 0);
    bool needs_pulls = json_count(pulls) > 0 && json_count(json_get(spec, "imagePullSecrets")) == 0;
    if (json_type(spec) != JSON_TYPE_OBJECT) {
        json_member_raw(w, "spec", json_raw(spec));
        return;
    }
    explain->gives_token = token == TOKEN_GIVEN;
    json_member_object(w, "spec");
    for (json one = json_first(spec); json_is_there(one); one = json_next(one)) {
        if ((!needs_volumes || !json_key_is(one, "volumes")) &&
            (!needs_pulls || !json_key_is(one, "imagePullSecrets")) && !json_is_null(one)) {
            json_key_put(w, json_key(one, &explain->arena));
            put_filled(explain, w, one, place_of(PLACE_SPEC, one));
        }
    }
    put_fills(w, spec, PLACE_SPEC);
    if (needs_pulls) {
        json_member_raw(w, "imagePullSecrets", json_raw(pulls));
    }
    if (needs_volumes) {
        put_volumes(explain, w, pod, token);
    }
    json_end(w);
}

/* With those by which a StatefulSet tells its pods apart. */
static void put_labels(struct explain *explain, struct json_write *w, json labels, str pod_name)
{
    json_member_object(w, "labels");
    for (json one = json_first(labels); json_is_there(one); one = json_next(one)) {
        if (!json_key_is(one, LABEL_POD_NAME) && !json_key_is(one, LABEL_POD_INDEX)) {
            json_key_put(w, json_key(one, &explain->arena));
            json_put_raw(w, json_raw(one));
        }
    }
    json_member_text(w, LABEL_POD_NAME, pod_name);
    json_member_text(w, LABEL_POD_INDEX, S("0"));
    json_end(w);
}

/* The pod as written, its metadata and what comes of its account completed. */
static str whole_pod(struct explain *explain, const struct workload *workload,
                     const struct explain_pod *pod)
{
    static const char *const set_here[] = {"name", "namespace", "uid", "ownerReferences"};
    json metadata = json_get(pod->object, "metadata");
    bool is_template = workload->path[0] != NULL;
    bool is_set = strcmp(workload->kind, "StatefulSet") == 0;
    str name = arena_fmt(&explain->arena, "%.*s%s", STR_ARG(pod->name), workload->ending);
    char *memory = arena_take(&explain->arena, POD_BYTES_MAX);
    struct json_write w;
    struct buf out;

    buf_init(&out, memory, memory != NULL ? POD_BYTES_MAX : 0);
    json_write_init(&w, &out);
    json_object(&w);
    json_member_object(&w, "metadata");
    for (json one = json_first(metadata); json_is_there(one); one = json_next(one)) {
        bool is_ours = false;
        for (size_t i = 0; i < sizeof(set_here) / sizeof(set_here[0]); i++) {
            is_ours = is_ours || json_key_is(one, set_here[i]);
        }
        is_ours = is_ours || (is_set && json_key_is(one, "labels"));
        if (!is_ours || (!is_template && json_key_is(one, "ownerReferences"))) {
            json_key_put(&w, json_key(one, &explain->arena));
            json_put_raw(&w, json_raw(one));
        }
    }
    json_member_text(&w, "name", name);
    json_member_text(&w, "namespace", pod->name_space);
    str uid = json_text(json_get(metadata, "uid"), &explain->arena);
    json_member_text(&w, "uid", str_is_empty(uid) || is_template ? S(EXPLAIN_UID) : uid);
    if (workload->owner != NULL) {
        put_owner(&w, workload, pod);
    }
    if (is_set) {
        put_labels(explain, &w, json_get(metadata, "labels"), name);
    }
    json_end(&w);
    put_spec(explain, &w, pod);
    json_end(&w);
    if (!json_write_ok(&w)) {
        explain->arena.has_failed = true;
        return STR_NONE;
    }
    return buf_str(&out);
}

static void refuse_unless_text(json value, str where, struct spec_verdict *verdict)
{
    if (json_is_there(value) && !json_is_null(value) && json_type(value) != JSON_TYPE_STRING) {
        verdict_refuse(verdict, SPEC_NEVER, where, "must be a text: put it into quotes");
    }
}

void explain_check_texts(struct explain *explain, const struct explain_pod *pod,
                         struct spec_verdict *verdict)
{
    json metadata = json_get(pod->object, "metadata");
    const struct {
        const char *path;
        json members;
        bool are_annotations;
    } maps[] = {
        {"metadata.labels", json_get(metadata, "labels"), false},
        {"metadata.annotations", json_get(metadata, "annotations"), true},
        {"spec.nodeSelector", json_get(json_get(pod->object, "spec"), "nodeSelector"), false}};

    refuse_unless_text(json_get(metadata, "name"), S("metadata.name"), verdict);
    refuse_unless_text(json_get(metadata, "namespace"), S("metadata.namespace"), verdict);
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        json one = json_first(maps[i].members);
        for (; json_is_there(one); one = json_next(one)) {
            str key = json_key(one, &explain->arena);
            bool is_known = maps[i].are_annotations && annotation_find(key) != ANNOTATION_COUNT;
            if (!is_known) { /* those are judged one by one */
                refuse_unless_text(one,
                                   arena_fmt(&explain->arena, "%s[%.*s]", maps[i].path,
                                             STR_ARG(str_sub(key, 0, KEY_BYTES_SHOWN))),
                                   verdict);
            }
        }
    }
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
