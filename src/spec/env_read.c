/* env_read.c - see env_read.h */
#include "spec/env_read.h"

#include "spec/downward.h"
#include "spec/expand.h"
#include "spec/pod_fields.h"
#include "spec/ref_read.h"

#define ENV_IGNORES_SIZE "__ECI_RESOURCE_IGNORE__" /* eci-api 4.3, 6.4 */
#define NAMES_BYTES_MAX 200                        /* of the names in one warning */

struct env_list {
    struct spec_env *items;
    uint32_t count;
    uint32_t most;
};

static uint32_t most_variables(struct spec_read *read, json env_from);
static const struct spec_ref *from_ref(struct spec_read *read, json source);
static void read_from(struct spec_read *read, json source, str path, struct env_list *list);
static void read_one(struct spec_read *read, json one, str path, struct env_list *list);
static bool read_value_from(struct spec_read *read, json from, str path, struct spec_env *out);
static void put(struct env_list *list, struct spec_env variable);

void env_read(struct spec_read *read, json container, str path, struct spec_container *out)
{
    json env = spec_read_list(read, container, "env", path);
    json env_from = spec_read_list(read, container, "envFrom", path);
    uint32_t at = 0;
    struct env_list list = {
        .most = json_count(env) + most_variables(read, env_from) + read->services_count};

    if (list.most > SPEC_ENV_MAX - read->env_count) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, "env"),
                       "the pod has more than %u variables", SPEC_ENV_MAX);
        return;
    }
    read->env_count += list.most;
    list.items = list.most > 0 ? ARENA_ARRAY(read->arena, list.most, struct spec_env) : NULL;
    for (uint32_t i = 0; list.items != NULL && i < read->services_count; i++) {
        put(&list, read->services[i]);
    }
    for (json one = json_first(env_from); json_is_there(one); one = json_next(one)) {
        read_from(read, one, spec_path_at(read, path, "envFrom", at++), &list);
    }
    at = 0;
    for (json one = json_first(env); json_is_there(one) && list.items != NULL;
         one = json_next(one)) {
        read_one(read, one, spec_path_at(read, path, "env", at++), &list);
    }
    out->env = list.items;
    out->env_count = list.count;
    const struct spec_env *unsized = expand_find(list.items, list.count, S(ENV_IGNORES_SIZE));
    out->is_unsized = unsized != NULL && str_eq_nocase(unsized->value, S("true"));
}

static uint32_t most_variables(struct spec_read *read, json env_from)
{
    uint32_t most = 0;

    for (json one = json_first(env_from); json_is_there(one); one = json_next(one)) {
        const struct spec_ref *ref = from_ref(read, one);
        most += ref != NULL ? json_count(json_get(ref->object, "data")) : 0;
        if (most > SPEC_ENV_MAX) {
            return most; /* enough to be refused */
        }
    }
    return most;
}

/* NULL when there is none. */
static const struct spec_ref *from_ref(struct spec_read *read, json source)
{
    json map = json_get(source, "configMapRef"), secret = json_get(source, "secretRef");
    bool is_map = json_is_there(map);
    str name = json_text(json_get(is_map ? map : secret, "name"), read->arena);

    return spec_refs_find(read->refs, is_map ? SPEC_REF_CONFIG_MAP : SPEC_REF_SECRET,
                          read->pod->facts.name_space, name);
}

static void put(struct env_list *list, struct spec_env variable)
{
    const struct spec_env *same = expand_find(list->items, list->count, variable.name);

    if (same != NULL) {
        list->items[same - list->items] = variable;
    } else if (list->count < list->most) {
        list->items[list->count++] = variable;
    }
}

/* IsEnvVarName: [-._a-zA-Z][-._a-zA-Z0-9]*, but neither "." nor anything that begins with "..". */
static bool is_env_name(str name)
{
    for (size_t i = 0; i < name.bytes; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_digit = c >= '0' && c <= '9';
        if (!is_letter && !(is_digit && i > 0) && c != '-' && c != '.' && c != '_') {
            return false;
        }
    }
    return name.bytes > 0 && !str_eq(name, S(".")) && !str_starts(name, S(".."));
}

static void read_keys(struct spec_read *read, const struct ref_use *use, json data, str prefix,
                      struct env_list *list)
{
    char memory[NAMES_BYTES_MAX];
    struct buf wrong;
    uint32_t wrong_count = 0;

    buf_init(&wrong, memory, sizeof memory);
    for (json one = json_first(data); json_is_there(one); one = json_next(one)) {
        str key = json_key(one, read->arena);
        struct spec_env variable = {
            .name = str_is_empty(prefix)
                        ? key
                        : arena_fmt(read->arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(key)),
            .value = json_text(one, read->arena),
            .is_secret = use->kind == SPEC_REF_SECRET,
        };
        if (!is_env_name(variable.name)) {
            buf_put_text(&wrong, wrong_count++ > 0 ? ", " : "");
            buf_put(&wrong, key);
        } else if (!variable.is_secret ||
                   ref_decode(read, use->path, variable.value, &variable.value)) {
            put(list, variable);
        }
    }
    if (wrong_count > 0) {
        verdict_warn_as(read->verdict, "InvalidEnvironmentVariableNames", use->path,
                        "%u keys are no names of variables and are left out: %.*s", wrong_count,
                        STR_ARG(buf_str(&wrong)));
    }
}

