/* What is refused and how it is said: first every row of pod_fields.def, then
 * the rules that are code. */
#include "table/spec_case.h"

#include "spec/pod_fields.h"

/* ---- the tables ------------------------------------------------------------------------------ */

enum treatment { USED, IGNORED, WARNED, REFUSED };

static const struct field {
    enum field_scope scope;
    const char *scope_name;
    const char *key;
    enum treatment treatment;
    const char *passes;
    const char *text;
} fields[] = {
#define SCOPE(name, title, unknown_text)
#define FIELD(scope, key, treatment, passes, text) \
    {FIELD_SCOPE_##scope, #scope, key, treatment, passes, text},
#include "spec/pod_fields.def"
#undef SCOPE
#undef FIELD
};

/* Where an object of each scope sits in a pod: %s is one more member, and its path. */
static const struct place {
    const char *spec;
    const char *path;
} places[FIELD_SCOPE_COUNT] = {
#define CONTAINERS "'containers':[{'name':'a','image':'b:1'}]"
    [FIELD_SCOPE_POD] = {"{%s" CONTAINERS "}", "spec"},
    [FIELD_SCOPE_POD_SECURITY] = {"{'securityContext':{%s'x':null}," CONTAINERS "}",
                                  "spec.securityContext"},
    [FIELD_SCOPE_HOST_ALIAS] = {"{'hostAliases':[{%s'ip':'1.2.3.4'}]," CONTAINERS "}",
                                "spec.hostAliases[0]"},
    [FIELD_SCOPE_CONTAINER] = {"{'containers':[{%s'name':'a','image':'b:1'}]}",
                               "spec.containers[0]"},
    [FIELD_SCOPE_INIT] = {"{'initContainers':[{%s'name':'i','image':'b:1'}]," CONTAINERS "}",
                          "spec.initContainers[0]"},
    [FIELD_SCOPE_SECURITY] = {"{'containers':[{'securityContext':{%s'x':null},'name':'a','image':"
                              "'b:1'}]}",
                              "spec.containers[0].securityContext"},
    [FIELD_SCOPE_RESOURCES] =
        {"{'containers':[{'resources':{%s'x':null},'name':'a','image':'b:1'}]}",
         "spec.containers[0].resources"},
    [FIELD_SCOPE_RESOURCE] =
        {"{'containers':[{'resources':{'limits':{%s'x':null}},'name':'a','image':"
         "'b:1'}]}",
         "spec.containers[0].resources.limits"},
    [FIELD_SCOPE_PORT] =
        {"{'containers':[{'ports':[{%s'containerPort':1}],'name':'a','image':'b:1'}]}",
         "spec.containers[0].ports[0]"},
    [FIELD_SCOPE_ENV] = {"{'containers':[{'env':[{%s'name':'A'}],'name':'a','image':'b:1'}]}",
                         "spec.containers[0].env[0]"},
    [FIELD_SCOPE_MOUNT] = {"{'volumes':[{'name':'v'}],'containers':[{'volumeMounts':[{%s'name':'v',"
                           "'mountPath':'/v'}],'name':'a','image':'b:1'}]}",
                           "spec.containers[0].volumeMounts[0]"},
    [FIELD_SCOPE_VOLUME] = {"{'volumes':[{%s'name':'v'}]," CONTAINERS "}", "spec.volumes[0]"},
    [FIELD_SCOPE_EMPTY_DIR] = {"{'volumes':[{'name':'v','emptyDir':{%s'x':null}}]," CONTAINERS "}",
                               "spec.volumes[0].emptyDir"},
#define POD_WITH(members) "{" members CONTAINERS "}"
#define WITH(members) "{'containers':[{" members "'name':'a','image':'b:1'}]}"
#define IN_VOLUME(source) "{'volumes':[{'name':'v'," source "}]," CONTAINERS "}"
    [FIELD_SCOPE_DNS] = {POD_WITH("'dnsPolicy':'None','dnsConfig':{%s'nameservers':['1.1.1.1']},"),
                         "spec.dnsConfig"},
    [FIELD_SCOPE_DNS_OPTION] = {POD_WITH("'dnsPolicy':'None','dnsConfig':{'nameservers':['1.1.1.1'"
                                         "],'options':[{%s'name':'ndots'}]},"),
                                "spec.dnsConfig.options[0]"},
    [FIELD_SCOPE_SYSCTL] = {POD_WITH("'securityContext':{'sysctls':[{%s'name':'kernel.sem','value':"
                                     "'1'}]},"),
                            "spec.securityContext.sysctls[0]"},
    [FIELD_SCOPE_PULL_SECRET] = {POD_WITH("'imagePullSecrets':[{%s'name':'pull-old'}],"),
                                 "spec.imagePullSecrets[0]"},
    [FIELD_SCOPE_CAPABILITIES] = {WITH("'securityContext':{'capabilities':{%s'add':['KILL']}},"),
                                  "spec.containers[0].securityContext.capabilities"},
    [FIELD_SCOPE_PROBE] = {WITH("'livenessProbe':{%s'tcpSocket':{'port':1}},"),
                           "spec.containers[0].livenessProbe"},
    [FIELD_SCOPE_PROBE_HTTP] = {WITH("'livenessProbe':{'httpGet':{%s'port':1}},"),
                                "spec.containers[0].livenessProbe.httpGet"},
    [FIELD_SCOPE_PROBE_TCP] = {WITH("'readinessProbe':{'tcpSocket':{%s'port':1}},"),
                               "spec.containers[0].readinessProbe.tcpSocket"},
    [FIELD_SCOPE_EXEC] = {WITH("'readinessProbe':{'exec':{%s'command':['x']}},"),
                          "spec.containers[0].readinessProbe.exec"},
    [FIELD_SCOPE_HOOKS] = {WITH("'lifecycle':{%s'x':null},"), "spec.containers[0].lifecycle"},
    [FIELD_SCOPE_HOOK] = {WITH("'lifecycle':{'preStop':{%s'exec':{'command':['x']}}},"),
                          "spec.containers[0].lifecycle.preStop"},
    [FIELD_SCOPE_HOOK_HTTP] = {WITH("'lifecycle':{'preStop':{'httpGet':{%s'port':1}}},"),
                               "spec.containers[0].lifecycle.preStop.httpGet"},
    [FIELD_SCOPE_HOOK_TCP] = {WITH("'lifecycle':{'postStart':{'tcpSocket':{%s'port':1}}},"),
                              "spec.containers[0].lifecycle.postStart.tcpSocket"},
    [FIELD_SCOPE_HEADER] = {WITH("'lifecycle':{'preStop':{'httpGet':{'port':1,'httpHeaders':[{%s"
                                 "'name':'X'}]}}},"),
                            "spec.containers[0].lifecycle.preStop.httpGet.httpHeaders[0]"},
    [FIELD_SCOPE_ENV_FROM] = {WITH("'envFrom':[{%s'secretRef':{'name':'good'}}],"),
                              "spec.containers[0].envFrom[0]"},
    [FIELD_SCOPE_ENV_OBJECT] = {WITH("'envFrom':[{'secretRef':{%s'name':'good'}}],"),
                                "spec.containers[0].envFrom[0].secretRef"},
    [FIELD_SCOPE_ENV_SOURCE] = {WITH("'env':[{'name':'A','valueFrom':{%s'x':null}}],"),
                                "spec.containers[0].env[0].valueFrom"},
    [FIELD_SCOPE_KEY] = {WITH("'env':[{'name':'A','valueFrom':{'secretKeyRef':{%s'name':'good',"
                              "'key':'user'}}}],"),
                         "spec.containers[0].env[0].valueFrom.secretKeyRef"},
    [FIELD_SCOPE_POD_FIELD] = {WITH("'env':[{'name':'A','valueFrom':{'fieldRef':{%s'fieldPath':"
                                    "'metadata.name'}}}],"),
                               "spec.containers[0].env[0].valueFrom.fieldRef"},
    [FIELD_SCOPE_RESOURCE_FIELD] = {WITH("'env':[{'name':'A','valueFrom':{'resourceFieldRef':{%s"
                                         "'resource':'limits.cpu'}}}],"),
                                    "spec.containers[0].env[0].valueFrom.resourceFieldRef"},
    [FIELD_SCOPE_CONFIG_MAP] = {IN_VOLUME("'configMap':{%s'name':'map'}"),
                                "spec.volumes[0].configMap"},
    [FIELD_SCOPE_SECRET] = {IN_VOLUME("'secret':{%s'secretName':'good'}"),
                            "spec.volumes[0].secret"},
    [FIELD_SCOPE_DOWNWARD] = {IN_VOLUME("'downwardAPI':{%s'x':null}"),
                              "spec.volumes[0].downwardAPI"},
    [FIELD_SCOPE_PROJECTED] = {IN_VOLUME("'projected':{%s'x':null}"), "spec.volumes[0].projected"},
    [FIELD_SCOPE_PROJECTION] = {IN_VOLUME("'projected':{'sources':[{%s'x':null}]}"),
                                "spec.volumes[0].projected.sources[0]"},
    [FIELD_SCOPE_OBJECT_PROJECTION] =
        {IN_VOLUME("'projected':{'sources':[{'secret':{%s'name':'good'}}]}"),
         "spec.volumes[0].projected.sources[0].secret"},
    [FIELD_SCOPE_FIELD_PROJECTION] = {IN_VOLUME(
                                          "'projected':{'sources':[{'downwardAPI':{%s'x':null}}]}"),
                                      "spec.volumes[0].projected.sources[0].downwardAPI"},
    [FIELD_SCOPE_TOKEN] = {IN_VOLUME("'projected':{'sources':[{'serviceAccountToken':{%s'path':'t',"
                                     "'audience':'vault','expirationSeconds':7200}}]}"),
                           "spec.volumes[0].projected.sources[0].serviceAccountToken"},
    [FIELD_SCOPE_KEY_FILE] = {IN_VOLUME("'configMap':{'name':'map','items':[{%s'key':'a','path':"
                                        "'p'}]}"),
                              "spec.volumes[0].configMap.items[0]"},
    [FIELD_SCOPE_FIELD_FILE] = {IN_VOLUME("'downwardAPI':{'items':[{%s'path':'p','fieldRef':"
                                          "{'fieldPath':'metadata.name'}}]}"),
                                "spec.volumes[0].downwardAPI.items[0]"},
    [FIELD_SCOPE_NFS] = {IN_VOLUME("'nfs':{%s'server':'s','path':'/p'}"), "spec.volumes[0].nfs"},
    [FIELD_SCOPE_FLEX] = {IN_VOLUME("'flexVolume':{%s'driver':'alicloud/nas'}"),
                          "spec.volumes[0].flexVolume"},
    [FIELD_SCOPE_CSI] = {IN_VOLUME("'csi':{%s'driver':'nasplugin.csi.alibabacloud.com'}"),
                         "spec.volumes[0].csi"},
    [FIELD_SCOPE_CLAIM] = {IN_VOLUME("'persistentVolumeClaim':{%s'claimName':'nfs'}"),
                           "spec.volumes[0].persistentVolumeClaim"},
    [FIELD_SCOPE_HOST_PATH] = {IN_VOLUME("'hostPath':{%s'path':'/allowed'}"),
                               "spec.volumes[0].hostPath"},
};

static struct spec_refs read_for_it;

/* The refusals, or the warnings, about a pod with one more member. */
static const char *remarks_with(enum field_scope scope, const char *key, const char *value,
                                bool wants_warnings, enum err *err)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct params params;
    char member[1024], spec[2048];

    case_begin(&arena, &verdict);
    assert_int_equal(params_init(&params, &arena), ERR_OK);
    snprintf(member, sizeof member, "'%s':%s,", key, value);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(spec, sizeof spec, places[scope].spec, member);
#pragma GCC diagnostic pop
    json pod = case_pod(&arena, "", spec);
    case_refs(&read_for_it, &arena);
    *err = pod_json_to_eci(pod, &read_for_it, &case_config, 1, &params, NULL, &verdict);
    return case_remarks(&verdict, wants_warnings);
}

