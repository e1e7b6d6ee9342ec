/* SPDX-License-Identifier: Apache-2.0 */
/* A service of the stand-in in threads of the test, and clients that check every reply. */
#ifndef PSY_TESTS_SERVICE_AGENTS_H
#define PSY_TESTS_SERVICE_AGENTS_H

#include <pthread.h>

#include <psyne/broker.h>
#include <psyne/channel.h>
#include <psyne/worker.h>

#include "tests/service/processes.h"
#include "tests/service/stand_in.h"
#include "tests/test.h"

enum { SHARDS = 2, SHARDS_ROOM = 64, CLIENTS_ROOM = 8 };
static const uint64_t second_ns = 1000000000;

/* ipc://...: an address of this test's own, in the folder for temporary files. */
const char *own_ipc_address(void);

/* Files of counters in a folder of this test's own, which remove_counters takes away with what dead processes left there. */
void make_counters(char folder[96]);
void remove_counters(const char *folder);
psy_counters *open_counters(const char *folder, const char *name, uint32_t rows);

/* The ring of that label, as the files in the folder have it now; false: none has. *rings, if wanted: how many they have. */
bool find_ring(const char *folder, const char *label, psy_counters_ring_view *out, uint32_t *rings);

typedef struct service {
    char uri[128];
    uint32_t shards;
    psy_counters *counters; /* of the workers to be hired */
    psy_broker *broker;
    psy_worker *workers[SHARDS_ROOM];
    pthread_t threads[SHARDS_ROOM], broker_thread;
} service;

/* Everything that starts fails the test if it does not. Stopping is by the name of what was started. */
service open_broker(const char *uri, uint32_t shards, uint32_t in_flight);
void run_broker_of(service *s); /* one that the test has made itself */
void halt_broker(service *s);   /* its thread ends */
void close_broker(service *s);
void hire(service *s, uint32_t shard, uint32_t max_batch);
void fire(service *s, uint32_t shard);
service open_service(const char *uri, uint32_t in_flight, uint32_t max_batch); /* of SHARDS shards */
void close_service(service *s);

/* A channel with all lanes open. */
psy_channel *open_channel(const char *uri, uint32_t in_flight, uint32_t timeout_ms, psy_pipeline lanes[LANES]);
psy_channel *open_counted_channel(const char *uri, uint32_t in_flight, uint32_t timeout_ms, psy_counters *counters,
                                  psy_pipeline lanes[LANES]);

/* Claims and commits one call: FULL, CLOSED. `user` is the question's number. */
psy_status ask(psy_channel *channel, const psy_pipeline *lane, const question *q);

/* Polls and waits until `n` replies came or the time is over; gives OK ones back after checking that `digests[number - 1]`,
 * where given, is right. Returns how many came; statuses[number - 1] gets each one's status. */
uint32_t take_replies(psy_channel *channel, uint32_t n, uint64_t timeout_ns, psy_status *statuses, const uint64_t *digests);

/* A client that makes `calls` calls over all lanes, as many in flight as it may. */
typedef struct client {
    const char *uri;
    uint32_t in_flight, calls, timeout_ms;
    uint64_t stall_ns; /* for one call in 50 */
    uint32_t ok, timeouts, died, wrong;
    psy_status setup;
} client;

void *run_client(void *one); /* for pthread_create */
void run_clients(client *clients, uint32_t n);

#endif
