/* see os.h */
#include "unit.h"

#include <stdlib.h>
#include <sys/stat.h>

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
    (void)rmdir(path_of("b"));
    return rmdir(folder);
}

static void test_file_replace_then_read(void **state)
{
    (void)state;
    struct buf out;
    struct stat info;
    buf_init(&out, memory, sizeof(memory));
    assert_int_equal(os_file_replace(path_of("a"), S("one\n"), 0640), ERR_OK);
    assert_int_equal(os_file_replace(path_of("a"), S("two\n"), 0602), ERR_OK);
    assert_int_equal(stat(path_of("a"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0602); /* whatever the umask */
    buf_put(&out, S("before "));
    assert_int_equal(os_file_read(path_of("a"), &out), ERR_OK);
    assert_text(buf_str(&out), "before two\n");
    assert_int_equal(access(path_of("a.new"), F_OK), -1);
}

static void test_file_replace_does_not_write_through_a_link(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, memory, sizeof(memory));
    char planted[256];
    (void)snprintf(planted, sizeof(planted), "%s/a.new", folder);
    assert_int_equal(symlink("/dev/full", planted), 0);
    assert_int_equal(os_file_replace(path_of("a"), S("three"), 0600), ERR_OK);
    assert_int_equal(os_file_read(path_of("a"), &out), ERR_OK);
    assert_text(buf_str(&out), "three");
}

static void test_file_read_exactly_full_or_too_big(void **state)
{
    (void)state;
    struct buf out;
    assert_int_equal(os_file_replace(path_of("a"), S("12345678"), 0600), ERR_OK);
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
    char long_path[8192];
    buf_init(&out, memory, sizeof(memory));
    assert_int_equal(os_file_read(path_of("none"), &out), ERR_NOT_FOUND);
    assert_string_equal(os_errno_text(), "No such file or directory");
    assert_int_equal(os_file_read(folder, &out), ERR_SYSTEM); /* a folder */
    assert_int_equal(os_file_replace(path_of("none/a"), S("x"), 0600), ERR_NOT_FOUND);
    assert_int_equal(mkdir(path_of("b"), 0700), 0);
    assert_int_equal(os_file_replace(path_of("b"), S("x"), 0600), ERR_SYSTEM);
    assert_int_equal(access(path_of("b.new"), F_OK), -1); /* nothing is left behind */
    memset(long_path, 'a', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(os_file_replace(long_path, S("x"), 0600), ERR_TOO_BIG);
}

static void test_file_stamp_changes(void **state)
{
    (void)state;
    assert_int_equal(os_file_stamp(path_of("none")), 0);
    assert_int_equal(os_file_replace(path_of("a"), S("same size"), 0600), ERR_OK);
    uint64_t first = os_file_stamp(path_of("a"));
    assert_true(first != 0);
    assert_true(os_file_stamp(path_of("a")) == first);
    assert_int_equal(os_file_replace(path_of("a"), S("SAME SIZE"), 0600), ERR_OK);
    assert_true(os_file_stamp(path_of("a")) != first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_replace_then_read),
        cmocka_unit_test(test_file_replace_does_not_write_through_a_link),
        cmocka_unit_test(test_file_read_exactly_full_or_too_big),
        cmocka_unit_test(test_file_errors),
        cmocka_unit_test(test_file_stamp_changes),
    };
    return cmocka_run_group_tests_name("file", tests, make_folder, remove_folder);
}
