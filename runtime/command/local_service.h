/* SPDX-License-Identifier: Apache-2.0 */
/* A service inside this thread: broker, workers and a channel to them, with the resident data of all shards. What splits,
 * merges and groups messages is what a service has; nobody else can connect.
 *
 *   psy__local_service s;
 *   if (psy__local_service_open(&s, &options) == PSY_OK) {
 *       ... psy_channel_claim(s.channel, &s.pipeline, &call) ...
 *       psy__local_service_work(&s);                  // until the reply is there
 *   }
 *   psy__local_service_close(&s);
 */
#ifndef PSY_COMMAND_LOCAL_SERVICE_H
#define PSY_COMMAND_LOCAL_SERVICE_H

#include <psyne/channel.h>
#include <psyne/service.h>

#include "engine/engine.h"

/* Rows of a resident: --data and --keys. */
typedef struct psy__local_data {
    char *name;
    const char *file, *keys; /* keys: NULL where there are none */
} psy__local_data;

typedef struct psy__local_options {
    const psy_module *module;
    const char *pipeline;
    psy_type request, reply;
    uint32_t shards, in_flight, max_batch;
    const char *engine, *device;
    const psy__local_data *data;
    uint32_t data_count;
    const psy__tracer *tracers; /* one for each shard; NULL: nobody looks */
} psy__local_options;

typedef struct psy__local_service {
    psy_service *service;
    psy_channel *channel;
    psy_pipeline pipeline;
} psy__local_service;

/* Statuses of psy__rows_open, psy_service_create, _load and _start, psy_channel_connect and _open. Where it fails there is
 * nothing to close. Blocks; allocates. */
PSY_NODISCARD psy_status psy__local_service_open(psy__local_service *s, const psy__local_options *options);
/* A round of everybody. */
void psy__local_service_work(void *service);
void psy__local_service_close(psy__local_service *s);

#endif
