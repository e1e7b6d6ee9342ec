/* SPDX-License-Identifier: Apache-2.0 */
/* The messages in MessagePack, as arrays: its most compact form. The buffer and the zone for what is read are kept, so that
 * nothing is allocated from the second message on. */
#include <msgpack.h>
#include <string.h>

#include "tests/perf/bench.h"
#include "tests/perf/schema.h"

/* As msgpack_sbuffer, in the caller's memory. */
typedef struct buffer {
    char *at;
    size_t bytes;
} buffer;

static int append(void *to, const char *bytes, size_t n)
{
    buffer *b = to;
    if (n > SCHEMA_ROOM - b->bytes) {
        return -1;
    }
    memcpy(b->at + b->bytes, bytes, n);
    b->bytes += n;
    return 0;
}

static void pack_text(msgpack_packer *p, schema_text text)
{
    msgpack_pack_str(p, text.bytes);
    msgpack_pack_str_body(p, text.at, text.bytes);
}

static size_t write_container(void *to, const void *of)
{
    const schema_container *in = of;
    buffer b = {to, 0};
    msgpack_packer p;
    msgpack_packer_init(&p, &b, append);
    msgpack_pack_array(&p, 4);
    msgpack_pack_array(&p, SCHEMA_LIST);
    for (size_t i = 0; i < SCHEMA_LIST; i++) {
        const schema_foobar *f = &in->list[i];
        msgpack_pack_array(&p, 4);
        msgpack_pack_array(&p, 4);
        msgpack_pack_array(&p, 4);
        msgpack_pack_uint64(&p, f->id);
        msgpack_pack_int16(&p, f->count);
        msgpack_pack_int8(&p, f->prefix);
        msgpack_pack_uint32(&p, f->length);
        msgpack_pack_int32(&p, f->time);
        msgpack_pack_float(&p, f->ratio);
        msgpack_pack_uint16(&p, f->size);
        pack_text(&p, f->name);
        msgpack_pack_double(&p, f->rating);
        msgpack_pack_uint8(&p, f->postfix);
    }
    in->initialized ? msgpack_pack_true(&p) : msgpack_pack_false(&p);
    msgpack_pack_uint8(&p, in->fruit);
    pack_text(&p, in->location);
    return b.bytes;
}

static size_t write_search(void *to, const void *of)
{
    const schema_search *in = of;
    buffer b = {to, 0};
    msgpack_packer p;
    msgpack_packer_init(&p, &b, append);
    msgpack_pack_array(&p, 3);
    msgpack_pack_uint64(&p, in->key);
    msgpack_pack_array(&p, SCHEMA_DIM);
    for (size_t i = 0; i < SCHEMA_DIM; i++) {
        msgpack_pack_float(&p, in->vector[i]);
    }
    msgpack_pack_uint16(&p, in->k);
    return b.bytes;
}

static void encode_container(void *to, const void *of) { (void)write_container(to, of); }
static void encode_search(void *to, const void *of) { (void)write_search(to, of); }

/* Everything of the message, in a zone that is used again; false: it is malformed. */
static bool parse(const void *bytes, size_t n, msgpack_object *to)
{
    static msgpack_zone *zone;
    size_t at = 0;
    if (!zone && !(zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE))) {
        bench_fail("no memory");
    }
    msgpack_zone_clear(zone);
    return msgpack_unpack(bytes, n, &at, zone, to) == MSGPACK_UNPACK_SUCCESS && at == n;
}

/* Numbers as integers, texts by length and last character, arrays by what is in them: one walk does for both messages. */
static uint64_t sum_of(const msgpack_object *o)
{
    uint64_t sum = 0;
    switch (o->type) {
    case MSGPACK_OBJECT_BOOLEAN: return o->via.boolean;
    case MSGPACK_OBJECT_POSITIVE_INTEGER: return o->via.u64;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: return (uint64_t)o->via.i64;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: return (uint64_t)o->via.f64;
    case MSGPACK_OBJECT_STR: return schema_text_sum(o->via.str.ptr, o->via.str.size);
    case MSGPACK_OBJECT_ARRAY:
        for (uint32_t i = 0; i < o->via.array.size; i++) {
            sum += sum_of(&o->via.array.ptr[i]);
        }
        return sum;
    default: bench_fail("msgpack: type %d", (int)o->type);
    }
}

static uint64_t decode(const void *bytes, size_t n)
{
    msgpack_object o;
    return parse(bytes, n, &o) ? sum_of(&o) : 0;
}

static bool verify(const void *bytes, size_t n)
{
    msgpack_object o;
    return parse(bytes, n, &o);
}

const schema_format schema_msgpack_container = {.name = "MessagePack",
                                                .encode = encode_container,
                                                .write = write_container,
                                                .decode = decode,
                                                .verify = verify,
                                                .verify_name = "MessagePack, parsed"};
const schema_format schema_msgpack_search = {.name = "MessagePack",
                                             .encode = encode_search,
                                             .write = write_search,
                                             .decode = decode,
                                             .verify = verify,
                                             .verify_name = "MessagePack, parsed"};
