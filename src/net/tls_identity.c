/* see tls_identity.h */
#include "net/tls_identity.h"

#include "net/pem.h"
#include "net/x509.h"

#define RSA_BYTES_MAX 512u /* BearSSL's limit is 4096 bits */

/* A memset() the compiler may not drop. */
static void wipe(void *memory, size_t bytes)
{
    volatile unsigned char *at = memory;
    while (bytes-- > 0) {
        *at++ = 0;
    }
}

/* ---- certificates ---------------------------------------------------------------------------- */

static enum err load_chain(struct tls_identity *identity, str pem, struct arena *arena,
                           const char **why)
{
    struct pem_block block;

    while (pem_next(&pem, &block)) {
        str der;
        if (!str_eq(block.label, S("CERTIFICATE"))) {
            continue;
        }
        if (identity->chain_count == TLS_CHAIN_MAX) {
            *why = "more certificates than we can send";
            return ERR_BAD_INPUT;
        }
        enum err err = pem_decode(&block, arena, &der);
        if (err != ERR_OK) {
            *why = err == ERR_FULL ? "certificate chain is too large" : "certificate is not base64";
            return err;
        }
        br_x509_certificate *next = &identity->chain[identity->chain_count++];
        next->data = (unsigned char *)arena->ptr + (der.ptr - arena->ptr);
        next->data_len = der.bytes;
    }
    *why = identity->chain_count == 0 ? "no certificate in the file" : "";
    return identity->chain_count == 0 ? ERR_BAD_INPUT : ERR_OK;
}

static enum err read_leaf(struct tls_identity *identity, struct x509_cert *leaf, const char **why)
{
    const br_x509_certificate *first = &identity->chain[0];
    struct buf name;

    if (x509_read(str_make((const char *)first->data, first->data_len), leaf) != ERR_OK) {
        *why = "certificate is malformed";
        return ERR_BAD_INPUT;
    }
    identity->not_before_s = leaf->not_before_s;
    identity->not_after_s = leaf->not_after_s;
    buf_init(&name, identity->name, sizeof identity->name - 1);
    x509_put_common_name(leaf->subject, &name);
    identity->name[name.bytes] = 0;
    return ERR_OK;
}

/* ---- key ------------------------------------------------------------------------------------- */

static bool is_private_key(const struct pem_block *block, const char **why)
{
    if (str_eq(block->label, S("ENCRYPTED PRIVATE KEY")) ||
        str_find(block->base64, S("ENCRYPTED")) >= 0) {
        *why = "private key is encrypted; we have no pass phrase";
        return false;
    }
    return str_ends(block->label, S("PRIVATE KEY"));
}

static unsigned char *copy_bytes(struct arena *arena, const unsigned char *bytes, size_t count)
{
    void *copy = arena_take(arena, count);
    return copy != NULL ? memcpy(copy, bytes, count) : NULL;
}

static enum err copy_key(struct tls_identity *identity, br_skey_decoder_context *decoded,
                         struct arena *arena)
{
    const br_rsa_private_key *rsa = br_skey_decoder_get_rsa(decoded);
    const br_ec_private_key *ec = br_skey_decoder_get_ec(decoded);

    identity->key_type = br_skey_decoder_key_type(decoded);
    if (rsa != NULL) {
        identity->rsa = *rsa;
        identity->rsa.p = copy_bytes(arena, rsa->p, rsa->plen);
        identity->rsa.q = copy_bytes(arena, rsa->q, rsa->qlen);
        identity->rsa.dp = copy_bytes(arena, rsa->dp, rsa->dplen);
        identity->rsa.dq = copy_bytes(arena, rsa->dq, rsa->dqlen);
        identity->rsa.iq = copy_bytes(arena, rsa->iq, rsa->iqlen);
    } else {
        identity->ec = *ec;
        identity->ec.x = copy_bytes(arena, ec->x, ec->xlen);
    }
    return arena->has_failed ? ERR_FULL : ERR_OK;
}

