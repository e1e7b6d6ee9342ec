/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: what slow readers lose is counted to the message and what they get is whole, whatever becomes of the writer. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <psyne/slab.h>
#include <psyne/stream.h>

#include "base/clock.h"
#include "tests/mem/pair.h"

enum { WORDS_MAX = 512 };
static const uint64_t second_ns = 1000000000;

static void *make_stream(const psy_stream_shape *shape, uint64_t *bytes)
{
    *bytes = psy_stream_bytes(shape);
    cr_assert_neq(*bytes, 0u);
    void *memory = aligned_alloc(128, *bytes);
    cr_assert_not_null(memory);
    memset(memory, 0xa5, *bytes);
    cr_assert_eq(psy_stream_format(memory, *bytes, shape), PSY_OK);
    return memory;
}

/* Message `i` says which it is in all words. */
static void say(uint64_t *to, uint64_t i, uint32_t words)
{
    for (uint32_t w = 0; w < words; w++) {
        to[w] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ w;
    }
}
static bool says(const uint64_t *at, uint64_t i, uint32_t words)
{
    for (uint32_t w = 0; w < words; w++) {
        if (at[w] != ((i + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ w)) {
            return false;
        }
    }
    return true;
}

static void write_some(psy_stream_writer *writer, uint32_t n)
{
    uint64_t message[WORDS_MAX];
    for (uint32_t i = 0; i < n; i++) {
        say(message, writer->position, writer->stride / 8);
        psy_stream_write(writer, message, 1);
    }
}

static void expect_read(psy_stream_reader *reader, uint32_t max, uint32_t want_got, uint64_t want_lost)
{
    uint64_t out[64 * 2], lost = 77;
    uint32_t got = 77;
    cr_assert_eq(reader->stride, 16u);
    cr_assert_eq(psy_stream_read(reader, out, max, &got, &lost), want_got ? PSY_OK : PSY_EMPTY);
    cr_assert_eq(got, want_got, "%u", got);
    cr_assert_eq(lost, want_lost, "%lu", (unsigned long)lost);
    for (uint32_t i = 0; i < got; i++) {
        cr_assert(says(out + (size_t)i * 2, reader->position - got + i, 2));
    }
}

Test(stream, every_reader_gets_all_it_keeps_up_with)
{
    psy_stream_shape shape = {16, 16};
    uint64_t bytes;
    void *memory = make_stream(&shape, &bytes);
    psy_stream_writer writer;
    psy_stream_reader readers[2], late;
    cr_assert_eq(psy_stream_join_writer(&writer, memory, bytes, &shape, NULL), PSY_OK);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(psy_stream_join(&readers[i], memory, bytes, &shape, PSY_STREAM_OLDEST), PSY_OK);
        expect_read(&readers[i], 8, 0, 0);
    }
    for (uint64_t round = 0; round < 100; round++) { /* around the end, in different steps */
        write_some(&writer, 7);
        psy_stream_flush(&writer);
        expect_read(&readers[0], 64, 7, 0);
        expect_read(&readers[0], 64, 0, 0);
        expect_read(&readers[1], 3, 3, 0);
        expect_read(&readers[1], 3, 3, 0);
        expect_read(&readers[1], 3, 1, 0);
    }
    cr_assert_eq(psy_stream_join(&late, memory, bytes, &shape, PSY_STREAM_NEWEST), PSY_OK);
    expect_read(&late, 8, 0, 0);
    cr_assert_eq(psy_stream_join(&late, memory, bytes, &shape, PSY_STREAM_OLDEST), PSY_OK);
    expect_read(&late, 64, 16, 0);
    psy_stream_leave(&writer);
    free(memory);
}

Test(stream, what_is_lost_is_counted)
{
    psy_stream_shape shape = {16, 16};
    uint64_t bytes;
    void *memory = make_stream(&shape, &bytes);
    psy_stream_writer writer;
    psy_stream_reader reader;
    uint32_t got;
    cr_assert_eq(psy_stream_join_writer(&writer, memory, bytes, &shape, NULL), PSY_OK);
    cr_assert_eq(psy_stream_join(&reader, memory, bytes, &shape, PSY_STREAM_OLDEST), PSY_OK);
    write_some(&writer, 100);
    psy_stream_flush(&writer);
    expect_read(&reader, 10, 10, 84);
    write_some(&writer, 10); /* six are left, and ten fit besides */
    psy_stream_flush(&writer);
    expect_read(&reader, 64, 16, 0);
    write_some(&writer, 17);
    psy_stream_flush(&writer);
    expect_read(&reader, 64, 16, 1);
    /* A claim takes the oldest away before anything new is there. */
    cr_assert_not_null(psy_stream_claim(&writer, 8, &got));
    cr_assert_leq(got, 8u);
    psy_stream_reader other;
    cr_assert_eq(psy_stream_join(&other, memory, bytes, &shape, PSY_STREAM_OLDEST), PSY_OK);
    expect_read(&other, 64, 16 - got, 0);
    cr_assert_eq(reader.lost, 85u);
    cr_assert_eq(reader.position, 127u);
    free(memory);
}

