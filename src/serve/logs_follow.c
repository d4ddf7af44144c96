/* see logs.h and logs_parts.h: one poller for each container that is followed */
#include "serve/logs_parts.h"

#include "base/check.h"

#define GAP_TEXT                                                                     \
    "[ecilet] lines are missing here: more was written than the cloud gives at once" \
    " (2000 lines, 1 MiB)\n"
#define SLOW_TEXT "[ecilet] lines are missing here: they were not taken in time\n"
#define FINAL_TRIES 3
#define BUSY_MS 100 /* a call that finds no room tries again then */

static struct logs_poller *poller_of(const struct logs_session *session)
{
    struct logs_poller *poller = pool_at(&session->logs->pollers, session->poller);
    CHECK(poller != NULL);
    return poller;
}

static struct logs_session *follower_at(struct list_node *node)
{
    return LIST_OWNER(node, struct logs_session, follower_node);
}

/* ---- coming and going ------------------------------------------------------------------------ */

static bool is_same(const struct logs_poller *poller, const struct logs_whose *whose)
{
    return str_eq(str_of(poller->whose.group), str_of(whose->group)) &&
           str_eq(str_of(poller->whose.container), str_of(whose->container)) &&
           str_eq(str_of(poller->whose.uid), str_of(whose->uid)) && !poller->is_ending &&
           !poller->is_over;
}

static handle find(struct logs *logs, const struct logs_whose *whose)
{
    handle h = pool_first(&logs->pollers);
    while (!handle_is_none(h) && !is_same(pool_at(&logs->pollers, h), whose)) {
        h = pool_after(&logs->pollers, h);
    }
    return h;
}

enum err logs_follow_join(struct logs_session *session)
{
    struct logs *logs = session->logs;
    handle h = find(logs, &session->whose);
    if (handle_is_none(h)) {
        enum err err = pool_take(&logs->pollers, &h);
        if (err != ERR_OK) {
            return err;
        }
        struct logs_poller *fresh = pool_at(&logs->pollers, h);
        fresh->logs = logs;
        fresh->whose = session->whose;
        fresh->limit_bytes = LOG_BYTES_MAX;
        fresh->interval_ms = LOGS_POLL_MS;
        list_init(&fresh->followers);
        log_merge_init(&fresh->merge);
    }
    session->poller = h;
    list_push_back(&poller_of(session)->followers, &session->follower_node);
    return ERR_OK;
}

void logs_follow_leave(struct logs_session *session)
{
    struct logs *logs = session->logs;
    struct logs_poller *poller = poller_of(session);
    list_remove(&poller->followers, &session->follower_node);
    if (poller->followers.count > 0) {
        return;
    }
    if (!handle_is_none(poller->call)) {
        eci_call_cancel(logs->world->cloud, poller->call);
        logs->calls--;
    }
    logs_text_give(logs, poller->text);
    pool_give(&logs->pollers, session->poller);
}

/* Whether a follower's first reading is under way, or has to be before the next poll. */
static bool has_newcomer(const struct logs_poller *poller, enum logs_state from)
{
    for (struct list_node *node = list_front(&poller->followers); node != NULL;
         node = list_after(&poller->followers, node)) {
        enum logs_state state = follower_at(node)->state;
        if (state == LOGS_ASKED || (state == LOGS_WANTED && from == LOGS_WANTED)) {
            return true;
        }
    }
    return false;
}

bool logs_follow_is_free(const struct logs_session *session)
{
    const struct logs_poller *poller = poller_of(session);
    return handle_is_none(poller->call) && !has_newcomer(poller, LOGS_ASKED);
}

/* ---- a follower's first reading -------------------------------------------------------------- */

static void put_line(struct buf *out, const struct log_line *line)
{
    buf_put(out, line->whole);
    buf_put_char(out, '\n');
}

