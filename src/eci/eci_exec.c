/*
 * see eci_exec.h
 *
 * Note on the order of things. Everything that moves bytes runs in turn(), which the loop calls:
 * when the socket is ready, when the owner has given something (the kick timer), when output is
 * welcome again. on_end is always the last thing a turn does.
 */
#include "eci/eci_exec.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/codec.h"
#include "data/json_write.h"
#include "os/os.h"

#define TURN_STEPS_MAX 32 /* reads of one session; then it is others' turn */
#define CALL_MS 15000
#define SYNC_MS 60000 /* the command runs within this call */

static void enter(struct eci_exec *exec, enum eci_exec_phase phase);
static void turn(struct eci_exec *exec);
static void set_off(struct eci_exec *exec, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

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

static void finish(struct eci_exec *exec, const struct eci_exec_end *end)
{
    eci_exec_stop(exec);
    exec->config->handlers->on_end(exec, end);
}

static void set_off(struct eci_exec *exec, enum err err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(exec->why, sizeof exec->why, format, args);
    va_end(args);
    const struct eci_exec_end end = {.err = err, .message = str_of(exec->why)};
    finish(exec, &end);
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
    finish(exec, &end);
    arena_rewind(arena, mark);
}

/* ---- without a WebSocket: Sync --------------------------------------------------------------- */

static enum err call(struct eci_exec *exec, bool is_sync, eci_call_done *on_done)
{
    struct params params;
    size_t mark = arena_mark(exec->config->arena);
    enum err err = params_init(&params, exec->config->arena);
    if (err == ERR_OK) {
        params_add(&params, S("ContainerGroupId"), str_of(exec->group_id));
        params_add(&params, S("ContainerName"), str_of(exec->container));
        params_add(&params, S("Command"), str_of(exec->command));
        params_add_bool(&params, S("Stdin"), exec->has_stdin);
        params_add_bool(&params, S("TTY"), exec->has_tty);
        if (is_sync) {
            params_add_bool(&params, S("Sync"), true);
        }
        const struct eci_want want = {.action = ECI_EXEC,
                                      .params = &params,
                                      .deadline_ms = is_sync ? SYNC_MS : CALL_MS,
                                      .on_done = on_done,
                                      .owner = exec};
        err =
            params.has_failed ? ERR_FULL : eci_call_start(exec->config->cloud, &want, &exec->call);
    }
    arena_rewind(exec->config->arena, mark);
    return err;
}

/* There is no second chance for what is not welcome at once; a reply is small (64 KB). */
static void on_synced(void *owner, enum err err, const struct eci_reply *reply)
{
    struct eci_exec *exec = owner;
    exec->call = HANDLE_NONE;
    if (err != ERR_OK) {
        set_off(exec, err, "ExecContainerCommand: %.*s", STR_ARG(reply->why));
        return;
    }
    str text = json_text(json_get_nocase(reply->root, "SyncResponse"), reply->arena);
    size_t room = exec->config->handlers->output_room(exec);
    exec->config->handlers->on_output(exec, CHANNEL_STDOUT, str_sub(text, 0, room));
    const struct eci_exec_end end = {
        .err = room < text.bytes ? ERR_TOO_BIG : ERR_OK,
        .message = room < text.bytes ? S("the output is too long without a WebSocket") : STR_NONE};
    finish(exec, &end);
}

/* The WebSocket could not be opened. */
static void unreachable(struct eci_exec *exec, enum err err, const char *what)
{
    if (exec->has_stdin || exec->has_tty) {
        set_off(exec, err, "the cloud's terminal %s: %s", exec->resolve.host, what);
        return;
    }
    link_close(&exec->link, false);
    if (call(exec, true, on_synced) != ERR_OK) {
        set_off(exec, err, "the cloud's terminal %s: %s", exec->resolve.host, what);
        return;
    }
    enter(exec, ECI_EXEC_SYNC);
}

/* ---- the API call and its URI ---------------------------------------------------------------- */

/* ws[s]://host[:port]/path?query; false when it is none. */
static bool take_uri(struct eci_exec *exec, str uri, resolve_done *on_resolved)
{
    if (!str_copy(exec->uri, sizeof exec->uri, uri)) {
        return false;
    }
    str rest = str_of(exec->uri);
    exec->is_tls = str_starts(rest, S("wss://"));
    if (!exec->is_tls && !str_starts(rest, S("ws://"))) {
        return false;
    }
    rest = str_sub(rest, exec->is_tls ? 6 : 5, SIZE_MAX);
    for (size_t i = 0; i < rest.bytes; i++) {
        if (rest.ptr[i] <= 0x20 || rest.ptr[i] >= 0x7f) {
            return false;
        }
    }
    ptrdiff_t slash = str_find_char(rest, '/');
    str host = slash < 0 ? rest : str_sub(rest, 0, (size_t)slash);
    exec->path = slash < 0 ? S("/") : str_sub(rest, (size_t)slash, SIZE_MAX);
    uint64_t port = exec->is_tls ? 443 : 80;
    ptrdiff_t colon = str_find_char(host, ':');
    if (colon >= 0 && str_find_char(host, ']') < 0) {
        if (!str_to_u64(str_sub(host, (size_t)colon + 1, SIZE_MAX), &port) || port > 65535) {
            return false;
        }
        host = str_sub(host, 0, (size_t)colon);
    }
    if (str_is_empty(host) || host.bytes >= RESOLVE_HOST_BYTES) {
        return false;
    }
    resolve_init(&exec->resolve, exec->config->loop, host, (uint16_t)port, on_resolved, exec);
    return true;
}

static void connect_to(struct eci_exec *exec);

static void on_resolved(struct resolve *resolve, enum err err)
{
    struct eci_exec *exec = resolve->owner;
    if (resolve->addrs_count == 0) {
        resolve_close(resolve);
        unreachable(exec, err == ERR_OK ? ERR_RESOLVE : err, err_text(ERR_RESOLVE));
        return;
    }
    connect_to(exec);
}

static void on_called(void *owner, enum err err, const struct eci_reply *reply)
{
    struct eci_exec *exec = owner;
    exec->call = HANDLE_NONE;
    if (err != ERR_OK) {
        set_off(exec, err, "ExecContainerCommand: %.*s", STR_ARG(reply->why));
        return;
    }
    str uri = json_text(json_get_nocase(reply->root, "WebSocketUri"), reply->arena);
    if (!take_uri(exec, uri, on_resolved)) {
        set_off(exec, ERR_BAD_REPLY, "ExecContainerCommand: the reply has no usable WebSocketUri");
        return;
    }
    if (exec->is_tls && exec->config->trust == NULL) {
        set_off(exec, ERR_TLS_TRUST, "no certificate authority to check %s with",
                exec->resolve.host);
        return;
    }
    enter(exec, ECI_EXEC_RESOLVE);
    if (resolve_want(&exec->resolve)) {
        connect_to(exec);
    }
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

enum err eci_exec_start(struct eci_exec *exec)
{
    CHECK(exec->phase == ECI_EXEC_OFF);
    enum err err = call(exec, false, on_called);
    if (err == ERR_OK) {
        enter(exec, ECI_EXEC_CALL);
    }
    return err;
}

/* ---- connect and upgrade --------------------------------------------------------------------- */

static void start_upgrade(struct eci_exec *exec)
{
    uint8_t nonce[16];
    uint8_t seed[TLS_SEED_BYTES];
    struct buf key;
    const char *offer = eci_framing_offer(exec->config->framing);
    os_random(nonce, sizeof nonce);
    buf_init(&key, exec->key, sizeof exec->key - 1);
    codec_put_base64(&key, nonce, sizeof nonce);
    exec->key[WEBSOCKET_KEY_BYTES] = 0;
    buf_put_fmt(&exec->out,
                "GET %.*s HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
                STR_ARG(exec->path), exec->resolve.host, (unsigned)exec->resolve.port, exec->key);
    if (offer != NULL) {
        buf_put_fmt(&exec->out, "Sec-WebSocket-Protocol: %s\r\n", offer);
    }
    buf_put_text(&exec->out, "\r\n");
    CHECK(buf_ok(&exec->out)); /* the URI has its limit */
    http_parse_init(&exec->parse, HTTP_RESPONSE, exec->head, sizeof exec->head);
    http_parse_reset(&exec->parse, false);
    if (exec->is_tls) {
        os_random(seed, sizeof seed);
        tls_start_client(&exec->engine, exec->config->trust, NULL, str_of(exec->resolve.host),
                         false, seed);
    } else {
        tls_start_plain(&exec->engine);
    }
    enter(exec, ECI_EXEC_UPGRADE);
    turn(exec);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct eci_exec *exec = watch->owner;
    (void)events;
    if (exec->phase != ECI_EXEC_CONNECT) {
        turn(exec);
        return;
    }
    enum err err = sock_connect_result(exec->link.fd);
    if (err == ERR_OK) {
        start_upgrade(exec);
    } else if (err != ERR_AGAIN) {
        unreachable(exec, err, err_text(err));
    }
}

/* The first address that takes a connection at all; the deadline is for all together. */
static void connect_to(struct eci_exec *exec)
{
    enum err err = ERR_RESOLVE;
    for (uint32_t i = 0; i < exec->resolve.addrs_count && !link_is_open(&exec->link); i++) {
        int fd = -1;
        err = sock_connect(&exec->resolve.addrs[i], &fd);
        err = err == ERR_OK ? link_open(&exec->link, fd, on_ready, exec) : err;
    }
    if (err != ERR_OK) {
        unreachable(exec, err, err_text(err));
        return;
    }
    enter(exec, ECI_EXEC_CONNECT);
}

/* NULL, or why the reply is no WebSocket for us. */
static const char *judge_upgrade(struct eci_exec *exec)
{
    char accept[WEBSOCKET_ACCEPT_BYTES + 1];
    str value;
    if (exec->parse.head.status != 101) {
        return "it refused the WebSocket";
    }
    websocket_accept(str_of(exec->key), accept);
    if (!http_parse_field(&exec->parse, S("sec-websocket-accept"), &value) ||
        !str_eq(value, str_of(accept))) {
        return "its reply is not that of a WebSocket";
    }
    return NULL;
}

/* False when the session is over or waits for more. */
static bool take_upgrade(struct eci_exec *exec, str *input)
{
    str piece;
    str protocol = STR_NONE;
    enum http_event event = HTTP_HEAD;
    while (event == HTTP_HEAD) {
        event = http_parse_next(&exec->parse, input, &piece);
    }
    if (event == HTTP_NEED_MORE) {
        return false;
    }
    const char *fault = event == HTTP_FAILED ? exec->parse.why : judge_upgrade(exec);
    if (fault != NULL) {
        unreachable(exec, ERR_BAD_REPLY, fault);
        return false;
    }
    (void)http_parse_field(&exec->parse, S("sec-websocket-protocol"), &protocol);
    eci_framing_agree(&exec->framing, exec->config->framing, protocol);
    websocket_init(&exec->ws, WEBSOCKET_CLIENT);
    enter(exec, ECI_EXEC_OPEN);
    exec->has_drained = false;
    if (exec->has_stdin) {
        exec->config->handlers->on_room(exec);
    }
    return true;
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
            set_off(exec, ERR_BAD_REPLY, "the cloud's terminal said what we cannot read");
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
    set_off(exec, ERR_BAD_REPLY, "the cloud's terminal: %s", exec->ws.why);
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
        goes_on =
            exec->phase == ECI_EXEC_UPGRADE ? take_upgrade(exec, &rest) : take_frames(exec, &rest);
        if (link_is_open(&exec->link)) {
            tls_plain_taken(&exec->engine, input.bytes - rest.bytes);
        }
    }
}

static void connection_over(struct eci_exec *exec)
{
    if (exec->phase == ECI_EXEC_UPGRADE) {
        unreachable(exec, exec->engine.err == ERR_END ? ERR_CLOSED : exec->engine.err,
                    exec->engine.why);
    } else if (exec->status_bytes > 0) {
        command_ended(exec); /* it did not say close, but it said how the command ended */
    } else {
        set_off(exec, ERR_CLOSED, "the connection to the cloud's terminal broke: %s",
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

static void turn(struct eci_exec *exec)
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
    turn(timer->owner);
}

static void on_due(struct loop_timer *timer)
{
    struct eci_exec *exec = timer->owner;
    struct loop *loop = exec->config->loop;
    if (exec->phase != ECI_EXEC_OPEN) {
        if (exec->phase == ECI_EXEC_RESOLVE) {
            resolve_close(&exec->resolve);
        }
        unreachable(exec, ERR_TIMEOUT, err_text(ERR_TIMEOUT));
    } else if (loop->now_ms - exec->heard_ms >= ECI_EXEC_DEAD_MS) {
        set_off(exec, ERR_TIMEOUT, "the cloud's terminal is silent");
    } else {
        (void)websocket_put(&exec->ws, &exec->out, WEBSOCKET_PING, STR_NONE, fresh_mask().bytes);
        loop_timer_set(loop, &exec->timer, loop->now_ms + ECI_EXEC_PING_MS);
        turn(exec);
    }
}

static void enter(struct eci_exec *exec, enum eci_exec_phase phase)
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
