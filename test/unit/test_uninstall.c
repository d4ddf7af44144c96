/* see uninstall.h: a scripted API server with everything that ecilet makes */
#include "fake_api_world.h"

#include "app/uninstall.h"

enum thing { HOOK, SECRET, NODE, NODE_LEASE, LEADER_LEASE, THING_COUNT };

static const struct {
    const char *path, *resource, *name;
} things[THING_COUNT] = {
    [HOOK] = {"/mutatingwebhookconfigurations/vk-webhook", "mutatingwebhookconfigurations",
              "vk-webhook"},
    [SECRET] = {"/namespaces/kube-system/secrets/vk-webhook-certs", "secrets", "vk-webhook-certs"},
    [NODE] = {"/api/v1/nodes/vk-1", "nodes", "vk-1"},
    [NODE_LEASE] = {"/namespaces/kube-node-lease/leases/vk-1", "leases", "vk-1"},
    [LEADER_LEASE] = {"/namespaces/gates/leases/ecilet-vk-1", "leases", "ecilet-vk-1"},
};

static struct {
    bool is_there[THING_COUNT];
    bool is_refused[THING_COUNT]; /* DELETE: 403 */
    bool is_foreign_hook, is_foreign_node, has_no_v1, is_renewed, forbids_leases, is_full, is_odd;
    uint32_t pods, deletes, version;
    const char *hook_node; /* NULL: as older ones have made it */
} server;

static void absent(struct fake_conn *conn, enum thing thing)
{
    fake_reply_text(conn, 404,
                    "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\",\"message\":\"no\","
                    "\"details\":{\"kind\":\"%s\",\"name\":\"%s\"}}",
                    things[thing].resource, things[thing].name);
}

static void put_pods(struct fake_conn *conn)
{
    static char memory[8192];
    struct buf out;
    buf_init(&out, memory, sizeof memory);
    if (server.pods == 0) { /* as real servers say it */
        fake_reply_text(conn, 200, "{\"kind\":\"%s\",\"items\":null}",
                        server.is_odd ? "Status" : "PartialObjectMetadataList");
        return;
    }
    buf_put_fmt(&out, "{\"kind\":\"PartialObjectMetadataList\",\"metadata\":{%s},\"items\":[",
                server.is_full ? "\"continue\":\"x\"" : "");
    for (uint32_t i = 0; i < server.pods; i++) {
        buf_put_fmt(&out, "%s{\"metadata\":{\"namespace\":\"web\",\"name\":\"p%u\"}}",
                    i > 0 ? "," : "", i);
    }
    buf_put_text(&out, "]}");
    fake_reply(conn, 200, "", buf_str(&out));
}

static void put_thing(struct fake_conn *conn, enum thing thing)
{
    bool is_lease = thing >= NODE_LEASE;
    server.version += is_lease && server.is_renewed;
    fake_reply_text(conn, 200,
                    "{\"metadata\":{\"name\":\"%s\",\"uid\":\"uid-%u\",\"resourceVersion\":\"%u\","
                    "\"labels\":{\"type\":\"%s\"},\"annotations\":{\"%s\":\"x\",\"%s\":\"%s\"}},"
                    "\"spec\":{\"holderIdentity\":\"gateway-1\"},"
                    "\"status\":{\"nodeInfo\":{\"containerRuntimeVersion\":\"eci://1\"}}}",
                    things[thing].name, thing, server.version,
                    server.is_foreign_node ? "real" : "virtual-kubelet",
                    server.is_foreign_hook ? "other" : "ecilet/webhook-hash",
                    server.hook_node != NULL ? "ecilet/webhook-node" : "other-note",
                    server.hook_node != NULL ? server.hook_node : "");
}

static void answer(struct fake_api *api, struct fake_conn *conn, const struct fake_request *request)
{
    uint32_t at = 0;
    (void)api;
    if (fake_has(request, "/api/v1/pods?fieldSelector=spec.nodeName%3Dvk-1&limit=50")) {
        put_pods(conn);
        return;
    }
    while (at < THING_COUNT && !fake_has(request, things[at].path)) {
        at++;
    }
    assert_in_range(at, 0, THING_COUNT - 1);
    enum thing thing = (enum thing)at;
    bool is_delete = str_eq(request->method, S("DELETE"));
    if (thing == HOOK && server.has_no_v1 && fake_has(request, "/v1/")) {
        fake_reply(conn, 404, "", S("404 page not found\n"));
    } else if (thing >= NODE_LEASE && server.forbids_leases) {
        fake_reply_status(conn, 403, "Forbidden", "leases");
    } else if (!server.is_there[thing]) {
        absent(conn, thing);
    } else if (!is_delete) {
        /* no key of the Secret may travel for this */
        assert_true(thing != SECRET || str_find(request->head, S("PartialObjectMetadata")) > 0);
        put_thing(conn, thing);
    } else if (server.is_refused[thing]) {
        fake_reply_status(conn, 403, "Forbidden", things[thing].resource);
    } else {
        char uid[32];
        (void)snprintf(uid, sizeof uid, "\"uid\":\"uid-%u\"", thing);
        assert_true(str_find(request->body, str_of(uid)) > 0);
        server.is_there[thing] = false;
        server.deletes++;
        fake_reply_text(conn, 200, "{\"kind\":\"Status\",\"status\":\"Success\"}");
    }
}

