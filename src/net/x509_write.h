/*
 * x509_write.h - makes a self-signed serving certificate (RFC 5280) with a fresh EC P-256 key, for
 * the ports that ecilet serves when the operator gives no certificate.
 *
 * It names a host and an address (SANs), may sign nothing else and serve only (extendedKeyUsage
 * serverAuth); being self-signed, it is its own authority: whoever trusts exactly this certificate
 * trusts this process.
 */
#ifndef ECILET_NET_X509_WRITE_H
#define ECILET_NET_X509_WRITE_H

#include "base/buf.h"
#include "net/tls_identity.h"

#define X509_WRITE_BYTES 2048 /* certificate and key, in the arena */
#define X509_WRITE_SEED_BYTES 32
#define X509_WRITE_OTHERS_MAX 4

struct x509_wish {
    str common_name; /* 1 to 64 bytes */
    str dns_name;    /* empty: none */
    str address;     /* IPv4 or IPv6 text; empty: none */
    str others;      /* further names and addresses as x509_put_names() lists them; after */
                     /* X509_WRITE_OTHERS_MAX of them the rest is left out */
    int64_t not_before_s, not_after_s;
};

/*
 * seed    from os_random(), fresh
 * arena   where certificate and key live: as long as the identity is in use; holds a secret
 * Errors: ERR_BAD_INPUT (a name too long, an address that is none), ERR_FULL.
 */
MUST_USE enum err x509_write_identity(const struct x509_wish *wish,
                                      const uint8_t seed[static X509_WRITE_SEED_BYTES],
                                      struct arena *arena, struct tls_identity *out);

/* The leaf as PEM, for those who shall trust it. */
void x509_put_pem(const struct tls_identity *identity, struct buf *out);
/* The key of an identity made here as PEM (SEC 1): a secret. */
void x509_put_key_pem(const struct tls_identity *identity, struct buf *out);

#endif
