/*
 * eci_call and eci_curl against a scripted server on loopback: what is sent, what each reply and
 * each accident becomes, what is repeated, and that nothing leaks or lingers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/mman.h>
#include <dlfcn.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/codec.h"
#include "eci/eci_call.h"
#include "os/os.h"
#include "test_eci_server.h"

#define KEY_ID "LTAI4EXAMPLEKEYID00001"
#define KEY_SECRET "EXAMPLEsecretKEY0123456789abcd"

#define OK_BODY "{\"RequestId\":\"R-1\",\"ContainerGroupId\":\"eci-1\"}"
#define OK_STEP \
    { \
        SAY, "200 OK", NULL, OK_BODY, 0 \
    }

enum {
    SMALL_COUNT = 24,
    PAGE_COUNT = 2,
    SMALL_BYTES = 64 * 1024,
    PAGE_BYTES = 2 * 1024 * 1024,
    ARENA_BYTES = 4 * 1024 * 1024,
    PATIENCE_MS = 20000 /* for a slow machine; no test waits that long by design */
};

/* ---- the world ------------------------------------------------------------------------------- */

/* What a call ended with; texts are copied out of the reply. */
struct outcome {
    int count; /* how often on_done came */
    enum err err;
    int http_status;
    char code[64], message[256], request_id[64], why[ECI_WHY_BYTES], group_id[64];
    bool was_sent, was_repeated, has_root;
    int64_t retry_after_s;
    handle subject;
};

struct world {
    struct server *server;
    struct loop loop;
    struct region region;
    struct arena arena, request_arena;
    struct params params;
    struct eci_client client;
    void *region_memory, *arena_memory, *request_memory;
    struct eci_call_config config;
    char endpoint[128];
};

static void init_client(struct world *w)
{
    for (int pass = 0; pass < 2; pass++) { /* plan, then carve */
        assert_int_equal(loop_init(&w->loop, &w->region, 64), ERR_OK);
        assert_int_equal(eci_client_init(&w->client, &w->loop, &w->region, &w->config), ERR_OK);
        if (pass == 0) {
            close(w->loop.epoll_fd);
            w->region_memory = os_map(w->region.used);
            region_init(&w->region, w->region_memory, w->region.used);
        }
    }
    region_seal(&w->region);
    assert_int_equal(eci_client_set_keys(&w->client, S(KEY_ID), S(KEY_SECRET), STR_NONE), ERR_OK);
}

static struct world *world_begin(const struct step *steps, int steps_count)
{
    struct world *w = calloc(1, sizeof *w);
    w->server = server_start(steps, steps_count);
    server_run(w->server);
    w->arena_memory = malloc(ARENA_BYTES);
    w->request_memory = malloc(ARENA_BYTES);
    arena_init(&w->arena, w->arena_memory, ARENA_BYTES);
    snprintf(w->endpoint, sizeof w->endpoint, "http://127.0.0.1:%u", w->server->port);
    w->config = (struct eci_call_config){
        .endpoint = str_of(w->endpoint),
        .region_id = S("cn-test"),
        .arena = &w->arena,
        .small_count = SMALL_COUNT,
        .small_bytes = SMALL_BYTES,
        .page_count = PAGE_COUNT,
        .page_bytes = PAGE_BYTES,
        .kept_max = 4,
    };
    region_init(&w->region, NULL, 0);
    return w;
}

static struct world *world_start(const struct step *steps, int steps_count)
{
    struct world *w = world_begin(steps, steps_count);
    init_client(w);
    return w;
}
#define WORLD(...) \
    world_start((const struct step[]){__VA_ARGS__}, \
                (int)(sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step)))

static void world_stop(struct world *w)
{
    assert_int_equal(w->arena.used, 0);
    eci_client_stop(&w->client);
    assert_int_equal(w->client.calls.count, 0);
    assert_int_equal(w->client.small.free_count, SMALL_COUNT);
    assert_int_equal(w->client.page.free_count, PAGE_COUNT);
    for (uint32_t i = 0; i < w->client.curl.watches_count; i++) {
        assert_int_equal(w->client.curl.watches[i].fd, -1);
    }
    assert_int_equal(w->client.curl.counters.watches_refused, 0);
    assert_int_equal(w->loop.timers.count, 0);
    close(w->loop.epoll_fd);
    server_stop(w->server);
    munmap(w->region_memory, w->region.used);
    free(w->arena_memory);
    free(w->request_memory);
    free(w);
}

static void keep(char *to, size_t to_bytes, str s)
{
    (void)str_copy(to, to_bytes, s);
}

static void on_done(void *owner, enum err err, const struct eci_reply *reply)
{
    struct outcome *o = owner;
    o->count++;
    o->err = err;
    o->http_status = reply->http_status;
    o->was_sent = reply->was_sent;
    o->was_repeated = reply->was_repeated;
    o->has_root = json_is_there(reply->root);
    o->retry_after_s = reply->retry_after_s;
    o->subject = reply->subject;
    keep(o->code, sizeof o->code, reply->code);
    keep(o->message, sizeof o->message, reply->message);
    keep(o->request_id, sizeof o->request_id, reply->request_id);
    keep(o->why, sizeof o->why, reply->why);
    keep(o->group_id, sizeof o->group_id,
         json_text(json_get_nocase(reply->root, "containergroupid"), reply->arena));
    assert_true((err == ERR_OK) == str_is_empty(reply->why));
    assert_true(reply->took_ms >= 0);
}

static struct params *fresh_params(struct world *w)
{
    arena_init(&w->request_arena, w->request_memory, ARENA_BYTES);
    assert_int_equal(params_init(&w->params, &w->request_arena), ERR_OK);
    return &w->params;
}

static enum err start(struct world *w, enum eci_action action, struct outcome *o, msec deadline_ms,
                      handle *call)
{
    struct eci_want want = {
        .action = action,
        .params = &w->params,
        .deadline_ms = deadline_ms,
        .on_done = on_done,
        .owner = o,
        .subject = {7, 9},
    };
    *o = (struct outcome){.count = 0};
    return eci_call_start(&w->client, &want, call);
}

static void turn_until(struct world *w, const int *count, int wanted)
{
    msec give_up_ms = os_now_ms() + PATIENCE_MS;
    while (*count < wanted && os_now_ms() < give_up_ms) {
        loop_turn(&w->loop, os_now_ms() + 20);
    }
    assert_int_equal(*count, wanted);
}

static void turn_for(struct world *w, msec ms)
{
    msec until_ms = os_now_ms() + ms;
    while (os_now_ms() < until_ms) {
        loop_turn(&w->loop, until_ms);
    }
}

/* One call from start to end. */
static struct outcome call(struct world *w, enum eci_action action)
{
    struct outcome o;
    assert_int_equal(start(w, action, &o, 0, NULL), ERR_OK);
    turn_until(w, &o.count, 1);
    return o;
}

static struct outcome read_call(struct world *w)
{
    fresh_params(w);
    return call(w, ECI_DESCRIBE_REGIONS);
}

/* A write that carries a ClientToken. */
static struct outcome write_call(struct world *w)
{
    params_add(fresh_params(w), S("ClientToken"), S("t-1"));
    return call(w, ECI_CREATE_GROUP);
}

static struct outcome tokenless_write(struct world *w)
{
    params_add(fresh_params(w), S("ContainerGroupId"), S("eci-1"));
    return call(w, ECI_EXEC);
}

/* ---- looking at requests -----------------------------------------------------------------------
 */

