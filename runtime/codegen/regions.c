/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels over an index space: elementwise, reductions with what is made of them, and stores. */
#include <spirv/unified1/GLSL.std.450.h>
#include <spirv/unified1/spirv.h>
#include <string.h>

#include "codegen/maker.h"

static bool reduces(const psy__instruction *at) { return psy__class_is_reduction(at->info->class_); }

static uint32_t operand(psy__maker *k, const psy__instruction *at, unsigned i, const uint32_t *coordinates, uint32_t rank)
{
    return psy__load_register(k, at->operands[i], coordinates, rank);
}

static void map(psy__maker *k, const psy__instruction *at, const uint32_t *coordinates, uint32_t rank)
{
    uint32_t in[3] = {0};
    for (unsigned i = 0; i < psy__op_register_count(at->info); i++) {
        in[i] = operand(k, at, i, coordinates, rank);
    }
    psy__store_register(k, at->dst, coordinates, rank, psy__expression(k, at, in));
}

void psy__make_map(psy__maker *k, const psy__instruction *nodes, uint32_t count, const psy_dim *dims, uint32_t rank)
{
    uint32_t coordinates[PSY_RANK_MAX] = {0}, element = psy__element(k);
    uint32_t inside = psy__if(k, psy__op2(k, SpvOpULessThan, k->boolean, element, psy__product(k, dims, rank)));
    psy__coordinates(k, element, dims, rank, PSY_NONE, coordinates);
    for (uint32_t i = 0; i < count; i++) {
        map(k, &nodes[i], coordinates, rank);
    }
    psy__end_if(k, inside);
}

/* ---- reductions ---- */

static uint32_t shared_array(psy__maker *k, unsigned which)
{
    psy__spirv *s = &k->s;
    if (!k->shared[which]) {
        uint32_t array = psy__spirv_intern(s, SpvOpTypeArray, 0, k->u32, psy__const_u32(k, PSY_KERNEL_GROUP_MAX));
        uint32_t pointer = psy__spirv_intern(s, SpvOpTypePointer, 0, SpvStorageClassWorkgroup, array);
        k->shared[which] = psy__spirv_id(s);
        psy__spirv_emit(s, PSY_SPIRV_GLOBALS, SpvOpVariable, pointer, k->shared[which], SpvStorageClassWorkgroup);
    }
    return k->shared[which];
}

static uint32_t shared_at(psy__maker *k, unsigned which, uint32_t index)
{
    uint32_t pointer = psy__spirv_intern(&k->s, SpvOpTypePointer, 0, SpvStorageClassWorkgroup, k->u32);
    return psy__spirv_make(&k->s, SpvOpAccessChain, pointer, shared_array(k, which), index);
}

uint32_t psy__shared_get(psy__maker *k, unsigned which, uint32_t index)
{
    return psy__spirv_make(&k->s, SpvOpLoad, k->u32, shared_at(k, which, index));
}

void psy__shared_set(psy__maker *k, unsigned which, uint32_t index, uint32_t word)
{
    uint32_t at = shared_at(k, which, index);
    psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpStore, at, word);
}

/* All invocations' values become one, in every invocation: halves are put together again and again. */
static uint32_t across(psy__maker *k, const psy__instruction *at, uint32_t value)
{
    uint32_t half = psy__variable(k, k->u32);
    psy__barrier(k); /* the array may still be read for the last reduction */
    psy__shared_set(k, 0, k->local, psy__bits_of(k, at->dtype, value));
    psy__barrier(k);
    psy__set(k, half, psy__op2(k, SpvOpShiftRightLogical, k->u32, k->size, psy__const_u32(k, 1)));
    psy__loop loop = psy__for(k, half, 0);
    uint32_t h = psy__get(k, k->u32, half);
    uint32_t mine = psy__if(k, psy__op2(k, SpvOpULessThan, k->boolean, k->local, h));
    uint32_t x = psy__bits_to(k, at->dtype, psy__shared_get(k, 0, k->local));
    uint32_t y = psy__bits_to(k, at->dtype, psy__shared_get(k, 0, psy__op2(k, SpvOpIAdd, k->u32, k->local, h)));
    psy__shared_set(k, 0, k->local, psy__bits_of(k, at->dtype, psy__expression(k, at, (const uint32_t[3]){y, x, 0})));
    psy__end_if(k, mine);
    psy__barrier(k);
    psy__end_for(k, loop, psy__op2(k, SpvOpShiftRightLogical, k->u32, h, psy__const_u32(k, 1)));
    return psy__bits_to(k, at->dtype, psy__shared_get(k, 0, psy__const_u32(k, 0)));
}

