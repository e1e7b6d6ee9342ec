/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the language's functions: which one, and its arguments. */
#include "call.h"

#include <string.h>

#include "builtins.h"

#define ERROR(...) psc_error(c->l->unit->diags, __VA_ARGS__)

typedef struct row {
    const char *name;
    unsigned least, most;
    const char *names; /* of further arguments, separated by spaces */
    psc_term (*lower)(psc_call *c);
    unsigned op;
} row;

static const row rows[] = {
#define BUILTIN(name, least, most, names, lower, op) {name, least, most, names, lower, op},
#include "builtins.def"
#undef BUILTIN
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static psc_term call_op(psc_call *c);
static psc_term call_cast(psc_call *c);

/* False: there is no such function. */
static bool find(const char *name, row *out)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *out = rows[i];
            return true;
        }
    }
    unsigned dtype = psy__dtype_named(name, strlen(name));
    if (dtype) {
        *out = (row){name, 1, 1, "", call_cast, dtype};
        return true;
    }
    const psy_op_info *info = psy__op_named(name);
    if (info && info->class_ == PSY_CLASS_MAP1 && info->op != PSY_OP_NEG && info->op != PSY_OP_NOT) {
        *out = (row){name, 1, 1, "", call_op, info->op};
        return true;
    }
    return false;
}

bool psc_builtin_exists(const char *name)
{
    row r;
    return find(name, &r);
}

const char *psc_builtin_arguments(const char *name)
{
    row r;
    return find(name, &r) ? r.names : "";
}

size_t psc_builtin_names(const char **names, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < ROWS && n < room; i++) {
        names[n++] = rows[i].name;
    }
    row r;
    for (unsigned i = 0; i < psy__op_count() && n < room; i++) {
        const char *name = psy__op_row(i)->name;
        if (psy__op_row(i)->class_ == PSY_CLASS_MAP1 && find(name, &r)) {
            names[n++] = name;
        }
    }
    for (unsigned d = 1; psy__dtype_name(d) && n < room; d++) {
        names[n++] = psy__dtype_name(d);
    }
    return n;
}

/* ---- arguments ---- */

/* The place of the name in the list, or -1. */
static int place_of(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; *names; i++) {
        size_t word = strcspn(names, " ");
        if (word == n && memcmp(names, name, n) == 0) {
            return i;
        }
        names += word + (names[word] == ' ');
    }
    return -1;
}

static bool take_named(psc_call *c, const row *r, const hrm_argument *a)
{
    int place = place_of(r->names, a->name.text);
    if (place < 0) {
        psc_diagnostic *d = ERROR(PSC_E_ARGUMENTS, a->name.span, "`%s` has no argument `%s`", c->e->name.text, a->name.text);
        if (*r->names) {
            size_t word = strcspn(r->names, " ");
            psc_help(d, r->names[word] ? "it has `%.*s:` and%s:" : "it has `%.*s:`", (int)word, r->names, r->names + word);
        }
        return false;
    }
    if (c->named[place]) {
        ERROR(PSC_E_ARGUMENTS, a->name.span, "`%s` is given twice", a->name.text);
        return false;
    }
    c->named[place] = a->value;
    return true;
}

static const char *how_many(psc_call *c, const row *r)
{
    return r->least == r->most       ? psc_format(c->l->unit->arena, "%u argument%s", r->least, r->least == 1 ? "" : "s")
           : r->most == r->least + 1 ? psc_format(c->l->unit->arena, "%u or %u arguments", r->least, r->most)
                                     : psc_format(c->l->unit->arena, "%u to %u arguments", r->least, r->most);
}

static bool take(psc_call *c, const row *r)
{
    bool ok = true;
    for (size_t i = 0; i < c->e->arguments.count; i++) {
        const hrm_argument *a = &c->e->arguments.at[i];
        if (a->name.text) {
            if (!take_named(c, r, a)) {
                return false;
            }
            continue;
        }
        if (c->count < r->most) {
            bool as_written = a->value->kind == HRM_LIST || (a->value->kind == HRM_TEXT && r->lower == psc_call_einsum);
            c->at[c->count] = as_written ? (psc_term){.kind = PSC_TERM_LIST, .span = a->value->span, .list = a->value}
                                         : psc_lower_expr(c->l, a->value);
            ok = ok && c->at[c->count].kind != PSC_TERM_POISON;
        }
        c->count++;
    }
    if (c->count < r->least || c->count > r->most) {
        ERROR(PSC_E_ARGUMENTS, c->e->span, "`%s` takes %s, not %u", c->e->name.text, how_many(c, r), c->count);
        return false;
    }
    return ok;
}

