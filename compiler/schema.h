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
enum {
    PSC_CONSTANTS_MAX = 1024,
    PSC_MESSAGES_MAX = 512,
    PSC_FIELDS_MAX = 4096,
    PSC_FIELD_NAME_MAX = 127,
    PSC_MEMBERS_MAX = 255
};

typedef struct psc_constant {
    const char *name;
    psc_span span; /* of the name */
    bool is_float;
    int64_t integer;
    double real;
    const char *doc; /* doc comment, or NULL */
    bool poisoned;   /* its value had an error */
} psc_constant;

typedef struct psc_message psc_message;

/* A field, a member of a union, or a value of an enum, whose number is layout.default_bits. What lies in a part follows it, as
 * in modules: "item.price", with its index as layout.parent. */
typedef struct psc_field {
    const char *name;
    psc_span span; /* of the name */
    const char *doc;
    bool has_default;
    const char *text; /* default of a text that has one */
    uint32_t text_bytes;
    const char *deprecated;  /* what @deprecated says, may be empty; NULL: it is not */
    const psc_message *part; /* PART, STRUCT: the message or struct that it is */
    const psc_message *type; /* as `part`; ITEMS, UNION: of the elements; of numbers the enum or flags; NULL: it needs none */
    psy_psm_field layout;    /* dtype, kind, flags, count, offsets; `name` and `type` are not set here */
} psc_field;

typedef PSC_LIST(psc_field) psc_fields;

/* A message, or another type: layout.kind says what. */
struct psc_message {
    const char *name;      /* "Query"; of a union "Query.source" */
    const char *full_name; /* "nearest.Query" */
    psc_span span;
    const char *doc;
    psc_field *fields;
    uint32_t field_count;
    uint32_t depth;    /* of types in types: 0 where there are none */
    const char *topic; /* what @topic says, or NULL */
    const char *deprecated;
    psy_psm_type layout; /* kind, bytes, version, layout_hash; names and indices are not set here */
};

typedef struct psc_schema psc_schema;

/* A schema that another one imports: its names can be used there, and its header is included. */
typedef struct psc_schema_import {
    psc_span span; /* of the text behind `import` */
    psc_schema *schema;
} psc_schema_import;

typedef struct psc_c_name psc_c_name; /* schema_names.c */

struct psc_schema {
    const psc_source *source;
    const char *space; /* namespace: "nearest", "a.b"; empty if there is none */
    psc_span space_span;
    psc_schema_import *imports; /* its own; what those import is theirs */
    uint32_t import_count;
    uint32_t number;   /* among the schemas that were read with it: below PSC_IMPORTS_MAX */
    uint64_t compared; /* a bit for the number of each schema whose names in C were compared with its own */
    const psc_c_name *c_names;
    size_t c_name_count;
    psc_constant *constants;
    uint32_t constant_count;
    psc_message *messages; /* as declared: no other types */
    uint32_t message_count;
    const psc_message **order; /* all types, those that others refer to before them */
    uint32_t order_count;
};

/* "message", "struct", "union", "enum", "flags". */
const char *psc_type_word(const psc_message *type);
/* "a message", "an enum", "flags". */
const char *psc_type_phrase(const psc_message *type);

/* Parses and checks a .psy file, and what it imports, which is looked for without options (import.h is for those who have
 * some). NULL if there were errors (reported); warnings do not fail. */
psc_schema *psc_schema_parse(psc_arena *arena, psc_diagnostics *diags, const psc_source *source);

const psc_message *psc_schema_message(const psc_schema *schema, const char *name); /* by `name` or `full_name`, or NULL */
/* Any type that is declared: message, struct, enum, flags. */
const psc_message *psc_schema_type(const psc_schema *schema, const char *name);

/* The i-th attribute that there is: "@key", whether it stands on types only, and what it says. False after the last. */
bool psc_schema_attribute(size_t i, const char **name, bool *of_type, const char **doc);

/* A message that fields are added to. */
typedef struct psc_message_maker {
    psc_arena *arena;
    psc_diagnostics *diags;
    psc_message *message;
    psc_fields *fields; /* grows: the message has what is there */
} psc_message_maker;

/* Adds a field of the message itself, and of a part all that lies in it. False over a limit, which is reported. */
bool psc_message_add(const psc_message_maker *maker, const psc_field *f);

/* The field of the message itself (`parent` PSY_NONE), or of a part of it, that has this name; field_count: there is none. */
uint32_t psc_field_find(const psc_message *message, uint32_t parent, const char *name);
/* The last word of its name. */
const char *psc_field_word(const psc_field *f);

/* Numbers that are always there. */
static inline bool psc_field_is_plain(const psc_field *f)
{
    return (f->layout.kind == PSY_FIELD_SCALAR || f->layout.kind == PSY_FIELD_ARRAY) &&
           !(f->layout.flags & (PSY_FIELD_TEXT | PSY_FIELD_ITEMS));
}

/* Whether its record names a type: what lies in a part or struct is there instead, field by field. */
static inline bool psc_field_refers(const psc_field *f) { return f->type != NULL && f->part == NULL; }

/* What pipelines read and write: numbers, texts and variants with a bound, and what they lie in. */
static inline bool psc_field_is_value(const psc_field *f)
{
    const unsigned kind = f->layout.kind, flags = f->layout.flags;
    return kind != PSY_FIELD_UNION && kind != PSY_FIELD_TAIL &&
           !(flags & (PSY_FIELD_ITEMS | PSY_FIELD_OPEN | PSY_FIELD_RETIRED)) &&
           !(kind == PSY_FIELD_OPTIONAL && (flags & PSY_FIELD_TEXT));
}

/* The type as it is written: "f32[<=4]", "Item". */
const char *psc_field_type_text(psc_arena *arena, const psc_field *f);

/* Sets the offsets of the fields and the rest of the type, whose kind and dtype are given; names stay 0. As psy__layout. */
PSY_NODISCARD psy_status psc_lay_out(psc_arena *arena, const char *full_name, psc_field *fields, uint32_t count,
                                     psy_psm_type *layout);

/* Writes the C header. `file` is the file's name without folder. The header includes those of the schemas that are imported,
 * and of `used`. 0, or -1 with errno. */
int psc_header_write(const psc_schema *schema, const char *file, const psc_schema *const *used, size_t used_count, FILE *to);

/* Writes a C file with a fuzz target for each message of the schema, of which there are some, that needs its header. As above. */
int psc_header_write_fuzz(const psc_schema *schema, const char *file, FILE *to);

#endif
