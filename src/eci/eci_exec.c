/*
 * see eci_exec.h; how a session is opened is in eci_exec_open.c, the order of things in
 * eci_exec_in.h
 */
#include "eci/eci_exec_in.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/codec.h"
#include "data/json_write.h"
#include "os/os.h"

#define TURN_STEPS_MAX 32 /* reads of one session; then it is others' turn */

/* ---- the command ----------------------------------------------------------------------------- */

/* Characters, not bytes: what is no UTF-8 counts byte by byte. */
static size_t characters(str text)
{
    size_t count = 0;
    while (text.bytes > 0) {
        size_t bytes = codec_utf8_char(text);
        text = str_sub(text, bytes > 0 ? bytes : 1, SIZE_MAX);
        count++;
    }
    return count;
}

const char *eci_exec_fault(const struct eci_exec_want *want)
{
    if (want->words_count == 0) {
        return "no command is given";
    }
    if (want->words_count > ECI_EXEC_WORDS_MAX) {
        return "ECI takes commands of at most 20 words";
    }
    for (uint32_t i = 0; i < want->words_count; i++) {
        if (characters(want->words[i]) > ECI_EXEC_WORD_CHARS_MAX) {
            return "ECI takes words of at most 256 characters in a command";
        }
        if (!codec_is_utf8(want->words[i])) {
            return "a word of the command is not valid UTF-8";
        }
    }
    return NULL;
}

static bool write_command(struct eci_exec *exec, const struct eci_exec_want *want)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, exec->command, sizeof exec->command - 1);
    json_write_init(&w, &out);
    json_array(&w);
    for (uint32_t i = 0; i < want->words_count; i++) {
        json_put_text(&w, want->words[i]);
    }
    json_end(&w);
    exec->command[out.bytes] = 0;
    return json_write_ok(&w);
}

enum err eci_exec_prepare(struct eci_exec *exec, const struct eci_exec_config *config, void *owner,
                          const struct eci_exec_want *want)
{
    exec->config = config;
    exec->owner = owner;
    exec->phase = ECI_EXEC_OFF;
    exec->has_stdin = want->has_stdin;
    exec->has_tty = want->has_tty;
    exec->is_stdin_over = exec->is_stdin_over_sent = exec->has_drained = exec->is_closed = false;
    exec->width = exec->height = 0;
    exec->call = HANDLE_NONE;
    exec->status_bytes = 0;
    exec->why[0] = 0;
    exec->resolve.host[0] = 0;
    exec->engine.mode = TLS_OFF;
    buf_init(&exec->out, exec->out_memory, sizeof exec->out_memory);
    link_init(&exec->link, config->loop, &exec->engine);
    bool fits = write_command(exec, want) &&
                str_copy(exec->group_id, sizeof exec->group_id, want->group_id) &&
                str_copy(exec->container, sizeof exec->container, want->container);
    return fits ? ERR_OK : ERR_TOO_BIG;
}

/* ---- the end --------------------------------------------------------------------------------- */

void eci_exec_stop(struct eci_exec *exec)
{
    if (exec->phase == ECI_EXEC_OFF) {
        return;
    }
    struct loop *loop = exec->config->loop;
    eci_call_cancel(exec->config->cloud, exec->call);
    if (exec->phase == ECI_EXEC_RESOLVE) {
        resolve_close(&exec->resolve);
    }
    link_close(&exec->link, exec->phase == ECI_EXEC_OPEN);
    loop_timer_clear(loop, &exec->timer);
    loop_timer_clear(loop, &exec->kick);
    exec->phase = ECI_EXEC_OFF;
}

void eci_exec_finish(struct eci_exec *exec, const struct eci_exec_end *end)
{
    eci_exec_stop(exec);
    exec->config->handlers->on_end(exec, end);
}

void eci_exec_set_off(struct eci_exec *exec, enum err err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(exec->why, sizeof exec->why, format, args);
    va_end(args);
    const struct eci_exec_end end = {.err = err, .message = str_of(exec->why)};
    eci_exec_finish(exec, &end);
}

/* The cloud has closed: what it said on channel 3 is how the command ended. */
static void command_ended(struct eci_exec *exec)
{
    struct arena *arena = exec->config->arena;
    size_t mark = arena_mark(arena);
    struct eci_exec_status status =
        eci_framing_status(str_make(exec->status, exec->status_bytes), arena);
    struct eci_exec_end end = {.err = ERR_OK, .has_code = status.has_code, .code = status.code};
    if (status.is_known && !status.has_code) {
        end.err = ERR_INVALID;
        end.message = str_is_empty(status.message) ? S("the cloud could not run the command")
                                                   : status.message;
    }
    eci_exec_finish(exec, &end);
    arena_rewind(arena, mark);
}

