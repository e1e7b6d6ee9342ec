/* SPDX-License-Identifier: Apache-2.0 */
/* The types of a schema: messages, structs, unions, enums and flags, checked and laid out, each after those that it refers to.
 */
#include <string.h>

#include "isa/layout.h"
#include "schema_state.h"

static const char *const words[PSY_TYPE_KIND_END] = {"message", "struct", "union", "enum", "flags"};

const char *psc_type_word(const psc_message *type) { return words[type->layout.kind]; }

const char *psc_type_phrase(const psc_message *type)
{
    static const char *const phrases[PSY_TYPE_KIND_END] = {"a message", "a struct", "a union", "an enum", "flags"};
    return phrases[type->layout.kind];
}

/* What its fields are. */
static const char *field_word(const psc_message *m)
{
    const unsigned kind = m->layout.kind;
    return kind == PSY_TYPE_UNION ? "member" : kind == PSY_TYPE_ENUM ? "value" : kind == PSY_TYPE_FLAGS ? "flag" : "field";
}

static bool is_number(const psc_message *m) { return m->layout.kind == PSY_TYPE_ENUM || m->layout.kind == PSY_TYPE_FLAGS; }

/* ---- layout ---- */

const char *psc_field_type_text(psc_arena *arena, const psc_field *f)
{
    char text[PSY_FIELD_TYPE_TEXT_BYTES];
    psy__field_type_text(text, &f->layout, f->layout.kind == PSY_FIELD_UNION ? "union" : f->type ? f->type->name : NULL);
    return f->part ? f->part->name : psc_strndup(arena, text, strlen(text));
}

psy_status psc_lay_out(psc_arena *arena, const char *full_name, psc_field *fields, uint32_t count, psy_psm_type *layout)
{
    /* The layout rules want names as offsets into strings, and types as places in a list. */
    size_t bytes = strlen(full_name) + 2;
    for (uint32_t i = 0; i < count; i++) {
        bytes += strlen(fields[i].name) + 1;
    }
    char *strings = psc_alloc(arena, bytes), *at = strings + 1;
    psy_psm_field *records = psc_alloc(arena, (count + 1) * sizeof *records);
    psy_psm_type *types = psc_alloc(arena, (count + 1) * sizeof *types);
    *layout =
        (psy_psm_type){.name = (uint32_t)(at - strings), .field_count = count, .kind = layout->kind, .dtype = layout->dtype};
    at = stpcpy(at, full_name) + 1;
    for (uint32_t i = 0; i < count; i++) {
        records[i] = fields[i].layout;
        records[i].name = (uint32_t)(at - strings);
        records[i].type = PSY_NONE;
        if (psc_field_refers(&fields[i])) {
            types[i] = fields[i].type->layout;
            records[i].type = i;
        }
        at = stpcpy(at, fields[i].name) + 1;
    }
    psy_status status = psy__layout(strings, types, count, layout, records);
    layout->name = 0;
    for (uint32_t i = 0; i < count; i++) {
        fields[i].layout = records[i];
        fields[i].layout.name = 0;
        fields[i].layout.type = PSY_NONE;
    }
    return status;
}

/* The first field with which the type has no layout any more. */
static void too_large(psc_schema_resolver *r, psc_message *m)
{
    uint32_t fits = 0, fails = m->field_count;
    while (fails - fits > 1) {
        uint32_t n = fits + (fails - fits) / 2;
        bool ok = psc_lay_out(r->arena, m->full_name, m->fields, n, &m->layout) == PSY_OK;
        *(ok ? &fits : &fails) = n;
    }
    /* Of what lies in a part, the part is to blame. */
    while (m->fields[fits].layout.parent != PSY_NONE) {
        fits = m->fields[fits].layout.parent;
    }
    psc_error(r->diags, PSC_E_LIMIT, m->fields[fits].span, "%s `%s` grows over 1 GiB with this field", psc_type_word(m),
              m->name);
}
_Static_assert(PSY_MESSAGE_BYTES_MAX == 1 << 30, "the message names it");

