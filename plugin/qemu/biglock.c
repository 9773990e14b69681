/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gives up QEMU's big lock while an access sleeps, and takes it back. */
#include "plugin/qemu/biglock.h"

#include <errno.h>
#include <pthread.h>

#include "plugin/qemu/qemu_abi.h"

/* Taken under the big lock, and never the other way round. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_free = PTHREAD_COND_INITIALIZER;

const char *biglock_refusal(void)
{
    if (!qemu.bql_lock || !qemu.bql_unlock)
        return "this QEMU does not export its big lock";
    if (qemu_counts_instructions())
        return "with -icount the vCPUs take turns, so this would gain nothing";
    return NULL;
}

int biglock_begin(bool *is_busy)
{
    while (*is_busy) {
        if (!qemu.qemu_in_vcpu_thread())
            return -EBUSY;
        pthread_mutex_lock(&mutex);
        qemu.bql_unlock();
        while (*is_busy)
            pthread_cond_wait(&is_free, &mutex);
        pthread_mutex_unlock(&mutex);
        qemu.bql_lock(__FILE__, __LINE__);
    }
    pthread_mutex_lock(&mutex);
    *is_busy = true;
    pthread_mutex_unlock(&mutex);
    return 0;
}

void biglock_end(bool *is_busy)
{
    pthread_mutex_lock(&mutex);
    *is_busy = false;
    pthread_cond_broadcast(&is_free);
    pthread_mutex_unlock(&mutex);
}

/* The main loop counts on what it has looked at; a vCPU does not. */
bool biglock_may_drop(bool is_busy)
{
    return is_busy && qemu.qemu_in_vcpu_thread();
}

void biglock_drop(void)
{
    qemu.bql_unlock();
}

void biglock_retake(void)
{
    qemu.bql_lock(__FILE__, __LINE__);
}
