/*
 * heap_blocks.h - which parts of one range of memory are taken: the book-keeping of os/heap.c,
 * without system calls, locks or limits, so that it can be tested anywhere.
 *
 * Two-level segregated fit (Masmano, Ripoll, Crespo, Real: "TLSF: a new dynamic memory allocator
 * for real-time systems", 2004): free blocks hang in lists by size class, 16 classes to a power of
 * two, and two bit maps find a large enough one at once. Every operation is O(1). Neighbours that
 * are free are joined (boundary tags, Knuth, TAOCP vol. 1, 2.5), so no two free blocks ever touch.
 *
 * Each block has a header of 16 bytes with a seal over its place, size and state. A CHECK fails
 * when something is given back twice, was never taken, or when a neighbour has written over the
 * header.
 */
#ifndef ECILET_OS_HEAP_BLOCKS_H
#define ECILET_OS_HEAP_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCKS_ALIGN 16             /* of all that is handed out, and of the range */
#define BLOCKS_HEADER_BYTES 16      /* in front of each */
#define BLOCKS_BYTES_MAX (1u << 27) /* of the range; sizes are kept in 32 bits */
#define BLOCKS_CLASSES 20 /* powers of two, from 256 bytes up; the first is for all below */
#define BLOCKS_STEPS 16   /* linear steps within one */

/* A free block with this much memory in it that the kernel could have back is worth a call. */
#define BLOCKS_IDLE_BYTES (64 * 1024)

struct blocks {
    char *base;
    uint32_t end;        /* bytes from base that may be used */
    uint32_t last;       /* the block before `end`; 0 = none */
    size_t bytes_used;   /* taken, with headers */
    uint32_t class_bits; /* classes that have a free block */
    uint32_t step_bits[BLOCKS_CLASSES];
    uint32_t first_free[BLOCKS_CLASSES][BLOCKS_STEPS]; /* distance from base, 0 = none */
};

/* Memory inside a free block that has been used and is not needed now. */
struct blocks_idle {
    void *ptr;
    size_t bytes; /* 0 = nothing worth a call */
};

/* memory is aligned to BLOCKS_ALIGN; nothing of it is used before blocks_extend(). */
void blocks_init(struct blocks *blocks, void *memory);
/* The next `bytes` (a multiple of BLOCKS_ALIGN, at least 64) of the range may be used now. */
void blocks_extend(struct blocks *blocks, size_t bytes);

/* alignment is a power of two. NULL when no free block is large enough: extend and try again. */
void *blocks_take(struct blocks *blocks, size_t bytes, size_t alignment);
struct blocks_idle blocks_give(struct blocks *blocks, void *ptr);
/* In place; false (nothing changed) when the room behind does not suffice. */
bool blocks_resize(struct blocks *blocks, void *ptr, size_t bytes);

/* How many bytes may be used behind ptr: at least what was asked for. */
size_t blocks_bytes_at(const struct blocks *blocks, const void *ptr);
/* What taking so many bytes adds to bytes_used (without alignment); SIZE_MAX when impossible. */
size_t blocks_cost(size_t bytes);
/* CHECKs every block, list and bit map. For tests; O(blocks). */
void blocks_verify(const struct blocks *blocks);

#endif