/* ---- an open session: towards the cloud ------------------------------------------------------ */

struct mask {
    uint8_t bytes[4];
};

static struct mask fresh_mask(void)
{
    struct mask mask;
    os_random(mask.bytes, sizeof mask.bytes);
    return mask;
}

static void kick(struct eci_exec *exec)
{
    loop_timer_set(exec->config->loop, &exec->kick, exec->config->loop->now_ms);
}

size_t eci_exec_room(const struct eci_exec *exec)
{
    size_t room = exec->out.bytes_max - exec->out.bytes;
    size_t spare = 512 + WEBSOCKET_HEAD_BYTES_MAX; /* for pongs, sizes and the end */
    bool is_open = exec->phase == ECI_EXEC_OPEN && !exec->is_stdin_over;
    return is_open && room > 2 * spare ? (room - spare) / 2 : 0; /* half: base64 is longer */
}

size_t eci_exec_put(struct eci_exec *exec, str data)
{
    str piece = str_sub(data, 0, eci_exec_room(exec));
    size_t done = 0;
    if (piece.bytes > 0) {
        done =
            eci_framing_put_stdin(&exec->framing, &exec->ws, &exec->out, piece, fresh_mask().bytes);
        kick(exec);
    }
    return done;
}

void eci_exec_put_end(struct eci_exec *exec)
{
    exec->is_stdin_over = true;
    if (exec->phase == ECI_EXEC_OPEN) {
        kick(exec);
    }
}

void eci_exec_resize(struct eci_exec *exec, uint32_t width, uint32_t height)
{
    exec->width = width;
    exec->height = height;
    if (exec->phase == ECI_EXEC_OPEN) {
        kick(exec);
    }
}

void eci_exec_resume(struct eci_exec *exec)
{
    if (exec->phase == ECI_EXEC_OPEN) {
        kick(exec);
    }
}

static void put_small_things(struct eci_exec *exec)
{
    if (exec->width > 0 && exec->height > 0 &&
        eci_framing_put_size(&exec->framing, &exec->ws, &exec->out, exec->width, exec->height,
                             fresh_mask().bytes)) {
        exec->width = exec->height = 0;
    }
    if (exec->has_stdin && exec->is_stdin_over && !exec->is_stdin_over_sent) {
        exec->is_stdin_over_sent = eci_framing_put_stdin_end(&exec->framing, &exec->ws, &exec->out,
                                                             exec->has_tty, fresh_mask().bytes);
    }
}

static void put_out(struct eci_exec *exec)
{
    if (exec->phase == ECI_EXEC_OPEN && !exec->is_closed) {
        put_small_things(exec);
    }
    size_t done = tls_plain_put(&exec->engine, buf_str(&exec->out));
    if (done > 0) {
        tls_flush(&exec->engine);
        buf_drop(&exec->out, done);
        exec->has_drained = true;
    }
}

/* ---- an open session: from the cloud --------------------------------------------------------- */

static void take_output(struct eci_exec *exec, uint8_t channel, str data)
{
    if (data.bytes == 0) {
        return;
    }
    if (channel == CHANNEL_STDOUT || channel == CHANNEL_STDERR) {
        exec->config->handlers->on_output(exec, channel, data);
    } else if (channel == CHANNEL_ERROR) {
        str piece = str_sub(data, 0, sizeof exec->status - exec->status_bytes);
        memcpy(exec->status + exec->status_bytes, piece.ptr, piece.bytes);
        exec->status_bytes += (uint32_t)piece.bytes;
    }
}

/* One event of the WebSocket; false when nothing more can be read now or the session is over. */
static bool take_frames(struct eci_exec *exec, str *input)
{
    struct websocket_got got;
    uint8_t channel = 0;
    str data;
    size_t room =
        channel_piece_room(exec->framing.is_base64, exec->config->handlers->output_room(exec));
    switch (websocket_next(&exec->ws, input, room, &got)) {
    case WEBSOCKET_NEED_MORE:
    case WEBSOCKET_NEED_ROOM:
        return false;
    case WEBSOCKET_DATA:
        if (!eci_framing_read(&exec->framing, &got, &channel, &data)) {
            eci_exec_set_off(exec, ERR_BAD_REPLY, "the cloud's terminal said what we cannot read");
            return false;
        }
        take_output(exec, channel, data);
        return true;
    case WEBSOCKET_PINGED:
        (void)websocket_put(&exec->ws, &exec->out, WEBSOCKET_PONG, got.piece, fresh_mask().bytes);
        return true;
    case WEBSOCKET_PONGED:
        return true;
    case WEBSOCKET_CLOSED:
        exec->is_closed = true;
        command_ended(exec);
        return false;
    case WEBSOCKET_FAILED:
        break;
    }
    eci_exec_set_off(exec, ERR_BAD_REPLY, "the cloud's terminal: %s", exec->ws.why);
    return false;
}

