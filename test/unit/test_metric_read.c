/* data/metric_read: a good reply, and bent ones. */
#include "data/metric_read.h"
#include "unit.h"

static char arena_memory[64 * 1024];

static uint32_t read_all(const char *text, struct metric_row *last)
{
    static struct arena arena;
    struct metric_read read;
    json root;
    uint32_t count = 0;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    assert_int_equal(json_parse(str_of(text), &arena, &root, NULL), ERR_OK);
    metric_read_init(&read, root, &arena);
    while (metric_read_next(&read, last)) {
        count++;
    }
    return count;
}

#define USAGE(n)                                                                  \
    "\"CPU\":{\"UsageNanoCores\":" n "1,\"UsageCoreNanoSeconds\":" n "2},"        \
    "\"Memory\":{\"AvailableBytes\":" n "3,\"UsageBytes\":" n "4,\"Cache\":5,"    \
    "\"Rss\":" n "6,\"WorkingSet\":" n "7}"

static const char good[] =
    "{\"MonitorDatas\":[{\"ContainerGroupId\":\"eci-1\",\"Records\":["
    "{\"Timestamp\":\"2020-01-01T00:00:00Z\"},{\"Timestamp\":\"2024-01-02T03:04:05Z\","
    "\"Containers\":[{\"Name\":\"main\"," USAGE("1") "},{\"Name\":\"side\"," USAGE("2") "}]," USAGE(
        "3") ",\"Network\":{\"Interfaces\":[{\"Name\":\"eth0\","
             "\"RxBytes\":10,\"TxBytes\":20,\"RxErrors\":1,\"TxErrors\":2},{\"RxBytes\":5}]},"
             "\"Filesystem\":[{\"Capacity\":100,\"Usage\":40,\"Available\":60}]}]}]}";

static void test_metric_read_good(void **state)
{
    (void)state;
    struct metric_row row;
    assert_int_equal(read_all(good, &row), 1);
    assert_text(row.id, "eci-1");
    assert_int_equal(row.at_s, 1704164645);
    assert_int_equal(row.containers_count, 2);
    assert_text(row.containers[1].name, "side");
    assert_int_equal(row.containers[1].usage.nano_cores, 21);
    assert_int_equal(row.usage.cpu_ns, 32);
    assert_int_equal(row.usage.free_bytes, 33);
    assert_int_equal(row.usage.used_bytes, 34);
    assert_int_equal(row.usage.rss_bytes, 36);
    assert_int_equal(row.usage.working_bytes, 37);
    assert_int_equal(row.network.rx_bytes, 15);
    assert_int_equal(row.network.tx_errors, 2);
    assert_int_equal(row.disk.capacity_bytes, 100);
    assert_int_equal(row.disk.free_bytes, 60);
}

static void test_metric_read_bad(void **state)
{
    (void)state;
    struct metric_row row;
    assert_int_equal(read_all("{}", &row), 0);
    assert_int_equal(read_all("{\"MonitorDatas\":7}", &row), 0);
    assert_int_equal(read_all("{\"MonitorDatas\":[1,{},{\"ContainerGroupId\":\"e\"},"
                              "{\"ContainerGroupId\":\"e\",\"Records\":[]},"
                              "{\"Records\":[{}]}]}",
                              &row),
                     0);
    /* An id that no instance has: samples are filed by it. */
    assert_int_equal(read_all("{\"MonitorDatas\":[{\"ContainerGroupId\":\"e\\u0000\",\"Records\":"
                              "[{}]},{\"ContainerGroupId\":\"\\u0000\",\"Records\":[{}]},"
                              "{\"ContainerGroupId\":\"e f\",\"Records\":[{}]}]}",
                              &row),
                     0);
    assert_int_equal(read_all("{\"monitordatas\":[{\"containergroupid\":\"e\",\"records\":[{"
                              "\"timestamp\":\"x\",\"cpu\":{\"usageNanoCores\":-5},\"network\":{"
                              "\"interfaces\":[{\"rxBytes\":9223372036854775807},{\"rxBytes\":"
                              "9223372036854775807},{\"rxBytes\":9}]},\"containers\":[{},"
                              "{\"name\":\"a\"}]}]}]}",
                              &row),
                     1);
    assert_int_equal(row.at_s, 0);
    assert_int_equal(row.usage.nano_cores, 0);
    assert_true(row.network.rx_bytes == UINT64_MAX);
    assert_int_equal(row.containers_count, 1);
}

static void test_metric_read_too_many_containers(void **state)
{
    (void)state;
    static char memory[4096];
    struct metric_row row;
    struct buf text;
    buf_init(&text, memory, sizeof memory);
    buf_put_text(&text, "{\"MonitorDatas\":[{\"ContainerGroupId\":\"e\",\"Records\":[{"
                        "\"Containers\":[");
    for (int i = 0; i <= METRIC_CONTAINERS_MAX; i++) {
        buf_put_fmt(&text, "%s{\"Name\":\"c%d\"}", i > 0 ? "," : "", i);
    }
    buf_put_text(&text, "]}]}]}");
    assert_int_equal(read_all(buf_cstr(&text), &row), 1);
    assert_int_equal(row.containers_count, METRIC_CONTAINERS_MAX);
    assert_text(row.containers[METRIC_CONTAINERS_MAX - 1].name, "c19");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metric_read_good),
        cmocka_unit_test(test_metric_read_bad),
        cmocka_unit_test(test_metric_read_too_many_containers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
