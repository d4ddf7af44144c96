/* Row in, status patch out: eci-api 3.1-3.4, virtual-node 3.3 and 3.9. */
#include "table/spec_case.h"

#include "data/group_read.h"
#include "spec/identity.h"
#include "spec/pod_status.h"

#define NOW 1704171600 /* 2024-01-02T05:00:00Z */
#define UID "6c1f9a52-5b0e-4f0e-9d39-0d0f6a2f1c11"

static char patch_text[CASE_TEXT_BYTES_MAX];

static void read_row(const char *text, struct arena *arena, struct eci_status_row *row)
{
    struct group_read read;
    json root = JSON_NONE;
    struct json_fault fault = {0};

    if (json_parse(arena_copy(arena, case_json("{'Data':[%s]}", text)), arena, &root, &fault) !=
        ERR_OK) {
        fail_msg("bad JSON in a test, %u: %s: %s", fault.column, fault.what, text);
    }
    group_read_init(&read, root, arena);
    if (!group_read_status(&read, row)) {
        fail_msg("no row: %s", text);
    }
}

static const char *write_patch(const struct pod_status *status, const struct pod_status_past *past)
{
    struct buf out;

    buf_init(&out, patch_text, sizeof patch_text - 1);
    assert_int_equal(pod_status_write(status, past, S(UID), &out), ERR_OK);
    for (size_t i = 0; i < out.bytes; i++) {
        out.ptr[i] = out.ptr[i] == '"' ? '\'' : out.ptr[i]; /* as the tables are written */
    }
    patch_text[out.bytes] = '\0';
    return patch_text;
}

/* ---- one whole row ---- */

static const char whole_row[] =
    "{'ContainerGroupId':'eci-1','Name':'default-web-0','Namespace':'default','uuid':'','Status':"
    "'Running','Annotations':'{}','PodStatus':{'Phase':'Running','PodIp':'172.16.0.9','PodIps':[{'Ip':"
    "'172.16.0.9'},{'Ip':'fd00::9'}],'HostIp':'172.16.0.9','QosClass':'Guaranteed','StartTime':"
    "'2024-01-02T03:04:05Z','Conditions':["
    "{'type':'Initialized','status':'True','lastTransitionTime':'2024-01-02T03:04:10Z'},"
    "{'type':'Ready','status':'True','lastTransitionTime':'2024-01-02T03:04:20Z','Reason':'','Message':"
    "''},{'type':'ContainersReady','status':'True','lastTransitionTime':'2024-01-02T03:04:20Z'},"
    "{'type':'ContainerHasSufficientDisk','status':'True','lastTransitionTime':'2024-01-02T03:04:11Z'}],"
    "'ContainerStatuses':[{'Name':'web','Image':'nginx:1.25','ImageID':'nginx@sha256:00','Ready':true,"
    "'Started':true,'RestartCount':1,'State':{'Running':{'StartedAtstartedAt':'2024-01-02T03:05:00Z'}},"
    "'LastState':{'Terminated':{'ContainerID':'containerd://ab','ExitCode':1,'Signal':0,'Reason':'Error',"
    "'Message':'','StartedAt':'2024-01-02T03:04:10Z','FinishedAt':'2024-01-02T03:04:50Z'}}}]}}";
static const char whole_patch[] =
    "{'metadata':{'uid':'" UID "'},'status':{'phase':'Running','reason':null,'message':null,"
    "'hostIP':'172.16.0.9','podIP':'172.16.0.9','podIPs':[{'ip':'172.16.0.9'},{'ip':'fd00::9'}],"
    "'startTime':'2024-01-02T03:04:05Z','conditions':["
    "{'type':'ContainerHasSufficientDisk','status':'True','reason':null,'message':null,"
    "'lastTransitionTime':'2024-01-02T03:04:11Z'},"
    "{'type':'ContainerInstanceCreated','status':'True','reason':null,'message':null,"
    "'lastTransitionTime':'2024-01-02T05:00:00Z'},"
    "{'type':'ContainersReady','status':'True','reason':null,'message':null,"
    "'lastTransitionTime':'2024-01-02T03:04:20Z'},"
    "{'type':'Initialized','status':'True','reason':null,'message':null,"
    "'lastTransitionTime':'2024-01-02T03:04:10Z'},"
    "{'type':'PodScheduled','status':'True','reason':null,'message':null,"
    "'lastTransitionTime':'2024-01-02T05:00:00Z'},"
    "{'type':'Ready','status':'True','reason':null,'message':null,"
    "'lastTransitionTime':'2024-01-02T03:04:20Z'}],"
    "'containerStatuses':[{'name':'web','image':'nginx:1.25','imageID':'nginx@sha256:00',"
    "'containerID':'%.*s','ready':true,'started':true,'restartCount':1,"
    "'state':{'running':{'startedAt':'2024-01-02T03:05:00Z'}},"
    "'lastState':{'terminated':{'exitCode':1,'reason':'Error','startedAt':'2024-01-02T03:04:10Z',"
    "'finishedAt':'2024-01-02T03:04:50Z','containerID':'containerd://ab'}}}]}}";