static struct uninstall un;
static struct kube_calls calls;
static struct buf out;
static char out_memory[8192];

static int start(void **state)
{
    static const struct kube_calls_config config = {
        .conns_count = 1, .small_count = 4, .small_bytes = 16 * 1024, .large_count = 4,
        .large_bytes = UNINSTALL_REPLY_BYTES + 16 * 1024};
    (void)state;
    memset(&server, 0, sizeof server);
    for (uint32_t i = 0; i < THING_COUNT; i++) {
        server.is_there[i] = true;
    }
    fake_step_ms = 10;
    world_start(answer);
    kube_calls_init(&calls, &world.loop, &world.region, &world.auth, &world.arena, &config);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kube_calls_stop(&calls);
    assert_int_equal(world.arena.used, 0);
    world_stop();
    return 0;
}

static void run(bool is_real, bool is_forced)
{
    const struct uninstall_config config = {.loop = &world.loop,
                                            .calls = &calls,
                                            .arena = &world.arena,
                                            .node_name = S("vk-1"),
                                            .leader_namespace = S("gates"),
                                            .is_real = is_real,
                                            .is_forced = is_forced,
                                            .out = &out};
    memset(out_memory, 0, sizeof out_memory);
    buf_init(&out, out_memory, sizeof out_memory - 1);
    uninstall_init(&un, &config);
    uninstall_start(&un);
    assert_true(FAKE_UNTIL(&world.loop, 60000, un.is_done));
}

static void assert_says(const char *line)
{
    if (strstr(out_memory, line) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", line, out_memory);
    }
}

static void test_it_says_what_it_would_do(void **state)
{
    (void)state;
    msec began = fake_now_ms;
    run(false, false);
    assert_in_range(fake_now_ms - began, UNINSTALL_WATCH_MS, UNINSTALL_WATCH_MS + 3000);
    assert_string_equal(out_memory, "would remove  MutatingWebhookConfiguration vk-webhook\n"
                                    "would remove  Secret kube-system/vk-webhook-certs\n"
                                    "would remove  Node vk-1\n"
                                    "would remove  Lease kube-node-lease/vk-1\n"
                                    "would remove  Lease gates/ecilet-vk-1\n");
    assert_int_equal(server.deletes, 0);
    assert_int_equal(un.removed, 5);
    assert_int_equal(un.left + un.failed, 0);
}

static void test_it_removes_everything_of_ours(void **state)
{
    (void)state;
    run(true, false);
    assert_int_equal(server.deletes, 5);
    assert_says("removed       Node vk-1\n");
    run(true, false); /* and finds nothing then, without waiting */
    assert_says("not there     Node vk-1\n");
    assert_says("not there     MutatingWebhookConfiguration vk-webhook\n");
    assert_int_equal(un.removed + un.left + un.failed, 0);
}

static void test_a_running_ecilet_is_seen(void **state)
{
    (void)state;
    server.is_renewed = true;
    run(true, false);
    assert_true(un.is_in_use);
    assert_string_equal(un.holder, "gateway-1");
    assert_int_equal(server.deletes, 0);
    assert_string_equal(out_memory, "");
    run(true, true); /* --force */
    assert_false(un.is_in_use);
    assert_int_equal(server.deletes, 5);
}

static void test_leases_that_cannot_be_read_may_be_renewed(void **state)
{
    (void)state;
    server.forbids_leases = true;
    run(true, false);
    assert_int_equal(un.failed, 1);
    assert_int_equal(server.deletes, 0);
    assert_says("failed        Lease kube-node-lease/vk-1: ");
}

