/* SPDX-License-Identifier: Apache-2.0 */
/* ck_ring as a peer: single producer, single consumer, typed elements that are copied in and out, one a call. */
#include "tests/perf/ring_race.h"

#include <stdlib.h>

#include <ck_ring.h>

#include "tests/perf/ring_peers.h"

struct word {
    uint64_t words[1];
};
struct line {
    _Alignas(16) uint64_t words[8];
};
CK_RING_PROTOTYPE(word, word)
CK_RING_PROTOTYPE(line, line)

typedef struct lane {
    ck_ring_t ring;
    _Alignas(128) uint8_t slots[SMALL_SLOTS * sizeof(struct line)];
} lane;

static lane *open_lane(void)
{
    lane *l = bench_memory(sizeof *l);
    ck_ring_init(&l->ring, SMALL_SLOTS);
    return l;
}

#define PASS(type)                                                                                                             \
    static void send_##type(void *lane_, uint64_t number)                                                                      \
    {                                                                                                                          \
        lane *l = lane_;                                                                                                       \
        struct type message;                                                                                                   \
        message_write(message.words, number, sizeof message);                                                                  \
        while (!ck_ring_enqueue_spsc_##type(&l->ring, (struct type *)(void *)l->slots, &message)) {                            \
            psy__relax();                                                                                                      \
        }                                                                                                                      \
    }                                                                                                                          \
    static uint64_t receive_##type(void *lane_, uint64_t number)                                                               \
    {                                                                                                                          \
        lane *l = lane_;                                                                                                       \
        struct type message;                                                                                                   \
        while (!ck_ring_dequeue_spsc_##type(&l->ring, (struct type *)(void *)l->slots, &message)) {                            \
            psy__relax();                                                                                                      \
        }                                                                                                                      \
        return message_differs(message.words, number, sizeof message);                                                         \
    }                                                                                                                          \
    static void produce_##type(void *l, uint64_t amount)                                                                       \
    {                                                                                                                          \
        for (uint64_t i = 0; i < amount; i++) {                                                                                \
            send_##type(l, i);                                                                                                 \
        }                                                                                                                      \
    }                                                                                                                          \
    static uint64_t consume_##type(void *l, uint64_t from, uint64_t to)                                                        \
    {                                                                                                                          \
        uint64_t wrong = 0;                                                                                                    \
        for (uint64_t i = from; i < to; i++) {                                                                                 \
            wrong |= receive_##type(l, i);                                                                                     \
        }                                                                                                                      \
        return wrong;                                                                                                          \
    }                                                                                                                          \
    static double flow_##type(uint64_t amount)                                                                                 \
    {                                                                                                                          \
        lane *l = open_lane();                                                                                                 \
        double seconds = race(produce_##type, consume_##type, l, amount, GROUP);                                               \
        free(l);                                                                                                               \
        return seconds;                                                                                                        \
    }

PASS(word)
PASS(line)

double ck_8_one(void *unused, uint64_t amount) { return (void)unused, flow_word(amount); }
double ck_64_one(void *unused, uint64_t amount) { return (void)unused, flow_line(amount); }

static void answer(void *t, uint64_t amount) { trip_answer(t, amount, send_line, receive_line); }
static uint64_t call(void *t, uint64_t from, uint64_t to) { return trip_call(t, from, to, send_line, receive_line); }

double ck_64_trip(void *unused, uint64_t amount)
{
    (void)unused;
    lane *there = open_lane(), *back = open_lane();
    double seconds = race(answer, call, &(round_trip){there, there, back, back}, amount, GROUP_TRIPS);
    free(there);
    free(back);
    return seconds;
}