Test(stream, in_place)
{
    psy_stream_shape shape = {16, 16};
    uint64_t bytes;
    void *memory = make_stream(&shape, &bytes);
    psy_stream_writer writer;
    psy_stream_reader reader;
    uint32_t got;
    cr_assert_eq(psy_stream_join_writer(&writer, memory, bytes, &shape, NULL), PSY_OK);
    cr_assert_eq(psy_stream_join(&reader, memory, bytes, &shape, PSY_STREAM_OLDEST), PSY_OK);
    uint64_t *slots = psy_stream_claim(&writer, 100, &got);
    cr_assert_eq(got, 8u, "half of the stream at most");
    for (uint64_t i = 0; i < 3; i++) {
        say(slots + i * 2, i, 2);
    }
    psy_stream_commit(&writer, 3);
    cr_assert_null(psy_stream_peek(&reader, 8, &got), "held back");
    psy_stream_flush(&writer);
    const uint64_t *at = psy_stream_peek(&reader, 8, &got);
    cr_assert_eq(got, 3u);
    cr_assert(says(at, 0, 2) && says(at + 4, 2, 2));
    cr_assert(psy_stream_intact(&reader));
    write_some(&writer, 14); /* the first of them goes */
    cr_assert_not(psy_stream_intact(&reader));
    psy_stream_flush(&writer);
    at = psy_stream_peek(&reader, 3, &got);
    cr_assert_eq(got, 3u);
    cr_assert_eq(reader.lost, 1u + 4u, "and a quarter, to be ahead");
    cr_assert(says(at, reader.position, 2) && psy_stream_intact(&reader));
    psy_stream_release(&reader, 3);
    cr_assert_eq(reader.position, 8u);
    free(memory);
}

Test(stream, shapes_and_versions)
{
    psy_stream_shape shape = {16, 16}, other = {24, 16},
                     odd[] = {{0, 16}, {12, 16}, {16, 0}, {16, 3}, {16, 1u << 25}, {1u << 31, 1}};
    uint64_t bytes;
    psy_stream_writer writer;
    psy_stream_reader reader;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        cr_assert_eq(psy_stream_bytes(&odd[i]), 0u);
    }
    void *memory = make_stream(&shape, &bytes);
    psy_stream_header *header = memory;
    cr_assert_eq(psy_stream_format(memory, bytes - 1, &shape), PSY_INVALID);
    cr_assert_eq(psy_stream_join(&reader, (uint8_t *)memory + 8, bytes, &shape, PSY_STREAM_NEWEST), PSY_INVALID);
    cr_assert_eq(psy_stream_join(&reader, memory, bytes, &odd[1], PSY_STREAM_NEWEST), PSY_INVALID);
    cr_assert_eq(psy_stream_join(&reader, memory, 2 * bytes, &other, PSY_STREAM_NEWEST), PSY_CORRUPT);
    cr_assert_eq(psy_stream_join_writer(NULL, memory, bytes, &shape, NULL), PSY_INVALID);
    header->abi = 2;
    cr_assert_eq(psy_stream_join(&reader, memory, bytes, &shape, PSY_STREAM_NEWEST), PSY_VERSION);
    header->abi = PSY_STREAM_ABI;
    atomic_store(&header->intent, 17);
    cr_assert_eq(psy_stream_join_writer(&writer, memory, bytes, &shape, NULL), PSY_CORRUPT);
    header->magic = 0;
    cr_assert_eq(psy_stream_join(&reader, memory, bytes, &shape, PSY_STREAM_NEWEST), PSY_CORRUPT);
    free(memory);
}

/* ---- threads ---- */

typedef struct broadcast {
    psy_stream_shape shape;
    void *memory;
    uint64_t bytes, messages;
    _Atomic bool over;
} broadcast;

typedef struct listener {
    broadcast *b;
    uint32_t nap_us, batch;
    bool in_place;
    uint64_t received;
    const char *complaint;
    psy_stream_reader reader;
} listener;

