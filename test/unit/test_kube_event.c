/* see event.h */
#include "fake_api_world.h"

#include "data/json_read.h"
#include "kube/event.h"

static struct kube_calls calls;
static struct kube_events events;

/* ---- a server that keeps the newest event ---------------------------------------------------- */

static struct server {
    int status; /* answer to everything; 0: do it */
    const char *reason;
    uint32_t faults;    /* how many more requests get it */
    bool loses_replies; /* does it, then cuts the connection */
    uint32_t creates, patches;
    int64_t count; /* of the newest */
    char name[256], path[512], message[1100];
} server;

static void take(const struct fake_request *request)
{
    json root;
    size_t mark = arena_mark(&world.arena);
    assert_int_equal(json_parse(request->body, &world.arena, &root, NULL), ERR_OK);
    server.count = json_i64_or(json_get(root, "count"), -1);
    if (str_eq(request->method, S("POST"))) {
        str name = json_text(json_get(json_get(root, "metadata"), "name"), &world.arena);
        str message = json_text(json_get(root, "message"), &world.arena);
        server.creates++;
        assert_true(str_copy(server.name, sizeof server.name, name));
        assert_true(str_copy(server.message, sizeof server.message, message));
    } else {
        server.patches++;
    }
    (void)str_copy(server.path, sizeof server.path, request->path);
    arena_rewind(&world.arena, mark);
}

static void answer(struct fake_api *api, struct fake_conn *conn, const struct fake_request *request)
{
    (void)api;
    if (server.faults > 0) {
        server.faults--;
        fake_reply_status(conn, server.status, server.reason, "events");
        return;
    }
    take(request);
    if (server.loses_replies) {
        server.loses_replies = false;
        server.status = 409;
        server.reason = "AlreadyExists";
        server.faults = 1;
        fake_raw(conn, STR_NONE);
        return;
    }
    fake_reply(conn, 201, "", S("{}"));
}

static void start_with(uint32_t entries_max, uint32_t per_minute_max)
{
    static const struct kube_calls_config calls_config = {
        .conns_count = 1, .small_count = 8, .small_bytes = 8192, .large_count = 2,
        .large_bytes = 16384};
    const struct kube_events_config config = {.component = S("ecilet"),
                                              .host = S("vk-1"),
                                              .entries_max = entries_max,
                                              .objects_max = 64,
                                              .per_minute_max = per_minute_max};
    memset(&server, 0, sizeof server);
    fake_step_ms = 5;
    world_start(answer);
    kube_calls_init(&calls, &world.loop, &world.region, &world.auth, &world.arena, &calls_config);
    kube_events_init(&events, &world.loop, &world.region, &calls, 3, &config);
}

static int start(void **state)
{
    (void)state;
    start_with(16, 600);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kube_calls_stop(&calls);
    world_stop();
    return 0;
}

static void post_to(const char *name, const char *reason, str message)
{
    const struct kube_event event = {.kind = KUBE_POD,
                                     .name_space = S("web"),
                                     .name = str_of(name),
                                     .uid = str_of(name),
                                     .is_warning = true,
                                     .reason = str_of(reason),
                                     .message = message};
    kube_event_post(&events, &event);
}

static void post(const char *reason)
{
    post_to("nginx-1", reason, S("it did not work"));
}

static bool is_quiet(void)
{
    return kube_events_waiting(&events) == 0;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_first_occurrence_is_posted(void **state)
{
    json root;
    (void)state;
    post("ProviderCreateFailed");
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    assert_string_equal(world.api.seen[0], "POST /api/v1/namespaces/web/events");
    assert_int_equal(json_parse(str_of(world.api.last_body), &world.arena, &root, NULL), ERR_OK);
    json about = json_get(root, "involvedObject");
    json source = json_get(root, "source");
    assert_true(json_text_is(json_get(about, "kind"), "Pod"));
    assert_true(json_text_is(json_get(about, "apiVersion"), "v1"));
    assert_true(json_text_is(json_get(about, "namespace"), "web"));
    assert_true(json_text_is(json_get(about, "name"), "nginx-1"));
    assert_true(json_text_is(json_get(about, "uid"), "nginx-1"));
    assert_true(json_text_is(json_get(root, "type"), "Warning"));
    assert_true(json_text_is(json_get(root, "reason"), "ProviderCreateFailed"));
    assert_true(json_text_is(json_get(root, "reportingComponent"), "ecilet"));
    assert_true(json_text_is(json_get(root, "reportingInstance"), "vk-1"));
    assert_true(json_text_is(json_get(source, "component"), "ecilet"));
    assert_true(json_text_is(json_get(source, "host"), "vk-1"));
    assert_int_equal(server.count, 1);
    assert_int_equal(strlen("nginx-1.") + 16, strlen(server.name));
}

static void test_repetitions_are_counted_in_one_patch(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        post("A");
        fake_pass(&world.loop, 10);
    }
    assert_true(FAKE_UNTIL(&world.loop, 20000, is_quiet()));
    assert_int_equal(server.creates, 1);
    assert_int_equal(server.patches, 1);
    assert_int_equal(server.count, 50);
    assert_non_null(strstr(server.path, server.name));
    assert_int_equal(events.repeated, 49);
}

