/* x509, x509_verify, tls_identity: what certificates say, whom we believe, and which words we find.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/prng.h"
#include "net/pem.h"
#include "net/tls_identity.h"
#include "net/x509_verify.h"
#include "net_certs.h"

static char arena_memory[512 * 1024];
static struct arena arena;

static int reset_arena(void **state)
{
    (void)state;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    return 0;
}

/* The bytes of a fixture, in the arena. */
static str der_of(const char *name)
{
    struct pem_block block;
    str rest = str_of(net_cert(name));
    str der = STR_NONE;
    assert_non_null(net_cert(name));
    assert_true(pem_next(&rest, &block));
    assert_int_equal(pem_decode(&block, &arena, &der), ERR_OK);
    return der;
}

static struct x509_cert cert_of(const char *name)
{
    struct x509_cert cert;
    assert_int_equal(x509_read(der_of(name), &cert), ERR_OK);
    return cert;
}

/* ---- chains ---------------------------------------------------------------------------------- */

struct chain_case {
    const char *certs; /* leaf first, separated by blanks */
    const char *anchors;
    const char *host; /* NULL: check a client */
    const char *why;  /* NULL: accepted; otherwise how the reason begins */
    int64_t now_s;    /* 0: NET_NOW_S */
};

#define FOR_API "kubernetes"
#define NAMES_TEXT \
    "kubernetes, kubernetes.default.svc, localhost, 127.0.0.1, 10.96.0.1, 2001:db8::1"

