/*
 * eci_call.h - calls to the ECI API: signed, sent, answered, judged.
 *
 * A call takes a slot and a buffer until on_done has returned. The buffer holds the signed form
 * and, after it, the reply: SMALL buffers for writes and small reads, PAGE buffers for lists and
 * logs (actions.def says which), and also for requests too large for a small one (config files make
 * creates of a few hundred KB). Nothing here waits for a rate: the caller keeps the documented
 * rates (base/bucket.h) and its own count of calls in flight.
 *
 * What a call does by itself, once each, within its deadline, before anybody hears of it:
 *   clock refused (InvalidTimeStamp.Expired)   learns the server's time from Date, signs anew
 *   nonce refused (SignatureNonceUsed)         signs anew; but a write without ClientToken is not
 *                                              repeated, its first copy may have landed: LOST_WRITE
 *
 * What a result means:
 *   ERR_OK          complete and successful; DryRunOperation counts as that (code tells)
 *   ERR_LOST_WRITE  a write that may or may not have landed: no reply, a cut or unreadable reply,
 *                   5xx, 408
 *   ERR_TOO_BIG     a read whose reply is larger than its buffer, ERR_FULL one whose JSON is larger
 *                   than the arena: ask for fewer rows (groups carry their config files)
 *   other errors    eci_code.h for what the cloud said, eci_curl.h for what the line did. A refusal
 *                   by the cloud is a refusal also for a write. A lost read is a plain error.
 */
#ifndef ECILET_ECI_ECI_CALL_H
#define ECILET_ECI_ECI_CALL_H

#include "base/pool.h"
#include "data/json_read.h"
#include "data/params.h"
#include "eci/actions.h"
#include "eci/eci_curl.h"
#include "eci/eci_sign.h"

#define ECI_KEY_BYTES 128    /* access key id; today 24 characters */
#define ECI_TOKEN_BYTES 4096 /* STS token; documented: no fixed size, plan for this */
#define ECI_REGION_BYTES 64
#define ECI_WHY_BYTES 512
#define ECI_CLOCK_SLACK_MS 2000 /* a smaller difference to the server's clock is ignored */

/* One set of keys. Wiped when replaced. */
struct eci_keys {
    char id[ECI_KEY_BYTES];
    char secret[ECI_SECRET_BYTES];
    char token[ECI_TOKEN_BYTES]; /* "" without STS */
};

struct eci_call_config {
    str endpoint; /* "https://host[:port]"; http:// for a simulator */
    str region_id;
    str proxy; /* see eci_curl.h */
    str no_proxy;
    const struct x509_anchors *anchors; /* outlive us; may be NULL for http:// */
    struct arena *arena;                /* for parsing replies; shared, left as it was found */
    uint32_t small_count;               /* e.g. 24 */
    uint32_t small_bytes;               /* e.g. 64 KiB */
    uint32_t page_count;                /* e.g. 4 */
    uint32_t page_bytes;                /* e.g. 2 MiB */
    uint32_t kept_max;                  /* see eci_curl.h; all of them is right for most */
};

/* Valid during on_done only. */
struct eci_reply {
    enum eci_action action;
    handle call;
    handle subject;  /* as given */
    int http_status; /* 0: none */
    str code;        /* Code; empty on success */
    str message;     /* Message; empty where it might quote secrets */
    str request_id;
    json root;             /* JSON_NONE when there was no valid JSON */
    struct arena *arena;   /* for reading root; rewound after on_done */
    str why;               /* one line for people, empty on ERR_OK: "403 Forbidden.RAM: ... (id)" */
    bool was_sent;         /* the request may have left this machine */
    bool was_repeated;     /* signed and sent a second time, see above */
    int64_t retry_after_s; /* -1 when absent */
    msec took_ms;
};

typedef void eci_call_done(void *owner, enum err err, const struct eci_reply *reply);

/* A request. Everything is copied or used up before eci_call_start() returns. */
struct eci_want {
    enum eci_action action;
    struct params *params; /* without the common parameters and RegionId; gets sorted */
    msec deadline_ms;      /* 0: the action's default */
    eci_call_done *on_done;
    void *owner;
    handle subject; /* whom the call is about, handed back in the reply; may be none */
};

/* Buffers of one size. */
struct eci_room {
    char *memory;
    uint32_t *free_slots; /* stack, so that an idle process touches few pages */
    uint32_t free_count;
    uint32_t count;
    uint32_t bytes; /* each */
};

struct eci_call_counters {
    uint64_t calls[ECI_ACTION_COUNT]; /* ended, not counting those cancelled */
    uint64_t failures[ECI_ACTION_COUNT];
    uint64_t errors[ERR_COUNT];
    uint64_t repeated;
};

struct eci_client {
    struct loop *loop;
    struct arena *arena;
    struct eci_curl curl;
    struct pool calls; /* struct eci_call, private */
    struct eci_room small, page;
    char region_id[ECI_REGION_BYTES];
    struct eci_keys keys[2]; /* the current ones and those before, still used by calls in flight */
    uint64_t keys_turn;      /* how often keys were set; the current ones are keys[keys_turn % 2] */
    int64_t clock_offset_ms; /* server minus us, smoothed */
    bool has_clock_offset;
    struct eci_call_counters counters;
};

/*
 * Carves slots and buffers; starts libcurl unless the region is only planning.
 * Errors: as eci_curl_init(), and ERR_BAD_INPUT for an endpoint or region that is none.
 */
MUST_USE enum err eci_client_init(struct eci_client *client, struct loop *loop,
                                  struct region *region, const struct eci_call_config *config);

/*
 * New keys, at start and whenever they were rotated; calls already under way keep theirs. The
 * secret and the token are registered with log_hide(). Errors: ERR_BAD_INPUT when one is too long,
 * or id or secret is empty; the old keys stay.
 */
MUST_USE enum err eci_client_set_keys(struct eci_client *client, str id, str secret, str token);

/* Whether a call of this action would find a slot now (requests of usual size). */
bool eci_client_has_room(const struct eci_client *client, enum eci_action action);

/* The server's time as far as we know it: wall clock plus the learnt offset. */
int64_t eci_client_unix_ms(const struct eci_client *client);
/* Server minus our wall clock as applied (0 below ECI_CLOCK_SLACK_MS). */
int64_t eci_client_clock_offset_ms(const struct eci_client *client);

/*
 * Starts a call. on_done comes from a later turn of the loop, exactly once unless cancelled; it may
 * start and cancel other calls.
 *
 * out   may be NULL; receives the handle for eci_call_cancel()
 * Errors (on_done is then not called): ERR_FULL no slot or buffer; ERR_TOO_BIG the request is
 * larger than a page buffer can carry; ERR_INVALID see eci_sign(); ERR_AUTH no keys were set;
 * ERR_NO_MEMORY.
 */
MUST_USE enum err eci_call_start(struct eci_client *client, const struct eci_want *want,
                                 handle *out);
/* on_done will not be called. A stale handle is a no-op. What was sent stays sent. */
void eci_call_cancel(struct eci_client *client, handle call);

/* Cancels all calls and wipes the keys (end of the process, tests). */
void eci_client_stop(struct eci_client *client);

#endif
