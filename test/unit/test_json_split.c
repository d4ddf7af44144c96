/* see json_split.h */
#include "unit.h"

#include "base/prng.h"
#include "data/json_split.h"

#define PIECE_BYTES 64
#define EVENTS_MAX 64

struct seen {
    enum split_event event;
    char text[256];
};

static struct seen seen[EVENTS_MAX];
static size_t seen_count;

static void note(enum split_event event, str piece)
{
    assert_true(seen_count < EVENTS_MAX);
    seen[seen_count].event = event;
    assert_true(str_copy(seen[seen_count].text, sizeof(seen[0].text), piece));
    seen_count++;
}

/* Feeds the text in pieces of random size up to step_max; notes everything but SPLIT_MORE, and
 * SPLIT_BAD once. */
static void split_all(enum split_shape shape, str text, size_t piece_bytes, size_t envelope_bytes,
                      size_t step_max, uint64_t seed)
{
    static char piece_memory[256], envelope_memory[256], input_memory[4096];
    struct json_split split;
    struct buf piece, envelope;
    struct prng prng;
    prng_seed(&prng, seed);
    buf_init(&piece, piece_memory, piece_bytes);
    buf_init(&envelope, envelope_memory, envelope_bytes);
    json_split_init(&split, shape, piece, envelope);
    seen_count = 0;
    bool is_bad = false;
    while (text.bytes > 0) {
        size_t step = 1 + prng_below(&prng, step_max);
        step = step < text.bytes ? step : text.bytes;
        /* Somewhere else and with nothing behind, so that reading too far is noticed. */
        str input = str_make(input_memory + sizeof(input_memory) - step, step);
        memcpy(input_memory + sizeof(input_memory) - step, text.ptr, step);
        text = str_sub(text, step, SIZE_MAX);
        for (;;) {
            str found = STR_NONE;
            enum split_event event = json_split_next(&split, &input, &found);
            if (event == SPLIT_MORE) {
                assert_int_equal(input.bytes, 0);
                break;
            }
            if (event == SPLIT_BAD) {
                is_bad = true;
                break;
            }
            assert_false(is_bad); /* sticky */
            note(event, found);
        }
    }
    if (is_bad) {
        note(SPLIT_BAD, STR_NONE);
    }
}

struct expected {
    enum split_event event;
    const char *text;
};

static void assert_seen(const char *what, const struct expected *expected)
{
    size_t count = 0;
    for (; expected[count].text != NULL; count++) {
        if (count >= seen_count || seen[count].event != expected[count].event ||
            strcmp(seen[count].text, expected[count].text) != 0) {
            fail_msg("%s: event %zu is %d %s", what, count, (int)seen[count].event,
                     seen[count].text);
        }
    }
    if (seen_count != count) {
        fail_msg("%s: %zu events instead of %zu", what, seen_count, count);
    }
}

