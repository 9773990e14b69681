/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plugin/qemu/biglock.h"

#include <errno.h>
#include <pthread.h>

#include "plugin/qemu/say.h"

/* Taken under the big lock, and never the other way round. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t is_free = PTHREAD_COND_INITIALIZER;

const char *biglock_refusal(void)
{
    if (!qemu.bql_lock || !qemu.bql_unlock)
        return "this QEMU does not export its big lock";
    if (qemu_counts_instructions())
        return "with -icount the vCPUs take turns, and nothing would be gained";
    return NULL;
}

int biglock_begin(struct v2 *v2)
{
    while (v2->is_busy) {
        if (!qemu.qemu_in_vcpu_thread())
            return -EBUSY;
        pthread_mutex_lock(&mutex);
        qemu.bql_unlock();
        while (v2->is_busy)
            pthread_cond_wait(&is_free, &mutex);
        pthread_mutex_unlock(&mutex);
        qemu.bql_lock(__FILE__, __LINE__);
    }
    pthread_mutex_lock(&mutex);
    v2->is_busy = true;
    pthread_mutex_unlock(&mutex);
    return 0;
}

void biglock_end(struct v2 *v2)
{
    pthread_mutex_lock(&mutex);
    v2->is_busy = false;
    pthread_cond_broadcast(&is_free);
    pthread_mutex_unlock(&mutex);
}

/* The main loop counts on what it has looked at; a vCPU does not. */
static bool may_drop(const struct v2 *v2)
{
    return v2->is_busy && qemu.qemu_in_vcpu_thread();
}

void biglock_drop(struct v2 *v2)
{
    if (!may_drop(v2))
        return;
    watch_remove(&v2->watched);
    watch_remove(&v2->session->doorbell); /* a closed one calls whatever it is watched for */
    qemu.bql_unlock();
}

void biglock_retake(struct v2 *v2)
{
    if (!may_drop(v2))
        return;
    qemu.bql_lock(__FILE__, __LINE__);
    if (session_watch(v2) < 0)
        say_device(v2->dev, "out of memory; the end of its connection is noticed late");
}
