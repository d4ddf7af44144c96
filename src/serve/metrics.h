/*
 * metrics.h - GET /metrics: what this process does, in the Prometheus text format. The table
 * metrics.def names every metric; what app and the edges know is added by world->put_metrics.
 *
 * The whole answer has about 15 KiB; one larger than HTTP_SERVER_REPLY_BYTES would be a 500.
 */
#ifndef ECILET_SERVE_METRICS_H
#define ECILET_SERVE_METRICS_H

#include "data/prom_write.h"
#include "serve/serve.h"

enum metric {
#define METRIC(id, name, type, help) METRIC_##id,
#include "serve/metrics.def"
#undef METRIC
    METRIC_COUNT
};

/* One answer: writes the head of a metric before its first value. Values of one metric in a row. */
struct metrics_out {
    struct buf *out;
    bool has_head[METRIC_COUNT];
};

void metrics_put(struct metrics_out *to, enum metric metric, uint64_t value);
void metrics_put_label(struct metrics_out *to, enum metric metric, const char *label, str name,
                       uint64_t value);
void metrics_put_labels(struct metrics_out *to, enum metric metric, const struct prom_label *labels,
                        uint32_t labels_count, uint64_t value);
/* Seconds, given in microseconds. */
void metrics_put_us(struct metrics_out *to, enum metric metric, uint64_t us);

/* Handler of the route. */
void metrics_all(struct serve *serve, struct http_exchange *exchange,
                 const struct serve_target *target);

#endif