bool psc_lower_builtin(psc_lowering *l, const hrm_expr *e, psc_term *out)
{
    row r;
    if (!find(e->name.text, &r)) {
        return false;
    }
    psc_call call = {.l = l, .e = e, .op = r.op};
    *out = take(&call, &r) ? r.lower(&call) : psc_poison(e->span);
    return true;
}

/* ---- what functions share ---- */

psc_term psc_call_result(psc_call *c, psc_value *v) { return psc_of_value(v, c->e->span); }
psc_value *psc_call_raw(psc_call *c, unsigned i) { return psc_as_value(c->l, &c->at[i], PSY_F32); }
psc_value *psc_call_value(psc_call *c, unsigned i) { return psc_promote(c->l, psc_call_raw(c, i)); }

psc_value *psc_call_float(psc_call *c, unsigned i)
{
    psc_value *v = psc_call_value(c, i);
    return v && psc_call_takes(c, PSY_OP_SQRT, v) ? v : NULL;
}

bool psc_call_takes(psc_call *c, unsigned op, const psc_value *v)
{
    if (psy__op_takes(psy__op_info(op), v->dtype)) {
        return true;
    }
    /* As the user declared it, where it was made to compute. */
    const psc_value *given = v->op == PSY_OP_CAST && !psy__dtype_computes(v->operands[0]->dtype) ? v->operands[0] : v;
    psc_diagnostic *d = ERROR(PSC_E_TYPE, c->count == 1 ? c->at[0].span : c->e->span, "`%s` does not take %s", c->e->name.text,
                              psy__dtype_name(given->dtype));
    psy_op_dtypes takes = psy__op_info(op)->dtypes;
    if (takes == PSY_TAKES_BOOL) {
        psc_help(d, "compare it: `x != 0`");
    } else if (takes == PSY_TAKES_INT || (takes == PSY_TAKES_NUM && given->dtype == PSY_BOOL)) {
        psc_help(d, "cast it: `u32(...)`");
    } else if (takes == PSY_TAKES_FLT || takes == PSY_TAKES_SIG || given->dtype == PSY_BOOL) {
        psc_help(d, "cast it: `f32(...)`");
    }
    return false;
}

psc_constant_value psc_known_number(psc_lowering *l, const hrm_expr *e)
{
    psc_term t = psc_lower_expr(l, e);
    psc_constant_value c = {.span = e->span, .integer = t.integer, .real = t.real, .is_float = t.kind == PSC_TERM_REAL};
    c.poisoned = t.kind != PSC_TERM_INTEGER && t.kind != PSC_TERM_REAL;
    if (c.poisoned && t.kind != PSC_TERM_POISON) {
        psc_error(l->unit->diags, PSC_E_CONSTANT, e->span,
                  "a number that is known now is needed here: what comes from messages or data is not");
    }
    return c;
}

bool psc_call_axis(psc_call *c, unsigned named, const psc_value *v, bool last, uint32_t *axis)
{
    const hrm_expr *e = c->named[named];
    if (v->rank == 0) {
        ERROR(PSC_E_SHAPE, c->e->span, "`%s` works along an axis, and this is a scalar", c->e->name.text);
        return false;
    }
    if (!e) {
        if (v->rank > 1 && !last) {
            psc_help(ERROR(PSC_E_ARGUMENTS, c->e->span, "which axis of %s?", psc_type_text(c->l, v)),
                     "write `%s(..., axis: %u)`", c->e->name.text, v->rank - 1u);
            return false;
        }
        *axis = v->rank - 1u;
        return true;
    }
    psc_constant_value k = psc_known_number(c->l, e);
    if (k.poisoned) {
        return false;
    }
    if (k.is_float || k.integer < -(int64_t)v->rank || k.integer >= v->rank) {
        ERROR(PSC_E_SHAPE, e->span, "%s has axes 0 to %u", psc_type_text(c->l, v), v->rank - 1u);
        return false;
    }
    *axis = (uint32_t)(k.integer < 0 ? k.integer + v->rank : k.integer);
    return true;
}

