/* pod_fields.c - see pod_fields.h */
#include "spec/pod_fields.h"

#include "base/check.h"

#define NAME_BYTES_SHOWN 100 /* of a user's text inside a sentence */

enum treatment { USED, IGNORED, WARNED, REFUSED };

struct field {
    enum field_scope scope;
    const char *key;
    enum treatment treatment;
    const char *passes;
    const char *text;
};

static const struct field fields[] = {
#define SCOPE(name, title, unknown_text)
#define FIELD(scope, key, treatment, passes, text) \
    {FIELD_SCOPE_##scope, key, treatment, passes, text},
#include "spec/pod_fields.def"
#undef SCOPE
#undef FIELD
};

/* What is said of members that have no row. */
static const char *const unknown_texts[FIELD_SCOPE_COUNT] = {
#define SCOPE(name, title, unknown_text) [FIELD_SCOPE_##name] = unknown_text,
#define FIELD(scope, key, treatment, passes, text)
#include "spec/pod_fields.def"
#undef SCOPE
#undef FIELD
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct field *find_field(enum field_scope scope, json member);
static bool asks_nothing(const struct field *field, json value);
static bool is_among(const char *passes, str value);
static str shown_path(str path, json member, struct arena *arena);

void fields_check(enum field_scope scope, json object, str path, struct spec_verdict *verdict)
{
    CHECK((unsigned)scope < FIELD_SCOPE_COUNT);
    if (json_is_null(object)) {
        return;
    }
    if (json_type(object) != JSON_TYPE_OBJECT) {
        verdict_refuse(verdict, SPEC_NEVER, path, "must be an object");
        return;
    }
    for (json one = json_first(object); json_is_there(one); one = json_next(one)) {
        const struct field *field = find_field(scope, one);
        bool is_wanted = field == NULL || field->treatment == REFUSED || field->treatment == WARNED;

        if (!is_wanted || asks_nothing(field, one)) {
            continue;
        }
        str where = shown_path(path, one, verdict->arena);
        if (field != NULL && field->treatment == WARNED) {
            verdict_warn_once(verdict, where, field->text);
        } else {
            verdict_refuse(verdict, SPEC_NEVER, where, "%s",
                           field != NULL ? field->text : unknown_texts[scope]);
        }
    }
}

/* Where the table says what passes, false and 0 are values like any other. */
static bool asks_nothing(const struct field *field, json value)
{
    if (field == NULL || field->passes[0] == '\0') {
        return fields_is_empty(value);
    }
    bool is_value = json_type(value) == JSON_TYPE_BOOL || json_type(value) == JSON_TYPE_NUMBER;
    return (!is_value && fields_is_empty(value)) || is_among(field->passes, json_raw(value));
}

/* Init containers share the rows of containers, where they have none of their own. */
static const struct field *find_field(enum field_scope scope, json member)
{
    for (size_t i = 0; i < COUNT(fields); i++) {
        if (fields[i].scope == scope && json_key_is(member, fields[i].key)) {
            return &fields[i];
        }
    }
    return scope == FIELD_SCOPE_INIT ? find_field(FIELD_SCOPE_CONTAINER, member) : NULL;
}

bool fields_is_empty(json value)
{
    int64_t number = 1;

    switch (json_type(value)) {
    case JSON_TYPE_NONE:
    case JSON_TYPE_NULL:
        return true;
    case JSON_TYPE_BOOL:
        return !json_bool_or(value, true);
    case JSON_TYPE_NUMBER:
        return json_i64(value, &number) && number == 0;
    case JSON_TYPE_STRING:
        return json_text_is(value, "");
    case JSON_TYPE_ARRAY:
    case JSON_TYPE_OBJECT:
        return json_count(value) == 0;
    }
    return false;
}

/* Of JSON the bytes are compared: the API server writes its defaults without white space. */
static bool is_among(const char *passes, str value)
{
    str rest = str_of(passes), one;

    while (str_cut(&rest, '|', &one)) {
        if (str_eq(value, one)) {
            return true;
        }
    }
    return false;
}

/* "spec.hostNetwork"; keys that are no plain words (annotations, resources) in brackets. */
static str shown_path(str path, json member, struct arena *arena)
{
    str key = json_key(member, arena);
    str shown = str_sub(key, 0, NAME_BYTES_SHOWN);
    bool is_word = str_find_char(key, '.') < 0 && str_find_char(key, '/') < 0;

    return arena_fmt(arena, is_word ? "%.*s.%.*s" : "%.*s[%.*s]", STR_ARG(path), STR_ARG(shown));
}
