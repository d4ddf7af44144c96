/* see x509_verify.h */
#include "net/x509_verify.h"

#include <stdarg.h>

#include "base/check.h"
#include "net/pem.h"

#define RSA_BYTES_MAX 512u /* BearSSL's limit is 4096 bits */

/* ---- anchors --------------------------------------------------------------------------------- */

static bool is_certificate(const struct pem_block *block)
{
    return str_eq(block->label, S("CERTIFICATE")) || str_eq(block->label, S("X509 CERTIFICATE"));
}

static bool is_usable_key(const struct x509_key *key)
{
    bool is_good_rsa = key->type == X509_KEY_RSA && key->modulus.bytes <= RSA_BYTES_MAX &&
                       key->modulus.bytes > 0 && key->exponent.bytes > 0 &&
                       key->exponent.bytes <= 8;
    return is_good_rsa || key->type == X509_KEY_EC;
}

static unsigned char *copy_bytes(struct arena *arena, str bytes)
{
    void *copy = arena_take(arena, bytes.bytes);
    return copy != NULL ? memcpy(copy, bytes.ptr, bytes.bytes) : NULL;
}

static void set_key(br_x509_pkey *out, const struct x509_key *key, struct arena *arena)
{
    if (key->type == X509_KEY_RSA) {
        out->key_type = BR_KEYTYPE_RSA;
        out->key.rsa.n = copy_bytes(arena, key->modulus);
        out->key.rsa.nlen = key->modulus.bytes;
        out->key.rsa.e = copy_bytes(arena, key->exponent);
        out->key.rsa.elen = key->exponent.bytes;
    } else {
        out->key_type = BR_KEYTYPE_EC;
        out->key.ec.curve = key->curve;
        out->key.ec.q = copy_bytes(arena, key->point);
        out->key.ec.qlen = key->point.bytes;
    }
}

/* One certificate of the bundle into the next free place of the list. */
static void add_anchor(struct x509_anchors *anchors, const struct pem_block *block,
                       struct arena *arena)
{
    char memory[3 * X509_CERT_BYTES_MAX]; /* base64 takes 4/3, the bytes themselves 1 */
    struct arena work;
    struct x509_cert cert;
    str der;

    arena_init(&work, memory, sizeof memory);
    if (pem_decode(block, &work, &der) != ERR_OK || x509_read(der, &cert) != ERR_OK ||
        !is_usable_key(&cert.key)) {
        anchors->skipped++;
        return;
    }
    br_x509_trust_anchor *anchor = &anchors->list[anchors->count];
    anchor->dn.data = copy_bytes(arena, cert.subject);
    anchor->dn.len = cert.subject.bytes;
    anchor->flags = cert.is_ca ? BR_X509_TA_CA : 0;
    set_key(&anchor->pkey, &cert.key, arena);
    anchors->count += !arena->has_failed;
}

enum err x509_anchors_load(struct x509_anchors *anchors, str pem, struct arena *arena)
{
    size_t start = arena_mark(arena);
    struct pem_block block;
    size_t blocks_count = 0;

    *anchors = (struct x509_anchors){.list = NULL};
    for (str rest = pem; pem_next(&rest, &block);) {
        blocks_count += is_certificate(&block);
    }
    anchors->list = ARENA_ARRAY(arena, blocks_count, br_x509_trust_anchor);
    for (str rest = pem; !arena->has_failed && pem_next(&rest, &block);) {
        if (is_certificate(&block)) {
            add_anchor(anchors, &block, arena);
        }
    }
    enum err err = arena->has_failed ? ERR_FULL : anchors->count == 0 ? ERR_BAD_INPUT : ERR_OK;
    if (err != ERR_OK) {
        arena_rewind(arena, start);
        anchors->list = NULL;
        anchors->count = 0;
    }
    return err;
}

/* ---- reasons --------------------------------------------------------------------------------- */

