/* see spdy.h */
#include "net/spdy.h"

#include "base/check.h"

enum phase {
    PHASE_HEAD,     /* the 8 bytes of every frame */
    PHASE_FIXED,    /* the fixed part of a control frame's payload */
    PHASE_BLOCK,    /* its header block */
    PHASE_SETTINGS, /* entries of SETTINGS */
    PHASE_DATA,     /* payload of a data frame */
    PHASE_SKIP,     /* what is left of a frame nobody wants */
    PHASE_FAILED
};

enum type {
    TYPE_SYN_STREAM = 1,
    TYPE_SYN_REPLY = 2,
    TYPE_RST_STREAM = 3,
    TYPE_SETTINGS = 4,
    TYPE_PING = 6,
    TYPE_GOAWAY = 7,
    TYPE_HEADERS = 8,
    TYPE_WINDOW_UPDATE = 9
};

#define FLAG_FIN 1u
#define HEAD_BYTES 8u
#define SETTING_INITIAL_WINDOW 7u
#define WINDOW_MAX INT64_C(0x7fffffff)
#define UPDATE_AFTER_BYTES (SPDY_WINDOW_BYTES / 2)
#define NOT_AN_EVENT ((enum spdy_event)(-1)) /* go on */

enum err spdy_init(struct spdy *spdy, struct buf *out, struct spdy_stream *streams,
                   uint32_t streams_max)
{
    CHECK(out->bytes_max >= SPDY_OUT_BYTES_MIN && streams_max > 0);
    spdy->out = out;
    spdy->streams = streams;
    spdy->streams_max = streams_max;
    spdy->phase = PHASE_HEAD;
    spdy->head_bytes = 0;
    spdy->last_id = 0;
    spdy->has_replied = false;
    spdy->has_flow_control = false;
    spdy->window = spdy->window_initial = SPDY_WINDOW_BYTES;
    spdy->unsaid = 0;
    spdy->is_away = false;
    spdy->why = "";
    memset(streams, 0, streams_max * sizeof *streams);
    buf_init(&spdy->headers, spdy->headers_memory, sizeof spdy->headers_memory);
    return spdy_inflate_start(&spdy->inflate);
}

/* ---- small numbers --------------------------------------------------------------------------- */

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_u32(struct buf *out, uint32_t value)
{
    const char bytes[4] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8),
                           (char)value};
    buf_put(out, str_make(bytes, 4));
}

static size_t free_bytes(const struct buf *buf)
{
    return buf->bytes_max - buf->bytes;
}

static void put_control(struct spdy *spdy, enum type type, uint32_t payload_bytes)
{
    put_u32(spdy->out, 0x80030000u | (uint32_t)type);
    put_u32(spdy->out, payload_bytes);
}

static void put_pair(struct spdy *spdy, enum type type, uint32_t a, uint32_t b)
{
    put_control(spdy, type, 8);
    put_u32(spdy->out, a);
    put_u32(spdy->out, b);
}

static enum spdy_event fail(struct spdy *spdy, const char *why)
{
    spdy->phase = PHASE_FAILED;
    spdy->why = why;
    if (free_bytes(spdy->out) >= 16) {
        put_pair(spdy, TYPE_GOAWAY, spdy->last_id, 1); /* PROTOCOL_ERROR */
    }
    return SPDY_FAILED;
}

/* ---- streams --------------------------------------------------------------------------------- */

static struct spdy_stream *find(const struct spdy *spdy, uint32_t id)
{
    for (uint32_t i = 0; i < spdy->streams_max; i++) {
        if (spdy->streams[i].id == id) {
            return &spdy->streams[i];
        }
    }
    return NULL;
}

void spdy_forget(struct spdy_stream *stream)
{
    *stream = (struct spdy_stream){0};
}

/* ---- reading: collecting bytes --------------------------------------------------------------- */

/* True when spdy->head holds `wanted` bytes. */
static bool collect(struct spdy *spdy, str *input, uint32_t wanted)
{
    while (spdy->head_bytes < wanted && input->bytes > 0) {
        spdy->head[spdy->head_bytes++] = (uint8_t)input->ptr[0];
        *input = str_sub(*input, 1, SIZE_MAX);
    }
    return spdy->head_bytes == wanted;
}

