/* SPDX-License-Identifier: Apache-2.0 */
/* What stands under the cursor, and where it is declared. */
#include <inttypes.h>
#include <string.h>

#include "builtins.h"
#include "lsp/imports.h"

enum { SHOWN_MAX = 300 };

/* ---- texts ---- */

const char *lsp_constant_value(psc_arena *arena, const psc_constant *c)
{
    return c->is_float ? psc_index_real(arena, c->real) : psc_integer_text(arena, c->integer);
}

static json_t *answer(const lsp_question *q, psc_span at, const char *code, const char *text)
{
    const char *language = q->document->is_schema ? "psy" : "hrm";
    const char *value = q->markdown ? psc_format(q->arena, "```%s\n%s\n```%s%s", language, code, *text ? "\n" : "", text)
                                    : psc_format(q->arena, "%s%s%s", code, *text ? "\n\n" : "", text);
    return json_pack("{s:{s:s,s:o},s:o}", "contents", "kind", q->markdown ? "markdown" : "plaintext", "value",
                     lsp_text(value, strlen(value)), "range", lsp_range(&q->a->lines, at.begin, at.end));
}

static bool is_number(const psc_message *m) { return m->layout.kind == PSY_TYPE_ENUM || m->layout.kind == PSY_TYPE_FLAGS; }

/* "price: f32", "de = 4" */
static const char *field_text(const lsp_question *q, const psc_message *m, const psc_field *f)
{
    return !is_number(m) ? psc_format(q->arena, "%s: %s", f->name, psc_field_type_text(q->arena, f))
           : m->layout.kind == PSY_TYPE_FLAGS
               ? psc_format(q->arena, "%s = 0x%" PRIx64, f->name, f->layout.default_bits)
               : psc_format(q->arena, "%s = %" PRId64, f->name,
                            (int64_t)psc_fold_cast(f->layout.dtype, PSY_I64, f->layout.default_bits));
}

static json_t *hover_field(const lsp_question *q, psc_span at, const psc_message *m, const psc_field *f)
{
    const unsigned flags = f->layout.flags;
    const char *code = psc_format(q->arena, "%s%s", field_text(q, m, f),
                                  flags & PSY_FIELD_KEY       ? " @key"
                                  : flags & PSY_FIELD_RETIRED ? " @retired"
                                                              : "");
    const char *since = f->layout.since > 1 ? psc_format(q->arena, ", since version %u", f->layout.since) : "";
    const char *place = is_number(m) ? "" : psc_format(q->arena, ", at byte %u", f->layout.offset);
    const char *old =
        f->deprecated ? psc_format(q->arena, "\n\nDeprecated%s%s", *f->deprecated ? ": " : ".", f->deprecated) : "";
    return answer(q, at, code,
                  psc_format(q->arena, "A %s of `%s`%s%s.%s%s%s", is_number(m) ? "value" : "field", m->name, place, since, old,
                             f->doc ? "\n\n" : "", f->doc ? f->doc : ""));
}

static json_t *hover_type(const lsp_question *q, psc_span at, const psc_message *m)
{
    enum { FIELDS_SHOWN_MAX = 24 };
    const char *code = psc_format(q->arena, "%s %s%s%s {", psc_type_word(m), m->name, is_number(m) ? ": " : "",
                                  is_number(m) ? psy__dtype_name(m->layout.dtype) : "");
    unsigned shown = 0;
    for (uint32_t i = 0; i < m->field_count && shown <= FIELDS_SHOWN_MAX; i++) {
        if (m->fields[i].layout.parent != PSY_NONE) {
            continue;
        }
        code = shown++ == FIELDS_SHOWN_MAX ? psc_format(q->arena, "%s\n    ...", code)
                                           : psc_format(q->arena, "%s\n    %s;", code, field_text(q, m, &m->fields[i]));
    }
    code = psc_format(q->arena, "%s\n}", code);
    const char *tail = m->layout.flags & PSY_TYPE_TAILED ? " and a tail" : "";
    const char *version = m->layout.kind == PSY_TYPE_STRUCT ? "" : psc_format(q->arena, ", version %u", m->layout.version);
    return answer(q, at, code,
                  psc_format(q->arena, "`%s`, %" PRIu64 " byte%s%s%s.%s%s", m->full_name, (uint64_t)m->layout.bytes,
                             m->layout.bytes == 1 ? "" : "s", tail, version, m->doc ? "\n\n" : "", m->doc ? m->doc : ""));
}

