/* SPDX-License-Identifier: MIT */
/* Creates memory that another process can map, too, under the limits that a process may have. */
#include "ipc/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* The system would send a signal, and not only an error, where files may not be as large. */
static int check_limit(uint64_t size)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < size ? -EFBIG : 0;
}

static int fill(int fd, uint64_t size, void **ret_memory, const char **ret_what)
{
    *ret_what = "the limit for the size of files";
    int r = check_limit(size);
    if (r)
        return r;
    *ret_what = "a file in memory";
    if (ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, MEMORY_FILE_SEALS) < 0)
        return -errno;
    *ret_what = "mmap";
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    *ret_memory = memory;
    return 0;
}

int memory_file_create(const char *name, uint64_t size, int *ret_fd, void **ret_memory,
                       const char **ret_what)
{
    *ret_what = "memfd_create";
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int r = fill(fd, size, ret_memory, ret_what);
    if (r)
        close(fd);
    else
        *ret_fd = fd;
    return r;
}
