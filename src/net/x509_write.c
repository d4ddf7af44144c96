/*
 * see x509_write.h
 *
 * DER is written from its end to its beginning: then the length of everything is known when its
 * header comes. Sticky: after the first thing that did not fit nothing more is written.
 */
#include "net/x509_write.h"

#include <stdio.h>

#include "base/codec.h"
#include "os/sock.h"

#define WRITE_CERT_BYTES 1024
#define WRITE_KEY_BYTES BR_EC_KBUF_PRIV_MAX_SIZE
#define WRITE_KEY_DER_BYTES 160 /* P-256 with its public point has 121 */
#define NAME_BYTES_MAX 253

struct back {
    uint8_t *memory;
    size_t at; /* first byte written */
    bool is_full;
};

static void put(struct back *to, const void *bytes, size_t count)
{
    if (to->is_full || count > to->at) {
        to->is_full = true;
        return;
    }
    to->at -= count;
    memcpy(to->memory + to->at, bytes, count);
}

static void put_byte(struct back *to, unsigned byte)
{
    uint8_t one = (uint8_t)byte;
    put(to, &one, 1);
}

/* The header of what was written since `end`. */
static void wrap(struct back *to, unsigned tag, size_t end)
{
    size_t bytes = end - to->at;
    if (bytes < 128) {
        put_byte(to, (unsigned)bytes);
    } else {
        put_byte(to, (unsigned)(bytes & 0xff));
        if (bytes > 255) {
            put_byte(to, (unsigned)(bytes >> 8));
        }
        put_byte(to, bytes > 255 ? 0x82 : 0x81);
    }
    put_byte(to, tag);
}

#define PUT(to, ...) put(to, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

#define OID_ECDSA_SHA256 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02
#define OID_EC_KEY 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01
#define OID_P256 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07

static void put_algorithm(struct back *to)
{
    size_t end = to->at;
    PUT(to, OID_ECDSA_SHA256);
    wrap(to, 0x30, end);
}

/* GeneralizedTime: allowed by every reader, demanded by RFC 5280 from 2050 on only; UTCTime before
 * that. */
static void put_time(struct back *to, int64_t unix_s)
{
    char text[32];
    struct buf out;
    size_t end = to->at;
    buf_init(&out, text, sizeof text);
    codec_put_time(&out, unix_s);        /* 2026-01-02T03:04:05Z */
    bool is_late = unix_s >= 2524608000; /* 2050 */
    char der[16];
    size_t bytes = 0;
    for (size_t i = is_late ? 0 : 2; i < out.bytes; i++) {
        if (text[i] != '-' && text[i] != ':' && text[i] != 'T') {
            der[bytes++] = text[i];
        }
    }
    put(to, der, bytes);
    wrap(to, is_late ? 0x18 : 0x17, end);
}

static void put_name(struct back *to, str common_name)
{
    size_t end = to->at;
    put(to, common_name.ptr, common_name.bytes);
    wrap(to, 0x0c, end);
    PUT(to, 0x06, 0x03, 0x55, 0x04, 0x03); /* commonName */
    wrap(to, 0x30, end);
    wrap(to, 0x31, end);
    wrap(to, 0x30, end);
}

static void put_extension(struct back *to, const uint8_t *head, size_t head_bytes, size_t end)
{
    wrap(to, 0x04, end);
    put(to, head, head_bytes);
    wrap(to, 0x30, end);
}

static void put_address(struct back *to, const struct sock_addr *address)
{
    size_t end = to->at;
    put(to, address->bytes, address->family == 4 ? 4 : 16);
    wrap(to, 0x87, end);
}

static void put_dns_name(struct back *to, str name)
{
    size_t end = to->at;
    put(to, name.ptr, name.bytes);
    wrap(to, 0x82, end);
}

static void put_others(struct back *to, const struct x509_wish *wish)
{
    str rest = wish->others, one;
    uint32_t count = 0;
    while (count < X509_WRITE_OTHERS_MAX && str_cut(&rest, ',', &one)) {
        struct sock_addr address;
        one = str_trim(one);
        bool is_there = str_is_empty(one) || one.bytes > NAME_BYTES_MAX ||
                        str_eq(one, wish->dns_name) || str_eq(one, wish->address);
        if (is_there) {
            continue;
        }
        if (sock_addr_parse(one, 0, &address)) {
            put_address(to, &address);
        } else {
            put_dns_name(to, one);
        }
        count++;
    }
}

