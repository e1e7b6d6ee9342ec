/* SPDX-License-Identifier: Apache-2.0 */
/* One input through the compiler, in process: any bytes end in an output or in diagnostics. What must hold for all inputs is
 * checked here and aborts with a message; the fuzz drivers and the test share it. */
#ifndef PSY_TESTS_FUZZ_FUZZ_H
#define PSY_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fuzz_kind { FUZZ_SCHEMA, FUZZ_PROGRAM, FUZZ_ASSEMBLY, FUZZ_KINDS } fuzz_kind;

/* Imports are looked for in `imports`. Whether the input was accepted. */
bool fuzz_one(fuzz_kind kind, const char *imports, const uint8_t *bytes, size_t n);

#endif
