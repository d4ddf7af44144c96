/*
 * YAML when the heap is full: each allocation of libfyaml fails in turn. The linker gives us its
 * calls of the allocator (--wrap in the Makefile).
 *
 * Where libfyaml gives up it leaves memory behind, which is no news to a full heap.
 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include "data/yaml_read.h"

#define ALLOCATIONS_MIN 26 /* fewer: the linker does not give us all of them */

/* Of the leak sanitizer, where there is one. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:fy_";
}

static uint64_t until_failure; /* 0: never */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t each_bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t each_bytes);
void *__wrap_realloc(void *old, size_t bytes);

static bool fails(void)
{
    if (until_failure == 0 || --until_failure > 0) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t each_bytes)
{
    return fails() ? NULL : __real_calloc(count, each_bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
    return fails() ? NULL : __real_realloc(old, bytes);
}

/* Never a text with a hole in it, and never the blame for the user. */
static void test_yaml_heap_every_allocation_may_fail(void **state)
{
    static const struct {
        const char *yaml, *json; /* NULL: malformed */
    } cases[] = {
        {"a: &x [1, 'b', \"c\\n\"]\nb: *x\nc: |\n  text\nd: plain words\n",
         "{\"a\":[1,\"b\",\"c\\n\"],\"b\":[1,\"b\",\"c\\n\"],\"c\":\"text\\n\","
         "\"d\":\"plain words\"}"},
        {"%YAML 1.2\n%TAG !e! tag:example.com,2000:\n---\n# of tags\n!!map\n? !!str 1\n"
         ": &y\n- !e!x \"a \\x41\\u00e9 \\\n  b\"\n- >-\n  folded\n  text\n\n  two\n- 'it''s'\n"
         "e: {f: ~, \"g\": *y, h, 'i': []}\n...\n--- second\n",
         "{\"1\":[\"a Aé b\",\"folded text\\ntwo\",\"it's\"],\"e\":{\"f\":null,\"g\":["
         "\"a Aé b\",\"folded text\\ntwo\",\"it's\"],\"h\":null,\"i\":[]}}"},
        {"a: [1\nb: 2\n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool has_failed = true;
        uint64_t nth = 1;
        for (; has_failed; nth++) {
            char memory[512];
            struct buf out;
            struct yaml_fault fault;
            buf_init(&out, memory, sizeof(memory));
            buf_put(&out, S("kept"));
            until_failure = nth;
            enum err err = yaml_to_json(str_of(cases[i].yaml), 0, &out, NULL, &fault);
            has_failed = until_failure == 0;
            until_failure = 0;
            enum err usual = cases[i].json != NULL ? ERR_OK : ERR_BAD_INPUT;
            if (err != (has_failed ? ERR_NO_MEMORY : usual)) {
                fail_msg("allocation %llu: %s", (unsigned long long)nth, err_name(err));
            }
            assert_text(str_sub(buf_str(&out), 4, SIZE_MAX), err == ERR_OK ? cases[i].json : "");
        }
        assert_in_range(nth, ALLOCATIONS_MIN, 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_heap_every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("yaml_heap", tests, NULL, NULL);
}