static void listen_once(listener *l, uint64_t *out)
{
    psy_stream_reader *reader = &l->reader;
    uint32_t got, words = reader->stride / 8;
    if (l->in_place) {
        const void *at = psy_stream_peek(reader, l->batch, &got);
        if (!at) {
            return;
        }
        /* Copied as the library does, so that there is no race to be found. */
        for (size_t i = 0; i < (size_t)got * words; i++) {
            out[i] = atomic_load_explicit((const _Atomic uint64_t *)at + i, memory_order_relaxed);
        }
        if (!psy_stream_intact(reader)) {
            return;
        }
        psy_stream_release(reader, got);
    } else if (psy_stream_read(reader, out, l->batch, &got, NULL) == PSY_CORRUPT) {
        l->complaint = "broken";
    }
    for (uint32_t i = 0; i < got; i++) {
        if (!says(out + (size_t)i * words, reader->position - got + i, words)) {
            l->complaint = "a message is torn, or another";
        }
    }
    l->received += got;
}

static void *listen_all(void *argument)
{
    listener *l = argument;
    broadcast *b = l->b;
    uint64_t *out = malloc((size_t)l->batch * b->shape.stride);
    while (!l->complaint) {
        bool over = b->over; /* before the last look */
        uint64_t before = l->reader.position;
        listen_once(l, out);
        if (over && l->reader.position == b->messages) {
            break;
        }
        if (l->nap_us) {
            usleep(l->nap_us);
        } else if (before == l->reader.position) {
            sched_yield();
        }
    }
    free(out);
    return NULL;
}

static void broadcast_to(uint32_t stride, uint32_t slots, uint64_t messages, uint32_t batch)
{
    broadcast b = {.shape = {stride, slots}, .messages = messages};
    listener listeners[3] = {
        {.b = &b, .batch = batch}, {.b = &b, .batch = batch, .nap_us = 500}, {.b = &b, .batch = batch, .in_place = true}};
    pthread_t threads[3];
    psy_stream_writer writer;
    uint64_t seed = 3, *some = malloc((size_t)64 * stride), slow_lost = 0;
    b.memory = make_stream(&b.shape, &b.bytes);
    cr_assert_eq(psy_stream_join_writer(&writer, b.memory, b.bytes, &b.shape, NULL), PSY_OK);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(psy_stream_join(&listeners[i].reader, b.memory, b.bytes, &b.shape, PSY_STREAM_OLDEST), PSY_OK);
        cr_assert_eq(pthread_create(&threads[i], NULL, listen_all, &listeners[i]), 0);
    }
    while (writer.position < messages) {
        uint32_t n = 1 + (uint32_t)random_next(&seed) % 64;
        n = messages - writer.position < n ? (uint32_t)(messages - writer.position) : n;
        for (uint32_t i = 0; i < n; i++) {
            say(some + (size_t)i * (stride / 8), writer.position + i, stride / 8);
        }
        psy_stream_write(&writer, some, n);
        if (random_next(&seed) % 8 == 0) {
            psy_stream_flush(&writer);
            sched_yield();
        }
    }
    psy_stream_flush(&writer);
    b.over = true;
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_null(listeners[i].complaint, "reader %d: %s", i, listeners[i].complaint ? listeners[i].complaint : "");
        cr_assert_eq(listeners[i].received + listeners[i].reader.lost, messages, "reader %d: %lu and %lu", i,
                     (unsigned long)listeners[i].received, (unsigned long)listeners[i].reader.lost);
        cr_assert_gt(listeners[i].received, 0u);
        slow_lost += listeners[i].reader.lost;
    }
    cr_assert_gt(slow_lost, 0u, "nobody was slow");
    free(some);
    free(b.memory);
}

Test(stream, three_readers_small) { broadcast_to(8, 256, 1000000, 100); }
Test(stream, three_readers_lines) { broadcast_to(64, 64, 200000, 200); }
Test(stream, three_readers_large) { broadcast_to(4096, 16, 20000, 8); }
Test(stream, three_readers_one_slot) { broadcast_to(64, 1, 20000, 1); }

/* ---- the writer's death ---- */

