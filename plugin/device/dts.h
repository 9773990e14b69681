/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The body of a node as device tree sources write it:
 *
 *     compatible = "ns16550a"; clock-frequency = <3686400>; clocks = <&clk 0>; mac = [00 ff];
 *     big-endian; eeprom@50 { compatible = "atmel,24c02"; reg = <0x50>; };
 *
 * Without comments, expressions, labels and includes.
 */
#ifndef TRESTLE_PLUGIN_DTS_H
#define TRESTLE_PLUGIN_DTS_H

#include <stdbool.h>
#include <stdint.h>

enum { DTS_VALUE_MAX = 4096 };

/* A property's value, as a tree holds it, and what it was written as. */
struct dts_value {
    uint8_t bytes[DTS_VALUE_MAX]; /* strings with their ends, cells with the high byte first */
    int length;
    bool has_strings, has_cells, has_bytes;
};

struct dts {
    void *tree; /* for the calls below */
    /* Both: NULL, or what is wrong. A node is a number of theirs. */
    const char *(*put)(void *tree, int node, const char *name, const struct dts_value *value);
    const char *(*add)(void *tree, int parent, const char *name, int *ret_node);
    /* The phandle behind &label, or of a path in the board's tree, which begins with '/'. False:
     * nobody has this name. NULL: nothing can be referred to. */
    bool (*resolve)(const char *label, uint32_t *ret_phandle);
    char wrong[160]; /* what is, when it is */
};

/* 0, or -1 and dts->wrong. */
int dts_put(struct dts *dts, int node, const char *text);

#endif
