/* SPDX-License-Identifier: Apache-2.0 */
/* What the .psy parser makes of a file: names and numbers as written, nothing resolved. */
#ifndef PSC_PSY_AST_H
#define PSC_PSY_AST_H

#include "arena.h"
#include "diagnostic.h"
#include "source.h"
#include "syntax.h"

typedef enum psy_expr_kind {
    PSY_EXPR_POISON,
    PSY_EXPR_INTEGER,
    PSY_EXPR_REAL,
    PSY_EXPR_NAME,
    PSY_EXPR_TEXT, /* only a whole default */
    PSY_EXPR_BINARY,
    PSY_EXPR_NEGATE
} psy_expr_kind;

typedef struct psy_expr {
    psy_expr_kind kind;
    psc_span span;
    uint64_t integer;
    double real;
    const char *name; /* NAME: "DIM", "shop.DIM"; TEXT */
    char op;          /* BINARY: + - * / */
    unsigned depth;   /* of the tree below and this */
    struct psy_expr *left, *right;
} psy_expr;

typedef enum psy_bound_kind { PSY_BOUND_EXACT, PSY_BOUND_MOST, PSY_BOUND_OPEN } psy_bound_kind; /* [N], [<=N], [] */

typedef struct psy_bound {
    psy_bound_kind kind;
    psc_span span;
    psy_expr *count; /* of an OPEN one NULL */
} psy_bound;

enum { PSY_BOUNDS_MAX = 2 };

typedef struct psy_block_node psy_block_node;

typedef struct psy_type_node {
    psc_span span;
    psc_name name;
    psy_bound bounds[PSY_BOUNDS_MAX];
    uint32_t bound_count;  /* as written: may be more */
    psc_span optional;     /* of `?`; no source: there is none */
    psy_block_node *block; /* union { ... }; NULL: there is none */
} psy_type_node;

typedef struct psy_attribute {
    psc_name name;
    psy_expr *argument; /* or NULL */
} psy_attribute;

typedef PSC_LIST(psy_attribute) psy_attributes;

/* A field, a member of a union, or a value of an enum. */
typedef struct psy_field_node {
    psc_name name;
    psy_type_node type; /* of a value without a name */
    psy_expr *default_; /* of a value the number; or NULL */
    psy_attributes attributes;
} psy_field_node;

/* message NAME { ... }  struct NAME { ... }  enum NAME: TYPE { ... }  union { ... } */
struct psy_block_node {
    psc_name word; /* "message" */
    psc_name name;
    psc_name base; /* of an enum; no text: there is none */
    psy_attributes attributes;
    PSC_LIST(psy_field_node *) fields;
};

typedef struct psy_const_node {
    psc_name name;
    psy_expr *value;
} psy_const_node;

typedef struct psy_file {
    PSC_LIST(psc_name) space; /* the parts of `namespace a.b` */
    psc_span space_span;
    PSC_LIST(psc_name) imports; /* the texts behind `import` */
    PSC_LIST(psy_const_node) constants;
    PSC_LIST(psy_block_node *) blocks;
} psy_file;

/* Parses; reports syntax errors. Never NULL. */
psy_file *psc_psy_parse_file(psc_syntax *syntax);
/* The words and signs of a text, whether or not they make sense: what an editor has while somebody types. */
void psc_psy_words(psc_syntax *syntax, psc_spans *words);

#endif
