/* SPDX-License-Identifier: Apache-2.0 */
/* One input through the compiler, or into the runtime, in process: any bytes end in an output or in diagnostics. What must hold
 * for all inputs is checked here and aborts with a message; the fuzz drivers and the test share it. */
#ifndef PSY_TESTS_FUZZ_FUZZ_H
#define PSY_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* MODULE: a module's bytes, whose length and hash are mended; or assembly, a NUL, and changes of the module that is made of it,
 * five bytes each: where (u32), and what the byte there is combined with (exclusive or). */
typedef enum fuzz_kind { FUZZ_SCHEMA, FUZZ_PROGRAM, FUZZ_ASSEMBLY, FUZZ_MODULE, FUZZ_WEIGHTS, FUZZ_KINDS } fuzz_kind;

/* Imports are looked for in `imports`, folders with colons between. Whether the input was accepted. */
bool fuzz_one(fuzz_kind kind, const char *imports, const uint8_t *bytes, size_t n);

/* ---- between the files of this folder ---- */
_Noreturn void fuzz_broken(const char *what, const char *detail);
/* The module is one that decodes: its text gives the same bytes, and its programs run. */
void fuzz_check_module(const uint8_t *bytes, uint64_t n);
/* Whether the module decodes, after mending; then it is checked. */
bool fuzz_module(const uint8_t *bytes, size_t n);
/* Whether a tensor of the file can be read. */
bool fuzz_weights(const uint8_t *bytes, size_t n);

#endif
