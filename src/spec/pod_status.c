/*
 * pod_status.c - cloud rows become PodStatus; see pod_status.h
 *
 * One table says what each ContainerGroup.Status means; the rest is the pod's past (nothing goes
 * back) and the cloud's own words where it has some.
 */
#include "spec/pod_status.h"

#include "base/buf.h"
#include "base/check.h"
#include "spec/address.h"
#include "spec/identity.h"
#include "spec/status_parts.h"

/* eci-api 3.1, 3.3 */
static const struct meaning {
    enum pod_phase phase;
    const char *disturbed; /* Ready is False with this reason, whatever the containers say */
    const char *reason;    /* of the pod */
    const char *message;   /* when the cloud gives none */
} meanings[ECI_STATUS_COUNT] = {
    [ECI_STATUS_UNKNOWN] = {.phase = POD_PHASE_PENDING},
    [ECI_STATUS_SCHEDULING] = {.phase = POD_PHASE_PENDING},
    [ECI_STATUS_PENDING] = {.phase = POD_PHASE_PENDING},
    [ECI_STATUS_RUNNING] = {.phase = POD_PHASE_RUNNING},
    [ECI_STATUS_RESTARTING] = {.phase = POD_PHASE_PENDING, .disturbed = "Restarting"},
    [ECI_STATUS_UPDATING] = {.phase = POD_PHASE_PENDING, .disturbed = "Updating"},
    [ECI_STATUS_TERMINATING] = {.phase = POD_PHASE_RUNNING},
    [ECI_STATUS_SUCCEEDED] = {.phase = POD_PHASE_SUCCEEDED},
    [ECI_STATUS_FAILED] = {.phase = POD_PHASE_FAILED},
    [ECI_STATUS_EXPIRED] = {.phase = POD_PHASE_FAILED,
                            .reason = "Expired",
                            .message = "The spot instance was reclaimed"},
    [ECI_STATUS_SCHEDULE_FAILED] = {.phase = POD_PHASE_FAILED,
                                    .reason = "ContainerInstanceScheduleFailed",
                                    .message = "The cloud found no resources for the instance"},
};

/* A group that failed although no container ran has waited longer than MaxPendingMinute. */
static const struct meaning pending_timeout = {
    .phase = POD_PHASE_FAILED,
    .reason = "ContainerInstancePendingTimeout",
    .message = "No container has run within the time that the cloud waits for a pending instance",
};

/* What the steps below share. */
struct sight {
    const struct eci_status_row *row;
    const struct pod_status_input *input;
    const struct meaning *meaning;
    struct arena *arena;
    bool is_initialized;
    bool are_ready;
};

static enum pod_phase phase_of_row(const struct sight *sight);
static void set_reason(const struct sight *sight, struct pod_status *out);
static void set_addresses(const struct sight *sight, struct pod_status *out);
static void add_initialized(struct sight *sight, struct pod_status *out);
static void add_readiness(struct sight *sight, struct pod_status *out);
static void add_instance_created(const struct sight *sight, struct pod_status *out);
static void copy_conditions(const struct sight *sight, struct pod_status *out);
static void set_containers(const struct sight *sight, struct pod_status *out);
static struct pod_container_status status_of_container(const struct eci_container *from,
                                                       str group_id, const char *waiting,
                                                       struct arena *arena);
static bool has_run(const struct eci_container *container);

enum err pod_status_of_row(const struct eci_status_row *row, const struct pod_status_input *input,
                           struct arena *arena, struct pod_status *out)
{
    struct sight sight = {.row = row, .input = input, .arena = arena};

    CHECK(input->past != NULL && (unsigned)row->status < ECI_STATUS_COUNT);
    sight.meaning = &meanings[row->status];
    if (row->status == ECI_STATUS_FAILED && pod_status_row_never_ran(row)) {
        sight.meaning = &pending_timeout;
    }
    *out = (struct pod_status){.phase = phase_of_row(&sight), .started_at_s = row->started_at_s};
    set_reason(&sight, out);
    set_addresses(&sight, out);
    status_keep_known(out, input);
    status_add_condition(out, input, POD_CONDITION_SCHEDULED,
                         (struct status_claim){.is_true = true});
    add_initialized(&sight, out);
    add_readiness(&sight, out);
    add_instance_created(&sight, out);
    copy_conditions(&sight, out);
    set_containers(&sight, out);
    return arena->has_failed ? ERR_FULL : ERR_OK;
}

/* The first instance that never ran is no reason to fail: a pod that has not run goes on waiting,
 * and the next attempt is the brain's business. */
static enum pod_phase phase_of_row(const struct sight *sight)
{
    enum pod_phase past = sight->input->past->phase;
    enum pod_phase next = sight->meaning->phase;

