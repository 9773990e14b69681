/* SPDX-License-Identifier: MIT */
/* Saves the terminal before QEMU starts and restores it after QEMU has ended. */
#include "machine/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

void terminal_save(struct terminal *terminal)
{
    for (int fd = 0; fd < 3; fd++)
        terminal->flags[fd] = fcntl(fd, F_GETFL);
    terminal->is_saved = tcgetattr(STDIN_FILENO, &terminal->settings) == 0;
}

void terminal_restore(const struct terminal *terminal)
{
    for (int fd = 0; fd < 3; fd++)
        if (terminal->flags[fd] >= 0)
            fcntl(fd, F_SETFL, terminal->flags[fd]);
    if (!terminal->is_saved)
        return;
    /* From the background, setting the terminal would stop us. */
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->settings);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
