/* SPDX-License-Identifier: Apache-2.0 */
#include "codegen/maker.h"

#include <spirv/unified1/GLSL.std.450.h>
#include <spirv/unified1/spirv.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

psy_status psy__maker_refuse(psy__maker *k, const char *format, ...)
{
    if (k->status == PSY_OK) {
        char text[200];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        k->status = psy_fail(PSY_UNSUPPORTED, "program %s has no kernels: %s", psy__module_string(k->m, k->p->name), text);
    }
    return k->status;
}

/* ---- numbers ---- */

uint32_t psy__const_u32(psy__maker *k, uint32_t value) { return psy__spirv_intern(&k->s, SpvOpConstant, k->u32, value); }

uint32_t psy__const_f32(psy__maker *k, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return psy__spirv_intern(&k->s, SpvOpConstant, k->f32, bits);
}

uint32_t psy__op2(psy__maker *k, unsigned op, uint32_t type, uint32_t a, uint32_t b)
{
    return psy__spirv_make(&k->s, op, type, a, b);
}

uint32_t psy__select(psy__maker *k, uint32_t type, uint32_t condition, uint32_t yes, uint32_t no)
{
    return psy__spirv_make(&k->s, SpvOpSelect, type, condition, yes, no);
}

uint32_t psy__bits_to(psy__maker *k, unsigned dtype, uint32_t word)
{
    return dtype == PSY_F32 ? psy__spirv_make(&k->s, SpvOpBitcast, k->f32, word) : word;
}

uint32_t psy__bits_of(psy__maker *k, unsigned dtype, uint32_t value)
{
    return dtype == PSY_F32 ? psy__spirv_make(&k->s, SpvOpBitcast, k->u32, value) : value;
}

/* ---- memory ---- */

static uint32_t pointer_type(psy__maker *k, unsigned storage, uint32_t type)
{
    return psy__spirv_intern(&k->s, SpvOpTypePointer, 0, storage, type);
}

static uint32_t global_variable(psy__maker *k, unsigned storage, uint32_t type)
{
    uint32_t id = psy__spirv_id(&k->s);
    psy__spirv_emit(&k->s, PSY_SPIRV_GLOBALS, SpvOpVariable, pointer_type(k, storage, type), id, storage);
    return id;
}

static bool is_read_only(unsigned binding)
{
    return binding == PSY_BIND_INPUT || binding == PSY_BIND_RESIDENT || binding == PSY_BIND_CONST ||
           binding == PSY_BIND_PARAM || binding == PSY_BIND_TABLE;
}

static uint32_t word_pointer(psy__maker *k, unsigned binding, uint32_t index)
{
    psy__spirv *s = &k->s;
    uint32_t array = psy__spirv_intern(s, SpvOpTypeRuntimeArray, 0, k->u32),
             block = psy__spirv_intern(s, SpvOpTypeStruct, 0, array);
    if (!k->buffers[binding]) {
        bool first = true;
        for (unsigned i = 0; i < PSY_BIND_COUNT; i++) {
            first = first && !k->buffers[i];
        }
        if (first) {
            psy__spirv_emit(s, PSY_SPIRV_DECORATIONS, SpvOpDecorate, array, SpvDecorationArrayStride, 4);
            psy__spirv_emit(s, PSY_SPIRV_DECORATIONS, SpvOpDecorate, block, SpvDecorationBlock);
            psy__spirv_emit(s, PSY_SPIRV_DECORATIONS, SpvOpMemberDecorate, block, 0, SpvDecorationOffset, 0);
        }
        uint32_t v = k->buffers[binding] = global_variable(k, SpvStorageClassStorageBuffer, block);
        psy__spirv_emit(s, PSY_SPIRV_DECORATIONS, SpvOpDecorate, v, SpvDecorationDescriptorSet, 0);
        psy__spirv_emit(s, PSY_SPIRV_DECORATIONS, SpvOpDecorate, v, SpvDecorationBinding, binding);
        if (is_read_only(binding)) {
            psy__spirv_emit(s, PSY_SPIRV_DECORATIONS, SpvOpDecorate, v, SpvDecorationNonWritable);
        }
    }
    return psy__spirv_make(s, SpvOpAccessChain, pointer_type(k, SpvStorageClassStorageBuffer, k->u32), k->buffers[binding],
                           psy__const_u32(k, 0), index);
}

uint32_t psy__load_word(psy__maker *k, unsigned binding, uint32_t index)
{
    return psy__spirv_make(&k->s, SpvOpLoad, k->u32, word_pointer(k, binding, index));
}

