/* SPDX-License-Identifier: Apache-2.0 */
/* Functions and pipelines: every name of every body, recursion, and names that nobody uses. */
#include <string.h>

#include "attributes.h"
#include "builtins.h"
#include "compose.h"
#include "unit.h"
#include "variant.h"

#define ERROR(...) psc_error(u->diags, __VA_ARGS__)

/* ---- names that can be seen ---- */

typedef struct entry {
    const char *name;
    psc_span span;
    psc_index_kind kind;
    bool *used; /* set when somebody names it; NULL: nobody asks */
} entry;

typedef struct scope {
    const struct scope *outer; /* NULL: names of the file */
    PSC_LIST(entry *) list;
    psc_names *names; /* the same, to find them; of two with one name the first */
} scope;

static void add_name(psc_unit *u, scope *s, psc_index_kind kind, const psc_name *name, bool *used)
{
    entry *e = psc_new(u->arena, entry);
    void **meaning = psc_names_add(u->arena, &s->names, name->text);
    *e = (entry){name->text, name->span, kind, used};
    *meaning = *meaning ? *meaning : e;
    psc_push(u->arena, &s->list, e);
    psc_index_add_name(u, kind, name->span, name->span);
}

static const entry *find_name(const scope *s, const char *name)
{
    const entry *found = NULL;
    for (; s && !found; s = s->outer) {
        found = psc_names_find(s->names, name);
    }
    return found;
}

static void file_names(psc_unit *u, scope *s)
{
    for (size_t i = 0; i < u->constants.count; i++) {
        const psc_constant_value *c = &u->constants.at[i];
        psc_name name = {c->name, c->span, NULL};
        add_name(u, s, c->is_size ? PSC_INDEX_SIZE : PSC_INDEX_CONSTANT, &name, &u->constants.at[i].used);
    }
    for (size_t i = 0; i < u->params.count; i++) {
        add_name(u, s, PSC_INDEX_PARAM, &u->params.at[i].node->name, &u->params.at[i].used);
    }
    for (size_t i = 0; i < u->residents.count; i++) {
        add_name(u, s, PSC_INDEX_RESIDENT, &u->residents.at[i].node->name, &u->residents.at[i].used);
    }
    for (size_t i = 0; i < u->symbols.count; i++) {
        if (u->symbols.at[i].kind == PSY_SYMBOL_GLOBAL) {
            psc_name name = {u->symbol_names.at[i], psc_index_size(u, u->symbol_names.at[i]), NULL};
            add_name(u, s, PSC_INDEX_SIZE, &name, NULL);
        }
    }
}

typedef PSC_LIST(const char *) words;

static psc_diagnostic *unknown(psc_unit *u, const psc_name *name, const char *what, const words *candidates)
{
    psc_diagnostic *d = ERROR(PSC_E_UNKNOWN_NAME, name->span, "there is no %s`%s`", what, name->text);
    return psc_help_nearest(d, name->text, candidates->at, candidates->count) ? NULL : d;
}

static void unknown_name(psc_unit *u, const psc_name *name, const scope *s)
{
    words candidates = {0};
    for (; psc_errors_are_kept(u->diags) && s; s = s->outer) {
        for (size_t i = 0; i < s->list.count; i++) {
            psc_push(u->arena, &candidates, s->list.at[i]->name);
        }
    }
    unknown(u, name, "", &candidates);
}

static void unknown_function(psc_unit *u, const psc_name *name)
{
    if (strcmp(name->text, "grad") == 0) {
        ERROR(PSC_E_UNSUPPORTED, name->span, "`%s` is not supported by this version", name->text);
        return;
    }
    words candidates = {0};
    const char *builtins[256];
    size_t count = psc_builtin_names(builtins, 256);
    for (size_t i = 0; i < count; i++) {
        psc_push(u->arena, &candidates, builtins[i]);
    }
    for (size_t i = 0; i < u->fns.count; i++) {
        psc_push(u->arena, &candidates, u->fns.at[i].node->name.text);
    }
    unknown(u, name, "function ", &candidates);
}

