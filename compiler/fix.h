/* SPDX-License-Identifier: Apache-2.0 */
/* --fix: what diagnostics say can only be meant in one way is written into the files. */
#ifndef PSC_FIX_H
#define PSC_FIX_H

#include "diagnostic.h"
#include "output.h"

/* Adds the mended files to `outputs`, whose folder is not used. The number of fixes; 0: there is nothing to mend. Of two that
 * overlap, the first is made. */
unsigned psc_fix_all(psc_arena *arena, const psc_diagnostics *diags, psc_outputs *outputs);

#endif
