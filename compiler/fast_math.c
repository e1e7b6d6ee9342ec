/* SPDX-License-Identifier: Apache-2.0 */
/* --fast-math: the rules of fast_math.def, applied until none is left that applies; what has a rule of its own in fold is left
 * to that. Products are put into sums last: everything else looks for products. */
#include <math.h>
#include <string.h>

#include "build.h"
#include "optimise.h"

typedef struct relaxer {
    psc_builder b;
    const uint32_t *readers;            /* of the old values, by id */
    PSC_LIST(uint32_t) made;            /* of the new ones: what they stand for had so many */
    const struct relax_rule *from, *to; /* those of this round */
    uint32_t count;                     /* how often one applied */
} relaxer;

typedef struct relax_rule {
    psc_value *(*apply)(relaxer *r, psc_value *v); /* NULL: it does not apply */
    unsigned op;
    const char *written, *computed;
} relax_rule;

/* ---- what values are ---- */

static bool number(const psc_value *v, double *out)
{
    uint64_t bits;
    v = v->op == PSY_OP_REPEAT ? v->operands[0] : v; /* of one number */
    if (!psc_is_number(v, &bits)) {
        return false;
    }
    bits = psc_fold_cast(v->dtype, PSY_F64, bits);
    memcpy(out, &bits, sizeof bits);
    return true;
}

static bool is_number(const psc_value *v, double wanted)
{
    double x;
    return number(v, &x) && x == wanted;
}

/* Nobody else reads it: it goes when its reader does. */
static bool is_read_once(const relaxer *r, const psc_value *v)
{
    return !v->kept && (v->id >= r->made.count || r->made.at[v->id] <= 1);
}

/* ---- making values ---- */

/* The value with the dims of another, which it broadcasts to. */
static psc_value *as_large(relaxer *r, psc_value *x, const psc_value *as)
{
    if (!x || psc_ir_same_dims(x, as)) {
        return x;
    }
    psc_value v = {.op = PSY_OP_REPEAT, .dtype = x->dtype, .rank = as->rank, .operands = {x}, .operand_count = 1};
    memcpy(v.dims, as->dims, sizeof v.dims);
    return psc_build(&r->b, v);
}

static psc_value *constant_like(relaxer *r, const psc_value *v, double x)
{
    return as_large(r, psc_build_number(&r->b, v->dtype, x), v);
}

static psc_value *map(relaxer *r, unsigned op, psc_value *x, psc_value *y) { return psc_build_map(&r->b, op, x, y, NULL); }

/* ---- rules ---- */

static psc_value *add_nothing(relaxer *r, psc_value *v)
{
    return is_number(v->operands[1], 0)   ? as_large(r, v->operands[0], v)
           : is_number(v->operands[0], 0) ? as_large(r, v->operands[1], v)
                                          : NULL;
}

/* x and c of x + c, c + x, x - c. */
static bool sum_with_constant(const psc_value *v, psc_value **x, double *c)
{
    bool minus = v->op == PSY_OP_SUB;
    if ((v->op != PSY_OP_ADD && !minus) || v->operand_count != 2) {
        return false;
    }
    if (number(v->operands[1], c)) {
        *x = v->operands[0];
        *c = minus ? -*c : *c;
        return true;
    }
    *x = v->operands[1];
    return !minus && number(v->operands[0], c);
}

static psc_value *add_constants(relaxer *r, psc_value *v)
{
    psc_value *inner, *x;
    double c, d;
    if (!sum_with_constant(v, &inner, &d) || !sum_with_constant(inner, &x, &c) || !isfinite(c + d)) {
        return NULL;
    }
    return as_large(r, map(r, PSY_OP_ADD, x, psc_build_number(&r->b, v->dtype, c + d)), v);
}

static psc_value *factor_out(relaxer *r, psc_value *v)
{
    psc_value *p = v->operands[0], *q = v->operands[1];
    if (p->op != PSY_OP_MUL || q->op != PSY_OP_MUL || p == q || !is_read_once(r, p) || !is_read_once(r, q)) {
        return NULL;
    }
    for (unsigned i = 0; i < 4; i++) {
        psc_value *a = p->operands[i / 2], *x = p->operands[1 - i / 2], *y = q->operands[1 - i % 2];
        if (a == q->operands[i % 2]) {
            return as_large(r, map(r, PSY_OP_MUL, a, map(r, v->op, x, y)), v);
        }
    }
    return NULL;
}

static psc_value *subtract_itself(relaxer *r, psc_value *v)
{
    return v->operands[0] == v->operands[1] ? constant_like(r, v, 0) : NULL;
}

static psc_value *multiply_by_nothing(relaxer *r, psc_value *v)
{
    return is_number(v->operands[0], 0) || is_number(v->operands[1], 0) ? constant_like(r, v, 0) : NULL;
}

