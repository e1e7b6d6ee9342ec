/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/mem/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <psyne/frame.h>

enum { PAGE = 4096, FILLING = 0x5a, SLOTS_BITS_MAX = 7 };

static _Noreturn void broken(const char *what, uint64_t about)
{
    fprintf(stderr, "hostile: %s (%llx)\n", what, (unsigned long long)about);
    abort();
}

/* ---- the script ---- */

static bool ended(const script *s) { return s->bytes && s->at >= s->n; }

static uint8_t next_byte(script *s)
{
    if (s->bytes) {
        return s->at < s->n ? s->bytes[s->at++] : 0;
    }
    s->state = s->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint8_t)(s->state >> 40);
}
static uint32_t below(script *s, uint32_t n) { return next_byte(s) % n; }
static uint64_t next_word(script *s)
{
    uint64_t word = 0;
    for (uint32_t i = 0; i < 8; i++) {
        word = word << 8 | next_byte(s);
    }
    return word;
}
/* How many: few, about as many as there are, or far too many. */
static uint32_t some(hostile *h, script *s)
{
    uint32_t what = next_byte(s);
    return what < 200 ? 1 + what % 9 : what < 240 ? h->shape.slots + what % 5 : what < 250 ? 65533 + what % 5 : UINT32_MAX;
}

/* ---- what is shared ---- */

/* A header's words of 32 bits, who joined, the states, the first words of the slots, the table of seats. */
static uint32_t words(const hostile *h)
{
    uint64_t states = h->shape.kind == PSY_RING_SPSC ? 0 : PSY_RING_JOINED_BYTES + (uint64_t)h->shape.slots * 8;
    return (uint32_t)((PSY_RING_HEADER_BYTES + states) / 4) + 16 + 2 * 8;
}

static uint8_t *word_at(hostile *h, uint32_t word)
{
    uint32_t seats = words(h) - 2 * 8;
    uint8_t *table = (uint8_t *)psy_slab_base(h->slab) + offsetof(psy_slab_page, seats);
    return word < seats ? h->memory + (uint64_t)word * 4 : table + (uint64_t)(word - seats) * 4;
}

/* Those that steer more often than those that lie about. */
static uint32_t pick_word(hostile *h, script *s)
{
    static const uint16_t steering[] = {128, 256, 384, 388, 392, 400, 408, 416, 448, 512};
    uint32_t what = next_byte(s), n = (uint32_t)(sizeof steering / sizeof *steering);
    if (what < 100) {
        return steering[what % n] / 4u;
    }
    if (what < 200 && h->shape.kind != PSY_RING_SPSC) {
        return (PSY_RING_HEADER_BYTES + PSY_RING_JOINED_BYTES) / 4 + 2 * below(s, h->shape.slots);
    }
    uint32_t word = next_byte(s);
    return (word << 8 | next_byte(s)) % words(h);
}

static uint64_t position_near(hostile *h, script *s)
{
    static const uint16_t cursors[] = {offsetof(psy_ring_header, published), offsetof(psy_ring_header, released),
                                       offsetof(psy_ring_header, taken)};
    uint64_t at;
    memcpy(&at, h->memory + cursors[below(s, 3)], sizeof at);
    return at + below(s, 5) - 2;
}

static uint64_t plausible_state(hostile *h, script *s)
{
    uint64_t at = position_near(h, s), lap = at / h->shape.slots + below(s, 3) - 1, phase = next_byte(s) & 7;
    uint64_t seat = below(s, 8) ? below(s, 6) : next_byte(s);
    const uint32_t counts[] = {1, 1, 2, h->shape.slots, h->shape.slots + 1, 0, 65535, next_byte(s)};
    return phase | seat << 3 | (uint64_t)counts[next_byte(s) & 7] << 11 | lap << 27;
}

