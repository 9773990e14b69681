// SPDX-License-Identifier: MIT
/* Verilator's writer of FST files. It keeps temporary files in /tmp and beside the waveform, and
 * maps them: on a full disk such a mapping has holes, and whoever touches one gets SIGBUS. Here
 * these files are in memory. */
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

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

static std::string read_name(std::FILE *file)
{
    std::string name;
    for (int byte; (byte = std::getc(file)) != EOF && byte != 0;)
        name += static_cast<char>(byte);
    return name;
}

// A number, whose bytes but the last have the top bit.
static void skip_number(std::FILE *file)
{
    int byte = std::getc(file);
    while (byte != EOF && byte >= 0x80)
        byte = std::getc(file);
}

namespace
{

struct hierarchy {
    bool has_signals = false;
    std::vector<std::string> modules; // paths
};

} // namespace

// What such a list says.
static hierarchy read_hierarchy(std::FILE *file)
{
    hierarchy found;
    std::vector<std::string> within;
    std::rewind(file);
    for (int tag; (tag = std::getc(file)) != EOF;) {
        if (tag == FST_ST_VCD_SCOPE) {
            std::getc(file); // its type
            std::string name = read_name(file);
            read_name(file);
            within.push_back(within.empty() ? name : within.back() + "." + name);
            found.modules.push_back(within.back());
        } else if (tag == FST_ST_VCD_UPSCOPE) {
            if (!within.empty())
                within.pop_back();
        } else if (tag == FST_ST_GEN_ATTRBEGIN) {
            std::getc(file); // its type, and what that means
            std::getc(file);
            read_name(file);
            skip_number(file);
        } else if (tag != FST_ST_GEN_ATTREND) {
            std::getc(file); // a signal's direction; behind the name are its length, and
            read_name(file); // which other signal it is the same as
            skip_number(file);
            skip_number(file);
            found.has_signals = true;
        }
    }
    std::fseek(file, 0, SEEK_END);
    return found;
}

// Whether the file that this thread opened last has signals. Later Verilators also list modules
// whose signals are not recorded.
bool trestle_rtl_has_signals()
{
    std::FILE *file = trestle_rtl_hierarchy;
    if (!file || std::ftell(file) == 0)
        return false;
    if (std::fflush(file) != 0)
        return true; // or not; the file will be cut off, which is said then
    return read_hierarchy(file).has_signals;
}

// The list of that file's modules and signals. It is there until the file is closed.
std::FILE *trestle_rtl_opened()
{
    return trestle_rtl_hierarchy;
}

// Copies the list to where readers look for it if a waveform has no end.
void trestle_rtl_save(std::FILE *list, const char *path)
{
    struct stat st;
    std::FILE *copy = list && fstat(fileno(list), &st) == 0 ? std::fopen(path, "wb") : nullptr;
    char bytes[4096];
    ssize_t n;
    for (off_t at = 0; copy && (n = pread(fileno(list), bytes, sizeof(bytes), at)) > 0; at += n)
        std::fwrite(bytes, 1, static_cast<size_t>(n), copy);
    if (copy)
        std::fclose(copy);
}

// The modules of the file that this thread opened last: "TOP, TOP.ticker". Not more than fit into a
// line.
std::string trestle_rtl_modules()
{
    constexpr size_t most = 16;
    std::FILE *file = trestle_rtl_hierarchy;
    std::string list;
    if (!file || std::fflush(file) != 0)
        return list;
    const std::vector<std::string> modules = read_hierarchy(file).modules;
    for (size_t i = 0; i < modules.size() && i < most; i++)
        list += (i ? ", " : "") + modules[i];
    if (modules.size() > most)
        list += " and " + std::to_string(modules.size() - most) + " more";
    return list;
}
