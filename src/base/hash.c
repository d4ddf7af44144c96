/* see hash.h */
#include "base/hash.h"

#include <bearssl.h>

#include "base/check.h"
#include "base/codec.h"

void hash_sha256(uint8_t out[static HASH_SHA256_BYTES], str data)
{
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, data.ptr, data.bytes);
    br_sha256_out(&sha, out);
}

void hash_sha256_hex(char out[static 2 * HASH_SHA256_BYTES + 1], str data)
{
    uint8_t digest[HASH_SHA256_BYTES];
    struct buf hex;
    hash_sha256(digest, data);
    buf_init(&hex, out, 2 * HASH_SHA256_BYTES);
    codec_put_hex(&hex, digest, sizeof(digest));
    CHECK(buf_ok(&hex));
    out[hex.bytes] = '\0';
}

void hash_hmac_sha1(uint8_t out[static HASH_SHA1_BYTES], str key, str data)
{
    br_hmac_key_context key_state;
    br_hmac_context state;
    br_hmac_key_init(&key_state, &br_sha1_vtable, key.ptr, key.bytes);
    br_hmac_init(&state, &key_state, 0);
    br_hmac_update(&state, data.ptr, data.bytes);
    (void)br_hmac_out(&state, out);
}

bool hash_same(const void *a, const void *b, size_t bytes)
{
    const uint8_t *left = a;
    const uint8_t *right = b;
    volatile uint8_t difference = 0; /* keeps the compiler from leaving the loop early */
    for (size_t i = 0; i < bytes; i++) {
        difference = (uint8_t)(difference | (left[i] ^ right[i]));
    }
    return difference == 0;
}
