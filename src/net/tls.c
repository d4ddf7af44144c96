/* see tls.h */
#include "net/tls.h"

#include "base/check.h"
#include "os/sock.h"

static br_ssl_engine_context *bear(struct tls_engine *engine)
{
    return &engine->as.client.eng; /* the first member of both contexts */
}

static_assert(offsetof(br_ssl_client_context, eng) == 0, "engine first");
static_assert(offsetof(br_ssl_server_context, eng) == 0, "engine first");

/* Mode, errors and flags back to their first values; the two large buffers stay as they are. */
static void engine_clear(struct tls_engine *engine, enum tls_mode mode)
{
    memset(engine, 0, offsetof(struct tls_engine, out));
    engine->mode = mode;
}

static void engine_fail(struct tls_engine *engine, enum err err, const char *why)
{
    if (engine->err == ERR_OK) {
        engine->err = err;
        (void)str_copy(engine->why, sizeof engine->why, str_of(why));
    }
}

/* ---- the proxy: handshake memory only while it is needed ----
 *
 * BearSSL wants its X.509 context before the handshake starts, but uses it only from the peer's
 * Certificate message until the end of the handshake. What it gets is a one-word context whose
 * first call takes a real verifier from the pool.
 */

static struct tls_engine *engine_of(const br_x509_class **ctx)
{
    return (struct tls_engine *)(void *)((char *)ctx - offsetof(struct tls_engine, proxy));
}

static struct x509_verifier *verifier_of(const struct tls_engine *engine)
{
    return engine->trust != NULL ? pool_at(engine->trust->verifiers, engine->verifier) : NULL;
}

static void give_verifier(struct tls_engine *engine)
{
    if (verifier_of(engine) != NULL) {
        pool_give(engine->trust->verifiers, engine->verifier);
    }
    engine->verifier = HANDLE_NONE;
}

static void proxy_start_chain(const br_x509_class **ctx, const char *server_name)
{
    struct tls_engine *engine = engine_of(ctx);
    struct x509_check check = {
        .anchors = &engine->trust->anchors,
        .purpose = engine->mode == TLS_CLIENT ? X509_SERVER : X509_CLIENT,
        .host = str_of(engine->host),
        .now_s = engine->trust->wall_s(),
        .skip_verify = engine->skip_verify,
    };

    give_verifier(engine);
    if (pool_take(engine->trust->verifiers, &engine->verifier) == ERR_OK) {
        struct x509_verifier *verifier = verifier_of(engine);
        x509_verifier_init(verifier, &check);
        verifier->vtable->start_chain(&verifier->vtable, server_name);
    }
}

static void proxy_start_cert(const br_x509_class **ctx, uint32_t length)
{
    struct x509_verifier *verifier = verifier_of(engine_of(ctx));
    if (verifier != NULL) {
        verifier->vtable->start_cert(&verifier->vtable, length);
    }
}

static void proxy_append(const br_x509_class **ctx, const unsigned char *bytes, size_t count)
{
    struct x509_verifier *verifier = verifier_of(engine_of(ctx));
    if (verifier != NULL) {
        verifier->vtable->append(&verifier->vtable, bytes, count);
    }
}

static void proxy_end_cert(const br_x509_class **ctx)
{
    struct x509_verifier *verifier = verifier_of(engine_of(ctx));
    if (verifier != NULL) {
        verifier->vtable->end_cert(&verifier->vtable);
    }
}

static unsigned proxy_end_chain(const br_x509_class **ctx)
{
    struct tls_engine *engine = engine_of(ctx);
    struct x509_verifier *verifier = verifier_of(engine);

    if (verifier == NULL) {
        engine_fail(engine, ERR_FULL, "too many TLS handshakes at once");
        return BR_ERR_X509_LIMIT_EXCEEDED;
    }
    unsigned code = verifier->vtable->end_chain(&verifier->vtable);
    if (code != 0 && !engine->is_anonymous_ok) {
        engine_fail(engine, ERR_TLS_TRUST, verifier->why);
    }
    if (code == 0 && !engine->skip_verify) {
        engine->is_peer_known = true;
        engine->peer = verifier->subject;
        engine->peer_not_after_s = verifier->not_after_s;
    }
    return code;
}

