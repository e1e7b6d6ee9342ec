/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/snapshot_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "isa/npy_header.h"

enum { BUFFER_BYTES = 1 << 18 };
_Static_assert((int)BUFFER_BYTES >= (int)PSY_NPY_HEAD_MAX, "a header fits");
static const uint64_t zero_key[2] = {0, 0};

static const psy__snapshot_part *part_of(const psy__snapshot_stream *s) { return &s->resident->parts[s->shard]; }

static const psy__snapshot_file *file_of(const psy__snapshot_stream *s)
{
    return s->keys ? &part_of(s)->keys : &part_of(s)->data;
}

static uint32_t parts(const psy__snapshot_stream *s)
{
    return s->resident->placement == PSY_PLACE_REPLICATED ? 1 : s->snapshot->shards;
}

/* ---- one file ---- */

static void leave(psy__snapshot_stream *s)
{
    if (s->fd >= 0) {
        close(s->fd);
    }
    s->fd = -1;
    s->from = s->to = 0;
}

/* The next bytes of the file come into the buffer. */
static psy_status refill(psy__snapshot_stream *s)
{
    ssize_t got;
    s->from = s->to = 0;
    do {
        got = read(s->fd, s->buffer, s->left < BUFFER_BYTES ? s->left : BUFFER_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return psy_fail(PSY_IO, "%s: %s", s->name, strerror(errno));
    }
    if (got == 0) {
        return psy_fail(PSY_CORRUPT, "%s: it got shorter while it was read", s->name);
    }
    psy__siphash_update(&s->sum, s->buffer, (size_t)got);
    s->left -= (uint64_t)got;
    s->to = (uint64_t)got;
    return PSY_OK;
}

/* The next `n` bytes of the file, or of them nothing. */
static psy_status pull(psy__snapshot_stream *s, uint64_t n, uint8_t *out)
{
    while (n > 0) {
        if (s->from == s->to) {
            const psy_status status = refill(s);
            if (status != PSY_OK) {
                return status;
            }
        }
        const uint64_t some = n < s->to - s->from ? n : s->to - s->from;
        if (out) {
            memcpy(out, s->buffer + s->from, some);
            out += some;
        }
        s->from += some;
        n -= some;
    }
    return PSY_OK;
}

/* Whether the header says what the list does; *offset: of the rows. */
static psy_status check_header(const psy__snapshot_stream *s, uint64_t *offset)
{
    const psy__snapshot_resident *r = s->resident;
    psy__npy_header h;
    psy_status status = psy__npy_header_read(s->buffer, s->to, file_of(s)->bytes, &h);
    if (status != PSY_OK) {
        char why[300];
        snprintf(why, sizeof why, "%s", psy_detail());
        return psy_fail(PSY_CORRUPT, "%s: %s", s->name, why);
    }
    bool same = h.dtype == (s->keys ? (unsigned)PSY_U64 : r->dtype) && h.rank == (s->keys ? 1u : r->rank) &&
                h.dims[0] == part_of(s)->rows && !h.big_endian && (!h.fortran || h.rank == 1);
    for (uint32_t i = 1; same && i < h.rank; i++) {
        same = h.dims[i] == r->dims[i];
    }
    *offset = h.offset;
    return same ? PSY_OK : psy_fail(PSY_CORRUPT, "%s: it is another array than the snapshot's list says", s->name);
}

static psy_status enter(psy__snapshot_stream *s)
{
    struct stat st;
    uint64_t offset = 0;
    psy__snapshot_file_name(s->resident->name, s->shard, s->snapshot->shards, s->keys, s->name);
    s->fd = openat(s->files, s->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &st) != 0) {
        const int error = errno;
        return psy_fail(error == ENOENT  ? PSY_NOT_FOUND
                        : error == ELOOP ? PSY_CORRUPT
                                         : PSY_IO,
                        "%s: %s", s->name, error == ELOOP ? "it is a link" : strerror(error));
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != file_of(s)->bytes) {
        return psy_fail(PSY_CORRUPT, "%s: it has %lld bytes, and the snapshot's list says %" PRIu64, s->name,
                        (long long)st.st_size, file_of(s)->bytes);
    }
    psy__siphash_init(&s->sum, zero_key);
    s->left = file_of(s)->bytes;
    psy_status status = refill(s);
    status = status == PSY_OK ? check_header(s, &offset) : status;
    status = status == PSY_OK ? pull(s, offset, NULL) : status;
    s->next = s->first;
    return status;
}

