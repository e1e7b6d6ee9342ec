/* SPDX-License-Identifier: Apache-2.0 */
/* Elements: how they lie in memory, elementwise operations in long double or on the bits, conversions. */
#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "tests/engine/reference_parts.h"
#include "tests/test.h"

/* ---- half floats: `precision` significant bits, exponents from `least` to `most` ---- */

typedef struct half_format {
    int precision, least, most;
} half_format;

static half_format format_of(unsigned dtype)
{
    return dtype == PSY_F16 ? (half_format){11, -14, 15} : (half_format){8, -126, 127};
}

uint16_t reference_half(unsigned dtype, long double x)
{
    half_format f = format_of(dtype);
    unsigned fraction_bits = (unsigned)f.precision - 1, sign = signbit(x) ? 0x8000u : 0,
             infinity = (unsigned)(f.most - f.least + 2) << fraction_bits;
    int exponent;
    if (isnan(x)) {
        return (uint16_t)(sign | infinity | 1u << (fraction_bits - 1));
    }
    if (isinf(x) || x == 0) {
        return (uint16_t)(sign | (x == 0 ? 0 : infinity));
    }
    (void)frexpl(x, &exponent);
    exponent = exponent - 1 < f.least ? f.least : exponent - 1;
    unsigned long units = (unsigned long)rintl(ldexpl(fabsl(x), f.precision - 1 - exponent)); /* halves to even */
    if (units == 1ul << f.precision) {
        units /= 2;
        exponent++;
    }
    if (exponent > f.most) {
        return (uint16_t)(sign | infinity);
    }
    unsigned first = 1u << fraction_bits;
    return (uint16_t)(sign |
                      (units < first ? units : ((unsigned long)(exponent - f.least + 1) << fraction_bits) + units - first));
}

long double reference_half_value(unsigned dtype, uint16_t bits)
{
    half_format f = format_of(dtype);
    int fraction_bits = f.precision - 1, exponent = (bits & 0x7fff) >> fraction_bits,
        fraction = bits & ((1 << fraction_bits) - 1);
    long double x;
    if (exponent == f.most - f.least + 2) {
        x = fraction ? (long double)NAN : (long double)INFINITY;
    } else if (exponent == 0) {
        x = ldexpl(fraction, f.least - fraction_bits);
    } else {
        x = ldexpl(fraction + (1 << fraction_bits), exponent - 1 + f.least - fraction_bits);
    }
    return copysignl(x, bits & 0x8000 ? -1.0L : 1.0L);
}

/* ---- elements in memory ---- */

uint64_t reference_wrap(unsigned dtype, uint64_t bits)
{
    unsigned width = 8 * psy__dtype_bytes(dtype);
    if (width == 64) {
        return bits;
    }
    uint64_t mask = (UINT64_C(1) << width) - 1, low = bits & mask;
    return reference_is_signed(dtype) && low >> (width - 1) ? low | ~mask : low;
}

reference_cell reference_read(unsigned dtype, const void *at)
{
    reference_cell c = {0};
    if (dtype == PSY_F32) {
        float x;
        memcpy(&x, at, sizeof x);
        c.real = x;
    } else if (dtype == PSY_F64) {
        double x;
        memcpy(&x, at, sizeof x);
        c.real = x;
    } else {
        memcpy(&c.bits, at, psy__dtype_bytes(dtype));
        c.bits = dtype == PSY_BOOL ? c.bits & 1 : reference_wrap(dtype, c.bits);
    }
    return c;
}

bool reference_agrees(unsigned dtype, const reference_cell *want, const void *at, bool signed_zeros)
{
    if (dtype == PSY_BOOL) {
        return *(const uint8_t *)at == want->bits; /* whatever was read: 0 or 1 is written */
    }
    reference_cell got = reference_read(dtype, at);
    if (reference_is_half(dtype) && isnan(reference_half_value(dtype, (uint16_t)want->bits))) {
        return isnan(reference_half_value(dtype, (uint16_t)got.bits));
    }
    if (!reference_is_float(dtype)) {
        return got.bits == want->bits;
    }
    if (isinf(want->error)) {
        return false; /* nothing is known: not a test's result */
    }
    if (isnan(want->real) || isnan(got.real)) {
        return isnan(want->real) && isnan(got.real);
    }
    if (isinf(want->real) || isinf(got.real)) {
        return got.real == want->real;
    }
    if (want->error == 0) {
        return got.real == want->real && (!signed_zeros || signbit(got.real) == signbit(want->real));
    }
    return fabsl(got.real - want->real) <= (long double)want->error;
}

