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
    char *argv[40] = {NULL};
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

#define NOT_GIVEN \
    "not given: Service default/kubernetes, whose variables every container gets\n"

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
                                    "<ECI_VSWITCH>, <ECI_SECURITY_GROUP>\n" NOT_GIVEN);
}

static void test_explain_uses_the_configuration(void **state)
{
    struct fixture *fixture = *state;
    const char *conf = fixture_conf(fixture, FIXTURE_LEAST);
    const char *file = write_manifest(fixture, POD("web", "  uid: u-1\n", ""));
    assert_int_equal(RUN(fixture, "explain", "--config", conf, "-f", file), CLI_OK);
    assert_string_equal(err_memory, NOT_GIVEN);
    assert_says("\n  RegionId = cn-beijing\n");
    assert_says("\n  VSwitchId = vsw-1\n");
    assert_not_said("<");
    assert_not_said("PlantedSecret");
    conf = fixture_conf(fixture, "ECI_REGION=cn-beijing\n");
    assert_int_equal(RUN(fixture, "explain", "--config", conf, "-f", file), CLI_USAGE);
    assert_non_null(strstr(err_memory, "ECI_SECRET_KEY"));
}

/* HOST_PATHS: what is listed and what is below it. */
static void test_explain_host_paths(void **state)
{
    struct fixture *fixture = *state;
    const char *conf = fixture_conf(fixture, FIXTURE_LEAST "HOST_PATHS=/var/data,/opt/shared\n");
    static const struct {
        const char *path;
        enum cli_exit code;
    } rows[] = {
        {"/opt/shared", CLI_OK},      {"/opt/shared/a", CLI_OK}, {"/var/data/", CLI_OK},
        {"/opt/shared2", CLI_FAILED}, {"/opt", CLI_FAILED},      {"/opt/shared/../x", CLI_FAILED},
    };
    char text[512];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(text, sizeof(text),
                       POD("web", "", "") "  volumes: [{name: v, hostPath: {path: %s}}]\n",
                       rows[i].path);
        const char *file = write_manifest(fixture, text);
        assert_int_equal(RUN(fixture, "explain", "--config", conf, "-f", file), rows[i].code);
        assert_says(rows[i].code == CLI_OK ? "  Volume.1.Type = HostPathVolume\n"
                                           : "spec.volumes[0].hostPath: an instance has no host");
    }
    const char *file = write_manifest(fixture, text);
    assert_int_equal(RUN(fixture, "explain", "-f", file), CLI_FAILED);
    char full[CONFIG_LIST_MAX * 128 + 1], config[sizeof(full) + 1024]; /* a full list */
    memset(full, 'x', sizeof(full));
    for (size_t i = 0; i < CONFIG_LIST_MAX; i++) {
        full[i * 128] = '/';
        full[i * 128 + 127] = ',';
    }
    full[CONFIG_LIST_MAX * 128 - 1] = '\0';
    (void)snprintf(config, sizeof(config), FIXTURE_LEAST "HOST_PATHS=%s\n", full);
    conf = fixture_conf(fixture, config);
    assert_int_equal(RUN(fixture, "explain", "--config", conf, "-f", file), CLI_FAILED);
    assert_says("an instance has no host");
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
        assert_says(strcmp(kinds[i], "StatefulSet") == 0
                        ? "\n  ContainerGroupName = shop-w-0\n"
                        : "\n  ContainerGroupName = shop-w-xxxxx\n");
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

/* Other groups have kinds of the same names, with other insides. */
static void test_explain_workloads_of_other_groups(void **state)
{
    static const char manifest[] =
        "apiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nmetadata: {name: train}\n"
        "spec: {tasks: [{template: {spec: {containers: [{name: a, image: b}]}}}]}\n"
        "---\napiVersion: example.com/v1\nkind: Pod\nmetadata: {name: odd}\n"
        "---\napiVersion: example.com/v1\nkind: DeploymentList\nitems: []\n"
        "---\napiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: old}\n"
        "spec: {template: {spec: {containers: [{name: a, image: b}]}}}\n"
        "---\napiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: nightly}\n"
        "spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: b}]}}}}}\n";
    assert_int_equal(explain(*state, manifest, "text"), CLI_OK);
    assert_non_null(strstr(err_memory, ":1: Job train: no pod, left out\n"));
    assert_non_null(strstr(err_memory, ":6: Pod odd: no pod, left out\n"));
    assert_says(" Deployment default/old: can run\n");
    assert_says(" CronJob default/nightly: can run\n");
    assert_not_said("train");
}

/* The first pod of a StatefulSet: its number, its labels, its claims, which win over volumes. */
static void test_explain_stateful_sets(void **state)
{
#define SET \
    "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec:\n" \
    "  template:\n    metadata: {labels: {app: db}}\n    spec:\n" \
    "      volumes: [{name: tmp, emptyDir: {}}, {name: data, emptyDir: {}}]\n" \
    "      containers:\n      - name: a\n        image: b\n" \
    "        env:\n" \
    "        - {name: ME, valueFrom: {fieldRef: {fieldPath: " \
    "\"metadata.labels['statefulset.kubernetes.io/pod-name']\"}}}\n" \
    "        - {name: AT, valueFrom: {fieldRef: {fieldPath: " \
    "\"metadata.labels['apps.kubernetes.io/pod-index']\"}}}\n" \
    "        - {name: APP, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['app']\"}}}\n" \
    "        volumeMounts: [{name: data, mountPath: /d}, {name: tmp, mountPath: /t}]\n" \
    "  volumeClaimTemplates:\n  - {metadata: {name: data}, spec: {}}\n"
    assert_int_equal(explain(*state, SET, "text"), CLI_OK);
    assert_says(":1: StatefulSet default/db: can run\n");
    assert_says(
        "  warning  line 8: spec.volumes[1].persistentVolumeClaim: the claim data-db-0 is made "
        "from its template; the pod waits until it is bound, and to which volume is not "
        "known here\n");
    assert_says("\n  Volume.2.Name = data\n  Volume.2.Type = <of the volume of its claim>\n");
    assert_not_said("Volume.2.FlexVolume");
    assert_says("\n  Container.1.VolumeMount.1.Name = data\n");
    assert_int_equal(explain(*state,
                             SET "---\nkind: PersistentVolumeClaim\nmetadata: {name: data-db-0}\n"
                                 "spec: {volumeName: v}\n---\nkind: PersistentVolume\n"
                                 "metadata: {name: v}\nspec: {nfs: {server: s, path: /p}}\n",
                             "text"),
                     CLI_OK);
    assert_says("\n  HostName = db-0\n");
    assert_says("\n  Container.1.EnvironmentVar.1.Value = db-0\n");
    assert_says("\n  Container.1.EnvironmentVar.2.Value = 0\n");
    assert_says("\n  Container.1.EnvironmentVar.3.Value = db\n");
    assert_says("\n  Volume.1.Name = tmp\n  Volume.1.Type = EmptyDirVolume\n"
                "  Volume.2.Name = data\n  Volume.2.Type = NFSVolume\n");
    assert_not_said("Volume.3");
    assert_not_said("from its template");
#undef SET
}

