/* SPDX-License-Identifier: Apache-2.0 */
/* What a psy_module is inside the library. */
#ifndef PSY_SERVICE_MODULE_FILE_H
#define PSY_SERVICE_MODULE_FILE_H

#include <stdatomic.h>

#include <psyne/module.h>

#include "isa/module.h"

struct psy_module {
    psy__module decoded;       /* points into bytes */
    psy_reflection reflection; /* of that */
    uint8_t *bytes;
    uint64_t n;
    _Atomic uint32_t held; /* by brokers and workers, beside who opened it */
};

/* Holds a module: it outlives its closing until psy_module_close was called once more. */
const psy_module *psy__module_hold(const psy_module *module);
static inline void psy__module_drop(const psy_module *module) { psy_module_close((psy_module *)(uintptr_t)module); }

/* A module from `n` bytes, which are copied. */
PSY_NODISCARD psy_status psy__module_copy(const void *bytes, size_t n, psy__trust trust, psy_module **out);

/* A module from the file that `peer` handed over, whatever that is: `n` bytes, which are copied before anything in them is
 * looked at; bytecode only. The descriptor stays the caller's. PROTOCOL (no file of that size), TOO_LARGE, CORRUPT, VERSION,
 * IO, NO_MEMORY. */
PSY_NODISCARD psy_status psy__module_receive(int fd, const char *peer, uint64_t n, psy_module **out);

/* Whether the module was compiled with native kernels, honoured or not. */
bool psy__module_has_native(const psy_module *module);

/* Index of the named pipeline or resident; PSY_NONE. */
uint32_t psy__module_find_pipeline(const psy__module *m, const char *name);
uint32_t psy__module_find_resident(const psy__module *m, const char *name);

/* Largest request, reply and partial record of all pipelines. */
void psy__module_extents(const psy__module *m, uint32_t *request_bytes, uint32_t *reply_bytes, uint64_t *partial_bytes);

#endif
