/*
 * Random pods: whatever is in them, nothing crashes, and no parameter leaves that
 * CreateContainerGroup does not have (create_parameters.txt: the names of its request in
 * eci-actions.tsv). The pods are made of the very members that pod_fields.def lists, with right and
 * wrong values. Same seed, same pods.
 */
#include "table/spec_case.h"

#include "base/prng.h"
#include "spec/pod_fields.h"
#include "spec/pod_status.h"

#define PODS 2000
#define SEED 20240102
#define NAMES_FILE "test/table/create_parameters.txt" /* from the top of the tree, where make is \
                                                       */
#define NAMES_MAX 400
#define NAME_BYTES_MAX 128

enum treatment { USED, IGNORED, WARNED, REFUSED };

static const struct field {
    enum field_scope scope;
    const char *key;
    enum treatment treatment;
} fields[] = {
#define SCOPE(name, title, unknown_text)
#define FIELD(scope, key, treatment, passes, text) {FIELD_SCOPE_##scope, key, treatment},
#include "spec/pod_fields.def"
#undef SCOPE
#undef FIELD
};
#define FIELDS_COUNT (sizeof fields / sizeof fields[0])

/* Of every two pods one is calm: right types, sensible values, nothing that is refused. */
static bool is_calm;

static char names[NAMES_MAX][NAME_BYTES_MAX];
static size_t names_count;

static int load_names(void **state)
{
    FILE *file = fopen(NAMES_FILE, "r");

    (void)state;
    if (file == NULL) {
        return -1;
    }
    while (names_count < NAMES_MAX && fgets(names[names_count], NAME_BYTES_MAX, file) != NULL) {
        names[names_count][strcspn(names[names_count], "\n")] = '\0';
        names_count++;
    }
    fclose(file);
    return names_count > 150 ? 0 : -1;
}

/* "Container.3.Command.1" is known as "Container.N.Command.N". */
static bool is_known_name(str name)
{
    char general[NAME_BYTES_MAX];
    size_t at = 0;
    str rest = name, part;

    while (str_cut(&rest, '.', &part) && at + part.bytes + 3 < sizeof general) {
        uint64_t number = 0;
        str word = str_to_u64(part, &number) && number > 0 ? S("N") : part;
        if (at > 0) {
            general[at++] = '.';
        }
        memcpy(general + at, word.ptr, word.bytes);
        at += word.bytes;
    }
    for (size_t i = 0; i < names_count; i++) {
        if (str_eq(str_make(general, at), str_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static const char *pick_text(struct prng *prng)
{
    static const char *const texts[] = {
        "", "a", "web", "Always", "Never", "100m", "2", "1Gi", "1e30", "-1", "64", "0.5",
        "/var/run",
        "/var/run/secrets/kubernetes.io/serviceaccount", "kube-api-access-abcde", "x-token-y",
        "TCP", "UDP",
        "$(A)", "$$(A)$(", "A", "__ECI_RESOURCE_IGNORE__", "TRUE", "\\u0000", "\\ud83d\\ude00",
        "\\n", "Memory",
        "ClusterFirst", "b:latest", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "999999999999999999999999", "10250", "\xC3\xA9", "%s%n", "\\u0027\\\\", "acs:x"};

    return texts[prng_below(prng, sizeof texts / sizeof texts[0])];
}

static void put_value(struct buf *out, struct prng *prng, enum field_scope scope, const char *key,
                      unsigned depth);

/* Members without which an object is refused. */
static bool is_basic_key(enum field_scope scope, const char *key)
{
    static const char *const keys[] = {
        "name",    "image",     "containers", "mountPath", "containerPort", "fieldPath",
        "port",    "command",   "key",        "path",      "claimName",     "driver",
        "server",  "fieldRef",  "resource",   "audience",  "secretName",    "configMapRef",
        "expirationSeconds"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i], key) == 0) {
            return scope != FIELD_SCOPE_CONTAINER || strcmp(key, "command") != 0;
        }
    }
    return false;
}

/* Of the actions of a probe or hook exactly one. */
static bool is_action_key(enum field_scope scope, const char *key)
{
    return (scope == FIELD_SCOPE_PROBE || scope == FIELD_SCOPE_HOOK) &&
           (strcmp(key, "exec") == 0 || strcmp(key, "httpGet") == 0 ||
            strcmp(key, "tcpSocket") == 0);
}

static void put_object(struct buf *out, struct prng *prng, enum field_scope scope, unsigned depth)
{
    static const char *const actions[] = {"exec", "httpGet", "tcpSocket"};
    /* Of the many members that pods and containers have, few in each, so that many get through. */
    unsigned rarity = scope == FIELD_SCOPE_POD || scope == FIELD_SCOPE_CONTAINER ? 8 : 5;
    const char *action = actions[prng_below(prng, 3)];
    bool has_one = false;

    buf_put_char(out, '{');
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        bool is_here = fields[i].scope == scope;
        /* Mostly the members that are used, so that many pods get through. */
        bool is_basic = is_basic_key(scope, fields[i].key);
        bool is_refused = fields[i].treatment == REFUSED;
        bool is_action = is_calm && is_action_key(scope, fields[i].key);
        if (!is_here ||
            (!is_action && !prng_chance(prng, is_basic ? 39 : 1, is_basic ? 40 : rarity)) ||
            (is_calm && is_refused) ||
            (is_calm &&
             (strcmp(fields[i].key, "dnsPolicy") == 0 ||
              strcmp(fields[i].key, "nameservers") == 0 || strcmp(fields[i].key, "searches") == 0 ||
              strcmp(fields[i].key, "subPathExpr") == 0 ||
              (is_action_key(scope, fields[i].key) && strcmp(fields[i].key, action) != 0)))) {
            continue;
        }
        buf_put_fmt(out, "%s'%s':", has_one ? "," : "", fields[i].key);
        put_value(out, prng, scope, fields[i].key, depth);
        has_one = true;
    }
    if (!is_calm && prng_chance(prng, 1, 60)) {
        buf_put_fmt(out, "%s'fromTheFuture':", has_one ? "," : "");
        put_value(out, prng, scope, "", depth + 1);
    }
    buf_put_char(out, '}');
}

