/* serve/logs, logs_follow, logs_check: parameters in, calls to the cloud out; replies in, bytes to
 * peers out. */
#include "serve/logs_parts.h"
#include "serve_fakes.h"

static struct logs logs;
static struct serve_pod the_pod;
static enum err find_err;

static enum err find_pod(void *owner, str name_space, str name, str uid, struct serve_pod *out)
{
    (void)owner;
    (void)uid;
    if (find_err != ERR_OK || !str_eq(name_space, S("web")) || !str_eq(name, S("pod-1"))) {
        return ERR_NOT_FOUND;
    }
    *out = the_pod;
    return ERR_OK;
}

static int set_up(void **state)
{
    (void)state;
    static void *memory;
    struct region region;
    fake_start();
    region_init(&region, NULL, 0);
    logs_init(&logs, &fake_world, &region, fake_loop.now_ms);
    if (memory == NULL && posix_memalign(&memory, 4096, region.used + 64) != 0) {
        return 1;
    }
    memset(memory, 0, region.used + 64);
    region_init(&region, memory, region.used + 64);
    logs_init(&logs, &fake_world, &region, fake_loop.now_ms);
    find_err = ERR_OK;
    the_pod = (struct serve_pod){.name_space = S("web"),
                                 .name = S("pod-1"),
                                 .uid = S("u-1"),
                                 .group_id = S("eci-1"),
                                 .is_running = true};
    fake_world.find_pod = find_pod;
    fake_world.logs = &logs;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return logs.sessions.count + logs.pollers.count + logs.texts.count + logs.calls == 0 ? 0 : 1;
}

static struct fake_peer *get(const char *query)
{
    static const struct serve_target target = {
        .name_space = S("web"), .pod = S("pod-1"), .container = S("main")};
    struct fake_peer *peer = fake_peer(query);
    logs_container(NULL, &peer->exchange, &target);
    fake_turn();
    return peer;
}

static char content_memory[4 * 1024 * 1024];

/* A reply with these lines, number n to below end; stamped, if so wished, a second each. */
static const char *content(uint32_t n, uint32_t end, bool with_stamps)
{
    struct buf out;
    buf_init(&out, content_memory, sizeof content_memory - 1);
    buf_put_text(&out, "{\"Content\":\"");
    for (; n < end; n++) {
        if (with_stamps) {
            buf_put_fmt(&out, "2024-01-02T03:%02u:%02u.000000007Z ", n / 60, n % 60);
        }
        buf_put_fmt(&out, "line %u\\n", n);
    }
    buf_put_text(&out, "\"}");
    assert_true(buf_ok(&out));
    return buf_cstr(&out);
}

static const char *status_of(const char *state)
{
    (void)snprintf(content_memory, sizeof content_memory,
                   "{\"TotalCount\":1,\"Data\":[{\"ContainerGroupId\":\"eci-1\",\"Status\":"
                   "\"Running\",\"PodStatus\":{\"ContainerStatuses\":[{\"Name\":\"main\",%s}]}}]}",
                   state);
    return content_memory;
}

#define RUNNING "\"State\":{\"Running\":{\"StartedAt\":\"2024-01-02T03:00:00Z\"}}"
#define RESTARTED "\"State\":{\"Running\":{\"StartedAt\":\"2024-01-02T03:30:00Z\"}}"
#define ENDED "\"State\":{\"Terminated\":{\"ExitCode\":0,\"Reason\":\"Completed\"}}"
#define WAITING "\"State\":{\"Waiting\":{\"Reason\":\"ImagePullBackOff\"}}"

static void pass(msec ms)
{
    for (msec end_ms = fake_loop.now_ms + ms; fake_loop.now_ms < end_ms; fake_loop.now_ms += 100) {
        fake_turn();
    }
}

/* ---- one answer ------------------------------------------------------------------------------ */

