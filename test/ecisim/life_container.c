/* see life.h: the rules of single containers (eci-api 3.2) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "life.h"
#include "runtime.h"
#include "settings.h"
#include "sim.h"

static void on_restart(struct timer *timer);

static const char *image_of(const struct container *container)
{
    const char *image = tree_text(container->spec, "Image");
    return image == NULL ? "" : image;
}

static void set_waiting(struct container *container, const char *reason, const char *message)
{
    container->state = WAITING;
    container->wait_reason = reason;
    free(container->wait_message);
    container->wait_message = message == NULL ? NULL : text_copy(message);
}

static struct run *run_new(void)
{
    struct run *run = text_grab(NULL, sizeof *run);
    *run = (struct run){.started_ms = wall_ms()};
    for (int at = 0; at < 4; at++) {
        snprintf(run->id + 16 * at, 17, "%016llx", (unsigned long long)dice_roll(&sim_dice));
    }
    return run;
}

/* Called again and again by the rules of the group until the container runs. */
void life_start_container(struct container *container)
{
    struct group *group = container->group;
    bool is_idle = container->state != IS_RUNNING && !container->is_starting;
    if (!is_idle || container->is_done || container->timer.slot != 0) {
        return;
    }
    if (container->now == NULL && strstr(image_of(container), ":nopull") != NULL) {
        life_waits(container, "ImagePullBackOff", "Back-off pulling image");
        return;
    }
    container->is_starting = true;
    if (container->now == NULL) {
        group_event(group, "kubelet", "Normal", "Pulling", "Pulling image \"%s\"",
                    image_of(container));
    }
    runtime->container_start(container);
}

void life_waits(struct container *container, const char *reason, const char *message)
{
    container->is_starting = false;
    set_waiting(container, reason, message);
    group_event(container->group, "kubelet", "Warning", "Failed", "%s", message);
    group_touch(container->group);
    /* Tried again after a while, like the pull back-off of a kubelet. */
    timer_set(&container->timer, settings.backoff_base_ms, on_restart);
}

/* The run before becomes the last one; a new one begins. */
static void begin_run(struct container *container)
{
    struct group *group = container->group;
    if (container->now == NULL) {
        group_event(group, "kubelet", "Normal", "Pulled", "Successfully pulled image \"%s\"",
                    image_of(container));
    } else {
        container->restarts++;
    }
    group_event(group, "kubelet", "Normal", "Created", "Created container %s", container->name);
    run_free(container->last);
    container->last = container->now;
    container->now = run_new();
    container->state = IS_RUNNING;
    container->is_starting = false;
    container->is_stopping = false;
}

void life_started(struct container *container)
{
    struct group *group = container->group;
    begin_run(container);
    group_event(group, "kubelet", "Normal", "Started", "Started container %s", container->name);
    group_touch(group);
    life_wake(group);
}

void life_ready(struct container *container, bool is_ready)
{
    if (container->is_ready != is_ready) {
        container->is_ready = is_ready;
        group_touch(container->group);
    }
}

/* As Go prints a duration of whole seconds: 10s, 1m20s, 5m0s. */
static void duration_text(char *out, size_t bytes, int64_t ms)
{
    long seconds = (long)((ms + 999) / 1000);
    if (seconds < 60) {
        snprintf(out, bytes, "%lds", seconds);
    } else {
        snprintf(out, bytes, "%ldm%lds", seconds / 60, seconds % 60);
    }
}

static void on_restart(struct timer *timer)
{
    life_wake(container_of(timer, struct container, timer)->group);
}

/*
 * As a kubelet does: the first restart comes at once, the next ones wait 10 s, 20 s, 40 s ...
 * up to 5 minutes; a run of 10 minutes starts the back-off anew.
 */