static void expect_refused(enum field_scope scope, const char *key, const char *value,
                           const char *text)
{
    char expected[1024];
    enum err err = ERR_OK;
    bool is_word = strpbrk(key, "./") == NULL;

    snprintf(expected, sizeof expected, "%s%s%s%s: %s", places[scope].path, is_word ? "." : "[",
             key, is_word ? "" : "]", text);
    const char *remarks = remarks_with(scope, key, value, false, &err);
    if (err != ERR_UNSUPPORTED || strncmp(remarks, expected, strlen(expected)) != 0) {
        fail_msg("%s=%s: %s \"%s\", not \"%s\"", key, value, err_name(err), remarks, expected);
    }
}

static void expect_left_out(enum field_scope scope, const char *key, const char *value,
                            const char *text)
{
    char expected[1024];
    enum err err = ERR_OK;

    snprintf(expected, sizeof expected, "%s.%s: %s", places[scope].path, key, text);
    const char *remarks = remarks_with(scope, key, value, true, &err);
    if (err != ERR_OK || strcmp(remarks, expected) != 0) {
        fail_msg("%s=%s: %s \"%s\", not \"%s\"", key, value, err_name(err), remarks, expected);
    }
}

static void expect_accepted(enum field_scope scope, const char *key, const char *value)
{
    enum err err = ERR_OK;
    const char *remarks = remarks_with(scope, key, value, false, &err);

    if (err != ERR_OK || remarks[0] != '\0') {
        fail_msg("%s.%s=%s: %s \"%s\"", places[scope].path, key, value, err_name(err), remarks);
    }
}

