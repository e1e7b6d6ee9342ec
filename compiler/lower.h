/* SPDX-License-Identifier: Apache-2.0 */
/* From expressions to IR: types and shapes are checked as values are made. */
#ifndef PSC_LOWER_H
#define PSC_LOWER_H

#include "builtins.h"
#include "unit.h"

/* What an expression gives. Numbers and sizes have no dtype until they meet a value that has one. */
typedef enum psc_term_kind {
    PSC_TERM_POISON, /* had an error: silences what follows */
    PSC_TERM_INTEGER,
    PSC_TERM_REAL,
    PSC_TERM_SIZE, /* dim */
    PSC_TERM_VALUE,
    PSC_TERM_PAIR,     /* value, labels: what topk gives */
    PSC_TERM_MESSAGE,  /* the pipeline's input, or a part of it: index, or PSY_NONE */
    PSC_TERM_LIST,     /* [a, b] as an argument: list */
    PSC_TERM_CHOICE,   /* one of two that have no dtype yet: choice */
    PSC_TERM_KEYED,    /* resident data by key: index */
    PSC_TERM_OPTIONAL, /* inner, if `other`, a truth value, is true */
    PSC_TERM_TEXT      /* value: bytes; other: lengths, or NULL where texts end before the first 0 */
} psc_term_kind;

typedef struct psc_term {
    psc_term_kind kind;
    psc_span span;
    psc_integer integer;
    double real;
    psy_dim dim;
    uint32_t index;
    psc_value *value, *other; /* other: labels, or whether it is there */
    const hrm_expr *list;
    const struct psc_choice *choice;
    const struct psc_term *inner;
} psc_term;

typedef struct psc_choice {
    psc_value *condition;
    psc_term yes, no;
} psc_choice;

typedef struct psc_lowering {
    psc_unit *unit;
    psc_pipeline *pipeline;
    psc_program *program;
    psc_names *scope; /* of terms */
    unsigned hint;    /* dtype that numbers among themselves take; 0: none is wanted */
    unsigned depth;   /* of inlined functions */
    unsigned calls;   /* functions inlined so far */
    unsigned nesting; /* of expressions, through functions */
    bool over_limit;  /* reported: nothing more is lowered */
} psc_lowering;

psc_term psc_lower_expr(psc_lowering *l, const hrm_expr *e);
/* left.name: a field of a message. */
psc_term psc_lower_member(psc_lowering *l, const hrm_expr *e);
/* left[indices]: a row by key, or elements of a value. */
psc_term psc_lower_row(psc_lowering *l, const hrm_expr *e);
/* A field of the input, of whatever kind. */
psc_term psc_load_field(psc_lowering *l, psc_span span, uint32_t field);
/* The field as a program names it: "q.item.price"; the message itself for PSY_NONE. */
const char *psc_field_path(psc_lowering *l, uint32_t field);
/* The name stands for the term from here on. */
void psc_bind(psc_lowering *l, const char *name, psc_term term);
/* Keeps the type of what stands at the span for editors. */
void psc_keep_type(psc_lowering *l, psc_span span, const psc_term *t);
psc_term psc_inline_fn(psc_lowering *l, const hrm_expr *e, const hrm_fn *f);
/* The pipeline has too many of something: reported once, and nothing more is lowered. */
void psc_over_limit(psc_lowering *l, int most, const char *what);
/* False: there is no function of that name. */
bool psc_lower_builtin(psc_lowering *l, const hrm_expr *e, psc_term *out);

/* Makes values; operands may be NULL only where the op allows it. NULL after an error. */
psc_value *psc_emit(psc_lowering *l, psc_span span, unsigned op, unsigned dtype, const psy_dim *dims, uint32_t rank,
                    psc_value *const *operands, unsigned count);
psc_value *psc_emit_map1(psc_lowering *l, psc_span span, unsigned op, psc_value *a);
/* Any elementwise operation: operands are broadcast, dtypes are the caller's business. NULL where an operand is. */
psc_value *psc_emit_map(psc_lowering *l, psc_span span, unsigned op, psc_value *const *operands, unsigned count);
psc_value *psc_emit_map2(psc_lowering *l, psc_span span, unsigned op, psc_value *a, psc_value *b);
psc_value *psc_emit_cast(psc_lowering *l, psc_span span, unsigned dtype, psc_value *a);
psc_value *psc_emit_reduce(psc_lowering *l, psc_span span, unsigned op, psc_value *a, uint32_t axis);
psc_value *psc_emit_dot(psc_lowering *l, psc_span span, psc_value *a, psc_value *b);
psc_value *psc_emit_size(psc_lowering *l, psc_span span, unsigned dtype, psy_dim dim);
psc_value *psc_emit_number(psc_lowering *l, psc_span span, unsigned dtype, double real);

