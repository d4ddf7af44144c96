/* see trace.h */
#include "base/trace.h"

#include "base/check.h"

/* FNV-1a, eight bytes at a time for numbers. */
static uint64_t mix(uint64_t digest, uint64_t word)
{
    return (digest ^ word) * 0x100000001B3ULL;
}

/* By the text itself, not its address: addresses differ from run to run. */
static uint64_t mix_text(uint64_t digest, const char *text)
{
    for (; *text != '\0'; text++) {
        digest = mix(digest, (unsigned char)*text);
    }
    return digest;
}

void trace_add(struct trace *trace, msec at_ms, const char *what, uint32_t a, uint32_t b)
{
    CHECK(what != NULL);
    trace->records[trace->count % TRACE_RECORDS_MAX] = (struct trace_record){at_ms, what, a, b};
    trace->count++;

    uint64_t digest = mix(trace->digest, (uint64_t)at_ms + 1);
    digest = mix_text(digest, what);
    trace->digest = mix(digest, (uint64_t)a << 32 | b) + trace->count;
}

void trace_print(const struct trace *trace, struct buf *out)
{
    uint64_t first = trace->count > TRACE_RECORDS_MAX ? trace->count - TRACE_RECORDS_MAX : 0;
    for (uint64_t i = first; i < trace->count; i++) {
        const struct trace_record *record = &trace->records[i % TRACE_RECORDS_MAX];
        buf_put_fmt(out, "%10lld %s %u %u\n", (long long)record->at_ms, record->what,
                    (unsigned)record->a, (unsigned)record->b);
    }
}
