/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of channel, broker and workers serve: a module of three pipelines (to all shards, by key, to any) and, in
 * place of the cpu engine, a stand-in that checks what it is given and does what the question asks for: stall, fail, die. */
#ifndef PSY_TESTS_SERVICE_STAND_IN_H
#define PSY_TESTS_SERVICE_STAND_IN_H

#include <stdatomic.h>
#include <stdbool.h>

#include <psyne/message.h>
#include <psyne/module.h>

enum { LANE_ALL, LANE_KEY, LANE_ANY, LANES };

typedef struct question {
    uint64_t header, key, number;
    uint64_t stall_ns; /* the run takes so long; more than a few seconds is noise and no wish */
    uint64_t die;      /* DIE: a run that meets this one kills its process */
    uint64_t status;   /* what the run says of it */
    uint64_t fill[10];
} question;

#define DIE UINT64_C(0x6e6f7720646965) /* no scribbler hits upon it */

typedef struct answer {
    uint64_t header, number, digest;
    uint64_t merged; /* partials; 0 where the route is not ALL */
    uint64_t fill[12];
} answer;

extern psy_module stand_in_module;
extern const char *const lane_names[LANES];
extern const psy_type question_type, answer_type;

/* How many shards the merge expects partials of; 2 unless a test says otherwise before it opens a service. */
extern uint32_t stand_in_shards;
/* What @max_batch says of the pipeline to all shards; 0: nothing. */
void stand_in_limit(uint16_t most);
/* What questions say of stalls is scribbled by somebody, and no wish. */
extern _Atomic bool stand_in_never_stalls;
/* Memory that a client hands over cannot be attached, as where a device cannot map it. */
extern _Atomic bool stand_in_refuses_memory;
/* Memory that is attached now: three slabs of each worker's own, and those of its clients. */
extern _Atomic int stand_in_attached;
/* Programs that are bound now; how many more can be (-1: any number). */
extern _Atomic int stand_in_bound, stand_in_binds_left;

uint64_t digest(const question *q);

#endif
