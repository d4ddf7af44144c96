/* see kubeconfig.h: the ways people write one, and what they are told */
#include "unit.h"

#include "data/yaml_read.h"
#include "kube/kubeconfig.h"

static char arena_memory[1 << 20];
static char json_text_memory[1 << 16];

/* Sets the parts of a file with one context together; a part that is NULL is a good one. */
struct parts {
    const char *top;     /* current-context and the like */
    const char *cluster; /* members of the cluster, flow style */
    const char *user;
};

static enum err read_text(const char *text, const char *context, struct kubeconfig *out, char *why,
                          size_t why_bytes)
{
    struct arena arena;
    struct buf json_out, why_out;
    json root;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    buf_init(&json_out, json_text_memory, sizeof json_text_memory);
    buf_init(&why_out, why, why_bytes);
    assert_int_equal(yaml_to_json(str_of(text), 0, &json_out, NULL, NULL), ERR_OK);
    assert_int_equal(json_parse(buf_str(&json_out), &arena, &root, NULL), ERR_OK);
    enum err err = kubeconfig_read(root, str_of(context), S("/etc/kube"), &arena, out, &why_out);
    (void)buf_cstr(&why_out);
    return err;
}

static enum err read_parts(const struct parts *parts, struct kubeconfig *out, char *why,
                           size_t why_bytes)
{
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "%s\n"
                   "contexts:\n- name: one\n  context: {cluster: k, user: u}\n"
                   "clusters:\n- name: k\n  cluster: {%s}\n"
                   "users:\n- name: u\n  user: {%s}\n",
                   parts->top != NULL ? parts->top : "current-context: one",
                   parts->cluster != NULL ? parts->cluster : "server: 'https://h:6443'",
                   parts->user != NULL ? parts->user : "token: t");
    return read_text(text, "", out, why, why_bytes);
}

/* ---- what is refused, and how ---------------------------------------------------------------- */

