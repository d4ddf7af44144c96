/* `ecilet explain` as a user meets it: which pods are found, on which lines what is wrong, what is
 * printed, exit codes. */
#include "unit/config_fixture.h"

#include "app/cli.h"
#include "app/explain.h"
#include "app/run.h"
#include "data/json_read.h"

/* ---- the world ------------------------------------------------------------------------------- */

int run_main(const struct config *config)
{
    (void)config;
    return 1;
}

static struct cli cli;
static char out_memory[CLI_OUT_BYTES];
static char err_memory[CLI_ERR_BYTES + 1];
static const char *out_text; /* what the last run said */

static enum cli_exit run(struct fixture *fixture, int argc, const char *const *arguments)
{
    char *argv[8] = {NULL};
    for (int i = 0; i < argc; i++) {
        argv[i] = (char *)(uintptr_t)arguments[i];
    }
    cli = (struct cli){.config = &fixture->config,
                       .secrets = &fixture->secrets,
                       .scratch = &fixture->scratch,
                       .source = {.file_default = "/nonexistent/ecilet.conf"}};
    arena_init(&fixture->scratch, fixture->scratch_memory, CONFIG_SCRATCH_BYTES);
    buf_init(&cli.out, out_memory, CLI_OUT_BYTES);
    buf_init(&cli.err, err_memory, CLI_ERR_BYTES);
    enum cli_exit code = cli_run(&cli, argc, argv);
    out_text = buf_cstr(&cli.out);
    err_memory[cli.err.bytes] = '\0';
    return code;
}

#define RUN(fixture, ...) \
    run(fixture, (int)(sizeof((const char *const[]){"ecilet", __VA_ARGS__}) / sizeof(char *)), \
        (const char *const[]){"ecilet", __VA_ARGS__})

static const char *write_manifest(struct fixture *fixture, const char *text)
{
    return fixture_write(fixture, "pods.yaml", text, strlen(text));
}

/* `ecilet explain` of a text. */
static enum cli_exit explain(struct fixture *fixture, const char *manifest, const char *form)
{
    return RUN(fixture, "explain", "-f", write_manifest(fixture, manifest), "-o", form);
}

static void assert_says(const char *text)
{
    if (strstr(out_text, text) == NULL) {
        fail_msg("\"%s\" is not in:\n%s\n%s", text, out_text, err_memory);
    }
}

static void assert_not_said(const char *text)
{
    if (strstr(out_text, text) != NULL) {
        fail_msg("\"%s\" is in:\n%s", text, out_text);
    }
}

#define POD(name, metadata, spec) \
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " name "\n" metadata "spec:\n" spec \
    "  containers:\n  - name: a\n    image: b:1\n"

/* ---- pods ------------------------------------------------------------------------------------ */

static void test_explain_a_pod(void **state)
{
    assert_int_equal(explain(*state, POD("web", "", "  hostname: x\n"), "text"), CLI_OK);
    assert_says(":1: Pod default/web: can run\n  billed   2 vCPU, 4 GiB\n");
    assert_says("\n  ContainerGroupName = default-web\n");
    assert_says("\n  HostName = x\n");
    assert_says("\n  Container.1.Image = b:1\n");
    assert_says("\n  RegionId = <ECI_REGION>\n");
    assert_says("\n  ClientToken = <made from the pod's UID>\n");
    assert_says("ecilet-pod-uid\n");
    assert_string_equal(err_memory, "not configured: <ALIYUN_CLUSTERID>, <ECI_REGION>, "
                                    "<ECI_VSWITCH>, <ECI_SECURITY_GROUP>\n");
}

static void test_explain_uses_the_configuration(void **state)
{
    struct fixture *fixture = *state;
    const char *conf = fixture_conf(fixture, FIXTURE_LEAST);
    const char *file = write_manifest(fixture, POD("web", "  uid: u-1\n", ""));
    assert_int_equal(RUN(fixture, "explain", "--config", conf, "-f", file), CLI_OK);
    assert_string_equal(err_memory, "");
    assert_says("\n  RegionId = cn-beijing\n");
    assert_says("\n  VSwitchId = vsw-1\n");
    assert_not_said("<");
    assert_not_said("PlantedSecret");
    conf = fixture_conf(fixture, "ECI_REGION=cn-beijing\n");
    assert_int_equal(RUN(fixture, "explain", "--config", conf, "-f", file), CLI_USAGE);
    assert_non_null(strstr(err_memory, "ECI_SECRET_KEY"));
}