static str form_value(const struct request *request, const char *name, char *memory, size_t bytes)
{
    str rest = str_of(request->body), pair;
    struct buf out;
    buf_init(&out, memory, bytes);
    while (str_cut(&rest, '&', &pair)) {
        str key;
        str_cut(&pair, '=', &key);
        if (str_eq(key, str_of(name))) {
            assert_int_equal(codec_get_percent(&out, pair, true), ERR_OK);
        }
    }
    return buf_str(&out);
}

static void assert_form(const struct request *request, const char *name, const char *expected)
{
    char memory[8192];
    str value = form_value(request, name, memory, sizeof memory);
    if (!str_eq(value, str_of(expected))) {
        fail_msg("%s is \"%.*s\", not \"%s\"", name, STR_ARG(value), expected);
    }
}

static void assert_signed(const struct request *request, const char *secret)
{
    static char scratch_memory[8 * 1024 * 1024];
    char signature[ECI_SIGNATURE_BYTES + 1];
    struct buf scratch;
    str body = str_of(request->body);
    ptrdiff_t end = str_find(body, S("&Signature="));
    assert_true(end > 0);
    buf_init(&scratch, scratch_memory, sizeof scratch_memory);
    assert_int_equal(
        eci_sign_text(signature, "POST", str_sub(body, 0, (size_t)end), str_of(secret), scratch),
        ERR_OK);
    assert_form(request, "Signature", signature);
}

static int64_t form_time(const struct request *request)
{
    char memory[64];
    int64_t unix_s = 0;
    assert_true(codec_get_time(form_value(request, "Timestamp", memory, sizeof memory), &unix_s));
    return unix_s;
}

static void assert_nonces_differ(const struct request *a, const struct request *b, bool differ)
{
    char memory_a[64], memory_b[64];
    str x = form_value(a, "SignatureNonce", memory_a, sizeof memory_a);
    str y = form_value(b, "SignatureNonce", memory_b, sizeof memory_b);
    assert_int_equal(x.bytes, ECI_NONCE_BYTES);
    assert_int_equal(str_eq(x, y), !differ);
}

static bool has_head(const struct request *request, const char *line)
{
    return strcasestr(request->head, line) != NULL;
}

/* ---- what is sent ------------------------------------------------------------------------------
 */

/* A crash starts the program anew in the same process (os/crash.h): what it has open must not come
 * along. */
static void test_eci_call_leaves_no_socket_to_the_next_life(void **state)
{
    struct world *w = WORLD(OK_STEP);
    int ours = 0;
    (void)state;
    (void)fresh_params(w);
    assert_int_equal(call(w, ECI_CREATE_GROUP).err, ERR_OK);
    for (int fd = 3; fd < 1024; fd++) { /* the connection is kept for the next call */
        struct sockaddr_in peer = {.sin_family = AF_UNSPEC};
        socklen_t bytes = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &bytes) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == w->server->port) {
            assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
            ours++;
        }
    }
    assert_int_equal(ours, 1);
    world_stop(w);
}

static void test_eci_call_request_and_reply(void **state)
{
    struct world *w = WORLD(OK_STEP);
    (void)state;
    params_add(fresh_params(w), S("ClientToken"), S("t-1"));
    params_add(&w->params, S("ContainerGroupName"), S("demo + 你好"));
    struct outcome o = call(w, ECI_CREATE_GROUP);
    assert_int_equal(o.err, ERR_OK);
    assert_int_equal(o.http_status, 200);
    assert_string_equal(o.request_id, "R-1");
    assert_string_equal(o.group_id, "eci-1");
    assert_true(o.was_sent && !o.was_repeated && o.has_root);
    assert_int_equal(o.retry_after_s, -1);
    assert_true(handle_eq(o.subject, (handle){7, 9}));
    const struct request *r = &w->server->requests[0];
    assert_true(strncmp(r->head, "POST / HTTP/1.1\r\n", 17) == 0);
    assert_true(has_head(r, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
    assert_true(has_head(r, "\r\nAccept-Encoding: gzip\r\n"));
    assert_true(has_head(r, "\r\nAccept: application/json\r\n"));
    assert_false(has_head(r, "\r\nExpect:"));
    assert_form(r, "Action", "CreateContainerGroup");
    assert_form(r, "RegionId", "cn-test");
    assert_form(r, "AccessKeyId", KEY_ID);
    assert_form(r, "ContainerGroupName", "demo + 你好");
    assert_form(r, "Version", "2018-08-08");
    assert_form(r, "Format", "JSON");
    assert_form(r, "SecurityToken", "");
    assert_signed(r, KEY_SECRET);
    assert_true(llabs(form_time(r) - os_wall_ms() / 1000) <= 5);
    assert_int_equal(w->client.counters.calls[ECI_CREATE_GROUP], 1);
    assert_int_equal(w->client.counters.failures[ECI_CREATE_GROUP], 0);
    world_stop(w);
}

static void test_eci_call_keys_are_taken_over_without_restart(void **state)
{
    char id[ECI_KEY_BYTES + 1];
    struct world *w = WORLD(OK_STEP);
    (void)state;
    memset(id, 'k', sizeof id);
    assert_int_equal(write_call(w).err, ERR_OK);
    assert_int_equal(eci_client_set_keys(&w->client, S("id2"), S("secret2"), S("token2")), ERR_OK);
    assert_int_equal(write_call(w).err, ERR_OK);
    assert_form(&w->server->requests[1], "AccessKeyId", "id2");
    assert_form(&w->server->requests[1], "SecurityToken", "token2");
    assert_signed(&w->server->requests[1], "secret2");
    /* unusable keys change nothing */
    assert_int_equal(eci_client_set_keys(&w->client, STR_NONE, S("s"), STR_NONE), ERR_BAD_INPUT);
    assert_int_equal(eci_client_set_keys(&w->client, S("i"), STR_NONE, STR_NONE), ERR_BAD_INPUT);
    assert_int_equal(eci_client_set_keys(&w->client, str_make(id, ECI_KEY_BYTES), S("s"), STR_NONE),
                     ERR_BAD_INPUT);
    assert_int_equal(write_call(w).err, ERR_OK);
    assert_signed(&w->server->requests[2], "secret2");
    world_stop(w);
}

static void test_eci_call_without_keys_is_not_sent(void **state)
{
    struct world *w = WORLD(OK_STEP);
    struct outcome o;
    (void)state;
    w->client.keys_turn = 0;
    fresh_params(w);
    assert_int_equal(start(w, ECI_DESCRIBE_REGIONS, &o, 0, NULL), ERR_AUTH);
    turn_for(w, 30);
    assert_int_equal(o.count, 0);
    assert_int_equal(server_requests(w->server), 0);
    world_stop(w);
}

/* ---- replies ------------------------------------------------------------------------------------
 */

static const struct {
    struct step step;
    enum err read, write; /* what a read and a write make of it */
    const char *why;      /* of the read */
} replies[] = {
    {{SAY, "403 Forbidden", "Retry-After: 7\r\n",
      "{\"RequestId\":\"R-2\",\"Code\":\"Forbidden.RAM\",\"Message\":\"not you\"}", 0},
     ERR_FORBIDDEN,
     ERR_FORBIDDEN,
     "403 Forbidden.RAM: not you (R-2)"},
    {{SAY, "400 Bad", NULL,
      "{\"requestId\":\"R-2\",\"code\":\"Throttling.User\",\"message\":\"m\"}", 0},
     ERR_THROTTLED,
     ERR_THROTTLED,
     "400 Throttling.User: m (R-2)"},
    {{SAY, "200 OK", NULL, "{\"RequestId\":\"R-2\",\"Code\":\"OperationDenied.NoStock\"}", 0},
     ERR_STOCK,
     ERR_STOCK,
     "200 OperationDenied.NoStock:  (R-2)"},
    {{SAY, "400 Bad", NULL, "{\"RequestId\":\"R-2\",\"Code\":\"DryRunOperation\"}", 0},
     ERR_OK,
     ERR_OK,
     ""},
    {{SAY, "503 Busy", NULL, "<html>busy</html>", 0},
     ERR_SERVER,
     ERR_LOST_WRITE,
     "HTTP 503: server error (5xx)"},
    {{SAY, "500 Oops", NULL, "{\"RequestId\":\"R-2\",\"Code\":\"InternalError\",\"Message\":\"m\"}",
      0},
     ERR_SERVER,
     ERR_LOST_WRITE,
     "500 InternalError: m (R-2)"},
    {{SAY, "404 Not Found", NULL, "<html>portal</html>", 0},
     ERR_BAD_REPLY,
     ERR_LOST_WRITE,
     "HTTP 404: malformed reply"},
    {{SAY, "302 Found", "Location: http://127.0.0.1:1/\r\n", "", 0},
     ERR_BAD_REPLY,
     ERR_LOST_WRITE,
     "HTTP 302: malformed reply"},
    {{SAY, "200 OK", NULL, "{\"RequestId\":\"R-2\"", 0},
     ERR_BAD_REPLY,
     ERR_LOST_WRITE,
     "HTTP 200: malformed reply"},
    {{SAY, "200 OK", NULL, "", 0}, ERR_BAD_REPLY, ERR_LOST_WRITE, "HTTP 200: malformed reply"},
    {{SAY, "200 OK", NULL, "[]", 0}, ERR_BAD_REPLY, ERR_LOST_WRITE, "HTTP 200: malformed reply"},
    {{SAY, "200 OK", "Content-Encoding: gzip\r\n", "no gzip at all", 0},
     ERR_BAD_REPLY,
     ERR_LOST_WRITE,
     NULL},
    {{CUT_BEFORE, NULL, NULL, NULL, 0}, ERR_CLOSED, ERR_LOST_WRITE, NULL},
    {{RESET, NULL, NULL, NULL, 0}, ERR_CLOSED, ERR_LOST_WRITE, NULL},
    {{CUT_MID, "200 OK", NULL, OK_BODY, 0}, ERR_CLOSED, ERR_LOST_WRITE, NULL},
    {{SAY_CLOSE, NULL, NULL, "HTTP/1.1 20", 0}, ERR_CLOSED, ERR_LOST_WRITE, NULL},
    {{SAY_CLOSE, NULL, NULL, "SSH-2.0-OpenSSH_9.2\r\n", 0}, ERR_BAD_REPLY, ERR_LOST_WRITE, NULL},
    {{SAY, "200 OK", NULL, OK_BODY, 0}, ERR_OK, ERR_OK, ""},
};

static void test_eci_call_replies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct world *w = WORLD(replies[i].step);
        struct outcome read = read_call(w), write = write_call(w), bare = tokenless_write(w);
        if (read.err != replies[i].read || write.err != replies[i].write ||
            bare.err != replies[i].write ||
            (replies[i].why != NULL && strcmp(read.why, replies[i].why) != 0)) {
            fail_msg("reply %zu: %s, %s, %s: %s", i, err_name(read.err), err_name(write.err),
                     err_name(bare.err), read.why);
        }
        assert_true((read.err == ERR_OK) == (read.why[0] == '\0'));
        assert_true(read.was_sent && write.was_sent);
        world_stop(w);
    }
}

