/* SPDX-License-Identifier: Apache-2.0 */
/* What generated message headers need. */
#ifndef PSYNE_MESSAGE_H
#define PSYNE_MESSAGE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
#define PSY_ALIGNAS(bytes) alignas(bytes)
#else
#define PSY_ALIGNAS(bytes) _Alignas(bytes)
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

/* A message type, as both ends must agree on it. */
typedef struct psy_type {
    const char *name;     /* "nearest.Query" */
    uint64_t layout_hash; /* doc/messages.md */
    uint32_t bytes;       /* a message's size: also its stride */
    uint32_t version;
} psy_type;

#ifdef __cplusplus
}
#endif
#endif
