/*
 * world.h - a small universe around the real brain: an API server, a cloud, lines to both that
 * lose, delay and cut, one or two gateway processes, and a clock that only moves when something
 * happens. Same seed, same story.
 *
 *   steps.c        what happens next: a heap of steps by virtual time; chance
 *   agent.c        a gateway process around a real brain: starts, sends, dies
 *   agent_facts.c  replies, lists and watch events become the brain's facts
 *   turns.c        of two gateways one leads and the other waits (options.elects)
 *   model_api.c    objects with versions, a watch log that is compacted, stale lists
 *   model_cloud.c  the ECI calls: tokens, listings that lag and omit, quotas, refusals
 *   model_group.c  container groups move, end, are reclaimed, deleted by hand and forgotten
 *   world.c        users, lines, phases of trouble, the run
 *   checkers.c     what must hold (reliability: I1-I5, I9, I12; I11 in stories.c)
 *   scenarios.c    named stories with a crash at every request, and with two crashes
 *   stories.c      random stories: the swarm of options, kept seeds, several processes
 *   show.c         a story as a table of pods by state
 *
 * A request arrives after a sampled delay, takes effect (or is lost before), and its reply arrives
 * after another delay (or is lost, which the brain learns as a time-out). A crash forgets the brain
 * and everything that was on its way to it; requests already sent still arrive. The lease of the
 * node (I6) and memory (I7) are not the brain's and not modelled here: unit tests and end-to-end
 * tests hold them.
 */
#ifndef ECILET_TEST_SIM_WORLD_H
#define ECILET_TEST_SIM_WORLD_H

#include "core/brain.h"

#define WORLD_PODS_MAX 1024   /* ever created, in one story */
#define WORLD_GROUPS_MAX 8192 /* likewise; a creation beyond is a quota error */
#define WORLD_STEPS_MAX 32768 /* waiting at once */
#define WORLD_LOG_MAX 512     /* changes in the watch log; older ones are compacted */
#define WORLD_AGENTS_MAX 2
#define WORLD_START_MS 1000
#define WORLD_EVER (INT64_MAX / 4)

/* Kinds of trouble that come in phases; bits of world_options.phases. */
enum phase_kind {
    PHASE_CALM,
    PHASE_NO_PERMISSION, /* listings and reads are empty, and no error says so */
    PHASE_THROTTLED,     /* most calls of the cloud are throttled */
    PHASE_SICK,          /* most calls of the cloud are 5xx */
    PHASE_NO_STOCK,      /* creations are refused for now */
    PHASE_KIND_COUNT
};

/* What a story may do to itself. Chances in 1/1000, of each request unless said otherwise. */
struct world_options {
    uint64_t seed;
    uint32_t pods;       /* users keep about so many */
    uint32_t pods_ever;  /* and create so many over the story */
    uint32_t pods_limit; /* the brain's PODS_MAX */
    uint32_t agents;     /* 1; 2: two gateways that both believe to be in charge */
    bool elects;         /* ... or of which one leads and the other waits */

    /* requests and replies */
    uint32_t lose_request; /* it never arrives */
    uint32_t lose_reply;   /* it takes effect, the reply does not come back */
    uint32_t late;         /* it arrives after its sender has given up */
    uint32_t server_error; /* 5xx; of writes half took effect */
    uint32_t throttle;
    uint32_t busy;     /* deletes: the object is being worked on */
    uint32_t conflict; /* a pod write is answered with 409 although the pod is there */
    msec delay_max_ms; /* of each way */

    /* the process */
    uint32_t crash;           /* per request that is no poll; four times that while recovering */
    uint32_t stall;           /* per minute: it does not run for a while */
    uint32_t no_room;         /* per effect: no slot or memory for its request; it is undone */
    uint32_t waits;           /* per creation: something that the pod needs is not there yet */
    uint32_t drift;           /* its clock is so many 1/1000 too fast or too slow at most */
    uint32_t crash_at;        /* exhaustive crashes: die at this request (1...); 0 = never */
    uint32_t crash_again;     /* ... and so many requests after that once more; 0 = never */
    bool crash_after_sending; /* the request that it dies at still arrives */
    uint32_t upgrade;         /* per minute: who leads is stopped in good order */

    /* the API server */
    uint32_t stale_list;  /* per list: from a replica that is up to a minute behind */
    uint32_t list_breaks; /* per list: it ends half-way */
    uint32_t event_drop, event_twice, event_reorder; /* per watch event */
    uint32_t watch_cut, compact;                     /* per minute */
    uint32_t forge; /* per minute: a user writes another pod's group into the note on his pod */

