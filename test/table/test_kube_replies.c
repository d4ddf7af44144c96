/* see call.h and object.h: what replies of the API server mean */
#include "unit.h"

#include <stdlib.h>

#include "kube/call.h"

static char arena_memory[1 << 16];

static void test_status_and_reason(void **state)
{
    static const struct {
        int status;
        const char *reason;
        enum err err;
    } rows[] = {
        {200, "", ERR_OK},
        {201, "", ERR_OK},
        {202, "", ERR_OK},
        {400, "", ERR_INVALID},
        {400, "BadRequest", ERR_INVALID},
        {401, "", ERR_AUTH},
        {401, "Unauthorized", ERR_AUTH},
        {403, "", ERR_FORBIDDEN},
        {403, "Forbidden", ERR_FORBIDDEN},
        {404, "", ERR_NOT_FOUND},
        {404, "NotFound", ERR_NOT_FOUND},
        {405, "MethodNotAllowed", ERR_INVALID},
        {406, "NotAcceptable", ERR_INVALID},
        {408, "", ERR_TIMEOUT},
        {409, "", ERR_CONFLICT},
        {409, "AlreadyExists", ERR_CONFLICT},
        {409, "Conflict", ERR_CONFLICT},
        {410, "", ERR_GONE},
        {410, "Gone", ERR_GONE},
        {410, "Expired", ERR_GONE},
        {413, "RequestEntityTooLarge", ERR_INVALID},
        {415, "UnsupportedMediaType", ERR_INVALID},
        {422, "", ERR_INVALID},
        {422, "Invalid", ERR_INVALID},
        {429, "", ERR_THROTTLED},
        {429, "TooManyRequests", ERR_THROTTLED},
        {500, "", ERR_SERVER},
        {500, "InternalError", ERR_SERVER},
        {500, "ServerTimeout", ERR_TIMEOUT},
        {502, "", ERR_SERVER},
        {503, "ServiceUnavailable", ERR_SERVER},
        {504, "", ERR_TIMEOUT},
        {504, "Timeout", ERR_TIMEOUT},
        {500, "Expired", ERR_GONE},        /* the reason says more than the status */
        {500, "SomethingNew", ERR_SERVER}, /* unless it is not known */
        {418, "", ERR_INVALID},
        {301, "", ERR_BAD_REPLY},
        {0, "", ERR_BAD_REPLY},
        {0, "Expired", ERR_GONE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum err err = kube_err_of(rows[i].status, str_of(rows[i].reason));
        if (err != rows[i].err) {
            fail_msg("%d %s: %s", rows[i].status, rows[i].reason, err_name(err));
        }
    }
}

/* What the brain gets for a write that was sent. */
static void test_fate_of_writes(void **state)
{
    static const struct {
        int status;
        enum err read, write;
    } rows[] = {
        {200, ERR_OK, ERR_OK},
        {404, ERR_NOT_FOUND, ERR_NOT_FOUND},
        {409, ERR_CONFLICT, ERR_CONFLICT},
        {422, ERR_INVALID, ERR_INVALID},
        {429, ERR_THROTTLED, ERR_THROTTLED},
        {401, ERR_AUTH, ERR_AUTH},
        {500, ERR_SERVER, ERR_LOST_WRITE},
        {504, ERR_TIMEOUT, ERR_LOST_WRITE},
    };
    struct arena arena;
    (void)state;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct http_call call = {.head = {.status = rows[i].status}, .was_sent = true};
        struct kube_status status;
        assert_int_equal(kube_judge(&call, ERR_OK, false, STR_NONE, &arena, &status), rows[i].read);
        assert_int_equal(kube_judge(&call, ERR_OK, true, STR_NONE, &arena, &status), rows[i].write);
    }
}

/* Kubernetes 1.20 calls it an immutable field, newer ones a conflict. */
static void test_patch_of_a_predecessor_is_a_conflict(void **state)
{
    static const char *const bodies[] = {
        "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"Pod \\\"one\\\" is invalid: "
        "metadata.uid: Invalid value: \\\"a\\\": field is immutable\",\"reason\":\"Invalid\","
        "\"details\":{\"name\":\"one\",\"kind\":\"Pod\",\"causes\":[{\"reason\":"
        "\"FieldValueInvalid\",\"message\":\"field is immutable\",\"field\":\"metadata.uid\"}]},"
        "\"code\":422}",
        "{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"Precondition failed: UID in "
        "precondition: a, UID in object meta: b\",\"code\":409}",
    };
    static const int codes[] = {422, 409};
    struct arena arena;
    (void)state;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct http_call call = {.head = {.status = codes[i]}, .was_sent = true};
        struct kube_status status;
        assert_int_equal(kube_judge(&call, ERR_OK, true, str_of(bodies[i]), &arena, &status),
                         ERR_CONFLICT);
        arena_clear(&arena);
    }
}

