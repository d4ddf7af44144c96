/*
 * wire.h - where both sides meet: effects of the brain become calls, replies become facts.
 *
 * This is the main path of the program. One turn (wire_turn): the loop's handlers have collected
 * facts; now every effect that the brain wants and its budgets allow is performed. wire.c holds the
 * turn and the table of effects; wire_pods.c how pods become facts, wire_cluster.c what is written
 * about them; wire_cloud.c the cloud's side, wire_create.c how an instance is asked for there;
 * wire_node.c our node and its lease, wire_leader.c who acts when there are several gateways.
 *
 * What a call still needs to know when its reply comes sits in a job slot; there are as many jobs
 * as calls that may be in flight, so a missing slot only means "again soon" (brain_undo).
 */
#ifndef ECILET_APP_WIRE_H
#define ECILET_APP_WIRE_H

#include "app/config.h"
#include "app/wire_profile.h"
#include "app/wire_webhook.h"
#include "core/brain.h"
#include "core/node.h"
#include "eci/eci_call.h"
#include "kube/event.h"
#include "kube/lease.h"
#include "kube/watch.h"
#include "app/limits.h"
#include "net/tls.h"
#include "net/tls_keep.h"
#include "net/x509_verify.h"
#include "os/loop.h"
#include "serve/logs.h"
#include "serve/serve_port.h"
#include "serve/stats.h"
#include "spec/pod_to_eci.h"

#define WIRE_PAGE_ROWS 200              /* rows of a poll's page (eci-api 2.4, A-10) */
#define WIRE_ARENA_RELEASE (384 * 1024) /* an event that needed more gives its pages back ... */
#define WIRE_ARENA_KEEP (256 * 1024)    /* ... but for so much, which usual events need */
#define WIRE_TOKEN_BYTES 1024 /* NextToken of the cloud; a longer one ends that sweep as failed */
#define WIRE_BODY_BYTES (320 * 1024) /* largest status patch: 20 containers with 4 KB messages */
#define WIRE_LARGE_CALL_BYTES (WIRE_BODY_BYTES + 64 * 1024) /* with path, headers and reply */
#define WIRE_POD_BYTES (24 * 1024) /* reply room of a pod read at first; larger ones again with */
#define WIRE_POD_BYTES_MAX (320 * 1024) /* ... this much. Larger pods are refused with an event */
#define WIRE_YOUNG_MS 60000 /* a created group may be invisible so long (eci-api A-24) */
#define WIRE_SMALL_SPARE \
    32                    /* request slots beside the brain's: events, node. Full: dropped, later */
#define WIRE_ROOMS 8      /* creates that read what their pods refer to. None free: again soon */
#define WIRE_ROOM_BYTES (3 * 1024 * 1024) /* of one, for pod, replies and what is parsed of them \
                                           */
#define WIRE_REFS_BYTES (512 * 1024)      /* replies of one create; what is more is unreadable */
#define WIRE_EVENTS_PER_MINUTE 500        /* DescribeContainerGroupEvents (eci-api 5) */
#define WIRE_EVENTS_FAST_MS 3000  /* between rounds while pods start or stop, and a little after */
#define WIRE_EVENTS_SLOW_MS 30000 /* ... while nothing does */
#define WIRE_EVENTS_FIRST_S 300   /* what was told so long before our start is told on */
#define CLUSTER_PATH_BYTES 1200   /* of a pod's path: a namespace and a name, percent-encoded */
#define WIRE_STOP_MS 1500         /* SIGTERM: longest wait for replies under way */

struct wire;