static void put_names(struct back *to, const struct x509_wish *wish,
                      const struct sock_addr *address)
{
    static const uint8_t head[] = {0x06, 0x03, 0x55, 0x1d, 0x11};
    size_t end = to->at;
    put_others(to, wish);
    if (address->family != 0) {
        put_address(to, address);
    }
    if (!str_is_empty(wish->dns_name)) {
        put_dns_name(to, wish->dns_name);
    }
    wrap(to, 0x30, end);
    put_extension(to, head, sizeof head, end);
}

static void put_extensions(struct back *to, const struct x509_wish *wish,
                           const struct sock_addr *address)
{
    static const uint8_t usage[] = {0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff};
    static const uint8_t extended[] = {0x06, 0x03, 0x55, 0x1d, 0x25};
    size_t end = to->at, one;
    put_names(to, wish, address);
    one = to->at;
    PUT(to, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01); /* serverAuth */
    wrap(to, 0x30, one);
    put_extension(to, extended, sizeof extended, one);
    one = to->at;
    PUT(to, 0x03, 0x02, 0x07, 0x80); /* digitalSignature */
    put_extension(to, usage, sizeof usage, one);
    wrap(to, 0x30, end);
    wrap(to, 0xa3, end);
}

static void put_key(struct back *to, const br_ec_public_key *key)
{
    size_t end = to->at;
    put(to, key->q, key->qlen);
    put_byte(to, 0); /* whole bytes */
    wrap(to, 0x03, end);
    size_t algorithm = to->at;
    PUT(to, OID_P256);
    PUT(to, OID_EC_KEY);
    wrap(to, 0x30, algorithm);
    wrap(to, 0x30, end);
}

/* TBSCertificate. */
static void put_body(struct back *to, const struct x509_wish *wish, const struct sock_addr *address,
                     const br_ec_public_key *key, const uint8_t serial[static 16])
{
    size_t end = to->at;
    put_extensions(to, wish, address);
    put_key(to, key);
    put_name(to, wish->common_name);
    size_t dates = to->at;
    put_time(to, wish->not_after_s);
    put_time(to, wish->not_before_s);
    wrap(to, 0x30, dates);
    put_name(to, wish->common_name);
    put_algorithm(to);
    size_t number = to->at;
    put(to, serial, 16);
    wrap(to, 0x02, number);
    PUT(to, 0xa0, 0x03, 0x02, 0x01, 0x02); /* version 3 */
    wrap(to, 0x30, end);
}

static bool sign(const br_ec_private_key *key, const uint8_t *body, size_t bytes, uint8_t *out,
                 size_t *out_bytes)
{
    br_sha256_context hash;
    uint8_t digest[br_sha256_SIZE];
    br_sha256_init(&hash);
    br_sha256_update(&hash, body, bytes);
    br_sha256_out(&hash, digest);
    *out_bytes = br_ecdsa_i31_sign_asn1(br_ec_get_default(), &br_sha256_vtable, digest, key, out);
    return *out_bytes > 0;
}

/* The whole certificate: body, then algorithm and signature behind it. */
static size_t put_certificate(uint8_t *memory, const struct x509_wish *wish,
                              const struct sock_addr *address, const br_ec_private_key *key,
                              const br_ec_public_key *public_key, const uint8_t serial[static 16],
                              size_t *at)
{
    uint8_t signature[80], body[WRITE_CERT_BYTES];
    struct back tbs = {body, sizeof body, false};
    struct back all = {memory, WRITE_CERT_BYTES, false};
    size_t bytes = 0;
    put_body(&tbs, wish, address, public_key, serial);
    if (tbs.is_full || !sign(key, body + tbs.at, sizeof body - tbs.at, signature, &bytes)) {
        return 0;
    }
    put(&all, signature, bytes);
    put_byte(&all, 0);
    wrap(&all, 0x03, WRITE_CERT_BYTES);
    put_algorithm(&all);
    put(&all, body + tbs.at, sizeof body - tbs.at);
    wrap(&all, 0x30, WRITE_CERT_BYTES);
    *at = all.at;
    return all.is_full ? 0 : WRITE_CERT_BYTES - all.at;
}

