/* serve/metrics: the table, and an answer with all parts. */
#include "serve/attach.h"
#include "serve/exec.h"
#include "serve/logs.h"
#include "serve/metrics.h"
#include "serve/portforward.h"
#include "serve/serve_port.h"
#include "serve/stats.h"
#include "serve_fakes.h"

static struct serve port = {.counters = {.forbidden = 6}};
static struct http_server_counters counters = {.accepted = 5, .bytes_out = 77};

const struct http_server_counters *http_server_counters(const struct http_server *server)
{
    (void)server;
    return &counters;
}

uint32_t http_server_open(const struct http_server *server)
{
    (void)server;
    return 3;
}

uint32_t exec_open(void)
{
    return 7;
}

uint32_t attach_open(void)
{
    return 8;
}

uint32_t forward_open(void)
{
    return 9;
}

static bool is_huge;

static void put_metrics(void *owner, struct buf *out)
{
    struct metrics_out to = {.out = out};
    (void)owner;
    metrics_put_us(&to, METRIC_LEASE_AGE, 1500000);
    for (int i = 0; i < (is_huge ? 10000 : 2); i++) {
        metrics_put_label(&to, METRIC_PODS, "phase", S("Running"), 1);
    }
}

static int set_up(void **state)
{
    (void)state;
    static struct logs logs;
    static struct stats stats;
    fake_start();
    logs.counters.gaps = 4;
    fake_world.put_metrics = put_metrics;
    fake_world.logs = &logs;
    fake_world.stats = &stats;
    is_huge = false;
    return 0;
}

static void test_metrics_answer(void **state)
{
    (void)state;
    struct fake_peer *peer = fake_peer("");
    peer->exchange.server = (struct http_server *)(void *)peer;
    metrics_all(&port, &peer->exchange, NULL);
    assert_int_equal(peer->status, 200);
    assert_non_null(strstr(peer->got, "# TYPE ecilet_pods gauge\n"
                                      "ecilet_pods{phase=\"Running\"} 1\n"
                                      "ecilet_pods{phase=\"Running\"} 1\n"));
    assert_non_null(strstr(peer->got, "\necilet_lease_age_seconds 1.500000000\n"));
    assert_non_null(strstr(peer->got, "\necilet_server_connections 3\n"));
    assert_non_null(strstr(peer->got, "\necilet_server_bytes_total{direction=\"out\"} 77\n"));
    assert_non_null(strstr(peer->got, "\necilet_server_denied_total{reason=\"forbidden\"} 6\n"));
    assert_non_null(strstr(peer->got, "\necilet_logs_gaps_total{reason=\"cloud\"} 4\n"));
    assert_non_null(strstr(peer->got, "\necilet_streams_open{kind=\"exec\"} 7\n"
                                      "ecilet_streams_open{kind=\"attach\"} 8\n"
                                      "ecilet_streams_open{kind=\"port-forward\"} 9\n"));
    fake_peer_free(peer);
}

static void test_metrics_too_large(void **state)
{
    (void)state;
    is_huge = true;
    struct fake_peer *peer = fake_peer("");
    metrics_all(&port, &peer->exchange, NULL);
    assert_int_equal(peer->status, 500);
    fake_peer_free(peer);
}

/* What names promise: a counter ends in _total, a gauge does not; no name twice. */
static void test_metrics_table(void **state)
{
    (void)state;
    static const struct {
        const char *name, *type, *help;
    } rows[] = {
#define METRIC(id, name, type, help) {name, type, help},
#include "serve/metrics.def"
#undef METRIC
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool is_counter = strcmp(rows[i].type, "counter") == 0;
        assert_true(is_counter || strcmp(rows[i].type, "gauge") == 0);
        assert_true(str_starts(str_of(rows[i].name), S("ecilet_")));
        assert_int_equal(str_ends(str_of(rows[i].name), S("_total")), is_counter);
        assert_true(strpbrk(rows[i].help, "\\\n") == NULL);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(rows[k].name, rows[i].name);
        }
    }
}

/* Alerts and dashboards stand on these: one that is renamed or taken away breaks them silently. New
 * ones are added here when they have been in a release. */
static void test_metrics_names_are_stable(void **state)
{
    (void)state;
    static const char *const stable[] = {
        "ecilet_build_info",
        "ecilet_resident_memory_bytes",
        "ecilet_cpu_seconds_total",
        "ecilet_open_descriptors",
        "ecilet_heap_used_bytes",
        "ecilet_heap_max_bytes",
        "ecilet_heap_failures_total",
        "ecilet_arena_peak_bytes",
        "ecilet_log_lines_dropped_total",
        "ecilet_loop_turns_total",
        "ecilet_loop_slowest_turn_seconds",
        "ecilet_pool_used",
        "ecilet_pool_max",
        "ecilet_pool_refused_total",
        "ecilet_pods",
        "ecilet_groups",
        "ecilet_effects_waiting",
        "ecilet_effects_in_flight",
        "ecilet_effects_oldest_seconds",
        "ecilet_effects_total",
        "ecilet_orphans_removed_total",
        "ecilet_twins_removed_total",
        "ecilet_groups_lost_total",
        "ecilet_create_doubts_total",
        "ecilet_orphan_brake",
        "ecilet_sweeps_total",
        "ecilet_cloud_reachable",
        "ecilet_cloud_calls_total",
        "ecilet_cloud_call_failures_total",
        "ecilet_cloud_call_fates_total",
        "ecilet_cloud_clock_offset_seconds",
        "ecilet_kube_calls_total",
        "ecilet_kube_calls_refused_total",
        "ecilet_watch_connected",
        "ecilet_watch_lists_total",
        "ecilet_watch_failures_total",
        "ecilet_lease_renewals_total",
        "ecilet_lease_failures_total",
        "ecilet_lease_age_seconds",
        "ecilet_events_dropped_total",
        "ecilet_server_connections",
        "ecilet_server_accepted_total",
        "ecilet_server_refused_total",
        "ecilet_server_handshakes_total",
        "ecilet_server_requests_total",
        "ecilet_server_denied_total",
        "ecilet_server_reviews_total",
        "ecilet_server_deadlines_total",
        "ecilet_server_bytes_total",
        "ecilet_logs_open",
        "ecilet_logs_followed",
        "ecilet_logs_polls_total",
        "ecilet_logs_gaps_total",
        "ecilet_logs_refused_total",
        "ecilet_streams_open",
        "ecilet_stats_rounds_total",
        "ecilet_stats_failures_total",
    };
    static const char *const rows[] = {
#define METRIC(id, name, type, help) name,
#include "serve/metrics.def"
#undef METRIC
    };
    for (size_t i = 0; i < COUNT_OF(stable); i++) {
        bool is_there = false;
        for (size_t k = 0; k < COUNT_OF(rows); k++) {
            is_there = is_there || strcmp(rows[k], stable[i]) == 0;
        }
        if (!is_there) {
            fail_msg("%s is gone", stable[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_metrics_answer, set_up),
        cmocka_unit_test_setup(test_metrics_too_large, set_up),
        cmocka_unit_test_setup(test_metrics_names_are_stable, set_up),
        cmocka_unit_test(test_metrics_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
