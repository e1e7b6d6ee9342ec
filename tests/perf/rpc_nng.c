/* SPDX-License-Identifier: Apache-2.0 */
/* A peer of the message benchmark: nng with the same three processes, a device between raw REP and REQ sockets, a REP worker,
 * and a client with a raw REQ socket, which numbers its requests itself: so many can be in flight. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/perf/cores.h"
#include "tests/perf/process.h"
#include "tests/perf/rpc.h"

enum { BUFFER = 2 * RPC_IN_FLIGHT, NNG_IN_FLIGHT = 64 }; /* a raw REP socket drops answers beyond 64 a connection */

typedef struct nng_client {
    nng_socket socket;
    process device, worker;
    rpc_window window;
} nng_client;

static void done(int error)
{
    if (error != 0) {
        bench_fail("nng: %s", nng_strerror(error));
    }
}

/* What does not come within ten seconds was lost: raw sockets may drop what finds no room. */
static void configure(nng_socket socket)
{
    done(nng_socket_set_int(socket, NNG_OPT_SENDBUF, BUFFER));
    done(nng_socket_set_int(socket, NNG_OPT_RECVBUF, BUFFER));
    done(nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, 10000));
}

static _Noreturn void run_device(const char *front, const char *back)
{
    nng_socket rep, req;
    done(nng_rep0_open_raw(&rep));
    done(nng_req0_open_raw(&req));
    done(nng_socket_set_int(rep, NNG_OPT_SENDBUF, BUFFER));
    done(nng_socket_set_int(rep, NNG_OPT_RECVBUF, BUFFER));
    done(nng_socket_set_int(req, NNG_OPT_SENDBUF, BUFFER));
    done(nng_socket_set_int(req, NNG_OPT_RECVBUF, BUFFER));
    done(nng_listen(rep, front, NULL, 0));
    done(nng_listen(req, back, NULL, 0));
    done(nng_device(rep, req));
    bench_fail("nng: the device ended");
}

static void dial(nng_socket socket, const char *address)
{
    int error = NNG_ECONNREFUSED;
    for (int tries = 0; tries < 500 && error != 0; tries++) {
        error = nng_dial(socket, address, NULL, 0);
        if (error != 0) {
            usleep(10000); /* the device is not there yet */
        }
    }
    done(error);
}

static _Noreturn void run_worker(const char *back)
{
    nng_socket socket;
    done(nng_rep0_open(&socket));
    dial(socket, back);
    for (;;) {
        nng_msg *m;
        float values[RPC_WIDTH];
        done(nng_recvmsg(socket, &m, 0));
        if (nng_msg_len(m) != sizeof values) {
            bench_fail("nng: a request is not what was sent");
        }
        memcpy(values, nng_msg_body(m), sizeof values);
        for (int i = 0; i < RPC_WIDTH; i++) {
            values[i] *= 2;
        }
        memcpy(nng_msg_body(m), values, sizeof values);
        done(nng_sendmsg(socket, m, 0));
    }
}

static void send(void *context, uint64_t number)
{
    nng_client *c = context;
    nng_msg *m;
    float values[RPC_WIDTH];
    rpc_fill(values, number);
    done(nng_msg_alloc(&m, 0));
    done(nng_msg_append(m, values, sizeof values));
    done(nng_msg_header_append_u32(m, UINT32_C(0x80000000) | (uint32_t)(number & 0x7fffffff)));
    done(nng_sendmsg(c->socket, m, 0));
}

static uint64_t receive(void *context, uint64_t number)
{
    nng_client *c = context;
    nng_msg *m;
    float values[RPC_WIDTH];
    uint32_t id = 0;
    done(nng_recvmsg(c->socket, &m, 0));
    uint64_t wrong = nng_msg_len(m) != sizeof values || nng_msg_header_trim_u32(m, &id) != 0 ||
                     id != (UINT32_C(0x80000000) | (uint32_t)(number & 0x7fffffff));
    if (!wrong) {
        memcpy(values, nng_msg_body(m), sizeof values);
        wrong = rpc_differs(values, number);
    }
    nng_msg_free(m);
    return wrong;
}

void *rpc_nng_open(void)
{
    nng_client *c = bench_memory(sizeof *c);
    char *front = rpc_address("nng-front"), *back = rpc_address("nng-back");
    if ((c->device = process_start()) == 0) {
        cores_pin(rpc_processor(RPC_BROKER));
        run_device(front, back);
    }
    if ((c->worker = process_start()) == 0) {
        cores_pin(rpc_processor(RPC_WORKER));
        run_worker(back);
    }
    done(nng_req0_open_raw(&c->socket)); /* its threads run where this one does */
    configure(c->socket);
    dial(c->socket, front);
    usleep(200000); /* the worker has found the device */
    c->window = (rpc_window){.send = send, .receive = receive, .in_flight = NNG_IN_FLIGHT, .context = c};
    rpc_nng_trip(c, 1);
    free(front);
    free(back);
    return c;
}

void rpc_nng_close(void *context)
{
    nng_client *c = context;
    nng_close(c->socket);
    process_stop(c->worker);
    process_stop(c->device);
    free(c);
}

double rpc_nng_throughput(void *context, uint64_t amount)
{
    return rpc_window_throughput(&((nng_client *)context)->window, amount);
}

double rpc_nng_trip(void *context, uint64_t amount) { return rpc_window_trip(&((nng_client *)context)->window, amount); }
