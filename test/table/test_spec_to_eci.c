/* Pod in, CreateContainerGroup out: the parameters of eci-api 2.1, a row per field. */
#include "table/spec_case.h"

#include "spec/identity.h"

/* A whole pod as a 1.14 API server sends it, with all its defaults, and its whole request. */
static const char whole_metadata[] =
    ",'ownerReferences':[{'kind':'ReplicaSet','name':'web','controller':true,'uid':'r'}],"
    "'labels':{'app':'web'},'creationTimestamp':'2024-01-02T03:04:05Z','resourceVersion':'17'";
static const char whole_spec[] =
    "{'volumes':[{'name':'cache','emptyDir':{}},"
    "{'name':'default-token-x7k2p','secret':{'secretName':'default-token-x7k2p',"
    "'defaultMode':420}}],"
    "'containers':[{'name':'web','image':'nginx:1.25','command':['nginx'],'args':['-g','daemon "
    "off;'],"
    "'workingDir':'/srv','ports':[{'containerPort':80,'protocol':'TCP'}],"
    "'env':[{'name':'MODE','value':'fast'},{'name':'LINE','value':'mode=$(MODE)'}],"
    "'resources':{'limits':{'cpu':'1','memory':'2Gi'},'requests':{'cpu':'500m','memory':'1Gi'}},"
    "'volumeMounts':[{'name':'cache','mountPath':'/cache'},{'name':'default-token-x7k2p',"
    "'readOnly':true,'mountPath':'/var/run/secrets/kubernetes.io/serviceaccount'}],"
    "'terminationMessagePath':'/dev/termination-log','terminationMessagePolicy':'File',"
    "'imagePullPolicy':'IfNotPresent'}],"
    "'restartPolicy':'Always','terminationGracePeriodSeconds':30,'dnsPolicy':'ClusterFirst',"
    "'serviceAccountName':'default','serviceAccount':'default','nodeName':'virtual-kubelet',"
    "'securityContext':{},'schedulerName':'default-scheduler','tolerations':[{'key':'a'}],"
    "'priority':0,'enableServiceLinks':true,'preemptionPolicy':'PreemptLowerPriority'}";
static const char whole_request[] = "RegionId=cn-hangzhou\n"
                                    "VSwitchId=vsw-a,vsw-b\n"
                                    "SecurityGroupId=sg-a\n"
                                    "ClientToken=%s\n"
                                    "ContainerGroupName=default-web-0\n"
                                    "RestartPolicy=Always\n"
                                    "TerminationGracePeriodSeconds=30\n"
                                    "HostName=web-0\n"
                                    "Cpu=1\n"
                                    "Memory=2\n"
                                    "Tag.1.Key=ClusterId\n"
                                    "Tag.1.Value=c-test\n"
                                    "Tag.2.Key=NameSpace\n"
                                    "Tag.2.Value=default\n"
                                    "Tag.3.Key=PodName\n"
                                    "Tag.3.Value=web-0\n"
                                    "Tag.4.Key=ManagedBy\n"
                                    "Tag.4.Value=ecilet\n"
                                    "Tag.5.Key=NodeName\n"
                                    "Tag.5.Value=virtual-kubelet\n"
                                    "Tag.6.Key=OwnerReferenceKind\n"
                                    "Tag.6.Value=ReplicaSet\n"
                                    "Tag.7.Key=OwnerReferenceName\n"
                                    "Tag.7.Value=web\n"
                                    "Tag.8.Key=ecilet-pod-uid\n"
                                    "Tag.8.Value=6c1f9a52-5b0e-4f0e-9d39-0d0f6a2f1c11\n"
                                    "Tag.9.Key=ecilet-attempt\n"
                                    "Tag.9.Value=1\n"
                                    "Tag.10.Key=ecilet-format\n"
                                    "Tag.10.Value=1\n"
                                    "Container.1.Name=web\n"
                                    "Container.1.Image=nginx:1.25\n"
                                    "Container.1.ImagePullPolicy=IfNotPresent\n"
                                    "Container.1.WorkingDir=/srv\n"
                                    "Container.1.Cpu=1\n"
                                    "Container.1.Memory=2\n"
                                    "Container.1.Command.1=nginx\n"
                                    "Container.1.Arg.1=-g\n"
                                    "Container.1.Arg.2=daemon off;\n"
                                    "Container.1.EnvironmentVar.1.Key=MODE\n"
                                    "Container.1.EnvironmentVar.1.Value=fast\n"
                                    "Container.1.EnvironmentVar.2.Key=LINE\n"
                                    "Container.1.EnvironmentVar.2.Value=mode=fast\n"
                                    "Container.1.Port.1.Port=80\n"
                                    "Container.1.Port.1.Protocol=TCP\n"
                                    "Container.1.VolumeMount.1.Name=cache\n"
                                    "Container.1.VolumeMount.1.MountPath=/cache\n"
                                    "Container.1.TerminationMessagePath=/dev/termination-log\n"
                                    "Container.1.TerminationMessagePolicy=File\n"
                                    "Volume.1.Name=cache\n"
                                    "Volume.1.Type=EmptyDirVolume\n";

