/* see notify.h */
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit.h"

#include "os/notify.h"
#include "os/os.h"

static struct loop loop;

static int listen_at(const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    memcpy(addr.sun_path, name, strlen(name));
    if (name[0] == '@') {
        addr.sun_path[0] = '\0';
    }
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    assert_int_equal(bind(fd, (const struct sockaddr *)&addr, bytes), 0);
    return fd;
}

static void assert_heard(int fd, const char *message)
{
    char text[64];
    ssize_t bytes = recv(fd, text, sizeof text - 1, 0);
    if (message == NULL) {
        assert_int_equal(bytes, -1);
        return;
    }
    assert_true(bytes > 0);
    text[bytes] = '\0';
    assert_string_equal(text, message);
}

static void set(const char *socket_name, const char *usec, const char *pid)
{
    const struct {
        const char *name, *value;
    } all[] = {{"NOTIFY_SOCKET", socket_name}, {"WATCHDOG_USEC", usec}, {"WATCHDOG_PID", pid}};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        assert_int_equal(
            all[i].value == NULL ? unsetenv(all[i].name) : setenv(all[i].name, all[i].value, 1), 0);
    }
}

/* Turns until one sign of life has come; the loop sleeps until its timer is due. */
static void assert_sign_of_life(int fd)
{
    loop_turn(&loop, os_now_ms() + 10000);
    assert_heard(fd, "WATCHDOG=1");
}

static void test_ready_alive_and_stopping(void **state)
{
    (void)state;
    char path[] = "/tmp/test_notify_XXXXXX";
    char name[64], pid[24];
    assert_non_null(mkdtemp(path));
    (void)snprintf(name, sizeof name, "%s/socket", path);
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    int fd = listen_at(name);
    set(name, "30000", pid);
    notify_start(&loop);
    assert_heard(fd, "READY=1");
    assert_heard(fd, NULL);
    assert_sign_of_life(fd);
    assert_sign_of_life(fd);
    notify_stop(&loop, true);
    assert_heard(fd, NULL);
    notify_stop(&loop, false);
    assert_heard(fd, "STOPPING=1");
    loop_turn(&loop, os_now_ms() + 30);
    assert_heard(fd, NULL);
    (void)close(fd);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(rmdir(path), 0);
    notify_start(&loop); /* nobody listens any more: no harm */
    notify_stop(&loop, false);
}

static void test_a_name_of_linux_own(void **state)
{
    (void)state;
    char name[64];
    (void)snprintf(name, sizeof name, "@test_notify_%d", (int)getpid());
    int fd = listen_at(name);
    set(name, NULL, NULL);
    notify_start(&loop);
    assert_heard(fd, "READY=1");
    assert_int_equal(loop.timers.count, 0); /* no signs of life are wanted */
    notify_alive();
    assert_heard(fd, NULL);
    notify_stop(&loop, false);
    assert_heard(fd, "STOPPING=1");
    (void)close(fd);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "", "relative", "vsock:2:1", "/no/such/folder/x"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        set(names[i], NULL, NULL);
        notify_start(&loop);
        notify_stop(&loop, false);
    }
    char long_name[200];
    memset(long_name, 'x', sizeof long_name);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    set(long_name, NULL, NULL);
    notify_start(&loop);
    notify_stop(&loop, false);
}

static void test_signs_of_life_of_somebody_else(void **state)
{
    (void)state;
    static const struct {
        const char *usec, *pid;
    } cases[] = {{"30000", "1"}, {"x", NULL}, {"", NULL}, {"-5", NULL}, {"0", NULL}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        set(NULL, cases[i].usec, cases[i].pid);
        notify_start(&loop);
        assert_int_equal(loop.timers.count, 0);
        notify_stop(&loop, false);
    }
}

static int set_up(void **state)
{
    (void)state;
    struct region region = unit_region();
    return loop_init(&loop, &region, 2) == ERR_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_alive_and_stopping),
        cmocka_unit_test(test_a_name_of_linux_own),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_signs_of_life_of_somebody_else),
    };
    return cmocka_run_group_tests_name("notify", tests, set_up, NULL);
}