/* What has arrived, as far as it is welcome. */
static void take_in(struct eci_exec *exec)
{
    bool goes_on = true;
    while (goes_on && exec->phase >= ECI_EXEC_UPGRADE && exec->phase <= ECI_EXEC_OPEN) {
        str input = tls_plain_ready(&exec->engine);
        str rest = input;
        if (input.bytes == 0) {
            return;
        }
        goes_on = exec->phase == ECI_EXEC_UPGRADE ? eci_exec_take_upgrade(exec, &rest)
                                                  : take_frames(exec, &rest);
        if (link_is_open(&exec->link)) {
            tls_plain_taken(&exec->engine, input.bytes - rest.bytes);
        }
    }
}

static void connection_over(struct eci_exec *exec)
{
    if (exec->phase == ECI_EXEC_UPGRADE) {
        eci_exec_unreachable(exec, exec->engine.err == ERR_END ? ERR_CLOSED : exec->engine.err,
                             exec->engine.why);
    } else if (exec->status_bytes > 0) {
        command_ended(exec); /* it did not say close, but it said how the command ended */
    } else {
        eci_exec_set_off(exec, ERR_CLOSED, "the connection to the cloud's terminal broke: %s",
                         exec->engine.why);
    }
}

static bool is_connected(const struct eci_exec *exec)
{
    return exec->phase == ECI_EXEC_UPGRADE || exec->phase == ECI_EXEC_OPEN;
}

static bool step(struct eci_exec *exec)
{
    uint64_t received = exec->link.received_bytes;
    put_out(exec);
    bool moved = link_send(&exec->link);
    moved |= link_receive(&exec->link);
    if (exec->link.received_bytes > received) {
        exec->heard_ms = exec->config->loop->now_ms;
    }
    take_in(exec);
    return moved;
}

void eci_exec_turn(struct eci_exec *exec)
{
    int steps = 0;
    while (is_connected(exec) && steps < TURN_STEPS_MAX && step(exec)) {
        steps++;
    }
    if (!is_connected(exec)) {
        return;
    }
    unsigned state = tls_state(&exec->engine);
    if ((state & TLS_IS_OVER) != 0 && (state & TLS_HAS_PLAIN) == 0) {
        connection_over(exec);
        return;
    }
    put_out(exec);
    link_rest(&exec->link);
    if (exec->has_drained && exec->has_stdin && eci_exec_room(exec) > 0) {
        exec->has_drained = false;
        exec->config->handlers->on_room(exec);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

static void on_kick(struct loop_timer *timer)
{
    eci_exec_turn(timer->owner);
}

static void on_due(struct loop_timer *timer)
{
    struct eci_exec *exec = timer->owner;
    struct loop *loop = exec->config->loop;
    if (exec->phase != ECI_EXEC_OPEN) {
        if (exec->phase == ECI_EXEC_RESOLVE) {
            resolve_close(&exec->resolve);
        }
        eci_exec_unreachable(exec, ERR_TIMEOUT, err_text(ERR_TIMEOUT));
    } else if (loop->now_ms - exec->heard_ms >= ECI_EXEC_DEAD_MS) {
        eci_exec_set_off(exec, ERR_TIMEOUT, "the cloud's terminal is silent");
    } else {
        (void)websocket_put(&exec->ws, &exec->out, WEBSOCKET_PING, STR_NONE, fresh_mask().bytes);
        loop_timer_set(loop, &exec->timer, loop->now_ms + ECI_EXEC_PING_MS);
        eci_exec_turn(exec);
    }
}

void eci_exec_enter(struct eci_exec *exec, enum eci_exec_phase phase)
{
    struct loop *loop = exec->config->loop;
    if (exec->phase == ECI_EXEC_OFF) {
        loop_timer_init(&exec->timer, on_due, exec);
        loop_timer_init(&exec->kick, on_kick, exec);
    }
    exec->phase = phase;
    switch (phase) {
    case ECI_EXEC_RESOLVE: /* the deadline of all until it is open */
        loop_timer_set(loop, &exec->timer, loop->now_ms + ECI_EXEC_CONNECT_MS);
        break;
    case ECI_EXEC_OPEN:
        exec->heard_ms = loop->now_ms;
        loop_timer_set(loop, &exec->timer, loop->now_ms + ECI_EXEC_PING_MS);
        break;
    case ECI_EXEC_SYNC: /* the call has its own */
        loop_timer_clear(loop, &exec->timer);
        break;
    case ECI_EXEC_OFF:
    case ECI_EXEC_CALL:
    case ECI_EXEC_CONNECT:
    case ECI_EXEC_UPGRADE:
        break;
    }
}
