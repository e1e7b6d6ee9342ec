/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to write a message, to read all of it, and to check one that came from outside.
 *
 *   schema/encode, schema/decode, schema/verify                        the container: lists, structs, texts; psyne's with
 * bounds schema/encode/open, schema/decode/open, schema/verify/open         the same, psyne's lists and texts without bounds
 *   schema/encode/vector, schema/decode/vector, schema/verify/vector   a key, 256 numbers and a count
 *
 * Beside a C struct that is written and read as it is, Cap'n Proto and MessagePack. All write the same values into the same
 * memory again and again, and read the same bytes, which are in the first-level cache; what they allocate, they keep. A run is
 * cut into groups of calls and counts as its fastest hundredth: these are nanoseconds, and the slower groups tell of the
 * machine's other work. After every run the sum of what was written is compared. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/perf/bench.h"
#include "tests/perf/cores.h"
#include "tests/perf/schema.h"

/* Calls of one timed group, some microseconds. */
enum { CALLS = 256 };

/* One message in all formats; each gets memory of its own. */
typedef struct work {
    const schema_format *format;
    const void *in;
    uint64_t sum;
    uint8_t *memory; /* what is written to */
    uint8_t *bytes;  /* what is read, `n` of them */
    size_t n;
} work;

enum { FORMATS = 5 };
_Static_assert(FORMATS <= 1 + BENCH_PEERS_MAX, "a figure compares them all");

/* The work of contestant number `which`: bench_run has one context for all. */
static work works[FORMATS];

/* CALLS calls; 0 if they did right. */
typedef uint64_t calls(const work *w);

static uint64_t encode(const work *w)
{
    for (int i = 0; i < CALLS; i++) {
        w->format->encode(w->memory, w->in);
    }
    return 0;
}

static uint64_t decode(const work *w)
{
    uint64_t wrong = 0;
    for (int i = 0; i < CALLS; i++) {
        wrong |= w->format->decode(w->bytes, w->n) ^ w->sum;
    }
    return wrong;
}

static uint64_t verify(const work *w)
{
    uint64_t wrong = 0;
    for (int i = 0; i < CALLS; i++) {
        wrong |= !w->format->verify(w->bytes, w->n);
    }
    return wrong;
}

/* Seconds of a run, were all of its groups as fast as a hundredth of them is. */
static double timed(calls *call, work *w, uint64_t amount)
{
    const size_t groups = amount / CALLS;
    double *seconds = bench_memory(groups * sizeof *seconds), fast;
    uint64_t wrong = 0;
    for (size_t i = 0; i < groups; i++) {
        const uint64_t before = psy__now_ns();
        wrong |= call(w);
        seconds[i] = (double)(psy__now_ns() - before) * 1e-9;
    }
    if (wrong) {
        bench_fail("%s: not what was written", w->format->name);
    }
    bench_median(seconds, groups); /* sorts */
    fast = seconds[groups / 100];
    free(seconds);
    return fast * (double)groups;
}

static void check(const work *w, const uint8_t *bytes, size_t n)
{
    if (w->format->decode(bytes, n) != w->sum || (w->format->verify && !w->format->verify(bytes, n))) {
        bench_fail("%s: what was written is not what is read", w->format->name);
    }
}

static double run_encode(work *w, uint64_t amount)
{
    double seconds = timed(encode, w, amount);
    if (w->format->write) {
        check(w, w->bytes, w->format->write(w->bytes, w->in));
    } else {
        check(w, w->memory, SCHEMA_ROOM);
    }
    return seconds;
}

#define RUNS(i)                                                                                                                \
    static double encode_##i(void *c, uint64_t amount) { return (void)c, run_encode(&works[i], amount); }                      \
    static double decode_##i(void *c, uint64_t amount) { return (void)c, timed(decode, &works[i], amount); }                   \
    static double verify_##i(void *c, uint64_t amount) { return (void)c, timed(verify, &works[i], amount); }
RUNS(0)
RUNS(1)
RUNS(2)
RUNS(3)
RUNS(4)
static bench_run *const encodes[FORMATS] = {encode_0, encode_1, encode_2, encode_3, encode_4};
static bench_run *const decodes[FORMATS] = {decode_0, decode_1, decode_2, decode_3, decode_4};
static bench_run *const verifies[FORMATS] = {verify_0, verify_1, verify_2, verify_3, verify_4};

