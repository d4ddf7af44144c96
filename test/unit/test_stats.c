/* serve/stats and stats_write: samples in, answers out. */
#include "data/json_read.h"
#include "serve/stats_parts.h"
#include "serve_fakes.h"

static struct stats stats;
static struct serve_pod pods[45];
static uint32_t pods_count;
static char ids[45][16], names[45][16];

static bool next_pod(void *owner, uint32_t *at, struct serve_pod *out)
{
    (void)owner;
    if (*at >= pods_count) {
        return false;
    }
    *out = pods[(*at)++];
    return true;
}

static int64_t wall_s(void)
{
    return 1704164700;
}

static int set_up(void **state)
{
    (void)state;
    fake_start();
    struct region region = unit_region();
    stats_init(&stats, &fake_world, &region, 40, fake_loop.now_ms);
    fake_world.next_pod = next_pod;
    fake_world.wall_s = wall_s;
    fake_world.stats = &stats;
    for (uint32_t i = 0; i < COUNT_OF(pods); i++) {
        (void)snprintf(ids[i], sizeof ids[i], "eci-%u", i);
        (void)snprintf(names[i], sizeof names[i], "pod-%u", i);
        pods[i] = (struct serve_pod){.name_space = S("web"),
                                     .name = str_of(names[i]),
                                     .uid = str_of(names[i]),
                                     .group_id = str_of(ids[i]),
                                     .is_running = true,
                                     .started_unix_s = 1704164000};
    }
    pods_count = 2;
    return 0;
}

static struct fake_peer *get(bool is_summary)
{
    struct fake_peer *peer = fake_peer("");
    (is_summary ? stats_summary : stats_resource)(NULL, &peer->exchange, NULL);
    fake_turn();
    return peer;
}

static const char *sample_at(const char *id, unsigned cpu_ns, const char *at)
{
    static char text[2048];
    (void)snprintf(text, sizeof text,
                   "{\"MonitorDatas\":[{\"ContainerGroupId\":\"%s\",\"Records\":[{\"Timestamp\":"
                   "\"%s\",\"CPU\":{\"UsageCoreNanoSeconds\":%u},\"Memory\":{"
                   "\"WorkingSet\":77},\"Containers\":[{\"Name\":\"main\",\"CPU\":{"
                   "\"UsageCoreNanoSeconds\":%u},\"Memory\":{\"WorkingSet\":70}}]}]}]}",
                   id, at, cpu_ns, cpu_ns);
    return text;
}

static const char *sample(const char *id, unsigned cpu_ns)
{
    return sample_at(id, cpu_ns, "2024-01-02T03:04:05Z");
}

static void test_stats_summary(void **state)
{
    (void)state;
    struct fake_peer *peer = get(true);
    struct fake_call *call = fake_open(ECI_DESCRIBE_METRICS);
    assert_string_equal(fake_asked(call, "ContainerGroupIds"), "[\"eci-0\",\"eci-1\"]");
    assert_int_equal(peer->status, 0);
    fake_answer(call, ERR_OK, sample("eci-1", 5), "");
    fake_turn();
    assert_int_equal(peer->status, 200);
    assert_true(peer->is_ended);
    json root;
    assert_int_equal(json_parse(str_of(peer->got), &fake_arena, &root, NULL), ERR_OK);
    assert_int_equal(json_count(json_get(root, "pods")), 1);
    json pod = json_first(json_get(root, "pods"));
    assert_true(json_text_is(json_get(json_get(pod, "podRef"), "name"), "pod-1"));
    json container = json_first(json_get(pod, "containers"));
    assert_true(json_text_is(json_get(container, "name"), "main"));
    assert_int_equal(json_i64_or(json_get(json_get(container, "memory"), "workingSetBytes"), 0),
                     70);
    json node_cpu = json_get(json_get(root, "node"), "cpu");
    assert_int_equal(json_i64_or(json_get(node_cpu, "usageCoreNanoSeconds"), 0), 5);
    assert_true(json_text_is(json_get(node_cpu, "time"), "2024-01-02T03:04:05Z"));
    fake_peer_free(peer);
    /* What is fresh is not asked for again. */
    peer = get(true);
    assert_true(peer->is_ended);
    assert_int_equal(fake_calls_count, 1);
    fake_peer_free(peer);
}

static void test_stats_resource_in_small_pieces(void **state)
{
    (void)state;
    struct fake_peer *peer = get(false);
    peer->room = 0;
    fake_answer(fake_open(ECI_DESCRIBE_METRICS), ERR_OK, sample("eci-0", 1500000000), "");
    fake_turn();
    for (int i = 0; i < 10000 && !peer->is_ended; i++) {
        fake_give_room(peer, 7);
    }
    assert_true(peer->is_ended);
    assert_non_null(strstr(peer->got,
                           "container_cpu_usage_seconds_total{container=\"main\",namespace=\"web\","
                           "pod=\"pod-0\"} 1.500000000 1704164645000\n"));
    assert_non_null(strstr(peer->got, "pod_memory_working_set_bytes{namespace=\"web\","
                                      "pod=\"pod-0\"} 77 1704164645000\n"));
    /* A rate needs the time of the sample, not that of the question. */
    assert_non_null(strstr(peer->got, "node_memory_working_set_bytes 77 1704164645000\n"));
    assert_non_null(strstr(peer->got, "node_cpu_usage_seconds_total 1.500000000 1704164645000\n"));
    assert_non_null(strstr(peer->got, "\nresource_scrape_error 0\n"));
    fake_peer_free(peer);
}

