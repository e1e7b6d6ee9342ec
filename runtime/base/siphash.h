/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), 64-bit result. Keyed: routing and request
 * ids under the service's salt. Zero key: layout and module hashes, which are identities and not secrets. */
#ifndef PSY_BASE_SIPHASH_H
#define PSY_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t psy__siphash(const uint64_t key[2], const void *bytes, size_t n);

/* The same, for input that comes in pieces. */
typedef struct psy__siphash_state {
    uint64_t v[4], tail, n;
} psy__siphash_state;
void psy__siphash_init(psy__siphash_state *s, const uint64_t key[2]);
void psy__siphash_update(psy__siphash_state *s, const void *bytes, size_t n);
uint64_t psy__siphash_final(psy__siphash_state *s);

#endif