Test(stream, a_writer_that_died_while_it_wrote)
{
    psy_stream_shape shape = {16, 16};
    uint64_t bytes;
    void *memory = make_stream(&shape, &bytes);
    psy_stream_writer writer;
    psy_stream_reader reader;
    uint32_t got;
    cr_assert_eq(psy_stream_join_writer(&writer, memory, bytes, &shape, NULL), PSY_OK);
    cr_assert_eq(psy_stream_join(&reader, memory, bytes, &shape, PSY_STREAM_OLDEST), PSY_OK);
    write_some(&writer, 20);
    psy_stream_flush(&writer);
    void *slots = psy_stream_claim(&writer, 5, &got);
    cr_assert_eq(got, 5u);
    memset(slots, 0xee, 3 * 16); /* positions 4 to 6 are gone, 7 and 8 may be */
    cr_assert_eq(psy_stream_writer_epoch(&reader), 1u);
    psy_stream_writer heir;
    cr_assert_eq(psy_stream_join_writer(&heir, memory, bytes, &shape, NULL), PSY_OK);
    cr_assert_eq(psy_stream_writer_epoch(&reader), 2u);
    expect_read(&reader, 5, 5, 9);
    write_some(&heir, 1); /* less than the dead one began */
    psy_stream_flush(&heir);
    expect_read(&reader, 64, 7, 0);
    for (int i = 0; i < 40; i++) {
        write_some(&heir, 3);
        psy_stream_flush(&heir);
        expect_read(&reader, 64, 3, 0);
    }
    free(memory);
}

Test(stream, one_writer_at_a_time)
{
    psy_stream_shape shape = {16, 16};
    psy_slab *slab;
    psy_slab_options options = {.bytes = psy_stream_bytes(&shape)};
    psy_seat seats[2];
    psy_stream_writer writer, second;
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_OK);
    void *memory = psy_slab_data(slab);
    uint64_t bytes = psy_slab_data_bytes(slab);
    cr_assert_eq(psy_stream_format(memory, bytes, &shape), PSY_OK);
    cr_assert_eq(psy_seat_take(slab, &seats[0]), PSY_OK);
    cr_assert_eq(psy_seat_take(slab, &seats[1]), PSY_OK);
    cr_assert_eq(psy_stream_join_writer(&writer, memory, bytes, &shape, &seats[0]), PSY_OK);
    cr_assert_eq(psy_stream_join_writer(&second, memory, bytes, &shape, &seats[1]), PSY_FULL);
    cr_assert_not_null(strstr(psy_detail(), "lives, in seat 1"), "%s", psy_detail());
    psy_stream_leave(&writer);
    cr_assert_eq(psy_stream_join_writer(&second, memory, bytes, &shape, &seats[1]), PSY_OK);
    cr_assert_eq(psy_stream_join_writer(&writer, memory, bytes, &shape, &seats[0]), PSY_FULL);
    psy_seat_leave(&seats[1]); /* as if it had died */
    cr_assert_eq(psy_stream_join_writer(&writer, memory, bytes, &shape, &seats[0]), PSY_OK);
    psy_seat_leave(&seats[0]);
    psy_slab_destroy(slab);
}

/* A child that writes until it is killed, in the midst of anything. */
static void write_until_killed(psy_slab *slab, const psy_stream_shape *shape)
{
    psy_seat seat;
    psy_stream_writer writer;
    uint64_t seed = (uint64_t)getpid();
    if (psy_seat_take(slab, &seat) != PSY_OK ||
        psy_stream_join_writer(&writer, psy_slab_data(slab), psy_slab_data_bytes(slab), shape, &seat) != PSY_OK) {
        _exit(1);
    }
    for (;;) {
        write_some(&writer, 1 + (uint32_t)random_next(&seed) % 40);
        if (random_next(&seed) % 4 == 0) {
            psy_stream_flush(&writer);
        }
    }
}

/* Readers map it for reading only: a store would be a fault. */
Test(stream, writers_killed_at_random_and_a_mapping_for_reading)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    psy_stream_shape shape = {256, 64};
    psy_slab *slab;
    psy_slab_options options = {.bytes = psy_stream_bytes(&shape)};
    psy_slab_adopt_options for_reading = {.access = PSY_SLAB_READ_ONLY};
    psy_slab *mapped;
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_OK);
    uint64_t bytes = psy_slab_data_bytes(slab), *out = malloc(64 * 256);
    cr_assert_eq(psy_stream_format(psy_slab_data(slab), bytes, &shape), PSY_OK);
    cr_assert_eq(psy_slab_adopt_with(dup(psy_slab_fd(slab)), &for_reading, &mapped), PSY_OK, "%s", psy_detail());
    cr_assert_not(psy_slab_writable(mapped));
    psy_stream_reader reader;
    cr_assert_eq(psy_stream_join(&reader, psy_slab_data(mapped), bytes, &shape, PSY_STREAM_OLDEST), PSY_OK);
    uint64_t received = 0, lost = 0, seed = 21;
    for (uint32_t life = 1; life <= 60; life++) {
        uint64_t before = atomic_load(&reader.header->published); /* nobody writes now */
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
            write_until_killed(slab, &shape);
        }
        uint64_t kill_ns = 0, end_ns = psy__now_ns() + 20 * second_ns;
        do { /* the child's first messages first, then for a random while */
            uint32_t got;
            uint64_t gone;
            psy_status status = psy_stream_read(&reader, out, 64, &got, &gone);
            cr_assert_neq(status, PSY_CORRUPT, "%s", psy_detail());
            for (uint32_t i = 0; i < got; i++) {
                cr_assert(says(out + (size_t)i * 32, reader.position - got + i, 32), "torn, in life %u", life);
            }
            received += got;
            lost += gone;
            if (reader.position > before && kill_ns == 0) {
                kill_ns = psy__now_ns() + random_next(&seed) % 3000000;
            }
        } while ((kill_ns == 0 || psy__now_ns() < kill_ns) && psy__now_ns() < end_ns);
        kill(child, SIGKILL);
        int status = -1;
        waitpid(child, &status, 0);
        cr_assert(WIFSIGNALED(status), "life %u: %#x", life, (unsigned)status);
        cr_assert_gt(reader.position, before, "life %u wrote nothing", life);
        cr_assert_eq(psy_stream_writer_epoch(&reader), life);
    }
    cr_assert_eq(received + lost, reader.position);
    psy_slab_destroy(mapped);
    free(out);
    psy_slab_destroy(slab);
}

