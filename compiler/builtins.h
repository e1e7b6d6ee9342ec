/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that the language brings along. Elementwise ones of one operand are the MAP1 rows of ops.def under their own
 * names; casts are the names of dtypes; the rest is here. */
#ifndef PSC_BUILTINS_H
#define PSC_BUILTINS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum psc_builtin {
    PSC_NO_BUILTIN,
    PSC_MAP1, /* op: a row of ops.def */
    PSC_CAST, /* dtype */
    PSC_MIN,
    PSC_MAX,
    PSC_SUM,
    PSC_MEAN,
    PSC_DOT,
    PSC_NORM,
    PSC_TOPK,
    PSC_SIZE,
    PSC_RELU,
    PSC_SIGMOID
} psc_builtin;

/* `detail` is the op (PSC_MAP1) or dtype (PSC_CAST). */
psc_builtin psc_builtin_find(const char *name, unsigned *detail);
/* Names for "did you mean": up to `room`. */
size_t psc_builtin_names(const char **names, size_t room);

#endif