/* The names of arguments are the parameters'. */
static void index_call(psc_unit *u, const hrm_expr *e, const hrm_fn *f)
{
    psc_index_add_name(u, PSC_INDEX_FUNCTION, e->name.span, f->name.span);
    for (size_t i = 0; u->index && i < e->arguments.count; i++) {
        const psc_name *name = &e->arguments.at[i].name;
        for (size_t k = 0; name->text && k < f->parameters.count; k++) {
            if (strcmp(f->parameters.at[k].name.text, name->text) == 0) {
                psc_index_add_name(u, PSC_INDEX_PARAMETER, name->span, f->parameters.at[k].name.span);
            }
        }
    }
}

static void check_names(psc_unit *u, const hrm_expr *e, const scope *s)
{
    if (!e) {
        return;
    }
    if (e->kind == HRM_NAME) {
        const entry *found = find_name(s, e->name.text);
        if (!found) {
            unknown_name(u, &e->name, s);
            return;
        }
        psc_index_add_name(u, found->kind, e->span, found->span);
        if (found->used) {
            *found->used = true;
        }
    } else if (e->kind == HRM_CALL && psc_builtin_exists(e->name.text)) {
        /* A choice is a call too, by a name that nobody wrote. */
        if (e->name.span.end - e->name.span.begin == strlen(e->name.text)) {
            psc_index_add_name(u, PSC_INDEX_BUILTIN, e->name.span, (psc_span){0});
        }
    } else if (e->kind == HRM_CALL) {
        psc_fn *f = psc_fn_find(u, e->name.text);
        if (!f) {
            unknown_function(u, &e->name);
        } else {
            f->used = true;
            index_call(u, e, f->node);
        }
    }
    check_names(u, e->left, s);
    check_names(u, e->right, s);
    for (size_t i = 0; i < e->indices.count; i++) {
        check_names(u, e->indices.at[i].from, s);
        check_names(u, e->indices.at[i].to, s);
        check_names(u, e->indices.at[i].step, s);
    }
    for (size_t i = 0; i < e->arguments.count; i++) {
        check_names(u, e->arguments.at[i].value, s);
    }
}

/* ---- functions ---- */

static bool names_a_size(const psc_unit *u, const hrm_expr *e, const scope *s)
{
    return e && ((e->kind == HRM_NAME && !psc_constant_of_types(u, e->name.text) && find_name(s, e->name.text)) ||
                 names_a_size(u, e->left, s) || names_a_size(u, e->right, s));
}

/* A computed size of a function's type: of constants, and of sizes that stand alone before it. */
static void check_size(psc_unit *u, const hrm_expr *e, const scope *s)
{
    bool computes = e->kind == HRM_BINARY && (e->op == '+' || e->op == '-' || e->op == '*' || e->op == '/');
    psc_constant_value *c = e->kind == HRM_NAME ? psc_constant_of_types(u, e->name.text) : NULL;
    const entry *own = e->kind == HRM_NAME ? find_name(s, e->name.text) : NULL;
    if (c) {
        c->used = true;
        psc_index_add_name(u, PSC_INDEX_CONSTANT, e->span, c->span);
    } else if (own) {
        psc_index_add_name(u, PSC_INDEX_SIZE, e->span, own->span);
    } else if (e->kind == HRM_NAME) {
        psc_help(ERROR(PSC_E_UNKNOWN_NAME, e->span, "there is no size `%s` that is known here", e->name.text),
                 "a size becomes known where it stands alone: `x: f32[%s]`", e->name.text);
    } else if (computes) {
        check_size(u, e->left, s);
        check_size(u, e->right, s);
    } else if (e->kind == HRM_BINARY && (names_a_size(u, e->left, s) || names_a_size(u, e->right, s))) {
        ERROR(PSC_E_SHAPE, e->span, "sizes are computed with + - * /");
    } else {
        psc_evaluate(u, e);
    }
}

