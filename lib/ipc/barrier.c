/* SPDX-License-Identifier: MIT */
/* The store-load barrier of the rings, by membarrier(2) where the kernel has it. */
#include "ipc/barrier.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/membarrier.h>

static long membarrier(int command)
{
    return syscall(__NR_membarrier, command, 0, 0);
}

bool barrier_register(void)
{
    return membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0;
}

void barrier_for_all(void)
{
    /* The caller need not be registered. Where the kernel lacks the command nobody is, and the
     * producers' fences meet this one. */
    membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
    atomic_thread_fence(memory_order_seq_cst);
}
