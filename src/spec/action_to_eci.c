/*
 * action_to_eci.c - see action_to_eci.h
 *
 * The cloud writes probes with dots ("LivenessProbe.HttpGet.Port") and hooks in one word
 * ("LifecyclePreStopHandlerHttpGetPort"); so does the user, but not the capabilities.
 */
#include "spec/action_to_eci.h"

static void add_probe(const struct spec_probe *probe, bool is_secret, str prefix, const char *name,
                      struct params *params);
static void add_hook(const struct spec_action *hook, str prefix, const char *name,
                     struct params *params);

void actions_to_eci(const struct spec_container *from, str prefix, struct params *params)
{
    add_probe(&from->liveness, from->has_secret_texts, prefix, "LivenessProbe", params);
    add_probe(&from->readiness, from->has_secret_texts, prefix, "ReadinessProbe", params);
    add_hook(&from->post_start, prefix, "LifecyclePostStartHandler", params);
    add_hook(&from->pre_stop, prefix, "LifecyclePreStopHandler", params);
}

/* An empty text is the cloud's default and is not sent. */
static void add_text(struct params *params, str prefix, const char *name, str value)
{
    if (!str_is_empty(value)) {
        params_add_at(params, value, "%.*s%s", STR_ARG(prefix), name);
    }
}

/* Neither is 0. */
static void add_number(struct params *params, str prefix, const char *name, int64_t number)
{
    if (number > 0) {
        add_text(params, prefix, name, arena_fmt(params->arena, "%lld", (long long)number));
    }
}

static void add_command(struct params *params, const struct spec_action *action, bool is_secret,
                        str prefix, const char *name)
{
    for (uint32_t i = 0; i < action->command_count; i++) {
        str whole = arena_fmt(params->arena, "%.*s%s.%u", STR_ARG(prefix), name, i + 1);
        if (is_secret && !str_is_empty(whole)) {
            params_add_secret(params, whole, action->command[i]);
        } else if (!str_is_empty(whole)) {
            params_add(params, whole, action->command[i]);
        }
    }
}

static void add_probe(const struct spec_probe *probe, bool is_secret, str prefix, const char *name,
                      struct params *params)
{
    const struct spec_action *action = &probe->action;
    str here = arena_fmt(params->arena, "%.*s.%s.", STR_ARG(prefix), name);

    switch (action->kind) {
    case SPEC_ACTION_NONE:
        return;
    case SPEC_ACTION_EXEC:
        add_command(params, action, is_secret, here, "Exec.Command");
        break;
    case SPEC_ACTION_HTTP:
        add_text(params, here, "HttpGet.Path", action->path);
        add_number(params, here, "HttpGet.Port", action->port);
        add_text(params, here, "HttpGet.Scheme", action->scheme);
        break;
    case SPEC_ACTION_TCP:
        add_number(params, here, "TcpSocket.Port", action->port);
        break;
    }
    add_number(params, here, "InitialDelaySeconds", probe->initial_delay_s);
    add_number(params, here, "PeriodSeconds", probe->period_s);
    add_number(params, here, "TimeoutSeconds", probe->timeout_s);
    add_number(params, here, "SuccessThreshold", probe->success_count);
    add_number(params, here, "FailureThreshold", probe->failure_count);
}

static void add_hook(const struct spec_action *hook, str prefix, const char *name,
                     struct params *params)
{
    str here = arena_fmt(params->arena, "%.*s.%s", STR_ARG(prefix), name);

    switch (hook->kind) {
    case SPEC_ACTION_NONE:
        return;
    case SPEC_ACTION_EXEC:
        add_command(params, hook, false, here, "Exec");
        break;
    case SPEC_ACTION_HTTP:
        add_text(params, here, "HttpGetHost", hook->host);
        add_text(params, here, "HttpGetPath", hook->path);
        add_number(params, here, "HttpGetPort", hook->port);
        add_text(params, here, "HttpGetScheme", hook->scheme);
        for (uint32_t i = 0; i < hook->headers_count; i++) {
            params_add_at(params, hook->headers[i].name, "%.*sHttpGetHttpHeader.%u.Name",
                          STR_ARG(here), i + 1);
            params_add_at(params, hook->headers[i].value, "%.*sHttpGetHttpHeader.%u.Value",
                          STR_ARG(here), i + 1);
        }
        break;
    case SPEC_ACTION_TCP:
        add_text(params, here, "TcpSocketHost", hook->host);
        add_number(params, here, "TcpSocketPort", hook->port);
        break;
    }
}

void security_to_eci(const struct spec_security *from, str prefix, bool is_init,
                     struct params *params)
{
    for (uint32_t i = 0; i < from->capabilities_count; i++) {
        params_add_at(params, from->capabilities[i], "%.*s.SecurityContext.Capability.Add.%u",
                      STR_ARG(prefix), i + 1);
    }
    if (from->has_read_only_root) { /* false is the default, and not accepted as a value */
        add_text(params, prefix, ".SecurityContext.ReadOnlyRootFilesystem", S("true"));
    }
    if (from->has_user) { /* 0 is root, and asks for it */
        add_text(params, prefix, ".SecurityContext.RunAsUser",
                 arena_fmt(params->arena, "%lld", (long long)from->user));
    }
    if (from->has_group && !is_init) {
        add_text(params, prefix, ".SecurityContextRunAsGroup",
                 arena_fmt(params->arena, "%lld", (long long)from->group));
    }
    if (from->is_non_root && !is_init) {
        add_text(params, prefix, ".SecurityContextRunAsNonRoot", S("true"));
    }
}
