/* SPDX-License-Identifier: Apache-2.0 */
/* What generated message headers need. */
#ifndef PSYNE_MESSAGE_H
#define PSYNE_MESSAGE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <psyne/status.h>
#include <psyne/utf8.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
#define PSY_ALIGNAS(bytes) alignas(bytes)
#else
#define PSY_ALIGNAS(bytes) _Alignas(bytes)
#endif

/* A type of the header, where a member of the struct has its name. */
#ifdef __cplusplus
#define PSY_GLOBAL(type) ::type
#else
#define PSY_GLOBAL(type) type
#endif

/* What @deprecated says to those who use it. */
#ifdef __GNUC__
#define PSY_DEPRECATED(text) __attribute__((deprecated(text)))
#else
#define PSY_DEPRECATED(text)
#endif

/* What is true only of messages that strangers wrote, or rewrite. Where the compiler knows, it tests that beside what is done,
 * instead of making it part of it. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_expect_with_probability)
#define PSY_RARELY(condition) __builtin_expect_with_probability((condition) != 0, 0, 0.999)
#endif
#endif
#ifndef PSY_RARELY
#define PSY_RARELY(condition) (condition)
#endif

/* The first 8 bytes of every message. */
typedef struct psy_message_header {
    uint32_t bytes;    /* of the whole message, this header and the padding at its end included */
    uint16_t version;  /* highest `since` of its fields */
    uint16_t reserved; /* 0 */
} psy_message_header;
static_assert(sizeof(psy_message_header) == 8, "the message header is ABI");
static_assert(offsetof(psy_message_header, bytes) == 0 && offsetof(psy_message_header, version) == 4,
              "the message header is ABI");
static_assert(offsetof(psy_message_header, reserved) == 6, "the message header is ABI");

/* Zeros in `n` bytes. Compilers make of a memset of 128 to some hundred bytes what takes longer than several small ones. */
static inline void psy_message_zero(void *at, size_t n)
{
    unsigned char *to = (unsigned char *)at;
    size_t i;
    if (n > 1024) {
        memset(to, 0, n);
        return;
    }
    for (i = 0; i + 64 <= n; i += 64) {
        memset(to + i, 0, 64);
    }
    memset(to + n / 64 * 64, 0, n % 64);
}

/* The most bytes that a message has. */
#define PSY_MESSAGE_BYTES_MAX (UINT32_C(1) << 30)

/* A message type, as both ends must agree on it. */
typedef struct psy_type {
    const char *name;     /* "nearest.Query" */
    uint64_t layout_hash; /* doc/messages.md */
    uint32_t bytes;       /* a message's size: also its stride; of one with a tail, the size without */
    uint32_t version;
    const struct psy_reflection *reflection; /* psyne/reflect.h; NULL: nothing more is known */
    uint32_t index;                          /* of the type in there */
} psy_type;

/* What a field without a bound keeps in its message. What it holds lies in the tail, at a multiple of its alignment. */
typedef struct psy_tail {
    uint32_t offset; /* from the start of the message that declares the field; 0: nothing is there */
    uint32_t count;  /* elements; of a text, bytes */
} psy_tail;
static_assert(sizeof(psy_tail) == 8, "what leads to the tail is ABI");

/* A text where it lies: UTF-8, not ended by a NUL. NULL: there is none. */
typedef struct psy_text {
    const char *at;
    uint32_t bytes;
} psy_text;

#ifdef __cplusplus
}
#endif
#endif