static const struct chain_case chain_cases[] = {
    {"server_ec", "ca", FOR_API, NULL, 0},
    {"server_ec", "ca", "KUBERNETES.default.SVC", NULL, 0},
    {"server_ec", "ca", "kubernetes.", NULL, 0},
    {"server_ec", "ca", "127.0.0.1", NULL, 0},
    {"server_ec", "ca", "2001:db8::1", NULL, 0},
    {"server_ec", "ca", "[2001:db8:0::1]", NULL, 0},
    {"server_ec ca", "ca", FOR_API, NULL, 0},
    {"server_rsa", "ca_rsa", "10.96.0.1", NULL, 0},
    {"server_ec384", "ca_rsa", FOR_API, NULL, 0},
    {"server_ec", "ca_rsa ca_twin ca", FOR_API, NULL, 0},
    {"server_any", "ca", FOR_API, NULL, 0},
    {"server_plain", "ca", FOR_API, NULL, 0},
    {"server_chain middle", "ca", FOR_API, NULL, 0},
    {"server_chain middle ca", "ca", FOR_API, NULL, 0},
    {"server_chain", "middle", FOR_API, NULL, 0},
    {"server_self", "server_self", FOR_API, NULL, 0},
    /* what follows the certificate that led to an anchor does not matter */
    {"server_ec middle_old", "ca", FOR_API, NULL, 0},

    {"server_ec", "ca", "10.0.0.5",
     "asked for 10.0.0.5, but the certificate is for kubernetes, kubernetes.default.svc", 0},
    {"server_ec", "ca", "example.com", "asked for example.com, but the certificate is for kub", 0},
    {"server_ec", "ca", "", "asked for , but", 0},
    {"server_ec", "ca", "kube-apiserver", "asked for kube-apiserver, but", 0}, /* its CN */
    {"server_wild", "ca", "a.example.com", NULL, 0},
    {"server_wild", "ca", "A.EXAMPLE.com", NULL, 0},
    {"server_wild", "ca", "example.com", "asked for example.com, but", 0},
    {"server_wild", "ca", "a.b.example.com", "asked for", 0},
    {"server_wild", "ca", ".example.com", "asked for", 0},
    {"server_wild", "ca", "foo.com", "asked for", 0},
    {"server_wild", "ca", "foo.example.org", "asked for", 0},
    {"server_wild", "ca", "localhost", "asked for", 0},
    {"server_wild", "ca", "10.example.com", NULL, 0},
    {"server_cn", "ca", "legacy.example.com", NULL, 0},
    {"server_cn", "ca", "other.example.com",
     "asked for other.example.com, but the certificate is for legacy.example.com", 0},
    {"server_mail", "ca", "legacy.example.com",
     "asked for legacy.example.com, but the certificate is for nobody", 0},

    {"server_expired", "ca", FOR_API, "certificate expired on 2024-01-02", 0},
    {"server_future", "ca", FOR_API, "certificate is not valid before 2040-01-01", 0},
    {"server_ec", "ca", FOR_API, "certificate is not valid before 2024-01-01", 1704067199},
    {"server_ec", "ca", FOR_API, NULL, 1704067200},
    {"server_ec", "ca", FOR_API, NULL, 2019686400},
    {"server_ec", "ca", FOR_API, "certificate expired on 2034-01-01", 2019686401},
    {"server_ec", "ca", FOR_API, "certificate is not valid before 2024-01-01", 1},
    {"server_chain_old middle_old", "ca", FOR_API, "its CA certificate expired on 2024-01-02", 0},

    {"server_ec", "ca_twin", FOR_API, "signed by \"kubernetes\", but with another key", 0},
    {"server_rsa", "ca", FOR_API, "not signed by a known CA (signed by \"rsa root\")", 0},
    {"server_chain", "ca", FOR_API, "not signed by a known CA (signed by \"intermediate\")", 0},
    {"server_self", "ca", FOR_API, "not signed by a known CA (signed by \"selfmade\")", 0},
    {"server_chain middle_client", "ca", FOR_API, "certificates are not in the order", 0},
    {"server_chain_fake middle_fake", "ca", FOR_API, "certificate was signed by one that may", 0},
    {"server_purpose", "ca", FOR_API, "certificate may not be used by servers", 0},
    {"server_chain_client middle_client", "ca", FOR_API,
     "its CA certificate may not be used by servers", 0},
    {"server_critical", "ca", FOR_API, "certificate has a critical extension", 0},
    {"server_pss", "ca_rsa", FOR_API, "certificate uses an algorithm we do not support", 0},
    {"server_sha1", "ca_rsa", FOR_API, "certificate uses an algorithm we do not support", 0},
    {"server_ed", "ca", FOR_API, "certificate uses an algorithm we do not support", 0},
    {"server_many", "ca", FOR_API, "certificate is larger than 8192 bytes", 0},
    {"", "ca", FOR_API, "the peer sent no certificate", 0},

    {"client_ec", "ca", NULL, NULL, 0},
    {"client_rsa", "ca_rsa", NULL, NULL, 0},
    {"client_ec", "ca_rsa", NULL, "not signed by a known CA", 0},
    {"client_expired", "ca", NULL, "certificate expired on 2024-01-02", 0},
    {"client_purpose", "ca", NULL, "certificate may not be used by clients", 0},
    {"server_plain", "ca", NULL, NULL, 0}, /* without purposes: any */
};

static void load_anchors(struct x509_anchors *anchors, const char *names)
{
    char text[32 * 1024];
    struct buf pem;
    str rest = str_of(names);
    str name;

    buf_init(&pem, text, sizeof text);
    while (str_cut(&rest, ' ', &name)) {
        char file[64];
        (void)snprintf(file, sizeof file, "%.*s.crt", STR_ARG(name));
        buf_put_text(&pem, net_cert(file));
    }
    assert_int_equal(x509_anchors_load(anchors, buf_str(&pem), &arena), ERR_OK);
}

/* Feeds one certificate in pieces of random size. */
static void feed_cert(struct x509_verifier *v, str der, struct prng *prng)
{
    v->vtable->start_cert(&v->vtable, (uint32_t)der.bytes);
    for (size_t at = 0; at < der.bytes;) {
        size_t bytes = 1 + prng_below(prng, 256);
        bytes = bytes < der.bytes - at ? bytes : der.bytes - at;
        v->vtable->append(&v->vtable, (const unsigned char *)der.ptr + at, bytes);
        at += bytes;
    }
    v->vtable->end_cert(&v->vtable);
}

static unsigned run_chain(struct x509_verifier *v, const char *certs, struct prng *prng)
{
    str rest = str_of(certs);
    str name;

    v->vtable->start_chain(&v->vtable, "ignored.example.com");
    while (str_cut(&rest, ' ', &name)) {
        char file[64];
        (void)snprintf(file, sizeof file, "%.*s.crt", STR_ARG(name));
        feed_cert(v, der_of(file), prng);
    }
    return v->vtable->end_chain(&v->vtable);
}

