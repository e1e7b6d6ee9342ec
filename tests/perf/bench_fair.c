/* SPDX-License-Identifier: Apache-2.0 */
/* What a flood costs those who send little. One client sends a request of 64 bytes each millisecond, another as many as it can,
 * with 4,096 in flight; served_broker, worker and both clients are processes, over ipc. The flooder looks for replies each 200
 * us and sleeps between, so that its requests always wait for the service, and it does not take the processor from the other
 * client.
 *
 *   fair/p99     the first one's 99th percentile, beside the other; the peer is itself alone. Half is the limit: twice as long
 *   fair/median  the same, the median
 *   fair/unread  the 99th percentile beside a client that fills the service with 4,096 requests and never takes a reply
 *
 * A latency counts from the moment at which the request was due, whether the client had time for it then or not, so that a
 * stall counts for all that should have been sent meanwhile. Every reply of both is checked.
 *
 * Where they may, the four take the processors before all other processes (SCHED_FIFO), since what others run would be in a
 * 99th percentile more than anything else; in bursts of less than a second, with pauses, because the system then takes 50 ms
 * back. */
#define _GNU_SOURCE
#include <psyne/broker.h>
#include <psyne/channel.h>
#include <psyne/worker.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "echo.psy.h"
#include "tests/perf/bench.h"
#include "tests/perf/cores.h"
#include "tests/perf/served.h"

enum { REQUESTS = 600, PERIOD_NS = 1000000, PAUSE_NS = 300000000, FLOOD = 4096, WARM_UP = 100000, LOOK_NS = 200000 };
enum { CLIENTS_PROCESSOR = 0, SERVICE_PROCESSOR = 1 };

/* What the flooder is told, and what it tells. */
typedef struct flood {
    _Atomic bool on;
    _Atomic uint32_t outstanding;
    _Atomic uint64_t answered;
    _Atomic bool deaf;       /* the one that never takes a reply sends, */
    _Atomic uint32_t unread; /* so many by now */
} flood;

typedef struct client {
    psy_channel *channel;
    psy_pipeline twice;
    flood *flood;
    uint64_t latencies_ns[REQUESTS];
    double flooded, flooded_seconds;
} client;

static char folder[512], uri[600];
static void nap(uint64_t ns)
{
    struct timespec t = {0, (long)ns};
    nanosleep(&t, NULL);
}

/* ---- the service ---- */

static psy_module *open_module(void)
{
    psy_module *module;
    served_check(psy_module_open(ECHO_MODULE, &module));
    return module;
}

static _Noreturn void run_broker(flood *unused)
{
    (void)unused;
    psy_module *module = open_module();
    cores_pin(SERVICE_PROCESSOR);
    served_check(psy_broker_create(&(psy_broker_options){.uri = uri, .module = module, .shards = 1}, &served_broker));
    psy_broker_run(served_broker);
    psy_broker_destroy(served_broker);
    psy_module_close(module);
    process_end();
}

static _Noreturn void run_worker(flood *unused)
{
    (void)unused;
    psy_module *module = open_module();
    cores_pin(SERVICE_PROCESSOR);
    served_check(psy_worker_create(&(psy_worker_options){.uri = uri, .module = module, .engine = "cpu"}, &served_worker));
    served_check(psy_worker_start(served_worker));
    served_check(psy_worker_run(served_worker));
    psy_worker_destroy(served_worker);
    psy_module_close(module);
    process_end();
}

/* ---- the clients ---- */

static void connect_client(psy_channel **channel, psy_pipeline *twice, uint32_t in_flight)
{
    served_check(psy_channel_connect(uri, &(psy_channel_options){.in_flight = in_flight, .call_timeout_ms = 60000}, channel));
    served_check(psy_channel_open(*channel, "twice", echo_ask_type(), echo_answer_type(), twice));
}

static void fill(void *message, uint64_t number)
{
    float *values = echo_ask_mutable_values(echo_ask_init(message));
    for (int i = 0; i < ECHO_ASK_VALUES_COUNT; i++) {
        values[i] = (float)(number & 0xffff);
    }
}

