/* http_client: against a scripted server on the loopback, in the same loop, with and without TLS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/prng.h"
#include "loop_jump.h"
#include "net/http_client.h"
#include "net/tls.h"
#include "net_certs.h"
#include "net_server.h"
#include "os/os.h"

#define CONNS_MAX 3
#define PATIENCE_MS 20000 /* no test takes so long unless it hangs */

static _Alignas(64) char region_memory[1 << 20];
static char arena_memory[64 * 1024];

static struct world {
    struct region region;
    struct arena arena;
    struct loop loop;
    struct pool verifiers;
    struct tls_trust trust;
    struct tls_identity identity; /* of the client */
    struct tls_identity server_identity;
    struct http_target target;
    struct http_client client;
    struct net_server server;
} w;

static int64_t fixed_clock(void)
{
    return NET_NOW_S;
}

/* ---- one call and what became of it ---------------------------------------------------------- */

struct seen {
    struct http_call call;
    bool is_done;
    bool was_done_in_send; /* the handler came before http_client_send returned */
    bool is_sending;
    enum err err;
    int heads;
    int status;
    char content_type[64];
    struct buf body;
    char memory[300 * 1024];
    void (*then)(struct seen *seen); /* called from on_done */
    struct http_call *cancels;       /* by on_body */
};

static void on_head(struct http_call *call, const struct http_reply_head *head)
{
    struct seen *seen = call->owner;
    seen->heads++;
    seen->status = head->status;
    (void)str_copy(seen->content_type, sizeof seen->content_type, head->content_type);
}

static void on_body(struct http_call *call, str bytes)
{
    struct seen *seen = call->owner;
    assert_int_equal(seen->heads, 1);
    buf_put(&seen->body, bytes);
    assert_true(buf_ok(&seen->body));
    if (seen->cancels != NULL) {
        http_client_cancel(&w.client, seen->cancels);
    }
}

static void on_done(struct http_call *call, enum err err)
{
    struct seen *seen = call->owner;
    assert_false(seen->is_done);
    seen->is_done = true;
    seen->was_done_in_send = seen->is_sending;
    seen->err = err;
    if (seen->then != NULL) {
        seen->then(seen);
    }
}

static void prepare(struct seen *seen, const char *method, str path)
{
    seen->is_done = seen->is_sending = seen->was_done_in_send = false;
    seen->heads = seen->status = 0;
    seen->then = NULL;
    seen->cancels = NULL;
    buf_init(&seen->body, seen->memory, sizeof seen->memory);
    seen->call = (struct http_call){
        .method = method,
        .path = path,
        .deadline_ms = PATIENCE_MS,
        .on_head = on_head,
        .on_body = on_body,
        .on_done = on_done,
        .owner = seen,
    };
}

static void send_call(struct seen *seen)
{
    seen->is_sending = true;
    http_client_send(&w.client, &seen->call);
    seen->is_sending = false;
    assert_false(seen->is_done);
}

static void run_until(const bool *flag)
{
    msec until_ms = os_now_ms() + PATIENCE_MS;
    while (!*flag && os_now_ms() < until_ms) {
        loop_turn(&w.loop, os_now_ms() + 50);
    }
    assert_true(*flag);
}

static void run_for(msec ms)
{
    msec until_ms = os_now_ms() + ms;
    while (os_now_ms() < until_ms) {
        loop_turn(&w.loop, until_ms);
    }
}

static void run_until_body(const struct seen *seen, size_t bytes)
{
    msec until_ms = os_now_ms() + PATIENCE_MS;
    while (seen->body.bytes < bytes && os_now_ms() < until_ms) {
        loop_turn(&w.loop, os_now_ms() + 50);
    }
    assert_true(seen->body.bytes >= bytes);
}

static void run_until_quiet(void)
{
    msec until_ms = os_now_ms() + PATIENCE_MS;
    while (w.client.in_flight + w.client.queue.count > 0 && os_now_ms() < until_ms) {
        loop_turn(&w.loop, os_now_ms() + 50);
    }
    assert_int_equal(w.client.in_flight, 0);
    assert_int_equal(w.client.queue.count, 0);
}

/* Some turns; what is on its way through the kernel gets a moment to arrive. */
static void run_turns(int count)
{
    while (count-- > 0) {
        loop_turn(&w.loop, os_now_ms() + 2);
    }
}

/* Time passes, and what becomes due does, without anybody waiting for it. */
static void jump(msec ms)
{
    loop_jump(&w.loop, ms);
}

static struct seen a, b;

static void get(struct seen *seen, const char *path)
{
    prepare(seen, "GET", str_of(path));
    send_call(seen);
    run_until(&seen->is_done);
    assert_false(seen->was_done_in_send);
}

static void assert_got(const struct seen *seen, int status, const char *body)
{
    if (seen->err != ERR_OK) {
        print_error("%s: %s\n", err_name(seen->err), seen->call.why);
    }
    assert_int_equal(seen->err, ERR_OK);
    assert_int_equal(seen->heads, 1);
    assert_int_equal(seen->status, status);
    assert_true(str_eq(buf_str(&seen->body), str_of(body)));
}

static void assert_failed(const struct seen *seen, enum err err, const char *why)
{
    if (seen->err != err || str_find(str_of(seen->call.why), str_of(why)) < 0) {
        print_error("%s: \"%s\", not %s: \"%s\"\n", err_name(seen->err), seen->call.why,
                    err_name(err), why);
        fail();
    }
}

/* ---- the world ------------------------------------------------------------------------------- */

static void load_identity(struct tls_identity *identity, const char *cert, const char *key)
{
    const char *why = "";
    assert_int_equal(
        tls_identity_load(identity, str_of(net_cert(cert)), str_of(net_cert(key)), &w.arena, &why),
        ERR_OK);
}

