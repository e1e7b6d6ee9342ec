/* SPDX-License-Identifier: Apache-2.0 */
/* Imports, constants, sizes, resident data; resolve_bodies.c does functions and pipelines. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "builtins.h"
#include "isa/layout.h"
#include "param.h"
#include "unit.h"

#define ERROR(...) psc_error(u->diags, __VA_ARGS__)

void psc_parse(psc_unit *u)
{
    psc_syntax syntax = {.arena = u->arena, .diags = u->diags, .source = u->source};
    u->file = psc_hrm_parse_file(&syntax);
}

/* ---- imports ---- */

const char *psc_include_path(psc_unit *u, const char *path, size_t k)
{
    return psc_import_place(u->arena, u->options, u->source, path, k);
}

static void import(psc_unit *u, const hrm_import *i)
{
    u->imports.arena = u->arena;
    u->imports.diags = u->diags;
    u->imports.options = u->options;
    const psc_import_file *file = psc_import(&u->imports, i->path, i->span);
    if (file) {
        psc_index_add_name(u, PSC_INDEX_IMPORT, i->span, (psc_span){file->source, 0, 0});
    }
    if (file && file->schema) {
        psc_push(u->arena, &u->schemas, file->schema);
    }
}

/* ---- names of the file ---- */

/* Where a name of the file was declared before, or NULL. */
static const psc_span *declared(const psc_unit *u, const char *name)
{
    uint32_t index;
    const psc_constant_value *c = psc_constant_find(u, name);
    const psc_resident *r = psc_resident_find(u, name, &index);
    const psc_param *p = psc_param_find(u, name, &index);
    return c ? &c->span : r ? &r->node->name.span : p ? &p->node->name.span : NULL;
}

bool psc_name_is_free(psc_unit *u, const psc_name *name)
{
    const psc_span *other = declared(u, name->text);
    if (other) {
        psc_note(ERROR(PSC_E_DUPLICATE, name->span, "there is a `%s` already", name->text), *other, "it is here");
        return false;
    }
    if (psc_builtin_exists(name->text)) {
        ERROR(PSC_E_DUPLICATE, name->span, "`%s` is a function of the language", name->text);
        return false;
    }
    return true;
}

static void take_constant(psc_unit *u, const psc_constant *c)
{
    psc_constant_value v = {.name = c->name, .span = c->span, .is_float = c->is_float, .integer = c->integer, .real = c->real};
    const psc_constant_value *other = psc_constant_find(u, c->name);
    if (!other) {
        psc_push(u->arena, &u->constants, v);
    } else if (other->is_float != v.is_float || other->integer != v.integer ||
               memcmp(&other->real, &v.real, sizeof v.real) != 0) {
        psc_note(ERROR(PSC_E_DUPLICATE, c->span, "two of the imported schemas give `%s` different values", c->name),
                 other->span, "the other is here");
    }
}

static void take_schema_constants(psc_unit *u)
{
    for (size_t i = 0; i < u->schemas.count; i++) {
        for (uint32_t k = 0; k < u->schemas.at[i]->constant_count && u->constants.count < PSC_CONSTANTS_MAX; k++) {
            take_constant(u, &u->schemas.at[i]->constants[k]);
        }
    }
}

/* ---- constant expressions ---- */

static psc_constant_value no_constant(psc_unit *u, const hrm_expr *e, psc_code code, const char *why)
{
    if (why) {
        ERROR(code, e->span, "%s", why);
    }
    return (psc_constant_value){.span = e->span, .poisoned = true};
}

static psc_constant_value constant_name(psc_unit *u, const hrm_expr *e)
{
    psc_constant_value *c = psc_constant_find(u, e->name.text);
    if (c) {
        c->used = true;
        psc_index_add_name(u, c->is_size ? PSC_INDEX_SIZE : PSC_INDEX_CONSTANT, e->span, c->span);
        return *c;
    }
    const char *names[256];
    size_t count = 0;
    for (size_t i = 0; i < u->constants.count && count < 256; i++) {
        names[count++] = u->constants.at[i].name;
    }
    psc_help_nearest(ERROR(PSC_E_UNKNOWN_NAME, e->span, "there is no constant `%s`", e->name.text), e->name.text, names, count);
    return no_constant(u, e, PSC_E_CONSTANT, NULL);
}

