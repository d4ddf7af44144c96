/* see lease.h */
#include "fake_api_world.h"

#include "kube/lease.h"

static struct kube_lease lease;

static struct heard {
    uint32_t good, bad, foreign;
    enum err err;
    char why[256];
    char holder[64];
    msec good_at_ms;
} heard;

static void on_result(struct kube_lease *l, enum err err, const char *why)
{
    assert_ptr_equal(l->owner, &heard);
    heard.good += err == ERR_OK;
    heard.bad += err != ERR_OK;
    heard.err = err;
    (void)str_copy(heard.why, sizeof heard.why, str_of(why));
    if (err == ERR_OK) {
        heard.good_at_ms = fake_now_ms;
    }
}

static void on_foreign(struct kube_lease *l, str holder)
{
    (void)l;
    heard.foreign++;
    (void)str_copy(heard.holder, sizeof heard.holder, holder);
}

static const struct kube_lease_handlers handlers = {on_result, on_foreign};

/* ---- a server with one lease ----------------------------------------------------------------- */

enum fault { GOOD, IS_SILENT, IS_CUT, IS_503, IS_401, LANDS_LATE };

static struct server {
    bool has_v1, has_beta, has_namespace;
    bool has_lease;
    uint32_t version;
    char holder[64];
    char renew_time[64];
    char owner_uid[64];
    enum fault fault;
    uint32_t faults;
    uint32_t writes;
} server;

static void put_lease(struct fake_conn *conn, int status)
{
    fake_reply_text(conn, status,
                    "{\"kind\":\"Lease\",\"metadata\":{\"name\":\"vk-1\",\"namespace\":"
                    "\"kube-node-lease\",\"resourceVersion\":\"%u\",\"ownerReferences\":[{\"kind\":"
                    "\"Node\",\"uid\":\"%s\"}]},\"spec\":{\"holderIdentity\":\"%s\","
                    "\"leaseDurationSeconds\":40,\"renewTime\":\"%s\"}}\n",
                    server.version, server.owner_uid, server.holder, server.renew_time);
}

/* Reads a text member without json_read.h: takes of arenas may be made to fail. */
static void copy_member(str body, const char *key, char *to, size_t to_bytes)
{
    char start[64];
    (void)snprintf(start, sizeof start, "\"%s\":\"", key);
    ptrdiff_t at = str_find(body, str_of(start));
    if (at >= 0) {
        str rest = str_sub(body, (size_t)at + strlen(start), body.bytes);
        assert_true(str_copy(to, to_bytes, str_sub(rest, 0, (size_t)str_find_char(rest, '"'))));
    }
}

static void take_write(const struct fake_request *request)
{
    if (str_find(request->body, S("\"holderIdentity\":null")) >= 0) {
        server.holder[0] = '\0';
        server.version++;
        server.writes++;
        return;
    }
    assert_true(str_find(request->body, S("\"leaseDurationSeconds\":40")) >= 0);
    copy_member(request->body, "holderIdentity", server.holder, sizeof server.holder);
    copy_member(request->body, "renewTime", server.renew_time, sizeof server.renew_time);
    copy_member(request->body, "uid", server.owner_uid, sizeof server.owner_uid);
    server.version++;
    server.writes++;
    server.has_lease = true;
}

/* The write is conditional: its resourceVersion must be ours. */
static bool is_current(const struct fake_request *request)
{
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "\"resourceVersion\":\"%u\"", server.version);
    return str_find(request->body, str_of(wanted)) >= 0;
}

static bool answer_fault(struct fake_conn *conn, const struct fake_request *request)
{
    if (server.faults == 0) {
        return false;
    }
    server.faults--;
    switch (server.fault) {
    case GOOD:
        return false;
    case IS_SILENT:
        return true;
    case IS_CUT:
        fake_raw(conn, S("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"));
        return true;
    case IS_503:
        fake_reply(conn, 503, "", S("etcd is away"));
        return true;
    case IS_401:
        fake_reply_status(conn, 401, "Unauthorized", "");
        return true;
    case LANDS_LATE:
        take_write(request); /* done, but the reply is lost */
        fake_raw(conn, STR_NONE);
        return true;
    }
    return false;
}

static void answer(struct fake_api *api, struct fake_conn *conn, const struct fake_request *request)
{
    (void)api;
    bool is_v1 = fake_has(request, "/apis/coordination.k8s.io/v1/");
    if (answer_fault(conn, request)) {
        return;
    }
    if (!(is_v1 ? server.has_v1 : server.has_beta)) {
        fake_reply(conn, 404, "", S("404 page not found\n"));
    } else if (str_eq(request->method, S("POST"))) {
        assert_true(fake_has(request, "/namespaces/kube-node-lease/leases"));
        if (!server.has_namespace) {
            fake_reply_status(conn, 404, "NotFound", "namespaces");
        } else if (server.has_lease) {
            fake_reply_status(conn, 409, "AlreadyExists", "leases");
        } else {
            take_write(request);
            put_lease(conn, 201);
        }
    } else if (!server.has_lease) {
        fake_reply_status(conn, 404, "NotFound", "leases");
    } else if (str_eq(request->method, S("GET"))) {
        put_lease(conn, 200);
    } else if (!is_current(request)) {
        fake_reply_status(conn, 409, "Conflict", "leases");
    } else {
        take_write(request);
        put_lease(conn, 200);
    }
}

