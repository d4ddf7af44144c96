/* see tls_keep.h: files before our own, two rooms, renewal at two thirds of a life */
#include "unit.h"

#include <stdlib.h>

#include "net/tls_keep.h"
#include "net_certs.h"
#include "os/log.h"
#include "os/os.h"

static char scratch_memory[64 * 1024];
static struct arena scratch;
static struct region region;
static struct tls_keep keep;
static uint32_t prepared;
static char dir[64], chain_path[96], key_path[96], authority_path[96];

static const struct x509_wish wish = {.common_name = S("vk"), .address = S("192.0.2.1")};

static void on_prepare(void *owner)
{
    assert_ptr_equal(owner, &keep);
    prepared++;
}

static int start(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    arena_init(&scratch, scratch_memory, sizeof scratch_memory);
    (void)snprintf(dir, sizeof dir, "/tmp/ecilet-keep-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(chain_path, sizeof chain_path, "%s/tls.crt", dir);
    (void)snprintf(key_path, sizeof key_path, "%s/tls.key", dir);
    (void)snprintf(authority_path, sizeof authority_path, "%s/ca.crt", dir);
    prepared = 0;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    tls_keep_wipe(&keep);
    (void)unlink(chain_path);
    (void)unlink(key_path);
    (void)unlink(authority_path);
    return rmdir(dir);
}

static void init(bool must_have_files, bool has_authority)
{
    const struct tls_keep_config config = {
        .name = "test",
        .files = "FILES",
        .chain_path = chain_path,
        .key_path = key_path,
        .authority_path = has_authority ? authority_path : "",
        .must_have_files = must_have_files,
        .on_prepare = on_prepare,
        .owner = &keep,
    };
    memset(&keep, 0, sizeof keep);
    region = unit_region();
    tls_keep_init(&keep, &region, &config);
}

static void put(const char *path, const char *name)
{
    unit_put_file(path, str_of(net_cert(name)));
}

static void put_pair(const char *kind)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.crt", kind);
    put(chain_path, name);
    (void)snprintf(name, sizeof name, "%s.key", kind);
    put(key_path, name);
    put(authority_path, "server_ec.crt");
}

static bool look(int64_t now_s)
{
    bool is_new = tls_keep_look(&keep, &wish, now_s, &scratch);
    assert_int_equal(scratch.used, 0);
    return is_new;
}

static void test_tls_keep_makes_its_own_and_renews_it(void **state)
{
    (void)state;
    init(false, true);
    assert_null(tls_keep_current(&keep));
    assert_true(look(NET_NOW_S));
    assert_null(tls_keep_current(&keep)); /* not before the swap */
    assert_non_null(tls_keep_next(&keep));
    assert_false(look(NET_NOW_S)); /* what is prepared counts */
    tls_keep_swap(&keep);
    const struct tls_set *first = tls_keep_current(&keep);
    assert_non_null(first);
    assert_null(tls_keep_next(&keep));
    assert_string_equal(first->identity.name, "vk");
    assert_true(str_starts(first->authority, S("-----BEGIN CERTIFICATE-----")));
    assert_true(tls_set_is_valid(first, NET_NOW_S));
    int64_t due_s = NET_NOW_S + TLS_KEEP_OWN_LIFE_S * 2 / 3;
    assert_false(look(due_s - 3600));
    assert_int_equal(prepared, 1);
    assert_true(look(due_s + 3600));
    assert_int_equal(prepared, 2);
    assert_ptr_equal(tls_keep_current(&keep), first); /* still shown, and readable */
    assert_true(first->is_loaded);
    tls_keep_swap(&keep);
    assert_ptr_not_equal(tls_keep_current(&keep), first);
    assert_true(first->is_loaded); /* for handshakes under way */
    assert_false(look(due_s + 3600));
    tls_keep_swap(&keep); /* nothing is prepared: nothing happens */
    assert_ptr_not_equal(tls_keep_current(&keep), first);
}

static void test_tls_keep_of_a_clock_set_back_is_made_anew(void **state)
{
    (void)state;
    init(false, true);
    assert_true(look(NET_NOW_S));
    tls_keep_swap(&keep);
    assert_false(tls_set_is_valid(tls_keep_current(&keep), NET_NOW_S - 86400));
    assert_true(look(NET_NOW_S - 86400));
    assert_false(tls_set_is_valid(tls_keep_current(&keep), NET_NOW_S + TLS_KEEP_OWN_LIFE_S));
}

