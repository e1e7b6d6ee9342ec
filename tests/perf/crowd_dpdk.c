/* SPDX-License-Identifier: Apache-2.0 */
/* rte_ring as a peer of a crowd: several producers in each of its modes, with consumers of the same mode, or a single one. As
 * in ring_dpdk.c only its headers are used. In all modes a thread that was stopped inside of a call keeps others spinning
 * inside of theirs (MT, HTS) or the other side from seeing more (RTS): how it waits there is its own affair. */
#include "tests/perf/crowd.h"

#include <rte_config.h>

#include <rte_ring_elem.h>

#include <stdlib.h>

#include "tests/perf/crowd_peers.h"

typedef unsigned enqueue_burst(struct rte_ring *r, const void *messages, unsigned stride, unsigned n, unsigned *room);
typedef unsigned dequeue_burst(struct rte_ring *r, void *messages, unsigned stride, unsigned n, unsigned *left);

static struct rte_ring *open_ring(enum rte_ring_sync_type producers, enum rte_ring_sync_type consumers)
{
    struct rte_ring *r = bench_memory(sizeof *r + CROWD_STRIDE * SMALL_SLOTS);
    r->size = SMALL_SLOTS;
    r->mask = SMALL_SLOTS - 1;
    r->capacity = SMALL_SLOTS - 1;
    r->prod.sync_type = producers;
    r->cons.sync_type = consumers;
    /* As rte_ring_init has them. */
    if (producers == RTE_RING_SYNC_MT_RTS) {
        r->rts_prod.htd_max = r->capacity / 8;
    }
    if (consumers == RTE_RING_SYNC_MT_RTS) {
        r->rts_cons.htd_max = r->capacity / 8;
    }
    return r;
}

RING_INLINE uint64_t produce(struct rte_ring *r, uint32_t producer, uint64_t amount, enqueue_burst *enqueue)
{
    _Alignas(64) uint8_t messages[CROWD_STRIDE * CROWD_BATCH];
    uint64_t i = 0;
    for (uint32_t looks = 0; i < amount && !crowd_stopped();) {
        uint32_t n = amount - i < CROWD_BATCH ? (uint32_t)(amount - i) : CROWD_BATCH;
        for (uint32_t k = 0; k < n; k++) {
            message_write(messages + k * CROWD_STRIDE, crowd_number(producer, i + k), CROWD_STRIDE);
        }
        for (uint32_t sent = 0; sent < n;) {
            uint32_t got = enqueue(r, messages + sent * CROWD_STRIDE, CROWD_STRIDE, n - sent, NULL);
            sent += got;
            if (got) {
                looks = 0;
            } else {
                crowd_pause(&looks);
            }
        }
        i += n;
    }
    return i;
}

RING_INLINE uint64_t produce_zc(struct rte_ring *r, uint32_t producer, uint64_t amount)
{
    uint64_t i = 0;
    for (uint32_t looks = 0; i < amount && !crowd_stopped();) {
        struct rte_ring_zc_data at;
        uint32_t n = amount - i < CROWD_BATCH ? (uint32_t)(amount - i) : CROWD_BATCH;
        uint32_t got = rte_ring_enqueue_zc_burst_elem_start(r, CROWD_STRIDE, n, &at, NULL);
        if (!got) {
            crowd_pause(&looks);
            continue;
        }
        for (uint32_t k = 0; k < at.n1; k++, i++) {
            message_write((uint8_t *)at.ptr1 + k * CROWD_STRIDE, crowd_number(producer, i), CROWD_STRIDE);
        }
        for (uint32_t k = 0; k < got - at.n1; k++, i++) {
            message_write((uint8_t *)at.ptr2 + k * CROWD_STRIDE, crowd_number(producer, i), CROWD_STRIDE);
        }
        rte_ring_enqueue_zc_elem_finish(r, got);
        looks = 0;
    }
    return i;
}

RING_INLINE void receive(crowd_tally *tally, const void *messages, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        crowd_receive(tally, (const uint8_t *)messages + k * CROWD_STRIDE, CROWD_STRIDE);
    }
    crowd_received(tally, n);
}

RING_INLINE void consume(struct rte_ring *r, crowd_tally *tally, dequeue_burst *dequeue)
{
    _Alignas(64) uint8_t messages[CROWD_STRIDE * CROWD_BATCH];
    for (;;) {
        uint32_t got = dequeue(r, messages, CROWD_STRIDE, CROWD_BATCH, NULL);
        if (got) {
            receive(tally, messages, got);
        } else if (crowd_over(tally)) {
            return;
        }
    }
}

/* Single consumers and those of HTS. */
static void consume_zc(void *r, uint32_t consumer, crowd_tally *tally)
{
    (void)consumer;
    for (;;) {
        struct rte_ring_zc_data at;
        uint32_t got = rte_ring_dequeue_zc_burst_elem_start(r, CROWD_STRIDE, CROWD_BATCH, &at, NULL);
        if (got) {
            receive(tally, at.ptr1, at.n1);
            receive(tally, at.ptr2, got - at.n1);
            rte_ring_dequeue_zc_elem_finish(r, got);
        } else if (crowd_over(tally)) {
            return;
        }
    }
}

static double run(const crowd_size *size, uint64_t amount, enum rte_ring_sync_type mode, crowd_produce *produce_,
                  crowd_consume *consume_several)
{
    bool single = size->consumers == 1;
    struct rte_ring *r = open_ring(mode, single ? RTE_RING_SYNC_ST : mode);
    double seconds = crowd_race(produce_, single ? consume_zc : consume_several, r, size->producers, size->consumers, amount);
    free(r);
    return seconds;
}

#define MODE(name, sync, enqueue, dequeue)                                                                                     \
    static uint64_t name##_produce(void *r, uint32_t producer, uint64_t amount)                                                \
    {                                                                                                                          \
        return produce(r, producer, amount, enqueue);                                                                          \
    }                                                                                                                          \
    static void name##_consume(void *r, uint32_t consumer, crowd_tally *tally)                                                 \
    {                                                                                                                          \
        (void)consumer;                                                                                                        \
        consume(r, tally, dequeue);                                                                                            \
    }                                                                                                                          \
    double crowd_dpdk_##name(void *size, uint64_t amount) { return run(size, amount, sync, name##_produce, name##_consume); }

MODE(mt, RTE_RING_SYNC_MT, rte_ring_mp_enqueue_burst_elem, rte_ring_mc_dequeue_burst_elem)
MODE(rts, RTE_RING_SYNC_MT_RTS, rte_ring_mp_rts_enqueue_burst_elem, rte_ring_mc_rts_dequeue_burst_elem)
MODE(hts, RTE_RING_SYNC_MT_HTS, rte_ring_mp_hts_enqueue_burst_elem, rte_ring_mc_hts_dequeue_burst_elem)

static uint64_t hts_zc_produce(void *r, uint32_t producer, uint64_t amount) { return produce_zc(r, producer, amount); }

double crowd_dpdk_hts_zc(void *size, uint64_t amount)
{
    return run(size, amount, RTE_RING_SYNC_MT_HTS, hts_zc_produce, consume_zc);
}
