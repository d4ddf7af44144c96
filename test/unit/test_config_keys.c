/*
 * Every key with a usual value, values at the edge, and bad ones: one test per row of the table
 * below. Another test proves that no key of config.def is missing here.
 */
#include "unit/config_fixture.h"

#include "app/config_key.h"
#include "app/config_value.h"

enum kind { VALID, EDGE, BAD };

struct row {
    const char *key;
    enum kind kind;
    const char *text;
    const char *stored; /* what the field then holds, as printed by put_field; NULL: the text */
};

#define X10 "0123456789"
#define X50 X10 X10 X10 X10 X10
#define X63 X50 X10 "abc"
#define X100 X50 X50

static const struct row rows[] = {
    {"CLUSTER_TYPE", VALID, "IDC", "1"},
    {"CLUSTER_TYPE", VALID, "CLOUD", "0"},
    {"CLUSTER_TYPE", EDGE, "idc", "1"},
    {"CLUSTER_TYPE", BAD, "ECS", NULL},
    {"ECI_REGION", VALID, "cn-beijing", NULL},
    {"ECI_REGION", EDGE, "ap-southeast-1", NULL},
    {"ECI_REGION", BAD, "Beijing", NULL},
    {"ECI_REGION", BAD, "cn-beijing-", NULL},
    {"ECI_REGION", BAD, "cn beijing", NULL},
    {"ECI_REGION", BAD, "shanghai", NULL},
    {"ECI_REGION", BAD, "cn-beijing.evil.example/", NULL},
    {"ECI_ACCESS_KEY", VALID, "LTAI5tExample", NULL},
    {"ECI_ACCESS_KEY", EDGE, X100 X10 X10 "1234567", NULL},
    {"ECI_ACCESS_KEY", BAD, X100 X10 X10 "12345678", NULL},
    {"ECI_ACCESS_KEY", BAD, "two words", NULL},
    {"ECI_SECRET_KEY", VALID, "S3cr3t/+=Key", NULL},
    {"ECI_SECRET_KEY", EDGE, "x", NULL},
    {"ECI_SECRET_KEY", BAD, "k\xc3\xa9y", NULL},
    {"ECI_SECURITY_TOKEN", VALID, "CAIS+token/=", NULL},
    {"ECI_SECURITY_TOKEN", EDGE, X100 X100 X100 X100 X100 X100 X100 X100 X100 X100, NULL},
    {"ECI_SECURITY_TOKEN", BAD, "line\nline", NULL},
    {"ALIYUN_CLUSTERID", VALID, "c1234567890abcdef", NULL},
    {"ALIYUN_CLUSTERID", EDGE, "idc-1_a.B", NULL},
    {"ALIYUN_CLUSTERID", EDGE, X63 "d", NULL},
    {"ALIYUN_CLUSTERID", BAD, X63 "de", NULL},
    {"ALIYUN_CLUSTERID", BAD, "-idc", NULL},
    {"ALIYUN_CLUSTERID", BAD, "idc 1", NULL},
    {"ECI_VPC", VALID, "vpc-2ze0abc", NULL},
    {"ECI_VPC", EDGE, "v", NULL},
    {"ECI_VPC", BAD, "vpc-2ze0***", NULL},
    {"ECI_VSWITCH", VALID, "vsw-2ze0abc", NULL},
    {"ECI_VSWITCH", VALID, "vsw-a, vsw-b", "vsw-a,vsw-b"},
    {"ECI_VSWITCH", EDGE, "v0,v1,v2,v3,v4,v5,v6,v7,v8,v9", NULL},
    {"ECI_VSWITCH", BAD, "v0,v1,v2,v3,v4,v5,v6,v7,v8,v9,v10", NULL},
    {"ECI_VSWITCH", BAD, "vsw-a,", NULL},
    {"ECI_VSWITCH", BAD, ",vsw-a", NULL},
    {"ECI_VSWITCH", BAD, "vsw-a,,vsw-b", NULL},
    {"ECI_VSWITCH", BAD, "vsw-a vsw-b", NULL},
    {"ECI_SECURITY_GROUP", VALID, "sg-2ze0abc", NULL},
    {"ECI_SECURITY_GROUP", EDGE, "sg-" X50 X10 "a", NULL},
    {"ECI_SECURITY_GROUP", BAD, "sg-a,sg-b", NULL},
    {"ECI_RESOURCE_GROUP", VALID, "rg-acfm2", NULL},
    {"ECI_RESOURCE_GROUP", EDGE, "rg", NULL},
    {"ECI_RESOURCE_GROUP", BAD, "rg_1", NULL},
    {"HOST_PATHS", VALID, "/opt/shared", NULL},
    {"HOST_PATHS", VALID, "/opt/shared, /var/data/", "/opt/shared,/var/data/"},
    {"HOST_PATHS", EDGE, "/a,/b,/c,/d,/e,/f,/g,/h,/i,/j,/k,/l,/m,/n,/o,/p", NULL},
    {"HOST_PATHS", BAD, "/a,/b,/c,/d,/e,/f,/g,/h,/i,/j,/k,/l,/m,/n,/o,/p,/q", NULL},
    {"HOST_PATHS", EDGE, "/" X100 X10 X10 "123456", NULL},
    {"HOST_PATHS", BAD, "/" X100 X10 X10 "1234567", NULL},
    {"HOST_PATHS", BAD, "/", NULL},
    {"HOST_PATHS", BAD, "//x", NULL},
    {"HOST_PATHS", BAD, "opt/shared", NULL},
    {"HOST_PATHS", BAD, "/opt/../etc", NULL},
    {"HOST_PATHS", BAD, "/opt,", NULL},
    {"ECI_ENDPOINT", VALID, "https://eci-vpc.cn-beijing.aliyuncs.com", NULL},
    {"ECI_ENDPOINT", VALID, "http://127.0.0.1:8080", NULL},
    {"ECI_ENDPOINT", EDGE, "https://host/", "https://host"},
    {"ECI_ENDPOINT", EDGE, "https://host:65535", NULL},
    {"ECI_ENDPOINT", EDGE, "https://[2001:db8::1]:443", NULL},
    {"ECI_ENDPOINT", EDGE, "https://[2001:db8::1]", NULL},
    {"ECI_ENDPOINT", BAD, "eci.cn-beijing.aliyuncs.com", NULL},
    {"ECI_ENDPOINT", BAD, "ftp://host", NULL},
    {"ECI_ENDPOINT", BAD, "https://", NULL},
    {"ECI_ENDPOINT", BAD, "https:///", NULL},
    {"ECI_ENDPOINT", BAD, "https://host/path", NULL},
    {"ECI_ENDPOINT", BAD, "https://host?x=1", NULL},
    {"ECI_ENDPOINT", BAD, "https://host:0", NULL},
    {"ECI_ENDPOINT", BAD, "https://host:65536", NULL},
    {"ECI_ENDPOINT", BAD, "https://host:", NULL},
    {"ECI_ENDPOINT", BAD, "https://host:+80", NULL},
    {"ECI_ENDPOINT", BAD, "https://user@host", NULL},
    {"ECI_ENDPOINT", BAD, "https://[2001:db8::1", NULL},
    {"ECI_ENDPOINT", BAD, "https://host name", NULL},
    {"ECI_CA_FILE", VALID, "/etc/ecilet/ca.pem", NULL},
    {"ECI_CA_FILE", EDGE, "ca.pem", NULL},
    {"ECI_CA_FILE", BAD, "/etc/\x1b[31m", NULL},
    {"ECI_PROXY", VALID, "http://proxy.example:3128", NULL},
    {"ECI_PROXY", EDGE, "http://user:p%40ss@proxy:3128", NULL},
    {"ECI_PROXY", BAD, "http://user:p@ss@proxy:3128", NULL},
    {"ECI_PROXY", EDGE, "http://10.0.0.1", NULL},
    {"ECI_PROXY", BAD, "https://proxy:3128", NULL},
    {"ECI_PROXY", BAD, "proxy:3128", NULL},
    {"ECI_PROXY", BAD, "http://user:password@", NULL},
    {"KUBECONFIG", VALID, "/etc/ecilet/kubeconfig", NULL},
    {"KUBECONFIG", EDGE, "/" X100 X100 X100 X100 X100 X10, NULL},
    {"KUBECONFIG", BAD, "/" X100 X100 X100 X100 X100 X10 "1", NULL},
    {"KUBE_CONTEXT", VALID, "ecilet@idc1", NULL},
    {"KUBE_CONTEXT", EDGE, "arn:x:y/z with spaces", NULL},
    {"KUBE_CONTEXT", BAD, "a\tb", NULL},
    {"KUBERNETES_SERVICE_HOST", VALID, "10.96.0.1", NULL},
    {"KUBERNETES_SERVICE_HOST", EDGE, "fd00::1", NULL},
    {"KUBERNETES_SERVICE_HOST", EDGE, "kubernetes.default", NULL},
    {"KUBERNETES_SERVICE_HOST", BAD, "10.96.0.1/24", NULL},
    {"KUBERNETES_SERVICE_PORT", VALID, "6443", NULL},
    {"KUBERNETES_SERVICE_PORT", EDGE, "1", NULL},
    {"KUBERNETES_SERVICE_PORT", BAD, "0", NULL},
    {"NODE_NAME", VALID, "virtual-kubelet", NULL},
    {"NODE_NAME", EDGE, "a.b-c.9", NULL},
    {"NODE_NAME", EDGE, X63, NULL},
    {"NODE_NAME", BAD, X63 "d", NULL},
    {"NODE_NAME", BAD, "Virtual-Kubelet", NULL},
    {"NODE_NAME", BAD, "a_b", NULL},
    {"NODE_NAME", BAD, "a..b", NULL},
    {"NODE_NAME", BAD, "a.", NULL},
    {"NODE_NAME", BAD, "-a", NULL},
    {"NODE_LABELS", VALID, "zone=h", NULL},
    {"NODE_LABELS", VALID, "topology.kubernetes.io/zone=cn-beijing-h,a=b", NULL},
    {"NODE_LABELS", EDGE, "empty=", NULL},
    {"NODE_LABELS", EDGE, "a.b/" X63 "=" X63, NULL},
    {"NODE_LABELS", EDGE, "a=,b=,c=,d=,e=,f=,g=,h=,i=,j=,k=,l=,m=,n=,o=,p=", NULL},
    {"NODE_LABELS", BAD, "a=,b=,c=,d=,e=,f=,g=,h=,i=,j=,k=,l=,m=,n=,o=,p=,q=", NULL},
    {"NODE_LABELS", BAD, "zone", NULL},
    {"NODE_LABELS", BAD, "=h", NULL},
    {"NODE_LABELS", BAD, "zone=h=i", NULL},
    {"NODE_LABELS", BAD, "A.b/zone=h", NULL},
    {"NODE_LABELS", BAD, "a/b/c=h", NULL},
    {"NODE_LABELS", BAD, "zone=-h", NULL},
    {"NODE_LABELS", BAD, X63 "d=h", NULL},
    {"ECI_QUOTA_CPU", VALID, "1000000", NULL},
    {"ECI_QUOTA_CPU", EDGE, "0", NULL},
    {"ECI_QUOTA_CPU", EDGE, "1.5k", NULL},
    {"ECI_QUOTA_CPU", EDGE, ".5", NULL},
    {"ECI_QUOTA_CPU", EDGE, "5.", NULL},
    {"ECI_QUOTA_CPU", EDGE, "1e6", NULL},
    {"ECI_QUOTA_CPU", EDGE, "1E+3", NULL},
    {"ECI_QUOTA_CPU", EDGE, "500m", NULL},
    {"ECI_QUOTA_CPU", BAD, "-1", NULL},
    {"ECI_QUOTA_CPU", BAD, "many", NULL},
    {"ECI_QUOTA_CPU", BAD, ".", NULL},
    {"ECI_QUOTA_CPU", BAD, "1e", NULL},
    {"ECI_QUOTA_CPU", BAD, "1e+", NULL},
    {"ECI_QUOTA_CPU", BAD, "1e100", NULL},
    {"ECI_QUOTA_CPU", BAD, "1 k", NULL},
    {"ECI_QUOTA_CPU", BAD, X10 X10, NULL},
    {"ECI_QUOTA_MEMORY", VALID, "6400Ti", NULL},
    {"ECI_QUOTA_MEMORY", EDGE, "1Ei", NULL},
    {"ECI_QUOTA_MEMORY", EDGE, "1E", NULL},
    {"ECI_QUOTA_MEMORY", BAD, "6400TB", NULL},
    {"ECI_QUOTA_MEMORY", BAD, "6400ti", NULL},
    {"ECI_QUOTA_GPU", VALID, "8", NULL},
    {"ECI_QUOTA_GPU", EDGE, "0", NULL},
    {"ECI_QUOTA_GPU", EDGE, "100000", NULL},
    {"ECI_QUOTA_GPU", BAD, "100001", NULL},
    {"ECI_QUOTA_GPU", BAD, "-1", NULL},
    {"ECI_QUOTA_GPU", BAD, "0.5", NULL},
    {"ECI_QUOTA_POD", VALID, "5000", NULL},
    {"ECI_QUOTA_POD", EDGE, "1", NULL},
    {"ECI_QUOTA_POD", EDGE, "100000", NULL},
    {"ECI_QUOTA_POD", BAD, "0", NULL},
    {"ECI_QUOTA_POD", BAD, "100001", NULL},
    {"ECI_QUOTA_POD", BAD, "10k", NULL},
    {"ECI_QUOTA_POD", BAD, "+5", NULL},
    {"ECI_QUOTA_POD", BAD, "-5", NULL},
    {"ECI_QUOTA_POD", BAD, "5.0", NULL},
    {"ECI_QUOTA_POD", BAD, "99999999999999999999", NULL},
    {"QUOTA_FOLLOW", VALID, "false", NULL},
    {"QUOTA_FOLLOW", EDGE, "off", "false"},
    {"QUOTA_FOLLOW", BAD, "cpu", NULL},
    {"KUBELET_PORT", VALID, "10250", NULL},
    {"KUBELET_PORT", EDGE, "65535", NULL},
    {"KUBELET_PORT", BAD, "65536", NULL},
    {"KUBELET_PORT", BAD, "tcp://10.0.0.1:80", NULL},
    {"VKUBELET_POD_IP", VALID, "192.0.2.10", NULL},
    {"VKUBELET_POD_IP", EDGE, "2001:db8::10", NULL},
    {"VKUBELET_POD_IP", BAD, "192.0.2.256", NULL},
    {"VKUBELET_POD_IP", BAD, "gateway", NULL},
    {"VKUBELET_POD_IP", BAD, "[2001:db8::10]", NULL},
    {"VKUBELET_TAINT_KEY", VALID, "virtual-kubelet.io/provider", NULL},
    {"VKUBELET_TAINT_KEY", EDGE, "burst", NULL},
    {"VKUBELET_TAINT_KEY", BAD, "/provider", NULL},
    {"VKUBELET_TAINT_KEY", BAD, "virtual-kubelet.io/", NULL},
    {"VKUBELET_TAINT_VALUE", VALID, "alibabacloud", NULL},
    {"VKUBELET_TAINT_VALUE", EDGE, X63, NULL},
    {"VKUBELET_TAINT_VALUE", BAD, "a/b", NULL},
    {"VKUBELET_TAINT_EFFECT", VALID, "NoSchedule", "0"},
    {"VKUBELET_TAINT_EFFECT", VALID, "PreferNoSchedule", "1"},
    {"VKUBELET_TAINT_EFFECT", EDGE, "noexecute", "2"},
    {"VKUBELET_TAINT_EFFECT", BAD, "Never", NULL},
    {"ECI_KUBE_PROXY", VALID, "true", NULL},
    {"ECI_KUBE_PROXY", EDGE, "OFF", "false"},
    {"ECI_KUBE_PROXY", BAD, "2", NULL},
    {"KUBELET_TLS_CERT_FILE", VALID, "/etc/ecilet/kubelet.crt", NULL},
    {"KUBELET_TLS_CERT_FILE", EDGE, "k", NULL},
    {"KUBELET_TLS_CERT_FILE", BAD, "/etc/\x1b[31m", NULL},
    {"KUBELET_TLS_KEY_FILE", VALID, "/etc/ecilet/kubelet.key", NULL},
    {"KUBELET_TLS_KEY_FILE", EDGE, "k", NULL},
    {"KUBELET_TLS_KEY_FILE", BAD, "/etc/\x1b[31m", NULL},
    {"STATUS_SOCKET", VALID, "/run/ecilet.sock", NULL},
    {"STATUS_SOCKET", EDGE, "ecilet.sock", NULL},
    {"STATUS_SOCKET", BAD, "/run/\x1b[31m", NULL},
    {"LEADER_ELECT", VALID, "true", NULL},
    {"LEADER_ELECT", EDGE, "off", "false"},
    {"LEADER_ELECT", BAD, "maybe", NULL},
    {"LEADER_IDENTITY", VALID, "gateway-1", NULL},
    {"LEADER_IDENTITY", EDGE, X100 X100 X50 "12345", NULL},
    {"LEADER_IDENTITY", BAD, "a\tb", NULL},
    {"LEADER_NAMESPACE", VALID, "kube-system", NULL},
    {"LEADER_NAMESPACE", EDGE, X63, NULL},
    {"LEADER_NAMESPACE", BAD, "Kube", NULL},
    {"WEBHOOK", VALID, "false", NULL},
    {"WEBHOOK", EDGE, "1", "true"},
    {"WEBHOOK", EDGE, "Yes", "true"},
    {"WEBHOOK", EDGE, "no", "false"},
    {"WEBHOOK", BAD, "truee", NULL},
    {"WEBHOOK_PORT", VALID, "443", NULL},
    {"WEBHOOK_PORT", EDGE, "65535", NULL},
    {"WEBHOOK_PORT", BAD, "0", NULL},
    {"WEBHOOK_URL", VALID, "https://gateway.example:8443", NULL},
    {"WEBHOOK_URL", EDGE, "https://[2001:db8::1]:1", NULL},
    {"WEBHOOK_URL", BAD, "gateway.example", NULL},
    {"WEBHOOK_CERT_DIR", VALID, "/etc/pki/webhook", NULL},
    {"WEBHOOK_CERT_DIR", EDGE, "webhook", NULL},
    {"WEBHOOK_CERT_DIR", BAD, "/etc/\x1b[31m", NULL},
    {"POLL_FAST_MS", VALID, "1000", NULL},
    {"POLL_FAST_MS", EDGE, "200", NULL},
    {"POLL_FAST_MS", EDGE, "60000", NULL},
    {"POLL_FAST_MS", BAD, "199", NULL},
    {"POLL_FAST_MS", BAD, "2s", NULL},
    {"POLL_SLOW_MS", VALID, "10000", NULL},
    {"POLL_SLOW_MS", EDGE, "600000", NULL},
    {"POLL_SLOW_MS", BAD, "600001", NULL},
    {"SWEEP_SECONDS", VALID, "30", NULL},
    {"SWEEP_SECONDS", EDGE, "5", NULL},
    {"SWEEP_SECONDS", BAD, "4", NULL},
    {"CREATE_PER_MINUTE", VALID, "500", NULL},
    {"CREATE_PER_MINUTE", EDGE, "60000", NULL},
    {"CREATE_PER_MINUTE", BAD, "0", NULL},
    {"DELETE_PER_MINUTE", VALID, "500", NULL},
    {"DELETE_PER_MINUTE", EDGE, "1", NULL},
    {"DELETE_PER_MINUTE", BAD, "60001", NULL},
    {"DESCRIBE_PER_MINUTE", VALID, "100", NULL},
    {"DESCRIBE_PER_MINUTE", EDGE, "007", "7"},
    {"DESCRIBE_PER_MINUTE", BAD, "0x10", NULL},
    {"STATUS_PER_MINUTE", VALID, "100", NULL},
    {"STATUS_PER_MINUTE", EDGE, "1", NULL},
    {"STATUS_PER_MINUTE", BAD, "1 per minute", NULL},
    {"ABSENCE_SECONDS", VALID, "30", NULL},
    {"ABSENCE_SECONDS", EDGE, "1", NULL},
    {"ABSENCE_SECONDS", BAD, "0", NULL},
    {"ABSENCE_SWEEPS", VALID, "3", NULL},
    {"ABSENCE_SWEEPS", EDGE, "2", NULL},
    {"ABSENCE_SWEEPS", BAD, "1", NULL},
    {"ORPHAN_BRAKE_PERCENT", VALID, "10", NULL},
    {"ORPHAN_BRAKE_PERCENT", EDGE, "100", NULL},
    {"ORPHAN_BRAKE_PERCENT", BAD, "20%", NULL},
    {"ORPHAN_BRAKE_MIN", VALID, "10", NULL},
    {"ORPHAN_BRAKE_MIN", EDGE, "1", NULL},
    {"ORPHAN_BRAKE_MIN", BAD, "0", NULL},
    {"PODS_MAX", VALID, "20000", NULL},
    {"PODS_MAX", EDGE, "200000", NULL},
    {"PODS_MAX", BAD, "200001", NULL},
    {"API_CONNECTIONS", VALID, "4", NULL},
    {"API_CONNECTIONS", EDGE, "64", NULL},
    {"API_CONNECTIONS", BAD, "1", NULL},
    {"CLOUD_CONNECTIONS", VALID, "8", NULL},
    {"CLOUD_CONNECTIONS", EDGE, "2", NULL},
    {"CLOUD_CONNECTIONS", BAD, "65", NULL},
    {"EXEC_FRAMING", VALID, "raw", "3"},
    {"EXEC_FRAMING", EDGE, "AUTO", "0"},
    {"EXEC_FRAMING", BAD, "text", NULL},
    {"EXEC_SESSIONS", VALID, "8", NULL},
    {"EXEC_SESSIONS", EDGE, "256", NULL},
    {"EXEC_SESSIONS", BAD, "0", NULL},
    {"PORT_FORWARD_SESSIONS", VALID, "8", NULL},
    {"PORT_FORWARD_SESSIONS", EDGE, "64", NULL},
    {"PORT_FORWARD_SESSIONS", BAD, "65", NULL},
    {"OBJECT_BYTES_MAX", VALID, "1Mi", "1048576"},
    {"OBJECT_BYTES_MAX", EDGE, "262144", NULL},
    {"OBJECT_BYTES_MAX", EDGE, "256Ki", "262144"},
    {"OBJECT_BYTES_MAX", EDGE, "16Mi", "16777216"},
    {"OBJECT_BYTES_MAX", BAD, "262143", NULL},
    {"OBJECT_BYTES_MAX", BAD, "17Mi", NULL},
    {"OBJECT_BYTES_MAX", BAD, "1M", NULL},
    {"OBJECT_BYTES_MAX", BAD, "Mi", NULL},
    {"OBJECT_BYTES_MAX", BAD, "9007199254740993Gi", NULL},
    {"OBJECT_BYTES_MAX", BAD, "17592186044417Mi", NULL}, /* 2^64 + 1 Mi */
    {"OBJECT_BYTES_MAX", BAD, "-1Mi", NULL},
    {"OBJECT_BYTES_MAX", BAD, "+1Mi", NULL},
    {"ARENA_BYTES", VALID, "32Mi", "33554432"},
    {"ARENA_BYTES", EDGE, "256Mi", "268435456"},
    {"ARENA_BYTES", BAD, "1Gi", NULL},
    {"HEAP_BYTES", VALID, "16Mi", "16777216"},
    {"HEAP_BYTES", EDGE, "64Mi", "67108864"},
    {"HEAP_BYTES", BAD, "3Mi", NULL},
    {"LOG_LEVEL", VALID, "debug", "3"},
    {"LOG_LEVEL", EDGE, "INFO", "2"},
    {"LOG_LEVEL", EDGE, "error", "0"},
    {"LOG_LEVEL", BAD, "verbose", NULL},
};