static int start(void **state)
{
    static const struct kube_lease_config config = {
        .name = {"vk-1", 4}, .holder = {"me", 2}, .handlers = &handlers, .owner = &heard};
    (void)state;
    memset(&heard, 0, sizeof heard);
    server =
        (struct server){.has_v1 = true, .has_beta = true, .has_namespace = true, .version = 10};
    fake_step_ms = 5;
    world_start(answer);
    kube_lease_init(&lease, &world.loop, &world.region, &world.auth, &world.arena, 7, &config);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kube_lease_stop(&lease);
    world_stop();
    return 0;
}

static void other_renews(const char *holder)
{
    server.has_lease = true;
    server.version++;
    (void)snprintf(server.holder, sizeof server.holder, "%s", holder);
    (void)snprintf(server.renew_time, sizeof server.renew_time, "other-%u", server.version);
}

static void run_to_first(void)
{
    kube_lease_start(&lease);
    assert_true(FAKE_UNTIL(&world.loop, 1000, heard.good == 1));
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_makes_then_renews_each_ten_seconds(void **state)
{
    (void)state;
    run_to_first();
    assert_int_equal(lease.creates, 1);
    assert_string_equal(server.holder, "me");
    assert_int_equal(strlen(server.renew_time), strlen("2025-06-01T00:00:00.000000Z"));
    fake_pass(&world.loop, 60000);
    assert_in_range(heard.good, 6, 7);
    assert_int_equal(heard.bad, 0);
    assert_int_equal(world.api.requests, 2 + heard.good - 1); /* read, make, then one patch each */
    assert_int_equal(world.api.accepted, 1);
}

static void test_takes_over_what_it_held_before_a_restart(void **state)
{
    (void)state;
    other_renews("me");
    run_to_first();
    assert_int_equal(lease.creates, 0);
    assert_int_equal(heard.foreign, 0);
    assert_int_equal(world.api.requests, 2);
}

static void test_made_again_when_deleted(void **state)
{
    (void)state;
    run_to_first();
    server.has_lease = false;
    assert_true(FAKE_UNTIL(&world.loop, 11000, heard.good == 2));
    assert_int_equal(lease.creates, 2);
    assert_int_equal(heard.bad, 0);
}

static void test_node_becomes_its_owner(void **state)
{
    (void)state;
    run_to_first();
    kube_lease_set_node(&lease, S("uid-of-the-node"));
    assert_true(FAKE_UNTIL(&world.loop, 11000, heard.good == 2));
    assert_string_equal(server.owner_uid, "uid-of-the-node");
    assert_true(FAKE_UNTIL(&world.loop, 11000, heard.good == 3));
    assert_null(strstr(world.api.last_body, "ownerReferences")); /* said once */
}

static void test_stop_in_the_middle_is_silent(void **state)
{
    (void)state;
    server.fault = IS_SILENT;
    server.faults = 1;
    kube_lease_start(&lease);
    fake_pass(&world.loop, 500);
    kube_lease_stop(&lease);
    fake_pass(&world.loop, 60000);
    assert_int_equal(heard.good + heard.bad, 0);
    assert_int_equal(world.api.requests, 1);
    run_to_first(); /* and may be started again */
}

static void test_another_holder_is_not_fought(void **state)
{
    (void)state;
    other_renews("another");
    kube_lease_start(&lease);
    for (int i = 0; i < 12; i++) {
        fake_pass(&world.loop, 10000);
        other_renews("another");
    }
    assert_int_equal(server.writes, 0);
    assert_int_equal(heard.good, 0);
    assert_in_range(heard.foreign, 11, 13);
    assert_string_equal(heard.holder, "another");
    assert_true(lease.is_foreign);
    msec dead_ms = fake_now_ms;
    assert_true(FAKE_UNTIL(&world.loop, 60000, heard.good == 1)); /* it has died */
    assert_in_range(fake_now_ms - dead_ms, 39000, 61000);
    assert_string_equal(server.holder, "me");
    assert_false(lease.is_foreign);
}

static void test_a_twin_is_noticed(void **state)
{
    (void)state;
    run_to_first();
    other_renews("me"); /* somebody with our name writes */
    assert_true(FAKE_UNTIL(&world.loop, 11000, heard.foreign == 1));
    assert_string_equal(heard.holder, "me");
    assert_int_equal(lease.conflicts, 1);
    fake_pass(&world.loop, 5000);
    assert_int_equal(heard.good, 1);
}

static void test_somebody_elses_label_is_no_twin(void **state)
{
    (void)state;
    run_to_first();
    server.version++; /* the object was touched, our renewTime is still there */
    assert_true(FAKE_UNTIL(&world.loop, 11000, heard.good == 2));
    assert_int_equal(heard.foreign, 0);
}

static void test_a_late_write_of_ours_is_no_twin(void **state)
{
    (void)state;
    run_to_first();
    server.fault = LANDS_LATE;
    server.faults = 1;
    assert_true(FAKE_UNTIL(&world.loop, 15000, heard.good == 2));
    assert_int_equal(heard.bad, 1);
    assert_int_equal(heard.foreign, 0);
}

static void test_silence_is_left_after_eight_seconds(void **state)
{
    (void)state;
    run_to_first();
    server.fault = IS_SILENT;
    server.faults = 1;
    assert_true(FAKE_UNTIL(&world.loop, 20000, heard.bad == 1));
    assert_int_equal(heard.err, ERR_TIMEOUT);
    assert_in_range(fake_now_ms - heard.good_at_ms, 17900, 18100);
    assert_true(FAKE_UNTIL(&world.loop, 500, heard.good == 2));
    assert_int_equal(world.api.accepted, 2); /* dialled afresh */
}

static void test_failures_are_retried_within_the_period(void **state)
{
    static const enum fault faults[] = {IS_CUT, IS_503, IS_401};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        run_to_first();
        server.fault = faults[i];
        server.faults = 4;
        assert_true(FAKE_UNTIL(&world.loop, 15000, heard.good == 2));
        assert_int_equal(heard.bad, 4);
        assert_true(fake_now_ms - lease.renewed_at_ms < 1000);
        (void)stop(NULL);
        (void)start(NULL);
    }
}

