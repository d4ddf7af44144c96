/* see watch.h */
#include "fake_api_world.h"

#include "kube/watch.h"

#define GIANT_BYTES (3u * 1024 * 1024)

static struct kube_watch watch;

/* ---- the owner's side ------------------------------------------------------------------------ */

static struct heard {
    uint32_t begins, ends, listed, added, modified, deleted, unreadable, states;
    bool is_connected;
    enum err state_err;
    char state_why[256];
    struct kube_list_end end;
    struct kube_unreadable what;
    char what_name[64], what_namespace[64], what_uid[64];
    char last_name[64];
    char last_version[64];
    size_t bytes_max;
    uint32_t seen_events[64]; /* how often the event of this version was given */
} heard;

static void on_begin(struct kube_watch *w)
{
    assert_ptr_equal(w->owner, &heard);
    heard.begins++;
    heard.listed = 0;
}

static void on_object(struct kube_watch *w, enum kube_change change, json object,
                      struct arena *arena)
{
    static uint32_t *const counts[] = {&heard.listed, &heard.added, &heard.modified,
                                       &heard.deleted};
    struct kube_meta meta;
    int64_t version;
    (void)w;
    (*counts[change])++;
    kube_meta_read(object, arena, &meta);
    (void)str_copy(heard.last_name, sizeof heard.last_name, meta.name);
    (void)str_copy(heard.last_version, sizeof heard.last_version, meta.resource_version);
    size_t bytes = json_raw(object).bytes;
    heard.bytes_max = bytes > heard.bytes_max ? bytes : heard.bytes_max;
    if (change != KUBE_LISTED && str_to_i64(meta.resource_version, &version)) {
        heard.seen_events[version % 64]++;
    }
}

static void on_end(struct kube_watch *w, const struct kube_list_end *end)
{
    (void)w;
    heard.ends++;
    heard.end = *end;
    assert_int_equal(end->objects, heard.listed);
}

static void on_unreadable(struct kube_watch *w, const struct kube_unreadable *what)
{
    (void)w;
    heard.unreadable++;
    heard.what = *what;
    (void)str_copy(heard.what_name, sizeof heard.what_name, what->meta.name);
    (void)str_copy(heard.what_namespace, sizeof heard.what_namespace, what->meta.name_space);
    (void)str_copy(heard.what_uid, sizeof heard.what_uid, what->meta.uid);
}

static void on_state(struct kube_watch *w, bool is_connected, enum err err, const char *why)
{
    (void)w;
    heard.states++;
    heard.is_connected = is_connected;
    heard.state_err = err;
    (void)str_copy(heard.state_why, sizeof heard.state_why, str_of(why));
}

static const struct kube_watch_handlers handlers = {on_begin, on_object, on_end, on_unreadable,
                                                    on_state};

/* ---- the server's side ----------------------------------------------------------------------- */

enum page_fault {
    PAGES_GOOD,
    PAGE_EXPIRES,
    PAGE_CHANGES_VERSION,
    PAGE_IS_CUT,
    PAGE_IS_401,
    PAGE_IS_429,
    PAGE_IS_NONSENSE,
    PAGE_HAS_BAD_ITEM
};
enum stream_fault {
    STREAM_GOOD,
    STREAM_IS_CUT,
    STREAM_ENDS,
    STREAM_HANGS,
    STREAM_ERROR,
    STREAM_IS_HTTP_410,
    STREAM_IS_401,
    STREAM_IS_NONSENSE
};

static struct server {
    uint32_t objects; /* in the list */
    enum page_fault page_fault;
    enum stream_fault stream_fault;
    uint32_t page_faults; /* how many more requests see the fault */
    uint32_t stream_faults;
    uint32_t events; /* versions 101 .. 100 + events */
    size_t cut_at;
    const char *error; /* STREAM_ERROR: the event */
    const char *token; /* the one that is accepted; NULL: any */
    char list_version[16];
    size_t giant_item_bytes; /* of the second item */
} server;

static uint32_t query_number(const struct fake_request *request, const char *key)
{
    ptrdiff_t at = str_find(request->path, str_of(key));
    return at < 0 ? 0 : (uint32_t)strtoul(request->path.ptr + at + strlen(key), NULL, 10);
}

