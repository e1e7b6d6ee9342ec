/* SPDX-License-Identifier: Apache-2.0 */
/* ck_ring as a peer of a crowd: typed elements that are copied in and out, one a call, by several producers to one consumer or
 * several. A producer that was stopped inside of a call keeps the others spinning inside of theirs. */
#include "tests/perf/crowd.h"

#include <stdlib.h>

#include <ck_ring.h>

#include "tests/perf/crowd_peers.h"

struct line {
    _Alignas(16) uint64_t words[CROWD_STRIDE / 8];
};
CK_RING_PROTOTYPE(line, line)

typedef struct lane {
    ck_ring_t ring;
    _Alignas(128) struct line slots[SMALL_SLOTS];
} lane;

typedef bool dequeue_line(ck_ring_t *ring, struct line *slots, struct line *out);

static bool dequeue_single(ck_ring_t *ring, struct line *slots, struct line *out)
{
    return CK_RING_DEQUEUE_MPSC(line, ring, slots, out);
}
static bool dequeue_several(ck_ring_t *ring, struct line *slots, struct line *out)
{
    return CK_RING_DEQUEUE_MPMC(line, ring, slots, out);
}

static uint64_t produce(void *lane_, uint32_t producer, uint64_t amount)
{
    lane *l = lane_;
    struct line message;
    uint64_t i = 0;
    for (uint32_t looks = 0; i < amount && !crowd_stopped(); i++) {
        message_write(message.words, crowd_number(producer, i), sizeof message);
        while (!CK_RING_ENQUEUE_MPMC(line, &l->ring, l->slots, &message)) { /* as MPSC's */
            crowd_pause(&looks);
        }
        looks = 0;
    }
    return i;
}

RING_INLINE void consume(lane *l, crowd_tally *tally, dequeue_line *dequeue)
{
    struct line message;
    for (;;) {
        if (dequeue(&l->ring, l->slots, &message)) {
            crowd_receive(tally, message.words, sizeof message);
            crowd_received(tally, 1);
        } else if (crowd_over(tally)) {
            return;
        }
    }
}

static void consume_single(void *l, uint32_t consumer, crowd_tally *tally)
{
    (void)consumer;
    consume(l, tally, dequeue_single);
}
static void consume_several(void *l, uint32_t consumer, crowd_tally *tally)
{
    (void)consumer;
    consume(l, tally, dequeue_several);
}

double crowd_ck(void *size_, uint64_t amount)
{
    const crowd_size *size = size_;
    lane *l = bench_memory(sizeof *l);
    ck_ring_init(&l->ring, SMALL_SLOTS);
    double seconds = crowd_race(produce, size->consumers == 1 ? consume_single : consume_several, l, size->producers,
                                size->consumers, amount);
    free(l);
    return seconds;
}
