/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker's max_wait_ns buys and costs, for a pipeline that gains by batches: the largest product of 8,192 rows of 64
 * numbers (2 MiB, read once for a run) with the request's vector. Client, broker and worker are processes, over ipc; requests
 * come at random (exponential intervals, the same ones for all) at 0.6 of the rate that the worker has for runs of one, so that
 * without waiting most runs are short.
 *
 *   wait/N/p50    the median, N microseconds of waiting at most, beside none
 *   wait/N/busy   processor time of the worker for a request, likewise
 *   wait/N/most   requests a second with 64 in flight, likewise
 *
 * A latency counts from when the request was due. Every answer is checked. */
#define _GNU_SOURCE
#include <math.h>
#include <psyne/broker.h>
#include <psyne/channel.h>
#include <psyne/worker.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/perf/bench.h"
#include "tests/perf/cores.h"
#include "tests/perf/served.h"
#include "wait.psy.h"

enum { ROWS = 8192, IN_FLIGHT = 64, REQUESTS = 4000, WAITS = 3, FIRST_SCORES = 97 };
enum { CLIENT_PROCESSOR = 0, SERVICE_PROCESSOR = 1 };
static const uint64_t waits_us[WAITS] = {0, 20, 100};

/* What the workers tell: the processor time that each has used, and its runs. */
typedef struct told {
    _Atomic uint64_t used_ns, requests, batches;
} told;

typedef struct service {
    char uri[600];
    process broker, worker;
    told *told;
    psy_channel *channel;
    psy_pipeline best;
} service;

enum { P50, BUSY, MOST, KINDS };
typedef struct scene {
    service services[WAITS];
    double every_ns;
    double due_ns[REQUESTS];
    double results[WAITS][KINDS][BENCH_RUNS];
    uint32_t run_count[WAITS], shown[WAITS][KINDS];
    int which; /* not the first one */
} scene;

static char folder[512];
/* ---- the service ---- */

/* Row r has r % FIRST_SCORES at place r % WIDTH, and nothing else. */
static psy_status fill_row(void *unused, uint64_t row, void *out)
{
    (void)unused;
    float *values = out;
    memset(values, 0, WAIT_PROBE_VECTOR_COUNT * sizeof *values);
    values[row % WAIT_PROBE_VECTOR_COUNT] = (float)(row % FIRST_SCORES);
    return PSY_OK;
}

static psy_module *open_module(void)
{
    psy_module *module;
    served_check(psy_module_open(WAIT_MODULE, &module));
    return module;
}

static process start(void)
{
    process child = served_start();
    if (child == 0) {
        cores_pin(SERVICE_PROCESSOR);
    }
    return child;
}

static void run_broker(const service *s)
{
    psy_module *module = open_module();
    served_check(psy_broker_create(&(psy_broker_options){.uri = s->uri, .module = module, .shards = 1}, &served_broker));
    psy_broker_run(served_broker);
    psy_broker_destroy(served_broker);
    psy_module_close(module);
}

