/* SPDX-License-Identifier: Apache-2.0 */
/* The peers of the ring benchmarks: rte_ring of DPDK and ck_ring of Concurrency Kit, where configure found them. */
#ifndef PSY_TESTS_PERF_RING_PEERS_H
#define PSY_TESTS_PERF_RING_PEERS_H

#include "tests/perf/bench.h"

/* rte_ring, single producer and single consumer: elements copied in and out, or (zc) written and read in place. */
bench_run dpdk_8_one, dpdk_8_one_zc, dpdk_8_32, dpdk_8_32_zc;
bench_run dpdk_64_32, dpdk_64_32_zc, dpdk_64_512_zc_large;
bench_run dpdk_4096_32_zc, dpdk_4096_32_zc_large;
bench_run dpdk_64_trip;

/* ck_ring, single producer and single consumer; it has no batches. */
bench_run ck_8_one, ck_64_one, ck_64_trip;

#ifdef HAVE_DPDK
#define DPDK(name_, run_)                                                                                                      \
    {                                                                                                                          \
        .name = name_, .run = run_                                                                                             \
    }
#else
#define DPDK(name_, run_)                                                                                                      \
    {                                                                                                                          \
        .name = name_, .missing = "libdpdk-dev"                                                                                \
    }
#endif
#ifdef HAVE_CK
#define CK(name_, run_)                                                                                                        \
    {                                                                                                                          \
        .name = name_, .run = run_                                                                                             \
    }
#else
#define CK(name_, run_)                                                                                                        \
    {                                                                                                                          \
        .name = name_, .missing = "libck-dev"                                                                                  \
    }
#endif

#endif
