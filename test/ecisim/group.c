/* see group.h */
#include "group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "ledger.h"
#include "sim.h"

struct groups groups;

static struct index by_id;
static size_t group_room;
static unsigned long long last_serial;

static const struct {
    const char *name;
    const char *phase;
    bool is_end;
} statuses[STATUS_COUNT] = {
    [SCHEDULING] = {"Scheduling", "Pending", false},
    [PENDING] = {"Pending", "Pending", false},
    [RUNNING] = {"Running", "Running", false},
    [RESTARTING] = {"Restarting", "Pending", false},
    [UPDATING] = {"Updating", "Pending", false},
    [TERMINATING] = {"Terminating", "Running", false},
    [SUCCEEDED] = {"Succeeded", "Succeeded", true},
    [FAILED] = {"Failed", "Failed", true},
    [EXPIRED] = {"Expired", "Failed", true},
    [SCHEDULE_FAILED] = {"ScheduleFailed", "Failed", true},
};

const char *status_name(enum status status)
{
    return statuses[status].name;
}

const char *status_phase(enum status status)
{
    return statuses[status].phase;
}

bool status_is_end(enum status status)
{
    return statuses[status].is_end;
}

/* ---- runs and events ------------------------------------------------------------------------- */

#define LOG_LINES_MAX 20000
#define LOG_BYTES_MAX (2 << 20)

static void drop_line(struct run *run)
{
    struct log_line *line = &run->lines[run->line_first];
    run->log_bytes -= strlen(line->text);
    free(line->text);
    run->line_first = (run->line_first + 1) % run->line_room;
    run->line_count--;
}

static void grow_lines(struct run *run)
{
    size_t room = run->line_room == 0 ? 16 : 2 * run->line_room;
    struct log_line *lines = text_grab(NULL, room * sizeof *lines);
    for (size_t at = 0; at < run->line_count; at++) {
        lines[at] = run->lines[(run->line_first + at) % run->line_room];
    }
    free(run->lines);
    run->lines = lines;
    run->line_first = 0;
    run->line_room = room;
}

void run_log(struct run *run, const char *text, size_t bytes)
{
    static unsigned order;
    char *copy = memcpy(text_grab(NULL, bytes + 1), text, bytes);
    copy[bytes] = '\0';
    while (run->line_count > 0 &&
           (run->line_count >= LOG_LINES_MAX || run->log_bytes + bytes > LOG_BYTES_MAX)) {
        drop_line(run);
    }
    if (run->line_count == run->line_room) {
        grow_lines(run);
    }
    run->lines[(run->line_first + run->line_count++) % run->line_room] =
        (struct log_line){.at_ms = wall_ms(), .ns = ++order % 1000000, .text = copy};
    run->log_bytes += strlen(copy);
}

void run_free(struct run *run)
{
    if (run != NULL) {
        while (run->line_count > 0) {
            drop_line(run);
        }
        free(run->lines);
        free(run->message);
        free(run);
    }
}

static void add_event(struct group *group, struct event event)
{
    if (group->event_count == EVENTS_MAX) {
        free(group->events[0].message);
        memmove(group->events, group->events + 1, (EVENTS_MAX - 1) * sizeof *group->events);
        group->event_count--;
    }
    group->events = text_grab(group->events, (group->event_count + 1) * sizeof *group->events);
    group->events[group->event_count++] = event;
}

void group_event(struct group *group, const char *component, const char *type, const char *reason,
                 const char *format, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vfmt(&text, format, args);
    va_end(args);
    for (size_t at = 0; at < group->event_count; at++) {
        struct event *event = &group->events[at];
        if (strcmp(event->reason, reason) == 0 && strcmp(event->message, buf_string(&text)) == 0) {
            event->count++;
            event->last_ms = wall_ms();
            buf_free(&text);
            return;
        }
    }
    add_event(group, (struct event){.type = type,
                                    .reason = reason,
                                    .message = text_copy(buf_string(&text)),
                                    .component = component,
                                    .count = 1,
                                    .first_ms = wall_ms(),
                                    .last_ms = wall_ms(),
                                    .id = (unsigned)dice_roll(&sim_dice)});
    buf_free(&text);
}

