/* see stats.h and stats_parts.h */
#include "serve/stats_parts.h"

#include "base/check.h"
#include "data/prom_write.h"

#define RETRY_MS 200

static const struct http_server_handlers handlers;
static void work(struct loop_timer *timer);

void stats_init(struct stats *stats, const struct serve_world *world, struct region *region,
                uint32_t pods_max, msec now_ms)
{
    *stats = (struct stats){.world = world, .wake_ms = INT64_MAX};
    pool_init(&stats->samples, region, "pod samples", pods_max, sizeof(struct stats_sample));
    index_init(&stats->by_group, region, "samples by group", pods_max);
    pool_init(&stats->containers, region, "container samples", pods_max + pods_max / 2 + 64,
              sizeof(struct stats_container));
    pool_init(&stats->sessions, region, "stats answers", STATS_SESSIONS_MAX,
              sizeof(struct stats_session));
    stats->pieces = region_carve(region, "stats pieces", STATS_SESSIONS_MAX, STATS_PIECE_BYTES);
    bucket_init(&stats->bucket, STATS_PER_MINUTE, STATS_BURST, now_ms);
    loop_timer_init(&stats->timer, work, stats);
}

static msec now(const struct stats *stats)
{
    return stats->world->loop->now_ms;
}

static void wake_at(struct stats *stats, msec at_ms)
{
    if (at_ms < stats->wake_ms) {
        stats->wake_ms = at_ms;
        loop_timer_set(stats->world->loop, &stats->timer, at_ms);
    }
}

/* ---- samples --------------------------------------------------------------------------------- */

static handle find(const struct stats *stats, str group)
{
    uint32_t at = INDEX_START;
    handle h;
    while (index_find(&stats->by_group, str_hash(group), &at, &h)) {
        const struct stats_sample *sample = pool_at(&stats->samples, h);
        if (sample != NULL && str_eq(str_of(sample->group), group)) {
            return h;
        }
    }
    return HANDLE_NONE;
}

struct stats_sample *stats_sample_of(const struct stats *stats, str group)
{
    return pool_at(&stats->samples, find(stats, group));
}

static void drop_containers(struct stats *stats, struct stats_sample *sample)
{
    while (!handle_is_none(sample->first)) {
        handle h = sample->first;
        const struct stats_container *container = pool_at(&stats->containers, h);
        CHECK(container != NULL);
        sample->first = container->next;
        pool_give(&stats->containers, h);
    }
}

/* In the order of the reply. */
static void put_containers(struct stats *stats, struct stats_sample *sample,
                           const struct metric_row *row)
{
    handle *link = &sample->first;
    for (uint32_t i = 0; i < row->containers_count; i++) {
        handle h;
        if (pool_take(&stats->containers, &h) != ERR_OK) {
            stats->counters.lost++;
            return;
        }
        struct stats_container *container = pool_at(&stats->containers, h);
        if (!str_copy(container->name, sizeof container->name, row->containers[i].name)) {
            pool_give(&stats->containers, h); /* no name that Kubernetes knows */
            continue;
        }
        container->usage = row->containers[i].usage;
        *link = h;
        link = &container->next;
    }
}

static struct stats_sample *make_sample(struct stats *stats, str group)
{
    handle h;
    if (group.bytes >= STATS_GROUP_BYTES || pool_take(&stats->samples, &h) != ERR_OK) {
        stats->counters.lost++;
        return NULL;
    }
    struct stats_sample *sample = pool_at(&stats->samples, h);
    CHECK(str_copy(sample->group, sizeof sample->group, group));
    CHECK(index_add(&stats->by_group, str_hash(group), h) == ERR_OK); /* as many as samples */
    return sample;
}

static void take_row(struct stats *stats, const struct metric_row *row)
{
    struct stats_sample *sample = stats_sample_of(stats, row->id);
    if (sample == NULL) {
        sample = make_sample(stats, row->id);
    }
    if (sample == NULL) {
        return;
    }
    /* A container that was started anew begins at 0 again. */
    uint64_t before_ns = sample->usage.cpu_ns;
    stats->node_cpu_ns +=
        row->usage.cpu_ns >= before_ns ? row->usage.cpu_ns - before_ns : row->usage.cpu_ns;
    sample->at_s = row->at_s != 0 ? row->at_s : stats->world->wall_s();
    sample->seen_ms = now(stats);
    sample->usage = row->usage;
    sample->network = row->network;
    sample->disk = row->disk;
    drop_containers(stats, sample);
    put_containers(stats, sample, row);
}

