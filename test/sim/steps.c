/* steps.c - the heap of what happens next, and chance. See world.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

static bool is_before(const struct world_step *a, const struct world_step *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void heap_push(struct world *world, struct world_step *step)
{
    if (world->steps_count == WORLD_STEPS_MAX) {
        fprintf(stderr, "sim: more than %d steps waiting\n", WORLD_STEPS_MAX);
        abort();
    }
    uint32_t i = world->steps_count++;
    for (; i > 0 && is_before(step, world->steps[(i - 1) / 2]); i = (i - 1) / 2) {
        world->steps[i] = world->steps[(i - 1) / 2];
    }
    world->steps[i] = step;
}

struct world_step *world_step_pop(struct world *world)
{
    struct world_step *first = world->steps[0];
    struct world_step *last = world->steps[--world->steps_count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < world->steps_count &&
            is_before(world->steps[child + 1], world->steps[child])) {
            child++;
        }
        if (child >= world->steps_count || !is_before(world->steps[child], last)) {
            break;
        }
        world->steps[i] = world->steps[child];
        i = child;
    }
    world->steps[i] = last;
    return first;
}

struct world_step *world_step_new(struct world *world, enum step_kind kind, msec delay_ms)
{
    struct world_step *step = calloc(1, sizeof *step);
    step->kind = kind;
    step->at_ms = world->now_ms + delay_ms;
    step->order = world->order_next++;
    heap_push(world, step);
    return step;
}

void world_step_again(struct world *world, struct world_step *step, msec at_ms)
{
    step->at_ms = at_ms;
    heap_push(world, step); /* with its old order: what came first stays first */
}

void world_step_free(struct world_step *step)
{
    free(step->rows);
    free(step);
}

bool world_chance(struct world *world, uint32_t per_mille)
{
    return !world->is_healed && per_mille > 0 && prng_below(&world->prng, 1000) < per_mille;
}

msec world_up_to(struct world *world, msec max_ms)
{
    return 1 + (msec)prng_below(&world->prng, (uint64_t)(max_ms > 0 ? max_ms : 1));
}

msec world_delay(struct world *world)
{
    return world_up_to(world, world->is_healed ? 20 : world->options.delay_max_ms);
}

void world_broken(struct world *world, const char *format, ...)
{
    world->figures.violations++;
    if (world->violation[0] != '\0') {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(world->violation, sizeof world->violation, format, args);
    va_end(args);
}

void world_digest(struct world *world, uint64_t value)
{
    world->digest = (world->digest ^ value) * UINT64_C(0x100000001B3);
}
