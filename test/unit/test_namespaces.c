/* The labels of namespaces, as a watch shows them. */
#include "unit.h"

#include "app/namespaces.h"

static struct namespaces all;
static struct profile profile;
static char arena_memory[64 * 1024], region_memory[8 << 20];
static struct arena arena;

static int setup(void **state)
{
    (void)state;
    struct region region;
    memset(region_memory, 0, sizeof region_memory);
    region_init(&region, region_memory + 64 - (uintptr_t)region_memory % 64,
                sizeof region_memory - 64);
    namespaces_init(&all, &region);
    arena_init(&arena, arena_memory, sizeof arena_memory);
    profile_init(&profile);
    return 0;
}

static enum err set(const char *name, const char *labels)
{
    json root;
    assert_int_equal(json_parse(str_of(labels), &arena, &root, NULL), ERR_OK);
    return namespaces_set(&all, &profile, str_of(name), root, &arena);
}

static const char *label(const char *name, const char *key)
{
    static char text[128];
    struct label_set found;
    if (namespaces_labels(&all, str_of(name), &arena, &found) != ERR_OK) {
        return "(unknown)";
    }
    const str *value = label_set_find(found, str_of(key));
    return value == NULL ? "(none)" : str_copy(text, sizeof text, *value) ? text : "(long)";
}

static void test_namespaces_set_and_ask(void **state)
{
    (void)state;
    assert_int_equal(set("web", "{\"a\":\"1\",\"b\":\"\"}"), ERR_OK);
    assert_int_equal(set("plain", "null"), ERR_OK);
    assert_string_equal(label("web", "a"), "1");
    assert_string_equal(label("web", "b"), "");
    assert_string_equal(label("web", "c"), "(none)");
    assert_string_equal(label("plain", "a"), "(none)");
    assert_string_equal(label("other", "a"), "(unknown)");
    assert_int_equal(set("web", "{\"c\":\"2\"}"), ERR_OK);
    assert_string_equal(label("web", "a"), "(none)");
    assert_string_equal(label("web", "c"), "2");
    namespaces_remove(&all, S("web"));
    namespaces_remove(&all, S("web"));
    assert_string_equal(label("web", "c"), "(unknown)");
}

static void test_namespaces_a_list_takes_away_what_it_does_not_show(void **state)
{
    (void)state;
    assert_int_equal(set("a", "{\"k\":\"1\"}"), ERR_OK);
    assert_int_equal(set("b", "{\"k\":\"1\"}"), ERR_OK);
    namespaces_list_begin(&all);
    assert_int_equal(set("b", "{\"k\":\"2\"}"), ERR_OK);
    namespaces_list_end(&all);
    assert_string_equal(label("a", "k"), "(unknown)");
    assert_string_equal(label("b", "k"), "2");
}

static void test_namespaces_limits(void **state)
{
    (void)state;
    char name[80];
    for (unsigned i = 0; i < NAMESPACES_MAX; i++) {
        (void)snprintf(name, sizeof name, "n%u", i);
        assert_int_equal(namespaces_set(&all, &profile, str_of(name), JSON_NONE, &arena), ERR_OK);
    }
    assert_false(all.is_full);
    assert_int_equal(namespaces_set(&all, &profile, S("more"), JSON_NONE, &arena), ERR_FULL);
    assert_true(all.is_full);
    assert_int_equal(namespaces_set(&all, &profile, S("n7"), JSON_NONE, &arena), ERR_OK);
    memset(name, 'x', 64);
    assert_int_equal(namespaces_set(&all, &profile, str_make(name, 64), JSON_NONE, &arena),
                     ERR_INVALID);
    assert_int_equal(namespaces_set(&all, &profile, S(""), JSON_NONE, &arena), ERR_INVALID);
    assert_int_equal(namespaces_set(&all, &profile, S("a\0b"), JSON_NONE, &arena), ERR_INVALID);

    struct label_set found;
    struct arena tiny;
    char text[16];
    arena_init(&tiny, text, sizeof text);
    assert_int_equal(set("n8", "{\"first\":\"1\"}"), ERR_OK);
    assert_int_equal(namespaces_labels(&all, S("n8"), &tiny, &found), ERR_FULL);
    assert_int_equal(namespaces_set(&all, &profile, S("n8"), JSON_NONE, &tiny), ERR_FULL);
}

#define LONG_KEY "k%02u-01234567890123456789012345678901234567890"

