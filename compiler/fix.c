/* SPDX-License-Identifier: Apache-2.0 */
#include "fix.h"

#include <stdlib.h>
#include <string.h>

typedef PSC_LIST(psc_fix) fixes;

static int by_place(const void *a, const void *b)
{
    const psc_fix *x = a, *y = b;
    int path = strcmp(x->span.source->path, y->span.source->path);
    return path != 0                        ? path
           : x->span.begin != y->span.begin ? (x->span.begin < y->span.begin ? -1 : 1)
           : x->span.end != y->span.end     ? (x->span.end < y->span.end ? -1 : 1)
                                            : strcmp(x->text, y->text);
}

/* The fixes [from, to) of one file, made; *count goes up for each. */
static void mend(psc_arena *arena, const fixes *all, size_t from, size_t to, psc_outputs *outputs, unsigned *count)
{
    const psc_source *s = all->at[from].span.source;
    PSC_LIST(char) text = {0};
    uint32_t at = 0;
    for (size_t i = from; i <= to; i++) {
        const psc_fix *f = i < to ? &all->at[i] : NULL;
        if (f && (f->span.begin < at || (i > from && f->span.begin == all->at[i - 1].span.begin))) {
            continue;
        }
        for (uint32_t end = f ? f->span.begin : (uint32_t)s->bytes; at < end; at++) {
            psc_push(arena, &text, s->text[at]);
        }
        for (const char *c = f ? f->text : ""; *c; c++) {
            psc_push(arena, &text, *c);
        }
        at = f ? f->span.end : at;
        *count += f != NULL;
    }
    psc_output_add_in_place(outputs, s->path, text.at, text.count);
}

unsigned psc_fix_all(psc_arena *arena, const psc_diagnostics *diags, psc_outputs *outputs)
{
    unsigned left, count = 0;
    psc_diagnostic_list shown = psc_diagnostics_shown(diags, UINT32_MAX, &left);
    fixes all = {0};
    for (size_t i = 0; i < shown.count; i++) {
        for (size_t k = 0; k < shown.at[i]->fixes.count; k++) {
            psc_push(arena, &all, shown.at[i]->fixes.at[k]);
        }
    }
    if (all.count) {
        qsort(all.at, all.count, sizeof *all.at, by_place);
    }
    for (size_t from = 0, to; from < all.count; from = to) {
        for (to = from + 1; to < all.count && strcmp(all.at[to].span.source->path, all.at[from].span.source->path) == 0;) {
            to++;
        }
        mend(arena, &all, from, to, outputs, &count);
    }
    return count;
}
