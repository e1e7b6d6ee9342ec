/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"
#include "param.h"
#include "variant.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define ERROR(...) psc_error(l->unit->diags, __VA_ARGS__)

psc_term psc_poison(psc_span span) { return (psc_term){.kind = PSC_TERM_POISON, .span = span}; }

psc_term psc_of_value(psc_value *value, psc_span span)
{
    return value ? (psc_term){.kind = PSC_TERM_VALUE, .span = span, .value = value} : psc_poison(span);
}

const char *psc_type_text(psc_lowering *l, const psc_value *v)
{
    const char *dtype = psy__dtype_name(v->dtype), *text = dtype;
    if (!v->length) {
        return v->rank ? psc_format(l->unit->arena, "%s%s", dtype, psc_shape_text(l->unit, v->dims, v->rank)) : dtype;
    }
    for (uint32_t d = 0; d < v->rank; d++) {
        text = psc_format(l->unit->arena, "%s%s%s%s", text, d ? ", " : "[", d == v->length_axis ? "<=" : "",
                          psc_dim_text(l->unit, v->dims[d]));
    }
    return psc_format(l->unit->arena, "%s]", text);
}

void psc_over_limit(psc_lowering *l, int most, const char *what)
{
    if (!l->over_limit) {
        l->over_limit = true;
        ERROR(PSC_E_LIMIT, l->pipeline->node->name.span, "pipeline `%s` has more than %d %s", l->pipeline->node->name.text,
              most, what);
    }
}

/* ---- making values ---- */

psc_value *psc_emit(psc_lowering *l, psc_span span, unsigned op, unsigned dtype, const psy_dim *dims, uint32_t rank,
                    psc_value *const *operands, unsigned count)
{
    if (l->program->values.count >= PSC_VALUES_MAX) {
        psc_over_limit(l, PSC_VALUES_MAX, "operations, functions written out");
        return NULL;
    }
    if (l->unit->value_count >= PSC_UNIT_VALUES_MAX) {
        l->over_limit = true;
        if (l->unit->value_count++ == PSC_UNIT_VALUES_MAX) {
            ERROR(PSC_E_LIMIT, l->pipeline->node->name.span,
                  "the pipelines up to here have more than %d operations, functions written out", PSC_UNIT_VALUES_MAX);
        }
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        if (operands[i] && operands[i]->bare) {
            return psc_emit_shorter(l, span, op, dtype, dims, rank, operands, count);
        }
    }
    l->unit->value_count++;
    psc_value v = {
        .op = op, .dtype = (uint8_t)dtype, .rank = (uint8_t)rank, .operand_count = count, .base = PSY_NONE, .span = span};
    if (rank) {
        memcpy(v.dims, dims, rank * sizeof *dims);
    }
    for (unsigned i = 0; i < count; i++) {
        v.operands[i] = operands[i];
        v.batched = v.batched || (operands[i] && operands[i]->batched);
    }
    v.batched = v.batched || psy__op_reads_message(op);
    return psc_ir_add(l->unit->arena, l->program, &v);
}

psc_value *psc_emit_map1(psc_lowering *l, psc_span span, unsigned op, psc_value *a)
{
    return a ? psc_emit(l, span, op, a->dtype, a->dims, a->rank, &a, 1) : NULL;
}

psc_value *psc_emit_cast(psc_lowering *l, psc_span span, unsigned dtype, psc_value *a)
{
    return !a || a->dtype == dtype ? a : psc_emit(l, span, PSY_OP_CAST, dtype, a->dims, a->rank, &a, 1);
}

/* The symbol behind a dim of one shard, so that `N` and one shard's part of it are told apart in messages. */
static bool is_local(const psc_unit *u, psy_dim d)
{
    return psy__dim_is_symbol(d) && u->symbols.at[psy__dim_symbol(d)].kind == PSY_SYMBOL_LOCAL;
}

