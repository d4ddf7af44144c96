/* The small parts of spec: facts, expansion, identity, tags, addresses, pull policy. */
#include "table/spec_case.h"

#include "base/codec.h"
#include "spec/address.h"
#include "spec/expand.h"
#include "spec/identity.h"
#include "spec/pod_facts.h"
#include "spec/tags.h"

/* ---- pod_facts ------------------------------------------------------------------------------- */

static const char facts_text[] =
    "{'metadata':{'uid':'u','name':'n','namespace':'s','resourceVersion':'17',"
    "'creationTimestamp':'2024-01-02T03:04:05Z','deletionTimestamp':'2024-01-02T03:05:05Z',"
    "'deletionGracePeriodSeconds':30,'annotations':{'k8s.aliyun.com/eci-instance-id':'eci-1'},"
    "'ownerReferences':[{'kind':'A','name':'a'},{'kind':'Job','name':'j','controller':true}]},"
    "'spec':{'nodeName':'node','restartPolicy':'Never','activeDeadlineSeconds':60,"
    "'containers':[{},{}],"
    "'initContainers':[{}]},'status':{'phase':'Running','hostIP':'1.1.1.1','podIP':'2.2.2.2',"
    "'startTime':'2024-01-02T03:04:06Z'}}";

static enum err read_facts(const char *text, struct arena *arena, struct pod_facts *facts)
{
    json pod = JSON_NONE;

    arena_init(arena, case_arena_memory, sizeof case_arena_memory);
    assert_int_equal(json_parse(case_json("%s", text), arena, &pod, NULL), ERR_OK);
    return pod_facts_read(pod, arena, facts);
}

static void test_facts(void **state)
{
    struct arena arena;
    struct pod_facts facts;

    (void)state;
    assert_int_equal(read_facts(facts_text, &arena, &facts), ERR_OK);
    assert_true(str_eq(facts.uid, S("u")));
    assert_true(str_eq(facts.name, S("n")));
    assert_true(str_eq(facts.name_space, S("s")));
    assert_true(str_eq(facts.resource_version, S("17")));
    assert_true(str_eq(facts.node_name, S("node")));
    assert_true(str_eq(facts.instance_id, S("eci-1")));
    assert_true(str_eq(facts.owner_kind, S("Job")));
    assert_true(str_eq(facts.owner_name, S("j")));
    assert_true(str_eq(facts.host_ip, S("1.1.1.1")));
    assert_true(str_eq(facts.pod_ip, S("2.2.2.2")));
    assert_int_equal(facts.created_at_s, 1704164645);
    assert_int_equal(facts.deletion_at_s, 1704164705);
    assert_int_equal(facts.deletion_grace_s, 30);
    assert_int_equal(facts.started_at_s, 1704164646);
    assert_int_equal(facts.active_deadline_s, 60);
    assert_int_equal(facts.containers_count, 2);
    assert_int_equal(facts.phase, POD_PHASE_RUNNING);
    assert_int_equal(facts.restart_policy, RESTART_POLICY_NEVER);
    assert_true(facts.is_leaving);
    assert_true(facts.has_init_containers);
    assert_false(facts.is_mirror);
}

static void test_facts_of_little(void **state)
{
    struct arena arena;
    struct pod_facts facts;

    (void)state;
    assert_int_equal(
        read_facts(
            "{'metadata':{'uid':'u','name':'n','namespace':'s','deletionTimestamp':'x',"
            "'annotations':{'kubernetes.io/config.mirror':'h'}},'status':{'phase':'Unknown'}}",
            &arena, &facts),
        ERR_OK);
    assert_true(facts.is_leaving); /* whatever the time is */
    assert_int_equal(facts.deletion_at_s, 0);
    assert_true(facts.is_mirror);
    assert_int_equal(facts.phase, POD_PHASE_NONE);
    assert_int_equal(facts.restart_policy, RESTART_POLICY_ALWAYS);
    assert_int_equal(read_facts("{'metadata':{'uid':'u','name':'n'}}", &arena, &facts),
                     ERR_BAD_INPUT);
    assert_int_equal(read_facts("[]", &arena, &facts), ERR_BAD_INPUT);
    assert_int_equal(read_facts("{'metadata':[],'spec':7,'status':'x'}", &arena, &facts),
                     ERR_BAD_INPUT);
}

