/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of random tokens, the same for the same `soup_state`. */
#ifndef PSY_TESTS_FUZZ_SOUP_H
#define PSY_TESTS_FUZZ_SOUP_H

#include <stddef.h>
#include <stdint.h>

enum { INPUT_BYTES_MAX = 16 << 10 };

typedef struct soup_input {
    uint8_t *bytes; /* INPUT_BYTES_MAX */
    size_t n;
} soup_input;

extern uint64_t soup_state;

/* Below `n`. */
size_t soup_pick(size_t n);
/* A token of one of the languages. */
const char *soup_word(void);
/* As much as there is room for. */
void soup_insert(soup_input *in, size_t at, const uint8_t *bytes, size_t n);
void soup_tokens(soup_input *in);
/* A program whose values are random expressions, few of them right. */
void soup_expressions(soup_input *in);

#endif