/* The sizes of the function's own are added to `s`; in its result there are no new ones. */
static void check_type(psc_unit *u, const hrm_type *t, scope *s, bool is_result)
{
    if (strcmp(t->dtype.text, "string") == 0) {
        psc_help(ERROR(PSC_E_UNSUPPORTED, t->span, "functions of texts are not supported by this version"),
                 "compare or choose texts where they are");
    } else if (psy__dtype_named(t->dtype.text, strlen(t->dtype.text)) == 0) {
        psc_syntax_no_type(u->diags, &t->dtype);
    } else {
        psc_type_is_bounded(u, t);
    }
    if (t->dims.count > PSY_RANK_MAX) {
        ERROR(PSC_E_SHAPE, t->span, "a tensor has at most %d axes", PSY_RANK_MAX);
    }
    for (size_t i = 0; i < t->dims.count; i++) {
        const hrm_expr *d = t->dims.at[i];
        bool is_new =
            !is_result && d->kind == HRM_NAME && !psc_constant_of_types(u, d->name.text) && !find_name(s, d->name.text);
        if (is_new) {
            add_name(u, s, PSC_INDEX_SIZE, &d->name, NULL);
        } else {
            check_size(u, d, s);
        }
    }
}

/* Depth first: a function that is reached while it is open calls itself. */
typedef struct visitor {
    psc_unit *u;
    enum { UNSEEN, OPEN, DONE } * states; /* by function */
    unsigned depth;                       /* of expressions in functions in expressions */
} visitor;

static void visit_calls(visitor *v, const hrm_expr *e);

static void visit_fn(visitor *v, size_t index)
{
    v->states[index] = OPEN;
    visit_calls(v, v->u->fns.at[index].node->body);
    v->states[index] = DONE;
}

static void visit_call(visitor *v, const hrm_expr *e)
{
    psc_unit *u = v->u;
    psc_fn *f = psc_fn_find(u, e->name.text);
    size_t index = f ? (size_t)(f - u->fns.at) : 0;
    if (f && v->states[index] == OPEN) {
        psc_diagnostic *d = ERROR(PSC_E_RECURSION, e->span, "`%s` calls itself", e->name.text);
        psc_note(d, f->node->name.span, "it is declared here");
        psc_help(d, "functions are written out where they are called, so that none can contain itself");
        f->poisoned = true;
    } else if (f && v->states[index] == UNSEEN) {
        visit_fn(v, index);
    }
}

static void visit_calls(visitor *v, const hrm_expr *e)
{
    if (!e) {
        return;
    }
    if (v->depth > PSC_DEPTH_MAX) {
        psc_unit *u = v->u;
        ERROR(PSC_E_LIMIT, e->span, "functions call each other too deep");
        return;
    }
    v->depth++;
    if (e->kind == HRM_CALL) {
        visit_call(v, e);
    }
    visit_calls(v, e->left);
    visit_calls(v, e->right);
    for (size_t i = 0; i < e->indices.count; i++) {
        visit_calls(v, e->indices.at[i].from);
        visit_calls(v, e->indices.at[i].to);
        visit_calls(v, e->indices.at[i].step);
    }
    for (size_t i = 0; i < e->arguments.count; i++) {
        visit_calls(v, e->arguments.at[i].value);
    }
    v->depth--;
}

/* A parameter has its type as it is written. */
static void index_type(psc_unit *u, const psc_name *name, const hrm_type *t)
{
    if (psc_index_wants_type(u, name->span)) {
        psc_index_add_type(u, name->span, psc_strndup(u->arena, u->source->text + t->span.begin, t->span.end - t->span.begin));
    }
}

