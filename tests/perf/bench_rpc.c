/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of 64 bytes and replies of 64 bytes between processes: client, broker, one worker, over ipc. Every reply is checked.
 *
 *   rpc/64B/throughput  256 in flight, from one client
 *   rpc/64B/rtt         one in flight: the median
 *
 * The peer is ZeroMQ with the same processes on the same processors, 256 and one in flight. */
#define _GNU_SOURCE
#include <psyne/broker.h>
#include <psyne/channel.h>
#include <psyne/worker.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo.psy.h"
#include "tests/perf/cores.h"
#include "tests/perf/process.h"
#include "tests/perf/ring_race.h"
#include "tests/perf/rpc.h"

static_assert(ECHO_ASK_VALUES_COUNT == RPC_WIDTH && ECHO_ANSWER_VALUES_COUNT == RPC_WIDTH, "both sides send the same");

int rpc_processor(int which)
{
    /* With two processors the broker shares the worker's. */
    static const int with_two[RPC_PROCESSES] = {[RPC_CLIENT] = 0, [RPC_BROKER] = 1, [RPC_WORKER] = 1};
    return cores_count() >= RPC_PROCESSES ? which : with_two[which];
}

void rpc_fill(float *values, uint64_t number)
{
    for (int i = 0; i < RPC_WIDTH; i++) {
        values[i] = (float)((number & 0xffff) * RPC_WIDTH + (uint64_t)i);
    }
}

uint64_t rpc_differs(const float *values, uint64_t number)
{
    uint64_t differs = 0;
    for (int i = 0; i < RPC_WIDTH; i++) {
        differs |= values[i] != 2 * (float)((number & 0xffff) * RPC_WIDTH + (uint64_t)i);
    }
    return differs;
}

static char folder[512];

char *rpc_path(const char *name)
{
    char *path = malloc(sizeof folder + 32);
    if (!path) {
        bench_fail("no memory");
    }
    snprintf(path, sizeof folder + 32, "%s/%s", folder, name);
    return path;
}

static void open_folder(void)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/psyne-bench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        exit(1);
    }
}

/* Nobody needs the sockets' names once all are connected. */
static void close_folder(void)
{
    static const char *const names[] = {"psyne", "psyne.psyne-lock", "front", "back"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = rpc_path(names[i]);
        unlink(path);
        free(path);
    }
    rmdir(folder);
}

static void check(psy_status status)
{
    if (status != PSY_OK) {
        bench_fail("%s", psy_detail());
    }
}

/* ---- the service ---- */

static psy_broker *broker;
static psy_worker *worker;

static void stop(int number)
{
    (void)number;
    if (broker) {
        psy_broker_stop(broker);
    }
    if (worker) {
        psy_worker_stop(worker);
    }
}

static psy_module *open_module(void)
{
    psy_module *module;
    check(psy_module_open(ECHO_MODULE, &module));
    return module;
}

static _Noreturn void run_broker(const char *uri)
{
    cores_pin(rpc_processor(RPC_BROKER));
    psy_module *module = open_module();
    check(psy_broker_create(&(psy_broker_options){.uri = uri, .module = module, .shards = 1}, &broker));
    psy_broker_run(broker);
    psy_broker_destroy(broker);
    psy_module_close(module);
    process_end();
}

static _Noreturn void run_worker(const char *uri)
{
    cores_pin(rpc_processor(RPC_WORKER));
    psy_module *module = open_module();
    psy_status status = PSY_UNREACHABLE;
    for (int tries = 0; tries < 500 && status == PSY_UNREACHABLE; tries++) {
        status = psy_worker_create(&(psy_worker_options){.uri = uri, .module = module, .engine = "cpu"}, &worker);
        if (status == PSY_UNREACHABLE) {
            usleep(10000); /* the broker is not there yet */
        }
    }
    check(status);
    check(psy_worker_start(worker));
    check(psy_worker_run(worker));
    psy_worker_destroy(worker);
    psy_module_close(module);
    process_end();
}

static process start(void (*body)(const char *uri), const char *uri)
{
    process child = process_start();
    if (child == 0) {
        struct sigaction action = {.sa_handler = stop};
        sigaction(SIGTERM, &action, NULL);
        body(uri);
    }
    return child;
}

