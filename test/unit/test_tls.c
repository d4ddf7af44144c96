/* tls: client and server engines wired to each other in memory, with random splits on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/prng.h"
#include "base/region.h"
#include "net/tls.h"
#include "net_certs.h"

#define VERIFIERS_MAX 2

static _Alignas(64) char arena_memory[1 << 20];
static _Alignas(64) char region_memory[64 * 1024];
static struct arena arena;
static struct region region;
static struct pool verifiers;
static struct tls_engine client, server;
static struct prng prng;

static int64_t fixed_clock(void)
{
    return NET_NOW_S;
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    region_init(&region, region_memory, sizeof region_memory);
    tls_verifiers_init(&verifiers, &region, VERIFIERS_MAX);
    prng_seed(&prng, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_stop(&client);
    tls_stop(&server);
    assert_int_equal(verifiers.count, 0); /* what was borrowed was given back */
    return 0;
}

static struct tls_trust *trust_of(const char *ca)
{
    struct tls_trust *trust = ARENA_NEW(&arena, struct tls_trust);
    trust->verifiers = &verifiers;
    trust->wall_s = fixed_clock;
    assert_int_equal(x509_anchors_load(&trust->anchors, str_of(net_cert(ca)), &arena), ERR_OK);
    return trust;
}

/* "client_ec": its certificate and key; "server_chain+middle": with the intermediate. NULL gives
 * NULL. */
static struct tls_identity *identity_of(const char *name)
{
    char chain[64];
    char text[8 * 1024];
    char key[64];
    const char *why = NULL;
    if (name == NULL) {
        return NULL;
    }
    struct tls_identity *identity = ARENA_NEW(&arena, struct tls_identity);
    const char *plus = strchr(name, '+');
    int bytes = plus != NULL ? (int)(plus - name) : (int)strlen(name);
    (void)snprintf(chain, sizeof chain, "%.*s.crt", bytes, name);
    (void)snprintf(key, sizeof key, "%.*s.key", bytes, name);
    (void)snprintf(text, sizeof text, "%s%s", net_cert(chain), plus ? net_cert("middle.crt") : "");
    assert_int_equal(tls_identity_load(identity, str_of(text), str_of(net_cert(key)), &arena, &why),
                     ERR_OK);
    return identity;
}

static const uint8_t *seed(void)
{
    static uint8_t bytes[TLS_SEED_BYTES];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)prng_u64(&prng);
    }
    return bytes;
}

/* ---- the wire -------------------------------------------------------------------------------- */

static size_t piece_max; /* 0: as much as fits */

/* Moves a random part of what one side has to say; false when it had nothing. */
static bool carry(struct tls_engine *from, struct tls_engine *to)
{
    size_t ready_bytes;
    size_t room_bytes;
    const void *ready = tls_wire_ready(from, &ready_bytes);
    void *room = tls_wire_room(to, &room_bytes);
    size_t bytes = ready_bytes < room_bytes ? ready_bytes : room_bytes;

    if (ready_bytes > 0 && (tls_state(to) & TLS_IS_OVER) != 0) {
        tls_wire_drained(from, ready_bytes); /* nobody listens */
        return true;
    }
    if (bytes == 0) {
        return false;
    }
    bytes = prng_chance(&prng, 1, 3) ? 1 + prng_below(&prng, bytes) : bytes;
    bytes = piece_max > 0 && bytes > piece_max ? piece_max : bytes;
    memcpy(room, ready, bytes);
    tls_wire_drained(from, bytes);
    tls_wire_fed(to, bytes);
    return true;
}

/* One piece in each direction, if there is one. */
static bool carry_both(void)
{
    bool moved = carry(&client, &server);
    return carry(&server, &client) || moved;
}

static void pump(void)
{
    while (carry_both()) {
    }
}

static bool is_open(void)
{
    return client.is_open && server.is_open && client.err == ERR_OK && server.err == ERR_OK;
}

