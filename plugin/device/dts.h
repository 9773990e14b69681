/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The body of a node as device tree sources write it, put into a flattened tree:
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

struct dts {
    void *tree;
    /* The phandle behind &label. False: nobody has this name. */
    /* Of a label, or of a path in the board's tree, which begins with '/'. */
    bool (*resolve)(const char *label, uint32_t *ret_phandle);
    char wrong[160]; /* what is, when it is */
};

/* 0, or -1 and dts->wrong. node is an offset in the tree. */
int dts_put(struct dts *dts, int node, const char *text);

#endif
