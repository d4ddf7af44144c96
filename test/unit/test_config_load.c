/* Sources and their order, what is reported, what is derived, secrets, reload. */
#include "unit/config_fixture.h"

#include "app/config_key.h"
#include "app/limits.h"

/* ---- sources ----------------------------------------------------------------------------------
 */

static void test_config_load_least_file_is_enough(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_load_text(fixture, FIXTURE_LEAST, NULL), ERR_OK);
    assert_string_equal(fixture_report(fixture), "");
    const struct config *config = &fixture->config;
    assert_int_equal(config->cluster_type, CONFIG_CLUSTER_IDC);
    assert_true(config->is_hybrid);
    assert_str(config->eci_region, "cn-beijing");
    assert_str(config->aliyun_clusterid, "idc1");
    assert_int_equal(config->eci_vswitch.count, 1);
    assert_str(config->eci_vswitch.items[0], "vsw-1");
    assert_str(config->eci_vswitch_ids, "vsw-1");
    assert_str(config->eci_security_group, "sg-1");
    assert_str(config->eci_endpoint, "https://eci.cn-beijing.aliyuncs.com");
    assert_str(config->kubeconfig, "/etc/ecilet/kubeconfig");
    assert_str(config->file, fixture->source.file);
    assert_string_equal(config->secrets->eci_access_key.text, "LTAI5tPlantedId");
    assert_string_equal(config->secrets->eci_secret_key.text, "PlantedSecretKey0123");
    assert_int_equal(config->secrets->eci_security_token.bytes, 0);
}

static void test_config_load_defaults(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_load_text(fixture, FIXTURE_LEAST, NULL), ERR_OK);
    const struct config *config = &fixture->config;
    assert_str(config->eci_vpc, "");
    assert_str(config->eci_resource_group, "");
    assert_str(config->eci_proxy, "");
    assert_str(config->kube_context, "");
    assert_str(config->kubernetes_service_host, "");
    assert_int_equal(config->kubernetes_service_port, 443);
    assert_str(config->node_name, "virtual-kubelet");
    assert_int_equal(config->node_labels.count, 0);
    assert_str(config->eci_quota_cpu, "1000000");
    assert_str(config->eci_quota_memory, "6400Ti");
    assert_int_equal(config->eci_quota_pod, 10000);
    assert_int_equal(config->kubelet_port, 10250);
    assert_str(config->vkubelet_pod_ip, "");
    assert_str(config->vkubelet_taint_key, "virtual-kubelet.io/provider");
    assert_str(config->vkubelet_taint_value, "alibabacloud");
    assert_string_equal(config_taint_text(config->vkubelet_taint_effect), "NoSchedule");
    assert_false(config->eci_kube_proxy);
    assert_false(config->webhook);
    assert_int_equal(config->poll_fast_ms, 2000);
    assert_int_equal(config->poll_slow_ms, 5000);
    assert_int_equal(config->sweep_seconds, 60);
    assert_int_equal(config->create_per_minute, 1000);
    assert_int_equal(config->delete_per_minute, 1000);
    assert_int_equal(config->describe_per_minute, 2000);
    assert_int_equal(config->status_per_minute, 500);
    assert_int_equal(config->absence_seconds, 20);
    assert_int_equal(config->absence_sweeps, 2);
    assert_int_equal(config->orphan_brake_percent, 20);
    assert_int_equal(config->orphan_brake_min, 5);
    assert_int_equal(config->pods_max, 12500);
    assert_int_equal(config->api_connections, 8);
    assert_int_equal(config->cloud_connections, 16);
    assert_int_equal(config->object_bytes_max, 3 * 1024 * 1024);
    assert_int_equal(config->arena_bytes, 16 * 1024 * 1024);
    assert_int_equal(config->heap_bytes, 8 * 1024 * 1024);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_false(config->print_budget);
}

/* Each pair of sources: the later one wins; empty values do not count. */
static void test_config_load_precedence(void **state)
{
    struct fixture *fixture = *state;
    const char *const environment[] = {"NODE_NAME=from-env", "LOG_LEVEL=warn",
                                       "ECI_QUOTA_CPU=", NULL};
    fixture_set_arg(fixture, "LOG_LEVEL", "--log-level", "debug");
    assert_int_equal(fixture_load_text(fixture,
                                       FIXTURE_LEAST "NODE_NAME=from-file\nLOG_LEVEL=error\n"
                                                     "KUBELET_PORT=10251\nECI_QUOTA_CPU=5\n",
                                       environment),
                     ERR_OK);
    const struct config *config = &fixture->config;
    assert_str(config->node_name, "from-env");
    assert_int_equal(config->log_level, LOG_DEBUG);
    assert_int_equal(config->kubelet_port, 10251);
    assert_str(config->eci_quota_cpu, "5");

    const struct config_origin *origins = config->origins;
    assert_int_equal(origins[config_key_find(S("NODE_NAME")) - config_keys].kind,
                     CONFIG_FROM_ENVIRONMENT);
    assert_int_equal(origins[config_key_find(S("LOG_LEVEL")) - config_keys].kind,
                     CONFIG_FROM_COMMAND_LINE);
    assert_int_equal(origins[config_key_find(S("KUBELET_PORT")) - config_keys].kind,
                     CONFIG_FROM_FILE);
    assert_int_equal(origins[config_key_find(S("KUBELET_PORT")) - config_keys].line, 12);
    assert_int_equal(origins[config_key_find(S("POLL_FAST_MS")) - config_keys].kind,
                     CONFIG_FROM_DEFAULT);
}