/* Every kind that makes pods, and where its template is. */
static void test_explain_workloads(void **state)
{
    static const char *const kinds[] = {"Deployment", "ReplicaSet", "ReplicationController",
                                        "StatefulSet", "Job"};
    char text[1024];
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        (void)snprintf(text, sizeof(text),
                       "kind: %s\nmetadata: {name: w, namespace: shop}\nspec:\n  template:\n"
                       "    spec: {containers: [{name: a, image: b}]}\n",
                       kinds[i]);
        assert_int_equal(explain(*state, text, "text"), CLI_OK);
        assert_says(kinds[i]);
        assert_says(" shop/w: can run\n");
        assert_says("\n  ContainerGroupName = shop-w-xxxxx\n");
        assert_says("OwnerReferenceKind\n");
    }
    assert_int_equal(explain(*state,
                             "kind: CronJob\nmetadata: {generateName: c-}\nspec: {jobTemplate: "
                             "{spec: {template: {spec: {containers: [{name: a, image: b}]}}}}}\n",
                             "text"),
                     CLI_OK);
    assert_says(":1: CronJob default/c-xxxxx: can run\n");
    assert_int_equal(explain(*state,
                             "kind: PodTemplate\nmetadata: {name: t}\n"
                             "template: {spec: {containers: [{name: a, image: b}]}}\n",
                             "text"),
                     CLI_OK);
    assert_says("PodTemplate default/t: can run\n");
}

static void test_explain_daemon_sets_wait(void **state)
{
    assert_int_equal(explain(*state,
                             "kind: DaemonSet\nmetadata: {name: d}\nspec: {template: {spec: "
                             "{containers: [{name: a, image: b}]}}}\n",
                             "text"),
                     CLI_FAILED);
    assert_says(":1: DaemonSet default/d: has to wait\n  refused  line 3: "
                "metadata.ownerReferences: pods of a DaemonSet");
}

/* Several documents and lists: the lines are those of the file, and one bad pod is enough. */
static void test_explain_lines(void **state)
{
    static const char manifest[] = POD("one", "", "") /* 1 to 8 */
        "---\n"                                       /* 9 */
        "kind: Service\n"                             /* 10 */
        "metadata: {name: s}\n"
        "---\n" /* 12 */
        "# nothing\n"
        "---\n" /* 14 */
        "kind: List\n"
        "items:\n"
        "- kind: Pod\n" /* 17 */
        "  metadata:\n"
        "    name: two\n"
        "    annotations:\n"
        "      k8s.aliyun.com/eci-with-eip: 'maybe'\n" /* 21 */
        "      k8s.aliyun.com/eci-new: ''\n"           /* 22 */
        "  spec:\n"
        "    hostNetwork: true\n" /* 24 */
        "    containers:\n"
        "    - name: a\n"
        "      image: b\n"
        "    - name: c\n"       /* 28 */
        "      startupProbe:\n" /* 29 */
        "        exec: {command: [x]}\n";
    assert_int_equal(explain(*state, manifest, "text"), CLI_FAILED);
    assert_says(":1: Pod default/one: can run\n");
    assert_says(":17: Pod default/two: cannot run\n");
    assert_says("  refused  line 24: spec.hostNetwork: ");
    assert_says("  refused  line 28: spec.containers[1].image: is missing\n");
    assert_says("  refused  line 29: spec.containers[1].startupProbe: ");
    assert_says("  refused  line 21: metadata.annotations[k8s.aliyun.com/eci-with-eip]: \"maybe\"");
    assert_says("  warning  line 22: metadata.annotations[k8s.aliyun.com/eci-new]: not known");
    assert_not_said("Container.2.Name");
    assert_non_null(strstr(err_memory, ":10: Service s: no pod, left out\n"));
}

