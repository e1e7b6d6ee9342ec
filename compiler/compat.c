/* SPDX-License-Identifier: Apache-2.0 */
/* Names what changed between two schemas. Who survives it comes from compat_read.c. */
#include "compat.h"

#include <assert.h>
#include <string.h>

#include "compat_state.h"
#include "isa/layout.h"

const psc_change_row psc_change_rows[PSC_CHANGE_COUNT] = {
#define CHANGE(NAME, name, old_readers, new_readers, what, readers)                                                            \
    {name, PSC_SURVIVES_##old_readers, PSC_SURVIVES_##new_readers, what, readers},
#include "compat.def"
};

#define TEXT(...) psc_format(c->arena, __VA_ARGS__)

static bool allows(psc_survival row, bool survives)
{
    return row == PSC_SURVIVES_MAYBE || (row == PSC_SURVIVES_YES) == survives;
}

void psc_compat_add(psc_comparison *c, psc_change_kind kind, psc_span old, psc_span now, psc_fate old_readers,
                    psc_fate new_readers, const char *text)
{
    const psc_change change = {kind, now, old, text, old_readers, new_readers};
    assert(allows(psc_change_rows[kind].old_readers, old_readers.survives));
    assert(allows(psc_change_rows[kind].new_readers, new_readers.survives));
    psc_push(c->arena, c->changes, change);
}

/* ---- structs, enums and flags ---- */

/* Whoever has the struct has all of it: one fate for all changes. */
static void compare_structs(psc_comparison *c)
{
    const psc_fate old_fate = psc_reads_type(c->reads, c->old, c->now, true),
                   new_fate = psc_reads_type(c->reads, c->now, c->old, true);
    for (uint32_t i = 0; i < c->now->field_count; i++) {
        const psc_field *f = &c->now->fields[i], *old = psc_field_is_own(f) ? psc_old_of(c, f) : NULL;
        if (!psc_field_is_own(f)) {
            continue;
        }
        if (!old) {
            psc_compat_add(c, PSC_CHANGE_STRUCT, psc_nowhere, f->span, old_fate, new_fate, TEXT("`%s` is new", f->name));
        } else if (!psc_reads_same_place(f, old) || !psc_old_reads(c, old).survives || !psc_new_reads(c, f).survives) {
            psc_compat_add(c, PSC_CHANGE_STRUCT, old->span, f->span, old_fate, new_fate,
                           TEXT("`%s` is a `%s` at %u now, and was a `%s` at %u", f->name, psc_field_type_text(c->arena, f),
                                f->layout.offset, psc_field_type_text(c->arena, old), old->layout.offset));
        } else if (strcmp(old->name, f->name) != 0) {
            psc_compat_add(c, PSC_CHANGE_FIELD_RENAMED, old->span, f->span, psc_survives, psc_survives,
                           TEXT("`%s` was `%s`: in C and in JSON it has another name", f->name, old->name));
        }
    }
    for (uint32_t i = 0; i < c->old->field_count; i++) {
        const psc_field *old = &c->old->fields[i];
        if (psc_field_is_own(old) && !psc_now_of(c, old)) {
            psc_compat_add(c, PSC_CHANGE_STRUCT, old->span, c->now->span, old_fate, new_fate,
                           TEXT("`%s` is no longer there", old->name));
        }
    }
}

/* The value of that number whose name the other side does not have. */
static const psc_field *renamed_value(const psc_message *of, const psc_field *f, const psc_message *other)
{
    for (uint32_t i = 0; i < other->field_count; i++) {
        if (other->fields[i].layout.default_bits == f->layout.default_bits &&
            psc_field_find(of, PSY_NONE, other->fields[i].name) == of->field_count) {
            return &other->fields[i];
        }
    }
    return NULL;
}

static void compare_values(psc_comparison *c)
{
    const char *word = c->now->layout.kind == PSY_TYPE_ENUM ? "value" : "flag";
    if (c->old->layout.dtype != c->now->layout.dtype) {
        psc_compat_add(c, PSC_CHANGE_VALUE_BASE, c->old->span, c->now->span, psc_perishes, psc_perishes,
                       TEXT("`%s` is made of %s now, and was of %s", c->now->name, psy__dtype_name(c->now->layout.dtype),
                            psy__dtype_name(c->old->layout.dtype)));
    }
    for (uint32_t i = 0; i < c->now->field_count; i++) {
        const psc_field *f = &c->now->fields[i], *old = psc_field_named(c->old, f->name);
        if (!old && (old = renamed_value(c->now, f, c->old)) != NULL) {
            psc_compat_add(c, PSC_CHANGE_VALUE_RENAMED, old->span, f->span, psc_survives, psc_survives,
                           TEXT("%s `%s` was `%s`", word, f->name, old->name));
        } else if (!old) {
            psc_compat_add(c, PSC_CHANGE_VALUE_ADDED, psc_nowhere, f->span,
                           (psc_fate){true, "they have its number, without a name"}, psc_survives,
                           TEXT("%s `%s` is new", word, f->name));
        } else if (old->layout.default_bits != f->layout.default_bits) {
            psc_compat_add(c, PSC_CHANGE_VALUE_RENUMBERED, old->span, f->span, psc_perishes, psc_perishes,
                           TEXT("%s `%s` has another number", word, f->name));
        }
    }
    for (uint32_t i = 0; i < c->old->field_count; i++) {
        const psc_field *old = &c->old->fields[i];
        if (!psc_field_named(c->now, old->name) && !renamed_value(c->old, old, c->now)) {
            psc_compat_add(c, PSC_CHANGE_VALUE_REMOVED, old->span, c->now->span, psc_survives,
                           (psc_fate){true, "they have its number, without a name"},
                           TEXT("%s `%s` is no longer there", word, old->name));
        }
    }
}

/* ---- schemas ---- */

static void compare_types_of_both(psc_comparison *c, const psc_message *old, const psc_message *now)
{
    psc_compat_type *t = psc_new(c->arena, psc_compat_type);
    psc_push(c->arena, &c->all->types, t);
    *t = (psc_compat_type){.old = old, .now = now};
    c->changes = &t->changes;
    c->old = old;
    c->now = now;
    if (strcmp(old->name, now->name) != 0) {
        psc_compat_add(c, PSC_CHANGE_TYPE_RENAMED, old->span, now->span, psc_survives, psc_survives,
                       TEXT("%s `%s` was `%s`", psc_type_word(now), now->name, old->name));
    }
    if ((old->deprecated != NULL) != (now->deprecated != NULL)) {
        psc_compat_add(c, PSC_CHANGE_TYPE_DEPRECATED, old->span, now->span, psc_survives, psc_survives,
                       TEXT("`%s` is %sdeprecated", now->name, now->deprecated ? "" : "no longer "));
    }
    if (strcmp(old->topic ? old->topic : "", now->topic ? now->topic : "") != 0) {
        const psc_fate unheard = {true, "who listens to the other topic does not hear of it"};
        psc_compat_add(c, PSC_CHANGE_TOPIC, old->span, now->span, unheard, unheard,
                       TEXT("the topic of `%s` is another", now->name));
    }
    switch (now->layout.kind) {
    case PSY_TYPE_MESSAGE: psc_compat_messages(c); break;
    case PSY_TYPE_STRUCT: compare_structs(c); break;
    default: compare_values(c); break;
    }
    t->old_readers = psc_reads_type(c->reads, old, now, false).survives;
    t->new_readers = psc_reads_type(c->reads, now, old, false).survives;
    for (size_t i = 0; i < t->changes.count; i++) {
        const bool refused = t->changes.at[i].kind == PSC_CHANGE_FIELD_RETIRED_AGAIN;
        t->old_readers = t->old_readers && !refused;
        t->new_readers = t->new_readers && !refused;
    }
}

/* Whether both have the same fields in the same places, whatever they are called themselves. */
static bool are_alike(psc_reads *r, const psc_message *a, const psc_message *b)
{
    bool alike = a->layout.kind == b->layout.kind && a->layout.bytes == b->layout.bytes && a->field_count == b->field_count &&
                 a->layout.version == b->layout.version && a->field_count > 0;
    for (uint32_t i = 0; i < a->field_count && alike; i++) {
        alike = strcmp(a->fields[i].name, b->fields[i].name) == 0 && psc_reads_same_place(&a->fields[i], &b->fields[i]);
    }
    return alike && psc_reads_type(r, a, b, false).survives && psc_reads_type(r, b, a, false).survives;
}

/* The type of `other` that `m`, of `schema`, is: of the same name, or the first one that is alike and has a name of its own. */
static const psc_message *type_in(const psc_comparison *c, const psc_schema *schema, const psc_message *m,
                                  const psc_schema *other)
{
    const psc_message *found = psc_schema_type(other, m->name);
    for (uint32_t i = 0; i < other->order_count && !found; i++) {
        const psc_message *o = other->order[i];
        if (o->layout.kind != PSY_TYPE_UNION && !psc_schema_type(schema, o->name) && are_alike(c->reads, m, o)) {
            found = o;
        }
    }
    return found;
}

/* Of types that only one side has, or that are something else now. */
static void compare_type(psc_comparison *c, const psc_message *now)
{
    const psc_message *old = type_in(c, c->all->now, now, c->all->old);
    if (!old || type_in(c, c->all->old, old, c->all->now) != now) {
        psc_compat_add(c, PSC_CHANGE_TYPE_ADDED, psc_nowhere, now->span, psc_survives, psc_survives,
                       TEXT("%s `%s` is new", psc_type_word(now), now->name));
        return;
    }
    if (old->layout.kind != now->layout.kind) {
        psc_compat_add(c, PSC_CHANGE_TYPE_KIND, old->span, now->span, psc_perishes, psc_perishes,
                       TEXT("`%s` is a %s now, and was a %s", now->name, psc_type_word(now), psc_type_word(old)));
        return;
    }
    compare_types_of_both(c, old, now);
}

static void report_removed_type(psc_comparison *c, const psc_message *old)
{
    const psc_message *now = type_in(c, c->all->old, old, c->all->now);
    if (now && type_in(c, c->all->now, now, c->all->old) == old) {
        return;
    }
    const bool message = old->layout.kind == PSY_TYPE_MESSAGE;
    psc_compat_add(c, PSC_CHANGE_TYPE_REMOVED, old->span, psc_nowhere, (psc_fate){true, message ? "they are given none" : NULL},
                   message ? (psc_fate){false, "they do not know it"} : psc_survives,
                   TEXT("%s `%s` is no longer there", psc_type_word(old), old->name));
}

static void sum_up(psc_compat *all, const psc_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        all->old_readers = all->old_readers && changes->at[i].old_readers.survives;
        all->new_readers = all->new_readers && changes->at[i].new_readers.survives;
    }
}

