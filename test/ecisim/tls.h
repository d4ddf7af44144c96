/*
 * TLS 1.2 for the server side, on BearSSL's engine.
 */
#ifndef ECISIM_TLS_H
#define ECISIM_TLS_H

#include "loop.h"
#include "text.h"

struct tls_server; /* certificate chain and key */
struct tls;        /* one connection */

/* Returns NULL and sets *problem when the files cannot be used. */
struct tls_server *tls_server_new(const char *cert_file, const char *key_file,
                                  const char **problem);
void tls_server_free(struct tls_server *server);

struct tls *tls_new(const struct tls_server *server);
void tls_free(struct tls *tls);

/*
 * Move bytes both ways between the socket and the buffers: arrived text is added to in, text is
 * taken from the front of out. Returns false when the connection has ended.
 */
bool tls_pump(struct tls *tls, int fd, struct buf *in, struct buf *out);
/* Ciphertext waits for the socket to become writable. */
bool tls_wants_write(const struct tls *tls);

#endif
