/* see call.h */
#include "fake_api_world.h"

#include "kube/call.h"

static struct kube_calls calls;

/* What on_done got, copied. */
static struct outcome {
    uint32_t count;
    enum err err;
    int status;
    int64_t retry_after_s;
    uint32_t op;
    handle about;
    char body[32 * 1024];
    char why[512];
    char reason[64];
    uint32_t ops[64]; /* in the order in which they ended */
} last;

static void on_done(void *owner, const struct kube_reply *reply)
{
    assert_ptr_equal(owner, &last);
    last.ops[last.count++ % COUNT_OF(last.ops)] = reply->op;
    last.err = reply->err;
    last.status = reply->status;
    last.retry_after_s = reply->retry_after_s;
    last.op = reply->op;
    last.about = reply->about;
    (void)str_copy(last.body, sizeof last.body, reply->body);
    (void)str_copy(last.why, sizeof last.why, reply->why);
    (void)str_copy(last.reason, sizeof last.reason, reply->why_status.reason);
}

/* ---- the server's side: what it does is chosen by the path ----------------------------------- */

static void answer(struct fake_api *api, struct fake_conn *conn, const struct fake_request *request)
{
    static const char big[5000] = {'"', 'x'};
    if (fake_has(request, "/hang")) {
        fake_hang(conn);
    } else if (fake_has(request, "/slow")) {
        return;
    } else if (fake_has(request, "/cut")) {
        fake_raw(conn, S("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"));
    } else if (fake_has(request, "/drop")) {
        fake_raw(conn, STR_NONE);
    } else if (fake_has(request, "/busy")) {
        fake_reply(conn, 429, "Retry-After: 7\r\n", S("too many"));
    } else if (fake_has(request, "/missing")) {
        fake_reply_status(conn, 404, "NotFound", "pods");
    } else if (fake_has(request, "/big")) {
        fake_reply(conn, 200, "", str_make(big, sizeof big));
    } else if (fake_has(request, "/strict") && str_find(request->head, S("Bearer token-2")) < 0) {
        fake_reply_status(conn, 401, "Unauthorized", "");
    } else {
        fake_reply_text(conn, 200, "{\"n\":%u}", api->requests);
    }
}

static void start_with(uint32_t conns_count)
{
    const struct kube_calls_config config = {.conns_count = conns_count,
                                             .small_count = 8,
                                             .small_bytes = 4096,
                                             .large_count = 2,
                                             .large_bytes = 64 * 1024};
    memset(&last, 0, sizeof last);
    world_start(answer);
    kube_calls_init(&calls, &world.loop, &world.region, &world.auth, &world.arena, &config);
}

static int start(void **state)
{
    (void)state;
    start_with(1);
    return 0;
}

static int start_four(void **state)
{
    (void)state;
    start_with(4);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kube_calls_stop(&calls);
    assert_int_equal(calls.sizes[0].pool.count, 0);
    assert_int_equal(calls.sizes[1].pool.count, 0);
    world_stop();
    return 0;
}

static enum err send(enum kube_verb verb, enum kube_rank rank, const char *path, str body,
                     size_t reply_bytes, uint32_t op, handle *out)
{
    const struct kube_request request = {.verb = verb,
                                         .rank = rank,
                                         .path = str_of(path),
                                         .body = body,
                                         .reply_bytes = reply_bytes,
                                         .on_done = on_done,
                                         .owner = &last,
                                         .about = {op, 1},
                                         .op = op};
    return kube_call_send(&calls, &request, out);
}

static void run(enum kube_verb verb, const char *path, str body, size_t reply_bytes)
{
    uint32_t before = last.count;
    assert_int_equal(send(verb, KUBE_RANK_HIGH, path, body, reply_bytes, 7, NULL), ERR_OK);
    assert_true(FAKE_UNTIL(&world.loop, 60000, last.count == before + 1));
    assert_int_equal(last.op, 7);
    assert_int_equal(last.about.slot, 7);
}

