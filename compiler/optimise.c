/* SPDX-License-Identifier: Apache-2.0 */
/* The passes that make programs smaller: fold, cse, dce. Each makes a new list of values. */
#include <math.h>
#include <string.h>

#include "build.h"
#include "isa/verify.h"
#include "optimise.h"

void psc_rewrite(psc_unit *u, psc_program *p, psc_value *(*visit)(psc_unit *, psc_program *to, psc_value *copy, void *),
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

void psc_settle_reshape(psc_unit *u, psc_program *to, psc_value *v)
{
    psc_value *x = v->op == PSY_OP_RESHAPE ? v->operands[0] : NULL;
    if (!x || !psc_ir_is_stridden(x)) {
        return;
    }
    psy_psm_register from = {.dtype = x->dtype, .rank = x->rank}, as = {.dtype = v->dtype, .rank = v->rank};
    memcpy(from.dims, x->dims, sizeof from.dims);
    memcpy(as.dims, v->dims, sizeof as.dims);
    if (!psy__only_ones_differ(&from, &as)) {
        v->operands[0] = psc_build_copy(&(psc_builder){u, to, v->span}, x);
    }
}

/* ---- fold ---- */

bool psc_is_number(const psc_value *v, uint64_t *bits)
{
    *bits = v->bits;
    return v->op == PSY_OP_CONST && v->rank == 0; /* with axes: weights */
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

/* Whether operand k is the constant `bits`, and the value is as large as the other operand. */
static bool is_neutral(const psc_value *v, unsigned k, uint64_t bits)
{
    uint64_t have;
    return psc_is_number(v->operands[k], &have) && have == bits && psc_ir_same_dims(v, v->operands[1 - k]);
}

static bool is_float(const psc_value *v) { return psy__dtype_class(v->dtype) == PSY_DCLASS_FLOAT; }

/* The bits of -0, which added to a float changes nothing; 0 does for integers. */
static uint64_t nothing_to_add(unsigned dtype)
{
    return dtype == PSY_F32 ? UINT64_C(0x80000000) : dtype == PSY_F64 ? UINT64_C(1) << 63 : 0;
}

/* x / c is x * (1 / c), exactly, where c is a power of two whose reciprocal is a normal number. */
static psc_value *divide_by_power(psc_unit *u, psc_program *to, psc_value *v)
{
    uint64_t bits;
    int exponent;
    double c;
    if (!is_float(v) || !psc_is_number(v->operands[1], &bits)) {
        return NULL;
    }
    bits = psc_fold_cast(v->dtype, PSY_F64, bits);
    memcpy(&c, &bits, sizeof c);
    if (fabs(frexp(c, &exponent)) != 0.5 || exponent < -120 || exponent > 120) {
        return NULL;
    }
    c = 1 / c;
    memcpy(&bits, &c, sizeof bits);
    v->operands[1] = add_constant(u, to, v->operands[1], psc_fold_cast(PSY_F64, v->dtype, bits));
    v->op = PSY_OP_MUL;
    return psc_ir_add(u->arena, to, v);
}

/* What gives the same bits with less work; NULL: nothing does. */
static psc_value *simplify(psc_unit *u, psc_program *to, psc_value *v)
{
    uint64_t one = bits_of(v->dtype, 1), bits;
    psc_value *x = v->operand_count ? v->operands[0] : NULL;
    switch (v->op) {
    case PSY_OP_MUL: return is_neutral(v, 1, one) ? x : is_neutral(v, 0, one) ? v->operands[1] : NULL;
    case PSY_OP_DIV: return is_neutral(v, 1, one) ? x : divide_by_power(u, to, v);
    case PSY_OP_ADD:
        return is_neutral(v, 1, nothing_to_add(v->dtype))   ? x
               : is_neutral(v, 0, nothing_to_add(v->dtype)) ? v->operands[1]
                                                            : NULL;
    case PSY_OP_SUB: return is_neutral(v, 1, 0) ? x : NULL; /* x - 0 is x, also for -0 */
    case PSY_OP_SHL:
    case PSY_OP_SHR:
    case PSY_OP_OR:
    case PSY_OP_XOR: return is_neutral(v, 1, 0) ? x : NULL;
    case PSY_OP_NEG:
    case PSY_OP_NOT: return x->op == v->op ? x->operands[0] : NULL;
    case PSY_OP_ABS:
        if (x->op == PSY_OP_NEG && is_float(v)) {
            v->operands[0] = x->operands[0];
            return psc_ir_add(u->arena, to, v);
        }
        return x->op == PSY_OP_ABS ? x : NULL;
    case PSY_OP_FLOOR:
    case PSY_OP_CEIL:
    case PSY_OP_TRUNC:
    case PSY_OP_ROUND:
        return x->op == PSY_OP_FLOOR || x->op == PSY_OP_CEIL || x->op == PSY_OP_TRUNC || x->op == PSY_OP_ROUND ? x : NULL;
    case PSY_OP_CHOOSE:
        if (psc_is_number(x, &bits)) {
            psc_value *taken = v->operands[bits & 1 ? 1 : 2];
            return psc_ir_same_dims(v, taken) ? taken : NULL;
        }
        return v->operands[1] == v->operands[2] && psc_ir_same_dims(v, v->operands[1]) ? v->operands[1] : NULL;
    default: return NULL;
    }
}

static psc_value *fold_value(psc_unit *u, psc_program *to, psc_value *v, void *context)
{
    uint64_t in[3] = {0}, out = 0;
    (void)context;
    psc_settle_reshape(u, to, v);
    if (v->op == PSY_OP_SIZE && !psy__dim_is_symbol(v->index)) {
        return add_constant(u, to, v, bits_of(v->dtype, v->index));
    }
    bool constants = psc_ir_is_elementwise(v) && v->rank == 0;
    for (unsigned k = 0; constants && k < v->operand_count; k++) {
        constants = psc_is_number(v->operands[k], &in[k]);
    }
    if (constants && v->op == PSY_OP_CAST) {
        return add_constant(u, to, v, psc_fold_cast(v->operands[0]->dtype, v->dtype, in[0]));
    }
    if (constants && psc_fold_scalar(v->op, psc_ir_dtype(v), in, &out)) {
        return add_constant(u, to, v, out);
    }
    psc_value *simple = simplify(u, to, v);
    return simple ? simple : psc_ir_add(u->arena, to, v);
}

static void fold_program(psc_unit *u, psc_program *p) { psc_rewrite(u, p, fold_value, NULL); }
void psc_fold(psc_unit *unit) { psc_each_program(unit, fold_program); }

/* ---- cse ---- */

typedef struct table {
    uint32_t mask;
    PSC_LIST(psc_value *) * buckets; /* as many as there are values, or more */
} table;

static uint32_t hash_of(const psc_value *v)
{
    uint64_t h = v->op * UINT64_C(0x9E3779B97F4A7C15) + v->dtype + v->index * UINT64_C(31) + v->bits * UINT64_C(17) + v->rank;
    for (unsigned k = 0; k < v->operand_count; k++) {
        h = (h ^ (v->operands[k] ? v->operands[k]->id + 1 : 0)) * UINT64_C(0x100000001B3);
    }
    return (uint32_t)(h >> 32 ^ h);
}

static bool same(const psc_value *a, const psc_value *b)
{
    return a->op == b->op && a->dtype == b->dtype && a->index == b->index && a->base == b->base && a->step == b->step &&
           a->bits == b->bits && psc_ir_same_dims(a, b) && a->operand_count == b->operand_count &&
           memcmp(a->operands, b->operands, sizeof a->operands) == 0;
}

static psc_value *cse_value(psc_unit *u, psc_program *to, psc_value *v, void *context)
{
    table *t = context;
    uint32_t h = hash_of(v) & t->mask;
    for (size_t i = 0; !psc_ir_is_store(v) && i < t->buckets[h].count; i++) {
        if (same(t->buckets[h].at[i], v)) {
            t->buckets[h].at[i]->kept = t->buckets[h].at[i]->kept || v->kept;
            return t->buckets[h].at[i];
        }
    }
    psc_value *made = psc_ir_add(u->arena, to, v);
    psc_push(u->arena, &t->buckets[h], made);
    return made;
}

static void cse_program(psc_unit *u, psc_program *p)
{
    table t = {.mask = 15};
    while (t.mask < p->values.count) {
        t.mask = t.mask * 2 + 1;
    }
    t.buckets = psc_alloc(u->arena, (t.mask + 1u) * sizeof *t.buckets);
    psc_rewrite(u, p, cse_value, &t);
}
void psc_cse(psc_unit *unit) { psc_each_program(unit, cse_program); }

/* ---- dce ---- */

static psc_value *dce_value(psc_unit *u, psc_program *to, psc_value *v, void *context)
{
    const bool *live = context;
    return live[v->id] ? psc_ir_add(u->arena, to, v) : NULL;
}

void psc_dce_program(psc_unit *u, psc_program *p)
{
    bool *live = psc_alloc(u->arena, p->values.count + 1);
    for (size_t i = p->values.count; i-- > 0;) {
        psc_value *v = p->values.at[i];
        v->id = (uint32_t)i;
        live[i] = live[i] || psc_ir_is_store(v);
        for (unsigned k = 0; live[i] && k < v->operand_count; k++) {
            if (v->operands[k]) {
                live[v->operands[k]->id] = true;
            }
        }
    }
    psc_rewrite(u, p, dce_value, live);
}
void psc_dce(psc_unit *unit) { psc_each_program(unit, psc_dce_program); }
