/* see sock.h */
#include "os/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

/* A silent peer is noticed within 30 s, by idle connections (probes) and by busy ones alike. */
#define KEEPALIVE_IDLE_S 15
#define KEEPALIVE_EVERY_S 5
#define KEEPALIVE_PROBES 3
#define UNACKNOWLEDGED_MS 30000

/* ---- addresses ------------------------------------------------------------------------------- */

bool sock_addr_parse(str text, uint16_t port, struct sock_addr *out)
{
    char host[64];
    struct sock_addr addr = {.port = port};
    bool has_brackets = str_starts(text, S("[")) && str_ends(text, S("]")) && text.bytes > 2;
    if (has_brackets) {
        text = str_sub(text, 1, text.bytes - 2);
    }
    if (str_find_char(text, '\0') >= 0 || !str_copy(host, sizeof(host), text)) {
        return false;
    }
    if (!has_brackets && inet_pton(AF_INET, host, addr.bytes) == 1) {
        addr.family = 4;
    } else if (inet_pton(AF_INET6, host, addr.bytes) == 1) {
        addr.family = 6;
    } else {
        return false;
    }
    *out = addr;
    return true;
}

void sock_addr_text(const struct sock_addr *addr, char out[static 64])
{
    char host[INET6_ADDRSTRLEN] = "?";
    bool is_v6 = addr->family == 6;
    if (addr->family != 0) {
        CHECK(inet_ntop(is_v6 ? AF_INET6 : AF_INET, addr->bytes, host, sizeof(host)) != NULL);
    }
    (void)snprintf(out, 64, "%s%s%s:%u", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
                   (unsigned)addr->port);
}

/* What the kernel's calls take, in the size each family has. */
union kernel_addr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t to_kernel(const struct sock_addr *addr, union kernel_addr *out)
{
    CHECK(addr->family == 4 || addr->family == 6);
    memset(out, 0, sizeof(*out));
    if (addr->family == 4) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(addr->port);
        memcpy(&out->v4.sin_addr, addr->bytes, 4);
        return sizeof(out->v4);
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(addr->port);
    memcpy(&out->v6.sin6_addr, addr->bytes, 16);
    return sizeof(out->v6);
}

static struct sock_addr from_kernel(const union kernel_addr *from)
{
    struct sock_addr addr = {.family = 0};
    if (from->any.sa_family == AF_INET) {
        addr.family = 4;
        addr.port = ntohs(from->v4.sin_port);
        memcpy(addr.bytes, &from->v4.sin_addr, 4);
    } else if (from->any.sa_family == AF_INET6) {
        addr.port = ntohs(from->v6.sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&from->v6.sin6_addr)) { /* an IPv4 peer of a "::" listener */
            addr.family = 4;
            memcpy(addr.bytes, from->v6.sin6_addr.s6_addr + 12, 4);
        } else {
            addr.family = 6;
            memcpy(addr.bytes, &from->v6.sin6_addr, 16);
        }
    }
    return addr;
}

/* ---- connecting and listening ---------------------------------------------------------------- */

static enum err err_of_connect(int number)
{
    switch (number) {
    case 0:
        return ERR_OK;
    case EINPROGRESS:
    case EALREADY:
        return ERR_AGAIN;
    case ECONNREFUSED:
    case ECONNRESET:
        return ERR_REFUSED_CONN;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case ETIMEDOUT:
    case EACCES: /* a local firewall rule */
    case EPERM:
        return ERR_UNREACHABLE;
    default:
        return ERR_SYSTEM;
    }
}

/* Best effort: a connection without these still works. */
static void set_options(int fd)
{
    const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
    }
}

static int open_socket(const struct sock_addr *addr)
{
    return socket(addr->family == 4 ? AF_INET : AF_INET6,
                  SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
}

enum err sock_connect(const struct sock_addr *addr, int *fd)
{
    union kernel_addr to;
    socklen_t to_bytes = to_kernel(addr, &to);
    int opened = open_socket(addr);
    if (opened < 0) {
        return err_of_connect(errno);
    }
    set_options(opened);
    enum err err = connect(opened, &to.any, to_bytes) == 0 ? ERR_OK : err_of_connect(errno);
    if (err != ERR_OK && err != ERR_AGAIN) {
        (void)close(opened);
        return err;
    }
    *fd = opened;
    return ERR_OK;
}

enum err sock_connect_result(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int number = 0;
    socklen_t number_bytes = sizeof(number);
    if (poll(&ready, 1, 0) == 0) {
        return ERR_AGAIN;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &number_bytes) != 0) {
        return ERR_SYSTEM;
    }
    return err_of_connect(number);
}