static void test_eci_call_retry_after_is_passed_on(void **state)
{
    struct world *w = WORLD(replies[0].step);
    (void)state;
    assert_int_equal(read_call(w).retry_after_s, 7);
    world_stop(w);
}

static void test_eci_call_gzip_reply(void **state)
{
    static char plain[100000], packed[20000];
    z_stream z = {.next_in = (Bytef *)plain, .next_out = (Bytef *)packed};
    (void)state;
    int bytes =
        snprintf(plain, sizeof plain, "{\"RequestId\":\"R-9\",\"ContainerGroupId\":\"eci-g\"");
    memset(plain + bytes, ' ', 50000);
    plain[bytes + 50000] = '}';
    z.avail_in = (uInt)(bytes + 50001);
    z.avail_out = sizeof packed;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    struct world *w = WORLD({SAY, "200 OK", "Content-Encoding: gzip\r\n", packed, z.total_out});
    struct outcome o = write_call(w);
    assert_int_equal(o.err, ERR_OK);
    assert_string_equal(o.group_id, "eci-g");
    deflateEnd(&z);
    world_stop(w);
}

/* A few KB on the wire that would be megabytes in memory end at the buffer's end. */
static void test_eci_call_gzip_bomb(void **state)
{
    static char plain[8 * 1024 * 1024], packed[64 * 1024];
    z_stream z = {.next_in = (Bytef *)plain, .next_out = (Bytef *)packed};
    (void)state;
    memset(plain, ' ', sizeof plain);
    z.avail_in = sizeof plain;
    z.avail_out = sizeof packed;
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    struct world *w = WORLD({SAY, "200 OK", "Content-Encoding: gzip\r\n", packed, z.total_out});
    assert_int_equal(read_call(w).err, ERR_TOO_BIG);
    fresh_params(w);
    assert_int_equal(call(w, ECI_DESCRIBE_GROUPS).err, ERR_TOO_BIG);
    assert_int_equal(write_call(w).err, ERR_LOST_WRITE);
    deflateEnd(&z);
    world_stop(w);
}

/* A page fits where a small reply does not, and its memory is given back afterwards. */
static void test_eci_call_giant_replies(void **state)
{
    static char body[3 * 1024 * 1024];
    (void)state;
    memset(body, ' ', sizeof body);
    body[0] = '{';
    body[1536 * 1024 - 1] = '}';
    struct world *w =
        WORLD({SAY, "200 OK", NULL, body, 1536 * 1024}, {SAY, "200 OK", NULL, body, 1536 * 1024},
              {SAY, "200 OK", NULL, body, sizeof body}, OK_STEP);
    assert_int_equal(read_call(w).err, ERR_TOO_BIG);
    fresh_params(w);
    assert_int_equal(call(w, ECI_DESCRIBE_GROUPS).err, ERR_OK);
    const char *buffer = w->client.page.memory;
    for (size_t i = 0; i < (size_t)PAGE_COUNT * PAGE_BYTES; i++) {
        if (buffer[i] != 0) {
            fail_msg("byte %zu was not given back", i);
        }
    }
    assert_int_equal(call(w, ECI_DESCRIBE_GROUPS).err, ERR_TOO_BIG);
    assert_int_equal(read_call(w).err, ERR_OK);
    world_stop(w);
}

/* JSON that the arena cannot hold: our limit, said so; for a write the outcome stays unknown. */
static void test_eci_call_arena_too_small(void **state)
{
    static char body[300 * 1024];
    (void)state;
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = i % 2 == 0 ? '0' : ',';
    }
    memcpy(body, "{\"a\":[", 6);
    memcpy(body + sizeof body - 3, " ]}", 3);
    struct world *w = WORLD({SAY, "200 OK", NULL, body, sizeof body},
                            {SAY, "200 OK", NULL, body, sizeof body}, OK_STEP);
    arena_init(&w->arena, w->arena_memory, 64 * 1024);
    fresh_params(w);
    assert_int_equal(call(w, ECI_DESCRIBE_GROUPS).err, ERR_FULL);
    assert_false(w->arena.has_failed);
    assert_int_equal(read_call(w).err, ERR_TOO_BIG);
    assert_int_equal(write_call(w).err, ERR_OK);
    world_stop(w);
}

