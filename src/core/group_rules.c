/*
 * group_rules.c - what a container group needs next. See pod_rules.c for the form.
 *
 * Nothing that is not proven to be ours is ever touched, and nothing of ours is deleted without one
 * of four positive reasons: its pod is leaving, its pod is proven gone, its pod has ended, or it is
 * an extra one beside the group that counts.
 */
#include "core/brain_in.h"

struct look {
    const struct brain *brain;
    const struct group *group;
    const struct pod *pod; /* NULL: unlinked */
    msec now_ms;
};

static bool is_busy(const struct look *l)
{
    return l->group->busy != EFFECT_NONE;
}

static bool is_backing_off(const struct look *l)
{
    return l->group->retry_at_ms > l->now_ms;
}

static bool is_foreign(const struct look *l)
{
    return l->group->is_foreign;
}

static bool has_no_tags(const struct look *l)
{
    return !l->group->has_tags;
}

/* Who only looks gets no listings that would show it. */
static bool is_noted(const struct look *l)
{
    bool may_be_found = !l->group->is_hidden || l->brain->only_looks;
    return l->group->is_noted && !l->group->is_unreadable && may_be_found;
}

static bool is_noted_only(const struct look *l)
{
    return l->group->is_noted && l->group->is_unreadable;
}

/* When its pod goes, what nothing shows may be deleted by its id: that does no harm, and afterwards
 * a read proves that it is gone, which an empty listing would never do. But the note of another pod
 * that stays may name it too, also one that the list under way has not shown yet, and then only its
 * tags tell whose it is. */
static bool is_noted_in_vain(const struct look *l)
{
    const struct group *group = l->group;
    bool goes = l->pod != NULL && (l->pod->is_leaving || l->pod->object == OBJECT_GONE);
    bool was_missed = l->brain->swept_ms > group->known_since_ms &&
                      l->brain->swept_ms > group->seen_at_ms && l->brain->pods_are_listed;
    return group->is_noted && (!goes || !was_missed || other_note_stays(l->brain, group));
}

static bool is_being_deleted(const struct look *l)
{
    return l->group->delete_accepted_ms != 0;
}

static bool is_suspect(const struct look *l)
{
    return l->group->is_suspect;
}

static bool is_extra(const struct look *l)
{
    return l->group->is_extra;
}

/* One that the cloud does not show has no date to be read. */
static bool must_date(const struct look *l)
{
    return l->group->must_date && !l->group->is_hidden;
}

/* The next complete sweep tells. */
static bool has_unconfirmed_twin(const struct look *l)
{
    return twin_is_unconfirmed(l->brain, l->group);
}

/* Somebody may have deleted it; listings show it for a while all the same. */
static bool has_unproven_twin(const struct look *l)
{
    return !twin_is_proven(l->brain, l->group, l->now_ms);
}

static bool must_be_proven(const struct look *l)
{
    return group_must_be_proven(l->brain, l->group, l->now_ms);
}

static bool is_unlinked(const struct look *l)
{
    return l->pod == NULL;
}

/* Gone without our having seen its deletion: the brake looks at how many of these there are. */
static bool gone_under_brake(const struct look *l)
{
    return l->pod->object == OBJECT_GONE && !l->pod->saw_deletion && !l->pod->is_leaving &&
           l->brain->brake_is_on;
}

static bool pod_is_gone(const struct look *l)
{
    return MUTANT(9) ? l->pod->object != OBJECT_SEEN : l->pod->object == OBJECT_GONE;
}

static bool pod_is_unproven(const struct look *l)
{
    return l->pod->object != OBJECT_SEEN;
}

static bool pod_is_aside(const struct look *l)
{
    return l->pod->is_aside && !l->pod->is_leaving && !MUTANT(32);
}

static bool pod_is_leaving(const struct look *l)
{
    return l->pod->is_leaving && !MUTANT(28);
}

static bool runs_for_an_ended_pod(const struct look *l)
{
    return pod_phase_is_terminal(l->pod->phase) && l->group->row_hash != 0 &&
           eci_status_is_live(l->group->status);
}

static bool pod_has_ended(const struct look *l)
{
    return pod_phase_is_terminal(l->pod->phase);
}

static bool pod_is_busy(const struct look *l)
{
    return l->pod->busy != EFFECT_NONE || l->pod->retry_at_ms > l->now_ms;
}

static bool is_hidden(const struct look *l)
{
    return l->group->is_hidden;
}

static bool has_news(const struct look *l)
{
    return group_has_news(l->pod, l->group);
}

