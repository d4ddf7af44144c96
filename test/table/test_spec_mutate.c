/* What admission changes: a table of pods, and random pods and profiles against an oracle that
 * shares nothing with the code. */
#include "table/spec_case.h"

#include "base/prng.h"
#include "spec/mutate.h"

static const struct mutate_node node = {
    .name = S("virtual-kubelet"),
    .taint_key = S("virtual-kubelet.io/provider"),
    .taint_value = S("alibabacloud"),
    .taint_effect = S("NoSchedule"),
};

static struct profile profile;
static struct profile_fault fault;
static struct mutate_outcome outcome;
static char patch_memory[MUTATE_PATCH_BYTES];
static struct buf patch;
static struct arena arena;

/* Texts with ' for ", kept in the arena. */
static json parse(const char *text)
{
    json root = JSON_NONE;
    struct json_fault bad = {0};
    str copy = arena_copy(&arena, case_json("%s", text));
    if (json_parse(copy, &arena, &root, &bad) != ERR_OK) {
        fail_msg("bad JSON in a test, %u:%u: %s", bad.line, bad.column, text);
    }
    return root;
}

static void use_selectors(const char *text)
{
    static char memory[CASE_TEXT_BYTES_MAX];
    struct buf data;
    json root = JSON_NONE;
    buf_init(&data, memory, sizeof memory);
    buf_put_text(&data, "{\"selectors\":\"");
    for (const char *c = text; *c != '\0'; c++) {
        buf_put(&data, *c == '\'' ? S("\\\"") : str_make(c, 1));
    }
    buf_put_text(&data, "\"}");
    assert_int_equal(json_parse(buf_str(&data), &arena, &root, NULL), ERR_OK);
    if (profile_read(root, &arena, &profile, &fault, NULL) != ERR_OK) {
        fail_msg("%s: %s", text, fault.what);
    }
}