static void put_item(struct buf *out, uint32_t n)
{
    buf_put_fmt(out,
                "{\"metadata\":{\"name\":\"pod-%u\",\"namespace\":\"web\",\"uid\":\"u-%u\","
                "\"resourceVersion\":\"%u\"},\"spec\":{\"x\":[1,2,{\"a\":\"}{\"}]}",
                n, n, n % 90);
    if (n == 1 && server.giant_item_bytes > 0) {
        buf_put_fmt(out, ",\"y\":\"%0*d\"", (int)server.giant_item_bytes, 0);
    }
    buf_put_char(out, '}');
}

static char page_text[512 * 1024];

static void answer_list(struct fake_conn *conn, const struct fake_request *request)
{
    struct buf out;
    uint32_t from = query_number(request, "continue=t");
    uint32_t limit = query_number(request, "limit=");
    uint32_t to = limit == 0 || from + limit > server.objects ? server.objects : from + limit;
    bool is_faulty = server.page_faults > 0 && (from > 0 || server.page_fault >= PAGE_IS_CUT);
    buf_init(&out, page_text, sizeof page_text);
    server.page_faults -= is_faulty;
    if (is_faulty && server.page_fault == PAGE_EXPIRES) {
        fake_reply_status(conn, 410, "Expired", "");
        return;
    }
    if (is_faulty && server.page_fault == PAGE_IS_401) {
        fake_reply_status(conn, 401, "Unauthorized", "");
        return;
    }
    if (is_faulty && server.page_fault == PAGE_IS_429) {
        fake_reply(conn, 429, "Retry-After: 5\r\n", STR_NONE);
        return;
    }
    if (is_faulty && server.page_fault == PAGE_IS_NONSENSE) {
        fake_reply(conn, 200, "", S("<html>welcome</html>"));
        return;
    }
    bool is_other = is_faulty && server.page_fault == PAGE_CHANGES_VERSION;
    buf_put_fmt(&out,
                "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":"
                "{\"resourceVersion\":\"%s\"",
                is_other ? "999" : server.list_version);
    if (to < server.objects) {
        buf_put_fmt(&out, ",\"continue\":\"t%u\"", to);
    }
    buf_put_text(&out, "},\"items\":[");
    for (uint32_t i = from; i < to; i++) {
        buf_put_text(&out, i > from ? "," : "");
        put_item(&out, i);
    }
    if (is_faulty && server.page_fault == PAGE_HAS_BAD_ITEM) {
        buf_put_text(&out, ",{\"metadata\":{\"name\":\"odd\",\"namespace\":\"web\"},\"x\":01}"
                           ",{\"x\":nonsense}");
    }
    buf_put_text(&out, "]}\n");
    assert_true(buf_ok(&out));
    if (is_faulty && server.page_fault == PAGE_IS_CUT) {
        static char raw[600 * 1024];
        int bytes = snprintf(raw, sizeof raw, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%.*s",
                             out.bytes, STR_ARG(buf_str(&out)));
        fake_raw(conn, str_sub(str_make(raw, (size_t)bytes), 0, server.cut_at));
        return;
    }
    fake_reply(conn, 200, "", buf_str(&out));
}

/* The events after a version, as chunks of one event each. */
static void put_events(struct buf *out, uint32_t after)
{
    static const char *const types[] = {"ADDED", "MODIFIED", "DELETED"};
    for (uint32_t i = after < 100 ? 0 : after - 100; i < server.events; i++) {
        char text[512];
        int bytes =
            snprintf(text, sizeof text,
                     "{\"type\":\"%s\",\"object\":{\"metadata\":{\"name\":\"pod-%u\","
                     "\"namespace\":\"web\",\"resourceVersion\":\"%u\"},\"s\":\"\\\"}\"}}\n",
                     types[i % 3], i, 101 + i);
        buf_put_fmt(out, "%x\r\n%s\r\n", (unsigned)bytes, text);
    }
}

