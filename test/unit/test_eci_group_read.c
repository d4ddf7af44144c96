/* data/group_read: the sample replies of the reference in several casings, cut, bent and
 * overfilled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "data/group_read.h"

static const char status_body[] =
    "{\"RequestId\":\"1340C38D-6189-54D1-86F6-7D5ECF3E0088\",\"NextToken\":\"tok-2\","
    "\"TotalCount\":1,\"Data\":[{\"ContainerGroupId\":\"eci-0sim00000000000001\","
    "\"Name\":\"default-web-0\",\"Namespace\":\"default\","
    "\"uuid\":\"6c1f9a52-5b0e-4f0e-9d39-0d0f6a2f1c11\",\"Status\":\"Running\","
    "\"Annotations\":\"{}\",\"PodStatus\":{\"Phase\":\"Running\",\"PodIp\":\"172.16.0.9\","
    "\"PodIps\":[{\"Ip\":\"172.16.0.9\"},{\"Ip\":\"fd00::9\"}],\"HostIp\":\"172.16.0.1\","
    "\"QosClass\":\"Guaranteed\",\"StartTime\":\"2024-01-02T03:04:05Z\",\"Conditions\":"
    "[{\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":\"2024-01-02T03:04:20Z\","
    "\"Reason\":\"\",\"Message\":\"all is well\"}],\"ContainerStatuses\":[{\"Name\":\"web\","
    "\"Image\":\"nginx:1.25\",\"ImageID\":\"nginx@sha256:00\",\"Ready\":true,\"Started\":true,"
    "\"RestartCount\":1,\"State\":{\"Running\":{\"StartedAtstartedAt\":"
    "\"2024-01-02T03:05:00Z\"}},\"LastState\":{\"Terminated\":{\"ContainerID\":"
    "\"containerd://ab\",\"ExitCode\":1,\"Signal\":9,\"Reason\":\"Error\",\"Message\":\"oh\","
    "\"StartedAt\":\"2024-01-02T03:04:10Z\",\"FinishedAt\":\"2024-01-02T03:04:50Z\"}}},"
    "{\"Name\":\"side\",\"State\":{\"Waiting\":{\"Reason\":\"CrashLoopBackOff\","
    "\"Message\":\"Back-off 5m0s\"}}}]}}]}";

static const char groups_body[] =
    "{\"RequestId\":\"R\",\"NextToken\":\"\",\"TotalCount\":1,\"ContainerGroups\":[{"
    "\"ContainerGroupId\":\"eci-2ze1\",\"ContainerGroupName\":\"default-web\","
    "\"RegionId\":\"cn-beijing\",\"ZoneId\":\"cn-beijing-h\",\"VpcId\":\"vpc-1\","
    "\"VSwitchId\":\"vsw-1\",\"SecurityGroupId\":\"sg-1\",\"ResourceGroupId\":\"rg-1\","
    "\"RamRoleName\":\"role\",\"InstanceType\":\"ecs.c6.large\",\"Cpu\":0.25,\"Memory\":2.0,"
    "\"EphemeralStorage\":50,\"ComputeCategory\":\"economy\",\"SpotStrategy\":\"NoSpot\","
    "\"Status\":\"ScheduleFailed\",\"RestartPolicy\":\"Never\","
    "\"CreationTime\":\"2024-01-02T03:04:05Z\",\"SucceededTime\":\"2024-01-02T03:04:06Z\","
    "\"FailedTime\":\"2024-01-02T03:04:07Z\",\"ExpiredTime\":\"2024-01-02T03:04:08Z\","
    "\"IntranetIp\":\"10.0.0.1\",\"InternetIp\":\"47.0.0.1\",\"Ipv6Address\":\"fd00::1\","
    "\"EniInstanceId\":\"eni-1\",\"Tags\":[{\"Key\":\"PodName\",\"Value\":\"web\"},"
    "{\"Key\":\"ClusterId\",\"Value\":\"c1\"}],\"Containers\":[{\"Name\":\"web\","
    "\"Image\":\"nginx\",\"Cpu\":1,\"Memory\":0.5,\"Ready\":true,\"RestartCount\":3,"
    "\"CurrentState\":{\"State\":\"Running\",\"DetailStatus\":\"d\","
    "\"StartTime\":\"2024-01-02T03:05:00Z\"},\"PreviousState\":{\"State\":\"Terminated\","
    "\"Reason\":\"Error\",\"ExitCode\":137,\"Signal\":9,\"Message\":\"m\","
    "\"StartTime\":\"2024-01-02T03:04:00Z\",\"FinishTime\":\"2024-01-02T03:04:30Z\"}}],"
    "\"InitContainers\":[{\"Name\":\"init\",\"CurrentState\":{\"State\":\"Terminated\","
    "\"ExitCode\":0},\"PreviousState\":{}}],\"Events\":[{\"Type\":\"Warning\","
    "\"Reason\":\"NoStock\",\"Message\":\"none left\",\"Name\":\"default-web.17a\",\"Count\":2,"
    "\"FirstTimestamp\":\"2024-01-02T03:04:05Z\",\"LastTimestamp\":\"2024-01-02T03:04:09Z\"}]}]}";

static const char events_body[] =
    "{\"RequestId\":\"R\",\"TotalCount\":1,\"Data\":[{\"ContainerGroupId\":\"eci-2ze1\","
    "\"Name\":\"default-web\",\"Namespace\":\"default\",\"uuid\":\"u-1\",\"Annotations\":\"{}\","
    "\"Events\":[{\"Type\":\"Normal\",\"Reason\":\"Pulled\",\"Message\":\"Pulled image\","
    "\"Count\":1,\"FirstTimestamp\":\"2024-01-02T03:04:05Z\","
    "\"LastTimestamp\":\"2024-01-02T03:04:09Z\",\"ReportingComponent\":\"r\","
    "\"Source\":{\"Component\":\"kubelet\",\"Host\":\"eci\"},\"Metadata\":{\"Name\":"
    "\"default-web.17b\",\"Namespace\":\"default\"},\"involvedObject\":{\"Kind\":\"Pod\"}}]}]}";

enum { TIME = 1704164645 }; /* 2024-01-02T03:04:05Z */

