/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/strings.h"

#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"

static const uint64_t zero_key[2] = {0, 0};

static psy_status no_memory(void) { return psy_fail(PSY_NO_MEMORY, "no memory for a module's strings"); }

psy_status psy__strings_init(psy__strings *s)
{
    *s = (psy__strings){.n = 1, .capacity = 1024, .mask = 255};
    s->bytes = calloc(1, s->capacity);
    s->table = calloc(s->mask + 1u, sizeof *s->table);
    if (!s->bytes || !s->table) {
        psy__strings_fini(s);
        return no_memory();
    }
    return PSY_OK;
}

void psy__strings_fini(psy__strings *s)
{
    free(s->bytes);
    free(s->table);
    *s = (psy__strings){0};
}

/* Where the string is in the table, or the free place for it. */
static uint32_t find(const psy__strings *s, const char *text, size_t n)
{
    uint32_t i = (uint32_t)psy__siphash(zero_key, text, n) & s->mask;
    for (;; i = (i + 1) & s->mask) {
        uint32_t at = s->table[i];
        if (at == 0 || (n < s->n - at && memcmp(s->bytes + at, text, n) == 0 && s->bytes[at + n] == '\0')) {
            return i;
        }
    }
}

static psy_status grow_table(psy__strings *s)
{
    psy__strings bigger = *s;
    bigger.mask = s->mask * 2 + 1;
    bigger.table = calloc(bigger.mask + 1u, sizeof *bigger.table);
    if (!bigger.table) {
        return no_memory();
    }
    for (uint32_t i = 0; i <= s->mask; i++) {
        if (s->table[i] != 0) {
            const char *text = s->bytes + s->table[i];
            bigger.table[find(&bigger, text, strlen(text))] = s->table[i];
        }
    }
    free(s->table);
    *s = bigger;
    return PSY_OK;
}

psy_status psy__strings_add(psy__strings *s, const char *text, size_t n, uint32_t *at)
{
    *at = 0;
    if (n == 0) {
        return PSY_OK;
    }
    uint32_t i = find(s, text, n);
    if (s->table[i] != 0) {
        *at = s->table[i];
        return PSY_OK;
    }
    if (n >= PSY_STRINGS_BYTES_MAX - s->n) {
        return psy_fail(PSY_TOO_LARGE, "the module's strings grow over %d bytes", PSY_STRINGS_BYTES_MAX);
    }
    uint32_t capacity = s->capacity;
    while (capacity - s->n <= n) {
        capacity *= 2;
    }
    if (capacity != s->capacity) {
        char *bytes = realloc(s->bytes, capacity);
        if (!bytes) {
            return no_memory();
        }
        s->bytes = bytes;
        s->capacity = capacity;
    }
    *at = s->n;
    memcpy(s->bytes + s->n, text, n);
    s->bytes[s->n + n] = '\0';
    s->n += (uint32_t)n + 1;
    s->table[i] = *at;
    return ++s->count > s->mask / 2 ? grow_table(s) : PSY_OK;
}
