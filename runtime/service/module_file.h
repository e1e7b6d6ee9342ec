/* SPDX-License-Identifier: Apache-2.0 */
/* What a psy_module is inside the library. */
#ifndef PSY_SERVICE_MODULE_FILE_H
#define PSY_SERVICE_MODULE_FILE_H

#include <psyne/module.h>

#include "isa/module.h"

struct psy_module {
    psy__module decoded;       /* points into bytes */
    psy_reflection reflection; /* of that */
    uint8_t *bytes;
    uint64_t n;
};

/* Index of the named pipeline or resident; PSY_NONE. */
uint32_t psy__module_find_pipeline(const psy__module *m, const char *name);
uint32_t psy__module_find_resident(const psy__module *m, const char *name);

/* Largest request, reply and partial record of all pipelines. */
void psy__module_extents(const psy__module *m, uint32_t *request_bytes, uint32_t *reply_bytes, uint64_t *partial_bytes);

#endif
