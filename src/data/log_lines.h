/*
 * log_lines.h - lines of a container's log, and how successive readings of it become one
 * uninterrupted stream.
 *
 * The cloud has no follow: DescribeContainerLog gives the newest lines, at most LOG_LINES_MAX and
 * LOG_BYTES_MAX, and nothing tells where the reading before ended (eci-api 2.5). So each reading is
 * asked for with time stamps and from a little before the last line known, and what was shown
 * already is recognised here by the hash of stamp and text.
 *
 *     log_merge_init(&merge);                      once
 *     log_merge_begin(&walk, &merge, text, is_capped, is_final);
 *     while (log_merge_next(&walk, &line)) { ... } each new line, in the log's order
 *
 * The first reading is no different, all its lines are new; log_merge_floor() says from where.
 *
 * What counts as new: a line that is not among the newest LOG_RING_LINES lines (as often as it is
 * there, so that equal lines of one instant are all shown), and not older than the floor. As many
 * lines are remembered as one reading can have, so an old line is always recognised.
 *
 * A gap: lines were known, the reading has lines, and none of the known ones is among them; or no
 * line was known and the reading is capped. Then more was written than one reading holds, or the
 * log was rotated meanwhile; what is between is lost and can only be marked.
 *
 * An unterminated last line may still grow, so it waits until a later reading shows it terminated,
 * or once more the same (a service that strips the last line end would otherwise hide it), or the
 * reading is the final one.
 */
#ifndef ECILET_DATA_LOG_LINES_H
#define ECILET_DATA_LOG_LINES_H

#include "base/str.h"

#define LOG_LINES_MAX 2000    /* lines of one reading (eci-api 2.5) */
#define LOG_BYTES_MAX 1048576 /* bytes of one reading */
#define LOG_RING_LINES 2048   /* >= LOG_LINES_MAX; 8 bytes each. The oldest is forgotten */
#define LOG_TABLE_CELLS 4096  /* power of two >= 2 * LOG_RING_LINES */
#define LOG_OVERLAP_S 1       /* a reading starts so long before the last line's second */

struct log_line {
    str whole;          /* with its stamp, without line end */
    str text;           /* without the stamp */
    int64_t at_ns;      /* since 1970; 0: it has no stamp */
    uint64_t hash;      /* of whole */
    bool is_terminated; /* by a line end */
};

/* The next line of *rest; false at its end. "\r" stays part of the line, as a kubelet has it. */
bool log_lines_next(str *rest, struct log_line *line);

/* "2006-01-02T15:04:05.999999999Z " at the front: its time and its size with the space (0 when
 * there is none: then *at_ns is 0). Any number of digits, and offsets such as +08:00. */
size_t log_stamp_read(str line, int64_t *at_ns);

/* A reading that had to be cut by bytes begins in the middle of a line, which is then dropped: a
 * part of a line is no line. limit_bytes is what was asked for. */
str log_whole_lines(str text, size_t limit_bytes);

/* Whether the cloud may have had more to show than it did. Counts lines, unless the size decides.
 */
bool log_is_capped(str text, size_t lines_max, size_t limit_bytes);

struct log_merge {
    uint64_t ring[LOG_RING_LINES]; /* hashes of the newest lines; 0 never occurs */
    uint32_t count;                /* ever put; the newest is at (count - 1) % LOG_RING_LINES */
    int64_t floor_ns;              /* lines up to here that are not known are older than ours */
    int64_t last_ns;               /* newest stamp seen; 0: none */
    uint64_t held_hash;            /* of an unterminated last line that waits; 0: none */
};

void log_merge_init(struct log_merge *merge);
/* Lines up to floor_ns count as known even without having been seen. */
void log_merge_floor(struct log_merge *merge, int64_t floor_ns);
/* From when on the next reading must be asked for, seconds since 1970; 0: from the beginning. */
int64_t log_merge_since_s(const struct log_merge *merge);

struct log_walk {
    struct log_merge *merge;
    str rest;
    bool is_final;
    bool is_capped;
    bool has_gap;                    /* lines may be missing right before the line just given */
    bool is_fresh;                   /* nothing was known before this reading */
    uint32_t known;                  /* lines recognised */
    uint32_t fresh;                  /* new lines */
    uint32_t known_ring;             /* how many of the ring are looked up */
    uint16_t table[LOG_TABLE_CELLS]; /* position in ring + 1; 0 = free */
    bool is_used[LOG_RING_LINES];
};

/* text must outlive the walk. The merge may not be used otherwise until the walk has ended. */
void log_merge_begin(struct log_walk *walk, struct log_merge *merge, str text, bool is_capped,
                     bool is_final);
/* The next new line, which is remembered at once; false at the end. */
bool log_merge_next(struct log_walk *walk, struct log_line *line);

#endif
