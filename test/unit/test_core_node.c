/* Our Node object: what is written, what is kept, what is noticed. */
#include "unit.h"

#include "core/node.h"

#define TEXT_BYTES 16384
#define NOW 1704171600 /* 2024-01-02T05:00:00Z */

static char arena_memory[1 << 18], text_memory[TEXT_BYTES], node_text[TEXT_BYTES];
static struct arena arena;
static struct buf out;
static struct json_write writer;
static const str labels[] = {S("team=a"), S("zone-only"), S("x/y=z=1")};

static struct node_facts some_facts(void)
{
    struct node_facts facts = {.name = S("vk"),
                               .address = S("10.0.0.9"),
                               .cpu = S("100"),
                               .memory = S("200Gi"),
                               .pods = 500,
                               .kubelet_port = 10250,
                               .kubelet_version = S("v1.20.2-ecilet-1"),
                               .architecture = S("amd64"),
                               .taint_key = S("virtual-kubelet.io/provider"),
                               .taint_value = S("alibabacloud"),
                               .taint_effect = S("NoSchedule"),
                               .labels = labels,
                               .labels_count = COUNT_OF(labels),
                               .region = S("cn-hangzhou"),
                               .zone = S("cn-hangzhou-i"),
                               .is_reachable = true};
    return facts;
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    buf_init(&out, text_memory, sizeof text_memory);
    json_write_init(&writer, &out);
    return 0;
}

static json parse(str text)
{
    json root = JSON_NONE;
    assert_int_equal(json_parse(text, &arena, &root, NULL), ERR_OK);
    return root;
}

/* What was written, read back; the writer begins anew. */
static json written(void)
{
    assert_true(json_write_ok(&writer));
    json root = parse(arena_copy(&arena, buf_str(&out)));
    buf_clear(&out);
    json_write_init(&writer, &out);
    return root;
}

static json object_of(const struct node_facts *facts)
{
    node_put_object(&writer, facts, NOW);
    return written();
}

static json member(json object, const char *first, const char *second)
{
    json inner = json_get(object, first);
    return second == NULL ? inner : json_get(inner, second);
}

static json condition(json node, const char *type)
{
    json all = member(node, "status", "conditions");
    for (json c = json_first(all); json_is_there(c); c = json_next(c)) {
        if (json_text_is(json_get(c, "type"), type)) {
            return c;
        }
    }
    fail_msg("no condition %s", type);
    return JSON_NONE;
}

/* ' becomes " */
static json node_of(const char *text)
{
    size_t bytes = strlen(text);
    assert_in_range(bytes, 1, TEXT_BYTES - 1);
    for (size_t i = 0; i < bytes; i++) {
        node_text[i] = text[i] == '\'' ? '"' : text[i];
    }
    return parse(arena_copy(&arena, str_make(node_text, bytes)));
}

/* ---- writing --------------------------------------------------------------------------------- */

static void test_node_object(void **state)
{
    (void)state;
    struct node_facts facts = some_facts();
    json node = object_of(&facts), all = member(node, "metadata", "labels");
    assert_true(json_text_is(json_get(all, "type"), "virtual-kubelet"));
    assert_true(json_text_is(json_get(all, "team"), "a"));
    assert_true(json_text_is(json_get(all, "x/y"), "z=1"));
    assert_true(json_text_is(json_get(all, "zone-only"), ""));
    assert_true(json_text_is(json_get(all, "topology.kubernetes.io/zone"), "cn-hangzhou-i"));
    json taint = json_first(member(node, "spec", "taints"));
    assert_true(json_text_is(json_get(taint, "effect"), "NoSchedule"));
    assert_int_equal(json_count(member(node, "spec", "taints")), 1);
    assert_true(json_text_is(json_get(member(node, "status", "capacity"), "pods"), "500"));
    assert_true(json_text_is(json_get(condition(node, "Ready"), "status"), "True"));
    assert_true(json_text_is(json_get(condition(node, "ECIReachable"), "status"), "True"));
    assert_true(
        json_text_is(json_get(condition(node, "OrphanDeletionStopped"), "status"), "False"));
    assert_true(json_text_is(json_get(condition(node, "Ready"), "lastTransitionTime"),
                             "2024-01-02T05:00:00Z"));
    json endpoint = json_get(member(node, "status", "daemonEndpoints"), "kubeletEndpoint");
    assert_int_equal(json_i64_or(json_get(endpoint, "Port"), 0), 10250);
}