/* A bad value that is overridden does no harm; the one that counts is judged. */
static void test_config_load_only_the_winner_is_judged(void **state)
{
    struct fixture *fixture = *state;
    const char *const good[] = {"KUBELET_PORT=1", NULL};
    const char *const bad[] = {"KUBELET_PORT=x", NULL};
    assert_int_equal(fixture_load_text(fixture, FIXTURE_LEAST "KUBELET_PORT=y\n", good), ERR_OK);
    assert_int_equal(fixture_load_text(fixture, FIXTURE_LEAST "KUBELET_PORT=2\n", bad),
                     ERR_INVALID);
    assert_reported(fixture,
                    "error: environment: KUBELET_PORT: \"x\" must be a port from 1 to 65535");
    assert_int_equal(fixture->config.kubelet_port, 10250);
}

static void test_config_load_environment_alone(void **state)
{
    struct fixture *fixture = *state;
    const char *const environment[] = {"CLUSTER_TYPE=CLOUD",
                                       "ECI_REGION=cn-shenzhen-finance-1",
                                       "ECI_ACCESS_KEY=LTAI5tPlantedId",
                                       "ECI_SECRET_KEY=PlantedSecretKey0123",
                                       "ALIYUN_CLUSTERID=c1",
                                       "ECI_CA_FILE=/x",
                                       "KUBERNETES_SERVICE_HOST=10.96.0.1",
                                       "KUBERNETES_SERVICE_PORT=6443",
                                       "PATH=/bin",
                                       "no equals sign",
                                       "=",
                                       NULL};
    assert_int_equal(fixture_load_text(fixture, NULL, environment), ERR_OK);
    assert_str(fixture->config.file, "");
    assert_false(fixture->config.is_hybrid);
    assert_str(fixture->config.eci_endpoint, "https://eci.cn-shenzhen-finance.aliyuncs.com");
    assert_str(fixture->config.kubeconfig, "");
    assert_str(fixture->config.kubernetes_service_host, "10.96.0.1");
    assert_int_equal(fixture->config.kubernetes_service_port, 6443);
}

/* The container of the vk.yaml that users have today, unchanged. */
static void test_config_load_virtual_nodes_own_environment(void **state)
{
    struct fixture *fixture = *state;
    const char *const environment[] = {"CLUSTER_TYPE=IDC",
                                       "WEBHOOK=true",
                                       "VKUBELET_TAINT_KEY=virtual-kubelet.io/provider",
                                       "VKUBELET_TAINT_VALUE=alibabacloud",
                                       "VKUBELET_TAINT_EFFECT=NoSchedule",
                                       "ECI_REGION=cn-beijing",
                                       "ECI_QUOTA_CPU=1000000",
                                       "ECI_QUOTA_MEMORY=6400Ti",
                                       "ECI_QUOTA_POD=10000",
                                       "ECI_KUBE_PROXY=true",
                                       "ECI_ACCESS_KEY=LTAI5tPlantedId",
                                       "ECI_SECRET_KEY=PlantedSecretKey0123",
                                       "ALIYUN_CLUSTERID=idc1",
                                       "KUBELET_PORT=10250",
                                       "VKUBELET_POD_IP=10.0.0.7",
                                       "KUBERNETES_SERVICE_HOST=10.96.0.1",
                                       "KUBERNETES_SERVICE_PORT=443",
                                       "KUBERNETES_PORT=tcp://10.96.0.1:443",
                                       "ECI_CA_FILE=/x",
                                       NULL};
    fixture_set_arg(fixture, "NODE_NAME", "--nodename", "virtual-kubelet");
    assert_int_equal(fixture_load_text(fixture, NULL, environment), ERR_OK);
    assert_true(fixture->config.webhook);
    assert_true(fixture->config.eci_kube_proxy);
    assert_str(fixture->config.vkubelet_pod_ip, "10.0.0.7");
    assert_int_equal(fixture->config.webhook_port, 443);
    assert_reported(fixture, "warning: ECI_KUBE_PROXY: true has no effect yet");
    assert_reported(fixture, "warning: ECI_VSWITCH: not given");
}

static void test_config_load_default_file_is_optional(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/absent.conf", fixture->folder);
    fixture->source.file_default = path;
    (void)fixture_load(fixture);
    assert_not_reported(fixture, path);

    fixture->source.file_default = fixture_conf(fixture, FIXTURE_LEAST);
    assert_int_equal(fixture_load(fixture), ERR_OK);
    assert_str(fixture->config.file, fixture->source.file_default);
}