void reference_print(unsigned dtype, const reference_cell *c, char *text, size_t n)
{
    if (reference_is_float(dtype)) {
        snprintf(text, n, "%.17Lg (+- %.3g)", c->real, c->error);
    } else if (reference_is_half(dtype)) {
        snprintf(text, n, "%.9Lg (#%" PRIx64 ")", reference_half_value(dtype, (uint16_t)c->bits), c->bits);
    } else if (reference_is_signed(dtype)) {
        snprintf(text, n, "%" PRId64, reference_signed(c->bits));
    } else {
        snprintf(text, n, "%" PRIu64, c->bits);
    }
}

double reference_epsilon(unsigned dtype) { return dtype == PSY_F32 ? (double)FLT_EPSILON : DBL_EPSILON; }

long double reference_fit(unsigned dtype, long double x)
{
    bool over = dtype == PSY_F32 ? isinf((float)x) : isinf((double)x);
    return !over ? x : x < 0 ? -INFINITY : (long double)INFINITY;
}

reference_cell reference_settle(const reference *r, const psy_op_info *info, unsigned dtype, long double real,
                                long double error, double steps, long double size)
{
    long double fits = reference_fit(dtype, real);
    if (r->exact) {
        return (reference_cell){.real = fits};
    }
    if (!isfinite(error)) {
        return (reference_cell){.real = fits, .error = (double)INFINITY};
    }
    if (isfinite(real)) {
        bool certain = error == 0;
        error += info->tolerance * reference_epsilon(dtype) * steps * (size > 1 ? size : 1);
        long double low = reference_fit(dtype, real - error), high = reference_fit(dtype, real + error);
        if (!certain && (isinf(low) || isinf(high))) { /* it may be infinite, or must be */
            return (reference_cell){.real = fits, .error = low == high ? 0 : (double)INFINITY};
        }
    }
    return (reference_cell){.real = fits, .error = isfinite(fits) ? (double)error : 0};
}

/* ---- floats ---- */

static long double float_map(psy_op op, const long double x[3])
{
    long double a = x[0], b = x[1];
    switch (op) {
    case PSY_OP_NEG: return -a;
    case PSY_OP_ABS: return fabsl(a);
    case PSY_OP_SQRT: return sqrtl(a);
    case PSY_OP_RSQRT: return 1 / sqrtl(a);
    case PSY_OP_EXP: return expl(a);
    case PSY_OP_EXP2: return exp2l(a);
    case PSY_OP_EXPM1: return expm1l(a);
    case PSY_OP_LOG: return logl(a);
    case PSY_OP_LOG2: return log2l(a);
    case PSY_OP_LOG10: return log10l(a);
    case PSY_OP_LOG1P: return log1pl(a);
    case PSY_OP_SIN: return sinl(a);
    case PSY_OP_COS: return cosl(a);
    case PSY_OP_TAN: return tanl(a);
    case PSY_OP_ASIN: return asinl(a);
    case PSY_OP_ACOS: return acosl(a);
    case PSY_OP_ATAN: return atanl(a);
    case PSY_OP_SINH: return sinhl(a);
    case PSY_OP_COSH: return coshl(a);
    case PSY_OP_TANH: return tanhl(a);
    case PSY_OP_ERF: return erfl(a);
    case PSY_OP_CBRT: return cbrtl(a);
    case PSY_OP_FLOOR: return floorl(a);
    case PSY_OP_CEIL: return ceill(a);
    case PSY_OP_TRUNC: return truncl(a);
    case PSY_OP_ROUND: return rintl(a);
    case PSY_OP_SIGN: return a > 0 ? 1 : a < 0 ? -1 : a;
    case PSY_OP_ADD: return a + b;
    case PSY_OP_SUB: return a - b;
    case PSY_OP_MUL: return a * b;
    case PSY_OP_DIV: return a / b;
    case PSY_OP_MOD: return fmodl(a, b);
    case PSY_OP_POW: return powl(a, b);
    case PSY_OP_ATAN2: return atan2l(a, b);
    case PSY_OP_HYPOT: return hypotl(a, b);
    case PSY_OP_MIN: return a < b ? a : b;
    case PSY_OP_MAX: return a > b ? a : b;
    case PSY_OP_FMA: return fmal(a, b, x[2]);
    default: cr_assert_fail("the reference does not know %s", psy__op_info(op)->name); return 0;
    }
}

static bool same_real(long double a, long double b) { return isnan(a) || isnan(b) ? isnan(a) && isnan(b) : a == b; }

static bool may_be_zero(const reference_cell *c) { return c->error > 0 && fabsl(c->real) <= (long double)c->error; }

/* Whether between the corners something may happen that they do not show. */
static bool hides(psy_op op, const reference_cell *const in[3], const long double x[3])
{
    const reference_cell *a = in[0], *b = in[1];
    long double at[3] = {a->real, b->real, 0};
    switch (op) {
    case PSY_OP_DIV: return may_be_zero(b);
    case PSY_OP_TAN: return floorl(x[0] / acosl(-1) + 0.5L) != floorl(at[0] / acosl(-1) + 0.5L);
    case PSY_OP_MOD: return may_be_zero(b) || truncl(x[0] / x[1]) != truncl(at[0] / at[1]);
    case PSY_OP_POW: return may_be_zero(a) || (b->error > 0 && a->real <= 0);
    case PSY_OP_ATAN2: return may_be_zero(a) && b->real <= (long double)b->error; /* to the left, the sign of zero counts */
    default: return false;
    }
}

