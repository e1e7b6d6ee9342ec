/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions that change shapes and move elements. What depends on sizes that are not known yet is checked when they are
 * bound (bind.c), by the same rules. */
#include <stdlib.h>
#include <string.h>

#include "isa/verify_state.h"

#define refuse(c, ...) psy__verify_refuse((c), __VA_ARGS__)

static const psy_psm_register *result(const psy__verifier *c, uint32_t i) { return &c->registers[c->at.dst + i]; }
static bool is_literal(psy_dim d) { return !psy__dim_is_symbol(d); }
static bool is_integer(const psy_psm_register *r)
{
    return psy__dtype_computes(r->dtype) && psy__dtype_class(r->dtype) != PSY_DCLASS_FLOAT;
}

static int by_value(const void *a, const void *b)
{
    psy_dim x = *(const psy_dim *)a, y = *(const psy_dim *)b;
    return x < y ? -1 : x > y;
}

/* The product of the numbers, and the named sizes in order. False: it overflows. */
static bool product_of(const psy_psm_register *r, uint64_t *numbers, psy_dim *names, uint32_t *name_count)
{
    *numbers = 1;
    *name_count = 0;
    for (uint32_t d = 0; d < r->rank; d++) {
        if (!is_literal(r->dims[d])) {
            names[(*name_count)++] = r->dims[d];
        } else if (__builtin_mul_overflow(*numbers, (uint64_t)r->dims[d], numbers)) {
            return false;
        }
    }
    qsort(names, *name_count, sizeof *names, by_value);
    return true;
}

static psy_status check_reshape(psy__verifier *c)
{
    const psy_psm_register *x = psy__verify_operand(c, 0), *y = result(c, 0);
    psy_dim x_names[PSY_RANK_MAX], y_names[PSY_RANK_MAX];
    uint32_t x_count, y_count;
    uint64_t x_product, y_product;
    c->stridden[c->at.dst] = c->stridden[c->at.operands[0]];
    if (c->stridden[c->at.operands[0]] && !psy__only_ones_differ(x, y)) {
        return refuse(c, "the elements of its operand do not lie one after the other");
    }
    /* Computed sizes may be equal under other names: then the counts are compared when they are bound. */
    if (!product_of(x, &x_product, x_names, &x_count) || !product_of(y, &y_product, y_names, &y_count) ||
        (x_count == 0 && y_count == 0 && x_product != y_product)) {
        return refuse(c, "its result has another number of elements");
    }
    return psy__verify_result(c, 0, c->at.dtype, y->dims, y->rank);
}

static psy_status check_permute(psy__verifier *c)
{
    const psy_psm_register *x = psy__verify_operand(c, 0);
    uint32_t order = c->at.operands[1], seen = 0;
    psy_dim dims[PSY_RANK_MAX];
    for (uint32_t d = 0; d < PSY_RANK_MAX; d++) {
        uint32_t axis = order >> 4 * d & 15;
        if (d < x->rank ? axis >= x->rank || (seen >> axis & 1) : axis != 0) {
            return refuse(c, "its order of axes is none");
        }
        seen |= d < x->rank ? 1u << axis : 0;
        dims[d] = d < x->rank ? x->dims[axis] : 0;
    }
    return psy__verify_result(c, 0, c->at.dtype, dims, x->rank);
}

static bool dim_exists(const psy__verifier *c, psy_dim d)
{
    return d != PSY_NONE && (is_literal(d) || psy__dim_symbol(d) < c->m->symbol_count);
}

static psy_status check_slice(psy__verifier *c)
{
    const psy_psm_register *x = psy__verify_operand(c, 0), *y = result(c, 0);
    uint32_t axis = c->at.operands[1];
    psy_dim from = c->at.operands[2], dims[PSY_RANK_MAX];
    int32_t step = (int32_t)c->at.operands[3];
    if (axis >= x->rank || y->rank != x->rank || step == 0 || step == INT32_MIN || !dim_exists(c, from)) {
        return refuse(c, "its axis, start or step is out of range");
    }
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = y->dims[axis];
    if (is_literal(from) && is_literal(x->dims[axis]) && is_literal(dims[axis]) &&
        !psy__slice_fits(x->dims[axis], from, dims[axis], step)) {
        return refuse(c, "it goes outside of axis %u", axis);
    }
    return psy__verify_result(c, 0, c->at.dtype, dims, x->rank);
}

static psy_status check_repeat(psy__verifier *c)
{
    const psy_psm_register *x = psy__verify_operand(c, 0), *y = result(c, 0);
    for (uint32_t d = 1; d <= x->rank; d++) {
        if (d > y->rank || (x->dims[x->rank - d] != 1 && x->dims[x->rank - d] != y->dims[y->rank - d])) {
            return refuse(c, "its operand cannot be broadcast to its result");
        }
    }
    return psy__verify_result(c, 0, c->at.dtype, y->dims, y->rank);
}

static psy_status check_shape(psy__verifier *c)
{
    psy_status status = psy__verify_dtype(c, 0, c->at.dtype);
    if (status != PSY_OK) {
        return status;
    }
    c->stridden[c->at.dst] = true;
    switch (c->at.op) {
    case PSY_OP_RESHAPE: return check_reshape(c);
    case PSY_OP_PERMUTE: return check_permute(c);
    case PSY_OP_SLICE: return check_slice(c);
    default: return check_repeat(c);
    }
}