/* The first follower's reading is where the poller begins. */
static void seed(struct logs_session *session, str content, struct buf *out)
{
    static struct log_walk walk; /* 10 KiB; used within one call only */
    struct logs_poller *poller = poller_of(session);
    struct log_line line;
    int64_t floor_ns = session->want.since_ns > 0 ? session->want.since_ns - 1 : 0;
    log_merge_init(&poller->merge);
    log_merge_begin(&walk, &poller->merge, content, false, false);
    while (log_merge_next(&walk, &line)) {
        floor_ns = walk.fresh == 1 ? line.at_ns : floor_ns;
        if (session->want.tail != 0) {
            put_line(out, &line);
        }
    }
    log_merge_floor(&poller->merge, floor_ns);
    poller->is_seeded = true;
    session->is_synced = true;
}

/* A later follower's reading is not older than what the poller knows: its last line is where the
 * next poll goes on for it. */
static void join(struct logs_session *session, str content, struct buf *out)
{
    struct log_line line;
    session->last_hash = 0;
    while (log_lines_next(&content, &line)) {
        if (!line.is_terminated) {
            break;
        }
        session->last_hash = line.hash;
        if (session->want.tail != 0) {
            put_line(out, &line);
        }
    }
    session->is_synced = false;
}

void logs_follow_first(struct logs_session *session, str content, struct buf *out)
{
    struct logs_poller *poller = poller_of(session);
    const struct logs_text *text = pool_at(&session->logs->texts, poller->text);
    if (poller->is_seeded) {
        join(session, content, out);
    } else {
        seed(session, content, out);
    }
    /* What is still being written to the others is in this reading too. */
    session->poll_at = poller->has_text ? text->bytes : 0;
    poller->due_ms = logs_now_ms(session->logs);
    CHECK(buf_ok(out)); /* content and one line end fit, see LOGS_TEXT_BYTES */
}

/* ---- polls ----------------------------------------------------------------------------------- */

str logs_follow_rest(const struct logs_session *session)
{
    const struct logs_poller *poller = poller_of(session);
    const struct logs_text *text = pool_at(&session->logs->texts, poller->text);
    if (!poller->has_text || text == NULL) {
        return STR_NONE;
    }
    return str_make(logs_text_memory(session->logs, poller->text), text->bytes);
}

/* Each new line goes into the text; a follower that has just come begins after its last line. */
static void sync_followers(struct logs_poller *poller, const struct log_line *line, size_t bytes)
{
    for (struct list_node *node = list_front(&poller->followers); node != NULL;
         node = list_after(&poller->followers, node)) {
        struct logs_session *session = follower_at(node);
        if (line == NULL) {
            session->poll_at = session->state == LOGS_WRITING ? 0 : bytes;
        } else if (!session->is_synced && session->last_hash == line->hash) {
            session->poll_at = bytes;
        }
    }
}

static void all_are_synced(struct logs_poller *poller)
{
    for (struct list_node *node = list_front(&poller->followers); node != NULL;
         node = list_after(&poller->followers, node)) {
        struct logs_session *session = follower_at(node);
        session->is_synced = session->is_synced || session->state == LOGS_WRITING;
    }
}

static void put_gap(struct logs_poller *poller, const struct log_line *line, struct buf *out)
{
    poller->logs->counters.gaps++;
    buf_put(out, str_sub(line->whole, 0, line->whole.bytes - line->text.bytes));
    buf_put(out, S(GAP_TEXT));
}

/* New lines of a reading. Returns how many. */
static uint32_t take_lines(struct logs_poller *poller, str content)
{
    static struct log_walk walk;
    struct logs *logs = poller->logs;
    struct logs_text *text = pool_at(&logs->texts, poller->text);
    struct log_line line;
    struct buf out;
    bool is_capped = log_is_capped(content, LOG_LINES_MAX, poller->limit_bytes);
    content = log_whole_lines(content, poller->limit_bytes);
    buf_init(&out, logs_text_memory(logs, poller->text), LOGS_TEXT_BYTES);
    sync_followers(poller, NULL, 0);
    log_merge_begin(&walk, &poller->merge, content, is_capped, poller->is_ending);
    while (log_merge_next(&walk, &line)) {
        if (walk.has_gap) {
            put_gap(poller, &line, &out);
        }
        put_line(&out, &line);
        sync_followers(poller, &line, out.bytes);
    }
    CHECK(buf_ok(&out));
    all_are_synced(poller);
    text->bytes = out.bytes;
    text->has_stamps = true;
    return walk.fresh;
}