/* ---- fields ---- */

/* Fields are only added at the end, so none is older than the one before it. `newest` is the newest so far. */
static void check_since(psc_schema_resolver *r, const psc_message *m, psc_field *f, uint32_t *newest)
{
    if (f->layout.since != 0 && f->layout.since < *newest) {
        psc_help(psc_error(r->diags, PSC_E_FIELD, f->span, "`%s` is older than the %s before it", f->name, field_word(m)),
                 "%ss are only ever added at the end: `@since(%u)` or more", field_word(m), *newest);
    }
    *newest = f->layout.since > *newest ? f->layout.since : *newest;
}

static bool add_field(const psc_message_maker *k, const psc_field *f, psc_span span)
{
    if (k->fields->count == PSC_FIELDS_MAX) {
        psc_error(k->diags, PSC_E_LIMIT, span, "%s `%s` has more than %d fields, with those of its parts",
                  psc_type_word(k->message), k->message->name, PSC_FIELDS_MAX);
        return false;
    }
    psc_push(k->arena, k->fields, *f);
    return true;
}

/* Adds the fields of the part that was added last, as they lie in this type. */
static bool add_inner(const psc_message_maker *k)
{
    const uint32_t index = (uint32_t)k->fields->count - 1;
    const psc_field part = k->fields->at[index];
    for (uint32_t i = 0; i < part.part->field_count; i++) {
        psc_field f = part.part->fields[i];
        f.name = psc_format(k->arena, "%s.%s", part.name, f.name);
        f.layout.parent = f.layout.parent == PSY_NONE ? index : index + 1 + f.layout.parent;
        f.layout.flags &= (uint16_t)~PSY_FIELD_KEY;
        if (strlen(f.name) > PSC_FIELD_NAME_MAX) {
            psc_error(k->diags, PSC_E_LIMIT, part.span, "`%s` has more than %d characters", f.name, PSC_FIELD_NAME_MAX);
            return false;
        }
        if (!add_field(k, &f, part.span)) {
            return false;
        }
    }
    return true;
}

/* How deep types lie in types with this field. */
static bool deepen(const psc_message_maker *k, const psc_field *f)
{
    psc_message *m = k->message;
    const bool number = f->type && is_number(f->type);
    m->depth = f->type && !number && f->type->depth + 1 > m->depth ? f->type->depth + 1 : m->depth;
    if (m->depth > PSY_MESSAGE_DEPTH_MAX) {
        psc_error(k->diags, PSC_E_LIMIT, f->span, "messages inside messages are nested %u deep: at most %d", m->depth,
                  PSY_MESSAGE_DEPTH_MAX);
        return false;
    }
    return true;
}

bool psc_message_add(const psc_message_maker *k, const psc_field *f)
{
    bool good = add_field(k, f, f->span) && deepen(k, f) && (!f->part || add_inner(k));
    k->message->fields = k->fields->at;
    k->message->field_count = (uint32_t)k->fields->count;
    return good;
}

static void check_twice(psc_schema_resolver *r, const psc_message *m, const psc_fields *fields, const psc_field *f)
{
    for (size_t k = 0; k < fields->count; k++) {
        const psc_field *other = &fields->at[k];
        if (other->layout.parent == PSY_NONE && strcmp(other->name, f->name) == 0) {
            const bool retired = (other->layout.flags & PSY_FIELD_RETIRED) != 0;
            psc_diagnostic *d = psc_error(r->diags, PSC_E_DUPLICATE, f->span,
                                          retired ? "%s `%s` had a %s `%s`, which is retired: its name is not free again"
                                                  : "%s `%s` has a %s `%s` already",
                                          psc_type_word(m), m->name, field_word(m), f->name);
            psc_note(d, other->span, "it is here");
            return;
        }
    }
}

