/*
 * stories.c - random stories. A swarm: each has some faults off and others extreme, so that rare
 * combinations come up and no fault hides another. Several processes may tell them side by side;
 * what is printed does not depend on how many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stories.h"

#define SETTLE_MS (15 * 60 * 1000) /* after healing, all must have converged by then */
#define QUIET_MS (10 * 60 * 1000)  /* ... and then nothing may be written */
#define JOBS_MAX 64

void sum_add_world(struct story_sum *sum, const struct world *world)
{
    const struct story_sum one = {.figures = world->figures,
                                  .hours = (double)world->now_ms / 3600000,
                                  .stories = 1,
                                  .broken = world->violation[0] != '\0' ? 1 : 0};
    sum_add(sum, &one);
}

void sum_add(struct story_sum *sum, const struct story_sum *other)
{
    /* Figures are all counters of one type, and so are added as an array. */
    uint64_t into[sizeof sum->figures / 8], from[sizeof sum->figures / 8];
    memcpy(into, &sum->figures, sizeof into);
    memcpy(from, &other->figures, sizeof from);
    for (size_t i = 0; i < sizeof into / sizeof into[0]; i++) {
        into[i] += from[i];
    }
    memcpy(&sum->figures, into, sizeof into);
    sum->hours += other->hours;
    sum->stories += other->stories;
    sum->broken += other->broken;
}

void story_ends_well(struct world *world)
{
    world_heal(world);
    /* A node that is too small takes the others in turn, as slots become free. */
    bool is_over_full = world->pods_existing > world->options.pods_limit;
    world_run(world, world->now_ms + (is_over_full ? 8 : 1) * SETTLE_MS);
    if (world->pods_existing > world->options.pods_limit) {
        return; /* some stay outside, and are told */
    }
    if (world->violation[0] == '\0') {
        check_converged(world);
    }
    world->writes_since = 0;
    world_run(world, world->now_ms + QUIET_MS);
    if (world->violation[0] == '\0' && world->writes_since > 0) {
        world_broken(world, "I9: %llu effects although nothing changed",
                     (unsigned long long)world->writes_since);
    }
}

/* ---- the swarm ------------------------------------------------------------------------------- */

static uint32_t some(struct prng *prng, uint32_t max)
{
    return prng_below(prng, 2) == 0 ? 0 : (uint32_t)prng_below(prng, max);
}

static void swarm_requests(struct prng *prng, struct world_options *out)
{
    out->lose_request = some(prng, 200);
    out->lose_reply = some(prng, 400);
    out->late = some(prng, 60);
    out->server_error = some(prng, 150);
    out->throttle = some(prng, 100);
    out->busy = some(prng, 200);
    out->conflict = some(prng, 150);
    out->delay_max_ms = 5 + (msec)prng_below(prng, 2000);
    out->crash = some(prng, 60);
    out->stall = some(prng, 10);
    out->drift = some(prng, 50);
}

static void swarm_api(struct prng *prng, struct world_options *out)
{
    out->stale_list = some(prng, 500);
    out->list_breaks = some(prng, 300);
    out->event_drop = some(prng, 50);
    out->event_twice = some(prng, 100);
    out->event_reorder = some(prng, 100);
    out->watch_cut = some(prng, 200);
    out->compact = some(prng, 100);
}

static void swarm_cloud(struct prng *prng, struct world_options *out)
{
    static const msec memories_ms[] = {WORLD_EVER, WORLD_EVER, 600000, 0};
    out->token_memory_ms = memories_ms[prng_below(prng, 4)];
    out->omit_row = some(prng, 100);
    out->page_fails = some(prng, 200);
    out->clash = some(prng, 200);
    out->bad_pods = some(prng, 50);
    out->schedule_fails = some(prng, 200);
    out->ends = some(prng, 500);
    out->vanish = some(prng, 30);
    out->reclaim = some(prng, 50);
    out->quota = prng_below(prng, 5) == 0 ? 1 + (uint32_t)prng_below(prng, 20) : 0;
    out->list_lag_ms = some(prng, 5000);
    out->ghost_ms = some(prng, 20000);
    out->retention_ms = some(prng, 3600000);
    out->phases = (uint32_t)prng_below(prng, 1u << PHASE_KIND_COUNT) & ~1u;
    out->phase_every_ms = 600000 + (msec)prng_below(prng, 3600000);
    /* What defeats any reader is not told: nothing but the listing keeps a second group from being
     * made, and it leaves out rows in silence, or lacks permission; or it does both of these. */
    /* Two gateways without tokens do make twins, and remove the later one. What the one that they
     * keep became meanwhile (a lack of stock that is found out later) they cannot know: then both
     * go, and the pod gets another. Leader election (wire_leader.c) keeps it from coming to this.
     */
    if (out->token_memory_ms == 0 && out->agents > 1) {
        out->schedule_fails = 0;
    }
    if (out->token_memory_ms != WORLD_EVER) {
        out->phases &= ~(1u << PHASE_NO_PERMISSION);
    }
    if (out->token_memory_ms != WORLD_EVER || (out->phases >> PHASE_NO_PERMISSION & 1u) != 0) {
        out->omit_row = 0;
    }
}

/* Drawn apart, so that the other options of a seed stay what they were. */
static void swarm_process(uint64_t seed, struct world_options *out)
{
    struct prng prng;
    prng_seed(&prng, seed * 7919 + 14);
    out->no_room = some(&prng, 100);
    out->waits = some(&prng, 200);
}

/* Seeds of their own, so that those of before tell the same stories as ever. */
static void swarm_turns(uint64_t seed, struct world_options *out)
{
    struct prng prng;
    prng_seed(&prng, seed * 7919 + 15);
    out->agents = 2;
    out->elects = true;
    out->upgrade = some(&prng, 30);
    out->forge = some(&prng, 60);
}