static void test_whole_row(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct eci_status_row row;
    struct pod_status status;
    struct pod_status_past past = {0};
    struct pod_status_input input = {.past = &past, .now_s = NOW};
    char expected[4096];

    (void)state;
    case_begin(&arena, &verdict);
    read_row(whole_row, &arena, &row);
    assert_int_equal(pod_status_of_row(&row, &input, &arena, &status), ERR_OK);
    str id = identity_container_id(&arena, S("eci-1"), S("web"));
    snprintf(expected, sizeof expected, whole_patch, STR_ARG(id));
    assert_string_equal(write_patch(&status, &past), expected);
}

/* ---- by part ---- */

#define R(status, pod_status) "{'ContainerGroupId':'eci-1','Status':'" status "','PodStatus':{" pod_status "}}"
#define IP "'PodIp':'10.0.0.5'"
#define C(name, ready, state) "{'Name':'" name "','Image':'i','Ready':" ready ",'State':{" state "}}"
#define RUNS "'Running':{'StartedAtstartedAt':'2024-01-02T03:05:00Z'}"
#define WAITS "'Waiting':{'Reason':'','Message':''}"
#define ENDS(code) \
    "'Terminated':{'ExitCode':" code ",'StartedAt':'2024-01-02T03:05:00Z','FinishedAt':'2024-01-02T03:06:00Z'}"
#define ALL(...) "'ContainerStatuses':[" __VA_ARGS__ "]"
#define COND(type, status, reason, message) \
    "{'type':'" type "','status':'" status "','lastTransitionTime':'2024-01-02T04:00:00Z','Reason':'" reason \
    "','Message':'" message "'}"
#define CONDS(...) "'Conditions':[" __VA_ARGS__ "]"
#define READY "'type':'Ready','status':'True'"
#define UNREADY(reason) "'type':'Ready','status':'False','reason':'" reason "'"
#define PHASE(phase) "'status':{'phase':'" phase "'"

enum { RETRIES = 1, HAS_INIT = 2, HAS_NAMES = 4, HAS_NODE_IP = 8 };

