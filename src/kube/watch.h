/*
 * watch.h - a reflector: one resource of the API server, listed and then followed for ever.
 *
 * The owner hears of every object in order, and of complete lists only (on_list_end), so that it
 * may conclude from a list what is *not* there. Nothing is stored here but the position.
 *
 *   list    in pages (limit, continue); streamed, each object parsed alone and forgotten again.
 *           All pages must carry one resourceVersion; an expired page token, a lost page or another
 *           version starts the list again (on_list_begin is called again).
 *   watch   from the list's version, with bookmarks, timeoutSeconds random in 300..600. The
 *           position moves only past what the owner was given and by bookmarks. A stream that ends
 *           is resumed; "too old" (HTTP 410, or an ERROR event in an HTTP 200) leads to a new list.
 *   silence no byte for idle_max_ms: the connection is taken for dead, dropped, and the stream
 *           resumed. API servers from 1.20 on send a bookmark each minute, but only when some
 *           object of that resource (in the whole cluster) has changed since the stream began;
 *           older ones send one at the end of the stream at most. So silence may also mean that
 *           nothing happens: after a silent stream the next is asked to end after idle_max_ms -
 *           15 s. Its end then proves that the server is there, for one request a minute.
 *   failure back-off from 0.25 s to 30 s with jitter; a 401 re-reads the credentials.
 *
 * Memory is bounded by the largest single object (object_bytes_max), not by the list. An object
 * over that, or one that is not JSON, is reported by on_unreadable and stops nothing.
 *
 * Each reflector has its own HTTP client with one connection.
 */
#ifndef ECILET_KUBE_WATCH_H
#define ECILET_KUBE_WATCH_H

#include "base/prng.h"
#include "data/json_split.h"
#include "kube/call.h"

#define KUBE_WATCH_PATH_BYTES 1024  /* path and selectors, encoded; more is CHECKed at init */
#define KUBE_WATCH_TOKEN_BYTES 2048 /* continue tokens have some 200 bytes */
#define KUBE_WATCH_REQUEST_BYTES (KUBE_WATCH_PATH_BYTES + 3 * KUBE_WATCH_TOKEN_BYTES + 512 + \
                                  KUBE_PREFIX_BYTES + KUBE_HEADERS_BYTES_MAX)
#define KUBE_WATCH_ENVELOPE_BYTES 4096
#define KUBE_WATCH_PAGE 500
#define KUBE_WATCH_IDLE_MS 75000
#define KUBE_LIST_IDLE_MS 30000 /* no byte of a list for so long: failed */
#define KUBE_WATCH_BACKOFF_MS 250
#define KUBE_WATCH_BACKOFF_MAX_MS 30000 /* lists that are needed again and again: they are costly \
                                         */
#define KUBE_WATCH_AWAY_MAX_MS \
    10000 /* a server that is away, or refuses while it starts: heard again soon */
/* After so many of them in a row at one position, the position is given up and listed anew: */
#define KUBE_WATCH_BROKEN_MAX 3 /* streams of nonsense, or ERROR events that are not "too old" */
#define KUBE_WATCH_SILENT_MAX \
    15                         /* silent streams: our version may lie in the server's future \
                                * (etcd restored from a backup); a quarter of an hour */
#define KUBE_LIST_BROKEN_MAX 2 /* paged lists that broke: the next is asked for in one piece */
#define KUBE_OBJECT_BYTES_MAX (3u * 1024 * 1024 + 64 * 1024) /* API server: 3 MiB per request */

enum kube_change {
    KUBE_LISTED, /* between on_list_begin and on_list_end */
    KUBE_ADDED,  /* all may come for an object already known, or unknown: level, not edge */
    KUBE_MODIFIED,
    KUBE_DELETED /* the object as it was last */
};

struct kube_list_end {
    str resource_version;
    uint32_t objects;    /* given to on_object */
    uint32_t unreadable; /* given to on_unreadable */
    uint32_t nameless;   /* ... of these without a visible name: absence then proves nothing */
};

/* An object that could not be read. Borrowed texts; those that were not visible are empty. */
struct kube_unreadable {
    enum kube_change change;
    struct kube_meta meta;
    enum err err; /* ERR_TOO_BIG, ERR_BAD_INPUT, ERR_FULL (more members than the arena holds) */
};

struct kube_watch;

