/* eci_sign: the worked example of eci-api 1.6, sorting, escaping, repeating, refusing, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/codec.h"
#include "eci/eci_sign.h"

#define KEY_ID "LTAI4EXAMPLEKEYID00001"
#define KEY_SECRET "EXAMPLEsecretKEY0123456789abcd"
#define NONCE "9f1c2b3a4d5e6f708192a3b4c5d6e7f8"

static const char canonical_text[] =
    "AccessKeyId=LTAI4EXAMPLEKEYID00001&Action=CreateContainerGroup&"
    "ClientToken=0c593ea1-3bea-11e9-b96b-88e9fe637760&"
    "Container.1.Arg.1=echo%20%22a%2Bb%20%2A~%20%E4%BD%A0%E5%A5%BD%22%20%26%26%20sleep%201&"
    "Container.1.Command.1=%2Fbin%2Fsh&Container.1.Command.2=-c&Container.1.EnvironmentVar.1.Key=K&"
    "Container.1.EnvironmentVar.1.Value=v%201&Container.1.Image=busybox%3A1.36&Container.1.Name=c1&"
    "ContainerGroupName=demo-1&Cpu=0.5&Format=JSON&Memory=1&RegionId=cn-hangzhou&"
    "RestartPolicy=Never&SignatureMethod=HMAC-SHA1&"
    "SignatureNonce=9f1c2b3a4d5e6f708192a3b4c5d6e7f8&SignatureVersion=1.0&"
    "Timestamp=2024-01-02T03%3A04%3A05Z&Version=2018-08-08";

static char arena_memory[1 << 20];
static char form_memory[1 << 20];

struct world {
    struct arena arena;
    struct params params;
    struct buf form;
    struct eci_sign_as as;
};

static void world_init(struct world *w)
{
    int64_t unix_s = 0;
    arena_init(&w->arena, arena_memory, sizeof arena_memory);
    assert_int_equal(params_init(&w->params, &w->arena), ERR_OK);
    buf_init(&w->form, form_memory, sizeof form_memory);
    assert_true(codec_get_time(S("2024-01-02T03:04:05Z"), &unix_s));
    w->as = (struct eci_sign_as){
        .method = "POST",
        .action = S("CreateContainerGroup"),
        .region_id = S("cn-hangzhou"),
        .access_key_id = S(KEY_ID),
        .access_key_secret = S(KEY_SECRET),
        .nonce = S(NONCE),
        .unix_s = unix_s,
    };
}

/* The parameters of the worked example, in an order that is not the sorted one. */
static void add_example(struct params *params)
{
    params_add(params, S("RestartPolicy"), S("Never"));
    params_add(params, S("ContainerGroupName"), S("demo-1"));
    params_add(params, S("ClientToken"), S("0c593ea1-3bea-11e9-b96b-88e9fe637760"));
    params_add(params, S("Cpu"), S("0.5"));
    params_add(params, S("Memory"), S("1"));
    params_add_at(params, S("c1"), "Container.%u.Name", 1u);
    params_add_at(params, S("busybox:1.36"), "Container.%u.Image", 1u);
    params_add_at(params, S("/bin/sh"), "Container.%u.Command.1", 1u);
    params_add_at(params, S("-c"), "Container.%u.Command.2", 1u);
    params_add_at(params, S("echo \"a+b *~ 你好\" && sleep 1"), "Container.%u.Arg.1", 1u);
    params_add_at(params, S("K"), "Container.%u.EnvironmentVar.1.Key", 1u);
    params_add_at(params, S("v 1"), "Container.%u.EnvironmentVar.1.Value", 1u);
}

static void assert_text(struct buf *buf, const char *expected)
{
    assert_string_equal(buf_cstr(buf), expected);
}

static void test_eci_sign_worked_example_post(void **state)
{
    struct world w;
    char expected[2048];
    (void)state;
    world_init(&w);
    add_example(&w.params);
    assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_OK);
    snprintf(expected, sizeof expected, "%s&Signature=llvoz%%2B5JLh7sBNySO2nHkpDs%%2B88%%3D",
             canonical_text);
    assert_text(&w.form, expected);
}

static void test_eci_sign_worked_example_get(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    add_example(&w.params);
    w.as.method = "GET";
    assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_OK);
    assert_true(str_ends(buf_str(&w.form), S("&Signature=2zGGlMV3ovSPXdA9t1Vtcsy78Bc%3D")));
}

static void test_eci_sign_text_alone(void **state)
{
    char signature[ECI_SIGNATURE_BYTES + 1];
    struct buf scratch;
    (void)state;
    buf_init(&scratch, form_memory, sizeof form_memory);
    assert_int_equal(
        eci_sign_text(signature, "POST", str_of(canonical_text), S(KEY_SECRET), scratch), ERR_OK);
    assert_string_equal(signature, "llvoz+5JLh7sBNySO2nHkpDs+88=");
    buf_init(&scratch, form_memory, 100);
    assert_int_equal(
        eci_sign_text(signature, "POST", str_of(canonical_text), S(KEY_SECRET), scratch), ERR_FULL);
}

