/*
 * brain_in.h - what the files of the brain share among themselves; nobody else includes it.
 */
#ifndef ECILET_CORE_BRAIN_IN_H
#define ECILET_CORE_BRAIN_IN_H

#include "base/backoff.h"
#include "base/check.h"
#include "base/mutant.h"
#include "core/brain.h"

#define RETRY_BASE_MS 1000 /* first back-off after a failure */
#define RETRY_CAP_MS 60000 /* ... and the longest */
#define WAIT_CAP_MS 8000   /* ... for something that is missing in the cluster: with jitter 10 s */
/* Each look costs the API server a few reads: when many wait (a Secret that a whole Deployment
 * lacks) they look less often, so many a second together, but not more seldom than this. */
#define WAIT_LOOKS_PER_S 20
#define WAIT_CAP_MANY_MS 120000
#define RETRY_SLOT_MS 200     /* no local slot: look again soon */
#define GONE_POLL_MS 1000     /* between reads of a group that is being deleted */
#define GONE_POLL_CAP_MS 5000 /* ... growing to this */
#define PROOF_MS 2000 /* a group that a read by id found counts as being there for so long */
#define DELETE_AGAIN_MS 120000 /* a group still there so long after its delete gets another one */
#define INIT_POLL_MS 2000      /* between looks at init containers while they run */
#define DESCRIBE_MS \
    5000 /* at the multiples of this the instances of pods that now run are looked at: together */
#define STOCK_RETRY_CAP_MS 300000 /* back-off after asynchronous lack of stock */
#define PROBE_CAP_MS \
    4000                       /* between probes while the cloud does not answer; with jitter 5 s: \
                                  the first call comes so soon after the line is back */
/* A finished pod is remembered so long, or until its DELETED event: late events of it must not look
 * like a new pod. */
#define LINGER_MS 10000
/* Pods beyond pods_max, only for orphans: a full node must not leak their groups. */
#define CLAIM_SLOTS 16
#define DELETED_YOUNG_MS \
    10000                   /* a group never shown is believed deleted so long after its delete */
#define EMPTY_SWEEPS_TOLD 3 /* empty listings in a row before people are told */
#define RELIST_MS 30000     /* between lists asked for because the pool was full */
#define KUBE_FAILURES_TOLD 3   /* failures in a row after which people are told what fails */
#define HELD_TOLD_MS 60000     /* a pod that waits so long for one thing says for which */
#define REACH_FAILURES 3       /* failures in a row that make the cloud unreachable */
#define REACH_FAILING_MS 10000 /* ... or failing for so long */

/* pod_rules.c, group_rules.c: which effect, by the first rule that holds; *rule is its index. */
enum effect_kind pod_decide(const struct brain *brain, const struct pod *pod, msec now_ms,
                            uint8_t *rule);
enum effect_kind group_decide(const struct brain *brain, const struct group *group, msec now_ms,
                              uint8_t *rule);
/* The reason of the event that is due when a pod comes under this rule, or NULL. */
const char *pod_rule_tells(uint8_t rule);
/* Does a pod only wait under this rule, so that people are told when that lasts (HELD_TOLD_MS)? */
bool pod_rule_waits(uint8_t rule);

/*
 * The newest row says something that the pod's status does not. A group that is being deleted
 * before its pod was ever Running says nothing: "Terminating" would read as Running, and the pod
 * may yet run elsewhere.
 */
static inline bool group_has_news(const struct pod *pod, const struct group *group)
{
    bool never_ran = group->status == ECI_STATUS_TERMINATING && pod->phase < POD_PHASE_RUNNING;
    return group->row_hash != 0 && group->row_hash != pod->reported_row && !never_ran;
}

/* Can this be kept in so many bytes, as the name or UID that it is? What is kept ends at a NUL, so
 * one inside would make it another name, under which what was filed by this one is not found again;
 * no name has other controls or blanks either, and requests have no room for what JSON makes of
 * them. */
static inline bool name_fits(str name, size_t room)
{
    bool is_plain = name.bytes > 0 && name.bytes < room;
    for (size_t i = 0; is_plain && i < name.bytes; i++) {
        is_plain = (uint8_t)name.ptr[i] > ' ' && name.ptr[i] != 0x7f;
    }
    return is_plain;
}

/* What the tags of a group of this pod's say, for one whose tags are not read yet. Points into the
 * pod. */
static inline struct tag_facts tags_of_pod(const struct pod *pod)
{
    return (struct tag_facts){.uid = str_of(pod->uid),
                              .name_space = str_of(pod->name_space),
                              .name = str_of(pod->name),
                              .attempt = pod->attempt,
                              .is_ours = true};
}

/* After an attempt that came to nothing. Counted from the group, so that all who saw the same group
 * go on to the same attempt, and so to the same token. */
static inline void pod_next_attempt(struct pod *pod, uint32_t attempt)
{
    if (attempt >= pod->attempt) {
        pod->attempt = attempt + 1;
        pod->is_described = false; /* another instance */
        pod->init_read_at_ms = 0;
    }
}

/* It may have a group that nothing shows yet: of a create that was unknown then. */
static inline void pod_doubt(struct pod *pod, msec since_ms)
{
    pod->doubt_ms = since_ms;
    pod->doubt_sweeps = 0;
    pod->late_sweeps = 0;
}

/* A detail row would tell something that the pod does not: while init containers run, and once in
 * the life of a pod that runs without any. */
static inline bool pod_wants_detail(const struct pod *pod)
{
    return pod->has_init ? !pod->init_is_settled
                         : !pod->is_described && pod->phase == POD_PHASE_RUNNING;
}

