/* SPDX-License-Identifier: Apache-2.0 */
/* The state words of rings with several producers or consumers, private to the rings. The word of a run lies at the index of
 * its first slot: bits 0-2 phase, 3-10 seat, 11-26 slots of the run, 27-63 lap (position / slots, modulo 2^37). */
#ifndef PSY_MEM_RING_STATE_H
#define PSY_MEM_RING_STATE_H

#include <psyne/ring.h>

enum { STATE_FREE, STATE_CLAIMED, STATE_PUBLISHED, STATE_PADDING, STATE_TAKEN, STATE_RELEASED };

/* Tries of a loop that only a crowd, or a liar, keeps going. */
enum { RING_TRIES = 1 << 14 };

static inline uint64_t state_lap(const psy_ring *ring, uint64_t position) { return position >> ring->bits << 27; }
static inline uint64_t state_of(const psy_ring *ring, uint64_t position, uint32_t phase, uint32_t seat, uint64_t count)
{
    return phase | (uint64_t)seat << 3 | count << 11 | state_lap(ring, position);
}
static inline uint32_t state_phase(uint64_t state) { return state & 7; }
static inline uint32_t state_seat(uint64_t state) { return (state >> 3) & 255; }
static inline uint32_t state_count(uint64_t state) { return (state >> 11) & 65535; }
/* Whether the word tells of a run that begins at `position`. */
static inline bool state_tells(const psy_ring *ring, uint64_t state, uint64_t position)
{
    return state_phase(state) != STATE_FREE && (state ^ state_lap(ring, position)) >> 27 == 0;
}

static inline PSY_ATOMIC(uint64_t) * state_at(const psy_ring *ring, uint64_t position)
{
    return &ring->states[(uint32_t)position & (ring->slots - 1)];
}
static inline uint64_t state_load(const psy_ring *ring, uint64_t position)
{
    return atomic_load_explicit(state_at(ring, position), memory_order_acquire);
}
static inline bool state_swap(psy_ring *ring, uint64_t position, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong_explicit(state_at(ring, position), &from, to, memory_order_acq_rel,
                                                   memory_order_relaxed);
}
static inline void cursor_move(PSY_ATOMIC(uint64_t) * cursor, uint64_t from, uint64_t n)
{
    (void)atomic_compare_exchange_strong_explicit(cursor, &from, from + n, memory_order_acq_rel, memory_order_relaxed);
}
/* The extent of a run that begins at `position`; 0, and a broken handle, if there is no such run. */
static inline uint32_t state_extent(psy_ring *ring, uint64_t state)
{
    uint32_t n = state_count(state);
    if (n == 0 || n > ring->slots) {
        ring->broken = true;
        ring->end = ring->at;
        return 0;
    }
    return n;
}

/* Room for a producer, or something for a consumer, after a look at the shared words; the second pair on a ring that has
 * states. */
bool psy__ring_see_room(psy_ring *ring, uint32_t want, bool spans);
bool psy__ring_see_more(psy_ring *ring, uint32_t want);
bool psy__ring_see_free(psy_ring *ring, uint32_t want, bool spans);
bool psy__ring_see_waiting(psy_ring *ring, uint32_t want);
/* Nothing was there: one stall, until something is. */
void psy__ring_stall(psy_ring *ring);
/* The same for looks that neither claim nor take. */
bool psy__ring_full(psy_ring *ring);
bool psy__ring_empty(psy_ring *ring);
/* Moves `released` over the runs that were given back. */
void psy__ring_walk(psy_ring *ring);
/* A seat as a single side says it in the header, and as one of several joined from it; 0: nobody. */
static inline uint64_t seat_word(uint32_t number, uint32_t epoch) { return number ? (uint64_t)epoch << 32 | number : 0; }
static inline uint64_t seat_joined(const psy_ring *ring, uint32_t number)
{
    return seat_word(number, atomic_load_explicit(&ring->joined[number & 255], memory_order_acquire));
}
/* Whether who sat there then is gone. One system call. */
bool psy__ring_gone(const psy_ring *ring, uint64_t seat);
/* What a dead predecessor in this seat has left in the ring; `first`: on either side, since whoever sits there now has not been
 * here before. */
void psy__ring_inherit(psy_ring *ring, bool first);
/* What was taken and not given back goes to another consumer. */
void psy__ring_hand_over(psy_ring *ring);
/* Takes a run that this seat has taken and this handle does not know of. */
bool psy__ring_adopt(psy_ring *ring);

#endif