static void test_eci_sign_security_token_is_signed(void **state)
{
    struct world w;
    char signature[ECI_SIGNATURE_BYTES + 1];
    char encoded_memory[100];
    struct buf scratch, encoded;
    (void)state;
    world_init(&w);
    w.as.security_token = S("CAIS+token/==");
    w.as.action = S("DescribeRegions");
    w.as.region_id = STR_NONE;
    assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_OK);
    ptrdiff_t end = str_find(buf_str(&w.form), S("&Signature="));
    str canonical = str_sub(buf_str(&w.form), 0, (size_t)end);
    assert_true(str_find(canonical, S("&Format=JSON&SecurityToken=CAIS%2Btoken%2F%3D%3D&"
                                      "SignatureMethod=HMAC-SHA1&")) > 0);
    assert_true(str_find(canonical, S("RegionId")) < 0);
    buf_init(&scratch, arena_memory, sizeof arena_memory);
    assert_int_equal(eci_sign_text(signature, "POST", canonical, S(KEY_SECRET), scratch), ERR_OK);
    buf_init(&encoded, encoded_memory, sizeof encoded_memory);
    codec_put_percent(&encoded, str_of(signature));
    assert_true(str_ends(buf_str(&w.form), buf_str(&encoded)));
}

/* "." sorts before digits and letters; the numbers are text (eci-api 1.5, step 2). */
static void test_eci_sign_sorts_by_raw_name(void **state)
{
    static const char *const sorted[] = {
        "Container.1.Name", "ContainerGroupName", "Tag.1.Key", "Tag.10.Key", "Tag.2.Key", "a", "~",
    };
    enum { COUNT = sizeof sorted / sizeof sorted[0] };
    (void)state;
    for (unsigned order = 0; order < 200; order++) {
        struct world w;
        size_t last = 0;
        world_init(&w);
        for (unsigned i = 0; i < COUNT; i++) {
            unsigned pick = (i * (order % 6 + 1) + order) % COUNT;
            params_add(&w.params, str_of(sorted[pick]), S("x"));
        }
        assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_OK);
        for (unsigned i = 0; i < COUNT; i++) {
            char mark[64];
            snprintf(mark, sizeof mark, "&%s=x", sorted[i]);
            ptrdiff_t at = str_find(buf_str(&w.form), str_of(mark));
            assert_true(at >= 0 && (size_t)at >= last);
            last = (size_t)at;
        }
    }
}

static void test_eci_sign_many_params_are_sorted(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    for (unsigned i = 0; i < PARAMS_MAX; i++) {
        params_add_at(&w.params, S(""), "P.%u", (i * 2654435761u) % 1000003u);
    }
    assert_false(w.params.has_failed);
    assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_OK);
    for (unsigned i = 1; i < PARAMS_MAX; i++) {
        assert_true(str_cmp(w.params.items[i - 1].name, w.params.items[i].name) < 0);
    }
}

static void test_eci_sign_region_of_the_caller_wins(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    params_add(&w.params, S("RegionId"), S("cn-other"));
    assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_OK);
    assert_true(str_find(buf_str(&w.form), S("&RegionId=cn-other&")) > 0);
    assert_true(str_find(buf_str(&w.form), S("cn-hangzhou")) < 0);
}

static void test_eci_sign_again_equals_signing_anew(void **state)
{
    struct world w;
    char first[4096];
    (void)state;
    world_init(&w);
    add_example(&w.params);
    w.as.nonce = S("00000000000000000000000000000000");
    w.as.unix_s = 1;
    assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_OK);
    w.as.nonce = S(NONCE);
    assert_true(codec_get_time(S("2024-01-02T03:04:05Z"), &w.as.unix_s));
    assert_int_equal(eci_sign_again(&w.form, &w.as), ERR_OK);
    snprintf(first, sizeof first, "%s&Signature=llvoz%%2B5JLh7sBNySO2nHkpDs%%2B88%%3D",
             canonical_text);
    assert_text(&w.form, first);
}

static void test_eci_sign_again_refuses_what_is_no_form(void **state)
{
    static const char *const forms[] = {
        "",
        "A=b",
        "A=b&SignatureNonce=short&Timestamp=2024-01-02T03%3A04%3A05Z&Signature=x",
        "A=b&SignatureNonce=00000000000000000000000000000000&Timestamp=x&Signature=x",
        "A=b&SignatureNonce=00000000000000000000000000000000&Timestamp=2024-01-02T03%3A04%3A05Z",
    };
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct world w;
        world_init(&w);
        buf_put_text(&w.form, forms[i]);
        assert_int_equal(eci_sign_again(&w.form, &w.as), ERR_INVALID);
    }
}