static psc_constant_value apply_reals(psc_unit *u, const hrm_expr *e, double x, double y)
{
    psc_constant_value v = {.span = e->span, .is_float = true};
    switch (e->op) {
    case '+': v.real = x + y; break;
    case '-': v.real = x - y; break;
    case '*': v.real = x * y; break;
    case '/': v.real = x / y; break;
    case '%': v.real = fmod(x, y); break;
    default: return no_constant(u, e, PSC_E_TYPE, "bits are of whole numbers, and this is a fraction");
    }
    return isfinite(v.real) ? v
                            : no_constant(u, e, PSC_E_NUMBER, y == 0 ? "division by zero" : "the result does not fit into f64");
}

bool psc_applies(const hrm_expr *e)
{
    return e->kind == HRM_UNARY ? e->op == '-' || e->op == '~'
                                : e->op == HRM_SHL || e->op == HRM_SHR || (e->op < 256 && strchr("+-*/%&|^", e->op));
}

static bool fits(psc_integer x) { return x >= INT64_MIN && x <= UINT64_MAX; }

/* False: it does not fit. */
static bool apply_integers(const hrm_expr *e, psc_integer a, psc_integer b, psc_integer *out)
{
    switch (e->op) {
    case '+': *out = a + b; break;
    case '-': *out = a - b; break;
    case '*': return !__builtin_mul_overflow(a, b, out) && fits(*out);
    case '&': *out = a & b; break;
    case '|': *out = a | b; break;
    case '^': *out = a ^ b; break;
    case '%': *out = a % b; break;
    case '/': *out = a / b; break;
    case HRM_SHL: *out = a * ((psc_integer)1 << b); break;
    default: *out = a >> b; break;
    }
    return fits(*out);
}

psc_constant_value psc_apply(psc_unit *u, const hrm_expr *e, const psc_constant_value *a, const psc_constant_value *b)
{
    psc_constant_value v = {.span = e->span};
    if (a->poisoned || b->poisoned) {
        return no_constant(u, e, PSC_E_CONSTANT, NULL);
    }
    if (!psc_applies(e)) {
        return e->op == '@' ? no_constant(u, e, PSC_E_TYPE, "`@` takes tensors, not constants")
                            : no_constant(u, e, PSC_E_CONSTANT, "constants are computed with + - * / % & | ^ ~ << >>");
    }
    if (e->kind == HRM_UNARY && e->op == '~' && a->is_float) {
        return apply_reals(u, e, a->real, a->real);
    }
    if (e->kind == HRM_UNARY) {
        v = *a;
        v.span = e->span;
        v.real = -a->real;
        v.integer = e->op == '~' ? ~a->integer : -a->integer;
        return fits(v.integer) ? v : no_constant(u, e, PSC_E_NUMBER, "the result does not fit into 64 bits");
    }
    if (a->is_float || b->is_float) {
        return apply_reals(u, e, a->is_float ? a->real : (double)a->integer, b->is_float ? b->real : (double)b->integer);
    }
    if ((e->op == '/' || e->op == '%') && b->integer == 0) {
        return no_constant(u, e, PSC_E_NUMBER, "division by zero");
    }
    if ((e->op == HRM_SHL || e->op == HRM_SHR) && (b->integer < 0 || b->integer > 63)) {
        return no_constant(u, e, PSC_E_NUMBER, "a constant is shifted by 0 to 63 places");
    }
    return apply_integers(e, a->integer, b->integer, &v.integer)
               ? v
               : no_constant(u, e, PSC_E_NUMBER, "the result does not fit into 64 bits");
}

psc_constant_value psc_evaluate(psc_unit *u, const hrm_expr *e)
{
    psc_constant_value v = {.span = e->span};
    switch (e->kind) {
    case HRM_INTEGER: v.integer = e->integer; return v;
    case HRM_REAL:
        v.is_float = true;
        v.real = e->real;
        return v;
    case HRM_NAME: return constant_name(u, e);
    case HRM_UNARY:
    case HRM_BINARY: {
        psc_constant_value a = psc_evaluate(u, e->left), b = e->right ? psc_evaluate(u, e->right) : a;
        return psc_apply(u, e, &a, &b);
    }
    default:
        return no_constant(u, e, PSC_E_CONSTANT,
                           "a constant is needed here: numbers, names of constants, and what is computed of them");
    }
}

/* ---- resident data ---- */

static bool same_text(const psc_name *name, const char *text) { return name->text && strcmp(name->text, text) == 0; }

