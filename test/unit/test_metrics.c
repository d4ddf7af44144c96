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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_metrics_answer, set_up),
        cmocka_unit_test_setup(test_metrics_too_large, set_up),
        cmocka_unit_test(test_metrics_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
