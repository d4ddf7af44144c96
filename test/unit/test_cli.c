/* The command line as a user meets it: commands, options, help, what goes where, exit codes. */
#include "unit/config_fixture.h"

#include "app/cli.h"
#include "app/run.h"

/* ---- the world --------------------------------------------------------------------------------
 */

static const struct config *run_config; /* what run_main was called with */
static int run_result;

int run_main(const struct config *config)
{
    run_config = config;
    return run_result;
}

#define ARGUMENTS_MAX 12

static struct cli cli;
static char out_memory[CLI_OUT_BYTES + 1];
static char err_memory[CLI_ERR_BYTES + 1];

/* Runs `ecilet` with a NULL-terminated list of arguments; no default file, the environment given.
 */
static enum cli_exit ecilet(struct fixture *fixture, const char *const *environment,
                            const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX + 2] = {(char *)(uintptr_t) "ecilet"};
    int argc = 1;
    for (; arguments[argc - 1] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
    }
    cli = (struct cli){.environment = environment,
                       .config = &fixture->config,
                       .secrets = &fixture->secrets,
                       .scratch = &fixture->scratch,
                       .source = {.file_default = "/nonexistent/ecilet.conf"}};
    arena_init(&fixture->scratch, fixture->scratch_memory, CONFIG_SCRATCH_BYTES);
    buf_init(&cli.out, out_memory, CLI_OUT_BYTES);
    buf_init(&cli.err, err_memory, CLI_ERR_BYTES);
    run_config = NULL;
    enum cli_exit code = cli_run(&cli, argc, argv);
    assert_true(buf_ok(&cli.out) && buf_ok(&cli.err));
    out_memory[cli.out.bytes] = '\0';
    err_memory[cli.err.bytes] = '\0';
    return code;
}

#define ECILET(fixture, ...) ecilet(fixture, NULL, (const char *const[]){__VA_ARGS__, NULL})

static void assert_out(const char *text)
{
    if (strstr(out_memory, text) == NULL) {
        fail_msg("\"%s\" is not in the output:\n%s", text, out_memory);
    }
}

static void assert_err(const char *text)
{
    if (strstr(err_memory, text) == NULL) {
        fail_msg("\"%s\" is not in the errors:\n%s", text, err_memory);
    }
}

/* ---- run --------------------------------------------------------------------------------------
 */

static void test_cli_run_is_the_default(void **state)
{
    struct fixture *fixture = *state;
    const char *conf = fixture_conf(fixture, FIXTURE_LEAST);
    run_result = 0;
    assert_int_equal(ECILET(fixture, "--config", conf), CLI_OK);
    assert_ptr_equal(run_config, &fixture->config);
    assert_false(run_config->print_budget);
    assert_string_equal(err_memory, "");
    assert_int_equal(ECILET(fixture, "run", "--config", conf), CLI_OK);
    assert_non_null(run_config);
    run_result = 1;
    assert_int_equal(ECILET(fixture, "--config", conf), CLI_FAILED);
}

static void test_cli_run_takes_the_arguments_of_virtual_nodes(void **state)
{
    struct fixture *fixture = *state;
    const char *conf = fixture_conf(fixture, FIXTURE_LEAST);
    run_result = 0;
    assert_int_equal(
        ECILET(fixture, "--provider", "alibabacloud", "--nodename", "vk-2", "--config", conf),
        CLI_OK);
    assert_str(run_config->node_name, "vk-2");
    assert_int_equal(
        ECILET(fixture, "--provider=alibabacloud", "--nodename=vk-3", "--config", conf), CLI_OK);
    assert_str(run_config->node_name, "vk-3");
    assert_int_equal(ECILET(fixture, "--provider", "aws", "--config", conf), CLI_USAGE);
    assert_err("only alibabacloud is known");
    assert_null(run_config);
}

static void test_cli_run_options(void **state)
{
    struct fixture *fixture = *state;
    char config_option[160];
    const char *conf = fixture_conf(fixture, FIXTURE_LEAST);
    (void)snprintf(config_option, sizeof(config_option), "--config=%s", conf);
    run_result = 0;
    assert_int_equal(ECILET(fixture, "--kubeconfig", "/other", "--log-level=debug",
                            "--print-budget", config_option, "--nodename", "first", "--nodename",
                            "last"),
                     CLI_OK);
    assert_str(run_config->kubeconfig, "/other");
    assert_int_equal(run_config->log_level, LOG_DEBUG);
    assert_true(run_config->print_budget);
    assert_str(run_config->node_name, "last");
    log_set_level(LOG_INFO);
}

