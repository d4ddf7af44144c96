/*
 * main.c - the table of contents of the program.
 *
 *   1. app/cli     what was asked for: a command and its options
 *   2. app/config  what the operator decided: file, environment, command line
 *   3. app/run     memory is sized and sealed, the loop starts to turn
 *   4. app/wire    each turn: facts from both sides, then the effects that the rules want
 *   5. core/       the rules themselves: pod_rules.c, group_rules.c
 *   6. spec/       what a pod is in the words of the cloud, and back: pod_to_eci.c, pod_status.c
 *
 * The edges that 4 stands on: kube/ (the API server), eci/ (the cloud), net/ (TLS and HTTP), os/
 * (the kernel). base/ and data/ are everybody's tools.
 */
#include "app/cli.h"

extern char **environ;

int main(int argc, char **argv)
{
    return cli_main(argc, argv, environ);
}
