/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* strtod_l: a program's locale must not change what a module says */
#include "isa/lexer.h"

#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_name_part(char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '#'; }

static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool psy__is_name(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i == 0 ? !is_letter(text[i]) : !is_name_part(text[i])) {
            return false;
        }
    }
    return n != 0;
}

void psy__lexer_init(psy__lexer *lexer, const char *text, size_t n)
{
    *lexer = (psy__lexer){.at = text, .end = text + n, .line_start = text, .line = 1};
}

static void skip_space(psy__lexer *l)
{
    while (l->at < l->end) {
        if (*l->at == '\n') {
            l->line += l->line < UINT32_MAX;
            l->line_start = ++l->at;
        } else if (*l->at == ' ' || *l->at == '\t' || *l->at == '\r') {
            l->at++;
        } else if (*l->at == '/' && l->end - l->at > 1 && l->at[1] == '/') {
            while (l->at < l->end && *l->at != '\n') {
                l->at++;
            }
        } else {
            return;
        }
    }
}

/* Digits to a number; false: more than 64 bits. */
static bool read_digits(const char *at, const char *end, uint64_t base, uint64_t *value)
{
    *value = 0;
    for (; at < end; at++) {
        if (__builtin_mul_overflow(*value, base, value) || __builtin_add_overflow(*value, (uint64_t)hex_digit(*at), value)) {
            return false;
        }
    }
    return true;
}

static psy__token bad(psy__token t, const char *what)
{
    t.kind = PSY_TOKEN_BAD;
    t.bad = what;
    return t;
}

static psy__token lex_number(psy__lexer *l, psy__token t)
{
    bool hex = false, whole = true;
    t.negative = *l->at == '-';
    l->at += t.negative;
    const char *digits = l->at;
    while (l->at < l->end) {
        char c = *l->at;
        if (c == 'x' || c == 'X') {
            hex = true;
        }
        bool exponent = l->at > digits && (hex ? l->at[-1] == 'p' || l->at[-1] == 'P' : l->at[-1] == 'e' || l->at[-1] == 'E');
        if (!is_digit(c) && !is_letter(c) && c != '.' && !((c == '-' || c == '+') && exponent)) {
            break;
        }
        whole = whole && is_digit(c);
        l->at++;
    }
    t.n = (size_t)(l->at - t.at);
    t.kind = whole ? PSY_TOKEN_INTEGER : PSY_TOKEN_NUMBER;
    return whole && !read_digits(digits, l->at, 10, &t.value) ? bad(t, "a number over 64 bits") : t;
}

static psy__token lex_string(psy__lexer *l, psy__token t)
{
    t.kind = PSY_TOKEN_STRING;
    t.at = ++l->at;
    while (l->at < l->end && *l->at != '"') {
        bool escape = *l->at == '\\';
        if ((unsigned char)*l->at < 0x20 || *l->at == 0x7f) {
            return bad(t, "a control character in a string");
        }
        l->at += escape;
        if (l->at < l->end && escape && (*l->at == '\0' || !strchr("\"\\nt", *l->at))) {
            return bad(t, "an escape that is none of \\\" \\\\ \\n \\t");
        }
        l->at += l->at < l->end;
    }
    if (l->at >= l->end) {
        return bad(t, "a string without its end");
    }
    t.n = (size_t)(l->at++ - t.at);
    return t;
}

/* `%12` and `#7f`: a mark and digits. */
static psy__token lex_marked(psy__lexer *l, psy__token t, psy__token_kind kind, int base)
{
    const char *digits = ++l->at;
    t.kind = kind;
    while (l->at < l->end && hex_digit(*l->at) >= 0 && hex_digit(*l->at) < base) {
        l->at++;
    }
    t.n = (size_t)(l->at - t.at);
    if (l->at == digits || (l->at < l->end && is_name_part(*l->at)) || !read_digits(digits, l->at, (uint64_t)base, &t.value)) {
        return bad(t, kind == PSY_TOKEN_REGISTER ? "% without a register's number" : "# without hexadecimal digits");
    }
    return t;
}

psy__token psy__lexer_next(psy__lexer *l)
{
    static const struct {
        char text[3];
        psy__token_kind kind;
    } pairs[] = {{"->", PSY_TOKEN_ARROW}, {"==", PSY_TOKEN_EQ}, {">=", PSY_TOKEN_GE}, {"<=", PSY_TOKEN_LE}};
    skip_space(l);
    size_t left = (size_t)(l->end - l->at), column = (size_t)(l->at - l->line_start) + 1;
    psy__token t = {
        .kind = PSY_TOKEN_END, .at = l->at, .line = l->line, .column = column > UINT32_MAX ? UINT32_MAX : (uint32_t)column};
    if (left == 0) {
        return t;
    }
    char c = *l->at;
    if (is_letter(c)) {
        while (l->at < l->end && is_name_part(*l->at)) {
            l->at++;
        }
        t.kind = PSY_TOKEN_NAME;
        t.n = (size_t)(l->at - t.at);
        return t;
    }
    if (is_digit(c) || (c == '-' && left > 1 && is_digit(l->at[1]))) {
        return lex_number(l, t);
    }
    if (c == '"') {
        return lex_string(l, t);
    }
    if (c == '%' || c == '#') {
        return c == '%' ? lex_marked(l, t, PSY_TOKEN_REGISTER, 10) : lex_marked(l, t, PSY_TOKEN_BITS, 16);
    }
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (left > 1 && memcmp(l->at, pairs[i].text, 2) == 0) {
            l->at += 2;
            t.kind = pairs[i].kind;
            t.n = 2;
            return t;
        }
    }
    l->at++;
    t.n = 1;
    t.kind = PSY_TOKEN_SIGN;
    return strchr("{}[]();,:=@-<?", c) && c != '\0' ? t : bad(t, "a character that means nothing here");
}

