/* SPDX-License-Identifier: Apache-2.0 */
/* Top-k and sort. On devices every workgroup finds the k best of its chunk, one after the other, each the best of those below
 * the last one, and its lists are put together in stages (codegen/kernel.h). Values are compared as keys (larger is better, NaN
 * below all); equal ones by position. Lists are pairs of value bits and position; a position of 2^32 - 1 marks an entry that is
 * none. In C what is ranked is taken in one by one. */
#include "codegen/maker.h"

static uint32_t number(psy__maker *k, int64_t value) { return psy__kernel_number(k->k, value); }
static uint32_t either(psy__maker *k, uint32_t a, uint32_t b) { return psy__kernel_condition(k->k, PSY_K_EITHER, a, b); }
static uint32_t both(psy__maker *k, uint32_t a, uint32_t b) { return psy__kernel_condition(k->k, PSY_K_BOTH, a, b); }
static uint32_t less(psy__maker *k, uint32_t a, uint32_t b) { return psy__kernel_condition(k->k, PSY_K_LESS, a, b); }
static uint32_t same(psy__maker *k, uint32_t a, uint32_t b) { return psy__kernel_condition(k->k, PSY_K_SAME, a, b); }
static uint32_t add(psy__maker *k, uint32_t a, uint32_t b) { return psy__kernel_index(k->k, PSY_K_IADD, a, b); }
static uint32_t times(psy__maker *k, uint32_t a, uint32_t b) { return psy__kernel_index(k->k, PSY_K_IMUL, a, b); }
static uint32_t value(psy__maker *k, psy__kop op, unsigned type, uint32_t a)
{
    return psy__kernel_value(k->k, op, type, a, 0, 0);
}
static uint32_t get(psy__maker *k, unsigned type, uint32_t variable) { return value(k, PSY_K_GET, type, variable); }
static void set(psy__maker *k, uint32_t variable, uint32_t to)
{
    psy__kernel_add(k->k, (psy__knode){.op = PSY_K_SET, .a = {variable, to}});
}

static uint32_t push(psy__maker *k, unsigned which)
{
    return psy__kernel_add(k->k, (psy__knode){.op = PSY_K_PUSH, .type = PSY_KTYPE_INDEX, .number = (uint16_t)which});
}

/* Where in SCRATCH an entry of a message's list is. */
static uint32_t entry_at(psy__maker *k, unsigned list, uint32_t index)
{
    return add(k, push(k, list), times(k, index, number(k, 2)));
}

/* What a list has at a place of SCRATCH, as a place. */
static uint32_t take_place(psy__maker *k, uint32_t at)
{
    return psy__kernel_index(k->k, PSY_K_FROM_VALUE, value(k, PSY_K_TAKE, PSY_U32, at), 0);
}

static void keep(psy__maker *k, uint32_t at, uint32_t word)
{
    psy__kernel_add(k->k, (psy__knode){.op = PSY_K_KEEP, .a = {at, word}});
}

/* The best of the workgroup's chunk, among those after the last chosen one. */
static uint32_t choose(psy__maker *k, const psy__instruction *at, unsigned stage, uint32_t round, uint32_t last_key,
                       uint32_t last_place)
{
    const psy_psm_register *r = &k->registers[at->operands[0]];
    uint32_t chunk = number(k, PSY_TOPK_CHUNK), key, place, bits;
    uint32_t group = psy__kernel_add(k->k, (psy__knode){.op = PSY_K_GROUP, .type = PSY_KTYPE_INDEX});
    uint32_t count = stage == PSY_STAGE_SELECT ? psy__maker_product(k, r->dims, r->rank) : push(k, PSY_PUSH_COUNT);
    /* The last row of workgroups may go past the end. */
    uint32_t start = psy__kernel_index(k->k, PSY_K_IMIN, times(k, group, chunk), count);
    uint32_t here = psy__kernel_index(k->k, PSY_K_IMIN, psy__kernel_index(k->k, PSY_K_ISUB, count, start), chunk);
    uint32_t best = psy__maker_open(k, PSY_K_BEST, here), index = add(k, start, psy__kernel_coord(k->k, best, 0));
    if (stage == PSY_STAGE_SELECT) {
        uint32_t x = psy__maker_load_number(k, at->operands[0], index);
        key = value(k, PSY_K_KEY, PSY_U32, x);
        bits = value(k, PSY_K_BITS, PSY_U32, x);
        place = index;
    } else {
        uint32_t entry = entry_at(k, PSY_PUSH_FROM, index);
        bits = value(k, PSY_K_TAKE, PSY_U32, entry);
        key = value(k, PSY_K_KEY, PSY_U32, value(k, PSY_K_OF_BITS, at->dtype, bits));
        place = take_place(k, add(k, entry, number(k, 1)));
    }
    uint32_t before_key = get(k, PSY_U32, last_key), before_place = get(k, PSY_KTYPE_INDEX, last_place);
    uint32_t after = either(k, less(k, key, before_key), both(k, same(k, key, before_key), less(k, before_place, place)));
    uint32_t open = either(k, same(k, round, number(k, 0)), after);
    if (stage != PSY_STAGE_SELECT) {
        open = both(k, open, less(k, place, number(k, UINT32_MAX)));
    }
    uint32_t offer = psy__kernel_add(k->k, (psy__knode){.op = PSY_K_OFFER, .a = {key, place, bits, open}});
    psy__maker_close(k, best);
    return offer;
}