/* More than there is room for: what the profile asks for is there, wherever it stands. */
static void test_namespaces_labels_that_are_asked_for_come_first(void **state)
{
    (void)state;
    char text[8192];
    struct buf labels;
    buf_init(&labels, text, sizeof text - 1);
    buf_put_text(&labels, "{\"first\":\"1\"");
    for (unsigned i = 0; i < 20; i++) {
        buf_put_fmt(&labels, ",\"" LONG_KEY "\":\"v\"", i);
    }
    buf_put_text(&labels, ",\"virtual-node-affinity-injection\":\"enabled\"}");
    namespaces_list_begin(&all);
    assert_int_equal(set("a", "{\"few\":\"1\"}"), ERR_OK);
    assert_false(all.is_cut);
    assert_int_equal(set("n8", buf_cstr(&labels)), ERR_OK);
    assert_true(all.is_cut);
    assert_string_equal(label("n8", "first"), "1");
    assert_string_equal(label("n8", "k19-01234567890123456789012345678901234567890"), "(none)");
    assert_string_equal(label("n8", "virtual-node-affinity-injection"), "enabled");
    namespaces_list_begin(&all);
    assert_false(all.is_cut);
}

/* Even then a limit: it is an error, to be told. */
static void test_namespaces_more_labels_asked_for_than_fit(void **state)
{
    (void)state;
    char text[8192];
    struct profile_fault fault;
    struct buf out;
    json root;
    buf_init(&out, text, sizeof text - 1);
    buf_put_text(&out, "{\"selectors\":\"[{\\\"name\\\":\\\"x\\\",\\\"namespaceSelector\\\":"
                       "{\\\"matchLabels\\\":{");
    for (unsigned i = 0; i < 24; i++) {
        buf_put_fmt(&out, "%s\\\"" LONG_KEY "\\\":\\\"v\\\"", i > 0 ? "," : "", i);
    }
    buf_put_text(&out, "}}}]\"}");
    assert_int_equal(json_parse(buf_str(&out), &arena, &root, NULL), ERR_OK);
    assert_int_equal(profile_read(root, &arena, &profile, &fault, NULL), ERR_OK);
    buf_clear(&out);
    for (unsigned i = 0; i < 24; i++) {
        buf_put_fmt(&out, "%s\"" LONG_KEY "\":\"v\"", i > 0 ? "," : "{", i);
    }
    buf_put_text(&out, "}");
    assert_int_equal(set("n8", buf_cstr(&out)), ERR_TOO_BIG);
    assert_string_equal(label("n8", "k00-01234567890123456789012345678901234567890"), "v");
    assert_string_equal(label("n8", "k23-01234567890123456789012345678901234567890"), "(none)");
}

/* A pod was here before its namespace: each is waited for on its own, and not for ever. */
static void test_namespaces_that_may_come(void **state)
{
    (void)state;
    char name[16];
    const msec late_ms = NAMESPACES_LATE_MS;
    assert_true(namespaces_may_come(&all, S("never"), 0));
    assert_true(namespaces_may_come(&all, S("never"), late_ms - 1));
    assert_false(namespaces_may_come(&all, S("never"), late_ms));
    assert_true(namespaces_may_come(&all, S("new"), late_ms));
    assert_false(namespaces_may_come(&all, S("never"), 11 * late_ms));
    assert_true(namespaces_may_come(&all, S("never"), 11 * late_ms + 1)); /* once more */
    assert_false(namespaces_may_come(&all, S("never"), 12 * late_ms + 1));

    assert_true(namespaces_may_come(&all, S("goes"), 20 * late_ms));
    assert_int_equal(set("goes", "{}"), ERR_OK);
    namespaces_remove(&all, S("goes")); /* and is made again, much later */
    assert_true(namespaces_may_come(&all, S("goes"), 25 * late_ms));

    for (int round = 0; round < 3; round++) { /* more than there is room for */
        msec now_ms = (100 + 100 * round) * late_ms;
        for (int i = 0; i < 2 * NAMESPACES_LATE_MAX; i++) {
            (void)snprintf(name, sizeof name, "n%d", i);
            assert_true(namespaces_may_come(&all, str_of(name), now_ms));
        }
        assert_false(namespaces_may_come(&all, S("n0"), now_ms + late_ms));
        assert_true(namespaces_may_come(&all, S("n63"), now_ms + late_ms)); /* its turn */
        assert_false(namespaces_may_come(&all, S("n63"), now_ms + 2 * late_ms));
    }
    all.is_full = true; /* it has been shown, and had no room */
    assert_false(namespaces_may_come(&all, S("more"), 1000 * late_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_namespaces_set_and_ask, setup),
        cmocka_unit_test_setup(test_namespaces_a_list_takes_away_what_it_does_not_show, setup),
        cmocka_unit_test_setup(test_namespaces_limits, setup),
        cmocka_unit_test_setup(test_namespaces_labels_that_are_asked_for_come_first, setup),
        cmocka_unit_test_setup(test_namespaces_more_labels_asked_for_than_fit, setup),
        cmocka_unit_test_setup(test_namespaces_that_may_come, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
