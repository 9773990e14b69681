/* SPDX-License-Identifier: MIT */
/* Brings structs of any version to this library's. */
#include "base/sized.h"

#include <errno.h>
#include <string.h>

/* No struct of ours will ever be as large. */
#define SIZE_LIMIT 4096

int sized_import(void *ours, size_t our_size, size_t min_size, const void *theirs)
{
    const uint8_t *bytes = theirs;
    size_t their_size;
    memcpy(&their_size, theirs, sizeof(their_size));
    if (their_size < min_size || their_size > SIZE_LIMIT)
        return -EINVAL;
    for (size_t i = our_size; i < their_size; i++)
        if (bytes[i] != 0)
            return -E2BIG;
    memset(ours, 0, our_size);
    memcpy(ours, theirs, their_size < our_size ? their_size : our_size);
    memcpy(ours, &our_size, sizeof(our_size));
    return 0;
}
