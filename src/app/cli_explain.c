/* `ecilet explain -f FILE`: see explain.h. */
#include "app/cli.h"
#include "app/explain.h"
#include "os/os.h"

/* Mapped once per process: the output outlives the command. */
static char *memory;

/* The texts of the files; in explain.arena. */
struct inputs {
    str files[CLI_FILES_MAX];
    str profile;
    str name_space;
};

static enum cli_exit explain_files(struct cli *cli, struct explain *explain);
static bool read_config(struct cli *cli, struct explain *explain);
static bool read_file(struct explain *explain, const char *file, str *out);
static bool read_inputs(struct cli *cli, struct explain *explain, struct inputs *in);
static bool collect(struct cli *cli, struct explain *explain, const struct inputs *in);
static enum err explain_file(struct explain *explain, str text);
static enum err read_document(struct explain *explain, str text, uint32_t index, bool is_told,
                              json *root);
static void put_notes(struct cli *cli, const struct explain *explain);
static void explain_pod(struct explain *explain, const struct explain_pod *pod);

static void note_other(struct explain *explain, str kind, str name, uint32_t line)
{
    buf_put_fmt(explain->err, "%s:%u: %.*s %.*s: no pod, left out\n", explain->file, line,
                STR_ARG(str_is_empty(kind) ? S("(no kind)") : kind), STR_ARG(name));
}

enum cli_exit cli_explain(struct cli *cli)
{
    struct explain explain = {
        .on_pod = explain_pod, .on_other = note_other, .out = &cli->out, .err = &cli->err};
    const char *form = cli->output_form != NULL ? cli->output_form : "text";

    if (cli->input_file == NULL) {
        buf_put_text(&cli->err, "ecilet explain: -f FILE is missing\nTry: ecilet help explain\n");
        return CLI_USAGE;
    }
    explain.wants_json = strcmp(form, "json") == 0;
    if (!explain.wants_json && strcmp(form, "text") != 0) {
        buf_put_fmt(&cli->err, "ecilet explain: -o %s: it is text or json\n", form);
        return CLI_USAGE;
    }
    if (!read_config(cli, &explain)) {
        return CLI_USAGE;
    }
    size_t bytes = EXPLAIN_ARENA_BYTES + EXPLAIN_OUT_BYTES + EXPLAIN_OBJECT_BYTES;
    if (memory == NULL) {
        memory = os_map(bytes);
    }
    if (memory == NULL) {
        buf_put_text(&cli->err, "ecilet explain: there is no memory for it\n");
        return CLI_FAILED;
    }
    arena_init(&explain.arena, memory, EXPLAIN_ARENA_BYTES);
    buf_init(&cli->out, memory + EXPLAIN_ARENA_BYTES, EXPLAIN_OUT_BYTES);
    arena_init(&explain.objects.arena, memory + EXPLAIN_ARENA_BYTES + EXPLAIN_OUT_BYTES,
               EXPLAIN_OBJECT_BYTES);
    return explain_files(cli, &explain);
}

/* A file that was asked for must be right; else what there is counts, and the rest is marked. */
static bool read_config(struct cli *cli, struct explain *explain)
{
    struct config_report report;

    if (!cli_load_config(cli, &report) && cli->source.file != NULL) {
        buf_grow(&cli->err, report.text.bytes);
        return false;
    }
    (void)explain_config(cli->config, &explain->config);
    const char *fault = spec_config_fault(&explain->config);
    if (fault != NULL) {
        buf_put_fmt(&cli->err, "ecilet explain: %s\n", fault);
    }
    explain->node = (struct mutate_node){
        .name = cli->config->node_name,
        .taint_key = cli->config->vkubelet_taint_key,
        .taint_value = cli->config->vkubelet_taint_value,
        .taint_effect = str_of(config_taint_text(cli->config->vkubelet_taint_effect))};
    return fault == NULL;
}

/* ---- the files ------------------------------------------------------------------------------- */

static enum cli_exit explain_files(struct cli *cli, struct explain *explain)
{
    struct inputs in;
    enum err err = ERR_END;

