/* SPDX-License-Identifier: Apache-2.0 */
/* What the rings' tests share: both sides of a ring, and numbers without a pattern. */
#ifndef PSY_TESTS_MEM_PAIR_H
#define PSY_TESTS_MEM_PAIR_H

#include <psyne/ring.h>

#include "tests/test.h"

typedef struct pair {
    void *memory;
    uint64_t bytes;
    psy_ring producer, consumer;
} pair;

static inline pair make(uint32_t stride, uint32_t slots)
{
    pair p = {.bytes = psy_ring_bytes(stride, slots)};
    cr_assert_neq(p.bytes, 0u);
    p.memory = aligned_alloc(128, p.bytes);
    cr_assert_not_null(p.memory);
    memset(p.memory, 0xa5, p.bytes);
    cr_assert_eq(psy_ring_init(&p.producer, p.memory, p.bytes, stride, slots), PSY_OK);
    cr_assert_eq(psy_ring_attach(&p.consumer, PSY_RING_CONSUMER, p.memory, p.bytes, stride, slots), PSY_OK);
    return p;
}

static inline void push(psy_ring *ring, uint64_t value)
{
    uint32_t got = 77;
    uint64_t *slot = psy_ring_claim(ring, 1, &got);
    cr_assert_not_null(slot);
    cr_assert_eq(got, 1u);
    *slot = value;
    psy_ring_commit(ring, 1);
}

static inline uint64_t pop(psy_ring *ring)
{
    uint32_t got = 77;
    uint64_t *slot = psy_ring_peek(ring, 1, &got);
    cr_assert_not_null(slot);
    cr_assert_eq(got, 1u);
    uint64_t value = *slot;
    psy_ring_release(ring, 1);
    return value;
}

static inline bool is_full(psy_ring *ring)
{
    uint32_t got = 77;
    bool none = psy_ring_claim(ring, 1, &got) == NULL;
    cr_assert_eq(got, none ? 0u : 1u);
    return none;
}

static inline bool is_empty(psy_ring *ring)
{
    uint32_t got = 77;
    bool none = psy_ring_peek(ring, 1, &got) == NULL;
    cr_assert_eq(got, none ? 0u : 1u);
    return none;
}

static inline uint64_t random_next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

#endif
