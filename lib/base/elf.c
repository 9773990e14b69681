/* SPDX-License-Identifier: MIT */
/* Reads as much of ELF files as tells what they are for, and whether all of them is there. */
#include "base/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trestle/le.h"

#if defined(__x86_64__)
#define OURS "x86_64"
#elif defined(__aarch64__)
#define OURS "aarch64"
#endif

const char *elf_arch(const uint8_t head[ELF_HEAD_SIZE])
{
    if (memcmp(head, ELFMAG, SELFMAG) != 0 || head[EI_DATA] != ELFDATA2LSB)
        return NULL;
    switch (trestle_get_le16(head + offsetof(Elf64_Ehdr, e_machine))) {
    case EM_RISCV:
        return head[EI_CLASS] == ELFCLASS64 ? "riscv64" : "riscv32";
    case EM_ARM:
        return "arm";
    case EM_AARCH64:
        return "aarch64";
    case EM_386:
    case EM_X86_64:
        return "x86_64";
    default:
        return NULL;
    }
}

static bool read_segment(int fd, const Elf64_Ehdr *header, unsigned i, Elf64_Phdr *ret_segment)
{
    off_t at = (off_t)(header->e_phoff + i * sizeof(*ret_segment));
    return at >= 0 && pread(fd, ret_segment, sizeof(*ret_segment), at) == sizeof(*ret_segment);
}

/* To the end of its last page. */
static uint64_t loaded_size(const Elf64_Phdr *segment)
{
    uint64_t mask = segment->p_align > 0 ? segment->p_align - 1 : 0;
    uint64_t rest = -(segment->p_vaddr + segment->p_memsz) & mask;
    return segment->p_memsz > UINT64_MAX - rest ? UINT64_MAX : segment->p_memsz + rest;
}

/* What lies elsewhere belongs to others: the loader would take their memory's rights away. */
static bool is_loaded(int fd, const Elf64_Ehdr *header, const Elf64_Phdr *part)
{
    for (unsigned i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        if (!read_segment(fd, header, i, &segment) || segment.p_type != PT_LOAD)
            continue;
        uint64_t size = loaded_size(&segment), skipped = part->p_vaddr - segment.p_vaddr;
        if (part->p_vaddr >= segment.p_vaddr && skipped <= size && part->p_memsz <= size - skipped)
            return true;
    }
    return false;
}

/* The loader maps what the program headers say, and touches it beyond the end of the file. */
static bool is_whole(int fd, const Elf64_Ehdr *header, uint64_t size)
{
    uint64_t sections = (uint64_t)header->e_shnum * header->e_shentsize;
    Elf64_Phdr relro = {0}; /* the last one, as for the loader */
    if (header->e_phnum == 0 || header->e_phentsize != sizeof(Elf64_Phdr) ||
        header->e_shoff > size || sections > size - header->e_shoff)
        return false;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        if (!read_segment(fd, header, i, &segment) || segment.p_offset > size ||
            segment.p_filesz > size - segment.p_offset)
            return false;
        if (segment.p_type == PT_GNU_RELRO)
            relro = segment;
    }
    return relro.p_memsz == 0 || is_loaded(fd, header, &relro);
}

static const char *find_flaw(int fd, char buffer[128])
{
    union {
        uint8_t bytes[ELF_HEAD_SIZE];
        Elf64_Ehdr header;
    } head = {{0}};
    struct stat st;
    _Static_assert(sizeof(head) == ELF_HEAD_SIZE, "the header of 64-bit files");
    ssize_t size = pread(fd, &head, sizeof(head), 0);
    if (size < 0 || fstat(fd, &st) < 0)
        return strerror(errno);
    if (size < SELFMAG || memcmp(head.bytes, ELFMAG, SELFMAG) != 0)
        return size == 0 ? "it is empty" : "it is not a shared object";
    const char *arch = elf_arch(head.bytes);
    if (size < (ssize_t)ELF_HEAD_SIZE)
        return "it is cut off";
    if (!arch || strcmp(arch, OURS) != 0 || head.bytes[EI_CLASS] != ELFCLASS64) {
        snprintf(buffer, 128, "it is for %s%s, and this is " OURS, arch ? arch : "another machine",
                 arch && head.bytes[EI_CLASS] != ELFCLASS64 ? " with 32 bits" : "");
        return buffer;
    }
    if (head.header.e_type != ET_DYN)
        return "it is not a shared object (compile it with -shared -fPIC)";
    return is_whole(fd, &head.header, (uint64_t)st.st_size) ? NULL : "it is cut off or damaged";
}

const char *elf_flaw(const char *path, char buffer[128])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return strerror(errno);
    const char *flaw = find_flaw(fd, buffer);
    close(fd);
    return flaw;
}
