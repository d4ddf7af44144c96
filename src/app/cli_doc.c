/* `ecilet config-doc example|table|env`. */
#include "app/cli.h"
#include "app/config_doc.h"

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