static void test_other_reason_or_message_is_another_event(void **state)
{
    (void)state;
    post("A");
    post("B");
    post_to("nginx-1", "A", S("something else"));
    post_to("nginx-2", "A", S("it did not work"));
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    assert_int_equal(server.creates, 4);
}

/* What is never needed is never touched: a pool's memory that was never taken costs nothing. */
static void test_texts_take_what_they_need(void **state)
{
    char name[256], message[1025];
    (void)state;
    for (int i = 0; i < 40; i++) { /* more than there are entries: the oldest make room */
        (void)snprintf(name, sizeof name, "nginx-%d", i);
        post_to(name, "A", S("it did not work"));
        assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    }
    assert_int_equal(server.creates, 40);
    assert_int_equal(events.short_texts.count, events.entries.count);
    assert_int_equal(events.long_texts.count_peak, 0);

    memset(name, 'n', 253);
    name[253] = '\0';
    memset(message, 'm', 1024);
    message[1024] = '\0';
    post_to(name, "A", str_of(message));
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    assert_int_equal(server.creates, 41);
    assert_string_equal(server.message, message);
    assert_int_equal(strlen(server.name), 253);
    assert_int_equal(events.long_texts.count, 1);

    for (int i = 0; i < 16; i++) { /* each pushes one out */
        post_to(name, "A", str_sub(str_of(message), 0, (size_t)(1023 - i)));
        assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    }
    assert_int_equal(events.long_texts.count, 16);
    assert_int_equal(events.short_texts.count, 0);
    assert_int_equal(events.entries.count, 16);
}

static void test_event_gone_from_the_server_is_made_anew(void **state)
{
    char before[256];
    (void)state;
    post("A");
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    (void)str_copy(before, sizeof before, str_of(server.name));
    server.faults = 1;
    server.status = 404;
    server.reason = "NotFound";
    post("A");
    assert_true(FAKE_UNTIL(&world.loop, 20000, is_quiet()));
    assert_int_equal(server.creates, 2);
    assert_int_equal(server.count, 2);
    assert_string_not_equal(before, server.name);
}

static void test_lost_create_is_not_doubled(void **state)
{
    (void)state;
    server.loses_replies = true;
    post("A");
    assert_true(FAKE_UNTIL(&world.loop, 20000, is_quiet()));
    assert_int_equal(server.creates, 1);
    assert_int_equal(events.posted, 1);
    assert_int_equal(events.failed, 0);
    post("A");
    assert_true(FAKE_UNTIL(&world.loop, 20000, is_quiet()));
    assert_int_equal(server.patches, 1);
    assert_int_equal(server.count, 2);
}

static void test_passing_trouble_is_retried(void **state)
{
    (void)state;
    server.faults = 3;
    server.status = 503;
    server.reason = "ServiceUnavailable";
    post("A");
    assert_true(FAKE_UNTIL(&world.loop, 30000, is_quiet()));
    assert_int_equal(server.creates, 1);
}

static void test_given_up_after_ten_minutes(void **state)
{
    (void)state;
    server.faults = 1000000;
    server.status = 503;
    server.reason = "ServiceUnavailable";
    fake_step_ms = 20;
    post("A");
    assert_true(FAKE_UNTIL(&world.loop, KUBE_EVENT_TRY_MS + 90000, is_quiet()));
    assert_int_equal(events.failed, 1);
    assert_in_range(world.api.requests, 10, 25);
}

