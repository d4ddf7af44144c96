/* see sock.h: the socket in the file system */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/sock.h"

static char folder[] = "/tmp/ecilet-local-XXXXXX";
static char path[128];

static int open_folder(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "%s/s", mkdtemp(folder));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static void do_nothing(int number)
{
    (void)number;
}

/* 0: no more. */
static void interrupt_each_ms(long ms)
{
    const struct sigaction action = {.sa_handler = do_nothing};
    const struct timeval each = {.tv_usec = ms * 1000};
    const struct itimerval timer = {.it_interval = each, .it_value = each};
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void test_local_sock_carries_bytes(void **state)
{
    (void)state;
    int listener, client, server;
    size_t done;
    char text[8];
    assert_int_equal(sock_local_listen(path, &listener), ERR_OK);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(sock_local_connect(path, &client), ERR_OK);
    assert_int_equal(sock_accept(listener, &server, NULL), ERR_OK);
    assert_int_equal(sock_send(server, "hello", 5, &done), ERR_OK);
    assert_int_equal(sock_receive(client, text, sizeof text, &done), ERR_OK);
    assert_memory_equal(text, "hello", 5);
    sock_close(&server);
    assert_int_equal(sock_receive(client, text, sizeof text, &done), ERR_END);
    sock_close(&client);
    sock_close(&listener);
}

static void test_local_sock_replaces_what_the_dead_left(void **state)
{
    (void)state;
    int listener, other;
    assert_int_equal(sock_local_connect(path, &other), ERR_REFUSED_CONN); /* the file is there */
    assert_int_equal(sock_local_listen(path, &listener), ERR_OK);
    assert_int_equal(sock_local_listen(path, &other), ERR_BUSY); /* the living are not replaced */
    sock_close(&listener);
    (void)unlink(path);
    assert_int_equal(sock_local_connect(path, &other), ERR_REFUSED_CONN);
}

/* Nobody accepts, and no more connections can wait: an error, not a hang. It lives, and its file is
 * spared, also when whoever looks is interrupted again and again. */
static void test_local_sock_of_a_process_that_is_stopped(void **state)
{
    (void)state;
    int listener, waiting[64], other;
    uint32_t count = 0;
    enum err err = ERR_OK;
    assert_int_equal(sock_local_listen(path, &listener), ERR_OK);
    while (count < 64 && (err = sock_local_connect(path, &waiting[count])) == ERR_OK) {
        count++;
    }
    assert_int_equal(err, ERR_TIMEOUT);
    assert_in_range(count, 1, 63);
    assert_int_equal(sock_local_listen(path, &other), ERR_BUSY);
    interrupt_each_ms(100);
    assert_int_equal(sock_local_listen(path, &other), ERR_BUSY);
    interrupt_each_ms(0);
    assert_int_equal(access(path, F_OK), 0);
    while (count > 0) {
        sock_close(&waiting[--count]);
    }
    sock_close(&listener);
    (void)unlink(path);
}

/* A path given by mistake: no file of somebody else is removed. */
static void test_local_sock_spares_what_is_no_socket(void **state)
{
    (void)state;
    int listener = -1;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(sock_local_listen(path, &listener), ERR_SYSTEM);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
}

static void test_local_sock_paths_that_cannot_be(void **state)
{
    (void)state;
    int fd;
    char text[200];
    memset(text, 'x', sizeof text);
    text[0] = '/';
    text[sizeof text - 1] = '\0';
    assert_int_equal(sock_local_listen(text, &fd), ERR_TOO_BIG);
    assert_int_equal(sock_local_connect(text, &fd), ERR_TOO_BIG);
    assert_int_equal(sock_local_listen("/nonexistent/folder/s", &fd), ERR_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_sock_carries_bytes),
        cmocka_unit_test(test_local_sock_replaces_what_the_dead_left),
        cmocka_unit_test(test_local_sock_of_a_process_that_is_stopped),
        cmocka_unit_test(test_local_sock_spares_what_is_no_socket),
        cmocka_unit_test(test_local_sock_paths_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
