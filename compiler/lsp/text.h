/* SPDX-License-Identifier: Apache-2.0 */
/* Texts as editors see them: places as line and UTF-16 unit, files as URIs, and JSON texts of any bytes. */
#ifndef PSC_LSP_TEXT_H
#define PSC_LSP_TEXT_H

#include <jansson.h>
#include <stdbool.h>

#include "arena.h"
#include "source.h"

/* A text's lines: they end with \n, \r\n or \r, where psc_source knows \n only. */
typedef struct lsp_lines {
    const psc_source *source;
    const uint32_t *starts;
    uint32_t count;
} lsp_lines;

lsp_lines lsp_lines_of(psc_arena *arena, const psc_source *source);
json_t *lsp_position(const lsp_lines *lines, uint32_t offset);
json_t *lsp_range(const lsp_lines *lines, uint32_t begin, uint32_t end);
/* The byte of a position; behind the end of a line or the text it is that end. False where it is no position. */
bool lsp_offset(const lsp_lines *lines, const json_t *position, uint32_t *offset);

/* A file's path, absolute and without `.` and `..`; of another URI than file: the URI. */
const char *lsp_path_of(psc_arena *arena, const char *uri);
const char *lsp_path_clean(psc_arena *arena, const char *path);
const char *lsp_uri_of(psc_arena *arena, const char *path);

/* Bytes that are no UTF-8 become U+FFFD. Never NULL but for want of memory. */
json_t *lsp_text(const char *text, size_t bytes);
/* The bytes of the span, runs of blanks as one, at most `most`; "..." where it was more. */
const char *lsp_slice(psc_arena *arena, psc_span span, uint32_t most);

#endif