bool psc_call_integer(psc_call *c, unsigned named, int64_t otherwise, int64_t *out)
{
    *out = otherwise;
    if (!c->named[named]) {
        return true;
    }
    psc_constant_value k = psc_known_number(c->l, c->named[named]);
    if (!k.poisoned && k.is_float) {
        ERROR(PSC_E_ARGUMENTS, c->named[named]->span, "a whole number is needed here");
    }
    *out = k.integer > INT64_MAX ? INT64_MAX : (int64_t)k.integer;
    return !k.poisoned && !k.is_float;
}

bool psc_call_real(psc_call *c, unsigned named, double otherwise, double *out)
{
    *out = otherwise;
    if (!c->named[named]) {
        return true;
    }
    psc_constant_value k = psc_known_number(c->l, c->named[named]);
    *out = k.is_float ? k.real : (double)k.integer;
    return !k.poisoned;
}

bool psc_call_flag(psc_call *c, unsigned named, bool *out)
{
    const hrm_expr *e = c->named[named];
    *out = e && e->kind == HRM_BOOL && e->integer;
    if (e && e->kind != HRM_BOOL) {
        ERROR(PSC_E_ARGUMENTS, e->span, "`true` or `false` is needed here");
        return false;
    }
    return true;
}

bool psc_call_sharded(psc_call *c, const psc_value *v, uint32_t axis, const char *what)
{
    if (psc_ir_sharded_axis(v, c->l->unit->symbols.at) != (int)axis) {
        return false;
    }
    psc_diagnostic *d = ERROR(PSC_E_SPLIT, c->e->span, "%s is spread over the shards, and %s needs all of it at once",
                              psc_dim_text(c->l->unit, v->dims[axis]), what);
    psc_note(d, v->span, "this is %s", psc_type_text(c->l, v));
    psc_help(d, "take the best with `topk`, reduce it, or keep the data `replicated`");
    return true;
}

psc_value *psc_call_map(psc_call *c, unsigned op, psc_value *a, psc_value *b)
{
    if (psy__op_register_count(psy__op_info(op)) == 1) {
        return psc_emit_map1(c->l, c->e->span, op, a);
    }
    return psc_emit_map2(c->l, c->e->span, op, a, b);
}

psc_value *psc_call_number(psc_call *c, const psc_value *like, double number)
{
    if (!like) {
        return NULL;
    }
    psc_term t = {.kind = PSC_TERM_REAL, .span = c->e->span, .real = number};
    if (psy__dtype_class(like->dtype) != PSY_DCLASS_FLOAT) {
        t = (psc_term){.kind = PSC_TERM_INTEGER, .span = c->e->span, .integer = (int64_t)number};
    }
    return psc_as_value(c->l, &t, like->dtype);
}

psc_value *psc_call_over(psc_call *c, unsigned op, psc_value *v, uint32_t axis, bool keep)
{
    psc_value *r = psc_emit_reduce(c->l, c->e->span, op, v, axis);
    return r && keep ? psc_shape_insert(c->l, c->e->span, r, axis) : r;
}

/* ---- elementwise operations under their own names, and casts ---- */

static psc_term call_op(psc_call *c)
{
    psc_value *v = psc_call_value(c, 0);
    return psc_call_result(c, v && psc_call_takes(c, c->op, v) ? psc_emit_map1(c->l, c->e->span, c->op, v) : NULL);
}

static psc_term call_cast(psc_call *c)
{
    unsigned dtype = c->op;
    psc_term *t = &c->at[0];
    psc_value *v;
    /* A number or size takes the dtype at once; a fraction is cut as a cast would. */
    if (t->kind == PSC_TERM_REAL && (psy__dtype_class(dtype) != PSY_DCLASS_FLOAT || !psy__dtype_computes(dtype))) {
        v = psc_emit_number(c->l, c->e->span, PSY_F64, t->real);
    } else if (t->kind == PSC_TERM_INTEGER && (!psy__dtype_computes(dtype) && psy__dtype_class(dtype) == PSY_DCLASS_FLOAT)) {
        v = psc_emit_number(c->l, c->e->span, PSY_F64, (double)t->integer);
    } else if (t->kind == PSC_TERM_SIZE && !psy__dtype_computes(dtype)) {
        v = psc_as_value(c->l, t, PSY_U64);
    } else {
        v = psc_as_value(c->l, t, dtype);
    }
    return psc_call_result(c, psc_emit_cast(c->l, c->e->span, dtype, v));
}