static void test_eci_sign_refuses_bad_names(void **state)
{
    static const char *const names[] = {
        "",          "Action",          "AccessKeyId",    "Format",           "SecurityToken",
        "Signature", "SignatureMethod", "SignatureNonce", "SignatureVersion", "Timestamp",
        "Version",
    };
    struct world w;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        world_init(&w);
        params_add(&w.params, S("X"), S("x"));
        w.params.items[0].name = str_of(names[i]);
        assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_INVALID);
        assert_int_equal(w.form.bytes, 0);
    }
    world_init(&w);
    params_add(&w.params, S("B"), S("1"));
    params_add(&w.params, S("A"), S("x"));
    params_add(&w.params, S("B"), S("2"));
    assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_INVALID);
}

static void test_eci_sign_passes_on_an_overflowed_list(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    w.params.has_failed = true;
    assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_FULL);
}

/* The predicted size is enough, is nearly tight, and every smaller one is refused and wiped. */
static void test_eci_sign_bytes_is_enough_and_less_is_refused(void **state)
{
    struct world w;
    (void)state;
    world_init(&w);
    add_example(&w.params);
    size_t bytes = eci_sign_bytes(&w.params, &w.as);
    size_t smallest = 0;
    for (size_t room = 0; room <= bytes; room++) {
        memset(form_memory, 0x55, bytes);
        buf_init(&w.form, form_memory, room);
        enum err err = eci_sign(&w.form, &w.params, &w.as);
        assert_true(err == ERR_OK || err == ERR_FULL);
        if (err == ERR_OK && smallest == 0) {
            smallest = room;
        }
        assert_true(err == ERR_OK || w.form.bytes == 0);
        for (size_t i = 0; err != ERR_OK && i + 6 < room; i++) {
            assert_memory_not_equal(form_memory + i, "CreateC", 6);
        }
    }
    assert_true(smallest > 0 && smallest <= bytes && bytes - smallest < 200);
}

/* Every byte value survives: decoding the form gives the value back. */
static void test_eci_sign_escapes_every_byte(void **state)
{
    struct world w;
    char value[256];
    char decoded_memory[4096];
    struct buf decoded;
    (void)state;
    for (int i = 0; i < 256; i++) {
        value[i] = (char)i;
    }
    world_init(&w);
    params_add(&w.params, S("V"), str_make(value, sizeof value));
    assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_OK);
    assert_true(w.form.bytes <= eci_sign_bytes(&w.params, &w.as));
    str rest = buf_str(&w.form), pair;
    bool has_found = false;
    while (str_cut(&rest, '&', &pair)) {
        if (str_starts(pair, S("V="))) {
            buf_init(&decoded, decoded_memory, sizeof decoded_memory);
            assert_int_equal(codec_get_percent(&decoded, str_sub(pair, 2, pair.bytes), true),
                             ERR_OK);
            assert_int_equal(decoded.bytes, sizeof value);
            assert_memory_equal(decoded.ptr, value, sizeof value);
            has_found = true;
        }
    }
    assert_true(has_found);
}

static void test_eci_sign_long_secret_is_refused(void **state)
{
    struct world w;
    char secret[ECI_SECRET_BYTES + 1];
    (void)state;
    world_init(&w);
    memset(secret, 'k', sizeof secret);
    w.as.access_key_secret = str_make(secret, ECI_SECRET_BYTES);
    assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_OK);
    buf_clear(&w.form);
    w.as.access_key_secret = str_make(secret, ECI_SECRET_BYTES + 1);
    assert_int_equal(eci_sign(&w.form, &w.params, &w.as), ERR_FULL);
    assert_int_equal(w.form.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eci_sign_worked_example_post),
        cmocka_unit_test(test_eci_sign_worked_example_get),
        cmocka_unit_test(test_eci_sign_text_alone),
        cmocka_unit_test(test_eci_sign_security_token_is_signed),
        cmocka_unit_test(test_eci_sign_sorts_by_raw_name),
        cmocka_unit_test(test_eci_sign_many_params_are_sorted),
        cmocka_unit_test(test_eci_sign_region_of_the_caller_wins),
        cmocka_unit_test(test_eci_sign_again_equals_signing_anew),
        cmocka_unit_test(test_eci_sign_again_refuses_what_is_no_form),
        cmocka_unit_test(test_eci_sign_refuses_bad_names),
        cmocka_unit_test(test_eci_sign_passes_on_an_overflowed_list),
        cmocka_unit_test(test_eci_sign_bytes_is_enough_and_less_is_refused),
        cmocka_unit_test(test_eci_sign_escapes_every_byte),
        cmocka_unit_test(test_eci_sign_long_secret_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