static void test_config_load_named_file_must_be_readable(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/absent.conf", fixture->folder);
    fixture->source.file = path;
    assert_int_equal(fixture_load(fixture), ERR_INVALID);
    assert_reported(fixture, "absent.conf: cannot be read: No such file or directory\n");
    fixture->source.file = fixture->folder;
    assert_int_equal(fixture_load(fixture), ERR_INVALID);
    assert_reported(fixture, ": cannot be read: Is a directory\n");
}

static void test_config_load_largest_file(void **state)
{
    struct fixture *fixture = *state;
    static char text[CONFIG_FILE_BYTES_MAX + 2];
    memset(text, '#', sizeof(text));
    memcpy(text, FIXTURE_LEAST, sizeof(FIXTURE_LEAST) - 1);
    fixture->source.file = fixture_write(fixture, "ecilet.conf", text, CONFIG_FILE_BYTES_MAX);
    assert_int_equal(fixture_load(fixture), ERR_OK);
    (void)fixture_write(fixture, "ecilet.conf", text, CONFIG_FILE_BYTES_MAX + 1);
    assert_int_equal(fixture_load(fixture), ERR_INVALID);
    assert_reported(fixture, "cannot be read: it is larger than 64 KiB");
}

/* ---- reports ----------------------------------------------------------------------------------
 */

static void test_config_load_all_problems_at_once(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_load_text(fixture,
                                       "CLUSTER_TYPE=ECS\n"
                                       "ECI_VSWICH=vsw-1\n"
                                       "KUBELET_PORT =1\n"
                                       "KUBELET_PORT=0\n"
                                       "NODE_NAME=a\n"
                                       "NODE_NAME=b\n"
                                       "just words\n"
                                       "ECI_ENDPOINT=http://sim\n",
                                       NULL),
                     ERR_INVALID);
    assert_reported(fixture, ":1: CLUSTER_TYPE: \"ECS\" must be CLOUD or IDC\n");
    assert_reported(fixture, ":2: ECI_VSWICH: unknown key; did you mean ECI_VSWITCH?\n");
    assert_reported(fixture, ":3: KUBELET_PORT: no space is allowed before =\n");
    assert_reported(fixture, ":4: KUBELET_PORT: \"0\" must be a port from 1 to 65535\n");
    assert_reported(fixture, ":6: NODE_NAME: given a second time; the first is in line 5\n");
    assert_reported(fixture, ":7: not a setting");
    assert_reported(fixture, "error: ECI_REGION: required but not given: Region in which");
    assert_reported(fixture, "error: ECI_ACCESS_KEY: required but not given: AccessKey ID");
    assert_reported(fixture, "error: ECI_SECRET_KEY: required but not given: AccessKey Secret");
    assert_reported(fixture, "error: ALIYUN_CLUSTERID: required but not given: Name of this");
    assert_reported(fixture, "error: KUBECONFIG: required outside a cluster");
    assert_reported(fixture, "warning: ECI_ENDPOINT: http:// is for rehearsals only");
    assert_reported(fixture, "warning: ECI_VSWITCH: not given");
    assert_reported(fixture, "warning: ECI_SECURITY_GROUP: not given");
    assert_int_equal(fixture->report.counts[CONFIG_ERROR], 11);
    assert_int_equal(fixture->report.counts[CONFIG_WARNING], 3);
    assert_str(fixture->config.node_name, "a");
}

/* Nobody is told twice about one key. */
static void test_config_load_bad_key_is_reported_once(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture_load_text(fixture,
                                       FIXTURE_LEAST "PODS_MAX=x\nECI_QUOTA_POD=50000\n"
                                                     "POLL_FAST_MS=999999\nPOLL_SLOW_MS=300\n",
                                       NULL),
                     ERR_INVALID);
    assert_int_equal(fixture->report.counts[CONFIG_ERROR], 2);
}

static void test_config_load_unknown_environment(void **state)
{
    struct fixture *fixture = *state;
    const char *const environment[] = {"ECI_QOUTA_POD=1", "VKUBELET_TAINT=x",      "NODE_NAM=x",
                                       "ECI_ZZZZZZZZZ=1", "ECI_SECRET_KEY_FIL=/x", NULL};
    assert_int_equal(fixture_load_text(fixture, FIXTURE_LEAST, environment), ERR_OK);
    assert_reported(fixture, "warning: environment: ECI_QOUTA_POD: unknown variable, ignored; did "
                             "you mean ECI_QUOTA_POD?\n");
    assert_reported(fixture, "warning: environment: VKUBELET_TAINT: unknown variable, ignored\n");
    assert_reported(fixture, "warning: environment: ECI_ZZZZZZZZZ: unknown variable, ignored\n");
    assert_not_reported(fixture, "NODE_NAM:");
    assert_int_equal(fixture->report.counts[CONFIG_WARNING], 4);
}

static void test_config_load_bad_option(void **state)
{
    struct fixture *fixture = *state;
    fixture_set_arg(fixture, "LOG_LEVEL", "--log-level", "loud");
    assert_int_equal(fixture_load_text(fixture, FIXTURE_LEAST, NULL), ERR_INVALID);
    assert_reported(fixture, "error: command line: --log-level: \"loud\" must be error, warn, info "
                             "or debug\n");
}