static void select_best(psy__maker *k, const psy__instruction *at, unsigned stage)
{
    uint32_t last_key = value(k, PSY_K_VAR, PSY_U32, psy__kernel_const(k->k, PSY_U32, 0)),
             last_place = value(k, PSY_K_VAR, PSY_KTYPE_INDEX, number(k, 0)), wanted = number(k, at->operands[2]);
    uint32_t loop = psy__maker_open(k, PSY_K_FOR, wanted), round = psy__kernel_coord(k->k, loop, 0);
    uint32_t offer = choose(k, at, stage, round, last_key, last_place);
    uint32_t place = value(k, PSY_K_BEST_PLACE, PSY_KTYPE_INDEX, offer);
    uint32_t leader = psy__maker_open(k, PSY_K_LEADER, 0);
    uint32_t group = psy__kernel_add(k->k, (psy__knode){.op = PSY_K_GROUP, .type = PSY_KTYPE_INDEX});
    uint32_t entry = entry_at(k, PSY_PUSH_TO, add(k, times(k, group, wanted), round));
    keep(k, entry, value(k, PSY_K_BEST_BITS, PSY_U32, offer));
    keep(k, add(k, entry, number(k, 1)), value(k, PSY_K_OF_PLACE, PSY_U32, place));
    psy__maker_close(k, leader);
    set(k, last_key, value(k, PSY_K_BEST_KEY, PSY_U32, offer));
    set(k, last_place, place);
    psy__maker_close(k, loop);
}

static uint32_t word_op(psy__maker *k, psy_op op, uint32_t a, uint32_t b)
{
    return psy__kernel_map(k->k, op, PSY_U32, (const uint32_t[3]){a, b, 0});
}

/* Word 0 or 1 of where the rows of a size start. */
static uint32_t base_word(psy__maker *k, unsigned type, psy_dim dim, unsigned which)
{
    return psy__kernel_add(
        k->k, (psy__knode){.op = PSY_K_BASE, .type = (uint8_t)type, .number = (uint16_t)which, .place = psy__dim_symbol(dim)});
}

static void finish(psy__maker *k, const psy__instruction *at)
{
    uint32_t c[PSY_RANK_MAX] = {0}, none = psy__kernel_const(k->k, PSY_U32, UINT32_MAX), space = psy__maker_space(k, c);
    uint32_t lowest = psy__kernel_const(k->k, PSY_U32,
                                        at->dtype == PSY_F32   ? UINT32_C(0x7fc00000) /* NaN */
                                        : at->dtype == PSY_I32 ? UINT32_C(0x80000000)
                                                               : 0);
    uint32_t entry = entry_at(k, PSY_PUSH_FROM, c[0]), bits = value(k, PSY_K_TAKE, PSY_U32, entry);
    uint32_t position = value(k, PSY_K_TAKE, PSY_U32, add(k, entry, number(k, 1)));
    uint32_t is_none = same(k, position, none), low = position, high = psy__kernel_const(k->k, PSY_U32, 0);
    if (psy__dim_is_symbol(at->operands[3])) {
        low = word_op(k, PSY_OP_ADD, position, base_word(k, PSY_U32, at->operands[3], 0));
        uint32_t one = psy__kernel_const(k->k, PSY_U32, 1);
        uint32_t carry = psy__kernel_value(k->k, PSY_K_PICK, PSY_U32, less(k, low, position), one, high);
        high = word_op(k, PSY_OP_ADD, base_word(k, PSY_U32, at->operands[3], 1), carry);
    }
    uint32_t word = psy__kernel_value(k->k, PSY_K_PICK, PSY_U32, is_none, lowest, bits);
    psy__maker_store(k, at->dst, c, 1, value(k, PSY_K_OF_BITS, at->dtype, word));
    psy__kernel_add(k->k, (psy__knode){.op = PSY_K_STORE_PAIR,
                                       .dtype = PSY_U64,
                                       .a = {c[0], psy__kernel_value(k->k, PSY_K_PICK, PSY_U32, is_none, none, low),
                                             psy__kernel_value(k->k, PSY_K_PICK, PSY_U32, is_none, none, high)},
                                       .place = psy__kernel_place(k->k, k->places[at->dst + 1u])});
    psy__maker_close(k, space);
}

