/* The eci-profile: what is read, what is refused and where, what is remarked upon. */
#include "table/spec_case.h"

#include "spec/profile.h"

static struct profile profile;
static struct profile_fault fault;
static char warnings_memory[8192];
static struct buf warnings;

/* data: JSON of the ConfigMap's data, ' for ". */
static enum err read_data(const char *data)
{
    static char memory[CASE_TEXT_BYTES_MAX];
    struct arena arena;
    json root = JSON_NONE;
    str text = case_json("%s", data);
    memcpy(memory, text.ptr, text.bytes);
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    assert_int_equal(json_parse(str_make(memory, text.bytes), &arena, &root, NULL), ERR_OK);
    buf_init(&warnings, warnings_memory, sizeof warnings_memory - 1);
    return profile_read(root, &arena, &profile, &fault, &warnings);
}

/* The text of `selectors`, ' for ". */
static enum err read_selectors(const char *text)
{
    static char memory[CASE_TEXT_BYTES_MAX];
    struct arena arena;
    struct buf data;
    json root = JSON_NONE;
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    buf_init(&data, memory, sizeof memory);
    buf_put_text(&data, "{\"selectors\":\"");
    for (const char *c = text; *c != '\0'; c++) {
        buf_put(&data, *c == '\'' ? S("\\\"") : *c == '\n' ? S("\\n") : str_make(c, 1));
    }
    buf_put_text(&data, "\"}");
    assert_int_equal(json_parse(buf_str(&data), &arena, &root, NULL), ERR_OK);
    buf_init(&warnings, warnings_memory, sizeof warnings_memory - 1);
    return profile_read(root, &arena, &profile, &fault, &warnings);
}

static void assert_str(str actual, const char *expected)
{
    if (!str_eq(actual, str_of(expected))) {
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(actual), expected);
    }
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* Seed 2.3, the hot reload example, with ids in full. */
static void test_profile_every_key(void **state)
{
    (void)state;
    assert_int_equal(
        read_data(
            "{'enableClusterIp':'true','enableHybridMode':'false','enablePrivateZone':'false',"
            "'resourceGroupId':'rg-aek2z3elfs4qghy','securityGroupId':'sg-2ze0b9o8pjjzts4h',"
            "'selectors':'','vSwitchIds':'vsw-2zeet2ksvw7f14ryz, vsw-2ze94pjtfuj9vaymf',"
            "'vpcId':'vpc-2zeghwzptn5zii0w7'}"),
        ERR_OK);
    assert_true(profile.has_cluster_ip && profile.enable_cluster_ip);
    assert_true(profile.has_hybrid_mode && !profile.enable_hybrid_mode);
    assert_true(profile.has_private_zone && !profile.enable_private_zone);
    assert_str(profile.resource_group_id, "rg-aek2z3elfs4qghy");
    assert_str(profile.security_group_id, "sg-2ze0b9o8pjjzts4h");
    assert_str(profile.vswitch_ids, "vsw-2zeet2ksvw7f14ryz,vsw-2ze94pjtfuj9vaymf");
    assert_str(profile.vpc_id, "vpc-2zeghwzptn5zii0w7");
    assert_true(profile.has_default_selectors);
    assert_int_equal(profile.selectors_count, 5);
    assert_str(
        buf_str(&warnings),
        "enableClusterIp: true has no effect yet: instances do not reach ClusterIP services\n"
        "enableHybridMode: false has no effect: instances of this node never speak to the "
        "API server\n");
    assert_int_equal(read_data("{'enableClusterIp':'false','enableHybridMode':'true',"
                               "'enablePrivateZone':'false'}"),
                     ERR_OK);
    assert_int_equal(warnings.bytes, 0);
}

static void test_profile_nothing_is_the_defaults(void **state)
{
    (void)state;
    assert_int_equal(read_data("{}"), ERR_OK);
    assert_int_equal(profile.selectors_count, 5);
    assert_str(profile.vswitch_ids, "");
    assert_false(profile.has_cluster_ip);
    assert_int_equal(read_data("null"), ERR_OK);
    assert_int_equal(profile.selectors_count, 5);
    struct arena arena;
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    assert_int_equal(profile_read(JSON_NONE, &arena, &profile, &fault, NULL), ERR_OK);
    assert_true(profile.has_default_selectors);
    assert_int_equal(read_data("{'enableClusterIp':'','vSwitchIds':'','selectors':' \\n '}"),
                     ERR_OK);
    assert_false(profile.has_cluster_ip);
    assert_int_equal(read_selectors("[]"), ERR_OK);
    assert_true(profile.has_default_selectors);
    assert_int_equal(read_selectors("# nothing yet\n/* [] */\n"), ERR_OK);
    assert_true(profile.has_default_selectors);
    profile_init(&profile);
    assert_str(profile.selectors[0].name, "default-selector-1");
    assert_str(profile.selectors[0].objects.terms[0].key, "alibabacloud.com/eci");
    assert_str(profile.selectors[4].name, "default-selector-5");
    assert_str(profile.selectors[4].namespaces.terms[0].values[0], "enabled");
}

