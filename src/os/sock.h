/*
 * sock.h - non-blocking TCP sockets (IPv4 and IPv6), close-on-exec, TCP_NODELAY, keep-alive and
 * TCP_USER_TIMEOUT set.
 */
#ifndef ECILET_OS_SOCK_H
#define ECILET_OS_SOCK_H

#include "base/err.h"
#include "base/str.h"

struct sock_addr {
    uint8_t bytes[16]; /* IPv4 in the first four */
    uint16_t port;
    uint8_t family; /* 4 or 6; 0 = none */
};

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; no names. False when it is not an address. */
bool sock_addr_parse(str text, uint16_t port, struct sock_addr *out);
/* "192.0.2.1:443", "[2001:db8::1]:443"; NUL-terminated. */
void sock_addr_text(const struct sock_addr *addr, char out[static 64]);

/* Starts connecting. Errors: ERR_SYSTEM, ERR_UNREACHABLE, ERR_REFUSED_CONN. */
MUST_USE enum err sock_connect(const struct sock_addr *addr, int *fd);
/* After the descriptor became writable: ERR_OK, ERR_AGAIN, or why it failed. */
MUST_USE enum err sock_connect_result(int fd);
/* Port 0 chooses; *bound (may be NULL) receives the result. */
MUST_USE enum err sock_listen(const struct sock_addr *addr, int backlog, int *fd,
                              struct sock_addr *bound);
/* ERR_AGAIN when none waits; ERR_FULL when descriptors are exhausted. */
MUST_USE enum err sock_accept(int listener, int *fd, struct sock_addr *peer);

/* This machine's own address on the way to another one (nothing is sent). out is as for
 * sock_addr_text(), without the port. Errors: ERR_UNREACHABLE. */
MUST_USE enum err sock_own_address(const struct sock_addr *to, char out[static 64]);
/* local_sock.c: a socket in the file system, for this user only (mode 0600). A file left behind by
 * a dead process is replaced. Errors: ERR_TOO_BIG (path), ERR_BUSY (somebody listens there),
 * ERR_SYSTEM. sock_accept() works on it; the address is then empty. */
MUST_USE enum err sock_local_listen(const char *path, int *fd);
#define SOCK_LOCAL_CONNECT_S 2
/* Blocking, for SOCK_LOCAL_CONNECT_S at most; so are reads from it, which say ERR_AGAIN then.
 * ERR_REFUSED_CONN: nobody listens there; ERR_TIMEOUT: somebody does, but accepts nobody. */
MUST_USE enum err sock_local_connect(const char *path, int *fd);
/* Bytes moved in *done. ERR_AGAIN: not now; ERR_END: orderly end (receive only); ERR_CLOSED: reset,
 * broken or timed out by the kernel. */
MUST_USE enum err sock_send(int fd, const void *data, size_t bytes, size_t *done);
MUST_USE enum err sock_receive(int fd, void *data, size_t bytes, size_t *done);
void sock_shut_write(int fd);
void sock_close(int *fd); /* sets -1; no-op for -1 */

#endif
