/*
 * serve_fake.h - what tests of the kubelet port's streams share: a real HTTPS server on the
 * loopback that hands its requests to one handler, a client, and SPDY frames as a client makes
 * them. The few functions of serve.c that handlers use are here in a small form.
 */
#ifndef ECILET_TEST_SERVE_FAKE_H
#define ECILET_TEST_SERVE_FAKE_H

#include "unit.h"

#include "base/codec.h"
#include "net/http_server.h"
#include "net/spdy.h"
#include "net_certs.h"
#include "net_peer.h"
#include "os/os.h"
#include "serve/serve.h"

#define PATIENCE_MS 10000
#define HEARD_BYTES (6 << 20)
#define UNTIL(condition) \
    for (msec until_ms = os_now_ms() + PATIENCE_MS; !(condition);) { \
        assert_true(os_now_ms() < until_ms); \
        loop_turn(&w.loop, os_now_ms() + 5); \
    }

static _Alignas(64) char region_memory[16 << 20];
static char arena_memory[256 * 1024];
static char heard[HEARD_BYTES];

static struct fake {
    struct region region;
    struct arena arena;
    struct loop loop;
    struct pool verifiers;
    struct tls_trust trust;
    struct tls_identity identity;
    struct http_server server;
    struct sock_addr addr;
    struct net_peer peer;
    serve_handler *handler;
    struct serve_target target;
    struct serve_world world;
    struct serve_pod pod;
    bool has_pod;
    /* reading the client's side */
    size_t read_at;
} w;

/* ---- serve.c in small ------------------------------------------------------------------------ */

const struct serve_world *serve_world(const struct serve *serve)
{
    (void)serve;
    return &w.world;
}

bool serve_query_next(const struct http_exchange *exchange, const char *name, size_t *at,
                      str *value)
{
    str rest = str_sub(exchange->query, *at, SIZE_MAX);
    str piece;
    while (str_cut(&rest, '&', &piece)) {
        *at = exchange->query.bytes - rest.bytes;
        str key;
        (void)str_cut(&piece, '=', &key);
        if (str_eq(key, str_of(name))) {
            char *memory = arena_take(&w.arena, piece.bytes + 1);
            struct buf out;
            buf_init(&out, memory, piece.bytes + 1);
            assert_int_equal(codec_get_percent(&out, piece, true), ERR_OK);
            *value = buf_str(&out);
            return true;
        }
    }
    return false;
}

bool serve_query_is_true(const struct http_exchange *exchange, const char *name)
{
    size_t at = 0;
    str value;
    return serve_query_next(exchange, name, &at, &value) &&
           (str_eq(value, S("1")) || str_eq(value, S("true")));
}

void serve_refuse(struct http_exchange *exchange, int status, const char *reason,
                  const char *format, ...)
{
    char memory[512];
    struct buf text;
    va_list args;
    (void)reason;
    buf_init(&text, memory, sizeof memory);
    va_start(args, format);
    buf_put_vfmt(&text, format, args);
    va_end(args);
    http_reply(exchange, status, S("text/plain"), buf_str(&text));
}

/* ---- the server ------------------------------------------------------------------------------ */

static inline void fake_request(struct http_exchange *exchange)
{
    w.handler(NULL, exchange, &w.target);
}

static inline void fake_room(struct http_exchange *exchange)
{
    if (exchange->state != NULL) {
        ((struct serve_session *)exchange->state)->handlers->on_room(exchange);
    }
}

static inline void fake_data(struct http_exchange *exchange)
{
    if (exchange->state != NULL) {
        ((struct serve_session *)exchange->state)->handlers->on_data(exchange);
    }
}

static inline void fake_gone(struct http_exchange *exchange)
{
    if (exchange->state != NULL) {
        ((struct serve_session *)exchange->state)->handlers->on_gone(exchange);
    }
}

static inline int64_t fake_clock(void)
{
    return NET_NOW_S;
}

static const struct tls_identity *fake_identity(void *owner)
{
    (void)owner;
    return &w.identity;
}

static inline enum err fake_find_pod(void *owner, str name_space, str name, str uid,
                                     struct serve_pod *out)
{
    (void)owner;
    (void)name_space;
    (void)name;
    (void)uid;
    *out = w.pod;
    return w.has_pod ? ERR_OK : ERR_NOT_FOUND;
}

static inline void fake_begin(serve_handler *handler, uint32_t timers)
{
    static const struct http_server_handlers handlers = {fake_request, fake_room, fake_data,
                                                         fake_gone};
    const char *why = "";
    memset(&w, 0, sizeof w);
    w.peer.link.fd = -1;
    memset(region_memory, 0, sizeof region_memory);
    arena_init(&w.arena, arena_memory, sizeof arena_memory);
    region_init(&w.region, region_memory, sizeof region_memory);
    assert_int_equal(loop_init(&w.loop, &w.region, HTTP_SERVER_TIMERS(4) + timers), ERR_OK);
    tls_verifiers_init(&w.verifiers, &w.region, 8);
    w.trust = (struct tls_trust){.verifiers = &w.verifiers, .wall_s = fake_clock};
    assert_int_equal(x509_anchors_load(&w.trust.anchors, str_of(net_cert("ca.crt")), &w.arena),
                     ERR_OK);
    assert_int_equal(tls_identity_load(&w.identity, str_of(net_cert("server_ec.crt")),
                                       str_of(net_cert("server_ec.key")), &w.arena, &why),
                     ERR_OK);
    w.handler = handler;
    w.target = (struct serve_target){
        .name_space = S("default"), .pod = S("web"), .container = S("main"), .user = S("somebody")};
    w.world = (struct serve_world){
        .owner = &w, .loop = &w.loop, .arena = &w.arena, .find_pod = fake_find_pod};
    w.pod = (struct serve_pod){.name_space = S("default"),
                               .name = S("web"),
                               .group_id = S("eci-1"),
                               .address = S("127.0.0.1"),
                               .is_running = true};
    w.has_pod = true;
    struct http_server_config config = {.name = "test",
                                        .identity = fake_identity,
                                        .conns_max = 4,
                                        .conns_per_peer_max = 4,
                                        .body_bytes_max = 1024,
                                        .bodies_max = 1,
                                        .handlers = &handlers,
                                        .owner = &w};
    assert_true(sock_addr_parse(S("127.0.0.1"), 0, &config.address));
    http_server_init(&w.server, &w.loop, &w.region, &config);
    assert_int_equal(http_server_start(&w.server, &w.addr), ERR_OK);
}

