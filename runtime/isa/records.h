/* SPDX-License-Identifier: Apache-2.0 */
/* What the records of a decoded module must say, one by one and to each other. */
#ifndef PSY_ISA_RECORDS_H
#define PSY_ISA_RECORDS_H

#include "isa/module.h"

/* Every record but the code, of a module whose sections and strings are sound: names, indices, enumerations, reserved fields,
 * layouts, and that names differ. CORRUPT, NO_MEMORY. */
PSY_NODISCARD psy_status psy__records_check(const psy__module *m);

/* Source lines and kernels belong to places where an instruction starts, in programs that are verified. CORRUPT, NO_MEMORY. */
PSY_NODISCARD psy_status psy__places_check(const psy__module *m);

#endif
