/* spec_refs.c: which objects of the cluster a pod needs, in rounds, and how each is asked for. */
#include "table/spec_case.h"

#include "spec/service_env.h"
#include "spec/token_volume.h"

static struct spec_refs refs;

/* "kind namespace/name[?]" of all, in order, each on a line; ? for optional ones. */
static const char *listed(void)
{
    static const char *const kinds[] = {
        [SPEC_REF_CONFIG_MAP] = "map",   [SPEC_REF_SECRET] = "secret",
        [SPEC_REF_SERVICES] = "services", [SPEC_REF_CLAIM] = "claim",
        [SPEC_REF_VOLUME] = "volume",     [SPEC_REF_TOKEN] = "token"};
    struct buf out;

    buf_init(&out, case_output, sizeof case_output);
    for (uint32_t i = 0; i < refs.count; i++) {
        const struct spec_ref *ref = &refs.items[i];
        buf_put_fmt(&out, "%s %.*s/%.*s%s", kinds[ref->kind], STR_ARG(ref->name_space),
                    STR_ARG(ref->name), ref->is_optional ? "?" : "");
        if (ref->kind == SPEC_REF_TOKEN) {
            buf_put_fmt(&out, " %.*s %lld", STR_ARG(ref->audience), (long long)ref->expiry_s);
        }
        buf_put_char(&out, '\n');
    }
    return buf_cstr(&out);
}

#define ALWAYS "services default/?\nservices default/kubernetes?\n"
#define UNLINKED "services default/kubernetes?\n"
#define ONE(members) "{'containers':[{'name':'a','image':'b'" members "}]}"
#define POD(members) "{'containers':[{'name':'a','image':'b'}]" members "}"

static const struct collect_case {
    const char *spec;
    const char *wants;
} cases[] = {
    {POD(""), ALWAYS},
    {POD(",'enableServiceLinks':false"), UNLINKED},
    {ONE(",'env':[{'name':'A','valueFrom':{'configMapKeyRef':{'name':'m','key':'k'}}},{'name':'B',"
         "'valueFrom':{'secretKeyRef':{'name':'s','key':'k','optional':true}}}]"),
     ALWAYS "map default/m\nsecret default/s?\n"},
    /* mandatory somewhere: mandatory */
    {ONE(",'envFrom':[{'secretRef':{'name':'s','optional':true}},{'secretRef':{'name':'s'}},"
         "{'configMapRef':{'name':'s','optional':true}}]"),
     ALWAYS "secret default/s\nmap default/s?\n"},
    {"{'initContainers':[{'envFrom':[{'secretRef':{'name':'i'}}]}]}", ALWAYS "secret default/i\n"},
    {POD(",'volumes':[{'name':'a','configMap':{'name':'m','optional':true}},{'name':'b','secret':"
         "{'secretName':'s'}},{'name':'c','persistentVolumeClaim':{'claimName':'c'}},{'name':'d',"
         "'projected':{'sources':[{'configMap':{'name':'n'}},{'secret':{'name':'t'}},"
         "{'serviceAccountToken':{'audience':'vault','path':'x'}},{'serviceAccountToken':{'path':"
         "'y','expirationSeconds':600}}]}},{'name':'e','flexVolume':{'secretRef':{'name':'f'}}},"
         "{'name':'g','csi':{'nodePublishSecretRef':{'name':'h'}}}],'serviceAccountName':'acc'"),
     ALWAYS "map default/m?\nsecret default/s\nclaim default/c\nmap default/n\nsecret default/t\n"
            "token default/acc vault 3600\ntoken default/acc  600\nsecret default/f\n"
            "secret default/h\n"},
    {POD(",'imagePullSecrets':[{'name':'p'},{}]"), ALWAYS "secret default/p?\n"},
    /* the token that every pod gets, in its two shapes */
    {POD(",'volumes':[{'name':'kube-api-access-x','projected':{'sources':[{'configMap':{'name':"
         "'kube-root-ca.crt'}},{'serviceAccountToken':{'path':'token'}}]}}]"),
     ALWAYS},
    {"{'volumes':[{'name':'default-token-x','secret':{'secretName':'default-token-x'}}],"
     "'containers':[{'volumeMounts':[{'name':'default-token-x','mountPath':'" TOKEN_MOUNT_PATH
     "'}]}]}",
     ALWAYS},
    {POD(",'automountServiceAccountToken':true,'volumes':[{'name':'kube-api-access-x','projected':"
         "{'sources':[{'configMap':{'name':'kube-root-ca.crt'}},{'serviceAccountToken':{'path':"
         "'token','expirationSeconds':3607}}]}}]"),
     ALWAYS "map default/kube-root-ca.crt\ntoken default/default  3607\n"},
    {"{'automountServiceAccountToken':true,'volumes':[{'name':'default-token-x','secret':"
     "{'secretName':'default-token-x'}}]}",
     ALWAYS "secret default/default-token-x\n"},
    /* the same shape, but the user's: mounted elsewhere, or a second one */
    {"{'volumes':[{'name':'my-token-x','secret':{'secretName':'my-token-x'}}],"
     "'containers':[{'volumeMounts':[{'name':'my-token-x','mountPath':'/etc/x'}]}]}",
     ALWAYS "secret default/my-token-x\n"},
    {POD(",'volumes':[{'name':'a-token-x','secret':{'secretName':'a-token-x'}},{'name':'b-token-x',"
         "'secret':{'secretName':'b-token-x'}}]"),
     ALWAYS "secret default/b-token-x\n"},
    /* what is no pod needs little */
    {"7", ALWAYS},
    {"{'containers':{'a':7},'volumes':'x','imagePullSecrets':[7]}", ALWAYS},
};