#define TOKEN_WARNING \
    "the service account token is not provided to the instance; " \
    "automountServiceAccountToken says whether it is needed (true), or not (false)"

static void test_whole_pod(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct params params;
    struct sizing size;
    char expected[4096], token[CLIENT_TOKEN_BYTES + 1];

    (void)state;
    case_begin(&arena, &verdict);
    assert_int_equal(params_init(&params, &arena), ERR_OK);
    json pod = case_pod(&arena, whole_metadata, whole_spec);
    enum err err = pod_json_to_eci(pod, NULL, &case_config, 1, &params, &size, &verdict);
    assert_string_equal(case_remarks(&verdict, false), "");
    assert_int_equal(err, ERR_OK);
    identity_token(token, S("c-test"), S("6c1f9a52-5b0e-4f0e-9d39-0d0f6a2f1c11"), 1);
    snprintf(expected, sizeof expected, whole_request, token);
    assert_string_equal(case_params(&params), expected);
    assert_string_equal(case_remarks(&verdict, true), "spec.volumes[1]: " TOKEN_WARNING);
    assert_int_equal(size.cpu_milli, 1000);
    assert_int_equal(size.memory_bytes, 2 * SIZING_GIB);
}

#define ONE(members) "{'containers':[{'name':'a','image':'b:1'" members "}]}"
#define POD(members) "{'containers':[{'name':'a','image':'b:1'}]" members "}"
#define INIT(members) \
    "{'initContainers':[{'name':'i','image':'b:1'" members "}]," \
    "'containers':[{'name':'a','image':'b:1'}]}"
#define LIMITS(cpu, memory) ",'resources':{'limits':{'cpu':'" cpu "','memory':'" memory "'}}"
#define REQUESTS(cpu, memory) ",'resources':{'requests':{'cpu':'" cpu "','memory':'" memory "'}}"
#define TWO(first, second) \
    "{'containers':[{'name':'a','image':'b:1'" first "},{'name':'c','image':'d:1'" second "}]}"
#define IGNORED ",'env':[{'name':'__ECI_RESOURCE_IGNORE__','value':'TRUE'}]"

