/* SPDX-License-Identifier: Apache-2.0 */
/* How long requests take at a given rate: the processes of bench_rpc, with requests sent when they are due whether others were
 * answered or not (an open loop), and each one's time counted from when it was due, whenever it was sent: who is held up pays
 * for all that fell due meanwhile. At most 256 are in flight.
 *
 *   rpc/64B/load/N/p50   the median at N thousand a second; the peer's likewise, up to its own limit
 *   rpc/64B/load/N/p99   99 of 100 took no longer
 *   rpc/64B/load/half    at half of what ZeroMQ can at most: psyne's p99 against ZeroMQ's median
 *
 *
 * Where they may, all processes and threads of both take the processors before all others' (SCHED_FIFO), in bursts of a run
 * with pauses of the same length: else the 99th percentile tells of what others run more than of anything else. The table says
 * whether they did.
 *
 * `make bench-plot` draws them. Every answer is checked. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/perf/cores.h"
#include "tests/perf/rpc.h"

enum { TAKEN = 64, POINTS_MAX = 16, PAUSE_NS = 100000000 };
static const double run_seconds = 0.1;

typedef struct contestant {
    bool (*send)(void *context, uint64_t number);
    uint32_t (*take)(void *context, uint64_t *numbers, uint32_t max);
    void *context;
    double most; /* a second */
} contestant;

enum { PSYNE, ZMQ, CONTESTANTS };
enum { P50, P99, KINDS };

typedef struct scene {
    contestant contestants[CONTESTANTS];
    uint32_t *took_ns;
    uint64_t room;
    /* The rate at hand, and what its runs gave: figures of one rate are of the same runs. */
    double rate;
    double results[CONTESTANTS][KINDS][BENCH_RUNS];
    uint32_t run_count[CONTESTANTS], shown[CONTESTANTS][KINDS];
} scene;

static int by_length(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static bool first; /* its processes may go before all others */

/* This thread does so for a burst. The others, which sleep when they have nothing to do, always do. */
static void burst(bool begins)
{
    if (first) {
        (void)process_go_first(begins);
        if (!begins) {
            (void)nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
        }
    }
}

/* Sends `amount` requests, one every `every_ns` (0: as many as the window allows), and notes how long each took. Returns the
 * seconds of it all. */
static double open_loop(scene *s, contestant *c, uint64_t amount, double every_ns)
{
    uint64_t numbers[TAKEN], sent = 0, received = 0, start = psy__now_ns();
    if (amount > s->room) {
        bench_fail("%llu requests are too many", (unsigned long long)amount);
    }
    while (received < amount) {
        uint64_t now = psy__now_ns() - start;
        while (sent < amount && (double)sent * every_ns <= (double)now && c->send(c->context, sent)) {
            sent++;
        }
        uint32_t n = c->take(c->context, numbers, TAKEN);
        now = psy__now_ns() - start;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t due = (uint64_t)((double)numbers[i] * every_ns), took = now > due ? now - due : 0;
            s->took_ns[received + i] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
        }
        received += n;
        if (n == 0) {
            sched_yield(); /* ZeroMQ has a thread of its own on this processor */
        }
    }
    return (double)(psy__now_ns() - start) * 1e-9;
}

static void one_run(scene *s, int which)
{
    uint32_t run = s->run_count[which]++;
    uint64_t amount = (uint64_t)(s->rate * run_seconds);
    burst(true);
    (void)open_loop(s, &s->contestants[which], amount, 1e9 / s->rate);
    burst(false);
    qsort(s->took_ns, amount, sizeof *s->took_ns, by_length);
    s->results[which][P50][run] = s->took_ns[amount / 2];
    s->results[which][P99][run] = s->took_ns[amount - 1 - amount / 100];
}

/* The next run's result, as seconds that `amount` of it would take. */
static double show(void *context, uint64_t amount, int which, int kind)
{
    scene *s = context;
    uint32_t run = s->shown[which][kind]++ % BENCH_RUNS;
    while (s->run_count[which] <= run) {
        one_run(s, which);
    }
    return s->results[which][kind][run] * 1e-9 * (double)amount;
}

static double psyne_p50(void *context, uint64_t amount) { return show(context, amount, PSYNE, P50); }
static double psyne_p99(void *context, uint64_t amount) { return show(context, amount, PSYNE, P99); }
static double zmq_p50(void *context, uint64_t amount) { return show(context, amount, ZMQ, P50); }
static double zmq_p99(void *context, uint64_t amount) { return show(context, amount, ZMQ, P99); }