static void answer_watch(struct fake_conn *conn, const struct fake_request *request)
{
    static char raw[64 * 1024];
    struct buf out;
    bool is_faulty = server.stream_faults > 0;
    server.stream_faults -= is_faulty;
    enum stream_fault fault = is_faulty ? server.stream_fault : STREAM_GOOD;
    if (fault == STREAM_IS_HTTP_410) {
        fake_reply_status(conn, 410, "Gone", "");
        return;
    }
    if (fault == STREAM_IS_401) {
        fake_reply_status(conn, 401, "Unauthorized", "");
        return;
    }
    buf_init(&out, raw, sizeof raw);
    buf_put_text(&out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    put_events(&out, query_number(request, "resourceVersion="));
    assert_true(buf_ok(&out));
    if (fault == STREAM_IS_CUT) {
        fake_raw(conn, str_sub(buf_str(&out), 0, server.cut_at));
        return;
    }
    buf_put(&conn->out, buf_str(&out));
    conn->is_streaming = true;
    if (fault == STREAM_ENDS) {
        fake_stream_end(conn);
    } else if (fault == STREAM_ERROR) {
        fake_stream_put(conn, str_of(server.error));
    } else if (fault == STREAM_IS_NONSENSE) {
        fake_stream_put(conn, S("]]]]\n"));
    } else {
        fake_stream_put(conn, S("\n"));
    }
    if (fault == STREAM_HANGS) {
        fake_hang(conn);
    }
}

static void answer(struct fake_api *api, struct fake_conn *conn, const struct fake_request *request)
{
    (void)api;
    if (server.token != NULL && str_find(request->head, str_of(server.token)) < 0) {
        fake_reply_status(conn, 401, "Unauthorized", "");
    } else if (fake_has(request, "watch=true")) {
        answer_watch(conn, request);
    } else {
        answer_list(conn, request);
    }
}

/* ---- set-up ---------------------------------------------------------------------------------- */

static void start_with(const struct kube_watch_config *change)
{
    struct kube_watch_config config = {.name = "pods",
                                       .kind = KUBE_POD,
                                       .field_selector = S("spec.nodeName=vk-1"),
                                       .handlers = &handlers,
                                       .owner = &heard};
    memset(&heard, 0, sizeof heard);
    server = (struct server){.objects = 3, .list_version = "100"};
    fake_step_ms = 1;
    world_start(answer);
    if (change != NULL) {
        config.object_bytes_max = change->object_bytes_max;
        config.page = change->page;
        config.metadata_only = change->metadata_only;
        config.from_cache = change->from_cache;
    }
    kube_watch_init(&watch, &world.loop, &world.region, &world.auth, &world.arena, 42, &config);
}

static int start(void **state)
{
    (void)state;
    start_with(NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kube_watch_stop(&watch);
    world_stop();
    return 0;
}

static bool is_streaming(void)
{
    return watch.state == KUBE_WATCH_STREAMING && watch.call.head.status == 200;
}

static void run_to_stream(void)
{
    kube_watch_start(&watch);
    assert_true(FAKE_UNTIL(&world.loop, 120000, is_streaming()));
}

static const char *seen_last(void)
{
    return world.api.seen[(world.api.requests - 1) % FAKE_SEEN_MAX];
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void test_lists_in_pages_then_watches(void **state)
{
    (void)state;
    server.objects = 1203;
    run_to_stream();
    assert_int_equal(heard.begins, 1);
    assert_int_equal(heard.ends, 1);
    assert_int_equal(heard.listed, 1203);
    assert_int_equal(heard.end.unreadable, 0);
    assert_string_equal(world.api.seen[0],
                        "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dvk-1&limit=500");
    assert_string_equal(
        world.api.seen[1],
        "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dvk-1&limit=500&continue=t500");
    assert_non_null(strstr(world.api.seen[3], "watch=true&allowWatchBookmarks=true&"
                                              "resourceVersion=100&timeoutSeconds="));
    assert_int_equal(world.api.requests, 4);
    assert_int_equal(world.api.accepted, 1); /* one connection for all of it */
    assert_int_equal(heard.states, 1);
    assert_true(heard.is_connected);
    assert_true(watch.is_synced);
}

static void test_expired_page_starts_the_list_again(void **state)
{
    (void)state;
    server.objects = 1203;
    server.page_fault = PAGE_EXPIRES;
    server.page_faults = 1;
    run_to_stream();
    assert_int_equal(heard.begins, 2);
    assert_int_equal(heard.ends, 1);
    assert_int_equal(heard.listed, 1203);
    assert_int_equal(heard.states, 1); /* that is not a lost connection */
}

static void test_pages_that_always_expire_are_given_up(void **state)
{
    (void)state;
    server.objects = 1203;
    server.page_fault = PAGE_EXPIRES;
    server.page_faults = 1000;
    run_to_stream();
    assert_int_equal(heard.begins, KUBE_LIST_BROKEN_MAX + 1);
    assert_int_equal(heard.listed, 1203);
    assert_int_equal(fake_seen(&world.api, "limit=500"), 2 * KUBE_LIST_BROKEN_MAX);
}

static void test_pages_of_two_versions_are_no_list(void **state)
{
    (void)state;
    server.objects = 600;
    server.page_fault = PAGE_CHANGES_VERSION;
    server.page_faults = 1;
    run_to_stream();
    assert_int_equal(heard.begins, 2);
    assert_int_equal(heard.ends, 1);
    assert_int_equal(heard.listed, 600);
    assert_string_equal(watch.version, "100");
}

static void test_list_cut_at_each_byte_is_never_complete(void **state)
{
    (void)state;
    (void)stop(NULL);
    for (size_t at = 0; at < 420; at += 7) {
        start_with(NULL);
        server.page_fault = PAGE_IS_CUT;
        server.page_faults = 1;
        server.cut_at = at;
        run_to_stream();
        assert_int_equal(heard.begins, 2);
        assert_int_equal(heard.ends, 1);
        assert_int_equal(heard.listed, 3);
        (void)stop(NULL);
    }
    (void)start(NULL);
}

static void test_list_reads_a_quorum_unless_told_otherwise(void **state)
{
    (void)state;
    run_to_stream();
    assert_null(strstr(world.api.seen[0], "resourceVersion"));
    (void)stop(NULL);
    start_with(&(struct kube_watch_config){.from_cache = true});
    run_to_stream();
    assert_non_null(strstr(world.api.seen[0], "resourceVersion=0"));
}

static void test_nonsense_instead_of_a_list(void **state)
{
    (void)state;
    server.page_fault = PAGE_IS_NONSENSE;
    server.page_faults = 1;
    run_to_stream();
    assert_int_equal(heard.states, 3); /* connected, nonsense, connected */
    assert_int_equal(heard.ends, 1);
}

static void test_bad_items_are_reported_and_stop_nothing(void **state)
{
    (void)state;
    server.page_fault = PAGE_HAS_BAD_ITEM;
    server.page_faults = 1;
    run_to_stream();
    assert_int_equal(heard.ends, 1);
    assert_int_equal(heard.listed, 3);
    assert_int_equal(heard.unreadable, 2);
    assert_int_equal(heard.end.unreadable, 2);
    assert_int_equal(heard.end.nameless, 1);
    assert_int_equal(heard.what.err, ERR_BAD_INPUT);
    assert_string_equal(heard.what_name, "");
}

static void test_throttled_list_waits_as_told(void **state)
{
    (void)state;
    server.page_fault = PAGE_IS_429;
    server.page_faults = 1;
    kube_watch_start(&watch);
    assert_false(FAKE_UNTIL(&world.loop, 4900, is_streaming()));
    assert_int_equal(heard.state_err, ERR_THROTTLED);
    assert_true(FAKE_UNTIL(&world.loop, 1000, is_streaming()));
}

/* ---- streams --------------------------------------------------------------------------------- */

static void test_events_move_the_position(void **state)
{
    (void)state;
    server.events = 5;
    run_to_stream();
    assert_true(FAKE_UNTIL(&world.loop, 100, watch.events == 5));
    assert_int_equal(heard.added, 2);
    assert_int_equal(heard.modified, 2);
    assert_int_equal(heard.deleted, 1);
    assert_string_equal(watch.version, "105");
}

static void test_bookmarks_move_the_position(void **state)
{
    (void)state;
    run_to_stream();
    fake_stream_put(fake_streaming(&world.api),
                    S("{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{"
                      "\"resourceVersion\":\"777\",\"creationTimestamp\":null}}}\n"));
    assert_true(FAKE_UNTIL(&world.loop, 100, watch.bookmarks == 1));
    fake_pass(&world.loop, 2000);
    fake_stream_end(fake_streaming(&world.api));
    assert_true(FAKE_UNTIL(&world.loop, 100, watch.resumes == 1 && is_streaming()));
    assert_non_null(strstr(seen_last(), "resourceVersion=777"));
    assert_int_equal(heard.begins, 1);
    assert_int_equal(heard.states, 1);
    assert_int_equal(heard.added + heard.modified, 0);
}

static void test_stream_cut_at_each_byte_loses_nothing(void **state)
{
    (void)state;
    (void)stop(NULL);
    for (size_t at = 0; at < 640; at += 3) {
        start_with(NULL);
        server.events = 4;
        server.stream_fault = STREAM_IS_CUT;
        server.stream_faults = 1;
        server.cut_at = at;
        run_to_stream();
        assert_true(FAKE_UNTIL(&world.loop, 60000, strcmp(watch.version, "104") == 0));
        for (uint32_t version = 101; version <= 104; version++) {
            assert_int_equal(heard.seen_events[version % 64], 1); /* none lost, none doubled */
        }
        assert_int_equal(heard.begins, 1);
        (void)stop(NULL);
    }
    (void)start(NULL);
}

static void test_too_old_in_all_spellings_lists_again(void **state)
{
    static const char *const errors[] = {
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}",
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":"
        "\"too old resource version: 1 (5)\",\"reason\":\"Expired\",\"code\":410}}\n",
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"reason\":\"Gone\"}}",
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"reason\":\"Expired\",\"code\":0}}",
        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":500,\"reason\":"
        "\"InternalError\",\"message\":\"etcdserver: mvcc: required revision has been "
        "compacted\"}}",
        NULL, /* HTTP 410 */
    };
    (void)state;
    (void)stop(NULL);
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        start_with(NULL);
        server.stream_fault = errors[i] == NULL ? STREAM_IS_HTTP_410 : STREAM_ERROR;
        server.stream_faults = 1;
        server.error = errors[i];
        kube_watch_start(&watch);
        assert_true(FAKE_UNTIL(&world.loop, 2000, heard.ends == 2 && is_streaming()));
        assert_int_equal(heard.states, 1);
        (void)stop(NULL);
    }
    (void)start(NULL);
}

static void test_always_too_old_is_not_listed_without_end(void **state)
{
    (void)state;
    server.stream_fault = STREAM_ERROR;
    server.stream_faults = 1000;
    server.error = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}";
    kube_watch_start(&watch);
    fake_step_ms = 5;
    fake_pass(&world.loop, 120000);
    assert_in_range(heard.ends, 6, 14);
}

