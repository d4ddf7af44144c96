/*
 * status_local.c - statuses that no cloud row stands behind; see pod_status.h
 */
#include "base/check.h"
#include "spec/address.h"
#include "spec/status_parts.h"

const struct pod_end POD_END_LOST = {
    .reason = {"NotFound", 8},
    .message = {"The pod status was not found and may have been deleted from the provider", 72},
    .container_reason = {"NotFound", 8},
    .container_message = {"Container was not found and was likely deleted", 46},
    .exit_code = -137,
};

static void add_unready(struct pod_status *out, const struct pod_status_input *input,
                        const char *reason);
static void end_containers(const struct pod_end *end, json pod,
                           const struct pod_status_input *input, struct arena *arena,
                           struct pod_status *out);

enum err pod_status_pending(str reason, str message, const struct pod_status_input *input,
                            struct arena *arena, struct pod_status *out)
{
    CHECK(input->past != NULL);
    *out = (struct pod_status){
        .phase = status_phase_after(input->past->phase, POD_PHASE_PENDING),
        .keeps_reason = pod_phase_is_terminal(input->past->phase),
        .reason = reason,
        .message = message,
    };
    out->host_ip = address_family(input->node_ip) != ADDRESS_NONE ? input->node_ip : STR_NONE;
    status_keep_known(out, input);
    status_add_condition(out, input, POD_CONDITION_SCHEDULED,
                         (struct status_claim){.is_true = true});
    struct status_claim initialized = {.is_true = !input->has_init_containers};
    initialized.reason = initialized.is_true ? STR_NONE : S("ContainersNotInitialized");
    status_add_condition(out, input, POD_CONDITION_INITIALIZED, initialized);
    add_unready(out, input, "ContainersNotReady");
    status_add_condition(out, input, POD_CONDITION_INSTANCE,
                         (struct status_claim){.reason = reason, .message = message});
    return arena->has_failed ? ERR_FULL : ERR_OK;
}

static void add_unready(struct pod_status *out, const struct pod_status_input *input,
                        const char *reason)
{
    struct status_claim claim = {.reason = str_of(reason)};

    status_add_condition(out, input, POD_CONDITION_CONTAINERS_READY, claim);
    status_add_condition(out, input, POD_CONDITION_READY, claim);
}

/* Initialized and ContainerInstanceCreated stay as they are: they tell how far the pod came. */
enum err pod_status_end(const struct pod_end *end, json pod, const struct pod_status_input *input,
                        struct arena *arena, struct pod_status *out)
{
    enum pod_phase last = end->phase == POD_PHASE_NONE ? POD_PHASE_FAILED : end->phase;

    CHECK(input->past != NULL && pod_phase_is_terminal(last));
    *out = (struct pod_status){
        .phase = status_phase_after(input->past->phase, last),
        .keeps_reason = pod_phase_is_terminal(input->past->phase),
        .reason = end->reason,
        .message = end->message,
    };
    status_keep_known(out, input);
    status_add_condition(out, input, POD_CONDITION_SCHEDULED,
                         (struct status_claim){.is_true = true});
    add_unready(out, input, out->phase == POD_PHASE_SUCCEEDED ? "PodCompleted" : "PodFailed");
    end_containers(end, pod, input, arena, out);
    return arena->has_failed ? ERR_FULL : ERR_OK;
}

static void end_containers(const struct pod_end *end, json pod,
                           const struct pod_status_input *input, struct arena *arena,
                           struct pod_status *out)
{
    struct pod_status now;

    if (pod_status_read(pod, arena, &now) != ERR_OK || now.containers == NULL) {
        return;
    }
    struct pod_container_status *list =
        ARENA_ARRAY(arena, now.containers_count, struct pod_container_status);
    if (list == NULL) {
        return;
    }
    for (uint32_t i = 0; i < now.containers_count; i++) {
        struct eci_state *state = &list[i].is.now;

        list[i] = now.containers[i];
        list[i].is.is_ready = false;
        if (state->kind == ECI_STATE_RUNNING) {
            *state = (struct eci_state){
                .kind = ECI_STATE_TERMINATED,
                .reason = end->container_reason,
                .message = end->container_message,
                .exit_code = end->exit_code,
                .started_at_s = state->started_at_s,
                .finished_at_s = input->now_s,
                .container_id = list[i].container_id,
            };
            list[i].is.is_started = false;
        }
    }
    out->containers = list;
    out->containers_count = now.containers_count;
}