static void test_config_load_shown_values_are_harmless(void **state)
{
    struct fixture *fixture = *state;
    char value[300];
    const char *const environment[] = {value, NULL};
    (void)snprintf(value, sizeof(value), "NODE_NAME=\x1b[2J%0200d", 7);
    assert_int_equal(fixture_load_text(fixture, FIXTURE_LEAST, environment), ERR_INVALID);
    assert_reported(fixture, "NODE_NAME: \"?[2J000");
    assert_reported(fixture, "000...\" must be");
    assert_not_reported(fixture, "\x1b");
    assert_true(strlen(fixture_report(fixture)) < 300);
}

static void test_config_report_counts_what_does_not_fit(void **state)
{
    (void)state;
    char memory[64];
    struct config_report report;
    config_report_init(&report, memory, sizeof(memory));
    for (int i = 0; i < 5; i++) {
        config_report_add(&report, CONFIG_ERROR, "%s", "a line of about thirty bytes");
    }
    assert_int_equal(report.counts[CONFIG_ERROR], 5);
    assert_true(str_ends(buf_str(&report.text), S("bytes\n"))); /* whole lines only */
}

static void test_config_report_cuts_long_lines(void **state)
{
    (void)state;
    static char text[2 * CONFIG_REPORT_LINE_BYTES_MAX];
    static char memory[4 * CONFIG_REPORT_LINE_BYTES_MAX];
    struct config_report report;
    config_report_init(&report, memory, sizeof(memory));
    memset(text, 'x', sizeof(text) - 1);
    config_report_add(&report, CONFIG_NOTE, "%s", text);
    assert_true(report.text.bytes < CONFIG_REPORT_LINE_BYTES_MAX + 16);
    assert_true(str_ends(buf_str(&report.text), S("x\n")));
}

/* Each line at its own level, without saying the level twice; secrets are masked like everywhere.
 */
static void test_config_report_log(void **state)
{
    struct fixture *fixture = *state;
    char got[1024] = "";
    int ends[2];
    int saved = dup(2);
    assert_int_equal(fixture_load_text(fixture, FIXTURE_LEAST, NULL), ERR_OK);
    config_report_add(&fixture->report, CONFIG_ERROR, "one");
    config_report_add(&fixture->report, CONFIG_WARNING, "two PlantedSecretKey0123");
    config_report_add(&fixture->report, CONFIG_NOTE, "three");
    assert_int_equal(pipe(ends), 0);
    (void)dup2(ends[1], 2);
    config_report_log(&fixture->report);
    log_flush(1000);
    (void)dup2(saved, 2);
    (void)close(saved);
    (void)close(ends[1]);
    assert_true(read(ends[0], got, sizeof(got) - 1) > 0);
    (void)close(ends[0]);
    assert_non_null(strstr(got, "error config  one\n"));
    assert_non_null(strstr(got, "warn  config  two ***\n"));
    assert_non_null(strstr(got, "info  config  three\n"));
}

/* ---- derived values and agreements ------------------------------------------------------------
 */

static void test_config_put_endpoint(void **state)
{
    (void)state;
    static const char *const hosts[][2] = {
        {"cn-beijing", "https://eci.cn-beijing.aliyuncs.com"},
        {"cn-hangzhou-finance", "https://eci.cn-hangzhou-finance.aliyuncs.com"},
        {"cn-shenzhen-finance-1", "https://eci.cn-shenzhen-finance.aliyuncs.com"},
        {"cn-shanghai-finance-1", "https://eci.cn-shanghai-finance.aliyuncs.com"},
    };
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        char memory[128];
        struct buf out;
        buf_init(&out, memory, sizeof(memory));
        config_put_endpoint(&out, str_of(hosts[i][0]));
        assert_string_equal(buf_cstr(&out), hosts[i][1]);
    }
}

static void test_config_load_plain_endpoint_needs_no_authorities(void **state)
{
    struct fixture *fixture = *state;
    const char *const environment[] = {"ECI_ENDPOINT=http://127.0.0.1:9999/", NULL};
    assert_int_equal(fixture_load_text(fixture,
                                       "CLUSTER_TYPE=IDC\nECI_REGION=cn-beijing\n"
                                       "ECI_ACCESS_KEY=a\nECI_SECRET_KEY=b\n"
                                       "ALIYUN_CLUSTERID=c\nKUBECONFIG=/k\n",
                                       environment),
                     ERR_OK);
    assert_str(fixture->config.eci_endpoint, "http://127.0.0.1:9999");
    assert_str(fixture->config.eci_ca_file, "");
}

