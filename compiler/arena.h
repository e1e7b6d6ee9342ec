/* SPDX-License-Identifier: Apache-2.0 */
/* Arena: memory that lives as long as one unit of work. No free; out of memory (or over the cap of 1 GiB) ends the program
 * with a message and exit status 3: a compiler has nothing better to do. Memory is zeroed. */
#ifndef PSC_ARENA_H
#define PSC_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

typedef struct psc_arena_chunk psc_arena_chunk;
typedef struct psc_arena {
    psc_arena_chunk *chunks;
    char *at, *end;
    size_t total;
} psc_arena;

void psc_arena_init(psc_arena *arena);
void psc_arena_fini(psc_arena *arena);
void *psc_alloc(psc_arena *arena, size_t bytes); /* aligned to 16, zeroed, never NULL */
char *psc_strndup(psc_arena *arena, const char *text, size_t n);
char *psc_format(psc_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *psc__format_va(psc_arena *arena, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

#define psc_new(arena, type) ((type *)psc_alloc((arena), sizeof(type)))

/* A growable array in an arena: PSC_LIST(T) list = {0}; psc_push(arena, &list, value); list.at[i], list.count */
#define PSC_LIST(type)                                                                                                         \
    struct {                                                                                                                   \
        type *at;                                                                                                              \
        size_t count, room;                                                                                                    \
    }
#define psc_push(arena, list, value)                                                                                           \
    ((list)->count == (list)->room ? (void)((list)->at = psc__grow((arena), (list)->at, &(list)->room, sizeof *(list)->at))    \
                                   : (void)0,                                                                                  \
     (list)->at[(list)->count++] = (value))
void *psc__grow(psc_arena *arena, void *at, size_t *room, size_t element_bytes);

#endif
