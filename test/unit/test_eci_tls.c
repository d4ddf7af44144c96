/*
 * The cloud side over TLS: BearSSL inside libcurl, but with our anchors and our verifier. Each way
 * a server can be wrong gives one error and one sentence.
 *
 * The certificates are P-256. The CA and the good leaf are valid from 2024 to 2120; the leaf key is
 * used for nothing else. Names: 127.0.0.1 and good.test unless the name says otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dlfcn.h>
#include <netdb.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "eci/eci_call.h"
#include "net/tls.h"
#include "os/os.h"
#include "test_eci_server.h"

static const char ca_pem[] = "-----BEGIN CERTIFICATE-----\n"
                             "MIIBZDCCAQugAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5lY2lsZXQg\n"
                             "dGVzdCBDQTAgFw0wMDAxMDEwMDAwMDBaGA8yMTMwMDEwMTAwMDAwMFowGTEXMBUG\n"
                             "A1UEAwwOZWNpbGV0IHRlc3QgQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATd\n"
                             "4ZNlWIDItGuWSknjq9NlCglWdp4bIxcB9iE6CFDHEzGzQvJHr4PkpArrnqmyKrMo\n"
                             "+vOo9KF7/W9NP0dVeHSLo0IwQDAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQE\n"
                             "AwIBBjAdBgNVHQ4EFgQUe1KkdofsZhcuTBWnlNwpx2rl6XYwCgYIKoZIzj0EAwID\n"
                             "RwAwRAIgUAw6qNXCZJAiPOqL2UrURinMTrsOI1cC4IAu1EoBvvgCIEAVbDrUsUYT\n"
                             "7+BgWa2QDNE+qPWDtSSWqbMklNbjZMpF\n"
                             "-----END CERTIFICATE-----\n";

static const char leaf_key_pem[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIDARCOQR9RpE9N2a3y/VOHY27uobhZhUQ0rmMM3+oM5+oAoGCCqGSM49\n"
    "AwEHoUQDQgAERTmSvhUVrMMNS3+C2afSxmbXXbw+8r5ZHzEVYIwrIBOUZrs5GBRZ\n"
    "iRJYAaGpGCJPDPS6cbyick0yojWwjoG+oQ==\n"
    "-----END EC PRIVATE KEY-----\n";

static const char good_pem[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBjDCCATKgAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5lY2lsZXQg\n"
                               "dGVzdCBDQTAgFw0yNDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowDzENMAsG\n"
                               "A1UEAwwEZ29vZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEU5kr4VFazDDUt/\n"
                               "gtmn0sZm1128PvK+WR8xFWCMKyATlGa7ORgUWYkSWAGhqRgiTwz0unG8onJNMqI1\n"
                               "sI6BvqGjczBxMBoGA1UdEQQTMBGHBH8AAAGCCWdvb2QudGVzdDATBgNVHSUEDDAK\n"
                               "BggrBgEFBQcDATAdBgNVHQ4EFgQU/pHdo86OoX9xXULZLRtKUMgzSxgwHwYDVR0j\n"
                               "BBgwFoAUe1KkdofsZhcuTBWnlNwpx2rl6XYwCgYIKoZIzj0EAwIDSAAwRQIgTFxI\n"
                               "WAWnry7b31K9dpauUZ5/0MejwBJetI0tkKx4I/wCIQCoxp8DUUnlyZCGA4XFRIM3\n"
                               "/aSpSAxXQk9Kp2o62RlluQ==\n"
                               "-----END CERTIFICATE-----\n";

static const char expired_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBgTCCASigAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5lY2lsZXQg\n"
    "dGVzdCBDQTAeFw0wMTAxMDEwMDAwMDBaFw0wMjAyMDIwMDAwMDBaMBIxEDAOBgNV\n"
    "BAMMB2V4cGlyZWQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARFOZK+FRWsww1L\n"
    "f4LZp9LGZtddvD7yvlkfMRVgjCsgE5RmuzkYFFmJElgBoakYIk8M9LpxvKJyTTKi\n"
    "NbCOgb6ho2gwZjAPBgNVHREECDAGhwR/AAABMBMGA1UdJQQMMAoGCCsGAQUFBwMB\n"
    "MB0GA1UdDgQWBBT+kd2jzo6hf3FdQtktG0pQyDNLGDAfBgNVHSMEGDAWgBR7UqR2\n"
    "h+xmFy5MFaeU3CnHauXpdjAKBggqhkjOPQQDAgNHADBEAiAXkevmOMvgNLLDmqrX\n"
    "HaX2wgfHncPdoIT9YKDxPS6P2wIgCh/LZGzDjOnrzQ9aIgxb055Xci+TCmOBqteV\n"
    "WSQAJ5g=\n"
    "-----END CERTIFICATE-----\n";

static const char future_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBhTCCASugAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5lY2lsZXQg\n"
    "dGVzdCBDQTAiGA8yMTEwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjARMQ8w\n"
    "DQYDVQQDDAZmdXR1cmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARFOZK+FRWs\n"
    "ww1Lf4LZp9LGZtddvD7yvlkfMRVgjCsgE5RmuzkYFFmJElgBoakYIk8M9LpxvKJy\n"
    "TTKiNbCOgb6ho2gwZjAPBgNVHREECDAGhwR/AAABMBMGA1UdJQQMMAoGCCsGAQUF\n"
    "BwMBMB0GA1UdDgQWBBT+kd2jzo6hf3FdQtktG0pQyDNLGDAfBgNVHSMEGDAWgBR7\n"
    "UqR2h+xmFy5MFaeU3CnHauXpdjAKBggqhkjOPQQDAgNIADBFAiEA0850FfgVBlwW\n"
    "vfhUpC1nTWAu+kn0kuSZqE5+nCwH8Z8CICNdEXOKOXubH38MZFV1GQAerldn/MSv\n"
    "fzJtnWZQfqak\n"
    "-----END CERTIFICATE-----\n";

static const char othername_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBkjCCATigAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5lY2lsZXQg\n"
    "dGVzdCBDQTAgFw0yNDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFDESMBAG\n"
    "A1UEAwwJb3RoZXJuYW1lMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERTmSvhUV\n"
    "rMMNS3+C2afSxmbXXbw+8r5ZHzEVYIwrIBOUZrs5GBRZiRJYAaGpGCJPDPS6cbyi\n"
    "ck0yojWwjoG+oaN0MHIwGwYDVR0RBBQwEoIKb3RoZXIudGVzdIcECgAAATATBgNV\n"
    "HSUEDDAKBggrBgEFBQcDATAdBgNVHQ4EFgQU/pHdo86OoX9xXULZLRtKUMgzSxgw\n"
    "HwYDVR0jBBgwFoAUe1KkdofsZhcuTBWnlNwpx2rl6XYwCgYIKoZIzj0EAwIDSAAw\n"
    "RQIhAKfN0xzbSKTJz6f78iJHQBnK2qem90SUPUQ3D/HCOjOBAiA/4nGGt8DpFxhX\n"
    "fabOHDDzLst44e3v7CKq5h2G03vqaQ==\n"
    "-----END CERTIFICATE-----\n";

static const char client_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBgjCCASmgAwIBAgIBATAKBggqhkjOPQQDAjAZMRcwFQYDVQQDDA5lY2lsZXQg\n"
    "dGVzdCBDQTAgFw0yNDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowETEPMA0G\n"
    "A1UEAwwGY2xpZW50MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERTmSvhUVrMMN\n"
    "S3+C2afSxmbXXbw+8r5ZHzEVYIwrIBOUZrs5GBRZiRJYAaGpGCJPDPS6cbyick0y\n"
    "ojWwjoG+oaNoMGYwDwYDVR0RBAgwBocEfwAAATATBgNVHSUEDDAKBggrBgEFBQcD\n"
    "AjAdBgNVHQ4EFgQU/pHdo86OoX9xXULZLRtKUMgzSxgwHwYDVR0jBBgwFoAUe1Kk\n"
    "dofsZhcuTBWnlNwpx2rl6XYwCgYIKoZIzj0EAwIDRwAwRAIgYtAB6bzgaMBzbKqH\n"
    "PAnNWM5mwVcqzGqRTt/qD+2bvrwCIEo7LsThZLXtR8mji4M7+q2ithyIsxrq2472\n"
    "XK09/tBW\n"
    "-----END CERTIFICATE-----\n";

static const char strange_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBgDCCASagAwIBAgIBATAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDAphbm90aGVy\n"
    "IENBMCAXDTI0MDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjASMRAwDgYDVQQD\n"
    "DAdzdHJhbmdlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERTmSvhUVrMMNS3+C\n"
    "2afSxmbXXbw+8r5ZHzEVYIwrIBOUZrs5GBRZiRJYAaGpGCJPDPS6cbyick0yojWw\n"
    "joG+oaNoMGYwDwYDVR0RBAgwBocEfwAAATATBgNVHSUEDDAKBggrBgEFBQcDATAd\n"
    "BgNVHQ4EFgQU/pHdo86OoX9xXULZLRtKUMgzSxgwHwYDVR0jBBgwFoAUHd2FDt66\n"
    "3fpdWAasjRO/EgEvU+QwCgYIKoZIzj0EAwIDSAAwRQIgBc55jkJmeF3rhly3t4sf\n"
    "4TeoM0vz7yEW25T842YcebwCIQCnY//AWQIKJx2B8tN9ZRPKncuSCrywWBrm88ew\n"
    "tIjSUQ==\n"
    "-----END CERTIFICATE-----\n";

/* ---- a TLS server: the engine of net/tls.h, pumped by blocking calls ------------------------- */