/* All are called inside the loop's handlers: collect only. None may stop the watch. */
struct kube_watch_handlers {
    void (*on_list_begin)(struct kube_watch *watch);
    /* object and its texts live in arena until this returns. */
    void (*on_object)(struct kube_watch *watch, enum kube_change change, json object,
                      struct arena *arena);
    void (*on_list_end)(struct kube_watch *watch, const struct kube_list_end *end);
    void (*on_unreadable)(struct kube_watch *watch, const struct kube_unreadable *what);
    /* is_connected changed, or (while not) the reason did: err and why say what is wrong. A resumed
     * stream that did not fail is no change. */
    void (*on_state)(struct kube_watch *watch, bool is_connected, enum err err, const char *why);
};

struct kube_watch_config {
    const char *name; /* static: "pods"; for logs, metrics and the budget */
    enum kube_kind kind;
    str name_space;     /* empty: all */
    str field_selector; /* plain text, e.g. "spec.nodeName=vk-1"; encoded here */
    str label_selector;
    bool metadata_only; /* only labels matter: objects come without spec and status where the server
                         * can do that (PartialObjectMetadata, Kubernetes 1.15), whole otherwise */
    bool from_cache; /* lists with resourceVersion=0: cheaper, may be stale. Default: quorum read */
    size_t object_bytes_max; /* 0 = KUBE_OBJECT_BYTES_MAX */
    uint32_t page;           /* 0 = KUBE_WATCH_PAGE */
    msec idle_max_ms;        /* 0 = KUBE_WATCH_IDLE_MS */
    const struct kube_watch_handlers *handlers;
    void *owner;
};

enum kube_watch_state {
    KUBE_WATCH_OFF,
    KUBE_WATCH_WAITING, /* back-off */
    KUBE_WATCH_LISTING,
    KUBE_WATCH_STREAMING
};

struct kube_watch {
    void *owner; /* as configured */
    /* for reading */
    enum kube_watch_state state;
    bool is_connected;
    bool is_synced;    /* at least one complete list was given */
    msec synced_at_ms; /* start of the newest complete list: what it says was true after this */
    msec heard_at_ms;  /* last byte of any kind */
    uint64_t lists, resumes, events, bookmarks, unreadable, failures; /* counters */
    char version[KUBE_VERSION_BYTES_MAX + 1];                         /* position; "" = must list */
    /* private */
    struct kube_watch_config config;
    struct kube_auth *auth;
    struct arena *arena;
    struct loop *loop;
    struct http_client client;
    struct http_call call;
    struct loop_timer timer;
    struct json_split split;
    struct prng prng;
    char path[KUBE_WATCH_PATH_BYTES]; /* path and selectors */
    struct buf request;               /* path and headers of the call under way */
    char *piece;                      /* object_bytes_max */
    char *envelope;
    struct buf refusal;                            /* body of a reply that is no 200; in piece */
    char token[KUBE_WATCH_TOKEN_BYTES];            /* continue; "" = first page */
    char list_version[KUBE_VERSION_BYTES_MAX + 1]; /* of the list under way */
    struct kube_list_end list;
    msec list_began_ms;
    msec call_began_ms;
    uint64_t generation;     /* of the credentials of the call under way */
    uint32_t failures_row;   /* since something good happened */
    uint32_t gone_row;       /* likewise: position or page token too old */
    uint32_t broken_pages;   /* paged lists that broke in a row */
    uint32_t broken_streams; /* streams in a row that ended in nonsense at one position */
    uint32_t silent_streams; /* streams in a row that brought no object and no bookmark */
    uint32_t call_pieces;    /* objects, bookmarks and errors in the call under way */
    enum err stop_err; /* why we want to end the call under way ourselves; ERR_OK = we do not */
    enum err said_err; /* last reason given to on_state */
    bool is_page_whole;
    bool must_list;
};

/* Carves object_bytes_max and about 12 KiB; pages of large buffers cost nothing until used. The
 * texts of config are borrowed for ever, except name_space and selectors. */
void kube_watch_init(struct kube_watch *watch, struct loop *loop, struct region *region,
                     struct kube_auth *auth, struct arena *arena, uint64_t seed,
                     const struct kube_watch_config *config);
void kube_watch_start(struct kube_watch *watch);
/* Ends it; may be started again (it then lists anew). */
void kube_watch_stop(struct kube_watch *watch);
/* Asks for a fresh complete list (somebody needs positive evidence). Harmless when one is under
 * way. */
void kube_watch_relist(struct kube_watch *watch);

#endif
