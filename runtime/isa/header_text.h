/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a file's header (.npy, .safetensors), word by word. Files are strangers': nothing behind the end is looked at. */
#ifndef PSY_ISA_HEADER_TEXT_H
#define PSY_ISA_HEADER_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* What is left of it. */
typedef struct psy__header_text {
    const char *at, *end;
} psy__header_text;

void psy__header_skip_blanks(psy__header_text *text);
/* The character, behind blanks. */
bool psy__header_accept(psy__header_text *text, char c);
/* The word, behind blanks. */
bool psy__header_accept_word(psy__header_text *text, const char *word);
/* Digits, behind blanks. False: there are none, or (*any) the number does not fit into 64 bits. */
bool psy__header_number(psy__header_text *text, uint64_t *out, bool *any);

#endif
