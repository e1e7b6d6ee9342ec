/* SPDX-License-Identifier: Apache-2.0 */
/* The types of fields. */
#include <string.h>

#include "isa/layout.h"
#include "schema_state.h"

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

/* string  string?  string[]  string[<=N]  string[<=N]?  string[<=N][M]  string[<=N][<=M] */
static bool resolve_string(psc_schema_resolver *r, const psy_type_node *t, psc_field *f)
{
    psy_psm_field *l = &f->layout;
    const psy_bound *rows = &t->bounds[1];
    const bool open = t->bound_count == 0 || t->bounds[0].kind == PSY_BOUND_OPEN, optional = t->optional.source != NULL;
    l->dtype = PSY_U8;
    l->flags |= PSY_FIELD_TEXT;
    if (!open && t->bounds[0].kind == PSY_BOUND_EXACT) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, t->bounds[0].span, "a text has a bound, not a size"),
                 "give the most bytes that it may have: `string[<=80]`");
        return false;
    }
    if ((optional && t->bound_count > (open ? 0 : 1))) {
        return REFUSE("optional arrays of texts", "one without texts says that there is none: leave out the `?`");
    }
    if (t->bound_count > 1 && (open || rows->kind == PSY_BOUND_OPEN)) {
        return REFUSE("such arrays of texts", "write `string[]`, or give both bounds: `string[<=80][<=16]`");
    }
    if (open) {
        l->kind = PSY_FIELD_TAIL;
        l->flags |= t->bound_count == 1 ? PSY_FIELD_IS_ARRAY : optional ? PSY_FIELD_MAYBE : 0;
        return true;
    }
    l->kind = optional ? PSY_FIELD_OPTIONAL : PSY_FIELD_BOUNDED;
    l->count = bound_of(r, &t->bounds[0], "a text has a whole number of bytes at most");
    if (t->bound_count > 1 && l->count > 0) {
        l->flags |= PSY_FIELD_IS_ARRAY;
        l->inner = l->count;
        l->kind = rows->kind == PSY_BOUND_MOST ? PSY_FIELD_BOUNDED : PSY_FIELD_ARRAY;
        l->count = bound_of(r, rows, ELEMENTS);
    }
    return l->count > 0;
}

/* variant  variant[<=N] */
static bool resolve_variant(psc_schema_resolver *r, const psy_type_node *t, psc_field *f)
{
    psy_psm_field *l = &f->layout;
    l->dtype = PSY_U8;
    l->kind = PSY_FIELD_VARIANT;
    if (t->optional.source) {
        return REFUSE("optional variants", "a variant can be empty: leave out the `?`");
    }
    if (t->bound_count > 1 || (t->bound_count == 1 && t->bounds[0].kind == PSY_BOUND_OPEN)) {
        return REFUSE("arrays of variants", "make an array of messages that have one, or one variant with another axis");
    }
    if (t->bound_count == 0) {
        l->flags |= PSY_FIELD_OPEN;
        return true;
    }
    if (t->bounds[0].kind == PSY_BOUND_EXACT) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, t->bounds[0].span, "a variant has a bound, not a size"),
                 "give the most bytes of its elements: `variant[<=4096]`");
        return false;
    }
    l->count = bound_of(r, &t->bounds[0], "a variant has a whole number of bytes at most");
    return l->count > 0;
}

/* T  T[N]  T[<=N]  T[]  T?  and, of numbers, T[N]? */
static bool resolve_elements(psc_schema_resolver *r, const psy_type_node *t, psc_field *f)
{
    psy_psm_field *l = &f->layout;
    const psy_bound_kind kind = t->bounds[0].kind;
    const bool items = (l->flags & PSY_FIELD_ITEMS) != 0;
    if (t->bound_count > 1) {
        return REFUSE("arrays of more than one dimension", "write one of all elements, as `%s[6]`: programs can `reshape` it",
                      t->name.text);
    }
    if (t->optional.source && t->bound_count > 0 && (items || kind != PSY_BOUND_EXACT)) {
        return REFUSE("such optional arrays", "one without elements says that there is none: leave out the `?`");
    }
    if (t->bound_count > 0 && kind == PSY_BOUND_OPEN) {
        l->kind = PSY_FIELD_TAIL;
        return true;
    }
    l->kind = t->bound_count == 0 ? PSY_FIELD_SCALAR : kind == PSY_BOUND_MOST ? PSY_FIELD_BOUNDED : PSY_FIELD_ARRAY;
    l->count = t->bound_count == 0 ? 1 : bound_of(r, &t->bounds[0], ELEMENTS);
    if (t->optional.source) {
        l->flags |= l->kind == PSY_FIELD_ARRAY ? PSY_FIELD_IS_ARRAY : 0;
        l->kind = PSY_FIELD_OPTIONAL;
    }
    return l->count > 0;
}

/* A field of a type that the file declares. */
static bool resolve_declared(psc_schema_resolver *r, const psy_type_node *t, psc_field *f)
{
    const unsigned kind = f->type->layout.kind;
    if (kind == PSY_TYPE_ENUM || kind == PSY_TYPE_FLAGS) {
        f->layout.dtype = f->type->layout.dtype;
        return resolve_elements(r, t, f);
    }
    f->layout.dtype = PSY_U8;
    if (t->bound_count == 0 && !t->optional.source) {
        f->part = f->type;
        f->layout.kind = kind == PSY_TYPE_STRUCT ? PSY_FIELD_STRUCT : PSY_FIELD_PART;
        return true;
    }
    f->layout.flags |= PSY_FIELD_ITEMS;
    return resolve_elements(r, t, f);
}

