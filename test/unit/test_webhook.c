/* AdmissionReview in and out. */
#include "unit.h"

#include "admit/webhook.h"
#include "base/codec.h"

static char memory[256 * 1024], out_memory[8192];
static struct arena arena;
static struct webhook_review review;

static enum err read_review(const char *text)
{
    static char copy[8192];
    size_t bytes = strlen(text);
    assert_true(bytes < sizeof copy);
    for (size_t i = 0; i < bytes; i++) {
        copy[i] = text[i] == '\'' ? '"' : text[i];
    }
    arena_init(&arena, memory, sizeof memory);
    return webhook_read(str_make(copy, bytes), &arena, &review);
}

#define REVIEW(version, members)                                                                 \
    "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/" version "','request':{" members \
    "}}"
#define POD_CREATE \
    "'uid':'u-1','kind':{'group':'','version':'v1','kind':'Pod'},'namespace':'web','operation':"

static void test_webhook_reads_both_versions(void **state)
{
    (void)state;
    static const char *const versions[] = {
        REVIEW("v1", POD_CREATE "'CREATE','dryRun':true,'object':{'metadata':{'name':'p'}}"),
        REVIEW("v1beta1", POD_CREATE "'CREATE','object':{'metadata':{'name':'p'}}")};
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        assert_int_equal(read_review(versions[i]), ERR_OK);
        assert_text(review.api_version,
                    i == 0 ? "admission.k8s.io/v1" : "admission.k8s.io/v1beta1");
        assert_text(review.uid, "u-1");
        assert_text(review.name_space, "web");
        assert_true(review.is_pod_create);
        assert_text(json_text(json_get(json_get(review.pod, "metadata"), "name"), &arena), "p");
    }
}

static void test_webhook_lets_other_requests_pass(void **state)
{
    (void)state;
    static const char *const others[] = {
        REVIEW("v1", POD_CREATE "'UPDATE','object':{}"),
        REVIEW("v1", POD_CREATE "'CREATE','subResource':'binding','object':{}"),
        REVIEW("v1", "'uid':'u','kind':{'group':'apps','kind':'Pod'},'operation':'CREATE'"),
        REVIEW("v1", "'uid':'u','kind':{'group':'','kind':'Service'},'operation':'CREATE'"),
        REVIEW("v1", "'uid':'u'"),
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_int_equal(read_review(others[i]), ERR_OK);
        assert_false(review.is_pod_create);
        assert_false(json_is_there(review.pod));
    }
}

static void test_webhook_an_empty_sub_resource_is_none(void **state)
{
    (void)state;
    const char *const same[] = {
        REVIEW("v1", POD_CREATE "'CREATE','subResource':'','object':{}"),
        REVIEW("v1", POD_CREATE "'CREATE','subResource':null,'object':{}"),
    };
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        assert_int_equal(read_review(same[i]), ERR_OK);
        assert_true(review.is_pod_create);
        assert_true(json_is_there(review.pod));
    }
}

static void test_webhook_refuses_what_is_no_review(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        REVIEW("v2", POD_CREATE "'CREATE'"),
        REVIEW("v1", "'operation':'CREATE'"),
        REVIEW("v1", "'uid':7"),
        "{'kind':'Review','apiVersion':'admission.k8s.io/v1','request':{'uid':'u'}}",
        "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1','request':[]}",
        "{'kind':'AdmissionReview','apiVersion':'admission.k8s.io/v1','response':{'uid':'u'}}",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(read_review(bad[i]), ERR_BAD_INPUT);
    }
    struct arena tiny;
    arena_init(&tiny, memory, 32);
    assert_int_equal(webhook_read(S("{\"a\":{\"b\":[1,2,3]}}"), &tiny, &review), ERR_FULL);
}

static void test_webhook_answers(void **state)
{
    (void)state;
    struct buf out;
    const str warnings[] = {S("a \"b\""), S("c")};
    assert_int_equal(read_review(REVIEW("v1", "'uid':'u-1'")), ERR_OK);
    buf_init(&out, out_memory, sizeof out_memory);
    webhook_put_answer(&review, STR_NONE, NULL, 0, &out);
    assert_text(buf_str(&out),
                "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\","
                "\"response\":{\"uid\":\"u-1\",\"allowed\":true}}");
    buf_clear(&out);
    webhook_put_answer(&review, S("[{}]"), warnings, 2, &out);
    assert_text(buf_str(&out),
                "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\","
                "\"response\":{\"uid\":\"u-1\",\"allowed\":true,\"patchType\":"
                "\"JSONPatch\",\"patch\":\"W3t9XQ==\",\"warnings\":"
                "[\"a \\\"b\\\"\",\"c\"]}}");
    buf_init(&out, out_memory, 100);
    webhook_put_answer(&review, S("[{}]"), warnings, 2, &out);
    assert_false(buf_ok(&out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_webhook_reads_both_versions),
        cmocka_unit_test(test_webhook_lets_other_requests_pass),
        cmocka_unit_test(test_webhook_an_empty_sub_resource_is_none),
        cmocka_unit_test(test_webhook_refuses_what_is_no_review),
        cmocka_unit_test(test_webhook_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