void psy__store_word(psy__maker *k, unsigned binding, uint32_t index, uint32_t word)
{
    uint32_t at = word_pointer(k, binding, index);
    psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpStore, at, word);
}

uint32_t psy__param(psy__maker *k, uint32_t index) { return psy__load_word(k, PSY_BIND_PARAM, psy__const_u32(k, index)); }

uint32_t psy__push_word(psy__maker *k, uint32_t index)
{
    psy__spirv *s = &k->s;
    if (!k->push) {
        uint32_t members[PSY_PUSH_WORDS];
        for (unsigned i = 0; i < PSY_PUSH_WORDS; i++) {
            members[i] = k->u32;
        }
        uint32_t block = psy__spirv_global(s, SpvOpTypeStruct, 0, members, PSY_PUSH_WORDS);
        psy__spirv_emit(s, PSY_SPIRV_DECORATIONS, SpvOpDecorate, block, SpvDecorationBlock);
        for (uint32_t i = 0; i < PSY_PUSH_WORDS; i++) {
            psy__spirv_emit(s, PSY_SPIRV_DECORATIONS, SpvOpMemberDecorate, block, i, SpvDecorationOffset, i * 4);
        }
        k->push = global_variable(k, SpvStorageClassPushConstant, block);
    }
    uint32_t at = psy__spirv_make(s, SpvOpAccessChain, pointer_type(k, SpvStorageClassPushConstant, k->u32), k->push,
                                  psy__const_u32(k, index));
    return psy__spirv_make(s, SpvOpLoad, k->u32, at);
}

uint32_t psy__dim_id(psy__maker *k, psy_dim dim)
{
    return psy__dim_is_symbol(dim) ? psy__param(k, PSY_PARAM_SYMBOL(psy__dim_symbol(dim))) : psy__const_u32(k, dim);
}

/* ---- function variables and control flow ---- */

uint32_t psy__variable(psy__maker *k, uint32_t type)
{
    uint32_t id = psy__spirv_id(&k->s);
    psy__spirv_emit(&k->s, PSY_SPIRV_LOCALS, SpvOpVariable, pointer_type(k, SpvStorageClassFunction, type), id,
                    SpvStorageClassFunction);
    return id;
}

uint32_t psy__get(psy__maker *k, uint32_t type, uint32_t variable) { return psy__spirv_make(&k->s, SpvOpLoad, type, variable); }
void psy__set(psy__maker *k, uint32_t variable, uint32_t value)
{
    psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpStore, variable, value);
}

static void label(psy__maker *k, uint32_t id) { psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpLabel, id); }
static void branch(psy__maker *k, uint32_t id) { psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpBranch, id); }

uint32_t psy__if(psy__maker *k, uint32_t condition)
{
    uint32_t then = psy__spirv_id(&k->s), merge = psy__spirv_id(&k->s);
    psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpSelectionMerge, merge, SpvSelectionControlMaskNone);
    psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpBranchConditional, condition, then, merge);
    label(k, then);
    return merge;
}

void psy__end_if(psy__maker *k, uint32_t merge)
{
    branch(k, merge);
    label(k, merge);
}

psy__loop psy__for(psy__maker *k, uint32_t variable, uint32_t limit)
{
    psy__spirv *s = &k->s;
    psy__loop l = {psy__spirv_id(s), psy__spirv_id(s), psy__spirv_id(s), variable};
    uint32_t test = psy__spirv_id(s), body = psy__spirv_id(s);
    branch(k, l.header);
    label(k, l.header);
    psy__spirv_emit(s, PSY_SPIRV_CODE, SpvOpLoopMerge, l.merge, l.go_on, SpvLoopControlMaskNone);
    branch(k, test);
    label(k, test);
    uint32_t i = psy__get(k, k->u32, variable);
    uint32_t more = limit ? psy__op2(k, SpvOpULessThan, k->boolean, i, limit)
                          : psy__op2(k, SpvOpINotEqual, k->boolean, i, psy__const_u32(k, 0));
    psy__spirv_emit(s, PSY_SPIRV_CODE, SpvOpBranchConditional, more, body, l.merge);
    label(k, body);
    return l;
}

void psy__end_for(psy__maker *k, psy__loop l, uint32_t next)
{
    psy__set(k, l.variable, next);
    branch(k, l.go_on);
    label(k, l.go_on);
    branch(k, l.header);
    label(k, l.merge);
}

void psy__barrier(psy__maker *k)
{
    uint32_t scope = psy__const_u32(k, SpvScopeWorkgroup);
    uint32_t semantics = psy__const_u32(k, SpvMemorySemanticsAcquireReleaseMask | SpvMemorySemanticsWorkgroupMemoryMask);
    psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpControlBarrier, scope, scope, semantics);
}

