/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/npy_header.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "isa/header_text.h"

static psy_status damaged(void) { return psy_fail(PSY_CORRUPT, "its header is damaged"); }

/* 'text' or "text", without escapes, of fewer than `room` bytes. */
static bool accept_text(psy__header_text *left, char *out, size_t room)
{
    char quote = psy__header_accept(left, '\'') ? '\'' : psy__header_accept(left, '"') ? '"' : 0;
    const char *close = quote ? memchr(left->at, quote, (size_t)(left->end - left->at)) : NULL;
    if (!close || memchr(left->at, '\\', (size_t)(close - left->at)) || (size_t)(close - left->at) >= room) {
        return false;
    }
    memcpy(out, left->at, (size_t)(close - left->at));
    out[close - left->at] = '\0';
    left->at = close + 1;
    return true;
}

static bool accept_number(psy__header_text *left, uint64_t *out)
{
    bool any, fits = psy__header_number(left, out, &any);
    (void)(fits && psy__header_accept(left, 'L')); /* as Python 2 wrote them */
    return fits;
}

/* (3, 4), (3,), () */
static psy_status take_shape(psy__header_text *left, psy__npy_header *h)
{
    bool comma = true;
    uint64_t dim;
    if (!psy__header_accept(left, '(')) {
        return damaged();
    }
    while (comma && accept_number(left, &dim)) {
        if (h->rank == PSY_RANK_MAX) {
            return psy_fail(PSY_UNSUPPORTED, "it has more than %d axes", PSY_RANK_MAX);
        }
        h->dims[h->rank++] = dim;
        comma = psy__header_accept(left, ',');
    }
    return psy__header_accept(left, ')') && (h->rank != 1 || comma) ? PSY_OK : damaged();
}

/* "<f4": the order of bytes, a kind, the bytes of an element. */
static psy_status take_descr(psy__header_text *left, psy__npy_header *h)
{
    if (psy__header_accept(left, '[')) {
        return psy_fail(PSY_UNSUPPORTED, "its elements are records, not numbers");
    }
    if (!accept_text(left, h->written, sizeof h->written) || strlen(h->written) < 2) {
        return damaged();
    }
    const char *descr = h->written;
    h->big_endian = *descr == '>';
    descr += strchr("<>|=", *descr) != NULL;
    if (*descr == 'O') {
        h->help = "such a file runs code when it is read: save an array of numbers, `x.astype(numpy.float32)`";
        return psy_fail(PSY_UNSUPPORTED, "its elements are Python objects (pickled), not numbers");
    }
    uint64_t bytes;
    psy__header_text number = {descr + (*descr != 0), descr + strlen(descr)};
    if (!accept_number(&number, &bytes) || number.at != number.end || bytes > 16) {
        return PSY_OK; /* a dtype that Psyne has not */
    }
    char name[8] = "";
    if (*descr == 'b' && bytes == 1) {
        strcpy(name, "bool");
    } else if (*descr == 'V' && bytes == 2) {
        strcpy(name, "bf16");
    } else if (strchr("fiu", *descr)) {
        snprintf(name, sizeof name, "%c%u", *descr, 8 * (unsigned)bytes);
    }
    h->dtype = psy__dtype_named(name, strlen(name));
    return PSY_OK;
}

static psy_status take_dict(psy__header_text *left, psy__npy_header *h)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    unsigned seen = 0;
    bool comma = true;
    if (!psy__header_accept(left, '{')) {
        return damaged();
    }
    while (comma && !psy__header_accept(left, '}')) {
        char key[16];
        const bool named = accept_text(left, key, sizeof key);
        unsigned k = 0;
        while (named && k < 3 && strcmp(key, keys[k]) != 0) {
            k++;
        }
        if (!named || k == 3 || seen >> k & 1 || !psy__header_accept(left, ':')) {
            return damaged();
        }
        seen |= 1u << k;
        if (k == 1) {
            h->fortran = psy__header_accept_word(left, "True");
            if (!h->fortran && !psy__header_accept_word(left, "False")) {
                return damaged();
            }
        } else {
            const psy_status status = k == 0 ? take_descr(left, h) : take_shape(left, h);
            if (status != PSY_OK) {
                return status;
            }
        }
        comma = psy__header_accept(left, ',');
        if (!comma && !psy__header_accept(left, '}')) {
            return damaged();
        }
    }
    psy__header_skip_blanks(left);
    return seen == 7 && left->at == left->end ? PSY_OK : damaged();
}

