/* see preflight.h: scripted servers for both sides, and this machine's ports */
#include "fake_api_world.h"

#include <time.h>

#include "app/connect.h"
#include "app/preflight.h"
#include "base/codec.h"
#include "os/sock.h"

static struct {
    const char *denied; /* reviews whose body holds this are answered with "no" */
    int status;         /* of everything, 0: as it should be */
    const char *reason;
    const char *node; /* NULL: absent */
    const char *lease, *leaders_lease;
    bool forbids_reviews, is_slow, is_no_review;
    int64_t ahead_s; /* its clock */
    uint32_t others; /* requests that change something */
} server;

static void reply_dated(struct fake_conn *conn, int status, const char *body)
{
    char date[64];
    time_t now = (time_t)(fake_wall_ms / 1000 + server.ahead_s);
    struct tm parts;
    (void)strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n",
                   gmtime_r(&now, &parts));
    fake_reply(conn, status, date, str_of(body));
}

static void absent(struct fake_conn *conn, const char *resource, const char *name)
{
    char body[512];
    (void)snprintf(body, sizeof body,
                   "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\",\"message\":\"no\","
                   "\"details\":{\"kind\":\"%s\",\"name\":\"%s\"}}",
                   resource, name);
    reply_dated(conn, 404, body);
}

static void put_lease(struct fake_conn *conn, const char *renewed)
{
    char body[512];
    if (renewed == NULL) {
        absent(conn, "leases", "vk-1");
        return;
    }
    (void)snprintf(body, sizeof body,
                   "{\"spec\":{\"holderIdentity\":\"gateway-2\",\"renewTime\":\"%s\"}}", renewed);
    reply_dated(conn, 200, body);
}

static void answer(struct fake_api *api, struct fake_conn *conn, const struct fake_request *request)
{
    (void)api;
    bool is_review = fake_has(request, "/selfsubjectaccessreviews");
    server.others += !is_review && !str_eq(request->method, S("GET"));
    if (server.is_slow) {
        fake_hang(conn);
    } else if (server.status != 0) {
        fake_reply_status(conn, server.status, server.reason, "");
    } else if (fake_has(request, "/version")) {
        reply_dated(conn, 200, "{\"major\":\"1\",\"minor\":\"30\",\"gitVersion\":\"v1.30.1\"}");
    } else if (is_review && server.forbids_reviews) {
        fake_reply_status(conn, 403, "Forbidden", "selfsubjectaccessreviews");
    } else if (is_review && server.is_no_review) {
        reply_dated(conn, 201, "<html>");
    } else if (is_review) {
        bool is_no = server.denied != NULL && str_find(request->body, str_of(server.denied)) >= 0;
        reply_dated(conn, 201,
                    is_no ? "{\"status\":{\"allowed\":false}}" : "{\"status\":{\"allowed\":true}}");
    } else if (fake_has(request, "/api/v1/nodes/vk-1")) {
        if (server.node == NULL) {
            absent(conn, "nodes", "vk-1");
        } else {
            reply_dated(conn, 200, server.node);
        }
    } else if (fake_has(request, "/namespaces/kube-node-lease/leases/vk-1")) {
        put_lease(conn, server.lease);
    } else {
        assert_true(fake_has(request, "/namespaces/gates/leases/ecilet-vk-1"));
        put_lease(conn, server.leaders_lease);
    }
}

/* ---- the cloud ------------------------------------------------------------------------------- */

static struct fake_api sky;
static struct {
    const char *code; /* of the error; NULL: well */
    int status;
    const char *only; /* only this action fails */
    const char *rows;
} clouds;

static void answer_cloud(struct fake_api *api, struct fake_conn *conn,
                         const struct fake_request *request)
{
    char body[512];
    (void)api;
    bool is_it = clouds.only == NULL || fake_has(request, clouds.only) ||
                 str_find(request->body, str_of(clouds.only)) >= 0;
    assert_true(str_find(request->body, S("Action=Describe")) >= 0 ||
                fake_has(request, "Action=Describe"));
    if (clouds.code != NULL && is_it) {
        (void)snprintf(body, sizeof body,
                       "{\"Code\":\"%s\",\"Message\":\"no\",\"RequestId\":\"r-1\"}", clouds.code);
        reply_dated(conn, clouds.status, body);
    } else {
        (void)snprintf(body, sizeof body,
                       "{\"RequestId\":\"r-1\",\"ContainerGroups\":[%s],\"Data\":[]}", clouds.rows);
        reply_dated(conn, 200, body);
    }
}

