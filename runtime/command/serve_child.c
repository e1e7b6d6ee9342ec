/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "command/serve_child.h"

#include <fcntl.h>
#include <inttypes.h>
#include <psyne/broker.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/serve_requests.h"
#include "telemetry/telemetry.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

enum { SPINS = 64, YIELDS = 8 };
static const uint64_t sleep_ns = 20000000, orphan_ns = 3000000000, beside_ns = 1000000, leave_ns = 1000000000;

/* A process has one child of this kind in it, and its signals have nothing else to find it by. */
static struct {
    psy__serve_order order;
    psy__log_out log;
    psy_counters *counters;
    pthread_mutex_t loading; /* files are read by one thread at a time, and one failure is kept */
    psy_status status;
    char why[512];
    psy__serve_requests requests;
    bool told_drained;
    psy_broker
        *beside; /* works on this thread wherever that waits for it or loads; NULL: it has a thread or process of its own */
    uint64_t beside_due_ns;
    _Atomic uint32_t stop, failed, ready;
} me = {.loading = PTHREAD_MUTEX_INITIALIZER, .requests = {.lock = PTHREAD_MUTEX_INITIALIZER}};

static bool stopped(void) { return atomic_load_explicit(&me.stop, memory_order_acquire) != 0; }

static void stop_all(void) { atomic_store_explicit(&me.stop, 1, memory_order_release); }

static void on_signal(int number)
{
    (void)number;
    stop_all();
}

static void say(uint32_t word, psy_status status, const char *text)
{
    psy__serve_message m = {.word = word, .status = status};
    snprintf(m.text, sizeof m.text, "%s", text);
    (void)psy__serve_tell(me.order.control, &m, -1);
}

/* The first reason is the one that counts. */
static void fail_with(psy_status status)
{
    char why[sizeof me.why];
    snprintf(why, sizeof why, "%s", *psy_detail() ? psy_detail() : psy_status_text(status));
    pthread_mutex_lock(&me.loading);
    if (!atomic_exchange(&me.failed, 1)) {
        me.status = status;
        memcpy(me.why, why, sizeof me.why);
    }
    pthread_mutex_unlock(&me.loading);
    stop_all();
}

/* ---- what the supervisor says ---- */

static void sleep_for(uint64_t ns)
{
    nanosleep(&(struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)}, NULL);
}

