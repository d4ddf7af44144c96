/* annotation.c - see annotation.h: finding and checking. What becomes of the values is in
 * annotation_put.c and annotation_size.c. */
#include "spec/annotation.h"

#include "base/check.h"
#include "spec/annotation_form.h"
#include "spec/pod_to_eci.h"

#define KEY_BYTES_SHOWN 100

static const struct annotation_row rows[ANNOTATION_COUNT] = {
#define ANNOTATION(name, key, aliases, fate, form, low, high, words, parameters, otherwise, text) \
    [ANNOTATION_##name] = {key,                                                                   \
                           aliases,                                                               \
                           ANNOTATION_##fate,                                                     \
                           ANNOTATION_FORM_##form,                                                \
                           low,                                                                   \
                           high,                                                                  \
                           words,                                                                 \
                           parameters,                                                            \
                           otherwise,                                                             \
                           text},
#include "spec/annotations.def"
#undef ANNOTATION
};

static bool find_in_pod(json object, const char *name, struct annotation_value *value,
                        struct spec_verdict *verdict);
static bool find_in_effects(const struct annotation_row *row, const struct spec_pair *effects,
                            uint32_t count, struct annotation_value *value,
                            struct spec_verdict *verdict);
static bool row_has_name(const struct annotation_row *row, str name);
static void judge(const struct annotation_row *row, struct annotation_value *value,
                  struct spec_verdict *verdict);
static void warn_of_unknown(str key, str where, struct spec_verdict *verdict);
static str where_in_pod(str key, struct arena *arena);

const struct annotation_row *annotation_row(enum annotation annotation)
{
    CHECK((unsigned)annotation < ANNOTATION_COUNT);
    return &rows[annotation];
}

enum annotation annotation_find(str key)
{
    unsigned at = 0;
    while (at < ANNOTATION_COUNT && !row_has_name(&rows[at], key)) {
        at++;
    }
    return (enum annotation)at;
}

static bool row_has_name(const struct annotation_row *row, str name)
{
    str rest = str_of(row->aliases), alias;
    if (str_eq(name, str_of(row->key))) {
        return true;
    }
    while (str_cut(&rest, ' ', &alias)) {
        if (str_eq(name, alias)) {
            return true;
        }
    }
    return false;
}

void annotations_read(json object, const struct spec_pair *effects, uint32_t effects_count,
                      struct annotations *out, struct spec_verdict *verdict)
{
    *out = (struct annotations){0};
    for (unsigned i = 0; i < ANNOTATION_COUNT; i++) {
        struct annotation_value *value = &out->values[i];
        bool is_given = find_in_pod(object, rows[i].key, value, verdict);
        str rest = str_of(rows[i].aliases), alias;

        while (!is_given && str_cut(&rest, ' ', &alias)) {
            const char *name = arena_cstr(verdict->arena, alias);
            is_given = name != NULL && find_in_pod(object, name, value, verdict);
        }
        if (is_given || find_in_effects(&rows[i], effects, effects_count, value, verdict)) {
            judge(&rows[i], value, verdict);
        }
    }
    for (json one = json_first(object); json_is_there(one); one = json_next(one)) {
        str key = json_key(one, verdict->arena);
        warn_of_unknown(key, where_in_pod(key, verdict->arena), verdict);
    }
    for (uint32_t i = 0; i < effects_count; i++) {
        str where = arena_fmt(verdict->arena, "eci-profile[%.*s]", STR_ARG(effects[i].key));
        warn_of_unknown(effects[i].key, where, verdict);
    }
}

static str where_in_pod(str key, struct arena *arena)
{
    return arena_fmt(arena, "metadata.annotations[%.*s]",
                     STR_ARG(str_sub(key, 0, KEY_BYTES_SHOWN)));
}

/* True when the pod has it, empty or not: then the profile is not asked. */
static bool find_in_pod(json object, const char *name, struct annotation_value *value,
                        struct spec_verdict *verdict)
{
    json found = json_get(object, name);
    if (!json_is_there(found)) {
        return false;
    }
    value->where = where_in_pod(str_of(name), verdict->arena);
    if (json_type(found) != JSON_TYPE_STRING) {
        verdict_refuse(verdict, SPEC_NEVER, value->where, "must be a text: put it into quotes");
    }
    value->text = str_trim(json_text(found, verdict->arena));
    return true;
}

