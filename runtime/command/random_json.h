/* SPDX-License-Identifier: Apache-2.0 */
/* Random messages of any type, as JSON, by the tables of the type: requests for a service about which nothing else is known.
 * The same seed gives the same. Numbers are of their whole type, floats in [-1, 1); arrays, texts and tails have from nothing
 * to what they may have, or 16; what may be missing is there three times of four.
 *
 *   psy__settings_add(&settings, &type, "k=1..64");         // exits with 2 where the type has no such field
 *   psy__random_json_write(&type, &settings, &state, to);
 */
#ifndef PSY_COMMAND_RANDOM_JSON_H
#define PSY_COMMAND_RANDOM_JSON_H

#include <stdio.h>

#include <psyne/reflect.h>

enum { PSY_SETTINGS_MAX = 64 };

/* What fields are to be: a value as JSON, a text without its quotes, or FIRST..LAST for whole numbers between. Those in parts
 * and unions are named with dots, those in the elements of an array like those of one of them. */
typedef struct psy__setting {
    const char *path, *value; /* the path ends with '=' */
    size_t path_bytes;
} psy__setting;

typedef struct psy__settings {
    psy__setting at[PSY_SETTINGS_MAX];
    unsigned count;
} psy__settings;

/* `text`, "field=value", outlives the settings. A text that is none, or names no field, ends the program. */
void psy__settings_add(psy__settings *s, const psy_type *type, const char *text);

void psy__random_json_write(const psy_type *type, const psy__settings *settings, uint64_t *state, FILE *to);

#endif
