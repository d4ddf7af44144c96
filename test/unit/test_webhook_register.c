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
    bool is_changed_first; /* ... or changes it */
    uint32_t generation, version_number, gets, posts, patches, notes, conflicts;
    char webhooks[WEBHOOK_CONFIG_BYTES], annotations[2048], version[64];
} server;

static void put_config(struct fake_conn *conn, int status)
{
    fake_reply_text(conn, status,
                    "{\"kind\":\"PartialObjectMetadata\",\"metadata\":{\"name\":\"vk-webhook\","
                    "\"generation\":%u,\"resourceVersion\":\"%u\",\"annotations\":%s}}",
                    server.generation, server.version_number, server.annotations);
}

static json parsed(str text)
{
    json root = JSON_NONE;
    assert_int_equal(json_parse(text, &world.arena, &root, NULL), ERR_OK);
    return root;
}

/* RFC 7396, for a map of texts. */
static void merge_annotations(json patch)
{
    static char merged[sizeof server.annotations];
    struct json_write w;
    struct buf out;
    json old = parsed(str_of(server.annotations[0] != '\0' ? server.annotations : "{}"));
    buf_init(&out, merged, sizeof merged - 1);
    json_write_init(&w, &out);
    json_object(&w);
    for (json x = json_first(old); json_is_there(x); x = json_next(x)) {
        bool is_kept = true;
        for (json y = json_first(patch); json_is_there(y); y = json_next(y)) {
            is_kept = is_kept && !str_eq(json_key(x, &world.arena), json_key(y, &world.arena));
        }
        if (is_kept) {
            json_key_put(&w, json_key(x, &world.arena));
            json_put_raw(&w, json_raw(x));
        }
    }
    for (json y = json_first(patch); json_is_there(y); y = json_next(y)) {
        if (!json_is_null(y)) {
            json_key_put(&w, json_key(y, &world.arena));
            json_put_raw(&w, json_raw(y));
        }
    }
    json_end(&w);
    assert_true(json_write_ok(&w));
    assert_true(str_copy(server.annotations, sizeof server.annotations, buf_str(&out)));
}

/* As the API server does: the generation grows when the webhooks are others than before, the
 * version when anything is. */
static void take(const struct fake_request *request)
{
    static char before[sizeof server.annotations];
    size_t mark = arena_mark(&world.arena);
    json root = parsed(request->body), hooks = json_get(root, "webhooks");
    bool is_new = !server.has_config, is_other = is_new;
    if (json_is_there(hooks)) {
        bool differs = !str_eq(json_raw(hooks), str_of(server.webhooks));
        server.generation += differs;
        is_other = is_other || differs;
        assert_true(str_copy(server.webhooks, sizeof server.webhooks, json_raw(hooks)));
        (void)str_copy(server.version, sizeof server.version,
                       json_text(json_get(root, "apiVersion"), &world.arena));
    } else {
        server.notes++;
    }
    if (is_new) {
        server.annotations[0] = '\0';
    }
    memcpy(before, server.annotations, sizeof before);
    merge_annotations(json_get(json_get(root, "metadata"), "annotations"));
    server.version_number += is_other || strcmp(before, server.annotations) != 0;
    server.has_config = true;
    arena_rewind(&world.arena, mark);
}

