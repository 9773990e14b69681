/* SPDX-License-Identifier: MIT */
/* Numbers as people write them. */
#include "base/number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool number_parse(const char *text, uint64_t *ret_value)
{
    bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = is_hex ? text + 2 : text;
    size_t length = strspn(digits, is_hex ? "0123456789abcdefABCDEF" : "0123456789");
    if (length == 0 || digits[length])
        return false; /* strtoull() would take blanks and signs, too */
    errno = 0;
    uint64_t value = strtoull(digits, NULL, is_hex ? 16 : 10);
    if (errno)
        return false;
    *ret_value = value;
    return true;
}
