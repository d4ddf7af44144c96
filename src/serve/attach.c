/* see attach.h */
#include "serve/attach.h"

#include "base/check.h"
#include "os/log.h"
#include "serve/exec.h"
#include "serve/remote.h"

#define NAME_BYTES 256
#define LOST "... some lines were lost\n"

struct attach_session {
    struct remote remote; /* first: remote's exchange state */
    const struct serve_world *world;
    char name_space[NAME_BYTES], pod[NAME_BYTES], uid[NAME_BYTES];
    char group_id[NAME_BYTES], container[NAME_BYTES];
    handle call; /* a reading under way */
    struct loop_timer timer;
    msec poll_ms;
    bool has_read; /* once, so that it is known what is old */
    bool has_last;
    uint64_t last_hash; /* of the last line that was shown, or was there at first */
    struct buf text;    /* of a reading, without stamps: what is still to be shown */
    char text_memory[ATTACH_TEXT_BYTES];
};

/* The pool of the process. */
static struct {
    struct attach_config config;
    struct pool sessions;
} port;

uint32_t attach_open(void)
{
    return port.sessions.count;
}

static void poll(struct attach_session *session);

static void on_due(struct loop_timer *timer)
{
    poll(timer->owner);
}

void attach_init(struct region *region, const struct attach_config *config)
{
    port.config = *config;
    pool_init(&port.sessions, region, "attach sessions", ATTACH_SESSIONS,
              sizeof(struct attach_session));
}

/* ---- to the client --------------------------------------------------------------------------- */

static void poll_later(struct attach_session *session)
{
    struct loop *loop = port.config.loop;
    loop_timer_set(loop, &session->timer, loop->now_ms + session->poll_ms);
}

/* Shows what there is room for; the next reading comes when all was shown. */
static void show(struct attach_session *session)
{
    while (session->text.bytes > 0) {
        str piece = str_sub(buf_str(&session->text), 0, remote_room(&session->remote));
        if (piece.bytes == 0) {
            return; /* on_room comes */
        }
        remote_put(&session->remote, CHANNEL_STDOUT, piece);
        buf_drop(&session->text, piece.bytes);
    }
    if (handle_is_none(session->call) && !session->remote.is_finishing) {
        poll_later(session);
    }
}

static void finish(struct attach_session *session, bool is_success, str message)
{
    const struct remote_status status = {.is_success = is_success, .message = message};
    loop_timer_clear(port.config.loop, &session->timer);
    remote_finish(&session->remote, &status);
}

/* ---- from the cloud -------------------------------------------------------------------------- */

static bool cut_line(str *rest, str *line)
{
    ptrdiff_t end = str_find_char(*rest, '\n');
    if (end < 0) {
        return false; /* a line that is still being written */
    }
    *line = str_sub(*rest, 0, (size_t)end);
    *rest = str_sub(*rest, (size_t)end + 1, SIZE_MAX);
    return true;
}

/* Keeps what follows the last known line; remembers the new last one. */
static void take_reading(struct attach_session *session, str content)
{
    str rest = content;
    str news = session->has_last ? STR_NONE : content;
    str line;
    bool is_found = !session->has_last;
    uint64_t last = session->last_hash;
    bool has_lines = false;
    while (cut_line(&rest, &line)) {
        last = str_hash(line);
        has_lines = true;
        if (session->has_last && last == session->last_hash) {
            is_found = true;
            news = rest;
        }
    }
    bool was_first = !session->has_read;
    session->has_read = true;
    if (has_lines) {
        session->has_last = true;
        session->last_hash = last;
    }
    if (was_first || !has_lines) {
        return; /* what was written before is not attach's to show */
    }
    if (!is_found) {
        buf_put(&session->text, S(LOST));
        news = content;
    }
    while (cut_line(&news, &line)) {
        ptrdiff_t blank = str_find_char(line, ' ');
        buf_put(&session->text, str_sub(line, (size_t)(blank + 1), SIZE_MAX));
        buf_put(&session->text, S("\n"));
    }
}

static bool has_ended(struct attach_session *session)
{
    struct serve_pod pod;
    enum err err = session->world->find_pod(session->world->owner, str_of(session->name_space),
                                            str_of(session->pod), str_of(session->uid), &pod);
    return err != ERR_OK || pod.has_ended || !str_eq(pod.group_id, str_of(session->group_id));
}

static void on_read(void *owner, enum err err, const struct eci_reply *reply)
{
    struct attach_session *session = owner;
    bool is_over = has_ended(session);
    session->call = HANDLE_NONE;
    if (err == ERR_OK) {
        take_reading(session, json_text(json_get_nocase(reply->root, "Content"), reply->arena));
    } else if (err_fate(err) == FATE_NEVER && !is_over) {
        finish(session, false, reply->why);
        return;
    } /* any other trouble passes */
    bool has_news = session->text.bytes > 0;
    msec slower_ms = session->poll_ms * 3 / 2;
    msec slowest_ms = port.config.poll_ms * ATTACH_SLOWER;
    slower_ms = slower_ms < slowest_ms ? slower_ms : slowest_ms;
    session->poll_ms = has_news ? port.config.poll_ms : slower_ms;
    show(session);
    if (is_over && session->text.bytes == 0) {
        finish(session, true, STR_NONE);
    }
}

