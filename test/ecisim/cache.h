/*
 * Image caches (eci-api 2.14): only their records; nothing is ever pulled.
 */
#ifndef ECISIM_CACHE_H
#define ECISIM_CACHE_H

#include <stddef.h>

/* "Ready" and so on, or NULL when there is no such cache. */
const char *cache_status(const char *id);
/* A cache without images, Ready, under this id (cut to 31 characters). */
void cache_put(const char *id);
size_t cache_count(void);
void cache_reset(void);

#endif