static enum err mutate(const char *pod, const char *namespace_labels, const char *selector)
{
    struct spec_pair *labels;
    struct mutate_input in = {.profile = &profile, .node = &node, .selector = str_of(selector)};
    in.pod = parse(pod);
    assert_int_equal(
        label_set_read(parse(namespace_labels), 0, &arena, &labels, &in.namespace_labels.count),
        ERR_OK);
    in.namespace_labels.items = labels;
    buf_init(&patch, patch_memory, sizeof patch_memory);
    return mutate_pod(&in, &arena, &patch, &outcome);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define TOLERATION "{'key':'virtual-kubelet.io/provider','operator':'Exists'}"
#define TOLERATE "{'op':'add','path':'/spec/tolerations','value':[" TOLERATION "]}"
#define SELECT "{'op':'add','path':'/spec/nodeSelector','value':{'type':'virtual-kubelet'}}"
#define TO_ECI "[" TOLERATE "," SELECT "]"
#define PREFERENCE \
    "{'weight':100,'preference':{'matchExpressions':[{'key':'type','operator':'NotIn','values':" \
    "['virtual-kubelet']}]}}"
#define PREFERRED "'preferredDuringSchedulingIgnoredDuringExecution'"
#define SOFTLY \
    "{'op':'add','path':'/spec/tolerations','value':[{'key':'virtual-kubelet.io/provider'," \
    "'operator':'Exists','effect':'NoSchedule'}]}"
#define OVERFLOW \
    "[" SOFTLY ",{'op':'add','path':'/spec/affinity','value':{'nodeAffinity':{" PREFERRED \
    ":[" PREFERENCE "]}}}]"
#define NGINX "'containers':[{'name':'nginx','image':'nginx'}]"
#define POD(labels) "{'metadata':{'name':'p','labels':{" labels "}},'spec':{" NGINX "}}"
#define BURST(value) \
    "{'metadata':{'annotations':{'alibabacloud.com/burst-resource':'" value "'}}," \
    "'spec':{" NGINX "}}"
#define DEMO \
    "{'name':'demo','namespaceSelector':{'matchLabels':{'department':'bigdata'}}," \
    "'objectSelector':{'matchLabels':{'type':'offline-task'}}," \
    "'effect':{'annotations':{'k8s.aliyun.com/eci-image-cache':'true'}," \
    "'labels':{'created-by-eci':'true'}}}"
#define DEMO_EFFECT \
    "{'op':'add','path':'/metadata/annotations'," \
    "'value':{'k8s.aliyun.com/eci-image-cache':'true'}}," \
    "{'op':'add','path':'/metadata/labels/created-by-eci','value':'true'}"

static const struct row {
    const char *what;
    const char *selectors; /* "" = the defaults */
    const char *namespace_labels;
    const char *pod;
    const char *patch;   /* "" = nothing is changed */
    const char *warning; /* NULL: none */
} rows[] = {
    /* seed 2.2 */
    {"label alibabacloud.com/eci", "", "{}", POD("'alibabacloud.com/eci':'true'"), TO_ECI, NULL},
    {"label eci", "", "{}", POD("'eci':'true'"), TO_ECI, NULL},
    {"label with another value", "", "{}", POD("'alibabacloud.com/eci':'false'"), "", NULL},
    {"namespace alibabacloud.com/eci", "", "{'alibabacloud.com/eci':'true'}", POD(""), TO_ECI,
     NULL},
    {"namespace eci", "", "{'eci':'true'}", POD(""), TO_ECI, NULL},
    {"namespace affinity injection", "", "{'virtual-node-affinity-injection':'enabled'}", POD(""),
     TO_ECI, NULL},
    {"nothing asks", "", "{'a':'b'}", POD("'a':'b'"), "", NULL},
    {"burst-resource eci", "", "{}", BURST("eci"), OVERFLOW, NULL},
    {"burst-resource eci, which tolerates one taint already", "", "{}",
     "{'metadata':{'annotations':{'alibabacloud.com/burst-resource':'eci'}},'spec':{"
     "'tolerations':[{'key':'virtual-kubelet.io/provider','operator':'Exists','effect':"
     "'NoSchedule'}],'affinity':{'nodeAffinity':{" PREFERRED ":[" PREFERENCE "]}}}}",
     "", NULL},
    {"burst-resource eci_only", "", "{}", BURST("eci_only"), TO_ECI, NULL},
    {"burst-resource as a label", "", "{}", POD("'alibabacloud.com/burst-resource':'eci'"),
     OVERFLOW, NULL},
    {"burst-resource: the annotation counts", "", "{}",
     "{'metadata':{'labels':{'alibabacloud.com/burst-resource':'eci'},"
     "'annotations':{'alibabacloud.com/burst-resource':'eci_only'}},'spec':{}}",
     TO_ECI, NULL},
    {"burst-resource with a bad value", "", "{}", BURST("ecs"), "", "\"ecs\" is neither eci nor"},
    {"alibabacloud.com/eci wins over burst-resource", "", "{}",
     "{'metadata':{'labels':{'alibabacloud.com/eci':'true'},"
     "'annotations':{'alibabacloud.com/burst-resource':'eci'}},'spec':{}}",
     TO_ECI, NULL},
    {"... also over a bad value, which is told", "", "{}",
     "{'metadata':{'labels':{'alibabacloud.com/eci':'true'},"
     "'annotations':{'alibabacloud.com/burst-resource':'x'}},'spec':{}}",
     TO_ECI, "\"x\" is neither"},
    {"nodeSelector and toleration of its own", "", "{}",
     "{'metadata':{},'spec':{'nodeSelector':{'type':'virtual-kubelet'},"
     "'tolerations':[{'key':'virtual-kubelet.io/provider','operator':'Exists'}]}}",
     "", NULL},
    {"an empty nodeName is none", "", "{'eci':'true'}", "{'metadata':{},'spec':{'nodeName':''}}",
     TO_ECI, NULL},
    {"nodeName of its own", "", "{}", "{'metadata':{},'spec':{'nodeName':'virtual-kubelet'}}", "",
     NULL},

    /* seed 2.3 */
    {"demo matches both", "[" DEMO "]", "{'department':'bigdata'}", POD("'type':'offline-task'"),
     "[" DEMO_EFFECT "," TOLERATE "," SELECT "]", NULL},
    {"demo, only the namespace", "[" DEMO "]", "{'department':'bigdata'}", POD("'type':'x'"), "",
     NULL},
    {"demo, only the pod", "[" DEMO "]", "{}", POD("'type':'offline-task'"), "", NULL},
    {"the pod's own values count", "[" DEMO "]", "{'department':'bigdata'}",
     "{'metadata':{'labels':{'type':'offline-task','created-by-eci':'no'},"
     "'annotations':{'k8s.aliyun.com/eci-image-cache':'false'}},'spec':{}}",
     TO_ECI, NULL},
    {"earlier selectors before later ones",
     "[{'name':'a','objectSelector':{'matchLabels':{'x':'1'}},'effect':{'annotations':{'k':'a'}}},"
     "{'name':'b','objectSelector':{'matchLabels':{'x':'1'}},'effect':{'annotations':"
     "{'k':'b','l':'b'}}}]",
     "{}", "{'metadata':{'labels':{'x':'1'},'annotations':{'own':'1'}},'spec':{}}",
     "[{'op':'add','path':'/metadata/annotations/k','value':'a'},"
     "{'op':'add','path':'/metadata/annotations/l','value':'b'}," TOLERATE "," SELECT "]",
     NULL},
    {"a selector sees the labels that those before it have added",
     "[{'name':'a','objectSelector':{'matchLabels':{'x':'1'}},'effect':{'labels':{'y':'1'}}},"
     "{'name':'b','objectSelector':{'matchLabels':{'y':'1'}},'effect':{'labels':{'z':'1'}}}]",
     "{}", POD("'x':'1'"),
     "[{'op':'add','path':'/metadata/labels/y','value':'1'},"
     "{'op':'add','path':'/metadata/labels/z','value':'1'}," TOLERATE "," SELECT "]",
     NULL},
    {"an effect for all is for pods that go to ECI ...",
     "[{'name':'all','effect':{'annotations':{'k':'v'}}}," DEMO "]", "{}", BURST("eci_only"),
     "[{'op':'add','path':'/metadata/annotations/k','value':'v'}," TOLERATE "," SELECT "]", NULL},
    {"... or are there", "[{'name':'all','effect':{'annotations':{'k':'v'}}}]", "{}",
     "{'metadata':{},'spec':{'nodeName':'virtual-kubelet'}}",
     "[{'op':'add','path':'/metadata/annotations','value':{'k':'v'}}]", NULL},
    {"... by their own choice", "[{'name':'all','effect':{'annotations':{'k':'v'}}}]", "{}",
     "{'metadata':{},'spec':{'nodeSelector':{'type':'virtual-kubelet'}}}",
     "[{'op':'add','path':'/metadata/annotations','value':{'k':'v'}}]", NULL},
    {"... and for no other", "[{'name':'all','effect':{'annotations':{'k':'v'}}}]", "{}", POD(""),
     "", NULL},
    {"not for one that may overflow", "[{'name':'all','effect':{'annotations':{'k':'v'}}}]", "{}",
     BURST("eci"), OVERFLOW, NULL},
    {"a bound pod gets the effects of its selectors", "[" DEMO "]", "{'department':'bigdata'}",
     "{'metadata':{'labels':{'type':'offline-task'}},'spec':{'nodeName':'virtual-kubelet'}}",
     "[" DEMO_EFFECT "]", NULL},

    /* merging */
    {"tolerations are appended", "", "{}",
     "{'metadata':{'labels':{'eci':'true'}},'spec':{"
     "'tolerations':[{'key':'a','operator':'Exists'}],"
     "'nodeSelector':{'zone':'b'}}}",
     "[{'op':'add','path':'/spec/tolerations/-','value':" TOLERATION "},"
     "{'op':'add','path':'/spec/nodeSelector/type','value':'virtual-kubelet'}]",
     NULL},
    {"an empty list is a list", "", "{}",
     "{'metadata':{'labels':{'eci':'true'}},'spec':{'tolerations':[],'nodeSelector':{}}}",
     "[{'op':'add','path':'/spec/tolerations/-','value':" TOLERATION "},"
     "{'op':'add','path':'/spec/nodeSelector/type','value':'virtual-kubelet'}]",
     NULL},
    {"null is nothing", "", "{'eci':'true'}",
     "{'metadata':{'labels':null},'spec':{'tolerations':null,'nodeSelector':null}}", TO_ECI, NULL},
    {"everything is tolerated already", "", "{}",
     "{'metadata':{'labels':{'eci':'true'}},'spec':{'tolerations':[{'operator':'Exists'}]}}",
     "[" SELECT "]", NULL},
    {"the very taint is tolerated already", "", "{}",
     "{'metadata':{'labels':{'eci':'true'}},'spec':{'tolerations':[{'key':"
     "'virtual-kubelet.io/provider','value':'alibabacloud','effect':'NoSchedule'}]}}",
     "[" SELECT "]", NULL},
    {"another value does not tolerate it", "", "{}",
     "{'metadata':{'labels':{'eci':'true'}},'spec':{'tolerations':[{'key':"
     "'virtual-kubelet.io/provider','value':'azure'},{'operator':'Exists','effect':'NoExecute'},"
     "{'value':'alibabacloud'}]}}",
     "[{'op':'add','path':'/spec/tolerations/-','value':" TOLERATION "}," SELECT "]", NULL},
    {"another type of its own is kept", "", "{}",
     "{'metadata':{'labels':{'eci':'true'}},'spec':{'nodeSelector':{'type':'gpu'}}}", "",
     "nodeSelector type: gpu is kept"},
    {"affinity: the deepest parent that is there (1)", "", "{}",
     "{'metadata':{'annotations':{'alibabacloud.com/burst-resource':'eci'}},'spec':{'affinity':{"
     "'podAffinity':{}}}}",
     "[" SOFTLY ",{'op':'add','path':'/spec/affinity/nodeAffinity','value':{" PREFERRED
     ":[" PREFERENCE "]}}]",
     NULL},
    {"affinity: the deepest parent that is there (2)", "", "{}",
     "{'metadata':{'annotations':{'alibabacloud.com/burst-resource':'eci'}},'spec':{'affinity':{"
     "'nodeAffinity':{'x':1}}}}",
     "[" SOFTLY ",{'op':'add','path':'/spec/affinity/nodeAffinity/"
     "preferredDuringSchedulingIgnoredDuringExecution','value':[" PREFERENCE "]}]",
     NULL},
    {"affinity: the deepest parent that is there (3)", "", "{}",
     "{'metadata':{'annotations':{'alibabacloud.com/burst-resource':'eci'}},'spec':{'affinity':{"
     "'nodeAffinity':{" PREFERRED ":[{'weight':1,'preference':{'matchExpressions':[{'key':'type',"
     "'operator':'In','values':['virtual-kubelet']}]}}]}}}}",
     "[" SOFTLY ",{'op':'add','path':'/spec/affinity/nodeAffinity/"
     "preferredDuringSchedulingIgnoredDuringExecution/-','value':" PREFERENCE "}]",
     NULL},
    {"affinity: other preferences are none", "", "{}",
     "{'metadata':{'annotations':{'alibabacloud.com/burst-resource':'eci'}},'spec':{'affinity':{"
     "'nodeAffinity':{" PREFERRED ":[{'weight':1,'preference':{'matchExpressions':[{'key':'type',"
     "'operator':'NotIn','values':['virtual-kubelet']},{'key':'a','operator':'Exists'}]}},"
     "{'weight':1,'preference':{'matchExpressions':[{'key':'zone','operator':'NotIn','values':["
     "'virtual-kubelet']}]}},{'weight':1,'preference':{'matchExpressions':[{'key':'type',"
     "'operator':'NotIn','values':['gpu']}]}}]}}}}",
     "[" SOFTLY ",{'op':'add','path':'/spec/affinity/nodeAffinity/"
     "preferredDuringSchedulingIgnoredDuringExecution/-','value':" PREFERENCE "}]",
     NULL},
    {"affinity: once is enough", "", "{}",
     "{'metadata':{'annotations':{'alibabacloud.com/burst-resource':'eci'}},'spec':{'affinity':{"
     "'nodeAffinity':{" PREFERRED ":[" PREFERENCE "]}},'tolerations':[" TOLERATION "]}}",
     "", NULL},
    {"keys are escaped (RFC 6901) and so are values",
     "[{'name':'a','effect':{'annotations':{'a/b':'c','d':'x\\\\'y'}}}]", "{}",
     "{'metadata':{'annotations':{'q':'r'}},'spec':{'nodeName':'virtual-kubelet'}}",
     "[{'op':'add','path':'/metadata/annotations/a~1b','value':'c'},"
     "{'op':'add','path':'/metadata/annotations/d','value':'x\\'y'}]",
     NULL},

    /* who is left alone */
    {"pods of a DaemonSet", "", "{'eci':'true'}",
     "{'metadata':{'ownerReferences':[{'kind':'DaemonSet','controller':true}]},'spec':{}}", "",
     NULL},
    {"only its controller counts", "", "{'eci':'true'}",
     "{'metadata':{'ownerReferences':[{'kind':'DaemonSet'},{'kind':'Job','controller':true}]},"
     "'spec':{}}",
     TO_ECI, NULL},
    {"a pod bound to another node", "", "{'eci':'true'}",
     "{'metadata':{'labels':{'eci':'true'}},'spec':{'nodeName':'node-1'}}", "", NULL},
    {"a mirror pod", "", "{'eci':'true'}",
     "{'metadata':{'annotations':{'kubernetes.io/config.mirror':'x'}},'spec':{}}", "", NULL},
    {"a system pod", "", "{'eci':'true'}",
     "{'metadata':{},'spec':{'priorityClassName':'system-node-critical'}}", "", NULL},
    {"another system pod", "", "{'eci':'true'}",
     "{'metadata':{},'spec':{'priorityClassName':'system-cluster-critical'}}", "", NULL},
};

static void assert_patch(const struct row *row)
{
    static char expected[8192];
    str text = case_json("%s", row->patch);
    assert_true(str_copy(expected, sizeof expected, text));
    if (!str_eq(buf_str(&patch), str_of(expected))) {
        fail_msg("%s:\n%.*s\nis not\n%s", row->what, STR_ARG(buf_str(&patch)), expected);
    }
    assert_int_equal(outcome.ops == 0, patch.bytes == 0);
    if (outcome.warnings_count != (row->warning != NULL) ||
        (row->warning != NULL && str_find(outcome.warnings[0], str_of(row->warning)) < 0)) {
        fail_msg("%s: %u warnings: %.*s", row->what, outcome.warnings_count,
                 STR_ARG(outcome.warnings[0]));
    }
}

static void test_mutate_every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
        use_selectors(rows[i].selectors);
        assert_int_equal(mutate(rows[i].pod, rows[i].namespace_labels, ""), ERR_OK);
        assert_patch(&rows[i]);
    }
}

