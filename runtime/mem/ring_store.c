/* SPDX-License-Identifier: Apache-2.0 */
/* Which way of storing is faster, found out while a ring is at work (see psy_ring_set_store). */
#include <psyne/ring.h>

#include "base/clock.h"

/* A trial is so many flushes with one way of storing; the ways take turns, and the best trial of each counts, since in others a
 * side was stopped, or had nothing to do. Between two rounds of trials a ring works undisturbed. */
enum { TRIAL_FLUSHES = 64, TRIALS = 12, REST_FLUSHES = 16384 };

/* Bytes per second of the trial that ends. */
static uint64_t rate(const psy_ring *ring, uint64_t now)
{
    uint64_t bytes = (ring->position - ring->tune_position) * ring->stride, ns = now - ring->tune_began;
    return ns ? (uint64_t)((double)bytes * 1e9 / (double)ns) : 0;
}

void psy_ring_tune(psy_ring *ring)
{
    uint64_t now = psy__now_ns();
    if (ring->tune_step == 0) {
        ring->tune_best[0] = ring->tune_best[1] = 0;
    } else {
        uint64_t *best = &ring->tune_best[ring->streams], got = rate(ring, now);
        *best = got > *best ? got : *best;
    }
    bool over = ring->tune_step == TRIALS;
    ring->streams = over ? ring->tune_best[1] > ring->tune_best[0] : ring->tune_step % 2 == 1;
    ring->tune_left = over ? REST_FLUSHES : TRIAL_FLUSHES;
    ring->tune_step = over ? 0 : ring->tune_step + 1;
    ring->tune_position = ring->position;
    ring->tune_began = now;
}

void psy_ring_set_store(psy_ring *ring, psy_store store)
{
#if defined(__SSE2__)
    bool lines = ring->stride % 64 == 0 && (uintptr_t)ring->slots_at % 64 == 0;
#else
    bool lines = false;
#endif
    ring->streams = lines && store == PSY_STORE_STREAM;
    ring->tune_step = 0;
    ring->tune_left = lines && store == PSY_STORE_AUTO ? 1 : 0;
}
