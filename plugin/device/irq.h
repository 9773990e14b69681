/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt lines from devices to the guest's interrupt controller: the PLIC, the APLIC without
 * messages, a GICv2 or GICv3 (by SPI number, INTID - 32), a Cortex-M's NVIC,
 * or the I/O APIC.
 *
 * Lines are levels, and several may share an input of the controller, which is then high while any
 * of them is. QEMU's PLIC takes a level for an edge: it forgets the input once the guest has
 * claimed it, and a line that stays high is not delivered again. So, there, an input is set again
 * whenever another line goes up, and when one falls while another stays high. On the I/O APIC that
 * would make an edge-triggered pin fire twice.
 */
#ifndef TRESTLE_PLUGIN_IRQ_H
#define TRESTLE_PLUGIN_IRQ_H

#include <stdbool.h>
#include <stdint.h>

#include "trestle/wire.h"

#define IRQ_LINES_MAX TRESTLE_V2_IRQ_LINES_MAX
/* In place of an input: the line is a watchdog's, and QEMU does what -action watchdog=... says when
 * it goes up, which is to reset the guest. */
#define IRQ_WATCHDOG UINT32_MAX

struct sst_device;

/* How a device tree names an input: <n>, <0 n flags>, <n flags>. */
enum irq_cells { IRQ_CELLS_NONE, IRQ_CELLS_PLIC, IRQ_CELLS_GIC, IRQ_CELLS_APLIC };

/* What an irq property means. 0, or -1 and the property is nonsense. */
int irq_parse(const char *text, uint32_t ret_inputs[IRQ_LINES_MAX], uint32_t *ret_count);

/* Finds the machine's controller, for a device that wants it. Ends QEMU where there is none. */
void irq_find_controller(struct sst_device *dev);
/* Of the controller that was found; IRQ_CELLS_NONE: of none, or of one that no tree has. */
enum irq_cells irq_cells(void);

/* For "trestle boards": prints the lines "interrupts" and "candidate" of trestle/machine.h, and
 * calls used() behind them for each input that the board's own devices are at. */
typedef void irq_used(uint32_t input, const char *owner);
void irq_report(irq_used *used);

/* One of its lines goes to the controller. */
bool irq_is_wired(const struct sst_device *dev);

/* Before the guest starts: finds the controller and checks the device's inputs. Ends QEMU if an
 * input does not exist or is taken. */
void irq_connect(struct sst_device *dev);

/* A line of the device has another level than before: the controller hears of it. */
void irq_line_changed(struct sst_device *dev, uint32_t line, bool level);
/* While the machine is being reset, the controller does not hear of changes of lines. At the end it
 * is told the lines that are high again. In between a line may go up and down, and the PLIC, which
 * is reset already, would keep that as an interrupt for the guest's next life. */
void irq_hold(void);
void irq_release(void);
/* Raises the high lines once more: the device was away for a while, and what the guest did about
 * its interrupt meanwhile may have been lost. */
void irq_set_anew(struct sst_device *dev);

#endif
