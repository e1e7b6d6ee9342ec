/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a .npy file (NumPy, "A simple file format for NumPy arrays", NEP 1; versions 1.0, 2.0, 3.0):
 *
 *   0   93 'N' 'U' 'M' 'P' 'Y'
 *   6   version: major u8, minor u8
 *   8   length of what follows: u16 (1.0) or u32 (2.0, 3.0), little-endian
 *   10  (12)  a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, blanks, a line break
 *       the elements
 *
 * The three keys are wanted, each once; of Python's literals only what they have is read. */
#include <inttypes.h>
#include <string.h>

#include "weights.h"

typedef struct reader {
    psc_arena *arena;
    psc_weights_problem *problem;
    psc_header_text left;
} reader;

static bool accept(reader *r, char c) { return psc_header_accept(&r->left, c); }

static bool accept_word(reader *r, const char *word)
{
    size_t n = strlen(word);
    psc_header_skip_blanks(&r->left);
    if ((size_t)(r->left.end - r->left.at) < n || memcmp(r->left.at, word, n) != 0) {
        return false;
    }
    r->left.at += n;
    return true;
}

static bool damaged(reader *r) { return psc_weights_fail(r->arena, r->problem, "its header is damaged"); }

/* 'text' or "text", without escapes. NULL: there is none. */
static const char *accept_text(reader *r)
{
    char quote = accept(r, '\'') ? '\'' : accept(r, '"') ? '"' : 0;
    const char *close = quote ? memchr(r->left.at, quote, (size_t)(r->left.end - r->left.at)) : NULL;
    if (!close || memchr(r->left.at, '\\', (size_t)(close - r->left.at))) {
        return NULL;
    }
    const char *text = psc_strndup(r->arena, r->left.at, (size_t)(close - r->left.at));
    r->left.at = close + 1;
    return text;
}

static bool accept_number(reader *r, uint64_t *out)
{
    bool any, fits = psc_header_number(&r->left, out, &any);
    (void)(fits && accept(r, 'L')); /* as Python 2 wrote them */
    return fits;
}

/* (3, 4), (3,), () */
static bool take_shape(reader *r, psc_tensor *t)
{
    bool comma = true;
    if (!accept(r, '(')) {
        return damaged(r);
    }
    uint64_t dim;
    while (comma && accept_number(r, &dim)) {
        if (t->rank == PSY_RANK_MAX) {
            return psc_weights_fail(r->arena, r->problem, "it has more than %d axes", PSY_RANK_MAX);
        }
        t->dims[t->rank++] = dim;
        comma = accept(r, ',');
    }
    return (accept(r, ')') && (t->rank != 1 || comma)) || damaged(r);
}

/* "<f4": the order of bytes, a kind, the bytes of an element. */
static bool take_descr(reader *r, psc_tensor *t)
{
    if (accept(r, '[')) {
        return psc_weights_fail(r->arena, r->problem, "its elements are records, not numbers");
    }
    const char *descr = accept_text(r);
    if (!descr || strlen(descr) < 2 || strlen(descr) > 8) {
        return damaged(r);
    }
    t->written = descr;
    t->big_endian = *descr == '>';
    descr += strchr("<>|=", *descr) != NULL;
    if (*descr == 'O') {
        r->problem->help = "such a file runs code when it is read: save an array of numbers, `x.astype(numpy.float32)`";
        return psc_weights_fail(r->arena, r->problem, "its elements are Python objects (pickled), not numbers");
    }
    uint64_t bytes;
    reader number = {r->arena, r->problem, {descr + (*descr != 0), descr + strlen(descr)}};
    if (!accept_number(&number, &bytes) || number.left.at != number.left.end || bytes > 16) {
        return true; /* a dtype that Psyne has not */
    }
    /* bfloat16 has no letter of its own: extensions write it as two bytes without a meaning. */
    const char *name = *descr == 'b' && bytes == 1   ? "bool"
                       : *descr == 'V' && bytes == 2 ? "bf16"
                       : strchr("fiu", *descr)       ? psc_format(r->arena, "%c%" PRIu64, *descr, 8 * bytes)
                                                     : "";
    t->dtype = psy__dtype_named(name, strlen(name));
    return true;
}

static bool take_dict(reader *r, psc_tensor *t)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    unsigned seen = 0;
    bool comma = true;
    if (!accept(r, '{')) {
        return damaged(r);
    }
    while (comma && !accept(r, '}')) {
        const char *key = accept_text(r);
        unsigned k = 0;
        while (key && k < 3 && strcmp(key, keys[k]) != 0) {
            k++;
        }
        if (!key || k == 3 || seen >> k & 1 || !accept(r, ':')) {
            return damaged(r);
        }
        seen |= 1u << k;
        if (k == 1) {
            t->fortran = accept_word(r, "True");
            if (!t->fortran && !accept_word(r, "False")) {
                return damaged(r);
            }
        } else if (!(k == 0 ? take_descr(r, t) : take_shape(r, t))) {
            return false;
        }
        comma = accept(r, ',');
        if (!comma && !accept(r, '}')) {
            return damaged(r);
        }
    }
    psc_header_skip_blanks(&r->left);
    return (seen == 7 && r->left.at == r->left.end) || damaged(r);
}

bool psc_npy_find(psc_arena *arena, const psc_blob *blob, psc_tensor *out, psc_weights_problem *problem)
{
    uint8_t head[12] = {0};
    if (!psc_blob_read(blob, 0, 10, head) || memcmp(head, "\x93NUMPY", 6) != 0) {
        return psc_weights_fail(arena, problem, "it is no .npy file: it does not start as one");
    }
    if (head[6] < 1 || head[6] > 3) {
        return psc_weights_fail(arena, problem, "it has version %u.%u of the format; 1.0 to 3.0 are read", head[6], head[7]);
    }
    bool wide = head[6] > 1;
    if (wide && !psc_blob_read(blob, 8, 4, head + 8)) {
        return psc_weights_fail(arena, problem, "it is cut short in its header");
    }
    uint64_t length = head[8] | (uint64_t)head[9] << 8 | (wide ? (uint64_t)head[10] << 16 | (uint64_t)head[11] << 24 : 0);
    if (length > PSC_NPY_HEADER_MAX) {
        return psc_weights_fail(arena, problem, "its header has %" PRIu64 " bytes, more than %d", length, PSC_NPY_HEADER_MAX);
    }
    char *text = psc_alloc(arena, length + 1);
    uint64_t start = wide ? 12 : 10;
    if (!psc_blob_read(blob, start, length, text)) {
        return psc_weights_fail(arena, problem, "it is cut short in its header");
    }
    reader r = {arena, problem, {text, text + length}};
    if (!take_dict(&r, out)) {
        return false;
    }
    out->offset = start + length;
    uint64_t left = blob->bytes - out->offset;
    if (out->dtype == 0) {
        return true; /* the caller says so */
    }
    if (!psc_weights_size(out->dims, out->rank, psy__dtype_bytes(out->dtype), &out->bytes) || out->bytes != left) {
        return psc_weights_fail(arena, problem, "it is %s: %" PRIu64 " bytes follow its header, and its shape takes %s%" PRIu64,
                                out->bytes > left ? "cut short" : "damaged", left, out->bytes == UINT64_MAX ? "more than " : "",
                                out->bytes);
    }
    return true;
}
