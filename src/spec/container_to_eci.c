/*
 * container_to_eci.c - see container_to_eci.h
 *
 * Sent are the limits, not the requests: a container without limits may use the whole instance, as
 * one without limits may use its node. Requests only make the instance large enough.
 */
#include "spec/container_to_eci.h"

#include "spec/action_to_eci.h"

struct ways {
    const struct container_to_eci *one;
    struct params *params;
    struct spec_verdict *verdict;
    bool is_strict;
};

static void add_text(const struct ways *to, const char *name, str value);
static void add_flag(const struct ways *to, const char *name, bool is_set);
static void add_limits(const struct ways *to);
static void add_commands(const struct ways *to);
static void add_env(const struct ways *to);
static void add_ports(const struct ways *to);
static void add_mounts(const struct ways *to);
static void add_secret(struct params *params, str name, str value);
static void add_item(const struct ways *to, str value, const char *name, uint32_t number);
static bool is_eci_env_name(str name);
static size_t count_chars(str text);

void container_to_eci(const struct container_to_eci *one, const struct spec_config *config,
                      struct params *params, struct spec_verdict *verdict)
{
    const struct spec_container *from = one->from;
    const struct ways to = {one, params, verdict, config->is_strict};

    add_text(&to, "Name", from->name);
    add_text(&to, "Image", from->image);
    add_text(&to, "ImagePullPolicy", from->pull_policy);
    add_text(&to, "WorkingDir", from->working_dir);
    add_limits(&to);
    add_commands(&to);
    add_env(&to);
    add_ports(&to);
    add_mounts(&to);
    if (!one->is_init) { /* refused for init containers: CreateContainerGroup has no such rows */
        add_flag(&to, "Stdin", from->has_stdin);
        add_flag(&to, "StdinOnce", from->has_stdin_once);
        add_flag(&to, "Tty", from->has_tty);
    }
    if (!one->is_init) { /* refused too */
        actions_to_eci(from, one->prefix, params);
    }
    security_to_eci(&from->security, one->prefix, one->is_init, params);
    add_text(&to, "TerminationMessagePath", from->termination_path);
    add_text(&to, "TerminationMessagePolicy", from->termination_policy);
}

/* An empty text is the cloud's default and is not sent. */
static void add_text(const struct ways *to, const char *name, str value)
{
    if (!str_is_empty(value)) {
        params_add_at(to->params, value, "%.*s.%s", STR_ARG(to->one->prefix), name);
    }
}

static void add_flag(const struct ways *to, const char *name, bool is_set)
{
    if (is_set) {
        add_text(to, name, S("true"));
    }
}

static void add_limits(const struct ways *to)
{
    const struct spec_amount *cpu = &to->one->from->cpu;
    const struct spec_amount *memory = &to->one->from->memory;

    int64_t gpus = pod_spec_container_gpus(to->one->from);

    if (gpus > 0) { /* of the instance's type, which no limit makes smaller */
        add_text(to, "Gpu", arena_fmt(to->params->arena, "%lld", (long long)gpus));
    }
    if (!to->one->sends_limits) {
        return;
    }
    if (cpu->has_limit && cpu->limit_milli > 0) {
        add_text(to, "Cpu", sizing_cpu_text(to->params->arena, cpu->limit_milli));
    }
    if (memory->has_limit && memory->limit_milli > 0) {
        add_text(to, "Memory", sizing_gib_text(to->params->arena, memory->limit_milli / 1000));
    }
}

/*
 * The cloud takes 20 commands but only 10 args. What is executed is the one list followed by
 * the other, so when the pod sets `command`, surplus args go to the end of Command. With the
 * image's entry point there is no such way.
 */
static void add_commands(const struct ways *to)
{
    const struct spec_container *from = to->one->from;
    uint32_t surplus = from->args_count > ECI_ARGS_MAX ? from->args_count - ECI_ARGS_MAX : 0;
    uint32_t room =
        from->command_count < ECI_COMMANDS_MAX ? ECI_COMMANDS_MAX - from->command_count : 0;
    uint32_t moved = from->command_count == 0 ? 0 : surplus < room ? surplus : room;

    if (from->command_count > ECI_COMMANDS_MAX) {
        verdict_refuse(to->verdict, SPEC_NEVER, to->one->path,
                       "command has %u items, the cloud takes at most %u", from->command_count,
                       ECI_COMMANDS_MAX);
    }
    if (surplus > moved && to->is_strict) {
        verdict_refuse(to->verdict, SPEC_NEVER, to->one->path,
                       "args has %u items, the cloud takes at most %u", from->args_count,
                       ECI_ARGS_MAX);
    } else if (surplus > moved) {
        verdict_warn(to->verdict, to->one->path,
                     "args has %u items, the cloud documents at most %u; sent as it is",
                     from->args_count, ECI_ARGS_MAX);
    }
    for (uint32_t i = 0; i < from->command_count + moved; i++) {
        bool is_command = i < from->command_count;
        add_item(to, is_command ? from->command[i] : from->args[i - from->command_count], "Command",
                 i + 1);
    }
    for (uint32_t i = moved; i < from->args_count; i++) {
        add_item(to, from->args[i], "Arg", i - moved + 1);
    }
}

/* A name that is empty did not fit into the arena, which says so itself. */
static void add_secret(struct params *params, str name, str value)
{
    if (!str_is_empty(name)) {
        params_add_secret(params, name, value);
    }
}