/* False: something in it is wrong, or in a part of it. */
static bool resolve_fields(psc_schema_resolver *r, const psy_block_node *node, psc_message *m)
{
    size_t count = psc_schema_within(r, node->fields.count, PSC_FIELDS_MAX,
                                     psc_format(r->arena, "%ss in a %s", field_word(m), psc_type_word(m)), m->span);
    unsigned errors = r->diags->errors;
    bool good = count == node->fields.count;
    psc_fields fields = {0};
    const psc_message_maker maker = {r->arena, r->diags, m, &fields};
    psc_span key = {0};
    uint32_t newest = 1;
    for (size_t i = 0; i < count; i++) {
        const psy_field_node *from = node->fields.at[i];
        psc_field f = {.name = from->name.text,
                       .span = from->name.span,
                       .doc = from->name.doc,
                       .layout = {.since = 1, .parent = PSY_NONE, .type = PSY_NONE}};
        check_twice(r, m, &fields, &f);
        bool typed = psc_schema_resolve_field(r, m, from, &f);
        f.part = typed ? f.part : NULL;
        f.type = typed ? f.type : NULL;
        if (typed && (f.layout.flags & PSY_FIELD_KEY) && key.source) {
            psc_note(psc_error(r->diags, PSC_E_KEY, f.span, "message `%s` has a key already", m->name), key, "it is here");
        }
        if (typed) {
            key = f.layout.flags & PSY_FIELD_KEY ? f.span : key;
            check_since(r, m, &f, &newest);
        }
        if (!psc_message_add(&maker, &f)) {
            return false;
        }
        good = good && typed;
    }
    if (m->layout.kind == PSY_TYPE_UNION && count > PSC_MEMBERS_MAX) {
        psc_error(r->diags, PSC_E_LIMIT, m->span, "`%s` has more than %d members", m->name, PSC_MEMBERS_MAX);
    }
    if (count == 0 && m->layout.kind != PSY_TYPE_MESSAGE) {
        psc_error(r->diags, PSC_E_FIELD, m->span, "this %s has no %ss", psc_type_word(m), field_word(m));
    }
    return good && r->diags->errors == errors;
}

/* ---- enums and flags ---- */

static bool is_integer(unsigned dtype)
{
    return dtype != 0 && (psy__dtype_class(dtype) == PSY_DCLASS_SINT || psy__dtype_class(dtype) == PSY_DCLASS_UINT);
}

/* What they are made of; u8 where nothing is said. */
static void resolve_base(psc_schema_resolver *r, const psy_block_node *node, psc_message *m)
{
    unsigned dtype = node->base.text ? psy__dtype_named(node->base.text, strlen(node->base.text)) : PSY_U8;
    if (!is_integer(dtype) || (m->layout.kind == PSY_TYPE_FLAGS && psy__dtype_class(dtype) != PSY_DCLASS_UINT)) {
        psc_help(
            psc_error(r->diags, PSC_E_TYPE, node->base.span, "%s cannot be made of `%s`", psc_type_word(m), node->base.text),
            m->layout.kind == PSY_TYPE_FLAGS ? "write `u8`, `u16`, `u32` or `u64`" : "write an integer type: `u8`");
        dtype = PSY_U8;
    }
    m->layout.dtype = (uint8_t)dtype;
}

/* The number of the value `from`, where it has none of its own: one more, or the next bit. `last` is the number before; of
 * flags all bits so far. False: there is none. */
static bool next_number(const psc_message *m, bool first, uint64_t last, uint64_t *out)
{
    const unsigned bits = psy__dtype_bytes(m->layout.dtype) * 8;
    const uint64_t all = UINT64_MAX >> (64 - bits),
                   most = psy__dtype_class(m->layout.dtype) == PSY_DCLASS_SINT ? all >> 1 : all;
    if (m->layout.kind == PSY_TYPE_ENUM) {
        *out = first ? 0 : (last + 1) & all;
        return first || last != most;
    }
    *out = last == 0 ? 1 : last >> 63 ? 0 : UINT64_C(2) << (63 - __builtin_clzll(last));
    return *out != 0 && *out <= all;
}