/* The fixed part of each control frame; 0: we do not know the type. */
static uint32_t fixed_bytes(uint16_t type)
{
    switch (type) {
    case TYPE_SYN_STREAM:
        return 10;
    case TYPE_RST_STREAM:
    case TYPE_GOAWAY:
    case TYPE_WINDOW_UPDATE:
        return 8;
    case TYPE_SYN_REPLY:
    case TYPE_SETTINGS:
    case TYPE_PING:
    case TYPE_HEADERS:
        return 4;
    default:
        return 0;
    }
}

static enum spdy_event take_head(struct spdy *spdy)
{
    uint32_t first = read_u32(spdy->head);
    uint32_t second = read_u32(spdy->head + 4);
    spdy->head_bytes = 0;
    spdy->is_control = first >> 31 != 0;
    spdy->flags = (uint8_t)(second >> 24);
    spdy->left_bytes = second & 0xffffffu;
    if (!spdy->is_control) {
        spdy->stream_id = first;
        spdy->phase = PHASE_DATA;
        return first == 0 ? fail(spdy, "data for stream 0") : NOT_AN_EVENT;
    }
    if ((first >> 16 & 0x7fffu) != 3) {
        return fail(spdy, "not SPDY/3");
    }
    spdy->type = (uint16_t)first;
    uint32_t fixed = fixed_bytes(spdy->type);
    if (spdy->left_bytes < fixed) {
        return fail(spdy, "a control frame is too short");
    }
    spdy->phase = fixed > 0 ? PHASE_FIXED : PHASE_SKIP;
    return NOT_AN_EVENT;
}

/* ---- reading: streams are opened ------------------------------------------------------------- */

/* Offset of the field behind the one at `at`, or 0 when the block ends within it. */
static size_t field_at(str block, size_t at, str *field)
{
    if (block.bytes < 4 || at > block.bytes - 4) {
        return 0;
    }
    uint32_t bytes = read_u32((const uint8_t *)block.ptr + at);
    if (bytes > block.bytes - at - 4) {
        return 0;
    }
    *field = str_sub(block, at + 4, bytes);
    return at + 4 + bytes;
}

/* Whether the block is what it says: a count and so many names and values, nothing more. */
static bool block_is_whole(str block)
{
    size_t at = 4;
    str field;
    if (block.bytes < 4) {
        return false;
    }
    uint32_t count = read_u32((const uint8_t *)block.ptr);
    for (uint32_t i = 0; i < count && at != 0; i++) {
        at = field_at(block, at, &field);
        at = at == 0 ? 0 : field_at(block, at, &field);
    }
    return at == block.bytes;
}

bool spdy_header(const struct spdy *spdy, str name, str *value)
{
    str block = buf_str(&spdy->headers);
    size_t at = 4;
    str key;
    while (at != 0 && at < block.bytes) {
        at = field_at(block, at, &key);
        at = at == 0 ? 0 : field_at(block, at, value);
        if (at != 0 && str_eq_nocase(key, name)) {
            return true;
        }
    }
    return false;
}

static enum spdy_event open_stream(struct spdy *spdy, struct spdy_got *got)
{
    uint32_t id = spdy->stream_id;
    if (id <= spdy->last_id || id % 2 == 0) {
        return fail(spdy, "a stream number out of order");
    }
    spdy->last_id = id;
    struct spdy_stream *stream = spdy->is_away ? NULL : find(spdy, 0);
    if (stream == NULL) {
        put_pair(spdy, TYPE_RST_STREAM, id, SPDY_REFUSED_STREAM);
        return NOT_AN_EVENT;
    }
    *stream = (struct spdy_stream){.id = id, .window = spdy->window_initial};
    got->stream = stream;
    if ((spdy->flags & FLAG_FIN) != 0) { /* told next, as if an empty data frame had followed */
        spdy->phase = PHASE_DATA;
    }
    return SPDY_OPENED;
}