static void test_mutate_believes_the_api_server(void **state)
{
    (void)state;
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    use_selectors("");
    const struct row row = {"the namespace's label was seen there first", "", "", "", TO_ECI, NULL};
    assert_int_equal(mutate(POD(""), "{}", "default-selector-3"), ERR_OK);
    assert_patch(&row);
    assert_int_equal(mutate(POD(""), "{}", "forgotten"), ERR_OK);
    assert_int_equal(outcome.ops, 0);
}

/* Who tolerates the taint of such a node would no longer prefer others. */
static void test_mutate_a_soft_taint_needs_no_toleration_to_overflow(void **state)
{
    (void)state;
    struct mutate_node soft = node;
    soft.taint_effect = S("PreferNoSchedule");
    struct mutate_input in = {.profile = &profile, .node = &soft};
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    use_selectors("");
    in.pod = parse(BURST("eci"));
    buf_init(&patch, patch_memory, sizeof patch_memory);
    assert_int_equal(mutate_pod(&in, &arena, &patch, &outcome), ERR_OK);
    assert_true(str_find(buf_str(&patch), S("tolerations")) < 0);
    assert_true(str_find(buf_str(&patch), S("preferredDuring")) > 0);
    in.pod = parse(BURST("eci_only"));
    buf_clear(&patch);
    assert_int_equal(mutate_pod(&in, &arena, &patch, &outcome), ERR_OK);
    assert_true(str_find(buf_str(&patch), S("tolerations")) > 0);
}

