/*
 * brain.h - what ecilet believes, and what it wants done next. Pure: no I/O, no clock.
 *
 * Facts come in (this header's brain_* functions, called by app/wire or by the simulator), rules
 * look at them (pod_rules.c, group_rules.c), effects go out (plan.c: brain_next). An effect is
 * performed by somebody else, and its outcome is one more fact. There are no continuations: create,
 * wait, report, delete, finalise happen because each reply changes a fact and the rules then find
 * the next step. A restart is the same code with fewer facts.
 *
 * Two kinds of objects live here:
 *   pod     one per pod UID that is bound to our node, or that a container group claims to be for
 *   group   one per container group that carries our tags (or might: not yet looked at)
 * One request is in flight per object.
 *
 * Times are milliseconds of one monotonic clock, given by the caller; they never go back.
 *
 * What is believed when (reliability.md I1-I5):
 *   - Nothing is created before the pods were listed completely and one complete sweep of our
 * tagged groups was read, including the tags of every group in it.
 *   - A create with an unknown outcome leaves a doubt on the pod. It is settled by the group
 * turning up, or by enough complete sweeps that do not show it; only then is it created again, with
 * the same client token.
 *   - A group is gone when a read by id does not find it *and* either a delete was accepted, or
 *     enough complete non-empty sweeps over enough time did not show it either.
 *   - Whose a group is stands in its tags. What only a note on a pod names is nobody's till they
 * were read; by its id alone it is deleted only when its pod goes, the newest complete sweep has
 * not shown it, and no pod that stays has a note that names it too.
 *   - Of two groups of one pod the one too many is deleted only right after a read by id found the
 * other: a listing may show for a while what somebody has deleted.
 *   - A pod object is gone when an authoritative read says so, never because a list or a watch
 * does.
 *   - Deleting for pods that vanished without our having seen their deletion has a brake.
 */
#ifndef ECILET_CORE_BRAIN_H
#define ECILET_CORE_BRAIN_H

#include "base/bucket.h"
#include "base/due.h"
#include "base/err.h"
#include "base/index.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/prng.h"
#include "base/trace.h"
#include "core/capacity.h"
#include "data/group_rows.h"
#include "spec/pod_status.h"

#define POD_UID_BYTES 40       /* a UID has 36; a longer one is refused as unreadable */
#define POD_NAMESPACE_BYTES 64 /* RFC 1123 label: 63 */
#define POD_NAME_BYTES 254     /* RFC 1123 subdomain: 253 */
#define POD_MESSAGE_BYTES 288  /* why it does not progress; longer ones are cut */
#define GROUP_ID_BYTES 48      /* "eci-" and about 20 characters */
#define READ_BATCH_MAX 20      /* ids in one read (eci-api 2.3, 2.4) */
#define BRAIN_EVENTS_MAX 256   /* waiting to be taken; when full the oldest is dropped and counted \
                                */

/* What we know of the pod object in the API server. */
enum object_state {
    OBJECT_CLAIMED, /* never seen here; a group's tags name it */
    OBJECT_SEEN,    /* listed or watched */
    OBJECT_MISSING, /* was seen; a complete list or a DELETED event says it is not there */
    OBJECT_GONE     /* proven by an authoritative read, or deleted by us */
};

/* What somebody shall do. One row per kind in plan.c says what it needs and how urgent it is. */
enum effect_kind {
    EFFECT_NONE,
    EFFECT_DELETE,      /* DeleteContainerGroup of effect.groups[0] */
    EFFECT_FINISH,      /* delete the pod object: grace 0, UID precondition */
    EFFECT_PROVE,       /* authoritative read of the pod object: is it still there? */
    EFFECT_READ,        /* DescribeContainerGroupStatus by ids */
    EFFECT_READ_DETAIL, /* DescribeContainerGroups by ids: tags, init containers */
    EFFECT_PATCH,       /* write the status made from the row at hand (see brain_report) */
    EFFECT_SAY,         /* write a status of our own: pod->say with pod->say_reason, pod->message */
    EFFECT_CREATE,      /* read the pod afresh, translate it, CreateContainerGroup */
    EFFECT_DELTA,       /* DescribeContainerGroupStatus since effect.since_s, all pages */
    EFFECT_SWEEP,       /* the same without since: a complete listing */
    EFFECT_RELIST,      /* list the pods again (a slot became free after the pool was full) */
    EFFECT_KIND_COUNT
};

