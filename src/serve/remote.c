/*
 * see remote.h
 *
 * remote.c is the session: what a stream's bytes mean, and its end. What travels how is in
 * remote_wire.c.
 */
#include "serve/remote.h"

#include "base/check.h"
#include "data/json_write.h"
#include "serve/remote_wire.h"

/* ---- the beginning --------------------------------------------------------------------------- */

bool remote_read_wants(struct http_exchange *exchange, struct remote_wants *wants)
{
    *wants = (struct remote_wants){
        .has_stdin = serve_query_is_true(exchange, "input"),
        .has_stdout = serve_query_is_true(exchange, "output"),
        .has_stderr = serve_query_is_true(exchange, "error"),
        .has_tty = serve_query_is_true(exchange, "tty"),
    };
    if (!wants->has_stdin && !wants->has_stdout && !wants->has_stderr) {
        serve_refuse(exchange, 400, NULL, "you must specify at least 1 of stdin, stdout, stderr");
        return false;
    }
    wants->has_stderr = wants->has_stderr && !wants->has_tty;
    return true;
}

static void on_due(struct loop_timer *timer)
{
    struct remote *remote = timer->owner;
    if (!remote->is_spdy && !remote->is_open) {
        wire_pump(remote); /* channels need not be opened: it begins at once */
    } else if (remote->is_lingering) {
        http_stream_close(remote->exchange);
    } else {
        wire_cut(remote); /* the client did not open its streams */
    }
}

/* Also what the client says can make room: its window updates. */
static void on_exchange_moved(struct http_exchange *exchange)
{
    struct remote *remote = exchange->state;
    wire_pump(remote);
    if (remote_room(remote) > 0) {
        remote->handlers->on_room(remote);
    }
}

static void on_exchange_gone(struct http_exchange *exchange)
{
    struct remote *remote = exchange->state;
    loop_timer_clear(remote->loop, &remote->timer);
    remote->handlers->on_gone(remote);
}

static const struct http_server_handlers exchange_handlers = {
    .on_room = on_exchange_moved, .on_data = on_exchange_moved, .on_gone = on_exchange_gone};

bool remote_accept(struct remote *remote, struct http_exchange *exchange, struct loop *loop,
                   const struct remote_wants *wants, const struct remote_handlers *handlers,
                   void *owner)
{
    *remote = (struct remote){.session = {.handlers = &exchange_handlers},
                              .exchange = exchange,
                              .loop = loop,
                              .handlers = handlers,
                              .owner = owner,
                              .wants = *wants};
    buf_init(&remote->out, remote->out_memory, sizeof remote->out_memory);
    buf_init(&remote->status, remote->status_memory, sizeof remote->status_memory);
    loop_timer_init(&remote->timer, on_due, remote);
    if (!wire_accept(remote)) {
        return false;
    }
    exchange->state = remote;
    http_stream_idle_ms(exchange, REMOTE_IDLE_MS);
    loop_timer_set(loop, &remote->timer, loop->now_ms + (remote->is_spdy ? REMOTE_CREATE_MS : 0));
    return true;
}

void remote_opened(struct remote *remote)
{
    loop_timer_clear(remote->loop, &remote->timer);
    remote->is_open = true;
    remote->handlers->on_open(remote);
    if (remote->is_stdin_over && !remote->is_finishing) {
        remote->handlers->on_stdin_end(remote); /* it was, before there was anybody to tell */
    }
}

/* ---- what comes from the client -------------------------------------------------------------- */

/* The number behind a name in {"Width":80,"Height":24}; 0 when there is none. */
static uint32_t number_of(str text, str name)
{
    uint64_t value = 0;
    ptrdiff_t at = str_find(text, name);
    if (at < 0) {
        return 0;
    }
    str rest = str_sub(text, (size_t)at + name.bytes, SIZE_MAX);
    ptrdiff_t colon = str_find_char(rest, ':');
    rest = str_trim(str_sub(rest, (size_t)(colon + 1), SIZE_MAX));
    size_t digits = 0;
    while (digits < rest.bytes && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9') {
        digits++;
    }
    bool is_number = str_to_u64(str_sub(rest, 0, digits), &value) && value <= UINT16_MAX;
    return is_number ? (uint32_t)value : 0;
}

/* One object after the other, in pieces; an endless one is forgotten. */
static void take_resize(struct remote *remote, str data)
{
    for (size_t i = 0; i < data.bytes; i++) {
        if (remote->resize_bytes == sizeof remote->resize) {
            remote->resize_bytes = 0;
        }
        remote->resize[remote->resize_bytes++] = data.ptr[i];
        if (data.ptr[i] == '}') {
            str text = str_make(remote->resize, remote->resize_bytes);
            uint32_t width = number_of(text, S("\"Width\""));
            uint32_t height = number_of(text, S("\"Height\""));
            remote->resize_bytes = 0;
            if (width > 0 && height > 0) {
                remote->handlers->on_resize(remote, width, height);
            }
        }
    }
}