static void test_verify_chains(void **state)
{
    static struct x509_verifier v;
    struct prng prng;

    prng_seed(&prng, 1);
    for (size_t i = 0; i < sizeof chain_cases / sizeof chain_cases[0]; i++) {
        const struct chain_case *c = &chain_cases[i];
        struct x509_anchors anchors;
        (void)reset_arena(state);
        load_anchors(&anchors, c->anchors);
        x509_verifier_init(&v, &(struct x509_check){
                                   .anchors = &anchors,
                                   .purpose = c->host != NULL ? X509_SERVER : X509_CLIENT,
                                   .host = str_of(c->host),
                                   .now_s = c->now_s != 0 ? c->now_s : NET_NOW_S,
                               });
        for (int round = 0; round < 3; round++) { /* a verifier can be used again */
            unsigned code = run_chain(&v, c->certs, &prng);
            bool is_expected = c->why == NULL
                                   ? code == 0 && v.why[0] == 0
                                   : code != 0 && str_starts(str_of(v.why), str_of(c->why));
            if (!is_expected) {
                print_error("%s for %s: code %u, \"%s\"\n", c->certs, c->host ? c->host : "client",
                            code, v.why);
                fail();
            }
        }
        if (c->why == NULL) {
            unsigned usages = 0;
            assert_non_null(v.vtable->get_pkey(&v.vtable, &usages));
            assert_true(usages & BR_KEYTYPE_SIGN);
        }
    }
}

static void test_verify_long_reasons_are_cut(void **state)
{
    (void)state;
    static struct x509_verifier v;
    struct x509_anchors anchors;
    struct prng prng;

    prng_seed(&prng, 2);
    load_anchors(&anchors, "ca");
    x509_verifier_init(&v, &(struct x509_check){.anchors = &anchors,
                                                .purpose = X509_SERVER,
                                                .host = S("somewhere.else.example.com"),
                                                .now_s = NET_NOW_S});
    assert_int_not_equal(run_chain(&v, "server_ec", &prng), 0);
    assert_int_equal(strlen(v.why), X509_WHY_BYTES - 1);
    assert_true(str_ends(str_of(v.why), S("...")));
}

static void test_verify_skip_takes_any_leaf(void **state)
{
    (void)state;
    static struct x509_verifier v;
    static const char *const chains[] = {"server_expired", "server_self",
                                         "server_rsa ca middle_old", "server_purpose server_many",
                                         "server_critical"};
    struct x509_anchors none = {.list = NULL};
    struct prng prng;

    prng_seed(&prng, 3);
    struct x509_check check = {
        .anchors = &none, .purpose = X509_SERVER, .now_s = NET_NOW_S, .skip_verify = true};
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++) {
        unsigned usages = 0;
        x509_verifier_init(&v, &check);
        assert_int_equal(run_chain(&v, chains[i], &prng), 0);
        const br_x509_pkey *key = v.vtable->get_pkey(&v.vtable, &usages);
        assert_int_equal(key->key_type, i == 2 ? BR_KEYTYPE_RSA : BR_KEYTYPE_EC);
    }
    x509_verifier_init(&v, &check);
    assert_int_not_equal(run_chain(&v, "server_ed", &prng), 0);
    assert_string_equal(v.why, "certificate has a kind of key we do not support");
    assert_int_not_equal(run_chain(&v, "", &prng), 0);
}

static void test_verify_keeps_the_subject(void **state)
{
    (void)state;
    static struct x509_verifier v;
    struct x509_anchors anchors;
    struct prng prng;

    prng_seed(&prng, 4);
    load_anchors(&anchors, "ca_rsa");
    x509_verifier_init(
        &v, &(struct x509_check){.anchors = &anchors, .purpose = X509_CLIENT, .now_s = NET_NOW_S});
    assert_int_equal(run_chain(&v, "client_rsa", &prng), 0);
    assert_string_equal(v.subject.common_name, "system:node:worker");
    assert_int_equal(v.subject.organizations_count, 2);
    assert_string_equal(v.subject.organizations[0], "one");
    assert_string_equal(v.subject.organizations[1], "two");
    assert_int_equal(v.not_after_s, 2019686400);
}