static void test_each_verb_says_what_it_is(void **state)
{
    static const struct {
        enum kube_verb verb;
        const char *seen;
        const char *type;
    } rows[] = {
        {KUBE_GET, "GET /api/v1/x", NULL},
        {KUBE_CREATE, "POST /api/v1/x", "application/json"},
        {KUBE_UPDATE, "PUT /api/v1/x", "application/json"},
        {KUBE_MERGE_PATCH, "PATCH /api/v1/x", "application/merge-patch+json"},
        {KUBE_STRATEGIC_PATCH, "PATCH /api/v1/x", "application/strategic-merge-patch+json"},
        {KUBE_DELETE, "DELETE /api/v1/x", "application/json"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char line[128];
        str body = rows[i].verb == KUBE_GET ? STR_NONE : S("{\"a\":1}");
        run(rows[i].verb, "/api/v1/x", body, 100);
        assert_int_equal(last.err, ERR_OK);
        assert_string_equal(world.api.seen[i], rows[i].seen);
        assert_non_null(strstr(world.api.last_head, "Authorization: Bearer token-1\r\n"));
        assert_non_null(strstr(world.api.last_head, "Accept: application/json\r\n"));
        assert_non_null(strstr(world.api.last_head, "User-Agent: test/1\r\n"));
        (void)snprintf(line, sizeof line, "Content-Type: %s\r\n", rows[i].type);
        assert_true((strstr(world.api.last_head, line) != NULL) == (rows[i].type != NULL));
        assert_text(body, world.api.last_body);
    }
    assert_int_equal(world.api.accepted, 1);
}

static void test_reply_is_given_only_when_wanted(void **state)
{
    (void)state;
    run(KUBE_GET, "/a", STR_NONE, 64);
    assert_string_equal(last.body, "{\"n\":1}");
    run(KUBE_MERGE_PATCH, "/a", S("{}"), 0);
    assert_string_equal(last.body, "");
    assert_int_equal(last.err, ERR_OK);
}

static void test_reply_over_the_bound_is_too_big(void **state)
{
    (void)state;
    run(KUBE_GET, "/big", STR_NONE, 6000); /* takes a large slot, which has room */
    assert_int_equal(last.err, ERR_OK);
    run(KUBE_GET, "/big", STR_NONE, 1500);
    assert_int_equal(last.err, ERR_TOO_BIG);
    run(KUBE_DELETE, "/big", S("{}"), 0);
    assert_int_equal(last.err, ERR_OK);
}

static void test_failures_carry_the_servers_words(void **state)
{
    (void)state;
    run(KUBE_GET, "/missing", STR_NONE, 100);
    assert_int_equal(last.err, ERR_NOT_FOUND);
    assert_int_equal(last.status, 404);
    assert_string_equal(last.reason, "NotFound");
    assert_string_equal(last.why, "404 NotFound: scripted NotFound");
    run(KUBE_GET, "/busy", STR_NONE, 100);
    assert_int_equal(last.err, ERR_THROTTLED);
    assert_int_equal(last.retry_after_s, 7);
}

static void test_lost_writes_are_unknown_and_lost_reads_are_not(void **state)
{
    static const char *const paths[] = {"/cut", "/drop", "/hang"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        run(KUBE_MERGE_PATCH, paths[i], S("{}"), 0);
        assert_int_equal(last.err, ERR_LOST_WRITE);
        assert_string_not_equal(last.why, "");
        run(KUBE_GET, paths[i], STR_NONE, 0);
        assert_int_equal(last.err, i == 2 ? ERR_TIMEOUT : ERR_CLOSED);
    }
    fake_api_stop(&world.api);
    run(KUBE_MERGE_PATCH, "/a", S("{}"), 0);
    assert_int_equal(last.err, ERR_REFUSED_CONN); /* never sent: nothing can have landed */
}

/* The headers grow into the room of the reply that is being judged. */
static void test_rotated_token_that_does_not_fit_is_not_shown(void **state)
{
    static char body[4096 - KUBE_REPLY_BYTES_MIN - 116]; /* fills a small slot with token-1 */
    char token[400];
    (void)state;
    memset(body, ' ', sizeof body);
    memset(token, 'T', sizeof token - 1);
    token[sizeof token - 1] = '\0';
    fake_pass(&world.loop, 2 * HTTP_CONNECT_MS);
    world_set_token(token);
    assert_int_equal(
        send(KUBE_CREATE, KUBE_RANK_HIGH, "/strict", str_make(body, sizeof body), 0, 7, NULL),
        ERR_OK);
    assert_int_equal(calls.sizes[1].pool.count, 0);
    assert_true(FAKE_UNTIL(&world.loop, 60000, last.count == 1));
    assert_int_equal(last.err, ERR_AUTH);
    assert_int_equal(world.auth.reloads, 1);
    assert_null(strstr(last.why, "TTTT"));
    assert_null(strstr(last.reason, "TTTT"));
}

static void test_rotated_token_is_tried_at_once(void **state)
{
    (void)state;
    fake_pass(&world.loop, 2 * HTTP_CONNECT_MS); /* loads are not closer together than that */
    world_set_token("token-2-longer-than-before\n");
    run(KUBE_CREATE, "/strict", S("{\"a\":1}"), 64);
    assert_int_equal(last.err, ERR_OK);
    assert_int_equal(world.api.requests, 2);
    assert_string_equal(world.api.last_body, "{\"a\":1}");
    assert_int_equal(world.auth.reloads, 1);
}

static void test_refused_token_without_news_is_an_error(void **state)
{
    (void)state;
    run(KUBE_CREATE, "/strict", S("{}"), 64);
    assert_int_equal(last.err, ERR_AUTH);
    assert_int_equal(world.api.requests, 1);
}

static void test_high_rank_overtakes(void **state)
{
    (void)state;
    assert_int_equal(send(KUBE_GET, KUBE_RANK_LOW, "/1", STR_NONE, 0, 1, NULL), ERR_OK);
    assert_int_equal(send(KUBE_GET, KUBE_RANK_LOW, "/2", STR_NONE, 0, 2, NULL), ERR_OK);
    assert_int_equal(send(KUBE_GET, KUBE_RANK_NORMAL, "/3", STR_NONE, 0, 3, NULL), ERR_OK);
    assert_int_equal(send(KUBE_GET, KUBE_RANK_HIGH, "/4", STR_NONE, 0, 4, NULL), ERR_OK);
    assert_true(FAKE_UNTIL(&world.loop, 1000, last.count == 4));
    assert_int_equal(last.ops[0], 1); /* was already under way */
    assert_int_equal(last.ops[1], 4);
    assert_int_equal(last.ops[2], 3);
    assert_int_equal(last.ops[3], 2);
}

/* Statuses of many pods leave a connection to the reads of a new one; deletes come first again as
 * soon as one of theirs is free. */
static void test_high_rank_leaves_a_connection(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(send(KUBE_GET, KUBE_RANK_HIGH, "/slow", STR_NONE, 0, i, NULL), ERR_OK);
    }
    assert_int_equal(calls.running_high, 3);
    assert_int_equal(send(KUBE_GET, KUBE_RANK_NORMAL, "/n", STR_NONE, 0, 9, NULL), ERR_OK);
    assert_true(FAKE_UNTIL(&world.loop, 1000, last.count == 1));
    assert_int_equal(last.op, 9);
    assert_int_equal(last.err, ERR_OK);
    assert_int_equal(calls.running, 3);
    assert_true(FAKE_UNTIL(&world.loop, 60000, last.count == 6));
    assert_int_equal(calls.running, 0);
    assert_int_equal(calls.running_high, 0);
}

