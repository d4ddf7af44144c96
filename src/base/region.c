/* see region.h */
#include "base/region.h"

#include "base/check.h"

#define REGION_ALIGN 64 /* a cache line */

void region_init(struct region *region, void *memory, size_t bytes_max)
{
    CHECK((uintptr_t)memory % REGION_ALIGN == 0);
    *region = (struct region){.ptr = memory, .bytes_max = memory != NULL ? bytes_max : SIZE_MAX};
}

static size_t row_bytes(const struct region_row *row)
{
    return row->count * row->each_bytes;
}

void *region_carve(struct region *region, const char *name, size_t count, size_t each_bytes)
{
    size_t bytes, padded, used;
    CHECK(!region->is_sealed);
    CHECK(region->rows_count < REGION_ROWS_MAX);
    CHECK(!__builtin_mul_overflow(count, each_bytes, &bytes));
    CHECK(!__builtin_add_overflow(bytes, (size_t)REGION_ALIGN - 1, &padded));
    padded -= padded % REGION_ALIGN;
    CHECK(!__builtin_add_overflow(region->used, padded, &used));
    CHECK(used <= region->bytes_max);

    char *part = region->ptr != NULL ? region->ptr + region->used : NULL;
    region->used = used;
    region->rows[region->rows_count++] = (struct region_row){name, count, each_bytes};
    return part;
}

void region_seal(struct region *region)
{
    CHECK(!region->is_sealed);
    region->is_sealed = true;
}

void region_print(const struct region *region, struct buf *out)
{
    buf_put_fmt(out, "%-24s %10s %10s %12s\n", "part", "count", "bytes", "total");
    for (uint32_t i = 0; i < region->rows_count; i++) {
        const struct region_row *row = &region->rows[i];
        buf_put_fmt(out, "%-24s %10zu %10zu %12zu\n", row->name, row->count, row->each_bytes,
                    row_bytes(row));
    }
    buf_put_fmt(out, "%-24s %10s %10s %12zu\n", "all", "", "", region->used);
}
