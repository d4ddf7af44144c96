/*
 * json_split.h - cuts objects out of a JSON stream of unbounded size, one at a time, so that memory
 * is bounded by the largest single object and not by the list.
 *
 * Two shapes, as Kubernetes sends them:
 *   SPLIT_WATCH   objects one after the other, white space between:  {...}\n{...}\n
 *   SPLIT_LIST    {"kind":...,"metadata":{...},"items":[{...},{...}]}  (members in any order):
 *                 each element of the top-level "items" array is one piece; at the end the envelope
 *                 (the whole text with an empty items array) is one last piece.
 *
 * An engine without I/O. The splitter only counts braces and strings; whether a piece is valid JSON
 * is json_parse's business. A piece that does not fit into the buffer is skipped to its end and
 * reported as SPLIT_TOO_BIG with what was seen of its start, so that one monstrous object does
 * not stop the stream.
 */
#ifndef ECILET_DATA_JSON_SPLIT_H
#define ECILET_DATA_JSON_SPLIT_H

#include "base/buf.h"

enum split_shape { SPLIT_WATCH, SPLIT_LIST };

enum split_event {
    SPLIT_MORE,     /* everything was eaten; feed more */
    SPLIT_ITEM,     /* *piece is one object; valid until the next call */
    SPLIT_TOO_BIG,  /* an object was larger than the buffer; *piece is its beginning */
    SPLIT_ENVELOPE, /* SPLIT_LIST only: the list without its items; the stream is complete */
    SPLIT_BAD       /* not this shape, or the envelope does not fit; sticky */
};

struct json_split {
    enum split_shape shape;
    struct buf piece;    /* caller's memory; bounds one object */
    struct buf envelope; /* caller's memory; SPLIT_LIST only, 4 KiB is plenty */
    uint32_t state;      /* below: the engine's own */
    uint32_t depth;
    bool in_string, is_escaped, is_skipping;
};

void json_split_init(struct json_split *split, enum split_shape shape, struct buf piece,
                     struct buf envelope);
/* Eats from the front of *input (moves it forward). Call again until SPLIT_MORE or SPLIT_BAD. */
enum split_event json_split_next(struct json_split *split, str *input, str *piece);

#endif
