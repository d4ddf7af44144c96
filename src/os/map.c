/* see os.h */
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "os/os.h"

void *os_map(size_t bytes)
{
    CHECK(bytes > 0);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

void os_map_release_pages(void *memory, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t)memory;
    uintptr_t end = start + bytes;
    uintptr_t first_page = (start + page - 1) & ~(page - 1);
    uintptr_t last_page = end & ~(page - 1);
    if (first_page >= last_page) {
        memset(memory, 0, bytes);
        return;
    }
    /* The kernel takes whole pages; the edges are ours to clear. */
    memset(memory, 0, first_page - start);
    CHECK(madvise((char *)memory + (first_page - start), last_page - first_page, MADV_DONTNEED) ==
          0);
    memset((char *)memory + (last_page - start), 0, end - last_page);
}
