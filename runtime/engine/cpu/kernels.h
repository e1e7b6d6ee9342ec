/* SPDX-License-Identifier: Apache-2.0 */
/* Loops over blocks of elements, compiled once per instruction set from ops.def: base, and where the compiler can, avx2 and
 * avx512. The engine chooses when it opens.
 *
 * Strides are in elements: 0 (one value for all) or 1. `out` overlaps no operand.
 */
#ifndef PSY_ENGINE_CPU_KERNELS_H
#define PSY_ENGINE_CPU_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { PSY__OPS = 160, PSY__DTYPES = 16 };

typedef void psy__map1(void *out, const void *a, size_t stride_a, size_t n);
typedef void psy__map2(void *out, const void *a, size_t stride_a, const void *b, size_t stride_b, size_t n);
typedef void psy__map3(void *out, const void *a, size_t stride_a, const void *b, size_t stride_b, const void *c,
                       size_t stride_c, size_t n);
/* *acc = what *acc and the n elements (REDUCE2: of a and b) give together. */
typedef void psy__reduce(void *acc, const void *a, size_t stride_a, const void *b, size_t stride_b, size_t n);
/* acc[i] = what acc[i] and a[i] give together. */
typedef void psy__accumulate(void *acc, const void *a, size_t stride_a, size_t n);
/* The first element above *limit, or n. */
typedef size_t psy__above(const void *a, size_t n, const void *limit);

/* Products of a matrix [rows, depth] with many vectors [depth]: `lanes` vectors at a time, interleaved by `pack`. */
typedef struct psy__dot_kernels {
    size_t lanes;
    /* packed: [ceil(count / lanes), depth, lanes], zeros where there is no vector. */
    void (*pack)(void *packed, const void *const *vectors, size_t count, size_t depth);
    /* out[v * out_stride + row], for v below count; row_stride and out_stride in elements. */
    void (*many)(const void *matrix, size_t row_stride, size_t rows, size_t depth, const void *packed, size_t count, void *out,
                 size_t out_stride);
    /* out[row] for one vector, not packed. */
    void (*one)(const void *matrix, size_t row_stride, size_t rows, size_t depth, const void *vector, void *out);
} psy__dot_kernels;

/* What math.c has in the place of rows of f32; NULL: it has not. */
typedef struct psy__math {
    psy__map1 *map1[PSY__OPS];
    psy__map2 *pow;
} psy__math;

typedef struct psy__kernels {
    const char *name;
    const psy__math *math;
    psy__map1 *map1[PSY__OPS][PSY__DTYPES];
    psy__map2 *map2[PSY__OPS][PSY__DTYPES];
    psy__map2 *compare[PSY__OPS][PSY__DTYPES]; /* out: bool */
    psy__map3 *map3[PSY__OPS][PSY__DTYPES];
    psy__map3 *choose[4]; /* by log2 of the element's bytes; a: bool */
    psy__reduce *reduce[PSY__OPS][PSY__DTYPES];
    psy__accumulate *accumulate[PSY__OPS][PSY__DTYPES];
    psy__above *above[PSY__DTYPES];
    psy__dot_kernels dot[PSY__DTYPES]; /* f32 and f64 */
} psy__kernels;

extern const psy__kernels psy__kernels_base, psy__kernels_avx2, psy__kernels_avx512;
extern const psy__math psy__math_base, psy__math_avx2, psy__math_avx512;

/* The loop of a row of class MAP1 or MAP2. */
psy__map1 *psy__map1_of(const psy__kernels *k, unsigned op, unsigned dtype);
psy__map2 *psy__map2_of(const psy__kernels *k, unsigned op, unsigned dtype);

#endif
