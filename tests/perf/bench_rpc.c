/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of 64 bytes and replies of 64 bytes between processes: client, broker, one worker, over ipc. Every reply is checked.
 *
 *   rpc/64B/throughput  256 in flight, from one client
 *   rpc/64B/rtt         one in flight: the median
 *   socket/64B/call     the same by psy_socket_call: with what looks after connections and deadlines
 *
 * The peers, 256 and one in flight (nng 64, it drops more): ZeroMQ and nng with the same processes on the same processors, and
 * ZeroMQ with threads in their place. */
#include <stdlib.h>

#include <psyne/socket.h>

#include "echo.psy.h"
#include "tests/perf/cores.h"
#include "tests/perf/ring_race.h"
#include "tests/perf/rpc.h"

typedef struct contest {
    rpc_client psyne;
    psy_socket *socket;
    uint32_t twice; /* of the socket */
    void *zmq, *zmq_inproc, *nng;
} contest;

/* Takes what is there, or waits for it. */
static uint64_t receive(rpc_client *c)
{
    uint64_t before = c->received, wrong = rpc_receive(c);
    if (c->received == before) {
        rpc_check(psy_channel_wait(c->channel, UINT64_C(10000000000)));
    }
    return wrong;
}

static uint64_t take(void *context, uint64_t from, uint64_t to)
{
    rpc_client *c = &((contest *)context)->psyne;
    uint64_t wrong = 0;
    (void)from;
    while (c->received < to) {
        rpc_send(c);
        wrong |= receive(c);
    }
    return wrong;
}

static double throughput(void *context, uint64_t amount)
{
    rpc_client *c = &((contest *)context)->psyne;
    c->amount = amount;
    c->sent = c->received = 0;
    return race_time(take, context, amount, RPC_GROUP);
}

static uint64_t one_trip(void *context, uint64_t from, uint64_t to)
{
    ((contest *)context)->psyne.amount = to;
    return take(context, from, to);
}

static double trip(void *context, uint64_t amount)
{
    rpc_client *c = &((contest *)context)->psyne;
    c->sent = c->received = 0;
    return race_time(one_trip, context, amount, 1);
}

static uint64_t one_call(void *context, uint64_t from, uint64_t to)
{
    const contest *c = context;
    uint64_t wrong = 0;
    for (uint64_t i = from; i < to; i++) {
        echo_ask ask;
        echo_answer answer;
        rpc_fill(echo_ask_mutable_values(echo_ask_init(&ask)), i);
        rpc_check(psy_socket_call(c->socket, c->twice, &ask, &answer, UINT64_C(10000000000)));
        wrong |= rpc_differs(echo_answer_values(&answer), i);
    }
    return wrong;
}

static double call(void *context, uint64_t amount) { return race_time(one_call, context, amount, 1); }

#ifdef HAVE_ZMQ
static double zmq_throughput(void *context, uint64_t amount) { return rpc_zmq_throughput(((contest *)context)->zmq, amount); }
static double zmq_trip(void *context, uint64_t amount) { return rpc_zmq_trip(((contest *)context)->zmq, amount); }
static double inproc_throughput(void *context, uint64_t amount)
{
    return rpc_zmq_throughput(((contest *)context)->zmq_inproc, amount);
}
static double inproc_trip(void *context, uint64_t amount) { return rpc_zmq_trip(((contest *)context)->zmq_inproc, amount); }
#else
#define zmq_throughput    NULL
#define zmq_trip          NULL
#define inproc_throughput NULL
#define inproc_trip       NULL
#endif
#ifdef HAVE_NNG
static double nng_throughput(void *context, uint64_t amount) { return rpc_nng_throughput(((contest *)context)->nng, amount); }
static double nng_trip(void *context, uint64_t amount) { return rpc_nng_trip(((contest *)context)->nng, amount); }
#else
#define nng_throughput NULL
#define nng_trip       NULL
#endif

static void measure(contest *c, const char *name, const bench_unit *unit, uint64_t step, bench_run *psyne, bench_run *zmq,
                    bench_run *inproc, bench_run *nng)
{
    bench_measure(&(bench_figure){.name = name,
                                  .unit = unit,
                                  .step = step,
                                  .seconds = 0.1,
                                  .subject = {"psyne", psyne},
                                  .peers = {{"ZeroMQ ROUTER/DEALER", zmq, "libzmq3-dev"},
                                            {"ZeroMQ ROUTER/DEALER inproc", inproc, "libzmq3-dev"},
                                            {"nng REP/REQ device", nng, "libnng-dev"}},
                                  .context = c});
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "requests and replies between processes");
    if (!bench_wants("rpc/64B/throughput") && !bench_wants("rpc/64B/rtt") && !bench_wants("socket/64B/")) {
        return bench_end();
    }
    rpc_print_processors();
    rpc_open_folder();
    char *uri = rpc_address("psyne");
    contest c = {.zmq = NULL};
    rpc_service service = rpc_start_service(uri);
    cores_pin(rpc_processor(RPC_CLIENT));
#ifdef HAVE_ZMQ
    c.zmq = rpc_zmq_open(false);
#endif
#ifdef HAVE_NNG
    c.nng = rpc_nng_open();
#endif
#ifdef HAVE_ZMQ
    c.zmq_inproc = rpc_zmq_open(true);
#endif
    rpc_connect(&c.psyne, uri, RPC_IN_FLIGHT);
    rpc_check(psy_socket_connect(uri, NULL, &c.socket));
    rpc_check(psy_socket_pipeline(c.socket, "twice", echo_ask_type(), echo_answer_type(), &c.twice));
    (void)one_call(&c, 0, 1); /* it is connected */
    rpc_close_folder();
    free(uri);
    measure(&c, "rpc/64B/throughput", &bench_millions, 16 * RPC_GROUP, throughput, zmq_throughput, inproc_throughput,
            nng_throughput);
    measure(&c, "rpc/64B/rtt", &bench_microseconds, 64, trip, zmq_trip, inproc_trip, nng_trip);
    measure(&c, "socket/64B/call", &bench_microseconds, 64, call, zmq_trip, inproc_trip, nng_trip);
    psy_socket_close(c.socket);
    psy_channel_close(c.psyne.channel);
#ifdef HAVE_ZMQ
    rpc_zmq_close(c.zmq_inproc);
    rpc_zmq_close(c.zmq);
#endif
#ifdef HAVE_NNG
    rpc_nng_close(c.nng);
#endif
    rpc_stop_service(&service);
    return bench_end();
}