/* One effect under way. */
struct wire_job {
    struct wire *wire;
    struct effect effect;
    /* EFFECT_PATCH, EFFECT_SAY: the status that is being written */
    struct pod_status_past past;
    uint64_t row_hash;
    bool is_init;
    /* EFFECT_READ...: which groups the reply showed */
    bool was_found[READ_BATCH_MAX];
    /* EFFECT_DELTA, EFFECT_SWEEP */
    uint32_t rows;
    uint32_t pages;
    bool is_complete;
    char next_token[WIRE_TOKEN_BYTES];
    /* reading a pod, or what it refers to: the larger reply room is in use */
    bool is_large;
    handle room; /* EFFECT_CREATE: what the pod refers to; wire_refs.h */
};

/* Our node object and what is said about it; wire_node.c. */
struct wire_node {
    struct kube_watch watch; /* of this one node: it is made again when somebody deletes it */
    struct kube_lease lease;
    struct loop_timer timer; /* next status */
    struct node_facts facts;
    char uid[KUBE_UID_BYTES_MAX + 1];
    bool is_busy;       /* a request of ours is under way */
    bool is_there;      /* the watch (or our own write) has shown it */
    bool is_stale;      /* a condition has changed since a status was last sent */
    bool needs_spec;    /* labels and taint have not been looked at since the start */
    bool is_checked;    /* a list has shown that it is ours, or not there */
    bool was_listed;    /* the list under way has shown it */
    bool is_unreadable; /* ... but it could not be read: whose it is stays unknown */
    enum err lease_err; /* of the newest try */
    bool is_registered; /* written at least once since the start: the log has said so */
    uint32_t failures;
};

/* How much the node shows; wire_capacity.c. */
struct wire_capacity {
    struct loop_timer timer; /* the next look */
    bool is_busy;            /* ListUsage is under way */
    uint32_t failures;       /* in a row */
    uint64_t changes;        /* of brain.capacity, as the node's facts have them */
    int64_t cpu_milli;       /* as configured */
    char cpu[24], cpu_free[24];
};

/* Which of several gateways acts; wire_leader.c. */
struct wire_leader {
    bool is_wanted;  /* LEADER_ELECT; without it this gateway always acts */
    bool is_leader;  /* has held the lease in this process */
    bool is_new;     /* since the last turn */
    bool waits;      /* another gateway leads */
    bool is_deposed; /* the lease is lost: the process starts anew */
    bool was_told;
    enum err err; /* of the newest try */
    char name[128];
    char identity[256];
    char holder[256]; /* of another gateway, last heard of */
    struct kube_lease lease;
};

/* `ecilet status` on this machine; wire_status.c. */
struct wire_status {
    struct loop_watch listener;
    struct loop_watch peer; /* one at a time; others wait in the kernel */
    struct loop_timer timer;
    int listener_fd, peer_fd; /* -1: none */
    struct buf text;
    size_t sent_bytes;
};

/* What the cloud tells about our groups in words; wire_events.c. */
struct wire_events {
    struct loop_timer timer; /* the next call */
    struct bucket bucket; /* of this action alone: nothing else waits for it, nor it for others */
    handle next;          /* group after which the next call goes on */
    bool is_busy;         /* a call is under way */
    bool is_partial;      /* of this round something could not be taken: it counts for nothing */
    msec round_ms;        /* start of the round under way; 0: none is */
    msec since_ms;        /* start of the newest round that was whole; 0: none was */
    msec moves_until_ms;  /* pods were starting or stopping a short while ago */
    uint32_t failures;    /* in a row */
};

/* The requests that made the newest groups; wire_requests.c. */
#define WIRE_REQUESTS 256 /* some seconds of creates at their highest rate */
struct wire_request {
    char group_id[GROUP_ID_BYTES];
    char id[40]; /* a UUID */
};
struct wire_requests {
    struct wire_request items[WIRE_REQUESTS];
    uint32_t next;
};

/* The kubelet port; wire_serve.c. */
struct wire_serve {
    struct serve port;
    struct logs logs;
    struct stats stats;
    struct pool verifiers;
    struct tls_trust clients; /* who may sign callers' certificates */
    struct loop_timer timer;  /* the next look at the certificate */
    struct tls_keep keep;
};