static const struct refusal_case {
    const char *query;
    int status;
} refusals[] = {
    {"tailLines=x", 400},         {"tailLines=-1", 422},
    {"tailLines=", 400},          {"limitBytes=0", 422},
    {"sinceSeconds=0", 422},      {"sinceSeconds=99999999999999999999", 400},
    {"sinceTime=yesterday", 400}, {"sinceTime=2024-01-02T03:04:05Z&sinceSeconds=5", 422},
};

static void test_logs_bad_parameters(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        struct fake_peer *peer = get(refusals[i].query);
        assert_int_equal(peer->status, refusals[i].status);
        assert_true(peer->got_bytes > 0);
        assert_int_equal(fake_calls_count, 0);
        fake_peer_free(peer);
    }
}

static void test_logs_pod_without_log(void **state)
{
    (void)state;
    find_err = ERR_NOT_FOUND;
    struct fake_peer *peer = get("");
    assert_int_equal(peer->status, 404);
    fake_peer_free(peer);
    find_err = ERR_OK;
    the_pod.group_id = STR_NONE;
    peer = get("");
    assert_int_equal(peer->status, 400);
    assert_string_equal(peer->got, "container \"main\" in pod \"pod-1\" is waiting to start: "
                                   "ContainerCreating");
    fake_peer_free(peer);
    the_pod.has_ended = true;
    peer = get("");
    assert_int_equal(peer->status, 404);
    fake_peer_free(peer);
}

static void test_logs_plain(void **state)
{
    (void)state;
    struct fake_peer *peer = get("");
    struct fake_call *call = fake_open(ECI_DESCRIBE_LOG);
    assert_string_equal(call->asked, "ContainerGroupId=eci-1\nContainerName=main\nTail=2000\n"
                                     "LimitBytes=1048576\nTimestamps=false\nLastTime=false\n");
    fake_answer(call, ERR_OK, content(0, 3, false), "");
    fake_turn();
    assert_int_equal(peer->status, 200);
    assert_string_equal(peer->got, "line 0\nline 1\nline 2\n");
    assert_true(peer->is_ended);
    fake_peer_free(peer);
}

static const struct cut_case {
    const char *query, *name, *asked, *got;
} cuts[] = {
    {"tailLines=7", "Tail", "7", "line 0\nline 1\nline 2\n"},
    {"tailLines=7000", "Tail", "2000", "line 0\nline 1\nline 2\n"},
    {"tailLines=0", "Tail", "1", ""},
    {"previous=true", "LastTime", "true", "line 0\nline 1\nline 2\n"},
    {"previous=true&follow=true", "LastTime", "true", "line 0\nline 1\nline 2\n"},
    {"limitBytes=9", "LimitBytes", "1048576", "line 0\nli"},
    {"limitBytes=3&timestamps=true", "Timestamps", "true", "202"},
    {"timestamps=true&limitBytes=39", "Timestamps", "true",
     "2024-01-02T03:00:00.000000007Z line 0\n2"},
    {"sinceTime=2024-01-02T03:00:01Z", "StartTime", "2024-01-02T03:00:01Z", "line 1\nline 2\n"},
    {"sinceTime=2024-01-02T11:00:02%2B08:00", NULL, NULL, NULL}, /* not decoded by the fake */
    {"sinceSeconds=244", "SinceSeconds", "244", "line 1\nline 2\n"},
    {"sinceSeconds=9000000000000", "SinceSeconds", "1704164645", "line 0\nline 1\nline 2\n"},
};

static void test_logs_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        struct fake_peer *peer = get(cuts[i].query);
        if (cuts[i].name == NULL) {
            assert_int_equal(peer->status, 400);
        } else {
            struct fake_call *call = fake_open(ECI_DESCRIBE_LOG);
            assert_string_equal(fake_asked(call, cuts[i].name), cuts[i].asked);
            bool with_stamps = strcmp(fake_asked(call, "Timestamps"), "true") == 0;
            fake_answer(call, ERR_OK, content(0, 3, with_stamps), "");
            fake_turn();
            assert_int_equal(peer->status, 200);
            assert_string_equal(peer->got, cuts[i].got);
            assert_true(peer->is_ended);
        }
        fake_peer_free(peer);
        pass(1000); /* tokens come back */
    }
}

