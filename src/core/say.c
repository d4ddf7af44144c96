/*
 * say.c - what the brain tells people: statuses of its own (when there is no group to report) and
 * events. Both wait in bounded places; see brain.h for what happens when they are full.
 */
#include <stdarg.h>

#include "core/brain_in.h"

bool pod_say(struct brain *brain, struct pod *pod, enum say_kind kind, const char *reason,
             str message)
{
    bool is_same = pod->say == kind && str_eq(str_of(pod->say_reason), str_of(reason)) &&
                   str_eq(str_of(pod->message), message);
    if (is_same) {
        return false; /* said, or waiting to be */
    }
    pod->say = kind;
    pod->say_reason = reason;
    pod->was_said = false;
    /* Too long is cut, which is fine for a sentence. */
    (void)str_copy(pod->message, sizeof pod->message, message);
    pod_touch(brain, pod);
    return true;
}

void brain_tell(struct brain *brain, const struct pod *pod, bool is_warning, const char *reason,
                const char *format, ...)
{
    if (brain->only_looks && pod != NULL) { /* who acts tells of pods */
        return;
    }
    if (brain->events_count == BRAIN_EVENTS_MAX) {
        brain->events_first = (brain->events_first + 1) % BRAIN_EVENTS_MAX;
        brain->events_count--;
        brain->counters.events_dropped++;
    }
    struct brain_event *event =
        &brain->events[(brain->events_first + brain->events_count) % BRAIN_EVENTS_MAX];
    brain->events_count++;
    event->name[0] = '\0';
    if (pod != NULL) {
        memcpy(event->uid, pod->uid, sizeof event->uid);
        memcpy(event->name_space, pod->name_space, sizeof event->name_space);
        memcpy(event->name, pod->name, sizeof event->name);
    }
    event->is_warning = is_warning;
    event->reason = reason;
    va_list args;
    va_start(args, format);
    /* Longer than the place: the beginning is kept. */
    (void)vsnprintf(event->message, sizeof event->message, format, args);
    va_end(args);
}

void brain_warn(struct brain *brain, const char *reason, const char *message)
{
    brain_tell(brain, NULL, true, reason, "%s", message);
}

bool brain_take_event(struct brain *brain, struct brain_event *out)
{
    if (brain->events_count == 0) {
        return false;
    }
    *out = brain->events[brain->events_first];
    brain->events_first = (brain->events_first + 1) % BRAIN_EVENTS_MAX;
    brain->events_count--;
    return true;
}
