/* SPDX-License-Identifier: Apache-2.0 */
/* The messages as structs of C, written and read as they are: what nothing can be much faster than. Texts have room, as in
 * psyne's. */
#include <string.h>

#include "tests/perf/schema.h"

typedef struct raw_foo {
    uint64_t id;
    int16_t count;
    int8_t prefix;
    uint32_t length;
} raw_foo;

typedef struct raw_bar {
    raw_foo parent;
    int32_t time;
    float ratio;
    uint16_t size;
} raw_bar;

typedef struct raw_foobar {
    raw_bar sibling;
    uint32_t name_bytes;
    char name[32];
    double rating;
    uint8_t postfix;
} raw_foobar;

typedef struct raw_container {
    raw_foobar list[SCHEMA_LIST];
    bool initialized;
    int16_t fruit;
    uint32_t location_bytes;
    char location[32];
} raw_container;

typedef struct raw_search {
    uint64_t key;
    float vector[SCHEMA_DIM];
    uint16_t k;
} raw_search;

static void encode_container(void *to, const void *of)
{
    const schema_container *in = of;
    raw_container *m = to;
    for (size_t i = 0; i < SCHEMA_LIST; i++) {
        const schema_foobar *f = &in->list[i];
        raw_foobar *t = &m->list[i];
        t->sibling.parent.id = f->id;
        t->sibling.parent.count = f->count;
        t->sibling.parent.prefix = f->prefix;
        t->sibling.parent.length = f->length;
        t->sibling.time = f->time;
        t->sibling.ratio = f->ratio;
        t->sibling.size = f->size;
        memcpy(t->name, f->name.at, f->name.bytes);
        t->name_bytes = (uint32_t)f->name.bytes;
        t->rating = f->rating;
        t->postfix = f->postfix;
    }
    m->initialized = in->initialized;
    m->fruit = in->fruit;
    memcpy(m->location, in->location.at, in->location.bytes);
    m->location_bytes = (uint32_t)in->location.bytes;
}

static uint64_t decode_container(const void *bytes, size_t n)
{
    const raw_container *m = bytes;
    uint64_t sum = (uint64_t)m->initialized + (uint64_t)m->fruit + schema_text_sum(m->location, m->location_bytes);
    (void)n;
    for (size_t i = 0; i < SCHEMA_LIST; i++) {
        const raw_foobar *f = &m->list[i];
        sum += schema_text_sum(f->name, f->name_bytes) + f->postfix + (uint64_t)f->rating;
        sum += (uint64_t)f->sibling.ratio + f->sibling.size + (uint64_t)f->sibling.time;
        sum += (uint64_t)f->sibling.parent.count + f->sibling.parent.id + f->sibling.parent.length +
               (uint64_t)f->sibling.parent.prefix;
    }
    return sum;
}

static void encode_search(void *to, const void *of)
{
    const schema_search *in = of;
    raw_search *m = to;
    m->key = in->key;
    memcpy(m->vector, in->vector, sizeof m->vector);
    m->k = in->k;
}

static uint64_t decode_search(const void *bytes, size_t n)
{
    const raw_search *m = bytes;
    (void)n;
    return m->key + m->k + schema_vector_sum(m->vector, SCHEMA_DIM);
}

const schema_format schema_raw_container = {.name = "C struct", .encode = encode_container, .decode = decode_container};
const schema_format schema_raw_search = {.name = "C struct", .encode = encode_search, .decode = decode_search};