static void test_logs_slow_peer_gets_all(void **state)
{
    (void)state;
    static char expected[64 * 1024];
    struct fake_peer *peer = get("sinceTime=2024-01-02T03:00:00Z");
    peer->room = 0;
    fake_answer(fake_open(ECI_DESCRIBE_LOG), ERR_OK, content(0, 1500, true), "");
    fake_turn();
    for (int i = 0; i < 40000 && !peer->is_ended; i++) {
        fake_give_room(peer, 3);
    }
    assert_true(peer->is_ended);
    size_t bytes = 0;
    for (int n = 0; n < 1500; n++) {
        bytes += (size_t)snprintf(expected + bytes, sizeof expected - bytes, "line %d\n", n);
    }
    assert_string_equal(peer->got, expected);
    fake_peer_free(peer);
}

static const struct checked_case {
    const char *query, *status;
    int http_status;
    const char *got;
} checked[] = {
    {"", RUNNING, 200, ""},
    {"", ENDED, 200, ""},
    {"", WAITING, 400, "container \"main\" in pod \"pod-1\" is waiting to start: ImagePullBackOff"},
    {"follow=true", WAITING, 400,
     "container \"main\" in pod \"pod-1\" is waiting to start: ImagePullBackOff"},
    {"", WAITING ",\"LastState\":{\"Terminated\":{\"ExitCode\":1}}", 200, ""},
    {"previous=true", RUNNING, 400,
     "previous terminated container \"main\" in pod \"pod-1\" not found"},
    {"previous=true", RUNNING ",\"LastState\":{\"Terminated\":{\"ExitCode\":1}}", 200, ""},
};

static void test_logs_empty_reading_asks_the_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(checked); i++) {
        struct fake_peer *peer = get(checked[i].query);
        fake_answer(fake_open(ECI_DESCRIBE_LOG), ERR_OK, content(0, 0, false), "");
        fake_turn();
        struct fake_call *call = fake_open(ECI_DESCRIBE_STATUS);
        assert_string_equal(fake_asked(call, "ContainerGroupIds"), "[\"eci-1\"]");
        fake_answer(call, ERR_OK, status_of(checked[i].status), "");
        fake_turn();
        assert_int_equal(peer->status, checked[i].http_status);
        assert_string_equal(peer->got, checked[i].got);
        fake_peer_free(peer);
        pass(4000);
    }
}

static void test_logs_init_container_is_looked_for(void **state)
{
    (void)state;
    struct fake_peer *peer = get("");
    fake_answer(fake_open(ECI_DESCRIBE_LOG), ERR_INVALID, NULL, "400 InvalidParameter: no such");
    fake_turn();
    fake_answer(fake_open(ECI_DESCRIBE_STATUS), ERR_OK,
                "{\"TotalCount\":1,\"Data\":[{\"ContainerGroupId\":\"eci-1\",\"Status\":"
                "\"Pending\",\"PodStatus\":{\"ContainerStatuses\":[]}}]}",
                "");
    fake_turn();
    fake_answer(fake_open(ECI_DESCRIBE_GROUPS), ERR_OK,
                "{\"TotalCount\":1,\"ContainerGroups\":[{\"ContainerGroupId\":\"eci-1\","
                "\"Status\":\"Pending\",\"Containers\":[],\"InitContainers\":[{\"Name\":\"main\","
                "\"CurrentState\":{\"State\":\"Waiting\"}}]}]}",
                "");
    fake_turn();
    assert_int_equal(peer->status, 400);
    assert_non_null(strstr(peer->got, "waiting to start: PodInitializing"));
    fake_peer_free(peer);
}