static enum err bind_and_listen(int fd, const struct sock_addr *addr, int backlog,
                                struct sock_addr *bound)
{
    union kernel_addr at;
    socklen_t at_bytes = to_kernel(addr, &at);
    const int on = 1, off = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (addr->family == 6) { /* "::" serves IPv4 too */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    }
    if (bind(fd, &at.any, at_bytes) != 0 || listen(fd, backlog) != 0) {
        return ERR_SYSTEM;
    }
    at_bytes = sizeof(at);
    if (bound != NULL) {
        if (getsockname(fd, &at.any, &at_bytes) != 0) {
            return ERR_SYSTEM;
        }
        *bound = from_kernel(&at);
    }
    return ERR_OK;
}

enum err sock_listen(const struct sock_addr *addr, int backlog, int *fd, struct sock_addr *bound)
{
    int opened = open_socket(addr);
    if (opened < 0) {
        return ERR_SYSTEM;
    }
    enum err err = bind_and_listen(opened, addr, backlog, bound);
    if (err != ERR_OK) {
        int saved_errno = errno; /* the caller may want to say why */
        (void)close(opened);
        errno = saved_errno;
        return err;
    }
    *fd = opened;
    return ERR_OK;
}

static enum err err_of_accept(int number)
{
    switch (number) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return ERR_FULL;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
        return ERR_SYSTEM;
    default: /* none waits, or it went away meanwhile: accept(2) hands on errors of the network */
        return ERR_AGAIN;
    }
}

enum err sock_accept(int listener, int *fd, struct sock_addr *peer)
{
    union kernel_addr from;
    socklen_t from_bytes = sizeof(from);
    memset(&from, 0, sizeof(from));
    int accepted = accept4(listener, &from.any, &from_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0) {
        return err_of_accept(errno);
    }
    set_options(accepted);
    *fd = accepted;
    if (peer != NULL) {
        *peer = from_kernel(&from);
    }
    return ERR_OK;
}

enum err sock_own_address(const struct sock_addr *to, char out[static 64])
{
    union kernel_addr there, here;
    socklen_t there_bytes = to_kernel(to, &there), here_bytes = sizeof here;
    int fd = socket(there.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memset(&here, 0, sizeof here);
    bool is_known = fd >= 0 && connect(fd, &there.any, there_bytes) == 0 &&
                    getsockname(fd, &here.any, &here_bytes) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (!is_known) {
        return ERR_UNREACHABLE;
    }
    const void *bytes = here.any.sa_family == AF_INET ? (const void *)&here.v4.sin_addr
                                                      : (const void *)&here.v6.sin6_addr;
    return inet_ntop(here.any.sa_family, bytes, out, 64) != NULL ? ERR_OK : ERR_UNREACHABLE;
}

/* ---- moving bytes ---------------------------------------------------------------------------- */

static enum err err_of_transfer(int number)
{
    switch (number) {
    case EAGAIN:
        return ERR_AGAIN;
    case EBADF:
    case ENOTSOCK:
    case EFAULT:
    case EINVAL:
    case ENOMEM:
    case ENOBUFS:
        return ERR_SYSTEM;
    default: /* EPIPE, ECONNRESET, ETIMEDOUT and what the network reports */
        return ERR_CLOSED;
    }
}

enum err sock_send(int fd, const void *data, size_t bytes, size_t *done)
{
    ssize_t sent;
    *done = 0;
    do {
        sent = send(fd, data, bytes, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        return err_of_transfer(errno);
    }
    *done = (size_t)sent;
    return ERR_OK;
}

enum err sock_receive(int fd, void *data, size_t bytes, size_t *done)
{
    CHECK(bytes > 0); /* else the end of the stream could not be told from nothing asked for */
    ssize_t got;
    *done = 0;
    do {
        got = recv(fd, data, bytes, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return err_of_transfer(errno);
    }
    *done = (size_t)got;
    return got > 0 ? ERR_OK : ERR_END;
}

void sock_shut_write(int fd)
{
    (void)shutdown(fd, SHUT_WR); /* fails when the peer is gone, which the next read tells */
}

void sock_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}
