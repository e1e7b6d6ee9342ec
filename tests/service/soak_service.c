/* SPDX-License-Identifier: Apache-2.0 */
/* Broker and workers of the soak. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <psyne/broker.h>
#include <psyne/worker.h>

#include "base/clock.h"
#include "tests/service/served_values.h"
#include "tests/service/soak_data.h"

static volatile sig_atomic_t swaps_wanted;

static void swap(int number)
{
    (void)number;
    swaps_wanted++;
}

/* What clients and workers that are killed at any moment must not make a broker say: that one broke the protocol or its ring,
 * or that memory ran out; edits are refused where workers died of them, and nothing else. */
static void hear(void *context, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count)
{
    soak_shared *shared = context;
    bool killed = strcmp(event, "worker.died") == 0 || strcmp(event, "request.failed") == 0;
    shared->traced += strncmp(event, "trace.", 6) == 0;
    bool refused = false;
    const char *why = "";
    for (uint32_t i = 0; i < count; i++) {
        why = fields[i].text ? fields[i].text : why; /* the last text says why */
        refused |= strcmp(event, "data.refused") == 0 && strcmp(fields[i].key, "status") == 0 &&
                   strcmp(fields[i].text, "PEER_DIED") != 0;
    }
    if ((level == PSY_LOG_ERROR && !killed) || refused || strcmp(event, "client.dropped") == 0 ||
        strcmp(event, "program.refused") == 0) {
        soak_complain(shared, "the broker tells of %s: %s", event, why);
    }
}

int soak_broker(soak_shared *shared, const char *uri)
{
    static const char *const files[] = {PROGRAM_FILE("v1"), PROGRAM_FILE("v2"), PROGRAM_FILE("v3")};
    psy_module *modules[3];
    psy_log log = {.write = hear, .context = shared, .least = PSY_LOG_DEBUG};
    psy_broker *broker;
    uint64_t ticket = 0;
    int swapped = swaps_wanted;
    signal(SIGUSR1, swap);
    shared->begun = shared->made = soak_moment((shared->begun >> 32) + 1, 0);
    shared->kept = 0;
    shared->ready = false;
    for (int i = 0; i < 3; i++) {
        if (psy_module_open(files[i], &modules[i]) != PSY_OK) {
            soak_complain(shared, "%s", psy_detail());
            return 1;
        }
    }
    psy_broker_options o = {
        .uri = uri, .module = modules[0], .shards = SOAK_SHARDS, .in_flight = 1024, .log = &log, .client_programs = 2};
    if (psy_broker_create(&o, &broker) != PSY_OK) {
        soak_complain(shared, "no broker: %s", psy_detail());
        return 1;
    }
    while (!soak_ended) {
        if (psy_broker_do_work(broker) == 0) {
            psy_broker_counts counts;
            psy_broker_health health;
            psy_broker_get_counts(broker, &counts);
            psy_broker_get_health(broker, &health);
            shared->ready = health.ready;
            shared->kept = (uint32_t)counts.data_version - 1;
            psy_broker_wait(broker, 20000000);
        }
        psy_status status = ticket ? psy_broker_program_status(broker, ticket) : PSY_OK;
        if (status != PSY_OK && status != PSY_EMPTY) {
            soak_complain(shared, "a program was refused: %s", psy_status_text(status));
            status = PSY_OK;
        }
        if (status == PSY_OK && ticket) {
            shared->swapped++;
            ticket = 0;
        }
        if (swapped != swaps_wanted && !ticket) {
            psy_program next = {.module = modules[++swapped % 3], .replace = 1};
            if (psy_broker_add_program(broker, &next, &ticket) != PSY_OK) {
                soak_complain(shared, "no new program: %s", psy_detail());
            }
            shared->swaps++;
        }
    }
    psy_broker_destroy(broker);
    for (int i = 0; i < 3; i++) {
        psy_module_close(modules[i]);
    }
    return 0;
}

/* What a worker may hear while brokers go and come. */
static bool may_come(psy_status status)
{
    return status == PSY_UNREACHABLE || status == PSY_TIMEOUT || status == PSY_PEER_DIED || status == PSY_CLOSED ||
           status == PSY_LIMIT; /* the one before is not yet seen to be dead */
}

int soak_worker(soak_shared *shared, const char *uri, uint32_t shard)
{
    psy_rows rows[] = {
        {.resident = "rows", .rank = 2, .dims = {SERVED_ROWS, SERVED_DIM}, .fill = served_fill},
        {.resident = "kept", .rank = 2, .dims = {SERVED_KEPT, SERVED_DIM}, .fill = served_fill, .key = served_key_of}};
    while (!soak_ended) {
        psy_worker_options o = {.uri = uri, .shard = shard, .engine = "cpu", .connect_timeout_ns = 500000000};
        psy_worker *worker = NULL;
        psy_status status = psy_worker_create(&o, &worker);
        for (int i = 0; i < 2 && status == PSY_OK; i++) {
            status = psy_worker_load(worker, &rows[i]);
        }
        if (status == PSY_OK) {
            status = psy_worker_start(worker);
        }
        if (status == PSY_OK) {
            shared->services[shard]++;
            while (!soak_ended && (status = psy_worker_status(worker)) == PSY_OK) {
                if (psy_worker_do_work(worker) == 0) {
                    psy_worker_wait(worker, 20000000);
                }
            }
        }
        if (status != PSY_OK && !may_come(status)) {
            soak_complain(shared, "worker %u: %s: %s", shard, psy_status_name(status), psy_detail());
        }
        psy_worker_destroy(worker);
        usleep(status == PSY_OK ? 0 : 5000);
    }
    return 0;
}
