/* data/prom_write: heads, values, labels that try to break out. */
#include "data/prom_write.h"
#include "unit.h"

static void test_prom_write(void **state)
{
    (void)state;
    char memory[512];
    struct buf out;
    const struct prom_label labels[] = {{"pod", S("a\"b\\c\nd")}, {"container", S("main")}};
    buf_init(&out, memory, sizeof memory);
    prom_head(&out, "x_total", "counter", "What x is.");
    prom_put(&out, "x_total", NULL, 0, 18446744073709551615u, 0);
    prom_put(&out, "x_total", labels, 2, 7, 1704164645000);
    prom_put_ns(&out, "y_seconds", labels + 1, 1, 1000000001, 0);
    assert_text(buf_str(&out),
                "# HELP x_total What x is.\n# TYPE x_total counter\n"
                "x_total 18446744073709551615\n"
                "x_total{pod=\"a\\\"b\\\\c\\nd\",container=\"main\"} 7 1704164645000\n"
                "y_seconds{container=\"main\"} 1.000000001\n");
}

static void test_prom_write_full_is_sticky(void **state)
{
    (void)state;
    char memory[8];
    struct buf out;
    buf_init(&out, memory, sizeof memory);
    prom_put(&out, "much_too_long", NULL, 0, 1, 0);
    assert_false(buf_ok(&out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prom_write),
        cmocka_unit_test(test_prom_write_full_is_sticky),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