static const br_x509_pkey *proxy_get_pkey(const br_x509_class *const *ctx, unsigned *usages)
{
    static const br_x509_pkey no_key = {.key_type = 0}; /* verifies nothing */
    const struct tls_engine *engine =
        (const void *)((const char *)ctx - offsetof(struct tls_engine, proxy));
    const struct x509_verifier *verifier = verifier_of(engine);

    return verifier != NULL ? verifier->vtable->get_pkey(&verifier->vtable, usages) : &no_key;
}

static const br_x509_class proxy_class = {
    .context_size = sizeof(const br_x509_class *),
    .start_chain = proxy_start_chain,
    .start_cert = proxy_start_cert,
    .append = proxy_append,
    .end_cert = proxy_end_cert,
    .end_chain = proxy_end_chain,
    .get_pkey = proxy_get_pkey,
};

void tls_verifiers_init(struct pool *pool, struct region *region, uint32_t count)
{
    pool_init(pool, region, "tls-verifiers", count, sizeof(struct x509_verifier));
}

/* ---- start and stop -------------------------------------------------------------------------- */

/* Fastest first among equals. ECDHE only: forward secrecy; AEAD only: no padding troubles. */
static const uint16_t suites_ecdsa[] = {
    BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
};
static const uint16_t suites_rsa[] = {
    BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
};
static const uint16_t suites_any[] = {
    BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
};

/* What client and server have in common. The algorithms are named one by one, so that the linker
 * leaves CBC, CCM, 3DES and the old hashes behind. */
