/* pod_note.c - see pod_note.h */
#include "spec/pod_note.h"

#include <stdio.h>

#include "spec/pod_facts.h"
#include "spec/sizing.h"

#define ALIYUN "k8s.aliyun.com/"

#define MEMORY_MIB_MAX ((int64_t)1 << 30) /* nothing is that large */
#define NOTE_BYTES_MAX 192                /* UID 36, attempt 10, id 64, two slashes */

static void member_if(struct json_write *w, const char *key, str value)
{
    if (!str_is_empty(value)) {
        json_member_text(w, key, value);
    }
}

void pod_note_put(struct json_write *w, str pod_uid, const struct pod_note *note)
{
    if (note == NULL || str_is_empty(note->instance_id)) {
        return;
    }
    char memory[NOTE_BYTES_MAX];
    struct buf text;
    buf_init(&text, memory, sizeof(memory));
    buf_put(&text, pod_uid);
    buf_put_fmt(&text, "/%u/", note->attempt);
    buf_put(&text, note->instance_id);
    if (!buf_ok(&text)) {
        return; /* longer than any real id: then there is no note */
    }
    json_member_object(w, "annotations");
    json_member_text(w, ANNOTATION_INSTANCE_ID, note->instance_id);
    json_member_text(w, ANNOTATION_NOTE, buf_str(&text));
    member_if(w, ALIYUN "eci-request-id", note->request_id);
    member_if(w, ALIYUN "eci-instance-spec", note->spec);
    member_if(w, ALIYUN "eci-instance-compute-category", note->compute_category);
    member_if(w, ALIYUN "eci-vpc", note->vpc_id);
    member_if(w, "ecilet/vswitch", note->vswitch_id);
    member_if(w, "ecilet/zone", note->zone_id);
    member_if(w, ALIYUN "eni-instance-id", note->eni_id);
    member_if(w, ALIYUN "allocated-eipAddress", note->eip_address);
    member_if(w, ALIYUN "allocated-ipv6Address", note->ipv6_address);
    json_end(w);
}

/* Letters, digits, dashes: it is put into requests beside the ids of others. */
static bool is_id(str text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') {
            return false;
        }
    }
    return text.bytes > 0;
}

void pod_note_read(json pod, struct arena *arena, struct pod_note *out)
{
    json metadata = json_get(pod, "metadata");
    str rest = json_text(json_get(json_get(metadata, "annotations"), ANNOTATION_NOTE), arena);
    str uid = json_text(json_get(metadata, "uid"), arena);
    str for_uid, attempt;
    uint64_t number = 0;
    *out = (struct pod_note){.instance_id = STR_NONE};
    if (str_is_empty(uid) || !str_cut(&rest, '/', &for_uid) || !str_eq(for_uid, uid) ||
        !str_cut(&rest, '/', &attempt) || !str_to_u64(attempt, &number) || number == 0 ||
        number > UINT32_MAX || !is_id(rest)) {
        return;
    }
    json annotations = json_get(metadata, "annotations");
    *out = (struct pod_note){
        .instance_id = rest,
        .attempt = (uint32_t)number,
        .spec = json_text(json_get(annotations, ALIYUN "eci-instance-spec"), arena)};
}

/* With one decimal at least, as the cloud writes it. */
static void put_decimal(struct buf *out, str number)
{
    buf_put(out, number);
    buf_put_text(out, str_find_char(number, '.') < 0 ? ".0" : "");
}

void pod_note_see(struct pod_note *note, const struct eci_group_row *row, struct arena *arena)
{
    char memory[64];
    struct buf spec;

    note->spec = row->instance_type;
    if (str_is_empty(row->instance_type) && row->cpu_milli > 0 && row->memory_mib > 0 &&
        row->memory_mib < MEMORY_MIB_MAX) {
        buf_init(&spec, memory, sizeof(memory));
        put_decimal(&spec, sizing_cpu_text(arena, row->cpu_milli));
        buf_put_char(&spec, '-');
        put_decimal(&spec, sizing_gib_text(arena, row->memory_mib * (SIZING_GIB / 1024)));
        buf_put_text(&spec, "Gi");
        note->spec = arena_copy(arena, buf_str(&spec));
    }
    note->compute_category = row->compute_category;
    note->vpc_id = row->vpc_id;
    note->vswitch_id = row->vswitch_id;
    note->zone_id = row->zone_id;
    note->eni_id = row->eni_id;
    note->eip_address = row->internet_ip;
    note->ipv6_address = row->ipv6_address;
}
