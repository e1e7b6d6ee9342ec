/* SPDX-License-Identifier: Apache-2.0 */
/* What the C columns of ops.def mean, so that everything that computes them gives the same: constant folding and the CPU
 * engine. Where they are used, T is the type, U its unsigned twin (T itself for floats), and a, b, acc are of type T. */
#ifndef PSY_ISA_SCALAR_H
#define PSY_ISA_SCALAR_H

#include <stddef.h>
#include <stdint.h>

#include <psyne/kernel_scalar.h>

/* The expression, or 0 where the column has none. */
#define PSY_SCALAR(...) (((T[]){(T)0, __VA_ARGS__})[sizeof((T[]){(T)0, __VA_ARGS__}) / sizeof(T) - 1])
/* Whether there is one. */
#define PSY_HAS_SCALAR(...) (sizeof((T[]){(T)0, __VA_ARGS__}) / sizeof(T) > 1)

/* The C function of <math.h> for T: PSY_M(exp)(a). Defined where the columns are used, as exp or expf. */

#define PSY_IDIV(a, b)          PSY_KERNEL_DIV(T, U, a, b)
#define PSY_IMOD(a, b)          PSY_KERNEL_MOD(T, U, a, b)
#define PSY_SHL(a, b)           PSY_KERNEL_SHL(T, U, a, b)
#define PSY_SHR(a, b)           PSY_KERNEL_SHR(T, U, a, b)
#define psy__philox(key, place) psy_kernel_philox(key, place)

/* CAST, over n elements; `src` and `dst` may be the same where the element sizes are. A bool is its lowest bit. */
void psy__cast(unsigned from, const void *src, unsigned to, void *dst, size_t n);

/* What a reduction gives over nothing, of the op's dtype: 0, or the value that every other replaces. */
void psy__identity(unsigned op, unsigned dtype, void *out);

#endif