static _Alignas(16) char memory[1 << 20];

static struct arena arena;

static json parse_text(str text)
{
    json root = JSON_NONE;
    arena_init(&arena, memory, sizeof memory);
    return json_parse(text, &arena, &root, NULL) == ERR_OK ? root : JSON_NONE;
}

static json parse(const char *text)
{
    json root = parse_text(str_of(text));
    assert_true(json_is_there(root));
    return root;
}

static void assert_str(str s, const char *expected)
{
    if (!str_eq(s, str_of(expected))) {
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), expected);
    }
}

/* ---- the samples ----------------------------------------------------------------------------- */

static void check_status_row(json root)
{
    struct group_read read;
    struct eci_status_row row;
    group_read_init(&read, root, &arena);
    assert_str(read.next_token, "tok-2");
    assert_int_equal(read.total_count, 1);
    assert_true(group_read_status(&read, &row));
    assert_str(row.id, "eci-0sim00000000000001");
    assert_str(row.name, "default-web-0");
    assert_str(row.name_space, "default");
    assert_str(row.uuid, "6c1f9a52-5b0e-4f0e-9d39-0d0f6a2f1c11");
    assert_int_equal(row.status, ECI_STATUS_RUNNING);
    assert_str(row.status_text, "Running");
    assert_str(row.phase, "Running");
    assert_str(row.qos_class, "Guaranteed");
    assert_str(row.pod_ip, "172.16.0.9");
    assert_str(row.host_ip, "172.16.0.1");
    assert_int_equal(row.pod_ips_count, 2);
    assert_str(row.pod_ips[0], "172.16.0.9");
    assert_str(row.pod_ips[1], "fd00::9");
    assert_int_equal(row.started_at_s, TIME);
    assert_int_equal(row.conditions_count, 1);
    const struct eci_condition *ready = eci_status_condition(&row, S("Ready"));
    assert_non_null(ready);
    assert_str(ready->status, "True");
    assert_str(ready->message, "all is well");
    assert_int_equal(ready->changed_at_s, TIME + 15);
    assert_null(eci_status_condition(&row, S("Other")));
    assert_int_equal(row.containers_count, 2);
    const struct eci_container *web = &row.containers[0];
    assert_str(web->name, "web");
    assert_str(web->image, "nginx:1.25");
    assert_str(web->image_id, "nginx@sha256:00");
    assert_true(web->is_ready && web->is_started);
    assert_int_equal(web->restarts, 1);
    assert_int_equal(web->now.kind, ECI_STATE_RUNNING);
    assert_int_equal(web->now.started_at_s, TIME + 55);
    assert_int_equal(web->last.kind, ECI_STATE_TERMINATED);
    assert_int_equal(web->last.exit_code, 1);
    assert_int_equal(web->last.signal, 9);
    assert_str(web->last.container_id, "containerd://ab");
    assert_int_equal(web->last.started_at_s, TIME + 5);
    assert_int_equal(web->last.finished_at_s, TIME + 45);
    const struct eci_container *side = &row.containers[1];
    assert_int_equal(side->now.kind, ECI_STATE_WAITING);
    assert_str(side->now.reason, "CrashLoopBackOff");
    assert_int_equal(side->last.kind, ECI_STATE_NONE);
    assert_false(side->is_ready);
    assert_false(group_read_is_whole(&read) && read.rows_good == 0);
    assert_false(group_read_status(&read, &row));
    assert_true(group_read_is_whole(&read));
    assert_int_equal(read.rows_good, 1);
}

static void test_group_read_status_sample(void **state)
{
    (void)state;
    check_status_row(parse(status_body));
}

