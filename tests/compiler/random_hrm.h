/* SPDX-License-Identifier: Apache-2.0 */
/* Random programs of the language that are well typed, all operators and functions in them. The same seed gives the same
 * program.
 *
 *   random_hrm p;
 *   random_hrm_make(&p, 7, RANDOM_HRM_NAMED);
 *   compile(p.schema, p.program, true); ... p.outputs[i].loose ...
 *
 * What every engine and optimisation level must give alike, bit for bit, is kept apart from what may differ within an error:
 * values that came out of a function with a tolerance, or out of a sum that is not exact, are loose. They only go into
 * functions that are smooth, and stay small. */
#ifndef PSY_TESTS_COMPILER_RANDOM_HRM_H
#define PSY_TESTS_COMPILER_RANDOM_HRM_H

#include "isa/module.h"

enum {
    RANDOM_HRM_VALUES_MAX = 96,
    RANDOM_HRM_OUTPUTS_MAX = 8,
    RANDOM_HRM_RESIDENTS = 3,
    RANDOM_HRM_BOUNDED_MAX = 16,
    RANDOM_HRM_ROOM = 6
};

/* Fields of the request: common ones, then bounded ones, then optional ones. */
enum {
    RANDOM_HRM_BOUNDED_FIRST = 9,
    RANDOM_HRM_BOUNDED_COUNT = 2,
    RANDOM_HRM_OPTIONAL_FIRST = RANDOM_HRM_BOUNDED_FIRST + RANDOM_HRM_BOUNDED_COUNT,
    RANDOM_HRM_OPTIONAL_COUNT = 3,
    RANDOM_HRM_INPUTS = RANDOM_HRM_OPTIONAL_FIRST + RANDOM_HRM_OPTIONAL_COUNT
};

typedef enum random_hrm_kind {
    RANDOM_HRM_FIXED, /* all sizes are numbers */
    RANDOM_HRM_NAMED, /* resident data has rows of a named size */
    RANDOM_HRM_SPLIT  /* the same, split along it: `placement` is where the word stands */
} random_hrm_kind;

/* An axis is a number, or -1 for N, -2 for M. */
typedef struct random_hrm_value {
    char name[12];
    unsigned dtype, rank;
    int dims[4];
    bool loose, whole; /* whole: whole numbers */
    double limit;      /* no larger than this; of floats */
    unsigned length;   /* of a bounded one: the same number, the same length */
} random_hrm_value;

typedef struct random_hrm {
    char schema[1024], program[16384];
    random_hrm_value inputs[RANDOM_HRM_INPUTS], residents[RANDOM_HRM_RESIDENTS], outputs[RANDOM_HRM_OUTPUTS_MAX];
    unsigned output_count, rows[2]; /* of N and M */
    /* private */
    random_hrm_value at[RANDOM_HRM_VALUES_MAX];
    unsigned count, made, bounded_count, lengths;
    random_hrm_value bounded[RANDOM_HRM_BOUNDED_MAX];
    uint64_t state;
    size_t n;
} random_hrm;

void random_hrm_make(random_hrm *p, uint64_t seed, random_hrm_kind kind);
/* From 0 to below n, of the program's own random numbers. */
uint32_t random_hrm_pick(random_hrm *p, uint32_t n);
size_t random_hrm_elements(const random_hrm *p, const random_hrm_value *v);
/* How far results may be from each other, relative to max(1, |x|); 0: not at all. */
double random_hrm_tolerance(const random_hrm_value *v);

#endif
