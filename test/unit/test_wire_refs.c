/* wire_refs.c: what pods refer to is read from a scripted API server; what each of its answers is
 * taken for, how many requests that costs, and that nothing of a Secret stays. */
#include "fake_api_world.h"

#include "app/wire_refs.h"

#define JOBS_MAX (WIRE_ROOMS + 1)
#define PLANTED "UExBTlRFRA=="

static struct wire wire;
static struct wire_job jobs[JOBS_MAX];
static struct pod the_pod;

/* What refs_done() got, copied. */
static struct outcome {
    enum err err;
    uint32_t count;
    struct {
        enum spec_ref_kind kind;
        enum spec_ref_state state;
        char name[64];
        char why[256];
        uint32_t object_bytes;
        uint32_t items; /* of a page of services */
    } refs[SPEC_REFS_MAX];
} last;
static uint32_t done_count;
static bool is_job_done[JOBS_MAX];

/* ---- what the other files of wire would be --------------------------------------------------- */

handle wire_job_handle(const struct wire_job *job)
{
    return (handle){(uint32_t)(job - jobs) + 1, 1};
}

struct wire_job *wire_job_at(struct wire *of, handle h)
{
    assert_ptr_equal(of, &wire);
    assert_in_range(h.slot, 1, JOBS_MAX);
    return &jobs[h.slot - 1];
}

struct pod *brain_pod(const struct brain *brain, handle h)
{
    (void)h;
    assert_ptr_equal(brain, &wire.brain);
    return &the_pod;
}

void refs_done(struct wire *of, struct wire_job *job, enum err err, json object,
               const struct spec_refs *refs)
{
    uint32_t at = (uint32_t)(job - jobs);
    handle room = job->room;
    job->room = HANDLE_NONE;
    assert_false(is_job_done[at]);
    is_job_done[at] = true;
    done_count++;
    memset(&last, 0, sizeof last);
    last.err = err;
    if (err == ERR_OK) {
        assert_true(json_text_is(json_get(json_get(object, "metadata"), "name"), "web-0"));
        last.count = refs->count;
        for (uint32_t i = 0; i < refs->count; i++) {
            const struct spec_ref *ref = &refs->items[i];
            last.refs[i].kind = ref->kind;
            last.refs[i].state = ref->state;
            (void)str_copy(last.refs[i].name, sizeof last.refs[i].name, ref->name);
            (void)str_copy(last.refs[i].why, sizeof last.refs[i].why, ref->why);
            last.refs[i].object_bytes = (uint32_t)json_raw(ref->object).bytes;
            last.refs[i].items = json_count(json_get(ref->object, "items"));
        }
    }
    refs_give(of, room);
}

/* ---- the server's side: what it does is chosen by the path ----------------------------------- */

static char big[400 * 1024];

/* A Secret of about so many bytes. */
static void reply_secret(struct fake_conn *conn, size_t bytes)
{
    static const char head[] = "{\"data\":{\"a\":\"" PLANTED "\"},\"metadata\":{\"x\":\"";
    assert_true(bytes < sizeof big);
    memset(big, 'x', bytes);
    memcpy(big, head, sizeof head - 1);
    memcpy(big + bytes - 3, "\"}}", 3);
    fake_reply(conn, 200, "", str_make(big, bytes));
}

/* The API server's own word that this object is not there. */
static void reply_absent(struct fake_conn *conn, const char *resource, const char *name)
{
    fake_reply_text(
        conn, 404,
        "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"NotFound\",\"message\":"
        "\"not found\",\"details\":{\"name\":\"%s\",\"kind\":\"%s\"},\"code\":404}",
        name, resource);
}

static uint32_t number_after(const struct fake_request *request, const char *word, uint32_t other)
{
    const char *at = strstr(request->path.ptr, word);
    return at == NULL ? other : (uint32_t)strtoul(at + strlen(word), NULL, 10);
}

static uint32_t services_count, service_bytes;

