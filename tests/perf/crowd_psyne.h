/* SPDX-License-Identifier: Apache-2.0 */
/* Psyne's rings for a crowd: one ring for all, or a ring for each producer that one consumer drains in turn. Messages are
 * written and read in place. Include this first. */
#ifndef PSY_TESTS_PERF_CROWD_PSYNE_H
#define PSY_TESTS_PERF_CROWD_PSYNE_H

#include "tests/perf/crowd.h"

#include <psyne/ring.h>

/* A handle on lines of its own: it is written at every message. */
typedef struct crowd_end {
    _Alignas(128) psy_ring ring;
} crowd_end;

typedef struct crowd_rings {
    crowd_end producers[CROWD_MAX], consumers[CROWD_MAX];
    uint32_t each; /* rings that a consumer drains */
    void *memory;
} crowd_rings;

/* One ring of that shape; SPSC: a ring for each producer, and `shape->slots` in all of them together. */
crowd_rings *crowd_open(const psy_ring_shape *shape, uint32_t producers, uint32_t consumers);
void crowd_close(crowd_rings *rings);

RING_INLINE uint64_t crowd_send(crowd_rings *rings, uint32_t producer, uint64_t amount, uint32_t stride, uint32_t batch)
{
    psy_ring *r = &rings->producers[producer].ring;
    uint64_t i = 0;
    for (uint32_t looks = 0; i < amount && !crowd_stopped();) {
        uint32_t got, n = amount - i < batch ? (uint32_t)(amount - i) : batch;
        uint8_t *slots = psy_ring_claim(r, n, &got);
        if (!slots) {
            crowd_pause(&looks);
            continue;
        }
        for (uint32_t k = 0; k < got; k++, i++) {
            message_write(slots + k * stride, crowd_number(producer, i), stride);
        }
        psy_ring_commit(r, got);
        looks = 0;
    }
    psy_ring_flush(r);
    return i;
}

/* Up to a batch from each of its rings, in turn. */
RING_INLINE void crowd_drain(crowd_rings *rings, uint32_t consumer, crowd_tally *tally, uint32_t stride, uint32_t batch)
{
    for (;;) {
        uint32_t came = 0;
        for (uint32_t i = 0; i < rings->each; i++) {
            psy_ring *r = &rings->consumers[consumer + i].ring;
            uint32_t got;
            const uint8_t *slots = psy_ring_peek(r, batch, &got);
            for (uint32_t k = 0; k < got; k++) {
                crowd_receive(tally, slots + k * stride, stride);
            }
            if (got) {
                psy_ring_release(r, got);
                came += got;
            }
        }
        if (came) {
            crowd_received(tally, came);
        } else if (crowd_over(tally)) {
            return;
        }
    }
}

#define CROWD_FLOW(name, stride, batch)                                                                                        \
    static uint64_t name##_send(void *rings, uint32_t producer, uint64_t amount)                                               \
    {                                                                                                                          \
        return crowd_send(rings, producer, amount, stride, batch);                                                             \
    }                                                                                                                          \
    static void name##_drain(void *rings, uint32_t consumer, crowd_tally *tally)                                               \
    {                                                                                                                          \
        crowd_drain(rings, consumer, tally, stride, batch);                                                                    \
    }

#endif
