/* see heap_blocks.h */
#include "os/heap_blocks.h"

#include "base/check.h"

#define BLOCK_BYTES_MIN 32 /* header and the links of a free one */
#define LINEAR_BYTES 256   /* below: one class, one list for each size */
#define FIRST_BYTES 16     /* distance 0 means "none", so the first block starts behind it */

/* Distances and sizes are in bytes and multiples of BLOCKS_ALIGN. */
struct block {
    uint32_t bytes;      /* with this header */
    uint32_t prev_bytes; /* of the block in front; 0 for the first */
    uint32_t dirty;      /* free: bytes that were used since the kernel had them back */
    uint32_t seal;
    uint32_t next_free, prev_free; /* free only; distances, 0 = none */
};

enum state { STATE_TAKEN = 0x7A6B5C4D, STATE_FREE = 0x1F2E3D4C };

_Static_assert(offsetof(struct block, next_free) == BLOCKS_HEADER_BYTES, "links follow the header");

/* ---- blocks and their neighbours ------------------------------------------------------------- */

static struct block *block_at(const struct blocks *blocks, uint32_t distance)
{
    return (struct block *)(void *)(blocks->base + distance);
}

static uint32_t distance_of(const struct blocks *blocks, const struct block *block)
{
    return (uint32_t)((const char *)block - blocks->base);
}

static uint32_t seal_for(const struct blocks *blocks, const struct block *block, enum state state)
{
    return ((distance_of(blocks, block) ^ (uint32_t)state) * 0x9E3779B1u) ^ (block->bytes << 5);
}

static bool is_sealed(const struct blocks *blocks, const struct block *block, enum state state)
{
    return block->seal == seal_for(blocks, block, state);
}

static struct block *next_block(const struct blocks *blocks, const struct block *block)
{
    uint32_t next = distance_of(blocks, block) + block->bytes;
    return next < blocks->end ? block_at(blocks, next) : NULL;
}

static struct block *prev_block(const struct blocks *blocks, const struct block *block)
{
    return block->prev_bytes != 0 ? block_at(blocks, distance_of(blocks, block) - block->prev_bytes)
                                  : NULL;
}

/* Sets size and state, and tells the block behind. */
static void shape(struct blocks *blocks, struct block *block, uint32_t bytes, enum state state)
{
    block->bytes = bytes;
    block->seal = seal_for(blocks, block, state);
    struct block *next = next_block(blocks, block);
    if (next != NULL) {
        next->prev_bytes = bytes;
    } else {
        blocks->last = distance_of(blocks, block);
    }
}

/* ---- lists by size --------------------------------------------------------------------------- */

struct class
{
    uint32_t power, step;
};

static uint32_t floor_log2(uint32_t number)
{
    return 31 - (uint32_t)__builtin_clz(number);
}

/* The list that a free block of this size hangs in. */
static struct class class_of(uint32_t bytes)
{
    if (bytes < LINEAR_BYTES) {
        return (struct class){0, bytes / BLOCKS_ALIGN};
    }
    uint32_t log = floor_log2(bytes);
    return (struct class){log - 7, (bytes >> (log - 4)) - BLOCKS_STEPS};
}

/* The first list in which every block has at least this size. */
static struct class class_that_fits(uint32_t bytes)
{
    if (bytes >= LINEAR_BYTES) {
        bytes += (1u << (floor_log2(bytes) - 4)) - 1;
    }
    return class_of(bytes);
}

static void list_free(struct blocks *blocks, struct block *block)
{
    struct class class = class_of(block->bytes);
    uint32_t *first = &blocks->first_free[class.power][class.step];
    block->prev_free = 0;
    block->next_free = *first;
    if (*first != 0) {
        block_at(blocks, *first)->prev_free = distance_of(blocks, block);
    }
    *first = distance_of(blocks, block);
    blocks->class_bits |= 1u << class.power;
    blocks->step_bits[class.power] |= 1u << class.step;
}

static void unlist_free(struct blocks *blocks, struct block *block)
{
    CHECK(is_sealed(blocks, block, STATE_FREE));
    struct class class = class_of(block->bytes);
    uint32_t *first = &blocks->first_free[class.power][class.step];
    if (block->next_free != 0) {
        block_at(blocks, block->next_free)->prev_free = block->prev_free;
    }
    if (block->prev_free != 0) {
        block_at(blocks, block->prev_free)->next_free = block->next_free;
        return;
    }
    CHECK(*first == distance_of(blocks, block));
    *first = block->next_free;
    if (*first == 0) {
        blocks->step_bits[class.power] &= ~(1u << class.step);
        if (blocks->step_bits[class.power] == 0) {
            blocks->class_bits &= ~(1u << class.power);
        }
    }
}

static struct block *find_free(const struct blocks *blocks, uint32_t bytes)
{
    struct class class = class_that_fits(bytes);
    if (class.power >= BLOCKS_CLASSES) {
        return NULL;
    }
    uint32_t steps = blocks->step_bits[class.power] & ~0u << class.step;
    if (steps == 0) {
        uint32_t classes = blocks->class_bits & ~0u << 1 << class.power;
        if (classes == 0) {
            return NULL;
        }
        class.power = (uint32_t)__builtin_ctz(classes);
        steps = blocks->step_bits[class.power];
    }
    return block_at(blocks, blocks->first_free[class.power][__builtin_ctz(steps)]);
}

