/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of any number of lines, as a generator writes them, for the test of large programs and the benchmark of the
 * compiler: the same for the same shape and number. They import LARGE_SCHEMA. */
#ifndef PSY_TESTS_COMPILER_LARGE_HRM_H
#define PSY_TESTS_COMPILER_LARGE_HRM_H

#include <stdio.h>

#define LARGE_SCHEMA "namespace large; message In { a: f32; b: f32; v: f32[64]; } message Out { y: f32; }"

typedef enum large_shape {
    LARGE_CHAIN,     /* one pipeline, a line from the one before */
    LARGE_PIPELINES, /* sixty of them */
    LARGE_SHARED,    /* each line of two of the last hundred, and of one that all share */
    LARGE_FAN,       /* reductions of one value, added up as a tree */
    LARGE_FUNCTIONS, /* a thousand of them, or half of the lines, called in turn */
    LARGE_SHAPES
} large_shape;

const char *large_name(large_shape shape);
/* Everything but the import of the schema. */
void large_write(large_shape shape, unsigned lines, FILE *to);

#endif
