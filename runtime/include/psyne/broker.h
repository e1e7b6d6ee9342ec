/* SPDX-License-Identifier: Apache-2.0 */
/* The broker: drains the clients' request rings in batches and scatters to the shards; owns deadlines and failures.
 *
 *   psy_broker_options options = {.uri = "ipc:///run/nearest.sock", .module = module, .shards = 2};
 *   psy_broker *broker;
 *   psy_broker_create(&options, &broker);
 *   psy_broker_run(broker);                 // or psy_broker_do_work in a loop of your own
 *   psy_broker_destroy(broker);
 *
 * An agent: it owns no thread. A client that dies, lies or stalls costs its own connection and nothing else. Workers are the
 * service's own, and answer in its name: one that dies or stalls costs the requests that it holds, which end in PEER_DIED or
 * TIMEOUT, until another one takes its place; one that lies can spoil answers, but not bring down the broker or another worker.
 *
 * Thread safety: a broker belongs to one thread at a time; psy_broker_stop may be called from any thread or signal handler.
 */
#ifndef PSYNE_BROKER_H
#define PSYNE_BROKER_H

#include <stdint.h>

#include <psyne/counters.h>
#include <psyne/log.h>
#include <psyne/module.h>
#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct psy_broker psy_broker;

typedef struct psy_broker_options {
    const char *uri;          /* ipc:///path or inproc://name */
    const psy_module *module; /* outlives the broker */
    uint32_t shards;          /* 1 .. 64; 0 = 1 */
    uint32_t in_flight;       /* requests inside the service at most; 0 = 4096 */
    uint32_t clients;         /* connections at most; 0 = 64 */
    /* Where it counts: two rows, three for each shard and client, nine for each pipeline; outlives the broker. What gets no row
     * goes uncounted. NULL: nothing is counted. */
    psy_counters *counters;
    const psy_log *log; /* outlives the broker; NULL: nobody is told */
} psy_broker_options;

typedef struct psy_broker_counts {
    uint64_t requests;           /* accepted from clients */
    uint64_t refused;            /* malformed or unroutable: answered with an error */
    uint64_t timeouts, failures; /* answered for shards that were late, or dead */
    uint64_t scatter_bytes;      /* payload bytes copied into shard rings */
    uint32_t clients, shards_ready, in_flight;
    uint32_t uncounted; /* rings and other things that got no row of the counters */
} psy_broker_counts;

/* Binds the address and makes the service's slabs. INVALID, DENIED, IO (address in use), NO_MEMORY. Allocates. */
PSY_NODISCARD psy_status psy_broker_create(const psy_broker_options *options, psy_broker **out);

/* One round: connections, requests, completions, deadlines. Returns how many things it did; never blocks. */
uint32_t psy_broker_do_work(psy_broker *broker);

/* Sleeps until there may be work, at most timeout_ns. */
void psy_broker_wait(psy_broker *broker, uint64_t timeout_ns);

/* Works until stopped: spins briefly when idle, then sleeps. */
void psy_broker_run(psy_broker *broker);
/* Makes run return. Async-signal-safe. */
void psy_broker_stop(psy_broker *broker);

void psy_broker_get_counts(const psy_broker *broker, psy_broker_counts *out);

/* Closes all connections. NULL is allowed. */
void psy_broker_destroy(psy_broker *broker);

#ifdef __cplusplus
}
#endif
#endif