static void place_resident(psc_unit *u, psc_resident *r)
{
    const hrm_resident *n = r->node;
    psy_psm_resident *rec = &r->record;
    bool split = same_text(&n->placement, "split"), by_key = same_text(&n->placement, "by");
    rec->placement = split ? PSY_PLACE_SPLIT : by_key ? PSY_PLACE_BY_KEY : PSY_PLACE_REPLICATED;
    rec->local_rows = rec->dims[0];
    const char *how = "write `split N`, `by key` or `replicated`";
    if (by_key && !same_text(&n->by, "key")) {
        psc_help(ERROR(PSC_E_SYNTAX, n->placement.span, "`by` is followed by `key`"), "%s", how);
        r->poisoned = true;
    } else if (n->placement.text && !split && !by_key && !same_text(&n->placement, "replicated")) {
        psc_help(ERROR(PSC_E_SYNTAX, n->placement.span, "`%s` is no way to place data", n->placement.text), "%s", how);
        r->poisoned = true;
    } else if ((same_text(&n->placement, "replicated") || !n->placement.text) && n->by.text) {
        psc_help(ERROR(PSC_E_SYNTAX, n->by.span, "`%s` was not expected here", n->by.text), "%s", how);
        r->poisoned = true;
    }
    if (r->poisoned || (!split && !by_key)) {
        return;
    }
    bool has_name = psy__dim_is_symbol(rec->dims[0]) && u->symbols.at[psy__dim_symbol(rec->dims[0])].kind == PSY_SYMBOL_GLOBAL;
    const char *symbol = has_name ? u->symbol_names.at[psy__dim_symbol(rec->dims[0])] : NULL;
    if (!symbol || (split && !same_text(&n->by, symbol))) {
        psc_diagnostic *d = ERROR(PSC_E_SHAPE, n->by.text ? n->by.span : n->placement.span,
                                  split ? "data is split along its first axis, and that has a named size"
                                        : "the rows of `by key` data have a named size");
        psc_help(d, split && symbol ? "write `split %s`" : "write `%s[N, ...]`", split && symbol ? symbol : n->type.dtype.text);
        if (split && symbol && n->by.text) {
            psc_fix_with(d, n->by.span, "%s", symbol);
        }
        r->poisoned = true;
        return;
    }
    const char *local = psc_format(u->arena, "%s.local", symbol);
    rec->local_rows = psc_symbol_find(u, local, PSY_SYMBOL_LOCAL);
    if (rec->local_rows == PSY_NONE) {
        rec->local_rows = psc_symbol_add(u, local, PSY_SYMBOL_LOCAL, psy__dim_symbol(rec->dims[0]));
    }
    /* One size cannot be cut into ranges for one resident and by hashes for another. */
    for (size_t i = 0; i < u->residents.count; i++) {
        const psc_resident *other = &u->residents.at[i];
        if (!other->poisoned && other->record.local_rows == rec->local_rows && other->record.placement != rec->placement) {
            psc_note(ERROR(PSC_E_SPLIT, n->name.span, "`%s` rows are split in one place and by key in another", symbol),
                     other->node->name.span, "the other place");
            r->poisoned = true;
        }
    }
}

bool psc_type_is_bounded(psc_unit *u, const hrm_type *t)
{
    if (t->most) {
        psc_help(ERROR(PSC_E_TYPE, t->span, "only texts that are resident data have a bound"),
                 "a bounded field is a vector: write its size, or its name, `%s[D]`", t->dtype.text);
    }
    return t->most != NULL;
}

/* The bytes that a text has room for; 0 after an error. */
static psy_dim room_of_text(psc_unit *u, const hrm_type *t)
{
    enum { TEXT_BYTES_MAX = 1 << 20 };
    if (!t->most) {
        psc_help(ERROR(PSC_E_SHAPE, t->span, "how many bytes has a text at most?"), "write `string[<=80][N]`");
        return 0;
    }
    psc_constant_value c = psc_evaluate(u, t->most);
    if (!c.poisoned && (c.is_float || c.integer < 1 || c.integer > TEXT_BYTES_MAX)) {
        ERROR(PSC_E_SHAPE, t->most->span, "a text has a whole number of bytes at most, from 1 to %d", TEXT_BYTES_MAX);
        return 0;
    }
    return c.poisoned ? 0 : (psy_dim)c.integer;
}

