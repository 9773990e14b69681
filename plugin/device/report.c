/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says what the board has, where and at which interrupts. */
#include "plugin/device/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/device/irq.h"
#include "plugin/qemu/fdt.h"
#include "plugin/qemu/qemu_abi.h"

/* Ranges of the flat view, of which the last may end with the address space. */
static void report_memory(void)
{
    struct qemu_region *memory = qemu.get_system_memory();
    uint64_t addr = 0;
    for (;;) {
        struct qemu_section section = qemu.memory_region_find(memory, addr, UINT64_MAX - addr);
        if (!section.region)
            return;
        uint64_t first = section.offset_within_address_space;
        uint64_t last = first + section.size_low - 1;
        const char *name = qemu.memory_region_name(section.region);
        printf("memory 0x%" PRIx64 " 0x%" PRIx64 " %s\n", first, last, name ? name : "");
        qemu.memory_region_unref(section.region);
        if (last >= UINT64_MAX - 1 || last < first)
            return;
        addr = last + 1;
    }
}

static void report_input(uint32_t input, const char *owner)
{
    printf("used %" PRIu32 " %s\n", input, owner);
}

/* "virt 7.2.22": QEMU's type of the machine without its ending, and QEMU's version. */
static void report_name(void)
{
    static const char ending[] = "-machine";
    const char *type = qemu.object_get_typename(qemu.qdev_get_machine());
    size_t length = strlen(type), tail = strlen(ending);
    if (length > tail && strcmp(type + length - tail, ending) == 0)
        length -= tail;
    printf("board %.*s %d.%d.%d\n", (int)length, type, (int)qemu.version->number->major,
           (int)qemu.version->number->minor, (int)qemu.version->number->micro);
}

_Noreturn void report_board(void)
{
    report_name();
    printf("tree %s\n", fdt_find() ? "yes" : "no");
    irq_report(report_input);
    report_memory();
    printf("end\n");
    fflush(stdout);
    exit(EXIT_SUCCESS);
}
