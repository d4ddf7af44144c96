/* see sock.h */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/sock.h"

static bool to_kernel(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    return str_copy(out->sun_path, sizeof out->sun_path, str_of(path));
}

enum err sock_local_connect(const char *path, int *fd)
{
    struct sockaddr_un addr;
    if (!to_kernel(path, &addr)) {
        return ERR_TOO_BIG;
    }
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0) {
        return ERR_SYSTEM;
    }
    if (connect(made, (const struct sockaddr *)&addr, sizeof addr) != 0) {
        enum err err = errno == ENOENT || errno == ECONNREFUSED ? ERR_REFUSED_CONN : ERR_SYSTEM;
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
    if (sock_local_connect(path, &other) == ERR_OK) {
        sock_close(&other);
        return ERR_BUSY;
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
