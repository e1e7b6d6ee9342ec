/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes that are computed of others, and the sizes of data: each name stands alone somewhere, where it becomes known. */
#include <string.h>

#include "unit.h"

#define ERROR(...) psc_error(u->diags, __VA_ARGS__)

static bool is_symbol_of(const psc_unit *u, psy_dim d, uint32_t kind)
{
    return psy__dim_is_symbol(d) && u->symbols.at[psy__dim_symbol(d)].kind == kind;
}

psy_dim psc_size_compute(psc_unit *u, psc_span span, int op, psy_dim left, psy_dim right)
{
    if (!psy__dim_is_symbol(left) && !psy__dim_is_symbol(right)) {
        int64_t a = left, b = right,
                r = op == '+'              ? a + b
                    : op == '-'            ? a - b
                    : op == '*'            ? a * b
                    : b == 0 || a % b != 0 ? -1
                                           : a / b;
        if (r < 0 || r > INT32_MAX) {
            psc_error(u->diags, PSC_E_SHAPE, span, "%lld %c %lld is no size", (long long)a, op, (long long)b);
            return PSY_NONE;
        }
        return (psy_dim)r;
    }
    if (is_symbol_of(u, left, PSY_SYMBOL_LOCAL) || is_symbol_of(u, right, PSY_SYMBOL_LOCAL)) {
        psc_error(u->diags, PSC_E_SPLIT, span,
                  "%s is spread over the shards: a part of it, or more than it, is on none of them",
                  psc_dim_text(u, is_symbol_of(u, left, PSY_SYMBOL_LOCAL) ? left : right));
        return PSY_NONE;
    }
    bool nothing = (right == 0 && (op == '+' || op == '-')) || (right == 1 && (op == '*' || op == '/'));
    if (nothing) {
        return left;
    }
    uint32_t kind = op == '+'   ? PSY_SYMBOL_ADD
                    : op == '-' ? PSY_SYMBOL_SUBTRACT
                    : op == '*' ? PSY_SYMBOL_MULTIPLY
                                : PSY_SYMBOL_DIVIDE;
    for (size_t i = 0; i < u->symbols.count; i++) {
        const psy_psm_symbol *s = &u->symbols.at[i];
        if (s->kind == kind && s->of == left && s->with == right) {
            return PSY_DIM_SYMBOL | (uint32_t)i;
        }
    }
    if (u->symbols.count >= PSC_SYMBOLS_MAX) {
        psc_error(u->diags, PSC_E_LIMIT, span, "there are more than %d sizes", PSC_SYMBOLS_MAX);
        return PSY_NONE;
    }
    const char *name = psc_format(u->arena, "%s.%zu", psy__symbol_word(kind), u->symbols.count);
    psy_dim d = psc_symbol_add(u, name, kind, left);
    u->symbols.at[psy__dim_symbol(d)].with = right;
    return d;
}

/* ---- sizes of data ---- */

static bool is_name_of_size(const psc_unit *u, const hrm_expr *e)
{
    return e->kind == HRM_NAME && !psc_constant_find(u, e->name.text);
}

static bool names_a_size(const psc_unit *u, const hrm_expr *e)
{
    return is_name_of_size(u, e) || (e->left && names_a_size(u, e->left)) || (e->right && names_a_size(u, e->right));
}

static psy_dim named(psc_unit *u, const hrm_expr *e)
{
    psy_dim symbol = psc_symbol_find(u, e->name.text, PSY_SYMBOL_GLOBAL);
    if (symbol == PSY_NONE) {
        psc_help(ERROR(PSC_E_UNKNOWN_NAME, e->span, "there is no size `%s` that is known here", e->name.text),
                 "a size becomes known where it stands alone: `resident NAME: f32[%s]`", e->name.text);
    } else {
        psc_index_add_name(u, PSC_INDEX_SIZE, e->span, psc_index_size(u, e->name.text));
    }
    return symbol;
}

/* A part of a computed size, or all of it. PSY_NONE after an error. */
static psy_dim computed(psc_unit *u, const hrm_expr *e)
{
    if (is_name_of_size(u, e)) {
        return named(u, e);
    }
    if (names_a_size(u, e)) {
        if (e->kind != HRM_BINARY || (e->op != '+' && e->op != '-' && e->op != '*' && e->op != '/')) {
            ERROR(PSC_E_SHAPE, e->span, "sizes are computed with + - * /");
            return PSY_NONE;
        }
        psy_dim left = computed(u, e->left), right = left == PSY_NONE ? PSY_NONE : computed(u, e->right);
        return right == PSY_NONE ? PSY_NONE : psc_size_compute(u, e->span, e->op, left, right);
    }
    psc_constant_value c = psc_evaluate(u, e);
    if (!c.poisoned && (c.is_float || c.integer < 0 || c.integer > INT32_MAX)) {
        ERROR(PSC_E_SHAPE, e->span, "a size is a whole number from 1 to %d", INT32_MAX);
        return PSY_NONE;
    }
    return c.poisoned ? PSY_NONE : (psy_dim)c.integer;
}

psy_dim psc_size_of_data(psc_unit *u, const hrm_expr *e)
{
    if (e->kind == HRM_NAME && strcmp(e->name.text, PSC_SHARDS) == 0) {
        psc_help(ERROR(PSC_E_DUPLICATE, e->span, "`%s` is how many shards there are", PSC_SHARDS),
                 "give the size another name");
        return PSY_NONE;
    }
    if (is_name_of_size(u, e)) {
        psy_dim symbol = psc_symbol_find(u, e->name.text, PSY_SYMBOL_GLOBAL);
        psc_index_add_name(u, PSC_INDEX_SIZE, e->span, symbol != PSY_NONE ? psc_index_size(u, e->name.text) : e->span);
        return symbol != PSY_NONE ? symbol : psc_symbol_add(u, e->name.text, PSY_SYMBOL_GLOBAL, PSY_NONE);
    }
    psy_dim d = computed(u, e);
    if (d == 0) {
        ERROR(PSC_E_SHAPE, e->span, "a size is a whole number from 1 to %d", INT32_MAX);
        return PSY_NONE;
    }
    return d;
}

bool psc_size_is_computed(const psc_unit *u, const hrm_type *t)
{
    for (size_t d = 0; d < t->dims.count; d++) {
        if (!is_name_of_size(u, t->dims.at[d]) && names_a_size(u, t->dims.at[d])) {
            return true;
        }
    }
    return false;
}
