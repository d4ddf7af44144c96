/*
 * ecisim --self-test: signatures, encodings, sizes and pages against published values.
 */
#ifndef ECISIM_SELFTEST_H
#define ECISIM_SELFTEST_H

/* 0: all is well; 1: something was printed that is not. */
int selftest_run(void);

#endif
