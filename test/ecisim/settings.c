/* see settings.h */
#include "settings.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum type { TEXT, LONG, REAL, BOOL };
enum when { FIXED, LIVE };

struct row {
    const char *name;
    enum type type;
    const char *text; /* default of a TEXT */
    double number;    /* default of the others */
    enum when when;
    const char *help;
    size_t offset;
};

#define DEFAULT_TEXT(x) .text = x
#define DEFAULT_LONG(x) .number = x
#define DEFAULT_REAL(x) .number = x
#define DEFAULT_BOOL(x) .number = x

static const struct row rows[] = {
#define SETTING(name_, type_, initial_, when_, help_)                          \
    { .name = #name_, .type = type_, DEFAULT_##type_(initial_), .when = when_, \
      .help = help_, .offset = offsetof(struct settings, name_) },
#include "settings.def"
#undef SETTING
};

#define ROW_COUNT (sizeof rows / sizeof rows[0])

struct settings settings;

/* settings_keep() */
static struct arena kept_arena;
static struct node *kept;

static void *place_of(const struct row *row)
{
    return (char *)&settings + row->offset;
}

static void put_text(const struct row *row, const char *text)
{
    char **place = place_of(row);
    char *copy = text_copy(text); /* text may be the old value */
    free(*place);
    *place = copy;
}

void settings_start(void)
{
    for (size_t at = 0; at < ROW_COUNT; at++) {
        const struct row *row = &rows[at];
        if (row->type == TEXT) {
            put_text(row, row->text);
        } else if (row->type == REAL) {
            *(double *)place_of(row) = row->number;
        } else {
            *(long long *)place_of(row) = (long long)row->number;
        }
    }
}

void settings_free(void)
{
    arena_free(&kept_arena);
    for (size_t at = 0; at < ROW_COUNT; at++) {
        if (rows[at].type == TEXT) {
            char **place = place_of(&rows[at]);
            free(*place);
            *place = NULL;
        }
    }
}

/* "scheduling-ms" is "scheduling_ms". */
static const struct row *find_row(const char *name)
{
    for (size_t at = 0; at < ROW_COUNT; at++) {
        const char *mine = rows[at].name;
        const char *its = name;
        while (*mine != '\0' && (*its == *mine || (*its == '-' && *mine == '_'))) {
            mine++;
            its++;
        }
        if (*mine == '\0' && *its == '\0') {
            return &rows[at];
        }
    }
    return NULL;
}

bool settings_is_bool(const char *name)
{
    const struct row *row = find_row(name);
    return row != NULL && row->type == BOOL;
}

const char *settings_put(const char *name, const char *value, bool is_live)
{
    const struct row *row = find_row(name);
    if (row == NULL) {
        return "no such setting";
    }
    if (is_live && row->when == FIXED) {
        return "cannot be changed while ecisim runs";
    }
    if (value == NULL) {
        return "a value is missing";
    }
    switch (row->type) {
    case TEXT:
        put_text(row, value);
        return NULL;
    case LONG:
        return text_to_long(value, place_of(row)) ? NULL : "not a whole number";
    case REAL:
        return text_to_double(value, place_of(row)) ? NULL : "not a number";
    case BOOL:
        if (!text_is_any(value, "true|false|1|0")) {
            return "neither true nor false";
        }
        *(long long *)place_of(row) = text_is_any(value, "true|1");
        return NULL;
    }
    return "no such type";
}

void settings_help(void)
{
    for (size_t at = 0; at < ROW_COUNT; at++) {
        const struct row *row = &rows[at];
        char option[64];
        snprintf(option, sizeof option, "--%s%s", row->name, row->type == BOOL ? "" : " X");
        for (char *dash = option; *dash != '\0'; dash++) {
            *dash = *dash == '_' ? '-' : *dash;
        }
        printf("  %-31s %s", option, row->help);
        if (row->type == TEXT && row->text[0] != '\0') {
            printf(" [%s]", row->text);
        } else if (row->type == LONG || row->type == REAL) {
            printf(" [%.10g]", row->number);
        }
        printf("\n");
    }
}

void settings_write(struct jw *jw)
{
    for (size_t at = 0; at < ROW_COUNT; at++) {
        const struct row *row = &rows[at];
        jw_key(jw, row->name);
        switch (row->type) {
        case TEXT:
            jw_text(jw, *(char **)place_of(row));
            break;
        case LONG:
            jw_long(jw, *(long long *)place_of(row));
            break;
        case REAL:
            jw_double(jw, *(double *)place_of(row));
            break;
        case BOOL:
            jw_bool(jw, *(long long *)place_of(row) != 0);
            break;
        }
    }
}

/* ---- the values of the start ----------------------------------------------------------------- */

void settings_keep(void)
{
    struct jw jw = {0};
    jw_open(&jw, '{');
    settings_write(&jw);
    jw_close(&jw, '}');
    arena_free(&kept_arena);
    kept = json_read(&kept_arena, jw.out.data);
    buf_free(&jw.out);
}

void settings_restore(void)
{
    for (const struct node *item = kept->first; item != NULL; item = item->next) {
        (void)settings_put(item->name, item->value, true); /* the fixed ones refuse: good */
    }
}