static void measure(const char *name, bench_run *const *runs)
{
    bench_figure f = {.name = name, .unit = &bench_nanoseconds, .step = CALLS, .seconds = 0.1};
    size_t peers = 0;
    for (size_t i = 0; i < FORMATS && works[i].format; i++) {
        const schema_format *format = works[i].format;
        const bool verifying = runs == verifies;
        if ((format->encode_only && runs != encodes) || (verifying && !format->missing && !format->verify)) {
            continue; /* there is nothing to compare with */
        }
        const bench_contestant c = {.name = verifying && !format->missing ? format->verify_name : format->name,
                                    .run = format->missing ? NULL : runs[i],
                                    .missing = format->missing};
        if (i == 0) {
            f.subject = c;
        } else {
            f.peers[peers++] = c;
        }
    }
    bench_measure(&f);
}

/* A message in each of the formats, the subject first. */
static void prepare(const void *in, uint64_t sum, const schema_format *const *formats)
{
    memset(works, 0, sizeof works);
    for (size_t i = 0; i < FORMATS && formats[i]; i++) {
        work *w = &works[i];
        *w = (work){.format = formats[i],
                    .in = in,
                    .sum = sum,
                    .memory = bench_memory(SCHEMA_ROOM),
                    .bytes = bench_memory(SCHEMA_ROOM)};
        if (!w->format->missing) {
            w->n = SCHEMA_ROOM;
            if (w->format->write) {
                w->n = w->format->write(w->bytes, in);
            } else {
                w->format->encode(w->bytes, in);
            }
            check(w, w->bytes, w->n);
        }
    }
}

static void finish(void)
{
    for (size_t i = 0; i < FORMATS; i++) {
        free(works[i].memory);
        free(works[i].bytes);
    }
}

static uint64_t text_sum(schema_text text) { return schema_text_sum(text.at, text.bytes); }

/* The values of flatcc's message: some differ from element to element. */
static uint64_t fill_container(schema_container *c)
{
    static const char name[] = "Hello, World!", location[] = "https://www.example.com/myurl/";
    uint64_t sum;
    c->location = (schema_text){location, strlen(location)};
    c->fruit = 2;
    c->initialized = true;
    sum = 3 + text_sum(c->location);
    for (unsigned i = 0; i < SCHEMA_LIST; i++) {
        schema_foobar *f = &c->list[i];
        *f = (schema_foobar){.id = UINT64_C(0xABADCAFEABADCAFE) + i,
                             .length = 1000000 + i,
                             .time = (int32_t)(123456 + i),
                             .name = {name, strlen(name)},
                             .rating = 3.1415432432445543543 + i,
                             .ratio = 3.14159f + (float)i,
                             .size = (uint16_t)(10000 + i),
                             .count = (int16_t)(10000 + i),
                             .prefix = (int8_t)('@' + i),
                             .postfix = (uint8_t)('!' + i)};
        sum += f->id + f->length + (uint64_t)f->time + text_sum(f->name) + (uint64_t)f->rating + (uint64_t)f->ratio + f->size;
        sum += (uint64_t)f->count + (uint64_t)f->prefix + f->postfix;
    }
    return sum;
}

static uint64_t fill_search(schema_search *s, float *vector)
{
    *s = (schema_search){.key = UINT64_C(0xABADCAFE), .vector = vector, .k = 10};
    for (unsigned i = 0; i < SCHEMA_DIM; i++) {
        vector[i] = (float)(i % 97);
    }
    return s->key + s->k + schema_vector_sum(vector, SCHEMA_DIM);
}

int main(int argc, char **argv)
{
    static const schema_format *const containers[FORMATS] = {&schema_psyne_container, &schema_raw_container,
                                                             &schema_capnp_container, &schema_capnp_kept_container,
                                                             &schema_msgpack_container};
    static const schema_format *const open[FORMATS] = {&schema_psyne_open, &schema_raw_container, &schema_capnp_container,
                                                       &schema_capnp_kept_container, &schema_msgpack_container};
    static const schema_format *const searches[FORMATS] = {&schema_psyne_search, &schema_raw_search, &schema_capnp_search,
                                                           &schema_capnp_kept_search, &schema_msgpack_search};
    schema_container container;
    schema_search search;
    float vector[SCHEMA_DIM];
    cores_pin(0);
    bench_begin(argc, argv, "bench_schema");
    prepare(&container, fill_container(&container), containers);
    measure("schema/encode", encodes);
    measure("schema/decode", decodes);
    measure("schema/verify", verifies);
    finish();
    prepare(&container, fill_container(&container), open);
    measure("schema/encode/open", encodes);
    measure("schema/decode/open", decodes);
    measure("schema/verify/open", verifies);
    finish();
    prepare(&search, fill_search(&search, vector), searches);
    measure("schema/encode/vector", encodes);
    measure("schema/decode/vector", decodes);
    measure("schema/verify/vector", verifies);
    finish();
    return bench_end();
}