static void wait_for_restart(struct container *container)
{
    struct group *group = container->group;
    char wait[32];
    char message[512];
    if (container->now->finished_ms - container->now->started_ms >= settings.backoff_reset_ms) {
        container->crashes = 0;
    }
    int64_t delay_ms = settings.restart_ms;
    if (container->crashes++ > 0) {
        int shift = container->crashes - 2;
        delay_ms = shift > 30 ? settings.backoff_cap_ms : settings.backoff_base_ms << shift;
        if (delay_ms > settings.backoff_cap_ms) {
            delay_ms = settings.backoff_cap_ms;
        }
        duration_text(wait, sizeof wait, delay_ms);
        snprintf(message, sizeof message,
                 "Back-off %s restarting failed container=%s pod=%s_default(%s)", wait,
                 container->name, group->name, group->id);
        set_waiting(container, "CrashLoopBackOff", message);
        group_event(group, "kubelet", "Warning", "BackOff", "Back-off restarting failed container");
    }
    timer_set(&container->timer, delay_ms, on_restart);
}

static bool may_restart(const struct container *container)
{
    const struct group *group = container->group;
    int exit_code = container->now->exit_code;
    if (group->status != PENDING && group->status != RUNNING && group->status != UPDATING) {
        return false;
    }
    if (container->must_restart) {
        return true;
    }
    if (container->is_init) {
        return exit_code != 0 && !text_is(group->restart_policy, "Never");
    }
    return text_is(group->restart_policy, "Always") ||
           (text_is(group->restart_policy, "OnFailure") && exit_code != 0);
}

void life_ended(struct container *container, int exit_code, int signal, const char *reason,
                const char *message)
{
    struct group *group = container->group;
    if (container->is_starting && container->state != IS_RUNNING) {
        begin_run(container); /* it could not even start: a run of no length */
        group_event(group, "kubelet", "Warning", "Failed", "Error: %s",
                    message == NULL ? "failed to start container" : message);
    }
    struct run *run = container->now;
    if (exit_code != 0 &&
        text_is(env_value(container->spec, "ECI_CONTAINER_IGNORE_EXIT_CODE"), "true")) {
        free(run->message);
        struct buf text = {0};
        buf_fmt(&text, "ignored exit code %d (%s)", exit_code, reason == NULL ? "Error" : reason);
        run->message = text.data;
        exit_code = 0;
        reason = NULL;
    } else if (message != NULL) {
        free(run->message);
        run->message = text_copy(message);
    }
    run->exit_code = exit_code;
    run->signal = signal;
    run->finished_ms = wall_ms();
    run->reason = reason != NULL ? reason : exit_code == 0 ? "Completed" : "Error";
    container->state = TERMINATED;
    container->is_ready = false;
    container->is_stopping = false;
    timer_stop(&container->ready_timer);
    if (container->is_done || !may_restart(container)) {
        container->is_done = true;
    } else if (container->must_restart) {
        container->must_restart = false;
    } else {
        wait_for_restart(container);
    }
    group_touch(group);
    life_wake(group);
}

void life_stop_container(struct container *container, int64_t grace_ms)
{
    if (container->state == IS_RUNNING || container->is_starting) {
        if (!container->is_stopping) {
            group_event(container->group, "kubelet", "Normal", "Killing", "Stopping container %s",
                        container->name);
        }
        container->is_stopping = true;
        runtime->container_stop(container, grace_ms);
    } else {
        timer_stop(&container->timer);
    }
}

void life_reset_container(struct container *container)
{
    timer_stop(&container->timer);
    timer_stop(&container->ready_timer);
    set_waiting(container, "", NULL);
    container->is_done = false;
    container->is_ready = false;
    container->is_starting = false;
    container->must_restart = false;
    container->crashes = 0;
}

void life_kill(struct group *group, const char *name, int exit_code, const char *reason)
{
    for (size_t at = 0; at < group->container_count; at++) {
        struct container *container = &group->containers[at];
        if (container->state == IS_RUNNING && (name == NULL || text_is(name, container->name))) {
            container->forced_code = exit_code;
            container->forced_reason = reason;
            runtime->container_stop(container, 0);
        }
    }
}
