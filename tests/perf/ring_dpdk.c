/* SPDX-License-Identifier: Apache-2.0 */
/* rte_ring as a peer: single producer, single consumer, in memory of our own.
 *
 * Its data path is inline functions; only setting a ring up is in its library. That is the few stores of open_ring, so that the
 * headers are enough. */
#include "tests/perf/ring_race.h"

#include <rte_config.h>

#include <rte_ring_elem.h>

#include <stdlib.h>

#include "tests/perf/ring_peers.h"

static struct rte_ring *open_ring(uint32_t stride, uint32_t slots)
{
    struct rte_ring *r = bench_memory(sizeof *r + (size_t)stride * slots);
    r->flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
    r->size = slots;
    r->mask = slots - 1;
    r->capacity = slots - 1;
    r->prod.sync_type = RTE_RING_SYNC_ST;
    r->cons.sync_type = RTE_RING_SYNC_ST;
    return r;
}

/* ---- copied in and out ---- */

RING_INLINE void produce(struct rte_ring *r, uint64_t amount, uint32_t stride, uint32_t batch)
{
    _Alignas(64) uint8_t messages[stride * batch];
    for (uint64_t i = 0; i < amount;) {
        uint32_t n = amount - i < batch ? (uint32_t)(amount - i) : batch;
        for (uint32_t k = 0; k < n; k++) {
            message_write(messages + k * stride, i + k, stride);
        }
        for (uint32_t sent = 0; sent < n;) {
            uint32_t got = batch == 1 ? rte_ring_sp_enqueue_elem(r, messages, stride) == 0
                                      : rte_ring_sp_enqueue_burst_elem(r, messages + sent * stride, stride, n - sent, NULL);
            sent += got;
            if (!got) {
                psy__relax();
            }
        }
        i += n;
    }
}

RING_INLINE uint64_t consume(struct rte_ring *r, uint64_t i, uint64_t to, uint32_t stride, uint32_t batch)
{
    _Alignas(64) uint8_t messages[stride * batch];
    uint64_t wrong = 0;
    while (i < to) {
        uint32_t n = to - i < batch ? (uint32_t)(to - i) : batch;
        uint32_t got = batch == 1 ? rte_ring_sc_dequeue_elem(r, messages, stride) == 0
                                  : rte_ring_sc_dequeue_burst_elem(r, messages, stride, n, NULL);
        for (uint32_t k = 0; k < got; k++, i++) {
            wrong |= message_differs(messages + k * stride, i, stride);
        }
        if (!got) {
            psy__relax();
        }
    }
    return wrong;
}

/* ---- in place ---- */

RING_INLINE void produce_zc(struct rte_ring *r, uint64_t amount, uint32_t stride, uint32_t batch)
{
    for (uint64_t i = 0; i < amount;) {
        struct rte_ring_zc_data at;
        uint32_t n = amount - i < batch ? (uint32_t)(amount - i) : batch;
        uint32_t got = rte_ring_enqueue_zc_burst_elem_start(r, stride, n, &at, NULL);
        if (!got) {
            psy__relax();
            continue;
        }
        for (uint32_t k = 0; k < at.n1; k++, i++) {
            message_write((uint8_t *)at.ptr1 + k * stride, i, stride);
        }
        for (uint32_t k = 0; k < got - at.n1; k++, i++) {
            message_write((uint8_t *)at.ptr2 + k * stride, i, stride);
        }
        rte_ring_enqueue_zc_elem_finish(r, got);
    }
}

RING_INLINE uint64_t consume_zc(struct rte_ring *r, uint64_t i, uint64_t to, uint32_t stride, uint32_t batch)
{
    uint64_t wrong = 0;
    while (i < to) {
        struct rte_ring_zc_data at;
        uint32_t n = to - i < batch ? (uint32_t)(to - i) : batch;
        uint32_t got = rte_ring_dequeue_zc_burst_elem_start(r, stride, n, &at, NULL);
        if (!got) {
            psy__relax();
            continue;
        }
        for (uint32_t k = 0; k < at.n1; k++, i++) {
            wrong |= message_differs((const uint8_t *)at.ptr1 + k * stride, i, stride);
        }
        for (uint32_t k = 0; k < got - at.n1; k++, i++) {
            wrong |= message_differs((const uint8_t *)at.ptr2 + k * stride, i, stride);
        }
        rte_ring_dequeue_zc_elem_finish(r, got);
    }
    return wrong;
}

#define FLOW(name, how, stride, slots, batch, group)                                                                           \
    static void name##_produce(void *r, uint64_t amount) { produce##how(r, amount, stride, batch); }                           \
    static uint64_t name##_consume(void *r, uint64_t from, uint64_t to) { return consume##how(r, from, to, stride, batch); }   \
    double name(void *unused, uint64_t amount)                                                                                 \
    {                                                                                                                          \
        (void)unused;                                                                                                          \
        struct rte_ring *r = open_ring(stride, slots);                                                                         \
        double seconds = race(name##_produce, name##_consume, r, amount, group);                                               \
        free(r);                                                                                                               \
        return seconds;                                                                                                        \
    }

FLOW(dpdk_8_one, , 8, SMALL_SLOTS, 1, GROUP)
FLOW(dpdk_8_one_zc, _zc, 8, SMALL_SLOTS, 1, GROUP)
FLOW(dpdk_8_32, , 8, SMALL_SLOTS, 32, GROUP)
FLOW(dpdk_8_32_zc, _zc, 8, SMALL_SLOTS, 32, GROUP)
FLOW(dpdk_64_32, , 64, SMALL_SLOTS, 32, GROUP)
FLOW(dpdk_64_32_zc, _zc, 64, SMALL_SLOTS, 32, GROUP)
FLOW(dpdk_64_512_zc_large, _zc, 64, LARGE_SLOTS, 512, GROUP_LARGE)
FLOW(dpdk_4096_32_zc, _zc, 4096, SMALL_SLOTS_4KIB, 32, GROUP_4KIB)
FLOW(dpdk_4096_32_zc_large, _zc, 4096, LARGE_SLOTS_4KIB, 32, GROUP_4KIB)

/* ---- round trips: sent and received as above, one at a time ---- */

static void send(void *r, uint64_t number)
{
    _Alignas(16) uint64_t message[8];
    message_write(message, number, sizeof message);
    while (rte_ring_sp_enqueue_elem(r, message, sizeof message) != 0) {
        psy__relax();
    }
}

static uint64_t receive(void *r, uint64_t number)
{
    _Alignas(16) uint64_t message[8];
    while (rte_ring_sc_dequeue_elem(r, message, sizeof message) != 0) {
        psy__relax();
    }
    return message_differs(message, number, sizeof message);
}

static void answer(void *t, uint64_t amount) { trip_answer(t, amount, send, receive); }
static uint64_t call(void *t, uint64_t from, uint64_t to) { return trip_call(t, from, to, send, receive); }

double dpdk_64_trip(void *unused, uint64_t amount)
{
    (void)unused;
    struct rte_ring *there = open_ring(64, SMALL_SLOTS), *back = open_ring(64, SMALL_SLOTS);
    double seconds = race(answer, call, &(round_trip){there, there, back, back}, amount, GROUP_TRIPS);
    free(there);
    free(back);
    return seconds;
}