static void test_eci_call_interim_replies_are_overlooked(void **state)
{
    struct world *w = WORLD({SAY_CLOSE, NULL, NULL,
                             "HTTP/1.1 100 Continue\r\nRetry-After: 9\r\n\r\n"
                             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                             0});
    (void)state;
    struct outcome o = read_call(w);
    assert_int_equal(o.err, ERR_OK);
    assert_int_equal(o.retry_after_s, -1);
    world_stop(w);
}

/* ---- secrets ------------------------------------------------------------------------------------
 */

static void test_eci_call_secrets_are_not_passed_on(void **state)
{
    struct world *w = WORLD(
        {SAY, "400 Bad", NULL,
         "{\"RequestId\":\"R-2\",\"Code\":\"SignatureDoesNotMatch\",\"Message\":\"server string to "
         "sign is POST&hunter2\"}",
         0},
        {SAY, "400 Bad", NULL,
         "{\"RequestId\":\"R-2\",\"Code\":\"InvalidParameter\",\"Message\":\"got " KEY_SECRET "\"}",
         0},
        {SAY, "400 Bad", NULL,
         "{\"RequestId\":\"R-2\",\"Code\":\"InvalidParameter\",\"Message\":\"got sts-token-x\"}",
         0});
    (void)state;
    assert_int_equal(eci_client_set_keys(&w->client, S("id"), S(KEY_SECRET), S("sts-token-x")),
                     ERR_OK);
    for (int i = 0; i < 3; i++) {
        struct outcome o = write_call(w);
        assert_int_equal(o.err, i == 0 ? ERR_AUTH : ERR_INVALID);
        assert_null(strstr(o.why, "hunter2"));
        assert_null(strstr(o.why, KEY_SECRET));
        assert_null(strstr(o.why, "sts-token-x"));
        assert_null(strstr(o.message, "hunter2"));
        assert_null(strstr(o.message, KEY_SECRET));
        assert_null(strstr(o.message, "sts-token-x"));
        assert_non_null(strstr(o.why, "R-2"));
    }
    world_stop(w);
}

/* The form with the values of Secrets does not stay in memory. */
static void test_eci_call_forms_are_wiped(void **state)
{
    struct world *w = WORLD(OK_STEP);
    (void)state;
    params_add_secret(fresh_params(w), S("ImageRegistryCredential.1.Password"),
                      S("hunter2hunter2"));
    assert_int_equal(call(w, ECI_CREATE_GROUP).err, ERR_OK);
    assert_non_null(strstr(w->server->requests[0].body, "hunter2hunter2"));
    for (size_t i = 0; i + 14 < (size_t)SMALL_COUNT * SMALL_BYTES; i++) {
        if (w->client.small.memory[i] == 'h') {
            assert_memory_not_equal(w->client.small.memory + i, "hunter2hunter2", 14);
        }
    }
    world_stop(w);
}

/* ---- the clock ----------------------------------------------------------------------------------
 */

#define EXPIRED_BODY \
    "{\"RequestId\":\"R-2\",\"Code\":\"InvalidTimeStamp.Expired\",\"Message\":\"late\"}"

static char date_line[64];

static const char *date_header(int64_t offset_s)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)(os_wall_ms() / 1000 + offset_s);
    struct tm tm;
    gmtime_r(&now, &tm);
    snprintf(date_line, sizeof date_line, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
             days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
             tm.tm_hour, tm.tm_min, tm.tm_sec);
    return date_line;
}

static void test_eci_call_wrong_clock_is_learnt_and_the_call_repeated(void **state)
{
    struct world *w = WORLD({SAY, "400 Bad", date_header(3600), EXPIRED_BODY, 0},
                            {SAY, "200 OK", NULL, OK_BODY, 0});
    (void)state;
    struct outcome o = write_call(w);
    assert_int_equal(o.err, ERR_OK);
    assert_true(o.was_repeated);
    assert_int_equal(server_requests(w->server), 2);
    const struct request *r = w->server->requests;
    assert_true(llabs(form_time(&r[1]) - form_time(&r[0]) - 3600) <= 3);
    assert_nonces_differ(&r[0], &r[1], true);
    assert_signed(&r[1], KEY_SECRET);
    assert_form(&r[1], "ClientToken", "t-1");
    assert_true(llabs(eci_client_clock_offset_ms(&w->client) - 3600000) < 3000);
    /* from now on it is right at once */
    assert_int_equal(write_call(w).err, ERR_OK);
    assert_int_equal(server_requests(w->server), 3);
    assert_true(
        llabs(form_time(&w->server->requests[2]) - form_time(&w->server->requests[0]) - 3600) <= 3);
    assert_int_equal(w->client.counters.repeated, 1);
    world_stop(w);
}

static void test_eci_call_wrong_clock_is_repeated_once_only(void **state)
{
    struct world *w = WORLD({SAY, "400 Bad", date_header(-7200), EXPIRED_BODY, 0});
    (void)state;
    struct outcome o = write_call(w);
    assert_int_equal(o.err, ERR_CLOCK);
    assert_true(o.was_repeated);
    assert_string_equal(o.why, "400 InvalidTimeStamp.Expired: late (R-2)");
    assert_int_equal(server_requests(w->server), 2);
    world_stop(w);
}

static void test_eci_call_wrong_clock_without_date_is_not_repeated(void **state)
{
    struct world *w = WORLD({SAY, "400 Bad", NULL, EXPIRED_BODY, 0});
    (void)state;
    assert_int_equal(write_call(w).err, ERR_CLOCK);
    assert_int_equal(server_requests(w->server), 1);
    world_stop(w);
}

static void test_eci_call_clock_offset_is_learnt_from_every_reply(void **state)
{
    (void)state;
    struct world *w = WORLD({SAY, "200 OK", date_header(600), OK_BODY, 0});
    assert_int_equal(eci_client_clock_offset_ms(&w->client), 0);
    assert_int_equal(read_call(w).err, ERR_OK);
    assert_true(llabs(eci_client_clock_offset_ms(&w->client) - 600000) < 3000);
    assert_true(llabs(eci_client_unix_ms(&w->client) - os_wall_ms() - 600000) < 3000);
    world_stop(w);
    /* a second of difference is no difference */
    w = WORLD({SAY, "200 OK", date_header(1), OK_BODY, 0});
    assert_int_equal(read_call(w).err, ERR_OK);
    assert_int_equal(eci_client_clock_offset_ms(&w->client), 0);
    world_stop(w);
    /* a page of somebody else's teaches nothing */
    w = WORLD({SAY, "502 Bad", date_header(86400), "<html>", 0});
    assert_int_equal(read_call(w).err, ERR_SERVER);
    assert_int_equal(eci_client_clock_offset_ms(&w->client), 0);
    world_stop(w);
}

static void test_eci_call_clock_noise_is_smoothed_and_steps_are_not(void **state)
{
    (void)state;
    struct world *w = WORLD({SAY, "200 OK", date_header(0), OK_BODY, 0});
    assert_int_equal(read_call(w).err, ERR_OK);
    world_stop(w);
    char near[64], far[64];
    snprintf(near, sizeof near, "%s", date_header(16));
    snprintf(far, sizeof far, "%s", date_header(-5000));
    char base[64];
    snprintf(base, sizeof base, "%s", date_header(0));
    w = WORLD({SAY, "200 OK", base, OK_BODY, 0}, {SAY, "200 OK", near, OK_BODY, 0},
              {SAY, "200 OK", far, OK_BODY, 0});
    (void)read_call(w);
    (void)read_call(w); /* 16 s off once: an eighth of it, 2 s, is believed */
    assert_in_range(w->client.clock_offset_ms + 10000, 10000, 14000);
    (void)read_call(w);
    assert_true(llabs(w->client.clock_offset_ms + 5000000) < 3000);
    world_stop(w);
}

