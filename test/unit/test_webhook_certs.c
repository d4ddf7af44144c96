/* see webhook_certs.h: two gateways, one Secret, a scripted API server, a virtual clock */
#include "fake_api_world.h"

#include "admit/webhook_certs.h"
#include "admit/webhook_config.h"
#include "data/json_read.h"
#include "net_certs.h"

#define GATEWAYS 2
#define DAY_MS INT64_C(86400000)

/* ---- the server's side ----------------------------------------------------------------------- */

static struct {
    bool undoes; /* what is written is spoilt at once */
    bool fails_patches;
    bool has_secret, forbids_reads, forbids_writes, is_immutable, is_away;
    uint32_t version, posts, patches;
    uint32_t others_first; /* so many writes come too late: somebody else was faster */
    char data[16384];      /* the member's JSON */
} server;

static void put_secret(struct fake_conn *conn, int status)
{
    static char memory[20000];
    struct buf out;
    buf_init(&out, memory, sizeof memory);
    buf_put_fmt(&out,
                "{\"kind\":\"Secret\",\"metadata\":{\"name\":\"" WEBHOOK_SECRET
                "\",\"namespace\":\"kube-system\",\"uid\":\"u-1\",\"resourceVersion\":\"%u\"},"
                "\"data\":%s}",
                server.version, server.data);
    fake_reply(conn, status, "", buf_str(&out));
}

static void absent(struct fake_conn *conn)
{
    fake_reply_text(conn, 404,
                    "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\",\"message\":\"no\","
                    "\"details\":{\"kind\":\"secrets\",\"name\":\"" WEBHOOK_SECRET "\"}}");
}

/* Takes the data; false when the condition in it does not hold. */
static bool take(const struct fake_request *request, bool is_patch)
{
    size_t mark = arena_mark(&world.arena);
    json root;
    assert_int_equal(json_parse(request->body, &world.arena, &root, NULL), ERR_OK);
    json metadata = json_get(root, "metadata");
    char version[16];
    (void)snprintf(version, sizeof version, "%u", server.version);
    bool is_current = !is_patch || json_text_is(json_get(metadata, "resourceVersion"), version);
    if (str_eq(request->method, S("POST"))) {
        assert_true(json_text_is(json_get(root, "type"), "kubernetes.io/tls"));
    }
    if (is_current) {
        (void)str_copy(server.data, sizeof server.data, json_raw(json_get(root, "data")));
        server.version++;
        if (server.undoes) {
            (void)snprintf(server.data, sizeof server.data, "{}");
        }
    }
    arena_rewind(&world.arena, mark);
    return is_current;
}

static void answer_write(struct fake_conn *conn, const struct fake_request *request, bool is_patch)
{
    *(is_patch ? &server.patches : &server.posts) += 1;
    if (server.fails_patches && is_patch) {
        fake_reply(conn, 500, "", S("no leader"));
    } else if (server.forbids_writes) {
        fake_reply_status(conn, 403, "Forbidden", "secrets");
    } else if (server.is_immutable) {
        fake_reply_status(conn, 422, "Invalid", "secrets");
    } else if (server.others_first > 0) {
        server.others_first--;
        (void)take(request, false); /* the other's is as good as ours */
        server.has_secret = true;
        fake_reply_status(conn, 409, is_patch ? "Conflict" : "AlreadyExists", "secrets");
    } else if (!is_patch && server.has_secret) {
        fake_reply_status(conn, 409, "AlreadyExists", "secrets");
    } else if (is_patch && !server.has_secret) {
        absent(conn);
    } else if (!take(request, is_patch)) {
        fake_reply_status(conn, 409, "Conflict", "secrets");
    } else {
        server.has_secret = true;
        put_secret(conn, is_patch ? 200 : 201);
    }
}