static void world_init(bool is_tls)
{
    memset(&w.target, 0, sizeof w.target);
    arena_init(&w.arena, arena_memory, sizeof arena_memory);
    region_init(&w.region, region_memory, sizeof region_memory);
    assert_int_equal(loop_init(&w.loop, &w.region, 64), ERR_OK);
    tls_verifiers_init(&w.verifiers, &w.region, 2 * CONNS_MAX);
    w.trust = (struct tls_trust){.verifiers = &w.verifiers, .wall_s = fixed_clock};
    assert_int_equal(x509_anchors_load(&w.trust.anchors, str_of(net_cert("ca.crt")), &w.arena),
                     ERR_OK);
    load_identity(&w.identity, "client_ec.crt", "client_ec.key");
    load_identity(&w.server_identity, "server_ec.crt", "server_ec.key");
    w.server.identity = is_tls ? &w.server_identity : NULL;
    w.server.clients = is_tls ? &w.trust : NULL;
    net_server_start(&w.server, &w.loop);
    (void)snprintf(w.target.host, sizeof w.target.host, "127.0.0.1");
    w.target.port = w.server.addr.port;
    w.target.is_tls = is_tls;
    w.target.trust = is_tls ? &w.trust : NULL;
    w.target.identity = is_tls ? &w.identity : NULL;
    http_client_init(&w.client, &w.loop, &w.region, "test", CONNS_MAX, &w.target);
}

static int plain_world(void **state)
{
    (void)state;
    world_init(false);
    return 0;
}

static int tls_world(void **state)
{
    (void)state;
    world_init(true);
    return 0;
}

static int end_world(void **state)
{
    (void)state;
    http_client_stop(&w.client);
    net_server_stop(&w.server);
    assert_int_equal(w.client.in_flight, 0);
    assert_int_equal(w.client.queue.count, 0);
    assert_int_equal(w.verifiers.count, 0);
    assert_int_equal(w.loop.timers.count, 0); /* nothing was left behind */
    sock_close(&w.loop.epoll_fd);
    return 0;
}

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define TEXT(text) \
    { \
        text, sizeof text - 1 \
    }
#define STEP(text) \
    { \
        .reply = TEXT(text) \
    }
#define STEPS(...) ((const struct net_step[]){__VA_ARGS__})
#define SCRIPT(...) \
    net_server_script(&w.server, STEPS(__VA_ARGS__), \
                      sizeof STEPS(__VA_ARGS__) / sizeof(struct net_step))

/* ---- plain successes ------------------------------------------------------------------------- */

