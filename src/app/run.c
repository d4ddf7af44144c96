/*
 * run.c - the life of the node's process: memory is sized and sealed, both sides are connected, the
 * loop turns until a signal says stop.
 */
#include "app/run.h"

#include <stdio.h>

#include "app/wire.h"
#include "base/check.h"
#include "os/crash.h"
#include "os/heap.h"
#include "os/notify.h"
#include "os/os.h"
#include "os/signals.h"
#include "os/watchdog.h"

#define RUN_EXIT_FAILED 1
#define RUN_EXIT_CONFIG 2 /* as cli.h: the configuration cannot work */
#define RUN_EXIT_AGAIN 3  /* as cli.h: start anew */
#define RUN_REPORT_BYTES (16 * 1024)

/* Static: one per process, too big for a stack. Everything variable is in the region. */
static struct wire wire;
static struct loop loop;
static struct region region;
static struct arena arena;
static bool is_stop_wanted;

/* A bug of ours: what, in which build, and what led there. The abort that follows restarts us. */
static void on_check_failed(const char *expression, const char *file, int line)
{
    static char memory[RUN_REPORT_BYTES];
    struct buf out;
    buf_init(&out, memory, sizeof memory);
    buf_put_fmt(&out, "CHECK failed: %s (%s:%d), ecilet %s; the last events:\n", expression, file,
                line, ECILET_VERSION);
    trace_print(&wire.brain.trace, &out);
    if (write(STDERR_FILENO, out.ptr, out.bytes) < 0) {
        return; /* nobody is left to tell */
    }
}

/* Everything that is carved, in one place: run twice, first to add up, then for real. */
static enum err plan(const struct config *config, bool is_real)
{
    struct limits limits;
    limits_of_config(config, &limits);
    void *memory = region_carve(&region, "event arena", 1, config->arena_bytes);
    arena_init(&arena, memory, is_real ? config->arena_bytes : 0);
    log_init(&region, LIMITS_LOG_RING_BYTES);
    if (is_real) {
        enum err err = loop_init(&loop, &region, limits.timers_max);
        if (err != ERR_OK) {
            return err;
        }
    } else {
        (void)region_carve(&region, "loop timers", limits.timers_max, sizeof(void *));
    }
    return wire_init(&wire, config, &loop, &region, &arena, is_real);
}

static void print_budget(const struct config *config)
{
    static char memory[RUN_REPORT_BYTES];
    struct buf out;
    buf_init(&out, memory, sizeof memory);
    region_print(&region, &out);
    buf_put_fmt(&out, "\nthird-party heap: at most %zu KiB (HEAP_BYTES)\n",
                config->heap_bytes / 1024);
    (void)fwrite(out.ptr, 1, out.bytes, stdout);
}

static enum err make_memory(const struct config *config)
{
    region_init(&region, NULL, 0);
    enum err err = plan(config, false);
    if (err != ERR_OK) {
        return err;
    }
    size_t bytes = region.used + 4096; /* rounding of the first part */
    if (config->print_budget) {
        print_budget(config);
        return ERR_OK;
    }
    void *memory = os_map(bytes);
    if (memory == NULL) {
        log_line(LOG_ERROR, "start", "%zu KiB of memory are not to be had: lower PODS_MAX",
                 bytes / 1024);
        return ERR_SYSTEM;
    }
    region_init(&region, memory, bytes);
    err = plan(config, true);
    if (err == ERR_OK) {
        region_seal(&region);
        heap_limit(config->heap_bytes);
    }
    return err;
}

/* ---- signals --------------------------------------------------------------------------------- */