static enum spdy_event block_done(struct spdy *spdy, struct spdy_got *got)
{
    spdy->phase = PHASE_HEAD;
    if (!block_is_whole(buf_str(&spdy->headers))) {
        return fail(spdy, "a malformed header block");
    }
    if (spdy->type == TYPE_SYN_STREAM) {
        return open_stream(spdy, got);
    }
    if (spdy->type == TYPE_SYN_REPLY) {
        return fail(spdy, "a reply to a stream we did not open");
    }
    if ((spdy->flags & FLAG_FIN) != 0) { /* HEADERS */
        spdy->phase = PHASE_DATA;
    }
    return NOT_AN_EVENT;
}

static enum spdy_event take_block(struct spdy *spdy, str *input, struct spdy_got *got)
{
    str piece = str_sub(*input, 0, spdy->left_bytes);
    *input = str_sub(*input, piece.bytes, SIZE_MAX);
    spdy->left_bytes -= (uint32_t)piece.bytes;
    if (piece.bytes > 0) {
        enum err err = spdy_inflate_put(&spdy->inflate, piece, &spdy->headers);
        if (err != ERR_OK) {
            return fail(spdy, err == ERR_TOO_BIG ? "a header block is too big" : err_text(err));
        }
    }
    return spdy->left_bytes > 0 ? SPDY_NEED_MORE : block_done(spdy, got);
}

/* ---- reading: the other control frames ------------------------------------------------------- */

static bool widen(int64_t *window, int64_t by)
{
    *window += by;
    return *window <= WINDOW_MAX;
}

static enum spdy_event take_window(struct spdy *spdy, uint32_t id, uint32_t by)
{
    struct spdy_stream *stream = id == 0 ? NULL : find(spdy, id);
    bool is_sane = true;
    spdy->has_flow_control = true;
    if (id == 0) {
        is_sane = widen(&spdy->window, by);
    } else if (stream != NULL) { /* else it is over already */
        is_sane = widen(&stream->window, by);
    }
    return is_sane ? NOT_AN_EVENT : fail(spdy, "a window grew too large");
}

static enum spdy_event take_setting(struct spdy *spdy)
{
    uint32_t id = read_u32(spdy->head) & 0xffffffu;
    int64_t value = read_u32(spdy->head + 4);
    if (id != SETTING_INITIAL_WINDOW) {
        return NOT_AN_EVENT;
    }
    bool is_sane = value <= WINDOW_MAX;
    for (uint32_t i = 0; i < spdy->streams_max && is_sane; i++) {
        if (spdy->streams[i].id != 0) {
            is_sane = widen(&spdy->streams[i].window, value - spdy->window_initial);
        }
    }
    spdy->window_initial = value;
    spdy->has_flow_control = true;
    return is_sane ? NOT_AN_EVENT : fail(spdy, "a window grew too large");
}

static enum spdy_event take_settings(struct spdy *spdy, str *input)
{
    if (spdy->settings_left == 0 || spdy->left_bytes < 8) {
        spdy->phase = PHASE_SKIP;
        return spdy->settings_left == 0 ? NOT_AN_EVENT : fail(spdy, "settings are cut short");
    }
    if (!collect(spdy, input, 8)) {
        return SPDY_NEED_MORE;
    }
    spdy->head_bytes = 0;
    spdy->left_bytes -= 8;
    spdy->settings_left--;
    return take_setting(spdy);
}

static enum spdy_event take_reset(struct spdy *spdy, struct spdy_got *got)
{
    struct spdy_stream *stream = find(spdy, spdy->stream_id);
    if (spdy->stream_id == 0 || stream == NULL) {
        return NOT_AN_EVENT;
    }
    stream->is_in_over = stream->is_out_over = true;
    got->stream = stream;
    return SPDY_RESET;
}

