/*
 * http_server_conn.h - one connection of the HTTPS server: shared by the files http_server*.c and
 * by nobody else. http_server.c listens and owns the connections, http_server_crowd.c is fair
 * between peers, http_server_conn.c pumps one connection, http_server_reply.c is what handlers
 * call.
 *
 *     FREE -> SHAKE -> IDLE -> HEAD -> BODY -> WORK -> IDLE ...
 *                                              WORK -> STREAM    (after an upgrade)
 *                                      any of these -> LEAVING -> FREE
 */
#ifndef ECILET_NET_HTTP_SERVER_CONN_H
#define ECILET_NET_HTTP_SERVER_CONN_H

#include <assert.h>

#include "net/http_server.h"

/* A whole reply, its head, and the framing of its pieces. */
#define CONN_OUT_BYTES (HTTP_SERVER_REPLY_BYTES + 4096)
#define CONN_OUT_SCARCE (CONN_OUT_BYTES / 4) /* of room: on_room is owed to who sees less */

enum conn_phase {
    CONN_FREE,
    CONN_SHAKE,
    CONN_IDLE,   /* waits for the first byte of a request */
    CONN_HEAD,   /* ... for the end of its head */
    CONN_BODY,   /* ... of its body */
    CONN_WORK,   /* the owner answers, or an answer of ours is being sent */
    CONN_STREAM, /* upgraded */
    CONN_LEAVING /* all is said; waits for the peer to have read it */
};

enum conn_answer { ANSWER_NONE, ANSWER_WHOLE, ANSWER_PIECES, ANSWER_STREAM };

struct http_conn {
    struct http_exchange exchange; /* first */
    enum conn_phase phase;
    struct http_host *host; /* where it comes from; NULL: free */
    enum conn_answer answer;
    bool is_given;  /* the owner knows of the exchange: on_gone is owed */
    bool is_ending; /* nothing more will be put: the exchange is over when all is sent */
    bool is_cut;    /* http_exchange_cut() */
    bool keeps_alive;
    bool is_chunked;
    bool wants_room; /* on_room is owed */
    bool was_told;   /* on_data has come for what lies in the engine */
    bool is_shut;    /* LEAVING: the end of our side is sent */
    bool is_pumping;
    bool has_served; /* a request before this one */
    int body;        /* index of the borrowed room, -1: none */
    msec since_ms;   /* start of the phase */
    msec moved_ms;   /* when a byte was last sent, or there was nothing to send */
    msec heard_ms;   /* when a byte was last received */
    msec idle_ms;    /* STREAM */
    struct loop_timer timer;
    struct list_node kick_node;
    struct list_node shake_node; /* SHAKE: waits for its next step */
    char *out;                   /* to be sent: out[out_from..out_to) */
    size_t out_from, out_to, out_peak;
    struct link link;
    struct http_parse parse;
    struct tls_engine *engine; /* first in its room */
};

/* What only a connection that is open needs, in pages of its own: they go back to the kernel when
 * it ends, so that a crowd leaves nothing behind. */
struct http_room {
    struct tls_engine engine; /* first */
    char head[HTTP_SERVER_HEAD_BYTES];
};

#define CONN_PAGE_BYTES 4096
#define CONN_ROOM_BYTES \
    ((sizeof(struct http_room) + CONN_PAGE_BYTES - 1) / CONN_PAGE_BYTES * CONN_PAGE_BYTES)
static_assert(CONN_OUT_BYTES % CONN_PAGE_BYTES == 0, "whole pages");
static_assert(TLS_OFF == 0, "a room that has been given back is an engine that is off");

/* ---- http_server_conn.c ---------------------------------------------------------------------- */

/* room and out: page-aligned, and not touched before the first connection. */
void conn_init(struct http_conn *conn, struct http_server *server, struct http_room *room,
               char *out);
/* Takes over the descriptor, starts the handshake. Errors: ERR_SYSTEM (it is closed). */
MUST_USE enum err conn_open(struct http_conn *conn, int fd, const struct sock_addr *from,
                            const struct tls_identity *identity, const struct tls_trust *clients);
void conn_pump(struct http_conn *conn);
/* The end of the exchange and of the connection, now. */
void conn_close(struct http_conn *conn, bool is_polite);
/* Gives the connection a turn soon; not from inside the caller. */
void conn_kick(struct http_conn *conn);
/* Nothing is left to be sent. */
bool conn_has_sent_all(struct http_conn *conn);
/* An answer that needs no owner: it is the last one of this connection. why: for people, who would
 * see nothing of the status (kubectl shows what the body says, unless it reads like YAML: "a: b"
 * would be an empty Status to it). */
void conn_refuse(struct http_conn *conn, int status, str why);

/* ---- http_server_reply.c --------------------------------------------------------------------- */

/* Room behind what is to be sent, after moving it to the front if that helps. */
size_t conn_out_room(struct http_conn *conn);
/* False (and nothing is put) when it does not fit. */
bool conn_out_put(struct http_conn *conn, str text);
void conn_put_head(struct http_conn *conn, int status, str type, int64_t body_bytes);

/* ---- http_server.c --------------------------------------------------------------------------- */

/* -1: none is free. */
int server_take_body(struct http_server *server);
/* bytes: of it that were written. */
void server_give_body(struct http_server *server, int body, size_t bytes);
char *server_body(struct http_server *server, int body);

/* ---- http_server_crowd.c --------------------------------------------------------------------- */

void server_crowd_init(struct http_server *server);
/* Whether one more connection of this address may be taken; closes another if that helps. */
bool server_make_room(struct http_server *server, const struct sock_addr *peer);
/* No room for a body is free: whether one is now, because a connection that held one was closed. */
bool server_free_body(struct http_server *server, const struct http_host *host);
/* A connection is opened or closed: its address counts it, or no longer. Phases are told by the one
 * door between them. */
void server_count_in(struct http_conn *conn);
void server_count_out(struct http_conn *conn);
void server_count_phase(struct http_conn *conn, enum conn_phase next);
/* The next step of this handshake when its turn comes: conn_pump(). */
void server_shake_later(struct http_conn *conn);

#endif