static void reload(const struct config *config)
{
    static char memory[RUN_REPORT_BYTES];
    struct config_report report;
    uint32_t changed = 0;
    config_report_init(&report, memory, sizeof memory);
    size_t mark = arena_mark(&arena);
    bool is_usable = config_reload_secrets(config, &arena, &report, &changed) == ERR_OK;
    arena_rewind(&arena, mark);
    config_report_log(&report);
    log_line(is_usable ? LOG_INFO : LOG_WARN, "config", "SIGHUP: credentials changed: %u%s",
             changed, is_usable ? "" : "; the configuration has errors now, so the old ones stay");
    wire_reload(&wire);
}

static void on_signal(enum signals_event event, void *owner)
{
    (void)owner;
    switch (event) {
    case SIGNALS_STOP:
        is_stop_wanted = true;
        break;
    case SIGNALS_RELOAD:
        reload(wire.config);
        break;
    case SIGNALS_REPORT:
        wire_report(&wire);
        break;
    }
}

/* Container groups keep running; replies under way are waited for, but not long. */
static void stop(void)
{
    log_line(LOG_INFO, "stop", "stopping; container groups keep running");
    wire_stop(&wire);
    msec until_ms = os_now_ms() + WIRE_STOP_MS;
    while (!wire_is_idle(&wire) && os_now_ms() < until_ms) {
        loop_turn(&loop, until_ms);
    }
    eci_client_stop(&wire.cloud);
    kube_calls_stop(&wire.calls);
}

/* Whatever breaks from here on has last words, and a life after it. */
static void be_careful(void)
{
    const struct crash_counts counts = {
        .pods = &wire.brain.pods.count, .groups = &wire.brain.groups.count, .turns = &loop.turns};
    uint32_t deaths = crash_start(ECILET_VERSION, &counts);
    if (deaths > 0) {
        log_line(LOG_WARN, "start", "started again after a crash; in a row: %u", deaths);
    }
    if (!crash_can_restart()) {
        log_line(LOG_WARN, "start",
                 "more than %d environment variables: after a crash something else must start it "
                 "again, and no pod is set aside",
                 CRASH_ENVIRONMENT_MAX);
    }
}

int run_main(const struct config *config)
{
    log_set_level(config->log_level);
    check_set_hook(on_check_failed);
    if (!config->print_budget) {
        be_careful();
    }
    uint64_t keys[2];
    os_random(keys, sizeof keys);
    str_hash_seed(keys[0], keys[1]);
    enum err err = make_memory(config);
    if (err != ERR_OK || config->print_budget) {
        if (err == ERR_OK) {
            return 0;
        }
        log_line(LOG_ERROR, "start", "%s", err_text(err));
        return crash_try_later(CRASH_PAUSE_MAX_S) ? 0 : RUN_EXIT_CONFIG;
    }
    log_attach(&loop);
    if (signals_init(&loop, on_signal, NULL) != ERR_OK) {
        log_line(LOG_ERROR, "start", "signals: %s", os_errno_text());
        return RUN_EXIT_FAILED;
    }
    static char why_memory[1024];
    struct buf why;
    buf_init(&why, why_memory, sizeof why_memory);
    log_line(LOG_INFO, "start", "ecilet %s", ECILET_VERSION);
    err = wire_start(&wire, &why);
    if (err != ERR_OK) {
        log_line(LOG_ERROR, "start", "%.*s", STR_ARG(buf_str(&why)));
        return crash_try_later(CRASH_PAUSE_MAX_S) ? 0 : RUN_EXIT_CONFIG;
    }
    watchdog_start(&loop);
    notify_start(&loop);
    do {
        wire_turn(&wire);
        loop_turn(&loop, INT64_MAX);
    } while (!is_stop_wanted && !wire.is_refused && !wire.leader.is_deposed);
    bool starts_anew = wire.leader.is_deposed && !is_stop_wanted && !wire.is_refused;
    notify_stop(&loop, starts_anew);
    stop();
    watchdog_stop();
    log_line(LOG_INFO, "stop", "stopped");
    log_flush(200);
    if (starts_anew) {
        return RUN_EXIT_AGAIN;
    }
    return wire.is_refused ? RUN_EXIT_CONFIG : 0;
}
