/* see tls_keep.h */
#include "net/tls_keep.h"

#include <string.h>

#include "os/log.h"
#include "os/os.h"

void tls_keep_init(struct tls_keep *keep, struct region *region,
                   const struct tls_keep_config *config)
{
    keep->config = *config;
    for (uint32_t i = 0; i < 2; i++) {
        void *memory = region_carve(region, "certificate of a port", 1, TLS_KEEP_BYTES);
        arena_init(&keep->sets[i].arena, memory, memory != NULL ? TLS_KEEP_BYTES : 0);
    }
}

const struct tls_set *tls_keep_current(const struct tls_keep *keep)
{
    const struct tls_set *set = &keep->sets[keep->at];
    return set->is_loaded ? set : NULL;
}

const struct tls_set *tls_keep_next(const struct tls_keep *keep)
{
    return keep->is_prepared ? &keep->sets[1 - keep->at] : NULL;
}

void tls_keep_swap(struct tls_keep *keep)
{
    if (keep->is_prepared) {
        keep->at = 1 - keep->at;
        keep->is_prepared = false;
        log_line(LOG_INFO, keep->config.name, "certificate of %s taken over",
                 keep->sets[keep->at].identity.name);
    }
}

void tls_keep_drop(struct tls_keep *keep)
{
    if (keep->is_prepared) {
        struct tls_set *room = &keep->sets[1 - keep->at];
        keep->is_prepared = false;
        room->is_loaded = false;
        tls_identity_wipe(&room->identity);
    }
}

/* ---- preparing ------------------------------------------------------------------------------- */

static struct tls_set *open_room(struct tls_keep *keep)
{
    struct tls_set *room = &keep->sets[1 - keep->at];
    if (keep->config.on_prepare != NULL) {
        keep->config.on_prepare(keep->config.owner);
    }
    keep->is_prepared = false;
    room->is_loaded = false;
    room->authority = STR_NONE;
    tls_identity_wipe(&room->identity);
    arena_clear(&room->arena);
    return room;
}

static enum err close_room(struct tls_keep *keep, struct tls_set *room, enum err err)
{
    if (err == ERR_OK && room->arena.has_failed) {
        err = ERR_FULL;
    }
    if (err != ERR_OK) {
        tls_identity_wipe(&room->identity);
    }
    room->is_loaded = err == ERR_OK;
    keep->is_prepared = err == ERR_OK;
    return err;
}

/* A set of our own. */
static enum err make_set(struct tls_keep *keep, const struct x509_wish *wish, int64_t now_s)
{
    uint8_t seed[X509_WRITE_SEED_BYTES];
    struct x509_wish dated = *wish;
    struct tls_set *room = open_room(keep);
    dated.not_before_s = now_s - TLS_KEEP_EARLY_S;
    dated.not_after_s = now_s + TLS_KEEP_OWN_LIFE_S;
    os_random(seed, sizeof seed);
    enum err err = x509_write_identity(&dated, seed, &room->arena, &room->identity);
    explicit_bzero(seed, sizeof seed);
    char *memory = arena_take(&room->arena, TLS_KEEP_PEM_BYTES);
    if (err == ERR_OK && memory != NULL) {
        struct buf pem;
        buf_init(&pem, memory, TLS_KEEP_PEM_BYTES);
        x509_put_pem(&room->identity, &pem);
        room->authority = buf_str(&pem);
    }
    return close_room(keep, room, err);
}

enum err tls_keep_load(struct tls_keep *keep, str chain, str key, str authority, const char **why)
{
    struct tls_set *room = open_room(keep);
    enum err err = tls_identity_load(&room->identity, chain, key, &room->arena, why);
    if (str_find(authority, S("PRIVATE KEY-----")) >= 0) { /* it is shown to the whole cluster */
        err = ERR_BAD_INPUT;
        *why = "a private key is among the authorities";
    }
    room->authority = err == ERR_OK ? arena_copy(&room->arena, authority) : STR_NONE;
    keep->stamp = 0; /* files that come back are new */
    err = close_room(keep, room, err);
    if (err == ERR_FULL) {
        *why = "too large";
    }
    return err;
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool is_named(const char *path)
{
    return path != NULL && *path != '\0';
}

bool tls_keep_has_files(const struct tls_keep *keep)
{
    const struct tls_keep_config *config = &keep->config;
    return is_named(config->chain_path) &&
           (config->must_have_files || os_file_stamp(config->chain_path) != 0);
}

static uint64_t stamp_of(const struct tls_keep_config *config)
{
    const char *const paths[] = {config->chain_path, config->key_path, config->authority_path};
    uint64_t stamp = 7; /* of files that are not there: not 0 either */
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        stamp = stamp * 31 + (is_named(paths[i]) ? os_file_stamp(paths[i]) : 0);
    }
    return stamp;
}

