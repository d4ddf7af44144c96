/*
 * DescribeContainerLog and ExecContainerCommand (eci-api 2.5, 2.6).
 */
#include <stdio.h>
#include <string.h>

#include "actions.h"
#include "group.h"
#include "list.h"
#include "runtime.h"
#include "settings.h"

#define LOG_BYTES_MAX 1048576
#define LOG_LINES_MAX 2000

static struct container *find_container(struct call *call)
{
    const char *id = call_param(call, "ContainerGroupId");
    struct group *group = group_find_listed(id);
    call->detail = arena_copy(&call->exchange->arena, id, strlen(id));
    if (group == NULL || !list_shows(group, true)) {
        call_fail(call, CODE_NOT_FOUND, "The container group %s does not exist.", id);
        return NULL;
    }
    struct container *container = group_container(group, call_param(call, "ContainerName"));
    if (container == NULL) {
        call_fail(call, CODE_CONTAINER_NOT_FOUND, "The container %s does not exist.",
                  call_param(call, "ContainerName"));
    }
    return container;
}

/* Which lines were asked for. */
struct cut {
    int64_t from_ms; /* wall time */
    size_t tail;
    size_t bytes;
    bool with_times;
};

static bool in_range(struct call *call, const char *name, long long low, long long high)
{
    long long number = tree_long(call->params, name, low);
    if (number < low || number > high) {
        call_fail(call, CODE_INVALID, "The specified parameter %s is not valid.", name);
        return false;
    }
    return true;
}

static bool read_cut(struct call *call, struct cut *cut)
{
    const char *start = call_param(call, "StartTime");
    long long since_s = tree_long(call->params, "SinceSeconds", 0);
    if (!in_range(call, "Tail", 1, settings.strict ? LOG_LINES_MAX : INT32_MAX) ||
        !in_range(call, "LimitBytes", 1, LOG_BYTES_MAX) ||
        !in_range(call, "SinceSeconds", 1, INT32_MAX)) {
        return false;
    }
    if (start != NULL && !time_parse(start, &cut->from_ms)) {
        call_fail(call, CODE_INVALID, "The specified parameter StartTime is not valid.");
        return false;
    }
    if (since_s > 0 && wall_ms() - 1000 * since_s > cut->from_ms) {
        cut->from_ms = wall_ms() - 1000 * since_s;
    }
    cut->tail = (size_t)tree_long(call->params, "Tail", 500);
    cut->tail = cut->tail > LOG_LINES_MAX ? LOG_LINES_MAX : cut->tail;
    cut->bytes = (size_t)tree_long(call->params, "LimitBytes", LOG_BYTES_MAX);
    cut->with_times = tree_true(call->params, "Timestamps");
    return true;
}

/* As a container runtime stamps lines: RFC 3339 with nanoseconds. */
static void add_line(struct buf *out, const struct log_line *line, bool with_times)
{
    char text[TIME_TEXT_BYTES];
    if (with_times) {
        time_text(text, line->at_ms);
        buf_fmt(out, "%.19s.%03d%06uZ ", text, (int)(line->at_ms % 1000), line->ns);
    }
    buf_text(out, line->text);
    buf_byte(out, '\n');
}

/* The newest lines; of too many bytes the newest are kept, whole lines first. */
static void add_lines(struct buf *out, const struct run *run, const struct cut *cut)
{
    size_t first = run->line_count > cut->tail ? run->line_count - cut->tail : 0;
    for (size_t at = first; at < run->line_count; at++) {
        const struct log_line *line = &run->lines[(run->line_first + at) % run->line_room];
        if (line->at_ms >= cut->from_ms) {
            add_line(out, line, cut->with_times);
        }
    }
    if (out->used > cut->bytes) {
        buf_skip(out, out->used - cut->bytes);
    }
}

void act_log(struct call *call)
{
    struct cut cut = {0};
    struct buf text = {0};
    struct container *container = find_container(call);
    if (container == NULL || !read_cut(call, &cut)) {
        return;
    }
    const struct run *run = container->now;
    if (tree_true(call->params, "LastTime")) {
        run = container->state == WAITING ? container->now : container->last;
    }
    if (run != NULL) {
        add_lines(&text, run, &cut);
    }
    jw_ktext(&call->reply, "ContainerName", container->name);
    jw_ktext(&call->reply, "Content", buf_string(&text));
    buf_free(&text);
}

/* ---- exec ------------------------------------------------------------------------------------ */

#define WORDS_MAX 20
#define WORD_BYTES_MAX 256

static const struct node *read_command(struct call *call)
{
    size_t count = 0;
    const struct node *words = list_ids(call, call_param(call, "Command"), &count);
    if (words == NULL || count == 0) {
        call_fail(call, CODE_INVALID, "The specified parameter Command is not valid.");
        return NULL;
    }
    bool is_long = count > WORDS_MAX;
    for (const struct node *word = words->first; word != NULL; word = word->next) {
        is_long = is_long || strlen(word->value) > WORD_BYTES_MAX;
    }
    if (is_long) {
        call_fail(call, CODE_EXCEEDED, "The command is too long.");
        return NULL;
    }
    return words->first;
}

void act_exec(struct call *call)
{
    struct container *container = find_container(call);
    const struct node *command = container == NULL ? NULL : read_command(call);
    if (command == NULL) {
        return;
    }
    if (container->state != IS_RUNNING) {
        call_fail(call, CODE_INCORRECT_STATUS, "The container %s is not running.", container->name);
        return;
    }
    if (!tree_true(call->params, "Sync")) {
        session_offer(call, container, command);
        return;
    }
    if (tree_true(call->params, "TTY")) {
        call_fail(call, CODE_INVALID, "TTY must be false when Sync is true.");
        return;
    }
    call->is_later = true;
    runtime->exec_sync(call, container, command);
}
