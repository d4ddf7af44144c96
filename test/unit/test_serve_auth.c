/* serve_auth.c: who asks, may they, and how long that is remembered. */
#include "serve_port_fake.h"

static const struct x509_subject admin = {
    .common_name = "admin", .organizations = {"system:masters"}, .organizations_count = 1};

static int begin(void **state)
{
    (void)state;
    fake_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_end();
    return 0;
}

/* A request for /pods by its token (NULL: none) or certificate; it waits if it has to. */
static struct fake_ask by_token(const char *authorization)
{
    return fake_ask("GET", "/pods", "", authorization);
}

static struct fake_ask by_peer(const struct x509_subject *peer)
{
    struct fake_ask made = fake_ask("GET", "/pods", "", NULL);
    made.exchange.peer = peer;
    return made;
}

static int status_of_token(const char *authorization)
{
    struct fake_ask made = by_token(authorization);
    fake_send(&made);
    assert_int_not_equal(made.status, 0);
    return made.status;
}

static int status_of_peer(const struct x509_subject *peer)
{
    struct fake_ask made = by_peer(peer);
    fake_send(&made);
    assert_int_not_equal(made.status, 0);
    return made.status;
}

/* "ann" becomes known by this token and may. */
static void let_in(const char *authorization)
{
    struct fake_ask made = by_token(authorization);
    fake_send(&made);
    fake_answer(ERR_OK, KNOWN);
    if (made.status == 0) {
        fake_answer(ERR_OK, YES);
    }
    assert_int_equal(made.status, 200);
}

/* ---- who ------------------------------------------------------------------------------------- */

static void test_nobody_is_anonymous(void **state)
{
    (void)state;
    static const char *const nothing[] = {NULL,        "",           "Bearer", "Bearer ",
                                          "Bearer   ", "Basic YTpi", "t"};
    for (size_t i = 0; i < COUNT_OF(nothing); i++) {
        assert_int_equal(status_of_token(nothing[i]), 401);
    }
    assert_int_equal(f.calls_count, 0);
    assert_int_equal(f.serve.counters.unauthenticated, COUNT_OF(nothing));
}

static void test_certificate_is_its_subject(void **state)
{
    (void)state;
    struct fake_ask made = by_peer(&admin);
    fake_send(&made);
    assert_string_equal(f.paths[0], "/apis/authorization.k8s.io/v1/subjectaccessreviews");
    assert_string_equal(
        fake_asked(),
        "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\","
        "\"spec\":{\"user\":\"admin\","
        "\"groups\":[\"system:masters\",\"system:authenticated\"],"
        "\"resourceAttributes\":{\"verb\":\"get\",\"version\":\"v1\","
        "\"resource\":\"nodes\",\"subresource\":\"proxy\",\"name\":\"vk\"}}}");
    assert_int_equal(made.status, 0);
    fake_answer(ERR_OK, YES);
    assert_int_equal(made.status, 200);
    assert_string_equal(f.target, "/// by admin");
}

static void test_certificate_without_a_name(void **state)
{
    (void)state;
    const struct x509_subject nobody = {.organizations_count = 0};
    assert_int_equal(status_of_peer(&nobody), 401);
    assert_int_equal(f.calls_count, 0);
}

/* A certificate is looked at first: its owner is who the connection belongs to. */
static void test_certificate_and_token(void **state)
{
    (void)state;
    struct fake_ask made = by_token("Bearer t");
    made.exchange.peer = &admin;
    fake_send(&made);
    assert_non_null(strstr(fake_asked(), "\"user\":\"admin\""));
    fake_answer(ERR_OK, YES);
    assert_int_equal(made.status, 200);
}

static void test_token_is_shown_to_the_api_server(void **state)
{
    (void)state;
    struct fake_ask made = by_token("bearer  a.b\"c ");
    fake_send(&made);
    assert_string_equal(f.paths[0], "/apis/authentication.k8s.io/v1/tokenreviews");
    assert_non_null(strstr(fake_asked(), "\"token\":\"a.b\\\"c\""));
    fake_answer(ERR_OK, KNOWN);
    assert_non_null(strstr(fake_asked(), "\"user\":\"ann\",\"groups\":[\"dev\"]"));
    assert_int_equal(made.status, 0);
    fake_answer(ERR_OK, YES);
    assert_int_equal(made.status, 200);
    assert_string_equal(f.target, "/// by ann");
}

/* What limits a token (uid, extra) counts for authorizers that look at it, and for what is
 * remembered. */
