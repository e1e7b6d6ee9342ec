/* SPDX-License-Identifier: Apache-2.0 */
/* From a parsed schema to a checked and laid out one. */
#include "schema.h"

#include <string.h>

#include "import.h"
#include "schema_names.h"
#include "schema_state.h"

size_t psc_schema_within(psc_schema_resolver *r, size_t count, size_t most, const char *what, psc_span at)
{
    if (count > most) {
        psc_error(r->diags, PSC_E_LIMIT, at, "more than %zu %s", most, what);
    }
    return count > most ? most : count;
}

static void resolve_constants(psc_schema_resolver *r)
{
    psc_schema *s = r->schema;
    size_t all = r->file->constants.count;
    size_t count = psc_schema_within(r, all, PSC_CONSTANTS_MAX, "constants in a file",
                                     all ? r->file->constants.at[all - 1].name.span : (psc_span){0});
    s->constants = psc_alloc(r->arena, count * sizeof *s->constants);
    for (size_t i = 0; i < count; i++) {
        const psy_const_node *node = &r->file->constants.at[i];
        psc_constant *c = &s->constants[s->constant_count];
        psc_number v = psc_schema_evaluate(r, node->value);
        *c = (psc_constant){.name = node->name.text,
                            .span = node->name.span,
                            .doc = node->name.doc,
                            .is_float = v.kind == PSC_NUMBER_REAL,
                            .integer = v.integer,
                            .real = v.real,
                            .poisoned = v.kind == PSC_NUMBER_POISON};
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

/* ---- looking things up ---- */

const char *psc_field_word(const psc_field *f)
{
    const char *dot = strrchr(f->name, '.');
    return dot ? dot + 1 : f->name;
}

uint32_t psc_field_find(const psc_message *m, uint32_t parent, const char *name)
{
    uint32_t i = 0;
    while (i < m->field_count && (m->fields[i].layout.parent != parent || strcmp(psc_field_word(&m->fields[i]), name) != 0)) {
        i++;
    }
    return i;
}

/* An import that leads nowhere leaves the schema incomplete. */
static void resolve_imports(psc_schema_resolver *r, psc_imports *imports)
{
    psc_schema *s = r->schema;
    size_t all = r->file->imports.count;
    size_t count = psc_schema_within(r, all, PSC_IMPORTS_MAX, "imports in a file",
                                     all ? r->file->imports.at[all - 1].span : (psc_span){0});
    s->imports = psc_alloc(r->arena, count * sizeof *s->imports);
    r->incomplete = count < all; /* and then none is followed */
    for (size_t i = 0; i < count && count == all; i++) {
        const psc_name *path = &r->file->imports.at[i];
        const psc_import_file *f = psc_import(imports, path->text, path->span);
        if (f && f->schema) {
            s->imports[s->import_count++] = (psc_schema_import){path->span, f->schema};
        } else {
            r->incomplete = true;
        }
    }
}

psc_schema *psc_schema_parse(psc_arena *arena, psc_diagnostics *diags, const psc_source *source)
{
    psc_imports imports = {.arena = arena, .diags = diags};
    return psc_imports_schema(&imports, source);
}

psc_schema *psc_schema_resolve(psc_imports *imports, const psc_source *source, uint32_t number)
{
    psc_arena *arena = imports->arena;
    psc_diagnostics *diags = imports->diags;
    unsigned errors = diags->errors;
    psc_syntax syntax = {.arena = arena, .diags = diags, .source = source};
    const psy_file *file = psc_psy_parse_file(&syntax);
    psc_schema *s = psc_new(arena, psc_schema);
    psc_schema_resolver r = {.arena = arena, .diags = diags, .file = file, .imports = imports, .schema = s};
    resolve_imports(&r, imports);
    if (syntax.gave_up) {
        return NULL;
    }
    s->source = source;
    s->number = number;
    s->space = "";
    s->space_span = file->space_span;
    for (size_t i = 0; i < file->space.count && strlen(s->space) <= PSC_NAMESPACE_MAX; i++) {
        s->space = psc_format(arena, "%s%s%s", s->space, i ? "." : "", file->space.at[i].text);
    }
    if (strlen(s->space) > PSC_NAMESPACE_MAX) {
        psc_error(diags, PSC_E_LIMIT, file->space_span, "a namespace has at most %d characters", PSC_NAMESPACE_MAX);
    }
    resolve_constants(&r);
    psc_schema_resolve_types(&r);
    if (diags->errors == errors && !r.incomplete) {
        psc_schema_check_names(arena, diags, s);
    }
    return diags->errors == errors && !r.incomplete ? s : NULL;
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

const psc_message *psc_schema_type(const psc_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->order_count; i++) {
        const psc_message *m = schema->order[i];
        if (m->layout.kind != PSY_TYPE_UNION && (strcmp(m->name, name) == 0 || strcmp(m->full_name, name) == 0)) {
            return m;
        }
    }
    return NULL;
}
