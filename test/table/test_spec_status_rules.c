/* What must hold for every status, statuses without the cloud (virtual-node 3.3), and want of
 * memory. */
#include "table/status_case.h"

/* ---- what must hold for all of them ---------------------------------------------------------- */

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
        input =
            (struct pod_status_input){.past = &restarted, .now_s = NOW + 3600, .will_retry = true};
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
        snprintf(
            row, sizeof row, R("Running", "%s%s%s"),
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

/* A time alone is no news. */
static void test_hash_without_times(void **state)
{
    static const char *const times[] = {"2024-01-02T04:00:00Z", "2024-01-02T04:30:00Z"};
    uint64_t hashes[2] = {0};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct arena arena;
        struct spec_verdict verdict;
        struct eci_status_row cloud;
        struct pod_status status;
        struct pod_status_past past = {.started_at_s = NOW};
        struct pod_status_input input = {.past = &past, .now_s = NOW};
        char row[1024];

        case_begin(&arena, &verdict);
        snprintf(row, sizeof row,
                 R("Running", CONDS("{'type':'SandboxReady','status':'True',"
                                    "'lastTransitionTime':'%s'}")),
                 times[i]);
        read_row(row, &arena, &cloud);
        assert_int_equal(pod_status_of_row(&cloud, &input, &arena, &status), ERR_OK);
        assert_non_null(strstr(write_patch(&status, &past), times[i]));
        assert_int_equal(pod_status_hash(&status, &arena, &hashes[i]), ERR_OK);
    }
    assert_int_equal(hashes[0], hashes[1]);
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

/* ---- init containers ------------------------------------------------------------------------- */

static void test_group(void **state)
{
    static const str names[] = {S("second"), S("first"), S("third")};
    const struct eci_container containers[] = {
        {.name = S("first"), .image = S("i"), .now = {.kind = ECI_STATE_TERMINATED,
        .started_at_s = NOW}},
        {.name = S("second"), .image = S("i"), .is_ready = true,
        .now = {.kind = ECI_STATE_RUNNING}},
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
    assert_non_null(
        strstr(text, "'ready':true,'started':false,'restartCount':0,'state':{'terminated':"
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
    const char *third =
        strstr(text, "{'name':'third','image':'','imageID':'','ready':false,'started':false,"
                     "'restartCount':0,'state':{'waiting':{'reason':'PodInitializing'}}");
    assert_true(second != NULL && first > second && third > first);
}

/* Ready is what has ended well. */
static void test_group_of_a_failure(void **state)
{
    const struct eci_container containers[] = {
        {.name = S("a"), .now = {.kind = ECI_STATE_TERMINATED, .exit_code = 1}}};
    struct eci_group_row row = {
        .id = S("eci-1"), .init_containers = containers, .init_containers_count = 1};
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_status status;
    struct pod_status_past past = {0};
    struct pod_status_input input = {.past = &past, .now_s = NOW};

    (void)state;
    case_begin(&arena, &verdict);
    assert_int_equal(pod_status_of_group(&row, &input, &arena, &status), ERR_OK);
    assert_int_equal(status.init_containers_count, 1);
    assert_false(status.init_containers[0].is.is_ready);
    assert_non_null(strstr(write_patch(&status, &past), "'exitCode':1,'reason':'Error'"));
    arena_fail_at(1);
    assert_int_equal(pod_status_of_group(&row, &input, &arena, &status), ERR_FULL);
    arena_fail_at(0);
    assert_int_equal(status.init_containers_count, 0);
}

/* ---- without the cloud ----------------------------------------------------------------------- */

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
    assert_int_equal(
        pod_status_pending(S("ProviderFailed"), S("no \"stock\""), &input, &arena, &status),
        ERR_OK);
    assert_string_equal(
        write_patch(&status, &past),
        "{'metadata':{'uid':'" UID "'},'status':{'phase':'Pending','reason':'ProviderFailed',"
        "'message':'no \\'stock\\'','hostIP':'192.168.1.1','startTime':'2024-01-02T05:00:00Z',"
        "'conditions':["
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
    assert_int_equal(
        pod_status_pending(S("ProviderFailed"), S("no \"stock\""), &input, &arena, &status),
        ERR_OK);
    assert_int_equal(pod_status_hash(&status, &arena, &hash_again), ERR_OK);
    assert_int_equal(hash, hash_again);
    assert_int_equal(pod_status_pending(S("ProviderFailed"), S("other"), &input, &arena, &status),
                     ERR_OK);
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

/* Init containers have not run, and nobody knows where the pod will be. */
static void test_pending_without_a_place(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_status status;
    struct pod_status_past past = {0};
    struct pod_status_input input = {.past = &past, .now_s = NOW, .has_init_containers = true};

    (void)state;
    case_begin(&arena, &verdict);
    assert_int_equal(pod_status_pending(S("r"), S("m"), &input, &arena, &status), ERR_OK);
    const char *text = write_patch(&status, &past);
    assert_null(strstr(text, "hostIP"));
    assert_non_null(
        strstr(text, "'type':'Initialized','status':'False','reason':'ContainersNotInitialized'"));
    arena.has_failed = true; /* so the caller's texts may be cut */
    assert_int_equal(pod_status_pending(S("r"), S("m"), &input, &arena, &status), ERR_FULL);
}

/* ---- as the API server has it ---------------------------------------------------------------- */

/* A pod that nobody has started yet: the API server's own first status. */
static void test_past_of_a_new_pod(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_status_past past;

    (void)state;
    case_begin(&arena, &verdict);
    json pod = parse_patch("{'status':{'phase':'Pending','qosClass':'BestEffort'}}", &arena);
    assert_int_equal(pod_status_past_read(pod, &arena, &past), ERR_OK);
    assert_int_equal(past.phase, POD_PHASE_PENDING);
    assert_int_equal(past.started_at_s, 0);
    assert_true(past.hash != 0);
}

static void test_past_of_conditions(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_status_past past;

    (void)state;
    case_begin(&arena, &verdict);
    json pod = parse_patch("{'status':{'phase':'Running','conditions':[{'type':'Ready','status':"
                           "'Unknown'},{'type':'Initialized','status':'True'},"
                           "{'type':'ContainersReady','status':'False'}]}}",
                           &arena);
    assert_int_equal(pod_status_past_read(pod, &arena, &past), ERR_OK);
    assert_int_equal(past.condition[POD_CONDITION_READY], 'U');
    assert_int_equal(past.condition[POD_CONDITION_INITIALIZED], 'T');
    assert_int_equal(past.condition[POD_CONDITION_CONTAINERS_READY], 'F');
    assert_int_equal(past.condition[POD_CONDITION_SCHEDULED], 0);
}

/* Numbers that are none, and more conditions than there are types. */
static void test_status_out_of_bounds(void **state)
{
    static const struct {
        const char *number;
        int32_t restarts;
    } cases[] = {{"2147483647", INT32_MAX},
                 {"2147483648", 0},
                 {"-2147483648", INT32_MIN},
                 {"-2147483649", 0},
                 {"1.5", 0}};
    static char text[8192];
    struct arena arena;
    struct spec_verdict verdict;
    struct pod_status status;
    size_t bytes = 0;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        case_begin(&arena, &verdict);
        snprintf(text, sizeof text,
                 "{'status':{'containerStatuses':[{'name':'a','restartCount':%s}]}}",
                 cases[i].number);
        assert_int_equal(pod_status_read(parse_patch(text, &arena), &arena, &status), ERR_OK);
        assert_int_equal(status.containers[0].is.restarts, cases[i].restarts);
    }
    bytes = (size_t)snprintf(text, sizeof text, "{'status':{'conditions':[");
    for (unsigned i = 0; i <= POD_CONDITIONS_MAX; i++) {
        bytes += (size_t)snprintf(text + bytes, sizeof text - bytes,
                                  "%s{'type':'Ready','reason':'%u'}", i > 0 ? "," : "", i);
    }
    snprintf(text + bytes, sizeof text - bytes, "]}}");
    case_begin(&arena, &verdict);
    assert_int_equal(pod_status_read(parse_patch(text, &arena), &arena, &status), ERR_OK);
    assert_int_equal(status.conditions_count, POD_CONDITIONS_MAX);
    assert_true(str_eq(status.conditions[0].reason, S("0")));
}

static const char running_pod[] =
    "{'metadata':{'uid':'u'},'status':{'phase':'Running','startTime':'2024-01-02T03:00:00Z',"
    "'podIP':"
    "'10.0.0.1','conditions':[{'type':'PodScheduled','status':'True','lastTransitionTime':"
    "'2024-01-02T02:59:00Z'},{'type':'DisruptionTarget','status':'True'}],'containerStatuses':["
    "{'name':'a','image':'i','imageID':'d','containerID':'containerd://1','ready':true,"
    "'started':true,"
    "'restartCount':2,'state':{'running':{'startedAt':'2024-01-02T03:05:00Z'}},"
    "'lastState':{'terminated':"
    "{'exitCode':1,'reason':'Error'}}},"
    "{'name':'b','image':'i','imageID':'','ready':false,'restartCount':0,"
    "'state':{'waiting':{'reason':"
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
        "'The pod status was not found and may have been deleted from the provider',"
        "'podIP':'10.0.0.1',"
        "'podIPs':[{'ip':'10.0.0.1'}],'startTime':'2024-01-02T03:00:00Z','conditions':["
        "{'type':'ContainersReady','status':'False','reason':'PodFailed','message':null,"
        "'lastTransitionTime':'2024-01-02T05:00:00Z'},"
        "{'type':'PodScheduled','status':'True','reason':null,'message':null,"
        "'lastTransitionTime':'2024-01-02T02:59:00Z'},"
        "{'type':'Ready','status':'False','reason':'PodFailed','message':null,"
        "'lastTransitionTime':'2024-01-02T05:00:00Z'}],'containerStatuses':["
        "{'name':'a','image':'i','imageID':'d','containerID':'containerd://1','ready':false,"
        "'started':false,"
        "'restartCount':2,'state':{'terminated':{'exitCode':-137,'reason':'NotFound','message':"
        "'Container was not found and was likely deleted','startedAt':'2024-01-02T03:05:00Z',"
        "'finishedAt':"
        "'2024-01-02T05:00:00Z','containerID':'containerd://1'}},"
        "'lastState':{'terminated':{'exitCode':1,"
        "'reason':'Error','startedAt':null,'finishedAt':null}}},"
        "{'name':'b','image':'i','imageID':'','ready':false,'started':false,'restartCount':0,"
        "'state':"
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
    const struct pod_end good = {.phase = POD_PHASE_SUCCEEDED};
    past.phase = POD_PHASE_RUNNING;
    assert_int_equal(pod_status_end(&good, JSON_NONE, &input, &arena, &status), ERR_OK);
    assert_int_equal(status.phase, POD_PHASE_SUCCEEDED);
    assert_non_null(strstr(write_patch(&status, &past), UNREADY("PodCompleted")));
    past.phase = POD_PHASE_PENDING;
    assert_int_equal(pod_status_end(&end, JSON_NONE, &input, &arena, &status), ERR_OK);
    assert_int_equal(status.phase, POD_PHASE_FAILED);
    const char *text = write_patch(&status, &past);
    assert_non_null(strstr(text, "'reason':'DeadlineExceeded','message':'late'"));
    assert_null(strstr(text, "containerStatuses"));
}

/* ---- when memory ends ------------------------------------------------------------------------ */

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
        read_row(R("Running", IP "," ALL(C("a", "true", RUNS) "," C("b", "false", ENDS("1")))),
                 &arena, &row);
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
        read_row(row_cases[2].row, &arena, &row);
        assert_int_equal(pod_status_of_row(&row, &input, &arena, &status), ERR_OK);
        buf_init(&out, case_output, bytes);
        enum err err = pod_status_write(&status, &past, S(UID), NULL, &out);
        assert_true(err == ERR_FULL || (err == ERR_OK && bytes > 500));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invariants),
        cmocka_unit_test(test_restart_is_quiet),
        cmocka_unit_test(test_condition_times),
        cmocka_unit_test(test_hash_without_times),
        cmocka_unit_test(test_addresses_of_the_past),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_group_of_a_failure),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_pending_without_a_place),
        cmocka_unit_test(test_past_of_a_new_pod),
        cmocka_unit_test(test_past_of_conditions),
        cmocka_unit_test(test_status_out_of_bounds),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_end_keeps_what_has_ended),
        cmocka_unit_test(test_every_take_can_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