static void answer(struct fake_api *api, struct fake_conn *conn, const struct fake_request *request)
{
    (void)api;
    assert_true(fake_has(request, "/api/v1/namespaces/kube-system/secrets"));
    if (server.is_away) {
        fake_reply(conn, 503, "", S("etcd is away"));
    } else if (!str_eq(request->method, S("GET"))) {
        answer_write(conn, request, str_eq(request->method, S("PATCH")));
    } else if (server.forbids_reads) {
        fake_reply_status(conn, 403, "Forbidden", "secrets");
    } else if (server.has_secret) {
        put_secret(conn, 200);
    } else {
        absent(conn);
    }
}

/* ---- the gateways ---------------------------------------------------------------------------- */

static struct gateway {
    struct webhook_certs certs;
    struct kube_calls calls;
    bool may_write;
    uint32_t warnings, changes, cuts;
    char reason[64], message[600];
} gateways[GATEWAYS];

#define ONE (&gateways[0])
#define TWO (&gateways[1])

static bool may_write(void *owner)
{
    return ((struct gateway *)owner)->may_write;
}

static void on_prepare(void *owner)
{
    ((struct gateway *)owner)->cuts++;
}

static void on_change(void *owner)
{
    ((struct gateway *)owner)->changes++;
}

static void warn(void *owner, const char *reason, const char *message)
{
    struct gateway *gateway = owner;
    gateway->warnings++;
    (void)snprintf(gateway->reason, sizeof gateway->reason, "%s", reason);
    (void)snprintf(gateway->message, sizeof gateway->message, "%s", message);
}

static int start(void **state)
{
    static const struct kube_calls_config calls = {
        .conns_count = 1, .small_count = 8, .small_bytes = 64 * 1024, .large_count = 2,
        .large_bytes = 128 * 1024};
    (void)state;
    memset(&server, 0, sizeof server);
    memset(gateways, 0, sizeof gateways);
    fake_step_ms = 10;
    fake_wall_ms = INT64_C(1748736000000);
    world_start(answer);
    log_set_level(LOG_ERROR);
    for (uint32_t i = 0; i < GATEWAYS; i++) {
        struct gateway *one = &gateways[i];
        const struct webhook_certs_config config = {
            .loop = &world.loop,
            .calls = &one->calls,
            .arena = &world.arena,
            .folder = world.dir,
            .may_write = may_write,
            .on_prepare = on_prepare,
            .on_change = on_change,
            .warn = warn,
            .owner = one,
            .seed = i,
        };
        kube_calls_init(&one->calls, &world.loop, &world.region, &world.auth, &world.arena, &calls);
        webhook_certs_init(&one->certs, &world.region, &config);
        one->may_write = true;
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < GATEWAYS; i++) {
        kube_calls_stop(&gateways[i].calls);
        webhook_certs_stop(&gateways[i].certs);
        for (size_t k = 0; k < 3; k++) {
            (void)unlink(gateways[i].certs.paths[k]);
        }
    }
    assert_int_equal(world.arena.used, 0);
    world_stop();
    return 0;
}

static void begin(struct gateway *gateway)
{
    webhook_certs_start(&gateway->certs, S("192.0.2.1"));
}

static bool shows(const struct gateway *gateway)
{
    return webhook_certs_identity(&gateway->certs) != NULL;
}

static bool show_the_same(void)
{
    const struct tls_identity *a = webhook_certs_identity(&ONE->certs);
    const struct tls_identity *b = webhook_certs_identity(&TWO->certs);
    return a != NULL && b != NULL && a->chain[0].data_len == b->chain[0].data_len &&
           memcmp(a->chain[0].data, b->chain[0].data, a->chain[0].data_len) == 0;
}

static uint64_t print_of(const struct gateway *gateway)
{
    const struct tls_identity *identity = webhook_certs_identity(&gateway->certs);
    assert_non_null(identity);
    return str_hash(str_make((const char *)identity->chain[0].data, identity->chain[0].data_len));
}

static bool is_pair_in_secret(void)
{
    return server.has_secret && strstr(server.data, "tls.key") != NULL;
}

