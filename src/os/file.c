/* see os.h */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "os/os.h"

static int last_errno;

const char *os_errno_text(void)
{
    return strerror(last_errno);
}

static enum err remember_errno(void)
{
    last_errno = errno;
    switch (last_errno) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_FORBIDDEN;
    default:
        return ERR_SYSTEM;
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Errors: ERR_TOO_BIG, or what remember_errno() makes of it. *got is 0 at the end of the file. */
static enum err read_some(int fd, struct buf *out, size_t *got)
{
    char beyond; /* one byte more than fits tells "just full" from "too big" */
    size_t room;
    char *tail = buf_tail(out, &room);
    ssize_t bytes;
    do {
        bytes = read(fd, room > 0 ? tail : &beyond, room > 0 ? room : 1);
    } while (bytes < 0 && errno == EINTR);
    if (bytes < 0) {
        return remember_errno();
    }
    if (bytes > 0 && room == 0) {
        last_errno = EFBIG;
        return ERR_TOO_BIG;
    }
    buf_grow(out, (size_t)bytes);
    *got = (size_t)bytes;
    return ERR_OK;
}

enum err os_file_read(const char *path, struct buf *out)
{
    size_t before = out->bytes;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return remember_errno();
    }
    enum err err;
    size_t got = 0;
    do {
        err = read_some(fd, out, &got);
    } while (err == ERR_OK && got > 0);
    (void)close(fd);
    if (err != ERR_OK) {
        out->bytes = before;
    }
    return err;
}

/* ---- noticing changes ------------------------------------------------------------------------ */

uint64_t os_file_stamp(const char *path)
{
    struct stat info;
    if (access(path, R_OK) != 0 || stat(path, &info) != 0) {
        return 0;
    }
    const uint64_t facts[] = {
        (uint64_t)info.st_dev,          (uint64_t)info.st_ino,
        (uint64_t)info.st_size,         (uint64_t)info.st_mtim.tv_sec,
        (uint64_t)info.st_mtim.tv_nsec, (uint64_t)info.st_ctim.tv_sec,
        (uint64_t)info.st_ctim.tv_nsec,
    };
    uint64_t stamp = str_hash(str_make((const char *)facts, sizeof(facts)));
    return stamp != 0 ? stamp : 1;
}
