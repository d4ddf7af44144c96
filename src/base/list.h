/*
 * list.h - intrusive doubly linked list. The node lives inside its owner; a node is in at most one
 * list; a zeroed node is in none. All operations O(1).
 */
#ifndef ECILET_BASE_LIST_H
#define ECILET_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct list_node {
    struct list_node *prev, *next; /* both NULL when in no list */
};

struct list {
    struct list_node head; /* ring; points to itself when empty */
    uint32_t count;
};

void list_init(struct list *list);
void list_push_back(struct list *list, struct list_node *node);  /* node must be in no list */
void list_push_front(struct list *list, struct list_node *node); /* likewise */
void list_remove(struct list *list, struct list_node *node);     /* node must be in this list */
struct list_node *list_pop_front(struct list *list);             /* NULL when empty */
struct list_node *list_front(const struct list *list);           /* NULL when empty */
struct list_node *list_after(const struct list *list, const struct list_node *node); /* or NULL */

static inline bool list_has(const struct list_node *node)
{
    return node->next != NULL;
}

#define LIST_OWNER(node, type, member) \
    ((type *)(void *)((char *)(node) - offsetof(type, member)))

#endif