/* A namespace that nobody has seen yet may have the label that keeps its pods away. */
static void test_mutate_knows_that_it_does_not_know(void **state)
{
    (void)state;
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    use_selectors("[{'name':'rest','namespaceSelector':{'matchExpressions':[{'key':'env',"
                  "'operator':'NotIn','values':['prod']}]},'effect':{'labels':{'k':'v'}}}]");
    struct mutate_input in = {.profile = &profile, .node = &node, .is_namespace_unknown = true};
    struct mutate_effects effects;
    in.pod = parse(POD(""));
    buf_init(&patch, patch_memory, sizeof patch_memory);
    assert_int_equal(mutate_pod(&in, &arena, &patch, &outcome), ERR_OK);
    assert_int_equal(outcome.ops, 0);
    assert_int_equal(mutate_effects(&in, &arena, &effects), ERR_OK);
    assert_int_equal(effects.labels_count, 0);
    /* What does not ask for the namespace is known all the same. */
    use_selectors("[{'name':'mine','objectSelector':{'matchLabels':{'app':'x'}}}]");
    in.pod = parse(POD("'app':'x'"));
    assert_int_equal(mutate_pod(&in, &arena, &patch, &outcome), ERR_OK);
    assert_true(str_eq(outcome.selector, S("mine")));
    use_selectors("[{'name':'rest','namespaceSelector':{'matchExpressions':[{'key':'env',"
                  "'operator':'NotIn','values':['prod']}]},'effect':{'labels':{'k':'v'}}}]");
    in.pod = parse(POD(""));
    buf_clear(&patch);
    in.selector = S("rest"); /* the API server knows */
    assert_int_equal(mutate_pod(&in, &arena, &patch, &outcome), ERR_OK);
    assert_true(str_eq(outcome.selector, S("rest")));
    in.selector = STR_NONE;
    in.is_namespace_unknown = false; /* known, and without labels */
    buf_clear(&patch);
    assert_int_equal(mutate_pod(&in, &arena, &patch, &outcome), ERR_OK);
    assert_true(str_eq(outcome.selector, S("rest")));
}