static void read_from(struct spec_read *read, json source, str path, struct env_list *list)
{
    bool is_map = json_is_there(json_get(source, "configMapRef"));
    const char *key = is_map ? "configMapRef" : "secretRef";
    json reference = json_get(source, key);
    str prefix = spec_read_text(read, source, "prefix", path);
    struct ref_use use = {
        .kind = is_map ? SPEC_REF_CONFIG_MAP : SPEC_REF_SECRET,
        .name_space = read->pod->facts.name_space,
        .path = spec_path_key(read, path, key),
    };

    fields_check(FIELD_SCOPE_ENV_FROM, source, path, read->verdict);
    fields_check(FIELD_SCOPE_ENV_OBJECT, reference, use.path, read->verdict);
    if (json_type(reference) != JSON_TYPE_OBJECT) {
        verdict_refuse(read->verdict, SPEC_NEVER, path, "needs a configMapRef or a secretRef");
        return;
    }
    use.name = spec_read_text(read, reference, "name", use.path);
    use.is_optional = spec_read_bool(read, reference, "optional", use.path);
    json object = ref_object(read, &use);
    if (list->items != NULL) {
        read_keys(read, &use, json_get(object, "data"), prefix, list);
    }
}

static void read_one(struct spec_read *read, json one, str path, struct env_list *list)
{
    struct spec_env variable = {.name = spec_read_text(read, one, "name", path)};
    str value = spec_read_text(read, one, "value", path);
    json from = json_get(one, "valueFrom");

    fields_check(FIELD_SCOPE_ENV, one, path, read->verdict);
    if (str_is_empty(variable.name)) {
        verdict_refuse(read->verdict, SPEC_NEVER, path, "a variable needs a name");
        return;
    }
    if (str_is_empty(value) && json_is_there(from)) {
        if (!read_value_from(read, from, spec_path_key(read, path, "valueFrom"), &variable)) {
            return;
        }
    } else {
        variable.is_secret = env_names_secret(value, list->items, list->count);
        if (!env_expand(read, value, list->items, list->count, path, &variable.value)) {
            return;
        }
    }
    put(list, variable);
}

static bool read_key(struct spec_read *read, json from, const char *key, enum spec_ref_kind kind,
                     str path, str *out)
{
    json selector = json_get(from, key);
    str here = spec_path_key(read, path, key);
    const struct ref_use use = {
        .kind = kind,
        .name_space = read->pod->facts.name_space,
        .name = spec_read_text(read, selector, "name", here),
        .is_optional = spec_read_bool(read, selector, "optional", here),
        .path = here,
    };

    fields_check(FIELD_SCOPE_KEY, selector, here, read->verdict);
    json object = ref_object(read, &use);
    return json_is_there(object) &&
           ref_value(read, &use, object, spec_read_text(read, selector, "key", here), false, out);
}

static bool read_value_from(struct spec_read *read, json from, str path, struct spec_env *out)
{
    fields_check(FIELD_SCOPE_ENV_SOURCE, from, path, read->verdict);
    if (json_is_there(json_get(from, "fieldRef"))) {
        return downward_field(read, json_get(from, "fieldRef"),
                              spec_path_key(read, path, "fieldRef"), &out->value, &out->is_pod_ip);
    }
    if (json_is_there(json_get(from, "resourceFieldRef"))) {
        return downward_resource(read, json_get(from, "resourceFieldRef"), read->container,
                                 spec_path_key(read, path, "resourceFieldRef"), &out->value);
    }
    if (json_is_there(json_get(from, "configMapKeyRef"))) {
        return read_key(read, from, "configMapKeyRef", SPEC_REF_CONFIG_MAP, path, &out->value);
    }
    if (json_is_there(json_get(from, "secretKeyRef"))) {
        out->is_secret = true;
        return read_key(read, from, "secretKeyRef", SPEC_REF_SECRET, path, &out->value);
    }
    return true; /* an empty object, as no value */
}

/* Is one of these variables named in the text, as $(NAME)? As expand.c reads it: $$ is no name. */
static bool names_any(str text, const struct spec_env *env, uint32_t env_count,
                      bool (*is_wanted)(const struct spec_env *env))
{
    str rest = text;

    for (ptrdiff_t at = str_find_char(rest, '$'); at >= 0; at = str_find_char(rest, '$')) {
        rest = str_sub(rest, (size_t)at + 1, rest.bytes);
        bool is_name = str_starts(rest, S("("));
        bool is_escape = str_starts(rest, S("$"));
        if (is_escape || is_name) {
            rest = str_sub(rest, 1, rest.bytes);
        }
        if (!is_name) {
            continue;
        }
        ptrdiff_t close = str_find_char(rest, ')');
        const struct spec_env *found =
            close < 0 ? NULL : expand_find(env, env_count, str_sub(rest, 0, (size_t)close));
        if (close < 0 || (found != NULL && is_wanted(found))) {
            return close >= 0;
        }
        rest = str_sub(rest, (size_t)close + 1, rest.bytes);
    }
    return false;
}

static bool is_secret(const struct spec_env *env)
{
    return env->is_secret;
}

static bool is_pod_ip(const struct spec_env *env)
{
    return env->is_pod_ip;
}

bool env_names_secret(str text, const struct spec_env *env, uint32_t env_count)
{
    return names_any(text, env, env_count, is_secret);
}

bool env_names_pod_ip(str text, const struct spec_env *env, uint32_t env_count)
{
    return names_any(text, env, env_count, is_pod_ip);
}

bool env_expand(struct spec_read *read, str text, const struct spec_env *env, uint32_t env_count,
                str path, str *out)
{
    enum err err = expand_text(text, env, env_count, read->arena, out);

    if (err == ERR_TOO_BIG) {
        verdict_refuse(read->verdict, SPEC_NEVER, path,
                       "more than %u bytes when its variables are replaced", EXPAND_BYTES_MAX);
    } else if (err == ERR_OK && env_names_pod_ip(text, env, env_count)) {
        verdict_warn(read->verdict, path,
                     "the pod's address is not known before the instance runs, so $(...) with it "
                     "stays as written; read the variable instead");
    }
    return err == ERR_OK;
}
