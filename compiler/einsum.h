/* SPDX-License-Identifier: Apache-2.0 */
/* einsum("ij,jk->ik", a, b): what the text says, with a place in it for everything that may be wrong. */
#ifndef PSC_EINSUM_H
#define PSC_EINSUM_H

#include "call.h"

/* A label is a letter's number, a to z and A to Z; those behind stand for the axes of `...`, the last axis last. A set of
 * labels is a bit for each. */
enum { PSC_EINSUM_OPERANDS_MAX = 8, PSC_EINSUM_LETTERS = 52, PSC_EINSUM_LABELS = PSC_EINSUM_LETTERS + PSY_RANK_MAX };

typedef struct psc_einsum_part {
    uint8_t labels[PSY_RANK_MAX]; /* letters */
    psc_span places[PSY_RANK_MAX];
    unsigned count;
    bool dots;        /* there is a `...` ... */
    unsigned dots_at; /* ... before that letter */
    psc_span span, dots_place;
} psc_einsum_part;

typedef struct psc_einsum_spec {
    psc_einsum_part operands[PSC_EINSUM_OPERANDS_MAX], result;
    unsigned count;
} psc_einsum_spec;

/* False: reported. */
bool psc_einsum_parse(psc_lowering *l, const hrm_expr *text, psc_einsum_spec *out);

#endif
