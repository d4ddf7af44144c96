/*
 * Peers that break every rule, against the real server with real sessions: what is not TLS, old
 * TLS, noise after an upgrade, and a reset in each phase of a connection. Whatever they do, nothing
 * is left of them, and the next request is served.
 */
#include "serve_fake.h"

#include <sys/socket.h>

#include "serve/portforward.h"
#include "serve/remote.h"

#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define SPDY "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"
#define WEBSOCKET \
    "Connection: Upgrade\r\nUpgrade: websocket\r\n" \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define BULK_BYTES (1 << 20)

static uint32_t begun, gone, descriptors;
static struct remote remote;
static char bulk[BULK_BYTES];
static char noise[8192];

/* ---- handlers, by path ----------------------------------------------------------------------- */

static void count_gone(struct http_exchange *exchange)
{
    (void)exchange;
    gone++;
}

static void do_nothing(struct http_exchange *exchange)
{
    (void)exchange;
}

static void put_more(struct http_exchange *exchange)
{
    (void)http_reply_put(exchange, str_make(bulk, sizeof bulk));
}

static const struct http_server_handlers quiet_handlers = {
    .on_room = do_nothing, .on_data = do_nothing, .on_gone = count_gone};
static const struct http_server_handlers piece_handlers = {
    .on_room = put_more, .on_data = do_nothing, .on_gone = count_gone};
static struct serve_session quiet = {&quiet_handlers}, pieces = {&piece_handlers};

static void ignore(struct remote *one)
{
    (void)one;
}

static size_t much_room(struct remote *one)
{
    (void)one;
    return 4096;
}

static void take(struct remote *one, str data)
{
    (void)one;
    (void)data;
}

static void resize(struct remote *one, uint32_t width, uint32_t height)
{
    (void)one;
    (void)width;
    (void)height;
}

static void remote_gone(struct remote *one)
{
    (void)one;
    gone++;
}

static const struct remote_handlers remote_handlers = {ignore, much_room, take,       ignore,
                                                       resize, ignore,    remote_gone};

static void serve_it(struct serve *serve, struct http_exchange *exchange,
                     const struct serve_target *target)
{
    static const struct remote_wants wants = {.has_stdin = true, .has_stdout = true};
    begun++;
    if (str_eq(exchange->path, S("/forward"))) {
        gone++; /* its own: counted by forward_open() */
        forward_serve(serve, exchange, target);
    } else if (str_eq(exchange->path, S("/remote"))) {
        assert_true(remote_accept(&remote, exchange, &w.loop, &wants, &remote_handlers, NULL));
    } else if (str_eq(exchange->path, S("/wait"))) {
        exchange->state = &quiet;
    } else if (str_eq(exchange->path, S("/pieces"))) {
        exchange->state = &pieces;
        http_reply_begin(exchange, 200, S("text/plain"));
        put_more(exchange);
    } else {
        gone++; /* nothing hangs on it */
        http_reply(exchange, 200, S("text/plain"), S("hello"));
    }
}

/* ---- fixture --------------------------------------------------------------------------------- */

static int begin(void **state)
{
    (void)state;
    fake_begin(serve_it, FORWARD_TIMERS(2) + 4);
    forward_init(&w.region, &w.loop, 2);
    begun = gone = 0;
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (char)(i * 167 + (i >> 3));
    }
    descriptors = os_descriptors_open();
    return 0;
}

/* Nobody is there any more, and whoever comes now is served. */
static void assert_all_is_well(void)
{
    UNTIL(http_server_open(&w.server) == 0);
    assert_int_equal(gone, begun);
    assert_int_equal(forward_open(), 0);
    assert_int_equal(w.verifiers.count, 0);
    assert_int_equal(os_descriptors_open(), descriptors);
    assert_true(str_starts(request(GET), S("HTTP/1.1 200 ")));
    net_peer_close(&w.peer);
    UNTIL(http_server_open(&w.server) == 0);
}

static int end(void **state)
{
    (void)state;
    fake_end();
    return 0;
}

static void turns(int count)
{
    while (count-- > 0) {
        loop_turn(&w.loop, os_now_ms() + 1);
    }
}

static void open_tls(void)
{
    net_peer_open(&w.peer, &w.loop, &w.addr, &w.trust, NULL, heard, HEARD_BYTES);
}

/* ---- what is no TLS of ours ------------------------------------------------------------------ */