static const struct row_case {
    const char *row;
    enum pod_phase past;
    unsigned flags;
    const char *has[4];
    const char *has_not[2];
} row_cases[] = {
    /* phases of eci-api 3.1 */
    {R("Scheduling", ""), POD_PHASE_NONE, 0, {PHASE("Pending"), UNREADY("ContainersNotReady"),
     "'type':'ContainerInstanceCreated','status':'False','reason':'Creating'"}, {"podIP"}},
    {R("Pending", ""), POD_PHASE_NONE, 0, {PHASE("Pending"), "'type':'ContainerInstanceCreated','status':'True'"}, {0}},
    {R("Running", IP "," ALL(C("a", "true", RUNS))), POD_PHASE_PENDING, 0, {PHASE("Running"), READY}, {0}},
    {R("Restarting", ""), POD_PHASE_PENDING, 0, {PHASE("Pending"), UNREADY("Restarting")}, {0}},
    {R("Updating", ""), POD_PHASE_PENDING, 0, {PHASE("Pending"), UNREADY("Updating")}, {0}},
    {R("Terminating", IP "," ALL(C("a", "true", RUNS))), POD_PHASE_RUNNING, 0, {PHASE("Running"), READY}, {0}},
    {R("Succeeded", IP "," ALL(C("a", "false", ENDS("0")))), POD_PHASE_RUNNING, 0,
     {PHASE("Succeeded"), UNREADY("PodCompleted"), "'type':'ContainersReady','status':'False','reason':'PodCompleted'",
      "'type':'Initialized','status':'True','reason':'PodCompleted'"}, {0}},
    {R("Failed", IP "," ALL(C("a", "false", ENDS("3")))), POD_PHASE_RUNNING, RETRIES,
     {PHASE("Failed"), "'reason':null,'message':null", UNREADY("PodFailed"), "'exitCode':3,'reason':'Error'"}, {0}},
    {R("Expired", IP "," ALL(C("a", "true", RUNS))), POD_PHASE_RUNNING, RETRIES,
     {PHASE("Failed") ",'reason':'Expired','message':'The spot instance was reclaimed'", UNREADY("PodFailed"), "'ready':false"}, {0}},
    {R("Expired", CONDS(COND("ContainerInstanceCreated", "True", "SpotToBeReleased", "spot goes"))), POD_PHASE_RUNNING, 0,
     {"'reason':'Expired','message':'spot goes'"}, {0}},
    {R("ScheduleFailed", ""), POD_PHASE_PENDING, 0,
     {PHASE("Failed") ",'reason':'ContainerInstanceScheduleFailed','message':'The cloud found no resources",
      "'type':'ContainerInstanceCreated','status':'False','reason':'FailedScheduling'"}, {"containerStatuses"}},
    {R("ScheduleFailed", CONDS(COND("ContainerInstanceCreated", "False", "NoStock", "no stock in zone k"))),
     POD_PHASE_PENDING, RETRIES,
     {PHASE("Pending") ",'reason':'ContainerInstanceScheduleFailed','message':'no stock in zone k'",
      "'type':'ContainerInstanceCreated','status':'False','reason':'NoStock','message':'no stock in zone k'"}, {0}},
    {R("ScheduleFailed", CONDS(COND("ContainerInstanceCreated", "False", "NoStock", ""))), POD_PHASE_PENDING, RETRIES,
     {"'message':'The cloud found no resources for the instance: NoStock'"}, {0}},
    {R("Brandnew", ""), POD_PHASE_NONE, 0, {PHASE("Pending")}, {"ContainerInstanceCreated"}},
    {R("Brandnew", "'Phase':'Running'," IP "," ALL(C("a", "true", RUNS))), POD_PHASE_PENDING, 0, {PHASE("Running"), READY}, {0}},
    {R("Brandnew", "'Phase':'Failed'"), POD_PHASE_RUNNING, 0, {PHASE("Running")}, {0}},
    /* the pending time-out: no container has run (eci-api 3.3) */
    {R("Failed", "'Phase':'Pending'," ALL(C("a", "false", WAITS))), POD_PHASE_PENDING, RETRIES,
     {PHASE("Pending") ",'reason':'ContainerInstancePendingTimeout'"}, {"containerStatuses"}},
    {R("Failed", "'Phase':'Pending'," ALL(C("a", "false", WAITS))), POD_PHASE_PENDING, 0,
     {PHASE("Failed") ",'reason':'ContainerInstancePendingTimeout'"}, {0}},
    {R("Failed", "'Phase':'Pending'," ALL(C("a", "false", ENDS("1")))), POD_PHASE_PENDING, RETRIES, {PHASE("Failed")}, {0}},
    {R("Failed", "'Phase':'Failed'," ALL(C("a", "false", WAITS))), POD_PHASE_PENDING, RETRIES, {PHASE("Failed")}, {0}},
    /* nothing goes back */
    {R("Pending", IP), POD_PHASE_RUNNING, 0, {PHASE("Running"), UNREADY("ContainersNotReady")}, {0}},
    {R("Restarting", IP "," ALL(C("a", "true", RUNS)) "," CONDS(COND("Ready", "True", "", ""))), POD_PHASE_RUNNING, 0,
     {PHASE("Running"), UNREADY("Restarting"), "'ready':false"}, {0}},
    {R("Updating", IP "," ALL(C("a", "true", RUNS))), POD_PHASE_RUNNING, 0, {PHASE("Running"), UNREADY("Updating")}, {0}},
    {R("Scheduling", ""), POD_PHASE_RUNNING, 0, {PHASE("Running")}, {0}},
    {R("ScheduleFailed", ""), POD_PHASE_RUNNING, RETRIES, {PHASE("Failed")}, {0}},
    {R("Running", IP "," ALL(C("a", "true", RUNS))), POD_PHASE_SUCCEEDED, 0, {PHASE("Succeeded"), UNREADY("PodCompleted")},
     {"'reason':null,'message':null,'podIP'"}},
    {R("Succeeded", ""), POD_PHASE_FAILED, 0, {PHASE("Failed") ",'startTime'"}, {0}},
    {R("Failed", ""), POD_PHASE_SUCCEEDED, 0, {PHASE("Succeeded") ",'startTime'"}, {0}},
    {R("Expired", ""), POD_PHASE_SUCCEEDED, 0, {PHASE("Succeeded") ",'startTime'"}, {0}},
    /* Ready needs an address, ready containers, and the cloud's word when it gives one */
    {R("Running", ALL(C("a", "true", RUNS))), POD_PHASE_PENDING, 0,
     {UNREADY("NoPodIP"), "'type':'ContainersReady','status':'True'"}, {0}},
    {R("Running", "'PodIp':'0.0.0.0'," ALL(C("a", "true", RUNS))), POD_PHASE_PENDING, 0, {UNREADY("NoPodIP")}, {"podIP"}},
    {R("Running", "'PodIp':'nonsense','PodIps':[{'Ip':'10.0.0.7'}]," ALL(C("a", "true", RUNS))), POD_PHASE_PENDING, 0,
     {READY, "'podIP':'10.0.0.7','podIPs':[{'ip':'10.0.0.7'}]"}, {0}},
    {R("Running", IP ",'PodIps':[{'Ip':'10.0.0.5'},{'Ip':'10.0.0.6'},{'Ip':'fd00::1'}]," ALL(C("a", "true", RUNS))),
     POD_PHASE_PENDING, 0, {"'podIPs':[{'ip':'10.0.0.5'},{'ip':'fd00::1'}]"}, {"10.0.0.6"}},
    {R("Running", IP "," ALL(C("a", "true", RUNS) "," C("b", "false", RUNS) "," C("c", "false", WAITS))), POD_PHASE_RUNNING, 0,
     {UNREADY("ContainersNotReady") ",'message':'containers with unready status: [b c]'",
      "'type':'ContainersReady','status':'False'"}, {0}},
    {R("Running", IP "," ALL(C("a", "true", RUNS) "," C("b", "false", RUNS)) "," CONDS(COND("Ready", "True", "", "") ","
       COND("ContainersReady", "True", "", ""))), POD_PHASE_RUNNING, 0, {READY}, {0}},
    {R("Running", IP "," ALL(C("a", "true", RUNS)) "," CONDS(COND("Ready", "False", "Strange", "because"))), POD_PHASE_RUNNING, 0,
     {UNREADY("Strange") ",'message':'because','lastTransitionTime':'2024-01-02T04:00:00Z'",
      "'type':'ContainersReady','status':'True'"}, {0}},
    {R("Running", IP), POD_PHASE_RUNNING, 0, {UNREADY("ContainersNotReady")}, {"containerStatuses"}},
    /* conditions */
    {R("Pending", CONDS(COND("PodScheduled", "False", "No", ""))), POD_PHASE_NONE, 0,
     {"'type':'PodScheduled','status':'True'"}, {0}},
    {R("Pending", ""), POD_PHASE_NONE, HAS_INIT, {"'type':'Initialized','status':'False','reason':'ContainersNotInitialized'"}, {0}},
    {R("Running", ALL(C("a", "true", RUNS))), POD_PHASE_NONE, HAS_INIT, {"'type':'Initialized','status':'True'"}, {0}},
    {R("Pending", CONDS(COND("Initialized", "False", "Slow", "x"))), POD_PHASE_NONE, 0,
     {"'type':'Initialized','status':'False','reason':'Slow','message':'x'"}, {0}},
    {R("Scheduling", CONDS(COND("Unschedulable", "Unknown", "r", "m"))), POD_PHASE_NONE, 0,
     {"{'type':'Unschedulable','status':'Unknown','reason':'r','message':'m','lastTransitionTime':'2024-01-02T04:00:00Z'}"}, {0}},
    {R("Running", CONDS(COND("SandboxReady", "maybe", "", "") "," COND("New", "True", "1", "") "," COND("New", "False", "2", ""))),
     POD_PHASE_NONE, 0, {"'type':'New','status':'True','reason':'1'"}, {"SandboxReady", "'reason':'2'"}},
    /* containers */
    {R("Pending", ALL(C("a", "false", WAITS))), POD_PHASE_NONE, 0,
     {"'state':{'waiting':{'reason':'ContainerCreating'}},'lastState':{}", "'ready':false,'started':false"}, {"'containerID'"}},
    {R("Pending", ALL(C("a", "false", WAITS))), POD_PHASE_NONE, HAS_INIT, {"{'waiting':{'reason':'PodInitializing'}}"}, {0}},
    {R("Pending", ALL(C("a", "false", ""))), POD_PHASE_NONE, 0, {"{'waiting':{'reason':'ContainerCreating'}}"}, {0}},
    {R("Running", ALL("{'Name':'a','RestartCount':4,'State':{'Waiting':{'Reason':'CrashLoopBackOff','Message':'Back-off 5m0s'}},"
       "'LastState':{" ENDS("2") "}}")), POD_PHASE_RUNNING, 0,
     {"'containerID':'eci://", "'restartCount':4,'state':{'waiting':{'reason':'CrashLoopBackOff','message':'Back-off 5m0s'}}",
      "'lastState':{'terminated':{'exitCode':2,'reason':'Error'"}, {0}},
    {R("Running", ALL(C("a", "true", "'Terminated':{'ExitCode':137,'Signal':9,'Reason':'OOMKilled','Message':'m','ContainerID':'containerd://x'}"))),
     POD_PHASE_RUNNING, 0, {"'containerID':'containerd://x','ready':false,'started':false",
     "{'terminated':{'exitCode':137,'signal':9,'reason':'OOMKilled','message':'m','startedAt':null,'finishedAt':null,'containerID':'containerd://x'}}"}, {0}},
    {R("Succeeded", ALL(C("a", "false", ENDS("0")))), POD_PHASE_RUNNING, 0, {"'exitCode':0,'reason':'Completed'"}, {0}},
    {R("Running", ALL(C("c", "true", RUNS) "," C("zz", "true", RUNS) "," C("a", "true", RUNS))), POD_PHASE_RUNNING, HAS_NAMES,
     {"[{'name':'a','image':'i'", "},{'name':'b','image':'','imageID':'','ready':false", "},{'name':'c','image':'i'"}, {"zz"}},
    {R("Pending", ""), POD_PHASE_NONE, HAS_NAMES, {"'containerStatuses':[{'name':'a','image':''"}, {0}},
    /* addresses and times */
    {R("Running", "'HostIp':'10.9.9.9'"), POD_PHASE_NONE, HAS_NODE_IP, {"'hostIP':'10.9.9.9'"}, {0}},
    {R("Running", "'HostIp':'x'"), POD_PHASE_NONE, HAS_NODE_IP, {"'hostIP':'192.168.1.1'"}, {0}},
    {R("Running", ""), POD_PHASE_NONE, 0, {"'startTime':'2024-01-02T05:00:00Z'"}, {"hostIP"}},
    {R("Running", "'StartTime':'2024-01-02T03:00:00Z'"), POD_PHASE_NONE, 0, {"'startTime':'2024-01-02T03:00:00Z'"}, {0}},
};

