/* SPDX-License-Identifier: Apache-2.0 */
/* What a text declares, read from its words alone: it is there while somebody types and nothing parses. */
#ifndef PSC_LSP_OUTLINE_H
#define PSC_LSP_OUTLINE_H

#include <stdbool.h>

#include "syntax.h"

typedef enum lsp_item_kind {
    LSP_NAMESPACE,
    LSP_CONSTANT,
    LSP_RESIDENT,
    LSP_PARAM,
    LSP_FUNCTION,
    LSP_PIPELINE,
    LSP_MESSAGE,   /* and structs */
    LSP_ENUM,      /* and flags */
    LSP_PARAMETER, /* what follows lies inside of the item before it that is none of these */
    LSP_LET,
    LSP_FIELD,
    LSP_VALUE
} lsp_item_kind;

typedef struct lsp_item {
    lsp_item_kind kind;
    psc_span all, name, type; /* type: what is written after `:` or `->`; empty where nothing is */
    uint32_t body;            /* functions, pipelines: where the `=` or `{` stands; else, and where it is missing, the end */
    uint32_t record;          /* pipelines: where the message at the end begins, or the end */
} lsp_item;

typedef struct lsp_outline {
    psc_spans words;
    PSC_LIST(lsp_item) items;
} lsp_outline;

lsp_outline *lsp_outline_make(psc_arena *arena, const psc_source *source, bool is_schema);

bool lsp_item_is_inner(const lsp_item *item);
/* Whether the span is that text. */
bool lsp_is(psc_span span, const char *text);
bool lsp_same(psc_span a, psc_span b);
/* A letter or `_` at its front. */
bool lsp_is_name(psc_span word);
const char *lsp_word(psc_arena *arena, psc_span span);

#endif