#define ROWS_COUNT (sizeof(rows) / sizeof(rows[0]))

/* ---- one value --------------------------------------------------------------------------------
 */

static void put_field(struct buf *out, const struct fixture *fixture, const struct config_key *key)
{
    const char *at = key->type == CONFIG_SECRET ? (const char *)&fixture->secrets + key->offset
                                                : (const char *)&fixture->config + key->offset;
    const struct config_list *list = (const void *)at;
    uint32_t number;
    switch (key->type) {
    case CONFIG_SECRET:
        buf_put(out, config_secret_str((const void *)at));
        return;
    case CONFIG_BOOL:
        buf_put_text(out, *(const bool *)at ? "true" : "false");
        return;
    case CONFIG_INTEGER:
    case CONFIG_PORT:
    case CONFIG_WORD:
        memcpy(&number, at, sizeof(number));
        buf_put_u64(out, number);
        return;
    case CONFIG_BYTES:
        buf_put_u64(out, *(const size_t *)(const void *)at);
        return;
    case CONFIG_LIST:
        for (uint32_t i = 0; i < list->count; i++) {
            buf_put_fmt(out, "%s%s", i > 0 ? "," : "", list->items[i].ptr);
        }
        return;
    default:
        buf_put_text(out, ((const str *)(const void *)at)->ptr);
        return;
    }
}

