/* SPDX-License-Identifier: Apache-2.0 */
/* From a parsed schema to a checked and laid out one. */
#include "schema.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "isa/layout.h"
#include "psy_ast.h"
#include "schema_names.h"

typedef struct resolver {
    psc_arena *arena;
    psc_diagnostics *diags;
    const psy_file *file;
    psc_schema *schema;
} resolver;

/* At most `most` of them: more are reported, and left alone. */
static size_t within(resolver *r, size_t count, size_t most, const char *what, psc_span at)
{
    if (count > most) {
        psc_error(r->diags, PSC_E_LIMIT, at, "more than %zu %s", most, what);
    }
    return count > most ? most : count;
}

/* ---- constant expressions ---- */

typedef struct value {
    enum { POISON, INTEGER, REAL } kind;
    int64_t integer;
    double real;
} value;

static double as_real(value v) { return v.kind == REAL ? v.real : (double)v.integer; }

static value overflow(resolver *r, const psy_expr *e, const char *type)
{
    psc_error(r->diags, PSC_E_NUMBER, e->span, "%s does not fit into %s",
              e->kind == PSY_EXPR_INTEGER ? "this number" : "the result", type);
    return (value){POISON, 0, 0};
}

static value name_value(resolver *r, const psy_expr *e)
{
    const char *names[256];
    size_t count = 0;
    for (uint32_t i = 0; i < r->schema->constant_count; i++) {
        const psc_constant *c = &r->schema->constants[i];
        if (strcmp(c->name, e->name) == 0) {
            return c->poisoned   ? (value){POISON, 0, 0}
                   : c->is_float ? (value){REAL, 0, c->real}
                                 : (value){INTEGER, c->integer, 0};
        }
        if (count < 256) {
            names[count++] = c->name;
        }
    }
    psc_diagnostic *d = psc_error(r->diags, PSC_E_UNKNOWN_NAME, e->span, "there is no constant `%s` above", e->name);
    psc_help_nearest(d, e->name, names, count);
    return (value){POISON, 0, 0};
}

static value evaluate(resolver *r, const psy_expr *e);

static value binary_value(resolver *r, const psy_expr *e)
{
    value a = evaluate(r, e->left), b = evaluate(r, e->right), v = {INTEGER, 0, 0};
    if (a.kind == POISON || b.kind == POISON) {
        return (value){POISON, 0, 0};
    }
    if (a.kind == REAL || b.kind == REAL) {
        double x = as_real(a), y = as_real(b);
        v = (value){REAL, 0, e->op == '+' ? x + y : e->op == '-' ? x - y : e->op == '*' ? x * y : x / y};
        if (y == 0 && e->op == '/') {
            psc_error(r->diags, PSC_E_NUMBER, e->span, "division by zero");
            return (value){POISON, 0, 0};
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
            return (value){POISON, 0, 0};
        }
        bad = a.integer == INT64_MIN && b.integer == -1;
        v.integer = bad ? 0 : a.integer / b.integer;
    }
    return bad ? overflow(r, e, "i64") : v;
}

/* Nesting is bounded by the parser. */
static value evaluate(resolver *r, const psy_expr *e)
{
    switch (e->kind) {
    case PSY_EXPR_INTEGER:
        if (e->integer > INT64_MAX) {
            return overflow(r, e, "i64");
        }
        return (value){INTEGER, (int64_t)e->integer, 0};
    case PSY_EXPR_REAL: return (value){REAL, 0, e->real};
    case PSY_EXPR_NAME: return name_value(r, e);
    case PSY_EXPR_BINARY: return binary_value(r, e);
    case PSY_EXPR_NEGATE: {
        value v = evaluate(r, e->left);
        if (v.kind == INTEGER && v.integer == INT64_MIN) {
            return overflow(r, e, "i64");
        }
        v.integer = -v.integer;
        v.real = -v.real;
        return v;
    }
    case PSY_EXPR_POISON: break;
    }
    return (value){POISON, 0, 0};
}

