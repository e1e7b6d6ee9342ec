/* SPDX-License-Identifier: Apache-2.0 */
#include "builtins.h"

#include <string.h>

#include "lower.h"

#define ERROR(...) psc_error(l->unit->diags, __VA_ARGS__)

enum { TOPK_K_MAX = 65536 };

static const struct {
    const char *name;
    psc_builtin builtin;
} rows[] = {{"min", PSC_MIN},   {"max", PSC_MAX},   {"sum", PSC_SUM},   {"mean", PSC_MEAN}, {"dot", PSC_DOT},
            {"norm", PSC_NORM}, {"topk", PSC_TOPK}, {"size", PSC_SIZE}, {"relu", PSC_RELU}, {"sigmoid", PSC_SIGMOID}};

enum { ROWS = sizeof rows / sizeof rows[0] };

psc_builtin psc_builtin_find(const char *name, unsigned *detail)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return rows[i].builtin;
        }
    }
    *detail = psy__dtype_named(name, strlen(name));
    if (*detail) {
        return PSC_CAST;
    }
    const psy_op_info *info = psy__op_named(name);
    if (info && info->class_ == PSY_CLASS_MAP1) {
        *detail = info->op;
        return PSC_MAP1;
    }
    return PSC_NO_BUILTIN;
}

size_t psc_builtin_names(const char **names, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < ROWS && n < room; i++) {
        names[n++] = rows[i].name;
    }
    for (unsigned i = 0; i < psy__op_count() && n < room; i++) {
        if (psy__op_row(i)->class_ == PSY_CLASS_MAP1) {
            names[n++] = psy__op_row(i)->name;
        }
    }
    for (unsigned d = 1; psy__dtype_name(d) && n < room; d++) {
        names[n++] = psy__dtype_name(d);
    }
    return n;
}

/* ---- arguments ---- */

typedef struct arguments {
    psc_term at[2];
    unsigned count;
    const hrm_expr *named; /* the value of the argument named `name` */
} arguments;

/* `least` to `most` positional arguments and, if `name` is not NULL, one of that name. False after an error. */
static bool take(psc_lowering *l, const hrm_expr *e, unsigned least, unsigned most, const char *name, arguments *out)
{
    bool ok = true;
    *out = (arguments){.count = 0};
    for (size_t i = 0; i < e->arguments.count; i++) {
        const hrm_argument *a = &e->arguments.at[i];
        if (a->name.text) {
            if (!name || strcmp(a->name.text, name) != 0) {
                psc_diagnostic *d =
                    ERROR(PSC_E_ARGUMENTS, a->name.span, "`%s` has no argument `%s`", e->name.text, a->name.text);
                if (name) {
                    psc_help(d, "it has `%s:`", name);
                }
                return false;
            }
            if (out->named) {
                ERROR(PSC_E_ARGUMENTS, a->name.span, "`%s` is given twice", name);
                return false;
            }
            out->named = a->value;
        } else if (out->count < 2) {
            out->at[out->count] = psc_lower_expr(l, a->value);
            ok = ok && out->at[out->count].kind != PSC_TERM_POISON;
            out->count++;
        } else {
            out->count++;
        }
    }
    if (out->count < least || out->count > most) {
        ERROR(PSC_E_ARGUMENTS, e->span, "`%s` takes %u%s argument%s, not %u", e->name.text, least, most > least ? " or 2" : "",
              most == 1 ? "" : "s", out->count);
        return false;
    }
    return ok;
}

/* A value of a compute dtype; f32 where there is nothing but a number. */
static psc_value *one(psc_lowering *l, const psc_term *t) { return psc_promote(l, psc_as_value(l, t, PSY_F32)); }

static bool wants(psc_lowering *l, const hrm_expr *e, unsigned op, const psc_value *v)
{
    if (psy__op_takes(psy__op_info(op), v->dtype)) {
        return true;
    }
    /* As the user declared it, where it was made to compute. */
    const psc_value *given = v->op == PSY_OP_CAST && !psy__dtype_computes(v->operands[0]->dtype) ? v->operands[0] : v;
    psc_diagnostic *d = ERROR(PSC_E_TYPE, e->span, "`%s` does not take %s", e->name.text, psy__dtype_name(given->dtype));
    if (psy__dtype_class(v->dtype) != PSY_DCLASS_FLOAT) {
        psc_help(d, "cast it: `f32(...)`");
    }
    return false;
}

