/*
 * event.h - Events of Kubernetes (core/v1), the lowest in rank of all we write.
 *
 * Repetitions are counted, not repeated, in the spirit of client-go's recorder: the same (object,
 * reason, type, message) again is a PATCH of count and lastTimestamp of the first one's event. A
 * table of fixed size remembers them, least recently used out first.
 *
 * Events that somebody else has counted (the cloud's) come with a name of their own: then count and
 * times are theirs, seeing the same once more changes nothing, and an event that is on the server
 * already (a process before us has posted it) is not posted again.
 *
 * Limits, all by dropping (counted): the table (only entries not waiting to be written are
 * replaced), a budget per object (25 at once, then 1 each 5 minutes, as client-go), a global rate,
 * one write per entry in KUBE_EVENT_SPREAD_MS, one request under way. An event that cannot be
 * written for KUBE_EVENT_TRY_MS is given up.
 */
#ifndef ECILET_KUBE_EVENT_H
#define ECILET_KUBE_EVENT_H

#include "base/bucket.h"
#include "base/index.h"
#include "base/prng.h"
#include "kube/call.h"

#define KUBE_EVENT_MESSAGE_BYTES_MAX 1024 /* validation limit of the API server */
#define KUBE_EVENT_REASON_BYTES_MAX 128
#define KUBE_EVENT_SPREAD_MS 10000
#define KUBE_EVENT_TRY_MS 600000
#define KUBE_EVENT_BURST 25         /* per object */
#define KUBE_EVENT_REFILL_MS 300000 /* one more per object */

/* The object an event is about, and what happened. Texts are copied. */
struct kube_event {
    enum kube_kind kind;
    str name_space; /* empty for cluster-scoped kinds: their events live in "default" */
    str name;
    str uid; /* for a Node kubelets use the node's name, and `kubectl describe node` expects that */
    bool is_warning; /* else Normal */
    str reason;      /* "ProviderCreateFailed" */
    str message;     /* cut to KUBE_EVENT_MESSAGE_BYTES_MAX; never a secret */
    /* Of an event that somebody else has counted; all empty for one of ours. */
    str own_name;  /* of the Event object: the same whenever it is seen; valid as such a name */
    str component; /* source.component; empty: ours. Cut to KUBE_EVENT_REASON_BYTES_MAX */
    uint32_t count;
    int64_t first_unix_s, last_unix_s;
};

struct kube_events_config {
    str component;           /* "ecilet"; borrowed for ever */
    str host;                /* node name; borrowed for ever */
    uint32_t entries_max;    /* remembered events, at most 3 KiB each; e.g. 256 */
    uint32_t objects_max;    /* budgets per object, 32 bytes each; e.g. 1024 */
    uint32_t per_minute_max; /* global rate; e.g. 300 */
};

struct kube_event_object; /* private */

struct kube_events {
    /* counters */
    uint64_t posted, patched, repeated, dropped, failed;
    /* private */
    struct kube_calls *calls;
    struct loop *loop;
    struct kube_events_config config;
    struct pool entries;
    struct pool short_texts, long_texts; /* of entries */
    struct index by_key;
    struct due due;     /* entries waiting to be written */
    struct list recent; /* entries written, least recently used first */
    struct kube_event_object *objects;
    struct bucket bucket;
    struct loop_timer timer;
    struct prng prng;
    uint64_t names; /* last number used in a name */
    bool is_busy;
};

void kube_events_init(struct kube_events *events, struct loop *loop, struct region *region,
                      struct kube_calls *calls, uint64_t seed,
                      const struct kube_events_config *config);

/* Never fails and never waits: what does not fit is dropped and counted. */
void kube_event_post(struct kube_events *events, const struct kube_event *event);

/* Would another event find a place? The last quarter of the table is for those of our own. */
bool kube_events_has_room(const struct kube_events *events);

/* How many wait to be written (tests, end of the process). */
uint32_t kube_events_waiting(const struct kube_events *events);

#endif
