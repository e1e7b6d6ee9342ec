/* SPDX-License-Identifier: Apache-2.0 */
/* Rings with several producers: 64-byte messages, 32 a call in a ring of 4,096, each written in full and compared in full by
 * its receiver, which also follows every producer's sequence.
 *
 *   ring/mpsc/64B/pN   N producers, one consumer
 *   ring/mpmc/64B/pN   N producers, two consumers
 *
 * On two processors (tests/perf/crowd.h says who is where). The peers are rte_ring in each of its modes and ck_ring. */
#include "tests/perf/crowd_psyne.h"

#include <stdio.h>

#include "tests/perf/cores.h"
#include "tests/perf/crowd_peers.h"
#include "tests/perf/ring_peers.h"

CROWD_FLOW(crowd_64_32, CROWD_STRIDE, CROWD_BATCH)

static double run(void *size_, uint64_t amount)
{
    const crowd_size *size = size_;
    const psy_ring_shape shape = {size->consumers == 1 ? PSY_RING_MPSC : PSY_RING_MPMC, CROWD_STRIDE, SMALL_SLOTS};
    crowd_rings *rings = crowd_open(&shape, size->producers, size->consumers);
    double seconds = crowd_race(crowd_64_32_send, crowd_64_32_drain, rings, size->producers, size->consumers, amount);
    crowd_close(rings);
    return seconds;
}

static void measure(uint32_t producers, uint32_t consumers)
{
    char name[32];
    crowd_size size = {producers, consumers};
    snprintf(name, sizeof name, "ring/%s/64B/p%u", consumers == 1 ? "mpsc" : "mpmc", producers);
    bench_figure figure = {.name = name,
                           .unit = &bench_millions,
                           .step = 16 * SMALL_SLOTS,
                           .seconds = 0.03,
                           .subject = {"psyne", run},
                           .peers = {DPDK("rte_ring MT", crowd_dpdk_mt), DPDK("rte_ring RTS", crowd_dpdk_rts),
                                     DPDK("rte_ring HTS", crowd_dpdk_hts), DPDK("rte_ring HTS zero-copy", crowd_dpdk_hts_zc),
                                     CK("ck_ring, one a call", crowd_ck)},
                           .context = &size};
    bench_measure(&figure);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "rings, several producers on two processors");
    if (cores_count() < 2) {
        bench_skip("ring/mpsc", "two processors are needed");
        bench_skip("ring/mpmc", "two processors are needed");
        return bench_end();
    }
    for (uint32_t consumers = 1; consumers <= 2; consumers++) {
        for (uint32_t producers = 1; producers <= CROWD_MAX; producers *= 2) {
            measure(producers, consumers);
        }
    }
    return bench_end();
}