/* The API server's pages: "continue" is the number of the next item. */
static void reply_services(struct fake_conn *conn, const struct fake_request *request)
{
    static char text[1 << 20], filler[64 * 1024];
    uint32_t limit = number_after(request, "limit=", 0);
    uint32_t first = number_after(request, "continue=", 0);
    uint32_t end = first + limit < services_count ? first + limit : services_count;
    struct buf out;
    assert_true(limit > 0 && service_bytes < sizeof filler);
    memset(filler, 'x', service_bytes);
    buf_init(&out, text, sizeof text);
    buf_put_text(&out, "{\"kind\":\"ServiceList\",\"items\":[");
    for (uint32_t i = first; i < end; i++) {
        buf_put_fmt(&out,
                    "%s{\"metadata\":{\"name\":\"s%u\",\"annotations\":{\"x\":\"%.*s\"}},\"spec\":{"
                    "\"clusterIP\":\"10.0.0.1\",\"ports\":[{\"port\":80}]}}",
                    i > first ? "," : "", i, (int)service_bytes, filler);
    }
    buf_put_text(&out, "],\"metadata\":{");
    if (end < services_count) {
        buf_put_fmt(&out, "\"continue\":\"%u\"", end);
    }
    buf_put_text(&out, "}}");
    assert_true(buf_ok(&out));
    fake_reply(conn, 200, "", buf_str(&out));
}

/* Answered when so many have come: whoever asks one after the other waits for ever. */
#define TOGETHER 3

static struct {
    struct fake_conn *conns[TOGETHER];
    uint32_t bytes[TOGETHER];
    uint32_t count;
} together;

static void reply_together(struct fake_conn *conn, uint32_t number)
{
    together.bytes[together.count] = 100 + 100 * number;
    together.conns[together.count++] = conn;
    if (together.count == TOGETHER) {
        while (together.count > 0) { /* the last one first */
            together.count--;
            reply_secret(together.conns[together.count], together.bytes[together.count]);
        }
    }
}