static const char *const empty_values[] = {"null", "false", "0", "''", "[]", "{}"};
static const char *const asking_values[] = {"true", "1", "'x'", "[1]", "{'x':1}"};

static void test_refused_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].treatment != REFUSED) {
            continue;
        }
        assert_true(strlen(fields[i].text) > 10);
        for (size_t k = 0; k < sizeof asking_values / sizeof asking_values[0]; k++) {
            char quoted[32];
            snprintf(quoted, sizeof quoted, "%s", asking_values[k]);
            for (char *at = quoted; *at != '\0'; at++) {
                *at = *at == '\'' ? '"' : *at;
            }
            char among[256], wanted[40];
            snprintf(among, sizeof among, "|%s|", fields[i].passes);
            snprintf(wanted, sizeof wanted, "|%s|", quoted);
            if (strstr(among, wanted) == NULL) {
                expect_refused(fields[i].scope, fields[i].key, asking_values[k], fields[i].text);
            }
        }
    }
}

static void expect_silence(enum field_scope scope, const char *key, const char *value)
{
    enum err err = ERR_OK;
    const char *warnings = remarks_with(scope, key, value, true, &err);

    if (err != ERR_OK || warnings[0] != '\0') {
        fail_msg("%s=%s: %s \"%s\"", key, value, err_name(err), warnings);
    }
}

/* What only hardens is left out with one warning; no warning where it asks for nothing. */
static void test_fields_that_are_left_out(void **state)
{
    size_t rows = 0;

    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const struct field *field = &fields[i];
        if (field->treatment != WARNED) {
            continue;
        }
        rows++;
        assert_int_equal(strncmp(field->text, "not applied: ", 13), 0);
        expect_left_out(field->scope, field->key, "{'x':1}", field->text);
        expect_left_out(field->scope, field->key, "'x'", field->text);
        expect_silence(field->scope, field->key, "null");
        expect_silence(field->scope, field->key, "{}");
        expect_silence(field->scope, field->key, "[]");
        if (field->passes[0] != '\0') {
            expect_silence(field->scope, field->key, field->passes); /* one each */
        }
    }
    assert_true(rows >= 10);
}

/* A zero or false that is not the default asks for something: root, or no new privileges. */
static void test_zeros_that_mean_something_are_told(void **state)
{
    (void)state;
    expect_left_out(FIELD_SCOPE_POD, "hostUsers", "false",
                    "not applied: user namespaces cannot be asked for");
    expect_left_out(FIELD_SCOPE_POD_SECURITY, "fsGroup", "0",
                    "not applied: files of volumes keep the group that they have");
    expect_left_out(FIELD_SCOPE_SECURITY, "allowPrivilegeEscalation", "false",
                    "not applied: the cloud has no parameter for it");
}

