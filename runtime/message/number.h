/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as JSON text, both ways, whatever the locale is.
 *
 * Floats get the fewest digits that read back as the same bits (tried from what always survives up to what always suffices);
 * those that JSON has no number for are texts: "NaN", "Infinity", "-Infinity", and a NaN of other bits "NaN(0x7fc00001)". */
#ifndef PSY_MESSAGE_NUMBER_H
#define PSY_MESSAGE_NUMBER_H

#include <psyne/reflect.h>

enum { PSY_NUMBER_BYTES = 40, PSY_NUMBER_TEXT_MAX = 1024 };

/* The element of `dtype` at `at` (at any address); how many bytes. */
size_t psy__number_print(char out[PSY_NUMBER_BYTES], unsigned dtype, const void *at);

/* The `n` bytes of a JSON number, true or false, or, where `quoted`, what stands between the quotes of a text. NULL, and the
 * element is written to `to`; else what was wanted instead ("a number from 0 to 255"). */
const char *psy__number_read(const char *text, size_t n, bool quoted, unsigned dtype, void *to);

/* The bits of an element, as an unsigned number. */
uint64_t psy__number_bits(unsigned dtype, const void *at);

#endif
