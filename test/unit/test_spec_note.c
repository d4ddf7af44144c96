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
        POD("\"u-1/3/eci~a\""),   POD("\"u-1/3/eci:a\""),    POD("\"u-1/3/eci.a\""),
        POD("\"u-1/3/eci[a\""),   POD("\"u-1/3/eci a\""),
    };
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        assert_true(str_is_empty(read_note(nothing[i]).instance_id));
    }
}

/* Every sign that an id of the cloud may have. */
static void test_pod_note_takes_any_id(void **state)
{
    (void)state;
    struct pod_note note = read_note(POD("\"u-1/4294967295/AZ-az_09\""));
    assert_true(str_eq(note.instance_id, S("AZ-az_09")));
    assert_true(note.attempt == UINT32_MAX);
}

/* Without an instance, or with an id that no cloud gives, nothing is noted. */
static void test_pod_note_of_nothing(void **state)
{
    (void)state;
    static char id[200];
    memset(id, 'x', sizeof id);
    const struct pod_note none = {.attempt = 1, .vpc_id = S("vpc-1")};
    const struct pod_note longest = {.attempt = 1, .instance_id = str_make(id, 192 - 4)};
    const struct pod_note longer = {.attempt = 1, .instance_id = str_make(id, 192 - 3)};
    const struct {
        const struct pod_note *note;
        bool is_written;
    } rows[] = {{NULL, false}, {&none, false}, {&longest, true}, {&longer, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static char text[1024];
        struct buf out;
        struct json_write w;
        buf_init(&out, text, sizeof text);
        json_write_init(&w, &out);
        json_object(&w);
        pod_note_put(&w, S("u"), rows[i].note);
        json_end(&w);
        assert_true(json_write_ok(&w));
        assert_int_equal(!str_eq(buf_str(&out), S("{}")), rows[i].is_written);
    }
}

/* Whether the instance was described, too: of this pod's instance only. */
static void test_pod_note_tells_of_a_description(void **state)
{
    (void)state;
#define DESCRIBED(note) POD("\"" note "\",\"k8s.aliyun.com/eci-instance-spec\":\"2.0-4.0Gi\"")
    assert_true(str_eq(read_note(DESCRIBED("u-1/3/eci-abc")).spec, S("2.0-4.0Gi")));
    assert_true(str_is_empty(read_note(DESCRIBED("u-2/3/eci-abc")).spec));
    assert_true(str_is_empty(read_note(POD("\"u-1/3/eci-abc\"")).spec));
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

/* What a detail row says is written, what it does not say is left alone. */
static void test_pod_note_of_a_detail_row(void **state)
{
    static char room[64 * 1024];
    static char text[2048];
    struct eci_group_row row = {.vpc_id = S("vpc-1"),
                                .vswitch_id = S("vsw-1"),
                                .zone_id = S("z-b"),
                                .eni_id = S("eni-1"),
                                .internet_ip = S("8.8.8.8"),
                                .ipv6_address = S("fd00::1"),
                                .compute_category = S("general"),
                                .cpu_milli = 2000,
                                .memory_mib = 4096};
    struct pod_note note = {.instance_id = S("eci-x"), .attempt = 1, .request_id = S("R-1")};
    struct arena arena;
    struct json_write w;
    struct buf out;

    (void)state;
    arena_init(&arena, room, sizeof room);
    buf_init(&out, text, sizeof text);
    json_write_init(&w, &out);
    json_object(&w);
    pod_note_see(&note, &row, &arena);
    pod_note_put(&w, S("u"), &note);
    json_end(&w);
    assert_string_equal(
        buf_cstr(&out),
        "{\"annotations\":{\"k8s.aliyun.com/eci-instance-id\":\"eci-x\","
        "\"ecilet/instance\":\"u/1/eci-x\",\"k8s.aliyun.com/eci-request-id\":\"R-1\","
        "\"k8s.aliyun.com/eci-instance-spec\":\"2.0-4.0Gi\","
        "\"k8s.aliyun.com/eci-instance-compute-category\":\"general\","
        "\"k8s.aliyun.com/eci-vpc\":\"vpc-1\",\"ecilet/vswitch\":\"vsw-1\","
        "\"ecilet/zone\":\"z-b\",\"k8s.aliyun.com/eni-instance-id\":\"eni-1\","
        "\"k8s.aliyun.com/allocated-eipAddress\":\"8.8.8.8\","
        "\"k8s.aliyun.com/allocated-ipv6Address\":\"fd00::1\"}}");
    row = (struct eci_group_row){.cpu_milli = 250, .memory_mib = 512};
    pod_note_see(&note, &row, &arena);
    assert_true(str_eq(note.spec, S("0.25-0.5Gi")));
    row.memory_mib = 0; /* a size needs both */
    pod_note_see(&note, &row, &arena);
    assert_true(str_is_empty(note.spec));
    row = (struct eci_group_row){.cpu_milli = 0, .memory_mib = 512};
    pod_note_see(&note, &row, &arena);
    assert_true(str_is_empty(note.spec));
    row = (struct eci_group_row){.cpu_milli = 250, .memory_mib = INT64_MAX};
    pod_note_see(&note, &row, &arena);
    assert_true(str_is_empty(note.spec) && str_is_empty(note.vpc_id));
    row.instance_type = S("ecs.c6.large");
    pod_note_see(&note, &row, &arena);
    assert_true(str_eq(note.spec, S("ecs.c6.large")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pod_note_is_believed_on_its_own_pod_only),
        cmocka_unit_test(test_pod_note_takes_any_id),
        cmocka_unit_test(test_pod_note_of_nothing),
        cmocka_unit_test(test_pod_note_tells_of_a_description),
        cmocka_unit_test(test_pod_note_reads_what_it_wrote),
        cmocka_unit_test(test_pod_note_of_a_detail_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