/* ---- splitting and joining ------------------------------------------------------------------- */

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Makes [distance, distance + bytes) a free block, joined with free neighbours. */
static struct block *make_free(struct blocks *blocks, struct block *block, uint32_t bytes,
                               uint32_t dirty)
{
    block->bytes = bytes; /* so that the neighbours are found */
    struct block *next = next_block(blocks, block);
    struct block *prev = prev_block(blocks, block);
    if (next != NULL && is_sealed(blocks, next, STATE_FREE)) {
        unlist_free(blocks, next);
        bytes += next->bytes;
        dirty += next->dirty;
    }
    if (prev != NULL && is_sealed(blocks, prev, STATE_FREE)) {
        unlist_free(blocks, prev);
        bytes += prev->bytes;
        dirty += prev->dirty;
        block = prev;
    }
    block->dirty = dirty;
    shape(blocks, block, bytes, STATE_FREE);
    list_free(blocks, block);
    return block;
}

/* Keeps the first `bytes` of a block that is in no list, and frees the rest if that is enough. */
static void take_front(struct blocks *blocks, struct block *block, uint32_t bytes, uint32_t dirty)
{
    uint32_t rest = block->bytes - bytes;
    if (rest < BLOCK_BYTES_MIN) {
        shape(blocks, block, block->bytes, STATE_TAKEN);
        return;
    }
    shape(blocks, block, bytes, STATE_TAKEN);
    struct block *behind = block_at(blocks, distance_of(blocks, block) + bytes);
    behind->prev_bytes = bytes;
    (void)make_free(blocks, behind, rest, lesser(dirty, rest));
}

/* ---- the calls ------------------------------------------------------------------------------- */

void blocks_init(struct blocks *blocks, void *memory)
{
    CHECK((uintptr_t)memory % BLOCKS_ALIGN == 0);
    *blocks = (struct blocks){.base = memory};
}

void blocks_extend(struct blocks *blocks, size_t bytes)
{
    CHECK(bytes % BLOCKS_ALIGN == 0 && bytes >= 64);
    CHECK(bytes <= BLOCKS_BYTES_MAX - blocks->end);
    uint32_t start = blocks->end != 0 ? blocks->end : FIRST_BYTES;
    uint32_t prev_bytes = blocks->last != 0 ? block_at(blocks, blocks->last)->bytes : 0;
    blocks->end += (uint32_t)bytes;
    struct block *block = block_at(blocks, start);
    block->prev_bytes = prev_bytes;
    (void)make_free(blocks, block, blocks->end - start, 0);
}

/* Size of the block for so many bytes; 0 when impossible. */
static uint32_t block_bytes_for(size_t bytes)
{
    if (bytes > BLOCKS_BYTES_MAX / 2) {
        return 0;
    }
    size_t whole = (bytes + BLOCKS_HEADER_BYTES + BLOCKS_ALIGN - 1) / BLOCKS_ALIGN * BLOCKS_ALIGN;
    return whole < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : (uint32_t)whole;
}

size_t blocks_cost(size_t bytes)
{
    uint32_t block_bytes = block_bytes_for(bytes);
    return block_bytes != 0 ? block_bytes : SIZE_MAX;
}

/* How much to leave in front, so that what is handed out is aligned: nothing, or a whole block. */
static uint32_t gap_before(const struct block *block, size_t alignment)
{
    uintptr_t handed_out = (uintptr_t)block + BLOCKS_HEADER_BYTES;
    uintptr_t gap = (0 - handed_out) & (alignment - 1);
    while (gap != 0 && gap < BLOCK_BYTES_MIN) {
        gap += alignment;
    }
    return (uint32_t)gap;
}

/* Moves the start of a block that is in no list, and frees what is in front. */
static struct block *cut_gap(struct blocks *blocks, struct block *block, uint32_t gap)
{
    uint32_t bytes = block->bytes - gap;
    struct block *moved = block_at(blocks, distance_of(blocks, block) + gap);
    moved->dirty = lesser(block->dirty, bytes);
    moved->prev_bytes = gap;
    shape(blocks, moved, bytes, STATE_TAKEN);
    (void)make_free(blocks, block, gap, lesser(block->dirty, gap));
    return moved;
}

void *blocks_take(struct blocks *blocks, size_t bytes, size_t alignment)
{
    CHECK(alignment != 0 && (alignment & (alignment - 1)) == 0);
    uint32_t block_bytes = block_bytes_for(bytes);
    if (block_bytes == 0 || alignment > BLOCKS_BYTES_MAX / 4) {
        return NULL;
    }
    uint32_t spare = alignment > BLOCKS_ALIGN ? (uint32_t)alignment + BLOCK_BYTES_MIN : 0;
    struct block *block = find_free(blocks, block_bytes + spare);
    if (block == NULL) {
        return NULL;
    }
    unlist_free(blocks, block);
    uint32_t gap = gap_before(block, alignment);
    if (gap != 0) {
        shape(blocks, block, block->bytes, STATE_TAKEN); /* not to be joined meanwhile */
        block = cut_gap(blocks, block, gap);
    }
    take_front(blocks, block, block_bytes, block->dirty);
    blocks->bytes_used += block->bytes;
    return (char *)block + BLOCKS_HEADER_BYTES;
}

