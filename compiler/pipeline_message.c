/* SPDX-License-Identifier: Apache-2.0 */
/* Which messages pipelines take and give: those of one size, and of what they give every field must be one that they write. */
#include "unit.h"

#define ERROR(...) psc_error(u->diags, __VA_ARGS__)

static bool is_open(const psc_field *f)
{
    return f->layout.kind == PSY_FIELD_TAIL || (f->layout.flags & PSY_FIELD_OPEN) ||
           (psc_field_refers(f) && (f->type->layout.flags & PSY_TYPE_TAILED));
}

bool psc_message_is_taken(psc_unit *u, const psc_message *m, psc_span span)
{
    if (!(m->layout.flags & PSY_TYPE_TAILED)) {
        return true;
    }
    uint32_t i = 0;
    while (i + 1 < m->field_count && !is_open(&m->fields[i])) {
        i++;
    }
    psc_diagnostic *d = ERROR(PSC_E_UNSUPPORTED, span,
                              "pipelines take and give messages of one size, and those of `%s` have their own", m->name);
    psc_note(d, m->fields[i].span, "`%s` has no bound", m->fields[i].name);
    psc_help(d, "give it a bound: `[<=64]`");
    return false;
}

bool psc_message_is_given(psc_unit *u, const psc_message *m, psc_span span)
{
    if (!psc_message_is_taken(u, m, span)) {
        return false;
    }
    for (uint32_t i = 0; i < m->field_count; i++) {
        const psc_field *f = &m->fields[i];
        if (!psc_field_is_value(f) && !(f->layout.flags & PSY_FIELD_RETIRED)) {
            psc_diagnostic *d =
                ERROR(PSC_E_UNSUPPORTED, span, "pipelines do not give a `%s`: they do not write `%s`, which is `%s`", m->name,
                      f->name, psc_field_type_text(u->arena, f));
            psc_note(d, f->span, "the field is declared here");
            psc_help(d, "they write numbers, texts and variants with a bound, and messages and structs of these");
            return false;
        }
    }
    return true;
}