static void resolve_fn(psc_unit *u, size_t index, const scope *file)
{
    psc_fn *fn = &u->fns.at[index];
    const hrm_fn *f = fn->node;
    unsigned errors = u->diags->errors;
    psc_index_add_name(u, PSC_INDEX_FUNCTION, f->name.span, f->name.span);
    psc_name_is_free(u, &f->name);
    const psc_fn *first = psc_fn_find(u, f->name.text);
    if (first != fn) {
        psc_note(ERROR(PSC_E_DUPLICATE, f->name.span, "there is a function `%s` already", f->name.text), first->node->name.span,
                 "it is here");
    }
    scope own = {.outer = NULL};
    for (size_t k = 0; k < f->parameters.count; k++) {
        check_type(u, &f->parameters.at[k].type, &own, false);
    }
    check_type(u, &f->result, &own, true);
    for (size_t k = 0; k < f->parameters.count; k++) {
        const psc_name *name = &f->parameters.at[k].name;
        const entry *other = find_name(&own, name->text);
        if (other) {
            psc_note(ERROR(PSC_E_DUPLICATE, name->span, "this function has a `%s` already", name->text), other->span,
                     "it is here");
        }
        add_name(u, &own, PSC_INDEX_PARAMETER, name, NULL);
        index_type(u, name, &f->parameters.at[k].type);
    }
    fn->poisoned = u->diags->errors != errors;
    own.outer = file;
    check_names(u, f->body, &own);
}

static void resolve_fns(psc_unit *u, const scope *file)
{
    for (size_t i = 0; i < u->file->fns.count; i++) {
        psc_fn f = {.node = u->file->fns.at[i]};
        psc_push(u->arena, &u->fns, f);
    }
    for (size_t i = u->fns.count; i-- > 0;) { /* of two with one name the first */
        *psc_names_add(u->arena, &u->fn_names, u->fns.at[i].node->name.text) = &u->fns.at[i];
    }
    for (size_t i = 0; i < u->fns.count; i++) {
        resolve_fn(u, i, file);
    }
    visitor v = {.u = u};
    v.states = psc_alloc(u->arena, (u->fns.count + 1) * sizeof *v.states);
    for (size_t i = 0; i < u->fns.count; i++) {
        if (v.states[i] == UNSEEN) {
            visit_fn(&v, i);
        }
    }
}

/* ---- pipelines ---- */

static const psc_message *resolve_message(psc_unit *u, const psc_name *name)
{
    const psc_message *found = NULL;
    words messages = {0};
    for (size_t i = 0; i < u->schemas.count; i++) {
        const psc_schema *s = u->schemas.at[i];
        for (uint32_t k = 0; k < s->message_count; k++) {
            const psc_message *m = &s->messages[k];
            psc_push(u->arena, &messages, m->name);
            if (strcmp(m->name, name->text) != 0) {
                continue;
            }
            if (found) {
                psc_diagnostic *d = ERROR(PSC_E_DUPLICATE, name->span, "there are two messages `%s`", name->text);
                psc_note(d, found->span, "one is here");
                psc_note(d, m->span, "the other is here");
                psc_help(d, "import one of the two schemas only");
                return NULL;
            }
            found = m;
        }
    }
    if (!found && strcmp(name->text, "variant") == 0) {
        psc_help(ERROR(PSC_E_TYPE, name->span, "a pipeline takes and gives messages, and a variant is a field of one"),
                 "write `message NAME { FIELD: variant[<=4096]; }` in a schema");
        return NULL;
    }
    if (found) {
        psc_index_add_name(u, PSC_INDEX_MESSAGE, name->span, found->span);
    }
    psc_diagnostic *d = found ? NULL : unknown(u, name, "message ", &messages);
    if (d && u->schemas.count == 0) {
        psc_help(d, "messages are declared in schemas: `import \"NAME.psy\"`");
    }
    return found;
}

/* One message is taken or given as it is, several as the parts of one. */
static const psc_message *combine(psc_unit *u, const psc_pipeline *p, const char *word, const psc_component *components,
                                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!components[i].message) {
            return NULL; /* reported */
        }
    }
    return count == 1 ? components[0].message : psc_compose(u, &p->node->name, word, components, count);
}