static void swarm(uint64_t seed, double hours, struct world_options *out)
{
    struct prng prng;
    prng_seed(&prng, seed * 7919 + 13);
    *out = (struct world_options){
        .seed = seed,
        .pods = 4 + (uint32_t)prng_below(&prng, 40),
        .pods_ever = 100 + (uint32_t)prng_below(&prng, WORLD_PODS_MAX - 100),
        .pods_limit = prng_below(&prng, 4) == 0 ? 3 + (uint32_t)prng_below(&prng, 8) : 200,
        .agents = prng_below(&prng, 4) == 0 ? 2 : 1,
        .story_ms = (msec)(hours * 3600000),
    };
    if (seed >= ELECTED_FIRST) {
        swarm_turns(seed, out);
    }
    swarm_requests(&prng, out);
    swarm_api(&prng, out);
    swarm_cloud(&prng, out);
    swarm_process(seed, out);
    out->outage_every_ms = prng_below(&prng, 2) == 0 ? 0 : 1200000;
    out->outage_max_ms = 600000;
    out->poison = prng_below(&prng, 8) == 0 ? 1 + (uint32_t)prng_below(&prng, 60) : 0;
}

/* ---- one story ------------------------------------------------------------------------------- */

struct story_result {
    struct story_sum sum;
    uint64_t digest;
    msec broken_ms;
    char violation[256];
};

static void tell(uint64_t seed, const struct story_order *order, struct story_result *out)
{
    struct world *world = calloc(1, sizeof *world);
    struct world_options options;
    swarm(seed, order->hours, &options);
    options.is_verbose = order->is_verbose;
    if (order->is_shown) {
        options.show_every_ms = options.story_ms > 3600000 ? 600000 : 60000;
        world_show_head();
    }
    world_init(world, &options);
    world_run(world, WORLD_START_MS + options.story_ms);
    story_ends_well(world);
    memset(out, 0, sizeof *out);
    sum_add_world(&out->sum, world);
    out->digest = world->digest;
    out->broken_ms = world->now_ms;
    memcpy(out->violation, world->violation, sizeof out->violation);
    if (out->violation[0] != '\0' && getenv("SIM_TRACE") != NULL) {
        world_print_trace(world);
    }
    world_free(world);
    free(world);
}

static void print_broken(uint64_t seed, double hours, const struct story_result *result)
{
    if (result->violation[0] != '\0') {
        printf("BROKEN seed %llu at %.3f s: %s\n  replay: make sim SEED=%llu SEEDS=1 HOURS=%g\n",
               (unsigned long long)seed, (double)result->broken_ms / 1000, result->violation,
               (unsigned long long)seed, hours);
    }
}

/* I11: the same seed tells the same story. */
static void check_same(uint64_t seed, const struct story_order *order, uint64_t digest,
                       struct story_sum *sum)
{
    struct story_result again;
    tell(seed, order, &again);
    if (again.digest != digest) {
        printf("BROKEN I11: seed %llu told two stories\n", (unsigned long long)seed);
        sum->broken++;
    }
}

/* ---- many, by several processes -------------------------------------------------------------- */

static void tell_share(const struct story_order *order, uint32_t job, struct story_result *results)
{
    for (uint64_t i = job; i < order->count; i += order->jobs) {
        tell(order->first + i, order, &results[i]);
        if (order->stops && results[i].violation[0] != '\0') {
            return;
        }
    }
}

static void tell_all(const struct story_order *order, struct story_result *results)
{
    pid_t pids[JOBS_MAX];
    if (order->jobs <= 1) {
        tell_share(order, 0, results);
        return;
    }
    (void)fflush(stdout);
    for (uint32_t job = 0; job < order->jobs; job++) {
        pids[job] = fork();
        if (pids[job] == 0) {
            tell_share(order, job, results);
            (void)fflush(stdout);
            _exit(0);
        }
    }
    for (uint32_t job = 0; job < order->jobs; job++) {
        int status = 1;
        if (pids[job] < 0 || waitpid(pids[job], &status, 0) < 0 || status != 0) {
            printf("BROKEN a process of the simulator died: status %d\n", status);
            results[job].sum.broken++;
        }
    }
}

void stories_run(const struct story_order *order, struct story_sum *sum)
{
    struct story_order mine = *order;
    mine.jobs = order->jobs < JOBS_MAX ? order->jobs : JOBS_MAX;
    size_t bytes = (size_t)(order->count + JOBS_MAX) * sizeof(struct story_result);
    struct story_result *results =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (results == MAP_FAILED) {
        perror("sim: mmap");
        exit(2);
    }
    tell_all(&mine, results);
    for (uint64_t i = 0; i < order->count; i++) {
        sum_add(sum, &results[i].sum);
        print_broken(order->first + i, order->hours, &results[i]);
    }
    if (!order->is_verbose && !order->is_shown && !order->stops && order->count > 0) {
        check_same(order->first, &mine, results[0].digest, sum);
    }
    (void)munmap(results, bytes);
}

bool kept_run(const char *path, struct story_sum *sum)
{
    char line[512];
    uint32_t count = 0;
    uint64_t broken = sum->broken;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        if (end == line) {
            continue; /* a comment */
        }
        const struct story_order order = {.hours = strtod(end, NULL)};
        struct story_result result;
        tell(seed, &order, &result);
        sum_add(sum, &result.sum);
        print_broken(seed, order.hours, &result);
        count++;
    }
    (void)fclose(file);
    printf("kept seeds: %u, broken: %llu\n", count, (unsigned long long)(sum->broken - broken));
    return true;
}