static void test_logs_unknown_container(void **state)
{
    (void)state;
    struct fake_peer *peer = get("");
    fake_answer(fake_open(ECI_DESCRIBE_LOG), ERR_INVALID, NULL, "400 InvalidParameter: no such");
    fake_turn();
    fake_answer(fake_open(ECI_DESCRIBE_STATUS), ERR_OK,
                "{\"TotalCount\":1,\"Data\":[{\"ContainerGroupId\":\"eci-1\",\"Status\":"
                "\"Running\",\"PodStatus\":{\"ContainerStatuses\":[]}}]}",
                "");
    fake_turn();
    fake_answer(fake_open(ECI_DESCRIBE_GROUPS), ERR_OK,
                "{\"TotalCount\":1,\"ContainerGroups\":[{\"ContainerGroupId\":\"eci-1\","
                "\"Status\":\"Running\",\"Containers\":[],\"InitContainers\":[]}]}",
                "");
    fake_turn();
    assert_int_equal(peer->status, 404);
    fake_peer_free(peer);
}

static void test_logs_trouble_with_the_cloud(void **state)
{
    (void)state;
    /* Too large: less is asked for, at once. */
    struct fake_peer *peer = get("");
    fake_answer(fake_open(ECI_DESCRIBE_LOG), ERR_TOO_BIG, NULL, "too big");
    fake_turn();
    assert_string_equal(fake_asked(fake_open(ECI_DESCRIBE_LOG), "LimitBytes"), "524288");
    /* Throttled and away: again, then the error. */
    fake_answer(fake_open(ECI_DESCRIBE_LOG), ERR_THROTTLED, NULL, "429 Throttling.User");
    pass(1500);
    fake_answer(fake_open(ECI_DESCRIBE_LOG), ERR_TIMEOUT, NULL, "no reply in time");
    pass(1500);
    assert_int_equal(peer->status, 0);
    fake_start_err = ERR_FULL;
    fake_answer(fake_open(ECI_DESCRIBE_LOG), ERR_TIMEOUT, NULL, "no reply in time");
    pass(LOGS_PATIENCE_MS);
    assert_int_equal(peer->status, 500);
    assert_string_equal(peer->got, "no reply in time");
    fake_peer_free(peer);
    /* No room at all. */
    fake_start_err = ERR_OK;
    fake_has_room = false;
    peer = get("");
    pass(LOGS_PATIENCE_MS + 500);
    assert_int_equal(peer->status, 503);
    fake_peer_free(peer);
    assert_int_equal(logs.counters.refused_full, 1);
    /* Refused for good: the status decides, or the refusal stands. */
    fake_has_room = true;
    peer = get("");
    fake_answer(fake_open(ECI_DESCRIBE_LOG), ERR_NOT_FOUND, NULL, "404 gone");
    fake_turn();
    fake_answer(fake_open(ECI_DESCRIBE_STATUS), ERR_TIMEOUT, NULL, "");
    pass(LOGS_PATIENCE_MS);
    fake_answer(fake_open(ECI_DESCRIBE_STATUS), ERR_TIMEOUT, NULL, "");
    pass(1000);
    assert_int_equal(peer->status, 404);
    assert_string_equal(peer->got, "404 gone");
    fake_peer_free(peer);
    while (fake_open(ECI_DESCRIBE_STATUS) != NULL) {
        fake_answer(fake_open(ECI_DESCRIBE_STATUS), ERR_TIMEOUT, NULL, "");
    }
}

