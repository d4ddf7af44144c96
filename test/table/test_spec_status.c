/* Row in, status patch out: eci-api 3.1-3.4, virtual-node 3.9. The rows are in status_case.h. */
#include "table/status_case.h"

/* ---- one whole row --------------------------------------------------------------------------- */

static const char whole_row[] =
    "{'ContainerGroupId':'eci-1','Name':'default-web-0','Namespace':'default','uuid':'','Status':"
    "'Running','Annotations':'{}','PodStatus':{'Phase':'Running','PodIp':'172.16.0.9',"
    "'PodIps':[{'Ip':"
    "'172.16.0.9'},{'Ip':'fd00::9'}],'HostIp':'172.16.0.9','QosClass':'Guaranteed','StartTime':"
    "'2024-01-02T03:04:05Z','Conditions':["
    "{'type':'Initialized','status':'True','lastTransitionTime':'2024-01-02T03:04:10Z'},"
    "{'type':'Ready','status':'True','lastTransitionTime':'2024-01-02T03:04:20Z','Reason':'',"
    "'Message':"
    "''},{'type':'ContainersReady','status':'True','lastTransitionTime':'2024-01-02T03:04:20Z'},"
    "{'type':'ContainerHasSufficientDisk','status':'True',"
    "'lastTransitionTime':'2024-01-02T03:04:11Z'}],"
    "'ContainerStatuses':[{'Name':'web','Image':'nginx:1.25','ImageID':'nginx@sha256:00',"
    "'Ready':true,"
    "'Started':true,'RestartCount':1,'State':{'Running':{'StartedAtstartedAt':'2024-01-02T03:05:"
    "00Z'}},"
    "'LastState':{'Terminated':{'ContainerID':'containerd://ab','ExitCode':1,'Signal':0,"
    "'Reason':'Error',"
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

/* ---- by part --------------------------------------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_row),
        cmocka_unit_test(test_row_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