static void poll_done(struct logs_poller *poller, str content)
{
    uint32_t fresh = take_lines(poller, content);
    poller->failures = 0;
    poller->absences = 0;
    poller->has_text = true;
    poller->text_ms = logs_now_ms(poller->logs);
    poller->is_over = poller->is_ending;
    if (fresh > LOG_LINES_MAX / 4) {
        poller->interval_ms = LOGS_POLL_MIN_MS;
    } else if (fresh > 0) {
        poller->interval_ms = LOGS_POLL_MS;
    } else {
        poller->interval_ms += poller->interval_ms / 2;
    }
}

static void poll_failed(struct logs_poller *poller, enum err err)
{
    struct logs *logs = poller->logs;
    logs->counters.failures++;
    poller->failures++;
    poller->interval_ms *= 2;
    logs_text_give(logs, poller->text);
    poller->text = HANDLE_NONE;
    if ((err == ERR_TOO_BIG || err == ERR_FULL) && poller->limit_bytes > LOGS_LIMIT_MIN) {
        poller->limit_bytes /= 2;
        poller->interval_ms = LOGS_POLL_MIN_MS;
    } else if (err == ERR_THROTTLED) {
        bucket_slow(&logs->bucket, logs_now_ms(logs));
    }
    bool is_gone = err_fate(err) == FATE_NEVER && ++poller->absences >= FINAL_TRIES;
    poller->is_over = is_gone || (poller->is_ending && poller->failures >= FINAL_TRIES);
}

static void on_poll(void *owner, enum err err, const struct eci_reply *reply)
{
    struct logs *logs = owner;
    struct logs_poller *poller = pool_at(&logs->pollers, reply->subject);
    str content = STR_NONE;
    msec now_ms = logs_now_ms(logs);
    logs->calls--;
    logs_wake_at(logs, now_ms);
    if (poller == NULL) {
        return;
    }
    poller->call = HANDLE_NONE;
    if (err == ERR_OK) {
        err = logs_content(reply, &content);
    }
    if (err == ERR_OK) {
        poll_done(poller, content);
    } else {
        poll_failed(poller, err);
    }
    if (poller->interval_ms > LOGS_POLL_MAX_MS) {
        poller->interval_ms = LOGS_POLL_MAX_MS;
    }
    poller->due_ms = now_ms + (poller->is_ending ? LOGS_POLL_MS : poller->interval_ms);
}

/* False: no room for a call now. */
static bool poll(struct logs_poller *poller)
{
    struct logs *logs = poller->logs;
    if (!logs_may_call(logs, LOGS_BURST_KEPT)) {
        return false;
    }
    poller->text = logs_text_take(logs);
    if (handle_is_none(poller->text)) {
        return false;
    }
    enum err err = logs_ask(logs, &poller->whose, LOG_LINES_MAX, poller->limit_bytes, 0,
                            log_merge_since_s(&poller->merge), true, poller->is_restarted, on_poll,
                            pool_handle_of(&logs->pollers, poller), &poller->call);
    if (err != ERR_OK) {
        logs_text_give(logs, poller->text);
        poller->text = HANDLE_NONE;
        return false;
    }
    logs->counters.polls++;
    return true;
}

void logs_follow_finish(struct logs_poller *poller, bool is_restarted)
{
    if (!poller->is_ending) {
        poller->is_ending = true;
        poller->is_restarted = is_restarted;
        poller->failures = 0;
        poller->due_ms = logs_now_ms(poller->logs);
        logs_wake_at(poller->logs, poller->due_ms);
    }
}