static void shape_error(psc_lowering *l, psc_span span, const psc_value *a, const psc_value *b, const char *how)
{
    psc_unit *u = l->unit;
    psc_diagnostic *d =
        ERROR(PSC_E_SHAPE, span, "%s and %s %s", psc_shape_text(u, a->dims, a->rank), psc_shape_text(u, b->dims, b->rank), how);
    psc_note(d, a->span, "this is %s", psc_type_text(l, a));
    psc_note(d, b->span, "this is %s", psc_type_text(l, b));
    int x = psc_ir_sharded_axis(a, u->symbols.at), y = psc_ir_sharded_axis(b, u->symbols.at);
    if ((x < 0) != (y < 0)) {
        const psc_value *sharded = x < 0 ? b : a, *other = x < 0 ? a : b;
        const char *name = psc_dim_text(u, sharded->dims[x < 0 ? y : x]);
        for (uint32_t k = 0; k < other->rank; k++) {
            if (!is_local(u, other->dims[k]) && strcmp(psc_dim_text(u, other->dims[k]), name) == 0) {
                psc_help(d, "one is split along %s and the other has all of it on every shard: split both", name);
            }
        }
    }
}

psc_value *psc_emit_map(psc_lowering *l, psc_span span, unsigned op, psc_value *const *operands, unsigned count)
{
    psy_dim dims[PSY_RANK_MAX];
    uint8_t rank;
    if (!operands[0]) {
        return NULL;
    }
    psc_value all = *operands[0];
    for (unsigned i = 0; i < count; i++) {
        if (!operands[i]) {
            return NULL;
        }
        if (!psc_ir_broadcast(&all, operands[i], dims, &rank)) {
            unsigned other = 0;
            while (other + 1 < i && psc_ir_broadcast(operands[other], operands[i], dims, &rank)) {
                other++;
            }
            shape_error(l, span, operands[other], operands[i], "do not fit each other element by element");
            return NULL;
        }
        all.rank = rank;
        memcpy(all.dims, dims, sizeof all.dims);
    }
    /* The last operand has the instruction's dtype: the first of CHOOSE is a condition. */
    unsigned dtype = psy__op_result_dtype(psy__op_info(op), operands[count - 1]->dtype);
    return psc_emit(l, span, op, dtype, all.dims, all.rank, operands, count);
}

psc_value *psc_emit_map2(psc_lowering *l, psc_span span, unsigned op, psc_value *a, psc_value *b)
{
    return psc_emit_map(l, span, op, (psc_value *[]){a, b}, 2);
}

psc_value *psc_emit_reduce(psc_lowering *l, psc_span span, unsigned op, psc_value *a, uint32_t axis)
{
    psy_dim dims[PSY_RANK_MAX] = {0};
    if (a && a->length && a->length_axis == axis) {
        a = psc_fill_neutral(l, span, op, a);
    }
    if (!a) {
        return NULL;
    }
    const psc_value *given = a;
    a = psc_bare(a);
    memcpy(dims, a->dims, sizeof dims);
    memmove(dims + axis, dims + axis + 1, (PSY_RANK_MAX - axis - 1) * sizeof *dims);
    psc_value *v = psc_emit(l, span, op, a->dtype, dims, a->rank - 1u, &a, 1);
    if (v) {
        v->index = axis;
        v = psc_like_length(l, v, given, axis < given->length_axis ? given->length_axis - 1u : given->length_axis);
    }
    return v;
}

psc_value *psc_emit_dot(psc_lowering *l, psc_span span, psc_value *a, psc_value *b)
{
    psy_dim dims[PSY_RANK_MAX];
    uint8_t rank;
    if (!a || !b) {
        return NULL;
    }
    if (a->rank == 0 || b->rank == 0) {
        ERROR(PSC_E_SHAPE, a->rank ? b->span : a->span, "a scalar has no elements to multiply and add");
        return NULL;
    }
    if (a->dims[a->rank - 1] != b->dims[b->rank - 1]) {
        shape_error(l, span, a, b, "have different last sizes");
        return NULL;
    }
    if (!psc_ir_broadcast(a, b, dims, &rank)) {
        shape_error(l, span, a, b, "do not fit each other");
        return NULL;
    }
    const psc_value *given;
    uint32_t axis;
    if (!psc_common_length(l, span, (psc_value *[]){a, b}, 2, dims, rank, &given, &axis)) {
        return NULL;
    }
    if (given && axis == rank - 1u) {
        a = psc_fill_neutral(l, span, PSY_OP_SUM, a);
        b = psc_fill_neutral(l, span, PSY_OP_SUM, b);
        given = NULL;
    }
    psc_value *v =
        a && b ? psc_emit(l, span, PSY_OP_DOT, a->dtype, dims, rank - 1u, (psc_value *[]){psc_bare(a), psc_bare(b)}, 2) : NULL;
    return v && given ? psc_with_length(l, v, given->length, axis) : v;
}

