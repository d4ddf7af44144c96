/* http_server: real connections over the loopback, in the same loop, with TLS. */
#include "unit.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include "base/prng.h"
#include "loop_jump.h"
#include "net/http_server.h"
#include "net/http_server_conn.h"
#include "net_certs.h"
#include "net_peer.h"
#include "os/os.h"

#define PATIENCE_MS 20000
#define CONNS_MAX 12
#define PER_PEER_MAX 10
#define BODY_BYTES_MAX 4096
#define BODIES_MAX 2
#define PEERS_MAX 40
#define HEARD_BYTES (1 << 17)
#define BULK_BYTES (5 << 20)

static _Alignas(64) char region_memory[8 << 20];
static char arena_memory[64 * 1024];
static char heard[PEERS_MAX][HEARD_BYTES];
static char bulk_said[BULK_BYTES], bulk_heard[BULK_BYTES + 1024];

/* What the handlers are to do with the next request, and what they have seen. */
static struct world {
    struct region region;
    struct arena arena;
    struct loop loop;
    struct pool verifiers;
    struct tls_trust trust, believed_clients;
    struct tls_identity server_identity, client_identity;
    const struct tls_identity *shown;
    bool asks_clients;
    struct http_server server;
    struct sock_addr addr;
    struct net_peer peers[PEERS_MAX];

    void (*on_request)(struct http_exchange *exchange);
    struct http_exchange *kept; /* to be answered later */
    uint32_t requests, gone, rooms, datas;
    char seen[512]; /* "METHOD path?query body|" of each request */
    str to_put;     /* by on_room */
    bool is_slow_taker;
    bool was_over;
} w;

static int64_t fixed_clock(void)
{
    return NET_NOW_S;
}

static const struct tls_identity *identity_of(void *owner)
{
    assert_ptr_equal(owner, &w);
    return w.shown;
}

static const struct tls_trust *clients_of(void *owner)
{
    (void)owner;
    return w.asks_clients ? &w.believed_clients : NULL;
}

/* ---- handlers -------------------------------------------------------------------------------- */

static void on_request(struct http_exchange *exchange)
{
    struct buf seen;

    assert_ptr_equal(exchange->owner, &w);
    assert_null(exchange->state);
    exchange->state = &w;
    w.requests++;
    buf_init(&seen, w.seen + strlen(w.seen), sizeof w.seen - strlen(w.seen));
    buf_put_fmt(&seen, "%.*s %.*s?%.*s %.*s|", STR_ARG(exchange->method), STR_ARG(exchange->path),
                STR_ARG(exchange->query), exchange->body.bytes < 64 ? (int)exchange->body.bytes : 0,
                exchange->body.ptr != NULL ? exchange->body.ptr : "");
    w.on_request(exchange);
}

static void put_more(struct http_exchange *exchange)
{
    size_t done = http_reply_put(exchange, w.to_put);
    w.to_put = str_sub(w.to_put, done, w.to_put.bytes);
    if (w.to_put.bytes == 0) {
        http_reply_end(exchange);
    }
}

/* Sends back what comes. A slow taker takes a part and the rest when there is room. */
static void echo(struct http_exchange *exchange)
{
    bool is_over;
    str ready = http_stream_ready(exchange, &is_over);
    while (!is_over && ready.bytes > 0) {
        size_t done = http_stream_put(exchange, ready);
        http_stream_taken(exchange, done);
        if (done < ready.bytes) {
            return;
        }
        ready = http_stream_ready(exchange, &is_over);
    }
    w.was_over |= is_over;
}

static void on_room(struct http_exchange *exchange)
{
    w.rooms++;
    if (exchange->wants_upgrade) {
        echo(exchange);
    } else {
        put_more(exchange);
    }
}

static void on_data(struct http_exchange *exchange)
{
    w.datas++;
    if (!w.is_slow_taker) {
        echo(exchange);
    } else {
        bool is_over;
        (void)http_stream_ready(exchange, &is_over);
        w.was_over |= is_over;
    }
}

static void on_gone(struct http_exchange *exchange)
{
    assert_ptr_equal(exchange->state, &w);
    w.gone++;
    if (w.kept == exchange) {
        w.kept = NULL;
    }
}

static void say_hello(struct http_exchange *exchange)
{
    http_reply(exchange, 200, S("text/plain"), S("hello"));
}

static void say_body(struct http_exchange *exchange)
{
    http_reply(exchange, 200, S("text/plain"), exchange->body);
}

static void keep(struct http_exchange *exchange)
{
    w.kept = exchange;
}

static void say_pieces(struct http_exchange *exchange)
{
    http_reply_begin(exchange, 200, S("text/plain"));
    put_more(exchange);
}

static void upgrade(struct http_exchange *exchange)
{
    assert_true(exchange->wants_upgrade);
    http_upgrade(exchange, S("echo/1"), S("X-Stream: yes\r\n"));
    w.kept = exchange;
}

/* ---- turning --------------------------------------------------------------------------------- */

static void turns(int count)
{
    while (count-- > 0) {
        loop_turn(&w.loop, os_now_ms() + 2);
    }
}

