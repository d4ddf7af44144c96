/*
 * More of what a pod can say and what becomes of it, beside test_spec_fields.c: rows for each place
 * where a value may be missing, odd or too much, objects of the cluster that are odd themselves,
 * and what is shown of labels and annotations.
 */
#include "table/spec_case.h"

#define ONE(members) "{'containers':[{'name':'a','image':'b:1'" members "}]}"
#define POD(members) "{'containers':[{'name':'a','image':'b:1'}]" members "}"
#define INIT(members) \
    "{'initContainers':[{'name':'i','image':'b:1'" members "}]," \
    "'containers':[{'name':'a','image':'b:1'}]}"
#define VALUE_FROM(source) ",'env':[{'name':'A','valueFrom':{" source "}}]"
#define FIELD(path) VALUE_FROM("'fieldRef':{'fieldPath':'" path "'}")
#define VOLUME(source) POD(",'volumes':[{'name':'v'," source "}]")
#define FILE_FIELD(path) \
    VOLUME("'downwardAPI':{'items':[{'path':'f','fieldRef':{'fieldPath':'" path "'}}]}")
#define CLAIM(name) VOLUME("'persistentVolumeClaim':{'claimName':'" name "'}")
#define TEN_A "'a','a','a','a','a','a','a','a','a','a'"
#define ENV_1 "Container.1.EnvironmentVar.1."
#define ENV_2 "Container.1.EnvironmentVar.2."
#define UNSIZED(value) ",'env':[{'name':'__ECI_RESOURCE_IGNORE__','value':'" value "'}]"
#define LIMITS(cpu, memory) ",'resources':{'limits':{'cpu':'" cpu "','memory':'" memory "'}}"
#define USE_SPECS(value) ",'annotations':{'k8s.aliyun.com/eci-use-specs':'" value "'}"

static struct spec_refs refs;

/* Beside those of case_refs(): what no API server of today gives, or rarely. */
static void odd_refs(struct arena *arena)
{
    case_refs(&refs, arena);
    (void)case_ref(&refs, arena, SPEC_REF_CONFIG_MAP, "other", "two", "{'data':{'a':'theirs'}}");
    (void)case_ref(&refs, arena, SPEC_REF_CONFIG_MAP, "default", "two", "{'data':{'a':'ours'}}");
    (void)case_ref(&refs, arena, SPEC_REF_CONFIG_MAP, "default", "odd",
                   "{'data':{'':'0','.':'1','..a':'2','a':'3'}}");
    (void)case_ref(&refs, arena, SPEC_REF_CONFIG_MAP, "default", "list", "{'data':['x']}");
    (void)case_ref(&refs, arena, SPEC_REF_CLAIM, "default", "odd",
                   "{'spec':{'volumeName':'pv-odd'},'status':{'phase':'Bound'}}");
    (void)case_ref(&refs, arena, SPEC_REF_VOLUME, "", "pv-odd",
                   "{'spec':{'csi':{'driver':'nasplugin.csi.alibabacloud.com','volumeAttributes':{"
                   "'server':'s','path':'/p'}},'mountOptions':[7,'vers=3',null,'nolock']}}");
    (void)case_ref(&refs, arena, SPEC_REF_SECRET, "default", "pull-odd",
                   /* {"auths":{"https:///x":{"username":"n","password":"m"},
                      "a.example.com":{"username":"n"},
                      "b.example.com":{"auth":"dTo="},
                      "c.example.com":{"username":"n","auth":"dTpw"}}} */
                   "{'data':{'.dockerconfigjson':'"
                   "eyJhdXRocyI6eyJodHRwczovLy94Ijp7InVzZXJuYW1lIjoibiIsInBhc3N3b3JkIjoibSJ9LCJhL"
                   "mV4YW1wbGUuY29tIjp7InVzZXJuYW1lIjoibiJ9LCJiLmV4YW1wbGUuY29tIjp7ImF1dGgiOiJkVG"
                   "89In0sImMuZXhhbXBsZS5jb20iOnsidXNlcm5hbWUiOiJuIiwiYXV0aCI6ImRUcHcifX19'}}");
    struct spec_ref *token =
        case_ref(&refs, arena, SPEC_REF_TOKEN, "default", "default", "{'status':{'token':''}}");
    token->audience = S("empty");
    token->expiry_s = 7200;
}

