/* see due.h */
#include "base/due.h"

#include "base/check.h"

void due_init(struct due *due, struct region *region, const char *name, uint32_t count_max)
{
    CHECK(count_max < UINT32_MAX);
    *due = (struct due){
        .items = region_carve(region, name, count_max, sizeof(struct due_item *)),
        .count_max = count_max,
    };
}

static bool is_before(const struct due_item *a, const struct due_item *b)
{
    return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->order < b->order);
}

static void put_at(struct due *due, uint32_t at, struct due_item *item)
{
    due->items[at] = item;
    item->place = at + 1;
}

/* Moves the hole at `at` towards the root until item may fill it. */
static void sift_up(struct due *due, uint32_t at, struct due_item *item)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / 2;
        if (!is_before(item, due->items[parent])) {
            break;
        }
        put_at(due, at, due->items[parent]);
        at = parent;
    }
    put_at(due, at, item);
}

/* The same towards the leaves. */
static void sift_down(struct due *due, uint32_t at, struct due_item *item)
{
    for (;;) {
        uint64_t child = 2 * (uint64_t)at + 1;
        if (child >= due->count) {
            break;
        }
        uint32_t least = (uint32_t)child;
        if (least + 1 < due->count && is_before(due->items[least + 1], due->items[least])) {
            least++;
        }
        if (!is_before(due->items[least], item)) {
            break;
        }
        put_at(due, at, due->items[least]);
        at = least;
    }
    put_at(due, at, item);
}

static void settle(struct due *due, uint32_t at, struct due_item *item)
{
    if (at > 0 && is_before(item, due->items[(at - 1) / 2])) {
        sift_up(due, at, item);
    } else {
        sift_down(due, at, item);
    }
}

static bool is_in_place(const struct due *due, const struct due_item *item)
{
    return item->place <= due->count && due->items[item->place - 1] == item;
}

void due_set(struct due *due, struct due_item *item, msec at_ms)
{
    uint32_t at;
    if (due_is_set(item)) {
        CHECK(is_in_place(due, item));
        at = item->place - 1;
    } else {
        CHECK(due->count < due->count_max);
        at = due->count++;
    }
    item->at_ms = at_ms;
    item->order = due->order_next++;
    settle(due, at, item);
}

void due_clear(struct due *due, struct due_item *item)
{
    if (!due_is_set(item)) {
        return;
    }
    CHECK(is_in_place(due, item));
    uint32_t at = item->place - 1;
    struct due_item *last = due->items[--due->count];
    item->place = 0;
    if (last != item) {
        settle(due, at, last);
    }
}

struct due_item *due_pop(struct due *due, msec now_ms)
{
    if (due->count == 0 || due->items[0]->at_ms > now_ms) {
        return NULL;
    }
    struct due_item *item = due->items[0];
    due_clear(due, item);
    return item;
}

msec due_next_ms(const struct due *due)
{
    return due->count > 0 ? due->items[0]->at_ms : INT64_MAX;
}