struct wire {
    const struct config *config;
    struct limits limits;
    struct loop *loop;
    struct arena *arena; /* one event: JSON, parameters, status bodies */
    struct buf body;     /* one status patch */
    char address[64];    /* of this node: VKUBELET_POD_IP, else ours on the way to the API server */
    struct brain brain;
    struct pool jobs;
    struct pool rooms;
    char *room_memory; /* WIRE_ROOMS times WIRE_ROOM_BYTES */

    struct kube_auth auth;
    struct kube_calls calls;
    struct kube_watch pods;
    struct kube_events events;
    struct wire_events cloud_events;
    struct wire_requests requests;
    struct wire_node node;
    struct wire_capacity capacity;
    struct wire_leader leader;
    struct wire_status status;
    struct wire_serve serve;
    struct wire_profile profile;
    struct wire_webhook webhook;

    struct arena anchors_memory;
    struct x509_anchors anchors; /* whom we believe on the cloud's side */
    struct eci_client cloud;
    struct pool cloud_verifiers; /* handshakes with the cloud's terminals; wire_streams.c */
    struct tls_trust cloud_trust;
    struct spec_config spec;
    struct loop_timer wake;
    struct prng prng;

    uint32_t page_rows; /* of a poll; halved when a page was too big for us */
    bool is_stopping;
    bool is_refused; /* the node belongs to somebody else: the process must end */
    uint64_t pods_unreadable;
};

/* Carves everything (twice: planning and for real); connects nothing. `real` is false while
 * planning. Errors: see eci_client_init. */
MUST_USE enum err wire_init(struct wire *wire, const struct config *config, struct loop *loop,
                            struct region *region, struct arena *arena, bool is_real);
/* Credentials, trust anchors, first list, lease. why receives one line on failure. */
MUST_USE enum err wire_start(struct wire *wire, struct buf *why);
/* Performs what the brain wants; sets the wake-up timer. Once per turn of the loop. */
void wire_turn(struct wire *wire);
/* New credentials were read (SIGHUP). */
void wire_reload(struct wire *wire);
/* No new work. True when nothing is under way any more. */
bool wire_is_idle(const struct wire *wire);
void wire_stop(struct wire *wire);
/* What is going on, to the log (SIGUSR1). */
void wire_report(struct wire *wire);

/* ---- between the files of wire --------------------------------------------------------------- */

/* A job for this effect, or NULL: then the effect has been given back to the brain. */
struct wire_job *wire_job_take(struct wire *wire, const struct effect *effect);
void wire_job_give(struct wire_job *job);
/* Its call could not even be started: the effect goes back to the brain, as if never taken. */
void wire_job_undo(struct wire_job *job);
handle wire_job_handle(const struct wire_job *job);
struct wire_job *wire_job_at(struct wire *wire, handle h);
/* Notes for the last words whose work is done from here to crash_leave(); doing is static. */
void wire_enter(const struct wire *wire, const char *doing, handle pod);
msec wire_now_ms(const struct wire *wire);
int64_t wire_now_s(const struct wire *wire);

void refs_init(struct wire *wire, struct region *region);
void cluster_init(struct wire *wire, struct region *region);
void cluster_prove(struct wire *wire, const struct effect *effect);
void cluster_finish(struct wire *wire, const struct effect *effect);
void cluster_say(struct wire *wire, const struct effect *effect);
/* Where a pod is at the API server; part: STR_NONE or "status". */
str cluster_pod_path(char memory[static CLUSTER_PATH_BYTES], str name_space, str name, str part);
/* Reads a pod; the handler gets the job back as reply->about. */
MUST_USE enum err cluster_read_pod(struct wire *wire, struct wire_job *job,
                                   kube_call_done *on_done);
/* What the reply to such a read says about its pod: see kube_read_one(). */
MUST_USE enum err cluster_pod_read(struct wire *wire, const struct pod *pod,
                                   const struct kube_reply *reply, json *object);
