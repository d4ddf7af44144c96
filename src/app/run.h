/*
 * run.h - the node itself: everything between a valid configuration and the end of the process.
 */
#ifndef ECILET_APP_RUN_H
#define ECILET_APP_RUN_H

struct config;

/* Runs until a signal says stop, or prints the memory budget if config->print_budget is set. The
 * configuration is valid and lives as long as the process. Returns the exit code (cli.h). */
int run_main(const struct config *config);

#endif