psc_value *psc_emit_size(psc_lowering *l, psc_span span, unsigned dtype, psy_dim dim)
{
    /* A size is the whole size, also where a shard sees its own part. */
    if (is_local(l->unit, dim)) {
        dim = PSY_DIM_SYMBOL | l->unit->symbols.at[psy__dim_symbol(dim)].of;
    }
    psc_value *v = psc_emit(l, span, PSY_OP_SIZE, dtype, NULL, 0, NULL, 0);
    if (v) {
        v->index = dim;
    }
    return v;
}

static psc_value *emit_constant(psc_lowering *l, psc_span span, unsigned dtype, uint64_t bits)
{
    psc_value *v = psc_emit(l, span, PSY_OP_CONST, dtype, NULL, 0, NULL, 0);
    if (v) {
        v->bits = bits;
    }
    return v;
}

psc_value *psc_emit_number(psc_lowering *l, psc_span span, unsigned dtype, double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return emit_constant(l, span, dtype, psc_fold_cast(PSY_F64, dtype, bits));
}

/* ---- terms ---- */

void psc_bind(psc_lowering *l, const char *name, psc_term term)
{
    psc_term *kept = psc_new(l->unit->arena, psc_term);
    *kept = term;
    *psc_names_add(l->unit->arena, &l->scope, name) = kept;
}

static psc_value *number_as(psc_lowering *l, const psc_term *t, unsigned dtype)
{
    bool is_float = psy__dtype_class(dtype) == PSY_DCLASS_FLOAT;
    if (is_float) {
        double real = t->kind == PSC_TERM_REAL ? t->real : (double)t->integer;
        if (dtype == PSY_F32 && fabs(real) > 3.4028235677973366e38) {
            ERROR(PSC_E_NUMBER, t->span, "this number does not fit into f32");
            return NULL;
        }
        return psc_emit_number(l, t->span, dtype, real);
    }
    if (dtype == PSY_BOOL) {
        psc_help(ERROR(PSC_E_TYPE, t->span, "a number meets truth values"), "write `true` or `false`, or compare: `x != 0`");
        return NULL;
    }
    if (t->kind == PSC_TERM_REAL) {
        psc_help(ERROR(PSC_E_TYPE, t->span, "a fraction meets values of %s", psy__dtype_name(dtype)),
                 "cast the other side: `f32(...)`");
        return NULL;
    }
    unsigned bits = psy__dtype_bytes(dtype) * 8;
    bool sint = psy__dtype_class(dtype) == PSY_DCLASS_SINT;
    psc_integer most = ((psc_integer)1 << (sint ? bits - 1 : bits)) - 1, least = sint ? -most - 1 : 0;
    if (t->integer < least || t->integer > most) {
        const char *number = psc_integer_text(l->unit->arena, t->integer);
        ERROR(PSC_E_NUMBER, t->span, "%s does not fit into %s", number, psy__dtype_name(dtype));
        return NULL;
    }
    return emit_constant(l, t->span, dtype, (uint64_t)t->integer & (bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1));
}

unsigned psc_number_dtype(const psc_lowering *l)
{
    unsigned hint = l->hint;
    if (!hint || psy__dtype_computes(hint)) {
        return hint ? hint : PSY_F32;
    }
    psy_dtype_class class_ = psy__dtype_class(hint);
    return class_ == PSY_DCLASS_SINT ? PSY_I32 : class_ == PSY_DCLASS_FLOAT ? PSY_F32 : PSY_U32;
}

