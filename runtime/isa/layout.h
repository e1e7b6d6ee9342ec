/* SPDX-License-Identifier: Apache-2.0 */
/* Where the fields of a message lie: the one implementation of the layout rules (doc/messages.md).
 *
 *   0   bytes u32     the message's own size, this header included
 *   4   version u16   highest `since` of its fields
 *   6   reserved u16  0
 *   8   fields, in the order of declaration
 *
 * A field starts at the next multiple of its alignment: its element's size; 64 for an array (fixed or bounded) of 64
 * bytes or more. A bounded field keeps its u32 element count first, at the next multiple of 4, then its elements. The
 * size is rounded up to a multiple of 64, which is also the stride in rings, so vectors keep their alignment there.
 *
 * The layout hash is SipHash-2-4 under a zero key of the text
 *   NAME{DTYPE FIELD@OFFSET;DTYPE[COUNT] FIELD@OFFSET;DTYPE[<=COUNT] FIELD@OFFSET/COUNT_OFFSET;...}BYTES
 * with " key" after the offset of the routing key. Defaults are not part of it.
 */
#ifndef PSY_ISA_LAYOUT_H
#define PSY_ISA_LAYOUT_H

#include "isa/module.h"

enum { PSY_MESSAGE_HEADER_BYTES = 8, PSY_MESSAGE_ALIGN = 64 };
#define PSY_MESSAGE_BYTES_MAX (UINT32_C(1) << 30)

/* Sets offset, count_offset of the fields (name, dtype, kind, flags, count, since are given; `strings` resolves names) and
 * bytes, version, layout_hash of the type (name, field_count are given). TOO_LARGE over PSY_MESSAGE_BYTES_MAX; INVALID for a
 * count of 0 or an unknown dtype. Does not allocate. */
PSY_NODISCARD psy_status psy__layout(const char *strings, psy_psm_type *type, psy_psm_field *fields);

#endif
