/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas that files import: found, read once however they are reached, and kept for all that ask.
 *
 *   psc_imports imports = {.arena = arena, .diags = diags, .options = &options};
 *   psc_schema *schema = psc_imports_schema(&imports, source);           a file of the command line, with all it imports
 *   const psc_import_file *file = psc_import(&imports, "common.psy", at); what `at` names, for a program
 *
 * Two paths are one schema where they lead to one file; what lies in an editor counts more than that file. */
#ifndef PSC_IMPORT_H
#define PSC_IMPORT_H

#include "schema.h"
#include "syntax.h"

struct psc_options;

enum { PSC_IMPORTS_MAX = 64 };

typedef struct psc_import_file {
    const char *key; /* the path without links: the same for one file only */
    const psc_source *source;
    psc_span at;        /* where it was imported first; no source: nowhere */
    psc_schema *schema; /* NULL: it is being read, or something is wrong with it */
    bool open;          /* it is being read */
} psc_import_file;

/* One `import`: the file that `at` names; NULL: it leads nowhere. */
typedef struct psc_import_edge {
    psc_span at;
    const psc_import_file *file;
} psc_import_edge;

typedef struct psc_imports {
    psc_arena *arena;
    psc_diagnostics *diags;
    const struct psc_options *options; /* folders, and who reads; NULL: none, and psc_source_read */
    PSC_LIST(psc_import_file *) files; /* in the order in which they were begun */
    PSC_LIST(psc_import_edge) edges;   /* in the order in which they were followed */
    bool full;                         /* PSC_IMPORTS_MAX was reported */
} psc_imports;

/* The schema of a text, and before it those that it imports. NULL after errors, which are reported. */
psc_schema *psc_imports_schema(psc_imports *imports, const psc_source *source);
/* Follows an `import`. NULL where it leads nowhere, which is reported; the schema is NULL where it has errors. */
const psc_import_file *psc_import(psc_imports *imports, const char *path, psc_span at);

/* Where a file that `from` names is looked for: k = 0, 1 ...; NULL: nowhere else. Schemas are, after those, looked for in one
 * place more. */
const char *psc_import_place(psc_arena *arena, const struct psc_options *options, const psc_source *from, const char *path,
                             size_t k);
const char *psc_import_schema_place(psc_arena *arena, const struct psc_options *options, const psc_source *from,
                                    const char *path, size_t k);

/* ---- names that imports bring ---- */

typedef PSC_LIST(const char *) psc_words;

/* The i-th name of one kind that a schema declares, and where; NULL: no more. A name of NULL: it has none. Types are counted as
 * in psc_schema.order. */
typedef const psc_span *psc_declared(const psc_schema *schema, size_t i, const char **name);
psc_declared psc_declared_type, psc_declared_constant;

/* "Item", "shop.Item" without the namespace where that is the schema's; NULL: it is another one. */
const char *psc_import_word(const psc_schema *schema, const char *name);
/* Where the schema declares the name, and its *index; NULL: it does not. */
const psc_span *psc_import_declaration(const psc_schema *schema, const char *name, psc_declared *declared, size_t *index);
/* The imported schema that declares the name, and its *index; NULL: there is none, or more than one, which is reported at `at`
 * and makes *poisoned true. */
const psc_schema *psc_import_find(psc_diagnostics *diags, const psc_schema *schema, const char *name, psc_span at,
                                  psc_declared *declared, size_t *index, bool *poisoned);

#endif