/* ---- liars ---- */

Test(stream, positions_that_go_back)
{
    psy_stream_shape shape = {16, 16};
    uint64_t bytes;
    void *memory = make_stream(&shape, &bytes);
    psy_stream_header *header = memory;
    psy_stream_writer writer;
    psy_stream_reader reader;
    uint64_t out[64];
    uint32_t got;
    cr_assert_eq(psy_stream_join_writer(&writer, memory, bytes, &shape, NULL), PSY_OK);
    write_some(&writer, 10);
    psy_stream_flush(&writer);
    for (int lie = 0; lie < 2; lie++) {
        cr_assert_eq(psy_stream_join(&reader, memory, bytes, &shape, PSY_STREAM_OLDEST), PSY_OK);
        expect_read(&reader, 5, 5, 0);
        if (lie == 0) {
            atomic_store(&header->published, 4);
        } else {
            atomic_store(&header->intent, 9);
        }
        cr_assert_eq(psy_stream_read(&reader, out, 5, &got, NULL), PSY_CORRUPT);
        cr_assert_eq(got, 0u);
        cr_assert(psy_stream_broken(&reader));
        atomic_store(&header->published, 10);
        cr_assert_null(psy_stream_peek(&reader, 5, &got), "it stays so");
    }
    free(memory);
}

Test(stream, scribbled_over)
{
    static const uint64_t wild[] = {0, 1, 15, 16, 17, 32, UINT64_MAX, UINT64_MAX - 16, UINT64_C(1) << 63, UINT64_C(1) << 32};
    uint64_t seed = 8, out[64 * 2];
    for (int round = 0; round < 3000; round++) {
        psy_stream_shape shape = {16, 1u << random_next(&seed) % 5};
        uint64_t bytes;
        void *memory = make_stream(&shape, &bytes);
        psy_stream_writer writer;
        psy_stream_reader reader;
        cr_assert_eq(psy_stream_join_writer(&writer, memory, bytes, &shape, NULL), PSY_OK);
        cr_assert_eq(psy_stream_join(&reader, memory, bytes, &shape, PSY_STREAM_OLDEST), PSY_OK);
        for (int step = 0; step < 20; step++) {
            uint32_t got;
            write_some(&writer, (uint32_t)random_next(&seed) % 20);
            psy_stream_flush(&writer);
            uint64_t value = random_next(&seed) % 2 ? wild[random_next(&seed) % 10] : reader.position + random_next(&seed) % 40;
            ((uint64_t *)memory)[random_next(&seed) % 2 ? 16 + random_next(&seed) % 2 : random_next(&seed) % (bytes / 8)] =
                value;
            psy_status status = psy_stream_read(&reader, out, 1 + (uint32_t)random_next(&seed) % 64, &got, NULL);
            cr_assert_leq(got, 64u);
            cr_assert(got == 0 ? status != PSY_OK : status != PSY_EMPTY);
            const uint64_t *at = psy_stream_peek(&reader, 8, &got);
            cr_assert(!at || ((const uint8_t *)at >= reader.slots_at &&
                              (const uint8_t *)at + got * 16 <= reader.slots_at + (size_t)shape.slots * 16));
            (void)psy_stream_intact(&reader);
            psy_stream_release(&reader, got);
        }
        free(memory);
    }
}
