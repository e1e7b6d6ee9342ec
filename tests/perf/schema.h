/* SPDX-License-Identifier: Apache-2.0 */
/* What bench_schema writes and reads, in every format, and the formats: two messages.
 *
 *   container   lists, structs in structs, texts: the message of flatcc's benchmark (Foo in Bar in FooBar, three of them in a
 * container) search      a key, 256 numbers and a count
 *
 * Every format gets the same values and gives the same sum of all that it reads: numbers as integers, of texts the length and
 * the last character. */
#ifndef PSY_TESTS_PERF_SCHEMA_H
#define PSY_TESTS_PERF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SCHEMA_LIST = 3, SCHEMA_DIM = 256, SCHEMA_ROOM = 4096 };

typedef struct schema_text {
    const char *at;
    size_t bytes;
} schema_text;

typedef struct schema_foobar {
    uint64_t id;
    uint32_t length;
    int32_t time;
    schema_text name;
    double rating;
    float ratio;
    uint16_t size;
    int16_t count;
    int8_t prefix;
    uint8_t postfix;
} schema_foobar;

typedef struct schema_container {
    schema_foobar list[SCHEMA_LIST];
    schema_text location;
    uint8_t fruit;
    bool initialized;
} schema_container;

typedef struct schema_search {
    uint64_t key;
    const float *vector; /* [SCHEMA_DIM] */
    uint16_t k;
} schema_search;

/* One message of a format. None of them allocates what it could keep. */
typedef struct schema_format {
    const char *name;
    const char *missing; /* without functions: the package that would bring them */
    /* Writes the message of `in`, a schema_container or schema_search, to `to`, SCHEMA_ROOM bytes at a multiple of 64. */
    void (*encode)(void *to, const void *in);
    /* The same, for what reads it, where `encode` leaves nothing behind; NULL: encode does. Returns its bytes. */
    size_t (*write)(void *to, const void *in);
    uint64_t (*decode)(const void *bytes, size_t n); /* the sum */
    bool (*verify)(const void *bytes, size_t n);     /* whether it can be read safely; NULL: nothing checks that */
    const char *verify_name;                         /* what it does for that */
    bool encode_only;                                /* another way to write what a format before this one reads */
} schema_format;

extern const schema_format schema_psyne_container, schema_psyne_open, schema_psyne_search;
extern const schema_format schema_raw_container, schema_raw_search;
#if defined(HAVE_CAPNP) || defined(__cplusplus)
extern const schema_format schema_capnp_container, schema_capnp_search, schema_capnp_kept_container, schema_capnp_kept_search;
#else
static const schema_format schema_capnp_container = {.name = "Cap'n Proto", .missing = "libcapnp-dev, capnproto"};
static const schema_format schema_capnp_search = {.name = "Cap'n Proto", .missing = "libcapnp-dev, capnproto"};
static const schema_format schema_capnp_kept_container = {
    .name = "Cap'n Proto, memory kept", .missing = "libcapnp-dev, capnproto", .encode_only = true};
static const schema_format schema_capnp_kept_search = {
    .name = "Cap'n Proto, memory kept", .missing = "libcapnp-dev, capnproto", .encode_only = true};
#endif
#ifdef HAVE_MSGPACK
extern const schema_format schema_msgpack_container, schema_msgpack_search;
#elif !defined(__cplusplus)
static const schema_format schema_msgpack_container = {.name = "MessagePack", .missing = "libmsgpack-dev"};
static const schema_format schema_msgpack_search = {.name = "MessagePack", .missing = "libmsgpack-dev"};
#endif

/* In all of them whole numbers, one way or the other. */
static inline uint64_t schema_text_sum(const char *at, size_t bytes)
{
    return bytes + (bytes > 0 ? (unsigned char)at[bytes - 1] : 0);
}

/* Numbers one after the other: those who can give them so. */
static inline uint64_t schema_vector_sum(const float *x, size_t n)
{
    float sums[8] = {0};
    uint64_t sum = 0;
    size_t i, k;
    for (i = 0; i + 8 <= n; i += 8) {
        for (k = 0; k < 8; k++) {
            sums[k] += x[i + k];
        }
    }
    for (k = 0; k < 8; k++) {
        sum += (uint64_t)sums[k];
    }
    return sum;
}

#ifdef __cplusplus
}
#endif
#endif
