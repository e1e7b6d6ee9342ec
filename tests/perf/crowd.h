/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmarks with several producers share: threads that pass numbered messages on through one or more rings, with
 * every message checked.
 *
 * All words of a message are producer << 48 | sequence. A consumer compares each word, and the sequence, which only grows for
 * each producer; in the end the count, the sum and the sum of squares of all that were received must be those of all that were
 * sent, so that nothing was lost, doubled or made up.
 *
 * Threads are dealt out to the first two processors in turn: consumer k to k, producer k to k + 1. There are more threads than
 * processors, so whoever finds nothing to do looks a few times and then leaves the processor to others (crowd_pause), in
 * everyone's loops alike.
 *
 * A run takes the processor time of all its threads, over two: on a machine without other work that is the time on the clock,
 * and elsewhere others' work is not in it. (Groups, of which the median counts, as in ring_race.h, would hide that some threads
 * spin for others that were stopped, which is most of what some contestants do.) Include this first, as ring_race.h. */
#ifndef PSY_TESTS_PERF_CROWD_H
#define PSY_TESTS_PERF_CROWD_H

#include "tests/perf/ring_race.h"

#include <sched.h>
#include <stdatomic.h>

/* Looks before the processor is left to others, and before a consumer with nothing to do tells what it has. A consumer tells at
 * the latest after so many messages. */
enum { CROWD_MAX = 8, CROWD_LOOKS = 64, CROWD_LOOKS_TELL = 8, CROWD_TELL = 512, CROWD_SEQUENCE_BITS = 48 };
typedef struct crowd crowd;

/* One consumer's: what it has received. */
typedef struct crowd_tally {
    _Alignas(128) uint64_t next[CROWD_MAX]; /* by producer: the least sequence that may come */
    uint64_t count, sum, squares, wrong;
    uint64_t told;     /* of `count`, to the others */
    uint64_t quiet_ns; /* since when nothing came; 0: something did */
    uint32_t looks;    /* that found nothing */
    crowd *crowd;
} crowd_tally;

/* Sends the messages 0 to `amount` - 1 of a producer, or fewer when crowd_stop says so; returns how many. */
typedef uint64_t crowd_produce(void *queue, uint32_t producer, uint64_t amount);
/* Receives until crowd_over says that it is over. */
typedef void crowd_consume(void *queue, uint32_t consumer, crowd_tally *tally);

/* Sends `amount` messages, dealt out to the producers, through the queue; returns the seconds. The first consumer is the
 * calling thread. A run that goes on for half a second is stopped, and the seconds are what `amount` would have taken. Ends the
 * program when messages were lost, doubled or changed. The amount is a multiple of the producers. */
double crowd_race(crowd_produce *produce, crowd_consume *consume, void *queue, uint32_t producers, uint32_t consumers,
                  uint64_t amount);

/* Adds what a consumer has received since to what all have; true when the producers are done and that is all. Stops a run that
 * takes too long; ends the program when nothing moves any more. */
bool crowd_tell(crowd_tally *tally);

/* Whether producers should stop. */
extern _Atomic bool crowd_stop;

RING_INLINE bool crowd_stopped(void) { return atomic_load_explicit(&crowd_stop, memory_order_relaxed); }

/* The courtesy of everybody who finds a ring full or empty: some looks, then others of the crowd may have the processor. */
RING_INLINE void crowd_pause(uint32_t *looks)
{
    if (++*looks % CROWD_LOOKS == 0) {
        sched_yield();
    } else {
        psy__relax();
    }
}

/* For a consumer that found nothing: whether that will stay so. */
RING_INLINE bool crowd_over(crowd_tally *t)
{
    if (t->looks % CROWD_LOOKS == CROWD_LOOKS_TELL && crowd_tell(t)) {
        return true;
    }
    crowd_pause(&t->looks);
    return false;
}

RING_INLINE uint64_t crowd_number(uint32_t producer, uint64_t sequence)
{
    return (uint64_t)producer << CROWD_SEQUENCE_BITS | sequence;
}

/* One message. */
RING_INLINE void crowd_receive(crowd_tally *t, const void *message, size_t stride)
{
    uint64_t number = *(const uint64_t *)message, producer = number >> CROWD_SEQUENCE_BITS;
    uint64_t sequence = number & ((UINT64_C(1) << CROWD_SEQUENCE_BITS) - 1);
    uint64_t *next = &t->next[producer % CROWD_MAX];
    t->wrong |= message_differs(message, number, stride) | (producer >= CROWD_MAX) | (sequence < *next);
    *next = sequence + 1;
    t->sum += number;
    t->squares += number * number;
}

/* After `n` of them: they have come. */
RING_INLINE void crowd_received(crowd_tally *t, uint32_t n)
{
    t->count += n;
    t->looks = 0;
    if (t->count - t->told >= CROWD_TELL) {
        (void)crowd_tell(t);
    }
}

#endif
