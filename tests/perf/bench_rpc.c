/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of 64 bytes and replies of 64 bytes between processes: client, broker, one worker, over ipc. Every reply is checked.
 *
 *   rpc/64B/throughput  256 in flight, from one client
 *   rpc/64B/rtt         one in flight: the median
 *
 * The peer is ZeroMQ with the same processes on the same processors, 256 and one in flight. */
#include <stdlib.h>

#include "tests/perf/cores.h"
#include "tests/perf/ring_race.h"
#include "tests/perf/rpc.h"

typedef struct contest {
    rpc_client psyne;
    void *zmq;
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

#ifdef HAVE_ZMQ
static double zmq_throughput(void *context, uint64_t amount) { return rpc_zmq_throughput(((contest *)context)->zmq, amount); }
static double zmq_trip(void *context, uint64_t amount) { return rpc_zmq_trip(((contest *)context)->zmq, amount); }
#define ZMQ(run_)                                                                                                              \
    {                                                                                                                          \
        .name = "ZeroMQ ROUTER/DEALER", .run = run_                                                                            \
    }
#else
#define ZMQ(run_)                                                                                                              \
    {                                                                                                                          \
        .name = "ZeroMQ ROUTER/DEALER", .missing = "libzmq3-dev"                                                               \
    }
#endif

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "requests and replies between processes");
    if (!bench_wants("rpc/64B/")) {
        return bench_end();
    }
    rpc_print_processors();
    rpc_open_folder();
    char *uri = rpc_address("psyne");
    contest c = {.zmq = NULL};
    rpc_service service = rpc_start_service(uri);
    cores_pin(rpc_processor(RPC_CLIENT));
#ifdef HAVE_ZMQ
    c.zmq = rpc_zmq_open();
#endif
    rpc_connect(&c.psyne, uri, RPC_IN_FLIGHT);
    rpc_close_folder();
    free(uri);
    bench_measure(&(bench_figure){.name = "rpc/64B/throughput",
                                  .unit = &bench_millions,
                                  .step = 16 * RPC_GROUP,
                                  .seconds = 0.1,
                                  .subject = {"psyne", throughput},
                                  .peers = {ZMQ(zmq_throughput)},
                                  .context = &c});
    bench_measure(&(bench_figure){.name = "rpc/64B/rtt",
                                  .unit = &bench_microseconds,
                                  .step = 64,
                                  .seconds = 0.1,
                                  .subject = {"psyne", trip},
                                  .peers = {ZMQ(zmq_trip)},
                                  .context = &c});
    psy_channel_close(c.psyne.channel);
#ifdef HAVE_ZMQ
    rpc_zmq_close(c.zmq);
#endif
    rpc_stop_service(&service);
    return bench_end();
}
