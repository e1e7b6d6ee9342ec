/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults of fields, and other numbers that must fit a type. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <psyne/message.h>

#include "isa/layout.h"
#include "schema_state.h"
#include "unit.h"

/* Longer ones than C compilers must take in one piece are refused. */
enum { DEFAULT_BYTES_MAX = 4000 };

static uint64_t float_bits(unsigned dtype, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return psc_fold_cast(PSY_F64, dtype, bits);
}

static double value_of(unsigned dtype, uint64_t bits)
{
    double x;
    bits = psc_fold_cast(dtype, PSY_F64, bits);
    memcpy(&x, &bits, sizeof x);
    return x;
}

static bool in_range(psc_number v, unsigned dtype)
{
    unsigned bits = psy__dtype_bytes(dtype) * 8;
    switch (psy__dtype_class(dtype)) {
    case PSY_DCLASS_BOOL: return v.integer == 0 || v.integer == 1;
    case PSY_DCLASS_UINT: return v.integer >= 0 && (bits == 64 || v.integer < INT64_C(1) << bits);
    case PSY_DCLASS_SINT:
        return bits == 64 || (v.integer >= -(INT64_C(1) << (bits - 1)) && v.integer < INT64_C(1) << (bits - 1));
    case PSY_DCLASS_FLOAT:
        return isfinite(psc_number_real(v)) && isfinite(value_of(dtype, float_bits(dtype, psc_number_real(v))));
    }
    return false;
}

static const char *range_text(psc_schema_resolver *r, unsigned dtype)
{
    unsigned bits = psy__dtype_bytes(dtype) * 8;
    const char *name = psy__dtype_name(dtype);
    switch (psy__dtype_class(dtype)) {
    case PSY_DCLASS_BOOL: return "bool is `true` or `false`";
    case PSY_DCLASS_UINT:
        return psc_format(r->arena, "%s holds whole numbers from 0 to %" PRIu64, name, UINT64_MAX >> (64 - bits));
    case PSY_DCLASS_SINT:
        return psc_format(r->arena, "%s holds whole numbers from %" PRId64 " to %" PRId64, name, INT64_MIN >> (64 - bits),
                          INT64_MAX >> (64 - bits));
    case PSY_DCLASS_FLOAT: break;
    }
    return psc_format(r->arena, "%s holds numbers up to about %s", name, dtype == PSY_F16 ? "65504" : "3.4e38");
}

bool psc_schema_number(psc_schema_resolver *r, const psy_expr *e, unsigned dtype, const char *what, uint64_t *bits)
{
    psc_number v;
    /* The upper half of u64 is beyond what expressions compute in. */
    bool plain_u64 = dtype == PSY_U64 && e->kind == PSY_EXPR_INTEGER;
    /* `true` and `false` are words of bool fields only. */
    if (e->kind == PSY_EXPR_NAME && dtype == PSY_BOOL && (strcmp(e->name, "true") == 0 || strcmp(e->name, "false") == 0)) {
        v = (psc_number){PSC_NUMBER_INTEGER, e->name[0] == 't', 0};
    } else {
        v = plain_u64 ? (psc_number){PSC_NUMBER_INTEGER, 0, 0} : psc_schema_evaluate(r, e);
    }
    if (v.kind == PSC_NUMBER_POISON) {
        return false;
    }
    bool is_float = psy__dtype_class(dtype) == PSY_DCLASS_FLOAT;
    if ((v.kind == PSC_NUMBER_REAL && !is_float) || !in_range(v, dtype)) {
        psc_help(psc_error(r->diags, PSC_E_NUMBER, e->span, "this %s does not fit into %s", what, psy__dtype_name(dtype)), "%s",
                 range_text(r, dtype));
        return false;
    }
    if (is_float) {
        *bits = float_bits(dtype, psc_number_real(v));
    } else if (plain_u64) {
        *bits = e->integer;
    } else {
        unsigned bytes = psy__dtype_bytes(dtype);
        *bits = (uint64_t)v.integer & (bytes == 8 ? UINT64_MAX : (UINT64_C(1) << bytes * 8) - 1);
    }
    return true;
}