    if (sight->row->status == ECI_STATUS_UNKNOWN &&
        pod_phase_parse(sight->row->phase) == POD_PHASE_RUNNING) {
        next = POD_PHASE_RUNNING;
    }
    if (sight->input->will_retry && past <= POD_PHASE_PENDING &&
        pod_status_row_never_ran(sight->row)) {
        next = POD_PHASE_PENDING;
    }
    return status_phase_after(past, next);
}

bool pod_status_row_never_ran(const struct eci_status_row *row)
{
    bool is_over =
        row->status == ECI_STATUS_SCHEDULE_FAILED ||
        (row->status == ECI_STATUS_FAILED && pod_phase_parse(row->phase) == POD_PHASE_PENDING);

    for (uint32_t i = 0; is_over && i < row->containers_count; i++) {
        is_over = !has_run(&row->containers[i]);
    }
    return is_over;
}

static bool has_run(const struct eci_container *container)
{
    return container->now.kind == ECI_STATE_RUNNING ||
           container->now.kind == ECI_STATE_TERMINATED ||
           container->last.kind == ECI_STATE_TERMINATED || container->restarts > 0;
}

/* The message is that of ContainerInstanceCreated, where the cloud explains itself (eci-api 3.4).
 */
static void set_reason(const struct sight *sight, struct pod_status *out)
{
    const struct eci_condition *created =
        eci_status_condition(sight->row, status_condition_name(POD_CONDITION_INSTANCE));

    out->keeps_reason = pod_phase_is_terminal(sight->input->past->phase);
    if (sight->meaning->reason == NULL) {
        return;
    }
    out->reason = str_of(sight->meaning->reason);
    out->message = str_of(sight->meaning->message);
    if (created != NULL && !str_is_empty(created->message)) {
        out->message = created->message;
    } else if (created != NULL && !str_is_empty(created->reason)) {
        out->message =
            arena_fmt(sight->arena, "%s: %.*s", sight->meaning->message, STR_ARG(created->reason));
    }
}

static void set_addresses(const struct sight *sight, struct pod_status *out)
{
    const struct eci_status_row *row = sight->row;

    status_add_address(out, row->pod_ip);
    for (uint32_t i = 0; i < row->pod_ips_count; i++) {
        status_add_address(out, row->pod_ips[i]);
    }
    out->host_ip = address_family(row->host_ip) != ADDRESS_NONE            ? row->host_ip
                   : address_family(sight->input->node_ip) != ADDRESS_NONE ? sight->input->node_ip
                                                                           : STR_NONE;
}

static const struct eci_condition *row_condition(const struct sight *sight,
                                                 enum pod_condition_type type)
{
    return eci_status_condition(sight->row, status_condition_name(type));
}

/* What the cloud says about a condition, when it says what we say; the reason then is the cloud's.
 */
static struct status_claim claim_with_row(const struct sight *sight, enum pod_condition_type type,
                                          bool is_true, const char *reason)
{
    const struct eci_condition *row = row_condition(sight, type);
    struct status_claim claim = {.is_true = is_true, .reason = str_of(reason)};

    if (row != NULL && str_eq(row->status, is_true ? S("True") : S("False"))) {
        claim.since_s = row->changed_at_s;
        claim.message = row->message;
        claim.reason = str_is_empty(row->reason) ? claim.reason : row->reason;
    }
    return claim;
}

static void add_initialized(struct sight *sight, struct pod_status *out)
{
    const struct eci_condition *row = row_condition(sight, POD_CONDITION_INITIALIZED);
    bool is_completed = out->phase == POD_PHASE_SUCCEEDED;
    bool is_true = !sight->input->has_init_containers || is_completed;

    for (uint32_t i = 0; i < sight->row->containers_count; i++) {
        is_true |= has_run(&sight->row->containers[i]); /* init containers have ended before */
    }
    if (row != NULL && !is_completed) {
        is_true = str_eq(row->status, S("True"));
    }
    sight->is_initialized = is_true;
    struct status_claim claim = claim_with_row(sight, POD_CONDITION_INITIALIZED, is_true,
                                               is_completed ? "PodCompleted"
                                               : is_true    ? ""
                                                            : "ContainersNotInitialized");
    status_add_condition(out, sight->input, POD_CONDITION_INITIALIZED, claim);
}

