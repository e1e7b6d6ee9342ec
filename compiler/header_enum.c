/* SPDX-License-Identifier: Apache-2.0 */
/* Enums and flags: a number type, a macro for each value, and their names. */
#include <inttypes.h>
#include <string.h>

#include "header.h"
#include "isa/layout.h"
#include "schema_names.h"

#define TEXT(...) psc_format(w->arena, __VA_ARGS__)

static void put(psc_header *w, const char *section, const psc_pair *pairs)
{
    psc_template_write(psc_template_header, section, pairs, w->to);
}

/* As a number of its type. */
static const char *value_text(psc_header *w, const psc_field *value)
{
    const psy_psm_field *l = &value->layout;
    return w->message->layout.kind == PSY_TYPE_FLAGS ? TEXT("UINT64_C(0x%" PRIx64 ")", l->default_bits)
           : psy__dtype_bytes(l->dtype) == 8 && psy__dtype_class(l->dtype) == PSY_DCLASS_UINT
               ? TEXT("UINT64_C(%" PRIu64 ")", l->default_bits)
               : psc_header_default(w, l);
}

static void put_value(psc_header *w, const psc_field *value)
{
    const char *name = psc_upper(w->arena, TEXT("%s_%s", w->upper, psc_snake(w->arena, value->name)));
    psc_header_doc(w, value->doc);
    if (value->deprecated) {
        psc_header_doc(w, *value->deprecated ? TEXT("Deprecated: %s", value->deprecated) : "Deprecated.");
    }
    put(w, "value",
        PSC_PAIRS({"NAME", name}, {"ctype", psc_header_ctype(value->layout.dtype)}, {"value", value_text(w, value)}));
}

/* One line for each value, with its name as it is written and its macro. */
static void each_value(psc_header *w, const char *section)
{
    for (uint32_t i = 0; i < w->message->field_count; i++) {
        const psc_field *f = &w->message->fields[i];
        put(w, section,
            PSC_PAIRS({"name", f->name}, {"bytes", psc_header_decimal(w, strlen(f->name))},
                      {"NAME", psc_upper(w->arena, TEXT("%s_%s", w->upper, psc_snake(w->arena, f->name)))}));
    }
}

void psc_header_enum(psc_header *w)
{
    const psc_message *m = w->message;
    const psc_pair *names =
        PSC_PAIRS({"type", w->type}, {"full_name", m->full_name}, {"ctype", psc_header_ctype(m->layout.dtype)});
    const bool flags = m->layout.kind == PSY_TYPE_FLAGS;
    psc_header_doc(w, m->doc);
    put(w, flags ? "flags" : "enum", names);
    for (uint32_t i = 0; i < m->field_count; i++) {
        put_value(w, &m->fields[i]);
    }
    if (!flags) {
        put(w, "enum_name", names);
        each_value(w, "enum_name_case");
        put(w, "enum_name_end", NULL);
    }
    put(w, "named", names);
    each_value(w, "named_row");
    put(w, "named_end", PSC_PAIRS({"type", w->type}, {"count", psc_header_decimal(w, m->field_count)}));
}
