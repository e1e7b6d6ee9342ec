/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of counters for the rings of a service: what they are called, and what becomes of those that get none. */
#ifndef PSY_SERVICE_COUNTING_H
#define PSY_SERVICE_COUNTING_H

#include <psyne/bell.h>
#include <psyne/counters.h>
#include <psyne/ring.h>
#include <psyne/slab.h>

/* What a participant keeps to count its rings. */
typedef struct psy__counting {
    psy_counters *counters; /* the caller's; NULL: nothing is counted */
    uint32_t uncounted;     /* rings and other things that got no row */
    char service[28];       /* its name: short, so that with what follows it is a label */
} psy__counting;

/* Names the service after its address: what follows the last slash, without ".sock". */
void psy__counting_init(psy__counting *counting, psy_counters *counters, const char *uri);

/* A row for a ring that was just joined in the slab's data, "SERVICE/..." with the rest as printf has it. A ring that gets none
 * goes uncounted: no reason to refuse anybody. */
__attribute__((format(printf, 4, 5))) void psy__counting_begin(psy__counting *counting, psy_ring *ring, const psy_slab *slab,
                                                               const char *format, ...);

/* Gives the row back, if there is one: before the ring goes. */
void psy__counting_end(psy__counting *counting, psy_ring *ring);

/* Says that the participant is at work. */
static inline void psy__counting_beat(const psy__counting *counting)
{
    if (counting->counters) {
        psy_counters_beat(counting->counters);
    }
}

/* After a flush: rings the other side's bell if it sleeps. */
static inline void psy__ring_wake_bell(psy_ring *ring, const psy_bell *bell)
{
    if (psy_ring_take_wake(ring)) {
        psy_bell_ring(bell);
        if (ring->counters) {
            psy_counter_add(&ring->counters->wakes, 1);
        }
    }
}

/* The same where one fence (psy_ring_fence) stands between the flushes of several rings and these looks. */
static inline void psy__ring_wake_bell_fenced(psy_ring *ring, const psy_bell *bell)
{
    if (atomic_load_explicit(&ring->header->consumer_waits, memory_order_relaxed) & 1) {
        psy__ring_wake_bell(ring, bell);
    }
}

#endif
