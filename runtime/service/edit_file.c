/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/edit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/failure.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

enum { MAJOR = 1, MINOR = 0, SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, TMPFS = 0x01021994 };
enum { PARTS_AT = sizeof(psy__edit_header), DATA_AT = PARTS_AT + PSY_EDITS_TOGETHER_MAX * sizeof(psy__edit_part) };
_Static_assert(DATA_AT == 4160, "the edit's data is shared between processes");

static const char *const kinds[] = {"", "append", "delete", "replace", "reload"};

/* ---- what makes sense ---- */

static psy_status check_rows(const psy__edit_part *p)
{
    uint64_t row_bytes = psy__dtype_bytes(p->dtype);
    if (row_bytes == 0 || p->rank == 0 || p->rank > PSY_RANK_MAX) {
        return psy_fail(PSY_INVALID, "edit of %s: rows of rank %u and element type %u", p->resident, p->rank, p->dtype);
    }
    for (uint32_t i = 1; i < p->rank; i++) {
        if (__builtin_mul_overflow(row_bytes, p->dims[i], &row_bytes)) {
            return psy_fail(PSY_TOO_LARGE, "edit of %s: a row's size overflows", p->resident);
        }
    }
    if (row_bytes == 0 || row_bytes != p->row_bytes) {
        return psy_fail(PSY_INVALID, "edit of %s: rows of %" PRIu64 " bytes", p->resident, row_bytes);
    }
    if ((p->flags & PSY_EDIT_TEXTS) && (p->dtype != PSY_U8 || p->rank != 2)) {
        return psy_fail(PSY_INVALID, "edit of %s: texts are rows of u8", p->resident);
    }
    return PSY_OK;
}

static psy_status check_part(const psy__edit_part *p)
{
    if (!memchr(p->resident, '\0', sizeof p->resident) || p->resident[0] == '\0') {
        return psy_fail(PSY_INVALID, "an edit without the name of a resident, or with one of more than %d bytes",
                        PSY_EDIT_NAME_BYTES - 1);
    }
    if (p->kind < PSY_EDIT_APPEND || p->kind > PSY_EDIT_RELOAD ||
        (p->flags & ~(uint32_t)(PSY_EDIT_UPSERT | PSY_EDIT_TEXTS)) != 0) {
        return psy_fail(PSY_INVALID, "edit of %s: kind %u with flags %#x is none", p->resident, p->kind, p->flags);
    }
    if ((p->flags & PSY_EDIT_UPSERT) && (p->kind != PSY_EDIT_APPEND || !p->has_which)) {
        return psy_fail(PSY_INVALID, "edit of %s: only an append of rows with keys can be an upsert", p->resident);
    }
    if (p->kind != PSY_EDIT_RELOAD && p->dims[0] == 0) {
        return psy_fail(PSY_INVALID, "edit of %s: it has no rows", p->resident);
    }
    if (p->dims[0] >= UINT32_MAX) {
        return psy_fail(PSY_TOO_LARGE, "edit of %s: %" PRIu64 " rows; at most %u", p->resident, p->dims[0], UINT32_MAX - 1);
    }
    if (p->has_which > 1 || (!p->has_which && (p->kind == PSY_EDIT_DELETE || p->kind == PSY_EDIT_REPLACE))) {
        return psy_fail(PSY_INVALID, "edit of %s: a %s needs keys, or numbers of rows", p->resident, kinds[p->kind]);
    }
    if (p->kind == PSY_EDIT_DELETE) {
        return p->row_bytes == 0 ? PSY_OK : psy_fail(PSY_INVALID, "edit of %s: a delete has no rows", p->resident);
    }
    return check_rows(p);
}

static psy_status check_parts(const psy__edit *e)
{
    for (uint32_t i = 0; i < e->part_count; i++) {
        psy_status status = check_part(&e->parts[i]);
        if (status != PSY_OK) {
            return status;
        }
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(e->parts[i].resident, e->parts[k].resident) == 0) {
                return psy_fail(PSY_INVALID, "edits %u and %u are both of %s: one at a time", k, i, e->parts[i].resident);
            }
        }
    }
    return PSY_OK;
}

/* Where everything lies; false: it overflows. */
static bool place(psy__edit *e)
{
    uint64_t at = DATA_AT;
    for (uint32_t i = 0; i < e->part_count; i++) {
        const psy__edit_part *p = &e->parts[i];
        uint64_t rows;
        e->which_at[i] = at;
        at += p->has_which ? (p->dims[0] * 8 + 63) & ~UINT64_C(63) : 0;
        e->rows_at[i] = at;
        if (__builtin_mul_overflow(p->dims[0], p->row_bytes, &rows) || rows > UINT64_MAX / 32) {
            return false;
        }
        at += (rows + 63) & ~UINT64_C(63);
    }
    e->bytes = at;
    return true;
}