static void run_worker(const service *s, uint64_t max_wait_ns)
{
    psy_module *module = open_module();
    psy_worker_options o = {.uri = s->uri, .module = module, .engine = "cpu", .max_wait_ns = max_wait_ns};
    served_check(psy_worker_create(&o, &served_worker));
    served_check(psy_worker_load(
        served_worker, &(psy_rows){.resident = "rows", .rank = 2, .dims = {ROWS, WAIT_PROBE_VECTOR_COUNT}, .fill = fill_row}));
    served_check(psy_worker_start(served_worker));
    while (psy_worker_status(served_worker) == PSY_OK) {
        psy_worker_counts counts;
        struct timespec t;
        for (int i = 0; i < 1000 && psy_worker_do_work(served_worker) == 0; i++) {
            if (i > 50) {
                psy_worker_wait(served_worker, 1000000);
                break;
            }
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        psy_worker_get_counts(served_worker, &counts);
        atomic_store(&s->told->used_ns, (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
        atomic_store(&s->told->requests, counts.requests);
        atomic_store(&s->told->batches, counts.batches);
    }
    psy_worker_destroy(served_worker);
    psy_module_close(module);
}

static void open_service(service *s, int which)
{
    snprintf(s->uri, sizeof s->uri, "ipc://%s/s%d", folder, which);
    s->told = mmap(NULL, sizeof *s->told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s->told == MAP_FAILED) {
        bench_fail("no memory");
    }
    if ((s->broker = start()) == 0) {
        run_broker(s);
        process_end();
    }
    if ((s->worker = start()) == 0) {
        run_worker(s, waits_us[which] * 1000);
        process_end();
    }
}

static void close_service(service *s)
{
    psy_channel_close(s->channel);
    process_stop(s->broker); /* the worker ends with it */
    process_wait(s->worker);
    munmap(s->told, sizeof *s->told);
}

/* ---- the client ---- */

static void connect_to(service *s)
{
    served_check(
        psy_channel_connect(s->uri, &(psy_channel_options){.in_flight = IN_FLIGHT, .call_timeout_ms = 60000}, &s->channel));
    served_check(psy_channel_open(s->channel, "best", wait_probe_type(), wait_best_type(), &s->best));
}

/* Request i asks for place i % WIDTH: its answer is the largest number there. */
static float answer_to(uint64_t i)
{
    static float largest[WAIT_PROBE_VECTOR_COUNT];
    static uint64_t r; /* rows that it knows */
    for (; r < ROWS; r++) {
        float *at = &largest[r % WAIT_PROBE_VECTOR_COUNT], value = (float)(r % FIRST_SCORES);
        *at = value > *at ? value : *at;
    }
    return largest[i % WAIT_PROBE_VECTOR_COUNT];
}

static bool send_one(service *s, uint64_t i)
{
    psy_call call;
    psy_status status = psy_channel_claim(s->channel, &s->best, &call);
    if (status == PSY_FULL) {
        return false;
    }
    served_check(status);
    float *vector = wait_probe_mutable_vector(wait_probe_init(call.message));
    memset(vector, 0, WAIT_PROBE_VECTOR_COUNT * sizeof *vector);
    vector[i % WAIT_PROBE_VECTOR_COUNT] = 1;
    psy_channel_commit(s->channel, &call, (void *)(uintptr_t)i);
    psy_channel_flush(s->channel);
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sends request i at due_ns[i] (NULL: as many as the window allows). Returns the seconds of it all; took_ns[i]: of each. */
static double send_all(service *s, uint64_t amount, const double *due_ns, double *took_ns)
{
    uint64_t sent = 0, received = 0, start_ns = psy__now_ns();
    while (received < amount) {
        double now = (double)(psy__now_ns() - start_ns);
        while (sent < amount && (!due_ns || due_ns[sent] <= now) && send_one(s, sent)) {
            sent++;
        }
        psy_reply replies[IN_FLIGHT];
        uint32_t n = 0;
        if (psy_channel_poll(s->channel, replies, IN_FLIGHT, &n) == PSY_EMPTY) {
            sched_yield();
            continue;
        }
        now = (double)(psy__now_ns() - start_ns);
        for (uint32_t k = 0; k < n; k++) {
            const uint64_t i = (uintptr_t)replies[k].user;
            served_check(replies[k].status);
            if (wait_best_score(replies[k].message) != answer_to(i)) {
                bench_fail("a wrong answer");
            }
            took_ns[received++] = due_ns ? now - due_ns[i] : 0;
            psy_channel_release(s->channel, &replies[k]);
        }
    }
    return (double)(psy__now_ns() - start_ns) * 1e-9;
}

static void one_run(scene *s, int which)
{
    static double took_ns[REQUESTS];
    service *v = &s->services[which];
    const uint32_t run = s->run_count[which]++;
    const uint64_t used_ns = v->told->used_ns, requests = v->told->requests;
    (void)send_all(v, REQUESTS, s->due_ns, took_ns);
    (void)nanosleep(&(struct timespec){0, 5000000}, NULL); /* it has told */
    qsort(took_ns, REQUESTS, sizeof took_ns[0], by_value);
    s->results[which][P50][run] = took_ns[REQUESTS / 2] * 1e-9;
    s->results[which][BUSY][run] = (double)(v->told->used_ns - used_ns) * 1e-9 / (double)(v->told->requests - requests);
    s->results[which][MOST][run] = send_all(v, REQUESTS, NULL, took_ns) / REQUESTS;
}

/* The next run's result, as seconds that `amount` of it would take. */
static double show(scene *s, uint64_t amount, int which, int kind)
{
    const uint32_t run = s->shown[which][kind]++ % BENCH_RUNS;
    while (s->run_count[which] <= run) {
        one_run(s, which);
    }
    return s->results[which][kind][run] * (double)amount;
}

static double p50(void *s, uint64_t amount) { return show(s, amount, ((scene *)s)->which, P50); }
static double p50_at_once(void *s, uint64_t amount) { return show(s, amount, 0, P50); }
static double busy(void *s, uint64_t amount) { return show(s, amount, ((scene *)s)->which, BUSY); }
static double busy_at_once(void *s, uint64_t amount) { return show(s, amount, 0, BUSY); }
static double most(void *s, uint64_t amount) { return show(s, amount, ((scene *)s)->which, MOST); }
static double most_at_once(void *s, uint64_t amount) { return show(s, amount, 0, MOST); }

static void figure(scene *s, const char *kind, const bench_unit *unit, bench_run *subject, bench_run *at_once)
{
    char name[64];
    snprintf(name, sizeof name, "wait/%lluus/%s", (unsigned long long)waits_us[s->which], kind);
    memset(s->shown, 0, sizeof s->shown);
    bench_measure(&(bench_figure){.name = name,
                                  .unit = unit,
                                  .step = 1,
                                  .subject = {"waits", subject},
                                  .peers = {{"does not wait", at_once}},
                                  .context = s});
}

/* When requests are due: at 0.6 of the rate at which the worker runs one after the other. */
static void choose_rate(scene *s)
{
    static double took_ns[REQUESTS];
    service *v = &s->services[0];
    double alone[101], now = 0;
    uint64_t x = 88172645463325252;
    for (int i = 0; i < 101; i++) {
        alone[i] = send_all(v, 1, NULL, took_ns);
    }
    s->every_ns = bench_median(alone, 101) * 1e9 / 0.6;
    for (int i = 0; i < REQUESTS; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        now -= log(((double)(x >> 11) + 1) * 0x1p-53) * s->every_ns;
        s->due_ns[i] = now;
    }
    printf("a request alone takes %.1f us; one each %.1f us on average\n", s->every_ns * 0.6e-3, s->every_ns * 1e-3);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "a worker that waits for more, at most so long");
    if (!bench_wants("wait/")) {
        return bench_end();
    }
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/psyne-bench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) {
        bench_fail("%s: no folder", folder);
    }
    printf("client on processor %d, broker and worker on %d\n", cores_system_number(CLIENT_PROCESSOR),
           cores_system_number(SERVICE_PROCESSOR));
    static scene s;
    for (int i = 0; i < WAITS; i++) {
        open_service(&s.services[i], i);
    }
    cores_pin(CLIENT_PROCESSOR);
    for (int i = 0; i < WAITS; i++) {
        connect_to(&s.services[i]);
    }
    choose_rate(&s);
    for (s.which = 1; s.which < WAITS; s.which++) {
        figure(&s, "p50", &bench_microseconds, p50, p50_at_once);
        figure(&s, "busy", &bench_microseconds, busy, busy_at_once);
        figure(&s, "most", &bench_per_second, most, most_at_once);
    }
    for (int i = 0; i < WAITS; i++) {
        const told *t = s.services[i].told;
        printf("%llu us: %.1f requests a run\n", (unsigned long long)waits_us[i],
               (double)t->requests / (double)(t->batches ? t->batches : 1));
    }
    for (int i = 0; i < WAITS; i++) {
        close_service(&s.services[i]);
    }
    rmdir(folder);
    return bench_end();
}