static void answer(struct fake_api *api, struct fake_conn *conn, const struct fake_request *request)
{
    if (fake_has(request, "/services/kubernetes")) {
        reply_absent(conn, "services", "kubernetes");
    } else if (fake_has(request, "/services?")) {
        reply_services(conn, request);
    } else if (fake_has(request, "/token")) {
        assert_true(str_eq(request->method, S("POST")));
        fake_reply_text(conn, 201, "{\"status\":{\"token\":\"t\"}}");
    } else if (fake_has(request, "/persistentvolumeclaims/")) {
        fake_reply_text(conn, 200, "{\"spec\":{\"volumeName\":\"pv-%s\"}}",
                        fake_has(request, "gone") ? "gone" : "one");
    } else if (fake_has(request, "/persistentvolumes/pv-gone")) {
        reply_absent(conn, "persistentvolumes", "pv-gone");
    } else if (fake_has(request, "/persistentvolumes/")) {
        fake_reply_text(conn, 200,
                        "{\"spec\":{\"csi\":{\"nodePublishSecretRef\":{\"name\":\"found\","
                        "\"namespace\":\"storage\"}}}}");
    } else if (fake_has(request, "/together-")) {
        reply_together(conn, number_after(request, "/together-", 0));
    } else if (fake_has(request, "/hang")) {
        fake_hang(conn);
    } else if (fake_has(request, "/drop")) {
        fake_raw(conn, STR_NONE);
    } else if (fake_has(request, "/cut")) {
        fake_raw(conn, S("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":"));
    } else if (fake_has(request, "/broken")) {
        fake_reply_text(conn, 200, "{\"data\":{");
    } else if (fake_has(request, "/absent")) {
        reply_absent(conn, "secrets", "absent");
    } else if (fake_has(request, "/another")) { /* of another object: a proxy's mistake */
        reply_absent(conn, "secrets", "absent");
    } else if (fake_has(request, "/nowhere")) {
        fake_reply(conn, 404, "", S("<html>no such page</html>"));
    } else if (fake_has(request, "/forbidden")) {
        fake_reply_status(conn, 403, "Forbidden", "secrets");
    } else if (fake_has(request, "/unknown-caller")) {
        fake_reply_status(conn, 401, "Unauthorized", "");
    } else if (fake_has(request, "/ill")) {
        fake_reply_status(conn, 500, "InternalError", "");
    } else if (fake_has(request, "/busy")) {
        fake_reply_status(conn, 429, "TooManyRequests", "");
    } else if (fake_has(request, "/large")) {
        reply_secret(conn, 300 * 1024);
    } else if (fake_has(request, "/too-large")) {
        reply_secret(conn, 360 * 1024);
    } else {
        reply_secret(conn, 200);
    }
    (void)api;
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static int start(void **state)
{
    static const struct kube_calls_config config = {
        .conns_count = 4, .small_count = 12, .small_bytes = 40 * 1024, .large_count = 2,
        .large_bytes = WIRE_POD_BYTES_MAX + 16 * 1024};
    (void)state;
    memset(&wire, 0, sizeof wire);
    memset(jobs, 0, sizeof jobs);
    memset(is_job_done, 0, sizeof is_job_done);
    done_count = 0;
    services_count = 0;
    together.count = 0;
    (void)snprintf(the_pod.name, sizeof the_pod.name, "web-0");
    (void)snprintf(the_pod.uid, sizeof the_pod.uid, "uid-1");
    world_start(answer);
    wire.arena = &world.arena;
    wire.loop = &world.loop;
    kube_calls_init(&wire.calls, &world.loop, &world.region, &world.auth, &world.arena, &config);
    refs_init(&wire, &world.region);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    assert_int_equal(wire.rooms.count, 0); /* whatever happened, each room was given back */
    kube_calls_stop(&wire.calls);
    world_stop();
    return 0;
}

/* ' becomes ". */
static json parse_pod(const char *spec)
{
    static char text[64 * 1024];
    json object = JSON_NONE;
    int bytes = snprintf(text, sizeof text,
                         "{'metadata':{'name':'web-0','namespace':'ns'},'spec':%s}", spec);
    assert_in_range(bytes, 0, sizeof text - 1);
    for (char *at = text; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    assert_int_equal(json_parse(str_of(text), &world.arena, &object, NULL), ERR_OK);
    return object;
}

static enum err begin(uint32_t job, const char *spec)
{
    size_t mark = arena_mark(&world.arena);
    is_job_done[job] = false;
    enum err err = refs_start(&wire, &jobs[job], parse_pod(spec));
    arena_rewind(&world.arena, mark); /* nothing of the caller's is needed any more */
    return err;
}

static void run(const char *spec)
{
    assert_int_equal(begin(0, spec), ERR_OK);
    assert_true(FAKE_UNTIL(&world.loop, 120000, is_job_done[0]));
    assert_int_equal(last.err, ERR_OK);
}

static uint32_t find(const char *name)
{
    for (uint32_t i = 0; i < last.count; i++) {
        if (strcmp(last.refs[i].name, name) == 0) {
            return i;
        }
    }
    fail_msg("%s is not among what was read", name);
    return 0;
}

#define SECRET(name) \
    "{'enableServiceLinks':false,'containers':[{'envFrom':[{'secretRef':{'name':'" name "'}}]}]}"

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_what_each_answer_is_taken_for(void **state)
{
    static const struct {
        const char *name;
        const char *spec;
        enum spec_ref_state is;
        const char *why;
        uint32_t requests; /* "kubernetes" besides */
    } rows[] = {
        {"found", SECRET("found"), SPEC_REF_FOUND, "", 1},
        {"absent", SECRET("absent"), SPEC_REF_ABSENT, "", 1},
        {"nowhere", SECRET("nowhere"), SPEC_REF_FAILED, "", 1}, /* a proxy's page proves nothing */
        {"another", SECRET("another"), SPEC_REF_FAILED, "", 1},
        {"forbidden", SECRET("forbidden"), SPEC_REF_DENIED, "", 1},
        {"unknown-caller", SECRET("unknown-caller"), SPEC_REF_DENIED, "", 1},
        {"ill", SECRET("ill"), SPEC_REF_FAILED, "", 1},
        {"busy", SECRET("busy"), SPEC_REF_FAILED, "", 1},
        {"broken", SECRET("broken"), SPEC_REF_FAILED, "", 1},
        {"hang", SECRET("hang"), SPEC_REF_FAILED, "", 1},
        {"large", SECRET("large"), SPEC_REF_FOUND, "", 2},
        {"too-large", SECRET("too-large"), SPEC_REF_FAILED, "is larger than this node reads", 2},
    };
    (void)state;
    fake_step_ms = 50;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint32_t before = world.api.requests;
        run(rows[i].spec);
        uint32_t at = find(rows[i].name);
        if (last.refs[at].state != rows[i].is) {
            fail_msg("%s: %d: %s", rows[i].name, (int)last.refs[at].state, last.refs[at].why);
        }
        assert_non_null(strstr(last.refs[at].why, rows[i].why));
        assert_true((last.refs[at].why[0] == '\0') == (rows[i].is == SPEC_REF_FOUND));
        assert_true((last.refs[at].object_bytes > 0) == (rows[i].is == SPEC_REF_FOUND));
        assert_int_equal(world.api.requests - before, 1 + rows[i].requests);
        assert_int_equal(last.refs[find("kubernetes")].state, SPEC_REF_ABSENT);
    }
    fake_step_ms = 1;
}

/* A connection that breaks: reads may be repeated below us, in the end the reference has failed. */
static void test_broken_connections(void **state)
{
    static const char *const names[] = {"drop", "cut"};
    static const char *const specs[] = {SECRET("drop"), SECRET("cut")};
    (void)state;
    fake_step_ms = 50;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        run(specs[i]);
        assert_int_equal(last.refs[find(names[i])].state, SPEC_REF_FAILED);
        assert_true(last.refs[find(names[i])].why[0] != '\0');
    }
    fake_step_ms = 1;
}

static void test_all_together_are_limited(void **state)
{
    (void)state;
    run("{'enableServiceLinks':false,'containers':[{'envFrom':[{'secretRef':{'name':'large'}},"
        "{'secretRef':{'name':'large-2'}},{'secretRef':{'name':'found'}}]}]}");
    assert_int_equal(last.refs[find("large")].state, SPEC_REF_FOUND);
    assert_int_equal(last.refs[find("large-2")].state, SPEC_REF_FAILED);
    assert_non_null(strstr(last.refs[find("large-2")].why, "or all that the pod refers to"));
    assert_int_equal(last.refs[find("found")].state, SPEC_REF_FOUND); /* a small one still fits */
}

static void test_claims_lead_to_volumes_and_secrets(void **state)
{
    (void)state;
    run("{'enableServiceLinks':false,'volumes':[{'persistentVolumeClaim':{'claimName':'data'}},"
        "{'persistentVolumeClaim':{'claimName':'gone'}}]}");
    assert_int_equal(last.count, 6);
    assert_int_equal(last.refs[find("data")].state, SPEC_REF_FOUND);
    assert_int_equal(last.refs[find("pv-one")].state, SPEC_REF_FOUND);
    assert_int_equal(last.refs[find("pv-gone")].state, SPEC_REF_ABSENT); /* deleted in between */
    assert_int_equal(last.refs[find("found")].state, SPEC_REF_FOUND);
    assert_int_equal(fake_seen(&world.api, "/namespaces/storage/secrets/found"), 1);
    assert_int_equal(world.api.requests, 6);
}

static void test_tokens_are_asked_for_with_the_pod(void **state)
{
    (void)state;
    run("{'enableServiceLinks':false,'serviceAccountName':'acc','volumes':[{'projected':{'sources':"
        "[{'serviceAccountToken':{'audience':'vault','expirationSeconds':7200,'path':'t'}}]}}]}");
    assert_int_equal(last.refs[find("acc")].state, SPEC_REF_FOUND);
    assert_int_equal(fake_seen(&world.api, "POST /api/v1/namespaces/ns/serviceaccounts/acc/token"),
                     1);
    assert_string_equal(world.api.last_body,
                        "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\","
                        "\"spec\":{\"audiences\":[\"vault\"],\"expirationSeconds\":7200,"
                        "\"boundObjectRef\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":"
                        "\"web-0\",\"uid\":\"uid-1\"}}}");
}

/* An audience is any text: one that fits no request is a reference that cannot be read. */
static void test_audience_too_long(void **state)
{
    static char spec[8192], audience[5000];
    (void)state;
    memset(audience, 'a', sizeof audience - 1);
    (void)snprintf(spec, sizeof spec,
                   "{'enableServiceLinks':false,'volumes':[{'projected':{'sources':"
                   "[{'serviceAccountToken':{'audience':'%s','path':'t'}}]}}]}",
                   audience);
    run(spec);
    assert_int_equal(last.refs[find("default")].state, SPEC_REF_FAILED);
    assert_non_null(strstr(last.refs[find("default")].why, "too long"));
}

/* Services in pages: all of them, whatever their size, in as many requests as must be. */
static void test_services_in_pages(void **state)
{
    static const struct {
        uint32_t count, bytes, pages, requests;
        enum spec_ref_state is;
    } rows[] = {
        {3, 100, 1, 1, SPEC_REF_FOUND},
        {250, 1000, 3, 6, SPEC_REF_FOUND},   /* each is asked for twice: with more room */
        {25, 20000, 3, 8, SPEC_REF_FOUND},   /* the first twice more, with 10 a page */
        {3, 63000, 1, 2, SPEC_REF_FOUND},    /* 189 KB: more room is enough */
        {10, 60000, 10, 24, SPEC_REF_FOUND}, /* one a page */
        {400, 1000, 3, 6, SPEC_REF_FOUND},   /* above 266 there are too many in any case */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        services_count = rows[i].count;
        service_bytes = rows[i].bytes;
        uint32_t before = fake_seen(&world.api, "/services?"), pages = 0, items = 0;
        run("{}");
        for (uint32_t k = 0; k < last.count; k++) {
            bool is_page = last.refs[k].kind == SPEC_REF_SERVICES && last.refs[k].name[0] == '\0';
            pages += is_page ? 1 : 0;
            items += is_page ? last.refs[k].items : 0;
            assert_true(!is_page || last.refs[k].state == rows[i].is);
        }
        print_message("row %zu: %u pages, %u items, %u requests\n", i, pages, items,
                      fake_seen(&world.api, "/services?") - before);
        assert_int_equal(pages, rows[i].pages);
        assert_int_equal(items, rows[i].count < 300 ? rows[i].count : 300);
        assert_int_equal(fake_seen(&world.api, "/services?") - before, rows[i].requests);
    }
}

/* Rooms are few: one create more has to come again, and finds one when another is done. Each
 * create reads for itself and asks for each object once, however many wait for the same. */
static void test_rooms_and_requests_are_counted(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < WIRE_ROOMS; i++) {
        assert_int_equal(begin(i, SECRET("absent")), ERR_OK);
    }
    assert_int_equal(begin(WIRE_ROOMS, SECRET("absent")), ERR_FULL);
    assert_false(is_job_done[WIRE_ROOMS]);
    assert_true(FAKE_UNTIL(&world.loop, 60000, done_count == WIRE_ROOMS));
    assert_int_equal(begin(WIRE_ROOMS, SECRET("absent")), ERR_OK);
    assert_true(FAKE_UNTIL(&world.loop, 60000, done_count == WIRE_ROOMS + 1));
    assert_int_equal(fake_seen(&world.api, "/secrets/absent"), WIRE_ROOMS + 1);
    assert_int_equal(world.api.requests, 2 * (WIRE_ROOMS + 1));
}

static void count_reply(void *owner, const struct kube_reply *reply)
{
    assert_int_equal(reply->err, ERR_OK);
    ++*(uint32_t *)owner;
}

/* Opens connections to the API server. */
static void warm_up(uint32_t conns_count)
{
    uint32_t replies = 0;
    const struct kube_request request = {.verb = KUBE_GET,
                                         .rank = KUBE_RANK_NORMAL,
                                         .path = S("/any"),
                                         .on_done = count_reply,
                                         .owner = &replies};
    for (uint32_t i = 0; i < conns_count; i++) {
        assert_int_equal(kube_call_send(&wire.calls, &request, NULL), ERR_OK);
    }
    assert_true(FAKE_UNTIL(&world.loop, 1000, replies == conns_count));
    assert_int_equal(world.api.accepted, conns_count);
}

#define THREE_SECRETS(name)                                                       \
    "{'enableServiceLinks':false,'containers':[{'envFrom':[{'secretRef':{'name':" \
    "'" name "-1'}},{'secretRef':{'name':'" name "-2'}},{'secretRef':{'name':"    \
    "'" name "-3'}}]}]}"

static void test_some_at_once_over_open_connections(void **state)
{
    (void)state;
    warm_up(TOGETHER);
    run(THREE_SECRETS("together"));
    for (uint32_t i = 1; i <= TOGETHER; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "together-%u", i);
        assert_int_equal(last.refs[find(name)].state, SPEC_REF_FOUND);
        assert_int_equal(last.refs[find(name)].object_bytes, 100 + 100 * i);
    }
    assert_int_equal(world.api.accepted, TOGETHER);
}

