/* expand.c - see expand.h */
#include "spec/expand.h"

#include "base/buf.h"

static size_t expand_one(str rest, bool *has_close, const struct spec_env *env, uint32_t env_count,
                         struct buf *out);

enum err expand_text(str text, const struct spec_env *env, uint32_t env_count, struct arena *arena,
                     str *out)
{
    if (str_find_char(text, '$') < 0) {
        *out = text;
        return ERR_OK;
    }
    size_t bytes = 0;
    char *room = arena_rest(arena, &bytes);
    bool is_arena = bytes < EXPAND_BYTES_MAX; /* else our own limit is met first */
    struct buf result;
    buf_init(&result, room, is_arena ? bytes : EXPAND_BYTES_MAX);

    bool has_close = true; /* false once no ")" is left: a thousand "$(" are not searched twice */
    for (size_t at = 0; at < text.bytes && buf_ok(&result);) {
        ptrdiff_t plain = str_find_char(str_sub(text, at, text.bytes), '$');
        size_t plain_bytes = plain < 0 ? text.bytes - at : (size_t)plain;
        buf_put(&result, str_sub(text, at, plain_bytes));
        at += plain_bytes;
        if (at < text.bytes) {
            at += expand_one(str_sub(text, at, text.bytes), &has_close, env, env_count, &result);
        }
    }
    if (!buf_ok(&result)) {
        arena->has_failed |= is_arena;
        return is_arena ? ERR_FULL : ERR_TOO_BIG;
    }
    arena_keep(arena, result.bytes);
    *out = buf_str(&result);
    return ERR_OK;
}

/* `rest` begins with "$"; returns how much of it was read. */
static size_t expand_one(str rest, bool *has_close, const struct spec_env *env, uint32_t env_count,
                         struct buf *out)
{
    if (rest.bytes >= 2 && rest.ptr[1] == '$') {
        buf_put_char(out, '$');
        return 2;
    }
    ptrdiff_t close = -1;
    if (*has_close && rest.bytes >= 2 && rest.ptr[1] == '(') {
        close = str_find_char(rest, ')');
        *has_close = close >= 0;
    }
    if (close < 0) {
        buf_put_char(out, '$');
        return 1;
    }
    str reference = str_sub(rest, 0, (size_t)close + 1);
    const struct spec_env *found =
        expand_find(env, env_count, str_sub(reference, 2, reference.bytes - 3));
    buf_put(out, found != NULL && !found->is_pod_ip ? found->value : reference);
    return reference.bytes;
}

const struct spec_env *expand_find(const struct spec_env *env, uint32_t env_count, str name)
{
    for (uint32_t i = env_count; i-- > 0;) {
        if (str_eq(env[i].name, name)) {
            return &env[i];
        }
    }
    return NULL;
}
