/*
 * region.h - the memory of the whole process, sized once from the config.
 *
 * At start: region_plan() rows add up what each part needs; main maps that much (os/) and carves
 * the parts; then the region is sealed and nothing can be carved any more. The rows are the budget
 * table that `ecilet run --print-budget` prints.
 */
#ifndef ECILET_BASE_REGION_H
#define ECILET_BASE_REGION_H

#include "base/buf.h"
#include "base/err.h"

#define REGION_ROWS_MAX 96

struct region_row {
    const char *name; /* static text, e.g. "pods" */
    size_t count;
    size_t each_bytes;
};

struct region {
    char *ptr; /* NULL while planning */
    size_t bytes_max;
    size_t used;
    struct region_row rows[REGION_ROWS_MAX];
    uint32_t rows_count;
    bool is_sealed;
};

/*
 * Two passes over the same code: with memory == NULL the region only adds up (carve returns NULL)
 * and region->used is the size to map; with memory it hands out the parts, 64-byte aligned.
 *
 * memory   64-byte aligned and zero-filled, as os_map() gives it: what has not been used yet is not
 *          touched, so a generous budget costs no resident memory
 */
void region_init(struct region *region, void *memory, size_t bytes_max);
void *region_carve(struct region *region, const char *name, size_t count, size_t each_bytes);
void region_seal(struct region *region);

/* A table for people: name, count, bytes each, total; and the grand total. */
void region_print(const struct region *region, struct buf *out);

#endif
