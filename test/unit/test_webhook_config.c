/* The MutatingWebhookConfiguration of a profile. */
#include "unit.h"

#include "admit/webhook_config.h"
#include "data/json_read.h"

static char memory[4 << 20], out_memory[WEBHOOK_CONFIG_BYTES];
static struct arena arena;
static struct profile profile;
static struct buf out;
static const struct webhook_place gateway = {
    .url = S("https://192.0.2.1:8443"), .ca_pem = S("PEM"), .is_v1 = true, .node = S("vk-1")};

static json put(const struct webhook_place *place, uint32_t *left_out)
{
    json root = JSON_NONE;
    struct json_fault fault = {0};
    buf_init(&out, out_memory, sizeof out_memory);
    webhook_config_put(&profile, place, &out, left_out);
    assert_true(buf_ok(&out));
    if (json_parse(buf_str(&out), &arena, &root, &fault) != ERR_OK) {
        fail_msg("%u: %s: %.*s", fault.column, fault.what, STR_ARG(buf_str(&out)));
    }
    return root;
}

static void use(const char *selectors)
{
    static char text[8192];
    struct profile_fault fault;
    struct buf data;
    json root;
    arena_init(&arena, memory, sizeof memory);
    buf_init(&data, text, sizeof text);
    buf_put_text(&data, "{\"selectors\":\"");
    for (const char *c = selectors; *c != '\0'; c++) {
        buf_put(&data, *c == '\'' ? S("\\\"") : str_make(c, 1));
    }
    buf_put_text(&data, "\"}");
    assert_int_equal(json_parse(buf_str(&data), &arena, &root, NULL), ERR_OK);
    assert_int_equal(profile_read(root, &arena, &profile, &fault, NULL), ERR_OK);
}

static json webhook(json config, uint32_t at)
{
    json one = json_first(json_get(config, "webhooks"));
    while (at-- > 0) {
        one = json_next(one);
    }
    return one;
}

#define TEXT(value) json_text((value), &arena)

static void test_webhook_config_of_the_defaults(void **state)
{
    (void)state;
    uint32_t left_out = 9;
    use("");
    json config = put(&gateway, &left_out);
    assert_int_equal(left_out, 0);
    assert_int_equal(json_count(json_get(config, "webhooks")), 6);
    json one = webhook(config, 0);
    assert_text(TEXT(json_get(one, "name")), "default-selector-1.vk-webhook.eci.aliyun.com");
    assert_text(TEXT(json_get(json_get(one, "clientConfig"), "url")),
                "https://192.0.2.1:8443/inject/default-selector-1");
    assert_text(TEXT(json_get(json_get(one, "clientConfig"), "caBundle")), "UEVN");
    assert_text(json_raw(json_get(one, "objectSelector")),
                "{\"matchLabels\":{\"alibabacloud.com/eci\":\"true\"},\"matchExpressions\":[]}");
    assert_text(TEXT(json_get(one, "failurePolicy")), "Ignore");
    assert_text(
        json_raw(json_get(json_get(webhook(config, 4), "namespaceSelector"), "matchLabels")),
        "{\"virtual-node-affinity-injection\":\"enabled\"}");
    json any = webhook(config, 5);
    assert_text(TEXT(json_get(any, "name")), "burst-resource.any.vk-webhook.eci.aliyun.com");
    assert_text(TEXT(json_get(json_get(any, "clientConfig"), "url")),
                "https://192.0.2.1:8443/inject");
    assert_int_equal(json_i64_or(json_get(any, "timeoutSeconds"), 0), WEBHOOK_TIMEOUT_ANY_S);
    assert_true(str_find(json_raw(json_get(any, "namespaceSelector")), S("kube-system")) > 0);
}

static void test_webhook_config_of_expressions_and_odd_names(void **state)
{
    (void)state;
    uint32_t left_out;
    str name;
    use("[{'name':'My Job_','objectSelector':{'matchLabels':{'a':'1'},'matchExpressions':["
        "{'key':'a','operator':'In','values':['2']},"
        "{'key':'b','operator':'NotIn','values':['3','4']},"
        "{'key':'c','operator':'Exists'}]}},"
        "{'name':'my-job','objectSelector':{'matchLabels':{'a':'1'}}},"
        "{'name':'\xe4\xbd\xa0','objectSelector':{'matchLabels':{'a':'1'}}},"
        "{'name':'effect','effect':{'labels':{'x':'y'}}}]");
    json config = put(&gateway, &left_out);
    assert_int_equal(json_count(json_get(config, "webhooks")), 4);
    str odd = TEXT(json_get(webhook(config, 0), "name")), rest = odd, hash;
    assert_true(str_starts(odd, S("my-job.")));
    assert_true(str_cut(&rest, '.', &hash) && str_cut(&rest, '.', &hash));
    assert_int_equal(hash.bytes, 16);
    assert_text(rest, "vk-webhook.eci.aliyun.com");
    assert_text(TEXT(json_get(webhook(config, 1), "name")), "my-job.vk-webhook.eci.aliyun.com");
    assert_true(str_starts(TEXT(json_get(webhook(config, 2), "name")), S("s.")));
    assert_text(json_raw(json_get(webhook(config, 0), "objectSelector")),
                "{\"matchLabels\":{\"a\":\"1\"},\"matchExpressions\":["
                "{\"key\":\"b\",\"operator\":\"NotIn\",\"values\":[\"3\",\"4\"]},"
                "{\"key\":\"c\",\"operator\":\"Exists\"},"
                "{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"2\"]}]}");
    json notes = json_get(json_get(config, "metadata"), "annotations");
    assert_text(TEXT(json_get(notes, WEBHOOK_OTHERS_ANNOTATION)), "effect");
    char path[128], segment[WEBHOOK_SEGMENT_BYTES];
    webhook_segment(&profile, 0, segment);
    (void)snprintf(path, sizeof path, "/inject/%s", segment);
    assert_true(webhook_selector_of(&profile, str_of(path), &name));
    assert_text(name, "My Job_");
    assert_true(webhook_selector_of(&profile, S("/inject/my-job"), &name));
    assert_text(name, "my-job");
    assert_true(webhook_selector_of(&profile, S("/inject/effect"), &name));
    assert_text(name, "");
    assert_true(webhook_selector_of(&profile, S("/inject"), &name));
    assert_text(name, "");
    assert_false(webhook_selector_of(&profile, S("/injection"), &name));
    assert_false(webhook_selector_of(&profile, S("/"), &name));
}

