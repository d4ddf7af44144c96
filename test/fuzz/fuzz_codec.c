/* Any bytes into every decoder; what was encoded must decode to itself. */
#include <stdlib.h>

#include "base/codec.h"

static char coded_memory[1 << 18], plain_memory[1 << 18];

static void expect(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void try_base64(str text)
{
    struct buf coded, plain;
    buf_init(&coded, coded_memory, sizeof(coded_memory));
    buf_init(&plain, plain_memory, sizeof(plain_memory));
    (void)!codec_get_base64(&plain, text);
    buf_clear(&plain);
    codec_put_base64(&coded, text.ptr, text.bytes);
    if (buf_ok(&coded)) {
        expect(codec_get_base64(&plain, buf_str(&coded)) == ERR_OK);
        expect(str_eq(buf_str(&plain), text));
    }
}

static void try_percent(str text)
{
    struct buf coded, plain;
    buf_init(&coded, coded_memory, sizeof(coded_memory));
    buf_init(&plain, plain_memory, sizeof(plain_memory));
    (void)!codec_get_percent(&plain, text, true);
    buf_clear(&plain);
    codec_put_percent(&coded, text);
    if (buf_ok(&coded)) {
        expect(codec_get_percent(&plain, buf_str(&coded), false) == ERR_OK);
        expect(str_eq(buf_str(&plain), text));
    }
}

static void try_utf8(str text)
{
    bool is_utf8 = codec_is_utf8(text);
    for (size_t bytes_max = 0; bytes_max < text.bytes && bytes_max < 40; bytes_max++) {
        str prefix = codec_utf8_prefix(text, bytes_max);
        expect(prefix.bytes <= bytes_max && prefix.bytes + 3 >= bytes_max);
        expect(!is_utf8 || codec_is_utf8(prefix));
    }
}

static void try_times(str text)
{
    struct buf coded;
    int64_t unix_s, again_s;
    (void)codec_get_http_date(text, &unix_s);
    if (codec_get_time(text, &unix_s)) {
        buf_init(&coded, coded_memory, sizeof(coded_memory));
        codec_put_time(&coded, unix_s);
        expect(codec_get_time(buf_str(&coded), &again_s) && again_s == unix_s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = str_make((const char *)data, size);
    int64_t number;
    try_base64(text);
    try_percent(text);
    try_utf8(text);
    try_times(text);
    (void)str_to_i64(text, &number);
    (void)str_distance(text, S("k8s.aliyun.com/eci-use-specs"), 5);
    return 0;
}
