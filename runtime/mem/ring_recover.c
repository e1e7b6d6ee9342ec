/* SPDX-License-Identifier: Apache-2.0 */
/* What the dead hold of a ring: their claims become padding, what they took goes to the living. */
#include "mem/ring_state.h"

/* What is known of seats during one look through the ring. */
typedef struct census {
    enum { UNKNOWN, LIVES, GONE } of[256];
    bool news; /* somebody was found to be gone: what was read before is stale */
} census;

bool psy__ring_gone(const psy_ring *ring, uint64_t seat)
{
    uint32_t number = (uint32_t)seat & 255, epoch = (uint32_t)(seat >> 32);
    if (ring->seat.fd < 0 || epoch == 0) {
        return false; /* nobody can tell */
    }
    if (number == ring->seat.number) {
        return epoch != ring->seat.epoch;
    }
    /* Where somebody sits, he may have come after the one who joined this ring. */
    return !psy_seat_lives(&ring->seat, number) || psy_seat_epoch(ring->seat.slab, number) != epoch;
}

static bool is_gone(psy_ring *ring, census *c, uint32_t seat)
{
    if (seat == 0) {
        return true; /* handed over */
    }
    if (seat == ring->seat.number) {
        return false;
    }
    if (c->of[seat] == UNKNOWN) {
        c->of[seat] = psy__ring_gone(ring, seat_joined(ring, seat)) ? GONE : LIVES;
        c->news = c->news || c->of[seat] == GONE;
    }
    return c->of[seat] == GONE;
}

/* Whether somebody joined the other side, and none of them lives. */
static bool peers_are_dead(psy_ring *ring)
{
    bool producer = ring->side == PSY_RING_PRODUCER;
    psy_ring_header *h = ring->header;
    if (producer ? !psy_ring_many_consumers(ring) : !psy_ring_many_producers(ring)) {
        uint64_t seat = atomic_load_explicit(producer ? &h->consumer_seat : &h->producer_seat, memory_order_acquire);
        return seat != 0 && psy__ring_gone(ring, seat);
    }
    PSY_ATOMIC(uint64_t) *seats = producer ? h->consumer_seats : h->producer_seats;
    bool joined = false;
    for (uint32_t seat = 1; seat < 256; seat++) {
        if (atomic_load_explicit(&seats[seat / 64], memory_order_acquire) >> seat % 64 & 1) {
            joined = true;
            if (!psy__ring_gone(ring, seat_joined(ring, seat))) {
                return false;
            }
        }
    }
    return joined;
}

/* What to do about one run. */
static void look_at(psy_ring *ring, census *c, uint64_t at, uint64_t state, uint32_t n, psy_ring_report *report)
{
    uint32_t seat = state_seat(state), phase = state_phase(state);
    bool consumer = ring->side == PSY_RING_CONSUMER && psy_ring_many_consumers(ring);
    if (phase != STATE_CLAIMED && phase != STATE_TAKEN) {
        return;
    }
    bool gone = is_gone(ring, c, seat);
    if (c->news) {
        return;
    }
    if (phase == STATE_CLAIMED && gone) {
        cursor_move(&ring->header->published, at, n); /* before consumers may pass it */
        report->padded += state_swap(ring, at, state, state_of(ring, at, STATE_PADDING, seat, n));
    } else if (phase == STATE_TAKEN && gone && !consumer) {
        report->orphaned++;
    } else if (phase == STATE_TAKEN && gone) {
        cursor_move(&ring->header->taken, at, n);
        if (state_swap(ring, at, state, state_of(ring, at, STATE_TAKEN, ring->seat.number, n))) {
            report->adopted++;
            ring->adopts = true;
        }
    } else if (seat != ring->seat.number) {
        report->holder = report->held++ ? report->holder : seat;
    }
}

/* Looks at all runs, from the oldest. Words of the dead change no more, but those read before a death was known may: begin anew
 * then. */
static void look_through(psy_ring *ring, psy_ring_report *report)
{
    census c = {{UNKNOWN}, false};
    do {
        uint64_t at = atomic_load_explicit(&ring->header->released, memory_order_acquire);
        c.news = false;
        report->held = report->orphaned = report->holder = 0;
        for (uint32_t i = 0; i < ring->slots && !c.news; i++) {
            uint64_t state = state_load(ring, at);
            uint32_t n = state_count(state);
            if (!state_tells(ring, state, at) || n == 0 || n > ring->slots) {
                break;
            }
            look_at(ring, &c, at, state, n, report);
            at += n;
        }
    } while (c.news); /* once for each of 255 at most */
    if (psy_ring_many_consumers(ring)) {
        psy__ring_walk(ring); /* for one who gave back a run, and came no further */
    }
}

