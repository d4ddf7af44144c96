/* verdict.c - see verdict.h */
#include "spec/verdict.h"

#include <stdarg.h>

#include "base/check.h"
#include "base/codec.h"

static void refuse(struct spec_verdict *verdict, enum spec_answer answer, const char *reason,
                   str where, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));
static void warn(struct spec_verdict *verdict, const char *reason, str where, const char *format,
                 va_list args) __attribute__((format(printf, 4, 0)));
static str format_text(struct arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

void verdict_init(struct spec_verdict *verdict, struct arena *arena)
{
    *verdict = (struct spec_verdict){.arena = arena};
}

static void refuse(struct spec_verdict *verdict, enum spec_answer answer, const char *reason,
                   str where, const char *format, va_list args)
{
    CHECK(answer != SPEC_GO);
    if (answer > verdict->answer) {
        verdict->answer = answer;
    }
    if (verdict->refusals_count == SPEC_REFUSALS_MAX) {
        verdict->refusals_lost++;
        return;
    }
    str what = format_text(verdict->arena, format, args);
    verdict->refusals[verdict->refusals_count++] = (struct spec_remark){where, what, reason};
}

static void warn(struct spec_verdict *verdict, const char *reason, str where, const char *format,
                 va_list args)
{
    if (verdict->warnings_count == SPEC_WARNINGS_MAX) {
        verdict->warnings_lost++;
        return;
    }
    str what = format_text(verdict->arena, format, args);
    verdict->warnings[verdict->warnings_count++] = (struct spec_remark){where, what, reason};
}

void verdict_refuse(struct spec_verdict *verdict, enum spec_answer answer, str where,
                    const char *format, ...)
{
    va_list args;

    va_start(args, format);
    refuse(verdict, answer, NULL, where, format, args);
    va_end(args);
}

void verdict_refuse_as(struct spec_verdict *verdict, enum spec_answer answer, const char *reason,
                       str where, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    refuse(verdict, answer, reason, where, format, args);
    va_end(args);
}

void verdict_warn(struct spec_verdict *verdict, str where, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    warn(verdict, NULL, where, format, args);
    va_end(args);
}

static str last_name(str where)
{
    size_t from = where.bytes;
    while (from > 0 && where.ptr[from - 1] != '.') {
        from--;
    }
    return str_sub(where, from, where.bytes);
}

void verdict_warn_once(struct spec_verdict *verdict, str where, const char *what)
{
    for (uint32_t i = 0; i < verdict->warnings_count; i++) {
        const struct spec_remark *one = &verdict->warnings[i];
        if (str_eq(one->what, str_of(what)) && str_eq(last_name(one->where), last_name(where))) {
            return;
        }
    }
    verdict_warn(verdict, where, "%s", what);
}

void verdict_warn_as(struct spec_verdict *verdict, const char *reason, str where,
                     const char *format, ...)
{
    va_list args;

    va_start(args, format);
    warn(verdict, reason, where, format, args);
    va_end(args);
}

/* Straight into the free end of the arena; a text that does not fit fails the arena as any take. */
static str format_text(struct arena *arena, const char *format, va_list args)
{
    size_t bytes = 0;
    char *room = arena_rest(arena, &bytes);
    struct buf text;
    buf_init(&text, room, bytes);
    buf_put_vfmt(&text, format, args);
    if (!buf_ok(&text)) {
        arena->has_failed = true;
        return STR_NONE;
    }
    arena_keep(arena, text.bytes);
    return buf_str(&text);
}

/* Only what waits has reasons of its own. */
const char *verdict_reason(const struct spec_verdict *verdict)
{
    for (uint32_t i = 0; i < verdict->refusals_count && verdict->answer == SPEC_WAIT; i++) {
        if (verdict->refusals[i].reason != NULL) {
            return verdict->refusals[i].reason;
        }
    }
    return NULL;
}

enum err verdict_err(const struct spec_verdict *verdict)
{
    static const enum err answers[] = {
        [SPEC_GO] = ERR_OK, [SPEC_WAIT] = ERR_BUSY, [SPEC_NEVER] = ERR_UNSUPPORTED};

    return verdict->arena->has_failed ? ERR_FULL : answers[verdict->answer];
}

/* As much of it as there is room for: the beginning of a sentence says more than nothing. */
static void put_cut(str text, struct buf *out)
{
    size_t room = out->bytes_max - out->bytes;
    if (buf_ok(out) && text.bytes > room) {
        buf_put(out, codec_utf8_prefix(text, room));
    }
    buf_put(out, text);
}

static void put_remarks(const struct spec_remark *remarks, uint32_t count, uint32_t lost,
                        struct buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_put_text(out, i > 0 ? "; " : "");
        buf_put(out, remarks[i].where);
        buf_put_text(out, ": ");
        put_cut(remarks[i].what, out);
    }
    if (lost > 0) {
        buf_put_fmt(out, "; and %u more", lost);
    }
}

void verdict_put_refusals(const struct spec_verdict *verdict, struct buf *out)
{
    put_remarks(verdict->refusals, verdict->refusals_count, verdict->refusals_lost, out);
}

void verdict_put_warnings(const struct spec_verdict *verdict, struct buf *out)
{
    put_remarks(verdict->warnings, verdict->warnings_count, verdict->warnings_lost, out);
}
