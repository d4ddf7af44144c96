/* see os.h */
#include "unit.h"

#include <fcntl.h>

#include "os/os.h"

static void test_usage_resident_follows_use(void **state)
{
    (void)state;
    enum { BYTES = 16 << 20 };
    char *memory = os_map(BYTES);
    size_t before = os_resident_bytes();
    assert_true(before > 100000);
    memset(memory, 1, BYTES);
    size_t with = os_resident_bytes();
    assert_in_range(with - before, BYTES / 2, 2 * BYTES);
    os_map_release_pages(memory, BYTES);
    assert_true(os_resident_bytes() < with - BYTES / 2);
}

static void test_usage_cpu_grows_with_work(void **state)
{
    (void)state;
    uint64_t before = os_cpu_us();
    volatile uint64_t sum = 0;
    for (uint64_t i = 0; i < 3000000; i++) {
        sum = sum + i;
    }
    assert_true(os_cpu_us() > before + 100);
}

static void test_usage_descriptors(void **state)
{
    (void)state;
    int fds[100];
    uint32_t before = os_descriptors_open();
    assert_true(before >= 2 && before < 100);
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(fds[i] >= 0);
    }
    assert_int_equal(os_descriptors_open(), before + COUNT_OF(fds));
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        (void)close(fds[i]);
    }
    assert_int_equal(os_descriptors_open(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage_resident_follows_use),
        cmocka_unit_test(test_usage_cpu_grows_with_work),
        cmocka_unit_test(test_usage_descriptors),
    };
    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
