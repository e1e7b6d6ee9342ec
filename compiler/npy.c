/* SPDX-License-Identifier: Apache-2.0 */
/* Weights in .npy files: isa/npy_header.h has the format. */
#include <string.h>

#include "weights.h"

#include "isa/npy_header.h"

bool psc_npy_find(psc_arena *arena, const psc_blob *blob, psc_tensor *out, psc_weights_problem *problem)
{
    psy__npy_header h;
    const uint64_t n = blob->bytes < PSY_NPY_HEAD_MAX ? blob->bytes : PSY_NPY_HEAD_MAX;
    uint8_t *head = psc_alloc(arena, n + 1);
    if (!psc_blob_read(blob, 0, n, head)) {
        return psc_weights_fail(arena, problem, "it cannot be read to its end");
    }
    if (psy__npy_header_read(head, n, blob->bytes, &h) != PSY_OK) {
        problem->help = h.help ? h.help : problem->help;
        return psc_weights_fail(arena, problem, "%s", psy_detail());
    }
    out->dtype = h.dtype;
    out->written = psc_strndup(arena, h.written, strlen(h.written));
    out->rank = h.rank;
    memcpy(out->dims, h.dims, sizeof out->dims);
    out->offset = h.offset;
    out->bytes = h.bytes;
    out->big_endian = h.big_endian;
    out->fortran = h.fortran;
    return true;
}