const char *effect_name(enum effect_kind kind);

enum say_kind {
    SAY_NOTHING,
    SAY_PENDING,  /* phase Pending with reason and message: held back, will be tried again */
    SAY_FAILED,   /* phase Failed: refused for good, or ended so and the details are gone */
    SAY_LOST,     /* phase Failed, reason NotFound: its group is gone in the cloud */
    SAY_SUCCEEDED /* phase Succeeded: it ended so, but the cloud has forgotten the details */
};

struct pod {
    char uid[POD_UID_BYTES];
    char name_space[POD_NAMESPACE_BYTES];
    char name[POD_NAME_BYTES];

    /* facts from the API server */
    enum object_state object;
    enum pod_phase phase;
    bool is_leaving;         /* deletionTimestamp is set */
    bool is_forced;          /* ... with a grace period of 0 */
    bool is_daemon;          /* owned by a DaemonSet */
    bool is_controlled;      /* has a controller that would replace it */
    bool is_never_restarted; /* restartPolicy Never */
    bool fails_fast;         /* wants to fail when its order is refused (spec/pod_policy.h) */
    bool fails_unplaced;     /* ... when an order that was taken found no resources */
    bool has_init;           /* has init containers */
    bool met_quota;          /* was refused once because a quota is used up (capacity.h) */
    int64_t request_milli;   /* vCPU that the scheduler counts for it */
    bool is_older;           /* was there, or may have been, when this process started */
    bool was_seen;           /* object was OBJECT_SEEN at some time in this process */
    bool is_aside;           /* the process died on it: nothing is done for it (brain_pod_aside) */
    bool saw_deletion;       /* a DELETED event came while we watched (not merely absent) */
    uint32_t list_epoch;     /* last list in which it appeared */

    /* facts from the cloud */
    handle group;          /* the group that counts; none when there is none or it is not known */
    uint32_t attempt;      /* of the next create, or of the group that counts */
    uint32_t late_sweeps;  /* complete ones that would have shown also what a late create made */
    msec doubt_ms;         /* it may have a group that we do not see, since; 0 = no doubt */
    uint32_t doubt_sweeps; /* complete sweeps since that did not show one */
    uint32_t lost_attempt; /* of a group that was found gone, or given up; 0 = none */
    handle disputed;       /* its note names this group, and so does another pod's; else none */
    msec unknown_ms;       /* newest create with an unknown outcome; 0 = none */
    bool token_clashed;    /* its token was used for something else: another one is taken only
                            * when a listing that is not empty does not show what it made */
    bool init_is_settled;  /* the final statuses of the init containers were written */
    bool is_described;     /* its annotations tell of its instance, as a detail row does */

    /* what has been told */
    struct pod_status_past past; /* the status the API server has, with its content hashes */
    uint64_t reported_row;       /* hash of the row that `past` covers; 0 = none */
    msec init_read_at_ms;        /* next look at the details: init containers, the instance */
    enum say_kind say;           /* a status of our own waits to be written */
    bool was_said;               /* ... and this one was written already */
    bool must_repeat;       /* it has ended, but the object says less: an older write came late */
    bool was_hidden_again;  /* ... also after the write under way began: once more after it */
    bool is_refused;        /* will never be created as it is */
    bool is_waiter;         /* waits for something in the cluster; counted in brain->waiters */
    const char *say_reason; /* static text, e.g. "ProviderFailed" */
    char message[POD_MESSAGE_BYTES];
    uint64_t message_told;  /* hash of the message an event was emitted for */
    uint64_t warnings_told; /* hash of the warnings that events were emitted for */

    /* work */
    enum effect_kind busy; /* in flight */
    uint32_t failures;     /* in a row */
    msec retry_at_ms;      /* nothing before this time */
    uint8_t rule;          /* index of the rule that held last (explains why it waits) */
    uint8_t wait_told;     /* number + 1 of the last rule whose long wait was told; 0: none */
    msec held_ms;          /* ... since when it holds */
    enum effect_kind queued;
    struct list_node queue_node;
    struct due_item due;
    msec seen_at_ms; /* first seen */
    msec gone_at_ms; /* OBJECT_GONE since */
};

