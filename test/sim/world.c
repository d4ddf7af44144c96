/* See world.h. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/region.h"
#include "base/buf.h"
#include "data/group_read.h"

/* ---- the event heap -------------------------------------------------------------------------- */

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
    world->steps[i] = step;
    while (i > 0 && is_before(world->steps[i], world->steps[(i - 1) / 2])) {
        struct world_step *swap = world->steps[i];
        world->steps[i] = world->steps[(i - 1) / 2];
        world->steps[(i - 1) / 2] = swap;
        i = (i - 1) / 2;
    }
}

static struct world_step *heap_pop(struct world *world)
{
    struct world_step *first = world->steps[0];
    world->steps[0] = world->steps[--world->steps_count];
    for (uint32_t i = 0;;) {
        uint32_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < world->steps_count && is_before(world->steps[left], world->steps[least])) {
            least = left;
        }
        if (right < world->steps_count && is_before(world->steps[right], world->steps[least])) {
            least = right;
        }
        if (least == i) {
            return first;
        }
        struct world_step *swap = world->steps[i];
        world->steps[i] = world->steps[least];
        world->steps[least] = swap;
        i = least;
    }
}

struct world_step *world_step_new(struct world *world, enum step_kind kind, msec delay_ms)
{
    struct world_step *step = calloc(1, sizeof *step);
    step->kind = kind;
    step->at_ms = world->now_ms + delay_ms;
    step->order = world->order_next++;
    step->life = world->life;
    heap_push(world, step);
    return step;
}

static void step_free(struct world_step *step)
{
    free(step->rows);
    free(step);
}

/* ---- chance ---------------------------------------------------------------------------------- */

bool world_chance(struct world *world, uint32_t per_mille)
{
    return !world->is_healed && per_mille > 0 && prng_below(&world->prng, 1000) < per_mille;
}

