/* see cache.h; the actions of eci-api 2.14 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "actions.h"
#include "cache.h"
#include "check.h"
#include "settings.h"
#include "sim.h"

#define IMAGES_MAX 20
#define DAY_MS 86400000ll

struct cache {
    struct cache *next;
    char id[32];
    struct arena arena;
    struct node *params;
    int64_t created_ms; /* wall time */
    int64_t ready_ms;   /* monotonic: from then on Ready */
    bool is_update;
};

static struct cache *caches;

static struct cache *find(const char *id)
{
    struct cache *cache = caches;
    while (cache != NULL && !text_is(cache->id, id)) {
        cache = cache->next;
    }
    return cache;
}

static const char *status_of(const struct cache *cache)
{
    if (clock_ms() >= cache->ready_ms) {
        return "Ready";
    }
    return cache->is_update ? "Updating" : "Creating";
}

const char *cache_status(const char *id)
{
    const struct cache *cache = find(id);
    return cache == NULL ? NULL : status_of(cache);
}

size_t cache_count(void)
{
    size_t count = 0;
    for (const struct cache *cache = caches; cache != NULL; cache = cache->next) {
        count++;
    }
    return count;
}

static void cache_free(struct cache *cache)
{
    arena_free(&cache->arena);
    free(cache);
}

void cache_reset(void)
{
    while (caches != NULL) {
        struct cache *next = caches->next;
        cache_free(caches);
        caches = next;
    }
}

static bool check_cache(struct call *call)
{
    long long bytes = tree_long(call->params, "ImageCacheSize", 20);
    check_tags(call);
    if (tree_count(call->params, "Image") > IMAGES_MAX) {
        call_fail(call, CODE_EXCEEDED, "Image: more than %d.", IMAGES_MAX);
    } else if (bytes < 20 || bytes > 32768) {
        call_fail(call, CODE_INVALID, "The specified parameter ImageCacheSize is not valid.");
    }
    return call->code == CODE_NONE;
}

/* A cache becomes Ready after the time a group takes to run: there is no other unit here. */
static int64_t ready_at(void)
{
    return clock_ms() + settings.scheduling_ms + settings.pending_ms;
}

static void make_id(char *id, const char *start)
{
    strcpy(id, start);
    for (size_t at = strlen(start); at < 24; at++) {
        id[at] = "abcdefghijklmnopqrstuvwxyz0123456789"[dice_roll(&sim_dice) % 36];
        id[at + 1] = '\0';
    }
}

void act_cache_create(struct call *call)
{
    char helper[32];
    if (!check_cache(call)) {
        return;
    }
    struct cache *cache = text_grab(NULL, sizeof *cache);
    *cache = (struct cache){.params = call->params,
                            .arena = call->arena,
                            .created_ms = wall_ms(),
                            .ready_ms = ready_at(),
                            .next = caches};
    call->arena = (struct arena){0};
    caches = cache;
    make_id(cache->id, "imc-");
    make_id(helper, "eci-");
    jw_ktext(&call->reply, "ImageCacheId", cache->id);
    jw_ktext(&call->reply, "ContainerGroupId", helper);
}

void cache_put(const char *id)
{
    struct cache *cache = text_grab(NULL, sizeof *cache);
    *cache = (struct cache){.created_ms = wall_ms(), .ready_ms = clock_ms(), .next = caches};
    snprintf(cache->id, sizeof cache->id, "%s", id);
    cache->params = tree_new(&cache->arena);
    caches = cache;
}

/* "Image" and "MatchImage.N" ask for caches that hold these images. */
static bool holds(const struct cache *cache, const char *image)
{
    for (const struct node *mine = tree_list(cache->params, "Image"); mine != NULL;
         mine = mine->next) {
        if (text_is(mine->value, image)) {
            return true;
        }
    }
    return false;
}

