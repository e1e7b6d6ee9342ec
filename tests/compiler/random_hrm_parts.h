/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the generator share. */
#ifndef PSY_TESTS_COMPILER_RANDOM_HRM_PARTS_H
#define PSY_TESTS_COMPILER_RANDOM_HRM_PARTS_H

#include "tests/compiler/random_hrm.h"

typedef random_hrm_value value;

enum { ELEMENTS_MAX = 256, EXACT_BITS = 22, LOOSE_MAX = 64 };

typedef enum wanted {
    ANY = 1,      /* every type, loose or not */
    EXACT = 2,    /* not loose */
    NUMBER = 4,   /* no truth value */
    FLOAT = 8,    /* computes as a float */
    INTEGER = 16, /* computes as an integer */
    BOOL = 32,
    AXES = 64,   /* not a scalar */
    FIXED = 128, /* no named size */
    SMALL = 256, /* a float of a small limit */
    VECTOR = 512,
    MATRIX = 1024
} wanted;

static inline bool is_float(unsigned dtype) { return psy__dtype_class(dtype) == PSY_DCLASS_FLOAT; }
static inline bool is_bool(unsigned dtype) { return dtype == PSY_BOOL; }

static inline bool is_signed(unsigned dtype) { return psy__dtype_class(dtype) == PSY_DCLASS_SINT || is_float(dtype); }

/* The type that it computes in. */
unsigned random_hrm_promoted(unsigned dtype);
unsigned random_hrm_size(const random_hrm *p, int dim);
bool random_hrm_broadcast(const value *a, const value *b, value *out);
bool random_hrm_suits(const value *v, unsigned wanted);
/* NULL: there is none. */
const value *random_hrm_find(random_hrm *p, unsigned wanted);
/* Of the same type, with a shape that fits. */
const value *random_hrm_find_partner(random_hrm *p, const value *a, unsigned wanted, value *shape);
/* Adds text to the program. */
void random_hrm_add(random_hrm *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Declares the value that `like` describes. */
void random_hrm_let(random_hrm *p, const value *like, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* One more value, or none; of random_hrm_more.c one of that sort. */
void random_hrm_step(random_hrm *p);
void random_hrm_special(random_hrm *p);
void random_hrm_about(random_hrm *p);
void random_hrm_rare_maps(random_hrm *p);
void random_hrm_sizes(random_hrm *p);
void random_hrm_einsum(random_hrm *p);
void random_hrm_columns(random_hrm *p);
void random_hrm_norms(random_hrm *p);
/* Of random_hrm_fields.c. */
void random_hrm_bounded(random_hrm *p);
void random_hrm_of_bounded(random_hrm *p);
void random_hrm_optional(random_hrm *p);

#endif