static psc_value *choice_as(psc_lowering *l, const psc_term *t, unsigned dtype)
{
    psc_value *all[3] = {t->choice->condition, psc_as_value(l, &t->choice->yes, dtype), psc_as_value(l, &t->choice->no, dtype)};
    return all[1] && all[2] ? psc_emit_map(l, t->span, PSY_OP_CHOOSE, all, 3) : NULL;
}

psc_value *psc_as_value(psc_lowering *l, const psc_term *t, unsigned dtype)
{
    switch (t->kind) {
    case PSC_TERM_POISON: return NULL;
    case PSC_TERM_INTEGER:
    case PSC_TERM_REAL: return number_as(l, t, dtype);
    case PSC_TERM_SIZE: return psc_emit_size(l, t->span, dtype, t->dim);
    case PSC_TERM_CHOICE: return choice_as(l, t, dtype);
    case PSC_TERM_VALUE: return t->value;
    case PSC_TERM_PAIR:
        psc_help(ERROR(PSC_E_TYPE, t->span, "topk gives two things"), "write `let (score, index) = topk(...)`");
        return NULL;
    case PSC_TERM_MESSAGE:
        psc_help(ERROR(PSC_E_TYPE, t->span, "a message is no value"), "use its fields: `%s.FIELD`",
                 psc_field_path(l, t->index));
        return NULL;
    case PSC_TERM_LIST:
        psc_help(ERROR(PSC_E_TYPE, t->span, "a list of sizes is no value"), "`stack(a, b)` makes a tensor of values");
        return NULL;
    case PSC_TERM_OPTIONAL: psc_optional_refuse(l, t); return NULL;
    case PSC_TERM_TEXT: psc_text_refuse(l, t); return NULL;
    case PSC_TERM_KEYED:
        psc_help(ERROR(PSC_E_SPLIT, t->span, "data `by key` lies on the shard that owns the key, and is read by key only"),
                 "write `%s[q.KEY]`", l->unit->residents.at[t->index].node->name.text);
        return NULL;
    }
    return NULL;
}

psc_value *psc_promote(psc_lowering *l, psc_value *v)
{
    if (!v || psy__dtype_computes(v->dtype)) {
        return v;
    }
    switch (psy__dtype_class(v->dtype)) {
    case PSY_DCLASS_SINT: return psc_emit_cast(l, v->span, PSY_I32, v);
    case PSY_DCLASS_UINT: return psc_emit_cast(l, v->span, PSY_U32, v);
    case PSY_DCLASS_FLOAT: return psc_emit_cast(l, v->span, PSY_F32, v);
    default: return v; /* a truth value is no number */
    }
}

bool psc_is_untyped(const psc_term *t)
{
    return t->kind == PSC_TERM_INTEGER || t->kind == PSC_TERM_REAL || t->kind == PSC_TERM_SIZE || t->kind == PSC_TERM_CHOICE;
}

/* What two untyped operands compute in. */
static unsigned dtype_of_untyped(const psc_lowering *l, const psc_term *a, const psc_term *b)
{
    if (a->kind == PSC_TERM_CHOICE || b->kind == PSC_TERM_CHOICE) {
        return psc_number_dtype(l);
    }
    return a->kind == PSC_TERM_REAL || b->kind == PSC_TERM_REAL ? PSY_F64 : PSY_I64;
}

/* The operand with a dtype that computes; `given` is what it was before. False after an error; an untyped one stays NULL. */
static bool typed_operand(psc_lowering *l, const psc_term *t, psc_value **given, psc_value **out, unsigned *dtype)
{
    if (psc_is_untyped(t)) {
        return true;
    }
    *given = psc_as_value(l, t, 0);
    *out = psc_promote(l, *given);
    *dtype = *out ? (*out)->dtype : 0;
    return *out != NULL;
}