/* Where operands are uncertain, so is the result: by as much as it changes at the corners of what they may be. Infinite where
 * something happens in between: a pole, an edge of what the operation is defined for, infinity here and not there. */
static long double spread(psy_op op, const reference_cell *const in[3], long double real)
{
    long double most = 0;
    for (unsigned corner = 0; corner < 8; corner++) {
        long double x[3];
        for (unsigned i = 0; i < 3; i++) {
            x[i] = in[i]->real + (corner >> i & 1 ? 1 : -1) * (long double)in[i]->error;
        }
        if (hides(op, in, x)) {
            return INFINITY;
        }
        long double at = float_map(op, x);
        if (isfinite(at) && isfinite(real)) {
            most = fabsl(at - real) > most ? fabsl(at - real) : most;
        } else if (!same_real(at, real)) {
            return INFINITY;
        }
    }
    /* These turn around between the corners, but change no faster than their operand. */
    bool turns = op == PSY_OP_SIN || op == PSY_OP_COS;
    return turns && most < (long double)in[0]->error ? (long double)in[0]->error : most;
}

static reference_cell map_float(const reference *r, const psy_op_info *info, unsigned dtype, const reference_cell *const in[3])
{
    unsigned count = psy__op_register_count(info);
    bool certain = true;
    for (unsigned i = 0; i < count; i++) {
        if (isinf(in[i]->error)) {
            return (reference_cell){.error = (double)INFINITY};
        }
        certain = certain && in[i]->error == 0;
    }
    static const reference_cell none = {0};
    const reference_cell *all[3] = {in[0], count > 1 ? in[1] : &none, count > 2 ? in[2] : &none};
    const long double x[3] = {all[0]->real, all[1]->real, all[2]->real};
    long double real = float_map(info->op, x);
    if (info->op == PSY_OP_FMA && isfinite(x[0] * x[1]) && isinf(reference_fit(dtype, x[0] * x[1]))) {
        return (reference_cell){.error = (double)INFINITY}; /* the product alone is infinite where it is rounded twice */
    }
    long double size = info->op == PSY_OP_FMA ? fabsl(x[0] * x[1]) + fabsl(x[2]) : fabsl(real);
    return reference_settle(r, info, dtype, real, certain ? 0 : spread(info->op, all, real), 1, isfinite(size) ? size : 1);
}

/* ---- integers and truth values ---- */

void reference_philox(uint32_t counter[2], uint32_t key)
{
    for (unsigned round = 0; round < 10; round++) {
        /* the product in halves: 16 bits times 32 bits */
        uint64_t low = (uint64_t)(counter[0] & 0xffff) * 3528905107u, high = (uint64_t)(counter[0] >> 16) * 3528905107u;
        uint64_t middle = (low >> 16) + high;
        uint32_t upper = (uint32_t)(middle >> 16), lower = (uint32_t)(middle << 16 | (low & 0xffff));
        counter[0] = upper ^ (key + round * 2654435769u) ^ counter[1];
        counter[1] = lower;
    }
}

static uint64_t int_div(unsigned dtype, uint64_t a, uint64_t b)
{
    if (b == 0) {
        return 0;
    }
    if (!reference_is_signed(dtype)) {
        return a / b;
    }
    if (b == UINT64_MAX) {
        return 0 - a; /* by -1: wraps at the most negative number */
    }
    return (uint64_t)(reference_signed(a) / reference_signed(b));
}

static uint64_t set_bits(unsigned dtype, uint64_t a)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < 8 * psy__dtype_bytes(dtype); i++) {
        n += a >> i & 1;
    }
    return n;
}

static uint64_t shift(psy_op op, unsigned dtype, uint64_t a, uint64_t b)
{
    bool negative = reference_is_signed(dtype) && reference_signed(a) < 0;
    for (unsigned n = (unsigned)(b % (8 * psy__dtype_bytes(dtype))); n > 0; n--) {
        a = op == PSY_OP_SHL ? a + a : a >> 1 | (uint64_t)negative << 63;
    }
    return a;
}