struct tls_stream {
    int fd;
    struct tls_engine engine;
};

static struct tls_identity server_identity;

static bool push_out(struct tls_stream *stream)
{
    while ((tls_state(&stream->engine) & TLS_HAS_WIRE) != 0) {
        size_t bytes;
        const void *data = tls_wire_ready(&stream->engine, &bytes);
        if (!plain_send(&stream->fd, data, bytes)) {
            return false;
        }
        tls_wire_drained(&stream->engine, bytes);
    }
    return true;
}

static bool pull_in(struct tls_stream *stream)
{
    size_t bytes;
    void *room = tls_wire_room(&stream->engine, &bytes);
    ssize_t done = room != NULL ? recv(stream->fd, room, bytes, 0) : 0;
    if (done > 0) {
        tls_wire_fed(&stream->engine, (size_t)done);
    }
    return done > 0;
}

static void *tls_open(struct server *server, int fd)
{
    struct tls_stream *stream = calloc(1, sizeof *stream);
    uint8_t seed[TLS_SEED_BYTES];
    (void)server;
    os_random(seed, sizeof seed);
    stream->fd = fd;
    tls_start_server(&stream->engine, &server_identity, NULL, false, seed);
    return stream;
}

static ssize_t tls_receive(void *owner, void *data, size_t bytes)
{
    struct tls_stream *stream = owner;
    for (;;) {
        bool is_fine = push_out(stream);
        str ready = tls_plain_ready(&stream->engine);
        if (ready.bytes > 0) {
            size_t taken = ready.bytes < bytes ? ready.bytes : bytes;
            memcpy(data, ready.ptr, taken);
            tls_plain_taken(&stream->engine, taken);
            return (ssize_t)taken;
        }
        if (!is_fine || (tls_state(&stream->engine) & TLS_IS_OVER) != 0 || !pull_in(stream)) {
            return 0;
        }
    }
}