static void test_other_error_events_resume_then_list(void **state)
{
    (void)state;
    server.stream_fault = STREAM_ERROR;
    server.stream_faults = KUBE_WATCH_BROKEN_MAX;
    server.error = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":500}}";
    kube_watch_start(&watch);
    assert_true(FAKE_UNTIL(&world.loop, 20000, heard.ends == 2 && is_streaming()));
    assert_int_equal(watch.resumes, KUBE_WATCH_BROKEN_MAX - 1);
}

static void test_nonsense_in_the_stream_resumes_then_lists(void **state)
{
    (void)state;
    server.stream_fault = STREAM_IS_NONSENSE;
    server.stream_faults = KUBE_WATCH_BROKEN_MAX;
    kube_watch_start(&watch);
    assert_true(FAKE_UNTIL(&world.loop, 20000, heard.ends == 2 && is_streaming()));
}

static void test_silent_death_is_noticed(void **state)
{
    (void)state;
    server.stream_fault = STREAM_HANGS;
    server.stream_faults = 1;
    fake_step_ms = 20;
    run_to_stream();
    msec began_ms = fake_now_ms;
    server.events = 1; /* happens while the connection is dead */
    assert_true(FAKE_UNTIL(&world.loop, 90000, watch.events == 1));
    assert_in_range(fake_now_ms - began_ms, KUBE_WATCH_IDLE_MS - 1000, KUBE_WATCH_IDLE_MS + 1000);
    assert_int_equal(heard.begins, 1);
    assert_int_equal(heard.states, 1);
    assert_int_equal(world.api.accepted, 2);
    assert_non_null(
        strstr(seen_last(), "timeoutSeconds=60")); /* its end will be the sign of life */
}