/* wants: "Name=Value", each on its own line, must be there in this order; "!Name" must not be. */
static const struct field_case {
    const char *what;
    const char *metadata;
    const char *spec;
    const char *wants;
    const char *warning; /* the beginning, NULL: none */
} field_cases[] = {
    {"least pod", "", POD(""),
     "ContainerGroupName=default-web-0\nRestartPolicy=Always\nHostName=web-0\nCpu=2\nMemory=4\n"
     "Container.1.Name=a\nContainer.1.Image=b:1\nContainer.1.ImagePullPolicy=IfNotPresent\n"
     "!TerminationGracePeriodSeconds\n!ActiveDeadlineSeconds\n!Container.1.Cpu\n!DnsPolicy\n"
     "!Volume.1.Name\n!EphemeralStorage\n!ZoneId\n!ShareProcessNamespace\n!Container.1.Tty\n"
     "!Tag.9.Key\n!Container.1.Memory\n!ResourceGroupId\n",
     NULL},
    /* pod level */
    {"restartPolicy OnFailure", "", POD(",'restartPolicy':'OnFailure'"),
     "RestartPolicy=OnFailure\n", NULL},
    {"restartPolicy Never", "", POD(",'restartPolicy':'Never'"), "RestartPolicy=Never\n", NULL},
    {"grace 0 is sent", "", POD(",'terminationGracePeriodSeconds':0"),
     "TerminationGracePeriodSeconds=0\n", NULL},
    {"negative grace is 1", "", POD(",'terminationGracePeriodSeconds':-5"),
     "TerminationGracePeriodSeconds=1\n", NULL},
    {"deadline", "", POD(",'activeDeadlineSeconds':600"), "ActiveDeadlineSeconds=600\n", NULL},
    {"shared processes", "", POD(",'shareProcessNamespace':true"), "ShareProcessNamespace=true\n",
     NULL},
    {"host name", "", POD(",'hostname':'db-0','subdomain':'db'"), "HostName=db-0\n", NULL},
    {"host aliases", "",
     POD(",'hostAliases':[{'ip':'10.0.0.1','hostnames':['a','b']},{'ip':'10.0.0.2',"
         "'hostnames':[]}]"),
     "HostAliase.1.Ip=10.0.0.1\nHostAliase.1.Hostname.1=a\nHostAliase.1.Hostname.2=b\n"
     "HostAliase.2.Ip=10.0.0.2\n!HostAliase.2.Hostname.1\n",
     NULL},
    {"owner",
     ",'ownerReferences':[{'kind':'A','name':'a'},{'kind':'Job','name':'j','controller':true}]",
     POD(""), "Tag.6.Key=OwnerReferenceKind\nTag.6.Value=Job\nTag.7.Value=j\n!Tag.11.Key\n", NULL},
    {"foreign annotations",
     ",'annotations':{'example.com/a':'b','k8s.aliyun.com/eci-with-eip':'false'}", POD(""),
     "!AutoCreateEip\n", NULL},
    {"fail-back is what we do", ",'annotations':{'k8s.aliyun.com/eci-fail-strategy':'fail-back'}",
     POD(""), "", NULL},
    {"unknown ECI annotation", ",'annotations':{'k8s.aliyun.com/eci-new':'b'}", POD(""), "",
     "metadata.annotations[k8s.aliyun.com/eci-new]: not known"},
    /* container level */
    {"image without tag is pulled always", "", "{'containers':[{'name':'a','image':'b'}]}",
     "Container.1.ImagePullPolicy=Always\n", NULL},
    {"pull policy", "", ONE(",'imagePullPolicy':'Never'"), "Container.1.ImagePullPolicy=Never\n",
     NULL},
    {"working directory", "", ONE(",'workingDir':'/w'"), "Container.1.WorkingDir=/w\n", NULL},
    {"command and args", "", ONE(",'command':['x','y'],'args':['z']"),
     "Container.1.Command.1=x\nContainer.1.Command.2=y\nContainer.1.Arg.1=z\n", NULL},
    {"empty argument stays", "", ONE(",'args':['']"), "Container.1.Arg.1=\n", NULL},
    {"args are expanded", "",
     ONE(",'env':[{'name':'A','value':'1'}],'args':['$(A)','$$(A)','$(B)']"),
     "Container.1.Arg.1=1\nContainer.1.Arg.2=$(A)\nContainer.1.Arg.3=$(B)\n", NULL},
    {"command is expanded", "", ONE(",'env':[{'name':'A','value':'1'}],'command':['x$(A)']"),
     "Container.1.Command.1=x1\n", NULL},
    {"the last variable of a name wins", "",
     ONE(",'env':[{'name':'A','value':'1'},{'name':'B','value':'$(A)'},{'name':'A','value':'2'}]"),
     "Container.1.EnvironmentVar.1.Key=A\nContainer.1.EnvironmentVar.1.Value=2\n"
     "Container.1.EnvironmentVar.2.Value=1\n!Container.1.EnvironmentVar.3.Key\n",
     NULL},
    {"variable without value", "", ONE(",'env':[{'name':'A'}]"),
     "Container.1.EnvironmentVar.1.Key=A\nContainer.1.EnvironmentVar.1.Value=\n", NULL},
    {"odd variable name", "", ONE(",'env':[{'name':'a.b','value':'c'}]"),
     "Container.1.EnvironmentVar.1.Key=a.b\n",
     "spec.containers[0]: variable a.b: the cloud documents names of 1 to 128"},
    {"escapes", "", ONE(",'env':[{'name':'A','value':'\\u00e9\\n\\'\\\\'}]"),
     "Container.1.EnvironmentVar.1.Value=\xC3\xA9\n", NULL},
    {"ports", "",
     ONE(",'ports':[{'containerPort':53,'protocol':'UDP','name':'dns'},{'containerPort':80}]"),
     "Container.1.Port.1.Port=53\nContainer.1.Port.1.Protocol=UDP\nContainer.1.Port.2.Port=80\n"
     "Container.1.Port.2.Protocol=TCP\n",
     NULL},
    {"standard input and terminal", "", ONE(",'stdin':true,'stdinOnce':true,'tty':true"),
     "Container.1.Stdin=true\nContainer.1.StdinOnce=true\nContainer.1.Tty=true\n", NULL},
    {"termination message", "",
     ONE(",'terminationMessagePath':'/t','terminationMessagePolicy':'FallbackToLogsOnError'"),
     "Container.1.TerminationMessagePath=/t\n"
     "Container.1.TerminationMessagePolicy=FallbackToLogsOnError\n",
     NULL},
    {"a size of 0 is no limit", "",
     "{'volumes':[{'name':'w','emptyDir':{'sizeLimit':'0'}},{'name':'v','emptyDir':{'sizeLimit':0}"
     "}],'containers':[{'name':'a','image':'b:1'}]}",
     "Volume.1.Type=EmptyDirVolume\n!Volume.1.EmptyDirVolume.SizeLimit\n"
     "!Volume.2.EmptyDirVolume.SizeLimit\n",
     NULL},
    {"a size that is a number", "",
     "{'volumes':[{'name':'v','emptyDir':{'sizeLimit':1048576}}],'containers':[{'name':'a',"
     "'image':'b:1'}]}",
     "Volume.1.EmptyDirVolume.SizeLimit=1048576\n", NULL},
    {"mounts", "",
     "{'volumes':[{'name':'v','emptyDir':{'medium':'Memory','sizeLimit':'256Mi'}}],'containers':"
     "[{'name':'a','image':'b:1','volumeMounts':[{'name':'v','mountPath':'/m','subPath':'s',"
     "'readOnly':true,'mountPropagation':'None'}]}]}",
     "Container.1.VolumeMount.1.Name=v\nContainer.1.VolumeMount.1.MountPath=/m\n"
     "Container.1.VolumeMount.1.SubPath=s\nContainer.1.VolumeMount.1.ReadOnly=true\n"
     "Volume.1.Name=v\nVolume.1.Type=EmptyDirVolume\nVolume.1.EmptyDirVolume.Medium=Memory\n"
     "Volume.1.EmptyDirVolume.SizeLimit=256Mi\n",
     NULL},
    {"volume without source is an emptyDir", "", POD(",'volumes':[{'name':'v'}]"),
     "Volume.1.Type=EmptyDirVolume\n", NULL},
    {"projected token", "",
     "{'volumes':[{'name':'kube-api-access-x','projected':{'sources':[{'serviceAccountToken':{}}"
     "]}},"
     "{'name':'v','emptyDir':{}}],'containers':[{'name':'a','image':'b:1','volumeMounts':[{'name':"
     "'kube-api-access-x','mountPath':'/var/run/secrets/kubernetes.io/serviceaccount'},"
     "{'name':'v','mountPath':'/v'}]}]}",
     "Container.1.VolumeMount.1.Name=v\nVolume.1.Name=v\n!Volume.2.Name\n"
     "!Container.1.VolumeMount.2.Name\n",
     "spec.volumes[0]: the service account token"},
    /* init containers */
    {"init container", "",
     INIT(",'command':['x'],'env':[{'name':'A','value':'1'}],'ports':[{'containerPort':1}],"
          "'imagePullPolicy':'Always','workingDir':'/w'" LIMITS("3", "6Gi")),
     "Cpu=4\nMemory=6\nInitContainer.1.Name=i\nInitContainer.1.Image=b:1\n"
     "InitContainer.1.ImagePullPolicy=Always\nInitContainer.1.WorkingDir=/w\nInitContainer.1.Cpu"
     "=3\n"
     "InitContainer.1.Memory=6\nInitContainer.1.Command.1=x\nInitContainer.1.EnvironmentVar.1.Ke"
     "y=A\n"
     "InitContainer.1.Port.1.Port=1\n",
     NULL},
    /* sizes: eci-api 4.2, 4.3 */
    {"7/13", "", ONE(LIMITS("7", "13Gi")),
     "Cpu=8\nMemory=14\nContainer.1.Cpu=7\nContainer.1.Memory=13\n", NULL},
    {"limits, not requests", "",
     ONE(",'resources':{'limits':{'cpu':'2','memory':'4Gi'},'requests':{'cpu':'500m',"
         "'memory':'1Gi'}}"),
     "Cpu=2\nMemory=4\nContainer.1.Cpu=2\n", NULL},
    {"requests only make room", "", ONE(REQUESTS("1", "2Gi")),
     "Cpu=1\nMemory=2\n!Container.1.Cpu\n!Container.1.Memory\n", NULL},
    {"two containers add up", "", TWO(LIMITS("500m", "1Gi"), LIMITS("500m", "1Gi")),
     "Cpu=1\nMemory=2\n", NULL},
    {"one without numbers counts 0", "", TWO(LIMITS("1", "2Gi"), ""), "Cpu=1\nMemory=2\n", NULL},
    {"limit here, request there", "", TWO(LIMITS("1", "2Gi"), REQUESTS("1", "2Gi")),
     "Cpu=2\nMemory=4\nContainer.1.Cpu=1\n!Container.2.Cpu\n", NULL},
    {"cpu limit, memory request", "",
     ONE(",'resources':{'limits':{'cpu':'1'},'requests':{'memory':'2Gi'}}"),
     "Cpu=1\nMemory=2\nContainer.1.Cpu=1\n!Container.1.Memory\n", NULL},
    {"numbers without quotes", "", ONE(",'resources':{'limits':{'cpu':2,'memory':4294967296}}"),
     "Cpu=2\nMemory=4\n", NULL},
    {"small numbers", "", ONE(LIMITS("100m", "100Mi")),
     "Cpu=0.25\nMemory=0.5\nContainer.1.Cpu=0.1\nContainer.1.Memory=0.097656\n", NULL},
    {"zero is no limit", "", ONE(LIMITS("0", "0")), "Cpu=2\nMemory=4\n!Container.1.Cpu\n", NULL},
    {"left out of the size", "",
     TWO(LIMITS("2", "4Gi"),
         LIMITS("2", "4Gi") "},{'name':'s','image':'b:1'" LIMITS("250m", "512Mi") IGNORED),
     "Cpu=4\nMemory=8\nContainer.1.Cpu=2\nContainer.2.Cpu=2\nContainer.3.Name=s\n!Container.3.Cpu\n"
     "!Container.3.Memory\n",
     NULL},
    {"left out of a full instance", "", TWO(LIMITS("1", "2500Mi"), LIMITS("250m", "512Mi") IGNORED),
     "Cpu=1\nMemory=4\n!Container.2.Cpu\n", NULL},
    {"left out, but there is room", "", TWO(LIMITS("3", "5Gi"), LIMITS("250m", "512Mi") IGNORED),
     "Cpu=4\nMemory=6\nContainer.2.Cpu=0.25\nContainer.2.Memory=0.5\n", NULL},
    {"free disk", "", ONE(",'resources':{'requests':{'ephemeral-storage':'30Gi'}}"),
     "!EphemeralStorage\n", NULL},
    {"bought disk", "",
     TWO(",'resources':{'requests':{'ephemeral-storage':'20Gi'}}",
         ",'resources':{'limits':{'ephemeral-storage':'20.5Gi'}}"),
     "EphemeralStorage=11\n", NULL},
    {"the largest disk", "", ONE(",'resources':{'requests':{'ephemeral-storage':'5030Gi'}}"),
     "EphemeralStorage=5000\n", NULL},
    /* the cloud's limits that are more lenient than documented */
    {"twelve args move over", "",
     ONE(",'command':['x'],'args':['1','2','3','4','5','6','7','8','9','10','11','12']"),
     "Container.1.Command.1=x\nContainer.1.Command.2=1\nContainer.1.Command.3=2\nContainer.1.Arg"
     ".1=3\n"
     "Container.1.Arg.10=12\n!Container.1.Arg.11\n!Container.1.Command.4\n",
     NULL},
    {"eleven args of the image's command", "",
     ONE(",'args':['1','2','3','4','5','6','7','8','9','10','11']"),
     "Container.1.Arg.1=1\nContainer.1.Arg.11=11\n!Container.1.Command.1\n",
     "spec.containers[0]: args has 11 items, the cloud documents at most 10; sent as it is"},
};

