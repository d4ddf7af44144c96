/*
 * world.h - a small universe around the real brain: an API server, a cloud, a line between them
 * that loses and delays, and a clock that only moves when something happens. Same seed, same story.
 *
 * The brain's effects become requests. A request arrives after a sampled delay, takes effect (or is
 * lost before), and its reply arrives after another delay (or is lost, which the brain learns as a
 * time-out). A crash forgets the brain and everything that was on its way to it; requests already
 * sent still arrive. After each step all checkers run (checkers.c).
 */
#ifndef ECILET_TEST_SIM_WORLD_H
#define ECILET_TEST_SIM_WORLD_H

#include "core/brain.h"

#define WORLD_PODS_MAX 256
#define WORLD_GROUPS_MAX 2048 /* ever created, in one story */
#define WORLD_STEPS_MAX 16384 /* events waiting at once */
#define WORLD_START_MS 1000

/* What a story may do to itself. Chances in 1/1000 per request. */
struct world_options {
    uint64_t seed;
    uint32_t pods;         /* created over the story */
    uint32_t pods_limit;   /* the brain's PODS_MAX */
    uint32_t lose_request; /* it never arrives */
    uint32_t lose_reply;   /* it takes effect, the reply does not come back */
    uint32_t server_error; /* an error reply, nothing happened */
    uint32_t throttle;
    uint32_t conflict;       /* a status write is answered with 409 although the pod is there */
    uint32_t omit_row;       /* per row of a delta or sweep: the listing does not show it */
    uint32_t crash;          /* per effect: the process dies */
    uint32_t vanish;         /* per minute: somebody deletes a random group by hand */
    uint32_t schedule_fails; /* per created group */
    uint32_t ends;           /* per running group and minute: it ends by itself */
    msec delay_max_ms;       /* of each way */
    msec list_lag_ms;        /* a new group is not listed for so long */
    msec token_memory_ms;    /* client tokens are known for so long */
    msec outage_every_ms;    /* mean time between outages of the line; 0 = none */
    msec outage_max_ms;
    msec story_ms;            /* faults until then, then the world heals */
    uint32_t crash_at_effect; /* exhaustive crashes: die at this effect (1...); 0 = never */
    bool crash_after_arrival; /* ... after it took effect, else before it was sent */
    bool is_verbose;
};

/* One pod object of the API server. Slots are never reused: a uid is a slot. */
struct world_pod {
    char uid[POD_UID_BYTES];
    char name[32];
    bool exists, is_leaving, is_forced, is_never_restarted, has_init, was_deleted_by_hand;
    enum pod_phase phase;
    struct pod_status_past past;
    bool cause_seen; /* a cause for Failed was observable */
    msec created_ms, deleted_ms;
    uint32_t creates;  /* groups ever made for it */
    uint32_t instance; /* group slot + 1 noted on the object with its status */
};

struct world_group {
    char id[GROUP_ID_BYTES];
    uint32_t pod; /* slot */
    uint32_t attempt;
    enum eci_status status;
    bool is_gone;
    bool was_deleted_by_hand;
    bool deletion_was_just; /* set when a delete arrived: was there a reason in the truth? */
    msec created_ms, changed_ms;
    msec next_ms; /* next transition by itself; 0 = none */
    uint64_t version;
};

enum step_kind {
    STEP_ARRIVE,  /* a request reaches its server */
    STEP_REPLY,   /* a reply, or the time-out instead of it, reaches the brain */
    STEP_WATCH,   /* a watch event */
    STEP_LIST,    /* a complete list of pods is given to the brain */
    STEP_RESTART, /* the process starts again */
    STEP_USER,    /* somebody creates or deletes a pod */
    STEP_CLOUD,   /* groups move on by themselves */
    STEP_LINE,    /* the line goes down or comes back */
    STEP_WAKE     /* the brain asked to be woken */
};

struct world_row {
    uint32_t group; /* slot */
    enum eci_status status;
    uint64_t version;
    bool was_listed;
};

struct world_step {
    msec at_ms;
    uint64_t order;
    enum step_kind kind;
    uint32_t life; /* incarnation of the process it belongs to */
    struct effect effect;
    enum err err; /* replies: how it went */
    bool is_lost; /* arrivals: the reply will not come */
    uint32_t a;   /* pod or group slot, as the kind says */
    uint32_t attempt;
    char uid[POD_UID_BYTES];
    char id[GROUP_ID_BYTES];
    enum create_outcome outcome;
    bool flag;
    struct pod_status_past past;
    uint64_t row_hash;
    bool is_init;
    struct world_row *rows; /* a snapshot; freed with the step */
    uint32_t rows_count;
};

struct world_figures {
    uint64_t steps, effects, crashes, relists, ambiguous, creates, groups, finishes;
    uint64_t violations;
};

struct world {
    struct world_options options;
    struct prng prng;
    msec now_ms;
    struct world_step *steps[WORLD_STEPS_MAX]; /* binary heap by (at, order) */
    uint32_t steps_count;
    uint64_t order_next;
    struct world_pod pods[WORLD_PODS_MAX];
    uint32_t pods_count;
    struct world_group groups[WORLD_GROUPS_MAX];
    uint32_t groups_count;
    struct brain *brain;
    void *memory;
    size_t memory_bytes;
    uint32_t life;
    bool is_alive;
    bool line_is_down; /* to the cloud */
    bool is_healed;
    msec wake_at_ms;
    uint64_t writes_since; /* effects other than polls since world_mark_quiet() */
    struct world_figures figures;
    char violation[256]; /* first broken invariant; "" = none */
    uint64_t digest;     /* of the whole story */
};

/* Zeroed by the caller (static or calloc'ed: it is large). */
void world_init(struct world *world, const struct world_options *options);
void world_free(struct world *world);
/* Runs until `until_ms` or a violation. */
void world_run(struct world *world, msec until_ms);
/* Faults end; everything lost so far stays lost. */
void world_heal(struct world *world);
/* The process dies now and starts again after a moment. */
void world_crash(struct world *world);

/* The brain's last events, for whoever looks into a violation (SIM_TRACE=1). */
void world_print_trace(const struct world *world);

/* what users do */
uint32_t world_pod_create(struct world *world, bool is_never_restarted, bool has_init);
void world_pod_delete(struct world *world, uint32_t pod, bool is_forced);

/* shared by the models */
struct world_step *world_step_new(struct world *world, enum step_kind kind, msec delay_ms);
msec world_delay(struct world *world);
bool world_chance(struct world *world, uint32_t per_mille);
void world_broken(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_watch_event(struct world *world, uint32_t pod, bool is_deleted);
void world_give_pod(struct world *world, uint32_t pod);

/* model_api.c, model_cloud.c: a request arrives; returns the reply's step (not yet for the brain).
 */
void api_arrive(struct world *world, struct world_step *request, struct world_step *reply);
void cloud_arrive(struct world *world, struct world_step *request, struct world_step *reply);
void cloud_moves(struct world *world);

/* checkers.c */
void check_invariants(struct world *world);
/* After healing: everything converged? */
void check_converged(struct world *world);

#endif
