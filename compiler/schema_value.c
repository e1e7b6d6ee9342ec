/* SPDX-License-Identifier: Apache-2.0 */
/* Constant expressions of schemas: whole numbers of 64 bits, and fractions. */
#include <math.h>
#include <string.h>

#include "schema_state.h"
#include "unit.h"

static psc_number overflow(psc_schema_resolver *r, const psy_expr *e, const char *type)
{
    psc_error(r->diags, PSC_E_NUMBER, e->span, "%s does not fit into %s",
              e->kind == PSY_EXPR_INTEGER ? "this number" : "the result", type);
    return (psc_number){PSC_NUMBER_POISON, 0, 0};
}

static psc_number value_of(const psc_constant *c)
{
    return c->poisoned   ? (psc_number){PSC_NUMBER_POISON, 0, 0}
           : c->is_float ? (psc_number){PSC_NUMBER_REAL, 0, c->real}
                         : (psc_number){PSC_NUMBER_INTEGER, c->integer, 0};
}

/* The file has a constant of this name, above or below. */
static bool is_own(const psc_schema_resolver *r, const char *word)
{
    for (size_t i = 0; word && i < r->file->constants.count; i++) {
        if (strcmp(r->file->constants.at[i].name.text, word) == 0) {
            return true;
        }
    }
    return false;
}

static psc_number unknown(psc_schema_resolver *r, const psy_expr *e, bool own)
{
    psc_words near = {0};
    for (uint32_t i = 0; psc_errors_are_kept(r->diags) && r->scope && i < r->scope->field_count; i++) {
        psc_push(r->arena, &near, r->scope->fields[i].name);
    }
    for (uint32_t i = 0; psc_errors_are_kept(r->diags) && i < r->schema->constant_count; i++) {
        psc_push(r->arena, &near, r->schema->constants[i].name);
    }
    const psc_name name = {e->name, e->span, NULL};
    const char *problem =
        psc_format(r->arena, r->scope ? "there is no value or constant `%s`" : "there is no constant `%s` above", e->name);
    if (own) {
        psc_help(psc_error(r->diags, PSC_E_UNKNOWN_NAME, e->span, "%s", problem), "a constant is made of those before it");
    } else if (!psc_schema_unknown(r, problem, &name, psc_declared_constant, &near)) {
        psc_error(r->diags, PSC_E_UNKNOWN_NAME, e->span, "%s", problem);
    }
    return (psc_number){PSC_NUMBER_POISON, 0, 0};
}

/* A value of the enum, then a constant of the file, then one of the imported files. */
static psc_number name_value(psc_schema_resolver *r, const psy_expr *e)
{
    const char *word = psc_import_word(r->schema, e->name);
    for (uint32_t i = 0; r->scope && i < r->scope->field_count; i++) {
        const psc_field *f = &r->scope->fields[i];
        if (strcmp(f->name, e->name) == 0) {
            return (psc_number){PSC_NUMBER_INTEGER, (int64_t)psc_fold_cast(f->layout.dtype, PSY_I64, f->layout.default_bits),
                                0};
        }
    }
    for (uint32_t i = 0; i < r->schema->constant_count; i++) {
        const psc_constant *c = &r->schema->constants[i];
        if (word && strcmp(c->name, word) == 0) {
            return value_of(c);
        }
    }
    size_t index;
    bool poisoned = false;
    const bool own = is_own(r, word);
    const psc_schema *from =
        own ? NULL : psc_import_find(r->diags, r->schema, e->name, e->span, psc_declared_constant, &index, &poisoned);
    return from ? value_of(&from->constants[index]) : poisoned ? (psc_number){PSC_NUMBER_POISON, 0, 0} : unknown(r, e, own);
}

static psc_number binary_value(psc_schema_resolver *r, const psy_expr *e)
{
    psc_number a = psc_schema_evaluate(r, e->left), b = psc_schema_evaluate(r, e->right), v = {PSC_NUMBER_INTEGER, 0, 0};
    if (a.kind == PSC_NUMBER_POISON || b.kind == PSC_NUMBER_POISON) {
        return (psc_number){PSC_NUMBER_POISON, 0, 0};
    }
    if (a.kind == PSC_NUMBER_REAL || b.kind == PSC_NUMBER_REAL) {
        double x = psc_number_real(a), y = psc_number_real(b);
        v = (psc_number){PSC_NUMBER_REAL, 0, e->op == '+' ? x + y : e->op == '-' ? x - y : e->op == '*' ? x * y : x / y};
        if (y == 0 && e->op == '/') {
            psc_error(r->diags, PSC_E_NUMBER, e->span, "division by zero");
            return (psc_number){PSC_NUMBER_POISON, 0, 0};
        }
        return isfinite(v.real) ? v : overflow(r, e, "f64");
    }
    bool bad = false;
    switch (e->op) {
    case '+': bad = __builtin_add_overflow(a.integer, b.integer, &v.integer); break;
    case '-': bad = __builtin_sub_overflow(a.integer, b.integer, &v.integer); break;
    case '*': bad = __builtin_mul_overflow(a.integer, b.integer, &v.integer); break;
    default:
        if (b.integer == 0) {
            psc_error(r->diags, PSC_E_NUMBER, e->span, "division by zero");
            return (psc_number){PSC_NUMBER_POISON, 0, 0};
        }
        bad = a.integer == INT64_MIN && b.integer == -1;
        v.integer = bad ? 0 : a.integer / b.integer;
    }
    return bad ? overflow(r, e, "i64") : v;
}

/* Nesting is bounded by the parser. */
psc_number psc_schema_evaluate(psc_schema_resolver *r, const psy_expr *e)
{
    switch (e->kind) {
    case PSY_EXPR_INTEGER:
        if (e->integer > INT64_MAX) {
            return overflow(r, e, "i64");
        }
        return (psc_number){PSC_NUMBER_INTEGER, (int64_t)e->integer, 0};
    case PSY_EXPR_REAL: return (psc_number){PSC_NUMBER_REAL, 0, e->real};
    case PSY_EXPR_NAME: return name_value(r, e);
    case PSY_EXPR_BINARY: return binary_value(r, e);
    case PSY_EXPR_NEGATE: {
        psc_number v = psc_schema_evaluate(r, e->left);
        if (v.kind == PSC_NUMBER_INTEGER && v.integer == INT64_MIN) {
            return overflow(r, e, "i64");
        }
        v.integer = -v.integer;
        v.real = -v.real;
        return v;
    }
    case PSY_EXPR_TEXT: /* only defaults of texts are such: nobody asks what number they are */
    case PSY_EXPR_POISON: break;
    }
    return (psc_number){PSC_NUMBER_POISON, 0, 0};
}