static void test_quiet_streams_keep_the_connection(void **state)
{
    (void)state;
    fake_step_ms = 20;
    run_to_stream();
    assert_true(FAKE_UNTIL(&world.loop, 90000, watch.resumes == 1 && is_streaming()));
    for (uint32_t i = 2; i < KUBE_WATCH_SILENT_MAX; i++) {
        fake_pass(&world.loop, 60000);
        fake_stream_end(fake_streaming(&world.api));
        assert_true(FAKE_UNTIL(&world.loop, 1000, watch.resumes == i && is_streaming()));
    }
    assert_int_equal(world.api.accepted, 2);
    assert_int_equal(heard.begins, 1);
    fake_pass(&world.loop, 60000);
    fake_stream_end(fake_streaming(&world.api)); /* long enough: look at everything again */
    assert_true(FAKE_UNTIL(&world.loop, 1000, heard.ends == 2 && is_streaming()));
    assert_int_equal(world.api.accepted, 2);
}

static void test_streams_that_end_at_once_back_off(void **state)
{
    (void)state;
    server.stream_fault = STREAM_ENDS;
    server.stream_faults = 1000;
    fake_step_ms = 5;
    kube_watch_start(&watch);
    fake_pass(&world.loop, 60000);
    assert_in_range(world.api.requests, 5, 12);
    assert_int_equal(heard.states, 1);
}

