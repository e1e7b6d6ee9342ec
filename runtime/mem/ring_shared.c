/* SPDX-License-Identifier: Apache-2.0 */
/* Rings with several producers or consumers: claims, takes, and the cursors that everyone moves on (see psyne/ring.h). */
#include "mem/ring_state.h"

static bool break_ring(psy_ring *ring)
{
    ring->broken = true;
    return false;
}

/* After the run at `from` was given back. If `released` has not come to it yet, whoever moves it on finds that run given back:
 * he looks at it after that, and this look at `released` came after it was marked. */
static void walk_from(psy_ring *ring, uint64_t from)
{
    if (atomic_load_explicit(&ring->header->released, memory_order_seq_cst) == from) {
        psy__ring_walk(ring);
    }
}

void psy__ring_walk(psy_ring *ring)
{
    for (uint32_t tries = 0; tries < ring->slots; tries++) {
        uint64_t at = atomic_load_explicit(&ring->header->released, memory_order_seq_cst);
        uint64_t state = atomic_load_explicit(state_at(ring, at), memory_order_seq_cst);
        uint32_t n;
        if (!state_tells(ring, state, at) || state_phase(state) != STATE_RELEASED || (n = state_extent(ring, state)) == 0) {
            return;
        }
        /* `taken` is never left behind: a producer that laps it would write over the word that tells how to move it. */
        if (psy_ring_many_consumers(ring) && atomic_load_explicit(&ring->header->taken, memory_order_acquire) == at) {
            cursor_move(&ring->header->taken, at, n);
        }
        /* The run behind is looked at after this, as seen by who releases it: sequentially consistent. */
        uint64_t from = at;
        (void)atomic_compare_exchange_strong_explicit(&ring->header->released, &from, at + n, memory_order_seq_cst,
                                                      memory_order_relaxed);
    }
}

/* ---- producers ---- */

/* One of several: claims a run. `exact`: `want` slots, together unless `spans`; those before the ring's end become padding if
 * they are too few. */
static bool claim(psy_ring *ring, uint32_t want, bool spans, bool exact)
{
    want = want < PSY_RING_RUN_MAX ? want : PSY_RING_RUN_MAX;
    for (uint32_t tries = 0; tries < RING_TRIES; tries++) {
        uint64_t at = atomic_load_explicit(&ring->header->published, memory_order_acquire), state = state_load(ring, at);
        if (atomic_load_explicit(&ring->header->published, memory_order_acquire) != at) {
            continue; /* the word may be of a later lap */
        }
        if (state_tells(ring, state, at)) { /* somebody's: help */
            uint32_t n = state_extent(ring, state);
            if (n == 0) {
                return false;
            }
            cursor_move(&ring->header->published, at, n);
            continue;
        }
        uint64_t used = at - ring->seen;
        if (used > ring->slots || ring->slots - used < want) {
            uint64_t released = atomic_load_explicit(&ring->header->released, memory_order_acquire);
            used = at - released;
            if (used > ring->slots) {
                state = state_load(ring, at);
                if (atomic_load_explicit(&ring->header->published, memory_order_acquire) == at &&
                    !state_tells(ring, state, at)) {
                    return break_ring(ring); /* nothing beyond it can have been released, nor so little */
                }
                continue; /* others went on since */
            }
            ring->seen = released;
        }
        uint32_t index = (uint32_t)at & (ring->slots - 1);
        uint32_t room = ring->slots - (uint32_t)used, run = spans ? room : ring->slots - index, n = want;
        if (room == 0 || (exact && room < want)) {
            return false;
        }
        n = n < room ? n : room;
        bool pad = exact && run < want;
        n = n < run ? n : run;
        n = pad && n > PSY_RING_RUN_MAX ? PSY_RING_RUN_MAX : n;
        if (!state_swap(ring, at, state, state_of(ring, at, pad ? STATE_PADDING : STATE_CLAIMED, ring->seat.number, n))) {
            continue;
        }
        cursor_move(&ring->header->published, at, n);
        if (ring->counters) {
            psy_counter_raise(&ring->counters->high_water, used + n);
        }
        if (pad) {
            ring->skipped += n;
            continue;
        }
        ring->position = ring->shown = at;
        ring->other = at + n - ring->slots;
        return true;
    }
    return false;
}

/* Whether a claim is open. */
static bool claimed(const psy_ring *ring) { return ring->position - ring->other < ring->slots; }

/* The single producer: its own cursor, and what the consumers have given back. */
static bool see_free_single(psy_ring *ring)
{
    uint64_t released = atomic_load_explicit(&ring->header->released, memory_order_acquire);
    if (released - ring->other > ring->shown - ring->other) {
        return break_ring(ring);
    }
    ring->other = released;
    return ring->position - released < ring->slots;
}

bool psy__ring_see_free(psy_ring *ring, uint32_t want, bool spans)
{
    if (ring->broken) {
        return false;
    }
    if (psy_ring_many_producers(ring)) {
        ring->room_want = 0;
        return claimed(ring) || claim(ring, want, spans, false);
    }
    bool free = see_free_single(ring);
    if (ring->counters) {
        psy_counter_raise(&ring->counters->high_water, ring->position - ring->other);
    }
    return free;
}

