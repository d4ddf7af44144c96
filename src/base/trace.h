/*
 * trace.h - the last few hundred events in a ring, for crash reports, the simulator's replay and
 * the determinism check. Fixed-size records, no formatting when written.
 */
#ifndef ECILET_BASE_TRACE_H
#define ECILET_BASE_TRACE_H

#include "base/buf.h"

#define TRACE_RECORDS_MAX 256 /* enough to see how we came here; 24 bytes each */

struct trace_record {
    msec at_ms;
    const char *what; /* static text */
    uint32_t a, b;    /* e.g. slot and error */
};

struct trace {
    struct trace_record records[TRACE_RECORDS_MAX];
    uint64_t count;  /* ever written */
    uint64_t digest; /* changes with every record: same story, same digest */
};

void trace_add(struct trace *trace, msec at_ms, const char *what, uint32_t a, uint32_t b);
/* Oldest first, one line each. */
void trace_print(const struct trace *trace, struct buf *out);

#endif