/* The members that hold objects of another scope, as one or as a list. */
#define ANYWHERE FIELD_SCOPE_COUNT

static const struct nested {
    const char *key;
    enum field_scope scope;
    enum field_scope holder; /* only there */
    bool is_list;
} nested[] = {
    {"containers", FIELD_SCOPE_CONTAINER, ANYWHERE, true},
    {"initContainers", FIELD_SCOPE_CONTAINER, ANYWHERE, true},
    {"volumes", FIELD_SCOPE_VOLUME, ANYWHERE, true},
    {"hostAliases", FIELD_SCOPE_HOST_ALIAS, ANYWHERE, true},
    {"ports", FIELD_SCOPE_PORT, ANYWHERE, true},
    {"env", FIELD_SCOPE_ENV, ANYWHERE, true},
    {"volumeMounts", FIELD_SCOPE_MOUNT, ANYWHERE, true},
    {"resources", FIELD_SCOPE_RESOURCES, FIELD_SCOPE_CONTAINER, false},
    {"requests", FIELD_SCOPE_RESOURCE, ANYWHERE, false},
    {"limits", FIELD_SCOPE_RESOURCE, ANYWHERE, false},
    {"securityContext", FIELD_SCOPE_SECURITY, FIELD_SCOPE_CONTAINER, false},
    {"securityContext", FIELD_SCOPE_POD_SECURITY, FIELD_SCOPE_POD, false},
    {"sysctls", FIELD_SCOPE_SYSCTL, ANYWHERE, true},
    {"capabilities", FIELD_SCOPE_CAPABILITIES, ANYWHERE, false},
    {"dnsConfig", FIELD_SCOPE_DNS, ANYWHERE, false},
    {"options", FIELD_SCOPE_DNS_OPTION, FIELD_SCOPE_DNS, true},
    {"imagePullSecrets", FIELD_SCOPE_PULL_SECRET, ANYWHERE, true},
    {"livenessProbe", FIELD_SCOPE_PROBE, ANYWHERE, false},
    {"readinessProbe", FIELD_SCOPE_PROBE, ANYWHERE, false},
    {"lifecycle", FIELD_SCOPE_HOOKS, ANYWHERE, false},
    {"postStart", FIELD_SCOPE_HOOK, ANYWHERE, false},
    {"preStop", FIELD_SCOPE_HOOK, ANYWHERE, false},
    {"exec", FIELD_SCOPE_EXEC, ANYWHERE, false},
    {"httpGet", FIELD_SCOPE_PROBE_HTTP, FIELD_SCOPE_PROBE, false},
    {"httpGet", FIELD_SCOPE_HOOK_HTTP, FIELD_SCOPE_HOOK, false},
    {"tcpSocket", FIELD_SCOPE_PROBE_TCP, FIELD_SCOPE_PROBE, false},
    {"tcpSocket", FIELD_SCOPE_HOOK_TCP, FIELD_SCOPE_HOOK, false},
    {"httpHeaders", FIELD_SCOPE_HEADER, ANYWHERE, true},
    {"envFrom", FIELD_SCOPE_ENV_FROM, ANYWHERE, true},
    {"configMapRef", FIELD_SCOPE_ENV_OBJECT, ANYWHERE, false},
    {"secretRef", FIELD_SCOPE_ENV_OBJECT, FIELD_SCOPE_ENV_FROM, false},
    {"valueFrom", FIELD_SCOPE_ENV_SOURCE, ANYWHERE, false},
    {"configMapKeyRef", FIELD_SCOPE_KEY, ANYWHERE, false},
    {"secretKeyRef", FIELD_SCOPE_KEY, ANYWHERE, false},
    {"fieldRef", FIELD_SCOPE_POD_FIELD, ANYWHERE, false},
    {"resourceFieldRef", FIELD_SCOPE_RESOURCE_FIELD, ANYWHERE, false},
    {"configMap", FIELD_SCOPE_CONFIG_MAP, FIELD_SCOPE_VOLUME, false},
    {"configMap", FIELD_SCOPE_OBJECT_PROJECTION, FIELD_SCOPE_PROJECTION, false},
    {"secret", FIELD_SCOPE_SECRET, FIELD_SCOPE_VOLUME, false},
    {"downwardAPI", FIELD_SCOPE_DOWNWARD, FIELD_SCOPE_VOLUME, false},
    {"downwardAPI", FIELD_SCOPE_FIELD_PROJECTION, FIELD_SCOPE_PROJECTION, false},
    {"projected", FIELD_SCOPE_PROJECTED, ANYWHERE, false},
    {"sources", FIELD_SCOPE_PROJECTION, ANYWHERE, true},
    {"serviceAccountToken", FIELD_SCOPE_TOKEN, ANYWHERE, false},
    {"items", FIELD_SCOPE_KEY_FILE, FIELD_SCOPE_CONFIG_MAP, true},
    {"items", FIELD_SCOPE_KEY_FILE, FIELD_SCOPE_OBJECT_PROJECTION, true},
    {"items", FIELD_SCOPE_FIELD_FILE, FIELD_SCOPE_DOWNWARD, true},
    {"items", FIELD_SCOPE_FIELD_FILE, FIELD_SCOPE_FIELD_PROJECTION, true},
    {"nfs", FIELD_SCOPE_NFS, ANYWHERE, false},
    {"flexVolume", FIELD_SCOPE_FLEX, ANYWHERE, false},
    {"csi", FIELD_SCOPE_CSI, ANYWHERE, false},
    {"persistentVolumeClaim", FIELD_SCOPE_CLAIM, ANYWHERE, false},
    {"hostPath", FIELD_SCOPE_HOST_PATH, ANYWHERE, false},
    {"emptyDir", FIELD_SCOPE_EMPTY_DIR, ANYWHERE, false},
};