static void test_words_for_people(void **state)
{
    struct arena arena;
    struct kube_status status = {.reason = S("Forbidden"), .message = S("no")};
    const struct kube_status none = {0};
    struct http_call call = {.head = {.status = 403}};
    struct http_call lost = {.why = "connect 10.0.0.1:6443: refused"};
    (void)state;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    assert_text(kube_why(&call, ERR_OK, &status, &arena), "");
    assert_text(kube_why(&call, ERR_FORBIDDEN, &status, &arena), "403 Forbidden: no");
    assert_text(kube_why(&call, ERR_FORBIDDEN, &none, &arena),
                "HTTP status 403: not permitted (403 or a missing permission)");
    assert_text(kube_why(&lost, ERR_REFUSED_CONN, &none, &arena), "connect 10.0.0.1:6443: refused");
    arena_init(&arena, NULL, 0); /* never nothing */
    assert_text(kube_why(&call, ERR_FORBIDDEN, &status, &arena),
                "not permitted (403 or a missing permission)");
}

static const char status_text[] =
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{\"reason\":\"not this\"},\"status\":"
    "\"Failure\",\"message\":\"pods \\\"a\\\" not found\",\"reason\":\"NotFound\",\"details\":{"
    "\"name\":\"a\",\"kind\":\"pods\",\"retryAfterSeconds\":3},\"code\":404}";

static void test_status_whole_and_cut_anywhere(void **state)
{
    struct arena arena;
    struct kube_status status;
    (void)state;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    kube_status_read(str_of(status_text), &arena, &status);
    assert_text(status.reason, "NotFound");
    assert_text(status.message, "pods \"a\" not found");
    assert_text(status.kind, "pods");
    assert_int_equal(status.code, 404);
    assert_int_equal(status.retry_after_s, 3);
    for (size_t bytes = 0; bytes < sizeof status_text - 1; bytes++) {
        char *copy = malloc(bytes + 1); /* its end is where the sanitizer watches */
        memcpy(copy, status_text, bytes);
        kube_status_read(str_make(copy, bytes), &arena, &status);
        assert_true(str_is_empty(status.reason) || str_eq(status.reason, S("NotFound")));
        assert_true(str_is_empty(status.kind) || str_eq(status.kind, S("pods")));
        assert_true(str_is_empty(status.reason) || bytes > 130);
        free(copy);
        arena_clear(&arena);
    }
    kube_status_read(S("404 page not found\n"), &arena, &status);
    assert_text(status.reason, "");
    kube_status_read(S("{\"kind\":\"Pod\",\"reason\":\"NotFound\"}"), &arena, &status);
    assert_text(status.reason, "");
}

/* Only the API server's word about this very pod is proof that it is gone: not the page of a proxy,
 * not a missing resource or namespace, not something else that is JSON. */
static void test_absence_needs_proof(void **state)
{
#define MISSING(kind, name) \
    "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"NotFound\",\"message\":\"m\"," \
    "\"details\":{\"name\":\"" name "\",\"kind\":\"" kind "\"},\"code\":404}"
#define OBJECT(kind, name, uid) \
    "{\"kind\":\"" kind "\",\"metadata\":{\"name\":\"" name "\",\"uid\":\"" uid "\"}}"
    static const struct {
        int status;
        const char *body;
        enum err err;
    } rows[] = {
        {404, MISSING("pods", "a"), ERR_NOT_FOUND},
        {404, MISSING("pods", "b"), ERR_BAD_REPLY},
        {404, MISSING("namespaces", "a"), ERR_BAD_REPLY},
        {404, "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"details\":{}}", ERR_BAD_REPLY},
        {404, "{\"message\":\"no Route matched with those values\"}", ERR_BAD_REPLY},
        {404, "404 page not found\n", ERR_BAD_REPLY},
        {404, "<html><h1>404 Not Found</h1><hr>nginx</html>", ERR_BAD_REPLY},
        {404, "", ERR_BAD_REPLY},
        {502, MISSING("pods", "a"), ERR_BAD_REPLY},
        {503, "", ERR_SERVER},
        {200, OBJECT("Pod", "a", "u-1"), ERR_OK},
        {200, OBJECT("Pod", "a", "u-2"), ERR_NOT_FOUND},
        {200, OBJECT("Pod", "a", ""), ERR_BAD_REPLY},
        {200, OBJECT("Pod", "b", "u-2"), ERR_BAD_REPLY},
        {200, OBJECT("Status", "a", "u-2"), ERR_BAD_REPLY},
        {200, "{}", ERR_BAD_REPLY},
        {200, "<html>sign in</html>", ERR_BAD_REPLY},
    };
#undef MISSING
#undef OBJECT
    struct arena arena;
    (void)state;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct http_call call = {.head = {.status = rows[i].status}};
        struct kube_reply reply = {.status = rows[i].status, .body = str_of(rows[i].body)};
        json object;
        reply.err = kube_judge(&call, ERR_OK, false, reply.body, &arena, &reply.why_status);
        enum err err = kube_read_one(&reply, KUBE_POD, S("a"), S("u-1"), &arena, &object);
        if (err != rows[i].err) {
            fail_msg("%d %s: %s", rows[i].status, rows[i].body, err_name(err));
        }
        assert_int_equal(kube_is_absent(&reply, KUBE_POD, S("a")), i == 0);
        arena_clear(&arena);
    }
}

