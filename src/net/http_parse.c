/* see http_parse.h */
#include "net/http_parse.h"

#include "base/check.h"

enum phase {
    PHASE_START,      /* collecting the request or status line */
    PHASE_FIELDS,     /* collecting header lines */
    PHASE_HEAD_READY, /* the empty line has come; tell the caller */
    PHASE_SIZED,      /* body of known length */
    PHASE_TO_END,     /* body until the connection ends */
    PHASE_CHUNK_SIZE, /* hexadecimal digits */
    PHASE_CHUNK_EXT,  /* ";..." up to the line's end */
    PHASE_CHUNK_LF,   /* LF of the chunk line */
    PHASE_CHUNK_DATA,
    PHASE_CHUNK_CR, /* CR and LF behind the data */
    PHASE_CHUNK_END,
    PHASE_TRAILERS, /* collecting trailer lines */
    PHASE_DONE,
    PHASE_FAILED
};

/* ---- life ------------------------------------------------------------------------------------ */

void http_parse_init(struct http_parse *parse, enum http_kind kind, void *memory, size_t bytes_max)
{
    CHECK(memory != NULL && bytes_max >= 256 && bytes_max <= UINT16_MAX);
    memset(parse, 0, sizeof *parse);
    parse->kind = kind;
    parse->memory = memory;
    parse->memory_max = (uint32_t)bytes_max;
}

void http_parse_reset(struct http_parse *parse, bool is_head_reply)
{
    enum http_kind kind = parse->kind;
    char *memory = parse->memory;
    uint32_t memory_max = parse->memory_max;

    memset(parse, 0, offsetof(struct http_parse, fields));
    parse->kind = kind;
    parse->memory = memory;
    parse->memory_max = memory_max;
    parse->has_no_body = is_head_reply;
}

static bool fail_as(struct http_parse *p, enum err err, const char *why)
{
    p->phase = PHASE_FAILED;
    p->err = err;
    p->why = why;
    return false;
}

/* False, so that callers can return it. */
static bool fail(struct http_parse *p, const char *why)
{
    return fail_as(p, p->kind == HTTP_REQUEST ? ERR_BAD_INPUT : ERR_BAD_REPLY, why);
}

/* ---- characters (RFC 9110 section 5.6.2, RFC 9112 section 5) --------------------------------- */

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(str s)
{
    for (size_t i = 0; i < s.bytes; i++) {
        if (!is_token_char(s.ptr[i])) {
            return false;
        }
    }
    return s.bytes > 0;
}

/* Blanks, visible characters and bytes above ASCII; no control characters. */
static bool is_text_char(char c)
{
    return ((unsigned char)c >= 0x20 && c != 0x7F) || c == '\t';
}

static bool is_text(str s)
{
    for (size_t i = 0; i < s.bytes; i++) {
        if (!is_text_char(s.ptr[i])) {
            return false;
        }
    }
    return true;
}

static str trim_blanks(str s)
{
    while (s.bytes > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s = str_sub(s, 1, s.bytes);
    }
    while (s.bytes > 0 && (s.ptr[s.bytes - 1] == ' ' || s.ptr[s.bytes - 1] == '\t')) {
        s.bytes--;
    }
    return s;
}

bool http_has_token(str value, str token)
{
    str piece;
    while (str_cut(&value, ',', &piece)) {
        if (str_eq_nocase(trim_blanks(piece), token)) {
            return true;
        }
    }
    return false;
}

/* ---- start lines ----------------------------------------------------------------------------- */

/* "HTTP/1.0" or "HTTP/1.1"; other versions are none of ours. */
static bool take_version(struct http_parse *p, str text)
{
    if (!str_eq(text, S("HTTP/1.1")) && !str_eq(text, S("HTTP/1.0"))) {
        return fail(p, "not HTTP/1.1");
    }
    p->head.version_minor = text.ptr[7] - '0';
    return true;
}

