/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that grows in place: more address space than it needs, of which only the front has pages.
 *
 *   psy__region_open(&region, bytes, "resident words");   // zeroed
 *   psy__region_grow(&region, more)                       // true: the same address, `more` bytes of it
 *   while (psy__region_shrink(&region, 16 << 20)) { ... } // gives back some at a time
 *   psy__region_close(&region);
 *
 * Thread safety: one thread at a time.
 */
#ifndef PSY_SERVICE_REGION_H
#define PSY_SERVICE_REGION_H

#include <stdbool.h>
#include <stdint.h>

#include <psyne/status.h>

typedef struct psy__region {
    uint8_t *at;                  /* NULL: none */
    uint64_t bytes;               /* that may be used */
    uint64_t committed, reserved; /* in whole pages */
} psy__region;

/* At least one page, zeroed; `whose` is for the detail. NO_MEMORY. Allocates. */
PSY_NODISCARD psy_status psy__region_open(psy__region *region, uint64_t bytes, const char *whose);
/* More of it, zeroed where nobody wrote yet: true, or false where there is no room behind it. What is there stays. */
bool psy__region_grow(psy__region *region, uint64_t bytes);
/* Unmaps up to `bytes` from its end: returns what is left. */
uint64_t psy__region_shrink(psy__region *region, uint64_t bytes);
/* One that is all zeroes is allowed. */
void psy__region_close(psy__region *region);

#endif
