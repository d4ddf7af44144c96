/* service_env.c: lists of services in pages, and what is kept of one. The variables themselves are
 * in table/test_spec_fields.c. */
#include "table/spec_case.h"

#include "spec/service_env.h"

static struct spec_refs refs;

/* One page after the other makes the same variables as one list; of a list that is not whole none
 * are made. */
static void test_pages_of_services(void **state)
{
    static const struct {
        const char *last; /* what the second page says of a third */
        enum spec_ref_state second;
        uint32_t variables; /* a: HOST, two of the port's number, Docker's five; b: HOST */
        const char *remark;
    } rows[] = {
        {"", SPEC_REF_FOUND, 9, ""},
        {"more", SPEC_REF_FOUND, 0, "left out: the namespace has more services than can be read"},
        {"", SPEC_REF_DENIED, 0, "left out, they cannot be read: why not"},
        {"", SPEC_REF_FAILED, 0, "the services cannot be read: why not"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct pod_spec out;
        char second[256];

        case_begin(&arena, &verdict);
        refs.count = 0;
        snprintf(second, sizeof second,
                 "{'metadata':{'continue':'%s'},'items':[{'metadata':{'name':'b'},'spec':"
                 "{'clusterIP':'10.0.0.2'}}]}",
                 rows[i].last);
        (void)case_ref(&refs, &arena, SPEC_REF_SERVICES, "default", "",
                       "{'metadata':{'continue':'x'},'items':[{'metadata':{'name':'a'},'spec':"
                       "{'clusterIP':'10.0.0.1','ports':[{'name':'p','port':1}]}}]}");
        struct spec_ref *page = case_ref(&refs, &arena, SPEC_REF_SERVICES, "default", "", second);
        page->page = S("x");
        page->state = rows[i].second;
        page->why = S("why not");
        json pod = case_pod(&arena, "", "{'containers':[{'name':'a','image':'b'}]}");
        assert_int_equal(pod_spec_read(pod, &refs, &case_config, &arena, &out, &verdict), ERR_OK);
        assert_int_equal(out.containers[0].env_count, rows[i].variables);
        const char *remarks = case_remarks(&verdict, rows[i].second != SPEC_REF_FAILED);
        if (strstr(remarks, rows[i].remark) == NULL) {
            fail_msg("row %zu: %s", i, remarks);
        }
    }
}

static void expect_env(const struct spec_container *container, const char *name, const char *value)
{
    for (uint32_t i = 0; i < container->env_count; i++) {
        if (str_eq(container->env[i].name, str_of(name))) {
            if (value == NULL || !str_eq(container->env[i].value, str_of(value))) {
                fail_msg("%s is \"%.*s\"", name, STR_ARG(container->env[i].value));
            }
            return;
        }
    }
    if (value != NULL) {
        fail_msg("no %s", name);
    }
}

/* What is odd about a Service; "kubernetes" stands in the list of its own namespace, too. */
static void test_odd_services(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_spec out;

    (void)state;
    case_begin(&arena, &verdict);
    refs.count = 0;
    (void)case_ref(&refs, &arena, SPEC_REF_SERVICES, "default", "kubernetes",
                   "{'metadata':{'name':'kubernetes'},'spec':{'clusterIP':'10.1.0.1'}}");
    (void)case_ref(&refs, &arena, SPEC_REF_SERVICES, "default", "",
                   "{'items':[{'metadata':{'name':'kubernetes'},'spec':{'clusterIP':'10.1.0.2'}},"
                   "{'metadata':{'name':'empty'},'spec':{'clusterIP':''}},"
                   "{'metadata':{'name':'odd-1'},'spec':{'clusterIP':'10.1.0.3','ports':[{'name':"
                   "'a~b-c','port':1,'protocol':'Tcp~1'}]}}]}");
    json pod = case_pod(&arena, "", "{'containers':[{'name':'a','image':'b'}]}");
    assert_int_equal(pod_spec_read(pod, &refs, &case_config, &arena, &out, &verdict), ERR_OK);
    const struct spec_container *one = &out.containers[0];
    expect_env(one, "KUBERNETES_SERVICE_HOST", "10.1.0.2");
    expect_env(one, "EMPTY_SERVICE_HOST", NULL);
    expect_env(one, "ODD_1_SERVICE_PORT_A~B_C", "1");
    expect_env(one, "ODD_1_PORT", "tcp~1://10.1.0.3:1");
    expect_env(one, "ODD_1_PORT_1_TCP~1_PROTO", "tcp~1");
    assert_int_equal(one->env_count, 1 + 1 + 3 + 4);
    assert_string_equal(case_remarks(&verdict, true), "");
}

/* As many pages as are read, and "kubernetes": none is lost. Were there more, all would be left
 * out. */
static void test_many_pages_of_services(void **state)
{
    static const struct {
        const char *last;
        uint32_t each; /* services of a page */
        uint32_t variables;
        const char *remark;
    } rows[] = {
        {"", 1, SPEC_SERVICES_PAGES_MAX, ""},
        {"x", 1, 0,
         "spec.enableServiceLinks: the variables of services are left out: the namespace has more "
         "services than can be read"},
        {"x", 20, 0,
         "spec.enableServiceLinks: the services of the namespace make more than 1203 variables in "
         "each of 1 containers; above 800 together they are left out"},
        {"", 20, 0,
         "spec.enableServiceLinks: the services of the namespace make 1203 variables in each of 1 "
         "containers; above 800 together they are left out"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct pod_spec out;
        static char text[4096];

        case_begin(&arena, &verdict);
        refs.count = 0;
        (void)case_ref(&refs, &arena, SPEC_REF_SERVICES, "default", "kubernetes",
                       "{'metadata':{'name':'kubernetes'},'spec':{'clusterIP':'10.1.0.1'}}");
        for (unsigned page = 0; page < SPEC_SERVICES_PAGES_MAX; page++) {
            bool is_last = page + 1 == SPEC_SERVICES_PAGES_MAX;
            size_t bytes =
                (size_t)snprintf(text, sizeof text, "{'metadata':{'continue':'%s'},'items':[",
                                 is_last ? rows[i].last : "x");
            for (unsigned k = 0; k < rows[i].each; k++) {
                bytes += (size_t)snprintf(text + bytes, sizeof text - bytes,
                                          "%s{'metadata':{'name':'s%u-%u'},'spec':{'clusterIP':"
                                          "'10.0.0.1'}}",
                                          k > 0 ? "," : "", page, k);
            }
            snprintf(text + bytes, sizeof text - bytes, "]}");
            (void)case_ref(&refs, &arena, SPEC_REF_SERVICES, "default", "", text);
        }
        json pod = case_pod(&arena, "", "{'containers':[{'name':'a','image':'b'}]}");
        assert_int_equal(pod_spec_read(pod, &refs, &case_config, &arena, &out, &verdict), ERR_OK);
        assert_int_equal(out.containers[0].env_count, 1 + rows[i].variables);
        expect_env(&out.containers[0], "KUBERNETES_SERVICE_HOST", "10.1.0.1");
        expect_env(&out.containers[0], "S19_0_SERVICE_HOST",
                   rows[i].variables > 0 ? "10.0.0.1" : NULL);
        assert_string_equal(case_remarks(&verdict, true), rows[i].remark);
    }
}

/* What is kept of a page is enough for the same variables, and nothing else is kept. */
static void test_trimmed_services(void **state)
{
    static const struct {
        const char *list;
        const char *kept;
    } rows[] = {
        {"{'kind':'ServiceList','metadata':{'continue':'c','resourceVersion':'7'},'items':[{"
         "'metadata':{'name':'a','uid':'u','managedFields':[{'x':1}]},'spec':{'clusterIP':"
         "'10.0.0.1','type':'ClusterIP','ports':[{'name':'p','port':80,'targetPort':'x',"
         "'nodePort':30000},{'port':81,'protocol':'UDP'}]},'status':{'loadBalancer':{}}},"
         "{'metadata':{'name':'headless'},'spec':{'clusterIP':'None'}},{'metadata':{'name':"
         "'none'}},7]}",
         "{'metadata':{'continue':'c'},'items':[{'metadata':{'name':'a'},'spec':{'clusterIP':"
         "'10.0.0.1','ports':[{'name':'p','protocol':null,'port':80},{'name':null,'protocol':'UDP',"
         "'port':81}]}}]}"},
        {"{'items':null}", "{'metadata':{'continue':null},'items':[]}"},
        {"{'metadata':{'continue':{}},'items':[{'metadata':{'name':[[]]},'spec':{'clusterIP':'x',"
         "'ports':{'a':{'port':true}}}}]}",
         "{'metadata':{'continue':null},'items':[{'metadata':{'name':null},'spec':{'clusterIP':'x',"
         "'ports':[{'name':null,'protocol':null,'port':null}]}}]}"},
        {"[]", "{'metadata':{'continue':null},'items':[]}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct buf out;
        struct json_write writer;

        case_begin(&arena, &verdict);
        refs.count = 0;
        buf_init(&out, case_output, sizeof case_output);
        json_write_init(&writer, &out);
        service_env_trim(case_ref(&refs, &arena, SPEC_REF_SERVICES, "", "", rows[i].list)->object,
                         &writer);
        assert_true(json_write_ok(&writer));
        assert_string_equal(buf_cstr(&out), case_json("%s", rows[i].kept).ptr);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_of_services),
        cmocka_unit_test(test_odd_services),
        cmocka_unit_test(test_many_pages_of_services),
        cmocka_unit_test(test_trimmed_services),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
