/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the schema front end share: schema.c has the whole, schema_types.c resolves types, schema_fields.c the
 * types of their fields, schema_attributes.c what stands behind an @, schema_default.c defaults and the numbers of enums,
 * schema_value.c constant expressions. */
#ifndef PSC_SCHEMA_STATE_H
#define PSC_SCHEMA_STATE_H

#include "import.h"
#include "psy_ast.h"
#include "schema.h"

typedef enum psc_schema_progress { PSC_SCHEMA_NEW, PSC_SCHEMA_BEGUN, PSC_SCHEMA_DONE, PSC_SCHEMA_POISONED } psc_schema_progress;

/* A type that is being resolved, and the field of it that leads to the next one. */
typedef struct psc_schema_step {
    uint32_t block;
    const psy_field_node *field;
} psc_schema_step;

typedef struct psc_schema_resolver {
    psc_arena *arena;
    psc_diagnostics *diags;
    const psy_file *file;
    const psc_imports *imports;
    bool incomplete; /* an import is missing, which was reported: names that are not there may be its own */
    psc_schema *schema;
    uint32_t block_count;          /* of the file's blocks, those that are looked at */
    psc_message **declared;        /* what each block becomes */
    psc_schema_progress *progress; /* of each block */
    psc_schema_step *path;         /* from the type that was begun first */
    uint32_t path_count;
    PSC_LIST(const psc_message *) order;
    const psc_message *scope; /* an enum whose values expressions may name, or NULL */
} psc_schema_resolver;

typedef struct psc_number {
    enum { PSC_NUMBER_POISON, PSC_NUMBER_INTEGER, PSC_NUMBER_REAL } kind;
    int64_t integer;
    double real;
} psc_number;

static inline double psc_number_real(psc_number v) { return v.kind == PSC_NUMBER_REAL ? v.real : (double)v.integer; }

/* What import.c calls for every text: the schema, or NULL after errors. `number`: psc_schema.number. */
psc_schema *psc_schema_resolve(psc_imports *imports, const psc_source *source, uint32_t number);

/* There is no such name, as `problem` says: reports it, unless a missing import may have it, with what may have been meant: a
 * name of the file, of `near`, or one that the schemas declare. False: there is nothing to say, and nothing was said. */
bool psc_schema_unknown(psc_schema_resolver *r, const char *problem, const psc_name *name, psc_declared *declared,
                        psc_words *near);

/* Reports what it cannot compute: poison. */
psc_number psc_schema_evaluate(psc_schema_resolver *r, const psy_expr *e);

/* At most `most` of them: more are reported, and left alone. */
size_t psc_schema_within(psc_schema_resolver *r, size_t count, size_t most, const char *what, psc_span at);

/* All types of the file. */
void psc_schema_resolve_types(psc_schema_resolver *r);
/* A type of the file, resolved first, or of an imported one; NULL if there is none of this name, and *poisoned after an error,
 * which is reported. `field`, of the innermost of `path`, leads to it. */
const psc_message *psc_schema_resolve_declared(psc_schema_resolver *r, const psy_field_node *field, bool *poisoned);
/* union { ... }, the type of a field of `in`. NULL after an error. */
const psc_message *psc_schema_resolve_union(psc_schema_resolver *r, const psc_message *in, const psy_field_node *field);

/* Sets the type, default and attributes of a field of `in`. False: its type is wrong, which was reported. */
bool psc_schema_resolve_field(psc_schema_resolver *r, const psc_message *in, const psy_field_node *node, psc_field *f);

void psc_schema_resolve_default(psc_schema_resolver *r, const psy_field_node *node, psc_field *f);
/* The bits of a number of this dtype, true and false included. False: it does not fit, or makes no sense; reported. `what` it
 * is: "default". */
bool psc_schema_number(psc_schema_resolver *r, const psy_expr *e, unsigned dtype, const char *what, uint64_t *bits);

/* Attributes of a field of `in`, and of a type. */
void psc_schema_field_attributes(psc_schema_resolver *r, const psc_message *in, const psy_field_node *node, psc_field *f);
void psc_schema_type_attributes(psc_schema_resolver *r, const psy_block_node *node, psc_message *m);

#endif
