/*
 * fuzz_pod_spec.c - any bytes as a pod: read for the brain, read for the cloud, translated, its
 * status read, ended and written. The first byte chooses the memory and the mode; the rest is JSON.
 */
#include <stdlib.h>

#include "spec/pod_status.h"
#include "spec/pod_to_eci.h"
#include "spec/service_env.h"

static char memory[4 << 20];
static char pod_memory[8 << 20];
static char body[1 << 20];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct spec_refs refs;

/* A page of services as app keeps it: what is left of any JSON can be read again. */
static json trimmed(json page, struct arena *arena)
{
    struct json_write writer;
    struct buf out;
    json again = JSON_NONE;

    buf_init(&out, body, sizeof body);
    json_write_init(&writer, &out);
    service_env_trim(page, &writer);
    str text = json_write_ok(&writer) ? arena_copy(arena, buf_str(&out)) : STR_NONE;
    if (!str_is_empty(text) && json_parse(text, arena, &again, NULL) == ERR_BAD_INPUT) {
        abort();
    }
    return again;
}

/*
 * What the pod needs is taken from its member "objects", one after the other, and the next byte of
 * `states` says in which state it is. Rounds as in the app.
 */
static bool find_objects(json pod, struct arena *arena, uint8_t states)
{
    json objects = json_get(pod, "objects"), next = json_first(objects);

    refs.count = 0;
    for (uint32_t round = 0, at = 0; round < 4; round++) {
        if (spec_refs_collect(pod, arena, &refs) != ERR_OK) {
            return false;
        }
        for (; at < refs.count; at++) {
            static const enum spec_ref_state rare[] = {SPEC_REF_WANTED, SPEC_REF_ABSENT,
                                                       SPEC_REF_DENIED, SPEC_REF_FAILED};
            bool is_found = json_is_there(next) && (states & 4) == 0;
            refs.items[at].state = is_found ? SPEC_REF_FOUND : rare[states & 3];
            refs.items[at].why = S("why");
            refs.items[at].object = is_found ? next : JSON_NONE;
            if (is_found && refs.items[at].kind == SPEC_REF_SERVICES && (states & 8) != 0) {
                refs.items[at].object = trimmed(next, arena);
            }
            next = json_is_there(next) ? json_next(next) : next;
        }
    }
    return true;
}

static void use_status(json pod, struct arena *arena, const struct pod_facts *facts)
{
    struct pod_status status;
    struct pod_status_past past;
    struct pod_status_input input = {.past = &past, .now_s = 1704171600};
    struct buf out;
    uint64_t hash = 0;

    if (pod_status_past_read(pod, arena, &past) != ERR_OK ||
        pod_status_end(&POD_END_LOST, pod, &input, arena, &status) != ERR_OK) {
        return;
    }
    if (status.phase < past.phase || !pod_phase_is_terminal(status.phase)) {
        abort();
    }
    buf_init(&out, body, sizeof body);
    if (pod_status_write(&status, &past, facts->uid, NULL, &out) == ERR_OK) {
        json again = JSON_NONE;
        /* What we write is JSON, and small enough for ourselves. */
        if (json_parse(buf_str(&out), arena, &again, NULL) == ERR_BAD_INPUT) {
            abort();
        }
    }
    if (pod_status_hash(&status, arena, &hash) == ERR_OK) {
        pod_status_remember(&past, &status, hash);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct spec_config config = {
        .cluster_id = S("c"), .node_name = S("n"), .region_id = S("cn-beijing")};
    struct arena pod_arena, arena;
    struct spec_verdict verdict;
    struct params params;
    struct pod_facts facts;
    json pod = JSON_NONE;

    if (bytes < 1) {
        return 0;
    }
    config.node_address = S("10.0.0.1");
    config.host_paths = S("/a,/b/");
    config.is_strict = data[0] & 1;
    config.deadline_is_ours = data[0] & 2;
    arena_init(&pod_arena, pod_memory, sizeof pod_memory);
    arena_init(&arena, memory, sizeof memory >> (data[0] >> 5));
    if (json_parse(str_make((const char *)data + 1, bytes - 1), &pod_arena, &pod, NULL) != ERR_OK ||
        pod_facts_read(pod, &arena, &facts) != ERR_OK) {
        return 0;
    }
    verdict_init(&verdict, &arena);
    if (params_init(&params, &arena) != ERR_OK) {
        return 0;
    }
    bool has_refs = find_objects(pod, &pod_arena, (uint8_t)(data[0] >> 2));
    enum err err =
        pod_json_to_eci(pod, has_refs ? &refs : NULL, &config, 1, &params, NULL, &verdict);
    if (err != ERR_OK && err != ERR_UNSUPPORTED && err != ERR_BUSY && err != ERR_FULL) {
        abort();
    }
    if ((err == ERR_OK) != (!arena.has_failed && verdict.refusals_count == 0)) {
        abort();
    }
    arena_clear(&arena);
    if (pod_facts_read(pod, &arena, &facts) == ERR_OK) {
        use_status(pod, &arena, &facts);
    }
    return 0;
}
