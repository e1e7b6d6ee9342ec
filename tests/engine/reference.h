/* SPDX-License-Identifier: Apache-2.0 */
/* What a program means, written after the doc column of ops.def and after no engine: one message at a time, floats in long
 * double with a bound on what an engine's result may differ by, integers exactly.
 *
 *   reference r = {.module = m, .program = 0, .symbols = ..., .bases = ..., .residents = ...};
 *   reference_init(&r);
 *   reference_run(&r, input, partials, &result);     // again and again
 *   reference_fini(&r);
 *
 * Thread safety: one thread each. */
#ifndef PSY_TESTS_ENGINE_REFERENCE_H
#define PSY_TESTS_ENGINE_REFERENCE_H

#include "engine/engine.h"

/* One element. Floats that are computed with: `real`, and how far off an engine may be (infinite: nothing is known of it).
 * Everything else: `bits`, sign- or zero-extended. */
typedef struct reference_cell {
    long double real;
    double error;
    uint64_t bits;
} reference_cell;

typedef struct reference_value {
    unsigned dtype, rank;
    uint64_t dims[PSY_RANK_MAX], count;
    reference_cell *cells;
    psy_op op; /* that made it */
} reference_value;

/* One STORE, or STORE_LENGTHS. */
typedef struct reference_output {
    uint32_t field;   /* of the output type */
    uint32_t count;   /* elements that are written */
    uint32_t counted; /* what stands where the field's count is, or the byte that says whether it is there */
    bool lengths;
    reference_value value;
} reference_output;

typedef struct reference_result {
    psy_status status;
    uint32_t output_count;
    reference_output *outputs;
} reference_result;

typedef struct reference {
    const psy__module *module;
    uint32_t program;
    const uint64_t *symbols, *bases; /* computed sizes are computed here too */
    const psy__resident_data *residents;
    uint64_t partial_stride;
    bool exact; /* the data are such that nothing rounds, in any order of evaluation */
    /* private */
    reference_value *values;
    uint64_t *sizes;
    bool *batched, *known;
} reference;

void reference_init(reference *r);
void reference_run(reference *r, const uint8_t *input, const uint8_t *partials, reference_result *out);
void reference_result_free(reference_result *result);
void reference_fini(reference *r);

reference_cell reference_read(unsigned dtype, const void *at);
/* The f16 or bf16 that is nearest, halves to even, and what one stands for. */
uint16_t reference_half(unsigned dtype, long double x);
long double reference_half_value(unsigned dtype, uint16_t bits);
/* Philox 2x32-10 of two words. */
void reference_philox(uint32_t counter[2], uint32_t key);
/* Whether the element at `at` is what the cell says. Zeros of either sign are equal unless `signed_zeros`. */
bool reference_agrees(unsigned dtype, const reference_cell *want, const void *at, bool signed_zeros);
/* "3.25 (+- 1e-06)" */
void reference_print(unsigned dtype, const reference_cell *c, char *text, size_t n);

#endif
