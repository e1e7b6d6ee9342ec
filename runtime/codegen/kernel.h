/* SPDX-License-Identifier: Apache-2.0 */
/* The interface between kernels and the engine that runs them. Version PSY_KERNEL_VERSION: a kernel of another version is made
 * again from the bytecode.
 *
 * Everything is addressed in u32 words. All buffers are storage buffers of descriptor set 0:
 *
 *   0  INPUT     the memory that the messages lie in                     read
 *   1  OUTPUT    the memory that the replies are written to              read, write
 *   2  RESIDENT  resident data, one after the other                      read
 *   3  CONST     the module's constants                                  read
 *   4  ARENA     slots of every message                                  read, write
 *   5  UNIFORM   slots of what does not depend on a message              read, write
 *   6  PARAM     sizes and offsets, known when data is bound             read
 *   7  TABLE     two words a message: where its input and its output start  read
 *   8  SCRATCH   top-k lists: pairs of value and position                read, write
 *
 * PARAM: word 0 words of one message's arena; then for every symbol its size; for every symbol the low, then for every symbol
 * the high word of its row base; the word offset of every slot; the word offset of every resident.
 *
 * Workgroups have spec constant 0 invocations (default 64; at most 64, a power of two). Workgroup z is the message.
 *   elementwise   invocation (y * groups_x + x) * size + local: an element of the space
 *   reductions    workgroup y * groups_x + x: an element of the space without the reduced axis
 *   store         as elementwise, over the field's elements
 *   top-k         three kernels (stages): SELECT takes the k best of every PSY_TOPK_CHUNK elements of the operand, workgroup
 *                 y * groups_x + x that chunk, into SCRATCH; AGAIN the same from list to list; FINISH writes the k values and
 * labels. Push constants: word offset of the list read, of the list written (both from a message's part of SCRATCH), entries of
 * the list read, words of a message's part of SCRATCH.
 */
#ifndef PSY_CODEGEN_KERNEL_H
#define PSY_CODEGEN_KERNEL_H

enum { PSY_KERNEL_VERSION = 1 };
enum psy__kernel_binding {
    PSY_BIND_INPUT,
    PSY_BIND_OUTPUT,
    PSY_BIND_RESIDENT,
    PSY_BIND_CONST,
    PSY_BIND_ARENA,
    PSY_BIND_UNIFORM,
    PSY_BIND_PARAM,
    PSY_BIND_TABLE,
    PSY_BIND_SCRATCH,
    PSY_BIND_COUNT
};
enum psy__kernel_stage { PSY_STAGE_ONLY = 0, PSY_STAGE_SELECT = 0, PSY_STAGE_AGAIN = 1, PSY_STAGE_FINISH = 2 };
enum psy__kernel_push { PSY_PUSH_FROM, PSY_PUSH_TO, PSY_PUSH_COUNT, PSY_PUSH_STRIDE, PSY_PUSH_WORDS };
enum {
    PSY_KERNEL_GROUP_MAX = 64, /* invocations of a workgroup */
    PSY_TOPK_CHUNK = 1024,
    PSY_TOPK_K_KERNEL_MAX = 256 /* larger k take no kernel */
};

/* Where a fact is in PARAM. */
#define PSY_PARAM_STRIDE                      0u
#define PSY_PARAM_SYMBOL(i)                   (1u + (i))
#define PSY_PARAM_BASE_LOW(symbols, i)        (1u + (symbols) + (i))
#define PSY_PARAM_BASE_HIGH(symbols, i)       (1u + 2u * (symbols) + (i))
#define PSY_PARAM_SLOT(symbols, s)            (1u + 3u * (symbols) + (s))
#define PSY_PARAM_RESIDENT(symbols, slots, r) (1u + 3u * (symbols) + (slots) + (r))

#endif
