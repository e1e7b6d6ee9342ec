/* SPDX-License-Identifier: Apache-2.0 */
/* What changed between two schemas, and who survives it: readers of the old one when they are given messages of the new one,
 * and readers of the new one when they are given messages of the old one. They survive where T_read (doc/messages.md, Versions)
 * accepts every message that the other side may write, and each field that both know has the value that was written, each
 * other one its default.
 *
 *   psc_compat *c = psc_compat_find(arena, diags, old, now);
 *   psc_compat_print(c, stdout, false);
 */
#ifndef PSC_COMPAT_H
#define PSC_COMPAT_H

#include "schema.h"

typedef enum psc_change_kind {
#define CHANGE(NAME, name, old_readers, new_readers, what, readers) PSC_CHANGE_##NAME,
#include "compat.def"
    PSC_CHANGE_COUNT
} psc_change_kind;

typedef enum psc_survival { PSC_SURVIVES_NO, PSC_SURVIVES_YES, PSC_SURVIVES_MAYBE } psc_survival;

/* A row of the table. */
typedef struct psc_change_row {
    const char *name;
    psc_survival old_readers, new_readers;
    const char *what, *readers;
} psc_change_row;
extern const psc_change_row psc_change_rows[PSC_CHANGE_COUNT];

/* Of a reader and what it is given. */
typedef struct psc_fate {
    bool survives;
    const char *why; /* NULL: there is nothing to say */
} psc_fate;

typedef struct psc_change {
    psc_change_kind kind;
    psc_span now, old; /* no source: there is none */
    const char *text;
    psc_fate old_readers, new_readers;
} psc_change;
typedef PSC_LIST(psc_change) psc_changes;

/* A type that both schemas have. */
typedef struct psc_compat_type {
    const psc_message *old, *now;
    psc_changes changes;
    bool old_readers, new_readers; /* survive */
} psc_compat_type;

typedef struct psc_compat {
    const psc_schema *old, *now;
    psc_changes changes; /* of no type that both have */
    PSC_LIST(psc_compat_type *) types;
    bool old_readers, new_readers;
} psc_compat;

/* Never NULL. Reports an error where a retired field is used again. */
psc_compat *psc_compat_find(psc_arena *arena, psc_diagnostics *diags, const psc_schema *old, const psc_schema *now);
/* Every change with its places, then a line for each message and one for all. */
void psc_compat_print(psc_arena *arena, const psc_compat *c, FILE *to, bool colour);
/* The same as a JSON object a line: doc/psynec.md says what is in it. */
void psc_compat_json(const psc_compat *c, FILE *to);

/* ---- who reads what: compat_read.c ---- */

typedef struct psc_reads psc_reads;
psc_reads *psc_reads_make(psc_arena *arena);

/* The field of `other` that `f` of `type` is: of the same name, or else of the same place, type and version with a name that
 * `type` does not have. NULL: it has none. */
const psc_field *psc_reads_counterpart(const psc_message *type, const psc_field *f, const psc_message *other);
bool psc_reads_same_place(const psc_field *a, const psc_field *b);
/* Whether bytes of both are in one place. */
bool psc_reads_overlap(const psc_field *a, const psc_field *b);

/* What readers of the type `reader` make of what was written as `writer`: of its size and version (not where it lies inside
 * another message, whose fields say it), of a field of `reader`, of the value of one where it lies (newer: in a message of a
 * higher version than the reader's), and of all of it. All types but unions, which their fields say. */
psc_fate psc_reads_header(psc_reads *r, const psc_message *reader, const psc_message *writer, bool inside);
psc_fate psc_reads_field(psc_reads *r, const psc_message *reader, const psc_message *writer, const psc_field *f);
psc_fate psc_reads_value(psc_reads *r, const psc_field *reader, const psc_field *writer, bool newer);
psc_fate psc_reads_type(psc_reads *r, const psc_message *reader, const psc_message *writer, bool inside);

#endif
