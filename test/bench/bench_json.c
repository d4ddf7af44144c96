/*
 * bench_json.c - how fast JSON is split, parsed and written, on a list of pods of about 20 KB each,
 * as busy clusters have them (managedFields make up most of it).
 *
 * Prints one line per measure: name, MB per second of CPU time, and the size of the text.
 */
#include <stdio.h>

#include "base/check.h"
#include "data/json_read.h"
#include "data/json_split.h"
#include "data/json_write.h"
#include "os/os.h"

#define POD_BYTES_MAX 65536
#define LIST_BYTES_MAX (12u << 20)
#define CHUNK_BYTES 16384 /* one TLS record */
#define RUN_US 400000

static char pod_memory[POD_BYTES_MAX], list_memory[LIST_BYTES_MAX];
static _Alignas(16) char arena_memory[1 << 20];
static char out_memory[1 << 20];

/* {"f:metadata":{"f:labels":{...}}} of managedFields: many short keys with empty objects. */
static void put_managed_fields(struct json_write *w, int fields)
{
    char key[32];
    json_member_array(w, "managedFields");
    json_object(w);
    json_member_text(w, "manager", S("kube-controller-manager"));
    json_member_text(w, "operation", S("Update"));
    json_member_object(w, "fieldsV1");
    for (int i = 0; i < fields; i++) {
        (void)snprintf(key, sizeof(key), "f:field-number-%d", i);
        json_member_object(w, key);
        json_member_object(w, ".");
        json_end(w);
        json_end(w);
    }
    json_end(w);
    json_end(w);
    json_end(w);
}

static void put_container(struct json_write *w)
{
    json_object(w);
    json_member_text(w, "name", S("web"));
    json_member_text(w, "image", S("registry.example.com/team/web-frontend:2024.01.02-3"));
    json_member_array(w, "env");
    for (int i = 0; i < 60; i++) {
        json_object(w);
        json_member_text(w, "name", S("SOME_ENVIRONMENT_VARIABLE"));
        json_member_text(w, "value",
                         S("tcp://10.0.0.1:3306/?user=web&options=\"a b c\" and so on"));
        json_end(w);
    }
    json_end(w);
    json_member_object(w, "resources");
    json_member_object(w, "requests");
    json_member_text(w, "cpu", S("500m"));
    json_member_text(w, "memory", S("1Gi"));
    json_end(w);
    json_end(w);
    json_member_i64(w, "terminationGracePeriodSeconds", 30);
    json_member_bool(w, "tty", false);
    json_end(w);
}

static str make_pod(void)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, pod_memory, sizeof(pod_memory));
    json_write_init(&w, &out);
    json_object(&w);
    json_member_object(&w, "metadata");
    json_member_text(&w, "name", S("web-6d4b75cb6d-x2x9k"));
    json_member_text(&w, "uid", S("7f3c1f0e-52b1-4c2a-9d6a-8e0e5a0b1c2d"));
    json_member_time(&w, "creationTimestamp", 1704164645);
    put_managed_fields(&w, 330);
    json_end(&w);
    json_member_object(&w, "spec");
    json_member_array(&w, "containers");
    put_container(&w);
    json_end(&w);
    json_end(&w);
    json_end(&w);
    CHECK(json_write_ok(&w));
    return buf_str(&out);
}

static str make_list(str pod)
{
    struct buf out;
    buf_init(&out, list_memory, sizeof(list_memory));
    buf_put_text(&out,
                 "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[");
    while (out.bytes + pod.bytes + 8 < out.bytes_max) {
        buf_put(&out, pod);
        buf_put_char(&out, ',');
    }
    out.bytes--;
    buf_put_text(&out, "]}");
    CHECK(buf_ok(&out));
    return buf_str(&out);
}

/* ---- what is measured: each returns how many bytes it worked on
 * ---------------------------------- */

static size_t parse_pod(str pod)
{
    struct arena arena;
    json root;
    arena_init(&arena, arena_memory, sizeof(arena_memory));
    CHECK(json_parse(pod, &arena, &root, NULL) == ERR_OK);
    return pod.bytes;
}

static size_t split_list(str list)
{
    struct json_split split;
    struct buf piece, envelope;
    size_t bytes = list.bytes, items = 0;
    buf_init(&piece, out_memory, POD_BYTES_MAX);
    buf_init(&envelope, arena_memory, 4096);
    json_split_init(&split, SPLIT_LIST, piece, envelope);
    while (list.bytes > 0) {
        str input = str_sub(list, 0, CHUNK_BYTES);
        str found;
        enum split_event event;
        list = str_sub(list, input.bytes, SIZE_MAX);
        while ((event = json_split_next(&split, &input, &found)) != SPLIT_MORE) {
            CHECK(event == SPLIT_ITEM || event == SPLIT_ENVELOPE);
            items++;
        }
    }
    CHECK(items > 100);
    return bytes;
}

static size_t write_escaped(str pod)
{
    struct buf out;
    buf_init(&out, out_memory, sizeof(out_memory));
    json_put_escaped(&out, pod);
    CHECK(buf_ok(&out));
    return pod.bytes;
}

static void measure(const char *name, size_t (*work)(str text), str text)
{
    uint64_t bytes = 0, start_us = os_cpu_us(), spent_us;
    do {
        bytes += work(text);
        spent_us = os_cpu_us() - start_us;
    } while (spent_us < RUN_US);
    printf("%-24s %6.0f MB/s  (%zu bytes at a time)\n", name, (double)bytes / (double)spent_us,
           text.bytes);
}

int main(void)
{
    str pod = make_pod();
    measure("json_parse", parse_pod, pod);
    measure("json_split", split_list, make_list(pod));
    measure("json_put_escaped", write_escaped, pod);
    return 0;
}
