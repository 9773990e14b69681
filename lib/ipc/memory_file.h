/* SPDX-License-Identifier: MIT */
/* Memory that another process can map, too: a file without a name. */
#ifndef TRESTLE_IPC_MEMORY_FILE_H
#define TRESTLE_IPC_MEMORY_FILE_H

#include <stdint.h>

#include "trestle/types.h"

/* What a file has that memory_file_create() made: nobody can change its size. A truncated file
 * would kill whoever has it mapped. F_SEAL_WRITE would forbid the peer's mapping. */
#define MEMORY_FILE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Makes it, with zeros, and maps it to be read and written. The caller owns the descriptor and the
 * mapping. Returns 0, or a negative errno, with what failed in *ret_what. */
TRESTLE_CHECK int memory_file_create(const char *name, uint64_t size, int *ret_fd,
                                     void **ret_memory, const char **ret_what);

#endif
