/* SPDX-License-Identifier: MIT */
/* Puts copies in place of the pages of a loaded shared object that are its file's. */
#include "models/unshare.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Without this, overwriting the file, as cp does, would overwrite the pages or take them away. That
 * includes pages that were written to: if a file is cut off, Linux drops even its private pages.
 * The addresses stay, and with them all that the loader, a debugger or perf knows. */

struct span {
    uintptr_t start, end;
};

/* Word by word: memcpy() would be AddressSanitizer's, which has forbidden words between a model's
 * variables. */
__attribute__((no_sanitize("address"))) static void
copy(volatile uintptr_t *to, const volatile uintptr_t *from, size_t size)
{
    for (size_t i = 0; i < size / sizeof(*to); i++)
        to[i] = from[i];
}

static void replace(struct span span, int protection)
{
    size_t size = span.end - span.start;
    void *own = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (own == MAP_FAILED)
        return;
    copy(own, (const void *)span.start, size);
    /* SELinux may forbid to run what was written. */
    if (mprotect(own, size, protection) < 0 ||
        mremap(own, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)span.start) == MAP_FAILED)
        munmap(own, size);
}

static int protection_of(const ElfW(Phdr) * part)
{
    return (part->p_flags & PF_R ? PROT_READ : 0) | (part->p_flags & PF_W ? PROT_WRITE : 0) |
           (part->p_flags & PF_X ? PROT_EXEC : 0);
}

static int replace_parts(struct dl_phdr_info *object, size_t size, void *ctx)
{
    const struct link_map *map = ctx;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct span constant = {0, 0}; /* since the loader has written it */
    (void)size;
    if (object->dlpi_addr != map->l_addr)
        return 0;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t start = map->l_addr + part->p_vaddr;
        if (part->p_type == PT_GNU_RELRO)
            constant = (struct span){start & -page, (start + part->p_memsz) & -page};
        if (part->p_type == PT_LOAD && part->p_filesz > 0 && part->p_flags & PF_R)
            replace((struct span){start & -page, (start + part->p_filesz + page - 1) & -page},
                    protection_of(part));
    }
    if (constant.end > constant.start)
        (void)mprotect((void *)constant.start, constant.end - constant.start, PROT_READ);
    return 1;
}

void object_unshare(void *handle)
{
    struct link_map *map;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0)
        dl_iterate_phdr(replace_parts, map);
}
