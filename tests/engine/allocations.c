/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/engine/allocations.h"

#include <stdatomic.h>
#include <stddef.h>

static _Atomic uint64_t asked, given, freed;

uint64_t allocations_count(void) { return asked; }
int64_t allocations_alive(void) { return (int64_t)(given - freed); }

static void *count(void *p)
{
    asked++;
    given += p != NULL;
    return p;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t each);
void *__real_aligned_alloc(size_t align, size_t n);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t each);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

void *__wrap_malloc(size_t n) { return count(__real_malloc(n)); }
void *__wrap_calloc(size_t n, size_t each) { return count(__real_calloc(n, each)); }
void *__wrap_aligned_alloc(size_t align, size_t n) { return count(__real_aligned_alloc(align, n)); }

void *__wrap_realloc(void *p, size_t n)
{
    void *q = __real_realloc(p, n);
    asked++;
    given += q != NULL && p == NULL;
    return q;
}

void __wrap_free(void *p)
{
    freed += p != NULL;
    __real_free(p);
}
