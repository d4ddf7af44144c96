/* `ecilet config-doc example|table|env` and `ecilet annotations [text|markdown]`: the program's
 * own tables, printed. */
#include "app/cli.h"
#include "app/config_doc.h"
#include "spec/annotation.h"

enum cli_exit cli_config_doc(struct cli *cli)
{
    static const struct {
        const char *name;
        void (*put)(struct buf *out);
    } documents[] = {
        {"example", config_doc_example}, {"table", config_doc_table}, {"env", config_doc_env}};
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        if (strcmp(cli->words[0], documents[i].name) == 0) {
            documents[i].put(&cli->out);
            return buf_ok(&cli->out) ? CLI_OK : CLI_FAILED;
        }
    }
    buf_put_fmt(&cli->err, "ecilet config-doc: %s: it is one of example, table, env\n",
                cli->words[0]);
    return CLI_USAGE;
}

enum cli_exit cli_annotations(struct cli *cli)
{
    const char *form = cli->words_count > 0 ? cli->words[0] : "text";
    if (strcmp(form, "text") == 0) {
        annotations_print_text(&cli->out);
    } else if (strcmp(form, "markdown") == 0) {
        annotations_print_markdown(&cli->out);
    } else {
        buf_put_fmt(&cli->err, "ecilet annotations: %s: it is text or markdown\n", form);
        return CLI_USAGE;
    }
    return buf_ok(&cli->out) ? CLI_OK : CLI_FAILED;
}
