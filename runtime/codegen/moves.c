/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that move elements: places along an axis, parts behind each other, parts by number, running sums. */
#include <spirv/unified1/spirv.h>
#include <string.h>

#include "codegen/maker.h"

static uint32_t below(psy__maker *k, uint32_t a, uint32_t b) { return psy__op2(k, SpvOpULessThan, k->boolean, a, b); }

static void make_index(psy__maker *k, const psy__instruction *at, const uint32_t *c, uint32_t rank)
{
    uint32_t place = c[at->operands[0]];
    psy__store_register(k, at->dst, c, rank,
                        at->dtype == PSY_F32 ? psy__spirv_make(&k->s, SpvOpConvertUToF, k->f32, place) : place);
}

/* Every operand whose part of the axis the element is in: one. */
static void make_join(psy__maker *k, const psy__instruction *at, const uint32_t *c, uint32_t rank)
{
    uint32_t axis = at->operands[0], start = psy__const_u32(k, 0), there[PSY_RANK_MAX];
    memcpy(there, c, sizeof there);
    for (uint32_t i = 1; i < at->operand_count; i++) {
        uint32_t length = psy__dim_id(k, k->registers[at->operands[i]].dims[axis]);
        there[axis] = psy__op2(k, SpvOpISub, k->u32, c[axis], start); /* wraps, and is large, before the operand's part */
        uint32_t inside = psy__if(k, below(k, there[axis], length));
        psy__store_register(k, at->dst, c, rank, psy__load_register(k, at->operands[i], there, rank));
        psy__end_if(k, inside);
        k->values[at->dst] = 0;
        start = psy__op2(k, SpvOpIAdd, k->u32, start, length);
    }
}

/* The number at the coordinates, as a word; *good says whether it is below `size`. */
static uint32_t number_at(psy__maker *k, uint32_t reg, const uint32_t *c, uint32_t rank, uint32_t size, uint32_t *good)
{
    const psy_psm_register *r = &k->registers[reg];
    if (psy__dtype_bytes(r->dtype) == 4) {
        uint32_t n = psy__load_register(k, reg, c, rank); /* negative ones are large */
        *good = below(k, n, size);
        return n;
    }
    uint32_t element = psy__const_u32(k, 0);
    unsigned binding;
    for (uint32_t d = 0; d < r->rank; d++) {
        element = psy__op2(k, SpvOpIMul, k->u32, element, psy__dim_id(k, r->dims[d]));
        element = psy__op2(k, SpvOpIAdd, k->u32, element, c[rank - r->rank + d]);
    }
    uint32_t word = psy__word_of(k, reg, element, &binding);
    uint32_t low = psy__load_word(k, binding, word);
    uint32_t high = psy__load_word(k, binding, psy__op2(k, SpvOpIAdd, k->u32, word, psy__const_u32(k, 1)));
    uint32_t small = psy__op2(k, SpvOpIEqual, k->boolean, high, psy__const_u32(k, 0));
    *good = psy__op2(k, SpvOpLogicalAnd, k->boolean, small, below(k, low, size));
    return low;
}

static uint32_t zero_of(psy__maker *k, unsigned dtype)
{
    return dtype == PSY_F32 ? psy__const_f32(k, 0) : psy__const_u32(k, 0);
}

static void make_gather(psy__maker *k, const psy__instruction *at, const uint32_t *c, uint32_t rank)
{
    const psy_psm_register *x = &k->registers[at->operands[0]], *index = &k->registers[at->operands[1]];
    uint32_t axis = at->operands[2], there[PSY_RANK_MAX] = {0}, good, type = at->dtype == PSY_F32 ? k->f32 : k->u32;
    uint32_t n = number_at(k, at->operands[1], c + axis, index->rank, psy__dim_id(k, x->dims[axis]), &good);
    for (uint32_t d = 0; d < x->rank; d++) {
        there[d] = d < axis ? c[d] : d == axis ? psy__select(k, k->u32, good, n, psy__const_u32(k, 0)) : c[d - 1 + index->rank];
    }
    uint32_t value = psy__variable(k, type);
    psy__set(k, value, zero_of(k, at->dtype));
    uint32_t inside = psy__if(k, good);
    psy__set(k, value, psy__load_register(k, at->operands[0], there, x->rank));
    psy__end_if(k, inside);
    psy__store_register(k, at->dst, c, rank, psy__get(k, type, value));
}