static bool has_old_version(const struct fake_request *request)
{
    size_t mark = arena_mark(&world.arena);
    json version = json_get(json_get(parsed(request->body), "metadata"), "resourceVersion");
    char now[16];
    (void)snprintf(now, sizeof now, "%u", server.version_number);
    bool is_old = json_is_there(version) && !json_text_is(version, now);
    arena_rewind(&world.arena, mark);
    return is_old;
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
    if (server.is_changed_first) {
        server.is_changed_first = false;
        server.version_number++;
    }
    if (server.forbids_writes) {
        fake_reply_status(conn, 403, "Forbidden", "mutatingwebhookconfigurations");
    } else if (is_post && server.has_config) {
        fake_reply_status(conn, 409, "AlreadyExists", "mutatingwebhookconfigurations");
    } else if (!is_post && !server.has_config) {
        absent(conn);
    } else if (!is_post && has_old_version(request)) {
        server.conflicts++;
        fake_reply_status(conn, 409, "Conflict", "mutatingwebhookconfigurations");
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
    uint32_t asked_until_lost; /* so often it may write, then no more; 0: for good */
    str authority;
    uint32_t seen, warnings;
    char fingerprint[80], reason[64], message[900];
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
    bool may = gateway.may_write;
    if (gateway.asked_until_lost > 0 && --gateway.asked_until_lost == 0) {
        gateway.may_write = false;
    }
    return may;
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
                                                   .node = S("vk-1"),
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
    server.version_number = 1;
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

/* ---- several gateways ------------------------------------------------------------------------ */

#define HOLDER "https://192.0.2.2:8443"

static bool says(const char *annotation, const char *value)
{
    size_t mark = arena_mark(&world.arena);
    json all = parsed(str_of(server.annotations));
    json one = json_get(all, annotation);
    bool is_so = *value == '\0' ? !json_is_there(one) : json_text_is(one, value);
    arena_rewind(&world.arena, mark);
    return is_so;
}

/* Another gateway has registered itself. */
static void is_held_by(const char *node)
{
    server.has_config = true;
    server.generation++;
    server.version_number++;
    (void)snprintf(server.webhooks, sizeof server.webhooks, "[\"" HOLDER "/inject\"]");
    (void)snprintf(server.annotations, sizeof server.annotations,
                   "{\"" WEBHOOK_HASH_ANNOTATION "\":\"h\",\"" WEBHOOK_PLACE_ANNOTATION
                   "\":\"" HOLDER "\",\"" WEBHOOK_NODE_ANNOTATION "\":\"%s\"}",
                   node);
}

/* What a living holder does when it looks. */
static void holder_looks(void)
{
    size_t mark = arena_mark(&world.arena);
    if (!says(WEBHOOK_WAITS_ANNOTATION, "")) {
        merge_annotations(parsed(S("{\"" WEBHOOK_WAITS_ANNOTATION "\":null}")));
        server.version_number++;
    }
    arena_rewind(&world.arena, mark);
}

static void test_what_another_node_holds_is_left_alone(void **state)
{
    (void)state;
    is_held_by("vk-2");
    assert_true(
        FAKE_UNTIL(&world.loop, 10000, says(WEBHOOK_WAITS_ANNOTATION, "https://192.0.2.1:8443")));
    for (int i = 0; i < 12; i++) {
        fake_pass(&world.loop, WEBHOOK_REGISTER_LOOK_MS);
        holder_looks();
    }
    assert_true(shows(HOLDER));
    assert_int_equal(reg.writes, 0);
    assert_int_equal(gateway.warnings, 1); /* told once */
    assert_string_equal(gateway.reason, "WebhookElsewhere");
    assert_non_null(strstr(gateway.message, HOLDER " (a gateway of node vk-2)"));
    use("[{'name':'late','objectSelector':{'matchLabels':{'app':'late'}}}]");
    webhook_register_changed(&reg); /* that is the other one's work */
    fake_pass(&world.loop, 10000);
    assert_true(shows(HOLDER));
}

static void test_what_a_dead_gateway_holds_is_taken_over(void **state)
{
    (void)state;
    is_held_by("vk-2");
    fake_pass(&world.loop, WEBHOOK_REGISTER_HOLD_MS - WEBHOOK_REGISTER_LOOK_MS);
    assert_true(shows(HOLDER));
    assert_int_equal(server.notes, 1);
    assert_true(FAKE_UNTIL(&world.loop, WEBHOOK_REGISTER_LOOK_MS + 10000, reg.writes == 1));
    assert_true(shows("https://192.0.2.1:8443/inject"));
    assert_true(says(WEBHOOK_PLACE_ANNOTATION, "https://192.0.2.1:8443"));
    assert_true(says(WEBHOOK_NODE_ANNOTATION, "vk-1"));
    assert_true(says(WEBHOOK_WAITS_ANNOTATION, ""));
}

static void test_who_holds_it_says_that_it_lives(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 3; i++) {
        size_t mark = arena_mark(&world.arena);
        merge_annotations(parsed(S("{\"" WEBHOOK_WAITS_ANNOTATION "\":\"" HOLDER "\"}")));
        arena_rewind(&world.arena, mark);
        server.version_number++;
        assert_true(FAKE_UNTIL(&world.loop, WEBHOOK_REGISTER_LOOK_MS + 1000,
                               says(WEBHOOK_WAITS_ANNOTATION, "")));
    }
    assert_int_equal(server.notes, 3);
    assert_int_equal(reg.writes, 1);
    assert_int_equal(server.generation, 1);
}

/* A restart at another address, or the gateway that leads now. */
static void test_what_its_own_node_held_is_taken_over_at_once(void **state)
{
    (void)state;
    is_held_by("vk-1");
    begin();
    assert_true(shows("https://192.0.2.1:8443/inject"));
    assert_int_equal(gateway.warnings, 0);
}

/* Two gateways of one node without election: the first yields, so that they do not take turns. */
static void test_who_is_displaced_yields(void **state)
{
    (void)state;
    begin();
    is_held_by("vk-1");
    for (int i = 0; i < 6; i++) {
        fake_pass(&world.loop, WEBHOOK_REGISTER_LOOK_MS + 1000);
        holder_looks();
    }
    assert_true(shows(HOLDER));
    assert_int_equal(reg.writes, 1);
    assert_int_equal(gateway.warnings, 1);
    assert_non_null(strstr(gateway.message, "LEADER_ELECT"));
    webhook_register_leads(&reg); /* with election: the other one is deposed */
    assert_true(FAKE_UNTIL(&world.loop, 5000, reg.writes == 2));
}

/* With election no other gateway of the node may have it: somebody has put back what once was. */
static void test_who_leads_yields_nothing(void **state)
{
    (void)state;
    reg.config.is_elected = true;
    begin();
    is_held_by("vk-1");
    assert_true(FAKE_UNTIL(&world.loop, WEBHOOK_REGISTER_LOOK_MS + 1000, reg.writes == 2));
    assert_true(shows("https://192.0.2.1:8443/inject"));
    assert_int_equal(gateway.warnings, 0);
}

static void test_who_was_deposed_yields_nothing(void **state)
{
    (void)state;
    begin();
    gateway.may_write = false;
    fake_pass(&world.loop, WEBHOOK_REGISTER_LOOK_MS + 1000);
    is_held_by("vk-1");
    gateway.may_write = true;
    webhook_register_leads(&reg);
    assert_true(FAKE_UNTIL(&world.loop, 5000, reg.writes == 2));
    assert_true(shows("https://192.0.2.1:8443/inject"));
}

/* What it had seen before is nothing to act on. */
static void test_who_leads_again_looks_first(void **state)
{
    (void)state;
    begin();
    size_t mark = arena_mark(&world.arena);
    merge_annotations(parsed(S("{\"" WEBHOOK_WAITS_ANNOTATION "\":\"" HOLDER "\"}")));
    arena_rewind(&world.arena, mark);
    server.version_number++;
    gateway.asked_until_lost = 2; /* for the look, and when it came back */
    webhook_register_changed(&reg);
    fake_pass(&world.loop, 10000);
    assert_false(gateway.may_write); /* before it could say that it lives */
    assert_int_equal(server.notes, 0);
    uint32_t gets = server.gets;
    gateway.may_write = true;
    webhook_register_leads(&reg);
    assert_true(FAKE_UNTIL(&world.loop, 5000, says(WEBHOOK_WAITS_ANNOTATION, "")));
    assert_int_equal(server.gets, gets + 1);
    assert_int_equal(server.notes, 1);
}

static void test_a_write_in_between_is_not_undone(void **state)
{
    (void)state;
    begin();
    use("[{'name':'late','objectSelector':{'matchLabels':{'app':'late'}}}]");
    server.is_changed_first = true;
    webhook_register_changed(&reg);
    assert_true(FAKE_UNTIL(&world.loop, 5000, shows("/inject/late")));
    assert_int_equal(server.conflicts, 1);
}

/* ---- what does not fit ----------------------------------------------------------------------- */

static void many_selectors(void)
{
    static char text[4096];
    struct buf out;
    buf_init(&out, text, sizeof text);
    for (int i = 0; i < 20; i++) {
        buf_put_fmt(&out, "%s{'name':'s%d','objectSelector':{'matchLabels':{'app':'x%d'}}}",
                    i == 0 ? "[" : ",", i, i);
    }
    buf_put_text(&out, "]");
    use(buf_cstr(&out));
}

static void test_a_large_authority_is_registered_once(void **state)
{
    (void)state;
    static char pem[WEBHOOK_CONFIG_BYTES / 4];
    memset(pem, 'A', sizeof pem);
    gateway.authority = str_make(pem, sizeof pem / 4);
    many_selectors();
    begin();
    assert_false(shows("/inject/s"));
    assert_true(shows("8443/inject\""));
    assert_true(says(WEBHOOK_OTHERS_ANNOTATION,
                     "s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15, s16, "
                     "s17, s18, s19"));
    assert_int_equal(gateway.warnings, 1);
    assert_string_equal(gateway.reason, "WebhookTooLarge");
    assert_non_null(strstr(gateway.message, "does not show the 20 selectors: ca.crt"));
    fake_pass(&world.loop, 2 * WEBHOOK_REGISTER_LOOK_MS);
    assert_int_equal(gateway.warnings, 1);
    gateway.authority = S("AUTHORITY"); /* somebody has listened */
    webhook_register_changed(&reg);
    assert_true(FAKE_UNTIL(&world.loop, 5000, shows("/inject/s19")));
    assert_true(says(WEBHOOK_OTHERS_ANNOTATION, ""));
    assert_int_equal(gateway.warnings, 1);
}

static void test_an_authority_without_room_is_told(void **state)
{
    (void)state;
    static char pem[WEBHOOK_CONFIG_BYTES];
    memset(pem, 'A', sizeof pem);
    gateway.authority = str_make(pem, sizeof pem);
    assert_true(FAKE_UNTIL(&world.loop, 5000, gateway.warnings == 1));
    assert_string_equal(gateway.reason, "WebhookTooLarge");
    assert_non_null(strstr(gateway.message, "is not registered"));
    assert_false(server.has_config);
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
        TEST(test_what_another_node_holds_is_left_alone),
        TEST(test_what_a_dead_gateway_holds_is_taken_over),
        TEST(test_who_holds_it_says_that_it_lives),
        TEST(test_what_its_own_node_held_is_taken_over_at_once),
        TEST(test_who_is_displaced_yields),
        TEST(test_who_leads_yields_nothing),
        TEST(test_who_was_deposed_yields_nothing),
        TEST(test_who_leads_again_looks_first),
        TEST(test_a_write_in_between_is_not_undone),
        TEST(test_a_large_authority_is_registered_once),
        TEST(test_an_authority_without_room_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
