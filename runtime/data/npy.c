/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "data/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The detail, behind the path; and what to do. */
static psy_status refuse(const char *path, psy_status status, const char *help)
{
    char said[400];
    snprintf(said, sizeof said, "%s", psy_detail());
    return psy_fail(status, "%s: %s%s%s", path, said, help ? ": " : "", help ? help : "");
}

static psy_status read_at(int fd, const char *path, uint64_t at, uint64_t n, void *out)
{
    for (uint64_t done = 0; done < n;) {
        const ssize_t got = pread(fd, (uint8_t *)out + done, n - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return psy_fail(PSY_IO, "%s: %s", path, got < 0 ? strerror(errno) : "it got shorter while it was read");
        }
        done += (uint64_t)got;
    }
    return PSY_OK;
}

/* Whether there is but one order of the elements. */
static bool is_line(const psy__npy_header *h)
{
    uint32_t longer = 0;
    for (uint32_t d = 0; d < h->rank; d++) {
        longer += h->dims[d] != 1;
    }
    return longer <= 1 || h->bytes == 0;
}

static psy_status check(const char *path, const psy__npy_header *h)
{
    if (h->dtype == 0) {
        return psy_fail(PSY_UNSUPPORTED, "%s: its elements are `%s`, which no element type is", path, h->written);
    }
    if (h->big_endian && psy_dtype_bytes(h->dtype) > 1) {
        return psy_fail(PSY_UNSUPPORTED, "%s: its elements are big-endian (`%s`): save `x.astype('<%s')`", path, h->written,
                        h->written + 1);
    }
    if (h->fortran && !is_line(h)) {
        return psy_fail(PSY_UNSUPPORTED, "%s: it is in Fortran order: save `numpy.ascontiguousarray(x)`", path);
    }
    return PSY_OK;
}

static psy_status read_header(psy__npy_file *f)
{
    struct stat st;
    if (fstat(f->fd, &st) != 0) {
        return psy_fail(PSY_IO, "%s: %s", f->path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return psy_fail(PSY_IO, "%s: %s", f->path, S_ISDIR(st.st_mode) ? strerror(EISDIR) : "it is no plain file");
    }
    const uint64_t size = (uint64_t)st.st_size, n = size < PSY_NPY_HEAD_MAX ? size : PSY_NPY_HEAD_MAX;
    uint8_t *head = malloc(n + 1);
    if (!head) {
        return psy_fail(PSY_NO_MEMORY, "%s: no memory for its header", f->path);
    }
    psy__npy_header h;
    psy_status status = read_at(f->fd, f->path, 0, n, head);
    if (status == PSY_OK) {
        status = psy__npy_header_read(head, n, size, &h);
        status = status == PSY_OK ? check(f->path, &h) : refuse(f->path, status, h.help);
    }
    free(head);
    if (status == PSY_OK) {
        f->dtype = (psy_dtype)h.dtype;
        f->rank = h.rank;
        memcpy(f->dims, h.dims, sizeof f->dims);
        f->count = h.bytes / psy_dtype_bytes(h.dtype);
        f->offset = h.offset;
        f->bytes = h.bytes;
    }
    return status;
}

psy_status psy__npy_file_open(const char *path, psy__npy_file *out)
{
    *out = (psy__npy_file){.path = path};
    out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe must not be waited for: it is refused */
    if (out->fd < 0) {
        return psy_fail(PSY_IO, "%s: %s", path, strerror(errno));
    }
    const psy_status status = read_header(out);
    if (status != PSY_OK) {
        psy__npy_file_close(out);
    }
    return status;
}

psy_status psy__npy_file_read(const psy__npy_file *file, uint64_t at, uint64_t n, void *out)
{
    const psy_status status = read_at(file->fd, file->path, file->offset + at, n, out);
    for (uint64_t i = 0; status == PSY_OK && file->dtype == PSY_BOOL && i < n; i++) {
        ((uint8_t *)out)[i] = ((uint8_t *)out)[i] != 0;
    }
    return status;
}

void psy__npy_file_close(psy__npy_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
    }
    file->fd = -1;
}

psy_status psy__npy_open(const char *path, psy__npy *out)
{
    psy__npy_file f;
    *out = (psy__npy){.map = NULL};
    psy_status status = psy__npy_file_open(path, &f);
    if (status != PSY_OK) {
        return status;
    }
    const uint64_t bytes = f.bytes ? f.bytes : 1;
    void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        status = psy_fail(PSY_NO_MEMORY, "%s: no memory for %" PRIu64 " bytes", path, f.bytes);
    } else {
        *out = (psy__npy){f.dtype, f.rank, {0}, f.count, map, map, bytes};
        memcpy(out->dims, f.dims, sizeof out->dims);
        status = psy__npy_file_read(&f, 0, f.bytes, map);
    }
    psy__npy_file_close(&f);
    if (status != PSY_OK) {
        psy__npy_close(out);
    }
    return status;
}

void psy__npy_close(psy__npy *npy)
{
    if (npy->map) {
        munmap(npy->map, npy->map_bytes);
    }
    *npy = (psy__npy){.map = NULL};
}

psy_status psy__npy_write(FILE *to, psy_dtype dtype, uint32_t rank, const uint64_t *dims, const void *data, uint64_t bytes)
{
    uint64_t wanted;
    char header[PSY_NPY_WRITTEN_MAX];
    if (rank > PSY_RANK_MAX || !psy_dtype_bytes(dtype) || !psy__npy_size(dims, rank, psy_dtype_bytes(dtype), &wanted) ||
        wanted != bytes) {
        return psy_fail(PSY_INVALID, "psy__npy_write: the shape does not have %" PRIu64 " bytes", bytes);
    }
    const uint32_t n = psy__npy_header_write(header, dtype, rank, dims);
    if (fwrite(header, 1, n, to) != n || (bytes && fwrite(data, 1, bytes, to) != bytes)) {
        return psy_fail(PSY_IO, "%s", strerror(errno));
    }
    return PSY_OK;
}

const char *psy__npy_text(unsigned dtype, uint32_t rank, const uint64_t *dims, char *out, size_t room)
{
    const char *name = psy__dtype_name(dtype);
    size_t n = (size_t)snprintf(out, room, "%s%s", name ? name : "?", rank ? "[" : "");
    for (uint32_t d = 0; d < rank && n < room; d++) {
        n += (size_t)snprintf(out + n, room - n, "%s%" PRIu64 "%s", d ? ", " : "", dims[d], d + 1 == rank ? "]" : "");
    }
    return out;
}
