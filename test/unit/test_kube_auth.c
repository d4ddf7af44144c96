/* see auth.h */
#include "fake_api_world.h"

#include "kube/call.h"
#include "net/tls.h"
#include "net_certs.h"

static struct kube_auth auth; /* a second one, beside the world's */
static char config_path[256], cert_path[256], key_path[256], ca_path[256];

static void answer(struct fake_api *api, struct fake_conn *conn, const struct fake_request *request)
{
    (void)api;
    (void)request;
    fake_reply(conn, 200, "", S("{}"));
}

static int start(void **state)
{
    (void)state;
    fake_wall_ms = INT64_C(1748736000000);
    world_start(answer);
    (void)snprintf(config_path, sizeof config_path, "%s/other", world.dir);
    (void)snprintf(cert_path, sizeof cert_path, "%s/client.crt", world.dir);
    (void)snprintf(key_path, sizeof key_path, "%s/client.key", world.dir);
    (void)snprintf(ca_path, sizeof ca_path, "%s/ca.crt", world.dir);
    unit_put_file(ca_path, str_of(net_cert("ca.crt")));
    unit_put_file(cert_path, str_of(net_cert("client_ec.crt")));
    unit_put_file(key_path, str_of(net_cert("client_ec.key")));
    kube_auth_init(&auth, &world.loop, &world.region, &world.arena, 2);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    (void)unlink(config_path);
    (void)unlink(cert_path);
    (void)unlink(key_path);
    (void)unlink(ca_path);
    world_stop();
    return 0;
}

static void write_config(const char *cluster, const char *user)
{
    char text[4096];
    int bytes =
        snprintf(text, sizeof text,
                 "contexts: [{name: c, context: {cluster: k, user: admin}}]\n"
                 "clusters: [{name: k, cluster: {%s}}]\nusers: [{name: admin, user: {%s}}]\n",
                 cluster, user);
    unit_put_file(config_path, str_make(text, (size_t)bytes));
}

static enum err load(void)
{
    const struct kube_auth_config config = {.kubeconfig = str_of(config_path),
                                            .agent = S("test/1")};
    return kube_auth_load(&auth, &config);
}

#define CLUSTER "server: 'https://127.0.0.1:6443', certificate-authority: ca.crt"
#define CERTIFICATE "client-certificate: client.crt, client-key: client.key"

static const char *headers(void)
{
    static char text[KUBE_HEADERS_BYTES_MAX];
    struct buf out;
    buf_init(&out, text, sizeof text - 1);
    kube_auth_put_headers(&auth, &out, STR_NONE, S("application/json"));
    assert_true(buf_ok(&out));
    return buf_cstr(&out);
}

/* ---- loading --------------------------------------------------------------------------------- */

static void test_client_certificate(void **state)
{
    (void)state;
    write_config(CLUSTER ", tls-server-name: kubernetes", CERTIFICATE);
    assert_int_equal(load(), ERR_OK);
    assert_string_equal(auth.why, "");
    assert_string_equal(auth.url, "https://127.0.0.1:6443");
    assert_string_equal(auth.target.host, "kubernetes");
    assert_string_equal(auth.resolve.host, "127.0.0.1");
    assert_true(auth.target.is_tls);
    assert_non_null(auth.target.identity);
    assert_int_equal(auth.target.trust->anchors.count, 1);
    assert_true(auth.cert_ends_unix_s > NET_NOW_S);
    assert_string_equal(headers(), "User-Agent: test/1\r\nAccept: application/json\r\n"
                                   "Content-Type: application/json\r\n");
}