psc_term psc_poison(psc_span span);
psc_term psc_of_value(psc_value *value, psc_span span);
/* The term as a value: numbers and sizes take `dtype`. Reports what is no value; NULL then. */
psc_value *psc_as_value(psc_lowering *l, const psc_term *t, unsigned dtype);
/* Numbers, sizes, and choices between them: they take the dtype of what they meet. */
bool psc_is_untyped(const psc_term *t);
/* The dtype of a value that is made of nothing but numbers: what is wanted, in one that computes. */
unsigned psc_number_dtype(const psc_lowering *l);
/* A value of a storage dtype (bool, i8 ...) becomes i32 or u32, which operations compute in. */
psc_value *psc_promote(psc_lowering *l, psc_value *v);
/* Two operands of an operation, with one compute dtype. False after an error. */
bool psc_unify(psc_lowering *l, psc_span span, const psc_term *a, const psc_term *b, psc_value **x, psc_value **y);
psc_term psc_constant_term(const psc_constant_value *c, psc_span span);
psc_term psc_lower_unary(psc_lowering *l, const hrm_expr *e);
/* left op right: numbers are computed at once. */
psc_term psc_lower_arithmetic(psc_lowering *l, const hrm_expr *e, const psc_term *a, const psc_term *b);
psc_term psc_lower_binary(psc_lowering *l, psc_span span, int op, const psc_term *a, const psc_term *b);
const char *psc_type_text(psc_lowering *l, const psc_value *v); /* "f32[N, 256]", "f32[<=64]" */

/* ---- texts (lower_text.c) ---- */
psc_term psc_text_term(psc_value *bytes, psc_value *lengths, psc_span span);
const char *psc_text_type(psc_lowering *l, const psc_term *t); /* "string[<=80][N]" */
psc_term psc_text_literal(psc_lowering *l, psc_span span, const char *text);
psc_term psc_text_load(psc_lowering *l, psc_span span, uint32_t index, const psc_field *f);
psc_value *psc_text_lengths(psc_lowering *l, psc_span span, const psc_term *t);
/* One of them is a text. */
psc_term psc_text_compare(psc_lowering *l, psc_span span, int op, const psc_term *a, const psc_term *b);
psc_term psc_text_choose(psc_lowering *l, psc_span span, psc_value *condition, const psc_term *a, const psc_term *b);
psc_term psc_text_index(psc_lowering *l, const hrm_expr *e, const psc_term *t);
/* Reports that one is used as a number. */
void psc_text_refuse(psc_lowering *l, const psc_term *t);
void psc_text_store(psc_lowering *l, uint32_t index, const psc_term *t);

/* ---- values that may not be there (lower_optional.c) ---- */
psc_term psc_optional_load(psc_lowering *l, psc_span span, uint32_t index, const psc_field *f, psc_value *value);
psc_term psc_lower_otherwise(psc_lowering *l, const hrm_expr *e); /* a ?? b */
/* Reports that one is used as if it were there. */
void psc_optional_refuse(psc_lowering *l, const psc_term *t);
/* What is written into the field, and whether it is there. */
psc_value *psc_optional_value(psc_lowering *l, const psc_field *f, const psc_term *t, psc_value **there);
void psc_optional_store_nothing(psc_lowering *l, psc_span span, uint32_t index);

/* ---- values of which only the first elements are there (lower_length.c) ---- */
/* The value itself, with elements that may not be there. */
psc_value *psc_bare(psc_value *v);
/* v, of which `length` elements along the axis are there. NULL where one of them is. */
psc_value *psc_with_length(psc_lowering *l, psc_value *v, psc_value *length, uint32_t axis);
/* v, with the length of `like`, if it has one, along the axis. */
psc_value *psc_like_length(psc_lowering *l, psc_value *v, const psc_value *like, uint32_t axis);
/* x[..length]: the first elements of axis 0 only. */
psc_value *psc_shorten(psc_lowering *l, psc_span span, psc_value *v, psc_value *length);
/* How many are there, as u32. */
psc_value *psc_emit_length(psc_lowering *l, psc_span span, const psc_value *v);
/* How many elements the axis has: its length, or else its size. */
psc_value *psc_emit_extent(psc_lowering *l, psc_span span, unsigned dtype, const psc_value *v, uint32_t axis);
/* The value with `filler` where nothing is; with what a reduction leaves out; with what comes last in order. */
psc_value *psc_fill(psc_lowering *l, psc_span span, psc_value *v, psc_value *filler);
psc_value *psc_fill_neutral(psc_lowering *l, psc_span span, unsigned op, psc_value *v);
psc_value *psc_fill_last(psc_lowering *l, psc_span span, psc_value *v, bool descending);
/* Reports that all elements are needed. */
void psc_needs_all(psc_lowering *l, psc_span span, const psc_value *v);
/* The length that operands have which are broadcast to the dims: *longest is one that has it, or NULL. Reports; false after an
 * error. */
bool psc_common_length(psc_lowering *l, psc_span span, psc_value *const *operands, unsigned count, const psy_dim *dims,
                       uint32_t rank, const psc_value **longest, uint32_t *axis);
/* psc_emit where an operand has a length. */
psc_value *psc_emit_shorter(psc_lowering *l, psc_span span, unsigned op, unsigned dtype, const psy_dim *dims, uint32_t rank,
                            psc_value *const *operands, unsigned count);
/* A bounded field: `room` is all of it. */
psc_value *psc_load_bounded(psc_lowering *l, psc_span span, uint32_t index, const psc_field *f, psc_value *room);

#endif
