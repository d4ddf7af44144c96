/*
 * loop_jump.h - time passes for a loop, and what becomes due does, without anybody waiting for it.
 */
#ifndef ECILET_TEST_LOOP_JUMP_H
#define ECILET_TEST_LOOP_JUMP_H

#include "base/due.h"
#include "base/list.h"
#include "os/loop.h"

static inline void loop_jump(struct loop *loop, msec ms)
{
    struct due_item *item;
    loop->now_ms += ms;
    while ((item = due_pop(&loop->timers, loop->now_ms)) != NULL) {
        struct loop_timer *timer = LIST_OWNER(item, struct loop_timer, due);
        timer->on_due(timer);
    }
}

#endif