/* HTTP/1.1 200 OK. The reason may be empty; some proxies leave its blank out too. */
static bool take_status_line(struct http_parse *p, str line)
{
    if (!take_version(p, str_sub(line, 0, 8))) {
        return false;
    }
    str rest = str_sub(line, 8, line.bytes);
    int64_t status = 0;
    bool is_shaped = rest.bytes >= 4 && rest.ptr[0] == ' ' &&
                     (rest.bytes == 4 || rest.ptr[4] == ' ') && rest.ptr[1] >= '1' &&
                     rest.ptr[1] <= '5' && str_to_i64(str_sub(rest, 1, 3), &status);
    if (!is_shaped || !is_text(rest)) {
        return fail(p, "malformed status line");
    }
    p->head.status = (int)status;
    return true;
}

/* A target is printable ASCII; everything else must be percent-encoded (RFC 9112 section 3.2). */
static bool is_target(str s)
{
    for (size_t i = 0; i < s.bytes; i++) {
        if (s.ptr[i] <= 0x20 || s.ptr[i] >= 0x7F) {
            return false;
        }
    }
    return s.bytes > 0 && (s.ptr[0] == '/' || str_eq(s, S("*")));
}

/* GET /path?query HTTP/1.1 */
static bool take_request_line(struct http_parse *p, str line)
{
    ptrdiff_t first = str_find_char(line, ' ');
    str rest = str_sub(line, first < 0 ? line.bytes : (size_t)first + 1, line.bytes);
    ptrdiff_t second = str_find_char(rest, ' ');

    p->head.method = str_sub(line, 0, first < 0 ? 0 : (size_t)first);
    p->head.target = str_sub(rest, 0, second < 0 ? 0 : (size_t)second);
    if (!is_token(p->head.method) || !is_target(p->head.target)) {
        return fail(p, "malformed request line");
    }
    return take_version(p, str_sub(rest, (size_t)second + 1, rest.bytes));
}

/* ---- fields ---------------------------------------------------------------------------------- */

static bool take_content_length(struct http_parse *p, str value)
{
    uint64_t bytes = 0;
    bool is_number = value.bytes > 0 && value.ptr[0] >= '0' && value.ptr[0] <= '9';

    if (p->lengths_count++ > 0) {
        return fail(p, "more than one Content-Length");
    }
    if (!is_number || !str_to_u64(value, &bytes) || bytes > (uint64_t)HTTP_BODY_BYTES_MAX) {
        return fail(p, "malformed Content-Length");
    }
    p->left_bytes = (int64_t)bytes;
    return true;
}

static bool take_transfer_encoding(struct http_parse *p, str value)
{
    if (p->head.is_chunked || !str_eq_nocase(value, S("chunked"))) {
        return fail(p, "Transfer-Encoding is not just \"chunked\"");
    }
    p->head.is_chunked = true;
    return true;
}

static bool take_connection(struct http_parse *p, str value)
{
    p->has_close |= http_has_token(value, S("close"));
    p->has_keep_alive |= http_has_token(value, S("keep-alive"));
    p->has_upgrade_token |= http_has_token(value, S("upgrade"));
    return true;
}

static bool take_upgrade(struct http_parse *p, str value)
{
    p->has_upgrade_field = value.bytes > 0;
    return true;
}

static bool take_host(struct http_parse *p, str value)
{
    (void)value;
    p->hosts_count++;
    return true;
}

static bool take_expect(struct http_parse *p, str value)
{
    p->head.expects_continue = p->kind == HTTP_REQUEST && str_eq_nocase(value, S("100-continue"));
    return true;
}

/* The fields that decide about framing; the rest is only kept. */
static const struct {
    const char *name;
    bool (*take)(struct http_parse *p, str value);
} framing_fields[] = {
    {"content-length", take_content_length},
    {"transfer-encoding", take_transfer_encoding},
    {"connection", take_connection},
    {"upgrade", take_upgrade},
    {"host", take_host},
    {"expect", take_expect},
};

static bool take_framing_field(struct http_parse *p, str name, str value)
{
    for (size_t i = 0; i < sizeof framing_fields / sizeof framing_fields[0]; i++) {
        if (str_eq_nocase(name, str_of(framing_fields[i].name))) {
            return framing_fields[i].take(p, value);
        }
    }
    return true;
}

