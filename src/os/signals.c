/* see signals.h. One set of signals per process, so the state is static. */
#include "os/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "os/os.h"

static const struct {
    int number;
    enum signals_event event;
} signals[] = {
    {SIGTERM, SIGNALS_STOP},
    {SIGINT, SIGNALS_STOP},
    {SIGHUP, SIGNALS_RELOAD},
    {SIGUSR1, SIGNALS_REPORT},
};

#define SIGNALS_COUNT (sizeof(signals) / sizeof(signals[0]))
#define SIGNALS_STOPS 2 /* rows that end the program, at the top */
#define PAUSE_LOOK_MS 100

static struct loop_watch watch = {.fd = -1};
static signals_handler *handler_now;

static void on_signal(struct loop_watch *ready, uint32_t events)
{
    struct signalfd_siginfo info;
    (void)events;
    /* One per call: the loop is level-triggered, and a handler may stop it. */
    if (read(ready->fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return;
    }
    for (size_t i = 0; i < SIGNALS_COUNT; i++) {
        if ((uint32_t)signals[i].number == info.ssi_signo) {
            handler_now(signals[i].event, ready->owner);
        }
    }
}

/* The first `count` rows. */
static void fill(sigset_t *set, size_t count)
{
    CHECK(sigemptyset(set) == 0);
    for (size_t i = 0; i < count; i++) {
        CHECK(sigaddset(set, signals[i].number) == 0);
    }
}

void signals_hold(void)
{
    sigset_t set;
    fill(&set, SIGNALS_COUNT);
    CHECK(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
}

/* Not one long sigtimedwait(): musl begins it anew, with all of its time, whenever the process was
 * stopped and continued, and who does that often (cpulimit) would make the pause endless. */
bool signals_pause(uint32_t seconds)
{
    sigset_t set;
    const struct timespec none = {.tv_sec = 0};
    msec until_ms = os_now_ms() + (msec)seconds * 1000;
    fill(&set, SIGNALS_STOPS);
    for (msec left_ms = (msec)seconds * 1000; left_ms > 0; left_ms = until_ms - os_now_ms()) {
        int number = sigtimedwait(&set, NULL, &none);
        if (number > 0) {
            (void)raise(number); /* it waits, and the loop hears of it first */
            return false;
        }
        (void)poll(NULL, 0, left_ms < PAUSE_LOOK_MS ? (int)left_ms : PAUSE_LOOK_MS);
    }
    return true;
}

enum err signals_init(struct loop *loop, signals_handler *handler, void *owner)
{
    sigset_t set;
    CHECK(handler != NULL && watch.fd < 0);
    fill(&set, SIGNALS_COUNT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return ERR_SYSTEM;
    }
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        return ERR_SYSTEM;
    }
    handler_now = handler;
    enum err err = loop_watch_add(loop, &watch, fd, LOOP_READ, on_signal, owner);
    if (err != ERR_OK) {
        (void)close(fd);
    }
    return err;
}
