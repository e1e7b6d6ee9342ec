/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in JSON that commands print. */
#ifndef PSY_COMMAND_JSON_TEXT_H
#define PSY_COMMAND_JSON_TEXT_H

#include <stdio.h>

/* The text between quotes, with what must be escaped so. It is UTF-8. */
void psy__json_text(FILE *to, const char *text);

#endif