/* name: value (RFC 9112 section 5). A folded line begins with a blank, which is no token. */
static bool take_field_line(struct http_parse *p, str line)
{
    ptrdiff_t colon = str_find_char(line, ':');
    str name = str_sub(line, 0, colon < 0 ? 0 : (size_t)colon);

    if (!is_token(name)) {
        return fail(p, "malformed header line");
    }
    str value = trim_blanks(str_sub(line, (size_t)colon + 1, line.bytes));
    if (!is_text(value)) {
        return fail(p, "control character in a header");
    }
    if (p->fields_count == HTTP_HEADERS_MAX) {
        return fail_as(p, ERR_TOO_BIG, "too many headers");
    }
    p->fields[p->fields_count++] = (struct http_field){
        .name_at = (uint16_t)(name.ptr - p->memory),
        .name_bytes = (uint16_t)name.bytes,
        .value_at = (uint16_t)(value.bytes > 0 ? value.ptr - p->memory : 0),
        .value_bytes = (uint16_t)value.bytes,
    };
    return p->phase == PHASE_TRAILERS || take_framing_field(p, name, value);
}

void http_parse_field_at(const struct http_parse *parse, uint32_t index, str *name, str *value)
{
    CHECK(index < parse->fields_count);
    const struct http_field *field = &parse->fields[index];
    *name = str_make(parse->memory + field->name_at, field->name_bytes);
    *value = str_make(parse->memory + field->value_at, field->value_bytes);
}

bool http_parse_field(const struct http_parse *parse, str name, str *value)
{
    for (uint32_t i = 0; i < parse->fields_count; i++) {
        str candidate;
        str found;
        http_parse_field_at(parse, i, &candidate, &found);
        if (str_eq_nocase(candidate, name)) {
            *value = found;
            return true;
        }
    }
    return false;
}

/* ---- the end of the head: what kind of body follows (RFC 9112 section 6.3) ------------------- */

static bool response_has_no_body(const struct http_parse *p)
{
    int status = p->head.status;
    return p->has_no_body || status < 200 || status == 204 || status == 304;
}

static int phase_of_body(const struct http_parse *p)
{
    bool is_response = p->kind == HTTP_RESPONSE;

    if (is_response && response_has_no_body(p)) {
        return PHASE_DONE;
    }
    if (p->head.is_chunked) {
        return PHASE_CHUNK_SIZE;
    }
    if (p->lengths_count > 0) {
        return p->left_bytes > 0 ? PHASE_SIZED : PHASE_DONE;
    }
    return is_response ? PHASE_TO_END : PHASE_DONE;
}

static bool check_framing(struct http_parse *p)
{
    bool is_old = p->head.version_minor == 0;

    if (p->head.is_chunked && p->lengths_count > 0) {
        return fail(p, "both Content-Length and Transfer-Encoding");
    }
    if (p->head.is_chunked && is_old) {
        return fail(p, "Transfer-Encoding in HTTP/1.0");
    }
    if (p->kind == HTTP_REQUEST && (p->hosts_count > 1 || (p->hosts_count == 0 && !is_old))) {
        return fail(p, "not exactly one Host header");
    }
    return true;
}

/* 100, 102, 103 are news about the reply, not the reply. 101 is: the protocol changes. */
static bool skip_interim(struct http_parse *p)
{
    uint32_t count = p->interim_count + 1;
    bool has_no_body = p->has_no_body;

    if (count > HTTP_INTERIM_MAX) {
        return fail(p, "too many interim replies");
    }
    http_parse_reset(p, has_no_body);
    p->interim_count = count;
    return true;
}