static void test_config_load_agreements(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *lines;
        const char *report;
    } rows[] = {
        {"PODS_MAX=9999\n", "error: PODS_MAX: is less than ECI_QUOTA_POD"},
        {"PODS_MAX=10000\n", NULL},
        {"ECI_QUOTA_POD=100000\n", NULL},
        {"PODS_MAX=50\nECI_QUOTA_POD=40\n", NULL},
        {"POLL_SLOW_MS=1999\n", "error: POLL_SLOW_MS: is less than POLL_FAST_MS"},
        {"POLL_SLOW_MS=2000\n", NULL},
        {"ARENA_BYTES=8Mi\n", "error: ARENA_BYTES: is less than four times OBJECT_BYTES_MAX"},
        {"ARENA_BYTES=8Mi\nOBJECT_BYTES_MAX=2Mi\n", NULL},
        {"WEBHOOK=true\n", "error: WEBHOOK: true needs VKUBELET_POD_IP or WEBHOOK_URL"},
        {"WEBHOOK=true\nVKUBELET_POD_IP=192.0.2.1\n", NULL},
        {"WEBHOOK=true\nWEBHOOK_URL=https://g.example:8443\n", NULL},
        {"WEBHOOK_URL=http://g.example\n", "error: WEBHOOK_URL: must be https://"},
        {"ECI_KUBE_PROXY=true\n", "warning: ECI_KUBE_PROXY: true has no effect yet"},
        {"ECI_ENDPOINT=http://x\n", "warning: ECI_ENDPOINT: http:// is for rehearsals only"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[1024];
        (void)snprintf(text, sizeof(text), "%s%s", FIXTURE_LEAST, rows[i].lines);
        enum err err = fixture_load_text(fixture, text, NULL);
        bool is_error = rows[i].report != NULL && strncmp(rows[i].report, "error", 5) == 0;
        assert_int_equal(err, is_error ? ERR_INVALID : ERR_OK);
        if (rows[i].report != NULL) {
            assert_reported(fixture, rows[i].report);
        } else {
            assert_string_equal(fixture_report(fixture), "");
        }
    }
}

static void test_limits_follow_the_configuration(void **state)
{
    struct fixture *fixture = *state;
    struct limits limits;
    assert_int_equal(fixture_load_text(fixture, FIXTURE_LEAST, NULL), ERR_OK);
    limits_of_config(&fixture->config, &limits);
    assert_int_equal(limits.pods_max, 12500);
    assert_int_equal(limits.groups_max, 12500 + 1562 + 64);
    assert_int_equal(limits.kube_calls_max, 32);
    assert_int_equal(limits.cloud_calls_max, 16);
    assert_int_equal(limits.event_writes_max, 259);
    assert_true(limits.timers_max >= 4 * (32 + 16 + 24));

    static const char least[] = FIXTURE_LEAST "ECI_QUOTA_POD=1\nPODS_MAX=1\nAPI_CONNECTIONS=2\n"
                                              "CLOUD_CONNECTIONS=2\n";
    assert_int_equal(fixture_load_text(fixture, least, NULL), ERR_OK);
    limits_of_config(&fixture->config, &limits);
    assert_int_equal(limits.pods_max, 1);
    assert_int_equal(limits.groups_max, 65);
    assert_true(limits.event_writes_max > 0);

    static const char most[] = FIXTURE_LEAST "ECI_QUOTA_POD=100000\nPODS_MAX=200000\n"
                                             "API_CONNECTIONS=64\nCLOUD_CONNECTIONS=64\n";
    assert_int_equal(fixture_load_text(fixture, most, NULL), ERR_OK);
    limits_of_config(&fixture->config, &limits);
    assert_true(limits.groups_max > limits.pods_max);
    assert_int_equal(limits.event_writes_max, 512);
}

/* ---- KEY_FILE ---------------------------------------------------------------------------------
 */

static void test_config_load_key_files(void **state)
{
    struct fixture *fixture = *state;
    char text[1024];
    const char *key = fixture_write(fixture, "key", "\n  TokenFromAFile \r\n", 19);
    const char *region = fixture_write(fixture, "region", "cn-hangzhou\n", 12);
    (void)snprintf(text, sizeof(text), "%sECI_SECURITY_TOKEN_FILE=%s\n", FIXTURE_LEAST, key);
    char variable[160];
    const char *const environment[] = {variable, NULL};
    (void)snprintf(variable, sizeof(variable), "ECI_REGION_FILE=%s", region);
    assert_int_equal(fixture_load_text(fixture, text, environment), ERR_OK);
    assert_string_equal(fixture->secrets.eci_security_token.text, "TokenFromAFile");
    assert_str(fixture->config.eci_region, "cn-hangzhou");
    assert_string_equal(fixture_report(fixture), "");
}

static void test_config_load_key_files_that_fail(void **state)
{
    struct fixture *fixture = *state;
    char text[2048];
    char absent[128];
    (void)snprintf(absent, sizeof(absent), "%s/absent", fixture->folder);
    const char *empty = fixture_write(fixture, "empty", " \n", 2);
    static char large[5000];
    memset(large, 'x', sizeof(large));
    const char *big = fixture_write(fixture, "big", large, sizeof(large));
    (void)snprintf(text, sizeof(text),
                   "CLUSTER_TYPE=IDC\nKUBECONFIG=/k\nECI_CA_FILE=/c\n"
                   "ECI_ACCESS_KEY_FILE=%s\nECI_SECRET_KEY_FILE=%s\nECI_REGION_FILE=%s\n"
                   "ALIYUN_CLUSTERID_FILE=relative\nPODS_MAX_FILE=%s\n",
                   absent, empty, big, empty);
    assert_int_equal(fixture_load_text(fixture, text, NULL), ERR_INVALID);
    assert_reported(fixture, "absent): cannot be read: No such file or directory\n");
    assert_reported(fixture, "empty): the file is empty\n");
    assert_reported(fixture, "big): cannot be read: it is larger than 4 KiB\n");
    assert_reported(fixture, "ALIYUN_CLUSTERID_FILE: must be an absolute path\n");
    assert_reported(fixture, "PODS_MAX_FILE: unknown key");
    assert_int_equal(fixture->report.counts[CONFIG_ERROR], 5); /* and none "not given" */
}

