/* The route /metrics: see metrics.h. Apart from metrics.c, which app uses without a server. */
#include "serve/attach.h"
#include "serve/exec.h"
#include "serve/logs.h"
#include "serve/metrics.h"
#include "serve/portforward.h"
#include "serve/serve_port.h"
#include "serve/stats.h"

static void put_server(struct metrics_out *to, const struct http_server *server)
{
    const struct http_server_counters *is = http_server_counters(server);
    metrics_put(to, METRIC_SERVER_OPEN, http_server_open(server));
    metrics_put(to, METRIC_SERVER_ACCEPTED, is->accepted);
    metrics_put_label(to, METRIC_SERVER_REFUSED, "reason", S("full"), is->refused_full);
    metrics_put_label(to, METRIC_SERVER_REFUSED, "reason", S("peer"), is->refused_peer);
    metrics_put_label(to, METRIC_SERVER_REFUSED, "reason", S("evicted"), is->evicted);
    metrics_put_label(to, METRIC_SERVER_HANDSHAKES, "result", S("good"), is->handshakes);
    metrics_put_label(to, METRIC_SERVER_HANDSHAKES, "result", S("failed"), is->handshake_failures);
    metrics_put_label(to, METRIC_SERVER_REQUESTS, "result", S("good"), is->requests);
    metrics_put_label(to, METRIC_SERVER_REQUESTS, "result", S("bad"), is->bad_requests);
    metrics_put(to, METRIC_SERVER_DEADLINES, is->deadlines);
    metrics_put_label(to, METRIC_SERVER_BYTES, "direction", S("in"), is->bytes_in);
    metrics_put_label(to, METRIC_SERVER_BYTES, "direction", S("out"), is->bytes_out);
}

static void put_callers(struct metrics_out *to, const struct serve_counters *is)
{
    metrics_put_label(to, METRIC_SERVER_DENIED, "reason", S("unknown"), is->unauthenticated);
    metrics_put_label(to, METRIC_SERVER_DENIED, "reason", S("forbidden"), is->forbidden);
    metrics_put_label(to, METRIC_SERVER_DENIED, "reason", S("unanswered"), is->unanswered);
    metrics_put(to, METRIC_SERVER_REVIEWS, is->reviews);
}

static void put_logs(struct metrics_out *to, const struct logs *logs)
{
    metrics_put(to, METRIC_LOGS_OPEN, logs->sessions.count);
    metrics_put(to, METRIC_LOGS_FOLLOWED, logs->pollers.count);
    metrics_put(to, METRIC_LOGS_POLLS, logs->counters.polls);
    metrics_put_label(to, METRIC_LOGS_GAPS, "reason", S("cloud"), logs->counters.gaps);
    metrics_put_label(to, METRIC_LOGS_GAPS, "reason", S("slow_reader"), logs->counters.slow_skips);
    metrics_put(to, METRIC_LOGS_REFUSED, logs->counters.refused_full);
}

static void put_streams(struct metrics_out *to)
{
    metrics_put_label(to, METRIC_STREAMS, "kind", S("exec"), exec_open());
    metrics_put_label(to, METRIC_STREAMS, "kind", S("attach"), attach_open());
    metrics_put_label(to, METRIC_STREAMS, "kind", S("port-forward"), forward_open());
}

void metrics_all(struct serve *serve, struct http_exchange *exchange,
                 const struct serve_target *target)
{
    const struct serve_world *world = serve_world(serve);
    struct metrics_out to = {0};
    struct buf out;
    (void)target;
    size_t mark = arena_mark(world->arena);
    char *memory = arena_take(world->arena, HTTP_SERVER_REPLY_BYTES);
    buf_init(&out, memory, memory != NULL ? HTTP_SERVER_REPLY_BYTES : 0);
    to.out = &out;
    world->put_metrics(world->owner, &out);
    if (exchange->server != NULL) {
        put_server(&to, exchange->server);
    }
    put_callers(&to, &serve->counters);
    if (world->logs != NULL) {
        put_logs(&to, world->logs);
    }
    put_streams(&to);
    if (world->stats != NULL) {
        metrics_put(&to, METRIC_STATS_ROUNDS, world->stats->counters.rounds);
        metrics_put(&to, METRIC_STATS_FAILURES, world->stats->counters.failures);
    }
    if (buf_ok(&out)) {
        http_reply(exchange, 200, S(PROM_TYPE), buf_str(&out));
    } else {
        http_reply(exchange, 500, S("text/plain"), S("the metrics do not fit"));
    }
    arena_rewind(world->arena, mark);
}
