/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of mixed sizes through rings of every kind for a long time, every byte looked at: how many a second, how many were
 * lost, written over while they were read, or left memory, descriptors or mappings behind.
 *
 *   soak [seconds [least million messages a second]]
 *
 * Two threads produce and two consume, through all rings at once. Every second the slab, its seats and its rings are made anew.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#include <psyne/ring.h>
#include <psyne/seat.h>
#include <psyne/slab.h>

enum { SIDES = 2, RUN_SLOTS_MAX = 5 };

/* A ring of the soak. Messages of one slot, or (`runs`) of 1 to 5 that lie together. */
typedef struct lane {
    const char *name;
    psy_ring_shape shape;
    uint32_t batch; /* messages at a time */
    bool runs;
} lane;

static const lane lanes[] = {
    {"SPSC, 8 bytes", {PSY_RING_SPSC, 8, 65536}, 4096, false},
    {"SPSC, 256 bytes", {PSY_RING_SPSC, 256, 4096}, 128, false},
    {"SPSC, 4 KiB", {PSY_RING_SPSC, 4096, 128}, 8, false},
    {"MPSC, 64 bytes", {PSY_RING_MPSC, 64, 16384}, 512, false},
    {"MPSC, 64 to 320 bytes", {PSY_RING_MPSC, 64, 8192}, 128, true},
    {"MPSC, 8 bytes", {PSY_RING_MPSC, 8, 65536}, 4096, false},
    {"SPMC, 24 bytes", {PSY_RING_SPMC, 24, 16384}, 512, false},
    {"MPMC, 16 bytes", {PSY_RING_MPMC, 16, 32768}, 2048, false},
    {"MPMC, 512 bytes", {PSY_RING_MPMC, 512, 1024}, 64, false},
};
enum { LANES = sizeof lanes / sizeof *lanes };

/* What one side of one ring has done, by producer. */
typedef struct account {
    uint64_t messages, mixed; /* how many, and the sum of their numbers, mixed */
} account;

typedef struct hand {
    psy_ring ring;
    uint64_t next[SIDES]; /* number of the next message: of mine, or of each producer's */
    account made[SIDES];  /* by producer */
    bool joined;
    uint8_t pad[64]; /* hands are written at every message: not on one line */
} hand;

typedef struct soak {
    psy_slab *slab;
    uint8_t *memory[LANES];
    psy_seat seats[2 * SIDES];
    hand hands[2 * SIDES][LANES]; /* producers, then consumers */
    _Atomic bool stop;
    _Atomic uint32_t producing;
    _Atomic uint64_t torn, disordered, overrun;
} soak;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "soak: %s: %s\n", what, psy_detail());
    exit(1);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

/* ---- messages ---- */

/* The first word says the producer, the slots and the number; the others follow from it. */
static uint64_t head_of(uint32_t producer, uint32_t slots, uint64_t number)
{
    return (uint64_t)producer << 62 | (uint64_t)slots << 56 | number;
}

static void write_message(uint64_t *to, uint64_t words, uint64_t head)
{
    to[0] = head;
    for (uint64_t i = 1; i < words; i++) {
        to[i] = head + i;
    }
}

static bool is_message(const uint64_t *at, uint64_t words, uint64_t head)
{
    uint64_t wrong = at[0] ^ head;
    for (uint64_t i = 1; i < words; i++) {
        wrong |= at[i] ^ (head + i);
    }
    return wrong == 0;
}

/* ---- producing ---- */

static bool produce_runs(hand *h, uint32_t me, const lane *l)
{
    uint64_t made = h->made[me].messages;
    for (uint32_t i = 0; i < l->batch; i++) {
        uint32_t slots = 1 + (uint32_t)(mix(h->next[me]) % RUN_SLOTS_MAX);
        uint64_t *at = psy_ring_claim_run(&h->ring, slots), number = h->next[me];
        if (!at) {
            break;
        }
        write_message(at, (uint64_t)slots * l->shape.stride / 8, head_of(me, slots, number));
        psy_ring_commit(&h->ring, slots);
        h->next[me]++;
        h->made[me].messages++;
        h->made[me].mixed += mix(number);
    }
    return h->made[me].messages != made;
}

static bool produce_some(hand *h, uint32_t me, const lane *l)
{
    uint32_t got;
    uint64_t words = l->shape.stride / 8, number = h->next[me], mixed = 0;
    uint64_t *at = psy_ring_claim(&h->ring, l->batch, &got);
    for (uint32_t i = 0; i < got; i++, number++) {
        write_message(at + i * words, words, head_of(me, 1, number));
        mixed += mix(number);
    }
    if (got) {
        psy_ring_commit(&h->ring, got);
        psy_ring_flush(&h->ring);
    }
    h->next[me] = number;
    h->made[me].messages += got;
    h->made[me].mixed += mixed;
    return got != 0;
}

typedef struct worker {
    soak *s;
    uint32_t me; /* of its side */
    pthread_t thread;
} worker;