static const char *const malformed[] = {
    "[]",
    "{'metadata':{}}",
    "{'metadata':[],'spec':{}}",
    "{'metadata':{'labels':'x'},'spec':{}}",
    "{'metadata':{'annotations':[]},'spec':{}}",
    "{'metadata':{},'spec':{'nodeSelector':[]}}",
    "{'metadata':{},'spec':{'tolerations':{}}}",
    "{'metadata':{},'spec':{'affinity':[]}}",
    "{'metadata':{},'spec':{'affinity':{'nodeAffinity':1}}}",
    "{'metadata':{},'spec':{'affinity':{'nodeAffinity':{" PREFERRED ":{}}}}}",
};

static void test_mutate_refuses_what_is_no_pod(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
        use_selectors("");
        assert_int_equal(mutate(malformed[i], "{'eci':'true'}", ""), ERR_BAD_INPUT);
        assert_int_equal(patch.bytes, 0);
    }
}

static void test_mutate_full_buffers_are_errors(void **state)
{
    (void)state;
    struct mutate_input in = {.profile = &profile, .node = &node};
    char small[64];
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    use_selectors("");
    in.pod = parse(POD("'eci':'true'"));
    buf_init(&patch, small, sizeof small);
    assert_int_equal(mutate_pod(&in, &arena, &patch, &outcome), ERR_FULL);
    struct arena tiny;
    arena_init(&tiny, small, sizeof small);
    buf_init(&patch, patch_memory, sizeof patch_memory);
    assert_int_equal(mutate_pod(&in, &tiny, &patch, &outcome), ERR_FULL);
    struct mutate_effects effects;
    assert_int_equal(mutate_effects(&in, &tiny, &effects), ERR_FULL);
}

/* Whatever take of memory fails, the pod is not admitted with less than all. */
static void test_mutate_every_take_can_fail(void **state)
{
    (void)state;
    enum err err = ERR_FULL;
    uint64_t nth = 1;
    for (; err == ERR_FULL; nth++) {
        struct mutate_input in = {.profile = &profile, .node = &node};
        arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
        use_selectors("");
        in.pod = parse("{'metadata':{'labels':{'e\\u0063i':'tru\\u0065'}},'spec':{"
                       "'priorityClassName':'a\\u0062c'}}");
        buf_init(&patch, patch_memory, sizeof patch_memory);
        arena_fail_at(nth);
        err = mutate_pod(&in, &arena, &patch, &outcome);
        arena_fail_at(0);
    }
    assert_int_equal(err, ERR_OK);
    assert_true(str_eq(outcome.selector, S("default-selector-2")));
    assert_true(nth > 4);
}

/* At translation: a pod that came without admission. */
static void test_mutate_effects_of_a_pod_that_is_here(void **state)
{
    (void)state;
    struct mutate_input in = {.profile = &profile, .node = &node};
    struct mutate_effects effects;
    const struct spec_pair name_space[] = {{S("department"), S("bigdata")}};
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    use_selectors("[{'name':'all','effect':{'annotations':{'k':'v','own':'x'}}}," DEMO
                  ",{'name':'no','objectSelector':{'matchLabels':{'q':'q'}},"
                  "'effect':{'annotations':{'n':'o'},'labels':{'n':'o'}}}"
                  ",{'name':'chained','objectSelector':{'matchLabels':{'created-by-eci':'true'}},"
                  "'effect':{'labels':{'type':'x','line':'1'}}}]");
    in.pod = parse("{'metadata':{'labels':{'type':'offline-task'},'annotations':{'own':'1'}},"
                   "'spec':{'nodeName':'virtual-kubelet'}}");
    in.namespace_labels = (struct label_set){name_space, 1};
    assert_int_equal(mutate_effects(&in, &arena, &effects), ERR_OK);
    assert_int_equal(effects.annotations_count, 2);
    assert_true(str_eq(effects.annotations[0].key, S("k")));
    assert_true(str_eq(effects.annotations[1].key, S("k8s.aliyun.com/eci-image-cache")));
    assert_true(str_eq(effects.annotations[1].value, S("true")));
    assert_int_equal(effects.labels_count, 2); /* the second by a selector that the first has met */
    assert_true(str_eq(effects.labels[0].key, S("created-by-eci")));
    assert_true(str_eq(effects.labels[1].key, S("line")));
    struct json_write w;
    buf_init(&patch, patch_memory, sizeof patch_memory);
    json_write_init(&w, &patch);
    assert_true(mutate_put_effects(&effects, S("u-1"), &w));
    assert_true(json_write_ok(&w));
    assert_true(
        str_eq(buf_str(&patch), S("{\"metadata\":{\"uid\":\"u-1\",\"annotations\":{\"k\":\"v\","
                                  "\"k8s.aliyun.com/eci-image-cache\":\"true\"},"
                                  "\"labels\":{\"created-by-eci\":\"true\",\"line\":\"1\"}}}")));
}

