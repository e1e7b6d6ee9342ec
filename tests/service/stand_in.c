/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "service/module_file.h"
#include "tests/service/stand_in.h"

uint32_t stand_in_shards = 2;
_Atomic bool stand_in_refuses_memory, stand_in_never_stalls;
_Atomic int stand_in_attached, stand_in_bound, stand_in_binds_left = -1;
const char *const lane_names[LANES] = {"all", "key", "any"};

enum { SHARD_ALL, MERGE_ALL, WHOLE, PROGRAMS };
typedef struct partial {
    uint64_t number, digest;
    uint64_t fill[6];
} partial;

static const char strings[] = "\0t.Q\0t.H\0t.P\0all\0key\0any";
static const psy_psm_type types[] = {
    {.name = 1, .first_field = 0, .field_count = 1, .bytes = sizeof(question), .layout_hash = 11},
    {.name = 5, .bytes = sizeof(answer), .layout_hash = 22},
    {.name = 9, .bytes = sizeof(partial), .layout_hash = 33},
};
static const psy_psm_field fields[] = {{.name = 17, .dtype = 1, .kind = PSY_FIELD_SCALAR, .count = 1, .offset = 8}};
static psy_psm_pipeline pipelines[] = {
    {13, 0, 1, PSY_ROUTE_ALL, PSY_NONE, SHARD_ALL, MERGE_ALL, 2, .alternatives = 1},
    {17, 0, 1, PSY_ROUTE_KEY, 0, WHOLE, PSY_NONE, PSY_NONE, .alternatives = 1},
    {21, 0, 1, PSY_ROUTE_ANY, PSY_NONE, WHOLE, PSY_NONE, PSY_NONE, .alternatives = 1},
};
psy_module stand_in_module = {.decoded = {.strings = strings,
                                          .strings_bytes = sizeof strings,
                                          .types = types,
                                          .fields = fields,
                                          .pipelines = pipelines,
                                          .type_count = 3,
                                          .field_count = 1,
                                          .pipeline_count = 3,
                                          .program_count = PROGRAMS,
                                          .hash = 4711}};
const psy_type question_type = {.name = "t.Q", .layout_hash = 11, .bytes = sizeof(question)};
const psy_type answer_type = {.name = "t.H", .layout_hash = 22, .bytes = sizeof(answer)};

uint64_t digest(const question *q) { return q->number * UINT64_C(0x9e3779b97f4a7c15) ^ q->key; }

/* ---- the stand-in ---- */

typedef struct executable {
    psy__executable base;
    uint32_t program;
    uint64_t partial_stride;
} executable;

static psy_status fake_open(const psy__engine_options *options, psy__engine **out)
{
    (void)options;
    *out = calloc(1, sizeof **out);
    (*out)->interface = &psy__engine_cpu;
    return PSY_OK;
}
static void fake_close(psy__engine *e) { free(e); }
static const char *fake_describe(psy__engine *e)
{
    (void)e;
    return "stand-in";
}
static psy_status fake_attach(psy__engine *e, void *base, uint64_t bytes)
{
    (void)e, (void)base, (void)bytes;
    if (stand_in_refuses_memory) {
        return psy_fail(PSY_LIMIT, "the stand-in takes no more memory");
    }
    stand_in_attached++;
    return PSY_OK;
}
static void fake_detach(psy__engine *e, void *base)
{
    (void)e, (void)base;
    stand_in_attached--;
}
static psy_status fake_supports(psy__engine *e, const psy__module *m, uint32_t program)
{
    (void)e, (void)m, (void)program;
    return PSY_OK;
}
static psy_status fake_bind(psy__engine *e, const psy__binding *b, psy__executable **out)
{
    if (stand_in_binds_left == 0) {
        return psy_fail(PSY_INVALID, "the stand-in binds no more programs");
    }
    stand_in_binds_left -= stand_in_binds_left > 0;
    stand_in_bound++;
    executable *x = calloc(1, sizeof *x);
    *x = (executable){{e}, b->program, b->partial_stride};
    *out = &x->base;
    return PSY_OK;
}
static void fake_unbind(psy__executable *x)
{
    stand_in_bound--;
    free(x);
}
static uint64_t fake_copied(psy__engine *e)
{
    (void)e;
    return 0;
}
void stand_in_limit(uint16_t most) { pipelines[LANE_ALL].max_batch = most; }

static psy_status fake_run(psy__executable *x, const psy__batch *b)
{
    const executable *e = (const executable *)x;
    uint64_t stall = 0;
    uint8_t *inputs[PSY_BATCH_MAX];
    if (!psy__spans_take(b->inputs, b->input_spans, b->count, inputs)) {
        return PSY_INVALID;
    }
    for (uint32_t i = 0; i < b->count; i++) {
        const question *q = (const void *)inputs[i];
        if (q->die == DIE) {
            kill(getpid(), SIGKILL);
        }
        stall = q->stall_ns > stall && q->stall_ns < UINT64_C(5000000000) ? q->stall_ns : stall;
    }
    if (stall && !stand_in_never_stalls) {
        usleep((useconds_t)(stall / 1000));
    }
    for (uint32_t i = 0; i < b->count; i++) {
        question q;
        memcpy(&q, inputs[i], sizeof q);
        b->status[i] = (uint8_t)q.status;
        if (e->program == SHARD_ALL) {
            *(partial *)(void *)b->outputs[i].base = (partial){q.number, digest(&q), {0}};
            continue;
        }
        answer *a = (void *)b->outputs[i].base;
        *a = (answer){.number = q.number, .digest = digest(&q)};
        for (uint32_t s = 0; e->program == MERGE_ALL && s < stand_in_shards; s++) {
            const partial *p = (const void *)(b->partials[i].base + s * e->partial_stride);
            if (p->number != q.number || p->digest != digest(&q)) {
                b->status[i] = PSY_CORRUPT;
            }
            a->merged++;
        }
    }
    return PSY_OK;
}
const psy__engine_interface psy__engine_cpu = {"cpu",         fake_open, fake_close, fake_describe, fake_attach, fake_detach,
                                               fake_supports, fake_bind, fake_run,   fake_unbind,   fake_copied};