static struct fixture value_fixture; /* zeroed before each test */

static void test_config_key_value(void **state)
{
    const struct row *row = *state;
    struct fixture *fixture = &value_fixture;
    memset(fixture, 0, sizeof(*fixture));
    fixture->config.secrets = &fixture->secrets;
    const struct config_key *key = config_key_find(str_of(row->key));
    assert_non_null(key);
    char why[CONFIG_WHY_BYTES] = "";
    enum err err = config_value_set(&fixture->config, key, str_of(row->text), why);
    if (row->kind == BAD) {
        assert_int_equal(err, ERR_BAD_INPUT);
        assert_int_equal(strncmp(why, "must be ", 8), 0);
        assert_int_equal(fixture->config.text_bytes, 0); /* nothing is left behind */
        if (strlen(row->text) > 3 && key->type != CONFIG_WORD) {
            assert_null(strstr(why, row->text));
        }
        return;
    }
    assert_int_equal(err, ERR_OK);
    char memory[2048];
    struct buf out;
    buf_init(&out, memory, sizeof(memory));
    put_field(&out, fixture, key);
    assert_string_equal(buf_cstr(&out), row->stored != NULL ? row->stored : row->text);
}

/* ---- the table itself -------------------------------------------------------------------------
 */

static void test_config_keys_are_all_tested(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < config_keys_count; i++) {
        bool has[3] = {false, false, false};
        for (size_t at = 0; at < ROWS_COUNT; at++) {
            if (strcmp(rows[at].key, config_keys[i].key) == 0) {
                has[rows[at].kind] = true;
            }
        }
        if (!has[VALID] || !has[EDGE] || !has[BAD]) {
            fail_msg("%s lacks a valid, edge or bad value here", config_keys[i].key);
        }
    }
}