/* The kubelet's sentence. */
static str unready_names(const struct sight *sight)
{
    size_t bytes = 0;
    char *room = arena_rest(sight->arena, &bytes);
    struct buf text;

    buf_init(&text, room, bytes);
    buf_put_text(&text, "containers with unready status: [");
    for (uint32_t i = 0, named = 0; i < sight->row->containers_count; i++) {
        if (!sight->row->containers[i].is_ready) {
            buf_put_text(&text, named++ > 0 ? " " : "");
            buf_put(&text, sight->row->containers[i].name);
        }
    }
    buf_put_char(&text, ']');
    sight->arena->has_failed |= !buf_ok(&text);
    arena_keep(sight->arena, text.bytes);
    return buf_str(&text);
}

/* Why nothing of this pod can be ready, whatever its containers say; NULL when it can. */
static const char *unready_because(const struct sight *sight, enum pod_phase phase)
{
    if (phase == POD_PHASE_SUCCEEDED) {
        return "PodCompleted"; /* the kubelet's words, as is the next */
    }
    if (phase == POD_PHASE_FAILED) {
        return "PodFailed";
    }
    return sight->meaning->disturbed;
}

static bool all_containers_ready(const struct eci_status_row *row)
{
    for (uint32_t i = 0; i < row->containers_count; i++) {
        if (!row->containers[i].is_ready) {
            return false;
        }
    }
    return row->containers_count > 0;
}

static void add_readiness(struct sight *sight, struct pod_status *out)
{
    const struct eci_condition *row_containers =
        row_condition(sight, POD_CONDITION_CONTAINERS_READY);
    const struct eci_condition *row_ready = row_condition(sight, POD_CONDITION_READY);
    const char *because = unready_because(sight, out->phase);
    bool may_be = because == NULL && out->phase == POD_PHASE_RUNNING;
    bool has_address = out->pod_ips_count > 0;
    /* The cloud's word first: it knows of containers that are not to count (eci-api 6.4). */
    bool containers = row_containers != NULL ? str_eq(row_containers->status, S("True"))
                                             : all_containers_ready(sight->row);
    bool ready = row_ready != NULL ? str_eq(row_ready->status, S("True")) : containers;

    sight->are_ready = may_be && containers;
    struct status_claim claim =
        claim_with_row(sight, POD_CONDITION_CONTAINERS_READY, sight->are_ready,
                       sight->are_ready ? "" : "ContainersNotReady");
    if (because != NULL) {
        claim.reason = str_of(because);
        claim.message = STR_NONE;
    } else if (!sight->are_ready && str_is_empty(claim.message)) {
        claim.message = unready_names(sight);
    }
    status_add_condition(out, sight->input, POD_CONDITION_CONTAINERS_READY, claim);

    bool is_ready = sight->are_ready && ready && has_address;
    struct status_claim ready_claim =
        claim_with_row(sight, POD_CONDITION_READY, is_ready,
                       is_ready                    ? ""
                       : sight->are_ready && ready ? "NoPodIP"
                                                   : "ContainersNotReady");
    if (!sight->are_ready) { /* then that is why */
        ready_claim.reason = claim.reason;
        ready_claim.message = claim.message;
    }
    status_add_condition(out, sight->input, POD_CONDITION_READY, ready_claim);
}

static void add_instance_created(const struct sight *sight, struct pod_status *out)
{
    const struct eci_condition *row = row_condition(sight, POD_CONDITION_INSTANCE);
    enum eci_status status = sight->row->status;
    bool is_true = status != ECI_STATUS_SCHEDULING && status != ECI_STATUS_SCHEDULE_FAILED;

    if (row == NULL && status == ECI_STATUS_UNKNOWN) {
        return; /* nobody knows */
    }
    if (row != NULL) {
        is_true = str_eq(row->status, S("True"));
    }
    status_add_condition(out, sight->input, POD_CONDITION_INSTANCE,
                         claim_with_row(sight, POD_CONDITION_INSTANCE, is_true,
                                        is_true                           ? ""
                                        : status == ECI_STATUS_SCHEDULING ? "Creating"
                                                                          : "FailedScheduling"));
}

static bool has_condition(const struct pod_status *status, str type)
{
    for (uint32_t i = 0; i < status->conditions_count; i++) {
        if (str_eq(status->conditions[i].type, type)) {
            return true;
        }
    }
    return false;
}

/* The others, as they are. One of a type: the API server merges by type. */
static void copy_conditions(const struct sight *sight, struct pod_status *out)
{
    for (uint32_t i = 0; i < sight->row->conditions_count; i++) {
        const struct eci_condition *row = &sight->row->conditions[i];
        bool is_known = str_eq(row->status, S("True")) || str_eq(row->status, S("False")) ||
                        str_eq(row->status, S("Unknown"));

        if (!is_known || has_condition(out, row->type)) {
            continue; /* ours are there already */
        }
        CHECK(out->conditions_count < POD_CONDITIONS_MAX);
        out->conditions[out->conditions_count++] = (struct pod_condition){
            row->type, row->status, row->reason, row->message, row->changed_at_s};
    }
}

