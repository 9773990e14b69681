/* SPDX-License-Identifier: MIT */
/* trestle top: what a run is doing, live. */
#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "control/attached.h"
#include "top/page.h"
#include "top/state.h"
#include "util.h"

static const struct command_option options[] = {
    {'i', "interval", "TIME", "how often to look (500ms, 2s); by default every second",
     .long_only = true},
    {'1', "once", NULL, "print one page after one interval, and end", .long_only = true},
    {0},
};

/* Rows of a page that --once prints. */
#define ROWS_ONCE 40
/* The first page has rates, too. */
#define FIRST_MS 200

struct top {
    const char *path;
    struct attached run;
    int interval_ms;
    struct state before, now;
    size_t selected;
    char *registers;
};

/* --- what there is to see -------------------------------------------------------------------- */

static int look_at_registers(struct top *top, char **ret_error)
{
    enum control_status done;
    struct printed printed;
    char *error = NULL;
    free(top->registers);
    top->registers = NULL;
    if (top->selected >= top->now.num_devices)
        return 0;
    char *line = xformat("registers %s", top->now.devices[top->selected].name);
    printed_begin(&printed);
    int r = attached_do(&top->run, line, printed.file, &done, &error);
    char *text = printed_end(&printed);
    free(line);
    if (r == -ECONNRESET) {
        *ret_error = error;
        free(text);
        return r;
    }
    top->registers = error ? error : text;
    if (error)
        free(text);
    return 0;
}

static int look(struct top *top, char **ret_error)
{
    struct state state;
    int r = state_get(&top->run, &state, ret_error);
    if (r < 0)
        return r;
    state_finish(&top->before);
    top->before = top->now;
    top->now = state;
    return look_at_registers(top, ret_error);
}

static void make_page(const struct top *top, size_t rows, struct page_lines *ret_lines)
{
    const struct page page = {.path = top->path,
                              .before = &top->before,
                              .now = &top->now,
                              .selected = top->selected,
                              .registers = top->registers ? top->registers : "",
                              .rows = rows};
    page_make(&page, ret_lines);
}

static int print_once(struct top *top, char **ret_error)
{
    struct page_lines lines;
    poll(NULL, 0, top->interval_ms);
    int r = look(top, ret_error);
    if (r < 0)
        return r;
    make_page(top, ROWS_ONCE, &lines);
    for (size_t i = 0; i < lines.lines.count; i++)
        puts(lines.lines.items[i]);
    page_finish(&lines);
    return 0;
}

/* --- on the terminal ------------------------------------------------------------------------- */

static attr_t look_of(const struct page_lines *lines, size_t row)
{
    for (size_t i = 0; i < lines->num_titles; i++)
        if (lines->titles[i] == row)
            return A_REVERSE;
    return row == 0 || row == lines->selected ? A_BOLD : A_NORMAL;
}

static void draw(const struct top *top)
{
    struct page_lines lines;
    make_page(top, LINES > 1 ? (size_t)LINES - 1 : 1, &lines);
    erase();
    for (size_t i = 0; i < lines.lines.count && (int)i < LINES - 1; i++) {
        bool is_chosen = i == lines.selected;
        attr_set(look_of(&lines, i), 0, NULL);
        mvprintw((int)i, 0, "%s%-*.*s", is_chosen ? ">" : " ", COLS - 2, COLS - 2,
                 lines.lines.items[i]);
    }
    attr_set(A_DIM, 0, NULL);
    mvprintw(LINES - 1, 0, "%.*s", COLS - 1, " q quits, Up and Down choose a device");
    attr_set(A_NORMAL, 0, NULL);
    refresh();
    page_finish(&lines);
}

/* False: it is the end. */
static bool take_key(struct top *top, int key)
{
    if (key == KEY_UP && top->selected > 0)
        top->selected--;
    else if (key == KEY_DOWN && top->selected + 1 < top->now.num_devices)
        top->selected++;
    return key != 'q' && key != 27;
}

static int show(struct top *top, char **ret_error)
{
    int r = 0;
    setlocale(LC_CTYPE, "");
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (!screen) {
        *ret_error = xstrdup("this terminal is not known; set TERM, or use --once");
        return -EINVAL;
    }
    cbreak();
    noecho();
    keypad(stdscr, true);
    curs_set(0);
    timeout(top->interval_ms);
    poll(NULL, 0, top->interval_ms < FIRST_MS ? top->interval_ms : FIRST_MS);
    for (int key = ERR; r == 0 && take_key(top, key);) {
        /* A key changes what is chosen at once, and the rates stay. */
        r = key == ERR ? look(top, ret_error) : look_at_registers(top, ret_error);
        if (r == 0) {
            draw(top);
            key = getch();
        }
    }
    endwin();
    delscreen(screen);
    return r;
}

/* --- the command ----------------------------------------------------------------------------- */

static int watch(struct top *top, bool is_once)
{
    char *error = NULL;
    if (attached_open(top->path, &top->run, &error) < 0)
        return command_fail_line(error);
    int r = look(top, &error);
    if (r == 0)
        r = is_once ? print_once(top, &error) : show(top, &error);
    attached_close(&top->run);
    state_finish(&top->before);
    state_finish(&top->now);
    free(top->registers);
    if (r == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "trestle: %s\n", error);
    free(error);
    return r == -ECONNRESET ? EXIT_SUCCESS : EXIT_BAD_INPUT;
}

static bool parse_interval(const char *text, int *ret_ms)
{
    double seconds;
    if (!command_duration(text, TRESTLE_S, &seconds) || seconds < 0.01 || seconds > 3600)
        return false;
    *ret_ms = (int)(seconds * 1000);
    return true;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct top top = {.interval_ms = 1000};
    const char *argument;
    bool is_once = false;
    int letter;
    while ((letter = command_next_option(command, argc, argv, &argument)) != 0) {
        if (letter == '1')
            is_once = true;
        else if (letter != 'i')
            return EXIT_BAD_INPUT;
        else if (!parse_interval(argument, &top.interval_ms))
            return command_fail("--interval %s is not a time from 10ms to 3600s; write for "
                                "example --interval 500ms",
                                argument);
    }
    top.path = command_operand(command, argc, argv, "the path of a run's --control");
    if (!top.path)
        return EXIT_BAD_INPUT;
    if (!is_once && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)))
        return command_fail("top needs a terminal; use --once for one page of text");
    return watch(&top, is_once);
}

const struct command command_top = {
    .name = "top",
    .arguments = "PATH",
    .summary = "Show live what the run with --control PATH is doing",
    .options = options,
    .run = run_command,
    .help =
        "Accesses and interrupts per second, latency, the engine's queue, the guest's time, the\n"
        "registers of the chosen device and the last accesses. Looking costs each access some\n"
        "nanoseconds, and changes nothing.\n",
};
