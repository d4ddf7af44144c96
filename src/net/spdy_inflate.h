/*
 * spdy_inflate.h - header blocks of SPDY/3: zlib with a preset dictionary (SPDY/3 draft 2.6.10).
 * The only file that speaks to zlib; inflating works inside the memory of its session.
 *
 * One stream of zlib serves all header blocks of a session, so every block must be inflated, also
 * of frames that are refused. Towards the peer nothing needs to be small: our blocks are written as
 * stored (not compressed) zlib data by spdy_deflate_put(), which needs no state but one bit.
 */
#ifndef ECILET_NET_SPDY_INFLATE_H
#define ECILET_NET_SPDY_INFLATE_H

#include "base/buf.h"

/* zlib 1.2.13: 7 KB of state and a window of 32 KB, each rounded up by its pointers' size. */
#define SPDY_INFLATE_BYTES (46 * 1024)

struct spdy_inflate {
    size_t used_bytes; /* of memory; only zlib takes, and nothing is given back but all */
    bool is_open;
    _Alignas(64) uint8_t memory[SPDY_INFLATE_BYTES];
};

/* A new stream of zlib. Errors: ERR_NO_MEMORY (another zlib needs more than we planned). */
MUST_USE enum err spdy_inflate_start(struct spdy_inflate *inflate);
/*
 * Inflates all of *input into out. Errors: ERR_BAD_INPUT (no such stream, wrong dictionary),
 * ERR_TOO_BIG (out is full), ERR_NO_MEMORY.
 */
MUST_USE enum err spdy_inflate_put(struct spdy_inflate *inflate, str input, struct buf *out);

#define SPDY_DEFLATE_EXTRA_BYTES 16 /* what spdy_deflate_put adds at most */
/* A header block as zlib data. is_first: of this session. block: at most 65535 bytes. */
void spdy_deflate_put(struct buf *out, str block, bool is_first);

#endif