static bool is_possible(const struct x509_wish *wish, struct sock_addr *address)
{
    *address = (struct sock_addr){.family = 0};
    return wish->common_name.bytes >= 1 && wish->common_name.bytes <= 64 &&
           wish->dns_name.bytes <= NAME_BYTES_MAX && wish->not_after_s > wish->not_before_s &&
           (str_is_empty(wish->address) || sock_addr_parse(wish->address, 0, address));
}

enum err x509_write_identity(const struct x509_wish *wish,
                             const uint8_t seed[static X509_WRITE_SEED_BYTES], struct arena *arena,
                             struct tls_identity *out)
{
    struct sock_addr address;
    if (!is_possible(wish, &address)) {
        return ERR_BAD_INPUT;
    }
    uint8_t *memory = arena_take(arena, WRITE_CERT_BYTES + WRITE_KEY_BYTES);
    if (memory == NULL) {
        return ERR_FULL;
    }
    br_hmac_drbg_context random;
    uint8_t public_room[BR_EC_KBUF_PUB_MAX_SIZE], serial[16];
    br_ec_public_key public_key;
    br_hmac_drbg_init(&random, &br_sha256_vtable, seed, X509_WRITE_SEED_BYTES);
    br_hmac_drbg_generate(&random, serial, sizeof serial);
    serial[0] = (uint8_t)(0x40 | (serial[0] & 0x3f)); /* positive, and 16 bytes */
    *out = (struct tls_identity){.key_type = BR_KEYTYPE_EC, .chain_count = 1};
    bool is_made = br_ec_keygen(&random.vtable, br_ec_get_default(), &out->ec,
                                memory + WRITE_CERT_BYTES, BR_EC_secp256r1) > 0 &&
                   br_ec_compute_pub(br_ec_get_default(), &public_key, public_room, &out->ec) > 0;
    size_t at = 0;
    size_t bytes =
        is_made ? put_certificate(memory, wish, &address, &out->ec, &public_key, serial, &at) : 0;
    if (bytes == 0) {
        return ERR_BAD_INPUT; /* a name that does not fit */
    }
    out->chain[0] = (br_x509_certificate){memory + at, bytes};
    out->not_before_s = wish->not_before_s;
    out->not_after_s = wish->not_after_s;
    (void)str_copy(out->name, sizeof out->name, wish->common_name);
    return ERR_OK;
}

static void put_pem(const char *label, const void *der, size_t bytes, struct buf *out)
{
    char memory[WRITE_CERT_BYTES * 2];
    struct buf text;
    buf_init(&text, memory, sizeof memory);
    codec_put_base64(&text, der, bytes);
    buf_put_fmt(out, "-----BEGIN %s-----\n", label);
    for (str rest = buf_str(&text); !str_is_empty(rest); rest = str_sub(rest, 64, rest.bytes)) {
        buf_put(out, str_sub(rest, 0, 64));
        buf_put_char(out, '\n');
    }
    buf_put_fmt(out, "-----END %s-----\n", label);
    explicit_bzero(memory, sizeof memory);
}

void x509_put_pem(const struct tls_identity *identity, struct buf *out)
{
    put_pem("CERTIFICATE", identity->chain[0].data, identity->chain[0].data_len, out);
}

void x509_put_key_pem(const struct tls_identity *identity, struct buf *out)
{
    uint8_t public_room[BR_EC_KBUF_PUB_MAX_SIZE], der[WRITE_KEY_DER_BYTES];
    br_ec_public_key public_key;
    size_t bytes = br_ec_compute_pub(br_ec_get_default(), &public_key, public_room, &identity->ec);
    bytes = bytes > 0 ? br_encode_ec_raw_der(NULL, &identity->ec, &public_key) : 0;
    if (bytes == 0 || bytes > sizeof der) {
        out->is_full = true; /* no key of ours */
        return;
    }
    (void)br_encode_ec_raw_der(der, &identity->ec, &public_key);
    put_pem("EC PRIVATE KEY", der, bytes, out);
    explicit_bzero(der, sizeof der);
}