static bool resolve_union(psc_schema_resolver *r, const psc_message *in, const psy_field_node *node, psc_field *f)
{
    if (in->layout.kind == PSY_TYPE_UNION) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, node->type.span, "a union cannot be the member of a union"),
                 "make it the field of a message, and that the member");
        return false;
    }
    f->type = psc_schema_resolve_union(r, in, node);
    f->layout.dtype = PSY_U8;
    f->layout.kind = PSY_FIELD_UNION;
    return f->type != NULL;
}

/* There is none of this name: what may have been meant. */
static void no_type(psc_schema_resolver *r, const psc_name *name)
{
    psc_words types = {0};
    for (uint32_t i = 0; psc_errors_are_kept(r->diags) && i < r->block_count; i++) {
        psc_push(r->arena, &types, r->declared[i]->name);
    }
    if (!psc_schema_unknown(r, psc_format(r->arena, "there is no type `%s`", name->text), name, psc_declared_type, &types)) {
        psc_syntax_no_type(r->diags, name);
    }
}

static bool resolve_type(psc_schema_resolver *r, const psc_message *in, const psy_field_node *node, psc_field *f)
{
    const psy_type_node *t = &node->type;
    bool poisoned;
    f->layout.dtype = (uint8_t)psy__dtype_named(t->name.text, strlen(t->name.text));
    if (strcmp(t->name.text, "union") == 0) {
        if (!t->block) {
            psc_help(psc_error(r->diags, PSC_E_SYNTAX, t->span, "a union lists its members"),
                     "write `%s: union { url: string; id: u64; };`", f->name);
        }
        return t->block && resolve_union(r, in, node, f);
    }
    if (strcmp(t->name.text, "bytes") == 0) {
        return REFUSE("byte strings", "write `u8[]`, or `string` for text");
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
        return resolve_elements(r, t, f);
    }
    f->type = psc_schema_resolve_declared(r, node, &poisoned);
    if (!f->type && !poisoned) {
        no_type(r, &t->name);
    }
    return f->type && !poisoned && resolve_declared(r, t, f);
}

/* Whether this kind of type can have the field. */
static bool stands_in(psc_schema_resolver *r, const psc_message *in, const psy_field_node *node, const psc_field *f)
{
    const psy_psm_field *l = &f->layout;
    const bool items = (l->flags & PSY_FIELD_ITEMS) != 0, text = (l->flags & PSY_FIELD_TEXT) != 0;
    if (in->layout.kind == PSY_TYPE_STRUCT) {
        const bool plain = l->kind == PSY_FIELD_SCALAR || (l->kind == PSY_FIELD_ARRAY && !text && !items),
                   nested = f->type && f->type->layout.kind == PSY_TYPE_STRUCT && (f->part || l->kind == PSY_FIELD_ARRAY);
        if (!plain && !nested) {
            psc_help(psc_error(r->diags, PSC_E_FIELD, node->type.span, "a struct cannot hold `%s`",
                               psc_field_type_text(r->arena, f)),
                     "it has numbers, enums, flags, structs and arrays `[N]` of them; a message has the rest");
        }
        return plain || nested;
    }
    if (in->layout.kind == PSY_TYPE_UNION && (l->kind == PSY_FIELD_OPTIONAL || (l->flags & PSY_FIELD_MAYBE))) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, node->type.span, "the member of a union cannot be optional"),
                 "leave out the `?`: a union can be empty");
        return false;
    }
    return true;
}

/* A value of an enum has a number and no type. */
static bool resolve_value(psc_schema_resolver *r, const psc_message *in, const psy_field_node *node, psc_field *f)
{
    if (node->type.name.text) {
        psc_help(psc_error(r->diags, PSC_E_SYNTAX, node->type.span, "`%s` of %s `%s` has no type of its own", f->name,
                           psc_type_word(in), in->name),
                 "write `%s;` or `%s = 1;`", f->name, f->name);
        return false;
    }
    f->layout.dtype = in->layout.dtype;
    f->layout.kind = PSY_FIELD_SCALAR;
    f->layout.count = 1;
    psc_schema_field_attributes(r, in, node, f);
    return true;
}

bool psc_schema_resolve_field(psc_schema_resolver *r, const psc_message *in, const psy_field_node *node, psc_field *f)
{
    if (in->layout.kind == PSY_TYPE_ENUM || in->layout.kind == PSY_TYPE_FLAGS) {
        return resolve_value(r, in, node, f);
    }
    if (!node->type.name.text) {
        psc_help(psc_error(r->diags, PSC_E_SYNTAX, f->span, "`%s` has no type", f->name), "write `%s: f32;`", f->name);
        return false;
    }
    if (!resolve_type(r, in, node, f) || !stands_in(r, in, node, f)) {
        return false;
    }
    if (node->default_ && in->layout.kind != PSY_TYPE_MESSAGE) {
        psc_error(r->diags, PSC_E_FIELD, node->default_->span, "only fields of messages have defaults, and this is %s",
                  psc_type_phrase(in));
    } else if (node->default_) {
        psc_schema_resolve_default(r, node, f);
    }
    psc_schema_field_attributes(r, in, node, f);
    return true;
}
