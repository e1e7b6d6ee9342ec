/* SPDX-License-Identifier: Apache-2.0 */
#include "build.h"

#include <string.h>

psc_value *psc_build(psc_builder *b, psc_value v)
{
    v.base = PSY_NONE;
    v.span = b->span;
    for (unsigned k = 0; k < v.operand_count; k++) {
        v.batched = v.batched || v.operands[k]->batched;
    }
    return psc_ir_add(b->unit->arena, b->to, &v);
}

psc_value *psc_build_number(psc_builder *b, unsigned dtype, double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return psc_build(b, (psc_value){.op = PSY_OP_CONST, .dtype = (uint8_t)dtype, .bits = psc_fold_cast(PSY_F64, dtype, bits)});
}

psc_value *psc_build_map(psc_builder *b, unsigned op, psc_value *x, psc_value *y, psc_value *z)
{
    psc_value v = {.op = op, .operands = {x, y, z}, .operand_count = z ? 3 : y ? 2 : 1};
    const psc_value *last = z ? z : y ? y : x;
    v.dtype = (uint8_t)psy__op_result_dtype(psy__op_info(op), last->dtype);
    psc_ir_space(&v, v.dims, &v.rank);
    return psc_build(b, v);
}

psc_value *psc_build_reduce(psc_builder *b, unsigned op, psc_value *x, uint32_t axis)
{
    psc_value v = {
        .op = op, .dtype = x->dtype, .rank = (uint8_t)(x->rank - 1), .operands = {x}, .operand_count = 1, .index = axis};
    memcpy(v.dims, x->dims, sizeof v.dims);
    memmove(v.dims + axis, v.dims + axis + 1, (PSY_RANK_MAX - axis - 1) * sizeof *v.dims);
    return psc_build(b, v);
}

psc_value *psc_build_reshape(psc_builder *b, psc_value *x, const psy_dim *dims, uint32_t rank)
{
    psc_value v = {.op = PSY_OP_RESHAPE, .dtype = x->dtype, .rank = (uint8_t)rank, .operands = {x}, .operand_count = 1};
    memcpy(v.dims, dims, rank * sizeof *dims);
    return psc_build(b, v);
}

psc_value *psc_build_expand(psc_builder *b, psc_value *x, uint32_t axis)
{
    psy_dim dims[PSY_RANK_MAX];
    memcpy(dims, x->dims, axis * sizeof *dims);
    dims[axis] = 1;
    memcpy(dims + axis + 1, x->dims + axis, (x->rank - axis) * sizeof *dims);
    return psc_build_reshape(b, x, dims, x->rank + 1u);
}

psc_value *psc_build_move_axis(psc_builder *b, psc_value *x, uint32_t from, uint32_t to)
{
    psc_value v = {.op = PSY_OP_PERMUTE, .dtype = x->dtype, .rank = x->rank, .operands = {x}, .operand_count = 1};
    if (from == to) {
        return x;
    }
    for (uint32_t d = 0, other = 0; d < x->rank; d++) {
        other += other == from && d != to;
        uint32_t axis = d == to ? from : other++;
        v.dims[d] = x->dims[axis];
        v.index |= axis << 4 * d;
    }
    return psc_build(b, v);
}

psc_value *psc_build_copy(psc_builder *b, psc_value *x)
{
    psc_value v = {.op = PSY_OP_CONCAT, .dtype = x->dtype, .rank = x->rank, .operands = {x}, .operand_count = 1};
    memcpy(v.dims, x->dims, sizeof v.dims);
    return psc_build(b, v);
}

psc_value *psc_build_gather(psc_builder *b, psc_value *x, psc_value *positions)
{
    psc_value v = {.op = PSY_OP_GATHER, .dtype = x->dtype, .rank = x->rank, .operands = {x, positions}, .operand_count = 2};
    memcpy(v.dims, x->dims, sizeof v.dims);
    v.dims[0] = positions->dims[0];
    return psc_build(b, v);
}

psc_value *psc_build_labels(psc_builder *b, psc_value *topk)
{
    psc_value v = {.op = PSC_OP_LABELS, .dtype = PSY_U64, .rank = 1, .operands = {topk}, .operand_count = 1};
    v.dims[0] = topk->dims[0];
    return psc_build(b, v);
}