/* ---- nonces -------------------------------------------------------------------------------------
 */

#define NONCE_STEP \
    { \
        SAY, "400 Bad", NULL, "{\"RequestId\":\"R-2\",\"Code\":\"SignatureNonceUsed\"}", 0 \
    }

static void test_eci_call_used_nonce_is_replaced(void **state)
{
    struct world *w = WORLD(NONCE_STEP, OK_STEP, NONCE_STEP, OK_STEP);
    (void)state;
    struct outcome o = read_call(w);
    assert_int_equal(o.err, ERR_OK);
    assert_true(o.was_repeated);
    assert_nonces_differ(&w->server->requests[0], &w->server->requests[1], true);
    assert_int_equal(write_call(w).err, ERR_OK);
    assert_form(&w->server->requests[3], "ClientToken", "t-1");
    world_stop(w);
}

/* Without a token the first copy may have done its work: never twice. */
static void test_eci_call_used_nonce_of_a_tokenless_write_is_a_lost_write(void **state)
{
    struct world *w = WORLD(NONCE_STEP);
    (void)state;
    struct outcome o = tokenless_write(w);
    assert_int_equal(o.err, ERR_LOST_WRITE);
    assert_false(o.was_repeated);
    assert_int_equal(server_requests(w->server), 1);
    world_stop(w);
}

/* A write whose first copy may have landed stays unknown, whatever becomes of the second. */
static void test_eci_call_used_nonce_then_trouble(void **state)
{
    struct world *w = WORLD(NONCE_STEP);
    (void)state;
    struct outcome o = write_call(w);
    assert_int_equal(o.err, ERR_LOST_WRITE);
    assert_int_equal(server_requests(w->server), 2);
    assert_int_equal(read_call(w).err, ERR_CONFLICT);
    world_stop(w);
}

/* A repetition for which libcurl has no handle: said as it is, and what may have landed stays open.
 */
static void test_eci_call_repetition_that_cannot_start(void **state)
{
    const struct step steps[] = {{SAY, "400 Bad", date_header(3600), EXPIRED_BODY, 0}, NONCE_STEP};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world *w = world_start(&steps[i], 1);
        struct outcome o;
        uint32_t count = w->client.curl.easies_count;
        params_add(fresh_params(w), S("ClientToken"), S("t"));
        assert_int_equal(start(w, ECI_CREATE_GROUP, &o, 0, NULL), ERR_OK);
        w->client.curl.easies_count = 0;
        turn_until(w, &o.count, 1);
        w->client.curl.easies_count = count;
        assert_int_equal(o.err, i == 0 ? ERR_FULL : ERR_LOST_WRITE);
        assert_true(o.was_repeated && !o.has_root && o.was_sent == (i == 1));
        assert_string_equal(o.code, "");
        assert_int_equal(server_requests(w->server), 1);
        world_stop(w);
    }
}

/* ---- the line -------------------------------------------------------------------------------- */

static void test_eci_call_silence_ends_by_the_deadline(void **state)
{
    struct world *w = WORLD({HANG, NULL, NULL, NULL, 0});
    struct outcome read, write;
    (void)state;
    msec start_ms = os_now_ms();
    fresh_params(w);
    assert_int_equal(start(w, ECI_DESCRIBE_REGIONS, &read, 200, NULL), ERR_OK);
    assert_int_equal(start(w, ECI_CREATE_GROUP, &write, 300, NULL), ERR_OK);
    turn_until(w, &read.count, 1);
    turn_until(w, &write.count, 1);
    assert_int_equal(read.err, ERR_TIMEOUT);
    assert_int_equal(write.err, ERR_LOST_WRITE);
    assert_true(os_now_ms() - start_ms >= 290);
    assert_true(read.was_sent);
    assert_int_equal(read.http_status, 0);
    world_stop(w);
}

/* A stalled body is silence too. */
static void test_eci_call_deadline_counts_the_body(void **state)
{
    struct world *w = WORLD({HANG, NULL, NULL, NULL, 0});
    struct outcome o;
    (void)state;
    w->server->steps[0] =
        (struct step){SAY, NULL, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", 0};
    fresh_params(w);
    assert_int_equal(start(w, ECI_DESCRIBE_REGIONS, &o, 200, NULL), ERR_OK);
    turn_until(w, &o.count, 1);
    assert_int_equal(o.err, ERR_TIMEOUT);
    world_stop(w);
}

static void test_eci_call_refused_connection_was_never_sent(void **state)
{
    struct world *w = world_begin((const struct step[]){OK_STEP}, 1);
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, bytes), 0); /* bound, not listening */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    snprintf(w->endpoint, sizeof w->endpoint, "http://127.0.0.1:%u", ntohs(address.sin_port));
    w->config.endpoint = str_of(w->endpoint);
    init_client(w);
    struct outcome o = write_call(w);
    assert_int_equal(o.err, ERR_REFUSED_CONN);
    assert_false(o.was_sent);
    assert_non_null(strstr(o.why, "127.0.0.1"));
    close(fd);
    world_stop(w);
}

/*
 * Name look-ups of this program: "slow.test" takes four seconds, "none.test" does not exist, the
 * rest is the C library's business. Shows that a slow resolver never holds up the loop.
 */
int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (strcmp(node, "none.test") == 0) {
        return EAI_NONAME;
    }
    if (strcmp(node, "slow.test") == 0) {
        poll(NULL, 0, 4000);
        return EAI_AGAIN;
    }
    return real(strcmp(node, "good.test") == 0 ? "127.0.0.1" : node, service, hints, out);
}

static struct world *world_with_host(const char *host)
{
    struct world *w = world_begin((const struct step[]){OK_STEP}, 1);
    snprintf(w->endpoint, sizeof w->endpoint, "http://%s:%u", host, w->server->port);
    w->config.endpoint = str_of(w->endpoint);
    init_client(w);
    return w;
}

static void test_eci_call_names_are_resolved(void **state)
{
    (void)state;
    struct world *w = world_with_host("good.test");
    assert_int_equal(write_call(w).err, ERR_OK);
    assert_true(has_head(&w->server->requests[0], "\r\nHost: good.test:"));
    world_stop(w);
    w = world_with_host("none.test");
    struct outcome o = write_call(w);
    assert_int_equal(o.err, ERR_RESOLVE);
    assert_false(o.was_sent);
    world_stop(w);
}

static void test_eci_call_slow_resolver_does_not_hold_up_the_loop(void **state)
{
    struct world *w = world_with_host("slow.test");
    struct outcome timed, cancelled;
    handle call_handle;
    (void)state;
    fresh_params(w);
    assert_int_equal(start(w, ECI_DESCRIBE_REGIONS, &timed, 200, NULL), ERR_OK);
    assert_int_equal(start(w, ECI_DESCRIBE_REGIONS, &cancelled, 0, &call_handle), ERR_OK);
    msec worst_ms = 0, start_ms = os_now_ms();
    while (timed.count == 0) {
        msec turn_ms = os_now_ms();
        loop_turn(&w->loop, turn_ms + 10);
        worst_ms = os_now_ms() - turn_ms > worst_ms ? os_now_ms() - turn_ms : worst_ms;
    }
    assert_int_equal(timed.err, ERR_TIMEOUT);
    msec cancel_ms = os_now_ms();
    eci_call_cancel(&w->client, call_handle);
    assert_true(os_now_ms() - cancel_ms < 2000); /* a busy machine is no resolver */
    assert_true(worst_ms < 2000);
    assert_true(os_now_ms() - start_ms < 3000);
    assert_int_equal(cancelled.count, 0);
    turn_for(w, 4200); /* the threads end; nothing of theirs reaches us */
    world_stop(w);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void test_eci_call_connection_is_kept(void **state)
{
    struct world *w = WORLD(OK_STEP);
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(write_call(w).err, ERR_OK);
    }
    assert_int_equal(w->server->connections, 1);
    assert_int_equal(w->client.curl.counters.connects, 1);
    world_stop(w);
}