static void set_profile(struct tls_engine *engine, const uint8_t *seed)
{
    static const char *protocols[] = {"http/1.1"};
    br_ssl_engine_context *b = bear(engine);

    br_ssl_engine_set_versions(b, BR_TLS12, BR_TLS12);
    br_ssl_engine_add_flags(b, BR_OPT_NO_RENEGOTIATION);
    br_ssl_engine_set_protocol_names(b, protocols, 1);
    br_ssl_engine_set_hash(b, br_sha256_ID, &br_sha256_vtable);
    br_ssl_engine_set_hash(b, br_sha384_ID, &br_sha384_vtable);
    br_ssl_engine_set_hash(b, br_sha512_ID, &br_sha512_vtable);
    br_ssl_engine_set_prf_sha256(b, &br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(b, &br_tls12_sha384_prf);
    br_ssl_engine_set_default_aes_gcm(b);
    br_ssl_engine_set_default_chapol(b);
    br_ssl_engine_set_default_rsavrfy(b);
    br_ssl_engine_set_default_ecdsa(b); /* the curves as well */
    engine->proxy = &proxy_class;
    br_ssl_engine_set_x509(b, &engine->proxy);
    br_ssl_engine_set_buffers_bidi(b, engine->in, sizeof engine->in, engine->out,
                                   sizeof engine->out);
    br_ssl_engine_inject_entropy(b, seed, TLS_SEED_BYTES);
}

static void show_to_server(br_ssl_client_context *client, const struct tls_identity *identity)
{
    if (identity->key_type == BR_KEYTYPE_EC) {
        br_ssl_client_set_single_ec(client, identity->chain, identity->chain_count, &identity->ec,
                                    BR_KEYTYPE_SIGN, 0, br_ec_get_default(),
                                    br_ecdsa_sign_asn1_get_default());
    } else if (identity->key_type == BR_KEYTYPE_RSA) {
        br_ssl_client_set_single_rsa(client, identity->chain, identity->chain_count, &identity->rsa,
                                     br_rsa_pkcs1_sign_get_default());
    }
}

static void engine_settle(struct tls_engine *engine);

/* The name to send as SNI: NULL for an address (RFC 6066 section 3), no trailing dot. */
static const char *sni_of(str host, char room[static X509_HOST_BYTES])
{
    struct sock_addr addr;

    host = str_ends(host, S(".")) ? str_sub(host, 0, host.bytes - 1) : host;
    bool is_name = !sock_addr_parse(host, 0, &addr) && str_copy(room, X509_HOST_BYTES, host);
    return is_name ? room : NULL;
}

void tls_start_client(struct tls_engine *engine, const struct tls_trust *trust,
                      const struct tls_identity *identity, str host, bool skip_verify,
                      const uint8_t seed[static TLS_SEED_BYTES])
{
    br_ssl_client_context *client = &engine->as.client;
    char room[X509_HOST_BYTES];

    CHECK(trust != NULL && trust->verifiers != NULL && trust->wall_s != NULL);
    engine_clear(engine, TLS_CLIENT);
    engine->trust = trust;
    engine->skip_verify = skip_verify;
    if (!str_copy(engine->host, sizeof engine->host, host)) {
        engine->host[0] = 0; /* too long to be anybody's name: matches nothing */
    }
    br_ssl_client_zero(client);
    br_ssl_engine_set_suites(&client->eng, suites_any, sizeof suites_any / sizeof suites_any[0]);
    set_profile(engine, seed);
    if (identity != NULL) {
        show_to_server(client, identity);
    }
    br_ssl_client_reset(client, sni_of(host, room), 0);
    engine_settle(engine);
}

static void set_server_key(br_ssl_server_context *server, const struct tls_identity *identity)
{
    br_ssl_engine_context *b = &server->eng;

    if (identity->key_type == BR_KEYTYPE_EC) {
        br_ssl_engine_set_suites(b, suites_ecdsa, sizeof suites_ecdsa / sizeof suites_ecdsa[0]);
        br_ssl_server_set_single_ec(server, identity->chain, identity->chain_count, &identity->ec,
                                    BR_KEYTYPE_SIGN, 0, br_ec_get_default(),
                                    br_ecdsa_sign_asn1_get_default());
    } else {
        br_ssl_engine_set_suites(b, suites_rsa, sizeof suites_rsa / sizeof suites_rsa[0]);
        br_ssl_server_set_single_rsa(server, identity->chain, identity->chain_count, &identity->rsa,
                                     BR_KEYTYPE_SIGN, br_rsa_private_get_default(),
                                     br_rsa_pkcs1_sign_get_default());
    }
}

void tls_start_server(struct tls_engine *engine, const struct tls_identity *identity,
                      const struct tls_trust *clients, bool is_required,
                      const uint8_t seed[static TLS_SEED_BYTES])
{
    br_ssl_server_context *server = &engine->as.server;

    CHECK(identity != NULL && identity->chain_count > 0);
    CHECK(clients != NULL || !is_required);
    engine_clear(engine, TLS_SERVER);
    engine->trust = clients;
    engine->is_anonymous_ok = !is_required;
    br_ssl_server_zero(server);
    set_profile(engine, seed);
    set_server_key(server, identity);
    br_ssl_engine_add_flags(&server->eng, BR_OPT_ENFORCE_SERVER_PREFERENCES);
    if (clients != NULL) {
        br_ssl_server_set_trust_anchor_names_alt(server, clients->anchors.list,
                                                 clients->anchors.count);
        if (!is_required) {
            br_ssl_engine_add_flags(&server->eng, BR_OPT_TOLERATE_NO_CLIENT_AUTH);
        }
    }
    br_ssl_server_reset(server);
    engine_settle(engine);
}

void tls_start_plain(struct tls_engine *engine)
{
    engine_clear(engine, TLS_PLAIN);
    engine->is_open = true;
}

void tls_stop(struct tls_engine *engine)
{
    if (engine->mode != TLS_OFF) {
        give_verifier(engine);
        engine_clear(engine, TLS_OFF); /* the session's keys are gone with it */
    }
}

/* ---- what went wrong ------------------------------------------------------------------------- */

#define ALERT(n) (BR_ERR_RECV_FATAL_ALERT + (n)) /* RFC 5246 section 7.2 */

static const struct {
    int code;
    const char *why;
} troubles[] = {
    {BR_ERR_UNSUPPORTED_VERSION, "the peer does not speak TLS 1.2 (plain HTTP, or 1.3 only?)"},
    {BR_ERR_BAD_VERSION, "the peer mixes TLS versions"},
    {BR_ERR_BAD_LENGTH, "TLS record of a forbidden length"},
    {BR_ERR_TOO_LARGE, "TLS record larger than our buffer"},
    {BR_ERR_BAD_MAC, "TLS record was damaged or forged"},
    {BR_ERR_NO_RANDOM, "no entropy for TLS"},
    {BR_ERR_BAD_CIPHER_SUITE, "no cipher suite in common"},
    {BR_ERR_BAD_SIGNATURE, "the peer's handshake signature is wrong"},
    {BR_ERR_BAD_FINISHED, "the TLS handshake was tampered with"},
    {BR_ERR_WRONG_KEY_USAGE, "certificate's key does not fit the cipher suite"},
    {BR_ERR_NO_CLIENT_AUTH, "the client showed no certificate"},
    {BR_ERR_INVALID_ALGORITHM, "the peer chose an algorithm we do not support"},
    {ALERT(40), "the peer refused the handshake (no common algorithm, or it wants a certificate)"},
    {ALERT(42), "the peer refused our certificate as bad"},
    {ALERT(43), "the peer does not support our certificate's kind"},
    {ALERT(44), "the peer refused our certificate as revoked"},
    {ALERT(45), "the peer refused our certificate as expired"},
    {ALERT(46), "the peer refused our certificate"},
    {ALERT(48), "the peer does not know the CA of our certificate"},
    {ALERT(49), "the peer denied access"},
    {ALERT(51), "the peer could not verify our handshake signature"},
    {ALERT(70), "the peer refused TLS 1.2 (it may speak TLS 1.3 only)"},
    {ALERT(71), "the peer wants stronger cipher suites"},
    {ALERT(80), "the peer reported an internal error"},
    {ALERT(112), "the peer does not know the host name we asked for"},
    {ALERT(116), "the peer requires a client certificate"},
    {ALERT(120), "the peer does not speak HTTP/1.1"},
};

static void explain(struct tls_engine *engine, int code)
{
    struct buf why;
    char text[TLS_WHY_BYTES];

    for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++) {
        if (troubles[i].code == code) {
            engine_fail(engine, ERR_TLS, troubles[i].why);
            return;
        }
    }
    bool is_alert = code >= BR_ERR_RECV_FATAL_ALERT && code < BR_ERR_SEND_FATAL_ALERT;
    buf_init(&why, text, sizeof text);
    buf_put_fmt(&why, is_alert ? "the peer sent TLS alert %d" : "TLS protocol error %d",
                is_alert ? code - BR_ERR_RECV_FATAL_ALERT : code);
    engine_fail(engine, ERR_TLS, buf_cstr(&why));
}