static void test_explain_types(void **state)
{
    assert_int_equal(
        explain(
            *state,
            POD("a", "  annotations: {k8s.aliyun.com/eci-use-specs: 'ecs.c6.large,2-4Gi'}\n", ""),
            "text"),
        CLI_OK);
    assert_says("  billed   an ECS type; the first that is in stock of ecs.c6.large,2-4Gi\n");
    assert_int_equal(
        explain(*state,
                POD("a", "  annotations: {k8s.aliyun.com/eci-use-specs: '2-4Gi,4-8Gi'}\n", ""),
                "text"),
        CLI_OK);
    assert_says("  billed   2 vCPU, 4 GiB; the first that is in stock of 2-4Gi,4-8Gi\n");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void test_explain_json(void **state)
{
    static char memory[1 << 20];
    struct arena arena;
    json root = JSON_NONE;
    static const char manifest[] =
        "{\"kind\":\"PodList\",\"items\":[\n{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\n"
        "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}},\n"
        "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"b\"},\"spec\":{}}]}";

    assert_int_equal(explain(*state, manifest, "json"), CLI_FAILED);
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(json_parse(str_of(out_text), &arena, &root, NULL), ERR_OK);
    assert_false(json_bool_or(json_get(root, "allCanRun"), true));
    assert_int_equal(json_count(json_get(root, "placeholders")), 4);
    json one = json_first(json_get(root, "pods"));
    assert_true(json_bool_or(json_get(one, "canRun"), false));
    assert_true(
        json_text_is(json_get(json_get(one, "request"), "ContainerGroupName"), "default-a"));
    assert_int_equal(json_i64_or(json_get(json_get(one, "billed"), "cpu"), 0), 2);
    assert_int_equal(json_i64_or(json_get(one, "line"), 0), 2);
    json two = json_next(one);
    assert_false(json_bool_or(json_get(two, "canRun"), true));
    assert_true(json_text_is(json_get(two, "outcome"), "cannot run"));
    json refusal = json_first(json_get(two, "refusals"));
    assert_true(json_text_is(json_get(refusal, "where"), "spec.containers"));
    assert_int_equal(json_i64_or(json_get(refusal, "line"), 0), 4);
    assert_true(json_is_null(json_get(two, "request")));
    assert_int_equal(explain(*state, "# nothing\n", "json"), CLI_FAILED);
    assert_int_equal(json_parse(str_of(out_text), &arena, &root, NULL), ERR_OK);
    assert_int_equal(explain(*state, POD("web", "", ""), "json"), CLI_OK);
    assert_says("\"allCanRun\":true");
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void test_explain_bad_manifests(void **state)
{
    static const struct {
        const char *text;
        const char *err;
    } rows[] = {
        {"a: b: c\n", ":1:5: "},
        {"kind: Pod\nmetadata:\n  name: a\n  name: b\n", ":4: duplicate key"},
        {"kind: Service\n", "there is no pod in it"},
        {"- 1\n", ":1: (no kind) : no pod, left out"},
        {"", "there is no pod in it"},
        {"\x01", "control character"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(explain(*state, rows[i].text, "text"), CLI_FAILED);
        if (strstr(err_memory, rows[i].err) == NULL) {
            fail_msg("%s: %s", rows[i].text, err_memory);
        }
    }
    assert_int_equal(explain(*state, "kind: Pod\n", "text"), CLI_FAILED);
    assert_says("Pod default/noname: cannot run\n  refused  line 1: spec.containers: there are no");
    assert_int_equal(explain(*state, "kind: Job\nspec: 7\n", "text"), CLI_FAILED);
}

static void test_explain_big_manifests(void **state)
{
    static char text[YAML_BYTES_MAX + 2];
    size_t bytes = 0;
    for (int i = 0; i <= EXPLAIN_DOCUMENTS_MAX; i++) {
        bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, "---\nkind: A\n");
    }
    assert_int_equal(explain(*state, text, "text"), CLI_FAILED);
    assert_non_null(strstr(err_memory, "more than 256 documents"));
    memset(text, '#', sizeof(text) - 1);
    assert_int_equal(explain(*state, text, "text"), CLI_FAILED);
    assert_non_null(strstr(err_memory, "larger than 256 KiB"));
}

static void test_explain_wrong_usage(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(RUN(fixture, "explain"), CLI_USAGE);
    assert_non_null(strstr(err_memory, "-f FILE is missing"));
    assert_int_equal(RUN(fixture, "explain", "-f", "/nonexistent"), CLI_FAILED);
    assert_non_null(strstr(err_memory, "/nonexistent: No such file"));
    assert_int_equal(RUN(fixture, "explain", "-f", "/nonexistent", "-o", "xml"), CLI_USAGE);
    assert_non_null(strstr(err_memory, "it is text or json"));
    assert_int_equal(RUN(fixture, "check", "-f", "x"), CLI_USAGE);
    assert_int_equal(RUN(fixture, "explain", "--config", "/nonexistent", "-f", "x"), CLI_USAGE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_explain_a_pod),
        TEST(test_explain_uses_the_configuration),
        TEST(test_explain_workloads),
        TEST(test_explain_daemon_sets_wait),
        TEST(test_explain_lines),
        TEST(test_explain_types),
        TEST(test_explain_json),
        TEST(test_explain_bad_manifests),
        TEST(test_explain_big_manifests),
        TEST(test_explain_wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
