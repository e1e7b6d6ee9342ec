/* SPDX-License-Identifier: Apache-2.0 */
/* Text of messages: whether bytes are UTF-8 (RFC 3629), and copies of what is. Most text is ASCII, so that is looked at eight
 * bytes at a time; everything else one character at a time. Every function stays within the bytes, whatever they are and
 * whoever writes them meanwhile. */
#ifndef PSYNE_UTF8_H
#define PSYNE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How many of the `n` bytes at `at` make the first character: 1 to 4, or 0 where there is none, or what is there is no UTF-8
 * (overlong, a surrogate, above U+10FFFF, or cut off). */
static inline size_t psy_utf8_character(const unsigned char *at, size_t n)
{
    const unsigned first = n > 0 ? *(const volatile unsigned char *)at : 0xff;
    const size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    unsigned least = first == 0xe0   ? 0xa0
                     : first == 0xf0 ? 0x90
                                     : 0x80,
             most = first == 0xed   ? 0x9f
                    : first == 0xf4 ? 0x8f
                                    : 0xbf;
    size_t i;
    if (size > n) {
        return 0;
    }
    for (i = 1; i < size; i++, least = 0x80, most = 0xbf) {
        if (at[i] < least || at[i] > most) {
            return 0;
        }
    }
    return size;
}

static inline uint64_t psy__utf8_load8(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint32_t psy__utf8_load4(const unsigned char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Bits of all of the `n` bytes, of which those at 0x80 say whether one is no ASCII. 8 <= n <= 32: words that overlap. */
static inline uint64_t psy__utf8_bits(const unsigned char *at, size_t n)
{
    const uint64_t ends = psy__utf8_load8(at) | psy__utf8_load8(at + n - 8);
    return n <= 16 ? ends : ends | psy__utf8_load8(at + 8) | psy__utf8_load8(at + n - 16);
}

/* The same of less than 8. */
static inline uint64_t psy__utf8_bits_few(const unsigned char *at, size_t n)
{
    return n >= 4 ? psy__utf8_load4(at) | psy__utf8_load4(at + n - 4) : n > 0 ? (uint64_t)(at[0] | at[n / 2] | at[n - 1]) : 0;
}

#define PSY__UTF8_HIGH UINT64_C(0x8080808080808080)

/* What is longer, or no ASCII, is looked at elsewhere, so that what is short needs little code. */
#if defined(__GNUC__)
#define PSY__APART __attribute__((noinline, unused))
#else
#define PSY__APART
#endif

/* Character by character, but for long runs of ASCII. */
PSY__APART static bool psy__utf8_valid_any(const unsigned char *at, size_t n)
{
    while (n > 0) {
        const unsigned char *const block = at;
        if (n >= 32 && (psy__utf8_bits(at, 32) & PSY__UTF8_HIGH) == 0) {
            at += 32;
            n -= 32;
            continue;
        }
        /* Where there was another character, there may be more. */
        do {
            const size_t size = psy_utf8_character(at, n);
            if (size == 0) {
                return false;
            }
            at += size;
            n -= size;
        } while (n > 0 && at - block < 32);
    }
    return true;
}

/* Whether the `n` bytes are UTF-8. */
static inline bool psy_utf8_valid(const void *text, size_t n)
{
    const unsigned char *at = (const unsigned char *)text;
    if (n <= 32 && ((n >= 8 ? psy__utf8_bits(at, n) : psy__utf8_bits_few(at, n)) & PSY__UTF8_HIGH) == 0) {
        return true;
    }
    return psy__utf8_valid_any(at, n);
}

PSY__APART static bool psy__utf8_copy_any(void *to, const void *text, size_t n)
{
    if (!psy_utf8_valid(text, n)) {
        return false;
    }
    if (n > 0) {
        memcpy(to, text, n);
    }
    return true;
}

/* Copies the `n` bytes of text to `to`, where there is room for them. False, and nothing is written: they are no UTF-8. Short
 * text, as most is, is read once and written once. */
static inline bool psy_utf8_copy(void *to, const void *text, size_t n)
{
    const unsigned char *at = (const unsigned char *)text;
    unsigned char *out = (unsigned char *)to;
    uint64_t first, second, third, last;
    if (n < 8 || n > 32) {
        return psy__utf8_copy_any(to, text, n);
    }
    first = psy__utf8_load8(at);
    last = psy__utf8_load8(at + n - 8);
    if (n <= 16) {
        if (((first | last) & PSY__UTF8_HIGH) != 0) {
            return psy__utf8_copy_any(to, text, n);
        }
    } else {
        second = psy__utf8_load8(at + 8);
        third = psy__utf8_load8(at + n - 16);
        if (((first | second | third | last) & PSY__UTF8_HIGH) != 0) {
            return psy__utf8_copy_any(to, text, n);
        }
        memcpy(out + 8, &second, 8);
        memcpy(out + n - 16, &third, 8);
    }
    memcpy(out, &first, 8);
    memcpy(out + n - 8, &last, 8);
    return true;
}

#ifdef __cplusplus
}
#endif
#endif
