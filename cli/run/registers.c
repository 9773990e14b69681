/* SPDX-License-Identifier: MIT */
/* What registers hold at the end of a run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bridge/command.h"
#include "log.h"
#include "run/run.h"
#include "sim/lookup.h"
#include "table.h"
#include "trestle/registers.h"
#include "util.h"

static void add_registers(struct table *table, const struct trestle_device *dev)
{
    struct trestle_register_at at = {0};
    char name[128], text[256];
    uint64_t value;
    while (trestle_device_next_register(dev, 0, &at)) {
        if (!trestle_device_stored(dev, &at, &value))
            continue;
        table_addf(table, "%s", trestle_device_name(dev));
        table_addf(table, "0x%04" PRIx64, at.offset);
        table_addf(table, "%s", trestle_register_name(at.reg, at.index, name, sizeof(name)));
        table_addf(table, "%s", trestle_register_format(at.reg, value, text, sizeof(text)));
    }
}

void stats_print_registers(const struct run *run)
{
    static const char *const titles[] = {"device", "offset", "register", "value", NULL};
    struct table table = {.titles = titles};
    struct printed printed;
    printed_begin(&printed);
    for (uint32_t i = 0; i < trestle_bridge_num_devices(run->bridge); i++) {
        const struct trestle_device *dev = trestle_bridge_device(run->bridge, i);
        if (dev)
            add_registers(&table, dev);
    }
    table_print(&table, printed.file);
    table_finish(&table);
    char *text = printed_end(&printed);
    log_text(text);
    free(text);
}
