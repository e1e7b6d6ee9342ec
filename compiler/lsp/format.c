/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical layout (fmt.h), as one edit of the whole text. */
#include <string.h>

#include "fmt.h"
#include "lsp/server.h"

json_t *lsp_format(const lsp_question *q)
{
    const psc_source *s = q->a->source;
    psc_diagnostics diags = {.arena = q->arena};
    size_t bytes;
    const char *text = psc_fmt(q->arena, &diags, s, !q->document->is_schema, &bytes);
    if (!text) {
        return NULL; /* it does not parse: the client knows why */
    }
    if (bytes == s->bytes && memcmp(text, s->text, bytes) == 0) {
        return json_array();
    }
    return json_pack("[{s:o,s:o}]", "range", lsp_range(&q->a->lines, 0, (uint32_t)s->bytes), "newText", lsp_text(text, bytes));
}