/* The server closed the kept connection between two calls. */
static void test_eci_call_closed_kept_connection_is_replaced(void **state)
{
    struct world *w = WORLD({SAY_CLOSE, "200 OK", NULL, OK_BODY, 0}, OK_STEP);
    (void)state;
    assert_int_equal(write_call(w).err, ERR_OK);
    turn_for(w, 50);
    assert_int_equal(write_call(w).err, ERR_OK);
    assert_int_equal(w->server->connections, 2);
    world_stop(w);
}

/* The server closes it at the very moment a request is sent: libcurl repeats that by itself, with
 * the same nonce, so that the cloud can tell; a write without token has a connection of its own. */
static void test_eci_call_kept_connection_that_dies_under_a_request(void **state)
{
    struct world *w = WORLD(OK_STEP, {CUT_BEFORE, NULL, NULL, NULL, 0}, OK_STEP, OK_STEP,
                            {CUT_BEFORE, NULL, NULL, NULL, 0}, OK_STEP);
    (void)state;
    assert_int_equal(write_call(w).err, ERR_OK);
    assert_int_equal(write_call(w).err, ERR_OK);
    assert_int_equal(server_requests(w->server), 3);
    assert_nonces_differ(&w->server->requests[1], &w->server->requests[2], false);
    assert_int_equal(write_call(w).err, ERR_OK);
    assert_int_equal(tokenless_write(w).err, ERR_LOST_WRITE);
    assert_int_equal(server_requests(w->server), 5);
    world_stop(w);
}

static void test_eci_call_many_at_once(void **state)
{
    struct world *w = WORLD(OK_STEP);
    struct outcome o[SMALL_COUNT + 1];
    (void)state;
    params_add(fresh_params(w), S("ClientToken"), S("t"));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < SMALL_COUNT; i++) {
            assert_true(eci_client_has_room(&w->client, ECI_CREATE_GROUP));
            assert_int_equal(start(w, ECI_CREATE_GROUP, &o[i], 0, NULL), ERR_OK);
        }
        assert_false(eci_client_has_room(&w->client, ECI_CREATE_GROUP));
        assert_true(eci_client_has_room(&w->client, ECI_DESCRIBE_STATUS));
        assert_int_equal(start(w, ECI_CREATE_GROUP, &o[SMALL_COUNT], 0, NULL), ERR_FULL);
        for (int i = 0; i < SMALL_COUNT; i++) {
            turn_until(w, &o[i].count, 1);
            assert_int_equal(o[i].err, ERR_OK);
        }
        assert_int_equal(o[SMALL_COUNT].count, 0);
    }
    turn_for(w, 30);
    assert_int_equal(server_requests(w->server), 5 * SMALL_COUNT);
    world_stop(w);
}

/* ---- memory -------------------------------------------------------------------------------------
 */

/* libcurl's own doors to the allocator (lib/easy.c), here to let its nth request fail. */
extern void *(*Curl_cmalloc)(size_t bytes);
extern void *(*Curl_ccalloc)(size_t count, size_t bytes);
extern void *(*Curl_crealloc)(void *memory, size_t bytes);
extern char *(*Curl_cstrdup)(const char *text);

static int takes_left; /* 0: never fail */

static bool fails_now(void)
{
    return takes_left > 0 && --takes_left == 0;
}

static void *failing_malloc(size_t bytes)
{
    return fails_now() ? NULL : malloc(bytes);
}

static void *failing_calloc(size_t count, size_t bytes)
{
    return fails_now() ? NULL : calloc(count, bytes);
}

static void *failing_realloc(void *memory, size_t bytes)
{
    return fails_now() ? NULL : realloc(memory, bytes);
}

static char *failing_strdup(const char *text)
{
    return fails_now() ? NULL : strdup(text);
}

/*
 * Whatever allocation of libcurl fails, every call that was started ends, once, and well before its
 * deadline; the next one is fine again.
 */
static void test_eci_call_survives_each_failing_allocation(void **state)
{
    struct world *w = WORLD(OK_STEP);
    struct outcome o;
    int kept_oks = 0;
    (void)state;
    Curl_cmalloc = failing_malloc;
    Curl_ccalloc = failing_calloc;
    Curl_crealloc = failing_realloc;
    Curl_cstrdup = failing_strdup;
    for (int nth = 1; kept_oks < 10; nth++) {
        fresh_params(w); /* EXEC: a new connection each time; the resolver has its own memory */
        takes_left = nth;
        enum err err = start(w, ECI_EXEC, &o, 15000, NULL);
        if (err == ERR_OK) {
            turn_until(w, &o.count, 1);
            err = o.err;
        }
        kept_oks = takes_left > 0 && err == ERR_OK ? kept_oks + 1 : 0;
        takes_left = 0;
        if (err != ERR_OK && err != ERR_NO_MEMORY && err != ERR_LOST_WRITE) {
            fail_msg("allocation %d: %s: %s", nth, err_name(err), o.why);
        }
        assert_int_equal(tokenless_write(w).err, ERR_OK);
        assert_true(nth < 1000);
    }
    assert_true(w->client.curl.counters.accidents > 0);
    world_stop(w);
}

/* Allocations that fail while the client is made give one clear error and leave nothing behind. */
static void test_eci_client_init_without_memory(void **state)
{
    struct world *first = WORLD(OK_STEP); /* keeps libcurl's global state, and so our doors */
    bool is_made = false;
    (void)state;
    Curl_cmalloc = failing_malloc;
    Curl_ccalloc = failing_calloc;
    Curl_crealloc = failing_realloc;
    Curl_cstrdup = failing_strdup;
    for (int nth = 1; !is_made; nth++) {
        struct world *w = world_begin((const struct step[]){OK_STEP}, 1);
        w->config.proxy = S("http://127.0.0.1:1");
        w->config.no_proxy = S("*");
        assert_int_equal(loop_init(&w->loop, &w->region, 64), ERR_OK);
        assert_int_equal(eci_client_init(&w->client, &w->loop, &w->region, &w->config), ERR_OK);
        close(w->loop.epoll_fd);
        w->region_memory = os_map(w->region.used);
        region_init(&w->region, w->region_memory, w->region.used);
        assert_int_equal(loop_init(&w->loop, &w->region, 64), ERR_OK);
        takes_left = nth;
        enum err err = eci_client_init(&w->client, &w->loop, &w->region, &w->config);
        is_made = takes_left > 0;
        takes_left = 0;
        assert_int_equal(err, is_made ? ERR_OK : ERR_NO_MEMORY);
        assert_true(nth < 10000);
        world_stop(w);
    }
    world_stop(first);
}