/* ---- literals ---- */

static void print_float(char *out, unsigned mantissa_bits, unsigned exponent_bits, uint64_t bits)
{
    uint64_t mantissa = bits & ((UINT64_C(1) << mantissa_bits) - 1);
    int exponent = (int)(bits >> mantissa_bits & ((UINT64_C(1) << exponent_bits) - 1)), top = (1 << exponent_bits) - 1;
    const char *sign = bits >> (mantissa_bits + exponent_bits) & 1 ? "-" : "";
    if (exponent == top) {
        snprintf(out, PSY_LITERAL_BYTES, "#%" PRIx64, bits);
        return;
    }
    if (exponent == 0 && mantissa == 0) {
        snprintf(out, PSY_LITERAL_BYTES, "%s", *sign ? "-0.0" : "0");
        return;
    }
    int power = (exponent == 0 ? 1 : exponent) - top / 2;
    uint64_t whole = mantissa | (exponent == 0 ? 0 : UINT64_C(1) << mantissa_bits);
    /* Small whole numbers are what people write. */
    if (power >= 0 && power <= 23 && (whole & ((UINT64_C(1) << (mantissa_bits - (unsigned)power)) - 1)) == 0) {
        snprintf(out, PSY_LITERAL_BYTES, "%s%" PRIu64, sign, whole >> (mantissa_bits - (unsigned)power));
        return;
    }
    unsigned digits = (mantissa_bits + 3) / 4;
    uint64_t fraction = mantissa << (digits * 4 - mantissa_bits);
    while (digits > 0 && (fraction & 15) == 0) {
        fraction >>= 4;
        digits--;
    }
    char text[20] = "";
    if (digits > 0) {
        snprintf(text, sizeof text, ".%0*" PRIx64, (int)digits, fraction);
    }
    snprintf(out, PSY_LITERAL_BYTES, "%s0x%d%sp%+d", sign, exponent != 0, text, power);
}

void psy__literal_print(char out[PSY_LITERAL_BYTES], unsigned dtype, uint64_t bits)
{
    unsigned width = psy__dtype_bytes(dtype) * 8;
    bits &= width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    if (dtype == PSY_F32 || dtype == PSY_F64) {
        print_float(out, dtype == PSY_F32 ? 23 : 52, dtype == PSY_F32 ? 8 : 11, bits);
    } else if (psy__dtype_class(dtype) == PSY_DCLASS_FLOAT) {
        snprintf(out, PSY_LITERAL_BYTES, "#%" PRIx64, bits);
    } else if (psy__dtype_class(dtype) == PSY_DCLASS_SINT && bits >> (width - 1)) {
        snprintf(out, PSY_LITERAL_BYTES, "-%" PRIu64, (~bits & (UINT64_MAX >> (64 - width))) + 1);
    } else {
        snprintf(out, PSY_LITERAL_BYTES, "%" PRIu64, bits);
    }
}

static bool read_float(const psy__token *t, unsigned dtype, uint64_t *bits)
{
    char text[64], *end;
    if (t->n >= sizeof text) {
        return false;
    }
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c == (locale_t)0) {
        return false;
    }
    memcpy(text, t->at, t->n);
    text[t->n] = '\0';
    if (dtype == PSY_F32) {
        float x = strtof_l(text, &end, c);
        uint32_t narrow;
        memcpy(&narrow, &x, sizeof narrow);
        *bits = narrow;
    } else {
        double x = strtod_l(text, &end, c);
        memcpy(bits, &x, sizeof x);
    }
    freelocale(c);
    uint64_t exponent = dtype == PSY_F32 ? *bits >> 23 & 0xff : *bits >> 52 & 0x7ff;
    return *end == '\0' && exponent != (dtype == PSY_F32 ? 0xffu : 0x7ffu); /* infinity is written as bits */
}

bool psy__literal_read(const psy__token *t, unsigned dtype, uint64_t *bits)
{
    unsigned width = psy__dtype_bytes(dtype) * 8;
    psy_dtype_class class_ = psy__dtype_class(dtype);
    if (width == 0) {
        return false;
    }
    if (t->kind == PSY_TOKEN_BITS) {
        *bits = t->value;
        return width == 64 || t->value >> width == 0;
    }
    if (dtype == PSY_F32 || dtype == PSY_F64) {
        return (t->kind == PSY_TOKEN_INTEGER || t->kind == PSY_TOKEN_NUMBER) && read_float(t, dtype, bits);
    }
    if (t->kind != PSY_TOKEN_INTEGER || class_ == PSY_DCLASS_FLOAT) {
        return false;
    }
    uint64_t mask = UINT64_MAX >> (64 - width), half = UINT64_C(1) << (width - 1);
    *bits = (t->negative ? 0 - t->value : t->value) & mask;
    return class_ != PSY_DCLASS_SINT ? !t->negative && t->value <= mask : t->negative ? t->value <= half : t->value < half;
}
