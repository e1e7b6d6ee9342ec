/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service.h"

#include <errno.h>
#include <psyne/broker.h>
#include <psyne/worker.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "embed.h"
#include "nearest.psy.h"

/* ---- signals ---- */

static psy_broker *running_broker;
static psy_worker *running_worker;
static volatile sig_atomic_t stopping;

static void stop_on_signal(int number)
{
    (void)number;
    stopping = 1;
    if (running_broker) {
        psy_broker_stop(running_broker);
    }
    if (running_worker) {
        psy_worker_stop(running_worker);
    }
}

/* A shard needs this only once it serves: before, the signal may end it where it is, since nothing is left of it but a file of
 * counters, which is cleaned away as any dead process's is. */
static void catch_signals(int interrupt)
{
    struct sigaction action = {.sa_handler = stop_on_signal};
    sigaction(SIGTERM, &action, NULL);
    if (interrupt) {
        sigaction(SIGINT, &action, NULL);
    }
}

/* ---- counters ---- */

psy_counters *service_counters(void)
{
    enum { ROWS = 512 }; /* of a broker with 64 clients, 64 shards and some pipelines */
    psy_counters *counters;
    if (psy_counters_create(NULL, ROWS, &counters) == PSY_OK) {
        return counters;
    }
    fprintf(stderr, "nearest: nothing is counted: %s\n", psy_detail());
    return NULL;
}

/* ---- the broker ---- */

static int run_broker(const service_options *o, int interrupt, char *error, size_t error_bytes)
{
    catch_signals(interrupt);
    psy_module *module;
    if (psy_module_open(o->module, &module) != PSY_OK) {
        snprintf(error, error_bytes, "%s", psy_detail());
        return 1;
    }
    psy_counters *counters = o->count ? service_counters() : NULL;
    psy_broker_options options = {.uri = o->uri, .module = module, .shards = o->shards, .counters = counters};
    psy_status status = psy_broker_create(&options, &running_broker);
    if (status == PSY_OK) {
        if (o->verbose) {
            fprintf(stderr, "the broker serves %s, for %u shards\n", o->uri, o->shards);
        }
        if (stopping) { /* before there was a broker to stop */
            psy_broker_stop(running_broker);
        }
        psy_broker_run(running_broker);
        psy_broker *broker = running_broker;
        running_broker = NULL;
        psy_broker_destroy(broker);
    } else {
        snprintf(error, error_bytes, "%s", psy_detail());
    }
    psy_counters_destroy(counters);
    psy_module_close(module);
    return status == PSY_OK ? 0 : 1;
}

/* ---- a shard ---- */

enum { NO_ENGINE = 3 }; /* the exit status of a shard that has no such engine; other failures are 1 */

/* Rows are words, in the order of the list; a shard is asked for its own only. */
static psy_status fill_row(void *context, uint64_t row, void *out)
{
    const words *w = context;
    embed(w->word[row], out, NEAREST_DIM);
    return PSY_OK;
}

static psy_status row_key(void *context, uint64_t row, uint64_t *key)
{
    const words *w = context;
    *key = words_key(w->word[row]);
    return PSY_OK;
}

static psy_status load(psy_worker *worker, const words *w)
{
    psy_rows rows = {
        .resident = "words", .rank = 2, .dims = {w->count, NEAREST_DIM}, .fill = fill_row, .context = (void *)(uintptr_t)w};
    psy_status status = psy_worker_load(worker, &rows);
    if (status == PSY_OK) {
        status = psy_worker_load_texts(worker, "spelling", w->word, w->count);
    }
    if (status == PSY_OK) {
        rows.resident = "stored";
        rows.key = row_key;
        status = psy_worker_load(worker, &rows);
    }
    return status;
}

static int run_shard(const service_options *o, uint32_t number, int interrupt, char *error, size_t error_bytes)
{
    psy_module *module;
    if (psy_module_open(o->module, &module) != PSY_OK) {
        snprintf(error, error_bytes, "%s", psy_detail());
        return 1;
    }
    psy_counters *counters = o->count ? service_counters() : NULL;
    psy_worker_options options = {
        .uri = o->uri, .module = module, .shard = number, .engine = o->engine, .device = o->device, .counters = counters};
    psy_worker *worker = NULL;
    psy_status status = psy_worker_create(&options, &worker);
    if (status == PSY_OK) {
        status = load(worker, o->words);
        status = status == PSY_OK ? psy_worker_start(worker) : status;
        if (status == PSY_OK) {
            if (o->verbose) {
                fprintf(stderr, "shard %u: %s\n", number, psy_worker_describe(worker));
            }
            running_worker = worker;
            catch_signals(interrupt);
            status = psy_worker_run(worker);
            running_worker = NULL;
        }
    }
    if (status != PSY_OK) {
        snprintf(error, error_bytes, "shard %u: %s", number, psy_detail());
    }
    psy_worker_destroy(worker);
    psy_counters_destroy(counters);
    psy_module_close(module);
    return status == PSY_NO_DEVICE || status == PSY_UNSUPPORTED ? NO_ENGINE : status != PSY_OK;
}

/* ---- the service inside of its client ---- */