static bool tls_send(void *owner, const void *data, size_t bytes)
{
    struct tls_stream *stream = owner;
    str left = str_make(data, bytes);
    while (left.bytes > 0) {
        left = str_sub(left, tls_plain_put(&stream->engine, left), left.bytes);
        tls_flush(&stream->engine);
        if (!push_out(stream) || (tls_state(&stream->engine) & TLS_IS_OVER) != 0) {
            return false;
        }
    }
    return true;
}

static void tls_close_stream(void *owner)
{
    struct tls_stream *stream = owner;
    tls_stop(&stream->engine);
    free(stream);
}

/* Servers that are none: they send `owner` as soon as the first bytes have come, and hang up. */
static void *odd_open(struct server *server, int fd)
{
    char hello[1024];
    const struct step *answer = server->owner;
    if (recv(fd, hello, sizeof hello, 0) > 0) {
        (void)plain_send(&fd, answer->body, answer->body_bytes);
    }
    return NULL;
}

/* ---- the world ------------------------------------------------------------------------------- */

#define OK_BODY "{\"RequestId\":\"R-1\",\"ContainerGroupId\":\"eci-1\"}"

enum { ARENA_BYTES = 1024 * 1024, PATIENCE_MS = 20000 };

struct world {
    struct server *server;
    struct loop loop;
    struct region region;
    struct arena arena, fixed;
    struct x509_anchors anchors;
    struct eci_client client;
    void *region_memory, *arena_memory, *fixed_memory;
};

