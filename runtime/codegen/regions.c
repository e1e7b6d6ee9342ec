/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels over an index space: elementwise, reductions with what is made of them, and stores. */
#include <string.h>

#include "codegen/maker.h"

static bool reduces(const psy__instruction *at) { return psy__class_is_reduction(at->info->class_); }

static void map(psy__maker *k, const psy__instruction *at, const uint32_t *c, uint32_t rank)
{
    uint32_t in[3] = {0}, value;
    k->k->now = at->word;
    for (unsigned i = 0; i < psy__op_register_count(at->info); i++) {
        in[i] = psy__maker_load(k, at->operands[i], c, rank);
    }
    if (at->info->class_ == PSY_CLASS_CAST) {
        value = psy__kernel_add(
            k->k, (psy__knode){.op = PSY_K_CAST, .type = (uint8_t)at->dtype, .dtype = (uint8_t)at->dtype, .a = {in[0]}});
    } else {
        value = psy__kernel_map(k->k, at->op, at->dtype, in);
    }
    psy__maker_store(k, at->dst, c, rank, value);
}

void psy__make_map(psy__maker *k, const psy__instruction *nodes, uint32_t count)
{
    uint32_t c[PSY_RANK_MAX] = {0}, space = psy__maker_space(k, c);
    for (uint32_t i = 0; i < count && !k->k->failed; i++) {
        map(k, &nodes[i], c, k->k->rank);
    }
    psy__maker_close(k, space);
}

/* ---- reductions ---- */

/* One step: the element, or the two that are multiplied. */
static uint32_t step(psy__maker *k, const psy__instruction *at, const uint32_t *c, uint32_t rank)
{
    uint32_t a = psy__maker_load(k, at->operands[0], c, rank);
    uint32_t b = at->info->class_ == PSY_CLASS_REDUCE2 ? psy__maker_load(k, at->operands[1], c, rank) : 0;
    return psy__kernel_add(
        k->k,
        (psy__knode){
            .op = PSY_K_STEP, .type = (uint8_t)at->dtype, .dtype = (uint8_t)at->dtype, .code = (uint16_t)at->op, .a = {a, b}});
}

void psy__make_reduce(psy__maker *k, const psy__instruction *nodes, uint32_t count)
{
    uint32_t rank = k->k->rank, axis = k->k->axis, c[PSY_RANK_MAX] = {0}, outer[PSY_RANK_MAX] = {0};
    uint32_t space = psy__maker_space(k, c);
    uint32_t loop = psy__maker_open(k, PSY_K_REDUCE, psy__kernel_size(k->k, k->k->dims[axis]));
    c[axis] = psy__kernel_coord(k->k, loop, 0);
    for (uint32_t i = 0; i < count && !k->k->failed; i++) {
        k->k->now = nodes[i].word;
        if (reduces(&nodes[i])) {
            /* Nothing reads a reduction before the loop's end: until then its value is its step. */
            uint32_t value = step(k, &nodes[i], c, rank);
            k->values[nodes[i].dst] = value;
        } else if (k->registers[nodes[i].dst].rank == rank) {
            map(k, &nodes[i], c, rank);
        }
    }
    psy__maker_close(k, loop);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *value = &k->values[nodes[i].dst];
        if (reduces(&nodes[i])) {
            k->k->now = nodes[i].word;
            *value = psy__kernel_add(k->k, (psy__knode){.op = PSY_K_RESULT, .type = (uint8_t)nodes[i].dtype, .a = {*value}});
        } else if (k->registers[nodes[i].dst].rank == rank) {
            *value = 0; /* of the loop, gone now */
        }
    }
    memcpy(outer, c, axis * sizeof *outer);
    memcpy(outer + axis, c + axis + 1, (rank - axis - 1) * sizeof *outer);
    uint32_t leader = psy__maker_open(k, PSY_K_LEADER, 0);
    for (uint32_t i = 0; i < count && !k->k->failed; i++) {
        k->k->now = nodes[i].word;
        if (reduces(&nodes[i])) {
            psy__maker_store(k, nodes[i].dst, outer, rank - 1, k->values[nodes[i].dst]);
        } else if (k->registers[nodes[i].dst].rank != rank) {
            map(k, &nodes[i], outer, rank - 1);
        }
    }
    psy__maker_close(k, leader);
    psy__maker_close(k, space);
}

