/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/requests.h"

#include <psyne/json.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The place for one more; NULL: there are enough, and it was said. */
static unsigned char *place_of_next(psy__requests *q, const char *name)
{
    const size_t used = (size_t)q->count * q->type.bytes, bytes = used + q->type.bytes;
    if (bytes > PSY_REQUESTS_BYTES_MAX || q->count == UINT32_MAX) {
        fprintf(stderr, "psyne: %s: more than %" PRIu64 " MiB of %s\n", name, PSY_REQUESTS_BYTES_MAX >> 20, q->type.name);
        return NULL;
    }
    if (bytes > q->memory.bytes) {
        psy__room_grow(&q->memory, bytes < PSY_REQUESTS_BYTES_MAX / 2 ? 2 * bytes + 65536 : bytes, used);
    }
    return q->memory.at + used;
}

/* What has a tail has a size of its own. */
static int refuse_tail(const psy_type *type)
{
    if (psy_reflect_type(type)->flags & PSY_TYPE_TAILED) {
        fprintf(stderr, "psyne: %s has fields without a bound: pipelines take messages of one size\n", type->name);
        return 1;
    }
    return 0;
}

static int read_json(psy__requests *q, const char *name, const char *text, size_t n)
{
    psy_status status = PSY_OK;
    for (size_t at = 0, size; status == PSY_OK;) {
        unsigned char *to = place_of_next(q, name);
        if (!to) {
            return 1;
        }
        status = psy_message_parse_next(&q->type, text, n, &at, to, q->type.bytes, &size);
        q->count += status == PSY_OK;
    }
    return status == PSY_NOT_FOUND ? 0 : psy__complain(name, status);
}

static int read_stored(psy__requests *q, const char *name, const unsigned char *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        psy_message_header h = {0};
        size_t size;
        memcpy(&h, bytes + at, n - at < sizeof h ? n - at : sizeof h);
        unsigned char *to = place_of_next(q, name);
        if (!to) {
            return 1;
        }
        if (h.bytes < 64 || h.bytes % 64 != 0 || h.bytes > n - at) {
            fprintf(stderr, "psyne: %s: at byte %zu: %s: no message of %" PRIu32 " bytes lies there\n", name, at, q->type.name,
                    h.bytes);
            return 1;
        }
        if (psy_message_read(&q->type, to, q->type.bytes, &size, bytes + at, h.bytes) != PSY_OK) {
            fprintf(stderr, "psyne: %s: at byte %zu: %s\n", name, at, psy_detail());
            return 1;
        }
        at += h.bytes;
        q->count++;
    }
    return 0;
}

int psy__requests_read(psy__requests *q, const psy_type *type, const char *path)
{
    psy__room file = {0};
    size_t n = 0;
    *q = (psy__requests){.type = *type};
    int status = refuse_tail(type);
    const psy_status read = status == 0 ? psy__file_read(path, &file, &n) : PSY_OK;
    if (read != PSY_OK) {
        status = psy__complain(NULL, read);
    }
    const char *name = psy__file_name(path);
    if (status == 0 && n > PSY_MESSAGE_BYTES_MAX) {
        fprintf(stderr, "psyne: %s: over %" PRIu32 " MiB\n", name, PSY_MESSAGE_BYTES_MAX >> 20);
        status = 1;
    }
    if (status == 0) {
        /* A stored message begins with its size, whose lowest byte is a multiple of 64: no character that JSON begins with. */
        status = n > 0 && file.at[0] % 64 == 0 ? read_stored(q, name, file.at, n) : read_json(q, name, (char *)file.at, n);
    }
    if (status == 0 && q->count == 0) {
        fprintf(stderr, "psyne: %s: there is no message in it\n", name);
        status = 1;
    }
    free(file.at);
    return status;
}

int psy__requests_make(psy__requests *q, const psy_type *type, const psy__settings *settings, uint64_t seed, uint32_t count)
{
    *q = (psy__requests){.type = *type};
    int status = refuse_tail(type);
    while (status == 0 && q->count < count) {
        char *text = NULL;
        size_t n = 0, size;
        uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + q->count;
        FILE *to = open_memstream(&text, &n);
        if (!to) {
            psy__no_memory();
        }
        psy__random_json_write(type, settings, &state, to);
        if (fclose(to) != 0) {
            psy__no_memory();
        }
        unsigned char *place = place_of_next(q, "--requests");
        const psy_status parsed = place ? psy_message_parse(type, text, n, place, type->bytes, &size) : PSY_TOO_LARGE;
        if (!place || parsed != PSY_OK) {
            status = place ? psy__complain("--set", parsed) : 1;
        }
        free(text);
        q->count++;
    }
    return status;
}

void psy__requests_end(psy__requests *q)
{
    free(q->memory.at);
    *q = (psy__requests){0};
}
