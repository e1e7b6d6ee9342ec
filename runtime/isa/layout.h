/* SPDX-License-Identifier: Apache-2.0 */
/* Where the fields of a message lie: the one implementation of the layout rules (doc/messages.md).
 *
 *   0   bytes u32     the message's own size, this header included
 *   4   version u16   highest `since` of its fields
 *   6   reserved u16  0
 *   8   fields, in the order of declaration
 *
 * A field starts at the next multiple of its alignment: its element's size; 64 for an array (fixed or bounded) of 64
 * bytes or more. A bounded field keeps its u32 element count first, at the next multiple of 4, then its elements. An optional
 * field has a byte before it that says whether it is there. Texts are bounded u8; of several, the count (where it is bounded)
 * comes first, then all lengths, then the rows of bytes. A variant has a descriptor of 36 bytes first, at the next multiple of
 * 4, then room at a multiple of 64. The size is rounded up to a multiple of 64, which is also the stride in rings, so vectors
 * keep their alignment there.
 *
 * A part is a whole message at a multiple of 64, its header included. The fields that lie in it follow it in the list, with its
 * index as their parent, their offsets those in the outer message and their versions those of the inner one.
 *
 * The layout hash is SipHash-2-4 under a zero key of the text NAME{FIELD;FIELD;...}BYTES, where a field is one of
 *   DTYPE NAME@OFFSET                    DTYPE[COUNT] NAME@OFFSET              DTYPE[<=COUNT] NAME@OFFSET/COUNT_OFFSET
 *   DTYPE? NAME@OFFSET/COUNT_OFFSET      DTYPE[COUNT]? NAME@OFFSET/COUNT_OFFSET
 *   string[<=COUNT] NAME@OFFSET/COUNT_OFFSET
 *   string[<=INNER][COUNT] NAME@OFFSET//INNER_OFFSET
 *   string[<=INNER][<=COUNT] NAME@OFFSET/COUNT_OFFSET/INNER_OFFSET
 *   part BYTES NAME@OFFSET               and what lies in it, as further fields
 *   variant[<=COUNT] NAME@OFFSET/COUNT_OFFSET
 * with " key" after the routing key. Defaults are not part of it.
 */
#ifndef PSY_ISA_LAYOUT_H
#define PSY_ISA_LAYOUT_H

#include "isa/module.h"

enum { PSY_MESSAGE_HEADER_BYTES = 8, PSY_MESSAGE_ALIGN = 64, PSY_MESSAGE_DEPTH_MAX = 8 };
#define PSY_MESSAGE_BYTES_MAX (UINT32_C(1) << 30)

/* Sets what follows from the rest. Of the fields (name, dtype, kind, flags, count, since, parent, and inner of several texts,
 * are given; `strings` resolves names): offsets, inner of the others, and count and default_bits of parts. Of the type (name,
 * field_count are given): bytes, version, layout_hash. TOO_LARGE over PSY_MESSAGE_BYTES_MAX; INVALID for a count of 0, an
 * unknown dtype, flags that do not fit the kind, parents that are no parts or nest deeper than PSY_MESSAGE_DEPTH_MAX, and
 * versions that go down. Does not allocate. */
PSY_NODISCARD psy_status psy__layout(const char *strings, psy_psm_type *type, psy_psm_field *fields);

/* string[<=N][M] or string[<=N][<=M] */
static inline bool psy__field_is_texts(const psy_psm_field *f)
{
    return (f->flags & PSY_FIELD_TEXT) != 0 && (f->flags & PSY_FIELD_IS_ARRAY) != 0;
}
/* Whether its elements have an axis: T[N], T[<=N], T[N]?. Not parts, variants and texts. */
static inline bool psy__field_is_vector(const psy_psm_field *f)
{
    return (f->flags & PSY_FIELD_TEXT) == 0 && (f->kind == PSY_FIELD_ARRAY || f->kind == PSY_FIELD_BOUNDED ||
                                                (f->kind == PSY_FIELD_OPTIONAL && (f->flags & PSY_FIELD_IS_ARRAY) != 0));
}
/* Where its last element's bytes end: all of the field lies below. */
static inline uint32_t psy__field_end(const psy_psm_field *f)
{
    return f->offset + f->count * f->inner * psy__dtype_bytes(f->dtype);
}
/* Where the field begins: its count, presence byte, lengths or descriptor, where it has one. */
static inline uint32_t psy__field_start(const psy_psm_field *f)
{
    return f->count_offset != PSY_NONE ? f->count_offset : f->inner_offset != PSY_NONE ? f->inner_offset : f->offset;
}
/* The type as the language writes it, "string[<=80][4]"; of a part "part 128". Cut to 64 bytes. */
enum { PSY_FIELD_TYPE_TEXT_BYTES = 64 };
void psy__field_type_text(char out[PSY_FIELD_TYPE_TEXT_BYTES], const psy_psm_field *f);

#endif
