/* SPDX-License-Identifier: Apache-2.0 */
/* What a document imports: where the mistakes of imported files show, what imported names mean, which files there are. */
#ifndef PSC_LSP_IMPORTS_H
#define PSC_LSP_IMPORTS_H

#include "lsp/server.h"

const psc_imports *lsp_imports_of(const lsp_analysis *a);
/* The `import` of the document through which the file was reached; no source: none. */
psc_span lsp_import_to(const lsp_analysis *a, const psc_source *file);
/* The import of a schema whose path the cursor is in, or NULL. */
const psc_import_edge *lsp_import_at(const lsp_question *q);

/* The name at the cursor, with its namespace: "Item", "shop.Item"; an empty span where there is none. */
psc_span lsp_dotted_at(const lsp_question *q);
/* What an imported schema declares of this name; no source: nothing, or more than one. */
psc_span lsp_imported(const lsp_question *q, const char *name, const psc_schema **schema);

/* Calls `take` for each name that the document's imports declare. `word` is what must be written, without the namespace where
 * `space`, which may be NULL, is that; else with it where others are called the same. */
typedef void lsp_take_name(void *context, const psc_schema *schema, size_t index, const char *word);
void lsp_imported_names(const lsp_question *q, psc_declared *declared, const char *space, lsp_take_name *take, void *context);

/* In `import "abc` the path up to the cursor: true, and what may be written there as the answer. */
bool lsp_complete_path(const lsp_question *q, json_t *list);

#endif