    explain->objects.items =
        ARENA_ARRAY(&explain->arena, EXPLAIN_OBJECTS_MAX, struct explain_object);
    if (!read_inputs(cli, explain, &in) || !collect(cli, explain, &in)) {
        return CLI_FAILED;
    }
    put_notes(cli, explain);
    explain->file = cli->input_file;
    explain_print_start(explain);
    for (uint32_t i = 0; err == ERR_END && i < cli->input_files_count; i++) {
        explain->file = cli->input_files[i];
        err = explain_file(explain, in.files[i]);
    }
    bool is_well =
        err == ERR_END && explain->pods_count > 0 && explain->pods_well == explain->pods_count;
    explain_print_end(explain, is_well);
    if (err == ERR_END && explain->pods_count == 0) {
        buf_put_fmt(&cli->err, "ecilet explain: %s: there is no pod in it\n", cli->input_file);
    } else if (err == ERR_END && !buf_ok(&cli->out)) {
        buf_put_fmt(&cli->err, "ecilet explain: %s: too much to say: split it\n", cli->input_file);
        is_well = false;
    }
    return is_well ? CLI_OK : CLI_FAILED;
}

/* What the output cannot know. */
static void put_notes(struct cli *cli, const struct explain *explain)
{
    size_t before = cli->err.bytes;
    buf_put_text(&cli->err, "not configured: ");
    size_t start = cli->err.bytes;
    explain_put_placeholders(&explain->config, &cli->err);
    if (cli->err.bytes == start) {
        cli->err.bytes = before;
    } else {
        buf_put_char(&cli->err, '\n');
    }
    if (explain_find(&explain->objects, EXPLAIN_SERVICE, S("default"), S("kubernetes")) == NULL) {
        buf_put_text(&cli->err, "not given: Service default/kubernetes, whose variables every "
                                "container gets\n");
    }
}

/* False: told. */
static bool read_file(struct explain *explain, const char *file, str *out)
{
    bool is_stdin = strcmp(file, "-") == 0;
    size_t room = 0;
    char *rest = arena_rest(&explain->arena, &room);
    struct buf text;

    if (room <= YAML_BYTES_MAX) {
        buf_put_fmt(explain->err, "ecilet explain: %s: there is no memory for it\n", file);
        return false;
    }
    buf_init(&text, rest, YAML_BYTES_MAX);
    enum err err = os_file_read(is_stdin ? "/dev/stdin" : file, &text);
    if (err != ERR_OK) {
        buf_put_fmt(explain->err, "ecilet explain: %s: %s\n", file,
                    err == ERR_TOO_BIG ? "larger than 256 KiB: split it" : os_errno_text());
        return false;
    }
    arena_keep(&explain->arena, text.bytes);
    *out = buf_str(&text);
    return true;
}

static bool read_inputs(struct cli *cli, struct explain *explain, struct inputs *in)
{
    *in = (struct inputs){.profile = STR_NONE};
    bool is_ok = true;
    for (uint32_t i = 0; is_ok && i < cli->input_files_count; i++) {
        is_ok = read_file(explain, cli->input_files[i], &in->files[i]);
    }
    if (is_ok && cli->profile_file != NULL) {
        is_ok = read_file(explain, cli->profile_file, &in->profile) &&
                explain_use_profile(explain, cli->profile_file, in->profile);
    }
    if (is_ok && cli->namespace_file != NULL) {
        is_ok = read_file(explain, cli->namespace_file, &in->name_space);
    }
    return is_ok;
}

static void put_too_many(struct explain *explain, const char *file)
{
    buf_put_fmt(explain->err, "ecilet explain: %s: more than %d documents: split it\n", file,
                EXPLAIN_DOCUMENTS_MAX);
}

/* Objects of one file that pods may refer to. What cannot be read is told when the file's turn
 * comes, but for files without pods. */
static enum err collect_file(struct explain *explain, const char *file, str text, bool is_told)
{
    enum err err = ERR_OK;
    explain->file = file;
    for (uint32_t i = 0; err == ERR_OK && i < EXPLAIN_DOCUMENTS_MAX; i++) {
        size_t mark = arena_mark(&explain->arena);
        json root = JSON_NONE;
        err = read_document(explain, text, i, is_told, &root);
        if (err == ERR_OK) {
            explain_collect(explain, root);
        }
        arena_rewind(&explain->arena, mark);
    }
    return err;
}