#define UNTIL(condition) \
    for (msec until_ms = os_now_ms() + PATIENCE_MS; !(condition);) { \
        assert_true(os_now_ms() < until_ms); \
        loop_turn(&w.loop, os_now_ms() + 5); \
    }

static void until_nothing_moves(void)
{
    uint64_t before = 0;
    for (int quiet = 0; quiet < 20;) {
        uint64_t now = w.server.counters.bytes_in + w.server.counters.bytes_out;
        turns(1);
        quiet = now == before ? quiet + 1 : 0;
        before = now;
    }
}

/* The kernel would take megabytes for a peer that reads nothing. */
static void go_deaf(struct net_peer *peer)
{
    const int small = 32 * 1024;
    int server_fd = w.server.conns[0].link.fd;
    assert_int_equal(setsockopt(peer->link.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(setsockopt(server_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    peer->is_deaf = true;
}

/* Time passes, and what becomes due does. */
static void jump(msec ms)
{
    loop_jump(&w.loop, ms);
}

static struct net_peer *open_peer(uint32_t at)
{
    net_peer_open(&w.peers[at], &w.loop, &w.addr, &w.trust, NULL, heard[at], HEARD_BYTES);
    return &w.peers[at];
}

static struct net_peer *open_peer_and_wait(uint32_t at)
{
    uint64_t handshakes = w.server.counters.handshakes;
    struct net_peer *peer = open_peer(at);
    UNTIL(peer->engine.is_open && w.server.counters.handshakes > handshakes);
    return peer;
}

static void say(struct net_peer *peer, const char *text)
{
    net_peer_say(peer, str_of(text));
}

/* Waits until exactly this was heard, and forgets it. */
static void assert_hears(struct net_peer *peer, const char *text)
{
    UNTIL(peer->heard.bytes >= strlen(text) || peer->is_over);
    assert_text(buf_str(&peer->heard), text);
    buf_clear(&peer->heard);
}

static void assert_ends(struct net_peer *peer)
{
    UNTIL(peer->is_over);
    assert_int_equal(peer->err, ERR_END); /* with close_notify */
    net_peer_close(peer);
}

/* ---- the world ------------------------------------------------------------------------------- */

static void load_identity(struct tls_identity *identity, const char *cert, const char *key)
{
    const char *why = "";
    assert_int_equal(
        tls_identity_load(identity, str_of(net_cert(cert)), str_of(net_cert(key)), &w.arena, &why),
        ERR_OK);
}

static int begin(void **state)
{
    static const struct http_server_handlers handlers = {on_request, on_room, on_data, on_gone};
    (void)state;
    memset(&w, 0, sizeof w);
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        w.peers[i].link.fd = -1;
    }
    memset(region_memory, 0, sizeof region_memory);
    arena_init(&w.arena, arena_memory, sizeof arena_memory);
    region_init(&w.region, region_memory, sizeof region_memory);
    assert_int_equal(loop_init(&w.loop, &w.region, HTTP_SERVER_TIMERS(CONNS_MAX)), ERR_OK);
    tls_verifiers_init(&w.verifiers, &w.region, PEERS_MAX + CONNS_MAX);
    w.trust = (struct tls_trust){.verifiers = &w.verifiers, .wall_s = fixed_clock};
    assert_int_equal(x509_anchors_load(&w.trust.anchors, str_of(net_cert("ca.crt")), &w.arena),
                     ERR_OK);
    w.believed_clients = w.trust;
    load_identity(&w.server_identity, "server_ec.crt", "server_ec.key");
    load_identity(&w.client_identity, "client_ec.crt", "client_ec.key");
    w.shown = &w.server_identity;
    w.on_request = say_hello;
    struct http_server_config config = {
        .name = "test",
        .identity = identity_of,
        .clients = clients_of,
        .conns_max = CONNS_MAX,
        .conns_per_peer_max = PER_PEER_MAX,
        .body_bytes_max = BODY_BYTES_MAX,
        .bodies_max = BODIES_MAX,
        .handlers = &handlers,
        .owner = &w,
    };
    assert_true(sock_addr_parse(S("127.0.0.1"), 0, &config.address));
    http_server_init(&w.server, &w.loop, &w.region, &config);
    assert_int_equal(http_server_start(&w.server, &w.addr), ERR_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    http_server_stop(&w.server);
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        if (w.peers[i].link.loop != NULL) {
            net_peer_close(&w.peers[i]);
        }
    }
    assert_int_equal(http_server_open(&w.server), 0);
    assert_int_equal(w.gone, w.requests); /* each exchange ends exactly once */
    assert_int_equal(w.verifiers.count, 0);
    assert_int_equal(w.loop.timers.count, 0);
    for (uint32_t i = 0; i < CONNS_MAX; i++) {
        assert_int_equal(w.server.hosts[i].conns, 0);
        assert_int_equal(w.server.hosts[i].crowd, 0);
    }
    for (uint32_t i = 0; i < BODIES_MAX; i++) {
        assert_false(w.server.bodies_taken[i]);
    }
    sock_close(&w.loop.epoll_fd);
    return 0;
}

#define HELLO "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"

/* ---- requests and replies -------------------------------------------------------------------- */

static void test_answers_and_keeps_connection(void **state)
{
    (void)state;
    struct net_peer *peer = open_peer(0);
    say(peer, "GET /a/b%20c?x=1&y= HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_hears(peer, HELLO);
    say(peer, "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_hears(peer, HELLO);
    assert_string_equal(w.seen, "GET /a/b%20c?x=1&y= |DELETE /? |");
    assert_int_equal(w.gone, 2);
    assert_int_equal(w.server.counters.accepted, 1);
    assert_int_equal(w.server.counters.handshakes, 1);
    assert_int_equal(w.server.counters.requests, 2);
    assert_int_equal(http_server_open(&w.server), 1);
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_hears(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
                       "Connection: close\r\n\r\nhello");
    assert_ends(peer);
    UNTIL(http_server_open(&w.server) == 0);
}

static void test_old_clients(void **state)
{
    (void)state;
    struct net_peer *peer = open_peer(0);
    say(peer, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_hears(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
                       "Connection: keep-alive\r\n\r\nhello");
    w.on_request = say_pieces; /* chunks are not known to them: the end of the connection ends it */
    w.to_put = S("pieces");
    say(peer, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_hears(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
                       "pieces");
    assert_ends(peer);
}

static void test_head_has_no_body(void **state)
{
    (void)state;
    struct net_peer *peer = open_peer(0);
    say(peer, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_hears(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n");
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_hears(peer, HELLO);
}

static void test_pipelined_requests_one_after_the_other(void **state)
{
    (void)state;
    struct net_peer *peer = open_peer(0);
    w.on_request = keep;
    say(peer, "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
              "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
              "2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
              "\r\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
    for (uint32_t i = 1; i <= 3; i++) {
        UNTIL(w.kept != NULL);
        turns(3);
        assert_int_equal(w.requests, i); /* the next one waits */
        say_hello(w.kept);
        assert_hears(peer, HELLO);
    }
    assert_string_equal(w.seen, "POST /1? abc|POST /2? def|GET /3? |");
}

static void test_body_of_any_pieces(void **state)
{
    (void)state;
    struct net_peer *peer = open_peer_and_wait(0);
    static const char text[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789";
    w.on_request = say_body;
    for (size_t i = 0; i + 1 < sizeof text; i++) {
        net_peer_say(peer, str_make(text + i, 1));
        turns(1);
    }
    assert_hears(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n"
                       "0123456789");
}

static void test_continue_is_said(void **state)
{
    (void)state;
    struct net_peer *peer = open_peer(0);
    say(peer, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    assert_hears(peer, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(w.requests, 0);
    say(peer, "ok");
    assert_hears(peer, HELLO);
}

static void test_header_can_be_asked_for(void **state)
{
    (void)state;
    str value;
    w.on_request = keep;
    struct net_peer *peer = open_peer(0);
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization:  Bearer x \r\n\r\n");
    UNTIL(w.kept != NULL);
    assert_true(http_exchange_header(w.kept, S("authorization"), &value));
    assert_text(value, "Bearer x");
    assert_false(http_exchange_header(w.kept, S("Cookie"), &value));
    assert_int_equal(w.kept->from.family, 4);
    assert_null(w.kept->peer);
    say_hello(w.kept);
    assert_hears(peer, HELLO);
}

static void test_reply_in_pieces(void **state)
{
    (void)state;
    static char text[300 * 1024];
    struct net_peer *peer = open_peer(0);
    w.on_request = say_pieces;
    w.to_put = S("abc");
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_hears(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    memset(text, 'x', sizeof text); /* far more than fits: on_room brings the rest */
    w.to_put = str_make(text, sizeof text);
    buf_init(&peer->heard, bulk_heard, sizeof bulk_heard);
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(str_ends(buf_str(&peer->heard), S("\r\n0\r\n\r\n")));
    size_t count = 0;
    for (size_t i = 0; i < peer->heard.bytes; i++) {
        count += peer->heard.ptr[i] == 'x';
    }
    assert_true(count >= sizeof text && count < sizeof text + 4); /* "text/plain" has one too */
    assert_true(w.rooms > 0);
}

static void test_reply_that_is_too_large(void **state)
{
    (void)state;
    static char text[HTTP_SERVER_REPLY_BYTES + 1];
    struct net_peer *peer = open_peer(0);
    w.on_request = keep;
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(w.kept != NULL);
    http_reply(w.kept, 200, S("text/plain"), str_make(text, sizeof text - 1));
    UNTIL(peer->heard.bytes > sizeof text);
    buf_clear(&peer->heard);
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(w.kept != NULL);
    http_reply(w.kept, 200, S("text/plain"), str_make(text, sizeof text));
    assert_hears(peer, "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n"
                       "Content-Length: 35\r\n\r\nthe reply is larger than our limit\n");
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void refused(const char *request, const char *status, const char *why)
{
    char expected[256];
    uint32_t requests = w.requests;
    uint64_t bad = w.server.counters.bad_requests;
    struct net_peer *peer = open_peer(0);
    (void)snprintf(expected, sizeof expected,
                   "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                   "Connection: close\r\n\r\n%s",
                   status, strlen(why), why);
    say(peer, request);
    assert_hears(peer, expected);
    assert_ends(peer);
    assert_int_equal(w.requests, requests);
    assert_int_equal(w.server.counters.bad_requests, bad + 1);
}

static void test_bad_requests_are_refused(void **state)
{
    (void)state;
    static char large[2 * HTTP_SERVER_HEAD_BYTES];
    refused("GET / HTTP/1.1\r\n\r\n", "400 Bad Request", "this is not HTTP as it should be\n");
    refused("\x16\x03\x01\r\n", "400 Bad Request", "this is not HTTP as it should be\n");
    refused("GET / HTTP/2.0\r\nHost: h\r\n\r\n", "400 Bad Request",
            "this is not HTTP as it should be\n");
    refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400 Bad Request", "this is not HTTP as it should be\n");
    refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4097\r\nExpect: 100-continue\r\n\r\n",
            "413 Content Too Large", "the body is too large\n");
    memset(large, 'a', sizeof large - 1);
    memcpy(large, "GET /", 5);
    refused(large, "431 Request Header Fields Too Large",
            "the line and headers of the request are too long\n");
}

/* The refusal arrives although the peer still sends: our side lingers. */
static void test_body_without_end_is_refused(void **state)
{
    (void)state;
    struct net_peer *peer = open_peer(0);
    static char body[300 * 1024];
    int written =
        snprintf(body, sizeof body,
                 "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n40000\r\n");
    memset(body + written, 'b', sizeof body - (size_t)written);
    net_peer_say(peer, str_make(body, sizeof body));
    assert_hears(peer, "HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain\r\n"
                       "Content-Length: 22\r\nConnection: close\r\n\r\nthe body is too large\n");
    assert_ends(peer);
    UNTIL(http_server_open(&w.server) == 0);
}

static void test_more_bodies_than_rooms(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < BODIES_MAX; i++) {
        say(open_peer_and_wait(i), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf");
    }
    turns(5);
    struct net_peer *peer = open_peer(BODIES_MAX);
    say(peer, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
    assert_hears(peer, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n"
                       "Content-Length: 23\r\nConnection: close\r\n\r\nno room for a body now\n");
    assert_ends(peer);
    say(&w.peers[0], "whole");
    assert_hears(&w.peers[0], HELLO);
    say(&w.peers[0], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_hears(&w.peers[0], HELLO);
}

/* ---- upgraded streams ------------------------------------------------------------------------ */

#define UPGRADE "GET /s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n"
#define UPGRADED \
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n" \
    "X-Stream: yes\r\n\r\n"

static struct net_peer *open_stream(uint32_t at)
{
    w.on_request = upgrade;
    struct net_peer *peer = open_peer(at);
    say(peer, UPGRADE);
    assert_hears(peer, UPGRADED);
    return peer;
}

static void fill_bulk(void)
{
    struct prng prng;
    prng_seed(&prng, 7);
    for (size_t i = 0; i < sizeof bulk_said; i++) {
        bulk_said[i] = (char)prng_u64(&prng);
    }
}

static void test_stream_echoes_byte_for_byte(void **state)
{
    (void)state;
    struct net_peer *peer = open_stream(0);
    fill_bulk();
    buf_init(&peer->heard, bulk_heard, sizeof bulk_heard);
    net_peer_say(peer, str_make(bulk_said, sizeof bulk_said));
    UNTIL(peer->heard.bytes >= BULK_BYTES);
    assert_int_equal(peer->heard.bytes, BULK_BYTES);
    assert_memory_equal(bulk_heard, bulk_said, BULK_BYTES);
    assert_true(w.server.counters.bytes_in > BULK_BYTES);
    assert_true(w.server.counters.bytes_out > BULK_BYTES);
    http_stream_close(w.kept);
    assert_ends(peer);
    assert_int_equal(w.gone, 1);
}

/* Bytes of the stream that come together with the request belong to the stream. */
static void test_stream_begins_in_the_record_of_the_request(void **state)
{
    (void)state;
    w.on_request = upgrade;
    struct net_peer *peer = open_peer(0);
    say(peer, UPGRADE "early bird");
    assert_hears(peer, UPGRADED "early bird");
}

/* A peer that reads nothing stops our reading too: nothing piles up, nothing is lost. */
static void test_back_pressure(void **state)
{
    (void)state;
    struct net_peer *peer = open_stream(0);
    fill_bulk();
    buf_init(&peer->heard, bulk_heard, sizeof bulk_heard);
    go_deaf(peer);
    net_peer_say(peer, str_make(bulk_said, sizeof bulk_said));
    until_nothing_moves();
    assert_true(w.server.counters.bytes_in < BULK_BYTES);
    peer->is_deaf = false;
    net_peer_pump(peer);
    UNTIL(peer->heard.bytes >= BULK_BYTES);
    assert_memory_equal(bulk_heard, bulk_said, BULK_BYTES);
}

static void test_stream_that_is_not_taken(void **state)
{
    (void)state;
    struct net_peer *peer = open_stream(0);
    bool is_over;
    w.is_slow_taker = true;
    say(peer, "abcdef");
    UNTIL(w.datas == 1);
    turns(3);
    assert_int_equal(w.datas, 1); /* told once */
    assert_text(http_stream_ready(w.kept, &is_over), "abcdef");
    http_stream_taken(w.kept, 2);
    turns(3);
    assert_int_equal(w.datas, 1);
    assert_text(http_stream_ready(w.kept, &is_over), "cdef");
    http_stream_taken(w.kept, 4);
    say(peer, "gh");
    UNTIL(w.datas == 2);
    assert_text(http_stream_ready(w.kept, &is_over), "gh");
    assert_false(is_over);
    http_stream_taken(w.kept, 2);
}

/* What was sent before the end is delivered, then the end is told. */
static void test_peer_ends_stream(void **state)
{
    (void)state;
    struct net_peer *peer = open_stream(0);
    bool is_over;
    w.is_slow_taker = true;
    say(peer, "last words");
    net_peer_close(peer);
    UNTIL(w.datas == 1);
    turns(5);
    assert_false(w.was_over);
    assert_text(http_stream_ready(w.kept, &is_over), "last words");
    http_stream_taken(w.kept, 10);
    UNTIL(w.gone == 1);
    assert_true(w.was_over);
    UNTIL(http_server_open(&w.server) == 0);
}

static void test_peer_vanishes(void **state)
{
    (void)state;
    net_peer_reset(open_stream(0)); /* in a stream */
    UNTIL(w.gone == 1);
    assert_true(w.was_over);

    w.is_slow_taker = true; /* in a stream whose bytes nobody takes */
    struct net_peer *peer = open_stream(0);
    say(peer, "not taken");
    turns(5);
    net_peer_reset(peer);
    UNTIL(w.gone == 2);

    w.on_request = keep; /* before the answer */
    peer = open_peer(0);
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(w.requests == 3);
    net_peer_close(peer);
    UNTIL(w.gone == 3);

    w.on_request = say_pieces; /* within the answer */
    w.to_put = str_make(bulk_said, sizeof bulk_said);
    peer = open_peer_and_wait(0);
    go_deaf(peer);
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(w.requests == 4);
    turns(5);
    net_peer_reset(peer);
    UNTIL(w.gone == 4);

    peer = open_peer_and_wait(0); /* within a request */
    say(peer, "GET / HT");
    turns(3);
    net_peer_reset(peer);
    UNTIL(http_server_open(&w.server) == 0);
    assert_int_equal(w.requests, 4);
}

static void test_owner_cuts(void **state)
{
    (void)state;
    struct net_peer *peer = open_stream(0);
    http_exchange_cut(w.kept);
    http_exchange_cut(w.kept);
    assert_int_equal(http_stream_put(w.kept, S("too late")), 0);
    UNTIL(w.gone == 1);
    UNTIL(peer->is_over);
    assert_int_equal(peer->err, ERR_CLOSED); /* without a word */
    net_peer_close(peer);
    w.on_request = http_exchange_cut; /* inside the handler */
    peer = open_peer(0);
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(w.gone == 2);
    assert_int_equal(http_server_open(&w.server), 0);
}

static void test_stop_ends_everything(void **state)
{
    (void)state;
    (void)open_stream(0);
    w.on_request = keep;
    say(open_peer(1), "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(w.requests == 2);
    http_server_stop(&w.server);
    assert_int_equal(w.gone, 2);
    assert_int_equal(http_server_open(&w.server), 0);
}

/* ---- who is who ------------------------------------------------------------------------------ */

static void test_client_certificate(void **state)
{
    (void)state;
    w.asks_clients = true;
    w.on_request = keep;
    net_peer_open(&w.peers[0], &w.loop, &w.addr, &w.trust, &w.client_identity, heard[0],
                  HEARD_BYTES);
    say(&w.peers[0], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(w.kept != NULL);
    assert_non_null(w.kept->peer);
    assert_string_equal(w.kept->peer->common_name, "kubernetes-admin");
    say_hello(w.kept);
    assert_hears(&w.peers[0], HELLO);

    say(open_peer(1), "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); /* none */
    UNTIL(w.kept != NULL);
    assert_null(w.kept->peer);
    say_hello(w.kept);
    assert_hears(&w.peers[1], HELLO);

    struct tls_identity stranger;
    load_identity(&stranger, "server_rsa.crt", "server_rsa.key"); /* of a CA we do not believe */
    net_peer_open(&w.peers[2], &w.loop, &w.addr, &w.trust, &stranger, heard[2], HEARD_BYTES);
    say(&w.peers[2], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(w.kept != NULL);
    assert_null(w.kept->peer);
    say_hello(w.kept);
    assert_hears(&w.peers[2], HELLO);
}

static int64_t clock_of_clients_s = NET_NOW_S;

static int64_t clock_of_clients(void)
{
    return clock_of_clients_s;
}

/* A connection may live for as long as there are requests; its certificate does not. */
static void test_client_certificate_ends_while_connected(void **state)
{
    (void)state;
    w.asks_clients = true;
    w.believed_clients.wall_s = clock_of_clients;
    w.on_request = keep;
    net_peer_open(&w.peers[0], &w.loop, &w.addr, &w.trust, &w.client_identity, heard[0],
                  HEARD_BYTES);
    for (uint32_t i = 0; i < 2; i++) {
        say(&w.peers[0], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        UNTIL(w.kept != NULL);
        assert_int_equal(w.kept->peer != NULL, i == 0);
        say_hello(w.kept);
        UNTIL(w.gone == i + 1);
        clock_of_clients_s = w.client_identity.not_after_s + 1;
    }
    clock_of_clients_s = NET_NOW_S;
}

static void test_no_identity_no_connection(void **state)
{
    (void)state;
    w.shown = NULL;
    struct net_peer *peer = open_peer(0);
    UNTIL(peer->is_over);
    assert_int_equal(http_server_open(&w.server), 0);
    net_peer_close(peer);
    w.shown = &w.server_identity;
    peer = open_peer(0);
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_hears(peer, HELLO);
}

static void test_refresh_cuts_handshakes_only(void **state)
{
    (void)state;
    struct net_peer *peer = open_peer_and_wait(0);
    net_peer_open_raw(&w.peers[1], &w.loop, &w.addr);
    UNTIL(http_server_open(&w.server) == 2);
    http_server_refresh(&w.server);
    assert_int_equal(http_server_open(&w.server), 1);
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_hears(peer, HELLO);
}

/* ---- deadlines ------------------------------------------------------------------------------- */

static void test_deadlines(void **state)
{
    (void)state;
    net_peer_open_raw(&w.peers[0], &w.loop, &w.addr); /* never shakes hands */
    UNTIL(http_server_open(&w.server) == 1);
    jump(HTTP_SERVER_HANDSHAKE_MS - 1000);
    assert_int_equal(http_server_open(&w.server), 1);
    jump(1000);
    assert_int_equal(http_server_open(&w.server), 0);
    assert_int_equal(w.server.counters.deadlines, 1);

    say(open_peer_and_wait(1), "GET / HTTP/1.1\r\nHost"); /* never ends its head */
    turns(5);
    jump(HTTP_SERVER_HEAD_MS);
    assert_int_equal(http_server_open(&w.server), 0);
    assert_int_equal(w.server.counters.deadlines, 2);

    say(open_peer_and_wait(2), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx");
    turns(5);
    jump(HTTP_SERVER_BODY_MS - 1000);
    assert_int_equal(http_server_open(&w.server), 1);
    jump(1000);
    assert_int_equal(http_server_open(&w.server), 0);
    assert_int_equal(w.server.counters.deadlines, 3);

    struct net_peer *peer = open_peer(3); /* a kept connection: closed in order, no fault */
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_hears(peer, HELLO);
    jump(90000); /* so long Go's clients keep it: they close it first */
    assert_int_equal(http_server_open(&w.server), 1);
    jump(HTTP_SERVER_IDLE_MS - 90000);
    assert_ends(peer);
    assert_int_equal(http_server_open(&w.server), 0);
    assert_int_equal(w.server.counters.deadlines, 3);
}

/* An answer that is long in coming is no stall; one that is not taken is. */
static void test_stall(void **state)
{
    (void)state;
    struct net_peer *peer = open_peer_and_wait(0);
    w.on_request = keep;
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(w.kept != NULL);
    jump(10 * HTTP_SERVER_STALL_MS);
    assert_int_equal(http_server_open(&w.server), 1);
    go_deaf(peer);
    w.to_put = str_make(bulk_said, sizeof bulk_said);
    turns(1); /* the clock is right again */
    say_pieces(w.kept);
    until_nothing_moves();
    assert_int_equal(w.gone, 0);
    jump(13 * HTTP_SERVER_STALL_MS); /* the first jump has put the timer off */
    assert_int_equal(w.gone, 1);
    assert_int_equal(w.server.counters.deadlines, 1);
    assert_int_equal(http_server_open(&w.server), 0);
}

static void test_silent_stream(void **state)
{
    (void)state;
    (void)open_stream(0);
    jump(10 * HTTP_SERVER_STALL_MS); /* for ever, unless asked for */
    assert_int_equal(w.gone, 0);
    http_stream_idle_ms(w.kept, 5000);
    jump(6000);
    assert_int_equal(w.gone, 1);
    assert_int_equal(w.server.counters.deadlines, 1);
}

/* ---- crowds ---------------------------------------------------------------------------------- */

static void test_oldest_idle_makes_room(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < PER_PEER_MAX; i++) {
        say(open_peer(i), "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_hears(&w.peers[i], HELLO);
        turns(2);
    }
    assert_int_equal(http_server_open(&w.server), PER_PEER_MAX);
    say(open_peer(PER_PEER_MAX), "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_hears(&w.peers[PER_PEER_MAX], HELLO);
    assert_int_equal(http_server_open(&w.server), PER_PEER_MAX);
    assert_int_equal(w.server.counters.evicted, 1);
    assert_ends(&w.peers[0]);
}

/* Those that work are never closed for a newcomer. */
static void test_busy_ones_stay(void **state)
{
    (void)state;
    w.on_request = keep;
    for (uint32_t i = 0; i < PER_PEER_MAX; i++) {
        say(open_peer(i), "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        UNTIL(w.requests == i + 1);
    }
    struct net_peer *peer = open_peer(PER_PEER_MAX);
    UNTIL(peer->is_over);
    assert_int_equal(w.server.counters.refused_peer, 1);
    assert_int_equal(w.server.counters.evicted, 0);
    assert_int_equal(w.gone, 0);
}

/* Peers that connect and say nothing: whoever wants something still gets in. */
static void test_slow_peers_give_way(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < PEERS_MAX - 1; i++) {
        net_peer_open_raw(&w.peers[i], &w.loop, &w.addr);
        turns(1);
    }
    UNTIL(w.server.counters.accepted + w.server.counters.refused_peer == PEERS_MAX - 1);
    assert_int_equal(http_server_open(&w.server), PER_PEER_MAX);
    for (uint32_t i = 0; i < CONNS_MAX; i++) {
        w.server.conns[i].since_ms -= HTTP_SERVER_YOUNG_MS;
    }
    struct net_peer *peer = open_peer(PEERS_MAX - 1);
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(peer->heard.bytes > 0 || peer->is_over);
    assert_hears(peer, HELLO);
    assert_true(w.server.counters.evicted > 0);
}

/* What is never needed is never touched: each newcomer gets a connection that was in use before. */
static void test_connections_are_used_again(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct net_peer *peer = open_peer(i);
        say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_hears(peer, HELLO);
        net_peer_close(peer);
        UNTIL(http_server_open(&w.server) == 0);
    }
    assert_int_equal(w.server.counters.accepted, 3);
    assert_int_equal(w.server.conns_used, 1);
}

/* As if this connection had come from another machine. */
static void move(uint32_t i, uint8_t last_byte)
{
    struct http_conn *conn = &w.server.conns[i];
    server_count_out(conn);
    conn->exchange.from.bytes[3] = last_byte;
    server_count_in(conn);
}

static void move_to_stranger(uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        move(i, 9);
    }
}

/* When all places are taken, who has most of them gives one to who has few, however young it is;
 * what works there is spared. */
static void test_largest_crowd_gives_way(void **state)
{
    (void)state;
    w.on_request = keep;
    say(open_peer(0), "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(w.requests == 1);
    for (uint32_t i = 1; i < PER_PEER_MAX; i++) {
        net_peer_open_raw(&w.peers[i], &w.loop, &w.addr);
        UNTIL(http_server_open(&w.server) == i + 1);
    }
    move_to_stranger(0, PER_PEER_MAX);
    for (uint32_t i = PER_PEER_MAX; i < CONNS_MAX; i++) {
        net_peer_open_raw(&w.peers[i], &w.loop, &w.addr);
        UNTIL(http_server_open(&w.server) == i + 1);
    }
    w.server.conns[1].since_ms += 60000; /* now the next one is the oldest */
    struct net_peer *peer = open_peer(CONNS_MAX);
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    UNTIL(w.requests == 2);
    say_hello(w.kept);
    assert_hears(peer, HELLO);
    assert_int_equal(w.server.counters.evicted, 1);
    assert_int_equal(w.server.conns[2].exchange.from.bytes[3], 1); /* its place was taken */
    assert_int_equal(w.gone, 1);

    /* Two of the same size: who is young stays, and there is no room. */
    for (uint32_t i = 0; i < CONNS_MAX; i++) {
        move(i, (uint8_t)(10 + i));
        w.server.conns[i].has_served = false;
    }
    net_peer_open_raw(&w.peers[CONNS_MAX + 1], &w.loop, &w.addr);
    UNTIL(w.server.counters.refused_full == 1);
}

/* Bodies that never end keep nobody else's out: their sender has more of them. */
static void test_slow_bodies_give_way(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < BODIES_MAX; i++) {
        say(open_peer_and_wait(i), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf");
    }
    turns(5);
    move_to_stranger(0, BODIES_MAX);
    struct net_peer *peer = open_peer(BODIES_MAX);
    say(peer, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
    assert_hears(peer, HELLO);
    assert_ends(&w.peers[0]);
    assert_int_equal(w.server.counters.evicted, 1);

    /* Who has as few as the newcomer is spared, while it is not slow. */
    (void)open_peer_and_wait(BODIES_MAX + 1);
    say(&w.peers[BODIES_MAX + 1], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf");
    turns(5);
    say(peer, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
    assert_hears(peer, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n"
                       "Content-Length: 23\r\nConnection: close\r\n\r\nno room for a body now\n");
    for (uint32_t i = 0; i < CONNS_MAX; i++) {
        w.server.conns[i].since_ms -= HTTP_SERVER_YOUNG_MS;
    }
    peer = open_peer(BODIES_MAX + 2);
    say(peer, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
    assert_hears(peer, HELLO);
    assert_int_equal(w.server.counters.evicted, 2);
}

/* The one handshake of a quiet machine is not behind those of a crowd. */
static void test_smallest_crowd_shakes_first(void **state)
{
    (void)state;
    enum { CROWD = 8 };
    assert_true(CROWD > HTTP_SERVER_SHAKES);
    for (uint32_t i = 0; i <= CROWD; i++) {
        (void)open_peer(i);
    }
    w.server.shakes_at_ms = INT64_MAX; /* not yet */
    UNTIL(w.server.shaking.count == CROWD + 1);
    move_to_stranger(0, CROWD);
    assert_int_equal(w.server.conns[CROWD].link.received_bytes, 0);
    loop_timer_set(&w.loop, &w.server.shake, 0);
    turns(1);
    assert_true(w.server.conns[CROWD].link.received_bytes > 0);
    UNTIL(w.server.counters.handshakes == CROWD + 1);
    assert_int_equal(w.server.shaking.count, 0);
}

/* Who is gone before its turn has come costs no sums. */
static void test_reset_while_waiting_for_its_turn(void **state)
{
    (void)state;
    w.server.shakes_at_ms = INT64_MAX;
    struct net_peer *peer = open_peer(0);
    UNTIL(w.server.shaking.count == 1);
    net_peer_reset(peer);
    UNTIL(http_server_open(&w.server) == 0);
    assert_int_equal(w.server.shaking.count, 0);
    assert_int_equal(w.server.counters.handshake_failures, 1);
    assert_int_equal(w.server.counters.handshakes, 0);
}

/* Many handshakes at once are spread over turns: others have their turn in between. */
static void test_handshakes_are_rationed(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < PER_PEER_MAX; i++) {
        (void)open_peer(i);
    }
    UNTIL(http_server_open(&w.server) == PER_PEER_MAX);
    uint64_t most = 0;
    uint64_t before = w.server.counters.handshakes;
    msec until_ms = os_now_ms() + PATIENCE_MS;
    while (w.server.counters.handshakes < PER_PEER_MAX && os_now_ms() < until_ms) {
        loop_turn(&w.loop, os_now_ms() + 5);
        uint64_t now = w.server.counters.handshakes;
        most = now - before > most ? now - before : most;
        before = now;
    }
    assert_int_equal(w.server.counters.handshakes, PER_PEER_MAX);
    assert_true(most <= HTTP_SERVER_SHAKES);
}

static void test_pauses_without_descriptors(void **state)
{
    (void)state;
    struct rlimit limit;
    struct net_peer *peer = open_peer(0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {.rlim_cur = (rlim_t)peer->link.fd + 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    turns(10);
    assert_int_equal(w.server.counters.accepted, 0);
    assert_int_equal(w.server.watch.events, 0); /* no spinning */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    jump(HTTP_SERVER_PAUSE_MS);
    say(peer, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_hears(peer, HELLO);
}

static void test_noise_costs_nothing(void **state)
{
    (void)state;
    uint32_t descriptors = os_descriptors_open();
    for (uint32_t i = 0; i < 200; i++) {
        size_t done;
        net_peer_open_raw(&w.peers[0], &w.loop, &w.addr);
        turns(1);
        (void)!sock_send(w.peers[0].link.fd, i % 2 ? "GET / HTTP/1.1\r\n\r\n" : "\x16\x03\x01", 3,
                         &done);
        turns(1);
        if (i % 3 == 0) {
            net_peer_reset(&w.peers[0]);
        } else {
            net_peer_close(&w.peers[0]);
        }
    }
    UNTIL(http_server_open(&w.server) == 0);
    assert_int_equal(os_descriptors_open(), descriptors);
    assert_true(w.server.counters.handshake_failures > 0);
    assert_int_equal(w.requests, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers_and_keeps_connection),
        TEST(test_old_clients),
        TEST(test_head_has_no_body),
        TEST(test_pipelined_requests_one_after_the_other),
        TEST(test_body_of_any_pieces),
        TEST(test_continue_is_said),
        TEST(test_header_can_be_asked_for),
        TEST(test_reply_in_pieces),
        TEST(test_reply_that_is_too_large),
        TEST(test_bad_requests_are_refused),
        TEST(test_body_without_end_is_refused),
        TEST(test_more_bodies_than_rooms),
        TEST(test_stream_echoes_byte_for_byte),
        TEST(test_stream_begins_in_the_record_of_the_request),
        TEST(test_back_pressure),
        TEST(test_stream_that_is_not_taken),
        TEST(test_peer_ends_stream),
        TEST(test_peer_vanishes),
        TEST(test_owner_cuts),
        TEST(test_stop_ends_everything),
        TEST(test_client_certificate),
        TEST(test_client_certificate_ends_while_connected),
        TEST(test_no_identity_no_connection),
        TEST(test_refresh_cuts_handshakes_only),
        TEST(test_deadlines),
        TEST(test_stall),
        TEST(test_silent_stream),
        TEST(test_oldest_idle_makes_room),
        TEST(test_busy_ones_stay),
        TEST(test_slow_peers_give_way),
        TEST(test_connections_are_used_again),
        TEST(test_largest_crowd_gives_way),
        TEST(test_slow_bodies_give_way),
        TEST(test_smallest_crowd_shakes_first),
        TEST(test_reset_while_waiting_for_its_turn),
        TEST(test_handshakes_are_rationed),
        TEST(test_pauses_without_descriptors),
        TEST(test_noise_costs_nothing),
    };
    return cmocka_run_group_tests_name("http_server", tests, NULL, NULL);
}
