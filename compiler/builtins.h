/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that the language brings along: builtins.def, the elementwise rows of ops.def with one operand, and the names
 * of dtypes, which cast. */
#ifndef PSC_BUILTINS_H
#define PSC_BUILTINS_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"

bool psc_builtin_exists(const char *name);
/* Names for "did you mean": up to `room`. */
size_t psc_builtin_names(const char **names, size_t room);
/* The names of the arguments that are given by name, separated by spaces; empty where there is no such function. */
const char *psc_builtin_arguments(const char *name);
/* For editors: "sum(x, axis:, keep:)", and a sentence about it. False: there is no such function. */
bool psc_builtin_describe(psc_arena *arena, const char *name, const char **signature, const char **text);

#endif
