/* SPDX-License-Identifier: Apache-2.0 */
#include "message/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <psyne/kernel_scalar.h>

#include "isa/module.h"

uint64_t psy__number_bits(unsigned dtype, const void *at)
{
    uint64_t bits = 0;
    memcpy(&bits, at, psy__dtype_bytes(dtype));
    return bits;
}

/* ---- arithmetic that cannot be wrong ---- */

/* The powers of ten that f64 has exactly. A product or quotient of one of them and of a whole number up to 2^53 is rounded
 * once, so it is the f64 nearest to the decimal number (Clinger: "How to read floating point numbers accurately", 1990). */
static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
enum { TENS_MOST = 22 };
#define EXACT_MOST (UINT64_C(1) << 53)

/* The bits, as those of `dtype`, of what is nearest to a decimal number whose nearest f64 is `d`. False: rounding twice could
 * be otherwise than once. */
static bool narrow(unsigned dtype, double d, uint64_t *bits)
{
    memcpy(bits, &d, sizeof d);
    if (dtype == PSY_F32) {
        const uint64_t half = UINT64_C(1) << 28; /* in the middle between two f32, after rounding */
        const float f = (float)d;
        const bool sure = (*bits & (2 * half - 1)) != half && (d == 0 || fabs(d) >= 0x1p-126);
        *bits = 0;
        memcpy(bits, &f, sizeof f);
        return sure;
    }
    *bits = dtype == PSY_F16 ? psy_kernel_to_f16(d) : dtype == PSY_BF16 ? psy_kernel_to_bf16(d) : *bits;
    return true;
}

/* ---- to text ---- */

/* What a float's digits are tried with: `least` survive from text to float and back, `most` from float to text and back. */
typedef struct precision {
    unsigned dtype, least, most;
    double normal; /* the least that has all its digits */
    uint64_t nan;  /* the usual one */
} precision;

static const precision precisions[] = {
    {PSY_F16, 3, 5, 0x1p-14, 0x7e00},
    {PSY_BF16, 2, 4, 0x1p-126, 0x7fc0},
    {PSY_F32, 6, 9, 0x1p-126, 0x7fc00000},
    {PSY_F64, 15, 17, 0x1p-1022, UINT64_C(0x7ff8000000000000)},
};

static const precision *precision_of(unsigned dtype)
{
    const precision *p = precisions;
    while (p->dtype != dtype) {
        p++;
    }
    return p;
}

static double float_of(unsigned dtype, uint64_t bits)
{
    float f;
    double d;
    if (dtype == PSY_F32) {
        memcpy(&f, &bits, sizeof f);
        return (double)f;
    }
    memcpy(&d, &bits, sizeof d);
    return dtype == PSY_F16    ? (double)psy_kernel_from_f16((uint16_t)bits)
           : dtype == PSY_BF16 ? (double)psy_kernel_from_bf16((uint16_t)bits)
                               : d;
}

/* The text's value, as bits of the type. f32 is rounded once, from the text. */
static uint64_t bits_of(unsigned dtype, const char *text)
{
    uint64_t bits = 0;
    if (dtype == PSY_F32) {
        const float f = strtof(text, NULL);
        memcpy(&bits, &f, sizeof f);
        return bits;
    }
    const double d = strtod(text, NULL);
    memcpy(&bits, &d, sizeof d);
    return dtype == PSY_F16 ? psy_kernel_to_f16(d) : dtype == PSY_BF16 ? psy_kernel_to_bf16(d) : bits;
}

/* Of "-d.ddde+xx", with whatever the locale has for the point: without a sign, the digits up to the last that is not 0, their
 * number, and the exponent. */
static size_t digits_of(const char *text, char *digits, int *exponent)
{
    size_t n = 0;
    for (; *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9') {
            digits[n++] = *text;
        }
    }
    *exponent = atoi(text + 1);
    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }
    return n;
}

/* The digits as JSON writes them: plainly where that is not much longer. */
static size_t lay_out(char *out, bool negative, const char *digits, size_t n, int exponent)
{
    enum { PLAIN_LEAST = -5, PLAIN_DIGITS = 7 };
    size_t at = 0;
    out[at] = '-';
    at += negative;
    const bool plain = exponent >= PLAIN_LEAST && exponent < (n > PLAIN_DIGITS ? (int)n : PLAIN_DIGITS);
    const int point = plain ? exponent : 0; /* digits before the point, less one */
    if (point < 0) {
        out[at++] = '0';
        out[at++] = '.';
        for (int i = -1; i > point; i--) {
            out[at++] = '0';
        }
    }
    for (size_t i = 0; i < n || (int)i <= point; i++) {
        if (point >= 0 && (int)i == point + 1) {
            out[at++] = '.';
        }
        out[at++] = i < n ? digits[i] : '0';
    }
    return at + (plain ? 0 : (size_t)snprintf(out + at, PSY_NUMBER_BYTES - at, "e%d", exponent));
}