static void test_row_table(void **state)
{
    static const str names[] = {S("a"), S("b"), S("c")};

    (void)state;
    for (size_t i = 0; i < sizeof row_cases / sizeof row_cases[0]; i++) {
        const struct row_case *row = &row_cases[i];
        struct arena arena;
        struct spec_verdict verdict;
        struct eci_status_row cloud;
        struct pod_status status;
        struct pod_status_past past = {.phase = row->past};
        struct pod_status_input input = {
            .past = &past,
            .now_s = NOW,
            .node_ip = row->flags & HAS_NODE_IP ? S("192.168.1.1") : STR_NONE,
            .container_names = row->flags & HAS_NAMES ? names : NULL,
            .container_names_count = row->flags & HAS_NAMES ? 3 : 0,
            .has_init_containers = row->flags & HAS_INIT,
            .will_retry = row->flags & RETRIES,
        };

        case_begin(&arena, &verdict);
        read_row(row->row, &arena, &cloud);
        assert_int_equal(pod_status_of_row(&cloud, &input, &arena, &status), ERR_OK);
        const char *text = write_patch(&status, &past);
        for (size_t k = 0; k < 4 && row->has[k] != NULL; k++) {
            if (strstr(text, row->has[k]) == NULL) {
                fail_msg("row %zu: no %s\n%s", i, row->has[k], text);
            }
        }
        for (size_t k = 0; k < 2 && row->has_not[k] != NULL; k++) {
            if (strstr(text, row->has_not[k]) != NULL) {
                fail_msg("row %zu: has %s\n%s", i, row->has_not[k], text);
            }
        }
    }
}

