/* SPDX-License-Identifier: Apache-2.0 */
/* What --emit writes of a program besides bytecode, assembly and kernels. */
#ifndef PSC_EMIT_H
#define PSC_EMIT_H

#include <stdio.h>

#include "isa/module.h"
#include "unit.h"

typedef enum psc_emit_kind {
    PSC_EMIT_HEADER,
    PSC_EMIT_BYTECODE,
    PSC_EMIT_ASM,
    PSC_EMIT_SPIRV,
    PSC_EMIT_GLSL,
    PSC_EMIT_C,
    PSC_EMIT_GRAPH,
    PSC_EMIT_JSON,
    PSC_EMIT_IR,
    PSC_EMIT_FUZZ,
    PSC_EMIT_COUNT
} psc_emit_kind;

extern const char *const psc_emit_names[PSC_EMIT_COUNT];

/* Graphviz of every program after the last pass: values with their shapes, kernels as clusters, and what goes from the shards
 * to the merge. */
void psc_emit_graph(psc_unit *unit, FILE *to);
/* What is in a module: types with offsets, sizes, residents, pipelines, programs, kernels. */
void psc_emit_json(const psy__module *module, FILE *to);
/* Which operations became one kernel, and why others did not. */
void psc_explain_fusion(psc_unit *unit, FILE *to);

/* The part of a pipeline that a program is: "on every shard", "merge" ... */
const char *psc_part_text(const psc_pipeline *pipeline, const psc_program *program);
/* Whether a kernel computes the value: it is no view, constant, size or result. */
bool psc_is_computed(const psc_value *v);

#endif