static bool finish_head(struct http_parse *p)
{
    struct http_head *head = &p->head;

    if (!check_framing(p)) {
        return false;
    }
    if (p->kind == HTTP_RESPONSE && head->status < 200 && head->status != 101) {
        return skip_interim(p);
    }
    int next = phase_of_body(p);
    head->wants_upgrade = p->has_upgrade_token && p->has_upgrade_field;
    head->keeps_alive = !p->has_close && (head->version_minor == 1 || p->has_keep_alive) &&
                        next != PHASE_TO_END && head->status != 101;
    head->body_bytes = head->is_chunked || next == PHASE_TO_END ? -1 : p->left_bytes;
    if (next == PHASE_DONE) {
        head->body_bytes = 0;
        head->is_chunked = false;
    }
    p->phase = PHASE_HEAD_READY;
    return true;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static bool take_line(struct http_parse *p, str line)
{
    switch (p->phase) {
    case PHASE_START:
        if (line.bytes == 0 && p->kind == HTTP_REQUEST && p->interim_count == 0) {
            p->interim_count = 1; /* one empty line before a request is forgiven (RFC 9112 2.2) */
            p->memory_used = 0;
            return true;
        }
        p->phase = PHASE_FIELDS;
        return p->kind == HTTP_RESPONSE ? take_status_line(p, line) : take_request_line(p, line);
    case PHASE_FIELDS:
        return line.bytes > 0 ? take_field_line(p, line) : finish_head(p);
    case PHASE_TRAILERS:
        if (line.bytes > 0) {
            return take_field_line(p, line);
        }
        p->phase = PHASE_DONE;
        return true;
    default:
        CHECK(false);
        return false;
    }
}

/* A peer that does not speak HTTP should be found out by its first bytes, not by a time-out. */
static bool is_plausible_start(const struct http_parse *p)
{
    size_t bytes = p->memory_used - p->line_at;

    if (p->phase != PHASE_START || bytes == 0 || p->kind == HTTP_REQUEST) {
        return true;
    }
    return memcmp(p->memory + p->line_at, "HTTP/1.", bytes < 7 ? bytes : 7) == 0;
}

/* Takes bytes up to the end of the current line into the head's memory, and the line when complete.
 */
static bool collect_line(struct http_parse *p, str *input)
{
    const char *lf = memchr(input->ptr, '\n', input->bytes);
    size_t bytes = lf != NULL ? (size_t)(lf - input->ptr) + 1 : input->bytes;
    size_t room = p->memory_max - p->memory_used;
    size_t taken = bytes < room ? bytes : room;

    memcpy(p->memory + p->memory_used, input->ptr, taken);
    p->memory_used += (uint32_t)taken;
    *input = str_sub(*input, taken, input->bytes);
    if (!is_plausible_start(p)) {
        return fail(p, "not an HTTP reply");
    }
    if (taken < bytes) {
        return fail_as(p, ERR_TOO_BIG, "headers are too large");
    }
    if (lf == NULL) {
        return true;
    }
    str line = str_make(p->memory + p->line_at, p->memory_used - p->line_at - 1);
    if (line.bytes == 0 || line.ptr[line.bytes - 1] != '\r') {
        return fail(p, "line ends in a bare LF");
    }
    line.bytes--;
    if (memchr(line.ptr, '\r', line.bytes) != NULL) {
        return fail(p, "bare CR in a line");
    }
    bool is_good = take_line(p, line);
    p->line_at = p->memory_used;
    return is_good;
}

/* ---- chunks (RFC 9112 section 7.1), byte by byte --------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool take_chunk_size(struct http_parse *p, char c)
{
    int digit = hex_digit(c);
    bool has_digits = p->chunk_line_bytes > 1;

    if (digit >= 0) {
        p->left_bytes = p->left_bytes * 16 + digit;
        return p->left_bytes <= HTTP_BODY_BYTES_MAX / 16 || fail(p, "chunk size out of range");
    }
    if (!has_digits || (c != '\r' && c != ';')) {
        return fail(p, "malformed chunk size");
    }
    p->phase = c == '\r' ? PHASE_CHUNK_LF : PHASE_CHUNK_EXT;
    return true;
}

static bool take_chunk_line(struct http_parse *p, char c)
{
    if (++p->chunk_line_bytes > HTTP_CHUNK_LINE_MAX) {
        return fail(p, "chunk line is too long");
    }
    switch (p->phase) {
    case PHASE_CHUNK_SIZE:
        return take_chunk_size(p, c);
    case PHASE_CHUNK_EXT:
        if (c == '\r') {
            p->phase = PHASE_CHUNK_LF;
            return true;
        }
        return is_text_char(c) || fail(p, "malformed chunk extension");
    default: /* PHASE_CHUNK_LF */
        p->phase = p->left_bytes > 0 ? PHASE_CHUNK_DATA : PHASE_TRAILERS;
        p->chunk_line_bytes = 0;
        return c == '\n' || fail(p, "chunk line does not end in CRLF");
    }
}

