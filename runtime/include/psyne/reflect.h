/* SPDX-License-Identifier: Apache-2.0 */
/* Reflection: what message types hold and where, as generated headers carry it and as modules (.psm) store it, byte for byte.
 * The rules that the offsets follow are in doc/messages.md.
 *
 *   const psy_type *type = shop_order_type();
 *   const psy_psm_type *t = psy_reflect_type(type);
 *   for (uint32_t i = 0; i < t->field_count; i++) {
 *       const psy_psm_field *f = psy_reflect_field(type, i);
 *       if (f->parent == PSY_NONE) puts(psy_reflect_string(type->reflection, f->name));
 *   }
 *
 * Everything is constant and may be shared by all threads. Nothing blocks, nothing allocates. */
#ifndef PSYNE_REFLECT_H
#define PSYNE_REFLECT_H

#include <psyne/dtype.h>
#include <psyne/message.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PSY_NONE UINT32_C(0xFFFFFFFF) /* no register, field, program, type ... (u32) */

/* psy_psm_type.kind. MESSAGE: header and fields. STRUCT: fields only, for good. UNION: one of its fields, which one a tag says
 * (its place among those that have no parent, from 1). ENUM, FLAGS: numbers with names; their fields are those, as
 * default_bits. */
enum {
    PSY_TYPE_MESSAGE = 0,
    PSY_TYPE_STRUCT = 1,
    PSY_TYPE_UNION = 2,
    PSY_TYPE_ENUM = 3,
    PSY_TYPE_FLAGS = 4,
    PSY_TYPE_KIND_END
};
/* psy_psm_type.flags. TAILED: something in it has no bound, so its messages have sizes of their own. */
enum { PSY_TYPE_TAILED = 1, PSY_TYPE_FLAGS_ALL = 1 };

/* A type. Those that its fields name come before it. */
typedef struct psy_psm_type {
    uint32_t name; /* "nearest.Query"; partial records: "nearest.PIPELINE#partial"; a union in a message: "shop.Order.source" */
    uint32_t first_field, field_count;
    uint32_t bytes; /* MESSAGE: header, fields and padding, without the tail: of one that has no tail also its stride; a
                     * multiple of 64. STRUCT, UNION: a multiple of `align`. ENUM, FLAGS: those of the number */
    uint64_t layout_hash;
    uint16_t version; /* highest `since` */
    uint8_t flags;
    uint8_t depth; /* of types in types: 0 where there are none, 8 at most */
    uint8_t kind;
    uint8_t dtype; /* ENUM, FLAGS; else 0 */
    uint16_t align;
} psy_psm_type;
static_assert(sizeof(psy_psm_type) == 32 && offsetof(psy_psm_type, layout_hash) == 16, "module type is ABI");

/* psy_psm_field.kind: SCALAR T, ARRAY T[N], BOUNDED T[<=N], OPTIONAL T? and T[N]?, PART a message inside the message,
 * VARIANT variant[<=N] and variant, STRUCT a struct inside, UNION one of several, TAIL T[]: elements in the message's tail.
 * Bounded texts are BOUNDED u8 (string[<=N]) or OPTIONAL u8 (string[<=N]?); several of them are ARRAY or BOUNDED u8. */
enum {
    PSY_FIELD_SCALAR = 0,
    PSY_FIELD_ARRAY = 1,
    PSY_FIELD_BOUNDED = 2,
    PSY_FIELD_OPTIONAL = 3,
    PSY_FIELD_PART = 4,
    PSY_FIELD_VARIANT = 5,
    PSY_FIELD_STRUCT = 6,
    PSY_FIELD_UNION = 7,
    PSY_FIELD_TAIL = 8,
    PSY_FIELD_KIND_END
};
/* psy_psm_field.flags. KEY: the routing key. TEXT: of u8, the elements are UTF-8. IS_ARRAY: an optional T[N]; several texts,
 * string[<=N][M], string[<=N][<=M] and string[]. ITEMS: the elements are structs or messages, of `type`. OPEN: a VARIANT
 * without a bound. MAYBE: a TAIL that may be missing (string?). RETIRED: nobody reads or writes it any more. DEPRECATED: nobody
 * should. Bits 8 to 11 are the logarithm of @align, 0 where there is none. */
enum {
    PSY_FIELD_KEY = 1,
    PSY_FIELD_TEXT = 2,
    PSY_FIELD_IS_ARRAY = 4,
    PSY_FIELD_ITEMS = 8,
    PSY_FIELD_OPEN = 16,
    PSY_FIELD_MAYBE = 32,
    PSY_FIELD_RETIRED = 64,
    PSY_FIELD_DEPRECATED = 128,
    PSY_FIELD_ALIGN_SHIFT = 8,
    PSY_FIELD_FLAGS_ALL = 0xfff
};

