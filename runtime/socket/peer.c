/* SPDX-License-Identifier: Apache-2.0 */
#include "socket/peer.h"

#include <stdlib.h>

#include "service/counting.h"
#include "service/response.h"

/* Frames have at most 65503 granules, and half of the ring. */
enum { FRAME_GRANULES = 65000, GRANULE_MOST = 65536 };
static const uint64_t ring_bytes_max = UINT64_C(1) << 31;

psy_status psy__peer_shape(uint32_t message_max, uint32_t queue, uint32_t *granule, uint32_t *slots)
{
    uint64_t frame = (uint64_t)message_max + PSY_PARCEL_HEAD_BYTES + PSY_FRAME_HEAD_BYTES, bytes = queue;
    uint32_t g = PSY_GRANULE_LEAST;
    while (g < GRANULE_MOST && frame / g >= FRAME_GRANULES) {
        g *= 2;
    }
    frame = (frame + g - 1) / g * g;
    bytes = bytes > 2 * frame ? bytes : 2 * frame;
    if (bytes > ring_bytes_max) {
        return psy_fail(PSY_TOO_LARGE, "messages of %u bytes need a queue of %llu: at most %llu", message_max,
                        (unsigned long long)bytes, (unsigned long long)ring_bytes_max);
    }
    *granule = g;
    *slots = psy__power_of_two_above((uint32_t)((bytes + g - 1) / g));
    return PSY_OK;
}

psy_status psy__outbox_create(uint32_t granule, uint32_t slots, psy__outbox **out)
{
    psy_ring_shape shape = {PSY_RING_SPSC, granule, slots};
    psy__outbox *box = calloc(1, sizeof *box);
    if (!box) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a connection");
    }
    box->holds = 1;
    psy_slab_options options = {.bytes = psy_ring_shape_bytes(&shape), .name = "psyne-outbox", .pretouch = true};
    psy_status status = psy_slab_create(&options, &box->slab);
    if (status == PSY_OK) {
        status = psy_ring_init(&box->ring, psy_slab_data(box->slab), psy_slab_data_bytes(box->slab), granule, slots);
    }
    if (status != PSY_OK) {
        psy__outbox_release(box);
        return status;
    }
    *out = box;
    return PSY_OK;
}

void psy__outbox_release(psy__outbox *box)
{
    if (box && --box->holds == 0) {
        psy_slab_destroy(box->slab);
        free(box);
    }
}

psy_status psy__peer_adopt(psy__peer *p, const psy__peer_attach *said, int fd)
{
    psy_ring_shape shape = {PSY_RING_SPSC, said->granule, said->slots};
    uint64_t bytes = psy_ring_shape_bytes(&shape);
    /* A granule that is a multiple of 64, so that messages lie at one. */
    bool sound = bytes != 0 && said->granule >= PSY_GRANULE_LEAST && said->granule <= GRANULE_MOST &&
                 (said->granule & (said->granule - 1)) == 0 && bytes <= 2 * ring_bytes_max;
    /* Whole pages are all that a slab has more than its ring. */
    psy_slab_adopt_options options = {.max_bytes = bytes + (UINT64_C(1) << 22), .holes = PSY_SLAB_HOLES_REFUSED};
    psy_status status = psy_slab_adopt_with(fd, &options, &p->in_slab);
    if (status != PSY_OK) {
        return status;
    }
    if (!sound || psy_slab_data_bytes(p->in_slab) < bytes) {
        return psy_fail(PSY_PROTOCOL, "the peer's ring of %u slots of %u bytes makes no sense, or does not fit its slab",
                        said->slots, said->granule);
    }
    return psy_ring_attach(&p->in, PSY_RING_CONSUMER, psy_slab_data(p->in_slab), psy_slab_data_bytes(p->in_slab), said->granule,
                           said->slots);
}

bool psy__parcel_read(const void *frame, uint32_t bytes, uint64_t *sequence, psy_parcel *out)
{
    psy__parcel_head head;
    if (bytes < sizeof head) {
        return false;
    }
    uint64_t words[sizeof head / 8];
    for (size_t i = 0; i < sizeof head / 8; i++) { /* once: the peer may write there at any time */
        words[i] = ((const volatile uint64_t *)frame)[i];
    }
    memcpy(&head, words, sizeof head);
    const uint8_t *data = (const uint8_t *)frame + sizeof head;
    *sequence = head.sequence;
    *out = (psy_parcel){.kind = (psy_parcel_kind)head.kind, .bytes = bytes - (uint32_t)sizeof head, .data = data};
    if (head.kind == PSY_PARCEL_VECTOR) {
        return psy_variant_read(&head.vector, data, out->bytes, &out->vector) == PSY_OK;
    }
    return head.kind == PSY_PARCEL_BYTES;
}

psy_status psy__peer_look(psy__peer *p, psy_parcel *out)
{
    uint32_t bytes;
    uint64_t sequence;
    const void *frame = psy_frame_peek(&p->in, &bytes);
    if (!frame) {
        return psy_ring_broken(&p->in) ? psy_fail(PSY_PROTOCOL, "%s: the peer broke the ring that it sends through", p->name)
                                       : PSY_EMPTY;
    }
    if (!psy__parcel_read(frame, bytes, &sequence, out) || sequence != p->expected ||
        (uintptr_t)out->data % 64 != 0) { /* readers count on that */
        return psy_fail(PSY_PROTOCOL, "%s: the peer sent something that is no message, or out of turn", p->name);
    }
    out->peer = p->number;
    return PSY_OK;
}

void psy__peer_release(psy__peer *p)
{
    p->expected++;
    psy_frame_release(&p->in);
    psy_ring_settle(&p->in);
    if (psy_ring_take_room_wake(&p->in)) {
        psy_bell_ring(&p->bell);
    }
}

void psy__peer_flush(psy__peer *p)
{
    psy_ring_flush(&p->out->ring);
    psy__ring_wake_bell(&p->out->ring, &p->bell);
}

uint64_t psy__outbox_untaken(psy__outbox *box)
{
    psy_ring reader;
    psy_parcel parcel;
    uint64_t n = 0, sequence;
    uint32_t bytes;
    const void *frame;
    psy_ring_flush(&box->ring);
    if (psy_ring_attach(&reader, PSY_RING_CONSUMER, psy_slab_data(box->slab), psy_slab_data_bytes(box->slab), box->ring.stride,
                        box->ring.slots) != PSY_OK) {
        return 0;
    }
    while ((frame = psy_frame_next(&reader, &bytes)) != NULL && psy__parcel_read(frame, bytes, &sequence, &parcel)) {
        n++;
    }
    return n;
}

void psy__peer_fini(psy__peer *p)
{
    if (p->link) {
        psy__link_close(p->link);
    }
    psy_bell_close(&p->bell);
    psy__outbox_release(p->out);
    psy_slab_destroy(p->in_slab);
    *p = (psy__peer){.phase = PEER_NONE};
}