static void test_node_object_of_the_last_choice(void **state)
{
    (void)state;
    struct node_facts facts = some_facts();
    facts.is_last_choice = true;
    json taints = member(object_of(&facts), "spec", "taints"), soft = json_next(json_first(taints));
    assert_int_equal(json_count(taints), 2);
    assert_true(json_text_is(json_get(soft, "key"), "virtual-kubelet.io/provider"));
    assert_true(json_text_is(json_get(soft, "value"), "alibabacloud"));
    assert_true(json_text_is(json_get(soft, "effect"), "PreferNoSchedule"));
}

static void test_node_object_of_little(void **state)
{
    (void)state;
    struct node_facts facts = some_facts();
    facts.taint_key = facts.region = facts.zone = STR_NONE;
    facts.kubelet_port = 0;
    facts.labels_count = 0;
    facts.is_reachable = false;
    facts.is_braked = true;
    json node = object_of(&facts);
    assert_false(json_is_there(member(node, "spec", "taints")));
    assert_false(json_is_there(member(node, "status", "daemonEndpoints")));
    json all = member(node, "metadata", "labels");
    assert_false(json_is_there(json_get(all, "topology.kubernetes.io/region")));
    assert_true(json_text_is(json_get(condition(node, "ECIReachable"), "status"), "False"));
    assert_true(json_text_is(json_get(condition(node, "OrphanDeletionStopped"), "reason"),
                             "TooManyOrphans"));
    assert_true(json_text_is(json_get(condition(node, "Ready"), "status"), "True"));
}

static void test_node_status_patch_names_its_node(void **state)
{
    (void)state;
    struct node_facts facts = some_facts();
    node_put_status_patch(&writer, &facts, S("u-1"), NOW);
    assert_true(json_text_is(member(written(), "metadata", "uid"), "u-1"));
    node_put_status_patch(&writer, &facts, STR_NONE, NOW);
    assert_false(json_is_there(json_get(written(), "metadata")));
}

/* ---- labels and taints of others ------------------------------------------------------------- */

#define OTHERS \
    "{'key':'virtual-kubelet.io/provider','value':'alibabacloud','effect':'NoExecute'}," \
    "{'key':'theirs','value':'x','effect':'NoSchedule'}"
#define STALE "{'key':'virtual-kubelet.io/provider','value':'other','effect':'NoSchedule'}"
#define OURS "{'key':'virtual-kubelet.io/provider','value':'alibabacloud','effect':'NoSchedule'}"
#define SOFT \
    "{'key':'virtual-kubelet.io/provider','value':'alibabacloud','effect':'PreferNoSchedule'}"
#define STALE_SOFT \
    "{'key':'virtual-kubelet.io/provider','value':'other','effect':'PreferNoSchedule'}"

/* The node as it is, with these taints and all our labels but one. */
static json node_with(const struct node_facts *facts, const char *taints, const char *without)
{
    char text[TEXT_BYTES];
    struct buf to;
    json all = member(object_of(facts), "metadata", "labels");
    buf_init(&to, text, sizeof text - 1);
    buf_put_text(&to, "{'metadata':{'uid':'u-1','resourceVersion':'7','labels':{'theirs':'1'");
    for (json l = json_first(all); json_is_there(l); l = json_next(l)) {
        str key = json_key(l, &arena), value = json_text(l, &arena);
        if (!str_eq(key, str_of(without))) {
            buf_put_fmt(&to, ",'%.*s':'%.*s'", STR_ARG(key), STR_ARG(value));
        }
    }
    buf_put_fmt(&to, "}},'spec':{'taints':[%s]}}", taints);
    return node_of(buf_cstr(&to));
}

static uint32_t taints_after(json patch)
{
    return json_count(member(patch, "spec", "taints"));
}

static void test_node_spec_patch(void **state)
{
    (void)state;
    static const struct {
        const char *taints, *without; /* a label that is missing */
        bool is_needed;
        uint32_t taints_count; /* in the patch; 0: it leaves them alone */
        bool is_last_choice;
    } rows[] = {
        {OURS, "", false, 0, false},
        {OTHERS "," OURS, "", false, 0, false},
        {OURS, "team", true, 0, false},
        {"", "", true, 1, false},
        {OTHERS, "", true, 3, false},
        {OTHERS "," STALE, "", true, 3, false}, /* of another value: replaced */
        {SOFT "," OURS, "", true, 1, false},    /* of a time with the webhook: taken away */
        {SOFT "," OTHERS "," OURS, "", true, 3, false},
        {STALE_SOFT "," OURS, "", false, 0, false}, /* another's */
        {SOFT "," OURS, "", false, 0, true},
        {OURS, "", true, 2, true},
        {SOFT "," OTHERS, "", true, 4, true},
        {OURS "," STALE_SOFT, "", true, 2, true},
    };
    struct node_facts facts = some_facts();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        facts.is_last_choice = rows[i].is_last_choice;
        json node = node_with(&facts, rows[i].taints, rows[i].without);
        assert_int_equal(node_put_spec_patch(&writer, &facts, node, &arena), rows[i].is_needed);
        if (!rows[i].is_needed) {
            assert_int_equal(out.bytes, 0);
            continue;
        }
        json patch = written();
        assert_true(json_text_is(member(patch, "metadata", "uid"), "u-1"));
        assert_true(json_text_is(member(patch, "metadata", "resourceVersion"), "7"));
        assert_true(json_text_is(
            json_get(member(patch, "metadata", "labels"), "kubernetes.io/role"), "agent"));
        assert_int_equal(taints_after(patch), rows[i].taints_count);
    }
    facts.taint_key = STR_NONE;
    json node = node_with(&facts, "", "");
    assert_false(node_put_spec_patch(&writer, &facts, node, &arena));
}

