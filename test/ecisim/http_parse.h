/*
 * From bytes to requests: HTTP/1.1 heads and bodies.
 */
#ifndef ECISIM_HTTP_PARSE_H
#define ECISIM_HTTP_PARSE_H

#include "http.h"

#define HTTP_HEAD_BYTES_MAX (1 << 20)
#define HTTP_BODY_BYTES_MAX (4 << 20)

/*
 * Take one complete request from the front of in. NULL: not complete yet (then *scanned
 * remembers how far the end of the head was searched for), or broken (then *problem is the
 * status line to answer with).
 */
struct exchange *http_parse(struct buf *in, size_t *scanned, const char **problem);
/* The head has arrived, asks for "100 Continue", and the body is still to come. */
bool http_wants_continue(const struct buf *in, size_t scanned);
/* A taker that takes and forgets. */
void http_swallow(void *owner, struct buf *in);

#endif