static void check_answer(const psy_reply *reply, uint64_t number)
{
    served_check(reply->status);
    const float *values = echo_answer_values(reply->message);
    for (int i = 0; i < ECHO_ANSWER_VALUES_COUNT; i++) {
        if (values[i] != 2 * (float)(number & 0xffff)) {
            bench_fail("a wrong answer");
        }
    }
}

/* As much as it can while it is told to; it never waits for the others. */
static _Noreturn void run_flooder(flood *f)
{
    psy_channel *channel;
    psy_pipeline twice;
    psy_reply replies[64];
    uint64_t sent = 0;
    cores_pin(CLIENTS_PROCESSOR);
    connect_client(&channel, &twice, FLOOD);
    for (;;) {
        psy_call call;
        uint32_t n = 0;
        bool on = atomic_load_explicit(&f->on, memory_order_acquire);
        while (on && psy_channel_claim(channel, &twice, &call) == PSY_OK) {
            fill(call.message, sent);
            psy_channel_commit(channel, &call, (void *)(uintptr_t)sent++);
        }
        psy_status status = psy_channel_poll(channel, replies, 64, &n);
        if (status == PSY_CLOSED) {
            process_end(); /* the benchmark is over */
        }
        for (uint32_t i = 0; i < n; i++) {
            check_answer(&replies[i], (uintptr_t)replies[i].user);
            psy_channel_release(channel, &replies[i]);
        }
        atomic_fetch_add_explicit(&f->answered, n, memory_order_relaxed);
        atomic_store_explicit(&f->outstanding, psy_channel_outstanding(channel), memory_order_release);
        if (status == PSY_EMPTY) {
            nap(on ? LOOK_NS : PERIOD_NS);
        }
    }
}