/* The first reason stays: later ones are usually its consequences. */
static void refuse(struct x509_verifier *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void refuse(struct x509_verifier *v, const char *format, ...)
{
    char text[512];
    struct buf out;
    va_list args;

    v->is_refused = true;
    if (v->why[0] != 0) {
        return;
    }
    buf_init(&out, text, sizeof text);
    va_start(args, format);
    buf_put_vfmt(&out, format, args);
    va_end(args);
    if (!str_copy(v->why, sizeof v->why, buf_str(&out))) {
        (void)str_copy(v->why, sizeof v->why - 3, buf_str(&out));
        memcpy(v->why + strlen(v->why), "...", 4);
    }
}

/* Our own clock is mentioned because it may be the one that is wrong. */
static void refuse_date(struct x509_verifier *v, const char *what, int64_t unix_s)
{
    char dates[2][16];
    const int64_t seconds[2] = {unix_s, v->now_s};

    for (int i = 0; i < 2; i++) {
        struct buf date;
        buf_init(&date, dates[i], sizeof dates[i]);
        x509_put_date(&date, seconds[i]);
        (void)buf_cstr(&date);
    }
    refuse(v, "%s %s %s (our clock says %s)",
           v->certs_count == 0 ? "certificate" : "its CA certificate", what, dates[0], dates[1]);
}

static void refuse_host(struct x509_verifier *v, const struct x509_cert *cert)
{
    char text[256];
    struct buf names;

    buf_init(&names, text, sizeof text - 1);
    x509_put_names(cert, &names);
    text[names.bytes] = 0;
    refuse(v, "asked for %s, but the certificate is for %s", v->host, text);
}

/* A CA of the same name but with another key is the usual mistake with Kubernetes: every kubeadm
 * cluster calls its CA "kubernetes". */
static void note_issuer(struct x509_verifier *v, const struct x509_cert *cert)
{
    struct buf name;

    v->has_namesake = false;
    for (uint32_t i = 0; i < v->anchors->count; i++) {
        const br_x500_name *dn = &v->anchors->list[i].dn;
        v->has_namesake |= str_eq(str_make((const char *)dn->data, dn->len), cert->issuer);
    }
    buf_init(&name, v->issuer, sizeof v->issuer - 1);
    x509_put_common_name(cert->issuer, &name);
    v->issuer[name.bytes] = 0;
}

static const struct {
    unsigned code;
    const char *text;
} verdicts[] = {
    {BR_ERR_X509_EMPTY_CHAIN, "the peer sent no certificate"},
    {BR_ERR_X509_UNSUPPORTED,
     "certificate uses an algorithm we do not support (RSA-PSS, Ed25519, SHA-1)"},
    {BR_ERR_X509_LIMIT_EXCEEDED, "certificate has a key or signature above 4096 bits"},
    {BR_ERR_X509_BAD_SIGNATURE, "certificate carries a wrong signature"},
    {BR_ERR_X509_EXPIRED, "certificate is not valid now"},
    {BR_ERR_X509_DN_MISMATCH, "certificates are not in the order in which they were signed"},
    {BR_ERR_X509_CRITICAL_EXTENSION, "certificate has a critical extension we do not support"},
    {BR_ERR_X509_NOT_CA, "certificate was signed by one that may not sign (basicConstraints)"},
    {BR_ERR_X509_FORBIDDEN_KEY_USAGE, "certificate's keyUsage forbids this use"},
    {BR_ERR_X509_WEAK_PUBLIC_KEY, "certificate has a key below 1024 bits"},
};

/* What BearSSL found, in words. */
static void refuse_verdict(struct x509_verifier *v, unsigned code)
{
    const char *text = "certificate is malformed";

    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        text = verdicts[i].code == code ? verdicts[i].text : text;
    }
    if (code != BR_ERR_X509_NOT_TRUSTED) {
        refuse(v, "%s", text);
    } else if (v->has_namesake) {
        refuse(v, "signed by \"%s\", but with another key than the CA we know by that name",
               v->issuer);
    } else {
        refuse(v, "not signed by a known CA (signed by \"%s\")", v->issuer);
    }
}

