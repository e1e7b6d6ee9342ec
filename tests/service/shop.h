/* SPDX-License-Identifier: Apache-2.0 */
/* A service of shop.hrm: the module as psynec compiled it, the cpu engine as it is, threads of the test. */
#ifndef PSY_TESTS_SERVICE_SHOP_H
#define PSY_TESTS_SERVICE_SHOP_H

#include <pthread.h>

#include <psyne/broker.h>
#include <psyne/channel.h>
#include <psyne/worker.h>

#include "tests/service/gen/shop.psy.h"
#include "tests/test.h"

enum { SHOP_SHARDS_ROOM = 16 };
static const uint64_t second_ns = 1000000000;

#define SHOP_MODULE PSY_BUILD_DIR "/tests/service/gen/shop.psm"

typedef struct shop {
    char uri[64];
    uint32_t shards;
    uint64_t rows, kept;
    psy_module *module;
    psy_broker *broker;
    psy_worker *workers[SHOP_SHARDS_ROOM];
    pthread_t threads[SHOP_SHARDS_ROOM], broker_thread;
    psy_broker_counts counts; /* the broker's, once the shop is closed */
} shop;

/* Row `row` of `rows` and `kept`: value(row, d) for each d. Whole numbers: sums are exact. */
float shop_value(uint64_t row, uint32_t d);
uint64_t shop_key(uint64_t row);

/* The residents as a caller would give them. */
psy_rows shop_rows(const shop *s);
psy_rows shop_kept(const shop *s);
psy_rows shop_weights(void);

/* Opens module and broker. */
/* Whether requests to all shards go by reference: with every other number of them. The engine has them in memory then that it
 * cannot write. */
static inline bool shop_refers(uint32_t shards) { return shards % 2 == 0; }
shop shop_open(const char *uri, uint32_t shards, uint64_t rows, uint64_t kept);
shop shop_open_module(const char *module, const char *uri, uint32_t shards, uint64_t rows, uint64_t kept);
/* A worker that is not loaded. */
psy_worker *shop_worker(const shop *s, uint32_t shard);
/* Loads and runs all workers. */
void shop_run(shop *s);
/* Stops everything that was opened; workers' counts, if wanted, are added up. */
void shop_close(shop *s, psy_worker_counts *sum);

#endif
