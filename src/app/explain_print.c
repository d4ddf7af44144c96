/* see explain.h: what `ecilet explain` says, for people and as JSON. */
#include "app/explain.h"

#include "app/connect.h"

/* Keys whose value is part of a request; a pod cannot be translated without those marked. */
static const struct place {
    const char *key;
    size_t offset; /* in struct spec_config */
    bool is_required;
} places[] = {
    {"ALIYUN_CLUSTERID", offsetof(struct spec_config, cluster_id), true},
    {"NODE_NAME", offsetof(struct spec_config, node_name), true},
    {"ECI_REGION", offsetof(struct spec_config, region_id), true},
    {"ECI_VSWITCH", offsetof(struct spec_config, vswitch_ids), false},
    {"ECI_SECURITY_GROUP", offsetof(struct spec_config, security_group_id), false},
};

#define PLACES (sizeof(places) / sizeof(places[0]))

static const char *const placeholders[PLACES] = {
    "<ALIYUN_CLUSTERID>", "<NODE_NAME>", "<ECI_REGION>", "<ECI_VSWITCH>", "<ECI_SECURITY_GROUP>"};

static const str *field_of(const struct spec_config *config, const struct place *place)
{
    return (const str *)(const void *)((const char *)config + place->offset);
}

uint32_t explain_config(const struct config *config, struct spec_config *out)
{
    uint32_t missing = 0;
    connect_spec(config, out);
    out->node_address = str_is_empty(config->vkubelet_pod_ip) ? S("<address of the node>")
                                                              : config->vkubelet_pod_ip;
    for (size_t i = 0; i < PLACES; i++) {
        str *field = (str *)(void *)((char *)out + places[i].offset);
        if (str_is_empty(*field)) {
            *field = str_of(placeholders[i]);
            missing++;
        }
    }
    return missing;
}

static bool is_placeholder(const struct spec_config *config, size_t place)
{
    return str_eq(*field_of(config, &places[place]), str_of(placeholders[place]));
}

void explain_put_placeholders(const struct spec_config *config, struct buf *out)
{
    bool is_first = true;
    for (size_t i = 0; i < PLACES; i++) {
        if (is_placeholder(config, i)) {
            buf_put_fmt(out, "%s%s", is_first ? "" : ", ", placeholders[i]);
            is_first = false;
        }
    }
}

/* ---- one pod --------------------------------------------------------------------------------- */

static const char *outcome_of(const struct explain_result *result)
{
    switch (result->err) {
    case ERR_OK:
        return "can run";
    case ERR_BUSY:
        return "has to wait";
    case ERR_UNSUPPORTED:
        return "cannot run";
    default:
        return err_text(result->err);
    }
}

/* Secrets stay hidden; what is made from the UID is not known yet. */
static str shown_value(const struct explain *explain, const struct explain_pod *pod,
                       const struct param *param)
{
    (void)explain;
    if (param->is_secret) {
        return S("******");
    }
    bool has_uid = str_find(pod->json_text, S("\"uid\":\"" EXPLAIN_UID "\"")) < 0;
    return !has_uid && str_eq(param->name, S("ClientToken")) ? S("<made from the pod's UID>")
                                                             : param->value;
}

static void put_size(struct explain *explain, const struct explain_result *result, struct buf *out)
{
    str types = params_find(&result->params, S("InstanceType"));
    str cpu = sizing_cpu_text(&explain->arena, result->size.cpu_milli);
    str gib = sizing_gib_text(&explain->arena, result->size.memory_bytes);

    if (result->size.cpu_milli > 0) {
        buf_put_fmt(out, "%.*s vCPU, %.*s GiB", STR_ARG(cpu), STR_ARG(gib));
    } else {
        buf_put_text(out, "an ECS type");
    }
    if (!str_is_empty(types)) {
        buf_put_fmt(out, "; the first that is in stock of %.*s", STR_ARG(types));
    }
}

static void put_remarks_text(struct explain *explain, const struct explain_pod *pod,
                             const char *title, const struct spec_remark *remarks, uint32_t count,
                             uint32_t lost)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_put_fmt(explain->out, "  %-8s line %u: ", title,
                    explain_line_of_path(explain, pod, remarks[i].where));
        if (remarks[i].reason != NULL) {
            buf_put_fmt(explain->out, "%s: ", remarks[i].reason);
        }
        buf_put(explain->out, remarks[i].where);
        buf_put_text(explain->out, ": ");
        buf_put(explain->out, remarks[i].what);
        buf_put_char(explain->out, '\n');
    }
    if (lost > 0) {
        buf_put_fmt(explain->out, "  %-8s and %u more\n", title, lost);
    }
}