/* What is known of a claim that a template will make. */
static void test_explain_claims_of_templates(void **state)
{
    static const char set[] =
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec:\n"
        "  template: {spec: {containers: [{name: a, image: b}]}}\n"
        "  volumeClaimTemplates: [{metadata: {name: data}, ";
    static const char volume[] =
        "---\nkind: PersistentVolume\nmetadata: {name: pv, labels: {a: b}}\n"
        "spec: {";
    static const struct {
        const char *claim;  /* the rest of the template */
        const char *volume; /* the beginning of its spec; NULL: there is none */
        enum cli_exit code;
        const char *says;
    } rows[] = {
        {"}", NULL, CLI_OK, "<of the volume of its claim>"},
        {"spec: {storageClassName: fast}, status: {phase: Pending}}", NULL, CLI_OK,
         "the claim data-db-0 is made from its template"},
        {"spec: {volumeMode: Block}}", NULL, CLI_FAILED, "raw block devices cannot be attached"},
        {"spec: {volumeName: gone}}", NULL, CLI_FAILED, "there is no PersistentVolume gone"},
        {"spec: {volumeName: pv}}", "", CLI_OK, "  Volume.1.NFSVolume.Server = s\n"},
        {"spec: {}, status: {phase: Pending}}", "claimRef: {namespace: default, name: data-db-0}, ",
         CLI_OK, "  Volume.1.NFSVolume.Server = s\n"},
        {"spec: {}}", "claimRef: {namespace: default, name: data-db-1}, ", CLI_OK,
         "<of the volume of its claim>"},
        {"spec: {selector: {matchLabels: {a: b}}}}", "", CLI_OK,
         "  Volume.1.NFSVolume.Server = s\n"},
    };
    char text[2048];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(text, sizeof text, "%s%s]\n%s%s%s", set, rows[i].claim,
                       rows[i].volume != NULL ? volume : "",
                       rows[i].volume != NULL ? rows[i].volume : "",
                       rows[i].volume != NULL ? "nfs: {server: s, path: /p}}\n" : "");
        if (explain(*state, text, "text") != rows[i].code) {
            fail_msg("%s: %s", rows[i].claim, out_text);
        }
        assert_says(rows[i].says);
    }
    /* Claims that no template makes have to be there; a Deployment has no templates. */
    (void)snprintf(text, sizeof text, "%s}]\n", set);
    memcpy(strstr(text, "StatefulSet"), "Deployment ", sizeof "Deployment " - 1);
    assert_int_equal(explain(*state, text, "text"), CLI_OK);
    assert_not_said("Volume.1");
    assert_int_equal(
        explain(*state,
                "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec:\n"
                "  template: {spec: {containers: [{name: a, image: b}], volumes: [{name: "
                "x, persistentVolumeClaim: {claimName: more-db-0}}]}}\n"
                "  volumeClaimTemplates: [{metadata: {name: data}}]\n",
                "text"),
        CLI_FAILED);
    assert_says("has to wait");
    assert_says("there is no PersistentVolumeClaim default/more-db-0");
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
        "kind: Ingress\n"                             /* 10 */
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
    assert_non_null(strstr(err_memory, ":10: Ingress s: no pod, left out\n"));
}

/* What the API server takes only as text, and YAML reads as something else without quotes. */
static void test_explain_texts_without_quotes(void **state)
{
    assert_int_equal(
        explain(*state,
                "kind: Pod\nmetadata:\n  name: 7\n  labels:\n    version: 1.0\n"
                "    app: a\n    none: null\n  annotations:\n    example.com/port: 80\n"
                "    k8s.aliyun.com/eci-with-eip: yes\nspec:\n"
                "  nodeSelector: {ssd: true, k8s.aliyun.com/eci-with-eip: 1}\n"
                "  containers: [{name: a, image: b}]\n",
                "text"),
        CLI_FAILED);
    assert_says("  refused  line 3: metadata.name: must be a text: put it into quotes\n");
    assert_says(
        "  refused  line 5: metadata.labels[version]: must be a text: put it into quotes\n");
    assert_says("  refused  line 9: metadata.annotations[example.com/port]: must be a text: put");
    assert_says("  refused  line 10: metadata.annotations[k8s.aliyun.com/eci-with-eip]: must be");
    assert_says("  refused  line 12: spec.nodeSelector[ssd]: must be a text: put it into quotes\n");
    assert_says("line 12: spec.nodeSelector[k8s.aliyun.com/eci-with-eip]: must be a text: put");
    assert_not_said("[app]");
    assert_not_said("[none]");
}