/* brain.c: mark for the rules. pod_touch also touches its group, group_touch its pod. */
void pod_touch(struct brain *brain, struct pod *pod);
void group_touch(struct brain *brain, struct group *group);
void pod_retry_at(struct brain *brain, struct pod *pod, msec at_ms);
void group_retry_at(struct brain *brain, struct group *group, msec at_ms);
/* Counts a failure and backs off. */
void pod_back_off(struct brain *brain, struct pod *pod, msec cap_ms, msec now_ms);
void group_back_off(struct brain *brain, struct group *group, msec base_ms, msec cap_ms,
                    msec now_ms);
/* Ends the effect in flight, if it is this kind. */
void pod_idle(struct brain *brain, struct pod *pod, enum effect_kind kind);
void group_idle(struct brain *brain, struct group *group, enum effect_kind kind);
void pod_forget(struct brain *brain, struct pod *pod);
void group_forget(struct brain *brain, struct group *group);

struct pod *pod_of_group(const struct brain *brain, const struct group *group);
struct group *group_of_pod(const struct brain *brain, const struct pod *pod);
handle pod_handle(const struct brain *brain, const struct pod *pod);
/* Its create waits for something in the cluster, or not any more. */
void pod_set_waiter(struct brain *brain, struct pod *pod, bool is_waiter);
handle group_handle(const struct brain *brain, const struct group *group);
/* A new, empty pod or group with its key in the index; NULL when the pool is full (for a pod: when
 * there are pods_max already). */
struct pod *pod_new(struct brain *brain, str uid, uint32_t pods_max, msec now_ms);
struct group *group_new(struct brain *brain, str id, msec now_ms);
/* All that the process before us made is visible by now: a complete listing was asked for so long
 * after the start. (Waiting is not reading: time may pass while we sleep.) */
bool is_well_read(const struct brain *brain);

/* claim.c: which group counts for which pod. */
void link_group(struct brain *brain, struct group *group, msec now_ms);
void unlink_group(struct brain *brain, struct group *group);
void link_pod(struct brain *brain, struct pod *pod, msec now_ms);
/* When it was made is known now: who counts is decided again. */
void group_is_dated(struct brain *brain, struct group *group, int64_t created_unix_s, msec now_ms);
/* Unlinked groups with our tags get a pod that waits for proof. */
void claim_orphans(struct brain *brain, msec now_ms);
void group_is_gone(struct brain *brain, struct group *group, msec now_ms);
/* Any group with this UID in its tags, or NULL. */
struct group *group_of_uid(const struct brain *brain, const char *uid);
/* Its pod's other groups look again: what they wait for may be known now. */
void twins_touch(struct brain *brain, const struct group *group);
/* Another group of its pod may go as one too many, as soon as it is proven that this one is there.
 */
bool group_must_be_proven(const struct brain *brain, const struct group *group, msec now_ms);
/* ... and for that one: the one that counts instead of it is there. */
bool twin_is_proven(const struct brain *brain, const struct group *extra, msec now_ms);
/* What is known of its twin is a note, or older than the extra one itself. */
bool twin_is_unconfirmed(const struct brain *brain, const struct group *extra);
/* Also one that does not count, and is on its way out. */
bool pod_has_any_group(const struct brain *brain, const struct pod *pod);
void brake_refresh(struct brain *brain, msec now_ms);

/* notes.c: what the notes on pods name. */
/* The note on the pod stands for tags until they are read: it names the group and was made for this
 * UID. */
void believe_note(struct brain *brain, struct pod *pod, const struct pod_news *news, msec now_ms);
/* The note that stood for the tags named another pod's group, or nobody's: as if it never was. */
void note_is_refuted(struct brain *brain, struct group *group, msec now_ms);
/* It stands for the group of another pod whose note names that too; false: there is none. */
bool note_passes_on(struct brain *brain, struct group *group, msec now_ms);
/* A sweep did not show what it names: is its pod gone meanwhile, or may it be deleted now? */
void note_looks_again(struct brain *brain, struct group *group, msec now_ms);
/* Another pod's note names it too, and that pod does not go. */
bool other_note_stays(const struct brain *brain, const struct group *group);
/* When there is no slot for a group that is there: one goes that only a note tells of, and that a
 * read did not find. */
void notes_make_room(struct brain *brain, msec now_ms);
/* Its note names a group that another pod's note names too, and whose it is was not read yet. */
bool is_in_dispute(const struct brain *brain, const struct pod *pod);

/* say.c: statuses of our own and events. */
/* False when this was said already: silence when nothing changes. */
bool pod_say(struct brain *brain, struct pod *pod, enum say_kind kind, const char *reason,
             str message);
void brain_tell(struct brain *brain, const struct pod *pod, bool is_warning, const char *reason,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* standby.c, when only looking: what others wrote on the pod. */
void standby_pod_seen(struct brain *brain, struct pod *pod, const struct pod_news *news,
                      msec now_ms);
/* The pod is not shown any more: it and its groups are forgotten. */
void standby_forget(struct brain *brain, struct pod *pod, msec now_ms);
/* Must this group's tags confirm a note? One that no note stands for is forgotten. */
bool standby_wants(struct brain *brain, struct group *group);
void standby_group_read(struct brain *brain, struct group *group, bool was_found, msec now_ms);

/* plan.c: the server throttled this kind of call. */
void budget_slow(struct brain *brain, enum effect_kind kind, enum err err, msec now_ms);

/* sweep.c */
/* As many complete sweeps as a pod that goes must wait for did not show its group. */
bool late_sweeps_are_enough(const struct brain *brain, const struct pod *pod);
/* Somebody waits for the evidence of complete sweeps from now on. */
void sweep_soon(struct brain *brain, msec now_ms);
void sweep_digest(struct brain *brain, msec now_ms);

#endif
