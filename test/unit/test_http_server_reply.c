/* http_server_reply: room in what is to be sent. The server as a whole: test_http_server.c. */
#include "unit.h"

#include "net/http_server_conn.h"

static char out[CONN_OUT_BYTES];

/* Wherever the bytes lie: when half of the buffer is free there is more room than what counts as
 * scarce, and nothing of what waits is lost. Else an owner with nothing to add would be told of
 * room again and again. */
static void test_half_free_is_not_scarce(void **state)
{
    (void)state;
    static struct http_conn conn;
    for (size_t from = 0; from <= CONN_OUT_BYTES; from += 512) {
        for (size_t to = from; to <= CONN_OUT_BYTES; to += 512) {
            for (size_t i = from; i < to; i += 512) {
                out[i] = (char)((i - from) / 512);
            }
            conn.out = out;
            conn.out_from = from;
            conn.out_to = to;
            size_t room = conn_out_room(&conn);
            assert_int_equal(conn.out_to - conn.out_from, to - from);
            assert_int_equal(room, CONN_OUT_BYTES - conn.out_to);
            assert_true(to - from > CONN_OUT_BYTES / 2 || room >= CONN_OUT_SCARCE);
            for (size_t i = conn.out_from; i < conn.out_to; i += 512) {
                assert_int_equal((uint8_t)out[i], (uint8_t)((i - conn.out_from) / 512));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_half_free_is_not_scarce)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
