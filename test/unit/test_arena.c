/* see arena.h */
#include "unit.h"

#include <stdalign.h>

#include "base/arena.h"
#include "base/prng.h"

static char memory[4096 + 1];

static void test_arena_takes_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena arena;
    memset(memory, 0xff, sizeof(memory));
    arena_init(&arena, memory + 1, 4096); /* an odd address on purpose */
    char *last_end = memory;
    for (size_t bytes = 0; bytes < 60; bytes++) {
        char *taken = arena_take(&arena, bytes);
        assert_non_null(taken);
        assert_int_equal((uintptr_t)taken % alignof(max_align_t), 0);
        assert_true(taken >= last_end);
        for (size_t i = 0; i < bytes; i++) {
            assert_int_equal(taken[i], 0);
        }
        memset(taken, 0xff, bytes);
        last_end = taken + bytes;
    }
    assert_true(arena.used <= arena.bytes_max);
    assert_int_equal(arena.peak, arena.used);
}

static void test_arena_full_is_sticky_until_rewind(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, memory, 64);
    size_t mark = arena_mark(&arena);
    assert_non_null(arena_take(&arena, 48));
    size_t used = arena.used;
    assert_null(arena_take(&arena, 100));
    assert_true(arena.has_failed);
    assert_int_equal(arena.used, used); /* nothing is taken */
    arena_rewind(&arena, mark);
    assert_false(arena.has_failed);
    assert_int_equal(arena.used, 0);
    assert_int_equal(arena.peak, used);
    assert_null(arena_take_array(&arena, SIZE_MAX / 2, 3)); /* overflow */
    assert_null(arena_take(&arena, SIZE_MAX));
    assert_true(arena.has_failed);
    arena_clear(&arena);
    assert_non_null(ARENA_ARRAY(&arena, 4, uint32_t));
    assert_non_null(ARENA_NEW(&arena, struct prng));
}

static void test_arena_copies_texts(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, memory, 32);
    assert_text(arena_copy(&arena, S("abc")), "abc");
    assert_string_equal(arena_cstr(&arena, S("defg")), "defg");
    assert_text(arena_fmt(&arena, "%s-%d", "n", 5), "n-5");
    assert_false(arena.has_failed);
    assert_true(str_is_empty(arena_copy(&arena, STR_NONE)));
    assert_false(arena.has_failed);
    assert_null(arena_copy(&arena, S("a text of more than thirty-two bytes")).ptr);
    assert_true(arena.has_failed);
    arena_clear(&arena);
    assert_null(arena_cstr(&arena, S("a text of exactly thirty-two bts")));
    arena_clear(&arena);
    assert_null(arena_fmt(&arena, "%032d", 7).ptr); /* no room for its NUL */
    assert_true(arena.has_failed);
    arena_clear(&arena);
    assert_int_equal(arena_fmt(&arena, "%031d", 7).bytes, 31);
    assert_false(arena.has_failed);
    arena_clear(&arena);
    assert_null(arena_fmt(&arena, "%ls", L"\x110000").ptr); /* no character: not to be printed */
    assert_true(arena.has_failed);
    assert_int_equal(arena.used, 0);
}

static void test_arena_rest_and_keep(void **state)
{
    (void)state;
    struct arena arena;
    size_t room;
    arena_init(&arena, memory, 64);
    (void)arena_copy(&arena, S("x"));
    char *rest = arena_rest(&arena, &room);
    assert_int_equal((uintptr_t)rest % alignof(max_align_t), 0);
    assert_true(room >= 64 - 16 && room < 64);
    memcpy(rest, "whole", 5);
    arena_keep(&arena, 5);
    char *behind = arena_take(&arena, 1);
    assert_true(behind >= rest + 5);
    assert_memory_equal(rest, "whole", 5);
    (void)arena_rest(&arena, &room);
    arena_keep(&arena, room);
    assert_non_null(arena_rest(&arena, &room));
    assert_int_equal(room, 0);
}

static void test_arena_nth_take_fails(void **state)
{
    (void)state;
    struct arena arena;
    /* Five takes of all kinds; each of them fails in turn, and only that one. */
    for (uint64_t nth = 1; nth <= 6; nth++) {
        size_t room;
        arena_init(&arena, memory, sizeof(memory));
        arena_fail_at(nth);
        bool failed[] = {
            arena_take(&arena, 1) == NULL,      arena_copy(&arena, S("a")).ptr == NULL,
            arena_cstr(&arena, S("a")) == NULL, arena_fmt(&arena, "a").ptr == NULL,
            arena_rest(&arena, &room) == NULL,
        };
        for (size_t i = 0; i < COUNT_OF(failed); i++) {
            assert_int_equal(failed[i], i + 1 == nth);
        }
        assert_int_equal(arena.has_failed, nth <= COUNT_OF(failed));
        arena_fail_at(0);
    }
}

static void keep_too_much(void)
{
    struct arena arena;
    arena_init(&arena, memory, 16);
    arena_keep(&arena, 17);
}

static void rewind_forwards(void)
{
    struct arena arena;
    arena_init(&arena, memory, 16);
    arena_rewind(&arena, 1);
}

static void test_arena_checks_its_caller(void **state)
{
    (void)state;
    assert_true(unit_dies(keep_too_much));
    assert_true(unit_dies(rewind_forwards));
}

/* Random takes and rewinds: parts never overlap and never change under each other's writes. */
static void test_arena_parts_do_not_overlap(void **state)
{
    (void)state;
    struct prng prng;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct {
            char *ptr;
            size_t bytes, mark;
        } parts[64];
        size_t count = 0;
        struct arena arena;
        prng_seed(&prng, seed);
        arena_init(&arena, memory, 2048);
        for (int step = 0; step < 300; step++) {
            if (count > 0 && prng_chance(&prng, 1, 4)) {
                count = prng_below(&prng, count);
                arena_rewind(&arena, parts[count].mark);
            }
            size_t mark = arena_mark(&arena);
            size_t bytes = prng_below(&prng, 200);
            char *ptr = count < COUNT_OF(parts) ? arena_take(&arena, bytes) : NULL;
            if (ptr != NULL) {
                memset(ptr, (int)count + 1, bytes);
                parts[count].ptr = ptr;
                parts[count].bytes = bytes;
                parts[count++].mark = mark;
            }
            for (size_t i = 0; i < count; i++) {
                for (size_t j = 0; j < parts[i].bytes; j++) {
                    assert_int_equal(parts[i].ptr[j], i + 1);
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_takes_zeroed_and_aligned),
        cmocka_unit_test(test_arena_full_is_sticky_until_rewind),
        cmocka_unit_test(test_arena_copies_texts),
        cmocka_unit_test(test_arena_rest_and_keep),
        cmocka_unit_test(test_arena_nth_take_fails),
        cmocka_unit_test(test_arena_checks_its_caller),
        cmocka_unit_test(test_arena_parts_do_not_overlap),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
