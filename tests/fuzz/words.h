/* SPDX-License-Identifier: Apache-2.0 */
/* Every word that the languages know: taken from the lexers, the assembler, and the tables of operations, dtypes and functions,
 * with some numbers and signs that are near a limit. */
#ifndef PSY_TESTS_FUZZ_WORDS_H
#define PSY_TESTS_FUZZ_WORDS_H

#include <stddef.h>

size_t words_count(void);
const char *words_at(size_t i); /* below words_count() */

#endif