static void test_facts_need_memory_for_escapes(void **state)
{
    struct arena arena;
    struct pod_facts facts;
    json pod = JSON_NONE;

    (void)state;
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    assert_int_equal(
        json_parse(case_json("{'metadata':{'uid':'\\u0061','name':'n','namespace':'s'}}"), &arena,
                   &pod, NULL),
        ERR_OK);
    arena_fail_at(1);
    assert_int_equal(pod_facts_read(pod, &arena, &facts), ERR_FULL);
    arena_fail_at(0);
}

static int64_t request_of(const char *spec)
{
    struct arena arena;
    json pod = JSON_NONE;

    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    assert_int_equal(json_parse(case_json("{'spec':%s}", spec), &arena, &pod, NULL), ERR_OK);
    return pod_request_milli(pod, &arena);
}

#define ASKS(cpu) "'resources':{'requests':{'cpu':'" cpu "'}}"

static void test_what_the_scheduler_counts(void **state)
{
    static const struct {
        const char *spec;
        int64_t milli;
    } rows[] = {
        {"{}", 0},
        {"{'containers':[{},{'resources':{'limits':{'cpu':'4'}}}]}", 0},
        {"{'containers':[{" ASKS("1") "},{" ASKS("250m") "}]}", 1250},
        {"{'containers':[{" ASKS("1") "}],'initContainers':[{" ASKS("500m") "}]}", 1000},
        {"{'containers':[{" ASKS("1") "}],'initContainers':[{" ASKS("3") "},{" ASKS("2") "}]}",
         3000},
        /* A sidecar stays: for the init containers after it, and for the others. */
        {"{'containers':[{" ASKS("1") "}],'initContainers':[{" ASKS("1") ",'restartPolicy':"
                                                                         "'Always'},{" ASKS(
                                                                             "500m") "}]}",
         2000},
        {"{'containers':[{" ASKS("1") "}],'initContainers':[{" ASKS("1") ",'restartPolicy':"
                                                                         "'Always'},{" ASKS(
                                                                             "3") "}]}",
         4000},
        {"{'containers':[{" ASKS("1") "}],'overhead':{'cpu':'100m'}}", 1100},
        {"{'containers':[{" ASKS("much") "},{" ASKS("-1") "},{" ASKS("1") "}]}", 1000},
        {"{'containers':[{" ASKS("9E") "},{" ASKS("9E") "}]}", POD_REQUEST_MILLI_MAX},
        {"{'containers':[{" ASKS("9223372036854775") "},{" ASKS("9223372036854775") "}]}",
         POD_REQUEST_MILLI_MAX},
        {"{'containers':[{'resources':{'requests':{'cpu':2}}}]}", 0}, /* no API server says so */
        {"{'containers':'none','initContainers':7}", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(request_of(rows[i].spec), rows[i].milli);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (unsigned i = POD_PHASE_PENDING; i < POD_PHASE_COUNT; i++) {
        assert_int_equal(pod_phase_parse(str_of(pod_phase_name((enum pod_phase)i))), i);
    }
    assert_int_equal(pod_phase_parse(S("")), POD_PHASE_NONE);
    assert_string_equal(pod_phase_name((enum pod_phase)99), "");
    for (unsigned i = 0; i < RESTART_POLICY_COUNT; i++) {
        enum restart_policy policy = RESTART_POLICY_ALWAYS;
        assert_true(
            restart_policy_parse(str_of(restart_policy_name((enum restart_policy)i)), &policy));
        assert_int_equal(policy, i);
    }
    assert_string_equal(restart_policy_name((enum restart_policy)99), "Always");
}

/* ---- expand: the cases of Kubernetes' own test (third_party/forked/golang/expansion) --------- */

static const struct expand_case {
    const char *text;
    const char *expected;
} expand_cases[] = {
    {"", ""},
    {"plain", "plain"},
    {"$(VAR_A)", "A"},
    {"___$(VAR_B)___", "___B___"},
    {"___$(VAR_C)", "___C"},
    {"$(VAR_A)-$(VAR_A)", "A-A"},
    {"$(VAR_A)-1", "A-1"},
    {"f000-$VAR_A", "f000-$VAR_A"},
    {"foo\\$(VAR_C)bar", "foo\\Cbar"},
    {"foo\\\\$(VAR_C)bar", "foo\\\\Cbar"},
    {"foo$$(VAR_A)", "foo$(VAR_A)"},
    {"foo$$$(VAR_A)", "foo$A"},
    {"$$$$(VAR_A)", "$$(VAR_A)"},
    {"$$$$$(VAR_A)", "$$A"},
    {"$(VAR_REF)", "$(VAR_A)"}, /* what was put in is not looked at again */
    {"%%$(VAR_A)--$(VAR_B)%%", "%%A--B%%"},
    {"$$$$(FOO)$(VAR_A)", "$$(FOO)A"},
    {"$(VAR_A) $(MISSING) $(VAR_B)", "A $(MISSING) B"},
    {"$(EMPTY)x", "x"},
    {"$()", "$()"},
    {"$( VAR_A)", "$( VAR_A)"},
    {"$(VAR_A", "$(VAR_A"},
    {"$(VAR_A$(VAR_B)", "$(VAR_A$(VAR_B)"}, /* one reference, to "VAR_A$(VAR_B" */
    {"$", "$"},
    {"$$", "$"},
    {"$$$", "$$"},
    {"$(", "$("},
    {"$(($(", "$(($("},
    {")(", ")("},
    {"$x$(VAR_A)", "$xA"},
    {"$(TWICE)", "second"},
    {"$(ADDRESS)", "$(ADDRESS)"}, /* the cloud knows it, we do not */
};

static const struct spec_env expand_env[] = {
    {.name = S("VAR_A"), .value = S("A")},
    {.name = S("VAR_B"), .value = S("B")},
    {.name = S("VAR_C"), .value = S("C")},
    {.name = S("VAR_REF"), .value = S("$(VAR_A)")},
    {.name = S("EMPTY"), .value = S("")},
    {.name = S("TWICE"), .value = S("first")},
    {.name = S("TWICE"), .value = S("second")},
    {.name = S("ADDRESS"), .is_pod_ip = true},
};
#define EXPAND_ENV_COUNT (sizeof expand_env / sizeof expand_env[0])

static void test_expand(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    for (size_t i = 0; i < sizeof expand_cases / sizeof expand_cases[0]; i++) {
        str out = STR_NONE;
        assert_int_equal(
            expand_text(str_of(expand_cases[i].text), expand_env, EXPAND_ENV_COUNT, &arena, &out),
            ERR_OK);
        if (!str_eq(out, str_of(expand_cases[i].expected))) {
            fail_msg("%s: %.*s", expand_cases[i].text, STR_ARG(out));
        }
    }
}

static void test_expand_limits(void **state)
{
    static char text[EXPAND_BYTES_MAX + 10];
    struct arena arena;
    str out = STR_NONE;

    (void)state;
    memset(text, 'x', sizeof text);
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    assert_int_equal(expand_text(str_make(text, sizeof text), NULL, 0, &arena, &out),
                     ERR_OK); /* no $ */
    text[0] = '$';
    assert_int_equal(expand_text(str_make(text, EXPAND_BYTES_MAX), NULL, 0, &arena, &out), ERR_OK);
    assert_int_equal(out.bytes, EXPAND_BYTES_MAX);
    assert_int_equal(expand_text(str_make(text, EXPAND_BYTES_MAX + 1), NULL, 0, &arena, &out),
                     ERR_TOO_BIG);
    assert_false(arena.has_failed);
    arena_init(&arena, case_arena_memory, 100);
    assert_int_equal(expand_text(str_make(text, 200), NULL, 0, &arena, &out), ERR_FULL);
    assert_true(arena.has_failed);
}

/* ---- identity -------------------------------------------------------------------------------- */

static void test_token(void **state)
{
    char one[CLIENT_TOKEN_BYTES + 1], other[CLIENT_TOKEN_BYTES + 1];

    (void)state;
    identity_token(one, S("cluster"), S("uid"), 1);
    assert_int_equal(strlen(one), CLIENT_TOKEN_BYTES);
    assert_int_equal(strspn(one, "0123456789abcdef"), CLIENT_TOKEN_BYTES);
    identity_token(other, S("cluster"), S("uid"), 1);
    assert_string_equal(one, other);
    identity_token(other, S("cluster"), S("uid"), 2);
    assert_string_not_equal(one, other);
    identity_token(other, S("cluste"), S("ruid"), 1); /* the border between the parts counts */
    assert_string_not_equal(one, other);
    identity_token(other, S("uid"), S("cluster"), 1);
    assert_string_not_equal(one, other);
    /* For ever (SPEC_FORMAT 1), computed elsewhere: another token for the same attempt could double
     * an instance whose creation is unsure. */
    assert_string_equal(one, "556fe3e39ec9199b19d422374741e7b6a88766ce0273f1e7d72ee80c7b01c87a");
}

static const struct name_case {
    const char *name_space, *name, *begins;
    bool is_plain;
} name_cases[] = {
    {"default", "web-0", "default-web-0", true},
    {"a", "b", "a-b", true},
    {"default", "web.example", "default-web-example-", false},
    {"default", "Web", "default--eb-", false},
    {"default", "web~0", "default-web-0-", false},
    {"default", "web:0", "default-web-0-", false},
    {"default", "web-", "default-web--", false},
    {"-x", "y", "xx-y-", false},
};

static void test_group_name(void **state)
{
    struct arena arena;
    char text[254];

    (void)state;
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    for (size_t i = 0; i < sizeof name_cases / sizeof name_cases[0]; i++) {
        const struct name_case *row = &name_cases[i];
        str name = identity_group_name(&arena, str_of(row->name_space), str_of(row->name));
        if (!str_starts(name, str_of(row->begins)) ||
            name.bytes != strlen(row->begins) + (row->is_plain ? 0 : 8)) {
            fail_msg("%s/%s: %.*s", row->name_space, row->name, STR_ARG(name));
        }
    }
    memset(text, 'n', sizeof text);
    str first = identity_group_name(&arena, S("default"), str_make(text, 253));
    text[252] = 'm'; /* only the end differs, and that is cut off */
    str second = identity_group_name(&arena, S("default"), str_make(text, 253));
    assert_int_equal(first.bytes, GROUP_NAME_BYTES_MAX);
    assert_int_equal(second.bytes, GROUP_NAME_BYTES_MAX);
    assert_false(str_eq(first, second));
    str odd = identity_group_name(&arena, str_make("\x00\xff", 2), S("...\n"));
    for (size_t i = 0; i < odd.bytes; i++) {
        assert_non_null(strchr("abcdefghijklmnopqrstuvwxyz0123456789-", odd.ptr[i]));
    }
    assert_true(odd.ptr[0] != '-');
}

static void test_container_id(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
    str id = identity_container_id(&arena, S("eci-1"), S("a"));
    assert_true(str_starts(id, S("eci://")));
    assert_int_equal(id.bytes, 6 + 64);
    assert_false(str_eq(id, identity_container_id(&arena, S("eci-1"), S("b"))));
    assert_false(str_eq(id, identity_container_id(&arena, S("eci-2"), S("a"))));
    assert_true(str_eq(id, identity_container_id(&arena, S("eci-1"), S("a"))));
}

/* ---- tags ------------------------------------------------------------------------------------ */

static void test_tags(void **state)
{
    char text[300];

    (void)state;
    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < TAG_COUNT; i++) {
        str key = str_of(tag_key((enum tag)i));
        assert_in_range(key.bytes, 1, TAG_KEY_BYTES_MAX);
        assert_false(str_starts(key, S("acs:")) || str_starts(key, S("aliyun"))); /* eci-api 2.1 */
        assert_true(str_find(key, S("http")) < 0);
    }
    assert_string_equal(tag_key(TAG_CLUSTER), "ClusterId");
    assert_int_equal(tag_value(str_make(text, 300)).bytes, 128);
    assert_int_equal(tag_value(str_make(text, 128)).bytes, 128);
    assert_int_equal(tag_value(STR_NONE).bytes, 0);
    memcpy(text + 127, "\xC3\xA9", 2); /* a character across the border */
    assert_int_equal(tag_value(str_make(text, 300)).bytes, 127);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static const struct address_case {
    const char *text;
    enum address_family family;
} address_cases[] = {
    {"1.2.3.4", ADDRESS_IPV4},
    {"255.255.255.255", ADDRESS_IPV4},
    {"10.0.0.0", ADDRESS_IPV4},
    {"0.0.0.0", ADDRESS_NONE},
    {"1.2.3", ADDRESS_NONE},
    {"1.2.3.4.5", ADDRESS_NONE},
    {"1.2.3.256", ADDRESS_NONE},
    {"01.2.3.4", ADDRESS_NONE},
    {"1.2.3.", ADDRESS_NONE},
    {".1.2.3", ADDRESS_NONE},
    {"1..2.3", ADDRESS_NONE},
    {"1.2.3.4.", ADDRESS_NONE},
    {"1.2.3.+4", ADDRESS_NONE},
    {"1.2.3.-4", ADDRESS_NONE},
    {" 1.2.3.4", ADDRESS_NONE},
    {"1.2.3.4 ", ADDRESS_NONE},
    {"1.2.3.0004", ADDRESS_NONE},
    {"", ADDRESS_NONE},
    {"localhost", ADDRESS_NONE},
    {"::1", ADDRESS_IPV6},
    {"1::", ADDRESS_IPV6},
    {"fd00::9", ADDRESS_IPV6},
    {"1:2:3:4:5:6:7:8", ADDRESS_IPV6},
    {"2001:DB8::a", ADDRESS_IPV6},
    {"1:2:3:4:5:6:7::", ADDRESS_IPV6},
    {"::2:3:4:5:6:7:8", ADDRESS_IPV6},
    {"::", ADDRESS_NONE},
    {"0:0::0", ADDRESS_NONE},
    {":", ADDRESS_NONE},
    {":::", ADDRESS_NONE},
    {"1:::2", ADDRESS_NONE},
    {"1::2::3", ADDRESS_NONE},
    {"1:2:3:4:5:6:7", ADDRESS_NONE},
    {"1:2:3:4:5:6:7:8:9", ADDRESS_NONE},
    {"1:2:3:4::5:6:7:8", ADDRESS_NONE},
    {"12345::1", ADDRESS_NONE},
    {"g::1", ADDRESS_NONE},
    {"::1:", ADDRESS_NONE},
    {":1::2", ADDRESS_NONE},
    {"fe80::1%eth0", ADDRESS_NONE},
    {"::1/64", ADDRESS_NONE},
    {"1:2:3:4:5:6:7:", ADDRESS_NONE},
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof address_cases / sizeof address_cases[0]; i++) {
        if (address_family(str_of(address_cases[i].text)) != address_cases[i].family) {
            fail_msg("\"%s\"", address_cases[i].text);
        }
    }
    assert_int_equal(address_family(str_make("1.2.3.4\0", 8)), ADDRESS_NONE);
}

/* ---- pull policy ----------------------------------------------------------------------------- */

static void test_pull_policy(void **state)
{
    static const struct {
        const char *image;
        const char *policy;
    } cases[] = {
        {"nginx", "Always"},
        {"nginx:latest", "Always"},
        {"nginx:1.25", "IfNotPresent"},
        {"example.com/a/nginx", "Always"},
        {"example.com:5000/nginx", "Always"},
        {"example.com:5000/nginx:1", "IfNotPresent"},
        {"example.com:5000/nginx:latest", "Always"},
        {"nginx@sha256:00", "IfNotPresent"},
        {"nginx:1@sha256:00", "IfNotPresent"},
        {"nginx:latest@sha256:00", "Always"},
        {"example.com:5000/nginx@sha256:00", "IfNotPresent"},
        {"nginx:latest-alpine", "IfNotPresent"},
        {"", "Always"},
        {":", "IfNotPresent"},
        {"/", "Always"},
        {"@", "IfNotPresent"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!str_eq(pod_spec_pull_policy(str_of(cases[i].image)), str_of(cases[i].policy))) {
            fail_msg("%s", cases[i].image);
        }
    }
}

static void test_host_name(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_spec spec;
    json pod = JSON_NONE;
    char name[101];

    (void)state;
    case_begin(&arena, &verdict);
    memset(name, 'n', 100);
    name[100] = '\0';
    name[60] = name[62] = '-';
    name[61] = '.';
    assert_int_equal(json_parse(case_json("{'metadata':{'uid':'u','name':'%s','namespace':'s',"
                                          "'labels':{'a':'b'},'annotations':{'c':'d'}},'spec':{}}",
                                          name),
                                &arena, &pod, NULL),
                     ERR_OK);
    assert_int_equal(pod_spec_read(pod, NULL, &case_config, &arena, &spec, &verdict), ERR_OK);
    assert_int_equal(spec.host_name.bytes, 60); /* cut at 63, then the end made a name's end */
    assert_true(json_text_is(json_get(spec.labels, "a"), "b"));
    assert_true(json_text_is(json_get(spec.annotations, "c"), "d"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_facts_of_little),
        cmocka_unit_test(test_what_the_scheduler_counts),
        cmocka_unit_test(test_facts_need_memory_for_escapes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_expand_limits),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_group_name),
        cmocka_unit_test(test_container_id),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_pull_policy),
        cmocka_unit_test(test_host_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
