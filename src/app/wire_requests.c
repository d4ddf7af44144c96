/*
 * wire_requests.c - which request made a group, for the note on its pod (pod_note.h). It is what
 * the cloud's support asks for, and only the reply to the create tells it.
 *
 * The newest are kept until the pod's next status is written, which is seconds later. One that is
 * pushed out before, or lost with the process, is not noted: nothing depends on it.
 */
#include "app/wire.h"

void requests_keep(struct wire *wire, str group_id, str request_id)
{
    struct wire_request *one = &wire->requests.items[wire->requests.next];
    bool fits = str_copy(one->group_id, sizeof one->group_id, group_id) &&
                str_copy(one->id, sizeof one->id, request_id);

    if (!fits) { /* longer than any real id: it is not kept */
        *one = (struct wire_request){0};
        return;
    }
    wire->requests.next = (wire->requests.next + 1) % WIRE_REQUESTS;
}

str requests_find(const struct wire *wire, str group_id)
{
    for (uint32_t i = 0; i < WIRE_REQUESTS && !str_is_empty(group_id); i++) {
        const struct wire_request *one = &wire->requests.items[i];
        if (str_eq(group_id, str_of(one->group_id))) {
            return str_of(one->id);
        }
    }
    return STR_NONE;
}