static void test_all_that_is_known_of_a_caller_is_asked_about(void **state)
{
    (void)state;
    static const char *const extras[] = {"{\"scopes\":[\"user:full\"]}", "{\"scopes\":[\"none\"]}",
                                         "null"};
    char answer[300], asked[100];
    for (size_t i = 0; i < COUNT_OF(extras); i++) {
        char token[] = "Bearer 0";
        token[7] += (char)i;
        struct fake_ask made = by_token(token);
        (void)snprintf(answer, sizeof answer,
                       "{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"ann\","
                       "\"uid\":\"u-1\",\"groups\":[\"dev\"],\"extra\":%s}}}",
                       extras[i]);
        (void)snprintf(asked, sizeof asked, "\"groups\":[\"dev\"],\"uid\":\"u-1\"%s%s,\"res",
                       i < 2 ? ",\"extra\":" : "", i < 2 ? extras[i] : "");
        fake_send(&made);
        fake_answer(ERR_OK, answer);
        assert_int_equal(made.status, 0); /* the yes to another one is none to this one */
        assert_non_null(strstr(fake_asked(), asked));
        fake_answer(ERR_OK, YES);
        assert_int_equal(made.status, 200);
    }
}

static void test_token_of_nobody(void **state)
{
    (void)state;
    static const char *const answers[] = {
        STRANGE, "{\"status\":{}}", "{\"status\":{\"authenticated\":true}}",
        "{\"status\":{\"authenticated\":true,\"user\":{\"username\":\"\"}}}",
        "{\"status\":{\"authenticated\":\"true\",\"user\":{\"username\":\"ann\"}}}"};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct fake_ask made = by_token("Bearer t");
        fake_send(&made);
        fake_answer(ERR_OK, answers[i]);
        assert_int_equal(made.status, 401);
    }
    assert_int_equal(f.calls_count, COUNT_OF(answers)); /* a refusal is not remembered */
    assert_int_equal(f.handled, 0);
}

/* A name or groups that do not fit: nobody is served under half a name. */
static void test_user_that_is_too_large(void **state)
{
    (void)state;
    char answer[6000], name[SERVE_GROUPS_BYTES + 1];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 4; i++) {
        struct fake_ask made = by_token("Bearer t");
        (void)snprintf(
            answer, sizeof answer,
            "{\"status\":{\"authenticated\":true,\"user\":"
            "{\"username\":\"%s\",\"groups\":[\"%s\"],\"uid\":\"%s\",\"extra\":\"%s\"}}}",
            i == 0 ? name : "ann", i == 1 ? name : "dev", i == 2 ? name : "", i == 3 ? name : "");
        fake_send(&made);
        fake_answer(ERR_OK, answer);
        assert_int_equal(made.status, 401);
    }
}

static void test_token_that_is_too_large(void **state)
{
    (void)state;
    static char text[9000];
    memset(text, 'a', sizeof text - 1);
    memcpy(text, "Bearer ", 7);
    assert_int_equal(status_of_token(text), 401);
    assert_int_equal(f.calls_count, 0);
}

/* ---- may they -------------------------------------------------------------------------------- */

static void test_a_no(void **state)
{
    (void)state;
    static const char *const answers[] = {NO, "{\"status\":{}}",
                                          "{\"status\":{\"allowed\":\"true\"}}"};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        f.loop.now_ms += SERVE_NO_KEPT_MS;
        struct fake_ask made = by_peer(&admin);
        fake_send(&made);
        fake_answer(ERR_OK, answers[i]);
        assert_int_equal(made.status, 403);
        assert_non_null(strstr(made.body, "user admin may not do this on node vk"));
    }
    assert_int_equal(f.serve.counters.forbidden, COUNT_OF(answers));
    assert_int_equal(f.handled, 0);
}

/* When the API server is away, says nonsense, or there is no slot for the question: 503, and the
 * next request asks again. */
static void test_no_answer(void **state)
{
    (void)state;
    static const struct {
        enum err err;
        const char *body;
    } answers[] = {{ERR_TIMEOUT, ""}, {ERR_CLOSED, ""}, {ERR_FORBIDDEN, ""},
                   {ERR_OK, "{"},     {ERR_OK, "[]"},   {ERR_OK, "{\"x\":1}"}};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct fake_ask who = by_token("Bearer t"), may = by_peer(&admin);
        fake_send(&who);
        fake_answer(answers[i].err, answers[i].body);
        assert_int_equal(who.status, 503);
        fake_send(&may);
        fake_answer(answers[i].err, answers[i].body);
        assert_int_equal(may.status, 503);
    }
    f.send_err = ERR_FULL;
    assert_int_equal(status_of_token("Bearer t"), 503);
    assert_int_equal(status_of_peer(&admin), 503);
    assert_int_equal(f.serve.counters.unanswered, 2 * COUNT_OF(answers) + 2);
    assert_int_equal(f.handled, 0);
    f.send_err = ERR_OK;
    let_in("Bearer t");
}

