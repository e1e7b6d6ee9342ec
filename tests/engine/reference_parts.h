/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the reference share: reference_cell.c computes elements, reference_move.c changes shapes, moves and ranks
 * elements, reference.c reduces and runs programs. */
#ifndef PSY_TESTS_ENGINE_REFERENCE_PARTS_H
#define PSY_TESTS_ENGINE_REFERENCE_PARTS_H

#include <string.h>

#include "tests/engine/reference.h"

/* A float that is computed with; f16 and bf16 are only kept. */
static inline bool reference_is_float(unsigned dtype) { return dtype == PSY_F32 || dtype == PSY_F64; }
static inline bool reference_is_half(unsigned dtype) { return dtype == PSY_F16 || dtype == PSY_BF16; }
static inline bool reference_is_signed(unsigned dtype) { return psy__dtype_class(dtype) == PSY_DCLASS_SINT; }
static inline int64_t reference_signed(uint64_t bits)
{
    int64_t x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The low bits of the dtype, extended to 64. */
uint64_t reference_wrap(unsigned dtype, uint64_t bits);
uint64_t reference_saturate(unsigned dtype, long double x);
double reference_epsilon(unsigned dtype);
/* What does not fit the dtype is infinite. */
long double reference_fit(unsigned dtype, long double x);
/* A float result; the row's tolerance is added to the error, `steps` times and relative to `size`. */
reference_cell reference_settle(const reference *r, const psy_op_info *info, unsigned dtype, long double real,
                                long double error, double steps, long double size);
/* MAP1 to MAP3, COMPARE, CHOOSE: `dtype` is the instruction's. */
reference_cell reference_map(const reference *r, const psy_op_info *info, unsigned dtype, const reference_cell *const in[3]);
reference_cell reference_cast(unsigned from, unsigned to, const reference_cell *a);
/* Element number `i` of dims[rank], seen in an operand that broadcasts to it. */
const reference_cell *reference_element(const reference_value *v, const uint64_t *dims, unsigned rank, uint64_t i);
/* What a reduction gives over nothing. */
reference_cell reference_identity(psy_op op, unsigned dtype);

/* reference_move.c: SHAPE, INDEX, JOIN, GATHER, SCATTER, SCAN, SELECT, SORT */
void reference_move(const reference *r, const psy__instruction *at);

#endif
