/* serve.c: which path is whose, and what handlers are told. Who may ask: test_serve_auth.c. */
#include "serve_port_fake.h"

static const struct x509_subject admin = {.common_name = "admin"};

static int begin(void **state)
{
    (void)state;
    fake_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_end();
    return 0;
}

/* With a client certificate; whatever is asked of the API server is allowed. */
static struct fake_ask ask(const char *method, const char *path, const char *query)
{
    struct fake_ask made = fake_ask(method, path, query, NULL);
    uint32_t before = f.calls_count;
    made.exchange.peer = &admin;
    fake_send(&made);
    if (f.calls_count > before) {
        fake_answer(ERR_OK, YES);
    }
    return made;
}

/* Every row of routes.def: method, a path of it, the subresource asked about, handler, target. */
static const struct row {
    const char *method, *path, *subresource, *handler, *target;
} rows[] = {
    {"GET", "/pods", "proxy", "serve_pods", "///"},
    {"GET", "/runningpods/", "proxy", "serve_running_pods", "///"},
    {"GET", "/containerLogs/ns/p/c", "proxy", "logs_container", "ns/p//c"},
    {"GET", "/exec/ns/p/c", "proxy", "exec_serve", "ns/p//c"},
    {"POST", "/exec/ns/p/u/c", "proxy", "exec_serve", "ns/p/u/c"},
    {"GET", "/attach/ns/p/c", "proxy", "attach_serve", "ns/p//c"},
    {"POST", "/attach/ns/p/u/c", "proxy", "attach_serve", "ns/p/u/c"},
    {"GET", "/portForward/ns/p", "proxy", "forward_serve", "ns/p//"},
    {"POST", "/portForward/ns/p/u", "proxy", "forward_serve", "ns/p/u/"},
    {"GET", "/stats/summary", "stats", "stats_summary", "///"},
    {"GET", "/stats/summary/", "stats", "stats_summary", "///"},
    {"GET", "/metrics/resource", "metrics", "stats_resource", "///"},
    {"GET", "/metrics", "metrics", "metrics_all", "///"},
};

static void test_each_path_has_its_handler(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char subresource[64], target[512];
        f.loop.now_ms += SERVE_YES_KEPT_MS; /* asked each time */
        struct fake_ask made = ask(rows[i].method, rows[i].path, "");
        assert_int_equal(made.status, 200);
        assert_string_equal(f.handler, rows[i].handler);
        (void)snprintf(target, sizeof target, "%s by admin", rows[i].target);
        assert_string_equal(f.target, target);
        (void)snprintf(subresource, sizeof subresource, "\"subresource\":\"%s\"",
                       rows[i].subresource);
        assert_non_null(strstr(fake_asked(), subresource));
        const char *verb = strcmp(rows[i].method, "GET") == 0 ? "\"get\"" : "\"create\"";
        assert_non_null(strstr(fake_asked(), verb));
    }
    assert_int_equal(f.handled, COUNT_OF(rows));
}

static void test_health(void **state)
{
    (void)state;
    struct fake_ask made = ask("GET", "/healthz", "");
    assert_int_equal(made.status, 200);
    assert_string_equal(made.body, "ok");
}

static void test_no_such_path(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/",          "",           "/podsx",         "/pods/",       "/runningpods",
        "/exec/ns/p", "/exec//p/c", "/exec/a/b/c/d/", "/exec/a/b/c/", "/portForward/ns",
        "/run/a/b/c", "//pods",     "/a/b/c/d/e/f"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct fake_ask made = ask("GET", paths[i], "");
        assert_int_equal(made.status, 404);
        assert_non_null(strstr(made.body, "\"reason\":\"NotFound\""));
    }
    assert_int_equal(f.handled, 0);
    /* Of those, too, it is asked whether the caller may: nothing is told to strangers. */
    assert_non_null(strstr(fake_asked(), "\"subresource\":\"proxy\""));
}

static void test_methods(void **state)
{
    (void)state;
    struct fake_ask made = ask("POST", "/pods", "");
    assert_int_equal(made.status, 405);
    assert_non_null(strstr(made.body, "this path takes GET"));
    assert_int_equal(ask("DELETE", "/exec/ns/p/c", "").status, 405);
    assert_int_equal(ask("get", "/pods", "").status, 405);
    assert_int_equal(f.handled, 0);
}

static void test_parts_are_decoded(void **state)
{
    (void)state;
    assert_int_equal(ask("GET", "/containerLogs/n%73/a%2Fb/%63+", "").status, 200);
    assert_string_equal(f.target, "ns/a/b//c+ by admin");
    struct fake_ask made = ask("GET", "/containerLogs/n%7/p/c", "");
    assert_int_equal(made.status, 400);
    assert_non_null(strstr(made.body, "the path is malformed"));
    assert_int_equal(f.handled, 1);
}

/* ---- queries --------------------------------------------------------------------------------- */

