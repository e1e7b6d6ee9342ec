/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <string.h>

struct psc_names {
    const char *name;
    void *meaning;
    psc_names *children[4];
};

static uint64_t hash_of(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (const char *c = name; *c; c++) {
        h = (h ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    }
    return h ^ h >> 32;
}

void *psc_names_find(const psc_names *names, const char *name)
{
    uint64_t h = names ? hash_of(name) : 0;
    for (; names && strcmp(names->name, name) != 0; h >>= 2) {
        names = names->children[h & 3];
    }
    return names ? names->meaning : NULL;
}

void **psc_names_add(psc_arena *arena, psc_names **names, const char *name)
{
    for (uint64_t h = hash_of(name); *names && strcmp((*names)->name, name) != 0; h >>= 2) {
        names = &(*names)->children[h & 3];
    }
    if (!*names) {
        *names = psc_new(arena, psc_names);
        (*names)->name = name;
    }
    return &(*names)->meaning;
}
