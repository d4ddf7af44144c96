/*
 * see log.h
 *
 * How a write to stderr never blocks, although the descriptor may be shared with other programs and
 * so must not be made non-blocking:
 *   pipe          opened once more through /proc, which gives a description of our own
 *   socket        MSG_DONTWAIT
 *   anything else asked with poll() first, and then given at most PIPE_BYTES_SURE
 *
 * One process, one log: the state is static. Not for use from other threads.
 */
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/codec.h"
#include "os/loop.h"
#include "os/os.h"

#define PIPE_BYTES_SURE 4096   /* PIPE_BUF: what a writable pipe surely takes */
#define MESSAGE_BYTES_MAX 4096 /* formatted before secrets are replaced, which may shorten it */
#define HIDDEN_HEAD_BYTES 64   /* a longer secret is recognised by its beginning */
#define HIDDEN_BYTES_MIN 6     /* shorter ones would black out ordinary words */
#define NOTICE_BYTES_MAX 128   /* the line that tells how many lines were dropped */

static const char *const level_names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

#define LEVELS_COUNT (sizeof(level_names) / sizeof(level_names[0]))

struct hidden {
    char head[HIDDEN_HEAD_BYTES];
    size_t bytes; /* of the whole secret; 0 = free row */
};

static enum log_level level_now = LOG_INFO;
static struct hidden hidden_rows[LOG_HIDDEN_MAX];
static uint32_t hidden_next; /* the row to use next */

static struct {
    char *ptr; /* NULL before log_init: lines go straight out */
    size_t bytes_max, first, bytes;
} ring;

static int fd_now = STDERR_FILENO;
static bool is_socket;
static uint64_t dropped_ever;
static uint64_t dropped_untold;
static struct loop *loop_now;
static struct loop_watch watch = {.fd = -1};

static void submit(str line);
static void drain(void);

/* ---- composing a line ------------------------------------------------------------------------ */

void log_set_level(enum log_level level)
{
    level_now = level;
}

bool log_is_on(enum log_level level)
{
    return level <= level_now;
}

/* "2026-01-02T03:04:05.678Z info  pod     " */
static void put_head(struct buf *out, enum log_level level, const char *area)
{
    int64_t wall_ms = os_wall_ms();
    codec_put_time(out, wall_ms / 1000);
    out->bytes--; /* the fraction goes before the Z */
    buf_put_fmt(out, ".%03dZ %-5s %-7s ", (int)(wall_ms % 1000), level_names[level], area);
}

/* How many bytes at the front of text are to be hidden. When the message was cut, a beginning of a
 * secret at its end counts too. */
static size_t hidden_bytes_at(str text, bool is_cut)
{
    for (size_t i = 0; i < LOG_HIDDEN_MAX; i++) {
        const struct hidden *row = &hidden_rows[i];
        str head =
            str_make(row->head, row->bytes < sizeof(row->head) ? row->bytes : sizeof(row->head));
        if (head.bytes > 0 && str_starts(text, head)) {
            return row->bytes < text.bytes ? row->bytes : text.bytes;
        }
        if (is_cut && str_starts(head, text)) {
            return text.bytes;
        }
    }
    return 0;
}

static bool is_control(str character)
{
    uint8_t first = (uint8_t)character.ptr[0];
    /* ASCII controls, DEL, and U+0080 to U+009F, which some terminals obey as well. */
    return first < 0x20 || first == 0x7f ||
           (character.bytes == 2 && first == 0xC2 && (uint8_t)character.ptr[1] < 0xA0);
}

static void put_escaped_bytes(struct buf *out, str bytes)
{
    for (size_t i = 0; i < bytes.bytes; i++) {
        switch (bytes.ptr[i]) {
        case '\n':
            buf_put_text(out, "\\n");
            break;
        case '\r':
            buf_put_text(out, "\\r");
            break;
        case '\t':
            buf_put_text(out, "\\t");
            break;
        default:
            buf_put_fmt(out, "\\x%02x", (unsigned)(uint8_t)bytes.ptr[i]);
            break;
        }
    }
}

