/* see sock.h; over the loopback interface */
#include "unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "os/sock.h"

static void test_sock_addresses(void **state)
{
    (void)state;
    const struct {
        const char *text;
        uint8_t family; /* 0 = not an address */
        const char *shown;
    } cases[] = {
        {"192.0.2.1", 4, "192.0.2.1:443"},
        {"0.0.0.0", 4, "0.0.0.0:443"},
        {"2001:db8::1", 6, "[2001:db8::1]:443"},
        {"[2001:db8::1]", 6, "[2001:db8::1]:443"},
        {"::", 6, "[::]:443"},
        {"::ffff:192.0.2.1", 6, "[::ffff:192.0.2.1]:443"},
        {"[192.0.2.1]", 0, NULL},
        {"[::1", 0, NULL},
        {"::1]", 0, NULL},
        {"[]", 0, NULL},
        {"", 0, NULL},
        {"localhost", 0, NULL},
        {"1.2.3", 0, NULL},
        {"1.2.3.4.5", 0, NULL},
        {"1.2.3.256", 0, NULL},
        {"1.2.3.4 ", 0, NULL},
        {"192.0.2.1:80", 0, NULL},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sock_addr addr = {.family = 9};
        char text[64];
        bool is_address = sock_addr_parse(str_of(cases[i].text), 443, &addr);
        assert_int_equal(is_address, cases[i].family != 0);
        assert_int_equal(addr.family, is_address ? cases[i].family : 9);
        if (is_address) {
            sock_addr_text(&addr, text);
            assert_string_equal(text, cases[i].shown);
        }
    }
    struct sock_addr addr;
    assert_false(sock_addr_parse(str_make("1.2.3.4\0", 8), 1, &addr));
    addr = (struct sock_addr){.family = 0, .port = 5};
    char text[64];
    sock_addr_text(&addr, text);
    assert_string_equal(text, "?:5");
}

static void wait_for(int fd, short events)
{
    struct pollfd ready = {.fd = fd, .events = events};
    assert_int_equal(poll(&ready, 1, 5000), 1);
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t bytes = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &bytes), 0);
    return value;
}

static void assert_set_up(int fd)
{
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY) != 0, 1);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE) != 0, 1);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
}

static int listener_on(const char *host, struct sock_addr *bound)
{
    struct sock_addr any;
    int listener = -1;
    assert_true(sock_addr_parse(str_of(host), 0, &any));
    return sock_listen(&any, 8, &listener, bound) == ERR_OK ? listener : -1;
}

static void connect_pair(int *listener, int *client, int *server)
{
    struct sock_addr bound, peer;
    *listener = listener_on("127.0.0.1", &bound);
    assert_true(*listener >= 0 && bound.port != 0);
    assert_int_equal(sock_accept(*listener, server, &peer), ERR_AGAIN);
    assert_int_equal(sock_connect(&bound, client), ERR_OK);
    wait_for(*client, POLLOUT);
    assert_int_equal(sock_connect_result(*client), ERR_OK);
    wait_for(*listener, POLLIN);
    assert_int_equal(sock_accept(*listener, server, &peer), ERR_OK);
    assert_int_equal(peer.family, 4);
    assert_int_equal(peer.bytes[0], 127);
    assert_set_up(*client);
    assert_set_up(*server);
}

static void close_all(int *listener, int *client, int *server)
{
    sock_close(listener);
    sock_close(client);
    sock_close(server);
    assert_int_equal(*client, -1);
    sock_close(client); /* no-op */
}

static void test_sock_moves_bytes_and_ends_orderly(void **state)
{
    (void)state;
    int listener, client, server;
    size_t done = 99;
    char data[64];
    connect_pair(&listener, &client, &server);
    assert_int_equal(sock_receive(server, data, sizeof(data), &done), ERR_AGAIN);
    assert_int_equal(done, 0);
    assert_int_equal(sock_send(client, "hello", 5, &done), ERR_OK);
    assert_int_equal(done, 5);
    wait_for(server, POLLIN);
    assert_int_equal(sock_receive(server, data, sizeof(data), &done), ERR_OK);
    assert_true(str_eq(str_make(data, done), S("hello")));
    sock_shut_write(client);
    wait_for(server, POLLIN);
    assert_int_equal(sock_receive(server, data, sizeof(data), &done), ERR_END);
    assert_int_equal(sock_send(server, "bye", 3, &done), ERR_OK); /* the other half still works */
    wait_for(client, POLLIN);
    assert_int_equal(sock_receive(client, data, sizeof(data), &done), ERR_OK);
    assert_int_equal(done, 3);
    close_all(&listener, &client, &server);
}

