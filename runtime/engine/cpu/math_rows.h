/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of ops.def over f32 that math_f32.h computes, and how well. */
#ifndef PSY_ENGINE_CPU_MATH_ROWS_H
#define PSY_ENGINE_CPU_MATH_ROWS_H

/* Every row with a function here: how far it is from the exact result at most, in ulp, with fused multiply-add and without.
 * ROW(NAME, function, ulp, ulp without) */
#define PSY_MATH_F32(ROW)                                                                                                      \
    ROW(EXP, exp, 1.05, 1.05)                                                                                                  \
    ROW(EXP2, exp2, 1.05, 1.15)                                                                                                \
    ROW(EXPM1, expm1, 1.6, 1.6)                                                                                                \
    ROW(TANH, tanh, 2.7, 2.7)                                                                                                  \
    ROW(SINH, sinh, 1.7, 1.7)                                                                                                  \
    ROW(COSH, cosh, 1.6, 1.6)                                                                                                  \
    ROW(LOG, log, 0.9, 1.0)                                                                                                    \
    ROW(LOG2, log2, 1.3, 1.5)                                                                                                  \
    ROW(LOG10, log10, 1.3, 2.0)                                                                                                \
    ROW(LOG1P, log1p, 0.9, 1.0)                                                                                                \
    ROW(ERF, erf, 1.2, 1.25)                                                                                                   \
    ROW(ATAN, atan, 1.5, 1.7)                                                                                                  \
    ROW(ASIN, asin, 3.0, 3.0)                                                                                                  \
    ROW(ACOS, acos, 1.3, 1.3)
/* The same where there is fused multiply-add, up to PSY_ANGLE_MOST; beyond, and elsewhere, <math.h> is asked. */
#define PSY_ANGLE_MOST 0x1p16f
#define PSY_MATH_F32_ANGLES(ROW)                                                                                               \
    ROW(SIN, sin, 1.6, 1.6)                                                                                                    \
    ROW(COS, cos, 1.6, 1.6)                                                                                                    \
    ROW(TAN, tan, 2.9, 2.9)
/* pow: where the base is above 0 and both are finite; else <math.h> is asked. */
#define PSY_MATH_F32_POW 0.51

#endif