static void test_logs_peer_that_leaves(void **state)
{
    (void)state;
    struct fake_peer *peer = get("");
    assert_int_equal(logs.calls, 1);
    fake_peer_free(peer);
    assert_int_equal(fake_cancelled, 1);
    peer = get("follow=true");
    fake_answer(fake_open(ECI_DESCRIBE_LOG), ERR_OK, content(0, 3, true), "");
    pass(1100);
    assert_non_null(fake_open(ECI_DESCRIBE_LOG));
    fake_peer_free(peer);
    assert_int_equal(fake_cancelled, 2);
    while (fake_open(ECI_DESCRIBE_STATUS) != NULL) {
        fake_answer(fake_open(ECI_DESCRIBE_STATUS), ERR_OK, status_of(RUNNING), "");
    }
}

static void test_logs_full(void **state)
{
    (void)state;
    struct fake_peer *peers[LOGS_SESSIONS_MAX];
    for (int i = 0; i < LOGS_SESSIONS_MAX; i++) {
        peers[i] = get("");
        assert_int_equal(peers[i]->status, 0);
    }
    assert_int_equal(logs.calls, LOGS_CALLS_MAX);
    struct fake_peer *peer = get("");
    assert_int_equal(peer->status, 503);
    fake_peer_free(peer);
    for (int i = 0; i < LOGS_SESSIONS_MAX; i++) {
        fake_peer_free(peers[i]);
    }
    struct fake_peer *followers[LOGS_POLLERS_MAX + 1];
    for (int i = 0; i <= LOGS_POLLERS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%d", i);
        const struct serve_target target = {
            .name_space = S("web"), .pod = S("pod-1"), .container = str_of(name)};
        followers[i] = fake_peer("follow=true");
        logs_container(NULL, &followers[i]->exchange, &target);
        assert_int_equal(followers[i]->status, i < LOGS_POLLERS_MAX ? 0 : 503);
    }
    for (int i = 0; i <= LOGS_POLLERS_MAX; i++) {
        fake_peer_free(followers[i]);
    }
}

/* ---- follow ---------------------------------------------------------------------------------- */

/* A cloud that writes `lines` lines and answers all calls; lines are a second apart. */
static uint32_t lines;
static const char *container_state;

static void answer_all(void)
{
    struct fake_call *call;
    while ((call = fake_open(ECI_DESCRIBE_LOG)) != NULL) {
        uint32_t tail = (uint32_t)strtoul(fake_asked(call, "Tail"), NULL, 10);
        const char *start = fake_asked(call, "StartTime");
        uint32_t from = 0;
        int64_t unix_s = 0;
        if (start != NULL && codec_get_time(str_of(start), &unix_s) && unix_s > 1704164400) {
            from = (uint32_t)(unix_s - 1704164400); /* 03:00:00 */
        }
        from = from < lines ? from : lines;
        from = lines - from > tail ? lines - tail : from;
        fake_answer(call, ERR_OK, content(from, lines, true), "");
        fake_turn();
    }
    while ((call = fake_open(ECI_DESCRIBE_STATUS)) != NULL) {
        fake_answer(call, ERR_OK, status_of(container_state), "");
        fake_turn();
    }
}

static void live(msec ms)
{
    for (msec end_ms = fake_loop.now_ms + ms; fake_loop.now_ms < end_ms; fake_loop.now_ms += 100) {
        fake_turn();
        answer_all();
    }
}

static void assert_lines(const struct fake_peer *peer, uint32_t from, uint32_t to)
{
    static char expected[512 * 1024];
    size_t bytes = 0;
    expected[0] = '\0';
    for (; from < to; from++) {
        bytes += (size_t)snprintf(expected + bytes, sizeof expected - bytes, "line %u\n", from);
    }
    assert_string_equal(peer->got, expected);
}

