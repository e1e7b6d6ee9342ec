/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as JSON text and back: every f16 and bf16, many f32 and f64, the ends of all integers. */
#include <inttypes.h>
#include <math.h>

#include "message/number.h"
#include "tests/test.h"

static void comes_back(unsigned dtype, uint64_t bits)
{
    char text[PSY_NUMBER_BYTES];
    uint64_t again = 0;
    const size_t n = psy__number_print(text, dtype, &bits);
    const bool quoted = *text == '"';
    cr_assert(n < PSY_NUMBER_BYTES);
    const char *why = psy__number_read(text + quoted, n - 2 * quoted, quoted, dtype, &again);
    cr_assert(!why && again == bits, "%.*s: %016" PRIx64 " %016" PRIx64, (int)n, text, bits, again);
}

Test(numbers, floats_come_back)
{
    for (uint32_t bits = 0; bits < 65536; bits++) {
        comes_back(PSY_F16, bits);
        comes_back(PSY_BF16, bits);
    }
    uint64_t state = 1;
    for (unsigned i = 0; i < 50000; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        comes_back(PSY_F32, state >> 32);
        comes_back(PSY_F64, state);
        const double d = (double)(int64_t)(state >> 40) / 1000;
        uint64_t bits;
        memcpy(&bits, &d, sizeof bits);
        comes_back(PSY_F64, bits);
    }
    for (unsigned exponent = 0; exponent < 2047; exponent++) {
        for (int off = -1; off <= 1; off++) {
            comes_back(PSY_F64, ((uint64_t)exponent << 52) + (uint64_t)(int64_t)off);
            comes_back(PSY_F32, (uint32_t)(((uint64_t)(exponent & 255) << 23) + (uint64_t)(int64_t)off));
        }
    }
}

/* Read as the C library reads it. */
Test(numbers, read_as_others_read)
{
    uint64_t state = 7;
    for (unsigned i = 0; i < 200000; i++) {
        char text[64];
        uint64_t bits = 0, wanted = 0;
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        const unsigned digits = 1 + (unsigned)(state >> 59) % 20;
        snprintf(text, sizeof text, "%s%.*s.%" PRIu64 "e%d", state >> 7 & 1 ? "-" : "", (int)(digits > 3 ? 3 : digits),
                 "1234567", (state >> 8) % (digits > 12 ? UINT64_MAX : UINT64_C(1) << (4 * digits)),
                 (int)(state >> 40 & 63) - 32);
        const double d = strtod(text, NULL);
        const float f = strtof(text, NULL);
        memcpy(&wanted, &d, sizeof d);
        cr_assert(!psy__number_read(text, strlen(text), false, PSY_F64, &bits) && bits == wanted, "%s", text);
        bits = wanted = 0;
        memcpy(&wanted, &f, sizeof f);
        cr_assert(!psy__number_read(text, strlen(text), false, PSY_F32, &bits) && bits == wanted, "%s", text);
    }
    /* In the middle between two f32, and next to it by less than f64 tells apart: as f64 all are the middle. */
    static const struct {
        const char *text;
        uint32_t bits;
    } middles[] = {
        {"16777217", 0x4b800000},
        {"16777219", 0x4b800002},
        {"1.00000005960464477539062500", 0x3f800000},
        {"1.00000005960464477539062501", 0x3f800001},
        {"1.00000017881393432617187499", 0x3f800001},
        {"9007199791611904", 0x5a000000},
        {"9007199791611905", 0x5a000001},
    };
    for (size_t i = 0; i < sizeof middles / sizeof middles[0]; i++) {
        uint32_t bits = 0;
        cr_assert(!psy__number_read(middles[i].text, strlen(middles[i].text), false, PSY_F32, &bits) && bits == middles[i].bits,
                  "%s: %08" PRIx32, middles[i].text, bits);
    }
}

static void is_text(unsigned dtype, double value, const char *wanted)
{
    char text[PSY_NUMBER_BYTES];
    const float f = (float)value;
    const size_t n = psy__number_print(text, dtype, dtype == PSY_F32 ? (const void *)&f : (const void *)&value);
    cr_assert(n == strlen(wanted) && memcmp(text, wanted, n) == 0, "%.*s, and not %s", (int)n, text, wanted);
}

