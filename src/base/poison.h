/*
 * poison.h - names that product code may not use. Force-included before every file in src.
 *
 * After start our code allocates nothing: what lives sits in pools (pool.h), what serves one event
 * sits in an arena (arena.h). So the allocator's names do not compile. The system headers that
 * declare or mention them are included here first, which makes later includes harmless.
 *
 * The few files that adapt a third-party library whose header mentions these names define
 * POISON_LATER, include that header, and then include poison.h again without it. os/heap.c, which
 * *is* the allocator of the third-party code, defines POISON_NEVER.
 *
 * Also banned: unbounded string functions, and calls with hidden static state or a hidden locale.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if !defined(POISON_LATER) && !defined(POISON_NEVER) && !defined(ECILET_POISON_H)
#define ECILET_POISON_H
#pragma GCC poison malloc calloc realloc free strdup strndup asprintf vasprintf
#pragma GCC poison posix_memalign aligned_alloc memalign reallocarray getline getdelim
#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets atoi atol atof
#pragma GCC poison gmtime localtime asctime ctime mktime rand srand setjmp longjmp
#endif