/* ---- the client ---- */

typedef struct client {
    psy_channel *channel;
    psy_pipeline twice;
    uint64_t amount, sent, received;
    void *zmq;
} client;

static void connect_client(client *c, const char *uri)
{
    psy_status status = PSY_UNREACHABLE;
    for (int tries = 0; tries < 500 && (status == PSY_UNREACHABLE || status == PSY_TIMEOUT); tries++) {
        status = psy_channel_connect(
            uri, &(psy_channel_options){.in_flight = RPC_IN_FLIGHT, .connect_timeout_ns = UINT64_C(1000000000)}, &c->channel);
        if (status == PSY_UNREACHABLE) {
            usleep(10000);
        }
    }
    check(status);
    check(psy_channel_open(c->channel, "twice", echo_ask_type(), echo_answer_type(), &c->twice));
}

/* Sends what the window allows. */
static void fill_window(client *c)
{
    psy_call call;
    psy_status status = PSY_OK;
    while (c->sent < c->amount && (status = psy_channel_claim(c->channel, &c->twice, &call)) == PSY_OK) {
        rpc_fill(echo_ask_mutable_values(echo_ask_init(call.message)), c->sent);
        psy_channel_commit(c->channel, &call, (void *)(uintptr_t)c->sent++);
    }
    if (status != PSY_FULL) {
        check(status);
    }
}

/* Takes what is there, or waits for it. 0 if it was right. */
static uint64_t take_replies(client *c)
{
    psy_reply replies[64];
    uint32_t count;
    uint64_t wrong = 0;
    psy_status status = psy_channel_poll(c->channel, replies, 64, &count);
    if (status == PSY_EMPTY) {
        status = psy_channel_wait(c->channel, UINT64_C(10000000000));
        check(status);
        return 0;
    }
    check(status);
    for (uint32_t i = 0; i < count; i++) {
        check(replies[i].status);
        wrong |= rpc_differs(echo_answer_values(replies[i].message), (uintptr_t)replies[i].user);
        psy_channel_release(c->channel, &replies[i]);
    }
    c->received += count;
    return wrong;
}

static uint64_t take(void *context, uint64_t from, uint64_t to)
{
    client *c = context;
    uint64_t wrong = 0;
    (void)from;
    while (c->received < to) {
        fill_window(c);
        wrong |= take_replies(c);
    }
    return wrong;
}

static double run(client *c, uint64_t amount, uint64_t group)
{
    c->amount = amount;
    c->sent = c->received = 0;
    return race_time(take, c, amount, group);
}

static double throughput(void *context, uint64_t amount) { return run(context, amount, RPC_GROUP); }

static uint64_t one_trip(void *context, uint64_t from, uint64_t to)
{
    client *c = context;
    (void)from;
    c->amount = to;
    return take(c, from, to);
}

static double trip(void *context, uint64_t amount)
{
    client *c = context;
    c->sent = c->received = 0;
    return race_time(one_trip, c, amount, 1);
}

/* ---- both ---- */

#ifdef HAVE_ZMQ
static double zmq_throughput(void *context, uint64_t amount) { return rpc_zmq_throughput(((client *)context)->zmq, amount); }
static double zmq_trip(void *context, uint64_t amount) { return rpc_zmq_trip(((client *)context)->zmq, amount); }
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
    printf("client on processor %d, broker on %d, worker on %d\n", cores_system_number(rpc_processor(RPC_CLIENT)),
           cores_system_number(rpc_processor(RPC_BROKER)), cores_system_number(rpc_processor(RPC_WORKER)));
    open_folder();
    char uri[600], *path = rpc_path("psyne");
    client c = {.sent = 0};
    snprintf(uri, sizeof uri, "ipc://%s", path);
    free(path);
    process broker_process = start(run_broker, uri), worker_process = start(run_worker, uri);
    cores_pin(rpc_processor(RPC_CLIENT));
#ifdef HAVE_ZMQ
    c.zmq = rpc_zmq_open();
#endif
    connect_client(&c, uri);
    close_folder();
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
    psy_channel_close(c.channel);
#ifdef HAVE_ZMQ
    rpc_zmq_close(c.zmq);
#endif
    process_stop(worker_process);
    process_stop(broker_process);
    return bench_end();
}