/* What `k:` and `axis:` are given: a number when it is lowered, be it the value of a `let` or a size of the function's own. */
static psc_constant_value constant_argument(psc_lowering *l, const hrm_expr *e)
{
    psc_term t = psc_lower_expr(l, e);
    psc_constant_value c = {.span = e->span, .integer = t.integer, .real = t.real, .is_float = t.kind == PSC_TERM_REAL};
    c.poisoned = t.kind != PSC_TERM_INTEGER && t.kind != PSC_TERM_REAL;
    if (c.poisoned && t.kind != PSC_TERM_POISON) {
        ERROR(PSC_E_CONSTANT, e->span, "a number that is known now is needed here: what comes from messages or data is not");
    }
    return c;
}

/* The axis to reduce: given, or the only one. */
static bool take_axis(psc_lowering *l, const hrm_expr *e, const hrm_expr *named, const psc_value *v, uint32_t *axis)
{
    if (v->rank == 0) {
        ERROR(PSC_E_SHAPE, e->span, "`%s` reduces an axis, and this is a scalar", e->name.text);
        return false;
    }
    if (!named) {
        if (v->rank > 1) {
            psc_help(ERROR(PSC_E_ARGUMENTS, e->span, "which axis of %s?", psc_type_text(l, v)), "write `%s(..., axis: %u)`",
                     e->name.text, v->rank - 1u);
            return false;
        }
        *axis = 0;
        return true;
    }
    psc_constant_value c = constant_argument(l, named);
    if (c.poisoned) {
        return false;
    }
    if (c.is_float || c.integer < -(int64_t)v->rank || c.integer >= v->rank) {
        ERROR(PSC_E_SHAPE, named->span, "%s has axes 0 to %u", psc_type_text(l, v), v->rank - 1u);
        return false;
    }
    *axis = (uint32_t)(c.integer < 0 ? c.integer + v->rank : c.integer);
    return true;
}

static psc_term reduce(psc_lowering *l, const hrm_expr *e, unsigned op, const arguments *a)
{
    uint32_t axis;
    psc_value *v = one(l, &a->at[0]);
    if (!v || !wants(l, e, op, v) || !take_axis(l, e, a->named, v, &axis)) {
        return psc_poison(e->span);
    }
    return psc_of_value(psc_emit_reduce(l, e->span, op, v, axis), e->span);
}

/* ---- functions made of others ---- */

static psc_term mean(psc_lowering *l, const hrm_expr *e, const arguments *a)
{
    uint32_t axis;
    psc_value *v = one(l, &a->at[0]);
    if (!v || !wants(l, e, PSY_OP_SQRT, v) || !take_axis(l, e, a->named, v, &axis)) {
        return psc_poison(e->span);
    }
    psc_value *sum = psc_emit_reduce(l, e->span, PSY_OP_SUM, v, axis),
              *count = psc_emit_size(l, e->span, v->dtype, v->dims[axis]);
    return psc_of_value(psc_emit_map2(l, e->span, PSY_OP_DIV, sum, count), e->span);
}

static psc_term norm(psc_lowering *l, const hrm_expr *e, const arguments *a)
{
    uint32_t axis;
    psc_value *v = one(l, &a->at[0]);
    if (!v || !wants(l, e, PSY_OP_SQRT, v) || !take_axis(l, e, a->named, v, &axis)) {
        return psc_poison(e->span);
    }
    psc_value *squares = axis + 1u == v->rank
                             ? psc_emit_dot(l, e->span, v, v)
                             : psc_emit_reduce(l, e->span, PSY_OP_SUM, psc_emit_map2(l, e->span, PSY_OP_MUL, v, v), axis);
    return psc_of_value(psc_emit_map1(l, e->span, PSY_OP_SQRT, squares), e->span);
}