static void test_server_away_for_minutes(void **state)
{
    (void)state;
    run_to_first();
    fake_api_stop(&world.api);
    fake_pass(&world.loop, 120000);
    assert_int_equal(heard.err, ERR_REFUSED_CONN);
    assert_in_range(heard.bad, 40, 90);
    fake_api_restart(&world.api);
    assert_true(FAKE_UNTIL(&world.loop, 3000, heard.good == 2));
}

static void test_rotated_token_costs_nothing(void **state)
{
    (void)state;
    run_to_first();
    fake_pass(&world.loop, 9000);
    world_set_token("token-2");
    server.fault = IS_401;
    server.faults = 1;
    fake_pass(&world.loop, 1500);
    assert_int_equal(world.auth.reloads, 1);
    assert_int_equal(heard.bad, 0);
    assert_int_equal(heard.good, 2);
}

static void test_beta_is_used_where_v1_is_missing(void **state)
{
    (void)state;
    server.has_v1 = false;
    run_to_first();
    assert_int_equal(fake_seen(&world.api, "PATCH"), 0);
    assert_int_equal(fake_seen(&world.api, "coordination.k8s.io/v1beta1"), 2);
    assert_true(FAKE_UNTIL(&world.loop, 11000, heard.good == 2));
    assert_int_equal(fake_seen(&world.api, "PATCH /apis/coordination.k8s.io/v1beta1"), 1);
}

/* A proxy in front whose backends are away: it must not look like a server without leases. */
static void test_pages_of_a_proxy_do_not_stop_it(void **state)
{
    (void)state;
    run_to_first();
    server.has_v1 = server.has_beta = false; /* 404 without a Status, on every path */
    fake_pass(&world.loop, 15000);
    assert_true(heard.bad > 0);
    server.has_v1 = true;
    assert_true(FAKE_UNTIL(&world.loop, 2 * KUBE_LEASE_RETRY_MAX_MS, heard.good == 2));
}

static void test_no_leases_at_all_is_said_once(void **state)
{
    (void)state;
    server.has_v1 = server.has_beta = false;
    fake_step_ms = 20;
    kube_lease_start(&lease);
    fake_pass(&world.loop, KUBE_LEASE_UNSUPPORTED_MS * 10 / 3);
    assert_int_equal(heard.bad, 1);
    assert_int_equal(heard.err, ERR_UNSUPPORTED);
    assert_in_range(world.api.requests, 6, 8);
    server.has_v1 = true; /* upgraded */
    assert_true(FAKE_UNTIL(&world.loop, KUBE_LEASE_UNSUPPORTED_MS + 1000, heard.good == 1));
}