/* It knew who, but not whether they may. */
static void test_no_answer_to_the_second_question(void **state)
{
    (void)state;
    struct fake_ask made = by_token("Bearer t");
    fake_send(&made);
    f.send_err = ERR_FULL;
    fake_answer(ERR_OK, KNOWN);
    assert_int_equal(made.status, 503);
    f.send_err = ERR_OK;
    made = by_token("Bearer t");
    fake_send(&made);
    assert_non_null(strstr(fake_asked(), "SubjectAccessReview")); /* the token is known by now */
    fake_answer(ERR_OK, YES);
    assert_int_equal(made.status, 200);
}

/* ---- what is remembered ---------------------------------------------------------------------- */

static void test_a_yes_is_remembered(void **state)
{
    (void)state;
    let_in("Bearer t");
    assert_int_equal(f.calls_count, 2);
    f.loop.now_ms += SERVE_TOKEN_KEPT_MS - 1;
    assert_int_equal(status_of_token("Bearer t"), 200);
    assert_int_equal(f.calls_count, 2);
    f.loop.now_ms += 1; /* who it is must be asked again; that they may is still known */
    struct fake_ask made = by_token("Bearer t");
    fake_send(&made);
    assert_int_equal(f.calls_count, 3);
    fake_answer(ERR_OK, KNOWN);
    assert_int_equal(made.status, 200);
    assert_int_equal(f.calls_count, 3);
    f.loop.now_ms += SERVE_YES_KEPT_MS - SERVE_TOKEN_KEPT_MS;
    let_in("Bearer t");
    assert_int_equal(f.calls_count, 5);
}

/* The API server is away: those it has let in before are served as long as that is remembered. */
static void test_outage_spares_who_is_known(void **state)
{
    (void)state;
    let_in("Bearer t");
    f.send_err = ERR_FULL;
    assert_int_equal(status_of_token("Bearer t"), 200);
    assert_int_equal(status_of_token("Bearer other"), 503);
    f.loop.now_ms += SERVE_TOKEN_KEPT_MS;
    assert_int_equal(status_of_token("Bearer t"), 503);
}

static void test_a_no_is_remembered_for_a_shorter_time(void **state)
{
    (void)state;
    struct fake_ask made = by_peer(&admin);
    fake_send(&made);
    fake_answer(ERR_OK, NO);
    f.loop.now_ms += SERVE_NO_KEPT_MS - 1;
    assert_int_equal(status_of_peer(&admin), 403);
    assert_int_equal(f.calls_count, 1);
    f.loop.now_ms += 1;
    made = by_peer(&admin);
    fake_send(&made);
    fake_answer(ERR_OK, YES);
    assert_int_equal(made.status, 200);
}

/* What is remembered belongs to one user, with their groups, one verb and one subresource. */
static void test_a_yes_is_for_one_thing(void **state)
{
    (void)state;
    const struct x509_subject other = {.common_name = "admin"}; /* of no group */
    struct fake_ask made = by_peer(&admin);
    fake_send(&made);
    fake_answer(ERR_OK, YES);
    struct fake_ask others[] = {by_peer(&other), by_peer(&admin), by_peer(&admin)};
    others[1].exchange.path = S("/metrics");
    others[2].exchange.method = S("POST");
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        fake_send(&others[i]);
        assert_int_equal(others[i].status, 0);
        fake_answer(ERR_OK, NO);
        assert_int_equal(others[i].status, 403);
    }
    assert_int_equal(status_of_peer(&admin), 200);
}

static void test_full_of_tokens(void **state)
{
    (void)state;
    char text[32];
    let_in("Bearer first");
    for (uint32_t i = 0; i < SERVE_TOKENS_MAX; i++) {
        f.loop.now_ms++;
        f.calls_count = 0;
        (void)snprintf(text, sizeof text, "Bearer t%u", i);
        let_in(text);
    }
    assert_int_equal(status_of_token(text), 200);    /* the newest */
    struct fake_ask made = by_token("Bearer first"); /* made room */
    f.calls_count = 0;
    fake_send(&made);
    assert_int_equal(f.calls_count, 1);
    fake_answer(ERR_OK, STRANGE); /* and was revoked meanwhile */
    assert_int_equal(made.status, 401);
}