static enum err read_key(struct tls_identity *identity, str der, struct arena *arena,
                         const char **why)
{
    br_skey_decoder_context decoder;

    br_skey_decoder_init(&decoder);
    br_skey_decoder_push(&decoder, der.ptr, der.bytes);
    enum err err = ERR_BAD_INPUT;
    *why = "private key is malformed or of an unknown kind";
    if (br_skey_decoder_last_error(&decoder) == 0) {
        err = copy_key(identity, &decoder, arena);
        *why = err == ERR_OK ? "" : "no room for the private key";
    }
    wipe(&decoder, sizeof decoder);
    return err;
}

static enum err load_key(struct tls_identity *identity, str pem, struct arena *arena,
                         const char **why)
{
    struct pem_block block;
    size_t start = arena_mark(arena);
    str der;

    *why = "no private key in the file";
    do {
        if (!pem_next(&pem, &block)) {
            return ERR_BAD_INPUT;
        }
    } while (!is_private_key(&block, why));
    enum err err = pem_decode(&block, arena, &der);
    if (err != ERR_OK) {
        *why = err == ERR_FULL ? "no room for the private key" : "private key is not base64";
        return err;
    }
    err = read_key(identity, der, arena, why);
    /* The parts were copied behind the encoded form, which is not needed any more. */
    wipe(arena->ptr + start, (size_t)(der.ptr - (arena->ptr + start)) + der.bytes);
    return err;
}

/* ---- do they belong together ----------------------------------------------------------------- */

static bool is_rsa_pair(const br_rsa_private_key *key, const struct x509_key *leaf)
{
    unsigned char modulus[RSA_BYTES_MAX];
    br_rsa_compute_modulus compute = br_rsa_compute_modulus_get_default();
    size_t bytes = key->n_bitlen <= 8 * RSA_BYTES_MAX ? compute(modulus, key) : 0;

    return bytes > 0 && str_eq(str_make((const char *)modulus, bytes), leaf->modulus);
}

static bool is_ec_pair(const br_ec_private_key *key, const struct x509_key *leaf)
{
    unsigned char point[BR_EC_KBUF_PUB_MAX_SIZE];
    br_ec_public_key public_key;
    size_t bytes = br_ec_compute_pub(br_ec_get_default(), &public_key, point, key);

    return bytes > 0 && key->curve == leaf->curve &&
           str_eq(str_make((const char *)point, bytes), leaf->point);
}

static enum err check_pair(const struct tls_identity *identity, const struct x509_key *leaf,
                           const char **why)
{
    bool is_pair = identity->key_type == BR_KEYTYPE_RSA
                       ? leaf->type == X509_KEY_RSA && is_rsa_pair(&identity->rsa, leaf)
                       : leaf->type == X509_KEY_EC && is_ec_pair(&identity->ec, leaf);
    *why = is_pair ? "" : "private key does not belong to the certificate";
    return is_pair ? ERR_OK : ERR_BAD_INPUT;
}

enum err tls_identity_load(struct tls_identity *identity, str chain_pem, str key_pem,
                           struct arena *arena, const char **why)
{
    struct x509_cert leaf;

    *identity = (struct tls_identity){.chain_count = 0};
    enum err err = load_chain(identity, chain_pem, arena, why);
    if (err == ERR_OK) {
        err = read_leaf(identity, &leaf, why);
    }
    if (err == ERR_OK) {
        err = load_key(identity, key_pem, arena, why);
    }
    if (err == ERR_OK) {
        err = check_pair(identity, &leaf.key, why);
    }
    if (err != ERR_OK) {
        tls_identity_wipe(identity);
    }
    return err;
}

void tls_identity_wipe(struct tls_identity *identity)
{
    const struct {
        unsigned char *bytes;
        size_t count;
    } secrets[] = {
        {identity->rsa.p, identity->rsa.plen},   {identity->rsa.q, identity->rsa.qlen},
        {identity->rsa.dp, identity->rsa.dplen}, {identity->rsa.dq, identity->rsa.dqlen},
        {identity->rsa.iq, identity->rsa.iqlen}, {identity->ec.x, identity->ec.xlen},
    };
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        if (secrets[i].bytes != NULL) {
            wipe(secrets[i].bytes, secrets[i].count);
        }
    }
    *identity = (struct tls_identity){.chain_count = 0};
}
