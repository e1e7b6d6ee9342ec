/* SPDX-License-Identifier: Apache-2.0 */
/* A service in a process, for tests of those who call it: `serve_module URI MODULE SHARDS [NAME=FILE[,KEYS]...]`. It says
 * "ready", and ends when its standard input does. */
#include <psyne/broker.h>
#include <psyne/worker.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/rows.h"

enum { SHARDS_MAX = 8 };

static _Noreturn void fail(void)
{
    fprintf(stderr, "serve_module: %s\n", psy_detail());
    exit(1);
}

static void tell(void *context, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count)
{
    char line[1024];
    size_t n = (size_t)snprintf(line, sizeof line, "event %s", event);
    (void)context;
    (void)level;
    for (uint32_t i = 0; i < count && n < sizeof line; i++) {
        n += (size_t)(fields[i].text ? snprintf(line + n, sizeof line - n, " %s=%s", fields[i].key, fields[i].text)
                                     : snprintf(line + n, sizeof line - n, " %s=%" PRIu64, fields[i].key, fields[i].number));
    }
    fprintf(stderr, "%s\n", line);
}

static const psy_log logged = {.write = tell, .least = PSY_LOG_INFO};

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

static void load(psy_worker *worker, const psy_module *module, const char *what)
{
    char name[64], file[256], keys[256] = "";
    psy__rows rows;
    if (sscanf(what, "%63[^=]=%255[^,],%255s", name, file, keys) < 2 ||
        psy__rows_open(module, name, file, *keys ? keys : NULL, &rows) != PSY_OK ||
        psy_worker_load(worker, &rows.rows) != PSY_OK) {
        fail();
    }
    psy__rows_close(&rows);
}

int main(int argc, char **argv)
{
    psy_module *module;
    psy_broker *broker;
    psy_worker *workers[SHARDS_MAX];
    pthread_t broker_thread, threads[SHARDS_MAX];
    if (argc < 4) {
        return 2;
    }
    const uint32_t shards = (uint32_t)atoi(argv[3]);
    if (shards > SHARDS_MAX || psy_module_open(argv[2], &module) != PSY_OK ||
        psy_broker_create(&(psy_broker_options){.uri = argv[1], .module = module, .shards = shards, .log = &logged}, &broker) !=
            PSY_OK ||
        pthread_create(&broker_thread, NULL, run_broker, broker) != 0) {
        fail();
    }
    for (uint32_t i = 0; i < shards; i++) {
        if (psy_worker_create(&(psy_worker_options){.uri = argv[1], .module = module, .shard = i, .log = &logged},
                              &workers[i]) != PSY_OK) {
            fail();
        }
        for (int k = 4; k < argc; k++) {
            load(workers[i], module, argv[k]);
        }
        if (psy_worker_start(workers[i]) != PSY_OK || pthread_create(&threads[i], NULL, run_worker, workers[i]) != 0) {
            fail();
        }
    }
    puts("ready");
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    for (uint32_t i = 0; i < shards; i++) {
        psy_worker_stop(workers[i]);
        pthread_join(threads[i], NULL);
        psy_worker_destroy(workers[i]);
    }
    psy_broker_stop(broker);
    pthread_join(broker_thread, NULL);
    psy_broker_destroy(broker);
    psy_module_close(module);
    return 0;
}
