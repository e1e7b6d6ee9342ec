/* SPDX-License-Identifier: Apache-2.0 */
/* Modules to test with: NAME.hra in this folder, canonical text that disassembling gives back. */
#ifndef PSY_TESTS_ISA_SAMPLE_H
#define PSY_TESTS_ISA_SAMPLE_H

#include "tests/test.h"

#include "base/siphash.h"
#include "isa/asm.h"

static const char *const sample_names[] = {"nearest", "elementwise", "moves", "messages", "variants", "types"};
enum { SAMPLES = sizeof sample_names / sizeof sample_names[0] };

/* NUL-terminated; the caller frees. */
static inline char *sample_text(const char *name, size_t *n)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/isa/%s.hra", PSY_SOURCE_DIR, name);
    FILE *f = fopen(path, "rb");
    cr_assert(f != NULL, "%s", path);
    char *text = malloc(65536);
    *n = fread(text, 1, 65535, f);
    text[*n] = '\0';
    fclose(f);
    return text;
}

/* An encoded and verified module; the caller frees. */
static inline uint8_t *sample_module(const char *name, uint64_t *n)
{
    size_t text_n;
    char *text = sample_text(name, &text_n);
    uint8_t *bytes = NULL;
    psy_status status = psy__assemble(text, text_n, &bytes, n);
    cr_assert(status == PSY_OK, "%s: %s", name, psy_detail());
    free(text);
    return bytes;
}

/* Makes the hash right again, so that a change reaches the checks behind it. */
static inline void sample_rehash(uint8_t *bytes, uint64_t n)
{
    static const uint64_t zero_key[2] = {0, 0};
    const size_t at = offsetof(psy_psm_header, hash);
    if (n >= sizeof(psy_psm_header)) {
        memset(bytes + at, 0, 8);
        uint64_t hash = psy__siphash(zero_key, bytes, n);
        memcpy(bytes + at, &hash, sizeof hash);
    }
}

/* Repeatable pseudo-random numbers (Marsaglia's xorshift64*). */
static inline uint64_t sample_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

#endif