static void test_collect(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        struct spec_verdict verdict;

        case_begin(&arena, &verdict);
        refs.count = 0;
        json pod = case_pod(&arena, "", cases[i].spec);
        assert_int_equal(spec_refs_collect(pod, &arena, &refs), ERR_OK);
        assert_string_equal(listed(), cases[i].wants);
        /* Again: nothing more is wanted. */
        assert_int_equal(spec_refs_collect(pod, &arena, &refs), ERR_OK);
        assert_string_equal(listed(), cases[i].wants);
    }
}

/* A claim that was found names its volume, that volume its Secret. */
static void test_rounds(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    struct spec_refs found = {.count = 0};

    (void)state;
    case_begin(&arena, &verdict);
    refs.count = 0;
    json pod = case_pod(&arena, "",
                        POD(",'enableServiceLinks':false,'volumes':[{'name':'v',"
                            "'persistentVolumeClaim':{'claimName':'c'}}]"));
    assert_int_equal(spec_refs_collect(pod, &arena, &refs), ERR_OK);
    assert_string_equal(listed(), UNLINKED "claim default/c\n");
    refs.items[1].object =
        case_ref(&found, &arena, SPEC_REF_CLAIM, "", "", "{'spec':{'volumeName':'pv'}}")->object;
    refs.items[1].state = SPEC_REF_ABSENT; /* not found: not looked into */
    assert_int_equal(spec_refs_collect(pod, &arena, &refs), ERR_OK);
    assert_int_equal(refs.count, 2);
    refs.items[1].state = SPEC_REF_FOUND;
    assert_int_equal(spec_refs_collect(pod, &arena, &refs), ERR_OK);
    assert_string_equal(listed(), UNLINKED "claim default/c\nvolume /pv\n");
    refs.items[2].object = case_ref(&found, &arena, SPEC_REF_VOLUME, "", "",
                                    "{'spec':{'csi':{'nodePublishSecretRef':{'name':'k',"
                                    "'namespace':'storage'}}}}")
                               ->object;
    refs.items[2].state = SPEC_REF_FOUND;
    assert_int_equal(spec_refs_collect(pod, &arena, &refs), ERR_OK);
    assert_string_equal(listed(), UNLINKED "claim default/c\nvolume /pv\nsecret storage/k\n");
}

/* Has read the newest page: this many services, and where the list goes on. */
static void page_is_read(struct arena *arena, unsigned services, const char *next)
{
    static char text[32768];
    static struct spec_refs found;
    struct spec_ref *page = &refs.items[refs.count - 1];
    size_t bytes =
        (size_t)snprintf(text, sizeof text, "{'metadata':{'continue':'%s'},'items':[", next);

    for (unsigned i = 0; i < services; i++) {
        bytes += (size_t)snprintf(text + bytes, sizeof text - bytes, "%s{}", i > 0 ? "," : "");
    }
    snprintf(text + bytes, sizeof text - bytes, "]}");
    found.count = 0;
    page->object = case_ref(&found, arena, SPEC_REF_SERVICES, "", "", text)->object;
    page->state = SPEC_REF_FOUND;
}