void *psy_ring_claim_run(psy_ring *ring, uint32_t n)
{
    if (ring->broken || !psy_ring_many_producers(ring) || n == 0 || n > PSY_RING_RUN_MAX || claimed(ring) ||
        !claim(ring, n, false, true)) {
        psy__ring_stall(ring);
        ring->room_want = n;
        return NULL;
    }
    ring->found = true;
    return ring->slots_at + (uint64_t)((uint32_t)ring->position & (ring->slots - 1)) * ring->stride;
}

/* Ends the open claim. The first word comes last: until then the whole run is one that its seat has claimed. */
static void end_claim(psy_ring *ring)
{
    uint64_t done = ring->position - ring->shown, rest = ring->other + ring->slots - ring->position;
    if (rest && done) {
        atomic_store_explicit(state_at(ring, ring->position),
                              state_of(ring, ring->position, STATE_PADDING, ring->seat.number, rest), memory_order_release);
    }
    atomic_store_explicit(
        state_at(ring, ring->shown),
        state_of(ring, ring->shown, done ? STATE_PUBLISHED : STATE_PADDING, ring->seat.number, done ? done : rest),
        memory_order_release);
    ring->skipped += rest;
    ring->counted += done;
    ring->shown = ring->position;
    ring->other = ring->position - ring->slots;
    ring->end = ring->at;
}

void psy_ring_publish_padding(psy_ring *ring)
{
    if (claimed(ring)) {
        psy_ring_store_fence(ring);
        end_claim(ring);
    }
}

void psy_ring_publish_runs(psy_ring *ring)
{
    if (psy_ring_many_producers(ring)) {
        end_claim(ring);
        return;
    }
    while (ring->shown != ring->position) {
        uint64_t n = ring->position - ring->shown;
        n = n < PSY_RING_RUN_MAX ? n : PSY_RING_RUN_MAX;
        atomic_store_explicit(state_at(ring, ring->shown), state_of(ring, ring->shown, STATE_PUBLISHED, ring->seat.number, n),
                              memory_order_release);
        ring->shown += n;
    }
    atomic_store_explicit(&ring->header->published, ring->position, memory_order_release);
}

bool psy__ring_full(psy_ring *ring)
{
    if (ring->broken) {
        return true;
    }
    uint32_t want = ring->room_want ? ring->room_want : 1;
    if (!psy_ring_many_producers(ring)) {
        return !see_free_single(ring) || ring->slots - (ring->position - ring->other) < want;
    }
    if (claimed(ring)) {
        return false;
    }
    uint64_t at = atomic_load_explicit(&ring->header->published, memory_order_acquire);
    uint64_t released = atomic_load_explicit(&ring->header->released, memory_order_acquire), state = state_load(ring, at);
    uint64_t used = at - released;
    return used <= ring->slots && ring->slots - used < want && !state_tells(ring, state, at);
}

/* ---- consumers ---- */

/* The single consumer: follows the runs from where it is. */
static bool see_published(psy_ring *ring, uint32_t want)
{
    uint64_t skipped = ring->skipped;
    while (ring->other - ring->position < want) {
        uint64_t at = ring->other, state = state_load(ring, at);
        if (!state_tells(ring, state, at)) {
            break;
        }
        uint32_t n = state_extent(ring, state);
        if (n == 0 || n > ring->slots - (at - ring->shown)) {
            return break_ring(ring);
        }
        if (state_phase(state) == STATE_PUBLISHED) {
            ring->other += n;
        } else if (state_phase(state) == STATE_PADDING && ring->position == at) {
            ring->position = ring->other = at + n;
            ring->skipped += n;
        } else if (state_phase(state) == STATE_PADDING || state_phase(state) == STATE_CLAIMED) {
            break;
        } else {
            return break_ring(ring);
        }
    }
    if (ring->skipped != skipped || ring->other == ring->position) {
        psy_ring_settle(ring); /* nobody calls release for padding */
    }
    if (ring->skipped != skipped) {
        psy_ring_wake_producer(ring);
    }
    if (ring->counters) {
        psy_counter_raise(&ring->counters->high_water, ring->other - ring->shown);
    }
    return ring->other != ring->position;
}

/* Runs that lie behind the one just taken, as long as they are wanted. They become one with it: nobody looks at their words any
 * more once `taken` has passed them. */
static void take_more(psy_ring *ring, uint32_t want)
{
    bool more = false;
    while (ring->other - ring->position < want) {
        uint64_t at = ring->other, state = state_load(ring, at);
        uint32_t n = state_count(state);
        if (!state_tells(ring, state, at) || state_phase(state) != STATE_PUBLISHED || n == 0 ||
            at - ring->position + n > PSY_RING_RUN_MAX || at - ring->position + n > ring->slots ||
            !state_swap(ring, at, state, state_of(ring, at, STATE_TAKEN, ring->seat.number, n))) {
            break;
        }
        cursor_move(&ring->header->taken, at, n);
        ring->other += n;
        more = true;
    }
    if (more) {
        atomic_store_explicit(state_at(ring, ring->position),
                              state_of(ring, ring->position, STATE_TAKEN, ring->seat.number, ring->other - ring->position),
                              memory_order_release);
    }
}