struct group {
    char id[GROUP_ID_BYTES];
    char uid[POD_UID_BYTES];                    /* from the tags; empty until they were read */
    char claim_name_space[POD_NAMESPACE_BYTES]; /* likewise: whom it claims to be for */
    char claim_name[POD_NAME_BYTES];
    enum eci_status status;
    handle pod;       /* whose group this is; none: unlinked */
    uint32_t attempt; /* from the tags */
    int64_t created_unix_s;
    bool has_tags;       /* the tags were read */
    bool is_foreign;     /* the tags are not ours: never touched */
    bool is_noted;       /* a note stood for the tags; they must still confirm it */
    bool is_noted_twice; /* ... and one on another pod names it too */
    bool was_seen;       /* the cloud has shown it at least once */
    bool is_extra;       /* a twin, or a former attempt: to be removed */
    bool
        must_date; /* it has a twin, and when it was made is not known yet: its row is read first */
    bool goes; /* its details say that it is being removed or has ended, whatever listings show */
    msec proof_began_ms;     /* when the read by id began that newest found it; 0 = none */
    msec proof_came_ms;      /* ... and when its reply came */
    bool is_unreadable;      /* its details are larger than this node can read */
    msec delete_accepted_ms; /* the cloud took our delete; 0 = not */
    bool is_suspect;         /* sweeps say it is gone: a read by id decides */
    bool is_hidden;        /* the newest read by id did not show it: nothing to look at till then */
    msec known_since_ms;   /* create accepted or first shown */
    msec shown_ms;         /* when the newest row of it came */
    msec seen_at_ms;       /* start of the newest reading that showed it */
    msec missing_since_ms; /* first complete sweep that did not show it; 0 = none */
    uint32_t missing_sweeps;
    uint64_t row_hash; /* of the newest status row */

    enum effect_kind busy;
    uint32_t failures;
    msec retry_at_ms;
    uint8_t rule;
    enum effect_kind queued;
    struct list_node queue_node;
    struct due_item due;
};

/* What to do. Handles, not pointers: look them up when performing; they may have become stale. */
struct effect {
    enum effect_kind kind;
    handle pod; /* of pod effects */
    handle groups[READ_BATCH_MAX];
    uint32_t groups_count;
    uint32_t since_s; /* EFFECT_DELTA */
    msec started_ms;  /* when brain_next gave it out; give it back with readings */
    bool is_forced;   /* EFFECT_DELETE: skip the grace period */
    const char *why;  /* static sentence of the rule */
};

/* An event for people, about a pod (or about the node when name is empty). It has the names with
 * it, because the pod may be forgotten by the time the event is taken. */
struct brain_event {
    char uid[POD_UID_BYTES];
    char name_space[POD_NAMESPACE_BYTES];
    char name[POD_NAME_BYTES];
    bool is_warning;
    const char *reason; /* static */
    char message[POD_MESSAGE_BYTES];
};

/* From the config; see config.def for the keys. Everything > 0. */
struct brain_config {
    uint32_t pods_max;
    uint32_t groups_max;     /* >= pods_max: room for orphans and twins */
    msec poll_fast_ms;       /* between deltas while something is in transition */
    msec poll_slow_ms;       /* ... while nothing is */
    msec sweep_ms;           /* between complete sweeps */
    msec absence_ms;         /* sweeps must miss a group for so long ... */
    uint32_t absence_sweeps; /* ... and so often before a read by id may decide */
    msec young_ms;           /* a group created since is not believed absent before it was shown */
    uint32_t brake_percent;  /* orphans above max(brake_min, percent of groups) stop deletion */
    uint32_t brake_min;
    uint32_t create_per_minute, delete_per_minute, describe_per_minute, status_per_minute;
    uint32_t cloud_calls_max; /* in flight together; creates leave a quarter of it free */
    uint32_t kube_calls_max;  /* in flight together; creates and status leave some for deletes */
    uint64_t seed;            /* jitter */
};

/* Whether the cloud answers; a condition of the node, never a reason to fail a pod. */
struct cloud_state {
    bool is_reachable; /* optimistic until proven otherwise */
    bool was_told;     /* an event was emitted for this outage */
    enum err err;      /* newest failure */
    uint32_t failures; /* in a row */
    msec failed_since_ms;
    msec changed_at_ms;
    msec away_ms;     /* when it was last found unreachable; 0 = never */
    msec retry_at_ms; /* next probe while unreachable */
    char message[POD_MESSAGE_BYTES];
};

