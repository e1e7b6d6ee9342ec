/* SPDX-License-Identifier: Apache-2.0 */
/* What the .hrm parser makes of a file: as written, nothing resolved. */
#ifndef PSC_HRM_AST_H
#define PSC_HRM_AST_H

#include "arena.h"
#include "syntax.h"

typedef struct hrm_expr hrm_expr;

typedef struct hrm_argument {
    psc_name name; /* text NULL: positional */
    hrm_expr *value;
} hrm_argument;

typedef PSC_LIST(hrm_argument) hrm_arguments;

/* One place of x[...]: an element, or a part of an axis. */
typedef struct hrm_index {
    bool part;
    hrm_expr *from, *to, *step; /* part: each may be NULL. Else `from` alone */
    psc_span span;
} hrm_index;

typedef PSC_LIST(hrm_index) hrm_indices;

typedef enum hrm_expr_kind {
    HRM_INTEGER,
    HRM_REAL,
    HRM_BOOL, /* integer: 0 or 1 */
    HRM_NAME,
    HRM_UNARY,  /* op left; op: - ! ~ */
    HRM_BINARY, /* left op right */
    HRM_CALL,   /* name(arguments); x |> f(y) is f(x, y), and `if` is select(condition, yes, no) */
    HRM_MEMBER, /* left.name */
    HRM_INDEX,  /* left[indices] */
    HRM_LIST,   /* [arguments]: the sizes of a shape, or axes */
    HRM_TEXT,   /* "name.text" */
    HRM_RECORD  /* name { arguments }: a message; only what a pipeline gives has them */
} hrm_expr_kind;

/* Signs of one character stand for themselves. */
typedef enum hrm_op { HRM_EQ = 256, HRM_NE, HRM_LE, HRM_GE, HRM_AND, HRM_OR, HRM_SHL, HRM_SHR, HRM_OTHERWISE } hrm_op;

struct hrm_expr {
    hrm_expr_kind kind;
    psc_span span;
    int op;         /* a sign, or hrm_op */
    unsigned depth; /* of the tree below and this */
    uint64_t integer;
    double real;
    psc_name name;
    hrm_expr *left, *right;
    hrm_arguments arguments;
    hrm_indices indices;
};

typedef struct hrm_type {
    psc_name dtype;
    psc_span span;
    hrm_expr *most; /* string[<=most]; NULL */
    PSC_LIST(hrm_expr *) dims;
} hrm_type;

typedef struct hrm_parameter {
    psc_name name;
    hrm_type type;
} hrm_parameter;

typedef PSC_LIST(hrm_parameter) hrm_parameters;

typedef struct hrm_import {
    const char *path;
    psc_span span;
} hrm_import;

typedef struct hrm_const {
    psc_name name;
    hrm_expr *value;
} hrm_const;

typedef struct hrm_resident {
    psc_name name;
    hrm_type type;
    psc_name placement, by; /* `split` N, `by` key, `replicated`; text NULL where not given */
} hrm_resident;

typedef struct hrm_param {
    psc_name name;
    hrm_type type;
    psc_name path, tensor; /* texts; tensor: text NULL where the file has but one */
    psc_name placement;    /* none is allowed; text NULL where not given */
} hrm_param;

typedef struct hrm_fn {
    psc_name name;
    hrm_parameters parameters;
    hrm_type result;
    hrm_expr *body;
} hrm_fn;

/* @name, @name(value): behind the word that starts what it is for. */
typedef struct hrm_attribute {
    psc_name name;
    hrm_expr *value; /* NULL: none */
} hrm_attribute;

typedef PSC_LIST(hrm_attribute) hrm_attributes;

typedef struct hrm_let {
    hrm_attributes attributes;
    PSC_LIST(psc_name) names;
    hrm_expr *value;
} hrm_let;

/* What a variant may be: `q.field: type | type` */
typedef struct hrm_guard {
    hrm_expr *field;
    PSC_LIST(hrm_type) types;
} hrm_guard;

typedef PSC_LIST(hrm_guard) hrm_guards;

/* A message that a pipeline gives. */
typedef struct hrm_result {
    psc_name name; /* text NULL: it is the only one */
    psc_name message;
} hrm_result;

typedef PSC_LIST(hrm_result) hrm_results;
typedef PSC_LIST(hrm_expr *) hrm_records;

typedef struct hrm_pipeline {
    hrm_attributes attributes;
    psc_name name;
    hrm_parameters parameters;
    hrm_results results;
    psc_span result_span;
    hrm_guards guards;
    PSC_LIST(hrm_let *) lets;
    hrm_records records; /* the messages made at the end */
    psc_span record_span;
    psc_span span;
} hrm_pipeline;

typedef struct hrm_file {
    PSC_LIST(hrm_import) imports;
    PSC_LIST(hrm_const) constants;
    PSC_LIST(hrm_resident) residents;
    PSC_LIST(hrm_param) params;
    PSC_LIST(hrm_fn *) fns;
    PSC_LIST(hrm_pipeline *) pipelines;
} hrm_file;

/* As psc_syntax_error, with help for what is often meant. */
void psc_hrm_syntax_error(psc_syntax *syntax, psc_span span, const char *token, const char *const *expected, size_t count);

/* Parses; reports syntax errors. Never NULL. */
hrm_file *psc_hrm_parse_file(psc_syntax *syntax);
/* The words and signs of a text, whether or not they make sense: what an editor has while somebody types. */
void psc_hrm_words(psc_syntax *syntax, psc_spans *words);
/* The reserved words but `true` and `false`, one after the other; NULL at their end. */
const char *psc_hrm_word(size_t i);

#endif
