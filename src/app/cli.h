/*
 * cli.h - the command line: which command, which options, what they print.
 *
 *     ecilet [COMMAND] [OPTIONS]        without a command: run
 *
 * One table of commands and one of options (cli.c) serve parsing, help and tests. Commands write
 * into two buffers (standard output and standard error), so tests see what a user would see.
 *
 * Exit codes: 0 well; 1 it did not work, or a check failed; 2 wrong usage or configuration.
 */
#ifndef ECILET_APP_CLI_H
#define ECILET_APP_CLI_H

#include "app/config.h"

#define CLI_OUT_BYTES (64 * 1024)
#define CLI_ERR_BYTES (24 * 1024)
#define CLI_WORDS_MAX 4  /* words after the options: more are an error */
#define CLI_FILES_MAX 16 /* -f of one run: more are an error */

/* CLI_AGAIN never leaves the process: cli_main() starts the program anew. */
enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_AGAIN = 3 };

/* One run of the program. */
struct cli {
    const char *const *environment;
    struct buf out, err;
    void (*flush)(struct cli *cli);   /* writes what is in both so far; NULL: at the end only */
    struct config_source source;      /* file and arguments as given by options */
    const char *words[CLI_WORDS_MAX]; /* after the command's name */
    uint32_t words_count;
    bool wants_help;
    bool wants_version;
    bool print_budget;
    bool is_sure;           /* --yes */
    bool is_forced;         /* --force */
    bool is_offline;        /* --offline */
    bool wants_service;     /* --service */
    const char *input_file; /* the first -f; NULL: not given */
    const char *input_files[CLI_FILES_MAX];
    uint32_t input_files_count;
    const char *profile_file;   /* --profile; NULL: not given */
    const char *namespace_file; /* --namespace; NULL: not given */
    const char *output_form;    /* -o; NULL: not given */
    struct config *config;
    struct config_secrets *secrets;
    struct arena *scratch;
};

/* The whole program but for main(): parses, runs the command, writes what it said, returns the exit
 * code. `run` calls run_main() (run.h) with a valid configuration. */
int cli_main(int argc, char **argv, char **envp);

/* The same without writing: what was said is in cli->out and cli->err. cli->config, secrets,
 * scratch, out, err and environment are set by the caller. */
enum cli_exit cli_run(struct cli *cli, int argc, char *const *argv);

/* Loads the configuration for a command. The report's text lies at the end of cli->err, but is not
 * yet part of it. False: the configuration cannot be used. */
bool cli_load_config(struct cli *cli, struct config_report *report);

/* ---- the commands, one file each ------------------------------------------------------------- */

enum cli_exit cli_check(struct cli *cli);
enum cli_exit cli_manifests(struct cli *cli);
enum cli_exit cli_status(struct cli *cli);
enum cli_exit cli_lint(struct cli *cli);
enum cli_exit cli_uninstall(struct cli *cli);
enum cli_exit cli_version(struct cli *cli);
enum cli_exit cli_config_doc(struct cli *cli);
enum cli_exit cli_annotations(struct cli *cli);
enum cli_exit cli_explain(struct cli *cli); /* its output may lie in memory of its own */

#endif
