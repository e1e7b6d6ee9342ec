/* SPDX-License-Identifier: Apache-2.0 */
/* Top-k: every workgroup finds the k best of its chunk, one after the other, each the best of those below the last one. Values
 * are compared as keys (larger is better, NaN below all); equal ones by position. Lists are pairs of value bits and position; a
 * position of 2^32 - 1 marks an entry that is none. */
#include <spirv/unified1/GLSL.std.450.h>
#include <spirv/unified1/spirv.h>

#include "codegen/maker.h"

static uint32_t either(psy__maker *k, uint32_t a, uint32_t b) { return psy__op2(k, SpvOpLogicalOr, k->boolean, a, b); }
static uint32_t both(psy__maker *k, uint32_t a, uint32_t b) { return psy__op2(k, SpvOpLogicalAnd, k->boolean, a, b); }
static uint32_t add(psy__maker *k, uint32_t a, uint32_t b) { return psy__op2(k, SpvOpIAdd, k->u32, a, b); }
static uint32_t times(psy__maker *k, uint32_t a, uint32_t b) { return psy__op2(k, SpvOpIMul, k->u32, a, b); }

static uint32_t key_of(psy__maker *k, unsigned dtype, uint32_t bits)
{
    uint32_t sign = psy__const_u32(k, UINT32_C(0x80000000)), zero = psy__const_u32(k, 0);
    if (psy__dtype_class(dtype) == PSY_DCLASS_UINT) {
        return bits;
    }
    if (psy__dtype_class(dtype) == PSY_DCLASS_SINT) {
        return psy__op2(k, SpvOpBitwiseXor, k->u32, bits, sign);
    }
    /* In whole numbers, so that denormals and NaN keep their place on every device. */
    uint32_t magnitude = psy__op2(k, SpvOpBitwiseAnd, k->u32, bits, psy__const_u32(k, UINT32_C(0x7fffffff)));
    uint32_t is_nan = psy__op2(k, SpvOpUGreaterThan, k->boolean, magnitude, psy__const_u32(k, UINT32_C(0x7f800000)));
    uint32_t is_negative = both(k, psy__op2(k, SpvOpUGreaterThanEqual, k->boolean, bits, sign),
                                psy__op2(k, SpvOpINotEqual, k->boolean, magnitude, zero));
    uint32_t key = psy__select(k, k->u32, is_negative, psy__spirv_make(&k->s, SpvOpNot, k->u32, bits),
                               psy__op2(k, SpvOpBitwiseOr, k->u32, magnitude, sign));
    return psy__select(k, k->u32, is_nan, zero, key);
}

/* Whether (key, position) comes before the other one. */
static uint32_t before(psy__maker *k, uint32_t key, uint32_t position, uint32_t other_key, uint32_t other_position)
{
    uint32_t tie = both(k, psy__op2(k, SpvOpIEqual, k->boolean, key, other_key),
                        psy__op2(k, SpvOpULessThan, k->boolean, position, other_position));
    return either(k, psy__op2(k, SpvOpUGreaterThan, k->boolean, key, other_key), tie);
}

/* Word of an entry of a message's list. */
static uint32_t entry_at(psy__maker *k, unsigned push, uint32_t index)
{
    uint32_t list = add(k, times(k, k->message, psy__push_word(k, PSY_PUSH_STRIDE)), psy__push_word(k, push));
    return add(k, list, times(k, index, psy__const_u32(k, 2)));
}

typedef struct best {
    uint32_t key, position, bits; /* variables */
} best;

static void take_if(psy__maker *k, const best *b, uint32_t condition, uint32_t key, uint32_t position, uint32_t bits)
{
    psy__set(k, b->key, psy__select(k, k->u32, condition, key, psy__get(k, k->u32, b->key)));
    psy__set(k, b->position, psy__select(k, k->u32, condition, position, psy__get(k, k->u32, b->position)));
    psy__set(k, b->bits, psy__select(k, k->u32, condition, bits, psy__get(k, k->u32, b->bits)));
}

