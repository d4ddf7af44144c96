/*
 * hash.h - SHA-256 and HMAC-SHA-1 (BearSSL's, which do no I/O).
 */
#ifndef ECILET_BASE_HASH_H
#define ECILET_BASE_HASH_H

#include "base/str.h"

#define HASH_SHA1_BYTES 20
#define HASH_SHA256_BYTES 32

void hash_sha256(uint8_t out[static HASH_SHA256_BYTES], str data);
/* Lower-case hex, NUL-terminated. */
void hash_sha256_hex(char out[static 2 * HASH_SHA256_BYTES + 1], str data);
void hash_hmac_sha1(uint8_t out[static HASH_SHA1_BYTES], str key, str data);
/* Equal in constant time (for equal sizes). */
bool hash_same(const void *a, const void *b, size_t bytes);

#endif
