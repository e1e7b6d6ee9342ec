/* SPDX-License-Identifier: Apache-2.0 */
/* Imports, constants, sizes, resident data, signatures; every name of every body; recursion. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "builtins.h"
#include "isa/layout.h"
#include "unit.h"

#define ERROR(...) psc_error(u->diags, __VA_ARGS__)

void psc_parse(psc_unit *u)
{
    psc_syntax syntax = {.arena = u->arena, .diags = u->diags, .source = u->source};
    u->file = psc_hrm_parse_file(&syntax);
}

/* ---- imports ---- */

static const char *folder_of(psc_unit *u, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? psc_strndup(u->arena, path, (size_t)(slash - path) + 1) : "";
}

static void import(psc_unit *u, const hrm_import *i)
{
    size_t n = strlen(i->path);
    if (n < 5 || strcmp(i->path + n - 4, ".psy") != 0) {
        psc_help(ERROR(PSC_E_IMPORT, i->span, "only message schemas (.psy) can be imported"), "write `import \"NAME.psy\"`");
        return;
    }
    const psc_source *source = NULL;
    int error = 0;
    for (size_t k = 0; !source && k <= u->options->include_count; k++) {
        if (i->path[0] == '/' && k > 0) {
            break;
        }
        const char *path = i->path[0] == '/' ? i->path
                           : k == 0          ? psc_format(u->arena, "%s%s", folder_of(u, u->source->path), i->path)
                                             : psc_format(u->arena, "%s/%s", u->options->include[k - 1], i->path);
        source = psc_source_read(u->arena, path);
        if (!source && (error == 0 || error == ENOENT)) {
            error = errno;
        }
    }
    if (!source) {
        psc_diagnostic *d = ERROR(PSC_E_IMPORT, i->span, "%s cannot be read: %s", i->path, strerror(error));
        if (error == ENOENT) {
            psc_help(d, "it is looked for beside %s and in the folders given with -I", u->source->path);
        }
        return;
    }
    psc_schema *schema = psc_schema_parse(u->arena, u->diags, source);
    if (schema) {
        psc_push(u->arena, &u->schemas, schema);
    }
}

/* ---- names of the file ---- */

/* Where a name of the file was declared before, or NULL. */
static const psc_span *declared(const psc_unit *u, const char *name)
{
    uint32_t index;
    const psc_constant_value *c = psc_constant_find(u, name);
    const psc_resident *r = psc_resident_find(u, name, &index);
    return c ? &c->span : r ? &r->node->name.span : NULL;
}

static bool check_free(psc_unit *u, const psc_name *name)
{
    unsigned detail;
    const psc_span *other = declared(u, name->text);
    if (other) {
        psc_note(ERROR(PSC_E_DUPLICATE, name->span, "there is a `%s` already", name->text), *other, "it is here");
        return false;
    }
    if (psc_builtin_find(name->text, &detail) != PSC_NO_BUILTIN) {
        ERROR(PSC_E_DUPLICATE, name->span, "`%s` is a function of the language", name->text);
        return false;
    }
    return true;
}

static void take_schema_constants(psc_unit *u)
{
    for (size_t i = 0; i < u->schemas.count; i++) {
        const psc_schema *s = u->schemas.at[i];
        for (uint32_t k = 0; k < s->constant_count; k++) {
            const psc_constant *c = &s->constants[k];
            psc_constant_value v = {c->name, c->span, c->is_float, false, c->integer, c->real};
            if (!psc_constant_find(u, c->name)) {
                psc_push(u->arena, &u->constants, v);
            }
        }
    }
}

/* ---- constant expressions ---- */

static psc_constant_value no_constant(psc_unit *u, const hrm_expr *e, const char *why)
{
    if (why) {
        ERROR(PSC_E_CONSTANT, e->span, "%s", why);
    }
    return (psc_constant_value){.span = e->span, .poisoned = true};
}

