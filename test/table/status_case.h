/*
 * status_case.h - rows of DescribeContainerGroupStatus for the tests of pod_status: helpers, and
 * the table of rows that more than one test walks.
 */
#ifndef ECILET_TEST_TABLE_STATUS_CASE_H
#define ECILET_TEST_TABLE_STATUS_CASE_H

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

__attribute__((unused)) static const char *write_patch(const struct pod_status *status,
                                                       const struct pod_status_past *past)
{
    struct buf out;

    buf_init(&out, patch_text, sizeof patch_text - 1);
    assert_int_equal(pod_status_write(status, past, S(UID), NULL, &out), ERR_OK);
    for (size_t i = 0; i < out.bytes; i++) {
        out.ptr[i] = out.ptr[i] == '"' ? '\'' : out.ptr[i]; /* as the tables are written */
    }
    patch_text[out.bytes] = '\0';
    return patch_text;
}

__attribute__((unused)) static json parse_patch(const char *text, struct arena *arena)
{
    json pod = JSON_NONE;

    assert_int_equal(json_parse(arena_copy(arena, case_json("%s", text)), arena, &pod, NULL),
                     ERR_OK);
    return pod;
}

/* ---- by part --------------------------------------------------------------------------------- */

#define R(status, pod_status) \
    "{'ContainerGroupId':'eci-1','Status':'" status "','PodStatus':{" pod_status "}}"
#define IP "'PodIp':'10.0.0.5'"
#define C(name, ready, state) \
    "{'Name':'" name "','Image':'i','Ready':" ready ",'State':{" state "}}"
#define RUNS "'Running':{'StartedAtstartedAt':'2024-01-02T03:05:00Z'}"
#define WAITS "'Waiting':{'Reason':'','Message':''}"
#define ENDS(code) \
    "'Terminated':{'ExitCode':" code ",'StartedAt':'2024-01-02T03:05:00Z'," \
    "'FinishedAt':'2024-01-02T03:06:00Z'}"