/* To open another connection takes longer than to wait for the one that is in use. */
static void test_no_connection_is_opened_to_be_faster(void **state)
{
    (void)state;
    run(THREE_SECRETS("found"));
    run(THREE_SECRETS("other"));
    assert_int_equal(world.api.requests, 2 * 4);
    assert_int_equal(world.api.accepted, 1);
}

/* Two are too big for a small slot, and there is one large: the second waits for the first, whose
 * slot is not free yet when its reply comes. */
static void test_large_one_among_others(void **state)
{
    (void)state;
    warm_up(3);
    run("{'enableServiceLinks':false,'containers':[{'envFrom':[{'secretRef':{'name':'large'}},"
        "{'secretRef':{'name':'found'}},{'secretRef':{'name':'too-large'}}]}]}");
    assert_int_equal(last.refs[find("large")].state, SPEC_REF_FOUND);
    assert_int_equal(last.refs[find("found")].state, SPEC_REF_FOUND);
    assert_int_equal(last.refs[find("too-large")].state, SPEC_REF_FAILED);
}

static void never(void *owner, const struct kube_reply *reply)
{
    (void)owner;
    (void)reply;
    fail_msg("a request that was cancelled has an end");
}

static void test_too_many_references_and_no_slots(void **state)
{
    static char spec[16384];
    handle taken[16];
    uint32_t count = 0;
    size_t bytes = (size_t)snprintf(spec, sizeof spec, "{'containers':[{'envFrom':[");
    (void)state;
    for (uint32_t i = 0; i < SPEC_REFS_MAX; i++) {
        bytes += (size_t)snprintf(spec + bytes, sizeof spec - bytes,
                                  "%s{'secretRef':{'name':'s%u'}}", i > 0 ? "," : "", i);
    }
    (void)snprintf(spec + bytes, sizeof spec - bytes, "]}]}");
    assert_int_equal(begin(0, spec), ERR_TOO_BIG);
    assert_int_equal(world.api.requests, 0);
    const struct kube_request hang = {.verb = KUBE_GET,
                                      .rank = KUBE_RANK_HIGH,
                                      .path = S("/hang"),
                                      .on_done = never,
                                      .owner = &wire};
    while (kube_call_send(&wire.calls, &hang, &taken[count]) == ERR_OK) {
        count++;
    }
    assert_int_equal(begin(0, SECRET("found")), ERR_FULL);
    for (uint32_t i = 0; i < count; i++) {
        kube_call_cancel(&wire.calls, taken[i]);
    }
}