/* fold does it for a number that stands alone; here it may be what x / x became. */
static psc_value *multiply_by_one(relaxer *r, psc_value *v)
{
    return is_number(v->operands[1], 1)   ? as_large(r, v->operands[0], v)
           : is_number(v->operands[0], 1) ? as_large(r, v->operands[1], v)
                                          : NULL;
}

/* x and c of x * c, c * x. */
static bool product_with_constant(const psc_value *v, psc_value **x, double *c)
{
    if (v->op != PSY_OP_MUL) {
        return false;
    }
    bool right = number(v->operands[1], c);
    *x = v->operands[!right];
    return right || number(v->operands[0], c);
}

/* Whether the product is one that loses no more than a rounding: neither too large nor too small. */
static bool is_normal(const psc_value *v, double x)
{
    double least = v->dtype == PSY_F64 ? 1e-290 : 1e-30, most = v->dtype == PSY_F64 ? 1e290 : 1e30;
    return fabs(x) > least && fabs(x) < most;
}

static psc_value *multiply_constants(relaxer *r, psc_value *v)
{
    psc_value *inner, *x;
    double c, d;
    if (!product_with_constant(v, &inner, &d) || !product_with_constant(inner, &x, &c) || !is_normal(v, c * d)) {
        return NULL;
    }
    return as_large(r, map(r, PSY_OP_MUL, x, psc_build_number(&r->b, v->dtype, c * d)), v);
}

static psc_value *multiply_roots(relaxer *r, psc_value *v)
{
    psc_value *x = v->operands[0];
    return x == v->operands[1] && x->op == PSY_OP_SQRT ? as_large(r, x->operands[0], v) : NULL;
}

static psc_value *of_exponentials(relaxer *r, psc_value *v, unsigned op)
{
    psc_value *x = v->operands[0], *y = v->operands[1];
    bool both = (x->op == PSY_OP_EXP || x->op == PSY_OP_EXP2) && y->op == x->op;
    /* Where each is of fewer elements than the result, two small ones are less work than a large one. */
    if (!both || x == y || !is_read_once(r, x) || !is_read_once(r, y) || (!psc_ir_same_dims(x, v) && !psc_ir_same_dims(y, v))) {
        return NULL;
    }
    return as_large(r, psc_build_map(&r->b, x->op, map(r, op, x->operands[0], y->operands[0]), NULL, NULL), v);
}

static psc_value *multiply_exponentials(relaxer *r, psc_value *v) { return of_exponentials(r, v, PSY_OP_ADD); }
static psc_value *divide_exponentials(relaxer *r, psc_value *v) { return of_exponentials(r, v, PSY_OP_SUB); }

static psc_value *divide_by_itself(relaxer *r, psc_value *v)
{
    return v->operands[0] == v->operands[1] ? constant_like(r, v, 1) : NULL;
}

static psc_value *divide_by_constant(relaxer *r, psc_value *v)
{
    double c;
    if (!number(v->operands[1], &c) || !is_normal(v, c)) {
        return NULL;
    }
    return as_large(r, map(r, PSY_OP_MUL, v->operands[0], psc_build_number(&r->b, v->dtype, 1 / c)), v);
}

static psc_value *divide_by_root(relaxer *r, psc_value *v)
{
    psc_value *y = v->operands[1];
    if (y->op != PSY_OP_SQRT || !is_read_once(r, y)) {
        return NULL;
    }
    return as_large(r, map(r, PSY_OP_MUL, v->operands[0], map(r, PSY_OP_RSQRT, y->operands[0], NULL)), v);
}

static psc_value *divide_by_few(relaxer *r, psc_value *v)
{
    psc_value *y = v->operands[1];
    if (psc_ir_same_dims(y, v) || number(y, &(double){0}) || number(v->operands[0], &(double){0})) {
        return NULL;
    }
    psc_value *turned = map(r, PSY_OP_DIV, psc_build_number(&r->b, v->dtype, 1), y);
    return as_large(r, map(r, PSY_OP_MUL, v->operands[0], turned), v);
}

static psc_value *logarithm_of_exponential(relaxer *r, psc_value *v)
{
    return v->operands[0]->op == PSY_OP_EXP ? as_large(r, v->operands[0]->operands[0], v) : NULL;
}

static psc_value *exponential_of_logarithm(relaxer *r, psc_value *v)
{
    return v->operands[0]->op == PSY_OP_LOG ? as_large(r, v->operands[0]->operands[0], v) : NULL;
}

static psc_value *constant_power(relaxer *r, psc_value *v)
{
    psc_value *x = v->operands[0];
    double c;
    if (!number(v->operands[1], &c) || !psc_ir_same_dims(x, v)) {
        return NULL;
    }
    return c == 2     ? map(r, PSY_OP_MUL, x, x)
           : c == 3   ? map(r, PSY_OP_MUL, map(r, PSY_OP_MUL, x, x), x)
           : c == 0.5 ? map(r, PSY_OP_SQRT, x, NULL)
           : c == -1  ? map(r, PSY_OP_DIV, psc_build_number(&r->b, v->dtype, 1), x)
                      : NULL;
}

