/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what the program's own code allocates. The linker sends calls of the malloc family here (-Wl,--wrap), those of shared
 * libraries excepted. Thread safety: any number of threads. */
#ifndef PSY_TESTS_ENGINE_ALLOCATIONS_H
#define PSY_TESTS_ENGINE_ALLOCATIONS_H

#include <stdint.h>

uint64_t allocations_count(void); /* calls that asked for memory, so far */
int64_t allocations_alive(void);  /* blocks that were given out and not freed */

#endif
