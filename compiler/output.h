/* SPDX-License-Identifier: Apache-2.0 */
/* Files to be written: kept in memory until there are no errors, then written under temporary names and renamed. */
#ifndef PSC_OUTPUT_H
#define PSC_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "arena.h"
#include "diagnostic.h"

typedef struct psc_output {
    const char *path;
    const void *bytes;
    size_t n;
    bool in_place; /* keeps the permissions of what it replaces */
} psc_output;

typedef struct psc_outputs {
    psc_arena *arena;
    psc_diagnostics *diags;
    const char *folder;
    bool uses_folder; /* something goes there */
    PSC_LIST(psc_output) list;
} psc_outputs;

/* `name` goes into the folder; the bytes must live until they are written. Two of one name are an error. */
void psc_output_add(psc_outputs *outputs, const char *name, const void *bytes, size_t n);
/* The same for a path as it is. */
void psc_output_add_path(psc_outputs *outputs, const char *path, const void *bytes, size_t n);
/* The same for a source that is there: a link stays one, permissions too. */
void psc_output_add_in_place(psc_outputs *outputs, const char *path, const void *bytes, size_t n);

/* A file in memory: where it cannot grow, the program ends with status 3. */
typedef struct psc_stream {
    FILE *to;
    char *text;
    size_t n;
} psc_stream;
FILE *psc_stream_open(psc_stream *stream);
/* Its text, in the arena. */
char *psc_stream_close(psc_stream *stream, psc_arena *arena, size_t *bytes);

/* Creates the folder and writes all, or none of them where possible. False after an error, which is reported. */
bool psc_outputs_write(psc_outputs *outputs);

#endif
