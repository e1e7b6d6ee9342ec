/* SPDX-License-Identifier: Apache-2.0 */
/* The response slab's state words: who may take a slot, end it, and give it back. */
#include "service/response.h"

#include "tests/test.h"

/* Who may give a slot back that its client has given up on. */
Test(response, quarantined_slots_are_given_back_by_their_writer_only)
{
    enum { SLOT = 1, GENERATION = 9, WRITER = 0, OTHER = 2, BROKER = 3 };
    uint64_t bytes = psy__responses_bytes(4, 64, 4), ring_bytes;
    uint8_t *data = aligned_alloc(64, bytes);
    memset(data, 0, bytes);
    psy__responses r;
    psy_ring done;
    psy__responses_view(&r, data, 4, 64, 4);
    void *at = psy__completions_at(&r, 3, &ring_bytes);
    cr_assert_eq(psy_ring_init(&done, at, ring_bytes, 8, r.completion_slots), PSY_OK);
    psy__reply_header *h = psy__reply_at(&r, SLOT);

    atomic_store(&h->state, psy__reply_state(GENERATION, 0, PSY_PHASE_PENDING));
    cr_assert(psy__reply_begin(&r, SLOT, GENERATION, WRITER));
    atomic_store(&h->state, psy__reply_state(GENERATION, WRITER, PSY_PHASE_QUARANTINED));
    cr_assert_not(psy__reply_begin(&r, SLOT, GENERATION, OTHER));
    psy__reply_takeover(&r, &done, SLOT, GENERATION, PSY_WRITER_NONE, BROKER, PSY_TIMEOUT, 5);
    cr_assert_eq(atomic_load(&h->state) & 0xffff, (uint64_t)PSY_PHASE_QUARANTINED, "the writer is still at it");
    cr_assert_not(psy__reply_end(&r, &done, SLOT, GENERATION, WRITER, PSY_OK, 64, 5));
    cr_assert_eq(atomic_load(&h->state) & 0xffff, (uint64_t)PSY_PHASE_FREE);

    atomic_store(&h->state, psy__reply_state(GENERATION, WRITER, PSY_PHASE_QUARANTINED));
    psy__reply_takeover(&r, &done, SLOT, GENERATION, WRITER, BROKER, PSY_PEER_DIED, 5);
    cr_assert_eq(atomic_load(&h->state) & 0xffff, (uint64_t)PSY_PHASE_FREE, "the writer is dead");

    atomic_store(&h->state, psy__reply_state(GENERATION, PSY_WRITER_NONE, PSY_PHASE_QUARANTINED));
    cr_assert_not(psy__reply_begin(&r, SLOT, GENERATION, OTHER));
    cr_assert_eq(atomic_load(&h->state) & 0xffff, (uint64_t)PSY_PHASE_FREE, "nobody had begun");
    atomic_store(&h->state, psy__reply_state(GENERATION + 1, PSY_WRITER_NONE, PSY_PHASE_QUARANTINED));
    cr_assert_not(psy__reply_begin(&r, SLOT, GENERATION, OTHER));
    cr_assert_eq(atomic_load(&h->state) & 0xffff, (uint64_t)PSY_PHASE_QUARANTINED, "another call's");
    free(data);
}