/* Keys in another case; values stay. A key is a string followed by a colon. */
static void recase(const char *from, char *to, int (*change)(int), bool first_only)
{
    size_t start = 0;
    bool in_text = false;
    size_t bytes = strlen(from);
    memcpy(to, from, bytes + 1);
    for (size_t i = 0; i < bytes; i++) {
        if (from[i] != '"') {
            continue;
        }
        if (in_text && from[i + 1] == ':') {
            for (size_t k = start; k < (first_only ? start + 1 : i); k++) {
                to[k] = (char)change((unsigned char)to[k]);
            }
        }
        in_text = !in_text;
        start = i + 1;
    }
}

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static int upper(int c)
{
    return c >= 'a' && c <= 'z' ? c - 32 : c;
}

static void replace(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from);
    assert_non_null(at);
    size_t from_bytes = strlen(from), to_bytes = strlen(to);
    memmove(at + to_bytes, at + from_bytes, strlen(at + from_bytes) + 1);
    memcpy(at, to, to_bytes);
}

static void test_group_read_status_in_other_casings(void **state)
{
    char text[2 * sizeof status_body];
    (void)state;
    recase(status_body, text, lower, false);
    check_status_row(parse(text));
    recase(status_body, text, upper, false);
    check_status_row(parse(text));
    recase(status_body, text, lower, true); /* Kubernetes style: podIp, containerStatuses */
    check_status_row(parse(text));
    replace(text, "startedAtstartedAt", "startedAt");
    replace(text, "podIp", "podIP");
    replace(text, "podIps", "podIPs");
    replace(text, "hostIp", "hostIP");
    check_status_row(parse(text));
}

static void check_group_row(json root)
{
    struct group_read read;
    struct eci_group_row row;
    group_read_init(&read, root, &arena);
    assert_str(read.next_token, "");
    assert_true(group_read_group(&read, &row));
    assert_str(row.id, "eci-2ze1");
    assert_str(row.name, "default-web");
    assert_int_equal(row.status, ECI_STATUS_SCHEDULE_FAILED);
    assert_str(row.region_id, "cn-beijing");
    assert_str(row.zone_id, "cn-beijing-h");
    assert_str(row.vpc_id, "vpc-1");
    assert_str(row.vswitch_id, "vsw-1");
    assert_str(row.security_group_id, "sg-1");
    assert_str(row.resource_group_id, "rg-1");
    assert_str(row.ram_role_name, "role");
    assert_str(row.instance_type, "ecs.c6.large");
    assert_str(row.compute_category, "economy");
    assert_str(row.spot_strategy, "NoSpot");
    assert_str(row.restart_policy, "Never");
    assert_str(row.intranet_ip, "10.0.0.1");
    assert_str(row.internet_ip, "47.0.0.1");
    assert_str(row.ipv6_address, "fd00::1");
    assert_str(row.eni_id, "eni-1");
    assert_int_equal(row.cpu_milli, 250);
    assert_int_equal(row.memory_mib, 2048);
    assert_int_equal(row.ephemeral_gib, 50);
    assert_int_equal(row.created_at_s, TIME);
    assert_int_equal(row.succeeded_at_s, TIME + 1);
    assert_int_equal(row.failed_at_s, TIME + 2);
    assert_int_equal(row.expired_at_s, TIME + 3);
    assert_int_equal(row.tags_count, 2);
    assert_str(eci_group_tag(&row, S("ClusterId")), "c1");
    assert_str(eci_group_tag(&row, S("PodName")), "web");
    assert_null(eci_group_tag(&row, S("podname")).ptr);
    assert_int_equal(row.containers_count, 1);
    assert_true(row.containers[0].is_ready && row.containers[0].is_started);
    assert_int_equal(row.containers[0].restarts, 3);
    assert_int_equal(row.containers[0].cpu_milli, 1000);
    assert_int_equal(row.containers[0].memory_mib, 512);
    assert_int_equal(row.containers[0].now.kind, ECI_STATE_RUNNING);
    assert_str(row.containers[0].now.detail_status, "d");
    assert_int_equal(row.containers[0].now.started_at_s, TIME + 55);
    assert_int_equal(row.containers[0].last.kind, ECI_STATE_TERMINATED);
    assert_int_equal(row.containers[0].last.exit_code, 137);
    assert_int_equal(row.containers[0].last.signal, 9);
    assert_int_equal(row.containers[0].last.finished_at_s, TIME + 25);
    assert_int_equal(row.init_containers_count, 1);
    assert_int_equal(row.init_containers[0].now.kind, ECI_STATE_TERMINATED);
    assert_int_equal(row.init_containers[0].last.kind, ECI_STATE_NONE);
    assert_int_equal(row.events_count, 1);
    assert_str(row.events[0].name, "default-web.17a");
    assert_str(row.events[0].type, "Warning");
    assert_str(row.events[0].reason, "NoStock");
    assert_str(row.events[0].message, "none left");
    assert_int_equal(row.events[0].count, 2);
    assert_int_equal(row.events[0].first_at_s, TIME);
    assert_int_equal(row.events[0].last_at_s, TIME + 4);
    assert_false(group_read_group(&read, &row));
    assert_true(group_read_is_whole(&read));
}