/* The invocation's best of its part of the chunk, among those after the last chosen one. */
static void scan(psy__maker *k, const psy__instruction *at, unsigned stage, const best *mine, const best *last,
                 uint32_t first_round)
{
    uint32_t none = psy__const_u32(k, UINT32_MAX), j = psy__variable(k, k->u32), chunk = psy__const_u32(k, PSY_TOPK_CHUNK);
    const psy_psm_register *r = &k->registers[at->operands[0]];
    uint32_t count = stage == PSY_STAGE_SELECT ? psy__product(k, r->dims, r->rank) : psy__push_word(k, PSY_PUSH_COUNT);
    /* The last row of workgroups may go past the end. */
    uint32_t start = psy__spirv_make(&k->s, SpvOpExtInst, k->u32, k->s.glsl, GLSLstd450UMin, times(k, k->group, chunk), count);
    uint32_t left = psy__op2(k, SpvOpISub, k->u32, count, start);
    uint32_t here = psy__select(k, k->u32, psy__op2(k, SpvOpULessThan, k->boolean, left, chunk), left, chunk);
    psy__set(k, mine->key, psy__const_u32(k, 0));
    psy__set(k, mine->position, none);
    psy__set(k, mine->bits, psy__const_u32(k, 0));
    psy__set(k, j, k->local);
    psy__loop loop = psy__for(k, j, here);
    uint32_t i = psy__get(k, k->u32, j), index = add(k, start, i), bits, position;
    if (stage == PSY_STAGE_SELECT) {
        unsigned binding;
        uint32_t word = psy__word_of(k, at->operands[0], index, &binding);
        bits = psy__load_word(k, binding, word);
        position = index;
    } else {
        uint32_t word = entry_at(k, PSY_PUSH_FROM, index);
        bits = psy__load_word(k, PSY_BIND_SCRATCH, word);
        position = psy__load_word(k, PSY_BIND_SCRATCH, add(k, word, psy__const_u32(k, 1)));
    }
    uint32_t key = key_of(k, at->dtype, bits);
    uint32_t after = before(k, psy__get(k, k->u32, last->key), psy__get(k, k->u32, last->position), key, position);
    uint32_t open = both(k, either(k, first_round, after), psy__op2(k, SpvOpINotEqual, k->boolean, position, none));
    /* An empty best has key 0 and the last of all positions: every entry comes before it. */
    uint32_t better = before(k, key, position, psy__get(k, k->u32, mine->key), psy__get(k, k->u32, mine->position));
    take_if(k, mine, both(k, open, better), key, position, bits);
    psy__end_for(k, loop, add(k, i, k->size));
}

/* The workgroup's best, into `last`. */
static void choose(psy__maker *k, const best *mine, const best *last)
{
    uint32_t half = psy__variable(k, k->u32), zero = psy__const_u32(k, 0);
    psy__barrier(k);
    psy__shared_set(k, 0, k->local, psy__get(k, k->u32, mine->key));
    psy__shared_set(k, 1, k->local, psy__get(k, k->u32, mine->position));
    psy__shared_set(k, 2, k->local, psy__get(k, k->u32, mine->bits));
    psy__barrier(k);
    psy__set(k, half, psy__op2(k, SpvOpShiftRightLogical, k->u32, k->size, psy__const_u32(k, 1)));
    psy__loop loop = psy__for(k, half, 0);
    uint32_t h = psy__get(k, k->u32, half);
    uint32_t inside = psy__if(k, psy__op2(k, SpvOpULessThan, k->boolean, k->local, h));
    uint32_t other = add(k, k->local, h), key = psy__shared_get(k, 0, other), position = psy__shared_get(k, 1, other);
    uint32_t wins = psy__if(k, before(k, key, position, psy__shared_get(k, 0, k->local), psy__shared_get(k, 1, k->local)));
    psy__shared_set(k, 0, k->local, key);
    psy__shared_set(k, 1, k->local, position);
    psy__shared_set(k, 2, k->local, psy__shared_get(k, 2, other));
    psy__end_if(k, wins);
    psy__end_if(k, inside);
    psy__barrier(k);
    psy__end_for(k, loop, psy__op2(k, SpvOpShiftRightLogical, k->u32, h, psy__const_u32(k, 1)));
    psy__set(k, last->key, psy__shared_get(k, 0, zero));
    psy__set(k, last->position, psy__shared_get(k, 1, zero));
    psy__set(k, last->bits, psy__shared_get(k, 2, zero));
}