msec world_delay(struct world *world)
{
    msec max_ms = world->is_healed ? 20 : world->options.delay_max_ms;
    return 1 + (msec)prng_below(&world->prng, (uint64_t)(max_ms > 0 ? max_ms : 1));
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

static void digest(struct world *world, uint64_t value)
{
    world->digest = (world->digest ^ value) * UINT64_C(0x100000001B3);
}

/* ---- the process ----------------------------------------------------------------------------- */

static void brain_make(struct world *world)
{
    const struct brain_config config = {
        .pods_max = world->options.pods_limit,
        .groups_max = world->options.pods_limit * 2 + 64,
        .poll_fast_ms = 2000,
        .poll_slow_ms = 5000,
        .sweep_ms = 60000,
        .absence_ms = 20000,
        .absence_sweeps = 2,
        .young_ms = 60000,
        .brake_percent = 20,
        .brake_min = 5,
        .create_per_minute = 1000,
        .delete_per_minute = 1000,
        .describe_per_minute = 2000,
        .status_per_minute = 500,
        .cloud_calls_max = 32,
        .kube_calls_max = 32,
        .seed = world->options.seed + world->life,
    };
    struct region region;
    memset(world->brain, 0, sizeof *world->brain);
    if (world->memory == NULL) {
        region_init(&region, NULL, 0);
        brain_init(world->brain, &config, &region, world->now_ms);
        world->memory_bytes = region.used + 4096;
        world->memory = aligned_alloc(64, (world->memory_bytes + 63) / 64 * 64);
        memset(world->brain, 0, sizeof *world->brain);
    }
    memset(world->memory, 0, world->memory_bytes);
    region_init(&region, world->memory, world->memory_bytes);
    brain_init(world->brain, &config, &region, world->now_ms);
    brain_start(world->brain, world->now_ms);
    world->is_alive = true;
    world->wake_at_ms = 0;
    (void)world_step_new(world, STEP_LIST, world_delay(world));
}

void world_crash(struct world *world)
{
    if (!world->is_alive) {
        return;
    }
    world->figures.crashes++;
    world->is_alive = false;
    world->life++;
    (void)world_step_new(world, STEP_RESTART, 1 + world_delay(world));
}

/* What a status becomes as a phase, in this world's words. */
static enum pod_phase phase_of(enum eci_status status, enum pod_phase before)
{
    switch (status) {
    case ECI_STATUS_RUNNING:
    case ECI_STATUS_RESTARTING:
    case ECI_STATUS_UPDATING:
    case ECI_STATUS_TERMINATING:
        return before > POD_PHASE_RUNNING ? before : POD_PHASE_RUNNING;
    case ECI_STATUS_SUCCEEDED:
        return POD_PHASE_SUCCEEDED;
    case ECI_STATUS_FAILED:
    case ECI_STATUS_EXPIRED:
        return POD_PHASE_FAILED;
    default:
        return before > POD_PHASE_PENDING ? before : POD_PHASE_PENDING;
    }
}

/* ---- effects become requests ----------------------------------------------------------------- */

static bool is_poll(enum effect_kind kind)
{
    return kind == EFFECT_DELTA || kind == EFFECT_SWEEP;
}

static void send(struct world *world, const struct effect *effect, const struct world_step *more)
{
    world->figures.effects++;
    world->writes_since += is_poll(effect->kind) ? 0 : 1;
    digest(world, (uint64_t)effect->kind << 32 | (uint64_t)world->now_ms);
    bool dies = world->options.crash_at_effect == world->figures.effects ||
                world_chance(world, world->options.crash);
    bool after = world->options.crash_at_effect != 0 ? world->options.crash_after_arrival
                                                     : world_chance(world, 500);
    if (dies && !after) {
        world_crash(world);
        return;
    }
    struct world_step *step = world_step_new(world, STEP_ARRIVE, world_delay(world));
    if (more != NULL) {
        uint64_t order = step->order;
        msec at_ms = step->at_ms;
        *step = *more;
        step->kind = STEP_ARRIVE;
        step->order = order;
        step->at_ms = at_ms;
        step->life = world->life;
    }
    step->effect = *effect;
    const struct pod *pod = brain_pod(world->brain, effect->pod);
    if (pod != NULL) {
        memcpy(step->uid, pod->uid, sizeof step->uid);
        step->attempt = pod->attempt;
        step->flag = pod->say == SAY_PENDING;
        if (effect->kind == EFFECT_SAY) {
            step->past = pod->past;
            step->past.hash++;
            step->past.phase = pod->say == SAY_PENDING     ? POD_PHASE_PENDING
                               : pod->say == SAY_SUCCEEDED ? POD_PHASE_SUCCEEDED
                                                           : POD_PHASE_FAILED;
        }
    }
    step->rows = calloc(READ_BATCH_MAX, sizeof *step->rows);
    for (uint32_t i = 0; i < effect->groups_count; i++) {
        const struct group *group = brain_group(world->brain, effect->groups[i]);
        memcpy(step->id, group->id, sizeof step->id);
        for (uint32_t g = 0; g < world->groups_count; g++) {
            if (strcmp(world->groups[g].id, group->id) == 0) {
                step->rows[step->rows_count++].group = g;
            }
        }
    }
    if (dies) {
        world_crash(world);
    }
}

static void turn(struct world *world)
{
    struct effect effect;
    while (world->is_alive && brain_next(world->brain, world->now_ms, &effect)) {
        if (effect.kind == EFFECT_RELIST) {
            (void)world_step_new(world, STEP_LIST, world_delay(world));
            continue;
        }
        send(world, &effect, NULL);
    }
    if (!world->is_alive) {
        return;
    }
    struct brain_event event;
    while (brain_take_event(world->brain, &event)) {
        if (world->options.is_verbose) {
            printf("%10.3f  %s: %s\n", (double)world->now_ms / 1000, event.reason, event.message);
        }
    }
    msec wake_ms = brain_wake_ms(world->brain, world->now_ms);
    if (wake_ms <= world->now_ms) {
        wake_ms = world->now_ms + 1;
    }
    bool is_sooner = world->wake_at_ms <= world->now_ms || wake_ms < world->wake_at_ms;
    if (wake_ms != INT64_MAX && is_sooner) {
        world->wake_at_ms = wake_ms;
        (void)world_step_new(world, STEP_WAKE, wake_ms - world->now_ms);
    }
}

/* ---- a request arrives ----------------------------------------------------------------------- */

static bool is_cloud_request(enum effect_kind kind)
{
    return kind == EFFECT_DELETE || kind == EFFECT_READ || kind == EFFECT_READ_DETAIL ||
           kind == EFFECT_CREATE || is_poll(kind);
}

static void arrive(struct world *world, struct world_step *step)
{
    bool is_cloud = is_cloud_request(step->effect.kind);
    bool is_cut = is_cloud && world->line_is_down;
    bool is_lost = is_cut || world_chance(world, world->options.lose_request);
    bool reply_is_lost = !is_lost && world_chance(world, world->options.lose_reply);
    msec back_ms = is_lost || reply_is_lost ? 5000 + world_delay(world) : world_delay(world);
    struct world_step *reply = world_step_new(world, STEP_REPLY, back_ms);
    reply->life = step->life;
    reply->effect = step->effect;
    reply->past = step->past;
    reply->row_hash = step->row_hash;
    reply->is_init = step->is_init;
    reply->outcome = CREATE_LATER;
    if (is_lost) {
        reply->err = ERR_TIMEOUT;
        reply->outcome = CREATE_UNKNOWN;
        world->figures.ambiguous += step->effect.kind == EFFECT_CREATE ? 1 : 0;
        return;
    }
    if (world_chance(world, world->options.server_error)) {
        reply->err = ERR_SERVER;
        return;
    }
    if (is_cloud && world_chance(world, world->options.throttle)) {
        reply->err = ERR_THROTTLED;
        return;
    }
    if (step->effect.kind == EFFECT_CREATE || !is_cloud) {
        api_arrive(world, step, reply);
    } else {
        cloud_arrive(world, step, reply);
    }
    if (reply_is_lost) {
        reply->err = ERR_TIMEOUT;
        reply->outcome = CREATE_UNKNOWN;
        world->figures.ambiguous++;
    }
}

/* ---- a reply reaches the brain --------------------------------------------------------------- */

static void report_row(struct world *world, struct group *group, const struct world_row *row)
{
    struct brain *brain = world->brain;
    if (!brain_wants_report(brain, group, row->version * 2 + 1, false)) {
        return;
    }
    struct pod *pod = brain_pod(brain, group->pod);
    struct pod_status_past past = pod->past;
    past.phase = phase_of(row->status, pod->phase);
    past.hash = ((uint64_t)row->status << 8 | (uint64_t)past.phase) + 1;
    handle h = group->pod;
    uint64_t row_hash = group->row_hash;
    if (brain_report(brain, group, past.hash, false, false, world->now_ms)) {
        const struct effect effect = {.kind = EFFECT_PATCH, .pod = h};
        const struct world_step more = {.past = past, .row_hash = row_hash, .a = row->group};
        send(world, &effect, &more);
    }
}

static void report_init(struct world *world, struct group *group, const struct world_row *row)
{
    struct brain *brain = world->brain;
    if (!brain_wants_report(brain, group, 0, true)) {
        return;
    }
    struct pod_status_past past = brain_pod(brain, group->pod)->past;
    bool is_settled = row->status >= ECI_STATUS_RUNNING;
    past.init_hash = is_settled ? 2 : 1;
    handle h = group->pod;
    if (brain_report(brain, group, past.init_hash, true, is_settled, world->now_ms)) {
        const struct effect effect = {.kind = EFFECT_PATCH, .pod = h};
        const struct world_step more = {.past = past, .is_init = true, .a = row->group};
        send(world, &effect, &more);
    }
}

static void give_rows(struct world *world, const struct world_step *reply, bool *found)
{
    for (uint32_t i = 0; i < reply->rows_count && world->is_alive; i++) {
        const struct world_row *row = &reply->rows[i];
        const struct world_group *truth = &world->groups[row->group];
        str id = str_of(truth->id);
        struct group *group;
        if (reply->effect.kind == EFFECT_READ_DETAIL) {
            group = brain_find_group(world->brain, id);
            if (group != NULL && (!group->has_tags || group->is_noted)) {
                const struct world_pod *pod = &world->pods[truth->pod];
                const struct tag_facts tags = {.uid = str_of(pod->uid),
                                               .name_space = S("web"),
                                               .name = str_of(pod->name),
                                               .attempt = truth->attempt,
                                               .created_unix_s = truth->created_ms / 1000,
                                               .is_ours = true};
                brain_tags_seen(world->brain, group, &tags, world->now_ms);
            }
            if (group != NULL) {
                report_init(world, group, row);
            }
        } else {
            group = brain_row_seen(world->brain, id, row->status, row->version * 2 + 1,
                                   reply->effect.started_ms, world->now_ms);
            if (group != NULL) {
                report_row(world, group, row);
            }
        }
        for (uint32_t g = 0; g < reply->effect.groups_count && world->is_alive; g++) {
            const struct group *asked = brain_group(world->brain, reply->effect.groups[g]);
            found[g] = found[g] || (asked != NULL && str_eq(str_of(asked->id), id));
        }
    }
}

static void reply_to_pod(struct world *world, const struct world_step *reply)
{
    struct brain *brain = world->brain;
    msec now_ms = world->now_ms;
    handle pod = reply->effect.pod;
    switch (reply->effect.kind) {
    case EFFECT_CREATE:
        brain_cloud_answered(brain, reply->err, STR_NONE, now_ms);
        brain_create_done(brain, pod, reply->outcome, reply->err, str_of(reply->id), S("simulated"),
                          now_ms);
        if (reply->outcome == CREATE_POD_CHANGED) {
            world_give_pod(world, reply->a);
        }
        break;
    case EFFECT_FINISH:
        brain_finish_done(brain, pod, reply->err, now_ms);
        break;
    case EFFECT_PROVE:
        if (reply->err == ERR_OK) {
            world_give_pod(world, reply->a);
        }
        brain_prove_done(brain, pod, reply->err, now_ms);
        break;
    case EFFECT_SAY:
        brain_say_done(brain, pod, reply->err, &reply->past, now_ms);
        break;
    default:
        brain_patch_done(brain, pod, reply->err, &reply->past, reply->row_hash, reply->is_init,
                         now_ms);
        break;
    }
}

static void reply_arrives(struct world *world, const struct world_step *reply)
{
    struct brain *brain = world->brain;
    msec now_ms = world->now_ms;
    bool found[READ_BATCH_MAX] = {false};
    switch (reply->effect.kind) {
    case EFFECT_DELETE:
        brain_cloud_answered(brain, reply->err, STR_NONE, now_ms);
        brain_delete_done(brain, reply->effect.groups[0], reply->err, now_ms);
        break;
    case EFFECT_READ:
    case EFFECT_READ_DETAIL:
        brain_cloud_answered(brain, reply->err, STR_NONE, now_ms);
        give_rows(world, reply, found);
        if (world->is_alive) {
            brain_read_done(brain, &reply->effect, reply->err, found, now_ms);
        }
        break;
    case EFFECT_DELTA:
    case EFFECT_SWEEP:
        brain_cloud_answered(brain, reply->err, STR_NONE, now_ms);
        give_rows(world, reply, found);
        if (world->is_alive && reply->effect.kind == EFFECT_SWEEP) {
            brain_sweep_done(brain, reply->err, true, reply->rows_count, reply->effect.started_ms,
                             now_ms);
        } else if (world->is_alive) {
            brain_delta_done(brain, reply->err, reply->effect.started_ms, now_ms);
        }
        break;
    default:
        reply_to_pod(world, reply);
        break;
    }
}

/* ---- the API server's stream ----------------------------------------------------------------- */

void world_give_pod(struct world *world, uint32_t slot)
{
    const struct world_pod *pod = &world->pods[slot];
    const struct world_group *note = pod->instance > 0 ? &world->groups[pod->instance - 1] : NULL;
    const struct pod_news news = {.uid = str_of(pod->uid),
                                  .name_space = S("web"),
                                  .name = str_of(pod->name),
                                  .phase = pod->phase,
                                  .is_leaving = pod->is_leaving,
                                  .is_forced = pod->is_forced,
                                  .is_never_restarted = pod->is_never_restarted,
                                  .has_init = pod->has_init,
                                  .past = &pod->past,
                                  .instance_id = note != NULL ? str_of(note->id) : STR_NONE,
                                  .instance_attempt = note != NULL ? note->attempt : 0};
    enum err err = brain_pod_seen(world->brain, &news, world->now_ms, NULL);
    if (err != ERR_OK && err != ERR_FULL) {
        world_broken(world, "pod not taken: %s", err_name(err));
    }
}

void world_watch_event(struct world *world, uint32_t pod, bool is_deleted)
{
    /* One stream: events of a life come in order, however delayed. */
    struct world_step *step = world_step_new(world, STEP_WATCH, 5);
    step->a = pod;
    step->flag = is_deleted;
}

static void list_pods(struct world *world)
{
    world->figures.relists++;
    brain_list_begin(world->brain, world->now_ms);
    for (uint32_t i = 0; i < world->pods_count; i++) {
        if (world->pods[i].exists) {
            world_give_pod(world, i);
        }
    }
    brain_list_end(world->brain, true, world->now_ms);
}

/* ---- users and the line ---------------------------------------------------------------------- */

uint32_t world_pod_create(struct world *world, bool is_never_restarted, bool has_init)
{
    uint32_t slot = world->pods_count++;
    struct world_pod *pod = &world->pods[slot];
    *pod = (struct world_pod){.exists = true,
                              .phase = POD_PHASE_PENDING,
                              .is_never_restarted = is_never_restarted,
                              .has_init = has_init,
                              .created_ms = world->now_ms};
    (void)snprintf(pod->uid, sizeof pod->uid, "00000000-0000-4000-8000-%012u", slot);
    (void)snprintf(pod->name, sizeof pod->name, "pod-%u", slot % 16); /* names come again */
    world_watch_event(world, slot, false);
    return slot;
}

void world_pod_delete(struct world *world, uint32_t slot, bool is_forced)
{
    struct world_pod *pod = &world->pods[slot];
    if (!pod->exists) {
        return;
    }
    pod->is_leaving = true;
    pod->was_deleted_by_hand = true;
    if (is_forced || pod_phase_is_terminal(pod->phase)) {
        pod->exists = false;
        pod->deleted_ms = world->now_ms;
        world_watch_event(world, slot, true);
    } else {
        world_watch_event(world, slot, false);
    }
}

/* Users rest once the world has healed: what they did would not be "nothing changes" (I9). */
static void user_acts(struct world *world)
{
    if (world->is_healed) {
        return;
    }
    uint64_t dice = prng_below(&world->prng, 10);
    if (world->pods_count < world->options.pods && dice < 6) {
        (void)world_pod_create(world, dice == 0, dice == 1);
    } else if (world->pods_count > 0 && dice < 9) {
        uint32_t slot = (uint32_t)prng_below(&world->prng, world->pods_count);
        world_pod_delete(world, slot, dice == 8);
    }
    msec mean_ms = world->options.story_ms / (world->options.pods * 3 + 1) + 1;
    (void)world_step_new(world, STEP_USER,
                         (msec)prng_below(&world->prng, (uint64_t)mean_ms * 2) + 1);
}

static void line_changes(struct world *world)
{
    world->line_is_down = !world->line_is_down && !world->is_healed;
    if (world->is_healed) {
        return;
    }
    msec mean_ms =
        world->line_is_down ? world->options.outage_max_ms / 2 : world->options.outage_every_ms;
    (void)world_step_new(world, STEP_LINE,
                         (msec)prng_below(&world->prng, (uint64_t)mean_ms * 2) + 1);
}

/* ---- the story ------------------------------------------------------------------------------- */

static void perform(struct world *world, struct world_step *step)
{
    bool is_mine = step->life == world->life && world->is_alive;
    switch (step->kind) {
    case STEP_ARRIVE:
        arrive(world, step); /* also of a process that died: it was on its way */
        break;
    case STEP_REPLY:
        if (is_mine) {
            reply_arrives(world, step);
        }
        break;
    case STEP_WATCH:
        if (is_mine && world->brain->list_epoch > 0) {
            if (step->flag) {
                brain_pod_deleted(world->brain, str_of(world->pods[step->a].uid), world->now_ms);
            } else if (world->pods[step->a].exists) {
                world_give_pod(world, step->a);
            }
        }
        break;
    case STEP_LIST:
        if (is_mine) {
            list_pods(world);
        }
        break;
    case STEP_RESTART:
        brain_make(world);
        break;
    case STEP_USER:
        user_acts(world);
        break;
    case STEP_CLOUD:
        cloud_moves(world);
        (void)world_step_new(world, STEP_CLOUD, 500);
        break;
    case STEP_LINE:
        line_changes(world);
        break;
    case STEP_WAKE:
        break;
    }
}

void world_init(struct world *world, const struct world_options *options)
{
    world->options = *options;
    world->now_ms = WORLD_START_MS;
    world->digest = UINT64_C(0xCBF29CE484222325);
    prng_seed(&world->prng, options->seed);
    world->brain = calloc(1, sizeof *world->brain);
    brain_make(world);
    (void)world_step_new(world, STEP_CLOUD, 500);
    if (options->pods > 0 && options->story_ms > 0) {
        (void)world_step_new(world, STEP_USER, 1);
    }
    if (options->outage_every_ms > 0) {
        (void)world_step_new(world, STEP_LINE, options->outage_every_ms);
    }
}

void world_free(struct world *world)
{
    while (world->steps_count > 0) {
        step_free(heap_pop(world));
    }
    free(world->brain);
    free(world->memory);
}

void world_print_trace(const struct world *world)
{
    static char memory[64 * 1024];
    struct buf out;
    buf_init(&out, memory, sizeof memory);
    trace_print(&world->brain->trace, &out);
    (void)fwrite(out.ptr, 1, out.bytes, stdout);
    for (uint32_t i = 0; i < world->groups_count; i++) {
        const struct world_group *group = &world->groups[i];
        const struct world_pod *pod = &world->pods[group->pod];
        printf("truth: %s attempt %u %s%s%s for pod %u (%s%s%s), changed %.3f\n", group->id,
               group->attempt, eci_status_name(group->status), group->is_gone ? " gone" : "",
               group->was_deleted_by_hand ? " by hand" : "", group->pod, pod_phase_name(pod->phase),
               pod->exists ? "" : " gone", pod->is_leaving ? " leaving" : "",
               (double)group->changed_ms / 1000);
    }
}

void world_heal(struct world *world)
{
    world->is_healed = true;
    world->line_is_down = false;
}

void world_run(struct world *world, msec until_ms)
{
    while (world->steps_count > 0 && world->steps[0]->at_ms <= until_ms &&
           world->violation[0] == '\0') {
        struct world_step *step = heap_pop(world);
        world->now_ms = step->at_ms;
        world->figures.steps++;
        perform(world, step);
        step_free(step);
        turn(world);
        check_invariants(world);
    }
    if (world->violation[0] == '\0') {
        world->now_ms = until_ms;
    }
}
