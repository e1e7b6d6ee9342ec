/* SPDX-License-Identifier: Apache-2.0 */
/* Quick fixes: what `--fix` would write, for the diagnostics that the editor's range touches, and all of them at once. */
#include <stdlib.h>
#include <string.h>

#include "lsp/server.h"

typedef PSC_LIST(const psc_fix *) fixes;

/* Whether the client wants actions of this kind: `only` names kinds, each with all that begin with it and a dot. */
static bool is_wanted(const json_t *only, const char *kind)
{
    bool wanted = json_array_size(only) == 0;
    for (size_t i = 0; i < json_array_size(only); i++) {
        const char *asked = json_string_value(json_array_get(only, i));
        size_t n = asked ? strlen(asked) : 0;
        wanted = wanted || (asked && strncmp(asked, kind, n) == 0 && (n == 0 || kind[n] == '\0' || kind[n] == '.'));
    }
    return wanted;
}

static int by_place(const void *a, const void *b)
{
    const psc_fix *x = *(const psc_fix *const *)a, *y = *(const psc_fix *const *)b;
    return x->span.begin != y->span.begin ? (x->span.begin < y->span.begin ? -1 : 1)
           : x->span.end != y->span.end   ? (x->span.end < y->span.end ? -1 : 1)
                                          : strcmp(x->text, y->text);
}

/* Edits of this document; of two that overlap, the first. */
static json_t *edit_of(const lsp_question *q, fixes *all)
{
    json_t *edits = json_array();
    const psc_fix *last = NULL;
    qsort(all->at, all->count, sizeof *all->at, by_place);
    for (size_t i = 0; i < all->count; i++) {
        const psc_fix *f = all->at[i];
        if (last && (f->span.begin < last->span.end || f->span.begin == last->span.begin)) {
            continue;
        }
        json_array_append_new(edits, json_pack("{s:o,s:o}", "range", lsp_range(&q->a->lines, f->span.begin, f->span.end),
                                               "newText", lsp_text(f->text, strlen(f->text))));
        last = f;
    }
    return json_pack("{s:{s:o}}", "changes", q->document->uri, edits);
}

/* Of those in this document. */
static fixes fixes_of(const lsp_question *q, const psc_diagnostic *d)
{
    fixes own = {0};
    for (size_t k = 0; k < d->fixes.count; k++) {
        if (d->fixes.at[k].span.source == q->a->source) {
            psc_push(q->arena, &own, &d->fixes.at[k]);
        }
    }
    return own;
}

static const char *title_of(const lsp_question *q, const psc_fix *f)
{
    enum { SHOWN_MAX = 40 };
    const char *old = lsp_slice(q->arena, f->span, SHOWN_MAX);
    return !*f->text                      ? psc_format(q->arena, "take out `%s`", old)
           : f->span.begin == f->span.end ? psc_format(q->arena, "write `%s`", f->text)
                                          : psc_format(q->arena, "write `%s` for `%s`", f->text, old);
}

json_t *lsp_actions(const lsp_question *q)
{
    const json_t *range = json_object_get(q->params, "range");
    const json_t *only = json_object_get(json_object_get(q->params, "context"), "only");
    uint32_t begin, end;
    if (!lsp_offset(&q->a->lines, json_object_get(range, "start"), &begin) ||
        !lsp_offset(&q->a->lines, json_object_get(range, "end"), &end)) {
        return NULL;
    }
    json_t *list = json_array();
    fixes all = {0};
    unsigned left, diagnostics = 0;
    psc_diagnostic_list shown = psc_diagnostics_shown(&q->a->diags, UINT32_MAX, &left);
    for (size_t i = 0; i < shown.count; i++) {
        const psc_diagnostic *d = shown.at[i];
        fixes own = fixes_of(q, d);
        for (size_t k = 0; k < own.count; k++) {
            psc_push(q->arena, &all, own.at[k]);
        }
        diagnostics += own.count > 0;
        psc_span place = own.count && d->span.source != q->a->source ? own.at[0]->span : d->span;
        if (own.count && place.begin <= end && begin <= place.end && is_wanted(only, "quickfix")) {
            const char *title = title_of(q, own.at[0]);
            json_array_append_new(list, json_pack("{s:o,s:s,s:[o],s:b,s:o}", "title", lsp_text(title, strlen(title)), "kind",
                                                  "quickfix", "diagnostics", lsp_diagnostic(q->all, q->a, q->arena, d),
                                                  "isPreferred", 1, "edit", edit_of(q, &own)));
        }
    }
    if (diagnostics > 1 && is_wanted(only, "source.fixAll")) {
        json_array_append_new(list, json_pack("{s:s,s:s,s:o}", "title", "mend all that can only be meant in one way", "kind",
                                              "source.fixAll", "edit", edit_of(q, &all)));
    }
    return list;
}