/* A field of a type. What lies in a PART or STRUCT follows it, with its index as parent and offsets in the outer type. */
typedef struct psy_psm_field {
    uint32_t name; /* of what lies in a part: "q.vector" */
    uint8_t dtype; /* of the elements; u8 where they are no numbers */
    uint8_t kind;
    uint16_t flags;
    uint32_t count;  /* elements (ARRAY, OPTIONAL), bound (BOUNDED), 1 (SCALAR), bytes (PART, VARIANT, STRUCT, UNION; of an
                      * OPTIONAL text the most); TAIL, OPEN: 0 */
    uint32_t offset; /* of the first element, or of the part, from the start of the type. TAIL: of the psy_tail. OPEN: of the
                      * u32 that says where its elements are */
    uint32_t count_offset; /* BOUNDED: of the u32 count; OPTIONAL: of the presence byte, 0 or 1; VARIANT: of the
                            * psy_variant_head; UNION: of the tag byte; else PSY_NONE */
    uint32_t since;        /* version of its message (its part, where it lies in one) that added it, from 1 */
    uint32_t inner;        /* several bounded texts: most bytes of each; ITEMS: bytes of each; else 1 */
    uint32_t inner_offset; /* several bounded texts: of their u32 lengths, `count` of them; OPTIONAL text: of its u32 length;
                            * else PSY_NONE */
    uint32_t parent;       /* the part that it lies in: its index in the type, below this one's; else PSY_NONE */
    uint32_t type;         /* ITEMS, UNION: of the elements; numbers: the ENUM or FLAGS that they are; else PSY_NONE */
    uint64_t default_bits; /* SCALAR, and OPTIONAL that is no array: the default's bytes, little-endian. A text: its default's
                            * place in the strings. PART: its first 8 bytes, bytes | version << 32. Else 0 */
} psy_psm_field;
static_assert(sizeof(psy_psm_field) == 48 && offsetof(psy_psm_field, default_bits) == 40, "module field is ABI");

/* Tables that refer to each other: those of a header, or of a module. */
typedef struct psy_reflection {
    const char *strings; /* starts with an empty one; each ends with a NUL */
    const psy_psm_type *types;
    const psy_psm_field *fields;
    uint32_t type_count, field_count;
} psy_reflection;

static inline const char *psy_reflect_string(const psy_reflection *r, uint32_t at) { return r->strings + at; }

/* A type's record, and field `i` of it (below field_count). The type has tables. */
static inline const psy_psm_type *psy_reflect_type(const psy_type *type) { return &type->reflection->types[type->index]; }
static inline const psy_psm_field *psy_reflect_field(const psy_type *type, uint32_t i)
{
    return &type->reflection->fields[psy_reflect_type(type)->first_field + i];
}

/* Type `index` of the tables (below type_count), which the result refers to. */
static inline psy_type psy_reflect_type_at(const psy_reflection *r, uint32_t index)
{
    const psy_psm_type *t = &r->types[index];
    psy_type type = {NULL, 0, 0, 0, NULL, 0};
    type.name = psy_reflect_string(r, t->name);
    type.layout_hash = t->layout_hash;
    type.bytes = t->bytes;
    type.version = t->version;
    type.reflection = r;
    type.index = index;
    return type;
}

/* The type of this name. NOT_FOUND: there is none; the detail says which name is near. Does not allocate. */
PSY_NODISCARD psy_status psy_reflect_find(const psy_reflection *r, const char *name, psy_type *out);

/* The type of a field as the language writes it, "f32[<=16]", in at most `room` bytes with its NUL, cut to those; a message
 * inside is "part 128", a struct "struct 12": bytes. Gives `out`. */
const char *psy_reflect_field_text(const psy_reflection *r, const psy_psm_field *field, char *out, size_t room);

/* ---- messages of any type ----
 * What these do follows from the tables alone. Each takes bytes that nobody has looked at, and verifies them itself. INVALID,
 * for a type that is no message, and UNSUPPORTED, for one without tables, come from all of them. */

/* Whether the `n` bytes from outside can be read in place: doc/messages.md has the rules. OK: this version of the type, or a
 * newer one, whose additions are not seen. VERSION: it, or a message inside, is older: psy_message_read fills in what it lacks.
 * CORRUPT: it is malformed; the detail says where and what ("shop.Order.tags[3]: 90 bytes, at most 80"). INVALID: it starts at
 * no multiple of 64. One pass, bounded by the bytes and fields that there are. Does not allocate. */
PSY_NODISCARD psy_status psy_message_verify(const psy_type *type, const void *bytes, size_t n);

/* What a generated T_verify ends with where it refuses the `n` bytes with `status`: puts into the detail what is wrong and
 * where, as psy_message_verify says it. Gives `status`. */
PSY_NODISCARD psy_status psy_message_refuse(const psy_type *type, const void *bytes, size_t n, psy_status status);

/* Starts a message, a tail's fixed part too: defaults, all else zeros, in `room` bytes at `memory`, a multiple of 64. INVALID:
 * it is none; TOO_LARGE: `room` is less than the type's bytes. Does not allocate. */
PSY_NODISCARD psy_status psy_message_init(const psy_type *type, void *memory, size_t room);

/* Copies a message of this, an older or a newer version from the `n` bytes at `bytes`, any address, to `to`, a multiple of 64,
 * where it is of this version, verified, and has `*size` bytes: fields that it lacks have their defaults, what this version
 * lacks and what is retired are left out. Only the copy is looked at, so others may write the bytes meanwhile. CORRUPT,
 * INVALID: as above; then `to` is undefined. TOO_LARGE: it needs more than `room`, and `*size` is how much (0: no message may
 * have so much). Does not allocate. */
PSY_NODISCARD psy_status psy_message_read(const psy_type *type, void *to, size_t room, size_t *size, const void *bytes,
                                          size_t n);

/* Whether two messages hold the same values: floats bit by bit; gaps, what is beyond a count, what is retired or not there, and
 * which version wrote it do not count. CORRUPT, VERSION, INVALID: as psy_message_verify, of the first that is not OK. Does not
 * allocate. */
PSY_NODISCARD psy_status psy_message_equal(const psy_type *type, const void *a, size_t a_bytes, const void *b, size_t b_bytes,
                                           bool *equal);

/* A number made of the values, the same for messages that are equal: SipHash-2-4 under a zero key, so it is no secret. It is
 * not kept across releases. CORRUPT, VERSION, INVALID: as psy_message_verify. Does not allocate. */
PSY_NODISCARD psy_status psy_message_hash(const psy_type *type, const void *bytes, size_t n, uint64_t *hash);

#ifdef __cplusplus
}
#endif
#endif
