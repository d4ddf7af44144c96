/* see logs.h, and logs_parts.h for the other files */
#include "serve/logs_parts.h"

#include <stdarg.h>

#include "base/check.h"
#include "base/codec.h"
#include "base/region.h"
#include "os/os.h"

#define RETRY_MS 100        /* something of ours is in use */
#define RETRY_CLOUD_MS 1000 /* the cloud did not answer */
#define NS_PER_S 1000000000
#define TEXT_PLAIN "text/plain; charset=utf-8"

static const struct http_server_handlers handlers;
static void work(struct loop_timer *timer);

void logs_init(struct logs *logs, const struct serve_world *world, struct region *region,
               msec now_ms)
{
    *logs = (struct logs){.world = world, .wake_ms = INT64_MAX};
    pool_init(&logs->sessions, region, "log answers", LOGS_SESSIONS_MAX,
              sizeof(struct logs_session));
    pool_init(&logs->pollers, region, "followed logs", LOGS_POLLERS_MAX,
              sizeof(struct logs_poller));
    pool_init(&logs->texts, region, "log readings", LOGS_TEXTS_MAX, sizeof(struct logs_text));
    logs->texts_memory = region_carve(region, "log texts", LOGS_TEXTS_MAX, LOGS_TEXT_BYTES);
    bucket_init(&logs->bucket, LOGS_PER_MINUTE, LOGS_BURST, now_ms);
    loop_timer_init(&logs->timer, work, logs);
}

msec logs_now_ms(const struct logs *logs)
{
    return logs->world->loop->now_ms;
}

void logs_wake_at(struct logs *logs, msec at_ms)
{
    if (at_ms < logs->wake_ms) {
        logs->wake_ms = at_ms;
        loop_timer_set(logs->world->loop, &logs->timer, at_ms);
    }
}

/* ---- the request ----------------------------------------------------------------------------- */

