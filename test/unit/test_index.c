/* see index.h */
#include "unit.h"

#include "base/index.h"
#include "base/prng.h"

static struct index make_index(uint32_t count_max)
{
    struct region region = unit_region();
    struct index ix;
    index_init(&ix, &region, "index", count_max);
    return ix;
}

static void test_index_sizes(void **state)
{
    (void)state;
    const uint32_t sizes[][2] = {{0, 32}, {1, 32}, {16, 32}, {17, 64}, {1000, 2048}, {1024, 2048}};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct index ix = make_index(sizes[i][0]);
        assert_int_equal(ix.cells_max, sizes[i][1]);
        assert_int_equal(ix.cells_count, 32);
    }
}

/* It grows with what it holds, up to the largest table, and finds all in each. */
static void test_index_grows(void **state)
{
    (void)state;
    enum { ENTRIES = 1000 };
    struct index ix = make_index(ENTRIES);
    for (uint32_t i = 1; i <= ENTRIES; i++) {
        assert_int_equal(index_add(&ix, i, (handle){i, 1}), ERR_OK);
        assert_true(ix.cells_count >= 2 * i || ix.cells_count == ix.cells_max);
        assert_true(ix.cells_count <= 32 || ix.cells_count < 4 * i);
        for (uint32_t j = 1; j <= i; j += 1 + i / 10) {
            uint32_t at = INDEX_START;
            handle found;
            assert_true(index_find(&ix, j, &at, &found));
            assert_int_equal(found.slot, j);
        }
    }
    assert_int_equal(ix.cells_count, 2048);
    assert_int_equal(index_add(&ix, 7777, (handle){7777, 1}), ERR_FULL);
}

static void test_index_refuses_when_full(void **state)
{
    (void)state;
    struct index ix = make_index(2);
    assert_int_equal(index_add(&ix, 1, (handle){1, 1}), ERR_OK);
    assert_int_equal(index_add(&ix, 1, (handle){2, 1}), ERR_OK);
    assert_int_equal(index_add(&ix, 2, (handle){3, 1}), ERR_FULL);
    assert_true(index_remove(&ix, 1, (handle){1, 1}));
    assert_false(index_remove(&ix, 1, (handle){1, 1}));
    assert_int_equal(index_add(&ix, 2, (handle){3, 1}), ERR_OK);
}

/* How often the pair is found by a walk over its hash; each entry must come once. */
static uint32_t count_found(const struct index *ix, uint64_t hash, handle value)
{
    uint32_t at = INDEX_START, found = 0, steps = 0;
    handle h;
    while (index_find(ix, hash, &at, &h)) {
        found += handle_eq(h, value) ? 1 : 0;
        assert_true(++steps <= ix->count);
    }
    return found;
}

/* Against a list of pairs; few distinct hashes, so that runs of equal and colliding ones arise. */
static void test_index_behaves_like_the_model(void **state)
{
    (void)state;
    enum { ENTRIES = 70 }; /* more than the smallest table takes */
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct {
            uint64_t hash;
            handle value;
            bool is_in;
        } model[ENTRIES];
        struct index ix = make_index(ENTRIES);
        struct prng prng;
        uint32_t count = 0;
        prng_seed(&prng, seed);
        uint64_t hashes = 1 + prng_below(&prng, 60);
        for (uint32_t i = 0; i < ENTRIES; i++) {
            uint64_t hash = prng_below(&prng, hashes);
            model[i].hash = seed % 2 ? hash : str_hash(str_make((char *)&hash, sizeof(hash)));
            model[i].value = (handle){i + 1, 1};
            model[i].is_in = false;
        }
        for (int step = 0; step < 500; step++) {
            uint32_t i = (uint32_t)prng_below(&prng, ENTRIES);
            if (model[i].is_in) {
                assert_true(index_remove(&ix, model[i].hash, model[i].value));
            } else {
                assert_int_equal(index_add(&ix, model[i].hash, model[i].value), ERR_OK);
            }
            model[i].is_in = !model[i].is_in;
            count = model[i].is_in ? count + 1 : count - 1;
            assert_int_equal(ix.count, count);
            for (uint32_t j = 0; j < ENTRIES; j++) {
                assert_int_equal(count_found(&ix, model[j].hash, model[j].value), model[j].is_in);
            }
        }
    }
}

static void add_twice(void)
{
    struct index ix = make_index(4);
    for (int i = 0; i < 2; i++) {
        (void)!index_add(&ix, 9, (handle){1, 1});
    }
}

static void add_none(void)
{
    struct index ix = make_index(4);
    (void)!index_add(&ix, 9, HANDLE_NONE);
}

static void test_index_checks_its_caller(void **state)
{
    (void)state;
    assert_true(unit_dies(add_twice));
    assert_true(unit_dies(add_none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_sizes),
        cmocka_unit_test(test_index_grows),
        cmocka_unit_test(test_index_refuses_when_full),
        cmocka_unit_test(test_index_behaves_like_the_model),
        cmocka_unit_test(test_index_checks_its_caller),
    };
    return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