static void test_profile_the_other_spelling_of_vswitches(void **state)
{
    (void)state;
    assert_int_equal(read_data("{'vswitchIds':'vsw-111,vsw-222'}"), ERR_OK);
    assert_str(profile.vswitch_ids, "vsw-111,vsw-222");
    assert_int_equal(warnings.bytes, 0);
    assert_int_equal(read_data("{'vswitchIds':'vsw-111','vSwitchIds':'vsw-3'}"), ERR_OK);
    assert_str(profile.vswitch_ids, "vsw-3");
    assert_true(str_find(buf_str(&warnings), S("vSwitchIds is given, too")) >= 0);
}

static const struct {
    const char *data;
    const char *says;
} remarks[] = {
    {"{'enableLinuxArm64Node':'true'}", "enableLinuxArm64Node: known, but"},
    {"{'enableLogController':'true'}", "enableLogController: known, but"},
    {"{'enablePVCController':'true'}", "enablePVCController: known, but"},
    {"{'enableReuseSSLKey':'true'}", "enableReuseSSLKey: known, but"},
    {"{'featureGates':'WaitForFirstConsumer=false'}", "featureGates: known, but"},
    {"{'slsMachineGroup':'x'}", "slsMachineGroup: known, but"},
    {"{'vSwitchIDs':'vsw-1'}", "vSwitchIDs: not a known key; did you mean vSwitchIds"},
    {"{'customTags':'x'}", "customTags: not a known key\n"},
    {"{'enablePrivateZone':'true'}", "enablePrivateZone: true has no effect yet\n"},
};

static void test_profile_keys_without_use_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(remarks) / sizeof(remarks[0]); i++) {
        assert_int_equal(read_data(remarks[i].data), ERR_OK);
        if (str_find(buf_str(&warnings), str_of(remarks[i].says)) < 0) {
            fail_msg("%s: \"%.*s\" lacks \"%s\"", remarks[i].data, STR_ARG(buf_str(&warnings)),
                     remarks[i].says);
        }
    }
}

static void test_profile_no_value_is_no_remark(void **state)
{
    (void)state;
    assert_int_equal(read_data("{'featureGates':' ','slsMachineGroup':'','vpcId':'VPC-zZ09'}"),
                     ERR_OK);
    assert_int_equal(warnings.bytes, 0);
    assert_str(profile.vpc_id, "VPC-zZ09");
}

static const struct {
    const char *data;
    const char *says;
} bad_data[] = {
    {"[]", "data is not an object"},
    {"{'enableClusterIp':'yes'}", "enableClusterIp: must be true or false"},
    {"{'enableClusterIp':true}", "enableClusterIp: not a text; put it in quotes"},
    {"{'securityGroupId':'sg-2ze0b9o8****'}", "securityGroupId: \"sg-2ze0b9o8****\" is not an id"},
    {"{'securityGroupId':'sg~1'}", "securityGroupId: \"sg~1\" is not an id"},
    {"{'securityGroupId':'sg_1'}", "securityGroupId: \"sg_1\" is not an id"},
    {"{'securityGroupId':'sg:1'}", "securityGroupId: \"sg:1\" is not an id"},
    {"{'securityGroupId':'sg-1,sg-2'}", "securityGroupId: more than 1"},
    {"{'selectors':[]}", "selectors: not a text; write \"selectors: |\" above it"},
    {"{'vSwitchIds':'vsw-1,,vsw-2'}", "vSwitchIds: \"\" is not an id"},
    {"{'vSwitchIds':'a,b,c,d,e,f,g,h,i,j,k'}", "vSwitchIds: more than 10"},
    {"{'vpcId':'01234567890123456789012345678901234567890123456789012345678901234'}", "not an id"},
};

