/*
 * Client tokens (eci-api 1.10): the same token with the same parameters gives the first result
 * again.
 */
#ifndef ECISIM_TOKEN_H
#define ECISIM_TOKEN_H

#include "call.h"

/*
 * Has this call been done before? Then *result is what was given to token_keep ("" when there
 * was nothing to give). The same token with other parameters: call_fail() and false.
 */
bool token_known(struct call *call, const char **result);
void token_keep(const struct call *call, const char *result);
void token_reset(void);

#endif
