/* SPDX-License-Identifier: Apache-2.0 */
/* Variants: elements of a type and shape that each message says for itself.
 *
 * In a message there is a description and, at a multiple of 64, room for the elements, row-major:
 *
 *   byte 0       1       2            4                                      36
 *        +-------+-------+------------+--------------------------------------+
 *        | dtype | rank  | reserved 0 | dims u32[8], unused ones 0           |   dtype 0: nothing is there
 *        |  u8   |  u8   |    u16     |                                      |
 *        +-------+-------+------------+--------------------------------------+
 *
 *   psy_variant_view v, row;
 *   if (shop_doc_embedding(doc, &v) == PSY_OK && psy_variant_row(&v, 0, 2, &row) == PSY_OK) {
 *       const float *x = psy_variant_elements(&row, PSY_F32);   // NULL: of another type, or not one after the other
 *       for (uint64_t i = 0; x && i < psy_variant_count(&row); i++) { ... }
 *   }
 *
 * Views are small and hold no memory: what they show must outlive them. Every function stays within what a view shows, whatever
 * it is given. Nothing allocates, nothing blocks; nothing is kept, so any thread may use any view. */
#ifndef PSYNE_VARIANT_H
#define PSYNE_VARIANT_H

#include <string.h>

#include <psyne/dtype.h>
#include <psyne/message.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PSY_VARIANT_RANK_MAX = 8 };

/* As it lies in a message. */
typedef struct psy_variant_head {
    uint8_t dtype; /* psy_dtype; 0: nothing is there */
    uint8_t rank;
    uint16_t reserved;                   /* 0 */
    uint32_t dims[PSY_VARIANT_RANK_MAX]; /* unused ones are 0 */
} psy_variant_head;
static_assert(sizeof(psy_variant_head) == 36 && offsetof(psy_variant_head, dims) == 4, "the description of a variant is ABI");

typedef struct psy_variant_view {
    const void *data; /* of element 0, 0, ... */
    psy_dtype dtype;
    uint32_t rank; /* 0: one element */
    uint32_t dims[PSY_VARIANT_RANK_MAX];
    int64_t strides[PSY_VARIANT_RANK_MAX]; /* from one element to the next along each axis, in elements */
} psy_variant_view;

/* How many elements the view shows. */
static inline uint64_t psy_variant_count(const psy_variant_view *v)
{
    uint64_t n = 1;
    uint32_t i;
    for (i = 0; i < v->rank; i++) {
        n *= v->dims[i]; /* no overflow: what a view is made of has at most 2^32 bytes */
    }
    return n;
}

/* Shows row-major elements: `data`: dims[0] x ... x dims[rank - 1] elements of `dtype`, in `room` bytes. INVALID: there is no
 * such type or rank. TOO_LARGE: they are more than `room` bytes. */
static inline psy_status psy_variant_view_init(psy_variant_view *v, const void *data, uint32_t room, unsigned dtype,
                                               uint32_t rank, const uint32_t *dims)
{
    const unsigned bytes = psy_dtype_bytes(dtype);
    uint64_t n = bytes;
    uint32_t i, axis;
    int64_t stride = 1;
    if (bytes == 0 || rank > PSY_VARIANT_RANK_MAX) {
        return PSY_INVALID;
    }
    /* An axis of 0 comes first, for the others may be as long as they like. */
    for (i = 0; i < rank; i++) {
        n = dims[i] == 0 ? 0 : n;
    }
    for (i = 0; i < rank && n > 0; i++) {
        n = n > room ? n : n * dims[i]; /* both below 2^32 */
    }
    if (n > room) {
        return PSY_TOO_LARGE;
    }
    memset(v, 0, sizeof *v);
    v->data = data;
    v->dtype = (psy_dtype)dtype;
    v->rank = rank;
    for (i = 0; i < rank; i++) {
        axis = rank - 1 - i;
        v->dims[axis] = dims[axis];
        v->strides[axis] = stride;
        stride = n > 0 ? stride * dims[axis] : 0;
    }
    return PSY_OK;
}

/* The variant of a message, described at `head`, with `room` bytes at `data`. The description is copied once, then checked, for
 * others may be able to write it. OK; NOT_FOUND: nothing is there; CORRUPT: it makes no sense, or says more than there is. */
static inline psy_status psy_variant_read(const psy_variant_head *head, const void *data, uint32_t room, psy_variant_view *v)
{
    const volatile unsigned char *from = (const volatile unsigned char *)head;
    unsigned char bytes[sizeof(psy_variant_head)];
    psy_variant_head h;
    bool zeros = true;
    size_t i;
    for (i = 0; i < sizeof bytes; i++) {
        bytes[i] = from[i];
    }
    memcpy(&h, bytes, sizeof h);
    for (i = h.dtype == 0 ? 0 : h.rank; i < PSY_VARIANT_RANK_MAX; i++) {
        zeros = zeros && h.dims[i] == 0;
    }
    if (h.reserved != 0 || !zeros || (h.dtype == 0 && h.rank != 0)) {
        return PSY_CORRUPT;
    }
    if (h.dtype == 0) {
        return PSY_NOT_FOUND;
    }
    return psy_variant_view_init(v, data, room, h.dtype, h.rank, h.dims) == PSY_OK ? PSY_OK : PSY_CORRUPT;
}