/* The digits of `x`, which is above 0, by arithmetic; 0: it takes the long way. */
static size_t quick_digits(double x, uint64_t bits, const precision *p, char *digits, int *exponent)
{
    enum { QUICK_MOST = 15 };
    int e = 0;
    if (x < 1e-5 || x >= 1e15) {
        return 0;
    }
    while (e < QUICK_MOST && x >= tens[e + 1]) {
        e++;
    }
    for (double least = 1; x < least; least /= 10) {
        e--;
    }
    for (int n = (int)p->least; n <= (int)p->most && n <= QUICK_MOST; n++) {
        const int scale = n - 1 - e;
        uint64_t again;
        if (scale < 0 || scale > TENS_MOST) {
            return 0;
        }
        uint64_t whole = (uint64_t)(x * tens[scale] + 0.5);
        if (whole > EXACT_MOST || !narrow(p->dtype, (double)whole / tens[scale], &again) || again != bits) {
            continue;
        }
        size_t count = 0;
        *exponent = -scale;
        for (; whole % 10 == 0; whole /= 10) {
            ++*exponent;
        }
        for (uint64_t rest = whole; rest; rest /= 10) {
            count++;
        }
        for (size_t i = count; i > 0; whole /= 10) {
            digits[--i] = (char)('0' + whole % 10);
        }
        *exponent += (int)count - 1;
        return count;
    }
    return 0;
}

static size_t print_float(char *out, unsigned dtype, uint64_t bits)
{
    const precision *p = precision_of(dtype);
    const double x = float_of(dtype, bits);
    char text[PSY_NUMBER_BYTES], digits[PSY_NUMBER_BYTES];
    int exponent;
    if (isnan(x)) {
        return (size_t)(bits == p->nan ? snprintf(out, PSY_NUMBER_BYTES, "\"NaN\"")
                                       : snprintf(out, PSY_NUMBER_BYTES, "\"NaN(0x%" PRIx64 ")\"", bits));
    }
    if (isinf(x)) {
        return (size_t)snprintf(out, PSY_NUMBER_BYTES, x < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    }
    if (x == trunc(x) && fabs(x) < 1e6 && (x != 0 || !signbit(x))) {
        return (size_t)snprintf(out, PSY_NUMBER_BYTES, "%d", (int)x);
    }
    const uint64_t sign = UINT64_C(1) << (8 * psy__dtype_bytes(dtype) - 1);
    size_t n = quick_digits(fabs(x), bits & ~sign, p, digits, &exponent);
    if (n == 0) {
        for (unsigned k = fabs(x) < p->normal ? 1 : p->least; k <= p->most; k++) {
            snprintf(text, sizeof text, "%.*e", (int)k - 1, x);
            if (bits_of(dtype, text) == bits) {
                break;
            }
        }
        n = digits_of(text, digits, &exponent);
    }
    return lay_out(out, signbit(x) != 0, digits, n, exponent);
}

size_t psy__number_print(char out[PSY_NUMBER_BYTES], unsigned dtype, const void *at)
{
    const uint64_t bits = psy__number_bits(dtype, at);
    const unsigned width = 64 - 8 * psy__dtype_bytes(dtype);
    switch (psy__dtype_class(dtype)) {
    case PSY_DCLASS_BOOL: return (size_t)snprintf(out, PSY_NUMBER_BYTES, bits ? "true" : "false");
    case PSY_DCLASS_SINT: return (size_t)snprintf(out, PSY_NUMBER_BYTES, "%" PRId64, (int64_t)(bits << width) >> width);
    case PSY_DCLASS_UINT: return (size_t)snprintf(out, PSY_NUMBER_BYTES, "%" PRIu64, bits);
    default: return print_float(out, dtype, bits);
    }
}

/* ---- from text ---- */

static bool is(const char *text, size_t n, const char *word) { return n == strlen(word) && memcmp(text, word, n) == 0; }

/* "NaN", "NaN(0xBITS)", "Infinity", "-Infinity" */
static bool read_special(const char *text, size_t n, unsigned dtype, uint64_t *bits)
{
    const precision *p = precision_of(dtype);
    char hex[24] = "";
    if (is(text, n, "NaN")) {
        *bits = p->nan;
    } else if (is(text, n, "Infinity") || is(text, n, "-Infinity")) {
        *bits = bits_of(dtype, *text == '-' ? "-inf" : "inf");
    } else if (n > 7 && n < 7 + sizeof hex && memcmp(text, "NaN(0x", 6) == 0 && text[n - 1] == ')') {
        char *end;
        memcpy(hex, text + 6, n - 7);
        *bits = strspn(hex, "0123456789abcdef") == n - 7 && n - 7 <= 2 * psy__dtype_bytes(dtype) ? strtoull(hex, &end, 16) : 0;
        return isnan(float_of(dtype, *bits));
    } else {
        return false;
    }
    return true;
}

/* Digits without a point, which would be the locale's, and an exponent that makes up for it. */
static bool read_float(const char *text, size_t n, unsigned dtype, uint64_t *bits)
{
    char plain[PSY_NUMBER_TEXT_MAX + 32];
    size_t at = 0, i = 0;
    long exponent = 0;
    bool fraction = false, exact = true;
    uint64_t whole = 0;
    if (n > PSY_NUMBER_TEXT_MAX) {
        return false;
    }
    for (; i < n && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') {
            fraction = true;
        } else {
            plain[at++] = text[i];
            exponent -= fraction;
            whole = text[i] == '-' ? 0 : whole * 10 + (uint64_t)(text[i] - '0');
            exact = exact && whole <= EXACT_MOST;
        }
    }
    if (i < n) {
        char *end;
        char rest[32] = "";
        const size_t length = n - i - 1 < sizeof rest - 1 ? n - i - 1 : sizeof rest - 1;
        memcpy(rest, text + i + 1, length);
        const long written = strtol(rest, &end, 10); /* cut to LONG_MAX, which is far outside too */
        exponent += written > 100000 ? 100000 : written < -100000 ? -100000 : written;
    }
    exact = exact && exponent >= -TENS_MOST && exponent <= TENS_MOST;
    const double d = !exact ? 0 : exponent < 0 ? (double)whole / tens[-exponent] : (double)whole * tens[exponent];
    if (!exact || !narrow(dtype, *text == '-' ? -d : d, bits)) {
        snprintf(plain + at, sizeof plain - at, "e%ld", exponent);
        *bits = bits_of(dtype, plain);
    }
    return !isinf(float_of(dtype, *bits));
}