/* Who sent it, and whose effects it has: for whoever explains it. */
static void test_mutate_says_why(void **state)
{
    (void)state;
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    use_selectors("[{'name':'no','objectSelector':{'matchLabels':{'q':'q'}}}," DEMO
                  ",{'name':'all','effect':{'annotations':{'k':'v'}}}]");
    assert_int_equal(mutate(POD("'type':'offline-task'"), "{'department':'bigdata'}", ""), ERR_OK);
    assert_true(str_eq(outcome.selector, S("demo")));
    assert_int_equal(outcome.effects, 6);
    assert_false(outcome.wants_burst || outcome.is_ours);
    assert_int_equal(mutate(BURST("eci"), "{}", ""), ERR_OK);
    assert_true(str_is_empty(outcome.selector) && outcome.effects == 0);
    assert_true(outcome.wants_burst && !outcome.is_ours);
    assert_int_equal(mutate("{'metadata':{},'spec':{'nodeName':'virtual-kubelet'}}", "{}", ""),
                     ERR_OK);
    assert_int_equal(outcome.effects, 4);
    assert_true(outcome.is_ours && !outcome.wants_burst);
}

static void test_mutate_no_effects_are_no_patch(void **state)
{
    (void)state;
    const struct spec_pair one[] = {{S("k"), S("v")}};
    static const struct {
        uint32_t annotations_count, labels_count;
        const char *patch;
    } halves[] = {
        {1, 0, "{'metadata':{'uid':'u-1','annotations':{'k':'v'}}}"},
        {0, 1, "{'metadata':{'uid':'u-1','labels':{'k':'v'}}}"},
    };
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        const struct mutate_effects effects = {
            .annotations = one,
            .annotations_count = halves[i].annotations_count,
            .labels = one,
            .labels_count = halves[i].labels_count,
        };
        struct json_write half;
        buf_init(&patch, patch_memory, sizeof patch_memory);
        json_write_init(&half, &patch);
        assert_true(mutate_put_effects(&effects, S("u-1"), &half));
        assert_true(str_eq(buf_str(&patch), case_json("%s", halves[i].patch)));
    }
    const struct mutate_effects none = {.annotations_count = 0};
    struct json_write w;
    buf_init(&patch, patch_memory, sizeof patch_memory);
    json_write_init(&w, &patch);
    assert_false(mutate_put_effects(&none, S("u-1"), &w));
    assert_int_equal(patch.bytes, 0);
}

/* ---- the oracle ------------------------------------------------------------------------------ */

/* Everything is small numbers: keys k0..k3, values v0..v2, -1 for "not there". */
#define KEYS 4
#define VALUES 3
#define MODEL_SELECTORS 6
#define ROUNDS 4000

struct model_term {
    int op; /* -1 none, else an enum label_op */
    unsigned values;
};

struct model_selector {
    struct model_term of_namespace[KEYS], of_object[KEYS];
    int annotations[KEYS], labels[KEYS];
};

struct model {
    int namespace_labels[KEYS], labels[KEYS], annotations[KEYS];
    int burst; /* 0 none, 1 eci, 2 eci_only, 3 nonsense */
    bool is_bound, has_type, has_toleration, has_affinity;
    struct model_selector selectors[MODEL_SELECTORS];
    unsigned count;
};

static struct prng prng;

static unsigned below(unsigned bound)
{
    return (unsigned)(prng_u64(&prng) % bound);
}

static void draw_map(int map[KEYS], unsigned odds)
{
    for (unsigned i = 0; i < KEYS; i++) {
        map[i] = below(odds) == 0 ? (int)below(VALUES) : -1;
    }
}

static void draw_terms(struct model_term terms[KEYS], unsigned odds)
{
    for (unsigned i = 0; i < KEYS; i++) {
        terms[i].op = below(odds) == 0 ? (int)below(4) : -1;
        terms[i].values = 1 + below((1u << VALUES) - 1);
    }
}

static void draw(struct model *m)
{
    draw_map(m->namespace_labels, 2);
    draw_map(m->labels, 2);
    draw_map(m->annotations, 3);
    m->burst = (int)below(4);
    m->is_bound = below(6) == 0;
    m->has_type = below(8) == 0;
    m->has_toleration = below(3) == 0;
    m->has_affinity = below(3) == 0;
    m->count = 1 + below(MODEL_SELECTORS);
    for (unsigned i = 0; i < m->count; i++) {
        draw_terms(m->selectors[i].of_namespace, 5);
        draw_terms(m->selectors[i].of_object, 5);
        draw_map(m->selectors[i].annotations, 3);
        draw_map(m->selectors[i].labels, 3);
    }
}

static bool oracle_term(const struct model_term *t, int value)
{
    bool is_in = value >= 0 && (t->values >> value & 1);
    return t->op < 0 || (t->op == LABEL_IN && is_in) || (t->op == LABEL_NOT_IN && !is_in) ||
           (t->op == LABEL_EXISTS && value >= 0) || (t->op == LABEL_DOES_NOT_EXIST && value < 0);
}

static int oracle_terms(const struct model_selector *s)
{
    int count = 0;
    for (unsigned k = 0; k < KEYS; k++) {
        count += (s->of_namespace[k].op >= 0) + (s->of_object[k].op >= 0);
    }
    return count;
}