static uint64_t int_map(psy_op op, unsigned dtype, uint64_t a, uint64_t b)
{
    bool less = reference_is_signed(dtype) ? reference_signed(a) < reference_signed(b) : a < b;
    bool more = reference_is_signed(dtype) ? reference_signed(a) > reference_signed(b) : a > b;
    switch (op) {
    case PSY_OP_NEG: return reference_wrap(dtype, 0 - a);
    case PSY_OP_ABS: return reference_wrap(dtype, reference_signed(a) < 0 ? 0 - a : a);
    case PSY_OP_SIGN: return reference_signed(a) < 0 ? UINT64_MAX : a != 0;
    case PSY_OP_NOT: return dtype == PSY_BOOL ? !a : reference_wrap(dtype, UINT64_MAX - a);
    case PSY_OP_POPCOUNT: return set_bits(dtype, a);
    case PSY_OP_ADD: return reference_wrap(dtype, a + b);
    case PSY_OP_SUB: return reference_wrap(dtype, a - b);
    case PSY_OP_MUL: return reference_wrap(dtype, a * b);
    case PSY_OP_DIV: return reference_wrap(dtype, int_div(dtype, a, b));
    case PSY_OP_MOD: return reference_wrap(dtype, a - b * int_div(dtype, a, b));
    case PSY_OP_AND: return a & b;
    case PSY_OP_OR: return a | b;
    case PSY_OP_XOR: return a ^ b;
    case PSY_OP_SHL:
    case PSY_OP_SHR: return reference_wrap(dtype, shift(op, dtype, a, b));
    case PSY_OP_PHILOX: {
        uint32_t counter[2] = {(uint32_t)b, 0};
        reference_philox(counter, (uint32_t)a);
        return counter[0];
    }
    case PSY_OP_MIN: return less ? a : b;
    case PSY_OP_MAX: return more ? a : b;
    default: cr_assert_fail("the reference does not know %s of integers", psy__op_info(op)->name); return 0;
    }
}

static bool compare(psy_op op, unsigned dtype, const reference_cell *a, const reference_cell *b)
{
    bool equal, less;
    if (reference_is_float(dtype)) {
        cr_assert(a->error == 0 && b->error == 0, "the reference compares exact values only");
        equal = a->real == b->real;
        less = a->real < b->real;
    } else {
        equal = a->bits == b->bits;
        less = reference_is_signed(dtype) ? reference_signed(a->bits) < reference_signed(b->bits) : a->bits < b->bits;
    }
    switch (op) {
    case PSY_OP_EQ: return equal;
    case PSY_OP_NE: return !equal;
    case PSY_OP_LT: return less;
    case PSY_OP_LE: return less || equal;
    default: cr_assert_fail("the reference does not know %s", psy__op_info(op)->name); return false;
    }
}

reference_cell reference_map(const reference *r, const psy_op_info *info, unsigned dtype, const reference_cell *const in[3])
{
    if (info->class_ == PSY_CLASS_CHOOSE) {
        return *(in[0]->bits ? in[1] : in[2]);
    }
    if (info->class_ == PSY_CLASS_COMPARE) {
        return (reference_cell){.bits = compare(info->op, dtype, in[0], in[1])};
    }
    return reference_is_float(dtype) ? map_float(r, info, dtype, in)
                                     : (reference_cell){.bits = int_map(info->op, dtype, in[0]->bits, in[1]->bits)};
}

/* ---- conversions ---- */

uint64_t reference_saturate(unsigned dtype, long double x)
{
    unsigned width = 8 * psy__dtype_bytes(dtype);
    if (isnan(x)) {
        return 0;
    }
    if (reference_is_signed(dtype)) {
        long double high = ldexpl(1, (int)width - 1);
        uint64_t highest = (UINT64_C(1) << (width - 1)) - 1;
        return x >= high ? highest : x < -high ? ~highest : (uint64_t)(int64_t)x;
    }
    return x >= ldexpl(1, (int)width) ? reference_wrap(dtype, UINT64_MAX) : x <= -1 ? 0 : (uint64_t)x;
}

reference_cell reference_cast(unsigned from, unsigned to, const reference_cell *a)
{
    reference_cell c = {0};
    bool real = psy__dtype_class(from) == PSY_DCLASS_FLOAT;
    long double x = reference_is_half(from)     ? reference_half_value(from, (uint16_t)a->bits)
                    : real                      ? a->real
                    : reference_is_signed(from) ? (long double)reference_signed(a->bits)
                                                : (long double)a->bits;
    cr_assert(reference_is_float(to) || a->error == 0, "the reference casts exact values to whole numbers and halves only");
    if (reference_is_half(to)) {
        c.bits = reference_half(to, x);
    } else if (reference_is_float(to)) {
        c.real = to == PSY_F32 ? (long double)(float)x : (long double)(double)x;
        if (a->error > 0) {
            c.error = isfinite(c.real) ? a->error + (double)fabsl(x) * reference_epsilon(to) : (double)INFINITY;
        }
    } else if (to == PSY_BOOL) {
        c.bits = x != 0;
    } else {
        c.bits = real ? reference_saturate(to, x) : reference_wrap(to, a->bits);
    }
    return c;
}
