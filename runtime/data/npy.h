/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays in .npy files (NumPy): isa/npy_header.h has the format. What is read is row-major and little-endian: a file in Fortran
 * order with more than one axis longer than 1, and a big-endian one, are refused, with what to do about it.
 *
 *   psy__npy x;                                            psy__npy_file f;  // or a part at a time
 *   if (psy__npy_open("q.npy", &x) == PSY_OK) {            if (psy__npy_file_open("words.npy", &f) == PSY_OK) {
 *       ... x.data, x.dims ...                                 psy__npy_file_read(&f, row * bytes, row_bytes, out)
 *       psy__npy_close(&x);                                    psy__npy_file_close(&f);
 *
 * Files are strangers', and may be written to meanwhile: nothing is mapped, so that one that gets shorter is an error and no
 * signal. Details of failures begin with the path. */
#ifndef PSY_DATA_NPY_H
#define PSY_DATA_NPY_H

#include <stdio.h>

#include "isa/npy_header.h"

typedef struct psy__npy_file {
    int fd;
    const char *path; /* the caller's */
    psy_dtype dtype;
    uint32_t rank;
    uint64_t dims[PSY_RANK_MAX];
    uint64_t count; /* elements */
    uint64_t offset, bytes;
} psy__npy_file;

/* Reads the header. IO (with the system's reason; what is no plain file too), CORRUPT, UNSUPPORTED (other element types,
 * orders), NO_MEMORY. Blocks on the file. */
PSY_NODISCARD psy_status psy__npy_file_open(const char *path, psy__npy_file *out);
/* `n` bytes of the elements, from byte `at` of them on, both within `bytes`. Truth values are 0 or 1. IO. Blocks. */
PSY_NODISCARD psy_status psy__npy_file_read(const psy__npy_file *file, uint64_t at, uint64_t n, void *out);
void psy__npy_file_close(psy__npy_file *file);

/* A whole one, in memory of its own. */
typedef struct psy__npy {
    psy_dtype dtype;
    uint32_t rank;
    uint64_t dims[PSY_RANK_MAX];
    uint64_t count;   /* elements */
    const void *data; /* row-major, contiguous, aligned to 64 */
    void *map;
    uint64_t map_bytes;
} psy__npy;

/* As psy__npy_file_open. */
PSY_NODISCARD psy_status psy__npy_open(const char *path, psy__npy *out);
void psy__npy_close(psy__npy *npy);

/* Writes header and elements: `bytes` at `data`, row-major, as many as the dims say (else INVALID). IO: the file's error. */
PSY_NODISCARD psy_status psy__npy_write(FILE *to, psy_dtype dtype, uint32_t rank, const uint64_t *dims, const void *data,
                                        uint64_t bytes);

/* "f32[3, 4]", cut to the room. Gives `out`. */
const char *psy__npy_text(unsigned dtype, uint32_t rank, const uint64_t *dims, char *out, size_t room);

#endif
