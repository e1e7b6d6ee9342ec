/* SPDX-License-Identifier: Apache-2.0 */
/* Text of any length, with anything but ASCII at any place, against the table of the standard; copies. */
#include <psyne/utf8.h>

#include "tests/test.h"

enum { LONGEST = 100 };

/* Table 3-7 of the Unicode standard: first byte, the bounds of the second; what follows is 80..BF. 0: not there. */
static const struct {
    uint8_t first, last, bytes, least, most;
} rows[] = {{0x00, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
            {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
            {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f}};

static bool expected(const uint8_t *at, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t r = 0, rest;
        while (r < sizeof rows / sizeof rows[0] && (at[i] < rows[r].first || at[i] > rows[r].last)) {
            r++;
        }
        if (r == sizeof rows / sizeof rows[0] || rows[r].bytes > n - i) {
            return false;
        }
        rest = rows[r].bytes - 1u;
        for (size_t k = 1; k <= rest; k++) {
            if (at[i + k] < (k == 1 ? rows[r].least : 0x80) || at[i + k] > (k == 1 ? rows[r].most : 0xbf)) {
                return false;
            }
        }
        i += 1 + rest;
    }
    return true;
}

/* A block of exactly `n` bytes, so that AddressSanitizer sees who looks further. */
static void check(const uint8_t *text, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1), *to = malloc(n + 2);
    const bool valid = expected(text, n);
    memcpy(exact, text, n);
    memset(to, 0x5a, n + 2);
    cr_assert_eq(psy_utf8_valid(exact, n), valid, "%zu bytes", n);
    cr_assert_eq(psy_utf8_copy(to + 1, exact, n), valid, "%zu bytes", n);
    for (size_t i = 0; i < n + 2; i++) {
        cr_assert_eq(to[i], valid && i > 0 && i <= n ? text[i - 1] : 0x5a, "byte %zu of %zu", i, n);
    }
    free(exact);
    free(to);
}

Test(utf8, one_byte_at_every_place_of_every_length)
{
    uint8_t text[LONGEST];
    static const uint8_t odd[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc2, 0xed, 0xf4, 0xf5, 0xff};
    for (size_t n = 0; n <= LONGEST; n++) {
        memset(text, 'a', sizeof text);
        check(text, n);
        for (size_t i = 0; i < n; i++) {
            for (size_t o = 0; o < sizeof odd; o++) {
                text[i] = odd[o];
                check(text, n);
            }
            text[i] = 'a';
        }
    }
}

Test(utf8, every_start_of_a_character)
{
    static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    uint8_t text[48];
    memset(text, 'x', sizeof text);
    /* Two bytes, all of them; then two more at the edges. */
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            text[0] = (uint8_t)a;
            text[1] = (uint8_t)b;
            cr_assert_eq(psy_utf8_valid(text, 2), expected(text, 2), "%02x %02x", a, b);
            for (size_t c = 0; a >= 0xe0 && c < sizeof edges; c++) {
                text[2] = edges[c];
                cr_assert_eq(psy_utf8_valid(text, 3), expected(text, 3), "%02x %02x %02x", a, b, edges[c]);
                for (size_t d = 0; a >= 0xf0 && d < sizeof edges; d++) {
                    text[3] = edges[d];
                    cr_assert_eq(psy_utf8_valid(text, 4), expected(text, 4), "%02x %02x %02x %02x", a, b, edges[c], edges[d]);
                    cr_assert_eq(psy_utf8_valid(text, 40), expected(text, 40));
                }
                text[3] = 'x';
            }
            text[2] = 'x';
        }
    }
}

Test(utf8, characters_of_every_length_at_every_place)
{
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\xa0\x80" /* a surrogate */,
                                             "\xc0\x80" /* too long */};
    uint8_t text[LONGEST];
    for (size_t c = 0; c < sizeof characters / sizeof characters[0]; c++) {
        const size_t bytes = strlen(characters[c]);
        for (size_t n = bytes; n <= LONGEST; n++) {
            for (size_t i = 0; i + bytes <= n; i++) {
                memset(text, 'b', sizeof text);
                memcpy(text + i, characters[c], bytes);
                check(text, n);
                check(text, i + bytes - 1); /* cut off */
            }
        }
        /* Nothing else. */
        for (size_t n = 0; n <= LONGEST; n++) {
            for (size_t i = 0; i < n; i++) {
                text[i] = (uint8_t)characters[c][i % bytes];
            }
            check(text, n);
        }
    }
}