/* More descriptors than watches cannot happen; if it did, deadlines would still hold. */
static void test_eci_call_without_watches_ends_by_the_deadline(void **state)
{
    struct world *w = WORLD(OK_STEP);
    struct outcome o;
    (void)state;
    uint32_t count = w->client.curl.watches_count;
    w->client.curl.watches_count = 0;
    fresh_params(w);
    assert_int_equal(start(w, ECI_DESCRIBE_REGIONS, &o, 300, NULL), ERR_OK);
    turn_until(w, &o.count, 1);
    assert_int_equal(o.err, ERR_TIMEOUT);
    assert_true(w->client.curl.counters.watches_refused > 0);
    w->client.curl.counters.watches_refused = 0;
    w->client.curl.watches_count = count;
    world_stop(w);
}

/* ---- cancelling, starting from on_done ------------------------------------------------------- */

static void test_eci_call_cancelled_calls_stay_silent(void **state)
{
    struct world *w = WORLD({HANG, NULL, NULL, NULL, 0});
    struct outcome o[3];
    handle calls[3];
    (void)state;
    fresh_params(w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(start(w, ECI_DESCRIBE_REGIONS, &o[i], 400, &calls[i]), ERR_OK);
    }
    eci_call_cancel(&w->client, calls[0]); /* before anything was sent */
    turn_for(w, 50);
    eci_call_cancel(&w->client, calls[1]); /* after */
    eci_call_cancel(&w->client, calls[1]); /* stale: nothing happens */
    eci_call_cancel(&w->client, HANDLE_NONE);
    turn_until(w, &o[2].count, 1);
    assert_int_equal(o[2].err, ERR_TIMEOUT);
    assert_int_equal(o[0].count + o[1].count, 0);
    world_stop(w);
}

struct chain {
    struct world *w;
    int left, ended;
    handle self, other;
};

static void on_chain(void *owner, enum err err, const struct eci_reply *reply)
{
    struct chain *chain = owner;
    struct eci_want want = {.action = ECI_CREATE_GROUP,
                            .params = fresh_params(chain->w),
                            .on_done = on_chain,
                            .owner = chain};
    assert_int_equal(err, ERR_OK);
    chain->ended++;
    eci_call_cancel(&chain->w->client, reply->call); /* too late for itself: nothing happens */
    eci_call_cancel(&chain->w->client,
                    chain->other); /* another's end may be waiting right behind */
    chain->other = HANDLE_NONE;
    if (chain->left-- > 0) {
        assert_int_equal(eci_call_start(&chain->w->client, &want, NULL), ERR_OK);
    }
}

static void test_eci_call_may_start_and_cancel_from_on_done(void **state)
{
    struct world *w = WORLD(OK_STEP);
    struct chain chain = {.w = w, .left = 10};
    struct outcome o;
    (void)state;
    fresh_params(w);
    struct eci_want want = {
        .action = ECI_CREATE_GROUP, .params = &w->params, .on_done = on_chain, .owner = &chain};
    assert_int_equal(eci_call_start(&w->client, &want, &chain.self), ERR_OK);
    assert_int_equal(start(w, ECI_DESCRIBE_REGIONS, &o, 0, &chain.other), ERR_OK);
    handle other = chain.other;
    turn_until(w, &chain.ended, 11);
    assert_true(o.count <= 1); /* it may have been faster */
    eci_call_cancel(&w->client, other);
    world_stop(w);
}

static void test_eci_client_stop_with_calls_under_way(void **state)
{
    struct world *w = WORLD({HANG, NULL, NULL, NULL, 0});
    struct outcome o[3];
    (void)state;
    fresh_params(w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(start(w, ECI_DESCRIBE_REGIONS, &o[i], 0, NULL), ERR_OK);
        turn_for(w, 20);
    }
    world_stop(w);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static void test_eci_call_large_requests(void **state)
{
    static char content[1200 * 1024];
    struct world *w = WORLD(OK_STEP);
    struct outcome o;
    (void)state;
    memset(content, 'x', sizeof content);
    /* 60 KB of config do not fit a small buffer; they go into a page buffer */
    params_add(fresh_params(w), S("ClientToken"), S("t"));
    params_add(&w->params, S("Volume.1.Content"), str_make(content, 60 * 1024));
    assert_int_equal(start(w, ECI_CREATE_GROUP, &o, 0, NULL), ERR_OK);
    assert_int_equal(w->client.page.free_count, PAGE_COUNT - 1);
    turn_until(w, &o.count, 1);
    assert_int_equal(o.err, ERR_OK);
    assert_signed(&w->server->requests[0], KEY_SECRET);
    /* 900 KB still fit, without waiting for 100-continue */
    params_add(fresh_params(w), S("Volume.1.Content"), str_make(content, 900 * 1024));
    o = call(w, ECI_UPDATE_GROUP);
    assert_int_equal(o.err, ERR_OK);
    assert_false(has_head(&w->server->requests[1], "\r\nExpect:"));
    assert_signed(&w->server->requests[1], KEY_SECRET);
    /* more does not */
    params_add(fresh_params(w), S("Volume.1.Content"), str_make(content, sizeof content));
    assert_int_equal(start(w, ECI_CREATE_GROUP, &o, 0, NULL), ERR_TOO_BIG);
    assert_int_equal(start(w, ECI_DESCRIBE_GROUPS, &o, 0, NULL), ERR_TOO_BIG);
    world_stop(w);
}

static void test_eci_call_bad_params_take_nothing(void **state)
{
    struct world *w = WORLD(OK_STEP);
    struct outcome o;
    (void)state;
    params_add(fresh_params(w), S("Action"), S("x"));
    assert_int_equal(start(w, ECI_CREATE_GROUP, &o, 0, NULL), ERR_INVALID);
    w->params.has_failed = true;
    assert_int_equal(start(w, ECI_CREATE_GROUP, &o, 0, NULL), ERR_FULL);
    pool_fail_at(1);
    fresh_params(w);
    assert_int_equal(start(w, ECI_CREATE_GROUP, &o, 0, NULL), ERR_FULL);
    assert_int_equal(w->client.calls.count, 0);
    world_stop(w);
}

/* ---- set up ---------------------------------------------------------------------------------- */

static const struct {
    const char *endpoint;
    bool is_good;
} endpoints[] = {
    {"http://127.0.0.1", true},
    {"http://127.0.0.1/", true},
    {"http://127.0.0.1:8080", true},
    {"http://[::1]:8080", true},
    {"http://[::1]", true},
    {"http://eci.cn-hangzhou.aliyuncs.com", true},
    {"https://eci.cn-hangzhou.aliyuncs.com", false}, /* no anchors given */
    {"", false},
    {"http://", false},
    {"http://:80", false},
    {"eci.cn-hangzhou.aliyuncs.com", false},
    {"ftp://x", false},
    {"http://x:0", false},
    {"http://x:65536", false},
    {"http://x:80:80", false},
    {"http://x:", false},
    {"http://x/path", false},
    {"http://x?q", false},
    {"http://user@x", false},
    {"http://x y", false},
    {"http://[::1", false},
    {"http://[::1]x", false},
};

static void test_eci_client_endpoints(void **state)
{
    static char memory[4096];
    struct arena arena;
    (void)state;
    arena_init(&arena, memory, sizeof memory);
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        struct eci_client client;
        struct region region;
        struct loop loop = {.epoll_fd = -1};
        region_init(&region, NULL, 0);
        struct eci_call_config config = {.endpoint = str_of(endpoints[i].endpoint),
                                         .region_id = S("r"),
                                         .arena = &arena,
                                         .small_count = 1,
                                         .small_bytes = SMALL_BYTES,
                                         .page_count = 1,
                                         .page_bytes = SMALL_BYTES};
        enum err err = eci_client_init(&client, &loop, &region, &config);
        if ((err == ERR_OK) != endpoints[i].is_good) {
            fail_msg("\"%s\": %s", endpoints[i].endpoint, err_name(err));
        }
        region_init(&region, NULL, 0);
        config.region_id = STR_NONE;
        assert_int_equal(eci_client_init(&client, &loop, &region, &config), ERR_BAD_INPUT);
    }
}

