/*
 * The one source of chance of this ecisim (setting seed), shared by ids, faults and stock.
 */
#ifndef ECISIM_SIM_H
#define ECISIM_SIM_H

#include "text.h"

extern struct dice sim_dice;

#endif