/* ---- registers ---- */

uint32_t psy__product(psy__maker *k, const psy_dim *dims, uint32_t rank)
{
    uint32_t product = psy__const_u32(k, 1);
    for (uint32_t d = 0; d < rank; d++) {
        product = psy__op2(k, SpvOpIMul, k->u32, product, psy__dim_id(k, dims[d]));
    }
    return product;
}

void psy__coordinates(psy__maker *k, uint32_t element, const psy_dim *dims, uint32_t rank, uint32_t without, uint32_t *out)
{
    for (uint32_t d = rank; d-- > 0;) {
        if (d == without) {
            continue;
        }
        uint32_t size = psy__dim_id(k, dims[d]);
        out[d] = psy__op2(k, SpvOpUMod, k->u32, element, size);
        element = psy__op2(k, SpvOpUDiv, k->u32, element, size);
    }
}

uint32_t psy__element(psy__maker *k)
{
    return psy__op2(k, SpvOpIAdd, k->u32, psy__op2(k, SpvOpIMul, k->u32, k->group, k->size), k->local);
}

/* Element number at the register's own coordinates. */
static uint32_t element_of(psy__maker *k, uint32_t reg, const uint32_t *coordinates)
{
    const psy_psm_register *r = &k->registers[reg];
    uint32_t element = psy__const_u32(k, 0);
    for (uint32_t d = 0; d < r->rank; d++) {
        if (r->dims[d] != 1) {
            element = psy__op2(k, SpvOpIMul, k->u32, element, psy__dim_id(k, r->dims[d]));
            element = psy__op2(k, SpvOpIAdd, k->u32, element, coordinates[d]);
        }
    }
    return element;
}

/* The register's own coordinates: its dims are the last ones of `rank`; those that are a literal 1 are broadcast. */
static void own_coordinates(psy__maker *k, uint32_t reg, const uint32_t *coordinates, uint32_t rank, uint32_t *out)
{
    const psy_psm_register *r = &k->registers[reg];
    for (uint32_t d = 0; d < r->rank; d++) {
        out[d] = r->dims[d] == 1 ? psy__const_u32(k, 0) : coordinates[rank - r->rank + d];
    }
}

/* From a view to what it names, until that is no view: the register, and the coordinates there. */
static uint32_t root_of(psy__maker *k, uint32_t reg, uint32_t *c)
{
    while (k->places[reg] == PSY_PLACED_VIEW) {
        psy__instruction at;
        psy__instruction_at(k->m, k->p, k->sources[reg], &at);
        uint32_t from = at.operands[0], old[PSY_RANK_MAX];
        const psy_psm_register *x = &k->registers[from], *y = &k->registers[reg];
        memcpy(old, c, sizeof old);
        switch (at.op) {
        case PSY_OP_PERMUTE:
            for (uint32_t d = 0; d < y->rank; d++) {
                c[at.operands[1] >> 4 * d & 15] = old[d];
            }
            break;
        case PSY_OP_SLICE: {
            uint32_t axis = at.operands[1];
            uint32_t way = psy__op2(k, SpvOpIMul, k->u32, c[axis], psy__const_u32(k, at.operands[3]));
            c[axis] = psy__op2(k, SpvOpIAdd, k->u32, psy__dim_id(k, at.operands[2]), way);
            break;
        }
        case PSY_OP_REPEAT: own_coordinates(k, from, old, y->rank, c); break;
        default: psy__coordinates(k, element_of(k, reg, old), x->dims, x->rank, PSY_NONE, c); break;
        }
        reg = from;
    }
    return reg;
}

/* Byte offset within the place's first word, added to `bytes`; the place's first word is *base. */
static uint32_t base_of(psy__maker *k, uint32_t reg, unsigned *binding, uint32_t *bytes)
{
    uint32_t symbols = k->m->symbol_count, source = k->sources[reg];
    *bytes = 0;
    switch (k->places[reg]) {
    case PSY_PLACED_INPUT:
        *binding = PSY_BIND_INPUT;
        *bytes = source;
        return psy__load_word(k, PSY_BIND_TABLE, psy__op2(k, SpvOpIMul, k->u32, k->message, psy__const_u32(k, 2)));
    case PSY_PLACED_RESIDENT:
        *binding = PSY_BIND_RESIDENT;
        return psy__param(k, PSY_PARAM_RESIDENT(symbols, k->p->slot_count, source));
    case PSY_PLACED_CONST:
        *binding = PSY_BIND_CONST;
        *bytes = source;
        return psy__const_u32(k, 0);
    case PSY_PLACED_UNIFORM: *binding = PSY_BIND_UNIFORM; return psy__param(k, PSY_PARAM_SLOT(symbols, source));
    default: {
        *binding = PSY_BIND_ARENA;
        uint32_t arena = psy__op2(k, SpvOpIMul, k->u32, k->message, psy__param(k, PSY_PARAM_STRIDE));
        return psy__op2(k, SpvOpIAdd, k->u32, arena, psy__param(k, PSY_PARAM_SLOT(symbols, source)));
    }
    }
}

