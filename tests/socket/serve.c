/* SPDX-License-Identifier: Apache-2.0 */
/* serve URI MODULE: a service of that module, of one shard and without data, until its standard input ends. For scripts. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <psyne/broker.h>
#include <psyne/worker.h>

static void *run_broker(void *broker)
{
    psy_broker_run(broker);
    return NULL;
}

static void *run_worker(void *worker)
{
    (void)!psy_worker_run(worker);
    return NULL;
}

static int fail(void)
{
    fprintf(stderr, "serve: %s\n", psy_detail());
    return 1;
}

int main(int count, char **arguments)
{
    psy_module *module;
    psy_broker *broker;
    psy_worker *worker;
    pthread_t threads[2];
    char byte;
    if (count != 3) {
        fprintf(stderr, "serve URI MODULE\n");
        return 2;
    }
    if (psy_module_open(arguments[2], &module) != PSY_OK) {
        return fail();
    }
    psy_broker_options b = {.uri = arguments[1], .module = module, .shards = 1};
    psy_worker_options w = {.uri = arguments[1], .module = module};
    if (psy_broker_create(&b, &broker) != PSY_OK) {
        return fail();
    }
    pthread_create(&threads[0], NULL, run_broker, broker);
    if (psy_worker_create(&w, &worker) != PSY_OK || psy_worker_start(worker) != PSY_OK) {
        return fail();
    }
    pthread_create(&threads[1], NULL, run_worker, worker);
    while (read(0, &byte, 1) > 0) {
    }
    psy_worker_stop(worker);
    pthread_join(threads[1], NULL);
    psy_worker_destroy(worker);
    psy_broker_stop(broker);
    pthread_join(threads[0], NULL);
    psy_broker_destroy(broker);
    psy_module_close(module);
    return 0;
}