static const char *way_of(const struct mutate_outcome *outcome)
{
    return !str_is_empty(outcome->selector) ? "a selector matches"
           : outcome->is_ours               ? "the pod chooses the node itself"
           : outcome->wants_burst           ? MUTATE_BURST " asks for it"
                                  : "no selector matches: it runs here only if it chooses the node";
}

/* Name by name, the selectors whose effects the pod gets. */
static bool next_effect(const struct explain *explain, const struct mutate_outcome *outcome,
                        uint32_t *at, str *name)
{
    while (*at < explain->profile->selectors_count) {
        uint32_t i = (*at)++;
        const struct profile_selector *one = &explain->profile->selectors[i];
        if ((outcome->effects >> i & 1) != 0 && one->annotations.count + one->labels.count > 0) {
            *name = one->name;
            return true;
        }
    }
    return false;
}

static void put_admission_text(struct explain *explain, const struct explain_admission *admission)
{
    const struct mutate_outcome *outcome = &admission->outcome;
    struct buf *out = explain->out;
    json patch = JSON_NONE;
    str name;
    if (explain->profile == NULL) {
        return;
    }
    buf_put_fmt(out, "  profile  %s%s", way_of(outcome),
                str_is_empty(outcome->selector) ? "" : ": ");
    buf_put(out, outcome->selector);
    buf_put_char(out, '\n');
    for (uint32_t at = 0; next_effect(explain, outcome, &at, &name);) {
        buf_put_fmt(out, "  profile  with the effect of %.*s\n", STR_ARG(name));
    }
    for (uint32_t i = 0; i < outcome->warnings_count; i++) {
        buf_put_fmt(out, "  profile  %.*s\n", STR_ARG(outcome->warnings[i]));
    }
    if (str_is_empty(admission->patch) ||
        json_parse(admission->patch, &explain->arena, &patch, NULL) != ERR_OK) {
        return;
    }
    for (json op = json_first(patch); json_is_there(op); op = json_next(op)) {
        buf_put_text(out, "  profile  adds ");
        buf_put(out, json_text(json_get(op, "path"), &explain->arena));
        buf_put_text(out, " = ");
        buf_put(out, json_raw(json_get(op, "value")));
        buf_put_char(out, '\n');
    }
}