/* Says what will be there: OK, or INVALID or TOO_LARGE as psy_variant_view_init, and nothing changes. */
static inline psy_status psy_variant_describe(psy_variant_head *head, uint32_t room, unsigned dtype, uint32_t rank,
                                              const uint32_t *dims)
{
    psy_variant_view v;
    const psy_status status = psy_variant_view_init(&v, NULL, room, dtype, rank, dims);
    if (status == PSY_OK) {
        head->dtype = (uint8_t)dtype;
        head->rank = (uint8_t)rank;
        head->reserved = 0;
        memcpy(head->dims, v.dims, sizeof head->dims);
    }
    return status;
}

/* Whether the elements lie one after the other, row-major. */
static inline bool psy_variant_is_packed(const psy_variant_view *v)
{
    int64_t stride = 1;
    bool packed = true;
    uint32_t i;
    for (i = psy_variant_count(v) > 0 ? v->rank : 0; i-- > 0 && packed;) {
        packed = v->dims[i] == 1 || v->strides[i] == stride;
        stride *= v->dims[i];
    }
    return packed;
}

/* All elements, psy_variant_count of them; NULL where they are not of `dtype`, or not one after the other. */
static inline const void *psy_variant_elements(const psy_variant_view *v, psy_dtype dtype)
{
    return v->dtype == dtype && psy_variant_is_packed(v) ? v->data : NULL;
}

/* One element, `index`: [rank]; NULL where it is not of `dtype`, or outside. */
static inline const void *psy_variant_at(const psy_variant_view *v, psy_dtype dtype, const uint32_t *index)
{
    int64_t at = 0;
    uint32_t i;
    for (i = 0; i < v->rank; i++) {
        if (index[i] >= v->dims[i]) {
            return NULL;
        }
        at += v->strides[i] * (int64_t)index[i];
    }
    return v->dtype == dtype ? (const unsigned char *)v->data + at * (int64_t)psy_dtype_bytes(dtype) : NULL;
}

/* `count` elements of an axis: from `from` on, every `step`th; `step` may be negative. INVALID: some lie outside, or the step
 * is 0. `out` may be `v`, here and below. */
static inline psy_status psy_variant_slice(const psy_variant_view *v, uint32_t axis, uint32_t from, uint32_t count,
                                           int32_t step, psy_variant_view *out)
{
    psy_variant_view r = *v;
    int64_t last;
    if (axis >= v->rank || step == 0) {
        return PSY_INVALID;
    }
    last = (int64_t)from + ((int64_t)count - 1) * step;
    if (count > 0 && (from >= v->dims[axis] || last < 0 || last >= (int64_t)v->dims[axis])) {
        return PSY_INVALID;
    }
    if (count > 0) {
        r.data = (const unsigned char *)v->data + (int64_t)from * v->strides[axis] * (int64_t)psy_dtype_bytes(v->dtype);
    }
    r.dims[axis] = count;
    r.strides[axis] = count > 1 ? v->strides[axis] * step : v->strides[axis];
    *out = r;
    return PSY_OK;
}

/* What lies at `index` of an axis, without that axis. INVALID: it lies outside. */
static inline psy_status psy_variant_row(const psy_variant_view *v, uint32_t axis, uint32_t index, psy_variant_view *out)
{
    psy_variant_view r;
    uint32_t i;
    const psy_status status = psy_variant_slice(v, axis, index, 1, 1, &r);
    if (status != PSY_OK) {
        return status;
    }
    for (i = axis; i + 1 < r.rank; i++) {
        r.dims[i] = r.dims[i + 1];
        r.strides[i] = r.strides[i + 1];
    }
    r.rank--;
    r.dims[r.rank] = 0;
    r.strides[r.rank] = 0;
    *out = r;
    return PSY_OK;
}

/* The same elements in another shape, row-major. INVALID: another number of them, or they do not lie one after the other. */
static inline psy_status psy_variant_reshape(const psy_variant_view *v, uint32_t rank, const uint32_t *dims,
                                             psy_variant_view *out)
{
    psy_variant_view r;
    const uint64_t bytes = psy_variant_count(v) * psy_dtype_bytes(v->dtype);
    const psy_status status = psy_variant_view_init(&r, v->data, (uint32_t)bytes, v->dtype, rank, dims);
    if (status != PSY_OK || psy_variant_count(&r) != psy_variant_count(v) || !psy_variant_is_packed(v)) {
        return PSY_INVALID;
    }
    *out = r;
    return PSY_OK;
}

/* Axes in another order: axis i of the result is axis axes[i], `axes`: [rank]; NULL: in reverse. INVALID: one is missing. */
static inline psy_status psy_variant_transpose(const psy_variant_view *v, const uint32_t *axes, psy_variant_view *out)
{
    psy_variant_view r = *v;
    unsigned seen = 0;
    uint32_t i, axis;
    for (i = 0; i < v->rank; i++) {
        axis = axes ? axes[i] : v->rank - 1 - i;
        if (axis >= v->rank || (seen >> axis & 1) != 0) {
            return PSY_INVALID;
        }
        seen |= 1u << axis;
        r.dims[i] = v->dims[axis];
        r.strides[i] = v->strides[axis];
    }
    *out = r;
    return PSY_OK;
}

#ifdef __cplusplus
}
#endif
#endif
