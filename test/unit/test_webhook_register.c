/* see webhook_register.h: the configuration in a scripted API server, a virtual clock */
#include "fake_api_world.h"

#include "admit/webhook_register.h"
#include "data/json_read.h"

#define PATH "/apis/admissionregistration.k8s.io"

/* ---- the server's side ----------------------------------------------------------------------- */

static struct {
    bool has_v1, has_config, forbids_writes, is_away;
    bool is_made_first;    /* somebody else makes it just before us */
    bool is_deleted_first; /* ... or deletes it */
    uint32_t generation, gets, posts, patches;
    char webhooks[64 * 1024], annotations[1024], version[64];
} server;

static void put_config(struct fake_conn *conn, int status)
{
    fake_reply_text(conn, status,
                    "{\"kind\":\"PartialObjectMetadata\",\"metadata\":{\"name\":\"vk-webhook\","
                    "\"generation\":%u,\"annotations\":%s}}",
                    server.generation, server.annotations);
}

/* As the API server does: the generation grows when the webhooks are others than before. */
static void take(const struct fake_request *request)
{
    size_t mark = arena_mark(&world.arena);
    json root;
    assert_int_equal(json_parse(request->body, &world.arena, &root, NULL), ERR_OK);
    str webhooks = json_raw(json_get(root, "webhooks"));
    server.generation += !str_eq(webhooks, str_of(server.webhooks));
    assert_true(str_copy(server.webhooks, sizeof server.webhooks, webhooks));
    (void)str_copy(server.annotations, sizeof server.annotations,
                   json_raw(json_get(json_get(root, "metadata"), "annotations")));
    (void)str_copy(server.version, sizeof server.version,
                   json_text(json_get(root, "apiVersion"), &world.arena));
    server.has_config = true;
    arena_rewind(&world.arena, mark);
}

static void absent(struct fake_conn *conn)
{
    fake_reply_text(conn, 404,
                    "{\"kind\":\"Status\",\"code\":404,\"reason\":\"NotFound\",\"message\":\"no\","
                    "\"details\":{\"kind\":\"mutatingwebhookconfigurations\","
                    "\"name\":\"vk-webhook\"}}");
}

static void answer_write(struct fake_conn *conn, const struct fake_request *request, bool is_post)
{
    *(is_post ? &server.posts : &server.patches) += 1;
    if (server.is_deleted_first) {
        server.is_deleted_first = server.has_config = false;
    }
    if (server.is_made_first) {
        server.is_made_first = false;
        take(request);
    }
    if (server.forbids_writes) {
        fake_reply_status(conn, 403, "Forbidden", "mutatingwebhookconfigurations");
    } else if (is_post && server.has_config) {
        fake_reply_status(conn, 409, "AlreadyExists", "mutatingwebhookconfigurations");
    } else if (!is_post && !server.has_config) {
        absent(conn);
    } else {
        take(request);
        put_config(conn, is_post ? 201 : 200);
    }
}

static void answer(struct fake_api *api, struct fake_conn *conn, const struct fake_request *request)
{
    (void)api;
    bool is_group = str_eq(request->path, S(PATH));
    bool is_v1 = fake_has(request, PATH "/v1/");
    if (server.is_away) {
        fake_reply(conn, 503, "", S("etcd is away"));
    } else if (is_group) {
        fake_reply_text(conn, 200, "{\"versions\":[%s{\"version\":\"v1beta1\"}]}",
                        server.has_v1 ? "{\"version\":\"v1\"}," : "");
    } else if (is_v1 != server.has_v1) {
        fake_reply(conn, 404, "", S("404 page not found\n"));
    } else if (!str_eq(request->method, S("GET"))) {
        assert_true(str_find(request->head, S("as=PartialObjectMetadata")) > 0);
        answer_write(conn, request, str_eq(request->method, S("POST")));
    } else {
        server.gets++;
        if (server.has_config) {
            put_config(conn, 200);
        } else {
            absent(conn);
        }
    }
}

/* ---- the gateway ----------------------------------------------------------------------------- */

static struct webhook_register reg;
static struct kube_calls calls;
static struct profile profile;
static struct {
    bool knows_profile, may_write, wants_sight;
    str authority;
    uint32_t seen, warnings;
    char fingerprint[80], reason[64], message[300];
} gateway;

