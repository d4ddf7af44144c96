/* see metrics.h */
#include "serve/metrics.h"

#include "base/check.h"

static const struct {
    const char *name, *type, *help;
} table[METRIC_COUNT] = {
#define METRIC(id, name, type, help) [METRIC_##id] = {name, type, help},
#include "serve/metrics.def"
#undef METRIC
};

void metrics_put_labels(struct metrics_out *to, enum metric metric, const struct prom_label *labels,
                        uint32_t labels_count, uint64_t value)
{
    CHECK(metric < METRIC_COUNT);
    if (!to->has_head[metric]) {
        prom_head(to->out, table[metric].name, table[metric].type, table[metric].help);
        to->has_head[metric] = true;
    }
    prom_put(to->out, table[metric].name, labels, labels_count, value, 0);
}

void metrics_put(struct metrics_out *to, enum metric metric, uint64_t value)
{
    metrics_put_labels(to, metric, NULL, 0, value);
}

void metrics_put_label(struct metrics_out *to, enum metric metric, const char *label, str name,
                       uint64_t value)
{
    const struct prom_label one = {label, name};
    metrics_put_labels(to, metric, &one, 1, value);
}

void metrics_put_us(struct metrics_out *to, enum metric metric, uint64_t us)
{
    CHECK(metric < METRIC_COUNT);
    prom_head(to->out, table[metric].name, table[metric].type, table[metric].help);
    prom_put_ns(to->out, table[metric].name, NULL, 0, us * 1000, 0);
}
