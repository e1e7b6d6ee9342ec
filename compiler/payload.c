/* SPDX-License-Identifier: Apache-2.0 */
#include "payload.h"

#include <string.h>

#include "call.h"

const psc_value *psc_payload_topk(const psc_unit *u, const psc_value *v)
{
    const psc_value *labels = v->op == PSY_OP_GATHER ? v->operands[1] : NULL;
    if (!labels || labels->op != PSC_OP_LABELS || psc_ir_sharded_axis(v->operands[0], u->symbols.at) != (int)v->index) {
        return NULL;
    }
    return labels->operands[0]->op == PSY_OP_TOPK ? labels->operands[0] : NULL;
}

psc_value *psc_payload_part(psc_builder *b, psc_value *x, psc_value *rows, uint32_t axis)
{
    return psc_build_gather(b, psc_build_move_axis(b, x, axis, 0), rows);
}

/* [shards, k, ...] as [shards * k, ...]. */
static psc_value *in_a_row(psc_builder *b, psc_value *x, psy_dim k, const psy_dim *rest, uint32_t rest_rank)
{
    psc_lowering sizes = {.unit = b->unit};
    psy_dim dims[PSY_RANK_MAX] = {psc_dim_compute(&sizes, b->span, '*', x->dims[0], k)};
    if (dims[0] == PSY_NONE) {
        return NULL;
    }
    if (rest_rank) {
        memcpy(dims + 1, rest, rest_rank * sizeof *dims);
    }
    return psc_build_reshape(b, x, dims, rest_rank + 1);
}

psc_value *psc_payload_winners(psc_builder *b, psc_value *scores, psc_value *rows, psc_value *bases, uint32_t k,
                               psc_value **places, psc_value **labels)
{
    psc_value *none = psc_build(b, (psc_value){.op = PSY_OP_CONST, .dtype = PSY_U64, .bits = UINT64_MAX});
    psc_value *global = psc_build_map(b, PSY_OP_ADD, rows, psc_build_expand(b, bases, 1), NULL);
    psc_value *all = psc_build_map(b, PSY_OP_CHOOSE, psc_build_map(b, PSY_OP_EQ, rows, none, NULL), none, global);
    psc_value best = {.op = PSY_OP_TOPK, .dtype = scores->dtype, .rank = 1, .dims = {k}, .operands = {scores, all}};
    best.operand_count = 2;
    best.index = k;
    psc_value *made = psc_build(b, best);
    made->base = 0; /* positions: labels only decide ties */
    *places = psc_build_labels(b, made);
    psc_value *row = in_a_row(b, all, k, NULL, 0);
    *labels = row ? psc_build_gather(b, row, *places) : NULL;
    return made;
}

psc_value *psc_payload_merge(psc_builder *b, const psc_value *v, psc_value *parts, psc_value *places)
{
    uint32_t axis = v->index, rank = v->rank - 1u;
    psy_dim rest[PSY_RANK_MAX];
    memcpy(rest, v->dims, axis * sizeof *rest);
    memcpy(rest + axis, v->dims + axis + 1, (rank - axis) * sizeof *rest);
    psc_value *row = in_a_row(b, psc_build_copy(b, parts), v->dims[axis], rest, rank);
    if (!row) {
        return NULL;
    }
    psc_value *taken = psc_build_gather(b, row, places);
    return axis ? psc_build_copy(b, psc_build_move_axis(b, taken, 0, axis)) : taken;
}
