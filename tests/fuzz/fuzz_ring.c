/* SPDX-License-Identifier: Apache-2.0 */
/* Rings among peers that lie: an input says a ring's shape, then what is called and what is scribbled over, in which order.
 * What must hold is checked by tests/mem/hostile.c. */
#include "tests/mem/hostile.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* No ring of these sizes keeps a call so long. */
static const uint64_t longest_ns = 2000000000;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    hostile h;
    script s = {.bytes = bytes, .n = n};
    if (n < 4) {
        return 0;
    }
    hostile_play(&s, &h);
    if (h.longest_ns > longest_ns) {
        fprintf(stderr, "fuzz: the call at byte %u took %llu ms\n", h.longest, (unsigned long long)(h.longest_ns / 1000000));
        abort();
    }
    return 0;
}