static bool oracle_matches_labels(const struct model *m, const struct model_selector *s,
                                  const int labels[KEYS])
{
    bool all = true;
    for (unsigned k = 0; k < KEYS; k++) {
        all = all && oracle_term(&s->of_namespace[k], m->namespace_labels[k]) &&
              oracle_term(&s->of_object[k], labels[k]);
    }
    return all;
}

/* As it came, or as it is by now. */
static bool oracle_matches(const struct model *m, const struct model_selector *s,
                           const int labels[KEYS])
{
    return oracle_matches_labels(m, s, m->labels) || oracle_matches_labels(m, s, labels);
}

struct verdict {
    int labels[KEYS], annotations[KEYS]; /* of the pod in the end */
    bool is_selected, is_overflow;
};

static bool oracle_is_selected(const struct model *m, const int labels[KEYS])
{
    bool selected = false;
    for (unsigned i = 0; i < m->count; i++) {
        selected = selected || (oracle_terms(&m->selectors[i]) > 0 &&
                                oracle_matches(m, &m->selectors[i], labels));
    }
    return selected;
}

/* Round after round: whoever matches and has not had its turn has it. */
static void oracle_effects(const struct model *m, struct verdict *v)
{
    bool had[MODEL_SELECTORS] = {false};
    for (unsigned round = 0; round < m->count; round++) {
        for (unsigned i = 0; i < m->count; i++) {
            const struct model_selector *s = &m->selectors[i];
            if (had[i] || (oracle_terms(s) > 0 && !oracle_matches(m, s, v->labels))) {
                continue;
            }
            had[i] = true;
            for (unsigned k = 0; k < KEYS; k++) {
                v->annotations[k] = v->annotations[k] < 0 ? s->annotations[k] : v->annotations[k];
                v->labels[k] = v->labels[k] < 0 ? s->labels[k] : v->labels[k];
            }
        }
    }
}

static void oracle(const struct model *m, struct verdict *v)
{
    memcpy(v->labels, m->labels, sizeof v->labels);
    memcpy(v->annotations, m->annotations, sizeof v->annotations);
    if (m->is_bound || m->has_type) {
        oracle_effects(m, v);
    }
    bool selected = oracle_is_selected(m, v->labels);
    v->is_selected = !m->is_bound && (selected || m->burst == 2 || (m->burst == 1 && m->has_type));
    v->is_overflow = !m->is_bound && !v->is_selected && m->burst == 1;
    if (v->is_selected && !m->has_type) {
        oracle_effects(m, v);
    }
}

/* ---- the model as text ----------------------------------------------------------------------- */

static void put_map(struct buf *out, const int map[KEYS], const char *more)
{
    bool has = *more != '\0';
    buf_put_fmt(out, "{%s", more);
    for (int k = 0; k < KEYS; k++) {
        if (map[k] >= 0) {
            buf_put_fmt(out, "%s'x.y/k%d':'v%d'", has ? "," : "", k, map[k]);
            has = true;
        }
    }
    buf_put_char(out, '}');
}

static void put_terms(struct buf *out, const struct model_term terms[KEYS])
{
    bool has = false;
    buf_put_text(out, "{'matchExpressions':[");
    for (int k = 0; k < KEYS; k++) {
        if (terms[k].op < 0) {
            continue;
        }
        buf_put_fmt(out, "%s{'key':'x.y/k%d','operator':'%s'", has ? "," : "", k,
                    label_op_name((enum label_op)terms[k].op));
        has = true;
        for (int v = 0, n = 0; v < VALUES && terms[k].op <= LABEL_NOT_IN; v++) {
            if (terms[k].values >> v & 1) {
                buf_put_fmt(out, "%s'v%d'", n++ == 0 ? ",'values':[" : ",", v);
            }
        }
        buf_put_text(out, terms[k].op <= LABEL_NOT_IN ? "]}" : "}");
    }
    buf_put_text(out, "]}");
}

static void use_model(const struct model *m)
{
    static char text[65536];
    struct buf out;
    buf_init(&out, text, sizeof text - 1);
    for (unsigned i = 0; i < m->count; i++) {
        buf_put_fmt(&out, "%s{'name':'s%u','namespaceSelector':", i == 0 ? "[" : ",", i);
        put_terms(&out, m->selectors[i].of_namespace);
        buf_put_text(&out, ",'objectSelector':");
        put_terms(&out, m->selectors[i].of_object);
        buf_put_text(&out, ",'effect':{'annotations':");
        put_map(&out, m->selectors[i].annotations, "");
        buf_put_text(&out, ",'labels':");
        put_map(&out, m->selectors[i].labels, "");
        buf_put_text(&out, "}}");
    }
    buf_put_char(&out, ']');
    use_selectors(buf_cstr(&out));
}

static const char *pod_of(const struct model *m)
{
    static const char *const bursts[] = {"", "'alibabacloud.com/burst-resource':'eci'",
                                         "'alibabacloud.com/burst-resource':'eci_only'",
                                         "'alibabacloud.com/burst-resource':'ECI'"};
    static char text[8192];
    struct buf out;
    buf_init(&out, text, sizeof text - 1);
    buf_put_text(&out, "{'metadata':{'labels':");
    put_map(&out, m->labels, "");
    buf_put_text(&out, ",'annotations':");
    put_map(&out, m->annotations, bursts[m->burst]);
    buf_put_fmt(&out, "},'spec':{'containers':[]%s%s%s%s}}",
                m->is_bound ? ",'nodeName':'virtual-kubelet'" : "",
                m->has_type ? ",'nodeSelector':{'type':'virtual-kubelet'}" : "",
                m->has_toleration ? ",'tolerations':[{'operator':'Exists'}]" : "",
                m->has_affinity ? ",'affinity':{'podAffinity':{}}" : "");
    return buf_cstr(&out);
}