static void test_refusals_are_final(void **state)
{
    static const struct {
        int status;
        const char *reason;
    } rows[] = {{403, "Forbidden"}, {422, "Invalid"}, {404, "NotFound"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        server.faults = 1;
        server.status = rows[i].status;
        server.reason = rows[i].reason;
        post("A");
        assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
        assert_int_equal(events.failed, i + 1);
        assert_int_equal(events.entries.count, 0);
    }
}

static void test_one_object_has_a_budget(void **state)
{
    (void)state;
    (void)stop(NULL);
    start_with(64, 60000);
    for (int i = 0; i < 40; i++) {
        char reason[16];
        (void)snprintf(reason, sizeof reason, "R%d", i);
        post(reason);
    }
    assert_true(FAKE_UNTIL(&world.loop, 20000, is_quiet()));
    assert_int_equal(server.creates, KUBE_EVENT_BURST);
    assert_int_equal(events.dropped, 40 - KUBE_EVENT_BURST);
    post_to("another", "R", S("x")); /* others are not held responsible */
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    assert_int_equal(server.creates, KUBE_EVENT_BURST + 1);
    fake_step_ms = 20;
    fake_pass(&world.loop, KUBE_EVENT_REFILL_MS);
    post("late");
    post("later");
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    assert_int_equal(server.creates, KUBE_EVENT_BURST + 2);
}

static void test_count_is_kept_while_the_budget_is_used_up(void **state)
{
    (void)state;
    fake_step_ms = 20;
    for (int i = 0; i < 40; i++) { /* one write each ten seconds: more than the budget */
        post("A");
        fake_pass(&world.loop, KUBE_EVENT_SPREAD_MS + 1000);
    }
    assert_in_range(server.creates + server.patches, KUBE_EVENT_BURST, KUBE_EVENT_BURST + 3);
    assert_true(FAKE_UNTIL(&world.loop, KUBE_EVENT_REFILL_MS + 1000, is_quiet()));
    assert_int_equal(server.count, 40);
}

/* ---- events that somebody else has counted --------------------------------------------------- */

static void post_named(uint32_t count, int64_t last_unix_s)
{
    const struct kube_event event = {.kind = KUBE_POD,
                                     .name_space = S("web"),
                                     .name = S("nginx-1"),
                                     .uid = S("nginx-1"),
                                     .is_warning = true,
                                     .reason = S("NoStock"),
                                     .message = S("out of stock"),
                                     .own_name = S("nginx-1.0011223344556677"),
                                     .component = S("EciService"),
                                     .count = count,
                                     .first_unix_s = 1600000000,
                                     .last_unix_s = last_unix_s};
    kube_event_post(&events, &event);
}

static void test_named_event_has_count_times_and_source_of_its_own(void **state)
{
    json root;
    (void)state;
    post_named(3, 1600000060);
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    assert_string_equal(server.name, "nginx-1.0011223344556677");
    assert_int_equal(json_parse(str_of(world.api.last_body), &world.arena, &root, NULL), ERR_OK);
    assert_true(json_text_is(json_get(root, "firstTimestamp"), "2020-09-13T12:26:40Z"));
    assert_true(json_text_is(json_get(root, "lastTimestamp"), "2020-09-13T12:27:40Z"));
    assert_true(json_text_is(json_get(json_get(root, "source"), "component"), "EciService"));
    assert_true(json_text_is(json_get(root, "reportingComponent"), "EciService"));
    assert_int_equal(server.count, 3);
    post("NoStock"); /* the same words from us are another event */
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    assert_int_equal(server.creates, 2);
}

static void test_named_event_seen_again_is_silent_until_it_grows(void **state)
{
    (void)state;
    post_named(1, 1600000000);
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    post_named(1, 1600000000);
    fake_pass(&world.loop, KUBE_EVENT_SPREAD_MS + 1000);
    assert_int_equal(world.api.requests, 1);
    post_named(4, 1600000090);
    assert_true(FAKE_UNTIL(&world.loop, 20000, is_quiet()));
    assert_int_equal(server.patches, 1);
    assert_int_equal(server.count, 4);
}

/* A process before us has posted it. */
static void test_named_event_that_is_there_is_not_doubled(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 2; count++) {
        (void)stop(NULL);
        start_with(16, 600);
        server.faults = 1;
        server.status = 409;
        server.reason = "AlreadyExists";
        post_named(count, 1600000000);
        assert_true(FAKE_UNTIL(&world.loop, 20000, is_quiet()));
        assert_int_equal(server.creates, 0);
        assert_int_equal(server.patches, count - 1); /* its count may have grown meanwhile */
        assert_int_equal(events.failed, 0);
    }
}

static void test_named_event_gone_from_the_server_keeps_its_name(void **state)
{
    (void)state;
    post_named(1, 1600000000);
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    server.faults = 1;
    server.status = 404;
    server.reason = "NotFound";
    post_named(2, 1600000001);
    assert_true(FAKE_UNTIL(&world.loop, 20000, is_quiet()));
    assert_int_equal(server.creates, 2);
    assert_string_equal(server.name, "nginx-1.0011223344556677");
}

static void test_last_quarter_of_the_table_is_our_own(void **state)
{
    (void)state;
    fake_api_stop(&world.api);
    for (int i = 0; i < 12; i++) {
        char name[16];
        assert_true(kube_events_has_room(&events));
        (void)snprintf(name, sizeof name, "pod-%d", i);
        post_to(name, "A", S("x"));
    }
    assert_false(kube_events_has_room(&events));
}

