/* Quantities, sums and sizes: resource.Quantity's grammar, the tables and examples of eci-api 4. */
#include "table/spec_case.h"

#include "spec/quantity.h"
#include "spec/sizing.h"

static const struct quantity_case {
    const char *text;
    enum err err;
    int64_t milli;
} quantity_cases[] = {
    {"0", ERR_OK, 0},
    {"1", ERR_OK, 1000},
    {"2", ERR_OK, 2000},
    {"500m", ERR_OK, 500},
    {"0.5", ERR_OK, 500},
    {".5", ERR_OK, 500},
    {"5.", ERR_OK, 5000},
    {"1.25", ERR_OK, 1250},
    {"+1", ERR_OK, 1000},
    {"-1", ERR_OK, -1000},
    {"-0", ERR_OK, 0},
    {"00012", ERR_OK, 12000},
    {"1n", ERR_OK, 1}, /* finer than a thousandth: away from zero */
    {"-1n", ERR_OK, -1},
    {"1u", ERR_OK, 1},
    {"1000u", ERR_OK, 1},
    {"1001u", ERR_OK, 2},
    {"0.0001", ERR_OK, 1},
    {"1.0001", ERR_OK, 1001},
    {"0.1m", ERR_OK, 1},
    {"0n", ERR_OK, 0},
    {"1k", ERR_OK, 1000000},
    {"1M", ERR_OK, 1000000000},
    {"1G", ERR_OK, 1000000000000},
    {"1T", ERR_OK, 1000000000000000},
    {"1P", ERR_OK, 1000000000000000000},
    {"9P", ERR_OK, 9000000000000000000},
    {"1Ki", ERR_OK, 1024000},
    {"1Mi", ERR_OK, 1048576000},
    {"512Mi", ERR_OK, 536870912000},
    {"1Gi", ERR_OK, 1073741824000},
    {"1.5Gi", ERR_OK, 1610612736000},
    {"0.1Ki", ERR_OK, 102400},
    {"0.3Gi", ERR_OK, 322122547200},
    {"1Ti", ERR_OK, 1099511627776000},
    {"8Pi", ERR_OK, 9007199254740992000},
    {"0.001Ei", ERR_OK, 1152921504606846976},
    {"1e3", ERR_OK, 1000000},
    {"1E3", ERR_OK, 1000000},
    {"1e+3", ERR_OK, 1000000},
    {"1e-3", ERR_OK, 1},
    {"1.5e1", ERR_OK, 15000},
    {"0e999999", ERR_OK, 0},
    {"1e-999999", ERR_OK, 1},
    {"0E", ERR_OK, 0},
    {"9223372036854775.807", ERR_OK, INT64_MAX},
    {"-9223372036854775.807", ERR_OK, -INT64_MAX},
    {"0.000000000000000000000000000000000000000000000001", ERR_OK, 1},
    {"1.000000000000000000000000000000000000000000000000", ERR_OK, 1000},
    {"123456789.123456789123456789123456789", ERR_OK, 123456789124},
    {"4294967295.999999999", ERR_OK, 4294967296000},
    {"100000000000000000000000000000000000e-33", ERR_OK, 100000},
    {"9223372036854775.808", ERR_TOO_BIG, 0},
    {"9223372036854775.8071", ERR_TOO_BIG, 0},
    {"9Pi", ERR_TOO_BIG, 0}, /* 9 * 2^50 * 1000 > 2^63 */
    {"1E", ERR_TOO_BIG, 0},
    {"1Ei", ERR_TOO_BIG, 0},
    {"10P", ERR_TOO_BIG, 0},
    {"1e30", ERR_TOO_BIG, 0},
    {"1e999999999", ERR_TOO_BIG, 0},
    {"99999999999999999999999999999999999999999999", ERR_TOO_BIG, 0},
    {"", ERR_BAD_INPUT, 0},
    {" ", ERR_BAD_INPUT, 0},
    {"1 ", ERR_BAD_INPUT, 0},
    {" 1", ERR_BAD_INPUT, 0},
    {".", ERR_BAD_INPUT, 0},
    {"+", ERR_BAD_INPUT, 0},
    {"-", ERR_BAD_INPUT, 0},
    {"m", ERR_BAD_INPUT, 0},
    {"Gi", ERR_BAD_INPUT, 0},
    {"1mm", ERR_BAD_INPUT, 0},
    {"1g", ERR_BAD_INPUT, 0},
    {"1K", ERR_BAD_INPUT, 0},
    {"1ki", ERR_BAD_INPUT, 0},
    {"1GiB", ERR_BAD_INPUT, 0},
    {"1GB", ERR_BAD_INPUT, 0},
    {"1e", ERR_BAD_INPUT, 0},
    {"1e+", ERR_BAD_INPUT, 0},
    {"1e+-3", ERR_BAD_INPUT, 0},
    {"1e++3", ERR_BAD_INPUT, 0},
    {"1e1.5", ERR_BAD_INPUT, 0},
    {"1e3m", ERR_BAD_INPUT, 0},
    {"1..5", ERR_BAD_INPUT, 0},
    {"1.2.3", ERR_BAD_INPUT, 0},
    {"--1", ERR_BAD_INPUT, 0},
    {"0x10", ERR_BAD_INPUT, 0},
    {"1,5", ERR_BAD_INPUT, 0},
    {"one", ERR_BAD_INPUT, 0},
};