static const struct {
    enum split_shape shape;
    const char *text;
    struct expected expected[8];
} cases[] = {
    {SPLIT_WATCH, "", {{0, NULL}}},
    {SPLIT_WATCH, " \r\n\t", {{0, NULL}}},
    {SPLIT_WATCH, "{}", {{SPLIT_ITEM, "{}"}}},
    {SPLIT_WATCH,
     "{\"type\":\"ADDED\",\"object\":{\"a\":[1,{}]}}\n{\"b\":2}\n",
     {{SPLIT_ITEM, "{\"type\":\"ADDED\",\"object\":{\"a\":[1,{}]}}"}, {SPLIT_ITEM, "{\"b\":2}"}}},
    {SPLIT_WATCH, "{\"a\":1}{\"b\":2}", {{SPLIT_ITEM, "{\"a\":1}"}, {SPLIT_ITEM, "{\"b\":2}"}}},
    {SPLIT_WATCH,
     "{\"}\":\"{[\\\"}\\\\\"}\n{}",
     {{SPLIT_ITEM, "{\"}\":\"{[\\\"}\\\\\"}"}, {SPLIT_ITEM, "{}"}}},
    {SPLIT_WATCH, "{\"a\":1", {{0, NULL}}},
    {SPLIT_WATCH, "[{}]", {{SPLIT_BAD, ""}}},
    {SPLIT_WATCH, "{},{}", {{SPLIT_ITEM, "{}"}, {SPLIT_BAD, ""}}},
    {SPLIT_WATCH, "null{}", {{SPLIT_BAD, ""}}},
    {SPLIT_WATCH,
     "{\"long\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}{}",
     {{SPLIT_TOO_BIG, "{\"long\":\"0123456789012345678901234567890123456789012345678901234"},
      {SPLIT_ITEM, "{}"}}},
    {SPLIT_WATCH, /* exactly as large as the buffer */
     "{\"long\":\"01234567890123456789012345678901234567890123456789012\"}",
     {{SPLIT_ITEM, "{\"long\":\"01234567890123456789012345678901234567890123456789012\"}"}}},
    {SPLIT_WATCH, /* one byte larger */
     "{\"long\":\"012345678901234567890123456789012345678901234567890123\"}",
     {{SPLIT_TOO_BIG, "{\"long\":\"012345678901234567890123456789012345678901234567890123\""}}},
    {SPLIT_LIST, "{}", {{SPLIT_ENVELOPE, "{}"}}},
    {SPLIT_LIST, " { \"items\" : [ ] } ", {{SPLIT_ENVELOPE, "{ \"items\" :[] }"}}},
    {SPLIT_LIST,
     "{\"kind\":\"PodList\",\"metadata\":{\"continue\":\"x\"},\"items\":[{\"a\":1},{\"b\":[]}]}",
     {{SPLIT_ITEM, "{\"a\":1}"},
      {SPLIT_ITEM, "{\"b\":[]}"},
      {SPLIT_ENVELOPE, "{\"kind\":\"PodList\",\"metadata\":{\"continue\":\"x\"},\"items\":[]}"}}},
    {SPLIT_LIST,
     "{\"items\":[{\"items\":[{}]}\n,\n{}\n],\"kind\":\"PodList\"}\n",
     {{SPLIT_ITEM, "{\"items\":[{}]}"},
      {SPLIT_ITEM, "{}"},
      {SPLIT_ENVELOPE, "{\"items\":[],\"kind\":\"PodList\"}"}}},
    {SPLIT_LIST, "{\"items\":null,\"a\":1}", {{SPLIT_ENVELOPE, "{\"items\":null,\"a\":1}"}}},
    {SPLIT_LIST, "{\"items\": {\"a\":[{}]}}", {{SPLIT_ENVELOPE, "{\"items\":{\"a\":[{}]}}"}}},
    {SPLIT_LIST, /* only a key of the top level counts, and only that name */
     "{\"a\":{\"items\":[{}]},\"b\":\"items\",\"xitems\":[{}],\"\\\"items\":[{}]}",
     {{SPLIT_ENVELOPE,
       "{\"a\":{\"items\":[{}]},\"b\":\"items\",\"xitems\":[{}],\"\\\"items\":[{}]}"}}},
    {SPLIT_LIST,
     "{\"items\":[{\"long\":\"0123456789012345678901234567890123456789012345678901234567\"},{}]}",
     {{SPLIT_TOO_BIG, "{\"long\":\"0123456789012345678901234567890123456789012345678901234"},
      {SPLIT_ITEM, "{}"},
      {SPLIT_ENVELOPE, "{\"items\":[]}"}}},
    {SPLIT_LIST, "{\"items\":[{}", {{SPLIT_ITEM, "{}"}}},
    {SPLIT_LIST, "{\"items\":[{}{}]}", {{SPLIT_ITEM, "{}"}, {SPLIT_BAD, ""}}},
    {SPLIT_LIST, "{\"items\":[{},]}", {{SPLIT_ITEM, "{}"}, {SPLIT_BAD, ""}}},
    {SPLIT_LIST, "{\"items\":[,{}]}", {{SPLIT_BAD, ""}}},
    {SPLIT_LIST, "{\"items\":[1]}", {{SPLIT_BAD, ""}}},
    {SPLIT_LIST, "{\"items\":[[]]}", {{SPLIT_BAD, ""}}},
    {SPLIT_LIST, "[]", {{SPLIT_BAD, ""}}},
    {SPLIT_LIST, "{}{}", {{SPLIT_ENVELOPE, "{}"}, {SPLIT_BAD, ""}}},
};

