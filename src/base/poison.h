/*
 * poison.h - names that product code may not use. Force-included before every file in src.
 *
 * After start our code allocates nothing: what lives sits in pools (pool.h), what serves one event
 * sits in an arena (arena.h). So the allocator's names do not compile. The system headers that
 * declare or mention them are included here first, which makes later includes harmless.
 *
 * A file that adapts a third-party library whose header mentions these names (libfyaml.h does)
 * starts with `#define POISON_LATER`, which makes the Makefile leave the forced include to it; it
 * includes that header, undefines POISON_LATER and includes this file. os/heap.c, which *is* the
 * allocator of the third-party code, needs no exception: its functions get the C names at the
 * linker's level only.
 *
 * Also banned: unbounded string functions, and calls with hidden static state or a hidden locale.
 */
#include <ctype.h>
#include <sched.h> /* musl declares calloc and free there */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if !defined(POISON_LATER) && !defined(ECILET_POISON_H)
#define ECILET_POISON_H
#pragma GCC poison malloc calloc realloc free strdup strndup asprintf vasprintf
#pragma GCC poison posix_memalign aligned_alloc memalign reallocarray getline getdelim
#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets atoi atol atof
#pragma GCC poison gmtime localtime asctime ctime mktime rand srand setjmp longjmp
#endif
