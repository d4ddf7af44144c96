/* tags.c - see tags.h */
#include "spec/tags.h"

#include "base/check.h"
#include "base/codec.h"

_Static_assert(TAG_COUNT <= TAGS_MAX, "an instance has at most 20 tags");

#define X(name, key) _Static_assert(sizeof(key) - 1 <= TAG_KEY_BYTES_MAX, "key too long: " key);
TAG_TABLE(X)
#undef X

const char *tag_key(enum tag tag)
{
    static const char *const keys[TAG_COUNT] = {
#define X(name, key) [TAG_##name] = key,
        TAG_TABLE(X)
#undef X
    };

    CHECK((unsigned)tag < TAG_COUNT);
    return keys[tag];
}

str tag_value(str text)
{
    return codec_utf8_prefix(text, TAG_VALUE_BYTES_MAX);
}
