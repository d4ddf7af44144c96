/* see object.h */
#include "unit.h"

#include "kube/object.h"

static char memory[4096];
static char arena_memory[1 << 16];
static struct buf out;
static struct arena arena;

static int start(void **state)
{
    (void)state;
    buf_init(&out, memory, sizeof memory);
    arena_init(&arena, arena_memory, sizeof arena_memory);
    return 0;
}

static void test_paths(void **state)
{
    static const struct {
        enum kube_kind kind;
        const char *name_space, *name, *sub, *path;
    } rows[] = {
        {KUBE_POD, "", "", "", "/api/v1/pods"},
        {KUBE_POD, "web", "", "", "/api/v1/namespaces/web/pods"},
        {KUBE_POD, "web", "nginx", "status", "/api/v1/namespaces/web/pods/nginx/status"},
        {KUBE_NODE, "ignored", "vk", "status", "/api/v1/nodes/vk/status"},
        {KUBE_NAMESPACE, "", "web", "", "/api/v1/namespaces/web"},
        {KUBE_LEASE, "kube-node-lease", "vk", "",
         "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/vk"},
        {KUBE_LEASE_BETA, "n", "", "", "/apis/coordination.k8s.io/v1beta1/namespaces/n/leases"},
        {KUBE_TOKEN_REVIEW, "", "", "", "/apis/authentication.k8s.io/v1/tokenreviews"},
        {KUBE_PROFILE, "", "p", "", "/apis/eci.aliyun.com/v1beta1/eciprofiles/p"},
        {KUBE_POD, "a/../b", "x?y=z", "", "/api/v1/namespaces/a%2F..%2Fb/pods/x%3Fy%3Dz"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_clear(&out);
        kube_put_path(&out, rows[i].kind, str_of(rows[i].name_space), str_of(rows[i].name),
                      str_of(rows[i].sub));
        assert_text(buf_str(&out), rows[i].path);
    }
}

static void test_each_kind_has_a_whole_row(void **state)
{
    (void)state;
    for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
        const struct kube_kind_row *row = kube_kind_row((enum kube_kind)kind);
        assert_non_null(row->api_version);
        assert_true(strlen(row->resource) > 3);
        assert_true(row->kind[0] >= 'A' && row->kind[0] <= 'Z');
    }
}

static void test_queries(void **state)
{
    (void)state;
    buf_put_text(&out, "/api/v1/pods");
    kube_put_query(&out, "fieldSelector", S("spec.nodeName=a b&c"));
    kube_put_query(&out, "limit", S("5"));
    assert_text(buf_str(&out), "/api/v1/pods?fieldSelector=spec.nodeName%3Da%20b%26c&limit=5");
}

static void test_delete_options(void **state)
{
    (void)state;
    kube_put_delete_options(&out, S("u-1"), 0);
    assert_text(buf_str(&out), "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\","
                               "\"gracePeriodSeconds\":0,\"preconditions\":{\"uid\":\"u-1\"}}");
    buf_clear(&out);
    kube_put_delete_options(&out, STR_NONE, -1);
    assert_text(buf_str(&out), "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\"}");
}

static void test_patches_with_preconditions(void **state)
{
    static const struct {
        const char *uid, *version, *text;
    } rows[] = {
        {"", "", "{\"status\":{}}"},
        {"u", "", "{\"metadata\":{\"uid\":\"u\"},\"status\":{}}"},
        {"", "7", "{\"metadata\":{\"resourceVersion\":\"7\"},\"status\":{}}"},
        {"u", "7", "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"7\"},\"status\":{}}"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct json_write w;
        buf_clear(&out);
        json_write_init(&w, &out);
        kube_open_patch(&w, str_of(rows[i].uid), str_of(rows[i].version));
        json_member_object(&w, "status");
        json_end(&w);
        json_end(&w);
        assert_true(json_write_ok(&w));
        assert_text(buf_str(&out), rows[i].text);
    }
}

static void test_metadata(void **state)
{
    struct kube_meta meta;
    json root;
    (void)state;
    assert_int_equal(json_parse(S("{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\",\"uid\":\"c\","
                                  "\"resourceVersion\":\"d\"}}"),
                                &arena, &root, NULL),
                     ERR_OK);
    kube_meta_read(root, &arena, &meta);
    assert_text(meta.name, "a");
    assert_text(meta.name_space, "b");
    assert_text(meta.uid, "c");
    assert_text(meta.resource_version, "d");
    kube_meta_read(JSON_NONE, &arena, &meta);
    assert_text(meta.name, "");
}

static void test_versions(void **state)
{
    static const struct {
        const char *body;
        enum err err;
        int major, minor;
    } rows[] = {
        {"{\"major\":\"1\",\"minor\":\"20\",\"gitVersion\":\"v1.20.2\"}", ERR_OK, 1, 20},
        {"{\"major\":\"1\",\"minor\":\"18+\",\"gitVersion\":\"v1.18.8-aliyun.1\"}", ERR_OK, 1, 18},
        {"{\"major\":\"1\",\"minor\":\"\"}", ERR_BAD_REPLY, 0, 0},
        {"{\"major\":\"1\",\"minor\":\"99999999999\"}", ERR_BAD_REPLY, 0, 0},
        {"{\"major\":1,\"minor\":20}", ERR_BAD_REPLY, 0, 0},
        {"<html>", ERR_BAD_REPLY, 0, 0},
        {"", ERR_BAD_REPLY, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kube_version version;
        assert_int_equal(kube_version_read(str_of(rows[i].body), &arena, &version), rows[i].err);
        if (rows[i].err == ERR_OK) {
            assert_int_equal(version.major, rows[i].major);
            assert_int_equal(version.minor, rows[i].minor);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_paths, start),
        cmocka_unit_test_setup(test_each_kind_has_a_whole_row, start),
        cmocka_unit_test_setup(test_queries, start),
        cmocka_unit_test_setup(test_delete_options, start),
        cmocka_unit_test_setup(test_patches_with_preconditions, start),
        cmocka_unit_test_setup(test_metadata, start),
        cmocka_unit_test_setup(test_versions, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