/* ---- a glance at metadata -------------------------------------------------------------------- */

static const char event_text[] =
    "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"labels\":{\"name\":\"no\","
    "\"uid\":\"no\"},\"name\":\"web-1\",\"namespace\":\"shop\",\"uid\":\"u-1\",\"finalizers\":["
    "\"name\",\"x\"],\"resourceVersion\":\"77\"},\"spec\":{\"name\":\"no\",\"metadata\":{\"name\":"
    "\"no\"}}}}";

static void test_glance_at_each_length(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < sizeof event_text; bytes++) {
        char *copy = malloc(bytes + 1);
        struct kube_meta meta;
        memcpy(copy, event_text, bytes);
        kube_meta_glance(str_make(copy, bytes), &meta);
        assert_true(str_is_empty(meta.name) || str_eq(meta.name, S("web-1")));
        assert_true(str_is_empty(meta.name_space) || str_eq(meta.name_space, S("shop")));
        assert_true(str_is_empty(meta.uid) || str_eq(meta.uid, S("u-1")));
        assert_true(str_is_empty(meta.resource_version) || str_eq(meta.resource_version, S("77")));
        if (bytes == sizeof event_text - 1) {
            assert_text(meta.resource_version, "77");
            assert_text(kube_type_glance(str_make(copy, bytes)), "MODIFIED");
        }
        free(copy);
    }
}

static void test_glance_at_odd_texts(void **state)
{
    static const struct {
        const char *text, *name;
    } rows[] = {
        {"", ""},
        {"{\"metadata\":{\"name\":\"a\"}}", "a"},
        {"{\"spec\":{\"metadata\":{\"name\":\"a\"}}}", ""},
        {"{\"metadata\":{\"name\":\"a\\\"b\"}}", ""}, /* names have no escapes */
        {"{\"metadata\":{\"name\":7,\"uid\":\"u\"}}", ""},
        {"{\"metadata\":{\"name\":{\"name\":\"a\"}}}", ""},
        {"]]]]}}}}{\"metadata\":{\"name\":\"a\"}}", "a"},
        {"{\"metadata\" : \n{ \"name\"\t:\"a\"", "a"},
        {"{\"metadata\":{\"x\":\"\\", ""},
        {"[[[[[[[[{\"metadata\":{\"name\":\"a\"}}", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kube_meta meta;
        kube_meta_glance(str_of(rows[i].text), &meta);
        assert_text(meta.name, rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_and_reason),
        cmocka_unit_test(test_fate_of_writes),
        cmocka_unit_test(test_patch_of_a_predecessor_is_a_conflict),
        cmocka_unit_test(test_words_for_people),
        cmocka_unit_test(test_status_whole_and_cut_anywhere),
        cmocka_unit_test(test_absence_needs_proof),
        cmocka_unit_test(test_glance_at_each_length),
        cmocka_unit_test(test_glance_at_odd_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
