/*
 * container_read.c - see container_read.h
 *
 * Each read_*() below reads one part; none stops at a refusal, so that all remarks are collected.
 */
#include "spec/container_read.h"

#include "spec/action_read.h"
#include "spec/env_read.h"
#include "spec/pod_fields.h"
#include "spec/quantity.h"
#include "spec/security_read.h"

#define TEXT_BYTES_SHOWN 100
#define RESOURCE_GPU "nvidia.com/gpu"

static void read_ports(struct spec_read *read, json object, str path, struct spec_container *out);
static void read_mounts(struct spec_read *read, json object, str path, struct spec_container *out);
static str read_sub_path(struct spec_read *read, json mount, str path,
                         const struct spec_container *out);
static str read_propagation(struct spec_read *read, json mount, str path);
static const struct spec_volume *find_volume(const struct spec_read *read, str name);

void container_read(struct spec_read *read, json object, bool is_init, str path,
                    struct spec_container *out)
{
    fields_check(is_init ? FIELD_SCOPE_INIT : FIELD_SCOPE_CONTAINER, object, path, read->verdict);
    security_read(read, json_get(object, "securityContext"), is_init,
                  spec_path_key(read, path, "securityContext"), &out->security);
    read->container = out;
    read->has_secret_texts = false;
    out->image = spec_read_text(read, object, "image", path);
    out->working_dir = spec_read_text(read, object, "workingDir", path);
    out->pull_policy = spec_read_text(read, object, "imagePullPolicy", path);
    out->termination_path = spec_read_text(read, object, "terminationMessagePath", path);
    out->termination_policy = spec_read_text(read, object, "terminationMessagePolicy", path);
    out->has_stdin = spec_read_bool(read, object, "stdin", path);
    out->has_stdin_once = spec_read_bool(read, object, "stdinOnce", path);
    out->has_tty = spec_read_bool(read, object, "tty", path);
    env_read(read, object, path, out);
    read_ports(read, object, path, out);
    read_mounts(read, object, path, out);
    out->command = container_read_expanded(read, object, "command", path, out, &out->command_count);
    out->args = container_read_expanded(read, object, "args", path, out, &out->args_count);
    if (!is_init) { /* refused for init containers */
        actions_read(read, object, path, out);
    }
    out->has_secret_texts = read->has_secret_texts;
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
            .is_read_only = spec_read_bool(read, one, "readOnly", here),
        };

        if (!str_is_empty(read->token_volume) && str_eq(mount.volume, read->token_volume)) {
            continue; /* left out with its volume, which has been warned about */
        }
        fields_check(FIELD_SCOPE_MOUNT, one, here, read->verdict);
        mount.sub_path = read_sub_path(read, one, here, out);
        mount.is_secret = env_names_secret(json_text(json_get(one, "subPathExpr"), read->arena),
                                           out->env, out->env_count);
        mount.propagation = read_propagation(read, one, here);
        const struct spec_volume *volume = find_volume(read, mount.volume);
        mount.is_read_only |= volume != NULL && volume->is_read_only;
        if (str_is_empty(mount.volume) || str_is_empty(mount.path)) {
            verdict_refuse(read->verdict, SPEC_NEVER, here, "a mount needs a name and a mountPath");
        } else if (volume == NULL) {
            verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, here, "name"),
                           "there is no volume \"%.*s\"",
                           STR_ARG(str_sub(mount.volume, 0, TEXT_BYTES_SHOWN)));
        }
        mounts[out->mounts_count++] = mount;
    }
    out->mounts = mounts;
}