static void explain_cut(struct tls_engine *engine)
{
    engine_fail(engine, ERR_CLOSED,
                engine->is_open ? "connection was cut"
                                : "the peer hung up in the TLS handshake (is it TLS 1.2?)");
}

/* After every step: has the handshake ended, has the connection? What the application did not read
 * yet comes first. */
static void engine_settle(struct tls_engine *engine)
{
    br_ssl_engine_context *b = bear(engine);
    unsigned state = br_ssl_engine_current_state(b);

    if (!engine->is_open && (state & (BR_SSL_SENDAPP | BR_SSL_RECVAPP)) != 0) {
        engine->is_open = true;
        give_verifier(engine);
    }
    /* A client speaks again only after it has checked the server's key exchange, which is the last
     * time (in ECDHE suites) that the key of the certificate is asked for. */
    if (engine->mode == TLS_CLIENT && (state & BR_SSL_SENDREC) != 0) {
        give_verifier(engine);
    }
    if (state == BR_SSL_CLOSED && br_ssl_engine_last_error(b) != BR_ERR_OK) {
        explain(engine, br_ssl_engine_last_error(b));
    } else if (state == BR_SSL_CLOSED || b->close_received != 0) {
        engine_fail(engine, ERR_END, "closed by the peer");
    } else if (engine->is_wire_ended && (state & BR_SSL_RECVAPP) == 0) {
        explain_cut(engine);
    }
    if (engine->err != ERR_OK) {
        give_verifier(engine);
    }
}

