/* How the values of annotations are written: what passes and what does not, form by form. */
#include "table/spec_case.h"

#include "spec/annotation_form.h"

#define N40 "0123456789012345678901234567890123456789"
#define N64 N40 "012345678901234567890123"
#define N128 N64 N64
#define ARN "acs:ram::1234:role/x"

static const struct form_case {
    enum annotation row;
    bool fits;
    const char *text;
} cases[] = {
    {ANNOTATION_SECURITY_GROUP, true, "sg-a,sg-b"},
    {ANNOTATION_SECURITY_GROUP, false, "sg-"},
    {ANNOTATION_SECURITY_GROUP, false, "sg-a b"},
    {ANNOTATION_SECURITY_GROUP, false, "sg-a\"b"},
    {ANNOTATION_SECURITY_GROUP, false, "sg-a\x7f"},
    {ANNOTATION_SECURITY_GROUP, false, "sg-\xc3\xa9"},
    {ANNOTATION_RAM_ROLE, true, "AZaz09._-"},
    {ANNOTATION_RAM_ROLE, false, "["},
    {ANNOTATION_RAM_ROLE, false, "{"},
    {ANNOTATION_RAM_ROLE, false, "@"},
    {ANNOTATION_RAM_ROLE, false, N64 "x"},
    {ANNOTATION_USE_SPECS, true, "2-4Gi"},
    {ANNOTATION_USE_SPECS, false, "2"},
    {ANNOTATION_USE_SPECS, false, "2-4"},
    {ANNOTATION_USE_SPECS, false, "x-4Gi"},
    {ANNOTATION_USE_SPECS, false, "0-4Gi"},
    {ANNOTATION_USE_SPECS, false, "2-xGi"},
    {ANNOTATION_USE_SPECS, false, "2-0Gi"},
    {ANNOTATION_USE_SPECS, false, "2000-4Gi"},
    {ANNOTATION_USE_SPECS, true, "ecs.c6.large"},
    {ANNOTATION_USE_SPECS, false, "ecs.large"},
    {ANNOTATION_USE_SPECS, false, "ecs.c6_large"},
    {ANNOTATION_USE_SPECS, false, "ecs..large"},
    {ANNOTATION_INSTANCE_FAMILY, true, "ecs.c6,ecs.hfg7"},
    {ANNOTATION_INSTANCE_FAMILY, false, "c6"},
    {ANNOTATION_INSTANCE_FAMILY, false, "ecs.c"},
    {ANNOTATION_INSTANCE_FAMILY, false, "ecs.cx"},
    {ANNOTATION_INSTANCE_FAMILY, false, "ecs.c6_"},
    {ANNOTATION_INSTANCE_FAMILY, false, "ecs.x6"},
    {ANNOTATION_INSTANCE_GENERATION, true, "6"},
    {ANNOTATION_INSTANCE_GENERATION, false, "0"},
    {ANNOTATION_INSTANCE_GENERATION, false, "100"},
    {ANNOTATION_INSTANCE_GENERATION, false, "v6"},
    {ANNOTATION_COMPUTE_CATEGORY, true, "economy,general"},
    {ANNOTATION_COMPUTE_CATEGORY, true, "general"},
    {ANNOTATION_COMPUTE_CATEGORY, false, "general,general"},
    {ANNOTATION_COMPUTE_CATEGORY, false, "special"},
    {ANNOTATION_CPU_CORE, true, "64"},
    {ANNOTATION_CPU_CORE, false, "0"},
    {ANNOTATION_CPU_CORE, false, "65"},
    {ANNOTATION_CPU_CORE, false, "-1"},
    {ANNOTATION_CPU_CORE, false, "99999999999999999999"},
    {ANNOTATION_SPOT_PRICE, true, "1"},
    {ANNOTATION_SPOT_PRICE, true, "0.5"},
    {ANNOTATION_SPOT_PRICE, false, "0"},
    {ANNOTATION_SPOT_PRICE, false, "0.0"},
    {ANNOTATION_SPOT_PRICE, false, ".5"},
    {ANNOTATION_SPOT_PRICE, false, "x.5"},
    {ANNOTATION_SPOT_PRICE, false, "1.x"},
    {ANNOTATION_SPOT_PRICE, false, "1."},
    {ANNOTATION_SPOT_PRICE, false, "1.1234567"},
    {ANNOTATION_SPOT_PRICE, false, ""},
    {ANNOTATION_SPOT_FALLBACK, true, "TRUE"},
    {ANNOTATION_SPOT_FALLBACK, true, "false"},
    {ANNOTATION_SPOT_FALLBACK, false, "yes"},
    {ANNOTATION_ACR, true, "cri-a,cn-beijing:cri-b"},
    {ANNOTATION_ACR, false, "cn_beijing:cri-b"},
    {ANNOTATION_ACR, false, ":cri-b"},
    {ANNOTATION_ACR, false, "cn-beijing:b"},
    {ANNOTATION_ACR_USER_ARN, true, ARN},
    {ANNOTATION_ACR_USER_ARN, false, "acs:oss::1:role/x"},
    {ANNOTATION_ACR_USER_ARN, false, "acs:ram::1:user/x"},
    {ANNOTATION_ACR_USER_ARN, false, ARN " y"},
    {ANNOTATION_INSECURE_REGISTRY, true, "10.0.0.1,a.b:5000,*.example.com,x_y"},
    {ANNOTATION_INSECURE_REGISTRY, false, "a.b:0"},
    {ANNOTATION_INSECURE_REGISTRY, false, "a.b:65536"},
    {ANNOTATION_INSECURE_REGISTRY, false, "a.b:x"},
    {ANNOTATION_INSECURE_REGISTRY, false, "-a"},
    {ANNOTATION_INSECURE_REGISTRY, false, ".a"},
    {ANNOTATION_INSECURE_REGISTRY, false, "a/b"},
    {ANNOTATION_INSECURE_REGISTRY, false, ":80"},
    {ANNOTATION_EIP_BANDWIDTH, true, "5M"},
    {ANNOTATION_EIP_BANDWIDTH, true, "2000"},
    {ANNOTATION_EIP_BANDWIDTH, false, "M"},
    {ANNOTATION_EIP_BANDWIDTH, false, "2001"},
    {ANNOTATION_EIP_ISP, true, "bpg"},
    {ANNOTATION_EIP_ISP, true, "BGP_PRO"},
    {ANNOTATION_EIP_ISP, false, "ISP"},
    {ANNOTATION_PRIVATE_IP, true, "10.0.0.1"},
    {ANNOTATION_PRIVATE_IP, false, "::1"},
    {ANNOTATION_PRIVATE_IP, false, "10.0.0"},
    {ANNOTATION_INGRESS, true, "40M"},
    {ANNOTATION_INGRESS, true, "1TB"},
    {ANNOTATION_INGRESS, true, "7"},
    {ANNOTATION_INGRESS, false, "0"},
    {ANNOTATION_INGRESS, false, "M"},
    {ANNOTATION_INGRESS, false, "1X"},
    {ANNOTATION_INGRESS, false, "9999999999T"},
    {ANNOTATION_INGRESS, false, "99999999999999999999"},
    {ANNOTATION_EXTRA_STORAGE, true, "50Gi"},
    {ANNOTATION_EXTRA_STORAGE, true, "1"},
    {ANNOTATION_EXTRA_STORAGE, false, "0"},
    {ANNOTATION_EXTRA_STORAGE, false, "x"},
    {ANNOTATION_EXTRA_STORAGE, false, "5001Gi"},
    {ANNOTATION_CORE_PATTERN, true, "/pod/core"},
    {ANNOTATION_CORE_PATTERN, true, "core"},
    {ANNOTATION_CORE_PATTERN, false, "|/bin/sh"},
    {ANNOTATION_CORE_PATTERN, false, "/a\nb"},
    {ANNOTATION_CORE_PATTERN, false, "/" N128},
    {ANNOTATION_CUSTOM_TAGS, true, "a:b, c:"},
    {ANNOTATION_CUSTOM_TAGS, false, "a"},
    {ANNOTATION_CUSTOM_TAGS, false, ":b"},
    {ANNOTATION_CUSTOM_TAGS, false, " :b"},
    {ANNOTATION_CUSTOM_TAGS, false, "a:b,a:c"},
    {ANNOTATION_CUSTOM_TAGS, false, "ClusterId:x"},
    {ANNOTATION_CUSTOM_TAGS, false, "aliyun-x:y"},
    {ANNOTATION_CUSTOM_TAGS, false, "x:acs:y"},
    {ANNOTATION_CUSTOM_TAGS, false, "x:http://y"},
    {ANNOTATION_CUSTOM_TAGS, false, N128 "x:y"},
    {ANNOTATION_CUSTOM_TAGS, false, "x:" N128 "y"},
    {ANNOTATION_CUSTOM_HOSTS, true, "[{'host':'a.b','ip':'10.0.0.1'}]"},
    {ANNOTATION_CUSTOM_HOSTS, false, "{}"},
    {ANNOTATION_CUSTOM_HOSTS, false, "["},
    {ANNOTATION_CUSTOM_HOSTS, false, "[]"},
    {ANNOTATION_CUSTOM_HOSTS, false, "[{'host':'a b','ip':'10.0.0.1'}]"},
    {ANNOTATION_CUSTOM_HOSTS, false, "[{'host':'a','ip':'x'}]"},
    {ANNOTATION_CUSTOM_HOSTS, false, "[{'host':'" N128 N128 "','ip':'10.0.0.1'}]"},
    {ANNOTATION_HOST_SYSCTLS, true, "[{'name':'net.core.somaxconn','value':'1'}]"},
    {ANNOTATION_HOST_SYSCTLS, false, "{}"},
    {ANNOTATION_HOST_SYSCTLS, false, "[]"},
    {ANNOTATION_HOST_SYSCTLS, false, "[{'name':'a b.c','value':'1'}]"},
    {ANNOTATION_HOST_SYSCTLS, false, "[{'name':'abc','value':'1'}]"},
    {ANNOTATION_HOST_SYSCTLS, false, "[{'name':'.abc','value':'1'}]"},
    {ANNOTATION_HOST_SYSCTLS, false, "[{'name':'a.c','value':''}]"},
    {ANNOTATION_HOST_SYSCTLS, false, "[{'name':'a." N128 N128 N128 N128 "','value':'1'}]"},
    {ANNOTATION_HOST_SYSCTLS, false, "[{'name':'a.b','value':'" N128 N128 N128 N128 "x'}]"},
    {ANNOTATION_CUSTOM_DNS, true,
     "{'nameservers':'1.1.1.1, ::1','searches':'a.b','options':'x:1'}"},
    {ANNOTATION_CUSTOM_DNS, false, "[]"},
    {ANNOTATION_CUSTOM_DNS, false, "{'servers':'1.1.1.1'}"},
    {ANNOTATION_CUSTOM_DNS, false, "{'nameservers':''}"},
    {ANNOTATION_CUSTOM_DNS, false, "{'nameservers':'x'}"},
    {ANNOTATION_CUSTOM_DNS, false, "{'nameservers':'1.1.1.1','searches':'a b'}"},
    {ANNOTATION_CUSTOM_DNS, false, "{'nameservers':'1.1.1.1','options':'a b'}"},
    {ANNOTATION_CLUSTERIP_READY, true, "anything"},
};

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
        struct annotation_value value = {.text = case_json("%s", cases[i].text)};
        const struct annotation_row *row = annotation_row(cases[i].row);
        if (annotation_form_fits(row, &arena, &value) != cases[i].fits) {
            fail_msg("%s: \"%s\" %s", row->key, cases[i].text,
                     cases[i].fits ? "is refused" : "passes");
        }
    }
}