/* ---- what must hold for all of them ---- */

static bool is_ready(const struct pod_status *status)
{
    for (uint32_t i = 0; i < status->conditions_count; i++) {
        if (str_eq(status->conditions[i].type, S("Ready"))) {
            return str_eq(status->conditions[i].status, S("True"));
        }
    }
    fail_msg("no Ready");
    return false;
}

/* Every row after every past: the phase never goes back, a terminal one never changes, only
 * Running is Ready, and writing it again is found to be needless. */
static void test_invariants(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof row_cases / sizeof row_cases[0]; i++) {
        for (unsigned past_phase = 0; past_phase < POD_PHASE_COUNT; past_phase++) {
            for (unsigned retries = 0; retries < 2; retries++) {
                struct arena arena;
                struct spec_verdict verdict;
                struct eci_status_row cloud;
                struct pod_status status, again;
                struct pod_status_past past = {.phase = (enum pod_phase)past_phase};
                struct pod_status_input input = {
                    .past = &past, .now_s = NOW, .will_retry = retries != 0};
                uint64_t hash = 0, hash_again = 1;

                case_begin(&arena, &verdict);
                read_row(row_cases[i].row, &arena, &cloud);
                assert_int_equal(pod_status_of_row(&cloud, &input, &arena, &status), ERR_OK);
                assert_true(status.phase >= past.phase);
                assert_true(status.phase == past.phase || !pod_phase_is_terminal(past.phase));
                assert_true(status.phase != POD_PHASE_NONE);
                assert_true(status.phase == POD_PHASE_RUNNING || !is_ready(&status));
                assert_true(status.pod_ips_count > 0 || !is_ready(&status));
                /* the API server has it, a day passes, the row comes again */
                assert_int_equal(pod_status_hash(&status, &arena, &hash), ERR_OK);
                pod_status_remember(&past, &status, hash);
                input.now_s += 86400;
                assert_int_equal(pod_status_of_row(&cloud, &input, &arena, &again), ERR_OK);
                assert_int_equal(pod_status_hash(&again, &arena, &hash_again), ERR_OK);
                assert_int_equal(again.phase, status.phase);
                if (hash != hash_again) {
                    fail_msg("row %zu after %u: not quiet", i, past_phase);
                }
            }
        }
    }
}

static json parse_patch(const char *text, struct arena *arena)
{
    json pod = JSON_NONE;

    assert_int_equal(json_parse(arena_copy(arena, case_json("%s", text)), arena, &pod, NULL), ERR_OK);
    return pod;
}

/* What was written and is read back after a restart is the same, and nothing has to be written. */
static void test_restart_is_quiet(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof row_cases / sizeof row_cases[0]; i++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct eci_status_row cloud;
        struct pod_status status, again;
        struct pod_status_past past = {.phase = row_cases[i].past}, restarted;
        struct pod_status_input input = {.past = &past, .now_s = NOW, .will_retry = true};
        uint64_t hash = 0, hash_again = 1;

        if (pod_phase_is_terminal(past.phase) || strstr(row_cases[i].row, "'New'") != NULL) {
            continue; /* never written; a condition type that nobody knows costs one write */
        }
        case_begin(&arena, &verdict);
        read_row(row_cases[i].row, &arena, &cloud);
        assert_int_equal(pod_status_of_row(&cloud, &input, &arena, &status), ERR_OK);
        assert_int_equal(pod_status_hash(&status, &arena, &hash), ERR_OK);
        pod_status_remember(&past, &status, hash);
        json pod = parse_patch(write_patch(&status, &past), &arena);
        assert_int_equal(pod_status_past_read(pod, &arena, &restarted), ERR_OK);
        assert_int_equal(restarted.phase, past.phase);
        assert_int_equal(restarted.started_at_s, past.started_at_s);
        assert_memory_equal(restarted.pod_ips, past.pod_ips, sizeof past.pod_ips);
        assert_memory_equal(restarted.condition, past.condition, sizeof past.condition);
        assert_memory_equal(restarted.changed_at_s, past.changed_at_s, sizeof past.changed_at_s);
        input = (struct pod_status_input){
            .past = &restarted, .now_s = NOW + 3600, .will_retry = true};
        assert_int_equal(pod_status_of_row(&cloud, &input, &arena, &again), ERR_OK);
        assert_int_equal(pod_status_hash(&again, &arena, &hash_again), ERR_OK);
        if (restarted.hash != hash || hash_again != hash) {
            fail_msg("row %zu: %s", i, write_patch(&again, &restarted));
        }
    }
}

