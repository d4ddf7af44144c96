/* see heap_blocks.h */
#include "unit.h"

#include "base/prng.h"
#include "os/heap_blocks.h"

#define RANGE_BYTES (1u << 20)

static _Alignas(64) char range[RANGE_BYTES];
static struct blocks blocks;

static void start(size_t usable)
{
    memset(range, 0xA5, sizeof(range)); /* nothing relies on zeroed memory */
    blocks_init(&blocks, range);
    if (usable > 0) {
        blocks_extend(&blocks, usable);
    }
}

static void test_heap_blocks_takes_and_gives(void **state)
{
    (void)state;
    start(4096);
    char *a = blocks_take(&blocks, 1, 16);
    char *b = blocks_take(&blocks, 100, 16);
    assert_true(a != NULL && b != NULL && b > a);
    assert_int_equal((uintptr_t)a % 16 | (uintptr_t)b % 16, 0);
    assert_true(blocks_bytes_at(&blocks, a) >= 1);
    assert_true(blocks_bytes_at(&blocks, b) >= 100);
    assert_int_equal(blocks.bytes_used, blocks_cost(1) + blocks_cost(100));
    blocks_verify(&blocks);
    (void)blocks_give(&blocks, a);
    (void)blocks_give(&blocks, b);
    assert_int_equal(blocks.bytes_used, 0);
    blocks_verify(&blocks);
    assert_non_null(blocks_take(&blocks, 3800, 16)); /* joined again */
}

static void test_heap_blocks_full_then_extended(void **state)
{
    (void)state;
    start(0);
    assert_null(blocks_take(&blocks, 1, 16));
    blocks_extend(&blocks, 1024);
    assert_null(blocks_take(&blocks, 2000, 16));
    blocks_extend(&blocks, 4096);
    assert_non_null(blocks_take(&blocks, 4000, 16)); /* across the old end */
    blocks_verify(&blocks);
    assert_null(blocks_take(&blocks, SIZE_MAX, 16));
    assert_null(blocks_take(&blocks, SIZE_MAX - 20, 16));
    assert_null(blocks_take(&blocks, 1, (size_t)1 << 40));
    assert_true(blocks_cost(SIZE_MAX) == SIZE_MAX);
}

static void test_heap_blocks_resize_in_place(void **state)
{
    (void)state;
    start(65536);
    char *a = blocks_take(&blocks, 1000, 16);
    char *b = blocks_take(&blocks, 1000, 16);
    assert_true(blocks_resize(&blocks, b, 2000));  /* the rest of the range is behind */
    assert_false(blocks_resize(&blocks, a, 2000)); /* b is behind */
    assert_true(blocks_resize(&blocks, a, 10));
    assert_true(blocks_bytes_at(&blocks, a) < 100);
    assert_true(blocks_resize(&blocks, a, 1000));
    assert_false(blocks_resize(&blocks, a, SIZE_MAX));
    blocks_verify(&blocks);
    (void)blocks_give(&blocks, b);
    assert_true(blocks_resize(&blocks, a, 60000));
    blocks_verify(&blocks);
}

static void test_heap_blocks_tells_what_is_idle(void **state)
{
    (void)state;
    start(RANGE_BYTES);
    char *small = blocks_take(&blocks, 1000, 16);
    char *wall = blocks_take(&blocks, 16, 16);
    char *large = blocks_take(&blocks, 200000, 16);
    struct blocks_idle idle = blocks_give(&blocks, small);
    assert_int_equal(idle.bytes, 0);
    idle = blocks_give(&blocks, large);
    assert_true(idle.bytes >= 200000);
    assert_true((char *)idle.ptr >= large && (char *)idle.ptr + idle.bytes <= range + RANGE_BYTES);
    memset(idle.ptr, 0, idle.bytes); /* what the kernel would do: no book-keeping in there */
    blocks_verify(&blocks);
    large = blocks_take(&blocks, 1000, 16);
    idle = blocks_give(&blocks, large);
    assert_int_equal(idle.bytes, 0); /* only 1000 bytes of it were used since */
    (void)blocks_give(&blocks, wall);
}

