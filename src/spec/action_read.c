/* action_read.c - see action_read.h */
#include "spec/action_read.h"

#include "spec/container_read.h"
#include "spec/pod_fields.h"

/* The cloud can do more in hooks than in probes, so the members differ. */
struct scopes {
    enum field_scope http;
    enum field_scope tcp;
};

static const struct scopes probe_scopes = {FIELD_SCOPE_PROBE_HTTP, FIELD_SCOPE_PROBE_TCP};
static const struct scopes hook_scopes = {FIELD_SCOPE_HOOK_HTTP, FIELD_SCOPE_HOOK_TCP};

static void read_probe(struct spec_read *read, json container, const char *key, str path,
                       const struct spec_container *of, struct spec_probe *out);
static void read_hook(struct spec_read *read, json hooks, const char *key, str path,
                      const struct spec_container *of, struct spec_action *out);
static void read_action(struct spec_read *read, json object, const struct scopes *scopes, str path,
                        const struct spec_container *of, struct spec_action *out);
static void read_http(struct spec_read *read, json object, str path, struct spec_action *out);
static uint16_t read_port(struct spec_read *read, json object, str path,
                          const struct spec_container *of);

void actions_read(struct spec_read *read, json container, str path, struct spec_container *out)
{
    json hooks = json_get(container, "lifecycle");
    str hooks_path = spec_path_key(read, path, "lifecycle");

    read_probe(read, container, "livenessProbe", path, out, &out->liveness);
    read_probe(read, container, "readinessProbe", path, out, &out->readiness);
    fields_check(FIELD_SCOPE_HOOKS, hooks, hooks_path, read->verdict);
    read_hook(read, hooks, "postStart", hooks_path, out, &out->post_start);
    read_hook(read, hooks, "preStop", hooks_path, out, &out->pre_stop);
}

static int64_t read_count(struct spec_read *read, json object, const char *key, str path)
{
    int64_t number = spec_read_number(read, object, key, path, 0);

    if (number < 0) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, key),
                       "must not be negative");
    }
    return number;
}

static void read_probe(struct spec_read *read, json container, const char *key, str path,
                       const struct spec_container *of, struct spec_probe *out)
{
    json object = json_get(container, key);
    str here = spec_path_key(read, path, key);

    if (fields_is_empty(object)) {
        return;
    }
    fields_check(FIELD_SCOPE_PROBE, object, here, read->verdict);
    out->initial_delay_s = read_count(read, object, "initialDelaySeconds", here);
    out->period_s = read_count(read, object, "periodSeconds", here);
    out->timeout_s = read_count(read, object, "timeoutSeconds", here);
    out->success_count = json_i64_or(json_get(object, "successThreshold"), 0);
    out->failure_count = read_count(read, object, "failureThreshold", here);
    read_action(read, object, &probe_scopes, here, of, &out->action);
    if (out->action.kind == SPEC_ACTION_NONE && !json_is_there(json_get(object, "grpc")) &&
        json_type(object) == JSON_TYPE_OBJECT) {
        verdict_refuse(read->verdict, SPEC_NEVER, here, "needs exec, httpGet or tcpSocket");
    }
}

static void read_hook(struct spec_read *read, json hooks, const char *key, str path,
                      const struct spec_container *of, struct spec_action *out)
{
    json object = json_get(hooks, key);
    str here = spec_path_key(read, path, key);

    if (!fields_is_empty(object)) {
        fields_check(FIELD_SCOPE_HOOK, object, here, read->verdict);
        read_action(read, object, &hook_scopes, here, of, out);
    }
}

/* Exactly one of the three; the API server sees to it. */
static void read_action(struct spec_read *read, json object, const struct scopes *scopes, str path,
                        const struct spec_container *of, struct spec_action *out)
{
    json exec = json_get(object, "exec"), http = json_get(object, "httpGet"),
         tcp = json_get(object, "tcpSocket");
    unsigned count = (unsigned)json_is_there(exec) + (unsigned)json_is_there(http) +
                     (unsigned)json_is_there(tcp);

    if (count > 1) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "exec, httpGet and tcpSocket exclude each other");
    } else if (json_is_there(exec)) {
        str here = spec_path_key(read, path, "exec");
        out->kind = SPEC_ACTION_EXEC;
        fields_check(FIELD_SCOPE_EXEC, exec, here, read->verdict);
        /* Probes have the container's variables replaced (ExpandContainerCommandOnlyStatic), hooks
         * have not. */
        out->command =
            scopes == &probe_scopes
                ? container_read_expanded(read, exec, "command", here, of, &out->command_count)
                : spec_read_texts(read, exec, "command", here, &out->command_count);
        if (out->command_count == 0) {
            verdict_refuse(read->verdict, SPEC_NEVER, here, "needs a command");
        }
    } else if (json_is_there(http)) {
        str here = spec_path_key(read, path, "httpGet");
        out->kind = SPEC_ACTION_HTTP;
        fields_check(scopes->http, http, here, read->verdict);
        out->port = read_port(read, http, here, of);
        read_http(read, http, here, out);
    } else if (json_is_there(tcp)) {
        str here = spec_path_key(read, path, "tcpSocket");
        out->kind = SPEC_ACTION_TCP;
        fields_check(scopes->tcp, tcp, here, read->verdict);
        out->port = read_port(read, tcp, here, of);
        out->host = spec_read_text(read, tcp, "host", here);
    }
}

static void read_http(struct spec_read *read, json object, str path, struct spec_action *out)
{
    out->path = spec_read_text(read, object, "path", path);
    out->host = spec_read_text(read, object, "host", path);
    out->scheme = spec_read_text(read, object, "scheme", path);
    if (!str_is_empty(out->scheme) && !str_eq(out->scheme, S("HTTP")) &&
        !str_eq(out->scheme, S("HTTPS"))) {
        verdict_refuse(read->verdict, SPEC_NEVER, path, "its scheme must be HTTP or HTTPS");
    }
    out->headers = spec_read_settings(read, object, "httpHeaders", path, FIELD_SCOPE_HEADER,
                                      &out->headers_count);
}

/* A number, a number as text, or the name of a port of the container. 0 with a refusal. */
static uint16_t read_port(struct spec_read *read, json object, str path,
                          const struct spec_container *of)
{
    json value = json_get(object, "port");
    str name = json_text(value, read->arena);
    int64_t port = 0;

    for (uint32_t i = 0; i < of->ports_count && !str_is_empty(name); i++) {
        if (str_eq(of->ports[i].name, name)) {
            return of->ports[i].port;
        }
    }
    if (!json_i64(value, &port)) {
        (void)str_to_i64(name, &port);
    }
    if (port < 1 || port > UINT16_MAX) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "its port must be 1 to 65535 or the name of a port of the container");
        return 0;
    }
    return (uint16_t)port;
}