/* Pages follow each other until the list ends, or the services are too many in any case. */
static void test_pages_of_services(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;
    char next[16];

    (void)state;
    case_begin(&arena, &verdict);
    json pod = case_pod(&arena, "", POD(""));
    refs.count = 0;
    assert_int_equal(spec_refs_collect(pod, &arena, &refs), ERR_OK);
    struct spec_ref first = refs.items[0];
    refs.items[0] = refs.items[1];
    refs.items[1] = first;
    refs.items[1].limit = 10;
    for (unsigned pages = 1; pages <= SPEC_SERVICES_PAGES_MAX; pages++) {
        assert_int_equal(refs.count, 1 + pages);
        assert_int_equal(refs.items[pages].limit, 10); /* as the one before */
        assert_true(pages == 1 || str_eq(refs.items[pages].page, str_of(next)));
        snprintf(next, sizeof next, "after-%u", pages);
        page_is_read(&arena, 2, next);
        assert_int_equal(spec_refs_collect(pod, &arena, &refs), ERR_OK);
        assert_int_equal(spec_refs_collect(pod, &arena, &refs), ERR_OK); /* the same */
    }
    assert_int_equal(refs.count, 1 + SPEC_SERVICES_PAGES_MAX); /* enough of it */

    static const struct {
        unsigned services;
        const char *next;
        uint32_t others;
        bool goes_on;
    } rows[] = {
        {3, "more", 0, true},
        {3, "", 0, false},
        {SERVICE_ENV_MAX / SERVICE_ENV_EACH_MIN, "more", 0, false},
        {SERVICE_ENV_MAX / SERVICE_ENV_EACH_MIN - 1, "more", 0, true},
        {3, "more", SPEC_REFS_MAX - 2, false}, /* takes no place from what is mandatory */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refs.count = rows[i].others;
        memset(refs.items, 0, sizeof refs.items);
        for (uint32_t k = 0; k < rows[i].others; k++) {
            refs.items[k] =
                (struct spec_ref){.kind = SPEC_REF_SECRET, .name = arena_fmt(&arena, "s%u", k)};
        }
        refs.items[refs.count++] = (struct spec_ref){.kind = SPEC_REF_SERVICES,
                                                     .name_space = S("default"),
                                                     .name = S("kubernetes"),
                                                     .is_optional = true};
        refs.items[refs.count++] = (struct spec_ref){
            .kind = SPEC_REF_SERVICES, .name_space = S("default"), .is_optional = true};
        uint32_t count = refs.count;
        page_is_read(&arena, rows[i].services, rows[i].next);
        assert_int_equal(spec_refs_collect(pod, &arena, &refs), ERR_OK);
        assert_int_equal(refs.count, count + (rows[i].goes_on ? 1 : 0));
    }
}

static void test_too_many(void **state)
{
    static char spec[8192];
    struct arena arena;
    struct spec_verdict verdict;

    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        size_t bytes = (size_t)snprintf(spec, sizeof spec,
                                        "{'enableServiceLinks':false,'containers':[{'envFrom':[");
        for (unsigned i = 0; i < SPEC_REFS_MAX - 1 + more; i++) {
            bytes += (size_t)snprintf(spec + bytes, sizeof spec - bytes,
                                      "%s{'secretRef':{'name':'s%u'}}", i > 0 ? "," : "", i);
        }
        snprintf(spec + bytes, sizeof spec - bytes, "]}]}");
        case_begin(&arena, &verdict);
        refs.count = 0;
        enum err err = spec_refs_collect(case_pod(&arena, "", spec), &arena, &refs);
        assert_int_equal(err, more == 0 ? ERR_OK : ERR_TOO_BIG);
        assert_int_equal(refs.count, SPEC_REFS_MAX);
    }
}

