/*
 * Zones, vSwitches, stock and addresses.
 */
#ifndef ECISIM_STOCK_H
#define ECISIM_STOCK_H

#include "group.h"

/* Call once after the settings are known. NULL, or what is wrong. */
const char *stock_start(void);
void stock_reset(void);
void stock_free(void);
/*
 * Choose zone, vSwitch and size for the group (eci-api 4.6, A-17). false: there is no stock;
 * *what then names what was tried.
 */
bool stock_choose(struct group *group, const char **what);
bool stock_is_out(const char *zone, const char *spec);
/* The comma-separated zones of the region. */
const char *stock_zones(void);
/* The zone of a vSwitch; never NULL. */
const char *stock_zone_of(const char *vswitch);
/* Take an address for the group: the given one, or any. false: none is free. */
bool stock_take_address(struct group *group, const char *wanted);
void stock_give_address(struct group *group);
bool stock_address_is_free(const char *text);
void stock_address_text(char out[16], uint32_t address);
/* The first address (that of the bridge) and the length of the prefix. */
uint32_t stock_gateway(void);
int stock_prefix(void);

#endif