/* One step: sum(a * b) takes the product first. */
static uint32_t step(psy__maker *k, const psy__instruction *at, uint32_t sum, const uint32_t *coordinates, uint32_t rank)
{
    uint32_t a = operand(k, at, 0, coordinates, rank);
    if (at->info->class_ == PSY_CLASS_REDUCE2) {
        uint32_t b = operand(k, at, 1, coordinates, rank);
        bool is_float = psy__dtype_class(at->dtype) == PSY_DCLASS_FLOAT;
        a = psy__op2(k, is_float ? SpvOpFMul : SpvOpIMul, is_float ? k->f32 : k->u32, a, b);
    }
    return psy__expression(k, at, (const uint32_t[3]){a, sum, 0});
}

void psy__make_reduce(psy__maker *k, const psy__instruction *nodes, uint32_t count, const psy_dim *dims, uint32_t rank,
                      uint32_t axis)
{
    uint32_t coordinates[PSY_RANK_MAX] = {0}, outer[PSY_RANK_MAX] = {0};
    psy_dim rest[PSY_RANK_MAX];
    memcpy(rest, dims, rank * sizeof *dims);
    memmove(rest + axis, rest + axis + 1, (rank - axis - 1) * sizeof *rest);
    /* Nothing reads a reduction before the loop's end: until then its value is the variable that it grows in. */
    uint32_t *sums = k->values;
    uint32_t inside = psy__if(k, psy__op2(k, SpvOpULessThan, k->boolean, k->group, psy__product(k, rest, rank - 1)));
    psy__coordinates(k, k->group, dims, rank, axis, coordinates);
    for (uint32_t i = 0; i < count; i++) {
        if (reduces(&nodes[i])) {
            sums[nodes[i].dst] = psy__variable(k, nodes[i].dtype == PSY_F32 ? k->f32 : k->u32);
            psy__set(k, sums[nodes[i].dst], psy__identity_id(k, &nodes[i]));
        }
    }
    uint32_t at = psy__variable(k, k->u32);
    psy__set(k, at, k->local);
    psy__loop loop = psy__for(k, at, psy__dim_id(k, dims[axis]));
    coordinates[axis] = psy__get(k, k->u32, at);
    for (uint32_t i = 0; i < count; i++) {
        const psy__instruction *n = &nodes[i];
        uint32_t type = n->dtype == PSY_F32 ? k->f32 : k->u32;
        if (reduces(n)) {
            psy__set(k, sums[nodes[i].dst], step(k, n, psy__get(k, type, sums[nodes[i].dst]), coordinates, rank));
        } else if (k->registers[n->dst].rank == rank) {
            map(k, n, coordinates, rank);
        }
    }
    psy__end_for(k, loop, psy__op2(k, SpvOpIAdd, k->u32, coordinates[axis], k->size));
    for (uint32_t i = 0; i < count; i++) {
        if (!reduces(&nodes[i]) && k->registers[nodes[i].dst].rank == rank) {
            k->values[nodes[i].dst] = 0; /* of the loop, gone now */
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (reduces(&nodes[i])) {
            sums[nodes[i].dst] =
                across(k, &nodes[i], psy__get(k, nodes[i].dtype == PSY_F32 ? k->f32 : k->u32, sums[nodes[i].dst]));
        }
    }
    memcpy(outer, coordinates, axis * sizeof *outer);
    memcpy(outer + axis, coordinates + axis + 1, (rank - axis - 1) * sizeof *outer);
    uint32_t first = psy__if(k, psy__op2(k, SpvOpIEqual, k->boolean, k->local, psy__const_u32(k, 0)));
    for (uint32_t i = 0; i < count; i++) {
        if (reduces(&nodes[i])) {
            psy__store_register(k, nodes[i].dst, outer, rank - 1, sums[nodes[i].dst]);
        } else if (k->registers[nodes[i].dst].rank != rank) {
            map(k, &nodes[i], outer, rank - 1);
        }
    }
    psy__end_if(k, first);
    psy__end_if(k, inside);
}

/* ---- stores ---- */

static uint32_t length_of(psy__maker *k, uint32_t reg, uint32_t most)
{
    uint32_t n = psy__load_register(k, reg, NULL, 0);
    unsigned dtype = k->registers[reg].dtype;
    if (psy__dtype_bytes(dtype) > 4) {
        psy__maker_refuse(k, "lengths of %s", psy__dtype_name(dtype));
        return most;
    }
    if (psy__dtype_class(dtype) == PSY_DCLASS_SINT) {
        n = psy__spirv_make(&k->s, SpvOpExtInst, k->u32, k->s.glsl, GLSLstd450SMax, n, psy__const_u32(k, 0));
    }
    return psy__spirv_make(&k->s, SpvOpExtInst, k->u32, k->s.glsl, GLSLstd450UMin, n, most);
}

/* Elements of 1 or 2 bytes: every invocation writes one word, and leaves the bytes in it that are not the field's. There are at
 * least as many elements as words. */
static void store_narrow(psy__maker *k, const psy__instruction *at, const psy_psm_field *f, uint32_t base, uint32_t number,
                         uint32_t n)
{
    uint32_t bytes = psy__dtype_bytes(at->dtype), lanes = 4 / bytes, skip = f->offset % 4 / bytes, zero = psy__const_u32(k, 0);
    uint32_t first = psy__op2(k, SpvOpIMul, k->u32, number, psy__const_u32(k, lanes));
    uint32_t end = psy__op2(k, SpvOpIAdd, k->u32, n, psy__const_u32(k, skip));
    uint32_t inside = psy__if(k, psy__op2(k, SpvOpULessThan, k->boolean, first, end));
    uint32_t at_word = psy__op2(k, SpvOpIAdd, k->u32, base, number), word = psy__load_word(k, PSY_BIND_OUTPUT, at_word);
    for (uint32_t lane = 0; lane < lanes; lane++) {
        uint32_t mask = ((UINT32_C(1) << 8 * bytes) - 1) << 8 * bytes * lane;
        /* wraps, and is large, before the field's first element */
        uint32_t i = psy__op2(k, SpvOpISub, k->u32, psy__op2(k, SpvOpIAdd, k->u32, first, psy__const_u32(k, lane)),
                              psy__const_u32(k, skip));
        uint32_t ours = psy__op2(k, SpvOpULessThan, k->boolean, i, n), safe = psy__select(k, k->u32, ours, i, zero);
        uint32_t value = psy__load_register(k, at->operands[0], &safe, k->registers[at->operands[0]].rank);
        value = psy__op2(k, SpvOpShiftLeftLogical, k->u32, value, psy__const_u32(k, 8 * bytes * lane));
        value = psy__op2(k, SpvOpBitwiseAnd, k->u32, value, psy__const_u32(k, mask));
        uint32_t kept = psy__op2(k, SpvOpBitwiseAnd, k->u32, word, psy__const_u32(k, ~mask));
        word = psy__select(k, k->u32, ours, psy__op2(k, SpvOpBitwiseOr, k->u32, kept, value), word);
    }
    psy__store_word(k, PSY_BIND_OUTPUT, at_word, word);
    psy__end_if(k, inside);
}

void psy__make_store(psy__maker *k, const psy__instruction *at)
{
    const psy_psm_register *r = &k->registers[at->operands[0]];
    const psy_psm_field *f = &k->m->fields[k->m->types[k->p->output_type].first_field + at->operands[1]];
    unsigned bytes = psy__dtype_bytes(at->dtype), binding;
    if (f->kind == PSY_FIELD_VARIANT) {
        psy__maker_refuse(k, "variants as results");
        return;
    }
    uint32_t element = psy__element(k), n = psy__product(k, r->dims, r->rank);
    uint32_t slot =
        psy__op2(k, SpvOpIAdd, k->u32, psy__op2(k, SpvOpIMul, k->u32, k->message, psy__const_u32(k, 2)), psy__const_u32(k, 1));
    uint32_t out = psy__load_word(k, PSY_BIND_TABLE, slot);
    if (f->kind == PSY_FIELD_BOUNDED) {
        if (at->operands[2] != PSY_NONE) {
            n = length_of(k, at->operands[2], n);
        }
        uint32_t first = psy__if(k, psy__op2(k, SpvOpIEqual, k->boolean, element, psy__const_u32(k, 0)));
        psy__store_word(k, PSY_BIND_OUTPUT, psy__op2(k, SpvOpIAdd, k->u32, out, psy__const_u32(k, f->count_offset / 4)), n);
        psy__end_if(k, first);
    }
    uint32_t base = psy__op2(k, SpvOpIAdd, k->u32, out, psy__const_u32(k, f->offset / 4));
    if (bytes < 4) {
        store_narrow(k, at, f, base, element, n);
        return;
    }
    uint32_t inside = psy__if(k, psy__op2(k, SpvOpULessThan, k->boolean, element, n));
    /* Words are copied as they are, whatever they mean. */
    uint32_t words = bytes / 4, from = psy__word_of(k, at->operands[0], element, &binding);
    uint32_t to = psy__op2(k, SpvOpIAdd, k->u32, base, psy__op2(k, SpvOpIMul, k->u32, element, psy__const_u32(k, words)));
    for (uint32_t i = 0; i < words; i++) {
        uint32_t word = psy__load_word(k, binding, psy__op2(k, SpvOpIAdd, k->u32, from, psy__const_u32(k, i)));
        psy__store_word(k, PSY_BIND_OUTPUT, psy__op2(k, SpvOpIAdd, k->u32, to, psy__const_u32(k, i)), word);
    }
    psy__end_if(k, inside);
}
