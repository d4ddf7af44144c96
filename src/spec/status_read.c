/*
 * status_read.c - PodStatus as the API server has it; see pod_status.h
 *
 * Only what pod_status_write() writes is read, so that what we wrote and what we read back compare
 * equal by pod_status_hash().
 */
#include "base/check.h"
#include "base/codec.h"
#include "spec/status_parts.h"

/* Types that rows are known to bring besides our own (eci-api 2.4, 3.4). */
static const char *const cloud_conditions[] = {
    "PodReadyToStartContainers", "ContainerHasSufficientDisk", "Unschedulable", "SandboxReady"};

static void read_conditions(json list, struct arena *arena, struct pod_status *out);
static const struct pod_container_status *read_containers(json list, struct arena *arena,
                                                          uint32_t *count);
static struct eci_state read_state(json object, struct arena *arena);

static str text_of(json object, const char *key, struct arena *arena)
{
    return json_text(json_get(object, key), arena);
}

static int64_t time_of(json object, const char *key, struct arena *arena)
{
    int64_t unix_s = 0;

    return codec_get_time(text_of(object, key, arena), &unix_s) ? unix_s : 0;
}

static int32_t number_of(json object, const char *key)
{
    int64_t number = json_i64_or(json_get(object, key), 0);

    return number >= INT32_MIN && number <= INT32_MAX ? (int32_t)number : 0;
}

enum err pod_status_read(json pod, struct arena *arena, struct pod_status *out)
{
    json status = json_get(pod, "status"), ips = json_get(status, "podIPs");

    *out = (struct pod_status){
        .phase = pod_phase_parse(text_of(status, "phase", arena)),
        .reason = text_of(status, "reason", arena),
        .message = text_of(status, "message", arena),
        .host_ip = text_of(status, "hostIP", arena),
        .started_at_s = time_of(status, "startTime", arena),
    };
    status_add_address(out, text_of(status, "podIP", arena));
    for (json one = json_first(ips); json_is_there(one); one = json_next(one)) {
        status_add_address(out, text_of(one, "ip", arena));
    }
    read_conditions(json_get(status, "conditions"), arena, out);
    out->containers =
        read_containers(json_get(status, "containerStatuses"), arena, &out->containers_count);
    out->init_containers = read_containers(json_get(status, "initContainerStatuses"), arena,
                                           &out->init_containers_count);
    return arena->has_failed ? ERR_FULL : ERR_OK;
}

static bool is_expected(str type)
{
    bool is_ours = status_condition_find(type) != POD_CONDITION_COUNT;

    for (size_t i = 0; i < sizeof cloud_conditions / sizeof cloud_conditions[0]; i++) {
        is_ours |= str_eq(type, str_of(cloud_conditions[i]));
    }
    return is_ours;
}

static void read_conditions(json list, struct arena *arena, struct pod_status *out)
{
    for (json one = json_first(list); json_is_there(one); one = json_next(one)) {
        struct pod_condition condition = {
            .type = text_of(one, "type", arena),
            .status = text_of(one, "status", arena),
            .reason = text_of(one, "reason", arena),
            .message = text_of(one, "message", arena),
            .changed_at_s = time_of(one, "lastTransitionTime", arena),
        };
        if (is_expected(condition.type) && out->conditions_count < POD_CONDITIONS_MAX) {
            out->conditions[out->conditions_count++] = condition;
        }
    }
}

static const struct pod_container_status *read_containers(json list, struct arena *arena,
                                                          uint32_t *count)
{
    *count = json_count(list);
    struct pod_container_status *containers =
        *count > 0 ? ARENA_ARRAY(arena, *count, struct pod_container_status) : NULL;
    uint32_t at = 0;

    if (containers == NULL) {
        *count = 0;
        return NULL;
    }
    for (json one = json_first(list); json_is_there(one); one = json_next(one), at++) {
        containers[at].container_id = text_of(one, "containerID", arena);
        containers[at].is = (struct eci_container){
            .name = text_of(one, "name", arena),
            .image = text_of(one, "image", arena),
            .image_id = text_of(one, "imageID", arena),
            .is_ready = json_bool_or(json_get(one, "ready"), false),
            .is_started = json_bool_or(json_get(one, "started"), false),
            .restarts = number_of(one, "restartCount"),
            .now = read_state(json_get(one, "state"), arena),
            .last = read_state(json_get(one, "lastState"), arena),
        };
    }
    return containers;
}

static struct eci_state read_state(json object, struct arena *arena)
{
    static const struct {
        const char *key;
        enum eci_state_kind kind;
    } kinds[] = {{"waiting", ECI_STATE_WAITING},
                 {"running", ECI_STATE_RUNNING},
                 {"terminated", ECI_STATE_TERMINATED}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        json state = json_get(object, kinds[i].key);
        if (json_is_there(state)) {
            return (struct eci_state){
                .kind = kinds[i].kind,
                .reason = text_of(state, "reason", arena),
                .message = text_of(state, "message", arena),
                .container_id = text_of(state, "containerID", arena),
                .started_at_s = time_of(state, "startedAt", arena),
                .finished_at_s = time_of(state, "finishedAt", arena),
                .exit_code = number_of(state, "exitCode"),
                .signal = number_of(state, "signal"),
            };
        }
    }
    return (struct eci_state){0};
}

enum err pod_status_past_read(json pod, struct arena *arena, struct pod_status_past *out)
{
    struct pod_status status;
    uint64_t hash = 0, init_hash = 0;
    enum err err = pod_status_read(pod, arena, &status);

    *out = (struct pod_status_past){0};
    if (err != ERR_OK) {
        return err;
    }
    struct pod_status init = {.init_containers = status.init_containers,
                              .init_containers_count = status.init_containers_count};
    status.init_containers = NULL;
    err = pod_status_hash(&status, arena, &hash);
    if (err == ERR_OK && init.init_containers != NULL) {
        err = pod_status_hash(&init, arena, &init_hash);
    }
    if (err == ERR_OK) {
        pod_status_remember(out, &status, hash);
        out->init_hash = init_hash;
    }
    return err;
}

void pod_status_remember(struct pod_status_past *past, const struct pod_status *status,
                         uint64_t hash)
{
    if (status->init_containers != NULL) {
        past->init_hash = hash;
        return;
    }
    past->hash = hash;
    past->phase = status->phase;
    past->started_at_s = status->started_at_s;
    for (uint32_t i = 0; i < POD_IPS_MAX; i++) {
        str address = i < status->pod_ips_count ? status->pod_ips[i] : STR_NONE;
        bool has_fit = str_copy(past->pod_ips[i], sizeof past->pod_ips[i], address);
        CHECK(has_fit); /* status_add_address() has measured it */
    }
    for (uint32_t i = 0; i < status->conditions_count; i++) {
        const struct pod_condition *condition = &status->conditions[i];
        enum pod_condition_type type = status_condition_find(condition->type);

        if (type != POD_CONDITION_COUNT) {
            past->condition[type] = str_eq(condition->status, S("True"))    ? 'T'
                                    : str_eq(condition->status, S("False")) ? 'F'
                                                                            : 'U';
            past->changed_at_s[type] = condition->changed_at_s;
        }
    }
}
