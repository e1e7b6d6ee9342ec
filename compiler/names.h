/* SPDX-License-Identifier: Apache-2.0 */
/* What names stand for: a tree that is searched by the bits of a name's hash, two at a time. An empty one is NULL, so a scope
 * is a pointer, and leaving it is forgetting the pointer.
 *
 *   psc_names *scope = NULL;
 *   *psc_names_add(arena, &scope, "x") = &term;
 *   const psc_term *t = psc_names_find(scope, "x");
 */
#ifndef PSC_NAMES_H
#define PSC_NAMES_H

#include "arena.h"

typedef struct psc_names psc_names;

/* What the name stands for; NULL: nothing. */
void *psc_names_find(const psc_names *names, const char *name);
/* Where to write what the name stands for: NULL is there when it is new. The name must live as long as the arena. */
void **psc_names_add(psc_arena *arena, psc_names **names, const char *name);

#endif
