/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the comparison share: compat.c has types, compat_fields.c the fields of messages. */
#ifndef PSC_COMPAT_STATE_H
#define PSC_COMPAT_STATE_H

#include "compat.h"

typedef struct psc_comparison {
    psc_arena *arena;
    psc_diagnostics *diags;
    psc_reads *reads;
    psc_compat *all;
    psc_changes *changes;         /* of the types that are being compared */
    const psc_message *old, *now; /* them */
} psc_comparison;

static const psc_span psc_nowhere = {0};
static const psc_fate psc_survives = {true, NULL}, psc_perishes = {false, NULL};

/* Adds a change that the table allows. */
void psc_compat_add(psc_comparison *c, psc_change_kind kind, psc_span old, psc_span now, psc_fate old_readers,
                    psc_fate new_readers, const char *text);
void psc_compat_messages(psc_comparison *c);

static inline bool psc_field_is_own(const psc_field *f) { return f->layout.parent == PSY_NONE; }
/* The field of the other side that it is, or NULL. */
static inline const psc_field *psc_now_of(const psc_comparison *c, const psc_field *old)
{
    return psc_reads_counterpart(c->old, old, c->now);
}
static inline const psc_field *psc_old_of(const psc_comparison *c, const psc_field *now)
{
    return psc_reads_counterpart(c->now, now, c->old);
}
/* What old readers make of the field, and new ones. */
static inline psc_fate psc_old_reads(const psc_comparison *c, const psc_field *old)
{
    return psc_reads_field(c->reads, c->old, c->now, old);
}
static inline psc_fate psc_new_reads(const psc_comparison *c, const psc_field *now)
{
    return psc_reads_field(c->reads, c->now, c->old, now);
}
/* The own field of that name, or NULL. */
static inline const psc_field *psc_field_named(const psc_message *m, const char *name)
{
    const uint32_t at = psc_field_find(m, PSY_NONE, name);
    return at < m->field_count ? &m->fields[at] : NULL;
}

#endif