/* The dtype that loses the least of two that compute, or that of the number where one is a truth value. */
static unsigned wider(unsigned x, unsigned y)
{
    psy_dtype_class a = psy__dtype_class(x), b = psy__dtype_class(y);
    if (a == PSY_DCLASS_BOOL || b == PSY_DCLASS_BOOL) {
        return a == PSY_DCLASS_BOOL ? y : x;
    }
    if ((a == PSY_DCLASS_FLOAT) != (b == PSY_DCLASS_FLOAT)) {
        return a == PSY_DCLASS_FLOAT ? x : y;
    }
    unsigned m = psy__dtype_bytes(x), n = psy__dtype_bytes(y);
    return m != n ? (m > n ? x : y) : PSY_I64;
}

bool psc_unify(psc_lowering *l, psc_span span, const psc_term *a, const psc_term *b, psc_value **x, psc_value **y)
{
    /* Numbers take the dtype of the other side; sizes and numbers alone are i64 or f64. */
    unsigned dtype = dtype_of_untyped(l, a, b);
    psc_value *given_x = NULL, *given_y = NULL;
    *x = *y = NULL;
    if (!typed_operand(l, a, &given_x, x, &dtype) || !typed_operand(l, b, &given_y, y, &dtype)) {
        return false;
    }
    *x = *x ? *x : psc_as_value(l, a, dtype);
    *y = *y ? *y : psc_as_value(l, b, dtype);
    if (!*x || !*y) {
        return false;
    }
    if ((*x)->dtype != (*y)->dtype) {
        psc_diagnostic *d = ERROR(PSC_E_TYPE, span, "%s and %s are different types", psy__dtype_name(given_x->dtype),
                                  psy__dtype_name(given_y->dtype));
        psc_note(d, a->span, "this is %s", psc_type_text(l, given_x));
        psc_note(d, b->span, "this is %s", psc_type_text(l, given_y));
        psc_help(d, "cast one of them: `%s(...)`", psy__dtype_name(wider((*x)->dtype, (*y)->dtype)));
        return false;
    }
    return true;
}

/* ---- expressions ---- */

psc_term psc_constant_term(const psc_constant_value *c, psc_span span)
{
    return c->poisoned   ? psc_poison(span)
           : c->is_float ? (psc_term){.kind = PSC_TERM_REAL, .span = span, .real = c->real}
                         : (psc_term){.kind = PSC_TERM_INTEGER, .span = span, .integer = c->integer};
}

static psc_term resident_term(psc_lowering *l, const psc_resident *r, uint32_t index, psc_span span)
{
    if (r->poisoned) {
        return psc_poison(span);
    }
    if (r->record.placement == PSY_PLACE_BY_KEY) {
        return (psc_term){.kind = PSC_TERM_KEYED, .span = span, .index = index};
    }
    psy_dim dims[PSY_RANK_MAX];
    memcpy(dims, r->record.dims, sizeof dims);
    dims[0] = r->record.local_rows;
    psc_value *v = psc_emit(l, span, PSY_OP_RESIDENT, r->record.dtype, dims, r->record.rank, NULL, 0);
    if (v) {
        v->index = index;
        v->name = r->node->name.text;
    }
    return r->is_text ? psc_text_term(v, NULL, span) : psc_of_value(v, span);
}

static psc_term lower_name(psc_lowering *l, const hrm_expr *e)
{
    const psc_term *bound = psc_names_find(l->scope, e->name.text);
    if (bound) {
        psc_term t = *bound;
        t.span = e->span;
        return t;
    }
    uint32_t index;
    const psc_constant_value *c = psc_constant_find(l->unit, e->name.text);
    const psc_resident *r = psc_resident_find(l->unit, e->name.text, &index);
    uint32_t number;
    const psc_param *p = psc_param_find(l->unit, e->name.text, &number);
    psy_dim symbol = psc_symbol_find(l->unit, e->name.text, PSY_SYMBOL_GLOBAL);
    return c                    ? psc_constant_term(c, e->span)
           : r                  ? resident_term(l, r, index, e->span)
           : p                  ? psc_param_term(l, p, number, e->span)
           : symbol != PSY_NONE ? (psc_term){.kind = PSC_TERM_SIZE, .span = e->span, .dim = symbol}
                                : psc_variant_size(l, e);
}

/* ---- what editors ask ---- */