int service_here(const service_options *o, psy_service **out, char *error, size_t error_bytes)
{
    static const uint64_t patience_ns = 60000000000; /* for shards that others start */
    psy_module *module = NULL;
    psy_service *s = NULL;
    psy_status status = psy_module_open(o->module, &module);
    psy_service_options options = {.broker = {.uri = o->uri, .module = module, .shards = o->shards},
                                   .worker = {.engine = o->engine, .device = o->device},
                                   .workers_elsewhere = o->uri != NULL};
    status = status == PSY_OK ? psy_service_create(&options, &s) : status;
    for (uint32_t i = 0; status == PSY_OK && !o->uri && i < o->shards; i++) {
        status = load(psy_service_worker(s, i), o->words);
    }
    status = status == PSY_OK ? psy_service_start(s, patience_ns) : status;
    psy_module_close(module); /* the service holds it */
    if (status != PSY_OK) {
        snprintf(error, error_bytes, "%s", psy_detail());
        psy_service_destroy(s);
        return -1;
    }
    *out = s;
    return 0;
}

static int said(int status, const char *error)
{
    if (status) {
        fprintf(stderr, "nearest: %s\n", error);
    }
    return status;
}

int serve(const service_options *options)
{
    char error[600] = "";
    return said(run_broker(options, 1, error, sizeof error), error);
}

int shard(const service_options *options, uint32_t number)
{
    char error[600] = "";
    return said(run_shard(options, number, 1, error, sizeof error) != 0, error);
}

/* ---- all of them ---- */

/* What a process leaves for the one that started it: shared between them. */
typedef struct note {
    char text[600];
} note;

struct service {
    pid_t broker, shards[SHARDS_MAX], killer;
    uint32_t shard_count;
    int count;
    note *notes; /* the broker's, then the shards' */
};

/* In the child: 0. It ends with the process that started it, also when that one is killed. */
static pid_t fork_off(void)
{
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        signal(SIGINT, SIG_IGN); /* the terminal's ctrl-C goes to the parent, which stops the rest */
        signal(SIGTERM, SIG_DFL);
    }
    return pid;
}

/* The broker, or a shard from 0. */
static pid_t start(const service_options *o, int number, note *n)
{
    pid_t pid = fork_off();
    if (pid == 0) {
        int status =
            number < 0 ? run_broker(o, 0, n->text, sizeof n->text) : run_shard(o, (uint32_t)number, 0, n->text, sizeof n->text);
        fflush(NULL);
        _exit(status);
    }
    return pid;
}

int service_start(const service_options *options, service **out, char *error, size_t error_bytes)
{
    service *s = calloc(1, sizeof *s);
    if (s) {
        s->notes = mmap(NULL, sizeof(note) * (SHARDS_MAX + 1), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    }
    if (!s || s->notes == MAP_FAILED) {
        snprintf(error, error_bytes, "no memory");
        free(s);
        return -1;
    }
    s->count = options->count;
    s->broker = start(options, -1, &s->notes[0]);
    for (uint32_t i = 0; s->broker > 0 && i < options->shards; i++) {
        s->shards[i] = start(options, (int)i, &s->notes[1 + i]);
        s->shard_count += s->shards[i] > 0;
    }
    if (s->shard_count != options->shards) {
        snprintf(error, error_bytes, "a process cannot be started: %s", strerror(errno));
        service_stop(s);
        return -1;
    }
    *out = s;
    return 0;
}

/* As service_check, of one process. */
static int check(pid_t *pid, const note *n, const char *name, char *error, size_t error_bytes)
{
    int status;
    if (*pid <= 0 || waitpid(*pid, &status, WNOHANG) != *pid) {
        return 0;
    }
    *pid = 0;
    if (n->text[0]) {
        snprintf(error, error_bytes, "%.599s", n->text);
    } else if (WIFSIGNALED(status)) {
        snprintf(error, error_bytes, "%s was killed by signal %d", name, WTERMSIG(status));
    } else {
        snprintf(error, error_bytes, "%s ended with status %d", name, WEXITSTATUS(status));
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == NO_ENGINE ? SERVICE_NO_ENGINE : -1;
}

int service_check(service *s, char *error, size_t error_bytes)
{
    char name[32];
    for (uint32_t i = 0; i < s->shard_count; i++) {
        snprintf(name, sizeof name, "shard %u", i);
        int status = check(&s->shards[i], &s->notes[1 + i], name, error, error_bytes);
        if (status) {
            return status;
        }
    }
    return check(&s->broker, &s->notes[0], "the broker", error, error_bytes);
}

void service_kill_later(service *s, uint32_t milliseconds)
{
    pid_t victim = s->shards[0];
    if (victim > 0 && (s->killer = fork_off()) == 0) {
        usleep(milliseconds * 1000);
        kill(victim, SIGKILL);
        _exit(0);
    }
}

static void stop_one(pid_t pid)
{
    if (pid <= 0) {
        return;
    }
    kill(pid, SIGTERM);
    for (int i = 0; i < 500; i++) {
        if (waitpid(pid, NULL, WNOHANG) != 0) {
            return;
        }
        usleep(10000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void service_stop(service *s)
{
    if (!s) {
        return;
    }
    stop_one(s->killer); /* before the process id that it holds can be another's */
    for (uint32_t i = 0; i < s->shard_count; i++) {
        stop_one(s->shards[i]);
    }
    stop_one(s->broker);
    if (s->count) {
        (void)!psy_counters_clean(NULL, NULL); /* of those that were killed */
    }
    munmap(s->notes, sizeof(note) * (SHARDS_MAX + 1));
    free(s);
}