static json_t *hover_constant(const lsp_question *q, psc_span at, const psc_constant *c)
{
    return answer(q, at, psc_format(q->arena, "const %s = %s", c->name, lsp_constant_value(q->arena, c)), c->doc ? c->doc : "");
}

static json_t *hover_import(const lsp_question *q, psc_span at, const psc_source *file)
{
    return answer(q, at, psc_format(q->arena, "import %s", lsp_word(q->arena, at)), file->path);
}

/* ---- schemas ---- */

static bool starts_at(psc_span name, psc_span definition)
{
    return name.source == definition.source && name.begin == definition.begin;
}

/* What a schema declares at that place; NULL where it declares nothing there. */
static json_t *hover_declared(const lsp_question *q, const psc_schema *s, psc_span at, psc_span definition)
{
    for (uint32_t i = 0; i < s->constant_count; i++) {
        if (starts_at(s->constants[i].span, definition)) {
            return hover_constant(q, at, &s->constants[i]);
        }
    }
    for (uint32_t i = 0; i < s->order_count; i++) {
        const psc_message *m = s->order[i];
        if (m->layout.kind != PSY_TYPE_UNION && starts_at(m->span, definition)) {
            return hover_type(q, at, m);
        }
        for (uint32_t k = 0; k < m->field_count; k++) {
            if (m->fields[k].layout.parent == PSY_NONE && starts_at(m->fields[k].span, definition)) {
                return hover_field(q, at, m, &m->fields[k]);
            }
        }
    }
    return NULL;
}

/* The word at the cursor, or just before it. */
static psc_span word_at(const lsp_question *q)
{
    const psc_spans *words = &q->a->outline->words;
    psc_span found = {0};
    for (size_t i = 0; i < words->count && words->at[i].begin <= q->offset; i++) {
        if (q->offset <= words->at[i].end && lsp_is_name(words->at[i])) {
            found = words->at[i];
        }
    }
    return found;
}

/* Names in a schema are declared by items; what else is named is a constant, or a message inside another. */
static psc_span schema_definition(const lsp_question *q, psc_span word)
{
    const lsp_outline *o = q->a->outline;
    psc_span found = {0};
    for (size_t i = 0; word.source && i < o->items.count; i++) {
        const lsp_item *item = &o->items.at[i];
        if (starts_at(item->name, word)) {
            return item->name;
        }
        if ((item->kind == LSP_CONSTANT || item->kind == LSP_MESSAGE || item->kind == LSP_ENUM) && lsp_same(item->name, word)) {
            found = item->name;
        }
    }
    return found;
}

/* Where the name at the cursor, *word, is declared: in the file, or else in *schema, which it imports. */
static psc_span name_in_schema(const lsp_question *q, psc_span *word, const psc_schema **schema)
{
    psc_span dotted = lsp_dotted_at(q);
    *word = word_at(q);
    psc_span own = schema_definition(q, *word);
    bool whole = lsp_same(dotted, *word);
    if (!dotted.source || (own.source && whole)) {
        return own;
    }
    const char *name = lsp_word(q->arena, dotted);
    psc_span imported = lsp_imported(q, name, schema);
    if (imported.source) {
        *word = dotted;
    }
    return imported.source ? imported : own;
}

/* ---- programs ---- */

static const lsp_item *item_of(const lsp_question *q, psc_span name)
{
    for (size_t i = 0; i < q->a->outline->items.count; i++) {
        if (starts_at(q->a->outline->items.at[i].name, name)) {
            return &q->a->outline->items.at[i];
        }
    }
    return NULL;
}

/* What is written of it, or of functions and pipelines what stands before their body. */
static const char *declaration(const lsp_question *q, psc_span name)
{
    const lsp_item *item = item_of(q, name);
    if (!item) {
        return lsp_word(q->arena, name);
    }
    psc_span head = item->all;
    head.end = item->kind == LSP_FUNCTION || item->kind == LSP_PIPELINE ? item->type.end : item->all.end;
    return lsp_slice(q->arena, head, SHOWN_MAX);
}

