/*
 * http_client_conn.h - one connection of the HTTP client: shared by the files http_client*.c and by
 * nobody else. http_client.c has the queue and gives calls their connections, http_client_conn.c
 * has a connection's phases and pumps it, http_client_dial.c opens one, http_client_talk.c writes
 * the request and reads the reply.
 *
 *     FREE -> RESOLVE -> CONNECT -> SECURE -> BUSY -> IDLE -> BUSY ...
 *
 * Note on handlers. Any handler may cancel its own or another call, send new calls, refresh or stop
 * the client. So a connection counts what happens to it (`serial`: one more for each call that ends
 * and each time it is closed), and whoever called a handler looks whether the serial has changed
 * before touching anything of the connection again. The call itself is never touched after on_done.
 */
#ifndef ECILET_NET_HTTP_CLIENT_CONN_H
#define ECILET_NET_HTTP_CLIENT_CONN_H

#include "net/http_client.h"
#include "net/http_parse.h"
#include "net/link.h"
#include "os/sock.h"

#define LEAD_BYTES 512 /* the lines of the request that are ours: version, Host */
#define REQUEST_PARTS 6

enum conn_phase { CONN_FREE, CONN_RESOLVE, CONN_CONNECT, CONN_SECURE, CONN_BUSY, CONN_IDLE };

struct http_conn {
    struct http_client *client;
    enum conn_phase phase;
    uint32_t serial;         /* see above */
    struct http_call *call;  /* NULL when FREE or IDLE */
    struct loop_timer timer; /* deadline of the phase */

    /* where to */
    struct sock_addr addrs[RESOLVE_ADDRS_MAX];
    uint32_t addrs_count;
    uint32_t addr_at;           /* the one being tried or in use */
    struct sock_addr addr_good; /* the one that last worked; family 0: none */
    msec connect_until_ms;
    bool has_asked;   /* the resolver, in this phase RESOLVE */
    bool is_outdated; /* the target has changed since */

    /* the present call */
    str parts[REQUEST_PARTS]; /* of the request, in order */
    uint32_t part_at;
    size_t part_done_bytes; /* of parts[part_at] */
    bool has_put;           /* some of the request went into the engine */
    bool is_reused;         /* the connection has served a call before */
    msec heard_ms;          /* when the last byte came */
    char lead[LEAD_BYTES];

    struct link link;
    struct http_parse parse;
    struct tls_engine engine;
    char head[HTTP_HEAD_BYTES_MAX];
};

/* "10.0.0.1:6443" */
struct http_addr_text {
    char text[64];
};

/* ---- http_client.c --------------------------------------------------------------------------- */

/* Looks at the queue in the next round of timers, never from inside the caller. */
void http_client_kick(struct http_client *client);
/* Takes the call off everything that is ours: it is the caller's again. */
void http_call_detach(struct http_call *call);

/* ---- http_client_conn.c ---------------------------------------------------------------------- */

void http_conn_init(struct http_conn *conn, struct http_client *client);
/* The one door between phases: sets the deadline of the new one. */
void http_conn_enter(struct http_conn *conn, enum conn_phase phase);
/* The call is over: its owner is told, the connection is kept for the next one if it is clean. */
void http_conn_finish(struct http_conn *conn, enum err err);
/* The same, with a reason for people. */
void http_conn_fail(struct http_conn *conn, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Without a word to anybody: the call has been taken off before. */
void http_conn_close(struct http_conn *conn);
/* Pumps a connection that has a call, as long as something moves and it is its turn. */
void http_conn_turn(struct http_conn *conn);
/* What the loop calls when the socket is ready. */
void http_conn_ready(struct loop_watch *watch, uint32_t events);
/* The address in use. */
struct http_addr_text http_conn_addr(const struct http_conn *conn);

/* ---- http_client_dial.c ---------------------------------------------------------------------- */

/*
 * Asks once, then looks again (by the timer of this phase) until there is an answer; then connects.
 * When the look-up has failed, the last good answer is used.
 */
void http_conn_resolve(struct http_conn *conn);
/* This address did not answer, or not in its share of the time; perhaps the next does. */
void http_conn_try_next_addr(struct http_conn *conn, enum err err);
/* The socket is connected: TLS, or the request at once where there is none. */
void http_conn_secure(struct http_conn *conn);

/* ---- http_client_talk.c ---------------------------------------------------------------------- */

/* Writes the request and begins to send it. */
void http_conn_start_request(struct http_conn *conn);
/* Moves as much of the request into the engine as it takes; false when nothing moved. */
bool http_conn_put(struct http_conn *conn);
/* Parses what has come, telling the call; false when there was nothing. The connection may have
 * changed under the caller (see the note on top). */
bool http_conn_read(struct http_conn *conn);

#endif
