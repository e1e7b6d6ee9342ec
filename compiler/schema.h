/* SPDX-License-Identifier: Apache-2.0 */
/* A message schema (.psy), parsed, resolved and laid out: what the header emitter writes and what .hrm files import. */
#ifndef PSC_SCHEMA_H
#define PSC_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "diagnostic.h"
#include "isa/module.h"
#include "source.h"

/* More are refused: checks over all pairs stay quick, and a module has room for them. */
enum { PSC_CONSTANTS_MAX = 1024, PSC_MESSAGES_MAX = 512, PSC_FIELDS_MAX = 4096 };

typedef struct psc_constant {
    const char *name;
    psc_span span; /* of the name */
    bool is_float;
    int64_t integer;
    double real;
    const char *doc; /* doc comment, or NULL */
    bool poisoned;   /* its value had an error */
} psc_constant;

typedef struct psc_field {
    const char *name;
    psc_span span; /* of the name */
    const char *doc;
    bool has_default;
    psy_psm_field layout; /* dtype, kind, flags, count, offsets; `name` is not set here */
} psc_field;

typedef struct psc_message {
    const char *name;      /* "Query" */
    const char *full_name; /* "nearest.Query" */
    psc_span span;
    const char *doc;
    psc_field *fields;
    uint32_t field_count;
    psy_psm_type layout; /* bytes, version, layout_hash; names and indices are not set here */
} psc_message;

typedef struct psc_schema {
    const psc_source *source;
    const char *space; /* namespace: "nearest", "a.b"; empty if there is none */
    psc_span space_span;
    psc_constant *constants;
    uint32_t constant_count;
    psc_message *messages;
    uint32_t message_count;
} psc_schema;

/* Parses and checks a .psy file. NULL if there were errors (reported); warnings do not fail. */
psc_schema *psc_schema_parse(psc_arena *arena, psc_diagnostics *diags, const psc_source *source);

const psc_message *psc_schema_message(const psc_schema *schema, const char *name); /* by `name` or `full_name`, or NULL */

/* Sets the offsets of the fields and the bytes, version and hash of the type; names stay 0. As psy__layout. */
PSY_NODISCARD psy_status psc_lay_out(psc_arena *arena, const char *full_name, psc_field *fields, uint32_t count,
                                     psy_psm_type *layout);

/* Writes the C header. `stem` is the file name without folder and suffix. 0, or -1 with errno. */
int psc_header_write(const psc_schema *schema, const char *stem, FILE *to);

#endif
