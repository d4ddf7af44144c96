/* status_parts.c - see status_parts.h */
#include "spec/status_parts.h"

#include "base/check.h"
#include "spec/address.h"

static const char *const condition_names[POD_CONDITION_COUNT] = {
#define X(name, text) [POD_CONDITION_##name] = text,
    POD_CONDITION_TABLE(X)
#undef X
};

void status_add_condition(struct pod_status *out, const struct pod_status_input *input,
                          enum pod_condition_type type, struct status_claim claim)
{
    const struct pod_status_past *past = input->past;
    bool is_same = past->condition[type] == (claim.is_true ? 'T' : 'F');
    int64_t since_s = claim.since_s > 0 ? claim.since_s : input->now_s;

    CHECK(out->conditions_count < POD_CONDITIONS_MAX);
    if (is_same && past->changed_at_s[type] > 0) {
        since_s = past->changed_at_s[type];
    }
    out->conditions[out->conditions_count++] = (struct pod_condition){
        .type = status_condition_name(type),
        .status = claim.is_true ? S("True") : S("False"),
        .reason = claim.reason,
        .message = claim.message,
        .changed_at_s = since_s,
    };
}

str status_condition_name(enum pod_condition_type type)
{
    CHECK((unsigned)type < POD_CONDITION_COUNT);
    return str_of(condition_names[type]);
}

enum pod_condition_type status_condition_find(str name)
{
    for (unsigned i = 0; i < POD_CONDITION_COUNT; i++) {
        if (str_eq(name, str_of(condition_names[i]))) {
            return (enum pod_condition_type)i;
        }
    }
    return POD_CONDITION_COUNT;
}

enum pod_phase status_phase_after(enum pod_phase past, enum pod_phase next)
{
    if (pod_phase_is_terminal(past)) {
        return past;
    }
    return past > next ? past : next;
}

void status_keep_known(struct pod_status *out, const struct pod_status_input *input)
{
    const struct pod_status_past *past = input->past;

    if (past->started_at_s > 0) {
        out->started_at_s = past->started_at_s;
    } else if (out->started_at_s <= 0) {
        out->started_at_s = input->now_s;
    }
    bool has_none = out->pod_ips_count == 0;
    for (unsigned i = 0; has_none && i < POD_IPS_MAX; i++) {
        status_add_address(out, str_of(past->pod_ips[i]));
    }
}

void status_add_address(struct pod_status *out, str address)
{
    enum address_family family = address_family(address);

    if (family == ADDRESS_NONE || out->pod_ips_count == POD_IPS_MAX) {
        return;
    }
    if (out->pod_ips_count == 1 && address_family(out->pod_ips[0]) == family) {
        return;
    }
    out->pod_ips[out->pod_ips_count++] = address;
}