void remote_took(struct remote *remote, uint8_t channel, str data)
{
    if (remote->is_finishing || !remote->is_open) {
        return;
    }
    if (channel == CHANNEL_STDIN && remote->wants.has_stdin && !remote->is_stdin_over) {
        remote->handlers->on_stdin(remote, data);
    } else if (channel == CHANNEL_RESIZE && remote->wants.has_tty) {
        take_resize(remote, data);
    }
}

void remote_took_end(struct remote *remote, uint8_t channel)
{
    if (channel == CHANNEL_STDIN && !remote->is_stdin_over && remote->wants.has_stdin) {
        remote->is_stdin_over = true;
        if (!remote->is_finishing && remote->is_open) {
            remote->handlers->on_stdin_end(remote);
        }
    }
}

size_t remote_in_room(struct remote *remote)
{
    bool is_heard = remote->wants.has_stdin && !remote->is_stdin_over && !remote->is_finishing;
    if (!is_heard) {
        return SIZE_MAX; /* what still comes is dropped */
    }
    /* Before all streams are open nothing may be lost: the client waits. */
    return remote->is_open ? remote->handlers->stdin_room(remote) : 0;
}

void remote_resume(struct remote *remote)
{
    wire_pump(remote);
}

/* ---- what goes to the client ----------------------------------------------------------------- */

static bool is_wanted(const struct remote *remote, uint8_t channel)
{
    return channel == CHANNEL_STDOUT ? remote->wants.has_stdout
                                     : channel == CHANNEL_STDERR && (remote->wants.has_stderr);
}

size_t remote_room(const struct remote *remote)
{
    if (remote->is_finishing || remote->is_cut || !remote->is_open) {
        return 0;
    }
    size_t room = SIZE_MAX;
    for (uint8_t channel = CHANNEL_STDOUT; channel <= CHANNEL_STDERR; channel++) {
        if (is_wanted(remote, channel)) {
            size_t here = wire_room(remote, channel);
            room = here < room ? here : room;
        }
    }
    return room;
}

void remote_put(struct remote *remote, uint8_t channel, str data)
{
    if (is_wanted(remote, channel) && data.bytes > 0 && !remote->is_cut) {
        wire_put(remote, channel, data);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static void put_code(struct json_write *w, int64_t code)
{
    char memory[80];
    struct buf text;
    buf_init(&text, memory, sizeof memory);
    buf_put_fmt(&text, "command terminated with non-zero exit code: exit status %lld",
                (long long)code);
    json_member_text(w, "message", buf_str(&text));
    json_member_text(w, "reason", S("NonZeroExitCode"));
    buf_clear(&text);
    buf_put_i64(&text, code);
    json_member_object(w, "details");
    json_member_array(w, "causes");
    json_object(w);
    json_member_text(w, "reason", S("ExitCode"));
    json_member_text(w, "message", buf_str(&text));
    json_end(w);
    json_end(w);
    json_end(w);
}

/* metav1.Status, as the kubelet writes it on the error stream from v4 on. */
static void write_status(struct buf *out, const struct remote_status *status)
{
    struct json_write w;
    json_write_init(&w, out);
    json_object(&w);
    json_member_object(&w, "metadata");
    json_end(&w);
    json_member_text(&w, "status", status->is_success ? S("Success") : S("Failure"));
    if (!status->is_success && status->has_code) {
        put_code(&w, status->code);
    } else if (!status->is_success) {
        json_member_text(&w, "message", status->message);
        json_member_text(&w, "reason", S("InternalError"));
        json_member_i64(&w, "code", 500);
    }
    json_end(&w);
}

/* Before v4: a sentence, and nothing when all went well. */
static void write_sentence(struct buf *out, const struct remote_status *status)
{
    if (status->is_success) {
        return;
    }
    if (status->has_code) {
        buf_put_fmt(out, "command terminated with non-zero exit code: exit status %lld",
                    (long long)status->code);
    } else {
        buf_put(out, status->message);
    }
}

void remote_finish(struct remote *remote, const struct remote_status *status)
{
    if (remote->is_finishing || remote->is_cut) {
        return;
    }
    struct remote_status said = *status;
    said.message = str_sub(said.message, 0, REMOTE_STATUS_BYTES / 8); /* escaped it may grow */
    remote->is_finishing = true;
    if (remote->version >= 4) {
        write_status(&remote->status, &said);
    } else {
        write_sentence(&remote->status, &said);
    }
    wire_pump(remote);
}