static void *produce(void *argument)
{
    worker *w = argument;
    soak *s = w->s;
    hand *hands = s->hands[w->me];
    uint32_t idle = w->me;
    while (!s->stop) {
        bool some = false;
        for (uint32_t i = 0; i < LANES; i++) {
            if (hands[i].joined &&
                (lanes[i].runs ? produce_runs(&hands[i], w->me, &lanes[i]) : produce_some(&hands[i], w->me, &lanes[i]))) {
                psy_ring_wake_consumer(&hands[i].ring);
                some = true;
            }
        }
        if (!some) { /* all are full: wait for one, another each time */
            idle = (idle + 1) % LANES;
            hand *h = &hands[idle];
            if (h->joined && psy_ring_wait_room(&h->ring, 200000) == PSY_CORRUPT) {
                fail(lanes[idle].name);
            }
        }
    }
    for (uint32_t i = 0; i < LANES; i++) {
        if (hands[i].joined) {
            psy_ring_leave(&hands[i].ring);
        }
    }
    s->producing--;
    return NULL;
}

/* ---- consuming ---- */

static bool consume_some(soak *s, hand *h, const lane *l)
{
    psy_ring_span spans[2];
    uint64_t words = l->shape.stride / 8;
    uint32_t got = psy_ring_peek_spans(&h->ring, l->runs ? UINT32_MAX : l->batch, spans);
    for (uint32_t part = 0, n; part < 2; part++) {
        const uint64_t *at = spans[part].at;
        for (uint32_t i = 0; i < spans[part].count; i += n) {
            const uint64_t *message = at + i * words;
            uint64_t head = message[0], from = head >> 62, number = head & ((UINT64_C(1) << 56) - 1);
            n = (uint32_t)(head >> 56) & 63;
            if (from >= SIDES || n == 0 || n > (l->runs ? RUN_SLOTS_MAX : 1) || n > spans[part].count - i ||
                !is_message(message, n * words, head)) {
                s->torn++;
                n = 1;
                continue;
            }
            bool alone = !psy_ring_many_consumers(&h->ring);
            s->disordered += alone ? number != h->next[from] : number < h->next[from];
            h->next[from] = number + 1;
            h->made[from].messages++;
            h->made[from].mixed += mix(number);
        }
        /* Still as it was: nobody wrote while we read. */
        for (uint32_t i = 0; i < spans[part].count; i += n) {
            uint64_t head = at[i * words];
            n = (uint32_t)(head >> 56) & 63;
            n = n && n <= spans[part].count - i ? n : 1;
            if (at[(i + n) * words - 1] != head + n * words - 1) {
                s->overrun++;
            }
        }
    }
    if (got) {
        psy_ring_release(&h->ring, got);
        psy_ring_settle(&h->ring);
    }
    return got != 0;
}

static void *consume(void *argument)
{
    worker *w = argument;
    soak *s = w->s;
    hand *hands = s->hands[SIDES + w->me];
    uint32_t idle = w->me;
    for (;;) {
        bool over = s->producing == 0, some = false; /* before the last look */
        for (uint32_t i = 0; i < LANES; i++) {
            if (hands[i].joined && consume_some(s, &hands[i], &lanes[i])) {
                psy_ring_wake_producer(&hands[i].ring);
                some = true;
            }
        }
        if (!some && over) {
            break;
        }
        if (!some) {
            idle = (idle + 1) % LANES;
            hand *h = &hands[idle];
            if (h->joined && psy_ring_wait(&h->ring, 200000) == PSY_CORRUPT) {
                fail(lanes[idle].name);
            }
        }
    }
    for (uint32_t i = 0; i < LANES; i++) {
        if (hands[i].joined) {
            psy_ring_leave(&hands[i].ring);
        }
    }
    return NULL;
}

/* ---- a second ---- */

static void set_up(soak *s)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < LANES; i++) {
        bytes += psy_ring_shape_bytes(&lanes[i].shape);
    }
    psy_slab_options options = {.bytes = bytes, .name = "soak", .pretouch = true};
    if (psy_slab_create(&options, &s->slab) != PSY_OK) {
        fail("no slab");
    }
    for (uint32_t i = 0; i < 2 * SIDES; i++) {
        if (psy_seat_take(s->slab, &s->seats[i]) != PSY_OK) {
            fail("no seat");
        }
    }
    uint8_t *at = psy_slab_data(s->slab);
    for (uint32_t i = 0; i < LANES; i++, at += bytes) {
        const psy_ring_shape *shape = &lanes[i].shape;
        bytes = psy_ring_shape_bytes(shape);
        if (psy_ring_format(at, bytes, shape) != PSY_OK) {
            fail("no ring");
        }
        for (uint32_t who = 0; who < 2 * SIDES; who++) {
            hand *h = &s->hands[who][i];
            bool sends = who < SIDES, many = shape->kind & (sends ? PSY_RING_MPSC : PSY_RING_SPMC);
            /* The single one is now this thread, now that. */
            h->joined = many || who % SIDES == i % SIDES;
            if (h->joined && psy_ring_join(&h->ring, sends ? PSY_RING_PRODUCER : PSY_RING_CONSUMER, at, bytes, shape,
                                           &s->seats[who]) != PSY_OK) {
                fail(lanes[i].name);
            }
            psy_ring_set_waiting(&h->ring, i % 2 ? PSY_RING_PARK : PSY_RING_YIELD);
        }
    }
}

