/* SPDX-License-Identifier: Apache-2.0 */
/* What a message holds, one value after the other, in the order of its type: what is printed, compared and hashed.
 *
 *   psy__values v;
 *   psy__value x;
 *   psy__values_init(&v, &frame, bytes, size);
 *   while (psy__values_next(&v, &x)) { ... }
 *
 * The message was verified. What others write meanwhile is read once and cut to what there is, so every value given lies within
 * the message. No recursion: as many levels as types nest. */
#ifndef PSY_MESSAGE_VALUES_H
#define PSY_MESSAGE_VALUES_H

#include "message/frame.h"

typedef enum psy__value_kind {
    PSY_VALUE_NULL,       /* a union's member without anything: a variant */
    PSY_VALUE_ABSENT,     /* an optional field, union or variant without anything */
    PSY_VALUE_NUMBER,     /* one */
    PSY_VALUE_NUMBERS,    /* `count`, one after the other */
    PSY_VALUE_TEXT,       /* `count` bytes */
    PSY_VALUE_VARIANT,    /* `variant` */
    PSY_VALUE_OPEN_ARRAY, /* `count` texts, messages or structs follow, until CLOSE */
    PSY_VALUE_OPEN_OBJECT,
    PSY_VALUE_OPEN_UNION, /* one field follows; `count`: its tag */
    PSY_VALUE_CLOSE
} psy__value_kind;

typedef struct psy__value {
    psy__value_kind kind;
    const char *key;           /* the field's name; NULL in arrays and at CLOSE */
    unsigned dtype;            /* NUMBER, NUMBERS */
    const psy_psm_type *names; /* of NUMBER and NUMBERS that are an enum or flags; else NULL */
    const void *at;
    uint32_t count;
    psy_variant_view variant;
    psy__value_kind closes; /* CLOSE: what was opened */
} psy__value;

/* Objects, and the arrays and unions that they are in. */
enum { PSY_VALUES_LEVELS = 2 * PSY_MESSAGE_DEPTH_MAX + 3 };

typedef struct psy__values_level {
    psy__value_kind kind; /* what was opened */
    psy__frame frame;     /* of an ARRAY: the one around it */
    uint32_t next;        /* field, or element */
    uint32_t field, at, count;
} psy__values_level;

typedef struct psy__values {
    const unsigned char *bytes;
    uint32_t size, depth;
    psy__values_level levels[PSY_VALUES_LEVELS];
} psy__values;

void psy__values_init(psy__values *v, const psy__frame *f, const void *bytes, uint32_t size);
/* False: that was all. */
bool psy__values_next(psy__values *v, psy__value *out);

#endif