/* The header of what was handed out, found to be whole. */
static struct block *taken_block(const struct blocks *blocks, const void *ptr)
{
    uintptr_t distance = (uintptr_t)ptr - (uintptr_t)blocks->base;
    CHECK(distance % BLOCKS_ALIGN == 0);
    CHECK(distance >= FIRST_BYTES + BLOCKS_HEADER_BYTES && distance < blocks->end);
    struct block *block = block_at(blocks, (uint32_t)distance - BLOCKS_HEADER_BYTES);
    bool is_given_back_twice = is_sealed(blocks, block, STATE_FREE);
    CHECK(!is_given_back_twice);
    bool header_is_whole = is_sealed(blocks, block, STATE_TAKEN);
    CHECK(header_is_whole);
    const struct block *next = next_block(blocks, block);
    bool header_behind_is_whole =
        next == NULL ||
        (next->prev_bytes == block->bytes &&
         (is_sealed(blocks, next, STATE_TAKEN) || is_sealed(blocks, next, STATE_FREE)));
    CHECK(header_behind_is_whole);
    return block;
}

/* Free blocks of that much idle memory are reported once, then count as clean. */
static struct blocks_idle take_idle(struct block *block)
{
    if (block->dirty < BLOCKS_IDLE_BYTES) {
        return (struct blocks_idle){NULL, 0};
    }
    block->dirty = 0;
    return (struct blocks_idle){block + 1, block->bytes - sizeof(*block)};
}

struct blocks_idle blocks_give(struct blocks *blocks, void *ptr)
{
    struct block *block = taken_block(blocks, ptr);
    blocks->bytes_used -= block->bytes;
    return take_idle(make_free(blocks, block, block->bytes, block->bytes));
}

bool blocks_resize(struct blocks *blocks, void *ptr, size_t bytes)
{
    struct block *block = taken_block(blocks, ptr);
    uint32_t old_bytes = block->bytes;
    uint32_t new_bytes = block_bytes_for(bytes);
    if (new_bytes == 0) {
        return false;
    }
    uint32_t dirty = old_bytes > new_bytes ? old_bytes - new_bytes : 0; /* of the part cut off */
    if (new_bytes > old_bytes) {
        struct block *next = next_block(blocks, block);
        if (next == NULL || !is_sealed(blocks, next, STATE_FREE) ||
            next->bytes < new_bytes - old_bytes) {
            return false;
        }
        unlist_free(blocks, next);
        dirty = next->dirty;
        shape(blocks, block, old_bytes + next->bytes, STATE_TAKEN);
    }
    take_front(blocks, block, new_bytes, dirty);
    blocks->bytes_used = blocks->bytes_used - old_bytes + block->bytes;
    return true;
}

size_t blocks_bytes_at(const struct blocks *blocks, const void *ptr)
{
    return taken_block(blocks, ptr)->bytes - BLOCKS_HEADER_BYTES;
}

/* ---- verifying ------------------------------------------------------------------------------- */

static bool is_listed(const struct blocks *blocks, const struct block *block)
{
    struct class class = class_of(block->bytes);
    uint32_t at = blocks->first_free[class.power][class.step];
    while (at != 0 && block_at(blocks, at) != block) {
        at = block_at(blocks, at)->next_free;
    }
    return at != 0 && (blocks->class_bits >> class.power & 1) != 0 &&
           (blocks->step_bits[class.power] >> class.step & 1) != 0;
}

void blocks_verify(const struct blocks *blocks)
{
    size_t used = 0;
    uint32_t prev_bytes = 0;
    bool is_prev_free = false;
    if (blocks->end == 0) {
        return;
    }
    const struct block *block = block_at(blocks, FIRST_BYTES);
    const struct block *last = NULL;
    for (; block != NULL; block = next_block(blocks, block)) {
        bool is_free = is_sealed(blocks, block, STATE_FREE);
        CHECK(is_free || is_sealed(blocks, block, STATE_TAKEN));
        CHECK(block->bytes >= BLOCK_BYTES_MIN && block->bytes % BLOCKS_ALIGN == 0);
        CHECK(block->prev_bytes == prev_bytes);
        CHECK(!(is_free && is_prev_free));
        CHECK(!is_free || is_listed(blocks, block));
        CHECK(!is_free || block->dirty <= block->bytes);
        used += is_free ? 0 : block->bytes;
        prev_bytes = block->bytes;
        is_prev_free = is_free;
        last = block;
    }
    CHECK(used == blocks->bytes_used);
    CHECK(last != NULL && blocks->last == distance_of(blocks, last));
}