/* ---- the patch as a model -------------------------------------------------------------------- */

struct seen {
    int labels[KEYS], annotations[KEYS];
    bool tolerates, selects, prefers;
};

static void see_mark(int map[KEYS], str key, json value)
{
    assert_true(str_starts(key, S("x.y~1k")) && key.bytes == 7);
    int k = key.ptr[6] - '0';
    assert_true(map[k] < 0); /* append only */
    str text = json_text(value, &arena);
    map[k] = text.ptr[1] - '0';
}

static void see_op(struct seen *seen, json op)
{
    str path = json_text(json_get(op, "path"), &arena);
    json value = json_get(op, "value");
    assert_true(json_text_is(json_get(op, "op"), "add"));
    if (str_starts(path, S("/metadata/labels/"))) {
        see_mark(seen->labels, str_sub(path, 17, path.bytes), value);
    } else if (str_starts(path, S("/metadata/annotations/"))) {
        see_mark(seen->annotations, str_sub(path, 22, path.bytes), value);
    } else if (str_eq(path, S("/spec/tolerations"))) {
        assert_false(seen->tolerates);
        seen->tolerates = true;
    } else if (str_eq(path, S("/spec/nodeSelector"))) {
        assert_false(seen->selects);
        seen->selects = true;
    } else {
        assert_true(str_eq(path, S("/spec/affinity")) ||
                    str_eq(path, S("/spec/affinity/nodeAffinity")));
        seen->prefers = true;
    }
}

static void compare(const struct model *m, const struct verdict *v)
{
    struct seen seen = {.tolerates = m->has_toleration, .selects = m->has_type};
    memcpy(seen.labels, m->labels, sizeof seen.labels);
    memcpy(seen.annotations, m->annotations, sizeof seen.annotations);
    if (outcome.ops > 0) {
        json root;
        assert_int_equal(json_parse(buf_str(&patch), &arena, &root, NULL), ERR_OK);
        assert_int_equal(json_count(root), outcome.ops);
        for (json op = json_first(root); json_is_there(op); op = json_next(op)) {
            see_op(&seen, op);
        }
    }
    assert_memory_equal(seen.labels, v->labels, sizeof seen.labels);
    assert_memory_equal(seen.annotations, v->annotations, sizeof seen.annotations);
    assert_int_equal(seen.tolerates, m->has_toleration || v->is_selected || v->is_overflow);
    assert_int_equal(seen.selects, m->has_type || v->is_selected);
    assert_int_equal(seen.prefers, v->is_overflow);
    assert_int_equal(outcome.warnings_count, m->burst == 3 && !m->is_bound);
}

/* The API server asks once for each webhook that matches: the pod as it is by then needs nothing.
 */
static void ask_again(const struct model *m, const struct verdict *v, const char *namespace_labels)
{
    struct model again = *m;
    if (v->is_overflow) {
        return; /* its preference is not in the model */
    }
    memcpy(again.labels, v->labels, sizeof again.labels);
    memcpy(again.annotations, v->annotations, sizeof again.annotations);
    again.has_type = m->has_type || v->is_selected;
    again.has_toleration = m->has_toleration || v->is_selected;
    assert_int_equal(mutate(pod_of(&again), namespace_labels, ""), ERR_OK);
    assert_int_equal(outcome.ops, 0);
}

static void test_mutate_as_the_oracle_says(void **state)
{
    (void)state;
    uint32_t selected = 0, overflown = 0, added = 0;
    prng_seed(&prng, 20260101);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct model m;
        struct verdict v;
        static char map_text[1024];
        struct buf map;
        arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
        draw(&m);
        oracle(&m, &v);
        use_model(&m);
        buf_init(&map, map_text, sizeof map_text - 1);
        put_map(&map, m.namespace_labels, "");
        assert_int_equal(mutate(pod_of(&m), buf_cstr(&map), ""), ERR_OK);
        compare(&m, &v);
        ask_again(&m, &v, buf_cstr(&map));
        selected += v.is_selected;
        overflown += v.is_overflow;
        added += memcmp(v.annotations, m.annotations, sizeof v.annotations) != 0;
    }
    /* The rounds were worth it: all of it happened often. */
    assert_true(selected > ROUNDS / 10 && overflown > ROUNDS / 50 && added > ROUNDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutate_every_row),
        cmocka_unit_test(test_mutate_believes_the_api_server),
        cmocka_unit_test(test_mutate_a_soft_taint_needs_no_toleration_to_overflow),
        cmocka_unit_test(test_mutate_knows_that_it_does_not_know),
        cmocka_unit_test(test_mutate_refuses_what_is_no_pod),
        cmocka_unit_test(test_mutate_full_buffers_are_errors),
        cmocka_unit_test(test_mutate_every_take_can_fail),
        cmocka_unit_test(test_mutate_effects_of_a_pod_that_is_here),
        cmocka_unit_test(test_mutate_says_why),
        cmocka_unit_test(test_mutate_no_effects_are_no_patch),
        cmocka_unit_test(test_mutate_as_the_oracle_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