/* ---- conditions and changes ------------------------------------------------------------------ */

static void set_condition(struct group *group, enum condition_type type, bool is_true,
                          const char *reason)
{
    struct condition *condition = &group->conditions[type];
    if (condition->since_ms == 0 || condition->is_true != is_true) {
        condition->since_ms = wall_ms();
    }
    condition->is_true = is_true;
    condition->reason = is_true ? "" : reason;
}

static bool containers_ready(const struct group *group)
{
    for (size_t at = group->init_count; at < group->container_count; at++) {
        const struct container *container = &group->containers[at];
        if (!container->is_ready &&
            !text_is(env_value(container->spec, "ECI_CONTAINER_IGNORE_READY"), "true")) {
            return false;
        }
    }
    return true;
}

static bool is_initialized(const struct group *group)
{
    for (size_t at = 0; at < group->init_count; at++) {
        const struct container *container = &group->containers[at];
        if (container->state != TERMINATED || container->now->exit_code != 0) {
            return false;
        }
    }
    return group->status != SCHEDULING && group->status != SCHEDULE_FAILED &&
           (group->init_count > 0 || group->is_set_up);
}

static void renew_conditions(struct group *group)
{
    bool is_created = group->status != SCHEDULING && group->status != SCHEDULE_FAILED;
    bool is_ready = group->status == RUNNING && containers_ready(group);
    const char *unready = group->status == SUCCEEDED ? "PodCompleted" : "ContainersNotReady";
    set_condition(group, COND_CREATED, is_created,
                  group->reason == NULL ? "Creating" : group->reason);
    set_condition(group, COND_SCHEDULED, true, "");
    set_condition(group, COND_INITIALIZED, is_initialized(group), "ContainersNotInitialized");
    set_condition(group, COND_CONTAINERS_READY, is_ready, unready);
    set_condition(group, COND_READY, is_ready, unready);
}

static void unlink_change(struct group *group)
{
    *(group->newer == NULL ? &groups.changed_last : &group->newer->older) = group->older;
    *(group->older == NULL ? &groups.changed_first : &group->older->newer) = group->newer;
    group->newer = group->older = NULL;
}

static void link_change(struct group *group)
{
    group->older = groups.changed_last;
    *(group->older == NULL ? &groups.changed_first : &group->older->newer) = group;
    groups.changed_last = group;
}

void groups_changed(void)
{
    groups.generation++;
}

void group_touch(struct group *group)
{
    groups_changed();
    group->changed_ms = clock_ms();
    group->record->status = group->status;
    renew_conditions(group);
    unlink_change(group);
    link_change(group);
}

/* ---- making ---------------------------------------------------------------------------------- */

static void make_id(char id[GROUP_ID_BYTES])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    memcpy(id, "eci-", 5);
    do {
        for (int at = 4; at < 24; at++) {
            id[at] = letters[dice_roll(&sim_dice) % 36];
        }
        id[24] = '\0';
    } while (index_find(&by_id, id) != NULL);
}

static size_t add_containers(struct group *group, size_t at, const struct node *first, bool is_init)
{
    for (const struct node *spec = first; spec != NULL; spec = spec->next) {
        group->containers[at++] = (struct container){
            .group = group,
            .spec = spec,
            .name = tree_text(spec, "Name"),
            .is_init = is_init,
            .is_sidecar = !is_init && text_is(env_value(spec, "ECI_CONTAINER_TYPE"), "sidecar"),
            .wait_reason = "",
        };
    }
    return at;
}

