/*
 * eci_sign.h - the parameters of a request, flattened, signed and written as a form body.
 *
 * RPC signature version 1 with HMAC-SHA1 (eci-api 1.3 to 1.6). Pure: time and nonce are given by
 * the caller. The form is the canonical query itself followed by the signature, so a call can be
 * signed again with a new nonce and time without its parameters: both have a fixed length and are
 * replaced in place.
 */
#ifndef ECILET_ECI_ECI_SIGN_H
#define ECILET_ECI_ECI_SIGN_H

#include "base/buf.h"
#include "data/params.h"

#define ECI_VERSION "2018-08-08"
#define ECI_NONCE_BYTES 32     /* hex digits */
#define ECI_SIGNATURE_BYTES 28 /* base64 of 20 bytes */
#define ECI_SECRET_BYTES 128   /* access key secret with its NUL; today 30 characters */

/* Everything that is not a parameter of the action itself. Borrowed. */
struct eci_sign_as {
    const char *method; /* "POST" or "GET": part of what is signed */
    str action;
    str region_id; /* empty: the action takes none */
    str access_key_id;
    str access_key_secret;
    str security_token; /* empty: no STS */
    str nonce;          /* ECI_NONCE_BYTES hex digits, unique per request and per repetition */
    int64_t unix_s;     /* within 15 minutes of the server's clock */
};

/*
 * Bytes of memory eci_sign() needs in out: the form, and after it room for the string to sign,
 * which is free again afterwards.
 */
size_t eci_sign_bytes(const struct params *params, const struct eci_sign_as *as);

/*
 * Writes the signed form "Action=...&...&Signature=..." into an empty buf.
 *
 * params   parameters of the action, with distinct names, none of them a common parameter (1.3)
 *          except RegionId, which wins over as->region_id. Sorted in place by raw name.
 *
 * Errors: ERR_FULL when out has less than eci_sign_bytes() (or the list itself had overflowed:
 * params->has_failed); ERR_INVALID when a name is empty, occurs twice or is reserved. On any error
 * out is wiped and empty.
 */
MUST_USE enum err eci_sign(struct buf *out, struct params *params, const struct eci_sign_as *as);

/*
 * Signs a form made by eci_sign() again: of `as` only method, access_key_secret, nonce and unix_s
 * are used. The size does not change, except that the escaping of the signature may differ.
 * Errors: ERR_FULL as above; ERR_INVALID when it is no such form.
 */
MUST_USE enum err eci_sign_again(struct buf *form, const struct eci_sign_as *as);

/* Overwrites secrets so that no compiler leaves it out. */
void eci_wipe(void *secret, size_t bytes);

/* The signature alone, NUL-terminated; canonical is the canonical query (eci-api 1.5, step 4).
 * scratch receives the string to sign and is wiped. Errors: ERR_FULL. */
MUST_USE enum err eci_sign_text(char out[static ECI_SIGNATURE_BYTES + 1], const char *method,
                                str canonical, str access_key_secret, struct buf scratch);

#endif