static const struct eci_container *find_container(const struct eci_container *all, uint32_t count,
                                                  str name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (str_eq(all[i].name, name)) {
            return &all[i];
        }
    }
    return NULL;
}

/*
 * In the pod's order when `names` are known, else in the row's. A container that the row does not
 * have (yet) waits; one that the pod does not have is not shown: the API server would refuse it.
 */
static struct pod_container_status *list_containers(const struct eci_container *row,
                                                    uint32_t row_count, const str *names,
                                                    uint32_t *count, str group_id,
                                                    const char *waiting, struct arena *arena)
{
    *count = names != NULL ? *count : row_count;
    struct pod_container_status *list =
        *count > 0 ? ARENA_ARRAY(arena, *count, struct pod_container_status) : NULL;

    for (uint32_t i = 0; list != NULL && i < *count; i++) {
        const struct eci_container absent = {.name = names != NULL ? names[i] : STR_NONE};
        const struct eci_container *from =
            names != NULL ? find_container(row, row_count, names[i]) : &row[i];

        list[i] = status_of_container(from != NULL ? from : &absent, group_id, waiting, arena);
    }
    *count = list != NULL ? *count : 0;
    return list;
}

/* An instance that never ran has no containers worth showing: "ContainerCreating" would hide the
 * pod's reason in kubectl's list. */
static void set_containers(const struct sight *sight, struct pod_status *out)
{
    const struct pod_status_input *input = sight->input;
    const char *waiting = sight->is_initialized ? "ContainerCreating" : "PodInitializing";

    if (pod_status_row_never_ran(sight->row)) {
        return;
    }
    out->containers_count = input->container_names_count;
    struct pod_container_status *list = list_containers(
        sight->row->containers, sight->row->containers_count, input->container_names,
        &out->containers_count, sight->row->id, waiting, sight->arena);
    bool may_be = unready_because(sight, out->phase) == NULL;
    for (uint32_t i = 0; i < out->containers_count; i++) {
        list[i].is.is_ready &= may_be;
    }
    out->containers = list;
}

enum err pod_status_of_group(const struct eci_group_row *row, const struct pod_status_input *input,
                             struct arena *arena, struct pod_status *out)
{
    CHECK(input->past != NULL);
    *out = (struct pod_status){.phase = POD_PHASE_NONE};
    out->init_containers_count = input->init_container_names_count;
    struct pod_container_status *list = list_containers(
        row->init_containers, row->init_containers_count, input->init_container_names,
        &out->init_containers_count, row->id, "PodInitializing", arena);
    for (uint32_t i = 0; i < out->init_containers_count; i++) {
        const struct eci_state *now = &list[i].is.now;
        list[i].is.is_ready = now->kind == ECI_STATE_TERMINATED && now->exit_code == 0;
    }
    out->init_containers = list;
    return arena->has_failed ? ERR_FULL : ERR_OK;
}

static void fill_terminated(struct eci_state *state, str container_id)
{
    if (state->kind != ECI_STATE_TERMINATED) {
        return;
    }
    if (str_is_empty(state->reason)) {
        state->reason = state->exit_code == 0 ? S("Completed") : S("Error");
    }
    if (str_is_empty(state->container_id)) {
        state->container_id = container_id;
    }
}

/* eci-api 3.3, containerStatuses */
static struct pod_container_status status_of_container(const struct eci_container *from,
                                                       str group_id, const char *waiting,
                                                       struct arena *arena)
{
    struct pod_container_status out = {.is = *from};
    const struct eci_state *latest = from->now.kind == ECI_STATE_WAITING ? &from->last : &from->now;

    if (has_run(from)) {
        out.container_id = str_is_empty(latest->container_id)
                               ? identity_container_id(arena, group_id, from->name)
                               : latest->container_id;
    }
    if (from->now.kind == ECI_STATE_NONE) {
        out.is.now.kind = ECI_STATE_WAITING;
    }
    if (out.is.now.kind == ECI_STATE_WAITING && str_is_empty(out.is.now.reason)) {
        out.is.now.reason = str_of(waiting);
    }
    fill_terminated(&out.is.now, out.container_id);
    fill_terminated(&out.is.last, out.container_id);
    if (out.is.last.kind != ECI_STATE_TERMINATED) {
        out.is.last = (struct eci_state){0};
    }
    out.is.is_started = out.is.now.kind == ECI_STATE_RUNNING;
    out.is.is_ready = from->is_ready && out.is.is_started;
    return out;
}
