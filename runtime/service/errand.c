/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/errand.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICE = 10 };

static void *run(void *one)
{
    psy__errand *e = one;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* this thread's; where it may not, it is as important as all */
    e->status = e->run(e->context, &e->stop);
    if (e->status != PSY_OK) {
        snprintf(e->why, sizeof e->why, "%s", psy_detail());
    }
    atomic_store_explicit(&e->done, true, memory_order_release);
    return NULL;
}

psy_status psy__errand_begin(psy__errand *e, psy__errand_run *what, void *context)
{
    sigset_t all, before;
    e->run = what;
    e->context = context;
    e->status = PSY_OK;
    e->why[0] = '\0';
    atomic_store_explicit(&e->stop, false, memory_order_relaxed);
    atomic_store_explicit(&e->done, false, memory_order_relaxed);
    sigfillset(&all); /* the process's signals are for its other threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&e->thread, NULL, run, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    e->begun = error == 0;
    return e->begun ? PSY_OK : psy_fail(PSY_LIMIT, "a thread cannot be started: %s", strerror(error));
}

psy_status psy__errand_poll(psy__errand *e)
{
    if (!e->begun) {
        return psy_fail(PSY_INVALID, "psy__errand_poll: nothing was begun");
    }
    if (!atomic_load_explicit(&e->done, memory_order_acquire)) {
        return PSY_EMPTY;
    }
    pthread_join(e->thread, NULL);
    e->begun = false;
    return e->status == PSY_OK ? PSY_OK : psy_fail(e->status, "%s", e->why);
}

void psy__errand_end(psy__errand *e)
{
    if (e->begun) {
        atomic_store_explicit(&e->stop, true, memory_order_relaxed);
        pthread_join(e->thread, NULL);
        e->begun = false;
    }
}