static void test_a_node_with_pods_stays(void **state)
{
    (void)state;
    server.pods = 2;
    run(true, false);
    assert_says("left          Node vk-1: it has 2 pods, delete them first: web/p0 web/p1\n");
    assert_says("left          Lease kube-node-lease/vk-1: it belongs to the node\n");
    assert_true(server.is_there[NODE] && server.is_there[NODE_LEASE]);
    assert_int_equal(server.deletes, 3);
    assert_int_equal(un.left, 2);
    server.pods = 50;
    server.is_full = true;
    run(true, false);
    assert_says("it has more than 50 pods, delete them first: web/p0 web/p1 web/p2 web/p3 web/p4 "
                "...\n");
}

static void test_a_node_whose_pods_are_not_known_stays(void **state)
{
    (void)state;
    server.is_odd = true;
    run(true, false);
    assert_says("left          Node vk-1: its pods cannot be listed\n");
    assert_true(server.is_there[NODE] && server.is_there[NODE_LEASE]);
}

static void test_what_is_not_ours_stays(void **state)
{
    (void)state;
    server.is_foreign_hook = server.is_foreign_node = true;
    run(true, false);
    assert_says("left          MutatingWebhookConfiguration vk-webhook: it was not made by ecilet");
    assert_says("left          Node vk-1: it is no node of ecilet\n");
    assert_true(server.is_there[HOOK] && server.is_there[NODE] && server.is_there[NODE_LEASE]);
    assert_says(
        "left          Secret kube-system/vk-webhook-certs: it may belong to that vk-webhook");
    assert_true(server.is_there[SECRET]);
    assert_int_equal(un.left, 4);
}

static void test_what_another_node_has_registered_stays(void **state)
{
    (void)state;
    server.hook_node = "vk-2";
    run(true, false);
    assert_says("left          MutatingWebhookConfiguration vk-webhook: a gateway of another node "
                "has made it\n");
    assert_says("left          Secret kube-system/vk-webhook-certs: it may belong to that");
    assert_says("removed       Node vk-1\n");
    assert_true(server.is_there[HOOK] && server.is_there[SECRET] && !server.is_there[NODE]);
    server.hook_node = "vk-1";
    run(true, false); /* the second half, later */
    assert_says("removed       MutatingWebhookConfiguration vk-webhook\n");
    assert_says("removed       Secret kube-system/vk-webhook-certs\n");
    assert_says("not there     Node vk-1\n");
}

/* Whatever a first try has left: the second removes the rest, and only that. */
static void test_every_half_finished_state(void **state)
{
    (void)state;
    for (uint32_t left = 0; left < 1u << THING_COUNT; left++) {
        server.deletes = 0;
        uint32_t count = 0;
        for (uint32_t i = 0; i < THING_COUNT; i++) {
            server.is_there[i] = left >> i & 1;
            count += left >> i & 1;
        }
        run(true, true);
        assert_int_equal(server.deletes, count);
        assert_int_equal(un.removed, count);
        assert_int_equal(un.left + un.failed, 0);
    }
}

static void test_what_is_refused_is_told_and_the_rest_goes_on(void **state)
{
    (void)state;
    server.is_refused[SECRET] = server.is_refused[NODE] = true;
    run(true, false);
    assert_says("failed        Secret kube-system/vk-webhook-certs: ");
    assert_says("failed        Node vk-1: ");
    assert_int_equal(un.failed, 2);
    assert_int_equal(un.left, 1);
    assert_int_equal(server.deletes, 2);
}

static void test_a_server_before_1_16(void **state)
{
    (void)state;
    server.has_no_v1 = true;
    run(true, false);
    assert_int_equal(server.deletes, 5);
    assert_int_equal(fake_seen(&world.api, "DELETE /apis/admissionregistration.k8s.io/v1beta1/"),
                     1);
}

static void test_a_server_that_is_away(void **state)
{
    (void)state;
    fake_api_stop(&world.api);
    run(true, true);
    assert_int_equal(un.failed, 5);
    assert_int_equal(un.removed, 0);
    fake_api_restart(&world.api);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_says_what_it_would_do),
        TEST(test_it_removes_everything_of_ours),
        TEST(test_a_running_ecilet_is_seen),
        TEST(test_leases_that_cannot_be_read_may_be_renewed),
        TEST(test_a_node_with_pods_stays),
        TEST(test_a_node_whose_pods_are_not_known_stays),
        TEST(test_what_is_not_ours_stays),
        TEST(test_what_another_node_has_registered_stays),
        TEST(test_every_half_finished_state),
        TEST(test_what_is_refused_is_told_and_the_rest_goes_on),
        TEST(test_a_server_before_1_16),
        TEST(test_a_server_that_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
