/* `ecilet version`. The build defines both texts (build/gen/version.h). */
#include "app/cli.h"

#ifndef ECILET_VERSION
#define ECILET_VERSION "unknown"
#endif
#ifndef THIRD_PARTY_VERSIONS
#define THIRD_PARTY_VERSIONS "unknown"
#endif

enum cli_exit cli_version(struct cli *cli)
{
    buf_put_text(&cli->out, "ecilet " ECILET_VERSION "\nlibraries: " THIRD_PARTY_VERSIONS "\n");
    return CLI_OK;
}