/* Any flipped bit of a chain must lead to a refusal, and to no crash; one of each byte is tried. */
static void test_verify_refuses_damaged_chains(void **state)
{
    static struct x509_verifier v;
    struct x509_anchors anchors;
    struct prng prng;

    (void)state;
    prng_seed(&prng, 5);
    load_anchors(&anchors, "ca");
    str good = der_of("server_ec.crt");
    char *bad = arena_take(&arena, good.bytes);
    x509_verifier_init(&v, &(struct x509_check){.anchors = &anchors,
                                                .purpose = X509_SERVER,
                                                .host = S("kubernetes"),
                                                .now_s = NET_NOW_S});
    for (size_t byte = 0; byte < good.bytes; byte++) {
        size_t bit = byte * 8 + prng_below(&prng, 8);
        memcpy(bad, good.ptr, good.bytes);
        bad[bit / 8] = (char)(bad[bit / 8] ^ (1 << bit % 8));
        v.vtable->start_chain(&v.vtable, NULL);
        feed_cert(&v, str_make(bad, good.bytes), &prng);
        if (v.vtable->end_chain(&v.vtable) == 0) {
            print_error("bit %zu of byte %zu does not matter\n", bit % 8, bit / 8);
            fail();
        }
        assert_true(v.why[0] != 0);
    }
}

/* ---- anchors --------------------------------------------------------------------------------- */

