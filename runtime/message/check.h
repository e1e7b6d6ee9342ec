/* SPDX-License-Identifier: Apache-2.0 */
/* The one walk that verifies a message, and, where its memory is the caller's own, makes one of this version of it on the way.
 */
#ifndef PSY_MESSAGE_CHECK_H
#define PSY_MESSAGE_CHECK_H

#include "message/frame.h"

typedef struct psy__check {
    const unsigned char *bytes; /* the outermost message */
    uint32_t size;              /* its bytes */
    uint32_t fixed;             /* those of its fixed part */
    uint64_t cursor;            /* where the next object of the tail may start */
    unsigned char
        *settle;    /* the same memory, to be changed: messages inside come to the known version, gaps become zeros; NULL */
    uint32_t moved; /* how far the tail was moved, which the fixed part does not know yet */
} psy__check;

/* The fields of the outermost message, whose header is in order; its frame says what it is. OK, CORRUPT, VERSION: a message
 * inside is older (not where they are settled). */
PSY_NODISCARD psy_status psy__check_fields(psy__check *c, const psy__frame *f);

/* Verifies the `n` bytes: psy_message_verify. Sets the frame of the whole and how many bytes of it were verified. */
PSY_NODISCARD psy_status psy__message_verify(const psy_type *type, const void *bytes, size_t n, psy__frame *f, uint32_t *size);

#endif