static void test_logs_follow_three_and_end(void **state)
{
    (void)state;
    struct fake_peer *peers[3];
    static const char *const queries[] = {"follow=true", "follow=true&tailLines=2",
                                          "follow=true&tailLines=0"};
    uint32_t from[3] = {0, 0, 0};
    lines = 5;
    container_state = RUNNING;
    for (int i = 0; i < 3; i++) {
        peers[i] = get(queries[i]);
        from[i] = i == 0 ? 0 : i == 1 ? lines - 2 : lines;
        for (int k = 0; k < 30; k++) { /* a writer of ten lines a second, joined in mid-stream */
            live(100);
            lines += k >= 2 ? 1 : 0;
        }
    }
    live(LOGS_POLL_MAX_MS);
    for (int i = 0; i < 3; i++) {
        assert_lines(peers[i], from[i], lines);
        assert_false(peers[i]->is_ended);
    }
    assert_int_equal(logs.pollers.count, 1);
    lines += 10;
    container_state = ENDED;
    live(LOGS_CHECK_MS + 2000);
    for (int i = 0; i < 3; i++) {
        assert_lines(peers[i], from[i], lines);
        assert_true(peers[i]->is_ended);
        fake_peer_free(peers[i]);
    }
    assert_int_equal(logs.counters.gaps, 0);
}

static void test_logs_follow_rests_when_idle(void **state)
{
    (void)state;
    lines = 3;
    container_state = RUNNING;
    struct fake_peer *peer = get("follow=true");
    live(60000);
    uint64_t before = logs.counters.polls;
    live(60000);
    assert_in_range(logs.counters.polls - before, 5, 7);
    lines++;
    live(LOGS_POLL_MAX_MS + 1000);
    assert_lines(peer, 0, 4);
    before = logs.counters.polls;
    for (int i = 0; i < 10; i++, lines++) {
        live(1000);
    }
    assert_in_range(logs.counters.polls - before, 7, 12);
    fake_peer_free(peer);
}

static void test_logs_follow_marks_a_gap(void **state)
{
    (void)state;
    lines = 1;
    container_state = RUNNING;
    struct fake_peer *peer = get("follow=true");
    live(200);
    lines = 2900;
    live(2000);
    assert_int_equal(logs.counters.gaps, 1);
    assert_non_null(strstr(peer->got, "line 0\n[ecilet] lines are missing here"));
    assert_non_null(strstr(peer->got, "\nline 900\n"));
    assert_non_null(strstr(peer->got, "\nline 2899\n"));
    assert_null(strstr(peer->got, "\nline 899\n"));
    fake_peer_free(peer);
}

static void test_logs_follow_restart_is_the_end(void **state)
{
    (void)state;
    lines = 3;
    container_state = RUNNING;
    struct fake_peer *peer = get("follow=true");
    live(5000);
    container_state = RESTARTED;
    lines = 5;
    for (int i = 0; i < 60 && !peer->is_ended; i++) {
        fake_turn();
        struct fake_call *call = fake_open(ECI_DESCRIBE_LOG);
        if (call != NULL && strcmp(fake_asked(call, "LastTime"), "true") == 0) {
            lines = 6;
        }
        answer_all();
        fake_loop.now_ms += 100;
    }
    assert_true(peer->is_ended);
    assert_lines(peer, 0, 6);
    fake_peer_free(peer);
}

static void test_logs_follow_gone_pod_is_the_end(void **state)
{
    (void)state;
    lines = 3;
    container_state = RUNNING;
    struct fake_peer *peer = get("follow=true");
    live(4000);
    find_err = ERR_NOT_FOUND;
    live(5000);
    assert_true(peer->is_ended);
    assert_lines(peer, 0, 3);
    fake_peer_free(peer);
}

static void test_logs_follow_survives_an_outage(void **state)
{
    (void)state;
    lines = 3;
    container_state = RUNNING;
    struct fake_peer *peer = get("follow=true");
    live(2000);
    for (int i = 0; i < 100; i++) {
        fake_loop.now_ms += 1000;
        fake_turn();
        struct fake_call *call = fake_open(ECI_DESCRIBE_LOG);
        if (call != NULL) {
            fake_answer(call, ERR_UNREACHABLE, NULL, "away");
        }
        call = fake_open(ECI_DESCRIBE_STATUS);
        if (call != NULL) {
            fake_answer(call, ERR_UNREACHABLE, NULL, "away");
        }
    }
    lines = 50;
    live(LOGS_POLL_MAX_MS + 2000);
    assert_false(peer->is_ended);
    assert_lines(peer, 0, 50);
    fake_peer_free(peer);
}

