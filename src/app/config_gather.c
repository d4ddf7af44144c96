/* see config_gather.h */
#include "app/config_gather.h"

#include <sys/stat.h>

#include "app/config_parse.h"
#include "base/check.h"
#include "os/os.h"

static void gather_file(struct config_gather *gather);
static void gather_environment(struct config_gather *gather);
static void gather_arguments(struct config_gather *gather);
static void read_key_files(struct config_gather *gather);

void config_gather(struct config_gather *gather)
{
    memset(gather->settings, 0, sizeof(gather->settings));
    gather->file = STR_NONE;
    gather->file_holds_secret = false;
    gather_file(gather);
    gather_environment(gather);
    gather_arguments(gather);
    read_key_files(gather);
}

const char *config_where(const struct config_gather *gather, const struct config_key *row,
                         const struct config_setting *setting,
                         char where[static CONFIG_WHERE_BYTES])
{
    struct buf out;
    buf_init(&out, where, CONFIG_WHERE_BYTES);
    switch (setting->origin.kind) {
    case CONFIG_FROM_DEFAULT:
        break;
    case CONFIG_FROM_FILE:
        buf_put_fmt(&out, "%.*s:%u: ", STR_ARG(gather->file), setting->origin.line);
        break;
    case CONFIG_FROM_ENVIRONMENT:
        buf_put_text(&out, "environment: ");
        break;
    case CONFIG_FROM_COMMAND_LINE:
        buf_put_fmt(&out, "command line: %s", setting->option);
        return buf_cstr(&out);
    }
    buf_put_fmt(&out, "%s%s", row->key, setting->is_file_form ? "_FILE" : "");
    if (!str_is_empty(setting->path)) {
        buf_put_fmt(&out, " (%.*s)", STR_ARG(setting->path));
    }
    return buf_cstr(&out);
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* The row that `key` or, as KEY_FILE, its stem names. */
static const struct config_key *find_row(str key, bool *is_file_form)
{
    const struct config_key *row = config_key_find(key);
    *is_file_form = false;
    if (row == NULL && str_ends(key, S("_FILE"))) {
        row = config_key_find(str_sub(key, 0, key.bytes - (sizeof("_FILE") - 1)));
        *is_file_form = true;
        if (row != NULL && !config_key_has_file_form(row)) {
            row = NULL;
        }
    }
    return row;
}

static void put_nearest(struct buf *out, str key)
{
    const struct config_key *nearest = config_key_nearest(key);
    const char *suffix = "";
    if (nearest == NULL && str_ends(key, S("_FILE"))) {
        nearest = config_key_nearest(str_sub(key, 0, key.bytes - (sizeof("_FILE") - 1)));
        suffix = nearest != NULL && config_key_has_file_form(nearest) ? "_FILE" : "";
    }
    if (nearest != NULL) {
        buf_put_fmt(out, "; did you mean %s%s?", nearest->key, suffix);
    }
}

/* Takes one KEY=value over into the settings. */
static void put_setting(struct config_gather *gather, const struct config_key *row,
                        const struct config_setting *setting)
{
    struct config_setting *at = &gather->settings[row - config_keys];
    bool is_same_source = at->was_seen && at->origin.kind == setting->origin.kind;
    bool is_other_form = at->is_file_form != setting->is_file_form;
    bool is_one_empty = str_is_empty(at->text) || str_is_empty(setting->text);
    char where[CONFIG_WHERE_BYTES];
    if (is_same_source && is_other_form && !is_one_empty) { /* KEY= counts as not set */
        config_report_add(gather->report, CONFIG_ERROR,
                          "%s: only one of %s and %s_FILE may be given",
                          config_where(gather, row, setting, where), row->key, row->key);
        return;
    }
    if (is_same_source && !is_other_form && setting->origin.kind == CONFIG_FROM_FILE) {
        config_report_add(gather->report, CONFIG_ERROR,
                          "%s: given a second time; the first is in line %u",
                          config_where(gather, row, setting, where), at->origin.line);
        return;
    }
    if (!str_is_empty(setting->text) || !at->was_seen) {
        *at = *setting;
        at->was_seen = true;
    }
}

/* ---- the file -------------------------------------------------------------------------------- */

/* Group or others may read it. */
static bool is_open_to_others(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}

/* The whole file in scratch memory; false when there is none to read. */
static bool load_file(struct config_gather *gather, struct buf *text)
{
    const struct config_source *source = gather->source;
    const char *path = source->file != NULL ? source->file : source->file_default;
    if (path == NULL) {
        return false;
    }
    buf_init(text, arena_take(gather->scratch, CONFIG_FILE_BYTES_MAX), CONFIG_FILE_BYTES_MAX);
    CHECK(text->ptr != NULL); /* CONFIG_SCRATCH_BYTES */
    enum err err = os_file_read(path, text);
    if (err == ERR_OK) {
        gather->file = str_of(path);
        return true;
    }
    if (err == ERR_NOT_FOUND && source->file == NULL) {
        return false; /* the default file is optional */
    }
    config_report_add(gather->report, CONFIG_ERROR, "%s: cannot be read: %s", path,
                      err == ERR_TOO_BIG ? "it is larger than 64 KiB" : os_errno_text());
    return false;
}

static void take_line(struct config_gather *gather, const struct config_parse *parse)
{
    struct config_setting setting = {.text = parse->value,
                                     .origin = {CONFIG_FROM_FILE, parse->line}};
    const struct config_key *row = find_row(parse->key, &setting.is_file_form);
    if (row == NULL) {
        char hint[128];
        struct buf out;
        buf_init(&out, hint, sizeof(hint));
        put_nearest(&out, parse->key);
        config_report_add(gather->report, CONFIG_ERROR, "%.*s:%u: %.*s: unknown key%s",
                          STR_ARG(gather->file), parse->line, STR_ARG(parse->key), buf_cstr(&out));
        return;
    }
    if (row->type == CONFIG_SECRET && !setting.is_file_form && !str_is_empty(parse->value)) {
        gather->file_holds_secret = true;
    }
    put_setting(gather, row, &setting);
}

static void gather_file(struct config_gather *gather)
{
    struct buf text;
    if (!load_file(gather, &text)) {
        return;
    }
    struct config_parse parse;
    config_parse_init(&parse, text.ptr, text.bytes);
    for (;;) {
        enum config_line line = config_parse_next(&parse);
        if (line == CONFIG_LINE_END) {
            break;
        }
        if (line == CONFIG_LINE_SETTING) {
            take_line(gather, &parse);
            continue;
        }
        config_report_add(gather->report, CONFIG_ERROR, "%.*s:%u: %.*s%s%s", STR_ARG(gather->file),
                          parse.line, STR_ARG(parse.key), str_is_empty(parse.key) ? "" : ": ",
                          parse.fault);
    }
    if (gather->file_holds_secret && is_open_to_others(gather->file.ptr)) {
        config_report_add(gather->report, CONFIG_WARNING,
                          "%.*s: holds a secret and others may open it: chmod 600, or move the "
                          "secret to a file of its own (KEY_FILE)",
                          STR_ARG(gather->file));
    }
}

/* ---- the environment ------------------------------------------------------------------------- */

static bool is_our_prefix(str key)
{
    return str_starts(key, S("ECI_")) || str_starts(key, S("VKUBELET_"));
}

static void gather_environment(struct config_gather *gather)
{
    for (const char *const *at = gather->source->environment; at != NULL && *at != NULL; at++) {
        str rest = str_of(*at);
        ptrdiff_t equals = str_find_char(rest, '=');
        if (equals < 0) {
            continue;
        }
        str key = str_sub(rest, 0, (size_t)equals);
        struct config_setting setting = {
            .text = str_trim(str_sub(rest, (size_t)equals + 1, rest.bytes)),
            .origin = {CONFIG_FROM_ENVIRONMENT, 0}};
        const struct config_key *row = find_row(key, &setting.is_file_form);
        if (row != NULL && !str_is_empty(setting.text)) {
            put_setting(gather, row, &setting);
        } else if (row == NULL && is_our_prefix(key)) {
            char hint[128];
            struct buf out;
            buf_init(&out, hint, sizeof(hint));
            put_nearest(&out, key);
            config_report_add(gather->report, CONFIG_WARNING,
                              "environment: %.*s: unknown variable, ignored%s", STR_ARG(key),
                              buf_cstr(&out));
        }
    }
}

/* ---- the command line ------------------------------------------------------------------------ */

static void gather_arguments(struct config_gather *gather)
{
    for (uint32_t i = 0; i < gather->source->args_count; i++) {
        const struct config_arg *arg = &gather->source->args[i];
        const struct config_key *row = config_key_find(str_of(arg->key));
        CHECK(row != NULL);
        struct config_setting setting = {.text = str_trim(str_of(arg->value)),
                                         .origin = {CONFIG_FROM_COMMAND_LINE, 0},
                                         .option = arg->option};
        if (!str_is_empty(setting.text)) {
            put_setting(gather, row, &setting);
        }
    }
}

/* ---- KEY_FILE -------------------------------------------------------------------------------- */

/* The text of a named file, trimmed; empty, and reported, when there is none. */
static str read_key_file(struct config_gather *gather, const struct config_key *row,
                         struct config_setting *setting)
{
    char where[CONFIG_WHERE_BYTES];
    /* Not shown: whoever mixes up KEY and KEY_FILE has put the secret itself here. */
    if (!str_starts(setting->text, S("/")) || setting->text.bytes > CONFIG_PATH_BYTES_MAX) {
        config_report_add(gather->report, CONFIG_ERROR, "%s: must be an absolute path",
                          config_where(gather, row, setting, where));
        return STR_NONE;
    }
    setting->path = setting->text;
    const char *path = arena_cstr(gather->scratch, setting->path);
    struct buf text;
    size_t bytes_max = CONFIG_SECRET_BYTES_MAX + 16; /* line ends around the value */
    buf_init(&text, arena_take(gather->scratch, bytes_max), bytes_max);
    CHECK(path != NULL && text.ptr != NULL); /* CONFIG_SCRATCH_BYTES */
    enum err err = os_file_read(path, &text);
    if (err != ERR_OK) {
        config_report_add(gather->report, CONFIG_ERROR, "%s: cannot be read: %s",
                          config_where(gather, row, setting, where),
                          err == ERR_TOO_BIG ? "it is larger than 4 KiB" : os_errno_text());
        return STR_NONE;
    }
    str trimmed = str_trim(buf_str(&text));
    if (str_is_empty(trimmed)) {
        config_report_add(gather->report, CONFIG_ERROR, "%s: the file is empty",
                          config_where(gather, row, setting, where));
    }
    return trimmed;
}

static void read_key_files(struct config_gather *gather)
{
    for (uint32_t i = 0; i < config_keys_count; i++) {
        struct config_setting *setting = &gather->settings[i];
        if (setting->is_file_form && !str_is_empty(setting->text)) {
            setting->text = read_key_file(gather, &config_keys[i], setting);
            setting->is_bad = str_is_empty(setting->text);
        }
    }
}