static void test_queries(void **state)
{
    (void)state;
    struct fake_ask made =
        fake_ask("GET", "/", "command=ls&command=-l%20a&x=a+b&%79=1&flag&bad=%zz", NULL);
    str value = STR_NONE;
    size_t at = 0;
    assert_true(serve_query_next(&made.exchange, "command", &at, &value));
    assert_text(value, "ls");
    assert_true(serve_query_next(&made.exchange, "command", &at, &value));
    assert_text(value, "-l a");
    assert_false(serve_query_next(&made.exchange, "command", &at, &value));
    assert_true(serve_query_get(&made.exchange, "x", &value));
    assert_text(value, "a b");
    assert_true(serve_query_get(&made.exchange, "y", &value));
    assert_text(value, "1");
    assert_true(serve_query_get(&made.exchange, "flag", &value));
    assert_text(value, "");
    assert_false(serve_query_get(&made.exchange, "bad", &value));
    assert_false(serve_query_get(&made.exchange, "comman", &value));
    arena_rewind(&f.arena, 0);
}

static void test_booleans(void **state)
{
    (void)state;
    static const char *const yes[] = {"a=1", "a=t", "a=T", "a=true", "a=TRUE", "a=True"};
    static const char *const no[] = {"", "a", "a=", "a=0", "a=yes", "a=tRUE", "b=1", "a=%"};
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        struct fake_ask made = fake_ask("GET", "/", yes[i], NULL);
        assert_true(serve_query_is_true(&made.exchange, "a"));
    }
    for (size_t i = 0; i < COUNT_OF(no); i++) {
        struct fake_ask made = fake_ask("GET", "/", no[i], NULL);
        assert_false(serve_query_is_true(&made.exchange, "a"));
    }
    arena_rewind(&f.arena, 0);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void test_refusals_are_statuses(void **state)
{
    (void)state;
    struct fake_ask made = fake_ask("GET", "/", "", NULL);
    serve_refuse(&made.exchange, 429, NULL, "all %d are in use", 4);
    assert_int_equal(made.status, 429);
    assert_string_equal(made.body, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
                                   "\"status\":\"Failure\",\"message\":\"all 4 are in use\","
                                   "\"reason\":\"TooManyRequests\",\"code\":429}");
    made = fake_ask("GET", "/", "", NULL);
    serve_refuse(&made.exchange, 418, NULL, "a \"teapot\"");
    assert_non_null(strstr(made.body, "a \\\"teapot\\\""));
    assert_non_null(strstr(made.body, "\"reason\":\"InternalError\""));
    made = fake_ask("GET", "/", "", NULL);
    serve_refuse(&made.exchange, 403, "Own", "x");
    assert_non_null(strstr(made.body, "\"reason\":\"Own\""));
}

/* What does not fit is cut, or only its kind is told. */
static void test_refusal_with_a_long_message(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct fake_ask made = fake_ask("GET", "/", "", NULL);
    serve_refuse(&made.exchange, 400, NULL, "%s", text);
    assert_int_equal(made.status, 400);
    memset(text, '\1', sizeof text - 1); /* six characters each in JSON */
    made = fake_ask("GET", "/", "", NULL);
    serve_refuse(&made.exchange, 400, NULL, "%s", text);
    assert_string_equal(made.body, "{\"kind\":\"Status\"}");
}

/* ---- sessions -------------------------------------------------------------------------------- */

static uint32_t rooms, datas, gones;

static void count_room(struct http_exchange *exchange)
{
    (void)exchange;
    rooms++;
}

static void count_data(struct http_exchange *exchange)
{
    (void)exchange;
    datas++;
}

static void count_gone(struct http_exchange *exchange)
{
    (void)exchange;
    gones++;
}

static void test_events_go_to_the_session(void **state)
{
    (void)state;
    static const struct http_server_handlers all = {
        .on_room = count_room, .on_data = count_data, .on_gone = count_gone};
    static const struct http_server_handlers none = {.on_room = NULL};
    struct serve_session session = {&all}, deaf = {&none};
    struct fake_ask made = fake_ask("GET", "/pods", "", NULL);
    rooms = datas = gones = 0;
    f.handlers.on_room(&made.exchange); /* no session */
    f.handlers.on_data(&made.exchange);
    f.handlers.on_gone(&made.exchange);
    made.exchange.state = &deaf;
    f.handlers.on_room(&made.exchange);
    f.handlers.on_data(&made.exchange);
    f.handlers.on_gone(&made.exchange);
    assert_int_equal(rooms + datas + gones, 0);
    made.exchange.state = &session;
    f.handlers.on_room(&made.exchange);
    f.handlers.on_data(&made.exchange);
    f.handlers.on_gone(&made.exchange);
    assert_int_equal(rooms, 1);
    assert_int_equal(datas, 1);
    assert_int_equal(gones, 1);
}

static void test_start_and_stop(void **state)
{
    (void)state;
    assert_int_equal(f.config.conns_max, SERVE_CONNS);
    assert_true(f.config.conns_per_peer_max < f.config.conns_max);
    assert_int_equal(serve_start(&f.serve, 4), ERR_SYSTEM);
    serve_stop(&f.serve);
    assert_null(f.config.owner);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_path_has_its_handler), TEST(test_health),
        TEST(test_no_such_path),              TEST(test_methods),
        TEST(test_parts_are_decoded),         TEST(test_queries),
        TEST(test_booleans),                  TEST(test_refusals_are_statuses),
        TEST(test_refusal_with_a_long_message), TEST(test_events_go_to_the_session),
        TEST(test_start_and_stop),
    };
    return cmocka_run_group_tests_name("serve", tests, NULL, NULL);
}