Test(numbers, few_digits)
{
    static const struct {
        double value;
        const char *f32, *f64;
    } cases[] = {
        {0, "0", "0"},
        {-0.0, "-0", "-0"},
        {1, "1", "1"},
        {-1.5, "-1.5", "-1.5"},
        {0.1, "0.1", "0.1"},
        {1e-5, "0.00001", "0.00001"},
        {1.25e-6, "1.25e-6", "1.25e-6"},
        {123456.75, "123456.75", "123456.75"},
        {1e6, "1000000", "1000000"},
        {1e7, "1e7", "1e7"},
        {16777216, "16777216", "16777216"},
        {1e21, "1e21", "1e21"},
        {3.4028234663852886e38, "3.4028235e38", "3.4028234663852886e38"},
        {1.1754943508222875e-38, "1.1754944e-38", "1.1754943508222875e-38"},
        {1.0 / 3, "0.33333334", "0.3333333333333333"},
        {2.0 / 3 * 100, "66.666664", "66.66666666666666"},
        {INFINITY, "\"Infinity\"", "\"Infinity\""},
        {-INFINITY, "\"-Infinity\"", "\"-Infinity\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        is_text(PSY_F32, cases[i].value, cases[i].f32);
        is_text(PSY_F64, cases[i].value, cases[i].f64);
    }
    is_text(PSY_F64, 5e-324, "5e-324");
    is_text(PSY_F64, 1.7976931348623157e308, "1.7976931348623157e308");
}

Test(numbers, integers)
{
    static const struct {
        unsigned dtype;
        const char *least, *most, *below, *above;
    } cases[] = {
        {PSY_I8, "-128", "127", "-129", "128"},
        {PSY_I16, "-32768", "32767", "-32769", "32768"},
        {PSY_I32, "-2147483648", "2147483647", "-2147483649", "2147483648"},
        {PSY_I64, "-9223372036854775808", "9223372036854775807", "-9223372036854775809", "9223372036854775808"},
        {PSY_U8, "0", "255", "-1", "256"},
        {PSY_U16, "0", "65535", "-1", "65536"},
        {PSY_U32, "0", "4294967295", "-1", "4294967296"},
        {PSY_U64, "0", "18446744073709551615", "-1", "18446744073709551616"},
        {PSY_BOOL, "false", "true", "0", "1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned k = 0; k < 2; k++) {
            const char *good = k ? cases[i].most : cases[i].least, *bad = k ? cases[i].above : cases[i].below;
            char text[PSY_NUMBER_BYTES];
            uint64_t bits = 0;
            cr_assert_null(psy__number_read(good, strlen(good), false, cases[i].dtype, &bits), "%s", good);
            const size_t n = psy__number_print(text, cases[i].dtype, &bits);
            cr_assert(n == strlen(good) && memcmp(text, good, n) == 0, "%s", good);
            cr_assert_not_null(psy__number_read(bad, strlen(bad), false, cases[i].dtype, &bits), "%s", bad);
            cr_assert_not_null(psy__number_read(good, strlen(good), true, cases[i].dtype, &bits), "\"%s\"", good);
        }
    }
}

Test(numbers, what_is_none)
{
    static const struct {
        unsigned dtype;
        bool quoted;
        const char *text;
    } cases[] = {
        {PSY_F32, false, "3.5e38"}, {PSY_F32, false, "-1e400"},     {PSY_F64, false, "1e999999999999999999999"},
        {PSY_F16, false, "65520"},  {PSY_BF16, false, "3.4e38"},    {PSY_F32, true, "nan"},
        {PSY_F32, true, "1"},       {PSY_F32, true, "NaN(0x1)"},    {PSY_F32, true, "NaN(0x7fc000010)"},
        {PSY_F32, true, "NaN()"},   {PSY_F64, true, "NaN(0x7ff8)"}, {PSY_F32, true, "+Infinity"},
        {PSY_I32, false, "1e3"},    {PSY_I32, false, "1.0"},        {PSY_F32, false, "true"},
    };
    uint64_t bits = 42;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_not_null(psy__number_read(cases[i].text, strlen(cases[i].text), cases[i].quoted, cases[i].dtype, &bits), "%s",
                           cases[i].text);
    }
    cr_assert_eq(bits, 42, "what is refused is not written");
    /* So small that nothing is left. */
    cr_assert(!psy__number_read("1e-99999999999999999999", 23, false, PSY_F64, &bits) && bits == 0);
    cr_assert(!psy__number_read("65519.99", 8, false, PSY_F16, &bits) && bits == 0x7bff);
}
