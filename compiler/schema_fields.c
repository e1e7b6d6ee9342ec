/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of messages: their types, defaults and attributes. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <psyne/message.h>

#include "isa/layout.h"
#include "schema_state.h"
#include "unit.h"

/* Longer ones than C compilers must take in one piece are refused. */
enum { DEFAULT_BYTES_MAX = 4000 };

/* ---- defaults ---- */

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

static void resolve_text(psc_schema_resolver *r, const psy_field_node *node, psc_field *f)
{
    const psy_expr *e = node->default_;
    const size_t n = strlen(e->name);
    if (!psy_utf8_valid(e->name, n)) {
        psc_error(r->diags, PSC_E_LEXICAL, e->span, "this text is no UTF-8");
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
    const bool text = (l->flags & PSY_FIELD_TEXT) && !(l->flags & PSY_FIELD_IS_ARRAY),
               given = node->default_->kind == PSY_EXPR_TEXT;
    const bool one = l->kind == PSY_FIELD_SCALAR || (l->kind == PSY_FIELD_OPTIONAL && !(l->flags & PSY_FIELD_IS_ARRAY));
    if (!one && !text) {
        const char *what = l->kind == PSY_FIELD_PART ? "a message" : l->kind == PSY_FIELD_VARIANT ? "a variant" : "an array";
        psc_error(r->diags, PSC_E_FIELD, at, "only scalars and texts have defaults, and `%s` is %s", f->name, what);
    } else if (text != given) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, at,
                           text ? "the default of a text is a text" : "the default of a %s is no text",
                           psy__dtype_name(l->dtype)),
                 text ? "write it in quotes: `= \"en\"`" : "write a number without quotes");
    } else {
        return true;
    }
    return false;
}

static void resolve_default(psc_schema_resolver *r, const psy_field_node *node, psc_field *f)
{
    psy_psm_field *l = &f->layout;
    psc_number v;
    if (!takes_default(r, node, f)) {
        return;
    }
    if (node->default_->kind == PSY_EXPR_TEXT) {
        resolve_text(r, node, f);
        return;
    }
    /* The upper half of u64 is beyond what expressions compute in. */
    bool plain_u64 = l->dtype == PSY_U64 && node->default_->kind == PSY_EXPR_INTEGER;
    /* `true` and `false` are words of bool fields only. */
    if (node->default_->kind == PSY_EXPR_NAME && l->dtype == PSY_BOOL &&
        (strcmp(node->default_->name, "true") == 0 || strcmp(node->default_->name, "false") == 0)) {
        v = (psc_number){PSC_NUMBER_INTEGER, node->default_->name[0] == 't', 0};
    } else {
        v = plain_u64 ? (psc_number){PSC_NUMBER_INTEGER, 0, 0} : psc_schema_evaluate(r, node->default_);
    }
    if (v.kind == PSC_NUMBER_POISON) {
        return;
    }
    bool is_float = psy__dtype_class(l->dtype) == PSY_DCLASS_FLOAT;
    if ((v.kind == PSC_NUMBER_REAL && !is_float) || !in_range(v, l->dtype)) {
        psc_help(psc_error(r->diags, PSC_E_NUMBER, node->default_->span, "this default does not fit into %s",
                           psy__dtype_name(l->dtype)),
                 "%s", range_text(r, l->dtype));
        return;
    }
    f->has_default = true;
    if (is_float) {
        l->default_bits = float_bits(l->dtype, psc_number_real(v));
    } else if (plain_u64) {
        l->default_bits = node->default_->integer;
    } else {
        unsigned bytes = psy__dtype_bytes(l->dtype);
        l->default_bits = (uint64_t)v.integer & (bytes == 8 ? UINT64_MAX : (UINT64_C(1) << bytes * 8) - 1);
    }
}

/* ---- attributes ---- */

static void resolve_key(psc_schema_resolver *r, const psy_attribute *a, psc_field *f)
{
    if (a->argument) {
        psc_help(psc_error(r->diags, PSC_E_ARGUMENTS, a->argument->span, "`@key` takes no argument"), "write `@key`");
    } else if (f->layout.dtype != PSY_U64 || f->layout.kind != PSY_FIELD_SCALAR) {
        psc_help(psc_error(r->diags, PSC_E_KEY, a->name.span, "`%s` cannot be the key: keys are u64 scalars", f->name),
                 "hash other keys to a u64 first");
    } else {
        f->layout.flags |= PSY_FIELD_KEY;
    }
}

