/* app/wire_status: the socket of `ecilet status`, over a real one in a folder of the test. */
#include "unit.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "app/wire.h"
#include "os/os.h"
#include "os/sock.h"

static _Alignas(64) char region_memory[4 << 20];
static char folder[] = "/tmp/test_wire_status.XXXXXX";
static char path[64];

static struct wire wire;
static struct config config;
static struct region region;
static struct loop loop;

/* ---- what it stands on ----------------------------------------------------------------------- */

msec wire_now_ms(const struct wire *of)
{
    return of->loop->now_ms;
}

bool leader_may_act(const struct wire *of)
{
    (void)of;
    return true;
}

static int begin(void **state)
{
    (void)state;
    const struct brain_config brain = {
        .pods_max = 10, .groups_max = 20, .poll_fast_ms = 1, .poll_slow_ms = 1, .sweep_ms = 1,
        .absence_ms = 1, .absence_sweeps = 1, .young_ms = 1, .brake_percent = 1, .brake_min = 1,
        .create_per_minute = 1, .delete_per_minute = 1, .describe_per_minute = 1,
        .status_per_minute = 1, .cloud_calls_max = 4, .kube_calls_max = 4, .seed = 1};
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/s", folder);
    region_init(&region, region_memory, sizeof region_memory);
    assert_int_equal(loop_init(&loop, &region, 8), ERR_OK);
    config = (struct config){.node_name = S("vk"),
                             .aliyun_clusterid = S("one"),
                             .eci_endpoint = S("https://cloud.example"),
                             .status_socket = str_of(path)};
    wire.config = &config;
    wire.loop = &loop;
    brain_init(&wire.brain, &brain, &region, 1000);
    status_init(&wire, &region);
    status_start(&wire);
    assert_true(wire.status.listener_fd >= 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    status_stop(&wire);
    (void)close(loop.epoll_fd);
    return unlink(path) | rmdir(folder);
}

/* Somebody asks while no descriptor is free: the loop does not spin, and answers later. */
static void test_status_waits_for_a_descriptor(void **state)
{
    enum { TURNS = 20, WAIT_MS = 10 };
    struct rlimit before;
    char text[64];
    size_t done = 0;
    int fd = -1;
    (void)state;
    assert_int_equal(sock_local_connect(path, &fd), ERR_OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    loop_turn(&loop, os_now_ms() + WAIT_MS);
    msec began_ms = os_now_ms();
    for (int i = 0; i < TURNS; i++) {
        loop_turn(&loop, os_now_ms() + WAIT_MS);
    }
    msec took_ms = os_now_ms() - began_ms;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(took_ms >= TURNS * WAIT_MS / 2);
    for (msec until_ms = os_now_ms() + 5000; wire.status.sent_bytes == 0;) {
        assert_true(os_now_ms() < until_ms);
        loop_turn(&loop, os_now_ms() + WAIT_MS);
    }
    assert_int_equal(sock_receive(fd, text, sizeof text, &done), ERR_OK);
    assert_true(str_starts(str_make(text, done), S("ecilet ")));
    sock_close(&fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_status_waits_for_a_descriptor, begin, end),
    };
    return cmocka_run_group_tests_name("wire_status", tests, NULL, NULL);
}