psc_compat *psc_compat_find(psc_arena *arena, psc_diagnostics *diags, const psc_schema *old, const psc_schema *now)
{
    psc_compat *all = psc_new(arena, psc_compat);
    *all = (psc_compat){.old = old, .now = now, .old_readers = true, .new_readers = true};
    psc_comparison c = {.arena = arena, .diags = diags, .reads = psc_reads_make(arena), .all = all, .changes = &all->changes};
    if (strcmp(old->space, now->space) != 0) {
        psc_compat_add(&c, PSC_CHANGE_NAMESPACE, old->space_span, now->space_span, psc_survives, psc_survives,
                       psc_format(arena, "the namespace is `%s` now, and was `%s`", now->space, old->space));
    }
    for (uint32_t i = 0; i < now->order_count; i++) {
        if (now->order[i]->layout.kind != PSY_TYPE_UNION) {
            c.changes = &all->changes;
            compare_type(&c, now->order[i]);
        }
    }
    c.changes = &all->changes;
    for (uint32_t i = 0; i < old->order_count; i++) {
        if (old->order[i]->layout.kind != PSY_TYPE_UNION) {
            report_removed_type(&c, old->order[i]);
        }
    }
    sum_up(all, &all->changes);
    for (size_t i = 0; i < all->types.count; i++) {
        all->old_readers = all->old_readers && all->types.at[i]->old_readers;
        all->new_readers = all->new_readers && all->types.at[i]->new_readers;
    }
    return all;
}
