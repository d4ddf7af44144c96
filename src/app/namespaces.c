/* see namespaces.h */
#include "app/namespaces.h"

#include <string.h>

#include "base/check.h"

#define NAME_BYTES 64 /* a DNS label and its NUL */

struct name_space {
    char name[NAME_BYTES];
    uint32_t list; /* the newest list that showed it */
    uint32_t labels_count;
    uint32_t bytes;
    char text[NAMESPACE_LABEL_BYTES]; /* key NUL value NUL ... */
};

void namespaces_init(struct namespaces *all, struct region *region)
{
    pool_init(&all->pool, region, "namespaces", NAMESPACES_MAX, sizeof(struct name_space));
    index_init(&all->index, region, "namespaces by name", NAMESPACES_MAX);
    all->list = 0;
    all->is_cut = all->is_full = false;
    memset(all->late, 0, sizeof all->late);
}

static struct name_space *find(const struct namespaces *all, str name, handle *h)
{
    uint32_t at = INDEX_START;
    while (index_find(&all->index, str_hash(name), &at, h)) {
        struct name_space *one = pool_at(&all->pool, *h);
        if (one != NULL && str_eq(str_of(one->name), name)) {
            return one;
        }
    }
    return NULL;
}

void namespaces_list_begin(struct namespaces *all)
{
    all->list++;
    all->is_cut = all->is_full = false;
}

static void forget(struct namespaces *all, handle h)
{
    struct name_space *one = pool_at(&all->pool, h);
    bool was_there = index_remove(&all->index, str_hash(str_of(one->name)), h);
    CHECK(was_there);
    pool_give(&all->pool, h);
}

void namespaces_list_end(struct namespaces *all)
{
    for (handle h = pool_first(&all->pool); !handle_is_none(h); h = pool_after(&all->pool, h)) {
        const struct name_space *one = pool_at(&all->pool, h);
        if (one->list != all->list) {
            forget(all, h);
        }
    }
}

void namespaces_remove(struct namespaces *all, str name)
{
    handle h;
    if (find(all, name, &h) != NULL) {
        forget(all, h);
    }
}

bool namespaces_may_come(struct namespaces *all, str name, msec now_ms)
{
    uint64_t print = str_hash(name);
    struct namespace_late *oldest = &all->late[0];
    if (all->is_full) {
        return false;
    }
    for (int i = 0; i < NAMESPACES_LATE_MAX; i++) {
        struct namespace_late *one = &all->late[i];
        if (one->until_ms > 0 && one->print == print &&
            now_ms <= one->until_ms + 10 * NAMESPACES_LATE_MS) {
            return now_ms < one->until_ms;
        }
        oldest = one->until_ms < oldest->until_ms ? one : oldest;
    }
    if (oldest->until_ms <= now_ms) {
        *oldest = (struct namespace_late){print, now_ms + NAMESPACES_LATE_MS};
    }
    return true;
}

/* It is there: when it goes and comes again, it is waited for again. */
static void is_late_no_more(struct namespaces *all, str name)
{
    uint64_t print = str_hash(name);
    for (int i = 0; i < NAMESPACES_LATE_MAX; i++) {
        if (all->late[i].print == print) {
            all->late[i].until_ms = 0;
        }
    }
}

static enum err take(struct namespaces *all, str name, struct name_space **out)
{
    handle h;
    *out = find(all, name, &h);
    if (*out != NULL) {
        return ERR_OK;
    }
    enum err err = pool_take(&all->pool, &h);
    if (err != ERR_OK) {
        all->is_full = true;
        return err;
    }
    *out = pool_at(&all->pool, h);
    bool is_copied = str_copy((*out)->name, sizeof(*out)->name, name);
    err = index_add(&all->index, str_hash(name), h);
    CHECK(is_copied && err == ERR_OK); /* both have room for all of the pool */
    is_late_no_more(all, name);
    return ERR_OK;
}

static bool add_label(struct name_space *to, const struct spec_pair *label)
{
    struct buf out;
    buf_init(&out, to->text + to->bytes, sizeof to->text - to->bytes);
    buf_put(&out, label->key);
    buf_put_char(&out, '\0');
    buf_put(&out, label->value);
    buf_put_char(&out, '\0');
    if (!buf_ok(&out)) {
        return false;
    }
    to->bytes += (uint32_t)out.bytes;
    to->labels_count++;
    return true;
}

static bool is_asked_for(const struct profile *profile, str key)
{
    for (uint32_t i = 0; i < profile->selectors_count; i++) {
        const struct label_select *select = &profile->selectors[i].namespaces;
        for (uint32_t t = 0; t < select->terms_count; t++) {
            if (str_eq(select->terms[t].key, key)) {
                return true;
            }
        }
    }
    return false;
}

/* Those of one kind. False when one of them has no room. */
static bool add_labels(struct namespaces *all, struct name_space *to, const struct profile *profile,
                       struct label_set labels, bool are_asked_for)
{
    bool is_whole = true;
    for (uint32_t i = 0; i < labels.count; i++) {
        if (is_asked_for(profile, labels.items[i].key) == are_asked_for) {
            is_whole = add_label(to, &labels.items[i]) && is_whole;
        }
    }
    all->is_cut = all->is_cut || !is_whole;
    return is_whole;
}

enum err namespaces_set(struct namespaces *all, const struct profile *profile, str name,
                        json labels, struct arena *arena)
{
    struct name_space *one;
    struct spec_pair *items;
    uint32_t count = 0;
    if (str_is_empty(name) || name.bytes >= NAME_BYTES || str_find_char(name, '\0') >= 0) {
        return ERR_INVALID;
    }
    size_t mark = arena_mark(arena);
    enum err err = label_set_read(labels, 0, arena, &items, &count);
    if (err == ERR_OK) {
        err = take(all, name, &one);
    }
    if (err == ERR_OK) {
        const struct label_set set = {items, count};
        one->list = all->list;
        one->labels_count = one->bytes = 0;
        err = add_labels(all, one, profile, set, true) ? ERR_OK : ERR_TOO_BIG;
        (void)add_labels(all, one, profile, set, false); /* nobody asks for them now */
    }
    arena_rewind(arena, mark);
    return err;
}

enum err namespaces_labels(const struct namespaces *all, str name, struct arena *arena,
                           struct label_set *out)
{
    handle h;
    const struct name_space *one = find(all, name, &h);
    if (one == NULL) {
        return ERR_NOT_FOUND;
    }
    struct spec_pair *items = ARENA_ARRAY(arena, one->labels_count + 1, struct spec_pair);
    str rest = arena_copy(arena, str_make(one->text, one->bytes));
    if (items == NULL || arena->has_failed) {
        return ERR_FULL;
    }
    for (uint32_t i = 0; i < one->labels_count; i++) {
        bool is_whole =
            str_cut(&rest, '\0', &items[i].key) && str_cut(&rest, '\0', &items[i].value);
        CHECK(is_whole);
    }
    *out = (struct label_set){items, one->labels_count};
    return ERR_OK;
}
