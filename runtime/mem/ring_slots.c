/* SPDX-License-Identifier: Apache-2.0 */
/* What a side does when the slots that its handle has are used up: a look at the other side, and where the slots lie. */
#include "mem/ring_state.h"

/* Room for a producer. */
bool psy__ring_see_room(psy_ring *ring, uint32_t want, bool spans)
{
    if (ring->broken) {
        return false;
    }
    if (ring->states) {
        return psy__ring_see_free(ring, want, spans);
    }
    uint64_t released = atomic_load_explicit(&ring->header->released, memory_order_acquire);
    /* It only grows, and never beyond what was shown. */
    if (released - ring->other > ring->shown - ring->other) {
        ring->broken = true;
        return false;
    }
    ring->other = released;
    if (ring->counters) {
        psy_counter_raise(&ring->counters->high_water, ring->position - released);
    }
    return ring->position - released < ring->slots;
}

/* Something for a consumer. */
bool psy__ring_see_more(psy_ring *ring, uint32_t want)
{
    if (ring->broken) {
        return false;
    }
    if (ring->states) {
        return psy__ring_see_waiting(ring, want);
    }
    uint64_t published = atomic_load_explicit(&ring->header->published, memory_order_acquire);
    /* It only grows, and never more than the slots beyond what was shown. */
    if (published - ring->other > ring->shown + ring->slots - ring->other) {
        ring->broken = true;
        return false;
    }
    ring->other = published;
    if (ring->counters) {
        psy_counter_raise(&ring->counters->high_water, published - ring->shown);
    }
    return published != ring->position;
}

/* Where the `n` (up to the ring's slots) that this side may use lie. */
static void *place(psy_ring *ring, uint64_t n, uint32_t want, uint32_t *got)
{
    uint32_t index = (uint32_t)ring->position & (ring->slots - 1), run = ring->slots - index;
    ring->at = ring->slots_at + (uint64_t)index * ring->stride;
    run = n < run ? (uint32_t)n : run;
    ring->end = ring->at + (uint64_t)run * ring->stride;
    ring->found = true;
    ring->idle = false;
    *got = want < run ? want : run;
    return ring->at;
}

void psy__ring_stall(psy_ring *ring)
{
    if (ring->found) {
        ring->found = false;
        ring->stalls++;
        ring->end = ring->at;
        ring->idle = !ring->states && !ring->broken;
    }
}

static void *stall(psy_ring *ring, uint32_t *got)
{
    psy__ring_stall(ring);
    *got = 0;
    return NULL;
}

static uint64_t room(const psy_ring *ring) { return ring->slots - (ring->position - ring->other); }
static uint64_t waiting(const psy_ring *ring) { return ring->other - ring->position; }

void *psy_ring_claim_more(psy_ring *ring, uint32_t want, uint32_t *got)
{
    if ((room(ring) < want || ring->broken) && !psy__ring_see_room(ring, want, false)) {
        return stall(ring, got);
    }
    return place(ring, room(ring), want, got);
}

void *psy_ring_peek_more(psy_ring *ring, uint32_t want, uint32_t *got)
{
    if ((waiting(ring) < want || ring->broken) && !psy__ring_see_more(ring, want)) {
        return stall(ring, got);
    }
    return place(ring, waiting(ring), want, got);
}

static uint32_t two_parts(psy_ring *ring, uint64_t n, uint32_t want, psy_ring_span spans[2])
{
    uint32_t all = want < n ? want : (uint32_t)n;
    spans[0].at = place(ring, n, want, &spans[0].count);
    spans[1].at = ring->slots_at;
    spans[1].count = all - spans[0].count;
    return all;
}

static uint32_t no_parts(psy_ring *ring, psy_ring_span spans[2])
{
    spans[0].at = stall(ring, &spans[0].count);
    spans[1] = spans[0];
    return 0;
}

uint32_t psy_ring_claim_spans(psy_ring *ring, uint32_t want, psy_ring_span spans[2])
{
    if ((room(ring) < want || ring->broken) && !psy__ring_see_room(ring, want, true)) {
        return no_parts(ring, spans);
    }
    return two_parts(ring, room(ring), want, spans);
}

uint32_t psy_ring_peek_spans(psy_ring *ring, uint32_t want, psy_ring_span spans[2])
{
    if ((waiting(ring) < want || ring->broken) && !psy__ring_see_more(ring, want)) {
        return no_parts(ring, spans);
    }
    return two_parts(ring, waiting(ring), want, spans);
}

bool psy_ring_full(psy_ring *ring)
{
    uint32_t want = ring->room_want ? ring->room_want : 1;
    return ring->states ? psy__ring_full(ring) : !psy__ring_see_room(ring, want, false) || room(ring) < want;
}
bool psy_ring_empty(psy_ring *ring) { return ring->states ? psy__ring_empty(ring) : !psy__ring_see_more(ring, 1); }