static void test_missing_namespace_is_said_once_and_awaited(void **state)
{
    (void)state;
    server.has_namespace = false;
    kube_lease_start(&lease);
    fake_pass(&world.loop, 60000);
    assert_int_equal(heard.bad, 1);
    assert_int_equal(heard.err, ERR_UNSUPPORTED);
    server.has_namespace = true;
    assert_true(FAKE_UNTIL(&world.loop, 11000, heard.good == 1));
}

static void test_each_take_of_memory_may_fail(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 40; n++) {
        kube_lease_start(&lease);
        arena_fail_at(n);
        assert_true(FAKE_UNTIL(&world.loop, 30000, heard.good >= 3));
        arena_fail_at(0);
        assert_int_equal(heard.foreign, 0);
        (void)stop(NULL);
        (void)start(NULL);
    }
}

static void test_secrets_do_not_stay_in_the_request(void **state)
{
    (void)state;
    run_to_first();
    assert_true(str_find(str_make(lease.request.ptr, lease.request.bytes_max), S("token-1")) < 0);
}

static void test_release_gives_it_to_the_next_one(void **state)
{
    (void)state;
    run_to_first();
    kube_lease_release(&lease);
    assert_true(kube_lease_is_busy(&lease));
    assert_true(FAKE_UNTIL(&world.loop, 1000, !kube_lease_is_busy(&lease)));
    assert_string_equal(server.holder, "");
    uint32_t requests = world.api.requests;
    fake_pass(&world.loop, 60000); /* and no more renewals */
    assert_int_equal(world.api.requests, requests);
    assert_int_equal(heard.good, 1);
    heard.good = 0;
    run_to_first(); /* nobody's: taken at once */
    assert_string_equal(server.holder, "me");
}

static void test_release_waits_for_the_renewal_under_way(void **state)
{
    (void)state;
    run_to_first();
    assert_true(FAKE_UNTIL(&world.loop, 11000, kube_lease_is_busy(&lease)));
    uint32_t requests = world.api.requests;
    kube_lease_release(&lease);
    assert_string_equal(server.holder, "me");
    assert_true(FAKE_UNTIL(&world.loop, 1000, !kube_lease_is_busy(&lease)));
    assert_string_equal(server.holder, "");
    fake_pass(&world.loop, 60000);
    assert_in_range(world.api.requests, requests + 1, requests + 2);
    heard.good = 0;
    run_to_first(); /* and may be started again */
    fake_pass(&world.loop, 60000);
    assert_in_range(heard.good, 6, 7);
}

static void test_release_ends_with_a_renewal_that_fails(void **state)
{
    (void)state;
    run_to_first();
    server.fault = IS_503;
    server.faults = 1;
    assert_true(FAKE_UNTIL(&world.loop, 11000, kube_lease_is_busy(&lease)));
    kube_lease_release(&lease);
    assert_true(FAKE_UNTIL(&world.loop, 1000, !kube_lease_is_busy(&lease)));
    uint32_t requests = world.api.requests;
    fake_pass(&world.loop, 60000);
    assert_int_equal(world.api.requests, requests);
    assert_string_equal(server.holder, "me"); /* it runs out by itself */
}

static void test_release_of_what_is_not_ours_says_nothing(void **state)
{
    (void)state;
    other_renews("another");
    kube_lease_start(&lease);
    assert_true(FAKE_UNTIL(&world.loop, 1000, heard.foreign == 1));
    kube_lease_release(&lease);
    fake_pass(&world.loop, 60000);
    assert_int_equal(server.writes, 0);
    assert_string_equal(server.holder, "another");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_makes_then_renews_each_ten_seconds),
        TEST(test_takes_over_what_it_held_before_a_restart),
        TEST(test_made_again_when_deleted),
        TEST(test_node_becomes_its_owner),
        TEST(test_stop_in_the_middle_is_silent),
        TEST(test_another_holder_is_not_fought),
        TEST(test_a_twin_is_noticed),
        TEST(test_somebody_elses_label_is_no_twin),
        TEST(test_a_late_write_of_ours_is_no_twin),
        TEST(test_silence_is_left_after_eight_seconds),
        TEST(test_failures_are_retried_within_the_period),
        TEST(test_server_away_for_minutes),
        TEST(test_rotated_token_costs_nothing),
        TEST(test_beta_is_used_where_v1_is_missing),
        TEST(test_pages_of_a_proxy_do_not_stop_it),
        TEST(test_no_leases_at_all_is_said_once),
        TEST(test_missing_namespace_is_said_once_and_awaited),
        TEST(test_each_take_of_memory_may_fail),
        TEST(test_release_gives_it_to_the_next_one),
        TEST(test_release_waits_for_the_renewal_under_way),
        TEST(test_release_ends_with_a_renewal_that_fails),
        TEST(test_release_of_what_is_not_ours_says_nothing),
        TEST(test_secrets_do_not_stay_in_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