/* What would change what the program sees, or asks for a host that is not there, stays refused. */
static void test_what_is_more_than_hardening_is_refused(void **state)
{
    (void)state;
    expect_refused(FIELD_SCOPE_SECURITY, "procMount", "'Unmasked'", "the cloud has no parameter");
    expect_refused(FIELD_SCOPE_SECURITY, "privileged", "true", "instances do not run privileged");
    expect_refused(FIELD_SCOPE_POD, "hostNetwork", "true", "an instance has its own network");
    expect_refused(FIELD_SCOPE_POD, "hostPID", "true", "an instance has no host");
    expect_refused(FIELD_SCOPE_POD, "hostIPC", "true", "an instance has no host");
    expect_refused(FIELD_SCOPE_PORT, "hostPort", "80", "an instance has no host");
}

/* Empty values ask for nothing, where their type is not read by code. */
static void test_refused_fields_pass_when_empty(void **state)
{
    static const char *const read_by_code[] = {"stdin",    "stdinOnce", "tty",        "medium",
                                               "protocol", "host",      "httpHeaders"};

    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        bool is_read = false;
        for (size_t k = 0; k < sizeof read_by_code / sizeof read_by_code[0]; k++) {
            is_read |= strcmp(fields[i].key, read_by_code[k]) == 0;
        }
        for (size_t k = 0; k < sizeof empty_values / sizeof empty_values[0]; k++) {
            bool is_value =
                strcmp(empty_values[k], "false") == 0 || strcmp(empty_values[k], "0") == 0;
            if (fields[i].treatment == REFUSED && !is_read &&
                !(is_value && fields[i].passes[0] != '\0')) {
                expect_accepted(fields[i].scope, fields[i].key, empty_values[k]);
            }
        }
    }
}

static void test_defaults_of_the_api_server_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        str rest = str_of(fields[i].passes), one;
        while (str_cut(&rest, '|', &one)) {
            char value[128];
            assert_true(str_copy(value, sizeof value, one));
            expect_accepted(fields[i].scope, fields[i].key, value);
        }
    }
}

static void test_ignored_fields_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].treatment == IGNORED) {
            assert_true(strlen(fields[i].text) > 10); /* the reason */
            expect_accepted(fields[i].scope, fields[i].key, "'something'");
            expect_accepted(fields[i].scope, fields[i].key, "{'a':[1,2]}");
        }
    }
}

static void test_unknown_fields(void **state)
{
    (void)state;
    for (unsigned scope = 0; scope < FIELD_SCOPE_COUNT; scope++) {
        enum field_scope at = (enum field_scope)scope;
        const char *text = at == FIELD_SCOPE_VOLUME     ? "this kind of volume is not known"
                           : at == FIELD_SCOPE_RESOURCE ? "an instance does not have this resource"
                                                        : "this field is not known";
        expect_refused(at, "fromTheFuture", "'yes'", text);
        expect_refused(at, "fromTheFuture", "{'a':1}", text);
        expect_accepted(at, "fromTheFuture", "null");
        expect_accepted(at, "fromTheFuture", "{}");
        expect_accepted(at, "fromTheFuture", "false");
    }
}

static void test_rows_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        for (size_t k = i + 1; k < sizeof fields / sizeof fields[0]; k++) {
            assert_false(fields[i].scope == fields[k].scope &&
                         strcmp(fields[i].key, fields[k].key) == 0);
        }
    }
}

/* ---- the rules ------------------------------------------------------------------------------- */

#define ONE(members) "{'containers':[{'name':'a','image':'b:1'" members "}]}"
#define POD(members) "{" CONTAINERS members "}"
#define TEN "'1','2','3','4','5','6','7','8','9','10'"
#define TEN_CONTAINERS(c) \
    "{'name':'" c "0','image':'b'},{'name':'" c "1','image':'b'},{'name':'" c "2','image':'b'}," \
    "{'name':'" c "3','image':'b'},{'name':'" c "4','image':'b'},{'name':'" c "5','image':'b'}," \
    "{'name':'" c "6','image':'b'},{'name':'" c "7','image':'b'},{'name':'" c "8','image':'b'}," \
    "{'name':'" c "9','image':'b'}"
#define TEN_VOLUMES(c) \
    "{'name':'" c "0'},{'name':'" c "1'},{'name':'" c "2'},{'name':'" c "3'},{'name':'" c "4'}," \
    "{'name':'" c "5'},{'name':'" c "6'},{'name':'" c "7'},{'name':'" c "8'},{'name':'" c "9'}"
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256 X64 X64 X64 X64

#define DISK(name) \
    "{'name':'" name "','flexVolume':{'driver':'alicloud/disk','options':{'volumeId':'d'}}}"

enum mode { LENIENT, STRICT };

