/* SPDX-License-Identifier: Apache-2.0 */
#include "codegen/spirv_emit.h"

#include <spirv/unified1/GLSL.std.450.h>
#include <spirv/unified1/spirv.h>
#include <stdarg.h>
#include <string.h>

psy_status psy__emitter_refuse(psy__emitter *k, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    k->status = k->status == PSY_OK ? psy__kernel_refuse(k->ir, format, arguments) : k->status;
    va_end(arguments);
    return k->status;
}

/* ---- numbers ---- */

uint32_t psy__const_u32(psy__emitter *k, uint32_t value) { return psy__spirv_intern(&k->s, SpvOpConstant, k->u32, value); }

uint32_t psy__const_f32(psy__emitter *k, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return psy__spirv_intern(&k->s, SpvOpConstant, k->f32, bits);
}

uint32_t psy__const_bits(psy__emitter *k, unsigned dtype, uint64_t bits)
{
    return psy__spirv_intern(&k->s, SpvOpConstant, dtype == PSY_F32 ? k->f32 : k->u32, (uint32_t)bits);
}

uint32_t psy__op2(psy__emitter *k, unsigned op, uint32_t type, uint32_t a, uint32_t b)
{
    return psy__spirv_make(&k->s, op, type, a, b);
}

uint32_t psy__select(psy__emitter *k, uint32_t type, uint32_t condition, uint32_t yes, uint32_t no)
{
    return psy__spirv_make(&k->s, SpvOpSelect, type, condition, yes, no);
}

uint32_t psy__bits_to(psy__emitter *k, unsigned dtype, uint32_t word)
{
    return dtype == PSY_F32 ? psy__spirv_make(&k->s, SpvOpBitcast, k->f32, word) : word;
}

uint32_t psy__bits_of(psy__emitter *k, unsigned dtype, uint32_t value)
{
    return dtype == PSY_F32 ? psy__spirv_make(&k->s, SpvOpBitcast, k->u32, value) : value;
}

/* ---- memory ---- */

static uint32_t pointer_type(psy__emitter *k, unsigned storage, uint32_t type)
{
    return psy__spirv_intern(&k->s, SpvOpTypePointer, 0, storage, type);
}

static uint32_t global_variable(psy__emitter *k, unsigned storage, uint32_t type)
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

static uint32_t word_pointer(psy__emitter *k, unsigned binding, uint32_t index)
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

uint32_t psy__load_word(psy__emitter *k, unsigned binding, uint32_t index)
{
    return psy__spirv_make(&k->s, SpvOpLoad, k->u32, word_pointer(k, binding, index));
}

void psy__store_word(psy__emitter *k, unsigned binding, uint32_t index, uint32_t word)
{
    uint32_t at = word_pointer(k, binding, index);
    psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpStore, at, word);
}

uint32_t psy__param(psy__emitter *k, uint32_t index) { return psy__load_word(k, PSY_BIND_PARAM, psy__const_u32(k, index)); }

uint32_t psy__push_word(psy__emitter *k, uint32_t index)
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

/* ---- function variables and control flow ---- */

uint32_t psy__variable(psy__emitter *k, uint32_t type)
{
    uint32_t id = psy__spirv_id(&k->s);
    psy__spirv_emit(&k->s, PSY_SPIRV_LOCALS, SpvOpVariable, pointer_type(k, SpvStorageClassFunction, type), id,
                    SpvStorageClassFunction);
    return id;
}

uint32_t psy__get(psy__emitter *k, uint32_t type, uint32_t variable)
{
    return psy__spirv_make(&k->s, SpvOpLoad, type, variable);
}
void psy__set(psy__emitter *k, uint32_t variable, uint32_t value)
{
    psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpStore, variable, value);
}

static void label(psy__emitter *k, uint32_t id) { psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpLabel, id); }
static void branch(psy__emitter *k, uint32_t id) { psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpBranch, id); }

uint32_t psy__if(psy__emitter *k, uint32_t condition)
{
    uint32_t then = psy__spirv_id(&k->s), merge = psy__spirv_id(&k->s);
    psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpSelectionMerge, merge, SpvSelectionControlMaskNone);
    psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpBranchConditional, condition, then, merge);
    label(k, then);
    return merge;
}

void psy__end_if(psy__emitter *k, uint32_t merge)
{
    branch(k, merge);
    label(k, merge);
}

psy__loop psy__for(psy__emitter *k, uint32_t variable, uint32_t limit)
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

void psy__end_for(psy__emitter *k, psy__loop l, uint32_t next)
{
    psy__set(k, l.variable, next);
    branch(k, l.go_on);
    label(k, l.go_on);
    branch(k, l.header);
    label(k, l.merge);
}

static uint32_t shared_at(psy__emitter *k, unsigned which, uint32_t index)
{
    psy__spirv *s = &k->s;
    if (!k->shared[which]) {
        uint32_t array = psy__spirv_intern(s, SpvOpTypeArray, 0, k->u32, psy__const_u32(k, PSY_KERNEL_GROUP_MAX));
        k->shared[which] = global_variable(k, SpvStorageClassWorkgroup, array);
    }
    return psy__spirv_make(s, SpvOpAccessChain, pointer_type(k, SpvStorageClassWorkgroup, k->u32), k->shared[which], index);
}

uint32_t psy__shared_get(psy__emitter *k, unsigned which, uint32_t index)
{
    return psy__spirv_make(&k->s, SpvOpLoad, k->u32, shared_at(k, which, index));
}

void psy__shared_set(psy__emitter *k, unsigned which, uint32_t index, uint32_t word)
{
    uint32_t at = shared_at(k, which, index);
    psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpStore, at, word);
}

void psy__barrier(psy__emitter *k)
{
    uint32_t scope = psy__const_u32(k, SpvScopeWorkgroup);
    uint32_t semantics = psy__const_u32(k, SpvMemorySemanticsAcquireReleaseMask | SpvMemorySemanticsWorkgroupMemoryMask);
    psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpControlBarrier, scope, scope, semantics);
}

/* ---- begin and end ---- */

static uint32_t builtin(psy__emitter *k, uint32_t type, unsigned which, unsigned slot)
{
    uint32_t v = global_variable(k, SpvStorageClassInput, type);
    psy__spirv_emit(&k->s, PSY_SPIRV_DECORATIONS, SpvOpDecorate, v, SpvDecorationBuiltIn, which);
    k->interface[slot] = v;
    return psy__spirv_make(&k->s, SpvOpLoad, type, v);
}

static uint32_t part(psy__emitter *k, uint32_t vector, uint32_t i)
{
    return psy__spirv_make(&k->s, SpvOpCompositeExtract, k->u32, vector, i);
}

void psy__emitter_begin(psy__emitter *k)
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

uint32_t *psy__emitter_end(psy__emitter *k, uint32_t *count)
{
    psy__spirv_put(&k->s, PSY_SPIRV_CODE, SpvOpReturn, NULL, 0);
    psy__spirv_put(&k->s, PSY_SPIRV_CODE, SpvOpFunctionEnd, NULL, 0);
    return psy__spirv_finish(&k->s, k->main, k->interface, 3, count);
}
