/* see index.h: open addressing, linear probing, graves for dropped entries */
#include "index.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

struct index_entry {
    const char *key; /* NULL: free, or a grave when thing is not NULL */
    void *thing;
    uint64_t hash;
};

static char grave;

uint64_t index_hash(const char *key, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t at = 0; at < bytes; at++) {
        hash = (hash ^ (unsigned char)key[at]) * 0x100000001b3u;
    }
    return hash;
}

static struct index_entry *find_entry(const struct index *index, const char *key, uint64_t hash)
{
    if (index->room == 0) {
        return NULL;
    }
    for (size_t at = hash & (index->room - 1);; at = (at + 1) & (index->room - 1)) {
        struct index_entry *entry = &index->entries[at];
        if (entry->key == NULL && entry->thing == NULL) {
            return NULL;
        }
        if (entry->key != NULL && entry->hash == hash && strcmp(entry->key, key) == 0) {
            return entry;
        }
    }
}

void *index_find(const struct index *index, const char *key)
{
    struct index_entry *entry = find_entry(index, key, index_hash(key, strlen(key)));
    return entry == NULL ? NULL : entry->thing;
}

static void place(struct index *index, struct index_entry entry)
{
    size_t at = entry.hash & (index->room - 1);
    while (index->entries[at].key != NULL || index->entries[at].thing != NULL) {
        at = (at + 1) & (index->room - 1);
    }
    index->entries[at] = entry;
    index->used++;
}

static void grow(struct index *index)
{
    struct index old = *index;
    index->room = 64;
    while (index->room < 4 * (old.count + 1)) {
        index->room *= 2;
    }
    index->entries = text_grab(NULL, index->room * sizeof *index->entries);
    memset(index->entries, 0, index->room * sizeof *index->entries);
    index->used = 0;
    for (size_t at = 0; at < old.room; at++) {
        if (old.entries[at].key != NULL) {
            place(index, old.entries[at]);
        }
    }
    free(old.entries);
}

void index_put(struct index *index, const char *key, void *thing)
{
    uint64_t hash = index_hash(key, strlen(key));
    struct index_entry *entry = find_entry(index, key, hash);
    if (entry != NULL) {
        entry->key = key;
        entry->thing = thing;
        return;
    }
    if (2 * (index->used + 1) > index->room) {
        grow(index);
    }
    place(index, (struct index_entry){.key = key, .thing = thing, .hash = hash});
    index->count++;
}

void index_drop(struct index *index, const char *key)
{
    struct index_entry *entry = find_entry(index, key, index_hash(key, strlen(key)));
    if (entry != NULL) {
        entry->key = NULL;
        entry->thing = &grave;
        index->count--;
    }
}

void *index_next(const struct index *index, size_t *at)
{
    while (*at < index->room) {
        struct index_entry *entry = &index->entries[(*at)++];
        if (entry->key != NULL) {
            return entry->thing;
        }
    }
    return NULL;
}

void index_free(struct index *index)
{
    free(index->entries);
    *index = (struct index){0};
}
