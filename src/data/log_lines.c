/* see log_lines.h */
#include "data/log_lines.h"

#include "base/check.h"
#include "base/codec.h"

_Static_assert(LOG_RING_LINES >= LOG_LINES_MAX, "an old line must be recognised");
_Static_assert(LOG_TABLE_CELLS >= 2 * LOG_RING_LINES, "the table must keep free cells");

#define STAMP_BYTES_MAX 40 /* date, time, nine digits, offset: 35 */
#define NS 1000000000

/* ---- lines ----------------------------------------------------------------------------------- */

/* The fraction of a stamp in nanoseconds; further digits are dropped. A stamp is a valid time, so
 * the offset ends the digits. */
static int64_t fraction_ns(str stamp)
{
    ptrdiff_t dot = str_find_char(stamp, '.');
    int64_t ns = 0;
    int64_t unit = NS / 10;
    if (dot < 0) {
        return 0;
    }
    for (size_t i = (size_t)dot + 1; unit > 0; i++, unit /= 10) {
        CHECK(i < stamp.bytes);
        if (stamp.ptr[i] < '0' || stamp.ptr[i] > '9') {
            break;
        }
        ns += unit * (stamp.ptr[i] - '0');
    }
    return ns;
}

size_t log_stamp_read(str line, int64_t *at_ns)
{
    ptrdiff_t space = str_find_char(str_sub(line, 0, STAMP_BYTES_MAX), ' ');
    str stamp = str_sub(line, 0, space > 0 ? (size_t)space : line.bytes);
    int64_t unix_s;
    *at_ns = 0;
    if (stamp.bytes > STAMP_BYTES_MAX || !codec_get_time(stamp, &unix_s) ||
        unix_s >= INT64_MAX / NS) { /* from 2262 on there are too many nanoseconds */
        return 0;
    }
    *at_ns = unix_s * NS + fraction_ns(stamp);
    return space > 0 ? (size_t)space + 1 : line.bytes;
}

bool log_lines_next(str *rest, struct log_line *line)
{
    if (str_is_empty(*rest)) {
        return false;
    }
    ptrdiff_t end = str_find_char(*rest, '\n');
    size_t bytes = end >= 0 ? (size_t)end : rest->bytes;
    *line = (struct log_line){.whole = str_sub(*rest, 0, bytes), .is_terminated = end >= 0};
    line->text = str_sub(line->whole, log_stamp_read(line->whole, &line->at_ns), SIZE_MAX);
    line->hash = str_hash(line->whole) | 1;
    *rest = str_sub(*rest, bytes + (end >= 0 ? 1 : 0), SIZE_MAX);
    return true;
}

str log_whole_lines(str text, size_t limit_bytes)
{
    if (text.bytes < limit_bytes) {
        return text;
    }
    ptrdiff_t end = str_find_char(text, '\n');
    return end >= 0 ? str_sub(text, (size_t)end + 1, SIZE_MAX) : text;
}

bool log_is_capped(str text, size_t lines_max, size_t limit_bytes)
{
    size_t lines = 0;
    str piece;
    if (text.bytes >= limit_bytes) {
        return true;
    }
    while (lines < lines_max && str_cut(&text, '\n', &piece)) {
        lines++;
    }
    return lines >= lines_max;
}

/* ---- what was shown -------------------------------------------------------------------------- */

void log_merge_init(struct log_merge *merge)
{
    merge->count = 0;
    merge->floor_ns = 0;
    merge->last_ns = 0;
    merge->held_hash = 0;
}

void log_merge_floor(struct log_merge *merge, int64_t floor_ns)
{
    merge->floor_ns = floor_ns;
}

int64_t log_merge_since_s(const struct log_merge *merge)
{
    int64_t ns = merge->last_ns > merge->floor_ns ? merge->last_ns : merge->floor_ns;
    int64_t since_s = ns / NS - LOG_OVERLAP_S;
    return since_s > 0 ? since_s : 0;
}

/* ---- one reading ----------------------------------------------------------------------------- */

void log_merge_begin(struct log_walk *walk, struct log_merge *merge, str text, bool is_capped,
                     bool is_final)
{
    memset(walk, 0, sizeof *walk);
    walk->merge = merge;
    walk->rest = text;
    walk->is_capped = is_capped;
    walk->is_final = is_final;
    walk->known_ring = merge->count < LOG_RING_LINES ? merge->count : LOG_RING_LINES;
    walk->is_fresh = merge->count == 0;
    for (uint32_t i = 0; i < walk->known_ring; i++) {
        uint32_t at = (uint32_t)(merge->ring[i] >> 20) % LOG_TABLE_CELLS;
        while (walk->table[at] != 0) {
            at = (at + 1) % LOG_TABLE_CELLS;
        }
        walk->table[at] = (uint16_t)(i + 1);
    }
}

/* Uses up one remembered line with this hash. New lines overwrite the ring during the walk, so the
 * hash that was looked up must still be there; a line that was overwritten is older than any that
 * can follow in this reading. */
static bool take_known(struct log_walk *walk, uint64_t hash)
{
    uint32_t at = (uint32_t)(hash >> 20) % LOG_TABLE_CELLS;
    for (; walk->table[at] != 0; at = (at + 1) % LOG_TABLE_CELLS) {
        uint32_t place = walk->table[at] - 1u;
        if (!walk->is_used[place] && walk->merge->ring[place] == hash) {
            walk->is_used[place] = true;
            return true;
        }
    }
    return false;
}

/* One line that was shown is the newest now. */
static void put_line(struct log_merge *merge, const struct log_line *line)
{
    CHECK(line->hash != 0);
    merge->ring[merge->count % LOG_RING_LINES] = line->hash;
    merge->count++;
    if (merge->count == 0) {
        merge->count = LOG_RING_LINES; /* after 2^32 lines; the ring is full all the same */
    }
    if (line->at_ns > merge->last_ns) {
        merge->last_ns = line->at_ns;
    }
}

/* A new line takes the place of the oldest; that place must not be taken for an old line. */
static void remember(struct log_walk *walk, const struct log_line *line)
{
    walk->is_used[walk->merge->count % LOG_RING_LINES] = true;
    put_line(walk->merge, line);
}

/* Whether an unterminated line must wait, see log_lines.h. */
static bool must_wait(struct log_walk *walk, const struct log_line *line)
{
    uint64_t held = walk->merge->held_hash;
    walk->merge->held_hash = 0;
    if (line->is_terminated || walk->is_final || held == line->hash) {
        return false;
    }
    walk->merge->held_hash = line->hash;
    return true;
}

bool log_merge_next(struct log_walk *walk, struct log_line *line)
{
    struct log_merge *merge = walk->merge;
    while (log_lines_next(&walk->rest, line)) {
        if (take_known(walk, line->hash)) {
            walk->known++;
        } else if (line->at_ns != 0 && line->at_ns <= merge->floor_ns) {
            walk->known++; /* older than what we began with */
        } else if (!must_wait(walk, line)) {
            walk->has_gap =
                walk->fresh == 0 && walk->known == 0 && (walk->is_capped || !walk->is_fresh);
            walk->fresh++;
            remember(walk, line);
            return true;
        }
    }
    walk->has_gap = false;
    return false;
}