static void poll(struct attach_session *session)
{
    struct arena *arena = session->world->arena;
    struct params params;
    size_t mark = arena_mark(arena);
    enum err err = params_init(&params, arena);
    if (err == ERR_OK) {
        params_add(&params, S("ContainerGroupId"), str_of(session->group_id));
        params_add(&params, S("ContainerName"), str_of(session->container));
        params_add_i64(&params, S("Tail"), ATTACH_LINES);
        params_add_i64(&params, S("LimitBytes"), ATTACH_TEXT_BYTES - (int64_t)sizeof LOST);
        params_add_bool(&params, S("Timestamps"), true);
        const struct eci_want want = {
            .action = ECI_DESCRIBE_LOG, .params = &params, .on_done = on_read, .owner = session};
        err = eci_call_start(port.config.cloud, &want, &session->call);
    }
    arena_rewind(arena, mark);
    if (err != ERR_OK) {
        session->call = HANDLE_NONE;
        poll_later(session); /* no room for a call now */
    }
}

/* ---- the client's side ----------------------------------------------------------------------- */

static void on_open(struct remote *remote)
{
    poll(remote->owner);
}

static size_t stdin_room(struct remote *remote)
{
    (void)remote;
    return SIZE_MAX; /* never wanted */
}

static void on_stdin(struct remote *remote, str data)
{
    (void)remote;
    (void)data;
}

static void on_stdin_end(struct remote *remote)
{
    (void)remote;
}

static void on_resize(struct remote *remote, uint32_t width, uint32_t height)
{
    (void)remote; /* whatever it is, the container does not see it */
    (void)width;
    (void)height;
}

static void on_room(struct remote *remote)
{
    struct attach_session *session = remote->owner;
    if (session->text.bytes > 0) {
        show(session);
    }
}

static void on_gone(struct remote *remote)
{
    struct attach_session *session = remote->owner;
    eci_call_cancel(port.config.cloud, session->call);
    loop_timer_clear(port.config.loop, &session->timer);
    pool_give(&port.sessions, pool_handle_of(&port.sessions, session));
}

static const struct remote_handlers handlers = {.on_open = on_open,
                                                .stdin_room = stdin_room,
                                                .on_stdin = on_stdin,
                                                .on_stdin_end = on_stdin_end,
                                                .on_resize = on_resize,
                                                .on_room = on_room,
                                                .on_gone = on_gone};

static bool prepare(struct attach_session *session, const struct serve_world *world,
                    const struct serve_target *target, const struct serve_pod *pod)
{
    session->world = world;
    session->call = HANDLE_NONE;
    session->poll_ms = port.config.poll_ms;
    buf_init(&session->text, session->text_memory, sizeof session->text_memory);
    loop_timer_init(&session->timer, on_due, session);
    return str_copy(session->name_space, NAME_BYTES, target->name_space) &&
           str_copy(session->pod, NAME_BYTES, target->pod) &&
           str_copy(session->uid, NAME_BYTES, pod->uid) &&
           str_copy(session->group_id, NAME_BYTES, pod->group_id) &&
           str_copy(session->container, NAME_BYTES, target->container);
}

void attach_serve(struct serve *serve, struct http_exchange *exchange,
                  const struct serve_target *target)
{
    struct serve_pod pod;
    struct remote_wants wants;
    handle h;
    if (!exec_find_instance(serve, exchange, target, &pod) ||
        !remote_read_wants(exchange, &wants)) {
        return;
    }
    if (wants.has_stdin) {
        serve_refuse(exchange, 400, NULL,
                     "attach: ECI gives no way to the input of a running container; use exec, or "
                     "attach without -i to see its output");
        return;
    }
    if (pool_take(&port.sessions, &h) != ERR_OK) {
        serve_refuse(exchange, 429, NULL, "all %u attach sessions of this node are in use",
                     port.sessions.count_max);
        return;
    }
    struct attach_session *session = pool_at(&port.sessions, h);
    if (!prepare(session, serve_world(serve), target, &pod)) {
        serve_refuse(exchange, 400, NULL, "a name is too long");
        pool_give(&port.sessions, h);
    } else if (!remote_accept(&session->remote, exchange, port.config.loop, &wants, &handlers,
                              session)) {
        pool_give(&port.sessions, h);
    } else {
        log_line(LOG_INFO, "attach", "%.*s to %.*s/%.*s/%.*s", STR_ARG(target->user),
                 STR_ARG(target->name_space), STR_ARG(target->pod), STR_ARG(target->container));
    }
}