static void resolve_resident(psc_unit *u, psc_resident *out)
{
    psc_resident r = *out;
    const hrm_resident *n = r.node;
    r.record.dtype = (uint8_t)psy__dtype_named(n->type.dtype.text, strlen(n->type.dtype.text));
    r.is_text = r.record.dtype == 0 && strcmp(n->type.dtype.text, "string") == 0;
    psy_dim room = r.is_text ? room_of_text(u, &n->type) : 0;
    if (r.is_text) {
        r.record.dtype = PSY_U8;
        r.poisoned = r.poisoned || room == 0;
    } else if (r.record.dtype == 0) {
        psc_syntax_no_type(u->diags, &n->type.dtype);
        r.poisoned = true;
    } else {
        r.poisoned = psc_type_is_bounded(u, &n->type) || r.poisoned;
    }
    size_t most = PSY_RANK_MAX - r.is_text;
    if (n->type.dims.count == 0 || n->type.dims.count > most) {
        ERROR(PSC_E_SHAPE, n->type.span, "resident data has 1 to %zu axes", most);
        r.poisoned = true;
    } else {
        r.record.rank = (uint8_t)n->type.dims.count;
        for (size_t d = 0; d < n->type.dims.count; d++) {
            r.record.dims[d] = psc_size_of_data(u, n->type.dims.at[d]);
            r.poisoned = r.poisoned || r.record.dims[d] == PSY_NONE;
        }
    }
    if (!r.poisoned && r.is_text) {
        r.record.dims[r.record.rank++] = room;
    }
    if (!r.poisoned) {
        place_resident(u, &r);
    }
    psc_span by = n->by.text ? psc_index_size(u, n->by.text) : (psc_span){0};
    if (by.source) {
        psc_index_add_name(u, PSC_INDEX_SIZE, n->by.span, by);
    }
    *out = r;
}

/* The names that stand alone in a type whose other sizes are computed. */
static void take_names(psc_unit *u, const hrm_type *t)
{
    for (size_t d = 0; d < t->dims.count && d < PSY_RANK_MAX; d++) {
        const hrm_expr *e = t->dims.at[d];
        if (e->kind == HRM_NAME && !psc_constant_find(u, e->name.text) && strcmp(e->name.text, PSC_SHARDS) != 0) {
            psc_size_of_data(u, e);
        }
    }
}

/* First those whose sizes are numbers and names, then those that compute with the names. */
static void resolve_residents(psc_unit *u)
{
    size_t n = u->file->residents.count;
    const hrm_resident *nodes = u->file->residents.at;
    for (size_t i = 0; i < n; i++) {
        psc_resident r = {.node = &nodes[i], .poisoned = !psc_name_is_free(u, &nodes[i].name)};
        psc_push(u->arena, &u->residents, r);
    }
    for (size_t i = 0; i < n; i++) {
        if (!psc_size_is_computed(u, &nodes[i].type)) {
            resolve_resident(u, &u->residents.at[i]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (psc_size_is_computed(u, &nodes[i].type)) {
            take_names(u, &nodes[i].type);
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (psc_size_is_computed(u, &nodes[i].type)) {
            resolve_resident(u, &u->residents.at[i]);
        }
    }
}

/* ---- the pass ---- */

/* More than a module or the time for it has room for. */
static bool has_room(psc_unit *u)
{
    const hrm_file *f = u->file;
    const struct {
        size_t count, most;
        const char *what;
    } rows[] = {{f->imports.count, PSC_IMPORTS_MAX, "imports"},
                {f->constants.count, PSC_CONSTANTS_MAX, "constants"},
                {f->residents.count, PSC_RESIDENTS_MAX, "residents"},
                {f->params.count, PSC_PARAMS_MAX, "params"},
                {f->fns.count, PSC_FNS_MAX, "functions"},
                {f->pipelines.count, PSC_PIPELINES_MAX, "pipelines"}};
    psc_span whole = {u->source, 0, 0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].count > rows[i].most) {
            ERROR(PSC_E_LIMIT, whole, "this file has %zu %s, more than %zu", rows[i].count, rows[i].what, rows[i].most);
            return false;
        }
    }
    return true;
}

void psc_resolve(psc_unit *u)
{
    if (!has_room(u)) {
        return;
    }
    for (size_t i = 0; i < u->file->imports.count; i++) {
        import(u, &u->file->imports.at[i]);
    }
    if (u->diags->errors) {
        return; /* what would follow is noise: names of the schema that are missing */
    }
    take_schema_constants(u);
    for (size_t i = 0; i < u->file->constants.count; i++) {
        const hrm_const *c = &u->file->constants.at[i];
        bool is_free = psc_name_is_free(u, &c->name);
        psc_constant_value v = psc_evaluate(u, c->value);
        v.name = c->name.text;
        v.span = c->name.span;
        v.used = false;
        if (is_free) {
            psc_push(u->arena, &u->constants, v);
        }
    }
    psc_resolve_params(u);
    resolve_residents(u);
    psc_resolve_bodies(u);
    if (u->pipelines.count == 0 && u->diags->errors == 0) {
        psc_span whole = {u->source, 0, 0};
        psc_help(ERROR(PSC_E_SYNTAX, whole, "there is no pipeline in this file"),
                 "write `pipeline NAME(q: MESSAGE) -> MESSAGE { ... }`");
    }
}
