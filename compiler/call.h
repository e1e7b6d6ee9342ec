/* SPDX-License-Identifier: Apache-2.0 */
/* A call of a function of the language: its arguments, and what the functions in builtins*.c share. All give poison after an
 * error. */
#ifndef PSC_CALL_H
#define PSC_CALL_H

#include "lower.h"

enum { PSC_ARGUMENTS_MAX = 32, PSC_NAMED_MAX = 4 };

typedef struct psc_call {
    psc_lowering *l;
    const hrm_expr *e;
    unsigned op, count;
    psc_term at[PSC_ARGUMENTS_MAX];
    const hrm_expr *named[PSC_NAMED_MAX]; /* by the row's names; NULL: not given */
} psc_call;

#define BUILTIN(name, least, most, names, lower, op) psc_term lower(psc_call *c);
#include "builtins.def"
#undef BUILTIN

/* ---- call.c ---- */
/* The argument as a value that computes (or a bool); f32 where it is nothing but a number. NULL after an error. */
psc_value *psc_call_value(psc_call *c, unsigned i);
/* As psc_call_value, and a float. */
psc_value *psc_call_float(psc_call *c, unsigned i);
/* The value as the argument was declared, storage dtypes too. */
psc_value *psc_call_raw(psc_call *c, unsigned i);
/* Whether the operation takes the value's dtype; reports. */
bool psc_call_takes(psc_call *c, unsigned op, const psc_value *v);
/* A number that is known when it is lowered, be it the value of a `let` or a size of the function's own. Poisoned after an
 * error. */
psc_constant_value psc_known_number(psc_lowering *l, const hrm_expr *e);
/* The axis that argument `named` says, or the only one, or with `last` the last. False after an error. */
bool psc_call_axis(psc_call *c, unsigned named, const psc_value *v, bool last, uint32_t *axis);
/* A constant argument, or the default where it is not given. False after an error. */
bool psc_call_integer(psc_call *c, unsigned named, int64_t otherwise, int64_t *out);
bool psc_call_real(psc_call *c, unsigned named, double otherwise, double *out);
bool psc_call_flag(psc_call *c, unsigned named, bool *out);
/* Whether the axis is the one that is spread over the shards: refused, `what` says what for. */
bool psc_call_sharded(psc_call *c, const psc_value *v, uint32_t axis, const char *what);
psc_term psc_call_result(psc_call *c, psc_value *v);
/* The argument as a size. PSY_NONE after an error. */
psy_dim psc_call_dim(psc_call *c, unsigned i);

/* ---- values of a call's place ---- */
psc_value *psc_call_map(psc_call *c, unsigned op, psc_value *a, psc_value *b); /* b: NULL for one operand */
psc_value *psc_call_number(psc_call *c, const psc_value *like, double number);
/* A reduction over the axis; `keep` leaves an axis of size 1. */
psc_value *psc_call_over(psc_call *c, unsigned op, psc_value *v, uint32_t axis, bool keep);

/* ---- shapes (builtins_shape.c) ---- */
psc_value *psc_shape_reshape(psc_lowering *l, psc_span span, psc_value *v, const psy_dim *dims, uint32_t rank);
psc_value *psc_shape_insert(psc_lowering *l, psc_span span, psc_value *v, uint32_t axis); /* an axis of size 1 */
psc_value *psc_shape_permute(psc_lowering *l, psc_span span, psc_value *v, const uint32_t *axes);
psc_value *psc_shape_slice(psc_lowering *l, psc_span span, psc_value *v, uint32_t axis, psy_dim from, psy_dim count,
                           int32_t step);
psc_value *psc_shape_gather(psc_lowering *l, psc_span span, psc_value *v, psc_value *index, uint32_t axis);
/* A gather along the axis that is spread over the shards: at what a topk over it gave. Reports; NULL after an error. */
psc_value *psc_hits_gather(psc_lowering *l, psc_span span, psc_value *v, psc_value *index, uint32_t axis);
/* One behind the other along the axis; their dims are the same but for it. */
psc_value *psc_shape_join(psc_lowering *l, psc_span span, psc_value *const *parts, unsigned count, uint32_t axis);
/* The product of matrices, vectors, and stacks of them. */
psc_term psc_shape_matmul(psc_lowering *l, psc_span span, psc_value *a, psc_value *b);
/* x[...], all but rows by key. */
psc_term psc_lower_indices(psc_lowering *l, const hrm_expr *e, const psc_term *of);
/* An expression, with sizes and numbers computed as sizes: N * 2 is one. */
psc_term psc_size_term(psc_lowering *l, const hrm_expr *e);
/* A term, an expression as a size. PSY_NONE after an error. */
psy_dim psc_dim_of_term(psc_lowering *l, const psc_term *t, psc_span span);
psy_dim psc_dim_of(psc_lowering *l, const hrm_expr *e);
/* The size as it is on one shard, where it is that of the value's axis that is spread over them. */
psy_dim psc_dim_seen_by(const psc_lowering *l, const psc_value *v, psy_dim d);
/* left op right, op: + - * /. PSY_NONE after an error. */
psy_dim psc_dim_compute(psc_lowering *l, psc_span span, int op, psy_dim left, psy_dim right);

#endif
