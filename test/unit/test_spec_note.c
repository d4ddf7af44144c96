/* The note on a pod: written with each status, believed only on the pod it was made for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "spec/pod_note.h"

static char memory[64 * 1024];

static struct pod_note read_note(const char *text)
{
    struct arena arena;
    json pod;
    struct pod_note note;
    arena_init(&arena, memory, sizeof memory);
    assert_int_equal(json_parse(str_of(text), &arena, &pod, NULL), ERR_OK);
    pod_note_read(pod, &arena, &note);
    return note;
}

#define POD(note) "{\"metadata\":{\"uid\":\"u-1\",\"annotations\":{\"ecilet/instance\":" note "}}}"

static void test_pod_note_is_believed_on_its_own_pod_only(void **state)
{
    (void)state;
    struct pod_note note = read_note(POD("\"u-1/3/eci-abc\""));
    assert_true(str_eq(note.instance_id, S("eci-abc")));
    assert_int_equal(note.attempt, 3);
    static const char *const nothing[] = {
        POD("\"u-2/3/eci-abc\""), POD("\"u-1/0/eci-abc\""),  POD("\"u-1/x/eci-abc\""),
        POD("\"u-1/3/\""),        POD("\"u-1/3\""),          POD("\"u-1\""),
        POD("\"\""),              POD("7"),                  POD("\"u-1/3/a/b\""),
        POD("\"u-1/-1/eci-a\""),  POD("\"u-1/4294967296/eci-a\""), "{}", "[]",
    };
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        assert_true(str_is_empty(read_note(nothing[i]).instance_id));
    }
}

static void test_pod_note_reads_what_it_wrote(void **state)
{
    (void)state;
    static char text[1024];
    struct buf out;
    struct json_write w;
    const struct pod_note note = {.instance_id = S("eci-xyz"), .attempt = 12};
    buf_init(&out, text, sizeof text);
    json_write_init(&w, &out);
    json_object(&w);
    json_member_object(&w, "metadata");
    json_member_text(&w, "uid", S("u-9"));
    pod_note_put(&w, S("u-9"), &note);
    json_end(&w);
    json_end(&w);
    assert_true(json_write_ok(&w));
    struct pod_note back = read_note(buf_cstr(&out));
    assert_true(str_eq(back.instance_id, S("eci-xyz")));
    assert_int_equal(back.attempt, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pod_note_is_believed_on_its_own_pod_only),
        cmocka_unit_test(test_pod_note_reads_what_it_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