#define ALL(...) "'ContainerStatuses':[" __VA_ARGS__ "]"
#define COND(type, status, reason, message) \
    "{'type':'" type "','status':'" status "','lastTransitionTime':'2024-01-02T04:00:00Z'," \
    "'Reason':'" reason "','Message':'" message "'}"
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
    {R("Scheduling", ""),
     POD_PHASE_NONE,
     0,
     {PHASE("Pending"), UNREADY("ContainersNotReady"),
      "'type':'ContainerInstanceCreated','status':'False','reason':'Creating'"},
     {"podIP"}},
    {R("Pending", ""),
     POD_PHASE_NONE,
     0,
     {PHASE("Pending"), "'type':'ContainerInstanceCreated','status':'True'"},
     {0}},
    {R("Running", IP "," ALL(C("a", "true", RUNS))),
     POD_PHASE_PENDING,
     0,
     {PHASE("Running"), READY},
     {0}},
    {R("Restarting", ""), POD_PHASE_PENDING, 0, {PHASE("Pending"), UNREADY("Restarting")}, {0}},
    {R("Updating", ""), POD_PHASE_PENDING, 0, {PHASE("Pending"), UNREADY("Updating")}, {0}},
    {R("Terminating", IP "," ALL(C("a", "true", RUNS))),
     POD_PHASE_RUNNING,
     0,
     {PHASE("Running"), READY},
     {0}},
    {R("Succeeded", IP "," ALL(C("a", "false", ENDS("0")))),
     POD_PHASE_RUNNING,
     0,
     {PHASE("Succeeded"), UNREADY("PodCompleted"),
      "'type':'ContainersReady','status':'False','reason':'PodCompleted'",
      "'type':'Initialized','status':'True','reason':'PodCompleted'"},
     {0}},
    {R("Failed", IP "," ALL(C("a", "false", ENDS("3")))),
     POD_PHASE_RUNNING,
     RETRIES,
     {PHASE("Failed"), "'reason':null,'message':null", UNREADY("PodFailed"),
      "'exitCode':3,'reason':'Error'"},
     {0}},
    {R("Expired", IP "," ALL(C("a", "true", RUNS))),
     POD_PHASE_RUNNING,
     RETRIES,
     {PHASE("Failed") ",'reason':'Expired','message':'The spot instance was reclaimed'",
      UNREADY("PodFailed"), "'ready':false"},
     {0}},
    {R("Expired", CONDS(COND("ContainerInstanceCreated", "True", "SpotToBeReleased", "spot goes"))),
     POD_PHASE_RUNNING,
     0,
     {"'reason':'Expired','message':'spot goes'"},
     {0}},
    {R("ScheduleFailed", ""),
     POD_PHASE_PENDING,
     0,
     {PHASE("Failed") ",'reason':'ContainerInstanceScheduleFailed','message':'The cloud found no "
                      "resources",
      "'type':'ContainerInstanceCreated','status':'False','reason':'FailedScheduling'"},
     {"containerStatuses"}},
    {R("ScheduleFailed",
       CONDS(COND("ContainerInstanceCreated", "False", "NoStock", "no stock in zone k"))),
     POD_PHASE_PENDING,
     RETRIES,
     {PHASE("Pending") ",'reason':'ContainerInstanceScheduleFailed','message':'no stock in zone k'",
      "'type':'ContainerInstanceCreated','status':'False','reason':'NoStock','message':'no "
      "stock in zone k'"},
     {0}},
    {R("ScheduleFailed", CONDS(COND("ContainerInstanceCreated", "False", "NoStock", ""))),
     POD_PHASE_PENDING,
     RETRIES,
     {"'message':'The cloud found no resources for the instance: NoStock'"},
     {0}},
    {R("ScheduleFailed", CONDS(COND("ContainerInstanceCreated", "False", "", ""))),
     POD_PHASE_PENDING,
     RETRIES,
     {"'message':'The cloud found no resources for the instance',"},
     {0}},
    {R("Brandnew", ""), POD_PHASE_NONE, 0, {PHASE("Pending")}, {"ContainerInstanceCreated"}},
    {R("Brandnew", "'Phase':'Running'," IP "," ALL(C("a", "true", RUNS))),
     POD_PHASE_PENDING,
     0,
     {PHASE("Running"), READY},
     {0}},
    {R("Brandnew", "'Phase':'Failed'"), POD_PHASE_RUNNING, 0, {PHASE("Running")}, {0}},
    /* the pending time-out: no container has run (eci-api 3.3) */
    {R("Failed", "'Phase':'Pending'," ALL(C("a", "false", WAITS))),
     POD_PHASE_PENDING,
     RETRIES,
     {PHASE("Pending") ",'reason':'ContainerInstancePendingTimeout'"},
     {"containerStatuses"}},
    {R("Failed", "'Phase':'Pending'," ALL(C("a", "false", WAITS))),
     POD_PHASE_PENDING,
     0,
     {PHASE("Failed") ",'reason':'ContainerInstancePendingTimeout'"},
     {0}},
    {R("Failed", "'Phase':'Pending'," ALL(C("a", "false", ENDS("1")))),
     POD_PHASE_PENDING,
     RETRIES,
     {PHASE("Failed")},
     {0}},
    {R("Failed", "'Phase':'Pending'," ALL("{'Name':'a','RestartCount':1,'State':{" WAITS "}}")),
     POD_PHASE_PENDING,
     RETRIES,
     {PHASE("Failed")},
     {0}},
    {R("Failed", "'Phase':'Failed'," ALL(C("a", "false", WAITS))),
     POD_PHASE_PENDING,
     RETRIES,
     {PHASE("Failed")},
     {0}},
    /* nothing goes back */
    {R("Pending", IP),
     POD_PHASE_RUNNING,
     0,
     {PHASE("Running"), UNREADY("ContainersNotReady")},
     {0}},
    {R("Restarting", IP "," ALL(C("a", "true", RUNS)) "," CONDS(COND("Ready", "True", "", ""))),
     POD_PHASE_RUNNING,
     0,
     {PHASE("Running"), UNREADY("Restarting"), "'ready':false"},
     {0}},
    {R("Updating", IP "," ALL(C("a", "true", RUNS))),
     POD_PHASE_RUNNING,
     0,
     {PHASE("Running"), UNREADY("Updating")},
     {0}},
    {R("Scheduling", ""), POD_PHASE_RUNNING, 0, {PHASE("Running")}, {0}},
    {R("ScheduleFailed", ""), POD_PHASE_RUNNING, RETRIES, {PHASE("Failed")}, {0}},
    {R("Running", IP "," ALL(C("a", "true", RUNS))),
     POD_PHASE_SUCCEEDED,
     0,
     {PHASE("Succeeded"), UNREADY("PodCompleted")},
     {"'reason':null,'message':null,'podIP'"}},
    {R("Succeeded", ""), POD_PHASE_FAILED, 0, {PHASE("Failed") ",'startTime'"}, {0}},
    {R("Failed", ""), POD_PHASE_SUCCEEDED, 0, {PHASE("Succeeded") ",'startTime'"}, {0}},
    {R("Expired", ""), POD_PHASE_SUCCEEDED, 0, {PHASE("Succeeded") ",'startTime'"}, {0}},
    /* Ready needs an address, ready containers, and the cloud's word when it gives one */
    {R("Running", ALL(C("a", "true", RUNS))),
     POD_PHASE_PENDING,
     0,
     {UNREADY("NoPodIP"), "'type':'ContainersReady','status':'True'"},
     {0}},
    {R("Running", "'PodIp':'0.0.0.0'," ALL(C("a", "true", RUNS))),
     POD_PHASE_PENDING,
     0,
     {UNREADY("NoPodIP")},
     {"podIP"}},
    {R("Running", "'PodIp':'nonsense','PodIps':[{'Ip':'10.0.0.7'}]," ALL(C("a", "true", RUNS))),
     POD_PHASE_PENDING,
     0,
     {READY, "'podIP':'10.0.0.7','podIPs':[{'ip':'10.0.0.7'}]"},
     {0}},
    {R("Running", IP ",'PodIps':[{'Ip':'10.0.0.5'},{'Ip':'10.0.0.6'},{'Ip':'fd00::1'}]," ALL(
                      C("a", "true", RUNS))),
     POD_PHASE_PENDING,
     0,
     {"'podIPs':[{'ip':'10.0.0.5'},{'ip':'fd00::1'}]"},
     {"10.0.0.6"}},
    {R("Running",
       IP "," ALL(C("a", "true", RUNS) "," C("b", "false", RUNS) "," C("c", "false", WAITS))),
     POD_PHASE_RUNNING,
     0,
     {UNREADY("ContainersNotReady") ",'message':'containers with unready status: [b c]'",
      "'type':'ContainersReady','status':'False'"},
     {0}},
    {R("Running", IP "," ALL(C("a", "true", RUNS) "," C("b", "false", RUNS)) "," CONDS(
                      COND("Ready", "True", "", "") "," COND("ContainersReady", "True", "", ""))),
     POD_PHASE_RUNNING,
     0,
     {READY},
     {0}},
    {R("Running",
       "'PodIps':[{'Ip':'10.0.0.5'},{'Ip':'fd00::1'},{'Ip':'fd00::2'},{'Ip':'10.0.0.7'}]," ALL(
           C("a", "true", RUNS))),
     POD_PHASE_PENDING,
     0,
     {"'podIPs':[{'ip':'10.0.0.5'},{'ip':'fd00::1'}]"},
     {"fd00::2", "10.0.0.7"}},
    {R("Running", IP "," ALL(C("a", "false", RUNS)) "," CONDS(
                      COND("ContainersReady", "False", "Slow", "a is slow"))),
     POD_PHASE_RUNNING,
     0,
     {UNREADY("Slow") ",'message':'a is slow'",
      "'type':'ContainersReady','status':'False','reason':'Slow','message':'a is slow'"},
     {"unready status"}},
    {R("Running",
       IP "," ALL(C("a", "true", RUNS)) "," CONDS(COND("Ready", "False", "Strange", "because"))),
     POD_PHASE_RUNNING,
     0,
     {UNREADY("Strange") ",'message':'because','lastTransitionTime':'2024-01-02T04:00:00Z'",
      "'type':'ContainersReady','status':'True'"},
     {0}},
    {R("Running", IP),
     POD_PHASE_RUNNING,
     0,
     {UNREADY("ContainersNotReady")},
     {"containerStatuses"}},
    /* conditions */
    {R("Pending", CONDS(COND("PodScheduled", "False", "No", ""))),
     POD_PHASE_NONE,
     0,
     {"'type':'PodScheduled','status':'True'"},
     {0}},
    {R("Pending", ""),
     POD_PHASE_NONE,
     HAS_INIT,
     {"'type':'Initialized','status':'False','reason':'ContainersNotInitialized'"},
     {0}},
    {R("Running", ALL(C("a", "true", RUNS))),
     POD_PHASE_NONE,
     HAS_INIT,
     {"'type':'Initialized','status':'True'"},
     {0}},
    {R("Succeeded", ""),
     POD_PHASE_RUNNING,
     HAS_INIT,
     {"'type':'Initialized','status':'True','reason':'PodCompleted'"},
     {0}},
    {R("Pending", CONDS(COND("Initialized", "False", "Slow", "x"))),
     POD_PHASE_NONE,
     0,
     {"'type':'Initialized','status':'False','reason':'Slow','message':'x'"},
     {0}},
    {R("Scheduling", CONDS(COND("Unschedulable", "Unknown", "r", "m"))),
     POD_PHASE_NONE,
     0,
     {"{'type':'Unschedulable','status':'Unknown','reason':'r','message':'m',"
      "'lastTransitionTime':'2024-01-02T04:00:00Z'}"},
     {0}},
    {R("Running", CONDS(COND("SandboxReady", "maybe", "", "") "," COND(
                      "New", "True", "1", "") "," COND("New", "False", "2", ""))),
     POD_PHASE_NONE,
     0,
     {"'type':'New','status':'True','reason':'1'"},
     {"SandboxReady", "'reason':'2'"}},
    /* containers */
    {R("Pending", ALL(C("a", "false", WAITS))),
     POD_PHASE_NONE,
     0,
     {"'state':{'waiting':{'reason':'ContainerCreating'}},'lastState':{}",
      "'ready':false,'started':false"},
     {"'containerID'"}},
    {R("Pending", ALL(C("a", "false", WAITS))),
     POD_PHASE_NONE,
     HAS_INIT,
     {"{'waiting':{'reason':'PodInitializing'}}"},
     {0}},
    {R("Pending", ALL(C("a", "false", ""))),
     POD_PHASE_NONE,
     0,
     {"{'waiting':{'reason':'ContainerCreating'}}"},
     {0}},
    {R("Running",
       ALL("{'Name':'a','RestartCount':4,'State':{'Waiting':{'Reason':'CrashLoopBackOff',"
           "'Message':'Back-off 5m0s'}},"
           "'LastState':{" ENDS("2") "}}")),
     POD_PHASE_RUNNING,
     0,
     {"'containerID':'eci://",
      "'restartCount':4,'state':{'waiting':{'reason':'CrashLoopBackOff','message':'Back-off "
      "5m0s'}}",
      "'lastState':{'terminated':{'exitCode':2,'reason':'Error'"},
     {0}},
    {R("Running",
       ALL(C("a", "true",
             "'Terminated':{'ExitCode':137,'Signal':9,'Reason':'OOMKilled','Message':'m',"
             "'ContainerID':'containerd://x'}"))),
     POD_PHASE_RUNNING,
     0,
     {"'containerID':'containerd://x','ready':false,'started':false",
      "{'terminated':{'exitCode':137,'signal':9,'reason':'OOMKilled','message':'m',"
      "'startedAt':null,'finishedAt':null,'containerID':'containerd://x'}}"},
     {0}},
    {R("Succeeded", ALL(C("a", "false", ENDS("0")))),
     POD_PHASE_RUNNING,
     0,
     {"'exitCode':0,'reason':'Completed'"},
     {0}},
    {R("Running", ALL(C("c", "true", RUNS) "," C("zz", "true", RUNS) "," C("a", "true", RUNS))),
     POD_PHASE_RUNNING,
     HAS_NAMES,
     {"[{'name':'a','image':'i'", "},{'name':'b','image':'','imageID':'','ready':false",
      "},{'name':'c','image':'i'"},
     {"zz"}},
    {R("Pending", ""),
     POD_PHASE_NONE,
     HAS_NAMES,
     {"'containerStatuses':[{'name':'a','image':''"},
     {0}},
    /* addresses and times */
    {R("Running", "'HostIp':'10.9.9.9'"),
     POD_PHASE_NONE,
     HAS_NODE_IP,
     {"'hostIP':'10.9.9.9'"},
     {0}},
    {R("Running", "'HostIp':'x'"), POD_PHASE_NONE, HAS_NODE_IP, {"'hostIP':'192.168.1.1'"}, {0}},
    {R("Running", ""), POD_PHASE_NONE, 0, {"'startTime':'2024-01-02T05:00:00Z'"}, {"hostIP"}},
    {R("Running", "'StartTime':'2024-01-02T03:00:00Z'"),
     POD_PHASE_NONE,
     0,
     {"'startTime':'2024-01-02T03:00:00Z'"},
     {0}},
};

#endif