static void resolve_input(psc_unit *u, psc_pipeline *p, scope *s)
{
    const hrm_pipeline *n = p->node;
    const size_t count = n->parameters.count;
    psc_component *components = psc_alloc(u->arena, (count + 1) * sizeof *components);
    unsigned errors = u->diags->errors;
    if (count == 0) {
        ERROR(PSC_E_ARGUMENTS, n->name.span, "a pipeline takes a message");
    }
    if (count > PSC_COMPONENTS_MAX) {
        ERROR(PSC_E_LIMIT, n->name.span, "a pipeline takes at most %d messages", PSC_COMPONENTS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const hrm_parameter *q = &n->parameters.at[i];
        components[i] = (psc_component){&q->name, NULL};
        if (q->type.dims.count) {
            ERROR(PSC_E_TYPE, q->type.span, "a pipeline takes a message, not a tensor");
        } else {
            const psc_message *m = resolve_message(u, &q->type.dtype);
            components[i].message = m && psc_message_is_taken(u, m, q->type.span) ? m : NULL;
        }
        const entry *other = find_name(s, q->name.text);
        if (other) {
            psc_note(ERROR(PSC_E_DUPLICATE, q->name.span, "there is a `%s` already", q->name.text), other->span, "it is here");
        }
        add_name(u, s, PSC_INDEX_PARAMETER, &q->name, NULL);
        index_type(u, &q->name, &q->type);
    }
    p->input = u->diags->errors == errors ? combine(u, p, "Request", components, count) : NULL;
}

/* What it gives, and that it does: a record for every result, in order. */
static void resolve_output(psc_unit *u, psc_pipeline *p)
{
    const hrm_pipeline *n = p->node;
    const size_t count = n->results.count;
    psc_component *components = psc_alloc(u->arena, (count + 1) * sizeof *components);
    unsigned errors = u->diags->errors;
    if (count > PSC_COMPONENTS_MAX) {
        ERROR(PSC_E_LIMIT, n->result_span, "a pipeline gives at most %d messages", PSC_COMPONENTS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const hrm_result *r = &n->results.at[i];
        const psc_message *m = resolve_message(u, &r->message);
        components[i] = (psc_component){&r->name, m && psc_message_is_given(u, m, r->message.span) ? m : NULL};
        for (size_t k = 0; r->name.text && k < i; k++) {
            if (strcmp(n->results.at[k].name.text, r->name.text) == 0) {
                psc_note(ERROR(PSC_E_DUPLICATE, r->name.span, "there is a `%s` already", r->name.text),
                         n->results.at[k].name.span, "it is here");
                break;
            }
        }
    }
    if (n->records.count != count) {
        psc_note(ERROR(PSC_E_TYPE, n->record_span, "the pipeline gives %zu message%s, not %zu", count, count == 1 ? "" : "s",
                       n->records.count),
                 n->result_span, "as declared here");
    }
    for (size_t i = 0; i < count && i < n->records.count; i++) {
        const psc_name *is = &n->records.at[i]->name, *declared = &n->results.at[i].message;
        if (components[i].message) {
            psc_index_add_name(u, PSC_INDEX_MESSAGE, is->span, components[i].message->span);
        }
        if (components[i].message && strcmp(is->text, declared->text) != 0) {
            psc_note(ERROR(PSC_E_TYPE, is->span, "the pipeline gives `%s`, not `%s`", declared->text, is->text), declared->span,
                     "as declared here");
        }
    }
    p->output = u->diags->errors == errors && count > 0 ? combine(u, p, "Reply", components, count) : NULL;
}

static void warn_unused(psc_unit *u, const psc_name *name, const char *what)
{
    /* A leading `_` says that it is meant. */
    if (name->text[0] != '_' && name->span.source == u->source && u->diags->errors == 0) {
        psc_warn(u->diags, PSC_W_UNUSED, name->span, "%s`%s` is never used", what, name->text);
    }
}

static void resolve_lets(psc_unit *u, const hrm_pipeline *n, scope *s)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < n->lets.count; i++) {
        count += n->lets.at[i]->names.count;
    }
    bool *used = psc_alloc(u->arena, count + 1);
    for (size_t i = 0; i < n->lets.count; i++) {
        const hrm_let *l = n->lets.at[i];
        check_names(u, l->value, s);
        for (size_t k = 0; k < l->names.count; k++) {
            const psc_name *name = &l->names.at[k];
            const entry *other = find_name(s, name->text);
            if (other) {
                psc_diagnostic *d = ERROR(PSC_E_DUPLICATE, name->span, "there is a `%s` already", name->text);
                psc_note(d, other->span, "it is here");
                psc_help(d, "values are never changed: give it another name");
            }
            add_name(u, s, PSC_INDEX_LET, name, &used[at++]);
        }
    }
    for (size_t i = 0; i < n->records.count; i++) {
        check_names(u, n->records.at[i], s);
    }
    at = 0;
    for (size_t i = 0; i < n->lets.count; i++) {
        for (size_t k = 0; k < n->lets.at[i]->names.count; k++, at++) {
            if (!used[at]) {
                warn_unused(u, &n->lets.at[i]->names.at[k], "");
            }
        }
    }
}