/* Bytes to the port as they are; what comes back is at most an alert, then the end. */
static void expect_cut(const char *bytes, size_t count)
{
    char memory[64];
    size_t done;
    enum err err;
    uint64_t failures = w.server.counters.handshake_failures;
    net_peer_open_raw(&w.peer, &w.loop, &w.addr);
    UNTIL(http_server_open(&w.server) == 1);
    assert_int_equal(sock_send(w.peer.link.fd, bytes, count, &done), ERR_OK);
    UNTIL(w.server.counters.handshake_failures == failures + 1);
    UNTIL((err = sock_receive(w.peer.link.fd, memory, sizeof memory, &done)) != ERR_AGAIN);
    if (err == ERR_OK) {
        assert_int_equal(done, 7); /* an alert */
        assert_int_equal(memory[0], 21);
    }
    net_peer_close(&w.peer);
    assert_all_is_well();
}

static void test_plain_text(void **state)
{
    (void)state;
    expect_cut(S(GET).ptr, S(GET).bytes);
    expect_cut(noise, 512);
}

/* A ClientHello of this version: of the record, and the highest that is spoken. */
static void test_old_versions(void **state)
{
    (void)state;
    for (char minor = 0; minor <= 2; minor++) { /* SSL 3.0, TLS 1.0, TLS 1.1 */
        char hello[52] = {22, 3, minor, 0, 47, 1, 0, 0, 43, 3, minor};
        hello[11 + 32 + 1 + 1] = 4; /* no session; two suites */
        hello[46] = (char)0xc0;
        hello[47] = 0x2b; /* ECDHE-ECDSA-AES128-GCM */
        hello[48] = 0x00;
        hello[49] = 0x2f; /* RSA-AES128-SHA */
        hello[50] = 1;    /* no compression */
        expect_cut(hello, sizeof hello);
    }
}

/* A certificate of another authority is as good as none. */
static void test_certificate_of_another_authority(void **state)
{
    (void)state;
    struct tls_identity stranger;
    const char *why = "";
    assert_int_equal(tls_identity_load(&stranger, str_of(net_cert("server_rsa.crt")),
                                       str_of(net_cert("server_rsa.key")), &w.arena, &why),
                     ERR_OK);
    net_peer_open(&w.peer, &w.loop, &w.addr, &w.trust, &stranger, heard, HEARD_BYTES);
    UNTIL(w.peer.engine.is_open);
    net_peer_reset(&w.peer);
    assert_all_is_well();
}

/* A ClientHello of one byte in each record, all at once: more steps than a turn has, so it asks for
 * another one while the loop tells of the rest, too. It waits like everybody. */
static void test_handshake_in_crumbs(void **state)
{
    (void)state;
    static struct tls_engine client;
    static char crumbs[6 * 1024];
    uint8_t seed[TLS_SEED_BYTES] = {1};
    size_t bytes, done;
    struct buf out;
    tls_start_client(&client, &w.trust, NULL, S("localhost"), false, seed);
    const char *hello = tls_wire_ready(&client, &bytes);
    buf_init(&out, crumbs, sizeof crumbs);
    for (size_t i = 5; i < bytes; i++) {
        buf_put(&out, str_make("\x16\3\3\0\1", 5));
        buf_put_char(&out, hello[i]);
    }
    assert_true(buf_ok(&out));
    tls_stop(&client);
    net_peer_open_raw(&w.peer, &w.loop, &w.addr);
    UNTIL(http_server_open(&w.server) == 1);
    assert_int_equal(sock_send(w.peer.link.fd, out.ptr, out.bytes, &done), ERR_OK);
    assert_int_equal(done, out.bytes);
    UNTIL(w.server.kicked.count == 1);
    w.server.shakes_at_ms = INT64_MAX; /* it is others' turn */
    UNTIL(w.server.shaking.count == 1);
    turns(10);
    assert_int_equal(w.server.counters.bytes_out, 0);
    loop_timer_set(&w.loop, &w.server.shake, 0);
    UNTIL(w.server.counters.bytes_out > 0); /* its first flight */
    assert_int_equal(w.server.counters.handshake_failures, 0);
    net_peer_reset(&w.peer);
    assert_all_is_well();
}

/* ---- requests -------------------------------------------------------------------------------- */

