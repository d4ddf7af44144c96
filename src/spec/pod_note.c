/* pod_note.c - see pod_note.h */
#include "spec/pod_note.h"

#include <stdio.h>

#include "spec/pod_facts.h"

#define NOTE_BYTES_MAX 192 /* UID 36, attempt 10, id 64, two slashes */

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
    *out = (struct pod_note){.instance_id = rest, .attempt = (uint32_t)number};
}
