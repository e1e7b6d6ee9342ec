/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes of programs: attributes.def says which there are. */
#ifndef PSC_ATTRIBUTES_H
#define PSC_ATTRIBUTES_H

#include "unit.h"

typedef enum psc_attribute_place { PSC_AT_PIPELINE, PSC_AT_LET } psc_attribute_place;

/* What they say; zeros where they say nothing. */
typedef struct psc_attributes {
    uint16_t max_batch;
    uint8_t engine; /* PSY_PREFER_* */
    bool materialize;
} psc_attributes;

/* Checks all of them; reports. */
psc_attributes psc_attributes_resolve(psc_unit *unit, const hrm_attributes *list, psc_attribute_place place);

/* For editors: attribute i of the place, with what it does; false: there are no more. */
bool psc_attribute_row(size_t i, psc_attribute_place place, const char **name, const char **example, const char **text);

#endif
