/* SPDX-License-Identifier: Apache-2.0 */
#include "param.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "weights.h"

#define ERROR(...) psc_error(u->diags, __VA_ARGS__)

/* A .safetensors file that was read before: its header is read once. */
typedef struct weights_file {
    const char *path;
    const psc_safetensors *header;
} weights_file;

typedef struct loader {
    psc_unit *unit;
    PSC_LIST(weights_file) files;
    uint64_t bytes; /* of all params so far */
} loader;

/* ---- the file ---- */

static bool check_kind(psc_unit *u, const hrm_param *n)
{
    const char *help;
    if (psc_weights_kind_of(n->path.text, &help) != PSC_WEIGHTS_UNKNOWN) {
        return true;
    }
    psc_diagnostic *d = ERROR(PSC_E_WEIGHTS, n->path.span, "weights are read from .npy and .safetensors files");
    if (help) {
        psc_help(d, "%s", help);
    }
    return false;
}

static bool open_file(psc_unit *u, const hrm_param *n, psc_blob *blob, const char **path)
{
    int error = 0;
    for (size_t k = 0; (*path = psc_include_path(u, n->path.text, k)); k++) {
        if (psc_blob_open(blob, *path)) {
            return true;
        }
        error = error == 0 || error == ENOENT ? errno : error;
    }
    psc_diagnostic *d = ERROR(PSC_E_WEIGHTS, n->path.span, "%s cannot be read: %s", n->path.text, psc_source_problem(error));
    if (error == ENOENT) {
        psc_help(d, "it is looked for beside %s and in the folders given with -I", u->source->path);
    }
    return false;
}

static const psc_safetensors *header_of(loader *l, const psc_blob *blob, const char *path, psc_weights_problem *problem)
{
    psc_unit *u = l->unit;
    for (size_t i = 0; i < l->files.count; i++) {
        if (strcmp(l->files.at[i].path, path) == 0) {
            return l->files.at[i].header;
        }
    }
    weights_file f = {path, psc_safetensors_read(u->arena, blob, problem)};
    if (f.header) {
        psc_push(u->arena, &l->files, f);
    }
    return f.header;
}

static void say(psc_unit *u, const hrm_param *n, const psc_weights_problem *problem)
{
    bool about_name = problem->names.count > 0 || (problem->unnamed && n->tensor.text);
    psc_diagnostic *d = ERROR(PSC_E_WEIGHTS, about_name && n->tensor.text ? n->tensor.span : n->path.span, "%s: %s",
                              n->path.text, problem->text);
    if (problem->help) {
        psc_help(d, "%s", problem->help);
    } else if (problem->unnamed && n->tensor.text) {
        psc_help(d, "write `= \"%s\"`", n->path.text);
    } else if (problem->unnamed) {
        psc_help(d, "write `= \"%s\"[\"%s\"]`", n->path.text, problem->names.count ? problem->names.at[0] : "NAME");
    } else if (problem->names.count && !psc_help_nearest(d, n->tensor.text, problem->names.at, problem->names.count)) {
        enum { SHOWN_MAX = 6 };
        const char *list = "";
        for (size_t i = 0; i < problem->names.count && i < SHOWN_MAX; i++) {
            list = psc_format(u->arena, "%s%s`%s`", list, i ? ", " : "", problem->names.at[i]);
        }
        psc_help(d, "it has %s%s", list, problem->names.count > SHOWN_MAX ? " and more" : "");
    }
}

static bool find_tensor(loader *l, const hrm_param *n, const psc_blob *blob, const char *path, psc_tensor *t)
{
    psc_unit *u = l->unit;
    psc_weights_problem problem = {.text = NULL};
    bool ok = false;
    *t = (psc_tensor){.dtype = 0};
    if (psc_weights_kind_of(n->path.text, &problem.help) == PSC_WEIGHTS_NPY) {
        problem.unnamed = n->tensor.text != NULL;
        ok = problem.unnamed ? psc_weights_fail(u->arena, &problem, "a .npy file holds one tensor, which has no name")
                             : psc_npy_find(u->arena, blob, t, &problem);
    } else {
        const psc_safetensors *header = header_of(l, blob, path, &problem);
        ok = header && psc_safetensors_find(u->arena, header, n->tensor.text, t, &problem);
    }
    if (!ok) {
        say(u, n, &problem);
    }
    return ok;
}

/* ---- type and shape ---- */

