/* SPDX-License-Identifier: Apache-2.0 */
/* What the two sides of the message benchmark share: requests of 16 floats, answered by their doubles; where sockets lie; which
 * process runs where. */
#ifndef PSY_TESTS_PERF_RPC_H
#define PSY_TESTS_PERF_RPC_H

#include <stddef.h>
#include <stdint.h>

#include "tests/perf/bench.h"

enum { RPC_WIDTH = 16, RPC_IN_FLIGHT = 256, RPC_GROUP = 1024 };

/* The processor of each process, the same for both systems. */
enum { RPC_CLIENT, RPC_BROKER, RPC_WORKER, RPC_PROCESSES };
int rpc_processor(int which);

/* Request number `number`: small whole numbers, which floats hold exactly. */
void rpc_fill(float *values, uint64_t number);
/* 0 if `values` answer it. */
uint64_t rpc_differs(const float *values, uint64_t number);

/* Path of a socket in the benchmark's own folder. Freed by the caller. */
char *rpc_path(const char *name);

#ifdef HAVE_ZMQ
/* A ROUTER/DEALER proxy, a worker behind it, and the calling process's own socket. The context of the runs. */
void *rpc_zmq_open(void);
void rpc_zmq_close(void *context);
bench_run rpc_zmq_throughput, rpc_zmq_trip;
#endif

#endif
