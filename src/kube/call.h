/*
 * call.h - short requests to the API server: read one object, create, patch, delete.
 *
 * All share one HTTP client with a few connections. A request lives in a slot: path, headers, body
 * and reply are in the slot's own memory, so the caller may forget its texts at once. Slots come in
 * two sizes; a request takes the smallest that fits.
 *
 * Order: requests wait here, not in the HTTP client, by rank and then first come, so that deletes
 * and status writes overtake creates of events. But a quarter of the connections is not for them:
 * the reads of a new pod do not wait until the statuses of a hundred others are written. Slots are
 * kept back too: a low rank finds the slots "full" while a high one still gets one.
 *
 * A 401 with changed credentials behind it (token rotation) is repeated once by this file: a
 * refused request had no effect. Everything else is reported as it came; no other repeat is made
 * here.
 */
#ifndef ECILET_KUBE_CALL_H
#define ECILET_KUBE_CALL_H

#include "base/pool.h"
#include "kube/auth.h"
#include "kube/object.h"

#define KUBE_CALL_DEADLINE_MS 15000 /* default for the whole request, waiting included */
#define KUBE_REPLY_BYTES_MIN 1024   /* room every slot keeps for the Status of a failure */

enum kube_verb {
    KUBE_GET,             /* read */
    KUBE_CREATE,          /* POST */
    KUBE_UPDATE,          /* PUT */
    KUBE_MERGE_PATCH,     /* PATCH, application/merge-patch+json */
    KUBE_STRATEGIC_PATCH, /* PATCH, application/strategic-merge-patch+json */
    KUBE_DELETE,          /* DELETE with a DeleteOptions body */
    KUBE_VERB_COUNT
};

/* Lowest first. Slots of a size a rank leaves untouched: LOW half, NORMAL an eighth (at least one),
 * HIGH none. */
enum kube_rank {
    KUBE_RANK_LOW,    /* events */
    KUBE_RANK_NORMAL, /* reads, registration, reviews of callers of the kubelet port */
    KUBE_RANK_HIGH,   /* deletes, status */
    KUBE_RANK_COUNT
};

/* How a request ended. Texts are valid during on_done only. */
struct kube_reply {
    enum err err; /* ERR_OK = 2xx and, if a reply was wanted, complete */
    int status;   /* HTTP status, 0 = no reply */
    str body;     /* of a success: when reply_bytes > 0; of a failure: what was kept */
    struct kube_status why_status; /* of a failure: reason and message of the server */
    str why;                       /* one text for people, never empty on failure */
    int64_t date_unix_s;           /* the server's clock, 0 = not said */
    int64_t retry_after_s;         /* THROTTLED and SERVER: the server's wish, -1 = none */
    handle about;                  /* as given in the request */
    uint32_t op;
};

typedef void kube_call_done(void *owner, const struct kube_reply *reply);

struct kube_request {
    enum kube_verb verb;
    enum kube_rank rank;
    str path;                /* encoded, with query, without the server's prefix: kube_put_path() */
    str body;                /* JSON or empty; copied */
    size_t reply_bytes;      /* largest reply body wanted; 0 = the body of a success is dropped */
    msec deadline_ms;        /* duration; 0 = KUBE_CALL_DEADLINE_MS */
    str accept;              /* empty: application/json; static text */
    kube_call_done *on_done; /* exactly once unless cancelled; may send further requests */
    void *owner;
    handle about; /* both handed back unchanged: which object, and what was done to it */
    uint32_t op;
};

struct kube_calls_config {
    uint32_t conns_count; /* connections, e.g. 4 */
    uint32_t small_count; /* slots, e.g. 64 */
    uint32_t small_bytes; /* request and reply together, e.g. 8 KiB */
    uint32_t large_count; /* e.g. 8 */
    uint32_t large_bytes; /* e.g. 384 KiB */
};

#define KUBE_CALL_SIZES 2

