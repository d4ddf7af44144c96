/*
 * container_read.c - see container_read.h
 *
 * Each read_*() below reads one part; none stops at a refusal, so that all remarks are collected.
 */
#include "spec/container_read.h"

#include "spec/expand.h"
#include "spec/pod_fields.h"
#include "spec/quantity.h"

#define ENV_IGNORES_SIZE "__ECI_RESOURCE_IGNORE__" /* eci-api 4.3, 6.4 */
#define TEXT_BYTES_SHOWN 100

static void read_env(struct spec_read *read, json object, str path, struct spec_container *out);
static void add_env(struct spec_read *read, json one, str path, struct spec_env *env,
                    uint32_t *count);
static void read_ports(struct spec_read *read, json object, str path, struct spec_container *out);
static void read_mounts(struct spec_read *read, json object, str path, struct spec_container *out);
static void read_resources(struct spec_read *read, json object, str path,
                           struct spec_container *out);
static const str *read_expanded(struct spec_read *read, json object, const char *key, str path,
                                const struct spec_container *out, uint32_t *count);
static bool expand_or_refuse(struct spec_read *read, str text, const struct spec_env *env,
                             uint32_t env_count, str path, str *out);

void container_read(struct spec_read *read, json object, bool is_init, str path,
                    struct spec_container *out)
{
    str security_path = spec_path_key(read, path, "securityContext");

    fields_check(is_init ? FIELD_SCOPE_INIT : FIELD_SCOPE_CONTAINER, object, path, read->verdict);
    fields_check(FIELD_SCOPE_SECURITY, json_get(object, "securityContext"), security_path,
                 read->verdict);
    out->name = spec_read_text(read, object, "name", path);
    out->image = spec_read_text(read, object, "image", path);
    out->working_dir = spec_read_text(read, object, "workingDir", path);
    out->pull_policy = spec_read_text(read, object, "imagePullPolicy", path);
    out->termination_path = spec_read_text(read, object, "terminationMessagePath", path);
    out->termination_policy = spec_read_text(read, object, "terminationMessagePolicy", path);
    out->has_stdin = spec_read_bool(read, object, "stdin", path);
    out->has_stdin_once = spec_read_bool(read, object, "stdinOnce", path);
    out->has_tty = spec_read_bool(read, object, "tty", path);
    read_env(read, object, path, out);
    read_ports(read, object, path, out);
    read_mounts(read, object, path, out);
    read_resources(read, json_get(object, "resources"), spec_path_key(read, path, "resources"),
                   out);
    out->command = read_expanded(read, object, "command", path, out, &out->command_count);
    out->args = read_expanded(read, object, "args", path, out, &out->args_count);

    if (str_is_empty(out->name)) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, "name"), "is missing");
    }
    if (str_is_empty(out->image)) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, "image"), "is missing");
    }
    if (str_is_empty(out->pull_policy)) {
        out->pull_policy = pod_spec_pull_policy(out->image);
    }
}

/* In order, because a value may refer to the variables before it; the last of one name wins. */
static void read_env(struct spec_read *read, json object, str path, struct spec_container *out)
{
    json list = spec_read_list(read, object, "env", path);
    uint32_t count = json_count(list), at = 0;

    if (count > SPEC_ENV_MAX - read->env_count) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, "env"),
                       "the pod has more than %u variables", SPEC_ENV_MAX);
        return;
    }
    read->env_count += count;
    struct spec_env *env = count > 0 ? ARENA_ARRAY(read->arena, count, struct spec_env) : NULL;
    if (env == NULL) {
        return;
    }
    for (json one = json_first(list); json_is_there(one); one = json_next(one)) {
        add_env(read, one, spec_path_at(read, path, "env", at++), env, &out->env_count);
    }
    out->env = env;
    const struct spec_env *unsized = expand_find(env, out->env_count, S(ENV_IGNORES_SIZE));
    out->is_unsized = unsized != NULL && str_eq_nocase(unsized->value, S("true"));
}

static void add_env(struct spec_read *read, json one, str path, struct spec_env *env,
                    uint32_t *count)
{
    struct spec_env variable = {.name = spec_read_text(read, one, "name", path)};

    fields_check(FIELD_SCOPE_ENV, one, path, read->verdict);
    if (str_is_empty(variable.name)) {
        verdict_refuse(read->verdict, SPEC_NEVER, path, "a variable needs a name");
        return;
    }
    if (!expand_or_refuse(read, spec_read_text(read, one, "value", path), env, *count, path,
                          &variable.value)) {
        return;
    }
    const struct spec_env *same = expand_find(env, *count, variable.name);
    if (same != NULL) {
        env[same - env] = variable;
        return;
    }
    env[(*count)++] = variable;
}