/* 1 / (1 + exp(-x)) */
static psc_term sigmoid(psc_lowering *l, const hrm_expr *e, psc_value *v)
{
    if (!v || !wants(l, e, PSY_OP_EXP, v)) {
        return psc_poison(e->span);
    }
    psc_value *power = psc_emit_map1(l, e->span, PSY_OP_EXP, psc_emit_map1(l, e->span, PSY_OP_NEG, v));
    psc_value *below = psc_emit_map2(l, e->span, PSY_OP_ADD, power, psc_emit_number(l, e->span, v->dtype, 1));
    return psc_of_value(psc_emit_map2(l, e->span, PSY_OP_DIV, psc_emit_number(l, e->span, v->dtype, 1), below), e->span);
}

static psc_term relu(psc_lowering *l, const hrm_expr *e, psc_value *v)
{
    psc_term x = psc_of_value(v, e->span), zero = {.kind = PSC_TERM_INTEGER, .span = e->span};
    psc_value *a, *b;
    if (!v || !psc_unify(l, e->span, &x, &zero, &a, &b)) {
        return psc_poison(e->span);
    }
    return psc_of_value(psc_emit_map2(l, e->span, PSY_OP_MAX, a, b), e->span);
}

/* ---- topk ---- */

/* k of a symbolic size is checked when the data is loaded. */
static bool check_k(psc_lowering *l, const hrm_expr *at, int64_t k, psy_dim have)
{
    psc_unit *u = l->unit;
    if (!psy__dim_is_symbol(have)) {
        if (k > (int64_t)have) {
            ERROR(PSC_E_SHAPE, at->span, "k is %lld, and there are %u elements to choose from", (long long)k, have);
            return false;
        }
        return true;
    }
    const psy_psm_symbol *s = &u->symbols.at[psy__dim_symbol(have)];
    psy_dim global = s->kind == PSY_SYMBOL_LOCAL ? PSY_DIM_SYMBOL | s->of : have;
    psy_psm_check c = {.left = global, .right = (psy_dim)k, .relation = PSY_CHECK_GE};
    for (size_t i = 0; i < u->checks.count; i++) {
        if (u->checks.at[i].left == c.left && u->checks.at[i].right == c.right && u->checks.at[i].relation == c.relation) {
            return true;
        }
    }
    psc_push(u->arena, &u->checks, c);
    psc_push(
        u->arena, &u->check_texts,
        psc_format(u->arena, "topk with k = %lld needs at least as many rows of %s", (long long)k, psc_dim_text(u, global)));
    return true;
}

static psc_term topk(psc_lowering *l, const hrm_expr *e, const arguments *a)
{
    psc_value *v = one(l, &a->at[0]);
    if (!v) {
        return psc_poison(e->span);
    }
    if (!a->named) {
        psc_help(ERROR(PSC_E_ARGUMENTS, e->span, "how many does `topk` give?"), "write `topk(..., k: 10)`");
        return psc_poison(e->span);
    }
    psc_constant_value k = constant_argument(l, a->named);
    if (k.poisoned) {
        return psc_poison(e->span);
    }
    if (v->rank != 1) {
        ERROR(PSC_E_SHAPE, e->span, "`topk` takes a vector, and this is %s", psc_type_text(l, v));
        return psc_poison(e->span);
    }
    if (k.is_float || k.integer < 1 || k.integer > TOPK_K_MAX) {
        ERROR(PSC_E_ARGUMENTS, a->named->span, "k is a whole number from 1 to %d", TOPK_K_MAX);
        return psc_poison(e->span);
    }
    if (!check_k(l, a->named, k.integer, v->dims[0])) {
        return psc_poison(e->span);
    }
    psy_dim dims[1] = {(psy_dim)k.integer};
    psc_value *scores = psc_emit(l, e->span, PSY_OP_TOPK, v->dtype, dims, 1, (psc_value *[]){v, NULL}, 2);
    psc_value *labels = scores ? psc_emit(l, e->span, PSC_OP_LABELS, PSY_U64, dims, 1, &scores, 1) : NULL;
    if (!labels) {
        return psc_poison(e->span);
    }
    scores->index = (uint32_t)k.integer;
    scores->base = psc_ir_sharded_axis(v, l->unit->symbols.at) == 0 ? v->dims[0] : PSY_NONE;
    return (psc_term){.kind = PSC_TERM_PAIR, .span = e->span, .value = scores, .other = labels};
}

