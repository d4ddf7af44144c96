/* see stats_parts.h */
#include "serve/stats_parts.h"

#include "data/json_write.h"
#include "data/prom_write.h"

/* The next pod of the stage that has a sample. */
static const struct stats_sample *next_sample(struct stats_session *session, struct serve_pod *pod)
{
    const struct serve_world *world = session->stats->world;
    while (world->next_pod(world->owner, &session->pod_at, pod)) {
        const struct stats_sample *sample = stats_sample_of(session->stats, pod->group_id);
        if (sample != NULL) {
            return sample;
        }
    }
    return NULL;
}

static const struct stats_container *container_at(const struct stats *stats, handle h)
{
    return pool_at(&stats->containers, h);
}

/* Kubernetes' numbers are 64-bit and signed in some readers. */
static int64_t capped(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

/* ---- summary --------------------------------------------------------------------------------- */

static void put_usage(struct json_write *w, const struct metric_usage *usage, int64_t at_s)
{
    json_member_object(w, "cpu");
    json_member_time(w, "time", at_s);
    json_member_i64(w, "usageNanoCores", capped(usage->nano_cores));
    json_member_i64(w, "usageCoreNanoSeconds", capped(usage->cpu_ns));
    json_end(w);
    json_member_object(w, "memory");
    json_member_time(w, "time", at_s);
    json_member_i64(w, "availableBytes", capped(usage->free_bytes));
    json_member_i64(w, "usageBytes", capped(usage->used_bytes));
    json_member_i64(w, "workingSetBytes", capped(usage->working_bytes));
    json_member_i64(w, "rssBytes", capped(usage->rss_bytes));
    json_end(w);
}

static void put_counters(struct json_write *w, const struct metric_network *network)
{
    json_member_text(w, "name", S("eth0"));
    json_member_i64(w, "rxBytes", capped(network->rx_bytes));
    json_member_i64(w, "rxErrors", capped(network->rx_errors));
    json_member_i64(w, "txBytes", capped(network->tx_bytes));
    json_member_i64(w, "txErrors", capped(network->tx_errors));
}

static void put_network(struct json_write *w, const struct metric_network *network, int64_t at_s)
{
    json_member_object(w, "network");
    json_member_time(w, "time", at_s);
    put_counters(w, network);
    json_member_array(w, "interfaces");
    json_object(w);
    put_counters(w, network);
    json_end(w);
    json_end(w);
    json_end(w);
}

static void put_start(struct json_write *w, const struct serve_pod *pod)
{
    if (pod->started_unix_s != 0) {
        json_member_time(w, "startTime", pod->started_unix_s);
    }
}

static void put_pod(const struct stats *stats, const struct serve_pod *pod,
                    const struct stats_sample *sample, struct buf *out)
{
    struct json_write w;
    json_write_init(&w, out);
    json_object(&w);
    json_member_object(&w, "podRef");
    json_member_text(&w, "name", pod->name);
    json_member_text(&w, "namespace", pod->name_space);
    json_member_text(&w, "uid", pod->uid);
    json_end(&w);
    put_start(&w, pod);
    json_member_array(&w, "containers");
    const struct stats_container *container;
    for (handle h = sample->first; (container = container_at(stats, h)) != NULL;
         h = container->next) {
        json_object(&w);
        json_member_text(&w, "name", str_of(container->name));
        put_start(&w, pod);
        put_usage(&w, &container->usage, sample->at_s);
        json_end(&w);
    }
    json_end(&w);
    put_usage(&w, &sample->usage, sample->at_s);
    put_network(&w, &sample->network, sample->at_s);
    json_member_object(&w, "ephemeral-storage");
    json_member_time(&w, "time", sample->at_s);
    json_member_i64(&w, "availableBytes", capped(sample->disk.free_bytes));
    json_member_i64(&w, "capacityBytes", capped(sample->disk.capacity_bytes));
    json_member_i64(&w, "usedBytes", capped(sample->disk.used_bytes));
    json_end(&w);
    json_end(&w);
}

static void put_node(const struct stats *stats, struct buf *out)
{
    const struct serve_world *world = stats->world;
    struct metric_usage usage;
    struct metric_network network;
    struct json_write w;
    int64_t at_s = stats_node_at_s(stats);
    stats_node_usage(stats, &usage, &network);
    json_write_init(&w, out);
    json_object(&w);
    json_member_text(&w, "nodeName", world->node_name);
    put_usage(&w, &usage, at_s);
    put_network(&w, &network, at_s);
    json_end(&w);
}

enum { SUMMARY_NODE, SUMMARY_PODS, SUMMARY_END };

static bool next_of_summary(struct stats_session *session)
{
    struct buf *out = &session->piece;
    struct serve_pod pod;
    if (session->stage == SUMMARY_NODE) {
        buf_put_text(out, "{\"node\":");
        put_node(session->stats, out);
        buf_put_text(out, ",\"pods\":[");
        session->stage = SUMMARY_PODS;
        return true;
    }
    if (session->stage == SUMMARY_END) {
        return false;
    }
    const struct stats_sample *sample = next_sample(session, &pod);
    if (sample == NULL) {
        buf_put_text(out, "]}\n");
        session->stage = SUMMARY_END;
        return true;
    }
    buf_put_text(out, session->has_pods ? ",\n" : "\n");
    session->has_pods = true;
    put_pod(session->stats, &pod, sample, out);
    return true;
}

/* ---- resource metrics ------------------------------------------------------------------------ */

/* Names, types and helps as in Kubernetes (pkg/kubelet/metrics/collectors/resource_metrics.go). */
enum { OF_NODE, OF_POD, OF_CONTAINER, OF_US };
enum { VALUE_CPU, VALUE_MEMORY, VALUE_START, VALUE_ERROR };

static const struct family {
    const char *name, *kind, *help;
    int of, value;
} families[] = {
    {"node_cpu_usage_seconds_total", "counter",
     "Cumulative cpu time consumed by the node in core-seconds", OF_NODE, VALUE_CPU},
    {"node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes", OF_NODE,
     VALUE_MEMORY},
    {"container_start_time_seconds", "gauge",
     "Start time of the container since unix epoch in seconds", OF_CONTAINER, VALUE_START},
    {"container_cpu_usage_seconds_total", "counter",
     "Cumulative cpu time consumed by the container in core-seconds", OF_CONTAINER, VALUE_CPU},
    {"container_memory_working_set_bytes", "gauge", "Current working set of the container in bytes",
     OF_CONTAINER, VALUE_MEMORY},
    {"pod_cpu_usage_seconds_total", "counter",
     "Cumulative cpu time consumed by the pod in core-seconds", OF_POD, VALUE_CPU},
    {"pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes", OF_POD,
     VALUE_MEMORY},
    {"scrape_error", "gauge",
     "1 if there was an error while getting container metrics, 0 otherwise", OF_US, VALUE_ERROR},
    {"resource_scrape_error", "gauge",
     "1 if there was an error while getting container metrics, 0 otherwise", OF_US, VALUE_ERROR},
};

#define FAMILIES_COUNT (sizeof families / sizeof families[0])

static void put_value(struct buf *out, const struct family *family, const struct prom_label *labels,
                      uint32_t labels_count, const struct metric_usage *usage,
                      int64_t started_unix_s, int64_t at_s)
{
    if (family->value == VALUE_CPU) {
        prom_put_ns(out, family->name, labels, labels_count, usage->cpu_ns, at_s * 1000);
    } else if (family->value == VALUE_MEMORY) {
        prom_put(out, family->name, labels, labels_count, usage->working_bytes, at_s * 1000);
    } else if (started_unix_s > 0) {
        prom_put(out, family->name, labels, labels_count, (uint64_t)started_unix_s, 0);
    }
}

static void put_pod_values(const struct stats *stats, const struct family *family,
                           const struct serve_pod *pod, const struct stats_sample *sample,
                           struct buf *out)
{
    if (family->of == OF_POD) {
        const struct prom_label labels[] = {{"namespace", pod->name_space}, {"pod", pod->name}};
        put_value(out, family, labels, 2, &sample->usage, pod->started_unix_s, sample->at_s);
        return;
    }
    const struct stats_container *container;
    for (handle h = sample->first; (container = container_at(stats, h)) != NULL;
         h = container->next) {
        const struct prom_label labels[] = {{"container", str_of(container->name)},
                                            {"namespace", pod->name_space},
                                            {"pod", pod->name}};
        put_value(out, family, labels, 3, &container->usage, pod->started_unix_s, sample->at_s);
    }
}

static void put_node_values(const struct stats *stats, const struct family *family, struct buf *out)
{
    struct metric_usage usage;
    struct metric_network network;
    if (family->of == OF_US) {
        prom_put(out, family->name, NULL, 0, stats->has_failed || stats->round_ms == 0, 0);
        return;
    }
    stats_node_usage(stats, &usage, &network);
    put_value(out, family, NULL, 0, &usage, 0, stats_node_at_s(stats));
}

/* One family after the other, and in it pod after pod. */
static bool next_of_resource(struct stats_session *session)
{
    struct buf *out = &session->piece;
    struct serve_pod pod;
    if (session->stage == FAMILIES_COUNT) {
        return false;
    }
    const struct family *family = &families[session->stage];
    bool is_new = !session->has_pods;
    if (is_new) {
        prom_head(out, family->name, family->kind, family->help);
        session->has_pods = true;
    }
    const struct stats_sample *sample = NULL;
    if (family->of == OF_POD || family->of == OF_CONTAINER) {
        sample = next_sample(session, &pod);
    } else {
        put_node_values(session->stats, family, out);
    }
    if (sample != NULL) {
        put_pod_values(session->stats, family, &pod, sample, out);
    } else {
        session->stage++;
        session->pod_at = 0;
        session->has_pods = false;
    }
    return true;
}

bool stats_write_next(struct stats_session *session)
{
    return session->kind == STATS_SUMMARY ? next_of_summary(session) : next_of_resource(session);
}