static const struct profile *get_profile(void *owner)
{
    (void)owner;
    return gateway.knows_profile ? &profile : NULL;
}

static str authority(void *owner, struct arena *arena)
{
    (void)owner;
    (void)arena;
    return gateway.authority;
}

static bool may_write(void *owner)
{
    (void)owner;
    return gateway.may_write;
}

static bool wants_sight(void *owner)
{
    (void)owner;
    return gateway.wants_sight;
}

static void on_seen(void *owner, str fingerprint)
{
    (void)owner;
    gateway.seen++;
    (void)str_copy(gateway.fingerprint, sizeof gateway.fingerprint, fingerprint);
}

static void warn(void *owner, const char *reason, const char *message)
{
    (void)owner;
    gateway.warnings++;
    (void)snprintf(gateway.reason, sizeof gateway.reason, "%s", reason);
    (void)snprintf(gateway.message, sizeof gateway.message, "%s", message);
}

static int start(void **state)
{
    static const struct kube_calls_config call_config = {
        .conns_count = 1, .small_count = 8, .small_bytes = 4096, .large_count = 1,
        .large_bytes = 384 * 1024};
    (void)state;
    memset(&server, 0, sizeof server);
    memset(&gateway, 0, sizeof gateway);
    memset(&reg, 0, sizeof reg);
    server.has_v1 = true;
    gateway.knows_profile = gateway.may_write = true;
    gateway.authority = S("AUTHORITY");
    fake_step_ms = 10;
    world_start(answer);
    log_set_level(LOG_ERROR);
    profile_init(&profile);
    kube_calls_init(&calls, &world.loop, &world.region, &world.auth, &world.arena, &call_config);
    const struct webhook_register_config config = {.loop = &world.loop,
                                                   .calls = &calls,
                                                   .arena = &world.arena,
                                                   .profile = get_profile,
                                                   .authority = authority,
                                                   .may_write = may_write,
                                                   .wants_sight = wants_sight,
                                                   .on_seen = on_seen,
                                                   .warn = warn};
    webhook_register_init(&reg, &config);
    webhook_register_start(&reg, S("https://192.0.2.1:8443"));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    webhook_register_stop(&reg);
    kube_calls_stop(&calls);
    assert_int_equal(world.arena.used, 0);
    world_stop();
    return 0;
}

static void use(const char *selectors)
{
    struct profile_fault fault;
    json root;
    size_t mark = arena_mark(&world.arena);
    struct buf escaped;
    char memory[4096];
    buf_init(&escaped, memory, sizeof memory);
    buf_put_text(&escaped, "{\"selectors\":\"");
    for (const char *c = selectors; *c != '\0'; c++) {
        buf_put(&escaped, *c == '\'' ? S("\\\"") : str_make(c, 1));
    }
    buf_put_text(&escaped, "\"}");
    assert_int_equal(json_parse(buf_str(&escaped), &world.arena, &root, NULL), ERR_OK);
    assert_int_equal(profile_read(root, &world.arena, &profile, &fault, NULL), ERR_OK);
    arena_rewind(&world.arena, mark);
}

static bool shows(const char *text)
{
    return server.has_config && strstr(server.webhooks, text) != NULL;
}

static void begin(void)
{
    assert_true(FAKE_UNTIL(&world.loop, 10000, reg.writes == 1));
}

/* ---- the usual life -------------------------------------------------------------------------- */

static void test_it_is_made_and_then_quiet(void **state)
{
    (void)state;
    begin();
    assert_true(shows("https://192.0.2.1:8443/inject/default-selector-5"));
    assert_string_equal(server.version, "admissionregistration.k8s.io/v1");
    char print[WEBHOOK_FINGERPRINT_BYTES];
    webhook_config_fingerprint(gateway.authority, print);
    assert_string_equal(gateway.fingerprint, print);
    uint32_t requests = world.api.requests;
    fake_pass(&world.loop, 3 * WEBHOOK_REGISTER_LOOK_MS);
    assert_in_range(world.api.requests, requests + 2, requests + 3); /* one look each */
    assert_int_equal(server.posts, 1);
    assert_int_equal(server.patches, 0);
    assert_int_equal(gateway.warnings, 0);
}

