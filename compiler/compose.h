/* SPDX-License-Identifier: Apache-2.0 */
/* Messages made of others: what a pipeline of several messages takes, and what one of several results gives. */
#ifndef PSC_COMPOSE_H
#define PSC_COMPOSE_H

#include "unit.h"

enum { PSC_COMPONENTS_MAX = 16 };

typedef struct psc_component {
    const psc_name *name;
    const psc_message *message;
} psc_component;

/* NAMESPACE.PIPELINE.WORD: its fields are the components, in order. The key of the first one that has one is its key. Reports;
 * NULL then. */
const psc_message *psc_compose(psc_unit *unit, const psc_name *pipeline, const char *word, const psc_component *components,
                               size_t count);

/* The C header of all that were composed, from templates/header.in. `stem` is the program's name without folder and suffix. 0,
 * or -1 with errno. */
int psc_composed_write(const psc_unit *unit, const char *stem, FILE *to);

#endif