static void test_idle_is_an_open_connection_to_spare(void **state)
{
    (void)state;
    assert_false(kube_calls_idle(&calls)); /* none is open yet */
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(send(KUBE_GET, KUBE_RANK_NORMAL, "/n", STR_NONE, 0, i, NULL), ERR_OK);
    }
    assert_true(FAKE_UNTIL(&world.loop, 1000, last.count == 2));
    assert_int_equal(world.api.accepted, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(kube_calls_idle(&calls));
        assert_int_equal(send(KUBE_GET, KUBE_RANK_NORMAL, "/n", STR_NONE, 0, i, NULL), ERR_OK);
    }
    assert_false(kube_calls_idle(&calls));
    assert_true(FAKE_UNTIL(&world.loop, 1000, last.count == 4));
    assert_int_equal(world.api.accepted, 2);
}

static void test_full_slots_keep_a_reserve(void **state)
{
    uint32_t low = 0, normal = 0, high = 0;
    (void)state;
    while (send(KUBE_GET, KUBE_RANK_LOW, "/slow", STR_NONE, 0, 1, NULL) == ERR_OK) {
        low++;
    }
    while (send(KUBE_GET, KUBE_RANK_NORMAL, "/slow", STR_NONE, 0, 1, NULL) == ERR_OK) {
        normal++;
    }
    while (send(KUBE_GET, KUBE_RANK_HIGH, "/slow", STR_NONE, 0, 1, NULL) == ERR_OK) {
        high++;
    }
    assert_int_equal(low, 4 + 1); /* half of the small, half of the large */
    assert_int_equal(normal, 3);
    assert_int_equal(high, 2);
    assert_true(FAKE_UNTIL(&world.loop, 60000, last.count == 10)); /* all time out */
    assert_int_equal(last.err, ERR_TIMEOUT);
}