/* The API server may ask by the names of before. */
static void test_webhook_config_a_path_means_the_same_selector_after_an_edit(void **state)
{
    (void)state;
    char before[WEBHOOK_SEGMENT_BYTES], path[128];
    str name;
    use("[{'name':'My Job','objectSelector':{'matchLabels':{'a':'1'}}},"
        "{'name':'my_job','objectSelector':{'matchLabels':{'a':'2'}}}]");
    webhook_segment(&profile, 0, before);
    (void)snprintf(path, sizeof path, "/inject/%s", before);
    use("[{'name':'my_job','objectSelector':{'matchLabels':{'a':'2'}}},"
        "{'name':'My Job','objectSelector':{'matchLabels':{'a':'1'}}}]");
    assert_true(webhook_selector_of(&profile, str_of(path), &name));
    assert_text(name, "My Job");
    use("[{'name':'my_job','objectSelector':{'matchLabels':{'a':'2'}}}]");
    assert_true(webhook_selector_of(&profile, str_of(path), &name));
    assert_text(name, "");
}

static void test_webhook_config_of_a_change_depends_on_the_version(void **state)
{
    (void)state;
    uint32_t left_out;
    struct webhook_place changed = gateway;
    use("");
    json metadata = json_get(put(&gateway, &left_out), "metadata");
    assert_false(json_is_there(json_get(metadata, "resourceVersion")));
    changed.version = S("12");
    metadata = json_get(put(&changed, &left_out), "metadata");
    assert_text(TEXT(json_get(metadata, "resourceVersion")), "12");
    assert_true(str_find(json_raw(metadata), S("\"" WEBHOOK_OTHERS_ANNOTATION "\":null")) > 0);
    assert_true(str_find(json_raw(metadata), S("\"" WEBHOOK_WAITS_ANNOTATION "\":null")) > 0);
}

static void test_webhook_config_for_old_servers_and_services(void **state)
{
    (void)state;
    const struct webhook_place service = {.ca_pem = S("PEM")};
    uint32_t left_out;
    use("");
    json config = put(&service, &left_out);
    assert_int_equal(left_out, 2);
    assert_int_equal(json_count(json_get(config, "webhooks")), 4);
    assert_text(TEXT(json_get(config, "apiVersion")), "admissionregistration.k8s.io/v1beta1");
    json notes = json_get(json_get(config, "metadata"), "annotations");
    assert_text(TEXT(json_get(notes, WEBHOOK_OTHERS_ANNOTATION)),
                "default-selector-1, default-selector-2");
    assert_text(TEXT(json_get(notes, WEBHOOK_PLACE_ANNOTATION)), WEBHOOK_PLACE_SERVICE);
    assert_text(json_raw(json_get(json_get(webhook(config, 0), "clientConfig"), "service")),
                "{\"namespace\":\"kube-system\",\"name\":\"vk-webhook\","
                "\"path\":\"/inject/default-selector-3\",\"port\":443}");
}

static void hash_of(char to[static 80])
{
    uint32_t left_out;
    json config = put(&gateway, &left_out);
    json annotations = json_get(json_get(config, "metadata"), "annotations");
    assert_true(str_copy(to, 80, TEXT(json_get(annotations, WEBHOOK_HASH_ANNOTATION))));
}

static void test_webhook_config_has_a_hash_of_what_it_says(void **state)
{
    (void)state;
    char first[80], second[80], third[80], fourth[80];
    use("");
    hash_of(first);
    hash_of(second);
    assert_string_equal(first, second);
    use("[{'name':'a','objectSelector':{'matchLabels':{'a':'1'}}}]");
    hash_of(third);
    assert_string_not_equal(first, third);
    use("[{'name':'a','objectSelector':{'matchLabels':{'a':'1'}}},"
        "{'name':'effect','effect':{'labels':{'x':'y'}}}]");
    hash_of(fourth);
    assert_string_not_equal(third, fourth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_webhook_config_of_the_defaults),
        cmocka_unit_test(test_webhook_config_of_expressions_and_odd_names),
        cmocka_unit_test(test_webhook_config_a_path_means_the_same_selector_after_an_edit),
        cmocka_unit_test(test_webhook_config_of_a_change_depends_on_the_version),
        cmocka_unit_test(test_webhook_config_for_old_servers_and_services),
        cmocka_unit_test(test_webhook_config_has_a_hash_of_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