static void print_pod_text(struct explain *explain, const struct explain_pod *pod,
                           const struct explain_result *result)
{
    struct buf *out = explain->out;
    const struct spec_verdict *verdict = &result->verdict;

    buf_put_fmt(out, "%s%s:%u: %.*s %.*s/%.*s: %s\n", explain->pods_count > 1 ? "\n" : "",
                explain->file, pod->line, STR_ARG(pod->kind), STR_ARG(pod->name_space),
                STR_ARG(pod->name), outcome_of(result));
    put_admission_text(explain, &result->admission);
    if (result->err == ERR_OK) {
        buf_put_text(out, "  billed   ");
        put_size(explain, result, out);
        buf_put_char(out, '\n');
    }
    put_remarks_text(explain, pod, "refused", verdict->refusals, verdict->refusals_count,
                     verdict->refusals_lost);
    put_remarks_text(explain, pod, "warning", verdict->warnings, verdict->warnings_count,
                     verdict->warnings_lost);
    for (uint32_t i = 0; result->err == ERR_OK && i < result->params.count; i++) {
        const struct param *param = &result->params.items[i];
        buf_put_text(out, "  ");
        buf_put(out, param->name);
        buf_put_text(out, " = ");
        json_put_escaped(out, shown_value(explain, pod, param));
        buf_put_char(out, '\n');
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_remarks_json(struct explain *explain, const struct explain_pod *pod,
                             const char *title, const struct spec_remark *remarks, uint32_t count,
                             uint32_t lost)
{
    char more[32];
    struct json_write *w = &explain->writer;
    json_member_array(w, title);
    for (uint32_t i = 0; i < count; i++) {
        json_object(w);
        json_member_i64(w, "line", explain_line_of_path(explain, pod, remarks[i].where));
        if (remarks[i].reason != NULL) {
            json_member_text(w, "reason", str_of(remarks[i].reason));
        }
        json_member_text(w, "where", remarks[i].where);
        json_member_text(w, "what", remarks[i].what);
        json_end(w);
    }
    json_end(w);
    (void)snprintf(more, sizeof(more), "%sMore", title);
    json_member_i64(w, more, lost);
}

static void put_admission_json(struct explain *explain, const struct explain_admission *admission)
{
    const struct mutate_outcome *outcome = &admission->outcome;
    struct json_write *w = &explain->writer;
    str name;
    if (explain->profile == NULL) {
        return;
    }
    json_member_object(w, "profile");
    json_member_text(w, "why", str_of(way_of(outcome)));
    json_member_text(w, "selector", outcome->selector);
    json_member_array(w, "effects");
    for (uint32_t at = 0; next_effect(explain, outcome, &at, &name);) {
        json_put_text(w, name);
    }
    json_end(w);
    json_member_array(w, "warnings");
    for (uint32_t i = 0; i < outcome->warnings_count; i++) {
        json_put_text(w, outcome->warnings[i]);
    }
    json_end(w);
    json_member_raw(w, "patch", str_is_empty(admission->patch) ? S("[]") : admission->patch);
    json_end(w);
}

static void put_request_json(struct explain *explain, const struct explain_pod *pod,
                             const struct explain_result *result)
{
    struct json_write *w = &explain->writer;
    json_member_object(w, "billed");
    if (result->size.cpu_milli > 0) {
        json_member_raw(w, "cpu", sizing_cpu_text(&explain->arena, result->size.cpu_milli));
        json_member_raw(w, "memoryGiB",
                        sizing_gib_text(&explain->arena, result->size.memory_bytes));
    }
    str types = params_find(&result->params, S("InstanceType"));
    if (!str_is_empty(types)) {
        json_member_text(w, "firstOf", types);
    }
    json_end(w);
    json_member_object(w, "request");
    for (uint32_t i = 0; i < result->params.count; i++) {
        const struct param *param = &result->params.items[i];
        json_key_put(w, param->name);
        json_put_text(w, shown_value(explain, pod, param));
    }
    json_end(w);
}

static void print_pod_json(struct explain *explain, const struct explain_pod *pod,
                           const struct explain_result *result)
{
    struct json_write *w = &explain->writer;
    const struct spec_verdict *verdict = &result->verdict;

    json_object(w);
    json_member_text(w, "file", str_of(explain->file));
    json_member_i64(w, "line", pod->line);
    json_member_text(w, "kind", pod->kind);
    json_member_text(w, "namespace", pod->name_space);
    json_member_text(w, "name", pod->name);
    json_member_bool(w, "canRun", result->err == ERR_OK);
    json_member_text(w, "outcome", str_of(outcome_of(result)));
    put_admission_json(explain, &result->admission);
    put_remarks_json(explain, pod, "refusals", verdict->refusals, verdict->refusals_count,
                     verdict->refusals_lost);
    put_remarks_json(explain, pod, "warnings", verdict->warnings, verdict->warnings_count,
                     verdict->warnings_lost);
    if (result->err == ERR_OK) {
        put_request_json(explain, pod, result);
    }
    json_end(w);
}

void explain_print_start(struct explain *explain)
{
    if (explain->wants_json) {
        json_write_init(&explain->writer, explain->out);
        json_object(&explain->writer);
        json_member_text(&explain->writer, "file", str_of(explain->file));
        json_member_array(&explain->writer, "placeholders");
        for (size_t i = 0; i < PLACES; i++) {
            if (is_placeholder(&explain->config, i)) {
                json_put_text(&explain->writer, str_of(places[i].key));
            }
        }
        json_end(&explain->writer);
        json_member_array(&explain->writer, "pods");
    }
}

static void print_pod(struct explain *explain, const struct explain_pod *pod,
                      const struct explain_result *result)
{
    if (explain->wants_json) {
        print_pod_json(explain, pod, result);
    } else {
        print_pod_text(explain, pod, result);
    }
}

void explain_print_pod(struct explain *explain, const struct explain_pod *pod,
                       struct explain_result *result)
{
    struct json_write writer = explain->writer;
    size_t before = explain->out->bytes;

    print_pod(explain, pod, result);
    if (result->err == ERR_OK && explain->arena.has_failed) { /* a size, a patch may be missing */
        result->err = ERR_FULL;
        explain->writer = writer;
        explain->out->bytes = before;
        print_pod(explain, pod, result);
    }
}

void explain_print_end(struct explain *explain, bool all_can_run)
{
    if (explain->wants_json) {
        json_end(&explain->writer);
        json_member_bool(&explain->writer, "allCanRun", all_can_run);
        json_end(&explain->writer);
        buf_put_char(explain->out, '\n');
    }
}