/* Such a ConfigMap or Secret never comes to be, and pods that need it wait. */
static void test_explain_objects_without_quotes(void **state)
{
    assert_int_equal(
        explain(*state,
                "kind: ConfigMap\nmetadata: {name: c}\ndata:\n  good: 'yes'\n"
                "  none: null\n  bad: yes\n"
                "---\nkind: List\nitems:\n- kind: Secret\n  metadata: {name: s}\n"
                "  stringData: {port: 80}\n"
                "---\nkind: ConfigMap\nmetadata: {name: well}\ndata: {a: 'no', b: }\n"
                "---\n" POD(
                    "p", "  namespace: on\n",
                    "") "    envFrom:\n    - configMapRef: {name: c}\n"
                        "    - secretRef: {name: s}\n    - configMapRef: {name: well}\n"
                        "    env:\n    - {name: A, value: y}\n    - name: B\n      value: 1_0\n",
                "text"),
        CLI_FAILED);
    assert_non_null(strstr(err_memory, ":6: ConfigMap c: data[bad] must be a text: put it"));
    assert_non_null(strstr(err_memory, ":12: Secret s: stringData[port] must be a text: put it"));
    assert_null(strstr(err_memory, "none]"));
    assert_null(strstr(err_memory, "well"));
    assert_says("line 22: metadata.namespace: must be a text: put it into quotes\n");
    assert_says("line 28: MandatoryConfigMapNotFound: spec.containers[0].envFrom[0].configMapRef: "
                "there is no ConfigMap default/c\n");
    assert_says("line 29: MandatorySecretNotFound: ");
    assert_says("line 32: spec.containers[0].env[0].value: must be a text\n");
    assert_says("line 34: spec.containers[0].env[1].value: must be a text\n");
    assert_not_said("default/well");
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
    assert_says("\"refusals\":[],\"refusalsMore\":0,\"warnings\":[");
}

