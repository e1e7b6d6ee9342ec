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

/* Towards zero; x / 0 is 0, the most negative number / -1 is itself. */
#define PSY_IDIV(a, b) ((b) == 0 ? (T)0 : (T)-1 < (T)1 && (b) == (T)-1 ? (T)(0 - (U)(a)) : (T)((a) / (b)))

/* CAST, over n elements; `src` and `dst` may be the same where the element sizes are. Neither dtype is f16 or bf16. */
void psy__cast(unsigned from, const void *src, unsigned to, void *dst, size_t n);

/* What a reduction gives over nothing, of the op's dtype: 0, or the value that every other replaces. */
void psy__identity(unsigned op, unsigned dtype, void *out);

#endif