/* Sends count bytes of a known pattern one way and checks them there. */
static void transfer(struct tls_engine *from, struct tls_engine *to, size_t count)
{
    size_t sent = 0;
    size_t got = 0;
    char piece[5000];

    while (got < count) {
        size_t want = 1 + prng_below(&prng, sizeof piece);
        want = want < count - sent ? want : count - sent;
        for (size_t i = 0; i < want; i++) {
            piece[i] = (char)((sent + i) * 31 >> 3);
        }
        sent += tls_plain_put(from, str_make(piece, want));
        if (sent == count || prng_chance(&prng, 1, 2)) {
            tls_flush(from);
        }
        (void)carry(from, to);
        str plain = tls_plain_ready(to);
        size_t taken = plain.bytes > 0 ? 1 + prng_below(&prng, plain.bytes) : 0;
        for (size_t i = 0; i < taken; i++) {
            assert_int_equal(plain.ptr[i], (char)((got + i) * 31 >> 3));
        }
        tls_plain_taken(to, taken);
        got += taken;
        assert_int_equal(from->err, ERR_OK);
        assert_int_equal(to->err, ERR_OK);
    }
    assert_int_equal(tls_plain_ready(to).bytes, 0);
}

/* ---- handshakes ------------------------------------------------------------------------------ */

struct handshake_case {
    const char *server;    /* identity */
    const char *server_ca; /* what the client trusts */
    const char *host;
    const char *client;    /* identity or NULL */
    const char *client_ca; /* what the server trusts; NULL: does not ask */
    bool is_required;
    enum err client_err, server_err; /* ERR_OK: open */
    const char *why;                 /* begins so, of the side that judged */
    const char *peer;                /* name the server knows; NULL: nobody */
};

static const struct handshake_case handshakes[] = {
    {"server_ec", "ca.crt", "kubernetes", NULL, NULL, false, ERR_OK, ERR_OK, NULL, NULL},
    {"server_rsa", "ca_rsa.crt", "10.96.0.1", NULL, NULL, false, ERR_OK, ERR_OK, NULL, NULL},
    {"server_ec384", "ca_rsa.crt", "localhost", NULL, NULL, false, ERR_OK, ERR_OK, NULL, NULL},
    {"server_chain+middle", "ca.crt", "kubernetes", NULL, NULL, false, ERR_OK, ERR_OK, NULL, NULL},
    {"server_ec", "ca.crt", "kubernetes", "client_ec", "ca.crt", true, ERR_OK, ERR_OK, NULL,
     "kubernetes-admin"},
    {"server_ec", "ca.crt", "kubernetes", "client_rsa", "ca_rsa.crt", true, ERR_OK, ERR_OK, NULL,
     "system:node:worker"},
    {"server_rsa", "ca_rsa.crt", "kubernetes", "client_ec", "ca.crt", false, ERR_OK, ERR_OK, NULL,
     "kubernetes-admin"},
    {"server_ec", "ca.crt", "kubernetes", "client_ec", NULL, false, ERR_OK, ERR_OK, NULL, NULL},
    {"server_ec", "ca.crt", "kubernetes", NULL, "ca.crt", false, ERR_OK, ERR_OK, NULL, NULL},
    /* a certificate we do not accept, where none is needed, is as good as none */
    {"server_ec", "ca.crt", "kubernetes", "client_rsa", "ca.crt", false, ERR_OK, ERR_OK, NULL,
     NULL},
    {"server_ec", "ca.crt", "kubernetes", "client_expired", "ca.crt", false, ERR_OK, ERR_OK, NULL,
     NULL},

    {"server_ec", "ca_twin.crt", "kubernetes", NULL, NULL, false, ERR_TLS_TRUST, ERR_CLOSED,
     "signed by \"kubernetes\", but with another key", NULL},
    {"server_ec", "ca.crt", "10.0.0.5", NULL, NULL, false, ERR_TLS_TRUST, ERR_CLOSED,
     "asked for 10.0.0.5, but the certificate is for kubernetes", NULL},
    {"server_expired", "ca.crt", "kubernetes", NULL, NULL, false, ERR_TLS_TRUST, ERR_CLOSED,
     "certificate expired on 2024-01-02", NULL},
    {"server_usage", "ca.crt", "kubernetes", NULL, NULL, false, ERR_TLS, ERR_CLOSED,
     "certificate's key does not fit the cipher suite", NULL},
    {"server_ec", "ca.crt", "kubernetes", NULL, "ca.crt", true, ERR_CLOSED, ERR_TLS,
     "the client showed no certificate", NULL},
    {"server_ec", "ca.crt", "kubernetes", "client_rsa", "ca.crt", true, ERR_CLOSED, ERR_TLS_TRUST,
     "not signed by a known CA (signed by \"rsa root\")", NULL},
    {"server_ec", "ca.crt", "kubernetes", "client_expired", "ca.crt", true, ERR_CLOSED,
     ERR_TLS_TRUST, "certificate expired on 2024-01-02", NULL},
    {"server_ec", "ca.crt", "kubernetes", "client_purpose", "ca.crt", true, ERR_CLOSED,
     ERR_TLS_TRUST, "certificate may not be used by clients", NULL},
};

