/* see os.h */
#include <unistd.h>

#include "base/check.h"
#include "os/os.h"

void os_host_name(char *out, size_t bytes)
{
    CHECK(bytes > 1);
    if (gethostname(out, bytes) != 0) {
        out[0] = '\0';
    }
    out[bytes - 1] = '\0'; /* a longer name may come without one */
    if (out[0] == '\0') {
        (void)str_copy(out, bytes, S("localhost"));
    }
}

void os_start_anew(char *const *argv, char *const *envp)
{
    (void)execve("/proc/self/exe", argv, envp);
}
