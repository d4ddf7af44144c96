/*
 * os.h - the kernel, in a few words. Everything here blocks at most for the time of a local file
 * read; what can block longer (name resolution) is in resolve.h.
 */
#ifndef ECILET_OS_OS_H
#define ECILET_OS_OS_H

#include "base/buf.h"
#include "base/err.h"

/* clock.c: CLOCK_MONOTONIC for all waits; wall time only for stamps and signatures. */
msec os_now_ms(void);
uint64_t os_now_us(void);
int64_t os_wall_ms(void); /* since 1970, UTC */
int64_t os_wall_s(void);

/* entropy.c: getrandom(), or /dev/urandom on kernels before 3.17; never fails (CHECKs: without
 * entropy there is no TLS). */
void os_random(void *out, size_t bytes);

/* file.c */
/* Reads a whole file into out. Errors: ERR_NOT_FOUND, ERR_FORBIDDEN, ERR_TOO_BIG (more than fits),
 * ERR_SYSTEM (errno_text has the reason, static text). */
MUST_USE enum err os_file_read(const char *path, struct buf *out);
/* Changes whenever the file is replaced or rewritten; 0 when unreadable. */
uint64_t os_file_stamp(const char *path);
const char *os_errno_text(void); /* of the last failed call here */

/* map.c: anonymous memory for the region; NULL when refused. Pages not yet touched cost nothing. */
void *os_map(size_t bytes);
/* Gives the pages back to the kernel but keeps the range (content becomes zero). */
void os_map_release_pages(void *memory, size_t bytes);

/* host.c */
/* This machine's name, cut to `bytes` with the NUL; never empty. */
void os_host_name(char *out, size_t bytes);
/* Becomes a new process of the same program, with the same process id; returns only when the kernel
 * refuses. Descriptors of ours are all closed by it. */
void os_start_anew(char *const *argv, char *const *envp);

/* usage.c: what this process uses now. */
/* Resident size in bytes (0 when unknown). */
size_t os_resident_bytes(void);
/* CPU time used by this process, microseconds. */
uint64_t os_cpu_us(void);
uint32_t os_descriptors_open(void);

#endif
