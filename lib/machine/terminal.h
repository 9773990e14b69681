/* SPDX-License-Identifier: MIT */
/* QEMU puts the terminal into raw mode and its descriptors into non-blocking mode, and undoes
 * neither when it is killed. Both outlive it, since they belong to the open file that it shares
 * with us. */
#ifndef TRESTLE_MACHINE_TERMINAL_H
#define TRESTLE_MACHINE_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

struct terminal {
    bool is_saved;
    struct termios settings;
    int flags[3]; /* of descriptors 0, 1, 2; -1: not open */
};

void terminal_save(struct terminal *terminal);
void terminal_restore(const struct terminal *terminal);

#endif
