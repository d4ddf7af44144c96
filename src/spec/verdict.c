/* verdict.c - see verdict.h */
#include "spec/verdict.h"

#include <stdarg.h>

#include "base/check.h"

static str format_text(struct arena *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

void verdict_init(struct spec_verdict *verdict, struct arena *arena)
{
    *verdict = (struct spec_verdict){.arena = arena};
}

void verdict_refuse(struct spec_verdict *verdict, enum spec_answer answer, str where,
                    const char *format, ...)
{
    CHECK(answer != SPEC_GO);
    if (answer > verdict->answer) {
        verdict->answer = answer;
    }
    if (verdict->refusals_count == SPEC_REFUSALS_MAX) {
        verdict->refusals_lost++;
        return;
    }
    va_list args;
    va_start(args, format);
    str what = format_text(verdict->arena, format, args);
    va_end(args);
    verdict->refusals[verdict->refusals_count++] = (struct spec_remark){where, what};
}

void verdict_warn(struct spec_verdict *verdict, str where, const char *format, ...)
{
    if (verdict->warnings_count == SPEC_WARNINGS_MAX) {
        verdict->warnings_lost++;
        return;
    }
    va_list args;
    va_start(args, format);
    str what = format_text(verdict->arena, format, args);
    va_end(args);
    verdict->warnings[verdict->warnings_count++] = (struct spec_remark){where, what};
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

enum err verdict_err(const struct spec_verdict *verdict)
{
    static const enum err answers[] = {
        [SPEC_GO] = ERR_OK, [SPEC_WAIT] = ERR_BUSY, [SPEC_NEVER] = ERR_UNSUPPORTED};

    return verdict->arena->has_failed ? ERR_FULL : answers[verdict->answer];
}

static void put_remarks(const struct spec_remark *remarks, uint32_t count, uint32_t lost,
                        struct buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_put_text(out, i > 0 ? "; " : "");
        buf_put(out, remarks[i].where);
        buf_put_text(out, ": ");
        buf_put(out, remarks[i].what);
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