/* More remarks than are kept are counted in both forms. */
static void test_explain_counts_what_it_cannot_keep(void **state)
{
    char text[8192], ends[64];
    int bytes = snprintf(text, sizeof(text),
                         "kind: Pod\nmetadata: {name: p}\nspec:\n"
                         "  containers:\n");
    for (int i = 0; i < 20; i++) {
        bytes += snprintf(text + bytes, sizeof(text) - (size_t)bytes,
                          "  - {name: c%d, image: b, startupProbe: {periodSeconds: 1}, "
                          "securityContext: {privileged: true}, "
                          "ports: [{containerPort: 1, hostPort: 1}, {containerPort: 0}]}\n",
                          i);
    }
    unsigned more = 80 - SPEC_REFUSALS_MAX;
    assert_int_equal(explain(*state, text, "text"), CLI_FAILED);
    (void)snprintf(ends, sizeof(ends), "  refused  and %u more\n", more);
    assert_says(ends);
    assert_int_equal(explain(*state, text, "json"), CLI_FAILED);
    (void)snprintf(ends, sizeof(ends), "\"refusalsMore\":%u,\"warnings\"", more);
    assert_says(ends);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void test_explain_bad_manifests(void **state)
{
    assert_int_equal(explain(*state, POD("web", "", "") "---\na: b: c\n", "json"), CLI_FAILED);
    assert_says("\"canRun\":true");
    assert_says("\"allCanRun\":false");
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

/* ---- what pods refer to ---------------------------------------------------------------------- */

#define SHOP "metadata: {namespace: shop, name: "

/* All kinds, behind the pod that needs them; lists too. Values of Secrets are not shown, however
 * they get into the request. */
static const char shop[] =
    "kind: Pod\n" SHOP "web, labels: {app: web}}\n"
    "spec:\n"
    "  serviceAccountName: web\n"
    "  containers:\n"
    "  - name: a\n"
    "    image: b:1\n"
    "    args: ['--pw=$(PASSWORD)']\n"
    "    envFrom: [{configMapRef: {name: settings}}]\n"
    "    env:\n"
    "    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: key, key: password}}}\n"
    "    - {name: OLD, valueFrom: {secretKeyRef: {name: key, key: old}}}\n"
    "    volumeMounts: [{name: v, mountPath: /v}, {name: s, mountPath: /s}]\n"
    "  volumes:\n"
    "  - {name: v, persistentVolumeClaim: {claimName: data}}\n"
    "  - {name: s, secret: {secretName: key}}\n"
    "  - {name: t, projected: {sources: [{serviceAccountToken: {path: tok}}]}}\n"
    "---\nkind: ConfigMap\n" SHOP "settings}\ndata: {MODE: fast, LEVEL: '7'}\n"
    "---\nkind: Secret\n" SHOP "key}\n"
    "data: {old: cGxhbnRlZC1vbGQ=, password: d3Jvbmc=}\nstringData: {password: planted-new}\n"
    "---\nkind: Secret\n" SHOP "pull}\nstringData: {.dockerconfigjson: '{\"auths\":{\"r.example\":"
    "{\"username\":\"u\",\"password\":\"planted-pull\"}}}'}\n"
    "---\nkind: List\nitems:\n"
    "- kind: PersistentVolume\n  metadata: {name: pv-1}\n"
    "  spec: {nfs: {server: 10.0.0.7, path: /x}}\n"
    "- kind: PersistentVolumeClaim\n  " SHOP "data}\n  spec: {volumeName: pv-1}\n"
    "---\nkind: ServiceAccount\n" SHOP "web}\nimagePullSecrets: [{name: pull}]\n"
    "automountServiceAccountToken: false\n"
    "---\nkind: Service\n" SHOP "db}\nspec: {ports: [{port: 5432}]}\n"
    "---\nkind: Service\n" SHOP "cache}\nspec: {clusterIP: 10.1.1.1, ports: [{port: 11}]}\n"
    "---\nkind: Service\n" SHOP "far}\nspec: {type: ExternalName, externalName: x.example}\n"
    "---\nkind: Service\nmetadata: {name: kubernetes}\n"
    "spec: {clusterIP: 10.1.0.1, ports: [{name: https, port: 443}]}\n";

static void test_explain_finds_what_pods_refer_to(void **state)
{
    assert_int_equal(explain(*state, shop, "text"), CLI_OK);
    assert_says(" Pod shop/web: can run\n");
    assert_says("Key = MODE\n");
    /* Maps are sorted by the API server. */
    assert_true(strstr(out_text, "Key = LEVEL\n") < strstr(out_text, "Key = MODE\n"));
    assert_says("ConfigFileToPath.1.Path = old\n");
    assert_says("Value = fast\n");
    assert_says("Key = PASSWORD\n");
    assert_says("  Container.1.Arg.1 = ******\n");
    assert_says("Key = DB_SERVICE_HOST\n");
    assert_says("Value = <clusterIP of Service db>\n");
    assert_says("Value = tcp://10.1.1.1:11\n");
    assert_says("Key = KUBERNETES_SERVICE_HOST\n");
    assert_not_said("FAR_");
    assert_says("  Volume.1.NFSVolume.Server = 10.0.0.7\n");
    assert_says("ConfigFileToPath.2.Path = password\n");
    assert_says("ConfigFileToPath.2.Content = ******\n");
    assert_says("  ImageRegistryCredential.1.Server = r.example\n");
    assert_says("  ImageRegistryCredential.1.Password = ******\n");
    assert_says("  warning  line 17: ServiceAccountTokenNotRenewed: "
                "spec.volumes[2].projected.sources[0].serviceAccountToken: the token ends at "
                "<creation + 3600 s>");
    assert_not_said("planted");
    assert_not_said("cGxhbnRlZ");
    assert_not_said("kube-api-access");
    assert_null(strstr(err_memory, "not given"));
    assert_null(strstr(err_memory, "left out"));
    assert_int_equal(explain(*state, shop, "json"), CLI_OK);
    assert_says("\"Container.1.Arg.1\":\"******\"");
    assert_not_said("planted");
    assert_not_said("cGxhbnRlZ");
    assert_int_equal(explain(*state,
                             POD("a", "", "  imagePullSecrets: []\n") /* as good as none */
                             "---\nkind: ServiceAccount\nmetadata: {name: default}\n"
                             "imagePullSecrets: [{name: none}]\n",
                             "text"),
                     CLI_OK);
    assert_says("there is no Secret default/none");
    assert_int_equal(
        explain(*state,
                POD("a", "", "") "---\nkind: Service\nmetadata: {name: kn}\n"
                                 "apiVersion: serving.knative.dev/v1\nspec: {template: {}}\n",
                "text"),
        CLI_OK);
    assert_not_said("KN_SERVICE_HOST");
    assert_non_null(strstr(err_memory, "Service kn: no pod, left out"));
}

/* What is not there is told by the names that events have at run time, on its line. */
static void test_explain_names_what_is_missing(void **state)
{
    static const struct {
        const char *members;
        const char *text; /* of the remark */
        enum cli_exit code;
    } rows[] = {
        {"    envFrom: [{configMapRef: {name: x}}]\n",
         "  refused  line 9: MandatoryConfigMapNotFound: "
         "spec.containers[0].envFrom[0].configMapRef: there is no ConfigMap default/x\n",
         CLI_FAILED},
        {"    envFrom: [{secretRef: {name: x}}]\n",
         "  refused  line 9: MandatorySecretNotFound: ", CLI_FAILED},
        {"    envFrom: [{secretRef: {name: x, optional: true}}]\n",
         "  warning  line 9: OptionalSecretNotFound: ", CLI_OK},
        {"    env: [{name: A, valueFrom: {configMapKeyRef: {name: map, key: x}}}]\n",
         "  refused  line 9: MandatoryConfigMapKeyNotFound: ", CLI_FAILED},
        {"    env: [{name: A, valueFrom: {configMapKeyRef: {name: map, key: x, "
         "optional: true}}}]\n",
         "  warning  line 9: OptionalConfigMapKeyNotFound: ", CLI_OK},
        {"  volumes: [{name: v, persistentVolumeClaim: {claimName: x}}]\n",
         "  refused  line 9: FailedMount: spec.volumes[0].persistentVolumeClaim: there is no "
         "PersistentVolumeClaim default/x\n",
         CLI_FAILED},
        {"  volumes: [{name: v, persistentVolumeClaim: {claimName: free}}]\n",
         "the claim free is not bound to a volume yet\n", CLI_FAILED},
        {"  serviceAccountName: who\n  volumes: [{name: v, projected: {sources: "
         "[{serviceAccountToken: {path: t}}]}}]\n",
         "there is no token of the ServiceAccount who yet: there is no such account\n", CLI_FAILED},
    };
    char text[2048];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(
            text, sizeof(text),
            POD("web", "", "") "%s---\nkind: ConfigMap\nmetadata: {name: map}\n"
                               "---\nkind: ConfigMap\nmetadata: {name: x, namespace: yard}\n"
                               "---\nkind: PersistentVolumeClaim\nmetadata: {name: free}\n"
                               "spec: {}\n",
            rows[i].members);
        assert_int_equal(explain(*state, text, "text"), rows[i].code);
        assert_says(rows[i].text);
        assert_says(rows[i].code == CLI_OK ? ": can run\n" : ": has to wait\n");
    }
    assert_int_equal(
        explain(*state, POD("web", "", "") "    envFrom: [{secretRef: {name: x}}]\n", "json"),
        CLI_FAILED);
    assert_says("\"line\":9,\"reason\":\"MandatorySecretNotFound\",\"where\":");
}

/* How claims of manifests find their volumes; what a cluster has written counts as it is. */
static void test_explain_binds_claims(void **state)
{
    static const struct {
        const char *claim; /* spec and status */
        const char *volume;
        enum cli_exit code;
    } rows[] = {
        {"spec: {volumeName: pv}", "metadata: {name: pv}\nspec: {", CLI_OK},
        {"spec: {volumeName: other}", "metadata: {name: pv}\nspec: {", CLI_FAILED},
        {"spec: {}", "metadata: {name: pv}\nspec: {claimRef: {namespace: default, name: data}, ",
         CLI_OK},
        {"spec: {}", "metadata: {name: pv}\nspec: {claimRef: {namespace: else, name: data}, ",
         CLI_FAILED},
        {"spec: {selector: {matchLabels: {a: b, c: d}}}",
         "metadata: {name: pv, labels: {c: d, e: f, a: b}}\nspec: {", CLI_OK},
        {"spec: {selector: {matchLabels: {a: b, c: d}}}",
         "metadata: {name: pv, labels: {c: d}}\nspec: {", CLI_FAILED},
        {"spec: {selector: {matchLabels: {}}}", "metadata: {name: pv}\nspec: {", CLI_FAILED},
        {"spec: {volumeName: pv}\nstatus: {phase: Lost}", "metadata: {name: pv}\nspec: {",
         CLI_FAILED},
        {"spec: {volumeName: pv}\nstatus: {phase: Bound}", "metadata: {name: pv}\nspec: {", CLI_OK},
    };
    static const char pod[] = /* and its claim */
        "kind: Pod\nmetadata: {name: web}\nspec:\n"
        "  containers: [{name: a, image: b}]\n"
        "  volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]\n"
        "---\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n";
    char text[2048];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s%s\n---\nkind: PersistentVolume\n%s%s\n", pod,
                       rows[i].claim, rows[i].volume, "nfs: {server: s, path: /p}}");
        if (explain(*state, text, "text") != rows[i].code) {
            fail_msg("%s, %s: %s", rows[i].claim, rows[i].volume, out_text);
        }
        assert_says(rows[i].code == CLI_OK ? "  Volume.1.NFSVolume.Server = s\n" : "has to wait");
    }
}