/* ---- checks on one whole certificate --------------------------------------------------------- */

static void check_dates(struct x509_verifier *v, const struct x509_cert *cert)
{
    if (v->now_s < cert->not_before_s) {
        refuse_date(v, "is not valid before", cert->not_before_s);
    } else if (v->now_s > cert->not_after_s) {
        refuse_date(v, "expired on", cert->not_after_s);
    }
}

/* Nested as in Go and OpenSSL: a CA whose own purposes exclude ours cannot give it to others. */
static void check_purpose(struct x509_verifier *v, const struct x509_cert *cert)
{
    if (!x509_is_for(cert, v->purpose)) {
        refuse(v, "%s may not be used by %s (extendedKeyUsage)",
               v->certs_count == 0 ? "certificate" : "its CA certificate",
               v->purpose == X509_SERVER ? "servers" : "clients");
    }
}

static void check_leaf(struct x509_verifier *v, const struct x509_cert *cert)
{
    x509_read_subject(cert->subject, &v->subject);
    v->not_after_s = cert->not_after_s;
    if (v->purpose == X509_SERVER && !x509_names_host(cert, str_of(v->host))) {
        refuse_host(v, cert);
    }
}

/* Reads the public key of a leaf that nobody asked us to judge. */
static void take_leaf_blindly(struct x509_verifier *v, const struct x509_cert *cert)
{
    const struct x509_key *key = &cert->key;

    x509_read_subject(cert->subject, &v->subject);
    v->not_after_s = cert->not_after_s;
    if (!is_usable_key(key)) {
        refuse(v, "certificate has a kind of key we do not support");
        return;
    }
    struct arena room;
    arena_init(&room, v->leaf_key_room, sizeof v->leaf_key_room);
    set_key(&v->leaf_key, key, &room);
}

static void check_cert(struct x509_verifier *v)
{
    struct x509_cert cert;
    str der = str_make((const char *)v->cert, v->cert_bytes);

    if (v->is_too_big) {
        refuse(v, "certificate is larger than %d bytes", X509_CERT_BYTES_MAX);
    } else if (x509_read(der, &cert) != ERR_OK) {
        refuse(v, "certificate is malformed");
    } else if (v->skip_verify) {
        take_leaf_blindly(v, &cert);
    } else {
        note_issuer(v, &cert);
        check_dates(v, &cert);
        check_purpose(v, &cert);
        if (v->certs_count == 0) {
            check_leaf(v, &cert);
        }
    }
}

/* ---- the class ------------------------------------------------------------------------------- */

static struct x509_verifier *verifier_of(const br_x509_class **ctx)
{
    return (struct x509_verifier *)(void *)ctx;
}

/* Certificates behind the one that led to an anchor are ballast (cross-signed roots, often
 * expired), and those behind a blindly taken leaf too. */
static bool is_decided(const struct x509_verifier *v)
{
    return v->skip_verify ? v->certs_count > 0 : v->minimal.err == BR_ERR_X509_OK;
}

static void verifier_start_chain(const br_x509_class **ctx, const char *server_name)
{
    struct x509_verifier *v = verifier_of(ctx);

    (void)server_name; /* the SNI; the name we check is our own, and may be an address */
    v->certs_count = 0;
    v->is_refused = false;
    v->why[0] = 0;
    v->minimal.vtable->start_chain(&v->minimal.vtable, NULL);
}

static void verifier_start_cert(const br_x509_class **ctx, uint32_t length)
{
    struct x509_verifier *v = verifier_of(ctx);

    v->cert_bytes = 0;
    v->is_too_big = false;
    v->is_watching = !is_decided(v);
    v->minimal.vtable->start_cert(&v->minimal.vtable, length);
}

