/* see tls.h */
#include "tls.h"

#include <bearssl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHAIN_MAX 8

struct tls_server {
    br_x509_certificate chain[CHAIN_MAX];
    size_t chain_count;
    br_skey_decoder_context key;
    unsigned issuer_key_type;
};

struct tls {
    br_ssl_server_context context;
    unsigned char room[BR_SSL_BUFSIZE_BIDI];
};

/* ---- PEM ------------------------------------------------------------------------------------- */

static void add_bytes(void *to, const void *data, size_t bytes)
{
    buf_add(to, data, bytes);
}

/* Call found() for each object of a PEM file. */
static bool walk_pem(const char *path, struct tls_server *server,
                     void (*found)(struct tls_server *, const char *name, struct buf *der))
{
    struct buf pem = {0};
    struct buf der = {0};
    br_pem_decoder_context decoder;
    bool is_good = buf_add_file(&pem, path);
    br_pem_decoder_init(&decoder);
    for (size_t at = 0; is_good && at < pem.used;) {
        at += br_pem_decoder_push(&decoder, pem.data + at, pem.used - at);
        switch (br_pem_decoder_event(&decoder)) {
        case BR_PEM_BEGIN_OBJ:
            buf_clear(&der);
            br_pem_decoder_setdest(&decoder, add_bytes, &der);
            break;
        case BR_PEM_END_OBJ:
            found(server, br_pem_decoder_name(&decoder), &der);
            break;
        case BR_PEM_ERROR:
            is_good = false;
            break;
        default:
            break;
        }
    }
    buf_free(&pem);
    buf_free(&der);
    return is_good;
}

static void found_cert(struct tls_server *server, const char *name, struct buf *der)
{
    if (strcmp(name, "CERTIFICATE") == 0 && server->chain_count < CHAIN_MAX) {
        br_x509_certificate *cert = &server->chain[server->chain_count++];
        cert->data = memcpy(text_grab(NULL, der->used), der->data, der->used);
        cert->data_len = der->used;
    }
}

static void found_key(struct tls_server *server, const char *name, struct buf *der)
{
    if (strstr(name, "PRIVATE KEY") != NULL) {
        br_skey_decoder_init(&server->key);
        br_skey_decoder_push(&server->key, der->data, der->used);
    }
}

struct tls_server *tls_server_new(const char *cert_file, const char *key_file, const char **problem)
{
    struct tls_server *server = text_grab(NULL, sizeof *server);
    memset(server, 0, sizeof *server);
    br_skey_decoder_init(&server->key);
    *problem = NULL;
    if (!walk_pem(cert_file, server, found_cert) || server->chain_count == 0) {
        *problem = "--tls-cert: no certificate could be read";
    } else if (!walk_pem(key_file, server, found_key) ||
               br_skey_decoder_key_type(&server->key) == 0) {
        *problem = "--tls-key: no private key could be read";
    }
    if (*problem != NULL) {
        tls_server_free(server);
        return NULL;
    }
    br_x509_decoder_context decoder;
    br_x509_decoder_init(&decoder, NULL, NULL);
    br_x509_decoder_push(&decoder, server->chain[0].data, server->chain[0].data_len);
    server->issuer_key_type = (unsigned)br_x509_decoder_get_signer_key_type(&decoder);
    return server;
}

void tls_server_free(struct tls_server *server)
{
    if (server != NULL) {
        for (size_t at = 0; at < server->chain_count; at++) {
            free(server->chain[at].data);
        }
        free(server);
    }
}

/* ---- connections ----------------------------------------------------------------------------- */

struct tls *tls_new(const struct tls_server *server)
{
    struct tls *tls = text_grab(NULL, sizeof *tls);
    unsigned char seed[32];
    if (br_skey_decoder_key_type(&server->key) == BR_KEYTYPE_EC) {
        br_ssl_server_init_full_ec(&tls->context, server->chain, server->chain_count,
                                   server->issuer_key_type, br_skey_decoder_get_ec(&server->key));
    } else {
        br_ssl_server_init_full_rsa(&tls->context, server->chain, server->chain_count,
                                    br_skey_decoder_get_rsa(&server->key));
    }
    br_ssl_engine_set_buffer(&tls->context.eng, tls->room, sizeof tls->room, 1);
    if (getrandom(seed, sizeof seed, 0) == (ssize_t)sizeof seed) {
        br_ssl_engine_inject_entropy(&tls->context.eng, seed, sizeof seed);
    }
    br_ssl_server_reset(&tls->context);
    return tls;
}

void tls_free(struct tls *tls)
{
    free(tls);
}

/* Each helper does one step and says whether anything moved; -1: the connection has ended. */
static int send_record(br_ssl_engine_context *engine, int fd)
{
    size_t bytes = 0;
    unsigned char *data = br_ssl_engine_sendrec_buf(engine, &bytes);
    ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);
    if (sent > 0) {
        br_ssl_engine_sendrec_ack(engine, (size_t)sent);
        return 1;
    }
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static int receive_record(br_ssl_engine_context *engine, int fd)
{
    size_t bytes = 0;
    unsigned char *data = br_ssl_engine_recvrec_buf(engine, &bytes);
    ssize_t got = recv(fd, data, bytes, 0);
    if (got > 0) {
        br_ssl_engine_recvrec_ack(engine, (size_t)got);
        return 1;
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static int take_text(br_ssl_engine_context *engine, struct buf *in)
{
    size_t bytes = 0;
    unsigned char *data = br_ssl_engine_recvapp_buf(engine, &bytes);
    buf_add(in, data, bytes);
    br_ssl_engine_recvapp_ack(engine, bytes);
    return 1;
}

static int give_text(br_ssl_engine_context *engine, struct buf *out)
{
    size_t bytes = 0;
    unsigned char *data = br_ssl_engine_sendapp_buf(engine, &bytes);
    if (bytes > out->used) {
        bytes = out->used;
    }
    memcpy(data, out->data, bytes);
    br_ssl_engine_sendapp_ack(engine, bytes);
    buf_skip(out, bytes);
    if (out->used == 0) {
        br_ssl_engine_flush(engine, 0);
    }
    return 1;
}

bool tls_pump(struct tls *tls, int fd, struct buf *in, struct buf *out)
{
    br_ssl_engine_context *engine = &tls->context.eng;
    for (int moved = 1; moved > 0;) {
        unsigned state = br_ssl_engine_current_state(engine);
        moved = 0;
        if (state & BR_SSL_CLOSED) {
            return false;
        }
        if (state & BR_SSL_SENDREC) {
            moved = send_record(engine, fd);
        }
        if (moved == 0 && state & BR_SSL_RECVAPP) {
            moved = take_text(engine, in);
        }
        if (moved == 0 && state & BR_SSL_SENDAPP && out->used > 0) {
            moved = give_text(engine, out);
        }
        if (moved == 0 && state & BR_SSL_RECVREC) {
            moved = receive_record(engine, fd);
        }
        if (moved < 0) {
            return false;
        }
    }
    return true;
}

bool tls_wants_write(const struct tls *tls)
{
    return (br_ssl_engine_current_state(&tls->context.eng) & BR_SSL_SENDREC) != 0;
}