/* CRLF behind a chunk's data. */
static bool take_chunk_end(struct http_parse *p, char c)
{
    if (c != (p->phase == PHASE_CHUNK_CR ? '\r' : '\n')) {
        return fail(p, "chunk does not end in CRLF");
    }
    p->phase = p->phase == PHASE_CHUNK_CR ? PHASE_CHUNK_END : PHASE_CHUNK_SIZE;
    return true;
}

/* ---- events ---------------------------------------------------------------------------------- */

static enum http_event take_body(struct http_parse *p, str *input, str *piece)
{
    size_t bytes = input->bytes;

    if (p->phase != PHASE_TO_END) {
        bytes = (int64_t)bytes < p->left_bytes ? bytes : (size_t)p->left_bytes;
        p->left_bytes -= (int64_t)bytes;
        if (p->left_bytes == 0) {
            p->phase = p->phase == PHASE_SIZED ? PHASE_DONE : PHASE_CHUNK_CR;
        }
    }
    *piece = str_sub(*input, 0, bytes);
    *input = str_sub(*input, bytes, input->bytes);
    return HTTP_BODY;
}

/* One step that makes no event of its own; false after a failure. */
static bool step(struct http_parse *p, str *input)
{
    char c = input->ptr[0];

    switch (p->phase) {
    case PHASE_START:
    case PHASE_FIELDS:
    case PHASE_TRAILERS:
        return collect_line(p, input);
    case PHASE_CHUNK_SIZE:
    case PHASE_CHUNK_EXT:
    case PHASE_CHUNK_LF:
        *input = str_sub(*input, 1, input->bytes);
        return take_chunk_line(p, c);
    default: /* PHASE_CHUNK_CR, PHASE_CHUNK_END */
        *input = str_sub(*input, 1, input->bytes);
        return take_chunk_end(p, c);
    }
}

enum http_event http_parse_next(struct http_parse *p, str *input, str *piece)
{
    *piece = STR_NONE;
    for (;;) {
        switch (p->phase) {
        case PHASE_HEAD_READY:
            p->phase = phase_of_body(p);
            p->left_bytes = p->head.is_chunked ? 0 : p->left_bytes;
            return HTTP_HEAD;
        case PHASE_DONE:
            return HTTP_DONE;
        case PHASE_FAILED:
            return HTTP_FAILED;
        default:
            break;
        }
        if (input->bytes == 0) {
            return HTTP_NEED_MORE;
        }
        if (p->phase == PHASE_SIZED || p->phase == PHASE_TO_END || p->phase == PHASE_CHUNK_DATA) {
            return take_body(p, input, piece);
        }
        (void)step(p, input);
    }
}

bool http_parse_has_begun(const struct http_parse *p)
{
    return p->phase != PHASE_START || p->memory_used > 0 || p->interim_count > 0;
}

enum http_event http_parse_end(struct http_parse *p)
{
    if (p->phase == PHASE_TO_END) {
        p->phase = PHASE_DONE;
    }
    if (p->phase == PHASE_DONE) {
        return HTTP_DONE;
    }
    if (p->phase != PHASE_FAILED && http_parse_has_begun(p)) {
        fail_as(p, ERR_CLOSED, "connection ended within a message");
    }
    return p->phase == PHASE_FAILED ? HTTP_FAILED : HTTP_NEED_MORE;
}
