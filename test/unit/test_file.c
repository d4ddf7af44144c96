/* see os.h */
#include "unit.h"

#include <stdlib.h>

#include "os/os.h"

static char folder[] = "/tmp/test-file-XXXXXX";
static char memory[65536];

static const char *path_of(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path_of("a"));
    return rmdir(folder);
}

static void test_file_read_goes_behind_what_is_there(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, memory, sizeof(memory));
    unit_put_file(path_of("a"), S("two\n"));
    buf_put(&out, S("before "));
    assert_int_equal(os_file_read(path_of("a"), &out), ERR_OK);
    assert_text(buf_str(&out), "before two\n");
}

static void test_file_read_exactly_full_or_too_big(void **state)
{
    (void)state;
    struct buf out;
    unit_put_file(path_of("a"), S("12345678"));
    buf_init(&out, memory, 8);
    assert_int_equal(os_file_read(path_of("a"), &out), ERR_OK);
    assert_text(buf_str(&out), "12345678");
    buf_init(&out, memory, 7);
    assert_int_equal(os_file_read(path_of("a"), &out), ERR_TOO_BIG);
    assert_int_equal(out.bytes, 0);
    buf_init(&out, memory, 100);
    assert_int_equal(os_file_read("/dev/zero", &out), ERR_TOO_BIG);
}

static void test_file_errors(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, memory, sizeof(memory));
    assert_int_equal(os_file_read(path_of("none"), &out), ERR_NOT_FOUND);
    assert_string_equal(os_errno_text(), "No such file or directory");
    assert_int_equal(os_file_read(folder, &out), ERR_SYSTEM); /* a folder */
}

static void test_file_stamp_changes(void **state)
{
    (void)state;
    assert_int_equal(os_file_stamp(path_of("none")), 0);
    unit_put_file(path_of("a"), S("same size"));
    uint64_t first = os_file_stamp(path_of("a"));
    assert_true(first != 0);
    assert_true(os_file_stamp(path_of("a")) == first);
    unit_put_file(path_of("a"), S("SAME SIZE"));
    assert_true(os_file_stamp(path_of("a")) != first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_read_goes_behind_what_is_there),
        cmocka_unit_test(test_file_read_exactly_full_or_too_big),
        cmocka_unit_test(test_file_errors),
        cmocka_unit_test(test_file_stamp_changes),
    };
    return cmocka_run_group_tests_name("file", tests, make_folder, remove_folder);
}
