/* see os.h */
#include "unit.h"

#include "os/os.h"

static void test_entropy_fills_everything(void **state)
{
    (void)state;
    uint8_t bytes[1000], again[1000];
    uint32_t seen[256] = {0}, kinds = 0;
    os_random(bytes, sizeof(bytes));
    os_random(again, sizeof(again));
    assert_memory_not_equal(bytes, again, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        kinds += seen[bytes[i]]++ == 0 ? 1 : 0;
    }
    assert_true(kinds > 200); /* about 251 of 256 are expected */
    os_random(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entropy_fills_everything),
    };
    return cmocka_run_group_tests_name("entropy", tests, NULL, NULL);
}
