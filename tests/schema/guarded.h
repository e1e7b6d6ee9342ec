/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that ends where no page is: whoever reads or writes past it is stopped there. */
#ifndef TESTS_GUARDED_H
#define TESTS_GUARDED_H

#include <stdint.h>
#include <sys/mman.h>

enum { GUARD_PAGE = 4096 };

static inline size_t guarded_pages(size_t n) { return (n + GUARD_PAGE - 1) / GUARD_PAGE * GUARD_PAGE; }

/* `n` bytes, a multiple of 64, at one. */
static inline void *guarded_alloc(size_t n)
{
    const size_t pages = guarded_pages(n);
    uint8_t *at = mmap(NULL, pages + GUARD_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(at != MAP_FAILED && mprotect(at + pages, GUARD_PAGE, PROT_NONE) == 0);
    return at + pages - n;
}

static inline void guarded_free(void *at, size_t n)
{
    cr_assert_eq(munmap((uint8_t *)at + n - guarded_pages(n), guarded_pages(n) + GUARD_PAGE), 0);
}

#endif