static void skip(psy_ring *ring, uint64_t at, uint64_t state, uint32_t n)
{
    if (state_swap(ring, at, state, state_of(ring, at, STATE_RELEASED, ring->seat.number, n))) {
        cursor_move(&ring->header->taken, at, n);
        ring->skipped += n;
        psy_ring_fence();
        walk_from(ring, at);
        psy_ring_wake_producer(ring); /* nobody calls release for padding */
    }
}

/* One of several: takes a run. */
static bool take(psy_ring *ring, uint32_t want)
{
    for (uint32_t tries = 0; tries < RING_TRIES; tries++) {
        uint64_t at = atomic_load_explicit(&ring->header->taken, memory_order_acquire), state = state_load(ring, at);
        if (!state_tells(ring, state, at)) {
            if (atomic_load_explicit(&ring->header->taken, memory_order_acquire) == at) {
                return false;
            }
            continue;
        }
        uint32_t n = state_extent(ring, state);
        if (n == 0) {
            return false;
        }
        switch (state_phase(state)) {
        case STATE_CLAIMED: return false;
        case STATE_PUBLISHED:
            if (state_swap(ring, at, state, state_of(ring, at, STATE_TAKEN, ring->seat.number, n))) {
                cursor_move(&ring->header->taken, at, n);
                ring->position = ring->shown = at;
                ring->other = at + n;
                take_more(ring, want);
                return true;
            }
            break;
        case STATE_PADDING: skip(ring, at, state, n); break;
        case STATE_TAKEN:
        case STATE_RELEASED: cursor_move(&ring->header->taken, at, n); break;
        default: return break_ring(ring);
        }
    }
    return false;
}

bool psy__ring_see_waiting(psy_ring *ring, uint32_t want)
{
    if (ring->broken) {
        return false;
    }
    if (!psy_ring_many_consumers(ring)) {
        return see_published(ring, want);
    }
    if (ring->other != ring->position) {
        return true; /* what was taken is given back before more is taken */
    }
    psy_ring_settle(ring);
    return (ring->adopts && psy__ring_adopt(ring)) || take(ring, want);
}

/* The single consumer: whole runs only, since whoever comes after it must find words where `released` stands. */
static void give_back_single(psy_ring *ring)
{
    uint64_t to = ring->position == ring->other ? ring->position : ring->shown;
    while (to != ring->position) {
        uint32_t n = state_extent(ring, state_load(ring, to));
        if (n == 0 || n > ring->position - to) {
            break;
        }
        to += n;
    }
    if (to != ring->shown) {
        ring->shown = to;
        atomic_store_explicit(&ring->header->released, to, memory_order_release);
    }
}

void psy_ring_give_back_runs(psy_ring *ring)
{
    if (!psy_ring_many_consumers(ring)) {
        give_back_single(ring);
        return;
    }
    if (ring->position != ring->other) {
        return;
    }
    /* Seen before the walk looks: an exchange, which is a fence as well. */
    (void)atomic_exchange_explicit(state_at(ring, ring->shown),
                                   state_of(ring, ring->shown, STATE_RELEASED, ring->seat.number, ring->position - ring->shown),
                                   memory_order_seq_cst);
    if (ring->counters) { /* at least so much was in use */
        uint64_t used = ring->position - atomic_load_explicit(&ring->header->released, memory_order_relaxed);
        psy_counter_raise(&ring->counters->high_water, used <= ring->slots ? used : 0);
    }
    uint64_t from = ring->shown;
    ring->counted += ring->position - from;
    ring->shown = ring->position;
    walk_from(ring, from);
}

bool psy__ring_empty(psy_ring *ring)
{
    if (ring->broken) {
        return true;
    }
    if (!psy_ring_many_consumers(ring)) {
        return !see_published(ring, 1);
    }
    if (ring->other != ring->position || ring->adopts) {
        return false;
    }
    for (uint32_t tries = 0; tries < RING_TRIES; tries++) {
        uint64_t at = atomic_load_explicit(&ring->header->taken, memory_order_acquire), state = state_load(ring, at);
        if (!state_tells(ring, state, at)) {
            if (atomic_load_explicit(&ring->header->taken, memory_order_acquire) == at) {
                return true;
            }
            continue;
        }
        uint32_t phase = state_phase(state), n = state_extent(ring, state);
        if (n == 0 || phase == STATE_CLAIMED || phase == STATE_PUBLISHED) {
            return phase != STATE_PUBLISHED;
        }
        if (phase == STATE_PADDING) {
            skip(ring, at, state, n);
        } else {
            cursor_move(&ring->header->taken, at, n);
        }
    }
    return true;
}