static const char *written_type(psc_unit *u, const psc_tensor *t)
{
    const char *text = psy__dtype_name(t->dtype);
    for (uint32_t d = 0; d < t->rank; d++) {
        text = psc_format(u->arena, "%s%s%" PRIu64 "%s", text, d ? ", " : "[", t->dims[d], d + 1 == t->rank ? "]" : "");
    }
    return text;
}

static const char *declared_type(psc_unit *u, const hrm_type *t)
{
    return psc_strndup(u->arena, t->span.source->text + t->span.begin, t->span.end - t->span.begin);
}

static bool check_dtype(psc_unit *u, const psc_param *p, const psc_tensor *t)
{
    const hrm_param *n = p->node;
    if (t->dtype == 0) {
        ERROR(PSC_E_TYPE, n->path.span, "the elements in %s are `%s`, which no element type is", n->path.text, t->written);
        return false;
    }
    if (t->dtype != p->dtype) {
        psc_diagnostic *d = ERROR(PSC_E_TYPE, n->type.dtype.span, "`%s` is declared as %s, and what is in %s is %s",
                                  n->name.text, declared_type(u, &n->type), n->path.text, written_type(u, t));
        psc_note(d, n->path.span, "it is read from here");
        psc_help(d, "declare it as %s, and cast it where it is used: `%s(%s)`", psy__dtype_name(t->dtype),
                 psy__dtype_name(p->dtype), n->name.text);
        return false;
    }
    return true;
}

/* Both shapes, and where a size that has a name got its value. */
static void shape_error(psc_unit *u, const psc_param *p, const psc_tensor *t)
{
    const hrm_param *n = p->node;
    psc_diagnostic *d = ERROR(PSC_E_SHAPE, n->type.span, "`%s` is declared as %s, and what is in %s is %s", n->name.text,
                              declared_type(u, &n->type), n->path.text, written_type(u, t));
    for (uint32_t k = 0; k < n->type.dims.count; k++) {
        const hrm_expr *e = n->type.dims.at[k];
        const psc_constant_value *c = e->kind == HRM_NAME ? psc_constant_find(u, e->name.text) : NULL;
        if (c && !c->poisoned && !c->is_float && !(c->span.source == e->span.source && c->span.begin == e->span.begin)) {
            psc_note(d, c->span, "%s is %s since here", c->name, psc_integer_text(u->arena, c->integer));
        }
    }
}

/* A declared size against what the file has; a name that is new is bound. */
static bool take_dim(psc_unit *u, const hrm_expr *e, uint64_t size, bool *same)
{
    if (e->kind == HRM_NAME && strcmp(e->name.text, PSC_SHARDS) == 0) {
        psc_help(ERROR(PSC_E_DUPLICATE, e->span, "`%s` is how many shards there are", PSC_SHARDS),
                 "give the size another name");
        return false;
    }
    if (e->kind == HRM_NAME && !psc_constant_find(u, e->name.text)) {
        if (u->constants.count >= PSC_CONSTANTS_MAX) {
            ERROR(PSC_E_LIMIT, e->span, "there are more than %d constants and sizes", PSC_CONSTANTS_MAX);
            return false;
        }
        psc_constant_value c = {
            .name = e->name.text, .span = e->span, .integer = (psc_integer)size, .used = true, .is_size = true};
        psc_push(u->arena, &u->constants, c);
        psc_index_add_name(u, PSC_INDEX_SIZE, e->span, e->span);
        return true;
    }
    psc_constant_value c = psc_evaluate(u, e);
    *same = *same && !c.is_float && c.integer == (psc_integer)size;
    return !c.poisoned;
}

static bool check_shape(psc_unit *u, psc_param *p, const psc_tensor *t)
{
    const hrm_param *n = p->node;
    bool ok = true, same = t->rank == n->type.dims.count, empty = false;
    for (uint32_t d = 0; d < t->rank; d++) {
        empty = empty || t->dims[d] == 0 || t->dims[d] > INT32_MAX;
        p->dims[d] = (psy_dim)t->dims[d];
    }
    if (empty) {
        ERROR(PSC_E_SHAPE, n->path.span, "what is in %s is %s: a size is a number from 1 to %d", n->path.text,
              written_type(u, t), INT32_MAX);
        return false;
    }
    for (uint32_t d = 0; same && d < t->rank; d++) {
        ok = take_dim(u, n->type.dims.at[d], t->dims[d], &same) && ok;
    }
    if (ok && !same) {
        shape_error(u, p, t);
    }
    p->rank = (uint8_t)t->rank;
    return ok && same;
}

/* ---- the pass ---- */