static const struct rule_case {
    enum mode mode;
    const char *metadata;
    const char *spec;
    enum err err;
    const char *remark; /* of the refusal, the beginning; of the warning when err is ERR_OK */
} rule_cases[] = {
    /* owners whose pods must not fail */
    {LENIENT, ",'ownerReferences':[{'kind':'DaemonSet','name':'d','controller':true}]", POD(""),
     ERR_BUSY, "metadata.ownerReferences: pods of a DaemonSet"},
    {LENIENT, ",'annotations':{'kubernetes.io/config.mirror':'x'}", POD(""), ERR_BUSY,
     "metadata.annotations: static pods"},
    {LENIENT, ",'ownerReferences':[{'kind':'DaemonSet','name':'d','controller':true}]",
     POD(",'hostNetwork':true"), ERR_UNSUPPORTED, "metadata.ownerReferences: pods of a DaemonSet"},
    {LENIENT, ",'ownerReferences':[{'kind':'DaemonSet','name':'d'}]", POD(""), ERR_OK, ""},
    /* types */
    {LENIENT, "", "{}", ERR_UNSUPPORTED, "spec.containers: there are no containers"},
    {LENIENT, "", "[]", ERR_UNSUPPORTED, "spec: must be an object"},
    {LENIENT, "", "{'containers':{}}", ERR_UNSUPPORTED, "spec.containers: must be a list"},
    {LENIENT, "", "{'containers':[7]}", ERR_UNSUPPORTED, "spec.containers[0]: must be an object"},
    {LENIENT, "", "{'containers':[{'image':'b'}]}", ERR_UNSUPPORTED,
     "spec.containers[0].name: is missing"},
    {LENIENT, "", "{'containers':[{'name':'a'}]}", ERR_UNSUPPORTED,
     "spec.containers[0].image: is missing"},
    {LENIENT, "", ONE(",'command':'x'"), ERR_UNSUPPORTED,
     "spec.containers[0].command: must be a list"},
    {LENIENT, "", ONE(",'args':[1]"), ERR_UNSUPPORTED,
     "spec.containers[0].args[0]: must be a text"},
    {LENIENT, "", ONE(",'workingDir':1"), ERR_UNSUPPORTED,
     "spec.containers[0].workingDir: must be a text"},
    {LENIENT, "", ONE(",'tty':'yes'"), ERR_UNSUPPORTED,
     "spec.containers[0].tty: must be true or false"},
    {LENIENT, "", ONE(",'env':[{'value':'x'}]"), ERR_UNSUPPORTED,
     "spec.containers[0].env[0]: a variable needs a name"},
    {LENIENT, "", ONE(",'env':[7]"), ERR_UNSUPPORTED,
     "spec.containers[0].env[0]: must be an object"},
    {LENIENT, "", ONE(",'securityContext':7"), ERR_UNSUPPORTED,
     "spec.containers[0].securityContext: must be an object"},
    {LENIENT, "", ONE(",'volumeMounts':[{'name':'v'}]"), ERR_UNSUPPORTED,
     "spec.containers[0].volumeMounts[0]: a mount needs"},
    {LENIENT, "", POD(",'restartPolicy':'Sometimes'"), ERR_UNSUPPORTED,
     "spec.restartPolicy: must be"},
    {LENIENT, "", POD(",'terminationGracePeriodSeconds':'x'"), ERR_UNSUPPORTED,
     "spec.terminationGracePeriodSeconds: must be a whole number"},
    {LENIENT, "", POD(",'activeDeadlineSeconds':1.5"), ERR_UNSUPPORTED,
     "spec.activeDeadlineSeconds: must be a whole number"},
    {LENIENT, "", POD(",'volumes':[{'emptyDir':{}}]"), ERR_UNSUPPORTED,
     "spec.volumes[0]: a volume needs a name"},
    {LENIENT, "", POD(",'volumes':[{'name':'v','emptyDir':7}]"), ERR_UNSUPPORTED,
     "spec.volumes[0].emptyDir: must be an object"},
    {LENIENT, "", POD(",'volumes':[{'name':'v','emptyDir':{'sizeLimit':'lots'}}]"), ERR_UNSUPPORTED,
     "spec.volumes[0].emptyDir.sizeLimit: is not a quantity"},
    {LENIENT, "", POD(",'volumes':[{'name':'v','emptyDir':{'medium':'HugePages'}}]"),
     ERR_UNSUPPORTED, "spec.volumes[0].emptyDir.medium: only the default"},
    /* ports */
    {LENIENT, "", ONE(",'ports':[{'containerPort':0}]"), ERR_UNSUPPORTED,
     "spec.containers[0].ports[0]: containerPort must be"},
    {LENIENT, "", ONE(",'ports':[{'containerPort':65536}]"), ERR_UNSUPPORTED,
     "spec.containers[0].ports[0]: containerPort must be"},
    {LENIENT, "", ONE(",'ports':[{'containerPort':132,'protocol':'SCTP'}]"), ERR_UNSUPPORTED,
     "spec.containers[0].ports[0].protocol: the cloud knows only TCP and UDP"},
    {LENIENT, "", ONE(",'ports':[{'containerPort':111}]"), ERR_UNSUPPORTED,
     "spec.containers[0]: port 111 is used"},
    {LENIENT, "", ONE(",'ports':[{'containerPort':10250}]"), ERR_UNSUPPORTED,
     "spec.containers[0]: port 10250 is used"},
    {LENIENT, "", ONE(",'ports':[{'containerPort':10255}]"), ERR_UNSUPPORTED,
     "spec.containers[0]: port 10255 is used"},
    /* a pod that asks for the token that every pod gets */
    {LENIENT, "",
     "{'automountServiceAccountToken':true,'volumes':[{'name':'kube-api-access-x','projected':"
     "{'sources':[{'serviceAccountToken':{'path':'token'}}]}}],'containers':[{'name':'a',"
     "'image':'b','volumeMounts':[{'name':'kube-api-access-x','mountPath':'/var/run/secrets/"
     "kubernetes.io/serviceaccount'}]}]}",
     ERR_BUSY, "spec.volumes[0].projected.sources[0].serviceAccountToken: there is no token"},
    /* the token elsewhere than where it is put by the API server */
    {LENIENT, "",
     "{'volumes':[{'name':'kube-api-access-x','projected':{'sources':[{'serviceAccountToken':"
     "{'path':'token'}}]}}],'containers':[{'name':'a',"
     "'image':'b','volumeMounts':[{'name':'kube-api-access-x','mountPath':'/token'}]}]}",
     ERR_BUSY, "spec.volumes[0].projected.sources[0].serviceAccountToken: there is no token"},
    {LENIENT, "", POD(",'volumes':[{'name':'my','secret':{'secretName':'my'}}]"), ERR_BUSY,
     "spec.volumes[0].secret: Secret default/my was not read yet"},
    {LENIENT, "", POD(",'volumes':[{'name':'a-token-b','secret':{'secretName':'other'}}]"),
     ERR_BUSY, "spec.volumes[0].secret: Secret default/other was not read yet"},
    /* sizes */
    {LENIENT, "", ONE(",'resources':{'limits':{'cpu':'65'}}"), ERR_UNSUPPORTED,
     "spec.containers: 65 vCPU and 0 GiB together; there is no instance that large (64 vCPU, "
     "512 GiB)"},
    {LENIENT, "", ONE(",'resources':{'limits':{'ephemeral-storage':'5031Gi'}}"), ERR_UNSUPPORTED,
     "spec.containers: 5031 GiB of ephemeral-storage together; an instance has at most 5030"},
    {LENIENT, "", ONE(",'resources':{'limits':{'memory':'513Gi'}}"), ERR_UNSUPPORTED,
     "spec.containers: 0 vCPU and 513 GiB together"},
    {LENIENT, "", ONE(",'resources':{'requests':{'cpu':'1x'}}"), ERR_UNSUPPORTED,
     "spec.containers[0].resources.requests.cpu: \"1x\" is not a quantity"},
    {LENIENT, "", ONE(",'resources':{'requests':{'cpu':'-1'}}"), ERR_UNSUPPORTED,
     "spec.containers[0].resources.requests.cpu: \"-1\" is not a quantity"},
    {LENIENT, "", ONE(",'resources':{'limits':{'memory':'1e99'}}"), ERR_UNSUPPORTED,
     "spec.containers[0].resources.limits.memory: \"1e99\" is larger than any instance"},
    {LENIENT, "", ONE(",'resources':{'limits':{'cpu':true}}"), ERR_UNSUPPORTED,
     "spec.containers[0].resources.limits.cpu: \"\" is not a quantity"},
    {LENIENT, "", ONE(",'resources':{'limits':{'nvidia.com/gpu':'1'}}"), ERR_UNSUPPORTED,
     "spec.containers: GPUs need an instance of a type that has them: name ECS types, and nothing "
     "else, in k8s.aliyun.com/eci-use-specs"},
    {LENIENT, ",'annotations':{'k8s.aliyun.com/eci-use-specs':'4-8Gi'}",
     ONE(",'resources':{'limits':{'nvidia.com/gpu':'1'}}"), ERR_UNSUPPORTED,
     "spec.containers: GPUs need an instance of a type that has them"},
    {LENIENT, ",'annotations':{'k8s.aliyun.com/eci-use-specs':'ecs.gn6i-c4g1.xlarge,4-8Gi'}",
     ONE(",'resources':{'requests':{'nvidia.com/gpu':1}}"), ERR_UNSUPPORTED,
     "spec.containers: GPUs need an instance of a type that has them"},
    {LENIENT, ",'annotations':{'k8s.aliyun.com/eci-instance-family':'ecs.g7'}",
     ONE(",'resources':{'limits':{'nvidia.com/gpu':'1'}}"), ERR_UNSUPPORTED,
     "spec.containers: GPUs need an instance of a type that has them"},
    {LENIENT, "", ONE(",'resources':{'limits':{'nvidia.com/gpu':'500m'}}"), ERR_UNSUPPORTED,
     "spec.containers[0].resources.limits[nvidia.com/gpu]: \"500m\" is not a whole number of GPUs"},
    {LENIENT, "", ONE(",'resources':{'limits':{'nvidia.com/gpu':'one'}}"), ERR_UNSUPPORTED,
     "spec.containers[0].resources.limits[nvidia.com/gpu]: \"one\" is not a quantity"},
    {LENIENT, "", ONE(",'resources':{'limits':{'nvidia.com/gpu':'9E'}}"), ERR_UNSUPPORTED,
     "spec.containers[0].resources.limits[nvidia.com/gpu]: \"9E\" is larger than any instance"},
    {LENIENT, "", ONE(",'resources':{'limits':{'nvidia.com/gpu':'0'}}"), ERR_OK, ""},
    {LENIENT, "", ONE(",'resources':{'requests':{'example.com/fpga':'1'}}"), ERR_UNSUPPORTED,
     "spec.containers[0].resources.requests[example.com/fpga]: an instance does not have"},
    /* numbers of things */
    {LENIENT, "", "{'containers':[" TEN_CONTAINERS("a") "," TEN_CONTAINERS("b") "]}", ERR_OK, ""},
    {LENIENT, "",
     "{'containers':[" TEN_CONTAINERS("a") "," TEN_CONTAINERS("b") ",{'name':'c','image':'b'}]}",
     ERR_UNSUPPORTED, "spec.containers: 21 containers; an instance has at most 20"},
    {LENIENT, "",
     "{'initContainers':[" TEN_CONTAINERS("a") "],'containers':[" TEN_CONTAINERS(
         "b") ",{'name':'c','image':'b'}]}",
     ERR_UNSUPPORTED,
     "spec.containers: 21 containers with the init containers; an instance has at most 20"},
    {LENIENT, "", POD(",'volumes':[" TEN_VOLUMES("a") "," TEN_VOLUMES("b") "]"), ERR_OK, ""},
    {LENIENT, "", POD(",'volumes':[" TEN_VOLUMES("a") "," TEN_VOLUMES("b") ",{'name':'c'}]"),
     ERR_UNSUPPORTED, "spec.volumes: 21 volumes; an instance has at most 20"},
    {LENIENT, "",
     POD(",'volumes':[" DISK("1") "," DISK("2") "," DISK("3") "," DISK("4") "," DISK("5") "," DISK(
         "6") "]"),
     ERR_OK, ""},
    {LENIENT, "",
     POD(",'volumes':[" DISK("1") "," DISK("2") "," DISK("3") "," DISK("4") "," DISK("5") "," DISK(
         "6") "," DISK("7") "]"),
     ERR_UNSUPPORTED, "spec.volumes: 7 disks; an instance has at most 6"},
    {LENIENT, "", ONE(",'command':[" TEN "," TEN "]"), ERR_OK, ""},
    {LENIENT, "", ONE(",'command':[" TEN "," TEN ",'x']"), ERR_UNSUPPORTED,
     "spec.containers[0]: command has 21 items, the cloud takes at most 20"},
    {STRICT, "", ONE(",'args':[" TEN ",'11']"), ERR_UNSUPPORTED,
     "spec.containers[0]: args has 11 items, the cloud takes at most 10"},
    {STRICT, "", ONE(",'command':['x'],'args':[" TEN ",'11']"), ERR_OK, ""},
    {STRICT, "", ONE(",'command':['x'],'args':[" TEN "," TEN "," TEN "]"), ERR_UNSUPPORTED,
     "spec.containers[0]: args has 30 items"},
    {LENIENT, "", ONE(",'command':['x'],'args':[" TEN "," TEN "," TEN "]"), ERR_OK,
     "spec.containers[0]: args has 30 items, the cloud documents at most 10; sent as it is"},
    {STRICT, "", ONE(",'env':[{'name':'A','value':'" X256 "'}]"), ERR_OK, ""},
    {STRICT, "", ONE(",'env':[{'name':'A','value':'" X256 "y'}]"), ERR_UNSUPPORTED,
     "spec.containers[0]: variable A: its value has 257 characters, the cloud documents at most "
     "256"},
    {LENIENT, "", ONE(",'env':[{'name':'A','value':'" X256 "y'}]"), ERR_OK,
     "spec.containers[0]: variable A: its value has 257 characters, the cloud documents at most "
     "256; "
     "sent as it is"},
    {STRICT, "", ONE(",'env':[{'name':'" X64 X64 "','value':''}]"), ERR_OK, ""},
    {STRICT, "", ONE(",'env':[{'name':'" X64 X64 "y','value':''}]"), ERR_UNSUPPORTED,
     "spec.containers[0]: variable xxx"},
    {STRICT, "", ONE(",'env':[{'name':'1A','value':''}]"), ERR_UNSUPPORTED,
     "spec.containers[0]: variable 1A: the cloud documents names"},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rule_cases / sizeof rule_cases[0]; i++) {
        const struct rule_case *row = &rule_cases[i];
        struct spec_config config = case_config;
        struct arena arena;
        struct spec_verdict verdict;
        struct params params;

        config.is_strict = row->mode == STRICT;
        case_begin(&arena, &verdict);
        assert_int_equal(params_init(&params, &arena), ERR_OK);
        json pod = case_pod(&arena, row->metadata, row->spec);
        enum err err = pod_json_to_eci(pod, NULL, &config, 1, &params, NULL, &verdict);
        const char *remarks = case_remarks(&verdict, err == ERR_OK);
        if (err != row->err || strncmp(remarks, row->remark, strlen(row->remark)) != 0 ||
            (row->remark[0] == '\0' && remarks[0] != '\0')) {
            fail_msg("row %zu: %s \"%s\"", i, err_name(err), remarks);
        }
    }
}

