/* Any bytes as YAML: refused, or turned into JSON that our reader accepts (but for duplicate keys,
 * which are its business). */
#include <stdlib.h>

#include "data/json_read.h"
#include "data/yaml_read.h"

static char json_memory[1 << 20];
static _Alignas(16) char arena_memory[16 << 20];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = str_make((const char *)data, size);
    for (uint32_t index = 0; index < 3; index++) {
        struct buf out;
        struct yaml_fault fault = {0};
        uint32_t first_line = 0;
        buf_init(&out, json_memory, sizeof(json_memory));
        enum err err = yaml_to_json(text, index, &out, &first_line, &fault);
        if (err == ERR_OK) {
            struct arena arena;
            struct json_fault json_fault = {0};
            json root;
            arena_init(&arena, arena_memory, sizeof(arena_memory));
            err = json_parse(buf_str(&out), &arena, &root, &json_fault);
            if (first_line == 0 ||
                (err != ERR_OK && strcmp(json_fault.what, "duplicate key") != 0)) {
                abort();
            }
        } else if (out.bytes != 0 || (err == ERR_BAD_INPUT && fault.what[0] == '\0')) {
            abort();
        }
    }
    return 0;
}
