/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that move elements: places along an axis, parts behind each other, parts by number, running sums; sizes as values,
 * and rows by key. */
#include <string.h>

#include "codegen/maker.h"

static uint32_t add(psy__maker *k, uint32_t a, uint32_t b) { return psy__kernel_index(k->k, PSY_K_IADD, a, b); }
static uint32_t both(psy__maker *k, uint32_t a, uint32_t b) { return psy__kernel_condition(k->k, PSY_K_BOTH, a, b); }

static uint32_t sum_of(psy__maker *k, unsigned dtype, uint32_t a, uint32_t b)
{
    uint32_t sum = psy__kernel_map(k->k, PSY_OP_ADD, dtype, (const uint32_t[3]){a, b, 0});
    return sum;
}

static uint32_t variable(psy__maker *k, unsigned dtype, uint32_t value)
{
    return psy__kernel_value(k->k, PSY_K_VAR, dtype, value, 0, 0);
}

static uint32_t get(psy__maker *k, unsigned dtype, uint32_t variable)
{
    return psy__kernel_value(k->k, PSY_K_GET, dtype, variable, 0, 0);
}

static void set(psy__maker *k, uint32_t variable, uint32_t value)
{
    psy__kernel_add(k->k, (psy__knode){.op = PSY_K_SET, .a = {variable, value}});
}

static void make_index(psy__maker *k, const psy__instruction *at, const uint32_t *c, uint32_t rank)
{
    uint32_t place = psy__kernel_value(k->k, PSY_K_OF_PLACE, at->dtype, c[at->operands[0]], 0, 0);
    psy__maker_store(k, at->dst, c, rank, place);
}

/* Every operand whose part of the axis the element is in: one. */
static void make_join(psy__maker *k, const psy__instruction *at, const uint32_t *c, uint32_t rank)
{
    uint32_t axis = at->operands[0], start = psy__kernel_number(k->k, 0), there[PSY_RANK_MAX];
    memcpy(there, c, sizeof there);
    for (uint32_t i = 1; i < at->operand_count; i++) {
        uint32_t length = psy__kernel_size(k->k, k->registers[at->operands[i]].dims[axis]);
        /* wraps, and is large, before the operand's part */
        there[axis] = psy__kernel_index(k->k, PSY_K_ISUB, c[axis], start);
        uint32_t inside = psy__maker_open(k, PSY_K_IF, psy__kernel_condition(k->k, PSY_K_LESS, there[axis], length));
        psy__maker_store(k, at->dst, c, rank, psy__maker_load(k, at->operands[i], there, rank));
        psy__maker_close(k, inside);
        k->values[at->dst] = 0;
        start = add(k, start, length);
    }
}

/* The number at the coordinates, and whether it is below `size`. */
static uint32_t number_at(psy__maker *k, uint32_t reg, const uint32_t *c, uint32_t rank, uint32_t size, uint32_t *good)
{
    uint32_t n = psy__maker_load(k, reg, c, rank);
    *good = psy__kernel_condition(k->k, PSY_K_WITHIN, n, size);
    return psy__kernel_index(k->k, PSY_K_FROM_VALUE, n, 0);
}

static void make_gather(psy__maker *k, const psy__instruction *at, const uint32_t *c, uint32_t rank)
{
    const psy_psm_register *x = &k->registers[at->operands[0]], *index = &k->registers[at->operands[1]];
    uint32_t axis = at->operands[2], there[PSY_RANK_MAX] = {0}, good;
    uint32_t n = number_at(k, at->operands[1], c + axis, index->rank, psy__kernel_size(k->k, x->dims[axis]), &good);
    for (uint32_t d = 0; d < x->rank; d++) {
        there[d] = d < axis ? c[d] : d == axis ? n : c[d - 1 + index->rank];
    }
    uint32_t value = variable(k, at->dtype, psy__maker_zero(k, at->dtype));
    uint32_t inside = psy__maker_open(k, PSY_K_IF, good);
    set(k, value, psy__maker_load(k, at->operands[0], there, x->rank));
    psy__maker_close(k, inside);
    psy__maker_store(k, at->dst, c, rank, get(k, at->dtype, value));
}

/* Every element looks through all numbers for those that name it: the order of the sums is the numbers'. */
static void make_scatter(psy__maker *k, const psy__instruction *at, const uint32_t *c, uint32_t rank)
{
    const psy_psm_register *index = &k->registers[at->operands[1]];
    uint32_t there[PSY_RANK_MAX], good;
    memcpy(there, c, sizeof there);
    uint32_t sum = variable(k, at->dtype, psy__maker_load(k, at->operands[0], c, rank));
    uint32_t loop = psy__maker_open(k, PSY_K_FOR, psy__kernel_size(k->k, index->dims[0]));
    there[0] = psy__kernel_coord(k->k, loop, 0);
    uint32_t n = number_at(k, at->operands[1], there, 1, psy__kernel_size(k->k, k->registers[at->operands[0]].dims[0]), &good);
    uint32_t here = both(k, good, psy__kernel_condition(k->k, PSY_K_SAME, n, c[0]));
    uint32_t inside = psy__maker_open(k, PSY_K_IF, here);
    uint32_t part = psy__maker_load(k, at->operands[2], there, rank);
    set(k, sum, sum_of(k, at->dtype, get(k, at->dtype, sum), part));
    psy__maker_close(k, inside);
    psy__maker_close(k, loop);
    psy__maker_store(k, at->dst, c, rank, get(k, at->dtype, sum));
}

