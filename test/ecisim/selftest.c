/* see selftest.h */
#include "selftest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions.h"
#include "group.h"
#include "index.h"
#include "list.h"
#include "settings.h"
#include "sign.h"
#include "sim.h"
#include "sizing.h"
#include "stock.h"
#include "ws.h"

static int checks;
static int failures;

static void expect(const char *what, bool is_good)
{
    checks++;
    if (!is_good) {
        failures++;
        printf("FAILED: %s\n", what);
    }
}

static void expect_text(const char *what, const char *got, const char *wanted)
{
    expect(what, text_is(got, wanted));
    if (!text_is(got, wanted)) {
        printf("  got    %s\n  wanted %s\n", got, wanted);
    }
}

/* eci-api 1.6 */
static void test_sign_rpc(void)
{
    struct pair pairs[] = {
        { "Action", "CreateContainerGroup" },
        { "Version", "2018-08-08" },
        { "Format", "JSON" },
        { "Timestamp", "2024-01-02T03:04:05Z" },
        { "SignatureMethod", "HMAC-SHA1" },
        { "SignatureVersion", "1.0" },
        { "SignatureNonce", "9f1c2b3a4d5e6f708192a3b4c5d6e7f8" },
        { "AccessKeyId", "LTAI4EXAMPLEKEYID00001" },
        { "RegionId", "cn-hangzhou" },
        { "ContainerGroupName", "demo-1" },
        { "RestartPolicy", "Never" },
        { "ClientToken", "0c593ea1-3bea-11e9-b96b-88e9fe637760" },
        { "Cpu", "0.5" },
        { "Memory", "1" },
        { "Container.1.Name", "c1" },
        { "Container.1.Image", "busybox:1.36" },
        { "Container.1.Command.1", "/bin/sh" },
        { "Container.1.Command.2", "-c" },
        { "Container.1.Arg.1", "echo \"a+b *~ \xe4\xbd\xa0\xe5\xa5\xbd\" && sleep 1" },
        { "Container.1.EnvironmentVar.1.Key", "K" },
        { "Container.1.EnvironmentVar.1.Value", "v 1" },
        { "Signature", "is left out" },
    };
    size_t count = sizeof pairs / sizeof pairs[0];
    struct buf signature = {0};
    pairs_sort(pairs, count);
    sign_rpc(&signature, "EXAMPLEsecretKEY0123456789abcd", "POST", pairs, count);
    expect_text("RPC v1 signature of a POST", signature.data, "llvoz+5JLh7sBNySO2nHkpDs+88=");
    buf_clear(&signature);
    sign_rpc(&signature, "EXAMPLEsecretKEY0123456789abcd", "GET", pairs, count);
    expect_text("RPC v1 signature of a GET", signature.data, "2zGGlMV3ovSPXdA9t1Vtcsy78Bc=");
    buf_free(&signature);
    expect_text("Container.1.Name sorts before ContainerGroupName", pairs[9].name,
                "Container.1.Name");
}