/* ---- the world ------------------------------------------------------------------------------- */

static struct kube_calls calls;
static struct eci_client client;
static struct config config; /* zero but for what is looked at */
static struct preflight preflight;
static struct buf out;
static char out_memory[16384];
static char endpoint[64];

static int start(void **state)
{
    static const struct kube_calls_config calls_config = {.conns_count = 4,
                                                          .small_count = 8,
                                                          .small_bytes = 16 * 1024,
                                                          .large_count = 4,
                                                          .large_bytes = 272 * 1024};
    (void)state;
    memset(&server, 0, sizeof server);
    memset(&clouds, 0, sizeof clouds);
    memset(&config, 0, sizeof config);
    clouds.rows = "";
    fake_step_ms = 10;
    world_start(answer);
    fake_api_start(&sky, &world.loop, answer_cloud, NULL);
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", sky.port);
    kube_calls_init(&calls, &world.loop, &world.region, &world.auth, &world.arena, &calls_config);
    const struct eci_call_config cloud = {.endpoint = str_of(endpoint),
                                          .region_id = S("cn-beijing"),
                                          .arena = &world.arena,
                                          .small_count = 2,
                                          .small_bytes = 64 * 1024,
                                          .page_count = 2,
                                          .page_bytes = 256 * 1024,
                                          .kept_max = 1};
    assert_int_equal(eci_client_init(&client, &world.loop, &world.region, &cloud), ERR_OK);
    assert_int_equal(eci_client_set_keys(&client, S("id"), S("PlantedSecret"), STR_NONE), ERR_OK);
    config.node_name = S("vk-1");
    config.leader_namespace = S("gates");
    config.aliyun_clusterid = S("idc1");
    config.eci_endpoint = str_of(endpoint);
    config.eci_region = S("cn-beijing");
    memset(out_memory, 0, sizeof out_memory);
    buf_init(&out, out_memory, sizeof out_memory - 1);
    preflight = (struct preflight){.out = &out};
    return 0;
}

static int stop(void **state)
{
    (void)state;
    assert_int_equal(server.others, 0);
    assert_null(strstr(out_memory, "Planted"));
    kube_calls_stop(&calls);
    eci_client_stop(&client);
    assert_int_equal(world.arena.used, 0);
    fake_api_stop(&sky);
    world_stop();
    return 0;
}

static void ask_cluster(void)
{
    static struct preflight_cluster cluster;
    cluster = (struct preflight_cluster){.preflight = &preflight,
                                         .config = &config,
                                         .calls = &calls,
                                         .loop = &world.loop,
                                         .arena = &world.arena};
    msec began = fake_now_ms;
    preflight_cluster_start(&cluster);
    assert_true(FAKE_UNTIL(&world.loop, 60000, cluster.is_done));
    assert_in_range(fake_now_ms - began, 0, PREFLIGHT_MS + 1000);
}

static void ask_cloud(void)
{
    static struct preflight_cloud cloud;
    cloud = (struct preflight_cloud){
        .preflight = &preflight, .config = &config, .client = &client, .loop = &world.loop};
    msec began = fake_now_ms;
    preflight_cloud_start(&cloud);
    assert_true(FAKE_UNTIL(&world.loop, 60000, cloud.is_done));
    assert_in_range(fake_now_ms - began, 0, PREFLIGHT_MS + 1000);
}

static void assert_says(const char *line)
{
    if (strstr(out_memory, line) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", line, out_memory);
    }
}

static void assert_silent_about(const char *text)
{
    if (strstr(out_memory, text) != NULL) {
        fail_msg("\"%s\" is in:\n%s", text, out_memory);
    }
}

/* ---- the API server -------------------------------------------------------------------------- */

static void test_all_is_well(void **state)
{
    (void)state;
    ask_cluster();
    assert_false(preflight.has_failed);
    assert_says("answers (v1.30.1)\n");
    assert_says("ok    API clock      as ours, give or take 1 s\n");
    assert_says("ok    credentials    accepted\n");
    assert_says(" are there\n");
    assert_says("ok    node           vk-1 is not there yet\n");
    assert_says("ok    lease          nobody renews it\n");
    assert_silent_about("warn");
    uint32_t asked = fake_seen(&world.api, "selfsubjectaccessreviews");
    assert_in_range(asked, 20, PREFLIGHT_QUESTIONS_MAX);
    config.webhook = config.leader_elect = true; /* more is needed */
    ask_cluster();
    assert_false(preflight.has_failed);
    assert_in_range(fake_seen(&world.api, "selfsubjectaccessreviews") - asked, asked + 12,
                    PREFLIGHT_QUESTIONS_MAX);
}