/* Against a list of what was handed out: filled with a pattern, which nothing else may touch. */
static void test_heap_blocks_behaves_like_the_model(void **state)
{
    (void)state;
    enum { ITEMS = 60 };
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct {
            unsigned char *ptr;
            size_t bytes;
        } items[ITEMS] = {{0}};
        struct prng prng;
        prng_seed(&prng, seed);
        start(64 * 1024);
        for (int step = 0; step < 1500; step++) {
            size_t i = prng_below(&prng, ITEMS);
            size_t bytes = prng_below(&prng, 1ULL << prng_below(&prng, 16));
            size_t kept = 0;
            for (size_t at = 0; items[i].ptr != NULL && at < items[i].bytes; at++) {
                assert_int_equal(items[i].ptr[at], i + 1);
            }
            if (items[i].ptr == NULL) {
                size_t alignment = (size_t)16 << prng_below(&prng, seed % 2 ? 9 : 1);
                items[i].ptr = blocks_take(&blocks, bytes, alignment);
                assert_int_equal((uintptr_t)items[i].ptr % alignment, 0);
            } else if (prng_chance(&prng, 1, 3)) {
                if (!blocks_resize(&blocks, items[i].ptr, bytes)) {
                    continue;
                }
                kept = bytes < items[i].bytes ? bytes : items[i].bytes;
            } else {
                struct blocks_idle idle = blocks_give(&blocks, items[i].ptr);
                if (idle.bytes > 0) {
                    memset(idle.ptr, 0, idle.bytes);
                }
                items[i].ptr = NULL;
            }
            if (items[i].ptr != NULL) {
                assert_true(blocks_bytes_at(&blocks, items[i].ptr) >= bytes);
                for (size_t at = 0; at < kept; at++) {
                    assert_int_equal(items[i].ptr[at], i + 1);
                }
                memset(items[i].ptr, (int)i + 1, bytes);
                items[i].bytes = bytes;
            }
            if (step % 100 == 0 && blocks.end < RANGE_BYTES) {
                blocks_extend(&blocks, 32 * 1024);
            }
            if (step % 16 == 0) {
                blocks_verify(&blocks);
            }
        }
        for (size_t i = 0; i < ITEMS; i++) {
            if (items[i].ptr != NULL) {
                (void)blocks_give(&blocks, items[i].ptr);
            }
        }
        blocks_verify(&blocks);
        assert_int_equal(blocks.bytes_used, 0);
        /* One free block: the whole range can be had in one piece, but for class rounding. */
        assert_non_null(blocks_take(&blocks, blocks.end - blocks.end / 16 - 64, 16));
    }
}

static void give_twice(void)
{
    start(4096);
    void *a = blocks_take(&blocks, 100, 16);
    (void)blocks_take(&blocks, 100, 16);
    (void)blocks_give(&blocks, a);
    (void)blocks_give(&blocks, a);
}

static void give_twice_after_joining(void)
{
    start(4096);
    void *a = blocks_take(&blocks, 100, 16);
    void *b = blocks_take(&blocks, 100, 16);
    (void)blocks_give(&blocks, a);
    (void)blocks_give(&blocks, b); /* joined with a: its header is inside of that now */
    (void)blocks_give(&blocks, a);
}

static void give_the_middle(void)
{
    start(4096);
    char *a = blocks_take(&blocks, 100, 16);
    (void)blocks_give(&blocks, a + 16);
}

static void give_a_stranger(void)
{
    static _Alignas(16) char elsewhere[64];
    start(4096);
    (void)blocks_give(&blocks, elsewhere + 32);
}

static void write_behind_the_end(void)
{
    start(4096);
    char *a = blocks_take(&blocks, 100, 16);
    char *b = blocks_take(&blocks, 100, 16);
    memset(a, 0, blocks_bytes_at(&blocks, a) + 1);
    (void)blocks_give(&blocks, a);
    (void)b;
}

static void write_before_the_start(void)
{
    start(4096);
    char *a = blocks_take(&blocks, 100, 16);
    a[-1] = 0;
    (void)blocks_give(&blocks, a);
}

static void test_heap_blocks_checks_its_caller(void **state)
{
    (void)state;
    void (*wrongs[])(void) = {
        give_twice,      give_twice_after_joining, give_the_middle,
        give_a_stranger, write_behind_the_end,     write_before_the_start,
    };
    for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
        assert_true(unit_dies(wrongs[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_blocks_takes_and_gives),
        cmocka_unit_test(test_heap_blocks_full_then_extended),
        cmocka_unit_test(test_heap_blocks_resize_in_place),
        cmocka_unit_test(test_heap_blocks_tells_what_is_idle),
        cmocka_unit_test(test_heap_blocks_behaves_like_the_model),
        cmocka_unit_test(test_heap_blocks_checks_its_caller),
    };
    return cmocka_run_group_tests_name("heap_blocks", tests, NULL, NULL);
}