/* A wrong version leaves 0. */
static void resolve_since(psc_schema_resolver *r, const psy_attribute *a, psc_field *f)
{
    psc_number v = a->argument ? psc_schema_evaluate(r, a->argument) : (psc_number){PSC_NUMBER_REAL, 0, 0};
    f->layout.since = 0;
    if (v.kind == PSC_NUMBER_INTEGER && v.integer >= 1 && v.integer <= UINT16_MAX) {
        f->layout.since = (uint32_t)v.integer;
    } else if (v.kind != PSC_NUMBER_POISON) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, a->name.span, "`@since` takes a version from 1 to %d", UINT16_MAX),
                 "write `@since(2)`");
    }
}

static void resolve_attributes(psc_schema_resolver *r, const psy_field_node *node, psc_field *f)
{
    static const char *const known[] = {"@key", "@since"};
    for (size_t i = 0; i < node->attributes.count; i++) {
        const psy_attribute *a = &node->attributes.at[i];
        const char *name = psc_format(r->arena, "@%s", a->name.text);
        bool twice = false;
        for (size_t k = 0; k < i && !twice; k++) {
            twice = strcmp(node->attributes.at[k].name.text, a->name.text) == 0;
        }
        if (twice) {
            psc_error(r->diags, PSC_E_DUPLICATE, a->name.span, "`%s` has `%s` already", f->name, name);
        } else if (strcmp(name, known[0]) == 0) {
            resolve_key(r, a, f);
        } else if (strcmp(name, known[1]) == 0) {
            resolve_since(r, a, f);
        } else {
            psc_diagnostic *d = psc_error(r->diags, PSC_E_UNKNOWN_NAME, a->name.span, "there is no attribute `%s`", name);
            if (!psc_help_nearest(d, name, known, 2)) {
                psc_help(d, "there are `@key` and `@since(n)`");
            }
        }
    }
}

/* ---- types ---- */

/* Refuses what is known and not there, with what can be written instead. */
#define REFUSE(what, ...)                                                                                                      \
    (psc_help(psc_error(r->diags, PSC_E_UNSUPPORTED, t->span, what " are not supported"), __VA_ARGS__), false)

/* A bound's number; 0 after an error, which was reported. */
static uint32_t bound_of(psc_schema_resolver *r, const psy_bound *b, const char *what)
{
    psc_number v = psc_schema_evaluate(r, b->count);
    if (v.kind == PSC_NUMBER_POISON) {
        return 0;
    }
    if (v.kind != PSC_NUMBER_INTEGER || v.integer < 1 || v.integer > PSY_MESSAGE_BYTES_MAX) {
        psc_error(r->diags, PSC_E_FIELD, b->count->span, "%s, from 1 to %u", what, PSY_MESSAGE_BYTES_MAX);
        return 0;
    }
    return (uint32_t)v.integer;
}

#define ELEMENTS "an array has a whole number of elements"

/* string[<=N]  string[<=N][M]  string[<=N][<=M] */
static bool resolve_string(psc_schema_resolver *r, const psy_type_node *t, psc_field *f)
{
    psy_psm_field *l = &f->layout;
    const psy_bound *rows = &t->bounds[1];
    if (t->optional.source) {
        return REFUSE("optional texts", "an empty text says that there is none: leave out the `?`");
    }
    if (t->bound_count == 0 || t->bounds[0].kind == PSY_BOUND_OPEN) {
        return REFUSE("texts without a bound", "give the most bytes that it may have: `string[<=80]`");
    }
    if (t->bounds[0].kind == PSY_BOUND_EXACT) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, t->bounds[0].span, "a text has a bound, not a size"),
                 "give the most bytes that it may have: `string[<=80]`");
        return false;
    }
    if (t->bound_count > 1 && rows->kind == PSY_BOUND_OPEN) {
        return REFUSE("arrays without a bound", "give the most texts that there may be: `string[<=80][<=16]`");
    }
    l->dtype = PSY_U8;
    l->kind = PSY_FIELD_BOUNDED;
    l->flags |= PSY_FIELD_TEXT;
    l->count = bound_of(r, &t->bounds[0], "a text has a whole number of bytes at most");
    if (t->bound_count > 1 && l->count > 0) {
        l->flags |= PSY_FIELD_IS_ARRAY;
        l->inner = l->count;
        l->kind = rows->kind == PSY_BOUND_MOST ? PSY_FIELD_BOUNDED : PSY_FIELD_ARRAY;
        l->count = bound_of(r, rows, ELEMENTS);
    }
    return l->count > 0;
}