psy_status psy__edit_fits(const psy__edit_part *p, uint32_t dtype, uint32_t rank, uint32_t placement)
{
    const bool keyed = placement == PSY_PLACE_BY_KEY, numbered = p->kind == PSY_EDIT_DELETE || p->kind == PSY_EDIT_REPLACE;
    if (p->has_which != (keyed || numbered)) {
        return psy_fail(PSY_INVALID, "edit of %s: it is %s; %s", p->resident, keyed ? "`by key`" : "not `by key`",
                        keyed ? "each row needs a key" : "rows that are added have no keys");
    }
    if ((p->flags & PSY_EDIT_UPSERT) && !keyed) {
        return psy_fail(PSY_INVALID, "edit of %s: it is not `by key`: there is no upsert", p->resident);
    }
    if (p->kind != PSY_EDIT_DELETE && (p->dtype != dtype || p->rank != rank)) {
        return psy_fail(PSY_INVALID, "edit of %s: rows are %s of rank %u, and it is %s of rank %u", p->resident,
                        psy__dtype_name(p->dtype), p->rank, psy__dtype_name(dtype), rank);
    }
    return PSY_OK;
}

/* ---- making one ---- */

static psy_status write_all(int fd, const void *bytes, uint64_t n, uint64_t at)
{
    const uint8_t *from = bytes;
    while (n > 0) {
        ssize_t put = pwrite(fd, from, n, (off_t)at);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return psy__system_failure("an edit's file", "write", put < 0 ? errno : ENOSPC);
        }
        from += put;
        at += (uint64_t)put;
        n -= (uint64_t)put;
    }
    return PSY_OK;
}