static psc_term size(psc_lowering *l, const hrm_expr *e, const arguments *a)
{
    uint32_t axis;
    psc_value *v = psc_as_value(l, &a->at[0], PSY_F32);
    if (!v || !take_axis(l, e, a->named, v, &axis)) {
        return psc_poison(e->span);
    }
    if (!psy__dim_is_symbol(v->dims[axis])) {
        return (psc_term){.kind = PSC_TERM_INTEGER, .span = e->span, .integer = v->dims[axis]};
    }
    return (psc_term){.kind = PSC_TERM_SIZE, .span = e->span, .dim = v->dims[axis]};
}

static psc_term two(psc_lowering *l, const hrm_expr *e, unsigned op, const arguments *a)
{
    psc_value *x, *y;
    if (a->named) {
        ERROR(PSC_E_ARGUMENTS, a->named->span, "`%s` of two values takes no axis", e->name.text);
        return psc_poison(e->span);
    }
    if (!psc_unify(l, e->span, &a->at[0], &a->at[1], &x, &y)) {
        return psc_poison(e->span);
    }
    return psc_of_value(op == PSY_OP_DOT ? psc_emit_dot(l, e->span, x, y) : psc_emit_map2(l, e->span, op, x, y), e->span);
}

psc_term psc_lower_builtin(psc_lowering *l, const hrm_expr *e, psc_builtin builtin, unsigned detail)
{
    arguments a;
    bool pair = builtin == PSC_MIN || builtin == PSC_MAX || builtin == PSC_DOT;
    bool axis = builtin == PSC_MIN || builtin == PSC_MAX || builtin == PSC_SUM || builtin == PSC_MEAN || builtin == PSC_NORM ||
                builtin == PSC_SIZE;
    const char *name = axis ? "axis" : builtin == PSC_TOPK ? "k" : NULL;
    if (!take(l, e, builtin == PSC_DOT ? 2 : 1, pair ? 2 : 1, name, &a)) {
        return psc_poison(e->span);
    }
    psc_value *v;
    switch (builtin) {
    case PSC_MAP1:
        v = one(l, &a.at[0]);
        return v && wants(l, e, detail, v) ? psc_of_value(psc_emit_map1(l, e->span, detail, v), e->span) : psc_poison(e->span);
    case PSC_CAST:
        if (detail == PSY_F16 || detail == PSY_BF16) {
            ERROR(PSC_E_UNSUPPORTED, e->span, "casts to %s are not supported by this version", psy__dtype_name(detail));
            return psc_poison(e->span);
        }
        /* A number or size takes the dtype at once; a fraction is cut as a cast would. */
        if (a.at[0].kind == PSC_TERM_REAL && psy__dtype_class(detail) != PSY_DCLASS_FLOAT) {
            v = psc_emit_number(l, e->span, PSY_F64, a.at[0].real);
        } else if (a.at[0].kind == PSC_TERM_SIZE && !psy__dtype_computes(detail)) {
            v = psc_as_value(l, &a.at[0], PSY_U64);
        } else {
            v = psc_as_value(l, &a.at[0], detail);
        }
        return psc_of_value(psc_emit_cast(l, e->span, detail, v), e->span);
    case PSC_MIN: return a.count == 2 ? two(l, e, PSY_OP_MIN, &a) : reduce(l, e, PSY_OP_RMIN, &a);
    case PSC_MAX: return a.count == 2 ? two(l, e, PSY_OP_MAX, &a) : reduce(l, e, PSY_OP_RMAX, &a);
    case PSC_SUM: return reduce(l, e, PSY_OP_SUM, &a);
    case PSC_DOT: return two(l, e, PSY_OP_DOT, &a);
    case PSC_MEAN: return mean(l, e, &a);
    case PSC_NORM: return norm(l, e, &a);
    case PSC_TOPK: return topk(l, e, &a);
    case PSC_SIZE: return size(l, e, &a);
    case PSC_RELU: return relu(l, e, one(l, &a.at[0]));
    case PSC_SIGMOID: return sigmoid(l, e, one(l, &a.at[0]));
    case PSC_NO_BUILTIN: break;
    }
    return psc_poison(e->span);
}