/* A time changes with its status only; among several sources the remembered one wins. */
static void test_condition_times(void **state)
{
    static const struct {
        uint8_t past;
        int64_t past_s;
        const char *row_status; /* NULL: the row has no such condition */
        const char *expected;
    } cases[] = {
        {'T', 1704160000, "True", "'2024-01-02T01:46:40Z'"},  /* same: remembered */
        {'T', 1704160000, "False", "'2024-01-02T04:00:00Z'"}, /* changed: the row knows when */
        {'F', 1704160000, "True", "'2024-01-02T04:00:00Z'"},
        {0, 0, "True", "'2024-01-02T04:00:00Z'"}, /* nothing remembered */
        {'T', 0, "True", "'2024-01-02T04:00:00Z'"},
        {0, 0, NULL, "'2024-01-02T05:00:00Z'"}, /* nobody knows: now */
        {'T', 1704160000, NULL, "'2024-01-02T01:46:40Z'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct eci_status_row cloud;
        struct pod_status status;
        struct pod_status_past past = {.phase = POD_PHASE_RUNNING};
        struct pod_status_input input = {.past = &past, .now_s = NOW};
        char row[1024], expected[256];

        case_begin(&arena, &verdict);
        past.condition[POD_CONDITION_INITIALIZED] = cases[i].past;
        past.changed_at_s[POD_CONDITION_INITIALIZED] = cases[i].past_s;
        snprintf(row, sizeof row, R("Running", "%s%s%s"),
                 cases[i].row_status != NULL ? "'Conditions':[{'type':'Initialized','status':'" : "",
                 cases[i].row_status != NULL ? cases[i].row_status : "",
                 cases[i].row_status != NULL ? "','lastTransitionTime':'2024-01-02T04:00:00Z'}]" : "");
        snprintf(expected, sizeof expected, "'type':'Initialized','status':'%s'",
                 cases[i].row_status != NULL ? cases[i].row_status : "True");
        read_row(row, &arena, &cloud);
        assert_int_equal(pod_status_of_row(&cloud, &input, &arena, &status), ERR_OK);
        const char *at = strstr(write_patch(&status, &past), expected);
        assert_non_null(at);
        at = strstr(at, "'lastTransitionTime':") + strlen("'lastTransitionTime':");
        if (strncmp(at, cases[i].expected, strlen(cases[i].expected)) != 0) {
            fail_msg("case %zu: %.24s", i, at);
        }
    }
}

/* Addresses stay when a row has none, and go by name when another one comes. */
static void test_addresses_of_the_past(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct eci_status_row cloud;
    struct pod_status status;
    struct pod_status_past past = {.phase = POD_PHASE_RUNNING, .pod_ips = {"10.0.0.1", "fd00::1"}};
    struct pod_status_input input = {.past = &past, .now_s = NOW};

    (void)state;
    case_begin(&arena, &verdict);
    read_row(R("Running", ALL(C("a", "true", RUNS))), &arena, &cloud);
    assert_int_equal(pod_status_of_row(&cloud, &input, &arena, &status), ERR_OK);
    assert_true(is_ready(&status));
    assert_non_null(strstr(write_patch(&status, &past),
                           "'podIP':'10.0.0.1','podIPs':[{'ip':'10.0.0.1'},{'ip':'fd00::1'}]"));
    read_row(R("Running", "'PodIp':'10.0.0.2'," ALL(C("a", "true", RUNS))), &arena, &cloud);
    assert_int_equal(pod_status_of_row(&cloud, &input, &arena, &status), ERR_OK);
    assert_non_null(strstr(write_patch(&status, &past),
                           "'podIP':'10.0.0.2','podIPs':[{'$patch':'delete','ip':'10.0.0.1'},"
                           "{'$patch':'delete','ip':'fd00::1'},{'ip':'10.0.0.2'}]"));
}

/* ---- init containers ---- */

static void test_group(void **state)
{
    static const str names[] = {S("second"), S("first"), S("third")};
    const struct eci_container containers[] = {
        {.name = S("first"), .image = S("i"), .now = {.kind = ECI_STATE_TERMINATED, .started_at_s = NOW}},
        {.name = S("second"), .image = S("i"), .is_ready = true, .now = {.kind = ECI_STATE_RUNNING}},
    };
    struct eci_group_row row = {
        .id = S("eci-1"), .init_containers = containers, .init_containers_count = 2};
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_status status;
    struct pod_status_past past = {0}, restarted;
    struct pod_status_input input = {.past = &past, .now_s = NOW};
    uint64_t hash = 0;

    (void)state;
    case_begin(&arena, &verdict);
    assert_int_equal(pod_status_of_group(&row, &input, &arena, &status), ERR_OK);
    const char *text = write_patch(&status, &past);
    assert_non_null(strstr(text, "'status':{'initContainerStatuses':[{'name':'first','image':'i'"));
    assert_non_null(strstr(text, "'ready':true,'started':false,'restartCount':0,'state':{'terminated':"
                                 "{'exitCode':0,'reason':'Completed','startedAt':'2024-01-02T05:00:00Z'"));
    assert_null(strstr(text, "phase"));
    assert_int_equal(pod_status_hash(&status, &arena, &hash), ERR_OK);
    pod_status_remember(&past, &status, hash);
    assert_int_equal(past.init_hash, hash);
    assert_int_equal(past.phase, POD_PHASE_NONE);
    assert_int_equal(pod_status_past_read(parse_patch(text, &arena), &arena, &restarted), ERR_OK);
    assert_int_equal(restarted.init_hash, hash);

    input.init_container_names = names;
    input.init_container_names_count = 3;
    assert_int_equal(pod_status_of_group(&row, &input, &arena, &status), ERR_OK);
    text = write_patch(&status, &past);
    const char *second = strstr(text, "{'name':'second'"), *first = strstr(text, "{'name':'first'");
    const char *third = strstr(text, "{'name':'third','image':'','imageID':'','ready':false,'started':false,"
                                     "'restartCount':0,'state':{'waiting':{'reason':'PodInitializing'}}");
    assert_true(second != NULL && first > second && third > first);
}

/* ---- without the cloud ---- */

static void test_pending(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_status status;
    struct pod_status_past past = {0};
    struct pod_status_input input = {.past = &past, .now_s = NOW, .node_ip = S("192.168.1.1")};
    uint64_t hash = 0, hash_again = 0;

    (void)state;
    case_begin(&arena, &verdict);
    assert_int_equal(pod_status_pending(S("ProviderFailed"), S("no \"stock\""), &input, &arena, &status),
                     ERR_OK);
    assert_string_equal(
        write_patch(&status, &past),
        "{'metadata':{'uid':'" UID "'},'status':{'phase':'Pending','reason':'ProviderFailed',"
        "'message':'no \\'stock\\'','hostIP':'192.168.1.1','startTime':'2024-01-02T05:00:00Z','conditions':["
        "{'type':'ContainerInstanceCreated','status':'False','reason':'ProviderFailed',"
        "'message':'no \\'stock\\'','lastTransitionTime':'2024-01-02T05:00:00Z'},"
        "{'type':'ContainersReady','status':'False','reason':'ContainersNotReady','message':null,"
        "'lastTransitionTime':'2024-01-02T05:00:00Z'},"
        "{'type':'Initialized','status':'True','reason':null,'message':null,"
        "'lastTransitionTime':'2024-01-02T05:00:00Z'},"
        "{'type':'PodScheduled','status':'True','reason':null,'message':null,"
        "'lastTransitionTime':'2024-01-02T05:00:00Z'},"
        "{'type':'Ready','status':'False','reason':'ContainersNotReady','message':null,"
        "'lastTransitionTime':'2024-01-02T05:00:00Z'}]}}");
    assert_int_equal(pod_status_hash(&status, &arena, &hash), ERR_OK);
    pod_status_remember(&past, &status, hash);
    input.now_s += 60;
    assert_int_equal(pod_status_pending(S("ProviderFailed"), S("no \"stock\""), &input, &arena, &status),
                     ERR_OK);
    assert_int_equal(pod_status_hash(&status, &arena, &hash_again), ERR_OK);
    assert_int_equal(hash, hash_again);
    assert_int_equal(pod_status_pending(S("ProviderFailed"), S("other"), &input, &arena, &status), ERR_OK);
    assert_int_equal(pod_status_hash(&status, &arena, &hash_again), ERR_OK);
    assert_int_not_equal(hash, hash_again);
    past.phase = POD_PHASE_RUNNING;
    assert_int_equal(pod_status_pending(S("r"), S("m"), &input, &arena, &status), ERR_OK);
    assert_int_equal(status.phase, POD_PHASE_RUNNING);
    past.phase = POD_PHASE_FAILED;
    assert_int_equal(pod_status_pending(S("r"), S("m"), &input, &arena, &status), ERR_OK);
    assert_int_equal(status.phase, POD_PHASE_FAILED);
    assert_null(strstr(write_patch(&status, &past), "'phase':'Failed','reason'"));
}

static const char running_pod[] =
    "{'metadata':{'uid':'u'},'status':{'phase':'Running','startTime':'2024-01-02T03:00:00Z','podIP':"
    "'10.0.0.1','conditions':[{'type':'PodScheduled','status':'True','lastTransitionTime':"
    "'2024-01-02T02:59:00Z'},{'type':'DisruptionTarget','status':'True'}],'containerStatuses':["
    "{'name':'a','image':'i','imageID':'d','containerID':'containerd://1','ready':true,'started':true,"
    "'restartCount':2,'state':{'running':{'startedAt':'2024-01-02T03:05:00Z'}},'lastState':{'terminated':"
    "{'exitCode':1,'reason':'Error'}}},"
    "{'name':'b','image':'i','imageID':'','ready':false,'restartCount':0,'state':{'waiting':{'reason':"
    "'CrashLoopBackOff'}},'lastState':{}}]}}";

/* Word for word what the virtual kubelet core writes (virtual-node 3.3). */
static void test_lost(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_status status;
    struct pod_status_past past;
    struct pod_status_input input = {.past = &past, .now_s = NOW};

    (void)state;
    case_begin(&arena, &verdict);
    json pod = parse_patch(running_pod, &arena);
    assert_int_equal(pod_status_past_read(pod, &arena, &past), ERR_OK);
    assert_int_equal(pod_status_end(&POD_END_LOST, pod, &input, &arena, &status), ERR_OK);
    assert_string_equal(
        write_patch(&status, &past),
        "{'metadata':{'uid':'" UID "'},'status':{'phase':'Failed','reason':'NotFound','message':"
        "'The pod status was not found and may have been deleted from the provider','podIP':'10.0.0.1',"
        "'podIPs':[{'ip':'10.0.0.1'}],'startTime':'2024-01-02T03:00:00Z','conditions':["
        "{'type':'ContainersReady','status':'False','reason':'PodFailed','message':null,"
        "'lastTransitionTime':'2024-01-02T05:00:00Z'},"
        "{'type':'PodScheduled','status':'True','reason':null,'message':null,"
        "'lastTransitionTime':'2024-01-02T02:59:00Z'},"
        "{'type':'Ready','status':'False','reason':'PodFailed','message':null,"
        "'lastTransitionTime':'2024-01-02T05:00:00Z'}],'containerStatuses':["
        "{'name':'a','image':'i','imageID':'d','containerID':'containerd://1','ready':false,'started':false,"
        "'restartCount':2,'state':{'terminated':{'exitCode':-137,'reason':'NotFound','message':"
        "'Container was not found and was likely deleted','startedAt':'2024-01-02T03:05:00Z','finishedAt':"
        "'2024-01-02T05:00:00Z','containerID':'containerd://1'}},'lastState':{'terminated':{'exitCode':1,"
        "'reason':'Error','startedAt':null,'finishedAt':null}}},"
        "{'name':'b','image':'i','imageID':'','ready':false,'started':false,'restartCount':0,'state':"
        "{'waiting':{'reason':'CrashLoopBackOff'}},'lastState':{}}]}}");
}

static void test_end_keeps_what_has_ended(void **state)
{
    static const struct pod_end end = {.reason = S("DeadlineExceeded"), .message = S("late")};
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_status status;
    struct pod_status_past past = {.phase = POD_PHASE_SUCCEEDED};
    struct pod_status_input input = {.past = &past, .now_s = NOW};

    (void)state;
    case_begin(&arena, &verdict);
    assert_int_equal(pod_status_end(&end, JSON_NONE, &input, &arena, &status), ERR_OK);
    assert_int_equal(status.phase, POD_PHASE_SUCCEEDED);
    assert_null(strstr(write_patch(&status, &past), "DeadlineExceeded"));
    past.phase = POD_PHASE_PENDING;
    assert_int_equal(pod_status_end(&end, JSON_NONE, &input, &arena, &status), ERR_OK);
    assert_int_equal(status.phase, POD_PHASE_FAILED);
    const char *text = write_patch(&status, &past);
    assert_non_null(strstr(text, "'reason':'DeadlineExceeded','message':'late'"));
    assert_null(strstr(text, "containerStatuses"));
}

/* ---- when memory ends ---- */

static void test_every_take_can_fail(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct eci_status_row row;
        struct pod_status status;
        struct pod_status_past past = {0}, read_back;
        struct pod_status_input input = {.past = &past, .now_s = NOW};
        uint64_t hash = 0;

        case_begin(&arena, &verdict);
        read_row(R("Running", IP "," ALL(C("a", "true", RUNS) "," C("b", "false", ENDS("1")))), &arena,
                 &row);
        json pod = parse_patch(running_pod, &arena);
        arena_fail_at(nth);
        enum err err = pod_status_of_row(&row, &input, &arena, &status);
        err = err == ERR_OK ? pod_status_end(&POD_END_LOST, pod, &input, &arena, &status) : err;
        err = err == ERR_OK ? pod_status_past_read(pod, &arena, &read_back) : err;
        err = err == ERR_OK ? pod_status_hash(&status, &arena, &hash) : err;
        arena_fail_at(0);
        if (err == ERR_OK) {
            assert_true(nth > 5);
            break;
        }
        assert_int_equal(err, ERR_FULL);
    }
    for (size_t bytes = 0; bytes < 3000; bytes += 7) { /* and the body is whole or refused */
        struct arena arena;
        struct spec_verdict verdict;
        struct eci_status_row row;
        struct pod_status status;
        struct pod_status_past past = {0};
        struct pod_status_input input = {.past = &past, .now_s = NOW};
        struct buf out;

        case_begin(&arena, &verdict);
        read_row(whole_row, &arena, &row);
        assert_int_equal(pod_status_of_row(&row, &input, &arena, &status), ERR_OK);
        buf_init(&out, case_output, bytes);
        enum err err = pod_status_write(&status, &past, S(UID), &out);
        assert_true(err == ERR_FULL || (err == ERR_OK && bytes > 1000));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_row),
        cmocka_unit_test(test_row_table),
        cmocka_unit_test(test_invariants),
        cmocka_unit_test(test_restart_is_quiet),
        cmocka_unit_test(test_condition_times),
        cmocka_unit_test(test_addresses_of_the_past),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_end_keeps_what_has_ended),
        cmocka_unit_test(test_every_take_can_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