static void read_ports(struct spec_read *read, json object, str path, struct spec_container *out)
{
    json list = spec_read_list(read, object, "ports", path);
    uint32_t count = json_count(list), at = 0;
    struct spec_port *ports = count > 0 ? ARENA_ARRAY(read->arena, count, struct spec_port) : NULL;

    if (ports == NULL) {
        return;
    }
    for (json one = json_first(list); json_is_there(one); one = json_next(one), at++) {
        str here = spec_path_at(read, path, "ports", at);
        int64_t port = spec_read_number(read, one, "containerPort", here, 0);

        fields_check(FIELD_SCOPE_PORT, one, here, read->verdict);
        if (port < 1 || port > UINT16_MAX) {
            verdict_refuse(read->verdict, SPEC_NEVER, here, "containerPort must be 1 to 65535");
            continue;
        }
        str protocol = spec_read_text(read, one, "protocol", here);
        ports[out->ports_count++] = (struct spec_port){
            .port = (uint16_t)port,
            .protocol = str_is_empty(protocol) ? S("TCP") : protocol,
            .name = spec_read_text(read, one, "name", here),
        };
    }
    out->ports = ports;
}

static void read_mounts(struct spec_read *read, json object, str path, struct spec_container *out)
{
    json list = spec_read_list(read, object, "volumeMounts", path);
    uint32_t count = json_count(list), at = 0;
    struct spec_mount *mounts =
        count > 0 ? ARENA_ARRAY(read->arena, count, struct spec_mount) : NULL;

    if (mounts == NULL) {
        return;
    }
    for (json one = json_first(list); json_is_there(one); one = json_next(one), at++) {
        str here = spec_path_at(read, path, "volumeMounts", at);
        struct spec_mount mount = {
            .volume = spec_read_text(read, one, "name", here),
            .path = spec_read_text(read, one, "mountPath", here),
            .sub_path = spec_read_text(read, one, "subPath", here),
            .is_read_only = spec_read_bool(read, one, "readOnly", here),
        };
        bool is_token =
            !str_is_empty(read->token_volume) && str_eq(mount.volume, read->token_volume);

        if (is_token && str_eq(mount.path, S(TOKEN_MOUNT_PATH))) {
            continue; /* left out with its volume, which has been warned about */
        }
        fields_check(FIELD_SCOPE_MOUNT, one, here, read->verdict);
        if (is_token) {
            verdict_refuse(read->verdict, SPEC_NEVER, here,
                           "the service account token is not provided");
        } else if (str_is_empty(mount.volume) || str_is_empty(mount.path)) {
            verdict_refuse(read->verdict, SPEC_NEVER, here, "a mount needs a name and a mountPath");
        }
        mounts[out->mounts_count++] = mount;
    }
    out->mounts = mounts;
}

static void read_amount(struct spec_read *read, json list, const char *resource, str path,
                        bool *is_there, int64_t *milli)
{
    json value = json_get(list, resource);
    bool is_number = json_type(value) == JSON_TYPE_NUMBER; /* Quantity takes both */
    str text = is_number ? json_raw(value) : json_text(value, read->arena);
    int64_t amount = 0;

    if (!json_is_there(value)) {
        return;
    }
    enum err err = quantity_parse_milli(text, &amount);
    if (err == ERR_TOO_BIG) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, resource),
                       "\"%.*s\" is larger than any instance",
                       STR_ARG(str_sub(text, 0, TEXT_BYTES_SHOWN)));
    } else if (err != ERR_OK || amount < 0) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, resource),
                       "\"%.*s\" is not a quantity", STR_ARG(str_sub(text, 0, TEXT_BYTES_SHOWN)));
    } else {
        *is_there = true;
        *milli = amount;
    }
}

static void read_resources(struct spec_read *read, json object, str path,
                           struct spec_container *out)
{
    static const char *const names[] = {"cpu", "memory", "ephemeral-storage"};
    struct spec_amount *const amounts[] = {&out->cpu, &out->memory, &out->ephemeral};
    json requests = json_get(object, "requests"), limits = json_get(object, "limits");
    str requests_path = spec_path_key(read, path, "requests");
    str limits_path = spec_path_key(read, path, "limits");

    fields_check(FIELD_SCOPE_RESOURCES, object, path, read->verdict);
    fields_check(FIELD_SCOPE_RESOURCE, requests, requests_path, read->verdict);
    fields_check(FIELD_SCOPE_RESOURCE, limits, limits_path, read->verdict);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        read_amount(read, requests, names[i], requests_path, &amounts[i]->has_request,
                    &amounts[i]->request_milli);
        read_amount(read, limits, names[i], limits_path, &amounts[i]->has_limit,
                    &amounts[i]->limit_milli);
    }
}

static const str *read_expanded(struct spec_read *read, json object, const char *key, str path,
                                const struct spec_container *out, uint32_t *count)
{
    const str *texts = spec_read_texts(read, object, key, path, count);
    str *expanded = *count > 0 ? ARENA_ARRAY(read->arena, *count, str) : NULL;

    if (expanded == NULL) {
        *count = 0;
        return NULL;
    }
    for (uint32_t i = 0; i < *count; i++) {
        (void)expand_or_refuse(read, texts[i], out->env, out->env_count,
                               spec_path_at(read, path, key, i), &expanded[i]);
    }
    return expanded;
}

static bool expand_or_refuse(struct spec_read *read, str text, const struct spec_env *env,
                             uint32_t env_count, str path, str *out)
{
    enum err err = expand_text(text, env, env_count, read->arena, out);

    if (err == ERR_TOO_BIG) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "more than %u bytes when its variables are replaced", EXPAND_BYTES_MAX);
    }
    return err == ERR_OK;
}
