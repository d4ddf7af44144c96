/*
 * http_client.h - HTTP/1.1 calls over a few kept-alive connections to one server (RFC 9110, 9112).
 *
 * One client per server and purpose: the lease has one of its own with one connection, so nothing
 * can stand in front of it; each watch has one of its own; all short calls share one with several
 * connections and a first-come queue. Engines without I/O underneath (tls.h, http_parse.h); this
 * file and tls are the pump.
 *
 * A call belongs to the caller and must live until on_done or http_client_cancel. Its texts (path,
 * headers, body) must stay valid as long. Handlers run inside the loop's handlers: they only
 * collect.
 *
 * On a reused connection that turns out to be closed before the first byte of the reply, GET is
 * repeated once on a fresh connection. Every other failure is the caller's to judge: `was_sent`
 * tells whether the request may have reached the server (see err_of_write()). Redirects are not
 * followed (reported as they are). Compression is not asked for: this client talks to the cluster's
 * LAN side.
 */
#ifndef ECILET_NET_HTTP_CLIENT_H
#define ECILET_NET_HTTP_CLIENT_H

#include "base/arena.h"
#include "base/list.h"
#include "os/loop.h"
#include "os/resolve.h"

#define HTTP_HEAD_BYTES_MAX \
    (16 * 1024)              /* status line and headers of a reply; more is ERR_BAD_REPLY */
#define HTTP_CONNECT_MS 5000 /* TCP and TLS together */
#define HTTP_KEEP_MS 60000   /* an idle connection is kept so long */
#define HTTP_WHY_BYTES 160   /* longer reasons end in "..." */

struct tls_trust;    /* tls.h: anchors, parsed once */
struct tls_identity; /* tls.h: our certificate and key, or NULL */

/* Where to and as whom. Owned by the caller; may change between calls (credentials reload) followed
 * by http_client_refresh(). */
struct http_target {
    char host[RESOLVE_HOST_BYTES]; /* Host header, SNI and name to verify (DNS name or address) */
    uint16_t port;
    bool is_tls;
    bool skip_verify;                    /* the user said so (insecure-skip-tls-verify) */
    const struct tls_trust *trust;       /* needed with is_tls, also when skip_verify is set */
    const struct tls_identity *identity; /* may be NULL */
    struct resolve *resolve;             /* may be shared, and NULL when host is an address */
};

struct http_call;

struct http_reply_head {
    int status;            /* 200 ... */
    int64_t body_bytes;    /* Content-Length, or -1 when not known beforehand */
    int64_t date_unix_s;   /* Date header, 0 when absent */
    int64_t retry_after_s; /* Retry-After in seconds, -1 when absent */
    str content_type;      /* valid during on_head only */
};

typedef void http_on_head(struct http_call *call, const struct http_reply_head *head);
typedef void http_on_body(struct http_call *call, str bytes);
typedef void http_on_done(struct http_call *call, enum err err);

struct http_call {
    /* set by the caller */
    const char *method; /* "GET", "POST", "PATCH", "PUT", "DELETE" */
    str path;           /* path and query, already encoded */
    str headers;        /* complete lines with CRLF, or empty: Content-Type, Authorization, ... */
    str body;           /* empty: none */
    msec deadline_ms;   /* how long the whole call may take, queueing included; 0 = none (watch) */
    msec idle_max_ms;   /* no byte received for so long while waiting: ERR_TIMEOUT; 0 = off */
    http_on_head *on_head; /* may be NULL */
    http_on_body *on_body; /* may be NULL; body pieces as they come, de-chunked */
    http_on_done
        *on_done; /* exactly once unless cancelled; ERR_OK = complete reply of any status */
    void *owner;
    /* filled by the client */
    struct http_reply_head head; /* content_type is cleared after on_head */
    bool was_sent;               /* at least one byte of the request was given to the kernel */
    char why[HTTP_WHY_BYTES];    /* what failed, for people: "connect 10.0.0.1:6443: refused" */
    /* the client's own */
    struct http_client *client; /* while under way; NULL before and after */
    struct list_node queue_node;
    struct http_conn *conn; /* NULL while queued */
    struct loop_timer timer;
    bool was_repeated;
};

struct http_client {
    struct loop *loop;
    const struct http_target *target;
    const char *name; /* static, for logs and metrics: "lease", "watch-pods", "calls" */
    struct http_conn *conns;
    uint32_t conns_count;
    struct list queue;
    struct loop_timer kick; /* set when the queue should be looked at, in a turn of the loop */
    uint32_t in_flight;     /* calls that hold a connection */
    uint64_t calls, connects, failures; /* counters for metrics */
};

/* The loop must have room for one timer per client, one per connection and one per call under way.
 */
void http_client_init(struct http_client *client, struct loop *loop, struct region *region,
                      const char *name, uint32_t conns_count, const struct http_target *target);
/* Never fails at once: errors come by on_done in a later turn. Zero the call before filling it. */
void http_client_send(struct http_client *client, struct http_call *call);
/* on_done will not be called. The connection is closed if the request was under way. */
void http_client_cancel(struct http_client *client, struct http_call *call);
/* Target or credentials changed: idle connections are closed, busy ones after their call,
 * handshakes begin anew. Afterwards nothing refers to the old anchors and keys any more. */
void http_client_refresh(struct http_client *client);
/* Closes everything and cancels all calls (end of the process, tests). */
void http_client_stop(struct http_client *client);

#endif