static void test_heads_without_end(void **state)
{
    (void)state;
    static char text[3 * HTTP_SERVER_HEAD_BYTES];
    static const char *const starts[] = {
        "GET /", "GET / HTTP/1.1\r\nHost: ", "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "};
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        memset(text, 'a', sizeof text);
        memcpy(text, starts[i], strlen(starts[i]));
        open_tls();
        net_peer_say(&w.peer, str_make(text, sizeof text));
        UNTIL(str_starts(buf_str(&w.peer.heard), S("HTTP/1.1 431 ")));
        UNTIL(w.peer.is_over);
        net_peer_close(&w.peer);
        assert_all_is_well();
    }
}

static void test_noise_as_a_request(void **state)
{
    (void)state;
    open_tls();
    net_peer_say(&w.peer, str_make(noise, sizeof noise));
    UNTIL(str_starts(buf_str(&w.peer.heard), S("HTTP/1.1 4")));
    UNTIL(w.peer.is_over);
    net_peer_close(&w.peer);
    assert_all_is_well();
}

/* ---- upgraded streams ------------------------------------------------------------------------ */

static const char *const streams[] = {
    "POST /forward HTTP/1.1\r\nHost: h\r\n" SPDY,
    "GET /forward?port=9 HTTP/1.1\r\nHost: h\r\n" WEBSOCKET,
    "POST /remote HTTP/1.1\r\nHost: h\r\n" SPDY,
    "GET /remote HTTP/1.1\r\nHost: h\r\n" WEBSOCKET,
};

static void test_noise_after_an_upgrade(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(streams); i++) {
        for (size_t from = 0; from < 3; from++) {
            (void)request(streams[i]);
            net_peer_say(&w.peer, str_make(noise + from, 4096));
            turns(5);
            net_peer_close(&w.peer);
            assert_all_is_well();
        }
    }
}

static void test_reset_after_an_upgrade(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(streams); i++) {
        (void)request(streams[i]);
        net_peer_reset(&w.peer);
        assert_all_is_well();
    }
}

/* ---- a reset in each phase ------------------------------------------------------------------- */

static void test_reset_in_the_handshake(void **state)
{
    (void)state;
    net_peer_open_raw(&w.peer, &w.loop, &w.addr); /* before it is accepted */
    net_peer_reset(&w.peer);
    turns(3);
    assert_all_is_well();

    net_peer_open_raw(&w.peer, &w.loop, &w.addr); /* after */
    UNTIL(http_server_open(&w.server) == 1);
    net_peer_reset(&w.peer);
    assert_all_is_well();

    for (uint64_t step = 1; step < 1500; step += 150) { /* so many bytes of the server's later */
        open_tls();
        uint64_t sent = w.server.counters.bytes_out;
        UNTIL(w.server.counters.bytes_out >= sent + step || w.peer.engine.is_open);
        net_peer_reset(&w.peer);
        assert_all_is_well();
    }
}

static void test_reset_while_it_asks(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "G", "GET / HTTP/1.1\r\nHost: h\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        open_tls();
        say(str_of(parts[i]));
        turns(4);
        net_peer_reset(&w.peer);
        assert_all_is_well();
    }
}

static void test_reset_while_it_is_answered(void **state)
{
    (void)state;
    open_tls();
    say(S("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"));
    UNTIL(begun == 1);
    net_peer_reset(&w.peer);
    assert_all_is_well();

    begun = gone = 0;
    open_tls(); /* between two requests */
    say(S(GET));
    UNTIL(w.peer.heard.bytes > 0);
    turns(3);
    net_peer_reset(&w.peer);
    assert_all_is_well();

    open_tls(); /* in the middle of a long answer, of which it read nothing */
    say(S("GET /pieces HTTP/1.1\r\nHost: h\r\n\r\n"));
    w.peer.is_deaf = true;
    turns(5);
    net_peer_reset(&w.peer);
    assert_all_is_well();

    open_tls(); /* while the server says goodbye */
    say(S("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    UNTIL(w.peer.heard.bytes > 0);
    net_peer_reset(&w.peer);
    assert_all_is_well();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plain_text),
        TEST(test_old_versions),
        TEST(test_certificate_of_another_authority),
        TEST(test_handshake_in_crumbs),
        TEST(test_heads_without_end),
        TEST(test_noise_as_a_request),
        TEST(test_noise_after_an_upgrade),
        TEST(test_reset_after_an_upgrade),
        TEST(test_reset_in_the_handshake),
        TEST(test_reset_while_it_asks),
        TEST(test_reset_while_it_is_answered),
    };
    return cmocka_run_group_tests_name("http_server_hostile", tests, NULL, NULL);
}
