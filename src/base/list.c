/* see list.h */
#include "base/list.h"

#include "base/check.h"

void list_init(struct list *list)
{
    list->head.prev = &list->head;
    list->head.next = &list->head;
    list->count = 0;
}

static void insert_between(struct list *list, struct list_node *prev, struct list_node *node,
                           struct list_node *next)
{
    CHECK(!list_has(node));
    CHECK(prev->next == next && next->prev == prev);
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
    list->count++;
}

void list_push_back(struct list *list, struct list_node *node)
{
    insert_between(list, list->head.prev, node, &list->head);
}

void list_push_front(struct list *list, struct list_node *node)
{
    insert_between(list, &list->head, node, list->head.next);
}

void list_remove(struct list *list, struct list_node *node)
{
    CHECK(list_has(node) && list->count > 0);
    CHECK(node->prev->next == node && node->next->prev == node);
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->prev = NULL;
    node->next = NULL;
    list->count--;
}

struct list_node *list_pop_front(struct list *list)
{
    struct list_node *node = list_front(list);
    if (node != NULL) {
        list_remove(list, node);
    }
    return node;
}

struct list_node *list_front(const struct list *list)
{
    return list_after(list, &list->head);
}

struct list_node *list_after(const struct list *list, const struct list_node *node)
{
    return node->next != &list->head ? node->next : NULL;
}