/* In C the numbers are walked through once: part k is added where the k-th names. */
static void make_scatter_in_order(psy__maker *k, const psy__instruction *at)
{
    const psy_psm_register *x = &k->registers[at->operands[0]], *index = &k->registers[at->operands[1]];
    uint32_t c[PSY_RANK_MAX] = {0}, loops[PSY_RANK_MAX], good, space = psy__maker_space(k, c);
    psy__maker_store(k, at->dst, c, x->rank, psy__maker_load(k, at->operands[0], c, x->rank));
    psy__maker_close(k, space);
    k->values[at->dst] = 0;
    uint32_t loop = psy__maker_open(k, PSY_K_FOR, psy__kernel_size(k->k, index->dims[0]));
    c[0] = psy__kernel_coord(k->k, loop, 0);
    uint32_t n = number_at(k, at->operands[1], c, 1, psy__kernel_size(k->k, x->dims[0]), &good);
    uint32_t inside = psy__maker_open(k, PSY_K_IF, good), there[PSY_RANK_MAX];
    for (uint32_t d = 1; d < x->rank; d++) {
        loops[d] = psy__maker_open(k, PSY_K_FOR, psy__kernel_size(k->k, x->dims[d]));
        c[d] = psy__kernel_coord(k->k, loops[d], 0);
    }
    memcpy(there, c, sizeof there);
    there[0] = n;
    uint32_t sum = psy__maker_load(k, at->dst, there, x->rank), part = psy__maker_load(k, at->operands[2], c, x->rank);
    psy__maker_store(k, at->dst, there, x->rank, sum_of(k, at->dtype, sum, part));
    for (uint32_t d = x->rank; d-- > 1;) {
        psy__maker_close(k, loops[d]);
    }
    psy__maker_close(k, inside);
    psy__maker_close(k, loop);
}

/* On devices one invocation of every workgroup goes along the axis. */
static void make_scan(psy__maker *k, const psy__instruction *at, uint32_t *c, uint32_t rank)
{
    unsigned dtype = at->dtype;
    uint32_t leader = psy__maker_open(k, PSY_K_LEADER, 0), zero = psy__maker_zero(k, dtype);
    uint32_t before = variable(k, dtype, zero), sum = variable(k, dtype, zero);
    uint32_t loop = psy__maker_open(k, PSY_K_FOR, psy__kernel_size(k->k, k->k->dims[k->k->axis]));
    uint32_t i = c[k->k->axis] = psy__kernel_coord(k->k, loop, 0);
    uint32_t next = sum_of(k, dtype, get(k, dtype, sum), psy__maker_load(k, at->operands[0], c, rank));
    uint32_t all = sum_of(k, dtype, get(k, dtype, before), next);
    psy__maker_store(k, at->dst, c, rank, all);
    /* Runs of 32 are added up on their own: errors stay small. */
    uint32_t rest = psy__kernel_index(k->k, PSY_K_IMOD, i, psy__kernel_number(k->k, 32));
    uint32_t last = psy__kernel_condition(k->k, PSY_K_SAME, rest, psy__kernel_number(k->k, 31));
    set(k, before, psy__kernel_value(k->k, PSY_K_PICK, dtype, last, all, get(k, dtype, before)));
    set(k, sum, psy__kernel_value(k->k, PSY_K_PICK, dtype, last, zero, next));
    psy__maker_close(k, loop);
    psy__maker_close(k, leader);
}

/* The bytes of a key are read once: its sender may still write them. */
static void make_row(psy__maker *k, const psy__instruction *at)
{
    psy__kplace place = k->places[at->dst];
    uint32_t key = psy__maker_load(k, at->operands[1], NULL, 0);
    psy__kernel_add(k->k, (psy__knode){.op = PSY_K_ROW,
                                       .dtype = (uint8_t)at->dtype,
                                       .a = {key},
                                       .place = psy__kernel_place(k->k, place),
                                       .more = at->operands[0]});
}

/* A size, or where its rows start, as a value. */
static uint32_t size_value(psy__maker *k, const psy__instruction *at)
{
    psy_dim dim = at->operands[0];
    if (at->op != PSY_OP_BASE) {
        return psy__kernel_value(k->k, PSY_K_OF_PLACE, at->dtype, psy__kernel_size(k->k, dim), 0, 0);
    }
    psy__knode base = {.op = PSY_K_BASE, .type = PSY_U64, .place = psy__dim_symbol(dim)};
    uint32_t value = psy__dim_is_symbol(dim) ? psy__kernel_add(k->k, base) : psy__kernel_const(k->k, PSY_U64, 0);
    return psy__kernel_value(k->k, PSY_K_CAST, at->dtype, value, 0, 0);
}

void psy__make_move(psy__maker *k, const psy__instruction *at)
{
    uint32_t c[PSY_RANK_MAX] = {0}, rank = k->k->rank;
    k->k->now = at->word;
    if (at->info->class_ == PSY_CLASS_LOOKUP) {
        make_row(k, at);
        return;
    }
    if (at->info->class_ == PSY_CLASS_SCATTER && k->target == PSY_KERNEL_FOR_C) {
        make_scatter_in_order(k, at);
        return;
    }
    uint32_t space = psy__maker_space(k, c);
    switch (at->info->class_) {
    case PSY_CLASS_SCAN: make_scan(k, at, c, rank); break;
    case PSY_CLASS_SIZE: psy__maker_store(k, at->dst, c, rank, size_value(k, at)); break;
    case PSY_CLASS_INDEX: make_index(k, at, c, rank); break;
    case PSY_CLASS_JOIN: make_join(k, at, c, rank); break;
    case PSY_CLASS_GATHER: make_gather(k, at, c, rank); break;
    default: make_scatter(k, at, c, rank); break;
    }
    psy__maker_close(k, space);
}