/* What a member normally holds, where that is no text. */
static const struct normal {
    const char *key;
    enum field_scope holder;
    const char *values[4];
} normals[] = {
    {"containerPort", ANYWHERE, {"80", "443", "8080", "10250"}},
    {"cpu", ANYWHERE, {"'100m'", "'1'", "'0.5'", "2"}},
    {"memory", ANYWHERE, {"'64Mi'", "'1Gi'", "'1e9'", "100000000"}},
    {"ephemeral-storage", ANYWHERE, {"'1Gi'", "'40Gi'", "'5Gi'", "0"}},
    {"nvidia.com/gpu", ANYWHERE, {"'1'", "2", "'500m'", "0"}},
    {"restartPolicy", ANYWHERE, {"'Always'", "'OnFailure'", "'Never'", "''"}},
    {"terminationGracePeriodSeconds", ANYWHERE, {"0", "30", "-1", "86400"}},
    {"activeDeadlineSeconds", ANYWHERE, {"1", "60", "600", "99999999"}},
    {"shareProcessNamespace", ANYWHERE, {"true", "false", "null", "true"}},
    {"stdin", ANYWHERE, {"true", "false", "null", "true"}},
    {"stdinOnce", ANYWHERE, {"true", "false", "null", "true"}},
    {"tty", ANYWHERE, {"true", "false", "null", "true"}},
    {"readOnly", ANYWHERE, {"true", "false", "null", "true"}},
    {"sizeLimit", ANYWHERE, {"'1Gi'", "'0'", "'500M'", "''"}},
    {"enableServiceLinks", ANYWHERE, {"true", "false", "null", "true"}},
    {"optional", ANYWHERE, {"true", "false", "null", "true"}},
    {"runAsNonRoot", ANYWHERE, {"true", "false", "null", "true"}},
    {"readOnlyRootFilesystem", ANYWHERE, {"true", "false", "null", "true"}},
    {"runAsUser", ANYWHERE, {"1000", "1", "65534", "null"}},
    {"runAsGroup", ANYWHERE, {"1000", "0", "null", "null"}},
    {"add", ANYWHERE, {"['KILL']", "['CAP_CHOWN','NET_ADMIN']", "[]", "null"}},
    {"port", ANYWHERE, {"80", "'443'", "65535", "1"}},
    {"scheme", ANYWHERE, {"'HTTP'", "'HTTPS'", "''", "null"}},
    {"initialDelaySeconds", ANYWHERE, {"0", "1", "60", "null"}},
    {"timeoutSeconds", ANYWHERE, {"0", "1", "60", "null"}},
    {"periodSeconds", ANYWHERE, {"0", "1", "60", "null"}},
    {"failureThreshold", ANYWHERE, {"0", "1", "60", "null"}},
    {"serviceAccountName", ANYWHERE, {"'default'", "'default'", "''", "null"}},
    {"expirationSeconds", ANYWHERE, {"7200", "7200", "7200", "7200"}},
    {"audience", ANYWHERE, {"'vault'", "'vault'", "'vault'", "'vault'"}},
    {"name",
     FIELD_SCOPE_SYSCTL,
     {"'kernel.sem'", "'net.core.somaxconn'", "'kernel.msgmax'", "'net.ipv4.ping_group_range'"}},
    {"name", FIELD_SCOPE_PULL_SECRET, {"'pull'", "'pull-old'", "'none'", "''"}},
    {"name", FIELD_SCOPE_ENV_OBJECT, {"'map'", "'map'", "'map'", "'none'"}},
    {"secretRef", FIELD_SCOPE_ENV_FROM, {"null", "null", "null", "null"}},
    {"name", FIELD_SCOPE_KEY, {"'map'", "'good'", "'secret'", "'none'"}},
    {"name", FIELD_SCOPE_CONFIG_MAP, {"'map'", "'map'", "'map'", "'map'"}},
    {"name", FIELD_SCOPE_OBJECT_PROJECTION, {"'map'", "'map'", "'map'", "'map'"}},
    {"secretName", ANYWHERE, {"'good'", "'good'", "'good'", "'keys'"}},
    {"key", FIELD_SCOPE_KEY_FILE, {"'a'", "'b.conf'", "'bin'", "'a'"}},
    {"key", ANYWHERE, {"'a'", "'user'", "'key'", "'a'"}},
    {"fieldPath",
     ANYWHERE,
     {"'metadata.name'", "'metadata.uid'", "'metadata.namespace'",
      "'metadata.labels[\\u0027x\\u0027]'"}},
    {"resource",
     ANYWHERE,
     {"'limits.cpu'", "'requests.memory'", "'limits.memory'", "'limits.ephemeral-storage'"}},
    {"containerName", ANYWHERE, {"null", "''", "null", "''"}},
    {"divisor", ANYWHERE, {"'1'", "'1m'", "0", "'1Mi'"}},
    {"path", FIELD_SCOPE_HOST_PATH, {"'/allowed'", "'/allowed/a'", "'/opt/x'", "'/opt/x/y'"}},
    {"type", FIELD_SCOPE_HOST_PATH, {"'Directory'", "'File'", "''", "null"}},
    {"path", FIELD_SCOPE_KEY_FILE, {"'p'", "'q/r'", "'...'", "'p'"}},
    {"path", FIELD_SCOPE_FIELD_FILE, {"'p'", "'q/r'", "'...'", "'p'"}},
    {"path", FIELD_SCOPE_TOKEN, {"'p'", "'q/r'", "'...'", "'p'"}},
    {"subPath", ANYWHERE, {"'s'", "'s/t'", "''", "null"}},
    {"mountPropagation", ANYWHERE, {"'None'", "'HostToContainer'", "''", "null"}},
    {"mode", ANYWHERE, {"256", "420", "0", "511"}},
    {"defaultMode", ANYWHERE, {"256", "420", "0", "511"}},
    {"claimName", ANYWHERE, {"'nfs'", "'nas'", "'oss'", "'disk'"}},
    {"driver",
     FIELD_SCOPE_FLEX,
     {"'alicloud/disk'", "'alicloud/nas'", "'alicloud/oss'", "'alicloud/nas'"}},
    {"driver",
     FIELD_SCOPE_CSI,
     {"'nasplugin.csi.alibabacloud.com'", "'ossplugin.csi.alibabacloud.com'",
      "'nasplugin.csi.alibabacloud.com'", "'nasplugin.csi.alibabacloud.com'"}},
    {"options", FIELD_SCOPE_FLEX, {"{'volumeId':'d'}", "{}", "null", "{'akSecret':'x'}"}},
    {"secretRef", FIELD_SCOPE_FLEX, {"{'name':'keys'}", "null", "{}", "{'name':'good'}"}},
    {"nodePublishSecretRef", ANYWHERE, {"{'name':'keys'}", "null", "{}", "{'name':'good'}"}},
    {"volumeAttributes", ANYWHERE, {"{'server':'s'}", "{'other':'s'}", "{}", "null"}},
};