/* All that is wrong is told at once, and what is too much is counted. */
static void test_many_refusals(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct params params;

    (void)state;
    case_begin(&arena, &verdict);
    assert_int_equal(params_init(&params, &arena), ERR_OK);
    json pod = case_pod(
        &arena, "",
        "{'hostNetwork':true,'hostPID':true,'hostIPC':true,'containers':[{'name':'a','image':'b',"
        "'startupProbe':{'a':1},'volumeDevices':[1],'restartPolicy':'Always',"
        "'restartPolicyRules':[1],'a':1,'b':1,'c':1,'d':1,'e':1,'f':1,'g':1,'h':1,'i':1,'j':1}]}");
    enum err err = pod_json_to_eci(pod, NULL, &case_config, 1, &params, NULL, &verdict);
    assert_int_equal(err, ERR_UNSUPPORTED);
    assert_int_equal(verdict.refusals_count, SPEC_REFUSALS_MAX);
    assert_int_equal(verdict.refusals_lost, 1);
    const char *remarks = case_remarks(&verdict, false);
    assert_non_null(strstr(remarks, "spec.hostNetwork: an instance has its own network"));
    assert_non_null(strstr(remarks, "; spec.containers[0].startupProbe: the cloud has no"));
    assert_true(str_ends(str_of(remarks), S("; and 1 more")));
}

