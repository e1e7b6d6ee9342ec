/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of one type out of what the command line names: JSON, stored messages (any version of the type), and fields in .npy
 * files. All of it is read, and checked, before any message is used.
 *
 *   psy__source s = {0};
 *   psy__source_field(&s, "vector=queries.npy");                       // -i
 *   if (psy__source_read(&s, &type, paths, count) == PSY_OK) {
 *       for (uint64_t i = 0; i < s.count; i++) { ... psy__source_at(&s, i) ... }
 *   }
 *   psy__source_end(&s);
 */
#ifndef PSY_COMMAND_SOURCE_H
#define PSY_COMMAND_SOURCE_H

#include "command/command.h"

typedef struct psy__source_field psy__source_field;

typedef struct psy__source {
    psy_type type;
    uint64_t count;
    psy__room memory; /* count messages of type.bytes each */
    psy__source_field *fields;
    uint32_t field_count;
} psy__source;

/* All messages together have at most so many bytes. */
#define PSY_SOURCE_BYTES_MAX (UINT64_C(4) << 30)

/* "FIELD=FILE.npy"; anything else ends the program. */
void psy__source_add_field(psy__source *s, const char *value);
/* The messages of the files ("-": standard input), and the fields on top of them. Without files: standard input, or, where
 * there are fields, as many messages as those have, with defaults in all other fields. Details name the file. IO, CORRUPT,
 * VERSION, NOT_FOUND (no such field), INVALID (an array that does not fit its field), UNSUPPORTED, TOO_LARGE. */
PSY_NODISCARD psy_status psy__source_read(psy__source *s, const psy_type *type, char **paths, int count);
void psy__source_end(psy__source *s);

static inline const void *psy__source_at(const psy__source *s, uint64_t i) { return s->memory.at + i * s->type.bytes; }

/* The part of "NAME=FILE" before the `=`, in memory of its own, and where the file begins; else the program ends. */
char *psy__assignment(const char *option, const char *value, const char **file);

/* The field of this name that .npy files hold: numbers, arrays of numbers, variants. NOT_FOUND, UNSUPPORTED. `rank`: of one
 * message's elements; PSY_NONE: a variant's. */
PSY_NODISCARD psy_status psy__npy_field(const psy_type *type, const char *name, const psy_psm_field **field, uint32_t *rank);

#endif
