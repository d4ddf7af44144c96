/* attach: the output of a container from a scripted cloud's logs, over a real HTTPS server. */
#include "serve_fake.h"

#include "serve/attach.h"
#include "test_eci_server.h"

#define LOG(text) "{\"RequestId\":\"R\",\"Content\":\"" text "\"}"
#define LINE(second, text) "2025-06-01T00:00:0" second ".000000000Z " text "\\n"
#define HEAD(path) \
    "POST " path " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n" \
    "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"

static struct server *cloud_server;
static struct eci_client cloud;
static char out_memory[2048];
static struct buf out;

static int begin(void **state)
{
    static const struct step steps[] = {
        {SAY, "200 OK", NULL, LOG(LINE("1", "old")), 0},
        {SAY, "200 OK", NULL, LOG(LINE("1", "old") LINE("2", "new") LINE("3", "newer")), 0},
        {SAY, "500 Internal Server Error", NULL, "{}", 0},
        {SAY, "200 OK", NULL, LOG(LINE("3", "newer") LINE("4", "newest")), 0},
        {SAY, "200 OK", NULL, LOG(LINE("8", "much later")), 0},
        {SAY, "200 OK", NULL, LOG(""), 0},
    };
    char endpoint[64];
    (void)state;
    fake_begin(attach_serve, ATTACH_TIMERS + 32);
    cloud_server = server_start(steps, COUNT_OF(steps));
    server_run(cloud_server);
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", cloud_server->port);
    const struct eci_call_config config = {.endpoint = str_of(endpoint),
                                           .region_id = S("cn-test"),
                                           .arena = &w.arena,
                                           .small_count = 2,
                                           .small_bytes = 64 * 1024,
                                           .page_count = 2,
                                           .page_bytes = 256 * 1024,
                                           .kept_max = 2};
    assert_int_equal(eci_client_init(&cloud, &w.loop, &w.region, &config), ERR_OK);
    assert_int_equal(eci_client_set_keys(&cloud, S("id"), S("secret"), STR_NONE), ERR_OK);
    const struct attach_config attach = {.loop = &w.loop, .cloud = &cloud, .poll_ms = 30};
    attach_init(&w.region, &attach);
    buf_init(&out, out_memory, sizeof out_memory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    http_server_stop(&w.server);
    assert_int_equal(attach_open(), 0);
    eci_client_stop(&cloud);
    fake_end();
    server_stop(cloud_server);
    return 0;
}

static void open_session(void)
{
    assert_true(
        str_starts(request(HEAD("/attach/default/web/main?output=1&error=1")), S("HTTP/1.1 101 ")));
    put_stream(&out, 1, "error", NULL, NULL);
    put_stream(&out, 3, "stdout", NULL, NULL);
    put_stream(&out, 5, "stderr", NULL, NULL);
    say(buf_str(&out));
    for (uint32_t id = 1; id <= 5; id += 2) {
        expect_reply(id);
    }
}

static void test_attach_shows_what_is_written_from_now_on(void **state)
{
    (void)state;
    open_session();
    expect_data(3, "new\nnewer\n");
    expect_data(3, "newest\n"); /* the trouble between has passed */
    expect_data(3, "... some lines were lost\nmuch later\n");
    w.pod.has_ended = true;
    expect_end(3);
    expect_end(5);
    expect_data(1, "{\"metadata\":{},\"status\":\"Success\"}");
    expect_end(1);
}

static void test_attach_refuses_input(void **state)
{
    (void)state;
    str head = request(HEAD("/attach/default/web/main?input=1&output=1"));
    assert_true(str_starts(head, S("HTTP/1.1 400 ")));
    UNTIL(str_find(buf_str(&w.peer.heard), S("use exec")) >= 0);
}

static void test_attach_frees_all_when_the_client_vanishes(void **state)
{
    (void)state;
    open_session();
    assert_int_equal(attach_open(), 1);
    net_peer_reset(&w.peer);
    UNTIL(attach_open() == 0);
    int asked = 0;
    for (int i = 0; i < 40; i++) {
        asked = i < 20 ? server_requests(cloud_server) : asked;
        loop_turn(&w.loop, os_now_ms() + 5);
    }
    assert_int_equal(server_requests(cloud_server), asked); /* nobody asks any more */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_attach_shows_what_is_written_from_now_on),
        TEST(test_attach_refuses_input),
        TEST(test_attach_frees_all_when_the_client_vanishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
