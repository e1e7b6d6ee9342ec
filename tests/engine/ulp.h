/* SPDX-License-Identifier: Apache-2.0 */
/* Errors in units of the last place of f32. */
#ifndef TESTS_ENGINE_ULP_H
#define TESTS_ENGINE_ULP_H

#include <math.h>

#define ULP_WRONG 1e9 /* not a matter of rounding: another sign of zero, NaN for a number, a number for NaN or infinity */

/* How far `got` is from `exact`. What rounds to infinity may also be the largest number, and the other way round, as far off as
 * that is. */
static inline double ulp_error(float got, double exact)
{
    float nearest = (float)exact;
    int exponent;
    if (isnan(exact) || isnan(got)) {
        return isnan(exact) && isnan(got) ? 0 : ULP_WRONG;
    }
    if (isinf(exact) || isinf(got)) {
        double size = fabs(exact);
        return isinf(got) && isinf(nearest)            ? (!signbit(got) == !signbit(exact) ? 0 : ULP_WRONG)
               : isinf(exact) || size < 0x1.fffff0p127 ? ULP_WRONG
               : isinf(got)                            ? fabs(0x1p128 - size) / 0x1p104
                                                       : fabs(size - (double)fabsf(got)) / 0x1p104;
    }
    if (nearest == 0 && got == 0 && !signbit(got) != !signbit(exact)) {
        return ULP_WRONG;
    }
    (void)frexp(exact, &exponent);
    exponent = exact == 0 || exponent - 24 < -149 ? -149 : exponent - 24;
    return fabs((double)got - exact) / ldexp(1, exponent);
}

#endif
