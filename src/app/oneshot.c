/* see oneshot.h */
#include "app/oneshot.h"

#include "app/connect.h"
#include "os/os.h"

#define ARENA_BYTES (4 * 1024 * 1024) /* a node or 50 pods, and their JSON */
#define TIMERS 64

/* Everything that is carved: run twice, first to add up. */
static enum err plan(struct oneshot *oneshot, const struct config *config, bool is_real)
{
    const struct eci_call_config cloud = {.endpoint = config->eci_endpoint,
                                          .region_id = config->eci_region,
                                          .proxy = config->eci_proxy,
                                          .anchors = &oneshot->anchors,
                                          .arena = &oneshot->arena,
                                          .small_count = 2,
                                          .small_bytes = 64 * 1024,
                                          .page_count = 2,
                                          .page_bytes = 2 * 1024 * 1024,
                                          .kept_max = 1};
    static const struct kube_calls_config calls = {.conns_count = ONESHOT_CONNS,
                                                   .small_count = 2 * ONESHOT_CONNS,
                                                   .small_bytes = 16 * 1024,
                                                   .large_count = 4,
                                                   .large_bytes = ONESHOT_REPLY_BYTES + 16 * 1024};
    struct region *region = &oneshot->region;
    void *memory = region_carve(region, "event arena", 1, ARENA_BYTES);
    arena_init(&oneshot->arena, memory, is_real ? ARENA_BYTES : 0);
    memory = region_carve(region, "cloud CA anchors", 1, CONNECT_ANCHORS_BYTES);
    arena_init(&oneshot->anchors_memory, memory, is_real ? CONNECT_ANCHORS_BYTES : 0);
    if (is_real) {
        enum err err = loop_init(&oneshot->loop, region, TIMERS);
        if (err != ERR_OK) {
            return err;
        }
    } else {
        (void)region_carve(region, "loop timers", TIMERS, sizeof(void *));
    }
    kube_auth_init(&oneshot->auth, &oneshot->loop, region, &oneshot->arena, ONESHOT_CONNS);
    kube_calls_init(&oneshot->calls, &oneshot->loop, region, &oneshot->auth, &oneshot->arena,
                    &calls);
    return eci_client_init(&oneshot->cloud, &oneshot->loop, region, &cloud);
}

enum err oneshot_init(struct oneshot *oneshot, const struct config *config)
{
    region_init(&oneshot->region, NULL, 0);
    enum err err = plan(oneshot, config, false);
    size_t bytes = oneshot->region.used + 4096; /* rounding of the first part */
    void *memory = err == ERR_OK ? os_map(bytes) : NULL;
    if (memory == NULL) {
        return err == ERR_OK ? ERR_SYSTEM : err;
    }
    region_init(&oneshot->region, memory, bytes);
    return plan(oneshot, config, true);
}

enum err oneshot_load_kube(struct oneshot *oneshot, const struct config *config)
{
    return connect_kube(&oneshot->auth, config);
}

enum err oneshot_load_cloud(struct oneshot *oneshot, const struct config *config, struct buf *why)
{
    enum err err =
        connect_trust(&oneshot->anchors, &oneshot->anchors_memory, &oneshot->arena, config, why);
    if (err != ERR_OK) {
        return err;
    }
    err = connect_keys(&oneshot->cloud, config);
    if (err != ERR_OK) {
        buf_put_fmt(why, "the keys cannot be used: %s", err_text(err));
    }
    return err;
}

void oneshot_run(struct oneshot *oneshot, const bool *is_done)
{
    while (!*is_done) {
        loop_turn(&oneshot->loop, INT64_MAX);
    }
}

void oneshot_stop(struct oneshot *oneshot)
{
    kube_calls_stop(&oneshot->calls);
    eci_client_stop(&oneshot->cloud);
}
