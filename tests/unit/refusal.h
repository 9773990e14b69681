/* SPDX-License-Identifier: MIT */
/* What ends QEMU in the plugin ends one call of a test here, and leaves its sentence. */
#ifndef TRESTLE_TESTS_REFUSAL_H
#define TRESTLE_TESTS_REFUSAL_H

#include <setjmp.h>

/* Where refuse() and refuse_device() go back to, for setjmp(). */
extern jmp_buf refused;
/* What they said; a device's sentence begins with its number. */
extern char refusal[512];

#endif