psy_status psy_ring_recover(psy_ring *ring, psy_ring_report *report)
{
    psy_ring_report unasked;
    report = report ? report : &unasked;
    *report = (psy_ring_report){0};
    if (ring->broken) {
        return psy_fail(PSY_CORRUPT, "the ring is broken");
    }
    if (ring->seat.fd < 0) {
        if (ring->states) {
            look_through(ring, report); /* what others handed over needs no leave of the system */
        }
        return psy_fail(PSY_UNSUPPORTED, "this side of the ring has no seat that could tell who lives");
    }
    /* One at a time for all rings of the slab; the system frees the lock of one who dies over it. */
    if (ring->states) {
        if (!psy_seat_seize(&ring->seat, 0)) {
            return PSY_OK; /* another is at it: until he is through, there may be something left of the dead */
        }
        look_through(ring, report);
        psy_seat_unseize(&ring->seat, 0);
        if (ring->counters) {
            psy_counter_add(&ring->counters->recovered, report->padded + report->adopted);
        }
        if (report->padded) {
            psy_ring_wake_consumer(ring);
        }
    }
    if (peers_are_dead(ring)) {
        return psy_fail(PSY_PEER_DIED, "whoever joined the ring as %s is dead",
                        ring->side == PSY_RING_PRODUCER ? "consumer" : "producer");
    }
    return PSY_OK;
}

void psy__ring_inherit(psy_ring *ring, bool first)
{
    bool producer = ring->side == PSY_RING_PRODUCER, padded = false;
    uint64_t at = atomic_load_explicit(&ring->header->released, memory_order_acquire);
    for (uint32_t i = 0; i < ring->slots; i++) {
        uint64_t state = state_load(ring, at);
        uint32_t n = state_count(state), phase = state_phase(state);
        if (!state_tells(ring, state, at) || n == 0 || n > ring->slots) {
            break;
        }
        bool mine = state_seat(state) == ring->seat.number;
        if (mine && phase == STATE_CLAIMED && psy_ring_many_producers(ring) && (producer || first)) {
            cursor_move(&ring->header->published, at, n);
            padded = state_swap(ring, at, state, state_of(ring, at, STATE_PADDING, ring->seat.number, n)) || padded;
        } else if (mine && phase == STATE_TAKEN && psy_ring_many_consumers(ring)) {
            cursor_move(&ring->header->taken, at, n);
            if (!producer) {
                ring->adopts = true;
            } else if (first) { /* for any consumer */
                (void)state_swap(ring, at, state, state_of(ring, at, STATE_TAKEN, 0, n));
            }
        }
        at += n;
    }
    if (padded) {
        psy_ring_wake_consumer(ring);
    }
}

bool psy__ring_adopt(psy_ring *ring)
{
    uint64_t at = atomic_load_explicit(&ring->header->released, memory_order_acquire);
    for (uint32_t i = 0; i < ring->slots; i++) {
        uint64_t state = state_load(ring, at);
        uint32_t n = state_count(state);
        if (!state_tells(ring, state, at) || n == 0 || n > ring->slots) {
            break;
        }
        if (state_phase(state) == STATE_TAKEN && state_seat(state) == ring->seat.number) {
            ring->position = ring->shown = at;
            ring->other = at + n;
            return true;
        }
        at += n;
    }
    ring->adopts = false;
    return false;
}

/* The rest of the run that this handle works on. It is given to nobody before what precedes it is released: until then, whoever
 * looks through the ring after a death finds the whole run under this seat, or both parts. */
static void hand_over_current(psy_ring *ring)
{
    uint64_t done = ring->position - ring->shown, rest = ring->other - ring->position;
    if (rest == 0) {
        return;
    }
    if (done) {
        atomic_store_explicit(state_at(ring, ring->position),
                              state_of(ring, ring->position, STATE_TAKEN, ring->seat.number, rest), memory_order_release);
        atomic_store_explicit(state_at(ring, ring->shown), state_of(ring, ring->shown, STATE_RELEASED, ring->seat.number, done),
                              memory_order_release);
        psy_ring_fence();
        psy__ring_walk(ring);
    }
    atomic_store_explicit(state_at(ring, ring->position), state_of(ring, ring->position, STATE_TAKEN, 0, rest),
                          memory_order_release);
    ring->position = ring->shown = ring->other;
}

void psy__ring_hand_over(psy_ring *ring)
{
    hand_over_current(ring);
    /* And those that were adopted and not looked at yet. */
    for (uint32_t i = 0; i < ring->slots && ring->adopts && psy__ring_adopt(ring); i++) {
        hand_over_current(ring);
    }
    psy_ring_wake_consumer(ring);
}
