/* see prng.h */
#include "unit.h"

#include "base/prng.h"

/* The reference generators: splitmix64 from seed 0 gives these states; xoshiro256** from the state
 * 1, 2, 3, 4 gives these numbers. */
static void test_prng_is_xoshiro(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 0);
    assert_true(prng.state[0] == 0xe220a8397b1dcdafu);
    assert_true(prng.state[1] == 0x6e789e6aa1b965f4u);
    const uint64_t numbers[] = {11520u, 0u, 1509978240u, 1215971899390074240u};
    prng = (struct prng){{1, 2, 3, 4}};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        assert_true(prng_u64(&prng) == numbers[i]);
    }
}

static void test_prng_same_seed_same_numbers(void **state)
{
    (void)state;
    struct prng a, b, c;
    prng_seed(&a, 7);
    prng_seed(&b, 7);
    prng_seed(&c, 8);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t number = prng_u64(&a);
        assert_true(number == prng_u64(&b));
        differs |= number != prng_u64(&c);
    }
    assert_true(differs);
}

static void test_prng_below_is_even(void **state)
{
    (void)state;
    struct prng prng;
    uint32_t seen[7] = {0};
    prng_seed(&prng, 1);
    for (int i = 0; i < 70000; i++) {
        uint64_t number = prng_below(&prng, 7);
        assert_true(number < 7);
        seen[number]++;
    }
    for (size_t i = 0; i < 7; i++) {
        assert_in_range(seen[i], 9500, 10500);
    }
    assert_int_equal(prng_below(&prng, 1), 0);
    for (int i = 0; i < 100; i++) { /* where most numbers are thrown away */
        assert_true(prng_below(&prng, (1ULL << 63) + 1) <= 1ULL << 63);
    }
}

static void test_prng_chance(void **state)
{
    (void)state;
    struct prng prng;
    uint32_t hits = 0;
    prng_seed(&prng, 1);
    for (int i = 0; i < 10000; i++) {
        hits += prng_chance(&prng, 1, 4) ? 1 : 0;
        assert_false(prng_chance(&prng, 0, 4));
        assert_true(prng_chance(&prng, 4, 4));
    }
    assert_in_range(hits, 2300, 2700);
}

static void ask_below_nothing(void)
{
    struct prng prng = {{1, 2, 3, 4}};
    (void)prng_below(&prng, 0);
}

static void test_prng_checks_its_caller(void **state)
{
    (void)state;
    assert_true(unit_dies(ask_below_nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prng_is_xoshiro),
        cmocka_unit_test(test_prng_same_seed_same_numbers),
        cmocka_unit_test(test_prng_below_is_even),
        cmocka_unit_test(test_prng_chance),
        cmocka_unit_test(test_prng_checks_its_caller),
    };
    return cmocka_run_group_tests_name("prng", tests, NULL, NULL);
}