static void test_waiting_has_a_deadline(void **state)
{
    (void)state;
    assert_int_equal(send(KUBE_GET, KUBE_RANK_HIGH, "/hang", STR_NONE, 0, 1, NULL), ERR_OK);
    assert_int_equal(send(KUBE_MERGE_PATCH, KUBE_RANK_HIGH, "/b", S("{}"), 0, 2, NULL), ERR_OK);
    assert_true(FAKE_UNTIL(&world.loop, KUBE_CALL_DEADLINE_MS + 1000, last.count == 2));
    assert_int_equal(last.op, 2);
    assert_int_equal(last.err, ERR_TIMEOUT); /* it was never sent, so it is not lost */
}

static void test_throttling_holds_events_back_only(void **state)
{
    (void)state;
    run(KUBE_GET, "/busy", STR_NONE, 0);
    assert_int_equal(send(KUBE_GET, KUBE_RANK_LOW, "/1", STR_NONE, 0, 1, NULL), ERR_OK);
    run(KUBE_GET, "/2", STR_NONE, 0);
    assert_false(FAKE_UNTIL(&world.loop, 6000, last.count == 3));
    assert_true(FAKE_UNTIL(&world.loop, 3000, last.count == 3));
    assert_int_equal(last.err, ERR_OK);
}

static void test_cancelled_calls_are_silent(void **state)
{
    handle first, second;
    (void)state;
    assert_int_equal(send(KUBE_GET, KUBE_RANK_HIGH, "/slow", STR_NONE, 0, 1, &first), ERR_OK);
    assert_int_equal(send(KUBE_GET, KUBE_RANK_HIGH, "/2", STR_NONE, 0, 2, &second), ERR_OK);
    fake_pass(&world.loop, 100);
    kube_call_cancel(&calls, second);
    kube_call_cancel(&calls, first);
    kube_call_cancel(&calls, first); /* stale: nothing */
    fake_pass(&world.loop, 20000);
    assert_int_equal(last.count, 0);
    run(KUBE_GET, "/3", STR_NONE, 0);
    assert_int_equal(last.err, ERR_OK);
}

static void test_stop_cancels_what_runs_and_what_waits(void **state)
{
    (void)state;
    assert_int_equal(send(KUBE_GET, KUBE_RANK_HIGH, "/slow", STR_NONE, 0, 1, NULL), ERR_OK);
    assert_int_equal(send(KUBE_GET, KUBE_RANK_LOW, "/2", STR_NONE, 0, 2, NULL), ERR_OK);
    fake_pass(&world.loop, 100);
    kube_calls_stop(&calls);
    assert_int_equal(calls.running, 0);
    fake_pass(&world.loop, 20000);
    assert_int_equal(last.count, 0);
}

static void test_too_big_a_request_is_refused(void **state)
{
    static char body[70000];
    (void)state;
    assert_int_equal(
        send(KUBE_CREATE, KUBE_RANK_HIGH, "/a", str_make(body, sizeof body), 0, 1, NULL),
        ERR_TOO_BIG);
    run(KUBE_CREATE, "/a", str_make(body, 60000), 0); /* a large slot */
    assert_int_equal(last.err, ERR_OK);
}

static bool has_text(const char *memory, size_t bytes, const char *text)
{
    return str_find(str_make(memory, bytes), str_of(text)) >= 0;
}

static void test_slots_are_wiped(void **state)
{
    (void)state;
    run(KUBE_CREATE, "/a", S("{\"token\":\"body-secret\"}"), 64);
    assert_false(has_text(calls.sizes[0].texts, 8 * 4096, "token-1"));
    assert_false(has_text(calls.sizes[0].texts, 8 * 4096, "body-secret"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
#define TEST_OF_FOUR(name) cmocka_unit_test_setup_teardown(name, start_four, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_verb_says_what_it_is),
        TEST(test_reply_is_given_only_when_wanted),
        TEST(test_reply_over_the_bound_is_too_big),
        TEST(test_failures_carry_the_servers_words),
        TEST(test_lost_writes_are_unknown_and_lost_reads_are_not),
        TEST(test_rotated_token_that_does_not_fit_is_not_shown),
        TEST(test_rotated_token_is_tried_at_once),
        TEST(test_refused_token_without_news_is_an_error),
        TEST(test_high_rank_overtakes),
        TEST_OF_FOUR(test_high_rank_leaves_a_connection),
        TEST_OF_FOUR(test_idle_is_an_open_connection_to_spare),
        TEST(test_full_slots_keep_a_reserve),
        TEST(test_waiting_has_a_deadline),
        TEST(test_throttling_holds_events_back_only),
        TEST(test_cancelled_calls_are_silent),
        TEST(test_stop_cancels_what_runs_and_what_waits),
        TEST(test_too_big_a_request_is_refused),
        TEST(test_slots_are_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