static void check_documentation(const struct config_key *row)
{
    size_t doc_bytes = strlen(row->doc);
    assert_true(doc_bytes > 0 && doc_bytes <= 80);
    assert_int_not_equal(row->doc[doc_bytes - 1], '.'); /* the printers add it */
    assert_null(strchr(row->doc, '\n'));
    if (row->more != NULL) {
        assert_int_equal(row->more[strlen(row->more) - 1], '.');
        str rest = str_of(row->more);
        str line;
        while (str_cut(&rest, '\n', &line)) {
            assert_true(line.bytes <= 88);
        }
    }
}

static void test_config_keys_rows_are_sound(void **state)
{
    (void)state;
    static struct config config;
    static struct config_secrets secrets;
    char why[CONFIG_WHY_BYTES];
    for (uint32_t i = 0; i < config_keys_count; i++) {
        const struct config_key *row = &config_keys[i];
        print_message("%s\n", row->key);
        assert_ptr_equal(config_key_find(str_of(row->key)), row); /* no name twice */
        assert_int_equal(row->field_bytes, config_type_field_bytes(row->type));
        assert_true(row->group < CONFIG_GROUP_COUNT);
        assert_true(i == 0 || row->group >= config_keys[i - 1].group);
        assert_true(row->type != CONFIG_WORD || row->words != NULL);
        assert_true((row->type != CONFIG_INTEGER && row->type != CONFIG_BYTES) ||
                    (row->min < row->max && row->max <= UINT32_MAX));
        assert_true(row->type != CONFIG_LIST || (row->form != NULL && row->max <= CONFIG_LIST_MAX));
        assert_false(row->is_required && row->otherwise != NULL);
        assert_true(row->type != CONFIG_SECRET || (row->otherwise == NULL && row->example == NULL));
        check_documentation(row);
        config.secrets = &secrets;
        config.text_bytes = 0;
        const char *texts[] = {row->otherwise, row->example};
        for (size_t at = 0; at < 2; at++) {
            if (texts[at] != NULL) {
                assert_int_equal(config_value_set(&config, row, str_of(texts[at]), why), ERR_OK);
            }
        }
    }
}

