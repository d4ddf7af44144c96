/*
 * prom_write.h - the Prometheus text format (exposition format 0.0.4) over a sticky buf.
 *
 * A metric is its head (help and type), then its values in a row. Label values are escaped, so
 * nothing can break out of its place; names and helps are ours and static.
 */
#ifndef ECILET_DATA_PROM_WRITE_H
#define ECILET_DATA_PROM_WRITE_H

#include "base/buf.h"

#define PROM_TYPE "text/plain; version=0.0.4; charset=utf-8" /* Content-Type */

struct prom_label {
    const char *name;
    str value;
};

/* kind: "counter" or "gauge". help: one line without backslashes. */
void prom_head(struct buf *out, const char *name, const char *kind, const char *help);
/* at_ms: time of the value, milliseconds since 1970; 0: not given. */
void prom_put(struct buf *out, const char *name, const struct prom_label *labels,
              uint32_t labels_count, uint64_t value, int64_t at_ms);
/* A value in nanoseconds (milliseconds: times 1,000,000), written in seconds. */
void prom_put_ns(struct buf *out, const char *name, const struct prom_label *labels,
                 uint32_t labels_count, uint64_t value_ns, int64_t at_ms);

#endif