/* Variables that double each other meet a limit, not the end of the memory. */
static void test_expansion_bomb(void **state)
{
    static char spec[8192];
    size_t bytes = 0;
    enum err err;
    struct arena arena;
    struct spec_verdict verdict;
    struct params params;

    (void)state;
    bytes += (size_t)snprintf(spec, sizeof spec,
                              "{'containers':[{'name':'a','image':'b','env':["
                              "{'name':'V0','value':'0123456789'}");
    for (unsigned i = 1; i < 30; i++) {
        bytes += (size_t)snprintf(spec + bytes, sizeof spec - bytes,
                                  ",{'name':'V%u','value':'$(V%u)$(V%u)'}", i, i - 1, i - 1);
    }
    snprintf(spec + bytes, sizeof spec - bytes, "]}]}");
    case_begin(&arena, &verdict);
    assert_int_equal(params_init(&params, &arena), ERR_OK);
    json pod = case_pod(&arena, "", spec);
    err = pod_json_to_eci(pod, NULL, &case_config, 1, &params, NULL, &verdict);
    assert_int_equal(err, ERR_UNSUPPORTED);
    assert_non_null(
        strstr(case_remarks(&verdict, false), "more than 65536 bytes when its variables"));
    assert_true(arena.used < sizeof case_arena_memory / 2);
}

