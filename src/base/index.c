/* see index.h. Linear probing at a load of at most one half; deletion after Knuth, TAOCP vol. 3,
 * 6.4, algorithm R. */
#include "base/index.h"

#include "base/check.h"
#include "base/region.h"

/* Tables of 32, 64, 128 ... cells, one behind the other: all but the largest together are as large
 * as the largest. */
void index_init(struct index *ix, struct region *region, const char *name, uint32_t count_max)
{
    CHECK(count_max <= UINT32_MAX / 8);
    uint32_t cells_max = INDEX_CELLS_MIN;
    while (cells_max < 2 * count_max) {
        cells_max *= 2;
    }
    /* The region's memory is zeroed, and a zeroed cell is free. */
    *ix = (struct index){
        .cells =
            region_carve(region, name, 2 * cells_max - INDEX_CELLS_MIN, sizeof(struct index_cell)),
        .cells_count = INDEX_CELLS_MIN,
        .cells_max = cells_max,
        .count_max = count_max,
    };
}

static bool is_free(const struct index *ix, uint32_t at)
{
    return handle_is_none(ix->cells[at].value);
}

static uint32_t next_cell(const struct index *ix, uint32_t at)
{
    return (at + 1) & (ix->cells_count - 1);
}

static uint32_t fold(uint64_t hash)
{
    return (uint32_t)(hash ^ hash >> 32);
}

/* Multiplied (Fibonacci hashing), so that poor hashes such as small numbers spread too. */
static uint32_t home_cell(const struct index *ix, uint32_t hash)
{
    return (uint32_t)(hash * 0x9E3779B97F4A7C15ULL >> 32) & (ix->cells_count - 1);
}

/* How far the entry at `at` has been pushed from its home. */
static uint32_t distance_from_home(const struct index *ix, uint32_t at)
{
    return (at - home_cell(ix, ix->cells[at].hash)) & (ix->cells_count - 1);
}

static void put(struct index *ix, struct index_cell cell)
{
    uint32_t at = home_cell(ix, cell.hash);
    while (!is_free(ix, at)) {
        CHECK(ix->cells[at].hash != cell.hash || !handle_eq(ix->cells[at].value, cell.value));
        at = next_cell(ix, at);
    }
    ix->cells[at] = cell;
}

static void grow(struct index *ix)
{
    const struct index_cell *old = ix->cells;
    uint32_t old_count = ix->cells_count;
    CHECK(old_count < ix->cells_max); /* the largest table is half empty at count_max */
    ix->cells += old_count;
    ix->cells_count *= 2;
    for (uint32_t i = 0; i < old_count; i++) {
        if (!handle_is_none(old[i].value)) {
            put(ix, old[i]);
        }
    }
}

enum err index_add(struct index *ix, uint64_t key, handle value)
{
    CHECK(!handle_is_none(value));
    if (ix->count == ix->count_max) {
        return ERR_FULL;
    }
    if (ix->count >= ix->cells_count / 2) {
        grow(ix);
    }
    put(ix, (struct index_cell){fold(key), value});
    ix->count++;
    return ERR_OK;
}

bool index_find(const struct index *ix, uint64_t key, uint32_t *at, handle *value)
{
    uint32_t hash = fold(key);
    CHECK(*at == INDEX_START || *at < ix->cells_count);
    uint32_t cell = *at == INDEX_START ? home_cell(ix, hash) : next_cell(ix, *at);
    for (; !is_free(ix, cell); cell = next_cell(ix, cell)) {
        if (ix->cells[cell].hash == hash) {
            *at = cell;
            *value = ix->cells[cell].value;
            return true;
        }
    }
    return false;
}

/* Frees a cell and closes the gap: entries further on that may move nearer to their home do. */
static void remove_cell(struct index *ix, uint32_t gap)
{
    for (uint32_t at = next_cell(ix, gap); !is_free(ix, at); at = next_cell(ix, at)) {
        uint32_t distance_to_gap = (at - gap) & (ix->cells_count - 1);
        if (distance_from_home(ix, at) >= distance_to_gap) {
            ix->cells[gap] = ix->cells[at];
            gap = at;
        }
    }
    ix->cells[gap] = (struct index_cell){0, HANDLE_NONE};
    ix->count--;
}

bool index_remove(struct index *ix, uint64_t hash, handle value)
{
    uint32_t at = INDEX_START;
    handle found;
    while (index_find(ix, hash, &at, &found)) {
        if (handle_eq(found, value)) {
            remove_cell(ix, at);
            return true;
        }
    }
    return false;
}