/* As the registration would do: what the leading gateway wants is in the configuration. */
static void register_authority(void)
{
    char print[WEBHOOK_FINGERPRINT_BYTES];
    size_t mark = arena_mark(&world.arena);
    webhook_config_fingerprint(webhook_certs_authority(&ONE->certs, &world.arena), print);
    arena_rewind(&world.arena, mark);
    webhook_certs_seen(&ONE->certs, str_of(print));
    webhook_certs_seen(&TWO->certs, str_of(print));
}

static uint32_t count_in(str text, str needle)
{
    uint32_t count = 0;
    for (ptrdiff_t at; (at = str_find(text, needle)) >= 0; count++) {
        text = str_sub(text, (size_t)at + needle.bytes, text.bytes);
    }
    return count;
}

static uint32_t authorities(const struct gateway *gateway)
{
    size_t mark = arena_mark(&world.arena);
    str all = webhook_certs_authority(&gateway->certs, &world.arena);
    uint32_t count = count_in(all, S("BEGIN CERTIFICATE"));
    arena_rewind(&world.arena, mark);
    return count;
}

static void begin_both(bool is_elected)
{
    TWO->may_write = !is_elected;
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 10000, shows(ONE)));
    begin(TWO);
    assert_true(FAKE_UNTIL(&world.loop, 60000, shows(TWO)));
    assert_true(show_the_same());
}

/* ---- the usual life -------------------------------------------------------------------------- */

static void test_the_first_makes_it_the_second_reads_it(void **state)
{
    (void)state;
    begin_both(true);
    assert_true(is_pair_in_secret());
    assert_int_equal(server.posts, 1);
    assert_int_equal(server.patches, 0);
    assert_int_equal(authorities(ONE), 1);
    assert_true(webhook_secret_names(tls_keep_current(&TWO->certs.keep), S("192.0.2.1")));
    fake_pass(&world.loop, 10 * 60000);
    assert_int_equal(server.posts + server.patches, 1); /* quiet */
    assert_int_equal(ONE->warnings + TWO->warnings, 0);
}

static void test_one_that_may_not_write_waits_for_it(void **state)
{
    (void)state;
    TWO->may_write = false;
    begin(TWO);
    fake_pass(&world.loop, 3000);
    assert_false(shows(TWO));
    assert_int_equal(server.posts, 0);
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 60000, show_the_same()));
    assert_int_equal(server.posts, 1);
}

static void test_both_make_it_at_one_time(void **state)
{
    (void)state;
    begin(ONE);
    begin(TWO);
    assert_true(FAKE_UNTIL(&world.loop, 5000, show_the_same()));
    assert_int_equal(server.posts, 2);
    assert_int_equal(server.version, 1);
}

static void test_the_other_was_faster(void **state)
{
    (void)state;
    server.others_first = 1;
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 1000, shows(ONE)));
    assert_int_equal(server.posts, 1);
    assert_int_equal(ONE->warnings, 0);
}

static void test_a_restart_takes_what_is_there(void **state)
{
    (void)state;
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 1000, shows(ONE)));
    uint64_t first = print_of(ONE);
    webhook_certs_stop(&ONE->certs);
    assert_false(shows(ONE));
    begin(ONE);
    /* nothing of the process before is left but its memory */
    ONE->certs.version[0] = '\0';
    assert_true(FAKE_UNTIL(&world.loop, 1000, shows(ONE)));
    assert_int_equal(print_of(ONE), first);
    assert_int_equal(server.posts, 1);
}