/* One item of a list of texts, in which variables were replaced. */
static void add_item(const struct ways *to, str value, const char *name, uint32_t number)
{
    str whole = arena_fmt(to->params->arena, "%.*s.%s.%u", STR_ARG(to->one->prefix), name, number);

    if (to->one->from->has_secret_texts) {
        add_secret(to->params, whole, value);
    } else if (!str_is_empty(whole)) {
        params_add(to->params, whole, value);
    }
}

static void check_env(const struct ways *to, const struct spec_env *env)
{
    str shown = str_sub(env->name, 0, ECI_ENV_NAME_BYTES_MAX);
    size_t chars = count_chars(env->value);
    bool is_bad_name = !is_eci_env_name(env->name);

    if (!is_bad_name && chars <= ECI_ENV_VALUE_CHARS_MAX) {
        return;
    }
    str what =
        is_bad_name
            ? arena_fmt(to->verdict->arena,
                        "variable %.*s: the cloud documents names of 1 to %d letters, digits "
                        "and \"_\", not starting with a digit",
                        STR_ARG(shown), ECI_ENV_NAME_BYTES_MAX)
            : arena_fmt(to->verdict->arena,
                        "variable %.*s: its value has %zu characters, the cloud documents at "
                        "most %d",
                        STR_ARG(shown), chars, ECI_ENV_VALUE_CHARS_MAX);
    if (to->is_strict) {
        verdict_refuse(to->verdict, SPEC_NEVER, to->one->path, "%.*s", STR_ARG(what));
    } else {
        verdict_warn(to->verdict, to->one->path, "%.*s; sent as it is", STR_ARG(what));
    }
}

static void add_env(const struct ways *to)
{
    const struct spec_container *from = to->one->from;

    for (uint32_t i = 0; i < from->env_count; i++) {
        const struct spec_env *env = &from->env[i];
        str prefix =
            arena_fmt(to->params->arena, "%.*s.EnvironmentVar.%u", STR_ARG(to->one->prefix), i + 1);

        check_env(to, env);
        params_add_at(to->params, env->name, "%.*s.Key", STR_ARG(prefix));
        if (env->is_pod_ip) {
            params_add_at(to->params, S("status.podIP"), "%.*s.FieldRef.FieldPath",
                          STR_ARG(prefix));
        } else if (env->is_secret) {
            add_secret(to->params, arena_fmt(to->params->arena, "%.*s.Value", STR_ARG(prefix)),
                       env->value);
        } else {
            params_add_at(to->params, env->value, "%.*s.Value", STR_ARG(prefix));
        }
    }
}

static void add_ports(const struct ways *to)
{
    static const uint16_t reserved[] = {111, 10250, 10255}; /* eci-api 4.4 */
    const struct spec_container *from = to->one->from;

    for (uint32_t i = 0; i < from->ports_count; i++) {
        unsigned port = from->ports[i].port;
        for (size_t k = 0; k < sizeof reserved / sizeof reserved[0]; k++) {
            if (port == reserved[k]) {
                verdict_refuse(to->verdict, SPEC_NEVER, to->one->path,
                               "port %u is used by the instance itself (as are 111, 10250, 10255)",
                               port);
            }
        }
        params_add_at(to->params, arena_fmt(to->params->arena, "%u", port), "%.*s.Port.%u.Port",
                      STR_ARG(to->one->prefix), i + 1);
        params_add_at(to->params, from->ports[i].protocol, "%.*s.Port.%u.Protocol",
                      STR_ARG(to->one->prefix), i + 1);
    }
}

static void add_mounts(const struct ways *to)
{
    const struct spec_container *from = to->one->from;

    for (uint32_t i = 0; i < from->mounts_count; i++) {
        const struct spec_mount *mount = &from->mounts[i];
        str prefix =
            arena_fmt(to->params->arena, "%.*s.VolumeMount.%u", STR_ARG(to->one->prefix), i + 1);

        params_add_at(to->params, mount->volume, "%.*s.Name", STR_ARG(prefix));
        params_add_at(to->params, mount->path, "%.*s.MountPath", STR_ARG(prefix));
        if (mount->is_secret) {
            add_secret(to->params, arena_fmt(to->params->arena, "%.*s.SubPath", STR_ARG(prefix)),
                       mount->sub_path);
        } else if (!str_is_empty(mount->sub_path)) {
            params_add_at(to->params, mount->sub_path, "%.*s.SubPath", STR_ARG(prefix));
        }
        if (mount->is_read_only) {
            params_add_at(to->params, S("true"), "%.*s.ReadOnly", STR_ARG(prefix));
        }
        if (!str_is_empty(mount->propagation)) {
            params_add_at(to->params, mount->propagation, "%.*s.MountPropagation", STR_ARG(prefix));
        }
    }
}

static bool is_eci_env_name(str name)
{
    for (size_t i = 0; i < name.bytes; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && !(c >= '0' && c <= '9' && i > 0)) {
            return false;
        }
    }
    return name.bytes <= ECI_ENV_NAME_BYTES_MAX; /* none is empty: env_read.c */
}

/* UTF-8: every byte but the continuations begins a character. */
static size_t count_chars(str text)
{
    size_t chars = 0;

    for (size_t i = 0; i < text.bytes; i++) {
        chars += ((unsigned char)text.ptr[i] & 0xC0) != 0x80;
    }
    return chars;
}