/* What can be said without the file. */
static bool check_declaration(psc_unit *u, psc_param *p)
{
    const hrm_param *n = p->node;
    bool ok = psc_name_is_free(u, &n->name);
    p->dtype = (uint8_t)psy__dtype_named(n->type.dtype.text, strlen(n->type.dtype.text));
    if (p->dtype == 0) {
        psc_syntax_no_type(u->diags, &n->type.dtype);
        ok = false;
    } else if (psc_type_is_bounded(u, &n->type)) {
        ok = false;
    }
    if (n->type.dims.count > PSY_RANK_MAX) {
        ERROR(PSC_E_SHAPE, n->type.span, "a tensor has at most %d axes", PSY_RANK_MAX);
        ok = false;
    }
    if (n->placement.text) {
        psc_diagnostic *d =
            ERROR(PSC_E_SPLIT, n->placement.span, "weights are part of the program: every shard has all of them");
        psc_help(d, "data that is spread over the shards is `resident`: `resident %s: %s split N`", n->name.text,
                 declared_type(u, &n->type));
        ok = false;
    }
    return ok;
}

static bool take_elements(loader *l, psc_param *p, const psc_blob *blob, const psc_tensor *t)
{
    psc_unit *u = l->unit;
    psc_weights_problem problem = {.text = NULL};
    if (t->bytes > PSC_WEIGHTS_BYTES_MAX || l->bytes + t->bytes > PSC_WEIGHTS_BYTES_MAX) {
        psc_diagnostic *d =
            ERROR(PSC_E_LIMIT, p->node->name.span, "the weights up to here have more than %d MiB", PSC_WEIGHTS_BYTES_MAX >> 20);
        psc_help(d, "a module is no place for more: keep the largest as `resident` data");
        return false;
    }
    l->bytes += t->bytes;
    p->bytes = t->bytes;
    if (u->index && t->rank) {
        return true; /* an editor asks for types, at every key */
    }
    uint8_t *data = psc_alloc(u->arena, t->bytes + 8);
    if (!psc_weights_elements(u->arena, blob, t, data, &problem)) {
        say(u, p->node, &problem);
        return false;
    }
    p->data = data;
    return true;
}

static void resolve_param(loader *l, const hrm_param *n)
{
    psc_unit *u = l->unit;
    psc_param p = {.node = n};
    psc_blob blob = {.fd = -1};
    psc_tensor t;
    p.poisoned = !check_declaration(u, &p);
    if (!check_kind(u, n)) {
        p.poisoned = true;
    } else if (open_file(u, n, &blob, &p.path)) {
        psc_push(u->arena, &u->weights, p.path);
        p.poisoned = !find_tensor(l, n, &blob, p.path, &t) || p.poisoned;
        p.poisoned = p.poisoned || !check_dtype(u, &p, &t) || !check_shape(u, &p, &t) || !take_elements(l, &p, &blob, &t);
    } else {
        p.poisoned = true;
    }
    psc_blob_close(&blob);
    /* A size that the file was to tell: whoever uses it has no mistake to mend. */
    for (size_t d = 0; p.poisoned && d < n->type.dims.count; d++) {
        const hrm_expr *e = n->type.dims.at[d];
        if (e->kind == HRM_NAME && !psc_constant_find(u, e->name.text) && u->constants.count < PSC_CONSTANTS_MAX) {
            psc_constant_value c = {.name = e->name.text, .span = e->span, .poisoned = true, .used = true, .is_size = true};
            psc_push(u->arena, &u->constants, c);
        }
    }
    psc_push(u->arena, &u->params, p);
}

void psc_resolve_params(psc_unit *unit)
{
    loader l = {.unit = unit};
    for (size_t i = 0; i < unit->file->params.count; i++) {
        resolve_param(&l, &unit->file->params.at[i]);
    }
}

const psc_param *psc_param_find(const psc_unit *unit, const char *name, uint32_t *index)
{
    for (size_t i = 0; i < unit->params.count; i++) {
        if (strcmp(unit->params.at[i].node->name.text, name) == 0) {
            *index = (uint32_t)i;
            return &unit->params.at[i];
        }
    }
    return NULL;
}

psc_term psc_param_term(psc_lowering *l, const psc_param *p, uint32_t index, psc_span span)
{
    if (p->poisoned) {
        return psc_poison(span);
    }
    psc_value *v = psc_emit(l, span, PSY_OP_CONST, p->dtype, p->dims, p->rank, NULL, 0);
    if (v) {
        v->index = p->rank ? index : 0;
        v->name = p->node->name.text;
        if (p->rank == 0) {
            memcpy(&v->bits, p->data, p->bytes);
        }
    }
    return psc_of_value(v, span);
}
