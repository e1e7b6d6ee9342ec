/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of a source through a channel, and its replies into a sink, in the order of the requests: what `psyne call` and
 * `psyne run` have in common. */
#ifndef PSY_COMMAND_EXCHANGE_H
#define PSY_COMMAND_EXCHANGE_H

#include <psyne/channel.h>

#include <psyne/module.h>

#include "command/sink.h"
#include "command/source.h"

typedef struct psy__exchange {
    psy_channel *channel;
    psy_pipeline pipeline;
    uint32_t in_flight; /* the channel's own limit is as large */
    uint32_t repeat;    /* rounds more, whose time is said; 0: none */
    bool trace;         /* has the service tell of every request, but not of repeated ones, and says by which id */
    const char *peer;   /* what errors name; NULL: nobody */
    /* Lets the service work, where it is in this thread; NULL: it works by itself, and is waited for. */
    void (*work)(void *context);
    void *context;
    uint64_t number; /* of the request that was sent last */
} psy__exchange;

/* The pipeline's messages, by what the module says of it. `name`: also "program/pipeline" and "program@2/pipeline", of which
 * the module knows the last part. NOT_FOUND: the detail says which there are. */
PSY_NODISCARD psy_status psy__pipeline_types(const psy_module *module, const char *name, psy_type *request, psy_type *reply);

/* The module that has the pipeline: a file, or where `path` is NULL the service's own word, over a channel of its own. Statuses
 * of psy_module_open; of psy_channel_connect and psy_channel_describe. */
PSY_NODISCARD psy_status psy__pipeline_module(const char *path, const char *uri, const char *name, uint32_t connect_ms,
                                              psy_module **out);

/* What goes wrong is said by the sink, and counts in its exit status. */
void psy__exchange_run(psy__exchange *x, const psy__source *source, psy__sink *sink);

#endif
