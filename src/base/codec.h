/*
 * codec.h - encodings: base64, hex, percent, UTF-8, RFC 3339 time. Pure; no locale, no clock.
 */
#ifndef ECILET_BASE_CODEC_H
#define ECILET_BASE_CODEC_H

#include "base/buf.h"

/* Base64 (RFC 4648 section 4, padded). Decoding also accepts missing padding and skips CR/LF. */
void codec_put_base64(struct buf *out, const void *data, size_t bytes);
/* Appends the decoded bytes. Errors: ERR_BAD_INPUT, ERR_FULL. */
MUST_USE enum err codec_get_base64(struct buf *out, str text);

void codec_put_hex(struct buf *out, const void *data, size_t bytes); /* lower case */

/* Percent-encoding as the ECI RPC signature demands (eci-api: 1.5): unreserved A-Za-z0-9-_.~,
 * everything else %XX in upper case. Also right for Kubernetes URL path segments and queries. */
void codec_put_percent(struct buf *out, str text);
/* Decodes %XX and (if plus_is_space) '+'. Errors: ERR_BAD_INPUT, ERR_FULL. */
MUST_USE enum err codec_get_percent(struct buf *out, str text, bool plus_is_space);

bool codec_is_utf8(str text); /* RFC 3629: no surrogates, no overlong forms, <= U+10FFFF */
/* Size of the character at the front of text, 1 to 4; 0 when it is invalid, cut or not there. */
size_t codec_utf8_char(str text);
/* UTF-8 of a code point <= U+10FFFF; surrogates become U+FFFD. Returns its size. */
size_t codec_utf8_encode(char out[static 4], uint32_t code_point);
/* Longest prefix of at most bytes_max bytes that does not cut a UTF-8 character. */
str codec_utf8_prefix(str text, size_t bytes_max);

/* Seconds since 1970 <-> "2006-01-02T15:04:05Z" (years 1970-9999). */
void codec_put_time(struct buf *out, int64_t unix_s);
/* "2006-01-02T15:04:05.000000Z" (Kubernetes MicroTime) from milliseconds. */
void codec_put_micro_time(struct buf *out, int64_t unix_ms);
/* RFC 3339 with optional fraction (dropped) and Z or +hh:mm, to seconds. False when invalid. */
bool codec_get_time(str text, int64_t *unix_s);
/* HTTP date (RFC 9110 IMF-fixdate "Sun, 06 Nov 1994 08:49:37 GMT"). False when invalid. */
bool codec_get_http_date(str text, int64_t *unix_s);

#endif
