/* spec_read.c - typed members of a pod's JSON; see spec_read.h */
#include "spec/spec_read.h"

static void refuse_type(struct spec_read *read, const char *key, str path, const char *type)
{
    verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, key), "must be %s", type);
}

str spec_read_text(struct spec_read *read, json object, const char *key, str path)
{
    json value = json_get(object, key);

    if (json_is_there(value) && json_type(value) != JSON_TYPE_STRING) {
        refuse_type(read, key, path, "a text");
    }
    return json_text(value, read->arena);
}

int64_t spec_read_number(struct spec_read *read, json object, const char *key, str path,
                         int64_t otherwise)
{
    json value = json_get(object, key);
    int64_t number = otherwise;

    if (json_is_there(value) && !json_i64(value, &number)) {
        refuse_type(read, key, path, "a whole number");
    }
    return number;
}

bool spec_read_bool(struct spec_read *read, json object, const char *key, str path)
{
    json value = json_get(object, key);
    bool is_true = false;

    if (json_is_there(value) && !json_bool(value, &is_true)) {
        refuse_type(read, key, path, "true or false");
    }
    return is_true;
}

json spec_read_list(struct spec_read *read, json object, const char *key, str path)
{
    json value = json_get(object, key);

    if (json_is_there(value) && json_type(value) != JSON_TYPE_ARRAY) {
        refuse_type(read, key, path, "a list");
        return JSON_NONE;
    }
    if (json_count(value) > SPEC_LIST_MAX) {
        verdict_refuse(read->verdict, SPEC_NEVER, spec_path_key(read, path, key),
                       "has more than %u items", SPEC_LIST_MAX);
        return JSON_NONE;
    }
    return value;
}

const str *spec_read_texts(struct spec_read *read, json object, const char *key, str path,
                           uint32_t *count)
{
    json list = spec_read_list(read, object, key, path);
    uint32_t at = 0;

    *count = json_count(list);
    str *texts = *count > 0 ? ARENA_ARRAY(read->arena, *count, str) : NULL;
    if (texts == NULL) {
        *count = 0;
        return NULL;
    }
    for (json one = json_first(list); json_is_there(one); one = json_next(one), at++) {
        if (json_type(one) != JSON_TYPE_STRING) {
            verdict_refuse(read->verdict, SPEC_NEVER, spec_path_at(read, path, key, at),
                           "must be a text");
        }
        texts[at] = json_text(one, read->arena);
    }
    return texts;
}

struct spec_setting *spec_read_settings(struct spec_read *read, json object, const char *key,
                                        str path, enum field_scope scope, uint32_t *count)
{
    json list = spec_read_list(read, object, key, path);
    uint32_t most = json_count(list);
    struct spec_setting *settings =
        most > 0 ? ARENA_ARRAY(read->arena, most, struct spec_setting) : NULL;

    *count = 0;
    for (json one = json_first(list); settings != NULL && json_is_there(one);
         one = json_next(one)) {
        str here = spec_path_at(read, path, key, *count);

        fields_check(scope, one, here, read->verdict);
        settings[(*count)++] = (struct spec_setting){
            .name = spec_read_text(read, one, "name", here),
            .value = spec_read_text(read, one, "value", here),
        };
    }
    return settings;
}

bool spec_is_inner_path(str path)
{
    str rest = path, part;

    while (str_cut(&rest, '/', &part)) {
        if (str_eq(part, S(".."))) {
            return false;
        }
    }
    return !str_is_empty(path) && !str_starts(path, S("/"));
}

str spec_path_key(struct spec_read *read, str path, const char *key)
{
    return arena_fmt(read->arena, "%.*s.%s", STR_ARG(path), key);
}

str spec_path_at(struct spec_read *read, str path, const char *key, uint32_t at)
{
    return arena_fmt(read->arena, "%.*s.%s[%u]", STR_ARG(path), key, at);
}