static const struct value_case {
    const char *what;
    const char *metadata;
    const char *spec;
    enum err err;
    const char *wants;  /* of the parameters, see case_wants(); NULL: refused */
    const char *remark; /* the whole of the refusals, or of the warnings; NULL: none */
} rows[] = {
    /* fields of the pod */
    {"one annotation", ",'annotations':{'k':'v'}",
     ONE(FIELD("metadata.annotations[\\u0027k\\u0027]")), ERR_OK, ENV_1 "Value=v\n", NULL},
    {"host addresses", "", ONE(FIELD("status.hostIPs")), ERR_OK, ENV_1 "Value=10.0.0.9\n", NULL},
    {"a key of no name", "", ONE(FIELD("metadata.labels[\\u0027\\u0027]")), ERR_OK,
     ENV_1 "Value=\n", NULL},
    {"a key that does not end", "", ONE(FIELD("metadata.labels[\\u0027a")), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].env[0].valueFrom.fieldRef: the field \"metadata.labels['a\" cannot be had "
     "here"},
    {"a key of one quote", "", ONE(FIELD("metadata.labels[\\u0027]")), ERR_UNSUPPORTED, NULL,
     "spec.containers[0].env[0].valueFrom.fieldRef: the field \"metadata.labels[']\" cannot be had "
     "here"},
    {"files have no field of the spec", "", FILE_FIELD("spec.nodeName"), ERR_UNSUPPORTED, NULL,
     "spec.volumes[0].downwardAPI.items[0].fieldRef: the field \"spec.nodeName\" cannot be had "
     "here"},
    {"negative divisor", "",
     ONE(VALUE_FROM("'resourceFieldRef':{'resource':'limits.cpu','divisor':'-1'}")),
     ERR_UNSUPPORTED, NULL,
     "spec.containers[0].env[0].valueFrom.resourceFieldRef: its divisor is not a quantity"},
    {"neither limit nor request", "", ONE(VALUE_FROM("'resourceFieldRef':{'resource':'cpu'}")),
     ERR_UNSUPPORTED, NULL,
     "spec.containers[0].env[0].valueFrom.resourceFieldRef: \"cpu\" cannot be had here"},
    /* variables */
    {"name with a sign after z", "", ONE(",'env':[{'name':'A~','value':'c'}]"), ERR_OK,
     ENV_1 "Key=A~\n",
     "spec.containers[0]: variable A~: the cloud documents names of 1 to 128 letters, digits and "
     "\"_\", not starting with a digit; sent as it is"},
    {"prefix that is no name's beginning", "",
     ONE(",'envFrom':[{'prefix':'~','configMapRef':{'name':'map'}}]"), ERR_OK, "!" ENV_1 "Key\n",
     "spec.containers[0].envFrom[0].configMapRef: 3 keys are no names of variables and are left "
     "out: a, b.conf, 7x"},
    {"keys that are no names", "", ONE(",'envFrom':[{'configMapRef':{'name':'odd'}}]"), ERR_OK,
     ENV_1 "Key=a\n" ENV_1 "Value=3\n!" ENV_2 "Key\n",
     "spec.containers[0].envFrom[0].configMapRef: 3 keys are no names of variables and are left "
     "out: , ., ..a"},
    {"a list is no data", "", ONE(VALUE_FROM("'configMapKeyRef':{'name':'list','key':'x'}")),
     ERR_BUSY, NULL,
     "spec.containers[0].env[0].valueFrom.configMapKeyRef: ConfigMap default/list has no "
     "key \"x\""},
    {"the namespace counts", "", ONE(VALUE_FROM("'configMapKeyRef':{'name':'two','key':'a'}")),
     ERR_OK, ENV_1 "Value=ours\n", NULL},
    /* sizes of containers that are not to count, and of those that are */
    {"left out only when it says true", "", ONE(LIMITS("4", "8Gi") UNSIZED("false")), ERR_OK,
     "Cpu=4\nMemory=8\nContainer.1.Cpu=4\n", NULL},
    {"init container left out", "", INIT(LIMITS("4", "8Gi") UNSIZED("true")), ERR_OK,
     "Cpu=2\nMemory=4\n!InitContainer.1.Cpu\n", NULL},
    {"disk of an init container", "",
     INIT(",'resources':{'requests':{'ephemeral-storage':'40Gi'},'limits':{'ephemeral-storage':"
          "'50Gi'}}"),
     ERR_OK, "EphemeralStorage=10\n", NULL},
    {"the memory does not fit", USE_SPECS("2-4Gi"), ONE(LIMITS("1", "6Gi")), ERR_OK,
     "Cpu=2\nMemory=4\n!Container.1.Memory\n", NULL},
    {"the init container's memory does not fit", USE_SPECS("2-4Gi"), INIT(LIMITS("1", "6Gi")),
     ERR_OK, "Cpu=2\nMemory=4\n!InitContainer.1.Memory\n", NULL},
    {"a resource's name with a slash", "", ONE(",'resources':{'limits':{'vendor/fpga':'1'}}"),
     ERR_UNSUPPORTED, NULL,
     "spec.containers[0].resources.limits[vendor/fpga]: an instance does not have this resource"},
    /* ports, mounts */
    {"a probe's port that is too large", "", ONE(",'livenessProbe':{'tcpSocket':{'port':65536}}"),
     ERR_UNSUPPORTED, NULL,
     "spec.containers[0].livenessProbe.tcpSocket: its port must be 1 to 65535 or the name of a "
     "port of the container"},
    {"mounts that show on both sides", "",
     "{'volumes':[{'name':'v'}],'containers':[{'name':'a','image':'b:1','volumeMounts':[{'name':"
     "'v','mountPath':'/v','mountPropagation':'Bidirectional'}]}]}",
     ERR_OK, "Container.1.VolumeMount.1.MountPropagation=Bidirectional\n", NULL},
    /* volumes */
    {"negative size", "", VOLUME("'emptyDir':{'sizeLimit':'-1Gi'}"), ERR_UNSUPPORTED, NULL,
     "spec.volumes[0].emptyDir.sizeLimit: is not a quantity, or too large"},
    {"keys of a Secret that is not there", "",
     VOLUME("'secret':{'secretName':'none','items':[{'key':'user','path':'u'},{'key':'x','path':'y'"
            "}]}"),
     ERR_BUSY, NULL, "spec.volumes[0].secret: there is no Secret default/none"},
    {"labels of a pod that has none", "", FILE_FIELD("metadata.labels"), ERR_OK,
     "Volume.1.ConfigFileVolume.ConfigFileToPath.1.Path=f\n"
     "Volume.1.ConfigFileVolume.ConfigFileToPath.1.Content=\n",
     NULL},
    {"the Secret's keys count, not the options'", "",
     VOLUME("'flexVolume':{'driver':'alicloud/oss','secretRef':{'name':'keys'},'options':{'akId':"
            "'own','bucket':'b'}}"),
     ERR_OK,
     "Volume.1.FlexVolume.Options={\"akId\":\"id\",\"bucket\":\"b\",\"akSecret\":\"hunter2\"}\n",
     NULL},
    {"options that are none", "", VOLUME("'flexVolume':{'driver':'alicloud/oss','options':7}"),
     ERR_UNSUPPORTED, NULL, "spec.volumes[0].flexVolume.options: must be an object"},
    {"mount options that are no texts", "", CLAIM("odd"), ERR_OK,
     "Volume.1.FlexVolume.Options={\"options\":\"vers=3,nolock\",\"server\":\"s\",\"path\":\"/p\"}"
     "\n",
     NULL},
    {"token of nothing", "",
     VOLUME("'projected':{'sources':[{'serviceAccountToken':{'audience':'empty',"
            "'expirationSeconds':7200,'path':'t'}}]}"),
     ERR_BUSY, NULL,
     "spec.volumes[0].projected.sources[0].serviceAccountToken: the API server gave an empty "
     "token"},
    {"the token elsewhere, in an init container", "",
     "{'volumes':[{'name':'kube-api-access-x','projected':{'sources':[{'serviceAccountToken':{"
     "'path':'token'}}]}}],'initContainers':[{'name':'i','image':'b:1','volumeMounts':[{'name':"
     "'kube-api-access-x','mountPath':'/token'}]}],'containers':[{'name':'a','image':'b:1'}]}",
     ERR_BUSY, NULL,
     "spec.volumes[0].projected.sources[0].serviceAccountToken: there is no token of the "
     "ServiceAccount default yet"},
    /* the network */
    {"33 search domains", "",
     POD(",'dnsPolicy':'None','dnsConfig':{'nameservers':['1.1.1.1'],'searches':[" TEN_A "," TEN_A
         "," TEN_A ",'a','a','a']}"),
     ERR_UNSUPPORTED, NULL,
     "spec.dnsConfig: 1 servers and 33 search domains; there may be 3 and 32"},
    {"registries without a name, a password or a user", "",
     POD(",'imagePullSecrets':[{'name':'pull-odd'}]"), ERR_OK,
     "ImageRegistryCredential.1.Server=c.example.com\nImageRegistryCredential.1.UserName=u\n"
     "ImageRegistryCredential.1.Password=p\n!ImageRegistryCredential.2.Server\n",
     "spec.imagePullSecrets[0]: an entry without a user's name and password is left out; "
     "spec.imagePullSecrets[0]: an entry without a user's name and password is left out; "
     "spec.imagePullSecrets[0]: an entry without a user's name and password is left out"},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct value_case *row = &rows[i];
        struct arena arena;
        struct spec_verdict verdict;
        struct params params;

        case_begin(&arena, &verdict);
        odd_refs(&arena);
        assert_int_equal(params_init(&params, &arena), ERR_OK);
        json pod = case_pod(&arena, row->metadata, row->spec);
        enum err err = pod_json_to_eci(pod, &refs, &case_config, 1, &params, NULL, &verdict);
        if (err != row->err) {
            fail_msg("%s: %s %s", row->what, err_name(err), case_remarks(&verdict, false));
        }
        if (err == ERR_OK) {
            case_wants(row->what, row->wants, &params);
        }
        const char *remarks = case_remarks(&verdict, err == ERR_OK);
        if (strcmp(remarks, row->remark != NULL ? row->remark : "") != 0) {
            fail_msg("%s: remarked \"%s\"", row->what, remarks);
        }
    }
}

