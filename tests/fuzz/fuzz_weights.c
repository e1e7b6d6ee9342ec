/* SPDX-License-Identifier: Apache-2.0 */
/* A file of weights, .npy or .safetensors by its first bytes: whatever its header says, each tensor of it is read or refused.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "weights.h"

/* What the reader found lies in the file, and is read to its end. */
static bool read_tensor(psc_arena *arena, const psc_blob *blob, const psc_tensor *t)
{
    enum { READ_MAX = 1 << 20 };
    psc_weights_problem problem = {0};
    uint64_t bytes;
    if (t->dtype == 0) {
        return false;
    }
    if (t->rank > PSY_RANK_MAX || !psc_weights_size(t->dims, t->rank, psy__dtype_bytes(t->dtype), &bytes) ||
        bytes != t->bytes) {
        fuzz_broken("a tensor whose bytes are not those of its shape", t->written);
    }
    if (t->offset > blob->bytes || t->bytes > blob->bytes - t->offset) {
        fuzz_broken("a tensor outside of its file", t->written);
    }
    if (t->bytes > READ_MAX) {
        return true;
    }
    uint8_t *out = malloc(t->bytes + 1);
    bool read = out && psc_weights_elements(arena, blob, t, out, &problem);
    for (uint64_t i = 0; read && t->dtype == PSY_BOOL && i < t->bytes; i++) {
        if (out[i] > 1) {
            fuzz_broken("a truth value that is neither 0 nor 1", t->written);
        }
    }
    free(out);
    return read;
}

bool fuzz_weights(const uint8_t *bytes, size_t n)
{
    psc_arena arena;
    psc_arena_init(&arena);
    psc_blob blob = {.fd = -1, .memory = bytes, .bytes = n};
    psc_weights_problem problem = {0};
    psc_tensor t = {0};
    bool any = false;
    if (n > 0 && bytes[0] == 0x93) {
        any = psc_npy_find(&arena, &blob, &t, &problem) && read_tensor(&arena, &blob, &t);
    } else {
        const psc_safetensors *s = psc_safetensors_read(&arena, &blob, &problem);
        if (s && psc_safetensors_find(&arena, s, NULL, &t, &problem)) {
            fuzz_broken("a tensor without a name", "");
        }
        for (size_t i = 0; s && i < problem.names.count && i < 16; i++) {
            psc_weights_problem why = {0};
            t = (psc_tensor){0};
            if (psc_safetensors_find(&arena, s, problem.names.at[i], &t, &why)) {
                any = read_tensor(&arena, &blob, &t) || any;
            }
        }
    }
    psc_arena_fini(&arena);
    return any;
}