/* Sends what it may when it is told to, and looks at nothing that comes. */
static _Noreturn void run_deaf(flood *f)
{
    psy_channel *channel;
    psy_pipeline twice;
    psy_call call;
    cores_pin(CLIENTS_PROCESSOR);
    connect_client(&channel, &twice, FLOOD);
    for (;;) {
        bool on = atomic_load_explicit(&f->deaf, memory_order_acquire);
        while (on && psy_channel_claim(channel, &twice, &call) == PSY_OK) {
            fill(call.message, 1);
            psy_channel_commit(channel, &call, NULL);
            psy_channel_flush(channel);
            atomic_fetch_add_explicit(&f->unread, 1, memory_order_release);
        }
        nap(PERIOD_NS);
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void send_each_millisecond(client *c)
{
    (void)process_go_first(true);
    uint64_t due_ns = psy__now_ns() + PERIOD_NS;
    for (uint32_t i = 0; i < REQUESTS; i++, due_ns += PERIOD_NS) {
        struct timespec t = {(time_t)(due_ns / 1000000000), (long)(due_ns % 1000000000)};
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        uint8_t ask[sizeof(echo_ask)];
        psy_reply reply;
        fill(ask, i);
        served_check(psy_channel_call(c->channel, &c->twice, ask, &reply));
        c->latencies_ns[i] = psy__now_ns() - due_ns;
        check_answer(&reply, i);
        psy_channel_release(c->channel, &reply);
    }
    (void)process_go_first(false);
    qsort(c->latencies_ns, REQUESTS, sizeof c->latencies_ns[0], by_value);
}

/* ---- the figures ---- */

static void beside(client *c)
{
    flood *f = c->flood;
    uint64_t before = f->answered;
    atomic_store_explicit(&f->on, true, memory_order_release);
    for (int tries = 0; tries < 10000 && f->answered - before < WARM_UP; tries++) {
        nap(PERIOD_NS);
    }
    uint64_t from = f->answered, start_ns = psy__now_ns();
    if (from - before < WARM_UP) {
        bench_fail("the flood does not come");
    }
    send_each_millisecond(c);
    c->flooded += (double)(f->answered - from);
    c->flooded_seconds += (double)(psy__now_ns() - start_ns) / 1e9;
    atomic_store_explicit(&f->on, false, memory_order_release);
    while (f->outstanding > 0) {
        nap(PERIOD_NS);
    }
    nap(PAUSE_NS);
}

/* The latency below which that many of a thousand are. */
static double measure(client *c, void (*how)(client *c), uint32_t of_thousand, uint64_t amount)
{
    how(c);
    return (double)c->latencies_ns[REQUESTS * of_thousand / 1000] / 1e9 * (double)amount;
}

static double p99_alone(void *c, uint64_t amount) { return measure(c, send_each_millisecond, 990, amount); }
static double p99_beside(void *c, uint64_t amount) { return measure(c, beside, 990, amount); }
/* The replies of that client lie there, and more of its requests than those will never be taken. */
static void beside_deaf(client *c)
{
    atomic_store_explicit(&c->flood->deaf, true, memory_order_release);
    for (int tries = 0; tries < 10000 && c->flood->unread < FLOOD; tries++) {
        nap(PERIOD_NS);
    }
    if (c->flood->unread != FLOOD) {
        bench_fail("the deaf client could not send");
    }
    send_each_millisecond(c);
    nap(PAUSE_NS);
}
static double p99_beside_deaf(void *c, uint64_t amount) { return measure(c, beside_deaf, 990, amount); }
static double median_alone(void *c, uint64_t amount) { return measure(c, send_each_millisecond, 500, amount); }
static double median_beside(void *c, uint64_t amount) { return measure(c, beside, 500, amount); }

static process start(void (*body)(flood *f), flood *f)
{
    process child = served_start();
    if (child == 0) {
        (void)process_go_first(true);
        body(f);
    }
    return child;
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "a client that sends little, beside a flood");
    if (!bench_wants("fair/")) {
        return bench_end();
    }
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/psyne-bench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) {
        bench_fail("%s: no folder", folder);
    }
    snprintf(uri, sizeof uri, "ipc://%s/s", folder);
    flood *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (f == MAP_FAILED) {
        bench_fail("no memory");
    }
    bool first = process_go_first(true);
    (void)process_go_first(false);
    printf("both clients on processor %d, broker and worker on %d, %s\n", cores_system_number(CLIENTS_PROCESSOR),
           cores_system_number(SERVICE_PROCESSOR),
           first ? "before all other processes" : "among all other processes, whose work is in the figures");
    process broker_process = start(run_broker, f), worker_process = start(run_worker, f), flooder = start(run_flooder, f),
            deaf = start(run_deaf, f);
    cores_pin(CLIENTS_PROCESSOR);
    static client c;
    c.flood = f;
    connect_client(&c.channel, &c.twice, 4);
    for (int tries = 0; tries < 10000 && f->outstanding > 0; tries++) {
        nap(PERIOD_NS);
    }
    bench_measure(&(bench_figure){.name = "fair/p99",
                                  .unit = &bench_microseconds,
                                  .step = 1,
                                  .subject = {"beside a flood", p99_beside},
                                  .peers = {{"alone", p99_alone}},
                                  .context = &c});
    bench_measure(&(bench_figure){.name = "fair/median",
                                  .unit = &bench_microseconds,
                                  .step = 1,
                                  .subject = {"beside a flood", median_beside},
                                  .peers = {{"alone", median_alone}},
                                  .context = &c});
    bench_measure(&(bench_figure){.name = "fair/unread",
                                  .unit = &bench_microseconds,
                                  .step = 1,
                                  .subject = {"beside one that never reads", p99_beside_deaf},
                                  .peers = {{"alone", p99_alone}},
                                  .context = &c});
    if (c.flooded_seconds > 0) {
        printf("the flood: %.2f million replies a second meanwhile\n", c.flooded / c.flooded_seconds / 1e6);
    }
    process_stop(deaf);
    process_stop(flooder);
    psy_channel_close(c.channel);
    process_stop(worker_process);
    process_stop(broker_process);
    munmap(f, sizeof *f);
    rmdir(folder);
    return bench_end();
}
