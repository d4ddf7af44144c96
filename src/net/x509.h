/*
 * x509.h - what one certificate says (RFC 5280), read from its DER. Nothing is believed here: who
 * signed it and whether that counts is decided in x509_verify.h.
 *
 * All texts are views into the certificate and live as long as its bytes.
 */
#ifndef ECILET_NET_X509_H
#define ECILET_NET_X509_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum x509_key_type { X509_KEY_OTHER, X509_KEY_RSA, X509_KEY_EC };

struct x509_key {
    enum x509_key_type type; /* OTHER: a kind BearSSL cannot use (Ed25519, DSA, explicit curves) */
    int curve;               /* EC: TLS number of the curve (23 P-256, 24 P-384, 25 P-521) */
    str point;               /* EC: uncompressed point */
    str modulus, exponent;   /* RSA: big-endian, no leading zeros */
};

struct x509_cert {
    int version;          /* 1, 2 or 3 */
    str issuer, subject;  /* whole DER of the names */
    int64_t not_before_s; /* seconds since 1970 */
    int64_t not_after_s;
    struct x509_key key;
    str alt_names; /* contents of subjectAltName's SEQUENCE */
    bool has_alt_names;
    str key_purposes; /* contents of extendedKeyUsage's SEQUENCE */
    bool has_key_purposes;
    bool is_ca; /* basicConstraints says so, or the certificate is older than version 3 */
};

/* Reads one whole certificate. Errors: ERR_BAD_INPUT (malformed; *out is undefined). */
MUST_USE enum err x509_read(str der, struct x509_cert *out);

enum x509_purpose { X509_SERVER, X509_CLIENT };

/* extendedKeyUsage allows this: it is absent, or names the purpose or anyExtendedKeyUsage. */
bool x509_is_for(const struct x509_cert *cert, enum x509_purpose purpose);

/*
 * The certificate names this host (RFC 6125 section 6, RFC 9525).
 *
 * host     a DNS name (a trailing dot is ignored) or an address (IPv4, IPv6, brackets allowed)
 *
 * An address is compared with iPAddress entries only, a DNS name with dNSName entries only. "*"
 * stands for exactly one whole left-most label, and at least two labels must follow it. The
 * subject's common name counts only for DNS names, and only when there is no subjectAltName at all.
 */
bool x509_names_host(const struct x509_cert *cert, str host);

/* Whom the certificate is for: "kubernetes, *.example.com, 127.0.0.1", or the common name, or
 * "nobody". For people; stops quietly when `out` is full. */
void x509_put_names(const struct x509_cert *cert, struct buf *out);

#define X509_NAME_BYTES 320        /* "system:node:" and a DNS subdomain of 253 fit */
#define X509_ORGANIZATIONS_MAX 4   /* more are ignored; kubeadm uses one */
#define X509_ORGANIZATION_BYTES 68 /* ub-organization-name is 64 (RFC 5280 appendix A.1) */

/* The subject as Kubernetes reads it: user = CN, groups = O. NUL-terminated. A value that is too
 * long or not UTF-8/ASCII text is left out, never cut: a cut name could be somebody else's. */
struct x509_subject {
    char common_name[X509_NAME_BYTES];
    char organizations[X509_ORGANIZATIONS_MAX][X509_ORGANIZATION_BYTES];
    uint32_t organizations_count;
};

/* name: whole DER of a Name (cert->subject or cert->issuer). */
void x509_read_subject(str name, struct x509_subject *out);

/* The common name of a Name (its organization if it has none), tamed to printable ASCII; for
 * people. */
void x509_put_common_name(str name, struct buf *out);

/* "2006-01-02", for messages. */
void x509_put_date(struct buf *out, int64_t unix_s);

#endif
