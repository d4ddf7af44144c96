/*
 * see pool.h
 *
 * Nothing is written to a slot or its book-keeping before its first use: freed slots are preferred
 * to fresh ones, so count_peak is also the number of slots ever touched. A large pool of which
 * little is used costs little resident memory, and the memory need not be zeroed.
 */
#include "base/pool.h"

#include "base/check.h"
#include "base/region.h"

#define SLOT_ALIGN 16

static uint64_t takes_until_failure; /* 0 = never */

void pool_fail_at(uint64_t countdown)
{
    takes_until_failure = countdown;
}

void pool_init(struct pool *pool, struct region *region, const char *name, uint32_t count_max,
               size_t slot_bytes)
{
    CHECK(count_max < UINT32_MAX);
    CHECK(slot_bytes > 0 && slot_bytes <= UINT32_MAX - SLOT_ALIGN);
    slot_bytes = (slot_bytes + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
    /* One part for slots, generations and free list, so that the budget shows one row per pool. */
    char *memory = region_carve(region, name, count_max, slot_bytes + 2 * sizeof(uint32_t));
    *pool = (struct pool){
        .slots = memory, .count_max = count_max, .slot_bytes = (uint32_t)slot_bytes, .name = name};
    if (memory != NULL) {
        pool->generations = (uint32_t *)(void *)(memory + count_max * slot_bytes);
        pool->next_free = pool->generations + count_max;
    }
}

static bool is_taken(const struct pool *pool, uint32_t index)
{
    return index < pool->count_peak && pool->generations[index] % 2 == 1;
}

static char *slot_at(const struct pool *pool, uint32_t index)
{
    return pool->slots + (size_t)index * pool->slot_bytes;
}

static handle handle_at(const struct pool *pool, uint32_t index)
{
    return (handle){index + 1, pool->generations[index]};
}

enum err pool_take(struct pool *pool, handle *out)
{
    CHECK(pool->slots != NULL || pool->count_max == 0);
    bool is_injected = takes_until_failure != 0 && --takes_until_failure == 0;
    if (is_injected || pool->count == pool->count_max) {
        pool->refused++;
        return ERR_FULL;
    }
    uint32_t index;
    if (pool->first_free != 0) {
        index = pool->first_free - 1;
        pool->first_free = pool->next_free[index];
        CHECK(pool->generations[index] % 2 == 0);
    } else {
        CHECK(pool->count == pool->count_peak);
        index = pool->count_peak++;
        pool->generations[index] = 0;
    }
    pool->generations[index]++;
    pool->count++;
    memset(slot_at(pool, index), 0, pool->slot_bytes);
    *out = handle_at(pool, index);
    return ERR_OK;
}

void *pool_at(const struct pool *pool, handle h)
{
    if (handle_is_none(h) || !is_taken(pool, h.slot - 1) ||
        pool->generations[h.slot - 1] != h.generation) {
        return NULL;
    }
    return slot_at(pool, h.slot - 1);
}

void pool_give(struct pool *pool, handle h)
{
    CHECK(pool_at(pool, h) != NULL);
    uint32_t index = h.slot - 1;
    pool->generations[index]++;
    pool->next_free[index] = pool->first_free;
    pool->first_free = index + 1;
    pool->count--;
}

handle pool_handle_of(const struct pool *pool, const void *slot)
{
    CHECK((const char *)slot >= pool->slots);
    size_t offset = (size_t)((const char *)slot - pool->slots);
    CHECK(offset % pool->slot_bytes == 0);
    CHECK(offset / pool->slot_bytes < pool->count_peak);
    uint32_t index = (uint32_t)(offset / pool->slot_bytes);
    CHECK(is_taken(pool, index));
    return handle_at(pool, index);
}

static handle first_taken_from(const struct pool *pool, uint32_t index)
{
    for (; index < pool->count_peak; index++) {
        if (is_taken(pool, index)) {
            return handle_at(pool, index);
        }
    }
    return HANDLE_NONE;
}

handle pool_first(const struct pool *pool)
{
    return first_taken_from(pool, 0);
}

handle pool_after(const struct pool *pool, handle h)
{
    return first_taken_from(pool, h.slot); /* slot is index + 1: the next index */
}