static void test_server_away_and_back_resumes(void **state)
{
    (void)state;
    server.events = 2;
    run_to_stream();
    assert_true(FAKE_UNTIL(&world.loop, 100, watch.events == 2));
    fake_api_stop(&world.api);
    fake_step_ms = 10;
    assert_true(FAKE_UNTIL(&world.loop, 2000, !heard.is_connected));
    fake_pass(&world.loop, 180000);
    assert_int_equal(heard.state_err, ERR_REFUSED_CONN);
    assert_int_equal(heard.states, 3);              /* connected; closed; refused: each said once */
    assert_in_range(watch.client.connects, 16, 40); /* each try within ten seconds of the last */
    server.events = 3;
    fake_api_restart(&world.api);
    assert_true(FAKE_UNTIL(&world.loop, 15000, watch.events == 3));
    assert_true(heard.is_connected);
    assert_int_equal(heard.begins, 1);
    assert_int_equal(heard.seen_events[103 % 64], 1);
}

static void test_rotated_token_resumes_at_once(void **state)
{
    (void)state;
    server.token = "token-1";
    fake_step_ms = 10;
    run_to_stream();
    fake_pass(&world.loop, 20000);
    server.token = "token-2";
    world_set_token("token-2");
    fake_stream_end(fake_streaming(&world.api));
    assert_true(FAKE_UNTIL(&world.loop, 500, watch.resumes == 2 && is_streaming()));
    assert_int_equal(heard.begins, 1);
    assert_int_equal(heard.states, 1);
}

static void test_refused_token_is_said_and_healed(void **state)
{
    (void)state;
    server.token = "token-2";
    fake_step_ms = 10;
    kube_watch_start(&watch);
    fake_pass(&world.loop, 15000);
    assert_int_equal(heard.states, 1);
    assert_false(heard.is_connected);
    assert_int_equal(heard.state_err, ERR_AUTH);
    assert_string_equal(heard.state_why, "401 Unauthorized: scripted Unauthorized");
    assert_in_range(world.api.requests, 3, 9);
    world_set_token("token-2");
    assert_true(FAKE_UNTIL(&world.loop, 40000, is_streaming()));
}

/* ---- large and odd objects ------------------------------------------------------------------- */

static void put_giant(const char *head, size_t fill_bytes, char fill, const char *tail)
{
    static char text[GIANT_BYTES + 4096];
    size_t head_bytes = strlen(head);
    memcpy(text, head, head_bytes);
    memset(text + head_bytes, fill, fill_bytes);
    memcpy(text + head_bytes + fill_bytes, tail, strlen(tail));
    fake_stream_put(fake_streaming(&world.api),
                    str_make(text, head_bytes + fill_bytes + strlen(tail)));
}

static const char giant_head[] =
    "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"giant\","
    "\"namespace\":\"web\",\"uid\":\"u-9\",\"resourceVersion\":"
    "\"150\"},\"data\":\"";
static const char small_event[] =
    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"after\","
    "\"resourceVersion\":\"151\"}}}\n";

static void test_giant_object_passes(void **state)
{
    (void)state;
    run_to_stream();
    put_giant(giant_head, GIANT_BYTES, 'x', "\"}}\n");
    assert_true(FAKE_UNTIL(&world.loop, 5000, watch.events == 1));
    assert_int_equal(heard.modified, 1);
    assert_true(heard.bytes_max > GIANT_BYTES);
    assert_string_equal(watch.version, "150");
}