/* The fixed part of a control frame is there. */
static enum spdy_event take_fixed(struct spdy *spdy, struct spdy_got *got)
{
    uint32_t first = read_u32(spdy->head);
    uint32_t second = spdy->head_bytes >= 8 ? read_u32(spdy->head + 4) : 0;
    spdy->left_bytes -= spdy->head_bytes;
    spdy->head_bytes = 0;
    spdy->stream_id = first & 0x7fffffffu;
    spdy->phase = PHASE_SKIP;
    switch (spdy->type) {
    case TYPE_RST_STREAM:
        return take_reset(spdy, got);
    case TYPE_SETTINGS:
        spdy->settings_left = first;
        spdy->phase = PHASE_SETTINGS;
        return NOT_AN_EVENT;
    case TYPE_PING:
        if (first % 2 == 1) { /* theirs; an even one would answer one of ours */
            put_control(spdy, TYPE_PING, 4);
            put_u32(spdy->out, first);
        }
        return NOT_AN_EVENT;
    case TYPE_GOAWAY:
        spdy->is_away = true;
        return SPDY_AWAY;
    case TYPE_WINDOW_UPDATE:
        return take_window(spdy, spdy->stream_id, second & 0x7fffffffu);
    default: /* SYN_STREAM, SYN_REPLY, HEADERS */
        buf_clear(&spdy->headers);
        spdy->phase = PHASE_BLOCK;
        return NOT_AN_EVENT;
    }
}

/* ---- reading: data --------------------------------------------------------------------------- */

static void report_taken(struct spdy *spdy, uint32_t id, uint32_t *unsaid, size_t bytes)
{
    *unsaid += (uint32_t)bytes;
    if (*unsaid >= UPDATE_AFTER_BYTES) {
        put_pair(spdy, TYPE_WINDOW_UPDATE, id, *unsaid);
        *unsaid = 0;
    }
}

static enum spdy_event end_of_frame(struct spdy *spdy, struct spdy_stream *stream,
                                    struct spdy_got *got)
{
    spdy->phase = PHASE_HEAD;
    if ((spdy->flags & FLAG_FIN) == 0 || stream == NULL || stream->is_in_over) {
        return NOT_AN_EVENT;
    }
    stream->is_in_over = true;
    got->stream = stream;
    return SPDY_ENDED;
}

static enum spdy_event take_data(struct spdy *spdy, str *input, size_t room, struct spdy_got *got)
{
    struct spdy_stream *stream = find(spdy, spdy->stream_id);
    if (spdy->left_bytes == 0) {
        return end_of_frame(spdy, stream, got);
    }
    if (input->bytes == 0) {
        return SPDY_NEED_MORE;
    }
    if (stream == NULL && spdy->stream_id > spdy->last_id) {
        return fail(spdy, "data for a stream that was not opened");
    }
    bool is_wanted = stream != NULL && !stream->is_in_over; /* else it is on its way still */
    if (is_wanted && room == 0) {
        got->stream = stream;
        return SPDY_NEED_ROOM;
    }
    size_t most = is_wanted && room < spdy->left_bytes ? room : spdy->left_bytes;
    str piece = str_sub(*input, 0, most);
    *input = str_sub(*input, piece.bytes, SIZE_MAX);
    spdy->left_bytes -= (uint32_t)piece.bytes;
    report_taken(spdy, 0, &spdy->unsaid, piece.bytes);
    if (!is_wanted) {
        return NOT_AN_EVENT;
    }
    report_taken(spdy, stream->id, &stream->unsaid, piece.bytes);
    *got = (struct spdy_got){.stream = stream, .piece = piece};
    return SPDY_DATA;
}

static enum spdy_event skip(struct spdy *spdy, str *input)
{
    str piece = str_sub(*input, 0, spdy->left_bytes);
    *input = str_sub(*input, piece.bytes, SIZE_MAX);
    spdy->left_bytes -= (uint32_t)piece.bytes;
    if (spdy->left_bytes > 0) {
        return SPDY_NEED_MORE;
    }
    spdy->phase = PHASE_HEAD;
    return NOT_AN_EVENT;
}

