/* SPDX-License-Identifier: Apache-2.0 */
/* A service whose programs change: a broker that the test may speak to between its rounds, workers with data, clients that
 * check which version answered. */
#ifndef PSY_TESTS_SERVICE_SERVED_H
#define PSY_TESTS_SERVICE_SERVED_H

#include <pthread.h>
#include <stdatomic.h>

#include <psyne/broker.h>
#include <psyne/channel.h>
#include <psyne/worker.h>

#include "tests/service/processes.h"
#include "tests/service/served_values.h"
#include "tests/test.h"

enum { SERVED_SHARDS = 8 };
static const uint64_t second_ns = 1000000000;

typedef struct served {
    char uri[96];
    uint32_t shards;
    psy_broker *broker;
    pthread_mutex_t mutex; /* who holds it is the broker's thread */
    pthread_t broker_thread, threads[SERVED_SHARDS];
    psy_worker *workers[SERVED_SHARDS];
    bool running[SERVED_SHARDS];
    _Atomic uint32_t slow_us[SERVED_SHARDS]; /* a worker that takes so long before each round */
    _Atomic bool end, stop[SERVED_SHARDS];
    const psy_log *log; /* of the workers */
    bool without_kept;  /* workers that are loaded now are not given `kept` */
} served;

/* A module that the test closes; a failure fails the test. */
psy_module *open_program(const char *file);

/* The broker, made by `o`. */
void served_open(served *s, const psy_broker_options *o);
/* The rows of `kept`, or of `rows`. */
psy_rows served_rows(bool kept);
/* The data that programs may have, as far as the worker's declare it. */
void served_data(psy_worker *worker, bool with_kept);
/* A worker with data that is not started; it is given no module. */
void served_load(served *s, uint32_t shard);
/* It starts, and has a thread. */
void served_start(served *s, uint32_t shard);
/* Its thread ends: it does nothing any more, but lives. */
void served_halt(served *s, uint32_t shard);
void served_resume(served *s, uint32_t shard);
/* It is gone: its link is closed. */
void served_kill(served *s, uint32_t shard);
/* All workers. */
void served_run(served *s);
void served_close(served *s);

/* On the broker's thread, as it were. */
psy_status served_add(served *s, const psy_module *module, const char *name, uint32_t version, bool replace, uint64_t *ticket);
psy_status served_remove(served *s, const char *name, uint32_t version);
psy_status served_status(served *s, uint64_t ticket);
/* Waits until it is anything but EMPTY. */
psy_status served_await(served *s, uint64_t ticket);
psy_broker_counts served_counts(served *s);
psy_channel *served_connect(const served *s, uint32_t in_flight);
psy_pipeline served_pipeline(psy_channel *channel, const char *name);

/* Asks and returns the version that answered, having checked every number; fails the test otherwise. */
uint32_t served_version(psy_channel *channel, const psy_pipeline *pipeline, const char *name, uint64_t key);
/* The status of a call. */
psy_status served_call(psy_channel *channel, const psy_pipeline *pipeline, uint64_t key);

#endif
