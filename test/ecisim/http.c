/* see http.h: sockets and connections; the parsing of requests is in http_parse.c */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http_parse.h"
#include "loop.h"

#define READ_BYTES 65536

struct conn {
    struct watch watch;
    struct listener *listener;
    struct tls *tls;
    struct buf in;
    struct buf out;
    size_t scanned; /* of in, for the end of the head */
    struct exchange *exchange;
    struct conn *next;
    struct conn *previous;
    bool is_closing; /* close once out is empty */
    bool is_advancing;
    bool said_continue;
    void (*took)(void *owner, struct buf *in);
    void (*gone)(void *owner);
    void *owner;
};

static void conn_advance(struct conn *conn);

/* ---- life of a connection -------------------------------------------------------------------- */

static void exchange_free(struct exchange *exchange)
{
    arena_free(&exchange->arena);
    buf_free(&exchange->extra_headers);
    free(exchange);
}

static void conn_end(struct conn *conn, bool is_reset)
{
    int fd = watch_drop(&conn->watch);
    if (fd < 0) {
        return;
    }
    if (is_reset) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    close(fd);
    if (conn->exchange != NULL) {
        conn->exchange->conn = NULL;
    }
    *(conn->previous == NULL ? &conn->listener->conns : &conn->previous->next) = conn->next;
    if (conn->next != NULL) {
        conn->next->previous = conn->previous;
    }
    if (conn->gone != NULL) {
        conn->gone(conn->owner);
    }
    tls_free(conn->tls);
    buf_free(&conn->in);
    buf_free(&conn->out);
    loop_free_later(conn);
}

static bool pump_plain(struct conn *conn)
{
    int fd = conn->watch.fd;
    for (;;) {
        ssize_t got = recv(fd, buf_reserve(&conn->in, READ_BYTES), READ_BYTES, 0);
        if (got > 0) {
            conn->in.used += (size_t)got;
            conn->in.data[conn->in.used] = '\0';
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            return false;
        }
        if (got < READ_BYTES) {
            break;
        }
    }
    while (conn->out.used > 0) {
        ssize_t sent = send(fd, conn->out.data, conn->out.used, MSG_NOSIGNAL);
        if (sent < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        buf_skip(&conn->out, (size_t)sent);
    }
    return true;
}

static void conn_watch(struct conn *conn)
{
    bool has_output = conn->tls != NULL ? tls_wants_write(conn->tls) : conn->out.used > 0;
    if (conn->is_closing && !has_output && conn->out.used == 0) {
        conn_end(conn, false);
        return;
    }
    uint32_t events = conn->listener->is_hanging ? 0 : EPOLLIN;
    watch_change(&conn->watch, has_output ? events | EPOLLOUT : events);
}

/* Read and write what can be; false when the connection ended. */
static bool conn_pump(struct conn *conn)
{
    bool is_open = conn->tls != NULL ? tls_pump(conn->tls, conn->watch.fd, &conn->in, &conn->out)
                                     : pump_plain(conn);
    if (!is_open) {
        conn_end(conn, false);
    }
    return is_open;
}

static void on_conn(struct watch *watch, uint32_t events)
{
    struct conn *conn = container_of(watch, struct conn, watch);
    (void)events;
    if (conn_pump(conn)) {
        conn_advance(conn);
    }
}

/* Serve the requests that are complete, as long as each is answered at once. */
static void serve_requests(struct conn *conn)
{
    while (conn->took == NULL && conn->watch.fd >= 0 && conn->exchange == NULL &&
           !conn->is_closing && conn->in.used > 0) {
        const char *problem = NULL;
        struct exchange *exchange = http_parse(&conn->in, &conn->scanned, &problem);
        if (problem != NULL) {
            buf_fmt(&conn->out, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                    problem);
            conn->is_closing = true;
        } else if (exchange != NULL) {
            exchange->conn = conn;
            exchange->listener = conn->listener;
            conn->exchange = exchange;
            conn->scanned = 0;
            conn->said_continue = false;
            conn->listener->handle(exchange);
        } else {
            if (!conn->said_continue && http_wants_continue(&conn->in, conn->scanned)) {
                conn->said_continue = true;
                buf_text(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
            }
            break;
        }
    }
}

/*
 * Do all that can be done now. Writing also reads (TLS cannot do one without the other), so
 * what has arrived meanwhile is served before we wait: no event will tell of it again.
 */
static void conn_advance(struct conn *conn)
{
    bool has_news = true;
    if (conn->is_advancing) {
        return;
    }
    conn->is_advancing = true;
    while (has_news && conn->watch.fd >= 0) {
        bool was_taken = conn->took != NULL;
        if (was_taken) {
            conn->took(conn->owner, &conn->in);
        }
        serve_requests(conn);
        size_t before = was_taken == (conn->took != NULL) ? conn->in.used : 0;
        has_news =
            conn->watch.fd >= 0 && conn->out.used > 0 && conn_pump(conn) && conn->in.used > before;
    }
    conn->is_advancing = false;
    if (conn->watch.fd >= 0) {
        conn_watch(conn);
    }
}

/* ---- listening ------------------------------------------------------------------------------- */

static void on_accept(struct watch *watch, uint32_t events)
{
    struct listener *listener = container_of(watch, struct listener, watch);
    (void)events;
    for (int count = 0; count < 64; count++) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int on = 1;
        if (fd < 0) {
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct conn *conn = text_grab(NULL, sizeof *conn);
        *conn = (struct conn){.listener = listener, .next = listener->conns};
        if (conn->next != NULL) {
            conn->next->previous = conn;
        }
        listener->conns = conn;
        conn->tls = listener->tls == NULL ? NULL : tls_new(listener->tls);
        watch_add(&conn->watch, fd, EPOLLIN, on_conn);
    }
}

static const char *open_socket(struct listener *listener, struct sockaddr_in *address)
{
    int on = 1;
    socklen_t size = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)address, size) != 0 || listen(fd, 1024) != 0) {
        close(fd);
        return strerror(errno);
    }
    getsockname(fd, (struct sockaddr *)address, &size);
    listener->port = ntohs(address->sin_port);
    watch_add(&listener->watch, fd, EPOLLIN, on_accept);
    return NULL;
}

