/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes of a benchmark's service share: the one agent that each of them has, which ends at SIGTERM. Included by
 * one file of a program. */
#ifndef PSY_TESTS_PERF_SERVED_H
#define PSY_TESTS_PERF_SERVED_H

#include <psyne/broker.h>
#include <psyne/worker.h>
#include <signal.h>

#include "tests/perf/bench.h"
#include "tests/perf/process.h"

static psy_broker *served_broker;
static psy_worker *served_worker;

/* Ends the program where it is not OK. */
static inline void served_check(psy_status status)
{
    if (status != PSY_OK) {
        bench_fail("%s", psy_detail());
    }
}

static void served_stop(int number)
{
    (void)number;
    if (served_broker) {
        psy_broker_stop(served_broker);
    }
    if (served_worker) {
        psy_worker_stop(served_worker);
    }
}

/* As process_start; the child's agent stops when it is asked to end. */
static inline process served_start(void)
{
    process child = process_start();
    if (child == 0) {
        struct sigaction action = {.sa_handler = served_stop};
        sigaction(SIGTERM, &action, NULL);
    }
    return child;
}

#endif