static void test_quantity_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof quantity_cases / sizeof quantity_cases[0]; i++) {
        const struct quantity_case *row = &quantity_cases[i];
        int64_t milli = -77;
        enum err err = quantity_parse_milli(str_of(row->text), &milli);

        if (err != row->err || milli != (err == ERR_OK ? row->milli : -77)) {
            fail_msg("\"%s\": %s %lld", row->text, err_name(err), (long long)milli);
        }
    }
}

/* cpu in thousandths, memory in MiB, so that 0.5 GiB can be written */
static const struct round_case {
    const char *region;
    int64_t cpu_milli, memory_mib;
    enum err err;
    int64_t out_cpu_milli, out_memory_mib;
} round_cases[] = {
#define G(gib) ((int64_t)((gib)*1024))
    /* published examples (4.2), a region with the extra pairs */
    {"cn-hangzhou", 7000, G(13), ERR_OK, 8000, G(14)},
    {"cn-hangzhou", 4250, G(8.5), ERR_OK, 6000, G(10)},
    {"cn-hangzhou", 3000, G(6), ERR_OK, 4000, G(6)},
    /* the same where they are not sold */
    {"cn-hongkong", 7000, G(13), ERR_OK, 8000, G(16)},
    {"cn-hongkong", 4250, G(8.5), ERR_OK, 8000, G(16)},
    {"cn-hongkong", 3000, G(6), ERR_OK, 4000, G(8)},
    {"", 3000, G(6), ERR_OK, 4000, G(8)},
    {"cn-hangzhou-x", 3000, G(6), ERR_OK, 4000, G(8)},
    /* 4.3 */
    {"cn-hangzhou", 0, 0, ERR_OK, 2000, G(4)},
    {"cn-hangzhou", 4000, G(8), ERR_OK, 4000, G(8)},
    /* pairs that are sold stay; the least more is the next pair */
    {"cn-hangzhou", 250, G(0.5), ERR_OK, 250, G(0.5)},
    {"cn-hangzhou", 250, G(0.5) + 1, ERR_OK, 250, G(1)},
    {"cn-hangzhou", 250, G(1) + 1, ERR_OK, 500, G(2)},
    {"cn-hangzhou", 251, G(0.5), ERR_OK, 500, G(1)},
    {"cn-hangzhou", 1, 1, ERR_OK, 250, G(0.5)},
    {"cn-hangzhou", 500, G(2), ERR_OK, 500, G(2)},
    {"cn-hangzhou", 500, G(3), ERR_OK, 1000, G(4)},
    {"cn-hangzhou", 1000, G(8), ERR_OK, 1000, G(8)},
    {"cn-hangzhou", 1000, G(9), ERR_OK, 2000, G(10)},
    {"cn-hongkong", 1000, G(9), ERR_OK, 2000, G(16)},
    {"cn-hangzhou", 2000, G(1), ERR_OK, 2000, G(1)},
    {"cn-hangzhou", 2000, G(5), ERR_OK, 2000, G(6)},
    {"cn-hangzhou", 2000, G(14), ERR_OK, 2000, G(14)},
    {"cn-hangzhou", 2000, G(15), ERR_OK, 2000, G(16)},
    {"cn-hangzhou", 4000, G(17), ERR_OK, 4000, G(18)},
    {"cn-hangzhou", 4000, G(31), ERR_OK, 4000, G(32)},
    {"cn-hangzhou", 5000, G(2), ERR_OK, 6000, G(6)},
    {"cn-hangzhou", 6000, G(48), ERR_OK, 6000, G(48)},
    {"cn-hangzhou", 6000, G(49), ERR_OK, 8000, G(50)},
    {"cn-hongkong", 5000, G(2), ERR_OK, 8000, G(4)},
    {"cn-hangzhou", 8000, G(62), ERR_OK, 8000, G(62)},
    {"cn-hangzhou", 8000, G(63), ERR_OK, 8000, G(64)},
    {"cn-hangzhou", 9000, G(1), ERR_OK, 12000, G(12)},
    {"cn-hangzhou", 12000, G(97), ERR_OK, 16000, G(128)},
    {"cn-hangzhou", 17000, G(20), ERR_OK, 24000, G(24)},
    {"cn-hangzhou", 33000, G(20), ERR_OK, 52000, G(96)},
    {"cn-hangzhou", 53000, G(20), ERR_OK, 64000, G(128)},
    {"cn-hangzhou", 1000, G(400), ERR_OK, 64000, G(512)},
    {"cn-hangzhou", 64000, G(512), ERR_OK, 64000, G(512)},
    /* one of the two is missing and counts as 0 */
    {"cn-hangzhou", 2000, 0, ERR_OK, 2000, G(1)},
    {"cn-hangzhou", 0, G(16), ERR_OK, 2000, G(16)},
    /* too large, and nonsense */
    {"cn-hangzhou", 64001, G(1), ERR_TOO_BIG, 0, 0},
    {"cn-hangzhou", 1000, G(512) + 1, ERR_TOO_BIG, 0, 0},
    {"cn-hangzhou", INT64_MAX, G(1), ERR_TOO_BIG, 0, 0},
    {"cn-hangzhou", -1, G(1), ERR_BAD_INPUT, 0, 0},
    {"cn-hangzhou", 1, -1, ERR_BAD_INPUT, 0, 0},
};

