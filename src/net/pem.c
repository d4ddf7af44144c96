/* see pem.h */
#include "net/pem.h"

#include "base/codec.h"

/* Skips to just behind the next `mark` that begins a line; false when there is none. */
static bool pem_skip_past(str *rest, str mark)
{
    size_t from = 0;
    for (;;) {
        ptrdiff_t at = str_find(str_sub(*rest, from, rest->bytes), mark);
        if (at < 0) {
            return false;
        }
        from += (size_t)at + mark.bytes;
        size_t start = from - mark.bytes;
        if (start == 0 || rest->ptr[start - 1] == '\n') {
            *rest = str_sub(*rest, from, rest->bytes);
            return true;
        }
    }
}

bool pem_next(str *rest, struct pem_block *block)
{
    str line;
    if (!pem_skip_past(rest, S("-----BEGIN ")) || !str_cut(rest, '\n', &line)) {
        return false;
    }
    line = str_trim(line);
    block->label = str_sub(line, 0, str_ends(line, S("-----")) ? line.bytes - 5 : 0);
    str from = *rest;
    if (!pem_skip_past(rest, S("-----END "))) {
        return false;
    }
    block->base64 = str_make(from.ptr, (size_t)(rest->ptr - from.ptr) - 9);
    return true;
}

/* Copies base64 without white space of any kind (blanks at line ends do occur); returns its size.
 */
static size_t pem_squeeze(char *to, str base64)
{
    size_t bytes = 0;
    for (size_t i = 0; i < base64.bytes; i++) {
        if (memchr(" \t\r\n", base64.ptr[i], 4) == NULL) {
            to[bytes++] = base64.ptr[i];
        }
    }
    return bytes;
}

enum err pem_decode(const struct pem_block *block, struct arena *arena, str *der)
{
    size_t start = arena_mark(arena);
    size_t room = block->base64.bytes / 4 * 3 + 3;
    char *memory = arena_take(arena, room);
    size_t end = arena_mark(arena);
    char *text = arena_take(arena, block->base64.bytes);
    struct buf out;

    if (memory == NULL || text == NULL) {
        arena_rewind(arena, start);
        return ERR_FULL;
    }
    buf_init(&out, memory, room);
    size_t text_bytes = pem_squeeze(text, block->base64);
    enum err err = codec_get_base64(&out, str_make(text, text_bytes));
    memset(text, 0, text_bytes); /* may be a private key: leave no second copy behind */
    if (err != ERR_OK || out.bytes == 0) {
        arena_rewind(arena, start);
        return ERR_BAD_INPUT;
    }
    arena_rewind(arena, end);
    *der = buf_str(&out);
    return ERR_OK;
}