/* Every pod above, with each take of memory failing in turn: the answer is never a shorter request.
 */
static void test_every_take_can_fail(void **state)
{
    /* A name with an escape takes memory, too. */
    static const char escaped[] =
        ONE(",'env':[{'name':'X','value':'x'}],'envFrom':[{'configMapRef':{'name':'m\\u0061p'}}]");

    (void)state;
    for (size_t i = 0; i <= sizeof rows / sizeof rows[0]; i++) {
        bool is_extra = i == sizeof rows / sizeof rows[0];
        enum err err = ERR_FULL, expected = is_extra ? ERR_OK : rows[i].err;
        for (uint64_t nth = 1; err == ERR_FULL; nth++) {
            struct arena arena;
            struct spec_verdict verdict;
            struct params params;

            case_begin(&arena, &verdict);
            odd_refs(&arena);
            assert_int_equal(params_init(&params, &arena), ERR_OK);
            json pod = case_pod(&arena, is_extra ? "" : rows[i].metadata,
                                is_extra ? escaped : rows[i].spec);
            arena_fail_at(nth);
            err = pod_json_to_eci(pod, &refs, &case_config, 1, &params, NULL, &verdict);
            arena_fail_at(0);
        }
        if (err != expected) {
            fail_msg("%s: %s", is_extra ? "escaped" : rows[i].what, err_name(err));
        }
    }
}