static void test_json_split_cuts_in_any_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        str text = str_of(cases[i].text);
        for (uint64_t seed = 0; seed < 40; seed++) {
            size_t step_max = seed == 0 ? 1 : seed == 1 ? SIZE_MAX : 1 + seed;
            split_all(cases[i].shape, text, PIECE_BYTES, 256, step_max, seed);
            assert_seen(cases[i].text, cases[i].expected);
        }
    }
}

static void test_json_split_envelope_too_small(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < 24; bytes++) {
        split_all(SPLIT_LIST, S("{\"kind\":\"L\",\"items\":[]}"), PIECE_BYTES, bytes, 5, bytes);
        assert_int_equal(seen_count, 1);
        assert_int_equal(seen[0].event, bytes >= 23 ? SPLIT_ENVELOPE : SPLIT_BAD);
    }
}

/* Nesting is counted, not stored. */
static void test_json_split_deep_nesting(void **state)
{
    (void)state;
    static char text[100000];
    text[0] = '{';
    memset(text + 1, '[', 49999);
    memset(text + 50000, ']', 49999);
    text[99999] = '}';
    split_all(SPLIT_WATCH, str_make(text, sizeof(text)), PIECE_BYTES, 0, 1000, 1);
    assert_int_equal(seen_count, 1);
    assert_int_equal(seen[0].event, SPLIT_TOO_BIG);
}

/* A depth that cannot be counted any more is refused, it does not wrap to "complete". */
static void test_json_split_bottomless_nesting(void **state)
{
    (void)state;
    char piece_memory[PIECE_BYTES];
    struct json_split split;
    struct buf piece, none;
    str input = S("{\"a\":[");
    str found;
    buf_init(&piece, piece_memory, sizeof(piece_memory));
    buf_init(&none, NULL, 0);
    json_split_init(&split, SPLIT_WATCH, piece, none);
    assert_int_equal(json_split_next(&split, &input, &found), SPLIT_MORE);
    assert_int_equal(split.depth, 2);
    split.depth = UINT32_MAX - 2; /* as after four gigabytes of brackets */
    input = S("[");
    assert_int_equal(json_split_next(&split, &input, &found), SPLIT_MORE);
    input = S("[]");
    assert_int_equal(json_split_next(&split, &input, &found), SPLIT_BAD);
    input = S("]");
    assert_int_equal(json_split_next(&split, &input, &found), SPLIT_BAD);
}

/* Whatever the bytes, it ends, and pieces stay within their buffers. */
static void test_json_split_random_bytes(void **state)
{
    (void)state;
    static const char alphabet[] = "{{{}}}[[]]\"\"\\:,, a1\n";
    for (uint64_t seed = 0; seed < 3000; seed++) {
        char text[100];
        struct prng prng;
        prng_seed(&prng, seed);
        size_t bytes = 1 + prng_below(&prng, sizeof(text));
        text[0] = '{';
        for (size_t i = 1; i < bytes; i++) {
            text[i] = alphabet[prng_below(&prng, sizeof(alphabet) - 1)];
        }
        split_all(seed % 2 ? SPLIT_LIST : SPLIT_WATCH, str_make(text, bytes), 8, 64, 7, seed);
        struct seen first_time[EVENTS_MAX];
        size_t first_count = seen_count;
        memcpy(first_time, seen, sizeof(seen));
        split_all(seed % 2 ? SPLIT_LIST : SPLIT_WATCH, str_make(text, bytes), 8, 64, 1, seed);
        assert_int_equal(seen_count, first_count); /* however it was cut */
        for (size_t i = 0; i < seen_count; i++) {
            assert_int_equal(seen[i].event, first_time[i].event);
            assert_string_equal(seen[i].text, first_time[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_split_cuts_in_any_pieces),
        cmocka_unit_test(test_json_split_envelope_too_small),
        cmocka_unit_test(test_json_split_deep_nesting),
        cmocka_unit_test(test_json_split_bottomless_nesting),
        cmocka_unit_test(test_json_split_random_bytes),
    };
    return cmocka_run_group_tests_name("json_split", tests, NULL, NULL);
}