static psc_constant_value constant_name(psc_unit *u, const hrm_expr *e)
{
    const psc_constant_value *c = psc_constant_find(u, e->name.text);
    if (c) {
        return *c;
    }
    const char *names[256];
    size_t count = 0;
    for (size_t i = 0; i < u->constants.count && count < 256; i++) {
        names[count++] = u->constants.at[i].name;
    }
    psc_diagnostic *d = ERROR(PSC_E_UNKNOWN_NAME, e->span, "there is no constant `%s`", e->name.text);
    const char *near = psc_did_you_mean(e->name.text, names, count);
    if (near) {
        psc_help(d, "did you mean `%s`?", near);
    }
    return no_constant(u, e, NULL);
}

static psc_constant_value constant_binary(psc_unit *u, const hrm_expr *e)
{
    psc_constant_value a = psc_evaluate(u, e->left), b = psc_evaluate(u, e->right), v = {.span = e->span};
    if (a.poisoned || b.poisoned) {
        return no_constant(u, e, NULL);
    }
    if (e->op == '@') {
        return no_constant(u, e, "`@` takes tensors, not constants");
    }
    if (a.is_float || b.is_float) {
        double x = a.is_float ? a.real : (double)a.integer, y = b.is_float ? b.real : (double)b.integer;
        v.is_float = true;
        v.real = e->op == '+' ? x + y : e->op == '-' ? x - y : e->op == '*' ? x * y : x / y;
        return isfinite(v.real) ? v : no_constant(u, e, "the result is no finite number");
    }
    bool bad;
    switch (e->op) {
    case '+': bad = __builtin_add_overflow(a.integer, b.integer, &v.integer); break;
    case '-': bad = __builtin_sub_overflow(a.integer, b.integer, &v.integer); break;
    case '*': bad = __builtin_mul_overflow(a.integer, b.integer, &v.integer); break;
    default:
        if (b.integer == 0) {
            return no_constant(u, e, "division by zero");
        }
        bad = a.integer == INT64_MIN && b.integer == -1;
        v.integer = bad ? 0 : a.integer / b.integer;
    }
    return bad ? no_constant(u, e, "the result does not fit into 64 bits") : v;
}

psc_constant_value psc_evaluate(psc_unit *u, const hrm_expr *e)
{
    psc_constant_value v = {.span = e->span};
    switch (e->kind) {
    case HRM_INTEGER:
        v.integer = (int64_t)e->integer;
        return e->integer > INT64_MAX ? no_constant(u, e, "this number does not fit into 64 bits") : v;
    case HRM_REAL:
        v.is_float = true;
        v.real = e->real;
        return v;
    case HRM_NAME: return constant_name(u, e);
    case HRM_NEGATE:
        v = psc_evaluate(u, e->left);
        v.integer = -v.integer; /* never INT64_MIN: numbers are written without a sign, and results are checked */
        v.real = -v.real;
        return v;
    case HRM_BINARY: return constant_binary(u, e);
    default: return no_constant(u, e, "a constant is needed here: numbers, names of constants, + - * /");
    }
}

/* ---- resident data ---- */