void psy__make_select(psy__maker *k, const psy__instruction *at, unsigned stage)
{
    k->k->now = at->word;
    if (psy__dtype_bytes(at->dtype) != 4) {
        psy__maker_refuse(k, "topk of %s", psy__dtype_name(at->dtype));
    } else if (at->operands[1] != PSY_NONE) {
        psy__maker_refuse(k, "topk with labels");
    } else if (at->operands[2] > PSY_TOPK_K_KERNEL_MAX) {
        psy__maker_refuse(k, "topk of more than %d", PSY_TOPK_K_KERNEL_MAX);
    } else if (stage == PSY_STAGE_FINISH) {
        finish(k, at);
    } else {
        select_best(k, at, stage);
    }
}

/* ---- in C ---- */

static void take_in(psy__maker *k, const psy__instruction *at, const uint32_t *c, uint32_t label, uint32_t place)
{
    uint32_t x = psy__maker_load(k, at->operands[0], c, k->k->rank);
    psy__kernel_add(k->k, (psy__knode){.op = PSY_K_TAKE_IN, .dtype = (uint8_t)at->dtype, .a = {x, label, place}});
}

/* With labels and the dim 0 these only decide ties: what is told are places. */
static void ranked(psy__maker *k, const psy__instruction *at, uint32_t rank, uint32_t count, uint32_t element)
{
    bool places = at->info->class_ == PSY_CLASS_SELECT && at->operands[1] != PSY_NONE && at->operands[3] == 0;
    psy__kernel_add(k->k, (psy__knode){.op = PSY_K_RANKED,
                                       .dtype = (uint8_t)at->dtype,
                                       .a = {rank, count, element},
                                       .place = psy__kernel_place(k->k, k->places[at->dst]),
                                       .more = psy__kernel_place(k->k, k->places[at->dst + 1u]),
                                       .number = places});
}

static void rank_topk(psy__maker *k, const psy__instruction *at)
{
    uint32_t c[PSY_RANK_MAX] = {0};
    uint32_t rank = psy__kernel_open(
        k->k, (psy__knode){.op = PSY_K_RANK, .dtype = (uint8_t)at->dtype, .a = {number(k, at->operands[2])}, .bits = 0});
    uint32_t space = psy__maker_space(k, c);
    uint32_t place = value(k, PSY_K_OF_PLACE, PSY_U64, psy__maker_number(k, k->k->dims, k->k->rank, c)), label = place;
    if (at->operands[1] != PSY_NONE) {
        label = psy__maker_load(k, at->operands[1], c, k->k->rank);
    } else if (psy__dim_is_symbol(at->operands[3])) {
        uint32_t base = base_word(k, PSY_U64, at->operands[3], 0);
        label = psy__kernel_map(k->k, PSY_OP_ADD, PSY_U64, (const uint32_t[3]){place, base, 0});
    }
    take_in(k, at, c, label, place);
    psy__maker_close(k, space);
    psy__maker_close(k, rank);
    ranked(k, at, rank, number(k, at->operands[2]), number(k, 0));
}

static void rank_sort(psy__maker *k, const psy__instruction *at)
{
    const psy_psm_register *y = &k->registers[at->dst];
    uint32_t c[PSY_RANK_MAX] = {0}, last = k->k->rank - 1, space = psy__maker_space(k, c);
    uint32_t length = psy__kernel_size(k->k, k->k->dims[last]);
    uint32_t rank = psy__kernel_open(
        k->k, (psy__knode){.op = PSY_K_RANK, .dtype = (uint8_t)at->dtype, .a = {length}, .bits = at->operands[2] ? 2 : 1});
    uint32_t loop = psy__maker_open(k, PSY_K_FOR, length);
    c[last] = psy__kernel_coord(k->k, loop, 0);
    uint32_t place = value(k, PSY_K_OF_PLACE, PSY_U64, c[last]);
    take_in(k, at, c, place, place);
    psy__maker_close(k, loop);
    psy__maker_close(k, rank);
    c[last] = number(k, 0);
    ranked(k, at, rank, psy__kernel_size(k->k, y->dims[last]), psy__maker_number(k, y->dims, y->rank, c));
    psy__maker_close(k, space);
}

void psy__make_rank(psy__maker *k, const psy__instruction *at)
{
    k->k->now = at->word;
    if (at->info->class_ == PSY_CLASS_SELECT) {
        rank_topk(k, at);
    } else {
        rank_sort(k, at);
    }
}
