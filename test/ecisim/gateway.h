/*
 * The API gateway: common parameters, signatures, time, nonces, throttling, parameter types,
 * errors (eci-api 1.2 to 1.8).
 */
#ifndef ECISIM_GATEWAY_H
#define ECISIM_GATEWAY_H

#include "call.h"

void gateway_handle(struct exchange *exchange);
void gateway_reset(void); /* forget nonces and throttling windows */
/* An upper-case UUID. */
void gateway_uuid(char out[static 40]);

#endif