static void test_group_read_group_sample(void **state)
{
    char text[2 * sizeof groups_body];
    (void)state;
    check_group_row(parse(groups_body));
    recase(groups_body, text, lower, false);
    check_group_row(parse(text));
    recase(groups_body, text, lower, true);
    check_group_row(parse(text));
}

static void test_group_read_events_sample(void **state)
{
    char text[2 * sizeof events_body];
    (void)state;
    for (int casing = 0; casing < 2; casing++) {
        struct group_read read;
        struct eci_events_row row;
        memcpy(text, events_body, sizeof events_body);
        if (casing == 1) {
            recase(events_body, text, lower, true);
        }
        group_read_init(&read, parse(text), &arena);
        assert_true(group_read_events(&read, &row));
        assert_str(row.id, "eci-2ze1");
        assert_str(row.name, "default-web");
        assert_str(row.name_space, "default");
        assert_str(row.uuid, "u-1");
        assert_int_equal(row.events_count, 1);
        assert_str(row.events[0].name, "default-web.17b");
        assert_str(row.events[0].component, "kubelet");
        assert_str(row.events[0].host, "eci");
        assert_str(row.events[0].reason, "Pulled");
        assert_int_equal(row.events[0].last_at_s, TIME + 4);
        assert_false(group_read_events(&read, &row));
        assert_true(group_read_is_whole(&read));
    }
}

/* ---- the list -------------------------------------------------------------------------------- */

/* Reads all rows of each kind and says what is left to believe. */
static struct group_read read_all(json root, int kind)
{
    struct group_read read;
    struct eci_status_row status;
    struct eci_group_row group;
    struct eci_events_row events;
    group_read_init(&read, root, &arena);
    while (kind == 0   ? group_read_status(&read, &status)
           : kind == 1 ? group_read_group(&read, &group)
                       : group_read_events(&read, &events)) {
    }
    return read;
}

static const struct {
    const char *text;
    bool is_whole;
    uint32_t good, bad;
} lists[] = {
    {"{\"Data\":[]}", true, 0, 0},
    {"{\"Data\":[],\"TotalCount\":0}", true, 0, 0},
    {"{\"TotalCount\":0}", true, 0, 0}, /* an empty list that was left out */
    {"{\"Data\":null,\"TotalCount\":0}", true, 0, 0},
    {"{\"TotalCount\":3}", false, 0, 0},
    {"{}", false, 0, 0},
    {"{\"Data\":{}}", false, 0, 0},
    {"{\"Data\":\"x\",\"TotalCount\":0}", false, 0, 0},
    {"[]", false, 0, 0},
    {"\"x\"", false, 0, 0},
    {"{\"Data\":[],\"NextToken\":7}", false, 0, 0},
    {"{\"Data\":[],\"TotalCount\":\"many\"}", false, 0, 0},
    {"{\"Data\":[{\"ContainerGroupId\":\"eci-1\"}]}", true, 1, 0},
    {"{\"Data\":[{\"ContainerGroupId\":\"eci-1\"},{}]}", false, 1, 1},
    {"{\"Data\":[{\"ContainerGroupId\":\"\"},{\"ContainerGroupId\":\"eci-1\"}]}", false, 1, 1},
    {"{\"Data\":[7,null,\"x\",[],{\"ContainerGroupId\":\"eci-1\"}]}", false, 1, 4},
    {"{\"Data\":[{\"ContainerGroupId\":7}]}", false, 0, 1},
    {"{\"Data\":[{\"ContainerGroupId\":\"eci 1\"}]}", false, 0, 1},
    {"{\"Data\":[{\"ContainerGroupId\":\"eci-1\\\"],[\\\"x\"}]}", false, 0, 1},
    {"{\"Data\":[{\"ContainerGroupId\":\"eci-1\",\"Name\":7}]}", false, 0, 1},
    {"{\"Data\":[{\"ContainerGroupId\":\"eci-1\",\"Status\":{}}]}", false, 0, 1},
    {"{\"Data\":[{\"ContainerGroupId\":\"eci-1\",\"Status\":null}]}", true, 1, 0},
};

static void test_group_read_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct group_read read = read_all(parse(lists[i].text), 0);
        if (group_read_is_whole(&read) != lists[i].is_whole || read.rows_good != lists[i].good ||
            read.rows_bad != lists[i].bad) {
            fail_msg("%s: whole %d, good %u, bad %u", lists[i].text, group_read_is_whole(&read),
                     read.rows_good, read.rows_bad);
        }
    }
}

static void test_group_read_is_not_whole_before_the_end(void **state)
{
    struct group_read read;
    struct eci_status_row row;
    (void)state;
    json root = parse("{\"Data\":[{\"ContainerGroupId\":\"a\"},{\"ContainerGroupId\":\"b\"}]}");
    group_read_init(&read, root, &arena);
    assert_false(group_read_is_whole(&read));
    assert_true(group_read_status(&read, &row));
    assert_false(group_read_is_whole(&read));
    assert_true(group_read_status(&read, &row));
    assert_true(group_read_is_whole(&read));
}

