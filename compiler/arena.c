/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct psc_arena_chunk {
    psc_arena_chunk *next;
    _Alignas(16) char data[];
};

enum { CHUNK_BYTES = 256 << 10 };
static const size_t arena_bytes_max = (size_t)1 << 30;

static _Noreturn void no_memory(const char *why)
{
    fprintf(stderr, "psynec: %s\n", why);
    exit(3);
}

void psc_arena_init(psc_arena *arena) { *arena = (psc_arena){0}; }

void psc_arena_fini(psc_arena *arena)
{
    for (psc_arena_chunk *c = arena->chunks; c;) {
        psc_arena_chunk *next = c->next;
        free(c);
        c = next;
    }
    *arena = (psc_arena){0};
}

void *psc_alloc(psc_arena *arena, size_t bytes)
{
    if (bytes > arena_bytes_max) {
        no_memory("one object needs more than 1 GiB");
    }
    bytes = bytes ? (bytes + 15) & ~(size_t)15 : 16; /* nothing has a place of its own too */
    if ((size_t)(arena->end - arena->at) < bytes) {
        size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        if (arena->total + room > arena_bytes_max) {
            no_memory("the input needs more than 1 GiB of memory to compile");
        }
        psc_arena_chunk *c = calloc(1, sizeof *c + room);
        if (!c) {
            no_memory("out of memory");
        }
        c->next = arena->chunks;
        arena->chunks = c;
        arena->at = c->data;
        arena->end = c->data + room;
        arena->total += room;
    }
    void *at = arena->at;
    arena->at += bytes;
    return at;
}

char *psc_strndup(psc_arena *arena, const char *text, size_t n)
{
    char *copy = psc_alloc(arena, n + 1);
    memcpy(copy, text, n);
    return copy;
}

static char *format_va(psc_arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    char *text = psc_alloc(arena, n < 0 ? 1 : (size_t)n + 1);
    if (n >= 0) {
        vsnprintf(text, (size_t)n + 1, format, again);
    }
    va_end(again);
    return text;
}

char *psc_format(psc_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = format_va(arena, format, arguments);
    va_end(arguments);
    return text;
}

char *psc__format_va(psc_arena *arena, const char *format, va_list arguments) { return format_va(arena, format, arguments); }

void *psc__grow(psc_arena *arena, void *at, size_t *room, size_t element_bytes)
{
    size_t bigger = *room ? *room * 2 : 8;
    void *copy = psc_alloc(arena, bigger * element_bytes);
    if (*room) {
        memcpy(copy, at, *room * element_bytes);
    }
    *room = bigger;
    return copy;
}
