/* SPDX-License-Identifier: Apache-2.0 */
#include "weights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "isa/npy_header.h"

/* ---- bytes ---- */

bool psc_blob_open(psc_blob *blob, const char *path)
{
    struct stat st;
    *blob = (psc_blob){.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)}; /* opening a pipe must not wait for its writer */
    if (blob->fd < 0) {
        return false;
    }
    int error = fstat(blob->fd, &st) != 0 ? errno : S_ISDIR(st.st_mode) ? EISDIR : !S_ISREG(st.st_mode) ? EINVAL : 0;
    if (error) {
        psc_blob_close(blob);
        errno = error;
        return false;
    }
    blob->bytes = (uint64_t)st.st_size;
    return true;
}

void psc_blob_close(psc_blob *blob)
{
    if (blob->fd >= 0) {
        close(blob->fd);
    }
    blob->fd = -1;
}

bool psc_blob_read(const psc_blob *blob, uint64_t offset, uint64_t n, void *out)
{
    if (offset > blob->bytes || n > blob->bytes - offset) {
        return false;
    }
    if (blob->fd < 0) {
        memcpy(out, blob->memory + offset, n);
        return true;
    }
    for (uint64_t done = 0; done < n;) { /* the file may become shorter while it is read */
        ssize_t got = pread(blob->fd, (uint8_t *)out + done, n - done, (off_t)(offset + done));
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        done += got > 0 ? (uint64_t)got : 0;
    }
    return true;
}

/* ---- what the formats share ---- */

bool psc_weights_fail(psc_arena *arena, psc_weights_problem *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    problem->text = psc__format_va(arena, format, arguments);
    va_end(arguments);
    return false;
}

bool psc_weights_size(const uint64_t *dims, uint32_t rank, uint64_t element_bytes, uint64_t *out)
{
    return psy__npy_size(dims, rank, element_bytes, out);
}

static const char pickled[] = "such a file runs code when it is read: convert it with `safetensors.torch.save_file`";

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

psc_weights_kind psc_weights_kind_of(const char *path, const char **help)
{
    static const struct {
        const char *end;
        psc_weights_kind kind;
        const char *help;
    } rows[] = {
        {".npy", PSC_WEIGHTS_NPY, NULL},
        {".safetensors", PSC_WEIGHTS_SAFETENSORS, NULL},
        {".npz", PSC_WEIGHTS_UNKNOWN, "a .npz file is a zip archive: unpack it, there are .npy files in it"},
        {".onnx", PSC_WEIGHTS_UNKNOWN, "networks from ONNX files are not read yet: write the weights to a .safetensors file"},
        {".pt", PSC_WEIGHTS_UNKNOWN, pickled},
        {".pth", PSC_WEIGHTS_UNKNOWN, pickled},
        {".bin", PSC_WEIGHTS_UNKNOWN, pickled},
        {".pkl", PSC_WEIGHTS_UNKNOWN, pickled}};
    *help = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (ends_with(path, rows[i].end)) {
            *help = rows[i].help;
            return rows[i].kind;
        }
    }
    return PSC_WEIGHTS_UNKNOWN;
}

/* ---- elements ---- */

static void swap_bytes(uint8_t *at, uint64_t bytes, unsigned size)
{
    for (uint64_t i = 0; i + size <= bytes; i += size) {
        for (unsigned k = 0; k < size / 2; k++) {
            uint8_t byte = at[i + k];
            at[i + k] = at[i + size - 1 - k];
            at[i + size - 1 - k] = byte;
        }
    }
}

/* From elements whose first axis changes fastest. */
static void to_row_major(const psc_tensor *t, unsigned size, const uint8_t *from, uint8_t *to)
{
    uint64_t strides[PSY_RANK_MAX], at[PSY_RANK_MAX] = {0}, source = 0;
    for (uint32_t d = 0; d < t->rank; d++) {
        strides[d] = d ? strides[d - 1] * t->dims[d - 1] : 1;
    }
    for (uint64_t i = 0; i < t->bytes; i += size) {
        memcpy(to + i, from + source * size, size);
        for (uint32_t d = t->rank; d-- > 0;) {
            source += strides[d];
            if (++at[d] < t->dims[d]) {
                break;
            }
            source -= strides[d] * t->dims[d];
            at[d] = 0;
        }
    }
}

bool psc_weights_elements(psc_arena *arena, const psc_blob *blob, const psc_tensor *t, uint8_t *out,
                          psc_weights_problem *problem)
{
    unsigned size = psy__dtype_bytes(t->dtype);
    bool turn = t->fortran && t->rank > 1;
    uint8_t *read = turn ? psc_alloc(arena, t->bytes) : out;
    if (!psc_blob_read(blob, t->offset, t->bytes, read)) {
        return psc_weights_fail(arena, problem, "its elements cannot be read");
    }
    if (t->big_endian && size > 1) {
        swap_bytes(read, t->bytes, size);
    }
    if (turn) {
        to_row_major(t, size, read, out);
    }
    for (uint64_t i = 0; t->dtype == PSY_BOOL && i < t->bytes; i++) {
        out[i] = out[i] != 0;
    }
    return true;
}
