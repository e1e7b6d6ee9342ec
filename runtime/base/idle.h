/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent does while it finds nothing to do: it looks again for a while, then leaves the processor to others, then
 * sleeps.
 *
 * On a processor of its own looking again costs nobody anything. Where others wait for the processor, the one whose work it
 * waits for may be among them, and every look is lost time for both: an agent whose yielding let somebody run (that takes as
 * long as two switches between processes) yields at once from then on, until it yields in vain. Who yields to one that goes on
 * for a whole slice of time waits as long, while a sleeper is put before it when it is woken: then it sleeps at once. */
#ifndef PSY_BASE_IDLE_H
#define PSY_BASE_IDLE_H

#include <sched.h>
#include <stdbool.h>

#include "base/clock.h"

enum { PSY__IDLE_LOOKS = 64, PSY__IDLE_YIELDS = 16, PSY__IDLE_SLEEPS = 256, PSY__IDLE_SLEEPS_MAX = 1 << 16 };
static const uint64_t psy__idle_switch_ns = 800;   /* yielding in vain takes some 250, two switches 1,500 */
static const uint64_t psy__idle_slice_ns = 300000; /* nobody who has such long work is waited for that way */

typedef struct psy__idle {
    uint32_t looks, yields; /* since there was something to do */
    uint32_t skipped;       /* looks that it does without */
    uint32_t sleeps;        /* times that it will sleep instead of yielding; */
    uint32_t more_sleeps;   /* and how many it was the last time: more each time that it was right */
} psy__idle;

/* There was something to do. */
static inline void psy__idle_end(psy__idle *idle) { idle->looks = idle->yields = 0; }

/* Whether all that it will do next is to look again. */
static inline bool psy__idle_looks(const psy__idle *idle) { return idle->looks + idle->skipped < PSY__IDLE_LOOKS; }

/* There was nothing: waits a moment. False: that is enough of it, sleep. */
static inline bool psy__idle_wait(psy__idle *idle)
{
    if (psy__idle_looks(idle)) {
        idle->looks++;
        psy__relax();
        return true;
    }
    if (idle->yields == PSY__IDLE_YIELDS || idle->sleeps) {
        idle->sleeps -= idle->sleeps > 0;
        return false;
    }
    idle->yields++;
    uint64_t before = psy__now_ns();
    (void)sched_yield();
    uint64_t took_ns = psy__now_ns() - before;
    idle->skipped = took_ns >= psy__idle_switch_ns ? PSY__IDLE_LOOKS : idle->skipped / 2;
    if (took_ns >= psy__idle_slice_ns) {
        bool more = idle->more_sleeps != 0 && idle->more_sleeps < PSY__IDLE_SLEEPS_MAX;
        idle->more_sleeps = more ? 2 * idle->more_sleeps : idle->more_sleeps ? idle->more_sleeps : PSY__IDLE_SLEEPS;
        idle->sleeps = idle->more_sleeps;
    } else {
        idle->more_sleeps = idle->more_sleeps > PSY__IDLE_SLEEPS ? idle->more_sleeps / 2 : 0;
    }
    return true;
}

#endif
