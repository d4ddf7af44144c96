/* see os.h */
#include "unit.h"

#include "os/os.h"

static void test_map_gives_zeroed_memory(void **state)
{
    (void)state;
    char *memory = os_map(10000000);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 4096, 0);
    assert_int_equal(memory[0] | memory[5000000] | memory[9999999], 0);
    assert_null(os_map(SIZE_MAX / 2));
}

static void test_map_release_pages_clears_exactly_the_range(void **state)
{
    (void)state;
    enum { BYTES = 5 * 4096 };
    const size_t ranges[][2] = {{0, BYTES},  {1, BYTES - 2}, {4096, 4096}, {100, 200},
                                {4000, 200}, {4000, 4200},   {4095, 2},    {0, 0},
                                {4096, 0},   {8191, 4098},   {0, 4095},    {4097, 4096}};
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        char *memory = os_map(BYTES);
        size_t from = ranges[i][0], bytes = ranges[i][1];
        memset(memory, 7, BYTES);
        os_map_release_pages(memory + from, bytes);
        for (size_t at = 0; at < BYTES; at++) {
            assert_int_equal(memory[at], at >= from && at < from + bytes ? 0 : 7);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_gives_zeroed_memory),
        cmocka_unit_test(test_map_release_pages_clears_exactly_the_range),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