static psy_status check_join(psy__verifier *c)
{
    const psy_psm_register *first = psy__verify_operand(c, 1), *y = result(c, 0);
    uint32_t axis = c->at.operands[0];
    psy_dim dims[PSY_RANK_MAX];
    uint64_t sum = 0;
    bool literal = true;
    if (axis >= first->rank || y->rank != first->rank) {
        return refuse(c, "there is no axis %u to join along", axis);
    }
    memcpy(dims, first->dims, sizeof dims);
    for (uint32_t i = 1; i < c->at.operand_count; i++) {
        const psy_psm_register *x = psy__verify_operand(c, i);
        psy_status status = psy__verify_dtype(c, i, c->at.dtype);
        if (status != PSY_OK) {
            return status;
        }
        dims[axis] = x->rank == first->rank ? x->dims[axis] : 0;
        if (!psy__verify_same_dims(x->dims, x->rank, dims, first->rank)) {
            return refuse(c, "operand %u has other dims", i);
        }
        literal = literal && is_literal(x->dims[axis]);
        sum += is_literal(x->dims[axis]) ? x->dims[axis] : 0;
    }
    dims[axis] = y->dims[axis];
    if (literal && is_literal(dims[axis]) && sum != dims[axis]) {
        return refuse(c, "its result is not as long as its operands together");
    }
    return psy__verify_result(c, 0, c->at.dtype, dims, first->rank);
}

static psy_status check_gather(psy__verifier *c)
{
    const psy_psm_register *x = psy__verify_operand(c, 0), *index = psy__verify_operand(c, 1);
    uint32_t axis = c->at.operands[2], rank = 0;
    psy_dim dims[2 * PSY_RANK_MAX];
    psy_status status = psy__verify_dtype(c, 0, c->at.dtype);
    if (status != PSY_OK) {
        return status;
    }
    if (axis >= x->rank || !is_integer(index) || x->rank - 1u + index->rank > PSY_RANK_MAX) {
        return refuse(c, "its axis or its numbers do not fit its operand");
    }
    for (uint32_t d = 0; d < x->rank; d++) {
        if (d != axis) {
            dims[rank++] = x->dims[d];
            continue;
        }
        memcpy(dims + rank, index->dims, index->rank * sizeof *dims);
        rank += index->rank;
    }
    return psy__verify_result(c, 0, c->at.dtype, dims, rank);
}

static psy_status check_scatter(psy__verifier *c)
{
    const psy_psm_register *x = psy__verify_operand(c, 0), *index = psy__verify_operand(c, 1), *y = psy__verify_operand(c, 2);
    psy_status status = psy__verify_dtype(c, 0, c->at.dtype);
    status = status == PSY_OK ? psy__verify_dtype(c, 2, c->at.dtype) : status;
    if (status != PSY_OK) {
        return status;
    }
    if (x->rank == 0 || index->rank != 1 || !is_integer(index) || y->rank != x->rank || y->dims[0] != index->dims[0] ||
        memcmp(y->dims + 1, x->dims + 1, (x->rank - 1u) * sizeof *x->dims) != 0) {
        return refuse(c, "its operands do not fit each other");
    }
    return psy__verify_result(c, 0, c->at.dtype, x->dims, x->rank);
}

static psy_status check_sort(psy__verifier *c)
{
    const psy_psm_register *x = psy__verify_operand(c, 0);
    psy_dim count = c->at.operands[1], dims[PSY_RANK_MAX];
    psy_status status = psy__verify_dtype(c, 0, c->at.dtype);
    if (status != PSY_OK) {
        return status;
    }
    if (x->rank == 0 || !dim_exists(c, count) || c->at.operands[2] > 1 ||
        (is_literal(count) && is_literal(x->dims[x->rank - 1]) && count > x->dims[x->rank - 1])) {
        return refuse(c, "it wants more elements than there are, or another order");
    }
    memcpy(dims, x->dims, sizeof dims);
    dims[x->rank - 1] = count;
    status = psy__verify_result(c, 0, c->at.dtype, dims, x->rank);
    return status == PSY_OK ? psy__verify_result(c, 1, PSY_U64, dims, x->rank) : status;
}

psy_status psy__verify_shape(psy__verifier *c)
{
    switch (c->at.info->class_) {
    case PSY_CLASS_SHAPE: return check_shape(c);
    case PSY_CLASS_JOIN: return check_join(c);
    case PSY_CLASS_GATHER: return check_gather(c);
    case PSY_CLASS_SCATTER: return check_scatter(c);
    case PSY_CLASS_SORT: return check_sort(c);
    case PSY_CLASS_INDEX:
        if (c->at.operands[0] >= result(c, 0)->rank) {
            return refuse(c, "there is no axis %u", c->at.operands[0]);
        }
        return psy__verify_result(c, 0, c->at.dtype, result(c, 0)->dims, result(c, 0)->rank);
    default: { /* SCAN */
        const psy_psm_register *x = psy__verify_operand(c, 0);
        psy_status status = psy__verify_dtype(c, 0, c->at.dtype);
        if (status == PSY_OK && c->at.operands[1] >= x->rank) {
            return refuse(c, "there is no axis %u", c->at.operands[1]);
        }
        return status == PSY_OK ? psy__verify_result(c, 0, c->at.dtype, x->dims, x->rank) : status;
    }
    }
}