/* ---- members --------------------------------------------------------------------------------- */

/* What a member of a status row makes of the row: read, or refused. */
static const struct {
    const char *member;
    bool is_good;
} members[] = {
    {"\"PodStatus\":{}", true},
    {"\"PodStatus\":null", true},
    {"\"PodStatus\":[]", false},
    {"\"PodStatus\":\"x\"", false},
    {"\"PodStatus\":{\"StartTime\":\"yesterday\"}", true},
    {"\"PodStatus\":{\"StartTime\":7}", false},
    {"\"PodStatus\":{\"PodIps\":{}}", false},
    {"\"PodStatus\":{\"PodIps\":[7,{},{\"Ip\":\"\"}]}", true}, /* bad ones are dropped */
    {"\"PodStatus\":{\"Conditions\":[{}]}", false},
    {"\"PodStatus\":{\"Conditions\":[{\"type\":\"Ready\"}]}", true},
    {"\"PodStatus\":{\"Conditions\":[7]}", false},
    {"\"PodStatus\":{\"ContainerStatuses\":[{}]}", false},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"\"}]}", false},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\"}]}", true},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"Ready\":\"true\"}]}", true},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"Ready\":\"False\"}]}", true},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"Ready\":\"yes\"}]}", false},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"Ready\":1}]}", false},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"RestartCount\":\"7\"}]}", true},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"RestartCount\":-1}]}", false},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"RestartCount\":1.5}]}", false},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"RestartCount\":1e30}]}", false},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"State\":\"Running\"}]}", false},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"State\":{}}]}", true},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"State\":{\"Running\":7}}]}", false},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"State\":{\"Terminated\":"
     "{\"ExitCode\":99999999999}}}]}",
     false},
    {"\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"a\",\"State\":{\"Waiting\":"
     "{\"Reason\":\"x\"},\"Running\":{\"StartedAt\":\"x\"}}}]}",
     false}, /* two that speak */
};

static void test_group_read_members(void **state)
{
    char text[1024];
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        snprintf(text, sizeof text, "{\"Data\":[{\"ContainerGroupId\":\"eci-1\",%s}]}",
                 members[i].member);
        struct group_read read = read_all(parse(text), 0);
        if (read.rows_good != members[i].is_good || read.rows_bad == members[i].is_good) {
            fail_msg("%s: good %u, bad %u", members[i].member, read.rows_good, read.rows_bad);
        }
    }
}

static struct eci_state state_of(const char *state_json)
{
    char text[1024];
    struct group_read read;
    struct eci_status_row row;
    snprintf(text, sizeof text,
             "{\"Data\":[{\"ContainerGroupId\":\"eci-1\",\"PodStatus\":{\"ContainerStatuses\":"
             "[{\"Name\":\"a\",\"State\":%s}]}}]}",
             state_json);
    group_read_init(&read, parse(text), &arena);
    assert_true(group_read_status(&read, &row));
    return row.containers[0].now;
}

static void test_group_read_states(void **state)
{
    (void)state;
    assert_int_equal(state_of("null").kind, ECI_STATE_NONE);
    assert_int_equal(state_of("{\"Paused\":{}}").kind, ECI_STATE_NONE);
    assert_int_equal(state_of("{\"Running\":{}}").kind, ECI_STATE_RUNNING);
    assert_int_equal(state_of("{\"Waiting\":{}}").kind, ECI_STATE_WAITING);
    /* empty objects beside the one that speaks are overlooked, whichever comes first */
    assert_int_equal(
        state_of("{\"Waiting\":{},\"Running\":{},\"Terminated\":{\"ExitCode\":2}}").kind,
        ECI_STATE_TERMINATED);
    assert_int_equal(
        state_of("{\"Terminated\":{},\"Running\":{},\"Waiting\":{\"Reason\":\"x\"}}").kind,
        ECI_STATE_WAITING);
    assert_int_equal(
        state_of("{\"terminated\":{\"finishedAt\":\"2024-01-02T03:04:05Z\"}}").finished_at_s, TIME);
    assert_int_equal(state_of("{\"Terminated\":{\"ExitCode\":\"-5\"}}").exit_code, -5);
}

static void put_items(struct buf *out, const char *item, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_put_fmt(out, "%s%s", i > 0 ? "," : "", item);
    }
}

/* One row with `count` items in one list; what became of it. */
static struct group_read read_list_of(const char *before, const char *item, uint32_t count,
                                      const char *after, int kind)
{
    static char text[1 << 16];
    struct buf out;
    buf_init(&out, text, sizeof text);
    buf_put_text(&out, before);
    put_items(&out, item, count);
    buf_put_text(&out, after);
    assert_true(buf_ok(&out));
    return read_all(parse_text(buf_str(&out)), kind);
}