static void test_config_keys_fields_do_not_overlap(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < config_keys_count; i++) {
        for (uint32_t at = 0; at < i; at++) {
            const struct config_key *a = &config_keys[i];
            const struct config_key *b = &config_keys[at];
            bool is_apart = a->offset + a->field_bytes <= b->offset ||
                            b->offset + b->field_bytes <= a->offset ||
                            (a->type == CONFIG_SECRET) != (b->type == CONFIG_SECRET);
            if (!is_apart) {
                fail_msg("%s and %s share memory", a->key, b->key);
            }
        }
    }
}

static void test_config_keys_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *typed, *meant;
    } typos[] = {
        {"ECI_VSWICH", "ECI_VSWITCH"},
        {"ECI_VSWITCHS", "ECI_VSWITCH"},
        {"ECI_QOUTA_POD", "ECI_QUOTA_POD"},
        {"ECI_ACCESSKEY", "ECI_ACCESS_KEY"},
        {"ECI_SECRETKEY", "ECI_SECRET_KEY"},
        {"KUBECONFG", "KUBECONFIG"},
        {"CLUSTERTYPE", "CLUSTER_TYPE"},
        {"ALIYUN_CLUSTER_ID", "ALIYUN_CLUSTERID"},
        {"WEBHOKS", "WEBHOOK"},
        {"ECI_REGION_ID", "ECI_REGION"},
        {"PODS", NULL},
        {"COMPLETELY_DIFFERENT", NULL},
        {"X", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof(typos) / sizeof(typos[0]); i++) {
        const struct config_key *nearest = config_key_nearest(str_of(typos[i].typed));
        if (typos[i].meant == NULL) {
            assert_null(nearest);
        } else {
            assert_non_null(nearest);
            assert_string_equal(nearest->key, typos[i].meant);
        }
    }
}