static void test_too_big_an_object_is_named_and_passed_over(void **state)
{
    (void)state;
    (void)stop(NULL);
    start_with(&(struct kube_watch_config){.object_bytes_max = 100 * 1024});
    run_to_stream();
    put_giant(giant_head, 200 * 1024, 'x', "\"}}\n");
    fake_stream_put(fake_streaming(&world.api), str_of(small_event));
    assert_true(FAKE_UNTIL(&world.loop, 5000, heard.added == 1));
    assert_int_equal(heard.unreadable, 1);
    assert_int_equal(heard.what.err, ERR_TOO_BIG);
    assert_int_equal(heard.what.change, KUBE_MODIFIED);
    assert_string_equal(heard.what_name, "giant");
    assert_string_equal(heard.what_namespace, "web");
    assert_string_equal(heard.what_uid, "u-9");
    assert_string_equal(watch.version, "151");
    assert_int_equal(watch.resumes, 0);
}

static void test_too_big_an_item_of_a_list_is_named(void **state)
{
    (void)state;
    (void)stop(NULL);
    start_with(&(struct kube_watch_config){.object_bytes_max = 16 * 1024});
    server.giant_item_bytes = 20 * 1024;
    run_to_stream();
    assert_int_equal(heard.ends, 1);
    assert_int_equal(heard.listed, 2);
    assert_int_equal(heard.end.unreadable, 1);
    assert_int_equal(heard.end.nameless, 0);
    assert_int_equal(heard.what.err, ERR_TOO_BIG);
    assert_int_equal(heard.what.change, KUBE_LISTED);
    assert_string_equal(heard.what_name, "pod-1");
}

static void test_unknown_event_type_is_nonsense(void **state)
{
    (void)state;
    run_to_stream();
    fake_stream_put(fake_streaming(&world.api), S("{\"type\":\"RENAMED\",\"object\":{}}\n"));
    assert_true(FAKE_UNTIL(&world.loop, 2000, watch.resumes == 1 && is_streaming()));
    assert_int_equal(heard.begins, 1);
}

static void test_object_of_too_many_members_is_named(void **state)
{
    (void)state;
    run_to_stream();
    char head[256];
    (void)snprintf(head, sizeof head, "%.*s\",\"many\":", (int)sizeof giant_head - 1, giant_head);
    put_giant(head, GIANT_BYTES, '[', "}}\n"); /* deeper and more than any arena holds */
    fake_stream_put(fake_streaming(&world.api), str_of(small_event));
    fake_pass(&world.loop, 1000);
    assert_int_equal(heard.added + heard.unreadable,
                     0); /* brackets do not close: still one piece */
    fake_stream_end(fake_streaming(&world.api));
    fake_pass(&world.loop, 3000);
    assert_int_equal(heard.begins, 1);
    assert_string_equal(watch.version, "100");
}

static void test_object_beyond_the_arena_is_named(void **state)
{
    (void)state;
    run_to_stream();
    world.arena.bytes_max = 64 * 1024;
    static char many[64 * 1024];
    struct buf out;
    buf_init(&out, many, sizeof many);
    buf_put_fmt(&out, "%.*s\",\"many\":[0", (int)sizeof giant_head - 1, giant_head);
    for (int i = 0; i < 20000; i++) {
        buf_put_text(&out, ",0");
    }
    buf_put_text(&out, "]}}\n");
    fake_stream_put(fake_streaming(&world.api), buf_str(&out));
    fake_stream_put(fake_streaming(&world.api), str_of(small_event));
    assert_true(FAKE_UNTIL(&world.loop, 1000, heard.added == 1));
    assert_int_equal(heard.unreadable, 1);
    assert_int_equal(heard.what.err, ERR_FULL);
    assert_string_equal(heard.what_name, "giant");
    world.arena.bytes_max = WORLD_ARENA_BYTES;
}

/* Whichever take of memory fails: nothing is lost without a word, and the stream goes on. */
static void test_each_take_of_memory_may_fail(void **state)
{
    (void)state;
    (void)stop(NULL);
    for (uint64_t n = 1; n < 40; n++) {
        start_with(NULL);
        server.events = 4;
        kube_watch_start(&watch);
        arena_fail_at(n);
        assert_true(FAKE_UNTIL(&world.loop, 60000, strcmp(watch.version, "104") == 0));
        arena_fail_at(0);
        uint32_t told = heard.added + heard.modified + heard.deleted + heard.listed;
        assert_true(told + heard.unreadable >= 4 + 3);
        (void)stop(NULL);
    }
    (void)start(NULL);
}

