/* see os.h. Read from /proc by hand: stdio and opendir would take memory from the heap. */
#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "os/os.h"

size_t os_resident_bytes(void)
{
    char text[128];
    struct buf content;
    buf_init(&content, text, sizeof(text));
    if (os_file_read("/proc/self/statm", &content) != ERR_OK) {
        return 0;
    }
    /* Pages: total, resident, ... */
    str rest = buf_str(&content);
    str total, resident;
    uint64_t pages;
    if (!str_cut(&rest, ' ', &total) || !str_cut(&rest, ' ', &resident) ||
        !str_to_u64(resident, &pages)) {
        return 0;
    }
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

uint64_t os_cpu_us(void)
{
    struct timespec used;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

/* The kernel's struct linux_dirent64, as far as it is needed: d_ino, d_off, then d_reclen. */
#define DIRENT_RECLEN_AT 16

static uint32_t count_entries(const char *entries, size_t bytes)
{
    uint32_t count = 0;
    for (size_t at = 0; at < bytes; count++) {
        uint16_t entry_bytes;
        memcpy(&entry_bytes, entries + at + DIRENT_RECLEN_AT, sizeof(entry_bytes));
        CHECK(entry_bytes > DIRENT_RECLEN_AT);
        at += entry_bytes;
    }
    return count;
}

uint32_t os_descriptors_open(void)
{
    char entries[4096];
    uint32_t count = 0;
    int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    long bytes;
    while ((bytes = syscall(SYS_getdents64, fd, entries, sizeof(entries))) > 0) {
        count += count_entries(entries, (size_t)bytes);
    }
    (void)close(fd);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the folder's own descriptor */
}