static void load_identity(struct world *w, const char *certificate)
{
    const char *why = NULL;
    assert_int_equal(tls_identity_load(&server_identity, str_of(certificate), str_of(leaf_key_pem),
                                       &w->fixed, &why),
                     ERR_OK);
}

static void init_client(struct world *w, const char *host, str proxy)
{
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "https://%s:%u", host, w->server->port);
    const struct eci_call_config config = {
        .endpoint = str_of(endpoint),
        .region_id = S("cn-test"),
        .proxy = proxy,
        .anchors = &w->anchors,
        .arena = &w->arena,
        .small_count = 4,
        .small_bytes = 64 * 1024,
        .page_count = 1,
        .page_bytes = 64 * 1024,
        .kept_max = 2,
    };
    region_init(&w->region, NULL, 0);
    for (int pass = 0; pass < 2; pass++) { /* plan, then carve */
        assert_int_equal(loop_init(&w->loop, &w->region, 16), ERR_OK);
        assert_int_equal(eci_client_init(&w->client, &w->loop, &w->region, &config), ERR_OK);
        if (pass == 0) {
            close(w->loop.epoll_fd);
            w->region_memory = os_map(w->region.used);
            region_init(&w->region, w->region_memory, w->region.used);
        }
    }
    assert_int_equal(eci_client_set_keys(&w->client, S("id"), S("secret"), STR_NONE), ERR_OK);
}

static struct world *world_start(const struct step *steps, int steps_count)
{
    struct world *w = calloc(1, sizeof *w);
    w->arena_memory = malloc(ARENA_BYTES);
    w->fixed_memory = malloc(ARENA_BYTES);
    arena_init(&w->arena, w->arena_memory, ARENA_BYTES);
    arena_init(&w->fixed, w->fixed_memory, ARENA_BYTES);
    assert_int_equal(x509_anchors_load(&w->anchors, str_of(ca_pem), &w->fixed), ERR_OK);
    w->server = server_start(steps, steps_count);
    w->server->open = tls_open;
    w->server->receive = tls_receive;
    w->server->send = tls_send;
    w->server->close = tls_close_stream;
    return w;
}

static void world_stop(struct world *w)
{
    eci_client_stop(&w->client);
    for (uint32_t i = 0; i < w->client.curl.watches_count; i++) {
        assert_int_equal(w->client.curl.watches[i].fd, -1);
    }
    close(w->loop.epoll_fd);
    server_stop(w->server);
    munmap(w->region_memory, w->region.used);
    free(w->arena_memory);
    free(w->fixed_memory);
    free(w);
}

struct outcome {
    int count;
    enum err err;
    bool was_sent;
    char why[ECI_WHY_BYTES];
};

