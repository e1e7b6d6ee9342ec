/* SPDX-License-Identifier: Apache-2.0 */
/* Where the fields of a message lie: the one implementation of the layout rules (doc/messages.md).
 *
 *   0   bytes u32     the message's own size, this header included
 *   4   version u16   highest `since` of its fields
 *   6   reserved u16  0
 *   8   fields, in the order of declaration
 *
 * A field starts at the next multiple of its alignment: its element's size; 64 for an array (fixed or bounded) of 64
 * bytes or more; more where @align says so. A bounded field keeps its u32 element count first, at the next multiple of 4, then
 * its elements. An optional field has a byte before it that says whether it is there. Bounded texts are bounded u8; of several,
 * the count (where it is bounded) comes first, then all lengths, then the rows of bytes; an optional one has its u32 length
 * after the byte. A variant has a descriptor of 36 bytes first, at the next multiple of 4, then room at a multiple of 64; one
 * without a bound has a u32 instead of the room. A union has a byte that says which member is there, then room for the longest
 * at the largest alignment of all. What has no bound is a psy_tail at a multiple of 4: doc/messages.md says how tails are
 * filled. The size is rounded up to a multiple of 64, which is also the stride in rings, so vectors keep their alignment there.
 *
 * A part is a whole message at a multiple of 64, its header included. The fields that lie in it follow it in the list, with its
 * index as their parent, their offsets those in the outer message and their versions those of the inner one. A struct inside is
 * the same without a header, at the largest alignment of its fields, of which its size is a multiple.
 *
 * Structs and unions are laid out likewise, without a header: a struct's fields one after the other, a union's members all from
 * 0. Both are aligned to the largest alignment in them, of which their size is a multiple. Enums and flags are the number they
 * are made of.
 *
 * The layout hash is SipHash-2-4 under a zero key of the text NAME{FIELD;FIELD;...}BYTES (struct NAME{...}BYTES and so on),
 * where a field is its type, a space, NAME@OFFSET, then /COUNT_OFFSET (// where there is an INNER_OFFSET and no count),
 * /INNER_OFFSET, and " key" after the routing key. Its type is one of
 *
 *   DTYPE  DTYPE[COUNT]  DTYPE[<=COUNT]  DTYPE[]  DTYPE?  DTYPE[COUNT]?   enums and flags count as their dtype
 *   string[<=COUNT]  string[<=COUNT]?  string[<=INNER][COUNT]  string[<=INNER][<=COUNT]  string  string?  string[]
 *   struct HASH  message HASH   with brackets: elements of the type that has this layout hash (16 digits)
 *   union HASH  variant  variant[<=COUNT]
 *   part BYTES  struct BYTES    and what lies in it, as further fields
 *
 * Defaults, versions and the values of enums are not part of it.
 */
#ifndef PSY_ISA_LAYOUT_H
#define PSY_ISA_LAYOUT_H

#include "isa/module.h"

enum { PSY_MESSAGE_HEADER_BYTES = 8, PSY_MESSAGE_ALIGN = 64, PSY_MESSAGE_DEPTH_MAX = 8 };

/* Sets what follows from the rest. Of the fields (name, dtype, kind, flags, count, since, parent, type, and inner of several
 * texts, are given; `strings` resolves names, `types` the types that come before): offsets, inner of the others, and count and
 * default_bits of parts. Of the type (name, kind, dtype, field_count are given): bytes, version, flags, depth, align,
 * layout_hash. TOO_LARGE over PSY_MESSAGE_BYTES_MAX; INVALID for a count of 0, an unknown dtype, flags or types that do not fit
 * the kind, kinds that the type cannot hold, parents that are no parts or nest deeper than PSY_MESSAGE_DEPTH_MAX, types without
 * fields but messages, and versions that go down. Does not allocate. */
PSY_NODISCARD psy_status psy__layout(const char *strings, const psy_psm_type *types, uint32_t type_count, psy_psm_type *type,
                                     psy_psm_field *fields);

/* The alignment of @align; 1: there is none. */
static inline uint32_t psy__field_align(const psy_psm_field *f) { return 1u << (f->flags >> PSY_FIELD_ALIGN_SHIFT & 15); }

/* Whether what lies in it follows it. */
static inline bool psy__field_is_nested(const psy_psm_field *f)
{
    return f->kind == PSY_FIELD_PART || f->kind == PSY_FIELD_STRUCT;
}
/* string[<=N] or string[<=N]?: what has a default text. */
static inline bool psy__field_is_text(const psy_psm_field *f)
{
    return (f->flags & (PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY)) == PSY_FIELD_TEXT && f->kind != PSY_FIELD_TAIL;
}
/* string[<=N][M] or string[<=N][<=M] */
static inline bool psy__field_is_texts(const psy_psm_field *f)
{
    return (f->flags & PSY_FIELD_TEXT) != 0 && (f->flags & PSY_FIELD_IS_ARRAY) != 0 && f->kind != PSY_FIELD_TAIL;
}
/* Structs or messages with an axis, in the message itself: T[N], T[<=N]. */
static inline bool psy__field_is_items(const psy_psm_field *f)
{
    return (f->flags & PSY_FIELD_ITEMS) != 0 && (f->kind == PSY_FIELD_ARRAY || f->kind == PSY_FIELD_BOUNDED);
}
/* Whether its elements are numbers with an axis, in the message itself: T[N], T[<=N], T[N]?. */
static inline bool psy__field_is_vector(const psy_psm_field *f)
{
    return (f->flags & (PSY_FIELD_TEXT | PSY_FIELD_ITEMS)) == 0 &&
           (f->kind == PSY_FIELD_ARRAY || f->kind == PSY_FIELD_BOUNDED ||
            (f->kind == PSY_FIELD_OPTIONAL && (f->flags & PSY_FIELD_IS_ARRAY) != 0));
}
/* Where its last element's bytes end: all of the field lies below. */
static inline uint32_t psy__field_end(const psy_psm_field *f)
{
    const uint32_t beside = f->kind == PSY_FIELD_TAIL ? (uint32_t)sizeof(psy_tail) : f->flags & PSY_FIELD_OPEN ? 4 : 0;
    return f->offset + beside + f->count * f->inner * psy__dtype_bytes(f->dtype);
}
/* Where the field begins: its count, presence byte, lengths or descriptor, where it has one. */
static inline uint32_t psy__field_start(const psy_psm_field *f)
{
    return f->count_offset != PSY_NONE ? f->count_offset : f->inner_offset != PSY_NONE ? f->inner_offset : f->offset;
}
/* The type as the language writes it, "string[<=80][4]"; of a part "part 128". `element` is what the elements are called, where
 * they are of a type (NULL: by their dtype). Cut to the room that there is. */
enum { PSY_FIELD_TYPE_TEXT_BYTES = 176 };
void psy__field_type_text(char out[PSY_FIELD_TYPE_TEXT_BYTES], const psy_psm_field *f, const char *element);

#endif
