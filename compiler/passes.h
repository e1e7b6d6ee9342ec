/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler as a list of passes. */
#ifndef PSC_PASSES_H
#define PSC_PASSES_H

#include <stdbool.h>
#include <stdio.h>

#include "unit.h"

typedef struct psc_passes_options {
    const char *dump; /* pass after which the unit is printed, or NULL */
    FILE *dump_to;
    bool time; /* print how long each pass took, on stderr */
} psc_passes_options;

/* Runs the list over the unit until one reports errors. */
void psc_passes_run(psc_unit *unit, const psc_passes_options *options);

bool psc_pass_exists(const char *name);
/* "parse, resolve, ..." */
const char *psc_pass_names(psc_arena *arena);

#endif