/* What the API server fills in is in the request, too; what is said is kept. */
static void test_explain_fills_in_defaults(void **state)
{
    static const char text[] = "kind: Pod\nmetadata: {name: web}\nspec:\n"
                               "  terminationGracePeriodSeconds: null\n"
                               "  containers:\n"
                               "  - name: a\n"
                               "    image: b:1\n"
                               "    livenessProbe: {httpGet: {port: 80}, periodSeconds: 7}\n"
                               "    readinessProbe: {tcpSocket: {port: 80}, failureThreshold: 5}\n"
                               "  volumes:\n"
                               "  - {name: m, configMap: {name: map}}\n"
                               "  - {name: k, secret: {secretName: key, defaultMode: 256}}\n"
                               "---\nkind: ConfigMap\nmetadata: {name: map}\ndata: {a: b}\n"
                               "---\nkind: Secret\nmetadata: {name: key}\ndata: {a: Yg==}\n";
    static const char *const lines[] = {
        "TerminationGracePeriodSeconds = 30",
        "Container.1.TerminationMessagePath = /dev/termination-log",
        "Container.1.TerminationMessagePolicy = File",
        "Container.1.LivenessProbe.HttpGet.Path = /",
        "Container.1.LivenessProbe.HttpGet.Scheme = HTTP",
        "Container.1.LivenessProbe.TimeoutSeconds = 1",
        "Container.1.LivenessProbe.PeriodSeconds = 7",
        "Container.1.LivenessProbe.SuccessThreshold = 1",
        "Container.1.LivenessProbe.FailureThreshold = 3",
        "Container.1.ReadinessProbe.PeriodSeconds = 10",
        "Container.1.ReadinessProbe.FailureThreshold = 5",
        "Volume.1.ConfigFileVolume.DefaultMode = 0644",
        "Volume.2.ConfigFileVolume.DefaultMode = 0400",
    };
    assert_int_equal(explain(*state, text, "text"), CLI_OK);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_says(lines[i]);
    }
}

/* The volume with the account's token comes by itself, unless the pod or its account forbids it. */
static void test_explain_token_volumes(void **state)
{
    static const char text[] = "the service account token is not provided";
    assert_int_equal(explain(*state, POD("web", "", ""), "text"), CLI_OK);
    assert_says(text);
    assert_int_equal(
        explain(*state, POD("web", "", "  automountServiceAccountToken: false\n"), "text"), CLI_OK);
    assert_not_said(text);
    assert_int_equal(
        explain(*state,
                POD("web", "", "  volumes: [{name: kube-api-access-abcde, projected: {}}]\n"),
                "text"),
        CLI_OK);
    const char *once = strstr(out_text, text);
    assert_non_null(once);
    assert_null(strstr(once + 1, text));
    assert_int_equal(explain(*state, POD("web", "", "  volumes: 7\n"), "text"), CLI_FAILED);
    assert_says("  refused  line 6: spec.volumes: must be a list\n");
}

/* The volume and its mounts, as the admission plugin makes them; not where they are already. */
static void test_explain_gives_tokens_that_are_asked_for(void **state)
{
#define FILE(at) "\n  Volume.2.ConfigFileVolume.ConfigFileToPath." #at
    static const char asks[] =
        "  automountServiceAccountToken: true\n  volumes: [{name: v}]\n"
        "  initContainers: [{name: i, image: b, volumeMounts: [{name: v, mountPath: /v}]}]\n";
    static const char mounted[] =
        "kind: Pod\nmetadata: {name: p}\nspec:\n  automountServiceAccountToken: true\n"
        "  volumes: [{name: kube-api-access-abcde, emptyDir: {}}]\n  containers:\n"
        "  - {name: a, image: b, volumeMounts: [{name: kube-api-access-abcde, "
        "mountPath: /var/run/secrets/kubernetes.io/serviceaccount}]}\n";
    char text[1024];

    (void)snprintf(text, sizeof(text), POD("web", "", "%s"), asks);
    assert_int_equal(explain(*state, text, "text"), CLI_OK);
    assert_not_said("is not provided");
    assert_says("\n  Volume.2.Name = kube-api-access-xxxxx\n  Volume.2.Type = ConfigFileVolume\n");
    assert_says(FILE(1) ".Path = token\n");
    assert_says(FILE(1) ".Content = ******");
    assert_says(FILE(2) ".Path = ca.crt");
    assert_says(FILE(3) ".Path = namespace");
    assert_says("\n  Container.1.VolumeMount.1.Name = kube-api-access-xxxxx\n"
                "  Container.1.VolumeMount.1.MountPath = "
                "/var/run/secrets/kubernetes.io/serviceaccount\n"
                "  Container.1.VolumeMount.1.ReadOnly = true\n");
    assert_says("\n  InitContainer.1.VolumeMount.1.Name = v\n");
    assert_says("\n  InitContainer.1.VolumeMount.2.Name = kube-api-access-xxxxx\n");
    assert_int_equal(explain(*state, mounted, "text"), CLI_OK);
    assert_says("\n  Volume.1.Type = EmptyDirVolume\n");
    assert_not_said("Volume.2");
    assert_not_said("VolumeMount.2");
#undef FILE
}

