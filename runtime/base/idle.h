/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent does while it finds nothing to do: it looks again for a while, then leaves the processor to others, then
 * sleeps.
 *
 * On a processor of its own looking again costs nobody anything. Where others wait for the processor, the one whose work it
 * waits for may be among them, and every look is lost time for both: an agent whose yielding let somebody run (that takes as
 * long as two switches between processes) yields at once from then on, until it yields in vain. */
#ifndef PSY_BASE_IDLE_H
#define PSY_BASE_IDLE_H

#include <sched.h>
#include <stdbool.h>

#include "base/clock.h"

enum { PSY__IDLE_LOOKS = 64, PSY__IDLE_YIELDS = 16 };
static const uint64_t psy__idle_switch_ns = 800; /* yielding in vain takes some 250, two switches 1,500 */

typedef struct psy__idle {
    uint32_t looks, yields; /* since there was something to do */
    uint32_t skipped;       /* looks that it does without */
} psy__idle;

/* There was something to do. */
static inline void psy__idle_end(psy__idle *idle) { idle->looks = idle->yields = 0; }

/* There was nothing: waits a moment. False: that is enough of it, sleep. */
static inline bool psy__idle_wait(psy__idle *idle)
{
    if (idle->looks + idle->skipped < PSY__IDLE_LOOKS) {
        idle->looks++;
        psy__relax();
        return true;
    }
    if (idle->yields == PSY__IDLE_YIELDS) {
        return false;
    }
    idle->yields++;
    uint64_t before = psy__now_ns();
    (void)sched_yield();
    idle->skipped = psy__now_ns() - before >= psy__idle_switch_ns ? PSY__IDLE_LOOKS : idle->skipped / 2;
    return true;
}

#endif