static void test_profile_bad_values_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_data) / sizeof(bad_data[0]); i++) {
        assert_int_equal(read_data(bad_data[i].data), ERR_INVALID);
        if (strstr(fault.what, bad_data[i].says) == NULL) {
            fail_msg("%s: \"%s\" lacks \"%s\"", bad_data[i].data, fault.what, bad_data[i].says);
        }
        assert_int_equal(fault.line, 0);
    }
}

/* ---- selectors ------------------------------------------------------------------------------- */

/* Seed 2.3, "ECI Effect", comments included. */
static void test_profile_the_example_with_comments(void **state)
{
    (void)state;
    assert_int_equal(
        read_selectors("[\n"
                       " {\n"
                       "  'name':'demo', #必填,不能为空\n"
                       "  'namespaceSelector':{ #选填, K8s的Namespace Label\n"
                       "   'matchLabels':{ #需要匹配的Label,如果填写多个,为与关系\n"
                       "     'department':'bigdata'\n"
                       "   }\n"
                       "  },\n"
                       "  'objectSelector':{ // 'quoted' in a comment\n"
                       "   'matchLabels':{ /* over\n two lines */\n"
                       "     'type':'offline-task'\n"
                       "   }\n"
                       "  },\n"
                       "  'effect':{\n"
                       "   'annotations':{ 'k8s.aliyun.com/eci-image-cache': 'true' },\n"
                       "   'labels':{ 'created-by-eci':'true', 'not': 'a-comment-_.x' }\n"
                       "  }\n"
                       " }\n"
                       "]\n"),
        ERR_OK);
    assert_int_equal(profile.selectors_count, 1);
    const struct profile_selector *one = &profile.selectors[0];
    assert_str(one->name, "demo");
    assert_true(one->is_scheduling);
    assert_int_equal(one->namespaces.terms_count, 1);
    assert_str(one->namespaces.terms[0].key, "department");
    assert_str(one->objects.terms[0].values[0], "offline-task");
    assert_int_equal(one->annotations.count, 1);
    assert_str(one->annotations.items[0].key, "k8s.aliyun.com/eci-image-cache");
    assert_int_equal(one->labels.count, 2);
    assert_str(one->labels.items[0].value, "true");
    assert_false(profile.has_default_selectors);
}

/* As editors on other systems save it. The place of a fault counts as one sees it. */
static void test_profile_line_ends_tabs_and_a_mark(void **state)
{
    (void)state;
    assert_int_equal(read_selectors("\xef\xbb\xbf[\\r\n\\t{'name':'a', # why\\r\n"
                                    "\\t'objectSelector':{'matchLabels':{'x':'1'}}}\\r\n]\\r\n"),
                     ERR_OK);
    assert_int_equal(profile.selectors_count, 1);
    assert_str(profile.selectors[0].objects.terms[0].values[0], "1");
    assert_int_equal(read_selectors("[\\r\n\\t{'name':'a','name':'b'}\\r\n]"), ERR_INVALID);
    assert_int_equal(fault.line, 2);
    assert_non_null(strstr(fault.what, "selectors: line 2, column 14: not JSON: "));
    assert_int_equal(read_selectors("# nothing but this\n"), ERR_OK);
    assert_true(profile.has_default_selectors);
}

static void test_profile_a_hash_in_a_text_is_no_comment(void **state)
{
    (void)state;
    assert_int_equal(
        read_selectors("[{'name':'a','effect':{'annotations':{'x':'http://a/#b /* c'}}}]"), ERR_OK);
    assert_str(profile.selectors[0].annotations.items[0].value, "http://a/#b /* c");
    assert_false(profile.selectors[0].is_scheduling);
}

static void test_profile_expressions(void **state)
{
    (void)state;
    assert_int_equal(
        read_selectors(
            "[{'name':'a','objectSelector':{'matchLabels':{'p/k':'v'},'matchExpressions':["
            "{'key':'a','operator':'In','values':['1','2']},"
            "{'key':'b','operator':'NotIn','values':['3']},"
            "{'key':'c','operator':'Exists'},"
            "{'key':'d','operator':'DoesNotExist','values':[]}]}}]"),
        ERR_OK);
    const struct label_select *objects = &profile.selectors[0].objects;
    assert_int_equal(objects->terms_count, 5);
    assert_int_equal(objects->terms[1].op, LABEL_IN);
    assert_int_equal(objects->terms[1].values_count, 2);
    assert_str(objects->terms[1].values[1], "2");
    assert_int_equal(objects->terms[2].op, LABEL_NOT_IN);
    assert_int_equal(objects->terms[3].op, LABEL_EXISTS);
    assert_int_equal(objects->terms[4].op, LABEL_DOES_NOT_EXIST);
}

