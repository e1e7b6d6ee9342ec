/* SPDX-License-Identifier: Apache-2.0 */
/* What the message benchmarks share: requests of 16 floats, answered by their doubles; where sockets lie; which process runs
 * where; psyne's own service and client. */
#ifndef PSY_TESTS_PERF_RPC_H
#define PSY_TESTS_PERF_RPC_H

#include <stddef.h>
#include <stdint.h>

#include <psyne/channel.h>
#include <psyne/module.h>

#include "tests/perf/bench.h"
#include "tests/perf/process.h"

enum { RPC_WIDTH = 16, RPC_IN_FLIGHT = 256, RPC_GROUP = 1024 };

/* The processor of each process, the same for all systems. */
enum { RPC_CLIENT, RPC_BROKER, RPC_WORKER, RPC_PROCESSES };
int rpc_processor(int which);
/* A line that says so. */
void rpc_print_processors(void);

/* Request number `number`: small whole numbers, which floats hold exactly. */
void rpc_fill(float *values, uint64_t number);
/* 0 if `values` answer it. */
uint64_t rpc_differs(const float *values, uint64_t number);

/* The benchmark's own folder, for sockets: made, and taken away with the names in it once everybody is connected. */
void rpc_open_folder(void);
void rpc_close_folder(void);
/* Path of a socket in there. Freed by the caller. */
char *rpc_path(const char *name);
/* The same with "ipc://" before it. */
char *rpc_address(const char *name);

/* ---- psyne ---- */

/* Ends the program where it is not OK. */
void rpc_check(psy_status status);
psy_module *rpc_open_module(void);

/* Broker and worker in processes of their own. */
typedef struct rpc_service {
    process broker, worker;
} rpc_service;
rpc_service rpc_start_service(const char *uri);
void rpc_stop_service(rpc_service *service);

typedef struct rpc_client {
    psy_channel *channel;
    psy_pipeline twice;
    uint64_t amount, sent, received;
} rpc_client;
void rpc_connect(rpc_client *client, const char *uri, uint32_t in_flight);
/* Sends requests up to number amount - 1, as many as the window allows. */
void rpc_send(rpc_client *client);
/* Takes what has come. Returns 0 if it was right. */
uint64_t rpc_receive(rpc_client *client);

#ifdef HAVE_ZMQ
/* A ROUTER/DEALER proxy, a worker behind it, and the calling process's own socket. The context of the runs. */
void *rpc_zmq_open(void);
void rpc_zmq_close(void *context);
bench_run rpc_zmq_throughput, rpc_zmq_trip;
#endif

#endif
