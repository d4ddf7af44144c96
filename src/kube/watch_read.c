/*
 * watch_read.c - what a list and a stream bring, object by object; see watch.h and watch_in.h.
 *
 * Each object is parsed alone in the arena, given to the owner and forgotten. One that cannot be
 * read is named as far as it can be (kube_meta_glance) and stops nothing.
 */
#include "kube/watch_in.h"

#include "os/log.h"

static void tell_unreadable(struct kube_watch *watch, enum kube_change change, str text,
                            enum err err)
{
    struct kube_unreadable what = {.change = change, .err = err};
    kube_meta_glance(text, &what.meta);
    watch->unreadable++;
    if (change == KUBE_LISTED) {
        watch->list.unreadable++;
        watch->list.nameless += str_is_empty(what.meta.name);
    }
    log_line(LOG_WARN, "kube", "watch %s: unreadable object %.*s/%.*s: %s", watch->config.name,
             STR_ARG(what.meta.name_space), STR_ARG(what.meta.name), err_text(err));
    watch->config.handlers->on_unreadable(watch, &what);
}

/* ---- one page of a list ---------------------------------------------------------------------- */

static void take_item(struct kube_watch *watch, str text)
{
    json object;
    size_t mark = arena_mark(watch->arena);
    enum err err = json_parse(text, watch->arena, &object, NULL);
    if (err == ERR_OK) {
        watch->list.objects++;
        watch->config.handlers->on_object(watch, KUBE_LISTED, object, watch->arena);
    } else {
        tell_unreadable(watch, KUBE_LISTED, text, err);
    }
    arena_rewind(watch->arena, mark);
}

/* The list without its items. All pages must be of one version, or the list is none. */
static void take_envelope(struct kube_watch *watch, str text)
{
    json root;
    size_t mark = arena_mark(watch->arena);
    if (json_parse(text, watch->arena, &root, NULL) != ERR_OK) {
        arena_rewind(watch->arena, mark);
        return;
    }
    json metadata = json_get(root, "metadata");
    str version = json_text(json_get(metadata, "resourceVersion"), watch->arena);
    str token = json_text(json_get(metadata, "continue"), watch->arena);
    bool is_first = watch->token[0] == '\0';
    bool is_same = str_eq(version, str_of(watch->list_version));
    watch->is_page_whole = !str_is_empty(version) && (is_first || is_same) &&
                           str_copy(watch->list_version, sizeof watch->list_version, version) &&
                           str_copy(watch->token, sizeof watch->token, token);
    arena_rewind(watch->arena, mark);
}

void kube_watch_take_list(struct kube_watch *watch, str bytes)
{
    str piece;
    for (;;) {
        switch (json_split_next(&watch->split, &bytes, &piece)) {
        case SPLIT_ITEM:
            take_item(watch, piece);
            break;
        case SPLIT_TOO_BIG:
            tell_unreadable(watch, KUBE_LISTED, piece, ERR_TOO_BIG);
            break;
        case SPLIT_ENVELOPE:
            take_envelope(watch, piece);
            break;
        case SPLIT_BAD:
            kube_watch_want_stop(watch, ERR_BAD_REPLY);
            return;
        case SPLIT_MORE:
            return;
        }
    }
}

/* ---- the stream ------------------------------------------------------------------------------ */

/* The stream brought us forward. A list alone is no reason to be confident: a server that calls
 * each version too old would be listed without end. */
static void move_on(struct kube_watch *watch, str version)
{
    kube_watch_set_version(watch, version);
    watch->failures_row = watch->gone_row = 0;
}

static bool change_of(str type, enum kube_change *out)
{
    static const struct {
        const char *type;
        enum kube_change change;
    } rows[] = {{"ADDED", KUBE_ADDED}, {"MODIFIED", KUBE_MODIFIED}, {"DELETED", KUBE_DELETED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (str_eq(type, str_of(rows[i].type))) {
            *out = rows[i].change;
            return true;
        }
    }
    return false;
}

/* "Too old" has had several spellings over the years (kubernetes #35068 and others). */
static bool is_too_old(const struct kube_status *status)
{
    return status->code == 410 || kube_err_of(0, status->reason) == ERR_GONE ||
           str_find(status->message, S("too old resource version")) >= 0 ||
           str_find(status->message, S("required revision has been compacted")) >= 0;
}

static void take_error(struct kube_watch *watch, json object)
{
    struct kube_status status;
    kube_status_of(object, watch->arena, &status);
    log_line(LOG_INFO, "kube", "watch %s: error event: %.*s", watch->config.name,
             STR_ARG(status.message));
    kube_watch_want_stop(watch, is_too_old(&status) ? ERR_GONE : ERR_SERVER);
}

static void take_event(struct kube_watch *watch, json event)
{
    json object = json_get(event, "object");
    str type = json_text(json_get(event, "type"), watch->arena);
    struct kube_meta meta;
    enum kube_change change;
    kube_meta_read(object, watch->arena, &meta);
    if (change_of(type, &change)) {
        watch->events++;
        watch->config.handlers->on_object(watch, change, object, watch->arena);
        move_on(watch, meta.resource_version);
    } else if (str_eq(type, S("BOOKMARK"))) {
        watch->bookmarks++;
        move_on(watch, meta.resource_version);
    } else if (str_eq(type, S("ERROR"))) {
        take_error(watch, object);
    } else {
        kube_watch_want_stop(watch, ERR_BAD_REPLY);
    }
}

/* The owner was told, so the position moves on if we can see it. */
static void skip_event(struct kube_watch *watch, str text, enum err err)
{
    struct kube_meta meta;
    enum kube_change change = KUBE_MODIFIED;
    (void)change_of(kube_type_glance(text), &change);
    tell_unreadable(watch, change, text, err);
    kube_meta_glance(text, &meta);
    move_on(watch, meta.resource_version);
}

static void take_piece(struct kube_watch *watch, str text)
{
    json event;
    size_t mark = arena_mark(watch->arena);
    enum err err = json_parse(text, watch->arena, &event, NULL);
    if (err == ERR_OK) {
        take_event(watch, event);
    } else {
        skip_event(watch, text, err);
    }
    arena_rewind(watch->arena, mark);
}

void kube_watch_take_stream(struct kube_watch *watch, str bytes)
{
    str piece;
    while (watch->stop_err == ERR_OK) {
        switch (json_split_next(&watch->split, &bytes, &piece)) {
        case SPLIT_ITEM:
            watch->call_pieces++;
            take_piece(watch, piece);
            break;
        case SPLIT_TOO_BIG:
            watch->call_pieces++;
            skip_event(watch, piece, ERR_TOO_BIG);
            break;
        case SPLIT_ENVELOPE:
        case SPLIT_BAD:
            kube_watch_want_stop(watch, ERR_BAD_REPLY);
            return;
        case SPLIT_MORE:
            return;
        }
    }
}