static inline void fake_end(void)
{
    http_server_stop(&w.server);
    if (w.peer.link.loop != NULL) {
        net_peer_close(&w.peer);
    }
    assert_int_equal(w.loop.timers.count, 0);
    sock_close(&w.loop.epoll_fd);
}

/* ---- the client ------------------------------------------------------------------------------ */

static inline void say(str text)
{
    UNTIL(w.peer.to_say.bytes == 0);
    net_peer_say(&w.peer, text);
    UNTIL(w.peer.to_say.bytes == 0);
}

/* Sends a request; what was heard is forgotten up to the end of the reply's head. */
static inline str request(const char *text)
{
    static char head[1024];
    if (w.peer.link.loop == NULL || !link_is_open(&w.peer.link)) {
        net_peer_open(&w.peer, &w.loop, &w.addr, &w.trust, NULL, heard, HEARD_BYTES);
    }
    say(str_of(text));
    UNTIL(str_find(buf_str(&w.peer.heard), S("\r\n\r\n")) >= 0);
    size_t bytes = (size_t)str_find(buf_str(&w.peer.heard), S("\r\n\r\n")) + 4;
    assert_true(str_copy(head, sizeof head, str_sub(buf_str(&w.peer.heard), 0, bytes)));
    buf_drop(&w.peer.heard, bytes);
    w.read_at = 0;
    return str_of(head);
}

static inline void put_u32(struct buf *out, size_t value)
{
    const char bytes[4] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8),
                           (char)value};
    buf_put(out, str_make(bytes, 4));
}

static inline void put_field(struct buf *out, const char *text)
{
    put_u32(out, strlen(text));
    buf_put_text(out, text);
}

/* Opens a stream; a NULL value leaves the header out. */
static inline void put_stream(struct buf *out, uint32_t id, const char *type, const char *to_port,
                              const char *request_id)
{
    char memory[256];
    char zipped_memory[300];
    struct buf block;
    struct buf zipped;
    buf_init(&block, memory, sizeof memory);
    buf_init(&zipped, zipped_memory, sizeof zipped_memory);
    put_u32(&block, 1u + (to_port != NULL) + (request_id != NULL));
    put_field(&block, "streamtype");
    put_field(&block, type);
    if (to_port != NULL) {
        put_field(&block, "port");
        put_field(&block, to_port);
    }
    if (request_id != NULL) {
        put_field(&block, "requestid");
        put_field(&block, request_id);
    }
    spdy_deflate_put(&zipped, buf_str(&block), id == 1);
    put_u32(out, 0x80030001u);
    put_u32(out, zipped.bytes + 10);
    put_u32(out, id);
    buf_put(out, str_make("\0\0\0\0\0\0", 6));
    buf_put(out, buf_str(&zipped));
}

static inline void put_data(struct buf *out, uint32_t id, str data, bool is_last)
{
    put_u32(out, id);
    put_u32(out, data.bytes | (is_last ? 1u << 24 : 0));
    buf_put(out, data);
}

static inline uint32_t u32_at(size_t at)
{
    const uint8_t *bytes = (const uint8_t *)w.peer.heard.ptr + at;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

struct frame {
    uint32_t type; /* 0: data */
    uint32_t id;
    uint32_t flags;
    str payload;
};

/* The next frame the server sent; window updates are passed over. */
static inline struct frame next_frame(void)
{
    for (;;) {
        UNTIL(w.peer.heard.bytes >= w.read_at + 8);
        uint32_t first = u32_at(w.read_at);
        uint32_t length = u32_at(w.read_at + 4) & 0xffffffu;
        UNTIL(w.peer.heard.bytes >= w.read_at + 8 + length);
        struct frame frame = {
            .type = first >> 31 != 0 ? first & 0xffffu : 0,
            .flags = u32_at(w.read_at + 4) >> 24,
            .payload = str_make(w.peer.heard.ptr + w.read_at + 8, length),
        };
        frame.id = frame.type == 0 ? first : u32_at(w.read_at + 8);
        w.read_at += 8 + length;
        if (frame.type != 9) {
            return frame;
        }
    }
}

static inline void expect_reply(uint32_t id)
{
    struct frame frame = next_frame();
    assert_int_equal(frame.type, 2);
    assert_int_equal(frame.id, id);
}

static inline void expect_end(uint32_t id)
{
    struct frame frame = next_frame();
    assert_int_equal(frame.type, 0);
    assert_int_equal(frame.id, id);
    assert_int_equal(frame.flags, 1);
    assert_int_equal(frame.payload.bytes, 0);
}

static inline void expect_data(uint32_t id, const char *text)
{
    struct frame frame = next_frame();
    assert_int_equal(frame.type, 0);
    assert_int_equal(frame.id, id);
    assert_text(frame.payload, text);
}

#endif