static const char *second_file(struct fixture *fixture, const char *name, const char *text)
{
    return fixture_write(fixture, name, text, strlen(text));
}

static void test_explain_several_files(void **state)
{
    struct fixture *fixture = *state;
    const char *pod =
        write_manifest(fixture, POD("web", "", "") "    envFrom: [{configMapRef: {name: map}}]\n");
    const char *map = second_file(fixture, "map.yaml",
                                  "kind: ConfigMap\nmetadata: {name: map}\ndata: {A: one}\n");
    const char *more = second_file(fixture, "more.yaml", POD("more", "", ""));
    assert_int_equal(RUN(fixture, "explain", "-f", pod), CLI_FAILED);
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "-f", map), CLI_OK);
    assert_says("Value = one\n");
    assert_int_equal(RUN(fixture, "explain", "-f", map, "-f", more, "-f", pod, "-o", "json"),
                     CLI_OK);
    assert_says("more.yaml\",\"line\":1,\"kind\":\"Pod\"");
    assert_says("pods.yaml\",\"line\":1,\"kind\":\"Pod\"");
    assert_int_equal(RUN(fixture, "explain", "-f", map), CLI_FAILED);
    assert_non_null(strstr(err_memory, "there is no pod in it"));
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "-f", "/nonexistent"), CLI_FAILED);
#define F "-f", map
    assert_int_equal(RUN(fixture, "explain", F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F),
                     CLI_USAGE);
    assert_non_null(strstr(err_memory, "more than 16 files"));
#undef F
}

static void test_explain_too_many_objects(void **state)
{
    static char text[YAML_BYTES_MAX];
    size_t bytes = (size_t)snprintf(text, sizeof(text), "kind: List\nitems:\n");
    for (int i = 0; i <= EXPLAIN_OBJECTS_MAX; i++) {
        bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes,
                                  "- {kind: Secret, metadata: {name: s%d}}\n", i);
    }
    assert_int_equal(explain(*state, text, "text"), CLI_FAILED);
    assert_non_null(strstr(err_memory, "more than 1024 ConfigMaps, Secrets"));
}

/* ---- the eci-profile ------------------------------------------------------------------------- */

#define PROFILE(data) \
    "kind: ConfigMap\nmetadata: {name: eci-profile, namespace: kube-system}\ndata:\n" data
#define SELECTORS \
    PROFILE("  vSwitchIds: vsw-7,vsw-8\n" \
            "  selectors: |\n" \
            "    [{\"name\":\"prod\",\"namespaceSelector\":{\"matchLabels\":{\"env\":\"prod\"}}," \
            "\"effect\":{\"annotations\":{\"k8s.aliyun.com/eci-use-specs\":\"4-8Gi\"}," \
            "\"labels\":{\"team\":\"blue\"}}},\n" \
            "     {\"name\":\"none\",\"objectSelector\":{\"matchLabels\":{\"never\":\"ever\"}}," \
            "\"effect\":{\"annotations\":{\"k8s.aliyun.com/eci-with-eip\":\"false\"}}},\n" \
            "     {\"name\":\"all\",\"effect\":{\"annotations\":" \
            "{\"k8s.aliyun.com/eci-with-eip\":\"true\"}}}]\n")

static void test_explain_a_profile(void **state)
{
    struct fixture *fixture = *state;
    const char *profile = second_file(fixture, "profile.yaml", SELECTORS);
    const char *prod = second_file(
        fixture, "prod.yaml", "kind: Namespace\nmetadata: {name: shop, labels: {env: prod}}\n");
    const char *pod =
        write_manifest(fixture, POD("web", "  labels: {a: b}\n",
                                    "") "    env: [{name: TEAM, valueFrom: {fieldRef: {fieldPath: "
                                        "\"metadata.labels['team']\"}}}]\n");
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "--profile", profile, "--namespace", prod),
                     CLI_OK);
    assert_says(
        ":1: Pod shop/web: can run\n"
        "  profile  a selector matches: prod\n"
        "  profile  with the effect of prod\n"
        "  profile  with the effect of all\n"
        "  profile  adds /metadata/annotations = {\"k8s.aliyun.com/eci-use-specs\":\"4-8Gi\","
        "\"k8s.aliyun.com/eci-with-eip\":\"true\"}\n"
        "  profile  adds /metadata/labels/team = \"blue\"\n"
        "  profile  adds /spec/tolerations = [{\"key\":\"virtual-kubelet.io/provider\","
        "\"operator\":\"Exists\"}]\n"
        "  profile  adds /spec/nodeSelector = {\"type\":\"virtual-kubelet\"}\n"
        "  billed   4 vCPU, 8 GiB\n");
    assert_says("  VSwitchId = vsw-7,vsw-8\n");
    assert_says("  AutoCreateEip = true\n");
    assert_says("  Container.1.EnvironmentVar.1.Value = blue\n");
    assert_null(strstr(err_memory, "ECI_VSWITCH"));
    assert_int_equal(
        RUN(fixture, "explain", "-f", pod, "--profile", profile, "--namespace", prod, "-o", "json"),
        CLI_OK);
    assert_says("\"profile\":{\"why\":\"a selector matches\",\"selector\":\"prod\",\"effects\":"
                "[\"prod\",\"all\"],\"warnings\":[],\"patch\":[{\"op\":\"add\",");
}

/* A pod that no selector matches is left as it is; one that chooses the node has the effects that
 * are for all; burst-resource. */
