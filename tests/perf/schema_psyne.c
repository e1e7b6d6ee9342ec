/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of schema.psy, through the accessors that psynec makes. */
#include "schema.psy.h"
#include "tests/perf/bench.h"
#include "tests/perf/schema.h"

static_assert(BENCH_SEARCH_VECTOR_COUNT == SCHEMA_DIM, "all write as much");

static void set_foobar(bench_foo_bar *m, const schema_foobar *f)
{
    bench_foo_bar_set_id(m, f->id);
    bench_foo_bar_set_count(m, f->count);
    bench_foo_bar_set_prefix(m, f->prefix);
    bench_foo_bar_set_length(m, f->length);
    bench_foo_bar_set_time(m, f->time);
    bench_foo_bar_set_ratio(m, f->ratio);
    bench_foo_bar_set_size(m, f->size);
    if (!bench_foo_bar_set_name(m, f->name.at, f->name.bytes)) {
        bench_fail("psyne: no name");
    }
    bench_foo_bar_set_rating(m, f->rating);
    bench_foo_bar_set_postfix(m, f->postfix);
}

static void encode_container(void *to, const void *of)
{
    const schema_container *in = of;
    bench_container *m = bench_container_init(to);
    set_foobar(bench_container_mutable_a(m), &in->list[0]);
    set_foobar(bench_container_mutable_b(m), &in->list[1]);
    set_foobar(bench_container_mutable_c(m), &in->list[2]);
    bench_container_set_initialized(m, in->initialized);
    bench_container_set_fruit(m, in->fruit);
    if (!bench_container_set_location(m, in->location.at, in->location.bytes)) {
        bench_fail("psyne: no location");
    }
}

static uint64_t sum_of(const bench_foo_bar *m)
{
    uint64_t sum = schema_text_sum(bench_foo_bar_name(m), bench_foo_bar_name_bytes(m)) + bench_foo_bar_postfix(m);
    sum += (uint64_t)bench_foo_bar_rating(m) + (uint64_t)bench_foo_bar_ratio(m) + bench_foo_bar_size(m);
    sum += (uint64_t)bench_foo_bar_time(m) + (uint64_t)bench_foo_bar_count(m) + bench_foo_bar_id(m);
    return sum + bench_foo_bar_length(m) + (uint64_t)bench_foo_bar_prefix(m);
}

static uint64_t decode_container(const void *bytes, size_t n)
{
    const bench_container *m = bytes;
    uint64_t sum = (uint64_t)bench_container_initialized(m) + (uint64_t)bench_container_fruit(m);
    (void)n;
    sum += schema_text_sum(bench_container_location(m), bench_container_location_bytes(m));
    return sum + sum_of(bench_container_a(m)) + sum_of(bench_container_b(m)) + sum_of(bench_container_c(m));
}

static bool verify_container(const void *bytes, size_t n) { return bench_container_verify(bytes, n) == PSY_OK; }

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
const schema_format schema_psyne_search = {
    .name = "psyne", .encode = encode_search, .decode = decode_search, .verify = verify_search, .verify_name = "psyne"};
