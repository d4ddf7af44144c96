/* app/wire_metrics: everything is there and fits, also before anything has happened. */
#include "app/wire_metrics.h"
#include "unit.h"

#include <stdio.h>

static void test_wire_put_metrics(void **state)
{
    (void)state;
    static struct wire wire;
    static struct loop loop;
    static struct arena arena;
    static char memory[64 * 1024];
    struct buf out;
    struct region region = unit_region();
    const struct brain_config config = {
        .pods_max = 10, .groups_max = 20, .poll_fast_ms = 1, .poll_slow_ms = 1, .sweep_ms = 1,
        .absence_ms = 1, .absence_sweeps = 1, .young_ms = 1, .brake_percent = 1, .brake_min = 1,
        .create_per_minute = 1, .delete_per_minute = 1, .describe_per_minute = 1,
        .status_per_minute = 1, .cloud_calls_max = 4, .kube_calls_max = 4, .seed = 1};
    loop.now_ms = 5000;
    wire.loop = &loop;
    wire.arena = &arena;
    wire.node.lease.renewed_at_ms = 3000;
    wire.cloud.counters.errors[ERR_THROTTLED] = 2;
    brain_init(&wire.brain, &config, &region, 1000);
    buf_init(&out, memory, sizeof memory);
    wire_put_metrics(&wire, &out);
    assert_true(buf_ok(&out));
    assert_in_range(out.bytes, 4000, 32 * 1024);
    assert_true(str_find(buf_str(&out), S("\necilet_pods{phase=\"Pending\"} 0\n")) > 0);
    assert_true(str_find(buf_str(&out), S("\necilet_lease_age_seconds 2.000000000\n")) > 0);
    assert_true(str_find(buf_str(&out), S("\necilet_cloud_call_fates_total{fate=\"slow\"} 2\n")) >
                0);
    char line[64];
    (void)snprintf(line, sizeof line, "\necilet_pool_max{pool=\"pods\"} %u\n",
                   wire.brain.pods.count_max);
    assert_true(str_find(buf_str(&out), str_of(line)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_put_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
