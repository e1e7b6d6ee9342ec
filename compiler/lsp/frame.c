/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "lsp/frame.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char length_field[] = "Content-Length:";
enum { FIELD_BYTES = sizeof length_field - 1 };

/* ---- headers ---- */

/* The number of "Content-Length: N"; false where it is none or too large. */
static bool parse_length(const char *at, const char *end, size_t *length)
{
    size_t n = 0;
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    bool any = at < end;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        n = n * 10 + (size_t)(*at - '0');
        if (n > LSP_BODY_BYTES_MAX) {
            return false;
        }
    }
    *length = n;
    return any && at == end;
}

/* The length of the body that the header says: exactly one of its lines must. */
static bool parse_header(const char *at, size_t bytes, size_t *length)
{
    const char *end = at + bytes;
    unsigned found = 0;
    while (at < end) {
        const char *line = memmem(at, (size_t)(end - at), "\r\n", 2), *stop = line ? line : end;
        if (!memchr(at, ':', (size_t)(stop - at))) {
            return false;
        }
        if ((size_t)(stop - at) > FIELD_BYTES && strncasecmp(at, length_field, FIELD_BYTES) == 0) {
            found++;
            if (!parse_length(at + FIELD_BYTES, stop, length)) {
                return false;
            }
        }
        at = line ? line + 2 : end;
    }
    return found == 1;
}

/* Drops bytes up to the next header that is not at the front. */
static void skip(lsp_reader *r)
{
    char *front = r->buffer + r->from;
    size_t n = r->count - r->from, step = n > 0 && !r->lost;
    char *next = n > step ? memmem(front + step, n - step, length_field, FIELD_BYTES) : NULL;
    r->lost = !next;
    /* Its first bytes may be here already. */
    size_t kept = n < FIELD_BYTES - 1 ? n - step : FIELD_BYTES - 1;
    r->from = next ? (size_t)(next - r->buffer) : r->count - kept;
}

/* ---- bytes ---- */

static bool fill(lsp_reader *r)
{
    if (r->from > 0) {
        memmove(r->buffer, r->buffer + r->from, r->count - r->from);
        r->count -= r->from;
        r->from = 0;
    }
    if (r->count == r->room) {
        size_t bigger = r->room ? r->room * 2 : 1 << 16;
        char *copy = realloc(r->buffer, bigger);
        if (!copy) {
            return false;
        }
        r->buffer = copy;
        r->room = bigger;
    }
    ssize_t got;
    do {
        got = read(r->fd, r->buffer + r->count, r->room - r->count);
    } while (got < 0 && errno == EINTR);
    r->count += got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* Where the body of the message at the front starts, or 0; *broken: it is no message. */
static size_t body_of(const lsp_reader *r, size_t *length, bool *broken)
{
    const char *front = r->buffer + r->from;
    size_t n = r->count - r->from;
    const char *end = n ? memmem(front, n > LSP_HEADER_BYTES_MAX ? LSP_HEADER_BYTES_MAX : n, "\r\n\r\n", 4) : NULL;
    *broken = end ? !parse_header(front, (size_t)(end - front), length) : n > LSP_HEADER_BYTES_MAX;
    return end && !*broken ? (size_t)(end - front) + 4 : 0;
}

lsp_frame lsp_read(lsp_reader *r, const char **body, size_t *bytes)
{
    for (;;) {
        bool broken = false;
        if (r->lost) {
            skip(r);
        }
        size_t start = r->lost ? 0 : body_of(r, bytes, &broken);
        if (broken) {
            skip(r);
            return LSP_FRAME_BROKEN;
        }
        if (start && r->count - r->from - start >= *bytes) {
            *body = r->buffer + r->from + start;
            r->from += start + *bytes;
            return LSP_FRAME_WHOLE;
        }
        if (!fill(r)) {
            return LSP_FRAME_END;
        }
    }
}

bool lsp_pending(const lsp_reader *r)
{
    bool broken = false;
    size_t length = 0, start = r->lost ? 0 : body_of(r, &length, &broken);
    if (broken || (start && r->count - r->from - start >= length)) {
        return true;
    }
    struct pollfd input = {.fd = r->fd, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

void lsp_reader_fini(lsp_reader *r)
{
    free(r->buffer);
    *r = (lsp_reader){.fd = r->fd};
}

static bool write_all(int fd, const char *at, size_t n)
{
    while (n > 0) {
        ssize_t put = write(fd, at, n);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        at += put > 0 ? put : 0;
        n -= put > 0 ? (size_t)put : 0;
    }
    return true;
}

bool lsp_write(int fd, const char *body, size_t bytes)
{
    char header[64];
    int n = snprintf(header, sizeof header, "%s %zu\r\n\r\n", length_field, bytes);
    return n > 0 && write_all(fd, header, (size_t)n) && write_all(fd, body, bytes);
}
