/* `ecilet explain -f FILE`: see explain.h. */
#include "app/cli.h"
#include "app/explain.h"
#include "os/os.h"

/* Mapped once per process: the output outlives the command. */
static char *memory;

static enum cli_exit explain_file(struct cli *cli, struct explain *explain);
static bool read_config(struct cli *cli, struct explain *explain);
static enum err explain_document(struct cli *cli, struct explain *explain, str text,
                                 uint32_t index);
static void explain_pod(struct explain *explain, const struct explain_pod *pod);

static struct buf *notes; /* standard error, for on_other */

static void note_other(struct explain *explain, str kind, str name, uint32_t line)
{
    buf_put_fmt(notes, "%s:%u: %.*s %.*s: no pod, left out\n", explain->file, line,
                STR_ARG(str_is_empty(kind) ? S("(no kind)") : kind), STR_ARG(name));
}

enum cli_exit cli_explain(struct cli *cli)
{
    struct explain explain = {
        .file = cli->input_file, .on_pod = explain_pod, .on_other = note_other, .out = &cli->out};
    const char *form = cli->output_form != NULL ? cli->output_form : "text";

    if (explain.file == NULL) {
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
    if (memory == NULL) {
        memory = os_map(EXPLAIN_ARENA_BYTES + EXPLAIN_OUT_BYTES);
    }
    if (memory == NULL) {
        buf_put_text(&cli->err, "ecilet explain: there is no memory for it\n");
        return CLI_FAILED;
    }
    notes = &cli->err;
    arena_init(&explain.arena, memory, EXPLAIN_ARENA_BYTES);
    buf_init(&cli->out, memory + EXPLAIN_ARENA_BYTES, EXPLAIN_OUT_BYTES);
    return explain_file(cli, &explain);
}

/* A file that was asked for must be right; else what there is counts, and the rest is marked. */
static bool read_config(struct cli *cli, struct explain *explain)
{
    struct config_report report;

    if (!cli_load_config(cli, &report) && cli->source.file != NULL) {
        buf_grow(&cli->err, report.text.bytes);
        return false;
    }
    if (explain_config(cli->config, &explain->config) > 0) {
        buf_put_text(&cli->err, "not configured: ");
        explain_put_placeholders(&explain->config, &cli->err);
        buf_put_char(&cli->err, '\n');
    }
    const char *fault = spec_config_fault(&explain->config);
    if (fault != NULL) {
        buf_put_fmt(&cli->err, "ecilet explain: %s\n", fault);
    }
    return fault == NULL;
}

static enum cli_exit explain_file(struct cli *cli, struct explain *explain)
{
    bool is_stdin = strcmp(explain->file, "-") == 0;
    char *room = arena_take(&explain->arena, YAML_BYTES_MAX + 1);
    struct buf text;
    enum err err = ERR_OK;

    buf_init(&text, room, YAML_BYTES_MAX);
    err = os_file_read(is_stdin ? "/dev/stdin" : explain->file, &text);
    if (err != ERR_OK) {
        buf_put_fmt(&cli->err, "ecilet explain: %s: %s\n", explain->file,
                    err == ERR_TOO_BIG ? "larger than 256 KiB: split it" : os_errno_text());
        return CLI_FAILED;
    }
    explain_print_start(explain);
    for (uint32_t i = 0; err == ERR_OK && i < EXPLAIN_DOCUMENTS_MAX; i++) {
        size_t mark = arena_mark(&explain->arena);
        err = explain_document(cli, explain, buf_str(&text), i);
        arena_rewind(&explain->arena, mark);
    }
    explain_print_end(explain);
    if (err == ERR_OK) {
        buf_put_fmt(&cli->err, "ecilet explain: %s: more than %d documents: split it\n",
                    explain->file, EXPLAIN_DOCUMENTS_MAX);
    } else if (err == ERR_END && explain->pods_count == 0) {
        buf_put_fmt(&cli->err, "ecilet explain: %s: there is no pod in it\n", explain->file);
    } else if (err == ERR_END && !buf_ok(&cli->out)) {
        buf_put_fmt(&cli->err, "ecilet explain: %s: too much to say: split it\n", explain->file);
        err = ERR_FULL;
    }
    bool is_well = explain->pods_count > 0 && explain->pods_well == explain->pods_count;
    return err == ERR_END && is_well ? CLI_OK : CLI_FAILED;
}

/* ERR_END: there was none. Anything else but ERR_OK was told. */
static enum err explain_document(struct cli *cli, struct explain *explain, str text, uint32_t index)
{
    struct yaml_fault fault = {0};
    struct json_fault json_fault = {0};
    struct buf out;
    json root = JSON_NONE;
    char *room = arena_take(&explain->arena, EXPLAIN_JSON_BYTES);

    explain->lines = (struct yaml_lines){
        .items = ARENA_ARRAY(&explain->arena, EXPLAIN_LINES_MAX, struct yaml_line),
        .count_max = EXPLAIN_LINES_MAX};
    buf_init(&out, room, EXPLAIN_JSON_BYTES);
    enum err err = yaml_to_json_lines(text, index, &out, &explain->lines, &fault);
    if (err == ERR_BAD_INPUT) {
        buf_put_fmt(&cli->err, "%s:%u:%u: %s\n", explain->file, fault.line, fault.column,
                    fault.what);
    }
    if (err == ERR_OK) {
        explain->document = buf_str(&out);
        err = json_parse(explain->document, &explain->arena, &root, &json_fault);
        if (err == ERR_BAD_INPUT) { /* duplicate keys */
            buf_put_fmt(&cli->err, "%s:%u: %s\n", explain->file,
                        yaml_line_at(&explain->lines, json_fault.column), json_fault.what);
        }
    }
    if (err == ERR_FULL || err == ERR_NO_MEMORY || err == ERR_TOO_BIG) {
        buf_put_fmt(&cli->err, "ecilet explain: %s: document %u: %s\n", explain->file, index + 1,
                    err_text(err));
    }
    if (err == ERR_OK && !json_is_null(root)) { /* an empty document is none */
        explain_find_pods(explain, root);
    }
    return err;
}

static void explain_pod(struct explain *explain, const struct explain_pod *pod)
{
    struct explain_result result = {.err = ERR_FULL};
    json object = JSON_NONE;

    verdict_init(&result.verdict, &explain->arena);
    explain->pods_count++;
    if (params_init(&result.params, &explain->arena) == ERR_OK) {
        result.err = json_parse(pod->json_text, &explain->arena, &object, NULL);
    }
    if (result.err == ERR_OK) {
        result.err = pod_json_to_eci(object, NULL, &explain->config, 1, &result.params,
                                     &result.size, &result.verdict);
    }
    explain->pods_well += result.err == ERR_OK ? 1 : 0;
    explain_print_pod(explain, pod, &result);
}
