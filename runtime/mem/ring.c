/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <psyne/ring.h>

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"

static psy_status handle(psy_ring *ring, void *memory, uint64_t bytes, uint32_t stride, uint32_t slots)
{
    uint64_t need = psy_ring_bytes(stride, slots);
    if (!ring || !memory || need == 0 || bytes < need || (uintptr_t)memory % 64 != 0) {
        return psy_fail(PSY_INVALID,
                        "a ring of %u slots of %u bytes in %llu bytes: slots are a power of two, strides a multiple "
                        "of 8, memory aligned to 64",
                        slots, stride, (unsigned long long)bytes);
    }
    *ring =
        (psy_ring){.header = memory, .slots_at = (uint8_t *)memory + PSY_RING_HEADER_BYTES, .stride = stride, .slots = slots};
    /* Hold back until a line is full, or a batch; never more than a quarter of the ring. */
    uint32_t defer = stride < 64 ? 64 / stride : PSY_RING_BATCH;
    ring->defer = defer < slots / 4 ? defer : slots / 4;
    ring->defer = ring->defer ? ring->defer : 1;
    return PSY_OK;
}

psy_status psy_ring_init(psy_ring *ring, void *memory, uint64_t bytes, uint32_t stride, uint32_t slots)
{
    psy_status status = handle(ring, memory, bytes, stride, slots);
    if (status == PSY_OK) {
        memset(memory, 0, PSY_RING_HEADER_BYTES);
        ring->header->stride = stride;
        ring->header->slots = slots;
        ring->header->abi = PSY_RING_ABI;
        ring->header->magic = PSY_RING_MAGIC;
    }
    return status;
}

psy_status psy_ring_attach(psy_ring *ring, psy_ring_side side, void *memory, uint64_t bytes, uint32_t stride, uint32_t slots)
{
    psy_status status = handle(ring, memory, bytes, stride, slots);
    if (status != PSY_OK) {
        return status;
    }
    struct {
        uint32_t magic, abi, stride, slots;
    } says;
    memcpy(&says, memory, sizeof says);
    if (says.magic != PSY_RING_MAGIC) {
        return psy_fail(PSY_CORRUPT, "not a ring: its first word is %08x", says.magic);
    }
    if (says.abi != PSY_RING_ABI) {
        return psy_fail(PSY_VERSION, "the ring has ABI %u, this library %u", says.abi, PSY_RING_ABI);
    }
    if (says.stride != stride || says.slots != slots) {
        return psy_fail(PSY_CORRUPT, "the ring says %u slots of %u bytes; agreed were %u of %u", says.slots, says.stride, slots,
                        stride);
    }
    uint64_t published = atomic_load_explicit(&ring->header->published, memory_order_acquire);
    uint64_t released = atomic_load_explicit(&ring->header->released, memory_order_acquire);
    if (published - released > slots) {
        return psy_fail(PSY_CORRUPT, "the ring's positions are impossible");
    }
    ring->position = ring->shown = side == PSY_RING_PRODUCER ? published : released;
    ring->other = side == PSY_RING_PRODUCER ? released : published;
    return PSY_OK;
}

static long futex(PSY_ATOMIC(uint32_t) * word, int op, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

static psy_status sleep_on(PSY_ATOMIC(uint32_t) * word, uint64_t deadline_ns)
{
    uint64_t now = psy__now_ns();
    if (now >= deadline_ns) {
        return PSY_TIMEOUT;
    }
    uint64_t left = deadline_ns - now;
    struct timespec t = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    futex(word, FUTEX_WAIT, 1, &t);
    return PSY_OK;
}

psy_status psy_ring_wait(psy_ring *ring, uint64_t timeout_ns)
{
    uint64_t deadline = psy__add_ns(psy__now_ns(), timeout_ns);
    psy_status status = PSY_OK;
    while (status == PSY_OK && psy_ring_sleep_begin(ring)) {
        if (ring->broken) {
            status = psy_fail(PSY_CORRUPT, "the ring's producer broke it");
            break;
        }
        psy_ring_wake_producer(ring); /* what was released is shown now, and it may sleep for that */
        status = sleep_on(&ring->header->consumer_waits, deadline);
    }
    psy_ring_sleep_end(ring);
    return status;
}

psy_status psy_ring_wait_room(psy_ring *ring, uint64_t timeout_ns)
{
    uint64_t deadline = psy__add_ns(psy__now_ns(), timeout_ns);
    psy_status status = PSY_OK;
    while (status == PSY_OK && psy_ring_room_begin(ring)) {
        if (ring->broken) {
            status = psy_fail(PSY_CORRUPT, "the ring's consumer broke it");
            break;
        }
        psy_ring_wake_consumer(ring); /* what was committed is visible now, and it may sleep for that */
        status = sleep_on(&ring->header->producer_waits, deadline);
    }
    psy_ring_room_end(ring);
    return status;
}

void psy_ring_wake_consumer(psy_ring *ring)
{
    if (psy_ring_take_wake(ring)) {
        futex(&ring->header->consumer_waits, FUTEX_WAKE, 1, NULL);
    }
}

void psy_ring_wake_producer(psy_ring *ring)
{
    if (psy_ring_take_room_wake(ring)) {
        futex(&ring->header->producer_waits, FUTEX_WAKE, 1, NULL);
    }
}