static void start(const struct handshake_case *c)
{
    struct tls_trust *clients = c->client_ca != NULL ? trust_of(c->client_ca) : NULL;
    tls_start_client(&client, trust_of(c->server_ca), identity_of(c->client), str_of(c->host),
                     false, seed());
    tls_start_server(&server, identity_of(c->server), clients, c->is_required, seed());
    pump();
}

static void run_handshake(const struct handshake_case *c)
{
    start(c);
    if (c->client_err == ERR_OK) {
        assert_true(is_open());
        assert_int_equal(verifiers.count, 0);
        assert_true(client.is_peer_known);
        assert_int_equal(server.is_peer_known, c->peer != NULL);
        if (c->peer != NULL) {
            assert_string_equal(server.peer.common_name, c->peer);
        }
        transfer(&client, &server, 20000);
        transfer(&server, &client, 60000);
        return;
    }
    /* The side that judged has failed; the other sees the connection end. */
    if (client.err == ERR_OK) {
        tls_wire_ended(&client, true);
    } else {
        tls_wire_ended(&server, true);
    }
    assert_int_equal(client.err, c->client_err);
    assert_int_equal(server.err, c->server_err);
    const char *why = c->client_err == ERR_CLOSED ? server.why : client.why;
    assert_true(str_starts(str_of(why), str_of(c->why)));
    assert_true(tls_state(&client) & TLS_IS_OVER);
    assert_true(tls_state(&server) & TLS_IS_OVER);
}

static void test_handshakes(void **state)
{
    for (size_t i = 0; i < sizeof handshakes / sizeof handshakes[0]; i++) {
        (void)tear_down(state);
        (void)set_up(state);
        prng_seed(&prng, i);
        run_handshake(&handshakes[i]);
    }
}

static const struct handshake_case mutual = {
    "server_ec", "ca.crt", "kubernetes", "client_ec", "ca.crt",
    true,        ERR_OK,   ERR_OK,       NULL,        "kubernetes-admin"};

static void test_transfer_many_splits(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 20; round++) {
        (void)set_up(state);
        prng_seed(&prng, 100 + round);
        start(&mutual);
        assert_true(is_open());
        transfer(&server, &client, 1 + prng_below(&prng, 100000));
        transfer(&client, &server, 1 + prng_below(&prng, 100000));
        (void)tear_down(state);
    }
}

static void test_skip_verify(void **state)
{
    (void)state;
    struct tls_trust *trust = trust_of("ca_twin.crt");
    tls_start_client(&client, trust, NULL, S("wrong.example.com"), true, seed());
    tls_start_server(&server, identity_of("server_expired"), NULL, false, seed());
    pump();
    assert_true(is_open());
    assert_false(client.is_peer_known);
    transfer(&server, &client, 1000);
}

/* ---- endings --------------------------------------------------------------------------------- */

static void test_orderly_close(void **state)
{
    (void)state;
    start(&mutual);
    assert_int_equal(tls_plain_put(&server, S("last words")), 10);
    tls_close(&server);
    while (carry(&server, &client)) {
    }
    assert_true(str_eq(tls_plain_ready(&client), S("last words")));
    assert_false(tls_state(&client) & TLS_IS_OVER); /* first what was said */
    tls_plain_taken(&client, 10);
    pump();
    assert_int_equal(client.err, ERR_END);
    assert_int_equal(server.err, ERR_END);
    tls_wire_ended(&client, true);
    assert_int_equal(client.err, ERR_END);
}

static void test_cut_is_no_orderly_close(void **state)
{
    (void)state;
    start(&mutual);
    assert_int_equal(tls_plain_put(&server, S("last words")), 10);
    tls_flush(&server);
    pump();
    tls_wire_ended(&client, true);
    assert_false(tls_state(&client) & TLS_IS_OVER);
    tls_plain_taken(&client, 10);
    assert_true(tls_state(&client) & TLS_IS_OVER);
    assert_int_equal(client.err, ERR_CLOSED);
    assert_string_equal(client.why, "connection was cut");
}