static void *listen_to_supervisor(void *nothing)
{
    psy__serve_message m;
    int fd;
    while (psy__serve_hear(me.order.control, &m, &fd) > 0) {
        switch (m.word) {
        case PSY_WORD_STOP: stop_all(); break;
        case PSY_WORD_LOG:
            if (fd >= 0) {
                (void)dup3(fd, me.log.fd, O_CLOEXEC); /* who writes just now, writes to the old one */
            }
            break;
        default: psy__serve_requests_take(&me.requests, me.order.control, &m, fd); break;
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    /* It is gone. Nobody is left to wait for this process: it ends by itself, or after a while. */
    stop_all();
    sleep_for(orphan_ns);
    _exit(1);
    return nothing;
}

/* ---- the loop of an agent ---- */

/* How long nothing came in: spins, then makes room for others. False: it is time to sleep. */
static bool idles(uint32_t *idle)
{
    if (++*idle < SPINS) {
        psy__relax();
    } else if (*idle < SPINS + YIELDS) {
        sched_yield();
    } else {
        return false;
    }
    return true;
}

static void beat(void)
{
    _Atomic uint64_t *b = &me.order.shared->beats[me.order.place];
    atomic_store_explicit(b, atomic_load_explicit(b, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* The broker of a drained service stays until its workers have left. */
static void mind_supervisor(psy_broker *broker)
{
    if (psy__serve_requests_mind(&me.requests, broker, &me.log, me.order.control) && !me.told_drained) {
        me.told_drained = true;
        say(PSY_WORD_DRAINED, PSY_OK, "");
    }
}

/* ---- the broker ---- */

static uint32_t counter_rows(void)
{
    enum { SPARE = 64, MOST = PSY_COUNTERS_MAX_ROWS };
    const psy__serve_options *o = me.order.options;
    const uint64_t residents = me.order.served->data_count + me.order.served->snapshot.resident_count;
    const uint64_t broker = 2 * ((uint64_t)(o->shards_max ? o->shards_max : o->shards) + o->clients),
                   shard = 2 + residents + (uint64_t)o->clients;
    const uint64_t rows = me.order.role == PSY_ROLE_OF_BROKER  ? broker
                          : me.order.role == PSY_ROLE_OF_SHARD ? shard
                                                               : broker + o->shards * shard;
    return rows + SPARE < MOST ? (uint32_t)rows + SPARE : MOST;
}

static void open_counters(void)
{
    if (me.order.options->counters && psy_counters_create(NULL, counter_rows(), &me.counters) != PSY_OK) {
        psy__log(&me.log, PSY_LOG_WARNING, "counters.none", PSY_TEXT("reason", psy_detail()));
    }
}

static psy_broker *create_broker(void)
{
    const psy__serve_options *o = me.order.options;
    psy_rule *rules = NULL;
    psy_program *programs = calloc(me.order.served->program_count, sizeof *programs);
    psy_status status = programs ? psy__serve_options_rules(o, &rules) : psy_fail(PSY_NO_MEMORY, "no memory for programs");
    if (status != PSY_OK) {
        free(programs);
        fail_with(status);
        return NULL;
    }
    for (uint32_t i = 0; i < me.order.served->program_count; i++) {
        const psy__served_program *p = &me.order.served->programs[i];
        programs[i] = (psy_program){.module = p->module, .name = p->name, .version = p->version};
    }
    const psy_broker_options options = {.uri = o->socket,
                                        .rules = rules,
                                        .rule_count = o->allow.count,
                                        .mode = o->socket_mode,
                                        .group = o->socket_group,
                                        .programs = programs,
                                        .program_count = me.order.served->program_count,
                                        .max_request_bytes = o->max_request_bytes,
                                        .max_reply_bytes = o->max_reply_bytes,
                                        .max_partial_bytes = o->max_partial_bytes,
                                        .reference_bytes = o->reference_bytes,
                                        .client_programs = o->client_programs,
                                        .client_program_bytes = o->client_program_bytes,
                                        .client_arena_bytes = o->client_arena_bytes,
                                        .client_work = o->client_work,
                                        .shards = o->shards,
                                        .shards_max = o->shards_max,
                                        .in_flight = o->in_flight,
                                        .clients = o->clients,
                                        .counters = me.counters,
                                        .log = &me.log.log};
    psy_broker *broker = NULL;
    status = psy_broker_create(&options, &broker);
    free(rules);
    free(programs);
    if (status != PSY_OK) {
        fail_with(status);
        return NULL;
    }
    say(PSY_WORD_UP, PSY_OK, "");
    return broker;
}

static void run_broker(psy_broker *broker)
{
    uint32_t idle = 0;
    while (!stopped()) {
        beat();
        mind_supervisor(broker);
        if (psy_broker_do_work(broker)) {
            idle = 0;
        } else if (!idles(&idle)) {
            psy_broker_wait(broker, sleep_ns);
        }
    }
}

/* ---- a shard ---- */

static uint32_t work_beside(void *broker)
{
    beat();
    mind_supervisor(broker);
    return psy_broker_do_work(broker);
}

/* While this thread loads, peers are not left without an answer. */
static void serve_beside(void)
{
    const uint64_t now_ns = me.beside ? psy__now_ns() : 0;
    if (me.beside && now_ns >= me.beside_due_ns) {
        me.beside_due_ns = now_ns + beside_ns;
        (void)work_beside(me.beside);
    }
}

/* Rows on their way: loading stops where the service is stopped. `told`: how many of the resident were told before. */
static psy_status look_at_loading(void *told, const char *resident, uint64_t rows, uint64_t all)
{
    uint64_t *last = told;
    (void)resident;
    (void)all;
    beat();
    serve_beside();
    atomic_fetch_add_explicit(&me.order.shared->rows, rows > *last ? rows - *last : 0, memory_order_relaxed);
    *last = rows;
    return stopped() ? psy_fail(PSY_CLOSED, "the service was stopped") : PSY_OK;
}

/* The last snapshot, if there is one. */
static psy_status restore(psy_worker *worker, uint32_t shard)
{
    const char *folder = me.order.options->snapshot;
    const uint64_t start_ns = psy__now_ns();
    psy_status status = folder ? psy_worker_restore(worker, folder) : PSY_NOT_FOUND;
    if (status == PSY_OK) {
        psy_worker_counts counts;
        psy_worker_get_counts(worker, &counts);
        psy__log(&me.log, PSY_LOG_INFO, "data.restored", PSY_NUMBER("shard", shard), PSY_NUMBER("version", counts.data_version),
                 PSY_NUMBER("ms", (psy__now_ns() - start_ns) / 1000000));
    }
    return status == PSY_NOT_FOUND ? PSY_OK : status;
}

static psy_status load(psy_worker *worker, uint32_t shard)
{
    psy_worker_part part;
    psy_worker_get_part(worker, &part);
    if (part.moves) {
        return PSY_OK; /* other shards have them */
    }
    psy_status status = restore(worker, shard);
    for (uint32_t i = 0; status == PSY_OK && i < me.order.served->data_count; i++) {
        const psy_rows rows = me.order.served->data[i].rows;
        const uint64_t start_ns = psy__now_ns();
        if (psy_worker_has(worker, rows.resident)) {
            continue;
        }
        pthread_mutex_lock(&me.loading);
        status = psy_worker_load(worker, &rows);
        pthread_mutex_unlock(&me.loading);
        if (status == PSY_OK) {
            psy__log(&me.log, PSY_LOG_INFO, "data.loaded", PSY_TEXT("resident", rows.resident), PSY_NUMBER("shard", shard),
                     PSY_NUMBER("rows_of_all", rows.rank ? rows.dims[0] : 1),
                     PSY_NUMBER("ms", (psy__now_ns() - start_ns) / 1000000));
        }
    }
    return status;
}

/* Where the rows come from other shards, it serves when they are there. */
static psy_status wait_for_rows(psy_worker *worker)
{
    psy_worker_part part;
    psy_worker_health health = {.ready = 0};
    psy_status status = PSY_OK;
    psy_worker_get_part(worker, &part);
    while (part.moves && status == PSY_OK && !health.ready && !stopped()) {
        beat();
        if (!psy_worker_do_work(worker)) {
            psy_worker_wait(worker, sleep_ns);
        }
        status = psy_worker_status(worker);
        psy_worker_get_health(worker, &health);
    }
    return status;
}

/* The broker has let it go: there are other shards. */
static bool is_dismissed(const psy_worker *worker)
{
    psy_worker_health health;
    psy_worker_get_health(worker, &health);
    return health.draining && health.gone;
}

/* Connected, loaded, and known to the broker. NULL: it failed. */
static psy_worker *create_worker(uint32_t shard)
{
    const psy__serve_options *o = me.order.options;
    uint64_t told = 0;
    const psy_worker_options options = {.uri = o->socket,
                                        .shard = shard,
                                        .engine = o->engine,
                                        .device = o->device,
                                        .max_batch = o->max_batch,
                                        .max_wait_ns = UINT64_C(1000) * o->max_wait_us,
                                        .counters = me.counters,
                                        .log = &me.log.log,
                                        .progress = look_at_loading,
                                        .progress_context = &told,
                                        .agent = {me.beside ? work_beside : NULL, me.beside}};
    psy_worker *worker = NULL;
    psy_status status = psy_worker_create(&options, &worker);
    status = status == PSY_OK ? load(worker, shard) : status;
    status = status == PSY_OK ? psy_worker_start(worker) : status;
    status = status == PSY_OK ? wait_for_rows(worker) : status;
    if (status != PSY_OK) {
        fail_with(status);
        psy_worker_destroy(worker);
        return NULL;
    }
    if (atomic_fetch_add(&me.ready, 1) + 1 == (me.order.role == PSY_ROLE_OF_ALL ? o->shards : 1)) {
        say(PSY_WORD_READY, PSY_OK, psy_worker_describe(worker));
    }
    return worker;
}

static void run_worker(psy_worker *worker)
{
    uint32_t idle = 0;
    while (!stopped()) {
        if (me.order.role == PSY_ROLE_OF_SHARD) {
            beat();
        }
        if (psy_worker_do_work(worker)) {
            idle = 0;
            continue;
        }
        const psy_status status = psy_worker_status(worker);
        if (status == PSY_PEER_DIED && is_dismissed(worker)) {
            return;
        }
        if (status != PSY_OK) {
            fail_with(status);
        } else if (!idles(&idle)) {
            psy_worker_wait(worker, sleep_ns);
        }
    }
}

/* It finishes what it has, and the broker gives it nothing more. */
static void leave(psy_worker *worker)
{
    const uint64_t until_ns = psy__now_ns() + leave_ns;
    psy_worker_drain(worker);
    while (psy_worker_status(worker) == PSY_OK && psy__now_ns() < until_ns) {
        if (!psy_worker_do_work(worker)) {
            psy_worker_wait(worker, leave_ns);
        }
    }
}

/* ---- all in one process ---- */

static void *worker_thread(void *number)
{
    psy_worker *worker = create_worker((uint32_t)(uintptr_t)number);
    if (worker) {
        run_worker(worker);
        if (me.order.role == PSY_ROLE_OF_SHARD) {
            leave(worker);
        }
    }
    psy_worker_destroy(worker);
    return NULL;
}

static bool start_thread(pthread_t *thread, void *(*body)(void *), void *context)
{
    if (pthread_create(thread, NULL, body, context) == 0) {
        return true;
    }
    fail_with(psy_fail(PSY_LIMIT, "a thread cannot be started: raise the limit of processes"));
    return false;
}

/* A worker's requests and all that it hears of come from the broker, so who sleeps for all of them is the broker. */
static void run_on_one_thread(psy_broker *broker, psy_worker **workers, uint32_t count)
{
    const uint64_t wait_ns = me.order.options->max_wait_us ? UINT64_C(1000) * me.order.options->max_wait_us : sleep_ns;
    uint32_t idle = 0;
    while (!stopped()) {
        mind_supervisor(broker);
        uint32_t done = psy_broker_do_work(broker);
        for (uint32_t i = 0; i < count; i++) {
            done += psy_worker_do_work(workers[i]);
        }
        beat();
        if (done) {
            idle = 0;
            continue;
        }
        for (uint32_t i = 0; i < count; i++) {
            const psy_status status = psy_worker_status(workers[i]);
            if (status != PSY_OK) {
                fail_with(status);
            }
        }
        if (!idles(&idle)) {
            psy_broker_wait(broker, wait_ns < sleep_ns ? wait_ns : sleep_ns);
        }
    }
}

static void be_all_on_one_thread(psy_broker *broker)
{
    const uint32_t count = me.order.options->shards;
    psy_worker *workers[PSY_SHARDS_MAX] = {NULL};
    me.beside = broker;
    for (uint32_t i = 0; i < count && !stopped(); i++) {
        workers[i] = create_worker(i);
    }
    me.beside = NULL;
    run_on_one_thread(broker, workers, count);
    for (uint32_t i = 0; i < count; i++) {
        psy_worker_destroy(workers[i]);
    }
}

static void be_all_on_threads(psy_broker *broker)
{
    pthread_t threads[PSY_SHARDS_MAX];
    uint32_t started = 0;
    while (started < me.order.options->shards && start_thread(&threads[started], worker_thread, (void *)(uintptr_t)started)) {
        started++;
    }
    run_broker(broker);
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* ---- the endpoint of metrics ---- */

static bool is_service_ready(void *nothing, char *why, size_t bytes)
{
    const uint32_t serving = atomic_load(&me.order.shared->serving), all = atomic_load(&me.order.shared->children);
    (void)nothing;
    snprintf(why, bytes, "%u of %u processes serve", serving, all);
    return serving == all;
}

static void be_endpoint(void)
{
    const psy__telemetry_options options = {
        .listen = me.order.options->listen, .version = PACKAGE_VERSION, .health = is_service_ready};
    psy__telemetry *telemetry;
    const psy_status status = psy__telemetry_open(&options, &telemetry);
    if (status != PSY_OK) {
        fail_with(status);
        return;
    }
    psy__log(&me.log, PSY_LOG_INFO, "endpoint.ready", PSY_TEXT("address", psy__telemetry_address(telemetry)));
    say(PSY_WORD_READY, PSY_OK, "");
    while (!stopped()) {
        beat();
        sleep_for(100000000);
    }
    psy__telemetry_close(telemetry);
}

/* ---- the process ---- */

static void be_it(void)
{
    const bool has_broker = me.order.role == PSY_ROLE_OF_BROKER || me.order.role == PSY_ROLE_OF_ALL;
    psy_broker *broker = has_broker ? create_broker() : NULL;
    if (me.order.role == PSY_ROLE_OF_ENDPOINT) {
        be_endpoint();
    } else if (me.order.role == PSY_ROLE_OF_SHARD) {
        (void)worker_thread((void *)(uintptr_t)me.order.shard);
    } else if (broker && me.order.role == PSY_ROLE_OF_BROKER) {
        run_broker(broker);
    } else if (broker && me.order.options->agents == PSY_AGENTS_THREADS) {
        be_all_on_threads(broker);
    } else if (broker) {
        be_all_on_one_thread(broker);
    }
    psy_broker_destroy(broker);
}

/* Signals that a terminal sends to all are the supervisor's; it says what is to be done. */
static void set_signals(void)
{
    const struct sigaction stop = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigset_t none;
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGHUP, &ignore, NULL);
    sigaction(SIGUSR1, &ignore, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

_Noreturn void psy__serve_child(const psy__serve_order *order)
{
    char title[16];
    pthread_t listener;
    me.order = *order;
    me.requests.served = order->served;
    me.requests.snapshot_folder = order->options->snapshot;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    set_signals();
    if (getppid() != order->parent) {
        _exit(1);
    }
    snprintf(title, sizeof title, "psyne-%s", order->name);
    prctl(PR_SET_NAME, title);
    psy__log_init(&me.log, &order->shared->log, order->log_fd, order->name);
    if (start_thread(&listener, listen_to_supervisor, NULL)) {
        pthread_detach(listener);
        if (order->role != PSY_ROLE_OF_ENDPOINT) {
            open_counters();
        }
        be_it();
        psy_counters_destroy(me.counters);
    }
    const bool failed = atomic_load(&me.failed);
    if (failed) {
        say(order->role == PSY_ROLE_OF_SHARD && me.status == PSY_PEER_DIED ? PSY_WORD_LOST : PSY_WORD_FAILED, me.status,
            me.why);
    }
    exit(failed);
}