/* A label longer than any can be is not looked for: the API server has refused it already. */
static void test_node_spec_patch_of_a_label_that_cannot_be(void **state)
{
    (void)state;
    static char text[800];
    struct node_facts facts = some_facts();
    json node = node_with(&facts, OURS, "");
    memset(text, 'k', sizeof text);
    text[400] = '=';
    const str longest[] = {str_make(text, sizeof text)};
    facts.labels = longest;
    facts.labels_count = 1;
    assert_false(node_put_spec_patch(&writer, &facts, node, &arena));
    text[1] = '='; /* only its value is too long */
    assert_false(node_put_spec_patch(&writer, &facts, node, &arena));
    const str none[] = {STR_NONE};
    facts.labels = none;
    assert_false(node_put_spec_patch(&writer, &facts, node, &arena));
}

/* By its label, or, when somebody has changed that, by what it runs. */
static void test_node_is_virtual(void **state)
{
    static const struct {
        const char *node;
        bool is_virtual;
    } cases[] = {
        {"{'metadata':{'labels':{'type':'virtual-kubelet'}}}", true},
        {"{'status':{'nodeInfo':{'containerRuntimeVersion':'eci://2018-08-08'}}}", true},
        {"{'metadata':{'labels':{'type':'worker'}},"
         "'status':{'nodeInfo':{'containerRuntimeVersion':'containerd://1.6'}}}",
         false},
        {"{}", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (node_is_virtual(node_of(cases[i].node), &arena) != cases[i].is_virtual) {
            fail_msg("%s", cases[i].node);
        }
    }
}

/* ---- conditions ------------------------------------------------------------------------------ */

static void test_node_conditions(void **state)
{
    (void)state;
    struct node_facts facts = some_facts();
    json node = object_of(&facts);
    assert_false(node_conditions_differ(&facts, node));
    facts.is_reachable = false; /* somebody else says otherwise */
    assert_true(node_conditions_differ(&facts, node));
    assert_true(node_conditions_differ(&facts, node_of("{'status':{'conditions':[]}}")));
    assert_true(node_conditions_differ(&facts, node_of("{}")));
}

static void test_node_keeps_times_of_what_is_the_same(void **state)
{
    (void)state;
    struct node_facts facts = some_facts();
    json node = node_of("{'status':{'conditions':["
                        "{'type':'Ready','status':'True','lastTransitionTime':"
                        "'2024-01-01T00:00:00Z'},"
                        "{'type':'ECIReachable','status':'False','lastTransitionTime':"
                        "'2024-01-01T00:00:00Z'},"
                        "{'type':'DiskPressure','status':'False','lastTransitionTime':'x'}]}}");
    node_keep_times(&facts, node, &arena, NOW);
    assert_int_equal(facts.changed_unix_s[NODE_READY], 1704067200);
    assert_int_equal(facts.changed_unix_s[NODE_ECI_REACHABLE], NOW);
    assert_int_equal(facts.changed_unix_s[NODE_DISK_PRESSURE], NOW);
    assert_int_equal(facts.changed_unix_s[NODE_PID_PRESSURE], NOW);
    json again = object_of(&facts);
    assert_true(json_text_is(json_get(condition(again, "Ready"), "lastTransitionTime"),
                             "2024-01-01T00:00:00Z"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, set_up)
        TEST(test_node_object),
        TEST(test_node_object_of_the_last_choice),
        TEST(test_node_object_of_little),
        TEST(test_node_status_patch_names_its_node),
        TEST(test_node_spec_patch),
        TEST(test_node_spec_patch_of_a_label_that_cannot_be),
        TEST(test_node_is_virtual),
        TEST(test_node_conditions),
        TEST(test_node_keeps_times_of_what_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