/* What is null is as if it were not there, and a comment may be the last thing. */
static void test_profile_what_does_not_matter(void **state)
{
    (void)state;
    assert_int_equal(
        read_selectors("[{'name':'a','objectSelector':{'matchLabels':null,'matchExpressions':[{"
                       "'key':'k','operator':'Exists'}]},'namespaceSelector':null,"
                       "'effect':{'labels':null,'annotations':{'x':'y'}}}] # the end"),
        ERR_OK);
    assert_int_equal(profile.selectors[0].objects.terms_count, 1);
    assert_int_equal(profile.selectors[0].namespaces.terms_count, 0);
    assert_int_equal(profile.selectors[0].labels.count, 0);
    assert_int_equal(profile.selectors[0].annotations.count, 1);
    assert_int_equal(read_selectors("[{'name':'a'}] /* not closed"), ERR_OK);
    assert_str(profile.selectors[0].name, "a");
}

#define N64 "0123456789012345678901234567890123456789012345678901234567890123"

static const struct {
    const char *text;
    const char *says;
    uint32_t line, column;
} bad_selectors[] = {
    {"[\n {'name':'a',}\n]", "line 2, column 14: not JSON: ", 2, 14},
    {"[{'name':'not closed # no comment}]", "not JSON: string without end", 1, 36},
    {"{}", "must be an array", 1, 1},
    {"[1]", "a selector must be an object", 1, 2},
    {"[{'objectSelector':{}}]", "the selector has no name", 1, 2},
    {"[{'name':''}]", "name must be a text", 1, 10},
    {"[{'name':7}]", "name must be a text", 1, 10},
    {"[{'name':'" N64 N64 "x'}]", "name must be a text of 1 to 128 bytes", 1, 10},
    {"[{'name':'a'},\n {'name':'a'}]", "another selector is called a", 2, 10},
    {"[{'name':'a','objectselector':{}}]", "\"objectselector\" is not known", 1, 31},
    {"[{'name':'a','objectSelector':[]}]", "must be an object", 1, 31},
    {"[{'name':'a','objectSelector':{'matchLabel':{}}}]", "only matchLabels", 1, 45},
    {"[{'name':'a','objectSelector':{'matchLabels':[]}}]", "only matchLabels", 1, 46},
    {"[{'name':'a', #x\n'objectSelector':{'matchLabels':{'k':true}}}]", "not the value of a label",
     2, 38},
    {"[{'name':'a','objectSelector':{'matchLabels':{'k':'-x'}}}]", "not the value of a label", 1,
     51},
    {"[{'name':'a','objectSelector':{'matchLabels':{'k k':'x'}}}]", "\"k k\" is not the key", 1,
     53},
    {"[{'name':'a','objectSelector':{'matchLabels':{'P/k':'x'}}}]", "\"P/k\" is not the key", 1,
     53},
    {"[{'name':'a','objectSelector':{'matchExpressions':{}}}]", "only matchLabels", 1, 51},
    {"[{'name':'a','objectSelector':{'matchExpressions':[7]}}]", "an expression needs", 1, 52},
    {"[{'name':'a','objectSelector':{'matchExpressions':[{'key':'k','operator':'Gt'}]}}]",
     "an expression needs", 1, 52},
    {"[{'name':'a','objectSelector':{'matchExpressions':[{'key':'k','operator':'In'}]}}]",
     "In and NotIn need values", 1, 52},
    {"[{'name':'a','objectSelector':{'matchExpressions':[{'key':'k','operator':'Exists',"
     "'values':['x']}]}}]",
     "In and NotIn need values", 1, 52},
    {"[{'name':'a','objectSelector':{'matchExpressions':[{'operator':'Exists'}]}}]",
     "\"\" is not the key of a label", 1, 52},
    {"[{'name':'a','effect':[]}]", "effect must be an object", 1, 23},
    {"[{'name':'a','effect':{'annotation':{}}}]", "an effect has annotations and labels", 1, 37},
    {"[{'name':'a','effect':{'annotations':{'k':true}}}]",
     "the value of k must be a text in quotes", 1, 43},
    {"[{'name':'a','effect':{'annotations':{'a b':'x'}}}]", "is not the key of an annotation", 1,
     45},
    {"[{'name':'a','effect':{'labels':{'k k':'a'}}}]", "\"k k\" is not the key of a label", 1, 40},
    {"[{'name':'a','effect':{'labels':{'k':'a b'}}}]", "the value of k must be a text that a label",
     1, 38},
    {"[{'name':'a','effect':{'labels':[]}}]", "must be an object", 1, 33},
};

