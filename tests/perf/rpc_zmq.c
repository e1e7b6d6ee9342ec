/* SPDX-License-Identifier: Apache-2.0 */
/* The peer of the message benchmark: ZeroMQ with the same three processes. Client (DEALER), proxy (ROUTER and DEALER), worker
 * (DEALER, which gets and gives back the frame that says whose request it is). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "tests/perf/cores.h"
#include "tests/perf/process.h"
#include "tests/perf/ring_race.h"
#include "tests/perf/rpc.h"

typedef struct zmq_client {
    void *library, *socket;
    process proxy, worker;
    uint64_t amount, sent;
} zmq_client;

static void *checked(void *p)
{
    if (!p) {
        bench_fail("ZeroMQ: %s", zmq_strerror(errno));
    }
    return p;
}

static void done(int status)
{
    if (status < 0) {
        bench_fail("ZeroMQ: %s", zmq_strerror(errno));
    }
}

static _Noreturn void run_proxy(const char *front, const char *back)
{
    void *library = checked(zmq_ctx_new());
    void *router = checked(zmq_socket(library, ZMQ_ROUTER)), *dealer = checked(zmq_socket(library, ZMQ_DEALER));
    done(zmq_bind(router, front));
    done(zmq_bind(dealer, back));
    zmq_proxy(router, dealer, NULL);
    bench_fail("ZeroMQ: the proxy ended");
}

static _Noreturn void run_worker(const char *back)
{
    void *library = checked(zmq_ctx_new()), *socket = checked(zmq_socket(library, ZMQ_DEALER));
    done(zmq_connect(socket, back));
    for (;;) {
        uint8_t client[64];
        float values[RPC_WIDTH];
        int n = zmq_recv(socket, client, sizeof client, 0);
        done(n);
        if (n > (int)sizeof client || zmq_recv(socket, values, sizeof values, 0) != (int)sizeof values) {
            bench_fail("ZeroMQ: a request is not what was sent");
        }
        for (int i = 0; i < RPC_WIDTH; i++) {
            values[i] *= 2;
        }
        done(zmq_send(socket, client, (size_t)n, ZMQ_SNDMORE));
        done(zmq_send(socket, values, sizeof values, 0));
    }
}

void *rpc_zmq_open(void)
{
    zmq_client *c = bench_memory(sizeof *c);
    char *front = rpc_address("front"), *back = rpc_address("back");
    if ((c->proxy = process_start()) == 0) {
        cores_pin(rpc_processor(RPC_BROKER));
        run_proxy(front, back);
    }
    if ((c->worker = process_start()) == 0) {
        cores_pin(rpc_processor(RPC_WORKER));
        run_worker(back);
    }
    c->library = checked(zmq_ctx_new());
    c->socket = checked(zmq_socket(c->library, ZMQ_DEALER));
    done(zmq_connect(c->socket, front));
    rpc_zmq_trip(c, 1); /* everybody has found everybody */
    free(front);
    free(back);
    return c;
}

void rpc_zmq_close(void *context)
{
    zmq_client *c = context;
    zmq_close(c->socket);
    zmq_ctx_term(c->library);
    process_stop(c->worker);
    process_stop(c->proxy);
    free(c);
}

/* Answers come in the order of the requests: there is one worker. */
static uint64_t receive(zmq_client *c, uint64_t number)
{
    float values[RPC_WIDTH];
    int n = zmq_recv(c->socket, values, sizeof values, 0);
    done(n);
    return n == (int)sizeof values ? rpc_differs(values, number) : 1;
}

static void send(zmq_client *c)
{
    float values[RPC_WIDTH];
    rpc_fill(values, c->sent++);
    done(zmq_send(c->socket, values, sizeof values, 0));
}

static uint64_t take(void *context, uint64_t from, uint64_t to)
{
    zmq_client *c = context;
    uint64_t wrong = 0;
    for (uint64_t i = from; i < to; i++) {
        while (c->sent < c->amount && c->sent < i + RPC_IN_FLIGHT) {
            send(c);
        }
        wrong |= receive(c, i);
    }
    return wrong;
}

static uint64_t trip(void *context, uint64_t from, uint64_t to)
{
    (void)to;
    send(context);
    return receive(context, from);
}

double rpc_zmq_throughput(void *context, uint64_t amount)
{
    zmq_client *c = context;
    c->amount = amount;
    c->sent = 0;
    return race_time(take, c, amount, RPC_GROUP);
}

double rpc_zmq_trip(void *context, uint64_t amount)
{
    ((zmq_client *)context)->sent = 0;
    return race_time(trip, context, amount, 1);
}
