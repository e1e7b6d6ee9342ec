/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in files of weights: .npy (NumPy's format 1.0 to 3.0) and .safetensors.
 *
 *   psc_blob blob;                        psc_tensor t; psc_weights_problem problem = {0};
 *   psc_blob_open(&blob, path) && psc_npy_find(arena, &blob, &t, &problem)
 *   ... check t.dtype, t.dims ...         psc_weights_elements(arena, &blob, &t, out, &problem)
 *
 * Files are strangers': every length and offset is checked before it is used, and only a header and the elements that are asked
 * for are read, so that memory does not depend on how large the file is. Nothing here reports: the caller knows the place. */
#ifndef PSC_WEIGHTS_H
#define PSC_WEIGHTS_H

#include <stdbool.h>

#include "arena.h"
#include "isa/module.h"

/* What a header may have; all elements of a program's weights together: they are constants of the module (doc/module.md). */
enum { PSC_SAFETENSORS_HEADER_MAX = 4 << 20, PSC_WEIGHTS_BYTES_MAX = 120 << 20 };

/* The bytes of a file, or of memory (tests). */
typedef struct psc_blob {
    int fd; /* -1: memory */
    const uint8_t *memory;
    uint64_t bytes;
} psc_blob;

/* False with errno set; what is no plain file is refused (EISDIR, EINVAL). */
bool psc_blob_open(psc_blob *blob, const char *path);
void psc_blob_close(psc_blob *blob);
/* False: there are not so many bytes, or reading failed. */
bool psc_blob_read(const psc_blob *blob, uint64_t offset, uint64_t n, void *out);

typedef struct psc_tensor {
    unsigned dtype;      /* 0: none that Psyne has; `written` says which */
    const char *written; /* as the file names it */
    uint32_t rank;
    uint64_t dims[PSY_RANK_MAX];
    uint64_t offset, bytes;   /* of the elements in the file */
    bool big_endian, fortran; /* fortran: the first axis changes fastest */
} psc_tensor;

/* Why not, in the user's words. */
typedef struct psc_weights_problem {
    const char *text, *help;      /* help: or NULL */
    bool unnamed;                 /* a name of the tensor is missing, or not wanted */
    PSC_LIST(const char *) names; /* there is no tensor of that name: those that there are */
} psc_weights_problem;

typedef enum psc_weights_kind { PSC_WEIGHTS_UNKNOWN, PSC_WEIGHTS_NPY, PSC_WEIGHTS_SAFETENSORS } psc_weights_kind;

/* By the path's end; of an unknown one *help says what to do, or is NULL. */
psc_weights_kind psc_weights_kind_of(const char *path, const char **help);

/* The only tensor of the file. False: the problem says why. */
bool psc_npy_find(psc_arena *arena, const psc_blob *blob, psc_tensor *out, psc_weights_problem *problem);

/* The header of a file; NULL: the problem says why. */
typedef struct psc_safetensors psc_safetensors;
const psc_safetensors *psc_safetensors_read(psc_arena *arena, const psc_blob *blob, psc_weights_problem *problem);
/* `name` may be NULL, which is a problem too. */
bool psc_safetensors_find(psc_arena *arena, const psc_safetensors *s, const char *name, psc_tensor *out,
                          psc_weights_problem *problem);

/* t->bytes bytes, row-major, little-endian, truth values 0 or 1. */
bool psc_weights_elements(psc_arena *arena, const psc_blob *blob, const psc_tensor *t, uint8_t *out,
                          psc_weights_problem *problem);

/* ---- shared by the readers ---- */
/* Sets the problem's text; gives false. */
bool psc_weights_fail(psc_arena *arena, psc_weights_problem *problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The bytes of that many elements; false where they do not fit into 64 bits. */
bool psc_weights_size(const uint64_t *dims, uint32_t rank, uint64_t element_bytes, uint64_t *out);

#endif
