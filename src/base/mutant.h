/*
 * mutant.h - planted bugs, to prove that the simulator's checkers still bite (make sim-mutants).
 *
 * In the product, and in every build but one, MUTANT(n) is 0 and compiles to nothing. In
 * build/sim-mutants it is true for the one bug that was chosen on the command line; the list of
 * them is in scripts/sim-mutants.sh, each beside what it breaks.
 */
#ifndef ECILET_BASE_MUTANT_H
#define ECILET_BASE_MUTANT_H

#ifdef ECILET_MUTANTS
extern int mutant_chosen; /* defined by the simulator */
#define MUTANT(n) (mutant_chosen == (n))
#else
#define MUTANT(n) 0
#endif

#endif
