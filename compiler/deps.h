/* SPDX-License-Identifier: Apache-2.0 */
/* --deps: a rule for make, "outputs: sources", and an empty rule for each source, so that one that is gone does not stop make.
 */
#ifndef PSC_DEPS_H
#define PSC_DEPS_H

#include "output.h"
#include "source.h"

typedef PSC_LIST(const char *) psc_paths;

/* The text; the first `given` sources were named on the command line and get no empty rule. */
char *psc_deps_text(psc_arena *arena, const psc_outputs *outputs, const psc_paths *sources, size_t given, size_t *bytes);

#endif
