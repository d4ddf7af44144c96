/*
 * unit.h - what unit tests share: cmocka with the headers it needs, memory for a region, texts as
 * assertions, files put in place, and a way to see a CHECK fire.
 */
#ifndef ECILET_TEST_UNIT_H
#define ECILET_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/region.h"
#include "base/str.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define UNIT_MEMORY_BYTES (4u << 20)

/* A fresh region over the same zeroed memory; parts of an earlier one are gone. */
static inline struct region unit_region(void)
{
    static _Alignas(64) char memory[UNIT_MEMORY_BYTES];
    struct region region;
    memset(memory, 0, sizeof(memory));
    region_init(&region, memory, sizeof(memory));
    return region;
}

#define assert_text(actual, expected) unit_assert_text((actual), (expected), __FILE__, __LINE__)

static inline void unit_assert_text(str actual, const char *expected, const char *file, int line)
{
    if (!str_eq(actual, str_of(expected))) {
        print_error("\"%.*s\" is not \"%s\"\n", STR_ARG(actual), expected);
        _fail(file, line);
    }
}

static inline void unit_be_silent(const char *expression, const char *file, int line)
{
    (void)expression;
    (void)file;
    (void)line;
}

/* Puts a file of ours in place of another, whole: whoever reads it never sees half of it. */
static inline void unit_put_file(const char *path, str text)
{
    char new_path[512];
    assert_in_range(snprintf(new_path, sizeof new_path, "%s.new", path), 1, sizeof new_path - 1);
    FILE *file = fopen(new_path, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_int_equal(fwrite(text.ptr, 1, text.bytes, file), text.bytes);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(new_path, path), 0);
}

/* gcov's, in programs that are built with --coverage; NULL in others. */
extern void __gcov_dump(void) __attribute__((weak));

/* For SIGABRT: who dies on purpose still tells what it ran. abort() ends the process all the same.
 */
static inline void unit_die(int number)
{
    (void)number;
    if (__gcov_dump != NULL) {
        __gcov_dump();
    }
}

/* True when the action ends the process by a failed CHECK. It runs in a child, so it may leave
 * anything behind. */
static inline bool unit_dies(void (*action)(void))
{
    int status = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGABRT, unit_die);
        check_set_hook(unit_be_silent);
        action();
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

#endif