void hostile_scribble(hostile *h, script *s)
{
    uint32_t word = pick_word(h, s), what = below(s, 12);
    uint8_t *at = word_at(h, word);
    uint64_t now, value;
    bool wide = word % 2 == 0;
    memcpy(&now, at, wide ? 8 : 4);
    switch (what) {
    case 0: value = 0; break;
    case 1: value = UINT64_MAX; break;
    case 2: value = now + 1; break;
    case 3: value = now - 1; break;
    case 4: value = now + h->shape.slots; break;
    case 5: value = now ^ UINT64_C(1) << (next_byte(s) & 63); break;
    case 6: value = position_near(h, s); break;
    case 7: value = next_word(s); break;
    case 8: { /* as it once was */
        uint32_t old = below(s, HOSTILE_STALE);
        at = word_at(h, h->stale[old].word);
        wide = h->stale[old].word % 2 == 0;
        value = h->stale[old].value;
        break;
    }
    case 9: {
        uint32_t slot = below(s, HOSTILE_STALE);
        h->stale[slot].word = word;
        h->stale[slot].value = wide ? now : (uint32_t)now;
        return;
    }
    default: value = plausible_state(h, s); break;
    }
    memcpy(at, &value, wide ? 8 : 4);
}

/* ---- calls ---- */

static uint64_t processor_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void join(hostile *h, hostile_hand *hand)
{
    hand->got = 0;
    hand->frames = h->joins++ % 3 == 0 && (h->shape.stride & (h->shape.stride - 1)) == 0;
    hand->joined = psy_ring_join(&hand->ring, hand->side, h->memory, h->bytes, &h->shape, &hand->seat) == PSY_OK;
}

/* The ring as new: somebody has noticed. */
static void mend(hostile *h)
{
    if (psy_ring_format(h->memory, h->bytes, &h->shape) != PSY_OK) {
        broken("it cannot be formatted", 0);
    }
    for (uint32_t i = 0; i < HOSTILE_HANDLES; i++) {
        join(h, &h->hands[i]);
    }
}

/* Slots that were given: they lie in the ring, and every byte is used. */
static void use(hostile *h, const hostile_hand *hand, void *at, uint32_t count)
{
    uint8_t *first = at, *slots = hand->ring.slots_at;
    uint64_t bytes = (uint64_t)count * h->shape.stride;
    if (count == 0) {
        return;
    }
    if (first < slots || count > h->shape.slots || first + bytes > slots + (uint64_t)h->shape.slots * h->shape.stride ||
        (uint64_t)(first - slots) % h->shape.stride != 0) {
        broken("slots outside the ring", count);
    }
    if (hand->side == PSY_RING_PRODUCER) {
        memset(first, (int)h->calls, bytes);
    } else {
        for (uint64_t i = 0; i < bytes; i++) {
            h->sum += first[i];
        }
    }
}

static void use_spans(hostile *h, hostile_hand *hand, uint32_t want, uint32_t got, const psy_ring_span spans[2])
{
    if (got > want || (uint64_t)spans[0].count + spans[1].count != got ||
        (spans[1].count && spans[1].at != hand->ring.slots_at)) {
        broken("spans that are none", got);
    }
    use(h, hand, spans[0].at, spans[0].count);
    use(h, hand, spans[1].at, spans[1].count);
    hand->got = got;
}

static void produce(hostile *h, hostile_hand *hand, script *s, uint32_t what)
{
    psy_ring *ring = &hand->ring;
    psy_ring_span spans[2];
    uint32_t want = some(h, s), n, got = 0;
    void *at;
    switch (what) {
    case 0:
        at = psy_ring_claim(ring, want, &got);
        use_spans(h, hand, want, got, (const psy_ring_span[2]){{at, got}, {NULL, 0}});
        break;
    case 1:
        got = psy_ring_claim_spans(ring, want, spans);
        use_spans(h, hand, want, got, spans);
        break;
    case 2:
        at = psy_ring_claim_run(ring, want);
        use(h, hand, at, at ? want : 0);
        hand->got = at ? want : hand->got;
        break;
    case 3:
    case 4:
        n = hand->got ? what == 3 ? hand->got : next_byte(s) % (hand->got + 1) : 0;
        hand->got = psy_ring_many_producers(ring) ? 0 : hand->got - n;
        if (n) {
            psy_ring_commit(ring, n);
        } else {
            psy_ring_abort(ring);
        }
        break;
    case 5: psy_ring_flush(ring); break;
    default: h->sum += psy_ring_full(ring); break;
    }
}

