/*
 * An HTTP/1.1 server: listeners, connections, exchanges.
 *
 * Limits: head 1 MiB (the official SDKs put everything into the query), body 4 MiB. Requests of
 * one connection are served one after the other; more bytes of the peer wait. Keep-alive,
 * Content-Length and chunked bodies, "Expect: 100-continue".
 *
 * Specification: RFC 9112.
 */
#ifndef ECISIM_HTTP_H
#define ECISIM_HTTP_H

#include "text.h"
#include "tls.h"

struct conn;
struct listener;

#define HTTP_HEADERS_MAX 64

struct http_header {
    char *name; /* as sent */
    char *value;
};

/*
 * One request and its answer. It lives until http_answer, http_cut or http_drop is called for
 * it, however late; the peer may have gone in the meantime, which the caller need not know.
 */
struct exchange {
    struct conn *conn; /* NULL when the peer has gone */
    struct listener *listener;
    struct arena arena; /* for whatever belongs to this exchange */
    char *method;
    char *path;
    char *query; /* without '?', still encoded; never NULL */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    char *body;
    size_t body_bytes;
    struct buf extra_headers; /* "Name: value\r\n", for the answer */
};

struct listener {
    struct watch watch;
    struct tls_server *tls; /* NULL: plain */
    void (*handle)(struct exchange *exchange);
    struct conn *conns; /* all open ones */
    char *address;      /* as listened on, with the real port */
    int port;
    bool is_hanging; /* accept nothing, read nothing */
};

/* Returns NULL, or what is wrong. address is "127.0.0.1:8080"; port 0 chooses one. */
const char *http_listen(struct listener *listener, const char *address,
                        void (*handle)(struct exchange *));
/* Close the listening socket; http_relisten opens the same port again. */
void http_unlisten(struct listener *listener);
bool http_relisten(struct listener *listener);
/* Reset every connection (RST, not FIN). */
void http_reset_all(struct listener *listener);
/* Stop or go on with accepting and reading. */
void http_hang(struct listener *listener, bool is_hanging);
void http_close(struct listener *listener);

const char *http_header(const struct exchange *exchange, const char *name);

/* Each of these ends the exchange. */
void http_answer(struct exchange *exchange, int status, const char *type, const char *body,
                 size_t bytes);
void http_cut(struct exchange *exchange);  /* close without a byte */
void http_drop(struct exchange *exchange); /* never answer; the connection stays open */
/* Send these bytes as they are, claiming claimed_bytes, then close. */
void http_answer_short(struct exchange *exchange, int status, const char *type, const char *body,
                       size_t bytes, size_t claimed_bytes);
/*
 * Answer with these bytes and take the connection over (WebSocket): from now on what arrives is
 * given to took(), which consumes what it can from the buffer; gone() comes once at the end.
 */
struct conn *http_take_over(struct exchange *exchange, const char *head,
                            void (*took)(void *owner, struct buf *in), void (*gone)(void *owner),
                            void *owner);
void conn_send(struct conn *conn, const void *data, size_t bytes);
void conn_close(struct conn *conn);           /* after what was sent is out */
size_t conn_pending(const struct conn *conn); /* bytes that wait to be sent */

#endif