static void test_config_load_key_and_key_file_together(void **state)
{
    struct fixture *fixture = *state;
    const char *file = fixture_write(fixture, "key", "FromTheFile", 11);
    char text[1024];
    (void)snprintf(text, sizeof(text), "%sECI_SECRET_KEY_FILE=%s\n", FIXTURE_LEAST, file);
    assert_int_equal(fixture_load_text(fixture, text, NULL), ERR_INVALID);
    assert_reported(fixture, "only one of ECI_SECRET_KEY and ECI_SECRET_KEY_FILE may be given");

    /* the line of the example that was left empty counts as not set, wherever it stands */
    static const char rest[] = "CLUSTER_TYPE=IDC\nECI_REGION=cn-beijing\nECI_ACCESS_KEY=a\n"
                               "ALIYUN_CLUSTERID=idc1\nKUBECONFIG=/k\nECI_ENDPOINT=http://sim\n";
    for (int is_before = 0; is_before < 2; is_before++) {
        (void)snprintf(text, sizeof(text), "%s%sECI_SECRET_KEY_FILE=%s\n%s", rest,
                       is_before ? "ECI_SECRET_KEY=\n" : "", file,
                       is_before ? "" : "ECI_SECRET_KEY=\n");
        assert_int_equal(fixture_load_text(fixture, text, NULL), ERR_OK);
    }

    /* in different sources the stronger one wins */
    char variable[160];
    const char *const environment[] = {variable, NULL};
    (void)snprintf(variable, sizeof(variable), "ECI_SECRET_KEY_FILE=%s", file);
    assert_int_equal(fixture_load_text(fixture, FIXTURE_LEAST, environment), ERR_OK);
    assert_string_equal(fixture->secrets.eci_secret_key.text, "FromTheFile");
}

/* Every text and secret by a file of the largest size: the scratch memory is enough. */
static void test_config_load_scratch_is_enough_for_the_worst(void **state)
{
    struct fixture *fixture = *state;
    static char text[CONFIG_FILE_BYTES_MAX];
    static char large[CONFIG_SECRET_BYTES_MAX + 1];
    struct buf out;
    memset(large, 'x', sizeof(large));
    const char *big = fixture_write(fixture, "big", large, CONFIG_SECRET_BYTES_MAX);
    buf_init(&out, text, sizeof(text));
    for (uint32_t i = 0; i < config_keys_count; i++) {
        if (config_key_has_file_form(&config_keys[i])) {
            buf_put_fmt(&out, "%s_FILE=/%0*d%s\n", config_keys[i].key,
                        (int)(CONFIG_PATH_BYTES_MAX - strlen(big) - 1), 0, big);
        }
    }
    size_t used = out.bytes;
    fixture->source.file = fixture_write(fixture, "ecilet.conf", text, used);
    fixture->source.environment = NULL;
    arena_init(&fixture->scratch, fixture->scratch_memory, CONFIG_SCRATCH_BYTES);
    config_report_init(&fixture->report, fixture->report_memory, CONFIG_REPORT_BYTES);
    assert_int_equal(config_load(&fixture->config, &fixture->secrets, &fixture->source,
                                 &fixture->scratch, &fixture->report),
                     ERR_INVALID);
    assert_true(fixture->scratch.peak <= CONFIG_SCRATCH_BYTES);
    assert_int_equal(fixture->scratch.used, 0);
}

/* ---- secrets ----------------------------------------------------------------------------------
 */

static void test_config_load_open_file_with_secret(void **state)
{
    struct fixture *fixture = *state;
    const char *key = fixture_write(fixture, "key", "FromTheFile", 11);
    const char *conf = fixture_conf(fixture, FIXTURE_LEAST);
    fixture->source.file = conf;
    static const mode_t modes[] = {0644, 0640, 0604, 0660};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(conf, modes[i]), 0);
        assert_int_equal(fixture_load(fixture), ERR_OK);
        assert_reported(fixture, "warning: ");
        assert_reported(fixture, "holds a secret and others may open it");
    }
    /* the same file without a secret in it */
    char text[512];
    (void)snprintf(text, sizeof(text),
                   "CLUSTER_TYPE=IDC\nECI_REGION=cn-beijing\nALIYUN_CLUSTERID=c\nKUBECONFIG=/k\n"
                   "ECI_VSWITCH=v\nECI_SECURITY_GROUP=s\nECI_CA_FILE=/c\n"
                   "ECI_ACCESS_KEY_FILE=%s\nECI_SECRET_KEY_FILE=%s\n",
                   key, key);
    conf = fixture_conf(fixture, text);
    assert_int_equal(chmod(conf, 0644), 0);
    assert_int_equal(fixture_load(fixture), ERR_OK);
    assert_string_equal(fixture_report(fixture), "");
}