static bool has_init_news(const struct look *l)
{
    return l->pod->has_init && pod_wants_detail(l->pod) && !l->group->is_unreadable &&
           l->group->status != ECI_STATUS_SCHEDULING && l->group->was_seen &&
           l->pod->init_read_at_ms <= l->now_ms;
}

/* An init container that fails ends the pod, often between two looks. */
static bool ended_with_init_news(const struct look *l)
{
    return pod_has_ended(l) && eci_status_is_terminal(l->group->status) && has_init_news(l) &&
           !pod_is_busy(l) && !is_hidden(l);
}

static bool is_undescribed(const struct look *l)
{
    return !l->pod->has_init && pod_wants_detail(l->pod) && !l->group->is_unreadable &&
           l->group->status == ECI_STATUS_RUNNING && l->pod->init_read_at_ms <= l->now_ms;
}

static bool always(const struct look *l)
{
    (void)l;
    return true;
}

static const struct group_rule {
    const char *why;
    bool (*when)(const struct look *look);
    enum effect_kind then;
} group_rules[] = {
    {"a request for it is under way", is_busy, EFFECT_NONE},
    {"waiting before the next try", is_backing_off, EFFECT_NONE},
    {"its tags are not ours", is_foreign, EFFECT_NONE},
    {"whose it is must be read from its tags", has_no_tags, EFFECT_READ_DETAIL},
    {"a note on its pod names it; its tags must confirm that", is_noted, EFFECT_READ_DETAIL},
    {"being deleted; is it gone?", is_being_deleted, EFFECT_READ},
    {"missing from complete sweeps; is it gone?", is_suspect, EFFECT_READ},
    {"it has a twin: which was made first?", must_date, EFFECT_READ_DETAIL},
    {"its details are too large to be read, and a note alone proves nothing", is_noted_only,
     EFFECT_NONE},
    {"a note on its pod names it, and nothing shows it; its tags must be read first",
     is_noted_in_vain, EFFECT_NONE},
    {"it has a twin, of which the newest is not known yet", has_unconfirmed_twin, EFFECT_NONE},
    {"it goes when it is certain that the one that counts is there", has_unproven_twin,
     EFFECT_NONE},
    {"an extra group beside the one that counts", is_extra, EFFECT_DELETE},
    {"an extra one beside it may go; is this one there?", must_be_proven, EFFECT_READ_DETAIL},
    {"its pod is not known yet", is_unlinked, EFFECT_NONE},
    {"its pod is gone, but too many are: the brake is on", gone_under_brake, EFFECT_NONE},
    {"its pod is gone", pod_is_gone, EFFECT_DELETE},
    {"whether its pod exists is not proven yet", pod_is_unproven, EFFECT_NONE},
    {"its pod is set aside, so it is left alone", pod_is_aside, EFFECT_NONE},
    {"its pod is leaving", pod_is_leaving, EFFECT_DELETE},
    {"its pod has ended but it has not", runs_for_an_ended_pod, EFFECT_DELETE},
    {"its pod has ended, its init containers have not been shown", ended_with_init_news,
     EFFECT_READ_DETAIL},
    {"its pod has ended", pod_has_ended, EFFECT_NONE},
    {"its pod has a request under way", pod_is_busy, EFFECT_NONE},
    {"the cloud did not show it when asked; waiting for a listing that does", is_hidden,
     EFFECT_NONE},
    {"the cluster has not seen this status", has_news, EFFECT_READ},
    {"its init containers must be looked at", has_init_news, EFFECT_READ_DETAIL},
    {"its pod does not tell of the instance yet", is_undescribed, EFFECT_READ_DETAIL},
    {"all is well", always, EFFECT_NONE},
};

#define GROUP_RULES_COUNT (sizeof group_rules / sizeof group_rules[0])

enum effect_kind group_decide(const struct brain *brain, const struct group *group, msec now_ms,
                              uint8_t *rule)
{
    const struct look look = {brain, group, pod_of_group(brain, group), now_ms};
    uint8_t i = 0;
    while (!group_rules[i].when(&look)) {
        i++;
        CHECK(i < GROUP_RULES_COUNT); /* the last rule always holds */
    }
    *rule = i;
    return group_rules[i].then;
}

const char *brain_group_why(const struct group *group)
{
    CHECK(group->rule < GROUP_RULES_COUNT);
    return group_rules[group->rule].why;
}

uint8_t brain_group_rules_count(void)
{
    return GROUP_RULES_COUNT;
}