/* What it can at most: the middle of some closed loops. */
static double most_of(scene *s, contestant *c)
{
    double rates[5];
    uint64_t amount = 20000;
    while (amount < s->room / 4 && open_loop(s, c, amount, 0) < run_seconds) {
        amount *= 2;
    }
    for (int i = 0; i < 5; i++) {
        burst(true);
        rates[i] = (double)amount / open_loop(s, c, amount, 0);
        burst(false);
    }
    return bench_median(rates, 5);
}

static void figure(scene *s, const char *kind, bench_run *psyne, bench_run *zmq, const char *peer, bool with_peer)
{
    char name[64];
    snprintf(name, sizeof name, "rpc/64B/load/%s", kind);
    memset(s->shown, 0, sizeof s->shown);
    bench_measure(&(bench_figure){.name = name,
                                  .unit = &bench_microseconds,
                                  .step = 1,
                                  .subject = {"psyne", psyne},
                                  .peers = {{.name = with_peer ? peer : NULL, .run = zmq}},
                                  .context = s});
}

static void measure_rate(scene *s, double rate)
{
    char kind[48];
    bool with_peer = rate < 0.95 * s->contestants[ZMQ].most;
    memset(s->run_count, 0, sizeof s->run_count);
    s->rate = rate;
    snprintf(kind, sizeof kind, "%.0f/p50", rate / 1000);
    figure(s, kind, psyne_p50, zmq_p50, "ZeroMQ ROUTER/DEALER", with_peer);
    snprintf(kind, sizeof kind, "%.0f/p99", rate / 1000);
    figure(s, kind, psyne_p99, zmq_p99, "ZeroMQ ROUTER/DEALER", with_peer);
}

static void measure(scene *s)
{
    static const double of_peer[] = {0.1, 0.25, 0.5, 0.75, 0.9}, of_ours[] = {0.25, 0.5, 0.75, 0.9};
    double peer = s->contestants[ZMQ].most, ours = s->contestants[PSYNE].most;
    printf("psyne at most %.2f M/s", ours * 1e-6);
    printf(peer > 0 ? ", ZeroMQ %.2f M/s\n" : "\n", peer * 1e-6);
    for (size_t i = 0; peer > 0 && i < sizeof of_peer / sizeof of_peer[0]; i++) {
        measure_rate(s, of_peer[i] * peer);
        if (of_peer[i] == 0.5) {
            figure(s, "half", psyne_p99, zmq_p50, "ZeroMQ's median", true);
        }
    }
    for (size_t i = 0; i < sizeof of_ours / sizeof of_ours[0]; i++) {
        if (of_ours[i] * ours > peer) {
            measure_rate(s, of_ours[i] * ours);
        }
    }
    if (peer == 0) {
        bench_skip("rpc/64B/load/half", "the peer is missing: libzmq3-dev");
    }
}

/* Asks the scheduler for short slices of time, for this process and those that it starts: beside others' work all of them come
 * to run sooner. Systems that do not know it go on as they are. */
static void ask_for_short_slices(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = sizeof attributes, .runtime = 100000};
    (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "latency against load, between processes");
    if (!bench_wants("rpc/64B/load")) {
        return bench_end();
    }
    ask_for_short_slices();
    first = process_go_first(true);
    rpc_print_processors();
    printf(first ? "all of them before all other processes\n"
                 : "all of them among all other processes, whose work is in the figures\n");
    rpc_open_folder();
    char *uri = rpc_address("psyne");
    rpc_client client;
    scene *s = bench_memory(sizeof *s);
    s->room = UINT64_C(1) << 22;
    s->took_ns = bench_memory(s->room * sizeof *s->took_ns);
    rpc_service service = rpc_start_service(uri);
    cores_pin(rpc_processor(RPC_CLIENT));
#ifdef HAVE_ZMQ
    s->contestants[ZMQ] = (contestant){.send = rpc_zmq_send_one, .take = rpc_zmq_take, .context = rpc_zmq_open(false)};
#endif
    rpc_connect(&client, uri, RPC_IN_FLIGHT);
    burst(false);
    rpc_close_folder();
    free(uri);
    s->contestants[PSYNE] = (contestant){.send = rpc_send_one, .take = rpc_take, .context = &client};
#ifdef HAVE_ZMQ
    s->contestants[ZMQ].most = most_of(s, &s->contestants[ZMQ]);
#endif
    s->contestants[PSYNE].most = most_of(s, &s->contestants[PSYNE]);
    measure(s);
    psy_channel_close(client.channel);
#ifdef HAVE_ZMQ
    rpc_zmq_close(s->contestants[ZMQ].context);
#endif
    rpc_stop_service(&service);
    free(s->took_ns);
    free(s);
    return bench_end();
}