static void test_cli_run_refuses_a_bad_configuration(void **state)
{
    struct fixture *fixture = *state;
    const char *conf = fixture_conf(fixture, FIXTURE_LEAST "NODE_NAM=x\n");
    assert_int_equal(ECILET(fixture, "--config", conf), CLI_USAGE);
    assert_null(run_config);
    assert_err("NODE_NAM: unknown key; did you mean NODE_NAME?\n");
    assert_err("ecilet: the configuration cannot be used\n");
    assert_string_equal(out_memory, "");
    assert_int_equal(ECILET(fixture, "--nodename", "Bad_Name"), CLI_USAGE);
    assert_err("command line: --nodename: \"Bad_Name\" must be");
}

/* ---- arguments --------------------------------------------------------------------------------
 */

static void test_cli_wrong_arguments(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *arguments[4];
        const char *err;
    } rows[] = {
        {{"--nodname", "x"}, "ecilet: unknown option --nodname\nTry: ecilet help\n"},
        {{"--ECI_SECRET_KEY=PlantedSecret"}, "unknown option --ECI_SECRET_KEY\n"},
        {{"-x"}, "unknown option -x\n"},
        {{"-"}, "unknown option -\n"},
        {{"--"}, "unknown option --\n"},
        {{"--nodename"}, "--nodename needs a value: NAME\n"},
        {{"--nodename="}, "--nodename needs a value: NAME\n"},
        {{"--nodename", ""}, "--nodename needs a value: NAME\n"},
        {{"--nodename", "--provider"}, "--nodename needs a value: NAME\n"},
        {{"--print-budget=yes"}, "--print-budget takes no value\n"},
        {{"chekc"}, "unknown command chekc; did you mean check?\n"},
        {{"delete-everything"}, "unknown command delete-everything\n"},
        {{"run", "fast"}, "ecilet run: too many arguments\nTry: ecilet help run\n"},
        {{"config-doc"}, "ecilet config-doc: an argument is missing\n"},
        {{"config-doc", "table", "env"}, "ecilet config-doc: too many arguments\n"},
        {{"config-doc", "poem"}, "config-doc: poem: it is one of example, table, env\n"},
        {{"version", "--nodename", "x"}, "ecilet version: it does not take --nodename\n"},
        {{"check", "--print-budget"}, "ecilet check: it does not take --print-budget\n"},
        {{"manifests", "--config=/x"}, "ecilet manifests: it does not take --config\n"},
        {{"help", "chekc"}, "unknown command chekc"},
        {{"run", "--yes"}, "ecilet run: it does not take --yes\n"},
        {{"uninstall", "now"}, "ecilet uninstall: too many arguments\n"},
        {{"uninstall", "--yes"}, "ecilet: the configuration cannot be used\n"},
        {{"manifests", "--nodename", "No_Name"}, "--nodename must be 1 to 63 lower-case"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(ecilet(fixture, NULL, rows[i].arguments), CLI_USAGE);
        assert_err(rows[i].err);
        assert_string_equal(out_memory, "");
        assert_null(run_config);
        assert_null(strstr(err_memory, "Planted"));
    }
    assert_int_equal(ECILET(fixture, "help", "a", "b", "c", "d", "e", "f"), CLI_USAGE);
    assert_err("too many arguments");
}

/* ---- help and version -------------------------------------------------------------------------
 */

static const char *const command_names[] = {"run",        "check",   "manifests",
                                            "config-doc", "explain", "annotations",
                                            "uninstall",  "version", "help"};

static void test_cli_annotations(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ECILET(fixture, "annotations"), CLI_OK);
    assert_out("k8s.aliyun.com/eci-imc-id  or  k8s.aliyun.com/eci-image-snapshot-id\n");
    assert_int_equal(ECILET(fixture, "annotations", "markdown"), CLI_OK);
    assert_out("| `k8s.aliyun.com/eci-with-eip` |");
    assert_int_equal(ECILET(fixture, "annotations", "html"), CLI_USAGE);
    assert_err("it is text or markdown");
}

static void test_cli_help(void **state)
{
    struct fixture *fixture = *state;
    static const char *const ways[] = {"help", "--help", "-h"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ECILET(fixture, ways[i]), CLI_OK);
        assert_out("Usage: ecilet [COMMAND] [OPTIONS]\n");
        for (size_t at = 0; at < sizeof(command_names) / sizeof(command_names[0]); at++) {
            char line[32];
            (void)snprintf(line, sizeof(line), "\n  %s ", command_names[at]);
            assert_out(line);
        }
        assert_string_equal(err_memory, "");
    }
}