static void test_profile_bad_selectors_are_refused_with_their_place(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof(bad_selectors) / sizeof(bad_selectors[0]); i++) {
        assert_int_equal(read_selectors(bad_selectors[i].text), ERR_INVALID);
        if (strstr(fault.what, bad_selectors[i].says) == NULL ||
            fault.line != bad_selectors[i].line || fault.column != bad_selectors[i].column) {
            print_error("%s: %u:%u \"%s\" is not %u:%u \"%s\"\n", bad_selectors[i].text, fault.line,
                        fault.column, fault.what, bad_selectors[i].line, bad_selectors[i].column,
                        bad_selectors[i].says);
            wrong++;
        }
        assert_true(strncmp(fault.what, "selectors: line ", 16) == 0);
    }
    assert_int_equal(wrong, 0);
}

static void test_profile_keys_of_annotations_may_have_capitals(void **state)
{
    (void)state;
    assert_int_equal(read_selectors("[{'name':'a','effect':{'annotations':{'X.Y/Z':'  '}}}]"),
                     ERR_OK);
    assert_str(profile.selectors[0].annotations.items[0].key, "X.Y/Z");
}

/* ---- limits ---------------------------------------------------------------------------------- */

static enum err read_many(const char *open, const char *one, unsigned count, const char *close)
{
    static char text[400000];
    struct buf out;
    buf_init(&out, text, sizeof text - 1);
    buf_put_text(&out, open);
    for (unsigned i = 0; i < count; i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%u", i);
        buf_put_text(&out, i > 0 ? "," : "");
        for (const char *c = one; *c != '\0'; c++) {
            buf_put(&out, *c == '%' ? str_of(number) : str_make(c, 1));
        }
    }
    buf_put_text(&out, close);
    return read_selectors(buf_cstr(&out));
}

static void assert_limit(enum err err, const char *says)
{
    assert_int_equal(err, ERR_INVALID);
    if (strstr(fault.what, says) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", fault.what, says);
    }
}

static void test_profile_limits_are_told(void **state)
{
    (void)state;
    assert_int_equal(read_many("[", "{'name':'%'}", PROFILE_SELECTORS_MAX, "]"), ERR_OK);
    assert_limit(read_many("[", "{'name':'%'}", PROFILE_SELECTORS_MAX + 1, "]"),
                 "more than 64 selectors");
    const char *labels = "[{'name':'a','objectSelector':{'matchLabels':{";
    assert_int_equal(read_many(labels, "'k%':'v'", PROFILE_TERMS_MAX, "}}}]"), ERR_OK);
    assert_limit(read_many(labels, "'k%':'v'", PROFILE_TERMS_MAX + 1, "}}}]"),
                 "more than 512 labels");
    const char *values =
        "[{'name':'a','objectSelector':{'matchExpressions':[{'key':'k','operator':'In','values':[";
    assert_int_equal(read_many(values, "'v%'", PROFILE_VALUES_MAX, "]}]}}]"), ERR_OK);
    assert_limit(read_many(values, "'v%'", PROFILE_VALUES_MAX + 1, "]}]}}]"),
                 "more than 1024 values");
    const char *pairs = "[{'name':'a','effect':{'annotations':{";
    assert_int_equal(read_many(pairs, "'k%':'v'", PROFILE_PAIRS_MAX, "}}}]"), ERR_OK);
    assert_limit(read_many(pairs, "'k%':'v'", PROFILE_PAIRS_MAX + 1, "}}}]"),
                 "more than 512 annotations");
    assert_limit(
        read_many(pairs,
                  "'k%':'0123456789012345678901234567890123456789012345678901234567890123456789'",
                  PROFILE_PAIRS_MAX, "}}}]"),
        "more than 32768 bytes");
    assert_limit(read_many(pairs,
                           "'k%.012345678901234567890123456789012345678901234567890123456789/k':''",
                           PROFILE_PAIRS_MAX, "}}}]"),
                 "more than 32768 bytes"); /* keys alone */
}

