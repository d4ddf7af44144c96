/* Any bytes as a stream of objects: whole, and in pieces as the first bytes say. Both ways must
 * give the same events. */
#include <stdlib.h>

#include "base/prng.h"
#include "data/json_split.h"

#define PIECE_BYTES 48
#define ENVELOPE_BYTES 96

/* A digest of all events with their texts; SPLIT_BAD counts once. */
static uint64_t split_all(enum split_shape shape, str text, size_t step_max, uint64_t seed)
{
    char piece_memory[PIECE_BYTES], envelope_memory[ENVELOPE_BYTES];
    struct buf piece, envelope;
    struct json_split split;
    struct prng prng;
    uint64_t digest = 0;
    enum split_event event = SPLIT_MORE;
    prng_seed(&prng, seed);
    buf_init(&piece, piece_memory, sizeof(piece_memory));
    buf_init(&envelope, envelope_memory, sizeof(envelope_memory));
    json_split_init(&split, shape, piece, envelope);
    while (text.bytes > 0 && event != SPLIT_BAD) {
        str input = str_sub(text, 0, 1 + prng_below(&prng, step_max));
        text = str_sub(text, input.bytes, SIZE_MAX);
        do {
            str found = STR_NONE;
            event = json_split_next(&split, &input, &found);
            if (event != SPLIT_MORE) {
                digest = digest * 31 + (uint64_t)event * 7 + str_hash(found);
            }
            if (found.bytes > ENVELOPE_BYTES) {
                abort();
            }
        } while (event != SPLIT_MORE && event != SPLIT_BAD);
    }
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    enum split_shape shape = data[0] % 2 ? SPLIT_LIST : SPLIT_WATCH;
    str text = str_make((const char *)data + 2, size - 2);
    uint64_t whole = split_all(shape, text, SIZE_MAX, 0);
    if (split_all(shape, text, 1 + data[0] / 2, data[1]) != whole ||
        split_all(shape, text, 1, 0) != whole) {
        abort();
    }
    return 0;
}
