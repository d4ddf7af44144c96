/*
 * serve_pods.c - GET /pods and /runningpods/: a PodList of what this node knows of its pods: names,
 * UIDs, phase and addresses. Specs are not kept in memory; who needs them asks the API server.
 *
 * Written in pieces, however many pods there are; a pod that comes or goes meanwhile may be missing
 * or be shown, as in every listing without a version.
 */
#include "base/check.h"
#include "data/json_write.h"
#include "serve/serve_port.h"

#define LISTS_MAX 4           /* answers under way; more: 503 */
#define LIST_PIECE_BYTES 1024 /* one pod: namespace 63, name 253, UID 36, address 45 */

struct pod_listing {
    struct serve_session session;
    struct serve *serve;
    bool is_used, only_running, has_begun, has_item, is_over;
    uint32_t at;
    size_t piece_bytes, piece_sent;
    char piece[LIST_PIECE_BYTES];
};

/* A few KB, for the process. */
static struct pod_listing lists[LISTS_MAX];

static void put_pod(struct pod_listing *list, const struct serve_pod *pod)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, list->piece, sizeof list->piece);
    if (list->has_item) {
        buf_put_char(&out, ',');
    }
    json_write_init(&w, &out);
    json_object(&w);
    json_member_object(&w, "metadata");
    json_member_text(&w, "name", pod->name);
    json_member_text(&w, "namespace", pod->name_space);
    json_member_text(&w, "uid", pod->uid);
    json_end(&w);
    json_member_object(&w, "spec");
    json_end(&w);
    json_member_object(&w, "status");
    json_member_text(&w, "phase", pod->is_running ? S("Running") : S("Pending"));
    if (!str_is_empty(pod->address)) {
        json_member_text(&w, "podIP", pod->address);
    }
    json_end(&w);
    json_end(&w);
    CHECK(json_write_ok(&w)); /* LIST_PIECE_BYTES */
    list->has_item = true;
    list->piece_bytes = out.bytes;
}

static void put_text(struct pod_listing *list, str text)
{
    CHECK(text.bytes <= sizeof list->piece);
    memcpy(list->piece, text.ptr, text.bytes);
    list->piece_bytes = text.bytes;
}

/* The next piece; false: all is said. */
static bool next_piece(struct pod_listing *list)
{
    const struct serve_world *world = &list->serve->world;
    struct serve_pod pod;
    list->piece_sent = 0;
    if (!list->has_begun) {
        list->has_begun = true;
        put_text(list,
                 S("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":["));
        return true;
    }
    while (!list->is_over && world->next_pod(world->owner, &list->at, &pod)) {
        if (!pod.has_ended && (pod.is_running || !list->only_running)) {
            put_pod(list, &pod);
            return true;
        }
    }
    if (list->is_over) {
        return false;
    }
    list->is_over = true;
    put_text(list, S("]}\n"));
    return true;
}

static void on_room(struct http_exchange *exchange)
{
    struct pod_listing *list = exchange->state;
    for (;;) {
        str rest = str_make(list->piece + list->piece_sent, list->piece_bytes - list->piece_sent);
        list->piece_sent += http_reply_put(exchange, rest);
        if (list->piece_sent < list->piece_bytes) {
            return; /* on_room comes again */
        }
        if (!next_piece(list)) {
            http_reply_end(exchange);
            return;
        }
    }
}

static void on_gone(struct http_exchange *exchange)
{
    struct pod_listing *list = exchange->state;
    list->is_used = false;
}

static const struct http_server_handlers handlers = {.on_room = on_room, .on_gone = on_gone};

static void begin(struct serve *serve, struct http_exchange *exchange, bool only_running)
{
    for (uint32_t i = 0; i < LISTS_MAX; i++) {
        if (!lists[i].is_used) {
            lists[i] = (struct pod_listing){.session = {&handlers},
                                            .serve = serve,
                                            .is_used = true,
                                            .only_running = only_running};
            exchange->state = &lists[i];
            http_reply_begin(exchange, 200, S("application/json"));
            on_room(exchange);
            return;
        }
    }
    serve_refuse(exchange, 503, NULL, "too many listings at once; try again");
}

void serve_pods(struct serve *serve, struct http_exchange *exchange,
                const struct serve_target *target)
{
    (void)target;
    begin(serve, exchange, false);
}

void serve_running_pods(struct serve *serve, struct http_exchange *exchange,
                        const struct serve_target *target)
{
    (void)target;
    begin(serve, exchange, true);
}