static void verifier_append(const br_x509_class **ctx, const unsigned char *bytes, size_t count)
{
    struct x509_verifier *v = verifier_of(ctx);

    if (v->is_watching && count <= sizeof v->cert - v->cert_bytes) {
        memcpy(v->cert + v->cert_bytes, bytes, count);
        v->cert_bytes += (uint32_t)count;
    } else if (v->is_watching) {
        v->is_too_big = true;
    }
    v->minimal.vtable->append(&v->minimal.vtable, bytes, count);
}

static void verifier_end_cert(const br_x509_class **ctx)
{
    struct x509_verifier *v = verifier_of(ctx);

    if (v->is_watching) {
        check_cert(v);
    }
    v->certs_count++;
    v->minimal.vtable->end_cert(&v->minimal.vtable);
}

/* BearSSL's verdict weighs more than ours, except that our words about dates are better. */
static unsigned verifier_end_chain(const br_x509_class **ctx)
{
    struct x509_verifier *v = verifier_of(ctx);
    unsigned code = v->minimal.vtable->end_chain(&v->minimal.vtable);

    if (v->skip_verify) {
        code = v->certs_count == 0 ? BR_ERR_X509_EMPTY_CHAIN : 0;
    }
    if (code != 0 && code != BR_ERR_X509_EXPIRED) {
        v->why[0] = 0;
    }
    if (code != 0) {
        refuse_verdict(v, code);
    }
    return code != 0 ? code : v->is_refused ? BR_ERR_X509_INVALID_VALUE : 0;
}

static const br_x509_pkey *verifier_get_pkey(const br_x509_class *const *ctx, unsigned *usages)
{
    const struct x509_verifier *v = (const void *)ctx;

    if (!v->skip_verify) {
        return v->minimal.vtable->get_pkey(&v->minimal.vtable, usages);
    }
    if (usages != NULL) {
        *usages = BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN;
    }
    return &v->leaf_key;
}

static const br_x509_class verifier_class = {
    .context_size = sizeof(struct x509_verifier),
    .start_chain = verifier_start_chain,
    .start_cert = verifier_start_cert,
    .append = verifier_append,
    .end_cert = verifier_end_cert,
    .end_chain = verifier_end_chain,
    .get_pkey = verifier_get_pkey,
};

/* ---- set up ---------------------------------------------------------------------------------- */

/* BearSSL counts days from the year 0; 1970 began on day 719528. */
static void set_time(br_x509_minimal_context *minimal, int64_t now_s)
{
    int64_t days = now_s / 86400 + 719528;
    br_x509_minimal_set_time(minimal, (uint32_t)days, (uint32_t)(now_s % 86400));
}

void x509_verifier_init(struct x509_verifier *v, const struct x509_check *check)
{
    CHECK(check->anchors != NULL && check->now_s >= 0);

    v->vtable = &verifier_class;
    v->anchors = check->anchors;
    v->purpose = check->purpose;
    v->skip_verify = check->skip_verify;
    v->now_s = check->now_s;
    v->certs_count = 0;
    v->why[0] = 0;
    /* A host that does not fit matches nothing, like any wrong one. */
    (void)str_copy(v->host, sizeof v->host, check->host);

    br_x509_minimal_init(&v->minimal, &br_sha256_vtable, check->anchors->list,
                         check->anchors->count);
    br_x509_minimal_set_rsa(&v->minimal, br_rsa_pkcs1_vrfy_get_default());
    br_x509_minimal_set_ecdsa(&v->minimal, br_ec_get_default(), br_ecdsa_vrfy_asn1_get_default());
    br_x509_minimal_set_hash(&v->minimal, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(&v->minimal, br_sha384_ID, &br_sha384_vtable);
    br_x509_minimal_set_hash(&v->minimal, br_sha512_ID, &br_sha512_vtable);
    set_time(&v->minimal, check->now_s);
}
