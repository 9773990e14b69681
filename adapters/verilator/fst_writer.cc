// SPDX-License-Identifier: MIT
/* Verilator's writer of FST files. It keeps temporary files in /tmp and beside the waveform, and
 * maps them: on a full disk such a mapping has holes, and whoever touches one gets SIGBUS. Here
 * these files are in memory. */
#include <cstdio>
#include <cstring>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// It lists modules and signals. So it tells whether a new file has signals, which its writer does
// not.
static thread_local std::FILE *trestle_rtl_hierarchy;

static std::FILE *open_in_memory()
{
    int fd = memfd_create("trestle-wave", MFD_CLOEXEC);
    std::FILE *file = fd >= 0 ? fdopen(fd, "w+b") : nullptr;
    if (!file && fd >= 0)
        close(fd);
    return file ? file : std::tmpfile(); // memfd_create() may be forbidden
}

static std::FILE *open_file(const char *path, const char *mode)
{
    static const char hierarchy[] = ".hier";
    size_t length = std::strlen(path), end = sizeof(hierarchy) - 1;
    if (length < end || std::strcmp(path + length - end, hierarchy) != 0)
        return std::fopen(path, mode);
    return trestle_rtl_hierarchy = open_in_memory();
}

// A limit for the size of files may have cut off even these (RLIMIT_FSIZE).
static void *map_file(void *, size_t length, int protection, int flags, int fd, off_t offset)
{
    struct stat st;
    bool is_whole = fstat(fd, &st) == 0 && st.st_size - offset >= static_cast<off_t>(length);
    if (is_whole)
        return mmap(nullptr, length, protection, flags, fd, offset);
    void *memory =
        mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED && pread(fd, memory, length, offset) < 0)
        std::memset(memory, 0, length);
    return memory;
}

#define tmpfile open_in_memory
#define fopen open_file
#define mmap map_file
#include "verilated_fst_c.cpp"
#undef mmap
#undef fopen
#undef tmpfile

// To behind a name, or a number whose bytes but the last have the top bit.
static void skip(std::FILE *file, bool is_name)
{
    int byte = std::getc(file);
    while (byte != EOF && (is_name ? byte != 0 : byte >= 0x80))
        byte = std::getc(file);
}

// Whether the file that this thread opened last has signals. Later Verilators also list modules
// whose signals are not recorded.
bool trestle_rtl_has_signals()
{
    std::FILE *file = trestle_rtl_hierarchy;
    bool is_signal = false;
    if (!file || std::ftell(file) == 0)
        return false;
    if (std::fflush(file) != 0)
        return true; // or not; the file will be cut off, which is said then
    std::rewind(file);
    for (int tag; !is_signal && (tag = std::getc(file)) != EOF;) {
        if (tag == FST_ST_VCD_SCOPE) {
            std::getc(file); // its type
            skip(file, true);
            skip(file, true);
        } else if (tag == FST_ST_GEN_ATTRBEGIN) {
            std::getc(file); // its type, and what that means
            std::getc(file);
            skip(file, true);
            skip(file, false);
        } else if (tag != FST_ST_VCD_UPSCOPE && tag != FST_ST_GEN_ATTREND) {
            is_signal = true;
        }
    }
    std::fseek(file, 0, SEEK_END);
    return is_signal;
}