static int open_file(void)
{
    int fd = memfd_create("psyne-edit", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    return fd < 0 && errno == EINVAL ? memfd_create("psyne-edit", MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

/* The file with its header and parts. */
static psy_status begin_file(psy__edit *e)
{
    psy__edit_header header = {
        .magic = PSY_EDIT_MAGIC, .major = MAJOR, .minor = MINOR, .part_count = e->part_count, .bytes = e->bytes};
    e->fd = open_file();
    if (e->fd < 0) {
        return psy__system_failure("an edit's file", "memfd_create", errno);
    }
    psy_status status = ftruncate(e->fd, (off_t)e->bytes) == 0 ? write_all(e->fd, &header, sizeof header, 0)
                                                               : psy__system_failure("an edit's file", "ftruncate", errno);
    return status == PSY_OK ? write_all(e->fd, e->parts, e->part_count * sizeof *e->parts, PARTS_AT) : status;
}

psy_status psy__edit_seal(const psy__edit *e)
{
    return fcntl(e->fd, F_ADD_SEALS, SEALS) == 0 ? PSY_OK : psy__system_failure("an edit's file", "F_ADD_SEALS", errno);
}

static psy_status write_file(psy__edit *e, const psy_edit *edits)
{
    psy_status status = begin_file(e);
    for (uint32_t i = 0; status == PSY_OK && i < e->part_count; i++) {
        const psy__edit_part *p = &e->parts[i];
        status = p->has_which ? write_all(e->fd, edits[i].which, p->dims[0] * 8, e->which_at[i]) : PSY_OK;
        status = status == PSY_OK ? write_all(e->fd, edits[i].rows, p->dims[0] * p->row_bytes, e->rows_at[i]) : status;
    }
    return status == PSY_OK ? psy__edit_seal(e) : status;
}

psy_status psy__edit_begin(const psy__edit_part *part, psy__edit *out)
{
    *out = (psy__edit){.fd = -1, .part_count = 1};
    out->parts[0] = *part;
    psy_status status = check_parts(out);
    if (status == PSY_OK && !place(out)) {
        status = psy_fail(PSY_TOO_LARGE, "the rows' size overflows");
    }
    return status == PSY_OK ? begin_file(out) : status;
}

psy_status psy__edit_write_which(const psy__edit *e, uint64_t first, uint64_t count, const uint64_t *keys)
{
    return write_all(e->fd, keys, count * 8, e->which_at[0] + first * 8);
}

psy_status psy__edit_write_rows(const psy__edit *e, uint64_t first, uint64_t count, const void *rows)
{
    uint64_t row_bytes = e->parts[0].row_bytes;
    return write_all(e->fd, rows, count * row_bytes, e->rows_at[0] + first * row_bytes);
}

static psy_status describe(const psy_edit *edit, psy__edit_part *out)
{
    if (!edit->resident || strlen(edit->resident) >= sizeof out->resident) {
        return psy_fail(PSY_INVALID, "an edit without the name of a resident, or with one of more than %d bytes",
                        PSY_EDIT_NAME_BYTES - 1);
    }
    memcpy(out->resident, edit->resident, strlen(edit->resident));
    out->kind = (uint32_t)edit->kind;
    out->flags = edit->flags;
    out->dims[0] = edit->dims[0];
    out->has_which = edit->which != NULL;
    if (edit->kind == PSY_EDIT_DELETE) {
        return PSY_OK;
    }
    out->dtype = (uint32_t)edit->dtype;
    out->rank = edit->rank;
    uint64_t row_bytes = psy__dtype_bytes(out->dtype);
    for (uint32_t i = 1; i < edit->rank && i < PSY_RANK_MAX; i++) {
        out->dims[i] = edit->dims[i];
        if (__builtin_mul_overflow(row_bytes, edit->dims[i], &row_bytes)) {
            return psy_fail(PSY_TOO_LARGE, "edit of %s: a row's size overflows", edit->resident);
        }
    }
    out->row_bytes = row_bytes;
    return edit->rows || edit->dims[0] == 0 ? PSY_OK
                                            : psy_fail(PSY_INVALID, "edit of %s: its rows are missing", edit->resident);
}

psy_status psy__edit_make(const psy_edit *edits, uint32_t count, psy__edit *out)
{
    *out = (psy__edit){.fd = -1, .part_count = count};
    if (!edits || count == 0 || count > PSY_EDITS_TOGETHER_MAX) {
        return psy_fail(PSY_INVALID, "1 to %d edits happen together, not %u", PSY_EDITS_TOGETHER_MAX, count);
    }
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < count; i++) {
        status = describe(&edits[i], &out->parts[i]);
    }
    status = status == PSY_OK ? check_parts(out) : status;
    if (status == PSY_OK && !place(out)) {
        status = psy_fail(PSY_TOO_LARGE, "the edits' size overflows");
    }
    status = status == PSY_OK ? write_file(out, edits) : status;
    if (status != PSY_OK) {
        psy__edit_close(out);
    }
    return status;
}

/* ---- one of rows that are read ---- */

enum { WINDOW_BYTES = 1 << 20 };

typedef psy_status read_one(const psy_rows *rows, uint64_t row, void *out);

static psy_status read_row(const psy_rows *rows, uint64_t row, void *out) { return rows->fill(rows->context, row, out); }

static psy_status read_key(const psy_rows *rows, uint64_t row, void *out) { return rows->key(rows->context, row, out); }

/* All rows, or their keys, some at a time. */
static psy_status copy_all(psy__edit *e, const psy_rows *rows, read_one *read, uint64_t bytes, uint64_t at,
                           const _Atomic bool *stop)
{
    const uint64_t most = bytes < WINDOW_BYTES ? WINDOW_BYTES / bytes : 1, count = rows->dims[0];
    uint8_t *window = malloc(most * bytes);
    psy_status status = window ? PSY_OK : psy_fail(PSY_NO_MEMORY, "no memory to read %s", rows->resident);
    for (uint64_t row = 0, n; status == PSY_OK && row < count; row += n) {
        n = count - row < most ? count - row : most;
        if (stop && atomic_load_explicit(stop, memory_order_relaxed)) {
            status = psy_fail(PSY_CANCELLED, "told to stop");
        }
        for (uint64_t i = 0; status == PSY_OK && i < n; i++) {
            status = read(rows, row + i, window + i * bytes);
        }
        status = status == PSY_OK ? write_all(e->fd, window, n * bytes, at + row * bytes) : status;
    }
    free(window);
    return status;
}

static psy_status describe_reload(const psy__edit_rows *reload, psy__edit_part *out)
{
    static const uint8_t none;
    const psy_rows *rows = reload->rows;
    psy_edit edit = {.resident = rows->resident,
                     .kind = PSY_EDIT_RELOAD,
                     .flags = reload->texts ? PSY_EDIT_TEXTS : 0,
                     .dtype = reload->dtype,
                     .rank = rows->rank,
                     .rows = &none};
    memcpy(edit.dims, rows->dims, sizeof edit.dims);
    const psy_status status = describe(&edit, out);
    out->has_which = rows->key != NULL;
    return status;
}

psy_status psy__edit_make_reload(const psy__edit_rows *reloads, uint32_t count, const _Atomic bool *stop, psy__edit *out)
{
    *out = (psy__edit){.fd = -1, .part_count = count};
    if (count == 0 || count > PSY_EDITS_TOGETHER_MAX) {
        return psy_fail(PSY_INVALID, "1 to %d edits happen together, not %u", PSY_EDITS_TOGETHER_MAX, count);
    }
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < count; i++) {
        status = describe_reload(&reloads[i], &out->parts[i]);
    }
    status = status == PSY_OK ? check_parts(out) : status;
    if (status == PSY_OK && !place(out)) {
        status = psy_fail(PSY_TOO_LARGE, "the edits' size overflows");
    }
    status = status == PSY_OK ? begin_file(out) : status;
    for (uint32_t i = 0; status == PSY_OK && i < count; i++) {
        const psy_rows *rows = reloads[i].rows;
        status = rows->key ? copy_all(out, rows, read_key, 8, out->which_at[i], stop) : PSY_OK;
        status = status == PSY_OK ? copy_all(out, rows, read_row, out->parts[i].row_bytes, out->rows_at[i], stop) : status;
    }
    status = status == PSY_OK ? psy__edit_seal(out) : status;
    if (status != PSY_OK) {
        psy__edit_close(out);
    }
    return status;
}

/* ---- taking one ---- */

static psy_status read_all(int fd, void *out, uint64_t n, uint64_t at)
{
    uint8_t *to = out;
    while (n > 0) {
        ssize_t got = pread(fd, to, n, (off_t)at);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return psy__system_failure("an edit's file", "read", got < 0 ? errno : EIO);
        }
        to += got;
        at += (uint64_t)got;
        n -= (uint64_t)got;
    }
    return PSY_OK;
}