#define PLANTED "Pl4ntedSecretValueXyz"

/* Every way to get a line with a secret wrong: the value never shows. */
static void test_config_load_never_prints_secrets(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {
        "ECI_SECRET_KEY=" PLANTED "\n",
        "ECI_SECRET_KEY=" PLANTED " " PLANTED "\n",
        "ECI_SECRET_KEY= " PLANTED "\n",
        "ECI_SECRET_KEY =" PLANTED "\n",
        "ECI_SECRET_KEY " PLANTED "\n",
        "ECI_SECRET_KEY: " PLANTED "\n",
        "ECI_SECRET_KEY='" PLANTED "\n",
        "ECI_SECRET_KEY=\"" PLANTED "\n",
        "ECI_SECRET_KEY=\"" PLANTED "$x\"\n",
        "ECI_SECRET_KEY=\"" PLANTED " with spaces\"\n",
        "ECI_SECRET_KEY='" PLANTED "' " PLANTED "\n",
        "ECI_SECRET_KEY=" PLANTED "\x01\n",
        "ECI_SECRET_KEY=" PLANTED "\r\n",
        "ECI_SECRET_KEY='\xc3\xa9" PLANTED "'\n",
        "ECI_SECRET_KEY=" PLANTED "\nECI_SECRET_KEY=" PLANTED "2\n",
        "ECI_SECRET_KEY_FILE=" PLANTED "\n",
        "ECI_SECRETKEY=" PLANTED "\n",
        "SECRET=" PLANTED "\n",
        "eci_secret_key=" PLANTED "\n",
        PLANTED "\n",
        PLANTED "==\n",
        "export " PLANTED "=\n",
        "ECI_ACCESS_KEY='" PLANTED " x'\n",
        "ECI_SECURITY_TOKEN='" PLANTED " x'\n",
        "ECI_PROXY=http://user:" PLANTED "@proxy:3128\n",
        "ECI_PROXY=user:" PLANTED "@proxy:3128\n",
        "ECI_PROXY='http://user:" PLANTED " @proxy:3128'\n",
        "ECI_PROXY=https://user:" PLANTED "@proxy:3128\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        (void)fixture_load_text(fixture, texts[i], NULL);
        assert_not_reported(fixture, PLANTED);
        assert_not_reported(fixture, "Pl4nted");
    }
    const char *const environments[][3] = {
        {"ECI_SECRET_KEY=" PLANTED " x", "ECI_SECRETKEY=" PLANTED, NULL},
        {"ECI_SECRET_KEY_FILE=" PLANTED, "ECI_PROXY=" PLANTED, NULL},
        {"ECI_SECURITY_TOKEN=\x01" PLANTED, "VKUBELET_SECRET=" PLANTED, NULL},
    };
    for (size_t i = 0; i < sizeof(environments) / sizeof(environments[0]); i++) {
        (void)fixture_load_text(fixture, FIXTURE_LEAST, environments[i]);
        assert_not_reported(fixture, PLANTED);
    }
}

/* After loading, secrets are in struct config_secrets and nowhere else. */
static void test_config_load_leaves_no_secret_behind(void **state)
{
    struct fixture *fixture = *state;
    const char *file = fixture_write(fixture, "key", PLANTED "\n", sizeof(PLANTED));
    char text[1024];
    (void)snprintf(text, sizeof(text), "%sECI_SECURITY_TOKEN_FILE=%s\n", FIXTURE_LEAST, file);
    assert_int_equal(fixture_load_text(fixture, text, NULL), ERR_OK);
    assert_null(memmem(fixture->scratch_memory, sizeof(fixture->scratch_memory), PLANTED,
                       sizeof(PLANTED) - 1));
    assert_null(
        memmem(fixture->scratch_memory, sizeof(fixture->scratch_memory), "PlantedSecret", 13));
    assert_null(memmem(&fixture->config, sizeof(fixture->config), "PlantedSecret", 13));
    assert_int_equal(fixture->scratch.used, 0);

    uint32_t changed;
    (void)snprintf(text, sizeof(text), "%sECI_SECURITY_TOKEN_FILE=%s\nKUBELET_PORT=x\n",
                   FIXTURE_LEAST, file);
    (void)fixture_conf(fixture, text);
    assert_int_equal(
        config_reload_secrets(&fixture->config, &fixture->scratch, &fixture->report, &changed),
        ERR_INVALID);
    assert_null(memmem(fixture->scratch_memory, sizeof(fixture->scratch_memory), PLANTED,
                       sizeof(PLANTED) - 1));

    config_secrets_wipe(&fixture->secrets);
    assert_null(memmem(&fixture->secrets, sizeof(fixture->secrets), "Planted", 7));
    assert_int_equal(fixture->secrets.eci_secret_key.bytes, 0);
}

/* ---- reload -----------------------------------------------------------------------------------
 */

static enum err reload(struct fixture *fixture, uint32_t *changed)
{
    config_report_init(&fixture->report, fixture->report_memory, CONFIG_REPORT_BYTES);
    enum err err =
        config_reload_secrets(&fixture->config, &fixture->scratch, &fixture->report, changed);
    fixture->report_memory[fixture->report.text.bytes] = '\0';
    assert_int_equal(fixture->scratch.used, 0);
    return err;
}