static void test_what_was_there_is_written_once(void **state)
{
    (void)state;
    begin();
    webhook_register_stop(&reg);
    const struct webhook_register_config config = reg.config;
    memset(&reg, 0, sizeof reg);
    webhook_register_init(&reg, &config);
    webhook_register_start(&reg, S("https://192.0.2.1:8443"));
    begin();
    fake_pass(&world.loop, 2 * WEBHOOK_REGISTER_LOOK_MS);
    assert_int_equal(server.patches, 1);
    assert_int_equal(server.generation, 1); /* and nothing in it has changed */
}

static void test_a_new_profile_is_registered_at_once(void **state)
{
    (void)state;
    begin();
    use("[{'name':'late','objectSelector':{'matchLabels':{'app':'late'}}}]");
    webhook_register_changed(&reg);
    assert_true(FAKE_UNTIL(&world.loop, 1000, shows("/inject/late")));
    assert_false(shows("default-selector"));
    webhook_register_changed(&reg); /* nothing new: a look, no write */
    fake_pass(&world.loop, 1000);
    assert_int_equal(server.patches, 1);
}

static void test_a_change_while_a_request_is_under_way_is_not_lost(void **state)
{
    (void)state;
    begin();
    webhook_register_changed(&reg);
    assert_true(FAKE_UNTIL(&world.loop, 1000, reg.is_busy));
    use("[{'name':'late','objectSelector':{'matchLabels':{'app':'late'}}}]");
    webhook_register_changed(&reg);
    gateway.authority = S("ANOTHER");
    webhook_register_changed(&reg);
    assert_true(FAKE_UNTIL(&world.loop, 1000, shows("/inject/late")));
    fake_pass(&world.loop, 1000);
    assert_true(shows("QU5PVEhFUg==")); /* ANOTHER */
}

static void test_it_waits_for_profile_and_certificate(void **state)
{
    (void)state;
    gateway.knows_profile = false;
    fake_pass(&world.loop, 10000);
    assert_int_equal(world.api.requests, 0);
    gateway.knows_profile = true;
    gateway.authority = STR_NONE;
    fake_pass(&world.loop, 10000);
    assert_int_equal(world.api.requests, 0);
    gateway.authority = S("AUTHORITY");
    begin();
}

/* ---- what people do to it -------------------------------------------------------------------- */

static void test_a_deleted_one_is_made_again(void **state)
{
    (void)state;
    begin();
    server.has_config = false;
    fake_pass(&world.loop, WEBHOOK_REGISTER_LOOK_MS - 60000);
    assert_false(server.has_config);
    assert_true(FAKE_UNTIL(&world.loop, 61000, server.has_config));
    assert_int_equal(server.posts, 2);
}

static void test_a_hand_edited_one_is_set_right(void **state)
{
    (void)state;
    begin();
    char good[sizeof server.webhooks];
    memcpy(good, server.webhooks, sizeof good);
    char *policy = strstr(server.webhooks, "Ignore");
    assert_non_null(policy);
    memcpy(policy, "Fail  ", 6); /* the annotation stays as it is */
    server.generation++;
    fake_pass(&world.loop, WEBHOOK_REGISTER_LOOK_MS - 60000);
    assert_int_equal(server.patches, 0);
    assert_true(FAKE_UNTIL(&world.loop, 61000, server.patches == 1));
    assert_string_equal(server.webhooks, good);
    fake_pass(&world.loop, 2 * WEBHOOK_REGISTER_LOOK_MS);
    assert_int_equal(server.patches, 1);
}

static void test_an_edited_annotation_is_set_right(void **state)
{
    (void)state;
    begin();
    (void)snprintf(server.annotations, sizeof server.annotations, "{}");
    assert_true(FAKE_UNTIL(&world.loop, WEBHOOK_REGISTER_LOOK_MS + 1000, server.patches == 1));
    assert_non_null(strstr(server.annotations, WEBHOOK_AUTHORITY_ANNOTATION));
}

