/* SPDX-License-Identifier: Apache-2.0 */
/* A service of one process, for tests of those who ask it: `serve_one MODULE ADDRESS [counters]`. A broker and a worker, which
 * has nothing loaded. It says "ready", and does what the lines of its input say, each of which it answers with "ok":
 *
 *   stall MS AFTER   the worker does nothing for MS ms once it has run AFTER requests more
 *   die AFTER        the process kills itself then
 *   swap FILE AFTER  the module in the file takes the place of the one that is served, then
 *
 * It ends with its input. Broker and worker share a thread: when one stalls, so does the other. */
#include <psyne/broker.h>
#include <psyne/worker.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static psy_broker *broker;
static psy_counters *counters;

static void check(psy_status status)
{
    if (status != PSY_OK) {
        fprintf(stderr, "serve_one: %s\n", psy_detail());
        exit(1);
    }
}

static void *run_broker(void *nothing)
{
    psy_broker_run(broker);
    return nothing;
}

static uint64_t requests; /* that the worker ran */
static uint64_t stall_at = UINT64_MAX, die_at = UINT64_MAX, swap_at = UINT64_MAX;
static char swap_path[256];
static unsigned stall_ms;

/* False: that was all. */
static bool obey(void)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[512];
    unsigned after = 0;
    if (poll(&p, 1, 0) <= 0) {
        return true;
    }
    if (!fgets(line, sizeof line, stdin)) {
        return false;
    }
    if (sscanf(line, "stall %u %u", &stall_ms, &after) == 2) {
        stall_at = requests + after;
    } else if (sscanf(line, "die %u", &after) == 1) {
        die_at = requests + after;
    } else if (sscanf(line, "swap %255s %u", swap_path, &after) == 2) {
        swap_at = requests + after;
    }
    puts("ok");
    fflush(stdout);
    return true;
}

static void swap(void)
{
    psy_module *module;
    uint64_t ticket;
    swap_at = UINT64_MAX;
    check(psy_module_open(swap_path, &module));
    check(psy_broker_add_program(broker, &(psy_program){.module = module, .replace = 1}, &ticket));
    psy_module_close(module);
}

static void misbehave(void)
{
    if (requests >= swap_at) {
        swap();
    }
    if (requests >= die_at) {
        raise(SIGKILL);
    }
    if (requests >= stall_at) {
        stall_at = UINT64_MAX;
        nanosleep(&(struct timespec){stall_ms / 1000, (long)(stall_ms % 1000) * 1000000}, NULL);
    }
}

int main(int argc, char **argv)
{
    psy_module *module;
    psy_worker *worker;
    pthread_t thread;
    if (argc < 3) {
        return 2;
    }
    check(psy_module_open(argv[1], &module));
    if (argc > 3) {
        check(psy_counters_create(NULL, 64, &counters));
    }
    setvbuf(stdin, NULL, _IONBF, 0); /* what was read is seen by poll */
    check(
        psy_broker_create(&(psy_broker_options){.uri = argv[2], .module = module, .shards = 1, .counters = counters}, &broker));
    pthread_create(&thread, NULL, run_broker, NULL);
    check(psy_worker_create(&(psy_worker_options){.uri = argv[2], .module = module, .engine = "cpu", .counters = counters},
                            &worker));
    check(psy_worker_start(worker));
    psy_broker_stop(broker);
    pthread_join(thread, NULL);
    puts("ready");
    fflush(stdout);
    while (obey()) {
        const uint32_t routed = psy_broker_do_work(broker), ran = psy_worker_do_work(worker);
        requests += ran;
        misbehave();
        if (routed + ran == 0) {
            psy_worker_wait(worker, 100000);
        }
    }
    psy_worker_destroy(worker);
    psy_broker_destroy(broker);
    psy_counters_destroy(counters);
    psy_module_close(module);
    return 0;
}