static void resolve_constants(resolver *r)
{
    psc_schema *s = r->schema;
    size_t all = r->file->constants.count;
    size_t count = within(r, all, PSC_CONSTANTS_MAX, "constants in a file",
                          all ? r->file->constants.at[all - 1].name.span : (psc_span){0});
    s->constants = psc_alloc(r->arena, count * sizeof *s->constants);
    for (size_t i = 0; i < count; i++) {
        const psy_const_node *node = &r->file->constants.at[i];
        psc_constant *c = &s->constants[s->constant_count];
        value v = evaluate(r, node->value);
        *c = (psc_constant){.name = node->name.text,
                            .span = node->name.span,
                            .doc = node->name.doc,
                            .is_float = v.kind == REAL,
                            .integer = v.integer,
                            .real = v.real,
                            .poisoned = v.kind == POISON};
        bool taken = false;
        for (uint32_t k = 0; k < s->constant_count && !taken; k++) {
            taken = strcmp(s->constants[k].name, c->name) == 0;
            if (taken) {
                psc_note(psc_error(r->diags, PSC_E_DUPLICATE, c->span, "there is a constant `%s` already", c->name),
                         s->constants[k].span, "it is here");
            }
        }
        s->constant_count += !taken;
    }
}

/* ---- fields ---- */

static bool in_range(value v, unsigned dtype)
{
    unsigned bits = psy__dtype_bytes(dtype) * 8;
    switch (psy__dtype_class(dtype)) {
    case PSY_DCLASS_BOOL: return v.integer == 0 || v.integer == 1;
    case PSY_DCLASS_UINT: return v.integer >= 0 && (bits == 64 || v.integer < INT64_C(1) << bits);
    case PSY_DCLASS_SINT:
        return bits == 64 || (v.integer >= -(INT64_C(1) << (bits - 1)) && v.integer < INT64_C(1) << (bits - 1));
    case PSY_DCLASS_FLOAT: return dtype != PSY_F32 || fabs(as_real(v)) <= 3.4028234663852886e38;
    }
    return false;
}

static const char *range_text(resolver *r, unsigned dtype)
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
    return psc_format(r->arena, "%s holds numbers up to about 3.4e38", name);
}

static void resolve_default(resolver *r, const psy_field_node *node, psc_field *f)
{
    psy_psm_field *l = &f->layout;
    value v;
    /* The upper half of u64 is beyond what expressions compute in. */
    bool plain_u64 = l->dtype == PSY_U64 && node->default_->kind == PSY_EXPR_INTEGER;
    /* `true` and `false` are words of bool fields only. */
    if (node->default_->kind == PSY_EXPR_NAME && l->dtype == PSY_BOOL &&
        (strcmp(node->default_->name, "true") == 0 || strcmp(node->default_->name, "false") == 0)) {
        v = (value){INTEGER, node->default_->name[0] == 't', 0};
    } else {
        v = plain_u64 ? (value){INTEGER, 0, 0} : evaluate(r, node->default_);
    }
    if (v.kind == POISON) {
        return;
    }
    if (l->kind != PSY_FIELD_SCALAR) {
        psc_error(r->diags, PSC_E_FIELD, node->default_->span, "only scalars have defaults, and `%s` is an array", f->name);
        return;
    }
    if (l->dtype == PSY_F16 || l->dtype == PSY_BF16) {
        psc_error(r->diags, PSC_E_UNSUPPORTED, node->default_->span, "defaults of %s fields are not supported by this version",
                  psy__dtype_name(l->dtype));
        return;
    }
    bool is_float = psy__dtype_class(l->dtype) == PSY_DCLASS_FLOAT;
    if ((v.kind == REAL && !is_float) || !in_range(v, l->dtype)) {
        psc_help(psc_error(r->diags, PSC_E_NUMBER, node->default_->span, "this default does not fit into %s",
                           psy__dtype_name(l->dtype)),
                 "%s", range_text(r, l->dtype));
        return;
    }
    f->has_default = true;
    if (l->dtype == PSY_F32) {
        float x = (float)as_real(v);
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        l->default_bits = bits;
    } else if (is_float) {
        double x = as_real(v);
        memcpy(&l->default_bits, &x, sizeof x);
    } else if (plain_u64) {
        l->default_bits = node->default_->integer;
    } else {
        unsigned bytes = psy__dtype_bytes(l->dtype);
        l->default_bits = (uint64_t)v.integer & (bytes == 8 ? UINT64_MAX : (UINT64_C(1) << bytes * 8) - 1);
    }
}

static void resolve_key(resolver *r, const psy_attribute *a, psc_field *f)
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
static void resolve_since(resolver *r, const psy_attribute *a, psc_field *f)
{
    value v = a->argument ? evaluate(r, a->argument) : (value){REAL, 0, 0};
    f->layout.since = 0;
    if (v.kind == INTEGER && v.integer >= 1 && v.integer <= UINT16_MAX) {
        f->layout.since = (uint32_t)v.integer;
    } else if (v.kind != POISON) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, a->name.span, "`@since` takes a version from 1 to %d", UINT16_MAX),
                 "write `@since(2)`");
    }
}