static void test_explain_a_profile_that_does_not_match(void **state)
{
    struct fixture *fixture = *state;
    const char *profile = second_file(fixture, "profile.yaml", SELECTORS);
    const char *pod = write_manifest(fixture, POD("web", "", ""));
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "--profile", profile), CLI_OK);
    assert_says("  profile  no selector matches: it runs here only if it chooses the node\n"
                "  billed   2 vCPU, 4 GiB\n");
    assert_not_said("adds");
    pod = write_manifest(fixture, POD("web", "", "  nodeSelector: {type: virtual-kubelet}\n"));
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "--profile", profile), CLI_OK);
    assert_says("  profile  the pod chooses the node itself\n  profile  with the effect of all\n");
    assert_says("  AutoCreateEip = true\n");
    pod = write_manifest(fixture,
                         POD("web", "  annotations: {alibabacloud.com/burst-resource: eci}\n", ""));
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "--profile", profile), CLI_OK);
    assert_says("  profile  alibabacloud.com/burst-resource asks for it\n"
                "  profile  adds /spec/tolerations");
    assert_says("adds /spec/affinity = {\"nodeAffinity\"");
    pod = write_manifest(
        fixture, POD("web", "  annotations: {alibabacloud.com/burst-resource: maybe}\n", ""));
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "--profile", profile), CLI_OK);
    assert_says("\"maybe\" is neither eci nor eci_only");
    pod = write_manifest(fixture, POD("web", "  labels: 7\n", ""));
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "--profile", profile), CLI_OK);
}

/* The patch goes into what is there already: lists, maps, keys with a slash. */
static void test_explain_patches_what_is_there(void **state)
{
    struct fixture *fixture = *state;
    const char *profile = second_file(fixture, "profile.yaml", SELECTORS);
    const char *prod = second_file(fixture, "prod.yaml",
                                   "kind: Namespace\nmetadata: {name: p, labels: {env: prod}}\n");
    static const char text[] =
        "kind: Pod\n"
        "metadata:\n"
        "  name: web\n"
        "  labels: {team: red}\n"
        "  annotations: {k8s.aliyun.com/eci-with-eip: 'false'}\n"
        "spec:\n"
        "  tolerations: [{key: x, operator: Exists}]\n"
        "  nodeSelector: {disk: ssd}\n"
        "  containers:\n"
        "  - name: a\n"
        "    image: b:1\n"
        "    env:\n"
        "    - name: TEAM\n"
        "      valueFrom: {fieldRef: {fieldPath: \"metadata.labels['team']\"}}\n";
    const char *pod = write_manifest(fixture, text);
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "--profile", profile, "--namespace", prod),
                     CLI_OK);
    assert_says("  profile  adds /metadata/annotations/k8s.aliyun.com~1eci-use-specs = \"4-8Gi\"\n"
                "  profile  adds /spec/tolerations/- = {\"key\":\"virtual-kubelet.io/provider\","
                "\"operator\":\"Exists\"}\n"
                "  profile  adds /spec/nodeSelector/type = \"virtual-kubelet\"\n"
                "  billed   4 vCPU, 8 GiB\n");
    assert_says("  Container.1.EnvironmentVar.1.Value = red\n"); /* the pod's own word counts */
    assert_not_said("AutoCreateEip = true");
    pod = write_manifest(
        fixture,
        POD("web", "  annotations: {alibabacloud.com/burst-resource: eci}\n",
            "  affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}\n"));
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "--profile", profile), CLI_OK);
    assert_says("preferredDuringSchedulingIgnoredDuringExecution/- = {\"weight\":100,");
}

static void test_explain_bad_profiles(void **state)
{
    struct fixture *fixture = *state;
    const char *pod = write_manifest(fixture, POD("web", "", ""));
    static const struct {
        const char *text;
        const char *err;
    } rows[] = {
        {PROFILE("  selectors: '[{]'\n"), "selectors: line 1, column "},
        {"kind: ConfigMap\nmetadata: {name: other}\n", "no ConfigMap with the name eci-profile"},
        {"a: b: c\n", ":1:5: "},
        {"a: b\na: c\n", "duplicate keys"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *profile = second_file(fixture, "profile.yaml", rows[i].text);
        assert_int_equal(RUN(fixture, "explain", "-f", pod, "--profile", profile), CLI_FAILED);
        if (strstr(err_memory, rows[i].err) == NULL) {
            fail_msg("%s: %s", rows[i].text, err_memory);
        }
    }
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "--profile", "/nonexistent"), CLI_FAILED);
    const char *space = second_file(fixture, "space.yaml", "kind: Node\nmetadata: {name: nn}\n");
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "--namespace", space), CLI_FAILED);
    assert_non_null(strstr(err_memory, "there is no Namespace in it"));
    space = second_file(fixture, "space.yaml", "a: b: c\n");
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "--namespace", space), CLI_FAILED);
    assert_non_null(strstr(err_memory, "space.yaml:1:5: "));
    char many[(EXPLAIN_DOCUMENTS_MAX + 1) * 8] = "";
    for (size_t i = 0; i <= EXPLAIN_DOCUMENTS_MAX; i++) {
        memcpy(many + strlen(many), "---\n7\n", sizeof("---\n7\n"));
    }
    space = second_file(fixture, "space.yaml", many);
    assert_int_equal(RUN(fixture, "explain", "-f", pod, "--namespace", space), CLI_FAILED);
    assert_non_null(strstr(err_memory, "space.yaml: more than 256 documents"));
    assert_int_equal(RUN(fixture, "lint", "-f", pod, "--profile", pod), CLI_USAGE);
    assert_int_equal(RUN(fixture, "lint", "-f", pod, "-f", pod), CLI_USAGE);
    assert_non_null(strstr(err_memory, "one FILE at a time"));
}

/* ---- torture --------------------------------------------------------------------------------- */

#define TORTURE_TAKES_MAX 20000