struct brain_counters {
    uint64_t effects[EFFECT_KIND_COUNT];
    uint64_t outcomes[EFFECT_KIND_COUNT][6]; /* by enum fate */
    uint64_t doubts;                         /* creates with unknown outcome */
    uint64_t twins;                          /* doubles found and removed */
    uint64_t orphans;                        /* groups removed whose pod was gone */
    uint64_t lost;                           /* groups that vanished under a pod */
    uint64_t refused_pods;                   /* pods not taken: pool full */
    uint64_t refused_groups;
    uint64_t events_dropped;
    uint64_t sweeps, deltas, relists;
};

struct brain {
    struct brain_config config;
    struct pool pods, groups;
    struct index pod_by_uid, group_by_id, group_by_uid;
    struct due pod_due, group_due;
    struct list dirty_pods, dirty_groups;
    struct list waiting[EFFECT_KIND_COUNT];
    uint32_t in_flight[EFFECT_KIND_COUNT];
    struct bucket create_bucket, delete_bucket, describe_bucket, status_bucket;
    struct capacity capacity; /* how much the node shows */
    struct cloud_state cloud;
    struct prng prng;
    struct trace trace;
    struct brain_counters counters;

    uint32_t waiters; /* pods that wait for something in the cluster */
    uint32_t list_epoch;
    bool is_listing;
    bool pods_are_listed;   /* one complete list was applied since the start */
    bool pods_were_refused; /* pool was full; a relist is due when a slot is free */
    msec relist_at_ms;

    uint32_t sweeps_digested; /* complete sweeps whose every group's tags are known */
    msec swept_ms;            /* start of the newest of them */
    msec sweep_digesting_ms;  /* start of a complete sweep that waits for tags; 0 = none */
    bool sweep_was_empty;
    uint32_t empty_sweeps; /* in a row, while groups were known */
    bool full_was_told;
    uint32_t untagged;      /* groups whose tags were not read yet */
    uint32_t in_transition; /* pods on their way up or down, counted when a delta is planned */
    uint32_t
        orphan_suspects; /* pods not seen deleted, whose object is missing, with a live group */
    uint32_t groups_ours_live; /* live groups with our tags */
    bool brake_is_stale;       /* the two counts above must be made again */
    bool brake_is_on;
    msec sweep_at_ms, delta_at_ms; /* when the next is due */
    bool delta_is_paced;           /* delta_at_ms has its pause added */
    msec delta_since_ms;           /* start of the newest successful delta or sweep */
    uint32_t detail_batch; /* groups per detail read now: halved when a reply was too big for us */
    uint32_t delta_failures, sweep_failures;
    bool polls_are_on; /* brain_start was called */
    bool only_looks;   /* another gateway acts (standby.c) */
    msec started_ms;   /* brain_init was called */

    struct brain_event events[BRAIN_EVENTS_MAX];
    uint32_t events_first, events_count;
};

/* Two passes like everything in the region (region.h): plans or carves. */
void brain_init(struct brain *brain, const struct brain_config *config, struct region *region,
                msec now_ms);

/* ---- facts from the API server --------------------------------------------------------------- */

/* What a pod object says; texts are borrowed for the call. Over-long texts, and
 * those with blanks or controls: ERR_TOO_BIG. */
struct pod_news {
    str uid, name_space, name;
    enum pod_phase phase;
    bool is_leaving, is_forced, is_daemon, is_controlled, is_never_restarted, has_init;
    int64_t request_milli; /* of a pod not seen before: pod_request_milli() */
    /* The status it has, for a pod not seen before (after a restart nothing is written twice); may
     * be NULL. Borrowed for the call. */
    const struct pod_status_past *past;
    /* The group that an earlier process wrote down on this pod (and for this UID: the caller has
     * checked), so that it can be asked for, or deleted, by id even when no listing shows it. */
    str instance_id; /* empty: none */
    uint32_t instance_attempt;
    bool is_described; /* ... with what a detail row says of it */
};

/* ERR_FULL: no slot (the pod is told by an event of the caller's, and a relist follows later);
 * ERR_TOO_BIG: a text does not fit. *out (may be NULL) receives the pod. */
MUST_USE enum err brain_pod_seen(struct brain *brain, const struct pod_news *news, msec now_ms,
                                 handle *out);
/* The object does not show the status that we wrote: somebody else (the node controller) changed
 * it. It is read and written again. */
