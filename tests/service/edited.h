/* SPDX-License-Identifier: Apache-2.0 */
/* What the data of a service should be, version by version: simple arrays that are changed as the service is, and what its
 * pipelines (edits.hrm) answer of them. */
#ifndef PSY_TESTS_SERVICE_EDITED_H
#define PSY_TESTS_SERVICE_EDITED_H

#include <psyne/broker.h>
#include <psyne/channel.h>
#include <psyne/worker.h>

#include "tests/service/gen/edits.psy.h"
#include "tests/test.h"

enum { EDITED_DIM = 4, EDITED_ROOM = 512, EDITED_VERSIONS = 64, EDITED_TEXT = 12, EDITED_CALLS = 64 };
#define EDITED_MODULE PSY_BUILD_DIR "/tests/service/gen/edits.psm"

/* One version of the data; all numbers are whole, so that sums are exact. */
typedef struct edited_data {
    uint64_t version;
    uint32_t rows, weights, kept, titles;
    float row[EDITED_ROOM][EDITED_DIM], mark[EDITED_ROOM];
    float weight[EDITED_ROOM][EDITED_DIM];
    uint64_t key[EDITED_ROOM];
    float value[EDITED_ROOM][EDITED_DIM];
    char title[EDITED_ROOM][EDITED_TEXT];
} edited_data;

typedef struct edited_call {
    bool out;
    uint32_t pipeline;
    uint64_t key, oldest; /* the version that was made when it was sent */
    float vector[EDITED_DIM];
} edited_call;

enum { EDITED_SUMS = 0, EDITED_BEST, EDITED_KEPT, EDITED_TITLE, EDITED_PIPELINES };

typedef struct edited {
    edited_data *data;      /* the last EDITED_VERSIONS, and the first, with which workers begin */
    uint64_t made, pending; /* the last version that was made, and that may have been */
    uint64_t random;
    psy_channel *channel;
    psy_pipeline pipelines[EDITED_PIPELINES];
    edited_call calls[EDITED_CALLS];
    uint64_t answered[EDITED_PIPELINES], failed, missing, newest; /* newest: that an answer has seen */
    psy_agent agent;                                              /* of the channel, while it waits */
    bool may_fail;                                                /* answers may be PEER_DIED: workers die */
} edited;

/* Version 1. */
void edited_init(edited *e, uint64_t seed);
void edited_fini(edited *e);
uint64_t edited_random(edited *e, uint64_t below);
edited_data *edited_at(const edited *e, uint64_t version);

/* Loads what version 1 has. */
void edited_load(const edited *e, psy_worker *worker);
void edited_connect(edited *e, const char *uri, uint32_t in_flight);

/* Sends as much as may be in flight, takes what has come, and checks it. */
void edited_serve(edited *e);
/* Until nothing is out. */
void edited_settle(edited *e);

/* A random set of edits that is right: `edits` (at most 16) point into memory that lasts until the next call. The version that
 * it makes is `pending` from now on. Returns how many. */
uint32_t edited_change(edited *e, psy_edit *edits);
/* The pending version is made, or is not. */
void edited_made(edited *e, bool made);
/* One that cannot be, of many kinds: *status is what it ends in. Nothing changes. */
uint32_t edited_mistake(edited *e, psy_edit *edits, psy_status *status);

#endif
