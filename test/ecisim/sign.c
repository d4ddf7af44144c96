/* see sign.h */
#include "sign.h"

#include <bearssl.h>
#include <stdlib.h>
#include <string.h>

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *left = a;
    const struct pair *right = b;
    return strcmp(left->name, right->name);
}

void pairs_sort(struct pair *pairs, size_t count)
{
    if (count > 1) {
        qsort(pairs, count, sizeof *pairs, compare_pairs);
    }
}

static void add_query(struct buf *out, const struct pair *pairs, size_t count)
{
    const char *mark = "";
    for (size_t at = 0; at < count; at++) {
        if (strcmp(pairs[at].name, "Signature") == 0) {
            continue;
        }
        buf_text(out, mark);
        percent_encode(out, pairs[at].name);
        buf_byte(out, '=');
        percent_encode(out, pairs[at].value);
        mark = "&";
    }
}

static void hmac(unsigned char *out, const br_hash_class *hash, const char *key, size_t key_bytes,
                 const struct buf *text)
{
    br_hmac_key_context prepared;
    br_hmac_context context;
    br_hmac_key_init(&prepared, hash, key, key_bytes);
    br_hmac_init(&context, &prepared, 0);
    br_hmac_update(&context, buf_string(text), text->used);
    br_hmac_out(&context, out);
}

void sign_rpc(struct buf *out, const char *secret, const char *method, const struct pair *pairs,
              size_t count)
{
    struct buf query = {0};
    struct buf text = {0};
    struct buf key = {0};
    unsigned char digest[br_sha1_SIZE];
    add_query(&query, pairs, count);
    buf_fmt(&text, "%s&%%2F&", method);
    percent_encode(&text, buf_string(&query));
    buf_fmt(&key, "%s&", secret);
    hmac(digest, &br_sha1_vtable, key.data, key.used, &text);
    base64_encode(out, digest, sizeof digest);
    buf_free(&query);
    buf_free(&text);
    buf_free(&key);
}

void sha1(unsigned char out[SHA1_BYTES], const void *data, size_t bytes)
{
    br_sha1_context context;
    br_sha1_init(&context);
    br_sha1_update(&context, data, bytes);
    br_sha1_out(&context, out);
}

void sha256_hex(char out[65], const void *data, size_t bytes)
{
    br_sha256_context context;
    unsigned char digest[br_sha256_SIZE];
    br_sha256_init(&context);
    br_sha256_update(&context, data, bytes);
    br_sha256_out(&context, digest);
    hex_encode(out, digest, sizeof digest);
}

void sign_acs3(char out[65], const char *secret, const char *method, const char *path,
               const struct pair *query, size_t query_count, const struct pair *headers,
               size_t header_count, const char *body_hash)
{
    struct buf text = {0};
    char hash[65];
    unsigned char digest[br_sha256_SIZE];
    buf_fmt(&text, "%s\n%s\n", method, path);
    add_query(&text, query, query_count);
    buf_byte(&text, '\n');
    for (size_t at = 0; at < header_count; at++) {
        buf_fmt(&text, "%s:%s\n", headers[at].name, headers[at].value);
    }
    buf_byte(&text, '\n');
    for (size_t at = 0; at < header_count; at++) {
        buf_fmt(&text, "%s%s", at == 0 ? "" : ";", headers[at].name);
    }
    buf_fmt(&text, "\n%s", body_hash);
    sha256_hex(hash, text.data, text.used);
    buf_clear(&text);
    buf_fmt(&text, "ACS3-HMAC-SHA256\n%s", hash);
    hmac(digest, &br_sha256_vtable, secret, strlen(secret), &text);
    hex_encode(out, digest, sizeof digest);
    buf_free(&text);
}

bool sign_equal(const char *a, const char *b)
{
    size_t bytes = strlen(a);
    unsigned char difference = 0;
    if (strlen(b) != bytes) {
        return false;
    }
    for (size_t at = 0; at < bytes; at++) {
        difference |= (unsigned char)(a[at] ^ b[at]);
    }
    return difference == 0;
}