static void test_config_reload_takes_new_secrets(void **state)
{
    struct fixture *fixture = *state;
    uint32_t changed = 99;
    const char *file = fixture_write(fixture, "key", "OldKey", 6);
    char text[1024];
    (void)snprintf(text, sizeof(text),
                   "CLUSTER_TYPE=IDC\nECI_REGION=cn-beijing\nALIYUN_CLUSTERID=c\nKUBECONFIG=/k\n"
                   "ECI_VSWITCH=v\nECI_SECURITY_GROUP=s\nECI_CA_FILE=/c\n"
                   "ECI_ACCESS_KEY=OldId\nECI_SECRET_KEY_FILE=%s\n",
                   file);
    strcat(text, "ECI_KUBE_PROXY=true\n"); /* a warning, told once */
    assert_int_equal(fixture_load_text(fixture, text, NULL), ERR_OK);
    assert_reported(fixture, "warning: ECI_KUBE_PROXY");

    assert_int_equal(reload(fixture, &changed), ERR_OK);
    assert_int_equal(changed, 0);
    assert_string_equal(fixture_report(fixture), "");

    (void)fixture_write(fixture, "key", "NewKey\n", 7);
    assert_int_equal(reload(fixture, &changed), ERR_OK);
    assert_int_equal(changed, 1);
    assert_string_equal(fixture_report(fixture), "note: ECI_SECRET_KEY changed\n");
    assert_string_equal(fixture->config.secrets->eci_secret_key.text, "NewKey");
    assert_string_equal(fixture->config.secrets->eci_access_key.text, "OldId");
}

static void test_config_reload_keeps_the_rest_and_says_so(void **state)
{
    struct fixture *fixture = *state;
    uint32_t changed;
    assert_int_equal(fixture_load_text(fixture, FIXTURE_LEAST, NULL), ERR_OK);
    (void)fixture_conf(fixture, FIXTURE_LEAST "ECI_SECURITY_TOKEN=Token\nNODE_NAME=other\n");
    assert_int_equal(reload(fixture, &changed), ERR_OK);
    assert_int_equal(changed, 1);
    assert_reported(fixture, "note: ECI_SECURITY_TOKEN changed\n");
    assert_reported(fixture, "warning: NODE_NAME changed: that needs a restart\n");
    assert_str(fixture->config.node_name, "virtual-kubelet");
}

static void test_config_reload_with_errors_keeps_the_old_keys(void **state)
{
    struct fixture *fixture = *state;
    uint32_t changed = 99;
    assert_int_equal(fixture_load_text(fixture, FIXTURE_LEAST, NULL), ERR_OK);
    (void)fixture_conf(fixture, "ECI_SECRET_KEY=New\nECI_ACCESS_KEY=New\n");
    assert_int_equal(reload(fixture, &changed), ERR_INVALID);
    assert_int_equal(changed, 0);
    assert_string_equal(fixture->config.secrets->eci_secret_key.text, "PlantedSecretKey0123");
    assert_reported(fixture, "error: ECI_REGION: required");

    assert_int_equal(unlink(fixture->source.file), 0);
    assert_int_equal(reload(fixture, &changed), ERR_INVALID);
    assert_string_equal(fixture->config.secrets->eci_secret_key.text, "PlantedSecretKey0123");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_config_load_least_file_is_enough),
        TEST(test_config_load_defaults),
        TEST(test_config_load_precedence),
        TEST(test_config_load_only_the_winner_is_judged),
        TEST(test_config_load_environment_alone),
        TEST(test_config_load_virtual_nodes_own_environment),
        TEST(test_config_load_default_file_is_optional),
        TEST(test_config_load_named_file_must_be_readable),
        TEST(test_config_load_largest_file),
        TEST(test_config_load_all_problems_at_once),
        TEST(test_config_load_bad_key_is_reported_once),
        TEST(test_config_load_unknown_environment),
        TEST(test_config_load_bad_option),
        TEST(test_config_load_shown_values_are_harmless),
        TEST(test_config_report_counts_what_does_not_fit),
        TEST(test_config_report_cuts_long_lines),
        TEST(test_config_report_log),
        TEST(test_config_put_endpoint),
        TEST(test_config_load_plain_endpoint_needs_no_authorities),
        TEST(test_config_load_agreements),
        TEST(test_limits_follow_the_configuration),
        TEST(test_config_load_key_files),
        TEST(test_config_load_key_files_that_fail),
        TEST(test_config_load_key_and_key_file_together),
        TEST(test_config_load_scratch_is_enough_for_the_worst),
        TEST(test_config_load_open_file_with_secret),
        TEST(test_config_load_never_prints_secrets),
        TEST(test_config_load_leaves_no_secret_behind),
        TEST(test_config_reload_takes_new_secrets),
        TEST(test_config_reload_keeps_the_rest_and_says_so),
        TEST(test_config_reload_with_errors_keeps_the_old_keys),
    };
    return cmocka_run_group_tests_name("config_load", tests, NULL, NULL);
}