void brain_status_overwritten(struct brain *brain, str uid);
/* What the pod's author wants done when there is no instance to be had (spec/pod_policy.h). */
void brain_pod_policy(struct brain *brain, handle pod, bool fails_fast, bool fails_unplaced);
/*
 * The object is there, but the process died on it before: nothing of it is read, and nothing is
 * done for it or its group, until brain_pod_seen says that it may be tried again; only when it
 * leaves, its group and then the object are removed, for which nothing more must be known. Of news
 * the names, the phase and is_leaving count. message: of the one event that says so. Errors: as
 * brain_pod_seen.
 */
MUST_USE enum err brain_pod_aside(struct brain *brain, const struct pod_news *news,
                                  const char *message, msec now_ms);
/* A DELETED event of a live watch. Unknown UIDs are ignored. */
void brain_pod_deleted(struct brain *brain, str uid, msec now_ms);
void brain_list_begin(struct brain *brain, msec now_ms);
/* An object that could not be read (too large, malformed) but whose UID was visible: it is there.
 */
void brain_pod_unreadable(struct brain *brain, str uid);
/* Only after a complete list: pods that were not in it are missing. is_conclusive: false when
 * objects came whose UID could not be seen; then nobody is missing. */
void brain_list_end(struct brain *brain, bool is_conclusive, msec now_ms);

/* ---- facts from the cloud -------------------------------------------------------------------- */

/*
 * A status row showed this group. read_ms is when that reading started. row_hash must change when
 * anything in the row changes. Returns the group, or NULL when there is no slot for it (counted;
 * the sweep it belongs to then counts as incomplete).
 */
struct group *brain_row_seen(struct brain *brain, str id, enum eci_status status, uint64_t row_hash,
                             msec read_ms, msec now_ms);

/* The tags of a group (from a detail row). is_ours: cluster id and node name match. Of names that
 * no pod can have (empty, over-long, with controls) the group is not ours either. */
struct tag_facts {
    str uid, name_space, name;
    uint32_t attempt;
    int64_t created_unix_s;
    bool is_ours;
};
void brain_tags_seen(struct brain *brain, struct group *group, const struct tag_facts *tags,
                     msec now_ms);

/* The status in a detail row. That a group goes, or has ended, is news; listings tell the rest. */
void brain_detail_seen(struct brain *brain, struct group *group, enum eci_status status,
                       msec now_ms);

/* A further page of a delta or sweep is asked for: it counts against the rate. */
void brain_page_asked(struct brain *brain, msec now_ms);
/* A delta or sweep ended. is_complete: all pages came and every row was taken. rows: how many. */
void brain_delta_done(struct brain *brain, enum err err, msec started_ms, msec now_ms);
void brain_sweep_done(struct brain *brain, enum err err, bool is_complete, uint32_t rows,
                      msec started_ms, msec now_ms);

/* A read by ids ended. For each group of the effect: was it in a well-formed reply? Call after the
 * rows themselves were given in. */
void brain_read_done(struct brain *brain, const struct effect *effect, enum err err,
                     const bool *was_found, msec now_ms);

/* What is in use now: requests_milli and strays. False while that is not known (capacity.h). */
bool brain_look(const struct brain *brain, struct capacity_look *out);

/* Every cloud call's outcome, for reachability. why: for people; may be empty. */
void brain_cloud_answered(struct brain *brain, enum err err, str why, msec now_ms);

/* ---- outcomes of effects --------------------------------------------------------------------- */

enum create_outcome {
    CREATE_ACCEPTED,   /* id is valid */
    CREATE_UNKNOWN,    /* the call may have landed */
    CREATE_LATER,      /* nothing happened; try again (err says why) */
    CREATE_REFUSED,    /* for good: message says what and why */
    CREATE_POD_GONE,   /* the fresh read says: no such pod, or another UID */
    CREATE_POD_CHANGED /* the fresh read says: leaving, ended or not ours any more; facts follow */
};
void brain_create_done(struct brain *brain, handle pod, enum create_outcome outcome, enum err err,
                       str id, str message, msec now_ms);
/* Whether these warnings about a pod (their hash) are others than those told last; remembers them.
 * Each try to create gives them again. */
MUST_USE bool brain_warnings_are_new(struct brain *brain, handle pod, uint64_t hash);
/* Nothing was asked of the cloud: the pod has to wait for something in the cluster (an object that
 * it refers to is missing), and is looked at again soon. reason: of event and status, static; NULL:
 * the usual ones. The event comes once per message, not once per look. */
