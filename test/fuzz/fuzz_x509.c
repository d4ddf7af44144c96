/*
 * Any bytes as a certificate, as a chain that comes from a peer, and as PEM files of anchors and
 * identities. A chain nobody signed must never be accepted. First byte: which of these.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "net/tls_identity.h"
#include "net/x509_verify.h"
#include "net_certs.h"

static char arena_memory[256 * 1024];
static struct arena arena;

static void read_certificate(str der)
{
    struct x509_cert cert;
    struct x509_subject subject;
    char text[100];
    struct buf out;

    if (x509_read(der, &cert) != ERR_OK) {
        return;
    }
    buf_init(&out, text, sizeof text);
    x509_put_names(&cert, &out);
    x509_put_common_name(cert.issuer, &out);
    x509_put_date(&out, cert.not_after_s);
    x509_read_subject(cert.subject, &subject);
    CHECK(subject.organizations_count <= X509_ORGANIZATIONS_MAX);
    (void)x509_names_host(&cert, S("a.example.com"));
    (void)x509_names_host(&cert, S("127.0.0.1"));
    (void)x509_is_for(&cert, X509_SERVER);
}

/* Certificates with two bytes of length before each, fed in pieces. */
static void verify_chain(str input, bool skip_verify)
{
    static struct x509_verifier v;
    struct x509_anchors anchors;

    CHECK(x509_anchors_load(&anchors, str_of(net_cert("ca.crt")), &arena) == ERR_OK);
    x509_verifier_init(&v, &(struct x509_check){.anchors = &anchors,
                                                .purpose = X509_SERVER,
                                                .host = S("kubernetes"),
                                                .now_s = NET_NOW_S,
                                                .skip_verify = skip_verify});
    v.vtable->start_chain(&v.vtable, NULL);
    while (input.bytes > 2) {
        size_t bytes = (size_t)(uint8_t)input.ptr[0] << 8 | (uint8_t)input.ptr[1];
        str cert = str_sub(input, 2, bytes);
        input = str_sub(input, 2 + bytes, input.bytes);
        v.vtable->start_cert(&v.vtable, (uint32_t)cert.bytes);
        for (str rest = cert; rest.bytes > 0; rest = str_sub(rest, 100, rest.bytes)) {
            str piece = str_sub(rest, 0, 100);
            v.vtable->append(&v.vtable, (const unsigned char *)piece.ptr, piece.bytes);
        }
        v.vtable->end_cert(&v.vtable);
    }
    bool is_accepted = v.vtable->end_chain(&v.vtable) == 0;
    CHECK(is_accepted || v.why[0] != 0);
    /* The fuzzer has no key of the CA; it may find the one good certificate in its corpus. */
    CHECK(!is_accepted || skip_verify || v.not_after_s == 2019686400);
    if (is_accepted) {
        CHECK(v.vtable->get_pkey(&v.vtable, NULL) != NULL);
    }
}

static void load_files(str pem)
{
    struct x509_anchors anchors;
    struct tls_identity identity;
    const char *why = NULL;

    enum err err = x509_anchors_load(&anchors, pem, &arena);
    CHECK((err == ERR_OK) == (anchors.count > 0));
    arena_clear(&arena);
    err = tls_identity_load(&identity, pem, pem, &arena, &why);
    CHECK(why != NULL && (err == ERR_OK) == (identity.chain_count > 0));
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    char *copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    str input = str_make(copy, size - 1);
    arena_init(&arena, arena_memory, sizeof arena_memory);
    switch (data[0] % 4) {
    case 0:
        read_certificate(input);
        break;
    case 1:
    case 2:
        verify_chain(input, data[0] % 4 == 2);
        break;
    default:
        load_files(input);
        break;
    }
    free(copy);
    return 0;
}
