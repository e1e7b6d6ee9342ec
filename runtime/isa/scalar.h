/* SPDX-License-Identifier: Apache-2.0 */
/* What the C columns of ops.def mean, so that everything that computes them gives the same: constant folding and the CPU
 * engine. Where they are used, T is the type, U its unsigned twin (T itself for floats), and a, b, acc are of type T. */
#ifndef PSY_ISA_SCALAR_H
#define PSY_ISA_SCALAR_H

#include <stddef.h>
#include <stdint.h>

/* The expression, or 0 where the column has none. */
#define PSY_SCALAR(...) (((T[]){(T)0, __VA_ARGS__})[sizeof((T[]){(T)0, __VA_ARGS__}) / sizeof(T) - 1])
/* Whether there is one. */
#define PSY_HAS_SCALAR(...) (sizeof((T[]){(T)0, __VA_ARGS__}) / sizeof(T) > 1)

/* The C function of <math.h> for T: PSY_M(exp)(a). Defined where the columns are used, as exp or expf. */

/* Towards zero; x / 0 is 0, the most negative number / -1 is itself. */
#define PSY_IDIV(a, b) ((b) == 0 ? (T)0 : (T)-1 < (T)1 && (b) == (T)-1 ? (T)(0 - (U)(a)) : (T)((a) / (b)))

#define PSY_IMOD(a, b) ((b) == 0 ? (a) : (T)-1 < (T)1 && (b) == (T)-1 ? (T)0 : (T)((a) % (b)))
#define PSY_SHL(a, b)  ((T)((U)(a) << ((U)(b) & (8 * sizeof(T) - 1))))
#define PSY_SHR(a, b)  ((T)((a) >> ((U)(b) & (8 * sizeof(T) - 1))))

/* Philox 2x32-10 of the counter (counter, 0) under the key: its first word. J. Salmon et al., "Parallel random numbers: as easy
 * as 1, 2, 3", SC 2011. */
static inline uint32_t psy__philox(uint32_t key, uint32_t counter)
{
    uint32_t left = counter, right = 0;
    for (int round = 0; round < 10; round++) {
        uint64_t product = (uint64_t)left * UINT32_C(0xD256D193);
        left = (uint32_t)(product >> 32) ^ key ^ right;
        right = (uint32_t)product;
        key += UINT32_C(0x9E3779B9);
    }
    return left;
}

/* CAST, over n elements; `src` and `dst` may be the same where the element sizes are. A bool is its lowest bit. */
void psy__cast(unsigned from, const void *src, unsigned to, void *dst, size_t n);

/* What a reduction gives over nothing, of the op's dtype: 0, or the value that every other replaces. */
void psy__identity(unsigned op, unsigned dtype, void *out);

#endif
