/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), 64-bit result. Keyed: routing and request
 * ids under the service's salt. Zero key: layout and module hashes, which are identities and not secrets. */
#ifndef PSY_BASE_SIPHASH_H
#define PSY_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t psy__sip_rotate(uint64_t x, unsigned by) { return (x << by) | (x >> (64 - by)); }

static inline void psy__sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = psy__sip_rotate(v[1], 13);
    v[1] ^= v[0];
    v[0] = psy__sip_rotate(v[0], 32);
    v[2] += v[3];
    v[3] = psy__sip_rotate(v[3], 16);
    v[3] ^= v[2];
    v[0] += v[3];
    v[3] = psy__sip_rotate(v[3], 21);
    v[3] ^= v[0];
    v[2] += v[1];
    v[1] = psy__sip_rotate(v[1], 17);
    v[1] ^= v[2];
    v[2] = psy__sip_rotate(v[2], 32);
}

static inline void psy__sip_absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    psy__sip_round(v);
    psy__sip_round(v);
    v[0] ^= word;
}

static inline void psy__sip_begin(uint64_t v[4], const uint64_t key[2])
{
    v[0] = key[0] ^ UINT64_C(0x736f6d6570736575);
    v[1] = key[1] ^ UINT64_C(0x646f72616e646f6d);
    v[2] = key[0] ^ UINT64_C(0x6c7967656e657261);
    v[3] = key[1] ^ UINT64_C(0x7465646279746573);
}

static inline uint64_t psy__sip_end(uint64_t v[4])
{
    v[2] ^= 0xff;
    psy__sip_round(v);
    psy__sip_round(v);
    psy__sip_round(v);
    psy__sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Of the eight bytes of a word, where it is hashed for every message. */
static inline uint64_t psy__siphash_word(const uint64_t key[2], uint64_t word)
{
    uint64_t v[4];
    psy__sip_begin(v, key);
    psy__sip_absorb(v, word);
    psy__sip_absorb(v, UINT64_C(8) << 56);
    return psy__sip_end(v);
}

uint64_t psy__siphash(const uint64_t key[2], const void *bytes, size_t n);

/* The same, for input that comes in pieces. */
typedef struct psy__siphash_state {
    uint64_t v[4], tail, n;
} psy__siphash_state;
void psy__siphash_init(psy__siphash_state *s, const uint64_t key[2]);
void psy__siphash_update(psy__siphash_state *s, const void *bytes, size_t n);
uint64_t psy__siphash_final(psy__siphash_state *s);

#endif