static bool put_normal(struct buf *out, struct prng *prng, enum field_scope scope, const char *key)
{
    for (size_t i = 0; i < sizeof normals / sizeof normals[0]; i++) {
        bool is_here = normals[i].holder == ANYWHERE || normals[i].holder == scope;
        if (is_here && strcmp(normals[i].key, key) == 0) {
            buf_put_text(out, normals[i].values[prng_below(prng, 4)]);
            return true;
        }
    }
    return false;
}

static void put_scalar(struct buf *out, struct prng *prng)
{
    if (is_calm) {
        buf_put_fmt(out, "'%s'", pick_text(prng));
        return;
    }
    switch (prng_below(prng, 8)) {
    case 0:
        buf_put_text(out, "null");
        break;
    case 1:
        buf_put_text(out, "true");
        break;
    case 2:
        buf_put_text(out, "false");
        break;
    case 3:
        buf_put_u64(out, prng_below(prng, 70000));
        break;
    case 4:
        buf_put_text(out, "-1.5e300");
        break;
    default:
        buf_put_fmt(out, "'%s'", pick_text(prng));
        break;
    }
}

static void put_value(struct buf *out, struct prng *prng, enum field_scope scope, const char *key,
                      unsigned depth)
{
    bool is_wrong = (!is_calm && prng_chance(prng, 1, 25)) || depth > 10;
    bool is_text_list = strcmp(key, "nameservers") == 0 || strcmp(key, "searches") == 0 ||
                        strcmp(key, "command") == 0 || strcmp(key, "args") == 0 ||
                        strcmp(key, "hostnames") == 0;
    uint64_t count = 1 + prng_below(prng, prng_chance(prng, 1, 20) ? 25 : 3);

    for (size_t i = 0; !is_wrong && i < sizeof nested / sizeof nested[0]; i++) {
        if (strcmp(nested[i].key, key) != 0 ||
            (nested[i].holder != ANYWHERE && nested[i].holder != scope)) {
            continue;
        }
        buf_put_char(out, nested[i].is_list ? '[' : ' ');
        for (uint64_t k = 0; k < (nested[i].is_list ? count : 1); k++) {
            buf_put_text(out, k > 0 ? "," : "");
            put_object(out, prng, nested[i].scope, depth + 1);
        }
        buf_put_char(out, nested[i].is_list ? ']' : ' ');
        return;
    }
    if (is_text_list && !is_wrong) {
        buf_put_char(out, '[');
        for (uint64_t k = 0; k < count; k++) {
            buf_put_fmt(out, "%s'%s'", k > 0 ? "," : "", pick_text(prng));
        }
        buf_put_char(out, ']');
        return;
    }
    if (!is_wrong && put_normal(out, prng, scope, key)) {
        return;
    }
    if (strcmp(key, "name") == 0 || strcmp(key, "image") == 0 || strcmp(key, "mountPath") == 0) {
        const char *text = pick_text(prng); /* first: arguments are evaluated in any order */
        buf_put_fmt(out, "'%s%u'", text, (unsigned)prng_below(prng, 9));
        return;
    }
    put_scalar(out, prng);
}

