/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wires that the board has soldered: which inputs of the interrupt controller its own devices
 * are connected to. QEMU keeps each as a link from an output to an input, which is asked for by
 * name, so no table of boards is needed.
 *
 * Wires that end elsewhere first are not seen: in a gate that the board has in between, or, on the
 * PC, in the GSIs.
 */
#ifndef TRESTLE_PLUGIN_WIRING_H
#define TRESTLE_PLUGIN_WIRING_H

#include <stdint.h>

#include "plugin/qemu/qemu_abi.h"

/* Calls found() for each wire to an input of the controller that is below num_inputs; input is any
 * that it has. type: QEMU's name of what is at the wire's other end. */
void wiring_find(struct qemu_object *controller, uint32_t input, uint32_t num_inputs,
                 void (*found)(uint32_t input, const char *type));

#endif