static void on_done(void *owner, enum err err, const struct eci_reply *reply)
{
    struct outcome *o = owner;
    o->count++;
    o->err = err;
    o->was_sent = reply->was_sent;
    (void)str_copy(o->why, sizeof o->why, reply->why);
}

/* One create, which is a write: a refused peer must not make it a lost one. */
static struct outcome call(struct world *w)
{
    static char memory[ARENA_BYTES];
    struct arena request;
    struct params params;
    struct outcome o = {.count = 0};
    arena_init(&request, memory, sizeof memory);
    assert_int_equal(params_init(&params, &request), ERR_OK);
    params_add(&params, S("ClientToken"), S("t"));
    const struct eci_want want = {
        .action = ECI_CREATE_GROUP, .params = &params, .on_done = on_done, .owner = &o};
    assert_int_equal(eci_call_start(&w->client, &want, NULL), ERR_OK);
    msec give_up_ms = os_now_ms() + PATIENCE_MS;
    while (o.count == 0 && os_now_ms() < give_up_ms) {
        loop_turn(&w->loop, os_now_ms() + 20);
    }
    assert_int_equal(o.count, 1);
    return o;
}

static const struct step ok_step = {SAY, "200 OK", NULL, OK_BODY, 0};

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_eci_tls_address_and_kept_connection(void **state)
{
    struct world *w = world_start(&ok_step, 1);
    (void)state;
    load_identity(w, good_pem);
    server_run(w->server);
    init_client(w, "127.0.0.1", STR_NONE);
    for (int i = 0; i < 200; i++) {
        struct outcome o = call(w);
        assert_string_equal(o.why, "");
        assert_int_equal(o.err, ERR_OK);
        assert_true(o.was_sent);
    }
    assert_int_equal(w->server->connections, 1);
    world_stop(w);
}

/* "good.test" is 127.0.0.1 in this program. */
int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(strcmp(node, "good.test") == 0 ? "127.0.0.1" : node, service, hints, out);
}

static void test_eci_tls_name(void **state)
{
    struct world *w = world_start(&ok_step, 1);
    (void)state;
    load_identity(w, good_pem);
    server_run(w->server);
    init_client(w, "good.test", STR_NONE);
    struct outcome o = call(w);
    assert_string_equal(o.why, "");
    assert_int_equal(o.err, ERR_OK);
    world_stop(w);
}

static const struct {
    const char *certificate;
    const char *host;
    const char *why;
} refusals[] = {
    {strange_pem, "127.0.0.1", "not signed by a known CA (signed by \"another CA\")"},
    {expired_pem, "127.0.0.1", "expired on 2002-02-02"},
    {future_pem, "127.0.0.1", "is not valid before 2110-01-01"},
    {othername_pem, "127.0.0.1", "127.0.0.1"},
    {othername_pem, "good.test", "good.test"},
    {client_pem, "127.0.0.1", "may not be used by servers"},
};

static void test_eci_tls_refused_certificates(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct world *w = world_start(&ok_step, 1);
        load_identity(w, refusals[i].certificate);
        server_run(w->server);
        init_client(w, refusals[i].host, STR_NONE);
        struct outcome o = call(w);
        if (o.err != ERR_TLS_TRUST || o.was_sent || strstr(o.why, refusals[i].why) == NULL) {
            fail_msg("%s: %s", err_name(o.err), o.why);
        }
        assert_int_equal(server_requests(w->server), 0);
        print_message("            %s\n", o.why);
        world_stop(w);
    }
}