static struct spec_refs refs;

static void check_params(const struct params *params, uint64_t pod)
{
    for (uint32_t i = 0; i < params->count; i++) {
        if (!is_known_name(params->items[i].name)) {
            fail_msg("pod %llu: %.*s", (unsigned long long)pod, STR_ARG(params->items[i].name));
        }
        for (uint32_t k = 0; k < i && params->count < 200; k++) {
            assert_false(str_eq(params->items[i].name, params->items[k].name));
        }
    }
}

static void test_random_pods(void **state)
{
    static char text[CASE_TEXT_BYTES_MAX];
    unsigned accepted = 0, refused = 0;

    (void)state;
    for (uint64_t pod = 0; pod < PODS; pod++) {
        struct prng prng;
        struct arena arena;
        struct spec_verdict verdict;
        struct params params;
        struct spec_config config = case_config;
        struct sizing size = {0};
        struct buf out;

        prng_seed(&prng, SEED + pod);
        is_calm = pod % 2 == 0;
        buf_init(&out, text, sizeof text);
        put_object(&out, &prng, FIELD_SCOPE_POD, 0);
        assert_true(buf_ok(&out));
        config.is_strict = prng_chance(&prng, 1, 2);
        case_begin(&arena, &verdict);
        case_refs(&refs, &arena);
        assert_int_equal(params_init(&params, &arena), ERR_OK);
        enum err err = pod_json_to_eci(case_pod(&arena, "", buf_cstr(&out)), &refs, &config, 1,
                                       &params, &size, &verdict);
        check_params(&params, pod);
        if (err == ERR_OK) {
            assert_int_equal(verdict.refusals_count, 0);
            assert_in_range(size.cpu_milli, 250, SIZING_CPU_MILLI_MAX);
            assert_true(params.count > 20);
            accepted++;
        } else {
            assert_true(err == ERR_UNSUPPORTED || err == ERR_BUSY);
            assert_true(verdict.refusals_count > 0);
            for (uint32_t i = 0; i < verdict.refusals_count; i++) {
                assert_true(str_starts(verdict.refusals[i].where, S("spec")));
                assert_true(verdict.refusals[i].what.bytes > 5);
            }
            refused++;
        }
    }
    printf("%u accepted, %u refused\n", accepted, refused);
    assert_true(accepted > PODS / 10 && refused > PODS / 10);
}