static void test_anchors_skip_what_is_unusable(void **state)
{
    (void)state;
    char text[32 * 1024];
    struct buf pem;
    struct x509_anchors anchors;

    buf_init(&pem, text, sizeof text);
    buf_put_text(&pem, "# a comment with -----BEGIN in it\n");
    buf_put_text(&pem, net_cert("ca_ed.crt"));
    buf_put_text(&pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    buf_put_text(&pem, "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n");
    buf_put_text(&pem, net_cert("ca.key"));
    buf_put_text(&pem, net_cert("ca.crt"));
    buf_put_text(&pem, net_cert("ca_rsa.crt"));
    buf_put_text(&pem, "-----BEGIN CERTIFICATE-----\nMIIB cut");
    assert_true(buf_ok(&pem));
    assert_int_equal(x509_anchors_load(&anchors, buf_str(&pem), &arena), ERR_OK);
    assert_int_equal(anchors.count, 2);
    assert_int_equal(anchors.skipped, 3);
    assert_int_equal(anchors.list[0].flags, BR_X509_TA_CA);
    assert_int_equal(anchors.list[0].pkey.key_type, BR_KEYTYPE_EC);
    assert_int_equal(anchors.list[1].pkey.key_type, BR_KEYTYPE_RSA);
}

static void test_anchors_empty_is_an_error(void **state)
{
    (void)state;
    struct x509_anchors anchors;
    assert_int_equal(x509_anchors_load(&anchors, STR_NONE, &arena), ERR_BAD_INPUT);
    assert_int_equal(x509_anchors_load(&anchors, str_of(net_cert("ca_ed.crt")), &arena),
                     ERR_BAD_INPUT);
    assert_int_equal(anchors.count, 0);
    assert_int_equal(arena.used, 0);
}

/* Each take fails in turn: an error each time, and nothing is kept. */
static void test_anchors_full(void **state)
{
    (void)state;
    struct x509_anchors anchors;
    int failures = 0;

    for (uint64_t n = 1;; n++) {
        arena_init(&arena, arena_memory, sizeof arena_memory);
        arena_fail_at(n);
        enum err err = x509_anchors_load(&anchors, str_of(net_cert("ca_rsa.crt")), &arena);
        if (err == ERR_OK) {
            break;
        }
        failures++;
        assert_int_equal(anchors.count, 0);
        assert_int_equal(arena.used, 0);
    }
    arena_fail_at(0);
    assert_true(failures >= 4);
}

/* ---- identities ------------------------------------------------------------------------------ */

static const struct {
    const char *chain, *key;
    const char *why; /* NULL: good */
} identity_cases[] = {
    {"client_ec.crt", "client_ec.key", NULL},
    {"client_ec.crt", "client_ec.pk8", NULL},
    {"client_ec.crt", "client_ec.params", NULL},
    {"client_rsa.crt", "client_rsa.key", NULL},
    {"client_rsa.crt", "client_rsa.pk8", NULL},
    {"server_ec384.crt", "server_ec384.key", NULL},
    {"client_ec.crt", "client_rsa.key", "private key does not belong to the certificate"},
    {"client_rsa.crt", "client_ec.key", "private key does not belong to the certificate"},
    {"client_rsa.crt", "ca_rsa.key", "private key does not belong to the certificate"},
    {"client_ec.crt", "ca.key", "private key does not belong to the certificate"},
    {"client_ec.crt", "client_ec.locked", "private key is encrypted; we have no pass phrase"},
    {"client_ec.crt", "client_ec.locked_old", "private key is encrypted; we have no pass phrase"},
    {"client_ec.crt", "client_ec.crt", "no private key in the file"},
    {"client_ec.key", "client_ec.key", "no certificate in the file"},
    {"server_ed.crt", "server_ed.key", "private key is malformed or of an unknown kind"},
};

static void test_identity_table(void **state)
{
    for (size_t i = 0; i < sizeof identity_cases / sizeof identity_cases[0]; i++) {
        struct tls_identity identity;
        const char *why = NULL;
        (void)reset_arena(state);
        enum err err = tls_identity_load(&identity, str_of(net_cert(identity_cases[i].chain)),
                                         str_of(net_cert(identity_cases[i].key)), &arena, &why);
        if (identity_cases[i].why == NULL) {
            assert_int_equal(err, ERR_OK);
            assert_int_equal(identity.chain_count, 1);
            assert_int_equal(identity.not_after_s, 2019686400);
        } else {
            assert_int_equal(err, ERR_BAD_INPUT);
            assert_string_equal(why, identity_cases[i].why);
            assert_int_equal(identity.chain_count, 0);
        }
    }
}

static void test_identity_in_one_file(void **state)
{
    (void)state;
    char text[16 * 1024];
    struct tls_identity identity;
    const char *why = NULL;

    (void)snprintf(text, sizeof text, "%s%s%s", net_cert("server_chain.key"),
                   net_cert("server_chain.crt"), net_cert("middle.crt"));
    assert_int_equal(tls_identity_load(&identity, str_of(text), str_of(text), &arena, &why),
                     ERR_OK);
    assert_int_equal(identity.chain_count, 2);
    assert_string_equal(identity.name, "kube-apiserver");
}

static bool memory_has(const void *memory, size_t bytes, const void *needle, size_t needle_bytes)
{
    return memmem(memory, bytes, needle, needle_bytes) != NULL;
}

/* The secret is in the arena once, and nowhere after a wipe. */
static void test_identity_wipe(void **state)
{
    (void)state;
    struct tls_identity identity;
    const char *why;
    unsigned char secret[64];

    memset(arena_memory, 0, sizeof arena_memory);
    assert_int_equal(tls_identity_load(&identity, str_of(net_cert("client_ec.crt")),
                                       str_of(net_cert("client_ec.key")), &arena, &why),
                     ERR_OK);
    size_t bytes = identity.ec.xlen;
    size_t at = (size_t)(identity.ec.x - (unsigned char *)arena_memory);
    memcpy(secret, identity.ec.x, bytes);
    assert_true(memory_has(arena_memory, sizeof arena_memory, secret, bytes));
    assert_false(memory_has(arena_memory, at, secret, bytes));
    assert_false(memory_has(arena_memory + at + 1, sizeof arena_memory - at - 1, secret, bytes));
    tls_identity_wipe(&identity);
    assert_false(memory_has(arena_memory, sizeof arena_memory, secret, bytes));
    assert_int_equal(identity.key_type, 0);
}

static void test_identity_full(void **state)
{
    (void)state;
    struct tls_identity identity;
    int failures = 0;

    for (uint64_t n = 1;; n++) {
        const char *why = NULL;
        arena_init(&arena, arena_memory, sizeof arena_memory);
        arena_fail_at(n);
        enum err err = tls_identity_load(&identity, str_of(net_cert("client_rsa.crt")),
                                         str_of(net_cert("client_rsa.key")), &arena, &why);
        arena_fail_at(0);
        if (err == ERR_OK) {
            break;
        }
        assert_int_equal(err, ERR_FULL);
        assert_true(why[0] != 0);
        failures++;
    }
    assert_true(failures >= 5);
}

/* ---- reading one certificate ----------------------------------------------------------------- */

static void test_read_fields(void **state)
{
    (void)state;
    struct x509_cert cert = cert_of("server_ec.crt");
    char text[256];
    struct buf out;

    assert_int_equal(cert.version, 3);
    assert_int_equal(cert.not_before_s, 1704067200);
    assert_int_equal(cert.key.type, X509_KEY_EC);
    assert_int_equal(cert.key.curve, 23);
    assert_int_equal(cert.key.point.bytes, 65);
    assert_false(cert.is_ca);
    assert_true(cert_of("ca.crt").is_ca);
    assert_int_equal(cert_of("ca_rsa.crt").key.modulus.bytes, 256);
    assert_int_equal(cert_of("ca_ed.crt").key.type, X509_KEY_OTHER);
    buf_init(&out, text, sizeof text);
    x509_put_names(&cert, &out);
    assert_string_equal(buf_cstr(&out), NAMES_TEXT);
}

/* Every prefix and every single changed byte: an answer, no crash, and no view outside the input.
 */
static void test_read_survives_damage(void **state)
{
    (void)state;
    str good = der_of("server_ec.crt");
    struct prng prng;

    prng_seed(&prng, 6);
    for (size_t bytes = 0; bytes < good.bytes; bytes++) {
        struct x509_cert cert;
        char *copy = malloc(bytes > 0 ? bytes : 1); /* its own block, so that ASan sees overreads */
        memcpy(copy, good.ptr, bytes);
        assert_int_equal(x509_read(str_make(copy, bytes), &cert), ERR_BAD_INPUT);
        free(copy);
    }
    for (int round = 0; round < 20000; round++) {
        struct x509_cert cert;
        char text[128];
        struct buf out;
        char *copy = malloc(good.bytes);
        memcpy(copy, good.ptr, good.bytes);
        copy[prng_below(&prng, good.bytes)] = (char)prng_u64(&prng);
        copy[prng_below(&prng, good.bytes)] = (char)prng_u64(&prng);
        if (x509_read(str_make(copy, good.bytes), &cert) == ERR_OK) {
            buf_init(&out, text, sizeof text);
            x509_put_names(&cert, &out);
            x509_put_common_name(cert.issuer, &out);
            (void)x509_names_host(&cert, S("10.96.0.1"));
            (void)x509_names_host(&cert, S("kubernetes"));
            (void)x509_is_for(&cert, X509_CLIENT);
        }
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_verify_chains, reset_arena),
        cmocka_unit_test_setup(test_verify_long_reasons_are_cut, reset_arena),
        cmocka_unit_test_setup(test_verify_skip_takes_any_leaf, reset_arena),
        cmocka_unit_test_setup(test_verify_keeps_the_subject, reset_arena),
        cmocka_unit_test_setup(test_verify_refuses_damaged_chains, reset_arena),
        cmocka_unit_test_setup(test_anchors_skip_what_is_unusable, reset_arena),
        cmocka_unit_test_setup(test_anchors_empty_is_an_error, reset_arena),
        cmocka_unit_test_setup(test_anchors_full, reset_arena),
        cmocka_unit_test_setup(test_identity_table, reset_arena),
        cmocka_unit_test_setup(test_identity_in_one_file, reset_arena),
        cmocka_unit_test_setup(test_identity_wipe, reset_arena),
        cmocka_unit_test_setup(test_identity_full, reset_arena),
        cmocka_unit_test_setup(test_read_fields, reset_arena),
        cmocka_unit_test_setup(test_read_survives_damage, reset_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