static bool resolve_variant(psc_schema_resolver *r, const psy_type_node *t, psc_field *f)
{
    psy_psm_field *l = &f->layout;
    if (t->optional.source) {
        return REFUSE("optional variants", "a variant can be empty: leave out the `?`");
    }
    if (t->bound_count > 1) {
        return REFUSE("arrays of variants", "send several messages, or make one variant with another axis");
    }
    if (t->bound_count != 1 || t->bounds[0].kind == PSY_BOUND_OPEN) {
        return REFUSE("variants without a bound", "give the most bytes of its elements: `variant[<=4096]`");
    }
    if (t->bounds[0].kind == PSY_BOUND_EXACT) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, t->bounds[0].span, "a variant has a bound, not a size"),
                 "give the most bytes of its elements: `variant[<=4096]`");
        return false;
    }
    l->dtype = PSY_U8;
    l->kind = PSY_FIELD_VARIANT;
    l->count = bound_of(r, &t->bounds[0], "a variant has a whole number of bytes at most");
    return l->count > 0;
}

static bool resolve_part(psc_schema_resolver *r, const psy_field_node *node, psc_field *f)
{
    const psy_type_node *t = &node->type;
    bool poisoned;
    if (t->optional.source) {
        return REFUSE("optional messages", "a `bool` beside it can say whether it is there");
    }
    if (t->bound_count > 0) {
        return REFUSE("arrays of messages", "give every field of `%s` an array, or send several messages", t->name.text);
    }
    f->part = psc_schema_resolve_part(r, node, &poisoned);
    f->layout.dtype = PSY_U8;
    f->layout.kind = PSY_FIELD_PART;
    return f->part && !poisoned;
}

/* T  T[N]  T[<=N]  T?  T[N]? */
static bool resolve_numbers(psc_schema_resolver *r, const psy_type_node *t, psc_field *f)
{
    psy_psm_field *l = &f->layout;
    psy_bound_kind kind = t->bounds[0].kind;
    if (t->bound_count > 0 && kind == PSY_BOUND_OPEN) {
        return REFUSE("arrays without a bound", "give a bound: `%s[<=64]`", t->name.text);
    }
    if (t->bound_count > 1) {
        return REFUSE("arrays of more than one dimension", "write one of all elements, as `%s[6]`: programs can `reshape` it",
                      t->name.text);
    }
    if (t->optional.source && t->bound_count > 0 && kind == PSY_BOUND_MOST) {
        return REFUSE("optional bounded arrays", "one without elements says that there is none: leave out the `?`");
    }
    l->kind = t->bound_count == 0 ? PSY_FIELD_SCALAR : kind == PSY_BOUND_MOST ? PSY_FIELD_BOUNDED : PSY_FIELD_ARRAY;
    l->count = t->bound_count == 0 ? 1 : bound_of(r, &t->bounds[0], ELEMENTS);
    if (t->optional.source) {
        l->flags |= l->kind == PSY_FIELD_ARRAY ? PSY_FIELD_IS_ARRAY : 0;
        l->kind = PSY_FIELD_OPTIONAL;
    }
    return l->count > 0;
}

static bool is_message(const psc_schema_resolver *r, const char *name)
{
    for (size_t i = 0; i < r->file->messages.count; i++) {
        if (strcmp(r->file->messages.at[i]->name.text, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool resolve_type(psc_schema_resolver *r, const psy_field_node *node, psc_field *f)
{
    const psy_type_node *t = &node->type;
    f->layout.dtype = (uint8_t)psy__dtype_named(t->name.text, strlen(t->name.text));
    if (strcmp(t->name.text, "union") == 0) {
        return REFUSE("unions", "give every alternative a field of its own, as `T?`");
    }
    if (strcmp(t->name.text, "bytes") == 0) {
        return REFUSE("byte strings", "write `u8[<=1024]`, or `string[<=1024]` for text");
    }
    if (t->block) {
        psc_syntax_no_type(r->diags, &t->name);
        return false;
    }
    if (t->bound_count > PSY_BOUNDS_MAX) {
        return REFUSE("arrays of arrays", "write one of all elements: programs can `reshape` it");
    }
    if (strcmp(t->name.text, "string") == 0) {
        return resolve_string(r, t, f);
    }
    if (strcmp(t->name.text, "variant") == 0) {
        return resolve_variant(r, t, f);
    }
    if (f->layout.dtype != 0) {
        return resolve_numbers(r, t, f);
    }
    if (is_message(r, t->name.text)) {
        return resolve_part(r, node, f);
    }
    psc_syntax_no_type(r->diags, &t->name);
    return false;
}

bool psc_schema_resolve_field(psc_schema_resolver *r, const psy_field_node *node, psc_field *f)
{
    if (!resolve_type(r, node, f)) {
        return false;
    }
    if (node->default_) {
        resolve_default(r, node, f);
    }
    resolve_attributes(r, node, f);
    return true;
}