static void test_eci_client_proxy_too_long(void **state)
{
    char proxy[2 * ECI_CURL_URL_BYTES];
    struct world *w = WORLD(OK_STEP);
    struct eci_client client;
    struct region region;
    (void)state;
    memset(proxy, 'p', sizeof proxy);
    w->config.proxy = str_make(proxy, sizeof proxy);
    region_init(&region, NULL, 0);
    assert_int_equal(eci_client_init(&client, &w->loop, &region, &w->config), ERR_BAD_INPUT);
    w->config.proxy = STR_NONE;
    w->config.no_proxy = str_make(proxy, ECI_CURL_URL_BYTES);
    region_init(&region, NULL, 0);
    assert_int_equal(eci_client_init(&client, &w->loop, &region, &w->config), ERR_BAD_INPUT);
    world_stop(w);
}

/* ---- eci_curl alone -------------------------------------------------------------------------- */

static void on_transfer_done(struct eci_curl_transfer *transfer, enum err err)
{
    struct outcome *o = transfer->owner;
    o->count++;
    o->err = err;
}

static void test_eci_curl_more_transfers_than_handles(void **state)
{
    static char reply[4096];
    struct world *w = WORLD({HANG, NULL, NULL, NULL, 0});
    struct outcome o = {.count = 0};
    struct eci_curl_transfer transfers[SMALL_COUNT + PAGE_COUNT + 1];
    (void)state;
    for (int i = 0; i <= SMALL_COUNT + PAGE_COUNT; i++) {
        transfers[i] = (struct eci_curl_transfer){
            .body = S("a=b"), .deadline_ms = 5000, .on_done = on_transfer_done, .owner = &o};
        buf_init(&transfers[i].reply, reply, sizeof reply);
        assert_int_equal(eci_curl_start(&w->client.curl, &transfers[i]),
                         i < SMALL_COUNT + PAGE_COUNT ? ERR_OK : ERR_FULL);
    }
    turn_for(w, 50);
    eci_curl_cancel(&w->client.curl, &transfers[0]);
    eci_curl_cancel(&w->client.curl, &transfers[0]); /* no longer under way: nothing happens */
    world_stop(w);                                   /* with the others under way */
    assert_int_equal(o.count, 0);
}

/* ---- proxies --------------------------------------------------------------------------------- */

static void test_eci_call_through_a_proxy(void **state)
{
    struct world *w = world_begin((const struct step[]){OK_STEP}, 1);
    char proxy[128];
    (void)state;
    snprintf(proxy, sizeof proxy, "http://us%%65r:pass@127.0.0.1:%u", w->server->port);
    w->config.endpoint = S("http://eci.test");
    w->config.proxy = str_of(proxy);
    init_client(w);
    assert_int_equal(write_call(w).err, ERR_OK);
    const struct request *r = &w->server->requests[0];
    assert_true(strncmp(r->head, "POST http://eci.test/ HTTP/1.1\r\n", 31) == 0);
    assert_true(has_head(r, "\r\nHost: eci.test\r\n"));
    assert_true(has_head(r, "\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n"));
    world_stop(w);
}

static void test_eci_call_proxy_from_the_environment(void **state)
{
    struct world *w = world_begin((const struct step[]){OK_STEP}, 1);
    char proxy[128];
    (void)state;
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", w->server->port);
    setenv("http_proxy", proxy, 1);
    w->config.endpoint = S("http://eci.test");
    init_client(w);
    assert_int_equal(write_call(w).err, ERR_OK);
    assert_true(has_head(&w->server->requests[0], "POST http://eci.test/ "));
    world_stop(w);
    /* exceptions from the config */
    w = world_begin((const struct step[]){OK_STEP}, 1);
    w->config.no_proxy = S("other.test,127.0.0.1");
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    init_client(w);
    assert_int_equal(write_call(w).err, ERR_OK);
    assert_true(has_head(&w->server->requests[0], "POST / "));
    unsetenv("http_proxy");
    world_stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eci_call_leaves_no_socket_to_the_next_life),
        cmocka_unit_test(test_eci_call_request_and_reply),
        cmocka_unit_test(test_eci_call_keys_are_taken_over_without_restart),
        cmocka_unit_test(test_eci_call_without_keys_is_not_sent),
        cmocka_unit_test(test_eci_call_replies),
        cmocka_unit_test(test_eci_call_retry_after_is_passed_on),
        cmocka_unit_test(test_eci_call_gzip_reply),
        cmocka_unit_test(test_eci_call_gzip_bomb),
        cmocka_unit_test(test_eci_call_giant_replies),
        cmocka_unit_test(test_eci_call_arena_too_small),
        cmocka_unit_test(test_eci_call_interim_replies_are_overlooked),
        cmocka_unit_test(test_eci_call_secrets_are_not_passed_on),
        cmocka_unit_test(test_eci_call_forms_are_wiped),
        cmocka_unit_test(test_eci_call_wrong_clock_is_learnt_and_the_call_repeated),
        cmocka_unit_test(test_eci_call_wrong_clock_is_repeated_once_only),
        cmocka_unit_test(test_eci_call_wrong_clock_without_date_is_not_repeated),
        cmocka_unit_test(test_eci_call_clock_offset_is_learnt_from_every_reply),
        cmocka_unit_test(test_eci_call_clock_noise_is_smoothed_and_steps_are_not),
        cmocka_unit_test(test_eci_call_used_nonce_is_replaced),
        cmocka_unit_test(test_eci_call_used_nonce_of_a_tokenless_write_is_a_lost_write),
        cmocka_unit_test(test_eci_call_used_nonce_then_trouble),
        cmocka_unit_test(test_eci_call_repetition_that_cannot_start),
        cmocka_unit_test(test_eci_call_silence_ends_by_the_deadline),
        cmocka_unit_test(test_eci_call_deadline_counts_the_body),
        cmocka_unit_test(test_eci_call_refused_connection_was_never_sent),
        cmocka_unit_test(test_eci_call_names_are_resolved),
        cmocka_unit_test(test_eci_call_slow_resolver_does_not_hold_up_the_loop),
        cmocka_unit_test(test_eci_call_connection_is_kept),
        cmocka_unit_test(test_eci_call_closed_kept_connection_is_replaced),
        cmocka_unit_test(test_eci_call_kept_connection_that_dies_under_a_request),
        cmocka_unit_test(test_eci_call_many_at_once),
        cmocka_unit_test(test_eci_call_survives_each_failing_allocation),
        cmocka_unit_test(test_eci_client_init_without_memory),
        cmocka_unit_test(test_eci_call_without_watches_ends_by_the_deadline),
        cmocka_unit_test(test_eci_call_cancelled_calls_stay_silent),
        cmocka_unit_test(test_eci_call_may_start_and_cancel_from_on_done),
        cmocka_unit_test(test_eci_client_stop_with_calls_under_way),
        cmocka_unit_test(test_eci_call_large_requests),
        cmocka_unit_test(test_eci_call_bad_params_take_nothing),
        cmocka_unit_test(test_eci_client_endpoints),
        cmocka_unit_test(test_eci_curl_more_transfers_than_handles),
        cmocka_unit_test(test_eci_client_proxy_too_long),
        cmocka_unit_test(test_eci_call_through_a_proxy),
        cmocka_unit_test(test_eci_call_proxy_from_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
