/* SPDX-License-Identifier: Apache-2.0 */
/* A peer of the message benchmarks: ZeroMQ with the same three processes, or with threads in their place. Client (DEALER),
 * proxy (ROUTER and DEALER), worker (DEALER, which gets and gives back the frame that says whose request it is). */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "tests/perf/cores.h"
#include "tests/perf/process.h"
#include "tests/perf/rpc.h"

typedef struct zmq_client {
    void *library, *socket;
    process proxy, worker; /* between processes */
    pthread_t threads[2];  /* inproc: the same, on the client's library */
    bool inproc;
    rpc_window window;
    uint64_t received;
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

/* Until the library is shut down, or the process is stopped. */
static void serve_proxy(void *library, const char *front, const char *back)
{
    void *router = checked(zmq_socket(library, ZMQ_ROUTER)), *dealer = checked(zmq_socket(library, ZMQ_DEALER));
    done(zmq_bind(router, front));
    done(zmq_bind(dealer, back));
    zmq_proxy(router, dealer, NULL);
    zmq_close(router);
    zmq_close(dealer);
}

/* True: the library was shut down. */
static bool ended(int status)
{
    if (status < 0 && errno == ETERM) {
        return true;
    }
    done(status);
    return false;
}

static void serve(void *library, const char *back)
{
    void *socket = checked(zmq_socket(library, ZMQ_DEALER));
    done(zmq_connect(socket, back));
    for (;;) {
        uint8_t client[64];
        float values[RPC_WIDTH];
        int n = zmq_recv(socket, client, sizeof client, 0);
        if (ended(n)) {
            break;
        }
        int got = zmq_recv(socket, values, sizeof values, 0);
        if (ended(got)) {
            break;
        }
        if (n > (int)sizeof client || got != (int)sizeof values) {
            bench_fail("ZeroMQ: a request is not what was sent");
        }
        for (int i = 0; i < RPC_WIDTH; i++) {
            values[i] *= 2;
        }
        if (ended(zmq_send(socket, client, (size_t)n, ZMQ_SNDMORE)) || ended(zmq_send(socket, values, sizeof values, 0))) {
            break;
        }
    }
    zmq_close(socket);
}

static void *proxy_thread(void *library)
{
    cores_pin(rpc_processor(RPC_BROKER));
    serve_proxy(library, "inproc://front", "inproc://back");
    return NULL;
}

static void *worker_thread(void *library)
{
    cores_pin(rpc_processor(RPC_WORKER));
    serve(library, "inproc://back");
    return NULL;
}

static void start_threads(zmq_client *c)
{
    void *(*const bodies[])(void *) = {proxy_thread, worker_thread};
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&c->threads[i], NULL, bodies[i], c->library) != 0) {
            bench_fail("no thread");
        }
    }
}

static void start_processes(zmq_client *c, const char *front, const char *back)
{
    if ((c->proxy = process_start()) == 0) {
        cores_pin(rpc_processor(RPC_BROKER));
        serve_proxy(checked(zmq_ctx_new()), front, back);
        bench_fail("ZeroMQ: the proxy ended");
    }
    if ((c->worker = process_start()) == 0) {
        cores_pin(rpc_processor(RPC_WORKER));
        serve(checked(zmq_ctx_new()), back);
        bench_fail("ZeroMQ: the worker ended");
    }
}

static uint64_t receive(void *context, uint64_t number)
{
    zmq_client *c = context;
    float values[RPC_WIDTH];
    int n = zmq_recv(c->socket, values, sizeof values, 0);
    done(n);
    return n == (int)sizeof values ? rpc_differs(values, number) : 1;
}

static void send(void *context, uint64_t number)
{
    zmq_client *c = context;
    float values[RPC_WIDTH];
    rpc_fill(values, number);
    done(zmq_send(c->socket, values, sizeof values, 0));
}

void *rpc_zmq_open(bool inproc)
{
    zmq_client *c = bench_memory(sizeof *c);
    char *front = rpc_address("front"), *back = rpc_address("back");
    c->inproc = inproc;
    if (!inproc) {
        start_processes(c, front, back); /* before there are threads */
    }
    c->library = checked(zmq_ctx_new());
    if (inproc) {
        start_threads(c);
    }
    c->socket = checked(zmq_socket(c->library, ZMQ_DEALER));
    done(zmq_connect(c->socket, inproc ? "inproc://front" : front));
    c->window = (rpc_window){.send = send, .receive = receive, .in_flight = RPC_IN_FLIGHT, .context = c};
    rpc_zmq_trip(c, 1); /* everybody has found everybody */
    free(front);
    free(back);
    return c;
}

void rpc_zmq_close(void *context)
{
    zmq_client *c = context;
    zmq_close(c->socket);
    zmq_ctx_term(c->library); /* its threads end by that */
    if (c->inproc) {
        pthread_join(c->threads[0], NULL);
        pthread_join(c->threads[1], NULL);
    } else {
        process_stop(c->worker);
        process_stop(c->proxy);
    }
    free(c);
}

double rpc_zmq_throughput(void *context, uint64_t amount)
{
    return rpc_window_throughput(&((zmq_client *)context)->window, amount);
}

double rpc_zmq_trip(void *context, uint64_t amount) { return rpc_window_trip(&((zmq_client *)context)->window, amount); }

bool rpc_zmq_send_one(void *context, uint64_t number)
{
    zmq_client *c = context;
    if (number == 0) {
        c->received = 0;
    }
    if (number >= c->received + RPC_IN_FLIGHT) {
        return false;
    }
    send(c, number);
    return true;
}

uint32_t rpc_zmq_take(void *context, uint64_t *numbers, uint32_t max)
{
    zmq_client *c = context;
    uint32_t count = 0;
    while (count < max) {
        float values[RPC_WIDTH];
        int n = zmq_recv(c->socket, values, sizeof values, ZMQ_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            break;
        }
        done(n);
        if (n != (int)sizeof values || rpc_differs(values, c->received)) {
            bench_fail("ZeroMQ: an answer is wrong");
        }
        numbers[count++] = c->received++;
    }
    return count;
}
