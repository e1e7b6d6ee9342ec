/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of messages: their fields, through any number of messages inside them, and rows by the field that is the key. */
#include <string.h>

#include "call.h"
#include "isa/layout.h"
#include "variant.h"

#define ERROR(...) psc_error(l->unit->diags, __VA_ARGS__)

const char *psc_field_path(psc_lowering *l, uint32_t field)
{
    const char *name = field == PSY_NONE ? "" : l->pipeline->input->fields[field].name;
    const hrm_parameters *p = &l->pipeline->node->parameters;
    return p->count > 1 ? name : psc_format(l->unit->arena, "%s%s%s", p->at[0].name.text, *name ? "." : "", name);
}

psc_term psc_load_field(psc_lowering *l, psc_span span, uint32_t i)
{
    const psc_field *f = &l->pipeline->input->fields[i];
    if (f->part) {
        return (psc_term){.kind = PSC_TERM_MESSAGE, .span = span, .index = i};
    }
    if (!psc_field_is_value(f)) {
        const bool retired = (f->layout.flags & PSY_FIELD_RETIRED) != 0;
        psc_diagnostic *d = retired ? ERROR(PSC_E_FIELD, span, "field `%s` is retired", f->name)
                                    : ERROR(PSC_E_UNSUPPORTED, span, "pipelines do not read `%s`, which is `%s`", f->name,
                                            psc_field_type_text(l->unit->arena, f));
        psc_note(d, f->span, "the field is declared here");
        if (!retired) {
            psc_help(d, "they read numbers, texts and variants with a bound, and messages and structs of these");
        }
        return psc_poison(span);
    }
    if (f->layout.kind == PSY_FIELD_VARIANT) {
        return psc_variant_load(l, span, i);
    }
    if (f->layout.flags & PSY_FIELD_TEXT) {
        return psc_text_load(l, span, i, f);
    }
    psy_dim count = f->layout.count;
    psc_value *v = psc_emit(l, span, PSY_OP_LOAD, f->layout.dtype, &count, psy__field_is_vector(&f->layout), NULL, 0);
    if (v) {
        v->index = i;
        v->name = f->name;
    }
    if (f->layout.kind == PSY_FIELD_OPTIONAL) {
        return psc_optional_load(l, span, i, f, v);
    }
    return psc_of_value(f->layout.kind == PSY_FIELD_BOUNDED ? psc_load_bounded(l, span, i, f, v) : v, span);
}

psc_term psc_lower_member(psc_lowering *l, const hrm_expr *e)
{
    psc_term t = psc_lower_expr(l, e->left);
    if (t.kind == PSC_TERM_POISON) {
        return t;
    }
    if (t.kind != PSC_TERM_MESSAGE) {
        ERROR(PSC_E_TYPE, e->span, "only messages have fields");
        return psc_poison(e->span);
    }
    const psc_message *m = l->pipeline->input, *of = t.index == PSY_NONE ? m : m->fields[t.index].part;
    const char *names[256];
    size_t count = 0;
    uint32_t field = psc_field_find(m, t.index, e->name.text);
    if (field < m->field_count) {
        psc_index_add_name(l->unit, PSC_INDEX_FIELD, e->name.span, m->fields[field].span);
        return psc_load_field(l, e->span, field);
    }
    for (uint32_t i = 0; i < m->field_count && count < 256; i++) {
        if (m->fields[i].layout.parent == t.index) {
            names[count++] = psc_field_word(&m->fields[i]);
        }
    }
    psc_help_nearest(ERROR(PSC_E_UNKNOWN_NAME, e->name.span, "message `%s` has no field `%s`", of->name, e->name.text),
                     e->name.text, names, count);
    return psc_poison(e->span);
}

psc_term psc_lower_row(psc_lowering *l, const hrm_expr *e)
{
    psc_term t = psc_lower_expr(l, e->left);
    if (t.kind == PSC_TERM_POISON) {
        return psc_poison(e->span);
    }
    if (t.kind != PSC_TERM_KEYED) {
        return t.kind == PSC_TERM_TEXT ? psc_text_index(l, e, &t) : psc_lower_indices(l, e, &t);
    }
    const hrm_index *at = &e->indices.at[0];
    bool one = e->indices.count == 1 && !at->part;
    psc_term k = one ? psc_lower_expr(l, at->from) : (psc_term){.kind = PSC_TERM_LIST};
    if (k.kind == PSC_TERM_POISON) {
        return psc_poison(e->span);
    }
    const psc_message *m = l->pipeline->input;
    if (k.kind != PSC_TERM_VALUE || k.value->op != PSY_OP_LOAD || !(m->fields[k.value->index].layout.flags & PSY_FIELD_KEY)) {
        psc_diagnostic *d = ERROR(PSC_E_KEY, at->span, "a row `by key` is found by the field that routes the message");
        uint32_t key = 0;
        while (key < m->field_count && !(m->fields[key].layout.flags & PSY_FIELD_KEY)) {
            key++;
        }
        if (key < m->field_count) {
            const char *path = psc_field_path(l, key);
            psc_help(d, "write `%s`", path);
            psc_fix_with(d, at->span, "%s", path);
        } else {
            psc_help(d, "mark a u64 field of `%s` with `@key` and use it here", m->name);
        }
        return psc_poison(e->span);
    }
    const psy_psm_resident *r = &l->unit->residents.at[t.index].record;
    psc_value *v = psc_emit(l, e->span, PSY_OP_LOOKUP, r->dtype, r->dims + 1, r->rank - 1u, &k.value, 1);
    if (v) {
        v->index = t.index;
    }
    return l->unit->residents.at[t.index].is_text ? psc_text_term(v, NULL, e->span) : psc_of_value(v, e->span);
}
