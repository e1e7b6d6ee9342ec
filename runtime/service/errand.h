/* SPDX-License-Identifier: Apache-2.0 */
/* One piece of work that blocks, such as writing files: done by a thread that lives no longer than that, while its agent goes
 * on and looks now and then whether it has ended. It gives way to who serves: its priority is a lower one (nice 10).
 *
 *   psy__errand_begin(&errand, write_rows, context);
 *   while ((status = psy__errand_poll(&errand)) == PSY_EMPTY) { ... }     // OK, or why not, as this thread's detail says
 *   psy__errand_end(&errand);                                             // one that is not wanted any more; waits for it
 *
 * Thread safety: as its agent's. What `run` touches is its own until the errand has ended. */
#ifndef PSY_SERVICE_ERRAND_H
#define PSY_SERVICE_ERRAND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <psyne/status.h>

/* Not OK or EMPTY: the detail of the thread that it runs in says why. Looks at `stop` now and then. */
typedef psy_status psy__errand_run(void *context, const _Atomic bool *stop);

typedef struct psy__errand {
    bool begun;
    pthread_t thread;
    psy__errand_run *run;
    void *context;
    _Atomic bool stop, done;
    psy_status status;
    char why[512];
} psy__errand;

/* LIMIT: there can be no more threads. Allocates. */
PSY_NODISCARD psy_status psy__errand_begin(psy__errand *errand, psy__errand_run *run, void *context);
/* EMPTY: it is at work; else what became of it, once. Never blocks. */
PSY_NODISCARD psy_status psy__errand_poll(psy__errand *errand);
/* Tells it to stop, and waits. One that was never begun, or has ended, is allowed. */
void psy__errand_end(psy__errand *errand);

#endif