static void test_renewal_is_believed_before_it_is_shown(void **state)
{
    (void)state;
    begin_both(true);
    uint64_t old = print_of(ONE);
    fake_clock_skip(59 * DAY_MS);
    fake_pass(&world.loop, 60000);
    assert_int_equal(server.patches, 0);
    fake_clock_skip(2 * DAY_MS);
    assert_true(FAKE_UNTIL(&world.loop, 60000, webhook_certs_waits(&ONE->certs)));
    assert_true(FAKE_UNTIL(&world.loop, 60000, webhook_certs_waits(&TWO->certs)));
    assert_int_equal(server.patches, 1);
    assert_int_equal(authorities(ONE), 2); /* the old and the new one */
    fake_pass(&world.loop, 3 * 60000);
    assert_int_equal(print_of(ONE), old); /* nobody has registered it yet */
    assert_int_equal(print_of(TWO), old);
    uint32_t changes = ONE->changes;
    register_authority();
    fake_pass(&world.loop, WEBHOOK_CERTS_SETTLE_MS / 2);
    assert_int_equal(print_of(ONE), old); /* API servers hear of it with a delay */
    assert_true(FAKE_UNTIL(&world.loop, WEBHOOK_CERTS_SETTLE_MS, print_of(ONE) != old));
    assert_true(FAKE_UNTIL(&world.loop, WEBHOOK_CERTS_SETTLE_MS, show_the_same()));
    assert_int_equal(ONE->changes, changes + 1);
    assert_int_equal(authorities(ONE), 2); /* who still shows the old one is believed */
    assert_int_equal(server.patches, 1);
    assert_int_equal(ONE->warnings, 0);
}

static void test_what_is_registered_otherwise_changes_nothing(void **state)
{
    (void)state;
    begin_both(true);
    uint64_t old = print_of(ONE);
    fake_clock_skip(61 * DAY_MS);
    assert_true(FAKE_UNTIL(&world.loop, 60000, webhook_certs_waits(&TWO->certs)));
    webhook_certs_seen(&TWO->certs, S("0123456789abcdef"));
    webhook_certs_seen(&TWO->certs, STR_NONE);
    fake_pass(&world.loop, 60000);
    assert_int_equal(print_of(TWO), old);
    fake_clock_skip(30 * DAY_MS); /* but one that has expired serves nobody */
    assert_true(FAKE_UNTIL(&world.loop, 60000, print_of(TWO) != old));
}

static void test_without_election_one_of_two_renews(void **state)
{
    (void)state;
    begin_both(false);
    uint64_t old = print_of(ONE);
    fake_clock_skip(61 * DAY_MS);
    assert_true(FAKE_UNTIL(&world.loop, 60000, webhook_certs_waits(&ONE->certs)));
    assert_true(FAKE_UNTIL(&world.loop, 60000, webhook_certs_waits(&TWO->certs)));
    register_authority();
    fake_pass(&world.loop, 2 * 60000);
    assert_true(show_the_same());
    assert_int_not_equal(print_of(ONE), old);
    assert_int_equal(server.version, 2);
}

static void test_gateways_with_addresses_of_their_own(void **state)
{
    (void)state;
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 10000, shows(ONE)));
    webhook_certs_start(&TWO->certs, S("gateway-2.example"));
    assert_true(FAKE_UNTIL(&world.loop, 60000,
                           webhook_certs_waits(&ONE->certs) && webhook_certs_waits(&TWO->certs)));
    register_authority();
    assert_true(
        FAKE_UNTIL(&world.loop, 60000, !webhook_certs_waits(&ONE->certs) && show_the_same()));
    const struct tls_set *set = tls_keep_current(&ONE->certs.keep);
    assert_true(webhook_secret_names(set, S("192.0.2.1")));
    assert_true(webhook_secret_names(set, S("gateway-2.example")));
    fake_pass(&world.loop, 10 * 60000);
    assert_int_equal(server.patches, 1); /* both are content */
}

/* Who takes over is registered at once: its name must not wait for the next look. */
static void test_who_leads_now_is_named_at_once(void **state)
{
    (void)state;
    TWO->may_write = false;
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 10000, shows(ONE)));
    webhook_certs_start(&TWO->certs, S("gateway-2.example"));
    assert_true(FAKE_UNTIL(&world.loop, 60000, shows(TWO)));
    fake_pass(&world.loop, 3 * 60000);
    assert_int_equal(server.patches, 0);
    ONE->may_write = false;
    TWO->may_write = true;
    webhook_certs_look(&TWO->certs);
    assert_true(FAKE_UNTIL(&world.loop, 500, webhook_certs_waits(&TWO->certs)));
    assert_true(webhook_secret_names(tls_keep_next(&TWO->certs.keep), S("gateway-2.example")));
    assert_true(webhook_secret_names(tls_keep_next(&TWO->certs.keep), S("192.0.2.1")));
}

