/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of one type and one size in memory, one after the other at that stride: what a load generator sends, or what it
 * expects to be answered. From files of JSON or of stored messages, or made by a seed. All give an exit status, and say why it
 * is not 0.
 *
 *   psy__requests q = {0};
 *   int status = psy__requests_read(&q, &type, "queries.json");
 *   const void *first = psy__requests_at(&q, 0);
 *   psy__requests_end(&q);
 */
#ifndef PSY_COMMAND_REQUESTS_H
#define PSY_COMMAND_REQUESTS_H

#include "command/command.h"
#include "command/random_json.h"

typedef struct psy__requests {
    psy_type type;
    uint32_t count;
    psy__room memory;
} psy__requests;

/* At most so many bytes of them. */
#define PSY_REQUESTS_BYTES_MAX (UINT64_C(1) << 30)

/* All messages of a file ("-": standard input): JSON, one after the other, or stored messages of any version of the type. */
int psy__requests_read(psy__requests *q, const psy_type *type, const char *path);
/* `count` random ones. */
int psy__requests_make(psy__requests *q, const psy_type *type, const psy__settings *settings, uint64_t seed, uint32_t count);
void psy__requests_end(psy__requests *q);

static inline const void *psy__requests_at(const psy__requests *q, uint32_t i)
{
    return q->memory.at + (size_t)i * q->type.bytes;
}

#endif
