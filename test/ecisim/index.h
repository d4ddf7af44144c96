/*
 * A hash index from text to thing. Keys are borrowed: they must live as long as their entry,
 * which they do when they are a member of the thing. All zero is the empty index.
 */
#ifndef ECISIM_INDEX_H
#define ECISIM_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct index {
    struct index_entry *entries;
    size_t room; /* a power of two, or 0 */
    size_t used; /* entries and graves */
    size_t count;
};

uint64_t index_hash(const char *key, size_t bytes);           /* FNV-1a */
void *index_find(const struct index *index, const char *key); /* NULL when absent */
/* Add or replace. */
void index_put(struct index *index, const char *key, void *thing);
void index_drop(struct index *index, const char *key);
/* Walk: start with *at = 0; NULL at the end. The index must not change meanwhile. */
void *index_next(const struct index *index, size_t *at);
void index_free(struct index *index);

#endif
