/* SPDX-License-Identifier: Apache-2.0 */
/* What an editor asks of a program: where the name under the cursor is declared, and the type of the expression there. resolve
 * and lower fill it where psc_unit.index is set; where it is NULL, all of this does nothing.
 *
 * A function is written out at every call: its body has the types of the first call. */
#ifndef PSC_INDEX_H
#define PSC_INDEX_H

#include <stdbool.h>

#include "arena.h"
#include "source.h"

struct psc_unit;

typedef enum psc_index_kind {
    PSC_INDEX_CONSTANT,
    PSC_INDEX_RESIDENT,
    PSC_INDEX_PARAM,
    PSC_INDEX_SIZE,
    PSC_INDEX_FUNCTION,
    PSC_INDEX_PARAMETER,
    PSC_INDEX_LET,
    PSC_INDEX_PIPELINE,
    PSC_INDEX_MESSAGE,
    PSC_INDEX_FIELD,
    PSC_INDEX_BUILTIN, /* no definition */
    PSC_INDEX_IMPORT   /* the start of the file */
} psc_index_kind;

typedef struct psc_index_name {
    psc_index_kind kind;
    psc_span at, definition; /* the same for the declaration itself */
} psc_index_name;

typedef struct psc_index_type {
    psc_span at;
    const char *text; /* "f32[N, 256]" */
} psc_index_type;

typedef struct psc_index {
    psc_arena *arena;
    const psc_source *source; /* only places in it are kept */
    PSC_LIST(psc_index_name) names;
    PSC_LIST(psc_index_type) types;
    PSC_LIST(uint32_t) slots; /* of the types by place: number + 1, or 0 */
} psc_index;

psc_index *psc_index_create(psc_arena *arena, const psc_source *source);

/* ---- filling ---- */
void psc_index_add_name(const struct psc_unit *unit, psc_index_kind kind, psc_span at, psc_span definition);
/* Whether there is no type for the place yet: its text need not be made otherwise. */
bool psc_index_wants_type(const struct psc_unit *unit, psc_span at);
void psc_index_add_type(const struct psc_unit *unit, psc_span at, const char *text);

/* The number in as few digits as say which one it is. */
const char *psc_index_real(psc_arena *arena, double number);

/* ---- asking ---- */
/* The name that the byte is in, or just behind; or NULL. */
const psc_index_name *psc_index_name_at(const psc_index *index, uint32_t offset);
/* The type of exactly that place, or NULL. */
const char *psc_index_type_of(const psc_index *index, psc_span at);
/* The smallest expression around the byte that has a type, or NULL. */
const psc_index_type *psc_index_type_at(const psc_index *index, uint32_t offset);
/* Where the size `name` of the file is declared; no source: it is not. */
psc_span psc_index_size(const struct psc_unit *unit, const char *name);

#endif