/* A write that did not land has named nobody: once it can, it is done. */
static void test_a_write_that_failed_is_done_again(void **state)
{
    (void)state;
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 10000, shows(ONE)));
    server.fails_patches = true;
    webhook_certs_start(&TWO->certs, S("gateway-2.example"));
    assert_true(FAKE_UNTIL(&world.loop, 60000, server.patches == 1));
    server.fails_patches = false;
    assert_true(FAKE_UNTIL(&world.loop, 3 * 60000, server.patches == 2));
    assert_true(FAKE_UNTIL(&world.loop, 60000, webhook_certs_waits(&ONE->certs)));
    const struct tls_set *set = tls_keep_next(&ONE->certs.keep);
    assert_true(webhook_secret_names(set, S("192.0.2.1")));
    assert_true(webhook_secret_names(set, S("gateway-2.example")));
}

/* ---- a Secret that cannot be used ------------------------------------------------------------ */

static void break_it(const char *data)
{
    server.version++;
    (void)snprintf(server.data, sizeof server.data, "%s", data);
}

static void test_a_broken_secret_is_replaced_and_told(void **state)
{
    static const struct {
        const char *data, *said;
    } rows[] = {
        {"{}", "it has no tls.crt"},
        {"null", "it has no tls.crt"},
        {"{\"tls.crt\":\"????\"}", "it has no tls.crt"},
        {"{\"tls.crt\":\"eA==\"}", "it has no tls.key"},
        {"{\"tls.crt\":\"eA==\",\"tls.key\":\"eA==\"}", "it has no ca.crt"},
        {"{\"tls.crt\":\"eA==\",\"tls.key\":\"eA==\",\"ca.crt\":\"eA==\"}",
         "no certificate in the file"},
    };
    (void)state;
    begin_both(true);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t old = print_of(ONE);
        break_it(rows[i].data);
        assert_true(FAKE_UNTIL(&world.loop, 60000, ONE->warnings == i + 1));
        assert_string_equal(ONE->reason, "WebhookSecretReplaced");
        assert_non_null(strstr(ONE->message, rows[i].said));
        assert_int_equal(print_of(ONE), old); /* what is shown stays until the new is believed */
        assert_true(
            FAKE_UNTIL(&world.loop, 60000,
                       webhook_certs_waits(&ONE->certs) && webhook_certs_waits(&TWO->certs)));
        assert_int_equal(authorities(ONE), 2);
        register_authority();
        assert_true(FAKE_UNTIL(&world.loop, 60000, print_of(ONE) != old && show_the_same()));
    }
    assert_int_equal(TWO->warnings, 0);
    assert_int_equal(server.patches, COUNT_OF(rows));
}

static void test_a_foreign_authority_is_replaced(void **state)
{
    (void)state;
    static char kept[sizeof server.data];
    begin_both(true);
    memcpy(kept, server.data, sizeof kept);
    fake_pass(&world.loop, 1000);
    char *ca = strstr(server.data, "\"ca.crt\":\"");
    assert_non_null(ca);
    (void)snprintf(ca, 64, "\"ca.crt\":\"eA==\"}");
    server.version++;
    assert_true(FAKE_UNTIL(&world.loop, 60000, ONE->warnings == 1));
    assert_non_null(strstr(ONE->message, "its ca.crt does not hold its tls.crt"));
}