static enum err read_file(const struct tls_keep_config *config, const char *path,
                          struct arena *scratch, str *out)
{
    struct buf text;
    *out = STR_NONE;
    if (!is_named(path)) {
        return ERR_OK;
    }
    char *memory = arena_take(scratch, TLS_KEEP_BYTES / 2);
    if (memory == NULL) {
        return ERR_FULL;
    }
    buf_init(&text, memory, TLS_KEEP_BYTES / 2);
    enum err err = os_file_read(path, &text);
    if (err != ERR_OK) {
        log_line(LOG_ERROR, config->name, "%s: %s cannot be read: %s", config->files, path,
                 err == ERR_TOO_BIG ? err_text(err) : os_errno_text());
    }
    *out = buf_str(&text);
    return err;
}

static enum err load_files(struct tls_keep *keep, struct arena *scratch)
{
    const struct tls_keep_config *config = &keep->config;
    const char *why = "";
    str chain, key, authority;
    size_t mark = arena_mark(scratch);
    enum err err = read_file(config, config->chain_path, scratch, &chain);
    err = err == ERR_OK ? read_file(config, config->key_path, scratch, &key) : err;
    err = err == ERR_OK ? read_file(config, config->authority_path, scratch, &authority) : err;
    if (err == ERR_OK && is_named(config->authority_path) &&
        str_find(authority, S("BEGIN CERTIFICATE")) < 0) {
        err = ERR_BAD_INPUT;
        log_line(LOG_ERROR, config->name, "%s: no certificate in %s", config->files,
                 config->authority_path);
    }
    if (err == ERR_OK) {
        err = tls_keep_load(keep, chain, key, authority, &why);
        if (err != ERR_OK) {
            log_line(LOG_ERROR, config->name, "%s: cannot be used: %s", config->files, why);
        }
    }
    explicit_bzero(scratch->ptr + mark, scratch->used - mark);
    arena_rewind(scratch, mark);
    return err;
}

bool tls_keep_look(struct tls_keep *keep, const struct x509_wish *wish, int64_t now_s,
                   struct arena *scratch)
{
    if (tls_keep_has_files(keep)) {
        uint64_t stamp = stamp_of(&keep->config);
        if (stamp == keep->stamp) {
            return false;
        }
        enum err err = load_files(keep, scratch);
        keep->stamp = err == ERR_FULL ? 1 : stamp; /* no room now: again at the next look */
        return err == ERR_OK;
    }
    const struct tls_set *newest = keep->is_prepared ? tls_keep_next(keep) : tls_keep_current(keep);
    bool had_files = keep->stamp != 0;
    if (newest != NULL && !had_files && !tls_set_is_due(newest, now_s)) {
        return false;
    }
    keep->stamp = 0;
    enum err err = make_set(keep, wish, now_s);
    if (err != ERR_OK) {
        log_line(LOG_ERROR, keep->config.name, "no certificate could be made: %s", err_text(err));
    }
    return err == ERR_OK;
}

/* ---- dates ----------------------------------------------------------------------------------- */

bool tls_set_is_valid(const struct tls_set *set, int64_t now_s)
{
    return now_s >= set->identity.not_before_s && now_s < set->identity.not_after_s;
}

bool tls_set_is_due(const struct tls_set *set, int64_t now_s)
{
    int64_t life_s = set->identity.not_after_s - set->identity.not_before_s;
    return now_s < set->identity.not_before_s || now_s > set->identity.not_after_s - life_s / 3;
}

void tls_keep_wipe(struct tls_keep *keep)
{
    for (uint32_t i = 0; i < 2; i++) {
        tls_identity_wipe(&keep->sets[i].identity);
        keep->sets[i].is_loaded = false;
    }
    keep->is_prepared = false;
}