static void test_config_keys_file_form_is_for_texts_and_secrets(void **state)
{
    (void)state;
    assert_true(config_key_has_file_form(config_key_find(S("ECI_SECRET_KEY"))));
    assert_true(config_key_has_file_form(config_key_find(S("ECI_REGION"))));
    assert_true(config_key_has_file_form(config_key_find(S("ECI_PROXY"))));
    assert_false(config_key_has_file_form(config_key_find(S("KUBECONFIG"))));
    assert_false(config_key_has_file_form(config_key_find(S("PODS_MAX"))));
}

/* Texts fill up: an error, and what was there stays. */
static void test_config_value_texts_can_be_full(void **state)
{
    (void)state;
    static struct config config;
    char why[CONFIG_WHY_BYTES];
    const struct config_key *row = config_key_find(S("ECI_VSWITCH"));
    str kept;
    assert_int_equal(config_value_set(&config, row, S("vsw-1"), why), ERR_OK);
    while (config_text_keep(&config, S("0123456789"), &kept)) {
    }
    size_t bytes = config.text_bytes;
    assert_int_equal(config_value_set(&config, row, S("vsw-2,vsw-3"), why), ERR_FULL);
    assert_int_equal(config.text_bytes, bytes);
    assert_int_equal(config.eci_vswitch.count, 1);
    assert_str(config.eci_vswitch.items[0], "vsw-1");
    assert_non_null(strstr(why, "too long"));
}

