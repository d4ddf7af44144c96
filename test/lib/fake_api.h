/*
 * fake_api.h - a scripted API server on loopback, in the loop of the test.
 *
 * HTTP/1.1 without TLS. Each request, once it is whole, goes to the test's handler, which answers
 * with one of the calls below: at once, in pieces over several turns, or never. Everything a real
 * server can do wrong on the wire can be said: cut anywhere, hang, lie about lengths.
 *
 * Time is virtual (fake_api_clock.h), so that minutes pass in milliseconds.
 */
#ifndef ECILET_TEST_FAKE_API_H
#define ECILET_TEST_FAKE_API_H

#include "base/buf.h"
#include "os/loop.h"

#define FAKE_CONNS_MAX 16
#define FAKE_IN_BYTES (512 * 1024)       /* one request, whole */
#define FAKE_OUT_BYTES (6 * 1024 * 1024) /* replies not yet taken by the kernel */
#define FAKE_SEEN_MAX 256                /* requests remembered */

struct fake_api;
struct fake_conn;

struct fake_request {
    str method;
    str path; /* with query */
    str head; /* all header lines */
    str body;
    uint32_t number; /* from 1, of this server */
};

typedef void fake_handler(struct fake_api *api, struct fake_conn *conn,
                          const struct fake_request *request);

struct fake_conn {
    struct fake_api *api;
    int fd; /* -1 = free */
    struct loop_watch watch;
    struct buf in, out;
    bool is_streaming; /* chunked, not yet ended */
    bool is_hanging;   /* reads nothing more, says nothing more */
    bool closes;       /* after what is in `out` */
};

struct fake_api {
    struct loop *loop;
    fake_handler *handler;
    void *owner;
    int listener;
    uint16_t port;
    struct loop_watch watch;
    struct fake_conn conns[FAKE_CONNS_MAX];
    uint32_t accepted; /* connections ever */
    uint32_t requests;
    /* "GET /api/v1/pods?limit=500", the newest at seen[requests - 1] */
    char seen[FAKE_SEEN_MAX][512];
    char last_head[8192]; /* of the newest request */
    char last_body[16384];
};

void fake_api_start(struct fake_api *api, struct loop *loop, fake_handler *handler, void *owner);
/* Closes the listener and all connections, as a dying process does; start again on the same port
 * with fake_api_restart(). */
void fake_api_stop(struct fake_api *api);
void fake_api_restart(struct fake_api *api);
/* Closes the connections only. */
void fake_api_cut_all(struct fake_api *api);

/* A whole reply with Content-Length. extra: further header lines with CRLF, or "". */
void fake_reply(struct fake_conn *conn, int status, const char *extra, str body);
void fake_reply_text(struct fake_conn *conn, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A metav1.Status; kind is details.kind, "" = no details. */
void fake_reply_status(struct fake_conn *conn, int code, const char *reason, const char *kind);

/* A chunked reply in pieces, after its head. */
void fake_stream_put(struct fake_conn *conn, str piece);
void fake_stream_end(struct fake_conn *conn);
/* The streaming connection, NULL when there is none. */
struct fake_conn *fake_streaming(struct fake_api *api);

/* Bytes as they are, then the connection is closed. */
void fake_raw(struct fake_conn *conn, str bytes);
/* Neither reads nor writes nor closes any more (a half-open connection). */
void fake_hang(struct fake_conn *conn);

/* The path and query contain this text. */
bool fake_has(const struct fake_request *request, const char *text);
/* How many requests so far have contained this text. */
uint32_t fake_seen(const struct fake_api *api, const char *text);

#endif
