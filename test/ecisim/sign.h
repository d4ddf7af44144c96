/*
 * The two signatures of the API gateway: RPC v1 (HMAC-SHA1, eci-api 1.5) and ACS3
 * (HMAC-SHA256, eci-api 1.7). Pure functions; sign_test() checks them against both worked
 * examples of the reference.
 */
#ifndef ECISIM_SIGN_H
#define ECISIM_SIGN_H

#include "text.h"

struct pair {
    const char *name;
    const char *value;
};

/* Sort by the bytes of the raw names. */
void pairs_sort(struct pair *pairs, size_t count);

/*
 * Base64 of the RPC v1 signature. pairs are all parameters, decoded and sorted; one called
 * Signature is left out.
 */
void sign_rpc(struct buf *out, const char *secret, const char *method, const struct pair *pairs,
              size_t count);

/*
 * Lower-case hex of the ACS3 signature. query: the query parameters, decoded and sorted;
 * headers: the signed ones, lower-case names, sorted; body_hash: hex SHA-256 of the body.
 */
void sign_acs3(char out[65], const char *secret, const char *method, const char *path,
               const struct pair *query, size_t query_count, const struct pair *headers,
               size_t header_count, const char *body_hash);

#define SHA1_BYTES 20
void sha1(unsigned char out[SHA1_BYTES], const void *data, size_t bytes);
void sha256_hex(char out[65], const void *data, size_t bytes);
/* Compare without telling by the time taken where the texts differ. */
bool sign_equal(const char *a, const char *b);

#endif
