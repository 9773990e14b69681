/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices in ACPI's tables, for machines that have these in place of a device tree: an SSDT with an
 * object for each device that has dt or acpi_id. Its id is acpi_id, or PRP0001, by which Linux goes
 * by the property "compatible"; the properties of dt are its _DSD. */
#ifndef TRESTLE_PLUGIN_ACPI_H
#define TRESTLE_PLUGIN_ACPI_H

/* Before the board finishes its tables. Ends QEMU on what a table cannot say. */
void acpi_add_devices(void);

#endif