static void test_refusals(void **state)
{
    static const struct {
        struct parts parts;
        enum err err;
        const char *why;
    } rows[] = {
        {{.top = "kind: Config"}, ERR_OK, ""}, /* the only context will do */
        {{.top = "current-context: two"}, ERR_BAD_INPUT, "context \"two\": is not in the file"},
        {{.top = "current-context: 7"},
         ERR_BAD_INPUT,
         "current-context: must be a text (put it in quotes)"},
        {{.cluster = ""}, ERR_BAD_INPUT, "cluster \"k\": server: is missing"},
        {{.cluster = "server: 'h:6443'"},
         ERR_BAD_INPUT,
         "cluster \"k\": server: must start with https://"},
        {{.cluster = "server: 'https://h:0'"},
         ERR_BAD_INPUT,
         "cluster \"k\": server: the port is not a number from 1 to 65535"},
        {{.cluster = "server: 'https://h', certificate-authority-data: '!!'"},
         ERR_BAD_INPUT,
         "cluster \"k\": certificate-authority-data: is not base64"},
        {{.cluster = "server: 'https://h', insecure-skip-tls-verify: true, "
                     "certificate-authority: ca.crt"},
         ERR_BAD_INPUT,
         "cluster \"k\": insecure-skip-tls-verify: cannot be combined with a certificate "
         "authority; remove one of them"},
        {{.cluster = "server: 'https://h', insecure-skip-tls-verify: 'yes'"},
         ERR_BAD_INPUT,
         "cluster \"k\": insecure-skip-tls-verify: must be true or false"},
        {{.cluster = "server: 'https://h', proxy-url: 'http://p'"},
         ERR_UNSUPPORTED,
         "cluster \"k\": proxy-url: proxies towards the API server are not supported"},
        {{.user = ""}, ERR_BAD_INPUT, "user \"u\": has no token, tokenFile or client certificate"},
        {{.user = "token: ''"},
         ERR_BAD_INPUT,
         "user \"u\": has no token, tokenFile or client certificate"},
        {{.user = "token: 12345"},
         ERR_BAD_INPUT,
         "user \"u\": token: must be a text (put it in quotes)"},
        {{.user = "username: admin, password: x"},
         ERR_UNSUPPORTED,
         "user \"u\": username: user name and password are not supported (Kubernetes 1.19 removed "
         "them); give a token or a client certificate"},
        {{.user = "exec: {command: aws}"},
         ERR_UNSUPPORTED,
         "user \"u\": exec: exec plugins are not supported (ecilet starts no programs); give a "
         "token, a tokenFile or a client certificate"},
        {{.user = "auth-provider: {name: oidc}"},
         ERR_UNSUPPORTED,
         "user \"u\": auth-provider: auth providers are not supported; give a token, a tokenFile "
         "or a client certificate"},
        {{.user = "token: t, as: root"},
         ERR_UNSUPPORTED,
         "user \"u\": as: impersonation is not supported; give the user's own credentials"},
        {{.user = "client-certificate: a.crt"},
         ERR_BAD_INPUT,
         "user \"u\": client-key: is missing (there is a client certificate)"},
        {{.user = "client-key-data: YQ=="},
         ERR_BAD_INPUT,
         "user \"u\": client-certificate: is missing (there is a client key)"},
        {{.cluster = "server: 'http://h'",
          .user = "client-certificate-data: YQ==, client-key-data: YQ=="},
         ERR_BAD_INPUT,
         "user \"u\": client-certificate: is of no use without https"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kubeconfig out;
        char why[512];
        enum err err = read_parts(&rows[i].parts, &out, why, sizeof why);
        assert_string_equal(why, rows[i].why);
        assert_int_equal(err, rows[i].err);
    }
}

static void test_whole_files_that_are_none(void **state)
{
    static const struct {
        const char *text, *context, *why;
    } rows[] = {
        {"[]", "", "not a kubeconfig (no mapping at the top)"},
        {"{}", "", "current-context: is not set"},
        {"{current-context: a}", "", "context \"a\": is not in the file"},
        {"{current-context: a, contexts: [{name: a, context: {user: u}}]}", "",
         "context \"a\": cluster: is not set"},
        {"{contexts: [{name: a, context: {cluster: c}}]}", "", "context \"a\": user: is not set"},
        {"{contexts: [{name: a, context: {cluster: c, user: u}}]}", "a",
         "cluster \"c\": is named by the context but not in the file"},
        {"{contexts: [{name: a, context: {cluster: c, user: u}}], "
         "clusters: [{name: c, cluster: {server: 'https://h'}}]}",
         "a", "user \"u\": is named by the context but not in the file"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct kubeconfig out;
        char why[512];
        assert_int_equal(read_text(rows[i].text, rows[i].context, &out, why, sizeof why),
                         ERR_BAD_INPUT);
        assert_string_equal(why, rows[i].why);
    }
}

/* ---- what is understood ---------------------------------------------------------------------- */

static void test_members(void **state)
{
    struct kubeconfig out;
    char why[512];
    (void)state;
    assert_int_equal(read_parts(&(struct parts){.cluster = "server: 'https://[fd00::1]:6443/k8s/', "
                                                           "certificate-authority: pki/ca.crt, "
                                                           "tls-server-name: kubernetes",
                                                .user = "client-certificate: /abs/a.crt, "
                                                        "client-key-data: a2V5, tokenFile: token, "
                                                        "token: old, username: ''"},
                                &out, why, sizeof why),
                     ERR_OK);
    assert_true(out.is_tls);
    assert_text(out.host, "fd00::1");
    assert_int_equal(out.port, 6443);
    assert_text(out.prefix, "/k8s");
    assert_text(out.ca_file, "/etc/kube/pki/ca.crt");
    assert_text(out.tls_server_name, "kubernetes");
    assert_text(out.cert_file, "/abs/a.crt");
    assert_text(out.key_pem, "key");
    assert_text(out.token_file, "/etc/kube/token");
    assert_text(out.token, "old");
    assert_text(out.context, "one");
    assert_text(out.user, "u");
}

static void test_data_wins_over_files(void **state)
{
    struct kubeconfig out;
    char why[512];
    (void)state;
    assert_int_equal(
        read_parts(&(struct parts){.cluster = "server: 'https://h', certificate-authority: a, "
                                              "certificate-authority-data: Y2E=",
                                   .user = "client-certificate: a, client-certificate-data: YQ==, "
                                           "client-key: k, client-key-data: aw=="},
                   &out, why, sizeof why),
        ERR_OK);
    assert_text(out.ca_pem, "ca");
    assert_text(out.ca_file, "");
    assert_text(out.cert_pem, "a");
    assert_text(out.cert_file, "");
    assert_text(out.key_pem, "k");
    assert_text(out.key_file, "");
}

/* As kubectl writes it; the second context is asked for by name. */
static void test_named_context(void **state)
{
    static const char text[] = "apiVersion: v1\nkind: Config\npreferences: {}\n"
                               "current-context: dev\n"
                               "clusters:\n"
                               "- cluster:\n    server: https://dev:6443\n  name: dev\n"
                               "- cluster:\n    server: https://prod\n"
                               "    insecure-skip-tls-verify: true\n  name: prod\n"
                               "contexts:\n"
                               "- context:\n    cluster: dev\n    user: d\n  name: dev\n"
                               "- context:\n    cluster: prod\n    namespace: x\n    user: p\n"
                               "  name: prod\n"
                               "users:\n"
                               "- name: d\n  user:\n    exec:\n      command: broken\n"
                               "- name: p\n  user:\n    token: |\n      abc\n";
    struct kubeconfig out;
    char why[512];
    (void)state;
    assert_int_equal(read_text(text, "prod", &out, why, sizeof why), ERR_OK);
    assert_text(out.host, "prod");
    assert_int_equal(out.port, 443);
    assert_true(out.skip_verify);
    assert_text(str_trim(out.token), "abc");
    assert_int_equal(read_text(text, "", &out, why, sizeof why), ERR_UNSUPPORTED);
}

static void test_urls(void **state)
{
    static const struct {
        const char *url, *host;
        uint16_t port;
        const char *prefix;
        bool is_tls;
    } good[] = {
        {"https://10.0.0.1:6443", "10.0.0.1", 6443, "", true},
        {"https://10.0.0.1", "10.0.0.1", 443, "", true},
        {"https://api.example:8443/", "api.example", 8443, "", true},
        {"http://localhost", "localhost", 80, "", false},
        {"https://[::1]", "::1", 443, "", true},
        {"https://[2001:db8::1]:6443/a/b//", "2001:db8::1", 6443, "/a/b", true},
        {"https://rancher.example/k8s/clusters/c-m-1", "rancher.example", 443,
         "/k8s/clusters/c-m-1", true},
    };
    static const char *const bad[] = {
        "",          "10.0.0.1:6443",     "ftp://h",         "https://",
        "https://:1", "https://h:",       "https://h:70000", "https://h:6443x",
        "https://[::1", "https://[::1]x", "https://[h]",     "https://u:p@h",
        "https://h/a b", "https://h/?x=1", "https://h/#a",   "https://h\r\nX: y",
        "https://fd00::1",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct kubeconfig out = {0};
        const char *why = "";
        assert_true(kubeconfig_read_url(str_of(good[i].url), &out, &why));
        assert_text(out.host, good[i].host);
        assert_int_equal(out.port, good[i].port);
        assert_text(out.prefix, good[i].prefix);
        assert_int_equal(out.is_tls, good[i].is_tls);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct kubeconfig out = {0};
        const char *why = "";
        assert_false(kubeconfig_read_url(str_of(bad[i]), &out, &why));
        assert_string_not_equal(why, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_whole_files_that_are_none),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_data_wins_over_files),
        cmocka_unit_test(test_named_context),
        cmocka_unit_test(test_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
