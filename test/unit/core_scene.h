/*
 * core_scene.h - a brain in an otherwise empty world, for scenes of a few facts: what it is given,
 * what it wants next, and how that went.
 */
#ifndef ECILET_TEST_CORE_SCENE_H
#define ECILET_TEST_CORE_SCENE_H

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "brain_open.h"
#include "core/brain.h"

struct scene {
    struct brain brain;
    void *memory;
    msec now_ms;
};

/* "eci-7", in memory. */
static inline const char *numbered(char memory[static 16], const char *prefix, uint32_t number)
{
    (void)snprintf(memory, 16, "%s%u", prefix, number);
    return memory;
}

static inline void scene_open_with(struct scene *scene, uint32_t pods_max)
{
    const struct brain_config config = brain_usual(pods_max, 8);
    memset(scene, 0, sizeof *scene);
    scene->now_ms = 1000;
    scene->memory = brain_open(&scene->brain, &config, scene->now_ms);
}

static inline void scene_open(struct scene *scene)
{
    scene_open_with(scene, 16);
}

static inline void scene_close(struct scene *scene)
{
    free(scene->memory);
}

static inline void pass(struct scene *scene, msec ms)
{
    scene->now_ms += ms;
}

static inline void give(struct scene *scene, const char *uid, enum pod_phase phase, bool is_leaving)
{
    const struct pod_news news = {.uid = str_of(uid),
                                  .name_space = S("web"),
                                  .name = str_of(uid),
                                  .phase = phase,
                                  .is_leaving = is_leaving,
                                  .is_described = true};
    assert_int_equal(brain_pod_seen(&scene->brain, &news, scene->now_ms, NULL), ERR_OK);
}

static inline void list_nothing(struct scene *scene)
{
    brain_list_begin(&scene->brain, scene->now_ms);
    brain_list_end(&scene->brain, true, scene->now_ms);
}

/* The status says that the pod waits: written. */
static inline bool is_wait_told(struct scene *scene, const struct effect *effect)
{
    const struct pod *pod = brain_pod(&scene->brain, effect->pod);
    if (effect->kind != EFFECT_SAY || strcmp(pod->say_reason, "Waiting") != 0) {
        return false;
    }
    brain_say_done(&scene->brain, effect->pod, ERR_OK, &pod->past, scene->now_ms);
    return true;
}

/* The next effect of this kind; polls that come first are answered with nothing new. */
static inline struct effect expect(struct scene *scene, enum effect_kind kind)
{
    struct effect effect;
    for (int i = 0; i < 20 && brain_next(&scene->brain, scene->now_ms, &effect); i++) {
        if (effect.kind == kind) {
            return effect;
        }
        assert_true(effect.kind == EFFECT_DELTA || effect.kind == EFFECT_SWEEP ||
                    is_wait_told(scene, &effect));
        if (effect.kind == EFFECT_DELTA) {
            brain_delta_done(&scene->brain, ERR_OK, effect.started_ms, scene->now_ms);
        }
    }
    fail_msg("no effect \"%s\" came", effect_name(kind));
    return effect;
}

/* Nothing but polls is wanted. */
static inline void expect_silence(struct scene *scene)
{
    struct effect effect;
    for (int i = 0; i < 20 && brain_next(&scene->brain, scene->now_ms, &effect); i++) {
        if (effect.kind == EFFECT_DELTA) {
            brain_delta_done(&scene->brain, ERR_OK, effect.started_ms, scene->now_ms);
        } else if (effect.kind != EFFECT_SWEEP) {
            fail_msg("unexpected effect \"%s\": %s", effect_name(effect.kind), effect.why);
        } else {
            brain_sweep_done(&scene->brain, ERR_TIMEOUT, false, 0, effect.started_ms,
                             scene->now_ms);
            return;
        }
    }
}

static inline void tag(struct scene *scene, const char *id, const char *uid, uint32_t attempt)
{
    const struct tag_facts tags = {.uid = str_of(uid),
                                   .name_space = S("web"),
                                   .name = str_of(uid),
                                   .attempt = attempt,
                                   .is_ours = true};
    struct group *group = brain_find_group(&scene->brain, str_of(id));
    assert_non_null(group);
    brain_tags_seen(&scene->brain, group, &tags, scene->now_ms);
}

/* With the time at which the cloud says it was made. */
static inline void tag_made(struct scene *scene, const char *id, const char *uid, uint32_t attempt,
                            int64_t made_s)
{
    const struct tag_facts tags = {.uid = str_of(uid),
                                   .name_space = S("web"),
                                   .name = str_of(uid),
                                   .attempt = attempt,
                                   .created_unix_s = made_s,
                                   .is_ours = true};
    struct group *group = brain_find_group(&scene->brain, str_of(id));
    assert_non_null(group);
    brain_tags_seen(&scene->brain, group, &tags, scene->now_ms);
}

/* A complete sweep that shows these groups (all Running), NULL at the end. */
static inline void sweep(struct scene *scene, const char *const *ids)
{
    if (scene->brain.sweep_at_ms > scene->now_ms) {
        scene->now_ms = scene->brain.sweep_at_ms;
    }
    struct effect effect = expect(scene, EFFECT_SWEEP);
    uint32_t rows = 0;
    for (; ids[rows] != NULL; rows++) {
        assert_non_null(brain_row_seen(&scene->brain, str_of(ids[rows]), ECI_STATUS_RUNNING, 77,
                                       effect.started_ms, scene->now_ms));
    }
    brain_sweep_done(&scene->brain, ERR_OK, true, rows, effect.started_ms, scene->now_ms);
}

static const char *const nothing[] = {NULL};

/* Both the cluster and the cloud were read, and are empty. */
static inline void open_running(struct scene *scene)
{
    scene_open(scene);
    list_nothing(scene);
    sweep(scene, nothing);
}

/* The pod a runs, and its group is eci-1. */
static inline void open_with_group(struct scene *scene)
{
    open_running(scene);
    give(scene, "a", POD_PHASE_PENDING, false);
    struct effect effect = expect(scene, EFFECT_CREATE);
    brain_create_done(&scene->brain, effect.pod, CREATE_ACCEPTED, ERR_OK, S("eci-1"), STR_NONE,
                      scene->now_ms);
    (void)brain_row_seen(&scene->brain, S("eci-1"), ECI_STATUS_RUNNING, 77, scene->now_ms,
                         scene->now_ms);
    struct pod *pod = brain_find_pod(&scene->brain, S("a"));
    pod->phase = POD_PHASE_RUNNING;
    pod->reported_row = 77;
    expect_silence(scene);
}

/* Takes all events. */
static inline uint32_t count_events(struct scene *scene, const char *reason)
{
    struct brain_event event;
    uint32_t count = 0;
    while (brain_take_event(&scene->brain, &event)) {
        count += strcmp(event.reason, reason) == 0;
    }
    return count;
}

#endif
