/* SPDX-License-Identifier: Apache-2.0 */
#include "base/siphash.h"

#include <string.h>

void psy__siphash_init(psy__siphash_state *s, const uint64_t key[2])
{
    psy__sip_begin(s->v, key);
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
            psy__sip_absorb(s->v, word);
            p += 8;
            n -= 8;
            s->n += 8;
            continue;
        }
        s->tail |= (uint64_t)*p++ << (8 * (s->n & 7));
        n--;
        if ((++s->n & 7) == 0) {
            psy__sip_absorb(s->v, s->tail);
            s->tail = 0;
        }
    }
}

uint64_t psy__siphash_final(psy__siphash_state *s)
{
    psy__sip_absorb(s->v, s->tail | s->n << 56);
    return psy__sip_end(s->v);
}

uint64_t psy__siphash(const uint64_t key[2], const void *bytes, size_t n)
{
    psy__siphash_state s;
    psy__siphash_init(&s, key);
    psy__siphash_update(&s, bytes, n);
    return psy__siphash_final(&s);
}
