/*
 * State mode: containers that are only timers. How and when one ends can be steered per
 * container, by environment variables (ECISIM_RUN_MS, ECISIM_EXIT_CODE, ECISIM_READY_MS,
 * ECISIM_LOG) or by words in the image tag, joined with '-': "demo:run-500-exit-3",
 * "demo:nopull", "demo:notready". See runtime.h.
 */
#include "runtime.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "life.h"
#include "settings.h"

static void on_end(struct timer *timer);

/* ---- steering -------------------------------------------------------------------------------- */

static const char *image_tag(const struct container *container)
{
    const char *image = tree_text(container->spec, "Image");
    const char *slash = image == NULL ? NULL : strrchr(image, '/');
    const char *colon = image == NULL ? NULL : strchr(slash == NULL ? image : slash, ':');
    return colon == NULL ? "" : colon + 1;
}

/* "word-N" in the tag, or the variable, or the other. */
static long long steered(const struct container *container, const char *variable, const char *word,
                         long long other)
{
    long long number = other;
    const char *tag = strstr(image_tag(container), word);
    if (tag != NULL) {
        number = strtoll(tag + strlen(word), NULL, 10);
    }
    text_to_long(env_value(container->spec, variable), &number);
    return number;
}

static bool has_word(const struct container *container, const char *word)
{
    return strstr(image_tag(container), word) != NULL;
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void state_set_up(struct group *group)
{
    life_set_up(group, NULL);
}

static void state_tear_down(struct group *group)
{
    life_torn_down(group);
}

static void state_drop(struct group *group)
{
    (void)group;
}

static void state_wipe(struct group *group)
{
    (void)group;
}

/* ---- containers ------------------------------------------------------------------------------ */

static void log_text(struct container *container, const char *text)
{
    while (*text != '\0') {
        size_t bytes = strcspn(text, "\n");
        run_log(container->now, text, bytes);
        text += text[bytes] == '\n' ? bytes + 1 : bytes;
    }
}

static void on_ready(struct timer *timer)
{
    life_ready(container_of(timer, struct container, ready_timer), true);
}

static void state_start(struct container *container)
{
    const char *log = env_value(container->spec, "ECISIM_LOG");
    life_started(container);
    struct buf line = {0};
    buf_fmt(&line, "%s: run %d", container->name, container->restarts + 1);
    log_text(container, line.data);
    log_text(container, log == NULL ? "" : log);
    buf_free(&line);
    long long usual_ms = container->is_init ? settings.init_ms : settings.run_ms;
    long long run_ms = steered(container, "ECISIM_RUN_MS", "run-", usual_ms);
    if (run_ms < 0 && has_word(container, "exit-")) {
        run_ms = 0; /* an exit code without a time: at once */
    }
    if (run_ms >= 0) {
        timer_set(&container->timer, run_ms, on_end);
    }
    long long ready_ms = steered(container, "ECISIM_READY_MS", "ready-", settings.ready_ms);
    if (has_word(container, "notready") || ready_ms < 0 || container->is_init) {
        return;
    }
    ready_ms += 1000 * tree_long(container->spec, "ReadinessProbe.InitialDelaySeconds", 0);
    if (ready_ms == 0) {
        life_ready(container, true);
    } else {
        timer_set(&container->ready_timer, ready_ms, on_ready);
    }
}

static void on_end(struct timer *timer)
{
    struct container *container = container_of(timer, struct container, timer);
    if (container->forced_reason != NULL) {
        const char *reason = container->forced_reason;
        container->forced_reason = NULL;
        life_ended(container, container->forced_code, 0, reason, NULL);
    } else if (container->is_stopping) {
        life_ended(container, 128 + SIGTERM, SIGTERM, NULL, NULL);
    } else {
        long long usual = container->is_init ? 0 : settings.exit_code;
        life_ended(container, (int)steered(container, "ECISIM_EXIT_CODE", "exit-", usual), 0, NULL,
                   NULL);
    }
}

static bool has_hook(const struct container *container)
{
    return tree_find(container->spec, "LifecyclePreStopHandlerExec") != NULL ||
           tree_find(container->spec, "LifecyclePreStopHandlerHttpGetPort") != NULL ||
           tree_find(container->spec, "LifecyclePreStopHandlerTcpSocketPort") != NULL;
}

static void state_stop(struct container *container, int64_t grace_ms)
{
    int64_t delay_ms = has_hook(container) ? settings.terminating_ms : settings.delete_ms;
    timer_set(&container->timer, delay_ms < grace_ms ? delay_ms : grace_ms, on_end);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void write_words(struct buf *text, const struct node *word)
{
    if (text_is(word->value, "echo")) {
        word = word->next;
    } else {
        buf_text(text, "state mode runs nothing:");
    }
    for (; word != NULL; word = word->next) {
        buf_fmt(text, "%s%s", text->used == 0 ? "" : " ", word->value);
    }
    buf_byte(text, '\n');
}

static void state_exec(struct call *call, struct container *container, const struct node *command)
{
    struct buf text = {0};
    (void)container;
    write_words(&text, command);
    jw_ktext(&call->reply, "SyncResponse", buf_string(&text));
    buf_free(&text);
    call_finish(call);
}

/*
 * Sessions: "cat" and shells without a command give back what they read, and "exit N" on a line
 * ends them; "sh -c 'exit N'" ends with N; everything else says that nothing runs here.
 */
static void state_exec_start(struct session *session, struct container *container)
{
    const struct node *first = session->command->first;
    const struct node *last = session->command->last;
    struct buf text = {0};
    (void)container;
    if (first == last && text_is_any(first->value, "cat|sh|bash|/bin/sh|/bin/bash")) {
        session->run = session;
        return;
    }
    if (text_starts(last->value, "exit ")) {
        session_ended(session, (int)strtol(last->value + 5, NULL, 10));
        return;
    }
    write_words(&text, first);
    session_output(session, STREAM_STDOUT, text.data, text.used);
    buf_free(&text);
    session_ended(session, 0);
}

static void state_exec_input(struct session *session, const char *data, size_t bytes)
{
    if (bytes > 5 && memcmp(data, "exit ", 5) == 0) {
        session_ended(session, (int)strtol(data + 5, NULL, 10));
    } else {
        session_output(session, STREAM_STDOUT, data, bytes);
    }
}

static void state_exec_input_end(struct session *session)
{
    session_ended(session, 0);
}

static void state_exec_resize(struct session *session, int width, int height)
{
    char text[64];
    int bytes = snprintf(text, sizeof text, "size %dx%d\n", width, height);
    session_output(session, STREAM_STDOUT, text, (size_t)bytes);
}

static void state_exec_cancel(struct session *session)
{
    session_ended(session, 137);
}

/* Truthful: nothing is used, because nothing runs. */
static unsigned long long state_disk_bytes(const struct group *group)
{
    (void)group;
    return 0;
}

static struct usage state_usage(const struct container *container)
{
    (void)container;
    return (struct usage){0};
}

static struct traffic state_traffic(const struct group *group)
{
    (void)group;
    return (struct traffic){0};
}

const struct runtime runtime_state = {
    .group_set_up = state_set_up,
    .group_tear_down = state_tear_down,
    .group_drop = state_drop,
    .group_wipe = state_wipe,
    .container_start = state_start,
    .container_stop = state_stop,
    .exec_sync = state_exec,
    .exec_start = state_exec_start,
    .exec_input = state_exec_input,
    .exec_input_end = state_exec_input_end,
    .exec_resize = state_exec_resize,
    .exec_cancel = state_exec_cancel,
    .usage = state_usage,
    .disk_bytes = state_disk_bytes,
    .traffic = state_traffic,
};
