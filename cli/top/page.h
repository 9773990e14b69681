/* SPDX-License-Identifier: MIT */
/* What trestle top shows, as lines of text. */
#ifndef CLI_TOP_PAGE_H
#define CLI_TOP_PAGE_H

#include "top/state.h"
#include "util.h"

struct page {
    const char *path;                 /* of the run's control socket */
    const struct state *before, *now; /* rates are between these */
    size_t selected;                  /* a device */
    const char *registers;            /* what its registers hold, a line each */
    size_t rows;                      /* that there are */
};

/* Lines that stand out: the titles of the three parts, and the selected device. */
struct page_lines {
    struct strings lines;
    size_t titles[3], num_titles;
    size_t selected;
};

void page_make(const struct page *page, struct page_lines *ret_lines);
void page_finish(struct page_lines *lines);

#endif