static bool in_slot(const psy__maker *k, uint32_t reg)
{
    return k->places[reg] == PSY_PLACED_ARENA || k->places[reg] == PSY_PLACED_UNIFORM;
}

uint32_t psy__word_of(psy__maker *k, uint32_t reg, uint32_t element, unsigned *binding)
{
    if (k->places[reg] == PSY_PLACED_VIEW) {
        uint32_t c[PSY_RANK_MAX] = {0};
        psy__coordinates(k, element, k->registers[reg].dims, k->registers[reg].rank, PSY_NONE, c);
        reg = root_of(k, reg, c);
        element = element_of(k, reg, c);
    }
    uint32_t bytes, base = base_of(k, reg, binding, &bytes), words = psy__dtype_bytes(k->registers[reg].dtype) / 4;
    if (words > 1) {
        element = psy__op2(k, SpvOpIMul, k->u32, element, psy__const_u32(k, words));
    }
    base = psy__op2(k, SpvOpIAdd, k->u32, base, psy__const_u32(k, bytes / 4));
    return psy__op2(k, SpvOpIAdd, k->u32, base, element);
}

/* An element of 1 or 2 bytes, as u32; signs are spread. */
static uint32_t load_narrow(psy__maker *k, uint32_t reg, uint32_t element)
{
    unsigned binding, dtype = k->registers[reg].dtype, size = psy__dtype_bytes(dtype);
    uint32_t bytes, base = base_of(k, reg, &binding, &bytes), value;
    if (in_slot(k, reg)) {
        /* in slots every element has a word of its own */
        value = psy__load_word(k, binding, psy__op2(k, SpvOpIAdd, k->u32, base, element));
    } else {
        uint32_t at = psy__op2(k, SpvOpIMul, k->u32, element, psy__const_u32(k, size));
        at = psy__op2(k, SpvOpIAdd, k->u32, at, psy__const_u32(k, bytes));
        uint32_t word =
            psy__op2(k, SpvOpIAdd, k->u32, base, psy__op2(k, SpvOpShiftRightLogical, k->u32, at, psy__const_u32(k, 2)));
        uint32_t shift = psy__op2(k, SpvOpIMul, k->u32, psy__op2(k, SpvOpBitwiseAnd, k->u32, at, psy__const_u32(k, 3)),
                                  psy__const_u32(k, 8));
        value = psy__op2(k, SpvOpShiftRightLogical, k->u32, psy__load_word(k, binding, word), shift);
    }
    if (dtype == PSY_BOOL) {
        return psy__op2(k, SpvOpBitwiseAnd, k->u32, value, psy__const_u32(k, 1));
    }
    uint32_t spare = psy__const_u32(k, 32 - 8 * size);
    value = psy__op2(k, SpvOpShiftLeftLogical, k->u32, value, spare);
    value = psy__op2(k, psy__dtype_class(dtype) == PSY_DCLASS_SINT ? SpvOpShiftRightArithmetic : SpvOpShiftRightLogical, k->u32,
                     value, spare);
    return value;
}

uint32_t psy__load_register(psy__maker *k, uint32_t reg, const uint32_t *coordinates, uint32_t rank)
{
    if (k->values[reg]) {
        return k->values[reg];
    }
    unsigned dtype = k->registers[reg].dtype, bytes = psy__dtype_bytes(dtype), binding;
    if (bytes > 4) {
        psy__maker_refuse(k, "%s arithmetic", psy__dtype_name(dtype));
        return psy__const_u32(k, 0);
    }
    uint32_t c[PSY_RANK_MAX] = {0};
    own_coordinates(k, reg, coordinates, rank, c);
    reg = root_of(k, reg, c);
    uint32_t element = element_of(k, reg, c);
    if (bytes < 4) {
        return load_narrow(k, reg, element);
    }
    uint32_t word = psy__word_of(k, reg, element, &binding);
    return psy__bits_to(k, dtype, psy__load_word(k, binding, word));
}