static bool resolve_values(psc_schema_resolver *r, const psy_block_node *node, psc_message *m)
{
    unsigned errors = r->diags->errors;
    uint64_t last = 0;
    resolve_base(r, node, m);
    if (!resolve_fields(r, node, m)) {
        return false;
    }
    for (uint32_t i = 0; i < m->field_count; i++) {
        psc_field *f = &m->fields[i];
        const psy_expr *given = node->fields.at[i]->default_;
        uint64_t bits = 0;
        if (given ? !psc_schema_number(r, given, m->layout.dtype, field_word(m), &bits)
                  : !next_number(m, i == 0, last, &bits)) {
            if (!given) {
                psc_error(r->diags, PSC_E_NUMBER, f->span, "there is no number left for `%s` in %s", f->name,
                          psy__dtype_name(m->layout.dtype));
            }
            return false;
        }
        for (uint32_t k = 0; k < i && m->layout.kind == PSY_TYPE_ENUM; k++) {
            if (m->fields[k].layout.default_bits == bits) {
                psc_note(
                    psc_error(r->diags, PSC_E_DUPLICATE, f->span, "`%s` has the number of `%s`", f->name, m->fields[k].name),
                    m->fields[k].span, "it is here");
                break;
            }
        }
        f->layout.default_bits = bits;
        last = m->layout.kind == PSY_TYPE_ENUM ? bits : last | bits;
    }
    return r->diags->errors == errors;
}

/* ---- types ---- */

/* Resolves and lays out `m`, whose names are set. False after an error. */
static bool resolve_type(psc_schema_resolver *r, const psy_block_node *node, psc_message *m)
{
    bool good = is_number(m) ? resolve_values(r, node, m) : resolve_fields(r, node, m);
    if (good && psc_lay_out(r->arena, m->full_name, m->fields, m->field_count, &m->layout) != PSY_OK) {
        too_large(r, m);
        good = false;
    }
    psc_push(r->arena, &r->order, m);
    return good;
}

static const char *full_name(psc_schema_resolver *r, const char *name)
{
    return *r->schema->space ? psc_format(r->arena, "%s.%s", r->schema->space, name) : name;
}

static void resolve_block(psc_schema_resolver *r, uint32_t index)
{
    const psy_block_node *node = r->file->blocks.at[index];
    psc_message *m = r->declared[index];
    r->progress[index] = PSC_SCHEMA_BEGUN;
    r->path[r->path_count++] = (psc_schema_step){index, NULL};
    psc_schema_type_attributes(r, node, m);
    bool good = resolve_type(r, node, m);
    r->path_count--;
    r->progress[index] = good ? PSC_SCHEMA_DONE : PSC_SCHEMA_POISONED;
}

const psc_message *psc_schema_resolve_union(psc_schema_resolver *r, const psc_message *in, const psy_field_node *field)
{
    psc_message *m = psc_new(r->arena, psc_message);
    m->name = psc_format(r->arena, "%s.%s", in->name, field->name.text);
    m->full_name = full_name(r, m->name);
    m->span = field->name.span;
    m->doc = field->name.doc;
    m->layout.kind = PSY_TYPE_UNION;
    if (strlen(m->full_name) > PSC_FIELD_NAME_MAX) {
        psc_error(r->diags, PSC_E_LIMIT, m->span, "`%s` has more than %d characters", m->full_name, PSC_FIELD_NAME_MAX);
        return NULL;
    }
    return resolve_type(r, field->type.block, m) ? m : NULL;
}

/* The type that is on the path to itself. */
static void report_cycle(psc_schema_resolver *r, uint32_t index, const psy_field_node *field)
{
    uint32_t first = 0;
    while (r->path[first].block != index) {
        first++;
    }
    psc_diagnostic *d = psc_error(r->diags, PSC_E_FIELD, field->type.span, "%s `%s` would contain itself",
                                  psc_type_word(r->declared[index]), field->type.name.text);
    for (uint32_t i = first; i + 1 < r->path_count; i++) {
        const psy_field_node *step = r->path[i].field;
        psc_note(d, step->type.span, "`%s.%s` is a `%s`", r->declared[r->path[i].block]->name, step->name.text,
                 step->type.name.text);
    }
    psc_help(d, "refer to it by a key: `u64`");
}