static bool fits(const struct call *call, const struct cache *cache)
{
    const char *id = call_param(call, "ImageCacheId");
    const char *name = call_param(call, "ImageCacheName");
    const char *image = call_param(call, "Image");
    const struct node *match = tree_list(call->params, "MatchImage");
    bool has_all = true;
    bool has_one = match == NULL;
    for (; match != NULL; match = match->next) {
        bool has_it = match->value != NULL && holds(cache, match->value);
        has_all = has_all && has_it;
        has_one = has_one || has_it;
    }
    return (id == NULL || text_is(id, cache->id)) &&
           (name == NULL || text_is(name, tree_text(cache->params, "ImageCacheName"))) &&
           (image == NULL || holds(cache, image)) &&
           (tree_true(call->params, "ImageFullMatch") ? has_all : has_one);
}

static void write_cache(struct jw *jw, const struct cache *cache)
{
    char text[TIME_TEXT_BYTES];
    char snapshot[40];
    long long days = tree_long(cache->params, "RetentionDays", 0);
    const char *status = status_of(cache);
    jw_open(jw, '{');
    jw_ktext(jw, "ImageCacheId", cache->id);
    jw_ktext(jw, "ImageCacheName", tree_text(cache->params, "ImageCacheName"));
    jw_ktext(jw, "Status", status);
    jw_ktext(jw, "Progress", text_is(status, "Ready") ? "100%" : "50%");
    jw_klist(jw, "Images", tree_list(cache->params, "Image"));
    jw_klong(jw, "ImageCacheSize", tree_long(cache->params, "ImageCacheSize", 20));
    strcpy(snapshot, "s-");
    strcat(snapshot, cache->id + 4);
    jw_ktext(jw, "SnapshotId", snapshot);
    jw_ktext(jw, "RegionId", settings.region);
    jw_ktext(jw, "CreationTime", time_text(text, cache->created_ms));
    if (days > 0) {
        jw_ktext(jw, "ExpireDateTime", time_text(text, cache->created_ms + days * DAY_MS));
    }
    jw_kopen(jw, "Tags", '[');
    for (const struct node *tag = tree_list(cache->params, "Tag"); tag != NULL; tag = tag->next) {
        jw_open(jw, '{');
        jw_ktext(jw, "Key", tree_text(tag, "Key"));
        jw_ktext(jw, "Value", tree_text(tag, "Value"));
        jw_close(jw, '}');
    }
    jw_close(jw, ']');
    jw_kopen(jw, "Events", '[');
    jw_close(jw, ']');
    jw_close(jw, '}');
}

void act_cache_describe(struct call *call)
{
    struct jw *jw = &call->reply;
    long long count = 0;
    jw_kopen(jw, "ImageCaches", '[');
    for (const struct cache *cache = caches; cache != NULL; cache = cache->next) {
        if (fits(call, cache) && !call->effects.empty_list) {
            write_cache(jw, cache);
            count++;
        }
    }
    jw_close(jw, ']');
    jw_klong(jw, "TotalCount", count);
    jw_ktext(jw, "NextToken", "");
}

static struct cache *find_asked(struct call *call)
{
    struct cache *cache = find(call_param(call, "ImageCacheId"));
    if (cache == NULL) {
        call_fail(call, CODE_CACHE_NOT_FOUND, NULL);
    }
    return cache;
}

void act_cache_update(struct call *call)
{
    struct cache *cache = find_asked(call);
    if (cache == NULL || !check_cache(call)) {
        return;
    }
    if (!text_is(status_of(cache), "Ready")) {
        call_fail(call, CODE_CACHE_STATUS, NULL);
        return;
    }
    cache->ready_ms = ready_at();
    cache->is_update = true;
}

void act_cache_delete(struct call *call)
{
    struct cache *cache = find_asked(call);
    for (struct cache **place = &caches; cache != NULL && *place != NULL; place = &(*place)->next) {
        if (*place == cache) {
            *place = cache->next;
            cache_free(cache);
            return;
        }
    }
}
