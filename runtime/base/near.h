/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": which of some words is nearest to one that is none of them. */
#ifndef PSY_BASE_NEAR_H
#define PSY_BASE_NEAR_H

#include <stdbool.h>
#include <stddef.h>

/* The candidate that is the fewest edits (insert, delete, replace, swap of neighbours; case does not count) from `name`, about
 * a third of its length at most; NULL: none is. *only: no other is as near. */
const char *psy__nearest(const char *name, const char *const *candidates, size_t count, bool *only);

#endif
