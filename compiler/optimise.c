/* SPDX-License-Identifier: Apache-2.0 */
/* The passes that make programs smaller: fold, cse, dce. Each makes a new list of values. */
#include <math.h>
#include <string.h>

#include "unit.h"

/* Replaces the program's values by what `visit` makes of each, operands first. It gets a copy with operands as they became and
 * returns what the value becomes: one that is there already, or what psc_ir_add made; NULL drops it. */
static void rewrite(psc_unit *u, psc_program *p, psc_value *(*visit)(psc_unit *, psc_program *to, psc_value *copy, void *),
                    void *context)
{
    psc_program to = *p;
    to.values.at = NULL;
    to.values.count = to.values.room = 0;
    for (size_t i = 0; i < p->values.count; i++) {
        psc_value copy = *p->values.at[i];
        for (unsigned k = 0; k < copy.operand_count; k++) {
            copy.operands[k] = copy.operands[k] ? copy.operands[k]->next : NULL;
        }
        p->values.at[i]->next = visit(u, &to, &copy, context);
    }
    *p = to;
}

/* ---- fold ---- */

static bool constant(const psc_value *v, uint64_t *bits)
{
    *bits = v->bits;
    return v->op == PSY_OP_CONST;
}

static psc_value *add_constant(psc_unit *u, psc_program *to, const psc_value *like, uint64_t bits)
{
    psc_value c = {
        .op = PSY_OP_CONST, .dtype = like->dtype, .bits = bits, .base = PSY_NONE, .span = like->span, .name = like->name};
    return psc_ir_add(u->arena, to, &c);
}

static uint64_t bits_of(unsigned dtype, uint64_t integer)
{
    uint64_t bits = integer;
    if (dtype == PSY_F32) {
        float f = (float)integer;
        bits = 0;
        memcpy(&bits, &f, sizeof f);
    } else if (dtype == PSY_F64) {
        double d = (double)integer;
        memcpy(&bits, &d, sizeof d);
    }
    return bits;
}

static psc_value *fold_value(psc_unit *u, psc_program *to, psc_value *v, void *context)
{
    uint64_t in[3] = {0}, a, b, out = 0;
    (void)context;
    if (v->op == PSY_OP_SIZE && !psy__dim_is_symbol(v->index)) {
        return add_constant(u, to, v, bits_of(v->dtype, v->index));
    }
    bool constants = psc_ir_is_elementwise(v) && v->rank == 0;
    for (unsigned k = 0; constants && k < v->operand_count; k++) {
        constants = constant(v->operands[k], &in[k]);
    }
    if (constants && v->op == PSY_OP_CAST) {
        return add_constant(u, to, v, psc_fold_cast(v->operands[0]->dtype, v->dtype, in[0]));
    }
    if (constants && psc_fold_scalar(v->op, psc_ir_dtype(v), in, &out)) {
        return add_constant(u, to, v, out);
    }
    /* x * 1, 1 * x and x / 1 are x, exactly. */
    if (v->op == PSY_OP_MUL || v->op == PSY_OP_DIV) {
        uint64_t one = bits_of(v->dtype, 1);
        if (constant(v->operands[1], &b) && b == one && psc_ir_same_dims(v, v->operands[0])) {
            return v->operands[0];
        }
        if (v->op == PSY_OP_MUL && constant(v->operands[0], &a) && a == one && psc_ir_same_dims(v, v->operands[1])) {
            return v->operands[1];
        }
    }
    return psc_ir_add(u->arena, to, v);
}

static void fold_program(psc_unit *u, psc_program *p) { rewrite(u, p, fold_value, NULL); }
void psc_fold(psc_unit *unit) { psc_each_program(unit, fold_program); }

/* ---- cse ---- */

enum { BUCKETS = 1024 };

typedef struct table {
    PSC_LIST(psc_value *) buckets[BUCKETS];
} table;

static uint32_t hash_of(const psc_value *v)
{
    uint64_t h = v->op * UINT64_C(0x9E3779B97F4A7C15) + v->dtype + v->index * UINT64_C(31) + v->bits * UINT64_C(17) + v->rank;
    for (unsigned k = 0; k < v->operand_count; k++) {
        h = (h ^ (v->operands[k] ? v->operands[k]->id + 1 : 0)) * UINT64_C(0x100000001B3);
    }
    return (uint32_t)(h >> 32 ^ h) % BUCKETS;
}

static bool same(const psc_value *a, const psc_value *b)
{
    return a->op == b->op && a->dtype == b->dtype && a->index == b->index && a->base == b->base && a->step == b->step && a->bits == b->bits &&
           psc_ir_same_dims(a, b) && a->operand_count == b->operand_count &&
           memcmp(a->operands, b->operands, sizeof a->operands) == 0;
}

static psc_value *cse_value(psc_unit *u, psc_program *to, psc_value *v, void *context)
{
    table *t = context;
    uint32_t h = hash_of(v);
    for (size_t i = 0; v->op != PSY_OP_STORE && i < t->buckets[h].count; i++) {
        if (same(t->buckets[h].at[i], v)) {
            return t->buckets[h].at[i];
        }
    }
    psc_value *made = psc_ir_add(u->arena, to, v);
    psc_push(u->arena, &t->buckets[h], made);
    return made;
}

static void cse_program(psc_unit *u, psc_program *p) { rewrite(u, p, cse_value, psc_new(u->arena, table)); }
void psc_cse(psc_unit *unit) { psc_each_program(unit, cse_program); }

/* ---- dce ---- */

static psc_value *dce_value(psc_unit *u, psc_program *to, psc_value *v, void *context)
{
    const bool *live = context;
    return live[v->id] ? psc_ir_add(u->arena, to, v) : NULL;
}

static void dce_program(psc_unit *u, psc_program *p)
{
    bool *live = psc_alloc(u->arena, p->values.count + 1);
    for (size_t i = p->values.count; i-- > 0;) {
        psc_value *v = p->values.at[i];
        v->id = (uint32_t)i;
        live[i] = live[i] || v->op == PSY_OP_STORE;
        for (unsigned k = 0; live[i] && k < v->operand_count; k++) {
            if (v->operands[k]) {
                live[v->operands[k]->id] = true;
            }
        }
    }
    rewrite(u, p, dce_value, live);
}
void psc_dce(psc_unit *unit) { psc_each_program(unit, dce_program); }