static void test_too_many_parameters(void **state)
{
    static char spec[400000];
    struct arena arena;
    struct spec_verdict verdict;
    struct params params;

    (void)state;
    for (unsigned count = 1400; count <= 1600; count += 200) {
        size_t bytes =
            (size_t)snprintf(spec, sizeof spec, "{'containers':[{'name':'a','image':'b','env':[");
        for (unsigned i = 0; i < count; i++) {
            bytes += (size_t)snprintf(spec + bytes, sizeof spec - bytes, "%s{'name':'V%u'}",
                                      i > 0 ? "," : "", i);
        }
        bytes += (size_t)snprintf(spec + bytes, sizeof spec - bytes, "],'ports':[");
        for (unsigned i = 0; i < 1000; i++) {
            bytes += (size_t)snprintf(spec + bytes, sizeof spec - bytes, "%s{'containerPort':%u}",
                                      i > 0 ? "," : "", i + 1000);
        }
        snprintf(spec + bytes, sizeof spec - bytes, "]}]}");
        case_begin(&arena, &verdict);
        assert_int_equal(params_init(&params, &arena), ERR_OK);
        json pod = case_pod(&arena, "", spec);
        enum err err = pod_json_to_eci(pod, NULL, &case_config, 1, &params, NULL, &verdict);
        assert_int_equal(err, ERR_UNSUPPORTED);
        assert_string_equal(case_remarks(&verdict, false),
                            count == 1400
                                ? "spec: needs more than 4096 parameters"
                                : "spec.containers[0].env: the pod has more than 1500 variables");
    }
}

/* A list longer than any limit of the cloud is not even read. */
static void test_too_long_a_list(void **state)
{
    static char spec[40000];
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_spec out;

    (void)state;
    size_t bytes =
        (size_t)snprintf(spec, sizeof spec, "{'containers':[{'name':'a','image':'b','args':['x'");
    for (unsigned i = 0; i < 2000; i++) {
        bytes += (size_t)snprintf(spec + bytes, sizeof spec - bytes, ",'x'");
    }
    snprintf(spec + bytes, sizeof spec - bytes, "]}]}");
    case_begin(&arena, &verdict);
    json pod = case_pod(&arena, "", spec);
    assert_int_equal(pod_spec_read(pod, NULL, &case_config, &arena, &out, &verdict), ERR_OK);
    assert_string_equal(case_remarks(&verdict, false),
                        "spec.containers[0].args: has more than 2000 items");
    assert_int_equal(out.containers[0].args_count, 0);
}

/* Things that are no pod are not refused but bad input. */
static void test_no_pod(void **state)
{
    static const char *const texts[] = {"null",
                                        "7",
                                        "[]",
                                        "{}",
                                        "{'metadata':{}}",
                                        "{'metadata':{'uid':'u','name':'n'}}",
                                        "{'metadata':{'uid':'u','namespace':'n'}}",
                                        "{'metadata':{'name':'u','namespace':'n'}}",
                                        "{'metadata':{'uid':7,'name':'u','namespace':'n'}}"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct pod_spec spec;
        json pod = JSON_NONE;

        case_begin(&arena, &verdict);
        assert_int_equal(json_parse(case_json("%s", texts[i]), &arena, &pod, NULL), ERR_OK);
        assert_int_equal(pod_spec_read(pod, NULL, &case_config, &arena, &spec, &verdict),
                         ERR_BAD_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_fields),
        cmocka_unit_test(test_fields_that_are_left_out),
        cmocka_unit_test(test_zeros_that_mean_something_are_told),
        cmocka_unit_test(test_what_is_more_than_hardening_is_refused),
        cmocka_unit_test(test_refused_fields_pass_when_empty),
        cmocka_unit_test(test_defaults_of_the_api_server_pass),
        cmocka_unit_test(test_ignored_fields_pass),
        cmocka_unit_test(test_unknown_fields),
        cmocka_unit_test(test_rows_are_unique),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_many_refusals),
        cmocka_unit_test(test_expansion_bomb),
        cmocka_unit_test(test_too_many_parameters),
        cmocka_unit_test(test_too_long_a_list),
        cmocka_unit_test(test_no_pod),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