static void test_an_expired_secret_is_replaced_at_the_start(void **state)
{
    (void)state;
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 1000, shows(ONE)));
    webhook_certs_stop(&ONE->certs);
    ONE->certs.version[0] = '\0';
    fake_clock_skip(91 * DAY_MS);
    begin(TWO);
    assert_true(FAKE_UNTIL(&world.loop, 2000, shows(TWO)));
    assert_int_equal(TWO->warnings, 1);
    assert_non_null(strstr(TWO->message, "its certificate has expired"));
    assert_true(tls_set_is_valid(tls_keep_current(&TWO->certs.keep), fake_wall_ms / 1000));
    assert_int_equal(authorities(TWO), 1);
}

static void test_a_deleted_secret_is_made_again(void **state)
{
    (void)state;
    begin_both(true);
    uint64_t old = print_of(ONE);
    server.has_secret = false;
    assert_true(FAKE_UNTIL(&world.loop, 60000, server.posts == 2));
    assert_true(FAKE_UNTIL(&world.loop, 60000,
                           webhook_certs_waits(&ONE->certs) && webhook_certs_waits(&TWO->certs)));
    assert_int_equal(print_of(ONE), old);
    assert_int_equal(authorities(TWO), 2);
}

static void test_somebody_writes_at_the_same_time(void **state)
{
    (void)state;
    begin_both(true);
    break_it("{}");
    server.others_first = 1;
    assert_true(FAKE_UNTIL(&world.loop, 60000, webhook_certs_waits(&ONE->certs)));
    assert_int_equal(server.patches, 1);
    assert_int_equal(ONE->warnings, 0); /* it was not we who replaced it */
}

/* Something in the cluster undoes what is written: no race against it. */
static void test_what_is_undone_is_not_fought_over(void **state)
{
    (void)state;
    server.undoes = true;
    begin(ONE);
    fake_pass(&world.loop, 10 * 60000);
    assert_in_range(server.posts + server.patches, 8, 21);
    assert_true(shows(ONE)); /* one of its own meanwhile */
    server.undoes = false;
    assert_true(FAKE_UNTIL(&world.loop, 2 * 60000, ONE->certs.fault == NULL));
}

/* A host that no certificate can name: it is tried once. */
static void test_a_host_that_cannot_be_named(void **state)
{
    (void)state;
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 1000, shows(ONE)));
    webhook_certs_start(&TWO->certs, S("no host at all"));
    fake_pass(&world.loop, 10 * 60000);
    assert_true(shows(TWO));
    assert_int_equal(server.patches, 1);
}

/* ---- without permission ---------------------------------------------------------------------- */

static void test_without_permission_to_read_it_makes_its_own(void **state)
{
    (void)state;
    server.forbids_reads = true;
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 1000, shows(ONE)));
    assert_int_equal(ONE->warnings, 1);
    assert_string_equal(ONE->reason, "WebhookSecretRefused");
    assert_non_null(strstr(ONE->message, "may not be read"));
    uint64_t own = print_of(ONE);
    fake_pass(&world.loop, 20 * 60000);
    assert_int_equal(ONE->warnings, 1); /* told once */
    assert_int_equal(print_of(ONE), own);
    assert_int_equal(server.posts, 0);
    fake_clock_skip(61 * DAY_MS); /* its own is renewed in the same way */
    assert_true(FAKE_UNTIL(&world.loop, 6 * 60000, webhook_certs_waits(&ONE->certs)));
    assert_int_equal(authorities(ONE), 2);
    register_authority();
    assert_true(FAKE_UNTIL(&world.loop, 60000, print_of(ONE) != own));
    assert_int_equal(authorities(ONE), 1);
    server.forbids_reads = false; /* and shared as soon as it may be */
    assert_true(FAKE_UNTIL(&world.loop, 6 * 60000, server.posts == 1));
    assert_true(FAKE_UNTIL(&world.loop, 60000, webhook_certs_waits(&ONE->certs)));
    assert_int_equal(authorities(ONE), 2);
}