bool psy__npy_size(const uint64_t *dims, uint32_t rank, uint64_t element_bytes, uint64_t *out)
{
    *out = element_bytes;
    bool empty = false, fits = true;
    for (uint32_t d = 0; d < rank; d++) {
        empty = empty || dims[d] == 0;
        fits = fits && !__builtin_mul_overflow(*out, dims[d], out);
    }
    *out = empty ? 0 : fits ? *out : UINT64_MAX;
    return fits || empty;
}

psy_status psy__npy_header_read(const uint8_t *bytes, uint64_t n, uint64_t file_bytes, psy__npy_header *out)
{
    *out = (psy__npy_header){.dtype = 0};
    if (n < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0) {
        return psy_fail(PSY_CORRUPT, "it is no .npy file: it does not start as one");
    }
    if (bytes[6] < 1 || bytes[6] > 3) {
        return psy_fail(PSY_CORRUPT, "it has version %u.%u of the format; 1.0 to 3.0 are read", bytes[6], bytes[7]);
    }
    const bool wide = bytes[6] > 1;
    const uint64_t start = wide ? 12 : 10;
    if (n < start) {
        return psy_fail(PSY_CORRUPT, "it is cut short in its header");
    }
    const uint64_t length =
        bytes[8] | (uint64_t)bytes[9] << 8 | (wide ? (uint64_t)bytes[10] << 16 | (uint64_t)bytes[11] << 24 : 0);
    if (length > PSY_NPY_HEADER_MAX) {
        return psy_fail(PSY_CORRUPT, "its header has %" PRIu64 " bytes, more than %d", length, PSY_NPY_HEADER_MAX);
    }
    if (length > n - start) {
        return psy_fail(PSY_CORRUPT, "it is cut short in its header");
    }
    psy__header_text left = {(const char *)bytes + start, (const char *)bytes + start + length};
    const psy_status status = take_dict(&left, out);
    if (status != PSY_OK) {
        return status;
    }
    out->offset = start + length;
    const uint64_t there = file_bytes - out->offset;
    if (out->dtype != 0 &&
        (!psy__npy_size(out->dims, out->rank, psy_dtype_bytes(out->dtype), &out->bytes) || out->bytes != there)) {
        return psy_fail(PSY_CORRUPT, "it is %s: %" PRIu64 " bytes follow its header, and its shape takes %s%" PRIu64,
                        out->bytes > there ? "cut short" : "damaged", there, out->bytes == UINT64_MAX ? "more than " : "",
                        out->bytes);
    }
    return PSY_OK;
}

uint32_t psy__npy_header_write(char out[PSY_NPY_WRITTEN_MAX], psy_dtype dtype, uint32_t rank, const uint64_t *dims)
{
    const unsigned bytes = psy_dtype_bytes(dtype);
    char kind = 'V';
    switch (dtype == PSY_BF16 ? PSY_DCLASS_FLOAT : psy__dtype_class(dtype)) {
    case PSY_DCLASS_BOOL: kind = 'b'; break;
    case PSY_DCLASS_SINT: kind = 'i'; break;
    case PSY_DCLASS_UINT: kind = 'u'; break;
    case PSY_DCLASS_FLOAT: kind = dtype == PSY_BF16 ? 'V' : 'f'; break;
    }
    memcpy(out, "\x93NUMPY\1", 8);
    size_t n = 10;
    n += (size_t)snprintf(out + n, PSY_NPY_WRITTEN_MAX - n, "{'descr': '%c%c%u', 'fortran_order': False, 'shape': (",
                          bytes == 1 ? '|' : '<', kind, bytes);
    for (uint32_t d = 0; d < rank; d++) {
        n += (size_t)snprintf(out + n, PSY_NPY_WRITTEN_MAX - n, "%s%" PRIu64, d ? ", " : "", dims[d]);
    }
    n += (size_t)snprintf(out + n, PSY_NPY_WRITTEN_MAX - n, "%s), }", rank == 1 ? "," : "");
    const size_t whole = (n + 64) / 64 * 64; /* with the line break */
    memset(out + n, ' ', whole - n);
    out[whole - 1] = '\n';
    out[8] = (char)((whole - 10) & 0xff);
    out[9] = (char)((whole - 10) >> 8);
    return (uint32_t)whole;
}
