/* see params.h */
#include "data/params.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/check.h"

#define NAME_BYTES_MAX 256 /* the longest name of the API has about 100 */

enum err params_init(struct params *params, struct arena *arena)
{
    *params =
        (struct params){.arena = arena, .items = ARENA_ARRAY(arena, PARAMS_MAX, struct param)};
    params->has_failed = params->items == NULL;
    return params->has_failed ? ERR_FULL : ERR_OK;
}

static void add(struct params *params, str name, str value, bool is_secret)
{
    CHECK(name.bytes > 0);
    if (params->has_failed || params->count == PARAMS_MAX) {
        params->has_failed = true;
        return;
    }
    struct param param = {arena_copy(params->arena, name), arena_copy(params->arena, value),
                          is_secret};
    if (param.name.ptr == NULL || param.value.ptr == NULL) {
        params->has_failed = true;
        return;
    }
    params->items[params->count++] = param;
}

void params_add(struct params *params, str name, str value)
{
    add(params, name, value, false);
}

void params_add_secret(struct params *params, str name, str value)
{
    add(params, name, value, true);
}

void params_add_i64(struct params *params, str name, int64_t value)
{
    char digits[24];
    struct buf text;
    buf_init(&text, digits, sizeof(digits));
    buf_put_i64(&text, value);
    add(params, name, buf_str(&text), false);
}

void params_add_bool(struct params *params, str name, bool value)
{
    add(params, name, value ? S("true") : S("false"), false);
}

void params_add_at(struct params *params, str value, const char *name_format, ...)
{
    char memory[NAME_BYTES_MAX];
    struct buf name;
    va_list args;
    buf_init(&name, memory, sizeof(memory));
    va_start(args, name_format);
    buf_put_vfmt(&name, name_format, args);
    va_end(args);
    if (!buf_ok(&name)) {
        params->has_failed = true;
        return;
    }
    add(params, buf_str(&name), value, false);
}

void params_set(struct params *params, str name, str value)
{
    for (uint32_t i = 0; i < params->count; i++) {
        if (str_eq(params->items[i].name, name)) {
            str copy = arena_copy(params->arena, value);
            params->has_failed = params->has_failed || copy.ptr == NULL;
            params->items[i].value = copy;
            return;
        }
    }
    add(params, name, value, false);
}

void params_drop(struct params *params, str prefix)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < params->count; i++) {
        if (!str_starts(params->items[i].name, prefix)) {
            params->items[kept++] = params->items[i];
        }
    }
    params->count = kept;
}

str params_find(const struct params *params, str name)
{
    for (uint32_t i = 0; i < params->count; i++) {
        if (str_eq(params->items[i].name, name)) {
            return params->items[i].value;
        }
    }
    return STR_NONE;
}