/* ---- from outside ---------------------------------------------------------------------------- */

static void test_relist_gives_fresh_evidence(void **state)
{
    (void)state;
    run_to_stream();
    fake_pass(&world.loop, 5000);
    msec asked_ms = fake_now_ms;
    kube_watch_relist(&watch);
    assert_true(FAKE_UNTIL(&world.loop, 1000, heard.ends == 2 && is_streaming()));
    assert_true(watch.synced_at_ms >= asked_ms - 1);
    kube_watch_stop(&watch);
    kube_watch_relist(&watch); /* off: nothing */
    fake_pass(&world.loop, 1000);
    assert_int_equal(heard.ends, 2);
    run_to_stream();
    assert_int_equal(heard.ends, 3);
}

static void test_metadata_only_is_asked_for(void **state)
{
    (void)state;
    (void)stop(NULL);
    start_with(&(struct kube_watch_config){.metadata_only = true});
    server.page_fault = PAGE_IS_429;
    server.page_faults = 1;
    kube_watch_start(&watch);
    assert_true(FAKE_UNTIL(&world.loop, 1000, world.api.requests == 1));
    assert_non_null(strstr(world.api.last_head,
                           "Accept: application/json;as=PartialObjectMetadataList;g=meta.k8s.io;"
                           "v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;"
                           "v=v1beta1,application/json\r\n"));
    assert_true(FAKE_UNTIL(&world.loop, 10000, is_streaming()));
    assert_non_null(
        strstr(world.api.last_head,
               "Accept: application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,"));
}

static void test_prefix_of_the_server_is_kept(void **state)
{
    (void)state;
    fake_pass(&world.loop, 2 * HTTP_CONNECT_MS + 100);
    world_write_kubeconfig("/k8s/clusters/c-1/");
    assert_true(kube_auth_reload(&world.auth));
    run_to_stream();
    assert_non_null(strstr(world.api.seen[0], "GET /k8s/clusters/c-1/api/v1/pods?"));
}

static void test_secrets_do_not_stay_in_the_request(void **state)
{
    (void)state;
    run_to_stream();
    assert_true(str_find(str_make(watch.request.ptr, watch.request.bytes_max), S("token-1")) < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lists_in_pages_then_watches),
        TEST(test_expired_page_starts_the_list_again),
        TEST(test_pages_that_always_expire_are_given_up),
        TEST(test_pages_of_two_versions_are_no_list),
        TEST(test_list_cut_at_each_byte_is_never_complete),
        TEST(test_list_reads_a_quorum_unless_told_otherwise),
        TEST(test_nonsense_instead_of_a_list),
        TEST(test_bad_items_are_reported_and_stop_nothing),
        TEST(test_throttled_list_waits_as_told),
        TEST(test_events_move_the_position),
        TEST(test_bookmarks_move_the_position),
        TEST(test_stream_cut_at_each_byte_loses_nothing),
        TEST(test_too_old_in_all_spellings_lists_again),
        TEST(test_always_too_old_is_not_listed_without_end),
        TEST(test_other_error_events_resume_then_list),
        TEST(test_nonsense_in_the_stream_resumes_then_lists),
        TEST(test_silent_death_is_noticed),
        TEST(test_quiet_streams_keep_the_connection),
        TEST(test_streams_that_end_at_once_back_off),
        TEST(test_server_away_and_back_resumes),
        TEST(test_rotated_token_resumes_at_once),
        TEST(test_refused_token_is_said_and_healed),
        TEST(test_giant_object_passes),
        TEST(test_too_big_an_object_is_named_and_passed_over),
        TEST(test_too_big_an_item_of_a_list_is_named),
        TEST(test_unknown_event_type_is_nonsense),
        TEST(test_object_of_too_many_members_is_named),
        TEST(test_object_beyond_the_arena_is_named),
        TEST(test_each_take_of_memory_may_fail),
        TEST(test_relist_gives_fresh_evidence),
        TEST(test_metadata_only_is_asked_for),
        TEST(test_prefix_of_the_server_is_kept),
        TEST(test_secrets_do_not_stay_in_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