static void consume(hostile *h, hostile_hand *hand, script *s, uint32_t what)
{
    psy_ring *ring = &hand->ring;
    psy_ring_span spans[2];
    uint32_t want = some(h, s), n, got = 0;
    const void *at;
    switch (what) {
    case 0:
    case 1:
        at = psy_ring_peek(ring, want, &got);
        use_spans(h, hand, want, got, (const psy_ring_span[2]){{(void *)(uintptr_t)at, got}, {NULL, 0}});
        break;
    case 2:
        got = psy_ring_peek_spans(ring, want, spans);
        use_spans(h, hand, want, got, spans);
        break;
    case 3:
    case 4:
        n = hand->got ? what == 3 ? hand->got : next_byte(s) % (hand->got + 1) : 0;
        hand->got -= n;
        psy_ring_release(ring, n);
        break;
    case 5: psy_ring_settle(ring); break;
    default: h->sum += psy_ring_empty(ring); break;
    }
}

/* A payload: it lies in one piece behind a head in the ring. */
static void use_payload(hostile *h, const hostile_hand *hand, const void *at, uint32_t bytes)
{
    uint8_t *first = (uint8_t *)(uintptr_t)at, *slots = hand->ring.slots_at;
    if (!at) {
        return;
    }
    if (first < slots + PSY_FRAME_HEAD_BYTES ||
        bytes > (uint64_t)(slots + (uint64_t)h->shape.slots * h->shape.stride - first) || (uintptr_t)at % 8 != 0) {
        broken("a payload outside the ring", bytes);
    }
    if (hand->side == PSY_RING_PRODUCER) {
        memset(first, (int)h->calls, bytes);
    }
    for (uint32_t i = 0; i < bytes; i++) {
        h->sum += first[i];
    }
}

static void produce_frame(hostile *h, hostile_hand *hand, script *s, uint32_t what)
{
    psy_ring *ring = &hand->ring;
    uint32_t bytes = some(h, s) * (1 + below(s, 9));
    void *at;
    switch (what) {
    case 0:
    case 1:
    case 2:
        at = psy_frame_claim(ring, bytes);
        use_payload(h, hand, at, bytes);
        hand->got = at ? bytes + 1 : hand->got;
        break;
    case 3:
    case 4:
        bytes = hand->got ? hand->got - 1 : 0;
        if (hand->got && what == 3) {
            psy_frame_commit(ring, bytes);
        } else if (hand->got && below(s, 4)) {
            psy_frame_commit(ring, next_byte(s) % (bytes + 1));
        } else {
            psy_frame_abort(ring);
        }
        hand->got = 0;
        break;
    case 5: psy_frame_flush(ring); break;
    default:
        if (hand->got == 0) {
            psy_frame_set_wide(ring, below(s, 2));
        }
        h->sum += (uint64_t)psy_frame_refusal(ring, bytes) + (uint64_t)psy_frame_wait_room(ring, bytes, 1000);
        break;
    }
}

static void consume_frame(hostile *h, hostile_hand *hand, uint32_t what)
{
    psy_ring *ring = &hand->ring;
    uint32_t bytes = 0;
    const void *at;
    switch (what) {
    case 0:
    case 1:
    case 2:
    case 3:
        at = what ? psy_frame_next(ring, &bytes) : psy_frame_peek(ring, &bytes);
        use_payload(h, hand, at, bytes);
        hand->got = at ? 1 : hand->got;
        break;
    case 4:
        psy_frame_release(ring);
        hand->got = 0;
        break;
    case 5: psy_frame_settle(ring); break;
    default: h->sum += psy_ring_empty(ring); break;
    }
}

static void wait(hostile_hand *hand, script *s)
{
    uint64_t ns = (uint64_t)below(s, 4) * 20000;
    psy_ring_set_waiting(&hand->ring, (psy_ring_waiting)below(s, 3));
    psy_status status = hand->side == PSY_RING_PRODUCER ? psy_ring_wait_room(&hand->ring, ns) : psy_ring_wait(&hand->ring, ns);
    if (status != PSY_OK && status != PSY_TIMEOUT && status != PSY_CORRUPT && status != PSY_PEER_DIED) {
        broken("a wait ends with another status", (uint64_t)status);
    }
}

static void recover(hostile *h, hostile_hand *hand)
{
    psy_ring_report report;
    psy_status status = psy_ring_recover(&hand->ring, &report);
    if (status != PSY_OK && status != PSY_CORRUPT && status != PSY_PEER_DIED) {
        broken("a recovery ends with another status", (uint64_t)status);
    }
    if (report.padded > h->shape.slots || report.adopted > h->shape.slots || report.held > h->shape.slots ||
        report.holder > 255) {
        broken("a report about more than there is", report.held);
    }
}

