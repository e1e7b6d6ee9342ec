/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/header_text.h"

#include <string.h>

void psy__header_skip_blanks(psy__header_text *text)
{
    while (text->at < text->end && *text->at && strchr(" \n\t\r", *text->at)) {
        text->at++;
    }
}

bool psy__header_accept(psy__header_text *text, char c)
{
    psy__header_skip_blanks(text);
    bool here = text->at < text->end && *text->at == c;
    text->at += here;
    return here;
}

bool psy__header_accept_word(psy__header_text *text, const char *word)
{
    size_t n = strlen(word);
    psy__header_skip_blanks(text);
    if ((size_t)(text->end - text->at) < n || memcmp(text->at, word, n) != 0) {
        return false;
    }
    text->at += n;
    return true;
}

bool psy__header_number(psy__header_text *text, uint64_t *out, bool *any)
{
    psy__header_skip_blanks(text);
    const char *start = text->at;
    *out = 0;
    *any = false;
    for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
        *any = true;
        if (__builtin_mul_overflow(*out, UINT64_C(10), out) || __builtin_add_overflow(*out, (uint64_t)(*text->at - '0'), out)) {
            return false;
        }
    }
    return text->at > start;
}