/* A variable of a Secret may be anywhere in a text that has other signs in it, too. */
static void test_secrets_in_texts(void **state)
{
    static const struct {
        const char *text;
        bool is_secret;
    } cases[] = {
        {"$(S)", true},  {"$HOME $(S)", true}, {"$(P)$x$$$(S)", true}, {"$$$(S)$", true},
        {"$(P)", false}, {"$$(S)", false},     {"$S", false},          {"$x$$(S)", false},
        {"$(S", false},  {"$( S)", false},     {"$", false},           {"$(NONE)", false},
        {"x$(S)", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct params params;
        char spec[512];

        case_begin(&arena, &verdict);
        odd_refs(&arena);
        assert_int_equal(params_init(&params, &arena), ERR_OK);
        snprintf(spec, sizeof spec,
                 ONE(",'env':[{'name':'S','valueFrom':{'secretKeyRef':{'name':'secret','key':'key'"
                     "}}},{'name':'P','value':'plain'}],'args':['%s']"),
                 cases[i].text);
        json pod = case_pod(&arena, "", spec);
        assert_int_equal(pod_json_to_eci(pod, &refs, &case_config, 1, &params, NULL, &verdict),
                         ERR_OK);
        bool is_secret = false, has_secret = false;
        for (uint32_t k = 0; k < params.count; k++) {
            if (str_eq(params.items[k].name, S("Container.1.Arg.1"))) {
                is_secret = params.items[k].is_secret;
                has_secret = str_find(params.items[k].value, S("hunter2")) >= 0;
            }
        }
        if (is_secret != cases[i].is_secret || has_secret != cases[i].is_secret) {
            fail_msg("%s", cases[i].text);
        }
    }
}

/* ---- what the node's configuration and the profile add --------------------------------------- */

static void test_profile_shows_in_fields(void **state)
{
    static const struct spec_pair effects[] = {{S("x"), S("1")}, {S("k"), S("profile")}};
    static const struct {
        const char *metadata;
        const char *value;
    } cases[] = {
        {"", "profile"},
        {",'annotations':{'k':'own'}", "own"},
        {",'annotations':{'k':''}", ""},
    };
    struct spec_config config = case_config;

    (void)state;
    config.effects = effects;
    config.effects_count = 2;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct pod_spec out;

        case_begin(&arena, &verdict);
        json pod = case_pod(&arena, cases[i].metadata,
                            ONE(FIELD("metadata.annotations[\\u0027k\\u0027]")));
        assert_int_equal(pod_spec_read(pod, NULL, &config, &arena, &out, &verdict), ERR_OK);
        assert_true(str_eq(out.containers[0].env[0].value, str_of(cases[i].value)));
    }
}

