/* SPDX-License-Identifier: MIT */
/* Keeps a mistake that is made in a loop from filling a log. */
#include "base/rate_limit.h"

bool rate_limit_allows(struct rate_limit *limit, uint64_t now, uint64_t window,
                       uint64_t *ret_left_out)
{
    *ret_left_out = 0;
    if (limit->lines == 0 || now - limit->begin >= window) {
        *ret_left_out = limit->left_out;
        *limit = (struct rate_limit){.begin = now};
    }
    if (limit->lines == RATE_LIMIT_LINES) {
        limit->left_out++;
        return false;
    }
    limit->lines++;
    return true;
}
