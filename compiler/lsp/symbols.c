/* SPDX-License-Identifier: Apache-2.0 */
/* The outline as the client's list of symbols. */
#include <string.h>

#include "lsp/server.h"

/* SymbolKind of the protocol. */
static int kind_of(lsp_item_kind kind)
{
    enum {
        NAMESPACE = 3,
        FIELD = 8,
        ENUM = 10,
        FUNCTION = 12,
        VARIABLE = 13,
        CONSTANT = 14,
        ARRAY = 18,
        ENUM_MEMBER = 22,
        STRUCT = 23,
        EVENT = 24
    };
    switch (kind) {
    case LSP_NAMESPACE: return NAMESPACE;
    case LSP_CONSTANT: return CONSTANT;
    case LSP_RESIDENT:
    case LSP_PARAM: return ARRAY;
    case LSP_FUNCTION: return FUNCTION;
    case LSP_PIPELINE: return EVENT;
    case LSP_MESSAGE: return STRUCT;
    case LSP_ENUM: return ENUM;
    case LSP_FIELD: return FIELD;
    case LSP_VALUE: return ENUM_MEMBER;
    default: return VARIABLE;
    }
}

static json_t *nested(const lsp_question *q, const lsp_item *item)
{
    const lsp_lines *lines = &q->a->lines;
    const char *detail = lsp_slice(q->arena, item->type, 80);
    json_t *symbol =
        json_pack("{s:o,s:i,s:o,s:o}", "name", lsp_text(lsp_word(q->arena, item->name), item->name.end - item->name.begin),
                  "kind", kind_of(item->kind), "range", lsp_range(lines, item->all.begin, item->all.end), "selectionRange",
                  lsp_range(lines, item->name.begin, item->name.end));
    if (*detail) {
        json_object_set_new(symbol, "detail", lsp_text(detail, strlen(detail)));
    }
    return symbol;
}

static json_t *flat(const lsp_question *q, const lsp_item *item, const lsp_item *around)
{
    json_t *symbol =
        json_pack("{s:o,s:i,s:{s:s,s:o}}", "name", lsp_text(lsp_word(q->arena, item->name), item->name.end - item->name.begin),
                  "kind", kind_of(item->kind), "location", "uri", q->document->uri, "range",
                  lsp_range(&q->a->lines, item->all.begin, item->all.end));
    if (around) {
        const char *name = lsp_word(q->arena, around->name);
        json_object_set_new(symbol, "containerName", lsp_text(name, strlen(name)));
    }
    return symbol;
}

json_t *lsp_symbols(const lsp_question *q)
{
    json_t *list = json_array(), *children = NULL;
    const lsp_item *around = NULL;
    for (size_t i = 0; i < q->a->outline->items.count; i++) {
        const lsp_item *item = &q->a->outline->items.at[i];
        bool inner = lsp_item_is_inner(item) && around;
        if (!q->hierarchical) {
            json_array_append_new(list, flat(q, item, inner ? around : NULL));
            around = inner ? around : item;
            continue;
        }
        json_t *symbol = nested(q, item);
        if (inner) {
            json_array_append_new(children, symbol);
        } else {
            around = item;
            children = json_array();
            json_object_set_new(symbol, "children", children);
            json_array_append_new(list, symbol);
        }
    }
    return list;
}