static const struct {
    struct step answer;
    enum err err;
    const char *why;
} odd_servers[] = {
    {{SAY, NULL, NULL, "\x15\x03\x03\x00\x02\x02\x46", 7}, ERR_TLS, "TLS 1.3 only"},
    {{SAY, NULL, NULL, "\x15\x03\x03\x00\x02\x02\x28", 7}, ERR_TLS, "refused the handshake"},
    {{SAY, NULL, NULL, "\x15\x03\x03\x00\x02\x02\x70", 7}, ERR_TLS, "host name"},
    {{SAY, NULL, NULL, "\x15\x03\x03\x00\x02\x02\x63", 7}, ERR_TLS, "alert 99"},
    {{SAY, NULL, NULL, "HTTP/1.1 400 Bad Request\r\n\r\n", 28}, ERR_TLS, "plain HTTP"},
    {{SAY, NULL, NULL, "\x14\x03\x03\x00\x01\x01", 6}, ERR_TLS, "connection error 0x"},
    {{SAY, NULL, NULL, "", 0}, ERR_CLOSED, "hung up"},
};

static void test_eci_tls_odd_servers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof odd_servers / sizeof odd_servers[0]; i++) {
        struct step answer = odd_servers[i].answer;
        struct world *w = world_start(&ok_step, 1);
        w->server->open = odd_open;
        w->server->owner = &answer;
        server_run(w->server);
        init_client(w, "127.0.0.1", STR_NONE);
        struct outcome o = call(w);
        if (o.err != odd_servers[i].err || o.was_sent ||
            strstr(o.why, odd_servers[i].why) == NULL) {
            fail_msg("%zu: %s: %s", i, err_name(o.err), o.why);
        }
        print_message("            %s\n", o.why);
        world_stop(w);
    }
}

/* A proxy that says no to CONNECT: the request never left. */
static void test_eci_tls_proxy_refuses(void **state)
{
    static const struct {
        const char *status;
        enum err err;
    } answers[] = {
        {"407 Proxy Authentication Required", ERR_AUTH},
        {"403 Forbidden", ERR_UNREACHABLE},
        {"503 Busy", ERR_UNREACHABLE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct step step = {SAY_CLOSE, answers[i].status, NULL, "no", 0};
        struct world *w = world_start(&step, 1);
        char proxy[64];
        w->server->open = plain_open;
        w->server->receive = plain_receive;
        w->server->send = plain_send;
        w->server->close = plain_close;
        server_run(w->server);
        snprintf(proxy, sizeof proxy, "http://u:secretpass@127.0.0.1:%u", w->server->port);
        init_client(w, "eci.test", str_of(proxy));
        struct outcome o = call(w);
        print_message("            %s: %s\n", err_name(o.err), o.why);
        assert_false(o.was_sent);
        assert_int_equal(o.err, answers[i].err);
        assert_null(strstr(o.why, "secretpass"));
        assert_non_null(strstr(o.why, "CONNECT"));
        assert_true(strncmp(w->server->requests[0].head, "CONNECT eci.test:", 17) == 0);
        world_stop(w);
    }
}

/* A CONNECT through a proxy that then speaks TLS in the cloud's name. */
static void *tunnel_open(struct server *server, int fd)
{
    char head[2048];
    size_t used = 0;
    while (used < sizeof head - 1 && recv(fd, head + used, 1, 0) == 1) {
        head[++used] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL) {
            (void)plain_send(&fd, "HTTP/1.1 200 Tunnel\r\nDate: x\r\n\r\n", 32);
            return tls_open(server, fd);
        }
    }
    return NULL;
}

static void test_eci_tls_through_a_proxy(void **state)
{
    struct world *w = world_start(&ok_step, 1);
    char proxy[64];
    (void)state;
    load_identity(w, good_pem);
    w->server->open = tunnel_open;
    server_run(w->server);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", w->server->port);
    init_client(w, "good.test", str_of(proxy));
    struct outcome o = call(w);
    assert_string_equal(o.why, "");
    assert_int_equal(o.err, ERR_OK);
    world_stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eci_tls_address_and_kept_connection),
        cmocka_unit_test(test_eci_tls_name),
        cmocka_unit_test(test_eci_tls_refused_certificates),
        cmocka_unit_test(test_eci_tls_odd_servers),
        cmocka_unit_test(test_eci_tls_proxy_refuses),
        cmocka_unit_test(test_eci_tls_through_a_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