void psy__store_register(psy__maker *k, uint32_t reg, const uint32_t *coordinates, uint32_t rank, uint32_t value)
{
    unsigned dtype = k->registers[reg].dtype, bytes = psy__dtype_bytes(dtype), binding;
    k->values[reg] = value;
    if (k->places[reg] == PSY_PLACED_NOWHERE) {
        return;
    }
    if (bytes > 4) {
        psy__maker_refuse(k, "%s values that are kept", psy__dtype_name(dtype));
        return;
    }
    uint32_t c[PSY_RANK_MAX] = {0};
    own_coordinates(k, reg, coordinates, rank, c);
    uint32_t element = element_of(k, reg, c);
    if (bytes < 4) {
        uint32_t unused, base = base_of(k, reg, &binding, &unused);
        psy__store_word(k, binding, psy__op2(k, SpvOpIAdd, k->u32, base, element), value);
        return;
    }
    uint32_t word = psy__word_of(k, reg, element, &binding);
    psy__store_word(k, binding, word, psy__bits_of(k, dtype, value));
}

/* ---- begin and end ---- */

static uint32_t builtin(psy__maker *k, uint32_t type, unsigned which, unsigned slot)
{
    uint32_t v = global_variable(k, SpvStorageClassInput, type);
    psy__spirv_emit(&k->s, PSY_SPIRV_DECORATIONS, SpvOpDecorate, v, SpvDecorationBuiltIn, which);
    k->interface[slot] = v;
    return psy__spirv_make(&k->s, SpvOpLoad, type, v);
}

static uint32_t part(psy__maker *k, uint32_t vector, uint32_t i)
{
    return psy__spirv_make(&k->s, SpvOpCompositeExtract, k->u32, vector, i);
}

void psy__maker_begin(psy__maker *k)
{
    psy__spirv *s = &k->s;
    uint32_t none = psy__spirv_global(s, SpvOpTypeVoid, 0, (const uint32_t[]){0}, 0);
    uint32_t function = psy__spirv_intern(s, SpvOpTypeFunction, 0, none);
    k->boolean = psy__spirv_global(s, SpvOpTypeBool, 0, (const uint32_t[]){0}, 0);
    k->u32 = psy__spirv_intern(s, SpvOpTypeInt, 0, 32, 0);
    k->f32 = psy__spirv_intern(s, SpvOpTypeFloat, 0, 32);
    k->u32x3 = psy__spirv_intern(s, SpvOpTypeVector, 0, k->u32, 3);
    k->main = psy__spirv_id(s);
    k->exit = psy__spirv_id(s);
    psy__spirv_put_name(s, PSY_SPIRV_NAMES, SpvOpName, PSY_SPIRV_LIST(k->main), "main");
    /* The workgroup's size is the engine's choice. */
    k->size = psy__spirv_id(s);
    uint32_t one = psy__const_u32(k, 1), size = psy__spirv_id(s);
    psy__spirv_emit(s, PSY_SPIRV_GLOBALS, SpvOpSpecConstant, k->u32, k->size, PSY_KERNEL_GROUP_MAX);
    psy__spirv_emit(s, PSY_SPIRV_GLOBALS, SpvOpSpecConstantComposite, k->u32x3, size, k->size, one, one);
    psy__spirv_emit(s, PSY_SPIRV_DECORATIONS, SpvOpDecorate, k->size, SpvDecorationSpecId, 0);
    psy__spirv_emit(s, PSY_SPIRV_DECORATIONS, SpvOpDecorate, size, SpvDecorationBuiltIn, SpvBuiltInWorkgroupSize);
    psy__spirv_emit(s, PSY_SPIRV_LOCALS, SpvOpFunction, none, k->main, SpvFunctionControlMaskNone, function);
    psy__spirv_emit(s, PSY_SPIRV_LOCALS, SpvOpLabel, psy__spirv_id(s));
    uint32_t group = builtin(k, k->u32x3, SpvBuiltInWorkgroupId, 0), groups = builtin(k, k->u32x3, SpvBuiltInNumWorkgroups, 1);
    k->local = part(k, builtin(k, k->u32x3, SpvBuiltInLocalInvocationId, 2), 0);
    k->message = part(k, group, 2);
    k->groups_x = part(k, groups, 0);
    k->group =
        psy__op2(k, SpvOpIAdd, k->u32, psy__op2(k, SpvOpIMul, k->u32, part(k, group, 1), k->groups_x), part(k, group, 0));
}

uint32_t *psy__maker_end(psy__maker *k, uint32_t *count)
{
    psy__spirv_put(&k->s, PSY_SPIRV_CODE, SpvOpReturn, NULL, 0);
    psy__spirv_put(&k->s, PSY_SPIRV_CODE, SpvOpFunctionEnd, NULL, 0);
    return psy__spirv_finish(&k->s, k->main, k->interface, 3, count);
}
