/* SPDX-License-Identifier: MIT */
/* Counts and prints the PASS and FAIL lines of a guest. */
#include "check.h"

static unsigned passed, failed;

bool check(bool ok, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print(ok ? "PASS " : "FAIL ");
    vprint(format, args);
    print("\n");
    va_end(args);
    if (ok)
        passed++;
    else
        failed++;
    return ok;
}

static bool read_matches(uintptr_t addr, unsigned size, uint64_t want, const char *what)
{
    uint64_t got = 0;
    bool answered = mmio_read(addr, size, &got);
    if (answered && got == want)
        return true;
    if (answered)
        check(false, "%s: %u-byte read at 0x%lx gave 0x%llx, not 0x%llx", what, size,
              (unsigned long)addr, (unsigned long long)got, (unsigned long long)want);
    else
        check(false, "%s: bus error, %u-byte read at 0x%lx", what, size, (unsigned long)addr);
    return false;
}

static bool write_succeeds(uintptr_t addr, unsigned size, uint64_t value, const char *what)
{
    if (mmio_write(addr, size, value))
        return true;
    check(false, "%s: bus error, %u-byte write at 0x%lx", what, size, (unsigned long)addr);
    return false;
}

bool check_read(uintptr_t addr, unsigned size, uint64_t want, const char *what)
{
    return read_matches(addr, size, want, what) && check(true, "%s", what);
}

bool check_write(uintptr_t addr, unsigned size, uint64_t value, const char *what)
{
    return write_succeeds(addr, size, value, what) && check(true, "%s", what);
}

bool check_quiet(bool ok, const char *what)
{
    return ok || check(false, "%s", what);
}

bool quiet_read(uintptr_t addr, unsigned size, uint64_t want, const char *what)
{
    bool ok = read_matches(addr, size, want, what);
    passed += ok;
    return ok;
}

bool quiet_write(uintptr_t addr, unsigned size, uint64_t value, const char *what)
{
    bool ok = write_succeeds(addr, size, value, what);
    passed += ok;
    return ok;
}

bool wait_for(uintptr_t addr, uint32_t mask, uint32_t want)
{
    const uint64_t limit_ns = 1000 * 1000 * 1000;
    uint64_t start = guest_now_ns(), value = 0;
    for (unsigned reads = 0; reads < 100000; reads++) {
        if (!mmio_read(addr, 4, &value))
            return false;
        if ((value & mask) == want)
            return true;
        if (guest_now_ns() - start > limit_ns)
            return false;
    }
    return false;
}

int check_summary(const char *program)
{
    print("%s: %u passed, %u failed\n", program, passed, failed);
    return failed || !passed;
}
