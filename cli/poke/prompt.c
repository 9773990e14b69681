/* SPDX-License-Identifier: MIT */
/* Lines that somebody types at a terminal. Signals are read beside the keys, so that none of them
 * comes in the middle of libedit, which cannot be left there. */
#include "poke/prompt.h"

#include <editline/readline.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <wchar.h>

#include "signals.h"

static prompt_complete_fn *find_candidates;
static void *find_context;
static struct strings candidates;
static int signals_fd = -1;   /* while a line is typed */
static int signal_that_ended; /* the line; or 0 */

/* --- completion ------------------------------------------------------------------------------ */

static char *next_candidate(const char *text, int state)
{
    static size_t next;
    (void)text;
    if (state == 0)
        next = 0;
    return next < candidates.count ? strdup(candidates.items[next++]) : NULL;
}

static char **complete(const char *text, int start, int end)
{
    char *line = xformat("%.*s", end, rl_line_buffer);
    (void)start;
    strings_finish(&candidates);
    candidates = (struct strings){0};
    find_candidates(find_context, line, &candidates);
    /* A command is followed by a blank, a device by where in it. */
    rl_completion_append_character = strpbrk(line, " \t") ? '\0' : ' ';
    free(line);
    rl_attempted_completion_over = 1;
    return rl_completion_matches(text, next_candidate);
}

/* --- keys and signals ------------------------------------------------------------------------ */

static int set_raw(void)
{
    rl_prep_terminal(0);
    return 0;
}

/* The shell wants its terminal as it was. */
static void stop_self(void)
{
    rl_deprep_terminal();
    raise(SIGSTOP);
    set_raw();
    rl_forced_update_display();
}

/* Returns false when it ends the line. */
static bool take_signal(void)
{
    struct signalfd_siginfo info;
    if (read(signals_fd, &info, sizeof(info)) != sizeof(info))
        return true;
    switch (info.ssi_signo) {
    case SIGTSTP:
        stop_self();
        return true;
    case SIGWINCH:
        rl_resize_terminal();
        rl_forced_update_display();
        return true;
    default:
        signal_that_ended = (int)info.ssi_signo;
        return false;
    }
}

/* Returns the next byte, or EOF. Signals go first. */
static int read_byte(int fd)
{
    unsigned char byte;
    struct pollfd waits[] = {{.fd = signals_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    for (;;) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR)
            return EOF;
        if (waits[0].revents) {
            if (!take_signal())
                return EOF;
        } else if (waits[1].revents) {
            return read(fd, &byte, 1) == 1 ? byte : EOF;
        }
    }
}

/* libedit takes a whole character here, in spite of the type's name. */
static int read_character(FILE *stream)
{
    mbstate_t state = {0};
    wchar_t character;
    for (;;) {
        int byte = read_byte(fileno(stream));
        if (byte == EOF)
            return EOF;
        char part = (char)byte;
        size_t length = mbrtowc(&character, &part, 1, &state);
        if (length <= 1)
            return (int)character;
        if (length == (size_t)-1)
            state = (mbstate_t){0}; /* no such character: drop it */
    }
}

/* --- lines ----------------------------------------------------------------------------------- */

void prompt_open(prompt_complete_fn *complete_fn, void *context)
{
    static char breaks[] = " \t;";
    find_candidates = complete_fn;
    find_context = context;
    setlocale(LC_CTYPE, "");
    rl_readline_name = (char *)"trestle";
    rl_attempted_completion_function = complete;
    rl_completer_word_break_characters = breaks;
    rl_catch_signals = 0;
    rl_getc_function = read_character;
    rl_pre_input_hook = set_raw; /* libedit leaves it out when something was typed ahead */
    rl_initialize();
    using_history();
}

char *prompt_read(const char *prompt)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH, 0};
    sigset_t signals = signals_not_ignored(numbers), before;
    char *line;
    sigprocmask(SIG_BLOCK, &signals, &before);
    signals_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    do {
        signal_that_ended = 0;
        line = readline(prompt);
        if (signal_that_ended)
            putchar('\n');
    } while (signal_that_ended == SIGINT);
    close(signals_fd);
    if (signal_that_ended)
        raise(signal_that_ended);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (line && *line)
        add_history(line);
    return line;
}

void prompt_close(void)
{
    strings_finish(&candidates);
    candidates = (struct strings){0};
}
