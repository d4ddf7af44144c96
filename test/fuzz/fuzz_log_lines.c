/*
 * Any bytes as a log, written in steps and read in windows as the bytes say: what the merge gives
 * must be the log, without a doubled line, and without a lost one unless a gap was marked. The rest
 * of the bytes is then read as a log of its own, which may say anything.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "data/log_lines.h"

#define LINES_MAX 400
#define LINE_BYTES 48

static struct log_merge merge;
static struct log_walk walk;
static char memory[LINES_MAX * LINE_BYTES];

/* Line n; two of the low bits make stamps that repeat and texts that do. */
static void put_line(struct buf *out, uint32_t n)
{
    buf_put_fmt(out, "2024-01-02T03:%02u:%02uZ %u\n", n / 4 / 60, n / 4 % 60, n);
}

static uint32_t number_of(str text)
{
    uint64_t number = 0;
    CHECK(str_to_u64(text, &number) && number < LINES_MAX);
    return (uint32_t)number;
}

static void follow(const uint8_t *data, size_t size)
{
    uint32_t written = 0;
    uint32_t next = 0;
    uint32_t window = size > 0 ? 1 + data[0] % 32 : 1;
    log_merge_init(&merge);
    for (size_t i = 1; i < size; i++) {
        struct buf text;
        struct log_line line;
        written += data[i] % 16;
        written = written < LINES_MAX ? written : LINES_MAX;
        uint32_t first = written > window ? written - window : 0;
        buf_init(&text, memory, sizeof memory);
        for (uint32_t n = first; n < written; n++) {
            put_line(&text, n);
        }
        log_merge_begin(&walk, &merge, buf_str(&text), first > 0, false);
        while (log_merge_next(&walk, &line)) {
            uint32_t number = number_of(line.text);
            CHECK(walk.has_gap ? number >= next : number == next);
            next = number + 1;
        }
        CHECK(next == written);
    }
}

static void read_anything(str text)
{
    struct log_line line;
    size_t bytes = 0;
    for (uint32_t pass = 0; pass < 3; pass++) {
        log_merge_begin(&walk, &merge, text, pass == 1, pass == 2);
        while (log_merge_next(&walk, &line)) {
            CHECK(line.whole.ptr >= text.ptr &&
                  line.whole.ptr + line.whole.bytes <= text.ptr + text.bytes);
            CHECK(line.text.bytes <= line.whole.bytes);
            bytes += line.whole.bytes;
        }
    }
    CHECK(bytes <= 3 * text.bytes);
    CHECK(log_whole_lines(text, text.bytes / 2).bytes <= text.bytes);
    (void)log_is_capped(text, 3, SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t steps = size > 0 ? data[0] % 64 : 0;
    steps = steps < size ? steps : size;
    follow(data, steps);
    read_anything(str_make((const char *)data + steps, size - steps));
    return 0;
}