/* The namespace comes first: it is that of objects which do not say theirs. */
static bool collect(struct cli *cli, struct explain *explain, const struct inputs *in)
{
    struct explain_objects *objects = &explain->objects;
    explain->name_space = S("default");
    if (cli->namespace_file != NULL) {
        enum err err = collect_file(explain, cli->namespace_file, in->name_space, true);
        uint32_t i = 0;
        while (i < objects->count && objects->items[i].kind != EXPLAIN_NAMESPACE) {
            i++;
        }
        if (err == ERR_END && i == objects->count) {
            buf_put_fmt(&cli->err, "ecilet explain: %s: there is no Namespace in it\n",
                        cli->namespace_file);
        } else if (err == ERR_OK) {
            put_too_many(explain, cli->namespace_file);
        }
        if (err != ERR_END || i == objects->count) {
            return false;
        }
        explain->name_space = objects->items[i].name;
    }
    for (uint32_t i = 0; i < cli->input_files_count; i++) {
        (void)collect_file(explain, cli->input_files[i], in->files[i], false);
    }
    if (objects->is_full) {
        buf_put_fmt(&cli->err,
                    "ecilet explain: more than %d ConfigMaps, Secrets and other objects, or more "
                    "than %d MiB of them\n",
                    EXPLAIN_OBJECTS_MAX, EXPLAIN_OBJECT_BYTES / 1024 / 1024);
    }
    return !objects->is_full;
}

/* ERR_END: all was read. Anything else was told. */
static enum err explain_file(struct explain *explain, str text)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; err == ERR_OK && i < EXPLAIN_DOCUMENTS_MAX; i++) {
        size_t mark = arena_mark(&explain->arena);
        json root = JSON_NONE;
        err = read_document(explain, text, i, true, &root);
        if (err == ERR_OK && !json_is_null(root)) { /* an empty document is none */
            explain_find_pods(explain, root);
        }
        arena_rewind(&explain->arena, mark);
    }
    if (err == ERR_OK) {
        put_too_many(explain, explain->file);
    }
    return err;
}

/* ERR_END: there was none. */
static enum err read_document(struct explain *explain, str text, uint32_t index, bool is_told,
                              json *root)
{
    struct yaml_fault fault = {0};
    struct json_fault json_fault = {0};
    struct buf out;
    char *room = arena_take(&explain->arena, EXPLAIN_JSON_BYTES);

    explain->lines = (struct yaml_lines){
        .items = ARENA_ARRAY(&explain->arena, EXPLAIN_LINES_MAX, struct yaml_line),
        .count_max = EXPLAIN_LINES_MAX};
    buf_init(&out, room, room != NULL ? EXPLAIN_JSON_BYTES : 0);
    enum err err = explain->arena.has_failed
                       ? ERR_FULL
                       : yaml_to_json_lines(text, index, &out, &explain->lines, &fault);
    bool is_yaml = err != ERR_BAD_INPUT;
    if (err == ERR_OK) {
        explain->document = buf_str(&out);
        err = json_parse(explain->document, &explain->arena, root, &json_fault);
    }
    if (!is_told || err == ERR_OK || err == ERR_END) {
        return err;
    }
    if (!is_yaml) {
        buf_put_fmt(explain->err, "%s:%u:%u: %s\n", explain->file, fault.line, fault.column,
                    fault.what);
    } else if (err == ERR_BAD_INPUT) { /* duplicate keys */
        buf_put_fmt(explain->err, "%s:%u: %s\n", explain->file,
                    yaml_line_at(&explain->lines, json_fault.column), json_fault.what);
    } else {
        buf_put_fmt(explain->err, "ecilet explain: %s: document %u: %s\n", explain->file, index + 1,
                    err_text(err));
    }
    return err;
}

static void explain_pod(struct explain *explain, const struct explain_pod *pod)
{
    struct explain_result result = {.err = ERR_FULL};
    struct spec_config config = explain->config;
    struct spec_refs refs;
    json object = JSON_NONE;

    verdict_init(&result.verdict, &explain->arena);
    explain->pods_count++;
    if (params_init(&result.params, &explain->arena) == ERR_OK) {
        result.err = json_parse(pod->json_text, &explain->arena, &object, NULL);
    }
    if (result.err == ERR_OK) {
        result.err = explain_admit(explain, pod, &object, &config, &result.admission);
    }
    explain_check_texts(explain, pod, &result.verdict);
    if (result.err == ERR_OK) {
        result.err = explain_refs(explain, pod, object, &refs);
    }
    if (result.err == ERR_OK) {
        result.err = pod_json_to_eci(object, &refs, &config, 1, &result.params, &result.size,
                                     &result.verdict);
    }
    explain_print_pod(explain, pod, &result);
    explain->pods_well += result.err == ERR_OK ? 1 : 0;
}