static void test_tls_keep_takes_files_and_their_replacement(void **state)
{
    (void)state;
    init(false, true);
    put_pair("server_ec");
    assert_true(look(NET_NOW_S));
    tls_keep_swap(&keep);
    const struct tls_set *first = tls_keep_current(&keep);
    assert_int_equal(first->identity.key_type, BR_KEYTYPE_EC);
    assert_text(first->authority, net_cert("server_ec.crt"));
    assert_false(look(NET_NOW_S));
    assert_false(look(NET_NOW_S + 400 * 86400)); /* an old file is the operator's business */
    put_pair("server_rsa");
    assert_true(look(NET_NOW_S));
    tls_keep_swap(&keep);
    assert_int_equal(tls_keep_current(&keep)->identity.key_type, BR_KEYTYPE_RSA);
}

static void test_tls_keep_leaves_what_it_has_when_files_are_bad(void **state)
{
    (void)state;
    init(false, true);
    put_pair("server_ec");
    assert_true(look(NET_NOW_S));
    tls_keep_swap(&keep);
    put(key_path, "client_ec.key"); /* the new certificate has not arrived yet */
    assert_false(look(NET_NOW_S));
    assert_non_null(tls_keep_current(&keep));
    assert_null(tls_keep_next(&keep));
    uint32_t so_far = prepared;
    assert_false(look(NET_NOW_S)); /* the same files are not judged again */
    assert_int_equal(prepared, so_far);
    put_pair("server_ec");
    assert_true(look(NET_NOW_S));
    (void)unlink(authority_path);
    assert_false(look(NET_NOW_S)); /* not all three */
    (void)unlink(chain_path);
    assert_false(tls_keep_has_files(&keep));
    assert_true(look(NET_NOW_S)); /* no files: our own */
    assert_string_equal(tls_keep_next(&keep)->identity.name, "vk");
}

static void test_tls_keep_makes_none_when_files_must_be_there(void **state)
{
    (void)state;
    init(true, false);
    assert_true(tls_keep_has_files(&keep));
    assert_false(look(NET_NOW_S));
    assert_null(tls_keep_current(&keep));
    put_pair("server_ec");
    assert_true(look(NET_NOW_S));
    assert_true(str_is_empty(tls_keep_next(&keep)->authority));
}

static void test_tls_keep_loads_texts(void **state)
{
    (void)state;
    const char *why = "";
    init(false, true);
    str chain = str_of(net_cert("server_ec.crt")), key = str_of(net_cert("server_ec.key"));
    assert_int_equal(tls_keep_load(&keep, chain, key, S("CA"), &why), ERR_OK);
    assert_text(tls_keep_next(&keep)->authority, "CA");
    assert_int_equal(tls_keep_load(&keep, chain, S("no key"), S("CA"), &why), ERR_BAD_INPUT);
    assert_string_equal(why, "no private key in the file");
    assert_null(tls_keep_next(&keep)); /* what was prepared before is gone */
    static char large[TLS_KEEP_BYTES];
    memset(large, 'x', sizeof large);
    assert_int_equal(tls_keep_load(&keep, chain, key, str_make(large, sizeof large), &why),
                     ERR_FULL);
    assert_string_equal(why, "too large");
}

static void test_tls_keep_without_room(void **state)
{
    (void)state;
    init(false, true);
    const struct x509_wish odd = {.common_name = S("vk"), .address = S("nowhere")};
    assert_false(tls_keep_look(&keep, &odd, NET_NOW_S, &scratch));
    assert_null(tls_keep_next(&keep));
    put_pair("server_ec");
    struct arena small;
    arena_init(&small, scratch_memory, 64);
    assert_false(tls_keep_look(&keep, &wish, NET_NOW_S, &small));
    assert_true(look(NET_NOW_S)); /* no room then: tried again, though the files are the same */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tls_keep_makes_its_own_and_renews_it, start, stop),
        cmocka_unit_test_setup_teardown(test_tls_keep_of_a_clock_set_back_is_made_anew, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_tls_keep_takes_files_and_their_replacement, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_tls_keep_leaves_what_it_has_when_files_are_bad, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_tls_keep_makes_none_when_files_must_be_there, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_tls_keep_loads_texts, start, stop),
        cmocka_unit_test_setup_teardown(test_tls_keep_without_room, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
