/* SPDX-License-Identifier: Apache-2.0 */
/* What all invocations of a workgroup found becomes one: halves are put together again and again. */
#include <spirv/unified1/spirv.h>

#include "codegen/spirv_emit.h"

/* for (half = size / 2; half != 0; half /= 2) if (local < half) { ... }, with a barrier after each. */
typedef struct tree {
    psy__loop loop;
    uint32_t half, inside;
} tree;

static tree tree_begin(psy__emitter *k)
{
    uint32_t half = psy__variable(k, k->u32), one = psy__const_u32(k, 1);
    psy__barrier(k);
    psy__set(k, half, psy__op2(k, SpvOpShiftRightLogical, k->u32, k->size, one));
    tree t = {.loop = psy__for(k, half, 0)};
    t.half = psy__get(k, k->u32, half);
    t.inside = psy__if(k, psy__op2(k, SpvOpULessThan, k->boolean, k->local, t.half));
    return t;
}

static void tree_end(psy__emitter *k, const tree *t)
{
    psy__end_if(k, t->inside);
    psy__barrier(k);
    psy__end_for(k, t->loop, psy__op2(k, SpvOpShiftRightLogical, k->u32, t->half, psy__const_u32(k, 1)));
}

uint32_t psy__across(psy__emitter *k, psy_op op, unsigned dtype, uint32_t value)
{
    psy__barrier(k); /* the array may still be read for the last reduction */
    psy__shared_set(k, 0, k->local, psy__bits_of(k, dtype, value));
    tree t = tree_begin(k);
    uint32_t x = psy__bits_to(k, dtype, psy__shared_get(k, 0, k->local));
    uint32_t y = psy__bits_to(k, dtype, psy__shared_get(k, 0, psy__op2(k, SpvOpIAdd, k->u32, k->local, t.half)));
    psy__shared_set(k, 0, k->local, psy__bits_of(k, dtype, psy__expression(k, op, dtype, (const uint32_t[3]){y, x, 0})));
    tree_end(k, &t);
    return psy__bits_to(k, dtype, psy__shared_get(k, 0, psy__const_u32(k, 0)));
}

/* ---- the best of all ---- */

psy__best psy__best_begin(psy__emitter *k)
{
    psy__best b = {psy__variable(k, k->u32), psy__variable(k, k->u32), psy__variable(k, k->u32)};
    psy__set(k, b.key, psy__const_u32(k, 0));
    psy__set(k, b.place, psy__const_u32(k, UINT32_MAX));
    psy__set(k, b.bits, psy__const_u32(k, 0));
    return b;
}

/* Whether (key, place) comes before the other one. */
static uint32_t before(psy__emitter *k, uint32_t key, uint32_t place, uint32_t other_key, uint32_t other_place)
{
    uint32_t tie = psy__op2(k, SpvOpLogicalAnd, k->boolean, psy__op2(k, SpvOpIEqual, k->boolean, key, other_key),
                            psy__op2(k, SpvOpULessThan, k->boolean, place, other_place));
    return psy__op2(k, SpvOpLogicalOr, k->boolean, psy__op2(k, SpvOpUGreaterThan, k->boolean, key, other_key), tie);
}

static void take_if(psy__emitter *k, uint32_t condition, uint32_t variable, uint32_t value)
{
    psy__set(k, variable, psy__select(k, k->u32, condition, value, psy__get(k, k->u32, variable)));
}

void psy__best_offer(psy__emitter *k, const psy__best *b, uint32_t open, uint32_t key, uint32_t place, uint32_t bits)
{
    uint32_t better = before(k, key, place, psy__get(k, k->u32, b->key), psy__get(k, k->u32, b->place));
    uint32_t wins = psy__op2(k, SpvOpLogicalAnd, k->boolean, open, better);
    take_if(k, wins, b->key, key);
    take_if(k, wins, b->place, place);
    take_if(k, wins, b->bits, bits);
}

void psy__best_across(psy__emitter *k, psy__best *b)
{
    uint32_t zero = psy__const_u32(k, 0);
    psy__barrier(k);
    psy__shared_set(k, 0, k->local, psy__get(k, k->u32, b->key));
    psy__shared_set(k, 1, k->local, psy__get(k, k->u32, b->place));
    psy__shared_set(k, 2, k->local, psy__get(k, k->u32, b->bits));
    tree t = tree_begin(k);
    uint32_t other = psy__op2(k, SpvOpIAdd, k->u32, k->local, t.half), key = psy__shared_get(k, 0, other),
             place = psy__shared_get(k, 1, other);
    uint32_t wins = psy__if(k, before(k, key, place, psy__shared_get(k, 0, k->local), psy__shared_get(k, 1, k->local)));
    psy__shared_set(k, 0, k->local, key);
    psy__shared_set(k, 1, k->local, place);
    psy__shared_set(k, 2, k->local, psy__shared_get(k, 2, other));
    psy__end_if(k, wins);
    tree_end(k, &t);
    /* Now values, no longer variables. */
    b->key = psy__shared_get(k, 0, zero);
    b->place = psy__shared_get(k, 1, zero);
    b->bits = psy__shared_get(k, 2, zero);
}
