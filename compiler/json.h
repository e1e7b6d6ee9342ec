/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON: texts, and the commas between members.
 *
 *   psc_json j = {to};
 *   psc_json_open(&j, NULL, '{');
 *   psc_json_text(&j, "name", "nearest");
 *   psc_json_number(&j, "bytes", 64);
 *   psc_json_close(&j, '}');
 */
#ifndef PSC_JSON_H
#define PSC_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "source.h"

typedef struct psc_json {
    FILE *to;
    bool pretty; /* a member a line; else all in one */
    unsigned depth;
    bool comma; /* something stands before in what is open */
} psc_json;

/* `key` is NULL in lists. open: '{' or '['. */
void psc_json_open(psc_json *j, const char *key, char open);
void psc_json_close(psc_json *j, char close);
/* A NULL text is null. Bytes that are no text become U+FFFD. */
void psc_json_text(psc_json *j, const char *key, const char *text);
void psc_json_number(psc_json *j, const char *key, uint64_t number);
/* As it is: a number. */
void psc_json_raw(psc_json *j, const char *key, const char *text);
void psc_json_flag(psc_json *j, const char *key, bool flag);
/* file, line, column, end; nothing but a null file where there is no place. */
void psc_span_json(psc_json *j, psc_span span);

#endif
