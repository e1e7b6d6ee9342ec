/* SPDX-License-Identifier: Apache-2.0 */
/* A service inside of its caller: a broker and its workers on the caller's thread, which works for them where it waits. There
 * is no other thread, and no process.
 *
 *   psy_service *service;
 *   psy_service_options options = {.broker = {.module = module, .shards = 2}, .worker = {.engine = "cpu"}};
 *   psy_service_create(&options, &service);
 *   psy_service_load(service, &rows);                              // each worker takes the rows of its shard
 *   psy_service_start(service);
 *   psy_channel_options here = {.agent = psy_service_agent(service)};
 *   psy_channel_connect(psy_service_uri(service), &here, &channel);
 *   ... as with any service: calls, waits and polls ...
 *   psy_channel_close(channel);
 *   psy_service_destroy(service);
 *
 * Who serves others from this thread too gives the broker an ipc address, and works in a loop:
 *
 *   while (!done)
 *       if (psy_service_do_work(service) == 0)
 *           psy_service_wait(service, 1000000);
 *
 * With `workers_elsewhere` only the broker is here: workers of other processes join its address, and requests go from this
 * thread into their rings, with no other process between. Which of these to take: doc/modes.md.
 *
 * Thread safety: a service belongs to one thread at a time.
 */
#ifndef PSYNE_SERVICE_H
#define PSYNE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <psyne/agent.h>
#include <psyne/broker.h>
#include <psyne/status.h>
#include <psyne/worker.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct psy_service psy_service;

typedef struct psy_service_options {
    psy_broker_options broker; /* uri: NULL: a name of its own that only this process can reach */
    psy_worker_options worker; /* of every shard. The service sets uri, shard, module, programs and agent: leave them zero */
    bool workers_elsewhere;    /* the broker alone; then the broker needs a uri that the workers can reach */
    /* The library's own, for `psyne run --trace`: one for each shard. NULL: nobody looks. */
    const struct psy__tracer *tracers;
} psy_service_options;

/* Makes the broker and joins a worker for each shard. Statuses of psy_broker_create and psy_worker_create; INVALID. Blocks
 * while engines are opened; allocates. */
PSY_NODISCARD psy_status psy_service_create(const psy_service_options *options, psy_service **out);

/* Loads one resident, or resident texts, into all shards. Statuses of psy_worker_load; UNSUPPORTED where the workers are
 * elsewhere. Blocks; allocates. */
PSY_NODISCARD psy_status psy_service_load(psy_service *service, const psy_rows *rows);
PSY_NODISCARD psy_status psy_service_load_texts(psy_service *service, const char *resident, const char *const *texts,
                                                uint64_t count);

/* psy_worker_restore of all shards. Blocks; allocates. */
PSY_NODISCARD psy_status psy_service_restore(psy_service *service, const char *folder);

/* Every resident is loaded: binds sizes, and works until all shards are ready; where the workers are elsewhere, until they have
 * come. TIMEOUT after timeout_ns (0: 10 s) says how many have not; or statuses of psy_worker_start. Blocks; allocates. */
PSY_NODISCARD psy_status psy_service_start(psy_service *service, uint64_t timeout_ns);

/* Changes the number of shards, or makes their parts equal again: psy_broker_reshard with workers of this thread. It goes on
 * serving meanwhile, as far as clients of other threads and processes ask; a channel of this thread waits. OK: requests go to
 * the new shards; TIMEOUT after timeout_ns (0: 10 s), or why not (also UNSUPPORTED where the workers are elsewhere: use the
 * broker): the shards are what they were. psy_service_worker gives other workers afterwards. Blocks; allocates. */
PSY_NODISCARD psy_status psy_service_reshard(psy_service *service, uint32_t shards, uint64_t timeout_ns);

/* A round of everybody. Returns how much was done; never blocks. */
uint32_t psy_service_do_work(psy_service *service);

/* Sleeps until there may be work, at most timeout_ns. Beside a channel of this thread it is the channel that waits. */
void psy_service_wait(psy_service *service, uint64_t timeout_ns);

/* OK while all workers here serve; else why one does not: see psy_worker_status. */
PSY_NODISCARD psy_status psy_service_status(const psy_service *service);

/* Writes a snapshot and works until it is made: *version, if wanted, is that of its data. TIMEOUT after timeout_ns (0: 60 s; it
 * goes on), statuses of psy_broker_snapshot and psy_broker_snapshot_status. Blocks; allocates. */
PSY_NODISCARD psy_status psy_service_snapshot(psy_service *service, const char *folder, uint64_t timeout_ns, uint64_t *version);

/* For channels and sockets of this thread. Valid until the service is destroyed. */
psy_agent psy_service_agent(psy_service *service);

/* Its address, for these. Valid until it is destroyed. */
const char *psy_service_uri(const psy_service *service);

/* All else that a broker and a worker can do, between rounds. The service's; NULL: no such shard here. */
psy_broker *psy_service_broker(psy_service *service);
psy_worker *psy_service_worker(psy_service *service, uint32_t shard);

/* Closes all connections; channels of this thread first. NULL is allowed. */
void psy_service_destroy(psy_service *service);

#ifdef __cplusplus
}
#endif
#endif
