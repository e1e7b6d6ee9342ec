/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of schema.psy, through the accessors that psynec makes. */
#include "schema.psy.h"
#include "tests/perf/bench.h"
#include "tests/perf/schema.h"

static_assert(BENCH_SEARCH_VECTOR_COUNT == SCHEMA_DIM && BENCH_CONTAINER_LIST_COUNT == SCHEMA_LIST, "all write as much");

static void set_bar(bench_bar *b, const schema_foobar *f)
{
    b->parent.id = f->id;
    b->parent.count = f->count;
    b->parent.prefix = f->prefix;
    b->parent.length = f->length;
    b->time = f->time;
    b->ratio = f->ratio;
    b->size = f->size;
}

static uint64_t bar_sum(const bench_bar *b)
{
    return (uint64_t)b->ratio + b->size + (uint64_t)b->time + (uint64_t)b->parent.count + b->parent.id + b->parent.length +
           (uint64_t)b->parent.prefix;
}

/* ---- with bounds ---- */

static void encode_container(void *to, const void *of)
{
    const schema_container *in = of;
    bench_container *m = bench_container_init(to);
    bench_foo_bar *list = bench_container_mutable_list(m);
    bool good = true;
    for (size_t i = 0; i < SCHEMA_LIST; i++) {
        const schema_foobar *f = &in->list[i];
        set_bar(bench_foo_bar_mutable_sibling(&list[i]), f);
        good &= bench_foo_bar_set_name(&list[i], f->name.at, f->name.bytes);
        bench_foo_bar_set_rating(&list[i], f->rating);
        bench_foo_bar_set_postfix(&list[i], f->postfix);
    }
    bench_container_set_initialized(m, in->initialized);
    bench_container_set_fruit(m, in->fruit);
    good &= bench_container_set_location(m, in->location.at, in->location.bytes);
    if (!good) {
        bench_fail("psyne: a text was not taken");
    }
}

static uint64_t decode_container(const void *bytes, size_t n)
{
    const bench_container *m = bytes;
    const bench_foo_bar *list = bench_container_list(m);
    uint64_t sum = (uint64_t)bench_container_initialized(m) + (uint64_t)bench_container_fruit(m);
    (void)n;
    sum += schema_text_sum(bench_container_location(m), bench_container_location_bytes(m));
    for (size_t i = 0; i < SCHEMA_LIST; i++) {
        const bench_foo_bar *f = &list[i];
        sum += schema_text_sum(bench_foo_bar_name(f), bench_foo_bar_name_bytes(f)) + bench_foo_bar_postfix(f);
        sum += (uint64_t)bench_foo_bar_rating(f) + bar_sum(bench_foo_bar_sibling(f));
    }
    return sum;
}

static bool verify_container(const void *bytes, size_t n) { return bench_container_verify(bytes, n) == PSY_OK; }

/* ---- without ---- */

static size_t write_open(void *to, const void *of)
{
    const schema_container *in = of;
    psy_builder b;
    bench_open_container *m = bench_open_container_begin(&b, to, SCHEMA_ROOM);
    bench_open_foo_bar *list = bench_open_container_set_list(&b, m, SCHEMA_LIST);
    for (size_t i = 0; i < SCHEMA_LIST; i++) {
        const schema_foobar *f = &in->list[i];
        set_bar(bench_open_foo_bar_mutable_sibling(&list[i]), f);
        bench_open_foo_bar_set_name(&b, &list[i], f->name.at, f->name.bytes);
        bench_open_foo_bar_set_rating(&list[i], f->rating);
        bench_open_foo_bar_set_postfix(&list[i], f->postfix);
    }
    bench_open_container_set_initialized(m, in->initialized);
    bench_open_container_set_fruit(m, in->fruit);
    bench_open_container_set_location(&b, m, in->location.at, in->location.bytes);
    return psy_builder_finish(&b);
}

static void encode_open(void *to, const void *of)
{
    if (write_open(to, of) == 0) {
        bench_fail("psyne: the message was not built");
    }
}

static uint64_t decode_open(const void *bytes, size_t n)
{
    const bench_open_container_view v = {bytes, (uint32_t)n}; /* as bench_open_container_view_init leaves it */
    const psy_text location = bench_open_container_location(v);
    uint64_t sum = (uint64_t)bench_open_container_initialized(v.message) + (uint64_t)bench_open_container_fruit(v.message);
    sum += schema_text_sum(location.at, location.bytes);
    for (uint32_t i = 0; i < bench_open_container_list_count(v); i++) {
        const bench_open_foo_bar_view f = bench_open_container_list(v, i);
        const psy_text name = bench_open_foo_bar_name(f);
        sum += schema_text_sum(name.at, name.bytes) + bench_open_foo_bar_postfix(f.message);
        sum += (uint64_t)bench_open_foo_bar_rating(f.message) + bar_sum(bench_open_foo_bar_sibling(f.message));
    }
    return sum;
}

static bool verify_open(const void *bytes, size_t n) { return bench_open_container_verify(bytes, n) == PSY_OK; }

/* ---- 256 numbers ---- */

static void encode_search(void *to, const void *of)
{
    const schema_search *in = of;
    bench_search *m = bench_search_init(to);
    bench_search_set_key(m, in->key);
    memcpy(bench_search_mutable_vector(m), in->vector, SCHEMA_DIM * sizeof(float));
    bench_search_set_k(m, in->k);
}

static uint64_t decode_search(const void *bytes, size_t n)
{
    const bench_search *m = bytes;
    (void)n;
    return bench_search_key(m) + bench_search_k(m) + schema_vector_sum(bench_search_vector(m), SCHEMA_DIM);
}

static bool verify_search(const void *bytes, size_t n) { return bench_search_verify(bytes, n) == PSY_OK; }

const schema_format schema_psyne_container = {.name = "psyne",
                                              .encode = encode_container,
                                              .decode = decode_container,
                                              .verify = verify_container,
                                              .verify_name = "psyne"};
const schema_format schema_psyne_open = {.name = "psyne",
                                         .encode = encode_open,
                                         .write = write_open,
                                         .decode = decode_open,
                                         .verify = verify_open,
                                         .verify_name = "psyne"};
const schema_format schema_psyne_search = {
    .name = "psyne", .encode = encode_search, .decode = decode_search, .verify = verify_search, .verify_name = "psyne"};