void brain_create_waits(struct brain *brain, handle pod, const char *reason, str message,
                        msec now_ms);
void brain_delete_done(struct brain *brain, handle group, enum err err, msec now_ms);
/* ERR_OK and ERR_NOT_FOUND both mean: the object with this UID is gone. ERR_CONFLICT: another UID
 * may hold the name, or the server may only be busy; a read decides. */
void brain_finish_done(struct brain *brain, handle pod, enum err err, msec now_ms);
/* ERR_OK: it is there (facts were given by brain_pod_seen); ERR_NOT_FOUND: it is gone. */
void brain_prove_done(struct brain *brain, handle pod, enum err err, msec now_ms);
/* past: the status that was written; needed when err is ERR_OK. */
void brain_say_done(struct brain *brain, handle pod, enum err err,
                    const struct pod_status_past *past, msec now_ms);

/*
 * Reporting. After brain_row_seen the caller asks whether this row (its hash; of a detail row 0) is
 * what the brain believes and news for the pod; a row of an older reading is not. If so it
 * translates the row and calls brain_report with the content's hash. True means: write it now
 * (EFFECT_PATCH is in flight); the outcome comes by brain_patch_done. False: nothing to write.
 * is_init: from a detail row: the init containers' part; for a pod without init containers, once it
 * runs, only the annotations that tell of its instance (content_hash does not matter then).
 */
bool brain_wants_report(const struct brain *brain, const struct group *group, uint64_t row_hash,
                        bool is_init);
bool brain_report(struct brain *brain, struct group *group, uint64_t content_hash, bool is_init,
                  bool init_is_settled, msec now_ms);
/* The row could not be made a status, or not be sent, for a reason of ours: told, and tried again
 * later and later. */
void brain_report_failed(struct brain *brain, struct group *group, enum err err, msec now_ms);
/* past: the status that was written (with its hash); row_hash: of the row it was made from. */
void brain_patch_done(struct brain *brain, handle pod, enum err err,
                      const struct pod_status_past *past, uint64_t row_hash, bool is_init,
                      msec now_ms);

/* ---- effects and waiting --------------------------------------------------------------------- */

/* From now on sweeps and deltas are due. */
void brain_start(struct brain *brain, msec now_ms);

/*
 * While another gateway acts: pods are taken as they come and the tags of their groups are read, so
 * that who asks can be answered; no other effect comes, no event of a pod, and no report is wanted.
 * Only before the first pod, and before brain_start.
 */
void brain_only_look(struct brain *brain);
/* The end of that: everything about pods and groups is forgotten, and a complete list must come.
 * Calls under way may still end. */
void brain_begin_anew(struct brain *brain);

/* The next thing to do within the budgets; false when there is nothing now. Call until false. */
bool brain_next(struct brain *brain, msec now_ms, struct effect *out);
/* An effect that could not be performed for a local reason (no slot): it comes again soon. */
void brain_undo(struct brain *brain, const struct effect *effect, msec now_ms);
/* When brain_next should be called again even if no fact comes: <= now when at once. */
msec brain_wake_ms(struct brain *brain, msec now_ms);

/* A warning about the node from outside the brain, among the brain's own. reason: static. */
void brain_warn(struct brain *brain, const char *reason, const char *message);
bool brain_take_event(struct brain *brain, struct brain_event *out);

/* ---- looking --------------------------------------------------------------------------------- */

struct pod *brain_pod(const struct brain *brain, handle h);
struct group *brain_group(const struct brain *brain, handle h);
struct pod *brain_find_pod(const struct brain *brain, str uid);
struct group *brain_find_group(const struct brain *brain, str id);
/* The pod that somebody asks for by its name; uid may be empty. When several had this name, one
 * that is there, and the newest of these. NULL: none that was seen. */
const struct pod *brain_find_named(const struct brain *brain, str name_space, str name, str uid);
/* The group that answers for this pod. NULL: none is known to be its own. */
const struct group *brain_instance(const struct brain *brain, const struct pod *pod);
/* The sentence of the rule that holds the pod now. Static text. */
const char *brain_pod_why(const struct pod *pod);
const char *brain_group_why(const struct group *group);
/* Rules are numbered from 0 (pod->rule, group->rule). */
uint8_t brain_pod_rules_count(void);
uint8_t brain_group_rules_count(void);

#endif
