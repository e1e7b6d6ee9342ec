/* SPDX-License-Identifier: Apache-2.0 */
/* Files to be written: kept in memory until there are no errors, then written under temporary names and renamed. */
#ifndef PSC_OUTPUT_H
#define PSC_OUTPUT_H

#include "arena.h"
#include "diagnostic.h"

typedef struct psc_output {
    const char *path;
    const void *bytes;
    size_t n;
} psc_output;

typedef struct psc_outputs {
    psc_arena *arena;
    psc_diagnostics *diags;
    const char *folder;
    PSC_LIST(psc_output) list;
} psc_outputs;

/* `name` goes into the folder; the bytes must live until they are written. Two of one name are an error. */
void psc_output_add(psc_outputs *outputs, const char *name, const void *bytes, size_t n);
/* Creates the folder and writes all, or none of them where possible. False after an error, which is reported. */
bool psc_outputs_write(psc_outputs *outputs);

#endif