/* JSON can hold it, no value may. */
static void test_forms_with_a_zero_byte(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    struct annotation_value value = {.text = str_make("a\0b", 3)};
    assert_false(annotation_form_fits(annotation_row(ANNOTATION_RAM_ROLE), &arena, &value));
    value.text = str_make("a", 1);
    assert_true(annotation_form_fits(annotation_row(ANNOTATION_RAM_ROLE), &arena, &value));
}

static void test_words_are_spelt_as_the_cloud_does(void **state)
{
    (void)state;
    static const struct {
        enum annotation row;
        const char *text;
        const char *becomes;
    } words[] = {
        {ANNOTATION_EIP_ISP, "bgp", "BGP"},
        {ANNOTATION_EIP_ISP, "bpg", "BGP"}, /* as one page of the cloud has it */
        {ANNOTATION_EIP_ISP, "bgp_pro", "BGP_PRO"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct arena arena;
        arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
        struct annotation_value value = {.text = str_of(words[i].text)};
        assert_true(annotation_form_fits(annotation_row(words[i].row), &arena, &value));
        assert_true(str_eq(value.text, str_of(words[i].becomes)));
    }
}

static void test_size_of_nothing(void **state)
{
    (void)state;
    struct sizing size = {0};
    assert_false(annotation_spec_size(STR_NONE, &size));
    assert_true(annotation_spec_size(S("1.5-3Gi"), &size));
    assert_int_equal(size.cpu_milli, 1500);
    assert_int_equal(size.memory_bytes, 3 * SIZING_GIB);
}

/* Nothing is decided with a full arena: the caller asks it, and tries again. */
static void test_forms_in_no_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena none;
        arena_init(&none, NULL, 0);
        struct annotation_value value = {.text = case_json("%s", cases[i].text)};
        bool fits = annotation_form_fits(annotation_row(cases[i].row), &none, &value);
        assert_true(fits || !cases[i].fits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_forms_with_a_zero_byte),
        cmocka_unit_test(test_words_are_spelt_as_the_cloud_does),
        cmocka_unit_test(test_size_of_nothing),
        cmocka_unit_test(test_forms_in_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