static void test_messages_name_the_file(void **state)
{
    static const struct {
        const char *cluster, *user, *why;
    } rows[] = {
        {CLUSTER, "exec: {command: x}", "user \"admin\": exec: exec plugins are not supported"},
        {CLUSTER, "tokenFile: nowhere", "/nowhere: No such file or directory"},
        {"server: 'https://h', certificate-authority: nowhere.crt", "token: t",
         "/nowhere.crt: No such file or directory"},
        {"server: 'https://h', certificate-authority: client.key", "token: t",
         "certificate authority: holds no certificate that can be used"},
        {CLUSTER, "client-certificate: client.crt, client-key: client.crt", "client certificate: "},
        {CLUSTER, "token: \"a\\nb\"", "token: contains characters no token has"},
        {CLUSTER, "token: '  '", "token: is empty"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char prefix[300];
        write_config(rows[i].cluster, rows[i].user);
        assert_int_not_equal(load(), ERR_OK);
        (void)snprintf(prefix, sizeof prefix, "kubeconfig %s: ", config_path);
        if (strncmp(auth.why, prefix, strlen(prefix)) != 0 || !strstr(auth.why, rows[i].why)) {
            fail_msg("%s", auth.why);
        }
    }
    unit_put_file(config_path, S("a: [\n"));
    assert_int_equal(load(), ERR_BAD_INPUT);
    assert_non_null(strstr(auth.why, "not YAML: line "));
    (void)unlink(config_path);
    assert_int_equal(load(), ERR_NOT_FOUND);
    assert_non_null(strstr(auth.why, "No such file or directory"));
}

static void test_long_token_fits_and_longer_is_refused(void **state)
{
    char token[KUBE_TOKEN_BYTES_MAX + 2];
    (void)state;
    write_config(CLUSTER, "tokenFile: token");
    memset(token, 'x', sizeof token);
    unit_put_file(world.token_file, str_make(token, KUBE_TOKEN_BYTES_MAX));
    assert_int_equal(load(), ERR_OK);
    assert_int_equal(strlen(strstr(headers(), "Bearer ")), 7 + KUBE_TOKEN_BYTES_MAX + 2);
    unit_put_file(world.token_file, str_make(token, KUBE_TOKEN_BYTES_MAX + 1));
    assert_int_equal(load(), ERR_TOO_BIG);
}

static void test_in_cluster(void **state)
{
    struct kube_auth_config config = {.service_account_dir = str_of(world.dir),
                                      .agent = S("test/1")};
    (void)state;
    assert_int_equal(kube_auth_load(&auth, &config), ERR_NOT_FOUND);
    assert_string_equal(auth.why, "no kubeconfig is configured, and this is no pod of a cluster "
                                  "(KUBERNETES_SERVICE_HOST and _PORT are not set)");
    config.service_host = S("fd00::1");
    config.service_port = 443;
    assert_int_equal(kube_auth_load(&auth, &config), ERR_OK);
    assert_string_equal(auth.url, "https://[fd00::1]:443");
    assert_non_null(strstr(headers(), "Authorization: Bearer token-1\r\n"));
}

/* Too little memory is an error with a message, never half of the credentials. */
static void test_each_take_of_memory_may_fail(void **state)
{
    bool has_worked = false;
    (void)state;
    write_config(CLUSTER,
                 "client-certificate: client.crt, client-key: client.key, tokenFile: token");
    for (uint64_t n = 1; n < 200 && !has_worked; n++) {
        arena_fail_at(n);
        has_worked = load() == ERR_OK;
        arena_fail_at(0);
        assert_true(has_worked || auth.why[0] != '\0');
    }
    assert_true(has_worked);
    assert_non_null(strstr(headers(), "Bearer token-1"));
    assert_non_null(auth.target.identity);
}

/* ---- following changes ----------------------------------------------------------------------- */

static void test_token_file_is_followed(void **state)
{
    (void)state;
    write_config(CLUSTER, "tokenFile: token");
    assert_int_equal(load(), ERR_OK);
    fake_step_ms = 50;
    fake_pass(&world.loop, 30000);
    world_set_token("token-2\n");
    assert_non_null(strstr(headers(), "Bearer token-1\r\n"));
    fake_pass(&world.loop, 31000); /* looked at each minute */
    assert_non_null(strstr(headers(), "Bearer token-2\r\n"));
    assert_int_equal(auth.reloads, 1);
    fake_pass(&world.loop, 200000);
    assert_int_equal(auth.reloads, 1);
}

static void test_refusal_looks_at_once_but_not_too_often(void **state)
{
    (void)state;
    write_config(CLUSTER, "tokenFile: token");
    assert_int_equal(load(), ERR_OK);
    fake_step_ms = 50;
    fake_pass(&world.loop, 15000);
    assert_false(kube_auth_refused(&auth, kube_auth_generation(&auth)));
    world_set_token("token-2");
    assert_false(kube_auth_refused(&auth, 0)); /* looked a moment ago */
    fake_pass(&world.loop, KUBE_AUTH_AGAIN_MS + 100);
    assert_true(kube_auth_refused(&auth, 0));
    assert_true(kube_auth_refused(&auth, 0)); /* a request built before, refused after */
    assert_false(kube_auth_refused(&auth, 1));
}

static void test_broken_change_keeps_the_old_credentials(void **state)
{
    (void)state;
    write_config(CLUSTER, CERTIFICATE);
    assert_int_equal(load(), ERR_OK);
    const struct tls_identity *identity = auth.target.identity;
    fake_step_ms = 50;
    fake_pass(&world.loop, 15000);
    unit_put_file(cert_path, str_of(net_cert("client_rsa.crt"))); /* the key is still the old one */
    log_set_level(LOG_ERROR);
    assert_false(kube_auth_reload(&auth));
    assert_ptr_equal(auth.target.identity, identity);
    assert_string_equal(auth.target.identity->name, "kubernetes-admin");
    assert_non_null(strstr(auth.why, "client certificate: "));
    unit_put_file(key_path, str_of(net_cert("client_rsa.key")));
    fake_pass(&world.loop, KUBE_AUTH_LOOK_MS + 100);
    assert_int_equal(auth.reloads, 1);
    assert_ptr_not_equal(auth.target.identity, identity);
    assert_string_equal(auth.why, "");
}

static void test_changes_are_not_closer_than_a_handshake(void **state)
{
    (void)state;
    write_config(CLUSTER, "tokenFile: token");
    assert_int_equal(load(), ERR_OK);
    fake_step_ms = 50;
    fake_pass(&world.loop, 1000);
    world_set_token("token-2");
    assert_false(kube_auth_reload(&auth));       /* the last load is a second old */
    fake_pass(&world.loop, 2 * HTTP_CONNECT_MS); /* kept in mind */
    assert_int_equal(auth.reloads, 1);
}

static void test_moved_server_is_taken_over(void **state)
{
    (void)state;
    write_config(CLUSTER, "token: t");
    assert_int_equal(load(), ERR_OK);
    fake_step_ms = 50;
    fake_pass(&world.loop, 15000);
    write_config("server: 'https://10.1.1.1:443/x', certificate-authority: ca.crt", "token: t");
    assert_true(kube_auth_reload(&auth));
    assert_string_equal(auth.resolve.host, "10.1.1.1");
    assert_string_equal(auth.prefix, "/x");
}

static bool memory_holds(const void *memory, size_t bytes, const char *text)
{
    return str_find(str_make(memory, bytes), str_of(text)) >= 0;
}

static void test_old_secrets_are_wiped(void **state)
{
    (void)state;
    write_config(CLUSTER, "tokenFile: token");
    assert_int_equal(load(), ERR_OK);
    fake_step_ms = 50;
    for (int i = 2; i <= 3; i++) { /* the second change overwrites the first generation */
        char token[32];
        (void)snprintf(token, sizeof token, "secret-%d", i);
        fake_pass(&world.loop, 15000);
        world_set_token(token);
        assert_true(kube_auth_reload(&auth));
    }
    assert_true(memory_holds(world.region.ptr, world.region.used, "secret-3"));
    assert_false(memory_holds(auth.files, 16000, "token-1"));
    assert_false(memory_holds(world.arena.ptr, 1 << 20, "secret-"));
}

/* ---- the certificate's end ------------------------------------------------------------------- */

static void test_certificate_that_ends_soon_is_warned_about(void **state)
{
    (void)state;
    write_config(CLUSTER, CERTIFICATE);
    assert_int_equal(load(), ERR_OK);
    assert_string_equal(auth.why, "");
    int64_t ends_ms = auth.cert_ends_unix_s * 1000;
    fake_step_ms = 50;
    fake_wall_ms = ends_ms - 6 * INT64_C(86400000);
    log_set_level(LOG_ERROR);
    fake_pass(&world.loop, KUBE_AUTH_LOOK_MS + 100);
    assert_non_null(strstr(auth.why, "the client certificate of user \"admin\" expires on "
                                     "2034-01-01; renew it in "));
    fake_wall_ms = ends_ms + 86400000;
    auth.why[0] = '\0';
    fake_pass(&world.loop, KUBE_AUTH_LOOK_MS + 100);
    assert_non_null(strstr(auth.why, "expired on 2034-01-01"));
    auth.why[0] = '\0';
    fake_pass(&world.loop, 10 * KUBE_AUTH_LOOK_MS); /* said once a day */
    assert_string_equal(auth.why, "");
}

static void test_expired_certificate_still_loads(void **state)
{
    (void)state;
    unit_put_file(cert_path, str_of(net_cert("client_expired.crt")));
    unit_put_file(key_path, str_of(net_cert("client_expired.key")));
    write_config(CLUSTER, CERTIFICATE);
    assert_int_equal(load(), ERR_OK); /* the server has the last word */
    assert_non_null(strstr(auth.why, "expired on 2024-01-02"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_client_certificate),
        TEST(test_messages_name_the_file),
        TEST(test_long_token_fits_and_longer_is_refused),
        TEST(test_in_cluster),
        TEST(test_each_take_of_memory_may_fail),
        TEST(test_token_file_is_followed),
        TEST(test_refusal_looks_at_once_but_not_too_often),
        TEST(test_broken_change_keeps_the_old_credentials),
        TEST(test_changes_are_not_closer_than_a_handshake),
        TEST(test_moved_server_is_taken_over),
        TEST(test_old_secrets_are_wiped),
        TEST(test_certificate_that_ends_soon_is_warned_about),
        TEST(test_expired_certificate_still_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