static void test_group_read_too_many_items(void **state)
{
    static const struct {
        const char *before, *item, *after;
        uint32_t max;
        int kind;
        bool may_drop;
    } cases[] = {
        {"{\"Data\":[{\"ContainerGroupId\":\"e\",\"PodStatus\":{\"ContainerStatuses\":[",
         "{\"Name\":\"a\"}", "]}}]}", ECI_CONTAINERS_MAX, 0, false},
        {"{\"Data\":[{\"ContainerGroupId\":\"e\",\"PodStatus\":{\"Conditions\":[",
         "{\"Type\":\"a\"}", "]}}]}", ECI_CONDITIONS_MAX, 0, false},
        {"{\"Data\":[{\"ContainerGroupId\":\"e\",\"PodStatus\":{\"PodIps\":[", "{\"Ip\":\"1\"}",
         "]}}]}", ECI_POD_IPS_MAX, 0, true},
        {"{\"ContainerGroups\":[{\"ContainerGroupId\":\"e\",\"Containers\":[", "{\"Name\":\"a\"}",
         "]}]}", ECI_CONTAINERS_MAX, 1, false},
        {"{\"ContainerGroups\":[{\"ContainerGroupId\":\"e\",\"InitContainers\":[",
         "{\"Name\":\"a\"}", "]}]}", ECI_CONTAINERS_MAX, 1, false},
        {"{\"ContainerGroups\":[{\"ContainerGroupId\":\"e\",\"Tags\":[", "{\"Key\":\"a\"}", "]}]}",
         ECI_TAGS_MAX, 1, false},
        {"{\"ContainerGroups\":[{\"ContainerGroupId\":\"e\",\"Events\":[", "{\"Reason\":\"a\"}",
         "]}]}", ECI_EVENTS_MAX, 1, true},
        {"{\"Data\":[{\"ContainerGroupId\":\"e\",\"Events\":[", "{\"Reason\":\"a\"}", "]}]}",
         ECI_EVENTS_MAX, 2, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct group_read read = read_list_of(cases[i].before, cases[i].item, cases[i].max,
                                              cases[i].after, cases[i].kind);
        assert_int_equal(read.rows_good, 1);
        read = read_list_of(cases[i].before, cases[i].item, cases[i].max + 1, cases[i].after,
                            cases[i].kind);
        assert_int_equal(read.rows_good, cases[i].may_drop);
        assert_int_equal(read.rows_bad, !cases[i].may_drop);
    }
}

static void test_group_read_bad_events_are_dropped_not_the_row(void **state)
{
    struct group_read read;
    struct eci_events_row row;
    (void)state;
    json root = parse("{\"Data\":[{\"ContainerGroupId\":\"e\",\"Events\":[{},7,"
                      "{\"Reason\":\"x\",\"Count\":-2},{\"Reason\":\"good\",\"Name\":\"n\","
                      "\"ReportingComponent\":\"c\",\"Count\":0}]}]}");
    group_read_init(&read, root, &arena);
    assert_true(group_read_events(&read, &row));
    assert_int_equal(row.events_count, 1);
    assert_str(row.events[0].reason, "good");
    assert_str(row.events[0].name, "n");
    assert_str(row.events[0].component, "c");
    assert_int_equal(row.events[0].count, 1);
    assert_true(group_read_events(&read, &row) == false && group_read_is_whole(&read));
}

static void test_group_read_long_texts(void **state)
{
    static char text[1 << 15];
    struct group_read read;
    struct eci_status_row row;
    (void)state;
    /* an id that is too long spoils the row; a message is cut at a character */
    for (size_t bytes = ECI_ID_BYTES_MAX; bytes <= ECI_ID_BYTES_MAX + 1; bytes++) {
        snprintf(text, sizeof text, "{\"Data\":[{\"ContainerGroupId\":\"%0*d\"}]}", (int)bytes, 1);
        assert_int_equal(read_all(parse(text), 0).rows_good, bytes <= ECI_ID_BYTES_MAX);
    }
    struct buf out;
    buf_init(&out, text, sizeof text);
    buf_put_text(&out, "{\"Data\":[{\"ContainerGroupId\":\"e\",\"PodStatus\":{\"Conditions\":"
                       "[{\"Type\":\"t\",\"Message\":\"x");
    for (int i = 0; i < 3000; i++) {
        buf_put_text(&out, "你");
    }
    buf_put_text(&out, "\"}]}}]}");
    group_read_init(&read, parse(buf_cstr(&out)), &arena);
    assert_true(group_read_status(&read, &row));
    assert_int_equal(row.conditions[0].message.bytes, 1 + 1365 * 3);
}

static void test_group_read_sizes(void **state)
{
    static const struct {
        const char *cpu;
        bool is_good;
        int64_t milli;
    } cases[] = {
        {"2", true, 2000},      {"2.0", true, 2000}, {"0.25", true, 250}, {"0", true, 0},
        {"1e3", true, 1000000}, {"-1", false, 0},    {"1e7", false, 0},   {"1e999", false, 0},
        {"\"2\"", false, 0},    {"null", true, 0},   {"[]", false, 0},    {"true", false, 0},
    };
    char text[256];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct group_read read;
        struct eci_group_row row;
        snprintf(text, sizeof text,
                 "{\"ContainerGroups\":[{\"ContainerGroupId\":\"e\",\"Cpu\":%s}]}", cases[i].cpu);
        group_read_init(&read, parse(text), &arena);
        if (group_read_group(&read, &row) != cases[i].is_good ||
            (cases[i].is_good && row.cpu_milli != cases[i].milli)) {
            fail_msg("Cpu %s", cases[i].cpu);
        }
    }
}

