/* Any bytes into json_parse(); what is accepted is read in every way, and must be JSON once more
 * when cut out as raw text or escaped anew. */
#include <stdlib.h>

#include "data/json_read.h"
#include "data/json_write.h"

static _Alignas(16) char memory[4 << 20], again_memory[4 << 20];
static char text_memory[1 << 20];

/* Any text, written and read, is the same text (or the same with U+FFFD for what is no UTF-8). */
static void write_and_read(str text)
{
    struct buf out;
    struct json_write w;
    struct arena arena;
    json value;
    buf_init(&out, text_memory, sizeof(text_memory));
    json_write_init(&w, &out);
    json_put_text(&w, text);
    if (!json_write_ok(&w)) {
        return;
    }
    arena_init(&arena, again_memory, sizeof(again_memory));
    if (json_parse(buf_str(&out), &arena, &value, NULL) != ERR_OK ||
        !str_eq(json_text(value, &arena), text)) {
        abort();
    }
}

static void visit(json value, struct arena *arena)
{
    int64_t number;
    double real;
    bool flag;
    uint32_t count = 0;
    (void)json_i64(value, &number);
    (void)json_double(value, &real);
    (void)json_bool(value, &flag);
    str text = json_text(value, arena);
    if (json_type(value) == JSON_TYPE_STRING) {
        write_and_read(text);
    }
    for (json x = json_first(value); json_is_there(x); x = json_next(x)) {
        char key[64];
        str name = json_key(x, arena);
        if (name.bytes > 0 && str_find_char(name, '\0') < 0 && str_copy(key, sizeof(key), name)) {
            (void)json_get_nocase(value, key);
            if (!json_key_is(x, key)) {
                abort();
            }
        }
        visit(x, arena);
        count++;
    }
    if (count != json_count(value)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena, again;
    struct json_fault fault = {0};
    json root, copy;
    arena_init(&arena, memory, sizeof(memory));
    enum err err = json_parse(str_make((const char *)data, size), &arena, &root, &fault);
    if (err == ERR_BAD_INPUT && (fault.what == NULL || fault.line == 0 || fault.column == 0)) {
        abort();
    }
    if (err == ERR_OK) {
        arena_init(&again, again_memory, sizeof(again_memory));
        if (json_parse(json_raw(root), &again, &copy, NULL) != ERR_OK) {
            abort();
        }
        visit(root, &arena);
    }
    return 0;
}