static void test_logs_follow_slow_peer_is_skipped(void **state)
{
    (void)state;
    lines = 3;
    container_state = RUNNING;
    struct fake_peer *slow = get("follow=true");
    live(500);
    struct fake_peer *fast = get("follow=true");
    live(500);
    slow->room = 9; /* one line and a bit */
    lines = 10;
    live(5000);
    assert_lines(fast, 0, 10);
    lines = 20;
    live(5000);
    assert_lines(fast, 0, 10); /* it waits for the slow one ... */
    live(LOGS_SLOW_MS);
    assert_lines(fast, 0, 20); /* ... but not for long */
    fake_give_room(slow, 100000);
    live(2000);
    assert_non_null(strstr(slow->got, "line 2\nline 3\nli\n[ecilet] lines are missing here"));
    assert_true(logs.counters.slow_skips >= 1);
    lines = 25;
    live(LOGS_POLL_MAX_MS + 1000);
    assert_non_null(strstr(slow->got, "line 23\nline 24\n"));
    fake_peer_free(slow);
    fake_peer_free(fast);
}

static void test_logs_follow_limit_bytes_ends(void **state)
{
    (void)state;
    lines = 1;
    container_state = RUNNING;
    struct fake_peer *peer = get("follow=true&limitBytes=10");
    live(1000);
    assert_false(peer->is_ended);
    lines = 3;
    live(3000);
    assert_true(peer->is_ended);
    assert_string_equal(peer->got, "line 0\nlin");
    fake_peer_free(peer);
}

/* A session, a text or a poller that is not to be had: 503 or a wait, and nothing stays behind. */
static void test_logs_every_take_may_fail(void **state)
{
    (void)state;
    uint64_t nth = 1, served = 0;
    for (bool has_failed = true; has_failed; nth++) {
        uint64_t refused = logs.sessions.refused + logs.pollers.refused + logs.texts.refused;
        lines = 3;
        container_state = RUNNING;
        pool_fail_at(nth);
        struct fake_peer *peer = get("follow=true");
        live(5000);
        container_state = ENDED;
        live(LOGS_CHECK_MS + 5000);
        pool_fail_at(0);
        has_failed = logs.sessions.refused + logs.pollers.refused + logs.texts.refused > refused;
        assert_true(peer->is_ended);
        assert_true(peer->status == 200 || peer->status == 503);
        served += peer->status == 200 ? 1 : 0;
        fake_peer_free(peer);
        assert_int_equal(logs.sessions.count + logs.pollers.count + logs.texts.count, 0);
    }
    assert_in_range(nth, 4, 100);
    assert_in_range(served, 1, nth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_logs_bad_parameters),
        TEST(test_logs_pod_without_log),
        TEST(test_logs_plain),
        TEST(test_logs_cuts),
        TEST(test_logs_slow_peer_gets_all),
        TEST(test_logs_empty_reading_asks_the_status),
        TEST(test_logs_init_container_is_looked_for),
        TEST(test_logs_unknown_container),
        TEST(test_logs_trouble_with_the_cloud),
        TEST(test_logs_peer_that_leaves),
        TEST(test_logs_full),
        TEST(test_logs_follow_three_and_end),
        TEST(test_logs_follow_rests_when_idle),
        TEST(test_logs_follow_marks_a_gap),
        TEST(test_logs_follow_restart_is_the_end),
        TEST(test_logs_follow_gone_pod_is_the_end),
        TEST(test_logs_follow_survives_an_outage),
        TEST(test_logs_follow_slow_peer_is_skipped),
        TEST(test_logs_follow_limit_bytes_ends),
        TEST(test_logs_every_take_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