static bool parse_address(const char *text, struct sockaddr_in *address)
{
    char host[64] = {0};
    long long port = 0;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host || !text_to_long(colon + 1, &port) ||
        port < 0 || port > 65535) {
        return false;
    }
    memcpy(host, text, (size_t)(colon - text));
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

const char *http_listen(struct listener *listener, const char *address,
                        void (*handle)(struct exchange *))
{
    struct sockaddr_in place;
    char host[INET_ADDRSTRLEN];
    struct buf text = {0};
    listener->watch.fd = -1;
    listener->handle = handle;
    if (!parse_address(address, &place)) {
        return "not an IPv4 address with a port";
    }
    const char *problem = open_socket(listener, &place);
    if (problem == NULL) {
        inet_ntop(AF_INET, &place.sin_addr, host, sizeof host);
        buf_fmt(&text, "%s:%d", host, listener->port);
        listener->address = text.data;
    }
    return problem;
}

void http_unlisten(struct listener *listener)
{
    int fd = watch_drop(&listener->watch);
    if (fd >= 0) {
        close(fd);
    }
}

bool http_relisten(struct listener *listener)
{
    struct sockaddr_in place;
    return listener->watch.fd >= 0 ||
           (parse_address(listener->address, &place) && open_socket(listener, &place) == NULL);
}

void http_reset_all(struct listener *listener)
{
    struct conn *next = NULL;
    for (struct conn *conn = listener->conns; conn != NULL; conn = next) {
        next = conn->next;
        conn_end(conn, true);
    }
}