/* ---- what is due ----------------------------------------------------------------------------- */

static void skip_rest(struct logs_session *session, size_t bytes)
{
    bool is_cut = handle_is_none(session->text) && session->is_in_line;
    session->poll_at = bytes;
    session->is_in_line = session->is_in_line && !is_cut;
    session->pending = is_cut ? S("\n" SLOW_TEXT) : S(SLOW_TEXT);
    session->logs->counters.slow_skips++;
}

/* True when nobody needs the text any more; those who are late lose what is left of it. */
static bool text_is_taken(struct logs_poller *poller, size_t bytes, bool is_late)
{
    bool is_done = true;
    for (struct list_node *node = list_front(&poller->followers); node != NULL;
         node = list_after(&poller->followers, node)) {
        struct logs_session *session = follower_at(node);
        bool needs_it = session->state == LOGS_WRITING || session->state == LOGS_CHECKED;
        if (needs_it && session->poll_at < bytes) {
            if (is_late) {
                skip_rest(session, bytes);
            } else {
                is_done = false;
            }
        }
    }
    return is_done;
}

/* A text that everybody has, or that was kept long enough, makes room for the next. */
static bool is_written(struct logs_poller *poller, msec now_ms)
{
    struct logs *logs = poller->logs;
    const struct logs_text *text = pool_at(&logs->texts, poller->text);
    if (!poller->has_text) {
        return true;
    }
    bool is_late = now_ms >= poller->text_ms + LOGS_SLOW_MS;
    if (!text_is_taken(poller, text->bytes, is_late)) {
        logs_wake_at(logs, poller->text_ms + LOGS_SLOW_MS);
        return false;
    }
    logs_text_give(logs, poller->text);
    poller->text = HANDLE_NONE;
    poller->has_text = false;
    sync_followers(poller, NULL, 0);
    return true;
}

/* Nothing more will come: every answer ends when it is written. */
static void end_all(struct logs *logs, handle h)
{
    struct logs_poller *poller = pool_at(&logs->pollers, h);
    struct list_node *next;
    uint32_t left = poller->followers.count;
    for (struct list_node *node = list_front(&poller->followers); left > 0; node = next, left--) {
        struct logs_session *session = follower_at(node);
        next = list_after(&poller->followers, node);
        session->is_last = true;
        logs_write(session); /* with the last follower the poller goes */
    }
}

/* A poller that has nothing under way and nothing to write. */
static bool is_due(struct logs *logs, handle h, msec now_ms)
{
    struct logs_poller *poller = pool_at(&logs->pollers, h);
    if (!handle_is_none(poller->call) || !is_written(poller, now_ms)) {
        return false;
    }
    if (poller->is_over) {
        end_all(logs, h);
        return false;
    }
    if (!poller->is_seeded || has_newcomer(poller, LOGS_WANTED)) {
        return false;
    }
    if (poller->due_ms > now_ms) {
        logs_wake_at(logs, poller->due_ms);
        return false;
    }
    return true;
}

/* The one that has waited longest goes first, so that a short budget is shared. */
static struct logs_poller *most_due(struct logs *logs, msec now_ms)
{
    struct logs_poller *best = NULL;
    for (handle h = pool_first(&logs->pollers); !handle_is_none(h);
         h = pool_after(&logs->pollers, h)) {
        if (is_due(logs, h, now_ms)) {
            struct logs_poller *poller = pool_at(&logs->pollers, h);
            best = best == NULL || poller->due_ms < best->due_ms ? poller : best;
        }
    }
    return best;
}

void logs_follow_work(struct logs *logs)
{
    msec now_ms = logs_now_ms(logs);
    struct logs_poller *poller = most_due(logs, now_ms);
    while (poller != NULL && poll(poller)) {
        poller = most_due(logs, now_ms);
    }
    if (poller != NULL) {
        logs_wake_at(logs, now_ms + BUSY_MS);
    }
}