static void test_cli_help_of_each_command(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(command_names) / sizeof(command_names[0]); i++) {
        char usage[64];
        (void)snprintf(usage, sizeof(usage), "Usage: ecilet %s", command_names[i]);
        assert_int_equal(ECILET(fixture, "help", command_names[i]), CLI_OK);
        assert_out(usage);
        assert_int_equal(ECILET(fixture, command_names[i], "--help"), CLI_OK);
        assert_out(usage);
        assert_out("--help");
        assert_null(run_config);
        str rest = str_of(out_memory);
        str line;
        while (str_cut(&rest, '\n', &line)) {
            assert_true(line.bytes <= 100);
        }
    }
    assert_int_equal(ECILET(fixture, "help", "manifests"), CLI_OK);
    assert_null(strstr(out_memory, "--print-budget"));
    assert_int_equal(ECILET(fixture, "help", "run"), CLI_OK);
    assert_out("--print-budget");
}

static void test_cli_version(void **state)
{
    struct fixture *fixture = *state;
    static const char *const ways[] = {"version", "--version"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ECILET(fixture, ways[i]), CLI_OK);
        assert_int_equal(strncmp(out_memory, "ecilet ", 7), 0);
        assert_out("\nlibraries: ");
    }
}

static void test_cli_config_doc(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ECILET(fixture, "config-doc", "example"), CLI_OK);
    assert_out("\nECI_REGION=\n");
    assert_int_equal(ECILET(fixture, "config-doc", "table"), CLI_OK);
    assert_out("| `ECI_REGION` |");
    assert_int_equal(ECILET(fixture, "config-doc", "env"), CLI_OK);
    assert_out("- name: ECI_REGION\n");
}

/* ---- manifests --------------------------------------------------------------------------------
 */

static uint32_t count_of(const char *text, const char *needle)
{
    uint32_t count = 0;
    for (const char *at = strstr(text, needle); at != NULL; at = strstr(at + 1, needle)) {
        count++;
    }
    return count;
}

static void test_cli_manifests_are_least_privilege(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ECILET(fixture, "manifests", "--nodename", "vk-7"), CLI_OK);
    assert_string_equal(err_memory, "");
    assert_int_equal(count_of(out_memory, "\n---\n"), 7);
    /* a second node's roles replace nobody's; the usual one's have the plain name */
    assert_int_equal(count_of(out_memory, "  name: ecilet-vk-7\n"), 9);
    assert_int_equal(ECILET(fixture, "manifests"), CLI_OK);
    assert_int_equal(count_of(out_memory, "  name: ecilet\n"), 13);
    assert_int_equal(ECILET(fixture, "manifests", "--nodename", "vk-7"), CLI_OK);
    static const char *const kinds[] = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding",
                                        "Role", "RoleBinding"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "\nkind: %s\n", kinds[i]);
        assert_int_equal(count_of(out_memory, line), i < 3 ? 1 : 2); /* two namespaces' roles */
    }
    /* every rule has a reason, and all that can be bound to the node's name is */
    assert_int_equal(count_of(out_memory, "  - apiGroups:"), 24);
    assert_int_equal(count_of(out_memory, "\n  # "), 24);
    assert_int_equal(count_of(out_memory, "    resourceNames: [\"vk-7\"]\n"), 3);
    assert_out("    resourceNames: [\"ecilet-vk-7\"]\n");
    static const char *const never[] = {"\"*\"",           "[*]",      "cluster-admin",
                                        "\"nodes/proxy\"", "escalate", "impersonate",
                                        "virtual-kubelet"};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        assert_null(strstr(out_memory, never[i]));
    }
    /* the webhook's Secret: made in one namespace, changed by its name only */
    assert_out("    resourceNames: [\"vk-webhook-certs\"]\n    verbs: [get, patch, delete]\n");
    assert_int_equal(count_of(out_memory, "resources: [\"secrets\"]\n    verbs: [create]\n"), 1);
    const char *system = strstr(out_memory, "kind: Role\nmetadata:\n  name: ecilet-vk-7\n"
                                            "  namespace: kube-system\n");
    assert_non_null(system);
    assert_non_null(strstr(system, "resources: [\"secrets\"]\n    verbs: [create]\n"));
    /* one Secret by its name, never all of them */
    assert_out("resources: [\"secrets\"]\n    verbs: [get]\n");
    assert_out("resources: [\"configmaps\"]\n    verbs: [get]\n");
    assert_int_equal(ECILET(fixture, "manifests"), CLI_OK);
    assert_out("resourceNames: [\"virtual-kubelet\"]");
    assert_out("resources: [\"configmaps\"]\n    resourceNames: [\"eci-profile\"]\n");
    assert_null(strstr(out_memory, "kind: Service\n"));
}

