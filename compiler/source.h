/* SPDX-License-Identifier: Apache-2.0 */
/* Source files and places in them. */
#ifndef PSC_SOURCE_H
#define PSC_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"

typedef struct psc_source {
    const char *path; /* as the user wrote it */
    const char *text; /* NUL-terminated; `bytes` without the NUL */
    size_t bytes;
    const uint32_t *line_starts; /* offsets; line_count entries */
    uint32_t line_count;
} psc_source;

/* A range of bytes of one file: begin <= end. A NULL source: no place (command line). */
typedef struct psc_span {
    const psc_source *source;
    uint32_t begin, end;
} psc_span;

enum { PSC_SOURCE_BYTES_MAX = 16 << 20 };

/* Reads a file into the arena. NULL with errno set when it cannot be read; EFBIG over PSC_SOURCE_BYTES_MAX. Directories, what
 * else is no file (it might never end, or never begin) and NUL bytes are refused (EISDIR, EINVAL, EILSEQ). */
const psc_source *psc_source_read(psc_arena *arena, const char *path);
/* Why the last psc_source_read failed, by its errno. */
const char *psc_source_problem(int error);
/* The same for text in memory (tests, generated). */
const psc_source *psc_source_text(psc_arena *arena, const char *path, const char *text, size_t bytes);
/* Line and column (bytes), from 1. */
void psc_source_place(const psc_source *source, uint32_t offset, uint32_t *line, uint32_t *column);

static inline psc_span psc_span_join(psc_span a, psc_span b)
{
    psc_span s = {a.source ? a.source : b.source, a.begin, b.end};
    return s;
}

#endif