static json_t *hover_value(const lsp_question *q, const psc_index_name *n)
{
    const psc_index *x = q->a->unit->index;
    const char *declared = psc_index_type_of(x, n->definition), *here = psc_index_type_of(x, n->at);
    const char *name = lsp_word(q->arena, n->at), *what = n->kind == PSC_INDEX_LET ? "let " : "";
    const char *type = declared ? declared : here;
    const char *code = type ? psc_format(q->arena, "%s%s: %s", what, name, type) : psc_format(q->arena, "%s%s", what, name);
    /* A function's parameter has the argument's type where the function is written out. */
    bool other = declared && here && strcmp(declared, here) != 0;
    return answer(q, n->at, code, other ? psc_format(q->arena, "`%s` in the first call.", here) : "");
}

static json_t *hover_size(const lsp_question *q, const psc_index_name *n, const char *type)
{
    const char *text = "A size of the function, known where it is called.";
    for (size_t i = 0; i < q->a->outline->items.count; i++) {
        const lsp_item *item = &q->a->outline->items.at[i];
        if (item->kind == LSP_RESIDENT && item->all.begin <= n->definition.begin && n->definition.begin < item->all.end) {
            text = "A size, known when the data is loaded.";
        } else if (item->kind == LSP_PARAM && item->all.begin <= n->definition.begin && n->definition.begin < item->all.end) {
            text = "A size, read with the weights.";
        }
    }
    bool value = type && strncmp(type, "size ", 5) != 0;
    return answer(q, n->at, lsp_word(q->arena, n->at),
                  value ? psc_format(q->arena, "%s In the first call: %s.", text, type) : text);
}

static json_t *hover_name(const lsp_question *q, const psc_index_name *n)
{
    const psc_unit *u = q->a->unit;
    const char *name = lsp_word(q->arena, n->at), *signature, *text, *type = psc_index_type_of(u->index, n->at);
    switch (n->kind) {
    case PSC_INDEX_BUILTIN:
        return psc_builtin_describe(q->arena, name, &signature, &text) ? answer(q, n->at, signature, text) : NULL;
    case PSC_INDEX_LET:
    case PSC_INDEX_PARAMETER: return hover_value(q, n);
    case PSC_INDEX_SIZE: return hover_size(q, n, type);
    case PSC_INDEX_IMPORT: return hover_import(q, n->at, n->definition.source);
    case PSC_INDEX_CONSTANT:
    case PSC_INDEX_MESSAGE:
    case PSC_INDEX_FIELD:
        for (size_t i = 0; i < u->schemas.count; i++) {
            if (u->schemas.at[i]->source == n->definition.source) {
                return hover_declared(q, u->schemas.at[i], n->at, n->definition);
            }
        }
        break;
    default: break;
    }
    return answer(q, n->at, declaration(q, n->definition), "");
}

static json_t *hover_schema(const lsp_question *q)
{
    const psc_import_edge *import = lsp_import_at(q);
    const psc_schema *schema = q->a->schema;
    psc_span word, definition = name_in_schema(q, &word, &schema);
    return import                        ? hover_import(q, import->at, import->file->source)
           : schema && definition.source ? hover_declared(q, schema, word, definition)
                                         : NULL;
}

json_t *lsp_hover(const lsp_question *q)
{
    if (q->document->is_schema) {
        return hover_schema(q);
    }
    const psc_index_name *n = psc_index_name_at(q->a->unit->index, q->offset);
    if (n) {
        return hover_name(q, n);
    }
    const psc_index_type *t = psc_index_type_at(q->a->unit->index, q->offset);
    return t ? answer(q, t->at, t->text, "") : NULL;
}

json_t *lsp_definition(const lsp_question *q)
{
    psc_span definition = {0};
    if (q->document->is_schema) {
        const psc_import_edge *import = lsp_import_at(q);
        const psc_schema *schema = NULL;
        psc_span word;
        definition = import ? (psc_span){import->file->source, 0, 0} : name_in_schema(q, &word, &schema);
    } else {
        const psc_index_name *n = psc_index_name_at(q->a->unit->index, q->offset);
        definition = n ? n->definition : definition;
    }
    return definition.source ? lsp_location(q->all, q->arena, definition) : NULL;
}