static void test_profile_an_arena_that_is_too_small(void **state)
{
    (void)state;
    static const char data[] = "{\"selectors\":\"[{\\\"name\\\":\\\"a\\\"}]\"}";
    struct arena arena, scratch;
    json root;
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    assert_int_equal(json_parse(str_of(data), &arena, &root, NULL), ERR_OK);
    for (size_t bytes = 0; bytes < 64; bytes += 8) {
        arena_init(&scratch, case_output, bytes);
        assert_int_equal(profile_read(root, &scratch, &profile, &fault, NULL), ERR_FULL);
    }
}

/* ---- remarks about selectors ----------------------------------------------------------------- */

static const struct {
    const char *text;
    const char *says; /* NULL: nothing */
} shadows[] = {
    {"[{'name':'a','objectSelector':{'matchLabels':{'x':'1'}}},"
     "{'name':'b','objectSelector':{'matchLabels':{'x':'1','y':'2'}}}]",
     "selector b: it never counts, because a before it matches the same pods\n"},
    {"[{'name':'a','objectSelector':{'matchLabels':{'x':'1'}},'effect':{'labels':{'l':'1'}}},"
     "{'name':'b','objectSelector':{'matchLabels':{'x':'1'}},'effect':{'labels':{'l':'2'}}}]",
     "selector b: it never counts, because a before it matches the same pods and adds the same"},
    {"[{'name':'a','objectSelector':{'matchLabels':{'x':'1'}},'effect':{'labels':{'l':'1'}}},"
     "{'name':'b','objectSelector':{'matchLabels':{'x':'1'}},"
     "'effect':{'labels':{'l':'2','m':'3'}}}]",
     "selector b: 1 of its 2 additions never count"},
    {"[{'name':'a','effect':{'labels':{'l':'1'}}},{'name':'b','effect':{'labels':{'l':'2'}}}]",
     "selector b: it never counts"},
    {"[{'name':'a','objectSelector':{'matchLabels':{'x':'1'}}},"
     "{'name':'b','objectSelector':{'matchLabels':{'x':'2'}}}]",
     NULL},
    {"[{'name':'a','objectSelector':{'matchLabels':{'x':'1'}}},"
     "{'name':'b','objectSelector':{'matchLabels':{'x':'1'}},'effect':{'labels':{'l':'2'}}}]",
     NULL},
    {"[{'name':'a','objectSelector':{'matchLabels':{'x':'1','y':'1'}}},"
     "{'name':'b','objectSelector':{'matchLabels':{'x':'1'}}}]",
     NULL},
    {"[{'name':'a'}]", "selector a: it selects nothing and adds nothing"},
    {"[{'name':'a','namespaceSelector':{},'effect':{'labels':{'l':'2'}}}]",
     "selector a: an empty selector counts as none"},
    {"[{'name':'a','objectSelector':{},'effect':{'labels':{'l':'2'}}}]",
     "selector a: an empty selector counts as none"},
    {"[{'name':'a','effect':{'annotations':{'k8s.aliyun.com/eci-nonsense':'1'}}}]",
     "selector a: eci-profile[k8s.aliyun.com/eci-nonsense]"},
    {"[{'name':'a','effect':{'annotations':{'k8s.aliyun.com/eci-ntp-server':'no server'}}}]",
     "selector a: pods with this effect cannot run: eci-profile[k8s.aliyun.com/eci-ntp-server]: "
     "\"no server\" is not allowed"},
};

static void test_profile_what_never_counts_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shadows) / sizeof(shadows[0]); i++) {
        assert_int_equal(read_selectors(shadows[i].text), ERR_OK);
        str said = buf_str(&warnings);
        bool is_right = shadows[i].says == NULL ? str_is_empty(said)
                                                : str_find(said, str_of(shadows[i].says)) >= 0;
        if (!is_right) {
            fail_msg("%s: \"%.*s\"", shadows[i].text, STR_ARG(said));
        }
    }
}

