/* SPDX-License-Identifier: Apache-2.0 */
/* The peers of bench_crowd, where configure found them. Their runs' context is a crowd_size. */
#ifndef PSY_TESTS_PERF_CROWD_PEERS_H
#define PSY_TESTS_PERF_CROWD_PEERS_H

#include "tests/perf/bench.h"

typedef struct crowd_size {
    uint32_t producers, consumers;
} crowd_size;

enum { CROWD_STRIDE = 64, CROWD_BATCH = 32 };

/* rte_ring, messages copied in and, by several consumers, out; a single consumer reads in place. hts_zc: in place at both ends.
 */
bench_run crowd_dpdk_mt, crowd_dpdk_rts, crowd_dpdk_hts, crowd_dpdk_hts_zc;
/* ck_ring, messages copied in and out, one a call: it has no batches. */
bench_run crowd_ck;

#endif