static void forget_old(struct stats *stats)
{
    for (handle h = pool_first(&stats->samples); !handle_is_none(h);
         h = pool_after(&stats->samples, h)) {
        struct stats_sample *sample = pool_at(&stats->samples, h);
        if (now(stats) - sample->seen_ms > STATS_OLD_MS) {
            drop_containers(stats, sample);
            CHECK(index_remove(&stats->by_group, str_hash(str_of(sample->group)), h));
            pool_give(&stats->samples, h);
        }
    }
}

static void add_usage(struct metric_usage *sum, const struct metric_usage *usage)
{
    sum->nano_cores += usage->nano_cores;
    sum->free_bytes += usage->free_bytes;
    sum->used_bytes += usage->used_bytes;
    sum->working_bytes += usage->working_bytes;
    sum->rss_bytes += usage->rss_bytes;
}

void stats_node_usage(const struct stats *stats, struct metric_usage *usage,
                      struct metric_network *network)
{
    const struct serve_world *world = stats->world;
    struct serve_pod pod;
    uint32_t at = 0;
    *usage = (struct metric_usage){.cpu_ns = stats->node_cpu_ns};
    *network = (struct metric_network){0};
    while (world->next_pod(world->owner, &at, &pod)) {
        const struct stats_sample *sample = stats_sample_of(stats, pod.group_id);
        if (sample != NULL) {
            add_usage(usage, &sample->usage);
            network->rx_bytes += sample->network.rx_bytes;
            network->tx_bytes += sample->network.tx_bytes;
            network->rx_errors += sample->network.rx_errors;
            network->tx_errors += sample->network.tx_errors;
        }
    }
}

