/* SPDX-License-Identifier: Apache-2.0 */
/* Random types of messages, with everything that the language has, and random messages of them as JSON. The same seed gives the
 * same. */
#ifndef PSY_TESTS_MESSAGE_RANDOM_TYPES_H
#define PSY_TESTS_MESSAGE_RANDOM_TYPES_H

#include <psyne/reflect.h>

#include <stdio.h>

enum {
    RANDOM_TYPES = 24,
    RANDOM_TYPES_MAX = 128,
    RANDOM_FIELDS = 4096,
    RANDOM_STRINGS = 1 << 18,
    RANDOM_MESSAGE_BYTES = 16384
};

typedef struct random_types {
    uint64_t state;
    char strings[RANDOM_STRINGS];
    uint32_t strings_bytes;
    psy_psm_type types[RANDOM_TYPES_MAX];
    psy_psm_field fields[RANDOM_FIELDS];
    uint32_t type_count, field_count;
    uint32_t names; /* for fields that are called by number */
    psy_reflection reflection;
} random_types;

/* Types, of which each may have those before it inside; the last is a message. */
void random_types_make(random_types *g, uint64_t seed);

/* Those of other tables. */
void random_types_take(random_types *g, const psy_reflection *tables, uint64_t seed);

/* Message type `index` as it was in version `version`, in the place behind the last type; false: there was no such version. */
bool random_types_older(random_types *g, uint32_t index, uint32_t version);

/* JSON of a message of type `index`: every field or some of them, in any order. */
void random_message_write(random_types *g, uint32_t index, FILE *to);

uint64_t random_next(uint64_t *state);
uint32_t random_below(random_types *g, uint32_t n);

#endif
