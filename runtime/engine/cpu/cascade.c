/* SPDX-License-Identifier: Apache-2.0 */
/* Pairwise summation (Higham, Accuracy and Stability of Numerical Algorithms, section 4.1) without recursion: blocks are put
 * together as the bits of their number carry. */
#include <string.h>

#include "engine/cpu/cpu.h"
#include "isa/scalar.h"

/* What puts two results of the reduction together: products are added. */
static psy__accumulate *merge_of(const psy__kernels *k, const psy_op_info *reduction, unsigned dtype)
{
    return k->accumulate[reduction->class_ == PSY_CLASS_REDUCE2 ? PSY_OP_SUM : reduction->op][dtype];
}

void psy__cascade_add(const psy__kernels *k, const psy_op_info *reduction, unsigned dtype, uint8_t *levels, size_t stride,
                      uint8_t *block, uint64_t index, size_t n)
{
    psy__accumulate *merge = merge_of(k, reduction, dtype);
    for (; index & 1; index >>= 1, levels += stride) {
        merge(block, levels, 1, n);
    }
    memcpy(levels, block, n * psy__dtype_bytes(dtype));
}

void psy__cascade_end(const psy__kernels *k, const psy_op_info *reduction, unsigned dtype, const uint8_t *levels, size_t stride,
                      uint64_t count, uint8_t *out, size_t n)
{
    psy__accumulate *merge = merge_of(k, reduction, dtype);
    for (size_t i = 0; i < n; i++) {
        psy__identity(reduction->op, dtype, out + i * psy__dtype_bytes(dtype));
    }
    for (; count; count >>= 1, levels += stride) {
        if (count & 1) {
            merge(out, levels, 1, n);
        }
    }
}