/* A product with a scalar: *x is the other side, as large as the product. */
static psc_value *scalar_of(const relaxer *r, const psc_value *v, psc_value **x)
{
    if (v->op != PSY_OP_MUL || !is_read_once(r, v)) {
        return NULL;
    }
    for (unsigned k = 0; k < 2; k++) {
        *x = v->operands[1 - k];
        if (v->operands[k]->rank == 0 && psc_ir_same_dims(*x, v)) {
            return v->operands[k];
        }
    }
    return NULL;
}

static psc_value *sum_multiples(relaxer *r, psc_value *v)
{
    psc_value *x, *scalar = scalar_of(r, v->operands[0], &x);
    return scalar ? map(r, PSY_OP_MUL, psc_build_reduce(&r->b, PSY_OP_SUM, x, v->index), scalar) : NULL;
}

/* How many elements; sizes that are named count as many. */
static double elements(const psc_value *v)
{
    enum { NAMED_SIZE = 4096 };
    double n = 1;
    for (uint32_t d = 0; d < v->rank; d++) {
        n *= psy__dim_is_symbol(v->dims[d]) ? NAMED_SIZE : v->dims[d];
    }
    return n;
}

static psc_value *dot_multiples(relaxer *r, psc_value *v)
{
    for (unsigned k = 0; k < 2; k++) {
        psc_value *x, *scalar = scalar_of(r, v->operands[k], &x);
        if (scalar && elements(v) < elements(v->operands[k])) { /* else it is no less work behind */
            psc_value dot = *v;
            dot.operands[k] = x;
            return map(r, PSY_OP_MUL, psc_build(&r->b, dot), scalar);
        }
    }
    return NULL;
}

static psc_value *multiply_and_add(relaxer *r, psc_value *v)
{
    for (unsigned k = 0; k < 2; k++) {
        psc_value *p = v->operands[k];
        if (p->op == PSY_OP_MUL && is_read_once(r, p) && psc_ir_same_dims(p, v)) {
            return psc_build_map(&r->b, PSY_OP_FMA, p->operands[0], p->operands[1], v->operands[1 - k]);
        }
    }
    return NULL;
}

/* ---- the pass ---- */

static const relax_rule rules[] = {
#define RELAX(function, op, written, computed) {function, PSY_OP_##op, written, computed},
#include "fast_math.def"
};

enum { RULES = sizeof rules / sizeof rules[0], ROUNDS_MAX = 16 };

bool psc_fast_math_row(unsigned i, const char **written, const char **computed)
{
    if (i < RULES) {
        *written = rules[i].written;
        *computed = rules[i].computed;
    }
    return i < RULES;
}

static psc_value *relax_value(psc_unit *u, psc_program *to, psc_value *v, void *context)
{
    relaxer *r = context;
    bool floats = psy__dtype_class(v->dtype) == PSY_DCLASS_FLOAT;
    psc_value *made = NULL;
    r->b = (psc_builder){u, to, v->span};
    psc_settle_reshape(u, to, v);
    for (const relax_rule *rule = r->from; floats && !made && rule < r->to; rule++) {
        made = rule->op == v->op ? rule->apply(r, v) : NULL;
    }
    r->count += made != NULL;
    if (made && !made->name) {
        made->name = v->name;
    }
    uint32_t readers = r->readers[v->id];
    made = made ? made : psc_ir_add(u->arena, to, v);
    while (r->made.count <= made->id) {
        psc_push(u->arena, &r->made, 0u);
    }
    r->made.at[made->id] += readers;
    return made;
}

static uint32_t relax_once(psc_unit *u, psc_program *p, const relax_rule *from, const relax_rule *to)
{
    uint32_t *readers = psc_alloc(u->arena, (p->values.count + 1) * sizeof *readers);
    for (size_t i = 0; i < p->values.count; i++) {
        p->values.at[i]->id = (uint32_t)i;
    }
    for (size_t i = 0; i < p->values.count; i++) {
        for (unsigned k = 0; k < p->values.at[i]->operand_count; k++) {
            if (p->values.at[i]->operands[k]) {
                readers[p->values.at[i]->operands[k]->id]++;
            }
        }
    }
    relaxer r = {.readers = readers, .from = from, .to = to};
    psc_rewrite(u, p, relax_value, &r);
    return r.count;
}

static void relax_program(psc_unit *u, psc_program *p)
{
    const relax_rule *last = rules + RULES - 1;
    uint32_t count = 1;
    psc_dce_program(u, p); /* what nobody reads is no reader */
    for (unsigned round = 0; count && round < ROUNDS_MAX; round++) {
        count = relax_once(u, p, rules, last);
        u->relaxed += count;
        psc_dce_program(u, p);
    }
    u->relaxed += relax_once(u, p, last, last + 1);
}

void psc_relax(psc_unit *unit)
{
    if (unit->options->fast_math) {
        psc_each_program(unit, relax_program);
        psc_fold(unit);
        psc_cse(unit);
    }
}