int64_t stats_node_at_s(const struct stats *stats)
{
    handle h = pool_first(&stats->samples);
    int64_t newest_s = handle_is_none(h) ? stats->world->wall_s() : INT64_MIN;
    for (; !handle_is_none(h); h = pool_after(&stats->samples, h)) {
        const struct stats_sample *sample = pool_at(&stats->samples, h);
        newest_s = sample->at_s > newest_s ? sample->at_s : newest_s;
    }
    return newest_s;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void on_samples(void *owner, enum err err, const struct eci_reply *reply)
{
    struct stats *stats = owner;
    struct metric_read read;
    struct metric_row row;
    stats->calls--;
    wake_at(stats, now(stats));
    if (err != ERR_OK) {
        stats->counters.failures++;
        stats->has_failed = true;
        if (err == ERR_THROTTLED) {
            bucket_slow(&stats->bucket, now(stats));
        }
        return;
    }
    metric_read_init(&read, reply->root, reply->arena);
    size_t mark = arena_mark(reply->arena);
    while (metric_read_next(&read, &row)) {
        take_row(stats, &row);
        arena_rewind(reply->arena, mark);
    }
}

/* The ids of the next pods that run. Returns how many; *at is then behind them. */
static uint32_t next_ids(const struct stats *stats, uint32_t *at, struct buf *ids)
{
    const struct serve_world *world = stats->world;
    struct serve_pod pod;
    uint32_t count = 0;
    while (count < STATS_BATCH && world->next_pod(world->owner, at, &pod)) {
        if (pod.is_running && !str_is_empty(pod.group_id)) {
            buf_put_fmt(ids, "%s\"%.*s\"", count++ == 0 ? "[" : ",", STR_ARG(pod.group_id));
        }
    }
    buf_put_char(ids, ']');
    return count;
}

static enum err ask(struct stats *stats, str ids)
{
    struct arena *arena = stats->world->arena;
    struct params params;
    size_t mark = arena_mark(arena);
    enum err err = params_init(&params, arena);
    if (err == ERR_OK) {
        params_add(&params, S("ContainerGroupIds"), ids);
        const struct eci_want want = {.action = ECI_DESCRIBE_METRICS,
                                      .params = &params,
                                      .on_done = on_samples,
                                      .owner = stats};
        err = eci_call_start(stats->world->cloud, &want, NULL);
    }
    arena_rewind(arena, mark);
    return err;
}

static bool may_call(struct stats *stats)
{
    return stats->calls < STATS_CALLS_MAX &&
           eci_client_has_room(stats->world->cloud, ECI_DESCRIBE_METRICS) &&
           bucket_take(&stats->bucket, now(stats), 0);
}

/* False: there are no further pods. */
static bool ask_next(struct stats *stats)
{
    char memory[STATS_BATCH * (STATS_GROUP_BYTES + 4) + 4];
    struct buf ids;
    uint32_t at = stats->at;
    buf_init(&ids, memory, sizeof memory);
    if (next_ids(stats, &at, &ids) == 0) {
        return false;
    }
    if (ask(stats, buf_str(&ids)) == ERR_OK) {
        stats->calls++;
        stats->at = at;
    }
    return true;
}

static void start_round(struct stats *stats)
{
    stats->is_running = true;
    stats->was_complete = false;
    stats->has_failed = false;
    stats->at = 0;
    stats->started_ms = now(stats);
}

static void step_round(struct stats *stats)
{
    while (!stats->was_complete && may_call(stats)) {
        uint32_t calls = stats->calls;
        stats->was_complete = !ask_next(stats);
        if (stats->calls == calls) {
            break; /* nothing more, or no room for it */
        }
    }
    if (stats->was_complete && stats->calls == 0) {
        stats->is_running = false;
        stats->round_ms = stats->started_ms;
        stats->counters.rounds++;
        forget_old(stats);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static void write_answer(struct stats_session *session)
{
    while (!session->has_ended) {
        str rest = str_sub(buf_str(&session->piece), session->piece_at, SIZE_MAX);
        if (!str_is_empty(rest)) {
            size_t done = http_reply_put(session->exchange, rest);
            session->piece_at += done;
            if (done < rest.bytes) {
                return;
            }
        }
        buf_clear(&session->piece);
        session->piece_at = 0;
        if (!stats_write_next(session)) {
            session->has_ended = true;
            http_reply_end(session->exchange);
        }
    }
}

static bool is_fresh(const struct stats *stats)
{
    return stats->round_ms != 0 && now(stats) - stats->round_ms < STATS_FRESH_MS;
}

static void step(struct stats_session *session)
{
    struct stats *stats = session->stats;
    if (session->has_begun) {
        return; /* on_room goes on */
    }
    if (!is_fresh(stats) && now(stats) < session->give_up_ms) {
        wake_at(stats, session->give_up_ms);
        return;
    }
    session->has_begun = true;
    http_reply_begin(session->exchange, 200,
                     session->kind == STATS_SUMMARY ? S("application/json") : S(PROM_TYPE));
    write_answer(session);
}

static void on_room(struct http_exchange *exchange)
{
    write_answer(exchange->state);
}

static void on_gone(struct http_exchange *exchange)
{
    struct stats_session *session = exchange->state;
    struct stats *stats = session->stats;
    exchange->state = NULL;
    pool_give(&stats->sessions, pool_handle_of(&stats->sessions, session));
}

static const struct http_server_handlers handlers = {.on_room = on_room, .on_gone = on_gone};

static void work(struct loop_timer *timer)
{
    struct stats *stats = timer->owner;
    stats->wake_ms = INT64_MAX;
    if (!stats->is_running && stats->sessions.count > 0 && !is_fresh(stats)) {
        start_round(stats);
    }
    if (stats->is_running) {
        step_round(stats);
    }
    for (handle h = pool_first(&stats->sessions); !handle_is_none(h);
         h = pool_after(&stats->sessions, h)) {
        step(pool_at(&stats->sessions, h));
    }
    if (stats->is_running) {
        wake_at(stats, now(stats) + RETRY_MS);
    }
}

static void answer(struct serve *serve, struct http_exchange *exchange, enum stats_kind kind)
{
    struct stats *stats = serve_world(serve)->stats;
    handle h;
    if (pool_take(&stats->sessions, &h) != ERR_OK) {
        stats->counters.refused++;
        http_reply(exchange, 503, S("text/plain"), S("too many requests for statistics"));
        return;
    }
    struct stats_session *session = pool_at(&stats->sessions, h);
    session->base.handlers = &handlers;
    session->stats = stats;
    session->exchange = exchange;
    session->kind = kind;
    session->give_up_ms = now(stats) + STATS_WAIT_MS;
    buf_init(&session->piece, stats->pieces + (size_t)(h.slot - 1) * STATS_PIECE_BYTES,
             STATS_PIECE_BYTES);
    exchange->state = session;
    wake_at(stats, now(stats));
}

void stats_summary(struct serve *serve, struct http_exchange *exchange,
                   const struct serve_target *target)
{
    (void)target;
    answer(serve, exchange, STATS_SUMMARY);
}

void stats_resource(struct serve *serve, struct http_exchange *exchange,
                    const struct serve_target *target)
{
    (void)target;
    answer(serve, exchange, STATS_RESOURCE);
}
