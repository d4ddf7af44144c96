/* see remote_wire.h */
#include "serve/remote_wire.h"

#include "base/check.h"
#include "serve/upgrade.h"

#define PUMP_EVENTS_MAX 4096 /* of one call; what is left comes with the next event of the loop */

static const uint8_t no_mask[4]; /* a server masks nothing */

static void flush(struct remote *remote)
{
    size_t done = http_stream_put(remote->exchange, buf_str(&remote->out));
    if (done > 0) {
        buf_drop(&remote->out, done);
    }
}

void wire_cut(struct remote *remote)
{
    remote->is_cut = true;
    http_exchange_cut(remote->exchange);
}

/* ---- negotiation ----------------------------------------------------------------------------- */

struct protocol {
    const char *name;
    unsigned version;
    bool is_base64;
};

static const struct protocol spdy_protocols[] = {
    {"v5.channel.k8s.io", 5, false}, {"v4.channel.k8s.io", 4, false},
    {"v3.channel.k8s.io", 3, false}, {"v2.channel.k8s.io", 2, false},
    {"channel.k8s.io", 1, false},
};

static const struct protocol websocket_protocols[] = {
    {"v5.channel.k8s.io", 5, false},    {"v4.channel.k8s.io", 4, false},
    {"v4.base64.channel.k8s.io", 4, true}, {"channel.k8s.io", 1, false},
    {"base64.channel.k8s.io", 1, true},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct protocol *find_protocol(str list, const struct protocol *known, size_t count)
{
    for (str name; str_cut(&list, ',', &name);) {
        for (size_t i = 0; i < count; i++) {
            if (str_eq(str_trim(name), str_of(known[i].name))) {
                return &known[i];
            }
        }
    }
    return NULL;
}

/* The first of the client's that we know; NULL: none. *has_list: he named some. */
static const struct protocol *choose(const struct http_exchange *exchange, str header,
                                     const struct protocol *known, size_t count, bool *has_list)
{
    const struct protocol *found = NULL;
    uint32_t at = 0;
    str list;
    *has_list = false;
    while (found == NULL && http_exchange_header_next(exchange, header, &at, &list)) {
        *has_list = true;
        found = find_protocol(list, known, count);
    }
    return found;
}

static void upgrade(struct remote *remote, str protocol, const char *format, const char *value)
{
    char memory[256];
    struct buf headers;
    buf_init(&headers, memory, sizeof memory);
    buf_put_text(&headers, format);
    buf_put_text(&headers, value);
    buf_put_text(&headers, *format != 0 ? "\r\n" : "");
    CHECK(buf_ok(&headers));
    http_upgrade(remote->exchange, protocol, buf_str(&headers));
}

static bool accept_spdy(struct remote *remote)
{
    bool has_list = false;
    const struct protocol *protocol = choose(remote->exchange, S("x-stream-protocol-version"),
                                             spdy_protocols, COUNT_OF(spdy_protocols), &has_list);
    if (has_list && protocol == NULL) {
        serve_refuse(remote->exchange, 403, "Forbidden",
                     "unable to upgrade: no X-Stream-Protocol-Version in common; known are "
                     "v5 to v2.channel.k8s.io and channel.k8s.io");
        return false;
    }
    if (spdy_init(&remote->as.spdy, &remote->out, remote->slots, REMOTE_STREAMS) != ERR_OK) {
        serve_refuse(remote->exchange, 500, NULL, "SPDY: out of memory");
        return false;
    }
    remote->is_spdy = true;
    remote->version = protocol != NULL ? protocol->version : 1; /* clients of Kubernetes 1.0 */
    upgrade(remote, S("SPDY/3.1"), protocol != NULL ? "X-Stream-Protocol-Version: " : "",
            protocol != NULL ? protocol->name : "");
    return true;
}

static void greet(struct remote *remote);

static bool accept_websocket(struct remote *remote)
{
    bool has_list = false;
    const struct protocol *protocol =
        choose(remote->exchange, S("sec-websocket-protocol"), websocket_protocols,
               COUNT_OF(websocket_protocols), &has_list);
    if (has_list && protocol == NULL) {
        serve_refuse(remote->exchange, 403, "Forbidden",
                     "unable to upgrade: no Sec-WebSocket-Protocol in common; known are v5 and "
                     "v4.channel.k8s.io, v4.base64, base64 and plain channel.k8s.io");
        return false;
    }
    if (!upgrade_to_websocket(remote->exchange, protocol != NULL ? protocol->name : NULL)) {
        return false;
    }
    remote->version = protocol != NULL ? protocol->version : 1;
    remote->is_base64 = protocol != NULL && protocol->is_base64;
    websocket_init(&remote->as.ws, WEBSOCKET_SERVER);
    channel_reader_init(&remote->as.reader, remote->is_base64);
    greet(remote);
    return true;
}

bool wire_accept(struct remote *remote)
{
    if (upgrade_is_to(remote->exchange, S("SPDY/3.1"))) {
        return accept_spdy(remote);
    }
    if (upgrade_is_to(remote->exchange, S("websocket"))) {
        return accept_websocket(remote);
    }
    serve_refuse(remote->exchange, 400, NULL,
                 "this needs an upgrade of the connection to SPDY/3.1 or websocket");
    return false;
}

/* ---- SPDY: streams are opened ---------------------------------------------------------------- */

static const char *const channel_names[REMOTE_CHANNELS] = {
    [CHANNEL_STDIN] = "stdin", [CHANNEL_STDOUT] = "stdout", [CHANNEL_STDERR] = "stderr",
    [CHANNEL_ERROR] = "error", [CHANNEL_RESIZE] = "resize",
};

static bool is_expected(const struct remote *remote, uint8_t channel)
{
    switch (channel) {
    case CHANNEL_STDIN:
        return remote->wants.has_stdin;
    case CHANNEL_STDOUT:
        return remote->wants.has_stdout;
    case CHANNEL_STDERR:
        return remote->wants.has_stderr;
    case CHANNEL_RESIZE:
        return remote->wants.has_tty && remote->version >= 3;
    default:
        return true;
    }
}

static void take_stream(struct remote *remote, struct spdy_stream *stream)
{
    struct spdy *spdy = &remote->as.spdy;
    str type = STR_NONE;
    uint8_t channel = 0;
    (void)spdy_header(spdy, S("streamtype"), &type);
    while (channel < REMOTE_CHANNELS && !str_eq_nocase(type, str_of(channel_names[channel]))) {
        channel++;
    }
    if (channel == REMOTE_CHANNELS || remote->streams[channel] != NULL) {
        (void)spdy_reset(spdy, stream, SPDY_REFUSED_STREAM);
        return;
    }
    spdy_reply(spdy, stream);
    stream->owner = remote;
    remote->streams[channel] = stream;
    bool is_complete = true;
    for (uint8_t i = 0; i < REMOTE_CHANNELS; i++) {
        is_complete &= !is_expected(remote, i) || remote->streams[i] != NULL;
    }
    if (is_complete && !remote->is_open) {
        remote_opened(remote);
    }
}

/* REMOTE_CHANNELS: of none that is in use. */
static uint8_t channel_of(const struct remote *remote, const struct spdy_stream *stream)
{
    uint8_t channel = 0;
    while (channel < REMOTE_CHANNELS && remote->streams[channel] != stream) {
        channel++;
    }
    return channel;
}

/* False when nothing more can be read now. */
static bool take_spdy(struct remote *remote, str *input)
{
    struct spdy_got got;
    enum spdy_event event = spdy_next(&remote->as.spdy, input, remote_in_room(remote), &got);
    uint8_t channel = got.stream != NULL ? channel_of(remote, got.stream) : REMOTE_CHANNELS;
    switch (event) {
    case SPDY_NEED_MORE:
    case SPDY_NEED_ROOM:
        return false;
    case SPDY_OPENED:
        take_stream(remote, got.stream);
        return true;
    case SPDY_DATA:
        remote_took(remote, channel, got.piece);
        return true;
    case SPDY_ENDED:
        remote_took_end(remote, channel);
        return true;
    case SPDY_RESET: /* a client that gives up its input has ended it, too */
        remote_took_end(remote, channel);
        if (channel < REMOTE_CHANNELS) {
            remote->streams[channel] = NULL;
        }
        spdy_forget(got.stream);
        return true;
    case SPDY_AWAY:
        return true;
    case SPDY_FAILED:
        break;
    }
    flush(remote);
    remote->is_cut = true;
    http_stream_close(remote->exchange); /* the GOAWAY is sent */
    return false;
}

/* ---- WebSocket ------------------------------------------------------------------------------- */

/* An empty message tells the client that the session is there (kubelet's createWebSocketStreams).
 * All channels are open at once; the owner hears of it from the first pump. */
static void greet(struct remote *remote)
{
    uint8_t channel = remote->wants.has_stdout   ? CHANNEL_STDOUT
                      : remote->wants.has_stderr ? CHANNEL_STDERR
                                                 : CHANNEL_ERROR;
    (void)channel_put(&remote->as.ws, remote->is_base64, &remote->out, channel, STR_NONE, no_mask,
                      NULL);
}

static void take_message(struct remote *remote, const struct websocket_got *got)
{
    str data;
    if (!channel_read(&remote->as.reader, got, &data)) {
        (void)websocket_put_close(&remote->as.ws, &remote->out, WEBSOCKET_CODE_BROKEN, no_mask);
        flush(remote);
        remote->is_cut = true;
        http_stream_close(remote->exchange);
        return;
    }
    uint8_t channel = remote->as.reader.channel;
    if (channel == CHANNEL_CLOSE && remote->version >= 5 && data.bytes > 0) {
        remote_took_end(remote, (uint8_t)data.ptr[0]);
    } else if (data.bytes > 0) {
        remote_took(remote, channel, data);
    }
}

static bool take_websocket(struct remote *remote, str *input)
{
    struct websocket *ws = &remote->as.ws;
    struct websocket_got got;
    size_t room = channel_piece_room(remote->is_base64, remote_in_room(remote));
    if (remote->out.bytes_max - remote->out.bytes < 512) {
        return false; /* no room for a pong */
    }
    switch (websocket_next(ws, input, room, &got)) {
    case WEBSOCKET_NEED_MORE:
    case WEBSOCKET_NEED_ROOM:
        return false;
    case WEBSOCKET_DATA:
        take_message(remote, &got);
        return !remote->is_cut;
    case WEBSOCKET_PINGED:
        (void)websocket_put(ws, &remote->out, WEBSOCKET_PONG, got.piece, no_mask);
        return true;
    case WEBSOCKET_PONGED:
        return true;
    case WEBSOCKET_CLOSED:
        if (!remote->is_lingering) {
            (void)websocket_put_close(ws, &remote->out, WEBSOCKET_CODE_NORMAL, no_mask);
        }
        break;
    case WEBSOCKET_FAILED:
        (void)websocket_put_close(ws, &remote->out, WEBSOCKET_CODE_BROKEN, no_mask);
        break;
    }
    flush(remote);
    remote->is_cut = true;
    http_stream_close(remote->exchange);
    return false;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* What is kept free of output for the end of a session and answers. */
#define SPARE_BYTES (REMOTE_STATUS_BYTES * 2) /* heads of frames included */

size_t wire_room(const struct remote *remote, uint8_t channel)
{
    if (remote->is_spdy) {
        const struct spdy_stream *stream = remote->streams[channel];
        return stream == NULL ? SIZE_MAX : spdy_room(&remote->as.spdy, stream);
    }
    size_t room = remote->out.bytes_max - remote->out.bytes;
    return room > SPARE_BYTES ? (room - SPARE_BYTES) / 4 * 3 : 0;
}

void wire_put(struct remote *remote, uint8_t channel, str data)
{
    size_t done = 0;
    if (!remote->is_spdy) {
        done = channel_put(&remote->as.ws, remote->is_base64, &remote->out, channel, data, no_mask,
                           NULL);
    } else if (remote->streams[channel] == NULL) {
        return; /* the client has given this stream up */
    } else {
        done = spdy_put(&remote->as.spdy, remote->streams[channel], data);
    }
    CHECK(done == data.bytes); /* remote_room() was asked */
    flush(remote);
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool end_stream(struct remote *remote, uint8_t channel)
{
    struct spdy_stream *stream = remote->streams[channel];
    return stream == NULL || spdy_end(&remote->as.spdy, stream);
}

/* Output ends, then the status, then the error stream. True when all of it is in out. */
static bool say_end_spdy(struct remote *remote)
{
    struct spdy_stream *error = remote->streams[CHANNEL_ERROR];
    if (!end_stream(remote, CHANNEL_STDOUT) || !end_stream(remote, CHANNEL_STDERR)) {
        return false;
    }
    if (error != NULL && remote->status.bytes > 0) {
        buf_drop(&remote->status, spdy_put(&remote->as.spdy, error, buf_str(&remote->status)));
        if (remote->status.bytes > 0) {
            return false;
        }
    }
    return end_stream(remote, CHANNEL_ERROR);
}

static bool say_end_websocket(struct remote *remote)
{
    size_t room = remote->out.bytes_max - remote->out.bytes;
    if (room < remote->status.bytes / 3 * 4 + 256) {
        return false; /* one message, or clients read half a Status */
    }
    if (remote->status.bytes > 0) {
        (void)channel_put(&remote->as.ws, remote->is_base64, &remote->out, CHANNEL_ERROR,
                          buf_str(&remote->status), no_mask, NULL);
    }
    return websocket_put_close(&remote->as.ws, &remote->out, WEBSOCKET_CODE_NORMAL, no_mask);
}

/* We do not close first: bytes of the client that nobody read would reset the connection, and with
 * it what it has not read yet. It leaves when it has read the end. */
static void say_end(struct remote *remote)
{
    bool is_said = remote->is_spdy ? say_end_spdy(remote) : say_end_websocket(remote);
    if (is_said) {
        remote->is_lingering = true;
        loop_timer_set(remote->loop, &remote->timer, remote->loop->now_ms + REMOTE_LINGER_MS);
    }
    flush(remote);
}

/* ---- moving ---------------------------------------------------------------------------------- */

void wire_pump(struct remote *remote)
{
    bool is_over = false;
    bool goes_on = true;
    if (remote->is_pumping) {
        return; /* else the same input would be read twice */
    }
    remote->is_pumping = true;
    flush(remote);
    if (!remote->is_spdy && !remote->is_open && !remote->is_cut) {
        remote_opened(remote);
    }
    for (int i = 0; i < PUMP_EVENTS_MAX && goes_on && !remote->is_cut; i++) {
        str input = http_stream_ready(remote->exchange, &is_over);
        str rest = input;
        if (is_over) {
            break;
        }
        goes_on = remote->is_spdy ? take_spdy(remote, &rest) : take_websocket(remote, &rest);
        http_stream_taken(remote->exchange, input.bytes - rest.bytes);
        flush(remote);
    }
    if (remote->is_finishing && !remote->is_lingering && !remote->is_cut) {
        say_end(remote);
    }
    if (is_over && !remote->is_cut) {
        remote->is_cut = true;
        http_stream_close(remote->exchange);
    }
    remote->is_pumping = false;
}
