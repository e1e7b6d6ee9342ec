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

/* Names of passes in their order; NULL after the last. */
const char *psc_pass_name(size_t i);
/* What it does, in half a sentence, and whether it is left out under -O0. */
const char *psc_pass_does(size_t i);
bool psc_pass_optimises(size_t i);

/* The programs as they were before bytecode was made of them. */
void psc_passes_dump_ir(psc_unit *unit, FILE *to);
/* How a dump names dim words, and what an instruction names besides values. */
const char *psc_dump_dim(void *unit, psy_dim dim);
const char *psc_dump_index(void *unit, const psc_value *v);

#endif