/* wire_aside.c. Did the process die on this pod, and has it not changed since? */
bool aside_is_wanted(json object, str uid);
/* Then the brain is told so, and nothing else of it is looked at. */
MUST_USE enum err aside_pod_seen(struct wire *wire, json object, const struct kube_meta *meta,
                                 struct arena *arena);
/* Whether this row is news; if so it is translated and written. */
void cluster_report_row(struct wire *wire, struct group *group, const struct eci_status_row *row,
                        uint64_t row_hash);
void cluster_report_init(struct wire *wire, struct group *group, const struct eci_group_row *row);
void cluster_post_events(struct wire *wire);

/* wire_pods.c */
void pods_init(struct wire *wire, struct region *region);
/* Gives a pod object to the brain as facts. */
MUST_USE enum err pods_seen(struct wire *wire, json object, struct arena *arena);
/* Tells the brain what the pod's annotations want done when no instance can be had. */
void pods_policy(struct wire *wire, handle pod, json object, const struct spec_config *spec);
/* Does this pod run on this node? */
bool pods_is_ours(const struct wire *wire, json object, struct arena *arena);

void cloud_create(struct wire *wire, const struct effect *effect);
void cloud_delete(struct wire *wire, const struct effect *effect);
void cloud_read(struct wire *wire, const struct effect *effect);
void cloud_read_detail(struct wire *wire, const struct effect *effect);
void cloud_poll(struct wire *wire, const struct effect *effect);
/* Whether the cloud answers at all: every reply says something about that. */
void cloud_note_reach(struct wire *wire, enum err err, const struct eci_reply *reply);
/* A call for this job; on_done gets it back as reply->subject. Errors: ERR_FULL when this gateway
 * may not act any more; as eci_call_start(). */
MUST_USE enum err cloud_start(struct wire *wire, struct wire_job *job, enum eci_action action,
                              struct params *params, eci_call_done *on_done);
/* One more part of a hash of many. */
uint64_t cloud_mix(uint64_t hash, uint64_t value);

void kubelet_init(struct wire *wire, struct region *region);
void kubelet_start(struct wire *wire);
void kubelet_stop(struct wire *wire);

void status_init(struct wire *wire, struct region *region);
void status_start(struct wire *wire);
void status_stop(struct wire *wire);

void leader_init(struct wire *wire, struct region *region);
void leader_start(struct wire *wire);
/* Whether this gateway may act at this moment. */
bool leader_may_act(const struct wire *wire);
/* True in the one turn in which this gateway becomes the leader. */
bool leader_turn(struct wire *wire);
void leader_stop(struct wire *wire);
/* wire_requests.c. The id of the request that made a group: kept, and found while it is among the
 * newest; empty when not. */
void requests_keep(struct wire *wire, str group_id, str request_id);
str requests_find(const struct wire *wire, str group_id);
void events_init(struct wire *wire);
/* Looks whether it is time to ask. Once per turn. */
void events_turn(struct wire *wire);
/* wire_capacity.c: what the node shows follows the account's quota and what is in use. */
void capacity_wire_init(struct wire *wire);
void capacity_wire_turn(struct wire *wire);
/* Takes what has changed over into the node's facts. True: it has to be written. */
bool capacity_wire_refresh(struct wire *wire);
/* wire_streams.c: exec and port-forward. */
void streams_init(struct wire *wire, struct region *region);
void streams_start(struct wire *wire); /* the cloud's CAs are known */

void node_init(struct wire *wire, struct region *region);
void node_start(struct wire *wire);
void node_turn(struct wire *wire);
/* The node does not exist yet, or was made by a virtual kubelet. Until this is known nothing is
 * asked of the cloud: a real node's pods must never be created there a second time. */
bool node_is_ours(const struct wire *wire);
void node_stop(struct wire *wire);

#endif
