/* see os.h */
#include "unit.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include "os/os.h"

static void test_entropy_fills_everything(void **state)
{
    (void)state;
    uint8_t bytes[1000], again[1000];
    uint32_t seen[256] = {0}, kinds = 0;
    os_random(bytes, sizeof(bytes));
    os_random(again, sizeof(again));
    assert_memory_not_equal(bytes, again, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        kinds += seen[bytes[i]]++ == 0 ? 1 : 0;
    }
    assert_true(kinds > 200); /* about 251 of 256 are expected */
    os_random(NULL, 0);
}

/* Makes the kernel look as if it were older than getrandom(). For good, so in a child. */
static bool forget_getrandom(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {.len = COUNT_OF(rules), .filter = rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

enum { WAS_GOOD, NOT_POSSIBLE, WAS_BAD };

static int fill_on_an_old_kernel(void)
{
    uint8_t bytes[64] = {0}, zeros[64] = {0};
    if (!forget_getrandom()) {
        return NOT_POSSIBLE;
    }
    if (getrandom(bytes, 1, 0) != -1 || errno != ENOSYS) {
        return WAS_BAD;
    }
    os_random(bytes, sizeof(bytes));
    return memcmp(bytes, zeros, sizeof(bytes)) != 0 ? WAS_GOOD : WAS_BAD;
}

static void test_entropy_on_kernels_without_getrandom(void **state)
{
    (void)state;
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        _exit(fill_on_an_old_kernel());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NOT_POSSIBLE) { /* no seccomp here */
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), WAS_GOOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entropy_fills_everything),
        cmocka_unit_test(test_entropy_on_kernels_without_getrandom),
    };
    return cmocka_run_group_tests_name("entropy", tests, NULL, NULL);
}