static void resolve_attributes(resolver *r, const psy_field_node *node, psc_field *f)
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

/* Fields are only added at the end, so none is older than the one before it. `newest` is the newest so far. */
static void check_since(resolver *r, psc_field *f, uint32_t *newest)
{
    if (f->layout.since != 0 && f->layout.since < *newest) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, f->span, "`%s` is older than the field before it", f->name),
                 "fields are only ever added at the end: `@since(%u)` or more", *newest);
    }
    *newest = f->layout.since > *newest ? f->layout.since : *newest;
}

static bool resolve_type(resolver *r, const psy_field_node *node, psc_field *f)
{
    const psy_type_node *t = &node->type;
    static const char *const later[][2] = {
        {"string", "strings"}, {"bytes", "byte strings"}, {"variant", "variants"}, {"union", "unions"}};
    const char *refused = t->kind == PSY_TYPE_UNBOUNDED  ? "arrays without a bound"
                          : t->kind == PSY_TYPE_OPTIONAL ? "optional fields"
                                                         : NULL;
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        refused = strcmp(t->name.text, later[i][0]) == 0 ? later[i][1] : refused;
    }
    for (size_t i = 0; i < r->file->messages.count; i++) {
        if (strcmp(r->file->messages.at[i]->name.text, t->name.text) == 0) {
            refused = "messages inside messages";
        }
    }
    f->layout.dtype = (uint8_t)psy__dtype_named(t->name.text, strlen(t->name.text));
    if (refused) {
        psc_help(psc_error(r->diags, PSC_E_UNSUPPORTED, t->span, "%s are not supported by this version", refused),
                 t->kind == PSY_TYPE_UNBOUNDED ? "give a bound: `%s[<=64]`"
                                               : "messages have fields of numbers, `T[N]` and `T[<=N]`",
                 t->name.text);
        return false;
    }
    if (f->layout.dtype == 0 || t->kind == PSY_TYPE_BLOCK) {
        psc_syntax_no_type(r->diags, &t->name);
        return false;
    }
    f->layout.kind = t->kind == PSY_TYPE_ARRAY     ? PSY_FIELD_ARRAY
                     : t->kind == PSY_TYPE_BOUNDED ? PSY_FIELD_BOUNDED
                                                   : PSY_FIELD_SCALAR;
    f->layout.count = 1;
    if (t->count) {
        value v = evaluate(r, t->count);
        if (v.kind == POISON) {
            return false;
        }
        if (v.kind != INTEGER || v.integer < 1 || v.integer > PSY_MESSAGE_BYTES_MAX) {
            psc_error(r->diags, PSC_E_FIELD, t->count->span, "an array has a whole number of elements, from 1 to %u",
                      PSY_MESSAGE_BYTES_MAX);
            return false;
        }
        f->layout.count = (uint32_t)v.integer;
    }
    return true;
}

/* ---- messages ---- */

psy_status psc_lay_out(psc_arena *arena, const char *full_name, psc_field *fields, uint32_t count, psy_psm_type *layout)
{
    /* The layout rules want names as offsets into strings. */
    size_t bytes = strlen(full_name) + 2;
    for (uint32_t i = 0; i < count; i++) {
        bytes += strlen(fields[i].name) + 1;
    }
    char *strings = psc_alloc(arena, bytes), *at = strings + 1;
    psy_psm_field *records = psc_alloc(arena, (count + 1) * sizeof *records);
    *layout = (psy_psm_type){.name = (uint32_t)(at - strings), .field_count = count};
    at = stpcpy(at, full_name) + 1;
    for (uint32_t i = 0; i < count; i++) {
        records[i] = fields[i].layout;
        records[i].name = (uint32_t)(at - strings);
        at = stpcpy(at, fields[i].name) + 1;
    }
    psy_status status = psy__layout(strings, layout, records);
    layout->name = 0;
    for (uint32_t i = 0; i < count; i++) {
        fields[i].layout = records[i];
        fields[i].layout.name = 0;
    }
    return status;
}

/* The first field with which the message has no layout any more. */
static void too_large(resolver *r, psc_message *m)
{
    uint32_t fits = 0, fails = m->field_count;
    while (fails - fits > 1) {
        uint32_t n = fits + (fails - fits) / 2;
        bool ok = psc_lay_out(r->arena, m->full_name, m->fields, n, &m->layout) == PSY_OK;
        *(ok ? &fits : &fails) = n;
    }
    psc_error(r->diags, PSC_E_LIMIT, m->fields[fits].span, "message `%s` grows over 1 GiB with this field", m->name);
}
_Static_assert(PSY_MESSAGE_BYTES_MAX == 1 << 30, "the message names it");