static void test_round_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof round_cases / sizeof round_cases[0]; i++) {
        const struct round_case *row = &round_cases[i];
        struct sizing out = {0};
        struct sizing wanted = {row->cpu_milli, row->memory_mib * (1 << 20)};
        enum err err = sizing_round(wanted, str_of(row->region), &out);

        if (err != row->err || out.cpu_milli != row->out_cpu_milli ||
            out.memory_bytes != row->out_memory_mib * (1 << 20)) {
            fail_msg("row %zu: %s %lld/%lld", i, err_name(err), (long long)out.cpu_milli,
                     (long long)(out.memory_bytes >> 20));
        }
    }
}

/* Whatever fits is enough for what was asked, and asking for the answer gives the answer. */
static void test_round_is_enough_and_stable(void **state)
{
    static const char *const regions[] = {"cn-hangzhou", "us-west-1"};

    (void)state;
    for (size_t r = 0; r < 2; r++) {
        for (int64_t cpu = 0; cpu <= 64000; cpu += 250) {
            for (int64_t mib = 0; mib <= 512 * 1024; mib += 3 * 512) {
                struct sizing out = {0}, again = {0};
                struct sizing wanted = {cpu, mib << 20};
                assert_int_equal(sizing_round(wanted, str_of(regions[r]), &out), ERR_OK);
                assert_true(out.cpu_milli >= cpu && out.memory_bytes >= mib << 20);
                assert_int_equal(sizing_round(out, str_of(regions[r]), &again), ERR_OK);
                assert_memory_equal(&out, &again, sizeof out);
            }
        }
    }
}

static void test_sum(void **state)
{
    struct sizing_sum sum = {0};

    (void)state;
    sizing_add_app(&sum, (struct sizing){1000, 10});
    sizing_add_app(&sum, (struct sizing){500, 20});
    sizing_add_init(&sum, (struct sizing){1200, 25});
    sizing_add_init(&sum, (struct sizing){300, 40});
    assert_int_equal(sizing_total(&sum).cpu_milli, 1500);  /* the apps are more */
    assert_int_equal(sizing_total(&sum).memory_bytes, 40); /* the init container is more */
    sizing_add_app(&sum, (struct sizing){INT64_MAX, INT64_MAX});
    sizing_add_app(&sum, (struct sizing){INT64_MAX, INT64_MAX});
    assert_int_equal(sizing_total(&sum).cpu_milli, INT64_MAX);
}

static void test_texts(void **state)
{
    static const struct {
        int64_t milli;
        const char *text;
    } cpus[] = {{0, "0"},       {1, "0.001"}, {250, "0.25"}, {500, "0.5"},    {1000, "1"},
                {1250, "1.25"}, {2000, "2"},  {64000, "64"}, {10010, "10.01"}};
    static const struct {
        int64_t bytes;
        const char *text;
    } gibs[] = {{0, "0"},
                {1, "0.000001"},
                {536870912, "0.5"},
                {1073741824, "1"},
                {1342177280, "1.25"},
                {104857600, "0.097656"},  /* 100Mi: cut, not rounded up */
                {1073741823, "0.999999"}, /* never more than there is */
                {(int64_t)512 << 30, "512"},
                {INT64_MAX, "8589934591.999999"}};
    struct arena arena;
    struct spec_verdict verdict;

    (void)state;
    case_begin(&arena, &verdict);
    for (size_t i = 0; i < sizeof cpus / sizeof cpus[0]; i++) {
        assert_true(str_eq(sizing_cpu_text(&arena, cpus[i].milli), str_of(cpus[i].text)));
    }
    for (size_t i = 0; i < sizeof gibs / sizeof gibs[0]; i++) {
        assert_true(str_eq(sizing_gib_text(&arena, gibs[i].bytes), str_of(gibs[i].text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantity_table), cmocka_unit_test(test_round_table),
        cmocka_unit_test(test_round_is_enough_and_stable), cmocka_unit_test(test_sum),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
