/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the server share. An answer is a new reference, or NULL where the client gets null. */
#ifndef PSC_LSP_SERVER_H
#define PSC_LSP_SERVER_H

#include "lsp/document.h"

/* A question about a place of a document. `arena` lives as long as the question. */
typedef struct lsp_question {
    const lsp_documents *all;
    const lsp_document *document;
    const lsp_analysis *a;
    psc_arena *arena;
    const json_t *params;
    uint32_t offset;
    bool markdown, hierarchical; /* what the client understands */
} lsp_question;

json_t *lsp_hover(const lsp_question *q);
json_t *lsp_definition(const lsp_question *q);
json_t *lsp_complete(const lsp_question *q);
json_t *lsp_symbols(const lsp_question *q);
json_t *lsp_format(const lsp_question *q);
json_t *lsp_actions(const lsp_question *q);

/* ---- what hover and completion say of things ---- */
const char *lsp_constant_value(psc_arena *arena, const psc_constant *c);

#endif
