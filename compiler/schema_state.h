/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the schema front end share: schema.c resolves messages, schema_fields.c their fields, schema_value.c
 * constant expressions. */
#ifndef PSC_SCHEMA_STATE_H
#define PSC_SCHEMA_STATE_H

#include "psy_ast.h"
#include "schema.h"

typedef enum psc_schema_progress { PSC_SCHEMA_NEW, PSC_SCHEMA_BEGUN, PSC_SCHEMA_DONE, PSC_SCHEMA_POISONED } psc_schema_progress;

/* A message that is being resolved, and the field of it that leads to the next one. */
typedef struct psc_schema_step {
    uint32_t message;
    const psy_field_node *field;
} psc_schema_step;

typedef struct psc_schema_resolver {
    psc_arena *arena;
    psc_diagnostics *diags;
    const psy_file *file;
    psc_schema *schema;
    psc_schema_progress *progress; /* of each message */
    psc_schema_step *path;         /* from the message that was begun first */
    uint32_t path_count;
} psc_schema_resolver;

typedef struct psc_number {
    enum { PSC_NUMBER_POISON, PSC_NUMBER_INTEGER, PSC_NUMBER_REAL } kind;
    int64_t integer;
    double real;
} psc_number;

static inline double psc_number_real(psc_number v) { return v.kind == PSC_NUMBER_REAL ? v.real : (double)v.integer; }

/* Reports what it cannot compute: poison. */
psc_number psc_schema_evaluate(psc_schema_resolver *r, const psy_expr *e);

/* A message of the file, resolved first; NULL if there is none of this name. `path` leads to it. */
const psc_message *psc_schema_resolve_part(psc_schema_resolver *r, const psy_field_node *field, bool *poisoned);

/* Sets the field's type, default and attributes. False: its type is wrong, which was reported. */
bool psc_schema_resolve_field(psc_schema_resolver *r, const psy_field_node *node, psc_field *f);

#endif