/* The sizes that the pipeline's variants bring, in any of its alternatives. */
static void message_sizes(psc_unit *u, const psc_pipeline *p, scope *s)
{
    for (size_t i = 0; i < p->node->guards.count; i++) {
        const hrm_guard *g = &p->node->guards.at[i];
        for (size_t k = 0; k < g->types.count; k++) {
            for (size_t d = 0; d < g->types.at[k].dims.count; d++) {
                const hrm_expr *e = g->types.at[k].dims.at[d];
                if (e->kind == HRM_NAME && !find_name(s, e->name.text)) {
                    add_name(u, s, PSC_INDEX_SIZE, &e->name, NULL);
                }
            }
        }
    }
}

static void resolve_pipeline(psc_unit *u, const hrm_pipeline *n, const scope *file)
{
    psc_pipeline *p = psc_new(u->arena, psc_pipeline);
    unsigned errors = u->diags->errors;
    p->node = n;
    p->name = n->name.text;
    p->alternatives = 1;
    for (size_t i = 0, taken = 0; i < u->pipelines.count && !taken; i++) {
        taken = strcmp(u->pipelines.at[i]->node->name.text, n->name.text) == 0;
        if (taken) {
            psc_note(ERROR(PSC_E_DUPLICATE, n->name.span, "there is a pipeline `%s` already", n->name.text),
                     u->pipelines.at[i]->node->name.span, "it is here");
        }
    }
    scope own = {.outer = file};
    psc_attributes_resolve(u, &n->attributes, PSC_AT_PIPELINE);
    resolve_input(u, p, &own);
    resolve_output(u, p);
    psc_index_add_name(u, PSC_INDEX_PIPELINE, n->name.span, n->name.span);
    if (n->lets.count > PSC_VALUES_MAX) {
        ERROR(PSC_E_LIMIT, n->name.span, "pipeline `%s` has more than %d `let`", n->name.text, PSC_VALUES_MAX);
        p->poisoned = true;
        psc_push(u->arena, &u->pipelines, p);
        return;
    }
    p->poisoned = u->diags->errors != errors;
    psc_push(u->arena, &u->pipelines, p);
    if (psc_variant_resolve(u, p)) {
        message_sizes(u, p, &own);
    }
    resolve_lets(u, n, &own);
}

void psc_resolve_bodies(psc_unit *u)
{
    scope file = {.outer = NULL};
    file_names(u, &file);
    resolve_fns(u, &file);
    for (size_t i = 0; i < u->file->pipelines.count; i++) {
        resolve_pipeline(u, u->file->pipelines.at[i], &file);
    }
    for (size_t i = 0; i < u->constants.count; i++) {
        psc_name name = {u->constants.at[i].name, u->constants.at[i].span, NULL};
        if (!u->constants.at[i].used) {
            warn_unused(u, &name, "constant ");
        }
    }
    for (size_t i = 0; i < u->residents.count; i++) {
        if (!u->residents.at[i].used) {
            warn_unused(u, &u->residents.at[i].node->name, "resident ");
        }
    }
    for (size_t i = 0; i < u->params.count; i++) {
        if (!u->params.at[i].used) {
            warn_unused(u, &u->params.at[i].node->name, "param ");
        }
    }
    for (size_t i = 0; i < u->fns.count; i++) {
        if (!u->fns.at[i].used) {
            warn_unused(u, &u->fns.at[i].node->name, "function ");
        }
    }
}