static void test_what_is_missing_is_listed(void **state)
{
    (void)state;
    server.denied = "\"verb\":\"patch\",\"group\":\"\",\"resource\":\"pods\",\"subresource\":"
                    "\"status\"";
    ask_cluster();
    assert_true(preflight.has_failed);
    assert_says("FAIL  permissions    1 of ");
    assert_says("missing: apply `ecilet manifests --nodename vk-1`\n");
    assert_says(
        "\n                     may not patch pods/status (phase, containers, addresses)\n");
    assert_says("ok    node "); /* the rest goes on */
    server.denied = "verb";     /* everything */
    config.webhook = config.leader_elect = true;
    ask_cluster();
    assert_says("may not get, patch, delete secrets vk-webhook-certs in kube-system (... and its "
                "renewal)\n");
    assert_true(buf_ok(&out));
}

static void test_names_and_namespaces_are_those_of_the_rules(void **state)
{
    (void)state;
    config.webhook = config.leader_elect = true;
    static const struct {
        const char *denied, *says;
    } rows[] = {
        {"\"resource\":\"nodes\",\"subresource\":\"\",\"namespace\":\"\",\"name\":\"vk-1\"",
         "may not get, list, watch, patch, delete nodes vk-1 ("},
        {"\"namespace\":\"kube-node-lease\",\"name\":\"vk-1\"",
         "may not get, patch, delete leases vk-1 in kube-node-lease ("},
        {"\"namespace\":\"gates\",\"name\":\"ecilet-vk-1\"",
         "may not get, patch, delete leases ecilet-vk-1 in gates ("},
        {"\"namespace\":\"gates\",\"name\":\"\"", "may not create leases in gates ("},
        {"\"namespace\":\"kube-system\",\"name\":\"eci-profile\"",
         "may not get, list, watch configmaps eci-profile in kube-system ("},
        {"\"namespace\":\"kube-system\",\"name\":\"vk-webhook-certs\"",
         "may not get, patch, delete secrets vk-webhook-certs in kube-system ("},
        {"\"namespace\":\"\",\"name\":\"vk-webhook\"",
         "may not get, patch, delete mutatingwebhookconfigurations vk-webhook ("},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        server.denied = rows[i].denied;
        ask_cluster();
        assert_says(rows[i].says);
        memset(out_memory, 0, sizeof out_memory);
        buf_clear(&out);
    }
}

static void test_credentials_that_are_refused(void **state)
{
    (void)state;
    server.status = 401;
    server.reason = "Unauthorized";
    ask_cluster();
    assert_says("ok    API server");
    assert_says("FAIL  credentials    refused: ");
    assert_silent_about("permissions");
}

static void test_permissions_that_may_not_be_asked_for(void **state)
{
    (void)state;
    server.forbids_reviews = true;
    ask_cluster();
    assert_false(preflight.has_failed);
    assert_says("warn  permissions    not known, for they may not be asked for: ");
    assert_says("ok    node ");
    assert_silent_about("accepted");
}

static void test_answers_that_are_none(void **state)
{
    (void)state;
    server.is_no_review = true;
    ask_cluster();
    assert_says("FAIL  permissions    not known: the answer is no SelfSubjectAccessReview\n");
    assert_silent_about("all ");
}

static void test_a_server_that_is_away_or_silent(void **state)
{
    (void)state;
    server.status = 500;
    server.reason = "InternalError";
    ask_cluster();
    assert_says("FAIL  API server     http://127.0.0.1:");
    server.status = 0;
    server.is_slow = true;
    preflight.has_failed = false;
    ask_cluster();
    assert_true(preflight.has_failed);
    fake_api_stop(&world.api);
    preflight.has_failed = false;
    ask_cluster();
    assert_true(preflight.has_failed);
    assert_says("refused");
    fake_api_restart(&world.api);
}

static void test_a_clock_that_differs(void **state)
{
    (void)state;
    server.ahead_s = 90;
    ask_cluster();
    assert_says(" s ahead of ours: certificates");
    assert_false(preflight.has_failed);
}