static void test_somebody_makes_it_or_deletes_it_in_between(void **state)
{
    (void)state;
    server.is_made_first = true;
    begin();
    assert_int_equal(server.posts, 1);
    assert_int_equal(server.patches, 1);
    server.is_deleted_first = true;
    use("[{'name':'late','objectSelector':{'matchLabels':{'app':'late'}}}]");
    webhook_register_changed(&reg);
    assert_true(FAKE_UNTIL(&world.loop, 5000, shows("/inject/late")));
}

/* ---- trouble --------------------------------------------------------------------------------- */

static void test_it_tries_again(void **state)
{
    (void)state;
    server.is_away = true;
    fake_pass(&world.loop, 10 * 60000);
    assert_in_range(world.api.requests, 8, 24); /* the waits have become a minute */
    server.is_away = false;
    assert_true(FAKE_UNTIL(&world.loop, 2 * WEBHOOK_REGISTER_CAP_MS, reg.writes == 1));
    server.forbids_writes = true;
    server.has_config = false;
    fake_pass(&world.loop, 2 * WEBHOOK_REGISTER_LOOK_MS);
    assert_in_range(server.posts, 3, 24);
    server.forbids_writes = false;
    assert_true(FAKE_UNTIL(&world.loop, 2 * WEBHOOK_REGISTER_CAP_MS, server.has_config));
}

static void test_who_waits_to_lead_writes_nothing(void **state)
{
    (void)state;
    gateway.may_write = false;
    fake_pass(&world.loop, 60000);
    assert_int_equal(world.api.requests, 0);
    server.has_config = true;
    (void)snprintf(server.annotations, sizeof server.annotations,
                   "{\"" WEBHOOK_AUTHORITY_ANNOTATION "\":\"abc\"}");
    gateway.wants_sight = true;
    assert_true(FAKE_UNTIL(&world.loop, 10000, gateway.seen > 0));
    assert_string_equal(gateway.fingerprint, "abc");
    gateway.wants_sight = false;
    fake_pass(&world.loop, 10000);
    uint32_t requests = world.api.requests;
    fake_pass(&world.loop, 60000);
    assert_int_equal(world.api.requests, requests);
    assert_int_equal(server.posts + server.patches, 0);
    gateway.may_write = true; /* it leads now */
    assert_true(FAKE_UNTIL(&world.loop, 5000, reg.writes == 1));
}

/* Before 1.16: v1beta1, without objectSelector. */
static void test_an_old_server_gets_namespace_selectors_only(void **state)
{
    (void)state;
    server.has_v1 = false;
    use("[{'name':'both','objectSelector':{'matchLabels':{'app':'x'}},"
        "'namespaceSelector':{'matchLabels':{'a':'b'}}},"
        "{'name':'space','namespaceSelector':{'matchLabels':{'team':'red'}}}]");
    begin();
    assert_string_equal(server.version, "admissionregistration.k8s.io/v1beta1");
    assert_false(shows("/inject/both"));
    assert_true(shows("/inject/space"));
    assert_true(shows("{\"matchLabels\":{\"team\":\"red\"}"));
    assert_true(shows("8443/inject\"")); /* the one for all pods serves the others */
    assert_true(shows("\"NotIn\",\"values\":[\"kube-system\",\"kube-public\"")); /* not these */
    assert_int_equal(gateway.warnings, 1);
    assert_string_equal(gateway.reason, "WebhookOldServer");
    assert_non_null(strstr(gateway.message, "before 1.16"));
    fake_pass(&world.loop, 2 * WEBHOOK_REGISTER_LOOK_MS);
    assert_int_equal(gateway.warnings, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_is_made_and_then_quiet),
        TEST(test_what_was_there_is_written_once),
        TEST(test_a_new_profile_is_registered_at_once),
        TEST(test_a_change_while_a_request_is_under_way_is_not_lost),
        TEST(test_it_waits_for_profile_and_certificate),
        TEST(test_a_deleted_one_is_made_again),
        TEST(test_a_hand_edited_one_is_set_right),
        TEST(test_an_edited_annotation_is_set_right),
        TEST(test_somebody_makes_it_or_deletes_it_in_between),
        TEST(test_it_tries_again),
        TEST(test_who_waits_to_lead_writes_nothing),
        TEST(test_an_old_server_gets_namespace_selectors_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