static void refuse(struct http_exchange *exchange, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void refuse_args(struct http_exchange *exchange, int status, const char *format,
                        va_list args) __attribute__((format(printf, 3, 0)));

static void refuse_args(struct http_exchange *exchange, int status, const char *format,
                        va_list args)
{
    char memory[1024];
    struct buf text;
    buf_init(&text, memory, sizeof memory);
    buf_put_vfmt(&text, format, args);
    http_reply(exchange, status, S(TEXT_PLAIN), buf_str(&text));
}

static void refuse(struct http_exchange *exchange, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    refuse_args(exchange, status, format, args);
    va_end(args);
}

void logs_refuse(struct logs_session *session, int status, const char *format, ...)
{
    va_list args;
    session->state = LOGS_ENDED;
    va_start(args, format);
    refuse_args(session->exchange, status, format, args);
    va_end(args);
}

/* A number of at least `least`; false (and refused) when it is none. Absent: *out stays. */
static bool read_number(struct http_exchange *exchange, const char *name, int64_t least,
                        int64_t *out)
{
    str text;
    int64_t number;
    if (!serve_query_get(exchange, name, &text)) {
        return true;
    }
    if (!str_to_i64(text, &number)) {
        refuse(exchange, 400, "%s is not a number", name);
        return false;
    }
    if (number < least) {
        refuse(exchange, 422, "%s must be greater than or equal to %lld", name, (long long)least);
        return false;
    }
    *out = number;
    return true;
}

static bool read_since(struct http_exchange *exchange, struct logs_want *want, int64_t cloud_ms)
{
    str text;
    int64_t unix_s;
    bool has_time = serve_query_get(exchange, "sinceTime", &text);
    if (!read_number(exchange, "sinceSeconds", 1, &want->since_seconds)) {
        return false;
    }
    if (has_time && want->since_seconds > 0) {
        refuse(exchange, 422, "at most one of sinceTime or sinceSeconds may be specified");
        return false;
    }
    if (has_time) {
        if (!codec_get_time(text, &unix_s) || unix_s < 0 || unix_s > INT64_MAX / NS_PER_S) {
            refuse(exchange, 400, "sinceTime is not a time as in RFC 3339");
            return false;
        }
        want->since_ns = unix_s * NS_PER_S;
    } else if (want->since_seconds > 0) {
        /* Older than 2^31 seconds is the same as everything. */
        int64_t limit_s = cloud_ms / 1000;
        want->since_seconds = want->since_seconds < limit_s ? want->since_seconds : limit_s;
        want->since_ns = (cloud_ms - want->since_seconds * 1000) * (NS_PER_S / 1000);
    }
    return true;
}

static bool read_want(struct http_exchange *exchange, struct logs_want *want, int64_t cloud_ms)
{
    *want = (struct logs_want){
        .tail = -1,
        .bytes_left = INT64_MAX,
        .is_following = serve_query_is_true(exchange, "follow"),
        .is_previous = serve_query_is_true(exchange, "previous"),
        .with_stamps = serve_query_is_true(exchange, "timestamps"),
    };
    /* A run that is over has nothing to be followed. */
    want->is_following = want->is_following && !want->is_previous;
    return read_number(exchange, "tailLines", 0, &want->tail) &&
           read_number(exchange, "limitBytes", 1, &want->bytes_left) &&
           read_since(exchange, want, cloud_ms);
}

static bool read_whose(const struct serve_target *target, const struct serve_pod *pod,
                       struct logs_whose *whose)
{
    return str_copy(whose->name_space, sizeof whose->name_space, target->name_space) &&
           str_copy(whose->pod, sizeof whose->pod, target->pod) &&
           str_copy(whose->uid, sizeof whose->uid, pod->uid) &&
           str_copy(whose->container, sizeof whose->container, target->container) &&
           str_copy(whose->group, sizeof whose->group, pod->group_id);
}

/* Whose log, if it can have one yet. */
static bool find_whose(const struct serve_world *world, struct http_exchange *exchange,
                       const struct serve_target *target, struct logs_whose *whose)
{
    struct serve_pod pod = {0};
    enum err err =
        world->find_pod(world->owner, target->name_space, target->pod, target->uid, &pod);
    if (err != ERR_OK || !read_whose(target, &pod, whose)) {
        refuse(exchange, 404, "pod \"%.*s\" is not on this node", STR_ARG(target->pod));
    } else if (str_is_empty(pod.group_id) && !pod.has_ended) {
        refuse(exchange, 400,
               "container \"%s\" in pod \"%s\" is waiting to start: "
               "ContainerCreating",
               whose->container, whose->pod);
    } else if (str_is_empty(pod.group_id)) {
        refuse(exchange, 404, "the instance of pod \"%s\" is gone, and its logs with it",
               whose->pod);
    } else {
        return true;
    }
    return false;
}

void logs_container(struct serve *serve, struct http_exchange *exchange,
                    const struct serve_target *target)
{
    const struct serve_world *world = serve_world(serve);
    struct logs *logs = world->logs;
    struct logs_whose whose;
    struct logs_want want;
    handle h;
    if (!read_want(exchange, &want, eci_client_unix_ms(world->cloud)) ||
        !find_whose(world, exchange, target, &whose)) {
        return;
    }
    if (pool_take(&logs->sessions, &h) != ERR_OK) {
        logs->counters.refused_full++;
        refuse(exchange, 503, "%d logs are being read; try again", LOGS_SESSIONS_MAX);
        return;
    }
    struct logs_session *session = pool_at(&logs->sessions, h);
    session->base.handlers = &handlers;
    session->logs = logs;
    session->exchange = exchange;
    session->whose = whose;
    session->want = want;
    session->give_up_ms = logs_now_ms(logs) + LOGS_PATIENCE_MS;
    session->limit_bytes = LOG_BYTES_MAX;
    if (want.is_following && logs_follow_join(session) != ERR_OK) {
        pool_give(&logs->sessions, h);
        logs->counters.refused_full++;
        refuse(exchange, 503, "%d logs are being followed; try again", LOGS_POLLERS_MAX);
        return;
    }
    exchange->state = session;
    logs->counters.sessions++;
    logs->counters.follows += want.is_following;
    logs_wake_at(logs, logs_now_ms(logs));
}

/* ---- the first reading ----------------------------------------------------------------------- */

handle logs_text_take(struct logs *logs)
{
    handle h;
    return pool_take(&logs->texts, &h) == ERR_OK ? h : HANDLE_NONE;
}

char *logs_text_memory(const struct logs *logs, handle text)
{
    CHECK(!handle_is_none(text));
    return logs->texts_memory + (size_t)(text.slot - 1) * LOGS_TEXT_BYTES;
}

/* The pages of a large reading go back to the kernel. */
void logs_text_give(struct logs *logs, handle text)
{
    const struct logs_text *it = pool_at(&logs->texts, text);
    if (it == NULL) {
        return;
    }
    if (it->bytes > 4096) {
        char *memory = logs_text_memory(logs, text);
        size_t skip = 4096 - ((uintptr_t)memory & 4095);
        os_map_release_pages(memory + skip, LOGS_TEXT_BYTES - 8192);
    }
    pool_give(&logs->texts, text);
}

bool logs_may_call(struct logs *logs, uint32_t reserve)
{
    return logs->calls < LOGS_CALLS_MAX && logs->texts.count < logs->texts.count_max &&
           eci_client_has_room(logs->world->cloud, ECI_DESCRIBE_LOG) &&
           bucket_take(&logs->bucket, logs_now_ms(logs), reserve);
}

enum err logs_ask(struct logs *logs, const struct logs_whose *whose, int64_t tail,
                  uint32_t limit_bytes, int64_t since_seconds, int64_t since_unix_s,
                  bool with_stamps, bool is_previous, eci_call_done *on_done, handle subject,
                  handle *call)
{
    struct arena *arena = logs->world->arena;
    size_t mark = arena_mark(arena);
    struct params params;
    char time_memory[32];
    struct buf time;
    enum err err = params_init(&params, arena);
    if (err == ERR_OK) {
        buf_init(&time, time_memory, sizeof time_memory);
        params_add(&params, S("ContainerGroupId"), str_of(whose->group));
        params_add(&params, S("ContainerName"), str_of(whose->container));
        params_add_i64(&params, S("Tail"), tail);
        params_add_i64(&params, S("LimitBytes"), limit_bytes);
        if (since_seconds > 0) {
            params_add_i64(&params, S("SinceSeconds"), since_seconds);
        } else if (since_unix_s > 0) {
            codec_put_time(&time, since_unix_s);
            params_add(&params, S("StartTime"), buf_str(&time));
        }
        params_add_bool(&params, S("Timestamps"), with_stamps);
        params_add_bool(&params, S("LastTime"), is_previous);
        const struct eci_want want = {.action = ECI_DESCRIBE_LOG,
                                      .params = &params,
                                      .on_done = on_done,
                                      .owner = logs,
                                      .subject = subject};
        err = eci_call_start(logs->world->cloud, &want, call);
    }
    arena_rewind(arena, mark);
    logs->calls += err == ERR_OK;
    return err;
}

enum err logs_content(const struct eci_reply *reply, str *content)
{
    json value = json_get_nocase(reply->root, "Content");
    *content = json_text(value, reply->arena);
    if (reply->arena->has_failed) {
        return ERR_FULL;
    }
    bool is_text = json_type(value) == JSON_TYPE_STRING || json_is_null(value);
    return !is_text ? ERR_BAD_REPLY : content->bytes > LOG_BYTES_MAX ? ERR_TOO_BIG : ERR_OK;
}

static void on_first(void *owner, enum err err, const struct eci_reply *reply);

static void ask_first(struct logs_session *session)
{
    struct logs *logs = session->logs;
    const struct logs_want *want = &session->want;
    int64_t tail = want->tail < 0 || want->tail > LOG_LINES_MAX ? LOG_LINES_MAX
                   : want->tail == 0                            ? 1
                                                                : want->tail;
    bool with_stamps = want->with_stamps || want->is_following || want->since_ns > 0;
    session->retry_ms = logs_now_ms(logs) + RETRY_MS;
    if (!logs_may_call(logs, 0)) {
        return;
    }
    session->text = logs_text_take(logs);
    if (handle_is_none(session->text)) {
        return;
    }
    enum err err = logs_ask(logs, &session->whose, tail, session->limit_bytes, want->since_seconds,
                            want->since_ns / NS_PER_S, with_stamps, want->is_previous, on_first,
                            pool_handle_of(&logs->sessions, session), &session->call);
    if (err != ERR_OK) {
        logs_text_give(logs, session->text);
        session->text = HANDLE_NONE;
        return;
    }
    struct logs_text *text = pool_at(&logs->texts, session->text);
    text->has_stamps = with_stamps;
    session->state = LOGS_ASKED;
}

/* What the reading gave becomes the text that is written. */
static void take_first(struct logs_session *session, str content)
{
    struct logs *logs = session->logs;
    struct logs_text *text = pool_at(&logs->texts, session->text);
    struct buf out;
    buf_init(&out, logs_text_memory(logs, session->text), LOGS_TEXT_BYTES);
    content = log_whole_lines(content, session->limit_bytes);
    if (session->want.is_following) {
        logs_follow_first(session, content, &out);
    } else if (session->want.tail != 0) {
        buf_put(&out, content);
    }
    text->bytes = out.bytes;
}

/* The cloud's answer is no log. Some of them mean that the container has not begun. */
static void first_failed(struct logs_session *session, enum err err, const struct eci_reply *reply)
{
    struct logs *logs = session->logs;
    msec now_ms = logs_now_ms(logs);
    logs->counters.failures++;
    session->retry_ms = now_ms + RETRY_CLOUD_MS;
    (void)str_copy(session->why, sizeof session->why,
                   str_is_empty(reply->why) ? str_of(err_text(err)) : reply->why);
    session->state = LOGS_WANTED;
    session->refusal = 500;
    if ((err == ERR_TOO_BIG || err == ERR_FULL) && session->limit_bytes > LOGS_LIMIT_MIN) {
        session->limit_bytes /= 2; /* escapes made the reply larger than its buffer */
        session->retry_ms = now_ms;
    } else if (err == ERR_THROTTLED) {
        bucket_slow(&logs->bucket, now_ms);
    } else if (err_fate(err) == FATE_NEVER || err == ERR_BUSY || err == ERR_CONFLICT) {
        session->state = LOGS_CHECKED;
        session->refusal = err == ERR_NOT_FOUND ? 404 : 400;
    }
}

/* The answer begins, with what was read (may be nothing). */
static void begin(struct logs_session *session)
{
    session->state = LOGS_WRITING;
    session->is_last = session->is_last || !session->want.is_following;
    http_reply_begin(session->exchange, 200, S(TEXT_PLAIN));
    logs_wake_at(session->logs, logs_now_ms(session->logs));
}

void logs_checked(struct logs_session *session)
{
    if (session->refusal == 0) {
        begin(session);
        logs_write(session);
    } else {
        logs_refuse(session, session->refusal, "%s", session->why);
    }
}

static void on_first(void *owner, enum err err, const struct eci_reply *reply)
{
    struct logs *logs = owner;
    struct logs_session *session = pool_at(&logs->sessions, reply->subject);
    str content = STR_NONE;
    logs->calls--;
    logs_wake_at(logs, logs_now_ms(logs));
    if (session == NULL) {
        return;
    }
    session->call = HANDLE_NONE;
    if (err == ERR_OK) {
        err = logs_content(reply, &content);
    }
    if (err != ERR_OK) {
        logs_text_give(logs, session->text);
        session->text = HANDLE_NONE;
        first_failed(session, err, reply);
        return;
    }
    take_first(session, content);
    if (str_is_empty(content)) {
        session->state = LOGS_CHECKED; /* nothing written yet, or nothing running yet? */
        session->refusal = 0;
    } else {
        begin(session);
    }
}

/* ---- writing to the peer --------------------------------------------------------------------- */

/* Puts a piece, at most what limitBytes leaves. Returns how much of it is done with. */
static size_t put(struct logs_session *session, str piece)
{
    struct logs_want *want = &session->want;
    bool is_cut = (uint64_t)want->bytes_left < piece.bytes;
    size_t done = http_reply_put(session->exchange,
                                 is_cut ? str_sub(piece, 0, (size_t)want->bytes_left) : piece);
    if (want->bytes_left != INT64_MAX) {
        want->bytes_left -= (int64_t)done;
    }
    return done;
}

/* At the front of a line: leaves out what was not asked for. False: the whole line is. */
static bool enter_line(struct logs_session *session, str rest, bool has_stamps, size_t *at)
{
    ptrdiff_t end = str_find_char(rest, '\n');
    size_t bytes = end >= 0 ? (size_t)end + 1 : rest.bytes;
    int64_t at_ns;
    if (!has_stamps) {
        session->line_end = *at + rest.bytes; /* no need to look at lines */
        return true;
    }
    size_t stamp_bytes = log_stamp_read(str_sub(rest, 0, end >= 0 ? (size_t)end : bytes), &at_ns);
    session->line_end = *at + bytes;
    if (at_ns != 0 && at_ns < session->want.since_ns) {
        *at += bytes;
        return false;
    }
    *at += session->want.with_stamps ? 0 : stamp_bytes;
    return true;
}

/* Writes text from *at on. True when all of it is written. */
static bool write_text(struct logs_session *session, str text, bool has_stamps, size_t *at)
{
    while (*at < text.bytes && session->want.bytes_left > 0) {
        str rest = str_sub(text, *at, SIZE_MAX);
        if (!session->is_in_line && !enter_line(session, rest, has_stamps, at)) {
            continue;
        }
        session->is_in_line = true;
        str piece = str_sub(text, *at, session->line_end - *at);
        size_t done = put(session, piece);
        *at += done;
        if (done < piece.bytes && session->want.bytes_left > 0) {
            return false;
        }
        session->is_in_line = false;
    }
    return true;
}

static bool write_all(struct logs_session *session)
{
    struct logs *logs = session->logs;
    const struct logs_text *text = pool_at(&logs->texts, session->text);
    if (text != NULL) {
        str all = str_make(logs_text_memory(logs, session->text), text->bytes);
        if (!write_text(session, all, text->has_stamps, &session->at)) {
            return false;
        }
        logs_text_give(logs, session->text);
        session->text = HANDLE_NONE;
    }
    while (!str_is_empty(session->pending) && session->want.bytes_left > 0) {
        size_t done = put(session, session->pending);
        if (done == 0) {
            return false;
        }
        session->pending = str_sub(session->pending, done, SIZE_MAX);
    }
    return !session->want.is_following ||
           write_text(session, logs_follow_rest(session), true, &session->poll_at);
}

void logs_write(struct logs_session *session)
{
    if (session->state != LOGS_WRITING || !write_all(session)) {
        return;
    }
    if (session->is_last || session->want.bytes_left <= 0) {
        session->state = LOGS_ENDED;
        http_reply_end(session->exchange);
    }
}

static void on_room(struct http_exchange *exchange)
{
    struct logs_session *session = exchange->state;
    logs_wake_at(session->logs, logs_now_ms(session->logs)); /* a poller may wait for this */
    logs_write(session);
}

static void on_gone(struct http_exchange *exchange)
{
    struct logs_session *session = exchange->state;
    struct logs *logs = session->logs;
    exchange->state = NULL;
    if (session->state == LOGS_ASKED) {
        eci_call_cancel(logs->world->cloud, session->call);
        logs->calls--;
    }
    logs_text_give(logs, session->text);
    if (session->want.is_following) {
        logs_follow_leave(session);
    }
    pool_give(&logs->sessions, pool_handle_of(&logs->sessions, session));
    logs_wake_at(logs, logs_now_ms(logs));
}

static const struct http_server_handlers handlers = {.on_room = on_room, .on_gone = on_gone};

/* ---- what is due ----------------------------------------------------------------------------- */

static void step(struct logs_session *session, msec now_ms)
{
    struct logs *logs = session->logs;
    if (session->state == LOGS_WRITING) {
        logs_write(session);
        return;
    }
    if (session->state == LOGS_ASKED || session->state == LOGS_ENDED) {
        return; /* its call has a deadline of its own */
    }
    if (session->state == LOGS_CHECKED && now_ms >= session->give_up_ms) {
        logs_checked(session);
        return;
    }
    if (now_ms >= session->give_up_ms) {
        logs->counters.refused_full += session->why[0] == '\0';
        logs_refuse(session, session->why[0] == '\0' ? 503 : 500, "%s",
                    session->why[0] == '\0' ? "too many logs are being read; try again"
                                            : session->why);
        return;
    }
    if (session->state == LOGS_WANTED && now_ms >= session->retry_ms &&
        (!session->want.is_following || logs_follow_is_free(session))) {
        ask_first(session);
    }
    if (session->state == LOGS_WANTED) {
        logs_wake_at(logs, session->retry_ms > now_ms ? session->retry_ms : now_ms + RETRY_MS);
    }
}

static void work(struct loop_timer *timer)
{
    struct logs *logs = timer->owner;
    msec now_ms = logs_now_ms(logs);
    logs->wake_ms = INT64_MAX;
    for (handle h = pool_first(&logs->sessions); !handle_is_none(h);
         h = pool_after(&logs->sessions, h)) {
        step(pool_at(&logs->sessions, h), now_ms);
    }
    logs_follow_work(logs);
    logs_check_work(logs);
}