static void test_hang_up_in_handshake(void **state)
{
    (void)state;
    tls_start_client(&client, trust_of("ca.crt"), NULL, S("kubernetes"), false, seed());
    tls_wire_ended(&client, true);
    assert_int_equal(client.err, ERR_CLOSED);
}

static void feed_text(struct tls_engine *engine, str text)
{
    while (text.bytes > 0) {
        size_t room_bytes;
        void *room = tls_wire_room(engine, &room_bytes);
        if (room_bytes == 0) {
            return;
        }
        size_t bytes = text.bytes < room_bytes ? text.bytes : room_bytes;
        memcpy(room, text.ptr, bytes);
        tls_wire_fed(engine, bytes);
        text = str_sub(text, bytes, text.bytes);
    }
}

static void test_explains_what_peers_say(void **state)
{
    static const struct {
        str reply;
        const char *why;
    } cases[] = {
        {{"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
         "the peer does not speak TLS 1.2 (plain HTTP, or 1.3 only?)"},
        {{"\x15\x03\x01\x00\x02\x02\x46", 7},
         "the peer refused TLS 1.2 (it may speak TLS 1.3 only)"},
        {{"\x15\x03\x03\x00\x02\x02\x28", 7}, "the peer refused the handshake"},
        {{"\x15\x03\x03\x00\x02\x02\x63", 7}, "the peer sent TLS alert 99"},
        {{"\x17\x03\x03\x00\x01x", 6}, "TLS protocol error"},
        {{"\x16\x03\x03\xff\xff", 5}, "TLS record of a forbidden length"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tls_start_client(&client, trust_of("ca.crt"), NULL, S("kubernetes"), false, seed());
        size_t bytes;
        assert_non_null(tls_wire_ready(&client, &bytes));
        tls_wire_drained(&client, bytes);
        feed_text(&client, cases[i].reply);
        assert_int_equal(client.err, ERR_TLS);
        assert_true(str_starts(str_of(client.why), str_of(cases[i].why)));
        tls_stop(&client);
    }
}

/* A changed bit on the way is an error on one side or the other, never wrong data. */
static void test_damaged_bytes(void **state)
{
    for (uint64_t round = 0; round < 60; round++) {
        (void)set_up(state);
        prng_seed(&prng, round);
        tls_start_client(&client, trust_of("ca.crt"), identity_of("client_ec"), S("kubernetes"),
                         false, seed());
        tls_start_server(&server, identity_of("server_ec"), trust_of("ca.crt"), true, seed());
        size_t steps = prng_below(&prng, 60);
        while (steps-- > 0 && carry_both()) {
        }
        struct tls_engine *from = prng_chance(&prng, 1, 2) ? &client : &server;
        struct tls_engine *to = from == &client ? &server : &client;
        size_t bytes;
        const void *ready = tls_wire_ready(from, &bytes);
        if (bytes == 0 && is_open()) {
            assert_true(tls_plain_put(from, S("hello")) > 0);
            tls_flush(from);
            ready = tls_wire_ready(from, &bytes);
        }
        if (bytes > 0) {
            char copy[TLS_OUT_BYTES];
            memcpy(copy, ready, bytes);
            size_t at = prng_below(&prng, bytes);
            copy[at] = (char)(copy[at] ^ (1 << prng_below(&prng, 8)));
            tls_wire_drained(from, bytes);
            feed_text(to, str_make(copy, bytes));
            pump();
            assert_false(is_open() && tls_plain_ready(to).bytes > 0);
        }
        (void)tear_down(state);
    }
}

/* Random bytes at any moment: an error or patience, nothing else. */
static void test_garbage(void **state)
{
    for (uint64_t round = 0; round < 300; round++) {
        char noise[600];
        (void)set_up(state);
        prng_seed(&prng, 1000 + round);
        start(&mutual);
        size_t bytes = 1 + prng_below(&prng, sizeof noise);
        for (size_t i = 0; i < bytes; i++) {
            noise[i] = (char)prng_u64(&prng);
        }
        if (prng_chance(&prng, 1, 2)) { /* look like a record at least */
            static const char types[] = {20, 21, 22, 23};
            noise[0] = types[prng_below(&prng, 4)];
            memcpy(noise + 1, "\x03\x03\x00\x40", bytes > 4 ? 4 : bytes - 1);
        }
        struct tls_engine *to = prng_chance(&prng, 1, 2) ? &client : &server;
        feed_text(to, str_make(noise, bytes));
        assert_int_equal(tls_plain_ready(to).bytes, 0);
        (void)tear_down(state);
    }
}

/* ---- handshake memory ------------------------------------------------------------------------ */

static void test_no_verifier_left(void **state)
{
    (void)state;
    handle taken[VERIFIERS_MAX];
    struct pool others;
    for (int i = 0; i < VERIFIERS_MAX; i++) {
        assert_int_equal(pool_take(&verifiers, &taken[i]), ERR_OK);
    }
    tls_start_client(&client, trust_of("ca.crt"), NULL, S("kubernetes"), false, seed());
    tls_start_server(&server, identity_of("server_ec"), NULL, false, seed());
    pump();
    assert_int_equal(client.err, ERR_FULL);
    tls_stop(&client);
    /* a server that would go on without a certificate does not, when it could not look at one */
    struct tls_trust *trust = trust_of("ca.crt");
    tls_verifiers_init(&others, &region, 1);
    trust->verifiers = &others;
    tls_start_client(&client, trust, identity_of("client_ec"), S("kubernetes"), false, seed());
    tls_start_server(&server, identity_of("server_ec"), trust_of("ca.crt"), false, seed());
    pump();
    assert_int_equal(server.err, ERR_FULL);
    assert_int_equal(others.count, 0);
    tls_stop(&client);
    for (int i = 0; i < VERIFIERS_MAX; i++) {
        pool_give(&verifiers, taken[i]);
    }
}

static void test_verifier_is_held_shortly(void **state)
{
    (void)state;
    int steps_with = 0;
    int steps_without = 0;

    piece_max = 10;
    tls_start_client(&client, trust_of("ca.crt"), NULL, S("kubernetes"), false, seed());
    tls_start_server(&server, identity_of("server_ec"), NULL, false, seed());
    while (carry_both()) {
        *(verifiers.count > 0 ? &steps_with : &steps_without) += 1;
    }
    assert_true(is_open());
    assert_true(steps_with > 0);
    assert_true(steps_without > steps_with / 2);
    assert_int_equal(verifiers.count, 0);
    /* and is given back when the connection is dropped in the middle */
    tls_start_client(&client, trust_of("ca.crt"), NULL, S("kubernetes"), false, seed());
    tls_start_server(&server, identity_of("server_ec"), NULL, false, seed());
    while (verifiers.count == 0) {
        assert_true(carry_both());
    }
    tls_stop(&client);
    assert_int_equal(verifiers.count, 0);
    piece_max = 0;
}

/* ---- plain engines --------------------------------------------------------------------------- */

static void test_plain_engine(void **state)
{
    (void)state;
    tls_start_plain(&client);
    tls_start_plain(&server);
    assert_true(is_open());
    transfer(&client, &server, 100000);
    transfer(&server, &client, 100000);
    assert_int_equal(tls_plain_put(&client, S("bye")), 3);
    pump();
    tls_wire_ended(&server, true);
    assert_false(tls_state(&server) & TLS_IS_OVER);
    tls_plain_taken(&server, 3);
    assert_true(tls_state(&server) & TLS_IS_OVER);
    assert_int_equal(server.err, ERR_END);
    tls_wire_ended(&client, false);
    assert_true(tls_state(&client) & TLS_IS_OVER);
    assert_int_equal(client.err, ERR_CLOSED);
}

static void test_off_engine(void **state)
{
    (void)state;
    size_t bytes;
    memset(&client, 0, sizeof client);
    assert_int_equal(tls_state(&client), TLS_IS_OVER);
    assert_null(tls_wire_room(&client, &bytes));
    assert_null(tls_wire_ready(&client, &bytes));
    assert_int_equal(tls_plain_put(&client, S("x")), 0);
    tls_stop(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_handshakes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_transfer_many_splits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_skip_verify, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_orderly_close, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut_is_no_orderly_close, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hang_up_in_handshake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_explains_what_peers_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_garbage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_verifier_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_verifier_is_held_shortly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_plain_engine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_off_engine, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