static void test_whose_node_it_is(void **state)
{
    (void)state;
    server.node = "{\"metadata\":{\"labels\":{\"type\":\"virtual-kubelet\"}},\"status\":{"
                  "\"nodeInfo\":{\"containerRuntimeVersion\":\"eci://1\"}}}";
    ask_cluster();
    assert_says("ok    node           vk-1 is there, made by ecilet\n");
    server.node = "{\"metadata\":{\"labels\":{\"type\":\"virtual-kubelet\"}}}";
    ask_cluster();
    assert_says("warn  node           vk-1 is that of another virtual kubelet: ");
    assert_false(preflight.has_failed);
    server.lease = "2025-06-01T00:00:00.000000Z";
    server.node = "{\"status\":{\"nodeInfo\":{\"containerRuntimeVersion\":\"containerd://1\"}}}";
    ask_cluster();
    assert_says(
        "FAIL  node           vk-1 exists and is no virtual node: choose another NODE_NAME");
    assert_true(preflight.has_failed);
    assert_silent_about("renewed"); /* its kubelet does */
}

static void set_time(char *text, int64_t ago_s)
{
    struct buf time;
    buf_init(&time, text, 64);
    codec_put_micro_time(&time, fake_wall_ms + (server.ahead_s - ago_s) * 1000);
    (void)buf_cstr(&time);
}

static void test_somebody_renews_the_lease(void **state)
{
    char fresh[64], stale[64];
    (void)state;
    server.ahead_s = 3600; /* it is the server's clock that counts */
    set_time(fresh, 7);
    set_time(stale, 45);
    server.lease = stale;
    ask_cluster();
    assert_says("ok    lease          nobody renews it\n");
    server.lease = fresh;
    ask_cluster();
    assert_says("s ago by gateway-2: another ecilet runs with this node name");
    assert_false(preflight.has_failed);
    buf_clear(&out);
    memset(out_memory, 0, sizeof out_memory);
    config.leader_elect = true;
    server.leaders_lease = fresh;
    ask_cluster();
    assert_says("ok    lease          gateway-2 leads; ");
    assert_silent_about("another ecilet runs");
    server.leaders_lease = stale; /* who renews the node's has no election */
    ask_cluster();
    assert_says("another ecilet runs");
}

/* ---- the cloud ------------------------------------------------------------------------------- */

static void test_the_cloud_is_well(void **state)
{
    (void)state;
    ask_cloud();
    assert_false(preflight.has_failed);
    assert_says("ok    cloud          http://127.0.0.1:");
    assert_says("ok    cloud clock    as ours");
    assert_says("ok    cloud keys     accepted\n");
    assert_says("an empty list does not prove that one would be shown\n");
    assert_says("-     cloud writes   not tried: ");
    clouds.rows = "{\"ContainerGroupId\":\"eci-1\"}";
    ask_cloud();
    assert_says("instances of this node are there and can be read\n");
}

static void test_the_cloud_refuses(void **state)
{
    (void)state;
    clouds.code = "SignatureDoesNotMatch";
    clouds.status = 400;
    ask_cloud();
    assert_true(preflight.has_failed);
    assert_says("FAIL  cloud keys     400 SignatureDoesNotMatch");
    assert_silent_about("accepted");
    clouds.code = "Forbidden.RAM";
    clouds.status = 403;
    clouds.only = "DescribeContainerGroupStatus";
    ask_cloud();
    assert_says("ok    cloud keys     accepted\n");
    assert_says("FAIL  cloud rights   eci:DescribeContainerGroupStatus is refused: 403 "
                "Forbidden.RAM");
    assert_silent_about("not tried");
    buf_clear(&out);
    memset(out_memory, 0, sizeof out_memory);
    clouds.code = "InvalidRegionId.NotFound"; /* says nothing about the keys */
    clouds.status = 404;
    clouds.only = NULL;
    ask_cloud();
    assert_says("FAIL  cloud rights   eci:DescribeContainerGroups is refused: 404 InvalidRegionId");
    assert_silent_about("accepted");
}

static void test_the_cloud_is_away(void **state)
{
    (void)state;
    fake_api_stop(&sky);
    ask_cloud();
    assert_true(preflight.has_failed);
    assert_says("FAIL  cloud          ");
    assert_silent_about("ok ");
    fake_api_restart(&sky);
}

static void test_the_clouds_clock(void **state)
{
    (void)state;
    server.ahead_s = -120;
    ask_cloud();
    assert_says(" s behind ours: ecilet goes by the cloud's");
    assert_false(preflight.has_failed);
}

/* ---- this machine ---------------------------------------------------------------------------- */