static enum spdy_event step(struct spdy *spdy, str *input, size_t room, struct spdy_got *got)
{
    switch ((enum phase)spdy->phase) {
    case PHASE_HEAD:
        return collect(spdy, input, HEAD_BYTES) ? take_head(spdy) : SPDY_NEED_MORE;
    case PHASE_FIXED:
        return collect(spdy, input, fixed_bytes(spdy->type)) ? take_fixed(spdy, got)
                                                             : SPDY_NEED_MORE;
    case PHASE_BLOCK:
        return take_block(spdy, input, got);
    case PHASE_SETTINGS:
        return take_settings(spdy, input);
    case PHASE_DATA:
        return take_data(spdy, input, room, got);
    case PHASE_SKIP:
        return skip(spdy, input);
    case PHASE_FAILED:
        break;
    }
    return SPDY_FAILED;
}

enum spdy_event spdy_next(struct spdy *spdy, str *input, size_t room, struct spdy_got *got)
{
    enum spdy_event event = NOT_AN_EVENT;
    *got = (struct spdy_got){0};
    while (event == NOT_AN_EVENT) {
        if (free_bytes(spdy->out) < SPDY_RESERVE_BYTES / 2 && spdy->phase != PHASE_FAILED) {
            return SPDY_NEED_ROOM;
        }
        event = step(spdy, input, room, got);
    }
    return event;
}

/* ---- writing --------------------------------------------------------------------------------- */

void spdy_reply(struct spdy *spdy, struct spdy_stream *stream)
{
    static const char no_headers[4] = {0, 0, 0, 0};
    char memory[sizeof no_headers + SPDY_DEFLATE_EXTRA_BYTES];
    struct buf block;
    buf_init(&block, memory, sizeof memory);
    spdy_deflate_put(&block, str_make(no_headers, sizeof no_headers), !spdy->has_replied);
    CHECK(buf_ok(&block) && free_bytes(spdy->out) >= block.bytes + 12);
    spdy->has_replied = true;
    put_control(spdy, TYPE_SYN_REPLY, (uint32_t)(4 + block.bytes));
    put_u32(spdy->out, stream->id);
    buf_put(spdy->out, buf_str(&block));
}

size_t spdy_room(const struct spdy *spdy, const struct spdy_stream *stream)
{
    size_t room = free_bytes(spdy->out);
    room = room > SPDY_RESERVE_BYTES + HEAD_BYTES ? room - SPDY_RESERVE_BYTES - HEAD_BYTES : 0;
    room = room < SPDY_DATA_BYTES_MAX ? room : SPDY_DATA_BYTES_MAX;
    if (stream->is_out_over || spdy->phase == PHASE_FAILED) {
        return 0;
    }
    if (spdy->has_flow_control) {
        int64_t window = spdy->window < stream->window ? spdy->window : stream->window;
        window = window > 0 ? window : 0;
        room = (int64_t)room < window ? room : (size_t)window;
    }
    return room;
}

size_t spdy_put(struct spdy *spdy, struct spdy_stream *stream, str data)
{
    size_t room = spdy_room(spdy, stream);
    str piece = str_sub(data, 0, room);
    if (piece.bytes > 0) {
        put_u32(spdy->out, stream->id);
        put_u32(spdy->out, (uint32_t)piece.bytes);
        buf_put(spdy->out, piece);
        stream->window -= (int64_t)piece.bytes;
        spdy->window -= (int64_t)piece.bytes;
    }
    return piece.bytes;
}

/* What the caller sends by itself must not use up what is kept for answers. */
static bool has_room_for_control(const struct spdy *spdy)
{
    return free_bytes(spdy->out) >= SPDY_RESERVE_BYTES / 2 + 16;
}

bool spdy_end(struct spdy *spdy, struct spdy_stream *stream)
{
    if (stream->is_out_over) {
        return true;
    }
    if (!has_room_for_control(spdy)) {
        return false;
    }
    put_u32(spdy->out, stream->id);
    put_u32(spdy->out, FLAG_FIN << 24);
    stream->is_out_over = true;
    return true;
}

bool spdy_reset(struct spdy *spdy, struct spdy_stream *stream, enum spdy_status status)
{
    bool has_room = has_room_for_control(spdy);
    if (has_room) {
        put_pair(spdy, TYPE_RST_STREAM, stream->id, (uint32_t)status);
    }
    spdy_forget(stream);
    return has_room;
}
