/*
 * logs_check.c - has a container begun, has it ended? A log does not tell, the status of its group
 * does. Asked for about all followed containers together, READ_IDS groups in a call, each
 * LOGS_CHECK_MS; and at once for a first reading that gave no lines.
 *
 * DescribeContainerGroupStatus has no init containers (eci-api 2.4): who is not in it is looked for
 * in DescribeContainerGroups.
 */
#include "serve/logs_parts.h"

#include "base/check.h"
#include "data/group_read.h"

#define READ_IDS 20 /* ids in one call (eci-api 2.3, 2.4) */

enum source { SOURCE_STATUS, SOURCE_GROUPS };

static const enum eci_action actions[] = {
    [SOURCE_STATUS] = ECI_DESCRIBE_STATUS,
    [SOURCE_GROUPS] = ECI_DESCRIBE_GROUPS,
};

/* One group of a reply. */
struct shown {
    str id;
    enum eci_status status;
    const struct eci_container *containers, *inits;
    uint32_t containers_count, inits_count;
};

static const struct eci_container *find(const struct eci_container *rows, uint32_t count,
                                        const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (str_eq(rows[i].name, str_of(name))) {
            return &rows[i];
        }
    }
    return NULL;
}

static const struct eci_container *find_container(const struct shown *shown, const char *name)
{
    const struct eci_container *found = find(shown->containers, shown->containers_count, name);
    return found != NULL ? found : find(shown->inits, shown->inits_count, name);
}

/* ---- a first reading without lines ----------------------------------------------------------- */

static void judge_session(struct logs_session *session, const struct eci_container *container,
                          enum source source)
{
    const struct logs_whose *whose = &session->whose;
    if (container == NULL && source == SOURCE_STATUS) {
        session->wants_init = true;
    } else if (container == NULL) {
        logs_refuse(session, 404, "container \"%s\" not found in pod \"%s\"", whose->container,
                    whose->pod);
    } else if (session->want.is_previous && container->last.kind == ECI_STATE_NONE) {
        logs_refuse(session, 400, "previous terminated container \"%s\" in pod \"%s\" not found",
                    whose->container, whose->pod);
    } else if (container->now.kind != ECI_STATE_RUNNING &&
               container->now.kind != ECI_STATE_TERMINATED &&
               container->last.kind == ECI_STATE_NONE) {
        str reason =
            str_is_empty(container->now.reason) ? S("PodInitializing") : container->now.reason;
        logs_refuse(session, 400, "container \"%s\" in pod \"%s\" is waiting to start: %.*s",
                    whose->container, whose->pod, STR_ARG(reason));
    } else {
        logs_checked(session);
    }
}

/* ---- a followed container -------------------------------------------------------------------- */