static void test_stats_batches_and_full(void **state)
{
    (void)state;
    pods_count = 45;
    struct fake_peer *peer = get(true);
    uint32_t calls = 0;
    struct fake_call *call;
    while ((call = fake_open(ECI_DESCRIBE_METRICS)) != NULL) {
        static char text[16 * 1024];
        struct buf out;
        buf_init(&out, text, sizeof text - 1);
        buf_put_text(&out, "{\"MonitorDatas\":[");
        for (uint32_t i = 0; i < 20 && calls * 20 + i < 45; i++) {
            buf_put_fmt(&out, "%s{\"ContainerGroupId\":\"eci-%u\",\"Records\":[{}]}",
                        i > 0 ? "," : "", calls * 20 + i);
        }
        buf_put_text(&out, "]}");
        calls++;
        fake_answer(call, ERR_OK, buf_cstr(&out), "");
        fake_turn();
    }
    assert_int_equal(calls, 3);
    assert_true(peer->is_ended);
    assert_int_equal(stats.counters.lost, 5); /* 40 slots */
    fake_peer_free(peer);
    /* Samples that are not renewed are forgotten, and the node's CPU time never falls. */
    pods_count = 0;
    fake_loop.now_ms += STATS_OLD_MS + 1000;
    peer = get(true);
    assert_true(peer->is_ended);
    assert_int_equal(stats.samples.count, 0);
    fake_peer_free(peer);
}

/* One round in which these are told; what the node's time is then. */
static int64_t node_at_s(const char *id, const char *at)
{
    fake_loop.now_ms += STATS_FRESH_MS;
    struct fake_peer *peer = get(false);
    fake_answer(fake_open(ECI_DESCRIBE_METRICS), ERR_OK, sample_at(id, 7, at), "");
    fake_turn();
    assert_true(peer->is_ended);
    const char *line = strstr(peer->got, "\nnode_memory_working_set_bytes ");
    long long time_ms = 0;
    assert_non_null(line);
    assert_int_equal(sscanf(line, "\nnode_memory_working_set_bytes %*s %lld", &time_ms), 1);
    fake_peer_free(peer);
    return time_ms / 1000;
}

/* A clock that was ahead (the cloud's, or ours for samples without a time) and was set back must
 * not leave the node in the future, where readers find no progress. */
static void test_stats_follow_a_clock_that_is_set_back(void **state)
{
    const int64_t now_s = 1704164645;
    (void)state;
    pods_count = 1;
    assert_int_equal(node_at_s("eci-0", "2024-01-02T04:04:05Z"), now_s + 3600);
    assert_int_equal(node_at_s("eci-0", "2024-01-02T03:04:35Z"), now_s + 30);
    assert_int_equal(node_at_s("eci-0", "2024-01-02T03:05:05Z"), now_s + 60);
    /* Of a pod that is gone meanwhile: until its sample is forgotten. */
    assert_int_equal(node_at_s("eci-0", "2024-01-02T04:04:05Z"), now_s + 3600);
    assert_int_equal(node_at_s("eci-1", "2024-01-02T03:05:35Z"), now_s + 3600);
    fake_loop.now_ms += STATS_OLD_MS;
    (void)node_at_s("eci-1", "2024-01-02T03:10:35Z");
    assert_int_equal(node_at_s("eci-1", "2024-01-02T03:11:05Z"), now_s + 420);
}

static void test_stats_trouble(void **state)
{
    (void)state;
    struct fake_peer *peer = get(false);
    fake_answer(fake_open(ECI_DESCRIBE_METRICS), ERR_THROTTLED, NULL, "slow down");
    fake_turn();
    assert_true(peer->is_ended); /* the round has ended, without a sample */
    assert_non_null(strstr(peer->got, "\nresource_scrape_error 1\n"));
    fake_peer_free(peer);
    /* No answer from the cloud: what is known is told in time. */
    fake_loop.now_ms += STATS_FRESH_MS;
    peer = get(false);
    assert_false(peer->is_ended);
    fake_loop.now_ms += STATS_WAIT_MS;
    fake_turn();
    assert_true(peer->is_ended);
    fake_peer_free(peer);
    struct fake_peer *peers[STATS_SESSIONS_MAX + 1];
    for (int i = 0; i <= STATS_SESSIONS_MAX; i++) {
        peers[i] = get(true);
        assert_int_equal(peers[i]->status, i < STATS_SESSIONS_MAX ? 0 : 503);
    }
    for (int i = 0; i <= STATS_SESSIONS_MAX; i++) {
        fake_peer_free(peers[i]);
    }
    assert_int_equal(stats.sessions.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_stats_summary, set_up),
        cmocka_unit_test_setup(test_stats_resource_in_small_pieces, set_up),
        cmocka_unit_test_setup(test_stats_batches_and_full, set_up),
        cmocka_unit_test_setup(test_stats_follow_a_clock_that_is_set_back, set_up),
        cmocka_unit_test_setup(test_stats_trouble, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