static void test_sock_send_until_the_kernel_is_full(void **state)
{
    (void)state;
    int listener, client, server;
    static char data[65536];
    size_t done = 1, sent = 0, received = 0;
    enum err err;
    connect_pair(&listener, &client, &server);
    while ((err = sock_send(client, data, sizeof(data), &done)) == ERR_OK) {
        sent += done;
    }
    assert_int_equal(err, ERR_AGAIN);
    assert_int_equal(done, 0);
    while (received < sent) {
        wait_for(server, POLLIN);
        assert_int_equal(sock_receive(server, data, sizeof(data), &done), ERR_OK);
        received += done;
    }
    assert_int_equal(received, sent);
    close_all(&listener, &client, &server);
}

static void test_sock_reset_is_closed(void **state)
{
    (void)state;
    int listener, client, server;
    char data[8];
    size_t done;
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    connect_pair(&listener, &client, &server);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    sock_close(&client);
    wait_for(server, POLLIN);
    assert_int_equal(sock_receive(server, data, sizeof(data), &done), ERR_CLOSED);
    assert_int_equal(sock_send(server, "x", 1, &done), ERR_CLOSED); /* and no SIGPIPE */
    close_all(&listener, &client, &server);
    assert_int_equal(sock_send(-1, "x", 1, &done), ERR_SYSTEM);
}

static void test_sock_connect_refused(void **state)
{
    (void)state;
    struct sock_addr bound;
    int listener = listener_on("127.0.0.1", &bound), client = -1;
    sock_close(&listener); /* so that nobody listens there */
    enum err err = sock_connect(&bound, &client);
    if (err == ERR_OK) {
        wait_for(client, POLLOUT);
        err = sock_connect_result(client);
        sock_close(&client);
    }
    assert_int_equal(err, ERR_REFUSED_CONN);
    assert_int_equal(client, -1);
}

/* A listener whose queue is full answers nothing: the connection stays in the making. */
static void test_sock_connect_result_before_it_is_known(void **state)
{
    (void)state;
    struct sock_addr bound;
    int clients[8], pending = 0;
    struct sock_addr any;
    int listener = -1;
    assert_true(sock_addr_parse(S("127.0.0.1"), 0, &any));
    assert_int_equal(sock_listen(&any, 0, &listener, &bound), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        assert_int_equal(sock_connect(&bound, &clients[i]), ERR_OK);
        enum err err = sock_connect_result(clients[i]);
        assert_true(err == ERR_OK || err == ERR_AGAIN);
        pending += err == ERR_AGAIN ? 1 : 0;
    }
    assert_true(pending > 0);
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        sock_close(&clients[i]);
    }
    sock_close(&listener);
}

static void test_sock_port_in_use(void **state)
{
    (void)state;
    struct sock_addr bound;
    int listener = listener_on("127.0.0.1", &bound), second = -1;
    assert_int_equal(sock_listen(&bound, 8, &second, NULL), ERR_SYSTEM);
    assert_int_equal(second, -1);
    sock_close(&listener);
}

static void test_sock_any_address_serves_both_families(void **state)
{
    (void)state;
    struct sock_addr bound, to, peer;
    int listener = listener_on("::", &bound), client = -1, server = -1;
    if (listener < 0) {
        skip(); /* a machine without IPv6 */
    }
    assert_true(sock_addr_parse(S("127.0.0.1"), bound.port, &to));
    assert_int_equal(sock_connect(&to, &client), ERR_OK);
    wait_for(listener, POLLIN);
    assert_int_equal(sock_accept(listener, &server, &peer), ERR_OK);
    assert_int_equal(peer.family, 4); /* not ::ffff:127.0.0.1 */
    close_all(&listener, &client, &server);
}

static void test_sock_out_of_descriptors(void **state)
{
    (void)state;
    struct sock_addr bound;
    int listener = listener_on("127.0.0.1", &bound), client = -1, server = -1, none = -1;
    struct rlimit before, low;
    assert_int_equal(sock_connect(&bound, &client), ERR_OK);
    wait_for(listener, POLLIN);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)client + 1; /* the next free number is the first refused */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    enum err accept_err = sock_accept(listener, &server, NULL);
    enum err connect_err = sock_connect(&bound, &none);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(accept_err, ERR_FULL);
    assert_int_equal(connect_err, ERR_SYSTEM);
    assert_int_equal(sock_accept(listener, &server, NULL), ERR_OK);
    close_all(&listener, &client, &server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sock_addresses),
        cmocka_unit_test(test_sock_moves_bytes_and_ends_orderly),
        cmocka_unit_test(test_sock_send_until_the_kernel_is_full),
        cmocka_unit_test(test_sock_reset_is_closed),
        cmocka_unit_test(test_sock_connect_refused),
        cmocka_unit_test(test_sock_connect_result_before_it_is_known),
        cmocka_unit_test(test_sock_port_in_use),
        cmocka_unit_test(test_sock_any_address_serves_both_families),
        cmocka_unit_test(test_sock_out_of_descriptors),
    };
    return cmocka_run_group_tests_name("sock", tests, NULL, NULL);
}
