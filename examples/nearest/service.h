/* SPDX-License-Identifier: Apache-2.0 */
/* The service: a broker process and a process for each shard. */
#ifndef NEAREST_SERVICE_H
#define NEAREST_SERVICE_H

#include <psyne/counters.h>
#include <psyne/service.h>
#include <stdint.h>

#include "words.h"

enum { SHARDS_MAX = 64, SERVICE_NO_ENGINE = -3 };

typedef struct service_options {
    const char *uri;
    const char *module; /* nearest.psm */
    const char *engine; /* "cpu" or "vulkan" */
    const char *device; /* or NULL */
    uint32_t shards;
    const words *words;
    int verbose;
    int count; /* what goes through the rings, for `psyne counters` to show */
} service_options;

/* The service inside of this process, with no other thread: its broker, and all shards; or where `uri` is not NULL only the
 * broker, for which it waits until all shards have joined that address. For a channel with psy_service_agent. Returns 0, or -1
 * with a message in `error`. */
int service_here(const service_options *options, psy_service **out, char *error, size_t error_bytes);

typedef struct service service;

/* Starts all processes. Returns 0, or -1 with a message in `error`. They end when this process does. */
int service_start(const service_options *options, service **out, char *error, size_t error_bytes);

/* 0 while all processes live; else what happened to the first that does not is in `error`: SERVICE_NO_ENGINE if it is a shard
 * for whose engine this machine has no device, -1 for all else. */
int service_check(service *s, char *error, size_t error_bytes);

/* For tests of failure: kills shard 0 after so many milliseconds, without a word. */
void service_kill_later(service *s, uint32_t milliseconds);

/* A file for what this process counts; NULL, with a word why, where there can be none: the search goes on without. */
psy_counters *service_counters(void);

/* Stops all processes and waits for them. NULL is allowed. */
void service_stop(service *s);

/* The bodies of the processes, for running them by hand: they return an exit status and print what went wrong. */
int serve(const service_options *options);
int shard(const service_options *options, uint32_t number);

#endif