typedef struct totals {
    uint64_t messages, bytes, losses, twice, torn, disordered, overruns, ns;
    uint64_t of[LANES];
} totals;

static void add_up(const soak *s, totals *t)
{
    for (uint32_t i = 0; i < LANES; i++) {
        for (uint32_t from = 0; from < SIDES; from++) {
            account sent = s->hands[from][i].made[from], came = {0, 0};
            for (uint32_t who = SIDES; who < 2 * SIDES; who++) {
                came.messages += s->hands[who][i].made[from].messages;
                came.mixed += s->hands[who][i].made[from].mixed;
            }
            t->losses += sent.messages > came.messages ? sent.messages - came.messages : 0;
            t->twice += came.messages > sent.messages ? came.messages - sent.messages
                                                      : came.messages == sent.messages && came.mixed != sent.mixed;
            t->of[i] += came.messages;
            t->messages += came.messages;
            t->bytes += came.messages * lanes[i].shape.stride * (lanes[i].runs ? 3 : 1);
        }
    }
    t->torn += s->torn;
    t->disordered += s->disordered;
    t->overruns += s->overrun;
}

static void one_second(totals *t, uint64_t ns)
{
    soak *s = calloc(1, sizeof *s);
    worker workers[2 * SIDES];
    if (!s) {
        fail("no memory");
    }
    set_up(s);
    s->producing = SIDES;
    uint64_t began = now_ns();
    for (uint32_t i = 0; i < 2 * SIDES; i++) {
        workers[i] = (worker){.s = s, .me = i % SIDES};
        if (pthread_create(&workers[i].thread, NULL, i < SIDES ? produce : consume, &workers[i]) != 0) {
            fail("no thread");
        }
    }
    struct timespec rest = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    nanosleep(&rest, NULL);
    s->stop = true;
    for (uint32_t i = 0; i < 2 * SIDES; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    t->ns += now_ns() - began;
    add_up(s, t);
    for (uint32_t i = 0; i < 2 * SIDES; i++) {
        psy_seat_leave(&s->seats[i]);
    }
    psy_slab_destroy(s->slab);
    free(s);
}

/* ---- what is left ---- */

static unsigned open_files(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 1024; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

static unsigned slab_mappings(void)
{
    char line[512];
    unsigned n = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        n += strstr(line, "memfd:soak") != NULL;
    }
    if (maps) {
        fclose(maps);
    }
    return n;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 60, least = argc > 2 ? atof(argv[2]) : 10;
    totals t = {0};
    unsigned files = open_files();
    for (uint64_t end = now_ns() + (uint64_t)(seconds * 1e9), now; (now = now_ns()) < end;) {
        one_second(&t, end - now < 1000000000 ? end - now : 1000000000);
        if (isatty(STDERR_FILENO)) {
            fprintf(stderr, "\rsoak: %.0f million messages, %.1f million a second", (double)t.messages / 1e6,
                    (double)t.messages * 1e3 / (double)t.ns);
        }
    }
    unsigned leaks = slab_mappings() + (open_files() > files ? open_files() - files : 0);
    const char *memory = "not looked at";
#if defined(__SANITIZE_ADDRESS__)
    bool leaked = __lsan_do_recoverable_leak_check() != 0;
    leaks += leaked;
    memory = leaked ? "some memory" : "no memory";
#endif
    double rate = (double)t.messages * 1e3 / (double)t.ns;
    for (uint32_t i = 0; i < LANES; i++) {
        printf("%-24s %7.2f million a second\n", lanes[i].name, (double)t.of[i] * 1e3 / (double)t.ns);
    }
    printf("%.0f s, %.0f million messages, %.2f million a second, %.2f GB/s\n", (double)t.ns / 1e9, (double)t.messages / 1e6,
           rate, (double)t.bytes / (double)t.ns);
    printf("losses %llu, twice %llu, torn %llu, out of order %llu, over-runs %llu, leaks %u (descriptors, mappings; %s)\n",
           (unsigned long long)t.losses, (unsigned long long)t.twice, (unsigned long long)t.torn,
           (unsigned long long)t.disordered, (unsigned long long)t.overruns, leaks, memory);
    uint64_t wrong = t.losses + t.twice + t.torn + t.disordered + t.overruns + leaks;
    printf("{\"name\": \"soak\", \"seconds\": %.1f, \"messages\": %llu, \"million_per_second\": %.2f, \"losses\": %llu, "
           "\"twice\": %llu, \"torn\": %llu, \"disordered\": %llu, \"overruns\": %llu, \"leaks\": %u}\n",
           (double)t.ns / 1e9, (unsigned long long)t.messages, rate, (unsigned long long)t.losses, (unsigned long long)t.twice,
           (unsigned long long)t.torn, (unsigned long long)t.disordered, (unsigned long long)t.overruns, leaks);
    if (wrong == 0 && rate < least) {
        fprintf(stderr, "soak: %.2f million messages a second, not %.2f\n", rate, least);
    }
    return wrong != 0 || rate < least;
}