    /* the cloud */
    uint32_t omit_row;   /* per row of a listing: not shown, and nothing says so */
    uint32_t page_fails; /* per listing: a page does not come; the listing is incomplete */
    uint32_t clash;      /* per repeated creation: its token counts as used for something else */
    uint32_t bad_pods;   /* per pod: it can never be created */
    uint32_t poison;     /* per pod: the process dies when it translates it, or its status */
    uint32_t schedule_fails; /* per group: no stock, found out later */
    uint32_t ends;           /* per group: it ends by itself within some hours */
    uint32_t vanish;         /* per minute: somebody deletes a random group by hand */
    uint32_t reclaim;        /* per minute: a spot group is taken back */
    uint32_t quota;          /* live groups at a time; 0 = endless */
    msec list_lag_ms;        /* a new group is not shown for so long */
    msec ghost_ms;           /* ... and one that is gone still is */
    msec token_memory_ms;    /* client tokens are known for so long */
    msec retention_ms;       /* ended groups are forgotten after so long; newest 100 only */
    uint32_t phases;         /* bits 1 << enum phase_kind */
    msec phase_every_ms;

    msec outage_every_ms; /* mean time between changes of the lines; 0 = none */
    msec outage_max_ms;
    msec story_ms; /* faults until then, then the world heals */
    bool is_verbose;
    msec show_every_ms; /* show.c prints a line of the table so often; 0 = never */
};

/* What the API server has of a pod. */
struct world_object {
    bool exists, is_leaving, is_forced;
    enum pod_phase phase;
    struct pod_status_past past;
    uint32_t instance; /* group slot + 1 noted on the object with its status */
    uint64_t version;
};

/* A pod in the truth of the world. Slots are never reused: a UID is a slot. */
struct world_pod {
    char uid[POD_UID_BYTES];
    char name[32];
    bool is_never_restarted, has_init, is_bad;
    bool kills_at_create, kills_at_report;
    bool was_forged; /* somebody wrote another pod's group into the note on it */
    struct world_object object;
    bool cause_seen; /* a cause for an end was observable */
    bool has_ended;  /* its status said so at some time */
    uint8_t live;    /* groups that live, not counting those that are being removed */
    bool was_twin;   /* had two at some time, which a forgetful cloud may cause */
    uint64_t writer; /* which life of which process wrote its status last; 0 = none */
    msec created_ms;
    msec told_ms;          /* an event or a status said something about it; 0 = never */
    msec hidden_ms;        /* an older status was written over its end then; 0: none stands there */
    uint32_t newest_group; /* slot + 1; then by world_group.before */
};

struct world_group {
    char id[GROUP_ID_BYTES];
    uint32_t pod; /* slot */
    uint32_t attempt;
    enum eci_status status;
    bool is_gone;
    bool was_deleted_by_hand;
    bool has_ended; /* whatever comes later, nothing runs in it any more */
    msec created_ms, changed_ms;
    uint64_t shown_to; /* which life of which process knew of it first, since shown_ms; 0: none */
    msec shown_ms;
    uint64_t proven_to; /* the newest reply with its details came to this life of a process ... */
    msec proven_ms;     /* ... at this time */
    int64_t created_unix_s; /* by the clock of the cloud's front end, which may be wrong */
    uint64_t version;
    uint32_t before; /* the pod's group made before: slot + 1 */
};

enum step_kind {
    STEP_ARRIVE,  /* a request reaches its server */
    STEP_REPLY,   /* a reply, or the time-out instead of it, reaches the process */
    STEP_WATCH,   /* a watch event */
    STEP_OPEN,    /* the watch is opened (again) */
    STEP_LIST,    /* a complete list of pods is given to the brain */
    STEP_WAKE,    /* the brain asked to be woken */
    STEP_RESTART, /* the process starts again */
    STEP_USER,    /* somebody creates or deletes a pod (a: this one, slot + 1) */
    STEP_GROUP,   /* a group moves on by itself */
    STEP_MINUTE,  /* small mishaps */
    STEP_LEASE,   /* it is time to ask for the lease, or what came of that */
    STEP_ASKED,   /* that reaches the API server */
    STEP_BEGIN,   /* who leads may begin to act */
    STEP_PHASE,   /* a kind of trouble begins or ends */
    STEP_LINE,    /* a line goes down or comes back */
    STEP_SHOW
};

struct world_row {
    uint32_t group; /* slot */
    enum eci_status status;
    uint64_t version;
};

