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
 * (more: one makes room that is idle or has not brought a whole request for HTTP_SERVER_YOUNG_MS,
 * else the new one is refused), HTTP_SERVER_HEAD_BYTES for a head (431), body_bytes_max (413),
 * bodies_max (503), and the deadlines below. A peer that is slow, silent or hostile costs its slot
 * and nothing else: in one turn of the loop so many connections are accepted and so many steps of
 * handshakes are taken, and those of one server get half of the time at most. Whoever crowds waits
 * and loses first: the address with the most connections that have no request under way.
 * Connections with one are never closed for a newcomer. Of rooms for bodies, too, who holds most or
 * is slow gives one up while the body is still coming. When descriptors run out, accepting pauses
 * for HTTP_SERVER_PAUSE_MS.
 *
 * Handlers may call anything here but http_server_stop and http_server_refresh. No handler is
 * called from inside a call of its owner (but for on_gone by http_server_stop).
 *
 * TLS as we speak it has no half-close: when the peer ends its side of an upgraded stream, what it
 * sent before is still delivered, then on_data tells of the end and on_gone follows.
 */
#ifndef ECILET_NET_HTTP_SERVER_H
#define ECILET_NET_HTTP_SERVER_H

#include "base/list.h"
#include "net/http_parse.h"
#include "net/link.h"
#include "os/sock.h"

#define HTTP_SERVER_HEAD_BYTES 8192
#define HTTP_SERVER_HANDSHAKE_MS 10000 /* accept until the handshake is done */
#define HTTP_SERVER_HEAD_MS 10000      /* first byte of a request until its head is complete */
#define HTTP_SERVER_BODY_MS 30000      /* ... until its body is complete */
/* Between requests. Go's clients (API servers, Prometheus) keep an idle connection for 90 s: were
 * we the ones to close it, a question could be on its way just then. A POST is not repeated: the
 * pod of a CronJob, one each minute, would go past the webhook. */
#define HTTP_SERVER_IDLE_MS 120000
#define HTTP_SERVER_STALL_MS 60000 /* a peer that does not take what is written to it */
#define HTTP_SERVER_LINGER_MS 2000 /* our last words until the peer closes too */
#define HTTP_SERVER_YOUNG_MS 2000  /* an unfinished request may not be evicted before */
#define HTTP_SERVER_PAUSE_MS 1000
#define HTTP_SERVER_ACCEPTS 16 /* in one turn of the loop */
#define HTTP_SERVER_SHAKES 4   /* steps of handshakes in one turn: 1 or 2 ms of sums each. Then as \
                                * much time as they took belongs to others */

struct http_server;
struct http_conn;
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

/* One address of peers, while it has connections. */
struct http_host {
    struct sock_addr addr;
    uint32_t conns; /* 0: free */
    uint32_t crowd; /* of them without a request under way */
};

/* The server's own; the owner only keeps the memory. */
struct http_server {
    struct loop *loop;
    struct http_server_config config;
    struct http_conn *conns;
    uint32_t conns_used;     /* of them were ever open; the others are not touched yet */
    struct http_host *hosts; /* as many */
    char *rooms, *outs;      /* of the connections: whole pages each */
    char *bodies;            /* of requests: bodies_max of body_bytes_max */
    bool *bodies_taken;
    int listener; /* -1: not listening */
    struct loop_watch watch;
    struct loop_timer pause; /* accepting goes on then */
    struct loop_timer kick;  /* connections that want a turn */
    struct list kicked;
    struct loop_timer shake; /* the next steps of handshakes */
    struct list shaking;     /* connections that wait for theirs */
    msec shakes_at_ms;       /* ... and not before */
    uint32_t open_count;
    struct http_server_counters counters;
};

/* Carves connections and buffers (about 100 KiB each, touched only in use, and a body's room for
 * each of bodies_max). The loop must have room for HTTP_SERVER_TIMERS timers. */
#define HTTP_SERVER_TIMERS(conns_max) ((conns_max) + 3)
void http_server_init(struct http_server *server, struct loop *loop, struct region *region,
                      const struct http_server_config *config);
/* Listens. Port 0 chooses. *bound (may be NULL) receives the address. Errors: ERR_SYSTEM. */
MUST_USE enum err http_server_start(struct http_server *server, struct sock_addr *bound);
/* Closes the listener and all connections (on_gone for each exchange). */
void http_server_stop(struct http_server *server);
/* Identity or trust are about to be replaced in place: handshakes under way, which look at them,
 * are cut. Connections that are open go on. */
void http_server_refresh(struct http_server *server);
uint32_t http_server_open(const struct http_server *server);
const struct http_server_counters *http_server_counters(const struct http_server *server);

/* A header of the request, the first of that name; false when absent. Valid until the reply has
 * begun. */
bool http_exchange_header(const struct http_exchange *exchange, str name, str *value);
/* All of that name, in their order: *at starts at 0. Lists may come in several lines. */
bool http_exchange_header_next(const struct http_exchange *exchange, str name, uint32_t *at,
                               str *value);

/* ---- answers: exactly one of these per exchange ---------------------------------------------- */

/* A whole reply, copied. type: "application/json" ... Up to HTTP_SERVER_REPLY_BYTES; a larger one
 * must go in pieces (else the peer gets a 500 instead). */
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
/* Received bytes, valid until the next call on this exchange; *is_over: and no more will come.
 * on_data comes again when all that was shown is taken and more has arrived. */
str http_stream_ready(struct http_exchange *exchange, bool *is_over);
void http_stream_taken(struct http_exchange *exchange, size_t bytes);
/* As http_reply_put. Reading pauses while received bytes are not taken: that is the back-pressure.
 */
size_t http_stream_put(struct http_exchange *exchange, str text);
/* What was put is sent, then the connection is closed. on_gone follows. */
void http_stream_close(struct http_exchange *exchange);
/* An upgraded stream may be silent so long (default HTTP_SERVER_STALL_MS only for writes; 0 = for
 * ever). */
void http_stream_idle_ms(struct http_exchange *exchange, msec idle_ms);
/* Cut now, without a word more. on_gone follows. */
void http_exchange_cut(struct http_exchange *exchange);

#endif
