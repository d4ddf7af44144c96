/* see region.h */
#include "unit.h"

static void carve_parts(struct region *region, void *parts[3])
{
    parts[0] = region_carve(region, "one", 10, 7);
    parts[1] = region_carve(region, "two", 1, 1);
    parts[2] = region_carve(region, "none", 0, 8);
}

static void test_region_plans_what_it_carves(void **state)
{
    (void)state;
    struct region plan;
    void *parts[3];
    region_init(&plan, NULL, 0);
    carve_parts(&plan, parts);
    assert_null(parts[0]);
    assert_null(parts[1]);
    assert_int_equal(plan.used, 128 + 64);

    struct region region = unit_region();
    char *memory = region.ptr;
    region_init(&region, memory, plan.used);
    carve_parts(&region, parts);
    assert_ptr_equal(parts[0], memory);
    assert_ptr_equal(parts[1], memory + 128);
    assert_int_equal((uintptr_t)parts[1] % 64, 0);
    assert_int_equal(region.used, plan.used);
    assert_int_equal(region.rows_count, 3);
}

static void test_region_prints_the_budget(void **state)
{
    (void)state;
    struct region region;
    char memory[1024];
    struct buf out;
    region_init(&region, NULL, 0);
    (void)region_carve(&region, "pods", 1000, 96);
    buf_init(&out, memory, sizeof(memory));
    region_print(&region, &out);
    assert_true(buf_ok(&out));
    assert_true(str_find(buf_str(&out), S("pods ")) >= 0);
    assert_true(str_find(buf_str(&out), S(" 1000         96        96000\n")) >= 0);
    assert_true(str_find(buf_str(&out), S("all ")) >= 0);
}

static void carve_too_much(void)
{
    struct region region = unit_region();
    (void)region_carve(&region, "large", UNIT_MEMORY_BYTES / 64 + 1, 64);
}

static void carve_overflowing(void)
{
    struct region region;
    region_init(&region, NULL, 0);
    (void)region_carve(&region, "huge", SIZE_MAX / 2, 3);
}

static void carve_after_seal(void)
{
    struct region region = unit_region();
    region_seal(&region);
    (void)region_carve(&region, "late", 1, 1);
}

static void carve_too_many(void)
{
    struct region region = unit_region();
    for (int i = 0; i <= REGION_ROWS_MAX; i++) {
        (void)region_carve(&region, "row", 1, 1);
    }
}

static void seal_twice(void)
{
    struct region region = unit_region();
    region_seal(&region);
    region_seal(&region);
}

static void test_region_checks_its_caller(void **state)
{
    (void)state;
    assert_true(unit_dies(carve_too_much));
    assert_true(unit_dies(carve_overflowing));
    assert_true(unit_dies(carve_after_seal));
    assert_true(unit_dies(carve_too_many));
    assert_true(unit_dies(seal_twice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_region_plans_what_it_carves),
        cmocka_unit_test(test_region_prints_the_budget),
        cmocka_unit_test(test_region_checks_its_caller),
    };
    return cmocka_run_group_tests_name("region", tests, NULL, NULL);
}