static void test_field_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof field_cases / sizeof field_cases[0]; i++) {
        const struct field_case *row = &field_cases[i];
        struct arena arena;
        struct spec_verdict verdict;
        struct params params;

        case_begin(&arena, &verdict);
        assert_int_equal(params_init(&params, &arena), ERR_OK);
        json pod = case_pod(&arena, row->metadata, row->spec);
        enum err err = pod_json_to_eci(pod, NULL, &case_config, 1, &params, NULL, &verdict);
        if (err != ERR_OK) {
            fail_msg("%s: %s %s", row->what, err_name(err), case_remarks(&verdict, false));
        }
        case_wants(row->what, row->wants, &params);
        const char *warnings = case_remarks(&verdict, true);
        if (row->warning == NULL ? warnings[0] != '\0'
                                 : strncmp(warnings, row->warning, strlen(row->warning)) != 0) {
            fail_msg("%s: warned \"%s\"", row->what, warnings);
        }
    }
}

static void test_config_fields(void **state)
{
    struct spec_config config = case_config;
    struct arena arena;
    struct spec_verdict verdict;
    struct params params;

    (void)state;
    case_begin(&arena, &verdict);
    config.zone_id = S("cn-hangzhou-k");
    config.resource_group_id = S("rg-a");
    config.deadline_is_ours = true;
    assert_int_equal(params_init(&params, &arena), ERR_OK);
    json pod = case_pod(&arena, "", POD(",'activeDeadlineSeconds':600"));
    assert_int_equal(pod_json_to_eci(pod, NULL, &config, 7, &params, NULL, &verdict), ERR_OK);
    assert_true(str_eq(params_find(&params, S("ZoneId")), S("cn-hangzhou-k")));
    assert_true(str_eq(params_find(&params, S("ResourceGroupId")), S("rg-a")));
    assert_true(str_is_empty(params_find(&params, S("ActiveDeadlineSeconds"))));
    assert_true(str_eq(params_find(&params, S("Tag.7.Value")), S("7")));
}