/* ---- stores ---- */

/* What is written as the field's count; 0: nothing. */
static uint32_t counted(psy__maker *k, const psy__instruction *at, const psy_psm_field *f, uint32_t *rows)
{
    uint32_t said = at->op == PSY_OP_STORE ? at->operands[2] : PSY_NONE;
    if (at->op != PSY_OP_STORE) {
        return 0;
    }
    if (f->kind == PSY_FIELD_OPTIONAL) {
        return said == PSY_NONE ? psy__kernel_const(k->k, PSY_BOOL, 1) : psy__maker_load(k, said, NULL, 0);
    }
    if (f->kind == PSY_FIELD_BOUNDED && said != PSY_NONE) {
        *rows = psy__kernel_index(k->k, PSY_K_LENGTH, psy__maker_load(k, said, NULL, 0), *rows);
    }
    return f->kind == PSY_FIELD_BOUNDED ? *rows : 0;
}

/* Elements of any rank; what they are is the kernel's dims. */
static void store_variant(psy__maker *k, const psy__instruction *at, uint32_t field)
{
    const psy_psm_register *r = &k->registers[at->operands[0]];
    psy__knode node = {.op = PSY_K_FIELD, .dtype = (uint8_t)at->dtype, .place = field};
    node.a[0] = psy__maker_product(k, r->dims, r->rank);
    node.more = k->m->fields[field].offset;
    uint32_t construct = psy__kernel_open(k->k, node), element = psy__kernel_coord(k->k, construct, 0);
    uint32_t value = psy__maker_load_number(k, at->operands[0], element);
    psy__kernel_add(k->k, (psy__knode){.op = PSY_K_PUT, .dtype = (uint8_t)at->dtype, .a = {value}});
    psy__maker_close(k, construct);
}

void psy__make_store(psy__maker *k, const psy__instruction *at)
{
    const psy_psm_register *r = &k->registers[at->operands[0]];
    uint32_t field = k->m->types[k->p->output_type].first_field + at->operands[1], c[PSY_RANK_MAX] = {0};
    const psy_psm_field *f = &k->m->fields[field];
    k->k->now = at->word;
    if (f->kind == PSY_FIELD_VARIANT && k->target == PSY_KERNEL_FOR_DEVICE) {
        psy__maker_refuse(k, "%s of a variant", at->info->name);
        return;
    }
    if (f->kind == PSY_FIELD_VARIANT) {
        store_variant(k, at, field);
        return;
    }
    uint32_t rows = psy__maker_product(k, r->dims, r->rank ? 1 : 0), count = counted(k, at, f, &rows);
    uint32_t inner = r->rank > 1 ? psy__kernel_size(k->k, r->dims[1]) : 0;
    psy__knode node = {.op = PSY_K_FIELD, .dtype = (uint8_t)at->dtype, .place = field};
    node.a[0] = inner ? psy__kernel_index(k->k, PSY_K_IMUL, rows, inner) : rows;
    node.a[1] = count;
    node.more = at->op == PSY_OP_STORE ? f->offset : f->inner_offset;
    uint32_t construct = psy__kernel_open(k->k, node), element = psy__kernel_coord(k->k, construct, 0);
    c[0] = inner ? psy__kernel_index(k->k, PSY_K_IDIV, element, inner) : element;
    c[1] = inner ? psy__kernel_index(k->k, PSY_K_IMOD, element, inner) : 0;
    uint32_t value = psy__maker_load(k, at->operands[0], c, r->rank);
    psy__kernel_add(k->k, (psy__knode){.op = PSY_K_PUT, .dtype = (uint8_t)at->dtype, .a = {value}});
    psy__maker_close(k, construct);
}
