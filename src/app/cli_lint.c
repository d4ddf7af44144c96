/*
 * `ecilet lint -f eci-profile.yaml`: is this eci-profile what its author means? Offline.
 *
 * The file is the ConfigMap as one would apply it, YAML or JSON, also among other documents. Prints
 * the effective profile, then remarks. Exit code 1 when the running node would refuse it.
 */
#include "app/cli.h"
#include "data/yaml_read.h"
#include "os/os.h"
#include "spec/profile.h"

/* File, its JSON (escapes may double it), tokens and scratch: a full profile takes a third. */
#define LINT_ARENA_BYTES (16 * YAML_BYTES_MAX)

static _Alignas(64) char memory[LINT_ARENA_BYTES];
static struct profile profile;

/* One document of the file; ERR_END behind the last. */
static enum err read_document(struct cli *cli, str text, uint32_t index, struct arena *arena,
                              json *out)
{
    struct yaml_fault fault = {.line = 0};
    struct json_fault bad = {.line = 0};
    struct buf converted;
    size_t room = 0;
    char *rest = arena_rest(arena, &room);
    buf_init(&converted, rest, room);
    enum err err = yaml_to_json(text, index, &converted, NULL, &fault);
    if (err == ERR_OK) {
        arena_keep(arena, converted.bytes);
        err = json_parse(buf_str(&converted), arena, out, &bad);
    }
    if (err == ERR_BAD_INPUT) {
        buf_put_fmt(&cli->err, "%s: not YAML: line %u: %s\n", cli->input_file, fault.line,
                    bad.what != NULL ? bad.what : fault.what);
    } else if (err != ERR_OK && err != ERR_END) {
        buf_put_fmt(&cli->err, "%s: %s\n", cli->input_file, err_text(err));
    }
    return err;
}

/* The ConfigMap in the file; ERR_NOT_FOUND when there is none. Told. */
static enum err find_profile(struct cli *cli, struct arena *arena, json *out)
{
    size_t room = 0;
    struct buf text;
    char *rest = arena_rest(arena, &room);
    buf_init(&text, rest, room < YAML_BYTES_MAX ? room : YAML_BYTES_MAX);
    enum err err = os_file_read(cli->input_file, &text);
    if (err != ERR_OK) {
        buf_put_fmt(&cli->err, "%s: cannot be read: %s\n", cli->input_file,
                    err == ERR_TOO_BIG ? err_text(err) : os_errno_text());
        return err;
    }
    arena_keep(arena, text.bytes);
    for (uint32_t index = 0;; index++) {
        err = read_document(cli, buf_str(&text), index, arena, out);
        if (err != ERR_OK) {
            break;
        }
        json name = json_get(json_get(*out, "metadata"), "name");
        if (json_text_is(json_get(*out, "kind"), "ConfigMap") && json_text_is(name, PROFILE_NAME)) {
            return ERR_OK;
        }
    }
    if (err == ERR_END) {
        buf_put_fmt(&cli->err, "%s: no ConfigMap with the name " PROFILE_NAME " in it\n",
                    cli->input_file);
    }
    return err == ERR_END ? ERR_NOT_FOUND : err;
}

static void put_remarks(struct cli *cli, json object, str warnings)
{
    json name_space = json_get(json_get(object, "metadata"), "namespace");
    str rest = warnings, line;
    if (!json_text_is(name_space, PROFILE_NAMESPACE)) {
        buf_put_text(&cli->out, "warning: metadata.namespace is not " PROFILE_NAMESPACE
                                ": there it is not looked for\n");
    }
    while (str_cut(&rest, '\n', &line)) {
        buf_put_fmt(&cli->out, "warning: %.*s\n", STR_ARG(line));
    }
}

enum cli_exit cli_lint(struct cli *cli)
{
    struct arena arena;
    struct profile_fault fault;
    struct buf warnings;
    static char warnings_memory[CLI_OUT_BYTES / 4];
    json object;
    if (cli->input_file == NULL) {
        buf_put_text(&cli->err, "ecilet lint: -f FILE is missing\n");
        return CLI_USAGE;
    }
    if (cli->input_files_count > 1) {
        buf_put_text(&cli->err, "ecilet lint: -f: one FILE at a time\n");
        return CLI_USAGE;
    }
    arena_init(&arena, memory, sizeof memory);
    buf_init(&warnings, warnings_memory, sizeof warnings_memory);
    if (find_profile(cli, &arena, &object) != ERR_OK) {
        return CLI_FAILED;
    }
    enum err err = profile_read(json_get(object, "data"), &arena, &profile, &fault, &warnings);
    if (err != ERR_OK) {
        buf_put_fmt(&cli->err, "%s: %s\n", cli->input_file,
                    err == ERR_INVALID ? fault.what : err_text(err));
        return CLI_FAILED;
    }
    profile_print(&profile, &cli->out);
    put_remarks(cli, object, buf_str(&warnings));
    return CLI_OK;
}