static void make_select(psy__maker *k, const psy__instruction *at, unsigned stage)
{
    best mine = {psy__variable(k, k->u32), psy__variable(k, k->u32), psy__variable(k, k->u32)};
    best last = {psy__variable(k, k->u32), psy__variable(k, k->u32), psy__variable(k, k->u32)};
    uint32_t round = psy__variable(k, k->u32), zero = psy__const_u32(k, 0), wanted = psy__const_u32(k, at->operands[2]);
    psy__set(k, last.key, zero);
    psy__set(k, last.position, zero);
    psy__set(k, last.bits, zero);
    psy__set(k, round, zero);
    psy__loop loop = psy__for(k, round, wanted);
    uint32_t r = psy__get(k, k->u32, round);
    scan(k, at, stage, &mine, &last, psy__op2(k, SpvOpIEqual, k->boolean, r, zero));
    choose(k, &mine, &last);
    uint32_t first = psy__if(k, psy__op2(k, SpvOpIEqual, k->boolean, k->local, zero));
    uint32_t word = entry_at(k, PSY_PUSH_TO, add(k, times(k, k->group, wanted), r));
    psy__store_word(k, PSY_BIND_SCRATCH, word, psy__get(k, k->u32, last.bits));
    psy__store_word(k, PSY_BIND_SCRATCH, add(k, word, psy__const_u32(k, 1)), psy__get(k, k->u32, last.position));
    psy__end_if(k, first);
    psy__end_for(k, loop, add(k, r, psy__const_u32(k, 1)));
}

static void make_finish(psy__maker *k, const psy__instruction *at)
{
    uint32_t e = psy__element(k), none = psy__const_u32(k, UINT32_MAX), symbols = k->m->symbol_count;
    uint32_t lowest = psy__const_u32(k, at->dtype == PSY_F32   ? UINT32_C(0x7fc00000) /* NaN */
                                        : at->dtype == PSY_I32 ? UINT32_C(0x80000000)
                                                               : 0);
    uint32_t inside = psy__if(k, psy__op2(k, SpvOpULessThan, k->boolean, e, psy__const_u32(k, at->operands[2])));
    uint32_t word = entry_at(k, PSY_PUSH_FROM, e);
    uint32_t bits = psy__load_word(k, PSY_BIND_SCRATCH, word),
             position = psy__load_word(k, PSY_BIND_SCRATCH, add(k, word, psy__const_u32(k, 1)));
    uint32_t is_none = psy__op2(k, SpvOpIEqual, k->boolean, position, none), low = position, high = psy__const_u32(k, 0);
    if (at->operands[3] != PSY_NONE) {
        uint32_t symbol = psy__dim_symbol(at->operands[3]);
        low = add(k, position, psy__param(k, PSY_PARAM_BASE_LOW(symbols, symbol)));
        uint32_t carry = psy__op2(k, SpvOpULessThan, k->boolean, low, position);
        high = add(k, psy__param(k, PSY_PARAM_BASE_HIGH(symbols, symbol)),
                   psy__select(k, k->u32, carry, psy__const_u32(k, 1), psy__const_u32(k, 0)));
    }
    unsigned binding;
    uint32_t to = psy__word_of(k, at->dst, e, &binding);
    psy__store_word(k, binding, to, psy__select(k, k->u32, is_none, lowest, bits));
    to = psy__word_of(k, at->dst + 1u, e, &binding);
    psy__store_word(k, binding, to, psy__select(k, k->u32, is_none, none, low));
    psy__store_word(k, binding, add(k, to, psy__const_u32(k, 1)), psy__select(k, k->u32, is_none, none, high));
    psy__end_if(k, inside);
}

void psy__make_topk(psy__maker *k, const psy__instruction *at, unsigned stage)
{
    if (psy__dtype_bytes(at->dtype) != 4) {
        psy__maker_refuse(k, "topk of %s", psy__dtype_name(at->dtype));
    } else if (at->operands[1] != PSY_NONE) {
        psy__maker_refuse(k, "topk with labels");
    } else if (at->operands[2] > PSY_TOPK_K_KERNEL_MAX) {
        psy__maker_refuse(k, "topk of more than %d", PSY_TOPK_K_KERNEL_MAX);
    } else if (stage == PSY_STAGE_FINISH) {
        make_finish(k, at);
    } else {
        make_select(k, at, stage);
    }
}
