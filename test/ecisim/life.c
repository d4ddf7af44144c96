/* see life.h: the rules of groups; those of single containers are in life_container.c */
#include "life.h"

#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "runtime.h"
#include "settings.h"
#include "stock.h"

static void on_step(struct timer *timer);
static void on_deadline(struct timer *timer);
static void on_retained(struct timer *timer);

void life_wake(struct group *group)
{
    timer_set(&group->timer, 0, on_step);
}

/* The one door for status changes. */
static void enter(struct group *group, enum status status, int64_t lasts_ms)
{
    group->status = status;
    group->until_ms = clock_ms() + lasts_ms;
    if (status == PENDING) {
        group->pending_since_ms = clock_ms();
    }
    group_touch(group);
    timer_set(&group->timer, lasts_ms, on_step);
}

static bool any_running(const struct group *group)
{
    for (size_t at = 0; at < group->container_count; at++) {
        if (group->containers[at].state == IS_RUNNING || group->containers[at].is_starting) {
            return true;
        }
    }
    return false;
}

static void stop_all(struct group *group, int64_t grace_ms)
{
    for (size_t at = 0; at < group->container_count; at++) {
        life_stop_container(&group->containers[at], grace_ms);
    }
}

static void tear_down(struct group *group)
{
    if (!group->is_tearing_down) {
        group->is_tearing_down = true;
        if (group->is_set_up || group->is_setting_up) {
            runtime->group_tear_down(group);
        } else {
            life_torn_down(group);
        }
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

/*
 * Ended groups are complete for retain_ms; of the older ones the newest retain_max stay
 * (eci-api 2.3). ScheduleFailed ones have a time of their own.
 */
static void on_retained(struct timer *timer)
{
    struct group *group = container_of(timer, struct group, deadline_timer);
    struct group *oldest = NULL;
    long long old_count = 0;
    if (group->status == SCHEDULE_FAILED) {
        life_delete(group, true, "retention");
        return;
    }
    for (size_t at = 0; at < groups.count; at++) {
        struct group *other = groups.all[at];
        if (status_is_end(other->status) && other->status != SCHEDULE_FAILED && !other->is_gone &&
            (other == group || other->deadline_timer.slot == 0)) {
            old_count++;
            if (oldest == NULL || other->ended_ms < oldest->ended_ms) {
                oldest = other;
            }
        }
    }
    if (old_count > settings.retain_max && oldest != NULL) {
        life_delete(oldest, true, "retention");
    }
}

static void finish(struct group *group, enum status status, const char *reason)
{
    group->reason = reason;
    group->ended_ms = wall_ms();
    group->record->ended_ms = group->ended_ms;
    record_over(group->record);
    enter(group, status, 0);
    timer_set(&group->deadline_timer,
              status == SCHEDULE_FAILED ? settings.schedule_failed_retain_ms : settings.retain_ms,
              on_retained);
    stop_all(group, 0);
}

static void on_lag_over(struct timer *timer)
{
    struct group *group = container_of(timer, struct group, timer);
    group_remove(group, group->end);
}

static void mark_gone(struct group *group)
{
    groups_changed();
    group->is_gone = true;
    group->gone_ms = clock_ms();
    group->record->deleted_ms = wall_ms();
    record_over(group->record);
    group->record->end = group->end;
}

/* The instance is gone; a listing lag keeps its last picture a while. */
static void depart(struct group *group)
{
    long long lag_ms =
        settings.list_lag_ms > settings.read_lag_ms ? settings.list_lag_ms : settings.read_lag_ms;
    stock_give_address(group);
    if (lag_ms <= 0) {
        group_remove(group, group->end);
        return;
    }
    mark_gone(group);
    timer_stop(&group->deadline_timer);
    timer_set(&group->timer, lag_ms, on_lag_over);
}

void life_torn_down(struct group *group)
{
    group->is_set_up = group->is_setting_up = false;
    group->is_tearing_down = false;
    if (group->status == TERMINATING) {
        depart(group);
    }
}

/* ---- the beginning --------------------------------------------------------------------------- */

void life_begin(struct group *group)
{
    enter(group, SCHEDULING, settings.scheduling_ms);
}

static void schedule(struct group *group)
{
    const char *what = "";
    if (!stock_choose(group, &what)) {
        group_event(group, "EciService", "Warning", "NoStock",
                    "Create ECI failed because the specified instance is out of stock. %s", what);
        finish(group, SCHEDULE_FAILED, "NoStock");
        return;
    }
    const char *wanted = tree_text(group->params, "PrivateIpAddress");
    if (!stock_take_address(group, wanted != NULL && wanted[0] != '\0' ? wanted : NULL)) {
        group_event(group, "EciService", "Warning", "ResourceInsufficient",
                    "The maximum number of IP address in the VSwitch %s is exceeded",
                    group->vswitch);
        finish(group, SCHEDULE_FAILED, "ResourceInsufficient");
        return;
    }
    if (group->instance_type[0] == '\0' &&
        (group->size.cpu > group->wish.cpu || group->size.memory > group->wish.memory)) {
        group_event(group, "EciService", "Normal", "AutoInstanceTypeMatch",
                    "The most-matched instanceType for current eci instance is %.2f-%.2fGi",
                    group->size.cpu, group->size.memory);
    }
    enter(group, PENDING, settings.pending_ms);
}

void life_set_up(struct group *group, const char *problem)
{
    group->is_setting_up = false;
    group->is_set_up = true; /* also when half of it failed: it must be torn down */
    if (problem != NULL && !status_is_end(group->status) && group->status != TERMINATING) {
        group_event(group, "EciService", "Warning", "StartingFailed", "eci starting failed: %s",
                    problem);
        finish(group, FAILED, "StartingFailed");
    }
    group->started_ms = wall_ms();
    group_touch(group);
    life_wake(group);
}

/* ---- containers in their order --------------------------------------------------------------- */

/* Init containers run one after the other. true: all have succeeded. */
static bool run_inits(struct group *group)
{
    for (size_t at = 0; at < group->init_count; at++) {
        struct container *container = &group->containers[at];
        if (container->is_done && container->now->exit_code == 0) {
            continue;
        }
        if (container->is_done) {
            finish(group, FAILED, "Error");
        } else {
            life_start_container(container);
        }
        return false;
    }
    return true;
}

struct summary {
    size_t created; /* was started at least once */
    size_t done;
    size_t done_normal; /* without sidecars */
    size_t normal;
    bool has_failed;
};

static struct summary sum_up(const struct group *group)
{
    struct summary sum = {0};
    for (size_t at = group->init_count; at < group->container_count; at++) {
        const struct container *container = &group->containers[at];
        sum.created += container->now != NULL;
        sum.done += container->is_done;
        sum.normal += !container->is_sidecar;
        sum.done_normal += container->is_done && !container->is_sidecar;
        sum.has_failed = sum.has_failed || (container->is_done && !container->is_sidecar &&
                                            container->now->exit_code != 0);
    }
    return sum;
}

static void stop_sidecars(struct group *group)
{
    for (size_t at = group->init_count; at < group->container_count; at++) {
        struct container *container = &group->containers[at];
        if (container->is_sidecar && !container->is_done) {
            container->is_done = true;
            life_stop_container(container, 0);
        }
    }
}

static void run_apps(struct group *group)
{
    size_t count = group->container_count - group->init_count;
    for (size_t at = group->init_count; at < group->container_count; at++) {
        if (!group->containers[at].is_done) {
            life_start_container(&group->containers[at]);
        }
    }
    struct summary sum = sum_up(group);
    if (sum.normal > 0 && sum.done_normal == sum.normal) {
        if (sum.done < count) {
            stop_sidecars(group);
        }
        if (!any_running(group)) {
            finish(group, sum.has_failed ? FAILED : SUCCEEDED, sum.has_failed ? "Error" : NULL);
        }
    } else if (sum.done == count) {
        finish(group, SUCCEEDED, NULL);
    } else if (group->status == PENDING && sum.created == count) {
        enter(group, RUNNING, 0);
    }
}

/* ---- time limits ----------------------------------------------------------------------------- */

static int64_t pending_limit_ms(const struct group *group)
{
    return settings.pending_timeout_ms > 0
               ? settings.pending_timeout_ms
               : 60000 * tree_long(group->params, "MaxPendingMinute", 240);
}

/* The time at which something has to be done about this group, or 0. */
static int64_t deadline_ms(const struct group *group)
{
    long long active_s = tree_long(group->params, "ActiveDeadlineSeconds", 0);
    int64_t active_ms = 0;
    if (active_s > 0 && group->started_ms > 0) {
        active_ms = clock_ms() + group->started_ms + 1000 * active_s - wall_ms();
    }
    bool is_initializing =
        group->init_count > 0 && !group->conditions[COND_INITIALIZED].is_true && any_running(group);
    if (group->status != PENDING || is_initializing) {
        return active_ms;
    }
    int64_t pending_ms = group->pending_since_ms + pending_limit_ms(group);
    return active_ms == 0 || pending_ms < active_ms ? pending_ms : active_ms;
}

static void on_deadline(struct timer *timer)
{
    struct group *group = container_of(timer, struct group, deadline_timer);
    int64_t when_ms = deadline_ms(group);
    if (when_ms == 0 || when_ms > clock_ms()) {
        life_wake(group);
        return;
    }
    bool is_pending =
        group->status == PENDING && clock_ms() >= group->pending_since_ms + pending_limit_ms(group);
    life_fail(group, is_pending ? "PendingTimeout" : "DeadlineExceeded");
}

static void watch_deadline(struct group *group)
{
    int64_t when_ms = deadline_ms(group);
    if (when_ms > 0) {
        timer_set(&group->deadline_timer, when_ms - clock_ms(), on_deadline);
    } else {
        timer_stop(&group->deadline_timer);
    }
}

/* ---- the rules ------------------------------------------------------------------------------- */

static void restart_now(struct group *group)
{
    runtime->group_wipe(group);
    for (size_t at = 0; at < group->container_count; at++) {
        life_reset_container(&group->containers[at]);
    }
    enter(group, PENDING, settings.pending_ms);
}

static void step_pending(struct group *group)
{
    if (!group->is_set_up) {
        if (!group->is_setting_up) {
            group->is_setting_up = true;
            runtime->group_set_up(group);
        }
    } else if (run_inits(group)) {
        run_apps(group);
    }
}

static void on_step(struct timer *timer)
{
    struct group *group = container_of(timer, struct group, timer);
    int64_t left_ms = group->until_ms - clock_ms();
    if (left_ms > 0) {
        timer_set(timer, left_ms, on_step);
        return;
    }
    switch (group->status) {
    case SCHEDULING:
        schedule(group);
        break;
    case PENDING:
    case RUNNING:
        step_pending(group);
        break;
    case RESTARTING:
        if (!any_running(group)) {
            restart_now(group);
        }
        break;
    case UPDATING:
        enter(group, RUNNING, 0);
        break;
    case TERMINATING:
        if (!any_running(group) && !group->is_setting_up) {
            tear_down(group);
            return; /* the group may be gone */
        }
        break;
    default:
        if (!any_running(group) && !group->is_setting_up && group->is_set_up) {
            tear_down(group);
        }
        break;
    }
    if (!status_is_end(group->status) && group->status != TERMINATING) {
        watch_deadline(group);
    }
}

/* ---- orders ---------------------------------------------------------------------------------- */

void life_delete(struct group *group, bool is_forced, const char *how)
{
    group->end = group->status == TERMINATING ? group->end : how;
    group->is_forced = group->is_forced || is_forced;
    int64_t grace_ms =
        group->is_forced ? 0 : 1000 * tree_long(group->params, "TerminationGracePeriodSeconds", 30);
    if (group->status != TERMINATING) {
        timer_stop(&group->deadline_timer);
        enter(group, TERMINATING, 0);
    }
    stop_all(group, grace_ms);
    life_wake(group);
}

void life_restart(struct group *group)
{
    enter(group, RESTARTING, settings.restarting_ms);
    stop_all(group, 0);
}

void life_update(struct group *group)
{
    enter(group, UPDATING, settings.updating_ms);
    for (size_t at = 0; at < group->container_count; at++) {
        if (group->containers[at].must_restart) {
            life_stop_container(&group->containers[at], 0);
        }
    }
}

void life_expire(struct group *group)
{
    group_event(group, "EciService", "Warning", "SpotToBeReleased",
                "Spot ECI will be released in %s minutes", "3");
    finish(group, EXPIRED, "SpotToBeReleased");
}

void life_fail(struct group *group, const char *reason)
{
    group_event(group, "EciService", "Warning", reason, "The container group has failed: %s",
                reason);
    finish(group, FAILED, reason);
}

void life_vanish(struct group *group)
{
    group->end = "vanished";
    mark_gone(group); /* out of every listing now, whatever its containers still do */
    life_delete(group, true, "vanished");
}
