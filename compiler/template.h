/* SPDX-License-Identifier: Apache-2.0 */
/* Text templates: sections that start with a line "@@ NAME", in which @{KEY} is replaced. The files in templates/ are embedded
 * when psynec is built. */
#ifndef PSC_TEMPLATE_H
#define PSC_TEMPLATE_H

#include <stdio.h>

typedef struct psc_pair {
    const char *key, *value;
} psc_pair;

extern const char psc_template_c[], psc_template_explain[], psc_template_fuzz[], psc_template_glsl[], psc_template_header[],
    psc_template_header_access[], psc_template_header_read[], psc_template_header_verify[], psc_template_project[];

/* Writes the section with its keys replaced, those of `pairs` (ended by a NULL key). A section or key that does not exist is a
 * bug: abort. */
void psc_template_write(const char *text, const char *section, const psc_pair *pairs, FILE *to);

#endif
