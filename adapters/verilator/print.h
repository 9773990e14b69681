// SPDX-License-Identifier: MIT
//
// Where what a core says ($display, $write) goes, in place of printf. The compiler includes it
// before anything else.
#ifndef TRESTLE_VERILATOR_PRINT_H
#define TRESTLE_VERILATOR_PRINT_H

int trestle_rtl_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define VL_PRINTF trestle_rtl_print

#endif
