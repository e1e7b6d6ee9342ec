/* SPDX-License-Identifier: Apache-2.0 */
/* log(sum(exp(x))) in parts: each part keeps its largest element m and the sum s of exp(x - m); together they give
 * log(sum(s * exp(m - M))) + M with M the largest m. Where an m is infinite, 0 stands for it in the exponents. */
#include "lse.h"

#include <math.h>
#include <string.h>

typedef struct builder {
    psc_unit *u;
    psc_program *to;
    psc_span span;
} builder;

static psc_value *add(builder *b, psc_value v)
{
    v.base = PSY_NONE;
    v.span = b->span;
    for (unsigned k = 0; k < v.operand_count; k++) {
        v.batched = v.batched || v.operands[k]->batched;
    }
    return psc_ir_add(b->u->arena, b->to, &v);
}

static psc_value *number(builder *b, unsigned dtype, double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return add(b, (psc_value){.op = PSY_OP_CONST, .dtype = (uint8_t)dtype, .bits = psc_fold_cast(PSY_F64, dtype, bits)});
}

/* Elementwise; the operands are broadcast, which they can be. */
static psc_value *map(builder *b, unsigned op, psc_value *x, psc_value *y, psc_value *z)
{
    psc_value v = {.op = op, .operands = {x, y, z}, .operand_count = z ? 3 : y ? 2 : 1};
    const psc_value *last = z ? z : y ? y : x;
    v.dtype = (uint8_t)psy__op_result_dtype(psy__op_info(op), last->dtype);
    psc_ir_space(&v, v.dims, &v.rank);
    return add(b, v);
}

static psc_value *reduce(builder *b, unsigned op, psc_value *x, uint32_t axis)
{
    psc_value v = {
        .op = op, .dtype = x->dtype, .rank = (uint8_t)(x->rank - 1), .operands = {x}, .operand_count = 1, .index = axis};
    memcpy(v.dims, x->dims, sizeof v.dims);
    memmove(v.dims + axis, v.dims + axis + 1, (PSY_RANK_MAX - axis - 1) * sizeof *v.dims);
    return add(b, v);
}

/* With an axis of size 1 where it was reduced, to be broadcast over it. */
static psc_value *expand(builder *b, psc_value *x, uint32_t axis)
{
    psc_value v = {
        .op = PSY_OP_RESHAPE, .dtype = x->dtype, .rank = (uint8_t)(x->rank + 1), .operands = {x}, .operand_count = 1};
    memcpy(v.dims, x->dims, axis * sizeof *v.dims);
    v.dims[axis] = 1;
    memcpy(v.dims + axis + 1, x->dims + axis, (x->rank - axis) * sizeof *v.dims);
    return add(b, v);
}

static psc_value *finite_or_zero(builder *b, psc_value *m)
{
    psc_value *small = map(b, PSY_OP_LT, map(b, PSY_OP_ABS, m, NULL, NULL), number(b, m->dtype, INFINITY), NULL);
    return map(b, PSY_OP_CHOOSE, small, m, number(b, m->dtype, 0));
}

void psc_lse_part(psc_unit *u, psc_program *to, psc_value *x, uint32_t axis, psc_span span, psc_value *out[2])
{
    builder builds = {u, to, span}, *b = &builds;
    out[0] = reduce(b, PSY_OP_RMAX, x, axis);
    psc_value *below = map(b, PSY_OP_SUB, x, expand(b, finite_or_zero(b, out[0]), axis), NULL);
    out[1] = reduce(b, PSY_OP_SUM, map(b, PSY_OP_EXP, below, NULL, NULL), axis);
}

psc_value *psc_lse_merge(psc_unit *u, psc_program *to, psc_value *m, psc_value *s, psc_span span)
{
    builder builds = {u, to, span}, *b = &builds;
    psc_value *most = finite_or_zero(b, reduce(b, PSY_OP_RMAX, m, 0));
    psc_value *weight = map(b, PSY_OP_EXP, map(b, PSY_OP_SUB, m, most, NULL), NULL, NULL);
    psc_value *sum = reduce(b, PSY_OP_SUM, map(b, PSY_OP_MUL, s, weight, NULL), 0);
    return map(b, PSY_OP_ADD, map(b, PSY_OP_LOG, sum, NULL, NULL), most, NULL);
}