/* ---- plain engines --------------------------------------------------------------------------- */

static unsigned plain_state(struct tls_engine *engine)
{
    const struct tls_plain_ports *p = &engine->as.plain;
    unsigned state = 0;

    if (p->in_from < p->in_to) {
        state |= TLS_HAS_PLAIN;
    } else if (engine->is_wire_reset) {
        engine_fail(engine, ERR_CLOSED, "connection was reset");
    } else if (engine->is_wire_ended) {
        engine_fail(engine, ERR_END, "closed by the peer");
    }
    if (engine->err != ERR_OK) {
        state |= TLS_IS_OVER;
    } else {
        state |= p->in_to < TLS_IN_BYTES && !engine->is_wire_ended ? TLS_TAKES_WIRE : 0;
        state |= p->out_to < TLS_OUT_BYTES && !engine->is_closing ? TLS_TAKES_PLAIN : 0;
    }
    return state | (p->out_from < p->out_to ? TLS_HAS_WIRE : 0);
}

/* ---- ports ----------------------------------------------------------------------------------- */

unsigned tls_state(struct tls_engine *engine)
{
    if (engine->mode == TLS_OFF || engine->mode == TLS_PLAIN) {
        return engine->mode == TLS_OFF ? TLS_IS_OVER : plain_state(engine);
    }
    unsigned s = br_ssl_engine_current_state(bear(engine));
    unsigned state = (s & BR_SSL_SENDREC) != 0 ? TLS_HAS_WIRE : 0;
    if (engine->err != ERR_OK) {
        return state | TLS_IS_OVER;
    }
    state |= (s & BR_SSL_RECVREC) != 0 && !engine->is_wire_ended ? TLS_TAKES_WIRE : 0;
    state |= (s & BR_SSL_SENDAPP) != 0 ? TLS_TAKES_PLAIN : 0;
    state |= (s & BR_SSL_RECVAPP) != 0 ? TLS_HAS_PLAIN : 0;
    return state;
}

void *tls_wire_room(struct tls_engine *engine, size_t *bytes)
{
    *bytes = 0;
    if ((tls_state(engine) & TLS_TAKES_WIRE) == 0) {
        return NULL;
    }
    if (engine->mode == TLS_PLAIN) {
        struct tls_plain_ports *p = &engine->as.plain;
        *bytes = TLS_IN_BYTES - p->in_to;
        return engine->in + p->in_to;
    }
    return br_ssl_engine_recvrec_buf(bear(engine), bytes);
}

void tls_wire_fed(struct tls_engine *engine, size_t bytes)
{
    if (engine->mode == TLS_PLAIN) {
        engine->as.plain.in_to += (uint32_t)bytes;
    } else if (bytes > 0) {
        br_ssl_engine_recvrec_ack(bear(engine), bytes);
        engine_settle(engine);
    }
}