static void test_global_rate_spreads_a_storm(void **state)
{
    (void)state;
    (void)stop(NULL);
    start_with(64, 10);
    for (int i = 0; i < 30; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "pod-%d", i);
        post_to(name, "A", S("x"));
    }
    fake_step_ms = 20;
    fake_pass(&world.loop, 60000);
    assert_in_range(server.creates, 18, 22); /* ten saved up, ten in the minute */
    assert_true(FAKE_UNTIL(&world.loop, 120000, is_quiet()));
    assert_int_equal(server.creates, 30);
}

static void test_full_table_drops_the_new_not_the_waiting(void **state)
{
    (void)state;
    fake_api_stop(&world.api); /* nothing can be written */
    for (int i = 0; i < 20; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "pod-%d", i);
        post_to(name, "A", S("x"));
    }
    assert_int_equal(events.dropped, 4);
    assert_int_equal(kube_events_waiting(&events), 16);
    fake_api_restart(&world.api);
    fake_step_ms = 20;
    assert_true(FAKE_UNTIL(&world.loop, 60000, is_quiet()));
    assert_int_equal(server.creates, 16);
    for (int i = 20; i < 40; i++) { /* written ones make room */
        char name[16];
        (void)snprintf(name, sizeof name, "pod-%d", i);
        post_to(name, "A", S("x"));
        assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    }
    assert_int_equal(server.creates, 36);
    assert_int_equal(events.dropped, 4);
}

static void test_long_names_and_messages_stay_valid(void **state)
{
    char name[254], message[2000];
    (void)state;
    memset(name, 'a', sizeof name);
    name[234] = '-'; /* a cut here would end in a hyphen */
    name[235] = '.';
    name[253] = '\0';
    for (size_t i = 0; i + 2 <= sizeof message; i += 2) {
        memcpy(message + i, "\xc3\xa9", 2);
    }
    post_to(name, "A", str_make(message, sizeof message));
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    assert_int_equal(server.creates, 1);
    assert_true(strlen(server.name) <= 253);
    assert_int_equal(server.name[strlen(server.name) - 17], '.');
    assert_int_equal(server.name[strlen(server.name) - 18], 'a');
    assert_int_equal(strlen(server.message), 1024);
    post_to(name, "A", str_make(message, sizeof message)); /* the same after the cut */
    assert_int_equal(events.repeated, 1);
}

static void test_hostile_text_stays_inside_its_quotes(void **state)
{
    (void)state;
    post_to("nginx-1", "A", S("\"},\"count\":9,\"x\":\"\n\x01\xff"));
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    assert_int_equal(server.count, 1);
}

static void test_node_events_live_in_default(void **state)
{
    const struct kube_event event = {.kind = KUBE_NODE,
                                     .name = S("vk-1"),
                                     .uid = S("vk-1"),
                                     .reason = S("Starting"),
                                     .message = S("hello")};
    (void)state;
    kube_event_post(&events, &event);
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_quiet()));
    assert_string_equal(world.api.seen[0], "POST /api/v1/namespaces/default/events");
    assert_non_null(strstr(world.api.last_body, "\"type\":\"Normal\""));
    assert_null(strstr(world.api.last_body, "\"involvedObject\":{\"kind\":\"Node\",\"apiVersion\":"
                                            "\"v1\",\"namespace\""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_occurrence_is_posted),
        TEST(test_repetitions_are_counted_in_one_patch),
        TEST(test_other_reason_or_message_is_another_event),
        TEST(test_texts_take_what_they_need),
        TEST(test_event_gone_from_the_server_is_made_anew),
        TEST(test_lost_create_is_not_doubled),
        TEST(test_passing_trouble_is_retried),
        TEST(test_given_up_after_ten_minutes),
        TEST(test_refusals_are_final),
        TEST(test_one_object_has_a_budget),
        TEST(test_count_is_kept_while_the_budget_is_used_up),
        TEST(test_named_event_has_count_times_and_source_of_its_own),
        TEST(test_named_event_seen_again_is_silent_until_it_grows),
        TEST(test_named_event_that_is_there_is_not_doubled),
        TEST(test_named_event_gone_from_the_server_keeps_its_name),
        TEST(test_last_quarter_of_the_table_is_our_own),
        TEST(test_global_rate_spreads_a_storm),
        TEST(test_full_table_drops_the_new_not_the_waiting),
        TEST(test_long_names_and_messages_stay_valid),
        TEST(test_hostile_text_stays_inside_its_quotes),
        TEST(test_node_events_live_in_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