/* Refused while it was due: the Secret is shared again when it can be, and is renewed. */
static void test_the_secret_is_taken_back_after_a_refusal(void **state)
{
    (void)state;
    begin_both(true);
    server.forbids_reads = true;
    fake_clock_skip(61 * DAY_MS);
    assert_true(FAKE_UNTIL(&world.loop, 6 * 60000, webhook_certs_waits(&ONE->certs)));
    register_authority();
    fake_pass(&world.loop, 60000);
    server.forbids_reads = false;
    assert_true(FAKE_UNTIL(&world.loop, 12 * 60000, server.patches == 1));
    fake_pass(&world.loop, 12 * 60000);
    for (int i = 0; i < 2; i++) { /* with its own, then without it */
        register_authority();
        fake_pass(&world.loop, 60000);
    }
    assert_true(show_the_same());
}

static void test_without_permission_to_write_it_makes_its_own(void **state)
{
    (void)state;
    server.forbids_writes = true;
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 1000, shows(ONE)));
    assert_int_equal(ONE->warnings, 1);
    assert_non_null(strstr(ONE->message, "may not be written"));
    fake_pass(&world.loop, 20 * 60000);
    assert_int_equal(ONE->warnings, 1);
    assert_in_range(server.posts, 2, 6);
}

static void test_a_secret_that_cannot_be_changed(void **state)
{
    (void)state;
    server.has_secret = true;
    server.is_immutable = true;
    break_it("{}");
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 1000, shows(ONE)));
    assert_string_equal(ONE->reason, "WebhookSecretRefused");
    assert_int_equal(ONE->warnings, 1);
}

static void test_nobody_makes_it_so_there_is_one_of_its_own(void **state)
{
    (void)state;
    TWO->may_write = false;
    begin(TWO);
    assert_true(FAKE_UNTIL(&world.loop, 60000, shows(TWO)));
    assert_int_equal(server.posts, 0);
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 60000, webhook_certs_waits(&TWO->certs)));
    register_authority();
    assert_true(FAKE_UNTIL(&world.loop, 60000, show_the_same()));
}

static void test_the_server_is_away(void **state)
{
    (void)state;
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 1000, shows(ONE)));
    uint64_t first = print_of(ONE);
    server.is_away = true;
    fake_pass(&world.loop, 10 * 60000);
    assert_int_equal(print_of(ONE), first);
    server.is_away = false;
    fake_pass(&world.loop, 2 * 60000);
    assert_int_equal(print_of(ONE), first);
    assert_int_equal(server.posts + server.patches, 1);
    assert_int_equal(ONE->warnings, 0);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void put_files(struct gateway *gateway, const char *kind)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.key", kind);
    unit_put_file(gateway->certs.paths[1], str_of(net_cert(name)));
    unit_put_file(gateway->certs.paths[2], str_of(net_cert("ca.crt")));
    (void)snprintf(name, sizeof name, "%s.crt", kind);
    unit_put_file(gateway->certs.paths[0], str_of(net_cert(name)));
}

