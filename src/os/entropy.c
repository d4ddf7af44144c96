/* see os.h */
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/check.h"
#include "os/os.h"

/* How many bytes came, or -1 with errno. */
static ssize_t read_device(void *out, size_t bytes)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t got = read(fd, out, bytes);
    int saved_errno = errno;
    (void)close(fd);
    errno = saved_errno;
    return got;
}

void os_random(void *out, size_t bytes)
{
    char *to = out;
    while (bytes > 0) {
        ssize_t got = getrandom(to, bytes, 0);
        if (got < 0 && errno == ENOSYS) {
            got = read_device(to, bytes);
        }
        CHECK(got > 0 || (got < 0 && errno == EINTR));
        if (got > 0) {
            to += got;
            bytes -= (size_t)got;
        }
    }
}
