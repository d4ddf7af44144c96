/*
 * Every result of libcurl maps to an error, and what that means for a read and for a write.
 *
 * The cases name libcurl's numbers, which its ABI fixes; this test does not include its header.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eci/eci_curl.h"

#define CURL_CODES 200 /* beyond the last result of today's libcurl (101) and its reserved ones */

static const struct {
    int code;
    enum err err;
} cases[] = {
    {0, ERR_OK},           /* OK */
    {5, ERR_RESOLVE},      /* COULDNT_RESOLVE_PROXY */
    {6, ERR_RESOLVE},      /* COULDNT_RESOLVE_HOST */
    {7, ERR_REFUSED_CONN}, /* COULDNT_CONNECT */
    {8, ERR_BAD_REPLY},    /* WEIRD_SERVER_REPLY */
    {18, ERR_CLOSED},      /* PARTIAL_FILE: fewer bytes than announced */
    {23, ERR_TOO_BIG},     /* WRITE_ERROR: our buffer is full */
    {27, ERR_NO_MEMORY},   /* OUT_OF_MEMORY */
    {28, ERR_TIMEOUT},     /* OPERATION_TIMEDOUT */
    {35, ERR_TLS},         /* SSL_CONNECT_ERROR */
    {52, ERR_CLOSED},      /* GOT_NOTHING */
    {55, ERR_CLOSED},      /* SEND_ERROR */
    {56, ERR_CLOSED},      /* RECV_ERROR */
    {58, ERR_TLS},         /* SSL_CERTPROBLEM */
    {59, ERR_TLS},         /* SSL_CIPHER */
    {60, ERR_TLS_TRUST},   /* PEER_FAILED_VERIFICATION */
    {61, ERR_BAD_REPLY},   /* BAD_CONTENT_ENCODING */
    {65, ERR_CLOSED},      /* SEND_FAIL_REWIND */
    {77, ERR_TLS_TRUST},   /* SSL_CACERT_BADFILE */
    {80, ERR_CLOSED},      /* SSL_SHUTDOWN_FAILED */
    {89, ERR_FULL},        /* NO_CONNECTION_AVAILABLE */
    {97, ERR_UNREACHABLE}, /* PROXY */
    {100, ERR_BAD_REPLY},  /* TOO_LARGE */
    /* ours, or never seen with what we ask of libcurl */
    {2, ERR_SYSTEM},  /* FAILED_INIT */
    {3, ERR_SYSTEM},  /* URL_MALFORMAT */
    {42, ERR_SYSTEM}, /* ABORTED_BY_CALLBACK */
    {43, ERR_SYSTEM}, /* BAD_FUNCTION_ARGUMENT */
    {48, ERR_SYSTEM}, /* UNKNOWN_OPTION */
    {93, ERR_SYSTEM}, /* RECURSIVE_API_CALL */
    {-1, ERR_SYSTEM},
    {102, ERR_SYSTEM},
    {126, ERR_SYSTEM},
    {10000, ERR_SYSTEM},
};

static void test_eci_curl_err_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (eci_curl_err(cases[i].code) != cases[i].err) {
            fail_msg("%d: %s", cases[i].code, err_name(eci_curl_err(cases[i].code)));
        }
    }
}

/* Nothing that happens on the line may look like success, or end a pod. */
static void test_eci_curl_err_no_result_is_the_requests_fault(void **state)
{
    (void)state;
    for (int code = 1; code < CURL_CODES; code++) {
        enum err err = eci_curl_err(code);
        assert_int_not_equal(err, ERR_OK);
        assert_true(err_fate(err) == FATE_LATER || err_fate(err) == FATE_OURS);
    }
}

/* A write of which something may have left this machine is unknown; one that never left is not. */
static void test_eci_curl_err_lost_writes(void **state)
{
    (void)state;
    for (int code = 1; code < CURL_CODES; code++) {
        enum err err = eci_curl_err(code);
        if (err != ERR_AUTH) { /* a proxy's password: the proxy did not pass it on */
            assert_int_equal(err_of_write(err, 1), ERR_LOST_WRITE);
        }
        assert_int_equal(err_of_write(err, 0), err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eci_curl_err_cases),
        cmocka_unit_test(test_eci_curl_err_no_result_is_the_requests_fault),
        cmocka_unit_test(test_eci_curl_err_lost_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