void tls_wire_ended(struct tls_engine *engine, bool is_orderly)
{
    engine->is_wire_ended = true;
    engine->is_wire_reset = !is_orderly;
    if (engine->mode != TLS_PLAIN && engine->mode != TLS_OFF) {
        engine_settle(engine);
    }
}

const void *tls_wire_ready(struct tls_engine *engine, size_t *bytes)
{
    *bytes = 0;
    if ((tls_state(engine) & TLS_HAS_WIRE) == 0) {
        return NULL;
    }
    if (engine->mode == TLS_PLAIN) {
        struct tls_plain_ports *p = &engine->as.plain;
        *bytes = p->out_to - p->out_from;
        return engine->out + p->out_from;
    }
    return br_ssl_engine_sendrec_buf(bear(engine), bytes);
}

void tls_wire_drained(struct tls_engine *engine, size_t bytes)
{
    if (engine->mode == TLS_PLAIN) {
        struct tls_plain_ports *p = &engine->as.plain;
        p->out_from += (uint32_t)bytes;
        if (p->out_from == p->out_to) {
            p->out_from = p->out_to = 0;
        }
    } else if (bytes > 0) {
        br_ssl_engine_sendrec_ack(bear(engine), bytes);
        engine_settle(engine);
    }
}

str tls_plain_ready(struct tls_engine *engine)
{
    size_t bytes = 0;

    if ((tls_state(engine) & TLS_HAS_PLAIN) == 0) {
        return STR_NONE;
    }
    if (engine->mode == TLS_PLAIN) {
        const struct tls_plain_ports *p = &engine->as.plain;
        return str_make((const char *)engine->in + p->in_from, p->in_to - p->in_from);
    }
    const unsigned char *plain = br_ssl_engine_recvapp_buf(bear(engine), &bytes);
    return str_make((const char *)plain, bytes);
}

void tls_plain_taken(struct tls_engine *engine, size_t bytes)
{
    if (engine->mode == TLS_PLAIN) {
        struct tls_plain_ports *p = &engine->as.plain;
        p->in_from += (uint32_t)bytes;
        if (p->in_from == p->in_to) {
            p->in_from = p->in_to = 0;
        }
    } else if (bytes > 0) {
        br_ssl_engine_recvapp_ack(bear(engine), bytes);
        engine_settle(engine);
    }
}

static void *plain_room(struct tls_engine *engine, size_t *bytes)
{
    *bytes = 0;
    if ((tls_state(engine) & TLS_TAKES_PLAIN) == 0) {
        return NULL;
    }
    if (engine->mode == TLS_PLAIN) {
        struct tls_plain_ports *p = &engine->as.plain;
        *bytes = TLS_OUT_BYTES - p->out_to;
        return engine->out + p->out_to;
    }
    return br_ssl_engine_sendapp_buf(bear(engine), bytes);
}

size_t tls_plain_put(struct tls_engine *engine, str text)
{
    size_t done = 0;
    size_t room_bytes;
    void *room;

    while (done < text.bytes && (room = plain_room(engine, &room_bytes)) != NULL) {
        size_t left = text.bytes - done;
        size_t bytes = left < room_bytes ? left : room_bytes;
        memcpy(room, text.ptr + done, bytes);
        done += bytes;
        if (engine->mode == TLS_PLAIN) {
            engine->as.plain.out_to += (uint32_t)bytes;
        } else {
            br_ssl_engine_sendapp_ack(bear(engine), bytes);
        }
    }
    return done;
}

void tls_flush(struct tls_engine *engine)
{
    if (engine->mode == TLS_CLIENT || engine->mode == TLS_SERVER) {
        br_ssl_engine_flush(bear(engine), 0);
    }
}

void tls_close(struct tls_engine *engine)
{
    engine->is_closing = true;
    if (engine->mode == TLS_CLIENT || engine->mode == TLS_SERVER) {
        br_ssl_engine_close(bear(engine));
        engine_settle(engine);
    }
}