static bool has_control(const char *text)
{
    for (; *text; text++) {
        if (((unsigned char)*text < 0x20 && *text != '\n' && *text != '\t') || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static void resolve_text(psc_schema_resolver *r, const psy_field_node *node, psc_field *f)
{
    const psy_expr *e = node->default_;
    const size_t n = strlen(e->name);
    if (!psy_utf8_valid(e->name, n)) {
        psc_error(r->diags, PSC_E_LEXICAL, e->span, "this text is no UTF-8");
    } else if (has_control(e->name)) {
        psc_error(r->diags, PSC_E_LEXICAL, e->span, "a default has no control characters other than `\\n` and `\\t`");
    } else if (n > f->layout.count) {
        psc_error(r->diags, PSC_E_FIELD, e->span, "this default has %zu bytes, and `%s` at most %u", n, f->name,
                  f->layout.count);
    } else if (n > DEFAULT_BYTES_MAX) {
        psc_error(r->diags, PSC_E_LIMIT, e->span, "a default has at most %d bytes", DEFAULT_BYTES_MAX);
    } else {
        f->has_default = true;
        f->text = e->name;
        f->text_bytes = (uint32_t)n;
    }
}

/* Whether the field may have this default at all; reports. */
static bool takes_default(psc_schema_resolver *r, const psy_field_node *node, const psc_field *f)
{
    const psy_psm_field *l = &f->layout;
    const psc_span at = node->default_->span;
    const bool text = (l->flags & PSY_FIELD_TEXT) && !(l->flags & PSY_FIELD_IS_ARRAY) && l->kind != PSY_FIELD_TAIL,
               given = node->default_->kind == PSY_EXPR_TEXT;
    const bool one =
        l->kind == PSY_FIELD_SCALAR || (l->kind == PSY_FIELD_OPTIONAL && !(l->flags & (PSY_FIELD_IS_ARRAY | PSY_FIELD_ITEMS)));
    if (!one && !text) {
        const char *what = f->part                        ? psc_format(r->arena, "a %s", psc_type_word(f->part))
                           : l->kind == PSY_FIELD_VARIANT ? "a variant"
                           : l->kind == PSY_FIELD_UNION   ? "a union"
                           : (l->flags & PSY_FIELD_TEXT) && !(l->flags & PSY_FIELD_IS_ARRAY) ? "without a bound"
                           : l->kind == PSY_FIELD_OPTIONAL && (l->flags & PSY_FIELD_ITEMS)
                               ? psc_format(r->arena, "a %s", psc_type_word(f->type))
                               : "an array";
        psc_error(r->diags, PSC_E_FIELD, at, "only scalars and texts with a bound have defaults, and `%s` is %s", f->name,
                  what);
    } else if (text != given) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, at,
                           text ? "the default of a text is a text" : "the default of a %s is no text",
                           f->type ? f->type->name : psy__dtype_name(l->dtype)),
                 text      ? "write it in quotes: `= \"en\"`"
                 : f->type ? "write the name of a value without quotes"
                           : "write a number without quotes");
    } else {
        return true;
    }
    return false;
}

/* A number of an enum that has no name is a slip. */
static void check_value(psc_schema_resolver *r, const psy_field_node *node, const psc_field *f)
{
    uint32_t i = 0;
    while (i < f->type->field_count && f->type->fields[i].layout.default_bits != f->layout.default_bits) {
        i++;
    }
    if (f->type->layout.kind == PSY_TYPE_ENUM && i == f->type->field_count) {
        psc_note(psc_error(r->diags, PSC_E_NUMBER, node->default_->span, "`%s` has no such value", f->type->name),
                 f->type->span, "it is declared here");
    }
}

void psc_schema_resolve_default(psc_schema_resolver *r, const psy_field_node *node, psc_field *f)
{
    if (!takes_default(r, node, f)) {
        return;
    }
    if (node->default_->kind == PSY_EXPR_TEXT) {
        resolve_text(r, node, f);
        return;
    }
    r->scope = f->type;
    if (psc_schema_number(r, node->default_, f->layout.dtype, "default", &f->layout.default_bits)) {
        f->has_default = true;
        if (f->type) {
            check_value(r, node, f);
        }
    }
    r->scope = NULL;
}