static bool read_integer(const char *text, size_t n, unsigned dtype, uint64_t *bits)
{
    const bool negative = n > 0 && *text == '-', sign = psy__dtype_class(dtype) == PSY_DCLASS_SINT;
    const unsigned width = 8 * psy__dtype_bytes(dtype);
    uint64_t value = 0;
    for (size_t i = negative; i < n; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value)) {
            return false;
        }
    }
    const uint64_t most = sign ? (UINT64_C(1) << (width - 1)) - 1 + negative : UINT64_MAX >> (64 - width);
    *bits = negative ? 0 - value : value;
    return value <= most && (!negative || sign || value == 0);
}

static const char *wanted(unsigned dtype)
{
    switch (dtype) {
    case PSY_BOOL: return "true or false";
    case PSY_I8: return "a whole number from -128 to 127";
    case PSY_U8: return "a whole number from 0 to 255";
    case PSY_I16: return "a whole number from -32768 to 32767";
    case PSY_U16: return "a whole number from 0 to 65535";
    case PSY_I32: return "a whole number from -2147483648 to 2147483647";
    case PSY_U32: return "a whole number from 0 to 4294967295";
    case PSY_I64: return "a whole number from -9223372036854775808 to 9223372036854775807";
    case PSY_U64: return "a whole number from 0 to 18446744073709551615";
    case PSY_F16: return "a number that f16 holds, \"NaN\" or \"Infinity\"";
    case PSY_BF16: return "a number that bf16 holds, \"NaN\" or \"Infinity\"";
    case PSY_F32: return "a number that f32 holds, \"NaN\" or \"Infinity\"";
    default: return "a number that f64 holds, \"NaN\" or \"Infinity\"";
    }
}

const char *psy__number_read(const char *text, size_t n, bool quoted, unsigned dtype, void *to)
{
    const psy_dtype_class class_ = psy__dtype_class(dtype);
    const bool number = !quoted && n > 0 && (*text == '-' || (*text >= '0' && *text <= '9'));
    uint64_t bits = 0;
    bool read = false;
    if (class_ == PSY_DCLASS_BOOL) {
        bits = is(text, n, "true");
        read = !quoted && (bits || is(text, n, "false"));
    } else if (class_ != PSY_DCLASS_FLOAT) {
        read = number && read_integer(text, n, dtype, &bits);
    } else {
        read = quoted ? read_special(text, n, dtype, &bits) : number && read_float(text, n, dtype, &bits);
    }
    if (!read) {
        return wanted(dtype);
    }
    memcpy(to, &bits, psy__dtype_bytes(dtype));
    return NULL;
}
