/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope: one cache line in front of every message, written by the client and immutable after, the same on every
 * transport.
 *
 *    0  length u32        payload bytes
 *    4  kind u8, flags u8, deadline u16     milliseconds the sender will wait, 0 = 65,535
 *    8  request u64       hash salted per channel: no counter, pointer or secret
 *   16  route u64         keyed hash of the routing key under the service's salt; 0 where the pipeline has none
 *   24  pipeline u32, type u32              ids agreed at attach, where the layout hashes are compared
 *   32  sequence u64      per channel and direction, from 1
 *   40  slot u32, generation u32            where the reply goes, in the sender's response slab
 *   48  tag 16 bytes      AES-GCM tag; zero when clear
 *
 * Little-endian. ABI version: that of the channel's attach.
 */
#ifndef PSYNE_ENVELOPE_H
#define PSYNE_ENVELOPE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PSY_KIND_REQUEST = 1, PSY_KIND_RESPONSE = 2, PSY_KIND_PUBLISH = 3, PSY_KIND_PROGRAM = 4, PSY_KIND_CONTROL = 5 };
enum { PSY_FLAG_ENCRYPTED = 1, PSY_FLAG_ERROR = 2, PSY_FLAG_LAST = 4, PSY_FLAG_TRACE = 8 /* every hop tells of it */ };
enum { PSY_ENVELOPE_BYTES = 64 };

typedef struct psy_envelope {
    uint32_t length;
    uint8_t kind, flags;
    uint16_t deadline_ms;
    uint64_t request;
    uint64_t route;
    uint32_t pipeline, type;
    uint64_t sequence;
    uint32_t slot, generation;
    uint8_t tag[16];
} psy_envelope;

static_assert(sizeof(psy_envelope) == PSY_ENVELOPE_BYTES, "the envelope is ABI");
static_assert(offsetof(psy_envelope, length) == 0 && offsetof(psy_envelope, kind) == 4, "the envelope is ABI");
static_assert(offsetof(psy_envelope, flags) == 5 && offsetof(psy_envelope, deadline_ms) == 6, "the envelope is ABI");
static_assert(offsetof(psy_envelope, request) == 8 && offsetof(psy_envelope, route) == 16, "the envelope is ABI");
static_assert(offsetof(psy_envelope, pipeline) == 24 && offsetof(psy_envelope, type) == 28, "the envelope is ABI");
static_assert(offsetof(psy_envelope, sequence) == 32 && offsetof(psy_envelope, slot) == 40, "the envelope is ABI");
static_assert(offsetof(psy_envelope, generation) == 44 && offsetof(psy_envelope, tag) == 48, "the envelope is ABI");

#ifdef __cplusplus
}
#endif
#endif