static void test_get(void **state)
{
    (void)state;
    SCRIPT(STEP("HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                "Content-Type: application/json\r\nContent-Length: 5\r\n\r\nhello"));
    get(&a, "/version?x=%20");
    assert_got(&a, 200, "hello");
    assert_string_equal(a.content_type, "application/json");
    assert_int_equal(a.call.head.date_unix_s, 784111777);
    assert_int_equal(a.call.head.body_bytes, 5);
    assert_int_equal(a.call.head.retry_after_s, -1);
    assert_int_equal(a.call.head.content_type.bytes, 0);
    assert_true(a.call.was_sent);
    char expected[256];
    (void)snprintf(expected, sizeof expected,
                   "GET /version?x=%%20 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
                   (unsigned)w.target.port);
    assert_string_equal(buf_cstr(&w.server.record), expected);
}

static void test_keeps_connection(void **state)
{
    (void)state;
    SCRIPT(STEP(HELLO), STEP("HTTP/1.1 204 No Content\r\n\r\n"),
           STEP("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
           STEP("HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"), STEP(HELLO));
    get(&a, "/1");
    assert_got(&a, 200, "hello");
    get(&a, "/2");
    assert_got(&a, 204, "");
    get(&a, "/3");
    assert_got(&a, 200, "abcde");
    assert_int_equal(a.call.head.body_bytes, -1);
    get(&a, "/4");
    assert_got(&a, 503, "");
    assert_int_equal(a.call.head.retry_after_s, 7);
    get(&a, "/5");
    assert_got(&a, 200, "hello");
    assert_int_equal(w.server.accepted, 1);
    assert_int_equal(w.client.connects, 1);
    assert_int_equal(w.client.calls, 5);
    assert_int_equal(w.client.failures, 0);
}

static void test_methods_and_bodies(void **state)
{
    (void)state;
    static const char *const expected =
        "POST /p HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 2\r\nA: b\r\nC: d\r\n\r\n{}"
        "DELETE /d HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"
        "POST /e HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 0\r\n\r\n";
    char text[300];
    SCRIPT(STEP(HELLO), STEP(HELLO), STEP(HELLO));
    prepare(&a, "POST", S("/p"));
    a.call.headers = S("A: b\r\nC: d\r\n");
    a.call.body = S("{}");
    send_call(&a);
    run_until(&a.is_done);
    assert_got(&a, 200, "hello");
    prepare(&a, "DELETE", S("/d"));
    send_call(&a);
    run_until(&a.is_done);
    prepare(&a, "POST", S("/e"));
    send_call(&a);
    run_until(&a.is_done);
    /* the host as it is written here, for readability */
    const char *from = buf_cstr(&w.server.record);
    char host[32];
    (void)snprintf(host, sizeof host, "127.0.0.1:%u", (unsigned)w.target.port);
    size_t at = 0;
    while (*from != 0) {
        bool is_host = strncmp(from, host, strlen(host)) == 0;
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", is_host ? "[::1]:80" : "");
        text[at] = *from;
        at += !is_host;
        from += is_host ? strlen(host) : 1;
    }
    text[at] = 0;
    assert_string_equal(text, expected);
}

static char big[200000];

static void test_big_bodies_both_ways(void **state)
{
    (void)state;
    static char reply[sizeof big + 200];
    for (size_t i = 0; i < sizeof big; i++) {
        big[i] = (char)('a' + i % 23);
    }
    int head =
        snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", sizeof big);
    memcpy(reply + head, big, sizeof big);
    struct net_step step = {.reply = str_make(reply, (size_t)head + sizeof big)};
    net_server_script(&w.server, &step, 1);
    prepare(&a, "PUT", S("/big"));
    a.call.body = str_make(big, sizeof big);
    send_call(&a);
    run_until(&a.is_done);
    assert_int_equal(a.err, ERR_OK);
    assert_int_equal(a.body.bytes, sizeof big);
    assert_memory_equal(a.memory, big, sizeof big);
    assert_true(str_ends(buf_str(&w.server.record), str_make(big, sizeof big)));
}

static void test_slow_reply(void **state)
{
    (void)state;
    SCRIPT({.reply = TEXT("HTTP/1.1 100 Continue\r\n\r\n"
                          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n"),
            .piece_bytes = 1});
    get(&a, "/");
    assert_got(&a, 200, "abcde");
}

static void test_until_close(void **state)
{
    (void)state;
    SCRIPT({.reply = TEXT("HTTP/1.1 200 OK\r\n\r\nall of it"), .end = NET_CLOSE}, STEP(HELLO));
    get(&a, "/");
    assert_got(&a, 200, "all of it");
    get(&a, "/");
    assert_got(&a, 200, "hello");
    assert_int_equal(w.server.accepted, 2);
}

/* With TLS a cut is not an end: a body without length may be incomplete. */
static void test_until_cut(void **state)
{
    (void)state;
    SCRIPT({.reply = TEXT("HTTP/1.1 200 OK\r\n\r\nall of it"), .end = NET_CUT});
    get(&a, "/");
    assert_failed(&a, ERR_CLOSED, "connection was cut within the reply");
}

static void test_connection_close_is_obeyed(void **state)
{
    (void)state;
    SCRIPT(STEP("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
           STEP(HELLO));
    get(&a, "/");
    assert_got(&a, 200, "ok");
    get(&a, "/");
    assert_got(&a, 200, "hello");
    assert_int_equal(w.server.accepted, 2);
}

static void test_queue_when_all_are_busy(void **state)
{
    (void)state;
    static struct seen many[8];
    SCRIPT(STEP(HELLO), STEP(HELLO), STEP(HELLO), STEP(HELLO), STEP(HELLO), STEP(HELLO),
           STEP(HELLO), STEP(HELLO));
    for (size_t i = 0; i < 8; i++) {
        prepare(&many[i], "GET", S("/"));
        send_call(&many[i]);
    }
    run_turns(1);
    assert_int_equal(w.client.in_flight, CONNS_MAX);
    assert_int_equal(w.client.queue.count, 8 - CONNS_MAX);
    for (size_t i = 0; i < 8; i++) {
        run_until(&many[i].is_done);
        assert_got(&many[i], 200, "hello");
    }
    assert_int_equal(w.server.accepted, CONNS_MAX);
}

/* ---- stale connections ----------------------------------------------------------------------- */

static void test_server_close_of_idle_is_noticed(void **state)
{
    (void)state;
    SCRIPT(STEP(HELLO), STEP(HELLO));
    get(&a, "/");
    net_server_hang_up(&w.server, NET_CLOSE);
    run_turns(3);
    prepare(&a, "POST", S("/"));
    send_call(&a);
    run_until(&a.is_done);
    assert_got(&a, 200, "hello");
    assert_false(a.call.was_repeated);
    assert_int_equal(w.server.accepted, 2);
}

/* The request crosses the server's close. */
static void test_get_is_repeated_once(void **state)
{
    static const enum net_end ends[] = {NET_CLOSE, NET_CUT, NET_RESET};
    for (size_t i = 0; i < 3; i++) {
        struct net_step steps[] = {STEP(HELLO), {.reply = STR_NONE, .end = ends[i]}, STEP(HELLO)};
        net_server_script(&w.server, steps, 3);
        get(&a, "/1");
        assert_got(&a, 200, "hello");
        get(&a, "/2");
        assert_got(&a, 200, "hello");
        assert_true(a.call.was_repeated);
        net_server_hang_up(&w.server, NET_CLOSE);
        run_turns(3);
    }
    (void)state;
}

static void test_post_is_not_repeated(void **state)
{
    (void)state;
    SCRIPT(STEP(HELLO), {.reply = {NULL, 0}, .end = NET_CLOSE}, STEP(HELLO));
    get(&a, "/1");
    prepare(&a, "POST", S("/2"));
    send_call(&a);
    run_until(&a.is_done);
    assert_failed(&a, ERR_CLOSED, "before the reply");
    assert_true(a.call.was_sent);
    assert_int_equal(err_of_write(a.err, a.call.was_sent), ERR_LOST_WRITE);
    assert_int_equal(w.server.requests, 2);
}

static void test_get_on_fresh_connection_is_not_repeated(void **state)
{
    (void)state;
    SCRIPT({.reply = {NULL, 0}, .end = NET_CLOSE}, STEP(HELLO));
    get(&a, "/1");
    assert_failed(&a, ERR_CLOSED, "before the reply");
    assert_int_equal(w.server.requests, 1);
}

static void test_get_is_not_repeated_twice(void **state)
{
    (void)state;
    SCRIPT(STEP(HELLO), {.reply = {NULL, 0}, .end = NET_CLOSE},
           {.reply = {NULL, 0}, .end = NET_CLOSE}, STEP(HELLO));
    get(&a, "/1");
    get(&a, "/2");
    assert_failed(&a, ERR_CLOSED, "before the reply");
    assert_int_equal(w.server.requests, 3);
}

static void test_unasked_bytes_on_idle_close_it(void **state)
{
    (void)state;
    SCRIPT(STEP(HELLO "HTTP/1.1 408 Timeout\r\n\r\n"), STEP(HELLO));
    get(&a, "/");
    assert_got(&a, 200, "hello");
    run_turns(3);
    assert_int_equal(net_server_open_conns(&w.server), 0);
    get(&a, "/");
    assert_got(&a, 200, "hello");
}

/* ---- a reply cut at each byte ---------------------------------------------------------------- */

static void test_cut_at_each_byte(void **state)
{
    static const char reply[] =
        "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n"
        "\r\n3\r\nabc\r\n0\r\n\r\n";
    static const enum net_end ends[] = {NET_CLOSE, NET_CUT, NET_RESET};
    (void)state;
    for (size_t bytes = 0; bytes <= sizeof reply - 1; bytes++) {
        struct net_step step = {.reply = str_make(reply, bytes), .end = ends[bytes % 3]};
        bool is_whole = bytes == sizeof reply - 1;
        net_server_script(&w.server, &step, 1);
        get(&a, "/");
        assert_int_equal(a.err, is_whole ? ERR_OK : ERR_CLOSED);
        if (!is_whole) {
            assert_true(str_find(str_of(a.call.why),
                                 bytes == 0 ? S("before the reply") : S("within the reply")) > 0 ||
                        step.end == NET_RESET);
        }
        run_turns(2);
    }
}

/* ---- bad replies ----------------------------------------------------------------------------- */

static void test_bad_replies(void **state)
{
    static char huge[HTTP_HEAD_BYTES_MAX + 100] = "HTTP/1.1 200 OK\r\nX: ";
    memset(huge + 20, 'x', sizeof huge - 20);
    struct {
        str reply;
        const char *why;
    } cases[] = {
        {S("\x15\x03\x01\x00\x02\x02\x46"), "not an HTTP reply"},
        {S("SSH-2.0-OpenSSH\r\n"), "not an HTTP reply"},
        {S("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), "line ends in a bare LF"},
        {S("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
         "both Content-Length and Transfer-Encoding"},
        {S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "malformed chunk size"},
        {str_make(huge, sizeof huge), "headers are too large"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct net_step step = {.reply = cases[i].reply};
        net_server_script(&w.server, &step, 1);
        get(&a, "/");
        assert_failed(&a, ERR_BAD_REPLY, cases[i].why);
        assert_true(str_starts(str_of(a.call.why), S("127.0.0.1:")));
        run_turns(2);
    }
    assert_int_equal(net_server_open_conns(&w.server), 0);
}

static void test_early_refusal(void **state)
{
    (void)state;
    SCRIPT({.reply = TEXT("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"),
            .is_early = true,
            .end = NET_SILENCE});
    prepare(&a, "POST", S("/"));
    a.call.body = str_make(big, sizeof big);
    send_call(&a);
    run_until(&a.is_done);
    assert_got(&a, 413, "no");
}

static void test_bad_path_is_never_sent(void **state)
{
    static const char *const paths[] = {"/a b", "/a\r\nX: y", "", "a", "/\x80"};
    (void)state;
    SCRIPT(STEP(HELLO));
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        get(&a, paths[i]);
        assert_failed(&a, ERR_INVALID, "characters that must be encoded");
        assert_false(a.call.was_sent);
    }
    assert_int_equal(w.server.requests, 0);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void test_deadline_while_waiting(void **state)
{
    (void)state;
    SCRIPT({.reply = {NULL, 0}, .end = NET_SILENCE}, STEP(HELLO));
    prepare(&a, "GET", S("/"));
    a.call.deadline_ms = 200;
    send_call(&a);
    run_until(&a.is_done);
    assert_failed(&a, ERR_TIMEOUT, "no reply in 200 ms, waiting for the reply");
    assert_true(a.call.was_sent);
    get(&b, "/");
    assert_got(&b, 200, "hello");
}

static void test_deadline_in_queue(void **state)
{
    (void)state;
    static struct seen busy[CONNS_MAX];
    SCRIPT({.reply = {NULL, 0}, .end = NET_SILENCE}, {.reply = {NULL, 0}, .end = NET_SILENCE},
           {.reply = {NULL, 0}, .end = NET_SILENCE});
    for (size_t i = 0; i < CONNS_MAX; i++) {
        prepare(&busy[i], "GET", S("/"));
        send_call(&busy[i]);
    }
    prepare(&a, "GET", S("/"));
    a.call.deadline_ms = 30;
    send_call(&a);
    run_until(&a.is_done);
    assert_failed(&a, ERR_TIMEOUT, "no connection was free for 30 ms");
    assert_false(a.call.was_sent);
}

#define WATCH_HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void test_watch_idle_timer(void **state)
{
    (void)state;
    SCRIPT({.reply = TEXT(WATCH_HEAD "3\r\nabc\r\n"), .end = NET_SILENCE});
    prepare(&a, "GET", S("/watch"));
    a.call.deadline_ms = 0;
    a.call.idle_max_ms = 250;
    send_call(&a);
    run_until_body(&a, 3); /* as it comes, not at the end */
    assert_false(a.is_done);
    run_until(&a.is_done);
    assert_failed(&a, ERR_TIMEOUT, "silent for 250 ms");
}

/* Bytes that trickle in keep a watch alive for much longer than its idle time. */
static void test_watch_that_trickles(void **state)
{
    (void)state;
    static char reply[4000] = WATCH_HEAD;
    for (int i = 0; i < 300; i++) {
        strcat(reply, "1\r\nx\r\n");
    }
    strcat(reply, "0\r\n\r\n");
    struct net_step step = {.reply = str_of(reply), .piece_bytes = 1};
    net_server_script(&w.server, &step, 1);
    prepare(&a, "GET", S("/watch"));
    a.call.deadline_ms = 0;
    a.call.idle_max_ms = 500;
    send_call(&a);
    run_until(&a.is_done);
    assert_int_equal(a.err, ERR_OK);
    assert_int_equal(a.body.bytes, 300);
}

static void test_idle_connection_is_dropped(void **state)
{
    (void)state;
    SCRIPT(STEP(HELLO), STEP(HELLO));
    get(&a, "/");
    run_turns(2);
    assert_int_equal(net_server_open_conns(&w.server), 1);
    jump(HTTP_KEEP_MS - 1000);
    run_turns(2);
    assert_int_equal(net_server_open_conns(&w.server), 1);
    jump(HTTP_KEEP_MS + 1);
    run_turns(3);
    assert_int_equal(net_server_open_conns(&w.server), 0);
    get(&a, "/");
    assert_got(&a, 200, "hello");
}

/* ---- connecting ------------------------------------------------------------------------------ */

/* A port on which nobody listens. */
static uint16_t dead_port(void)
{
    struct sock_addr addr = {.bytes = {127, 0, 0, 1}, .family = 4};
    int fd = -1;
    assert_int_equal(sock_listen(&addr, 1, &fd, &addr), ERR_OK);
    sock_close(&fd);
    return addr.port;
}

static void test_connection_refused(void **state)
{
    (void)state;
    uint16_t port = dead_port();
    char why[64];
    w.target.port = port;
    get(&a, "/");
    (void)snprintf(why, sizeof why, "connect 127.0.0.1:%u: connection refused", (unsigned)port);
    assert_failed(&a, ERR_REFUSED_CONN, why);
    assert_string_equal(a.call.why, why);
    assert_false(a.call.was_sent);
    assert_int_equal(w.client.failures, 1);
}

static void test_no_address(void **state)
{
    (void)state;
    (void)snprintf(w.target.host, sizeof w.target.host, "not-an-address");
    get(&a, "/");
    assert_failed(&a, ERR_RESOLVE, "not-an-address: no address found");
}

static struct resolve resolve;
static int resolved;

static void on_resolved(struct resolve *r, enum err err)
{
    (void)r;
    (void)err;
    resolved++;
}

/* The first address refuses, the second one works and comes first from then on. */
static void test_several_addresses(void **state)
{
    (void)state;
    SCRIPT(STEP(HELLO), STEP(HELLO), STEP(HELLO));
    resolve_init(&resolve, &w.loop, S("some.name"), w.target.port, on_resolved, NULL);
    resolve.addrs[0] = (struct sock_addr){{127, 0, 0, 1}, dead_port(), 4};
    resolve.addrs[1] = w.server.addr;
    resolve.addrs_count = 2;
    resolve.fresh_until_ms = INT64_MAX;
    w.target.resolve = &resolve;
    get(&a, "/");
    assert_got(&a, 200, "hello");
    assert_int_equal(w.client.connects, 2);
    net_server_hang_up(&w.server, NET_CLOSE);
    run_turns(3);
    get(&a, "/");
    assert_got(&a, 200, "hello");
    assert_int_equal(w.client.connects, 3);
    resolve.addrs[1].port = resolve.addrs[0].port;
    net_server_hang_up(&w.server, NET_CLOSE);
    run_turns(3);
    get(&a, "/");
    assert_failed(&a, ERR_REFUSED_CONN, "connect 127.0.0.1:");
    resolve_close(&resolve);
}

static struct sock_addr lookup_addr;
static uint32_t lookup_count;

static uint32_t test_lookup(const char *host, uint16_t port, struct sock_addr *addrs)
{
    (void)host;
    (void)port;
    addrs[0] = lookup_addr;
    return lookup_count;
}

static void test_resolver_is_asked(void **state)
{
    (void)state;
    SCRIPT(STEP(HELLO), STEP(HELLO));
    resolve_set_lookup(test_lookup);
    lookup_addr = w.server.addr;
    lookup_count = 0;
    resolve_init(&resolve, &w.loop, S("some.name"), w.target.port, on_resolved, NULL);
    w.target.resolve = &resolve;
    get(&a, "/");
    assert_failed(&a, ERR_RESOLVE, "no address found");
    lookup_count = 1;
    prepare(&a, "GET", S("/"));
    prepare(&b, "GET", S("/"));
    send_call(&a);
    send_call(&b); /* both wait for the one look-up */
    run_until(&a.is_done);
    run_until(&b.is_done);
    assert_got(&a, 200, "hello");
    assert_got(&b, 200, "hello");
    assert_int_equal(resolved, 2);
    resolve_close(&resolve);
    resolve_set_lookup(NULL);
}

/* A listener whose queue is full: the kernel does not answer. */
struct black_hole {
    struct sock_addr addr;
    int listener, fillers[4];
};

static void black_hole_open(struct black_hole *hole)
{
    hole->addr = (struct sock_addr){{127, 0, 0, 1}, 0, 4};
    assert_int_equal(sock_listen(&hole->addr, 0, &hole->listener, &hole->addr), ERR_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(sock_connect(&hole->addr, &hole->fillers[i]), ERR_OK);
    }
}

static void black_hole_close(struct black_hole *hole)
{
    for (size_t i = 0; i < 4; i++) {
        sock_close(&hole->fillers[i]);
    }
    sock_close(&hole->listener);
}

static void test_connect_timeout_tries_the_next(void **state)
{
    (void)state;
    struct black_hole hole;
    black_hole_open(&hole);
    SCRIPT(STEP(HELLO));
    resolve_init(&resolve, &w.loop, S("some.name"), w.target.port, on_resolved, NULL);
    resolve.addrs[0] = hole.addr;
    resolve.addrs[1] = w.server.addr;
    resolve.addrs_count = 2;
    resolve.fresh_until_ms = INT64_MAX;
    w.target.resolve = &resolve;
    prepare(&a, "GET", S("/"));
    a.call.deadline_ms = 0;
    send_call(&a);
    run_turns(3);
    assert_false(a.is_done);
    jump(HTTP_CONNECT_MS / 2 + 1);
    run_until(&a.is_done);
    assert_got(&a, 200, "hello");
    resolve_close(&resolve);
    black_hole_close(&hole);
}

static void test_connect_timeout(void **state)
{
    (void)state;
    struct black_hole hole;
    black_hole_open(&hole);
    w.target.port = hole.addr.port;
    prepare(&a, "GET", S("/"));
    a.call.deadline_ms = 0;
    send_call(&a);
    run_turns(3);
    jump(HTTP_CONNECT_MS + 1);
    assert_true(a.is_done);
    assert_failed(&a, ERR_TIMEOUT, "connect 127.0.0.1:");
    black_hole_close(&hole);
}

/* ---- cancelling, stopping, refreshing -------------------------------------------------------- */

static void test_cancel_anywhere(void **state)
{
    (void)state;
    for (int turns = 0; turns < 12; turns++) {
        SCRIPT(STEP(HELLO), STEP(HELLO));
        prepare(&a, "GET", S("/a"));
        send_call(&a);
        run_turns(turns);
        bool was_done = a.is_done;
        http_client_cancel(&w.client, &a.call);
        http_client_cancel(&w.client, &a.call); /* twice does no harm */
        run_turns(3);
        assert_int_equal(a.is_done, was_done);
        assert_int_equal(w.client.in_flight, 0);
        w.server.step_at = 0;
        get(&b, "/b");
        assert_got(&b, 200, "hello");
        net_server_hang_up(&w.server, NET_CLOSE);
        run_turns(3);
    }
}

static void test_cancel_own_call_in_body(void **state)
{
    (void)state;
    SCRIPT({.reply = TEXT(WATCH_HEAD "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"), .end = NET_KEEP},
           STEP(HELLO));
    prepare(&a, "GET", S("/a"));
    a.cancels = &a.call;
    send_call(&a);
    run_until_body(&a, 1);
    run_turns(3);
    assert_false(a.is_done);
    assert_true(str_eq(buf_str(&a.body), S("abc")));
    get(&b, "/b");
    assert_got(&b, 200, "hello");
}

static void test_cancel_other_call_in_body(void **state)
{
    (void)state;
    SCRIPT(STEP(HELLO), {.reply = {NULL, 0}, .end = NET_SILENCE});
    prepare(&a, "GET", S("/a"));
    prepare(&b, "GET", S("/b"));
    a.cancels = &b.call;
    send_call(&a);
    send_call(&b);
    run_until(&a.is_done);
    run_turns(5);
    assert_false(b.is_done);
    assert_int_equal(w.client.in_flight, 0);
}

static void then_send_again(struct seen *seen)
{
    static int rounds;
    if (++rounds % 20 != 0) {
        prepare(seen, "GET", S("/again"));
        seen->then = then_send_again;
        http_client_send(&w.client, &seen->call);
    }
}

static void test_send_from_done(void **state)
{
    (void)state;
    prepare(&a, "GET", S("/first"));
    a.then = then_send_again;
    send_call(&a);
    run_until(&a.is_done);
    assert_int_equal(w.client.calls, 20);
    assert_int_equal(w.server.accepted, 1);
}

static void test_send_from_done_does_not_spin(void **state)
{
    (void)state;
    (void)snprintf(w.target.host, sizeof w.target.host, "not-an-address");
    prepare(&a, "GET", S("/first"));
    a.then = then_send_again;
    send_call(&a);
    run_turns(1);
    assert_true(w.client.calls < 5); /* one for each turn, not all in one */
    run_until(&a.is_done);
}

static void then_stop(struct seen *seen)
{
    (void)seen;
    http_client_stop(&w.client);
}

static void test_stop_from_done(void **state)
{
    (void)state;
    SCRIPT(STEP(HELLO), {.reply = {NULL, 0}, .end = NET_SILENCE});
    prepare(&a, "GET", S("/a"));
    prepare(&b, "GET", S("/b"));
    a.then = then_stop;
    send_call(&a);
    send_call(&b);
    run_until(&a.is_done);
    run_turns(3);
    assert_false(b.is_done);
    assert_int_equal(net_server_open_conns(&w.server), 0);
}

static void then_refresh(struct seen *seen)
{
    (void)seen;
    http_client_refresh(&w.client);
}

static void test_refresh(void **state)
{
    (void)state;
    SCRIPT(STEP(HELLO), STEP(HELLO), STEP(HELLO), STEP(HELLO));
    get(&a, "/");
    http_client_refresh(&w.client); /* idle: closed at once */
    get(&a, "/");
    assert_got(&a, 200, "hello");
    assert_int_equal(w.server.accepted, 2);
    prepare(&a, "GET", S("/"));
    send_call(&a);
    run_turns(1); /* busy: closed after its call */
    http_client_refresh(&w.client);
    run_until(&a.is_done);
    assert_got(&a, 200, "hello");
    prepare(&a, "GET", S("/"));
    a.then = then_refresh;
    send_call(&a);
    run_until(&a.is_done);
    assert_got(&a, 200, "hello");
    assert_int_equal(w.server.accepted, 3);
    run_turns(3);
    assert_int_equal(net_server_open_conns(&w.server), 0);
}

/* A handshake under way begins anew, with the new certificates. */
static void test_refresh_in_handshake(void **state)
{
    (void)state;
    for (int turns = 0; turns < 8; turns++) {
        SCRIPT(STEP(HELLO));
        load_identity(&w.identity, "client_expired.crt", "client_expired.key");
        prepare(&a, "GET", S("/"));
        send_call(&a);
        run_turns(turns < 2 ? turns : 2);
        load_identity(&w.identity, "client_ec.crt", "client_ec.key");
        http_client_refresh(&w.client);
        run_until(&a.is_done);
        assert_got(&a, 200, "hello");
        net_server_hang_up(&w.server, NET_CLOSE);
        run_turns(3);
        arena_init(&w.arena, arena_memory, sizeof arena_memory);
        assert_int_equal(x509_anchors_load(&w.trust.anchors, str_of(net_cert("ca.crt")), &w.arena),
                         ERR_OK);
        load_identity(&w.server_identity, "server_ec.crt", "server_ec.key");
    }
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static void test_tls_certificates(void **state)
{
    static const struct {
        const char *server, *client, *host;
        enum err err;
        const char *why;
    } cases[] = {
        {"server_ec", "client_ec", "127.0.0.1", ERR_OK, NULL},
        {"server_expired", "client_ec", "127.0.0.1", ERR_TLS_TRUST,
         "certificate expired on 2024-01-02"},
        {"server_wild", "client_ec", "127.0.0.1", ERR_TLS_TRUST,
         "asked for 127.0.0.1, but the certificate is for *.example.com"},
        {"server_self", "client_ec", "127.0.0.1", ERR_TLS_TRUST, "not signed by a known CA"},
        {"server_ec", "client_expired", "127.0.0.1", ERR_CLOSED, "the peer hung up"},
        {"server_ec", NULL, "127.0.0.1", ERR_CLOSED, "the peer hung up"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char cert[64];
        char key[64];
        SCRIPT(STEP(HELLO));
        arena_init(&w.arena, arena_memory, sizeof arena_memory);
        assert_int_equal(x509_anchors_load(&w.trust.anchors, str_of(net_cert("ca.crt")), &w.arena),
                         ERR_OK);
        (void)snprintf(cert, sizeof cert, "%s.crt", cases[i].server);
        (void)snprintf(key, sizeof key, "%s.key", cases[i].server);
        load_identity(&w.server_identity, cert, key);
        if (cases[i].client != NULL) {
            (void)snprintf(cert, sizeof cert, "%s.crt", cases[i].client);
            (void)snprintf(key, sizeof key, "%s.key", cases[i].client);
            load_identity(&w.identity, cert, key);
        }
        w.target.identity = cases[i].client != NULL ? &w.identity : NULL;
        get(&a, "/");
        if (cases[i].err == ERR_OK) {
            assert_got(&a, 200, "hello");
        } else {
            assert_failed(&a, cases[i].err, cases[i].why);
            assert_true(str_starts(str_of(a.call.why), S("TLS with 127.0.0.1:")));
            assert_false(a.call.was_sent);
        }
        http_client_refresh(&w.client);
        run_turns(3);
    }
}

static void test_tls_to_a_plain_server(void **state)
{
    (void)state;
    w.server.identity = NULL;
    SCRIPT({.reply = TEXT("HTTP/1.1 400 Bad Request\r\n\r\n"), .is_early = true});
    /* the ClientHello is no request to the test server, so it answers by hand */
    prepare(&a, "GET", S("/"));
    send_call(&a);
    run_turns(6);
    for (size_t i = 0; i < NET_SERVER_CONNS_MAX; i++) {
        if (link_is_open(&w.server.conns[i].link)) {
            size_t done;
            assert_int_equal(
                sock_send(w.server.conns[i].link.fd, "HTTP/1.1 400 Bad\r\n\r\n", 20, &done),
                ERR_OK);
        }
    }
    run_until(&a.is_done);
    assert_failed(&a, ERR_TLS, "does not speak TLS 1.2");
}

static void test_tls_handshake_timeout(void **state)
{
    (void)state;
    w.server.identity = NULL; /* reads, and never answers */
    prepare(&a, "GET", S("/"));
    a.call.deadline_ms = 0;
    send_call(&a);
    run_turns(6);
    jump(HTTP_CONNECT_MS + 1);
    assert_true(a.is_done);
    assert_failed(&a, ERR_TIMEOUT, "TLS with 127.0.0.1:");
}

static void test_tls_no_handshake_memory(void **state)
{
    (void)state;
    handle taken[2 * CONNS_MAX];
    SCRIPT(STEP(HELLO));
    w.target.identity = NULL;
    w.server.clients = NULL;
    for (size_t i = 0; i < 2 * CONNS_MAX; i++) {
        assert_int_equal(pool_take(&w.verifiers, &taken[i]), ERR_OK);
    }
    get(&a, "/");
    assert_failed(&a, ERR_FULL, "too many TLS handshakes at once");
    for (size_t i = 0; i < 2 * CONNS_MAX; i++) {
        pool_give(&w.verifiers, taken[i]);
    }
    get(&a, "/");
    assert_got(&a, 200, "hello");
}

static void test_tls_skip_verify(void **state)
{
    (void)state;
    SCRIPT(STEP(HELLO));
    load_identity(&w.server_identity, "server_expired.crt", "server_expired.key");
    w.target.skip_verify = true;
    get(&a, "/");
    assert_got(&a, 200, "hello");
}

/* ---- random stories: nothing is lost, nothing is told twice, nothing leaks ------------------- */

static void random_script(struct net_step *steps, uint32_t count, struct prng *prng)
{
    static const char *const replies[] = {HELLO, WATCH_HEAD "3\r\nabc\r\n0\r\n\r\n",
                                          "HTTP/1.1 200 OK\r\n\r\nto the end", "garbage", ""};
    for (uint32_t i = 0; i < count; i++) {
        steps[i] = (struct net_step){
            .reply = str_of(replies[prng_below(prng, 5)]),
            .piece_bytes = prng_chance(prng, 1, 4) ? 1 + prng_below(prng, 10) : 0,
            .end = (enum net_end)prng_below(prng, 5),
        };
        if (prng_chance(prng, 1, 4)) {
            steps[i].reply = str_sub(steps[i].reply, 0, prng_below(prng, 30));
        }
    }
}

static void random_stories(uint64_t seeds)
{
    static struct seen calls[6];
    static struct net_step steps[40];
    static const char *const methods[] = {"GET", "POST", "DELETE"};

    for (uint64_t s = 0; s < seeds; s++) {
        struct prng prng;
        prng_seed(&prng, s);
        random_script(steps, 40, &prng);
        net_server_script(&w.server, steps, 40);
        for (size_t i = 0; i < 6; i++) {
            prepare(&calls[i], methods[prng_below(&prng, 3)], S("/x"));
            calls[i].call.deadline_ms = 1 + (msec)prng_below(&prng, 60);
            calls[i].cancels = prng_chance(&prng, 1, 8) ? &calls[prng_below(&prng, 6)].call : NULL;
            calls[i].call.body = prng_chance(&prng, 1, 2) ? S("body") : STR_NONE;
            send_call(&calls[i]);
            run_turns((int)prng_below(&prng, 3));
            if (prng_chance(&prng, 1, 8)) {
                net_server_hang_up(&w.server, (enum net_end)prng_below(&prng, 4));
            }
            if (prng_chance(&prng, 1, 8)) {
                http_client_refresh(&w.client);
            }
        }
        run_for(10);
        for (size_t i = 0; i < 6; i++) {
            if (prng_chance(&prng, 1, 3)) {
                http_client_cancel(&w.client, &calls[i].call);
            }
        }
        run_until_quiet();
        for (size_t i = 0; i < 6; i++) {
            assert_null(calls[i].call.client); /* done, or cancelled by us or by a handler */
        }
        net_server_hang_up(&w.server, NET_CUT);
    }
}

static void test_random_stories(void **state)
{
    (void)state;
    const char *seeds = getenv("NET_SEEDS"); /* more of them by hand */
    random_stories(seeds != NULL ? strtoull(seeds, NULL, 10) : 25);
}

#define PLAIN(test) cmocka_unit_test_setup_teardown(test, plain_world, end_world)
#define TLS(test) \
    { \
        "tls_" #test, test, tls_world, end_world, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(test_get), TLS(test_get),
        PLAIN(test_keeps_connection), TLS(test_keeps_connection),
        PLAIN(test_methods_and_bodies), TLS(test_methods_and_bodies),
        PLAIN(test_big_bodies_both_ways), TLS(test_big_bodies_both_ways),
        PLAIN(test_slow_reply), TLS(test_slow_reply),
        PLAIN(test_until_close), TLS(test_until_close),
        TLS(test_until_cut),
        PLAIN(test_connection_close_is_obeyed), TLS(test_connection_close_is_obeyed),
        PLAIN(test_queue_when_all_are_busy), TLS(test_queue_when_all_are_busy),
        PLAIN(test_server_close_of_idle_is_noticed), TLS(test_server_close_of_idle_is_noticed),
        PLAIN(test_get_is_repeated_once), TLS(test_get_is_repeated_once),
        PLAIN(test_post_is_not_repeated), TLS(test_post_is_not_repeated),
        PLAIN(test_get_on_fresh_connection_is_not_repeated),
        PLAIN(test_get_is_not_repeated_twice), TLS(test_get_is_not_repeated_twice),
        PLAIN(test_unasked_bytes_on_idle_close_it), TLS(test_unasked_bytes_on_idle_close_it),
        PLAIN(test_cut_at_each_byte), TLS(test_cut_at_each_byte),
        PLAIN(test_bad_replies), TLS(test_bad_replies),
        PLAIN(test_early_refusal), TLS(test_early_refusal),
        PLAIN(test_bad_path_is_never_sent),
        PLAIN(test_deadline_while_waiting), TLS(test_deadline_while_waiting),
        PLAIN(test_deadline_in_queue),
        PLAIN(test_watch_idle_timer), TLS(test_watch_idle_timer),
        PLAIN(test_watch_that_trickles),
        PLAIN(test_idle_connection_is_dropped), TLS(test_idle_connection_is_dropped),
        PLAIN(test_connection_refused),
        PLAIN(test_no_address),
        PLAIN(test_several_addresses), TLS(test_several_addresses),
        PLAIN(test_resolver_is_asked),
        PLAIN(test_connect_timeout_tries_the_next),
        PLAIN(test_connect_timeout),
        PLAIN(test_cancel_anywhere), TLS(test_cancel_anywhere),
        PLAIN(test_cancel_own_call_in_body), TLS(test_cancel_own_call_in_body),
        PLAIN(test_cancel_other_call_in_body), TLS(test_cancel_other_call_in_body),
        PLAIN(test_send_from_done), TLS(test_send_from_done),
        PLAIN(test_send_from_done_does_not_spin),
        PLAIN(test_stop_from_done), TLS(test_stop_from_done),
        PLAIN(test_refresh), TLS(test_refresh),
        TLS(test_refresh_in_handshake),
        TLS(test_tls_certificates),
        TLS(test_tls_to_a_plain_server),
        TLS(test_tls_handshake_timeout),
        TLS(test_tls_no_handshake_memory),
        TLS(test_tls_skip_verify),
        PLAIN(test_random_stories), TLS(test_random_stories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