/* Puts the message: secrets replaced, one line, only printable UTF-8. */
static void put_message(struct buf *out, str message, bool is_cut)
{
    while (message.bytes > 0) {
        size_t eaten = hidden_bytes_at(message, is_cut);
        if (eaten > 0) {
            buf_put_text(out, "***");
        } else {
            size_t bytes = codec_utf8_char(message);
            str character = str_sub(message, 0, bytes > 0 ? bytes : 1);
            eaten = character.bytes;
            if (bytes == 0 || is_control(character)) {
                put_escaped_bytes(out, character);
            } else {
                buf_put(out, character);
            }
        }
        message = str_sub(message, eaten, SIZE_MAX);
    }
}

/* line has LOG_LINE_BYTES_MAX bytes. Returns the line with its newline. */
static str compose(char *line, enum log_level level, const char *area, str message, bool is_cut)
{
    static const char cut_mark[] = "...\n";
    struct buf out;
    buf_init(&out, line, LOG_LINE_BYTES_MAX - (sizeof(cut_mark) - 1));
    put_head(&out, level, area);
    put_message(&out, message, is_cut);
    str end = buf_ok(&out) && !is_cut ? S("\n") : S("...\n");
    memcpy(line + out.bytes, end.ptr, end.bytes);
    return str_make(line, out.bytes + end.bytes);
}

void log_line(enum log_level level, const char *area, const char *format, ...)
{
    char message[MESSAGE_BYTES_MAX];
    char line[LOG_LINE_BYTES_MAX];
    CHECK((size_t)level < LEVELS_COUNT && area != NULL);
    if (!log_is_on(level)) {
        return;
    }
    int saved_errno = errno; /* a caller may log first and look at errno then */
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    bool is_cut = bytes < 0 || (size_t)bytes >= sizeof(message);
    submit(compose(line, level, area, str_of(message), is_cut));
    errno = saved_errno;
}

void log_hide(str secret)
{
    if (secret.bytes < HIDDEN_BYTES_MIN) {
        return;
    }
    struct hidden row = {.bytes = secret.bytes};
    memcpy(row.head, secret.ptr, secret.bytes < sizeof(row.head) ? secret.bytes : sizeof(row.head));
    for (size_t i = 0; i < LOG_HIDDEN_MAX; i++) {
        if (memcmp(&hidden_rows[i], &row, sizeof(row)) == 0) {
            return; /* known; credentials are read again and again */
        }
    }
    hidden_rows[hidden_next] = row;
    hidden_next = (hidden_next + 1) % LOG_HIDDEN_MAX;
}

/* ---- the way out ----------------------------------------------------------------------------- */

static void adopt_stderr(void)
{
    struct stat info;
    if (fd_now != STDERR_FILENO) {
        (void)close(fd_now);
    }
    fd_now = STDERR_FILENO;
    is_socket = false;
    if (fstat(STDERR_FILENO, &info) != 0) {
        return;
    }
    is_socket = S_ISSOCK(info.st_mode);
    if (S_ISFIFO(info.st_mode)) {
        int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        fd_now = own >= 0 ? own : STDERR_FILENO;
    }
}

void log_init(struct region *region, size_t ring_bytes)
{
    CHECK(ring_bytes >= LOG_LINE_BYTES_MAX + NOTICE_BYTES_MAX);
    ring.ptr = region_carve(region, "log ring", ring_bytes, 1);
    ring.bytes_max = ring_bytes;
    ring.first = 0;
    ring.bytes = 0;
    dropped_untold = 0;
    adopt_stderr();
}

void log_attach(struct loop *loop)
{
    loop_now = loop;
    drain();
}

uint64_t log_dropped(void)
{
    return dropped_ever;
}

/* Bytes written; 0 when not now. Errors (no reader, disk full) count as "not now": the reader may
 * come back, and until then the ring fills and lines are dropped. */
static size_t write_some(const char *data, size_t bytes)
{
    struct pollfd ready = {.fd = fd_now, .events = POLLOUT};
    if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) {
        return 0;
    }
    bytes = bytes < PIPE_BYTES_SURE ? bytes : PIPE_BYTES_SURE;
    ssize_t written = is_socket ? send(fd_now, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL)
                                : write(fd_now, data, bytes);
    return written > 0 ? (size_t)written : 0;
}