/* ---- damage ---------------------------------------------------------------------------------- */

static const char *const bodies[] = {status_body, groups_body, events_body};

/* Cut at each byte, it is no JSON; and every prefix closed by force is read without harm. */
static void test_group_read_cut_at_each_byte(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        size_t bytes = strlen(bodies[kind]);
        for (size_t cut = 0; cut < bytes; cut++) {
            json root = parse_text(str_make(bodies[kind], cut));
            assert_false(json_is_there(root));
            struct group_read read = read_all(root, kind);
            assert_false(group_read_is_whole(&read));
            assert_int_equal(read.rows_good, 0);
        }
    }
}

/* Each byte replaced by others: what still is JSON is read without harm. */
static void test_group_read_bent_at_each_byte(void **state)
{
    static const char bends[] = "\"{}[]:,0-.ex \\n\x80";
    static char text[4096];
    uint32_t parsed = 0;
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        size_t bytes = strlen(bodies[kind]);
        for (size_t at = 0; at < bytes; at++) {
            for (size_t b = 0; b < sizeof bends - 1; b++) {
                memcpy(text, bodies[kind], bytes);
                text[at] = bends[b];
                json root = parse_text(str_make(text, bytes));
                parsed += json_is_there(root);
                for (int k = 0; k < 3; k++) {
                    (void)read_all(root, k);
                }
            }
        }
    }
    assert_true(parsed > 1000);
}

/* The arena full at each take: the row is lost and counted, and so the page is not whole. */
static void test_group_read_arena_full_at_each_take(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        for (uint64_t nth = 1;; nth++) {
            json root = parse(bodies[kind]);
            arena_fail_at(nth);
            struct group_read read = read_all(root, kind);
            arena_fail_at(0);
            if (read.rows_good == 1) {
                assert_true(group_read_is_whole(&read));
                assert_true(nth > (kind == 2 ? 1 : 2));
                break;
            }
            assert_int_equal(read.rows_lost, 1);
            assert_false(group_read_is_whole(&read));
        }
    }
}

/* What a skipped row took is given back, so that one bad page cannot fill the arena. */
static void test_group_read_skipped_rows_leave_nothing(void **state)
{
    struct group_read read;
    struct eci_status_row row;
    (void)state;
    json root = parse("{\"Data\":[{\"ContainerGroupId\":\"\\u0065\",\"PodStatus\":{\"Conditions\":"
                      "[{\"Type\":\"a\"}],\"ContainerStatuses\":[{}]}}]}");
    group_read_init(&read, root, &arena);
    size_t mark = arena_mark(&arena);
    assert_false(group_read_status(&read, &row));
    assert_int_equal(read.rows_bad, 1);
    assert_int_equal(arena_mark(&arena), mark);
}

static void test_group_read_full_arena_stays_known(void **state)
{
    (void)state;
    json root = parse(status_body);
    assert_null(arena_take(&arena, sizeof memory));
    struct group_read read = read_all(root, 0);
    assert_int_equal(read.rows_lost, 1);
    assert_true(arena.has_failed); /* somebody else's failure is not forgotten */
}

static struct eci_state flat_state_of(const char *state_json)
{
    char text[512];
    struct group_read read;
    struct eci_group_row row;
    snprintf(text, sizeof text,
             "{\"ContainerGroups\":[{\"ContainerGroupId\":\"e\",\"Containers\":[{\"Name\":\"a\","
             "\"CurrentState\":%s}]}]}",
             state_json);
    group_read_init(&read, parse(text), &arena);
    assert_true(group_read_group(&read, &row));
    return row.containers[0].now;
}