static void test_full_of_grants(void **state)
{
    (void)state;
    struct x509_subject one = {.common_name = "u"};
    struct fake_ask made = by_peer(&admin);
    fake_send(&made);
    fake_answer(ERR_OK, YES);
    for (uint32_t i = 0; i < SERVE_GRANTS_MAX; i++) {
        f.loop.now_ms++;
        f.calls_count = 0;
        (void)snprintf(one.common_name, sizeof one.common_name, "u%u", i);
        made = by_peer(&one);
        fake_send(&made);
        fake_answer(ERR_OK, YES);
    }
    assert_int_equal(status_of_peer(&one), 200);
    made = by_peer(&admin);
    f.calls_count = 0;
    fake_send(&made);
    assert_int_equal(f.calls_count, 1);
    fake_answer(ERR_OK, NO);
    assert_int_equal(made.status, 403);
}

/* ---- while it waits -------------------------------------------------------------------------- */

static void test_peer_that_does_not_wait(void **state)
{
    (void)state;
    struct fake_ask made = by_token("Bearer t");
    fake_send(&made);
    f.handlers.on_gone(&made.exchange);
    assert_int_equal(f.cancelled, 1);
    assert_int_equal(f.serve.pending.count, 0);
    /* An answer that was under way is nobody's. */
    made = by_peer(&admin);
    fake_send(&made);
    f.handlers.on_gone(&made.exchange);
    f.is_open[f.calls_count - 1] = true;
    fake_answer(ERR_OK, YES);
    assert_int_equal(made.status, 0);
    assert_int_equal(f.handled, 0);
}

/* Made-up tokens leave places, and calls to the API server, to those who are known by something. */
static void test_strangers_take_a_part_of_the_places(void **state)
{
    (void)state;
    static struct fake_ask waiting[SERVE_STRANGERS_MAX];
    let_in("Bearer known");
    for (uint32_t i = 0; i < SERVE_STRANGERS_MAX; i++) {
        waiting[i] = by_token("Bearer made up");
        fake_send(&waiting[i]);
        assert_int_equal(waiting[i].status, 0);
    }
    assert_int_equal(status_of_token("Bearer one more"), 503);
    assert_int_equal(status_of_token("Bearer known"), 200);
    struct fake_ask made = by_peer(&admin);
    fake_send(&made);
    fake_answer(ERR_OK, YES);
    assert_int_equal(made.status, 200);
    f.handlers.on_gone(&waiting[0].exchange); /* one does not wait, and makes room */
    made = by_token("Bearer new");
    fake_send(&made);
    fake_answer(ERR_OK, KNOWN);
    assert_int_equal(f.serve.strangers, SERVE_STRANGERS_MAX - 1);
    assert_int_equal(made.status, 200); /* that ann may was known */
    for (uint32_t i = 1; i < SERVE_STRANGERS_MAX; i++) {
        f.handlers.on_gone(&waiting[i].exchange);
    }
    assert_int_equal(f.serve.strangers, 0);
}

static void test_more_questions_than_places(void **state)
{
    (void)state;
    static struct fake_ask waiting[SERVE_PENDING_MAX];
    for (uint32_t i = 0; i < SERVE_PENDING_MAX; i++) {
        waiting[i] = by_peer(&admin);
        fake_send(&waiting[i]);
        assert_int_equal(waiting[i].status, 0);
    }
    assert_int_equal(status_of_token("Bearer t"), 503);
    assert_int_equal(status_of_peer(&admin), 503);
    for (uint32_t i = 0; i < SERVE_PENDING_MAX; i++) {
        f.handlers.on_gone(&waiting[i].exchange);
    }
    assert_int_equal(f.cancelled, SERVE_PENDING_MAX);
}

/* No memory for the question: as if it could not be asked. */
static void test_no_memory(void **state)
{
    (void)state;
    arena_init(&f.arena, fake_arena_memory, 1024);
    assert_int_equal(status_of_token("Bearer t"), 503);
    assert_int_equal(status_of_peer(&admin), 503);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nobody_is_anonymous),
        TEST(test_certificate_is_its_subject),
        TEST(test_certificate_without_a_name),
        TEST(test_certificate_and_token),
        TEST(test_token_is_shown_to_the_api_server),
        TEST(test_all_that_is_known_of_a_caller_is_asked_about),
        TEST(test_token_of_nobody),
        TEST(test_user_that_is_too_large),
        TEST(test_token_that_is_too_large),
        TEST(test_a_no),
        TEST(test_no_answer),
        TEST(test_no_answer_to_the_second_question),
        TEST(test_a_yes_is_remembered),
        TEST(test_outage_spares_who_is_known),
        TEST(test_a_no_is_remembered_for_a_shorter_time),
        TEST(test_a_yes_is_for_one_thing),
        TEST(test_full_of_tokens),
        TEST(test_full_of_grants),
        TEST(test_peer_that_does_not_wait),
        TEST(test_strangers_take_a_part_of_the_places),
        TEST(test_more_questions_than_places),
        TEST(test_no_memory),
    };
    return cmocka_run_group_tests_name("serve_auth", tests, NULL, NULL);
}
