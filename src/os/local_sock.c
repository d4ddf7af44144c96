/* see sock.h */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/os.h"
#include "os/sock.h"

static bool to_kernel(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    return str_copy(out->sun_path, sizeof out->sun_path, str_of(path));
}

/* A process that is stopped and goes on is interrupted in here. */
static bool connect_patiently(int fd, const struct sockaddr_un *to)
{
    msec until_ms = os_now_ms() + (msec)SOCK_LOCAL_CONNECT_S * 1000;
    int done;
    do {
        done = connect(fd, (const struct sockaddr *)to, sizeof *to);
    } while (done != 0 && errno == EINTR && os_now_ms() < until_ms);
    return done == 0;
}

static enum err why_not_connected(void)
{
    if (errno == EAGAIN || errno == EINTR) {
        return ERR_TIMEOUT;
    }
    return errno == ENOENT || errno == ECONNREFUSED ? ERR_REFUSED_CONN : ERR_SYSTEM;
}

enum err sock_local_connect(const char *path, int *fd)
{
    const struct timeval patience = {.tv_sec = SOCK_LOCAL_CONNECT_S};
    struct sockaddr_un addr;
    if (!to_kernel(path, &addr)) {
        return ERR_TOO_BIG;
    }
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0) {
        return ERR_SYSTEM;
    }
    if (setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
        setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        !connect_patiently(made, &addr)) {
        enum err err = why_not_connected();
        (void)close(made);
        return err;
    }
    *fd = made;
    return ERR_OK;
}

enum err sock_local_listen(const char *path, int *fd)
{
    struct sockaddr_un addr;
    int other;
    if (!to_kernel(path, &addr)) {
        return ERR_TOO_BIG;
    }
    enum err err = sock_local_connect(path, &other);
    if (err == ERR_OK) {
        sock_close(&other);
    }
    if (err == ERR_OK || err == ERR_TIMEOUT) { /* one that is stopped lives, too */
        return ERR_BUSY;
    }
    if (err != ERR_REFUSED_CONN) { /* whether somebody lives there is not known */
        return err;
    }
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0) {
        return ERR_SYSTEM;
    }
    struct stat about;
    if (lstat(path, &about) == 0 && S_ISSOCK(about.st_mode)) {
        (void)unlink(path); /* left behind by a process that was killed */
    }
    mode_t mask = umask(0177);
    bool is_bound = bind(made, (const struct sockaddr *)&addr, sizeof addr) == 0;
    (void)umask(mask);
    if (!is_bound || listen(made, 4) != 0) {
        (void)close(made);
        return ERR_SYSTEM;
    }
    *fd = made;
    return ERR_OK;
}
