/* SPDX-License-Identifier: Apache-2.0 */
/* Open documents and what psynec thinks of them. */
#ifndef PSC_LSP_DOCUMENT_H
#define PSC_LSP_DOCUMENT_H

#include <jansson.h>

#include "lsp/outline.h"
#include "lsp/text.h"
#include "unit.h"

/* One text's way through the compiler. All of it lies in its arena. */
typedef struct lsp_analysis {
    psc_arena arena;
    psc_diagnostics diags;
    const psc_source *source;
    lsp_lines lines;
    lsp_outline *outline;
    psc_imports imports; /* of a .psy: what it imports */
    psc_schema *schema;  /* of a .psy that is right, or NULL */
    psc_unit *unit;      /* of a .hrm, with its index; what could be found where it has errors */
} lsp_analysis;

typedef struct lsp_document {
    struct lsp_document *next; /* in the order in which they were opened */
    char *uri, *path, *text;
    size_t bytes;
    bool is_schema;
    bool stale; /* the client has not heard what psynec thinks of it */
    json_int_t version;
    lsp_analysis *analysis; /* of the text as it is, or NULL */
    uint64_t used;          /* when it was asked for, by lsp_documents.clock */
} lsp_document;

/* The memory of documents that nobody asks about is given back. */
enum { LSP_ANALYSES_KEPT_MAX = 16 };

typedef struct lsp_documents {
    lsp_document *first;
    psc_options options;
    uint64_t clock;
} lsp_documents;

lsp_document *lsp_document_find(const lsp_documents *all, const char *uri);
/* Takes the text; *why says what is wrong with the parameters where it gives NULL. */
lsp_document *lsp_document_open(lsp_documents *all, const json_t *item, const char **why);
bool lsp_document_change(lsp_documents *all, lsp_document *d, const json_t *params, const char **why);
void lsp_document_close(lsp_documents *all, lsp_document *d);
/* Files on disk, or other documents, changed: what imports them is looked at again. */
void lsp_documents_expire(lsp_documents *all);

lsp_analysis *lsp_analyse(lsp_documents *all, lsp_document *d);
json_t *lsp_diagnostic(const lsp_documents *all, const lsp_analysis *a, psc_arena *arena, const psc_diagnostic *d);
/* The parameters of publishDiagnostics. */
json_t *lsp_diagnostics(const lsp_documents *all, const lsp_document *d);
/* {uri, range} of a place in this or another file. `arena` holds what is thrown away. */
json_t *lsp_location(const lsp_documents *all, psc_arena *arena, psc_span span);

#endif
