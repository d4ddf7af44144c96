/* see notify.h */
#include "os/notify.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"
#include "os/os.h"

#define SIGNS_PER_PERIOD 3

static struct loop_timer timer;
static struct loop *loop_now;
static msec period_ms; /* 0: no signs of life are wanted */

/* A path, or a name of Linux's own after an '@'. */
static bool address_of(const char *name, struct sockaddr_un *out, socklen_t *bytes)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (name == NULL || (name[0] != '/' && name[0] != '@') ||
        !str_copy(out->sun_path, sizeof out->sun_path, str_of(name))) {
        return false;
    }
    *bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    if (name[0] == '@') {
        out->sun_path[0] = '\0';
    }
    return true;
}

static void tell(const char *message)
{
    struct sockaddr_un addr;
    socklen_t bytes;
    if (!address_of(getenv("NOTIFY_SOCKET"), &addr, &bytes)) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return; /* no descriptors: the next sign of life may get through */
    }
    /* A refusal means that nobody listens just now. */
    (void)sendto(fd, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)&addr, bytes);
    (void)close(fd);
}

static void on_due(struct loop_timer *due)
{
    tell("WATCHDOG=1");
    loop_timer_set(loop_now, due, loop_now->now_ms + period_ms);
}

/* Meant for us, and a number? */
static msec wanted_period_ms(void)
{
    uint64_t pid = 0, usec = 0;
    const char *of_pid = getenv("WATCHDOG_PID");
    const char *text = getenv("WATCHDOG_USEC");
    bool is_other = of_pid != NULL && str_to_u64(str_of(of_pid), &pid) && pid != (uint64_t)getpid();
    if (is_other || text == NULL || !str_to_u64(str_of(text), &usec)) {
        return 0;
    }
    return (msec)(usec / 1000 / SIGNS_PER_PERIOD);
}

void notify_start(struct loop *loop)
{
    loop_now = loop;
    loop_timer_init(&timer, on_due, NULL);
    tell("READY=1");
    period_ms = wanted_period_ms();
    if (period_ms > 0) {
        loop_timer_set(loop, &timer, loop->now_ms + period_ms);
    }
}

void notify_alive(void)
{
    if (wanted_period_ms() > 0) {
        tell("WATCHDOG=1");
    }
}

void notify_stop(struct loop *loop, bool starts_anew)
{
    loop_timer_clear(loop, &timer);
    if (!starts_anew) {
        tell("STOPPING=1");
    }
}
