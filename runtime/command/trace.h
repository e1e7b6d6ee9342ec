/* SPDX-License-Identifier: Apache-2.0 */
/* What programs compute, value by value, for people who look for a wrong one: the operation and what it reads, type and shape,
 * the first elements, least, greatest and mean, and how many are NaN or infinite; with the line of the program that it comes
 * from, and that line's text, where the file is still there.
 *
 *   psy__trace t = {.module_path = "nearest.psm", .values = 6};
 *   psy__trace_init(&t, module, shards);
 *   options.tracers = t.tracers;                          // one for each shard; prints to standard output, run by run
 *   t.number = &exchange.number;                          // which message it is: they come one at a time
 *   psy__trace_end(&t);
 */
#ifndef PSY_COMMAND_TRACE_H
#define PSY_COMMAND_TRACE_H

#include <psyne/module.h>

#include "engine/engine.h"

enum { PSY_TRACE_FILES_MAX = 16, PSY_TRACE_VALUES_MAX = 1000 };

typedef struct psy__trace_shard psy__trace_shard;

/* A source file, read once. */
typedef struct psy__trace_file {
    uint32_t name; /* string of the module */
    char *text;    /* NULL: it is not there */
    size_t bytes;
} psy__trace_file;

typedef struct psy__trace {
    const psy__module *module;
    const char *module_path; /* sources are looked for beside it, too */
    const char *sources;     /* and in this folder; NULL */
    uint32_t shards, values; /* values: elements that are shown */
    bool json;
    const uint64_t *number; /* of the message at hand */
    psy__tracer *tracers;
    psy__trace_shard *shard; /* their contexts */
    psy__trace_file files[PSY_TRACE_FILES_MAX];
    uint32_t file_count;
} psy__trace;

/* What the caller has set stays. Where memory runs out the program ends. */
void psy__trace_init(psy__trace *t, const psy_module *module, uint32_t shards);
void psy__trace_end(psy__trace *t);

/* What a value's elements are like: of the first PSY_SUMMARY_MAX, for a view may repeat one without end. */
#define PSY_SUMMARY_MAX (UINT64_C(1) << 26)
typedef struct psy__value_summary {
    uint64_t count; /* that were looked at */
    uint64_t nan, infinite;
    bool any;                                 /* one that is no NaN: least and greatest are set */
    PSY_ALIGNAS(8) unsigned char least[8];    /* an element of the value's dtype */
    PSY_ALIGNAS(8) unsigned char greatest[8]; /* and another */
    double mean;                              /* of those that are finite */
} psy__value_summary;

/* Of the elements at `at`, whose dims and strides `r` has. */
void psy__value_summarise(const psy__bound_register *r, const void *at, psy__value_summary *out);

#endif