/* Memory of any size gives a whole answer or ERR_FULL. */
static void test_random_pods_in_little_memory(void **state)
{
    static char text[CASE_TEXT_BYTES_MAX];

    (void)state;
    for (uint64_t pod = 0; pod < 500; pod++) {
        struct prng prng;
        struct arena arena, small;
        struct spec_verdict verdict;
        struct params params;
        struct buf out;
        static char memory[1 << 19];

        prng_seed(&prng, SEED + pod);
        is_calm = pod % 2 == 0;
        buf_init(&out, text, sizeof text);
        put_object(&out, &prng, FIELD_SCOPE_POD, 0);
        arena_init(&arena, case_arena_memory, sizeof case_arena_memory);
        json json_pod = case_pod(&arena, "", buf_cstr(&out));
        case_refs(&refs, &arena);
        arena_init(&small, memory, (size_t)prng_below(&prng, sizeof memory));
        verdict_init(&verdict, &small);
        if (params_init(&params, &small) != ERR_OK) {
            continue;
        }
        enum err err = pod_json_to_eci(json_pod, &refs, &case_config, 1, &params, NULL, &verdict);
        assert_true(err == ERR_OK || err == ERR_UNSUPPORTED || err == ERR_BUSY || err == ERR_FULL);
        if (err == ERR_OK) {
            check_params(&params, pod);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_pods),
        cmocka_unit_test(test_random_pods_in_little_memory),
    };

    return cmocka_run_group_tests(tests, load_names, NULL);
}
