// SPDX-License-Identifier: MIT
//
// Replaces printf for what a core prints ($display, $write). The compiler includes this file first.
#ifndef TRESTLE_VERILATOR_PRINT_H
#define TRESTLE_VERILATOR_PRINT_H

int trestle_rtl_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define VL_PRINTF trestle_rtl_print

#endif