static void test_files_win_and_are_followed(void **state)
{
    (void)state;
    put_files(ONE, "server_ec");
    begin(ONE);
    assert_true(FAKE_UNTIL(&world.loop, 1000, shows(ONE)));
    assert_int_equal(world.api.requests, 0); /* the Secret is not even looked at */
    assert_int_equal(webhook_certs_identity(&ONE->certs)->key_type, BR_KEYTYPE_EC);
    put_files(ONE, "server_rsa");
    assert_true(
        FAKE_UNTIL(&world.loop, WEBHOOK_CERTS_LOOK_MS + 1000, webhook_certs_waits(&ONE->certs)));
    assert_int_equal(authorities(ONE), 1); /* the same authority vouches for both */
    register_authority();
    assert_true(FAKE_UNTIL(&world.loop, WEBHOOK_CERTS_SETTLE_MS + 1000,
                           webhook_certs_identity(&ONE->certs)->key_type == BR_KEYTYPE_RSA));
    /* a new authority: both until the new certificate is shown */
    unit_put_file(ONE->certs.paths[2], str_of(net_cert("ca_rsa.crt")));
    assert_true(
        FAKE_UNTIL(&world.loop, WEBHOOK_CERTS_LOOK_MS + 1000, webhook_certs_waits(&ONE->certs)));
    assert_int_equal(authorities(ONE), 2);
    register_authority();
    assert_true(
        FAKE_UNTIL(&world.loop, WEBHOOK_CERTS_SETTLE_MS + 1000, !webhook_certs_waits(&ONE->certs)));
    assert_int_equal(authorities(ONE), 1);
    for (size_t k = 0; k < 3; k++) {
        (void)unlink(ONE->certs.paths[k]);
    }
    assert_true(FAKE_UNTIL(&world.loop, 2 * WEBHOOK_CERTS_LOOK_MS, server.posts == 1));
    put_files(ONE, "server_rsa"); /* the same as before, but not what is shown now */
    assert_true(
        FAKE_UNTIL(&world.loop, 2 * WEBHOOK_CERTS_LOOK_MS, tls_keep_has_files(&ONE->certs.keep)));
    fake_pass(&world.loop, WEBHOOK_CERTS_LOOK_MS);
    assert_non_null(tls_keep_next(&ONE->certs.keep));
    assert_int_equal(tls_keep_next(&ONE->certs.keep)->identity.key_type, BR_KEYTYPE_RSA);
}

/* The authority goes into an object that everybody may read. */
static void test_no_key_goes_into_the_registration(void **state)
{
    (void)state;
    static char memory[8192];
    struct buf both;
    buf_init(&both, memory, sizeof memory);
    buf_put_text(&both, net_cert("ca.crt"));
    buf_put_text(&both, net_cert("server_ec.key"));
    put_files(ONE, "server_ec");
    unit_put_file(ONE->certs.paths[2], buf_str(&both));
    begin(ONE);
    fake_pass(&world.loop, WEBHOOK_CERTS_LOOK_MS + 1000);
    assert_false(shows(ONE));
    unit_put_file(ONE->certs.paths[2], S("# later\n"));
    fake_pass(&world.loop, WEBHOOK_CERTS_LOOK_MS + 1000);
    assert_false(shows(ONE)); /* nobody could be told whom to believe */
    unit_put_file(ONE->certs.paths[2], str_of(net_cert("ca.crt")));
    assert_true(FAKE_UNTIL(&world.loop, WEBHOOK_CERTS_LOOK_MS + 1000, shows(ONE)));
    assert_int_equal(authorities(ONE), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_makes_it_the_second_reads_it),
        TEST(test_one_that_may_not_write_waits_for_it),
        TEST(test_both_make_it_at_one_time),
        TEST(test_the_other_was_faster),
        TEST(test_a_restart_takes_what_is_there),
        TEST(test_renewal_is_believed_before_it_is_shown),
        TEST(test_what_is_registered_otherwise_changes_nothing),
        TEST(test_without_election_one_of_two_renews),
        TEST(test_gateways_with_addresses_of_their_own),
        TEST(test_who_leads_now_is_named_at_once),
        TEST(test_a_write_that_failed_is_done_again),
        TEST(test_a_broken_secret_is_replaced_and_told),
        TEST(test_a_foreign_authority_is_replaced),
        TEST(test_an_expired_secret_is_replaced_at_the_start),
        TEST(test_a_deleted_secret_is_made_again),
        TEST(test_somebody_writes_at_the_same_time),
        TEST(test_what_is_undone_is_not_fought_over),
        TEST(test_a_host_that_cannot_be_named),
        TEST(test_without_permission_to_read_it_makes_its_own),
        TEST(test_the_secret_is_taken_back_after_a_refusal),
        TEST(test_without_permission_to_write_it_makes_its_own),
        TEST(test_a_secret_that_cannot_be_changed),
        TEST(test_nobody_makes_it_so_there_is_one_of_its_own),
        TEST(test_the_server_is_away),
        TEST(test_files_win_and_are_followed),
        TEST(test_no_key_goes_into_the_registration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