/* eci-api 1.7 */
static void test_sign_acs3(void)
{
    const struct pair query[] = {
        { "ContainerGroupIds", "[\"eci-abc\"]" }, { "Limit", "20" }, { "RegionId", "cn-hangzhou" }
    };
    char hash[65];
    sha256_hex(hash, "", 0);
    const struct pair headers[] = {
        { "host", "eci.cn-hangzhou.aliyuncs.com" },
        { "x-acs-action", "DescribeContainerGroups" },
        { "x-acs-content-sha256", hash },
        { "x-acs-date", "2024-01-02T03:04:05Z" },
        { "x-acs-signature-nonce", "9f1c2b3a4d5e6f708192a3b4c5d6e7f8" },
        { "x-acs-version", "2018-08-08" },
    };
    char signature[65];
    sign_acs3(signature, "EXAMPLEsecretKEY0123456789abcd", "POST", "/", query, 3, headers, 6, hash);
    expect_text("ACS3 signature", signature,
                "0b698d3098a49124c9108f69718d80e1cee918f5b49b7a5cf74b45fa5322769d");
    expect_text("SHA-256 of nothing", hash,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect("equal signatures", sign_equal("abc", "abc"));
    expect("unequal signatures", !sign_equal("abc", "abd") && !sign_equal("abc", "abcd"));
}

static void test_encodings(void)
{
    struct buf out = {0};
    char text[] = "a+b%20%2a%7E%zz%4";
    unsigned char bytes[16];
    percent_encode(&out, "A-z_.~ *+/:!'()\xe4\xbd\xa0");
    expect_text("percent-encoding", out.data, "A-z_.~%20%2A%2B%2F%3A%21%27%28%29%E4%BD%A0");
    percent_decode(text, strlen(text));
    expect_text("percent-decoding", text, "a b *~%zz%4");
    buf_clear(&out);
    base64_encode(&out, "hello", 5);
    expect_text("base64", out.data, "aGVsbG8=");
    expect("base64 back", base64_decode("aGVsbG8=", bytes) == 5 && memcmp(bytes, "hello", 5) == 0);
    expect("base64 of nothing", base64_decode("", bytes) == 0);
    expect("base64 refused", base64_decode("a", bytes) < 0 && base64_decode("a*==", bytes) < 0);
    buf_free(&out);
}

/* RFC 6455 sections 1.3 and 5.7 */
static void test_websocket(void)
{
    struct ws ws = {0};
    struct buf text = {0};
    struct buf control = {0};
    enum ws_opcode opcode = WS_MORE;
    ws_accept(&text, "dGhlIHNhbXBsZSBub25jZQ==");
    expect_text("Sec-WebSocket-Accept", text.data, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    buf_clear(&text);
    buf_add(&text, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51", 10);
    expect("half a frame", ws_take(&ws, &text, &opcode, &control) == 0);
    buf_add(&text, "\x58", 1);
    expect("a masked frame", ws_take(&ws, &text, &opcode, &control) == 1 && opcode == WS_TEXT);
    expect_text("its text", buf_string(&ws.message), "Hello");
    buf_add(&text, "\x81\x05Hello", 7);
    expect("an unmasked frame is refused", ws_take(&ws, &text, &opcode, &control) == -1);
    buf_clear(&text);
    ws_put(&text, WS_TEXT, "Hello", 5);
    expect("a frame of ours", text.used == 7 && memcmp(text.data, "\x81\x05Hello", 7) == 0);
    ws_free(&ws);
    buf_free(&text);
    buf_free(&control);
}

static void test_times(void)
{
    static const char *const bad[] = {"2024-01-02T03:04:05", "2024-02-30T00:00:00Z",
                                      "2024-01-02 03:04:05Z", "2024-01-02T03:04:05.1Z", ""};
    char text[TIME_TEXT_BYTES];
    int64_t ms = 0;
    expect("a time", time_parse("2024-01-02T03:04:05Z", &ms) && ms == 1704164645000);
    expect_text("a time back", time_text(text, ms), "2024-01-02T03:04:05Z");
    for (size_t at = 0; at < sizeof bad / sizeof bad[0]; at++) {
        expect(bad[at], !time_parse(bad[at], &ms));
    }
}

/* eci-api 4.1 and 4.2 */
static void test_sizes(void)
{
    static const struct {
        const char *region;
        bool is_spot;
        struct size wish;
        struct size wanted; /* cpu 0: refused */
    } rows[] = {
        {"cn-hangzhou", false, {7, 13}, {8, 14}},
        {"cn-hangzhou", false, {4.25, 8.5}, {6, 10}},
        {"cn-hangzhou", false, {3, 6}, {4, 6}},
        {"cn-hangzhou", false, {2, 4}, {2, 4}},
        {"cn-hangzhou", false, {0.1, 0.1}, {0.25, 0.5}},
        {"cn-hangzhou", false, {0, 1}, {0.25, 1}},
        {"cn-hangzhou", false, {0.25, 1.5}, {0.5, 2}},
        {"cn-hangzhou", false, {0.25, 0.5}, {0.25, 0.5}},
        {"cn-hangzhou", false, {64, 512}, {64, 512}},
        {"cn-hangzhou", false, {64, 513}, {0, 0}},
        {"cn-hangzhou", false, {65, 1}, {0, 0}},
        {"cn-hangzhou", false, {1, 300}, {52, 384}},
        {"us-west-1", false, {3, 6}, {4, 8}},
        {"us-west-1", false, {7, 13}, {8, 16}},
        {"us-west-1", false, {4.25, 8.5}, {8, 16}},
        {"cn-hangzhou", true, {0.25, 0.5}, {2, 2}},
        {"cn-hangzhou", true, {3, 6}, {4, 8}},
    };
    for (size_t at = 0; at < sizeof rows / sizeof rows[0]; at++) {
        struct size got;
        char what[64];
        snprintf(what, sizeof what, "size %g/%g in %s", rows[at].wish.cpu, rows[at].wish.memory,
                 rows[at].region);
        bool fits = size_round(rows[at].region, rows[at].is_spot, rows[at].wish, &got);
        expect(what, fits == (rows[at].wanted.cpu > 0) && got.cpu == rows[at].wanted.cpu &&
                         got.memory == rows[at].wanted.memory);
    }
}

static void test_types(void)
{
    struct size size;
    expect("2-4Gi", size_of_type("2-4Gi", &size) && size.cpu == 2 && size.memory == 4);
    expect("0.5-1Gi", size_of_type("0.5-1Gi", &size) && size.cpu == 0.5 && size.memory == 1);
    expect("ecs.c6.large",
           size_of_type("ecs.c6.large", &size) && size.cpu == 2 && size.memory == 4);
    expect("ecs.r7.4xlarge", size_of_type("ecs.r7.4xlarge", &size) && size.memory == 128);
    expect("bad types", !size_of_type("2-4", &size) && !size_of_type("2-4GiB", &size) &&
                            !size_of_type("ecs.c6", &size) && !size_of_type("large", &size));
}

/* eci-api 4.3: what the containers ask for together. */
static void test_sums(void)
{
    struct arena arena = {0};
    struct node *params = tree_new(&arena);
    tree_put(&arena, params, "Container.1.Cpu", "2");
    tree_put(&arena, params, "Container.1.Memory", "4");
    tree_put(&arena, params, "Container.2.Cpu", "2");
    tree_put(&arena, params, "Container.2.Memory", "4");
    tree_put(&arena, params, "Container.3.Cpu", "0.25");
    tree_put(&arena, params, "Container.3.Memory", "0.5");
    struct size sum = size_of_containers(params);
    expect("sum of containers", sum.cpu == 4.25 && sum.memory == 8.5);
    tree_put(&arena, params, "Container.3.EnvironmentVar.1.Key", "__ECI_RESOURCE_IGNORE__");
    tree_put(&arena, params, "Container.3.EnvironmentVar.1.Value", "TRUE");
    sum = size_of_containers(params);
    expect("ignored container", sum.cpu == 4 && sum.memory == 8);
    tree_put(&arena, params, "InitContainer.1.Cpu", "8");
    sum = size_of_containers(params);
    expect("large init container", sum.cpu == 8 && sum.memory == 8);
    arena_free(&arena);
}

/* eci-api 1.4: indices in any order, with gaps. */
static void test_trees(void)
{
    struct arena arena = {0};
    struct node *params = tree_new(&arena);
    struct buf order = {0};
    tree_put(&arena, params, "Tag.10.Key", "ten");
    tree_put(&arena, params, "Tag.2.Key", "two");
    tree_put(&arena, params, "Tag.1.Key", "one");
    tree_put(&arena, params, "Tag.2.Value", "2");
    for (const struct node *tag = tree_list(params, "Tag"); tag != NULL; tag = tag->next) {
        buf_fmt(&order, "%s ", tree_text(tag, "Key"));
    }
    expect_text("order of a list", order.data, "one two ten ");
    expect("count of a list", tree_count(params, "Tag") == 3);
    buf_free(&order);
    struct node *json = json_read(&arena, "{\"a\": [1, \"b\\u4f60\\n\"], \"c\": {\"d\": true}}");
    expect_text("JSON array", tree_text(json, "a.2"), "b\xe4\xbd\xa0\n");
    expect("JSON truth", tree_true(json, "c.d"));
    expect("bad JSON", json_read(&arena, "{\"a\":1,}") == NULL &&
                           json_read(&arena, "[1 2]") == NULL && json_read(&arena, "") == NULL &&
                           json_read(&arena, "{} x") == NULL);
    arena_free(&arena);
}

static void test_index(void)
{
    struct index index = {0};
    static char keys[2000][16];
    for (int at = 0; at < 2000; at++) {
        snprintf(keys[at], sizeof keys[at], "k%d", at);
        index_put(&index, keys[at], keys[at]);
    }
    for (int at = 0; at < 2000; at += 2) {
        index_drop(&index, keys[at]);
    }
    bool is_good = index.count == 1000;
    for (int at = 0; at < 2000; at++) {
        is_good = is_good && index_find(&index, keys[at]) == (at % 2 == 0 ? NULL : keys[at]);
    }
    expect("index", is_good);
    index_free(&index);
}

/* Walk all pages of 45 groups, 20 at a time, while one on a page already read is removed. */
static void test_pages(void)
{
    size_t seen = 0;
    int pages = 0;
    char next[24] = "";
    dice_seed(&sim_dice, 1);
    for (int at = 0; at < 45; at++) {
        struct arena arena = {0};
        struct node *params = tree_new(&arena);
        tree_put(&arena, params, "ContainerGroupName", "page");
        tree_put(&arena, params, "Container.1.Name", "c");
        group_new(&arena, params, NULL);
    }
    do {
        struct exchange exchange = {0};
        struct call call = {.exchange = &exchange,
                            .action = action_find("DescribeContainerGroups")};
        struct list list;
        call.params = tree_new(&call.arena);
        tree_put(&call.arena, call.params, "NextToken",
                 arena_copy(&call.arena, next, strlen(next)));
        tree_put(&call.arena, call.params, "Limit", "50"); /* is clamped to 20 */
        expect("a page", list_groups(&call, 20, 20, &list));
        seen += list.count;
        memcpy(next, list.next, sizeof next);
        if (pages++ == 0) {
            group_remove(list.rows[3], "test");
        }
        arena_free(&call.arena);
    } while (next[0] != '\0' && pages < 10);
    expect("all pages", pages == 3 && seen == 45);
    groups_reset();
    list_reset();
}

int selftest_run(void)
{
    loop_start();
    actions_start();
    test_sign_rpc();
    test_sign_acs3();
    test_encodings();
    test_websocket();
    test_times();
    test_sizes();
    test_types();
    test_sums();
    test_trees();
    test_index();
    test_pages();
    actions_free();
    loop_turn(0);
    loop_close();
    printf("ecisim: %d checks, %d failures\n", checks, failures);
    return failures == 0 ? 0 : 1;
}