static const char torture_text[] =
    "kind: Pod\n"
    "metadata: {name: \"w\\u0065b\", annotations: {k8s.aliyun.com/eci-with-eip: 'true'}}\n"
    "spec:\n"
    "  serviceAccountName: sa\n"
    "  volumes:\n"
    "  - {name: c, configMap: {name: cm}}\n"
    "  - {name: p, persistentVolumeClaim: {claimName: pvc}}\n"
    "  - {name: t, projected: {sources: [{serviceAccountToken: {path: t}}]}}\n"
    "  - {name: h, hostPath: {path: /x}}\n"
    "  containers:\n"
    "  - name: a\n"
    "    image: b:1\n"
    "    command: [\"$(K)\"]\n"
    "    resources: {requests: {cpu: 300m, memory: 100Mi, ephemeral-storage: 40Gi}}\n"
    "    volumeMounts: [{name: c, mountPath: /c}, {name: p, mountPath: /p}]\n"
    "    env:\n"
    "    - {name: K, valueFrom: {secretKeyRef: {name: s, key: k}}}\n"
    "    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}\n"
    "    envFrom: [{configMapRef: {name: cm}}]\n"
    "---\n"
    "kind: List\n"
    "items:\n"
    "- {kind: ConfigMap, metadata: {name: cm}, data: {A: &x \"1\", B: *x}}\n"
    "- {kind: Secret, metadata: {name: s}, stringData: {k: planted}}\n"
    "- {kind: Service, metadata: {name: svc}, spec: {ports: [{port: 80}]}}\n"
    "- {kind: ServiceAccount, metadata: {name: sa}, imagePullSecrets: [{name: pull}]}\n"
    "- {kind: PersistentVolumeClaim, metadata: {name: pvc}, spec: {volumeName: pv}}\n"
    "- {kind: PersistentVolume, metadata: {name: pv}, spec: {nfs: {server: nas, path: /}}}\n";

/* How many takes are left until the one that is to fail; 0: it has failed. */
static uint64_t takes_left(uint64_t countdown)
{
    char room[64];
    struct arena probe;
    for (uint64_t i = 1; i <= countdown; i++) {
        arena_init(&probe, room, sizeof(room));
        if (arena_take(&probe, 1) == NULL) {
            return i;
        }
    }
    return 0;
}

/* Those of reading the configuration, which has a test of its own. */
static uint64_t takes_before(struct fixture *fixture, const char *conf)
{
    arena_fail_at(TORTURE_TAKES_MAX);
    (void)RUN(fixture, "explain", "--config", conf, "-f", "/nonexistent");
    return TORTURE_TAKES_MAX - takes_left(TORTURE_TAKES_MAX) - 1; /* of explain: two */
}

/* A pod that can run is said to only with all that is said about it; the end may be missing. */
static bool is_honest(enum cli_exit code, const char *right, const char *can_run)
{
    const char *found = strstr(out_text, can_run);
    bool is_json = can_run[0] == '"';
    const char *end = is_json ? strstr(right, "],\"allCanRun\"") : right + strlen(right);
    if (code == CLI_OK) {
        return strcmp(out_text, right) == 0;
    }
    return strstr(out_text, "\"allCanRun\":true") == NULL &&
           (found == NULL || strncmp(out_text, right, (size_t)(end - right)) == 0) &&
           (out_text[0] != '\0' || err_memory[0] != '\0');
}

/* With the 1st, 2nd, 3rd ... take of an arena failing. */
static void torture(struct fixture *fixture, const char *form)
{
    static char right[1024 * 1024];
    const char *conf = fixture_conf(fixture, FIXTURE_LEAST "HOST_PATHS=/x\n");
    const char *pod = write_manifest(fixture, torture_text);
    const char *profile = second_file(fixture, "profile.yaml", SELECTORS);
    const char *space = second_file(
        fixture, "space.yaml", "kind: Namespace\nmetadata: {name: shop, labels: {env: prod}}\n");
    const char *can_run = strcmp(form, "json") == 0 ? "\"canRun\":true" : ": can run";
    uint64_t before = takes_before(fixture, conf), nth = 0;
    for (; nth < TORTURE_TAKES_MAX; nth++) {
        arena_fail_at(nth > 0 ? nth + before : 0);
        enum cli_exit code = RUN(fixture, "explain", "--config", conf, "-f", pod, "--profile",
                                 profile, "--namespace", space, "-o", form);
        assert_not_said("planted");
        if (nth == 0) {
            if (code != CLI_OK) {
                fail_msg("%s\n%s", out_text, err_memory);
            }
            assert_true(strlen(out_text) < sizeof(right));
            strcpy(right, out_text);
        } else if (takes_left(nth + before) > 0) {
            break;
        } else if (!is_honest(code, right, can_run)) {
            fail_msg("take %llu fails: %d, and half an answer:\n%s\n%s", (unsigned long long)nth,
                     code, out_text, err_memory);
        }
    }
    arena_fail_at(0);
    print_message("%s: %llu takes\n", form, (unsigned long long)nth - 1);
    assert_in_range(nth, 300, TORTURE_TAKES_MAX - 1);
}

static void test_explain_without_memory(void **state)
{
    torture(*state, "text");
    torture(*state, "json");
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
        TEST(test_explain_host_paths),
        TEST(test_explain_workloads),
        TEST(test_explain_workloads_of_other_groups),
        TEST(test_explain_stateful_sets),
        TEST(test_explain_claims_of_templates),
        TEST(test_explain_daemon_sets_wait),
        TEST(test_explain_lines),
        TEST(test_explain_texts_without_quotes),
        TEST(test_explain_objects_without_quotes),
        TEST(test_explain_types),
        TEST(test_explain_json),
        TEST(test_explain_counts_what_it_cannot_keep),
        TEST(test_explain_bad_manifests),
        TEST(test_explain_big_manifests),
        TEST(test_explain_finds_what_pods_refer_to),
        TEST(test_explain_names_what_is_missing),
        TEST(test_explain_binds_claims),
        TEST(test_explain_fills_in_defaults),
        TEST(test_explain_token_volumes),
        TEST(test_explain_gives_tokens_that_are_asked_for),
        TEST(test_explain_several_files),
        TEST(test_explain_too_many_objects),
        TEST(test_explain_a_profile),
        TEST(test_explain_a_profile_that_does_not_match),
        TEST(test_explain_patches_what_is_there),
        TEST(test_explain_bad_profiles),
        TEST(test_explain_wrong_usage),
        TEST(test_explain_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
