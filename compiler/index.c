/* SPDX-License-Identifier: Apache-2.0 */
#include "index.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

psc_index *psc_index_create(psc_arena *arena, const psc_source *source)
{
    psc_index *x = psc_new(arena, psc_index);
    x->arena = arena;
    x->source = source;
    return x;
}

/* ---- filling ---- */

void psc_index_add_name(const psc_unit *unit, psc_index_kind kind, psc_span at, psc_span definition)
{
    psc_index *x = unit->index;
    if (x && at.source == x->source) {
        psc_index_name n = {kind, at, definition};
        psc_push(x->arena, &x->names, n);
    }
}

/* Where the place's number is, or would be. */
static uint32_t *slot_of(const psc_index *x, psc_span at)
{
    uint32_t mask = (uint32_t)x->slots.count - 1;
    for (uint32_t i = (at.begin * 2654435761u ^ at.end * 2246822519u) & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &x->slots.at[i];
        if (!*slot || (x->types.at[*slot - 1].at.begin == at.begin && x->types.at[*slot - 1].at.end == at.end)) {
            return slot;
        }
    }
}

static void make_room(psc_index *x)
{
    if (x->slots.count > 2 * x->types.count) {
        return;
    }
    uint32_t bigger = x->slots.count ? (uint32_t)x->slots.count * 4 : 256;
    x->slots.at = psc_alloc(x->arena, bigger * sizeof *x->slots.at);
    x->slots.count = bigger;
    for (uint32_t i = 0; i < x->types.count; i++) {
        *slot_of(x, x->types.at[i].at) = i + 1;
    }
}

bool psc_index_wants_type(const psc_unit *unit, psc_span at)
{
    psc_index *x = unit->index;
    return x && at.source == x->source && !(x->slots.count && *slot_of(x, at));
}

void psc_index_add_type(const psc_unit *unit, psc_span at, const char *text)
{
    if (psc_index_wants_type(unit, at)) {
        psc_index *x = unit->index;
        psc_index_type t = {at, text};
        make_room(x);
        psc_push(x->arena, &x->types, t);
        *slot_of(x, at) = (uint32_t)x->types.count;
    }
}

const char *psc_index_real(psc_arena *arena, double number)
{
    const char *text = "";
    for (int digits = 6; digits <= 17; digits++) {
        text = psc_format(arena, "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    return text;
}

/* ---- asking ---- */

const psc_index_name *psc_index_name_at(const psc_index *x, uint32_t offset)
{
    const psc_index_name *found = NULL;
    for (size_t i = 0; i < x->names.count; i++) {
        const psc_index_name *n = &x->names.at[i];
        bool here = n->at.begin <= offset && offset <= n->at.end;
        /* Between two names, the one that starts here. */
        if (here && (!found || n->at.begin > found->at.begin)) {
            found = n;
        }
    }
    return found;
}

const char *psc_index_type_of(const psc_index *x, psc_span at)
{
    uint32_t number = x->slots.count && at.source == x->source ? *slot_of(x, at) : 0;
    return number ? x->types.at[number - 1].text : NULL;
}

const psc_index_type *psc_index_type_at(const psc_index *x, uint32_t offset)
{
    const psc_index_type *found = NULL;
    for (size_t i = 0; i < x->types.count; i++) {
        const psc_index_type *t = &x->types.at[i];
        bool here = t->at.begin <= offset && offset < t->at.end;
        if (here && (!found || t->at.end - t->at.begin < found->at.end - found->at.begin)) {
            found = t;
        }
    }
    return found;
}

psc_span psc_index_size(const psc_unit *unit, const char *name)
{
    const psc_index *x = unit->index;
    size_t n = strlen(name);
    for (size_t i = 0; x && i < x->names.count; i++) {
        psc_span d = x->names.at[i].definition;
        if (x->names.at[i].kind == PSC_INDEX_SIZE && d.begin == x->names.at[i].at.begin && d.end - d.begin == n &&
            memcmp(d.source->text + d.begin, name, n) == 0) {
            return d;
        }
    }
    return (psc_span){0};
}
