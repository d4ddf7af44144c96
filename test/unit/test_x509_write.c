/* see x509_write.h: what it makes is believed by our own verifier and by OpenSSL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/x509.h"
#include "net/x509_write.h"

static _Alignas(64) char memory[64 * 1024];
static struct arena arena;

static const uint8_t seed[X509_WRITE_SEED_BYTES] = {1, 2, 3};

static struct x509_wish wish(void)
{
    return (struct x509_wish){.common_name = S("virtual-kubelet"),
                              .dns_name = S("virtual-kubelet"),
                              .address = S("192.0.2.10"),
                              .not_before_s = 1760000000,
                              .not_after_s = 1760000000 + 86400};
}

static int open_arena(void **state)
{
    (void)state;
    arena_init(&arena, memory, sizeof memory);
    return 0;
}

static void test_x509_write_gives_what_tls_identity_loads(void **state)
{
    (void)state;
    static char pem[4096];
    struct tls_identity identity;
    struct buf out;
    struct x509_wish wanted = wish();
    assert_int_equal(x509_write_identity(&wanted, seed, &arena, &identity), ERR_OK);
    buf_init(&out, pem, sizeof pem);
    x509_put_pem(&identity, &out);
    x509_put_key_pem(&identity, &out);
    struct tls_identity loaded;
    const char *why;
    assert_int_equal(tls_identity_load(&loaded, buf_str(&out), buf_str(&out), &arena, &why),
                     ERR_OK);
    assert_int_equal(loaded.not_after_s, wanted.not_after_s);
    assert_string_equal(loaded.name, "virtual-kubelet");
}

static void test_x509_write_is_understood_by_openssl(void **state)
{
    (void)state;
    static char pem[4096];
    struct tls_identity identity;
    struct buf out;
    struct x509_wish wanted = wish();
    wanted.address = S("2001:db8::7");
    wanted.not_after_s = 2600000000; /* after 2050 */
    assert_int_equal(x509_write_identity(&wanted, seed, &arena, &identity), ERR_OK);
    buf_init(&out, pem, sizeof pem);
    x509_put_pem(&identity, &out);
    char path[] = "/tmp/ecilet-x509-XXXXXX", command[512];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, out.ptr, out.bytes), (ssize_t)out.bytes);
    (void)close(fd);
    (void)snprintf(command, sizeof command,
                   "openssl verify -attime 1760000001 -purpose sslserver -verify_ip 2001:db8::7 "
                   "-verify_hostname virtual-kubelet -CAfile %s %s >/dev/null 2>&1",
                   path, path);
    int status = system(command);
    (void)unlink(path);
    assert_int_equal(status, 0);
}

static void test_x509_write_names_others_too(void **state)
{
    (void)state;
    static char pem[4096], names_memory[512];
    struct tls_identity identity;
    struct x509_cert leaf;
    struct buf names;
    struct x509_wish wanted = wish();
    wanted.others = S("192.0.2.10, 192.0.2.11, gateway-2, virtual-kubelet, 2001:db8::7");
    assert_int_equal(x509_write_identity(&wanted, seed, &arena, &identity), ERR_OK);
    str der = str_make((const char *)identity.chain[0].data, identity.chain[0].data_len);
    assert_int_equal(x509_read(der, &leaf), ERR_OK);
    static const char *const hosts[] = {"192.0.2.10", "192.0.2.11", "gateway-2", "virtual-kubelet",
                                        "2001:db8::7"};
    for (size_t i = 0; i < 5; i++) {
        assert_true(x509_names_host(&leaf, str_of(hosts[i])));
    }
    assert_false(x509_names_host(&leaf, S("192.0.2.12")));
    /* what it lists can be listed again, and no name comes twice */
    buf_init(&names, names_memory, sizeof names_memory);
    x509_put_names(&leaf, &names);
    wanted.others = buf_str(&names);
    assert_int_equal(x509_write_identity(&wanted, seed, &arena, &identity), ERR_OK);
    buf_init(&names, pem, sizeof pem);
    der = str_make((const char *)identity.chain[0].data, identity.chain[0].data_len);
    assert_int_equal(x509_read(der, &leaf), ERR_OK);
    x509_put_names(&leaf, &names);
    assert_int_equal(names.bytes, wanted.others.bytes);
    /* more than there is room for: the rest is left out */
    wanted.others = S("a, b, c, d, e, f");
    assert_int_equal(x509_write_identity(&wanted, seed, &arena, &identity), ERR_OK);
    der = str_make((const char *)identity.chain[0].data, identity.chain[0].data_len);
    assert_int_equal(x509_read(der, &leaf), ERR_OK);
    assert_true(x509_names_host(&leaf, S("d")));
    assert_false(x509_names_host(&leaf, S("e")));
}

static void test_x509_write_gives_its_key_as_pem(void **state)
{
    (void)state;
    static char pem[4096], key_memory[1024];
    struct tls_identity identity, again;
    struct buf out, key;
    const char *why = "";
    struct x509_wish wanted = wish();
    assert_int_equal(x509_write_identity(&wanted, seed, &arena, &identity), ERR_OK);
    buf_init(&out, pem, sizeof pem);
    buf_init(&key, key_memory, sizeof key_memory);
    x509_put_pem(&identity, &out);
    x509_put_key_pem(&identity, &key);
    assert_true(buf_ok(&key));
    assert_int_equal(tls_identity_load(&again, buf_str(&out), buf_str(&key), &arena, &why), ERR_OK);
    assert_int_equal(again.ec.xlen, identity.ec.xlen);
    assert_memory_equal(again.ec.x, identity.ec.x, again.ec.xlen);
    tls_identity_wipe(&identity);
    buf_init(&key, key_memory, sizeof key_memory);
    x509_put_key_pem(&identity, &key);
    assert_false(buf_ok(&key));
}

static void test_x509_write_refuses_what_cannot_be(void **state)
{
    (void)state;
    struct tls_identity identity;
    struct x509_wish wanted = wish();
    wanted.address = S("nowhere");
    assert_int_equal(x509_write_identity(&wanted, seed, &arena, &identity), ERR_BAD_INPUT);
    wanted = wish();
    wanted.common_name = STR_NONE;
    assert_int_equal(x509_write_identity(&wanted, seed, &arena, &identity), ERR_BAD_INPUT);
    wanted = wish();
    wanted.not_after_s = wanted.not_before_s;
    assert_int_equal(x509_write_identity(&wanted, seed, &arena, &identity), ERR_BAD_INPUT);
    struct arena small;
    arena_init(&small, memory, 64);
    wanted = wish();
    assert_int_equal(x509_write_identity(&wanted, seed, &small, &identity), ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_x509_write_gives_what_tls_identity_loads, open_arena),
        cmocka_unit_test_setup(test_x509_write_is_understood_by_openssl, open_arena),
        cmocka_unit_test_setup(test_x509_write_names_others_too, open_arena),
        cmocka_unit_test_setup(test_x509_write_gives_its_key_as_pem, open_arena),
        cmocka_unit_test_setup(test_x509_write_refuses_what_cannot_be, open_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