static void test_paths(void **state)
{
    static const struct {
        struct spec_ref ref;
        const char *path;
    } paths[] = {
        {{.kind = SPEC_REF_CONFIG_MAP, .name_space = S("n"), .name = S("a.b")},
         "/api/v1/namespaces/n/configmaps/a.b"},
        {{.kind = SPEC_REF_SECRET, .name_space = S("n"), .name = S("../x?y")},
         "/api/v1/namespaces/n/secrets/..%2Fx%3Fy"},
        {{.kind = SPEC_REF_SERVICES, .name_space = S("n")},
         "/api/v1/namespaces/n/services?limit=100"},
        {{.kind = SPEC_REF_SERVICES, .name_space = S("n"), .page = S("a=&b"), .limit = 10},
         "/api/v1/namespaces/n/services?limit=10&continue=a%3D%26b"},
        {{.kind = SPEC_REF_SERVICES, .name_space = S("default"), .name = S("kubernetes")},
         "/api/v1/namespaces/default/services/kubernetes"},
        {{.kind = SPEC_REF_CLAIM, .name_space = S("n"), .name = S("c")},
         "/api/v1/namespaces/n/persistentvolumeclaims/c"},
        {{.kind = SPEC_REF_VOLUME, .name = S("v")}, "/api/v1/persistentvolumes/v"},
        {{.kind = SPEC_REF_TOKEN, .name_space = S("n"), .name = S("acc")},
         "/api/v1/namespaces/n/serviceaccounts/acc/token"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct buf out;
        buf_init(&out, case_output, sizeof case_output);
        spec_ref_put_path(&paths[i].ref, &out);
        assert_string_equal(buf_cstr(&out), paths[i].path);
    }
}

static void test_token_request(void **state)
{
    struct spec_ref ref = {.kind = SPEC_REF_TOKEN, .audience = S("va\"ult"), .expiry_s = 600};
    struct buf out;

    (void)state;
    buf_init(&out, case_output, sizeof case_output);
    spec_ref_put_token_request(&ref, S("web-0"), S("u-1"), &out);
    assert_string_equal(buf_cstr(&out),
                        "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\","
                        "\"spec\":{\"audiences\":[\"va\\\"ult\"],\"expirationSeconds\":600,"
                        "\"boundObjectRef\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":"
                        "\"web-0\",\"uid\":\"u-1\"}}}");
    ref.audience = STR_NONE;
    buf_clear(&out);
    spec_ref_put_token_request(&ref, S("web-0"), S("u-1"), &out);
    assert_non_null(strstr(buf_cstr(&out), "\"audiences\":[],"));
}

static void test_find(void **state)
{
    (void)state;
    assert_null(spec_refs_find(NULL, SPEC_REF_SECRET, S("a"), S("b")));
    assert_null(spec_refs_find_token(NULL, S("a"), S("b"), S(""), 1));
    refs.count = 2;
    refs.items[0] = (struct spec_ref){
        .kind = SPEC_REF_TOKEN, .name_space = S("n"), .name = S("a"), .expiry_s = 600};
    refs.items[1] = (struct spec_ref){.kind = SPEC_REF_TOKEN,
                                      .name_space = S("n"),
                                      .name = S("a"),
                                      .audience = S("v"),
                                      .expiry_s = 600};
    assert_ptr_equal(spec_refs_find(&refs, SPEC_REF_TOKEN, S("n"), S("a")), &refs.items[0]);
    assert_ptr_equal(spec_refs_find_token(&refs, S("n"), S("a"), S("v"), 600), &refs.items[1]);
    assert_null(spec_refs_find_token(&refs, S("n"), S("a"), S("v"), 601));
    assert_null(spec_refs_find(&refs, SPEC_REF_SECRET, S("n"), S("a")));
    assert_null(spec_refs_find(&refs, SPEC_REF_TOKEN, S("m"), S("a")));
    assert_null(spec_refs_find_token(&refs, S("m"), S("a"), S("v"), 600));
    refs.items[0].name_space = S("m");
    assert_ptr_equal(spec_refs_find(&refs, SPEC_REF_TOKEN, S("n"), S("a")), &refs.items[1]);
}

/* The name of a Secret alone does not say which one it is. */
static void test_the_same_name_elsewhere(void **state)
{
    struct arena arena;
    struct spec_verdict verdict;

    (void)state;
    case_begin(&arena, &verdict);
    refs.count = 0;
    json pod = case_pod(&arena, "",
                        POD(",'enableServiceLinks':false,'volumes':[{'name':'a','csi':{"
                            "'nodePublishSecretRef':{'name':'k','namespace':'storage'}}},"
                            "{'name':'b','secret':{'secretName':'k'}},{'name':'c','csi':{"
                            "'nodePublishSecretRef':{'name':'k'}}}]"));
    assert_int_equal(spec_refs_collect(pod, &arena, &refs), ERR_OK);
    assert_string_equal(listed(), UNLINKED "secret storage/k\nsecret default/k\n");
}

/* Too little memory is said, whichever take fails. */
static void test_every_take_can_fail(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        struct arena arena;
        struct spec_verdict verdict;

        case_begin(&arena, &verdict);
        refs.count = 0;
        json pod = case_pod(&arena, "", POD(",'imagePullSecrets':[{'name':'\\u0041'}]"));
        arena_fail_at(nth);
        enum err err = spec_refs_collect(pod, &arena, &refs);
        arena_fail_at(0);
        if (err == ERR_OK) {
            assert_true(nth > 1);
            return;
        }
        assert_int_equal(err, ERR_FULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collect),       cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_pages_of_services),
        cmocka_unit_test(test_too_many),      cmocka_unit_test(test_paths),
        cmocka_unit_test(test_token_request), cmocka_unit_test(test_find),
        cmocka_unit_test(test_the_same_name_elsewhere),
        cmocka_unit_test(test_every_take_can_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
