/* SPDX-License-Identifier: Apache-2.0 */
/* The STRINGS section while it grows: an empty string, then every string once, in the order of first use. */
#ifndef PSY_ISA_STRINGS_H
#define PSY_ISA_STRINGS_H

#include <stddef.h>
#include <stdint.h>

#include <psyne/status.h>

enum { PSY_STRINGS_BYTES_MAX = 1 << 24 };

typedef struct psy__strings {
    char *bytes;
    uint32_t n, capacity;
    uint32_t *table; /* open addressing: offsets of strings, 0 = free (the empty string needs no place) */
    uint32_t count, mask;
} psy__strings;

/* NO_MEMORY. */
PSY_NODISCARD psy_status psy__strings_init(psy__strings *s);
void psy__strings_fini(psy__strings *s);

/* The offset of the `n` bytes at `text` (no NUL among them), which are added if they are new. NO_MEMORY, TOO_LARGE. */
PSY_NODISCARD psy_status psy__strings_add(psy__strings *s, const char *text, size_t n, uint32_t *at);

#endif