struct group *group_new(struct arena *params_arena, struct node *params, const char *token)
{
    struct group *group = text_grab(NULL, sizeof *group);
    *group = (struct group){.params = params, .arena = *params_arena};
    *params_arena = (struct arena){0};
    group->tags = tree_find(params, "Tag");
    group->name = tree_text(params, "ContainerGroupName");
    group->restart_policy = tree_text(params, "RestartPolicy");
    if (group->restart_policy == NULL || group->restart_policy[0] == '\0') {
        group->restart_policy = "Always";
    }
    char id[GROUP_ID_BYTES];
    make_id(id);
    group->record = record_new(group, id, token);
    group->id = group->record->id;
    group->created_ms = group->record->created_ms;
    group->born_ms = clock_ms();
    group->serial = ++last_serial;
    group->instance_type = "";
    group->init_count = tree_count(params, "InitContainer");
    group->container_count = group->init_count + tree_count(params, "Container");
    group->containers =
        arena_take(&group->arena, group->container_count * sizeof *group->containers);
    size_t at = add_containers(group, 0, tree_list(params, "InitContainer"), true);
    add_containers(group, at, tree_list(params, "Container"), false);
    if (groups.count == group_room) {
        group_room = group_room == 0 ? 256 : 2 * group_room;
        groups.all = text_grab(groups.all, group_room * sizeof *groups.all);
    }
    groups.all[groups.count++] = group;
    index_put(&by_id, group->id, group);
    link_change(group);
    group_touch(group);
    return group;
}

/* ---- finding --------------------------------------------------------------------------------- */

struct group *group_find_listed(const char *id)
{
    return id == NULL ? NULL : index_find(&by_id, id);
}

struct group *group_find(const char *id)
{
    struct group *group = group_find_listed(id);
    return group == NULL || group->is_gone ? NULL : group;
}

size_t group_after(unsigned long long serial)
{
    size_t low = 0;
    for (size_t high = groups.count; low < high;) {
        size_t middle = (low + high) / 2;
        if (groups.all[middle]->serial <= serial) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct container *group_container(struct group *group, const char *name)
{
    for (size_t at = 0; at < group->container_count; at++) {
        if (text_is(group->containers[at].name, name)) {
            return &group->containers[at];
        }
    }
    return NULL;
}

const char *group_tag(const struct group *group, const char *key)
{
    const struct node *tag = group->tags == NULL ? NULL : group->tags->first;
    for (; tag != NULL; tag = tag->next) {
        if (text_is(tree_text(tag, "Key"), key)) {
            const char *value = tree_text(tag, "Value");
            return value == NULL ? "" : value;
        }
    }
    return NULL;
}

bool group_has_tag(const struct group *group, const char *key, const char *value)
{
    const char *mine = group_tag(group, key);
    return mine != NULL && (value == NULL || strcmp(mine, value) == 0);
}

/* ---- removing -------------------------------------------------------------------------------- */

static void group_free(struct group *group)
{
    for (size_t at = 0; at < group->container_count; at++) {
        struct container *container = &group->containers[at];
        timer_stop(&container->timer);
        timer_stop(&container->ready_timer);
        run_free(container->now);
        run_free(container->last);
        free(container->wait_message);
    }
    for (size_t at = 0; at < group->event_count; at++) {
        free(group->events[at].message);
    }
    free(group->events);
    timer_stop(&group->timer);
    timer_stop(&group->deadline_timer);
    arena_free(&group->arena);
    loop_free_later(group);
}

void group_remove(struct group *group, const char *how)
{
    size_t at = group_after(group->serial) - 1;
    memmove(&groups.all[at], &groups.all[at + 1], (groups.count - at - 1) * sizeof groups.all[0]);
    groups.count--;
    groups_changed();
    index_drop(&by_id, group->id);
    unlink_change(group);
    record_close(group->record, how);
    group_free(group);
}

void groups_reset(void)
{
    while (groups.count > 0) {
        group_remove(groups.all[groups.count - 1], "reset");
    }
    free(groups.all);
    index_free(&by_id);
    group_room = 0;
    groups = (struct groups){.generation = groups.generation + 1};
    ledger_reset();
}
