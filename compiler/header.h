/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the header emitter share. header.c has the whole; header_text.c writes words and numbers of C,
 * header_field.c knows what a field is called in the header, header_struct.c writes structs and what is known of them,
 * header_enum.c enums and flags, header_init.c what messages start with, header_verify.c the checks, header_settle.c what reads
 * other versions, header_accessors.c getters and setters, header_reflection.c the tables; header_names.c has all names that
 * come of it. header_fuzz.c writes what fuzzes all that. The text is in templates/header*.in and fuzz.in. */
#ifndef PSC_HEADER_H
#define PSC_HEADER_H

#include <stdio.h>

#include "arena.h"
#include "schema.h"
#include "template.h"

typedef struct psc_header {
    psc_arena *arena;
    FILE *to;
    FILE *outer; /* while what is written is kept, to be indented */
    char *kept;  /* that */
    size_t kept_bytes;
    const psc_schema *schema;
    const char *word;                    /* names of the whole header are made of it: shop_psy */
    PSC_LIST(const psc_message *) types; /* those of the tables */
    const psc_message *message;          /* the type that is being written */
    const char *type, *upper;            /* nearest_query, NEAREST_QUERY */
} psc_header;

#define PSC_PAIRS(...)                                                                                                         \
    (const psc_pair[])                                                                                                         \
    {                                                                                                                          \
        __VA_ARGS__, { NULL, NULL }                                                                                            \
    }

/* ---- header_text.c ---- */

const char *psc_header_decimal(psc_header *w, uint64_t n);
const char *psc_header_integer(psc_header *w, int64_t v);
const char *psc_header_real(psc_header *w, double v);
const char *psc_header_ctype(unsigned dtype);
/* A C string whose bytes are those of the text, whatever they are. */
const char *psc_header_quoted(psc_header *w, const char *text, size_t n);
/* A comment, if there is something to say, at the margin or inside a struct. */
void psc_header_doc(psc_header *w, const char *doc);
void psc_header_inner_doc(psc_header *w, const char *doc);
/* What is written between these two is indented. They do not nest. */
void psc_header_keep(psc_header *w);
void psc_header_indent(psc_header *w, unsigned spaces);
/* "PSY_DEPRECATED("use x") ", or nothing. */
const char *psc_header_deprecated(psc_header *w, const char *why);

/* ---- header.c ---- */

/* What names of the whole header are made of. */
const char *psc_header_word(psc_header *w, const char *file);

/* ---- header_field.c ---- */

/* A field as the header has it: of the message itself, or a member of a union in it. */
typedef struct psc_spot {
    const psc_field *field;
    const psc_field *in; /* the union that it is a member of, or NULL */
    uint32_t tag;        /* then which one, from 1 */
    const char *name;    /* in names of functions: "tags", "source_url" */
    const char *upper;   /* in names of macros */
    const char *at;      /* where its elements are in the struct: "tags", "source.url" */
    const char *beside;  /* its count, whether it is there, its head or tag; or "" */
    const char *lengths; /* of bounded texts, or "" */
} psc_spot;

psc_spot psc_header_spot(psc_header *w, const psc_field *f);
psc_spot psc_header_member(psc_header *w, const psc_field *in, uint32_t index);
/* All that templates say of a field. */
const psc_pair *psc_header_pairs(psc_header *w, const psc_spot *s);
/* The name of a field's piece in the struct: what is retired has another one. */
const char *psc_header_member_name(psc_header *w, const psc_field *f);
/* The C type of a type. */
const char *psc_header_type(psc_header *w, const psc_message *type);
/* The default of a float as bits, of other numbers as a number. */
const char *psc_header_default(psc_header *w, const psy_psm_field *l);
/* What its elements are aligned to where they are few, and whether they are at 64 where they are many. */
uint32_t psc_header_align(const psc_field *f, bool *raised);

/* What a piece of a field is. */
typedef struct psc_piece {
    const char *ctype, *name, *array;
    uint32_t at, bytes;
} psc_piece;
enum { PSC_PIECES_MAX = 3 };
/* The members of the struct, or of what a union has for it. */
unsigned psc_header_pieces(psc_header *w, const psc_field *f, psc_piece out[PSC_PIECES_MAX]);

static inline bool psc_field_is_own(const psc_field *f) { return f->layout.parent == PSY_NONE; }
static inline bool psc_field_is_text(const psc_field *f) { return (f->layout.flags & PSY_FIELD_TEXT) != 0; }
static inline bool psc_field_is_items(const psc_field *f) { return (f->layout.flags & PSY_FIELD_ITEMS) != 0; }
static inline bool psc_field_is_open(const psc_field *f)
{
    return f->layout.kind == PSY_FIELD_TAIL || (f->layout.flags & PSY_FIELD_OPEN) != 0;
}
static inline bool psc_field_is_retired(const psc_field *f) { return (f->layout.flags & PSY_FIELD_RETIRED) != 0; }
/* One number, be it optional. */
bool psc_field_is_one(const psc_field *f);
/* Its elements, or what it is, are of a type with a header. */
static inline bool psc_field_is_messages(const psc_field *f) { return f->type && f->type->layout.kind == PSY_TYPE_MESSAGE; }
static inline bool psc_type_is_tailed(const psc_message *m) { return (m->layout.flags & PSY_TYPE_TAILED) != 0; }

/* ---- one of each: what it writes ---- */

void psc_header_struct(psc_header *w);
/* Calls for the bytes between members, every field and its pieces, in order; those that are NULL are left out. */
void psc_header_each_member(psc_header *w, void (*gap)(psc_header *, uint32_t at, uint32_t n),
                            void (*before)(psc_header *, const psc_field *), void (*piece)(psc_header *, const psc_piece *));
void psc_header_enum(psc_header *w);
void psc_header_init(psc_header *w);
void psc_header_init_field(psc_header *w, const psc_spot *s);
void psc_header_verify(psc_header *w);
/* Whether it has something that any bytes are not right for. */
bool psc_header_is_checked(const psc_message *m);
void psc_header_read(psc_header *w);
void psc_header_accessors(psc_header *w);
/* At the top, and at the bottom. */
void psc_header_reflection_begin(psc_header *w);
void psc_header_reflection(psc_header *w);
/* The place of a type in the tables. */
uint32_t psc_header_index(psc_header *w, const psc_message *type);

#endif
