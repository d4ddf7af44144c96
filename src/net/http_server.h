/*
 * http_server.h - HTTPS server on the loop (RFC 9112): one listener, connections in a pool, one
 * request at a time on each. The kubelet port and the webhook stand on it.
 *
 * Engines underneath (tls.h, http_parse.h, link.h); this file is the pump and keeps the deadlines.
 * A request becomes a struct http_exchange. The owner answers it at once, later, in pieces, or by
 * an upgrade, after which the connection is a plain stream of bytes both ways.
 *
 *   on_request   the head and (but for upgrade requests) the whole body have arrived
 *   on_room      a reply in pieces, or an upgraded stream: there is room to write again
 *   on_data      an upgraded stream: bytes, or the peer's end, are there to be read
 *   on_gone      the exchange ends, whoever ended it: release what hangs on exchange->state. Comes
 *                exactly once for each exchange whose on_request came, as its last handler
 *
 * Limits (all counted; see struct http_server_counters): connections in all and from one address
 * (more: the oldest idle one is closed, else the new one is refused), handshakes under way,
 * HTTP_SERVER_HEAD_BYTES for a head (431), body_bytes_max (413), and the deadlines below. A peer
 * that is slow, silent or hostile costs its slot and nothing else. When descriptors run out,
 * accepting pauses for HTTP_SERVER_PAUSE_MS.
 */
#ifndef ECILET_NET_HTTP_SERVER_H
#define ECILET_NET_HTTP_SERVER_H

#include "net/http_parse.h"
#include "net/link.h"
#include "os/sock.h"

#define HTTP_SERVER_HEAD_BYTES 8192
#define HTTP_SERVER_HANDSHAKE_MS 10000 /* accept until the handshake is done */
#define HTTP_SERVER_HEAD_MS 10000      /* first byte of a request until its head is complete */
#define HTTP_SERVER_BODY_MS 30000      /* ... until its body is complete */
#define HTTP_SERVER_IDLE_MS 60000      /* between requests */
#define HTTP_SERVER_STALL_MS 60000     /* a peer that does not take what is written to it */
#define HTTP_SERVER_PAUSE_MS 1000

struct http_server;
struct http_exchange;

struct http_server_handlers {
    void (*on_request)(struct http_exchange *exchange);
    void (*on_room)(struct http_exchange *exchange);
    void (*on_data)(struct http_exchange *exchange);
    void (*on_gone)(struct http_exchange *exchange);
};

struct http_server_config {
    const char *name; /* static, for logs and the budget */
    struct sock_addr address;
    /* Shown to peers; asked for at each handshake, so that it can be renewed. NULL from it: no
     * connection is accepted. */
    const struct tls_identity *(*identity)(void *owner);
    /* Who may sign client certificates; NULL from it, or no function: none is asked for. Without an
     * acceptable certificate the connection goes on: exchange->peer is NULL then. */
    const struct tls_trust *(*clients)(void *owner);
    uint32_t conns_max;
    uint32_t conns_per_peer_max;
    uint32_t body_bytes_max; /* of one request; each connection that has a body borrows one of */
    uint32_t bodies_max;     /* ... so many buffers; none free: 503 */
    const struct http_server_handlers *handlers;
    void *owner;
};

/* One request. Valid from on_request until on_gone; texts of the request until the reply has begun.
 */
struct http_exchange {
    struct http_server *server;
    void *owner; /* as configured */
    void *state; /* the handler's own; NULL at first */
    str method;
    str path;  /* without query; still percent-encoded */
    str query; /* after '?', may be empty */
    str body;
    bool wants_upgrade;
    /* The proven client certificate; NULL: none. */
    const struct x509_subject *peer;
    struct sock_addr from;
};

struct http_server_counters {
    uint64_t accepted, refused_full, refused_peer, evicted, handshakes, handshake_failures;
    uint64_t requests, bad_requests, deadlines, bytes_in, bytes_out;
};

/* Carves connections and buffers (about 40 KiB each, touched only in use). */
void http_server_init(struct http_server *server, struct loop *loop, struct region *region,
                      const struct http_server_config *config);
/* Listens. Port 0 chooses. *bound (may be NULL) receives the address. Errors: ERR_SYSTEM. */
MUST_USE enum err http_server_start(struct http_server *server, struct sock_addr *bound);
/* Closes the listener and all connections (on_gone for each exchange). */
void http_server_stop(struct http_server *server);
uint32_t http_server_open(const struct http_server *server);
const struct http_server_counters *http_server_counters(const struct http_server *server);

/* A header of the request; false when absent. Valid until the reply has begun. */
bool http_exchange_header(const struct http_exchange *exchange, str name, str *value);

/* ---- answers: exactly one of these per exchange ---------------------------------------------- */

/* A whole reply, copied. type: "application/json" ... May be larger than the connection's buffer:
 * up to body room of HTTP_SERVER_REPLY_BYTES; a larger one must go in pieces. */
#define HTTP_SERVER_REPLY_BYTES (64 * 1024)
void http_reply(struct http_exchange *exchange, int status, str type, str body);

/* In pieces (chunked). Then http_reply_put() whatever fits, until http_reply_end(). */
void http_reply_begin(struct http_exchange *exchange, int status, str type);
/* Copies as much as there is room for, returns how much; on_room comes when it was not all. */
size_t http_reply_put(struct http_exchange *exchange, str text);
void http_reply_end(struct http_exchange *exchange);

/* 101: headers are lines "Name: value\r\n" besides Upgrade and Connection, e.g. the sub-protocol.
 */
void http_upgrade(struct http_exchange *exchange, str protocol, str headers);
/* Received bytes, valid until the next call on this exchange; *is_over: and no more will come. */
str http_stream_ready(struct http_exchange *exchange, bool *is_over);
void http_stream_taken(struct http_exchange *exchange, size_t bytes);
/* As http_reply_put. Reading pauses while received bytes are not taken: that is the back-pressure.
 */
size_t http_stream_put(struct http_exchange *exchange, str text);
/* Room that a put would find now, in bytes. */
size_t http_stream_room(struct http_exchange *exchange);
/* What was put is sent, then the connection is closed. on_gone follows. */
void http_stream_close(struct http_exchange *exchange);
/* An upgraded stream may be silent so long (default HTTP_SERVER_STALL_MS only for writes; 0 = for
 * ever). */
void http_stream_idle_ms(struct http_exchange *exchange, msec idle_ms);
/* Cut now, without a word more. on_gone follows. */
void http_exchange_cut(struct http_exchange *exchange);

#endif