static psy_dim resident_dim(psc_unit *u, const hrm_expr *e)
{
    if (e->kind == HRM_NAME && !psc_constant_find(u, e->name.text)) {
        psy_dim symbol = psc_symbol_find(u, e->name.text, PSY_SYMBOL_GLOBAL);
        return symbol != PSY_NONE ? symbol : psc_symbol_add(u, e->name.text, PSY_SYMBOL_GLOBAL, PSY_NONE);
    }
    psc_constant_value c = psc_evaluate(u, e);
    if (!c.poisoned && (c.is_float || c.integer < 1 || c.integer > INT32_MAX)) {
        ERROR(PSC_E_SHAPE, e->span, "a size is a whole number from 1 to %d", INT32_MAX);
        return PSY_NONE;
    }
    return c.poisoned ? PSY_NONE : (psy_dim)c.integer;
}

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
    const char *symbol = psy__dim_is_symbol(rec->dims[0]) ? u->symbol_names.at[psy__dim_symbol(rec->dims[0])] : NULL;
    if (!symbol || (split && !same_text(&n->by, symbol))) {
        psc_help(ERROR(PSC_E_SHAPE, n->by.text ? n->by.span : n->placement.span,
                       split ? "data is split along its first axis, and that has a named size"
                             : "the rows of `by key` data have a named size"),
                 split && symbol ? "write `split %s`" : "write `%s[N, ...]`", split && symbol ? symbol : n->type.dtype.text);
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

static void resolve_resident(psc_unit *u, const hrm_resident *n)
{
    psc_resident r = {.node = n};
    r.poisoned = !check_free(u, &n->name);
    r.record.dtype = (uint8_t)psy__dtype_named(n->type.dtype.text, strlen(n->type.dtype.text));
    if (r.record.dtype == 0) {
        ERROR(PSC_E_UNKNOWN_NAME, n->type.dtype.span, "there is no type `%s`", n->type.dtype.text);
        r.poisoned = true;
    } else if (r.record.dtype == PSY_F16 || r.record.dtype == PSY_BF16) {
        ERROR(PSC_E_UNSUPPORTED, n->type.dtype.span, "resident data of %s is not supported by this version",
              n->type.dtype.text);
        r.poisoned = true;
    }
    if (n->type.dims.count == 0 || n->type.dims.count > PSY_RANK_MAX) {
        ERROR(PSC_E_SHAPE, n->type.span, "resident data has 1 to %d axes", PSY_RANK_MAX);
        r.poisoned = true;
    } else {
        r.record.rank = (uint8_t)n->type.dims.count;
        for (size_t d = 0; d < n->type.dims.count; d++) {
            r.record.dims[d] = resident_dim(u, n->type.dims.at[d]);
            r.poisoned = r.poisoned || r.record.dims[d] == PSY_NONE;
        }
    }
    if (!r.poisoned) {
        place_resident(u, &r);
    }
    psc_push(u->arena, &u->residents, r);
}

/* ---- bodies: every name exists ---- */

typedef struct names {
    const char *at[512];
    size_t count;
} names;

static void add_name(names *n, const char *name)
{
    if (n->count < sizeof n->at / sizeof n->at[0]) {
        n->at[n->count++] = name;
    }
}

static bool has_name(const names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++) {
        if (strcmp(n->at[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void unknown(psc_unit *u, const psc_name *name, const char *what, const names *candidates)
{
    psc_diagnostic *d = ERROR(PSC_E_UNKNOWN_NAME, name->span, "there is no %s`%s`", what, name->text);
    const char *near = psc_did_you_mean(name->text, candidates->at, candidates->count);
    if (near) {
        psc_help(d, "did you mean `%s`?", near);
    }
}

static void check_names(psc_unit *u, const hrm_expr *e, const names *scope)
{
    if (!e) {
        return;
    }
    unsigned detail;
    if (e->kind == HRM_NAME && !has_name(scope, e->name.text)) {
        unknown(u, &e->name, "", scope);
    } else if (e->kind == HRM_CALL && psc_builtin_find(e->name.text, &detail) == PSC_NO_BUILTIN &&
               !psc_fn_find(u, e->name.text)) {
        names functions = {.count = 0};
        functions.count = psc_builtin_names(functions.at, 256);
        for (size_t i = 0; i < u->file->fns.count; i++) {
            add_name(&functions, u->file->fns.at[i]->name.text);
        }
        unknown(u, &e->name, "function ", &functions);
    }
    check_names(u, e->left, scope);
    check_names(u, e->right, scope);
    for (size_t i = 0; i < e->arguments.count; i++) {
        check_names(u, e->arguments.at[i].value, scope);
    }
}

static void file_names(psc_unit *u, names *scope)
{
    for (size_t i = 0; i < u->constants.count; i++) {
        add_name(scope, u->constants.at[i].name);
    }
    for (size_t i = 0; i < u->residents.count; i++) {
        add_name(scope, u->residents.at[i].node->name.text);
    }
    for (size_t i = 0; i < u->symbols.count; i++) {
        if (u->symbols.at[i].kind == PSY_SYMBOL_GLOBAL) {
            add_name(scope, u->symbol_names.at[i]);
        }
    }
}

static void check_type(psc_unit *u, const hrm_type *t, names *scope)
{
    if (psy__dtype_named(t->dtype.text, strlen(t->dtype.text)) == 0) {
        ERROR(PSC_E_UNKNOWN_NAME, t->dtype.span, "there is no type `%s`", t->dtype.text);
    }
    if (t->dims.count > PSY_RANK_MAX) {
        ERROR(PSC_E_SHAPE, t->span, "a tensor has at most %d axes", PSY_RANK_MAX);
    }
    for (size_t i = 0; i < t->dims.count; i++) {
        const hrm_expr *d = t->dims.at[i];
        if (d->kind == HRM_NAME && scope) {
            add_name(scope, d->name.text); /* a size of the function's own, or a constant */
        } else if (d->kind != HRM_NAME) {
            psc_evaluate(u, d);
        }
    }
}

/* Depth first: a function that is reached while it is open calls itself. */
enum { UNSEEN, OPEN, DONE };

static void visit_calls(psc_unit *u, const hrm_expr *e, uint8_t *state);

static void visit_fn(psc_unit *u, size_t index, uint8_t *state)
{
    state[index] = OPEN;
    visit_calls(u, u->file->fns.at[index]->body, state);
    state[index] = DONE;
}

static void visit_calls(psc_unit *u, const hrm_expr *e, uint8_t *state)
{
    if (!e) {
        return;
    }
    for (size_t i = 0; e->kind == HRM_CALL && i < u->file->fns.count; i++) {
        if (strcmp(u->file->fns.at[i]->name.text, e->name.text) != 0) {
            continue;
        }
        if (state[i] == OPEN) {
            psc_note(ERROR(PSC_E_RECURSION, e->span, "`%s` calls itself", e->name.text), u->file->fns.at[i]->name.span,
                     "it is declared here");
        } else if (state[i] == UNSEEN) {
            visit_fn(u, i, state);
        }
        break;
    }
    visit_calls(u, e->left, state);
    visit_calls(u, e->right, state);
    for (size_t i = 0; i < e->arguments.count; i++) {
        visit_calls(u, e->arguments.at[i].value, state);
    }
}

static void resolve_fns(psc_unit *u)
{
    for (size_t i = 0; i < u->file->fns.count; i++) {
        const hrm_fn *f = u->file->fns.at[i];
        check_free(u, &f->name);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(u->file->fns.at[k]->name.text, f->name.text) == 0) {
                psc_note(ERROR(PSC_E_DUPLICATE, f->name.span, "there is a function `%s` already", f->name.text),
                         u->file->fns.at[k]->name.span, "it is here");
            }
        }
        names scope = {.count = 0};
        for (size_t k = 0; k < f->parameters.count; k++) {
            check_type(u, &f->parameters.at[k].type, &scope);
        }
        for (size_t k = 0; k < f->parameters.count; k++) {
            if (has_name(&scope, f->parameters.at[k].name.text)) {
                ERROR(PSC_E_DUPLICATE, f->parameters.at[k].name.span, "`%s` is taken in this function",
                      f->parameters.at[k].name.text);
            }
            add_name(&scope, f->parameters.at[k].name.text);
        }
        check_type(u, &f->result, NULL);
        file_names(u, &scope);
        check_names(u, f->body, &scope);
    }
    uint8_t *state = psc_alloc(u->arena, u->file->fns.count + 1);
    for (size_t i = 0; i < u->file->fns.count; i++) {
        if (state[i] == UNSEEN) {
            visit_fn(u, i, state);
        }
    }
}

/* ---- pipelines ---- */

static const psc_message *resolve_message(psc_unit *u, const psc_name *name)
{
    const psc_message *m = psc_message_find(u, name->text);
    if (!m) {
        names messages = {.count = 0};
        for (size_t i = 0; i < u->schemas.count; i++) {
            for (uint32_t k = 0; k < u->schemas.at[i]->message_count; k++) {
                add_name(&messages, u->schemas.at[i]->messages[k].name);
            }
        }
        unknown(u, name, "message ", &messages);
    }
    return m;
}

static void resolve_pipeline(psc_unit *u, const hrm_pipeline *n)
{
    psc_pipeline *p = psc_new(u->arena, psc_pipeline);
    p->node = n;
    for (size_t i = 0; i < u->pipelines.count; i++) {
        if (strcmp(u->pipelines.at[i]->node->name.text, n->name.text) == 0) {
            psc_note(ERROR(PSC_E_DUPLICATE, n->name.span, "there is a pipeline `%s` already", n->name.text),
                     u->pipelines.at[i]->node->name.span, "it is here");
        }
    }
    names scope = {.count = 0};
    file_names(u, &scope);
    if (n->parameters.count != 1) {
        ERROR(n->parameters.count ? PSC_E_UNSUPPORTED : PSC_E_ARGUMENTS, n->name.span, "a pipeline takes one message%s",
              n->parameters.count ? " in this version" : "");
    } else {
        const hrm_parameter *q = &n->parameters.at[0];
        if (q->type.dims.count) {
            ERROR(PSC_E_TYPE, q->type.span, "a pipeline takes a message, not a tensor");
        } else {
            p->input = resolve_message(u, &q->type.dtype);
        }
        if (has_name(&scope, q->name.text)) {
            ERROR(PSC_E_DUPLICATE, q->name.span, "there is a `%s` already", q->name.text);
        }
        add_name(&scope, q->name.text);
    }
    p->output = resolve_message(u, &n->output);
    if (p->output && strcmp(n->record.text, n->output.text) != 0) {
        psc_note(ERROR(PSC_E_TYPE, n->record.span, "the pipeline gives `%s`, not `%s`", n->output.text, n->record.text),
                 n->output.span, "as declared here");
    }
    for (size_t i = 0; i < n->lets.count; i++) {
        const hrm_let *l = n->lets.at[i];
        check_names(u, l->value, &scope);
        for (size_t k = 0; k < l->names.count; k++) {
            if (has_name(&scope, l->names.at[k].text)) {
                psc_help(ERROR(PSC_E_DUPLICATE, l->names.at[k].span, "there is a `%s` already", l->names.at[k].text),
                         "values are never changed: give it another name");
            }
            add_name(&scope, l->names.at[k].text);
        }
    }
    for (size_t i = 0; i < n->fields.count; i++) {
        check_names(u, n->fields.at[i].value, &scope);
    }
    psc_push(u->arena, &u->pipelines, p);
}

void psc_resolve(psc_unit *u)
{
    for (size_t i = 0; i < u->file->imports.count; i++) {
        import(u, &u->file->imports.at[i]);
    }
    if (u->diags->errors) {
        return; /* what would follow is noise: names of the schema that are missing */
    }
    take_schema_constants(u);
    for (size_t i = 0; i < u->file->constants.count; i++) {
        const hrm_const *c = &u->file->constants.at[i];
        bool is_free = check_free(u, &c->name);
        psc_constant_value v = psc_evaluate(u, c->value);
        v.name = c->name.text;
        v.span = c->name.span;
        if (is_free) {
            psc_push(u->arena, &u->constants, v);
        }
    }
    for (size_t i = 0; i < u->file->residents.count; i++) {
        resolve_resident(u, &u->file->residents.at[i]);
    }
    resolve_fns(u);
    for (size_t i = 0; i < u->file->pipelines.count; i++) {
        resolve_pipeline(u, u->file->pipelines.at[i]);
    }
    if (u->pipelines.count == 0 && u->diags->errors == 0) {
        psc_span whole = {u->source, 0, 0};
        ERROR(PSC_E_SYNTAX, whole, "there is no pipeline in this file");
    }
}
