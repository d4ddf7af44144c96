/*
 * tls_identity.h - our own certificate chain and private key, as a client or as a server.
 *
 * Keys: RSA up to 4096 bits, EC P-256/P-384/P-521; PKCS#1, SEC1 or unencrypted PKCS#8 in PEM.
 */
#ifndef ECILET_NET_TLS_IDENTITY_H
#define ECILET_NET_TLS_IDENTITY_H

#include "base/arena.h"
#include "net/bear.h"

#define TLS_CHAIN_MAX 8 /* certificates we send; more are an error */

struct tls_identity {
    br_x509_certificate chain[TLS_CHAIN_MAX]; /* leaf first */
    uint32_t chain_count;
    int key_type; /* BR_KEYTYPE_RSA or BR_KEYTYPE_EC */
    br_rsa_private_key rsa;
    br_ec_private_key ec;
    int64_t not_before_s; /* of the leaf, seconds since 1970 */
    int64_t not_after_s;  /* likewise; the app warns before it comes */
    char name[64];        /* common name of the leaf, for logs */
};

/*
 * Reads a certificate chain and its key.
 *
 * chain_pem  CERTIFICATE blocks, leaf first; other blocks are ignored (so one file may hold both)
 * key_pem    one ... PRIVATE KEY block; other blocks are ignored
 * arena      where certificates and key live: as long as the identity is in use. It holds a secret:
 *            take it from memory that is wiped (tls_identity_wipe) and never logged.
 * why        receives a sentence when it fails (static text)
 *
 * Errors: ERR_BAD_INPUT (no certificate, no key, malformed, encrypted, of an unknown kind, or the
 * key does not belong to the leaf), ERR_FULL (arena).
 */
MUST_USE enum err tls_identity_load(struct tls_identity *identity, str chain_pem, str key_pem,
                                    struct arena *arena, const char **why);

/* Overwrites the private key. The identity cannot be used afterwards. */
void tls_identity_wipe(struct tls_identity *identity);

#endif