static const char *term_text(psc_lowering *l, const psc_term *t)
{
    psc_unit *u = l->unit;
    const psc_resident *r = t->kind == PSC_TERM_KEYED ? &u->residents.at[t->index] : NULL;
    switch (t->kind) {
    case PSC_TERM_INTEGER: return psc_integer_text(u->arena, t->integer);
    case PSC_TERM_REAL: return psc_index_real(u->arena, t->real);
    case PSC_TERM_SIZE: return psc_format(u->arena, "size %s", psc_dim_text(u, t->dim));
    case PSC_TERM_VALUE: return psc_type_text(l, t->value);
    case PSC_TERM_PAIR: return psc_format(u->arena, "(%s, %s)", psc_type_text(l, t->value), psc_type_text(l, t->other));
    case PSC_TERM_MESSAGE:
        return t->index == PSY_NONE ? l->pipeline->input->name : l->pipeline->input->fields[t->index].part->name;
    case PSC_TERM_TEXT: return psc_text_type(l, t);
    case PSC_TERM_OPTIONAL: {
        const char *inner = term_text(l, t->inner);
        return inner ? psc_format(u->arena, "%s?", inner) : NULL;
    }
    case PSC_TERM_KEYED:
        return psc_format(u->arena, "%s%s by key", psy__dtype_name(r->record.dtype),
                          psc_shape_text(u, r->record.dims, r->record.rank));
    default: return NULL;
    }
}

void psc_keep_type(psc_lowering *l, psc_span span, const psc_term *t)
{
    const char *text = psc_index_wants_type(l->unit, span) ? term_text(l, t) : NULL;
    if (text) {
        psc_index_add_type(l->unit, span, text);
    }
}

/* ---- numbers and calls ---- */

static psc_term lower_operands(psc_lowering *l, const hrm_expr *e)
{
    psc_term a = psc_lower_expr(l, e->left), b = psc_lower_expr(l, e->right);
    return psc_lower_arithmetic(l, e, &a, &b);
}

static psc_term lower_call(psc_lowering *l, const hrm_expr *e)
{
    /* One that has the name of a builtin is poisoned. */
    const psc_fn *f = psc_fn_find(l->unit, e->name.text);
    if (f && !f->poisoned) {
        return psc_inline_fn(l, e, f->node);
    }
    psc_term t;
    return psc_lower_builtin(l, e, &t) ? t : psc_poison(e->span); /* reported by resolve */
}

static psc_term lower_any(psc_lowering *l, const hrm_expr *e)
{
    switch (e->kind) {
    case HRM_INTEGER:
    case HRM_REAL: {
        psc_constant_value c = psc_evaluate(l->unit, e);
        return psc_constant_term(&c, e->span);
    }
    case HRM_BOOL: return psc_of_value(emit_constant(l, e->span, PSY_BOOL, e->integer), e->span);
    case HRM_NAME: return lower_name(l, e);
    case HRM_UNARY: return psc_lower_unary(l, e);
    case HRM_BINARY: return e->op == HRM_OTHERWISE ? psc_lower_otherwise(l, e) : lower_operands(l, e);
    case HRM_MEMBER: return psc_lower_member(l, e);
    case HRM_INDEX: return psc_lower_row(l, e);
    case HRM_CALL: return lower_call(l, e);
    case HRM_TEXT: return psc_text_literal(l, e->span, e->name.text);
    case HRM_RECORD:
        psc_help(ERROR(PSC_E_TYPE, e->span, "a message is no value"), "messages are made where a pipeline ends");
        return psc_poison(e->span);
    case HRM_LIST:
        ERROR(PSC_E_TYPE, e->span, "a list of sizes stands only where a function takes one");
        return psc_poison(e->span);
    }
    return psc_poison(e->span);
}

psc_term psc_lower_expr(psc_lowering *l, const hrm_expr *e)
{
    if (l->nesting >= PSC_DEPTH_MAX) {
        psc_over_limit(l, PSC_DEPTH_MAX, "operations on top of each other, functions written out");
    }
    if (l->over_limit) {
        return psc_poison(e->span);
    }
    l->nesting++;
    psc_term t = lower_any(l, e);
    l->nesting--;
    psc_keep_type(l, e->span, &t);
    return t;
}