static void judge_poller(struct logs_poller *poller, const struct shown *shown,
                         const struct eci_container *container, enum source source)
{
    bool is_over = eci_status_is_terminal(shown->status);
    poller->absences = 0;
    if (container == NULL && source == SOURCE_STATUS && !is_over) {
        poller->wants_init = true;
        return;
    }
    if (container == NULL) {
        logs_follow_finish(poller, false);
        return;
    }
    const struct eci_state *now = &container->now;
    if (now->kind == ECI_STATE_RUNNING && poller->started_at_s == 0) {
        poller->started_at_s = now->started_at_s;
    }
    if (now->kind == ECI_STATE_RUNNING && now->started_at_s != poller->started_at_s) {
        logs_follow_finish(poller, true);
    } else if (is_over || now->kind == ECI_STATE_TERMINATED ||
               (now->kind == ECI_STATE_WAITING && container->last.kind == ECI_STATE_TERMINATED)) {
        logs_follow_finish(poller, false);
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

static bool session_waits(const struct logs_session *session, enum source source)
{
    return session->state == LOGS_CHECKED && session->wants_init == (source == SOURCE_GROUPS);
}

static bool poller_waits(const struct logs_poller *poller, enum source source)
{
    return !poller->is_ending && !poller->is_over &&
           poller->wants_init == (source == SOURCE_GROUPS);
}

static void take_group(struct logs *logs, const struct shown *shown, enum source source)
{
    for (handle h = pool_first(&logs->sessions); !handle_is_none(h);
         h = pool_after(&logs->sessions, h)) {
        struct logs_session *session = pool_at(&logs->sessions, h);
        if (session_waits(session, source) && str_eq(shown->id, str_of(session->whose.group))) {
            judge_session(session, find_container(shown, session->whose.container), source);
        }
    }
    for (handle h = pool_first(&logs->pollers); !handle_is_none(h);
         h = pool_after(&logs->pollers, h)) {
        struct logs_poller *poller = pool_at(&logs->pollers, h);
        if (poller_waits(poller, source) && str_eq(shown->id, str_of(poller->whose.group))) {
            judge_poller(poller, shown, find_container(shown, poller->whose.container), source);
        }
    }
}

static void take_reply(struct logs *logs, const struct eci_reply *reply, enum source source)
{
    struct group_read read;
    struct eci_status_row status;
    struct eci_group_row group;
    group_read_init(&read, reply->root, reply->arena);
    size_t mark = arena_mark(reply->arena);
    while (source == SOURCE_STATUS ? group_read_status(&read, &status)
                                   : group_read_group(&read, &group)) {
        const struct shown shown = source == SOURCE_STATUS
                                       ? (struct shown){.id = status.id,
                                                        .status = status.status,
                                                        .containers = status.containers,
                                                        .containers_count = status.containers_count}
                                       : (struct shown){.id = group.id,
                                                        .status = group.status,
                                                        .containers = group.containers,
                                                        .containers_count = group.containers_count,
                                                        .inits = group.init_containers,
                                                        .inits_count = group.init_containers_count};
        take_group(logs, &shown, source);
        arena_rewind(reply->arena, mark);
    }
}

static void on_checked(struct logs *logs, enum err err, const struct eci_reply *reply,
                       enum source source)
{
    logs->is_checking[source] = false;
    if (err == ERR_OK) {
        take_reply(logs, reply, source);
    } else {
        logs->counters.failures++;
    }
    logs_wake_at(logs, logs_now_ms(logs));
}

static void on_status(void *owner, enum err err, const struct eci_reply *reply)
{
    on_checked(owner, err, reply, SOURCE_STATUS);
}

static void on_groups(void *owner, enum err err, const struct eci_reply *reply)
{
    on_checked(owner, err, reply, SOURCE_GROUPS);
}

/* ---- what is due ----------------------------------------------------------------------------- */

/* Adds an id unless it is there already, or there is no room for it. */
static void put_id(struct buf *ids, uint32_t *count, const char *id)
{
    char memory[LOGS_GROUP_BYTES + 4];
    struct buf quoted;
    buf_init(&quoted, memory, sizeof memory);
    buf_put_fmt(&quoted, "\"%s\"", id);
    if (*count < READ_IDS && str_find(buf_str(ids), buf_str(&quoted)) < 0) {
        buf_put_text(ids, (*count)++ == 0 ? "[" : ",");
        buf_put(ids, buf_str(&quoted));
    }
}

/* Whose pod was given another instance, or is gone, has no log any more. */
static bool is_still_there(struct logs *logs, const struct logs_poller *poller)
{
    const struct serve_world *world = logs->world;
    struct serve_pod pod = {0};
    enum err err = world->find_pod(world->owner, str_of(poller->whose.name_space),
                                   str_of(poller->whose.pod), str_of(poller->whose.uid), &pod);
    return err == ERR_OK && str_eq(pod.group_id, str_of(poller->whose.group));
}

/* Ids of all that this source has to tell about. is_pace: the pollers' turn has come. Returns how
 * many. */
static uint32_t gather(struct logs *logs, enum source source, bool is_pace, struct buf *ids)
{
    uint32_t count = 0;
    for (handle h = pool_first(&logs->sessions); !handle_is_none(h);
         h = pool_after(&logs->sessions, h)) {
        const struct logs_session *session = pool_at(&logs->sessions, h);
        if (session_waits(session, source)) {
            put_id(ids, &count, session->whose.group);
        }
    }
    /* More than a call takes: those that were left out come first next time. */
    for (uint32_t i = 0; is_pace && i < logs->pollers.count_max; i++) {
        uint32_t slot = (logs->check_turn + i) % logs->pollers.count_max;
        const handle h = {slot + 1, logs->pollers.generations[slot]};
        struct logs_poller *poller = pool_at(&logs->pollers, h);
        if (poller == NULL || !poller_waits(poller, source)) {
            continue;
        }
        if (!is_still_there(logs, poller)) {
            logs_follow_finish(poller, false);
            continue;
        }
        put_id(ids, &count, poller->whose.group);
        if (count == READ_IDS) {
            logs->check_turn = slot + 1;
            break;
        }
    }
    buf_put_char(ids, ']');
    return count;
}

static void check(struct logs *logs, enum source source)
{
    char memory[READ_IDS * (LOGS_GROUP_BYTES + 4) + 2];
    struct buf ids;
    struct params params;
    struct arena *arena = logs->world->arena;
    msec now_ms = logs_now_ms(logs);
    bool is_pace = now_ms >= logs->check_at_ms[source];
    buf_init(&ids, memory, sizeof memory);
    if (logs->is_checking[source] || gather(logs, source, is_pace, &ids) == 0) {
        return;
    }
    size_t mark = arena_mark(arena);
    enum err err = params_init(&params, arena);
    if (err == ERR_OK) {
        params_add(&params, S("ContainerGroupIds"), buf_str(&ids));
        params_add_i64(&params, S("Limit"), READ_IDS);
        const struct eci_want want = {.action = actions[source],
                                      .params = &params,
                                      .on_done = source == SOURCE_STATUS ? on_status : on_groups,
                                      .owner = logs};
        err = eci_call_start(logs->world->cloud, &want, NULL);
    }
    arena_rewind(arena, mark);
    logs->is_checking[source] = err == ERR_OK;
    logs->check_at_ms[source] = is_pace ? now_ms + LOGS_CHECK_MS : logs->check_at_ms[source];
}

void logs_check_work(struct logs *logs)
{
    check(logs, SOURCE_STATUS);
    check(logs, SOURCE_GROUPS);
    msec soon_ms = logs_now_ms(logs) + LOGS_CHECK_MS / 3;
    bool is_waiting = false;
    for (handle h = pool_first(&logs->sessions); !handle_is_none(h);
         h = pool_after(&logs->sessions, h)) {
        const struct logs_session *session = pool_at(&logs->sessions, h);
        is_waiting = is_waiting || session->state == LOGS_CHECKED;
    }
    if (is_waiting || logs->pollers.count > 0) {
        logs_wake_at(logs, soon_ms);
    }
}