static void one_call(hostile *h, script *s)
{
    hostile_hand *hand = &h->hands[below(s, HOSTILE_HANDLES)];
    psy_ring *ring = &hand->ring;
    uint32_t what = next_byte(s) % 64;
    if (!hand->joined || (psy_ring_broken(ring) && what % 2)) {
        mend(h);
    }
    if (!hand->joined) { /* somebody who lives sits there: the other handle of that side */
        return;
    }
    if (what < 56) {
        if (hand->frames && hand->side == PSY_RING_CONSUMER) {
            consume_frame(h, hand, what % 7);
        } else if (hand->side == PSY_RING_CONSUMER) {
            consume(h, hand, s, what % 7);
        } else {
            (hand->frames ? produce_frame : produce)(h, hand, s, what % 7);
        }
        h->found += hand->got != 0;
    } else if (what == 56) {
        wait(hand, s);
    } else if (what == 57) {
        recover(h, hand);
    } else if (what == 58) {
        psy_ring_leave(ring);
        join(h, hand);
    } else if (what == 59) {
        join(h, hand); /* without having left */
    } else if (what == 60) {
        psy_ring_set_store(ring, (psy_store)below(s, 3));
        h->sum += psy_ring_peer_epoch(ring);
        if (psy_ring_fill(ring) > h->shape.slots) {
            broken("more in the ring than it has slots", psy_ring_fill(ring));
        }
    } else if (hand->side == PSY_RING_PRODUCER) {
        psy_ring_wake_consumer(ring);
    } else {
        psy_ring_wake_producer(ring);
    }
}

void hostile_call(hostile *h, script *s)
{
    uint64_t began = processor_ns();
    size_t at = s->at;
    one_call(h, s);
    uint64_t took = processor_ns() - began;
    h->calls++;
    if (took > h->longest_ns) {
        h->longest_ns = took;
        h->longest = (uint32_t)at;
    }
}

/* ---- the ring ---- */

void hostile_open(hostile *h, const psy_ring_shape *shape)
{
    *h = (hostile){.shape = *shape, .bytes = psy_ring_shape_bytes(shape)};
    uint64_t inside = (h->bytes + PAGE - 1) / PAGE * PAGE;
    psy_slab_options options = {.bytes = PAGE, .name = "hostile"};
    h->region_bytes = inside + 2 * PAGE;
    h->region = mmap(NULL, h->region_bytes, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (h->region == MAP_FAILED || mprotect(h->region + PAGE, inside, PROT_READ | PROT_WRITE) != 0 ||
        psy_slab_create(&options, &h->slab) != PSY_OK) {
        broken("no memory", h->region_bytes);
    }
    memset(h->region + PAGE, FILLING, inside);
    h->memory = h->region + PAGE + inside - h->bytes;
    for (uint32_t i = 0; i < HOSTILE_HANDLES; i++) {
        h->hands[i].side = i < HOSTILE_HANDLES / 2 ? PSY_RING_PRODUCER : PSY_RING_CONSUMER;
        if (psy_seat_take(h->slab, &h->hands[i].seat) != PSY_OK) {
            broken("no seat", i);
        }
    }
    mend(h);
}

void hostile_close(hostile *h)
{
    for (const uint8_t *at = h->region + PAGE; at < h->memory; at++) {
        if (*at != FILLING) {
            broken("bytes before the ring were written", (uint64_t)(h->memory - at));
        }
    }
    for (uint32_t i = 0; i < HOSTILE_HANDLES; i++) {
        psy_seat_leave(&h->hands[i].seat);
    }
    psy_slab_destroy(h->slab);
    munmap(h->region, h->region_bytes);
}

void hostile_play(script *s, hostile *h)
{
    static const uint32_t strides[] = {8, 16, 24, 64, 72, 256};
    psy_ring_shape shape = {(psy_ring_kind)below(s, 4), strides[below(s, 6)], UINT32_C(1) << below(s, SLOTS_BITS_MAX + 1)};
    hostile_open(h, &shape);
    while (!ended(s) && (s->bytes || h->calls < 20000)) {
        if (next_byte(s) % 8 == 0) {
            hostile_scribble(h, s);
        } else {
            hostile_call(h, s);
        }
    }
    hostile_close(h);
}
