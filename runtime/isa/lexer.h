/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of assembly text (.hra), and its exact literals.
 *
 *   // to the end of the line       comment
 *   nearest.Query#partial           name: a letter or _, then letters, digits, _ . #
 *   %12                             register
 *   17  -17                         integer
 *   1.5  -0x1.8p-3                  number: decimal, or hexadecimal (exact)
 *   #7fc00000                       bits: of an element, as an unsigned number
 *   "text"                          string: UTF-8, with \" \\ \n \t
 *   -> == >= <= and single characters
 */
#ifndef PSY_ISA_LEXER_H
#define PSY_ISA_LEXER_H

#include "isa/module.h"

typedef enum psy__token_kind {
    PSY_TOKEN_END,
    PSY_TOKEN_NAME,
    PSY_TOKEN_REGISTER,
    PSY_TOKEN_INTEGER,
    PSY_TOKEN_NUMBER,
    PSY_TOKEN_BITS,
    PSY_TOKEN_STRING,
    PSY_TOKEN_ARROW,
    PSY_TOKEN_EQ,
    PSY_TOKEN_GE,
    PSY_TOKEN_LE,
    PSY_TOKEN_SIGN,
    PSY_TOKEN_BAD
} psy__token_kind;

typedef struct psy__token {
    psy__token_kind kind;
    const char *at; /* in the text; of a STRING: between the quotes */
    size_t n;
    uint32_t line, column; /* from 1; columns in bytes */
    uint64_t value;        /* REGISTER, BITS; INTEGER: without its sign */
    bool negative;         /* INTEGER */
    const char *bad;       /* BAD: what is wrong */
} psy__token;

typedef struct psy__lexer {
    const char *at, *end, *line_start;
    uint32_t line;
} psy__lexer;

void psy__lexer_init(psy__lexer *lexer, const char *text, size_t n);
psy__token psy__lexer_next(psy__lexer *lexer);

/* Whether `text` may stand for itself: the names of a module are such. */
bool psy__is_name(const char *text, size_t n);

enum { PSY_LITERAL_BYTES = 40 };
/* The element of `dtype` with these bits, as text that gives the same bits again: whole numbers plainly, other floats in
 * hexadecimal. */
void psy__literal_print(char out[PSY_LITERAL_BYTES], unsigned dtype, uint64_t bits);
/* The bits of a literal. False: no such value in this dtype. */
bool psy__literal_read(const psy__token *token, unsigned dtype, uint64_t *bits);

#endif