const psc_message *psc_schema_resolve_declared(psc_schema_resolver *r, const psy_field_node *field, bool *poisoned)
{
    const psc_name *name = &field->type.name;
    const char *word = psc_import_word(r->schema, name->text);
    uint32_t index = 0;
    while (index < r->block_count && !(word && strcmp(r->declared[index]->name, word) == 0)) {
        index++;
    }
    *poisoned = false;
    if (index == r->block_count) {
        size_t i;
        const psc_schema *other = psc_import_find(r->diags, r->schema, name->text, name->span, psc_declared_type, &i, poisoned);
        return other ? other->order[i] : NULL;
    }
    r->path[r->path_count - 1].field = field;
    if (r->progress[index] == PSC_SCHEMA_BEGUN) {
        report_cycle(r, index, field);
    } else if (r->progress[index] == PSC_SCHEMA_NEW) {
        resolve_block(r, index);
    }
    *poisoned = r->progress[index] != PSC_SCHEMA_DONE;
    return r->declared[index];
}

static unsigned kind_of(const psy_block_node *node)
{
    unsigned kind = 0;
    while (kind + 1 < PSY_TYPE_KIND_END && strcmp(words[kind], node->word.text) != 0) {
        kind++;
    }
    return kind;
}

static void check_base(psc_schema_resolver *r, const psy_block_node *node, const psc_message *m)
{
    if (node->base.text && !is_number(m)) {
        psc_error(r->diags, PSC_E_SYNTAX, node->base.span, "only enums and flags say what they are made of");
    }
}

/* What each block of the file becomes. */
static void declare(psc_schema_resolver *r)
{
    psc_schema *s = r->schema;
    size_t all = r->file->blocks.count;
    r->block_count = (uint32_t)psc_schema_within(r, all, PSC_MESSAGES_MAX, "types in a file",
                                                 all ? r->file->blocks.at[all - 1]->name.span : (psc_span){0});
    r->declared = psc_alloc(r->arena, r->block_count * sizeof *r->declared);
    s->messages = psc_alloc(r->arena, r->block_count * sizeof *s->messages);
    psc_message *others = psc_alloc(r->arena, r->block_count * sizeof *others);
    for (uint32_t i = 0; i < r->block_count; i++) {
        const psy_block_node *node = r->file->blocks.at[i];
        const unsigned kind = kind_of(node);
        psc_message *m = kind == PSY_TYPE_MESSAGE ? &s->messages[s->message_count++] : others++;
        m->layout.kind = (uint8_t)kind;
        m->name = node->name.text;
        m->span = node->name.span;
        m->doc = node->name.doc;
        m->full_name = full_name(r, m->name);
        r->declared[i] = m;
        check_base(r, node, m);
    }
}

void psc_schema_resolve_types(psc_schema_resolver *r)
{
    declare(r);
    r->progress = psc_alloc(r->arena, r->block_count * sizeof *r->progress);
    r->path = psc_alloc(r->arena, r->block_count * sizeof *r->path);
    for (uint32_t i = 0; i < r->block_count; i++) {
        if (r->progress[i] == PSC_SCHEMA_NEW) {
            resolve_block(r, i);
        }
        for (uint32_t k = 0; k < i; k++) {
            const psc_message *m = r->declared[i], *other = r->declared[k];
            if (strcmp(m->name, other->name) == 0) {
                psc_note(
                    psc_error(r->diags, PSC_E_DUPLICATE, m->span, "there is a %s `%s` already", psc_type_word(other), m->name),
                    other->span, "it is here");
                break;
            }
        }
    }
    r->schema->order = r->order.at;
    r->schema->order_count = (uint32_t)r->order.count;
}
