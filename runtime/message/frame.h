/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: pieces of a message that have fields, as reflection describes them. A frame is the message itself, a part or struct
 * in it, an element of an array of messages or structs, or the member of a union that is there. Each is entered from the frame
 * around it, so what walks through a message goes as deep as its type says, eight frames at most, and no deeper.
 *
 * All places are from the start of the outermost message. Nothing here looks at the message. */
#ifndef PSY_MESSAGE_FRAME_H
#define PSY_MESSAGE_FRAME_H

#include <psyne/reflect.h>

#include "isa/layout.h"

typedef struct psy__frame {
    const psy_reflection *reflection;
    const psy_psm_type *type;
    const psy_psm_field *fields; /* of the type */
    uint32_t first, end;         /* those of this frame */
    uint32_t origin;             /* where offsets of fields count from */
    uint32_t message;            /* where the message that declares them starts: tails count from there */
    const struct psy__frame *outer;
    uint32_t field, element; /* what it is in the outer frame; element: PSY_NONE where there is but one */
    bool newer;              /* of messages: written by a newer version of the type */
} psy__frame;

/* A type's tables. INVALID: it is none, or no message; UNSUPPORTED: it has no tables. */
PSY_NODISCARD psy_status psy__frame_of(const psy_type *type, psy__frame *out);

/* The field of the same frame that comes after field `i` and what lies in it. */
uint32_t psy__frame_next(const psy__frame *f, uint32_t i);
/* A part or struct. */
psy__frame psy__frame_part(const psy__frame *f, uint32_t i);
/* Element `element` of the messages or structs of field `i`, which start at `at`; of one that has no others PSY_NONE. */
psy__frame psy__frame_item(const psy__frame *f, uint32_t i, uint32_t at, uint32_t element);
/* The member that tag `tag` says; false: there is none (0, or unknown). */
bool psy__frame_member(const psy__frame *f, uint32_t i, uint32_t tag, psy__frame *out);

/* Whether the frame is a message, with a header; else it is a struct or a union's member. */
bool psy__frame_is_message(const psy__frame *f);
/* The size and version that its type knows, of a frame that is a message. */
void psy__frame_known(const psy__frame *f, uint32_t *bytes, uint32_t *version);
/* Where, from the start of the message, the fields end that version `version` has. */
uint32_t psy__frame_known_end(const psy__frame *f, uint32_t version);
/* Whether there was this version, of those up to the known one. */
bool psy__frame_had_version(const psy__frame *f, uint32_t version);

/* What an object in the tail is aligned to, that field `i` leads to and that has `bytes` bytes. */
uint32_t psy__tail_align(const psy__frame *f, uint32_t i, uint64_t bytes);
/* Bytes of an element of a TAIL. */
uint32_t psy__tail_size(const psy__frame *f, uint32_t i);

/* The type of its elements, the enum or flags that they are; NULL: none. */
static inline const psy_psm_type *psy__field_type(const psy__frame *f, uint32_t i)
{
    return f->fields[i].type == PSY_NONE ? NULL : &f->reflection->types[f->fields[i].type];
}

/* What is written behind the last dot of a field's name. */
const char *psy__frame_key(const psy__frame *f, uint32_t i);

/* "shop.Order.tags[3]": field `i` of the frame (PSY_NONE: the frame itself), and its element. Cut to the room that there is. */
enum { PSY_PATH_BYTES = 320 };
const char *psy__frame_path(const psy__frame *f, uint32_t i, uint32_t element, char out[PSY_PATH_BYTES]);

/* Writes field `i`, and all of the frame's, as a new message has them: defaults, else zeros. `whole` is the outermost message.
 */
void psy__field_init(const psy__frame *f, uint32_t i, unsigned char *whole);
void psy__frame_init(const psy__frame *f, unsigned char *whole);

/* One read of memory that others may write. */
static inline uint32_t psy__u32_at(const void *at) { return *(const volatile uint32_t *)at; }
static inline uint8_t psy__u8_at(const void *at) { return *(const volatile uint8_t *)at; }

#endif
