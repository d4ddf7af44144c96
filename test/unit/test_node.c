/* Our Node object: capacity and what is left of it, and what the conditions say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/node.h"

static char arena_memory[256 * 1024], body_memory[64 * 1024];
static struct arena arena;

static struct node_facts usual(void)
{
    return (struct node_facts){
        .name = S("vk"),
        .address = S("10.0.0.1"),
        .cpu = S("1000"),
        .memory = S("512Gi"),
        .pods = 50,
        .gpus = 4,
        .cpu_free = S("900500m"),
        .pods_free = 48,
        .kubelet_version = S("v1"),
        .architecture = S("amd64"),
        .is_reachable = true,
        .reach_reason = "ECIAnswers",
    };
}

static json status_patch(const struct node_facts *facts)
{
    struct buf body;
    struct json_write w;
    json root = JSON_NONE;
    arena_init(&arena, arena_memory, sizeof arena_memory);
    buf_init(&body, body_memory, sizeof body_memory);
    json_write_init(&w, &body);
    node_put_status_patch(&w, facts, S("u"), 1704164645);
    assert_true(json_write_ok(&w));
    assert_int_equal(json_parse(buf_str(&body), &arena, &root, NULL), ERR_OK);
    return root;
}

static json condition(json root, const char *type)
{
    json all = json_get(json_get(root, "status"), "conditions");
    for (json c = json_first(all); json_is_there(c); c = json_next(c)) {
        if (json_text_is(json_get(c, "type"), type)) {
            return c;
        }
    }
    fail_msg("no condition %s", type);
    return JSON_NONE;
}

static void test_node_shows_what_is_left(void **state)
{
    struct node_facts facts = usual();
    (void)state;
    json root = status_patch(&facts);
    json capacity = json_get(json_get(root, "status"), "capacity");
    json allocatable = json_get(json_get(root, "status"), "allocatable");
    assert_true(json_text_is(json_get(capacity, "cpu"), "1000"));
    assert_true(json_text_is(json_get(capacity, "pods"), "50"));
    assert_true(json_text_is(json_get(allocatable, "cpu"), "900500m"));
    assert_true(json_text_is(json_get(allocatable, "memory"), "512Gi"));
    assert_true(json_text_is(json_get(allocatable, "pods"), "48"));
    /* a pod that asks for what the node does not show is never placed here */
    assert_true(json_text_is(json_get(capacity, "ephemeral-storage"), "251500Gi")); /* 50 * 5030 */
    assert_true(json_text_is(json_get(allocatable, "ephemeral-storage"), "251500Gi"));
    assert_true(json_text_is(json_get(capacity, "nvidia.com/gpu"), "4"));
    assert_true(json_text_is(json_get(allocatable, "nvidia.com/gpu"), "4"));
}

static void test_node_stays_ready_when_a_quota_is_used_up(void **state)
{
    struct node_facts facts = usual();
    (void)state;
    assert_true(json_text_is(
        json_get(condition(status_patch(&facts), "ECIQuotaExceeded"), "status"), "False"));
    facts.is_over_quota = true;
    facts.pods_free = 0;
    json root = status_patch(&facts);
    assert_true(json_text_is(json_get(condition(root, "ECIQuotaExceeded"), "status"), "True"));
    assert_true(json_text_is(json_get(condition(root, "Ready"), "status"), "True"));
    assert_true(json_text_is(json_get(condition(root, "MemoryPressure"), "status"), "False"));
    assert_false(json_is_there(json_get(root, "spec"))); /* no taint */
}

/* A new condition is written once after an upgrade; a known one keeps its time. */
static void test_node_conditions_of_an_older_version(void **state)
{
    struct node_facts facts = usual();
    (void)state;
    json root = status_patch(&facts);
    assert_false(node_conditions_differ(&facts, root));
    facts.is_over_quota = true;
    assert_true(node_conditions_differ(&facts, root));
    facts.is_over_quota = false;
    node_keep_times(&facts, root, &arena, 2000000000);
    assert_int_equal(facts.changed_unix_s[NODE_ECI_QUOTA], 1704164645);
    assert_true(node_conditions_differ(&facts, JSON_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_shows_what_is_left),
        cmocka_unit_test(test_node_stays_ready_when_a_quota_is_used_up),
        cmocka_unit_test(test_node_conditions_of_an_older_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
