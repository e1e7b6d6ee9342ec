/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled modules (.psm): what psynec makes of a .hrm file.
 *
 *   psy_module *module;
 *   if (psy_module_open("gen/nearest.psm", &module) != PSY_OK)
 *       fprintf(stderr, "%s\n", psy_detail());
 *   ...
 *   psy_module_close(module);
 *
 * A module is verified when it is opened: malformed bytes are refused with CORRUPT and never run.
 * Thread safety: a module is immutable and may be shared by any number of brokers and workers. They hold what they use: it may
 * be closed while they serve it.
 */
#ifndef PSYNE_MODULE_H
#define PSYNE_MODULE_H

#include <stddef.h>
#include <stdint.h>

#include <psyne/reflect.h>
#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct psy_module psy_module;

/* A module under a name and a version, as a service has it: doc/programs.md. */
typedef struct psy_program {
    const psy_module *module;
    const char *name; /* 1 to 63 of a-z, 0-9, _ and -; NULL = "main" */
    uint32_t version; /* from 1; 0: one more than the highest of that name, from 1 */
    int replace;      /* takes the place of the older versions of that name: they go once this one serves */
} psy_program;

/* Reads and verifies a module file that the operator named: its native kernels may be used. The caller closes it.
 * IO (names the file and the error), CORRUPT, VERSION (names both), TOO_LARGE (over 256 MiB), NO_MEMORY. Blocks on the file;
 * allocates. */
PSY_NODISCARD psy_status psy_module_open(const char *path, psy_module **out);

/* The same from `n` bytes, which are copied. Native kernels are dropped: only bytecode runs. CORRUPT, VERSION, TOO_LARGE,
 * NO_MEMORY. Allocates. */
PSY_NODISCARD psy_status psy_module_copy(const void *bytes, size_t n, psy_module **out);

/* NULL is allowed. */
void psy_module_close(psy_module *module);

/* Identity of the module's bytes: brokers and workers compare it. */
uint64_t psy_module_hash(const psy_module *module);

/* Names, in the module's order; NULL past the end. Owned by the module. */
const char *psy_module_pipeline(const psy_module *module, uint32_t index);
const char *psy_module_resident(const psy_module *module, uint32_t index);

/* What the module says of the types of messages; psy_reflect_find finds one. Owned by the module: types that were found in it
 * must not be used after it is closed. */
const psy_reflection *psy_module_reflection(const psy_module *module);

#ifdef __cplusplus
}
#endif
#endif