/* Writes what stderr takes now. */
static void write_ring(void)
{
    while (ring.bytes > 0) {
        size_t straight = ring.bytes_max - ring.first;
        size_t written =
            write_some(ring.ptr + ring.first, ring.bytes < straight ? ring.bytes : straight);
        if (written == 0) {
            return;
        }
        ring.bytes -= written;
        /* From the front again when it is empty: what is never needed is never touched. */
        ring.first = ring.bytes > 0 ? (ring.first + written) % ring.bytes_max : 0;
    }
}

static size_t ring_room(void)
{
    return ring.bytes_max - ring.bytes;
}

static void ring_put(str line)
{
    CHECK(line.bytes <= ring_room());
    size_t end = (ring.first + ring.bytes) % ring.bytes_max;
    size_t straight = ring.bytes_max - end;
    size_t first_part = line.bytes < straight ? line.bytes : straight;
    memcpy(ring.ptr + end, line.ptr, first_part);
    memcpy(ring.ptr, line.ptr + first_part, line.bytes - first_part);
    ring.bytes += line.bytes;
}

/* Says how many lines are missing here, when there is room to say it. */
static void tell_dropped(void)
{
    char text[64];
    char line[LOG_LINE_BYTES_MAX];
    if (dropped_untold == 0 || ring_room() < NOTICE_BYTES_MAX) {
        return;
    }
    struct buf message;
    buf_init(&message, text, sizeof(text));
    buf_put_u64(&message, dropped_untold);
    buf_put_text(&message, " lines dropped here: stderr was not read fast enough");
    str notice = compose(line, LOG_WARN, "log", buf_str(&message), false);
    CHECK(notice.bytes <= NOTICE_BYTES_MAX);
    ring_put(notice);
    dropped_untold = 0;
}

static void on_writable(struct loop_watch *ready, uint32_t events)
{
    write_ring();
    tell_dropped();
    write_ring();
    /* Without a reader the descriptor would be reported for ever; back to a try per line. */
    if (ring.bytes == 0 || (events & LOOP_ERROR)) {
        loop_watch_remove(loop_now, ready);
    }
}

static bool is_waiting(void)
{
    return watch.fd >= 0;
}

/* Writes what can be written; for the rest the loop is asked to call, if there is one. */
static void drain(void)
{
    if (is_waiting()) {
        return;
    }
    write_ring();
    if (ring.bytes > 0 && loop_now != NULL) {
        /* Refused for files, which are always writable: then the next line tries again. */
        (void)!loop_watch_add(loop_now, &watch, fd_now, LOOP_WRITE, on_writable, NULL);
    }
}

static void write_straight(str line)
{
    while (line.bytes > 0) {
        ssize_t written = write(STDERR_FILENO, line.ptr, line.bytes);
        if (written <= 0 && errno != EINTR) {
            return;
        }
        line = str_sub(line, written > 0 ? (size_t)written : 0, SIZE_MAX);
    }
}

static void submit(str line)
{
    if (ring.ptr == NULL) {
        write_straight(line);
        return;
    }
    drain();
    tell_dropped();
    if (dropped_untold > 0 ||
        line.bytes > ring_room()) { /* keep the order: no line before the notice */
        dropped_ever++;
        dropped_untold++;
        return;
    }
    ring_put(line);
    drain();
}

void log_flush(msec wait_max_ms)
{
    msec deadline_ms = os_now_ms() + wait_max_ms;
    size_t left_bytes;
    write_ring();
    do {
        tell_dropped();
        left_bytes = ring.bytes;
        msec left_ms = deadline_ms - os_now_ms();
        if (left_bytes == 0 || left_ms <= 0) {
            return;
        }
        struct pollfd ready = {.fd = fd_now, .events = POLLOUT};
        (void)poll(&ready, 1, (int)(left_ms < INT32_MAX ? left_ms : INT32_MAX));
        write_ring();
    } while (ring.bytes < left_bytes); /* else there is no reader, or the time is over */
}