static void test_ports(void **state)
{
    char path[160];
    int fd = -1, status_fd = -1;
    struct sock_addr addr = {.family = 4}, bound;
    (void)state;
    (void)snprintf(path, sizeof path, "%s/status.sock", world.dir);
    config.status_socket = str_of(path);
    assert_int_equal(sock_listen(&addr, 1, &fd, &bound), ERR_OK);
    config.kubelet_port = bound.port;
    preflight_ports(&preflight, &config, "");
    assert_true(preflight.has_failed);
    assert_says("cannot be used: another process has it\n");
    assert_says("ok    status socket  ");
    assert_silent_about("webhook");

    assert_int_equal(sock_local_listen(path, &status_fd), ERR_OK); /* an ecilet runs */
    preflight.has_failed = false;
    preflight_ports(&preflight, &config, "192.0.2.1");
    assert_false(preflight.has_failed);
    assert_says("by the ecilet that runs here, it seems\n");
    assert_says("an ecilet runs here already\n");
    sock_close(&status_fd);
    (void)unlink(path);

    sock_close(&fd);
    config.webhook = true;
    config.webhook_port = bound.port;
    preflight_ports(&preflight, &config, "");
    assert_false(preflight.has_failed);
    assert_says("ok    kubelet port   port ");
    assert_says("ok    webhook port   port ");
    config.status_socket = S("/nonexistent/x.sock");
    preflight_ports(&preflight, &config, "");
    assert_says(
        "warn  status socket  /nonexistent/x.sock: /nonexistent: No such file or directory");
}

/* A port that is taken for IPv6, and free for IPv4. False: a machine without IPv6. */
static bool take_port(int *fd, struct sock_addr *bound)
{
    struct sock_addr here;
    assert_true(sock_addr_parse(S("::1"), 0, &here));
    while (sock_listen(&here, 1, fd, bound) == ERR_OK) {
        int other = -1;
        const struct sock_addr all = {.family = 4, .port = bound->port};
        if (sock_listen(&all, 1, &other, NULL) == ERR_OK) {
            sock_close(&other);
            return true;
        }
        sock_close(fd); /* somebody else's */
    }
    return false;
}

/* They are tried as `run` will listen on them: a port that is taken for IPv6 only is free for the
 * node of an IPv4 address. */
static void test_ports_are_tried_by_the_address_of_the_node(void **state)
{
    static const struct {
        const char *address, *webhook_url;
        bool kubelet_fails, webhook_fails;
    } cases[] = {
        {"", "", false, false},
        {"192.0.2.1", "https://192.0.2.1:8443", false, false},
        {"192.0.2.1", "https://[2001:db8::1]:8443", false, true},
        {"2001:db8::1", "", true, true},
    };
    char path[160], address[64];
    int fd = -1;
    struct sock_addr bound;
    (void)state;
    (void)snprintf(path, sizeof path, "%s/status.sock", world.dir);
    config.status_socket = str_of(path);
    if (!take_port(&fd, &bound)) {
        skip();
    }
    config.webhook = true;
    config.kubelet_port = config.webhook_port = bound.port;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        config.webhook_url = str_of(cases[i].webhook_url);
        buf_clear(&out);
        memset(out_memory, 0, sizeof out_memory);
        preflight_ports(&preflight, &config, cases[i].address);
        assert_says(cases[i].kubelet_fails ? "FAIL  kubelet port" : "ok    kubelet port");
        assert_says(cases[i].webhook_fails ? "FAIL  webhook port" : "ok    webhook port");
    }
    sock_close(&fd);

    config.vkubelet_pod_ip = STR_NONE; /* found out: our own on the way to the API server */
    assert_true(connect_address(&world.auth, &config, address));
    assert_string_equal(address, "127.0.0.1");
    config.vkubelet_pod_ip = S("2001:db8::1");
    assert_true(connect_address(&world.auth, &config, address));
    assert_string_equal(address, "2001:db8::1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_is_well),
        TEST(test_what_is_missing_is_listed),
        TEST(test_names_and_namespaces_are_those_of_the_rules),
        TEST(test_credentials_that_are_refused),
        TEST(test_permissions_that_may_not_be_asked_for),
        TEST(test_answers_that_are_none),
        TEST(test_a_server_that_is_away_or_silent),
        TEST(test_a_clock_that_differs),
        TEST(test_whose_node_it_is),
        TEST(test_somebody_renews_the_lease),
        TEST(test_the_cloud_is_well),
        TEST(test_the_cloud_refuses),
        TEST(test_the_cloud_is_away),
        TEST(test_the_clouds_clock),
        TEST(test_ports),
        TEST(test_ports_are_tried_by_the_address_of_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