/* subPath, or subPathExpr with the variables of the container in it. */
static str read_sub_path(struct spec_read *read, json mount, str path,
                         const struct spec_container *out)
{
    str sub_path = spec_read_text(read, mount, "subPath", path);
    str expression = spec_read_text(read, mount, "subPathExpr", path);

    if (!str_is_empty(expression)) {
        if (!str_is_empty(sub_path)) {
            verdict_refuse(read->verdict, SPEC_NEVER, path,
                           "subPath and subPathExpr exclude each other");
        }
        (void)env_expand(read, expression, out->env, out->env_count, path, &sub_path);
        if (str_find(sub_path, S("$(")) >= 0) {
            verdict_refuse(read->verdict, SPEC_NEVER, path,
                           "subPathExpr names a variable that has no value");
        }
    }
    if (!str_is_empty(sub_path) && !spec_is_inner_path(sub_path)) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "the path inside of a volume must be relative and without \"..\"");
    }
    return sub_path;
}

/* Empty for None, which is the default. */
static str read_propagation(struct spec_read *read, json mount, str path)
{
    str text = spec_read_text(read, mount, "mountPropagation", path);

    if (str_is_empty(text) || str_eq(text, S("None"))) {
        return STR_NONE;
    }
    if (!str_eq(text, S("HostToContainer")) && !str_eq(text, S("Bidirectional"))) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, "mountPropagation"),
                       "must be None, HostToContainer or Bidirectional");
    }
    return text;
}

static const struct spec_volume *find_volume(const struct spec_read *read, str name)
{
    for (uint32_t i = 0; i < read->pod->volumes_count; i++) {
        if (str_eq(read->pod->volumes[i].name, name)) {
            return &read->pod->volumes[i];
        }
    }
    return NULL;
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
    bool is_gpu = strcmp(resource, RESOURCE_GPU) == 0;
    str where = is_gpu ? arena_fmt(read->arena, "%.*s[%s]", STR_ARG(path), resource)
                       : spec_path_key(read, path, resource);
    str shown = str_sub(text, 0, TEXT_BYTES_SHOWN);
    enum err err = quantity_parse_milli(text, &amount);
    if (err == ERR_TOO_BIG) {
        verdict_refuse(read->verdict, SPEC_NEVER, where, "\"%.*s\" is larger than any instance",
                       STR_ARG(shown));
    } else if (err != ERR_OK || amount < 0) {
        verdict_refuse(read->verdict, SPEC_NEVER, where, "\"%.*s\" is not a quantity",
                       STR_ARG(shown));
    } else if (is_gpu && amount % 1000 != 0) {
        verdict_refuse(read->verdict, SPEC_NEVER, where, "\"%.*s\" is not a whole number of GPUs",
                       STR_ARG(shown));
    } else {
        *is_there = true;
        *milli = amount;
    }
}

void container_read_size(struct spec_read *read, json container, str container_path,
                         struct spec_container *out)
{
    json object = json_get(container, "resources");
    str path = spec_path_key(read, container_path, "resources");
    static const char *const names[] = {"cpu", "memory", "ephemeral-storage", RESOURCE_GPU};
    struct spec_amount *const amounts[] = {&out->cpu, &out->memory, &out->ephemeral, &out->gpu};
    json requests = json_get(object, "requests"), limits = json_get(object, "limits");
    str requests_path = spec_path_key(read, path, "requests");
    str limits_path = spec_path_key(read, path, "limits");

    out->name = spec_read_text(read, container, "name", container_path);
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

const str *container_read_expanded(struct spec_read *read, json object, const char *key, str path,
                                   const struct spec_container *out, uint32_t *count)
{
    const str *texts = spec_read_texts(read, object, key, path, count);
    str *expanded = *count > 0 ? ARENA_ARRAY(read->arena, *count, str) : NULL;

    if (expanded == NULL) {
        *count = 0;
        return NULL;
    }
    for (uint32_t i = 0; i < *count; i++) {
        (void)env_expand(read, texts[i], out->env, out->env_count, spec_path_at(read, path, key, i),
                         &expanded[i]);
        read->has_secret_texts |= env_names_secret(texts[i], out->env, out->env_count);
    }
    return expanded;
}
