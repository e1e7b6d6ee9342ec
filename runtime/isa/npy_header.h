/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a .npy file (NumPy, "A simple file format for NumPy arrays", NEP 1; versions 1.0, 2.0, 3.0):
 *
 *   0   93 'N' 'U' 'M' 'P' 'Y'
 *   6   version: major u8, minor u8
 *   8   length of what follows: u16 (1.0) or u32 (2.0, 3.0), little-endian
 *   10  (12)  a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, blanks, a line break
 *       the elements
 *
 * The three keys are wanted, each once; of Python's literals only what they have is read. bf16 has no letter of NumPy's own: it
 * is what ml_dtypes writes, two bytes without a meaning, `<V2`. Nothing allocates. */
#ifndef PSY_ISA_NPY_HEADER_H
#define PSY_ISA_NPY_HEADER_H

#include "isa/module.h"

/* What a header may have behind its length; what has to be read of a file to know it. */
enum { PSY_NPY_HEADER_MAX = 1 << 16, PSY_NPY_HEAD_MAX = PSY_NPY_HEADER_MAX + 12 };

typedef struct psy__npy_header {
    unsigned dtype;  /* 0: none that Psyne has; `written` says which */
    char written[9]; /* as the file names it: "<f4" */
    uint32_t rank;
    uint64_t dims[PSY_RANK_MAX];
    uint64_t offset, bytes;   /* of the elements; bytes: 0 where the dtype is */
    bool big_endian, fortran; /* fortran: the first axis changes fastest */
    const char *help;         /* what to do, where reading failed and it is known; else NULL */
} psy__npy_header;

/* Reads it of the first `n` bytes of a file of `file_bytes`; n: all of them, or PSY_NPY_HEAD_MAX. CORRUPT: it is none, is
 * damaged or cut short, or the elements are fewer or more than its shape says; UNSUPPORTED: elements that are no numbers, more
 * than PSY_RANK_MAX axes. The detail speaks of "it". */
PSY_NODISCARD psy_status psy__npy_header_read(const uint8_t *bytes, uint64_t n, uint64_t file_bytes, psy__npy_header *out);

/* The bytes of that many elements; false where they do not fit into 64 bits. */
bool psy__npy_size(const uint64_t *dims, uint32_t rank, uint64_t element_bytes, uint64_t *out);

/* Writes the header of such an array, row-major, of version 1.0: its length, a multiple of 64. */
enum { PSY_NPY_WRITTEN_MAX = 320 };
uint32_t psy__npy_header_write(char out[PSY_NPY_WRITTEN_MAX], psy_dtype dtype, uint32_t rank, const uint64_t *dims);

#endif