static bool find_in_effects(const struct annotation_row *row, const struct spec_pair *effects,
                            uint32_t count, struct annotation_value *value,
                            struct spec_verdict *verdict)
{
    for (uint32_t i = 0; i < count; i++) {
        if (row_has_name(row, effects[i].key)) {
            value->where = arena_fmt(verdict->arena, "eci-profile[%.*s]", STR_ARG(effects[i].key));
            value->text = str_trim(effects[i].value);
            return true;
        }
    }
    return false;
}

static void refuse_value(const struct annotation_row *row, str given, str where,
                         struct spec_verdict *verdict)
{
    char memory[1024];
    struct buf allowed;
    str shown = str_sub(given, 0, ANNOTATION_VALUE_BYTES_SHOWN);

    buf_init(&allowed, memory, sizeof(memory));
    annotation_put_allowed(row, &allowed);
    verdict_refuse(verdict, SPEC_NEVER, where, "\"%.*s\" is not allowed: must be %s",
                   STR_ARG(shown), buf_cstr(&allowed));
}

static void judge(const struct annotation_row *row, struct annotation_value *value,
                  struct spec_verdict *verdict)
{
    struct annotation_value given = *value;

    if (str_is_empty(given.text) || row->fate == ANNOTATION_WRITTEN) {
        return;
    }
    if (!annotation_form_fits(row, verdict->arena, value)) {
        *value = (struct annotation_value){.where = given.where};
        refuse_value(row, given.text, given.where, verdict);
        return;
    }
    bool asks = row->form != ANNOTATION_FORM_FLAG || value->number != 0;
    if (asks && row->fate == ANNOTATION_REFUSED) {
        verdict_refuse(verdict, SPEC_NEVER, value->where, "%s", row->text);
        return;
    }
    if (asks && row->fate == ANNOTATION_WARNED) {
        verdict_warn(verdict, value->where, "%s", row->text);
    }
    value->is_set = true;
}

static void warn_of_unknown(str key, str where, struct spec_verdict *verdict)
{
    if (str_starts(key, S("k8s.aliyun.com/")) && annotation_find(key) == ANNOTATION_COUNT) {
        verdict_warn(verdict, where, "not known to this version of ecilet, ignored");
    }
}

bool annotations_has(const struct annotations *asked, enum annotation annotation)
{
    const struct annotation_value *value = &asked->values[annotation];
    return value->is_set && (rows[annotation].form != ANNOTATION_FORM_FLAG || value->number != 0);
}

bool annotations_has_spot(const struct annotations *asked)
{
    const struct annotation_value *value = &asked->values[ANNOTATION_SPOT_STRATEGY];
    return value->is_set && !str_eq(value->text, S("NoSpot"));
}

/* "SpotAsPriceGo|BPG=BGP" for people: what is taken, not what it means. Of ids: how they begin, as
 * it stands ("tesla="). */
static void put_words(const struct annotation_row *row, struct buf *out)
{
    bool has_others = row->form == ANNOTATION_FORM_WORD;
    str rest = str_of(row->words), word;
    for (bool is_first = true; str_cut(&rest, '|', &word); is_first = false) {
        if (!has_others || str_find_char(word, '=') < 0) {
            buf_put_text(out, is_first ? "" : ", ");
            buf_put(out, word);
        }
    }
}

void annotation_put_allowed(const struct annotation_row *row, struct buf *out)
{
    static const char *const texts[ANNOTATION_FORM_COUNT] = {
#define X(name, text) [ANNOTATION_FORM_##name] = text,
        ANNOTATION_FORM_TABLE(X)
#undef X
    };
    str rest = str_of(texts[row->form]), piece;

    for (bool is_first = true; str_cut(&rest, '%', &piece); is_first = false) {
        if (!is_first && str_starts(piece, S("low"))) {
            buf_put_i64(out, row->low);
            piece = str_sub(piece, 3, piece.bytes);
        } else if (!is_first && str_starts(piece, S("high"))) {
            buf_put_i64(out, row->high);
            piece = str_sub(piece, 4, piece.bytes);
        } else if (!is_first) {
            CHECK(str_starts(piece, S("words"))); /* there are no others */
            put_words(row, out);
            piece = str_sub(piece, 5, piece.bytes);
        }
        buf_put(out, piece);
    }
}
