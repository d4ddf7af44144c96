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
        cmocka_unit_test(test_trimmed_services),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