static void test_profile_remarks_without_room_are_counted(void **state)
{
    (void)state;
    static const char data[] = "{\"a\":\"\",\"b\":\"\",\"c\":\"\",\"d\":\"\",\"e\":\"\"}";
    struct arena arena;
    json root;
    for (size_t bytes = 0; bytes < 300; bytes++) {
        arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
        assert_int_equal(json_parse(str_of(data), &arena, &root, NULL), ERR_OK);
        buf_init(&warnings, warnings_memory, bytes);
        assert_int_equal(profile_read(root, &arena, &profile, &fault, &warnings), ERR_OK);
        str rest = buf_str(&warnings), line;
        unsigned said = 0, more = 0;
        while (str_cut(&rest, '\n', &line)) {
            bool is_more = sscanf(line.ptr, "and %u more remarks", &more) == 1;
            assert_true(is_more || str_find(line, S(": not a known key")) == 1);
            said += !is_more;
        }
        assert_true(bytes < 64 || said + more == 5);
        assert_true(bytes < 290 || said == 5);
    }
}

static void test_profile_print_shows_all(void **state)
{
    (void)state;
    struct buf out;
    assert_int_equal(
        read_selectors(
            "[{'name':'demo','namespaceSelector':{'matchLabels':{'department':'bigdata'}},"
            "'effect':{'annotations':{'a/b':'c'},'labels':{'d':'e'}}},"
            "{'name':'all','effect':{'labels':{'x':'y'}}}]"),
        ERR_OK);
    buf_init(&out, case_output, sizeof case_output - 1);
    profile_print(&profile, &out);
    const char *text = buf_cstr(&out);
    assert_non_null(strstr(text, "vSwitchIds         (as configured)\n"));
    assert_non_null(strstr(text, "  1. demo: to ECI go pods with\n"));
    assert_non_null(strstr(text, "     namespace label department In bigdata\n"));
    assert_non_null(strstr(text, "     adds annotation a/b=c\n"));
    assert_non_null(strstr(text, "     adds label d=e\n"));
    assert_non_null(strstr(text, "  2. all: for every pod that goes to ECI anyway\n"));
    assert_null(strstr(text, "the defaults"));
}

static void test_profile_print_of_keys(void **state)
{
    (void)state;
    struct buf out;
    assert_int_equal(
        read_data("{'enableClusterIp':'true','enableHybridMode':'false','vSwitchIds':'vsw-1'}"),
        ERR_OK);
    buf_init(&out, case_output, sizeof case_output - 1);
    profile_print(&profile, &out);
    assert_true(str_starts(buf_str(&out), S("vpcId              (as configured)\n"
                                            "vSwitchIds         vsw-1\n"
                                            "securityGroupId    (as configured)\n"
                                            "resourceGroupId    (as configured)\n"
                                            "enableClusterIp    true\n"
                                            "enableHybridMode   false\n"
                                            "enablePrivateZone  (as configured)\n"
                                            "selectors          (none given: the defaults)\n"
                                            "  1. default-selector-1: to ECI go pods with\n"
                                            "     pod label alibabacloud.com/eci In true\n")));
    assert_int_equal(
        read_selectors("[{'name':'a','objectSelector':{'matchExpressions':[{'key':'k','operator':"
                       "'NotIn','values':['1','2']},{'key':'l','operator':'Exists'}]}}]"),
        ERR_OK);
    buf_clear(&out);
    profile_print(&profile, &out);
    assert_true(str_ends(buf_str(&out), S("     pod label k NotIn 1, 2\n"
                                          "     pod label l Exists\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profile_every_key),
        cmocka_unit_test(test_profile_nothing_is_the_defaults),
        cmocka_unit_test(test_profile_the_other_spelling_of_vswitches),
        cmocka_unit_test(test_profile_keys_without_use_are_told),
        cmocka_unit_test(test_profile_no_value_is_no_remark),
        cmocka_unit_test(test_profile_bad_values_are_refused),
        cmocka_unit_test(test_profile_the_example_with_comments),
        cmocka_unit_test(test_profile_line_ends_tabs_and_a_mark),
        cmocka_unit_test(test_profile_a_hash_in_a_text_is_no_comment),
        cmocka_unit_test(test_profile_expressions),
        cmocka_unit_test(test_profile_what_does_not_matter),
        cmocka_unit_test(test_profile_bad_selectors_are_refused_with_their_place),
        cmocka_unit_test(test_profile_keys_of_annotations_may_have_capitals),
        cmocka_unit_test(test_profile_limits_are_told),
        cmocka_unit_test(test_profile_an_arena_that_is_too_small),
        cmocka_unit_test(test_profile_what_never_counts_is_told),
        cmocka_unit_test(test_profile_remarks_without_room_are_counted),
        cmocka_unit_test(test_profile_print_shows_all),
        cmocka_unit_test(test_profile_print_of_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