/* The profile's own DNS stands in for the pod's, however much that is; an empty value does not. */
static void test_profile_gives_the_dns(void **state)
{
    static const struct {
        const char *value;
        const char *refusal;
    } cases[] = {
        {"{\"nameservers\":\"1.1.1.1\"}", ""},
        {" ", "spec.dnsConfig: 4 servers and 0 search domains; there may be 3 and 32"},
    };
    struct spec_config config = case_config;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct spec_pair effects[] = {
            {S("other"), S("1")},
            {S("k8s.aliyun.com/eci-custom-dnsconfig"), str_of(cases[i].value)},
        };
        struct arena arena;
        struct spec_verdict verdict;
        struct pod_spec out;

        config.effects = effects;
        config.effects_count = 2;
        case_begin(&arena, &verdict);
        json pod = case_pod(
            &arena, "",
            POD(",'dnsPolicy':'None','dnsConfig':{'nameservers':['1.1.1.1','1.1.1.2','1.1.1.3',"
                "'1.1.1.4']}"));
        assert_int_equal(pod_spec_read(pod, NULL, &config, &arena, &out, &verdict), ERR_OK);
        assert_string_equal(case_remarks(&verdict, false), cases[i].refusal);
    }
}

/* An entry of nothing, or of nothing but slashes, allows nothing. */
static void test_empty_host_paths(void **state)
{
    struct spec_config config = case_config;
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_spec out;

    (void)state;
    config.host_paths = S(",/, //,/opt");
    case_begin(&arena, &verdict);
    json pod = case_pod(&arena, "",
                        POD(",'volumes':[{'name':'v','hostPath':{'path':'/opt'}},"
                            "{'name':'w','hostPath':{'path':'/etc'}}]"));
    assert_int_equal(pod_spec_read(pod, NULL, &config, &arena, &out, &verdict), ERR_OK);
    assert_string_equal(case_remarks(&verdict, false),
                        "spec.volumes[1].hostPath: an instance has no host with files; use "
                        "emptyDir, a disk or NAS");
}

/* ---- many of them ---------------------------------------------------------------------------- */

static char many_text[400000];

/* open, then `one` as often (% becomes the number), then close. */
static const char *many(const char *open, const char *one, unsigned count, const char *close)
{
    struct buf out;

    buf_init(&out, many_text, sizeof many_text);
    buf_put_text(&out, open);
    for (unsigned i = 0; i < count; i++) {
        buf_put_text(&out, i > 0 ? "," : "");
        for (const char *c = one; *c != '\0'; c++) {
            if (*c == '%') {
                buf_put_fmt(&out, "%u", i);
            } else {
                buf_put_char(&out, *c);
            }
        }
    }
    buf_put_text(&out, close);
    return buf_cstr(&out);
}

