/*
 * Container mode: each group is a network namespace on a bridge, its containers are real
 * processes run by runc (see box.c).
 */
#ifndef ECISIM_BOX_H
#define ECISIM_BOX_H

/* Make the bridge, clean up after a killed run. NULL, or what is wrong. */
const char *box_start(void);
/* Remove the bridge and the files; every group was dropped before. */
void box_stop(void);
/* ecisim --clean: the exit code. */
int box_clean(void);

#endif
