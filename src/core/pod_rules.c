/*
 * pod_rules.c - what a pod needs next. The first rule that holds names one effect, and its sentence
 * is what the log (SIGUSR1) and the pod's message give as the reason.
 *
 * Order matters: what is under way and what is proven comes first, then the way out (leaving), then
 * what must be said, then the way in (creating). Rules only look; nothing changes here.
 */
#include "core/brain_in.h"

struct look {
    const struct brain *brain;
    const struct pod *pod;
    bool has_group;
    msec now_ms;
};

static bool is_busy(const struct look *l)
{
    return l->pod->busy != EFFECT_NONE;
}

static bool is_backing_off(const struct look *l)
{
    return l->pod->retry_at_ms > l->now_ms;
}

static bool gone_with_group(const struct look *l)
{
    return l->pod->object == OBJECT_GONE && l->has_group;
}

static bool gone_in_doubt(const struct look *l)
{
    return l->pod->object == OBJECT_GONE && l->pod->doubt_ms != 0;
}

static bool gone(const struct look *l)
{
    return l->pod->object == OBJECT_GONE;
}

static bool unproven_too_early(const struct look *l)
{
    return l->pod->object != OBJECT_SEEN &&
           (!l->brain->pods_are_listed || l->brain->sweeps_digested == 0);
}

static bool unproven(const struct look *l)
{
    return l->pod->object != OBJECT_SEEN;
}

static bool is_aside(const struct look *l)
{
    return l->pod->is_aside && !l->pod->is_leaving && !MUTANT(31);
}

static bool leaving_in_doubt(const struct look *l)
{
    return l->pod->is_leaving && l->pod->doubt_ms != 0 && !MUTANT(13);
}

static bool leaving_with_group(const struct look *l)
{
    return l->pod->is_leaving && l->has_group && !MUTANT(7);
}

static bool leaving_with_twin(const struct look *l)
{
    return !MUTANT(7) && !MUTANT(35) && l->pod->is_leaving && pod_has_any_group(l->brain, l->pod);
}

static bool leaving_unread(const struct look *l)
{
    return l->pod->is_leaving && l->brain->sweeps_digested == 0;
}

static bool leaving(const struct look *l)
{
    return l->pod->is_leaving;
}

static bool must_say(const struct look *l)
{
    /* Why it waited is no news once it has a group; its status may say more by then. */
    bool is_late = l->pod->say == SAY_PENDING && l->has_group;
    return l->pod->say != SAY_NOTHING && !l->pod->was_said && !is_late &&
           !pod_phase_is_terminal(l->pod->phase);
}

static bool must_repeat(const struct look *l)
{
    return l->pod->must_repeat;
}

static bool has_ended(const struct look *l)
{
    return pod_phase_is_terminal(l->pod->phase);
}

static bool is_refused(const struct look *l)
{
    return l->pod->is_refused;
}

static bool has_silent_group(const struct look *l)
{
    return l->has_group && l->pod->phase < POD_PHASE_RUNNING && l->pod->reported_row == 0;
}

static bool has_idle_group(const struct look *l)
{
    return l->has_group && l->pod->past.phase < POD_PHASE_RUNNING;
}

static bool has_group(const struct look *l)
{
    return l->has_group;
}

static bool nothing_read_yet(const struct look *l)
{
    return MUTANT(6) ? false : !l->brain->pods_are_listed || l->brain->sweeps_digested == 0;
}

/* Who knows what happened meanwhile; another gateway may have created what this one wants to. */
static bool not_read_again(const struct look *l)
{
    return l->brain->swept_ms < l->brain->cloud.away_ms && !MUTANT(27);
}

static bool in_doubt(const struct look *l)
{
    return l->pod->doubt_ms != 0;
}

static bool ran_elsewhere(const struct look *l)
{
    return l->pod->phase == POD_PHASE_RUNNING;
}

static bool cloud_is_away(const struct look *l)
{
    return !l->brain->cloud.is_reachable && l->pod->phase != POD_PHASE_RUNNING;
}

static bool always(const struct look *l)
{
    (void)l;
    return true;
}

