/* SPDX-License-Identifier: Apache-2.0 */
/* A ring whose peers lie: every word that is shared, its slots and its slab's table of seats included, is written over with
 * values that are impossible, almost possible or stale, between (and, by another process, during) calls to handles of both
 * sides. The ring lies right before pages that may not be touched. What must hold is checked here; the test of hostile peers
 * and a fuzz target drive it. */
#ifndef PSY_TESTS_MEM_HOSTILE_H
#define PSY_TESTS_MEM_HOSTILE_H

#include <stddef.h>
#include <stdint.h>

#include <psyne/ring.h>
#include <psyne/seat.h>
#include <psyne/slab.h>

enum { HOSTILE_HANDLES = 4, HOSTILE_STALE = 8 };

/* The bytes that say what is done: from a fuzzer, or random. */
typedef struct script {
    const uint8_t *bytes; /* NULL: random ones, without end */
    size_t n, at;
    uint64_t state;
} script;

typedef struct hostile_hand {
    psy_ring ring;
    psy_ring_side side;
    psy_seat seat;
    uint32_t got; /* claimed, or peeked; bytes of a frame */
    bool joined, frames;
} hostile_hand;

typedef struct hostile {
    psy_ring_shape shape;
    uint64_t bytes;  /* of the ring */
    uint8_t *region; /* guard pages, filling, the ring, guard pages */
    uint64_t region_bytes;
    uint8_t *memory;                     /* the ring */
    psy_slab *slab;                      /* of the seats */
    hostile_hand hands[HOSTILE_HANDLES]; /* producers, then consumers */
    struct {
        uint32_t word;
        uint64_t value;
    } stale[HOSTILE_STALE];
    uint32_t joins;                    /* every third handle is used for frames */
    uint64_t calls, found, longest_ns; /* calls, those that gave slots, and the longest one's time on the processor */
    uint32_t longest;                  /* which that was */
    uint64_t sum;                      /* of what was read */
} hostile;

/* A ring of that shape that two join on each side, or one where there is one. */
void hostile_open(hostile *h, const psy_ring_shape *shape);
void hostile_close(hostile *h);
/* One call of some handle, with what is checked about it: what does not hold aborts. */
void hostile_call(hostile *h, script *s);
/* One word gets another value. */
void hostile_scribble(hostile *h, script *s);
/* A ring, calls and scribbles, as the script says. */
void hostile_play(script *s, hostile *h);

#endif