/* As in vk.yaml of the seed's 1.4; only when asked for, so that nobody's own is replaced. */
static void test_cli_manifests_have_a_service_when_asked(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ECILET(fixture, "manifests", "--service"), CLI_OK);
    assert_int_equal(count_of(out_memory, "\n---\n"), 8);
    assert_out("\nkind: Service\nmetadata:\n  name: vk-webhook\n  namespace: kube-system\nspec:\n");
    assert_out("  selector:\n    app: virtual-kubelet\n  ports:\n    - port: 443\n"
               "      targetPort: 443");
}

/* ---- check ------------------------------------------------------------------------------------
 */

static void check_with(struct fixture *fixture, const char *ca, const char *kubeconfig,
                       enum cli_exit expected)
{
    char text[1024];
    (void)snprintf(text, sizeof(text),
                   "CLUSTER_TYPE=IDC\nECI_REGION=cn-beijing\nECI_ACCESS_KEY=LTAI5tPlantedId\n"
                   "ECI_SECRET_KEY=PlantedSecretKey0123\nALIYUN_CLUSTERID=idc1\n"
                   "ECI_VSWITCH=vsw-1\nECI_SECURITY_GROUP=sg-1\nECI_CA_FILE=%s\nKUBECONFIG=%s\n",
                   ca, kubeconfig);
    const char *conf = fixture_conf(fixture, text);
    assert_int_equal(ECILET(fixture, "check", "--offline", "--config", conf), expected);
    assert_out("ok    clock");
    assert_null(run_config);
    assert_null(strstr(out_memory, "Planted"));
    assert_null(strstr(err_memory, "Planted"));
}

#define KUBECONFIG_WITH(current, user)                                                            \
    "clusters: [{name: a, cluster: {server: 'https://192.0.2.1:6443'}}]\n"                        \
    "contexts: [{name: c, context: {cluster: a, user: u}}]\n"                                     \
    "users: [{name: u, user: {" user "}}]\n"                                                      \
    "current-context: " current "\n"

static const char good_kubeconfig[] = KUBECONFIG_WITH("c", "token: PlantedToken");

static void test_cli_check_kubeconfig(void **state)
{
    struct fixture *fixture = *state;
    static const char pem[] = "-----BEGIN CERTIFICATE-----\n";
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        {"x", ": not a kubeconfig (no mapping at the top)\n"},
        {"clusters: [\n", ": not YAML: line 2: flow sequence without a closing bracket\n"},
        {"# nothing\n", ": nothing is in it\n"},
        {KUBECONFIG_WITH("zz", "token: PlantedToken"), ": context \"zz\": is not in the file\n"},
        {KUBECONFIG_WITH("c", "tokenFile: /nonexistent/token"),
         ": /nonexistent/token, which it names, cannot be read: No such file or directory\n"},
    };
    const char *ca = fixture_write(fixture, "ca.pem", pem, sizeof(pem) - 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *kubeconfig =
            fixture_write(fixture, "kubeconfig", rows[i].text, strlen(rows[i].text));
        check_with(fixture, ca, kubeconfig, CLI_FAILED);
        assert_out("FAIL  kubeconfig     /tmp/");
        assert_out(rows[i].says);
    }
}

static void test_cli_check_all_well(void **state)
{
    struct fixture *fixture = *state;
    static const char pem[] = "-----BEGIN CERTIFICATE-----\n";
    const char *ca = fixture_write(fixture, "ca.pem", pem, sizeof(pem) - 1);
    const char *kubeconfig =
        fixture_write(fixture, "kubeconfig", good_kubeconfig, sizeof(good_kubeconfig) - 1);
    check_with(fixture, ca, kubeconfig, CLI_OK);
    assert_out("ok    configuration  /tmp/");
    assert_out("ok    kubeconfig     /tmp/");
    assert_out("ok    authorities    /tmp/");
    assert_int_equal(count_of(out_memory, "\n"), 4);

    assert_int_equal(chmod(kubeconfig, 0644), 0);
    check_with(fixture, ca, kubeconfig, CLI_OK);
    assert_out("warn  kubeconfig");
    assert_out("others may open it: chmod 600");
}

