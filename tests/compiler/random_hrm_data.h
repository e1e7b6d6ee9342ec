/* SPDX-License-Identifier: Apache-2.0 */
/* What random programs are run on.
 *
 *   random_hrm_make(&p, 7, RANDOM_HRM_NAMED);
 *   random_hrm_data_init(&d, &p);
 *   random_hrm_serve(NULL, &p, &d, compiled, 1, &s);   ... serve_output(compiled, "p", &s, 0, "o0") ...
 *   serve_end(&s);
 *   random_hrm_data_fini(&d);
 *
 * Floats are small whole numbers, which the generator's limits build on. Integers are small too, and now and then the largest
 * and the smallest of their type, or any bits. */
#ifndef PSY_TESTS_COMPILER_RANDOM_HRM_DATA_H
#define PSY_TESTS_COMPILER_RANDOM_HRM_DATA_H

#include "tests/compiler/compile.h"
#include "tests/compiler/random_hrm.h"

enum { RANDOM_HRM_MESSAGES = 3 };

/* Elements in the type of the value that they are for, in row-major order. */
typedef struct random_hrm_data {
    void *fields[RANDOM_HRM_MESSAGES][RANDOM_HRM_INPUTS], *rows[RANDOM_HRM_RESIDENTS];
    /* Of bounded fields how many elements are there, now and then more than there is room for; of optional ones whether. */
    uint32_t there[RANDOM_HRM_MESSAGES][RANDOM_HRM_INPUTS];
} random_hrm_data;

void random_hrm_data_init(random_hrm_data *d, random_hrm *p);
void random_hrm_data_fini(random_hrm_data *d);
/* Runs all messages; `s` is ended by serve_end. engine: as in `served`. */
void random_hrm_serve(const char *engine, const random_hrm *p, const random_hrm_data *d, const compiled *c, uint32_t shards,
                      served *s);

#endif