void http_hang(struct listener *listener, bool is_hanging)
{
    listener->is_hanging = is_hanging;
    if (listener->watch.fd >= 0) {
        watch_change(&listener->watch, is_hanging ? 0 : EPOLLIN);
    }
    for (struct conn *conn = listener->conns; conn != NULL; conn = conn->next) {
        watch_change(&conn->watch, is_hanging ? 0 : EPOLLIN | EPOLLOUT);
    }
}

void http_close(struct listener *listener)
{
    http_unlisten(listener);
    http_reset_all(listener);
    tls_server_free(listener->tls);
    free(listener->address);
    listener->address = NULL;
    listener->tls = NULL;
}

/* ---- answers --------------------------------------------------------------------------------- */

static const char *status_text(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return "Status";
    }
}

/* RFC 9110 section 5.6.7, IMF-fixdate; the cloud's clock, so clients can learn its skew. */
static void add_date(struct buf *out)
{
    char text[64];
    time_t now = (time_t)(wall_ms() / 1000);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    buf_text(out, text);
}

/* Detach the exchange from its connection; NULL when the peer has gone. */
static struct conn *detach(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    if (conn != NULL) {
        conn->exchange = NULL;
    }
    return conn;
}

static void write_answer(struct conn *conn, const struct exchange *exchange, int status,
                         const char *type, size_t claimed_bytes)
{
    buf_fmt(&conn->out, "HTTP/1.1 %d %s\r\n", status, status_text(status));
    add_date(&conn->out);
    buf_fmt(&conn->out, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, claimed_bytes);
    buf_add(&conn->out, exchange->extra_headers.data, exchange->extra_headers.used);
    if (conn->is_closing) {
        buf_text(&conn->out, "Connection: close\r\n");
    }
    buf_text(&conn->out, "\r\n");
}

void http_answer(struct exchange *exchange, int status, const char *type, const char *body,
                 size_t bytes)
{
    struct conn *conn = detach(exchange);
    if (conn != NULL) {
        const char *connection = http_header(exchange, "Connection");
        conn->is_closing = connection != NULL && strcasecmp(connection, "close") == 0;
        write_answer(conn, exchange, status, type, bytes);
        buf_add(&conn->out, body, bytes);
        conn_advance(conn);
    }
    exchange_free(exchange);
}

void http_answer_short(struct exchange *exchange, int status, const char *type, const char *body,
                       size_t bytes, size_t claimed_bytes)
{
    struct conn *conn = detach(exchange);
    if (conn != NULL) {
        write_answer(conn, exchange, status, type, claimed_bytes);
        buf_add(&conn->out, body, bytes);
        conn->is_closing = true;
        conn_advance(conn);
    }
    exchange_free(exchange);
}

void http_cut(struct exchange *exchange)
{
    struct conn *conn = detach(exchange);
    if (conn != NULL) {
        conn_end(conn, true);
    }
    exchange_free(exchange);
}

void http_drop(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    if (conn != NULL) {
        /* Nobody will ever answer: what else arrives here is read and forgotten. */
        conn->exchange = NULL;
        conn->took = http_swallow;
    }
    exchange_free(exchange);
}

struct conn *http_take_over(struct exchange *exchange, const char *head,
                            void (*took)(void *, struct buf *), void (*gone)(void *), void *owner)
{
    struct conn *conn = detach(exchange);
    if (conn != NULL) {
        conn->took = took;
        conn->gone = gone;
        conn->owner = owner;
        buf_text(&conn->out, head);
        conn_advance(conn);
    }
    exchange_free(exchange);
    return conn;
}

void conn_send(struct conn *conn, const void *data, size_t bytes)
{
    buf_add(&conn->out, data, bytes);
    if (!conn->is_advancing && conn_pump(conn)) {
        conn_watch(conn);
    }
}

void conn_close(struct conn *conn)
{
    conn->is_closing = true;
    if (!conn->is_advancing && conn_pump(conn)) {
        conn_watch(conn);
    }
}

size_t conn_pending(const struct conn *conn)
{
    return conn->out.used;
}
