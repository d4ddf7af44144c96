/* pod_facts.c - see pod_facts.h */
#include "spec/pod_facts.h"

#include "base/codec.h"
#include "spec/quantity.h"

#define ANNOTATION_MIRROR "kubernetes.io/config.mirror"

static const char *const phase_names[POD_PHASE_COUNT] = {
    [POD_PHASE_NONE] = "",
    [POD_PHASE_PENDING] = "Pending",
    [POD_PHASE_RUNNING] = "Running",
    [POD_PHASE_SUCCEEDED] = "Succeeded",
    [POD_PHASE_FAILED] = "Failed",
};

static const char *const policy_names[RESTART_POLICY_COUNT] = {
    [RESTART_POLICY_ALWAYS] = "Always",
    [RESTART_POLICY_ON_FAILURE] = "OnFailure",
    [RESTART_POLICY_NEVER] = "Never",
};

static void read_metadata(json metadata, struct arena *arena, struct pod_facts *out);
static void read_owner(json references, struct arena *arena, struct pod_facts *out);
static void read_spec(json spec, struct arena *arena, struct pod_facts *out);
static void read_status(json status, struct arena *arena, struct pod_facts *out);
static int64_t read_time(json value, struct arena *arena);

enum err pod_facts_read(json pod, struct arena *arena, struct pod_facts *out)
{
    *out = (struct pod_facts){0};
    read_metadata(json_get(pod, "metadata"), arena, out);
    read_spec(json_get(pod, "spec"), arena, out);
    read_status(json_get(pod, "status"), arena, out);
    if (arena->has_failed) {
        return ERR_FULL;
    }
    if (str_is_empty(out->uid) || str_is_empty(out->name) || str_is_empty(out->name_space)) {
        return ERR_BAD_INPUT;
    }
    return ERR_OK;
}

static void read_metadata(json metadata, struct arena *arena, struct pod_facts *out)
{
    json annotations = json_get(metadata, "annotations");
    json leaving = json_get(metadata, "deletionTimestamp");

    out->uid = json_text(json_get(metadata, "uid"), arena);
    out->name = json_text(json_get(metadata, "name"), arena);
    out->name_space = json_text(json_get(metadata, "namespace"), arena);
    out->resource_version = json_text(json_get(metadata, "resourceVersion"), arena);
    out->created_at_s = read_time(json_get(metadata, "creationTimestamp"), arena);
    out->is_leaving = json_is_there(leaving);
    out->deletion_at_s = read_time(leaving, arena);
    out->deletion_grace_s = json_i64_or(json_get(metadata, "deletionGracePeriodSeconds"), 0);
    out->instance_id = json_text(json_get(annotations, ANNOTATION_INSTANCE_ID), arena);
    out->is_mirror = json_is_there(json_get(annotations, ANNOTATION_MIRROR));
    read_owner(json_get(metadata, "ownerReferences"), arena, out);
}

static void read_owner(json references, struct arena *arena, struct pod_facts *out)
{
    for (json one = json_first(references); json_is_there(one); one = json_next(one)) {
        if (json_bool_or(json_get(one, "controller"), false)) {
            out->owner_kind = json_text(json_get(one, "kind"), arena);
            out->owner_name = json_text(json_get(one, "name"), arena);
            return;
        }
    }
}

static void read_spec(json spec, struct arena *arena, struct pod_facts *out)
{
    out->node_name = json_text(json_get(spec, "nodeName"), arena);
    out->active_deadline_s = json_i64_or(json_get(spec, "activeDeadlineSeconds"), 0);
    out->containers_count = json_count(json_get(spec, "containers"));
    out->has_init_containers = json_count(json_get(spec, "initContainers")) > 0;
    (void)restart_policy_parse(json_text(json_get(spec, "restartPolicy"), arena),
                               &out->restart_policy);
}

static void read_status(json status, struct arena *arena, struct pod_facts *out)
{
    out->phase = pod_phase_parse(json_text(json_get(status, "phase"), arena));
    out->host_ip = json_text(json_get(status, "hostIP"), arena);
    out->pod_ip = json_text(json_get(status, "podIP"), arena);
    out->started_at_s = read_time(json_get(status, "startTime"), arena);
}

static int64_t read_time(json value, struct arena *arena)
{
    int64_t unix_s = 0;

    return codec_get_time(json_text(value, arena), &unix_s) ? unix_s : 0;
}

/* ---- what the scheduler counts --------------------------------------------------------------- */

static int64_t add_milli(int64_t sum, int64_t more)
{
    sum += more; /* both at most POD_REQUEST_MILLI_MAX */
    return sum < POD_REQUEST_MILLI_MAX ? sum : POD_REQUEST_MILLI_MAX;
}

static int64_t read_milli(json list, struct arena *arena)
{
    int64_t milli = 0;
    enum err err = quantity_parse_milli(json_text(json_get(list, "cpu"), arena), &milli);
    if (err == ERR_TOO_BIG || (err == ERR_OK && milli > POD_REQUEST_MILLI_MAX)) {
        return POD_REQUEST_MILLI_MAX;
    }
    return err == ERR_OK && milli > 0 ? milli : 0;
}

static int64_t container_milli(json container, struct arena *arena)
{
    return read_milli(json_get(json_get(container, "resources"), "requests"), arena);
}

int64_t pod_request_milli(json pod, struct arena *arena)
{
    json spec = json_get(pod, "spec");
    int64_t stays = 0, peak = 0;
    for (json x = json_first(json_get(spec, "initContainers")); json_is_there(x);
         x = json_next(x)) {
        int64_t own = container_milli(x, arena);
        int64_t moment = add_milli(stays, own);
        if (json_text_is(json_get(x, "restartPolicy"), "Always")) { /* a sidecar */
            stays = moment;
        }
        peak = moment > peak ? moment : peak;
    }
    for (json x = json_first(json_get(spec, "containers")); json_is_there(x); x = json_next(x)) {
        stays = add_milli(stays, container_milli(x, arena));
    }
    return add_milli(stays > peak ? stays : peak, read_milli(json_get(spec, "overhead"), arena));
}

const char *pod_phase_name(enum pod_phase phase)
{
    return (unsigned)phase < POD_PHASE_COUNT ? phase_names[phase] : "";
}

enum pod_phase pod_phase_parse(str text)
{
    for (unsigned i = POD_PHASE_PENDING; i < POD_PHASE_COUNT; i++) {
        if (str_eq(text, str_of(phase_names[i]))) {
            return (enum pod_phase)i;
        }
    }
    return POD_PHASE_NONE;
}

const char *restart_policy_name(enum restart_policy policy)
{
    return (unsigned)policy < RESTART_POLICY_COUNT ? policy_names[policy]
                                                   : policy_names[RESTART_POLICY_ALWAYS];
}

bool restart_policy_parse(str text, enum restart_policy *out)
{
    for (unsigned i = 0; i < RESTART_POLICY_COUNT; i++) {
        if (str_eq(text, str_of(policy_names[i]))) {
            *out = (enum restart_policy)i;
            return true;
        }
    }
    return false;
}