/* Every element looks through all numbers for those that name it: the order of the sums is the numbers'. */
static void make_scatter(psy__maker *k, const psy__instruction *at, const uint32_t *c, uint32_t rank)
{
    const psy_psm_register *index = &k->registers[at->operands[1]];
    uint32_t type = at->dtype == PSY_F32 ? k->f32 : k->u32, sum = psy__variable(k, type), i = psy__variable(k, k->u32),
             there[PSY_RANK_MAX], good;
    memcpy(there, c, sizeof there);
    psy__set(k, sum, psy__load_register(k, at->operands[0], c, rank));
    psy__set(k, i, psy__const_u32(k, 0));
    psy__loop loop = psy__for(k, i, psy__dim_id(k, index->dims[0]));
    there[0] = psy__get(k, k->u32, i);
    uint32_t n = number_at(k, at->operands[1], there, 1, psy__dim_id(k, k->registers[at->operands[0]].dims[0]), &good);
    uint32_t here = psy__op2(k, SpvOpLogicalAnd, k->boolean, good, psy__op2(k, SpvOpIEqual, k->boolean, n, c[0]));
    uint32_t inside = psy__if(k, here);
    uint32_t part = psy__load_register(k, at->operands[2], there, rank);
    psy__set(k, sum, psy__op2(k, at->dtype == PSY_F32 ? SpvOpFAdd : SpvOpIAdd, type, psy__get(k, type, sum), part));
    psy__end_if(k, inside);
    psy__end_for(k, loop, psy__op2(k, SpvOpIAdd, k->u32, there[0], psy__const_u32(k, 1)));
    psy__store_register(k, at->dst, c, rank, psy__get(k, type, sum));
}

/* One invocation of every workgroup goes along the axis. */
static void make_scan(psy__maker *k, const psy__instruction *at, const psy_dim *dims, uint32_t rank, uint32_t axis)
{
    uint32_t c[PSY_RANK_MAX] = {0}, type = at->dtype == PSY_F32 ? k->f32 : k->u32, zero = psy__const_u32(k, 0);
    psy_dim rest[PSY_RANK_MAX];
    memcpy(rest, dims, rank * sizeof *dims);
    memmove(rest + axis, rest + axis + 1, (rank - axis - 1) * sizeof *rest);
    uint32_t first = psy__op2(k, SpvOpIEqual, k->boolean, k->local, zero);
    uint32_t here = psy__op2(k, SpvOpLogicalAnd, k->boolean, first, below(k, k->group, psy__product(k, rest, rank - 1)));
    uint32_t inside = psy__if(k, here);
    psy__coordinates(k, k->group, dims, rank, axis, c);
    uint32_t before = psy__variable(k, type), sum = psy__variable(k, type), i = psy__variable(k, k->u32);
    unsigned add = at->dtype == PSY_F32 ? SpvOpFAdd : SpvOpIAdd;
    psy__set(k, before, zero_of(k, at->dtype));
    psy__set(k, sum, zero_of(k, at->dtype));
    psy__set(k, i, zero);
    psy__loop loop = psy__for(k, i, psy__dim_id(k, dims[axis]));
    c[axis] = psy__get(k, k->u32, i);
    uint32_t part = psy__load_register(k, at->operands[0], c, rank);
    uint32_t next = psy__op2(k, add, type, psy__get(k, type, sum), part);
    uint32_t all = psy__op2(k, add, type, psy__get(k, type, before), next);
    psy__store_register(k, at->dst, c, rank, all);
    /* Runs of 32 are added up on their own: errors stay small. */
    uint32_t mask = psy__const_u32(k, 31);
    uint32_t last = psy__op2(k, SpvOpIEqual, k->boolean, psy__op2(k, SpvOpBitwiseAnd, k->u32, c[axis], mask), mask);
    psy__set(k, before, psy__select(k, type, last, all, psy__get(k, type, before)));
    psy__set(k, sum, psy__select(k, type, last, zero_of(k, at->dtype), next));
    psy__end_for(k, loop, psy__op2(k, SpvOpIAdd, k->u32, c[axis], psy__const_u32(k, 1)));
    psy__end_if(k, inside);
}

void psy__make_move(psy__maker *k, const psy__instruction *at, const psy_dim *dims, uint32_t rank, uint32_t axis)
{
    if (axis != PSY_NONE) {
        make_scan(k, at, dims, rank, axis);
        return;
    }
    uint32_t c[PSY_RANK_MAX] = {0}, element = psy__element(k);
    uint32_t inside = psy__if(k, below(k, element, psy__product(k, dims, rank)));
    psy__coordinates(k, element, dims, rank, PSY_NONE, c);
    switch (at->info->class_) {
    case PSY_CLASS_INDEX: make_index(k, at, c, rank); break;
    case PSY_CLASS_JOIN: make_join(k, at, c, rank); break;
    case PSY_CLASS_GATHER: make_gather(k, at, c, rank); break;
    default: make_scatter(k, at, c, rank); break;
    }
    psy__end_if(k, inside);
}
