/* SPDX-License-Identifier: Apache-2.0 */
#include "base/siphash.h"

#include <string.h>

static inline uint64_t rotate(uint64_t x, unsigned by) { return (x << by) | (x >> (64 - by)); }

static inline void rounds(uint64_t v[4], unsigned count)
{
    while (count--) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13);
        v[1] ^= v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16);
        v[3] ^= v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21);
        v[3] ^= v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17);
        v[1] ^= v[2];
        v[2] = rotate(v[2], 32);
    }
}

static inline void absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
}

void psy__siphash_init(psy__siphash_state *s, const uint64_t key[2])
{
    s->v[0] = key[0] ^ UINT64_C(0x736f6d6570736575);
    s->v[1] = key[1] ^ UINT64_C(0x646f72616e646f6d);
    s->v[2] = key[0] ^ UINT64_C(0x6c7967656e657261);
    s->v[3] = key[1] ^ UINT64_C(0x7465646279746573);
    s->tail = 0;
    s->n = 0;
}

void psy__siphash_update(psy__siphash_state *s, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    while (n > 0) {
        if ((s->n & 7) == 0 && n >= 8) {
            uint64_t word;
            memcpy(&word, p, 8);
            absorb(s->v, word);
            p += 8;
            n -= 8;
            s->n += 8;
            continue;
        }
        s->tail |= (uint64_t)*p++ << (8 * (s->n & 7));
        n--;
        if ((++s->n & 7) == 0) {
            absorb(s->v, s->tail);
            s->tail = 0;
        }
    }
}

uint64_t psy__siphash_final(psy__siphash_state *s)
{
    absorb(s->v, s->tail | s->n << 56);
    s->v[2] ^= 0xff;
    rounds(s->v, 4);
    return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

uint64_t psy__siphash(const uint64_t key[2], const void *bytes, size_t n)
{
    psy__siphash_state s;
    psy__siphash_init(&s, key);
    psy__siphash_update(&s, bytes, n);
    return psy__siphash_final(&s);
}
