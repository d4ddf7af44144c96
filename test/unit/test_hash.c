/* see hash.h */
#include "unit.h"

#include "base/codec.h"
#include "base/hash.h"

static const char *hex_of(const uint8_t *digest, size_t bytes)
{
    static char text[2 * HASH_SHA256_BYTES + 1];
    struct buf buf;
    buf_init(&buf, text, sizeof(text));
    codec_put_hex(&buf, digest, bytes);
    return buf_cstr(&buf);
}

/* FIPS 180-4 examples. */
static void test_hash_sha256(void **state)
{
    (void)state;
    uint8_t digest[HASH_SHA256_BYTES];
    char hex[2 * HASH_SHA256_BYTES + 1];
    hash_sha256(digest, S("abc"));
    assert_string_equal(hex_of(digest, sizeof(digest)),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_sha256_hex(hex, STR_NONE);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 2202 case 2. */
static void test_hash_hmac(void **state)
{
    (void)state;
    uint8_t digest[HASH_SHA256_BYTES];
    hash_hmac_sha1(digest, S("Jefe"), S("what do ya want for nothing?"));
    assert_string_equal(hex_of(digest, HASH_SHA1_BYTES),
                        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

static void test_hash_same(void **state)
{
    (void)state;
    assert_true(hash_same("abc", "abc", 3));
    assert_false(hash_same("abc", "abd", 3));
    assert_false(hash_same("xbc", "abc", 3));
    assert_true(hash_same("x", "y", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_sha256),
        cmocka_unit_test(test_hash_hmac),
        cmocka_unit_test(test_hash_same),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