static void test_config_faults(void **state)
{
    struct spec_config config = case_config;

    (void)state;
    assert_null(spec_config_fault(&config));
    config.cluster_id = STR_NONE;
    assert_non_null(spec_config_fault(&config));
    config.cluster_id = S("acs:x");
    assert_non_null(spec_config_fault(&config));
    char long_id[129];
    memset(long_id, 'c', sizeof long_id);
    config.cluster_id = str_make(long_id, 128);
    assert_null(spec_config_fault(&config));
    config.cluster_id = str_make(long_id, 129);
    assert_string_equal(spec_config_fault(&config), "the cluster id must have 1 to 128 characters");
    config = case_config;
    config.node_name = STR_NONE;
    assert_non_null(spec_config_fault(&config));
    config = case_config;
    config.region_id = STR_NONE;
    assert_non_null(spec_config_fault(&config));
    config = case_config;
    config.vswitch_ids = S("1,2,3,4,5,6,7,8,9,10");
    assert_null(spec_config_fault(&config));
    config.vswitch_ids = S("1,2,3,4,5,6,7,8,9,10,11");
    assert_non_null(spec_config_fault(&config));
}

/* The same pod gives the same request, the next attempt another token. */
static void test_repeats(void **state)
{
    static char first[CASE_TEXT_BYTES_MAX];
    struct arena arena;
    struct spec_verdict verdict;
    struct params params;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        case_begin(&arena, &verdict);
        assert_int_equal(params_init(&params, &arena), ERR_OK);
        json pod = case_pod(&arena, whole_metadata, whole_spec);
        assert_int_equal(
            pod_json_to_eci(pod, NULL, &case_config, i < 2 ? 1 : 2, &params, NULL, &verdict),
            ERR_OK);
        const char *text = case_params(&params);
        if (i == 0) {
            memcpy(first, text, strlen(text) + 1);
        }
        assert_int_equal(strcmp(first, text) == 0, i < 2);
    }
}

/* Whatever take of memory fails, the answer is ERR_FULL and never a shortened request. */
static void test_every_take_can_fail(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct params params;

        case_begin(&arena, &verdict);
        assert_int_equal(params_init(&params, &arena), ERR_OK);
        json pod = case_pod(&arena, whole_metadata, whole_spec);
        arena_fail_at(nth);
        enum err err = pod_json_to_eci(pod, NULL, &case_config, 1, &params, NULL, &verdict);
        arena_fail_at(0);
        if (err == ERR_OK) {
            assert_true(nth > 100);
            return;
        }
        assert_int_equal(err, ERR_FULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_pod),     cmocka_unit_test(test_field_table),
        cmocka_unit_test(test_config_fields), cmocka_unit_test(test_config_faults),
        cmocka_unit_test(test_repeats),       cmocka_unit_test(test_every_take_can_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
