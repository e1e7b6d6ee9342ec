/* SPDX-License-Identifier: Apache-2.0 */
/* Modules in which something is changed, and what decoding says of them. */
#ifndef PSY_TESTS_ISA_FORGE_H
#define PSY_TESTS_ISA_FORGE_H

#include "sample.h"

static inline psy_status decode(const uint8_t *bytes, uint64_t n, psy__module *m)
{
    return psy__module_decode(bytes, n, PSY_TRUST_NATIVE, m);
}

static inline void expect(const char *name, psy_status status, psy_status wanted, const char *detail)
{
    cr_assert(status == wanted, "%s gives %s: %s", name, psy_status_name(status), status ? psy_detail() : "");
    cr_assert(strstr(psy_detail(), detail) != NULL, "%s\n  says  %s\n  wants %s", name, psy_detail(), detail);
}

static inline psy_psm_section *section(uint8_t *bytes, psy_psm_kind kind)
{
    psy_psm_header *h = (psy_psm_header *)bytes;
    psy_psm_section *s = (psy_psm_section *)(bytes + sizeof *h);
    for (uint32_t i = 0; i < h->section_count; i++) {
        if (s[i].kind == (uint32_t)kind) {
            return &s[i];
        }
    }
    cr_assert_fail("no section %d", kind);
    return NULL;
}

/* What a plain field of no part has. */
#define PLAIN .inner = 1, .inner_offset = PSY_NONE, .parent = PSY_NONE, .type = PSY_NONE

#endif