static bool has_planted(const char *memory, size_t bytes)
{
    return str_find(str_make(memory, bytes), S(PLANTED)) >= 0;
}

static void test_nothing_of_a_secret_stays(void **state)
{
    (void)state;
    run(SECRET("large"));
    assert_int_equal(last.refs[find("large")].state, SPEC_REF_FOUND);
    assert_false(has_planted(wire.room_memory, (size_t)WIRE_ROOMS * WIRE_ROOM_BYTES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_each_answer_is_taken_for, start, stop),
        cmocka_unit_test_setup_teardown(test_broken_connections, start, stop),
        cmocka_unit_test_setup_teardown(test_all_together_are_limited, start, stop),
        cmocka_unit_test_setup_teardown(test_claims_lead_to_volumes_and_secrets, start, stop),
        cmocka_unit_test_setup_teardown(test_tokens_are_asked_for_with_the_pod, start, stop),
        cmocka_unit_test_setup_teardown(test_audience_too_long, start, stop),
        cmocka_unit_test_setup_teardown(test_services_in_pages, start, stop),
        cmocka_unit_test_setup_teardown(test_rooms_and_requests_are_counted, start, stop),
        cmocka_unit_test_setup_teardown(test_some_at_once_over_open_connections, start, stop),
        cmocka_unit_test_setup_teardown(test_no_connection_is_opened_to_be_faster, start, stop),
        cmocka_unit_test_setup_teardown(test_large_one_among_others, start, stop),
        cmocka_unit_test_setup_teardown(test_too_many_references_and_no_slots, start, stop),
        cmocka_unit_test_setup_teardown(test_nothing_of_a_secret_stays, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
