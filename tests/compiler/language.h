/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of the language, compiled and run on the CPU engine, against values that the tests compute.
 *
 *   tensor a = tensor_random(PSY_F32, 2, (uint32_t[]){3, 4}, -2, 2), wanted = tensor_of(PSY_F32, 1, (uint32_t[]){3});
 *   ... wanted.at[i] = ...
 *   language_check(&(language_case){.text = "sum(a, axis: 1)", .in = {&a}, .wanted = &wanted, .tolerance = 8});
 *
 * Built with -DLANGUAGE_ENGINE='"vulkan"' the same tests run on that engine, in fewer ways; what it does not support is left
 * out and counted.
 *
 * Inputs are called a, b, c, d. Every case runs at -O0 and -O1, with the inputs as fields of the message and as resident data.
 */
#ifndef PSY_TESTS_COMPILER_LANGUAGE_H
#define PSY_TESTS_COMPILER_LANGUAGE_H

#include "tests/compiler/compile.h"

/* Holds every 64-bit integer and every float. */
typedef long double number;

enum { TENSOR_ELEMENTS_MAX = 640, LANGUAGE_INPUTS_MAX = 4 };

typedef struct tensor {
    unsigned dtype, rank;
    uint32_t dims[PSY_RANK_MAX];
    size_t n;
    number at[TENSOR_ELEMENTS_MAX];
} tensor;

/* Zeros. */
tensor tensor_of(unsigned dtype, unsigned rank, const uint32_t *dims);
/* A vector of these. */
tensor tensor_list(unsigned dtype, size_t n, const number *values);
tensor tensor_scalar(unsigned dtype, number value);
/* The same numbers for the same shape and range: of floats fractions, of integers all from low to high. */
tensor tensor_random(unsigned dtype, unsigned rank, const uint32_t *dims, double low, double high);
/* The number as the dtype holds it: rounded to nearest even, or wrapped. */
number tensor_round(unsigned dtype, number value);

#define DIMS(...)                                                                                                              \
    (sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)), (uint32_t[]) { __VA_ARGS__ }
#define LIST(dtype_, ...) tensor_list(dtype_, sizeof((number[]){__VA_ARGS__}) / sizeof(number), (number[]){__VA_ARGS__})

typedef enum language_mode {
    AS_FIELDS = 1,    /* inputs are fields of the message */
    AS_RESIDENTS = 2, /* inputs with axes are resident data of these sizes */
    AS_NAMED = 4,     /* and their first sizes are called A, B, C, D */
    AS_SPLIT = 8,     /* `a` is split along A over 1 to 5 shards; what else has axes is replicated */
    AS_BOUNDED = 16   /* vectors are bounded fields that have room for more, and that has NaN and -1 in it; the result too */
} language_mode;

typedef struct language_case {
    const char *file; /* items of the file besides, or NULL */
    const char *lets; /* before the result, or NULL */
    const char *text; /* the result: an expression over the inputs */
    const tensor *in[LANGUAGE_INPUTS_MAX];
    const tensor *wanted;
    double tolerance; /* in units of the dtype's epsilon, relative to max(1, |wanted|); 0: exact */
    unsigned modes;   /* of language_mode; 0: AS_FIELDS and AS_RESIDENTS, where the inputs can be that */
} language_case;

void language_check(const language_case *c);
/* The same program does not compile, and what is said contains `said`. */
void language_refused(const language_case *c, const char *said);

#endif