struct kube_call_size {
    struct pool pool;
    char *texts; /* of slot i: bytes from texts + i * bytes; apart, so that taking a slot does
                  * not touch (and make resident) its whole text */
    uint32_t bytes;
};

struct kube_calls {
    struct kube_auth *auth;
    struct arena *arena;
    struct loop *loop;
    struct http_client client;
    struct kube_call_size sizes[KUBE_CALL_SIZES]; /* small, large */
    struct list waiting[KUBE_RANK_COUNT];
    struct loop_timer timer;  /* deadlines of waiting requests */
    msec low_after_ms;        /* a 429 holds events back until then */
    uint32_t running;         /* handed to the client, at most running_max */
    uint32_t running_high;    /* of them with the highest rank */
    uint32_t running_max;     /* connections */
    uint64_t done[ERR_COUNT]; /* how requests ended, for metrics */
    uint64_t refused;         /* no slot */
};

/* arena: scratch for reading a Status; rewound after use. */
void kube_calls_init(struct kube_calls *calls, struct loop *loop, struct region *region,
                     struct kube_auth *auth, struct arena *arena,
                     const struct kube_calls_config *config);

/*
 * Starts a request.
 *
 * out   may be NULL; receives the handle for kube_call_cancel()
 * Errors, at once and without on_done: ERR_FULL no slot for this rank; ERR_TOO_BIG larger than any
 * slot. Everything else comes by on_done in a later turn.
 *
 * Errors in on_done: see kube_err_of(); also ERR_TIMEOUT (not sent), ERR_LOST_WRITE (a write that
 * may have landed), ERR_TOO_BIG (a reply over reply_bytes that was wanted), and those of the
 * network.
 */
MUST_USE enum err kube_call_send(struct kube_calls *calls, const struct kube_request *request,
                                 handle *out);

/* Forgets a request: on_done will not be called. A write may have landed. No-op when stale. */
void kube_call_cancel(struct kube_calls *calls, handle call);

/* Is this ERR_NOT_FOUND the API server's word about this very object? A proxy or load balancer has
 * 404 pages of its own, and a server that lacks the whole resource says something else. */
bool kube_is_absent(const struct kube_reply *reply, enum kube_kind kind, str name);

/*
 * What the reply to a read says about one object, known by its name and UID.
 *
 * object   receives it, in arena; set on ERR_OK only
 * Errors: ERR_NOT_FOUND proof that it is gone: kube_is_absent(), or its name belongs to another
 * UID; ERR_BAD_REPLY neither this object nor such a proof; else that of the reply.
 */
MUST_USE enum err kube_read_one(const struct kube_reply *reply, enum kube_kind kind, str name,
                                str uid, struct arena *arena, json *object);

/* Would one more request go out at once, over a connection that is open already? */
bool kube_calls_idle(const struct kube_calls *calls);

/* Cancels everything (end of the process). */
void kube_calls_stop(struct kube_calls *calls);

/* ---- for the other files of kube/ ------------------------------------------------------------ */

/*
 * What a reply means (see the table in call.c): 2xx OK, 400/405/406/413/415/422 INVALID, 401 AUTH,
 * 403 FORBIDDEN, 404 NOT_FOUND, 409 CONFLICT, 410 GONE, 429 THROTTLED, 5xx SERVER; a reason that
 * says more than its status wins (Expired, ServerTimeout, TooManyRequests, ...).
 */
enum err kube_err_of(int status, str reason);

/*
 * Judges a call that has ended: its transport error, or its HTTP status and the Status in the body.
 *
 * err, body   as on_done got it; what was kept of the reply's body (may be cut)
 * is_write    a passing failure of a request that was sent becomes ERR_LOST_WRITE
 * status      receives reason and message of the server, in arena
 */
enum err kube_judge(const struct http_call *call, enum err err, bool is_write, str body,
                    struct arena *arena, struct kube_status *status);

/* One text for people about a call that failed: the server's message, the transport's reason, or
 * the error's own text. In arena or static. */
str kube_why(const struct http_call *call, enum err err, const struct kube_status *status,
             struct arena *arena);

#endif