static void test_cli_check_missing_files(void **state)
{
    struct fixture *fixture = *state;
    check_with(fixture, "/nonexistent/ca.pem", "/nonexistent/kubeconfig", CLI_FAILED);
    assert_out("FAIL  authorities    /nonexistent/ca.pem: cannot be read: No such file");
    assert_out("FAIL  kubeconfig     /nonexistent/kubeconfig: cannot be read: No such file");

    assert_int_equal(ECILET(fixture, "check", "--config", "/nonexistent/conf"), CLI_USAGE);
    assert_out("FAIL  configuration  /nonexistent/conf: see below\n");
    assert_err("error: /nonexistent/conf: cannot be read: No such file");
}

static void test_cli_check_bad_configuration(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ECILET(fixture, "check"), CLI_USAGE);
    assert_out("FAIL  configuration  no file, environment only: see below\n");
    assert_out("-     kubeconfig     none given\n");
    assert_err("error: ECI_REGION: required but not given");
}

static void test_cli_check_inside_the_cluster(void **state)
{
    struct fixture *fixture = *state;
    const char *const environment[] = {"CLUSTER_TYPE=CLOUD",
                                       "ECI_REGION=cn-beijing",
                                       "ECI_ACCESS_KEY=a",
                                       "ECI_SECRET_KEY=b",
                                       "ALIYUN_CLUSTERID=c",
                                       "ECI_ENDPOINT=http://sim",
                                       "KUBERNETES_SERVICE_HOST=10.96.0.1",
                                       NULL};
    const char *const arguments[] = {"check", "--offline", NULL};
    assert_int_equal(ecilet(fixture, environment, arguments), CLI_OK);
    assert_out("warn  configuration  no file, environment only\n");
    assert_out("ok    kubeconfig     none: the pod's service account is used\n");
    assert_out("-     authorities    none needed or given\n");
    assert_err("warning: ECI_ENDPOINT");
}

/* ---- the real thing ---------------------------------------------------------------------------
 */

/* cli_main() writes what was said to the two standard descriptors. */
static void test_cli_main_writes(void **state)
{
    (void)state;
    int pipes[2][2];
    char got[2][4096] = {"", ""};
    char *argv[] = {(char *)(uintptr_t) "ecilet", (char *)(uintptr_t) "version", NULL};
    char *bad[] = {(char *)(uintptr_t) "ecilet", (char *)(uintptr_t) "--bad", NULL};
    char *none[] = {NULL};
    int saved[2] = {dup(1), dup(2)};
    int codes[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(pipes[i]), 0);
    }
    (void)fflush(stdout);
    (void)fflush(stderr);
    (void)dup2(pipes[0][1], 1);
    (void)dup2(pipes[1][1], 2);
    codes[0] = cli_main(2, argv, none);
    codes[1] = cli_main(2, bad, none);
    for (int i = 0; i < 2; i++) {
        (void)dup2(saved[i], i + 1);
        (void)close(saved[i]);
        (void)close(pipes[i][1]);
        assert_true(read(pipes[i][0], got[i], sizeof(got[i]) - 1) > 0);
        (void)close(pipes[i][0]);
    }
    assert_int_equal(codes[0], 0);
    assert_int_equal(codes[1], 2);
    assert_int_equal(strncmp(got[0], "ecilet ", 7), 0);
    assert_string_equal(got[1], "ecilet: unknown option --bad\nTry: ecilet help\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cli_run_is_the_default),
        TEST(test_cli_run_takes_the_arguments_of_virtual_nodes),
        TEST(test_cli_run_options),
        TEST(test_cli_run_refuses_a_bad_configuration),
        TEST(test_cli_wrong_arguments),
        TEST(test_cli_annotations),
        TEST(test_cli_help),
        TEST(test_cli_help_of_each_command),
        TEST(test_cli_version),
        TEST(test_cli_config_doc),
        TEST(test_cli_manifests_are_least_privilege),
        TEST(test_cli_manifests_have_a_service_when_asked),
        TEST(test_cli_check_kubeconfig),
        TEST(test_cli_check_all_well),
        TEST(test_cli_check_missing_files),
        TEST(test_cli_check_bad_configuration),
        TEST(test_cli_check_inside_the_cluster),
        TEST(test_cli_main_writes),
    };
    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
