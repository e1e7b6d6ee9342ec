/* SPDX-License-Identifier: Apache-2.0 */
/* What the ring benchmarks share: messages that are written and checked in full, and two pinned threads that pass them on.
 *
 * A message is `stride` bytes, all words of it the message's number; the receiver compares every word. The functions are
 * inlined with constant strides and batches, so that each contestant is compiled for its figure. Include this first: it turns
 * the optimisation on that writing and comparing need, which CFLAGS would undo on the command line. */
#ifndef PSY_TESTS_PERF_RING_RACE_H
#define PSY_TESTS_PERF_RING_RACE_H

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

#include <stddef.h>
#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/clock.h"
#include "tests/perf/bench.h"

#define RING_INLINE static inline __attribute__((always_inline))

/* Small rings hold 256 KiB at most, which stays in a core's own cache; large ones 4 MiB, or 1 MiB of 4 KiB messages:
 * with more, less went through on the machines that were measured. */
enum { SMALL_SLOTS = 4096, SMALL_SLOTS_4KIB = 64, LARGE_SLOTS = 65536, LARGE_SLOTS_4KIB = 256 };
/* Messages of one timed group. */
enum { GROUP = 4 * SMALL_SLOTS, GROUP_LARGE = LARGE_SLOTS / 4, GROUP_4KIB = LARGE_SLOTS_4KIB / 4, GROUP_TRIPS = 16 };

/* Messages of more than a word are aligned to 16. */
typedef uint64_t word_pair __attribute__((vector_size(16), may_alias));

RING_INLINE void message_write(void *message, uint64_t number, size_t stride)
{
    if (stride == 8) {
        *(uint64_t *)message = number;
        return;
    }
    for (size_t i = 0; i < stride / 16; i++) {
        ((word_pair *)message)[i] = (word_pair){number, number};
    }
}

/* The same past the caches, where `stride` is a multiple of 16. */
RING_INLINE void message_stream(void *message, uint64_t number, size_t stride)
{
#if defined(__SSE2__)
    for (size_t i = 0; i < stride / 16; i++) {
        _mm_stream_si128((__m128i *)message + i, (__m128i)(word_pair){number, number});
    }
#else
    message_write(message, number, stride);
#endif
}

/* 0 if it is the message of that number. */
RING_INLINE uint64_t message_differs(const void *message, uint64_t number, size_t stride)
{
    if (stride == 8) {
        return *(const uint64_t *)message ^ number;
    }
    word_pair differs = {0, 0};
    for (size_t i = 0; i < stride / 16; i++) {
        differs |= ((const word_pair *)message)[i] ^ (word_pair) { number, number };
    }
    return differs[0] | differs[1];
}

/* Sends messages 0 to amount - 1. */
typedef void race_produce(void *context, uint64_t amount);
/* Receives messages `from` to `to` - 1; 0 if they were right. */
typedef uint64_t race_consume(void *context, uint64_t from, uint64_t to);

/* Runs `produce` pinned to processor 1 and `consume`, group by group, pinned to processor 0. Returns the median time of a group
 * times their number, in seconds: the machine has other work as well, and a group in which a thread was stopped for it says
 * nothing about the ring. Ends the program when messages were wrong. The amount is a multiple of the group. */
double race(race_produce *produce, race_consume *consume, void *context, uint64_t amount, uint64_t group);
/* The consumer's half of it, in the calling thread. */
double race_time(race_consume *consume, void *context, uint64_t amount, uint64_t group);

/* Round trips through two rings, one message at a time. Rings have two ends, which may be one object. Whoever waits relaxes the
 * processor between two looks: without that the line is taken from its writer between his two stores. */
typedef struct round_trip {
    void *there_in, *there_out, *back_in, *back_out;
} round_trip;

/* Sends message `number`; waits for a message and returns 0 if it is `number`. Both are inlined where they are constant. */
typedef void trip_send(void *ring, uint64_t number);
typedef uint64_t trip_receive(void *ring, uint64_t number);

/* What comes through the first ring goes back as it came. */
RING_INLINE void trip_answer(const round_trip *t, uint64_t amount, trip_send *send, trip_receive *receive)
{
    for (uint64_t i = 0; i < amount; i++) {
        send(t->back_in, i ^ receive(t->there_out, i));
    }
}

RING_INLINE uint64_t trip_call(const round_trip *t, uint64_t from, uint64_t to, trip_send *send, trip_receive *receive)
{
    uint64_t wrong = 0;
    for (uint64_t i = from; i < to; i++) {
        send(t->there_in, i);
        wrong |= receive(t->back_out, i);
    }
    return wrong;
}

#endif