static const struct pod_rule {
    const char *why;
    bool (*when)(const struct look *look);
    enum effect_kind then;
    bool waits;        /* people are told when this lasts */
    const char *tells; /* reason of an event when a pod comes under this rule */
} pod_rules[] = {
    {"a request for it is under way", is_busy, EFFECT_NONE, false, NULL},
    {"waiting before the next try", is_backing_off, EFFECT_NONE, false, NULL},
    {"the object is gone; its container group is removed first", gone_with_group, EFFECT_NONE,
     false, NULL},
    {"the object is gone; whether a container group was created is not known yet", gone_in_doubt,
     EFFECT_NONE, false, NULL},
    {"nothing is left of it", gone, EFFECT_NONE, false, NULL},
    {"not seen in the cluster; waiting for complete readings", unproven_too_early, EFFECT_NONE,
     false, NULL},
    {"not seen in the cluster; asking the API server", unproven, EFFECT_PROVE, false, NULL},
    {"set aside: ecilet died on it twice; it is tried again when it changes or ecilet is restarted",
     is_aside, EFFECT_NONE, false, NULL},
    {"leaving; whether a container group was created is not known yet", leaving_in_doubt,
     EFFECT_NONE, true, NULL},
    {"leaving; its container group is removed first", leaving_with_group, EFFECT_NONE, true, NULL},
    {"leaving; another container group of it is removed first", leaving_with_twin, EFFECT_NONE,
     true, NULL},
    {"leaving; the cloud has not been read completely yet", leaving_unread, EFFECT_NONE, true,
     NULL},
    {"its container group is gone, the object may go", leaving, EFFECT_FINISH, false, NULL},
    {"its status must be written", must_say, EFFECT_SAY, false, NULL},
    {"it has ended, but an older status stands there", must_repeat, EFFECT_SAY, false, NULL},
    {"it has ended", has_ended, EFFECT_NONE, false, NULL},
    {"refused: it cannot run here as it is", is_refused, EFFECT_NONE, false, NULL},
    {"its container group exists, but the cloud has not told its state yet", has_silent_group,
     EFFECT_NONE, true, NULL},
    {"its container group exists, but is not shown as running yet", has_idle_group, EFFECT_NONE,
     true, NULL},
    {"its container group exists", has_group, EFFECT_NONE, false, NULL},
    {"the cloud does not answer", cloud_is_away, EFFECT_NONE, false, "ECIUnreachable"},
    {"waiting for the first complete readings of the cluster and the cloud", nothing_read_yet,
     EFFECT_NONE, true, NULL},
    {"the cloud answers again; waiting for a complete reading of it", not_read_again, EFFECT_NONE,
     true, NULL},
    {"it may have a container group that is not visible yet; waiting for complete sweeps", in_doubt,
     EFFECT_NONE, true, NULL},
    {"it was Running before, and its container group is not to be found", ran_elsewhere,
     EFFECT_NONE, true, NULL},
    {"it wants a container group and has none", always, EFFECT_CREATE, false, NULL},
};

#define POD_RULES_COUNT (sizeof pod_rules / sizeof pod_rules[0])

enum effect_kind pod_decide(const struct brain *brain, const struct pod *pod, msec now_ms,
                            uint8_t *rule)
{
    const struct look look = {brain, pod, group_of_pod(brain, pod) != NULL, now_ms};
    uint8_t i = 0;
    while (!pod_rules[i].when(&look)) {
        i++;
        CHECK(i < POD_RULES_COUNT); /* the last rule always holds */
    }
    *rule = i;
    return pod_rules[i].then;
}

const char *brain_pod_why(const struct pod *pod)
{
    CHECK(pod->rule < POD_RULES_COUNT);
    return pod_rules[pod->rule].why;
}

const char *pod_rule_tells(uint8_t rule)
{
    CHECK(rule < POD_RULES_COUNT);
    return pod_rules[rule].tells;
}

bool pod_rule_waits(uint8_t rule)
{
    CHECK(rule < POD_RULES_COUNT);
    return pod_rules[rule].waits;
}

uint8_t brain_pod_rules_count(void)
{
    return POD_RULES_COUNT;
}
