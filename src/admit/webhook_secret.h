/*
 * webhook_secret.h - the Secret through which gateways share the webhook's certificate:
 * kube-system/vk-webhook-certs, of type kubernetes.io/tls, with tls.crt, tls.key and ca.crt.
 *
 * It is ecilet's own: the certificate in it is self-signed and stands in its ca.crt, together with
 * the one before it, so that whoever still shows that one is believed too. Anything else in it
 * cannot be used and is replaced; a certificate of the operator's own belongs into
 * WEBHOOK_CERT_DIR.
 *
 * Texts here are secrets: whoever gives an arena wipes it. No I/O.
 */
#ifndef ECILET_ADMIT_WEBHOOK_SECRET_H
#define ECILET_ADMIT_WEBHOOK_SECRET_H

#include "net/tls_keep.h"

#define WEBHOOK_SECRET "vk-webhook-certs"
#define WEBHOOK_SECRET_NAMESPACE "kube-system"
#define WEBHOOK_SECRET_BYTES (24 * 1024) /* of the object; a larger one is not used, told */
#define WEBHOOK_SECRET_BODY_BYTES (16 * 1024)
#define WEBHOOK_SECRET_OTHERS_BYTES 1024 /* names of the certificate before */

/* What is in it; borrowed from the reply and the arena. */
struct webhook_secret {
    str uid, version;
    str chain, key, authority; /* PEM */
};

/*
 * Reads the object. NULL: well; else a sentence that says what is wrong with it (static text).
 * uid and version are set whenever they can be read.
 */
const char *webhook_secret_read(str body, struct arena *arena, struct webhook_secret *out);

/* What is wrong with a set that came from the Secret: NULL, or a sentence (static text). */
const char *webhook_secret_fault(const struct tls_set *set, int64_t now_s);
/* The certificate names this host. */
bool webhook_secret_names(const struct tls_set *set, str host);
/* The authority believes this set: its certificate stands there, or its whole authority does. */
bool webhook_secret_vouches(str authority, const struct tls_set *set);

/*
 * Appends the object with a new certificate, to be created; with a version, a merge patch of the
 * object that had this version.
 *
 * wish     names; its dates are set here
 * before   the set that is shown until then: it stays believed, its names stay in the new one; NULL
 *          when there is none
 * arena    for the new certificate and key
 *
 * Errors: those of x509_write_identity(), ERR_FULL.
 */
MUST_USE enum err webhook_secret_put(const struct x509_wish *wish, const struct tls_set *before,
                                     str uid, str version, int64_t now_s, struct arena *arena,
                                     struct buf *out);

#endif