struct world_step {
    msec at_ms;
    msec sent_ms; /* requests: when they left */
    uint64_t order;
    enum step_kind kind;
    uint32_t agent;
    uint32_t life;  /* incarnation of the process it belongs to */
    uint32_t epoch; /* of the watch it belongs to */
    enum err err;   /* replies: how it went */
    uint32_t a;     /* pod or group slot, as the kind says */
    uint64_t version;
    uint32_t twin;   /* deletions of one too many: the group that counts, proven: slot + 1 */
    bool is_late;    /* arrivals: nobody waits for the reply any more */
    bool is_looking; /* requests and replies: of a gateway that waits */
    bool is_second;  /* creations: the pod was read, now the cloud is asked */
    bool is_partial;
    bool is_init;
    uint32_t attempt;
    enum create_outcome outcome;
    uint64_t row_hash;
    struct world_row *rows; /* asked for, or a snapshot; freed with the step */
    uint32_t rows_count;
    char uid[POD_UID_BYTES];
    char id[GROUP_ID_BYTES];
    struct effect effect;
    union {
        struct pod_status_past past; /* status writes */
        struct world_object object;  /* watch events */
    };
};

struct world_change {
    uint64_t version;
    uint32_t pod;
    struct world_object before, after;
};

enum cut { CUT_NONE, CUT_ALL, CUT_REPLIES };

/* What a gateway knows of the lease; times are of its own clock. */
struct world_turn {
    bool is_leader;
    uint64_t version; /* of the lease when it was last ours to write; 0: it must be read first */
    msec asked_ms, renewed_ms;
    uint64_t foreign_version; /* somebody else holds it, and it has not changed since: */
    msec foreign_ms;
    msec leads_since_ms; /* of the world's clock */
};

struct world_agent {
    struct brain *brain;
    void *memory;
    size_t memory_bytes;
    uint32_t life;
    bool is_alive;
    msec born_ms, clock_start_ms; /* its clock: clock_start + (now - born) * rate / 1000 */
    uint32_t clock_rate;
    msec wake_at_ms;
    msec stalled_until_ms;
    enum cut cloud_cut, api_cut;
    msec api_up_ms; /* the line to the API server is whole since */
    bool is_watching;
    uint32_t watch_epoch;
    uint64_t watch_version;
    msec watch_last_ms; /* events of one stream come in order */
    struct world_turn turn;
    bool has_looked; /* in the life before this one, whose replies still come to this one */
    bool has_listed; /* in this life */
    bool has_swept;
    uint8_t deaths[WORLD_PODS_MAX]; /* on each pod; goes from life to life (os/crash.h) */
};

struct world_figures {
    uint64_t steps, effects, requests, crashes, crashes_recovering, relists, stale_lists;
    uint64_t ambiguous; /* writes whose sender did not learn whether they took effect */
    uint64_t groups, finishes, twins, pods;
    uint64_t turns, answers; /* a gateway began to lead; a gateway was asked for a pod's instance */
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
    uint32_t pods_count, pods_existing;
    struct world_group groups[WORLD_GROUPS_MAX];
    uint32_t groups_count;
    uint32_t present[WORLD_GROUPS_MAX]; /* slots of groups that listings may show */
    uint32_t present_count;
    struct world_change log[WORLD_LOG_MAX]; /* ring: version % WORLD_LOG_MAX */
    uint64_t version, compacted;
    struct world_agent agents[WORLD_AGENTS_MAX];
    uint32_t lease_holder; /* agent + 1; 0: nobody */
    uint64_t lease_version;
    enum phase_kind phase;
    bool is_healed;
    uint64_t crashed_at;   /* request number of the first exhaustive crash */
    uint64_t writes_since; /* effects other than polls since the caller zeroed it */
    struct world_figures figures;
    char violation[256]; /* first broken invariant; "" = none */
    uint64_t digest;     /* of the whole story */
};

/* ---- the story, for its teller --------------------------------------------------------------- */

/* Zeroed by the caller (calloc'ed: it is large). */
void world_init(struct world *world, const struct world_options *options);
void world_free(struct world *world);
/* Runs until `until_ms` or a violation. */
void world_run(struct world *world, msec until_ms);
/* Faults end; everything lost so far stays lost. Each watch expires once, so that lists repair what
 * dropped events broke. */
void world_heal(struct world *world);
uint32_t world_pod_create(struct world *world, bool is_never_restarted, bool has_init);
void world_pod_delete(struct world *world, uint32_t pod, bool is_forced);
/* The brain's last events and the truth, for whoever looks into a violation (SIM_TRACE=1). */
void world_print_trace(const struct world *world);
void world_show_head(void);
void world_show(const struct world *world);

/* ---- steps.c --------------------------------------------------------------------------------- */