static void test_group_read_flat_states(void **state)
{
    (void)state;
    assert_int_equal(flat_state_of("null").kind, ECI_STATE_NONE);
    assert_int_equal(flat_state_of("{}").kind, ECI_STATE_NONE);
    assert_int_equal(flat_state_of("{\"State\":\"Paused\"}").kind, ECI_STATE_NONE);
    assert_int_equal(flat_state_of("{\"State\":\"Waiting\"}").kind, ECI_STATE_WAITING);
    assert_int_equal(flat_state_of("{\"state\":\"running\"}").kind, ECI_STATE_RUNNING);
    assert_int_equal(flat_state_of("{\"State\":\"TERMINATED\"}").kind, ECI_STATE_TERMINATED);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void test_group_read_created_id(void **state)
{
    (void)state;
    json root = parse("{\"RequestId\":\"R\",\"ContainerGroupId\":\"eci-2ze1\"}");
    assert_str(group_read_created_id(root, &arena), "eci-2ze1");
    assert_str(group_read_created_id(parse("{\"containerGroupId\":\"eci-1\"}"), &arena), "eci-1");
    assert_null(group_read_created_id(parse("{}"), &arena).ptr);
    assert_null(group_read_created_id(parse("[]"), &arena).ptr);
    assert_null(group_read_created_id(JSON_NONE, &arena).ptr);
    assert_null(group_read_created_id(parse("{\"ContainerGroupId\":\"\"}"), &arena).ptr);
    assert_null(group_read_created_id(parse("{\"ContainerGroupId\":5}"), &arena).ptr);
    assert_null(group_read_created_id(parse("{\"ContainerGroupId\":\"a\\nb\"}"), &arena).ptr);
}

/* What goes into paths and requests: letters, digits, - _ . and nothing next to them in ASCII. */
static void test_eci_id_is_sane(void **state)
{
    static const struct {
        const char *id;
        bool is_sane;
    } cases[] = {
        {"eci-2ze1azAZ09_.", true},
        {"", false},
        {"a/", false},
        {"a:", false},
        {"a@", false},
        {"a[", false},
        {"a`", false},
        {"a{", false},
        {"a ", false},
        {"a\xc3\xa4", false},
    };
    char text[ECI_ID_BYTES_MAX + 1];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (eci_id_is_sane(str_of(cases[i].id)) != cases[i].is_sane) {
            fail_msg("\"%s\"", cases[i].id);
        }
    }
    memset(text, 'a', sizeof text);
    assert_true(eci_id_is_sane(str_make(text, ECI_ID_BYTES_MAX)));
    assert_false(eci_id_is_sane(str_make(text, ECI_ID_BYTES_MAX + 1)));
}

static void test_eci_status_names(void **state)
{
    static const struct {
        const char *name;
        enum eci_status status;
        bool is_terminal;
    } cases[] = {
        {"Scheduling", ECI_STATUS_SCHEDULING, false},
        {"Pending", ECI_STATUS_PENDING, false},
        {"Running", ECI_STATUS_RUNNING, false},
        {"Restarting", ECI_STATUS_RESTARTING, false},
        {"Updating", ECI_STATUS_UPDATING, false},
        {"Terminating", ECI_STATUS_TERMINATING, false},
        {"Succeeded", ECI_STATUS_SUCCEEDED, true},
        {"Failed", ECI_STATUS_FAILED, true},
        {"Expired", ECI_STATUS_EXPIRED, true},
        {"ScheduleFailed", ECI_STATUS_SCHEDULE_FAILED, true},
    };
    (void)state;
    assert_int_equal(sizeof cases / sizeof cases[0], ECI_STATUS_COUNT - 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char upper_name[32];
        enum eci_status status = cases[i].status;
        assert_int_equal(eci_status_parse(str_of(cases[i].name)), status);
        snprintf(upper_name, sizeof upper_name, "%s", cases[i].name);
        for (char *c = upper_name; *c != '\0'; c++) {
            *c = (char)upper(*c);
        }
        assert_int_equal(eci_status_parse(str_of(upper_name)), status);
        assert_string_equal(eci_status_name(status), cases[i].name);
        assert_int_equal(eci_status_is_terminal(status), cases[i].is_terminal);
        assert_int_equal(eci_status_is_live(status), !cases[i].is_terminal);
    }
    /* what we do not know is alive */
    assert_int_equal(eci_status_parse(S("Unknown")), ECI_STATUS_UNKNOWN);
    assert_int_equal(eci_status_parse(S("Hibernating")), ECI_STATUS_UNKNOWN);
    assert_int_equal(eci_status_parse(STR_NONE), ECI_STATUS_UNKNOWN);
    assert_true(eci_status_is_live(ECI_STATUS_UNKNOWN));
    assert_string_equal(eci_status_name((enum eci_status)99), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group_read_status_sample),
        cmocka_unit_test(test_group_read_status_in_other_casings),
        cmocka_unit_test(test_group_read_group_sample),
        cmocka_unit_test(test_group_read_events_sample),
        cmocka_unit_test(test_group_read_lists),
        cmocka_unit_test(test_group_read_is_not_whole_before_the_end),
        cmocka_unit_test(test_group_read_members),
        cmocka_unit_test(test_group_read_states),
        cmocka_unit_test(test_group_read_flat_states),
        cmocka_unit_test(test_group_read_too_many_items),
        cmocka_unit_test(test_group_read_bad_events_are_dropped_not_the_row),
        cmocka_unit_test(test_group_read_long_texts),
        cmocka_unit_test(test_group_read_sizes),
        cmocka_unit_test(test_group_read_cut_at_each_byte),
        cmocka_unit_test(test_group_read_bent_at_each_byte),
        cmocka_unit_test(test_group_read_arena_full_at_each_take),
        cmocka_unit_test(test_group_read_skipped_rows_leave_nothing),
        cmocka_unit_test(test_group_read_full_arena_stays_known),
        cmocka_unit_test(test_group_read_created_id),
        cmocka_unit_test(test_eci_id_is_sane),
        cmocka_unit_test(test_eci_status_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