static void resolve_message(resolver *r, const psy_message_node *node, psc_message *m)
{
    m->name = node->name.text;
    m->span = node->name.span;
    m->doc = node->name.doc;
    m->full_name = *r->schema->space ? psc_format(r->arena, "%s.%s", r->schema->space, m->name) : m->name;
    unsigned errors = r->diags->errors;
    size_t count = within(r, node->fields.count, PSC_FIELDS_MAX, "fields in a message", m->span);
    m->fields = psc_alloc(r->arena, count * sizeof *m->fields);
    const psc_field *key = NULL;
    uint32_t newest = 1;
    for (size_t i = 0; i < count; i++) {
        const psy_field_node *from = node->fields.at[i];
        psc_field *f = &m->fields[m->field_count];
        *f = (psc_field){.name = from->name.text,
                         .span = from->name.span,
                         .doc = from->name.doc,
                         .layout = {.since = 1, .parent = PSY_NONE}};
        for (uint32_t k = 0, taken = 0; k < m->field_count && !taken; k++) {
            taken = strcmp(m->fields[k].name, f->name) == 0;
            if (taken) {
                psc_note(
                    psc_error(r->diags, PSC_E_DUPLICATE, f->span, "message `%s` has a field `%s` already", m->name, f->name),
                    m->fields[k].span, "it is here");
            }
        }
        m->field_count++;
        if (!resolve_type(r, from, f)) {
            continue;
        }
        if (from->default_) {
            resolve_default(r, from, f);
        }
        resolve_attributes(r, from, f);
        if ((f->layout.flags & PSY_FIELD_KEY) && key) {
            psc_note(psc_error(r->diags, PSC_E_KEY, f->span, "message `%s` has a key already", m->name), key->span,
                     "it is here");
        }
        key = f->layout.flags & PSY_FIELD_KEY ? f : key;
        check_since(r, f, &newest);
    }
    if (r->diags->errors != errors) {
        return;
    }
    if (psc_lay_out(r->arena, m->full_name, m->fields, m->field_count, &m->layout) != PSY_OK) {
        too_large(r, m);
    }
}

psc_schema *psc_schema_parse(psc_arena *arena, psc_diagnostics *diags, const psc_source *source)
{
    unsigned errors = diags->errors;
    psc_syntax syntax = {.arena = arena, .diags = diags, .source = source};
    const psy_file *file = psc_psy_parse_file(&syntax);
    if (syntax.gave_up) {
        return NULL;
    }
    psc_schema *s = psc_new(arena, psc_schema);
    resolver r = {arena, diags, file, s};
    s->source = source;
    s->space = "";
    s->space_span = file->space_span;
    for (size_t i = 0; i < file->space.count && strlen(s->space) <= PSC_NAMESPACE_MAX; i++) {
        s->space = psc_format(arena, "%s%s%s", s->space, i ? "." : "", file->space.at[i].text);
    }
    if (strlen(s->space) > PSC_NAMESPACE_MAX) {
        psc_error(diags, PSC_E_LIMIT, file->space_span, "a namespace has at most %d characters", PSC_NAMESPACE_MAX);
    }
    resolve_constants(&r);
    size_t all = file->messages.count;
    size_t count =
        within(&r, all, PSC_MESSAGES_MAX, "messages in a file", all ? file->messages.at[all - 1]->name.span : (psc_span){0});
    s->messages = psc_alloc(arena, count * sizeof *s->messages);
    for (size_t i = 0; i < count; i++) {
        psc_message *m = &s->messages[s->message_count];
        resolve_message(&r, file->messages.at[i], m);
        const psc_message *other = psc_schema_message(s, m->name);
        s->message_count++;
        if (other) {
            psc_note(psc_error(diags, PSC_E_DUPLICATE, m->span, "there is a message `%s` already", m->name), other->span,
                     "it is here");
        }
    }
    if (diags->errors == errors) {
        psc_schema_check_names(arena, diags, s);
    }
    return diags->errors == errors ? s : NULL;
}

const psc_message *psc_schema_message(const psc_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->message_count; i++) {
        const psc_message *m = &schema->messages[i];
        if (strcmp(m->name, name) == 0 || strcmp(m->full_name, name) == 0) {
            return m;
        }
    }
    return NULL;
}
