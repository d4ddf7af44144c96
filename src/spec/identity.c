/* identity.c - see identity.h */
#include "spec/identity.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/hash.h"

#define HEX_BYTES (2 * HASH_SHA256_BYTES)
#define SUFFIX_BYTES 9 /* "-" and 8 hex digits */

_Static_assert(HEX_BYTES == CLIENT_TOKEN_BYTES, "a whole SHA-256 fits the token exactly");

static void hash_parts(char hex[static HEX_BYTES + 1], str a, str b, uint32_t number);
static void put_legal(struct buf *out, str text);

void identity_token(char out[static CLIENT_TOKEN_BYTES + 1], str cluster_id, str pod_uid,
                    uint32_t attempt)
{
    CHECK(attempt > 0);
    hash_parts(out, cluster_id, pod_uid, attempt);
}

/*
 * Hash of hashes: each part is hashed alone first, so no two different lists of parts can read the
 * same, whatever bytes are in them and however long they are.
 */
static void hash_parts(char hex[static HEX_BYTES + 1], str a, str b, uint32_t number)
{
    uint8_t bytes[2 * HASH_SHA256_BYTES + 8];

    hash_sha256(bytes, a);
    hash_sha256(bytes + HASH_SHA256_BYTES, b);
    for (unsigned i = 0; i < 4; i++) {
        bytes[2 * HASH_SHA256_BYTES + i] = (uint8_t)(number >> (8 * i));
        bytes[2 * HASH_SHA256_BYTES + 4 + i] = (uint8_t)((uint32_t)SPEC_FORMAT >> (8 * i));
    }
    hash_sha256_hex(hex, str_make((const char *)bytes, sizeof bytes));
}

str identity_group_name(struct arena *arena, str name_space, str name)
{
    char text[GROUP_NAME_BYTES_MAX - SUFFIX_BYTES];
    struct buf buf;

    buf_init(&buf, text, sizeof text);
    put_legal(&buf, str_sub(name_space, 0, 63)); /* a DNS label, as the API server has checked */
    buf_put_char(&buf, '-');
    size_t room = 0;
    (void)buf_tail(&buf, &room);
    put_legal(&buf, str_sub(name, 0, room));

    str plain = arena_fmt(arena, "%.*s-%.*s", STR_ARG(name_space), STR_ARG(name));
    if (str_eq(buf_str(&buf), plain) && !str_ends(plain, S("-"))) {
        return plain;
    }
    char hex[HEX_BYTES + 1];
    hash_parts(hex, name_space, name, 0);
    return arena_fmt(arena, "%.*s-%.8s", STR_ARG(buf_str(&buf)), hex);
}

/* Lower-case letters, digits and "-" as they are; anything else becomes "-". Neither end of a
 * DNS name is a "-", and the suffix saves the rest. */
static void put_legal(struct buf *out, str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        bool is_legal = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        bool is_edge = out->bytes == 0 && c == '-';

        buf_put_char(out, is_legal && !is_edge ? c : (out->bytes == 0 ? 'x' : '-'));
    }
}

str identity_container_id(struct arena *arena, str group_id, str container)
{
    char hex[HEX_BYTES + 1];

    hash_parts(hex, group_id, container, 0);
    return arena_fmt(arena, "eci://%.*s", HEX_BYTES, hex);
}