static void test_config_value_same(void **state)
{
    (void)state;
    static struct config a, b;
    static struct config_secrets a_secrets, b_secrets;
    char why[CONFIG_WHY_BYTES];
    a.secrets = &a_secrets;
    b.secrets = &b_secrets;
    /* For every key: cleared is equal to cleared, its usual value is equal to itself, and two
     * different values differ. */
    for (uint32_t i = 0; i < config_keys_count; i++) {
        const struct config_key *row = &config_keys[i];
        const char *first = NULL;
        a.text_bytes = b.text_bytes = 0;
        config_value_clear(&a, row);
        config_value_clear(&b, row);
        assert_true(config_value_same(&a, &b, row));
        for (size_t at = 0; at < ROWS_COUNT; at++) {
            if (strcmp(rows[at].key, row->key) != 0 || rows[at].kind == BAD) {
                continue;
            }
            const char *stored = rows[at].stored != NULL ? rows[at].stored : rows[at].text;
            assert_int_equal(config_value_set(&a, row, str_of(rows[at].text), why), ERR_OK);
            if (first == NULL) {
                first = stored;
                assert_int_equal(config_value_set(&b, row, str_of(rows[at].text), why), ERR_OK);
            }
            assert_int_equal(config_value_same(&a, &b, row), strcmp(stored, first) == 0);
        }
    }
}

int main(void)
{
    static struct CMUnitTest tests[ROWS_COUNT + 16];
    static char names[ROWS_COUNT][96];
    static const char *const kinds[] = {"valid", "edge", "bad"};
    size_t count = 0;
    for (; count < ROWS_COUNT; count++) {
        (void)snprintf(names[count], sizeof(names[count]), "test_config_key %s %s %zu",
                       rows[count].key, kinds[rows[count].kind], count);
        tests[count] = (struct CMUnitTest){.name = names[count],
                                           .test_func = test_config_key_value,
                                           .initial_state = (void *)(uintptr_t)&rows[count]};
    }
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_config_keys_are_all_tested),
        cmocka_unit_test(test_config_keys_rows_are_sound),
        cmocka_unit_test(test_config_keys_fields_do_not_overlap),
        cmocka_unit_test(test_config_keys_nearest),
        cmocka_unit_test(test_config_keys_file_form_is_for_texts_and_secrets),
        cmocka_unit_test(test_config_value_texts_can_be_full),
        cmocka_unit_test(test_config_value_same),
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        tests[count++] = others[i];
    }
    return _cmocka_run_group_tests("config_keys", tests, count, NULL, NULL);
}
