/* SPDX-License-Identifier: Apache-2.0 */
/* What the message benchmarks share: requests of 16 floats, answered by their doubles; where sockets lie; which process runs
 * where; psyne's own service and client. */
#ifndef PSY_TESTS_PERF_RPC_H
#define PSY_TESTS_PERF_RPC_H

#include <stdbool.h>
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

/* A peer's side of the same: answers come in the order of the requests, since there is one worker. */
typedef struct rpc_window {
    void (*send)(void *context, uint64_t number);        /* request `number` */
    uint64_t (*receive)(void *context, uint64_t number); /* waits for its answer: 0 if it is right */
    uint32_t in_flight;
    void *context;
    uint64_t amount, sent;
} rpc_window;
double rpc_window_throughput(rpc_window *window, uint64_t amount);
double rpc_window_trip(rpc_window *window, uint64_t amount);

/* For an open loop. Sends number `number`: false where the window is full. */
bool rpc_send_one(void *client, uint64_t number);
/* Never waits: the numbers of up to `max` requests that were answered. Ends the program where an answer is wrong. */
uint32_t rpc_take(void *client, uint64_t *numbers, uint32_t max);

#ifdef HAVE_ZMQ
/* A ROUTER/DEALER proxy, a worker behind it, and the calling process's own socket. The context of the runs. `inproc`: threads
 * of this process, on the processors of the processes. */
void *rpc_zmq_open(bool inproc);
void rpc_zmq_close(void *context);
bench_run rpc_zmq_throughput, rpc_zmq_trip;
bool rpc_zmq_send_one(void *context, uint64_t number);
uint32_t rpc_zmq_take(void *context, uint64_t *numbers, uint32_t max);
#endif

#ifdef HAVE_NNG
/* The same with nng: a device between raw REP and REQ sockets, a REP worker, a raw REQ client. */
void *rpc_nng_open(void);
void rpc_nng_close(void *context);
bench_run rpc_nng_throughput, rpc_nng_trip;
#endif

#endif