struct world_step *world_step_new(struct world *world, enum step_kind kind, msec delay_ms);
struct world_step *world_step_pop(struct world *world);
void world_step_again(struct world *world, struct world_step *step, msec at_ms);
void world_step_free(struct world_step *step);
msec world_delay(struct world *world);
/* Faults end with healing: false from then on. */
bool world_chance(struct world *world, uint32_t per_mille);
/* 1...max */
msec world_up_to(struct world *world, msec max_ms);
void world_broken(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_digest(struct world *world, uint64_t value);

#define AGENT_DEATHS_MAX 2 /* on one pod, as CRASH_DEATHS_MAX of os/crash.h */

/* ---- agent.c, agent_facts.c ------------------------------------------------------------------ */

void agent_start(struct world *world, struct world_agent *agent);
void agent_crash(struct world *world, struct world_agent *agent);
/* Of a poisonous pod: it is remembered who killed it. */
void agent_dies_on(struct world *world, struct world_agent *agent, uint32_t pod);
msec agent_now(const struct world *world, const struct world_agent *agent);
uint32_t agent_number(const struct world *world, const struct world_agent *agent);
/* An effect becomes a request. more: status and row of a report, or NULL. */
void agent_send(struct world *world, struct world_agent *agent, const struct effect *effect,
                const struct world_step *more);
/* The pod was read for a creation; now the cloud is asked. */
void agent_send_create(struct world *world, struct world_agent *agent,
                       const struct world_step *read);
void agent_turn(struct world *world, struct world_agent *agent);
void agent_reply(struct world *world, struct world_agent *agent, const struct world_step *reply);
void agent_give_object(struct world *world, struct world_agent *agent, uint32_t pod,
                       const struct world_object *object);
/* It only looks from now on; it begins to lead. */
void agent_waits(struct world *world, struct world_agent *agent);
void agent_begins(struct world *world, struct world_agent *agent);
/* It ends and starts again soon, in good order or because it is deposed. */
void agent_starts_anew(struct world *world, struct world_agent *agent, msec away_ms);
/* Is it the cloud that this request goes to? */
bool step_is_cloud(const struct world_step *step);
bool effect_is_write(enum effect_kind kind);

/* ---- turns.c --------------------------------------------------------------------------------- */

void lease_start(struct world *world, struct world_agent *agent);
void lease_turn(struct world *world, struct world_agent *agent, const struct world_step *step);
void lease_asked(struct world *world, const struct world_step *step);
/* The leader, if there is one and it does not sleep, is stopped in good order. */
void lease_give_back(struct world *world);
/* ... now and then. */
void lease_minute(struct world *world);
/* May it act at this moment, as far as it knows? Always true where nobody waits. */
bool agent_may_act(const struct world *world, const struct world_agent *agent);
/* Who leads, or NULL; the only one where nobody waits. */
const struct world_agent *agent_leading(const struct world *world);

/* ---- the models ------------------------------------------------------------------------------ */

/* A request arrives; the reply's fields are filled in. */
void api_arrive(struct world *world, struct world_step *request, struct world_step *reply);
void cloud_arrive(struct world *world, struct world_step *request, struct world_step *reply);
struct world_pod *pod_of_uid(struct world *world, const char *uid, uint32_t *slot);
/* Remembers a change of the object in the log and sends it to whoever watches. */
void api_changed(struct world *world, uint32_t pod, const struct world_object *before);
void api_list(struct world *world, struct world_agent *agent);
void api_watch_open(struct world *world, struct world_agent *agent);
void api_watch_event(struct world *world, struct world_agent *agent, const struct world_step *step);
void api_watch_cut(struct world *world, struct world_agent *agent, msec reopen_ms);
/* To a new status; after next_ms (0 = never) it moves on by itself. */
void group_enters(struct world *world, struct world_group *group, enum eci_status status,
                  msec next_ms);
void group_moves(struct world *world, const struct world_step *step);
void group_leaves(struct world *world, struct world_group *group);
/* Once a minute: mishaps of groups, and ended ones are forgotten. */
void groups_minute(struct world *world);

/* ---- checkers.c ------------------------------------------------------------------------------ */

void check_live(struct world *world, const struct world_group *group);
void check_deletion(struct world *world, const struct world_group *group,
                    const struct world_step *request);
void check_finish(struct world *world, const struct world_pod *pod,
                  const struct world_step *request);
void check_status(struct world *world, const struct world_pod *pod, enum pod_phase phase,
                  uint64_t writer);
/* The process that sent this step, in this life; never 0. */
uint64_t step_writer(const struct world_step *step);
/* What is done for a pod on which this process died often enough. */
void check_aside(struct world *world, const struct world_agent *agent, const struct effect *effect);
/* Of two gateways the one that waits writes nothing, and the other one first reads. */
void check_turn(struct world *world, const struct world_agent *agent, const struct effect *effect,
                bool is_second);
/* What it would answer now for the pods it knows: never the instance of another pod. */
void check_answers(struct world *world, const struct world_agent *agent);
/* Who waits has just seen the pod with this note: no other instance answers for it. */
void check_follows(struct world *world, const struct world_agent *agent, uint32_t pod,
                   const struct world_group *note);
/* I12, while faults are on. */
void check_explained(struct world *world);
/* After healing: everything converged? */
void check_converged(struct world *world);

#endif
