/*
 * x509_verify.h - who we trust, and whether a chain of certificates convinces us.
 *
 * BearSSL's "minimal" engine checks signatures, dates, basicConstraints and keyUsage along the
 * chain. It does not look at extendedKeyUsage, cannot read iPAddress names, and falls back to the
 * common name too easily; so our own br_x509_class wraps it, keeps one certificate at a time, and
 * checks the rest (x509.h). It also remembers why a chain was refused, in words for people.
 *
 * The verifier is a br_x509_class context: whatever drives BearSSL (tls.h, or the callback of
 * libcurl) sets it with br_ssl_engine_set_x509(eng, &verifier->vtable). No I/O, no clock.
 *
 * Not done: revocation; name constraints (BearSSL refuses a critical one); RSA-PSS and Ed25519
 * signatures. SHA-1 signatures are refused.
 */
#ifndef ECILET_NET_X509_VERIFY_H
#define ECILET_NET_X509_VERIFY_H

#include "base/arena.h"
#include "net/bear.h"
#include "net/x509.h"

#define X509_CERT_BYTES_MAX 8192 /* one certificate; 200 alternative names fit */
#define X509_HOST_BYTES 256      /* as RESOLVE_HOST_BYTES */
#define X509_WHY_BYTES 96        /* a sentence; longer ones end in "..." */
#define X509_KEY_ROOM_BYTES 576  /* RSA-4096: 512 + 8 bytes, each rounded up */

/* ---- anchors --------------------------------------------------------------------------------- */

struct x509_anchors {
    br_x509_trust_anchor *list;
    uint32_t count;
    uint32_t skipped; /* certificates in the file that BearSSL cannot use */
};

/*
 * Reads a CA bundle. A certificate that is no CA becomes an anchor for itself only (a self-signed
 * server). What cannot be used (malformed, unknown kind of key, RSA above 4096 bits) is skipped and
 * counted: one odd CA among 144 must not cost us the others.
 *
 * pem      the file's content; not needed afterwards
 * arena    where anchors live (about 0.5 KB each, 72 KB for Debian's bundle); must outlive every
 *          verifier that uses them
 *
 * Errors: ERR_BAD_INPUT (not one usable certificate), ERR_FULL (arena); `anchors` is then empty.
 */
MUST_USE enum err x509_anchors_load(struct x509_anchors *anchors, str pem, struct arena *arena);

/* ---- verifier -------------------------------------------------------------------------------- */

struct x509_check {
    const struct x509_anchors *anchors;
    enum x509_purpose purpose; /* X509_SERVER: the peer is a server and must name `host` */
    str host;                  /* copied; ignored for X509_CLIENT */
    int64_t now_s;             /* wall clock, seconds since 1970 */
    bool skip_verify;          /* take any chain whose leaf can be read (the user said so) */
};

struct x509_verifier {
    const br_x509_class *vtable; /* first: the address of this is what BearSSL gets */
    br_x509_minimal_context minimal;
    const struct x509_anchors *anchors;
    enum x509_purpose purpose;
    bool skip_verify;
    int64_t now_s;
    char host[X509_HOST_BYTES];

    uint32_t certs_count; /* whole ones seen in this chain */
    uint32_t cert_bytes;  /* of the current one, so far */
    bool is_watching;     /* the current one matters to us and is collected */
    bool is_too_big;      /* the current one did not fit */
    bool is_refused;      /* by us */
    bool
        has_namesake; /* an anchor has the name of the last issuer (but, if refused, not its key) */
    char issuer[64];  /* common name of the last certificate's issuer */

    struct x509_subject subject; /* of the leaf; valid when the chain was accepted */
    int64_t not_after_s;         /* of the leaf; likewise */
    char why[X509_WHY_BYTES];    /* why the chain was refused; empty otherwise */

    br_x509_pkey leaf_key; /* skip_verify only */
    _Alignas(16) uint8_t leaf_key_room[X509_KEY_ROOM_BYTES];
    uint8_t cert[X509_CERT_BYTES_MAX];
};

/* Ready for one chain; BearSSL does the rest through the vtable. Nothing to release. */
void x509_verifier_init(struct x509_verifier *verifier, const struct x509_check *check);

#endif