/* Reads what is left of the file, and compares. */
static psy_status finish(psy__snapshot_stream *s)
{
    psy_status status = PSY_OK;
    if (s->fd < 0) {
        return PSY_OK;
    }
    while (status == PSY_OK && s->left > 0) {
        status = refill(s);
    }
    if (status == PSY_OK && psy__siphash_final(&s->sum) != file_of(s)->checksum) {
        status = psy_fail(PSY_CORRUPT, "%s: its checksum is another than the snapshot's list says", s->name);
    }
    leave(s);
    return status;
}

/* ---- rows ---- */

static psy_status read_row(psy__snapshot_stream *s, uint64_t row, void *out)
{
    psy_status status = PSY_OK;
    if (row < (s->fd >= 0 ? s->next : s->first)) { /* from the begin */
        status = finish(s);
        s->shard = 0;
        s->first = 0;
    }
    while (status == PSY_OK && row - s->first >= part_of(s)->rows) {
        status = finish(s);
        s->first += part_of(s)->rows;
        if (++s->shard == parts(s)) {
            s->shard = 0;
            s->first = 0;
            return psy_fail(PSY_INVALID, "resident %s: there is no row %" PRIu64, s->resident->name, row);
        }
    }
    status = status == PSY_OK && s->fd < 0 ? enter(s) : status;
    status = status == PSY_OK ? pull(s, (row - s->next) * s->row_bytes, NULL) : status;
    status = status == PSY_OK ? pull(s, s->row_bytes, out) : status;
    s->next = row + 1;
    if (status != PSY_OK) {
        leave(s);
    }
    return status;
}

static psy_status fill(void *context, uint64_t row, void *out)
{
    psy__snapshot_rows *r = context;
    const psy_status status = read_row(&r->data, row, out);
    for (uint64_t i = 0; status == PSY_OK && r->data.resident->dtype == PSY_BOOL && i < r->data.row_bytes; i++) {
        ((uint8_t *)out)[i] = ((uint8_t *)out)[i] != 0;
    }
    return status;
}

static psy_status key(void *context, uint64_t row, uint64_t *out)
{
    psy__snapshot_rows *r = context;
    return read_row(&r->keys, row, out);
}

psy_status psy__snapshot_rows_open(psy__snapshot_rows *rows, int files, const psy__snapshot *snapshot,
                                   const psy__snapshot_resident *r)
{
    const bool keyed = r->placement == PSY_PLACE_BY_KEY;
    *rows = (psy__snapshot_rows){
        .rows = {.resident = r->name, .rank = r->rank, .fill = fill, .key = keyed ? key : NULL, .context = rows}};
    memcpy(rows->rows.dims, r->dims, sizeof rows->rows.dims);
    psy__snapshot_stream *streams[] = {&rows->data, &rows->keys};
    for (int i = 0; i < 2; i++) {
        *streams[i] = (psy__snapshot_stream){.files = files,
                                             .snapshot = snapshot,
                                             .resident = r,
                                             .keys = i == 1,
                                             .row_bytes = i == 1 ? 8 : psy__snapshot_row_bytes(r),
                                             .fd = -1};
    }
    rows->data.buffer = malloc(BUFFER_BYTES);
    rows->keys.buffer = keyed ? malloc(BUFFER_BYTES) : NULL;
    return rows->data.buffer && (!keyed || rows->keys.buffer)
               ? PSY_OK
               : psy_fail(PSY_NO_MEMORY, "resident %s: no memory to read it", r->name);
}

psy_status psy__snapshot_rows_end(psy__snapshot_rows *rows)
{
    const psy_status status = finish(&rows->data);
    return status == PSY_OK ? finish(&rows->keys) : status;
}

void psy__snapshot_rows_close(psy__snapshot_rows *rows)
{
    leave(&rows->data);
    leave(&rows->keys);
    free(rows->data.buffer);
    free(rows->keys.buffer);
    rows->data.buffer = rows->keys.buffer = NULL;
}