static void test_too_many_of_them(void **state)
{
    static const struct {
        const char *what;
        const char *open, *one, *close; /* of the spec */
        unsigned most;
        const char *refusal; /* of one more */
    } cases[] = {
        {"keys of a ConfigMap", "{'volumes':[{'name':'v','configMap':{'name':'map','items':[",
         "{'key':'a','path':'p%'}", "]}}],'containers':[{'name':'a','image':'b:1'}]}", 256,
         "spec.volumes[0].configMap: has more than 256 files"},
        {"fields", "{'volumes':[{'name':'v','downwardAPI':{'items':[",
         "{'path':'p%','fieldRef':{'fieldPath':'metadata.name'}}",
         "]}}],'containers':[{'name':'a','image':'b:1'}]}", 256,
         "spec.volumes[0].downwardAPI: has more than 256 files"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned more = 0; more < 3; more++) { /* two more are refused once */
            struct arena arena;
            struct spec_verdict verdict;
            struct pod_spec out;

            case_begin(&arena, &verdict);
            odd_refs(&arena);
            json pod =
                case_pod(&arena, "",
                         many(cases[i].open, cases[i].one, cases[i].most + more, cases[i].close));
            assert_int_equal(pod_spec_read(pod, &refs, &case_config, &arena, &out, &verdict),
                             ERR_OK);
            assert_string_equal(case_remarks(&verdict, false), more == 0 ? "" : cases[i].refusal);
        }
    }
}

/* Objects of the cluster that hold more than an instance takes. */
static void test_too_much_in_an_object(void **state)
{
    static const struct {
        const char *what;
        const char *spec;
        unsigned most, count;
        const char *refusal; /* of count; of `most` none */
    } cases[] = {
        {"variables", ONE(",'envFrom':[{'configMapRef':{'name':'big'}}]"), 1500, 1501,
         "spec.containers[0].env: the pod has more than 1500 variables"},
        {"variables of the second object",
         ONE(",'envFrom':[{'configMapRef':{'name':'map'}},{'configMapRef':{'name':'big'}}]"), 1497,
         1498, "spec.containers[0].env: the pod has more than 1500 variables"},
        {"files", VOLUME("'configMap':{'name':'big'}"), 256, 258,
         "spec.volumes[0].configMap: has more than 256 files"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned is_over = 0; is_over < 2; is_over++) {
            struct arena arena;
            struct spec_verdict verdict;
            struct pod_spec out;

            case_begin(&arena, &verdict);
            case_refs(&refs, &arena);
            (void)case_ref(
                &refs, &arena, SPEC_REF_CONFIG_MAP, "default", "big",
                many("{'data':{", "'k%':'x'", is_over ? cases[i].count : cases[i].most, "}}"));
            json pod = case_pod(&arena, "", cases[i].spec);
            assert_int_equal(pod_spec_read(pod, &refs, &case_config, &arena, &out, &verdict),
                             ERR_OK);
            assert_string_equal(case_remarks(&verdict, false), is_over ? cases[i].refusal : "");
        }
    }
}

/* ---- labels and annotations as files --------------------------------------------------------- */

static str annotations_as_a_file(const char *metadata, struct arena *arena)
{
    struct spec_verdict verdict;
    struct pod_spec out;

    case_begin(arena, &verdict);
    json pod = case_pod(arena, metadata, FILE_FIELD("metadata.annotations"));
    assert_int_equal(pod_spec_read(pod, NULL, &case_config, arena, &out, &verdict), ERR_OK);
    assert_string_equal(case_remarks(&verdict, false), "");
    return out.volumes[0].files[0].content;
}

/* As Go's %q writes them. */
static void test_signs_that_do_not_print(void **state)
{
    struct arena arena;

    (void)state;
    str text = annotations_as_a_file(",'annotations':{'k':'a\\u0000b\\u007f\\u001f~\\t'}", &arena);
    assert_true(str_eq(text, S("k=\"a\\x00b\\x7f\\x1f~\\t\"")));
}

/* More than any file could hold: the rest is left out, and the memory is bounded. */
static void test_more_annotations_than_a_file_holds(void **state)
{
    struct arena arena;
    unsigned lines = 0;
    str line;

    (void)state;
    str rest = annotations_as_a_file(many(",'annotations':{", "'k%':''", 2001, "}"), &arena);
    while (str_cut(&rest, '\n', &line)) {
        lines++;
    }
    assert_int_equal(lines, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_every_take_can_fail),
        cmocka_unit_test(test_secrets_in_texts),
        cmocka_unit_test(test_profile_shows_in_fields),
        cmocka_unit_test(test_profile_gives_the_dns),
        cmocka_unit_test(test_empty_host_paths),
        cmocka_unit_test(test_too_many_of_them),
        cmocka_unit_test(test_too_much_in_an_object),
        cmocka_unit_test(test_signs_that_do_not_print),
        cmocka_unit_test(test_more_annotations_than_a_file_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