static psy_status check_file(int fd, uint64_t most, uint64_t *bytes)
{
    struct stat st;
    struct statfs fs;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & (SEALS & ~F_SEAL_SEAL)) != (SEALS & ~F_SEAL_SEAL)) {
        return psy_fail(PSY_CORRUPT, "an edit's file that can still change (seals %#x)", seals < 0 ? 0u : (unsigned)seals);
    }
    if (fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0) {
        return psy__system_failure("an edit's file", "fstat", errno);
    }
    if (!S_ISREG(st.st_mode) || fs.f_type != TMPFS || st.st_size < DATA_AT) {
        return psy_fail(PSY_CORRUPT, "an edit's file of %lld bytes, or no memfd", (long long)st.st_size);
    }
    *bytes = (uint64_t)st.st_size;
    return *bytes <= most
               ? PSY_OK
               : psy_fail(PSY_TOO_LARGE, "the edits have %" PRIu64 " bytes; at most %" PRIu64 " are taken", *bytes, most);
}

static psy_status take(uint64_t most, psy__edit *e)
{
    psy__edit_header header;
    uint64_t bytes = 0;
    psy_status status = check_file(e->fd, most, &bytes);
    status = status == PSY_OK ? read_all(e->fd, &header, sizeof header, 0) : status;
    if (status != PSY_OK) {
        return status;
    }
    if (header.magic != PSY_EDIT_MAGIC) {
        return psy_fail(PSY_CORRUPT, "no edit: its first word is %08x", header.magic);
    }
    if (header.major != MAJOR) {
        return psy_fail(PSY_VERSION, "the edit has format %u.%u, this library %d.%d", header.major, header.minor, MAJOR, MINOR);
    }
    if (header.part_count == 0 || header.part_count > PSY_EDITS_TOGETHER_MAX) {
        return psy_fail(PSY_CORRUPT, "an edit of %u parts", header.part_count);
    }
    e->part_count = header.part_count;
    status = read_all(e->fd, e->parts, e->part_count * sizeof *e->parts, PARTS_AT);
    status = status == PSY_OK ? check_parts(e) : status;
    if (status == PSY_OK && (!place(e) || e->bytes != bytes || header.bytes != bytes)) {
        return psy_fail(PSY_CORRUPT, "the edit has %" PRIu64 " bytes, and says that it has others", bytes);
    }
    return status;
}

psy_status psy__edit_take(int fd, uint64_t most, psy__edit *out)
{
    *out = (psy__edit){.fd = fd};
    psy_status status = take(most, out);
    if (status != PSY_OK) {
        psy__edit_close(out);
    }
    return status;
}

void psy__edit_close(psy__edit *edit)
{
    if (edit->fd >= 0) {
        close(edit->fd);
    }
    edit->fd = -1;
}

psy_status psy__edit_read_which(const psy__edit *e, uint32_t part, uint64_t first, uint64_t count, uint64_t *out)
{
    return read_all(e->fd, out, count * 8, e->which_at[part] + first * 8);
}

psy_status psy__edit_read_rows(const psy__edit *e, uint32_t part, uint64_t first, uint64_t count, void *out)
{
    uint64_t row_bytes = e->parts[part].row_bytes;
    return read_all(e->fd, out, count * row_bytes, e->rows_at[part] + first * row_bytes);
}
